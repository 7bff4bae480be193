"""Extras of messages: when a message expires, and the history of its failures."""

from synap.compiler.jit import kernel
from synap.kernels import heaps
from synap.kernels.spans import move
from synap.store.kinds.queues.queue_layout import (
    CAUSE,
    EXPIRES,
    EXPIRIES,
    EXPIRING,
    EXPIRING_CAPACITY,
    EXPIRING_COUNT,
    EXPIRY_PLACE,
    EXPIRY_SERIAL,
    EXTRAS,
    EXTRAS_WORDS,
    FAILED_AT,
    FAILURE_COUNT,
    FAILURE_FIRST,
    FAILURE_LAST,
    FAILURE_NEXT,
    FAILURE_SIZES,
    FAILURE_WORDS,
    FAILURES_KEPT,
    OWNER,
)
from synap.store.memory import arena
from synap.store.memory.layout import WORD
from synap.store.records import timers


@kernel
def extras_of(words, message):
    """Return the extras of a message, made if it has none; 0 without memory."""
    extras = words[message + EXTRAS]
    if extras == 0:
        extras = arena.allocate(words, EXTRAS_WORDS)
        if extras == 0:
            return 0
        for i in range(EXTRAS_WORDS):
            words[extras + i] = 0
        words[extras + OWNER] = message
        words[message + EXTRAS] = extras
    return extras


@kernel
def release(words, message):
    """Free the extras of a message, with the history of its failures."""
    extras = words[message + EXTRAS]
    if extras:
        while words[extras + FAILURE_FIRST]:
            drop_failure(words, extras)
        arena.release(words, extras)
        words[message + EXTRAS] = 0


@kernel
def expires_at(words, message):
    """Return when a message expires (ms), or 0."""
    extras = words[message + EXTRAS]
    return words[extras + EXPIRES] if extras else 0


@kernel
def is_expired(words, message, now):
    """Return True if a message has expired."""
    return words[message + EXTRAS] != 0 and 0 < words[words[message + EXTRAS] + EXPIRES] <= now


@kernel
def expire_at(words, octets, queue, message, due):
    """Let a message expire at `due` (ms); return False without memory."""
    words[queue + EXPIRIES] += 1
    return expire_as(words, octets, queue, message, due, words[queue + EXPIRIES])


@kernel
def expire_as(words, octets, queue, message, due, serial):
    """Let a message with this number expire at `due` (ms); return False without memory."""
    extras = extras_of(words, message)
    block, capacity = timers.grow(
        words, octets, words[queue + EXPIRING], words[queue + EXPIRING_COUNT], words[queue + EXPIRING_CAPACITY]
    )
    if extras == 0 or block == 0:
        return False
    words[queue + EXPIRING] = block
    words[queue + EXPIRING_CAPACITY] = capacity
    words[extras + EXPIRES] = due
    words[extras + EXPIRY_SERIAL] = serial
    heaps.push(words, block, words[queue + EXPIRING_COUNT], due, extras, EXPIRY_PLACE, EXPIRY_SERIAL)
    words[queue + EXPIRING_COUNT] += 1
    return True


@kernel
def leave_expiring(words, queue, message):
    """Take a message out of the heap of those that expire, if it is in there."""
    extras = words[message + EXTRAS]
    if extras == 0 or words[extras + EXPIRY_PLACE] == 0:
        return
    heaps.remove(
        words, words[queue + EXPIRING], words[queue + EXPIRING_COUNT], words[extras + EXPIRY_PLACE] - 1,
        EXPIRY_PLACE, EXPIRY_SERIAL,
    )  # fmt: skip
    words[queue + EXPIRING_COUNT] -= 1


@kernel
def drop_failure(words, extras):
    """Remove the oldest entry of a history."""
    entry = words[extras + FAILURE_FIRST]
    words[extras + FAILURE_FIRST] = words[entry + FAILURE_NEXT]
    if words[extras + FAILURE_FIRST] == 0:
        words[extras + FAILURE_LAST] = 0
    words[extras + FAILURE_COUNT] -= 1
    arena.release(words, entry)


@kernel
def note_failure(words, octets, message, at, cause, who, who_size, why, why_size):
    """Add an entry to the history of a message, which keeps the last FAILURES_KEPT: the time, the cause (up to eight
    letters in an int64), the name of the consumer and a reason, each as octet and size.

    Without address space there is no entry; rows that grow are refused long before.
    """
    extras = extras_of(words, message)
    if extras == 0:
        return
    entry = arena.allocate(words, FAILURE_WORDS + ((who_size + why_size + 7) >> 3))
    if entry == 0:
        return
    words[entry + FAILURE_NEXT] = 0
    words[entry + FAILED_AT] = at
    words[entry + CAUSE] = cause
    words[entry + FAILURE_SIZES] = who_size << 32 | why_size
    text = (entry + FAILURE_WORDS) * WORD
    move(octets, text, who, who_size)
    move(octets, text + who_size, why, why_size)
    last = words[extras + FAILURE_LAST]
    if last:
        words[last + FAILURE_NEXT] = entry
    else:
        words[extras + FAILURE_FIRST] = entry
    words[extras + FAILURE_LAST] = entry
    words[extras + FAILURE_COUNT] += 1
    if words[extras + FAILURE_COUNT] > FAILURES_KEPT:
        drop_failure(words, extras)


@kernel
def cause_size(cause):
    """Return how many letters the word of a cause has."""
    size = 0
    while size < WORD and (cause >> (8 * size)) & 0xFF:
        size += 1
    return size
