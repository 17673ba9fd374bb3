"""Ends workers by SIGKILL, and knows just whose connections each of them held.

A worker is stopped first, so that it can take no more while we look at what the kernel says that it holds: what is accepted,
and not closed again. That is what no runtime outside the connections' path can save.
"""

import contextlib
import os
import signal
import time
from dataclasses import dataclass

import proc

STOPPED = 0.05  # seconds; it takes some microseconds


@dataclass
class Death:
    # Monotonic seconds.
    at: float
    # The clients' ports.
    held: set


def kill(pid):
    """None where it has ended by itself meanwhile."""
    try:
        os.kill(pid, signal.SIGSTOP)
        until = time.monotonic() + STOPPED
        while proc.state(pid) != "T" and time.monotonic() < until:
            pass
        held = proc.connections(pid)
        death = Death(time.monotonic(), held)
        return death
    except (ProcessLookupError, FileNotFoundError, PermissionError):
        return None
    finally:
        # In any case: it must not stay stopped.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def explained(failure, deaths):
    """Whether the failed request's connection was held by a worker that was killed while it lasted. A port is used again."""
    return any(failure.port in death.held and failure.begun <= death.at <= failure.ended for death in deaths)
