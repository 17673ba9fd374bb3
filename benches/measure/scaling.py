"""An app with a range, `-i 1..2`, and a load that is suddenly more than one worker can do: when does a second one serve, what has
the load lost by then, and what is lost when it goes again? Then, for ten minutes, a load that changes at random: how often does the
number of workers turn about?"""

import random
import re
import time
from dataclasses import dataclass
from pathlib import Path

import load
import peer

# Each request takes 20 ms of one worker: more than one can do, and less than two.
PATH, RATE, SECONDS = "/block/20", 60, 12
# After the load, so that requests are there to be lost.
LITTLE, SHRINKS_WITHIN = 10, 120
# Ten minutes of rates that last for so many seconds, each at random: from a tenth of what a worker can do to more than one can.
NOISE_MINUTES, LASTS, RATES = 10, (1, 4), (5, 65)
# Once it may have grown too large, and come back.
TURNS = 1
# Seconds from the step until the second worker is ready; the looks are a second apart, so each step comes at another moment.
PROMISED = 5.0
OURS = peer.Peer("pmr-runtime", lambda binary, instances: [binary, "-i", "1..2", peer.NODE, peer.SERVER], most=1)


@dataclass
class Round:
    took: float
    sent: int
    failed: int


def measure(binary, options, report):
    steps = 1 if options.quick else 5
    report.title("A load of 1.2 workers on an app of one to two")
    with load.Program() as program:
        report.table(["step", "second worker ready after", "kept", "requests", "failed", "kept"], rows(binary, program, steps, report))
        shrinking(binary, program, report)
        noise(binary, program, options, report)


def rows(binary, program, steps, report):
    for step in range(steps):
        with peer.Running(binary, OURS, 1) as running:
            found = grow(running, program, step / steps)
            yield shown(f"{step + 1}", found, report)


def shown(name, found, report):
    return [
        name, f"{found.took:.1f} s", report.judge("scaling, seconds until it has followed", found.took, PROMISED, "s"),
        f"{found.sent:,}", f"{found.failed}", report.judge("scaling, requests lost", found.failed, 0, ""),
    ]


def grow(running, program, moment):
    said = lambda: Path(running.said.name).read_text(errors="replace").count("worker ready")
    time.sleep(2 + moment)
    begun, started = time.monotonic(), program.start(running.port, RATE, SECONDS, PATH)
    wait_until(running, lambda: said() >= 2, SECONDS)
    took = time.monotonic() - begun
    found = load.finish(started)
    return Round(took, found.sent, len(found.failures))


def shrinking(binary, program, report):
    with peer.Running(binary, OURS, 1) as running:
        grow(running, program, 0)
        ended, started = time.monotonic(), program.start(running.port, LITTLE, SHRINKS_WITHIN, "/")
        wait_until(running, lambda: len(running.living_workers()) == 1, SHRINKS_WITHIN)
        took = time.monotonic() - ended
        found = load.finish(started)
    kept = report.judge("scaling, requests lost while a worker goes", len(found.failures), 0, "")
    report.line(f"\nAfter the load: one worker again after {took:.0f} s; {len(found.failures)} of {found.sent:,} requests lost: {kept}.")


def noise(binary, program, options, report):
    seconds = 60 if options.quick else NOISE_MINUTES * 60
    sent = failed = 0
    with peer.Running(binary, OURS, 1) as running:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = load.finish(program.start(running.port, random.randint(*RATES), random.randint(*LASTS), PATH))
            sent, failed = sent + found.sent, failed + len(found.failures)
        said = Path(running.said.name).read_text(errors="replace")
    sizes = [(int(was), int(will)) for was, will in re.findall(r" scaled .*from=(\d+) to=(\d+)", said)]
    ways = [will > was for was, will in sizes]
    turns = sum(way != before for before, way in zip(ways, ways[1:]))
    report.line(
        f"\nA load that changes at random for {seconds / 60:g} minutes: scaled {len(sizes)} times, turned about {turns} times:"
        f" {report.judge('scaling, turns', turns, TURNS, '')}. {failed} of {sent:,} requests lost:"
        f" {report.judge('scaling, requests lost in noise', failed, 0, '')}."
    )


def wait_until(running, is_so, seconds):
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            running.fail("it did not follow the load")
        time.sleep(0.01)
