"""Handler of the statistics of strings, for JSON surfaces."""

from typing import Any

from synap.engine.engine import Engine, Handler
from synap.engine.sessions import Session
from synap.store.memory import layout

CALLS = 0  # index in the counters of a row
NAMESPACES = 16
SETTERS = ("kv.set", "kv.setnx", "kv.setex", "kv.psetex", "kv.getset", "kv.mset", "kv.msetnx")
REMOVERS = ("key.delete", "key.unlink", "kv.getdel", "kv.delex")


def kv_stats(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """Return keys, bytes in use and counts since the start; `hits` and `misses` count the key lookups of reads."""
    numbers = engine.numbers

    def counted(names: tuple[str, ...], word: int) -> int:
        return sum(int(numbers[layout.COUNTERS + 4 * engine.catalogue.by_name[name].code + word]) for name in names)

    hits, misses = int(numbers[layout.KEY_HITS]), int(numbers[layout.KEY_MISSES])
    return {
        "total_keys": sum(int(numbers[layout.KEYS_COUNT + i]) for i in range(NAMESPACES)),
        "total_memory_bytes": int(numbers[layout.WORDS_USED]) * layout.WORD,
        "operations": {
            "gets": counted(("kv.get",), CALLS),
            "sets": counted(SETTERS, CALLS),
            "dels": counted(REMOVERS, CALLS),
            "hits": hits,
            "misses": misses,
        },
        "hit_rate": hits / (hits + misses) if hits + misses else 0.0,
    }


HANDLERS: dict[str, Handler] = {"kv_stats": kv_stats}
