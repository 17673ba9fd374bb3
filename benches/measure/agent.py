"""What our script costs in a Node worker: requests a second while nobody asks how it does, and while somebody does each second; and
how much later the first answer comes. Uses wrk.

No two processes of Node are equally fast, by more than what is measured. So what questions cost is measured within one process, which is
asked and not asked by turns; and what the script costs that nobody asks, by many processes.
"""

import json
import random
import statistics
import subprocess
import urllib.request
from dataclasses import replace

import first_answer
import peer
import process
import throughput

# Promised: at least so many times the requests, and at most so many milliseconds.
REQUESTS, LATER = 0.99, 2.0
# Pairs of turns; pairs of processes, and seconds of each.
QUICK, WHOLE = (8, 3, 1), (80, 40, 2)
# Of each process, before it counts: compiles what is hot.
WARM_S = 2
TURN_S = 2

EXPRESS = peer.TOOLS / "frameworks/node_modules/express"
ASKED = peer.Peer("two lines", peer.ours(peer.NODE, str(process.APPS / "asked.js")), most=1)
SERVERS = [ASKED, replace(ASKED, name="Express", variables={"EXPRESS": str(EXPRESS)})]


def measure(binary, options, report):
    turns, processes, seconds = QUICK if options.quick else WHOLE
    report.title(f"Our script in a Node worker, {throughput.CONNECTIONS} clients at once (wrk)")
    rows = [asked(binary, server, turns, report) for server in SERVERS]
    rows.append(unasked(binary, processes, seconds, report))
    report.table(["", "pairs", "requests a second", "ratio: median", "95 % sure", "CPU a request", "95 % sure", "kept"], rows)
    report.line("")
    starts(binary, options, report)


def asked(binary, server, pairs, report):
    """One process, asked each second in every second turn."""
    with peer.Running(binary, server, 1) as running:
        seconds = WARM_S + 2 * (pairs + 1) * TURN_S
        load(running.port, seconds)
        with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/turns") as answer:
            # The first pair was to compile what is hot.
            found = json.load(answer)[2:]
    without, with_it = ([turn for turn in found if turn["isAsked"] == wanted] for wanted in (False, True))
    return row(f"{server.name}, asked each second", with_it, without, report)


def unasked(binary, pairs, seconds, report):
    """Processes that nobody asks, with our script and without, in pairs."""
    with_it, without = [], []
    for _ in range(pairs):
        for words, turns in random.sample([([], with_it), (["--no-agent"], without)], 2):
            with peer.Running(binary, peer.OURS_ONE, 1, words) as running:
                load(running.port, WARM_S)
                turns.append({"rate": throughput.wrk(running.port, seconds)[0]})
    return row("two lines, nobody asks", with_it, without, report)


def load(port, seconds):
    command = ["wrk", "-t1", f"-c{throughput.CONNECTIONS}", f"-d{seconds}s", f"http://127.0.0.1:{port}/"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def row(name, with_it, without, report):
    def compared(what):
        ratios = [one[what] / other[what] for one, other in zip(with_it, without)]
        low, high = sure(ratios)
        return statistics.median(ratios), f"{low:.3f} … {high:.3f}"

    rate, rates = compared("rate")
    cpu, cpus = compared("cpu") if "cpu" in without[0] else (None, "")
    kept = report.judge_least(f"our script in a Node worker, {name}", rate, REQUESTS, "")
    a_second = f"{statistics.median(one['rate'] for one in with_it):,.0f} /s"
    return [name, str(min(len(with_it), len(without))), a_second, f"{rate:.3f}", rates, f"{cpu:.3f}" if cpu else "", cpus, kept]


def sure(ratios):
    """Between what the median lies, by drawing again from what was found."""
    medians = sorted(statistics.median(random.choices(ratios, k=len(ratios))) for _ in range(2000))
    return medians[50], medians[-51]


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
