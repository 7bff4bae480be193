"""A small RESP client: loading data, asking single questions."""

import socket
from collections.abc import Iterable
from typing import Any

HOST = "127.0.0.1"


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
