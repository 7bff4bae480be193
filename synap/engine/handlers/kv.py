"""Handler of the statistics of strings, for JSON surfaces."""

from typing import Any

from synap.call import Value
from synap.engine.callers import Caller
from synap.engine.engine import Engine, Handler
from synap.observe.counters import CALLS
from synap.store.memory import codes, layout
from synap.traits import COUNTS_AS_DELETE, COUNTS_AS_SET


def kv_stats(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return keys, bytes in use and counts since the start; `hits` and `misses` count the key lookups of reads."""
    numbers = engine.numbers

    def calls(*rows: int) -> int:
        return sum(int(numbers[layout.COUNTERS + layout.COUNTER_WORDS * code + CALLS]) for code in rows)

    def counted(trait: int) -> int:
        return calls(*(row.code for row in engine.catalogue.rows if row.traits & trait))

    hits, misses = int(numbers[layout.KEY_HITS]), int(numbers[layout.KEY_MISSES])
    return {
        "total_keys": sum(int(numbers[layout.KEYS_COUNT + i]) for i in range(layout.NAMESPACES)),
        "total_memory_bytes": int(numbers[layout.WORDS_USED]) * layout.WORD,
        "operations": {
            "gets": calls(codes.KV_GET),
            "sets": counted(COUNTS_AS_SET),
            "dels": counted(COUNTS_AS_DELETE),
            "hits": hits,
            "misses": misses,
        },
        "hit_rate": hits / (hits + misses) if hits + misses else 0.0,
    }


HANDLERS: dict[str, Handler] = {"kv_stats": kv_stats}
