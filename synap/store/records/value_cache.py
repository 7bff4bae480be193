"""The cache of compressed values in full: a few blocks of at most HOT_MAX bytes, found by a record's ref.

An entry is dropped when its record goes, moves or gets another value. Its block is freed after the reply
that is being made, which may point into it.
"""

from synap.compiler.jit import kernel
from synap.store.memory import arena
from synap.store.memory.layout import HOT, HOT_BYTES, HOT_HAND, HOT_MAX, HOT_SEATS

SEAT_WORDS = 4  # ref, block, bytes, -


@kernel
def seat_of(ref):
    """The place where the value of this record would be."""
    return HOT + SEAT_WORDS * (((ref * 0x9E3779B1) >> 16) & (HOT_SEATS - 1))


@kernel
def clear(words, seat):
    """Let go of what a place holds."""
    if words[seat]:
        words[seat] = 0
        words[HOT_BYTES] -= words[seat + 2]
        arena.release_later(words, words[seat + 1])


@kernel
def forget(words, ref):
    """The record at `ref` goes, or gets another value."""
    if words[HOT_BYTES]:
        seat = seat_of(ref)
        if words[seat] == ref:
            clear(words, seat)


@kernel
def keep(words, seat, ref, block, size):
    """Put a block into its place; others go in turn until there is room."""
    clear(words, seat)
    while words[HOT_BYTES] + size > words[HOT_MAX]:
        words[HOT_HAND] = (words[HOT_HAND] + 1) & (HOT_SEATS - 1)
        clear(words, HOT + SEAT_WORDS * words[HOT_HAND])
    words[seat] = ref
    words[seat + 1] = block
    words[seat + 2] = size
    words[HOT_BYTES] += size
