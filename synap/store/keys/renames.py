"""Rows that give keys another name or namespace: RENAME, COPY, MOVE, SWAPDB; and FLUSHDB.

A record holds its key, so another name needs another block. The structure behind the record is taken over as it is,
or copied element by element.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds import dispatch
from synap.store.memory import arena, limits, tables
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DONE,
    KEYS_COUNT,
    KEYS_EXPIRING,
    NAMESPACES,
    NUMBER,
    SHARDS,
    SHARDS_COUNT,
    STATUS_MASK,
    TABLE_SIZE,
    WORD,
)
from synap.store.memory.refusals import (
    DB_INDEX,
    DB_NUMBER,
    FIRST_DB,
    NO_SUCH_KEY,
    OUT_OF_MEMORY,
    SAME_OBJECT,
    SECOND_DB,
)
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import set_scalar, text_at, text_size
from synap.store.records import key_access, keyspace, value_cache
from synap.store.records.key_access import ANY_KIND, MISSING
from synap.store.slots import renames as slots

SHORT = 1 << 31  # Redis requires database numbers of 32 bits


@kernel
def content_bytes(words, ref):
    """Return the bytes behind the key of a string record; 0 for other kinds."""
    return keyspace.value_size(words, ref) if keyspace.root_words(words, keyspace.kind_of(words, ref)) == 0 else 0


@kernel
def place_as(words, octets, ref, namespace, name_at, name_size, h):
    """Add a record with another name and the content of `ref` to the keyspace; return its ref, or 0 without memory.

    The old record is left to the caller: it must be removed, or the new record must get roots of its own.
    """
    kind = keyspace.kind_of(words, ref)
    size = content_bytes(words, ref)
    deadline = keyspace.deadline_of(words, ref)
    target = arena.allocate(words, keyspace.record_words(words, kind, name_size, size, deadline))
    if target == 0:
        return 0
    at = keyspace.write_head(
        words, target, kind, keyspace.mark_of(words, ref), namespace, name_size, size, deadline
    )
    words[target] |= keyspace.note_of(words, ref) | (words[ref] & keyspace.SPELLED)
    roots = keyspace.root_words(words, kind)
    old = keyspace.root_of(words, ref)
    for i in range(roots):
        words[(at >> 3) + i] = words[old + i]
    at += roots * 8
    move(octets, at, name_at, name_size)
    move(octets, at + name_size, keyspace.key_at(words, ref) + keyspace.key_size(words, ref), size)
    stagger = (h >> keyspace.SHARD_SHIFT) & 7
    if not tables.insert(words, octets, keyspace.shard_of(h), tables.tag_of_hash(h), target, stagger):
        return 0
    words[KEYS_COUNT + namespace] += 1
    if deadline:
        words[KEYS_EXPIRING + namespace] += 1
    return target


@kernel
def detach_record(words, octets, seat, h):
    """Remove a record from the keyspace without its structure, which belongs to another record now."""
    ref = words[seat] & REF_MASK
    namespace = keyspace.namespace_of(words, ref)
    words[KEYS_COUNT + namespace] -= 1
    if keyspace.deadline_of(words, ref):
        words[KEYS_EXPIRING + namespace] -= 1
    tables.remove(words, octets, keyspace.shard_of(h), seat)
    value_cache.forget(words, ref)
    arena.release(words, ref)
    keyspace.touched(words, octets, h)


@kernel
def transfer(words, octets, namespace, start, size, h, target_namespace, name_at, name_size, now):
    """Give the visible key at `start` another name or namespace, replacing a key there; return False without memory."""
    other = keyspace.hash_key(words, octets, target_namespace, name_at, name_size)
    seat = keyspace.locate(words, octets, target_namespace, name_at, name_size, other)
    if seat:
        keyspace.remove(words, octets, other, seat, False)
    seat = keyspace.locate(words, octets, namespace, start, size, h)
    if not place_as(words, octets, words[seat] & REF_MASK, target_namespace, name_at, name_size, other):
        return False
    seat = keyspace.locate(words, octets, namespace, start, size, h)
    detach_record(words, octets, seat, h)
    keyspace.touched(words, octets, other)
    return True


@kernel
def is_there(words, octets, namespace, start, size, now):
    """Return True if this key is visible; count a use of it."""
    h = keyspace.hash_key(words, octets, namespace, start, size)
    seat = keyspace.locate_used(words, octets, namespace, start, size, h)
    return key_access.record_at(words, seat, ANY_KIND, now) != MISSING


@kernel
def rename_as(words, octets, tape, now, reply, only_new):
    """Rename a key; reply with NUMBER 1 if it has the new name now. `only_new`: only if no key has that name."""
    namespace = words[tape - 2]
    start = text_at(words, tape, slots.KEY_RENAME_SOURCE)
    size = text_size(words, tape, slots.KEY_RENAME_SOURCE)
    name_at = text_at(words, tape, slots.KEY_RENAME_DESTINATION)
    name_size = text_size(words, tape, slots.KEY_RENAME_DESTINATION)
    set_scalar(words, reply, 0)
    if not is_there(words, octets, namespace, start, size, now):
        return NO_SUCH_KEY
    h = keyspace.hash_key(words, octets, namespace, start, size)
    same_name = keyspace.hash_key(words, octets, namespace, name_at, name_size) == h and size == name_size
    if same_name or (only_new and is_there(words, octets, namespace, name_at, name_size, now)):
        words[reply] = 0 if only_new else 1
        return NUMBER
    if not transfer(words, octets, namespace, start, size, h, namespace, name_at, name_size, now):
        return BROKEN
    words[reply] = 1
    return NUMBER | CHANGED


@kernel
def rename(words, octets, tape, now, reply):
    """Rename a key (RENAME)."""
    status = rename_as(words, octets, tape, now, reply, False)
    if status & STATUS_MASK == NUMBER:
        return DONE | (status & CHANGED)
    return status


@kernel
def rename_new(words, octets, tape, now, reply):
    """Rename a key if no key has the new name (RENAMENX)."""
    return rename_as(words, octets, tape, now, reply, True)


@kernel
def move_key(words, octets, tape, now, reply):
    """Move a key to another namespace, if no key has its name there; reply with NUMBER 1 if moved (MOVE)."""
    namespace = words[tape - 2]
    target = words[tape + slots.KEY_MOVE_DB]
    start = text_at(words, tape, slots.KEY_MOVE_SOURCE)
    size = text_size(words, tape, slots.KEY_MOVE_SOURCE)
    if target < 0 or target >= NAMESPACES:
        return DB_INDEX if -SHORT <= target < SHORT else DB_NUMBER
    if target == namespace:
        return SAME_OBJECT
    set_scalar(words, reply, 0)
    if not is_there(words, octets, namespace, start, size, now) or is_there(words, octets, target, start, size, now):
        return NUMBER
    h = keyspace.hash_key(words, octets, namespace, start, size)
    if not transfer(words, octets, namespace, start, size, h, target, start, size, now):
        return BROKEN
    words[reply] = 1
    return NUMBER | CHANGED


@kernel
def copy(words, octets, tape, now, reply):
    """Copy a key; reply with NUMBER 1 if it was copied (COPY)."""
    namespace = words[tape - 2]
    target = words[tape + slots.KEY_COPY_DB] if words[tape + slots.KEY_COPY_HAS_DB] else namespace
    start = text_at(words, tape, slots.KEY_COPY_SOURCE)
    size = text_size(words, tape, slots.KEY_COPY_SOURCE)
    name_at = text_at(words, tape, slots.KEY_COPY_DESTINATION)
    name_size = text_size(words, tape, slots.KEY_COPY_DESTINATION)
    if target < 0 or target >= NAMESPACES:
        return DB_INDEX if -SHORT <= target < SHORT else DB_NUMBER
    h = keyspace.hash_key(words, octets, namespace, start, size)
    other = keyspace.hash_key(words, octets, target, name_at, name_size)
    if h == other and target == namespace and size == name_size:
        return SAME_OBJECT
    set_scalar(words, reply, 0)
    if not is_there(words, octets, namespace, start, size, now):
        return NUMBER
    if is_there(words, octets, target, name_at, name_size, now) and not words[tape + slots.KEY_COPY_REPLACE]:
        return NUMBER
    seat = keyspace.locate(words, octets, namespace, start, size, h)
    ref = words[seat] & REF_MASK
    if limits.lacks(words, dispatch.copied_bytes(keyspace.kind_of(words, ref), words, octets, ref)):
        return OUT_OF_MEMORY
    seat = keyspace.locate(words, octets, target, name_at, name_size, other)
    if seat:
        keyspace.remove(words, octets, other, seat, False)
    made = place_as(words, octets, ref, target, name_at, name_size, other)
    if made == 0:
        return BROKEN
    words[made] = (words[made] & ~keyspace.NOTE_MASK) | keyspace.first_use(words, now) << keyspace.CLOCK_SHIFT
    kind = keyspace.kind_of(words, ref)
    root = keyspace.root_of(words, made)
    for i in range(keyspace.root_words(words, kind)):
        words[root + i] = 0
    if not dispatch.copy(kind, words, octets, ref, made):
        return BROKEN
    keyspace.touched(words, octets, other)
    words[reply] = 1
    return NUMBER | CHANGED


@kernel
def hash_of(words, octets, ref):
    """Return the hash of a record's key."""
    return keyspace.hash_key(
        words, octets, keyspace.namespace_of(words, ref), keyspace.key_at(words, ref), keyspace.key_size(words, ref)
    )


@kernel
def seat_of(words, table, tag, ref):
    """Return the index in `words` of the slot that holds this ref, which must be in the table."""
    at = tables.seek_in(words, table, tag)
    while words[at] & REF_MASK != ref:
        at += 1
    return at


@kernel
def swap(words, octets, tape, now, reply):
    """Exchange the keys of two namespaces (SWAPDB). Walks all shards."""
    one = words[tape + slots.KEY_SWAP_ONE]
    two = words[tape + slots.KEY_SWAP_TWO]
    if not -SHORT <= one < SHORT:
        return FIRST_DB
    if not -SHORT <= two < SHORT:
        return SECOND_DB
    if one < 0 or one >= NAMESPACES or two < 0 or two >= NAMESPACES:
        return DB_INDEX
    total = words[KEYS_COUNT + one] + words[KEYS_COUNT + two]
    if one == two or total == 0:
        return DONE
    found = 0 if limits.lacks_aside(words, total * WORD) else arena.allocate(words, total)
    if found == 0:
        return OUT_OF_MEMORY
    count = 0
    for shard in range(SHARDS_COUNT):
        place = 0
        seat = 1
        while seat:
            place, seat = tables.next_entry(words, SHARDS + shard * TABLE_SIZE, place)
            if seat:
                namespace = keyspace.namespace_of(words, words[seat] & REF_MASK)
                if namespace == one or namespace == two:
                    words[found + count] = words[seat] & REF_MASK
                    count += 1
    for i in range(count):
        ref = words[found + i]
        h = hash_of(words, octets, ref)
        shard = keyspace.shard_of(h)
        tables.remove(words, octets, shard, seat_of(words, shard, tables.tag_of_hash(h), ref))
        keyspace.touched(words, octets, h)
        namespace = two if keyspace.namespace_of(words, ref) == one else one
        words[ref] = (words[ref] & ~(15 << keyspace.NAMESPACE_SHIFT)) | namespace << keyspace.NAMESPACE_SHIFT
        h = hash_of(words, octets, ref)
        stagger = (h >> keyspace.SHARD_SHIFT) & 7
        if not tables.insert(words, octets, keyspace.shard_of(h), tables.tag_of_hash(h), ref, stagger):
            return BROKEN
        keyspace.touched(words, octets, h)
    arena.release(words, found)
    for base in (KEYS_COUNT, KEYS_EXPIRING):
        was = words[base + one]
        words[base + one] = words[base + two]
        words[base + two] = was
    return DONE | CHANGED


@kernel
def clear_namespace(words, octets, tape, now, reply):
    """Remove every key of the session's namespace (FLUSHDB)."""
    namespace = words[tape - 2]
    total = words[KEYS_COUNT + namespace]
    set_scalar(words, reply, total)
    while words[KEYS_COUNT + namespace] > 0:  # entries that a shrinking table moves may be missed in one pass
        for shard in range(SHARDS_COUNT):
            place = 0
            seat = 1
            while seat and words[KEYS_COUNT + namespace] > 0:
                place, seat = tables.next_entry(words, SHARDS + shard * TABLE_SIZE, place)
                if seat and keyspace.namespace_of(words, words[seat] & REF_MASK) == namespace:
                    keyspace.remove(words, octets, hash_of(words, octets, words[seat] & REF_MASK), seat, False)
                    place -= 1  # the slots behind it have moved back by one
    return DONE | CHANGED if total else DONE
