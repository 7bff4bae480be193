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

The status says how to read it. ITEMS are the members of one array or set. ITEM is one value: a text, or a group with
its members. A group begins with a mark, behind which its members follow; a member may be a group in turn, to any
depth, since nothing ends a group but its count:

    MARK_ARRAY, MARK_SET   n   n members
    MARK_MAP               n   n names, each with its value behind it
    MARK_PAIRS             n   n members, each a MARK_PAIR
    MARK_PAIR              2   2 members: in RESP3 an array, in RESP2 a part of the array around it
    MARK_NAME              i   not a group: the name i of the row's template, counted through all of its records
    MARK_DIGITS + form     n   not a group: the text of the integer n, which is stored as a number
    MARK_DISTANCE       bits   not a group: the text of a real with four decimals
    MARK_DEGREES        bits   not a group: a real with up to 17 decimals: a double in RESP3, its text in RESP2
    MARK_NO_ARRAY          0   not a group: a null in the place of an array
    MARK_TRUTH        0 or 1   not a group: a boolean; an integer in RESP2

The mark of a text may have a style (AS_*): a status, an error, a big number, or a text with a format in front of it.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import bits_of
from synap.store.memory.layout import (
    FORM_MASK,
    ITEM_INTEGER,
    ITEM_NIL,
    ITEM_REAL,
    MARK_BITS,
    MARK_DEGREES,
    MARK_DISTANCE,
    MARK_NAME,
    MARK_NO_ARRAY,
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
def set_absent(words, tape, slot):
    """Make the text in this slot an absent one."""
    words[tape + slot] = 0
    words[tape + slot + 1] = 0


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
def add_real(words, reply, value):
    """Add a float64 to the reply: a double in RESP3, its text in RESP2."""
    place = reply + 2 + 2 * words[reply + 1]
    words[place] = bits_of(value)
    words[place + 1] = ITEM_REAL
    words[reply + 1] += 1


@kernel
def add_mark(words, reply, mark, value):
    """Add a mark: begin a group of `value` members or, with MARK_NAME, add the name of this number."""
    place = reply + 2 + 2 * words[reply + 1]
    words[place] = value
    words[place + 1] = mark << MARK_BITS | ITEM_NIL
    words[reply + 1] += 1


@kernel
def add_no_array(words, reply):
    """Add a null in the place of an array."""
    add_mark(words, reply, MARK_NO_ARRAY, 0)


@kernel
def add_distance(words, reply, value):
    """Add a distance (float64): its text with four decimals."""
    add_mark(words, reply, MARK_DISTANCE, bits_of(value))


@kernel
def add_degrees(words, reply, value):
    """Add a coordinate (float64): a double with up to 17 decimals, in RESP2 its text."""
    add_mark(words, reply, MARK_DEGREES, bits_of(value))


@kernel
def add_field(words, reply, name, value):
    """Add an integer to the reply, behind the name of this number."""
    add_mark(words, reply, MARK_NAME, name)
    add_number(words, reply, value)


@kernel
def fits(words, items, octets):
    """Return True if the caller can take a reply of so many items and octets.

    Marks count as items, and the names of MARK_NAME need no octets.

    Every row that answers more than a few words asks before its first store. So FULL means that nothing has happened,
    and that the call can be made again with more capacity.
    """
    return 0 <= items <= words[REPLY_ITEMS_MAX] and octets + items * ITEM_OVERHEAD <= words[REPLY_BYTES_MAX]
