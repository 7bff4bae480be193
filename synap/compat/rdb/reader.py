"""The reader of RDB's numbers and texts: a place in bytes, that moves on and never beyond their end.

A length is 6, 14, 32 or 64 bits long, by the upper bits of its first byte. In place of a text's length may stand that
the text is an integer of 8, 16 or 32 bits, or that it is compressed.
"""

import struct
from collections.abc import Iterable
from mmap import mmap
from typing import TypeAlias

from synap.compat.rdb import lzf
from synap.compat.rdb.errors import BadData, TooLarge

Octets: TypeAlias = bytes | mmap
"""What is read; a slice of either is bytes."""

LENGTH_14, LENGTH_32, LENGTH_64, ENCODED = 0x40, 0x80, 0x81, 0xC0
COMPRESSED = 3  # the encoding of a text, behind those of integers of 8, 16 and 32 bits
TEXT_COST = 96
"""The bytes of memory that any text takes besides its own, at most."""


class Reader:
    """A place in `data`. What is read may take at most `room` bytes of memory."""

    __slots__ = ("at", "data", "end", "room")

    def __init__(self, data: Octets, at: int, end: int, room: int) -> None:
        self.data, self.at, self.end, self.room = data, at, end, room

    def bad(self, what: str) -> BadData:
        """Return the error that `what` stands here."""
        return BadData(what, self.at)

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        start = self.at
        if size > self.end - start:
            raise self.bad(f"{size} bytes are announced, {self.end - start} are left")
        self.at = start + size
        return self.data[start : start + size]

    def byte(self) -> int:
        """Return the next byte."""
        return self.take(1)[0]

    def spend(self, size: int) -> None:
        """Count a text of `size` bytes against the room."""
        self.room -= size + TEXT_COST
        if self.room < 0:
            raise TooLarge

    def counted(self, texts: Iterable[bytes]) -> list[bytes]:
        """Return texts, which are counted against the room one by one."""
        found = []
        for text in texts:
            self.spend(len(text))
            found.append(text)
        return found

    def length(self) -> int:
        """Return a length."""
        first = self.byte()
        if first < LENGTH_14:
            return first
        if first < LENGTH_32:
            return (first & 0x3F) << 8 | self.byte()
        if first == LENGTH_32:
            return int.from_bytes(self.take(4), "big")
        if first == LENGTH_64:
            return int.from_bytes(self.take(8), "big")
        raise BadData(f"no length but {first:#04x}", self.at - 1)

    def count(self, least: int = 1) -> int:
        """Return a number of elements, of which each takes `least` bytes or more."""
        count = self.length()
        if count * least > self.end - self.at:
            raise self.bad(f"{count} elements are announced, {self.end - self.at} bytes are left")
        return count

    def text(self) -> bytes:
        """Return a text, of any encoding."""
        start = self.at
        first = self.byte()
        if first < ENCODED:
            self.at = start
            text = self.take(self.length())
        elif first - ENCODED < COMPRESSED:
            text = b"%d" % self.signed(1 << first - ENCODED)
        elif first - ENCODED == COMPRESSED:
            packed, size = self.length(), self.length()
            block = self.take(packed)
            if self.room < size <= lzf.EXPANSION_MAX * packed:
                raise TooLarge
            text = lzf.expand(block, size, start)
        else:
            raise BadData(f"a text of the unknown encoding {first:#04x}", start)
        self.spend(len(text))
        return text

    def signed(self, size: int) -> int:
        """Return an integer of `size` bytes."""
        return int.from_bytes(self.take(size), "little", signed=True)

    def double(self) -> float:
        """Return a double of eight bytes."""
        found: float = struct.unpack("<d", self.take(8))[0]
        return found
