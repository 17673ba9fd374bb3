"""The CPU time that a gigabyte of log lines takes in the supervisor, written 60 kB at a time, read by a fast reader."""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

import process

# Promised: seconds.
LIMIT = 1.0
TOTAL = 1_000_000_000 // 120_000 * 120_000
LOGGER = [sys.executable, str(process.APPS / "logger.py")]


@dataclass
class Variant:
    name: str
    instances: int
    # None: `cat` stands between writer and reader, for what carrying the bytes costs at least.
    log_format: str | None
    limit: float | None


VARIANTS = [
    Variant("`cat`, for comparison", 1, None, None),
    Variant("raw, 1 instance", 1, "raw", LIMIT),
    Variant("text, 1 instance", 1, "text", LIMIT),
    Variant("text, 2 instances", 2, "text", LIMIT),
    Variant("json, 1 instance", 1, "json", None),
]


def measure(binary, options, report):
    rounds = 1 if options.quick else 5
    report.title(f"{TOTAL / 1e9:.2f} GB of log lines of 100 bytes, in writes of 60 kB")
    found = {variant.name: [] for variant in VARIANTS}
    for _ in range(rounds):
        for variant in VARIANTS:
            found[variant.name].append(carry(binary, variant))
    rows = []
    for variant in VARIANTS:
        cpu = statistics.median(cpu for cpu, _, _ in found[variant.name])
        least = min(cpu for cpu, _, _ in found[variant.name])
        took = statistics.median(took for _, took, _ in found[variant.name])
        size = found[variant.name][0][2]
        kept = report.judge(f"logs, {variant.name}", cpu, variant.limit, "s")
        rows.append(
            [variant.name, f"{cpu:.2f} s", f"{least:.2f} s", f"{took:.2f} s", f"{size / 1e9:.2f} GB", kept]
        )
    report.table([f"median of {rounds}", "CPU", "least", "took", "put out", "kept"], rows)


def carry(binary, variant):
    """CPU seconds, seconds on the clock, bytes put out."""
    begun = time.monotonic()
    with tempfile.NamedTemporaryFile() as said:
        if variant.log_format is None:
            writer = process.start([*LOGGER, str(TOTAL)], process.environment(), subprocess.PIPE, said)
            carrier = subprocess.Popen(["cat"], stdin=writer.stdout, stdout=subprocess.PIPE)
            writer.stdout.close()
            started = [writer, carrier]
        else:
            command = [binary, "-i", str(variant.instances), "--log-format", variant.log_format]
            logger = [*LOGGER, str(TOTAL // variant.instances)]
            carrier = process.start([*command, *logger], process.environment(), subprocess.PIPE, said)
            started = [carrier]
        reader = Reader(carrier.stdout)
        process.wait_for("written", variant.instances, said.name, carrier)
        took = time.monotonic() - begun
        # `cat` ends with its writer.
        started[0].terminate()
        cpu = cpu_until_end(carrier.pid)
        size = reader.finish()
        for one in started:
            one.wait(process.PATIENCE)
    if size < TOTAL:
        raise SystemExit(f"{variant.name}: {size} of {TOTAL} bytes arrived")
    return cpu, took, size


def cpu_until_end(pid):
    """User and system time of an ended process without its children: that of its zombie, before it is reaped."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / process.TICKS


class Reader(threading.Thread):
    """Reads all there is and counts it."""

    def __init__(self, pipe):
        super().__init__()
        self.pipe, self.size = pipe, 0
        self.start()

    def run(self):
        buffer = [bytearray(1 << 20)]
        while count := os.readv(self.pipe.fileno(), buffer):
            self.size += count

    def finish(self):
        self.join(process.PATIENCE)
        self.pipe.close()
        return self.size
