"""Rows that load queues from a snapshot: the queue, its messages chain by chain, its dedup keys."""

from synap.compiler.jit import kernel
from synap.kernels.spans import load64
from synap.store.kinds.queues import extras, publish_keys
from synap.store.kinds.queues.chains import append, state_of
from synap.store.kinds.queues.fifo_groups import group_of, join
from synap.store.kinds.queues.holders import hold, set_name
from synap.store.kinds.queues.messages import (
    delay_as,
    locate_message,
    make_message,
    make_places_for_leases,
    make_queue,
    open_queue,
    set_timer,
)
from synap.store.kinds.queues.queue_layout import (
    ACTIVE,
    ACTIVE_UNTIL,
    BACKOFF,
    CONSUMERS,
    CREATED,
    DEAD_COUNT,
    DEADLINE,
    DELAYS,
    DELIVERIES_SHIFT,
    DEPTH_MAX,
    EXPIRES,
    EXPIRIES,
    HEADERS,
    IS_DELAYED,
    IS_LEASED,
    LATER_SAVED,
    LEASED_COUNT,
    MORE_SAVED,
    PREFETCH_MAX,
    READY_COUNT,
    REDRIVE_LEFT,
    REDRIVE_TO,
    SERIAL,
    STATE,
    STATS,
    TURN,
)
from synap.store.memory.layout import BROKEN, CHANGED, DONE
from synap.store.memory.refusals import KEY_EXISTS, QUEUE_MISSING
from synap.store.memory.tapes import first_item, text_at, text_size
from synap.store.slots import queues as slots


@kernel
def load_queue(words, octets, tape, now, reply):
    """Load a queue from a snapshot: name, settings and counters, prefetch. Refuse a queue that exists."""
    h, queue = open_queue(words, octets, tape, slots.QUEUE_LOAD_QUEUE)
    if queue:
        return KEY_EXISTS
    queue = make_queue(words, octets, h, tape, slots.QUEUE_LOAD_QUEUE)
    if queue == 0:
        return BROKEN
    for i in range(STATS - 1):
        words[queue + DEPTH_MAX + i] = words[tape + slots.QUEUE_LOAD_WORD0 + i]
    words[queue + PREFETCH_MAX] = words[tape + slots.QUEUE_LOAD_PREFETCH_LIMIT]
    for i in range(LATER_SAVED):
        words[queue + BACKOFF + i] = words[tape + slots.QUEUE_LOAD_LATER0 + i]
    for i in range(MORE_SAVED):
        words[queue + EXPIRIES + i] = words[tape + slots.QUEUE_LOAD_MORE0 + i]
    for slot, place, there in (
        (slots.QUEUE_LOAD_ACTIVE, ACTIVE, words[queue + ACTIVE_UNTIL]),
        (slots.QUEUE_LOAD_REDRIVE_TO, REDRIVE_TO, words[queue + REDRIVE_LEFT]),
    ):
        size = text_size(words, tape, slot) if there else -1
        if not set_name(words, octets, queue, place, text_at(words, tape, slot), size):
            return BROKEN
    words[queue + READY_COUNT] = 0  # messages and holders are counted again as they are loaded
    words[queue + LEASED_COUNT] = 0
    words[queue + DEAD_COUNT] = 0
    words[queue + CONSUMERS] = 0
    return DONE | CHANGED if set_timer(words, octets, queue) else BROKEN


@kernel
def load_message(words, octets, tape, now, reply):
    """Load a message from a snapshot: queue, payload, id, state, deadline, created, headers, consumer, serial,
    deliveries, extras.

    Messages come chain by chain in their order, so each belongs at the end of its chain.
    """
    _, queue = open_queue(words, octets, tape, slots.QUEUE_LOAD_MESSAGE_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    at = text_at(words, tape, slots.QUEUE_LOAD_MESSAGE_ID)
    id_a = load64(octets, at)
    id_b = load64(octets, at + 8)
    if locate_message(words, octets, queue, id_a, id_b):
        return KEY_EXISTS
    payload, headers = slots.QUEUE_LOAD_MESSAGE_PAYLOAD, slots.QUEUE_LOAD_MESSAGE_HEADERS
    message = make_message(words, octets, tape, payload, headers, queue, id_a, id_b)
    if message == 0:
        return BROKEN
    words[message + STATE] = words[tape + slots.QUEUE_LOAD_MESSAGE_STATE]
    words[message + DEADLINE] = words[tape + slots.QUEUE_LOAD_MESSAGE_DEADLINE]
    words[message + CREATED] = words[tape + slots.QUEUE_LOAD_MESSAGE_CREATED]
    words[message + HEADERS] += words[tape + slots.QUEUE_LOAD_MESSAGE_DELIVERIES] << DELIVERIES_SHIFT
    if not load_extras(words, octets, tape, queue, message):
        return BROKEN
    state = state_of(words, message)
    if state == IS_DELAYED:
        words[message + SERIAL] = words[tape + slots.QUEUE_LOAD_MESSAGE_SERIAL]
        words[queue + DELAYS] = max(words[queue + DELAYS], words[message + SERIAL])  # an older snapshot has no DELAYS
        if not delay_as(words, octets, queue, message, words[message + DEADLINE]):
            return BROKEN
    else:
        append(words, queue, message, state)
    if state == IS_LEASED:
        start = text_at(words, tape, slots.QUEUE_LOAD_MESSAGE_CONSUMER_ID)
        size = text_size(words, tape, slots.QUEUE_LOAD_MESSAGE_CONSUMER_ID)
        if not make_places_for_leases(words, octets, queue, 0) or not hold(words, octets, queue, message, start, size):
            return BROKEN
    return DONE | CHANGED if set_timer(words, octets, queue) else BROKEN


@kernel
def load_extras(words, octets, tape, queue, message):
    """Load the group of a message, when it expires, and the history of its failures; return False without memory."""
    group, expires = slots.QUEUE_LOAD_MESSAGE_GROUP, words[tape + slots.QUEUE_LOAD_MESSAGE_EXPIRES]
    if text_size(words, tape, group):
        if not join(words, octets, queue, message, text_at(words, tape, group), text_size(words, tape, group)):
            return False
        if words[tape + slots.QUEUE_LOAD_MESSAGE_TURN]:
            words[group_of(words, message) + TURN] = message
    serial = words[tape + slots.QUEUE_LOAD_MESSAGE_EXPIRY_SERIAL]
    if expires and serial == 0:  # leased, and its time has come
        block = extras.extras_of(words, message)
        if block == 0:
            return False
        words[block + EXPIRES] = expires
    elif expires:
        words[queue + EXPIRIES] = max(words[queue + EXPIRIES], serial)
        if not extras.expire_as(words, octets, queue, message, expires, serial):
            return False
    count, item = words[tape + slots.QUEUE_LOAD_MESSAGE_HISTORY], first_item(
        words, tape, slots.QUEUE_LOAD_MESSAGE_HISTORY
    )
    for _ in range(count):
        consumer = item + slots.QUEUE_LOAD_MESSAGE_HISTORY_CONSUMER
        reason = item + slots.QUEUE_LOAD_MESSAGE_HISTORY_REASON
        extras.note_failure(
            words, octets, message, words[tape + item + slots.QUEUE_LOAD_MESSAGE_HISTORY_AT],
            words[tape + item + slots.QUEUE_LOAD_MESSAGE_HISTORY_CAUSE],
            text_at(words, tape, consumer), text_size(words, tape, consumer),
            text_at(words, tape, reason), text_size(words, tape, reason),
        )  # fmt: skip
        item += slots.QUEUE_LOAD_MESSAGE_HISTORY_STRIDE
    return True


@kernel
def load_key(words, octets, tape, now, reply):
    """Load a dedup key from a snapshot, where they come oldest first: queue, key, id, when it is forgotten."""
    _, queue = open_queue(words, octets, tape, slots.QUEUE_LOAD_KEY_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    start, size = text_at(words, tape, slots.QUEUE_LOAD_KEY_DEDUP), text_size(words, tape, slots.QUEUE_LOAD_KEY_DEDUP)
    _, at = publish_keys.seek_key(words, octets, queue, start, size)
    if at:
        return KEY_EXISTS
    ident = text_at(words, tape, slots.QUEUE_LOAD_KEY_ID)
    id_a, id_b, expires = load64(octets, ident), load64(octets, ident + 8), words[tape + slots.QUEUE_LOAD_KEY_EXPIRES]
    done = publish_keys.remember(words, octets, queue, start, size, id_a, id_b, expires)
    return DONE | CHANGED if done else BROKEN
