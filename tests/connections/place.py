"""Connections of a server in this process: real connections, engine and turns, transports without sockets.

    async with open_place(limits...) as place:
        client = place.http()           also resp(), and websocket(path)
        client.send(b"GET ...")         input arrives
        await place.turns()             the event loop goes round
        client.said()                   what was written, and forget it
        client.reads = False            the peer takes no output; `take()`: it takes all of it
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from synap.io.connections.connection import Connection
from synap.io.connections.open_connections import OpenConnections
from synap.io.http.http_app import HttpApp
from synap.io.http.http_connection import Dates, HttpConnection
from synap.io.node.group_commit import GroupCommit
from synap.io.node.node import Node
from synap.io.resp.resp_connection import RespConnection
from synap.io.server.server import Server
from synap.io.server.server_commands import ServerConnections
from synap.proto.http import Machine
from synap.proto.rest import Rest
from synap.proto.streamable import Commands
from synap.settings import Settings
from tests.support import command, decode

MASK = bytes(4)


def handshake(path: str) -> bytes:
    """The request to open a WebSocket."""
    key = base64.b64encode(bytes(16)).decode()
    return (f"GET {path} HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            f"sec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n\r\n".encode())  # fmt: skip


class Client:
    """The peer of one connection, and the transport between them."""

    def __init__(self, connection: Any) -> None:
        self.protocol = connection
        self.reads = True
        self.open, self.ended, self.wrote_eof = True, False, False
        self._reading, self._closing, self._full = True, False, False
        self._high, self._low = 65536, 16384
        self._kept = b""
        self._said = b""

    # What the peer does.

    def send(self, data: bytes) -> None:
        """Let input arrive, which the connection has to want."""
        assert self._reading and not self._closing
        if isinstance(self.protocol, asyncio.BufferedProtocol):
            while data:
                buffer = self.protocol.get_buffer(-1)
                piece, data = data[: len(buffer)], data[len(buffer) :]
                buffer[: len(piece)] = piece
                self.protocol.buffer_updated(len(piece))
        else:
            self.protocol.data_received(data)

    def ask(self, *words: Any) -> None:
        """Send a RESP command."""
        self.send(command(*words))

    def finish(self) -> None:
        """Close the peer's sending side."""
        self.ended = True
        if not self.protocol.eof_received():
            self.close()

    def go(self) -> None:
        """Be gone."""
        self.abort()

    def take(self) -> None:
        """Take the output that waits, and read from now on."""
        self.reads = True
        self._said, self._kept = self._said + self._kept, b""
        if self._full:
            self._full = False
            self.protocol.resume_writing()
        if self._closing:
            self.abort()

    def take_until(self, left: int) -> None:
        """Take the output that waits but for `left` bytes, and nothing more."""
        taken = len(self._kept) - left
        self._said, self._kept = self._said + self._kept[:taken], self._kept[taken:]
        if self._full and left <= self._low:
            self._full = False
            self.protocol.resume_writing()

    def said(self) -> bytes:
        """What the peer has read since the last time."""
        said, self._said = self._said, b""
        return said

    def replies(self) -> list[Any]:
        """The same as RESP."""
        data, found = self.said(), []
        while data:
            value, data = decode(data)
            found.append(value)
        return found

    # asyncio's interface of a transport.

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else None

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        self._high, self._low = high, low

    def get_write_buffer_size(self) -> int:
        return len(self._kept)

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True

    def is_closing(self) -> bool:
        return self._closing

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.wrote_eof = True

    def write(self, data: bytes) -> None:
        if self.wrote_eof:
            raise RuntimeError("write after write_eof")  # as uvloop does, also without data
        if self.reads:
            self._said += data
            return
        self._kept += data
        if len(self._kept) > self._high and not self._full:
            self._full = True
            self.protocol.pause_writing()

    def close(self) -> None:
        self._closing = True
        if not self._kept:
            self.abort()

    def abort(self) -> None:
        if self.open:
            self.open, self._closing, self._kept = False, True, b""
            asyncio.get_running_loop().call_soon(lambda: self.protocol.connection_lost(None))


class Place:
    """A server without sockets."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.server = server = Server(Settings().replace({"persistence.enabled": False, **settings}))
        server.loop = asyncio.get_running_loop()
        server.connections = OpenConnections(server.settings, server.loop)
        self.errors: list[dict[str, Any]] = []
        server.loop.set_exception_handler(lambda loop, context: self.errors.append(context))
        server.node = node = Node(server.settings, server.clock)
        server.engine = self.engine = node.engine
        server.rest = Rest(self.engine.catalogue, self.engine.row_at, {})
        server.commands = Commands(self.engine.catalogue, self.engine.row_at, {})
        server.turn = GroupCommit(node, server.loop, lambda reason: None)
        server.web = HttpApp(server)
        server.phase = "ready"
        node.engine.host.connections = ServerConnections(server)
        self.other = self.resp()

    def _connected(self, connection: Connection) -> Client:
        client = Client(connection)
        connection.connection_made(client)
        return client

    def http(self) -> Client:
        """A new HTTP client."""
        return self._connected(HttpConnection(self.server))

    def resp(self) -> Client:
        """A new RESP client."""
        return self._connected(RespConnection(self.server))

    async def websocket(self, path: str) -> Client:
        """A new HTTP client that has become a WebSocket, and has read the welcome."""
        client = self.http()
        client.send(handshake(path))
        await self.turns()
        assert b" 101 " in client.said()
        return client

    async def ask(self, *words: Any) -> Any:
        """The reply to a command of another client."""
        self.other.ask(*words)
        await self.turns()
        (reply,) = self.other.replies()
        return reply

    async def turns(self, count: int = 10) -> None:
        """Let the loop go round."""
        for _ in range(count):
            await asyncio.sleep(0)

    @property
    def held_count(self) -> int:
        """How many connections a pause holds back."""
        return len(self.engine.diagnostics._on_unpause)


@asynccontextmanager
async def open_place(**settings: Any) -> AsyncIterator[Place]:
    """A server without sockets; `limits__output_pause_bytes` stands for the setting limits.output_pause_bytes."""
    dates = Machine.date_line, Dates.until
    place = Place({name.replace("__", "."): value for name, value in settings.items()})
    try:
        yield place
    finally:
        Machine.date_line, Dates.until = dates
        place.server.turn.end()
        place.server.turn.close()
        assert place.server.node is not None
        place.server.node.stop()


def run(tale: Callable[[Place], Awaitable[None]], **settings: int) -> None:
    """Tell a tale in a place of its own, without errors, and with nobody held at its end."""

    async def told() -> None:
        async with open_place(**settings) as place:
            await tale(place)
            assert not place.errors and place.held_count == 0

    asyncio.run(told())


def request(method: str, path: str, body: bytes = b"") -> bytes:
    """A request as bytes."""
    return b"%b %b HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%b" % (
        method.encode(), path.encode(), len(body), body,
    )  # fmt: skip


def frame(opcode: int, payload: bytes) -> bytes:
    """A masked WebSocket frame; the mask is zeros."""
    assert len(payload) < 126
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + MASK + payload


__all__ = ["Client", "Place", "frame", "open_place", "request"]
