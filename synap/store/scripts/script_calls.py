"""What Lua calls back: `redis.call`, the allocator of a state, and the hook that ends a script.

A call of a script passes the steps of the lane: find the row, fill the tape, then `calls.call` with its guards, log
space and frame. Its words lie one behind the other in CALL_BLOB, which nobody else uses while a script runs, and its
reply is written as RESP behind them and read from there: OUT may hold replies of the lane. What needs Python (a
handler, a refusal that names a word) is done by the C function at LUA_CALLS.

`lua_error` leaves these functions without returning to them. Nothing is lost by that: compiled kernels own nothing that
has to be freed, and an error is raised only once a call is over. While it is under way the allocator does not fail.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from synap.compiler.jit import c_function, kernel, outlined
from synap.kernels.reals import print_real
from synap.kernels.spans import bare, view
from synap.store.calls import calls
from synap.store.lane import grammar, lane, resp
from synap.store.memory import arena, codes
from synap.store.memory.layout import (
    BROKEN,
    CALL_BLOB,
    CALL_BLOB_REST,
    COUNTER_REFUSALS,
    COUNTER_WORDS,
    COUNTERS,
    CURSOR_TOP,
    FAULT_FILLED,
    FAULTS,
    FLAG_CONTAINER,
    FLAG_HANDLER,
    FLAG_NOT_IN_SCRIPTS,
    FLAG_REPLICATES,
    FLAG_SWITCHED,
    FLAG_WRITE,
    FULL,
    ITEM,
    ITEMS,
    LUA_BASE,
    LUA_BUSY,
    LUA_BUSY_AT,
    LUA_CALLS,
    LUA_DEADLINE,
    LUA_ENDED,
    LUA_FLAGS,
    LUA_FREE,
    LUA_ITEMS_MOST,
    LUA_JSON,
    LUA_MEMORY,
    LUA_MEMORY_MAX,
    LUA_NAMESPACE,
    LUA_REALLOC,
    LUA_REPLY_MAX,
    LUA_ROW,
    LUA_SIZE,
    LUA_SWITCHED_ON,
    LUA_VERSION,
    LUA_WORK,
    NIL,
    NOW,
    REFUSED_SHIFT,
    REPLY,
    REPLY_BYTES_MAX,
    REPLY_ITEMS,
    REPLY_ITEMS_MAX,
    ROW_CODE,
    ROW_FLAGS,
    ROW_SCHEMA,
    ROW_SCHEMA_END,
    ROW_SLOTS,
    ROW_WORDS_MAX,
    ROW_WORDS_MIN,
    SCRIPT_IN_CALL,
    SCRIPT_IN_PYTHON,
    SCRIPT_READS_ONLY,
    SCRIPT_RUNS,
    STATUS_MASK,
    TAPE,
    WAIT,
    WORDS,
)
from synap.store.memory.refusals import (
    BLOCK_IN_SCRIPT,
    NOT_IN_SCRIPTS,
    OUT_OF_MEMORY,
    REPLY_TOO_LARGE,
    SCRIPT_ARITY,
    SCRIPT_NO_TEXT,
    SCRIPT_NO_WORDS,
    SCRIPT_TOO_DEEP,
    SCRIPT_TOO_LARGE,
    SCRIPT_UNKNOWN,
)
from synap.store.memory.refusals import SCRIPT_READS_ONLY as SCRIPT_READS_ONLY_REFUSAL
from synap.store.memory.reply_sizes import bytes_in
from synap.store.memory.tapes import ITEM_OVERHEAD
from synap.store.scripts import lua, replies
from synap.store.slots import streams

BY_TIME, BY_FAILURE, BY_HAND = 1, 2, 3
"""Values of LUA_ENDED: the script has taken too long, Python has failed, or a client has ended the script."""
DONE, REFUSED, ENDED = 0, 1, 2
"""What the reply on top of the stack is: the value of a reply, the table of an error, or nil: the script must end."""
WORDS_MOST = 8000  # words of a call: as many as Lua's stack takes
SPELLED_BYTES = 1 << 20
SPELLED_AT = CALL_BLOB_REST * 8 - SPELLED_BYTES  # octet at which a reply is spelled
LITTLE = SPELLED_BYTES // 2
NUMBER_BYTES = 64
CALL_FUNCTION = types.int32(types.int64)
WORK_MOST = 1 << 22  # steps or bytes between two looks at the clock: some ms
LARGE_BLOCK = 4096  # bytes of a block that counts as work
ALLOCATOR = types.int64(types.int64, types.int64, types.int64, types.int64)
HOOK = types.void(types.int64, types.int64)

_I64 = ir.IntType(64)


@intrinsic
def call_c(context, address, first, second):
    """Call the C function at an address with two words; return the word that it returns."""
    signature = types.int64(types.int64, types.int64, types.int64)

    def build(ctx, builder, sig, args):
        kind = ir.FunctionType(_I64, [_I64, _I64])
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])

    return signature, build


@intrinsic
def _call_free(context, address, block):
    signature = types.int64(types.int64, types.int64)

    def build(ctx, builder, sig, args):
        kind = ir.FunctionType(ir.VoidType(), [_I64])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return _I64(0)

    return signature, build


@kernel
def gather(words, octets, state, count):
    """Put the `count` words on the stack into CALL_BLOB, and their places into WORDS; return 0 or the refusal."""
    at = CALL_BLOB * 8
    end = SPELLED_AT
    size_at = words[LUA_BASE] + LUA_SIZE * 8
    for i in range(count):
        kind = lua.kind(state, i + 1)
        if kind == lua.STRING:
            source = lua.text(state, i + 1, size_at)
            size = words[LUA_SIZE]
            if at + size + NUMBER_BYTES > end:
                return SCRIPT_TOO_LARGE
            lua.copy_in(octets, at, source, size)
        elif kind == lua.NUMBER:
            if at + NUMBER_BYTES > end:
                return SCRIPT_TOO_LARGE
            size = print_real(octets, at, lua.number(state, i + 1))
        else:
            return SCRIPT_NO_TEXT
        words[WORDS + 2 * i] = at
        words[WORDS + 2 * i + 1] = size
        at += size
    words[WORDS + 2 * count] = at
    return 0


@kernel
def run_row(words, octets, row, count):
    """Fill the tape of a row and carry it out; return its status, or -1 if Python has to do it."""
    code = words[row + ROW_CODE]
    fault = grammar.fill(
        words, octets, words[row + ROW_SCHEMA], words[row + ROW_SCHEMA_END], words[row + ROW_SLOTS], count, TAPE
    )
    if fault:
        if words[FAULTS + 2 * (fault >> REFUSED_SHIFT) - 1] & FAULT_FILLED:
            return -1
        words[COUNTERS + COUNTER_WORDS * code + COUNTER_REFUSALS] += 1
        return fault
    if (code == codes.XSTREAM_READ and words[TAPE + streams.XSTREAM_READ_HAS_BLOCK]) or (
        code == codes.XSTREAM_READGROUP and words[TAPE + streams.XSTREAM_READGROUP_HAS_BLOCK]
    ):
        words[COUNTERS + COUNTER_WORDS * code + COUNTER_REFUSALS] += 1
        return BLOCK_IN_SCRIPT
    words[TAPE - 2] = words[LUA_NAMESPACE]
    blob_size = words[WORDS + 2 * count] - words[TAPE - 1] if count > 1 else 0
    words[REPLY_ITEMS_MAX] = REPLY_ITEMS
    words[REPLY_BYTES_MAX] = words[LUA_REPLY_MAX]
    status = calls.call(words, octets, row, TAPE, words[CURSOR_TOP], blob_size, words[NOW], REPLY)
    what = status & STATUS_MASK
    if what == FULL:
        return REPLY_TOO_LARGE
    return NIL if what == WAIT else status


@kernel
def push_refusal(words, octets, state, row, number):
    """Push the table of an error; return REFUSED."""
    resp.put_refusal(words, octets, SPELLED_AT, row, number, 0)
    replies.push_reply(words, octets, state, SPELLED_AT)
    return REFUSED


@kernel
def push_result(words, octets, state, row, status):
    """Push the reply of a row as a value of Lua, or the table of an error; return DONE or REFUSED."""
    what = status & STATUS_MASK
    bound = LITTLE
    if what == ITEM or what == ITEMS:
        bound = bytes_in(words, REPLY) + (words[REPLY + 1] + 2) * ITEM_OVERHEAD + resp.SHORT_REPLY
    at = SPELLED_AT
    block = 0
    if bound > SPELLED_BYTES:
        block = arena.allocate(words, bound >> 3)
        if block == 0:
            return push_refusal(words, octets, state, row, OUT_OF_MEMORY)
        at = block * 8
    words[LUA_ITEMS_MOST] = max(words[LUA_ITEMS_MOST], words[REPLY + 1])
    resp.put_reply(words, octets, at, row, status, REPLY, words[LUA_VERSION])
    told = push_spelled(words, octets, state, at)
    if block:
        arena.release(words, block)
    return told


@kernel
def push_spelled(words, octets, state, at):
    """Push the value whose RESP begins at octet `at`, or the table of an error; return DONE or REFUSED."""
    top = lua.top(state)
    if replies.push_reply(words, octets, state, at) == 0:
        lua.set_top(state, top)
        return push_refusal(words, octets, state, 0, SCRIPT_TOO_DEEP)
    return REFUSED if octets[at] == replies.MINUS else DONE


@outlined
def carry_out(words, octets, state, count):
    """Carry out the call whose words are on the stack; push its reply; return DONE or REFUSED."""
    if count == 0:
        return push_refusal(words, octets, state, 0, SCRIPT_NO_WORDS)
    if count > WORDS_MOST:
        return push_refusal(words, octets, state, 0, SCRIPT_TOO_LARGE)
    wrong = gather(words, octets, state, count)
    if wrong:
        return push_refusal(words, octets, state, 0, wrong)
    lua.set_top(state, 0)  # the words are in CALL_BLOB, and the reply needs the stack
    row = lane.find_row(words, octets, count)
    if row == 0:
        return push_refusal(words, octets, state, 0, SCRIPT_UNKNOWN)
    flags = words[row + ROW_FLAGS]
    if flags & FLAG_CONTAINER or count - 1 < words[row + ROW_WORDS_MIN] or count - 1 > words[row + ROW_WORDS_MAX]:
        return push_refusal(words, octets, state, row, SCRIPT_ARITY)
    switched_off = flags & FLAG_SWITCHED and words[LUA_JSON] and words[LUA_SWITCHED_ON] == 0
    if flags & FLAG_NOT_IN_SCRIPTS or switched_off:
        return push_refusal(words, octets, state, row, NOT_IN_SCRIPTS)
    if flags & (FLAG_WRITE | FLAG_REPLICATES) and words[LUA_FLAGS] & SCRIPT_READS_ONLY:
        return push_refusal(words, octets, state, row, SCRIPT_READS_ONLY_REFUSAL)
    words[LUA_ROW] = row
    in_python = flags & FLAG_HANDLER or words[LUA_FLAGS] & SCRIPT_IN_PYTHON
    status = -1 if in_python else run_row(words, octets, row, count)
    if status == -1:
        return call_c(words[LUA_CALLS], state, count)
    if status & STATUS_MASK == BROKEN:
        return call_c(words[LUA_CALLS], state, -words[row + ROW_CODE])
    told = push_result(words, octets, state, row, status)
    arena.free_deferred(words)
    return told


@kernel
def answer(state):
    """Carry out the words on the stack and push the reply; return DONE, REFUSED, or ENDED with nil or the
    text of an error on the stack."""
    at = lua.heap_of(state)
    words = view(at, 1 << 58)
    if words[LUA_MEMORY] > words[LUA_MEMORY_MAX]:  # the replies to earlier calls
        lua.control_garbage(state, lua.COLLECT, 0)
        if words[LUA_MEMORY] > words[LUA_MEMORY_MAX]:
            lua.push_text(state, replies.name(words, replies.NO_MEMORY), replies.NAME_SIZES[replies.NO_MEMORY])
            return ENDED
    octets = view(lua.octets_at(at), 1 << 58)
    words[LUA_FLAGS] |= SCRIPT_IN_CALL
    told = carry_out(words, octets, state, lua.top(state))
    if words[LUA_DEADLINE] and calls.ticks(words) > words[LUA_DEADLINE]:
        words[LUA_ENDED] = words[LUA_ENDED] or BY_TIME
    if words[LUA_ENDED]:  # by the clock, or by a failure in Python
        lua.push_nil(state)
        told = ENDED
    elif told == REFUSED:
        lua.push_truth(state, 1)
        lua.set_field(state, -2, replies.name(words, replies.NOT_COUNTED))
    words[LUA_FLAGS] &= ~SCRIPT_IN_CALL
    return told


@c_function(CALL_FUNCTION)
def call_of_script(state):
    """Carry out `redis.call`: return the reply, or raise the table of an error."""
    if answer(state) != DONE:
        lua.raise_error(state)
    return 1


@c_function(CALL_FUNCTION)
def pcall_of_script(state):
    """Carry out `redis.pcall`: return the reply or the table of an error."""
    if answer(state) == ENDED:
        lua.raise_error(state)
    return 1


@c_function(CALL_FUNCTION)
def has_ended(state):
    """Tell Lua whether the hook has ended the script."""
    words = view(lua.heap_of(state), 1 << 58)
    lua.push_truth(state, 1 if words[LUA_ENDED] else 0)
    return 1


@kernel
def goes_on(words, state):
    """Return whether a script may go on, by the clock; let Python look after the other clients while it is long."""
    words[LUA_WORK] = 0
    if not words[LUA_FLAGS] & SCRIPT_RUNS:  # Python has called Lua
        return True
    now = calls.ticks(words)
    if words[LUA_ENDED] == 0 and words[LUA_BUSY_AT] and now > words[LUA_BUSY_AT]:
        call_c(words[LUA_BUSY], state, now)
    if words[LUA_ENDED] == 0 and words[LUA_DEADLINE] and now > words[LUA_DEADLINE]:
        words[LUA_ENDED] = BY_TIME
    return words[LUA_ENDED] == 0


@kernel
def may_work(words, state, work):
    """Count the work of a C function of Lua, which no hook interrupts; return whether the script may go on."""
    words[LUA_WORK] += work
    return words[LUA_WORK] < WORK_MOST or goes_on(words, state)


@c_function(ALLOCATOR)
def allocator(heap, block, old, new):
    """Resize, free or allocate a block of Lua's, and count its bytes; return it, or 0 if Lua may have no more, or if
    the time of the script is over.

    While a call is under way it may exceed its limit: an error would leave the call half made. Lua's own next
    allocation fails. A block always shrinks: Lua relies on that, also where it could report no error.
    """
    words = view(lua.as_words(heap), 1 << 58)
    if new == 0:
        _call_free(words[LUA_FREE], block)
        words[LUA_MEMORY] -= old
        return 0
    grows = new - (old if block else 0)
    if grows > 0 and not words[LUA_FLAGS] & SCRIPT_IN_CALL:
        if new > LARGE_BLOCK and not may_work(words, 0, new):
            return 0
        if words[LUA_MEMORY] + grows > words[LUA_MEMORY_MAX]:
            return 0
    made = call_c(words[LUA_REALLOC], block, new)
    if made:
        words[LUA_MEMORY] += grows
    return made


@c_function(HOOK)
def hook(state, where):
    """End a script whose time is over, as often as the script goes on all the same."""
    words = view(lua.heap_of(state), 1 << 58)
    if not goes_on(words, state):
        lua.push_nil(state)
        lua.raise_error(state)


@kernel("int64(int64[::1], uint8[::1], int64, int64)")
def push_resp(words, octets, state, at):
    """Run `push_spelled`, called by Python."""
    return push_spelled(bare(words), bare(octets), state, at)


@kernel("int64(int64[::1], uint8[::1], int64, int64)")
def permits(words, octets, row, refuses):
    """Return 1 if a caller with the guards `refuses` may call the row."""
    return 0 if calls.guard(refuses, bare(words)[row + ROW_FLAGS]) else 1


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64)")
def push_outcome(words, octets, state, row, status):
    """Push the reply in REPLY of a row with this status, called by Python; return what it is."""
    words = bare(words)
    octets = bare(octets)
    told = push_result(words, octets, state, row, status)
    arena.free_deferred(words)
    return told
