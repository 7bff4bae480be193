"""Rows of strings: SET, GET, INCR and similar, GETDEL, GETEX, over records with key and value in one block.

A value is overwritten in place if its block has the size that a new one would have. So a counter, or a cache entry
that is rewritten with the same size, allocates nothing.
"""

from synap.compiler.jit import kernel
from synap.kernels.integers import add_overflows, parse_integer, print_integer
from synap.kernels.spans import move, same
from synap.store.memory import arena
from synap.store.memory.kinds import STRING
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DONE,
    FORM_JSON,
    FORM_MASK,
    FULL,
    ITEM,
    KEYS_EXPIRING,
    NIL,
    NUMBER,
    SCRATCH,
    TRACKING,
    UNREADABLE,
)
from synap.store.memory.refusals import (
    BAD_EXPIRE,
    DECREMENT_OVERFLOW,
    INTEGER_OVERFLOW,
    KEY_EXISTS,
    NOT_AN_INTEGER,
    OUT_OF_MEMORY,
    WRONG_TYPE,
)
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import add_text, fits, set_scalar, text_at, text_mark, text_size
from synap.store.records import compressed, keyspace, value_cache

# Slots of string.set (see synap/commands/strings.py): the condition and the expiry are choices.
SET_CONDITION, SET_IFEQ, SET_IFNE, SET_GET, SET_EXPIRY = 4, 5, 7, 9, 10
GETEX_EXPIRY = 2  # slot of string.get_and_expire
IF_MISSING, IF_THERE, IF_EQUAL, IF_DIFFERENT = 1, 2, 3, 4
IN_SECONDS, IN_MS, AT_SECONDS, AT_MS, KEEP = 1, 2, 3, 4, 5
PERSISTS = 5
DELETE_IF = 2  # slot of string.delete_if
MOST_NEGATIVE = -(1 << 63)
MS_MAX = (1 << 63) - 1
SECONDS_MAX = MS_MAX // 1000


@kernel
def value_at(words, ref):
    """Return the octet at which a string record's value starts."""
    return keyspace.key_at(words, ref) + keyspace.key_size(words, ref)


@kernel
def write(words, octets, tape, h, seat, source, size, mark, deadline, keep_old):
    """Store a string under the key in slot 0 of `tape`, as `write_key` does."""
    return write_key(
        words, octets, words[tape - 2], text_at(words, tape, 0), text_size(words, tape, 0), h, seat,
        source, size, mark, deadline, keep_old,
    )  # fmt: skip


@kernel
def write_key(words, octets, namespace, name_at, name_size, h, seat, source, size, mark, deadline, keep_old):
    """Store a string under a key, whose slot in the table is at `seat` (0: none); return False without memory.

    `keep_old`: do not overwrite or free the old record's bytes before the reply is written.
    """
    source, size, encoding = compressed.pack(words, octets, source, size)
    mark = (mark & FORM_MASK) | encoding
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
    if keyspace.kind_of(words, old) == STRING:
        value_cache.forget(words, old)
    wanted = keyspace.record_words(words, STRING, name_size, size, deadline)
    reuse = False
    if not keep_old and keyspace.kind_of(words, old) == STRING:
        if keyspace.value_size(words, old) == size and (deadline != 0) == (keyspace.deadline_of(words, old) != 0):
            reuse = True
        elif wanted <= arena.BLOCK_WORDS_MAX:
            reuse = arena.capacity(words, old) == arena.class_words(arena.class_of(wanted))
    had_deadline = keyspace.deadline_of(words, old) != 0
    note = keyspace.note_of(words, old)
    if reuse:
        ref = old
    else:
        ref = arena.allocate(words, wanted)
        if ref == 0:
            return False
        words[seat] = (words[seat] & ~REF_MASK) | ref
        keyspace.drop_record(words, old, keep_old)
    at = keyspace.write_head(words, ref, STRING, mark, namespace, name_size, size, deadline)
    keyspace.carry(words, ref, note)
    move(octets, at, name_at, name_size)
    move(octets, at + name_size, source, size)
    if (deadline != 0) != had_deadline:
        words[KEYS_EXPIRING + namespace] += 1 if deadline else -1
    keyspace.touched(words, octets, h)
    return True


@kernel
def expiry_of(words, tape, slot, now, kept):
    """Return (deadline, ok) of the expiry slots of a SET or GETEX; `kept` is the deadline that KEEPTTL keeps."""
    how = words[tape + slot] & ~UNREADABLE
    if how == 0:
        return 0, True
    if how == KEEP:
        return kept, True
    return moment(words[tape + slot + how], how, now)


@kernel
def moment(amount, how, now):
    """Return (deadline, ok) of a time in one of four forms: seconds or ms from now, seconds or ms since 1970."""
    if amount <= 0:
        return 0, False
    if how == IN_SECONDS or how == AT_SECONDS:
        if amount > SECONDS_MAX:
            return 0, False
        amount *= 1000
    if how == IN_SECONDS or how == IN_MS:
        if amount > MS_MAX - now:
            return 0, False
        amount += now
    return amount, True


@kernel
def answer_old(words, octets, reply, ref):
    """Reply with a string record's value, valid until the reply is written; return ITEM, FULL or OUT_OF_MEMORY."""
    if not fits(words, reply, 1, compressed.full_size(words, octets, ref)):
        return FULL
    at, size = compressed.open_text(words, octets, ref)
    if size < 0:
        return OUT_OF_MEMORY
    set_scalar(words, reply, 0)
    add_text(words, reply, at, size, keyspace.mark_of(words, ref) & FORM_MASK)
    return ITEM


@kernel
def holds_text(words, octets, ref, start, size):
    """Return True if a string record has this value."""
    if compressed.full_size(words, octets, ref) != size:
        return False
    at, found = compressed.open_text(words, octets, ref)
    return found == size and same(octets, at, start, size)


@kernel
def set_value(words, octets, tape, now, reply):
    """Store a value, with the conditions, GET and expiry of the options (SET)."""
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate(words, octets, words[tape - 2], text_at(words, tape, 0), text_size(words, tape, 0), h)
    old = 0
    if seat:
        old = words[seat] & REF_MASK
        if keyspace.expired(words, old, now):
            old = 0
    get = words[tape + SET_GET]
    condition = words[tape + SET_CONDITION]
    status = DONE
    kept = 0
    if old:
        kept = keyspace.deadline_of(words, old)
    if words[tape + SET_EXPIRY] & UNREADABLE:
        return NOT_AN_INTEGER
    deadline, valid = expiry_of(words, tape, SET_EXPIRY, now, kept)
    if not valid:
        return BAD_EXPIRE
    if seat and words[TRACKING]:
        keyspace.used(words, words[seat] & REF_MASK, now)
    if get or condition >= IF_EQUAL:
        if old and keyspace.kind_of(words, old) != STRING:
            return WRONG_TYPE
    if get:
        status = NIL
        if old:
            answered = answer_old(words, octets, reply, old)
            if answered != ITEM:
                return answered
            status = ITEM
    if condition:
        holds = old == 0
        if condition == IF_THERE:
            holds = old != 0
        elif condition >= IF_EQUAL:
            slot = SET_IFEQ if condition == IF_EQUAL else SET_IFNE
            size = text_size(words, tape, slot)
            equal = old != 0 and holds_text(words, octets, old, text_at(words, tape, slot), size)
            holds = equal if condition == IF_EQUAL else not equal
        if not holds:
            return status if get else NIL
    if deadline and deadline <= now:  # the deadline has passed: as if the value had been set and had expired
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
    """Reply with the value, or NIL (GET)."""
    ref = keyspace.find(words, octets, tape, 0, now)
    if ref == 0:
        return NIL
    if keyspace.kind_of(words, ref) != STRING:
        return WRONG_TYPE
    return answer_old(words, octets, reply, ref)


@kernel
def add(words, octets, tape, now, reply, amount):
    """Add to the integer at the key; a missing or expired key counts as 0."""
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    value = 0
    deadline = 0
    mark = FORM_JSON  # a new counter is a number in JSON, too
    if seat:
        ref = words[seat] & REF_MASK
        if not keyspace.expired(words, ref, now):
            if keyspace.kind_of(words, ref) != STRING:
                return WRONG_TYPE
            value, valid = parse_integer(octets, value_at(words, ref), keyspace.value_size(words, ref))
            if not valid or compressed.is_packed(words, ref):
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
    """Add the amount in slot 2 (INCRBY)."""
    return add(words, octets, tape, now, reply, words[tape + 2])


@kernel
def increment(words, octets, tape, now, reply):
    """Add 1 (INCR)."""
    return add(words, octets, tape, now, reply, 1)


@kernel
def decrement_by(words, octets, tape, now, reply):
    """Subtract the amount in slot 2 (DECRBY)."""
    if words[tape + 2] == MOST_NEGATIVE:  # its negation overflows
        return DECREMENT_OVERFLOW
    return add(words, octets, tape, now, reply, -words[tape + 2])


@kernel
def decrement(words, octets, tape, now, reply):
    """Subtract 1 (DECR)."""
    return add(words, octets, tape, now, reply, -1)


@kernel
def swap_value(words, octets, tape, now, reply):
    """Store a value without a deadline; reply with the old value (GETSET)."""
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    status = NIL
    if seat and not keyspace.expired(words, words[seat] & REF_MASK, now):
        if keyspace.kind_of(words, words[seat] & REF_MASK) != STRING:
            return WRONG_TYPE
        status = answer_old(words, octets, reply, words[seat] & REF_MASK)
        if status != ITEM:
            return status
    if not write(
        words, octets, tape, h, seat,
        text_at(words, tape, 2), text_size(words, tape, 2), text_mark(words, tape, 2), 0, True,
    ):  # fmt: skip
        return BROKEN
    return status | CHANGED


@kernel
def take_value(words, octets, tape, now, reply):
    """Remove the key; reply with its value (GETDEL)."""
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    if seat == 0 or keyspace.expired(words, words[seat] & REF_MASK, now):
        return NIL
    if keyspace.kind_of(words, words[seat] & REF_MASK) != STRING:
        return WRONG_TYPE
    status = answer_old(words, octets, reply, words[seat] & REF_MASK)
    if status != ITEM:
        return status
    keyspace.remove(words, octets, h, seat, True)
    return ITEM | CHANGED


@kernel
def get_and_expire(words, octets, tape, now, reply):
    """Reply with the value (GETEX); an option may change the deadline, or remove it (PERSIST)."""
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    if seat == 0 or keyspace.expired(words, words[seat] & REF_MASK, now):
        return NIL
    ref = words[seat] & REF_MASK
    if keyspace.kind_of(words, ref) != STRING:
        return WRONG_TYPE
    how = words[tape + GETEX_EXPIRY]
    if how & UNREADABLE:
        return NOT_AN_INTEGER
    deadline = 0
    if how and how != PERSISTS:
        deadline, valid = expiry_of(words, tape, GETEX_EXPIRY, now, 0)
        if not valid:
            return BAD_EXPIRE
    old = keyspace.deadline_of(words, ref)
    status = answer_old(words, octets, reply, ref)
    if status != ITEM:
        return status
    if how == 0 or deadline == old:
        return ITEM
    if deadline and deadline <= now:
        keyspace.remove(words, octets, h, seat, True)
        return ITEM | CHANGED
    moved = keyspace.set_deadline(words, octets, seat, deadline)
    if moved == 0:
        return BROKEN
    if not compressed.is_packed(words, moved):
        words[reply + 2] = value_at(words, moved)
    keyspace.touched(words, octets, h)
    return ITEM | CHANGED


@kernel
def set_if_missing(words, octets, tape, now, reply):
    """Store a value if the key is missing; reply with NUMBER 1 if stored (SETNX)."""
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    set_scalar(words, reply, 0)
    if seat and not keyspace.expired(words, words[seat] & REF_MASK, now):
        return NUMBER
    if not write(
        words, octets, tape, h, seat,
        text_at(words, tape, 2), text_size(words, tape, 2), text_mark(words, tape, 2), 0, False,
    ):  # fmt: skip
        return BROKEN
    words[reply] = 1
    return NUMBER | CHANGED


@kernel
def set_for(words, octets, tape, now, how):
    """Store the value in slot 3 with the expiry in slot 2, in the unit `how`."""
    deadline, valid = moment(words[tape + 2], how, now)
    if not valid:
        return BAD_EXPIRE
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    if not write(
        words, octets, tape, h, seat,
        text_at(words, tape, 3), text_size(words, tape, 3), text_mark(words, tape, 3), deadline, False,
    ):  # fmt: skip
        return BROKEN
    return DONE | CHANGED


@kernel
def set_for_seconds(words, octets, tape, now, reply):
    """Store a value with an expiry in seconds (SETEX)."""
    return set_for(words, octets, tape, now, IN_SECONDS)


@kernel
def set_for_ms(words, octets, tape, now, reply):
    """Store a value with an expiry in milliseconds (PSETEX)."""
    return set_for(words, octets, tape, now, IN_MS)


@kernel
def delete_if(words, octets, tape, now, reply):
    """Remove the key if its value equals (or differs from) the one given; reply with NUMBER 1 if removed (DELEX)."""
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    set_scalar(words, reply, 0)
    if seat == 0 or keyspace.expired(words, words[seat] & REF_MASK, now):
        return NUMBER
    condition = words[tape + DELETE_IF]
    if condition:
        ref = words[seat] & REF_MASK
        if keyspace.kind_of(words, ref) != STRING:
            return WRONG_TYPE
        slot = DELETE_IF + 1 if condition == 1 else DELETE_IF + 3
        equal = holds_text(words, octets, ref, text_at(words, tape, slot), text_size(words, tape, slot))
        if equal != (condition == 1):
            return NUMBER
    keyspace.remove(words, octets, h, seat, False)
    words[reply] = 1
    return NUMBER | CHANGED


@kernel
def load(words, octets, tape, now, reply):
    """Load a string from a snapshot: key, value, deadline (0: none). Refuse a key that exists."""
    h = keyspace.hash_text(words, octets, tape, 0)
    if keyspace.locate_text(words, octets, tape, 0, h):
        return KEY_EXISTS
    if not write(
        words, octets, tape, h, 0,
        text_at(words, tape, 2), text_size(words, tape, 2), text_mark(words, tape, 2), words[tape + 4], False,
    ):  # fmt: skip
        return BROKEN
    return DONE | CHANGED
