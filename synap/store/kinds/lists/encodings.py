"""Encodings of lists: the one that Redis 7.2 would use, as far as it depends on the history of a list.

A list is a listpack until it outgrows one, and becomes a listpack again once it has shrunk to half of that: a bit in
the head of the record (keyspace.py). The limit is Redis' setting `list-max-listpack-size`: a number of elements, which
together have at most 8 KiB, or, if negative, -1 to -5 for 4, 8, 16, 32 and 64 KiB.
"""

from synap.compiler.jit import kernel
from synap.store.kinds.lists.directory import BYTES, COUNT
from synap.store.memory.layout import LIST_SIZE_MAX
from synap.store.records.keyspace import OUTGROWN

LISTPACK_FRAME = 7  # bytes of a listpack besides its entries, which are about as large as ours
BYTES_OF_LEVEL_1, LEVELS = 4096, 5
SAFE_BYTES = 8192


@kernel
def fits_listpack(words, root, divisor):
    """Return True if a list is within the limits of a listpack, or within this fraction of them."""
    size = words[root + BYTES] + LISTPACK_FRAME
    limit = words[LIST_SIZE_MAX]
    if limit < 0:
        return size <= (BYTES_OF_LEVEL_1 << (min(-limit, LEVELS) - 1)) // divisor
    return size <= SAFE_BYTES and words[root + COUNT] <= max(limit, 1) // divisor


@kernel
def list_has_grown(words, ref, root):
    """Set OUTGROWN in the record at `ref` if its list has outgrown a listpack."""
    if not fits_listpack(words, root, 1):
        words[ref] |= OUTGROWN


@kernel
def list_has_shrunk(words, ref, root):
    """Clear OUTGROWN in the record at `ref` if its list fits into a listpack again."""
    if words[ref] & OUTGROWN and fits_listpack(words, root, 2):
        words[ref] &= ~OUTGROWN
