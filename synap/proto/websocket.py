"""WebSocket (RFC 6455), server side, without sockets, clocks or awaiting.

    accept(request) -> Accepted | Response            the handshake: 101, or why not
    receive_data(bytes) -> [ wsproto's frames ] -> next_event() -> Message | Ping | Pong | PeerClosed | Failed
    send_text, ping, pong, close -> bytes

wsproto parses and checks frames: opcodes, masks, shortest lengths, fragments, control frames. This file adds the
rest. `Gate` counts the inflated octets of a message while they arrive, and stops at the limit; a length that a peer
announces is compared with the limit, but no buffer is sized by it. `Gate` receives every piece of payload at once,
so a bad octet of UTF-8 or deflate ends the connection when it arrives, not at the end of the frame. Close codes are
those that IANA lists as usable on the wire.

A peer's fault is returned once, as Failed with the code to close with. After `close` only the peer's Close counts,
and after both Closes `next_event` returns CLOSED.
"""

import re
import struct
from codecs import getincrementaldecoder
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias

from wsproto.extensions import Extension
from wsproto.frame_protocol import (
    CloseReason,
    Frame,
    FrameDecoder,
    FrameProtocol,
    MessageDecoder,
    Opcode,
    ParseFailed,
    RsvBits,
)
from wsproto.utilities import generate_accept_token

from synap.moves import Moves
from synap.proto.deflate import DEFLATE_BYTES_MIN, BadDeflate, BadOffers, Deflate, agree
from synap.proto.http import CLOSED, NEED_DATA, LocalProtocolError, Request, Response, Signal
from synap.proto.http_rules import values
from synap.proto.rest import json_response

# Close codes that the server sends.

NORMAL, GOING_AWAY, POLICY, INTERNAL = 1000, 1001, 1008, 1011
NO_CODE: Final = 1005
"""Means a Close without a code; never sent."""

CODES: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})
"""Close codes that a peer may send; 1004 to 1006 and 1015 are not allowed on the wire, others are undefined."""

CONTROL_BYTES_MAX: Final = 125
REASON_BYTES_MAX: Final = CONTROL_BYTES_MAX - 2
DEFLATE_OVERHEAD: Final = 64
"""Octets that deflate may add to an incompressible message, besides a thousandth of its size."""

KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==")
VERSION: Final = b"13"

FIN, RSV1 = 0x80, 0x40


# Events.


@dataclass(slots=True)
class Message:
    """A whole message; a text is UTF-8."""

    data: bytes
    text: bool


@dataclass(slots=True)
class Ping:
    """A ping; answer with a pong of the same payload."""

    payload: bytes


@dataclass(slots=True)
class Pong:
    """A pong: the peer is alive."""

    payload: bytes


@dataclass(slots=True)
class PeerClosed:
    """The peer's Close. `close(code)` answers it, unless the server closed first."""

    code: int
    reason: str


@dataclass(slots=True)
class Failed:
    """A violation of the protocol or a limit: call `close(code, reason)` and disconnect."""

    code: int
    reason: str


Event: TypeAlias = (
    Message | Ping | Pong | PeerClosed | Failed | Literal[Signal.NEED_DATA, Signal.CLOSED]
)


class Phase(Enum):
    """How far the closing handshake is."""

    OPEN = "both sides may send messages"
    CLOSE_SENT = "the peer's Close frame is awaited; its messages are dropped"
    CLOSE_RECEIVED = "the server's Close frame has to be sent"
    CLOSED = "nothing more"


class PhaseEvent(Enum):
    """A step of the closing handshake."""

    SEND_CLOSE = "the server sends its Close frame"
    RECEIVE_CLOSE = "the peer's Close frame arrives, or the peer breaks the protocol"


OPEN, CLOSE_SENT, CLOSE_RECEIVED, CLOSED_BOTH = Phase.OPEN, Phase.CLOSE_SENT, Phase.CLOSE_RECEIVED, Phase.CLOSED

PHASES: Final = Moves({
    OPEN: {PhaseEvent.SEND_CLOSE: CLOSE_SENT, PhaseEvent.RECEIVE_CLOSE: CLOSE_RECEIVED},
    CLOSE_SENT: {PhaseEvent.RECEIVE_CLOSE: CLOSED_BOTH},
    CLOSE_RECEIVED: {PhaseEvent.SEND_CLOSE: CLOSED_BOTH},
    CLOSED_BOTH: {},
})  # fmt: skip


# The handshake.


@dataclass(slots=True)
class Accepted:
    """The reply that opens the WebSocket, and the agreed compression."""

    reply: bytes
    deflate: Deflate | None


def accept(
    request: Request, *, compression: bool = True, headers: Sequence[tuple[bytes, bytes]] = ()
) -> Accepted | Response:
    """Answer the request of an `Upgrade` event: accept, with some headers, or return the response that refuses."""
    versions, keys = values(request.headers, b"sec-websocket-version"), values(request.headers, b"sec-websocket-key")
    if versions != [VERSION]:
        found = b", ".join(versions).decode("latin-1") or "none"
        return refusal(426, f"Sec-WebSocket-Version: wanted 13, found {found[:40]}")
    if len(keys) != 1 or KEY.fullmatch(keys[0]) is None:
        return refusal(400, "Sec-WebSocket-Key: wanted one value, base64 of 16 bytes")
    deflate = None
    try:
        offered = b",".join(values(request.headers, b"sec-websocket-extensions")).decode("latin-1")
        if compression:
            deflate = agree(offered)
    except BadOffers as error:
        return refusal(400, f"Sec-WebSocket-Extensions: {error}")
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"upgrade: websocket",
        b"connection: Upgrade",
        b"sec-websocket-accept: " + generate_accept_token(keys[0]),
    ]
    if deflate is not None:
        lines.append(b"sec-websocket-extensions: " + deflate.told.encode())
    lines += [name + b": " + value for name, value in headers]
    return Accepted(b"\r\n".join(lines) + b"\r\n\r\n", deflate)


def refusal(status: int, text: str) -> Response:
    """Return a response that refuses a WebSocket, or (426) asks for the upgrade."""
    headers = [(b"upgrade", b"websocket"), (b"sec-websocket-version", VERSION)] if status == 426 else []
    return json_response(status, {"error": text, "code": status}, headers=headers)


# Frames in.


class Gate(Extension):
    """A wsproto extension that checks every frame header and every piece of payload before it is stored.

    wsproto passes a header again if its mask has not arrived yet, so checking a header changes no count.
    """

    name = "gate"

    def __init__(self, bytes_max: int, fragments_max: int, deflate: Deflate | None) -> None:
        self.bytes_max, self.fragments_max = bytes_max, fragments_max
        self.deflate = deflate
        self.fault = ""  # reason of a refusal
        self._inside = False  # True between the first and the last fragment of a message
        self._size = self._raw = self._fragments = 0  # of this message: inflated octets, octets on the wire, frames
        self._control = self._deflated = False

    def enabled(self) -> bool:
        return True

    def offer(self) -> bool:
        return False

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        self._control = opcode.iscontrol()
        if self._control:
            return RsvBits(False, False, False)
        first = opcode is not Opcode.CONTINUATION
        if first is self._inside:
            self.fault = "a new message within a message" if first else "a continuation frame without a message"
            return CloseReason.PROTOCOL_ERROR
        if first:
            self._deflated = rsv.rsv1 and self.deflate is not None
        most = self.bytes_max
        if self._deflated:
            most += most // 1000 + DEFLATE_OVERHEAD
        if self._raw + payload_length > most:
            return self._too_big()
        if self._fragments >= self.fragments_max:
            self.fault = f"a message of more than {self.fragments_max} fragments"
            return CloseReason.MESSAGE_TOO_BIG
        return RsvBits(first and self.deflate is not None, False, False)

    def frame_inbound_payload_data(
        self, proto: FrameDecoder | FrameProtocol, data: bytes
    ) -> bytes | CloseReason:
        if self._control:
            return data
        self._raw += len(data)
        return self._counted(data, False)

    def frame_inbound_complete(
        self, proto: FrameDecoder | FrameProtocol, fin: bool
    ) -> bytes | CloseReason | None:
        if self._control:
            return None
        self._fragments += 1
        self._inside = not fin
        if not fin:
            return None
        found = self._counted(b"", True) if self._deflated else None
        self._size = self._raw = self._fragments = 0
        return found

    def _counted(self, data: bytes, end: bool) -> bytes | CloseReason:
        if self._deflated and self.deflate is not None:
            bytes_left = self.bytes_max - self._size
            try:
                data = self.deflate.inflate_end(bytes_left) if end else self.deflate.inflate(data, bytes_left)
            except BadDeflate as error:
                self.fault = f"invalid compressed data: {error}"
                return CloseReason.INVALID_FRAME_PAYLOAD_DATA
        self._size += len(data)
        return self._too_big() if self._size > self.bytes_max else data

    def _too_big(self) -> CloseReason:
        self.fault = f"a message above {self.bytes_max} bytes"
        return CloseReason.MESSAGE_TOO_BIG


class Texts(MessageDecoder):
    """A message decoder that checks the UTF-8 of texts as octets arrive, and passes the octets on unchanged."""

    def process_frame(self, frame: Frame) -> Frame:
        if self.opcode is None:
            self.opcode = frame.opcode
            self.decoder = getincrementaldecoder("utf-8")() if frame.opcode is Opcode.TEXT else None
        finished = frame.frame_finished and frame.message_finished
        assert isinstance(frame.payload, bytes)
        if self.decoder is not None:
            try:
                self.decoder.decode(frame.payload, finished)
                begun = b"" if finished else self.decoder.getstate()[0]
                if begun[:1] == b"\xed" and begun[1:2] >= b"\xa0":  # a surrogate: Python would wait for the third octet
                    raise UnicodeDecodeError("utf-8", begun, 0, 2, "surrogate")
            except UnicodeDecodeError as error:
                raise ParseFailed(f"invalid UTF-8: {error.reason}", CloseReason.INVALID_FRAME_PAYLOAD_DATA) from None
        found = Frame(self.opcode, frame.payload, frame.frame_finished, finished)
        if finished:
            self.opcode = self.decoder = None
        return found


class Frames(FrameProtocol):
    """wsproto's frame reader with stricter checks of texts and close codes."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(client=False, extensions=[gate])
        self._message_decoder = Texts()

    def _process_close(self, frame: Frame) -> Frame:
        data = frame.payload
        assert isinstance(data, bytes)
        code, reason = NO_CODE, ""
        if data:
            if len(data) == 1:
                raise ParseFailed("a Close frame with half of a code")
            code = int.from_bytes(data[:2], "big")
            if code not in CODES:
                raise ParseFailed(f"a Close frame with the code {code}")
            try:
                reason = data[2:].decode()
            except UnicodeDecodeError as error:
                raise ParseFailed(f"invalid UTF-8: {error.reason}", CloseReason.INVALID_FRAME_PAYLOAD_DATA) from None
        return Frame(frame.opcode, (code, reason), True, True)


class Machine:
    """The server side of one WebSocket.

    `message_bytes_max` limits the inflated octets of a message, `fragments_max` its frames. An incomplete
    message takes memory for its octets only, however many frames brought them.
    """

    __slots__ = ("_deflate", "_frames", "_gate", "_kept", "_phase")

    def __init__(
        self, *, message_bytes_max: int = 1 << 20, fragments_max: int = 100_000, deflate: Deflate | None = None
    ) -> None:
        self._deflate = deflate
        self._gate = Gate(message_bytes_max, fragments_max, deflate)
        self._frames = Frames(self._gate)
        self._kept = bytearray()
        self._phase = OPEN

    # In.

    def receive_data(self, data: bytes) -> None:
        """Buffer received bytes; `next_event` parses them."""
        if self._phase is OPEN or self._phase is CLOSE_SENT:
            self._frames.receive_bytes(data)

    def next_event(self) -> Event:
        """Return the peer's next event, NEED_DATA or CLOSED. After `close` only the peer's Close is returned."""
        while self._phase is OPEN or self._phase is CLOSE_SENT:
            try:
                frame = next(self._frames.received_frames(), None)
            except ParseFailed as error:
                self._ended()
                why, self._gate.fault = self._gate.fault or str(error), ""
                return Failed(int(error.code), why)
            if frame is None:
                return NEED_DATA
            event = self._event(frame)
            if event is not None and (self._phase is OPEN or type(event) is PeerClosed):
                return event
        return CLOSED

    def _event(self, frame: Frame) -> Message | Ping | Pong | PeerClosed | None:
        payload = frame.payload
        if isinstance(payload, tuple):
            self._ended()
            return PeerClosed(int(payload[0]), payload[1])
        assert isinstance(payload, bytes)
        if frame.opcode is Opcode.PING:
            return Ping(payload)
        if frame.opcode is Opcode.PONG:
            return Pong(payload)
        if not frame.message_finished:
            self._kept += payload
            return None
        if self._kept:
            payload = bytes(self._kept + payload)
            self._kept = bytearray()
        return Message(payload, frame.opcode is Opcode.TEXT)

    def _ended(self) -> None:
        self._phase = PHASES.after(self._phase, PhaseEvent.RECEIVE_CLOSE)
        self._kept = bytearray()

    # Out.

    @property
    def open(self) -> bool:
        """True if messages may be sent."""
        return self._phase is OPEN

    @property
    def awaits_close(self) -> bool:
        """True if the server's Close was sent and the peer's has not arrived."""
        return self._phase is CLOSE_SENT

    def send_text(self, text: bytes) -> bytes:
        """Return the frame of a text message, given as UTF-8."""
        self._check_open()
        if self._deflate is not None and len(text) >= DEFLATE_BYTES_MIN:
            return encode_frame(FIN | RSV1 | Opcode.TEXT, self._deflate.deflate(text))
        return encode_frame(FIN | Opcode.TEXT, text)

    def ping(self, payload: bytes = b"") -> bytes:
        """Return the frame of a ping, which asks if the peer is alive."""
        return self._control(Opcode.PING, payload)

    def pong(self, payload: bytes) -> bytes:
        """Return the frame of a pong, the answer to a ping."""
        return self._control(Opcode.PONG, payload)

    def close(self, code: int = NORMAL, reason: str = "") -> bytes:
        """Return the frame of a Close, empty if it was sent before. A reason is cut to REASON_BYTES_MAX bytes."""
        if self._phase is CLOSE_SENT or self._phase is CLOSED_BOTH:
            return b""
        if code != NO_CODE and code not in CODES:
            raise LocalProtocolError(f"not a code for a Close frame: {code}")
        self._phase = PHASES.after(self._phase, PhaseEvent.SEND_CLOSE)
        text = reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore").encode()
        return encode_frame(FIN | Opcode.CLOSE, b"" if code == NO_CODE else code.to_bytes(2, "big") + text)

    def _control(self, opcode: Opcode, payload: bytes) -> bytes:
        self._check_open()
        if len(payload) > CONTROL_BYTES_MAX:
            raise LocalProtocolError(f"a control frame of {len(payload)} bytes, above {CONTROL_BYTES_MAX}")
        return encode_frame(FIN | opcode, payload)

    def _check_open(self) -> None:
        if self._phase is not OPEN:
            raise LocalProtocolError(f"a frame while the socket is not open: {self._phase.value}")


def encode_frame(first: int, payload: bytes) -> bytes:
    """Return a WebSocket frame as servers send it: not masked, with the shortest length field."""
    size = len(payload)
    if size <= CONTROL_BYTES_MAX:
        return b"%c%c%b" % (first, size, payload)
    if size < 1 << 16:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload
