"""What our script costs in a Node worker: requests a second while nobody asks how it does, and while somebody does each second; and
how much later the first answer comes. Against the same with `--no-agent`, in the same round. Uses wrk.

No two processes of Node are equally fast, so there are several of each variant, one after the other.
"""

import contextlib
import random
import statistics
import threading
from pathlib import Path

import first_answer
import peer
import process
import throughput
from control import Control

# Promised: at least so many times the requests, and at most so many milliseconds.
REQUESTS, LATER = 0.99, 2.0
# Processes of each variant, rounds, seconds of each.
QUICK, WHOLE = (2, 3, 1), (8, 8, 2)

WITHOUT, QUIET, ASKED = "without it", "nobody asks", "asked each second"
NAMES = [WITHOUT, QUIET, ASKED]


def measure(binary, options, report):
    report.title(f"Our script in a Node worker, {throughput.CONNECTIONS} clients at once (wrk)")
    sets, rounds, seconds = QUICK if options.quick else WHOLE
    found = [one_set(binary, rounds, seconds) for _ in range(sets)]
    report.table(
        [f"{sets} processes, {rounds} rounds", "requests a second", "to those without: median", "quartiles", "CPU a request", "kept"],
        [row(name, found, report) for name in NAMES],
    )
    report.line("")
    starts(binary, options, report)


def row(name, found, report):
    rounds = [round for of_set, _ in found for round in of_set]
    rate = statistics.median(round[name] for round in rounds)
    # How much CPU time a request takes tells what it costs where something else, too, wants the machine.
    cpu = statistics.median(cpu[name] / cpu[WITHOUT] for _, cpu in found)
    cells = [name, f"{rate:,.0f} /s"]
    if name == WITHOUT:
        return [*cells, "", "", "", ""]
    ratios = [round[name] / round[WITHOUT] for round in rounds]
    median = statistics.median(ratios)
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
    kept = report.judge_least(f"our script in a Node worker, {name}", median, REQUESTS, "")
    return [*cells, f"{median:.3f}", f"{low:.3f} … {high:.3f}", f"{cpu:.3f}", kept]


def one_set(binary, rounds, seconds):
    """Requests a second of each variant, a round each, and what CPU time a request has taken in all of them."""
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(run(binary, name)) for name in NAMES}
        pids = {name: next(iter(one.workers())) for name, one in running.items()}
        found, used = [], {name: [0.0, 0.0] for name in NAMES}
        for name in NAMES:
            turn(running, name, 2)  # Compiles what is hot.
        for _ in range(rounds):
            rates = {}
            for name in random.sample(NAMES, len(NAMES)):
                before = cpu_time(pids[name])
                rates[name] = turn(running, name, seconds)
                used[name][0] += cpu_time(pids[name]) - before
                used[name][1] += rates[name] * seconds
            found.append(rates)
        return found, {name: time / requests for name, (time, requests) in used.items()}


def run(binary, name):
    return peer.Running(binary, peer.OURS_ONE, 1, ["--no-agent"] if name == WITHOUT else [])


def turn(running, name, seconds):
    with asking(running[name]) if name == ASKED else contextlib.nullcontext():
        return throughput.wrk(running[name].port, seconds)[0]


@contextlib.contextmanager
def asking(one):
    control, ended = Control(one.home), threading.Event()
    # The first question begins the measuring, so it comes before.
    control.instances()

    def ask():
        while not ended.wait(1):
            assert control.instances()[0]["node"]["window_ms"]

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def cpu_time(pid):
    """Seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / process.TICKS


def starts(binary, options, report):
    rounds = 11 if options.quick else 101
    variants = [
        [first_answer.Variant(f"{instances} instances{extra}", first_answer.NODE, instances, words)
         for extra, words in [(" without it", ["--no-agent"]), ("", [])]]
        for instances in (1, 2)
    ]
    times = {variant.name: [] for pair in variants for variant in pair}
    for _ in range(rounds):
        for variant in random.sample([variant for pair in variants for variant in pair], 4):
            times[variant.name].append(first_answer.first_answer(binary, variant))
    rows = []
    for without, own in variants:
        later = [with_it - bare for with_it, bare in zip(times[own.name], times[without.name])]
        median, (low, _, high) = statistics.median(later), statistics.quantiles(later, n=4)
        kept = report.judge(f"our script at the start, {own.name}", median, LATER, "ms")
        rows.append([own.name, f"{statistics.median(times[own.name]):.1f} ms", f"{median:+.1f} ms", f"{low:+.1f} … {high:+.1f}", kept])
    report.table([f"{rounds} rounds", "first answer", "later than without: median", "quartiles", "kept"], rows)
