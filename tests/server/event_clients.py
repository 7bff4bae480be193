"""Clients of event streams, octet for octet, with a reader of `text/event-stream` as the HTML standard describes it."""

import json
import socket
from dataclasses import dataclass
from typing import Any

from tests.server.clients import HOST, Server


@dataclass(frozen=True)
class Seen:
    """One event: its name (`message` if it has none), its data, and the last id at that time."""

    name: str
    data: str
    last_id: str

    @property
    def json(self) -> Any:
        return json.loads(self.data)


class EventClient:
    """One connection that asks for one stream."""

    def __init__(
        self, server: Server, path: str, method: str = "GET", version: str = "1.1", receive_bytes: int = 0,
        **headers: str,
    ) -> None:  # fmt: skip
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(10)
        self.socket.connect((HOST, server.http_port))
        lines = [f"{method} {path} HTTP/{version}", "Host: localhost"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self.held = b""
        self.retry = self.comments = 0
        self.last_id = ""
        self.status = 0
        self.headers: dict[str, str] = {}

    def __enter__(self) -> "EventClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def head(self) -> int:
        """The status; the headers are in `headers`."""
        if not self.status:
            first, *rest = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            self.status = int(first.split()[1])
            split = (line.partition(":") for line in rest if line)
            self.headers = {name.lower(): value.strip() for name, _, value in split}
        return self.status

    def body(self) -> bytes:
        """All that comes until the server ends the connection."""
        self.head()
        while data := self.socket.recv(1 << 16):
            self.held += data
        return self.held

    def event(self) -> Seen:
        """The next event. Raise EOFError at the end of the stream."""
        assert self.head() == 200, self.held
        while True:
            name, lines = "", []
            for line in self._until(b"\n\n").decode().splitlines():
                field, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if field == "data":
                    lines.append(value)
                elif field == "event":
                    name = value
                elif field == "id":
                    self.last_id = value
                elif field == "retry":
                    self.retry = int(value)
                elif not field:
                    self.comments += 1
            if lines:
                return Seen(name or "message", "\n".join(lines), self.last_id)

    def events(self, count: int) -> list[Seen]:
        return [self.event() for _ in range(count)]

    def silent(self, seconds: float = 0.05) -> bool:
        """Nothing comes."""
        self.socket.settimeout(seconds)
        try:
            return not self.held and not self.socket.recv(1 << 16, socket.MSG_PEEK)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(10)

    def _until(self, end: bytes) -> bytes:
        while end not in self.held:
            data = self.socket.recv(1 << 16)
            if not data:
                raise EOFError(self.held)
            self.held += data
        found, self.held = self.held.split(end, 1)
        return found
