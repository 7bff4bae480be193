"""What becomes of a message that was not acknowledged: delivered again, delayed, a dead letter, or expired."""

from synap.compiler.jit import kernel
from synap.ranges import MESSAGE_RETRIES_MAX, REASON_MAX
from synap.store.kinds.queues import extras, fifo_groups
from synap.store.kinds.queues.chains import append, detach, state_of
from synap.store.kinds.queues.holders import end_hold
from synap.store.kinds.queues.messages import delay, forget, take_out
from synap.store.kinds.queues.queue_layout import (
    BACKOFF,
    BACKOFF_LONGEST_MS,
    BACKOFF_MAX_MS,
    BACKOFF_MS,
    DEAD_LETTERED,
    DEADLINE,
    DOUBLED_MAX,
    EXPIRED,
    EXPIRED_TO,
    EXPIRES,
    EXPIRING,
    EXPIRING_COUNT,
    EXPIRY_SERIAL,
    EXPONENTIAL,
    EXTRAS,
    FAILURES_MASK,
    FAILURES_SHIFT,
    HELD_BY,
    HOLDER_NAME_SIZE,
    HOLDER_WORDS,
    ID_A,
    ID_B,
    IS_DEAD,
    IS_LEASED,
    IS_READY,
    JITTER,
    LIMIT_SHIFT,
    LINEAR,
    LINEAR_MAX,
    NACKED,
    OWNER,
    STATE,
    TO_DEAD,
)
from synap.store.memory.layout import WORD
from synap.store.records.state_hash import mix

# Causes of failures, as the history of a message has them: the letters of a word in an int64.
NACK = int.from_bytes(b"nack", "little")
DEADLINE_PASSED = int.from_bytes(b"deadline", "little")
DISCONNECTED = int.from_bytes(b"closed", "little")
OUTLIVED = int.from_bytes(b"expired", "little")
OVERFLOWED = int.from_bytes(b"overflow", "little")


@kernel
def backoff_of(words, queue, message, failures):
    """Return the ms that a message waits after so many failures: BACKOFF_MS, so many times as much (LINEAR), or twice
    as much after each (EXPONENTIAL); at most BACKOFF_MAX_MS, less a share of up to JITTER percent.

    The share is a hash of the id and the number, so that a replay finds the same.
    """
    wait = words[queue + BACKOFF_MS]
    if words[queue + BACKOFF] == LINEAR:
        wait = min(wait * min(failures, LINEAR_MAX), BACKOFF_LONGEST_MS)
    elif words[queue + BACKOFF] == EXPONENTIAL:
        for _ in range(min(failures - 1, DOUBLED_MAX)):
            wait = min(2 * wait, BACKOFF_LONGEST_MS)
    if words[queue + BACKOFF_MAX_MS]:
        wait = min(wait, words[queue + BACKOFF_MAX_MS])
    share = mix(mix(words[message + ID_A], words[message + ID_B]), failures) & 0xFFFF
    return wait - (wait * words[queue + JITTER] // 100 * share >> 16)


@kernel
def die(words, queue, message):
    """Make a message that is in no chain a dead letter; the next message of its group has its turn."""
    extras.leave_expiring(words, queue, message)
    if words[message + EXTRAS]:
        words[words[message + EXTRAS] + EXPIRES] = 0
    words[message + DEADLINE] = 0
    append(words, queue, message, IS_DEAD)
    words[queue + DEAD_LETTERED] += 1
    fifo_groups.end_turn(words, queue, message)


@kernel
def expire(words, octets, queue, message, now):
    """Remove a message that has expired and is in no chain, or make it a dead letter, as its queue says."""
    words[queue + EXPIRED] += 1
    if words[queue + EXPIRED_TO] != TO_DEAD:
        forget(words, octets, queue, message)
        return
    extras.note_failure(words, octets, message, now, OUTLIVED, 0, 0, 0, 0)
    die(words, queue, message)


@kernel
def expire_due(words, octets, queue, most, now):
    """Expire up to `most` messages whose time has come and that are not leased; return how many have left the heap."""
    count = 0
    while words[queue + EXPIRING_COUNT] and words[words[queue + EXPIRING]] <= now and count < most:
        message = words[words[words[queue + EXPIRING] + 1] + OWNER]
        extras.leave_expiring(words, queue, message)
        if state_of(words, message) == IS_LEASED:  # the lease goes on, and `fail` looks at the time
            words[words[message + EXTRAS] + EXPIRY_SERIAL] = 0
        else:
            take_out(words, queue, message)
            expire(words, octets, queue, message, now)
        count += 1
    return count


@kernel
def shortened(octets, start, size):
    """Return how many bytes of a consumer's name a history has: REASON_MAX at most, and no part of a character.

    A failed delivery needs no memory of `max_memory`, so what it adds has a limit.
    """
    if size <= REASON_MAX:
        return size
    size = REASON_MAX
    while size > REASON_MAX - 4 and octets[start + size] & 0xC0 == 0x80:
        size -= 1
    return size


@kernel
def fail(words, octets, queue, message, again, cause, why, why_size, now):
    """Count a failed delivery: move the message to the end of its priority, or to the dead letters, or delay it.

    It becomes a dead letter if `again` is False, or if it has failed more often than its retry limit. It is delayed in
    a queue with a back-off, whose heap has a place for each leased message (`places_wanted`). The cause and the reason,
    `why_size` bytes at octet `why`, go into its history.
    """
    holder = words[message + HELD_BY]
    who = (holder + HOLDER_WORDS) * WORD
    who_size = shortened(octets, who, words[holder + HOLDER_NAME_SIZE])
    extras.note_failure(words, octets, message, now, cause, who, who_size, why, why_size)
    end_hold(words, octets, queue, message)
    detach(words, queue, message)
    words[message + STATE] += 1 << FAILURES_SHIFT
    words[queue + NACKED] += 1
    failures = (words[message + STATE] >> FAILURES_SHIFT) & FAILURES_MASK
    words[message + DEADLINE] = 0
    if not again or failures > (words[message + STATE] >> LIMIT_SHIFT) & MESSAGE_RETRIES_MAX:
        die(words, queue, message)
        return
    if extras.is_expired(words, message, now):
        expire(words, octets, queue, message, now)
        return
    wait = backoff_of(words, queue, message, failures) if words[queue + BACKOFF] else 0
    if wait <= 0:
        append(words, queue, message, IS_READY)  # its group still has its turn
    else:
        delay(words, octets, queue, message, now + wait)
