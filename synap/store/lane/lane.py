"""The lane: carries out the commands that one connection has sent, and writes their replies, in one kernel call.

    scan words -> find row -> fill tape -> call -> write reply           (and append the log frame)

The lane stops at the first command that it cannot carry out, and returns the reason:

    HANDLER     a row with a handler, a refusal whose text Python has to write, an inline command
    HITS        a key of interest was written: the caller serves the waiting sessions, then calls again
    WAITING     the row parks its session
    OUT_FULL    the out region is full: the caller sends it, then calls again
    LARGE       this one reply does not fit even into an empty out region
    UNSPELLED   the last row has run, and Python has to write its reply
    FLUSH       enough frames wait to be written to the log
    MORE        the budget is used up, and other sockets have their turn
    CUT         the rest is an incomplete command, or nothing
    BAD         the input is not RESP, or a row was BROKEN (then LANE_CALLS is its negative code)

LANE_AT is set to the octet of the command at which the lane stopped, LANE_OUT to the end of the replies.
"""

from synap.compiler.jit import inlined, kernel, outlined
from synap.kernels.spans import bare
from synap.store.calls import calls
from synap.store.lane import grammar, prefetch, resp, transactions
from synap.store.memory import arena, codes
from synap.store.memory.layout import (
    BROKEN,
    COUNTER_REFUSALS,
    COUNTER_WORDS,
    COUNTERS,
    CURSOR_TOP,
    DEFERRED_COUNT,
    FAULT_FILLED,
    FAULTS,
    FLAG_CONTAINER,
    FLAG_CONTROL,
    FLAG_HANDLER,
    FULL,
    HITS_COUNT,
    IN_MULTI,
    KEYS_COUNT,
    LANE_AT,
    LANE_CALLS,
    LANE_OUT,
    LOG_FLUSH_BYTES,
    LOG_TOP,
    LUA_SESSION,
    NAMES,
    NAMES_COUNT,
    OUT_AT,
    OUT_END,
    REFUSE_CALLER,
    REFUSED_SHIFT,
    REPLY,
    REPLY_BYTES_MAX,
    REPLY_ITEMS_LANE,
    REPLY_ITEMS_MAX,
    ROW_CODE,
    ROW_FLAGS,
    ROW_SCHEMA,
    ROW_SCHEMA_END,
    ROW_SLOTS,
    ROW_WORDS_MAX,
    ROW_WORDS_MIN,
    SESSION_FLAGS,
    SESSION_NAMESPACE,
    SESSION_REFUSE,
    SESSION_RESP,
    SESSION_ROW,
    SESSION_SEEN,
    STATUS_MASK,
    TAPE,
    UNPREPARED,
    UNWRITTEN,
    WAIT,
    WORDS,
)

CUT, HANDLER, HITS, WAITING, OUT_FULL, LARGE, FLUSH, MORE, BAD, UNSPELLED = range(10)
NAME_BYTES_MAX = 64
BUDGET = 4000  # units of the lane (calls, and items / 16): about a millisecond


@kernel
def fold_name(octets, at, size, h):
    """Mix a word, in any case, into the hash `h` of a name; return the hash."""
    for i in range(size):
        c = int(octets[at + i])
        if 97 <= c <= 122:
            c -= 32
        h = (h * 0x100000001B3) ^ c
        h ^= h >> 29
    return h


@inlined
def name_slot(words, octets, h, at, size, second, second_size):
    """Return the row with this name (with the second word behind a `|`, if that has a size), or 0."""
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
    """Return the row that the words of a command name, or 0. For a container it is the row of the second word."""
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


@outlined
def run(words, octets, session, at, end, now, budget):
    """Run the commands from octet `at` to `end`, with replies from LANE_OUT on; return the reason to stop."""
    out = words[LANE_OUT]
    units = row = 0
    reason = CUT
    version = words[session + SESSION_RESP]
    words[REFUSE_CALLER] = words[session + SESSION_REFUSE]
    words[LUA_SESSION] = session
    peek = soon = later = 0  # octet that the prefetch has reached; hashes of the second and third key from here
    keys = words[KEYS_COUNT + words[session + SESSION_NAMESPACE]]
    if end - at > prefetch.LOOK_BYTES_MIN and keys > prefetch.LOOK_KEYS_MIN:
        peek, first = prefetch.hash_next_key(words, octets, session, at, end)
        peek, second = prefetch.hash_next_key(words, octets, session, peek, end)
        peek, soon = prefetch.hash_next_key(words, octets, session, peek, end)
        peek, later = prefetch.hash_next_key(words, octets, session, peek, end)
        prefetch.prefetch_record(words, first)
        prefetch.prefetch_record(words, second)
    while at < end:
        prefetch.prefetch_record(words, soon)
        soon = later
        peek, later = prefetch.hash_next_key(words, octets, session, peek, end)
        if out + resp.SHORT_REPLY > OUT_END:
            reason = OUT_FULL
            break
        if units >= budget:
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
        own = flags & FLAG_CONTROL and codes.TRANSACTION_MULTI <= code <= codes.TRANSACTION_DISCARD
        if flags & FLAG_HANDLER and not own and (flags & FLAG_CONTROL or not in_multi):
            reason = HANDLER
            break
        if own:
            written = transactions.run_control(words, octets, session, row, out, now)
            if written < 0:
                at = after
                out = words[LANE_OUT]
            if written <= 0:
                reason = LARGE if written < 0 else HANDLER
                break
            out = written
            at = after
            units += 1
        else:
            fault = grammar.fill(
                words, octets, words[row + ROW_SCHEMA], words[row + ROW_SCHEMA_END], words[row + ROW_SLOTS], count, TAPE
            )
            words[TAPE - 2] = words[session + SESSION_NAMESPACE]
            tape_size = words[CURSOR_TOP]
            blob_size = after - 2 - words[TAPE - 1] if count > 1 else 0
            if fault:
                if in_multi or words[FAULTS + 2 * (fault >> REFUSED_SHIFT) - 1] & FAULT_FILLED:
                    reason = HANDLER
                    break
                words[COUNTERS + COUNTER_WORDS * code + COUNTER_REFUSALS] += 1
                out = resp.put_refusal(words, octets, out, row, fault, 0)
            elif in_multi:
                out = transactions.queue(words, octets, session, row, tape_size, blob_size, out, now)
            else:
                words[REPLY_ITEMS_MAX] = REPLY_ITEMS_LANE
                words[REPLY_BYTES_MAX] = OUT_END - out
                status = calls.call(words, octets, row, TAPE, tape_size, blob_size, now, REPLY)
                what = status & STATUS_MASK
                if what == FULL:
                    reason = OUT_FULL if out > OUT_AT else LARGE
                    break
                if what == WAIT:
                    reason = WAITING
                    break
                if what == UNPREPARED:
                    reason = HANDLER
                    break
                if what == BROKEN:
                    reason = BAD
                    words[LANE_CALLS] = -code
                    words[LANE_AT] = at
                    words[LANE_OUT] = out
                    return reason
                if what == UNWRITTEN:
                    at = after
                    reason = UNSPELLED
                    break
                out = resp.put_reply(words, octets, out, row, status, REPLY, version)
                if words[DEFERRED_COUNT]:
                    arena.free_deferred(words)
                units += words[REPLY + 1] >> 4
            at = after
            units += 1
        if words[HITS_COUNT]:
            reason = HITS
            break
        if words[LOG_TOP] > LOG_FLUSH_BYTES:
            reason = FLUSH
            break
    words[LANE_AT] = at
    words[LANE_OUT] = out
    words[LANE_CALLS] = units
    if row:
        words[session + SESSION_ROW] = row
    words[session + SESSION_SEEN] = now
    return reason


@kernel("int64(int64[::1], uint8[::1], int64, int64)")
def parse(words, octets, at, end):
    """Carry out the first two steps of the lane: scan a command and find its row; return the row, 0 if there is none.

    A negative result is the fault of `scan`. LANE_AT is set to the octet behind the command, LANE_CALLS to its words.
    """
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
    """Carry out the third step of the lane: fill TAPE from the `count` words in WORDS; return 0 or the refusal."""
    words = bare(words)
    octets = bare(octets)
    return grammar.fill(
        words, octets, words[row + ROW_SCHEMA], words[row + ROW_SCHEMA_END], words[row + ROW_SLOTS], count, TAPE
    )


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64)")
def encode(words, octets, at, row, status, version):
    """Carry out the last step of the lane: write the reply in REPLY at octet `at`; return the octet behind it."""
    words = bare(words)
    octets = bare(octets)
    return resp.put_reply(words, octets, at, row, status, REPLY, version)


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64, int64)")
def lane(words, octets, session, at, end, now, budget):
    """Run `run` for one session, called by Python."""
    return run(bare(words), bare(octets), session, at, end, now, budget)
