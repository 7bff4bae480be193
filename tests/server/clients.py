"""Clients that hide nothing: raw RESP over a socket, plain HTTP, and a server with what tests do to it."""

import http.client
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ports import free_port
from tests.server.zygote import Zygote
from tests.support import Refusal, command

HOST = "127.0.0.1"
CRLF = b"\r\n"


class Gone(ConnectionError):
    """The server hung up, or died."""


class Resp:
    """A RESP client: `ask` waits for the reply, `send` and `read` are its halves."""

    def __init__(self, port: int, timeout: float | None = 30.0, receive_bytes: int = 0) -> None:
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket.connect((HOST, port))
        except OSError:
            self.socket.close()
            raise
        self._file = self.socket.makefile("rb", 1 << 16)

    def __enter__(self) -> "Resp":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def send(self, *words: Any) -> None:
        """Send one command."""
        self.socket.sendall(command(*words))

    def send_bytes(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, *words: Any) -> Any:
        """The reply to one command; a refusal is a value."""
        self.send(*words)
        return self.read()

    def ask_all(self, *commands: list[Any]) -> list[Any]:
        """The replies to commands sent in one buffer."""
        self.socket.sendall(b"".join(command(*words) for words in commands))
        return [self.read() for _ in commands]

    def _line(self) -> bytes:
        line = self._file.readline()
        if not line.endswith(CRLF):
            raise Gone(f"hung up after {line!r}")
        return line[:-2]

    def read(self) -> Any:
        """The next reply as Python."""
        line = self._line()
        kind, text = line[:1], line[1:]
        if kind == b":":
            return int(text)
        if kind == b"+":
            return text
        if kind == b"-":
            return Refusal(text.decode("utf-8", "replace"))
        if kind == b"_":
            return None
        if kind == b",":
            return float(text)
        size = int(text)
        if size < 0:
            return None
        if kind == b"$":
            data = self._file.read(size + 2)
            if len(data) != size + 2:
                raise Gone(f"hung up within a value, {len(data)} of {size + 2} bytes")
            return data[:-2]
        if kind in (b"*", b"~", b">"):
            return [self.read() for _ in range(size)]
        assert kind == b"%", line
        return {self.read(): self.read() for _ in range(size)}

    def skip(self, size: int) -> None:
        """Read and forget so many bytes."""
        while size:
            piece = self._file.read(min(size, 1 << 20))
            if not piece:
                raise Gone(f"hung up with {size} bytes to come")
            size -= len(piece)


class Server:
    """A server of the zygote's, over several lives: same directory, same ports."""

    def __init__(self, zygote: Zygote, directory: Path, settings: dict[str, Any], before: str = "") -> None:
        self.zygote = zygote
        self.directory = directory
        self.settings = settings
        self.before = before
        self.output = directory.with_name(directory.name + ".output")
        self.http_port, self.resp_port = free_port(HOST), free_port(HOST)  # the system may give others away in a pause
        self.pid = 0

    @property
    def data(self) -> Path:
        return self.directory

    def arguments(self) -> list[str]:
        """The command line."""
        given = {"server.port": self.http_port, "resp.port": self.resp_port} | self.settings
        found = ["serve", "--host", HOST, "--data-dir", str(self.directory)]
        for name, value in given.items():
            found += ["--set", f"{name}={value}"]
        return found

    def begin(self) -> int:
        """Start without waiting; the pid."""
        self.pid = self.zygote.start(self.arguments(), str(self.output), self.before, str(self.directory.parent))
        return self.pid

    def start(self) -> "Server":
        """Start and wait until it is ready."""
        self.begin()
        self.wait_ready()
        return self

    def wait_ready(self) -> None:
        ports = self.zygote.ports(self.pid)
        if ports is None:
            os.kill(self.pid, signal.SIGKILL)
            code = self.reap()
            raise AssertionError(f"the server did not start (exit code {code}):\n{self.said()[-3000:]}")
        self.http_port, self.resp_port = ports

    def refused(self) -> tuple[int, str]:
        """Start it expecting that it does not: exit code, and what it said."""
        self.output.unlink(missing_ok=True)
        self.begin()
        ports = self.zygote.ports(self.pid)
        assert ports is None, "the server started"
        return self.reap(), self.said()

    def reap(self, seconds: float = 30.0) -> int:
        pid, self.pid = self.pid, 0
        return self.zygote.reap(pid, seconds)

    def kill9(self) -> None:
        """End it at once, as the system would."""
        os.kill(self.pid, signal.SIGKILL)
        assert self.reap() == -signal.SIGKILL

    def pause(self, seconds: float) -> None:
        """Let it stand still for so long."""
        os.kill(self.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> int:
        """Ask it to end; the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self.reap()

    def restart(self) -> "Server":
        """kill -9, then start again on the same ports at once."""
        self.kill9()
        return self.start()

    def end(self) -> None:
        """Whatever it does, it is over."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self.reap()

    def said(self) -> str:
        """Everything it wrote to its standard streams. A thread of its own writes: wait until no more comes."""
        text, end = "", time.monotonic() + 1
        while time.monotonic() < end:
            time.sleep(0.03)
            newer = self.output.read_text() if self.output.exists() else ""
            if newer == text != "":
                break
            text = newer
        return text

    def resp(self, **options: Any) -> Resp:
        return Resp(self.resp_port, **options)

    def http(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """(status, JSON of the body) of one request."""
        connection = http.client.HTTPConnection(HOST, self.http_port, timeout=30)
        try:
            data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, data, headers or {})
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None
        finally:
            connection.close()

    def info(self, section: str) -> dict[str, str]:
        """One section of INFO; nothing if it is refused."""
        with self.resp() as client:
            reply = client.ask("INFO", section)
        lines = [] if isinstance(reply, Refusal) else reply.decode().split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def clock(self) -> float:
        """Seconds on a clock that stands still while this server or this process waits for a core of a busy machine."""
        return time.perf_counter() - waited(self.pid, os.getpid())

    def rss(self) -> int:
        """Resident bytes."""
        with open(f"/proc/{self.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def children(self) -> list[int]:
        """Its child processes."""
        return children_of(self.pid)


def waited(*pids: int) -> float:
    """Seconds that the main threads of these processes have been ready to run and had no core."""
    try:
        return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) for pid in pids) / 1e9
    except FileNotFoundError:  # a system that does not count them
        return 0.0


def children_of(pid: int) -> list[int]:
    """The child processes that any thread of this process has started."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        found += map(int, path.read_text().split())
    return found


def alive(pid: int) -> bool:
    """Does this process run (and is it more than a zombie)?"""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(check: Any, seconds: float = 5.0, pause: float = 0.01) -> Any:
    """The first true value of `check()`; fails when time is up."""
    end = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < end, f"still not after {seconds} s"
        time.sleep(pause)
    return value


def is_stopped(server: Server) -> bool:
    with open(f"/proc/{server.pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"


@contextmanager
def one_turn(server: Server) -> Iterator[None]:
    """What is sent within is found at once when the server goes on."""
    time.sleep(0.03)  # it rests: nothing of an earlier turn is left to be looked at first
    os.kill(server.pid, signal.SIGSTOP)
    try:
        eventually(lambda: is_stopped(server))
        yield
    finally:
        time.sleep(0.02)
        os.kill(server.pid, signal.SIGCONT)
