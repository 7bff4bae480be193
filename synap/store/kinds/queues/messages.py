"""Messages of queues: made, found, delayed, shown and removed; queue_layout.py has their words.

Each delivery of a message has a *receipt*: the id, a colon, and the number of the delivery. An ack, nack or renewal by
a receipt concerns this delivery and no later one.
"""

import numpy as np

from synap.compiler.jit import inlined, kernel
from synap.kernels import heaps
from synap.kernels.hashing import keyed_hash
from synap.kernels.spans import move
from synap.ranges import MESSAGE_RETRIES_MAX, PRIORITY_MAX
from synap.store.kinds.queues import extras, fifo_groups, rates
from synap.store.kinds.queues.chains import detach, state_of
from synap.store.kinds.queues.message_ids import ID_BYTES, ID_TEXT_BYTES
from synap.store.kinds.queues.queue_layout import (
    ACTIVE,
    ACTIVE_UNTIL,
    BACKOFF,
    CREATED,
    DEADLINE,
    DELAYED,
    DELAYED_CAPACITY,
    DELAYED_COUNT,
    DELAYS,
    DELIVERIES_SHIFT,
    EXPIRING,
    EXPIRING_CAPACITY,
    EXPIRING_COUNT,
    EXTRAS,
    FAILURES_MASK,
    FAILURES_SHIFT,
    GROUP_NAME_SIZE,
    HEADERS,
    HEADERS_MASK,
    HELD_BY,
    HOLDERS,
    ID_A,
    ID_B,
    IS_DELAYED,
    IS_LEASED,
    LEASED,
    LEASED_COUNT,
    LIMIT_SHIFT,
    MESSAGE_WORDS,
    MESSAGES,
    PAYLOAD,
    PLACE,
    PRIORITY_SHIFT,
    PUBLISHED,
    QUEUE_WORDS,
    READY_COUNT,
    REDRIVE_DONE,
    REDRIVE_FROM,
    REDRIVE_LEFT,
    REDRIVE_RATE,
    SERIAL,
    SINGLE,
    STATE,
)
from synap.store.memory import arena, tables
from synap.store.memory.kinds import QUEUE
from synap.store.memory.layout import KEY_A, KEY_B, MARK_BITS, MARK_MAP, MARK_NAME, PRESENT, QUEUES, SCRATCH
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import add_field, add_mark, add_nil, add_number, add_text, text_at, text_mark, text_size
from synap.store.records import named_records, timers
from synap.store.records.timers import NEVER


@inlined
def open_queue(words, octets, tape, slot):
    """Return (hash, queue) of the name in this slot of a tape; the queue is 0 if none has this name."""
    return named_records.open_record(words, octets, QUEUE, QUEUES, QUEUE_WORDS, tape, slot)


@kernel
def make_queue(words, octets, h, tape, slot):
    """Create an empty queue with the name in this slot of a tape; return it, or 0 without memory."""
    queue = named_records.make(words, octets, QUEUE, QUEUES, QUEUE_WORDS, h, tape, slot)
    if queue:
        tables.open_table(words, octets, queue + MESSAGES, tables.SIZE_MIN)
        tables.open_table(words, octets, queue + HOLDERS, tables.SIZE_MIN)
    return queue


@kernel
def hash_id(words, octets, start):
    """Return the hash of a message's id."""
    return keyed_hash(octets, start, ID_BYTES, words[KEY_A], words[KEY_B])


@kernel
def locate_message(words, octets, queue, id_a, id_b):
    """Return the index in `words` of the slot of the message with this id, or 0."""
    words[SCRATCH] = id_a
    words[SCRATCH + 1] = id_b
    tag = tables.tag_of_hash(hash_id(words, octets, SCRATCH * 8))
    at = tables.seek_in(words, queue + MESSAGES, tag)
    slot = words[at]
    while slot != 0 and tables.tag_of(slot) == tag:
        message = slot & REF_MASK
        if words[message + ID_A] == id_a and words[message + ID_B] == id_b:
            return at
        at += 1
        slot = words[at]
    return 0


@kernel
def delay(words, octets, queue, message, due):
    """Put a message that is in no chain into the heap of delayed ones until `due`; return False without memory.

    Of those with the same time, the one that was delayed first is ready first.
    """
    words[queue + DELAYS] += 1
    words[message + SERIAL] = words[queue + DELAYS]
    return delay_as(words, octets, queue, message, due)


@kernel
def delay_as(words, octets, queue, message, due):
    """Put a message with its SERIAL into the heap of delayed ones until `due`; return False without memory."""
    if not make_places(words, octets, queue, 1):
        return False
    words[message + STATE] = (words[message + STATE] & ~np.int64(0xFF)) | IS_DELAYED
    words[message + DEADLINE] = due
    heaps.push(words, words[queue + DELAYED], words[queue + DELAYED_COUNT], due, message, PLACE, SERIAL)
    words[queue + DELAYED_COUNT] += 1
    return True


@kernel
def end_delay(words, queue, message):
    """Take a message out of the heap of delayed ones; it is in no chain then."""
    heaps.remove(words, words[queue + DELAYED], words[queue + DELAYED_COUNT], words[message + PLACE] - 1, PLACE, SERIAL)
    words[queue + DELAYED_COUNT] -= 1
    words[message + DEADLINE] = 0


@kernel
def take_out(words, queue, message):
    """Take a message out of its chain, or out of the heap of delayed ones."""
    if state_of(words, message) == IS_DELAYED:
        end_delay(words, queue, message)
    else:
        detach(words, queue, message)


@kernel
def set_timer(words, octets, queue):
    """Set the queue's timer to the first time at which something is to be done; return False without memory.

    These are the end of a lease or of a delay, the expiry of a message, the move of a dead letter, and the end of the
    time in which an active consumer without messages keeps others from those that are ready.
    """
    due = np.int64(NEVER)
    if words[queue + LEASED]:
        due = words[words[queue + LEASED] + DEADLINE]
    if words[queue + DELAYED_COUNT]:
        due = min(due, words[words[queue + DELAYED]])
    if words[queue + EXPIRING_COUNT]:
        due = min(due, words[words[queue + EXPIRING]])
    if words[queue + REDRIVE_LEFT]:
        due = min(due, next_redrive(words, queue))
    if words[queue + SINGLE] and words[queue + ACTIVE] and words[queue + READY_COUNT] and not words[queue + LEASED]:
        due = min(due, words[queue + ACTIVE_UNTIL])
    return timers.set_timer(words, octets, queue, due)


@kernel
def next_redrive(words, queue):
    """Return when the next dead letter is to be moved (ms)."""
    done, rate = words[queue + REDRIVE_DONE], words[queue + REDRIVE_RATE]
    return words[queue + REDRIVE_FROM] + (0 if rate == 0 else (done * 1000 + rate - 1) // rate)


@kernel
def headers_size(words, message):
    """Return the bytes of a message's headers."""
    return words[message + HEADERS] & HEADERS_MASK


@kernel
def deliveries_of(words, message):
    """Return how often a message was delivered."""
    return words[message + HEADERS] >> DELIVERIES_SHIFT


@kernel
def texts_size(words, message):
    """Return the bytes of the payload, the headers and the group of a message, which a reply has."""
    group = fifo_groups.group_of(words, message)
    name = words[group + GROUP_NAME_SIZE] if group else 0
    return (words[message + PAYLOAD] >> MARK_BITS) + headers_size(words, message) + name


@kernel
def add_parts(words, reply, message, id_at, receipt, names):
    """Add a message to the reply: MESSAGE_ITEMS items, in a map of so many names, of which the caller adds those behind
    the first eleven. At octet `id_at` lies its id as text, or its receipt, which has so many bytes (0: it has none)."""
    size = words[message + PAYLOAD] >> MARK_BITS
    body = (message + MESSAGE_WORDS) * 8
    state = words[message + STATE]
    add_mark(words, reply, MARK_MAP, names)
    add_mark(words, reply, MARK_NAME, 0)
    add_text(words, reply, id_at, ID_TEXT_BYTES, 0)
    add_mark(words, reply, MARK_NAME, 1)
    add_text(words, reply, body, size, words[message + PAYLOAD] & 0xFF)
    add_field(words, reply, 2, (state >> PRIORITY_SHIFT) & 0xFF)
    add_field(words, reply, 3, (state >> FAILURES_SHIFT) & FAILURES_MASK)
    add_field(words, reply, 4, (state >> LIMIT_SHIFT) & MESSAGE_RETRIES_MAX)
    add_mark(words, reply, MARK_NAME, 5)
    add_text(words, reply, body + size, headers_size(words, message), 1)
    add_field(words, reply, 6, words[message + CREATED])
    add_field(words, reply, 7, words[message + DEADLINE] if state & 0xFF in (IS_LEASED, IS_DELAYED) else 0)
    add_mark(words, reply, MARK_NAME, 8)
    if receipt:
        add_text(words, reply, id_at, receipt, 0)
    else:
        add_nil(words, reply)
    group = fifo_groups.group_of(words, message)
    add_mark(words, reply, MARK_NAME, 9)
    if group:
        add_text(words, reply, fifo_groups.name_at(group), words[group + GROUP_NAME_SIZE], 0)
    else:
        add_nil(words, reply)
    expires = extras.expires_at(words, message)
    add_mark(words, reply, MARK_NAME, 10)
    if expires:
        add_number(words, reply, expires)
    else:
        add_nil(words, reply)


@kernel
def forget(words, octets, queue, message):
    """Remove a message that is in no chain from its queue, and free it."""
    seat = locate_message(words, octets, queue, words[message + ID_A], words[message + ID_B])
    tables.remove(words, octets, queue + MESSAGES, seat)
    extras.leave_expiring(words, queue, message)
    fifo_groups.leave(words, octets, queue, message)
    extras.release(words, message)
    arena.release(words, message)


@inlined
def make_message(words, octets, tape, payload, headers, queue, id_a, id_b):
    """Create a message with the texts in these two slots of a tape, and add it to the table of its queue.

    Return its ref, or 0 without memory. The caller sets its state and puts it into a chain or among the delayed.
    """
    size = text_size(words, tape, payload)
    headers_size = text_size(words, tape, headers)
    message = arena.allocate(words, MESSAGE_WORDS + ((size + headers_size + 7) >> 3))
    if message == 0:
        return 0
    words[message + ID_A] = id_a
    words[message + ID_B] = id_b
    words[message + DEADLINE] = 0
    words[message + PAYLOAD] = size << MARK_BITS | (text_mark(words, tape, payload) & ~PRESENT)
    words[message + HEADERS] = headers_size
    words[message + HELD_BY] = 0
    words[message + EXTRAS] = 0
    body = (message + MESSAGE_WORDS) * 8
    move(octets, body, text_at(words, tape, payload), size)
    move(octets, body + size, text_at(words, tape, headers), headers_size)
    tag = tables.tag_of_hash(hash_id(words, octets, (message + ID_A) * 8))
    return message if tables.insert(words, octets, queue + MESSAGES, tag, message, 0) else 0


@kernel
def add_message(
    words, octets, tape, payload, headers, group, queue, id_a, id_b, priority, limit, due, expires, now
):
    """Add a message with the texts in three slots of a tape, ready at `due` (0: now), which expires at `expires` (0:
    never); return it, or 0 without memory. It belongs to a group if the text in slot `group` (-1: no slot) is not
    empty.

    A priority or retry limit above the greatest is set to the greatest: publishing refuses it today, but older logs
    have it.
    """
    message = make_message(words, octets, tape, payload, headers, queue, id_a, id_b)
    if message == 0:
        return 0
    limit = min(limit, MESSAGE_RETRIES_MAX)
    words[message + STATE] = min(priority, PRIORITY_MAX) << PRIORITY_SHIFT | limit << LIMIT_SHIFT
    words[message + CREATED] = now
    rates.roll(words, queue, now)
    words[queue + PUBLISHED] += 1
    if group >= 0 and text_size(words, tape, group):
        start, size = text_at(words, tape, group), text_size(words, tape, group)
        if not fifo_groups.join(words, octets, queue, message, start, size):
            return 0
    if expires and not extras.expire_at(words, octets, queue, message, expires):
        return 0
    if due > now:
        if not delay(words, octets, queue, message, due):
            return 0
    else:
        fifo_groups.make_ready(words, queue, message)
    return message


@kernel
def lacks_place_to_expire(words, queue):
    """Return True if there is no memory for the place of one more message that expires."""
    return timers.lacks_memory(words, words[queue + EXPIRING_COUNT], words[queue + EXPIRING_CAPACITY])


@kernel
def places_wanted(words, queue, more):
    """Return how many places the heap of delayed messages must have before `more` messages are delayed or leased.

    In a queue with a back-off each leased message has a place, as it may fail while there is no memory.
    """
    leased = words[queue + LEASED_COUNT] if words[queue + BACKOFF] else 0
    return words[queue + DELAYED_COUNT] + leased + more


@kernel
def lacks_place(words, queue):
    """Return True if there is no memory for the place of one more delayed message."""
    return timers.lacks_memory(words, places_wanted(words, queue, 0), words[queue + DELAYED_CAPACITY])


@kernel
def make_places(words, octets, queue, more):
    """Let the heap of delayed messages have the places that `more` messages want; return False without memory."""
    wanted = places_wanted(words, queue, more)
    while words[queue + DELAYED_CAPACITY] < wanted:
        capacity = words[queue + DELAYED_CAPACITY]
        block, capacity = timers.grow(words, octets, words[queue + DELAYED], capacity, capacity)
        if block == 0:
            return False
        words[queue + DELAYED] = block
        words[queue + DELAYED_CAPACITY] = capacity
    return True


@kernel
def make_places_for_leases(words, octets, queue, more):
    """Do what `make_places` does before `more` messages are leased, which a queue without a back-off never delays."""
    return words[queue + BACKOFF] == 0 or make_places(words, octets, queue, more)
