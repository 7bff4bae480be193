"""Cache of decompressed values: a few blocks of at most HOT_MAX bytes in all, found by a record's ref.

An entry is removed when its record is freed, moves or gets another value. The block is freed after the current
reply, which may point into it.
"""

from synap.compiler.jit import kernel
from synap.store.memory import arena
from synap.store.memory.layout import HOT, HOT_BYTES, HOT_HAND, HOT_MAX, HOT_SEATS

SEAT_WORDS = 4  # ref, block, bytes, -


@kernel
def seat_of(ref):
    """Return the seat at which the value of this record would be cached."""
    return HOT + SEAT_WORDS * (((ref * 0x9E3779B1) >> 16) & (HOT_SEATS - 1))


@kernel
def clear(words, seat):
    """Remove the entry of a seat, and free its block after the reply."""
    if words[seat]:
        words[seat] = 0
        words[HOT_BYTES] -= words[seat + 2]
        arena.release_later(words, words[seat + 1])


@kernel
def forget(words, ref):
    """Remove the entry of the record at `ref`, which is about to be freed, to move or to get another value."""
    if words[HOT_BYTES]:
        seat = seat_of(ref)
        if words[seat] == ref:
            clear(words, seat)


@kernel
def keep(words, seat, ref, block, size):
    """Store a block at a seat, and clear other seats in turn until the cache is within HOT_MAX."""
    clear(words, seat)
    while words[HOT_BYTES] + size > words[HOT_MAX]:
        words[HOT_HAND] = (words[HOT_HAND] + 1) & (HOT_SEATS - 1)
        clear(words, HOT + SEAT_WORDS * words[HOT_HAND])
    words[seat] = ref
    words[seat + 1] = block
    words[seat + 2] = size
    words[HOT_BYTES] += size
