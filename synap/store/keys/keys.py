"""Rows about keys of any kind: DEL, expiry, EXISTS, TYPE, DBSIZE, SCAN, FLUSHALL."""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.globs import matches
from synap.kernels.integers import parse_cursor
from synap.ranges import MS_MAX
from synap.store.memory import tables
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DONE,
    FULL,
    KEY_HITS,
    KEY_MISSES,
    KEYS_COUNT,
    KEYS_EXPIRING,
    KINDS_COUNT,
    NAMESPACES,
    NUMBER,
    REPLY_BYTES_MAX,
    REPLY_ITEMS_MAX,
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
from synap.store.memory.tapes import add_text, first_item, fits, set_scalar, text_at, text_size
from synap.store.records import key_access, keyspace, scans
from synap.store.records.key_access import ANY_KIND, MISSING
from synap.store.slots import keys as slots

SCAN_WALK_MAX = 8192  # keys of other namespaces that one window passes over: about half a millisecond


@kernel
def delete(words, octets, tape, now, reply):
    """Remove keys (DEL); reply with how many were visible."""
    key = first_item(words, tape, slots.KEY_DELETE_KEYS) + slots.KEY_DELETE_KEYS_KEY
    removed = 0
    changed = False
    for _ in range(words[tape + slots.KEY_DELETE_KEYS]):
        h = keyspace.hash_text(words, octets, tape, key)
        seat = keyspace.locate_quietly(words, octets, tape, key, h)
        if seat:
            if key_access.record_at(words, seat, ANY_KIND, now):
                removed += 1
            keyspace.remove(words, octets, h, seat, False)
            changed = True
        key += slots.KEY_DELETE_KEYS_STRIDE
    set_scalar(words, reply, removed)
    return NUMBER | CHANGED if changed else NUMBER


@kernel
def expire_key(words, octets, tape, now, reply):
    """Remove a key whose deadline has come, for upkeep; reply with NUMBER 1 if it was removed."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.KEY_EXPIRE_KEY, ANY_KIND, now)
    if seat and ref == MISSING:
        keyspace.remove(words, octets, h, seat, False)
        set_scalar(words, reply, 1)
        return NUMBER | CHANGED
    set_scalar(words, reply, 0)
    return NUMBER


@kernel
def change_deadline(words, octets, tape, now, reply, deadline):
    """Set a deadline under the conditions NX, XX, GT, LT; reply with NUMBER 1 if it was set."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.KEY_EXPIRE_IN_KEY, ANY_KIND, now)
    set_scalar(words, reply, 0)
    if ref == MISSING:
        return NUMBER
    old = keyspace.deadline_of(words, ref)
    when = words[tape + slots.KEY_EXPIRE_IN_WHEN]
    compare = words[tape + slots.KEY_EXPIRE_IN_COMPARE]
    if (when == slots.KEY_EXPIRE_IN_WHEN_IS_NX and old) or (when == slots.KEY_EXPIRE_IN_WHEN_IS_XX and not old):
        return NUMBER
    if compare == slots.KEY_EXPIRE_IN_COMPARE_IS_GT and (not old or deadline <= old):
        return NUMBER
    if compare == slots.KEY_EXPIRE_IN_COMPARE_IS_LT and old and deadline >= old:
        return NUMBER
    words[reply] = 1
    if deadline <= now:
        keyspace.remove(words, octets, h, seat, False)
        return NUMBER | CHANGED
    return NUMBER | CHANGED if key_access.change_deadline(words, octets, h, seat, deadline) else BROKEN


@kernel
def expire_in(words, octets, tape, now, reply, unit, start):
    """Set the deadline to `start` plus the amount in the tape, in units of `unit` ms."""
    amount = words[tape + slots.KEY_EXPIRE_IN_TTL]
    when = words[tape + slots.KEY_EXPIRE_IN_WHEN] & ~UNREADABLE
    compare = words[tape + slots.KEY_EXPIRE_IN_COMPARE]
    if when == slots.KEY_EXPIRE_IN_WHEN_IS_BOTH or (when == slots.KEY_EXPIRE_IN_WHEN_IS_NX and compare):
        return BAD_CONDITIONS
    if compare == slots.KEY_EXPIRE_IN_COMPARE_IS_BOTH:
        return BAD_COMPARISONS
    if words[tape + slots.KEY_EXPIRE_IN_WHEN] & UNREADABLE:
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
    ref = key_access.look(words, octets, tape, slots.KEY_TTL_MS_KEY, now)
    left = -2
    if ref:
        deadline = keyspace.deadline_of(words, ref)
        left = deadline - now if deadline else -1
    set_scalar(words, reply, left)
    return NUMBER


@kernel
def rounded(ms):
    """Return milliseconds as seconds, rounded as Redis does; negative numbers stay as they are."""
    return ms // 1000 + (ms % 1000 >= 500) if ms >= 0 else ms


@kernel
def remaining_seconds(words, octets, tape, now, reply):
    """Reply with the seconds left; -1 without a deadline, -2 without a key (TTL)."""
    status = remaining(words, octets, tape, now, reply)
    words[reply] = rounded(words[reply])
    return status


@kernel
def deadline(words, octets, tape, now, reply):
    """Reply with the deadline in ms since 1970; -1 without a deadline, -2 without a key (PEXPIRETIME)."""
    ref = key_access.look(words, octets, tape, slots.KEY_EXPIRE_TIME_MS_KEY, now)
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
    h, seat, ref = key_access.open_key(words, octets, tape, slots.KEY_PERSIST_KEY, ANY_KIND, now)
    set_scalar(words, reply, 0)
    if ref == MISSING or keyspace.deadline_of(words, ref) == 0:
        return NUMBER
    if key_access.change_deadline(words, octets, h, seat, 0) == 0:
        return BROKEN
    words[reply] = 1
    return NUMBER | CHANGED


@kernel
def count_keys(words, octets, tape, now, reply, touch):
    """Reply with how many of the keys exist; a key named twice counts twice. `touch`: count a use of each."""
    count = words[tape + slots.KEY_EXISTS_KEYS]
    key = first_item(words, tape, slots.KEY_EXISTS_KEYS) + slots.KEY_EXISTS_KEYS_KEY
    found = 0
    for _ in range(count):
        h = keyspace.hash_text(words, octets, tape, key)
        if touch:
            seat = keyspace.locate_text(words, octets, tape, key, h)
        else:
            seat = keyspace.locate_quietly(words, octets, tape, key, h)
        if key_access.record_at(words, seat, ANY_KIND, now):
            found += 1
        key += slots.KEY_EXISTS_KEYS_STRIDE
    words[KEY_HITS] += found
    words[KEY_MISSES] += count - found
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
    ref = key_access.look(words, octets, tape, slots.KEY_TYPE_KEY, now)
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
def scan(words, octets, tape, now, reply):
    """Reply with one window of keys from a cursor on, and the cursor to continue from, 0 when done (SCAN).

    A cursor is 1 + the first 34 bits of the hash to continue from. So it needs no memory on the server and stays valid
    while tables grow, shrink and lose keys: every key that existed all the time is returned.

    COUNT counts keys of this namespace. The tables hold the keys of all namespaces, so a window also ends once it has
    passed over SCAN_WALK_MAX keys of others, and the iteration ends early if its first window has seen every key of its
    namespace.
    """
    cursor_at, cursor_size = text_at(words, tape, slots.KEY_SCAN_CURSOR), text_size(words, tape, slots.KEY_SCAN_CURSOR)
    cursor, valid = parse_cursor(octets, cursor_at, cursor_size)
    if not valid:
        return BAD_CURSOR
    wanted = words[tape + slots.KEY_SCAN_COUNT] if words[tape + slots.KEY_SCAN_HAS_COUNT] else scans.COUNT_DEFAULT
    if wanted < 1:
        return SYNTAX
    wanted = min(wanted, words[REPLY_ITEMS_MAX] >> 1)
    namespace = words[tape - 2]
    kind = 0
    if words[tape + slots.KEY_SCAN_HAS_TYPE]:
        name_at, name_size = text_at(words, tape, slots.KEY_SCAN_TYPE), text_size(words, tape, slots.KEY_SCAN_TYPE)
        kind = kind_named(words, octets, name_at, name_size)
    pattern = text_at(words, tape, slots.KEY_SCAN_PATTERN)
    pattern_size = text_size(words, tape, slots.KEY_SCAN_PATTERN)
    has_pattern = words[tape + slots.KEY_SCAN_HAS_MATCH] != 0
    place = cursor - 1 if cursor else 0
    shard = place >> TAG_BITS
    tag = place & TAG_MASK
    looked = passed = 0
    octet_total = 0
    scans.begin_page(words, reply)
    while shard < SHARDS_COUNT:
        if cursor == 0 and looked == words[KEYS_COUNT + namespace]:
            return scans.end_page(words, octets, reply, 0)
        table = SHARDS + shard * TABLE_SIZE
        seat = tables.window(words, table, tag, TAG_MASK)
        if seat == 0:
            shard += 1
            tag = 0
            continue
        this = tables.tag_of(words[seat])
        if looked >= wanted or passed >= SCAN_WALK_MAX:
            return scans.end_page(words, octets, reply, (shard << TAG_BITS | this) + 1)
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
            if has_pattern and not matches(octets, pattern, pattern_size, at, size, False):
                continue
            octet_total += size
            items = words[reply + 1]
            if octet_total + (items + 1) * 32 > words[REPLY_BYTES_MAX]:
                if items == scans.PAGE_ITEMS and not fits(words, scans.PAGE_ITEMS + 1, octet_total):
                    return FULL
                return scans.end_page(words, octets, reply, (shard << TAG_BITS | this) + 1)
            add_text(words, reply, at, size, 0)
        tag = this + 1
        if tag > TAG_MASK:
            shard += 1
            tag = 0
    return scans.end_page(words, octets, reply, 0)


@kernel
def flush(words, octets, tape, now, reply):
    """Remove every key of every namespace (FLUSHALL): the tables are emptied now, structures are freed by upkeep."""
    total = 0
    for shard in range(SHARDS_COUNT):
        table = SHARDS + shard * TABLE_SIZE
        total += words[table + tables.COUNT]
        for side in range(2):
            entries = words[table + (tables.OLD if side else tables.SLOTS)]
            size = words[table + (tables.OLD_SIZE if side else tables.SIZE)]
            if entries == 0:
                continue
            end = entries + size + tables.slack(size)
            at = tables.next_slot(words, entries, size, entries)
            while at:
                keyspace.drop_record(words, words[at] & REF_MASK, False)
                at += 1
                while at < end and words[at] == 0:
                    at += 1
                if at >= end:
                    at = np.int64(0)
        tables.clear_table(words, octets, table)
    for namespace in range(NAMESPACES):
        words[KEYS_COUNT + namespace] = 0
        words[KEYS_EXPIRING + namespace] = 0
    keyspace.touched_all(words)
    set_scalar(words, reply, total)
    return DONE | CHANGED if total else DONE
