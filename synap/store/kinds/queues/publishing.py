"""Publishing to a queue: what the rows for one message and for many share.

Both are logged as `queue.put_many`, which has the ids, the absolute times, and what the settings of the queue gave.
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.ranges import MESSAGE_RETRIES_MAX, PRIORITY_MAX
from synap.store.kinds.queues import extras, publish_keys
from synap.store.kinds.queues.chains import detach
from synap.store.kinds.queues.failures import OVERFLOWED, die
from synap.store.kinds.queues.message_ids import ID_BYTES
from synap.store.kinds.queues.messages import add_message, forget, lacks_place, lacks_place_to_expire
from synap.store.kinds.queues.queue_layout import (
    BLOCKED_COUNT,
    DELAYED_COUNT,
    DEPTH_MAX,
    DROPPED,
    DROPS,
    DROPS_TO_DEAD,
    ID_A,
    OVERFLOW,
    READY,
    READY_COUNT,
    TTL_MS,
)
from synap.store.memory import codes, decided, tables
from synap.store.memory.layout import CHANCE, DECIDED
from synap.store.memory.refusals import BAD_AMOUNT, BAD_PRIORITY, POSITIVE_COUNT
from synap.store.memory.tapes import set_absent, text_at, text_size
from synap.store.slots import queues as slots


@kernel
def given_or(words, tape, given, value, default):
    """Return the number in slot `value` of a tape if slot `given` is 1, else the default."""
    return words[tape + value] if words[tape + given] else default


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
def expiry_of(words, queue, given, ttl, now):
    """Return when a message that is published now expires (ms), 0: never. A TTL of 0 means never, too."""
    ttl = ttl if given else words[queue + TTL_MS]
    return now + ttl if ttl else 0


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
    held = words[queue + READY_COUNT] + words[queue + DELAYED_COUNT] + words[queue + BLOCKED_COUNT]
    return words[queue + DEPTH_MAX] - held


@kernel
def may_get(words, queue):
    """Return True if a queue has a place for one more message, or would drop another for it."""
    return free_places(words, queue) > 0 or (words[queue + OVERFLOW] >= DROPS and words[queue + READY_COUNT] > 0)


@kernel
def make_place(words, octets, queue, now):
    """Drop the oldest ready message of the lowest priority from a full queue that drops for newer ones."""
    if words[queue + OVERFLOW] < DROPS or free_places(words, queue) > 0 or words[queue + READY_COUNT] == 0:
        return
    chain = queue + READY
    while words[chain] == 0:
        chain += 2
    message = words[chain]
    detach(words, queue, message)
    words[queue + DROPPED] += 1
    if words[queue + OVERFLOW] == DROPS_TO_DEAD:
        extras.note_failure(words, octets, message, now, OVERFLOWED, 0, 0, 0, 0)
        die(words, queue, message)
    else:
        forget(words, octets, queue, message)


@kernel
def lacks_room(words, queue, due, expires):
    """Return True if there is no memory for the places of one message that is delayed, or that expires."""
    return (due and lacks_place(words, queue)) or (expires and lacks_place_to_expire(words, queue))


@kernel
def begin_put(words, octets, tape, queue, headers, group, priority, limit, due, expires):
    """Begin the `queue.put_many` that the log gets, with the texts in three slots of the tape of a publish."""
    decided.begin(words, codes.QUEUE_PUT_MANY, words[tape - 2], slots.QUEUE_PUT_MANY_SLOTS)
    decided.put_argument(words, octets, slots.QUEUE_PUT_MANY_QUEUE, tape, queue)
    decided.put_number(words, slots.QUEUE_PUT_MANY_PRIORITY, priority)
    decided.put_number(words, slots.QUEUE_PUT_MANY_MAX_RETRIES, limit)
    decided.put_argument(words, octets, slots.QUEUE_PUT_MANY_HEADERS, tape, headers)
    decided.put_number(words, slots.QUEUE_PUT_MANY_DUE, due)
    decided.put_number(words, slots.QUEUE_PUT_MANY_EXPIRES, expires)
    decided.put_argument(words, octets, slots.QUEUE_PUT_MANY_GROUP, tape, group)
    decided.put_group(words, slots.QUEUE_PUT_MANY_PUTS)


@kernel
def put_one(
    words, octets, tape, payload, headers, group, dedup, queue, id_a, id_b, priority, limit, due, expires, now
):
    """Add a message with this id and the texts in four slots of a tape; return it, or 0 without memory.

    If the queue is full, another is dropped for it. A `dedup` below 0 is no slot, an empty text no key.
    """
    make_place(words, octets, queue, now)
    message = add_message(
        words, octets, tape, payload, headers, group, queue, id_a, id_b, priority, limit, due, expires, now
    )
    if message and dedup >= 0 and text_size(words, tape, dedup):
        start, size = text_at(words, tape, dedup), text_size(words, tape, dedup)
        if not publish_keys.add_key(words, octets, queue, start, size, id_a, id_b, now):
            return 0
    return message


@kernel
def decide_one(words, octets, tape, message, payload, dedup):
    """Add a message, with the texts in two slots of its tape, to the `queue.put_many` of the log."""
    put = decided.add_item(words, slots.QUEUE_PUT_MANY_PUTS, slots.QUEUE_PUT_MANY_PUTS_STRIDE)
    decided.put_text(words, octets, put + slots.QUEUE_PUT_MANY_PUTS_ID, (message + ID_A) * 8, ID_BYTES, 0)
    decided.put_argument(words, octets, put + slots.QUEUE_PUT_MANY_PUTS_PAYLOAD, tape, payload)
    set_absent(words, DECIDED, put + slots.QUEUE_PUT_MANY_PUTS_DEDUP)
    if dedup >= 0:
        decided.put_argument(words, octets, put + slots.QUEUE_PUT_MANY_PUTS_DEDUP, tape, dedup)
