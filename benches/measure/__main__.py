"""Measures a pmr-runtime binary and prints tables in Markdown. Started by benches/run; see docs/benchmarks.md."""

import argparse
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import agent
import blocked
import crash
import evenness
import first_answer
import growth
import history
import idle
import kills
import logs
import machine
import managers
import peers
import restarts
import scaling
import slow_reader
import soak
import throughput
from report import Report


@dataclass
class Part:
    measure: callable
    # How long it takes, about, and with `--quick`.
    minutes: float
    quick: float


PARTS = {
    "idle": Part(idle.measure, 1.3, 0.5),
    "first-answer": Part(first_answer.measure, 2, 0.3),
    "agent": Part(agent.measure, 19, 2),
    "history": Part(history.measure, 11, 1.5),
    "logs": Part(logs.measure, 0.5, 0.2),
    "slow-reader": Part(slow_reader.measure, 0.2, 0.2),
    "peers": Part(peers.measure, 11, 2),
    "managers": Part(managers.measure, 2, 1),
    "throughput": Part(throughput.measure, 19, 2),
    "evenness": Part(evenness.measure, 6.5, 1.2),
    "blocked": Part(blocked.measure, 15, 5),
    "kills": Part(kills.measure, 3.5, 0.6),
    "crash": Part(crash.measure, 6, 1.5),
    "restarts": Part(restarts.measure, 1, 0.2),
    "growth": Part(growth.measure, 6, 1),
    "scaling": Part(scaling.measure, 14, 3.8),
    "soak": Part(soak.measure, 10, 1),
}


def main():
    # So that what was started is ended, and temporary files go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    options = words()
    chosen = {name: part for name, part in PARTS.items() if name in options.parts or not options.parts}
    announce(chosen, options)
    binary = str(options.binary.resolve())
    report = Report()
    machine.describe(binary, report)
    for part in chosen.values():
        part.measure(binary, options, report)
    return report.finish()


def words():
    parser = argparse.ArgumentParser(prog="benches/run", description="what pmr-runtime costs")
    parser.add_argument("binary", type=Path)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--full", action="store_true", help="slow-reader: a million lines of each worker")
    parser.add_argument("--minutes", type=float, help="soak, history: so long (default: 10)")
    parser.add_argument("--seed", type=int, help="soak: do what was done with this seed")
    options = parser.parse_intermixed_args()
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"`{unknown[0]}` is not one of {', '.join(PARTS)}")
    return options


def announce(chosen, options):
    """How long it will take."""
    minutes = sum(part.quick if options.quick else part.minutes for part in chosen.values())
    for name in chosen.keys() & {"soak", "history"} if options.minutes else ():
        minutes += options.minutes - (chosen[name].quick if options.quick else chosen[name].minutes)
    print(f"This takes about {minutes:.0f} minutes: {', '.join(chosen)}.", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
