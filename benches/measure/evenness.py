"""How evenly connections that are kept open are spread over four workers: the fullest one's share of the mean."""

import random
import statistics
import time
from collections import Counter

import peer

INSTANCES = 4
# Promised: the most that the fullest worker may hold, in means.
FEW, MANY = 1.0, 1.1
EVEN, EVEN_UVICORN = peer.OURS.with_words("--balance", "even"), peer.OUR_UVICORN.with_words("--balance", "even")
VARIANTS = [
    EVEN, peer.OURS, peer.REUSEPORT, peer.ROUND_ROBIN, peer.SHARED, peer.PM2_RUNTIME,
    EVEN_UVICORN, peer.OUR_UVICORN, peer.OWN_UVICORN,
]
PROMISED = [EVEN, EVEN_UVICORN]
# Between two connections of the few, and two changes among the many, in seconds.
PAUSE, CHURN_PAUSE, CHURN, REST = 0.005, 0.004, 1.0, 0.5


def measure(binary, options, report):
    rounds = 3 if options.quick else 21
    report.title("Evenness over four workers: connections of the fullest one, in means")
    columns = ["8 opened 5 ms apart: median", "worst", "kept", "128 at once, after 1 s of churn: median", "worst", "kept"]
    report.table([f"{rounds} rounds", *columns], (row(binary, one, rounds, report) for one in VARIANTS))


def row(binary, one, rounds, report):
    few, many = spread(binary, one, rounds)
    cells = [one.name]
    for what, found, limit in [("8", few, FEW), ("128", many, MANY)]:
        median, limit = statistics.median(found), limit if one in PROMISED else None
        kept = report.judge(f"evenness, {what} connections, {one.name}", median, limit, "")
        cells += [f"{median:.2f}", f"{max(found):.2f}", kept]
    return cells


def spread(binary, one, rounds):
    few, many = [], []
    with peer.Running(binary, one, INSTANCES) as running:
        running.workers()
        for _ in range(rounds):
            few.append(fullest(open_few(running)))
            many.append(fullest(open_many(running)))
    return few, many


def fullest(held):
    """Takes pairs of a client and its worker, and closes them."""
    counts = Counter(worker for _, worker in held)
    for client, _ in held:
        client.close()
    # They are gone for the server, too, when the next ones come, and it has rested as between one crowd and the next.
    time.sleep(REST)
    return max(counts.values()) / (len(held) / INSTANCES)


def open_few(running):
    held = []
    for _ in range(8):
        held.append(opened(running))
        time.sleep(PAUSE)
    return held


def open_many(running):
    clients = [running.connect() for _ in range(128)]
    for client in clients:
        client.send("/")
    held = [(client, client.receive()) for client in clients]
    end = time.monotonic() + CHURN
    while time.monotonic() < end:
        place = random.randrange(len(held))
        held[place][0].close()
        held[place] = opened(running)
        time.sleep(CHURN_PAUSE)
    return held


def opened(running):
    client = running.connect()
    return client, client.ask()
