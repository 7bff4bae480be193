"""A set in a table: a block of TABLE_WORDS, with the words of the table (tables.py) and the bytes of all members.

    member   a block of its own: size << 8 | form | bytes

A *place* counts the newer slots of a table from 0, and behind them the older ones: in this order tags only grow.
"""

from synap.compiler.jit import kernel
from synap.kernels.hashing import keyed_hash
from synap.kernels.spans import move, same
from synap.store.memory import arena, tables
from synap.store.memory.layout import FORM_MASK, KEY_A, KEY_B, MARK_BITS
from synap.store.memory.tables import REF_MASK

BYTES = 7
TABLE_WORDS = 8
STAGGER = 0
OVERHEAD = 40  # the most bytes that a member takes besides its own: head, end of a word, slots twice


@kernel
def tag_of_text(words, octets, start, size):
    """Return the tag of a member with these bytes."""
    return tables.tag_of_hash(keyed_hash(octets, start, size, words[KEY_A], words[KEY_B]))


@kernel
def new_table(words, octets, size):
    """Return a new table of `size` slots without members, or 0 without memory."""
    table = arena.allocate(words, TABLE_WORDS)
    if table:
        if not tables.open_table(words, octets, table, size):
            arena.release(words, table)
            return 0
    return table


@kernel
def fitting_size(most):
    """Return the slots of a table that does not grow before it has more than `most` members."""
    return most + (most >> 1) + tables.SIZE_MIN


@kernel
def locate(words, octets, table, tag, start, size):
    """Return the index in `words` of the slot of the member with this tag and these bytes, or 0."""
    at = tables.seek_in(words, table, tag)
    slot = words[at]
    while slot != 0 and tables.tag_of(slot) == tag:
        ref = slot & REF_MASK
        if words[ref] >> MARK_BITS == size and same(octets, (ref + 1) * 8, start, size):
            return at
        at += 1
        slot = words[at]
    return 0


@kernel
def add_new(words, octets, table, tag, start, size, mark):
    """Add a member that is not in the table; return False without memory."""
    ref = arena.allocate(words, 1 + ((size + 7) >> 3))
    if ref == 0:
        return False
    words[ref] = size << MARK_BITS | (mark & FORM_MASK)
    move(octets, (ref + 1) * 8, start, size)
    words[table + BYTES] += size
    return tables.insert(words, octets, table, tag, ref, STAGGER)


@kernel
def places_of(words, table):
    """Return the number of places of a table: its newer slots, and behind them the older ones."""
    places = words[table + tables.SIZE] + tables.slack(words[table + tables.SIZE])
    if words[table + tables.OLD]:
        places += words[table + tables.OLD_SIZE] + tables.slack(words[table + tables.OLD_SIZE])
    return places


@kernel
def slot_at(words, table, place):
    """Return the slot at a place of a table, 0 if it is empty."""
    newer = words[table + tables.SIZE] + tables.slack(words[table + tables.SIZE])
    if place < newer:
        return words[words[table + tables.SLOTS] + place]
    return words[words[table + tables.OLD] + place - newer]
