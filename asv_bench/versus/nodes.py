"""Processes: the servers that are compared, each on its core, and how clients are run."""

import contextlib
import ctypes
import http.client
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from client import HOST, Client, Refused

ROOT = Path(__file__).resolve().parents[2]
CORE_SERVER, CORE_CLIENT = 0, 1
TICKS = os.sysconf("SC_CLK_TCK")
START_S_MAX = 300.0
"""A first start compiles every kernel; nothing else takes this long."""
DESCRIPTORS_MAX = 20_000

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def descriptors(count: int = DESCRIPTORS_MAX) -> int:
    """Raise the limit of open files of this process (and its children) as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def pin(core: int | None) -> None:
    """Keep this process on one core; with one core only, or `None`, it stays where it is."""
    if core is not None and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {core})


def child(core: int | None) -> Callable[[], None]:
    """What a new process does before its program: end with this one, stay on its core."""
    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        pin(core)
        descriptors()

    return prepare


def run_client(argv: Sequence[str], timeout: float = 900.0) -> str:
    """Output of a load generator that ran on the client core; a failure shows what it said."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False,
                          preexec_fn=child(CORE_CLIENT))
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} failed: {done.stderr.strip() or done.stdout.strip()[-500:]}")
    return done.stdout


class Node:
    """One server process and all its children: started, measured, paused, ended by its own pid."""

    name = "node"

    def __init__(self, root: Path, *, port: int = 0, http_port: int = 0, core: int | None = CORE_SERVER,
                 wrap: Sequence[str] = (), env: dict[str, str] | None = None) -> None:
        self.port = port or free_port()
        self.http_port = http_port or free_port()
        self.core = core
        self.wrap = list(wrap)
        self.env = dict(os.environ, **(env or {}))
        self.cwd = ROOT
        self.directory = Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=root))
        self.log = self.directory / "output.txt"
        self.process: subprocess.Popen[bytes] | None = None
        self.started_s = 0.0

    def argv(self) -> list[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        """Does it answer PING, and not with -LOADING? Asked again and again while it starts."""
        try:
            with Client(self.port, timeout=5.0) as client:
                return bool(client.call(b"PING") == b"PONG")
        except (OSError, Refused):
            return False

    def start(self) -> "Node":
        """Start and wait until ready; `started_s` is the time that took."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as output:
            begun = time.perf_counter()
            self.process = subprocess.Popen(
                self.wrap + self.argv(), stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                cwd=self.cwd, env=self.env, preexec_fn=child(self.core))
        while not self.ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended at start:\n{self.last_words()}")
            if time.perf_counter() - begun > START_S_MAX:
                self.kill()
                raise RuntimeError(f"{self.name} was not ready after {START_S_MAX} s:\n{self.last_words()}")
            time.sleep(0.002)
        self.started_s = time.perf_counter() - begun
        return self

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    def stop(self) -> None:
        """Ask it to end and wait; after 60 seconds it is killed."""
        if self.process is None:
            return
        self.signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def kill(self) -> None:
        """kill -9, as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> "Node":
        return self if self.process is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.remove()

    def pids(self) -> list[int]:
        """This process and everything below it."""
        if self.process is None:
            return []
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            for path in Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    todo += [int(word) for word in path.read_text().split()]
        return found

    def signal(self, number: signal.Signals) -> None:
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    @contextlib.contextmanager
    def alone(self, others: Iterable["Node"]) -> Iterator[None]:
        """Measure this node while the others stand still."""
        idle = [other for other in others if other is not self]
        for other in idle:
            other.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for other in idle:
                other.signal(signal.SIGCONT)

    def cpu_seconds(self) -> float:
        """User and system time so far, of the process and its living children."""
        total = 0.0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += (int(stat[11]) + int(stat[12])) / TICKS
        return total

    def resident_bytes(self) -> int:
        return sum(self._status(pid, "status", "VmRSS:") for pid in self.pids())

    def share_bytes(self) -> int:
        """Resident memory with shared pages counted once, so that a forked child is not double."""
        return sum(self._status(pid, "smaps_rollup", "Pss:") for pid in self.pids())

    @staticmethod
    def _status(pid: int, file: str, key: str) -> int:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
                if line.startswith(key):
                    return int(line.split()[1]) * 1024
        return 0

    def settled_bytes(self, patience_s: float = 10.0) -> int:
        """Resident memory once it no longer shrinks: freed pages go back with a delay."""
        last = self.resident_bytes()
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            time.sleep(1.0)
            now = self.resident_bytes()
            if abs(now - last) < 1 << 18:
                return now
            last = now
        return last

    def client(self, timeout: float = 300.0) -> "Client":
        return Client(self.port, timeout)

    def web(self, method: str, path: str, body: Any = None, timeout: float = 600.0) -> tuple[int, bytes]:
        """One HTTP request, with text or an object to send as JSON: status and body."""
        connection = http.client.HTTPConnection(HOST, self.http_port, timeout=timeout)
        try:
            data = body.encode() if isinstance(body, str) else body and json.dumps(body).encode()
            connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()


class Redis(Node):
    """redis-server from PATH, without snapshots and log rewrites unless asked for."""

    name = "redis"

    def __init__(self, root: Path, settings: Sequence[str] = (), **options: Any) -> None:
        super().__init__(root, **options)
        self.settings = list(settings)

    def argv(self) -> list[str]:
        fixed = ["--port", str(self.port), "--bind", HOST, "--save", "", "--dir", str(self.directory),
                 "--auto-aof-rewrite-percentage", "0", "--maxclients", "11000", "--protected-mode", "no"]
        return [tool("redis-server"), *fixed, *self.settings]


class Synap(Node):
    """`python -m synap.cli serve` of this checkout, or of what is installed."""

    name = "synap"

    def __init__(self, root: Path, settings: Sequence[str] = (), **options: Any) -> None:
        super().__init__(root, **options)
        self.settings = ["kv_store.allow_flush_commands=true", "logging.level=warn", *settings]

    def argv(self) -> list[str]:
        chosen = [word for setting in self.settings for word in ("--set", setting)]
        return [sys.executable, "-m", "synap.cli", "serve", "--host", HOST, "--port", str(self.http_port),
                "--resp-port", str(self.port), "--data-dir", str(self.directory / "data"), *chosen]

    def healthy(self) -> bool:
        """Not what `ready` asks: /health may say 200 a moment before the RESP port listens."""
        try:
            return self.web("GET", "/health", timeout=5.0)[0] == 200
        except (OSError, http.client.HTTPException):
            return False


class Webdis(Node):
    """webdis, a small HTTP server in C in front of a redis-server; both on the server core."""

    name = "webdis"

    def __init__(self, root: Path, redis: Node, **options: Any) -> None:
        super().__init__(root, **options)
        self.redis = redis
        self.settings = {"redis_host": HOST, "redis_port": redis.port, "http_host": HOST,
                         "http_port": self.http_port, "threads": 2, "pool_size": 10, "daemonize": False,
                         "database": 0, "verbosity": 0, "logfile": str(self.directory / "webdis.log")}

    def pids(self) -> list[int]:
        """The redis-server behind it works for it, so its CPU time counts."""
        return [*super().pids(), *self.redis.pids()]

    def argv(self) -> list[str]:
        path = self.directory / "webdis.json"
        path.write_text(json.dumps(self.settings))
        return [tool("webdis"), str(path)]

    def ready(self) -> bool:
        try:
            return self.web("GET", "/PING", timeout=5.0)[0] == 200
        except (OSError, http.client.HTTPException):
            return False


_CONSTANT = '''
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"application/json"), (b"content-length", b"16")]})
    await send({"type": "http.response.body", "body": b'{"success":true}'})
'''


class Uvicorn(Node):
    """uvicorn with httptools and uvloop, answering every request with one constant."""

    name = "uvicorn"

    def argv(self) -> list[str]:
        (self.directory / "constant.py").write_text(_CONSTANT)
        return [sys.executable, "-m", "uvicorn", "constant:app", "--app-dir", str(self.directory),
                "--host", HOST, "--port", str(self.http_port), "--http", "httptools", "--loop", "uvloop",
                "--lifespan", "off", "--no-access-log", "--log-level", "warning"]

    def ready(self) -> bool:
        try:
            return self.web("GET", "/", timeout=5.0)[0] == 200
        except (OSError, http.client.HTTPException):
            return False


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise SystemExit(f"{name} is not on PATH (Debian: apt-get install {name})")
    return path
