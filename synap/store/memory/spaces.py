"""Address space: how much is reserved for a store of a given size. Needs no compiled code."""

from dataclasses import dataclass

from synap.store.memory import layout

SPARE = 2  # bytes of address space for each byte of max_memory, so that free runs are found in spite of gaps
SMALLEST = 256 * layout.MIB
MARGIN = 64 * layout.MIB


class NoAddressSpace(MemoryError):
    """The system does not grant the address space that a store of this size needs."""


@dataclass(frozen=True)
class Plan:
    """The sizes of a mapping: the first page of the arena, the number of its pages, the bytes of the whole."""

    first: int
    pages: int
    total: int


def plan(arena: int) -> Plan:
    """Return the mapping whose arena has at least `arena` bytes; the page table before it covers all pages."""
    pages = -(-arena // layout.PAGE_BYTES)
    table = layout.PAGE_TABLE * layout.WORD
    entry = 2 * layout.WORD
    first = -(-table // layout.PAGE_BYTES)
    while (first + pages) * entry + table > first * layout.PAGE_BYTES:
        first = -(-(table + (first + pages) * entry) // layout.PAGE_BYTES)
    return Plan(first, pages, (first + pages) * layout.PAGE_BYTES)


def least_plan(memory_max: int) -> Plan:
    """Return the smallest mapping for `memory_max` bytes of data."""
    return plan(max(memory_max, SMALLEST) + MARGIN)


def plans(memory_max: int) -> list[Plan]:
    """Return the mappings that suffice for `memory_max`, the largest first."""
    eighths = range(8 * SPARE, 7, -1)
    return [plan(max(memory_max * part // 8, SMALLEST) + MARGIN) for part in eighths]
