"""Starts and stops what is measured, in an environment without surprises."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

APPS = Path(__file__).parents[1] / "apps"
# Of the CPU times in /proc, a second.
TICKS = os.sysconf("SC_CLK_TCK")
# Longer than anything here takes on the slowest machine.
PATIENCE = 120


def environment(**variables):
    """PATH and HOME, and nothing else that could set the runtime, node or Python to another way."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {name: str(value) for name, value in variables.items()}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command, variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=None):
    return subprocess.Popen(
        command, env=variables, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, preexec_fn=preexec_fn
    )


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE)


def wait_for(text, count, file, process):
    """Waits until `text` stands in `file`, where `process` writes, `count` times."""
    deadline = time.monotonic() + PATIENCE
    while (said := Path(file).read_text(errors="replace")).count(text) < count:
        if time.monotonic() > deadline or process.poll() is not None:
            raise SystemExit(f"waited in vain for {count} times `{text}`; it said:\n{said}")
        time.sleep(0.01)
