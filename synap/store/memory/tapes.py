"""Reading a tape and writing a reply: the only two ways in and out of a store function.

A tape is int64 slots whose places are fixed for each code. Its texts are positions in a blob, so
a tape can be copied with its blob and stays true; two words stand before it:

    tape - 2   namespace of the session that asks
    tape - 1   where the blob starts (an octet of the heap)
    text       start in the blob, size << 8 | mark      (two slots; 0, 0 when absent)
    number     the number itself                        (one slot; so are reals, as their bits)
    many       count, where the items start (a slot)    (the items lie behind the fixed slots)

A reply is one scalar, a count of items, and the items as (value, size << 8 | mark): a text's value is
the octet where it lies, in the heap or in the blob; nothing is copied until a surface encodes it.
"""

from synap.compiler.jit import kernel
from synap.store.memory.layout import (
    ITEM_INTEGER,
    ITEM_NIL,
    MARK_BITS,
    REPLY_BYTES_MAX,
    REPLY_ITEMS_MAX,
)

ITEM_OVERHEAD = 32  # the most that a surface writes around one item


@kernel
def text_at(words, tape, slot):
    """The octet where the text in this slot starts."""
    return words[tape - 1] + words[tape + slot]


@kernel
def text_size(words, tape, slot):
    """Its size in bytes."""
    return words[tape + slot + 1] >> MARK_BITS


@kernel
def text_mark(words, tape, slot):
    """Its form and encoding."""
    return words[tape + slot + 1] & 0xFF


@kernel
def set_scalar(words, reply, value):
    """The reply's number, and no items."""
    words[reply] = value
    words[reply + 1] = 0


@kernel
def add_text(words, reply, at, size, mark):
    """One text more."""
    place = reply + 2 + 2 * words[reply + 1]
    words[place] = at
    words[place + 1] = size << MARK_BITS | mark
    words[reply + 1] += 1


@kernel
def add_number(words, reply, value):
    """One integer more."""
    place = reply + 2 + 2 * words[reply + 1]
    words[place] = value
    words[place + 1] = ITEM_INTEGER
    words[reply + 1] += 1


@kernel
def add_nil(words, reply):
    """One gap more."""
    place = reply + 2 + 2 * words[reply + 1]
    words[place] = 0
    words[place + 1] = ITEM_NIL
    words[reply + 1] += 1


@kernel
def fits(words, reply, items, octets):
    """Is there room for this reply? If not, the reply region says how much is wanted.

    Every row that answers more than a few words asks before its first store, so FULL means that
    nothing has happened and the call can be made again with more room.
    """
    if items <= words[REPLY_ITEMS_MAX] and octets + items * ITEM_OVERHEAD <= words[REPLY_BYTES_MAX]:
        return True
    words[reply] = items
    words[reply + 1] = octets + items * ITEM_OVERHEAD
    return False
