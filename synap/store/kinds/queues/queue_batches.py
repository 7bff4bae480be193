"""Rows of queues about many messages at once: publish, consume, acknowledge and return, each one change of the log."""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import load64
from synap.ranges import BATCH_MAX
from synap.store.kinds.queues import publish_keys
from synap.store.kinds.queues.chains import append_first, detach, state_of
from synap.store.kinds.queues.extras import is_expired
from synap.store.kinds.queues.failures import expire
from synap.store.kinds.queues.holders import end_hold
from synap.store.kinds.queues.message_ids import ID_TEXT_BYTES, RECEIPT_MAX, parse_receipt, print_id
from synap.store.kinds.queues.messages import (
    deliveries_of,
    locate_message,
    make_places_for_leases,
    open_queue,
    set_timer,
    texts_size,
)
from synap.store.kinds.queues.publishing import (
    begin_put,
    decide_one,
    expiry_of,
    free_places,
    given_or,
    may_get,
    new_id,
    put_one,
    refused_limits,
)
from synap.store.kinds.queues.queue_layout import (
    DEADLINE,
    DEDUP_ID_A,
    DEDUP_ID_B,
    DEDUP_WORDS,
    DELAYED_CAPACITY,
    DROPS,
    EXPIRING_CAPACITY,
    EXTRAS_WORDS,
    IS_LEASED,
    IS_READY,
    MESSAGE_ITEMS,
    MESSAGE_WORDS,
    OVERFLOW,
    PAUSED,
    PREV,
    PRIORITY,
    READY_COUNT,
    RETRIES_MAX,
    STATE,
)
from synap.store.kinds.queues.queue_leases import settle
from synap.store.kinds.queues.queues import begin_walk, first_ready, lease, may_take, next_ready, put_delivery
from synap.store.memory import arena, codes, decided, limits
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DECIDED_BIT,
    DONE,
    EMPTY,
    FULL,
    ITEM,
    ITEMS,
    MARK_ARRAY,
    NOTHING_READY,
    SCRATCH,
    WAIT,
    WORD,
)
from synap.store.memory.refusals import BATCH_TOO_LARGE, COUNT_BELOW_ONE, KEY_EXISTS, OUT_OF_MEMORY, QUEUE_MISSING
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import (
    add_mark,
    add_nil,
    add_number,
    add_text,
    first_item,
    fits,
    set_scalar,
    text_at,
    text_size,
)
from synap.store.records import keyspace, timers
from synap.store.slots import queues as slots

BATCH_BYTES = 8 << 20  # texts of the messages in one reply; a single message may be larger
_MESSAGE_BYTES = (MESSAGE_WORDS + EXTRAS_WORDS + DEDUP_WORDS + 24) * WORD  # the most that one takes besides its texts


@kernel
def publish(words, octets, tape, now, reply):
    """Add messages under new random ids, as far as the queue has places; reply with ITEMS: an id each, or nil.

    The id is that of an earlier message if the queue knows the dedup key of one (KEYED).
    """
    h, queue = open_queue(words, octets, tape, slots.QUEUE_PUBLISH_MANY_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    refusal = refused_limits(
        words[tape + slots.QUEUE_PUBLISH_MANY_HAS_PRIORITY], words[tape + slots.QUEUE_PUBLISH_MANY_PRIORITY],
        words[tape + slots.QUEUE_PUBLISH_MANY_HAS_RETRIES], words[tape + slots.QUEUE_PUBLISH_MANY_MAX_RETRIES],
    )  # fmt: skip
    if refusal:
        return refusal
    keyed = words[tape + slots.QUEUE_PUBLISH_MANY_WHAT] == slots.QUEUE_PUBLISH_MANY_WHAT_IS_KEYED
    source = slots.QUEUE_PUBLISH_MANY_KEYED if keyed else slots.QUEUE_PUBLISH_MANY_MESSAGES
    count, item = words[tape + source], first_item(words, tape, source)
    if count > BATCH_MAX:
        return BATCH_TOO_LARGE
    due = now + words[tape + slots.QUEUE_PUBLISH_MANY_DELAY] if words[tape + slots.QUEUE_PUBLISH_MANY_HAS_DELAY] else 0
    ttl = words[tape + slots.QUEUE_PUBLISH_MANY_TTL]
    expires = expiry_of(words, queue, words[tape + slots.QUEUE_PUBLISH_MANY_HAS_TTL], ttl, now)
    if not fits(words, count, count * ID_TEXT_BYTES):
        return FULL
    wanted = count if words[queue + OVERFLOW] >= DROPS else max(min(count, free_places(words, queue)), 0)
    headers, group = slots.QUEUE_PUBLISH_MANY_HEADERS, slots.QUEUE_PUBLISH_MANY_GROUP
    heads = wanted * text_size(words, tape, headers)
    places = words[queue + DELAYED_CAPACITY] + words[queue + EXPIRING_CAPACITY]
    if limits.lacks(words, wanted * _MESSAGE_BYTES + heads + places * 4 * WORD):
        return OUT_OF_MEMORY
    texts = arena.allocate(words, max((count * ID_TEXT_BYTES + WORD - 1) >> 3, 1))
    if texts == 0:
        return OUT_OF_MEMORY
    arena.release_later(words, texts)
    if not timers.reserve(words, octets, queue):
        return OUT_OF_MEMORY
    priority = given_or(
        words, tape, slots.QUEUE_PUBLISH_MANY_HAS_PRIORITY, slots.QUEUE_PUBLISH_MANY_PRIORITY, words[queue + PRIORITY]
    )
    limit = given_or(
        words, tape, slots.QUEUE_PUBLISH_MANY_HAS_RETRIES, slots.QUEUE_PUBLISH_MANY_MAX_RETRIES,
        words[queue + RETRIES_MAX],
    )  # fmt: skip
    begin_put(words, octets, tape, slots.QUEUE_PUBLISH_MANY_QUEUE, headers, group, priority, limit, due, expires)
    set_scalar(words, reply, 0)
    at = texts * WORD
    added = 0
    for _ in range(count):
        dedup, payload = -1, item + slots.QUEUE_PUBLISH_MANY_MESSAGES_MESSAGES_PAYLOAD
        key = 0
        if keyed:
            dedup = item + slots.QUEUE_PUBLISH_MANY_KEYED_DEDUP
            payload = item + slots.QUEUE_PUBLISH_MANY_KEYED_KEYED_PAYLOAD
            key = publish_keys.known_in(words, octets, tape, dedup, queue, now)
        item += slots.QUEUE_PUBLISH_MANY_KEYED_STRIDE if keyed else slots.QUEUE_PUBLISH_MANY_MESSAGES_STRIDE
        if key:
            print_id(octets, at, words[key + DEDUP_ID_A], words[key + DEDUP_ID_B])
        elif not may_get(words, queue):
            add_nil(words, reply)
            continue
        else:
            id_a, id_b = new_id(words)
            message = put_one(
                words, octets, tape, payload, headers, group, dedup, queue, id_a, id_b, priority, limit, due, expires,
                now,
            )  # fmt: skip
            if message == 0:
                return BROKEN
            decide_one(words, octets, tape, message, payload, dedup)
            print_id(octets, at, id_a, id_b)
            added += 1
        add_text(words, reply, at, ID_TEXT_BYTES, 0)
        at += ID_TEXT_BYTES
    if added == 0:
        return ITEMS
    if not set_timer(words, octets, queue):
        return BROKEN
    keyspace.touched(words, octets, h)
    return ITEMS | CHANGED | DECIDED_BIT


@kernel
def put(words, octets, tape, now, reply):
    """Add messages with given ids: the row as which a publish is logged."""
    h, queue = open_queue(words, octets, tape, slots.QUEUE_PUT_MANY_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    priority, limit = words[tape + slots.QUEUE_PUT_MANY_PRIORITY], words[tape + slots.QUEUE_PUT_MANY_MAX_RETRIES]
    due, expires = words[tape + slots.QUEUE_PUT_MANY_DUE], words[tape + slots.QUEUE_PUT_MANY_EXPIRES]
    headers, group = slots.QUEUE_PUT_MANY_HEADERS, slots.QUEUE_PUT_MANY_GROUP
    first, count = first_item(words, tape, slots.QUEUE_PUT_MANY_PUTS), words[tape + slots.QUEUE_PUT_MANY_PUTS]
    stride = slots.QUEUE_PUT_MANY_PUTS_STRIDE
    for item in range(first, first + count * stride, stride):
        at = text_at(words, tape, item + slots.QUEUE_PUT_MANY_PUTS_ID)
        if locate_message(words, octets, queue, load64(octets, at), load64(octets, at + 8)):
            return KEY_EXISTS
    for item in range(first, first + count * stride, stride):
        at = text_at(words, tape, item + slots.QUEUE_PUT_MANY_PUTS_ID)
        payload, dedup = item + slots.QUEUE_PUT_MANY_PUTS_PAYLOAD, item + slots.QUEUE_PUT_MANY_PUTS_DEDUP
        id_a, id_b = load64(octets, at), load64(octets, at + 8)
        if not put_one(
            words, octets, tape, payload, headers, group, dedup, queue, id_a, id_b, priority, limit, due, expires, now
        ):
            return BROKEN
    if not set_timer(words, octets, queue):
        return BROKEN
    keyspace.touched(words, octets, h)
    return DONE | CHANGED


@kernel
def consume(words, octets, tape, now, reply):
    """Lease the first messages of the highest priorities; reply with ITEM: an array of maps, as `queue.consume` does.

    There are fewer than asked for if no more are ready, or if they exceed BATCH_BYTES; EMPTY or WAIT without any. Where
    address space ends, as many are leased as find some, and the log gets a call for so many.
    """
    count = words[tape + slots.QUEUE_CONSUME_MANY_COUNT]
    if count < 1:
        return COUNT_BELOW_ONE
    _, queue = open_queue(words, octets, tape, slots.QUEUE_CONSUME_MANY_QUEUE)
    waits = words[tape + slots.QUEUE_CONSUME_MANY_HAS_WAIT]
    if queue == 0 or words[queue + PAUSED] or first_ready(words, queue, now) == 0:
        return WAIT | NOTHING_READY if waits else EMPTY
    start = text_at(words, tape, slots.QUEUE_CONSUME_MANY_CONSUMER_ID)
    name_size = text_size(words, tape, slots.QUEUE_CONSUME_MANY_CONSUMER_ID)
    count = min(count, BATCH_MAX, words[queue + READY_COUNT], may_take(words, octets, queue, start, name_size, now))
    if count <= 0:
        return WAIT if waits else EMPTY
    count, total = measure(words, queue, count, now)
    if not fits(words, 1 + MESSAGE_ITEMS * count, total):
        return FULL
    if limits.lacks_aside(words, count * (RECEIPT_MAX + WORD)) or not timers.reserve(words, octets, queue):
        return OUT_OF_MEMORY
    if not make_places_for_leases(words, octets, queue, count):
        return OUT_OF_MEMORY
    chosen = arena.allocate(words, count + ((count * RECEIPT_MAX + WORD - 1) >> 3))
    if chosen == 0:
        return OUT_OF_MEMORY
    arena.release_later(words, chosen)
    begin_walk(words, queue, SCRATCH)
    for i in range(count):
        words[chosen + i] = next_ready(words, queue, SCRATCH, now)
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, 0)
    at = (chosen + count) * WORD
    taken = 0
    while taken < count and lease(words, octets, queue, words[chosen + taken], start, name_size, now):
        at = put_delivery(words, octets, reply, words[chosen + taken], at)
        taken += 1
    if taken == 0:
        return OUT_OF_MEMORY
    words[reply + 2] = taken
    if not set_timer(words, octets, queue):
        return BROKEN
    if taken == count:
        return ITEM | CHANGED
    decided.begin(words, codes.QUEUE_CONSUME_MANY, words[tape - 2], slots.QUEUE_CONSUME_MANY_SLOTS)
    for slot in (slots.QUEUE_CONSUME_MANY_QUEUE, slots.QUEUE_CONSUME_MANY_CONSUMER_ID):
        decided.put_argument(words, octets, slot, tape, slot)
    decided.put_number(words, slots.QUEUE_CONSUME_MANY_COUNT, taken)
    return ITEM | CHANGED | DECIDED_BIT


@kernel
def measure(words, queue, most, now):
    """Return (number, bytes in a reply) of the messages that are delivered next: at most `most`, and more than one only
    while they do not exceed BATCH_BYTES."""
    begin_walk(words, queue, SCRATCH)
    count = total = 0
    while count < most:
        message = next_ready(words, queue, SCRATCH, now)
        if message == 0:
            break
        size = texts_size(words, message) + ID_TEXT_BYTES + RECEIPT_MAX
        if count and total + size > BATCH_BYTES:
            break
        total += size
        count += 1
    return count, total


@kernel
def leased_as(words, octets, tape, queue, slot):
    """Return the leased message whose id or receipt is in this slot of a tape, or 0."""
    start, size = text_at(words, tape, slot), text_size(words, tape, slot)
    id_a, id_b, delivery, valid = parse_receipt(octets, start, size)
    seat = locate_message(words, octets, queue, id_a, id_b) if valid else 0
    message = words[seat] & REF_MASK if seat else 0
    if message == 0 or state_of(words, message) != IS_LEASED:
        return 0
    return 0 if delivery and deliveries_of(words, message) != delivery else message


@kernel
def ack(words, octets, tape, now, reply):
    """Acknowledge leased messages by their ids or receipts; reply with ITEMS: 1 for each that was leased so, else 0."""
    h, queue = open_queue(words, octets, tape, slots.QUEUE_ACK_MANY_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    first = first_item(words, tape, slots.QUEUE_ACK_MANY_MESSAGE_IDS)
    count = words[tape + slots.QUEUE_ACK_MANY_MESSAGE_IDS]
    if not fits(words, count, 0):
        return FULL
    set_scalar(words, reply, 0)
    acked = 0
    stride = slots.QUEUE_ACK_MANY_MESSAGE_IDS_STRIDE
    for slot in range(first, first + count * stride, stride):
        message = leased_as(words, octets, tape, queue, slot)
        add_number(words, reply, message != 0)
        if message:
            settle(words, octets, queue, message, now)
            acked += 1
    return changed(words, octets, queue, h, acked)


@kernel
def changed(words, octets, queue, h, count):
    """Return the status of a row that has settled so many leases of a queue; set its timer, and notify waiters."""
    if count == 0:
        return ITEMS
    if not set_timer(words, octets, queue):
        return BROKEN
    keyspace.touched(words, octets, h)
    return ITEMS | CHANGED


@kernel
def give_back(words, octets, tape, now, reply):
    """Make leased messages ready again, before the others of their priority and in the order of the call, without
    counting a failure; reply with ITEMS: 1 for each that was leased so, else 0."""
    h, queue = open_queue(words, octets, tape, slots.QUEUE_RETURN_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    first = first_item(words, tape, slots.QUEUE_RETURN_MESSAGE_IDS)
    count = words[tape + slots.QUEUE_RETURN_MESSAGE_IDS]
    if not fits(words, count, 0):
        return FULL
    set_scalar(words, reply, 0)
    returned = 0
    last = 0  # the messages that come back, the last one first: a chain by PREV
    stride = slots.QUEUE_RETURN_MESSAGE_IDS_STRIDE
    for slot in range(first, first + count * stride, stride):
        message = leased_as(words, octets, tape, queue, slot)
        add_number(words, reply, message != 0)
        if message == 0:
            continue
        returned += 1
        end_hold(words, octets, queue, message)
        detach(words, queue, message)
        words[message + DEADLINE] = 0
        words[message + STATE] &= ~np.int64(0xFF)  # so that it is not found again
        if is_expired(words, message, now):
            expire(words, octets, queue, message, now)
        else:
            words[message + PREV] = last
            last = message
    while last:
        message, last = last, words[last + PREV]
        append_first(words, queue, message, IS_READY)
    return changed(words, octets, queue, h, returned)
