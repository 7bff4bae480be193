"""Queues and rooms as load frames: what a snapshot carries of them. See dumps.py.

A queue comes as itself, then each of its messages, chain by chain and then the delayed ones; a room as itself, then
its events in pieces of about a megabyte.

    cursor   PLACE | REF (the message at hand) | INSIDE (its chain; DELAYED_FROM + i; an offset) | MORE | ...
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import move, store64
from synap.store.kinds.queues import messages
from synap.store.kinds.rooms import events
from synap.store.memory import frames
from synap.store.memory.layout import FORM_MASK, MARK_BITS, PRESENT
from synap.store.records.named_records import NAME_SIZE

QUEUE_LOAD, MESSAGE_LOAD, ROOM_LOAD, EVENTS_LOAD = 0x08F0, 0x08F1, 0x14F0, 0x14F1
PIECE_BYTES = 1 << 20
PIECE_ITEMS = 1 << 14
# Words of a cursor.
PLACE, REF, INSIDE, MORE, CHAIN, CURSOR_SIZE, ENTRY = range(7)
DELAYED_FROM = 1 << 20  # behind all chains
MESSAGE_SLOTS, EVENTS_SLOTS, EVENT_SLOTS = 14, 4, 5


@kernel
def words_of(words, target):
    """Words of the frame at `target`."""
    return (words[target] & 0xFFFFFFFF) >> 3


@kernel
def dump_queue(words, octets, queue, target, seq, now):
    """A queue without its messages; the words written."""
    name = words[queue + NAME_SIZE]
    blob = frames.head(words, target, QUEUE_LOAD, 0, seq, now, 2 + messages.STATS, name)
    tape = target + frames.HEAD_WORDS
    words[tape] = 0
    words[tape + 1] = name << MARK_BITS | PRESENT
    for i in range(messages.STATS - 1):
        words[tape + 2 + i] = words[queue + 1 + i]
    words[tape + 1 + messages.STATS] = words[queue + messages.PREFETCH_MAX]
    move(octets, blob, (queue + messages.QUEUE_WORDS) * 8, name)
    return words_of(words, target)


@kernel
def dump_message(words, octets, queue, message, target, seq, now):
    """One message; the words written."""
    name = words[queue + NAME_SIZE]
    size = words[message + messages.PAYLOAD] >> MARK_BITS
    headers = words[message + messages.HEADERS]
    holder = words[message + messages.HELD_BY]
    holder_name = words[holder + messages.HOLDER_NAME_SIZE] if holder else 0
    used = messages.ID_BYTES + name + size + headers
    blob = frames.head(words, target, MESSAGE_LOAD, 0, seq, now, MESSAGE_SLOTS, used + holder_name)
    tape = target + frames.HEAD_WORDS
    words[tape] = messages.ID_BYTES
    words[tape + 1] = name << MARK_BITS | PRESENT
    words[tape + 2] = messages.ID_BYTES + name
    words[tape + 3] = size << MARK_BITS | PRESENT | (words[message + messages.PAYLOAD] & FORM_MASK)
    words[tape + 4] = 0
    words[tape + 5] = messages.ID_BYTES << MARK_BITS | PRESENT
    words[tape + 6] = words[message + messages.STATE]
    words[tape + 7] = words[message + messages.DEADLINE]
    words[tape + 8] = words[message + messages.CREATED]
    words[tape + 9] = messages.ID_BYTES + name + size
    words[tape + 10] = headers << MARK_BITS | PRESENT
    words[tape + 11] = used
    words[tape + 12] = holder_name << MARK_BITS | PRESENT
    words[tape + 13] = 0
    if words[message + messages.STATE] & 0xFF == messages.IS_DELAYED:
        words[tape + 13] = words[message + messages.SERIAL]
    store64(octets, blob, words[message + messages.ID_A])
    store64(octets, blob + 8, words[message + messages.ID_B])
    move(octets, blob + messages.ID_BYTES, (queue + messages.QUEUE_WORDS) * 8, name)
    move(octets, blob + messages.ID_BYTES + name, (message + messages.MESSAGE_WORDS) * 8, size + headers)
    if holder:
        move(octets, blob + used, (holder + messages.HOLDER_WORDS) * 8, holder_name)
    return words_of(words, target)


@kernel
def dump_queue_entry(words, octets, queue, cursor, target, seq, now):
    """The next frame of a queue; its words, 0 if it was complete. MORE says whether there is one behind it."""
    if cursor[MORE] == 0:
        cursor[MORE] = 1
        cursor[INSIDE] = messages.READY
        cursor[REF] = words[queue + messages.READY]
        return dump_queue(words, octets, queue, target, seq, now)
    while cursor[REF] == 0 and cursor[INSIDE] < messages.DEAD:
        cursor[INSIDE] += 2
        cursor[REF] = words[queue + cursor[INSIDE]]
    if cursor[REF]:
        message = cursor[REF]
        cursor[REF] = words[message + messages.NEXT]
        return dump_message(words, octets, queue, message, target, seq, now)
    if cursor[INSIDE] < DELAYED_FROM:
        cursor[INSIDE] = DELAYED_FROM
    i = cursor[INSIDE] - DELAYED_FROM
    if i == words[queue + messages.DELAYED_COUNT]:
        cursor[MORE] = 0
        return 0
    cursor[INSIDE] += 1
    message = words[words[queue + messages.DELAYED] + 2 * i + 1]
    return dump_message(words, octets, queue, message, target, seq, now)


@kernel
def dump_room(words, octets, room, target, seq, now):
    """A room without its events; the words written."""
    name = words[room + NAME_SIZE]
    blob = frames.head(words, target, ROOM_LOAD, 0, seq, now, 2 + events.SAVED, name)
    tape = target + frames.HEAD_WORDS
    words[tape] = 0
    words[tape + 1] = name << MARK_BITS | PRESENT
    for i in range(events.SAVED):
        words[tape + 2 + i] = words[room + events.EVENTS_MAX + i]
    move(octets, blob, (room + events.ROOM_WORDS) * 8, name)
    return words_of(words, target)


@kernel
def dump_events(words, octets, room, cursor, target, seq, now):
    """The events of a room from the offset INSIDE on, about a megabyte of them; the words written."""
    name = words[room + NAME_SIZE]
    i, first = events.seek(words, room, cursor[INSIDE])
    first_i = i
    event = first
    count = 0
    total = name
    tape = target + frames.HEAD_WORDS
    while event and total < PIECE_BYTES and count < PIECE_ITEMS:
        size = words[event + events.EVENT_SIZE] >> MARK_BITS
        slot = tape + EVENTS_SLOTS + EVENT_SLOTS * count
        words[slot] = total
        words[slot + 1] = words[event + events.EVENT_NAME_SIZE] << MARK_BITS | PRESENT
        words[slot + 2] = total + words[event + events.EVENT_NAME_SIZE]
        words[slot + 3] = size << MARK_BITS | PRESENT | (words[event + events.EVENT_SIZE] & FORM_MASK)
        words[slot + 4] = words[event + events.EVENT_TIME]
        total += words[event + events.EVENT_NAME_SIZE] + size
        count += 1
        i, event = events.following(words, room, i, event)
    words[tape] = 0
    words[tape + 1] = name << MARK_BITS | PRESENT
    words[tape + 2] = count
    words[tape + 3] = EVENTS_SLOTS
    blob = frames.head(words, target, EVENTS_LOAD, 0, seq, now, EVENTS_SLOTS + EVENT_SLOTS * count, total)
    move(octets, blob, (room + events.ROOM_WORDS) * 8, name)
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
def dump_room_entry(words, octets, room, cursor, target, seq, now):
    """The next frame of a room; its words, 0 if it was complete. MORE says whether there is one behind it."""
    if cursor[MORE] == 0:
        cursor[MORE] = 1
        cursor[INSIDE] = words[room + events.FIRST]
        return dump_room(words, octets, room, target, seq, now)
    if cursor[INSIDE] == words[room + events.AFTER]:
        cursor[MORE] = 0
        return 0
    return dump_events(words, octets, room, cursor, target, seq, now)
