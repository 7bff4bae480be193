"""HTTP/1.1, server side, without sockets, clocks or awaiting.

    receive_data(bytes) ->  [ framing -> strict rules -> h11 ]  ->  next_event() -> Request
                                                                    send(Response) -> bytes

`Machine` is the reference. It frames a head itself, refuses every form that two parsers could
read differently, and only then lets h11 parse the head. h11 defines HTTP; the rules of
`http_rules` only narrow it (h11 accepts a bare LF, folded lines, control characters in values,
`Content-Length: 5, 5`, a body with both lengths). A chunked body passes through `ChunkGate` in
the same way. Each request gets an h11 connection of its own, so no state of one request can
affect the next.

`http_fast.FastMachine` replaces `_open` for plain requests and inherits the rest.

One request is out at a time: after `Request` or `Upgrade`, `next_event` returns NEED_DATA until
`send`. Pipelined requests wait in the buffer. A fault of the peer is raised once, as
RemoteProtocolError with the status to answer; after that answer the machine is closed.
"""

from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from io import BytesIO
from typing import ClassVar, Final, Literal, TypeAlias

import h11

from synap.proto.http_phases import ANSWER, ANSWERED, BODY, FAULT, HEAD, PHASES, Phase, PhaseEvent
from synap.proto.http_rules import (
    HOST,
    TRAILER_LINE,
    UPGRADES,
    ChunkGate,
    Headers,
    HTTPError,
    LocalProtocolError,
    RemoteProtocolError,
    check_codings,
    read_fields,
    read_line,
    split_target,
    values,
    words,
)

__all__ = [
    "CLOSED", "JSON", "NEED_DATA", "Event", "HTTPError", "Headers", "LocalProtocolError", "Machine",
    "RemoteProtocolError", "Request", "Response", "Signal", "Upgrade", "encode",
]

# Events and replies

JSON: Final = b"application/json"


@dataclass(slots=True)
class Request:
    """A complete request. `path` and `query` are raw, header names are in lower case."""

    method: bytes
    path: bytes
    query: bytes
    headers: Headers
    body: bytes
    keep_alive: bool
    version: bytes
    coding: bytes = b""  # compression of the body: the words of Content-Encoding, without identity


@dataclass(slots=True)
class Upgrade:
    """A request to change the protocol: take over `trailing_data`, or `send` a refusal."""

    request: Request
    protocol: bytes


@dataclass(slots=True)
class Response:
    """A response. `close` ends the connection even if the peer would keep it."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    headers: Headers = field(default_factory=list)
    close: bool = False


class Signal(Enum):
    """Events without data."""

    NEED_DATA = "need data"
    CLOSED = "closed"


NEED_DATA: Final = Signal.NEED_DATA
CLOSED: Final = Signal.CLOSED

Event: TypeAlias = Request | Upgrade | Literal[Signal.NEED_DATA, Signal.CLOSED]


# Replies

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
BODILESS: Final = frozenset({204, 304})

JSON_OPENINGS: Final = {
    status: b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: %%d\r\n%%b\r\n" % (status, reason, JSON)
    for status, reason in REASONS.items()
    if status >= 200 and status not in BODILESS
}
"""Status -> the bytes before the body of an ordinary reply, with gaps for the length and the date line."""


def encode(response: Response, closing: bool, headless: bool) -> bytes:
    """Return the bytes of a response; `headless` omits the body but gives its length (HEAD)."""
    if response.status not in REASONS or response.status < 200:
        raise LocalProtocolError(f"not a final status: {response.status}")
    headers = [(b"content-type", response.content_type)] if response.content_type else []
    headers += response.headers
    if response.status in BODILESS:
        headless = True
    else:
        headers.append((b"content-length", b"%d" % len(response.body)))
    if closing:
        headers.append((b"connection", b"close"))
    lines = [b"%b: %b\r\n" % header for header in headers]
    if any(TRAILER_LINE.fullmatch(line) is None for line in lines):
        raise LocalProtocolError(f"a header of the reply has bytes that are not allowed: {headers!r}")
    lines.append(Machine.date_line)
    opening = b"HTTP/1.1 %d %b\r\n%b\r\n" % (response.status, REASONS[response.status], b"".join(lines))
    return opening if headless else opening + response.body


class Machine:
    """The server side of one connection, parsed by h11.

    `head_bytes_max` limits request line and headers with their line ends (431 above), and trailers
    separately; `headers_max` limits the number of headers (431); `body_bytes_max` limits decoded
    bytes (413, from the announced length if there is one). A body is stored as it arrives and its
    buffer grows by doubling; no buffer is sized by an announced length. The limits may be changed
    between events. `arriving` gives a request whose body is not complete, so that a server can
    refuse it early: `send` in that state answers and closes.
    """

    date_line: ClassVar[bytes] = b""
    """The header line Date of every reply of this process; the owner of a clock keeps it current."""

    __slots__ = (
        "_at", "_body", "_bytes_left", "_data", "_eof", "_expects", "_gate", "_h11", "_interim", "_lines",
        "_phase", "_request", "_scanned", "body_bytes_max", "head_bytes_max", "headers_max",
    )

    def __init__(
        self, *, head_bytes_max: int = 65_536, body_bytes_max: int = 536_870_912, headers_max: int = 100
    ) -> None:
        self.head_bytes_max = head_bytes_max
        self.body_bytes_max = body_bytes_max
        self.headers_max = headers_max
        self._phase = Phase.HEAD
        self._data: bytes | bytearray = b""  # bytes of one read, a bytearray once reads add up
        self._at = 0  # consumed up to here; 0 where _data is empty
        self._eof = False
        self._scanned = 0  # bytes of an unfinished head that were searched
        self._lines = 0  # lines of that head that were found
        self._request: Request | None = None
        self._h11: h11.Connection | None = None
        self._gate: ChunkGate | None = None
        self._bytes_left = 0
        self._body = BytesIO()
        self._expects = False
        self._interim = b""

    # In

    def receive_data(self, data: bytes | memoryview) -> None:
        """Buffer received bytes; `next_event` parses them."""
        held = self._data
        if not held:
            if self._phase is not Phase.CLOSED and self._phase is not FAULT:
                self._data = bytes(data)
        elif isinstance(held, bytearray):
            if self._at:
                del held[: self._at]
                self._at = 0
            held += data
        else:
            grown = bytearray(memoryview(held)[self._at :])
            grown += data
            self._data, self._at = grown, 0

    def receive_eof(self) -> None:
        """Note that the peer will send no more; requests in the buffer are still served."""
        self._eof = True

    def next_event(self) -> Event:
        """Return the peer's next request or upgrade, NEED_DATA or CLOSED.

        Raise RemoteProtocolError once, for the first byte that cannot be served; CLOSED follows.
        """
        try:
            if self._phase is HEAD:
                end = self._head_end()
                if not end:
                    return self._starved()
                self._open(end)
            if self._phase is BODY:
                return self._complete() if self._read_body() else self._starved()
        except RemoteProtocolError:
            self._end(PhaseEvent.FAIL)
            raise
        return CLOSED if self._phase is FAULT or self._phase is Phase.CLOSED else NEED_DATA

    def take_interim(self) -> bytes:
        """Return bytes to write before the reply: `100 Continue` or none. Call this on NEED_DATA."""
        interim, self._interim = self._interim, b""
        return interim

    @property
    def arriving(self) -> Request | None:
        """The request whose head is decided and whose body is incomplete, or None."""
        return self._request if self._phase is BODY else None

    @property
    def unfinished(self) -> bool:
        """True if only a part of a request has arrived."""
        return self._phase is BODY or (self._phase is HEAD and bool(self._data))

    @property
    def trailing_data(self) -> bytes:
        """The received bytes that are not consumed: after Upgrade, the first bytes of the other protocol."""
        return bytes(self._data[self._at :])

    # Out

    def send(self, response: Response) -> bytes:
        """Return the bytes of the reply to the current request, or to the fault that was raised."""
        request = self._request
        if (
            self._phase is ANSWER
            and request is not None
            and request.keep_alive
            and request.method != b"HEAD"
            and response.content_type == JSON
            and not response.headers
            and not response.close
        ):
            opening = JSON_OPENINGS.get(response.status)
            if opening is not None:
                self._phase = ANSWERED
                self._request = None
                return opening % (len(response.body), self.date_line) + response.body
        if self._phase is HEAD or self._phase is Phase.CLOSED:
            raise LocalProtocolError("a reply without a request")
        early = self._phase is BODY or self._phase is FAULT
        closing = response.close or early or request is None or not request.keep_alive
        reply = encode(response, closing, request is not None and request.method == b"HEAD")
        if closing:
            self._end(PhaseEvent.END)
        else:
            self._move(PhaseEvent.ANSWER)
        self._request = None
        return reply

    # A head

    def _head_end(self) -> int:
        """Return the end of the head, or 0 while the head is incomplete.

        Each byte is examined once, however reads cut the head, and the earliest wrong line is
        refused: the fault is the same for every cut.
        """
        data, start = self._data, self._at
        if start == len(data):
            return 0
        if not self._scanned and data[start] <= 0x20:
            raise RemoteProtocolError(400, "malformed request line: want a method")
        stop = min(len(data), start + self.head_bytes_max)
        at = start + self._scanned
        while (end := data.find(b"\n", at, stop)) >= 0:
            if data[end - 1] != 0x0D or end == start:
                raise RemoteProtocolError(400, "line ends in a bare LF: want CRLF")
            self._lines += 1
            if self._lines == 1:
                read_line(bytes(data[start : end - 1]))
            elif data[end - 3 : end - 1] == b"\r\n":
                self._scanned = self._lines = 0
                return end + 1
            elif self._lines > self.headers_max + 1:
                raise RemoteProtocolError(431, f"more than {self.headers_max} headers")
            at = end + 1
        if len(data) - start >= self.head_bytes_max:
            raise RemoteProtocolError(431, f"request head above {self.head_bytes_max} bytes")
        self._scanned = stop - start
        return 0

    def _open(self, end: int) -> None:
        """Parse and consume the head that ends at `end`; the body comes next."""
        head = bytes(self._data[self._at : end])
        line_end = head.index(b"\r\n")
        method, target, version = read_line(head[:line_end])
        told = read_fields(head, line_end + 2)
        # Checked before h11, which reads "5, 5" as 5 and drops the second of two equal lengths.
        codings, lengths = values(told, b"transfer-encoding"), values(told, b"content-length")
        check_codings(codings, lengths, version)
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=self.head_bytes_max)
        self._h11.receive_data(head)
        parsed = self._ask_h11()
        assert isinstance(parsed, h11.Request)
        assert (parsed.method, parsed.target, parsed.http_version) == (method, target, version)

        headers = list(parsed.headers)
        authority, path, query = split_target(method, target)
        host = b"".join(values(headers, b"host"))
        if HOST.fullmatch(host) is None or (authority is not None and authority.lower() != host.lower()):
            raise RemoteProtocolError(400, "malformed Host, or another than in the target")
        keep_alive = version == b"1.1" and b"close" not in words(headers, b"connection")
        length = int(lengths[0]) if lengths else 0
        if length > self.body_bytes_max:
            raise RemoteProtocolError(413, f"body above {self.body_bytes_max} bytes")
        expected = words(headers, b"expect") if version == b"1.1" else set()
        if expected - {b"100-continue"}:
            raise RemoteProtocolError(417, "want Expect: 100-continue")

        self._expects = bool(expected)
        self._bytes_left = length
        gate = ChunkGate(self.body_bytes_max, self.head_bytes_max, self.headers_max) if codings else None
        self._gate = gate
        coding = b", ".join(sorted(words(headers, b"content-encoding") - {b"", b"identity"}))
        self._request = Request(method, path, query, headers, b"", keep_alive, version, coding)
        self._consume(end)
        self._move(PhaseEvent.OPEN)

    # A body

    def _read_body(self) -> bool:
        """Move the received bytes into the body; return True once the body is complete."""
        data, at, gate = self._data, self._at, self._gate
        if gate is None:
            stop = min(len(data), at + self._bytes_left)
            self._bytes_left -= stop - at
            whole = not self._bytes_left
        else:
            stop = gate.admit(data, at)
            whole = gate.finished
        if stop > at:
            self._expects = False
            piece = data[at:stop]
            self._consume(stop)
            if self._h11 is None:
                self._body.write(piece)
            else:
                self._decode(piece)
        if self._expects and not whole:
            self._expects = False
            self._interim = CONTINUE
        return whole

    def _decode(self, piece: bytes | bytearray) -> None:
        assert self._h11 is not None
        self._h11.receive_data(bytes(piece))
        while isinstance(event := self._ask_h11(), h11.Data):
            self._body.write(event.data)

    def _ask_h11(self) -> object:
        assert self._h11 is not None
        try:
            return self._h11.next_event()
        except h11.RemoteProtocolError as error:
            raise RemoteProtocolError(error.error_status_hint, str(error)) from error

    def _complete(self) -> Event:
        request = self._request
        assert request is not None
        if self._body.tell():
            request.body = self._body.getvalue()  # shares the buffer, does not copy it
            self._body = BytesIO()
        self._h11 = self._gate = None
        self._interim = b""
        offered = words(request.headers, b"upgrade") & UPGRADES
        plain = request.method == b"GET" and request.version == b"1.1" and not request.body
        if offered and plain and b"upgrade" in words(request.headers, b"connection"):
            self._move(PhaseEvent.UPGRADE)
            return Upgrade(request, min(offered))
        self._move(PhaseEvent.COMPLETE)
        return request

    # Between

    def _starved(self) -> Event:
        if not self._eof:
            return NEED_DATA
        if self._phase is HEAD and not self._data:
            self._end(PhaseEvent.END)
            return CLOSED
        raise RemoteProtocolError(400, "connection ended inside a request")

    def _consume(self, end: int) -> None:
        if end == len(self._data):
            self._data, self._at = b"", 0  # an idle connection holds no buffer
        else:
            self._at = end

    def _move(self, event: PhaseEvent) -> None:
        self._phase = PHASES.after(self._phase, event)

    def _end(self, event: PhaseEvent) -> None:
        """Move to FAULT or CLOSED by FAIL or END, and drop all other received bytes."""
        self._move(event)
        self._data, self._at = b"", 0
        self._body = BytesIO()
        self._h11 = self._gate = None
        self._interim = b""
