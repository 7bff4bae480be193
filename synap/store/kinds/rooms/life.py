"""Rooms: digests, snapshots and freeing, as `kinds/table.py` requires.

A snapshot holds a room as a frame for the room itself, then its events in pieces of about a megabyte.

    cursor   INSIDE: the offset to continue from
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.rooms.rooms import ROOM_WORDS, SUBSCRIBERS
from synap.store.memory import codes, frames, tables
from synap.store.memory.layout import MARK_BITS
from synap.store.memory.tapes import set_group, set_text
from synap.store.records import event_logs as events
from synap.store.records import rings
from synap.store.records.named_records import NAME_SIZE
from synap.store.records.pieces import INSIDE, MORE, PIECE_BYTES, PIECE_ITEMS, words_of
from synap.store.records.state_hash import mix, text
from synap.store.slots import rooms as slots


@kernel
def digest(words, octets, room):
    """Return the hash of name, limits and offsets, and of the events in their order."""
    h = text(octets, (room + ROOM_WORDS) * 8, words[room + NAME_SIZE])
    for i in range(events.SAVED):
        h = mix(h, words[room + events.EVENTS_MAX + i])
    event = words[room + events.HEAD_AT]
    i = np.int64(0)
    while event:
        name_size = words[event + events.EVENT_NAME_SIZE]
        body = (event + events.EVENT_HEAD) * 8
        h = mix(h, words[event + events.EVENT_TIME])
        h = mix(h, text(octets, body, name_size))
        h = mix(h, words[event + events.EVENT_SIZE])
        h = mix(h, text(octets, body + name_size, words[event + events.EVENT_SIZE] >> 8))
        i, event = events.following(words, room, i, event)
    return h


@kernel
def dump_room(words, octets, room, target, seq, now):
    """Write the frame of a room without its events; return its words."""
    name = words[room + NAME_SIZE]
    blob = frames.head(words, target, codes.STREAM_LOAD, 0, seq, now, slots.STREAM_LOAD_SLOTS, name)
    tape = target + frames.HEAD_WORDS
    set_text(words, tape, slots.STREAM_LOAD_ROOM, 0, name, 0)
    for i in range(events.SAVED):
        words[tape + slots.STREAM_LOAD_WORD0 + i] = words[room + events.EVENTS_MAX + i]
    move(octets, blob, (room + ROOM_WORDS) * 8, name)
    return words_of(words, target)


@kernel
def dump_events(words, octets, room, cursor, target, seq, now):
    """Write a frame with the events of a room from offset INSIDE on, about a megabyte; return its words."""
    name = words[room + NAME_SIZE]
    i, first, _ = events.seek(words, room, cursor[INSIDE])
    first_i = i
    event = first
    count = 0
    total = name
    tape = target + frames.HEAD_WORDS
    item = slots.STREAM_LOAD_EVENTS_SLOTS
    while event and total < PIECE_BYTES and count < PIECE_ITEMS:
        size = words[event + events.EVENT_SIZE] >> MARK_BITS
        name_size = words[event + events.EVENT_NAME_SIZE]
        mark = words[event + events.EVENT_SIZE]
        set_text(words, tape, item + slots.STREAM_LOAD_EVENTS_EVENTS_EVENT, total, name_size, 0)
        set_text(words, tape, item + slots.STREAM_LOAD_EVENTS_EVENTS_DATA, total + name_size, size, mark)
        words[tape + item + slots.STREAM_LOAD_EVENTS_EVENTS_TIME] = words[event + events.EVENT_TIME]
        total += name_size + size
        count += 1
        item += slots.STREAM_LOAD_EVENTS_EVENTS_STRIDE
        i, event = events.following(words, room, i, event)
    set_text(words, tape, slots.STREAM_LOAD_EVENTS_ROOM, 0, name, 0)
    set_group(words, tape, slots.STREAM_LOAD_EVENTS_EVENTS, count, slots.STREAM_LOAD_EVENTS_SLOTS)
    blob = frames.head(words, target, codes.STREAM_LOAD_EVENTS, 0, seq, now, item, total)
    move(octets, blob, (room + ROOM_WORDS) * 8, name)
    blob += name
    i = first_i
    event = first
    for _ in range(count):
        size = words[event + events.EVENT_NAME_SIZE] + (words[event + events.EVENT_SIZE] >> MARK_BITS)
        move(octets, blob, (event + events.EVENT_HEAD) * 8, size)
        blob += size
        i, event = events.following(words, room, i, event)
    cursor[INSIDE] += count
    return words_of(words, target)


@kernel
def dump(words, octets, room, cursor, target, seq, now):
    """Write the next frame of a room; return its words, 0 if the room was complete. MORE: another frame follows."""
    if cursor[MORE] == 0:
        cursor[MORE] = 1
        cursor[INSIDE] = words[room + events.FIRST]
        return dump_room(words, octets, room, target, seq, now)
    if cursor[INSIDE] == words[room + events.AFTER]:
        cursor[MORE] = 0
        return 0
    return dump_events(words, octets, room, cursor, target, seq, now)


@kernel
def free_some(words, octets, room, budget):
    """Free chunks of a deleted room; return what is left of the budget, more than 0 once only the record is left."""
    budget = rings.free_some(words, room + events.CHUNKS, budget)
    if budget > 0:
        tables.close_table(words, room + SUBSCRIBERS)
        words[room + SUBSCRIBERS + tables.SLOTS] = 0
    return budget
