"""What our script costs in a Node worker: requests a second while nobody asks how it does, and while somebody does each second; and
how much later the first answer comes. Against the same with `--no-agent`, in the same round. Uses wrk.

No two processes of Node are equally fast, so there are several of each variant. What a question each second costs is a fraction of
what two processes differ by, so there the same process is compared with itself: before, while, and after somebody asks.
"""

import contextlib
import dataclasses
import random
import statistics
import threading
import time
from pathlib import Path

import first_answer
import peer
import process
import throughput
from control import Control

# Promised: at least so many times the requests, and at most so many milliseconds.
REQUESTS, LATER = 0.99, 2.0
# Processes of each variant, rounds, seconds of each turn.
QUICK, WHOLE = (4, 2, 1), (6, 6, 2)
# So long after the last question a worker has put all away that measures (PATIENCE_MS in meter.cjs), and some more.
FORGOTTEN_S = 17

WITHOUT, QUIET, ASKED = "without it", "nobody asks", "asked each second"


@dataclasses.dataclass
class Process:
    """A runtime with one worker, and the worker's pid."""

    running: peer.Running
    pid: int


@dataclasses.dataclass
class Turn:
    """Requests a second, and seconds of the worker's CPU time for each of them."""

    rate: float
    cpu: float


def measure(binary, options, report):
    report.title(f"Our script in a Node worker, {throughput.CONNECTIONS} clients at once (wrk)")
    processes, rounds, seconds = QUICK if options.quick else WHOLE
    turns = all_turns(binary, processes, rounds, seconds)
    report.table(
        [f"{processes} processes, {rounds} rounds", "requests a second", "compared with", "median", "quartiles", "CPU a request", "kept"],
        [
            [WITHOUT, rate(turns[WITHOUT]), "", "", "", "", ""],
            row(QUIET, turns[QUIET], WITHOUT, others(turns[QUIET], turns[WITHOUT]), report),
            row(ASKED, turns[ASKED], "itself, unasked", itself(turns[ASKED], turns[QUIET]), report),
        ],
    )
    report.line("")
    starts(binary, options, report)


def rate(turns):
    return f"{statistics.median(turn.rate for of_one in turns for turn in of_one):,.0f} /s"


def row(name, turns, beside, pairs, report):
    ratios = [one.rate / other for one, other, _ in pairs]
    median = statistics.median(ratios)
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
    # How much CPU time a request takes tells what it costs where something else, too, wants the machine.
    cpu = statistics.median(one.cpu / other for one, _, other in pairs)
    kept = report.judge_least(f"our script in a Node worker, {name}", median, REQUESTS, "")
    return [name, rate(turns), beside, f"{median:.3f}", f"{low:.3f} … {high:.3f}", f"{cpu:.3f}", kept]


def others(turns, bare):
    """Each turn with the rate and the CPU time of a process of the other variant in the same round."""
    return [(one, other.rate, other.cpu) for mine, theirs in zip(turns, bare) for one, other in zip(mine, theirs)]


def itself(asked, quiet):
    """Each turn with the means of the same process's turns before and after it."""
    return [
        (one, (before.rate + after.rate) / 2, (before.cpu + after.cpu) / 2)
        for mine, own in zip(asked, quiet)
        for one, before, after in zip(mine, own, own[1:])
    ]


def all_turns(binary, processes, rounds, seconds):
    """For each variant and process, its turns. The last round of those that nobody asks has nothing asked after it."""
    with contextlib.ExitStack() as stack:
        bare = [start(stack, binary, ["--no-agent"]) for _ in range(processes)]
        ours = [start(stack, binary, []) for _ in range(processes)]
        for one in [*bare, *ours]:
            turn(one, 2)  # Compiles what is hot.
        for one in ours:
            with asking(one):  # And what is hot then.
                turn(one, 2)
        found = {name: [[] for _ in range(processes)] for name in (WITHOUT, QUIET, ASKED)}
        for _ in range(rounds):
            quiet_round(bare, ours, found, seconds)
            for at, one in enumerate(ours):
                with asking(one):
                    found[ASKED][at].append(turn(one, seconds))
        quiet_round(bare, ours, found, seconds)
        return found


def quiet_round(bare, ours, found, seconds):
    time.sleep(FORGOTTEN_S)
    for at, pair in enumerate(zip(bare, ours)):
        for name, one in random.sample([(WITHOUT, pair[0]), (QUIET, pair[1])], 2):
            found[name][at].append(turn(one, seconds))


def start(stack, binary, words):
    running = stack.enter_context(peer.Running(binary, peer.OURS_ONE, 1, words))
    return Process(running, next(iter(running.workers())))


def turn(one, seconds):
    before = cpu_time(one.pid)
    rate = throughput.wrk(one.running.port, seconds)[0]
    return Turn(rate, (cpu_time(one.pid) - before) / (rate * seconds))


@contextlib.contextmanager
def asking(one):
    control, ended = Control(one.running.home), threading.Event()
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
