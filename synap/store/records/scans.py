"""Steps of scans, as SCAN and SSCAN make them: cursors, walks of one table in steps, and the page that is replied.

    page     an array of the cursor as text, and of an array of what was found
    cursor   within one table: 1 + the tag to continue from; 0 before the first step and after the last

A table keeps its slots in the order of tags, whatever its size and also while it moves. So a cursor needs no memory on
the server, and every entry that is there all the time is returned. A step that returns up to COUNT entries is a loop:

    tag = first_tag(cursor)
    while True:
        seat, tag = walk(words, table, tag)
        if seat == 0 or no more entries are wanted:
            return end_page(words, octets, reply, cursor_at(tag))
        add all entries from `seat` on that have this tag: they share a cursor
        tag += 1

A structure in a small form is returned as a whole, whatever the cursor: it may have been a table before.
"""

from synap.compiler.jit import inlined, kernel
from synap.kernels.globs import matches
from synap.kernels.integers import parse_cursor, print_integer
from synap.store.memory import tables
from synap.store.memory.layout import FULL, ITEM, MARK_ARRAY, MARK_BITS, SCRATCH
from synap.store.memory.tables import TAG_BITS, TAG_MASK
from synap.store.memory.tapes import add_mark, add_text, fits, set_scalar, text_at, text_size
from synap.store.slots import sets as slots

COUNT_DEFAULT = 10
PAGE_ITEMS = 3  # items of the reply before those found: two marks of arrays and the cursor
EMPTY_SLOTS_MAX = 1024  # that a step passes over: about half a microsecond


@kernel
def begin_page(words, reply):
    """Begin the reply of a step: an array of the cursor as text and of an array of what is found."""
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, 2)
    add_text(words, reply, SCRATCH * 8, 0, 0)
    add_mark(words, reply, MARK_ARRAY, 0)


@kernel
def end_page(words, octets, reply, cursor):
    """End the reply that `begin_page` began, now that the cursor and what was found are known; return its status."""
    words[reply + 5] = print_integer(octets, SCRATCH * 8, cursor) << MARK_BITS
    words[reply + 6] = words[reply + 1] - PAGE_ITEMS
    return ITEM


@kernel
def page_takes(words, reply, items, octet_total):
    """Return True if the page has space for `items` more items, and for `octet_total` octets in all."""
    return fits(words, words[reply + 1] + items, octet_total)


@kernel
def cut_page(words, octets, reply, before, tag):
    """End a page that does not take all entries with this tag; return its status: FULL if it has no others.

    `before` is the length of the reply before these entries.
    """
    if before > PAGE_ITEMS:
        words[reply + 1] = before
        return end_page(words, octets, reply, cursor_at(tag))
    return FULL


@kernel
def cursor_of(words, octets, tape):
    """Return (cursor, whether it is one) of a row with the arguments of SSCAN."""
    at, size = text_at(words, tape, slots.SET_SCAN_CURSOR), text_size(words, tape, slots.SET_SCAN_CURSOR)
    return parse_cursor(octets, at, size)


@inlined
def count_of(words, tape):
    """Return the COUNT of a row with the arguments of SSCAN; below 1 it is none, and the row refuses it as SYNTAX."""
    return words[tape + slots.SET_SCAN_COUNT] if words[tape + slots.SET_SCAN_HAS_COUNT] else COUNT_DEFAULT


@kernel
def is_asked_for(words, octets, tape, start, size):
    """Return True if a row with the arguments of SSCAN has no pattern, or one that matches the text."""
    if words[tape + slots.SET_SCAN_HAS_MATCH] == 0:
        return True
    pattern = text_at(words, tape, slots.SET_SCAN_PATTERN)
    return matches(octets, pattern, text_size(words, tape, slots.SET_SCAN_PATTERN), start, size, False)


@kernel
def first_tag(cursor):
    """Return the tag at which a step with this cursor begins."""
    return cursor - 1 if cursor else 0


@kernel
def cursor_at(tag):
    """Return the cursor to continue from this tag, 0 if it is behind all tags."""
    return tag + 1 if tag <= TAG_MASK else 0


@kernel
def walk(words, table, tag):
    """Return (index in `words` of the first slot with a tag >= `tag`, its tag).

    The index is 0 if there is none: then the tag is behind all tags, or the one to continue from, as the walk passes
    over EMPTY_SLOTS_MAX empty slots at most. As slots are sorted, no entry whose home is at an empty slot or before it
    lies behind this slot.
    """
    while tag <= TAG_MASK:
        old = words[table + tables.OLD] != 0 and tag >= words[table + tables.FRONTIER]
        slots_at = words[table + (tables.OLD if old else tables.SLOTS)]
        size = words[table + (tables.OLD_SIZE if old else tables.SIZE)]
        behind = TAG_MASK + 1  # the tags from here on lie in the other slots, or nowhere
        if words[table + tables.OLD] and not old:
            behind = words[table + tables.FRONTIER]
        at = tables.seek(words, slots_at, size, tag)
        last = slots_at + ((behind * size) >> TAG_BITS)
        end = at + EMPTY_SLOTS_MAX
        while words[at] == 0 and at < last and at < end:
            at += 1
        if words[at] != 0:
            tag = tables.tag_of(words[at])
            if tag < behind:
                return at, tag
        elif at < last:
            return 0, (((at - slots_at) << TAG_BITS) + size - 1) // size
        tag = behind
    return 0, tag
