"""Rows of queues about many messages at once: publish, consume and acknowledge, each one change of the log."""

from synap.compiler.jit import kernel
from synap.kernels.spans import load64
from synap.ranges import BATCH_MAX
from synap.store.kinds.queues.message_ids import (
    ID_BYTES,
    ID_TEXT_BYTES,
    RECEIPT_MAX,
    parse_receipt,
    print_id,
)
from synap.store.kinds.queues.messages import (
    ACKED,
    DELAYED_CAPACITY,
    HOLDING,
    ID_A,
    IS_LEASED,
    MESSAGE_ITEMS,
    MESSAGE_WORDS,
    PAUSED,
    PAYLOAD,
    PREFETCH_MAX,
    PRIORITY,
    READY_COUNT,
    RETRIES_MAX,
    STATE,
    add_message,
    deliveries_of,
    end_hold,
    find_holder,
    forget,
    headers_size,
    locate_message,
    make_places_for_leases,
    open_queue,
    set_timer,
)
from synap.store.kinds.queues.queues import (
    first_ready,
    free_places,
    given_or,
    lease,
    new_id,
    put_delivery,
    refused_limits,
)
from synap.store.memory import arena, codes, decided, limits, tables
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DECIDED_BIT,
    DONE,
    EMPTY,
    FULL,
    HOLDER,
    ITEM,
    ITEMS,
    MARK_ARRAY,
    MARK_BITS,
    NOTHING_READY,
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

_MESSAGE_BYTES = (MESSAGE_WORDS + 12) * WORD  # the most that a message takes besides its texts


@kernel
def publish(words, octets, tape, now, reply):
    """Add messages under new random ids, as far as the queue has places; reply with ITEMS: an id each, or nil."""
    h, queue = open_queue(words, octets, tape, slots.QUEUE_PUBLISH_MANY_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    refusal = refused_limits(
        words[tape + slots.QUEUE_PUBLISH_MANY_HAS_PRIORITY], words[tape + slots.QUEUE_PUBLISH_MANY_PRIORITY],
        words[tape + slots.QUEUE_PUBLISH_MANY_HAS_RETRIES], words[tape + slots.QUEUE_PUBLISH_MANY_MAX_RETRIES],
    )  # fmt: skip
    if refusal:
        return refusal
    count = words[tape + slots.QUEUE_PUBLISH_MANY_MESSAGES]
    if count > BATCH_MAX:
        return BATCH_TOO_LARGE
    wanted = max(min(count, free_places(words, queue)), 0)
    due = now + words[tape + slots.QUEUE_PUBLISH_MANY_DELAY] if words[tape + slots.QUEUE_PUBLISH_MANY_HAS_DELAY] else 0
    if not fits(words, count, count * ID_TEXT_BYTES):
        return FULL
    heads = wanted * text_size(words, tape, slots.QUEUE_PUBLISH_MANY_HEADERS)
    if limits.lacks(words, wanted * _MESSAGE_BYTES + heads + words[queue + DELAYED_CAPACITY] * 4 * WORD):
        return OUT_OF_MEMORY
    texts = arena.allocate(words, max((wanted * ID_TEXT_BYTES + WORD - 1) >> 3, 1))
    if texts == 0:
        return OUT_OF_MEMORY
    arena.release_later(words, texts)
    begin_put(words, octets, tape, due)
    set_scalar(words, reply, 0)
    item = first_item(words, tape, slots.QUEUE_PUBLISH_MANY_MESSAGES)
    at = texts * WORD
    for i in range(count):
        if i >= wanted:
            add_nil(words, reply)
            continue
        id_a, id_b = new_id(words)
        payload = item + slots.QUEUE_PUBLISH_MANY_MESSAGES_PAYLOAD
        message = add_one(words, octets, tape, queue, payload, id_a, id_b, due, now)
        if message == 0:
            return BROKEN
        put = decided.add_item(words, slots.QUEUE_PUT_MANY_PUTS, slots.QUEUE_PUT_MANY_PUTS_STRIDE)
        decided.put_text(words, octets, put + slots.QUEUE_PUT_MANY_PUTS_ID, (message + ID_A) * WORD, ID_BYTES, 0)
        decided.put_argument(words, octets, put + slots.QUEUE_PUT_MANY_PUTS_PAYLOAD, tape, payload)
        print_id(octets, at, id_a, id_b)
        add_text(words, reply, at, ID_TEXT_BYTES, 0)
        at += ID_TEXT_BYTES
        item += slots.QUEUE_PUBLISH_MANY_MESSAGES_STRIDE
    if wanted == 0:
        return ITEMS
    if not note_added(words, octets, queue, due, now, h):
        return BROKEN
    return ITEMS | CHANGED | DECIDED_BIT


@kernel
def begin_put(words, octets, tape, due):
    """Begin the `queue.put_many` that the log gets instead of a publish of many messages."""
    decided.begin(words, codes.QUEUE_PUT_MANY, words[tape - 2], slots.QUEUE_PUT_MANY_SLOTS)
    decided.put_argument(words, octets, slots.QUEUE_PUT_MANY_QUEUE, tape, slots.QUEUE_PUBLISH_MANY_QUEUE)
    decided.put_number(words, slots.QUEUE_PUT_MANY_HAS_PRIORITY, words[tape + slots.QUEUE_PUBLISH_MANY_HAS_PRIORITY])
    decided.put_number(words, slots.QUEUE_PUT_MANY_PRIORITY, words[tape + slots.QUEUE_PUBLISH_MANY_PRIORITY])
    decided.put_number(words, slots.QUEUE_PUT_MANY_HAS_RETRIES, words[tape + slots.QUEUE_PUBLISH_MANY_HAS_RETRIES])
    decided.put_number(words, slots.QUEUE_PUT_MANY_MAX_RETRIES, words[tape + slots.QUEUE_PUBLISH_MANY_MAX_RETRIES])
    decided.put_number(words, slots.QUEUE_PUT_MANY_HAS_HEADERS, words[tape + slots.QUEUE_PUBLISH_MANY_HAS_HEADERS])
    decided.put_argument(words, octets, slots.QUEUE_PUT_MANY_HEADERS, tape, slots.QUEUE_PUBLISH_MANY_HEADERS)
    decided.put_number(words, slots.QUEUE_PUT_MANY_DUE, due)
    decided.put_group(words, slots.QUEUE_PUT_MANY_PUTS)


@kernel
def add_one(words, octets, tape, queue, payload, id_a, id_b, due, now):
    """Add one message of a batch, with the payload in a slot of its tape; return its ref, or 0 without memory.

    `queue.publish_many` and `queue.put_many` have the same slots for the options.
    """
    priority = given_or(
        words, tape, slots.QUEUE_PUT_MANY_HAS_PRIORITY, slots.QUEUE_PUT_MANY_PRIORITY, words[queue + PRIORITY]
    )
    limit = given_or(
        words, tape, slots.QUEUE_PUT_MANY_HAS_RETRIES, slots.QUEUE_PUT_MANY_MAX_RETRIES, words[queue + RETRIES_MAX]
    )
    headers = slots.QUEUE_PUT_MANY_HEADERS
    return add_message(words, octets, tape, payload, headers, queue, id_a, id_b, priority, limit, due, now)


@kernel
def note_added(words, octets, queue, due, now, h):
    """Notify those who wait for messages, or set the timer of delayed ones; return False without memory."""
    if due > now:
        return set_timer(words, octets, queue)
    keyspace.touched(words, octets, h)
    return True


@kernel
def put(words, octets, tape, now, reply):
    """Add messages with given ids: the row as which a publish of many is logged."""
    h, queue = open_queue(words, octets, tape, slots.QUEUE_PUT_MANY_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    due = words[tape + slots.QUEUE_PUT_MANY_DUE]
    first, count = first_item(words, tape, slots.QUEUE_PUT_MANY_PUTS), words[tape + slots.QUEUE_PUT_MANY_PUTS]
    stride = slots.QUEUE_PUT_MANY_PUTS_STRIDE
    for item in range(first, first + count * stride, stride):
        at = text_at(words, tape, item + slots.QUEUE_PUT_MANY_PUTS_ID)
        if locate_message(words, octets, queue, load64(octets, at), load64(octets, at + 8)):
            return KEY_EXISTS
    for item in range(first, first + count * stride, stride):
        at = text_at(words, tape, item + slots.QUEUE_PUT_MANY_PUTS_ID)
        payload = item + slots.QUEUE_PUT_MANY_PUTS_PAYLOAD
        if not add_one(words, octets, tape, queue, payload, load64(octets, at), load64(octets, at + 8), due, now):
            return BROKEN
    return DONE | CHANGED if note_added(words, octets, queue, due, now, h) else BROKEN


@kernel
def places_of(words, octets, queue, start, size, count):
    """Return how many messages the consumer with this name may lease now, at most `count`."""
    count = min(count, words[queue + READY_COUNT])
    if words[queue + PREFETCH_MAX] == 0:
        return count
    tag = tables.tag_of_hash(keyspace.hash_key(words, octets, HOLDER, start, size))
    holder = find_holder(words, octets, queue, tag, start, size)
    return min(count, words[queue + PREFETCH_MAX] - (words[holder + HOLDING] if holder else 0))


@kernel
def consume(words, octets, tape, now, reply):
    """Lease the first messages of the highest priorities; reply with ITEM: an array of maps, as `queue.consume` does.

    Without any, return EMPTY or WAIT. A message that would make the reply too large stays ready, and so does one for
    whose lease there is no memory. How many these are depends on the caller and on this node, so the log then gets a
    call for as many as were leased.
    """
    count = words[tape + slots.QUEUE_CONSUME_MANY_COUNT]
    if count < 1:
        return COUNT_BELOW_ONE
    _, queue = open_queue(words, octets, tape, slots.QUEUE_CONSUME_MANY_QUEUE)
    waits = words[tape + slots.QUEUE_CONSUME_MANY_HAS_WAIT]
    if queue == 0 or words[queue + READY_COUNT] == 0 or words[queue + PAUSED]:
        return WAIT | NOTHING_READY if waits else EMPTY
    start = text_at(words, tape, slots.QUEUE_CONSUME_MANY_CONSUMER_ID)
    name_size = text_size(words, tape, slots.QUEUE_CONSUME_MANY_CONSUMER_ID)
    count = places_of(words, octets, queue, start, name_size, min(count, BATCH_MAX))
    if count <= 0:
        return WAIT if waits else EMPTY
    message = first_ready(words, queue)
    total = (words[message + PAYLOAD] >> MARK_BITS) + headers_size(words, message) + ID_TEXT_BYTES + RECEIPT_MAX
    if not fits(words, 1 + MESSAGE_ITEMS, total):
        return FULL
    if limits.lacks_aside(words, count * RECEIPT_MAX) or not timers.reserve(words, octets, queue):
        return OUT_OF_MEMORY
    if not make_places_for_leases(words, octets, queue, count):
        return OUT_OF_MEMORY
    texts = arena.allocate(words, (count * RECEIPT_MAX + WORD - 1) >> 3)
    if texts == 0:
        return OUT_OF_MEMORY
    arena.release_later(words, texts)
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, 0)
    at = texts * WORD
    taken = 0
    while taken < count and lease(words, octets, queue, message, start, name_size, now):
        at = put_delivery(words, octets, reply, message, at)
        taken += 1
        if taken == count:
            break
        message = first_ready(words, queue)
        total += (words[message + PAYLOAD] >> MARK_BITS) + headers_size(words, message) + ID_TEXT_BYTES + RECEIPT_MAX
        if not fits(words, 1 + MESSAGE_ITEMS * (taken + 1), total):
            break
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
        start, size = text_at(words, tape, slot), text_size(words, tape, slot)
        id_a, id_b, delivery, valid = parse_receipt(octets, start, size)
        seat = locate_message(words, octets, queue, id_a, id_b) if valid else 0
        message = words[seat] & REF_MASK if seat else 0
        if (
            message == 0
            or words[message + STATE] & 0xFF != IS_LEASED
            or (delivery and deliveries_of(words, message) != delivery)
        ):
            add_number(words, reply, 0)
            continue
        end_hold(words, octets, queue, message)
        forget(words, octets, queue, message, False)
        add_number(words, reply, 1)
        acked += 1
    if acked == 0:
        return ITEMS
    words[queue + ACKED] += acked
    if not set_timer(words, octets, queue):
        return BROKEN
    if words[queue + PREFETCH_MAX]:
        keyspace.touched(words, octets, h)
    return ITEMS | CHANGED
