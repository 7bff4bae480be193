"""Rows of strings: SET, GET, INCR and similar, GETDEL, GETEX, over records with key and value in one block.

A value is overwritten in place if its block has the size that a new one would have. So a counter, or a cache entry
that is rewritten with the same size, allocates nothing.
"""

from synap.compiler.jit import inlined, kernel
from synap.kernels.integers import add_overflows, parse_integer, print_integer
from synap.kernels.spans import move, same
from synap.ranges import MS_MAX, SECONDS_MAX
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
from synap.store.records import compressed, key_access, keyspace, value_cache
from synap.store.records.key_access import ANY_KIND, MISSING, OTHER_KIND
from synap.store.slots import strings as slots

MOST_NEGATIVE = -(1 << 63)


@kernel
def value_at(words, ref):
    """Return the octet at which a string record's value starts."""
    return keyspace.key_at(words, ref) + keyspace.key_size(words, ref)


@inlined
def write(words, octets, tape, key, h, seat, source, size, mark, deadline, keep_old):
    """Store a string under the key in slot `key` of `tape`, as `write_key` does."""
    return write_key(
        words, octets, words[tape - 2], text_at(words, tape, key), text_size(words, tape, key), h, seat,
        source, size, mark, deadline, keep_old,
    )  # fmt: skip


@inlined
def write_argument(words, octets, tape, key, value, h, seat, deadline, keep_old):
    """Store the text in slot `value` of `tape` under the key in slot `key`, as `write_key` does."""
    return write(
        words, octets, tape, key, h, seat,
        text_at(words, tape, value), text_size(words, tape, value), text_mark(words, tape, value), deadline, keep_old,
    )  # fmt: skip


@inlined
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
    keyspace.set_note(words, ref, note)
    move(octets, at, name_at, name_size)
    move(octets, at + name_size, source, size)
    if (deadline != 0) != had_deadline:
        words[KEYS_EXPIRING + namespace] += 1 if deadline else -1
    keyspace.touched(words, octets, h)
    return True


@kernel
def expiry_of(words, tape, slot, now):
    """Return (deadline, ok) of the expiry in this slot, EX, PX, EXAT or PXAT or none, of a SET or GETEX."""
    how = words[tape + slot]
    if how == 0:
        return 0, True
    return read_deadline(words[tape + slot + how], how, now)


@kernel
def read_deadline(amount, how, now):
    """Return (deadline, ok) of a time in one of the four forms of SET: seconds or ms from now, or since 1970."""
    if amount <= 0:
        return 0, False
    if how == slots.KV_SET_EXPIRY_IS_EX or how == slots.KV_SET_EXPIRY_IS_EXAT:
        if amount > SECONDS_MAX:
            return 0, False
        amount *= 1000
    if how == slots.KV_SET_EXPIRY_IS_EX or how == slots.KV_SET_EXPIRY_IS_PX:
        if amount > MS_MAX - now:
            return 0, False
        amount += now
    return amount, True


@kernel
def answer_old(words, octets, reply, ref):
    """Reply with a string record's value, valid until the reply is written; return ITEM, FULL or OUT_OF_MEMORY."""
    if not fits(words, 1, compressed.full_size(words, octets, ref)):
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
    h = keyspace.hash_text(words, octets, tape, slots.KV_SET_KEY)
    seat = keyspace.locate_quietly(words, octets, tape, slots.KV_SET_KEY, h)
    old = key_access.record_at(words, seat, ANY_KIND, now)
    get = words[tape + slots.KV_SET_GET]
    condition = words[tape + slots.KV_SET_WHEN]
    status = DONE
    expiry = words[tape + slots.KV_SET_EXPIRY]
    if expiry & UNREADABLE:
        return NOT_AN_INTEGER
    if expiry == slots.KV_SET_EXPIRY_IS_KEEPTTL:
        deadline = keyspace.deadline_of(words, old) if old else 0
    else:
        deadline, valid = expiry_of(words, tape, slots.KV_SET_EXPIRY, now)
        if not valid:
            return BAD_EXPIRE
    if seat and words[TRACKING]:
        keyspace.used(words, words[seat] & REF_MASK, now)
    if get or condition >= slots.KV_SET_WHEN_IS_IFEQ:
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
        if condition == slots.KV_SET_WHEN_IS_XX:
            holds = old != 0
        elif condition >= slots.KV_SET_WHEN_IS_IFEQ:
            wanted_equal = condition == slots.KV_SET_WHEN_IS_IFEQ
            slot = slots.KV_SET_IFEQ if wanted_equal else slots.KV_SET_IFNE
            size = text_size(words, tape, slot)
            equal = old != 0 and holds_text(words, octets, old, text_at(words, tape, slot), size)
            holds = equal == wanted_equal
        if not holds:
            return status if get else NIL
    if deadline and deadline <= now:  # the deadline has passed: as if the value had been set and had expired
        if seat:
            keyspace.remove(words, octets, h, seat, True)
            return status | CHANGED
        return status
    if not write_argument(words, octets, tape, slots.KV_SET_KEY, slots.KV_SET_VALUE, h, seat, deadline, get != 0):
        return BROKEN
    return status | CHANGED


@kernel
def get_value(words, octets, tape, now, reply):
    """Reply with the value, or NIL (GET)."""
    ref = key_access.find(words, octets, tape, slots.KV_GET_KEY, STRING, now)
    if ref == MISSING:
        return NIL
    if ref == OTHER_KIND:
        return WRONG_TYPE
    return answer_old(words, octets, reply, ref)


@kernel
def add(words, octets, tape, now, reply, amount):
    """Add to the integer at the key; a missing or expired key counts as 0."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.KV_ADD_KEY, STRING, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    value = 0
    deadline = 0
    mark = FORM_JSON  # a new counter is a number in JSON, too
    if ref:
        value, valid = parse_integer(octets, value_at(words, ref), keyspace.value_size(words, ref))
        if not valid or compressed.is_packed(words, ref):
            return NOT_AN_INTEGER
        deadline = keyspace.deadline_of(words, ref)
        mark = keyspace.mark_of(words, ref)
    if add_overflows(value, amount):
        return INTEGER_OVERFLOW
    value += amount
    size = print_integer(octets, SCRATCH * 8, value)
    if not write(words, octets, tape, slots.KV_ADD_KEY, h, seat, SCRATCH * 8, size, mark, deadline, False):
        return BROKEN
    set_scalar(words, reply, value)
    return NUMBER | CHANGED


@kernel
def increment_by(words, octets, tape, now, reply):
    """Add an amount (INCRBY)."""
    return add(words, octets, tape, now, reply, words[tape + slots.KV_ADD_AMOUNT])


@kernel
def increment(words, octets, tape, now, reply):
    """Add 1 (INCR)."""
    return add(words, octets, tape, now, reply, 1)


@kernel
def decrement_by(words, octets, tape, now, reply):
    """Subtract an amount (DECRBY)."""
    amount = words[tape + slots.KV_SUBTRACT_AMOUNT]
    if amount == MOST_NEGATIVE:  # its negation overflows
        return DECREMENT_OVERFLOW
    return add(words, octets, tape, now, reply, -amount)


@kernel
def decrement(words, octets, tape, now, reply):
    """Subtract 1 (DECR)."""
    return add(words, octets, tape, now, reply, -1)


@kernel
def swap_value(words, octets, tape, now, reply):
    """Store a value without a deadline; reply with the old value (GETSET)."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.KV_GETSET_KEY, STRING, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    status = NIL
    if ref:
        status = answer_old(words, octets, reply, ref)
        if status != ITEM:
            return status
    if not write_argument(words, octets, tape, slots.KV_GETSET_KEY, slots.KV_GETSET_VALUE, h, seat, 0, True):
        return BROKEN
    return status | CHANGED


@kernel
def take_value(words, octets, tape, now, reply):
    """Remove the key; reply with its value (GETDEL)."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.KV_GETDEL_KEY, STRING, now)
    if ref == MISSING:
        return NIL
    if ref == OTHER_KIND:
        return WRONG_TYPE
    status = answer_old(words, octets, reply, ref)
    if status != ITEM:
        return status
    keyspace.remove(words, octets, h, seat, True)
    return ITEM | CHANGED


@kernel
def get_and_expire(words, octets, tape, now, reply):
    """Reply with the value (GETEX); an option may change the deadline, or remove it (PERSIST)."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.KV_GETEX_KEY, STRING, now)
    if ref == MISSING:
        return NIL
    if ref == OTHER_KIND:
        return WRONG_TYPE
    how = words[tape + slots.KV_GETEX_EXPIRY]
    if how & UNREADABLE:
        return NOT_AN_INTEGER
    deadline = 0
    if how and how != slots.KV_GETEX_EXPIRY_IS_PERSIST:
        deadline, valid = expiry_of(words, tape, slots.KV_GETEX_EXPIRY, now)
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
    moved = key_access.change_deadline(words, octets, h, seat, deadline)
    if moved == 0:
        return BROKEN
    if not compressed.is_packed(words, moved):
        words[reply + 2] = value_at(words, moved)
    return ITEM | CHANGED


@kernel
def set_if_missing(words, octets, tape, now, reply):
    """Store a value if the key is missing; reply with NUMBER 1 if stored (SETNX)."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.KV_SETNX_KEY, ANY_KIND, now)
    set_scalar(words, reply, 0)
    if ref:
        return NUMBER
    if not write_argument(words, octets, tape, slots.KV_SETNX_KEY, slots.KV_SETNX_VALUE, h, seat, 0, False):
        return BROKEN
    words[reply] = 1
    return NUMBER | CHANGED


@kernel
def set_for(words, octets, tape, now, how):
    """Store a value with an expiry, which is in the unit `how`."""
    deadline, valid = read_deadline(words[tape + slots.KV_SETEX_TTL], how, now)
    if not valid:
        return BAD_EXPIRE
    h, seat, _ = key_access.open_key(words, octets, tape, slots.KV_SETEX_KEY, ANY_KIND, now)
    if not write_argument(words, octets, tape, slots.KV_SETEX_KEY, slots.KV_SETEX_VALUE, h, seat, deadline, False):
        return BROKEN
    return DONE | CHANGED


@kernel
def set_for_seconds(words, octets, tape, now, reply):
    """Store a value with an expiry in seconds (SETEX)."""
    return set_for(words, octets, tape, now, slots.KV_SET_EXPIRY_IS_EX)


@kernel
def set_for_ms(words, octets, tape, now, reply):
    """Store a value with an expiry in milliseconds (PSETEX)."""
    return set_for(words, octets, tape, now, slots.KV_SET_EXPIRY_IS_PX)


@kernel
def delete_if(words, octets, tape, now, reply):
    """Remove the key if its value equals (or differs from) the one given; reply with NUMBER 1 if removed (DELEX)."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.KV_DELEX_KEY, ANY_KIND, now)
    set_scalar(words, reply, 0)
    if ref == MISSING:
        return NUMBER
    condition = words[tape + slots.KV_DELEX_WHEN]
    if condition:
        if keyspace.kind_of(words, ref) != STRING:
            return WRONG_TYPE
        wanted_equal = condition == slots.KV_DELEX_WHEN_IS_IFEQ
        slot = slots.KV_DELEX_IFEQ if wanted_equal else slots.KV_DELEX_IFNE
        equal = holds_text(words, octets, ref, text_at(words, tape, slot), text_size(words, tape, slot))
        if equal != wanted_equal:
            return NUMBER
    keyspace.remove(words, octets, h, seat, False)
    words[reply] = 1
    return NUMBER | CHANGED


@kernel
def load(words, octets, tape, now, reply):
    """Load a string from a snapshot: key, value, deadline (0: none). Refuse a key that exists."""
    h = keyspace.hash_text(words, octets, tape, slots.STRING_LOAD_KEY)
    if keyspace.locate_text(words, octets, tape, slots.STRING_LOAD_KEY, h):
        return KEY_EXISTS
    deadline = words[tape + slots.STRING_LOAD_DEADLINE]
    if not write_argument(words, octets, tape, slots.STRING_LOAD_KEY, slots.STRING_LOAD_VALUE, h, 0, deadline, False):
        return BROKEN
    return DONE | CHANGED
