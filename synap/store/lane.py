"""The lane: everything a socket read delivered, in one call.

    scan words -> find row -> fill tape -> call -> write reply           (and append the log frame)

`call` is the one place where a row is carried out, by whoever asked: the lane, an EXEC, a surface that
built its tape in Python (`perform`). The order in it is the promise of the whole server: refusals,
then room, then the row, then its seq and frame, then the notes for those who wait.

The lane stops at the first command that is not for it, and says why:

    HANDLER   a row with a handler, a refusal whose text needs Python, an inline command
    HITS      a key of interest was written: serve those who wait, then come back
    WAITING   the row parks its session
    OUT       the out region is full: send it, then come back
    LARGE     this one reply does not even fit into an empty out region
    FLUSH     enough frames wait to be written
    MORE      the budget is used up: let the other sockets have their turn
    CUT       what is left is the beginning of a command (or nothing)
    BAD       it is not RESP

LANE_AT is the octet of the command it stopped at, LANE_OUT the end of the replies.
"""

from synap.kernels.jit import kernel
from synap.kernels.spans import bare, call_door, move
from synap.store import arena, frames, grammar, resp
from synap.store.layout import (
    BROKEN,
    BYTES_MAX,
    CHANGED,
    COUNTERS,
    CURSOR_TOP,
    DISCARD_CODE,
    DOORS,
    EXEC_CODE,
    FLAG_CONTAINER,
    FLAG_CONTROL,
    FLAG_GROWS,
    FLAG_HANDLER,
    FLAG_WAITS,
    FLAG_WRITE,
    FULL,
    GUARD_BROKEN_LOG,
    GUARD_LOADING,
    GUARD_READ_ONLY,
    HITS_COUNT,
    IN_GROUP,
    IN_MULTI,
    LANE_AT,
    LANE_CALLS,
    LANE_OUT,
    LIMBO_COUNT,
    LOG_FLUSH_BYTES,
    LOG_TOP,
    MULTI_BROKEN,
    MULTI_CODE,
    MULTI_HARD,
    NAMES,
    NAMES_COUNT,
    OUT,
    OUT_BYTES,
    PAGE_BYTES,
    PAGES_USED,
    REFUSE,
    REFUSED,
    REPLY,
    REPLY_BYTES_MAX,
    REPLY_ITEMS_LANE,
    REPLY_ITEMS_MAX,
    ROW_CODE,
    ROW_FLAGS,
    ROW_ROOM,
    ROW_SCHEMA,
    ROW_SCHEMA_END,
    ROW_SLOTS,
    ROW_WORDS_MAX,
    ROW_WORDS_MIN,
    SEQ,
    SESSION_FLAGS,
    SESSION_NAMESPACE,
    SESSION_QUEUE,
    SESSION_QUEUE_ROOM,
    SESSION_QUEUE_USED,
    SESSION_QUEUED,
    SESSION_RESP,
    SESSION_WATCHED,
    STATUS_MASK,
    TAPE,
    WAIT,
    WORDS,
)
from synap.store.refusals import (
    DISCARD_WITHOUT_MULTI,
    EXEC_ABORTED,
    EXEC_WITHOUT_MULTI,
    LOADING,
    LOG_FAILED,
    NESTED_MULTI,
    OUT_OF_MEMORY,
    READ_ONLY,
)

CUT, HANDLER, HITS, WAITING, OUT_FULL, LARGE, FLUSH, MORE, BAD = range(9)
OUT_AT = OUT * 8
OUT_END = OUT_AT + OUT_BYTES
SHORT_REPLY = 1024  # bytes that a reply may take without having asked
NAME_BYTES_MAX = 64
QUEUE_HEAD = 5  # words of a queued call before its tape: row, words in all, tape words, then the tape's two
QUEUE_WORDS_MIN = 64


@kernel
def fold_name(octets, at, size, h):
    """Mix a word, whatever its case, into a hash of names."""
    for i in range(size):
        c = int(octets[at + i])
        if 97 <= c <= 122:
            c -= 32
        h = (h * 0x100000001B3) ^ c
        h ^= h >> 29
    return h


@kernel
def name_slot(words, octets, h, at, size, second, second_size):
    """The row under this name (with the second word behind a `|`, if it has a size), or 0."""
    place = NAMES + 4 * (h & (NAMES_COUNT - 1))
    while words[place + 1]:
        text = words[place + 2]
        if words[place] == h and grammar.equals(octets, at, size, text, size):
            if second_size == 0 and words[place + 3] == size:
                return words[place + 1]
            if (
                second_size
                and words[place + 3] == size + 1 + second_size
                and grammar.equals(octets, second, second_size, text + size + 1, second_size)
            ):
                return words[place + 1]
        place += 4
        if place == NAMES + 4 * NAMES_COUNT:
            place = NAMES
    return 0


@kernel
def find_row(words, octets, count):
    """The row that the words of a command name, or 0. A container's row is that of its second word."""
    at = words[WORDS]
    size = words[WORDS + 1]
    if size > NAME_BYTES_MAX or size == 0:
        return 0
    h = fold_name(octets, at, size, 0)
    row = name_slot(words, octets, h, at, size, 0, 0)
    if row and words[row + ROW_FLAGS] & FLAG_CONTAINER and count > 1:
        second = words[WORDS + 2]
        second_size = words[WORDS + 3]
        if second_size == 0 or second_size > NAME_BYTES_MAX:
            return 0
        h = fold_name(octets, second, second_size, (h * 0x100000001B3) ^ 124)
        return name_slot(words, octets, h, at, size, second, second_size)
    return row


@kernel
def guard(words, flags):
    """The refusal that holds for this kind of row at present, or 0."""
    refuse = words[REFUSE]
    if refuse & GUARD_LOADING:
        return LOADING
    if flags & FLAG_WRITE:
        if refuse & GUARD_READ_ONLY:
            return READ_ONLY
        if refuse & GUARD_BROKEN_LOG:
            return LOG_FAILED
    return 0


@kernel
def call(words, octets, row, tape, tape_size, blob_size, now, reply):
    """Carry out one row: refuse, or run it, give its change a seq and a frame. Answers the status."""
    flags = words[row + ROW_FLAGS]
    code = words[row + ROW_CODE]
    counter = COUNTERS + 4 * code
    words[counter] += 1
    if words[REFUSE]:
        refusal = guard(words, flags)
        if refusal:
            words[counter + 1] += 1
            return refusal
    if flags & FLAG_GROWS and (
        words[PAGES_USED] * PAGE_BYTES + blob_size + (words[row + ROW_ROOM] + tape_size) * 8 > words[BYTES_MAX]
    ):
        words[counter + 1] += 1
        return OUT_OF_MEMORY
    if flags & FLAG_WRITE and not frames.log_room(words, tape_size, blob_size):
        return LOG_FAILED
    status = call_door(words[DOORS + (code >> 8)], words, octets, code, tape, now, words[SEQ] + 1, reply)
    if status & CHANGED:
        words[counter + 3] += 1
        frames.journal(words, octets, code, now, status, words[reply], tape, tape_size, blob_size)
    elif status & STATUS_MASK >= REFUSED:
        words[counter + 1] += 1
    return status


@kernel
def enqueue(words, octets, session, row, tape, tape_size, blob_size):
    """Keep a call for EXEC, packed; False without memory."""
    size = QUEUE_HEAD + tape_size + ((blob_size + 7) >> 3)
    used = words[session + SESSION_QUEUE_USED]
    if used + size > words[session + SESSION_QUEUE_ROOM]:
        room = max(words[session + SESSION_QUEUE_ROOM] * 2, used + size, QUEUE_WORDS_MIN)
        block = arena.allocate(words, room)
        if block == 0:
            return False
        old = words[session + SESSION_QUEUE]
        if old:
            move(octets, block * 8, old * 8, used * 8)
            arena.release(words, old)
        words[session + SESSION_QUEUE] = block
        words[session + SESSION_QUEUE_ROOM] = arena.capacity(words, block)
    at = words[session + SESSION_QUEUE] + used
    words[at] = row
    words[at + 1] = size
    words[at + 2] = tape_size
    for i in range(tape_size):
        words[at + QUEUE_HEAD + i] = words[tape + i]
    move(octets, (at + QUEUE_HEAD + tape_size) * 8, words[tape - 1], blob_size)
    words[at + 3] = words[session + SESSION_NAMESPACE]
    words[at + 4] = blob_size
    words[session + SESSION_QUEUE_USED] = used + size
    words[session + SESSION_QUEUED] += 1
    if words[row + ROW_FLAGS] & (FLAG_HANDLER | FLAG_WAITS):
        words[session + SESSION_FLAGS] |= MULTI_HARD
    return True


@kernel
def end_multi(words, session):
    """Leave MULTI: forget what was queued."""
    if words[session + SESSION_QUEUE]:
        arena.release(words, words[session + SESSION_QUEUE])
    words[session + SESSION_QUEUE] = 0
    words[session + SESSION_QUEUE_ROOM] = 0
    words[session + SESSION_QUEUE_USED] = 0
    words[session + SESSION_QUEUED] = 0
    words[session + SESSION_FLAGS] &= ~(IN_MULTI | MULTI_BROKEN | MULTI_HARD)


@kernel
def queued_call(words, octets, entry, now, reply):
    """Carry out one call of a MULTI's queue."""
    tape = entry + QUEUE_HEAD
    tape_size = words[entry + 2]
    blob_size = words[entry + 4]
    words[tape - 1] = (tape + tape_size) * 8
    status = call(words, octets, words[entry], tape, tape_size, blob_size, now, reply)
    words[tape - 1] = blob_size  # as it was packed: a FULL call is made again
    return status


@kernel
def execute(words, octets, session, out, now):
    """EXEC in the lane; the end of the replies, or 0 if they do not fit (nothing has happened then).

    The replies of a transaction are not known before it runs. So it runs here only if they are sure
    to fit: each call may answer what is left, and the first that cannot ends the attempt if it is the
    first call at all. Otherwise Python takes over (`LARGE`) with what has been written so far.
    """
    version = words[session + SESSION_RESP]
    count = words[session + SESSION_QUEUED]
    entry = words[session + SESSION_QUEUE]
    start = resp.put_line(octets, out, resp.STAR, count)
    words[IN_GROUP] = 1
    for i in range(count):
        words[REPLY_ITEMS_MAX] = REPLY_ITEMS_LANE
        words[REPLY_BYTES_MAX] = OUT_END - start
        status = FULL
        if start + SHORT_REPLY <= OUT_END:
            status = queued_call(words, octets, entry, now, REPLY)
        if status & STATUS_MASK == FULL or status & STATUS_MASK == BROKEN:
            words[session + SESSION_WATCHED + 1] = i  # how many were done
            words[session + SESSION_WATCHED + 2] = entry
            words[LANE_OUT] = start
            return -1
        start = resp.put_reply(words, octets, start, words[entry], status, REPLY, version)
        if words[LIMBO_COUNT]:
            arena.empty_limbo(words)
        entry += words[entry + 1]
    words[IN_GROUP] = 0
    end_multi(words, session)
    return start


@kernel
def control(words, octets, session, code, out):
    """MULTI, DISCARD, and the EXEC that needs no look at watched keys: the end of the reply, or 0 for Python."""
    flags = words[session + SESSION_FLAGS]
    if code == MULTI_CODE:
        if flags & IN_MULTI:
            return resp.put_refusal(words, octets, out, 0, NESTED_MULTI)
        words[session + SESSION_FLAGS] |= IN_MULTI
        return put_word(octets, out, 0)
    if code == DISCARD_CODE:
        if not flags & IN_MULTI:
            return resp.put_refusal(words, octets, out, 0, DISCARD_WITHOUT_MULTI)
        if words[session + SESSION_WATCHED]:
            return 0
        end_multi(words, session)
        return put_word(octets, out, 0)
    if not flags & IN_MULTI:
        return resp.put_refusal(words, octets, out, 0, EXEC_WITHOUT_MULTI)
    if flags & MULTI_BROKEN and not words[session + SESSION_WATCHED]:
        end_multi(words, session)
        return resp.put_refusal(words, octets, out, 0, EXEC_ABORTED)
    return 0


@kernel
def put_word(octets, out, queued):
    """Write +OK or +QUEUED."""
    text = (43, 79, 75, 13, 10, 0, 0, 0, 0)
    size = 5
    if queued:
        text = (43, 81, 85, 69, 85, 69, 68, 13, 10)
        size = 9
    for i in range(size):
        octets[out + i] = text[i]
    return out + size


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64, int64)")
def lane(words, octets, session, at, end, now, budget):
    """Run the commands from octet `at` to `end` for a session; replies go on at LANE_OUT. See the file."""
    words = bare(words)
    octets = bare(octets)
    out = words[LANE_OUT]
    calls = 0
    reason = CUT
    version = words[session + SESSION_RESP]
    while at < end:
        if out + SHORT_REPLY > OUT_END:
            reason = OUT_FULL
            break
        if calls >= budget:
            reason = MORE
            break
        after, count = resp.scan(words, octets, at, end)
        if after <= 0:
            if after < 0:
                reason = HANDLER if after == resp.INLINE else BAD
            break
        if count == 0:
            at = after
            continue
        row = find_row(words, octets, count)
        if row == 0:
            reason = HANDLER
            break
        flags = words[row + ROW_FLAGS]
        if count - 1 < words[row + ROW_WORDS_MIN] or count - 1 > words[row + ROW_WORDS_MAX]:
            reason = HANDLER
            break
        in_multi = words[session + SESSION_FLAGS] & IN_MULTI
        code = words[row + ROW_CODE]
        own = flags & FLAG_CONTROL and MULTI_CODE <= code <= DISCARD_CODE
        if flags & FLAG_HANDLER and not own and (flags & FLAG_CONTROL or not in_multi):
            reason = HANDLER
            break
        if own:
            written = control(words, octets, session, code, out)
            if written == 0 and code == EXEC_CODE:
                session_flags = words[session + SESSION_FLAGS]
                if words[session + SESSION_WATCHED] == 0 and not session_flags & MULTI_HARD:
                    written = execute(words, octets, session, out, now)
                    if written < 0:
                        at = after
                        reason = LARGE
                        out = words[LANE_OUT]
                        break
            if written == 0:
                reason = HANDLER
                break
            out = written
            at = after
            calls += 1
        else:
            fault = grammar.fill(
                words, octets, words[row + ROW_SCHEMA], words[row + ROW_SCHEMA_END], words[row + ROW_SLOTS], count, TAPE
            )
            words[TAPE - 2] = words[session + SESSION_NAMESPACE]
            tape_size = words[CURSOR_TOP]
            blob_size = after - 2 - words[TAPE - 1] if count > 1 else 0
            if fault:
                if in_multi:
                    words[session + SESSION_FLAGS] |= MULTI_BROKEN
                words[COUNTERS + 4 * code + 1] += 1
                out = resp.put_refusal(words, octets, out, row, fault)
            elif in_multi:
                if not enqueue(words, octets, session, row, TAPE, tape_size, blob_size):
                    words[session + SESSION_FLAGS] |= MULTI_BROKEN
                    out = resp.put_refusal(words, octets, out, row, OUT_OF_MEMORY)
                else:
                    out = put_word(octets, out, 1)
            else:
                words[REPLY_ITEMS_MAX] = REPLY_ITEMS_LANE
                words[REPLY_BYTES_MAX] = OUT_END - out
                status = call(words, octets, row, TAPE, tape_size, blob_size, now, REPLY)
                what = status & STATUS_MASK
                if what == FULL:
                    words[COUNTERS + 4 * code] -= 1
                    reason = OUT_FULL if out > OUT_AT else LARGE
                    break
                if what == WAIT:
                    reason = WAITING
                    break
                if what == BROKEN:
                    reason = BAD
                    words[LANE_CALLS] = -code
                    words[LANE_AT] = at
                    words[LANE_OUT] = out
                    return reason
                out = resp.put_reply(words, octets, out, row, status, REPLY, version)
                if words[LIMBO_COUNT]:
                    arena.empty_limbo(words)
                calls += 1 + (words[REPLY + 1] >> 4)
            at = after
            calls += 1
        if words[HITS_COUNT]:
            reason = HITS
            break
        if words[LOG_TOP] > LOG_FLUSH_BYTES:
            reason = FLUSH
            break
    words[LANE_AT] = at
    words[LANE_OUT] = out
    words[LANE_CALLS] = calls
    return reason


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64, int64, int64, int64)")
def perform(words, octets, row, tape, tape_size, blob_size, now, items_max, bytes_max):
    """Carry out a call whose tape was built elsewhere; the answer is left in REPLY, blocks in the limbo."""
    words = bare(words)
    octets = bare(octets)
    words[REPLY_ITEMS_MAX] = items_max
    words[REPLY_BYTES_MAX] = bytes_max
    return call(words, octets, row, tape, tape_size, blob_size, now, REPLY)


@kernel("int64(int64[::1], uint8[::1], int64, int64)")
def parse(words, octets, at, end):
    """The lane's first two steps alone: scan a command, find its row. Answers the row, 0 if there is none,
    or the negative fault of `scan`; LANE_AT is the octet behind it, LANE_CALLS its words."""
    words = bare(words)
    octets = bare(octets)
    after, count = resp.scan(words, octets, at, end)
    words[LANE_AT] = after
    words[LANE_CALLS] = count
    if after <= 0:
        return after
    return find_row(words, octets, count) if count else 0


@kernel("int64(int64[::1], uint8[::1], int64, int64)")
def fill_tape(words, octets, row, count):
    """The lane's third step alone: WORDS to TAPE; 0 or the refusal."""
    words = bare(words)
    octets = bare(octets)
    return grammar.fill(
        words, octets, words[row + ROW_SCHEMA], words[row + ROW_SCHEMA_END], words[row + ROW_SLOTS], count, TAPE
    )


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64)")
def encode(words, octets, at, row, status, version):
    """The lane's last step alone: write the reply in REPLY at octet `at`; the octet behind it."""
    words = bare(words)
    octets = bare(octets)
    return resp.put_reply(words, octets, at, row, status, REPLY, version)


@kernel("void(int64[::1], uint8[::1])")
def settle(words, octets):
    """Free what the last call left behind, once its reply has been read."""
    words = bare(words)
    octets = bare(octets)
    arena.empty_limbo(words)


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64)")
def enqueue_call(words, octets, session, row, tape_size, blob_size):
    """Keep the call in TAPE for EXEC; 1, or 0 without memory."""
    words = bare(words)
    octets = bare(octets)
    return 1 if enqueue(words, octets, session, row, TAPE, tape_size, blob_size) else 0


@kernel("void(int64[::1], uint8[::1], int64)")
def leave_multi(words, octets, session):
    """Forget a session's queue."""
    words = bare(words)
    octets = bare(octets)
    end_multi(words, session)


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64)")
def perform_queued(words, octets, entry, now, items_max, bytes_max):
    """One call of a session's queue, answered into REPLY."""
    words = bare(words)
    octets = bare(octets)
    words[REPLY_ITEMS_MAX] = items_max
    words[REPLY_BYTES_MAX] = bytes_max
    return queued_call(words, octets, entry, now, REPLY)
