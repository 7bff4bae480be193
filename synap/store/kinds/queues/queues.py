"""Rows of queues: create, publish and consume.

Queues are in the table QUEUES by their names. The layout of queues and messages is in messages.py; the rows about
leases are in queue_leases.py, those about whole queues in queue_admin.py, those about many messages in
queue_batches.py. Ids are random (UUID version 4), so publishing is logged as `queue.put` with the id spelled out; every
other row gives the same result when it is replayed.
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import load64
from synap.ranges import ACK_DEADLINE_MS_MAX, MESSAGE_RETRIES_MAX, PRIORITY_MAX
from synap.store.kinds.queues.message_ids import (
    ID_BYTES,
    ID_TEXT_BYTES,
    RECEIPT_MAX,
    print_id,
    print_receipt,
)
from synap.store.kinds.queues.messages import (
    ACK_DEADLINE_MS,
    BACKOFF,
    BACKOFF_MAX_MS,
    BACKOFF_MS,
    CONSUMED,
    DEADLINE,
    DELAYED_COUNT,
    DELIVERIES_SHIFT,
    DEPTH_MAX,
    HEADERS,
    HOLDING,
    ID_A,
    ID_B,
    IS_LEASED,
    JITTER,
    MESSAGE_ITEMS,
    PAUSED,
    PAYLOAD,
    PREFETCH_MAX,
    PRIORITY,
    READY,
    READY_COUNT,
    RETRIES_MAX,
    add_message,
    add_parts,
    deliveries_of,
    find_holder,
    has_place_for_delay,
    headers_size,
    hold,
    lacks_place_for_delay,
    locate_message,
    make_queue,
    open_queue,
    set_state,
    set_timer,
)
from synap.store.memory import codes, decided, tables
from synap.store.memory.layout import (
    BROKEN,
    CHANCE,
    CHANGED,
    DECIDED_BIT,
    FULL,
    GUARD_LOADING,
    HOLDER,
    ITEM,
    MARK_BITS,
    NIL,
    NOTHING_READY,
    NUMBER,
    REFUSE,
    SCRATCH,
    WAIT,
)
from synap.store.memory.refusals import (
    BAD_AMOUNT,
    BAD_BACKOFF,
    BAD_PRIORITY,
    KEY_EXISTS,
    OUT_OF_MEMORY,
    POSITIVE_COUNT,
    QUEUE_FULL,
    QUEUE_MISSING,
)
from synap.store.memory.tapes import add_text, fits, set_scalar, text_at, text_size
from synap.store.records import keyspace, named_records, timers
from synap.store.slots import queues as slots


@kernel
def create(words, octets, tape, now, reply):
    """Create a queue: name, depth, ack deadline (ms), retries, priority, prefetch. Reply with NUMBER: 1 if it is new.

    A queue that exists stays as it is.
    """
    h, queue = open_queue(words, octets, tape, slots.QUEUE_CREATE_QUEUE)
    set_scalar(words, reply, 0)
    if queue:
        return NUMBER
    depth = words[tape + slots.QUEUE_CREATE_MAX_DEPTH]
    ack_deadline = words[tape + slots.QUEUE_CREATE_ACK_DEADLINE_MS]
    retries = words[tape + slots.QUEUE_CREATE_DEFAULT_MAX_RETRIES]
    priority = words[tape + slots.QUEUE_CREATE_DEFAULT_PRIORITY]
    prefetch = words[tape + slots.QUEUE_CREATE_PREFETCH_LIMIT]
    if priority < 0 or priority > PRIORITY_MAX:
        return BAD_PRIORITY
    loading = words[REFUSE] & GUARD_LOADING != 0  # logs of 0.1.0 have deadlines of 0 and limits above the greatest
    if depth < 1 or ack_deadline < (0 if loading else 1) or ack_deadline > ACK_DEADLINE_MS_MAX:
        return BAD_AMOUNT
    if retries < 0 or prefetch < 0:
        return POSITIVE_COUNT
    if retries > MESSAGE_RETRIES_MAX and not loading:
        return BAD_AMOUNT
    if not wants_backoff(words, tape):
        return BAD_BACKOFF
    queue = make_queue(words, octets, h, tape, slots.QUEUE_CREATE_QUEUE)
    if queue == 0:
        return BROKEN
    words[queue + DEPTH_MAX] = depth
    words[queue + ACK_DEADLINE_MS] = ack_deadline
    words[queue + RETRIES_MAX] = retries
    words[queue + PRIORITY] = priority
    words[queue + PREFETCH_MAX] = prefetch
    words[queue + BACKOFF] = words[tape + slots.QUEUE_CREATE_BACKOFF]
    words[queue + BACKOFF_MS] = words[tape + slots.QUEUE_CREATE_BACKOFF_MS]
    words[queue + BACKOFF_MAX_MS] = words[tape + slots.QUEUE_CREATE_BACKOFF_MAX_MS]
    words[queue + JITTER] = words[tape + slots.QUEUE_CREATE_JITTER]
    words[reply] = 1
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def wants_backoff(words, tape):
    """Return True if the back-off of a tape, if it has one, is in range."""
    ms, most = words[tape + slots.QUEUE_CREATE_BACKOFF_MS], words[tape + slots.QUEUE_CREATE_BACKOFF_MAX_MS]
    jitter = words[tape + slots.QUEUE_CREATE_JITTER]
    return 0 <= ms <= ACK_DEADLINE_MS_MAX and 0 <= most <= ACK_DEADLINE_MS_MAX and 0 <= jitter <= 100


@kernel
def given_or(words, tape, given, value, default):
    """Return the number in slot `value` of a tape if slot `given` is 1, else the default."""
    return words[tape + value] if words[tape + given] else default


@kernel
def added(words, octets, tape, queue, id_a, id_b, due, now, h, reply):
    """Add the message of a publish and reply with its id; return the message, or 0 without memory."""
    priority = given_or(
        words, tape, slots.QUEUE_PUBLISH_HAS_PRIORITY, slots.QUEUE_PUBLISH_PRIORITY, words[queue + PRIORITY]
    )
    limit = given_or(
        words, tape, slots.QUEUE_PUBLISH_HAS_RETRIES, slots.QUEUE_PUBLISH_MAX_RETRIES, words[queue + RETRIES_MAX]
    )
    payload, headers = slots.QUEUE_PUBLISH_PAYLOAD, slots.QUEUE_PUBLISH_HEADERS
    message = add_message(words, octets, tape, payload, headers, queue, id_a, id_b, priority, limit, due, now)
    if message == 0:
        return 0
    if due > now:
        if not set_timer(words, octets, queue):
            return 0
    else:
        keyspace.touched(words, octets, h)
    print_id(octets, SCRATCH * 8, id_a, id_b)
    set_scalar(words, reply, 0)
    add_text(words, reply, SCRATCH * 8, ID_TEXT_BYTES, 0)
    return message


@kernel
def decide_put(words, octets, tape, message, due):
    """Let the log have a `queue.put` with the id of this message instead of its publish."""
    decided.begin(words, codes.QUEUE_PUT, words[tape - 2], slots.QUEUE_PUT_SLOTS)
    decided.put_text(words, octets, slots.QUEUE_PUT_ID, (message + ID_A) * 8, ID_BYTES, 0)
    decided.put_argument(words, octets, slots.QUEUE_PUT_QUEUE, tape, slots.QUEUE_PUBLISH_QUEUE)
    decided.put_argument(words, octets, slots.QUEUE_PUT_PAYLOAD, tape, slots.QUEUE_PUBLISH_PAYLOAD)
    decided.put_number(words, slots.QUEUE_PUT_HAS_PRIORITY, words[tape + slots.QUEUE_PUBLISH_HAS_PRIORITY])
    decided.put_number(words, slots.QUEUE_PUT_PRIORITY, words[tape + slots.QUEUE_PUBLISH_PRIORITY])
    decided.put_number(words, slots.QUEUE_PUT_HAS_RETRIES, words[tape + slots.QUEUE_PUBLISH_HAS_RETRIES])
    decided.put_number(words, slots.QUEUE_PUT_MAX_RETRIES, words[tape + slots.QUEUE_PUBLISH_MAX_RETRIES])
    decided.put_number(words, slots.QUEUE_PUT_HAS_HEADERS, words[tape + slots.QUEUE_PUBLISH_HAS_HEADERS])
    decided.put_argument(words, octets, slots.QUEUE_PUT_HEADERS, tape, slots.QUEUE_PUBLISH_HEADERS)
    decided.put_number(words, slots.QUEUE_PUT_DUE, due)


@kernel
def refused_limits(given_priority, priority, given_retries, retries):
    """Return the refusal of the priority and the retry limit that a publish gives, or 0."""
    if given_priority and (priority < 0 or priority > PRIORITY_MAX):
        return BAD_PRIORITY
    if given_retries and retries < 0:
        return POSITIVE_COUNT
    if given_retries and retries > MESSAGE_RETRIES_MAX:
        return BAD_AMOUNT
    return 0


@kernel
def new_id(words):
    """Return a new random id: its two words."""
    id_a = tables.next_chance(words[CHANCE])
    id_b = tables.next_chance(id_a)
    words[CHANCE] = id_b ^ tables.next_chance(id_b)
    id_a = (id_a & ~(np.int64(0xF0) << 48)) | np.int64(0x40) << 48  # version 4
    id_b = (id_b & ~np.int64(0xC0)) | 0x80  # variant 1
    return id_a, id_b


@kernel
def free_places(words, queue):
    """Return how many messages a queue may still get; below 0, if its limit is older than its messages."""
    return words[queue + DEPTH_MAX] - words[queue + READY_COUNT] - words[queue + DELAYED_COUNT]


@kernel
def publish(words, octets, tape, now, reply):
    """Add a message under a new random id; reply with ITEM: the id as text."""
    h, queue = open_queue(words, octets, tape, slots.QUEUE_PUBLISH_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    refusal = refused_limits(
        words[tape + slots.QUEUE_PUBLISH_HAS_PRIORITY], words[tape + slots.QUEUE_PUBLISH_PRIORITY],
        words[tape + slots.QUEUE_PUBLISH_HAS_RETRIES], words[tape + slots.QUEUE_PUBLISH_MAX_RETRIES],
    )  # fmt: skip
    if refusal:
        return refusal
    if free_places(words, queue) <= 0:
        return QUEUE_FULL
    due = now + words[tape + slots.QUEUE_PUBLISH_DELAY] if words[tape + slots.QUEUE_PUBLISH_HAS_DELAY] else 0
    if due and lacks_place_for_delay(words, queue):
        return OUT_OF_MEMORY
    id_a, id_b = new_id(words)
    message = added(words, octets, tape, queue, id_a, id_b, due, now, h, reply)
    if message == 0:
        return BROKEN
    decide_put(words, octets, tape, message, due)
    return ITEM | CHANGED | DECIDED_BIT


@kernel
def put(words, octets, tape, now, reply):
    """Add a message with a given id: the row as which a publish is logged."""
    h, queue = open_queue(words, octets, tape, slots.QUEUE_PUT_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    at = text_at(words, tape, slots.QUEUE_PUT_ID)
    id_a = load64(octets, at)
    id_b = load64(octets, at + 8)
    if locate_message(words, octets, queue, id_a, id_b):
        return KEY_EXISTS
    if not added(words, octets, tape, queue, id_a, id_b, words[tape + slots.QUEUE_PUT_DUE], now, h, reply):
        return BROKEN
    return ITEM | CHANGED


@kernel
def may_hold(words, octets, tape, queue):
    """Return True if the consumer of a tape may hold one more message."""
    if words[queue + PREFETCH_MAX] == 0:
        return True
    tag = tables.tag_of_hash(named_records.hash_text(words, octets, HOLDER, tape, slots.QUEUE_CONSUME_CONSUMER_ID))
    start = text_at(words, tape, slots.QUEUE_CONSUME_CONSUMER_ID)
    size = text_size(words, tape, slots.QUEUE_CONSUME_CONSUMER_ID)
    holder = find_holder(words, octets, queue, tag, start, size)
    return holder == 0 or words[holder + HOLDING] < words[queue + PREFETCH_MAX]


@kernel
def consume(words, octets, tape, now, reply):
    """Lease the first message of the highest priority; return NIL (or WAIT) if none is ready or the queue is missing.

    ITEM: a map of id, payload, priority, failures, retries_max, headers, created (ms), deadline (ms), receipt.
    """
    _, queue = open_queue(words, octets, tape, slots.QUEUE_CONSUME_QUEUE)
    waits = words[tape + slots.QUEUE_CONSUME_HAS_WAIT]
    if queue == 0 or words[queue + READY_COUNT] == 0 or words[queue + PAUSED]:
        return WAIT | NOTHING_READY if waits else NIL
    if not may_hold(words, octets, tape, queue):
        return WAIT if waits else NIL
    message = first_ready(words, queue)
    size = (words[message + PAYLOAD] >> MARK_BITS) + headers_size(words, message) + ID_TEXT_BYTES + RECEIPT_MAX
    if not fits(words, MESSAGE_ITEMS, size):
        return FULL
    start = text_at(words, tape, slots.QUEUE_CONSUME_CONSUMER_ID)
    name_size = text_size(words, tape, slots.QUEUE_CONSUME_CONSUMER_ID)
    if not timers.reserve(words, octets, queue) or not lease(words, octets, queue, message, start, name_size, now):
        return OUT_OF_MEMORY
    if not set_timer(words, octets, queue):
        return BROKEN
    set_scalar(words, reply, 0)
    put_delivery(words, octets, reply, message, SCRATCH * 8)
    return ITEM | CHANGED


@kernel
def first_ready(words, queue):
    """Return the first message of the highest priority of a queue in which one is ready."""
    priority = PRIORITY_MAX
    while words[queue + READY + 2 * priority] == 0:
        priority -= 1
    return words[queue + READY + 2 * priority]


@kernel
def lease(words, octets, queue, message, start, size, now):
    """Lease a ready message to the consumer with this name; return False without memory."""
    if not has_place_for_delay(words, octets, queue) or not hold(words, octets, queue, message, start, size):
        return False
    words[message + HEADERS] += 1 << DELIVERIES_SHIFT
    words[message + DEADLINE] = now + words[queue + ACK_DEADLINE_MS]
    set_state(words, queue, message, IS_LEASED)
    words[queue + CONSUMED] += 1
    return True


@kernel
def put_delivery(words, octets, reply, message, at):
    """Add a leased message to the reply; its receipt is written at octet `at`. Return the octet behind it."""
    id_a, id_b = words[message + ID_A], words[message + ID_B]
    receipt = print_receipt(octets, at, id_a, id_b, deliveries_of(words, message))
    add_parts(words, reply, message, at, receipt)
    return at + receipt
