"""A load at a steady rate of new connections, by benches/apps/load.c."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import process


@dataclass
class Failure:
    # Of the client.
    port: int
    why: str
    # Monotonic seconds.
    begun: float
    ended: float


@dataclass
class Late:
    port: int
    begun: float
    ended: float


@dataclass
class Found:
    sent: int
    answered: int
    # Milliseconds.
    p50: float
    p99: float
    longest: float
    # Longer than 200 ms.
    late: list
    failures: list


class Program:
    """The compiled program, in a directory of its own."""

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory()
        self.path = compiled("load", self.directory.name)
        return self

    def __exit__(self, *_):
        self.directory.cleanup()

    def start(self, port, rate, seconds, path="/"):
        command = [self.path, str(port), path, str(rate), str(seconds)]
        # A pipe that nobody reads before the end would hold it up once many requests have failed.
        said = tempfile.TemporaryFile("w+")
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said)
        running.said = said
        return running

    def run(self, port, rate, seconds, path="/"):
        return finish(self.start(port, rate, seconds, path))


def compiled(name, directory, *words):
    program = Path(directory) / name
    subprocess.run(["cc", "-O2", *words, "-o", program, process.APPS / f"{name}.c"], check=True)
    return str(program)


def finish(running):
    """What a started load has found, once it is over."""
    running.wait()
    running.said.seek(0)
    said = running.said.read()
    running.said.close()
    failures = [
        Failure(int(port), why, float(begun) / 1000, float(ended) / 1000)
        for port, why, begun, ended in re.findall(r"^failed (\d+) (\w+) ([\d.]+) ([\d.]+)$", said, re.M)
    ]
    late = [
        Late(int(port), float(begun) / 1000, float(ended) / 1000)
        for port, begun, ended in re.findall(r"^late (\d+) ([\d.]+) ([\d.]+)$", said, re.M)
    ]
    last = dict(re.findall(r"(\w+)=([\d.]+)", said.splitlines()[-1]))
    return Found(
        int(last["sent"]), int(last["answered"]), float(last["p50"]), float(last["p99"]), float(last["max"]),
        late, failures,
    )
