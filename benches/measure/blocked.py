"""One of four workers is busy for 2 s every 3 s: how long do others' requests on new connections take?"""

import threading
import time
from dataclasses import dataclass

import load
import peer
import proc

INSTANCES = 4
BUSY, EVERY = 2.0, 3.0
RATES = [20, 200, 2000]
# Promised: none over 200 ms (`load.c`), and the p99 in those without a busy worker.
TIMES = 2.0
# Where each has a socket of its own, others rescue who waits there, though only after `--stall-after`.
EVEN = peer.OURS.with_words("--balance", "even")
VARIANTS = [
    peer.OURS, EVEN, peer.REUSEPORT, peer.ROUND_ROBIN, peer.SHARED, peer.PM2_RUNTIME, peer.OUR_UVICORN, peer.OWN_UVICORN,
]
PROMISED = [peer.OURS, peer.OUR_UVICORN]
# So few requests would have a p99 of one or two.
LEAST = 600


def measure(binary, options, report):
    seconds = 6 if options.quick else 30
    report.title("One of four workers is busy for 2 s every 3 s: times of requests on new connections")
    columns = ["p99 before", "p99", "kept", "longest", "over 200 ms", "of them accepted before", "kept", "failed"]
    with load.Program() as program:
        report.table(["server, connections a second", *columns], rows(binary, program, seconds, report))


def rows(binary, program, seconds, report):
    for one in VARIANTS:
        with peer.Running(binary, one, INSTANCES) as running:
            workers = running.workers()
            for rate in RATES:
                yield row(program, running, workers, rate, seconds, report)


def row(program, running, workers, rate, seconds, report):
    before = program.run(running.port, rate, min(seconds, max(5, LEAST / rate)))
    blocker = Blocker(running, workers)
    found = program.run(running.port, rate, seconds)
    blocker.finish()
    name = f"{running.peer.name}, {rate:,} /s"
    promised = running.peer in PROMISED
    # Below a millisecond the machine decides.
    most = round(TIMES * max(before.p99, 1), 1) if promised else None
    others = [late for late in found.late if not blocker.held(late)]
    return [
        name, f"{before.p99:.1f} ms",
        f"{found.p99:.1f} ms", report.judge(f"blocked, p99, {name}", found.p99, most, "ms"),
        f"{found.longest:.0f} ms", f"{len(found.late):,} of {found.sent:,}", f"{len(found.late) - len(others):,}",
        report.judge(f"blocked, requests over 200 ms that the busy worker had not accepted, {name}", len(others), 0 if promised or running.peer is EVEN else None, ""),
        f"{len(found.failures)}",
    ]


@dataclass
class Block:
    # Monotonic seconds, and the clients' ports of what the worker had accepted by then.
    at: float
    held: set


class Blocker(threading.Thread):
    """Keeps one worker busy, whichever gets the request, and knows what else that one had accepted just before."""

    def __init__(self, running, workers):
        super().__init__(daemon=True)
        self.running, self.workers, self.over, self.blocks = running, workers, threading.Event(), []
        self.start()

    def run(self):
        while not self.over.is_set():
            begun = time.monotonic()
            with self.running.connect() as client:
                client.send(f"/block/{BUSY * 1000:.0f}", "close")
                # By then it is busy, and accepts nothing.
                time.sleep(BUSY / 2)
                held = {worker: proc.connections(worker) for worker in self.workers}
                at = time.monotonic()
                self.blocks.append(Block(at, held.get(client.receive(), set())))
            self.over.wait(max(0, begun + EVERY - time.monotonic()))

    def held(self, late):
        """Whether the busy worker had accepted this connection itself. A port is used again."""
        return any(late.port in block.held and late.begun <= block.at <= late.ended for block in self.blocks)

    def finish(self):
        self.over.set()
        self.join()
