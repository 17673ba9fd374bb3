"""What others who keep servers running cost, beside us: memory, wake-ups when idle, time until the first answer."""

import random
import statistics
import time

import idle
import peer
import proc

TWO = [
    peer.BARE, peer.REUSEPORT, peer.OURS, peer.ROUND_ROBIN, peer.SHARED, peer.PM2_RUNTIME,
    peer.OWN_GUNICORN, peer.OUR_GUNICORN, peer.OWN_UVICORN, peer.OUR_UVICORN, peer.TINI, peer.OURS_ONE, peer.OURS_INIT,
]
INSTANCES = 2


def measure(binary, options, report):
    rounds, watched = (2, 2) if options.quick else (11, 10)
    report.title("Peers: memory, wake-ups and first answer, two workers")
    found = {one.name: [] for one in TWO}
    for number in range(rounds):
        for one in random.sample(TWO, len(TWO)):
            # To watch takes long, and is exact.
            found[one.name].append(watch(binary, one, watched if number < 3 else 0))
    report.table(
        [f"median of {rounds}", "supervisor's memory (PSS)", "processes", "wake-ups", "those of the workers", "first answer", "fastest"],
        [row(one.name, found[one.name]) for one in TWO],
    )


def row(name, found):
    seen = [one for one in found if one["watched"]]
    median = lambda key, among: statistics.median(one[key] for one in among)
    return [
        name, f"{median('memory', seen):.1f} MB", f"{median('processes', seen):.0f}",
        f"{median('wakes', seen):.1f} /s", f"{median('workers', seen):.1f} /s",
        f"{median('first', found):.0f} ms", f"{min(one['first'] for one in found):.0f} ms",
    ]


def watch(binary, one, seconds):
    with peer.Running(binary, one, INSTANCES) as running:
        found = {"first": running.first_answer, "watched": bool(seconds)}
        if not seconds:
            return found
        supervisors = running.supervisors()
        workers = [pid for process in running.processes for pid in proc.tree(process.pid) if pid not in supervisors]
        time.sleep(1)
        before = idle.switches(supervisors), idle.switches(workers)
        time.sleep(seconds)
        after = idle.switches(supervisors), idle.switches(workers)
        return found | {
            "memory": sum(proc.kilobytes(pid, "Pss") for pid in supervisors) / 1000,
            "processes": len(supervisors),
            "wakes": (after[0] - before[0]) / seconds,
            "workers": (after[1] - before[1]) / seconds,
        }
