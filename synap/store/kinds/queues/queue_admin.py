"""Rows about whole queues: counters, names, purge, delete, dead letters, upkeep, and loading from a snapshot."""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import load64
from synap.ranges import PRIORITY_MAX
from synap.store.kinds.queues.message_ids import (
    parse_id,
)
from synap.store.kinds.queues.messages import (
    BACKOFF,
    CONSUMERS,
    CREATED,
    DEAD,
    DEAD_COUNT,
    DEADLINE,
    DELAYED,
    DELAYED_COUNT,
    DELAYS,
    DELIVERIES_SHIFT,
    DEPTH_MAX,
    FAILURES_MASK,
    FAILURES_SHIFT,
    HEADERS,
    HOLDERS,
    IS_DEAD,
    IS_DELAYED,
    IS_LEASED,
    IS_READY,
    LATER_SAVED,
    LEASED,
    LEASED_COUNT,
    MESSAGES,
    NEXT,
    PAUSED,
    PREFETCH_MAX,
    QUEUE_WORDS,
    READY,
    READY_COUNT,
    SERIAL,
    STATE,
    STATS,
    append,
    delay_as,
    end_delay,
    fail,
    forget,
    hold,
    locate_message,
    make_message,
    make_places_for_leases,
    make_queue,
    open_queue,
    set_state,
    set_timer,
)
from synap.store.memory import arena, tables
from synap.store.memory.kinds import QUEUE
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DONE,
    ITEM,
    MARK_MAP,
    NUMBER,
    QUEUES,
    TIMERS,
    TIMERS_COUNT,
    TIMERS_DUE,
)
from synap.store.memory.refusals import KEY_EXISTS, MESSAGE_MISSING, QUEUE_MISSING
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import (
    add_field,
    add_mark,
    add_text,
    set_scalar,
    text_at,
    text_size,
)
from synap.store.records import keyspace, kind_facts, named_records, timers
from synap.store.records.named_records import KIND, NAME_SIZE
from synap.store.records.timers import NEVER
from synap.store.slots import queues as slots


@kernel
def requeue(words, octets, tape, now, reply):
    """Fail the leases of a queue whose deadline has come, and make its due delayed messages ready, for upkeep.

    Reply with NUMBER of messages, at most as many as the call asks for.
    """
    h, queue = open_queue(words, octets, tape, slots.QUEUE_REQUEUE_QUEUE)
    set_scalar(words, reply, 0)
    if queue == 0:
        return QUEUE_MISSING
    most = words[tape + slots.QUEUE_REQUEUE_MOST]
    count = 0
    while words[queue + LEASED] and words[words[queue + LEASED] + DEADLINE] <= now and count < most:
        fail(words, octets, queue, words[queue + LEASED], True, now)
        count += 1
    while words[queue + DELAYED_COUNT] and words[words[queue + DELAYED]] <= now and count < most:
        end_delay(words, queue, words[words[queue + DELAYED] + 1])
        count += 1
    if not set_timer(words, octets, queue):
        return BROKEN
    return became_ready(words, octets, count, h, reply)


@kernel
def became_ready(words, octets, count, h, reply):
    """Reply with NUMBER: `count` messages of a queue that have become ready; notify waiters if there are any."""
    words[reply] = count
    if count == 0:
        return NUMBER
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def stats(words, octets, tape, now, reply):
    """Reply with the counters of a queue: depth, pending, dead, published, consumed, acked, nacked, dead-lettered,
    consumers, depth_max, delayed.
    """
    _, queue = open_queue(words, octets, tape, slots.QUEUE_STATS_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    set_scalar(words, reply, 0)
    counters = CONSUMERS + 1 - READY_COUNT
    add_mark(words, reply, MARK_MAP, counters + 2)
    for i in range(counters):
        add_field(words, reply, i, words[queue + READY_COUNT + i])
    add_field(words, reply, counters, words[queue + DEPTH_MAX])
    add_field(words, reply, counters + 1, words[queue + DELAYED_COUNT])
    return ITEM


@kernel
def list_names(words, octets, tape, now, reply):
    """Reply with the names of all queues, in no order."""
    return named_records.names(words, QUEUES, QUEUE_WORDS, reply)


@kernel
def purge(words, octets, tape, now, reply):
    """Remove the ready and delayed messages, or with DEAD the dead letters; reply with NUMBER of them.

    All are removed in one call, at about 0.2 us a message.
    """
    _, queue = open_queue(words, octets, tape, slots.QUEUE_PURGE_QUEUE)
    set_scalar(words, reply, 0)
    if queue == 0:
        return QUEUE_MISSING
    count = 0
    if words[tape + slots.QUEUE_PURGE_DEAD]:
        count += purge_chain(words, octets, queue, DEAD)
    else:
        while words[queue + DELAYED_COUNT]:
            end_delay(words, queue, words[words[queue + DELAYED] + 1])
        for priority in range(PRIORITY_MAX + 1):
            count += purge_chain(words, octets, queue, READY + 2 * priority)
        if not set_timer(words, octets, queue):
            return BROKEN
    words[reply] = count
    return NUMBER | CHANGED if count else NUMBER


@kernel
def purge_chain(words, octets, queue, chain):
    """Remove the messages of one chain; return how many."""
    count = 0
    while words[queue + chain]:
        forget(words, octets, queue, words[queue + chain], False)
        count += 1
    return count


@kernel
def cancel(words, octets, tape, now, reply):
    """Remove a delayed message; reply with NUMBER: 1 if it was delayed (QUEUE.CANCEL)."""
    _, queue = open_queue(words, octets, tape, slots.QUEUE_CANCEL_QUEUE)
    set_scalar(words, reply, 0)
    if queue == 0:
        return QUEUE_MISSING
    start = text_at(words, tape, slots.QUEUE_CANCEL_MESSAGE_ID)
    id_a, id_b, valid = parse_id(octets, start, text_size(words, tape, slots.QUEUE_CANCEL_MESSAGE_ID))
    seat = locate_message(words, octets, queue, id_a, id_b) if valid else 0
    message = words[seat] & REF_MASK if seat else 0
    if message == 0 or words[message + STATE] & 0xFF != IS_DELAYED:
        return NUMBER
    end_delay(words, queue, message)
    forget(words, octets, queue, message, False)
    words[reply] = 1
    return NUMBER | CHANGED if set_timer(words, octets, queue) else BROKEN


@kernel
def pause(words, octets, tape, now, reply):
    """Stop deliveries of a queue, or with RESUME let them go on; reply with NUMBER: 1 if that is a change
    (QUEUE.PAUSE)."""
    h, queue = open_queue(words, octets, tape, slots.QUEUE_PAUSE_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    paused = 1 - words[tape + slots.QUEUE_PAUSE_RESUME]
    set_scalar(words, reply, words[queue + PAUSED] != paused)
    if words[queue + PAUSED] == paused:
        return NUMBER
    words[queue + PAUSED] = paused
    if not paused:
        keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def delete(words, octets, tape, now, reply):
    """Remove a queue with its messages, which upkeep frees; reply with NUMBER: 1 if it existed."""
    set_scalar(words, reply, 0)
    queue = named_records.remove(words, octets, QUEUE, QUEUES, QUEUE_WORDS, tape, slots.QUEUE_DELETE_QUEUE)
    if queue == 0:
        return NUMBER
    timers.set_timer(words, octets, queue, NEVER)
    words[reply] = 1
    return NUMBER | CHANGED


@kernel
def free_some(words, octets, queue, budget):
    """Free parts of a deleted queue; return what is left of the budget (blocks).

    MESSAGES has no slots once only the record is left.
    """
    for chain in range(READY, DEAD + 2, 2):
        while words[queue + chain] and budget > 0:
            message = words[queue + chain]
            words[queue + chain] = words[message + NEXT]
            arena.release(words, message)
            budget -= 1
    while words[queue + DELAYED_COUNT] and budget > 0:
        words[queue + DELAYED_COUNT] -= 1
        arena.release(words, words[words[queue + DELAYED] + 2 * words[queue + DELAYED_COUNT] + 1])
        budget -= 1
    if budget > 0:
        place, at = tables.next_entry(words, queue + HOLDERS, 0)
        while at:
            arena.release(words, words[at] & REF_MASK)
            budget -= 1
            place, at = tables.next_entry(words, queue + HOLDERS, place)
        tables.close_table(words, queue + MESSAGES)
        tables.close_table(words, queue + HOLDERS)
        words[queue + MESSAGES + tables.SLOTS] = 0
        if words[queue + DELAYED]:
            arena.release(words, words[queue + DELAYED])
    return budget


@kernel
def bring_back(words, queue, message):
    """Make a dead letter ready again, with no failed deliveries."""
    words[message + STATE] &= ~(np.int64(FAILURES_MASK) << FAILURES_SHIFT)
    set_state(words, queue, message, IS_READY)


@kernel
def revive(words, octets, tape, now, reply):
    """Make the dead letter with the id given ready again, or all without one; reply with NUMBER of them."""
    h, queue = open_queue(words, octets, tape, slots.QUEUE_REVIVE_QUEUE)
    set_scalar(words, reply, 0)
    if queue == 0:
        return QUEUE_MISSING
    count = 0
    if words[tape + slots.QUEUE_REVIVE_HAS_MESSAGE_ID]:
        start = text_at(words, tape, slots.QUEUE_REVIVE_MESSAGE_ID)
        id_a, id_b, valid = parse_id(octets, start, text_size(words, tape, slots.QUEUE_REVIVE_MESSAGE_ID))
        seat = locate_message(words, octets, queue, id_a, id_b) if valid else 0
        message = words[seat] & REF_MASK if seat else 0
        if message == 0 or words[message + STATE] & 0xFF != IS_DEAD:
            return MESSAGE_MISSING
        bring_back(words, queue, message)
        count = 1
    else:
        while words[queue + DEAD]:
            bring_back(words, queue, words[queue + DEAD])
            count += 1
    return became_ready(words, octets, count, h, reply)


@kernel
def next_due(words, octets, tape, now, reply):
    """Reply with ITEM: a queue, room or topic whose timer is due, its kind as scalar; or NUMBER: the next due time."""
    set_scalar(words, reply, words[TIMERS_DUE])
    if words[TIMERS_COUNT] == 0 or words[TIMERS_DUE] > now:
        return NUMBER
    record = words[words[TIMERS] + 1]
    words[reply] = words[record + KIND]
    name = record + kind_facts.head_words(words, words[record + KIND])
    add_text(words, reply, name * 8, words[record + NAME_SIZE], 0)
    return ITEM


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
    words[queue + READY_COUNT] = 0  # messages and holders are counted again as they are loaded
    words[queue + LEASED_COUNT] = 0
    words[queue + DEAD_COUNT] = 0
    words[queue + CONSUMERS] = 0
    return DONE | CHANGED


@kernel
def load_message(words, octets, tape, now, reply):
    """Load a message from a snapshot: queue, payload, id, state, deadline, created, headers, consumer, serial,
    deliveries.

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
    if words[message + STATE] & 0xFF == IS_DELAYED:
        words[message + SERIAL] = words[tape + slots.QUEUE_LOAD_MESSAGE_SERIAL]
        words[queue + DELAYS] = max(words[queue + DELAYS], words[message + SERIAL])  # an older snapshot has no DELAYS
        if not delay_as(words, octets, queue, message, words[message + DEADLINE]):
            return BROKEN
    else:
        append(words, queue, message)
        if words[message + STATE] & 0xFF == IS_LEASED:
            start = text_at(words, tape, slots.QUEUE_LOAD_MESSAGE_CONSUMER_ID)
            size = text_size(words, tape, slots.QUEUE_LOAD_MESSAGE_CONSUMER_ID)
            if not make_places_for_leases(words, octets, queue, 0):
                return BROKEN
            if not hold(words, octets, queue, message, start, size):
                return BROKEN
    return DONE | CHANGED if set_timer(words, octets, queue) else BROKEN
