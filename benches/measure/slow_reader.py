"""Two workers that write lines faster than their reader takes them: is every line whole, and how much memory does it cost?"""

import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import process

# Promised: MB at the peak.
LIMIT = 16.0
WRITERS = 2
# For `--full`: longer than a million lines of 200 kB may take. What has come by then counts.
FULL_SECONDS = int(os.environ.get("PMR_BENCH_SECONDS", "3600"))


@dataclass
class Variant:
    name: str
    size: int
    # Lines of each worker.
    count: int
    full_count: int
    # The reader pauses after so many bytes.
    every: int


VARIANTS = [
    Variant("100 bytes", 100, 200_000, 1_000_000, 1 << 20),
    Variant("200 kB", 200_000, 5_000, 1_000_000, 64 << 20),
]


def measure(binary, options, report):
    report.title("Two workers and a reader that pauses 5 ms now and then")
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory) / "lines"
        subprocess.run(["cc", "-O2", "-o", program, process.APPS / "lines.c"], check=True)
        for variant in VARIANTS:
            rows.append(row(binary, str(program), variant, options.full, report))
    report.table(["lines of", "lines", "bytes", "took", "rate", "peak of the supervisor (VmHWM)", "kept", "whole"], rows)


def row(binary, program, variant, full, report):
    count = variant.full_count if full else variant.count
    lines, whole, took, peak = carry(binary, program, variant, count)
    if not whole or (lines < WRITERS * count and not full):
        report.broken.append(f"slow reader, {variant.name}: a line is torn or lost")
    kept = report.judge(f"slow reader, {variant.name}", peak, LIMIT, "MB")
    size = lines * variant.size / 1e9
    all_lines = f"{lines:,}" if lines >= WRITERS * count else f"{lines:,} of {WRITERS * count:,}"
    whole = "all" if whole else "**no**"
    return [variant.name, all_lines, f"{size:.2f} GB", f"{took:.1f} s", f"{size / took:.2f} GB/s", f"{peak:.1f} MB", kept, whole]


def carry(binary, program, variant, count):
    """Lines that came, whether all were whole, seconds, megabytes at the peak."""
    begun = time.monotonic()
    command = [binary, "-i", str(WRITERS), "--log-format", "raw", program, "write", str(count), str(variant.size)]
    runtime = process.start(command, process.environment(), subprocess.PIPE)
    words = [count, variant.size, variant.every, FULL_SECONDS]
    reader = subprocess.Popen(
        [program, "read", *map(str, words)], stdin=runtime.stdout, stdout=subprocess.PIPE, text=True
    )
    said = reader.stdout.read()
    took = time.monotonic() - begun
    peak = peak_memory(runtime.pid)
    # We still hold the pipe: closed, it would end the runtime before it could be asked.
    runtime.terminate()
    runtime.stdout.close()
    runtime.wait(process.PATIENCE)
    reader.wait(process.PATIENCE)
    lines, whole = re.fullmatch(r"lines=(\d+) whole=(yes|no)\n", said).groups()
    return int(lines), whole == "yes", took, peak


def peak_memory(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[1]) / 1000
