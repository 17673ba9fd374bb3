"""Minutes of random kills, reloads, scales, stalls and floods of log lines under load.

Nothing may be lost but what a killed worker was answering, and the lines that it had not written yet. What happens is decided by a
seed, which is printed; `--seed` does the same again, as far as the machine goes along.
"""

import random
import statistics
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import control
import killing
import load
import peer
import proc

INSTANCES, MOST = 4, 8
RATE, PATH = 200, "/wait/10"
LINES = 20_000
# In seconds: between two things that are done, and between two looks at the memory.
PAUSE, LOOK = (0.05, 0.8), 2
OPTIONS = ["--restart-delay", "10ms", "--max-restarts", "1000000", "--log-format", "raw"]
# Promised: the last quarter's median over that of the second, in MB.
GROWTH = 0.5
ACTS = ["kill", "kill", "reload", "scale", "stall", "flood"]


def measure(binary, options, report):
    minutes = options.minutes or (1 if options.quick else 10)
    seed = options.seed or random.randrange(1 << 32)
    report.title(f"Soak: {minutes:g} minutes, {RATE} new connections a second, seed {seed}")
    with load.Program() as program:
        with peer.Running(binary, peer.OURS, INSTANCES, OPTIONS, subprocess.PIPE) as running:
            soak = Soak(running, seed)
            under_load = program.start(running.port, RATE, minutes * 60, PATH)
            soak.go_on_until(under_load)
            found = load.finish(under_load)
            soak.finish()
    tell(soak, found, report)


class Soak:
    def __init__(self, running, seed):
        self.running, self.random = running, random.Random(seed)
        self.control = control.Control(running.home)
        self.lines = Lines(running.stdout)
        self.deaths, self.counts, self.floods = [], Counter(), {}
        self.looks, self.size = [], INSTANCES
        # Orders take their time, and kills shall come in the middle of them.
        self.orders = ThreadPoolExecutor(1)
        self.clients = ThreadPoolExecutor(8)
        self.order = None

    def go_on_until(self, under_load):
        next_look = 0
        while under_load.poll() is None:
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + LOOK
                self.looks.append(proc.kilobytes(self.running.pid, "RssAnon") / 1000)
            getattr(self, self.random.choice(ACTS))()
            time.sleep(self.random.uniform(*PAUSE))

    def kill(self):
        living = self.running.living_workers()
        death = killing.kill(self.random.choice(living)) if living else None
        if death:
            self.deaths.append(death)
            self.counts["killed"] += 1

    def reload(self):
        self.do("reload", {"parallel": self.random.choice(["1", "2", "100%"])})

    def scale(self):
        self.do("scale", {"to": str(self.random.randint(1, MOST))})

    def do(self, what, body):
        """Unless another one is under way."""
        if self.order is None or self.order.done():
            self.order = self.orders.submit(self.note, what, body)

    def note(self, what, body):
        # What a kill has crossed may be called off, which is no loss.
        done = self.control.order(what, body)
        self.counts[f"{what}, done" if done else f"{what}, called off"] += 1

    def stall(self):
        self.counts["stalled"] += 1
        self.clients.submit(self.ask, f"/block/{self.random.randint(20, 500)}")

    def flood(self):
        number = len(self.floods)
        self.floods[number] = self.clients.submit(self.ask, f"/flood/{number}/{LINES}")

    def ask(self, path):
        try:
            return self.running.ask(path)
        except OSError:
            return None

    def finish(self):
        self.clients.shutdown()
        self.orders.shutdown()
        self.control.order("scale", {"to": str(INSTANCES)})
        # A worker of Node writes to a pipe at once, so what was answered is in it; the rest is the runtime's.
        deadline = time.monotonic() + 30
        while self.missing_lines() and time.monotonic() < deadline:
            time.sleep(0.1)
        self.zombies = proc.zombies(self.running.pid)
        self.descriptors = proc.descriptors(self.running.pid)

    def missing_lines(self):
        answered = [number for number, flood in self.floods.items() if flood.result() is not None]
        return sum(LINES - self.lines.counts[number] for number in answered)


class Lines(threading.Thread):
    """Reads the runtime's output and sees whether the lines of each flood come in their order."""

    def __init__(self, pipe):
        super().__init__(daemon=True)
        self.pipe, self.counts, self.torn = pipe, Counter(), 0
        self.start()

    def run(self):
        for line in self.pipe:
            at = line.find(b"flood ")
            words = line[at:].split()
            if at < 0 or len(words) != 3:
                self.torn += b"flo" in line
                continue
            number, count = int(words[1]), int(words[2])
            self.counts[number] += 1
            self.torn += count != self.counts[number]


def tell(soak, found, report):
    others = [failure for failure in found.failures if not killing.explained(failure, soak.deaths)]
    quarter = max(1, len(soak.looks) // 4)
    growth = statistics.median(soak.looks[-quarter:]) - statistics.median(soak.looks[quarter : 2 * quarter])
    floods = sum(flood.result() is not None for flood in soak.floods.values())
    done = ", ".join(f"{name} {count}" for name, count in sorted(soak.counts.items()))
    report.table(
        ["what", "found", "kept"],
        [
            ["done", done, ""],
            ["requests", f"{found.sent:,}; p99 {found.p99:.0f} ms, longest {found.longest:.0f} ms", ""],
            ["being answered by killed workers", f"{sum(len(death.held) for death in soak.deaths):,}", ""],
            ["failed", f"{len(found.failures):,}", ""],
            ["of them others", f"{len(others):,}", report.judge("soak: requests lost that no killed worker was answering", len(others), 0, "")],
            [f"floods of {LINES:,} lines that were answered", f"{floods:,} of {len(soak.floods):,}", ""],
            ["lines of them lost", f"{soak.missing_lines():,}", report.judge("soak: lines lost", soak.missing_lines(), 0, "")],
            ["lines torn or out of order", f"{soak.lines.torn:,}", report.judge("soak: lines torn", soak.lines.torn, 0, "")],
            ["memory of the supervisor (RssAnon), greatest", f"{max(soak.looks):.2f} MB", ""],
            ["memory, last quarter over the second", f"{growth:+.2f} MB", report.judge("soak: memory", growth, GROWTH, "MB")],
            ["zombies at the end", f"{soak.zombies}", report.judge("soak: zombies", soak.zombies, 0, "")],
            ["descriptors at the end", f"{soak.descriptors}", ""],
        ],
    )
