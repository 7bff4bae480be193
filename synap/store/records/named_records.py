"""Queues and rooms: what is known by a name alone and is no key. A table each, and what their records share.

    record     word NAME_SIZE | ... | TIMER | KIND | ... (`head` words in all), then the bytes of the name

A name is hashed as a key of a namespace of its own (QUEUE, ROOM), so those who wait for a queue or attend to
a room are found as those who wait for a key are.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import fill, move, same
from synap.store.memory import arena, tables
from synap.store.memory.layout import FULL, ITEMS
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import add_text, fits, set_scalar, text_at, text_size
from synap.store.records import keyspace

NAME_SIZE, TIMER, KIND = 0, 14, 15


@kernel
def hash_text(words, octets, kind, tape, slot):
    """The hash of the name in this slot of a tape."""
    return keyspace.hash_key(words, octets, kind, text_at(words, tape, slot), text_size(words, tape, slot))


@kernel
def locate(words, octets, table, head, h, start, size):
    """Index in `words` of the slot of the record with this name, or 0."""
    tag = tables.tag_of_hash(h)
    at = tables.seek_in(words, table, tag)
    slot = words[at]
    while slot != 0 and tables.tag_of(slot) == tag:
        record = slot & REF_MASK
        if words[record + NAME_SIZE] == size and same(octets, (record + head) * 8, start, size):
            return at
        at += 1
        slot = words[at]
    return 0


@kernel
def find(words, octets, table, head, h, tape, slot):
    """The record named in this slot of a tape, or 0."""
    seat = locate(words, octets, table, head, h, text_at(words, tape, slot), text_size(words, tape, slot))
    return words[seat] & REF_MASK if seat else 0


@kernel
def make(words, octets, table, head, kind, h, start, size):
    """A record of zeros with this name, in its table; 0 without memory."""
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
def following(words, table, at):
    """Index in `words` of the slot behind the one at `at` in the order of tags (0: the first), or 0 behind the last."""
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
    """All names of a table, in no order: ITEMS, or FULL."""
    count = 0
    size = 0
    at = following(words, table, 0)
    while at:
        count += 1
        size += words[(words[at] & REF_MASK) + NAME_SIZE]
        at = following(words, table, at)
    if not fits(words, reply, count, size):
        return FULL
    set_scalar(words, reply, count)
    at = following(words, table, 0)
    while at:
        record = words[at] & REF_MASK
        add_text(words, reply, (record + head) * 8, words[record + NAME_SIZE], 0)
        at = following(words, table, at)
    return ITEMS
