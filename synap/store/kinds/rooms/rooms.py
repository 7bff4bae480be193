"""Rooms: streams of events that are kept for a while, and read from any offset that is still held.

Rooms lie in the table ROOMS by their names; how a room keeps its events stands in events.py. The limits of number and
size hold at once, that of age a little later (a 64th of it, a minute at most), when the room's timer is due. Reading
changes nothing that is logged; who has read and how much is counted since the start, up to SUBSCRIBERS_MAX readers.

Limits that a caller leaves out are this node's (registers at ROOM_LIMITS), so making a room is journaled as
`stream.make` with all of them spelled out.
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
    ITEMS,
    MARK_BITS,
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
SUBSCRIBERS_MAX = 10_000  # readers of one room that are told apart
BATCH_BYTES = 8 << 20  # of names and data in one reply; one event may be larger
CONSUME_FROM, CONSUME_LIMIT, CONSUME_WAIT, EVENTS_DEFAULT = 4, 6, 8, 100
EVENT_ITEMS = 4


@kernel
def open_room(words, octets, h, tape, now):
    """An empty room under the name that a tape begins with; 0 without memory."""
    start = text_at(words, tape, 0)
    room = named_records.make(words, octets, ROOMS, ROOM_WORDS, ROOM, h, start, text_size(words, tape, 0))
    if room:
        tables.open_table(words, octets, room + SUBSCRIBERS, tables.SIZE_MIN)
        words[room + CREATED] = now
        keyspace.touched(words, octets, h)
    return room


@kernel
def find(words, octets, tape):
    """The room that a tape begins with, or 0."""
    h = named_records.hash_text(words, octets, ROOM, tape, 0)
    return named_records.find(words, octets, ROOMS, ROOM_WORDS, h, tape, 0)


@kernel
def make(words, octets, tape, now, reply):
    """Make a room with these limits: events, bytes, ms (0: none). What `create` is journaled as."""
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
    """Make a room: its name, then (given or not, value) of events, bytes and seconds."""
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
    """Make a room as `create` does, unless it is there: then it stays as it is. NUMBER: 1 if it was made."""
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
    """Append events of one name; NUMBER: the offset of the first."""
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
    """Count what was read and, once, who has read it."""
    words[room + CONSUMED] += count
    if words[room + SUBSCRIBERS + tables.COUNT] < SUBSCRIBERS_MAX:
        tag = tables.tag_of_hash(named_records.hash_text(words, octets, HOLDER, tape, 2))
        at = tables.seek_in(words, room + SUBSCRIBERS, tag)
        if words[at] == 0 or tables.tag_of(words[at]) != tag:
            tables.insert(words, octets, room + SUBSCRIBERS, tag, 1, 0)


@kernel
def consume(words, octets, tape, now, reply):
    """Events from an offset on (by default from the earliest): EVENT_ITEMS items each, the next offset as scalar.

    Fewer than the limit come if there are no more, or if they are above BATCH_BYTES. EMPTY (or WAIT) if there
    is none yet. Refused if the offset is no longer held, or lies behind the next one and is not waited for: such a
    reader knows another room of this name. The reply then is the earliest offset held and, behind it, the next one.
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
    if not fits(words, reply, EVENT_ITEMS * count, size):
        return FULL
    set_scalar(words, reply, start + count)
    i = first_i
    event = first
    for offset in range(start, start + count):
        name_size = words[event + EVENT_NAME_SIZE]
        body = (event + EVENT_HEAD) * 8
        add_number(words, reply, offset)
        add_text(words, reply, body, name_size, 0)
        size = words[event + EVENT_SIZE]
        add_text(words, reply, body + name_size, size >> MARK_BITS, size & 0xFF)
        add_number(words, reply, words[event + EVENT_TIME])
        if offset < start + count - 1:
            i, event = events.following(words, room, i, event)
    note_reader(words, octets, room, tape, count)
    return ITEMS


@kernel
def stats(words, octets, tape, now, reply):
    """Name, events held, earliest and last offset, readers, published, read, bytes, the limits, made when (ms)."""
    room = find(words, octets, tape)
    if room == 0:
        return ROOM_MISSING
    set_scalar(words, reply, 0)
    add_text(words, reply, (room + ROOM_WORDS) * 8, words[room + NAME_SIZE], 0)
    add_number(words, reply, words[room + AFTER] - words[room + FIRST])
    add_number(words, reply, words[room + FIRST])
    add_number(words, reply, max(words[room + AFTER] - 1, 0))
    add_number(words, reply, words[room + SUBSCRIBERS + tables.COUNT])
    add_number(words, reply, words[room + AFTER])
    add_number(words, reply, words[room + CONSUMED])
    add_number(words, reply, words[room + BYTES])
    add_number(words, reply, words[room + EVENTS_MAX])
    add_number(words, reply, words[room + BYTES_MAX])
    add_number(words, reply, words[room + RETENTION_MS] // 1000)
    add_number(words, reply, words[room + CREATED])
    return ITEMS


@kernel
def delete(words, octets, tape, now, reply):
    """Remove a room with its events. Upkeep frees them."""
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
    """The names of all rooms, in no order."""
    return named_records.names(words, ROOMS, ROOM_WORDS, reply)


@kernel
def expire(words, octets, tape, now, reply):
    """Drop the events of a room that have grown too old: the row that upkeep asks for. NUMBER of them."""
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
    """A room out of a snapshot: its name and SAVED words from EVENTS_MAX on. Refuses one that exists."""
    h = named_records.hash_text(words, octets, ROOM, tape, 0)
    if named_records.find(words, octets, ROOMS, ROOM_WORDS, h, tape, 0):
        return ROOM_EXISTS
    room = open_room(words, octets, h, tape, now)
    if room == 0:
        return BROKEN
    for i in range(SAVED):
        words[room + EVENTS_MAX + i] = words[tape + 2 + i]
    words[room + AFTER] = words[room + FIRST]  # its events count themselves
    words[room + BYTES] = 0
    return DONE | CHANGED


@kernel
def load_events(words, octets, tape, now, reply):
    """Events out of a snapshot, in order: name, data and time of each."""
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
