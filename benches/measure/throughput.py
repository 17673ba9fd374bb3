"""Requests a second over kept connections, and connections a second, as ratios to others in the same round. Uses wrk."""

import random
import re
import statistics
import subprocess

import peer

# Promised: at least so many times the other's.
TO_PM2, TO_BARE, KEPT_TO_BARE = 1.6, 0.97, 0.98
INSTANCES = 2
CONNECTIONS = 64

NODE = [peer.BARE, peer.REUSEPORT, peer.OURS, peer.ROUND_ROBIN, peer.SHARED, peer.PM2_RUNTIME]
PYTHON = [peer.OWN_GUNICORN, peer.OUR_GUNICORN, peer.OWN_UVICORN, peer.OUR_UVICORN]
# Ours, the other, what is compared, the promise.
RATIOS = [
    (peer.OURS, peer.PM2_RUNTIME, "connections", TO_PM2),
    (peer.OURS, peer.REUSEPORT, "connections", TO_BARE),
    (peer.OURS, peer.REUSEPORT, "kept", KEPT_TO_BARE),
    (peer.OURS, peer.PM2_RUNTIME, "kept", None),
    (peer.OURS, peer.ROUND_ROBIN, "connections", None),
    (peer.OURS, peer.ROUND_ROBIN, "kept", None),
    (peer.OURS, peer.SHARED, "connections", None),
    (peer.OURS, peer.SHARED, "kept", None),
    (peer.OUR_GUNICORN, peer.OWN_GUNICORN, "connections", None),
    (peer.OUR_UVICORN, peer.OWN_UVICORN, "connections", None),
    (peer.OUR_UVICORN, peer.OWN_UVICORN, "kept", None),
]
WORDS = {"connections": "connections a second", "kept": "requests a second, kept alive"}


def measure(binary, options, report):
    rounds, seconds = (2, 1) if options.quick else (11, 4)
    report.title(f"Throughput, two workers, {CONNECTIONS} clients at once (wrk)")
    everyone = NODE + PYTHON
    found = {one.name: [] for one in everyone}
    for _ in range(rounds):
        for one in random.sample(everyone, len(everyone)):
            found[one.name].append(load(binary, one, seconds))
    rows = []
    for one in everyone:
        median = lambda what: statistics.median(each[what] for each in found[one.name])
        rows.append([one.name, f"{median('kept'):,.0f} /s", f"{median('connections'):,.0f} /s", f"{median('errors'):.0f}"])
    report.table([f"median of {rounds}", WORDS["kept"], WORDS["connections"], "errors"], rows)
    report.line("")
    report.table(["in the same round", "median", "quartiles", "kept"], [row(*ratio, found, report) for ratio in RATIOS])


def row(ours, other, what, least, found, report):
    ratios = [a[what] / b[what] for a, b in zip(found[ours.name], found[other.name])]
    median = statistics.median(ratios)
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
    name = f"{WORDS[what]}: {ours.name} / {other.name}"
    return [name, f"{median:.2f}", f"{low:.2f} … {high:.2f}", report.judge_least(name, median, least, "")]


def load(binary, one, seconds):
    with peer.Running(binary, one, INSTANCES) as running:
        running.workers()
        wrk(running.port, 1)  # Compiles what is hot.
        kept, errors = wrk(running.port, seconds)
        connections, more = wrk(running.port, seconds, "-H", "Connection: close")
        return {"kept": kept, "connections": connections, "errors": errors + more}


def wrk(port, seconds, *words):
    """Answers a second, and errors."""
    command = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{seconds}s", *words, f"http://127.0.0.1:{port}/"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    errors = sum(int(count) for line in re.findall(r"Socket errors: (.*)", said) for count in re.findall(r"\d+", line))
    errors += sum(int(count) for count in re.findall(r"Non-2xx or 3xx responses: (\d+)", said))
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]), errors
