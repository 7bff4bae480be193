"""Eviction one key at a time, for a caller in Python who reports each key: which is next, and its removal."""

from synap.compiler.jit import kernel
from synap.kernels.spans import bare
from synap.store.calls import calls
from synap.store.memory import frames, limits
from synap.store.memory.layout import (
    BYTES_MAX,
    EVICT_NOBODY,
    EVICTION,
    FLAG_ABOVE_MAX,
    FLAG_GROWS,
    IN_GROUP,
    LAZYFREE,
    REFUSE,
    ROW_FLAGS,
    ROW_NEEDS_WORDS,
)
from synap.store.memory.tables import REF_MASK
from synap.store.records import keyspace
from synap.store.upkeep import eviction, upkeep

NAMESPACE, KEY_AT, KEY_SIZE, SEAT = range(4)


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64, int64, int64[::1])")
def next_victim(words, octets, row, tape_size, blob_size, now, refuse, found):
    """Return 1 if a call of this row would evict a key, as `calls.admit` decides for a caller with the guards `refuse`.

    `found` is filled with facts about the key: its namespace, the octet and size of its name, its slot.
    """
    words = bare(words)
    octets = bare(octets)
    found = bare(found)
    flags = words[row + ROW_FLAGS]
    needed = limits.rounded(blob_size) + (words[row + ROW_NEEDS_WORDS] + tape_size) * 8
    if not flags & FLAG_GROWS or not limits.full(words, needed):
        return 0
    if flags & FLAG_ABOVE_MAX and blob_size <= calls.LITTLE:
        return 0
    if words[IN_GROUP] or calls.guard(words[REFUSE] | refuse, flags):
        return 0
    if words[EVICTION] == EVICT_NOBODY or needed > words[BYTES_MAX] >> 1:
        return 0
    while words[LAZYFREE] and limits.full(words, needed):
        upkeep.lazyfree_some(words, octets, eviction.LAZYFREE_BLOCKS)
    seat = eviction.choose(words, now) if limits.full(words, needed) else 0
    if seat == 0:
        return 0
    ref = words[seat] & REF_MASK
    found[NAMESPACE] = keyspace.namespace_of(words, ref)
    found[KEY_AT] = keyspace.key_at(words, ref)
    found[KEY_SIZE] = keyspace.key_size(words, ref)
    found[SEAT] = seat
    return 1 if frames.log_has_space(words, eviction.DELETE_TAPE, found[KEY_SIZE]) else 0


@kernel("void(int64[::1], uint8[::1], int64, int64)")
def evict(words, octets, seat, now):
    """Evict the key at this slot."""
    words = bare(words)
    octets = bare(octets)
    eviction.evict(words, octets, seat, now)
