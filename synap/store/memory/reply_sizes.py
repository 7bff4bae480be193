"""The size of a reply that is written already, for rows whose replies are shorter than what they look at."""

from synap.compiler.jit import kernel
from synap.store.memory.layout import ITEM_MASK, ITEM_TEXT, MARK_BITS


@kernel
def bytes_in(words, reply):
    """Return the bytes of all texts in the reply."""
    total = 0
    for place in range(reply + 3, reply + 3 + 2 * words[reply + 1], 2):
        if words[place] & ITEM_MASK == ITEM_TEXT:
            total += words[place] >> MARK_BITS
    return total
