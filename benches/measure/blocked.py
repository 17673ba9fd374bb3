"""One of four workers is busy for 2 s every 3 s: how long do others' requests on new connections take?"""

import threading
import time

import load
import peer

INSTANCES = 4
BUSY, EVERY = 2.0, 3.0
RATES = [20, 200, 2000]
# Promised: milliseconds at most for any; and the p99 in those without a busy worker.
LONGEST, TIMES = 200, 2.0
# Where each has a socket of its own, others rescue who waits there.
EVEN = peer.OURS.with_words("--balance", "even")
VARIANTS = [
    peer.OURS, EVEN, peer.REUSEPORT, peer.ROUND_ROBIN, peer.SHARED, peer.PM2_RUNTIME, peer.OUR_UVICORN, peer.OWN_UVICORN,
]
PROMISED = [peer.OURS, EVEN, peer.OUR_UVICORN]


def measure(binary, options, report):
    seconds = 6 if options.quick else 30
    report.title("One of four workers is busy for 2 s every 3 s: times of requests on new connections")
    columns = ["p99 before", "p99", "kept", "longest", "kept", "over 200 ms", "failed"]
    with load.Program() as program:
        report.table(["server, connections a second", *columns], rows(binary, program, seconds, report))


def rows(binary, program, seconds, report):
    for one in VARIANTS:
        with peer.Running(binary, one, INSTANCES) as running:
            running.workers()
            for rate in RATES:
                yield row(program, running, rate, seconds, report)


def row(program, running, rate, seconds, report):
    before = program.run(running.port, rate, min(seconds, 5))
    blocker = Blocker(running)
    found = program.run(running.port, rate, seconds)
    blocker.finish()
    name = f"{running.peer.name}, {rate:,} /s"
    promised = running.peer in PROMISED
    # Below a millisecond the machine decides.
    most = round(TIMES * max(before.p99, 1), 1) if promised else None
    return [
        name, f"{before.p99:.1f} ms",
        f"{found.p99:.1f} ms", report.judge(f"blocked, p99, {name}", found.p99, most, "ms"),
        f"{found.longest:.0f} ms", report.judge(f"blocked, longest, {name}", found.longest, LONGEST if promised else None, "ms"),
        f"{found.late:,} of {found.sent:,}", f"{len(found.failures)}",
    ]


class Blocker(threading.Thread):
    """Keeps one worker busy, whichever gets the request."""

    def __init__(self, running):
        super().__init__(daemon=True)
        self.running, self.over = running, threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            begun = time.monotonic()
            self.running.ask(f"/block/{BUSY * 1000:.0f}")
            self.over.wait(max(0, begun + EVERY - time.monotonic()))

    def finish(self):
        self.over.set()
        self.join()
