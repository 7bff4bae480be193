"""Servers for the client's tests: real ones of both kinds, and one whose every byte the test decides."""

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from synap.client.machine import encode
from tests.server.clients import HOST, Gone, Resp, eventually
from tests.server.conftest import node, serve, zygote

__all__ = ["node", "redis_port", "scripted", "serve", "zygote"]


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a redis-server."""
    program = shutil.which("redis-server")
    assert program, "redis-server is not installed (Debian: redis-server)"
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        port = int(taken.getsockname()[1])
    directory = tmp_path_factory.mktemp("redis")
    process = subprocess.Popen(
        [program, "--port", str(port), "--save", "", "--bind", HOST, "--dir", str(directory)],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip

    def answers() -> bool:
        try:
            with Resp(port) as client:
                return bool(client.ask("PING") == b"PONG")
        except (OSError, Gone):
            return False

    try:
        eventually(answers, 10)
        yield port
    finally:
        process.kill()
        process.wait(10)


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


def bulk(text: Any) -> bytes:
    """A reply of one text."""
    return encode([text])[4:]
