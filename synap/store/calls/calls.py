"""Carries out one call: passes the guards, runs the row, and writes the change to the log.

The lane, an EXEC, a surface that built its tape in Python (`perform`) and a batch of envelopes all use `call`. Its
order of steps holds for the whole server: the guards (`admit`), then log space, then the row, then the seq and the
frame of its change. Only a replay does not use it (`frames.replay`), because its refusals have been decided before.
A row that runs in Python passes the same guards (`admit_handler`), and so do arrays of keys (`bulk`), which are stored
and framed a batch at a time.
"""

from synap.compiler.jit import inlined, kernel, outlined
from synap.kernels.spans import bare, call_clock, call_door
from synap.store.memory import arena, frames, limits
from synap.store.memory.layout import (
    CHANCE,
    CHANGED,
    CLOCK,
    COUNTER_CHANGES,
    COUNTER_REFUSALS,
    COUNTER_WORDS,
    COUNTERS,
    DOORS,
    EVICTS_SELF,
    FLAG_ABOVE_MAX,
    FLAG_ADMIN,
    FLAG_GROWS,
    FLAG_LOADING,
    FLAG_READ,
    FLAG_SIGNED_OUT,
    FLAG_WRITE,
    FULL,
    GUARD_BROKEN_LOG,
    GUARD_LOADING,
    GUARD_NO_ADMIN,
    GUARD_NO_READS,
    GUARD_NO_WRITES,
    GUARD_RATE,
    GUARD_READ_ONLY,
    GUARD_SIGNED_OUT,
    IN_GROUP,
    KEY_HITS,
    KEY_MISSES,
    LACKED,
    NOW,
    REFUSE,
    REFUSE_CALLER,
    REFUSED,
    REPLY,
    REPLY_BYTES_MAX,
    REPLY_ITEMS_MAX,
    ROW_CODE,
    ROW_FLAGS,
    ROW_NEEDS_WORDS,
    ROW_SIZE,
    ROWS,
    SEQ,
    STATUS_MASK,
    TIMES,
    TIMES_SIZE,
    UNPREPARED,
    WORDS_USED,
)
from synap.store.memory.refusals import (
    LOADING,
    LOG_FAILED,
    NO_PERMISSION,
    NOT_SIGNED_IN,
    OUT_OF_MEMORY,
    RATE_LIMITED,
    READ_ONLY,
)
from synap.store.upkeep import eviction

TIMED = 16  # one of so many calls of a row is timed
ROUNDS = 4  # runs of a row that asks for more memory each time
LITTLE = 65_536  # bytes of the texts of a call that may grow above max_memory


@kernel
def guard(refuse, flags):
    """Return the refusal of rows with these flags by the guards in the bits `refuse`, or 0. The first guard decides."""
    if flags & FLAG_SIGNED_OUT:
        return 0
    if refuse & GUARD_SIGNED_OUT:
        return NOT_SIGNED_IN
    if (
        (refuse & GUARD_NO_ADMIN and flags & FLAG_ADMIN)
        or (refuse & GUARD_NO_WRITES and flags & FLAG_WRITE)
        or (refuse & GUARD_NO_READS and flags & FLAG_READ)
    ):
        return NO_PERMISSION
    if refuse & GUARD_READ_ONLY and flags & FLAG_WRITE:
        return READ_ONLY
    if refuse & GUARD_LOADING and not flags & FLAG_LOADING:
        return LOADING
    if refuse & GUARD_BROKEN_LOG and flags & FLAG_WRITE:
        return LOG_FAILED
    return 0


@inlined
def admit(words, octets, row, tape_size, blob_size, now):
    """Return the refusal of a call before it runs, or 0: `guard`, then memory, then the rate of the caller.

    A row that grows evicts keys if memory is full. A row that may grow a little above max_memory needs only address
    space. In a transaction nothing is evicted under a policy of eviction; its calls may exceed max_memory by a quarter,
    and so may those of a script with allow-oom.

    A pause is no refusal: whoever receives a call waits with it (engine/diagnostics.py).
    """
    flags = words[row + ROW_FLAGS]
    refuse = words[REFUSE] | words[REFUSE_CALLER]
    if refuse:
        refusal = guard(refuse, flags)
        if refusal:
            return refusal
    if flags & FLAG_GROWS:
        needed = limits.rounded(blob_size) + (words[row + ROW_NEEDS_WORDS] + tape_size) * 8
        if flags & FLAG_ABOVE_MAX and blob_size <= LITTLE:
            if limits.crowded(words, needed):
                return OUT_OF_MEMORY
        elif words[IN_GROUP] and limits.may_exceed(words):
            if limits.crowded(words, needed) or limits.overfull(words, needed):
                return OUT_OF_MEMORY
        elif not eviction.has_memory(words, octets, now, needed):
            return OUT_OF_MEMORY
    return RATE_LIMITED if refuse & GUARD_RATE and not flags & FLAG_SIGNED_OUT else 0


@kernel
def ticks(words):
    """Return the monotonic clock in ns; 0 without a clock."""
    return call_clock(words[CLOCK]) if words[CLOCK] else 0


@kernel
def note_time(words, row, took):
    """Count a call of this row that took `took` ns, in the row's histogram of powers of two."""
    place = TIMES + TIMES_SIZE * ((row - ROWS) // ROW_SIZE)
    words[place] += 1
    words[place + 1] += took
    bucket = 0
    while took > 1 and bucket < TIMES_SIZE - 3:
        took >>= 1
        bucket += 1
    words[place + 2 + bucket] += 1


@outlined
def run_again(words, octets, code, tape, tape_size, blob_size, now, reply):
    """Evict keys for the memory that a row has lacked, and run it again; return the status of the row.

    A row asks for memory before it changes anything (`limits.lacks`), so it begins anew. It may ask for more then.
    """
    for _ in range(ROUNDS):
        arena.free_deferred(words)
        needed = words[LACKED] - words[WORDS_USED] * 8
        if words[EVICTS_SELF] or words[IN_GROUP] or not eviction.has_memory(words, octets, now, needed):
            break
        words[LACKED] = 0
        if not frames.log_has_space(words, tape_size, blob_size):  # behind the frames of what was evicted
            break
        status = call_door(words[DOORS + (code >> 8)], words, octets, code, tape, now, words[SEQ] + 1, reply)
        if status & STATUS_MASK != OUT_OF_MEMORY or words[LACKED] == 0:
            return status
    return OUT_OF_MEMORY


@inlined
def call(words, octets, row, tape, tape_size, blob_size, now, reply):
    """Carry out one row: refuse the call, or run it and give its change a seq and a frame; return the status.

    One call in TIMED is timed: reading the clock twice for each would take a fifth of the time of a GET.
    """
    flags = words[row + ROW_FLAGS]
    code = words[row + ROW_CODE]
    words[NOW] = now
    counter = COUNTERS + COUNTER_WORDS * code
    words[counter] += 1
    refusal = admit(words, octets, row, tape_size, blob_size, now)
    if refusal:
        words[counter + COUNTER_REFUSALS] += 1
        return refusal
    if flags & FLAG_WRITE and not frames.log_has_space(words, tape_size, blob_size):
        words[counter + COUNTER_REFUSALS] += 1
        return LOG_FAILED
    hits = words[KEY_HITS]
    misses = words[KEY_MISSES]
    chance = words[CHANCE]
    timed = words[counter] & (TIMED - 1) == 1
    begun = ticks(words) if timed else 0
    words[LACKED] = 0
    status = call_door(words[DOORS + (code >> 8)], words, octets, code, tape, now, words[SEQ] + 1, reply)
    if words[LACKED] and status & STATUS_MASK == OUT_OF_MEMORY:
        status = run_again(words, octets, code, tape, tape_size, blob_size, now, reply)
    if timed:
        note_time(words, row, ticks(words) - begun)
    what = status & STATUS_MASK
    if flags & FLAG_WRITE or what == FULL:  # only reads count
        words[KEY_HITS] = hits
        words[KEY_MISSES] = misses
    if FULL <= what <= UNPREPARED:  # the call is made again, and draws the same; or counted when its wait ends
        words[counter] -= 1
        words[CHANCE] = chance
    if status & CHANGED:
        words[counter + COUNTER_CHANGES] += 1
        frames.journal(words, octets, code, now, status, words[reply], tape, tape_size, blob_size)
    elif what >= REFUSED:
        words[counter + COUNTER_REFUSALS] += 1
    return status


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64, int64, int64, int64, int64)")
def perform(words, octets, row, tape, tape_size, blob_size, now, refuse, items_max, bytes_max):
    """Carry out a call whose tape was built in Python, for a caller with the guards `refuse`.

    The reply is left in REPLY, and blocks to free in DEFERRED.
    """
    words = bare(words)
    octets = bare(octets)
    words[REFUSE_CALLER] = refuse
    words[REPLY_ITEMS_MAX] = items_max
    words[REPLY_BYTES_MAX] = bytes_max
    return call(words, octets, row, tape, tape_size, blob_size, now, REPLY)


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64, int64)")
def admit_handler(words, octets, row, tape_size, blob_size, now, refuse):
    """Return the refusal of a call that runs in Python, as `admit` does, for a caller with the guards `refuse`."""
    words = bare(words)
    octets = bare(octets)
    words[REFUSE_CALLER] = refuse
    return admit(words, octets, row, tape_size, blob_size, now)


@kernel("void(int64[::1], uint8[::1])")
def settle(words, octets):
    """Free the blocks that the last call left in the deferred list, after its reply has been read."""
    words = bare(words)
    octets = bare(octets)
    arena.free_deferred(words)
