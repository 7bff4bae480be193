"""Address space: how much of it a store of some size reserves. Needs no compiled code."""

from dataclasses import dataclass

from synap.store.memory import layout

SPARE = 2  # address space for each byte of max_memory: runs of pages are found although some are in use
SMALLEST = 256 * layout.MIB
MARGIN = 64 * layout.MIB


class NoAddressSpace(MemoryError):
    """The system does not give the address space that a store of this size needs."""


@dataclass(frozen=True)
class Plan:
    """How much is reserved: the arena's first page, its pages, bytes of all."""

    first: int
    pages: int
    total: int


def plan(arena: int) -> Plan:
    """The mapping whose pages take at least `arena` bytes: the page table before them has an entry for each page."""
    pages = -(-arena // layout.PAGE_BYTES)
    table = layout.PAGE_TABLE * layout.WORD
    entry = 2 * layout.WORD
    first = -(-table // layout.PAGE_BYTES)
    while (first + pages) * entry + table > first * layout.PAGE_BYTES:
        first = -(-(table + (first + pages) * entry) // layout.PAGE_BYTES)
    return Plan(first, pages, (first + pages) * layout.PAGE_BYTES)


def least_plan(memory_max: int) -> Plan:
    """The smallest mapping for `memory_max` bytes of data."""
    return plan(max(memory_max, SMALLEST) + MARGIN)


def plans(memory_max: int) -> list[Plan]:
    """The mappings that do for `memory_max`, the best first."""
    eighths = range(8 * SPARE, 7, -1)
    return [plan(max(memory_max * part // 8, SMALLEST) + MARGIN) for part in eighths]
