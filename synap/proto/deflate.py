"""permessage-deflate (RFC 7692), as a server: what is agreed on, and the two streams, in bounded memory.

    agree(offers) -> Deflate | None        the first offer that can be kept, of `Sec-WebSocket-Extensions`
    Deflate.deflate(message) -> bytes      the payload of one frame that has RSV1
    Deflate.inflate(piece, room) -> bytes  at most `room` + 1 octets: more than `room` means too large

A stream costs memory as long as its context is kept. Ours has a window of 4 KiB, which is enough for
messages that resemble each other: 32 KiB for each connection that sends, instead of 256. Where the client lets
us choose, it uses the same window. Both streams are made when they are first needed.

A message ends with the four octets that the sender cut off. A sender may also end a stream within a message
(BFINAL); then the next octets begin a new one.
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
"""Streams within one message: an honest one has one or two, and each costs the time to make a decompressor."""
DEFLATE_BYTES_MIN: Final = 48
"""A shorter message goes as it is: it would hardly become smaller."""

TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
PARAMETER: Final = re.compile(rf'[ \t]*;[ \t]*({TOKEN})(?:[ \t]*=[ \t]*(?:({TOKEN})|"({TOKEN})"))?')
NAME: Final = re.compile(rf"[ \t]*({TOKEN})")
COMMA: Final = re.compile(r"[ \t]*(?:,|$)")
EMPTY: Final = re.compile(r"[ \t]*(?:,|$)")
BITS: Final = re.compile(r"[89]|1[0-5]")
OFFERS_MAX: Final = 32


class BadDeflate(ValueError):
    """What came is no deflate stream."""


class BadOffers(ValueError):
    """What came is no list of extensions."""


Offer = tuple[str, list[tuple[str, str | None]]]


@dataclass(slots=True)
class Deflate:
    """One connection's agreement and its two streams."""

    server_keeps: bool = True  # the context of what we send, from message to message
    client_keeps: bool = True
    server_bits: int = WINDOW_BITS
    client_bits: int = BITS_MAX
    told: str = ""  # the header of the reply
    _out: Any = field(default=None, repr=False)
    _in: Any = field(default=None, repr=False)
    _streams: int = 0  # begun within this message

    def deflate(self, message: bytes) -> bytes:
        """A whole message as the payload of one frame."""
        if self._out is None:
            self._out = zlib.compressobj(LEVEL, zlib.DEFLATED, -max(9, self.server_bits), MEMORY_LEVEL)
        found = self._out.compress(message) + self._out.flush(zlib.Z_SYNC_FLUSH)
        if not self.server_keeps:
            self._out = None
        return bytes(found[:-4])

    def inflate(self, piece: bytes, room: int) -> bytes:
        """What a piece of a message stands for, cut after `room` + 1 octets. Raises BadDeflate."""
        found = []
        while True:
            if self._in is None:
                self._in = zlib.decompressobj(-max(9, self.client_bits))
            try:
                got = self._in.decompress(piece, room + 1)
            except zlib.error as error:
                raise BadDeflate(str(error)) from None
            found.append(got)
            room -= len(got)
            if room < 0 or not self._in.eof:
                break
            piece = self._in.unused_data
            self._in = None
            self._streams += 1
            if self._streams > STREAMS_MAX:
                raise BadDeflate(f"more than {STREAMS_MAX} streams within a message")
            if not piece:
                break
        return found[0] if len(found) == 1 else b"".join(found)

    def inflate_end(self, room: int) -> bytes:
        """What is left in the stream when a message is over."""
        found = self.inflate(TAIL, room)
        self._streams = 0
        if not self.client_keeps:
            self._in = None
        return found


def agree(header: str) -> Deflate | None:
    """The first offer of permessage-deflate that can be kept, or none. Raises BadOffers."""
    for name, parameters in read_offers(header):
        if name.lower() == "permessage-deflate":
            found = _kept(parameters)
            if found is not None:
                return found
    return None


def read_offers(header: str) -> list[Offer]:
    """The extensions that a client offers: name and parameters of each. Raises BadOffers."""
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
    """What one offer comes to, or nothing if it has a parameter that is unknown, wrong or there twice."""
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
