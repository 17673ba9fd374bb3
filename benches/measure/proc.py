"""What /proc tells of processes."""

import os
import re
from pathlib import Path


def children(pid):
    """Of all its threads, zombies included."""
    found = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in thread.read_text().split()]
        except FileNotFoundError:
            pass
    return found


def tree(pid):
    """The process and all that descends from it."""
    return [pid] + [below for child in children(pid) for below in tree(child)]


def state(pid):
    """Its letter: R, S, T, Z, and so on; nothing where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def zombies(pid):
    return sum(state(child) == "Z" for child in children(pid))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def kilobytes(pid, name):
    """By the kernel's name for it; `Pss` is the only one that is taken from `smaps_rollup`."""
    file = "smaps_rollup" if name == "Pss" else "status"
    text = Path(f"/proc/{pid}/{file}").read_text()
    return int(re.search(rf"^{name}:\s+(\d+) kB$", text, re.M)[1]) * 1.024


def ticks(pid):
    """CPU time used so far, by kernel and program, in ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])


def connections(pid):
    """The ports of those whose connections the process holds."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(os.readlink(link).removeprefix("socket:[").removesuffix("]"))
        except FileNotFoundError:
            pass
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes and fields[3] != LISTENS:
                found.add(int(fields[2].rpartition(":")[2], 16))
    return found


# The state's number in the kernel's include/net/tcp_states.h.
LISTENS = "0A"
