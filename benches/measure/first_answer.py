"""How much later the first HTTP answer comes than from the bare program.

Every round starts each variant once, one after the other, in an order that changes; what counts is the median of the
differences within a round. So a load that comes and goes meets all alike. Two instances are compared with two bare
programs started at once, since two that start together share the CPUs.
"""

import os
import random
import socket
import statistics
import sys
import time
from dataclasses import dataclass

import process

# Promised: milliseconds.
LIMIT = 3.0
# Between two attempts to connect. The same error for all, so it is not in the differences. More often would keep a CPU half busy: the
# bare program, which starts beside us, then waits longer for one than a worker, which the kernel places anew at its own start.
RETRY = 0.001

NODE = ["node", str(process.APPS / "hello.js")]
# By its real path: what is found first in PATH may be a script that looks for the right Python.
PYTHON = [os.path.realpath(sys.executable), str(process.APPS / "hello.py")]


@dataclass
class Variant:
    name: str
    command: list
    instances: int = 1
    # The runtime's options. None: no runtime, the bare program so many times, each on a port of its own.
    options: list | None = None
    compared_with: str | None = None
    limit: float | None = None


VARIANTS = [
    Variant("node", NODE),
    Variant("1 instance", NODE, 1, [], "node", LIMIT),
    Variant("1 instance, `--share intercept`", NODE, 1, ["--share", "intercept"], "node", LIMIT),
    Variant("1 instance, `--share none`", NODE, 1, ["--share", "none"], "node", LIMIT),
    Variant("two nodes at once", NODE, 2),
    Variant("2 instances", NODE, 2, [], "two nodes at once", LIMIT),
    Variant("2 instances, `--share intercept`", NODE, 2, ["--share", "intercept"], "two nodes at once", LIMIT),
    Variant("node's own cluster, 2 workers", ["node", str(process.APPS / "cluster.js")], 1, None, "two nodes at once"),
    Variant("python3", PYTHON),
    Variant("python3, 1 instance", PYTHON, 1, [], "python3", LIMIT),
    Variant("two python3 at once", PYTHON, 2),
    Variant("python3, 2 instances", PYTHON, 2, [], "two python3 at once", LIMIT),
]


def measure(binary, options, report):
    rounds = 11 if options.quick else 101
    report.title("First answer, from the start of the process")
    times = {variant.name: [] for variant in VARIANTS}
    for variant in VARIANTS:
        first_answer(binary, variant)  # Fills the caches.
    for _ in range(rounds):
        for variant in random.sample(VARIANTS, len(VARIANTS)):
            times[variant.name].append(first_answer(binary, variant))
    report.table(
        [f"{rounds} rounds", "median", "fastest", "later than bare: median", "quartiles", "of the fastest", "kept"],
        [row(variant, times, report) for variant in VARIANTS],
    )


def row(variant, times, report):
    found = times[variant.name]
    cells = [variant.name, f"{statistics.median(found):.1f} ms", f"{min(found):.1f} ms"]
    if variant.compared_with is None:
        return cells + ["", "", "", ""]
    bare = times[variant.compared_with]
    later = [with_us - without for with_us, without in zip(found, bare)]
    median = statistics.median(later)
    low, _, high = statistics.quantiles(later, n=4)
    kept = "" if variant.limit is None else report.judge(f"first answer, {variant.name}", median, variant.limit, "ms")
    return cells + [f"{median:+.1f} ms", f"{low:+.1f} … {high:+.1f}", f"{min(found) - min(bare):+.1f} ms", kept]


def first_answer(binary, variant):
    """Milliseconds until the first answer of any."""
    if variant.options is None:
        ports = [process.free_port() for _ in range(variant.instances)]
        starts = [(variant.command, process.environment(PORT=port)) for port in ports]
    else:
        ports = [process.free_port()]
        variables = process.environment(PORT=ports[0], WEB_CONCURRENCY=variant.instances)
        starts = [([binary, *variant.options, *variant.command], variables)]
    begun = time.perf_counter()
    running = [process.start(command, variables) for command, variables in starts]
    try:
        wait_for_answer(ports)
        return (time.perf_counter() - begun) * 1000
    finally:
        for one in running:
            process.stop(one)


def wait_for_answer(ports):
    deadline = time.monotonic() + process.PATIENCE
    while time.monotonic() < deadline:
        for port in ports:
            if answers(port):
                return
        time.sleep(RETRY)
    raise SystemExit(f"no answer on any of the ports {ports}")


def answers(port):
    with socket.socket() as connection:
        connection.settimeout(process.PATIENCE)
        try:
            connection.connect(("127.0.0.1", port))
        except ConnectionRefusedError:
            return False
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
        if b" 200 OK" not in answer:
            raise SystemExit(f"not the answer that was expected: {answer!r}")
        return True
