"""1, 10, 100 and 1,000 instances of a tiny server: do times and memory grow in step, and does idling stay free?

The runtime gets the usual soft limit of 1,024 descriptors, as it would from a shell or a container.
"""

import resource
import tempfile
import time

import control
import idle
import load
import proc
import process

SIZES = [1, 10, 100, 1000]
# Promised: kB for each instance; the time for each of 1,000 is at most so many times that for each of 100; wake-ups a second.
PER_INSTANCE, SUPERLINEAR, WAKE_UPS = 32, 2.0, 1.0
SOFT_LIMIT = 1024
VARIANTS = {"one queue": [], "a queue for each": ["blocking"]}
TIMES = ["start", "list", "reload", "stop"]


def measure(binary, options, report):
    rounds, watched = (1, 2) if options.quick else (3, 10)
    report.title("Growth: a static server of one thread, PSS of the supervisor")
    with tempfile.TemporaryDirectory() as directory:
        program = load.compiled("tiny", directory, "-static")
        for name, words in VARIANTS.items():
            found = {size: best(binary, [program, *words], size, rounds, watched) for size in SIZES}
            columns = ["instances", *TIMES, "memory", "descriptors", "wake-ups", "CPU in that time"]
            report.table([name, *columns[1:]], [row(size, found[size]) for size in SIZES])
            report.line("")
            judge(name, found, report)
            report.line("")


def best(binary, command, size, rounds, watched):
    """The least of each figure: others' load only adds."""
    seen = [grow(binary, command, size, watched) for _ in range(rounds)]
    return {key: min(one[key] for one in seen) for key in seen[0]}


def grow(binary, command, size, watched):
    with tempfile.TemporaryDirectory() as home, tempfile.NamedTemporaryFile() as said:
        begun = time.monotonic()
        variables = process.environment(PMR_HOME=home, PORT=process.free_port())
        runtime = process.start([binary, "-i", str(size), *command], variables, stderr=said, preexec_fn=limit)
        try:
            process.wait_for("worker ready", size, said.name, runtime)
            found = {"start": time.monotonic() - begun} | watch(runtime.pid, watched)
            asked = control.Control(home)
            asked.instances()  # The first one starts the thread that reads /proc.
            found["list"] = timed(lambda: len(asked.instances()) == size)
            found["reload"] = timed(lambda: asked.order("reload"))
        finally:
            begun = time.monotonic()
            process.stop(runtime)
        return found | {"stop": time.monotonic() - begun}


def limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT_LIMIT, hard))


def timed(act):
    begun = time.monotonic()
    if not act():
        raise SystemExit("an order was not carried out")
    return time.monotonic() - begun


def watch(pid, seconds):
    pids = idle.own_processes(pid)
    time.sleep(1)
    found = {"memory": sum(proc.kilobytes(one, "Pss") for one in pids), "descriptors": proc.descriptors(pid)}
    before, ticks = idle.switches(pids), sum(map(proc.ticks, pids))
    time.sleep(seconds)
    return found | {
        "wakes": (idle.switches(pids) - before) / seconds,
        "cpu": (sum(map(proc.ticks, pids)) - ticks) / process.TICKS,
    }


def row(size, found):
    times = [f"{found[key] * 1000:,.0f} ms" for key in TIMES]
    return [
        f"{size:,}", *times, f"{found['memory'] / 1000:.2f} MB", f"{found['descriptors']:,}",
        f"{found['wakes']:.1f} /s", f"{found['cpu'] * 1000:.0f} ms",
    ]


def judge(name, found, report):
    least, most = SIZES[0], SIZES[-1]
    memory = (found[most]["memory"] - found[least]["memory"]) / (most - least)
    rows = [["memory for each instance", f"{memory:.1f} kB", report.judge(f"growth, {name}: memory", memory, PER_INSTANCE, "kB")]]
    for key in TIMES:
        # Times of a hundred; below a tenth of a second, what is there but once counts more.
        before = max(found[100][key], 0.1) / 100
        times = found[most][key] / most / before
        rows.append([f"{key}: one of 1,000 / one of 100", f"{times:.2f}", report.judge(f"growth, {name}: {key}", times, SUPERLINEAR, "")])
    wakes = found[most]["wakes"]
    rows.append(["wake-ups with 1,000", f"{wakes:.1f} /s", report.judge(f"growth, {name}: wake-ups", wakes, WAKE_UPS, "/s")])
    report.table([name, "found", "kept"], rows)
