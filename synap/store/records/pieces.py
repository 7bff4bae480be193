"""Load rows of a snapshot: the cursor of a dump, and the pieces in which structures with elements are written.

The first piece of a structure creates the key. A piece holds: key, deadline, whether a piece came before, elements.
The rows (`list.load`, `set.load`, ...) have the same fixed slots; the slots of an element are the row's own.
"""

from synap.compiler.jit import kernel
from synap.store.memory import frames
from synap.store.memory.layout import BROKEN, CHANGED, NUMBER
from synap.store.memory.tapes import set_group, set_text
from synap.store.records import keyspace
from synap.store.slots import lists as slots

PLACE, REF, INSIDE, MORE, CHAIN, CURSOR_SIZE, ENTRY = range(7)
"""Words of a cursor: place in the tables, current structure, progress in it, whether more of it follows, entries of
one tag that are done, octets written, and a second word of progress."""
CURSOR_WORDS = 8

PIECE_BYTES = 1 << 20
PIECE_ITEMS = 1 << 14
UNREADABLE = -1
TEXT_STRIDE = slots.LIST_LOAD_VALUES_STRIDE
"""The slots of an element that is one text."""


@kernel
def words_of(words, target):
    """Return the words of the frame at `target`."""
    return (words[target] & 0xFFFFFFFF) >> 3


@kernel
def begin_piece(words, octets, ref, target, count, stride, more):
    """Write the fixed slots of a piece of `count` elements with `stride` slots each; return the words of its tape.

    The blob of the piece begins with the key.
    """
    tape = target + frames.HEAD_WORDS
    set_text(words, tape, slots.LIST_LOAD_KEY, 0, keyspace.key_size(words, ref), 0)
    words[tape + slots.LIST_LOAD_DEADLINE] = keyspace.deadline_of(words, ref)
    words[tape + slots.LIST_LOAD_MORE] = more
    set_group(words, tape, slots.LIST_LOAD_VALUES, count, slots.LIST_LOAD_SLOTS)
    return slots.LIST_LOAD_SLOTS + stride * count


@kernel
def put_element(words, tape, i, start, size, mark):
    """Write the slots of element `i` of a piece whose elements are one text."""
    item = slots.LIST_LOAD_SLOTS + TEXT_STRIDE * i
    set_text(words, tape, item + slots.LIST_LOAD_VALUES_VALUE, start, size, mark)


@kernel
def follows(words, octets, tape):
    """Return True if a piece follows what has been loaded: a first piece finds no such key, a later one does."""
    h = keyspace.hash_text(words, octets, tape, slots.LIST_LOAD_KEY)
    seat = keyspace.locate_text(words, octets, tape, slots.LIST_LOAD_KEY, h)
    return (seat != 0) == (words[tape + slots.LIST_LOAD_MORE] != 0)


@kernel
def loaded(words, octets, tape, status):
    """Return the status of a load row whose elements are stored; set the deadline of the key with its first piece."""
    deadline = words[tape + slots.LIST_LOAD_DEADLINE]
    if status == NUMBER | CHANGED and deadline and not words[tape + slots.LIST_LOAD_MORE]:
        h = keyspace.hash_text(words, octets, tape, slots.LIST_LOAD_KEY)
        seat = keyspace.locate_text(words, octets, tape, slots.LIST_LOAD_KEY, h)
        if keyspace.set_deadline(words, octets, seat, deadline) == 0:
            return BROKEN
    return status
