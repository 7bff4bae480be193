"""Dumps the whole state as frames of load rows: the content of a snapshot.

`dump` walks the tables in the order of hashes and writes load rows into LOG until about a megabyte is there. A list or
a set is written in pieces, of which the first creates the key. All frames carry the seq at which the snapshot is taken.

    cursor   place in the tables | structure at hand | progress inside it | ...   (kept by the caller)

The keyspace comes first, then the named records, kind by kind. `kinds/*/life.py` writes the frames of each kind.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import bare
from synap.store.kinds import dispatch
from synap.store.memory import tables
from synap.store.memory.layout import (
    KIND_DOORS,
    KINDS_COUNT,
    LOG,
    NAMED_FIRST,
    NAMED_TABLES,
    SHARDS,
    SHARDS_COUNT,
    TABLE_SIZE,
)
from synap.store.memory.tables import REF_MASK, TAG_BITS, TAG_MASK
from synap.store.records import keyspace
from synap.store.records.pieces import CHAIN, CURSOR_SIZE, MORE, PLACE, REF, UNREADABLE

PLACES = SHARDS_COUNT << TAG_BITS
NAMED_PLACES = TAG_MASK + 1  # places of each kind of named records, behind those of the keyspace


@kernel
def next_entry(words, place):
    """Return (slot, its place) of the first entry of the keyspace at or behind a place; (0, PLACES) if there is none.

    Entries with the same tag share a place; the cursor's CHAIN counts them.
    """
    shard = place >> TAG_BITS
    tag = place & TAG_MASK
    while shard < SHARDS_COUNT:
        seat = tables.window(words, SHARDS + shard * TABLE_SIZE, tag, TAG_MASK)
        if seat:
            return seat, shard << TAG_BITS | tables.tag_of(words[seat])
        shard += 1
        tag = 0
    return 0, PLACES


@kernel("int64(int64[::1], uint8[::1], int64[::1], int64, int64, int64)")
def dump(words, octets, cursor, seq, now, most):
    """Write load frames into LOG from its start; return their number.

    At least one frame is written, then more until `most` octets are reached; `cursor[CURSOR_SIZE]` gets their size in
    octets. The result is 0 when everything has been written, and UNREADABLE if a compressed string cannot be expanded,
    so that a complete snapshot is impossible.
    """
    words = bare(words)
    octets = bare(octets)
    target = LOG
    end = LOG + (most >> 3)
    done = 0
    while target < end:
        if cursor[PLACE] < PLACES:
            if cursor[MORE]:
                ref = cursor[REF]
            else:
                seat, place = next_entry(words, cursor[PLACE])
                cursor[PLACE] = place
                if seat == 0:
                    cursor[REF] = 0
                    continue
                for _ in range(cursor[CHAIN]):
                    seat += 1
                ref = words[seat] & REF_MASK
                cursor[REF] = ref
            size = dispatch.dump(keyspace.kind_of(words, ref), words, octets, ref, cursor, target, seq, now)
            if size == UNREADABLE:
                return UNREADABLE
            target += size
            done += 1
            if cursor[MORE] == 0:
                step(words, cursor, SHARDS + (cursor[PLACE] >> TAG_BITS) * TABLE_SIZE)
        else:
            nth = (cursor[PLACE] - PLACES) // NAMED_PLACES
            kind = NAMED_FIRST + nth
            if kind == KINDS_COUNT:
                break
            base = PLACES + nth * NAMED_PLACES
            table = NAMED_TABLES + nth * TABLE_SIZE
            seat = 0
            if words[KIND_DOORS + kind]:
                seat = tables.window(words, table, cursor[PLACE] - base, TAG_MASK)
            if seat == 0:
                cursor[PLACE] = base + NAMED_PLACES
                continue
            cursor[PLACE] = base + tables.tag_of(words[seat])
            for _ in range(cursor[CHAIN]):
                seat += 1
            record = words[seat] & REF_MASK
            size = dispatch.dump_named(kind, words, octets, record, cursor, target, seq, now)
            target += size
            done += size != 0
            if cursor[MORE] == 0:
                step(words, cursor, table)
    cursor[CURSOR_SIZE] = (target - LOG) * 8
    return done


@kernel
def step(words, cursor, table):
    """Move the cursor to the next entry of a table: the next one with the same tag, or the next place."""
    base = cursor[PLACE] - PLACES if cursor[PLACE] >= PLACES else cursor[PLACE]
    tag = base & TAG_MASK
    seat = tables.window(words, table, tag, tag)
    for _ in range(cursor[CHAIN] + 1):
        seat += 1
    if words[seat] and tables.tag_of(words[seat]) == tag:
        cursor[CHAIN] += 1
    else:
        cursor[CHAIN] = 0
        cursor[PLACE] += 1
