"""How long an app that takes 1.5 s to boot serves nobody when a worker is killed, with and without standbys.

First with one worker: a client asks again and again, each time over a new connection; after every tenth of a second of it
the worker that answered last is killed. What counts is the longest time between two answers around a kill. The next
kill comes when the next standby is held, or without one when the worker is back.

Then with four, under load: every 200 ms one that serves is killed, if there is any. What counts is the time from the kill to
the line that says that the instance serves again.
"""

import os
import random
import re
import signal
import socket
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass, field

import load
import process

# Promised: milliseconds.
LIMIT = 50.0
CALM = 0.1
# So many kills in a row would else be taken for a crash loop, and the next worker wait for up to 15 s.
NO_CRASH_LOOP = {"PMR_RESTART_DELAY": 100, "PMR_MAX_RESTARTS": 100000}
INSTANCES, EVERY, RATE = 4, 0.2, 200


@dataclass
class Variant:
    name: str
    command: list
    standby: int
    limit: float | None = None


NODE = ["node", str(process.APPS / "boots.js")]
PYTHON = ["python3", str(process.APPS / "boots.py")]
VARIANTS = [
    Variant("node", NODE, 0),
    Variant("node, `--standby 1`", NODE, 1, LIMIT),
    Variant("node by interception, `--standby 1`", ["--share", "intercept", *NODE], 1, LIMIT),
    Variant("python3", PYTHON, 0),
    Variant("python3, `--standby 1`", PYTHON, 1, LIMIT),
]


def measure(binary, options, report):
    kills = 5 if options.quick else 20
    report.title("The longest gap when the only worker is killed, of an app that boots for 1.5 s")
    rows = []
    for variant in VARIANTS:
        gaps = [gap * 1000 for gap in all_gaps(binary, variant, kills)]
        kept = report.judge(f"gap, {variant.name}", max(gaps), variant.limit, "ms")
        rows.append([variant.name, f"{statistics.median(gaps):.1f} ms", f"{max(gaps):.1f} ms", kept])
    report.table([f"{kills} kills", "median", "longest", "kept"], rows)
    measure_rate(binary, options, report)


def all_gaps(binary, variant, kills):
    port = process.free_port()
    variables = process.environment(PORT=port, WEB_CONCURRENCY=1, PMR_STANDBY=variant.standby, **NO_CRASH_LOOP)
    with tempfile.NamedTemporaryFile("w+") as said:
        runtime = process.start([binary, *variant.command], variables, stderr=said)
        try:
            for number in range(1, kills + 1):
                sign = ("standby ready", number) if variant.standby else ("worker ready", number)
                process.wait_for(*sign, said.name, runtime)
                yield gap(port)
        finally:
            process.stop(runtime)


def gap(port):
    """The longest time between two answers around a kill."""
    longest, last, victim = 0.0, time.monotonic(), None
    kill_at = last + CALM
    until = None
    while until is None or time.monotonic() < until:
        pid = answer(port)
        if pid is None:
            continue
        now = time.monotonic()
        longest, last = max(longest, now - last), now
        if victim is None and now >= kill_at:
            victim = pid
            os.kill(victim, signal.SIGKILL)
        elif victim is not None and pid != victim and until is None:
            until = now + CALM
    return longest


def answer(port):
    """Who answered; None where the worker was killed while it did."""
    with socket.socket() as connection:
        connection.settimeout(process.PATIENCE)
        try:
            connection.connect(("127.0.0.1", port))
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            pieces = b""
            while piece := connection.recv(4096):
                pieces += piece
        except ConnectionResetError:
            return None
    body = pieces.rpartition(b"\r\n\r\n")[2]
    return int(body) if body.isdigit() else None


def measure_rate(binary, options, report):
    seconds = 10 if options.quick else 60
    report.title(
        f"kill -9 of a serving worker every {EVERY * 1000:.0f} ms for {seconds} s, {RATE} new connections a second, four workers "
        "that boot for 1.5 s"
    )
    columns = ["kills", "with a standby ready", "gap: median", "longest", "kept", "without one: median", "longest", "requests", "failed"]
    with load.Program() as program:
        rows = (row_of_rate(binary, program, standby, seconds, report) for standby in (1, 4))
        report.table(["node", *columns], rows)


def row_of_rate(binary, program, standby, seconds, report):
    port = process.free_port()
    variables = process.environment(PORT=port, PMR_STANDBY=standby, **NO_CRASH_LOOP)
    with tempfile.NamedTemporaryFile("w+") as said:
        runtime = process.start([binary, "-i", str(INSTANCES), *NODE], variables, stderr=said)
        try:
            process.wait_for("worker ready", INSTANCES, said.name, runtime)
            process.wait_for("standby ready", standby, said.name, runtime)
            # Only what comes from now on, stamped when it comes.
            log = Log(said.name)
            under_way = program.start(port, RATE, seconds)
            kill_on(log, seconds)
            found = load.finish(under_way)
            # The last that were killed have come back by then, or never will.
            time.sleep(2)
            log.close()
        finally:
            process.stop(runtime)
    taken, booted = log.gaps(True), log.gaps(False)
    kept = report.judge(f"gap where a standby was ready, `--standby {standby}`", max(taken, default=0), LIMIT, "ms") if taken else ""
    return [
        f"`--standby {standby}`", f"{len(log.kills)}", f"{len(taken)}", *middle_and_longest(taken), kept, *middle_and_longest(booted),
        f"{found.sent:,}", f"{len(found.failures):,}",
    ]


def middle_and_longest(gaps):
    return [f"{statistics.median(gaps):.1f} ms", f"{max(gaps):.1f} ms"] if gaps else ["", ""]


def kill_on(log, seconds):
    begun = time.monotonic()
    next_one = begun + EVERY
    while next_one < begun + seconds:
        time.sleep(max(0, next_one - time.monotonic()))
        next_one += EVERY
        serving = log.serving()
        if serving:
            log.kill(*random.choice(serving))


@dataclass
class Kill:
    at: float
    instance: int
    back: float | None = None
    by_standby: bool = False


@dataclass
class Log:
    """What the runtime says of its workers, read as it comes."""

    path: str
    kills: list = field(default_factory=list)
    pids: dict = field(default_factory=dict)
    ended: bool = False

    def __post_init__(self):
        self.lock = threading.Lock()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.file = open(self.path)
        for line in self.file.readlines():
            self.take(line)
        self.reader.start()

    def read(self):
        while not self.ended:
            if line := self.file.readline():
                self.take(line)
            else:
                time.sleep(0.0005)

    def take(self, line):
        fields = dict(re.findall(r"(\w+)=(\d+)", line))
        if "instance" not in fields:
            return
        instance, pid = int(fields["instance"]), int(fields.get("pid", 0))
        with self.lock:
            missing = [kill for kill in self.kills if kill.instance == instance and kill.back is None]
            if "worker ready" in line:
                self.pids[instance] = pid
                for kill in missing:
                    kill.back = time.monotonic()
            elif "a standby takes its place" in line:
                for kill in missing:
                    kill.by_standby = True

    def serving(self):
        with self.lock:
            return list(self.pids.items())

    def kill(self, instance, pid):
        with self.lock:
            del self.pids[instance]
            self.kills.append(Kill(time.monotonic(), instance))
            os.kill(pid, signal.SIGKILL)

    def gaps(self, by_standby):
        """Milliseconds."""
        done = [kill for kill in self.kills if kill.back and kill.by_standby == by_standby]
        return [(kill.back - kill.at) * 1000 for kill in done]

    def close(self):
        self.ended = True
        self.reader.join()
        self.file.close()
