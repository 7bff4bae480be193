"""Rows that run a script: find it in the tables of Lua, push its keys and arguments, run it, and write what it returns.

The tables have an entry for each script: its function, the SHA1 (of a function of a library: the name), SCRIPT_*
bits, and its seat in SCRIPT_USES. Python makes the entries (engine/scripts/); a script that has none yet is UNPREPARED.

Calls within the script overwrite the tape and the blob of this call, and the regions that every call uses. So keys
and arguments go to Lua first, and the reply is written after the last call. It is UNWRITTEN if the caller of this row
cannot take it, if it is an error, which Python takes note of, and after a failure in Python, which is raised there.
"""

from synap.compiler.jit import inlined, kernel, outlined
from synap.store.calls import calls
from synap.store.memory import limits, tapes
from synap.store.memory.layout import (
    AS_ERROR,
    CALL_BLOB,
    EVICT_NOBODY,
    EVICTION,
    GUARD_RATE,
    IN_GROUP,
    ITEM,
    ITEM_TEXT,
    LACKED,
    LIBRARIES_CHANGES,
    LUA_BASE,
    LUA_BEGAN,
    LUA_BUSY,
    LUA_BUSY_AT,
    LUA_BUSY_MS,
    LUA_BY_NAME,
    LUA_BY_SHA,
    LUA_BY_TEXT,
    LUA_DEADLINE,
    LUA_ENDED,
    LUA_FLAGS,
    LUA_FULL,
    LUA_ITEMS_MOST,
    LUA_JSON,
    LUA_LIBRARIES,
    LUA_MEMORY,
    LUA_NAMESPACE,
    LUA_NOTED,
    LUA_RUN,
    LUA_SEQ,
    LUA_SIZE,
    LUA_STATE,
    LUA_TABLE,
    LUA_TEXT_AT,
    LUA_TIME_MAX,
    LUA_TITLE,
    LUA_TITLE_SIZE,
    LUA_USES,
    LUA_VERSION,
    LUA_WORK,
    MARK_BITS,
    REFUSE_CALLER,
    REPLY_BYTES_MAX,
    REPLY_ITEMS_LANE,
    REPLY_ITEMS_MAX,
    SCRATCH,
    SCRIPT_ABOVE_MAX,
    SCRIPT_IN_CALL,
    SCRIPT_IN_PYTHON,
    SCRIPT_MAY_WRITE,
    SCRIPT_READS_ONLY,
    SCRIPT_RUNS,
    SCRIPT_USES,
    SEQ,
    UNPREPARED,
    UNWRITTEN,
)
from synap.store.memory.refusals import (
    NO_FUNCTION,
    NO_SCRIPT,
    REPLY_TOO_LARGE,
    SCRIPT_ENDED,
    SCRIPT_ENDED_LATE,
    SCRIPT_FULL,
    SCRIPT_KILLED,
    SCRIPT_NO_MEMORY,
    SCRIPT_WRITES,
)
from synap.store.scripts import lua, returned
from synap.store.scripts.script_calls import BY_FAILURE, BY_HAND
from synap.store.slots.scripts import (
    SCRIPT_EVAL_ARGS,
    SCRIPT_EVAL_ARGS_ARG,
    SCRIPT_EVAL_ARGS_STRIDE,
    SCRIPT_EVAL_KEYS,
    SCRIPT_EVAL_SCRIPT,
    SCRIPT_RUN_TIMEOUT_MS,
)
from synap.store.upkeep import eviction

TABLE, ENTRY, RESULT = 1, 2, 3
"""Places on the stack."""
TITLE, FLAGS, SEAT = 2, 3, 4
"""Places in an entry, behind its function."""
TITLE_BYTES_MAX = 512  # of a SHA1 or the name of a function, which lie in SCRATCH in small letters
ROOM = 4096  # bytes that have to be free before a script that may write
NS_IN_MS = 1_000_000


@kernel
def push_title(words, octets, state, at, size):
    """Push a SHA1 or a name in small letters; nil if it is too long for one."""
    if size > TITLE_BYTES_MAX:
        lua.push_nil(state)
        return
    for i in range(size):
        c = octets[at + i]
        octets[SCRATCH * 8 + i] = c + 32 if 65 <= c <= 90 else c
    lua.push_text(state, words[LUA_BASE] + SCRATCH * 8, size)


@kernel
def find(words, octets, state, tape, table):
    """Push a table, and the entry in it of the script that a call names; return False if there is none."""
    at = tapes.text_at(words, tape, SCRIPT_EVAL_SCRIPT)
    size = tapes.text_size(words, tape, SCRIPT_EVAL_SCRIPT)
    lua.push_index(state, lua.REGISTRY, words[table])
    if table == LUA_BY_TEXT:
        lua.push_text(state, words[LUA_BASE] + at, size)
    else:
        push_title(words, octets, state, at, size)
    if lua.kind(state, -1) == lua.STRING:
        lua.replace_key(state, TABLE)
    return lua.kind(state, -1) == lua.TABLE


@kernel
def entry_number(state, place):
    """Return a number of the entry on the stack."""
    lua.push_index(state, ENTRY, place)
    found = int(lua.number(state, -1))
    lua.set_top(state, -2)
    return found


@kernel
def push_texts(words, state, tape, slot):
    """Push the texts of a group as a table."""
    count = words[tape + slot]
    item = tapes.first_item(words, tape, slot)
    lua.push_table(state, count, 0)
    for i in range(count):
        at = tapes.text_at(words, tape, item + SCRIPT_EVAL_ARGS_ARG)
        lua.push_text(state, words[LUA_BASE] + at, tapes.text_size(words, tape, item + SCRIPT_EVAL_ARGS_ARG))
        lua.set_index(state, -2, i + 1)
        item += SCRIPT_EVAL_ARGS_STRIDE


@kernel
def begin(words, tape, flags, time_ms):
    """Set the registers for a script that begins, and may take so many ms."""
    words[LUA_NAMESPACE] = words[tape - 2]
    words[LUA_VERSION] = 2
    words[LUA_SEQ] = words[SEQ]
    words[LUA_BEGAN] = calls.ticks(words)
    words[LUA_DEADLINE] = words[LUA_BEGAN] + time_ms * NS_IN_MS
    words[LUA_BUSY_AT] = words[LUA_BEGAN] + words[LUA_BUSY_MS] * NS_IN_MS if words[LUA_BUSY] else 0
    words[LUA_ENDED] = 0
    words[LUA_WORK] = 0
    words[LUA_ITEMS_MOST] = 0
    words[LUA_FLAGS] = (
        SCRIPT_RUNS | flags & (SCRIPT_READS_ONLY | SCRIPT_ABOVE_MAX) | (SCRIPT_IN_PYTHON if words[LUA_NOTED] else 0)
    )


@kernel
def has_memory(words, octets, now, alone):
    """Return whether there is memory for a script that may write; before a script that is `alone`, keys are evicted.

    Within a group nothing is evicted, and a policy of eviction lets its calls exceed max_memory by a quarter.
    """
    if alone:
        return eviction.has_memory(words, octets, now, ROOM)
    return words[EVICTION] != EVICT_NOBODY or not limits.full(words, ROOM)


@kernel
def copy_title(words, octets, state):
    """Copy the title of the entry on the stack to LUA_TITLE."""
    lua.push_index(state, ENTRY, TITLE)
    source = lua.text(state, -1, words[LUA_BASE] + LUA_SIZE * 8)
    words[LUA_TITLE_SIZE] = words[LUA_SIZE]
    lua.copy_in(octets, LUA_TITLE * 8, source, words[LUA_SIZE])
    lua.set_top(state, -2)


@kernel
def refuse(words, reply, refusal):
    """Return a refusal without numbers."""
    tapes.set_scalar(words, reply, 0)
    return refusal


@kernel
def refuse_ended(words, reply):
    """Return the refusal of a script that was ended; its text may name the ms that the script was allowed."""
    if words[LUA_ENDED] == BY_HAND:
        return refuse(words, reply, SCRIPT_KILLED)
    tapes.set_scalar(words, reply, (words[LUA_DEADLINE] - words[LUA_BEGAN]) // NS_IN_MS)
    return SCRIPT_ENDED if words[LUA_SEQ] == words[SEQ] else SCRIPT_ENDED_LATE


@kernel
def write_outcome(words, octets, state, reply, failed, items_max, bytes_max):
    """Write the reply of the script that has left its results on the stack; return the status of the call."""
    if words[LUA_ENDED] == BY_FAILURE:
        return UNWRITTEN
    ended = failed or not lua.truth(state, RESULT)
    if ended and words[LUA_ENDED]:
        return refuse_ended(words, reply)
    if ended and (failed or lua.kind(state, RESULT + 1) != lua.STRING):
        return refuse(words, reply, SCRIPT_NO_MEMORY)
    tapes.set_scalar(words, reply, LUA_TITLE * 8)
    start = CALL_BLOB * 8
    words[LUA_TEXT_AT] = start
    lua.set_top(state, RESULT + 1)
    if ended:
        wrong = 0 if returned.add_string(words, octets, state, reply, AS_ERROR) else REPLY_TOO_LARGE
    else:
        wrong = returned.write_reply(words, octets, state, reply)
    if wrong:
        return refuse_ended(words, reply) if words[LUA_ENDED] else refuse(words, reply, wrong)
    items = words[reply + 1]
    size = words[LUA_TEXT_AT] - start
    words[LUA_ITEMS_MOST] = max(words[LUA_ITEMS_MOST], items)
    first = words[reply + 3]
    if first & ~(-1 << MARK_BITS) == ITEM_TEXT | AS_ERROR or words[LUA_ITEMS_MOST] > REPLY_ITEMS_LANE:
        return UNWRITTEN
    return ITEM if items <= items_max and size + items * tapes.ITEM_OVERHEAD <= bytes_max else UNWRITTEN


@outlined
def run(words, octets, tape, now, reply, table, none, reads_only, time_ms):
    """Run the script that a call names in one of the tables, for `time_ms` at most; return the status.

    `none`: the status if there is no such script. The reply is for JSON if LUA_JSON is set.
    """
    state = words[LUA_STATE]
    if state == 0 or words[LUA_MEMORY] > words[LUA_FULL]:
        return UNPREPARED
    if table == LUA_BY_NAME and words[LUA_LIBRARIES] != words[LIBRARIES_CHANGES]:
        return UNPREPARED
    items_max = words[REPLY_ITEMS_MAX]
    bytes_max = words[REPLY_BYTES_MAX]
    guards = words[REFUSE_CALLER]
    words[LUA_FLAGS] = SCRIPT_IN_CALL  # outside of a protected call no memory may lack
    status = none
    if find(words, octets, state, tape, table):
        flags = entry_number(state, FLAGS)
        seat = entry_number(state, SEAT)
        words[LUA_USES] += 1
        words[SCRIPT_USES + seat] = words[LUA_USES]
        copy_title(words, octets, state)
        words[LUA_TABLE] = table
        alone = words[IN_GROUP] == 0  # else the script is a call of EXEC, whose group goes on behind it
        flags |= SCRIPT_READS_ONLY if reads_only and not flags & SCRIPT_MAY_WRITE else 0
        status = 0
        if reads_only and flags & SCRIPT_MAY_WRITE:
            status = refuse(words, reply, SCRIPT_WRITES)
        elif not flags & SCRIPT_READS_ONLY:
            full = not has_memory(words, octets, now, alone)
            if full and flags & (SCRIPT_MAY_WRITE | SCRIPT_ABOVE_MAX) == SCRIPT_MAY_WRITE:
                status = refuse(words, reply, SCRIPT_FULL)
    if status == 0:
        lua.push_index(state, lua.REGISTRY, words[LUA_RUN])
        lua.push_copy(state, ENTRY)
        push_texts(words, state, tape, SCRIPT_EVAL_KEYS)
        push_texts(words, state, tape, SCRIPT_EVAL_ARGS)
        words[IN_GROUP] = max(words[IN_GROUP], 1)
        words[REFUSE_CALLER] = guards & ~GUARD_RATE
        begin(words, tape, flags, min(time_ms, words[LUA_TIME_MAX]))
        failed = lua.try_call(state, 3, lua.EVERY, 0)
        words[LUA_FLAGS] = SCRIPT_IN_CALL
        words[REFUSE_CALLER] = guards
        status = write_outcome(words, octets, state, reply, failed, items_max, bytes_max)
        if alone and words[LUA_ENDED] != BY_FAILURE:
            words[IN_GROUP] = 0
        words[LACKED] = 0
    lua.set_top(state, 0)
    words[LUA_FLAGS] = 0
    return status


@inlined
def run_words(words, octets, tape, now, reply, table, none, reads_only):
    """Run a script for RESP."""
    words[LUA_JSON] = 0
    return run(words, octets, tape, now, reply, table, none, reads_only, words[LUA_TIME_MAX])


@inlined
def run_json(words, octets, tape, now, reply, table, none):
    """Run a script for JSON, whose calls say how long it may take."""
    words[LUA_JSON] = 1
    return run(words, octets, tape, now, reply, table, none, 0, words[tape + SCRIPT_RUN_TIMEOUT_MS])


@kernel
def evaluate(words, octets, tape, now, reply):
    """Run the script of this text."""
    return run_words(words, octets, tape, now, reply, LUA_BY_TEXT, UNPREPARED, 0)


@kernel
def evaluate_ro(words, octets, tape, now, reply):
    """Run the script of this text, which may not write."""
    return run_words(words, octets, tape, now, reply, LUA_BY_TEXT, UNPREPARED, 1)


@kernel
def evaluate_sha(words, octets, tape, now, reply):
    """Run the script with this SHA1."""
    return run_words(words, octets, tape, now, reply, LUA_BY_SHA, NO_SCRIPT, 0)


@kernel
def evaluate_sha_ro(words, octets, tape, now, reply):
    """Run the script with this SHA1, which may not write."""
    return run_words(words, octets, tape, now, reply, LUA_BY_SHA, NO_SCRIPT, 1)


@kernel
def call_function(words, octets, tape, now, reply):
    """Run the function of a library."""
    return run_words(words, octets, tape, now, reply, LUA_BY_NAME, NO_FUNCTION, 0)


@kernel
def call_function_ro(words, octets, tape, now, reply):
    """Run the function of a library, which may not write."""
    return run_words(words, octets, tape, now, reply, LUA_BY_NAME, NO_FUNCTION, 1)


@kernel
def evaluate_json(words, octets, tape, now, reply):
    """Run the script of this text, for JSON."""
    return run_json(words, octets, tape, now, reply, LUA_BY_TEXT, UNPREPARED)


@kernel
def evaluate_sha_json(words, octets, tape, now, reply):
    """Run the script with this SHA1, for JSON."""
    return run_json(words, octets, tape, now, reply, LUA_BY_SHA, NO_SCRIPT)


@kernel
def call_function_json(words, octets, tape, now, reply):
    """Run the function of a library, for JSON."""
    return run_json(words, octets, tape, now, reply, LUA_BY_NAME, NO_FUNCTION)
