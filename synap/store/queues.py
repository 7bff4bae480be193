"""Queues: messages that are delivered until somebody has said that they are done.

Queues lie in the table QUEUES by the hash of their name; what a queue and a message consist of stands
in messages.py. Ids are random (UUID version 4), so publishing is journaled as
`queue.put` with the id spelled out; everything else repeats by itself.

A delivery that fails (nack, or a deadline that passes) counts: above `retries_max` failures the
message is dead-lettered, else it goes back behind the others of its priority. A nack that does not
ask for another delivery dead-letters at once.
"""

import numpy as np

from synap.kernels.jit import kernel
from synap.kernels.spans import fill, load64, move, same, store64
from synap.store import arena, tables
from synap.store.layout import (
    BROKEN,
    CHANCE,
    CHANGED,
    DECIDED,
    DECIDED_BIT,
    DECIDED_BLOB,
    DECIDED_BLOB_SIZE,
    DECIDED_CODE,
    DECIDED_TAPE_SIZE,
    DONE,
    FULL,
    ITEM,
    ITEMS,
    MARK_BITS,
    NIL,
    NUMBER,
    PRESENT,
    QUEUES,
    QUEUES_DUE,
    SCRATCH,
)
from synap.store.messages import (
    ACK_DEADLINE_MS,
    ACKED,
    CONSUMED,
    CONSUMERS,
    CREATED,
    DEAD_COUNT,
    DEADLINE,
    DEPTH_MAX,
    FAILURES_MASK,
    FAILURES_SHIFT,
    HEADERS,
    ID_A,
    ID_B,
    ID_BYTES,
    ID_TEXT_BYTES,
    IS_LEASED,
    LEASED,
    LEASED_COUNT,
    LIMIT_MASK,
    LIMIT_SHIFT,
    MESSAGE_WORDS,
    MESSAGES,
    NAME_SIZE,
    NEVER,
    PAYLOAD,
    PRIORITY,
    PRIORITY_MAX,
    PUBLISH_HEADERS,
    PUBLISH_PRIORITY,
    PUBLISHED,
    PUT_CODE,
    PUT_ID,
    PUT_SIZE,
    QUEUE_WORDS,
    READY,
    READY_COUNT,
    RETRIES_MAX,
    STATE,
    STATS,
    add_message,
    append,
    fail,
    forget,
    hash_name,
    locate_message,
    parse_id,
    print_id,
    set_state,
)
from synap.store.refusals import BAD_PRIORITY, KEY_EXISTS, MESSAGE_MISSING, QUEUE_FULL, QUEUE_MISSING
from synap.store.tables import REF_MASK
from synap.store.tapes import add_number, add_text, fits, set_scalar, text_at, text_mark, text_size


@kernel
def locate(words, octets, start, size):
    """Index in `words` of the slot of the queue with this name, or 0."""
    h = hash_name(words, octets, start, size)
    tag = tables.tag_of_hash(h)
    at = tables.seek_in(words, QUEUES, tag)
    slot = words[at]
    while slot != 0 and tables.tag_of(slot) == tag:
        queue = slot & REF_MASK
        if words[queue + NAME_SIZE] == size and same(octets, (queue + QUEUE_WORDS) * 8, start, size):
            return at
        at += 1
        slot = words[at]
    return 0


@kernel
def find(words, octets, tape, slot):
    """The queue named in this slot of a tape, or 0."""
    seat = locate(words, octets, text_at(words, tape, slot), text_size(words, tape, slot))
    return words[seat] & REF_MASK if seat else 0


@kernel
def create(words, octets, tape, now, reply):
    """Make a queue: name, depth, ack deadline (ms), retries, priority. One that is there stays as it is.

    NUMBER: 1 if it was made.
    """
    start = text_at(words, tape, 0)
    size = text_size(words, tape, 0)
    set_scalar(words, reply, 0)
    if locate(words, octets, start, size):
        return NUMBER
    priority = words[tape + 5]
    if priority < 0 or priority > PRIORITY_MAX:
        return BAD_PRIORITY
    queue = make(words, octets, start, size)
    if queue == 0:
        return BROKEN
    words[queue + DEPTH_MAX] = words[tape + 2]
    words[queue + ACK_DEADLINE_MS] = words[tape + 3]
    words[queue + RETRIES_MAX] = words[tape + 4]
    words[queue + PRIORITY] = priority
    words[reply] = 1
    return NUMBER | CHANGED


@kernel
def make(words, octets, start, size):
    """An empty queue with this name, or 0 without memory."""
    queue = arena.allocate(words, QUEUE_WORDS + ((size + 7) >> 3))
    if queue == 0:
        return 0
    fill(octets, queue * 8, 0, QUEUE_WORDS * 8)
    words[queue + NAME_SIZE] = size
    move(octets, (queue + QUEUE_WORDS) * 8, start, size)
    tables.open_table(words, octets, queue + MESSAGES, tables.SIZE_MIN)
    tag = tables.tag_of_hash(hash_name(words, octets, start, size))
    if not tables.insert(words, octets, QUEUES, tag, queue, 0):
        return 0
    return queue


@kernel
def publish(words, octets, tape, now, reply):
    """Add a message under a new random id; ITEM: the id as text."""
    queue = find(words, octets, tape, 0)
    if queue == 0:
        return QUEUE_MISSING
    if words[tape + PUBLISH_PRIORITY] and words[tape + PUBLISH_PRIORITY + 1] < 0:
        return BAD_PRIORITY
    if words[queue + READY_COUNT] >= words[queue + DEPTH_MAX]:
        return QUEUE_FULL
    id_a = tables.next_chance(words[CHANCE])
    id_b = tables.next_chance(id_a)
    words[CHANCE] = id_b ^ tables.next_chance(id_b)
    id_a = (id_a & ~(np.int64(0xF0) << 48)) | np.int64(0x40) << 48  # version 4
    id_b = (id_b & ~np.int64(0xC0)) | 0x80  # variant 1
    if add_message(words, octets, tape, queue, id_a, id_b, now) == 0:
        return BROKEN
    words[queue + PUBLISHED] += 1
    blob = DECIDED_BLOB * 8
    name_size = text_size(words, tape, 0)
    size = text_size(words, tape, 2)
    headers_size = text_size(words, tape, PUBLISH_HEADERS)
    words[DECIDED - 2] = words[tape - 2]
    words[DECIDED - 1] = blob
    for i in range(PUT_ID):
        words[DECIDED + i] = words[tape + i]
    words[DECIDED] = ID_BYTES
    words[DECIDED + 2] = ID_BYTES + name_size
    words[DECIDED + PUBLISH_HEADERS] = ID_BYTES + name_size + size
    words[DECIDED + PUT_ID] = 0
    words[DECIDED + PUT_ID + 1] = ID_BYTES << MARK_BITS | PRESENT
    store64(octets, blob, id_a)
    store64(octets, blob + 8, id_b)
    move(octets, blob + ID_BYTES, text_at(words, tape, 0), name_size)
    move(octets, blob + ID_BYTES + name_size, text_at(words, tape, 2), size)
    move(octets, blob + ID_BYTES + name_size + size, text_at(words, tape, PUBLISH_HEADERS), headers_size)
    words[DECIDED_CODE] = PUT_CODE
    words[DECIDED_TAPE_SIZE] = PUT_SIZE
    words[DECIDED_BLOB_SIZE] = ID_BYTES + name_size + size + headers_size
    print_id(octets, SCRATCH * 8, id_a, id_b)
    set_scalar(words, reply, 0)
    add_text(words, reply, SCRATCH * 8, ID_TEXT_BYTES, 0)
    return ITEM | CHANGED | DECIDED_BIT


@kernel
def put(words, octets, tape, now, reply):
    """Add a message with the id in slot PUT_ID: what a publish is journaled as."""
    queue = find(words, octets, tape, 0)
    if queue == 0:
        return QUEUE_MISSING
    at = text_at(words, tape, PUT_ID)
    id_a = load64(octets, at)
    id_b = load64(octets, at + 8)
    if locate_message(words, octets, queue, id_a, id_b):
        return KEY_EXISTS
    if add_message(words, octets, tape, queue, id_a, id_b, now) == 0:
        return BROKEN
    words[queue + PUBLISHED] += 1
    print_id(octets, SCRATCH * 8, id_a, id_b)
    set_scalar(words, reply, 0)
    add_text(words, reply, SCRATCH * 8, ID_TEXT_BYTES, 0)
    return ITEM | CHANGED


@kernel
def consume(words, octets, tape, now, reply):
    """Lease the first message of the highest priority; NIL if none is ready or there is no queue.

    ITEMS: id, payload, priority, failures, retries_max, headers, created (ms), deadline (ms).
    """
    queue = find(words, octets, tape, 0)
    if queue == 0 or words[queue + READY_COUNT] == 0:
        return NIL
    priority = PRIORITY_MAX
    while words[queue + READY + 2 * priority] == 0:
        priority -= 1
    message = words[queue + READY + 2 * priority]
    size = words[message + PAYLOAD] >> MARK_BITS
    if not fits(words, reply, 8, size + words[message + HEADERS] + ID_TEXT_BYTES):
        return FULL
    words[message + DEADLINE] = now + words[queue + ACK_DEADLINE_MS]
    set_state(words, queue, message, IS_LEASED)
    words[queue + CONSUMED] += 1
    words[queue + CONSUMERS] = 1
    words[QUEUES_DUE] = min(words[QUEUES_DUE], words[message + DEADLINE])
    print_id(octets, SCRATCH * 8, words[message + ID_A], words[message + ID_B])
    body = (message + MESSAGE_WORDS) * 8
    set_scalar(words, reply, 0)
    add_text(words, reply, SCRATCH * 8, ID_TEXT_BYTES, 0)
    add_text(words, reply, body, size, words[message + PAYLOAD] & 0xFF)
    add_number(words, reply, priority)
    add_number(words, reply, (words[message + STATE] >> FAILURES_SHIFT) & FAILURES_MASK)
    add_number(words, reply, (words[message + STATE] >> LIMIT_SHIFT) & LIMIT_MASK)
    add_text(words, reply, body + size, words[message + HEADERS], 1)
    add_number(words, reply, words[message + CREATED])
    add_number(words, reply, words[message + DEADLINE])
    return ITEMS | CHANGED


@kernel
def find_leased(words, octets, tape, queue):
    """The leased message whose id stands in slot 2, or 0."""
    id_a, id_b, valid = parse_id(octets, text_at(words, tape, 2), text_size(words, tape, 2))
    if not valid:
        return 0
    seat = locate_message(words, octets, queue, id_a, id_b)
    if seat == 0:
        return 0
    message = words[seat] & REF_MASK
    return message if words[message + STATE] & 0xFF == IS_LEASED else 0


@kernel
def ack(words, octets, tape, now, reply):
    """The message is done: forget it."""
    queue = find(words, octets, tape, 0)
    if queue == 0:
        return QUEUE_MISSING
    message = find_leased(words, octets, tape, queue)
    if message == 0:
        return MESSAGE_MISSING
    forget(words, octets, queue, message, False)
    words[queue + ACKED] += 1
    return DONE | CHANGED


@kernel
def nack(words, octets, tape, now, reply):
    """The delivery failed; slot 4 is 1 if the message is not to be delivered again."""
    queue = find(words, octets, tape, 0)
    if queue == 0:
        return QUEUE_MISSING
    message = find_leased(words, octets, tape, queue)
    if message == 0:
        return MESSAGE_MISSING
    fail(words, queue, message, words[tape + 4] == 0)
    return DONE | CHANGED


@kernel
def requeue(words, octets, tape, now, reply):
    """Fail the leases of a queue whose deadline has come: the row that upkeep asks for. NUMBER of them."""
    queue = find(words, octets, tape, 0)
    set_scalar(words, reply, 0)
    if queue == 0:
        return QUEUE_MISSING
    count = 0
    while words[queue + LEASED] and words[words[queue + LEASED] + DEADLINE] <= now and count < words[tape + 2]:
        fail(words, queue, words[queue + LEASED], True)
        count += 1
    words[reply] = count
    return NUMBER | CHANGED if count else NUMBER


@kernel
def stats(words, octets, tape, now, reply):
    """Counters of a queue: depth, pending, dead, published, consumed, acked, nacked, dead-lettered,
    consumers, depth_max."""
    queue = find(words, octets, tape, 0)
    if queue == 0:
        return QUEUE_MISSING
    set_scalar(words, reply, 0)
    for i in range(READY_COUNT, CONSUMERS + 1):
        add_number(words, reply, words[queue + i])
    add_number(words, reply, words[queue + DEPTH_MAX])
    return ITEMS


@kernel
def next_due(words, octets, tape, now, reply):
    """The first queue (its name as an item) with a lease that has run out; else when one will, as scalar."""
    due = np.int64(NEVER)
    set_scalar(words, reply, 0)
    at = tables.window(words, QUEUES, 0, tables.TAG_MASK)
    while at:
        queue = words[at] & REF_MASK
        first = words[queue + LEASED]
        if first:
            if words[first + DEADLINE] <= now:
                add_text(words, reply, (queue + QUEUE_WORDS) * 8, words[queue + NAME_SIZE], 0)
                return ITEM
            due = min(due, words[first + DEADLINE])
        tag = tables.tag_of(words[at])
        after = words[at + 1]
        if after != 0 and tables.tag_of(after) == tag:
            at += 1
        elif tag == tables.TAG_MASK:
            at = 0
        else:
            at = tables.window(words, QUEUES, tag + 1, tables.TAG_MASK)
    words[QUEUES_DUE] = due
    words[reply] = due
    return NUMBER


@kernel
def load_queue(words, octets, tape, now, reply):
    """A queue out of a snapshot: its name and the STATS words behind it. Refuses one that exists."""
    start = text_at(words, tape, 0)
    size = text_size(words, tape, 0)
    if locate(words, octets, start, size):
        return KEY_EXISTS
    queue = make(words, octets, start, size)
    if queue == 0:
        return BROKEN
    for i in range(STATS - 1):
        words[queue + 1 + i] = words[tape + 2 + i]
    words[queue + READY_COUNT] = 0  # its messages count themselves
    words[queue + LEASED_COUNT] = 0
    words[queue + DEAD_COUNT] = 0
    return DONE | CHANGED


@kernel
def load_message(words, octets, tape, now, reply):
    """A message out of a snapshot: queue, payload, id, state, deadline, created, headers.

    Messages come chain by chain in their order, so each goes to the end of its own.
    """
    queue = find(words, octets, tape, 0)
    if queue == 0:
        return QUEUE_MISSING
    at = text_at(words, tape, 4)
    id_a = load64(octets, at)
    id_b = load64(octets, at + 8)
    if locate_message(words, octets, queue, id_a, id_b):
        return KEY_EXISTS
    size = text_size(words, tape, 2)
    headers_size = text_size(words, tape, 9)
    message = arena.allocate(words, MESSAGE_WORDS + ((size + headers_size + 7) >> 3))
    if message == 0:
        return BROKEN
    words[message + ID_A] = id_a
    words[message + ID_B] = id_b
    words[message + STATE] = words[tape + 6]
    words[message + DEADLINE] = words[tape + 7]
    words[message + CREATED] = words[tape + 8]
    words[message + PAYLOAD] = size << MARK_BITS | (text_mark(words, tape, 2) & ~PRESENT)
    words[message + HEADERS] = headers_size
    body = (message + MESSAGE_WORDS) * 8
    move(octets, body, text_at(words, tape, 2), size)
    move(octets, body + size, text_at(words, tape, 9), headers_size)
    tag = tables.tag_of_hash(hash_name(words, octets, at, ID_BYTES))
    if not tables.insert(words, octets, queue + MESSAGES, tag, message, 0):
        return BROKEN
    append(words, queue, message)
    if words[message + STATE] & 0xFF == IS_LEASED:
        words[QUEUES_DUE] = min(words[QUEUES_DUE], words[message + DEADLINE])
    return DONE | CHANGED
