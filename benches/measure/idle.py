"""The supervisor with two idle workers: its memory, and how often it wakes up.

Where it has a guard (see src/sys/guard.rs), that one counts too: all figures but the resident memory, which is given for
each, are sums over both. Most of what is resident in the guard are pages of the executable, which it shares with the
supervisor; PSS counts each page once, so it is what both take together.
"""

import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import process

# Promised: megabytes resident, wake-ups a second.
MEMORY, WAKE_UPS = 5.0, 1.0
WATCHED = 10  # seconds

SERVER = ["node", str(process.APPS / "hello.js")]
VARIANTS = {
    "`node hello.js`": SERVER,
    "`sh -c \"node hello.js; true\"`": ["sh", "-c", f"{' '.join(SERVER)}; true"],
}
KEPT = {"VmRSS": (MEMORY, "MB"), "Pss": (MEMORY, "MB"), "wakes": (WAKE_UPS, "/s")}

# What is shown, in which row, with which unit.
ROWS = [
    ("resident memory of the supervisor (VmRSS)", "VmRSS", " MB"),
    ("– within the promise", "kept VmRSS", ""),
    ("resident memory of the guard (VmRSS)", "guard", " MB"),
    ("all of ours, shared pages counted once (PSS)", "Pss", " MB"),
    ("– within the promise", "kept Pss", ""),
    ("not backed by the executable (RssAnon)", "RssAnon", " MB"),
    ("processes of ours", "processes", ""),
    ("threads", "threads", ""),
    ("wake-ups of all threads", "wakes", " /s"),
    ("– within the promise", "kept wakes", ""),
    ("system calls (strace)", "calls", " /s"),
]


def measure(binary, options, report):
    report.title("Idle, two workers")
    rounds = 1 if options.quick else 3
    columns, rows = [], []
    for name, command in VARIANTS.items():
        watched = [watch(binary, command) for _ in range(rounds)]
        found = {key: statistics.median(one[key] for one in watched) for key in watched[0]}
        if shutil.which("strace"):
            found["calls"] = traced(binary, command)
        columns.append(found)
        for key, (limit, unit) in KEPT.items():
            found[f"kept {key}"] = report.judge(f"idle, {name}: {key}", found[key], limit, unit)
    for what, key, unit in ROWS:
        if key in columns[0]:
            rows.append([what] + [shown(found[key]) + unit for found in columns])
    report.table([f"median of {rounds}", *VARIANTS], rows)


def shown(value):
    return value if isinstance(value, str) else f"{value:.3g}"


def watch(binary, command):
    with running(binary, command) as pids:
        before = switches(pids)
        time.sleep(WATCHED)
        wakes = (switches(pids) - before) / WATCHED
        threads = sum(len(os.listdir(f"/proc/{pid}/task")) for pid in pids)
        return memory(pids) | {"wakes": wakes, "threads": threads, "processes": len(pids)}


class running:
    """A runtime with two workers that are ready. Gives the pids of our own processes."""

    def __init__(self, binary, command):
        self.said = tempfile.NamedTemporaryFile()
        variables = process.environment(PORT=process.free_port(), WEB_CONCURRENCY=2)
        self.runtime = process.start([binary, *command], variables, stderr=self.said)

    def __enter__(self):
        process.wait_for("worker ready", 2, self.said.name, self.runtime)
        time.sleep(1)
        return own_processes(self.runtime.pid)

    def __exit__(self, *_):
        process.stop(self.runtime)
        self.said.close()


def own_processes(pid):
    """The supervisor and those of its children that run the same executable."""
    ours = os.readlink(f"/proc/{pid}/exe")
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [pid] + [child for child in children.read().split() if os.readlink(f"/proc/{child}/exe") == ours]


def memory(pids):
    """Megabytes (10^6 bytes) by the kernel's names; `guard` is the VmRSS of all but the first."""
    found = [memory_of(pid) for pid in pids]
    total = {name: sum(one[name] for one in found) for name in found[0]}
    return total | {"VmRSS": found[0]["VmRSS"], "guard": sum(one["VmRSS"] for one in found[1:])}


def memory_of(pid):
    text = Path(f"/proc/{pid}/status").read_text() + Path(f"/proc/{pid}/smaps_rollup").read_text()
    kilobytes = lambda name: int(re.search(rf"^{name}:\s+(\d+) kB$", text, re.M)[1])
    return {name: kilobytes(name) * 1024 / 1e6 for name in ["VmRSS", "RssAnon", "Pss"]}


def switches(pids):
    """Context switches of all threads so far; each is one wake-up, or a time slice used up."""
    total = 0
    for pid in pids:
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            total += sum(int(count) for count in re.findall(r"ctxt_switches:\s+(\d+)", status.read_text()))
    return total


def traced(binary, command):
    """System calls a second. Those that were being waited in when strace came do not count."""
    with running(binary, command) as pids, tempfile.NamedTemporaryFile() as trace:
        strace = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", trace.name, "-p", ",".join(map(str, pids))],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        time.sleep(0.5)
        already = len(open(trace.name).readlines())
        time.sleep(WATCHED)
        calls = len(open(trace.name).readlines()) - already
        process.stop(strace)
        return calls / WATCHED
