"""Handlers that inspect single keys: OBJECT, MEMORY USAGE, DEBUG OBJECT; and LCS."""

from typing import Any

import numpy as np

from synap.call import Value
from synap.engine.callers import Caller
from synap.engine.engine import Engine, Handler
from synap.engine.memory import EVICTION_POLICIES
from synap.faults import Fault
from synap.store.keys import key_info
from synap.store.kinds.table import KINDS
from synap.store.memory import kinds, layout
from synap.store.records import descriptions, keyspace

ENCODINGS = {kind.number: kind.encodings for kind in KINDS}
UNITS = ("B", "KB", "MB", "GB", "TB")
LCS_CELL_BYTES = 4


def human(size: int) -> str:
    """Format a size for people: units of 1024, two decimals or none."""
    value, unit = float(size), 0
    while value >= 1024 and unit < len(UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.2f}{UNITS[unit]}" if value != int(value) else f"{int(value)}{UNITS[unit]}"


def key_facts(engine: Engine, caller: Caller, key: bytes, now: int, samples: int = 0) -> Any:
    """Return the words of `key_info.describe` for a key, or None if the key is missing; not a use of the key."""
    at = layout.CALL_BLOB * layout.WORD
    engine.bytes[at : at + len(key)] = key
    namespace = caller.namespace
    found = np.zeros(descriptions.DESCRIPTION_WORDS, np.int64)
    seen = key_info.describe(engine.words, engine.octets, namespace, at, len(key), now, samples, found)
    return found.tolist() if seen else None


def used_facts(engine: Engine, caller: Caller, key: bytes, now: int, samples: int = 0) -> Any:
    """Return what `key_facts` returns, and count this as a use of the key, for rows that read the value."""
    found = key_facts(engine, caller, key, now, samples)
    namespace = caller.namespace
    key_info.use(engine.words, engine.octets, namespace, layout.CALL_BLOB * layout.WORD, len(key), now)
    return found


def _must(engine: Engine, caller: Caller, key: bytes, now: int) -> Any:
    found = key_facts(engine, caller, key, now)
    if found is None:
        raise Fault("NO_SUCH_KEY", key=key.decode("utf-8", "replace"))
    return found


def counts_uses(engine: Engine) -> bool:
    """Return True if the eviction policy counts uses (LFU) instead of times."""
    return engine.numbers[layout.EVICTION] in (layout.EVICT_LFU, layout.EVICT_VOLATILE_LFU)


def idle_seconds(found: Any, now: int) -> int:
    """Return the seconds since a key's last use, with a resolution of 1.024 s."""
    units = ((now >> keyspace.TIME_SHIFT) - found[descriptions.CLOCK]) & 0xFFFF
    return (units << keyspace.TIME_SHIFT) // 1000


def _encoding(found: Any) -> str:
    return ENCODINGS[found[descriptions.KIND]][found[descriptions.ENCODING]]


def object_encoding(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the encoding that Redis would use for the key."""
    found = key_facts(engine, caller, args["key"], now)
    return None if found is None else _encoding(found).encode()


def object_refcount(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return 1 for any key, since values are not shared."""
    return None if key_facts(engine, caller, args["key"], now) is None else 1


def object_idletime(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the seconds since the key's last use."""
    found = key_facts(engine, caller, args["key"], now)
    if found is None:
        return None
    if counts_uses(engine):
        raise Fault("NO_LRU")
    return idle_seconds(found, now)


def object_freq(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the logarithmic counter of the key's uses."""
    found = key_facts(engine, caller, args["key"], now)
    if found is None:
        return None
    if not counts_uses(engine):
        raise Fault("NO_LFU")
    return found[descriptions.USES]


def memory_usage(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the bytes of the blocks of a key, with its slot in the table."""
    samples = args.get("samples", 5)
    if samples < 0:
        raise Fault("SYNTAX")
    key = args["key"]
    found = key_facts(engine, caller, key, now, samples)
    if caller.of_resp:
        return None if found is None else found[descriptions.BYTES]
    name = key.decode("utf-8", "replace")
    if found is None:
        raise Fault("NO_SUCH_KEY", key=name)
    return {"key": name, "bytes": found[descriptions.BYTES], "human": human(found[descriptions.BYTES])}


def debug_object(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return a line of internals of a key."""
    found = _must(engine, caller, args["key"], now)
    idle = 0 if counts_uses(engine) else idle_seconds(found, now)
    encoding = _encoding(found)
    return (
        f"Value at:{found[descriptions.REF] * layout.WORD:#x} refcount:1 encoding:{encoding}"
        f" serializedlength:{found[descriptions.SIZE]} lru:{found[descriptions.CLOCK]} lru_seconds_idle:{idle}"
    )


def lcs(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the longest common subsequence of two strings, its length (LEN), or its ranges in both (IDX)."""
    if args.get("len") and args.get("idx"):
        raise Fault("LEN_AND_IDX")
    spans = []
    both = [used_facts(engine, caller, args[name], now) for name in ("key1", "key2")]
    for found in both:
        if found is not None and found[descriptions.KIND] != kinds.STRING:
            raise Fault("NOT_STRINGS")
        spans += [0, 0] if found is None else [found[descriptions.AT], found[descriptions.SIZE]]
    cells = (spans[1] + 1) * (spans[3] + 1)
    if cells * LCS_CELL_BYTES > engine.numbers[layout.LIMIT_WORD]:
        raise Fault("LCS_TOO_LARGE")
    table = np.empty(cells, np.uint32)
    size = key_info.common_fill(engine.octets, *spans, table)
    if args.get("len"):
        return size
    text = np.empty(max(size, 1), np.uint8)
    ranges = np.empty(4 * max(size, 1), np.int64)
    least = max(args.get("length_min", 0), 0)
    count = key_info.common_trace(engine.octets, *spans, table, text, ranges, least)
    if not args.get("idx"):
        return text[:size].tobytes()
    matches = []
    for a, b, c, d in ranges[: 4 * count].reshape(-1, 4).tolist():
        matches.append([[a, b], [c, d], b - a + 1] if args.get("withmatchlen") else [[a, b], [c, d]])
    return {"matches": matches, "len": size}


def policy_of(engine: Engine) -> str:
    """Return the name of the eviction policy."""
    return EVICTION_POLICIES[engine.numbers[layout.EVICTION]]


HANDLERS: dict[str, Handler] = {
    "object_encoding": object_encoding,
    "object_refcount": object_refcount,
    "object_idletime": object_idletime,
    "object_freq": object_freq,
    "memory_usage": memory_usage,
    "debug_object": debug_object,
    "lcs": lcs,
}
