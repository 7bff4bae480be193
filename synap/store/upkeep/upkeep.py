"""Upkeep in steps bounded by a budget: frees dropped structures, and finds expired keys."""

from synap.compiler.jit import kernel
from synap.kernels.spans import bare
from synap.store.kinds import dispatch
from synap.store.memory import arena, tables
from synap.store.memory.layout import (
    INNER_DEADLINES,
    KEYS_EXPIRING,
    LAZYFREE,
    LAZYFREE_COUNT,
    NAMESPACES,
    REPLY,
    SHARDS,
    SHARDS_COUNT,
    TABLE_SIZE,
)
from synap.store.memory.tables import REF_MASK, TAG_BITS, TAG_MASK
from synap.store.memory.tapes import add_number, add_text, set_scalar
from synap.store.records import keyspace
from synap.store.records.inner_deadlines import inner_due

INNER = 1 << 8  # beside a namespace: elements of the key's structure may have expired


@kernel
def lazyfree_some(words, octets, budget):
    """Free dropped structures, at most about `budget` blocks; return the rest of the budget, 0 if structures remain."""
    while words[LAZYFREE] and budget > 0:
        ref = words[LAZYFREE]
        kind = words[ref] & 0xFF
        budget = dispatch.free_some(kind, words, octets, ref, budget)
        if budget > 0:
            words[LAZYFREE] = words[ref] >> 8
            words[LAZYFREE_COUNT] -= 1
            arena.release(words, ref)
            budget -= 1
    return max(budget, 0)


@kernel("int64(int64[::1], uint8[::1], int64)")
def lazyfree(words, octets, budget):
    """Run `lazyfree_some` for Python."""
    words = bare(words)
    octets = bare(octets)
    return lazyfree_some(words, octets, budget)


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64)")
def find_expired(words, octets, cursor, budget, most, now):
    """Look for expired keys in about `budget` slots from `cursor` on (a place as in key.scan).

    REPLY gets up to about `most` pairs of items: the key, then its namespace; INNER is added to the namespace if not
    the key has expired, but perhaps elements of its structure. Return the cursor to continue with, -1 at the end of the
    tables.
    """
    words = bare(words)
    octets = bare(octets)
    set_scalar(words, REPLY, 0)
    total = 0
    for namespace in range(NAMESPACES):
        total += words[KEYS_EXPIRING + namespace]
    if total == 0 and words[INNER_DEADLINES] == 0:
        return -1
    shard = cursor >> TAG_BITS
    tag = cursor & TAG_MASK
    while shard < SHARDS_COUNT:
        table = SHARDS + shard * TABLE_SIZE
        seat = tables.window(words, table, tag, TAG_MASK)
        if seat == 0:
            shard += 1
            tag = 0
            continue
        this = tables.tag_of(words[seat])
        if budget <= 0 or words[REPLY + 1] >= 2 * most:
            return shard << TAG_BITS | this
        while words[seat] and tables.tag_of(words[seat]) == this:
            ref = words[seat] & REF_MASK
            budget -= 1
            if keyspace.expired(words, ref, now):
                add_text(words, REPLY, keyspace.key_at(words, ref), keyspace.key_size(words, ref), 0)
                add_number(words, REPLY, keyspace.namespace_of(words, ref))
            elif inner_due(words, ref, now):
                add_text(words, REPLY, keyspace.key_at(words, ref), keyspace.key_size(words, ref), 0)
                add_number(words, REPLY, keyspace.namespace_of(words, ref) | INNER)
            seat += 1
        tag = this + 1
        if tag > TAG_MASK:
            shard += 1
            tag = 0
    return -1
