"""Encodings of lists: the one that Redis 7.2 would use, as far as it depends on the history of a list.

A list is a listpack until it outgrows one, and becomes a listpack again once it has shrunk to half of that: a bit in
the head of the record (keyspace.py). The limit is the default of Redis' setting `list-max-listpack-size`.
"""

from synap.compiler.jit import kernel
from synap.store.kinds.lists import chunks
from synap.store.records.keyspace import OUTGROWN

LISTPACK_BYTES_MAX = 8192
LISTPACK_FRAME, LISTPACK_ENTRY = 7, 2  # bytes of a listpack besides its elements: once, and for each element


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
