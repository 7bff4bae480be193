"""Rows of queues: create, publish and consume.

Queues are in the table QUEUES by their names. The words of queues and messages are in queue_layout.py; the rows about
leases are in queue_leases.py, those about whole queues in queue_admin.py, those about many messages in
queue_batches.py, those that move messages to other queues in queue_moves.py. Ids are random (UUID version 4), so
publishing is logged as `queue.put_many` with the ids spelled out (publishing.py); every other row gives the same result
when it is replayed.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import load64
from synap.ranges import ACK_DEADLINE_MS_MAX, DEDUP_KEYS_MAX, MESSAGE_RETRIES_MAX, PRIORITY_MAX
from synap.store.kinds.queues import extras, publish_keys, rates
from synap.store.kinds.queues.chains import append, detach
from synap.store.kinds.queues.holders import held_by, hold, is_free_for, make_active
from synap.store.kinds.queues.message_ids import ID_TEXT_BYTES, RECEIPT_MAX, print_id, print_receipt
from synap.store.kinds.queues.messages import (
    add_message,
    add_parts,
    deliveries_of,
    locate_message,
    make_places_for_leases,
    make_queue,
    open_queue,
    set_timer,
    texts_size,
)
from synap.store.kinds.queues.publishing import (
    begin_put,
    decide_one,
    expiry_of,
    given_or,
    lacks_room,
    may_get,
    new_id,
    put_one,
    refused_limits,
)
from synap.store.kinds.queues.queue_layout import (
    ACK_DEADLINE_MS,
    AGEING_MS,
    BACKOFF,
    BACKOFF_MAX_MS,
    BACKOFF_MS,
    CONSUMED,
    CREATED,
    DEADLINE,
    DEDUP_ID_A,
    DEDUP_ID_B,
    DEDUP_MAX,
    DEDUP_MS,
    DELIVERIES_SHIFT,
    DEPTH_MAX,
    EXPIRED_TO,
    EXPIRING_COUNT,
    HEADERS,
    ID_A,
    ID_B,
    IS_LEASED,
    JITTER,
    MESSAGE_ITEMS,
    NEXT,
    OVERFLOW,
    PAUSED,
    PREFETCH_MAX,
    PRIORITY,
    READY,
    READY_COUNT,
    RETRIES_MAX,
    SINGLE,
    TTL_MS,
)
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DECIDED_BIT,
    FULL,
    GUARD_LOADING,
    ITEM,
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
    BAD_QUEUE_TIMES,
    KEY_EXISTS,
    OUT_OF_MEMORY,
    POSITIVE_COUNT,
    QUEUE_FULL,
    QUEUE_MISSING,
)
from synap.store.memory.tapes import add_text, fits, set_scalar, text_at, text_size
from synap.store.records import keyspace, timers
from synap.store.slots import queues as slots

NAMES = (MESSAGE_ITEMS - 1) // 2
SKIPPED_MAX = 1000  # expired messages that a consume passes over; upkeep removes as many at once


@kernel
def create(words, octets, tape, now, reply):
    """Create a queue with the settings of a tape, times in ms. Reply with NUMBER: 1 if it is new.

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
    if not wants_times(words, tape):
        return BAD_QUEUE_TIMES
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
    words[queue + TTL_MS] = words[tape + slots.QUEUE_CREATE_TTL_MS]
    words[queue + EXPIRED_TO] = words[tape + slots.QUEUE_CREATE_EXPIRED]
    words[queue + OVERFLOW] = words[tape + slots.QUEUE_CREATE_OVERFLOW]
    words[queue + AGEING_MS] = words[tape + slots.QUEUE_CREATE_AGEING_MS]
    words[queue + DEDUP_MS] = words[tape + slots.QUEUE_CREATE_DEDUP_MS]
    words[queue + DEDUP_MAX] = words[tape + slots.QUEUE_CREATE_DEDUP_KEYS]
    words[queue + SINGLE] = words[tape + slots.QUEUE_CREATE_SINGLE]
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
def wants_times(words, tape):
    """Return True if the times of a tape, and its number of dedup keys, are in range."""
    ttl, ageing = words[tape + slots.QUEUE_CREATE_TTL_MS], words[tape + slots.QUEUE_CREATE_AGEING_MS]
    dedup, keys = words[tape + slots.QUEUE_CREATE_DEDUP_MS], words[tape + slots.QUEUE_CREATE_DEDUP_KEYS]
    least_ms, least_keys = words[tape + slots.QUEUE_CREATE_HAS_DEDUPMS], words[tape + slots.QUEUE_CREATE_HAS_DEDUPKEYS]
    if not (0 <= ttl <= ACK_DEADLINE_MS_MAX and 0 <= ageing <= ACK_DEADLINE_MS_MAX):
        return False
    return least_ms <= dedup <= ACK_DEADLINE_MS_MAX and least_keys <= keys <= DEDUP_KEYS_MAX


@kernel
def reply_id(words, octets, id_a, id_b, reply):
    """Reply with ITEM: an id as text."""
    print_id(octets, SCRATCH * 8, id_a, id_b)
    set_scalar(words, reply, 0)
    add_text(words, reply, SCRATCH * 8, ID_TEXT_BYTES, 0)


@kernel
def publish(words, octets, tape, now, reply):
    """Add a message under a new random id; reply with ITEM: the id as text, or that of an earlier message if the queue
    knows the dedup key."""
    h, queue = open_queue(words, octets, tape, slots.QUEUE_PUBLISH_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    refusal = refused_limits(
        words[tape + slots.QUEUE_PUBLISH_HAS_PRIORITY], words[tape + slots.QUEUE_PUBLISH_PRIORITY],
        words[tape + slots.QUEUE_PUBLISH_HAS_RETRIES], words[tape + slots.QUEUE_PUBLISH_MAX_RETRIES],
    )  # fmt: skip
    if refusal:
        return refusal
    dedup = slots.QUEUE_PUBLISH_DEDUP
    key = publish_keys.known_in(words, octets, tape, dedup, queue, now)
    if key:
        reply_id(words, octets, words[key + DEDUP_ID_A], words[key + DEDUP_ID_B], reply)
        return ITEM
    if not may_get(words, queue):
        return QUEUE_FULL
    due = now + words[tape + slots.QUEUE_PUBLISH_DELAY] if words[tape + slots.QUEUE_PUBLISH_HAS_DELAY] else 0
    ttl = words[tape + slots.QUEUE_PUBLISH_TTL]
    expires = expiry_of(words, queue, words[tape + slots.QUEUE_PUBLISH_HAS_TTL], ttl, now)
    if lacks_room(words, queue, due, expires) or not timers.reserve(words, octets, queue):
        return OUT_OF_MEMORY
    priority = given_or(
        words, tape, slots.QUEUE_PUBLISH_HAS_PRIORITY, slots.QUEUE_PUBLISH_PRIORITY, words[queue + PRIORITY]
    )
    limit = given_or(
        words, tape, slots.QUEUE_PUBLISH_HAS_RETRIES, slots.QUEUE_PUBLISH_MAX_RETRIES, words[queue + RETRIES_MAX]
    )
    id_a, id_b = new_id(words)
    payload, headers, group = slots.QUEUE_PUBLISH_PAYLOAD, slots.QUEUE_PUBLISH_HEADERS, slots.QUEUE_PUBLISH_GROUP
    message = put_one(
        words, octets, tape, payload, headers, group, dedup, queue, id_a, id_b, priority, limit, due, expires, now
    )
    if message == 0 or not set_timer(words, octets, queue):
        return BROKEN
    keyspace.touched(words, octets, h)
    reply_id(words, octets, id_a, id_b, reply)
    begin_put(words, octets, tape, slots.QUEUE_PUBLISH_QUEUE, headers, group, priority, limit, due, expires)
    decide_one(words, octets, tape, message, payload, dedup)
    return ITEM | CHANGED | DECIDED_BIT


@kernel
def put(words, octets, tape, now, reply):
    """Add a message with a given id: the row as which 0.1.0 logged a publish."""
    h, queue = open_queue(words, octets, tape, slots.QUEUE_PUT_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    at = text_at(words, tape, slots.QUEUE_PUT_ID)
    id_a = load64(octets, at)
    id_b = load64(octets, at + 8)
    if locate_message(words, octets, queue, id_a, id_b):
        return KEY_EXISTS
    priority = given_or(words, tape, slots.QUEUE_PUT_HAS_PRIORITY, slots.QUEUE_PUT_PRIORITY, words[queue + PRIORITY])
    limit = given_or(words, tape, slots.QUEUE_PUT_HAS_RETRIES, slots.QUEUE_PUT_MAX_RETRIES, words[queue + RETRIES_MAX])
    due = words[tape + slots.QUEUE_PUT_DUE]
    payload, headers = slots.QUEUE_PUT_PAYLOAD, slots.QUEUE_PUT_HEADERS
    message = add_message(words, octets, tape, payload, headers, -1, queue, id_a, id_b, priority, limit, due, 0, now)
    if message == 0 or not set_timer(words, octets, queue):
        return BROKEN
    keyspace.touched(words, octets, h)
    reply_id(words, octets, id_a, id_b, reply)
    return ITEM | CHANGED


@kernel
def may_take(words, octets, queue, start, size, now):
    """Return how many more messages the consumer with this name may lease now: 0 if its prefetch limit is reached, or
    another consumer is the active one."""
    if not is_free_for(words, octets, queue, start, size, now):
        return 0
    if words[queue + PREFETCH_MAX] == 0:
        return words[queue + READY_COUNT]
    return words[queue + PREFETCH_MAX] - held_by(words, octets, queue, start, size)


@kernel
def consume(words, octets, tape, now, reply):
    """Lease the first message of the highest priority; return NIL (or WAIT) if none is ready or the queue is missing.

    ITEM: a map of id, payload, priority, failures, retries_max, headers, created (ms), deadline (ms), receipt, group,
    expires (ms).
    """
    _, queue = open_queue(words, octets, tape, slots.QUEUE_CONSUME_QUEUE)
    waits = words[tape + slots.QUEUE_CONSUME_HAS_WAIT]
    message = first_ready(words, queue, now) if queue and words[queue + PAUSED] == 0 else 0
    if message == 0:
        return WAIT | NOTHING_READY if waits else NIL
    start = text_at(words, tape, slots.QUEUE_CONSUME_CONSUMER_ID)
    name_size = text_size(words, tape, slots.QUEUE_CONSUME_CONSUMER_ID)
    if may_take(words, octets, queue, start, name_size, now) <= 0:
        return WAIT if waits else NIL
    if not fits(words, MESSAGE_ITEMS, texts_size(words, message) + ID_TEXT_BYTES + RECEIPT_MAX):
        return FULL
    if not timers.reserve(words, octets, queue) or not lease(words, octets, queue, message, start, name_size, now):
        return OUT_OF_MEMORY
    if not set_timer(words, octets, queue):
        return BROKEN
    set_scalar(words, reply, 0)
    put_delivery(words, octets, reply, message, SCRATCH * 8)
    return ITEM | CHANGED


@kernel
def first_ready(words, queue, now):
    """Return the message that is delivered next, or 0."""
    if words[queue + READY_COUNT] == 0:
        return 0
    begin_walk(words, queue, SCRATCH)
    return next_ready(words, queue, SCRATCH, now)


@kernel
def begin_walk(words, queue, cursors):
    """Begin a walk over the ready messages, with a cursor for each priority in ten words."""
    for priority in range(PRIORITY_MAX + 1):
        words[cursors + priority] = words[queue + READY + 2 * priority]


@kernel
def next_ready(words, queue, cursors, now):
    """Return the message that is delivered next after those of a walk, or 0: the first of the highest priority.

    In a queue with ageing a message has one priority more for each AGEING_MS since it was published. Expired messages,
    which upkeep is about to remove, are passed over; behind SKIPPED_MAX of them none is found.
    """
    found, best = -1, -1
    for priority in range(PRIORITY_MAX, -1, -1):
        if words[queue + EXPIRING_COUNT]:
            words[cursors + priority] = first_alive(words, words[cursors + priority], now)
        message = words[cursors + priority]
        if message == 0:
            continue
        if words[queue + AGEING_MS] == 0:
            found = priority
            break
        aged = priority + max(now - words[message + CREATED], 0) // words[queue + AGEING_MS]
        if aged > best:
            found, best = priority, aged
    if found < 0:
        return 0
    message = words[cursors + found]
    words[cursors + found] = words[message + NEXT]
    return message


@kernel
def first_alive(words, message, now):
    """Return the first message of a chain from this one on that has not expired, or 0."""
    for _ in range(SKIPPED_MAX):
        if message == 0 or not extras.is_expired(words, message, now):
            return message
        message = words[message + NEXT]
    return 0


@kernel
def lease(words, octets, queue, message, start, size, now):
    """Lease a ready message to the consumer with this name; return False without memory."""
    if not make_places_for_leases(words, octets, queue, 1):
        return False
    if not make_active(words, octets, queue, start, size, now) or not hold(words, octets, queue, message, start, size):
        return False
    rates.roll(words, queue, now)
    words[message + HEADERS] += 1 << DELIVERIES_SHIFT
    words[message + DEADLINE] = now + words[queue + ACK_DEADLINE_MS]
    detach(words, queue, message)
    append(words, queue, message, IS_LEASED)
    words[queue + CONSUMED] += 1
    return True


@kernel
def put_delivery(words, octets, reply, message, at):
    """Add a leased message to the reply; its receipt is written at octet `at`. Return the octet behind it."""
    id_a, id_b = words[message + ID_A], words[message + ID_B]
    receipt = print_receipt(octets, at, id_a, id_b, deliveries_of(words, message))
    add_parts(words, reply, message, at, receipt, NAMES)
    return at + receipt
