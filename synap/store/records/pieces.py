"""Load rows of a snapshot: the cursor of a dump, and the pieces in which lists and sets are written.

The first piece of a list or set creates the key. A piece holds: key, deadline, whether a piece came before, elements.
"""

from synap.compiler.jit import kernel
from synap.store.memory import frames
from synap.store.memory.layout import FORM_MASK, MARK_BITS, PRESENT
from synap.store.records import keyspace

PLACE, REF, INSIDE, MORE, CHAIN, CURSOR_SIZE, ENTRY = range(7)
"""Words of a cursor: place in the tables, current structure, progress in it, whether more of it follows, entries of
one tag that are done, octets written, and a second word of progress."""
CURSOR_WORDS = 8

PIECE_BYTES = 1 << 20
PIECE_ITEMS = 1 << 14
LOAD_SLOTS = 6
UNREADABLE = -1


@kernel
def words_of(words, target):
    """Return the words of the frame at `target`."""
    return (words[target] & 0xFFFFFFFF) >> 3


@kernel
def begin_piece(words, octets, ref, target, count, more):
    """Write the fixed slots of a list or set piece of `count` elements; return the words of its tape.

    The blob of the piece begins with the key.
    """
    tape = target + frames.HEAD_WORDS
    words[tape] = 0
    words[tape + 1] = keyspace.key_size(words, ref) << MARK_BITS | PRESENT
    words[tape + 2] = keyspace.deadline_of(words, ref)
    words[tape + 3] = more
    words[tape + 4] = count
    words[tape + 5] = LOAD_SLOTS
    return LOAD_SLOTS + 2 * count


@kernel
def put_element(words, tape, i, start, size, mark):
    """Write the slots of element `i` of a piece."""
    words[tape + LOAD_SLOTS + 2 * i] = start
    words[tape + LOAD_SLOTS + 2 * i + 1] = size << MARK_BITS | PRESENT | (mark & FORM_MASK)
