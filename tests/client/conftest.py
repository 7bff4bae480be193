"""Servers for the client's tests: real ones of both kinds, and one whose every byte the test decides."""

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.server.clients import HOST, Gone, Resp, eventually


class Redis:
    """A redis-server, over several lives on the same port."""

    def __init__(self, directory: Path) -> None:
        program = shutil.which("redis-server")
        assert program, "redis-server is not installed (Debian: redis-server)"
        self.resp_port = free_port()
        self._command = [
            program, "--port", str(self.resp_port), "--save", "", "--bind", HOST, "--dir", str(directory),
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Redis":
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        eventually(self._answers, 10)
        return self

    def _answers(self) -> bool:
        try:
            with Resp(self.resp_port) as client:
                return bool(client.ask("PING") == b"PONG")
        except (OSError, Gone):
            return False

    def kill9(self) -> None:
        """End it at once."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def restart(self) -> "Redis":
        """kill -9, then start again on the same port."""
        self.kill9()
        return self.start()


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a redis-server that all tests share."""
    server = Redis(tmp_path_factory.mktemp("redis")).start()
    yield server.resp_port
    server.kill9()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    """A redis-server of one's own."""
    server = Redis(tmp_path).start()
    yield server
    server.kill9()


class Scripted:
    """A server that does what it is told: for each connection, and for each thing said on it, the bytes to answer
    with, or HANG_UP. It notes what it heard. HELLO is answered by itself."""

    def __init__(self) -> None:
        self.heard: list[list[bytes]] = []
        self.connections = 0
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._answers: Any = None
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def answering(self, answers: Callable[[int, list[bytes]], bytes | None]) -> "Scripted":
        """`answers(number of the connection, command)`: bytes, or None to hang up."""
        self._answers = answers
        self._thread.start()
        return self

    def _serve(self) -> None:
        while True:
            try:
                taken, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(taken)
            threading.Thread(target=self._talk, args=(taken, self.connections), daemon=True).start()

    def _talk(self, taken: socket.socket, number: int) -> None:
        with taken, taken.makefile("rb") as file:
            try:
                while line := file.readline():
                    words = [file.read(int(file.readline()[1:]) + 2)[:-2] for _ in range(int(line[1:]))]
                    if words[0] == b"HELLO":
                        taken.sendall(b"%1\r\n+proto\r\n:3\r\n")
                        continue
                    self.heard.append(words)
                    answer = self._answers(number, words)
                    if answer is None:
                        taken.shutdown(socket.SHUT_RDWR)
                        return
                    taken.sendall(answer)
            except OSError:
                return

    def close(self) -> None:
        """End, with all connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for taken in self._open:
            taken.close()


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """A server to be told what to answer."""
    server = Scripted()
    yield server
    server.close()
