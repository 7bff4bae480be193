"""Rows about the deadlines of fields: HEXPIRE and similar, HTTL and similar, HPERSIST, HGETEX, HSETEX; and upkeep.

A field whose deadline is set needs the table, so these rows move a packed hash into one.
"""

from synap.compiler.jit import inlined, kernel
from synap.ranges import MS_MAX
from synap.store.kinds.hashes import expired, fields, hashes
from synap.store.memory import codes, decided
from synap.store.memory.kinds import HASH
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DECIDED_BIT,
    DECIDED_BLOB_SIZE,
    EMPTY,
    FULL,
    ITEMS,
    NUMBER,
)
from synap.store.memory.refusals import BAD_EXPIRE, EXPIRE_BELOW_ZERO, NO_FIELDS, OUT_OF_MEMORY, WRONG_TYPE
from synap.store.memory.tapes import (
    add_nil,
    add_number,
    add_text,
    first_item,
    fits,
    set_scalar,
    text_at,
    text_mark,
    text_size,
)
from synap.store.records import key_access, keyspace
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import hashes as slots

NO_FIELD, NO_DEADLINE = -2, -1  # replies about one field
REFUSED, SET, REMOVED = 0, 1, 2
UPKEEP_LOOKS, UPKEEP_MOST = 400, 100  # fields that a call of upkeep looks at, and removes
UPKEEP_BYTES = 1 << 20  # of their names, after which a step removes no more


@inlined
def first_field(words, tape):
    """Return the slot of the first field of a row whose fields stand behind FIELDS."""
    return first_item(words, tape, slots.HASH_EXPIRE_FIELDS) + slots.HASH_EXPIRE_FIELDS_FIELD


@kernel
def holds(when, old, deadline):
    """Return True if a condition of HEXPIRE allows this deadline for a field with the deadline `old`."""
    if when == slots.HASH_EXPIRE_WHEN_IS_NX:
        return old == 0
    if when == slots.HASH_EXPIRE_WHEN_IS_XX:
        return old != 0
    if when == slots.HASH_EXPIRE_WHEN_IS_GT:
        return old != 0 and deadline > old
    if when == slots.HASH_EXPIRE_WHEN_IS_LT:
        return old == 0 or deadline < old
    return True


@kernel
def expire_in(words, octets, tape, now, reply, unit, start):
    """Set the deadline of fields to `start` plus the amount in the tape, in units of `unit` ms.

    Reply for each field: SET, REMOVED (the deadline has passed already), REFUSED by the condition, or NO_FIELD.
    """
    amount = words[tape + slots.HASH_EXPIRE_TTL]
    count = words[tape + slots.HASH_EXPIRE_FIELDS]
    if count == 0:
        return NO_FIELDS
    if amount < 0:
        return EXPIRE_BELOW_ZERO
    if amount > (MS_MAX - start) // unit:
        return BAD_EXPIRE
    deadline = start + amount * unit
    h, seat, ref = key_access.open_key(words, octets, tape, slots.HASH_EXPIRE_KEY, HASH, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if not fits(words, count, 0):
        return FULL
    set_scalar(words, reply, 0)
    root = keyspace.root_of(words, ref)
    changes = 0
    field = first_field(words, tape)
    for _ in range(count):
        place = hashes.seat_of(words, octets, root, tape, field, now) if ref else 0
        if place == 0:
            add_number(words, reply, NO_FIELD)
        elif not holds(words[tape + slots.HASH_EXPIRE_WHEN], fields.deadline_of(words, root, place), deadline):
            add_number(words, reply, REFUSED)
        elif deadline <= now:
            fields.remove(words, octets, root, place, False)
            add_number(words, reply, REMOVED)
            changes += 1
        else:
            if not fields.set_deadline(words, octets, ref, root, place, deadline):
                return BROKEN
            add_number(words, reply, SET)
            changes += 1
        field += slots.HASH_EXPIRE_FIELDS_STRIDE
    if changes == 0:
        return ITEMS
    key_access.shrunk(words, octets, h, seat, fields.count(words, root))
    return ITEMS | CHANGED


@kernel
def expire(words, octets, tape, now, reply):
    """Set deadlines in seconds from now (HEXPIRE)."""
    return expire_in(words, octets, tape, now, reply, 1000, now)


@kernel
def expire_ms(words, octets, tape, now, reply):
    """Set deadlines in milliseconds from now (HPEXPIRE)."""
    return expire_in(words, octets, tape, now, reply, 1, now)


@kernel
def expire_at(words, octets, tape, now, reply):
    """Set deadlines in seconds since 1970 (HEXPIREAT)."""
    return expire_in(words, octets, tape, now, reply, 1000, 0)


@kernel
def expire_at_ms(words, octets, tape, now, reply):
    """Set deadlines in milliseconds since 1970 (HPEXPIREAT)."""
    return expire_in(words, octets, tape, now, reply, 1, 0)


@kernel
def tell(words, octets, tape, now, reply, start, unit):
    """Reply for each field with its deadline less `start`, in units of `unit` ms, NO_DEADLINE or NO_FIELD."""
    count = words[tape + slots.HASH_TTL_FIELDS]
    if count == 0:
        return NO_FIELDS
    ref = key_access.find(words, octets, tape, slots.HASH_TTL_KEY, HASH, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if not fits(words, count, 0):
        return FULL
    set_scalar(words, reply, 0)
    root = keyspace.root_of(words, ref)
    field = first_item(words, tape, slots.HASH_TTL_FIELDS) + slots.HASH_TTL_FIELDS_FIELD
    for _ in range(count):
        seat = hashes.seat_of(words, octets, root, tape, field, now) if ref else 0
        deadline = fields.deadline_of(words, root, seat) if seat else 0
        if seat == 0:
            add_number(words, reply, NO_FIELD)
        elif deadline == 0:
            add_number(words, reply, NO_DEADLINE)
        else:
            left = deadline - start
            add_number(words, reply, left // unit + (left % unit != 0))
        field += slots.HASH_TTL_FIELDS_STRIDE
    return ITEMS


@kernel
def remaining_seconds(words, octets, tape, now, reply):
    """Reply with the seconds that are left of each field, rounded up (HTTL)."""
    return tell(words, octets, tape, now, reply, now, 1000)


@kernel
def remaining(words, octets, tape, now, reply):
    """Reply with the milliseconds that are left of each field (HPTTL)."""
    return tell(words, octets, tape, now, reply, now, 1)


@kernel
def deadline_seconds(words, octets, tape, now, reply):
    """Reply with the deadline of each field in seconds since 1970, rounded up (HEXPIRETIME)."""
    return tell(words, octets, tape, now, reply, 0, 1000)


@kernel
def deadline(words, octets, tape, now, reply):
    """Reply with the deadline of each field in ms since 1970 (HPEXPIRETIME)."""
    return tell(words, octets, tape, now, reply, 0, 1)


@kernel
def persist(words, octets, tape, now, reply):
    """Remove the deadlines of fields (HPERSIST); reply for each with SET, NO_DEADLINE or NO_FIELD."""
    count = words[tape + slots.HASH_TTL_FIELDS]
    if count == 0:
        return NO_FIELDS
    h, _, ref = key_access.open_key(words, octets, tape, slots.HASH_TTL_KEY, HASH, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if not fits(words, count, 0):
        return FULL
    set_scalar(words, reply, 0)
    root = keyspace.root_of(words, ref)
    field = first_item(words, tape, slots.HASH_TTL_FIELDS) + slots.HASH_TTL_FIELDS_FIELD
    changes = 0
    for _ in range(count):
        place = hashes.seat_of(words, octets, root, tape, field, now) if ref else 0
        if place == 0:
            add_number(words, reply, NO_FIELD)
        elif fields.deadline_of(words, root, place) == 0:
            add_number(words, reply, NO_DEADLINE)
        else:
            if not fields.set_deadline(words, octets, ref, root, place, 0):
                return BROKEN
            add_number(words, reply, SET)
            changes += 1
        field += slots.HASH_TTL_FIELDS_STRIDE
    if changes == 0:
        return ITEMS
    keyspace.touched(words, octets, h)
    return ITEMS | CHANGED


@kernel
def deadline_from(words, tape, how, expiry, now):
    """Return (deadline, ok) of the expiry EX, PX, EXAT or PXAT of an HGETEX or HSETEX, whose slot is `expiry`."""
    if how < slots.HASH_GETEX_EXPIRY_IS_EX or how > slots.HASH_GETEX_EXPIRY_IS_PXAT:
        return 0, True
    amount = words[tape + expiry + how]
    unit = 1000 if how == slots.HASH_GETEX_EXPIRY_IS_EX or how == slots.HASH_GETEX_EXPIRY_IS_EXAT else 1
    start = now if how == slots.HASH_GETEX_EXPIRY_IS_EX or how == slots.HASH_GETEX_EXPIRY_IS_PX else 0
    if amount <= 0 or amount > (MS_MAX - start) // unit:
        return 0, False
    return start + amount * unit, True


@kernel
def get_and_expire(words, octets, tape, now, reply):
    """Reply with the values of fields, and set or remove their deadlines if an option says so (HGETEX)."""
    count = words[tape + slots.HASH_GETEX_FIELDS]
    if count == 0:
        return NO_FIELDS
    how = words[tape + slots.HASH_GETEX_EXPIRY]
    deadline, valid = deadline_from(words, tape, how, slots.HASH_GETEX_EXPIRY, now)
    if not valid:
        return BAD_EXPIRE
    h, seat, ref = key_access.open_key(words, octets, tape, slots.HASH_GETEX_KEY, HASH, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    field = first_item(words, tape, slots.HASH_GETEX_FIELDS) + slots.HASH_GETEX_FIELDS_FIELD
    stride = slots.HASH_GETEX_FIELDS_STRIDE
    total = hashes.values_bytes(words, octets, root, tape, field, stride, count, now) if ref else 0
    if not fits(words, count, total):
        return FULL
    set_scalar(words, reply, 0)
    passed = deadline != 0 and deadline <= now
    old = 0
    if ref and passed:
        old = fields.keep_texts(words, octets, root)
        if old < 0:
            return OUT_OF_MEMORY
    changes = 0
    for _ in range(count):
        place = hashes.seat_of(words, octets, root, tape, field, now) if ref else 0
        field += stride
        if place == 0:
            add_nil(words, reply)
            continue
        at, size, form = fields.kept_value(words, octets, root, place, old)
        add_text(words, reply, at, size, form)
        before = fields.deadline_of(words, root, place)
        if passed:
            fields.remove(words, octets, root, place, True)
            changes += 1
        elif deadline != before and (deadline or how == slots.HASH_GETEX_EXPIRY_IS_PERSIST):
            if not fields.set_deadline(words, octets, ref, root, place, deadline):
                return BROKEN
            changes += 1
    if changes == 0:
        return ITEMS
    key_access.shrunk(words, octets, h, seat, fields.count(words, root))
    return ITEMS | CHANGED


@kernel
def set_and_expire(words, octets, tape, now, reply):
    """Set fields with a deadline, if all (FXX) or none (FNX) of them exist; reply with NUMBER 1 if set (HSETEX)."""
    count = words[tape + slots.HASH_SETEX_FIELDS]
    if count == 0:
        return NO_FIELDS
    how = words[tape + slots.HASH_SETEX_EXPIRY]
    deadline, valid = deadline_from(words, tape, how, slots.HASH_SETEX_EXPIRY, now)
    if not valid:
        return BAD_EXPIRE
    h, seat, ref = key_access.open_key(words, octets, tape, slots.HASH_SETEX_KEY, HASH, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    first = first_item(words, tape, slots.HASH_SETEX_FIELDS)
    set_scalar(words, reply, 0)
    condition = words[tape + slots.HASH_SETEX_WHEN]
    if condition:
        for i in range(count):
            name = first + i * slots.HASH_SETEX_FIELDS_STRIDE + slots.HASH_SETEX_FIELDS_FIELD
            there = ref and hashes.seat_of(words, octets, keyspace.root_of(words, ref), tape, name, now)
            if (there != 0) != (condition == slots.HASH_SETEX_WHEN_IS_FXX):
                return NUMBER
    words[reply] = 1
    passed = deadline != 0 and deadline <= now
    if ref == MISSING and passed:
        return NUMBER
    if ref == MISSING:
        ref = key_access.claim(words, octets, tape, slots.HASH_SETEX_KEY, h, HASH, now)
        if ref == 0:
            return BROKEN
    root = keyspace.root_of(words, ref)
    for i in range(count):
        item = first + i * slots.HASH_SETEX_FIELDS_STRIDE
        name, value = item + slots.HASH_SETEX_FIELDS_FIELD, item + slots.HASH_SETEX_FIELDS_VALUE
        start, size = text_at(words, tape, name), text_size(words, tape, name)
        place = fields.locate(words, octets, root, start, size)
        if passed:  # as if the field had been set and had expired
            if place:
                fields.remove(words, octets, root, place, False)
            continue
        moment = deadline
        if how == slots.HASH_SETEX_EXPIRY_IS_KEEPTTL and place and not fields.expired(words, root, place, now):
            moment = fields.deadline_of(words, root, place)
        stored = fields.put(
            words, octets, ref, root, place, start, size, text_at(words, tape, value), text_size(words, tape, value),
            text_mark(words, tape, value), moment,
        )  # fmt: skip
        if not stored:
            return BROKEN
    if passed:
        key_access.shrunk(words, octets, h, seat, fields.count(words, root))
    else:
        keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def drop_some(words, octets, tape, now, reply):
    """Find some expired fields and remove them, on behalf of upkeep; reply with the fields.

    The log has it as a call of `hash.drop`, since what is found depends on how far upkeep has come in the table.
    """
    h, seat, ref = key_access.open_key(words, octets, tape, slots.HASH_DROP_SOME_KEY, HASH, now)
    if ref == OTHER_KIND or ref == MISSING or not fields.may_expire(words, keyspace.root_of(words, ref), now):
        return EMPTY
    root = keyspace.root_of(words, ref)
    set_scalar(words, reply, 0)
    decided.begin(words, codes.HASH_DROP, words[tape - 2], slots.HASH_DROP_SLOTS)
    decided.put_argument(words, octets, slots.HASH_DROP_KEY, tape, slots.HASH_DROP_SOME_KEY)
    decided.put_group(words, slots.HASH_DROP_FIELDS)
    looks = UPKEEP_LOOKS
    removed = 0
    while removed < UPKEEP_MOST and words[DECIDED_BLOB_SIZE] < UPKEEP_BYTES:
        place, looks = expired.next_expired(words, octets, root, looks, now)
        if place == 0:
            break
        start, size = fields.name_of(words, octets, root, place)
        add_text(words, reply, start, size, 0)
        item = decided.add_item(words, slots.HASH_DROP_FIELDS, slots.HASH_DROP_FIELDS_STRIDE)
        decided.put_text(words, octets, item + slots.HASH_DROP_FIELDS_FIELD, start, size, 0)
        fields.remove(words, octets, root, place, True)
        removed += 1
    if removed == 0:
        return EMPTY
    key_access.shrunk(words, octets, h, seat, fields.count(words, root))
    return ITEMS | CHANGED | DECIDED_BIT


@kernel
def drop(words, octets, tape, now, reply):
    """Remove fields if they have expired; reply with NUMBER: how many had."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.HASH_DROP_KEY, HASH, now)
    set_scalar(words, reply, 0)
    if ref == OTHER_KIND or ref == MISSING:
        return NUMBER
    root = keyspace.root_of(words, ref)
    field = first_item(words, tape, slots.HASH_DROP_FIELDS) + slots.HASH_DROP_FIELDS_FIELD
    removed = 0
    for _ in range(words[tape + slots.HASH_DROP_FIELDS]):
        place = fields.locate(words, octets, root, text_at(words, tape, field), text_size(words, tape, field))
        if place and fields.expired(words, root, place, now):
            fields.remove(words, octets, root, place, False)
            removed += 1
        field += slots.HASH_DROP_FIELDS_STRIDE
    if removed == 0:
        return NUMBER
    words[reply] = removed
    key_access.shrunk(words, octets, h, seat, fields.count(words, root))
    return NUMBER | CHANGED
