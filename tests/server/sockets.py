"""WebSocket clients that hide nothing, and the talks that the tests let a server have.

    frame(TEXT, b"hi", rsv=4, mask=False, form=8)   any frame, also one that is wrong
    RawSocket(port).exchange(chunks)                what the server says to them, until it hangs up
"""

import base64
import os
import socket
import struct
import time
import zlib
from dataclasses import dataclass
from typing import Any

from synap.faults import BrokenNode
from synap.io.feeds import endpoints, websocket_connection
from synap.proto.http import Request, Response
from synap.proto.rest import json_response
from tests.server import faulty
from tests.server.clients import HOST

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = bytes.fromhex("37fa213d")
PATH = "/echo/ws"


# In the server.


class Echo(endpoints.Endpoint):
    """Says what it hears. Some words make it do what an endpoint may do wrong or may ask for."""

    def received(self, text: bytes) -> None:
        if text == b"!raise":
            raise RuntimeError("as the test wants it")
        if text == b"!close":
            self.connection.close(3000, "as asked")
        elif text.startswith(b"!flood "):
            self._left = int(text.split()[1])
            self.drained()
        elif text.startswith(b"!push "):  # without looking whether there is room
            for _ in range(int(text.split()[1])):
                self.connection.send_text(b"x" * 65536)
        elif text == b"!broken":
            raise BrokenNode("as the test wants it")
        elif text.startswith(b"!set "):
            body = b'{"key": "k", "value": "%b"}' % text[5:]
            server = self.connection.server
            said = server.web.answer(self.connection.caller, Request(b"POST", b"/kv/set", b"", [], body, True, b"1.1"))
            self.connection.send_text(said.body)
        elif text == b"!ended":
            self.connection.send_text(b"%d" % Echo.ends)
        else:
            self.connection.send_text(text)

    ends = 0
    _left = 0

    def drained(self) -> None:
        while self._left and not self.connection.full:
            self._left -= 1
            self.connection.send_text(os.urandom(32768).hex().encode())

    def ended(self) -> None:
        Echo.ends += 1


class Welcome(Echo):
    """Begins with what the path and the query gave."""

    def begin(self) -> None:
        self.connection.send_text(repr(sorted(self.parameters.items())).encode())


def install() -> None:
    """Called in a server before it starts."""

    def picky(server: Any, request: Request, parameters: dict[str, str]) -> Response | endpoints.EndpointFactory:
        if "keys" not in parameters:
            return json_response(400, {"error": "wanted 'keys'", "code": 400})
        return Welcome

    def broken(connection: Any, parameters: dict[str, str]) -> endpoints.Endpoint:
        raise RuntimeError("no endpoint, as the test wants it")

    endpoints.ROUTES[PATH] = lambda server, request, parameters: Echo
    endpoints.ROUTES["/room/{room}/ws/{who}"] = lambda server, request, parameters: Welcome
    endpoints.ROUTES["/picky/ws"] = picky
    endpoints.ROUTES["/broken/ws"] = lambda server, request, parameters: broken


def install_stuck() -> None:
    """The same, with a disk that can be held up; see `faulty`."""
    install()
    faulty.stuck_sync()


def install_hasty() -> None:
    """The same, with a second in which peers have to answer a Close frame."""
    install()
    websocket_connection.CLOSE_WAIT_S = 1.0


def install_failing() -> None:
    """The same, with a disk that can fail."""
    install()
    faulty.failing_slow_sync()


# In the client.


def masked(payload: bytes, key: bytes = MASK) -> bytes:
    """The payload as a client sends it."""
    size = len(payload)
    keys = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(keys, "big")).to_bytes(size, "big")


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bool = True,
          form: int = 0, announced: int | None = None) -> bytes:  # fmt: skip
    """One frame. `form` is the width of its length in octets, the shortest if 0; `announced` lies about it."""
    size = len(payload) if announced is None else announced
    width = form or (1 if size < 126 else 2 if size < 1 << 16 else 8)
    first, bit = fin << 7 | rsv << 4 | opcode, mask << 7
    if width == 1:
        head = bytes([first, bit | size])
    elif width == 2:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    return head + (MASK + masked(payload) if mask else payload)


def closing(code: int | None = 1000, reason: bytes = b"") -> bytes:
    """A Close."""
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def chopped(data: bytes, size: int) -> list[bytes]:
    """The same octets in pieces."""
    return [data[at : at + size] for at in range(0, len(data), size)]


@dataclass(frozen=True)
class Deflated:
    """A message to be compressed as was agreed on, and cut into so many fragments."""

    data: bytes
    fragments: int = 1
    opcode: int = TEXT


class Hung(ConnectionError):
    """The server hung up."""


class RawSocket:
    """One socket, octet for octet."""

    def __init__(self, port: int, path: str = PATH, offer: str = "", headers: str = "", receive_bytes: int = 0,
                 first: bytes = b"") -> None:  # fmt: skip
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(20)
        self.socket.connect((HOST, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        if offer:
            headers += f"Sec-WebSocket-Extensions: {offer}\r\n"
        self.socket.sendall((
            f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
        ).encode() + first)  # fmt: skip
        self.held = b""
        head = self._until(b"\r\n\r\n").decode("latin-1")
        self.status = int(head.split()[1])
        lines = (line.partition(":") for line in head.split("\r\n")[1:] if line)
        self.headers = {name.lower(): value.strip() for name, _, value in lines}
        self._agreed(self.headers.get("sec-websocket-extensions", ""))

    def __enter__(self) -> "RawSocket":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _agreed(self, told: str) -> None:
        split = (part.strip().partition("=") for part in told.split(";"))
        words = {name: value for name, _, value in split}
        self.deflates = "permessage-deflate" in words
        self.client_keeps = "client_no_context_takeover" not in words
        self.server_keeps = "server_no_context_takeover" not in words
        self.client_bits = max(9, int(words.get("client_max_window_bits", 15)))
        self.server_bits = max(9, int(words.get("server_max_window_bits", 15)))
        self._out: Any = None
        self._in: Any = None

    def _more(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise Hung("the server hung up")
        self.held += data

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.held:
            self._more()
        found, _, self.held = self.held.partition(mark)
        return found

    def _take(self, size: int) -> bytes:
        if len(self.held) < size:
            parts, have = [self.held], len(self.held)
            while have < size:
                data = self.socket.recv(1 << 18)
                if not data:
                    raise Hung("the server hung up")
                parts.append(data)
                have += len(data)
            self.held = b"".join(parts)
        found, self.held = self.held[:size], self.held[size:]
        return found

    def send(self, chunk: bytes | Deflated) -> None:
        """Send octets as they are, or a message that is compressed here."""
        self.socket.sendall(self._deflate(chunk) if isinstance(chunk, Deflated) else chunk)

    def _deflate(self, message: Deflated) -> bytes:
        assert self.deflates, "nothing was agreed on"
        if self._out is None or not self.client_keeps:
            self._out = zlib.compressobj(6, zlib.DEFLATED, -self.client_bits)
        data = self._out.compress(message.data) + self._out.flush(zlib.Z_SYNC_FLUSH)
        data = data[:-4]
        step = -(-len(data) // message.fragments)
        pieces = chopped(data, step)
        last = len(pieces) - 1
        return b"".join(
            frame(message.opcode if at == 0 else CONTINUATION, piece, fin=at == last, rsv=4 if at == 0 else 0)
            for at, piece in enumerate(pieces)
        )

    def read(self) -> tuple[int, bytes]:
        """(opcode, payload, inflated) of the next frame, which must be whole, not masked and in the shortest form."""
        first, second = self._take(2)
        assert first & 0x80 and not second & 0x80 and not first & 0x30, (first, second)
        size = second
        if size == 126:
            (size,) = struct.unpack("!H", self._take(2))
            assert size > 125
        elif size == 127:
            (size,) = struct.unpack("!Q", self._take(8))
            assert size > 65535
        payload = self._take(size)
        if first & 0x40:
            assert self.deflates and first & 0x0F in (TEXT, BINARY)
            if self._in is None or not self.server_keeps:
                self._in = zlib.decompressobj(-self.server_bits)
            payload = self._in.decompress(payload + b"\x00\x00\xff\xff")
        return first & 0x0F, payload

    def ended(self) -> bool:
        """Has the server said all that it will?"""
        try:
            return not self.held and self.socket.recv(1) == b""
        except ConnectionResetError:
            return False

    def ask(self, text: bytes) -> bytes:
        """Send a text and read one."""
        self.send(frame(TEXT, text))
        opcode, found = self.read()
        assert opcode == TEXT, (opcode, found)
        return found


def resident(pid: int) -> int:
    """Octets of memory that a process has in use."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid: int) -> int:
    """Files that a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def wait_until(true: Any, seconds: float = 15.0) -> None:
    """Look again and again."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
