"""A store in memory for tests: a heap with every family, driven as a connection would drive it.

    bench = Bench()                              after the fixture `store`, see tests/conftest.py
    bench.feed(b"*1\\r\\n$6\\r\\nDBSIZE\\r\\n")  the bytes that the lane answers
    bench.ask("SET k v NX")                      the reply as Python: int, bytes, list, None, Refusal
    bench.fill(words)                            the slots that the words make, or the refusal's name
"""

from typing import Any

import numpy as np

from synap import faults
from synap.command import Catalogue, Command
from synap.commands import CATALOGUE, FAMILY_CODES
from synap.derive.heap_image import image_of
from synap.store import entry_points
from synap.store.lane import lane
from synap.store.memory import heap, layout

SEED = bytes(range(24))
REASONS = ("CUT", "HANDLER", "HITS", "WAITING", "OUT_FULL", "LARGE", "FLUSH", "MORE", "BAD")


class Refusal(Exception):
    """An error reply; its text is the argument. Compares by it, since tests expect it as a value."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Refusal) and self.args == other.args

    __hash__ = Exception.__hash__


def command(*words: Any) -> bytes:
    """The RESP of one command; words are bytes, or anything with a text."""
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def decode(reply: bytes) -> tuple[Any, bytes]:
    """(the first reply as Python, the bytes behind it)."""
    value, at = decode_at(reply, 0)
    return value, reply[at:]


def decode_at(reply: bytes, at: int) -> tuple[Any, int]:
    """(the reply that starts at `at` as Python, where the next one starts)."""
    end = reply.index(b"\r\n", at)
    kind, text = reply[at : at + 1], reply[at + 1 : end]
    at = end + 2
    match kind:
        case b":" | b"(":
            return int(text), at
        case b"#":
            return text == b"t", at
        case b"+":
            return text, at
        case b"-":
            return Refusal(text.decode("utf-8", "surrogateescape")), at
        case b"_":
            return None, at
        case b",":
            return float(text), at
        case b"$" | b"=":
            size = int(text)
            if size < 0:
                return None, at
            assert reply[at + size : at + size + 2] == b"\r\n", f"no text of {size} bytes: {reply[at : at + 60]!r}"
            return reply[at : at + size], at + size + 2
        case b"*" | b"~" | b"%" | b">":
            items = []
            for _ in range(int(text) * (2 if kind == b"%" else 1)):
                item, at = decode_at(reply, at)
                items.append(item)
            if kind == b"%":
                names = [tuple(name) if isinstance(name, list) else name for name in items[::2]]
                return dict(zip(names, items[1::2], strict=True)), at
            return (items if int(text) >= 0 else None), at
    raise AssertionError(f"no reply: {reply[end - 20 : end + 20]!r}")


class Bench:
    """One heap with its session 0. The kernels must have been prepared: ask for the fixture `store`."""

    def __init__(
        self, rows: list[Command] | None = None, *, memory_max: int = 1 << 30, journaled: bool = True
    ) -> None:
        self.catalogue = CATALOGUE if rows is None else Catalogue(rows)
        self.image = image_of(self.catalogue)
        self.heap = heap.Heap(memory_max)
        self.heap.open(SEED, self.image, entry_points.registers(FAMILY_CODES))
        self.now = 1_000_000
        self.session = layout.SESSIONS
        self.reason = ""  # why the lane stopped last
        self.unread = b""  # what it has left
        self.row_at = {place: self.catalogue.by_name[name] for name, place in self.image.row_of.items()}
        self[self.session + layout.SESSION_RESP] = 2
        self[layout.JOURNALED] = int(journaled)

    def __getitem__(self, at: int) -> int:
        return int(self.heap.numbers[at])

    def __setitem__(self, at: int, value: int) -> None:
        self.heap.numbers[at] = value

    @property
    def both(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The two views, the first arguments of every border function."""
        return self.heap.words, self.heap.octets

    def receive(self, data: bytes) -> tuple[int, int]:
        """Put bytes into the receive buffer; (first octet, the octet behind them)."""
        at = layout.RECEIVE * layout.WORD
        assert len(data) <= layout.RECEIVE_BYTES
        self.heap.bytes[at : at + len(data)] = data
        return at, at + len(data)

    def feed(self, data: bytes, budget: int = 1 << 30) -> bytes:
        """Let the lane run over `data` once; what it answered. `reason` and `unread` say where it stopped."""
        at, end = self.receive(data)
        out = layout.OUT * layout.WORD
        self[layout.LANE_OUT] = out
        self.reason = REASONS[lane.lane(*self.both, self.session, at, end, self.now, budget)]
        self.unread = bytes(self.heap.bytes[self[layout.LANE_AT] : end])
        return bytes(self.heap.bytes[out : self[layout.LANE_OUT]])

    def ask(self, line: str | list[Any]) -> Any:
        """The reply to one command, given as a line or as words. It must be one that the lane answers."""
        reply = self.feed(command(*(line.split() if isinstance(line, str) else line)))
        assert not self.unread, f"the lane stopped before {line}: {self.reason}"
        value, rest = decode(reply)
        assert not rest
        return value

    def find(self, words: list[bytes]) -> tuple[Command | None, int]:
        """(the row that the words name, its place in the heap); the words stand in WORDS then."""
        row = lane.parse(*self.both, *self.receive(command(*words)))
        assert row >= 0
        return self.row_at.get(row), row

    def fill(self, words: list[bytes], name: str = "") -> list[int] | str:
        """The slots of the tape that a command makes, or why not. `name` is for rows without a RESP word."""
        row, place = self.find(words)
        if name:
            place = self.image.row_of[name]
        assert name or row is not None, f"no row for {words}"
        count = self[layout.LANE_CALLS]
        if not self[place + layout.ROW_WORDS_MIN] <= count - 1 <= self[place + layout.ROW_WORDS_MAX]:
            return "WRONG_ARITY"
        refused = lane.fill_tape(*self.both, place, count)
        if refused:
            return faults.BY_NUMBER[(refused >> layout.REFUSED_SHIFT) - 1].name
        return self.heap.words[layout.TAPE : layout.TAPE + self[layout.CURSOR_TOP]].tolist()

    def text(self, at: int, mark: int) -> bytes:
        """The text of two tape slots."""
        start = self[layout.TAPE - 1] + at
        assert mark & 0xFF == layout.PRESENT
        return bytes(self.heap.bytes[start : start + (mark >> layout.MARK_BITS)])
