"""The table of counters, from which INFO, `/metrics` and the docs are made.

Most counters are registers that kernels maintain in any case, so counting costs nothing extra; a few are
sums over the per-row counters (calls, refusals, changes: four words for each code). Names follow
Prometheus, with the unit last; `section` is the section of INFO.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from synap.command import Catalogue
from synap.store.kinds.table import NAMED, NamedKind
from synap.store.memory import codes, layout, tables

Read = Callable[[Any, Catalogue], int]
CALLS, REFUSALS, CHANGES = 0, layout.COUNTER_REFUSALS, layout.COUNTER_CHANGES


@dataclass(frozen=True)
class Counter:
    """A counter: `kind` is `counter` (only grows) or `gauge`; `read` returns its value from the heap's words."""

    name: str
    section: str
    kind: str
    doc: str
    read: Read


def _register(at: int) -> Read:
    return lambda numbers, catalogue: int(numbers[at])


def _table_of(kind: NamedKind) -> int:
    return layout.NAMED_TABLES + (kind.number - layout.NAMED_FIRST) * layout.TABLE_SIZE


def _rows(word: int) -> Read:
    return lambda numbers, catalogue: sum(
        int(numbers[layout.COUNTERS + layout.COUNTER_WORDS * row.code + word]) for row in catalogue.rows
    )


def _over(first: int) -> Read:
    return lambda numbers, catalogue: sum(int(numbers[first + i]) for i in range(layout.NAMESPACES))


TABLE = (
    Counter("commands_total", "stats", "counter", "calls carried out, refused ones included", _rows(CALLS)),
    Counter("commands_refused_total", "stats", "counter", "calls that were refused", _rows(REFUSALS)),
    Counter("changes_total", "stats", "counter", "calls that changed the state", _rows(CHANGES)),
    Counter("seq", "stats", "counter", "commit sequence number of the last change", _register(layout.SEQ)),
    Counter("keys", "stats", "gauge", "keys in all namespaces", _over(layout.KEYS_COUNT)),
    Counter("keys_expiring", "stats", "gauge", "keys with a deadline", _over(layout.KEYS_EXPIRING)),
    *(Counter(kind.folder, "stats", "gauge", kind.folder, _register(_table_of(kind) + tables.COUNT))
      for kind in NAMED),
    Counter("timers", "stats", "gauge", "queues, rooms and topics with a timer", _register(layout.TIMERS_COUNT)),
    Counter("evicted_keys_total", "stats", "counter", "keys removed because memory was used up",
            _register(layout.EVICTED)),
    Counter("expired_keys_total", "stats", "counter",
            "keys removed because their deadline had passed; expired keys that a command replaced are not counted",
            _register(layout.COUNTERS + layout.COUNTER_WORDS * codes.KEY_EXPIRE + CHANGES)),
    Counter("keyspace_hits_total", "stats", "counter", "reads that found their key", _register(layout.KEY_HITS)),
    Counter("keyspace_misses_total", "stats", "counter", "reads that did not find their key",
            _register(layout.KEY_MISSES)),
    Counter("interest_entries", "stats", "gauge", "keys, queues and rooms that clients wait for, watch or follow",
            _register(layout.INTEREST_ANY)),
    Counter(
        "memory_used_bytes", "memory", "gauge", "bytes of blocks in use, to which memory_max_bytes applies",
        lambda numbers, catalogue: int(numbers[layout.WORDS_USED]) * layout.WORD,
    ),
    Counter(
        "memory_pages_bytes", "memory", "gauge", "bytes of pages in use, with the gaps between blocks",
        lambda numbers, catalogue: int(numbers[layout.PAGES_USED]) * layout.PAGE_BYTES,
    ),
    Counter("memory_max_bytes", "memory", "gauge", "the setting kv_store.max_memory_mb, in bytes",
            _register(layout.BYTES_MAX)),
    Counter(
        "memory_free_bytes", "memory", "gauge", "bytes of free pages that are not yet returned to the system",
        lambda numbers, catalogue: int(numbers[layout.PAGES_DIRTY]) * layout.PAGE_BYTES,
    ),
    Counter("compressed_from_bytes_total", "memory", "counter", "bytes of compressed strings before compression",
            _register(layout.COMPRESSED_FROM)),
    Counter("compressed_to_bytes_total", "memory", "counter", "bytes of compressed strings after compression",
            _register(layout.COMPRESSED_TO)),
    Counter("hot_hits_total", "memory", "counter", "reads of compressed strings that the cache of values served",
            _register(layout.HOT_HITS)),
    Counter("hot_misses_total", "memory", "counter", "reads that decompressed a string",
            _register(layout.HOT_MISSES)),
    Counter("hot_bytes", "memory", "gauge", "bytes of decompressed strings in the cache of values",
            _register(layout.HOT_BYTES)),
    Counter("lazyfree_structures", "memory", "gauge", "deleted structures that are not yet freed",
            _register(layout.LAZYFREE_COUNT)),
    Counter("log_pending_bytes", "memory", "gauge", "bytes of frames that are not yet written to the log",
            _register(layout.LOG_TOP)),
)  # fmt: skip


def section(name: str, numbers: Any, catalogue: Catalogue) -> dict[str, int]:
    """Return the counters of one section of INFO, by name."""
    return {row.name: row.read(numbers, catalogue) for row in TABLE if row.section == name}
