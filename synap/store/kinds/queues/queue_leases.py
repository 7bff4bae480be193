"""Rows about leases of queues: acknowledge (ack), reject (nack), renew and release.

A failed delivery (a nack, a lease that ends, a consumer that disconnects) counts: with more than `retries_max`
failures the message becomes a dead letter, else it goes to the end of its priority, or waits for the back-off of its
queue. A nack that does not ask for another delivery makes it a dead letter at once.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import same
from synap.ranges import REASON_MAX
from synap.store.kinds.queues import rates
from synap.store.kinds.queues.chains import append, detach, state_of
from synap.store.kinds.queues.failures import DISCONNECTED, NACK, fail
from synap.store.kinds.queues.holders import end_hold
from synap.store.kinds.queues.message_ids import parse_receipt
from synap.store.kinds.queues.messages import deliveries_of, forget, locate_message, open_queue, set_timer
from synap.store.kinds.queues.queue_layout import (
    ACK_DEADLINE_MS,
    ACKED,
    ACTIVE_UNTIL,
    DEADLINE,
    HELD_BY,
    HOLDER_NAME_SIZE,
    HOLDER_WORDS,
    IS_LEASED,
    LEASED_COUNT,
    SINGLE,
)
from synap.store.memory.layout import BROKEN, CHANGED, DONE, NUMBER
from synap.store.memory.refusals import (
    MESSAGE_MISSING,
    QUEUE_MISSING,
    REASON_TOO_LONG,
    RECEIPT_LATE,
)
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import set_scalar, text_at, text_size
from synap.store.records import keyspace
from synap.store.slots import queues as slots


@kernel
def find_leased(words, octets, tape, queue, message_id):
    """Return (leased message or 0, whether a receipt is given) of the id or receipt in slot `message_id`.

    With a receipt, the message must be in this delivery.
    """
    start, size = text_at(words, tape, message_id), text_size(words, tape, message_id)
    id_a, id_b, delivery, valid = parse_receipt(octets, start, size)
    if not valid:
        return 0, False
    seat = locate_message(words, octets, queue, id_a, id_b)
    if seat == 0:
        return 0, delivery > 0
    message = words[seat] & REF_MASK
    if state_of(words, message) != IS_LEASED or (delivery and deliveries_of(words, message) != delivery):
        return 0, delivery > 0
    return message, delivery > 0


@kernel
def holds(words, octets, message, start, size):
    """Return True if the consumer with this name holds a leased message."""
    holder = words[message + HELD_BY]
    if words[holder + HOLDER_NAME_SIZE] != size:
        return False
    return same(octets, (holder + HOLDER_WORDS) * 8, start, size)


@kernel
def find_lease(words, octets, tape, queue, message_id, has_consumer, consumer_id):
    """Return (refusal or 0, message) of the lease whose message id or receipt is in slot `message_id`.

    If slot `has_consumer` is 1, the consumer named in slot `consumer_id` must hold it.
    """
    message, by_receipt = find_leased(words, octets, tape, queue, message_id)
    if message and words[tape + has_consumer]:
        start, size = text_at(words, tape, consumer_id), text_size(words, tape, consumer_id)
        message = message if holds(words, octets, message, start, size) else 0
    if message:
        return 0, message
    return (RECEIPT_LATE if by_receipt else MESSAGE_MISSING), message


@kernel
def settle(words, octets, queue, message, now):
    """Acknowledge a leased message: remove it from its queue."""
    end_hold(words, octets, queue, message)
    detach(words, queue, message)
    forget(words, octets, queue, message)
    rates.roll(words, queue, now)
    words[queue + ACKED] += 1


@kernel
def ack(words, octets, tape, now, reply):
    """Acknowledge a leased message: remove it from the queue."""
    h, queue = open_queue(words, octets, tape, slots.QUEUE_ACK_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    refusal, message = find_lease(
        words, octets, tape, queue,
        slots.QUEUE_ACK_MESSAGE_ID, slots.QUEUE_ACK_HAS_CONSUMER, slots.QUEUE_ACK_CONSUMER_ID,
    )  # fmt: skip
    if refusal:
        return refusal
    settle(words, octets, queue, message, now)
    if not set_timer(words, octets, queue):
        return BROKEN
    keyspace.touched(words, octets, h)  # a place for its consumer, or the turn of the next one of its group
    return DONE | CHANGED


@kernel
def renew(words, octets, tape, now, reply):
    """Let a lease last for the ack deadline of its queue from now on; reply with its end, in ms.

    It is then the last one to end, as that of a message leased now would be.
    """
    _, queue = open_queue(words, octets, tape, slots.QUEUE_RENEW_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    refusal, message = find_lease(
        words, octets, tape, queue,
        slots.QUEUE_RENEW_MESSAGE_ID, slots.QUEUE_RENEW_HAS_CONSUMER, slots.QUEUE_RENEW_CONSUMER_ID,
    )  # fmt: skip
    if refusal:
        return refusal
    words[message + DEADLINE] = now + words[queue + ACK_DEADLINE_MS]
    detach(words, queue, message)
    append(words, queue, message, IS_LEASED)
    if not set_timer(words, octets, queue):
        return BROKEN
    set_scalar(words, reply, words[message + DEADLINE])
    return NUMBER | CHANGED


@kernel
def nack(words, octets, tape, now, reply):
    """Reject a leased message: count a failed delivery. With DROP the message is not to be delivered again."""
    h, queue = open_queue(words, octets, tape, slots.QUEUE_NACK_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    refusal, message = find_lease(
        words, octets, tape, queue,
        slots.QUEUE_NACK_MESSAGE_ID, slots.QUEUE_NACK_HAS_CONSUMER, slots.QUEUE_NACK_CONSUMER_ID,
    )  # fmt: skip
    if refusal:
        return refusal
    why, size = text_at(words, tape, slots.QUEUE_NACK_REASON), text_size(words, tape, slots.QUEUE_NACK_REASON)
    if size > REASON_MAX:
        return REASON_TOO_LONG
    fail(words, octets, queue, message, words[tape + slots.QUEUE_NACK_DROP] == 0, NACK, why, size, now)
    keyspace.touched(words, octets, h)
    return DONE | CHANGED if set_timer(words, octets, queue) else BROKEN


@kernel
def release(words, octets, tape, now, reply):
    """Fail the lease of a consumer that has disconnected, if it ends at the deadline given.

    Reply with NUMBER 1 if it does, else 0.
    """
    h, queue = open_queue(words, octets, tape, slots.QUEUE_RELEASE_QUEUE)
    set_scalar(words, reply, 0)
    if queue == 0:
        return NUMBER
    message, _ = find_leased(words, octets, tape, queue, slots.QUEUE_RELEASE_MESSAGE_ID)
    if message == 0 or words[message + DEADLINE] != words[tape + slots.QUEUE_RELEASE_DEADLINE]:
        return NUMBER
    fail(words, octets, queue, message, True, DISCONNECTED, 0, 0, now)
    if words[queue + SINGLE] and words[queue + LEASED_COUNT] == 0:
        words[queue + ACTIVE_UNTIL] = now  # the active consumer has gone
    keyspace.touched(words, octets, h)
    words[reply] = 1
    return NUMBER | CHANGED if set_timer(words, octets, queue) else BROKEN
