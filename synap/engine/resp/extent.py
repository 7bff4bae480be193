"""Input too large for the shared receive region: gathered in an extent of the arena.

The extent doubles as bytes arrive, and `resp.skim` only steps over complete words, so a command costs the same however
the reads cut it.
"""

from synap.engine.engine import Engine
from synap.faults import Fault
from synap.store.lane import resp
from synap.store.memory import layout

BYTES_FIRST = 128 * layout.KIB


class Extent:
    """The gathered input of one connection, at most `bytes_max`; `at` is its first octet, 0 while there is none."""

    def __init__(self, engine: Engine, bytes_max: int) -> None:
        self._engine, self.bytes_max = engine, bytes_max
        self.at = self.used = 0
        self._size = self._skimmed = 0
        self._left = resp.UNCOUNTED

    def begin(self, at: int, end: int) -> None:
        """Copy the octets from `at` to `end` into a new extent. Raise Fault without memory."""
        size = end - at
        target = self._take(max(BYTES_FIRST, 2 * size))
        self._engine.bytes[target : target + size] = self._engine.bytes[at:end]
        self.at, self.used = target, size
        self._skimmed, self._left = target, resp.UNCOUNTED
        self.whole()

    def buffer(self) -> memoryview:
        """Return the memory for the next read."""
        return self._engine.bytes[self.at + self.used : self.at + self._size]

    def whole(self) -> bool:
        """Step over complete words; return True if a command is complete or malformed."""
        if self._engine.bytes[self.at] != resp.STAR:
            return True
        found = resp.skim(self._engine.words, self._engine.octets, self._skimmed, self._left, self.at + self.used)
        if found < 0:
            return True
        self._left, self._skimmed = found >> 40, found & ((1 << 40) - 1)
        return self._left == 0

    def lend(self) -> int:
        """Leave the extent to the caller, who runs its commands; return its first octet."""
        at, self.at = self.at, 0
        return at

    def take_back(self, at: int) -> None:
        """Keep the extent that was lent, from which nothing ran."""
        self.at = at
        self._skimmed, self._left = at, resp.UNCOUNTED

    def grow(self) -> None:
        """Double the extent if it is full. Raise Fault above the limit of a query, or without memory."""
        if not self.at or self.used < self._size:
            return
        if self.used >= self.bytes_max:
            raise Fault("QUERY_TOO_LARGE")
        target = self._take(min(self._size * 2, self.bytes_max + BYTES_FIRST))
        octets = self._engine.bytes
        octets[target : target + self.used] = octets[self.at : self.at + self.used]
        self._engine.memory.release(self.at)
        self._skimmed += target - self.at
        self.at = target

    def free(self) -> None:
        """Free the extent."""
        if self.at:
            self._engine.memory.release(self.lend())

    def _take(self, size: int) -> int:
        try:
            target = self._engine.memory.allocate_for_input(size)
        except MemoryError:
            raise Fault("OUT_OF_MEMORY") from None
        self._size = size
        return target
