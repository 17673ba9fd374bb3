"""The supervisor's memory with eight Node workers and a history of their figures, with the web server and without it, beside one
that keeps none. All workers are asked all the time, so that their figures change; the web server is asked for what a dashboard
and Prometheus ask for.

What a history takes does not depend on the hours alone: after the first, only one point a minute is added. With `--minutes 1440` it
is a full day, in fact.
"""

import contextlib
import random
import statistics
import tempfile
import threading
import time
import urllib.request

import idle
import process

# Promised: megabytes resident.
WITH_WEB, WITHOUT_WEB = 12.0, 5.0
WORKERS = 8
# Seconds between two looks at the memory, and between two looks of who watches.
LOOK_S, WATCH_S = 2.5, 15
SERVER = ["node", str(process.APPS / "hello.js")]
WATCHED = ["/", "/metrics", "/v1/apps", "/v1/history"]

WEB, HISTORY, NOTHING = "history and web server", "history, no web server", "neither"
LIMITS = {WEB: WITH_WEB, HISTORY: WITHOUT_WEB, NOTHING: WITHOUT_WEB}


def measure(binary, options, report):
    minutes = options.minutes or (1 if options.quick else 10)
    report.title(f"Memory of the supervisor, {WORKERS} Node workers, after {minutes:g} minutes")
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(Eight(binary, name)) for name in LIMITS}
        found = {name: [] for name in LIMITS}
        with asking(running):
            # The start is not what is measured.
            time.sleep(min(60, minutes * 30))
            deadline = time.monotonic() + minutes * 60
            while time.monotonic() < deadline:
                # At no time that keeps step with what the runtime does each second.
                time.sleep(LOOK_S * random.uniform(0.8, 1.2))
                for name, one in running.items():
                    found[name].append(idle.memory([one.runtime.pid]))
    report.table(
        ["", "resident (VmRSS), median", "most", "at the end", "of it not backed by the executable", "kept"],
        [row(name, looks, report) for name, looks in found.items()],
    )


def row(name, looks, report):
    resident = [look["VmRSS"] for look in looks]
    kept = report.judge(f"memory, {name}", statistics.median(resident), LIMITS[name], "MB")
    last = looks[-1]
    return [name, *(f"{value:.2f} MB" for value in (statistics.median(resident), max(resident), last["VmRSS"], last["RssAnon"])), kept]


class Eight:
    """A runtime with eight workers, all of them ready."""

    def __init__(self, binary, name):
        self.port, self.web = process.free_port(), process.free_port() if name == WEB else None
        words = {WEB: ["--web", f"127.0.0.1:{self.web}"], HISTORY: ["--history"], NOTHING: []}[name]
        self.home, self.said = tempfile.TemporaryDirectory(), tempfile.NamedTemporaryFile()
        variables = process.environment(PORT=self.port, WEB_CONCURRENCY=WORKERS, PMR_HOME=self.home.name)
        self.runtime = process.start([binary, *words, *SERVER], variables, stderr=self.said)

    def __enter__(self):
        process.wait_for("worker ready", WORKERS, self.said.name, self.runtime)
        return self

    def __exit__(self, *_):
        process.stop(self.runtime)
        self.said.close()
        self.home.cleanup()


@contextlib.contextmanager
def asking(running):
    ended = threading.Event()
    web = next(one.web for one in running.values() if one.web)

    def ask():
        watched = 0
        while not ended.wait(random.uniform(0.05, 0.3)):
            for one in running.values():
                get(one.port, "/")
            if time.monotonic() > watched + WATCH_S:
                watched = time.monotonic()
                for path in WATCHED:
                    get(web, path)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=process.PATIENCE) as answer:
        answer.read()
