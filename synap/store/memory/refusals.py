"""Why a row says no: numbers that kernels return, `REFUSED + n`; the texts are in `synap.faults`.

A number never changes its meaning: it stands in logs beside the call that was refused.
"""

from synap.store.memory.layout import REFUSED

(
    WRONG_TYPE,
    NOT_AN_INTEGER,
    INTEGER_OVERFLOW,
    SYNTAX,
    WRONG_ARITY,
    BAD_EXPIRE,
    NOT_A_REAL,
    BAD_CURSOR,
    OUT_OF_RANGE,
    NEGATIVE_TIMEOUT,
    BAD_TIMEOUT,
    QUEUE_MISSING,
    QUEUE_FULL,
    MESSAGE_MISSING,
    NESTED_MULTI,
    EXEC_WITHOUT_MULTI,
    DISCARD_WITHOUT_MULTI,
    EXEC_ABORTED,
    OUT_OF_MEMORY,
    LOADING,
    READ_ONLY,
    LOG_FAILED,
    REPLY_TOO_LARGE,
    KEY_EXISTS,
    NOT_IN_MULTI,
    NO_SUCH_KEY,
    UNBALANCED,
    BAD_COUNT,
    TOO_MANY_KEYS,
    CONFLICT_NX_XX,
    BAD_PRIORITY,
    POSITIVE_COUNT,
    BAD_CONDITIONS,
    BAD_COMPARISONS,
    TOO_MANY_WORDS,
    DECREMENT_OVERFLOW,
    NOT_FINITE,
    STRING_TOO_LONG,
    BAD_OFFSET,
    SAME_OBJECT,
    DB_INDEX,
    NO_LFU,
    NO_LRU,
    DB_NUMBER,
    FIRST_DB,
    SECOND_DB,
    ROOM_MISSING,
    ROOM_EXISTS,
    OFFSET_GONE,
    BAD_AMOUNT,
) = range(REFUSED, REFUSED + 50)

NAMING = REFUSED + 50
"""Refusals from here on are told by Python: some name what is wrong."""
