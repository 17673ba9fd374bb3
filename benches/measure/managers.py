"""What package managers take beside each worker: `npm start` and its like with `--no-resolve`, and resolved by us."""

import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import peer
import proc
import process

INSTANCES = 2
YARN, PNPM, BUN = peer.TOOLS / "yarn/bin/yarn", peer.TOOLS / "pnpm/bin/pnpm.cjs", peer.TOOLS / "bun/bun"
COMMANDS = {
    "npm start": ["npm", "start"],
    "yarn start": [str(YARN), "start"],
    "pnpm start": ["pnpm", "start"],
    "bun run start": [str(BUN), "run", "start"],
}


def measure(binary, options, report):
    rounds = 3 if options.quick else 7
    report.title("What a package manager takes beside each worker")
    with tempfile.TemporaryDirectory(prefix="pmr-bench-") as directory:
        package = {"name": "bench", "private": True, "scripts": {"start": f"node {process.APPS / 'who.js'}"}}
        Path(directory, "package.json").write_text(json.dumps(package))
        # A program of this name, for that is how it is known.
        Path(directory, "pnpm").symlink_to(PNPM)
        rows = [row(name, binary, command, directory, rounds) for name, command in COMMANDS.items()]
    columns = ["a worker and all beside it (PSS)", "`--no-resolve`", "processes", "resolved", "processes", "saved", "sooner ready"]
    report.table(columns, rows)


def row(name, binary, command, directory, rounds):
    literal, direct = [], []
    for _ in range(rounds):
        literal.append(watch(binary, ["--no-resolve", *command], directory))
        direct.append(watch(binary, command, directory))
    median = lambda key, among: statistics.median(one[key] for one in among)
    before, after = median("memory", literal), median("memory", direct)
    sooner = median("ready", literal) - median("ready", direct)
    return [
        f"`{name}`", f"{before:.1f} MB", f"{median('processes', literal):.0f}", f"{after:.1f} MB",
        f"{median('processes', direct):.0f}", f"{before - after:.1f} MB", f"{sooner:.0f} ms",
    ]


def watch(binary, words, directory):
    path = os.pathsep.join([str(Path(peer.NODE).parent), directory, os.environ["PATH"]])
    variables = process.environment(PORT=process.free_port(), PMR_HOME=f"{directory}/home") | {"PATH": path}
    with tempfile.NamedTemporaryFile("w+") as said:
        begun = time.perf_counter()
        command = [binary, "-i", str(INSTANCES), "--cwd", directory, *words]
        runtime = process.start(command, variables, stderr=said)
        try:
            process.wait_for("worker ready", INSTANCES, said.name, runtime)
            ready = (time.perf_counter() - begun) * 1000
            time.sleep(1)
            guards = [pid for pid in proc.children(runtime.pid) if is_guard(pid)]
            all_of_them = [pid for pid in proc.tree(runtime.pid)[1:] if pid not in guards]
            memory = sum(proc.kilobytes(pid, "Pss") for pid in all_of_them) / 1000
            return {"memory": memory / INSTANCES, "processes": len(all_of_them) / INSTANCES, "ready": ready}
        finally:
            process.stop(runtime)


def is_guard(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"pmr-guard")
