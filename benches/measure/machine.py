"""The machine that is measured on, and how busy others keep it."""

import os
import platform
import subprocess


def describe(binary, report):
    report.title("Machine and binary")
    cpus = len(os.sched_getaffinity(0))
    busy = os.getloadavg()[0]
    report.table(
        ["what", "value"],
        [
            ["CPU", f"{cpu_model()}, {cpus} cores"],
            ["kernel", f"{platform.system()} {platform.release()}, {platform.machine()}"],
            ["node, python", f"{version('node')}, {platform.python_version()}"],
            ["load average at the start", f"{busy:.1f}" + (" (**not quiet**)" if busy > cpus / 2 else "")],
            ["binary", f"{version(binary)}, {os.path.getsize(binary) / 1e6:.2f} MB"],
        ],
    )


def cpu_model():
    with open("/proc/cpuinfo") as lines:
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"


def version(program):
    return subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.strip()
