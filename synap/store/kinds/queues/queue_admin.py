"""Rows about whole queues: counters, names, purge, delete, dead letters, pause and upkeep."""

import numpy as np

from synap.compiler.jit import kernel
from synap.ranges import PRIORITY_MAX
from synap.store.kinds.queues import rates
from synap.store.kinds.queues.chains import detach, state_of
from synap.store.kinds.queues.failures import DEADLINE_PASSED, expire_due, fail
from synap.store.kinds.queues.fifo_groups import make_ready
from synap.store.kinds.queues.holders import set_name
from synap.store.kinds.queues.message_ids import parse_id
from synap.store.kinds.queues.messages import end_delay, forget, locate_message, open_queue, set_timer
from synap.store.kinds.queues.queue_layout import (
    ACTIVE,
    ACTIVE_UNTIL,
    BLOCK_NAME,
    BLOCKED,
    BLOCKED_COUNT,
    CONSUMERS,
    CREATED,
    DEAD,
    DEADLINE,
    DELAYED,
    DELAYED_COUNT,
    DEPTH_MAX,
    DROPPED,
    EXPIRED,
    FAILURES_MASK,
    FAILURES_SHIFT,
    GROUPS,
    IS_DEAD,
    IS_DELAYED,
    LEASED,
    PAUSED,
    QUEUE_WORDS,
    READY,
    READY_COUNT,
    REDRIVE_LEFT,
    STATE,
)
from synap.store.kinds.queues.queue_moves import redrive_due
from synap.store.memory import tables
from synap.store.memory.kinds import QUEUE
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    FULL,
    ITEM,
    MARK_MAP,
    MARK_NAME,
    NUMBER,
    QUEUES,
    TIMERS,
    TIMERS_COUNT,
    TIMERS_DUE,
    WORD,
)
from synap.store.memory.refusals import MESSAGE_MISSING, OUT_OF_MEMORY, QUEUE_MISSING
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import (
    add_field,
    add_mark,
    add_nil,
    add_real,
    add_text,
    fits,
    set_scalar,
    text_at,
    text_size,
)
from synap.store.records import keyspace, kind_facts, named_records, timers
from synap.store.records.named_records import KIND, NAME_SIZE
from synap.store.records.timers import NEVER
from synap.store.slots import queues as slots

STATS_ITEMS = 64  # more than the items of the reply to QUEUE.STATS


@kernel
def requeue(words, octets, tape, now, reply):
    """Do what is due in a queue, for upkeep: fail leases whose deadline has come, make delayed messages ready, expire
    messages, move dead letters, and end the time of an active consumer.

    Reply with NUMBER of messages, at most one more than the call asks for.
    """
    h, queue = open_queue(words, octets, tape, slots.QUEUE_REQUEUE_QUEUE)
    set_scalar(words, reply, 0)
    if queue == 0:
        return QUEUE_MISSING
    most = words[tape + slots.QUEUE_REQUEUE_MOST]
    count = 0
    while words[queue + LEASED] and words[words[queue + LEASED] + DEADLINE] <= now and count < most:
        fail(words, octets, queue, words[queue + LEASED], True, DEADLINE_PASSED, 0, 0, now)
        count += 1
    while words[queue + DELAYED_COUNT] and words[words[queue + DELAYED]] <= now and count < most:
        message = words[words[queue + DELAYED] + 1]
        end_delay(words, queue, message)
        make_ready(words, queue, message)
        count += 1
    count += expire_due(words, octets, queue, most - count, now)
    moved = redrive_due(words, octets, queue, most - count, now)
    if moved < 0:
        return BROKEN
    count += moved
    if words[queue + ACTIVE] and not words[queue + LEASED] and words[queue + ACTIVE_UNTIL] <= now:
        set_name(words, octets, queue, ACTIVE, 0, -1)
        words[queue + ACTIVE_UNTIL] = 0
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
def oldest(words, queue, now):
    """Return the age in ms of the oldest among the messages that are first of their priority; 0 if none is ready."""
    age = 0
    for priority in range(PRIORITY_MAX + 1):
        message = words[queue + READY + 2 * priority]
        if message:
            age = max(age, now - words[message + CREATED])
    return age


@kernel
def stats(words, octets, tape, now, reply):
    """Reply with the counters of a queue: depth, pending, dead, published, consumed, acked, nacked, dead-lettered,
    consumers, depth_max, delayed, blocked, expired, dropped, paused; the age of the oldest ready message (ms), the dead
    letters that are to be moved, the active consumer, and rates of messages a second.
    """
    _, queue = open_queue(words, octets, tape, slots.QUEUE_STATS_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    active = words[queue + ACTIVE]
    if not fits(words, STATS_ITEMS, words[active] if active else 0):
        return FULL
    set_scalar(words, reply, 0)
    counters = CONSUMERS + 1 - READY_COUNT
    add_mark(words, reply, MARK_MAP, counters + 12)
    for i in range(counters):
        add_field(words, reply, i, words[queue + READY_COUNT + i])
    for word in (DEPTH_MAX, DELAYED_COUNT, BLOCKED_COUNT, EXPIRED, DROPPED, PAUSED):
        add_field(words, reply, counters, words[queue + word])
        counters += 1
    add_field(words, reply, counters, oldest(words, queue, now))
    add_field(words, reply, counters + 1, words[queue + REDRIVE_LEFT])
    add_mark(words, reply, MARK_NAME, counters + 2)
    if active:
        add_text(words, reply, (active + BLOCK_NAME) * WORD, words[active], 0)
    else:
        add_nil(words, reply)
    for i in range(rates.RATED):
        add_mark(words, reply, MARK_NAME, counters + 3 + i)
        add_real(words, reply, rates.rate(words, queue, i, now))
    return ITEM


@kernel
def list_names(words, octets, tape, now, reply):
    """Reply with the names of all queues, in no order."""
    return named_records.names(words, QUEUES, QUEUE_WORDS, reply)


@kernel
def purge(words, octets, tape, now, reply):
    """Remove the messages that are not leased, or with DEAD the dead letters; reply with NUMBER of them.

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
            message = words[words[queue + DELAYED] + 1]
            end_delay(words, queue, message)
            forget(words, octets, queue, message)
            count += 1
        while words[queue + READY_COUNT]:  # until no group has another turn
            for priority in range(PRIORITY_MAX + 1):
                count += purge_chain(words, octets, queue, READY + 2 * priority)
        count += purge_blocked(words, octets, queue)
        if not set_timer(words, octets, queue):
            return BROKEN
    words[reply] = count
    return NUMBER | CHANGED if count else NUMBER


@kernel
def purge_chain(words, octets, queue, chain):
    """Remove the messages of one chain; return how many."""
    count = 0
    while words[queue + chain]:
        message = words[queue + chain]
        detach(words, queue, message)
        forget(words, octets, queue, message)
        count += 1
    return count


@kernel
def purge_blocked(words, octets, queue):
    """Remove the messages that wait for leased ones of their groups; return how many."""
    count = 0
    place, at = 0, 0
    if words[queue + BLOCKED_COUNT]:
        place, at = tables.next_entry(words, queue + GROUPS, 0)
    while at:
        group = words[at] & REF_MASK  # has a leased message, so it stays
        while words[group + BLOCKED]:
            message = words[group + BLOCKED]
            detach(words, queue, message)
            forget(words, octets, queue, message)
            count += 1
        place, at = tables.next_entry(words, queue + GROUPS, place)
    return count


@kernel
def cancel(words, octets, tape, now, reply):
    """Remove a delayed message; reply with NUMBER: 1 if it was delayed (QUEUE.CANCEL)."""
    h, queue = open_queue(words, octets, tape, slots.QUEUE_CANCEL_QUEUE)
    set_scalar(words, reply, 0)
    if queue == 0:
        return QUEUE_MISSING
    start = text_at(words, tape, slots.QUEUE_CANCEL_MESSAGE_ID)
    id_a, id_b, valid = parse_id(octets, start, text_size(words, tape, slots.QUEUE_CANCEL_MESSAGE_ID))
    seat = locate_message(words, octets, queue, id_a, id_b) if valid else 0
    message = words[seat] & REF_MASK if seat else 0
    if message == 0 or state_of(words, message) != IS_DELAYED:
        return NUMBER
    end_delay(words, queue, message)
    forget(words, octets, queue, message)
    keyspace.touched(words, octets, h)  # the next message of its group may be ready
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
def bring_back(words, queue, message):
    """Make a dead letter ready again, with no failed deliveries."""
    words[message + STATE] &= ~(np.int64(FAILURES_MASK) << FAILURES_SHIFT)
    detach(words, queue, message)
    make_ready(words, queue, message)


@kernel
def revive(words, octets, tape, now, reply):
    """Make the dead letter with the id given ready again, or all without one; reply with NUMBER of them."""
    h, queue = open_queue(words, octets, tape, slots.QUEUE_REVIVE_QUEUE)
    set_scalar(words, reply, 0)
    if queue == 0:
        return QUEUE_MISSING
    if not timers.reserve(words, octets, queue):
        return OUT_OF_MEMORY
    count = 0
    if words[tape + slots.QUEUE_REVIVE_HAS_MESSAGE_ID]:
        start = text_at(words, tape, slots.QUEUE_REVIVE_MESSAGE_ID)
        id_a, id_b, valid = parse_id(octets, start, text_size(words, tape, slots.QUEUE_REVIVE_MESSAGE_ID))
        seat = locate_message(words, octets, queue, id_a, id_b) if valid else 0
        message = words[seat] & REF_MASK if seat else 0
        if message == 0 or state_of(words, message) != IS_DEAD:
            return MESSAGE_MISSING
        bring_back(words, queue, message)
        count = 1
    else:
        while words[queue + DEAD]:
            bring_back(words, queue, words[queue + DEAD])
            count += 1
    if not set_timer(words, octets, queue):  # for those that wait until the active consumer has had its time
        return BROKEN
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
