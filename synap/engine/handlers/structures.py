"""Handlers of the statistics of structures, such as `/hash/stats`: what is stored now, and the calls of each command.

Totals come from a walk over all keys of all namespaces (`engine/tallies.py`). Calls are counted since the start, or
since CONFIG RESETSTAT, refused calls included, in the counters from which INFO commandstats is made.
"""

from collections.abc import Callable
from typing import Any

from synap.call import Value
from synap.engine.callers import Caller
from synap.engine.engine import Engine, Handler
from synap.engine.tallies import Tally
from synap.observe.counters import CALLS
from synap.store.memory import layout

Counts = dict[str, tuple[str, ...]]
"""Name of a counter -> the rows whose calls it counts."""

HASHES: Counts = {
    "hset_count": ("hash.set", "hash.mset", "hash.hmset", "hash.setnx", "hash.setex"),
    "hget_count": ("hash.get", "hash.mget", "hash.getex"),
    "hdel_count": ("hash.del", "hash.getdel"),
}
LISTS: Counts = {
    "lpush_count": ("list.lpush", "list.lpushx"),
    "rpush_count": ("list.rpush", "list.rpushx"),
    "lpop_count": ("list.lpop",),
    "rpop_count": ("list.rpop",),
    "lrange_count": ("list.range",),
    "llen_count": ("list.len",),
    "lindex_count": ("list.index",),
    "lset_count": ("list.set",),
    "ltrim_count": ("list.trim",),
    "lrem_count": ("list.rem",),
    "linsert_count": ("list.insert",),
    "rpoplpush_count": ("list.rpoplpush", "list.brpoplpush"),
    "blpop_count": ("list.blpop",),
    "brpop_count": ("list.brpop",),
}
SETS: Counts = {
    "sadd_count": ("set.add",),
    "srem_count": ("set.remove",),
    "sismember_count": ("set.ismember", "set.has_many"),
    "smembers_count": ("set.members",),
    "scard_count": ("set.card",),
    "spop_count": ("set.pop",),
    "srandmember_count": ("set.pick",),
    "smove_count": ("set.move",),
    "sinter_count": ("set.inter", "set.interstore", "set.intercard"),
    "sunion_count": ("set.union", "set.unionstore"),
    "sdiff_count": ("set.diff", "set.diffstore"),
}
SKETCHES: Counts = {
    "pfadd_count": ("hyperloglog.pfadd", "hyperloglog.add"),
    "pfcount_count": ("hyperloglog.pfcount",),
    "pfmerge_count": ("hyperloglog.pfmerge",),
}
BITMAPS: Counts = {
    "setbit_count": ("bitmap.setbit",),
    "getbit_count": ("bitmap.getbit",),
    "bitcount_count": ("bitmap.bitcount",),
    "bitop_count": ("bitmap.bitop",),
    "bitpos_count": ("bitmap.bitpos",),
    "bitfield_count": ("bitmap.bitfield", "bitmap.bitfield_ro"),
}


def _calls(engine: Engine, counts: Counts) -> dict[str, int]:
    def of(name: str) -> int:
        code = engine.catalogue.by_name[name].code
        return int(engine.numbers[layout.COUNTERS + layout.COUNTER_WORDS * code + CALLS])

    return {counter: sum(map(of, rows)) for counter, rows in counts.items()}


def _collections(kind: str, keys: str, elements: str, counts: Counts) -> Handler:
    """Return the handler of a kind: its keys and elements under these names, and the calls in `operations`."""

    def stats(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
        number, members, _ = engine.tallies.take(now).of(kind)
        return {keys: number, elements: members, "operations": _calls(engine, counts)}

    return stats


def zset_stats(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the sorted sets, their members and the bytes of their memory blocks."""
    keys, members, held = engine.tallies.take(now).of("zset")
    average = members / keys if keys else 0.0
    return {"total_keys": keys, "total_members": members, "avg_members_per_key": average, "memory_bytes": held}


def _strings(totals: Callable[[Tally], dict[str, int]], counts: Counts, with_estimates: bool = False) -> Handler:
    """Return the handler of structures that are strings: their totals, then the calls."""

    def stats(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
        return totals(engine.tallies.take(now, with_estimates)) | _calls(engine, counts)

    return stats


def _sketch_totals(tally: Tally) -> dict[str, int]:
    number, cardinality = tally.sketches
    return {"total_hlls": number, "total_cardinality": cardinality}


def _bitmap_totals(tally: Tally) -> dict[str, int]:
    return {"total_bitmaps": tally.of("string")[0] - tally.sketches[0], "total_bits": 8 * tally.string_bytes}


HANDLERS: dict[str, Handler] = {
    "hash_stats": _collections("hash", "total_hashes", "total_fields", HASHES),
    "list_stats": _collections("list", "total_lists", "total_elements", LISTS),
    "set_stats": _collections("set", "total_sets", "total_members", SETS),
    "zset_stats": zset_stats,
    "hyperloglog_stats": _strings(_sketch_totals, SKETCHES, with_estimates=True),
    "bitmap_stats": _strings(_bitmap_totals, BITMAPS),
}
