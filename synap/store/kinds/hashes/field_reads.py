"""Rows that read hashes: HGET, HMGET, HGETALL, HKEYS, HVALS, HLEN, HEXISTS, HSTRLEN, HRANDFIELD, HSCAN."""

from synap.compiler.jit import kernel
from synap.store.kinds.hashes import expired, fields
from synap.store.memory import arena, tables
from synap.store.memory.kinds import HASH
from synap.store.memory.layout import (
    EMPTY,
    FULL,
    ITEM,
    ITEMS,
    MARK_ARRAY,
    MARK_MAP,
    MARK_PAIR,
    MARK_PAIRS,
    NIL,
    NO_ITEM,
    NUMBER,
    REPLY_ITEMS_MAX,
)
from synap.store.memory.refusals import (
    BAD_CURSOR,
    BAD_RANDOM_COUNT,
    OUT_OF_MEMORY,
    PAIRS_OUT_OF_RANGE,
    SYNTAX,
    WRONG_TYPE,
)
from synap.store.memory.reply_sizes import bytes_in
from synap.store.memory.tapes import add_mark, add_nil, add_text, first_item, fits, set_scalar, text_at, text_size
from synap.store.records import draws, key_access, keyspace, packed, scans
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import hashes as slots

NAMES, VALUES = 1, 2  # what a reply has of each field, as bits
LEAST = -(1 << 63)
PAIRS_MAX = (1 << 62) - 1  # Redis refuses counts of pairs whose double would overflow
TOTAL_MAX = 1 << 27  # more than any reply holds, so that products do not overflow
MOSTLY_EXPIRED = 8  # times as many fields as have not expired: draws would hardly ever find one that has not


@kernel
def open_field(words, octets, tape, key, field, now):
    """Return (index of the root, seat) of the field in slot `field` of the hash in slot `key`.

    The seat is 0 without such a field, -1 if the key holds another kind.
    """
    ref = key_access.find(words, octets, tape, key, HASH, now)
    if ref == OTHER_KIND:
        return 0, -1
    if ref == MISSING:
        return 0, 0
    root = keyspace.root_of(words, ref)
    return root, fields.find(words, octets, root, text_at(words, tape, field), text_size(words, tape, field), now)


@kernel
def get(words, octets, tape, now, reply):
    """Reply with the value of a field, or NIL (HGET)."""
    root, seat = open_field(words, octets, tape, slots.HASH_GET_KEY, slots.HASH_GET_FIELD, now)
    if seat < 0:
        return WRONG_TYPE
    if seat == 0:
        return NIL
    at, size, form = fields.value_of(words, octets, root, seat)
    if not fits(words, 1, size):
        return FULL
    set_scalar(words, reply, 0)
    add_text(words, reply, at, size, form)
    return ITEM


@kernel
def has(words, octets, tape, now, reply):
    """Reply with NUMBER 1 if the hash has the field, else 0 (HEXISTS)."""
    _, seat = open_field(words, octets, tape, slots.HASH_GET_KEY, slots.HASH_GET_FIELD, now)
    if seat < 0:
        return WRONG_TYPE
    set_scalar(words, reply, 1 if seat else 0)
    return NUMBER


@kernel
def length_of(words, octets, tape, now, reply):
    """Reply with the size of the value of a field in bytes, 0 without one (HSTRLEN)."""
    root, seat = open_field(words, octets, tape, slots.HASH_GET_KEY, slots.HASH_GET_FIELD, now)
    if seat < 0:
        return WRONG_TYPE
    set_scalar(words, reply, 0)
    if seat:
        _, size, _ = fields.value_of(words, octets, root, seat)
        words[reply] = size
    return NUMBER


@kernel
def get_many(words, octets, tape, now, reply):
    """Reply with the value of each field, a null where there is none (HMGET)."""
    ref = key_access.find(words, octets, tape, slots.HASH_MGET_KEY, HASH, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    count = words[tape + slots.HASH_MGET_FIELDS]
    root = keyspace.root_of(words, ref)
    if not fits(words, count, 0):
        return FULL
    set_scalar(words, reply, 0)
    field = first_item(words, tape, slots.HASH_MGET_FIELDS) + slots.HASH_MGET_FIELDS_FIELD
    total = 0
    for _ in range(count):
        seat = 0
        if ref:
            seat = fields.find(
                words, octets, root, text_at(words, tape, field), text_size(words, tape, field), now
            )
        if seat:
            at, size, form = fields.value_of(words, octets, root, seat)
            add_text(words, reply, at, size, form)
            total += size
        else:
            add_nil(words, reply)
        field += slots.HASH_MGET_FIELDS_STRIDE
    return ITEMS if fits(words, count, total) else FULL


@kernel
def count(words, octets, tape, now, reply):
    """Reply with the number of fields that have not expired (HLEN)."""
    ref = key_access.find(words, octets, tape, slots.HASH_LEN_KEY, HASH, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, expired.live_count(words, octets, keyspace.root_of(words, ref), now) if ref else 0)
    return NUMBER


@kernel
def add_parts(words, octets, root, seat, reply, parts):
    """Add the field at a seat, or its value, or both, to the reply."""
    if parts & NAMES:
        at, size = fields.name_of(words, octets, root, seat)
        add_text(words, reply, at, size, 0)
    if parts & VALUES:
        at, size, form = fields.value_of(words, octets, root, seat)
        add_text(words, reply, at, size, form)


@kernel
def list_packed(words, octets, block, reply, parts):
    """Add the fields of a packed hash, or their values, or both, to the reply."""
    at = packed.strip_at(block)
    end = at + packed.used_of(words, block)
    is_name = True
    while at < end:
        start, size, form = packed.read(octets, at)
        if parts & (NAMES if is_name else VALUES):
            add_text(words, reply, start, size, form)
        is_name = not is_name
        at = start + size


@kernel
def list_parts(words, octets, tape, now, reply, parts):
    """Reply with all fields, with all values, or with both as a map."""
    ref = key_access.find(words, octets, tape, slots.HASH_GETALL_KEY, HASH, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    found = expired.live_count(words, octets, root, now) if ref else 0
    each = 2 if parts == NAMES | VALUES else 1
    if not fits(words, 1 + each * found, fields.bytes_of(words, root) if ref and each == 2 else 0):
        return FULL
    set_scalar(words, reply, found)
    if each == 2:
        add_mark(words, reply, MARK_MAP, found)
    if ref and packed.shape_of(words[root]) == packed.PACKED:
        list_packed(words, octets, packed.block_of(words[root]), reply, parts)
    elif ref:
        may_expire = fields.may_expire(words, root, now)
        place, seat = fields.next_field(words, octets, root, 0)
        while seat:
            if not may_expire or not fields.expired(words, root, seat, now):
                add_parts(words, octets, root, seat, reply, parts)
            place, seat = fields.next_field(words, octets, root, place)
    if each == 2:
        return ITEM
    return ITEMS if fits(words, found, bytes_in(words, reply)) else FULL


@kernel
def get_all(words, octets, tape, now, reply):
    """Reply with all fields and their values (HGETALL)."""
    return list_parts(words, octets, tape, now, reply, NAMES | VALUES)


@kernel
def names(words, octets, tape, now, reply):
    """Reply with all fields (HKEYS)."""
    return list_parts(words, octets, tape, now, reply, NAMES)


@kernel
def values(words, octets, tape, now, reply):
    """Reply with all values (HVALS)."""
    return list_parts(words, octets, tape, now, reply, VALUES)


@kernel
def any_field(words, octets, root):
    """Return the seat of a field drawn with equal odds, perhaps of one that has expired; the hash is not empty."""
    block = packed.block_of(words[root])
    if packed.shape_of(words[root]) == packed.PACKED:
        index = draws.below(words, packed.count_of(words, block) // fields.PAIR)
        return 1 + packed.place_of(words, octets, block, index * fields.PAIR)
    return draws.slot(words, block)


@kernel
def list_live(words, octets, root, now, found):
    """Return a block with the seats of the `found` fields that have not expired, or 0 without memory."""
    live = arena.allocate(words, found)
    at = live
    place, seat = fields.next_field(words, octets, root, 0)
    while seat and live:
        if not fields.expired(words, root, seat, now):
            words[at] = seat
            at += 1
        place, seat = fields.next_field(words, octets, root, place)
    return live


@kernel
def live_field(words, octets, root, now, live, found):
    """Return the seat of a field that has not expired, drawn with equal odds; there must be one.

    `live` is a block with the seats of all of them, or 0: then fields are drawn until one has not expired.
    """
    if live:
        return words[live + draws.below(words, found)]
    while True:
        seat = any_field(words, octets, root)
        if not fields.expired(words, root, seat, now):
            return seat


@kernel
def draw(words, octets, tape, now, reply):
    """Reply with a random field, or with up to `count` (HRANDFIELD): distinct ones, or with a negative count any."""
    ref = key_access.find(words, octets, tape, slots.HASH_RANDFIELD_KEY, HASH, now)
    many = words[tape + slots.HASH_RANDFIELD_HAS_COUNT]
    wanted = words[tape + slots.HASH_RANDFIELD_COUNT] if many else 1
    pairs = words[tape + slots.HASH_RANDFIELD_WITHVALUES]
    if wanted == LEAST:
        return BAD_RANDOM_COUNT
    if pairs and (wanted < -PAIRS_MAX or wanted > PAIRS_MAX):
        return PAIRS_OUT_OF_RANGE
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    found = expired.live_count(words, octets, root, now) if ref else 0
    if found == 0 or wanted == 0:
        return EMPTY if many else NO_ITEM
    total = min(-wanted, TOTAL_MAX) if wanted < 0 else min(wanted, found)
    if not fits(words, 1 + total * (3 if pairs else 1), 0):
        return FULL
    set_scalar(words, reply, 0)
    if many:
        add_mark(words, reply, MARK_PAIRS if pairs else MARK_ARRAY, total)
    if wanted > 1 and not draws.are_few(total, found):
        choose(words, octets, root, now, reply, total, found, pairs)
    elif not draw_some(words, octets, root, now, reply, total, found, wanted > 1, pairs):
        return OUT_OF_MEMORY
    return ITEM if fits(words, words[reply + 1], bytes_in(words, reply)) else FULL


@kernel
def add_drawn(words, octets, root, seat, reply, pairs):
    """Add a field to the reply, with its value as a pair if `pairs` says so."""
    if pairs:
        add_mark(words, reply, MARK_PAIR, 2)
    add_parts(words, octets, root, seat, reply, NAMES | VALUES if pairs else NAMES)


@kernel
def choose(words, octets, root, now, reply, wanted, found, pairs):
    """Add `wanted` of the `found` fields, each set of them with equal odds, in one walk."""
    place, seat = fields.next_field(words, octets, root, 0)
    while seat and wanted:
        if not fields.expired(words, root, seat, now):
            if draws.is_chosen(words, wanted, found):
                add_drawn(words, octets, root, seat, reply, pairs)
                wanted -= 1
            found -= 1
        place, seat = fields.next_field(words, octets, root, place)


@kernel
def draw_some(words, octets, root, now, reply, wanted, found, distinct, pairs):
    """Add `wanted` fields that are drawn one by one; `distinct`: none twice. Return False without memory."""
    sieve = draws.new_sieve(words, octets, wanted) if distinct else 0
    mostly_expired = fields.count(words, root) > found * MOSTLY_EXPIRED
    live = list_live(words, octets, root, now, found) if mostly_expired else 0
    done = (sieve != 0 or not distinct) and (live != 0 or not mostly_expired)
    while wanted and done:
        seat = live_field(words, octets, root, now, live, found)
        if sieve == 0 or draws.is_new(words, sieve, seat):
            add_drawn(words, octets, root, seat, reply, pairs)
            wanted -= 1
    if sieve:
        arena.release(words, sieve)
    if live:
        arena.release(words, live)
    return done


@kernel
def scan(words, octets, tape, now, reply):
    """Reply with one step of a scan: the cursor to continue from, 0 when done, and some fields (HSCAN).

    A packed hash is returned as a whole.
    """
    cursor, valid = scans.cursor_of(words, octets, tape)
    if not valid:
        return BAD_CURSOR
    ref = key_access.find(words, octets, tape, slots.HASH_SCAN_KEY, HASH, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    scans.begin_page(words, reply)
    if ref == MISSING:
        return scans.end_page(words, octets, reply, 0)
    left = scans.count_of(words, tape)
    if left < 1:
        return SYNTAX
    root = keyspace.root_of(words, ref)
    parts = NAMES if words[tape + slots.HASH_SCAN_NOVALUES] else NAMES | VALUES
    if packed.shape_of(words[root]) == packed.PACKED:
        if not fits(words, scans.PAGE_ITEMS + 2 * fields.count(words, root), fields.bytes_of(words, root)):
            return FULL
        scans.begin_page(words, reply)
        place, seat = fields.next_field(words, octets, root, 0)
        while seat:
            at, size = fields.name_of(words, octets, root, seat)
            if scans.is_asked_for(words, octets, tape, at, size):
                add_parts(words, octets, root, seat, reply, parts)
            place, seat = fields.next_field(words, octets, root, place)
        return scans.end_page(words, octets, reply, 0)
    return scan_table(words, octets, tape, now, reply, root, cursor, min(left, words[REPLY_ITEMS_MAX] >> 2), parts)


@kernel
def scan_table(words, octets, tape, now, reply, root, cursor, left, parts):
    """Carry out a step of HSCAN in a table; `left` fields are looked at."""
    table = packed.block_of(words[root])
    tag = scans.first_tag(cursor)
    each = 2 if parts & VALUES else 1
    total = 0
    while True:
        seat, tag = scans.walk(words, table, tag)
        if seat == 0 or left <= 0:
            return scans.end_page(words, octets, reply, scans.cursor_at(tag))
        before = words[reply + 1]
        while words[seat] and tables.tag_of(words[seat]) == tag:  # fields of one tag share a cursor
            left -= 1
            at, size = fields.name_of(words, octets, root, seat)
            if scans.is_asked_for(words, octets, tape, at, size) and not fields.expired(words, root, seat, now):
                _, length, _ = fields.value_of(words, octets, root, seat)
                total += size + (length if each == 2 else 0)
                if not scans.page_takes(words, reply, each, total):
                    return scans.cut_page(words, octets, reply, before, tag)
                add_parts(words, octets, root, seat, reply, parts)
            seat += 1
        tag += 1
