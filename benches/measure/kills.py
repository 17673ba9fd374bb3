"""A worker is killed every 200 ms under load: which requests fail?"""

import random
import time
from collections import Counter

import killing
import load
import peer
import process

INSTANCES = 4
EVERY = 0.2
# New connections a second; each is answered after some milliseconds, so that there is something to lose.
RATE, PATH = 400, "/wait/20"
# Lives are short here by intent.
OPTIONS = ["--restart-delay", "10ms", "--max-restarts", "1000000"]


PM2 = peer.Peer("pm2-runtime", lambda binary, instances: [peer.NODE, peer.PM2, str(process.APPS / "ecosystem.config.js")])

VARIANTS = [
    (peer.OURS, OPTIONS, True),
    (peer.OUR_UVICORN, OPTIONS, False),
    (PM2, [], False),
]


def measure(binary, options, report):
    seconds = 6 if options.quick else 60
    report.title(f"kill -9 of a worker every {EVERY * 1000:.0f} ms for {seconds} s, {RATE} new connections a second, four workers")
    columns = ["kills", "requests", "being answered by the killed", "failed", "of them others", "refused", "timed out", "longest", "kept"]
    with load.Program() as program:
        rows = (row(binary, program, *variant, seconds, report) for variant in VARIANTS)
        report.table(["server", *columns], rows)


def row(binary, program, one, words, promised, seconds, report):
    with peer.Running(binary, one, INSTANCES, words) as running:
        running.workers()
        # Node does not answer from the first moment as fast as later.
        program.run(running.port, RATE, 2, PATH)
        running_load = program.start(running.port, RATE, seconds, PATH)
        deaths = kill_on(running, seconds)
        found = load.finish(running_load)
    others = [failure for failure in found.failures if not killing.explained(failure, deaths)]
    because = Counter(failure.why for failure in found.failures)
    kept = report.judge(f"kills, {one.name}: requests lost that no killed worker was answering", len(others), 0 if promised else None, "")
    return [
        one.name, f"{len(deaths)}", f"{found.sent:,}", f"{sum(len(death.held) for death in deaths):,}",
        f"{len(found.failures):,}", f"{len(others):,}", f"{because['refused']:,}", f"{because['timeout']:,}", f"{found.longest:.0f} ms", kept,
    ]


def kill_on(running, seconds):
    deaths, begun = [], time.monotonic()
    next_one = begun + EVERY
    while next_one < begun + seconds - EVERY:
        time.sleep(max(0, next_one - time.monotonic()))
        next_one += EVERY
        workers = running.living_workers()
        death = killing.kill(random.choice(workers)) if workers else None
        if death:
            deaths.append(death)
    return deaths
