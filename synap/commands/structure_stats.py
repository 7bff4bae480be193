"""Command rows of the statistics of structures, which only the JSON surfaces have: `/hash/stats` and its like.

What is counted by which counter, see `engine/handlers/structures.py`.
"""

from synap.command import DIAGNOSTICS, Command
from synap.reply import INTEGER, REAL, Record, Template
from synap.routes import Get
from synap.traits import ESTIMATES, WALKS


def _counts(*names: str) -> Record:
    return Record({f"{name}_count": INTEGER for name in names})


def _stats(
    family: str, code: int, what: str, totals: dict[str, Template], *surface: str, traits: int = WALKS
) -> Command:
    """Return the row of a family; JSON surfaces may have another name for it."""
    path = surface[0] if surface else family
    return Command(
        f"{family}.stats", code, f"Return {what}, by a walk over all keys.",
        reply=Record(totals), handler=f"{family}_stats", traits=traits, http=(Get(f"/{path}/stats"),),
        envelope=tuple(f"{name}.stats" for name in surface), json="$reply", calls_families=(DIAGNOSTICS,),
    )  # fmt: skip


ROWS = [
    _stats(
        "hash", 0x1701, "the number of hashes and of their fields, and counts of calls",
        {"total_hashes": INTEGER, "total_fields": INTEGER, "operations": _counts("hset", "hget", "hdel")},
    ),
    _stats(
        "list", 0x1702, "the number of lists and of their elements, and counts of calls",
        {
            "total_lists": INTEGER, "total_elements": INTEGER,
            "operations": _counts(
                "lpush", "rpush", "lpop", "rpop", "lrange", "llen", "lindex", "lset", "ltrim", "lrem", "linsert",
                "rpoplpush", "blpop", "brpop",
            ),
        },
    ),
    _stats(
        "set", 0x1703, "the number of sets and of their members, and counts of calls",
        {
            "total_sets": INTEGER, "total_members": INTEGER,
            "operations": _counts(
                "sadd", "srem", "sismember", "smembers", "scard", "spop", "srandmember", "smove", "sinter", "sunion",
                "sdiff",
            ),
        },
    ),
    _stats(
        "zset", 0x1704, "the number of sorted sets and of their members, and the bytes of their memory blocks",
        {"total_keys": INTEGER, "total_members": INTEGER, "avg_members_per_key": REAL, "memory_bytes": INTEGER},
        "sortedset",
    ),
    _stats(
        "hyperloglog", 0x1705, "the number of HyperLogLogs, the sum of their estimates, and counts of calls",
        {
            "total_hlls": INTEGER, "total_cardinality": INTEGER, "pfadd_count": INTEGER, "pfcount_count": INTEGER,
            "pfmerge_count": INTEGER,
        },
        traits=WALKS | ESTIMATES,
    ),
    _stats(
        "bitmap", 0x1706,
        "the number of strings, each of which is a bitmap if it is no HyperLogLog, of their bits, and of calls",
        {
            "total_bitmaps": INTEGER, "total_bits": INTEGER, "setbit_count": INTEGER, "getbit_count": INTEGER,
            "bitcount_count": INTEGER, "bitop_count": INTEGER, "bitpos_count": INTEGER, "bitfield_count": INTEGER,
        },
    ),
]  # fmt: skip
