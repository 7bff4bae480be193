"""Members of a set: found, added, removed, walked and drawn. Only this file and `life.py` know how they lie.

    root     the words of the table (tables.py); the last one holds the bytes of all members
    block    of a member: size << 8 | form | bytes

Members are equal if their bytes are equal, whatever their form. A *member* is a number that is not 0 and stands for a
member until the set changes: here the index in `words` of its slot.
"""

import numpy as np

from synap.compiler.jit import inlined, kernel
from synap.kernels.hashing import keyed_hash
from synap.kernels.spans import move, same
from synap.store.memory import arena, tables
from synap.store.memory.layout import FORM_MASK, KEY_A, KEY_B, MARK_BITS
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import add_text

BYTES = 7
STAGGER = 0
OVERHEAD = 32  # the most bytes that a member takes besides its own


@kernel
def tag_of_text(words, octets, start, size):
    """Return the tag of a member with these bytes."""
    return tables.tag_of_hash(keyed_hash(octets, start, size, words[KEY_A], words[KEY_B]))


@kernel
def below(chance, limit):
    """Return a number from 0 to `limit` - 1 from 64 random bits."""
    return np.int64((np.uint64(chance) >> np.uint64(1)) % np.uint64(limit))


@inlined
def count_of(words, root):
    """Return the number of members."""
    return words[root + tables.COUNT]


@inlined
def bytes_of(words, root):
    """Return the bytes of all members."""
    return words[root + BYTES]


@kernel
def copied_bytes(words, root):
    """Return an upper bound of the bytes that a copy of the members takes."""
    return bytes_of(words, root) + count_of(words, root) * OVERHEAD


@inlined
def is_table(words, root):
    """Return True if the members lie in a table."""
    return words[root + tables.SLOTS] != 0


@inlined
def table_of(words, root):
    """Return the table of the members."""
    return root


@kernel
def is_open(words, octets, root):
    """Prepare the root of a new record, which is zero, for its first member; return False without memory."""
    if words[root + tables.SLOTS] == 0:
        tables.open_table(words, octets, root, tables.SIZE_MIN)
    return words[root + tables.SLOTS] != 0


@kernel
def open_for(words, octets, root, most):
    """Prepare a root that is zero for up to `most` members, so that it does not grow; return False without memory."""
    tables.open_table(words, octets, root, most + (most >> 1) + tables.SIZE_MIN)
    return words[root + tables.SLOTS] != 0


@kernel
def settle(words, octets, root):
    """Give a set that was made for more members the form that suits it; return False without memory."""
    count = words[root + tables.COUNT]
    if count * 2 < words[root + tables.SIZE] and words[root + tables.SIZE] > tables.SIZE_MIN:
        size = max(count + (count >> 1), tables.SIZE_MIN)
        return tables.resize(words, octets, root, size) and tables.move_some(words, root, count + 1)
    return True


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
def find(words, octets, root, start, size):
    """Return the member with these bytes, or 0."""
    return locate(words, octets, root, tag_of_text(words, octets, start, size), start, size)


@kernel
def tag_for(words, octets, table, start, size):
    """Return the tag of a text that is looked for in this table, 0 if there is no table."""
    return tag_of_text(words, octets, start, size) if table else 0


@kernel
def is_member(words, octets, root, tag, start, size):
    """Return True if a text is a member; `tag` is its tag if the members lie in a table."""
    return locate(words, octets, root, tag, start, size) != 0


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
def add(words, octets, root, start, size, mark):
    """Add a text; return 1 if it is a new member, 0 if it was one, -1 without memory."""
    tag = tag_of_text(words, octets, start, size)
    if locate(words, octets, root, tag, start, size):
        return 0
    return 1 if add_new(words, octets, root, tag, start, size, mark) else -1


@kernel
def add_unseen(words, octets, root, tag, start, size, mark):
    """Add a text that is no member, with its tag or -1; return False without memory."""
    if tag < 0:
        tag = tag_of_text(words, octets, start, size)
    return add_new(words, octets, root, tag, start, size, mark)


@kernel
def remove(words, octets, root, member, later):
    """Remove a member; return False without memory. `later`: the reply may point into it."""
    ref = words[member] & REF_MASK
    words[root + BYTES] -= words[ref] >> MARK_BITS
    tables.remove(words, octets, root, member)
    if later:
        arena.release_later(words, ref)
    else:
        arena.release(words, ref)
    return True


@kernel
def following(words, octets, root, place):
    """Return (place to continue from, member at or behind a place, 0 if there is none); places begin at 0."""
    return tables.next_entry(words, root, place)


@kernel
def draw(words, octets, root, chance):
    """Return (a member drawn with equal odds, last random bits used), from 64 random bits `chance`."""
    return tables.any_slot(words, root, chance)


@kernel
def places_of(words, root):
    """Return the number of places of a table: its newer slots, and behind them the older ones."""
    places = words[root + tables.SIZE] + tables.slack(words[root + tables.SIZE])
    if words[root + tables.OLD]:
        places += words[root + tables.OLD_SIZE] + tables.slack(words[root + tables.OLD_SIZE])
    return places


@kernel
def place_of(words, root, member):
    """Return the place of a member of a table."""
    newer = words[root + tables.SIZE] + tables.slack(words[root + tables.SIZE])
    at = member - words[root + tables.SLOTS]
    return at if 0 <= at < newer else newer + member - words[root + tables.OLD]


@kernel
def slot_at(words, table, place):
    """Return the slot at a place of a table, 0 if it is empty."""
    newer = words[table + tables.SIZE] + tables.slack(words[table + tables.SIZE])
    if place < newer:
        return words[words[table + tables.SLOTS] + place]
    return words[words[table + tables.OLD] + place - newer]


@kernel
def text_of(words, octets, root, member):
    """Return (octet at which a member starts, size << 8 | form)."""
    ref = words[member] & REF_MASK
    return (ref + 1) * 8, words[ref]


@kernel
def put(words, octets, root, member, reply):
    """Add a member to the reply."""
    ref = words[member] & REF_MASK
    add_text(words, reply, (ref + 1) * 8, words[ref] >> MARK_BITS, words[ref] & FORM_MASK)
