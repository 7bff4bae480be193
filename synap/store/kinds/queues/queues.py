"""Rows of queues: create, publish, consume, acknowledge (ack), reject (nack) and release.

Queues are in the table QUEUES by their names. The layout of queues and messages is in messages.py, the rows about
whole queues in queue_admin.py. Ids are random (UUID version 4), so publishing is logged as `queue.put` with the id
spelled out; every other row gives the same result when it is replayed.

A failed delivery (a nack, a lease that ends, a consumer that disconnects) counts: with more than `retries_max`
failures the message becomes a dead letter, else it goes to the end of its priority. A nack that does not ask for
another delivery makes it a dead letter at once.
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import load64, move, same, store64
from synap.store.kinds.queues.messages import (
    ACK_DEADLINE_MS,
    ACK_DEADLINE_MS_MAX,
    ACKED,
    CONSUMED,
    DEADLINE,
    DELAYED_COUNT,
    DEPTH_MAX,
    HEADERS,
    HELD_BY,
    HOLDER_NAME_SIZE,
    HOLDER_WORDS,
    HOLDERS,
    HOLDING,
    ID_A,
    ID_B,
    ID_BYTES,
    ID_TEXT_BYTES,
    IS_LEASED,
    LIMIT_MASK,
    MESSAGE_ITEMS,
    MESSAGES,
    PAYLOAD,
    PREFETCH_MAX,
    PRIORITY,
    PRIORITY_MAX,
    PUBLISH_DELAY,
    PUBLISH_HEADERS,
    PUBLISH_PRIORITY,
    PUBLISH_RETRIES,
    PUT_DUE,
    PUT_ID,
    PUT_SIZE,
    QUEUE_WORDS,
    READY,
    READY_COUNT,
    RETRIES_MAX,
    STATE,
    add_message,
    add_parts,
    fail,
    find_holder,
    forget,
    hold,
    let_go,
    locate_message,
    parse_id,
    print_id,
    set_state,
    set_timer,
)
from synap.store.memory import codes, tables
from synap.store.memory.kinds import QUEUE
from synap.store.memory.layout import (
    BARREN,
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
    GUARD_LOADING,
    HOLDER,
    ITEM,
    MARK_BITS,
    NIL,
    NUMBER,
    PRESENT,
    QUEUES,
    REFUSE,
    SCRATCH,
    WAIT,
)
from synap.store.memory.refusals import (
    BAD_AMOUNT,
    BAD_PRIORITY,
    KEY_EXISTS,
    MESSAGE_MISSING,
    POSITIVE_COUNT,
    QUEUE_FULL,
    QUEUE_MISSING,
)
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import add_text, fits, set_scalar, text_at, text_size
from synap.store.records import keyspace, named_records

CONSUMER, WAITS = 2, 5  # slots of queue.consume: whether a consumer is named, whether the call waits
ACK_CONSUMER, NACK_CONSUMER = 4, 5  # whether a consumer is named


@kernel
def create(words, octets, tape, now, reply):
    """Create a queue: name, depth, ack deadline (ms), retries, priority, prefetch. Reply with NUMBER: 1 if it is new.

    A queue that exists stays as it is.
    """
    h = named_records.hash_text(words, octets, QUEUE, tape, 0)
    start = text_at(words, tape, 0)
    size = text_size(words, tape, 0)
    set_scalar(words, reply, 0)
    if named_records.locate(words, octets, QUEUES, QUEUE_WORDS, h, start, size):
        return NUMBER
    priority = words[tape + 5]
    if priority < 0 or priority > PRIORITY_MAX:
        return BAD_PRIORITY
    loading = words[REFUSE] & GUARD_LOADING != 0  # logs of 0.1.0 have deadlines of 0 and limits above the greatest
    if words[tape + 2] < 1 or words[tape + 3] < (0 if loading else 1) or words[tape + 3] > ACK_DEADLINE_MS_MAX:
        return BAD_AMOUNT
    if words[tape + 4] < 0 or words[tape + 7] < 0:
        return POSITIVE_COUNT
    if words[tape + 4] > LIMIT_MASK and not loading:
        return BAD_AMOUNT
    queue = named_records.make(words, octets, QUEUES, QUEUE_WORDS, QUEUE, h, start, size)
    if queue == 0:
        return BROKEN
    tables.open_table(words, octets, queue + MESSAGES, tables.SIZE_MIN)
    tables.open_table(words, octets, queue + HOLDERS, tables.SIZE_MIN)
    words[queue + DEPTH_MAX] = words[tape + 2]
    words[queue + ACK_DEADLINE_MS] = words[tape + 3]
    words[queue + RETRIES_MAX] = words[tape + 4]
    words[queue + PRIORITY] = priority
    words[queue + PREFETCH_MAX] = words[tape + 7]
    words[reply] = 1
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def added(words, octets, tape, queue, id_a, id_b, due, now, h, reply):
    """Add the message of a publish and reply with its id; return False without memory."""
    if add_message(words, octets, tape, queue, id_a, id_b, due, now) == 0:
        return False
    if due > now:
        if not set_timer(words, octets, queue):
            return False
    else:
        keyspace.touched(words, octets, h)
    print_id(octets, SCRATCH * 8, id_a, id_b)
    set_scalar(words, reply, 0)
    add_text(words, reply, SCRATCH * 8, ID_TEXT_BYTES, 0)
    return True


@kernel
def publish(words, octets, tape, now, reply):
    """Add a message under a new random id; reply with ITEM: the id as text."""
    h = named_records.hash_text(words, octets, QUEUE, tape, 0)
    queue = named_records.find(words, octets, QUEUES, QUEUE_WORDS, h, tape, 0)
    if queue == 0:
        return QUEUE_MISSING
    priority = words[tape + PUBLISH_PRIORITY + 1]
    if words[tape + PUBLISH_PRIORITY] and (priority < 0 or priority > PRIORITY_MAX):
        return BAD_PRIORITY
    if words[tape + PUBLISH_RETRIES] and words[tape + PUBLISH_RETRIES + 1] < 0:
        return POSITIVE_COUNT
    if words[tape + PUBLISH_RETRIES] and words[tape + PUBLISH_RETRIES + 1] > LIMIT_MASK:
        return BAD_AMOUNT
    if words[queue + READY_COUNT] + words[queue + DELAYED_COUNT] >= words[queue + DEPTH_MAX]:
        return QUEUE_FULL
    id_a = tables.next_chance(words[CHANCE])
    id_b = tables.next_chance(id_a)
    words[CHANCE] = id_b ^ tables.next_chance(id_b)
    id_a = (id_a & ~(np.int64(0xF0) << 48)) | np.int64(0x40) << 48  # version 4
    id_b = (id_b & ~np.int64(0xC0)) | 0x80  # variant 1
    due = now + words[tape + PUBLISH_DELAY + 1] if words[tape + PUBLISH_DELAY] else 0
    if not added(words, octets, tape, queue, id_a, id_b, due, now, h, reply):
        return BROKEN
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
    words[DECIDED + PUT_DUE] = due
    store64(octets, blob, id_a)
    store64(octets, blob + 8, id_b)
    move(octets, blob + ID_BYTES, text_at(words, tape, 0), name_size)
    move(octets, blob + ID_BYTES + name_size, text_at(words, tape, 2), size)
    move(octets, blob + ID_BYTES + name_size + size, text_at(words, tape, PUBLISH_HEADERS), headers_size)
    words[DECIDED_CODE] = codes.QUEUE_PUT
    words[DECIDED_TAPE_SIZE] = PUT_SIZE
    words[DECIDED_BLOB_SIZE] = ID_BYTES + name_size + size + headers_size
    return ITEM | CHANGED | DECIDED_BIT


@kernel
def put(words, octets, tape, now, reply):
    """Add a message with the id in slot PUT_ID: the row as which a publish is logged."""
    h = named_records.hash_text(words, octets, QUEUE, tape, 0)
    queue = named_records.find(words, octets, QUEUES, QUEUE_WORDS, h, tape, 0)
    if queue == 0:
        return QUEUE_MISSING
    at = text_at(words, tape, PUT_ID)
    id_a = load64(octets, at)
    id_b = load64(octets, at + 8)
    if locate_message(words, octets, queue, id_a, id_b):
        return KEY_EXISTS
    if not added(words, octets, tape, queue, id_a, id_b, words[tape + PUT_DUE], now, h, reply):
        return BROKEN
    return ITEM | CHANGED


@kernel
def may_hold(words, octets, tape, queue):
    """Return True if the consumer of a tape may hold one more message."""
    if words[queue + PREFETCH_MAX] == 0:
        return True
    tag = tables.tag_of_hash(named_records.hash_text(words, octets, HOLDER, tape, CONSUMER + 1))
    start = text_at(words, tape, CONSUMER + 1)
    holder = find_holder(words, octets, queue, tag, start, text_size(words, tape, CONSUMER + 1))
    return holder == 0 or words[holder + HOLDING] < words[queue + PREFETCH_MAX]


@kernel
def consume(words, octets, tape, now, reply):
    """Lease the first message of the highest priority; return NIL (or WAIT) if none is ready or the queue is missing.

    ITEM: a map of id, payload, priority, failures, retries_max, headers, created (ms), deadline (ms).
    """
    h = named_records.hash_text(words, octets, QUEUE, tape, 0)
    queue = named_records.find(words, octets, QUEUES, QUEUE_WORDS, h, tape, 0)
    if queue == 0 or words[queue + READY_COUNT] == 0:
        return WAIT | BARREN if words[tape + WAITS] else NIL
    if not may_hold(words, octets, tape, queue):
        return WAIT if words[tape + WAITS] else NIL
    priority = PRIORITY_MAX
    while words[queue + READY + 2 * priority] == 0:
        priority -= 1
    message = words[queue + READY + 2 * priority]
    size = (words[message + PAYLOAD] >> MARK_BITS) + words[message + HEADERS] + ID_TEXT_BYTES
    if not fits(words, reply, MESSAGE_ITEMS, size):
        return FULL
    words[message + DEADLINE] = now + words[queue + ACK_DEADLINE_MS]
    set_state(words, queue, message, IS_LEASED)
    start = text_at(words, tape, CONSUMER + 1)
    if not hold(words, octets, queue, message, start, text_size(words, tape, CONSUMER + 1)):
        return BROKEN
    words[queue + CONSUMED] += 1
    if not set_timer(words, octets, queue):
        return BROKEN
    set_scalar(words, reply, 0)
    print_id(octets, SCRATCH * 8, words[message + ID_A], words[message + ID_B])
    add_parts(words, reply, message, SCRATCH * 8)
    return ITEM | CHANGED


@kernel
def find_leased(words, octets, tape, queue):
    """Return the leased message whose id is in slot 2, or 0."""
    id_a, id_b, valid = parse_id(octets, text_at(words, tape, 2), text_size(words, tape, 2))
    if not valid:
        return 0
    seat = locate_message(words, octets, queue, id_a, id_b)
    if seat == 0:
        return 0
    message = words[seat] & REF_MASK
    return message if words[message + STATE] & 0xFF == IS_LEASED else 0


@kernel
def find_lease(words, octets, tape, queue, consumer):
    """Return the leased message whose id is in slot 2, or 0.

    If slot `consumer` is 1, the consumer named in the next slot must hold it.
    """
    message = find_leased(words, octets, tape, queue)
    if message == 0 or not words[tape + consumer]:
        return message
    holder = words[message + HELD_BY]
    size = text_size(words, tape, consumer + 1)
    if words[holder + HOLDER_NAME_SIZE] != size:
        return 0
    return message if same(octets, (holder + HOLDER_WORDS) * 8, text_at(words, tape, consumer + 1), size) else 0


@kernel
def ack(words, octets, tape, now, reply):
    """Acknowledge a leased message: remove it from the queue."""
    h = named_records.hash_text(words, octets, QUEUE, tape, 0)
    queue = named_records.find(words, octets, QUEUES, QUEUE_WORDS, h, tape, 0)
    if queue == 0:
        return QUEUE_MISSING
    message = find_lease(words, octets, tape, queue, ACK_CONSUMER)
    if message == 0:
        return MESSAGE_MISSING
    let_go(words, octets, queue, message)
    forget(words, octets, queue, message, False)
    words[queue + ACKED] += 1
    if not set_timer(words, octets, queue):
        return BROKEN
    if words[queue + PREFETCH_MAX]:
        keyspace.touched(words, octets, h)
    return DONE | CHANGED


@kernel
def failed(words, octets, queue, message, again, h):
    """Count a failed delivery, notify waiters and set the timer; return False without memory."""
    fail(words, octets, queue, message, again)
    keyspace.touched(words, octets, h)
    return set_timer(words, octets, queue)


@kernel
def nack(words, octets, tape, now, reply):
    """Reject a leased message: count a failed delivery. Slot 4 is 1 if the message is not to be delivered again."""
    h = named_records.hash_text(words, octets, QUEUE, tape, 0)
    queue = named_records.find(words, octets, QUEUES, QUEUE_WORDS, h, tape, 0)
    if queue == 0:
        return QUEUE_MISSING
    message = find_lease(words, octets, tape, queue, NACK_CONSUMER)
    if message == 0:
        return MESSAGE_MISSING
    if not failed(words, octets, queue, message, words[tape + 4] == 0, h):
        return BROKEN
    return DONE | CHANGED


@kernel
def release(words, octets, tape, now, reply):
    """Fail the lease of a consumer that has disconnected, if it ends at the time in slot 4.

    Reply with NUMBER 1 if it does, else 0.
    """
    h = named_records.hash_text(words, octets, QUEUE, tape, 0)
    queue = named_records.find(words, octets, QUEUES, QUEUE_WORDS, h, tape, 0)
    set_scalar(words, reply, 0)
    if queue == 0:
        return NUMBER
    message = find_leased(words, octets, tape, queue)
    if message == 0 or words[message + DEADLINE] != words[tape + 4]:
        return NUMBER
    if not failed(words, octets, queue, message, True, h):
        return BROKEN
    words[reply] = 1
    return NUMBER | CHANGED
