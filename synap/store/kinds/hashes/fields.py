"""Fields of a hash: one set of functions over both forms in which a hash lies.

    packed   field, value, field, value, ...   (records/packed.py)
    table    a block with the words of a table (memory/tables.py), then BYTES to COUNTED_UNTIL
    field    a block that a slot of the table leads to: head | [deadline, ms] | field | value

    bits of the head   0-1 form of the value   2 has a deadline   3-32 size of the field   33-62 size of the value

A *seat* stands for a field that is there: in the packed form 1 + the place of its entry, in a table the index in
`words` of its slot. It holds until the hash changes. The root of a hash is one word (packed.py); `root` is its index.

A field with a deadline needs the table. SOONEST is the earliest deadline that any field may have, 0 without one, so
that a hash whose fields have not expired yet is read as one without deadlines. Fields that have expired are invisible,
and stay until upkeep removes them: `expired.next_expired` walks through the table for it, SWEPT is how far it has come,
and NEXT_SOONEST the soonest deadline that it has left behind. EXPIRED is how many fields had expired at COUNTED_AT and
are still there; no other deadline comes before COUNTED_UNTIL, so nobody counts them again before that.
"""

from synap.compiler.jit import inlined, kernel
from synap.kernels.hashing import keyed_hash
from synap.kernels.spans import move, same
from synap.store.memory import arena, tables
from synap.store.memory.layout import FORM_MASK, HASH_ENTRIES_MAX, HASH_VALUE_MAX, INNER_DEADLINES, KEY_A, KEY_B
from synap.store.memory.tables import REF_MASK
from synap.store.records import packed
from synap.store.records.inner_deadlines import HAS_INNER_DEADLINES, SOONEST
from synap.store.records.keyspace import OUTGROWN
from synap.store.records.packed import PACKED, TABLE

BYTES, SWEPT, NEXT_SOONEST, EXPIRED, COUNTED_AT, COUNTED_UNTIL, TABLE_WORDS = 7, 9, 10, 11, 12, 13, 14
HAS_DEADLINE = 1 << 2
FIELD_SHIFT, VALUE_SHIFT = 3, 33
SIZE_MASK = (1 << 30) - 1
STAGGER = 0
PAIR = 2  # entries of a field in the packed form


@kernel
def hash_field(words, octets, start, size):
    """Return the hash of a field's bytes."""
    return keyed_hash(octets, start, size, words[KEY_A], words[KEY_B])


@kernel
def field_size(words, block):
    """Return the size of the field in a field block."""
    return (words[block] >> FIELD_SHIFT) & SIZE_MASK


@kernel
def value_size(words, block):
    """Return the size of the value in a field block."""
    return words[block] >> VALUE_SHIFT


@kernel
def text_of(words, block):
    """Return the octet at which the field in a field block starts; the value lies behind it."""
    return (block + 1 + ((words[block] >> 2) & 1)) * 8


@kernel
def block_deadline(words, block):
    """Return the deadline of the field in a field block, or 0."""
    if words[block] & HAS_DEADLINE:
        return words[block + 1]
    return 0


@inlined
def table_of(words, root):
    """Return the ref of the block of a hash that lies in a table."""
    return packed.block_of(words[root])


@kernel
def count(words, root):
    """Return the number of fields, with those that have expired and are not removed yet."""
    shape = packed.shape_of(words[root])
    if shape == PACKED:
        return packed.count_of(words, table_of(words, root)) // PAIR
    return words[table_of(words, root) + tables.COUNT] if shape == TABLE else 0


@kernel
def bytes_of(words, root):
    """Return an upper bound of the bytes of all fields and values."""
    shape = packed.shape_of(words[root])
    if shape == PACKED:
        return packed.used_of(words, table_of(words, root))
    return words[table_of(words, root) + BYTES] if shape == TABLE else 0


@kernel
def may_expire(words, root, now):
    """Return True if a field may have expired."""
    if packed.shape_of(words[root]) != TABLE:
        return False
    soonest = words[table_of(words, root) + SOONEST]
    return soonest != 0 and soonest <= now


@kernel
def locate_in(words, octets, table, start, size, h):
    """Return the index in `words` of the slot of this field in a table, or 0."""
    tag = tables.tag_of_hash(h)
    at = tables.seek_in(words, table, tag)
    slot = words[at]
    while slot != 0 and tables.tag_of(slot) == tag:
        block = slot & REF_MASK
        if field_size(words, block) == size and same(octets, text_of(words, block), start, size):
            return at
        at += 1
        slot = words[at]
    return 0


@kernel
def locate(words, octets, root, start, size):
    """Return the seat of a field, also if it has expired, or 0."""
    shape = packed.shape_of(words[root])
    if shape == PACKED:
        return 1 + packed.find(words, octets, table_of(words, root), start, size, PAIR)
    if shape == TABLE:
        return locate_in(words, octets, table_of(words, root), start, size, hash_field(words, octets, start, size))
    return 0


@kernel
def deadline_of(words, root, seat):
    """Return the deadline of the field at a seat, or 0."""
    if packed.shape_of(words[root]) == PACKED:
        return 0
    return block_deadline(words, words[seat] & REF_MASK)


@kernel
def expired(words, root, seat, now):
    """Return True if the field at a seat has expired."""
    deadline = deadline_of(words, root, seat)
    return deadline != 0 and deadline <= now


@kernel
def find(words, octets, root, start, size, now):
    """Return the seat of a field that is there and has not expired, or 0."""
    seat = locate(words, octets, root, start, size)
    if seat and expired(words, root, seat, now):
        return 0
    return seat


@kernel
def value_of(words, octets, root, seat):
    """Return (octet, size, form) of the value of the field at a seat."""
    if packed.shape_of(words[root]) == PACKED:
        at = packed.strip_at(table_of(words, root)) + seat - 1
        return packed.read(octets, packed.behind(octets, at))
    block = words[seat] & REF_MASK
    return text_of(words, block) + field_size(words, block), value_size(words, block), words[block] & FORM_MASK


@kernel
def name_of(words, octets, root, seat):
    """Return (octet, size) of the field at a seat."""
    if packed.shape_of(words[root]) == PACKED:
        at, size, _ = packed.read(octets, packed.strip_at(table_of(words, root)) + seat - 1)
        return at, size
    block = words[seat] & REF_MASK
    return text_of(words, block), field_size(words, block)


@kernel
def next_field(words, octets, root, place):
    """Return (place to continue from, seat of the first field from `place` on, or 0); the first place is 0."""
    if packed.shape_of(words[root]) == TABLE:
        return tables.next_entry(words, table_of(words, root), place)
    block = table_of(words, root)
    if packed.shape_of(words[root]) != PACKED or place >= packed.used_of(words, block):
        return place, 0
    at = packed.behind(octets, packed.strip_at(block) + place)
    return packed.behind(octets, at) - packed.strip_at(block), place + 1


@kernel
def new_field(words, octets, start, size, value, length, mark, deadline):
    """Allocate a field block; return its ref, or 0 without memory."""
    extra = 1 if deadline else 0
    block = arena.allocate(words, 1 + extra + ((size + length + 7) >> 3))
    if block:
        words[block] = (mark & FORM_MASK) | size << FIELD_SHIFT | length << VALUE_SHIFT
        if deadline:
            words[block] |= HAS_DEADLINE
            words[block + 1] = deadline
        move(octets, (block + 1 + extra) * 8, start, size)
        move(octets, (block + 1 + extra) * 8 + size, value, length)
    return block


@kernel
def note_deadline(words, ref, root, deadline):
    """Note in a table, and in the head of the record at `ref`, that a field has this deadline (0: none)."""
    if deadline:
        table = table_of(words, root)
        words[ref] |= HAS_INNER_DEADLINES
        words[INNER_DEADLINES] = 1
        for word in (SOONEST, NEXT_SOONEST):
            if words[table + word] == 0 or deadline < words[table + word]:
                words[table + word] = deadline
        if deadline < words[table + COUNTED_UNTIL]:
            words[table + COUNTED_AT] = words[table + COUNTED_UNTIL] = 0


@kernel
def uncount(words, table, block):
    """Note that the field in a block goes, or gets another deadline."""
    if words[block] & HAS_DEADLINE and words[block + 1] <= words[table + COUNTED_AT]:
        words[table + EXPIRED] -= 1


@kernel
def add_to_table(words, octets, root, start, size, value, length, mark, deadline):
    """Add a field that is not there to a table; return False without memory."""
    table = table_of(words, root)
    block = new_field(words, octets, start, size, value, length, mark, deadline)
    if block == 0:
        return False
    tag = tables.tag_of_hash(hash_field(words, octets, start, size))
    words[table + BYTES] += size + length
    return tables.insert(words, octets, table, tag, block, STAGGER)


@kernel
def new_table(words, octets, root, size):
    """Give a hash an empty table for about `size` fields; return False without memory."""
    table = arena.allocate(words, TABLE_WORDS)
    if table == 0:
        return False
    if not tables.open_table(words, octets, table, max(size * 2, tables.SIZE_MIN)):
        arena.release(words, table)
        return False
    for i in range(BYTES, TABLE_WORDS):
        words[table + i] = 0
    words[root] = packed.root_word(table, TABLE)
    return True


@kernel
def outgrow(words, octets, ref, root):
    """Move the fields of a hash into a table, unless they are in one; return False without memory."""
    words[ref] |= OUTGROWN
    shape = packed.shape_of(words[root])
    if shape == TABLE:
        return True
    block = table_of(words, root)
    if not new_table(words, octets, root, packed.count_of(words, block) if shape == PACKED else 0):
        return False
    if shape != PACKED:
        return True
    at = packed.strip_at(block)
    end = at + packed.used_of(words, block)
    while at < end:
        start, size, _ = packed.read(octets, at)
        value, length, form = packed.read(octets, start + size)
        if not add_to_table(words, octets, root, start, size, value, length, form, 0):
            return False
        at = value + length
    arena.release_later(words, block)  # a text of the caller may lie in it
    return True


@kernel
def put(words, octets, ref, root, seat, start, size, value, length, mark, deadline):
    """Set a field (at `seat`, or 0: it is not there) to a value and a deadline (0: none); return False without memory.

    The value must not lie in the hash itself.
    """
    if packed.shape_of(words[root]) != TABLE:
        fits = max(size, length) <= words[HASH_VALUE_MAX] and packed.takes(words, table_of(words, root), size + length)
        if deadline or not fits:
            if not outgrow(words, octets, ref, root):
                return False
            seat = locate(words, octets, root, start, size)
    if packed.shape_of(words[root]) == TABLE:
        note_deadline(words, ref, root, deadline)
        if seat == 0:
            return add_to_table(words, octets, root, start, size, value, length, mark, deadline)
        return put_in_table(words, octets, root, seat, start, size, value, length, mark, deadline)
    block = table_of(words, root)
    if packed.shape_of(words[root]) != PACKED:
        block = packed.new_block(words, packed.entry_bytes(size) + packed.entry_bytes(length))
        if block == 0:
            return False
    if seat:
        place = packed.behind(octets, packed.strip_at(block) + seat - 1) - packed.strip_at(block)
        block = packed.replace(words, octets, block, place, value, length, mark)
    else:
        block = packed.append(words, octets, block, start, size, 0)
        if block:
            block = packed.append(words, octets, block, value, length, mark)
    if block == 0:
        return False
    words[root] = packed.root_word(block, PACKED)
    if packed.count_of(words, block) // PAIR > words[HASH_ENTRIES_MAX]:
        return outgrow(words, octets, ref, root)
    return True


@kernel
def put_in_table(words, octets, root, seat, start, size, value, length, mark, deadline):
    """Set the field at a seat of a table, in its block if that has the right size; return False without memory."""
    block = words[seat] & REF_MASK
    uncount(words, table_of(words, root), block)
    words[table_of(words, root) + BYTES] += length - value_size(words, block)
    if value_size(words, block) == length and (block_deadline(words, block) != 0) == (deadline != 0):
        words[block] = (words[block] & ~FORM_MASK) | (mark & FORM_MASK)
        if deadline:
            words[block + 1] = deadline
        move(octets, text_of(words, block) + size, value, length)
        return True
    other = new_field(words, octets, start, size, value, length, mark, deadline)
    if other == 0:
        return False
    words[seat] = (words[seat] & ~REF_MASK) | other
    arena.release(words, block)
    return True


@kernel
def set_deadline(words, octets, ref, root, seat, deadline):
    """Set the deadline of the field at a seat (0: none); return False without memory.

    The block of the field is freed after the reply, if a reply may point into it, and if another one is needed.
    """
    if packed.shape_of(words[root]) == PACKED:
        if deadline == 0:
            return True
        block = table_of(words, root)
        start, size, _ = packed.read(octets, packed.strip_at(block) + seat - 1)
        h = hash_field(words, octets, start, size)
        if not outgrow(words, octets, ref, root):
            return False
        seat = locate_in(words, octets, table_of(words, root), start, size, h)
    block = words[seat] & REF_MASK
    uncount(words, table_of(words, root), block)
    note_deadline(words, ref, root, deadline)
    if block_deadline(words, block) and deadline:
        words[block + 1] = deadline
    elif block_deadline(words, block) or deadline:
        start, size = text_of(words, block), field_size(words, block)
        other = new_field(
            words, octets, start, size, start + size, value_size(words, block), words[block] & FORM_MASK, deadline
        )
        if other == 0:
            return False
        words[seat] = (words[seat] & ~REF_MASK) | other
        arena.release_later(words, block)
    return True


@kernel
def keep_texts(words, octets, root):
    """Make sure that texts of a reply stay where they are while fields are removed (`remove` with `later`).

    A packed hash goes on in a copy. Return its old block, 0 for a table, -1 without memory.
    """
    if packed.shape_of(words[root]) != PACKED:
        return 0
    old = table_of(words, root)
    block = packed.fork(words, octets, old)
    if block == 0:
        return -1
    words[root] = packed.root_word(block, PACKED)
    return old


@kernel
def kept_value(words, octets, root, seat, old):
    """Return `value_of` for a reply that outlives the field; `old` is what `keep_texts` has returned."""
    if old == 0:
        return value_of(words, octets, root, seat)
    start, size = name_of(words, octets, root, seat)
    place = packed.find(words, octets, old, start, size, PAIR)
    return packed.read(octets, packed.behind(octets, packed.strip_at(old) + place))


@kernel
def remove(words, octets, root, seat, later):
    """Remove the field at a seat; `later`: free its block after the reply."""
    table = table_of(words, root)
    if packed.shape_of(words[root]) == PACKED:
        packed.remove(words, octets, table, seat - 1, PAIR)
        return
    block = words[seat] & REF_MASK
    uncount(words, table, block)
    words[table + BYTES] -= field_size(words, block) + value_size(words, block)
    tables.remove(words, octets, table, seat)
    if later:
        arena.release_later(words, block)
    else:
        arena.release(words, block)
