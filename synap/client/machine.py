"""RESP3 from the client's side, without a socket: commands to bytes, and received bytes to events.

    machine.call("GET", "a")       b"*2\\r\\n$3\\r\\nGET\\r\\n$1\\r\\na\\r\\n", and one more reply is awaited
    machine.send("SUBSCRIBE", "a") the bytes of a command that pushes answer
    machine.receive_data(data)     add data from the socket, cut anywhere
    machine.next_event()           Reply(value), Push(kind, items), or NEED_DATA

A reply is a tree in prefix order: `*2` says that two values follow, each of which may be an aggregate again. The
machine keeps the open aggregates on a stack and appends each complete value to the topmost (shapes.py reads arrays
whose members are alike in larger steps). Nothing is read twice: the
search for the end of a line goes on where the last search ended, and an unfinished bulk costs a comparison of lengths.
So the work is linear in the bytes, however they are cut.

Texts are returned as bytes, maps as dict, sets as list (members need not be hashable; callers that know better make a
set of the list), errors as `Refused`: as values and not raised, since they may lie within an EXEC. Keys of a map that
cannot be hashed become tuples. Attributes are read and dropped, because this client requests none. RESP3's streamed
forms (`$?`, `*?`) are refused; no server sends them.

Invalid input raises RemoteProtocolError, and every later call too, because the start of the next reply is unknown then.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal, TypeAlias

from synap.client.errors import LocalProtocolError, Refused, RemoteProtocolError
from synap.client.shapes import MISSES_MAX, WINDOW_BYTES, read_numbers, shape_of
from synap.derive.natives import octets_of

Word: TypeAlias = str | bytes | bytearray | memoryview | int | float
"""A word of a command: text is sent as UTF-8, numbers as Python writes them."""

REAL = re.compile(rb"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
INTEGER = re.compile(rb"[+-]?\d+")
COMPACT_FROM = 64 * 1024  # bytes already read from which on the rest of the buffer is moved
SHOWN = 40  # bytes of invalid input in an error text
BIG_DIGITS_MAX = 4300  # Python's own limit for reading integers; no reply of the server has as many digits


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a reply; a server that exceeds one is treated as broken."""

    depth_max: int = 32
    line_bytes_max: int = 64 * 1024
    bulk_bytes_max: int = 512 * 1024 * 1024
    reply_bytes_max: int = 1024 * 1024 * 1024
    items_max: int = 1 << 24


class _NeedData(Enum):
    NEED_DATA = "NEED_DATA"


NEED_DATA: Final = _NeedData.NEED_DATA


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to the oldest unanswered call."""

    value: Any


@dataclass(frozen=True, slots=True)
class Push:
    """A message that the server sends without a call: its `kind` (`message`), and the items that follow."""

    kind: str
    items: list[Any]


Event: TypeAlias = Reply | Push | Literal[_NeedData.NEED_DATA]


def encode(words: Sequence[Word]) -> bytes:
    """Return the bytes of one command. Raises LocalProtocolError for words that cannot be sent."""
    if not words:
        raise LocalProtocolError("a command must have at least one word")
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        if type(word) is str:
            octets = word.encode()
        elif type(word) is bytes:
            octets = word
        else:
            octets = _octets(word)
        parts.append(b"$%d\r\n%b\r\n" % (len(octets), octets))
    return b"".join(parts)


def _octets(word: Any) -> bytes:
    if isinstance(word, str):
        return word.encode()
    if isinstance(word, int | float) and not isinstance(word, bool):
        return (int if isinstance(word, int) else float).__repr__(word).encode()  # also for a subclass
    octets = octets_of(word)
    if octets is not None:
        return octets
    raise LocalProtocolError(f"a word: wanted str, bytes, int or float, found {type(word).__name__}: {word!r}")


class _Open:
    """An aggregate; `left` of its values have not been read yet."""

    __slots__ = ("items", "kind", "left", "misses")

    def __init__(self, kind: int, left: int) -> None:
        self.kind = kind
        self.left = left
        self.misses = 0  # tries in a row to read members by their shape that have read none
        self.items: list[Any] = []


STAR, DOLLAR, PLUS, MINUS, COLON, HASH, COMMA, BANG = b"*$+-:#,!"
UNDERSCORE, OPEN, EQUALS, PERCENT, TILDE, BAR, ANGLE = b"_(=%~|>"
BULKS = (DOLLAR, BANG, EQUALS)
PAIRED = (PERCENT, BAR)
AGGREGATES = (STAR, PERCENT, TILDE, BAR, ANGLE)
ALIKE_TYPES = (dict, list, int)
_AGAIN: Any = object()  # marker: the line was only the head of a value


class ClientMachine:
    """The protocol state of one connection."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.awaited = 0  # calls whose reply has not been returned
        self._pushed_for = False  # commands that pushes answer were sent: an error may come although none is awaited
        self._buffer = bytearray()
        self._at = 0  # first unread byte
        self._searched = 0  # no line ends before this byte
        self._bulk = -1  # size of the bulk whose head was read, -1 outside of a bulk
        self._bulk_kind = 0
        self._stack: list[_Open] = []
        self._items = self._held = 0  # values and bytes of the reply being read
        self._broken = ""

    def call(self, *words: Word) -> bytes:
        """Return the bytes of a command that one reply answers."""
        data = encode(words)
        self.awaited += 1
        return data

    def call_all(self, commands: Sequence[Sequence[Word]]) -> bytes:
        """Return the bytes of many commands, each answered by a reply. If a command is invalid, none is awaited."""
        data = b"".join([encode(words) for words in commands])
        self.awaited += len(commands)
        return data

    def send(self, *words: Word) -> bytes:
        """Return the bytes of a command that pushes answer (SUBSCRIBE and its kin)."""
        self._pushed_for = True
        return encode(words)

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Add received bytes."""
        self._buffer += data

    @property
    def between(self) -> bool:
        """True if no reply is awaited and no input is partly read."""
        return not (self.awaited or self._stack or self._bulk >= 0 or len(self._buffer) > self._at or self._broken)

    def next_event(self) -> Event:
        """Return the next complete reply or push, NEED_DATA if there is none. Raises RemoteProtocolError."""
        if self._broken:
            raise RemoteProtocolError(self._broken)
        try:
            return self._next()
        except RemoteProtocolError as error:
            self._broken = str(error)
            self._buffer.clear()
            raise

    def _next(self) -> Event:
        stack = self._stack
        while True:
            value = self._value()
            if value is NEED_DATA:
                return NEED_DATA
            if value is _AGAIN:
                continue
            while stack:
                top = stack[-1]
                top.items.append(value)
                top.left -= 1
                if top.left and top.kind == STAR and type(value) in ALIKE_TYPES and top.misses < MISSES_MAX:
                    self._read_alike(top, value)
                if top.left:
                    value = _AGAIN
                    break
                stack.pop()
                value = _closed(top)
                if value is _AGAIN:
                    break
            if value is not _AGAIN:
                return self._event(value)

    def _read_alike(self, top: _Open, member: Any) -> None:
        """Read more members of an array whose last one is `member`, as far as they are written alike."""
        shape = None if type(member) is int else shape_of(member)
        if shape is None and type(member) is not int:
            top.misses = MISSES_MAX
            return
        limits, each = self.limits, 0 if shape is None else shape.values
        read = read_numbers if shape is None else shape.read
        while top.left and len(self._buffer) > self._at:
            with memoryview(self._buffer) as view:
                data = bytes(view[self._at : self._at + WINDOW_BYTES])
            found: list[Any] = []
            most = min(top.left, (limits.items_max - self._items) // each) if each else top.left
            size = read(data, most, found) if self._held + len(data) <= limits.reply_bytes_max else 0
            if not found:
                top.misses += 1
                return
            top.items += found
            top.left -= len(found)
            top.misses = 0
            self._items += len(found) * each
            self._held += size
            self._at += size
            self._searched = self._at

    def _event(self, value: Any) -> Event:
        """Return the event of a complete value, and free the space of input that was read."""
        self._items = self._held = 0
        at, buffer = self._at, self._buffer
        if at == len(buffer):
            buffer.clear()
            self._at = self._searched = 0
        elif at > COMPACT_FROM and at > len(buffer) // 2:
            del buffer[:at]
            self._at = self._searched = 0
        if type(value) is Push:
            return value
        if self.awaited:
            self.awaited -= 1
        elif not (self._pushed_for and isinstance(value, Refused)):
            raise RemoteProtocolError(f"a reply that no call asked for: {_shown(repr(value).encode())}")
        return Reply(value)

    def _value(self) -> Any:
        """Return the next scalar or empty aggregate, NEED_DATA if it is incomplete, or _AGAIN after another head."""
        if self._bulk >= 0:
            return self._whole_bulk()
        buffer, at = self._buffer, self._at
        end = buffer.find(b"\r\n", max(at, self._searched))
        if (end if end >= 0 else len(buffer) - 1) - at > self.limits.line_bytes_max:
            raise RemoteProtocolError(
                f"a line of more than {self.limits.line_bytes_max} bytes: {_shown(bytes(buffer[at : at + SHOWN]))}"
            )
        if end < 0:
            self._searched = max(at, len(buffer) - 1)
            return NEED_DATA
        self._at = self._searched = end + 2
        if end == at:
            raise RemoteProtocolError("an empty line where a reply should start")
        kind, line = buffer[at], bytes(buffer[at + 1 : end])
        self._held += end - at
        if self._held > self.limits.reply_bytes_max:
            raise RemoteProtocolError(f"a reply of more than {self.limits.reply_bytes_max} bytes")
        if kind in BULKS:
            return self._begin_bulk(kind, line)
        if kind in AGGREGATES:
            return self._begin_aggregate(kind, line)
        return _scalar(kind, line)

    def _begin_bulk(self, kind: int, line: bytes) -> Any:
        if line == b"-1" and kind == DOLLAR:
            return None
        size = _size(line, "a bulk", self.limits.bulk_bytes_max)
        self._held += size
        if self._held > self.limits.reply_bytes_max:
            raise RemoteProtocolError(f"a reply of more than {self.limits.reply_bytes_max} bytes")
        self._bulk, self._bulk_kind = size, kind
        return _AGAIN

    def _whole_bulk(self) -> Any:
        buffer, at = self._buffer, self._at
        end = at + self._bulk
        if len(buffer) < end + 2:
            return NEED_DATA
        if buffer[end] != 13 or buffer[end + 1] != 10:
            raise RemoteProtocolError(f"a bulk is not followed by CR LF: {_shown(bytes(buffer[end : end + 2]))}")
        with memoryview(buffer) as view:
            octets = bytes(view[at:end])
        kind = self._bulk_kind
        self._bulk = -1
        self._at = self._searched = end + 2
        if kind == DOLLAR:
            return octets
        if kind == BANG:
            return _refused(octets)
        if len(octets) < 4 or octets[3:4] != b":":
            raise RemoteProtocolError(f"a verbatim text without a type: {_shown(octets)}")
        return octets[4:]

    def _begin_aggregate(self, kind: int, line: bytes) -> Any:
        if line == b"-1" and kind == STAR:
            return None
        limits = self.limits
        count = _size(line, "an aggregate", limits.items_max)
        if kind in PAIRED:
            count *= 2
        self._items += count
        if self._items > limits.items_max:
            raise RemoteProtocolError(f"a reply of more than {limits.items_max} values")
        if kind == ANGLE and (self._stack or not count):
            raise RemoteProtocolError("a push within a reply" if self._stack else "a push without a kind")
        if not count:
            return _closed(_Open(kind, 0))
        if len(self._stack) >= limits.depth_max:
            raise RemoteProtocolError(f"a reply nested more than {limits.depth_max} deep")
        self._stack.append(_Open(kind, count))
        return _AGAIN


def _closed(done: _Open) -> Any:
    """Return the value of a complete aggregate; _AGAIN for an attribute, which is dropped."""
    items = done.items
    match done.kind:
        case 0x2A | 0x7E:  # STAR, TILDE
            return items
        case 0x25:  # PERCENT
            return {_hashable(key): value for key, value in zip(items[::2], items[1::2], strict=True)}
        case 0x7C:  # BAR
            return _AGAIN
    kind = items[0]
    if not isinstance(kind, bytes):
        raise RemoteProtocolError(f"a push whose kind is not a text: {_shown(repr(kind).encode())}")
    return Push(kind.decode("utf-8", "replace"), items[1:])


def _hashable(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_hashable(item) for item in value)
    if isinstance(value, dict):
        return tuple((key, _hashable(item)) for key, item in value.items())
    return value


def _scalar(kind: int, line: bytes) -> Any:
    """Return the value of a line that is a value by itself."""
    if b"\r" in line or b"\n" in line:
        raise RemoteProtocolError(f"a line with a CR or LF in it: {_shown(line)}")
    if kind == PLUS:
        return line
    if kind == COLON:
        if len(line) > 20 or INTEGER.fullmatch(line) is None:
            raise RemoteProtocolError(f"wanted an integer, found {_shown(line)}")
        return int(line)
    if kind == MINUS:
        return _refused(line)
    if kind == UNDERSCORE and not line:
        return None
    if kind == HASH and line in (b"t", b"f"):
        return line == b"t"
    if kind == COMMA and (line in (b"inf", b"-inf", b"nan") or REAL.fullmatch(line) is not None):
        return float(line)
    if kind == OPEN and INTEGER.fullmatch(line) is not None and len(line) <= BIG_DIGITS_MAX:
        return int(line)
    raise RemoteProtocolError(f"not the start of a reply: {_shown(bytes([kind]) + line)}")


def _refused(line: bytes) -> Refused:
    code, _, text = line.decode("utf-8", "replace").partition(" ")
    return Refused(code, text)


def _size(line: bytes, what: str, most: int) -> int:
    if not line.isdigit() or len(line) > 18:
        raise RemoteProtocolError(f"wanted the size of {what}, found {_shown(line)}")
    size = int(line)
    if size > most:
        raise RemoteProtocolError(f"{what} of {size}, the limit is {most}")
    return size


def _shown(data: bytes) -> str:
    return repr(data[:SHOWN]) + ("..." if len(data) > SHOWN else "")
