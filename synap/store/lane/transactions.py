"""MULTI and EXEC: packs the calls of a transaction into the session's queue, and carries them out as one group.

    packed call   row | words in all | tape words | namespace | blob bytes | tape | blob        see layout.PACKED_*

The two words before the tape belong to the tape, so a queued call runs in place. The frames of one EXEC are marked as
one group (`frames.journal`).
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import bare, move
from synap.store.calls import calls
from synap.store.lane import resp
from synap.store.memory import arena, codes
from synap.store.memory.layout import (
    BROKEN,
    COUNTER_REFUSALS,
    COUNTER_WORDS,
    COUNTERS,
    DEFERRED_COUNT,
    FLAG_HANDLER,
    FLAG_SCRIPT,
    FLAG_WAITS,
    FULL,
    GUARD_RATE,
    IN_GROUP,
    IN_MULTI,
    LANE_OUT,
    MULTI_BROKEN,
    MULTI_NEEDS_PYTHON,
    OUT_END,
    PACKED_BLOB,
    PACKED_HEAD,
    PACKED_NAMESPACE,
    PACKED_ROW,
    PACKED_TAPE,
    PACKED_WORDS,
    REFUSE,
    REFUSE_CALLER,
    REPLY,
    REPLY_BYTES_MAX,
    REPLY_ITEMS_LANE,
    REPLY_ITEMS_MAX,
    ROW_CODE,
    ROW_FLAGS,
    SESSION_FLAGS,
    SESSION_NAMESPACE,
    SESSION_QUEUE,
    SESSION_QUEUE_CAPACITY,
    SESSION_QUEUE_USED,
    SESSION_QUEUED,
    SESSION_RESP,
    SESSION_WATCHED,
    STATUS_MASK,
    TAPE,
)
from synap.store.memory.refusals import (
    DISCARD_WITHOUT_MULTI,
    EXEC_ABORTED,
    EXEC_WITHOUT_MULTI,
    NESTED_MULTI,
    OUT_OF_MEMORY,
)

QUEUE_WORDS_MIN = 512  # enough for a transaction of ten commands


@kernel
def enqueue(words, octets, session, row, tape, tape_size, blob_size):
    """Append a call to the session's queue for EXEC; return False if there is no memory.

    A call whose arguments were refused is queued as well, so that EXEC replies with the refusal: the negative refusal
    stands for the tape size, and the word at fault for the blob.
    """
    slots = max(tape_size, 0)
    size = PACKED_HEAD + slots + ((blob_size + 7) >> 3)
    used = words[session + SESSION_QUEUE_USED]
    if used + size > words[session + SESSION_QUEUE_CAPACITY]:
        capacity = max(words[session + SESSION_QUEUE_CAPACITY] * 2, used + size, QUEUE_WORDS_MIN)
        block = arena.allocate(words, capacity)
        if block == 0:
            return False
        old = words[session + SESSION_QUEUE]
        if old:
            move(octets, block * 8, old * 8, used * 8)
            arena.release(words, old)
        words[session + SESSION_QUEUE] = block
        words[session + SESSION_QUEUE_CAPACITY] = arena.capacity(words, block)
    at = words[session + SESSION_QUEUE] + used
    words[at + PACKED_ROW] = row
    words[at + PACKED_WORDS] = size
    words[at + PACKED_TAPE] = tape_size
    for i in range(tape_size):
        words[at + PACKED_HEAD + i] = words[tape + i]
    move(octets, (at + PACKED_HEAD + slots) * 8, words[tape - 1], blob_size)
    words[at + PACKED_NAMESPACE] = words[session + SESSION_NAMESPACE]
    words[at + PACKED_BLOB] = blob_size
    words[session + SESSION_QUEUE_USED] = used + size
    words[session + SESSION_QUEUED] += 1
    if tape_size < 0 or words[row + ROW_FLAGS] & (FLAG_HANDLER | FLAG_WAITS | FLAG_SCRIPT):
        words[session + SESSION_FLAGS] |= MULTI_NEEDS_PYTHON
    return True


@kernel
def needs_python(words, session):
    """Return True if Python has to carry out EXEC: for how a call was queued, or for a row that runs in Python by now,
    since somebody has begun to listen to its events."""
    if words[session + SESSION_FLAGS] & MULTI_NEEDS_PYTHON:
        return True
    entry = words[session + SESSION_QUEUE]
    for _ in range(words[session + SESSION_QUEUED]):
        if words[words[entry + PACKED_ROW] + ROW_FLAGS] & FLAG_HANDLER:
            return True
        entry += words[entry + PACKED_WORDS]
    return False


@kernel
def end_multi(words, session):
    """Leave MULTI: drop the queued calls and clear the flags."""
    if words[session + SESSION_QUEUE]:
        arena.release(words, words[session + SESSION_QUEUE])
    words[session + SESSION_QUEUE] = 0
    words[session + SESSION_QUEUE_CAPACITY] = 0
    words[session + SESSION_QUEUE_USED] = 0
    words[session + SESSION_QUEUED] = 0
    words[session + SESSION_FLAGS] &= ~(IN_MULTI | MULTI_BROKEN | MULTI_NEEDS_PYTHON)


@kernel
def queued_call(words, octets, entry, now, reply):
    """Carry out one queued call; return its status."""
    tape = entry + PACKED_HEAD
    tape_size = words[entry + PACKED_TAPE]
    blob_size = words[entry + PACKED_BLOB]
    words[tape - 1] = (tape + tape_size) * 8
    status = calls.call(words, octets, words[entry + PACKED_ROW], tape, tape_size, blob_size, now, reply)
    words[tape - 1] = blob_size  # restored, because a FULL call is made again
    return status


@kernel
def execute(words, octets, session, out, now):
    """Carry out EXEC in the lane; return the end of the replies, or -1 if Python has to go on.

    The sizes of the replies are not known before the calls run. So each call may use the space that is left in the out
    region, and at the first call that lacks space or fails as BROKEN, Python takes over (`LARGE`): SESSION_WATCHED + 1
    and + 2 hold the number of calls done and the next entry, LANE_OUT the end of the replies written so far.
    """
    version = words[session + SESSION_RESP]
    count = words[session + SESSION_QUEUED]
    entry = words[session + SESSION_QUEUE]
    start = resp.put_line(octets, out, resp.STAR, count)
    words[IN_GROUP] = 1
    words[REFUSE_CALLER] &= ~GUARD_RATE  # the calls were counted when they were queued
    for i in range(count):
        words[REPLY_ITEMS_MAX] = REPLY_ITEMS_LANE
        words[REPLY_BYTES_MAX] = OUT_END - start
        status = FULL
        if start + resp.SHORT_REPLY <= OUT_END:
            status = queued_call(words, octets, entry, now, REPLY)
        if status & STATUS_MASK == FULL or status & STATUS_MASK == BROKEN:
            words[session + SESSION_WATCHED + 1] = i  # number of calls done
            words[session + SESSION_WATCHED + 2] = entry
            words[LANE_OUT] = start
            return -1
        start = resp.put_reply(words, octets, start, words[entry + PACKED_ROW], status, REPLY, version)
        if words[DEFERRED_COUNT]:
            arena.free_deferred(words)
        entry += words[entry + PACKED_WORDS]
    words[IN_GROUP] = 0
    end_multi(words, session)
    return start


@kernel
def control(words, octets, session, code, out):
    """Carry out MULTI, DISCARD, or an EXEC that is refused at once; return the end of the reply, or 0.

    The result is 0 for an EXEC that has to run (see `execute`), and wherever Python has to deal with watched keys.
    """
    flags = words[session + SESSION_FLAGS]
    if code == codes.TRANSACTION_MULTI:
        if flags & IN_MULTI:
            return resp.put_refusal(words, octets, out, 0, NESTED_MULTI, 0)
        words[session + SESSION_FLAGS] |= IN_MULTI
        return put_word(octets, out, 0)
    if code == codes.TRANSACTION_DISCARD:
        if not flags & IN_MULTI:
            return resp.put_refusal(words, octets, out, 0, DISCARD_WITHOUT_MULTI, 0)
        if words[session + SESSION_WATCHED]:
            return 0
        end_multi(words, session)
        return put_word(octets, out, 0)
    if not flags & IN_MULTI:
        return resp.put_refusal(words, octets, out, 0, EXEC_WITHOUT_MULTI, 0)
    if flags & MULTI_BROKEN and not words[session + SESSION_WATCHED]:
        end_multi(words, session)
        return resp.put_refusal(words, octets, out, 0, EXEC_ABORTED, 0)
    return 0


@kernel
def run_control(words, octets, session, row, out, now):
    """Carry out MULTI, DISCARD or EXEC, which begins its reply at octet `out`; return the end of the reply.

    The result is 0 if Python has to carry out the command, negative if Python has to finish EXEC (see `execute`).
    """
    refuse = words[REFUSE] | words[REFUSE_CALLER]
    refusal = calls.guard(refuse, words[row + ROW_FLAGS]) if refuse else 0
    if refusal:
        return resp.put_refusal(words, octets, out, row, refusal, 0)
    code = words[row + ROW_CODE]
    written = control(words, octets, session, code, out)
    if written == 0 and code == codes.TRANSACTION_EXEC:
        if words[session + SESSION_WATCHED] == 0 and not needs_python(words, session):
            return execute(words, octets, session, out, now)
    return written


@kernel
def queue(words, octets, session, row, tape_size, blob_size, out, now):
    """Queue the call in TAPE for EXEC, or refuse it, which breaks the transaction; return the end of the reply."""
    refusal = calls.admit(words, octets, row, tape_size, blob_size, now)
    if not refusal and not enqueue(words, octets, session, row, TAPE, tape_size, blob_size):
        refusal = OUT_OF_MEMORY
    if not refusal:
        return put_word(octets, out, 1)
    words[session + SESSION_FLAGS] |= MULTI_BROKEN
    words[COUNTERS + COUNTER_WORDS * words[row + ROW_CODE] + COUNTER_REFUSALS] += 1
    return resp.put_refusal(words, octets, out, row, refusal, 0)


@kernel
def put_word(octets, out, queued):
    """Write +OK, or +QUEUED if `queued`; return the octet behind it."""
    text = (43, 79, 75, 13, 10, 0, 0, 0, 0)
    size = 5
    if queued:
        text = (43, 81, 85, 69, 85, 69, 68, 13, 10)
        size = 9
    for i in range(size):
        octets[out + i] = text[i]
    return out + size


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64)")
def enqueue_call(words, octets, session, row, tape_size, blob_size):
    """Append the call in TAPE to the session's queue; return 1, or 0 without memory."""
    words = bare(words)
    octets = bare(octets)
    return 1 if enqueue(words, octets, session, row, TAPE, tape_size, blob_size) else 0


@kernel("void(int64[::1], uint8[::1], int64)")
def leave_multi(words, octets, session):
    """Drop the queued calls of a session, and leave MULTI."""
    words = bare(words)
    octets = bare(octets)
    end_multi(words, session)
