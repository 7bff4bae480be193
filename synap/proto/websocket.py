"""The server side of WebSocket (RFC 6455), without sockets, clocks or awaiting.

    accept(request) -> Accepted | Response            the handshake: 101, or why not
    receive_data(bytes) -> [ wsproto's frames ] -> next_event() -> Message | Ping | Pong | PeerClosed | Failed
    send_text, ping, pong, close -> bytes

wsproto reads frames and judges them: opcodes, masks, shortest lengths, fragments, control frames. What it does
not do stands here: `Gate` counts a message while it arrives, inflated, and ends it at the limit (the lengths
that a peer announces are compared with the limit and size nothing); it is fed every piece of payload at once, so
that a bad octet of UTF-8 or of deflate ends the connection when it comes and not with the frame; close codes
are those that IANA lists as usable on the wire.

A peer's fault is told once, as Failed with the code to close with. After `close` nothing but the peer's Close
is waited for, and after both there is CLOSED.
"""

import re
import struct
from codecs import getincrementaldecoder
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

from synap.proto.deflate import DEFLATE_BYTES_MIN, BadDeflate, BadOffers, Deflate, agree
from synap.proto.http import CLOSED, NEED_DATA, LocalProtocolError, Request, Response, Signal
from synap.proto.http_rules import values
from synap.proto.rest import json_response

# Close codes that we send.

NORMAL, GOING_AWAY, PROTOCOL_ERROR, BAD_DATA, POLICY, TOO_BIG, INTERNAL = 1000, 1001, 1002, 1007, 1008, 1009, 1011
NO_CODE: Final = 1005
"""Stands for a Close without a code; never on the wire."""

CODES: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})
"""What a peer may close with; 1004 to 1006 and 1015 have no place on the wire, the rest means nothing yet."""

CONTROL_BYTES_MAX: Final = 125
REASON_BYTES_MAX: Final = CONTROL_BYTES_MAX - 2
DEFLATE_OVERHEAD: Final = 64
"""What deflate may add to a message that cannot be compressed, besides a thousandth."""

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
    """To be answered with a pong of the same payload."""

    payload: bytes


@dataclass(slots=True)
class Pong:
    """The peer lives."""

    payload: bytes


@dataclass(slots=True)
class PeerClosed:
    """The peer's Close. `close(code)` answers it, if we have not closed before."""

    code: int
    reason: str


@dataclass(slots=True)
class Failed:
    """The peer broke the protocol or a limit: `close(code, reason)` and hang up."""

    code: int
    reason: str


Event: TypeAlias = (
    Message | Ping | Pong | PeerClosed | Failed | Literal[Signal.NEED_DATA, Signal.CLOSED]
)


class Phase(Enum):
    """Where the connection stands."""

    OPEN = "open"
    CLOSING = "we have closed, the peer has not"
    OWING = "the peer has closed or failed, and our Close is owed"
    CLOSED = "nothing more"


# The handshake.


@dataclass(slots=True)
class Accepted:
    """The reply that opens the socket, and what was agreed on."""

    reply: bytes
    deflate: Deflate | None


def accept(request: Request, *, compression: bool = True) -> Accepted | Response:
    """Answer the request of an `Upgrade` event."""
    versions, keys = values(request.headers, b"sec-websocket-version"), values(request.headers, b"sec-websocket-key")
    if versions != [VERSION]:
        found = b", ".join(versions).decode("latin-1") or "none"
        return refusal(426, f"Sec-WebSocket-Version: wanted 13, found {found[:40]}")
    if len(keys) != 1 or KEY.fullmatch(keys[0]) is None:
        return refusal(400, "Sec-WebSocket-Key: wanted one, base64 of 16 bytes")
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
    return Accepted(b"\r\n".join(lines) + b"\r\n\r\n", deflate)


def refusal(status: int, text: str) -> Response:
    """A reply to who wants a socket and does not get it, or has to ask for one."""
    headers = [(b"upgrade", b"websocket"), (b"sec-websocket-version", VERSION)] if status == 426 else []
    return json_response(status, {"error": text, "code": status}, headers=headers)


# Frames in.


class Gate(Extension):
    """Sees every frame's header and every piece of payload before anything is kept.

    wsproto asks about a header again when its mask has not arrived yet, so a look at one changes nothing.
    """

    name = "gate"

    def __init__(self, bytes_max: int, fragments_max: int, deflate: Deflate | None) -> None:
        self.bytes_max, self.fragments_max = bytes_max, fragments_max
        self.deflate = deflate
        self.fault = ""  # why a piece was refused
        self._inside = False  # of a message: a fragment has come, and not the last
        self._size = self._raw = self._fragments = 0  # of this message: octets, the same as they came, frames
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
            self.fault = "a message within a message" if first else "a continuation of nothing"
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
            room = self.bytes_max - self._size
            try:
                data = self.deflate.inflate_end(room) if end else self.deflate.inflate(data, room)
            except BadDeflate as error:
                self.fault = f"no deflate: {error}"
                return CloseReason.INVALID_FRAME_PAYLOAD_DATA
        self._size += len(data)
        return self._too_big() if self._size > self.bytes_max else data

    def _too_big(self) -> CloseReason:
        self.fault = f"a message above {self.bytes_max} bytes"
        return CloseReason.MESSAGE_TOO_BIG


class Texts(MessageDecoder):
    """Looks at the octets of a text as they come, and passes them on as they are."""

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
                if begun[:1] == b"\xed" and begun[1:2] >= b"\xa0":  # Python would wait for the third octet
                    raise UnicodeDecodeError("utf-8", begun, 0, 2, "surrogate")
            except UnicodeDecodeError as error:
                raise ParseFailed(f"no UTF-8: {error.reason}", CloseReason.INVALID_FRAME_PAYLOAD_DATA) from None
        found = Frame(self.opcode, frame.payload, frame.frame_finished, finished)
        if finished:
            self.opcode = self.decoder = None
        return found


class Frames(FrameProtocol):
    """wsproto's reader, with our judgement of texts and close codes."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(client=False, extensions=[gate])
        self._message_decoder = Texts()

    def _process_close(self, frame: Frame) -> Frame:
        data = frame.payload
        assert isinstance(data, bytes)
        code, reason = NO_CODE, ""
        if data:
            if len(data) == 1:
                raise ParseFailed("a Close with half a code")
            code = int.from_bytes(data[:2], "big")
            if code not in CODES:
                raise ParseFailed(f"a Close with code {code}")
            try:
                reason = data[2:].decode()
            except UnicodeDecodeError as error:
                raise ParseFailed(f"no UTF-8: {error.reason}", CloseReason.INVALID_FRAME_PAYLOAD_DATA) from None
        return Frame(frame.opcode, (code, reason), True, True)


class Machine:
    """One socket, seen from the server.

    `message_bytes_max` counts the octets of a message, inflated; `fragments_max` the frames that it comes in.
    Of a message that is not whole no more than its octets is kept, however many frames they came in.
    """

    __slots__ = ("_deflate", "_frames", "_gate", "_kept", "_phase")

    def __init__(
        self, *, message_bytes_max: int = 1 << 20, fragments_max: int = 100_000, deflate: Deflate | None = None
    ) -> None:
        self._deflate = deflate
        self._gate = Gate(message_bytes_max, fragments_max, deflate)
        self._frames = Frames(self._gate)
        self._kept = bytearray()
        self._phase = Phase.OPEN

    # In.

    def receive_data(self, data: bytes) -> None:
        """Take what was read; nothing is parsed before `next_event`."""
        if self._phase is Phase.OPEN or self._phase is Phase.CLOSING:
            self._frames.receive_bytes(data)

    def next_event(self) -> Event:
        """What the peer says next, or NEED_DATA, or CLOSED. Once we have closed, only its Close counts."""
        while self._phase is Phase.OPEN or self._phase is Phase.CLOSING:
            try:
                frame = next(self._frames.received_frames(), None)
            except ParseFailed as error:
                self._ended()
                why, self._gate.fault = self._gate.fault or str(error), ""
                return Failed(int(error.code), why)
            if frame is None:
                return NEED_DATA
            event = self._event(frame)
            if event is not None and (self._phase is not Phase.CLOSING or type(event) is PeerClosed):
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
        self._phase = Phase.CLOSED if self._phase is Phase.CLOSING else Phase.OWING
        self._kept = bytearray()

    # Out.

    @property
    def open(self) -> bool:
        """May something be sent?"""
        return self._phase is Phase.OPEN

    @property
    def closing(self) -> bool:
        """Have we closed, and is the peer's Close still to come?"""
        return self._phase is Phase.CLOSING

    def send_text(self, text: bytes) -> bytes:
        """One message of UTF-8."""
        return self._send(Opcode.TEXT, text)

    def send_binary(self, data: bytes) -> bytes:
        """One message of any octets."""
        return self._send(Opcode.BINARY, data)

    def _send(self, opcode: Opcode, data: bytes) -> bytes:
        self._check_open()
        if self._deflate is not None and len(data) >= DEFLATE_BYTES_MIN:
            return encode_frame(FIN | RSV1 | opcode, self._deflate.deflate(data))
        return encode_frame(FIN | opcode, data)

    def ping(self, payload: bytes = b"") -> bytes:
        """Ask whether the peer lives."""
        return self._control(Opcode.PING, payload)

    def pong(self, payload: bytes) -> bytes:
        """Answer a ping."""
        return self._control(Opcode.PONG, payload)

    def close(self, code: int = NORMAL, reason: str = "") -> bytes:
        """Our Close, or nothing if it was sent. A reason is cut to what fits."""
        if self._phase is Phase.CLOSING or self._phase is Phase.CLOSED:
            return b""
        if code != NO_CODE and code not in CODES:
            raise LocalProtocolError(f"no code to close with: {code}")
        self._phase = Phase.CLOSING if self._phase is Phase.OPEN else Phase.CLOSED
        text = reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore").encode()
        return encode_frame(FIN | Opcode.CLOSE, b"" if code == NO_CODE else code.to_bytes(2, "big") + text)

    def _control(self, opcode: Opcode, payload: bytes) -> bytes:
        self._check_open()
        if len(payload) > CONTROL_BYTES_MAX:
            raise LocalProtocolError(f"a control frame of {len(payload)} bytes, above {CONTROL_BYTES_MAX}")
        return encode_frame(FIN | opcode, payload)

    def _check_open(self) -> None:
        if self._phase is not Phase.OPEN:
            raise LocalProtocolError(f"a frame, and the socket is not open: {self._phase.value}")


def encode_frame(first: int, payload: bytes) -> bytes:
    """A frame as servers send it: not masked, the shortest length."""
    size = len(payload)
    if size <= CONTROL_BYTES_MAX:
        return b"%c%c%b" % (first, size, payload)
    if size < 1 << 16:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload
