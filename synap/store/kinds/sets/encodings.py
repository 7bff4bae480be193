"""Encodings of sets: the one that Redis 7.2 would use, as far as it depends on the history of a set.

A set of integers is an intset; a member that is no integer makes it a listpack, too many or too large members a hash
table, and no removal changes it back: two bits in the head of the record (keyspace.py). The limits are registers that
Redis' settings `set-max-intset-entries`, `set-max-listpack-entries` and `-value` change.
"""

from synap.compiler.jit import kernel
from synap.kernels.integers import is_integer
from synap.store.kinds.sets import members
from synap.store.memory.layout import MARK_BITS, SET_ENTRIES_MAX, SET_INTEGERS_MAX, SET_VALUE_MAX
from synap.store.records.keyspace import OUTGROWN, SPELLED

DRAWN_FACTOR = 5  # SPOP of more than so many times what is left makes a new set of the rest


@kernel
def most_of(words, bits):
    """Return the most members that a set with these bits may have without a hash table."""
    return words[SET_ENTRIES_MAX if bits & SPELLED else SET_INTEGERS_MAX]


@kernel
def set_will_grow(words, octets, ref, count, added, start, size):
    """Set the bits that Redis decides before it adds `added` members, this text the first, to a set of `count`."""
    if count == 0 and not is_integer(octets, start, size):
        words[ref] |= SPELLED
    if added > most_of(words, words[ref]):
        words[ref] |= OUTGROWN


@kernel
def bits_of(words, octets, bits, count, start, size):
    """Return what becomes of the bits of a set by this new member, with which it has `count`."""
    if bits & OUTGROWN:
        return bits
    if not is_integer(octets, start, size):
        bits |= SPELLED
        if size > words[SET_VALUE_MAX]:
            bits |= OUTGROWN
    if count > most_of(words, bits):
        bits |= OUTGROWN
    return bits


@kernel
def set_has_grown(words, octets, ref, count, start, size):
    """Set the bits of the record at `ref` that follow from this new member of a set that now has `count`."""
    words[ref] |= bits_of(words, octets, words[ref] & (OUTGROWN | SPELLED), count, start, size)


@kernel
def bits_for(words, octets, root, bits):
    """Return what becomes of the bits `bits` (0 for a new set) if all members of this set are added one by one."""
    if members.count_of(words, root) > max(words[SET_ENTRIES_MAX], words[SET_INTEGERS_MAX]):
        return bits | OUTGROWN
    count = place = 0
    place, member = members.following(words, octets, root, place)
    while member and not bits & OUTGROWN:
        count += 1
        start, mark = members.text_of(words, octets, root, member)
        bits = bits_of(words, octets, bits, count, start, mark >> MARK_BITS)
        place, member = members.following(words, octets, root, place)
    return bits


@kernel
def set_was_drawn(words, octets, ref, root, drawn):
    """Set the bits of a set from which SPOP has removed `drawn` members."""
    if words[ref] & OUTGROWN and members.count_of(words, root) * DRAWN_FACTOR <= drawn:
        words[ref] = (words[ref] & ~OUTGROWN) | bits_for(words, octets, root, SPELLED)
