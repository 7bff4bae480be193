"""Rows of hashes that change fields: HSET, HSETNX, HDEL, HINCRBY, HINCRBYFLOAT, HGETDEL, and loading from a snapshot.

A field that has expired counts as missing. It is overwritten when the field is set, and removed by upkeep.
"""

from synap.compiler.jit import inlined, kernel
from synap.kernels.decimals import DECIMAL_SIZE_MAX, NOT_DECIMAL, OUT_OF_RANGE, add_decimal, is_real
from synap.kernels.integers import add_overflows, parse_integer, print_integer
from synap.store.kinds.hashes import fields
from synap.store.memory.kinds import HASH
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DONE,
    FORM_JSON,
    FULL,
    ITEM,
    ITEMS,
    NUMBER,
    SCRATCH,
)
from synap.store.memory.refusals import (
    HASH_NOT_A_REAL,
    HASH_NOT_AN_INTEGER,
    INCREMENT_NOT_FINITE,
    INTEGER_OVERFLOW,
    KEY_EXISTS,
    NO_FIELDS,
    NOT_A_REAL,
    NOT_FINITE,
    OUT_OF_MEMORY,
    WRONG_TYPE,
)
from synap.store.memory.tapes import add_nil, add_text, first_item, fits, set_scalar, text_at, text_mark, text_size
from synap.store.records import key_access, keyspace, pieces
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import hashes as slots

NUMBERS = SCRATCH * 8  # the octet at which sums are written
ZERO = NUMBERS + DECIMAL_SIZE_MAX


@inlined
def seat_of(words, octets, root, tape, slot, now):
    """Return the seat of the field in this slot of a tape, or 0 if it is missing or has expired."""
    return fields.find(words, octets, root, text_at(words, tape, slot), text_size(words, tape, slot), now)


@kernel
def values_bytes(words, octets, root, tape, field, stride, count, now):
    """Return the bytes of the values of the `count` fields in a tape, of which the first is in slot `field`."""
    total = 0
    for _ in range(count):
        seat = seat_of(words, octets, root, tape, field, now)
        if seat:
            _, size, _ = fields.value_of(words, octets, root, seat)
            total += size
        field += stride
    return total


@kernel
def store(words, octets, ref, tape, field, value, size, mark, now):
    """Set the field in slot `field` of a tape to the `size` bytes at octet `value`.

    Return 1 if the field is new, 0 if it was there, -1 without memory. A deadline of the field is removed.
    """
    root = keyspace.root_of(words, ref)
    start, length = text_at(words, tape, field), text_size(words, tape, field)
    seat = fields.locate(words, octets, root, start, length)
    new = seat == 0 or fields.expired(words, root, seat, now)
    if not fields.put(words, octets, ref, root, seat, start, length, value, size, mark, 0):
        return -1
    return 1 if new else 0


@kernel
def set_one(words, octets, tape, now, reply):
    """Set a field; reply with NUMBER 1 if it is new."""
    h = keyspace.hash_text(words, octets, tape, slots.HASH_SET_KEY)
    ref = key_access.claim(words, octets, tape, slots.HASH_SET_KEY, h, HASH, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    return set_in(words, octets, tape, now, reply, h, ref)


@kernel
def set_in(words, octets, tape, now, reply, h, ref):
    """Set the field of a row with one field in the hash of the record at `ref` (0: there was no memory for it)."""
    if ref == 0:
        return BROKEN
    value, size = text_at(words, tape, slots.HASH_SET_VALUE), text_size(words, tape, slots.HASH_SET_VALUE)
    mark = text_mark(words, tape, slots.HASH_SET_VALUE)
    new = store(words, octets, ref, tape, slots.HASH_SET_FIELD, value, size, mark, now)
    if new < 0:
        return BROKEN
    keyspace.touched(words, octets, h)
    set_scalar(words, reply, new)
    return NUMBER | CHANGED


@kernel
def set_many(words, octets, tape, now, reply):
    """Set fields; reply with NUMBER: how many are new (HSET)."""
    h = keyspace.hash_text(words, octets, tape, slots.HASH_MSET_KEY)
    ref = key_access.claim(words, octets, tape, slots.HASH_MSET_KEY, h, HASH, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref == 0:
        return BROKEN
    item = first_item(words, tape, slots.HASH_MSET_FIELDS)
    added = 0
    for _ in range(words[tape + slots.HASH_MSET_FIELDS]):
        at = item + slots.HASH_MSET_FIELDS_VALUE
        value, size, mark = text_at(words, tape, at), text_size(words, tape, at), text_mark(words, tape, at)
        new = store(words, octets, ref, tape, item + slots.HASH_MSET_FIELDS_FIELD, value, size, mark, now)
        if new < 0:
            return BROKEN
        added += new
        item += slots.HASH_MSET_FIELDS_STRIDE
    keyspace.touched(words, octets, h)
    set_scalar(words, reply, added)
    return NUMBER | CHANGED


@kernel
def set_all(words, octets, tape, now, reply):
    """Set fields; reply with DONE (HMSET)."""
    status = set_many(words, octets, tape, now, reply)
    return DONE | CHANGED if status == NUMBER | CHANGED else status


@kernel
def set_if_missing(words, octets, tape, now, reply):
    """Set a field if it is missing; reply with NUMBER 1 if it was set (HSETNX)."""
    h, _, ref = key_access.open_key(words, octets, tape, slots.HASH_SETNX_KEY, HASH, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref and seat_of(words, octets, keyspace.root_of(words, ref), tape, slots.HASH_SETNX_FIELD, now):
        set_scalar(words, reply, 0)
        return NUMBER
    if ref == MISSING:
        ref = key_access.claim(words, octets, tape, slots.HASH_SETNX_KEY, h, HASH, now)
    return set_in(words, octets, tape, now, reply, h, ref)


@kernel
def remove(words, octets, tape, now, reply):
    """Remove fields; reply with NUMBER: how many were there (HDEL). The key is removed with its last field."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.HASH_DEL_KEY, HASH, now)
    set_scalar(words, reply, 0)
    if ref == MISSING:
        return NUMBER
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    field = first_item(words, tape, slots.HASH_DEL_FIELDS) + slots.HASH_DEL_FIELDS_FIELD
    removed = 0
    for _ in range(words[tape + slots.HASH_DEL_FIELDS]):
        place = seat_of(words, octets, root, tape, field, now)
        if place:
            fields.remove(words, octets, root, place, False)
            removed += 1
        field += slots.HASH_DEL_FIELDS_STRIDE
    if removed == 0:
        return NUMBER
    words[reply] = removed
    key_access.shrunk(words, octets, h, seat, fields.count(words, root))
    return NUMBER | CHANGED


@kernel
def take(words, octets, tape, now, reply):
    """Remove fields; reply with their values, a null for each that is missing (HGETDEL)."""
    count = words[tape + slots.HASH_GETDEL_FIELDS]
    if count == 0:
        return NO_FIELDS
    h, seat, ref = key_access.open_key(words, octets, tape, slots.HASH_GETDEL_KEY, HASH, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    first = first_item(words, tape, slots.HASH_GETDEL_FIELDS) + slots.HASH_GETDEL_FIELDS_FIELD
    root = keyspace.root_of(words, ref)
    total = values_bytes(words, octets, root, tape, first, slots.HASH_GETDEL_FIELDS_STRIDE, count, now) if ref else 0
    if not fits(words, count, total):
        return FULL
    set_scalar(words, reply, 0)
    old = fields.keep_texts(words, octets, root) if ref else 0
    if old < 0:
        return OUT_OF_MEMORY
    removed = 0
    for i in range(count):
        place = 0
        if ref:
            place = seat_of(words, octets, root, tape, first + i * slots.HASH_GETDEL_FIELDS_STRIDE, now)
        if place == 0:
            add_nil(words, reply)
            continue
        at, size, form = fields.kept_value(words, octets, root, place, old)
        add_text(words, reply, at, size, form)
        fields.remove(words, octets, root, place, True)
        removed += 1
    if removed == 0:
        return ITEMS
    key_access.shrunk(words, octets, h, seat, fields.count(words, root))
    return ITEMS | CHANGED


@kernel
def add(words, octets, tape, now, reply):
    """Add to the integer in a field; reply with NUMBER: the sum (HINCRBY). A missing field counts as 0."""
    h, _, ref = key_access.open_key(words, octets, tape, slots.HASH_INCRBY_KEY, HASH, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    number = 0
    mark = FORM_JSON
    deadline = 0
    seat = 0
    if ref:
        root = keyspace.root_of(words, ref)
        seat = seat_of(words, octets, root, tape, slots.HASH_INCRBY_FIELD, now)
    if seat:
        at, size, mark = fields.value_of(words, octets, root, seat)
        number, valid = parse_integer(octets, at, size)
        if not valid:
            return HASH_NOT_AN_INTEGER
        deadline = fields.deadline_of(words, root, seat)
    amount = words[tape + slots.HASH_INCRBY_INCREMENT]
    if add_overflows(number, amount):
        return INTEGER_OVERFLOW
    size = print_integer(octets, NUMBERS, number + amount)
    if not write_sum(words, octets, tape, h, ref, size, mark, deadline, now):
        return BROKEN
    set_scalar(words, reply, number + amount)
    return NUMBER | CHANGED


@kernel
def write_sum(words, octets, tape, h, ref, size, mark, deadline, now):
    """Store the sum that lies at NUMBERS in the field of an HINCRBY or HINCRBYFLOAT; return False without memory."""
    if ref == MISSING:
        ref = key_access.claim(words, octets, tape, slots.HASH_INCRBY_KEY, h, HASH, now)
        if ref == 0:
            return False
    root = keyspace.root_of(words, ref)
    start, length = text_at(words, tape, slots.HASH_INCRBY_FIELD), text_size(words, tape, slots.HASH_INCRBY_FIELD)
    seat = fields.locate(words, octets, root, start, length)
    keyspace.touched(words, octets, h)
    return fields.put(words, octets, ref, root, seat, start, length, NUMBERS, size, mark, deadline)


@kernel
def add_real(words, octets, tape, now, reply):
    """Add decimals exactly (`kernels/decimals.py`) in a field; reply with the sum as text (HINCRBYFLOAT)."""
    h, _, ref = key_access.open_key(words, octets, tape, slots.HASH_INCRBYFLOAT_KEY, HASH, now)
    source = text_at(words, tape, slots.HASH_INCRBYFLOAT_INCREMENT)
    length = text_size(words, tape, slots.HASH_INCRBYFLOAT_INCREMENT)
    octets[ZERO] = 48
    if add_decimal(octets, NUMBERS, ZERO, 1, source, length) == NOT_DECIMAL:
        return INCREMENT_NOT_FINITE if is_real(octets, NUMBERS, source, length) else NOT_A_REAL
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if not fits(words, 1, DECIMAL_SIZE_MAX):
        return FULL
    at, size, mark = ZERO, 1, FORM_JSON
    deadline = 0
    seat = 0
    if ref:
        root = keyspace.root_of(words, ref)
        seat = seat_of(words, octets, root, tape, slots.HASH_INCRBYFLOAT_FIELD, now)
    if seat:
        at, size, mark = fields.value_of(words, octets, root, seat)
        deadline = fields.deadline_of(words, root, seat)
        if not is_real(octets, NUMBERS, at, size):
            return HASH_NOT_A_REAL
    octets[ZERO] = 48
    size = add_decimal(octets, NUMBERS, at, size, source, length)
    if size == NOT_DECIMAL or size == OUT_OF_RANGE:
        return NOT_FINITE
    if not write_sum(words, octets, tape, h, ref, size, mark, deadline, now):
        return BROKEN
    set_scalar(words, reply, 0)
    add_text(words, reply, NUMBERS, size, mark)
    return ITEM | CHANGED


@kernel
def load(words, octets, tape, now, reply):
    """Load a piece of a hash from a snapshot: key, deadline, more (0: the first piece), fields with deadlines."""
    if not pieces.follows(words, octets, tape):
        return KEY_EXISTS
    h = keyspace.hash_text(words, octets, tape, slots.HASH_LOAD_KEY)
    ref = key_access.claim(words, octets, tape, slots.HASH_LOAD_KEY, h, HASH, -1)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref == 0:
        return BROKEN
    root = keyspace.root_of(words, ref)
    item = first_item(words, tape, slots.HASH_LOAD_FIELDS)
    for _ in range(words[tape + slots.HASH_LOAD_FIELDS]):
        name = item + slots.HASH_LOAD_FIELDS_FIELD
        value = item + slots.HASH_LOAD_FIELDS_VALUE
        start, size = text_at(words, tape, name), text_size(words, tape, name)
        seat = fields.locate(words, octets, root, start, size)
        stored = fields.put(
            words, octets, ref, root, seat, start, size, text_at(words, tape, value), text_size(words, tape, value),
            text_mark(words, tape, value), words[tape + item + slots.HASH_LOAD_FIELDS_EXPIRES],
        )  # fmt: skip
        if not stored:
            return BROKEN
        item += slots.HASH_LOAD_FIELDS_STRIDE
    keyspace.touched(words, octets, h)
    set_scalar(words, reply, fields.count(words, root))
    return pieces.loaded(words, octets, tape, NUMBER | CHANGED)
