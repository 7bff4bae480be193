"""Heap: the memory mapping that holds all state, and its initialization as an empty store."""

import mmap
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from synap.compiler.jit import kernel
from synap.faults import BrokenNode
from synap.kernels.spans import bare
from synap.ranges import TAPE_WORDS_MAX
from synap.store.memory import layout, spaces, tables

MAP_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)
"""In `mmap` since Python 3.13; the number is Linux's on every processor that numba supports."""
SHARD_SIZE = tables.SIZE_MIN
DEFAULTS = {
    layout.USE_FACTOR: 10, layout.USE_DECAY: 1,
    layout.HASH_ENTRIES_MAX: 512, layout.HASH_VALUE_MAX: 64, layout.LIST_SIZE_MAX: -2,
    layout.SET_ENTRIES_MAX: 128, layout.SET_VALUE_MAX: 64, layout.SET_INTEGERS_MAX: 512,
    layout.ZSET_ENTRIES_MAX: 128, layout.ZSET_VALUE_MAX: 64, layout.HLL_SPARSE_MAX: 3000,
    layout.STREAM_BYTES_MAX: 4096, layout.STREAM_ENTRIES_MAX: 100,
}  # fmt: skip
"""The use counters and the limits of small forms and of chunks with which a store begins: the defaults of Redis."""


class Heap:
    """One anonymous mapping: `words` (int64), `octets` (uint8) and `bytes` (a memoryview) over the same memory.

    `memory_max` limits the stored data, in bytes. The address space reserved is larger than that. If it would exceed
    `bytes_max` bytes, or if the system refuses it, less is requested, down to the least that `memory_max` needs.

    Raises NoAddressSpace if the system cannot reserve that.
    """

    def __init__(self, memory_max: int, bytes_max: int | None = None) -> None:
        self.memory_max = memory_max
        self.mapping, plan = _reserve(memory_max, bytes_max)
        if hasattr(mmap, "MADV_NOHUGEPAGE"):  # a huge page would be committed for the first byte touched
            self.mapping.madvise(mmap.MADV_NOHUGEPAGE)
        self.words: np.ndarray[Any, Any] = np.frombuffer(self.mapping, np.int64)
        self.octets: np.ndarray[Any, Any] = np.frombuffer(self.mapping, np.uint8)
        self.bytes = memoryview(self.mapping)
        self.numbers = self.bytes.cast("q")  # single words: cheaper to index than an array
        self.numbers[layout.PAGES_TOP] = plan.first
        self.numbers[layout.PAGES_END] = plan.first + plan.pages
        self.numbers[layout.BYTES_MAX] = memory_max

    def open(self, seed: bytes, image: Any, registers: Iterable[tuple[int, int]]) -> None:
        """Make an empty store: hash keys from `seed` (24 bytes), the catalogue `image`, and (word, value) of doors."""
        keys = np.frombuffer(seed[:24], np.int64)
        self.words[[layout.KEY_A, layout.KEY_B, layout.CHANCE]] = keys
        self.numbers[layout.LIMIT_WORD] = 512 * layout.MIB
        self.numbers[layout.LIMIT_WORDS] = TAPE_WORDS_MAX
        for register, value in DEFAULTS.items():
            self.numbers[register] = value
        image.place(self.words, self.octets)
        for word, value in registers:
            self.numbers[word] = value
        open_tables(self.words, self.octets)

    def forget(self, start: int, size: int, end: int) -> None:
        """Tell the system that the pages within these bytes are not needed; they read as zero until written.

        Raise BrokenNode if they do not lie before byte `end`, the end of their region: what is behind it is not theirs.
        """
        if not 0 <= size <= end - start:
            raise BrokenNode(f"wanted to forget at most {end - start} bytes from byte {start} on, found {size}")
        page = mmap.PAGESIZE
        first = -(-start // page) * page
        last = (start + size) // page * page
        if last > first and hasattr(self.mapping, "madvise"):
            self.mapping.madvise(mmap.MADV_DONTNEED, first, last - first)


def _reserve(memory_max: int, bytes_max: int | None) -> tuple[mmap.mmap, spaces.Plan]:
    """Return the largest mapping for `memory_max` that the system grants, of at most `bytes_max` bytes, and its plan.

    Raises NoAddressSpace if the system grants none.
    """
    for plan in spaces.plans(memory_max):
        if bytes_max is not None and plan.total > bytes_max:
            continue
        try:
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
            return mmap.mmap(-1, plan.total, flags=flags), plan
        except OSError:
            continue
    raise spaces.NoAddressSpace(f"cannot reserve the address space for {memory_max} bytes")


@kernel("void(int64[::1], uint8[::1])")
def open_tables(words, octets):
    """Make empty tables for the shards, and for each kind of named records, whose door may be loaded later."""
    words = bare(words)
    octets = bare(octets)
    for shard in range(layout.SHARDS_COUNT):
        tables.open_table(words, octets, layout.SHARDS + shard * layout.TABLE_SIZE, SHARD_SIZE)
    for kind in range(layout.NAMED_FIRST, layout.KINDS_COUNT):
        if words[layout.ROOT_WORDS + kind]:
            table = layout.NAMED_TABLES + (kind - layout.NAMED_FIRST) * layout.TABLE_SIZE
            tables.open_table(words, octets, table, SHARD_SIZE)
    words[layout.TIMERS_DUE] = np.int64(1) << 62
