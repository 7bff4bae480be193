"""Encodings: the one that Redis 7.2 would use for a list or set, as far as it depends on the value's history.

A list is a listpack until it outgrows one, and becomes a listpack again once it has shrunk to half of that. A set of
integers is an intset; a member that is no integer makes it a listpack, too many or too large members a hash table, and
no removal changes it back. Both facts are bits in the head of the record (keyspace.py). The limits are the defaults
of Redis' settings `list-max-listpack-size`, `set-max-intset-entries` and `set-max-listpack-entries` and `-value`.
"""

from synap.compiler.jit import kernel
from synap.kernels.integers import parse_integer
from synap.store.kinds.lists import chunks
from synap.store.records.keyspace import OUTGROWN, SPELLED

LISTPACK_BYTES_MAX = 8192
LISTPACK_FRAME, LISTPACK_ENTRY = 7, 2  # bytes of a listpack besides its elements: once, and for each element
SET_LISTPACK_ENTRIES_MAX, SET_LISTPACK_VALUE_MAX = 128, 64
INTSET_ENTRIES_MAX = 512


@kernel
def is_integer(octets, start, size):
    """Return True if this text is the shortest spelling of a 64-bit integer."""
    _, valid = parse_integer(octets, start, min(size, 21))
    return valid


@kernel
def listpack_bytes(words, root):
    """Return the approximate size of the listpack that would hold a list."""
    return words[root + chunks.BYTES] + LISTPACK_ENTRY * words[root + chunks.COUNT] + LISTPACK_FRAME


@kernel
def list_has_grown(words, ref, root):
    """Set OUTGROWN in the record at `ref` if its list has outgrown a listpack."""
    if listpack_bytes(words, root) > LISTPACK_BYTES_MAX:
        words[ref] |= OUTGROWN


@kernel
def list_has_shrunk(words, ref, root):
    """Clear OUTGROWN in the record at `ref` if its list fits into a listpack again."""
    if words[ref] & OUTGROWN and listpack_bytes(words, root) <= LISTPACK_BYTES_MAX >> 1:
        words[ref] &= ~OUTGROWN


@kernel
def set_will_grow(words, octets, ref, count, added, start, size):
    """Set the bits that Redis decides before it adds `added` members, this text the first, to a set of `count`."""
    if count == 0 and not is_integer(octets, start, size):
        words[ref] |= SPELLED
    if added > (SET_LISTPACK_ENTRIES_MAX if words[ref] & SPELLED else INTSET_ENTRIES_MAX):
        words[ref] |= OUTGROWN


@kernel
def set_has_grown(words, octets, ref, count, start, size):
    """Set the bits of the record at `ref` that follow from this new member of a set that now has `count`."""
    if words[ref] & OUTGROWN:
        return
    if not is_integer(octets, start, size):
        words[ref] |= SPELLED
        if size > SET_LISTPACK_VALUE_MAX:
            words[ref] |= OUTGROWN
    if count > (SET_LISTPACK_ENTRIES_MAX if words[ref] & SPELLED else INTSET_ENTRIES_MAX):
        words[ref] |= OUTGROWN
