"""Encodings of sets: the one that Redis 7.2 would use, as far as it depends on the history of a set.

A set of integers is an intset; a member that is no integer makes it a listpack, too many or too large members a hash
table, and no removal changes it back: two bits in the head of the record (keyspace.py). The limits are the defaults of
Redis' settings `set-max-intset-entries`, and `set-max-listpack-entries` and `-value`.
"""

from synap.compiler.jit import kernel
from synap.kernels.integers import is_integer
from synap.store.records.keyspace import OUTGROWN, SPELLED

LISTPACK_ENTRIES_MAX, LISTPACK_VALUE_MAX = 128, 64
INTSET_ENTRIES_MAX = 512


@kernel
def set_will_grow(words, octets, ref, count, added, start, size):
    """Set the bits that Redis decides before it adds `added` members, this text the first, to a set of `count`."""
    if count == 0 and not is_integer(octets, start, size):
        words[ref] |= SPELLED
    if added > (LISTPACK_ENTRIES_MAX if words[ref] & SPELLED else INTSET_ENTRIES_MAX):
        words[ref] |= OUTGROWN


@kernel
def set_has_grown(words, octets, ref, count, start, size):
    """Set the bits of the record at `ref` that follow from this new member of a set that now has `count`."""
    if words[ref] & OUTGROWN:
        return
    if not is_integer(octets, start, size):
        words[ref] |= SPELLED
        if size > LISTPACK_VALUE_MAX:
            words[ref] |= OUTGROWN
    if count > (LISTPACK_ENTRIES_MAX if words[ref] & SPELLED else INTSET_ENTRIES_MAX):
        words[ref] |= OUTGROWN
