"""Counts of keys and elements, kind by kind: the basis of `/hash/stats` and its like.

Nothing counts elements while they come and go. A walk over all keys asks each kind for its numbers instead, in steps
with a cursor (a place as in key.scan), so that a caller may do other work between two steps. A key that is there from
the beginning to the end of a walk is counted exactly once, with the elements that it has when the walk passes it.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import bare, load64, prefetch
from synap.store.kinds import dispatch
from synap.store.kinds.strings.hyperloglog import COUNT as CACHED
from synap.store.kinds.strings.hyperloglog import HEAD, STALE, STALE_BYTE, begins_well, count_one, refusal_of
from synap.store.memory import arena, tables
from synap.store.memory.layout import SHARDS, SHARDS_COUNT, TABLE_SIZE, WORD
from synap.store.memory.tables import REF_MASK, TAG_BITS, TAG_MASK
from synap.store.records import compressed, keyspace
from synap.store.records.descriptions import BYTES, COUNT, DESCRIPTION_WORDS

KEYS, ELEMENTS, HELD = range(3)
OF_KIND = 3  # words of `found` for each kind: keys, elements, bytes of their blocks
SKETCHES, CARDINALITY, STRING_BYTES = 48, 49, 50
FOUND_WORDS = 51
SAMPLES = 5  # members of a key that are measured, as by MEMORY USAGE
AHEAD = 12  # slots between the one that is looked at and the one whose record is prefetched
OF_SKETCH, OF_UNPACKING = 200, 60  # what estimating a sketch and decompressing a value take of the budget
OF_BLOCKS = 6  # as a power of two: elements for which a kind looks at one more block


@kernel
def tally_string(words, octets, ref, estimate, found):
    """Add a string to the counts: its bytes or, if it is a sketch, its estimate if that is wanted; return the cost."""
    size = compressed.full_size(words, octets, ref)
    packed = compressed.is_packed(words, ref)
    cost = OF_UNPACKING if packed and size >= HEAD else 1
    at = compressed.stored_at(words, ref)
    if packed and size >= HEAD:
        at, size = compressed.text_aside(words, octets, ref)
    if not begins_well(octets, at, size) or refusal_of(octets, at, size):
        found[STRING_BYTES] += size
        return cost
    found[SKETCHES] += 1
    if not estimate:
        return cost
    if octets[at + STALE_BYTE] & STALE == 0:
        found[CARDINALITY] += load64(octets, at + CACHED)
        return cost
    found[CARDINALITY] += count_one(words, octets, at, size)
    return cost + OF_SKETCH


@kernel
def tally_record(words, octets, ref, estimate, now, found, described):
    """Add the record of a key to the counts, if it is visible; return what that takes of the budget."""
    if keyspace.expired(words, ref, now):
        return 1
    kind = keyspace.kind_of(words, ref)
    place = OF_KIND * kind
    found[place + KEYS] += 1
    if keyspace.root_words(words, kind) == 0:
        return tally_string(words, octets, ref, estimate, found)
    for i in range(DESCRIPTION_WORDS):
        described[i] = 0
    described[BYTES] = arena.capacity(words, ref) * WORD + WORD  # the record and its slot
    dispatch.describe(kind, words, octets, ref, SAMPLES, described)
    found[place + ELEMENTS] += described[COUNT]
    found[place + HELD] += described[BYTES]
    return 1 + (described[COUNT] >> OF_BLOCKS)


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64, int64[::1], int64[::1])")
def tally(words, octets, cursor, budget, estimate, now, found, described):
    """Count the visible keys in about `budget` slots from `cursor` on; return the cursor to continue with, -1 at the
    end.

    `found` (FOUND_WORDS) is added to: at OF_KIND times the number of a kind its keys, their elements, and the bytes of
    their blocks (of strings only the keys); the number of HyperLogLogs, the sum of their estimates if `estimate`
    is 1, and the bytes of all other strings. `described` (DESCRIPTION_WORDS) is overwritten.
    """
    words = bare(words)
    octets = bare(octets)
    found = bare(found)
    described = bare(described)
    last = words.size - 1
    shard = cursor >> TAG_BITS
    tag = cursor & TAG_MASK
    while shard < SHARDS_COUNT:
        table = SHARDS + shard * TABLE_SIZE
        seat = tables.window(words, table, tag, TAG_MASK)
        if seat == 0:
            shard += 1
            tag = 0
            continue
        if budget <= 0:
            return shard << TAG_BITS | tables.tag_of(words[seat])
        while words[seat]:  # one run of slots: the walk stops between two of them
            prefetch(words, words[min(seat + AHEAD, last)] & REF_MASK)
            budget -= tally_record(words, octets, words[seat] & REF_MASK, estimate, now, found, described)
            tag = tables.tag_of(words[seat]) + 1
            seat += 1
        if tag > TAG_MASK:
            shard += 1
            tag = 0
    return -1
