"""Deadlines of elements inside a structure, such as the fields of a hash.

A record with such elements has a bit in its head, and the table of its structure keeps the soonest deadline in a fixed
word. So upkeep finds the structures that have something to remove without knowing their kinds.
"""

from synap.compiler.jit import kernel
from synap.store.records import keyspace, packed

HAS_INNER_DEADLINES = 1 << (keyspace.FORM_SHIFT + 2)
"""In the head of a record with a root: a bit of the mark, which copies keep. In a string it tells the compression."""
SOONEST = 8  # the word of the structure's table with the soonest deadline that an element may have, or 0


@kernel
def inner_due(words, ref, now):
    """Return True if elements of the structure at `ref` may have expired."""
    if not words[ref] & HAS_INNER_DEADLINES or keyspace.root_words(words, keyspace.kind_of(words, ref)) == 0:
        return False
    soonest = words[packed.block_of(words[keyspace.root_of(words, ref)]) + SOONEST]
    return soonest != 0 and soonest <= now
