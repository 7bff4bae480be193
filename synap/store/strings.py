"""Strings: one record each, key and value side by side in one block (see keyspace.py).

A value is overwritten where it lies if its block is of the size that a fresh one would have; so a
counter or a cache entry that is rewritten in its own size allocates nothing.
"""

from synap.kernels.jit import kernel
from synap.kernels.numbers import add_overflows, parse_integer, print_integer
from synap.kernels.spans import move, same
from synap.store import arena, keyspace
from synap.store.layout import (
    BROKEN,
    CHANGED,
    DONE,
    FORM_JSON,
    FULL,
    ITEM,
    KEYS_EXPIRING,
    NIL,
    NUMBER,
    SCRATCH,
    STRING,
)
from synap.store.refusals import (
    BAD_EXPIRE,
    INTEGER_OVERFLOW,
    KEY_EXISTS,
    NOT_AN_INTEGER,
    WRONG_TYPE,
)
from synap.store.tables import REF_MASK
from synap.store.tapes import add_text, fits, set_scalar, text_at, text_mark, text_size

# Slots of string.set (see synap/commands/strings.py): the condition and the expiry are choices.
SET_CONDITION, SET_IFEQ, SET_IFNE, SET_GET, SET_EXPIRY, SET_TIMES = 4, 5, 7, 9, 10, 11
IF_MISSING, IF_THERE, IF_EQUAL, IF_DIFFERENT = 1, 2, 3, 4
IN_SECONDS, IN_MS, AT_SECONDS, AT_MS, KEEP = 1, 2, 3, 4, 5
SECONDS_MAX = (1 << 62) // 1000


@kernel
def value_at(words, ref):
    """The octet where a string record's value starts."""
    return keyspace.key_at(words, ref) + keyspace.key_size(words, ref)


@kernel
def write(words, octets, tape, h, seat, source, size, mark, deadline, keep_old):
    """Store a string under the key in slot 0 of `tape`; `seat` is its slot in the table, or 0.

    `keep_old` leaves the old record's bytes alone until the reply is written. False without memory.
    """
    namespace = words[tape - 2]
    name_at = text_at(words, tape, 0)
    name_size = text_size(words, tape, 0)
    if seat == 0:
        ref = keyspace.create(
            words, octets, h, STRING, mark, namespace, name_at, name_size, size, deadline
        )
        if ref == 0:
            return False
        move(octets, value_at(words, ref), source, size)
        keyspace.touched(words, octets, h)
        return True
    old = words[seat] & REF_MASK
    wanted = keyspace.record_words(STRING, name_size, size, deadline)
    reuse = False
    if not keep_old and keyspace.kind_of(words, old) == STRING:
        if keyspace.value_size(words, old) == size and (deadline != 0) == (keyspace.deadline_of(words, old) != 0):
            reuse = True
        elif wanted <= arena.BLOCK_WORDS_MAX:
            reuse = arena.capacity(words, old) == arena.class_words(arena.class_of(wanted))
    had_deadline = keyspace.deadline_of(words, old) != 0
    if reuse:
        ref = old
    else:
        ref = arena.allocate(words, wanted)
        if ref == 0:
            return False
        words[seat] = (words[seat] & ~REF_MASK) | ref
        keyspace.drop_record(words, old, keep_old)
    at = keyspace.write_head(words, ref, STRING, mark, namespace, name_size, size, deadline)
    move(octets, at, name_at, name_size)
    move(octets, at + name_size, source, size)
    if (deadline != 0) != had_deadline:
        words[KEYS_EXPIRING + namespace] += 1 if deadline else -1
    keyspace.touched(words, octets, h)
    return True


@kernel
def expiry_of(words, tape, now, kept):
    """(deadline, ok) of the expiry slots of a SET; `kept` is what KEEPTTL keeps."""
    how = words[tape + SET_EXPIRY]
    if how == 0:
        return 0, True
    if how == KEEP:
        return kept, True
    amount = words[tape + SET_TIMES + how - 1]
    if amount <= 0:
        return 0, False
    if how == IN_SECONDS or how == AT_SECONDS:
        if amount > SECONDS_MAX:
            return 0, False
        amount *= 1000
    if how == IN_SECONDS or how == IN_MS:
        if amount > (1 << 62):
            return 0, False
        amount += now
    return amount, True


@kernel
def set_value(words, octets, tape, now, reply):
    """Store a value; conditions, GET and expiry as the options say."""
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    old = 0
    if seat:
        old = words[seat] & REF_MASK
        if keyspace.expired(words, old, now):
            old = 0
    get = words[tape + SET_GET]
    condition = words[tape + SET_CONDITION]
    status = DONE
    if get or condition >= IF_EQUAL:
        if old and keyspace.kind_of(words, old) != STRING:
            return WRONG_TYPE
    kept = 0
    if old:
        kept = keyspace.deadline_of(words, old)
    deadline, valid = expiry_of(words, tape, now, kept)
    if not valid:
        return BAD_EXPIRE
    if get:
        status = NIL
        if old:
            size = keyspace.value_size(words, old)
            if not fits(words, reply, 1, size):
                return FULL
            set_scalar(words, reply, 0)
            add_text(words, reply, value_at(words, old), size, keyspace.mark_of(words, old))
            status = ITEM
    if condition:
        holds = old == 0
        if condition == IF_THERE:
            holds = old != 0
        elif condition >= IF_EQUAL:
            slot = SET_IFEQ if condition == IF_EQUAL else SET_IFNE
            size = text_size(words, tape, slot)
            equal = (
                old != 0
                and keyspace.value_size(words, old) == size
                and same(octets, value_at(words, old), text_at(words, tape, slot), size)
            )
            holds = equal if condition == IF_EQUAL else not equal
        if not holds:
            return status if get else NIL
    if deadline and deadline <= now:  # a moment that has passed: as if it had been set and had expired
        if seat:
            keyspace.remove(words, octets, h, seat, True)
            return status | CHANGED
        return status
    if not write(
        words, octets, tape, h, seat,
        text_at(words, tape, 2), text_size(words, tape, 2), text_mark(words, tape, 2), deadline, get != 0,
    ):  # fmt: skip
        return BROKEN
    return status | CHANGED


@kernel
def get_value(words, octets, tape, now, reply):
    """The value, or NIL."""
    ref = keyspace.find(words, octets, tape, 0, now)
    if ref == 0:
        return NIL
    if keyspace.kind_of(words, ref) != STRING:
        return WRONG_TYPE
    size = keyspace.value_size(words, ref)
    if not fits(words, reply, 1, size):
        return FULL
    set_scalar(words, reply, 0)
    add_text(words, reply, value_at(words, ref), size, keyspace.mark_of(words, ref))
    return ITEM


@kernel
def add(words, octets, tape, now, reply, amount):
    """Add to the integer at the key; a missing or expired key counts as 0."""
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    value = 0
    deadline = 0
    mark = FORM_JSON  # a counter that begins here is a number to JSON, too
    if seat:
        ref = words[seat] & REF_MASK
        if not keyspace.expired(words, ref, now):
            if keyspace.kind_of(words, ref) != STRING:
                return WRONG_TYPE
            value, valid = parse_integer(octets, value_at(words, ref), keyspace.value_size(words, ref))
            if not valid:
                return NOT_AN_INTEGER
            deadline = keyspace.deadline_of(words, ref)
            mark = keyspace.mark_of(words, ref)
    if add_overflows(value, amount):
        return INTEGER_OVERFLOW
    value += amount
    size = print_integer(octets, SCRATCH * 8, value)
    if not write(words, octets, tape, h, seat, SCRATCH * 8, size, mark, deadline, False):
        return BROKEN
    set_scalar(words, reply, value)
    return NUMBER | CHANGED


@kernel
def increment_by(words, octets, tape, now, reply):
    """INCRBY: add the amount in slot 2."""
    return add(words, octets, tape, now, reply, words[tape + 2])


@kernel
def increment(words, octets, tape, now, reply):
    """INCR: add 1."""
    return add(words, octets, tape, now, reply, 1)


@kernel
def load(words, octets, tape, now, reply):
    """A string out of a snapshot: key, value, deadline (0: none). Refuses a key that exists."""
    h = keyspace.hash_text(words, octets, tape, 0)
    if keyspace.locate_text(words, octets, tape, 0, h):
        return KEY_EXISTS
    if not write(
        words, octets, tape, h, 0,
        text_at(words, tape, 2), text_size(words, tape, 2), text_mark(words, tape, 2), words[tape + 4], False,
    ):  # fmt: skip
        return BROKEN
    return DONE | CHANGED
