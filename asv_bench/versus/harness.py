"""What every comparison needs: two servers, two cores, alternating runs, a table and a verdict.

A comparison starts both sides itself on free loopback ports, pins every server to core 0 and every
client to core 1, lets the sides take turns (A B A B ...), and judges the ratio of the two medians:

    server core 0   [ Synap ] or [ peer ]    the side that is not measured is stopped (SIGSTOP)
    client core 1   redis-benchmark, wrk, or a client of ours

    with Report("resp", __doc__, options) as report:
        row = report.row("P1", "GET, depth 1", unit="commands/s", floor=0.9, goal=1.1)
        row.add("synap", 110_000.0)
        row.add("redis", 100_000.0)

Beside throughput stands the server's own CPU time per command (user + system, from the process
table), because above depth 16 the client is the limit. Results go to the terminal as Markdown and to
`asv_bench/versus/results/NAME.json`, from which `report.py` prints docs/performance.md.
"""

import argparse
import contextlib
import csv
import ctypes
import http.client
import json
import os
import platform
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).resolve().parent / "results"
HOST = "127.0.0.1"
CORE_SERVER, CORE_CLIENT = 0, 1
TICKS = os.sysconf("SC_CLK_TCK")
START_S_MAX = 300.0
"""A first start compiles every kernel; nothing else takes this long."""
DESCRIPTORS_MAX = 20_000

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


# --- processes ---------------------------------------------------------------------------------


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


def _child(core: int | None) -> Callable[[], None]:
    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        pin(core)
        descriptors()

    return prepare


def run_client(argv: Sequence[str], timeout: float = 900.0) -> str:
    """Output of a load generator that ran on the client core; a failure shows what it said."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False,
                          preexec_fn=_child(CORE_CLIENT))
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
        """Does it answer? Asked again and again while it starts."""
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
                cwd=self.cwd, env=self.env, preexec_fn=_child(self.core))
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

    def ready(self) -> bool:
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


# --- a small RESP client -----------------------------------------------------------------------


class Refused(Exception):
    """The server answered with an error."""


def encode(*words: bytes) -> bytes:
    return b"".join([b"*%d\r\n" % len(words), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)])


class Client:
    """Blocking, RESP2, for loading data and asking single questions."""

    def __init__(self, port: int, timeout: float = 300.0) -> None:
        self.socket = socket.create_connection((HOST, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def call(self, *words: bytes) -> Any:
        self.socket.sendall(encode(*words))
        return self.reply()

    def reply(self) -> Any:
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise Refused(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        return rest

    def load(self, commands: Iterable[bytes], batch: int = 1000) -> int:
        """Send encoded commands in pipelines; each must answer with one line that is no error."""
        total = 0
        pending: list[bytes] = []
        for command in commands:
            pending.append(command)
            if len(pending) == batch:
                total += self._flush(pending)
        return total + self._flush(pending)

    def _flush(self, pending: list[bytes]) -> int:
        self.socket.sendall(b"".join(pending))
        lines, last = 0, b"\n"
        while lines < len(pending):
            data = self.socket.recv(1 << 18)
            if not data:
                raise ConnectionError("the server closed the connection")
            if (last == b"\n" and data[:1] == b"-") or b"\n-" in data:
                raise Refused(data.decode(errors="replace")[:200])
            lines += data.count(b"\n")
            last = data[-1:]
        pending.clear()
        return lines


def serves(node: Node, *words: bytes) -> bool:
    """Does this node know the command? (A first version may lack families.)"""
    try:
        with node.client() as client:
            client.call(*words)
    except Refused:
        return False
    return True


def flush(node: Node) -> None:
    with node.client() as client:
        client.call(b"FLUSHALL")


# --- load generators ---------------------------------------------------------------------------


def redis_benchmark(node: Node, *words: str, requests: int, clients: int = 50, depth: int = 1,
                    keys: int = 1_000_000, value_bytes: int = 3) -> dict[str, float]:
    """One run of redis-benchmark: commands/s, server CPU in us per command, latencies in ms."""
    argv = [tool("redis-benchmark"), "-h", HOST, "-p", str(node.port), "-n", str(requests),
            "-c", str(clients), "-P", str(depth), "-r", str(keys), "-d", str(value_bytes),
            "--csv", "--precision", "3", *words]
    before = node.cpu_seconds()
    output = run_client(argv)
    used = node.cpu_seconds() - before
    rows = [row for row in csv.reader(output.splitlines()) if len(row) == 8 and row[0] != "test"]
    if not rows:
        raise RuntimeError(f"redis-benchmark printed no figure: {output[-500:]}")
    rate, _, _, p50, p95, p99, worst = (float(cell) for cell in rows[-1][1:])
    return {"rate": rate, "cpu_us": used / requests * 1e6, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99,
            "max_ms": worst}


class Pinger:
    """A second client in its own process: one call every 1/rate seconds, timed from when it was due."""

    def __init__(self, node: Node, *commands: str, rate: int = 1000, keys: int = 1) -> None:
        script = Path(__file__).resolve().parent / "pinger.py"
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(node.port), str(rate), str(keys), *commands],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=_child(CORE_CLIENT))
        assert self.process.stdout is not None
        self.process.stdout.readline()  # it says when it is connected

    def stop(self) -> list[tuple[float, float]]:
        """All calls so far: when each was due (monotonic seconds), how long it took (ms)."""
        output, _ = self.process.communicate("\n", timeout=120)
        if self.process.returncode != 0:
            raise RuntimeError("the second client lost its connection or was refused")
        return [(due, taken) for due, taken in json.loads(output)]


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


# --- rows and reports --------------------------------------------------------------------------


@dataclass
class Row:
    """One measured quantity on both sides, and its bar.

    `judge` is "ratio" (Synap's median over the peer's) or "value" (Synap's median itself).
    """

    number: str
    what: str
    unit: str
    peer: str = "redis"
    floor: float | None = None
    goal: float | None = None
    more_is_better: bool = True
    judge: str = "ratio"
    note: str = ""
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, side: str, value: float) -> None:
        self.values.setdefault(side, []).append(float(value))

    def median(self, side: str) -> float | None:
        found = self.values.get(side)
        return statistics.median(found) if found else None

    @property
    def ratio(self) -> float | None:
        ours, theirs = self.median("synap"), self.median(self.peer)
        return ours / theirs if ours is not None and theirs else None

    @property
    def verdict(self) -> str:
        if self.median("synap") is None:
            return "not served" if not self.note else "no figure"
        if self.floor is None:
            return "-"
        measured = self.ratio if self.judge == "ratio" else self.median("synap")
        if measured is None:
            return "no peer"
        reaches = (lambda bar: measured >= bar) if self.more_is_better else (lambda bar: measured <= bar)
        if self.goal is not None and reaches(self.goal):
            return "PASS, goal"
        return "PASS" if reaches(self.floor) else "**below floor**"

    def cells(self) -> list[str]:
        bar = "-" if self.floor is None else f"{number(self.floor)} / {number(self.goal)}"
        ratio = "-" if self.ratio is None else f"{self.ratio:.2f}"
        what = f"{self.what}, {self.unit}" + (f" ({self.note})" if self.note else "")
        theirs = "-" if self.peer == "-" else f"{self.peer}: {self.spread(self.peer)}"
        return [self.number, what, self.spread("synap"), theirs, ratio, bar,
                self.verdict]

    def spread(self, side: str) -> str:
        found = self.values.get(side)
        if not found:
            return "-"
        middle = number(statistics.median(found))
        return middle if len(found) == 1 else f"{middle} ({number(min(found))}-{number(max(found))})"

    def as_dict(self) -> dict[str, Any]:
        kept = ("number", "what", "unit", "peer", "floor", "goal", "more_is_better", "judge", "note",
                "values")
        return {name: getattr(self, name) for name in kept} | {"ratio": self.ratio, "verdict": self.verdict}


HEADINGS = ["#", "what", "Synap", "peer", "ratio", "floor / goal", "verdict"]


def number(value: float | None) -> str:
    if value is None:
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table, padded so that it also reads well on a terminal."""
    rows = [list(headings), *map(list, lines)]
    width = [max(len(row[i]) for row in rows) for i in range(len(headings))]
    text = ["| " + " | ".join(cell.ljust(width[i]) for i, cell in enumerate(row)) + " |" for row in rows]
    text.insert(1, "|" + "|".join("-" * (each + 2) for each in width) + "|")
    return "\n".join(text)


def machine() -> dict[str, str]:
    """What the figures were taken on."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    facts = {"processor": f"{model}, {os.cpu_count()} cores", "memory": f"{memory:.0f} GiB",
             "system": f"{platform.system()} {platform.release()}", "python": platform.python_version()}
    if shutil.which("redis-server"):
        said = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=False)
        facts["redis"] = next((word[2:] for word in said.stdout.split() if word.startswith("v=")), "?")
    return facts


def busy_share(seconds: float = 1.0) -> float:
    """How much of all cores is in use right now; anything but nothing spoils a comparison."""
    def ticks() -> tuple[int, int]:
        found = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(found), found[3] + found[4]

    total, idle = ticks()
    time.sleep(seconds)
    total_after, idle_after = ticks()
    return 1.0 - (idle_after - idle) / max(1, total_after - total)


class Report:
    """Collects rows, prints them as a table, writes them as JSON. Use as a context manager."""

    def __init__(self, name: str, doc: str | None, options: argparse.Namespace) -> None:
        self.name = name
        self.question = (doc or "").strip().splitlines()[0]
        self.options = options
        self.rows: list[Row] = []
        self.notes: list[str] = []

    def row(self, number: str, what: str, unit: str, **bar: Any) -> Row:
        row = Row(number, what, unit, **bar)
        self.rows.append(row)
        return row

    def note(self, text: str) -> None:
        print(f"note: {text}", file=sys.stderr)
        self.notes.append(text)

    def __enter__(self) -> "Report":
        busy = busy_share()
        if busy > 0.05:
            self.note(f"the machine was not idle: {busy:.0%} of its cores were busy before the first run")
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """What was measured before a failure is still shown; only a whole run is kept."""
        import limits  # it needs numba only for one line, and only here

        self.limits = limits.measure(Path(self.options.data_root))
        print(f"\n## {self.question}\n")
        print(table(HEADINGS, (row.cells() for row in self.rows)))
        print()
        for name, text in (machine() | self.limits).items():
            print(f"- {name}: {text}")
        for text in self.notes:
            print(f"- note: {text}")
        if self.options.candidate == "synap" and kind is None:
            print(f"\nwritten: {self.write()}", file=sys.stderr)

    def write(self) -> str:
        folder = Path(self.options.json)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / (f"{self.name}.quick.json" if self.options.quick else f"{self.name}.json")
        content = {"name": self.name, "question": self.question, "quick": self.options.quick,
                   "runs": self.options.runs, "taken": time.strftime("%Y-%m-%d"), "machine": machine(),
                   "limits": self.limits, "notes": self.notes, "rows": [row.as_dict() for row in self.rows]}
        path.write_text(json.dumps(content, indent=1) + "\n")
        return path.name


# --- the command line of a comparison ----------------------------------------------------------


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """The options that every script shares."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a short run: fewer requests, three runs a side")
    parser.add_argument("--runs", type=int, help="measured runs on each side (default 5, quick 3)")
    parser.add_argument("--json", default=str(RESULTS), metavar="DIR", help="where the result file goes")
    parser.add_argument("--data-root", default=tempfile.gettempdir(), metavar="DIR",
                        help="a folder on the disk to measure; servers keep their data below it")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE",
                        help="one more setting for Synap")
    parser.add_argument("--candidate", choices=["synap", "redis"], default="synap", help=argparse.SUPPRESS)
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    options = parser.parse_args()
    options.runs = options.runs or (3 if options.quick else 5)
    options.folder = tempfile.TemporaryDirectory(prefix="versus-", dir=options.data_root)
    options.root = Path(options.folder.name)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    pin(CORE_CLIENT)
    descriptors()
    return options


LOG_OFF = "off"
LOG_MODES = {
    LOG_OFF: (["persistence.enabled=false"], ["--appendonly", "no"]),
    "never": (["persistence.wal.fsync_mode=never"], ["--appendonly", "yes", "--appendfsync", "no"]),
    "periodic": (["persistence.wal.fsync_mode=periodic", "persistence.wal.fsync_interval_ms=1000"],
                 ["--appendonly", "yes", "--appendfsync", "everysec"]),
    "always": (["persistence.wal.fsync_mode=always"], ["--appendonly", "yes", "--appendfsync", "always"]),
}
"""The same durability on both sides: Synap's settings, redis-server's options."""
QUIET = ["persistence.snapshot.interval_secs=604800", "persistence.snapshot.operation_threshold=1000000000"]
"""No snapshot of its own accord: redis-server runs without save points too."""


def candidate(options: argparse.Namespace, log: str = LOG_OFF, **extra: Any) -> Node:
    """Synap; for a test of the scripts themselves (`--candidate redis`) a second redis-server."""
    ours, theirs = LOG_MODES[log]
    if options.candidate == "redis":
        node: Node = Redis(options.root, theirs, **extra)
        node.name = "synap"
        return node
    return Synap(options.root, [*QUIET, *ours, *options.set], **extra)


def peer(options: argparse.Namespace, log: str = LOG_OFF, **extra: Any) -> Node:
    return Redis(options.root, LOG_MODES[log][1], **extra)


def alternate(nodes: Sequence[Node], runs: int, measure: Callable[[Node], dict[str, float]],
              rows: dict[str, Row], *, warm: bool = True) -> None:
    """Each node in turn, `runs` times (after one run that is not counted); figures go into `rows` by name."""
    for turn in range(runs + warm):
        for node in nodes:
            with node.alone(nodes):
                figures = measure(node)
            if turn >= warm:
                for name, row in rows.items():
                    row.add(node.name, figures[name])
    for row in rows.values():
        print("  " + "  ".join(row.cells()), file=sys.stderr)
