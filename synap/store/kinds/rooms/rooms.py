"""Rows of rooms: create, publish, consume, stats, delete, upkeep, and loading from a snapshot.

Rooms are in the table ROOMS by their names; the storage of events is in records/event_logs.py. The limits of number
and size hold at once, the age limit a little later (a 64th of it, a minute at most), when the room's timer is due.
Reading changes nothing that is logged; readers and events read are counted since the start, for up to SUBSCRIBERS_MAX
readers.

Limits that the caller leaves out come from this node's settings (registers at ROOM_LIMITS), so creating a room is
logged as `stream.make` with all limits spelled out.
"""

from synap.compiler.jit import inlined, kernel
from synap.kernels.spans import move
from synap.ranges import ROOM_LIMIT_MAX
from synap.store.memory import codes, decided, tables
from synap.store.memory.kinds import ROOM
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DECIDED,
    DECIDED_BIT,
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
from synap.store.memory.tapes import (
    add_field,
    add_mark,
    add_number,
    add_text,
    first_item,
    fits,
    set_scalar,
    text_at,
    text_mark,
    text_size,
)
from synap.store.records import event_logs as events
from synap.store.records import keyspace, named_records, timers
from synap.store.records.event_logs import (
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
    SAVED,
)
from synap.store.records.named_records import NAME_SIZE
from synap.store.records.timers import NEVER
from synap.store.slots import rooms as slots

# Words of a room besides those of its event log and of a named record:
SUBSCRIBERS = 24  # a table of the tags of all readers since the start
ROOM_WORDS = 32

SUBSCRIBERS_MAX = 10_000  # the most readers of one room that are counted
BATCH_BYTES = 8 << 20  # names and data in one reply; a single event may be larger
EVENTS_DEFAULT = 100  # events in a reply to a call without a limit
EVENT_ITEMS = 5  # items of the reply for one event: the mark of an array, offset, name, data, time
STATS_NAMES = 12  # names in the reply of stats


@inlined
def open_room(words, octets, tape, slot):
    """Return (hash, room) of the name in this slot of a tape; the room is 0 if none has this name."""
    return named_records.open_record(words, octets, ROOM, ROOMS, ROOM_WORDS, tape, slot)


@kernel
def make_room(words, octets, h, tape, slot, now):
    """Create an empty room with the name in this slot of a tape; return it, or 0 without memory."""
    room = named_records.make(words, octets, ROOM, ROOMS, ROOM_WORDS, h, tape, slot)
    if room:
        tables.open_table(words, octets, room + SUBSCRIBERS, tables.SIZE_MIN)
        words[room + CREATED] = now
        keyspace.touched(words, octets, h)
    return room


@kernel
def make(words, octets, tape, now, reply):
    """Create a room with these limits: events, bytes, ms (0: none). The row as which `create` is logged."""
    h, room = open_room(words, octets, tape, slots.STREAM_MAKE_ROOM)
    if room:
        return ROOM_EXISTS
    room = make_room(words, octets, h, tape, slots.STREAM_MAKE_ROOM, now)
    if room == 0:
        return BROKEN
    words[room + EVENTS_MAX] = words[tape + slots.STREAM_MAKE_MAX_EVENTS]
    words[room + BYTES_MAX] = words[tape + slots.STREAM_MAKE_MAX_BYTES]
    words[room + RETENTION_MS] = words[tape + slots.STREAM_MAKE_RETENTION_MS]
    return DONE | CHANGED


@kernel
def limit_of(words, tape, given, value, default):
    """Return the limit in slot `value` of a tape if slot `given` is 1, else the one in the register `default`."""
    return words[tape + value] if words[tape + given] else words[default]


@kernel
def create(words, octets, tape, now, reply):
    """Create a room: its name, then (given or not, value) of events, bytes and seconds."""
    most = limit_of(words, tape, slots.STREAM_CREATE_HAS_MAXEVENTS, slots.STREAM_CREATE_MAX_EVENTS, ROOM_LIMITS)
    size = limit_of(words, tape, slots.STREAM_CREATE_HAS_MAXBYTES, slots.STREAM_CREATE_MAX_BYTES, ROOM_LIMITS + 1)
    age = limit_of(words, tape, slots.STREAM_CREATE_HAS_RETENTION, slots.STREAM_CREATE_RETENTION_SECS, ROOM_LIMITS + 2)
    if min(most, size, age) < 0 or max(most, size, age) > ROOM_LIMIT_MAX:
        return BAD_AMOUNT
    decided.begin(words, codes.STREAM_MAKE, words[tape - 2], slots.STREAM_MAKE_SLOTS)
    decided.put_argument(words, octets, slots.STREAM_MAKE_ROOM, tape, slots.STREAM_CREATE_ROOM)
    decided.put_number(words, slots.STREAM_MAKE_MAX_EVENTS, most)
    decided.put_number(words, slots.STREAM_MAKE_MAX_BYTES, size)
    decided.put_number(words, slots.STREAM_MAKE_RETENTION_MS, age * 1000)
    status = make(words, octets, DECIDED, now, reply)
    return status | DECIDED_BIT if status & CHANGED else status


@kernel
def get_or_create(words, octets, tape, now, reply):
    """Create a room as `create` does, unless it exists; reply with NUMBER: 1 if it is new."""
    _, room = open_room(words, octets, tape, slots.STREAM_GET_OR_CREATE_ROOM)
    set_scalar(words, reply, 0)
    if room:
        return NUMBER
    status = create(words, octets, tape, now, reply)
    if status & CHANGED == 0:
        return status
    set_scalar(words, reply, 1)
    return NUMBER | CHANGED | DECIDED_BIT


@kernel
def append(words, octets, room, tape, name, data, time):
    """Append an event with the name and the data in these two slots of a tape; return False without memory."""
    name_size, size = text_size(words, tape, name), text_size(words, tape, data)
    body = events.append(words, room, name_size, size, text_mark(words, tape, data) & ~PRESENT, time)
    if body == 0:
        return False
    move(octets, body, text_at(words, tape, name), name_size)
    move(octets, body + name_size, text_at(words, tape, data), size)
    return True


@kernel
def set_timer(words, octets, room):
    """Set the room's timer to the time at which events have grown too old; return False without memory."""
    return timers.set_timer(words, octets, room, events.next_due(words, room))


@kernel
def publish(words, octets, tape, now, reply):
    """Append events with one name; reply with NUMBER: the offset of the first."""
    h, room = open_room(words, octets, tape, slots.STREAM_PUBLISH_ROOM)
    if room == 0:
        return ROOM_MISSING
    set_scalar(words, reply, words[room + AFTER])
    data = first_item(words, tape, slots.STREAM_PUBLISH_ITEMS) + slots.STREAM_PUBLISH_ITEMS_DATA
    for _ in range(words[tape + slots.STREAM_PUBLISH_ITEMS]):
        if not append(words, octets, room, tape, slots.STREAM_PUBLISH_EVENT, data, now):
            return BROKEN
        events.trim(words, room)
        data += slots.STREAM_PUBLISH_ITEMS_STRIDE
    if words[room + named_records.TIMER] == 0 and not set_timer(words, octets, room):
        return BROKEN
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def note_reader(words, octets, room, count, tape):
    """Count the events read, and the reader if it is new."""
    words[room + CONSUMED] += count
    if words[room + SUBSCRIBERS + tables.COUNT] < SUBSCRIBERS_MAX:
        h = named_records.hash_text(words, octets, HOLDER, tape, slots.STREAM_CONSUME_SUBSCRIBER_ID)
        tag = tables.tag_of_hash(h)
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
    _, room = open_room(words, octets, tape, slots.STREAM_CONSUME_ROOM)
    if room == 0:
        return ROOM_MISSING
    start = words[room + FIRST]
    if words[tape + slots.STREAM_CONSUME_HAS_FROM]:
        start = words[tape + slots.STREAM_CONSUME_FROM_OFFSET]
    most = words[tape + slots.STREAM_CONSUME_LIMIT] if words[tape + slots.STREAM_CONSUME_HAS_LIMIT] else EVENTS_DEFAULT
    waits = words[tape + slots.STREAM_CONSUME_HAS_WAIT] != 0
    if most < 0 or start < 0:
        return POSITIVE_COUNT
    if start < words[room + FIRST] or (start > words[room + AFTER] and not waits):
        set_scalar(words, reply, words[room + FIRST])
        words[reply + SECOND_NUMBER] = words[room + AFTER]
        return OFFSET_GONE
    most = min(most, words[room + AFTER] - start)
    if most <= 0:
        if waits and start >= words[room + AFTER]:
            return WAIT
        set_scalar(words, reply, start)
        note_reader(words, octets, room, 0, tape)
        return EMPTY
    i, event, _ = events.seek(words, room, start)
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
    if not fits(words, 1 + EVENT_ITEMS * count, size):
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
    note_reader(words, octets, room, count, tape)
    return ITEM


@kernel
def stats(words, octets, tape, now, reply):
    """Reply with name, events held, earliest and last offset, readers, published, read, bytes, limits, created (ms)."""
    _, room = open_room(words, octets, tape, slots.STREAM_STATS_ROOM)
    if room == 0:
        return ROOM_MISSING
    if not fits(words, 1 + 2 * STATS_NAMES, words[room + NAME_SIZE]):
        return FULL
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_MAP, STATS_NAMES)
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
    room = named_records.remove(words, octets, ROOM, ROOMS, ROOM_WORDS, tape, slots.STREAM_DELETE_ROOM)
    if room == 0:
        return ROOM_MISSING
    timers.set_timer(words, octets, room, NEVER)
    return DONE | CHANGED


@kernel
def list_names(words, octets, tape, now, reply):
    """Reply with the names of all rooms, in no order."""
    return named_records.names(words, ROOMS, ROOM_WORDS, reply)


@kernel
def expire(words, octets, tape, now, reply):
    """Drop the events of a room that have reached the age limit, for upkeep; reply with NUMBER of them."""
    _, room = open_room(words, octets, tape, slots.STREAM_EXPIRE_ROOM)
    set_scalar(words, reply, 0)
    if room == 0:
        return ROOM_MISSING
    count = events.expire(words, room, now, words[tape + slots.STREAM_EXPIRE_MOST])
    if not set_timer(words, octets, room):
        return BROKEN
    words[reply] = count
    return NUMBER | CHANGED if count else NUMBER


@kernel
def load_room(words, octets, tape, now, reply):
    """Load a room from a snapshot: its name and SAVED words from EVENTS_MAX on. Refuse a room that exists."""
    h, room = open_room(words, octets, tape, slots.STREAM_LOAD_ROOM)
    if room:
        return ROOM_EXISTS
    room = make_room(words, octets, h, tape, slots.STREAM_LOAD_ROOM, now)
    if room == 0:
        return BROKEN
    for i in range(SAVED):
        words[room + EVENTS_MAX + i] = words[tape + slots.STREAM_LOAD_WORD0 + i]
    words[room + AFTER] = words[room + FIRST]  # events are counted again as they are loaded
    words[room + BYTES] = 0
    return DONE | CHANGED


@kernel
def load_events(words, octets, tape, now, reply):
    """Load events from a snapshot, in order: name, data and time of each."""
    _, room = open_room(words, octets, tape, slots.STREAM_LOAD_EVENTS_ROOM)
    if room == 0:
        return ROOM_MISSING
    item = first_item(words, tape, slots.STREAM_LOAD_EVENTS_EVENTS)
    for _ in range(words[tape + slots.STREAM_LOAD_EVENTS_EVENTS]):
        name, data = item + slots.STREAM_LOAD_EVENTS_EVENTS_EVENT, item + slots.STREAM_LOAD_EVENTS_EVENTS_DATA
        time = words[tape + item + slots.STREAM_LOAD_EVENTS_EVENTS_TIME]
        if not append(words, octets, room, tape, name, data, time):
            return BROKEN
        item += slots.STREAM_LOAD_EVENTS_EVENTS_STRIDE
    return DONE | CHANGED if set_timer(words, octets, room) else BROKEN
