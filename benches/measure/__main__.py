"""Measures a pmr-runtime binary and prints tables in Markdown. Started by benches/run; see docs/benchmarks.md."""

import argparse
import sys
from pathlib import Path

import first_answer
import idle
import logs
import machine
import slow_reader
from report import Report

PARTS = {
    "idle": idle.measure,
    "first-answer": first_answer.measure,
    "logs": logs.measure,
    "slow-reader": slow_reader.measure,
}


def main():
    parser = argparse.ArgumentParser(prog="benches/run", description="what pmr-runtime costs")
    parser.add_argument("binary", type=Path)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--full", action="store_true", help="slow-reader: a million lines of each worker")
    options = parser.parse_intermixed_args()
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"`{unknown[0]}` is not one of {', '.join(PARTS)}")

    binary = str(options.binary.resolve())
    report = Report()
    machine.describe(binary, report)
    for name, measure in PARTS.items():
        if name in options.parts or not options.parts:
            measure(binary, options, report)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
