"""Rows about keys of any kind: DEL, expiry, EXISTS, TYPE, DBSIZE, SCAN, FLUSHALL."""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.globs import matches
from synap.kernels.integers import parse_cursor, print_integer
from synap.store.memory import tables
from synap.store.memory.layout import (
    CHANGED,
    DONE,
    FULL,
    ITEM,
    KEY_HITS,
    KEY_MISSES,
    KEYS_COUNT,
    KEYS_EXPIRING,
    KINDS_COUNT,
    MARK_ARRAY,
    MARK_BITS,
    NUMBER,
    REPLY_BYTES_MAX,
    REPLY_ITEMS_MAX,
    SCRATCH,
    SHARDS,
    SHARDS_COUNT,
    TABLE_SIZE,
    TYPE_NAMES,
    UNREADABLE,
)
from synap.store.memory.refusals import (
    BAD_COMPARISONS,
    BAD_CONDITIONS,
    BAD_CURSOR,
    BAD_EXPIRE,
    NOT_AN_INTEGER,
    SYNTAX,
)
from synap.store.memory.tables import REF_MASK, TAG_BITS, TAG_MASK
from synap.store.memory.tapes import add_mark, add_text, fits, set_scalar, text_at, text_size
from synap.store.records import keyspace

# Slots of key.expire_in and of key.scan (see synap/commands/keys.py).
EXPIRE_AMOUNT, EXPIRE_WHEN, EXPIRE_COMPARE = 2, 3, 4
IF_NONE, IF_ANY = 1, 2
IF_LATER, IF_EARLIER = 1, 2
BOTH = 3
SCAN_MATCH, SCAN_HAS_COUNT, SCAN_COUNT, SCAN_HAS_TYPE, SCAN_TYPE = 3, 5, 6, 7, 8
SCAN_COUNT_DEFAULT = 10
PAGE_ITEMS = 3  # items of the reply before the keys: two marks of arrays and the cursor
SCAN_WALK_MAX = 8192  # keys of other namespaces that one window passes over: about half a millisecond
MS_MAX = (1 << 63) - 1
FLUSH_STEP = 1 << 62


@kernel
def delete(words, octets, tape, now, reply):
    """Remove keys (DEL); reply with how many were visible."""
    count = words[tape]
    at = tape + words[tape + 1]
    removed = 0
    changed = False
    for i in range(count):
        start = words[tape - 1] + words[at + 2 * i]
        size = words[at + 2 * i + 1] >> 8
        h = keyspace.hash_key(words, octets, words[tape - 2], start, size)
        seat = keyspace.locate(words, octets, words[tape - 2], start, size, h)
        if seat:
            if not keyspace.expired(words, words[seat] & REF_MASK, now):
                removed += 1
            keyspace.remove(words, octets, h, seat, False)
            changed = True
    set_scalar(words, reply, removed)
    return NUMBER | CHANGED if changed else NUMBER


@kernel
def expire_key(words, octets, tape, now, reply):
    """Remove a key whose deadline has come, for upkeep; reply with NUMBER 1 if it was removed."""
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    if seat and keyspace.expired(words, words[seat] & REF_MASK, now):
        keyspace.remove(words, octets, h, seat, False)
        set_scalar(words, reply, 1)
        return NUMBER | CHANGED
    set_scalar(words, reply, 0)
    return NUMBER


@kernel
def change_deadline(words, octets, tape, now, reply, deadline):
    """Set a deadline under the conditions NX, XX, GT, LT; reply with NUMBER 1 if it was set."""
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    set_scalar(words, reply, 0)
    if seat == 0 or keyspace.expired(words, words[seat] & REF_MASK, now):
        return NUMBER
    old = keyspace.deadline_of(words, words[seat] & REF_MASK)
    when = words[tape + EXPIRE_WHEN]
    compare = words[tape + EXPIRE_COMPARE]
    if (when == IF_NONE and old) or (when == IF_ANY and not old):
        return NUMBER
    if compare == IF_LATER and (not old or deadline <= old):
        return NUMBER
    if compare == IF_EARLIER and old and deadline >= old:
        return NUMBER
    words[reply] = 1
    if deadline <= now:
        keyspace.remove(words, octets, h, seat, False)
        return NUMBER | CHANGED
    if keyspace.set_deadline(words, octets, seat, deadline) == 0:
        return 0
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def expire_in(words, octets, tape, now, reply, unit, start):
    """Set the deadline to `start` plus the amount in the tape, in units of `unit` ms."""
    amount = words[tape + EXPIRE_AMOUNT]
    when = words[tape + EXPIRE_WHEN] & ~UNREADABLE
    compare = words[tape + EXPIRE_COMPARE]
    if when == BOTH or (when == IF_NONE and compare):
        return BAD_CONDITIONS
    if compare == BOTH:
        return BAD_COMPARISONS
    if words[tape + EXPIRE_WHEN] & UNREADABLE:
        return NOT_AN_INTEGER
    if unit > 1 and (amount > MS_MAX // unit or amount < -(MS_MAX // unit)):
        return BAD_EXPIRE
    if amount * unit > MS_MAX - start:
        return BAD_EXPIRE
    return change_deadline(words, octets, tape, now, reply, start + amount * unit)


@kernel
def expire(words, octets, tape, now, reply):
    """Set a deadline in seconds from now (EXPIRE)."""
    return expire_in(words, octets, tape, now, reply, 1000, now)


@kernel
def expire_ms(words, octets, tape, now, reply):
    """Set a deadline in milliseconds from now (PEXPIRE)."""
    return expire_in(words, octets, tape, now, reply, 1, now)


@kernel
def expire_at(words, octets, tape, now, reply):
    """Set a deadline in seconds since 1970 (EXPIREAT)."""
    return expire_in(words, octets, tape, now, reply, 1000, 0)


@kernel
def expire_at_ms(words, octets, tape, now, reply):
    """Set a deadline in milliseconds since 1970 (PEXPIREAT)."""
    return expire_in(words, octets, tape, now, reply, 1, 0)


@kernel
def remaining(words, octets, tape, now, reply):
    """Reply with the milliseconds left; -1 without a deadline, -2 without a key (PTTL)."""
    ref = keyspace.look(words, octets, tape, 0, now)
    left = -2
    if ref:
        deadline = keyspace.deadline_of(words, ref)
        left = deadline - now if deadline else -1
    set_scalar(words, reply, left)
    return NUMBER


@kernel
def rounded(ms):
    """Return milliseconds as seconds, rounded as Redis does; negative numbers stay as they are."""
    return (ms + 500) // 1000 if ms >= 0 else ms


@kernel
def remaining_seconds(words, octets, tape, now, reply):
    """Reply with the seconds left; -1 without a deadline, -2 without a key (TTL)."""
    status = remaining(words, octets, tape, now, reply)
    words[reply] = rounded(words[reply])
    return status


@kernel
def deadline(words, octets, tape, now, reply):
    """Reply with the deadline in ms since 1970; -1 without a deadline, -2 without a key (PEXPIRETIME)."""
    ref = keyspace.look(words, octets, tape, 0, now)
    moment = -2
    if ref:
        moment = keyspace.deadline_of(words, ref)
        if moment == 0:
            moment = -1
    set_scalar(words, reply, moment)
    return NUMBER


@kernel
def deadline_seconds(words, octets, tape, now, reply):
    """Reply with the deadline in seconds since 1970; -1 without a deadline, -2 without a key (EXPIRETIME)."""
    status = deadline(words, octets, tape, now, reply)
    words[reply] = rounded(words[reply])
    return status


@kernel
def persist(words, octets, tape, now, reply):
    """Remove the key's deadline; reply with NUMBER 1 if there was one (PERSIST)."""
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    set_scalar(words, reply, 0)
    if seat == 0 or keyspace.expired(words, words[seat] & REF_MASK, now):
        return NUMBER
    if keyspace.deadline_of(words, words[seat] & REF_MASK) == 0:
        return NUMBER
    if keyspace.set_deadline(words, octets, seat, 0) == 0:
        return 0
    keyspace.touched(words, octets, h)
    words[reply] = 1
    return NUMBER | CHANGED


@kernel
def count_keys(words, octets, tape, now, reply, touch):
    """Reply with how many of the keys exist; a key named twice counts twice. `touch`: count a use of each."""
    at = tape + words[tape + 1]
    found = 0
    for i in range(words[tape]):
        start = words[tape - 1] + words[at + 2 * i]
        size = words[at + 2 * i + 1] >> 8
        h = keyspace.hash_key(words, octets, words[tape - 2], start, size)
        if touch:
            seat = keyspace.locate_used(words, octets, words[tape - 2], start, size, h)
        else:
            seat = keyspace.locate(words, octets, words[tape - 2], start, size, h)
        if seat and not keyspace.expired(words, words[seat] & REF_MASK, now):
            found += 1
    words[KEY_HITS] += found
    words[KEY_MISSES] += words[tape] - found
    set_scalar(words, reply, found)
    return NUMBER


@kernel
def exists(words, octets, tape, now, reply):
    """Reply with how many of the keys exist (EXISTS)."""
    return count_keys(words, octets, tape, now, reply, False)


@kernel
def touch(words, octets, tape, now, reply):
    """Reply with how many of the keys exist, and count a use of each (TOUCH)."""
    return count_keys(words, octets, tape, now, reply, True)


@kernel
def kind(words, octets, tape, now, reply):
    """Reply with the number of the key's kind, 0 without a key (TYPE)."""
    ref = keyspace.look(words, octets, tape, 0, now)
    set_scalar(words, reply, keyspace.kind_of(words, ref) if ref else 0)
    return NUMBER


@kernel
def count(words, octets, tape, now, reply):
    """Reply with the number of keys in the namespace (DBSIZE); as in Redis, expired keys not yet removed count."""
    set_scalar(words, reply, words[KEYS_COUNT + words[tape - 2]])
    return NUMBER


@kernel
def kind_named(words, octets, start, size):
    """Return the number of the kind with this name (in any case), or -1."""
    for kind in range(KINDS_COUNT):
        name = words[TYPE_NAMES + 2 * kind]
        if name == 0 or words[TYPE_NAMES + 2 * kind + 1] != size:
            continue
        i = 0
        while i < size and (octets[start + i] | 32) == octets[name + i]:
            i += 1
        if i == size:
            return kind
    return -1


@kernel
def begin_page(words, reply):
    """Begin the reply of a step of an iteration: an array of the cursor as text and of an array of the keys."""
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, 2)
    add_text(words, reply, SCRATCH * 8, 0, 0)
    add_mark(words, reply, MARK_ARRAY, 0)


@kernel
def end_page(words, octets, reply, cursor):
    """End the reply that `begin_page` began, now that the keys and the cursor are known; return its status."""
    words[reply + 5] = print_integer(octets, SCRATCH * 8, cursor) << MARK_BITS
    words[reply + 6] = words[reply + 1] - PAGE_ITEMS
    return ITEM


@kernel
def scan(words, octets, tape, now, reply):
    """Reply with one window of keys from a cursor on, and the cursor to continue from, 0 when done (SCAN).

    A cursor is 1 + the first 34 bits of the hash to continue from. So it needs no memory on the server and stays valid
    while tables grow, shrink and lose keys: every key that existed all the time is returned.

    COUNT counts keys of this namespace. The tables hold the keys of all namespaces, so a window also ends once it has
    passed over SCAN_WALK_MAX keys of others, and the iteration ends early if its first window has seen every key of its
    namespace.
    """
    cursor, valid = parse_cursor(octets, text_at(words, tape, 0), text_size(words, tape, 0))
    if not valid:
        return BAD_CURSOR
    wanted = words[tape + SCAN_COUNT] if words[tape + SCAN_HAS_COUNT] else SCAN_COUNT_DEFAULT
    if wanted < 1:
        return SYNTAX
    wanted = min(wanted, words[REPLY_ITEMS_MAX] >> 1)
    namespace = words[tape - 2]
    kind = 0
    if words[tape + SCAN_HAS_TYPE]:
        kind = kind_named(words, octets, text_at(words, tape, SCAN_TYPE), text_size(words, tape, SCAN_TYPE))
    pattern_size = text_size(words, tape, SCAN_MATCH)
    has_pattern = words[tape + SCAN_MATCH + 1] != 0
    place = cursor - 1 if cursor else 0
    shard = place >> TAG_BITS
    tag = place & TAG_MASK
    looked = passed = 0
    octet_total = 0
    begin_page(words, reply)
    while shard < SHARDS_COUNT:
        if cursor == 0 and looked == words[KEYS_COUNT + namespace]:
            return end_page(words, octets, reply, 0)
        table = SHARDS + shard * TABLE_SIZE
        seat = tables.window(words, table, tag, TAG_MASK)
        if seat == 0:
            shard += 1
            tag = 0
            continue
        this = tables.tag_of(words[seat])
        if looked >= wanted or passed >= SCAN_WALK_MAX:
            return end_page(words, octets, reply, (shard << TAG_BITS | this) + 1)
        while words[seat] and tables.tag_of(words[seat]) == this:  # keys of one tag share a cursor
            ref = words[seat] & REF_MASK
            seat += 1
            if keyspace.namespace_of(words, ref) != namespace:
                passed += 1
                continue
            looked += 1
            if keyspace.expired(words, ref, now):
                continue
            if kind and keyspace.kind_of(words, ref) != kind:
                continue
            at = keyspace.key_at(words, ref)
            size = keyspace.key_size(words, ref)
            if has_pattern and not matches(
                octets, text_at(words, tape, SCAN_MATCH), pattern_size, at, size, False
            ):
                continue
            octet_total += size
            items = words[reply + 1]
            if octet_total + (items + 1) * 32 > words[REPLY_BYTES_MAX]:
                if items == PAGE_ITEMS and not fits(words, reply, PAGE_ITEMS + 1, octet_total):
                    return FULL
                return end_page(words, octets, reply, (shard << TAG_BITS | this) + 1)
            add_text(words, reply, at, size, 0)
        tag = this + 1
        if tag > TAG_MASK:
            shard += 1
            tag = 0
    return end_page(words, octets, reply, 0)


@kernel
def flush(words, octets, tape, now, reply):
    """Remove every key of every namespace (FLUSHALL): the tables are emptied now, structures are freed by upkeep."""
    total = 0
    for shard in range(SHARDS_COUNT):
        table = SHARDS + shard * TABLE_SIZE
        total += words[table + tables.COUNT]
        for side in range(2):
            slots = words[table + (tables.OLD if side else tables.SLOTS)]
            size = words[table + (tables.OLD_SIZE if side else tables.SIZE)]
            if slots == 0:
                continue
            end = slots + size + tables.slack(size)
            at = tables.next_slot(words, slots, size, slots)
            while at:
                keyspace.drop_record(words, words[at] & REF_MASK, False)
                at += 1
                while at < end and words[at] == 0:
                    at += 1
                if at >= end:
                    at = np.int64(0)
        tables.close_table(words, table)
        tables.open_table(words, octets, table, tables.SIZE_MIN)
    for namespace in range(16):
        words[KEYS_COUNT + namespace] = 0
        words[KEYS_EXPIRING + namespace] = 0
    keyspace.touched_all(words)
    set_scalar(words, reply, total)
    return DONE | CHANGED if total else DONE
