"""Named records: queues, rooms, topics and consumer groups, which have names of their own. One table each, and what
their records share.

    record     word NAME_SIZE | ... | TIMER | KIND | ... (`head` words in all), then the bytes of the name

A name is hashed as a key of a reserved namespace (QUEUE, ROOM, TOPIC, GROUP). So calls and feeds that wait for a queue,
a room or a topic are found in the same way as calls that wait for a key.
"""

from synap.compiler.jit import inlined, kernel
from synap.kernels.spans import fill, move, same
from synap.store.memory import arena, tables
from synap.store.memory.layout import FULL, ITEMS
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import add_text, fits, set_scalar, text_at, text_size
from synap.store.records import keyspace

NAME_SIZE, TIMER, KIND = 0, 14, 15


@inlined
def hash_text(words, octets, kind, tape, slot):
    """Return the hash of the name in this slot of a tape."""
    return keyspace.hash_key(words, octets, kind, text_at(words, tape, slot), text_size(words, tape, slot))


@kernel
def locate(words, octets, table, head, h, start, size):
    """Return the index in `words` of the slot of the record with this name, or 0."""
    return seek_text(words, octets, table, h, start, size, NAME_SIZE, head)


@kernel
def seek_text(words, octets, table, h, start, size, size_at, head):
    """Return the index in `words` of the slot of the block with this text, whose hash is `h`, or 0.

    Each block of the table has the size of its text in word `size_at`, and the text behind `head` words.
    """
    tag = tables.tag_of_hash(h)
    at = tables.seek_in(words, table, tag)
    slot = words[at]
    while slot != 0 and tables.tag_of(slot) == tag:
        block = slot & REF_MASK
        if words[block + size_at] == size and same(octets, (block + head) * 8, start, size):
            return at
        at += 1
        slot = words[at]
    return 0


@inlined
def open_record(words, octets, kind, table, head, tape, slot):
    """Return (hash, record) of the name in this slot of a tape; the record is 0 if none has this name."""
    h = hash_text(words, octets, kind, tape, slot)
    seat = locate(words, octets, table, head, h, text_at(words, tape, slot), text_size(words, tape, slot))
    return h, words[seat] & REF_MASK if seat else 0


@kernel
def make(words, octets, kind, table, head, h, tape, slot):
    """Create a record of zeros with the name in this slot of a tape, and add it to its table.

    Return its ref, or 0 without memory.
    """
    start, size = text_at(words, tape, slot), text_size(words, tape, slot)
    record = arena.allocate(words, head + ((size + 7) >> 3))
    if record == 0:
        return 0
    fill(octets, record * 8, 0, head * 8)
    words[record + NAME_SIZE] = size
    words[record + KIND] = kind
    move(octets, (record + head) * 8, start, size)
    if not tables.insert(words, octets, table, tables.tag_of_hash(h), record, 0):
        return 0
    return record


@kernel
def remove(words, octets, kind, table, head, tape, slot):
    """Remove the record named in this slot of a tape, which upkeep frees; return its ref, or 0 if there is none.

    The caller ends its timer.
    """
    h = hash_text(words, octets, kind, tape, slot)
    seat = locate(words, octets, table, head, h, text_at(words, tape, slot), text_size(words, tape, slot))
    if seat == 0:
        return 0
    record = words[seat] & REF_MASK
    tables.remove(words, octets, table, seat)
    arena.free_lazily(words, record, kind)
    keyspace.touched(words, octets, h)
    return record


@kernel
def following(words, table, at):
    """Return the index in `words` of the slot after `at` (0: the first) in the order of tags, or 0 after the last."""
    if at == 0:
        return tables.window(words, table, 0, tables.TAG_MASK)
    tag = tables.tag_of(words[at])
    after = words[at + 1]
    if after != 0 and tables.tag_of(after) == tag:
        return at + 1
    if tag == tables.TAG_MASK:
        return 0
    return tables.window(words, table, tag + 1, tables.TAG_MASK)


@kernel
def names(words, table, head, reply):
    """Add all names of a table to the reply, in no order; return ITEMS, or FULL."""
    count = 0
    size = 0
    at = following(words, table, 0)
    while at:
        count += 1
        size += words[(words[at] & REF_MASK) + NAME_SIZE]
        at = following(words, table, at)
    if not fits(words, count, size):
        return FULL
    set_scalar(words, reply, count)
    at = following(words, table, 0)
    while at:
        record = words[at] & REF_MASK
        add_text(words, reply, (record + head) * 8, words[record + NAME_SIZE], 0)
        at = following(words, table, at)
    return ITEMS
