"""The memory of an engine, as its Python uses it: blocks for large input and replies, and the eviction policy."""

from synap.store.memory import arena, layout, limits
from synap.store.memory.heap import Heap

EVICTION_POLICIES = (
    "noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random",
    "volatile-ttl",
)  # fmt: skip
"""Redis' names of the eviction policies, in the order of the numbers layout.EVICT_*."""


class Memory:
    """The memory of one engine."""

    def __init__(self, heap: Heap) -> None:
        self._heap, self._numbers = heap, heap.numbers

    def allocate(self, size: int) -> int:
        """Allocate a block of `size` bytes and return its first octet. Raise MemoryError above max_memory."""
        most = self._numbers[layout.BYTES_MAX] * 3 // 2 + limits.PAGES_SPARE
        if self._numbers[layout.PAGES_USED] * layout.PAGE_BYTES + size > most:
            raise MemoryError
        return self.allocate_always(size)

    def allocate_for_input(self, size: int) -> int:
        """Allocate a block for a command under way, also above max_memory: whether it is admitted is seen when it runs.
        Raise MemoryError if address space for a quarter of max_memory would not be left."""
        numbers = self._numbers
        free = (numbers[layout.PAGES_END] - numbers[layout.PAGES_TOP]) * layout.PAGE_BYTES
        if size > free - numbers[layout.BYTES_MAX] // 4:
            return self.allocate(size)
        return self.allocate_always(size)

    def allocate_always(self, size: int) -> int:
        """Allocate a block of `size` bytes, also above max_memory, for work that must not fail any more."""
        ref = arena.allocate_block(self._heap.words, self._heap.octets, (size + 7) // 8)
        if not ref:
            raise MemoryError
        return int(ref) * layout.WORD

    def release(self, at: int) -> None:
        """Free a block of `allocate` or `allocate_always`."""
        arena.release_block(self._heap.words, self._heap.octets, at // layout.WORD)

    def set_eviction(self, policy: str, samples: int) -> None:
        """Set the eviction policy, a name of EVICTION_POLICIES, and the number of keys sampled for each eviction."""
        self._numbers[layout.EVICTION] = EVICTION_POLICIES.index(policy)
        self._numbers[layout.EVICTION_SAMPLES] = samples
        self.note_uses(True)

    def note_uses(self, on: bool) -> None:
        """Switch the tracking of key use (time or count) on or off; off while a snapshot's child shares pages."""
        frequency = self._numbers[layout.EVICTION] in (layout.EVICT_LFU, layout.EVICT_VOLATILE_LFU)
        note = layout.NOTE_USE if frequency else layout.NOTE_TIME
        self._numbers[layout.TRACKING] = note if on else 0
