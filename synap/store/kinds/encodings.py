"""The encoding in which Redis 7.2 would keep a list or a set, as far as it depends on the history of the value.

A list is a listpack until it outgrows one, and becomes a listpack again once it has shrunk to half of that. A set of
integers is an intset; a member that is no integer makes it a listpack, too many or too large members a hash table, and
no removal changes it back. Both facts are bits in the head of the record (keyspace.py); the limits are the defaults
of Redis' settings `list-max-listpack-size`, `set-max-intset-entries` and `set-max-listpack-entries` and `-value`.
"""

from synap.compiler.jit import kernel
from synap.kernels.integers import parse_integer
from synap.store.kinds.lists import chunks
from synap.store.records.keyspace import OUTGROWN, SPELLED

LISTPACK_BYTES_MAX = 8192
LISTPACK_FRAME, LISTPACK_ENTRY = 7, 2  # bytes of a listpack besides its elements: in all, and for each of them
SET_LISTPACK_ENTRIES_MAX, SET_LISTPACK_VALUE_MAX = 128, 64
INTSET_ENTRIES_MAX = 512


@kernel
def is_integer(octets, start, size):
    """Is this text the shortest spelling of a 64-bit integer?"""
    _, valid = parse_integer(octets, start, min(size, 21))
    return valid


@kernel
def listpack_bytes(words, root):
    """About the bytes of the listpack that would hold a list."""
    return words[root + chunks.BYTES] + LISTPACK_ENTRY * words[root + chunks.COUNT] + LISTPACK_FRAME


@kernel
def list_has_grown(words, ref, root):
    """Note in the record at `ref` that its list has outgrown a listpack, if it has."""
    if listpack_bytes(words, root) > LISTPACK_BYTES_MAX:
        words[ref] |= OUTGROWN


@kernel
def list_has_shrunk(words, ref, root):
    """Note in the record at `ref` that its list fits into a listpack again, if it does."""
    if words[ref] & OUTGROWN and listpack_bytes(words, root) <= LISTPACK_BYTES_MAX >> 1:
        words[ref] &= ~OUTGROWN


@kernel
def set_will_grow(words, octets, ref, count, added, start, size):
    """Note what Redis decides before it adds `added` members, the first of them this text, to a set of `count`."""
    if count == 0 and not is_integer(octets, start, size):
        words[ref] |= SPELLED
    if added > (SET_LISTPACK_ENTRIES_MAX if words[ref] & SPELLED else INTSET_ENTRIES_MAX):
        words[ref] |= OUTGROWN


@kernel
def set_has_grown(words, octets, ref, count, start, size):
    """Note in the record at `ref` what this new member, one of `count`, means for the encoding of its set."""
    if words[ref] & OUTGROWN:
        return
    if not is_integer(octets, start, size):
        words[ref] |= SPELLED
        if size > SET_LISTPACK_VALUE_MAX:
            words[ref] |= OUTGROWN
    if count > (SET_LISTPACK_ENTRIES_MAX if words[ref] & SPELLED else INTSET_ENTRIES_MAX):
        words[ref] |= OUTGROWN
