"""permessage-deflate (RFC 7692) for the server: negotiation, and the two streams in bounded memory.

    agree(offers) -> Deflate | None        the first acceptable offer of `Sec-WebSocket-Extensions`
    Deflate.deflate(message) -> bytes      the payload of one WebSocket frame with RSV1 set
    Deflate.inflate(piece, room) -> bytes  at most `bytes_left` + 1 octets: more than `bytes_left` means too large

A stream holds memory as long as its context is kept. The server's stream has a window of 4 KiB, enough for
messages that resemble each other: 32 KiB for each connection that sends, instead of 256. If the client leaves
the choice to the server, the client's window is 4 KiB too. Each stream is made when it is first needed.

A message ends with the four octets that the sender cut off. A sender may also end a stream within a message
(BFINAL); the octets behind it begin a new stream.
"""

import re
import zlib
from dataclasses import dataclass, field
from typing import Any, Final

WINDOW_BITS: Final = 12
MEMORY_LEVEL: Final = 5
BITS_MIN, BITS_MAX = 8, 15
LEVEL: Final = 6
TAIL: Final = b"\x00\x00\xff\xff"
STREAMS_MAX: Final = 16
"""Streams allowed within one message: a usual message has one or two, and each costs making a decompressor."""
DEFLATE_BYTES_MIN: Final = 48
"""A shorter message is not compressed: it would hardly become smaller."""

TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
PARAMETER: Final = re.compile(rf'[ \t]*;[ \t]*({TOKEN})(?:[ \t]*=[ \t]*(?:({TOKEN})|"({TOKEN})"))?')
NAME: Final = re.compile(rf"[ \t]*({TOKEN})")
COMMA: Final = re.compile(r"[ \t]*(?:,|$)")
EMPTY: Final = re.compile(r"[ \t]*(?:,|$)")
BITS: Final = re.compile(r"[89]|1[0-5]")
OFFERS_MAX: Final = 32


class BadDeflate(ValueError):
    """Raised for bytes that are no deflate stream."""


class BadOffers(ValueError):
    """Raised for a header that is no list of extensions."""


Offer = tuple[str, list[tuple[str, str | None]]]


@dataclass(slots=True)
class Deflate:
    """The negotiated parameters of one connection, and its two streams."""

    server_keeps: bool = True  # the context of the server's stream from message to message
    client_keeps: bool = True
    server_bits: int = WINDOW_BITS
    client_bits: int = BITS_MAX
    told: str = ""  # value of Sec-WebSocket-Extensions in the reply
    _out: Any = field(default=None, repr=False)
    _in: Any = field(default=None, repr=False)
    _streams: int = 0  # streams that ended within this message

    def deflate(self, message: bytes) -> bytes:
        """Compress a whole message into the payload of one frame."""
        if self._out is None:
            self._out = zlib.compressobj(LEVEL, zlib.DEFLATED, -max(9, self.server_bits), MEMORY_LEVEL)
        found = self._out.compress(message) + self._out.flush(zlib.Z_SYNC_FLUSH)
        if not self.server_keeps:
            self._out = None
        return bytes(found[:-4])

    def inflate(self, piece: bytes, bytes_left: int) -> bytes:
        """Decompress a piece of a message into at most `bytes_left` + 1 octets. Raise BadDeflate."""
        found = []
        while True:
            if self._in is None:
                self._in = zlib.decompressobj(-max(9, self.client_bits))
            try:
                got = self._in.decompress(piece, bytes_left + 1)
            except zlib.error as error:
                raise BadDeflate(str(error)) from None
            found.append(got)
            bytes_left -= len(got)
            if bytes_left < 0 or not self._in.eof:
                break
            piece = self._in.unused_data
            self._in = None
            self._streams += 1
            if self._streams > STREAMS_MAX:
                raise BadDeflate(f"more than {STREAMS_MAX} streams within a message")
            if not piece:
                break
        return found[0] if len(found) == 1 else b"".join(found)

    def inflate_end(self, bytes_left: int) -> bytes:
        """Decompress the rest of a message at its end. Raise BadDeflate."""
        found = self.inflate(TAIL, bytes_left)
        self._streams = 0
        if not self.client_keeps:
            self._in = None
        return found


def agree(header: str) -> Deflate | None:
    """Return the agreement for the first acceptable offer of permessage-deflate, or None. Raise BadOffers."""
    for name, parameters in read_offers(header):
        if name.lower() == "permessage-deflate":
            found = _kept(parameters)
            if found is not None:
                return found
    return None


def read_offers(header: str) -> list[Offer]:
    """Parse the offered extensions into (name, parameters). Raise BadOffers."""
    found: list[Offer] = []
    at = 0
    while at < len(header):
        empty = EMPTY.match(header, at)
        if empty is not None:  # a list may have empty elements
            at = empty.end()
            continue
        name = NAME.match(header, at)
        if name is None or len(found) == OFFERS_MAX:
            raise BadOffers(f"wanted at most {OFFERS_MAX} extensions with a name each, at character {at}")
        at = name.end()
        parameters: list[tuple[str, str | None]] = []
        while (parameter := PARAMETER.match(header, at)) is not None:
            parameters.append((parameter[1], parameter[2] or parameter[3]))
            at = parameter.end()
        end = COMMA.match(header, at)
        if end is None:
            raise BadOffers(f"wanted ';' or ',' at character {at}")
        at = end.end()
        found.append((name[1], parameters))
    return found


def _kept(parameters: list[tuple[str, str | None]]) -> Deflate | None:
    """Return the agreement for one offer, or None for a parameter that is unknown, wrong or repeated."""
    found = Deflate()
    told = ["permessage-deflate"]
    seen: set[str] = set()
    for name, value in parameters:
        if name in seen:
            return None
        seen.add(name)
        bits = int(value) if value is not None and BITS.fullmatch(value) else 0
        if name in ("server_no_context_takeover", "client_no_context_takeover") and value is None:
            if name.startswith("server"):
                found.server_keeps = False
            else:
                found.client_keeps = False
            told.append(name)
        elif name == "server_max_window_bits" and bits > BITS_MIN:  # zlib makes no stream with a window of 256
            found.server_bits = min(bits, WINDOW_BITS)
        elif name == "client_max_window_bits" and (value is None or bits):
            found.client_bits = min(bits or BITS_MAX, WINDOW_BITS)
            told.append(f"client_max_window_bits={found.client_bits}")
        else:
            return None
    if "server_max_window_bits" in seen:
        told.append(f"server_max_window_bits={found.server_bits}")
    found.told = "; ".join(told)
    return found
