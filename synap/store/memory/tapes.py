"""Tapes and replies: reading the arguments of a row, and writing its reply.

A tape is int64 slots whose places are fixed for each code. Its texts are positions in a blob, so a tape can be
copied together with its blob. Two words stand before it:

    tape - 2   namespace of the session that made the call
    tape - 1   where the blob starts (an octet of the heap)
    text       start in the blob, size << 8 | mark      (two slots; 0, 0 when absent)
    number     the number itself                        (one slot; a real as its bits)
    many       count, where the items start (a slot)    (the items lie behind the fixed slots)

The slots of each row have names (`store/slots`); no kernel counts them.

A reply is one scalar, a count of items, and the items as (value, size << 8 | mark). The value of a text is the octet
at which it lies, in the heap or in the blob; nothing is copied until a surface encodes the reply.
"""

from synap.compiler.jit import kernel
from synap.store.memory.layout import (
    FORM_MASK,
    ITEM_INTEGER,
    ITEM_NIL,
    MARK_BITS,
    PRESENT,
    REPLY_BYTES_MAX,
    REPLY_ITEMS_MAX,
)

ITEM_OVERHEAD = 32  # the most bytes that a surface writes around one item


@kernel
def text_at(words, tape, slot):
    """Return the octet at which the text in this slot starts."""
    return words[tape - 1] + words[tape + slot]


@kernel
def text_size(words, tape, slot):
    """Return the size in bytes of the text in this slot."""
    return words[tape + slot + 1] >> MARK_BITS


@kernel
def text_mark(words, tape, slot):
    """Return the mark (form and encoding) of the text in this slot."""
    return words[tape + slot + 1] & 0xFF


@kernel
def first_item(words, tape, slot):
    """Return the slot at which the items of the group in this slot start; the slot itself holds their number."""
    return words[tape + slot + 1]


@kernel
def set_text(words, tape, slot, start, size, mark):
    """Write a text that starts at octet `start` of the blob; its form is the one in `mark`."""
    words[tape + slot] = start
    words[tape + slot + 1] = size << MARK_BITS | PRESENT | (mark & FORM_MASK)


@kernel
def set_group(words, tape, slot, count, first):
    """Write the head of a group of `count` items, which start at slot `first`."""
    words[tape + slot] = count
    words[tape + slot + 1] = first


@kernel
def set_scalar(words, reply, value):
    """Set the number of the reply, and remove all items."""
    words[reply] = value
    words[reply + 1] = 0


@kernel
def add_text(words, reply, at, size, mark):
    """Add a text to the reply: `size` bytes at octet `at`."""
    place = reply + 2 + 2 * words[reply + 1]
    words[place] = at
    words[place + 1] = size << MARK_BITS | mark
    words[reply + 1] += 1


@kernel
def add_number(words, reply, value):
    """Add an integer to the reply."""
    place = reply + 2 + 2 * words[reply + 1]
    words[place] = value
    words[place + 1] = ITEM_INTEGER
    words[reply + 1] += 1


@kernel
def add_nil(words, reply):
    """Add a null to the reply."""
    place = reply + 2 + 2 * words[reply + 1]
    words[place] = 0
    words[place + 1] = ITEM_NIL
    words[reply + 1] += 1


@kernel
def fits(words, reply, items, octets):
    """Return True if the caller can take a reply of so many items and octets; else write both into the reply region.

    Every row that answers more than a few words asks before its first store. So FULL means that nothing has happened,
    and that the call can be made again with more capacity.
    """
    if items <= words[REPLY_ITEMS_MAX] and octets + items * ITEM_OVERHEAD <= words[REPLY_BYTES_MAX]:
        return True
    words[reply] = items
    words[reply + 1] = octets + items * ITEM_OVERHEAD
    return False
