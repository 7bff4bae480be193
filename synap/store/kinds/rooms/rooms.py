"""Rows of rooms: create, publish, consume, stats, delete, upkeep, and loading from a snapshot.

Rooms are in the table ROOMS by their names; the storage of events is in events.py. The limits of number and size hold
at once, the age limit a little later (a 64th of it, a minute at most), when the room's timer is due. Reading changes
nothing that is logged; readers and events read are counted since the start, for up to SUBSCRIBERS_MAX readers.

Limits that the caller leaves out come from this node's settings (registers at ROOM_LIMITS), so creating a room is
logged as `stream.make` with all limits spelled out.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.rooms import events
from synap.store.kinds.rooms.events import (
    AFTER,
    BYTES,
    BYTES_MAX,
    CONSUMED,
    CREATED,
    EVENT_HEAD,
    EVENT_NAME_SIZE,
    EVENT_SIZE,
    EVENT_TIME,
    EVENTS_MAX,
    FIRST,
    RETENTION_MS,
    ROOM_WORDS,
    SAVED,
    SUBSCRIBERS,
)
from synap.store.memory import arena, codes, tables
from synap.store.memory.kinds import ROOM
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DECIDED,
    DECIDED_BIT,
    DECIDED_BLOB,
    DECIDED_BLOB_SIZE,
    DECIDED_CODE,
    DECIDED_TAPE_SIZE,
    DONE,
    EMPTY,
    FULL,
    HOLDER,
    ITEM,
    MARK_ARRAY,
    MARK_BITS,
    MARK_MAP,
    MARK_NAME,
    NUMBER,
    PRESENT,
    ROOM_LIMITS,
    ROOMS,
    SECOND_NUMBER,
    WAIT,
)
from synap.store.memory.refusals import BAD_AMOUNT, OFFSET_GONE, POSITIVE_COUNT, ROOM_EXISTS, ROOM_MISSING
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import (
    add_field,
    add_mark,
    add_number,
    add_text,
    fits,
    set_scalar,
    text_at,
    text_mark,
    text_size,
)
from synap.store.records import keyspace, named_records
from synap.store.records.named_records import NAME_SIZE
from synap.store.records.timers import NEVER, set_timer

MAKE_SLOTS = 5
LIMIT_MAX = 1 << 50
SUBSCRIBERS_MAX = 10_000  # the most readers of one room that are counted
BATCH_BYTES = 8 << 20  # names and data in one reply; a single event may be larger
CONSUME_FROM, CONSUME_LIMIT, CONSUME_WAIT, EVENTS_DEFAULT = 4, 6, 8, 100
EVENT_ITEMS = 5  # items of the reply for one event: the mark of an array, offset, name, data, time


@kernel
def open_room(words, octets, h, tape, now):
    """Create an empty room with the name at the start of a tape; return it, or 0 without memory."""
    start = text_at(words, tape, 0)
    room = named_records.make(words, octets, ROOMS, ROOM_WORDS, ROOM, h, start, text_size(words, tape, 0))
    if room:
        tables.open_table(words, octets, room + SUBSCRIBERS, tables.SIZE_MIN)
        words[room + CREATED] = now
        keyspace.touched(words, octets, h)
    return room


@kernel
def find(words, octets, tape):
    """Return the room named at the start of a tape, or 0."""
    h = named_records.hash_text(words, octets, ROOM, tape, 0)
    return named_records.find(words, octets, ROOMS, ROOM_WORDS, h, tape, 0)


@kernel
def make(words, octets, tape, now, reply):
    """Create a room with these limits: events, bytes, ms (0: none). The row as which `create` is logged."""
    h = named_records.hash_text(words, octets, ROOM, tape, 0)
    if named_records.find(words, octets, ROOMS, ROOM_WORDS, h, tape, 0):
        return ROOM_EXISTS
    room = open_room(words, octets, h, tape, now)
    if room == 0:
        return BROKEN
    words[room + EVENTS_MAX] = words[tape + 2]
    words[room + BYTES_MAX] = words[tape + 3]
    words[room + RETENTION_MS] = words[tape + 4]
    return DONE | CHANGED


@kernel
def create(words, octets, tape, now, reply):
    """Create a room: its name, then (given or not, value) of events, bytes and seconds."""
    size = text_size(words, tape, 0)
    words[DECIDED - 2] = words[tape - 2]
    words[DECIDED - 1] = DECIDED_BLOB * 8
    words[DECIDED] = 0
    words[DECIDED + 1] = size << MARK_BITS | PRESENT
    for i in range(3):
        value = words[tape + 3 + 2 * i]
        if not words[tape + 2 + 2 * i]:
            value = words[ROOM_LIMITS + i]
        if value < 0 or value > LIMIT_MAX:
            return BAD_AMOUNT
        words[DECIDED + 2 + i] = value * 1000 if i == 2 else value
    move(octets, DECIDED_BLOB * 8, text_at(words, tape, 0), size)
    words[DECIDED_CODE] = codes.STREAM_MAKE
    words[DECIDED_TAPE_SIZE] = MAKE_SLOTS
    words[DECIDED_BLOB_SIZE] = size
    status = make(words, octets, DECIDED, now, reply)
    return status | DECIDED_BIT if status & CHANGED else status


@kernel
def get_or_create(words, octets, tape, now, reply):
    """Create a room as `create` does, unless it exists; reply with NUMBER: 1 if it is new."""
    set_scalar(words, reply, 0)
    if find(words, octets, tape):
        return NUMBER
    status = create(words, octets, tape, now, reply)
    if status & CHANGED == 0:
        return status
    set_scalar(words, reply, 1)
    return NUMBER | CHANGED | DECIDED_BIT


@kernel
def publish(words, octets, tape, now, reply):
    """Append events with one name; reply with NUMBER: the offset of the first."""
    h = named_records.hash_text(words, octets, ROOM, tape, 0)
    room = named_records.find(words, octets, ROOMS, ROOM_WORDS, h, tape, 0)
    if room == 0:
        return ROOM_MISSING
    set_scalar(words, reply, words[room + AFTER])
    item = words[tape + 5]
    for _ in range(words[tape + 4]):
        done = events.append(
            words, octets, room, text_at(words, tape, 2), text_size(words, tape, 2), text_at(words, tape, item),
            text_size(words, tape, item), text_mark(words, tape, item) & ~PRESENT, now,
        )  # fmt: skip
        if not done:
            return BROKEN
        events.trim(words, room)
        item += 2
    if words[room + named_records.TIMER] == 0 and not events.set_timer(words, octets, room):
        return BROKEN
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def note_reader(words, octets, room, tape, count):
    """Count the events read, and the reader if it is new."""
    words[room + CONSUMED] += count
    if words[room + SUBSCRIBERS + tables.COUNT] < SUBSCRIBERS_MAX:
        tag = tables.tag_of_hash(named_records.hash_text(words, octets, HOLDER, tape, 2))
        at = tables.seek_in(words, room + SUBSCRIBERS, tag)
        if words[at] == 0 or tables.tag_of(words[at]) != tag:
            tables.insert(words, octets, room + SUBSCRIBERS, tag, 1, 0)


@kernel
def consume(words, octets, tape, now, reply):
    """Reply with events from an offset on (default: the earliest), an array each; scalar: the next offset.

    There are fewer events than the limit if no more exist, or if they exceed BATCH_BYTES. EMPTY (or WAIT) if none
    exists yet. Refused if the offset is no longer held, or is greater than the next offset and the call does not wait:
    such a reader has read another room of this name. The reply to a refused call is the earliest offset held, then
    the next one.
    """
    room = find(words, octets, tape)
    if room == 0:
        return ROOM_MISSING
    start = words[tape + CONSUME_FROM + 1] if words[tape + CONSUME_FROM] else words[room + FIRST]
    most = words[tape + CONSUME_LIMIT + 1] if words[tape + CONSUME_LIMIT] else EVENTS_DEFAULT
    if most < 0 or start < 0:
        return POSITIVE_COUNT
    if start < words[room + FIRST] or (start > words[room + AFTER] and not words[tape + CONSUME_WAIT]):
        set_scalar(words, reply, words[room + FIRST])
        words[reply + SECOND_NUMBER] = words[room + AFTER]
        return OFFSET_GONE
    most = min(most, words[room + AFTER] - start)
    if most <= 0:
        if words[tape + CONSUME_WAIT] and start >= words[room + AFTER]:
            return WAIT
        set_scalar(words, reply, start)
        note_reader(words, octets, room, tape, 0)
        return EMPTY
    i, event = events.seek(words, room, start)
    first_i = i
    first = event
    count = size = 0
    while count < most:
        more = words[event + EVENT_NAME_SIZE] + (words[event + EVENT_SIZE] >> MARK_BITS)
        if count and size + more > BATCH_BYTES:
            break
        size += more
        count += 1
        if count < most:
            i, event = events.following(words, room, i, event)
    if not fits(words, reply, 1 + EVENT_ITEMS * count, size):
        return FULL
    set_scalar(words, reply, start + count)
    add_mark(words, reply, MARK_ARRAY, count)
    i = first_i
    event = first
    for offset in range(start, start + count):
        name_size = words[event + EVENT_NAME_SIZE]
        body = (event + EVENT_HEAD) * 8
        add_mark(words, reply, MARK_ARRAY, EVENT_ITEMS - 1)
        add_number(words, reply, offset)
        add_text(words, reply, body, name_size, 0)
        size = words[event + EVENT_SIZE]
        add_text(words, reply, body + name_size, size >> MARK_BITS, size & 0xFF)
        add_number(words, reply, words[event + EVENT_TIME])
        if offset < start + count - 1:
            i, event = events.following(words, room, i, event)
    note_reader(words, octets, room, tape, count)
    return ITEM


@kernel
def stats(words, octets, tape, now, reply):
    """Reply with name, events held, earliest and last offset, readers, published, read, bytes, limits, created (ms)."""
    room = find(words, octets, tape)
    if room == 0:
        return ROOM_MISSING
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_MAP, 12)
    add_mark(words, reply, MARK_NAME, 0)
    add_text(words, reply, (room + ROOM_WORDS) * 8, words[room + NAME_SIZE], 0)
    add_field(words, reply, 1, words[room + AFTER] - words[room + FIRST])
    add_field(words, reply, 2, words[room + FIRST])
    add_field(words, reply, 3, max(words[room + AFTER] - 1, 0))
    add_field(words, reply, 4, words[room + SUBSCRIBERS + tables.COUNT])
    add_field(words, reply, 5, words[room + AFTER])
    add_field(words, reply, 6, words[room + CONSUMED])
    add_field(words, reply, 7, words[room + BYTES])
    add_field(words, reply, 8, words[room + EVENTS_MAX])
    add_field(words, reply, 9, words[room + BYTES_MAX])
    add_field(words, reply, 10, words[room + RETENTION_MS] // 1000)
    add_field(words, reply, 11, words[room + CREATED])
    return ITEM


@kernel
def delete(words, octets, tape, now, reply):
    """Remove a room with its events, which upkeep frees."""
    h = named_records.hash_text(words, octets, ROOM, tape, 0)
    seat = named_records.locate(words, octets, ROOMS, ROOM_WORDS, h, text_at(words, tape, 0), text_size(words, tape, 0))
    if seat == 0:
        return ROOM_MISSING
    room = words[seat] & REF_MASK
    tables.remove(words, octets, ROOMS, seat)
    set_timer(words, octets, room, NEVER)
    arena.bury(words, room, ROOM)
    keyspace.touched(words, octets, h)
    return DONE | CHANGED


@kernel
def list_names(words, octets, tape, now, reply):
    """Reply with the names of all rooms, in no order."""
    return named_records.names(words, ROOMS, ROOM_WORDS, reply)


@kernel
def expire(words, octets, tape, now, reply):
    """Drop the events of a room that have reached the age limit, for upkeep; reply with NUMBER of them."""
    room = find(words, octets, tape)
    set_scalar(words, reply, 0)
    if room == 0:
        return ROOM_MISSING
    count = events.expire(words, room, now, words[tape + 2])
    if not events.set_timer(words, octets, room):
        return BROKEN
    words[reply] = count
    return NUMBER | CHANGED if count else NUMBER


@kernel
def load_room(words, octets, tape, now, reply):
    """Load a room from a snapshot: its name and SAVED words from EVENTS_MAX on. Refuse a room that exists."""
    h = named_records.hash_text(words, octets, ROOM, tape, 0)
    if named_records.find(words, octets, ROOMS, ROOM_WORDS, h, tape, 0):
        return ROOM_EXISTS
    room = open_room(words, octets, h, tape, now)
    if room == 0:
        return BROKEN
    for i in range(SAVED):
        words[room + EVENTS_MAX + i] = words[tape + 2 + i]
    words[room + AFTER] = words[room + FIRST]  # events are counted again as they are loaded
    words[room + BYTES] = 0
    return DONE | CHANGED


@kernel
def load_events(words, octets, tape, now, reply):
    """Load events from a snapshot, in order: name, data and time of each."""
    room = find(words, octets, tape)
    if room == 0:
        return ROOM_MISSING
    item = words[tape + 3]
    for _ in range(words[tape + 2]):
        done = events.append(
            words, octets, room, text_at(words, tape, item), text_size(words, tape, item),
            text_at(words, tape, item + 2), text_size(words, tape, item + 2),
            text_mark(words, tape, item + 2) & ~PRESENT, words[tape + item + 4],
        )  # fmt: skip
        if not done:
            return BROKEN
        item += 5
    return DONE | CHANGED if events.set_timer(words, octets, room) else BROKEN
