"""What the runtime is compared with, and how each of them is started, with the same server."""

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import proc
import process

TOOLS = Path(os.environ.get("PMR_TEST_TOOLS", ".work/tools")).resolve()
# The newest: only that one can listen with SO_REUSEPORT, and all Node variants shall run the same.
NODE = str(TOOLS / "node24/bin/node")
VENV = TOOLS / "venv/bin"
PM2 = str(Path(".work/peers/node_modules/pm2/bin/pm2-runtime").resolve())
SERVER = str(process.APPS / "who.js")


@dataclass
class Peer:
    name: str
    # Makes the words out of the runtime's path and the number of instances.
    command: callable
    variables: dict = field(default_factory=dict)
    # Bare programs run so often; every other peer is one process that starts the rest.
    copies: bool = False
    most: int = 64

    def with_words(self, *words):
        """The same with options of ours."""
        def command(binary, instances):
            own = self.command(binary, instances)
            return [own[0], *words, *own[1:]]
        return replace(self, name=f"{self.name}, {' '.join(words)}", command=command)


def ours(*command):
    return lambda binary, instances: [binary, "-i", str(instances), *command]


def cluster(policy):
    return {"NODE_CLUSTER_SCHED_POLICY": policy, "APP": SERVER}


CLUSTER = [NODE, str(process.APPS / "cluster.js")]
GUNICORN = [str(VENV / "python"), str(VENV / "gunicorn"), "--no-control-socket", "who:wsgi"]
UVICORN = [str(VENV / "python"), str(VENV / "uvicorn"), "--no-access-log", "--log-level", "warning", "who:asgi"]
PYTHON = {"PYTHONPATH": str(process.APPS), "PYTHONDONTWRITEBYTECODE": "1"}


def on_port(server):
    """Uvicorn does not look at PORT."""
    words = " ".join(server)
    return ["sh", "-c", f"exec {words} --port $PORT"]


BARE = Peer("bare node, one process", lambda binary, instances: [NODE, SERVER], copies=True, most=1)
REUSEPORT = Peer("bare node, SO_REUSEPORT", lambda binary, instances: [NODE, SERVER], {"REUSE_PORT": "1"}, copies=True)
OURS = Peer("pmr-runtime, node", ours(NODE, SERVER))
ROUND_ROBIN = Peer("node's cluster, round robin", lambda binary, instances: CLUSTER, cluster("rr"))
SHARED = Peer("node's cluster, one queue", lambda binary, instances: CLUSTER, cluster("none"))
PM2_RUNTIME = Peer("pm2-runtime", lambda binary, instances: [NODE, PM2, SERVER, "-i", str(instances)])
TINI = Peer("tini, one node", lambda binary, instances: ["tini", "--", NODE, SERVER], most=1)
OURS_ONE = Peer("pmr-runtime, one node", ours(NODE, SERVER), most=1)
OURS_INIT = Peer("pmr-runtime as a mere init", lambda binary, instances: [binary, "--no-autorestart", NODE, SERVER], most=1)
OWN_GUNICORN = Peer("gunicorn -w", lambda binary, instances: [*GUNICORN, "-w", str(instances)], PYTHON)
OUR_GUNICORN = Peer("pmr-runtime, gunicorn", ours(*GUNICORN, "-w", "1"), PYTHON)
OWN_UVICORN = Peer("uvicorn --workers", lambda binary, instances: on_port([*UVICORN, "--workers", str(instances)]), PYTHON)
OUR_UVICORN = Peer("pmr-runtime, uvicorn", ours(*on_port(UVICORN)), PYTHON)


class Running:
    """A peer that has answered once. Its home is a directory of its own, and all that it started ends with it."""

    def __init__(self, binary, peer, instances, words=(), stdout=subprocess.DEVNULL, variables=None):
        self.binary, self.peer, self.instances = binary, peer, min(instances, peer.most)
        self.directory = tempfile.TemporaryDirectory(prefix="pmr-bench-")
        self.home, self.port = self.directory.name, process.free_port()
        environment = process.environment(
            HOME=self.home, PMR_HOME=self.home, PM2_HOME=self.home, PM2_DISABLE_VERSION_CHECK="true",
            PORT=self.port, WORKERS=self.instances, **peer.variables, **(variables or {}),
        )
        command = peer.command(binary, self.instances)
        command[1:1] = words
        self.said = open(f"{self.home}/said", "w+")
        count = self.instances if peer.copies else 1
        self.begun = time.perf_counter()
        self.processes = [process.start(command, environment, stdout, self.said) for _ in range(count)]
        self.stdout = self.processes[0].stdout

    def __enter__(self):
        try:
            self.first_answer = self.wait_for_answer()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait_for_answer(self):
        """Milliseconds since the start."""
        deadline = time.monotonic() + process.PATIENCE
        while time.monotonic() < deadline:
            if any(one.poll() is not None for one in self.processes):
                self.fail("ended at once")
            try:
                self.ask()
                return (time.perf_counter() - self.begun) * 1000
            except OSError:
                time.sleep(0.0005)
        self.fail("no answer")

    def fail(self, what):
        raise SystemExit(f"{self.peer.name}: {what}; it said:\n{Path(self.said.name).read_text(errors='replace')[-4000:]}")

    @property
    def pid(self):
        return self.processes[0].pid

    def ask(self, path="/"):
        """The pid of the worker that has answered."""
        with self.connect() as client:
            return client.ask(path, "close")

    def connect(self):
        return Client(self.port)

    def workers(self):
        """The pids of all workers, which must have answered, so that they are known."""
        found, deadline = set(), time.monotonic() + process.PATIENCE
        while len(found) < self.instances:
            if time.monotonic() > deadline:
                self.fail(f"only the workers {found} have answered")
            # Several at once, and none is done in no time, lest one worker take them all.
            clients = [self.connect() for _ in range(4 * self.instances)]
            for client in clients:
                client.send("/block/5")
            found |= {client.receive() for client in clients}
            for client in clients:
                client.close()
        return found

    def supervisors(self):
        """The pids of what there is besides the workers: all that was started, and that they are not."""
        workers = self.workers()
        all_of_it = [pid for one in self.processes for pid in proc.tree(one.pid)]
        # A worker may have been started by a shell, or have started others.
        below = {pid for worker in workers for pid in proc.tree(worker)}
        return [pid for pid in all_of_it if pid not in below]

    def living_workers(self):
        """The pids of the children of what was started, without our guard, which runs the same file as we."""
        return [pid for pid in proc.children(self.pid) if proc.state(pid) not in ("", "Z") and not self.is_guard(pid)]

    def is_guard(self, pid):
        try:
            return os.path.samefile(f"/proc/{pid}/exe", self.binary)
        except (FileNotFoundError, PermissionError):
            return False

    def __exit__(self, *_):
        everything = [pid for one in self.processes for pid in proc.tree(one.pid)]
        for one in self.processes:
            one.send_signal(signal.SIGTERM)
        for one in self.processes:
            try:
                one.wait(30)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()
        for pid in everything:
            self.end_what_is_left(pid)
        self.said.close()
        self.directory.cleanup()

    def end_what_is_left(self, pid):
        """What was not ended with its parent. Only one that still has our home is the one that we knew."""
        try:
            if f"HOME={self.home}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes():
                os.kill(pid, signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            pass


class Client:
    """A connection that is kept open."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, path="/", then="keep-alive"):
        self.send(path, then)
        return self.receive()

    def send(self, path, then="keep-alive"):
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: {then}\r\n\r\n".encode())

    def receive(self):
        """The pid in the answer."""
        text = b""
        while True:
            piece = self.socket.recv(4096)
            if not piece:
                raise ConnectionResetError("closed before the answer was whole")
            text += piece
            if found := re.match(rb"(?is)(?=.*?\r\ncontent-length: *(\d+)\r\n).*?\r\n\r\n(\d*)$", text):
                if len(found[2]) == int(found[1]):
                    return int(found[2])

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
