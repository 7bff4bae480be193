"""Sets of the ids that one call has named so far: a block that is freed with the reply.

    set      number of places - 1 | for each place an id (ms, seq), or 0-0, which no entry has

An id stands at the place of its hash, or at the next free one behind it. A third of the places stays free.
"""

from synap.compiler.jit import kernel, outlined
from synap.store.kinds.streams import ids
from synap.store.memory import arena, limits
from synap.store.memory.layout import KEY_A, WORD
from synap.store.records.state_hash import mix

_MASK, _PLACES = 0, 1
_PLACES_MIN = 16


@kernel
def _make(words, count):
    """Return an empty set for so many ids, or 0 without memory."""
    places = _PLACES_MIN
    while places < count + (count >> 1):
        places *= 2
    size = _PLACES + 2 * places
    if limits.lacks_aside(words, size * WORD):
        return 0
    found = arena.allocate(words, size)
    if found:
        arena.release_later(words, found)
        words[found + _MASK] = places - 1
        for at in range(found + _PLACES, found + size):
            words[at] = 0
    return found


@kernel
def _add(words, held, ms, seq):
    """Add an id to a set; return False if it was there."""
    if ms == 0 and seq == 0:
        return True
    mask = words[held + _MASK]
    i = mix(mix(words[KEY_A], ms), seq) & mask
    while True:
        at = held + _PLACES + 2 * i
        if words[at] == ms and words[at + 1] == seq:
            return False
        if words[at] == 0 and words[at + 1] == 0:
            words[at] = ms
            words[at + 1] = seq
            return True
        i = (i + 1) & mask


@outlined
def is_new(words, octets, tape, first, stride, i, count, held, ms, seq):
    """Return (whether no item before item i of a group has this id, the set of these ids; 0 without memory).

    The group has `count` items from slot `first` on. `held` is the set that the last call has returned, or 0.
    """
    if held == 0:
        held = _make(words, count)
        if held == 0:
            return False, held
        for slot in range(first, first + i * stride, stride):
            _, other_ms, other_seq = ids.strict(words, octets, tape, slot, 0)
            _add(words, held, other_ms, other_seq)
    return _add(words, held, ms, seq), held
