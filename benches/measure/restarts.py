"""Ten thousand restarts of a program that ends at once: do memory, descriptors and zombies stay as they are?"""

import tempfile
import time

import control
import load
import proc
import process

INSTANCES = 4
DELAY = ["--restart-delay", "1ms", "--max-restarts", "1000000"]
# Promised: what is not backed by the executable may grow by so much after the first tenth, in MB; and no descriptor stays.
GROWTH = 0.25
# Those of a worker that is starting come and go.
PER_WORKER = 4


def measure(binary, options, report):
    count = 1_000 if options.quick else 10_000
    report.title(f"{count:,} restarts of a program that ends at once, {INSTANCES} instances, 1 ms apart")
    with tempfile.TemporaryDirectory() as directory:
        program = load.compiled("tiny", directory, "-static")
        command = [binary, "-i", str(INSTANCES), *DELAY, program, "end"]
        runtime = process.start(command, process.environment(PMR_HOME=directory))
        try:
            seen = watch(runtime.pid, control.Control(directory), count)
        finally:
            process.stop(runtime)
    report.table(["restarts", "took", "each", "CPU of the supervisor, each", "RssAnon", "descriptors", "zombies"], [row(*pair) for pair in zip(seen, seen[1:])])
    judge(seen, report)


def watch(pid, asked, count):
    """What there is at each tenth."""
    deadline = time.monotonic() + process.PATIENCE
    while not ready(asked) and time.monotonic() < deadline:
        time.sleep(0.01)
    seen = [look(pid, asked)]
    while seen[-1]["restarts"] < count:
        time.sleep(0.02)
        now = look(pid, asked)
        if now["restarts"] >= len(seen) * count / 10:
            seen.append(now)
    return seen


def ready(asked):
    try:
        return asked.instances()
    except OSError:
        return False


def look(pid, asked):
    restarts = sum(instance["restarts"] for instance in asked.instances())
    return {
        "restarts": restarts, "at": time.monotonic(), "ticks": proc.ticks(pid), "memory": proc.kilobytes(pid, "RssAnon") / 1000,
        "descriptors": proc.descriptors(pid), "zombies": proc.zombies(pid),
    }


def row(before, now):
    count = now["restarts"] - before["restarts"]
    took = now["at"] - before["at"]
    cpu = (now["ticks"] - before["ticks"]) / process.TICKS
    return [
        f"{now['restarts']:,}", f"{took:.1f} s", f"{took / count * 1000:.2f} ms", f"{cpu / count * 1000:.2f} ms",
        f"{now['memory']:.2f} MB", f"{now['descriptors']}", f"{now['zombies']}",
    ]


def judge(seen, report):
    first, last = seen[1], seen[-1]
    judged = [
        ("memory", last["memory"] - first["memory"], GROWTH, "MB"),
        ("descriptors", last["descriptors"] - first["descriptors"], INSTANCES * PER_WORKER, ""),
        # One may have ended this moment.
        ("zombies", last["zombies"], INSTANCES, ""),
    ]
    report.line("")
    rows = [[what, f"{found:+.2f}", report.judge(f"restarts: {what}", found, limit, unit)] for what, found, limit, unit in judged]
    report.table(["from the first tenth to the last", "more", "kept"], rows)
