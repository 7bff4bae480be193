"""Keys under other names: renaming, copying, moving and exchanging between namespaces, emptying a namespace.

A record holds its key, so another name is another block; what hangs on the record is taken over as it
is, or copied element by element.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds import dispatch
from synap.store.memory import arena, tables
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DONE,
    KEYS_COUNT,
    KEYS_EXPIRING,
    NUMBER,
    SHARDS,
    SHARDS_COUNT,
    STATUS_MASK,
    TABLE_SIZE,
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
from synap.store.records import keyspace, value_cache

NAMESPACES, SHORT = 16, 1 << 31  # how many; Redis wants their numbers to have 32 bits
COPY_HAS_DB, COPY_DB, COPY_REPLACE = 4, 5, 6  # slots of key.copy


@kernel
def content_bytes(words, ref):
    """Bytes behind the key of a string record; 0 of another."""
    return keyspace.value_size(words, ref) if keyspace.root_words(keyspace.kind_of(words, ref)) == 0 else 0


@kernel
def place_as(words, octets, ref, namespace, name_at, name_size, h):
    """A record with another name and all that hangs on `ref`, in the keyspace; its ref, or 0 without memory.

    The old record is left to the caller: it must be taken out, or its roots must be made anew.
    """
    kind = keyspace.kind_of(words, ref)
    size = content_bytes(words, ref)
    deadline = keyspace.deadline_of(words, ref)
    target = arena.allocate(words, keyspace.record_words(kind, name_size, size, deadline))
    if target == 0:
        return 0
    at = keyspace.write_head(
        words, target, kind, keyspace.mark_of(words, ref), namespace, name_size, size, deadline
    )
    words[target] |= keyspace.note_of(words, ref) | (words[ref] & keyspace.SPELLED)
    roots = keyspace.root_words(kind)
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
def take_away(words, octets, seat, h):
    """Take a record out of the keyspace, leaving to another what hangs on it."""
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
    """Let the visible key at `start` have another name or namespace, over what stands there; False without memory."""
    other = keyspace.hash_key(words, octets, target_namespace, name_at, name_size)
    seat = keyspace.locate(words, octets, target_namespace, name_at, name_size, other)
    if seat:
        keyspace.remove(words, octets, other, seat, False)
    seat = keyspace.locate(words, octets, namespace, start, size, h)
    if not place_as(words, octets, words[seat] & REF_MASK, target_namespace, name_at, name_size, other):
        return False
    seat = keyspace.locate(words, octets, namespace, start, size, h)
    take_away(words, octets, seat, h)
    keyspace.touched(words, octets, other)
    return True


@kernel
def is_there(words, octets, namespace, start, size, now):
    """Is this key visible? To ask is a use of it."""
    h = keyspace.hash_key(words, octets, namespace, start, size)
    seat = keyspace.locate_used(words, octets, namespace, start, size, h)
    return seat != 0 and not keyspace.expired(words, words[seat] & REF_MASK, now)


@kernel
def rename_as(words, octets, tape, now, reply, only_new):
    """RENAME and RENAMENX: NUMBER 1 if the key has the new name now."""
    namespace = words[tape - 2]
    start = text_at(words, tape, 0)
    size = text_size(words, tape, 0)
    name_at = text_at(words, tape, 2)
    name_size = text_size(words, tape, 2)
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
    """RENAME."""
    status = rename_as(words, octets, tape, now, reply, False)
    if status & STATUS_MASK == NUMBER:
        return DONE | (status & CHANGED)
    return status


@kernel
def rename_new(words, octets, tape, now, reply):
    """RENAMENX."""
    return rename_as(words, octets, tape, now, reply, True)


@kernel
def move_key(words, octets, tape, now, reply):
    """MOVE: NUMBER 1 if the key has gone to the namespace in slot 2, where there was none of its name."""
    namespace = words[tape - 2]
    target = words[tape + 2]
    start = text_at(words, tape, 0)
    size = text_size(words, tape, 0)
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
    """COPY: NUMBER 1 if there is a copy now."""
    namespace = words[tape - 2]
    target = words[tape + COPY_DB] if words[tape + COPY_HAS_DB] else namespace
    start = text_at(words, tape, 0)
    size = text_size(words, tape, 0)
    name_at = text_at(words, tape, 2)
    name_size = text_size(words, tape, 2)
    if target < 0 or target >= NAMESPACES:
        return DB_INDEX if -SHORT <= target < SHORT else DB_NUMBER
    h = keyspace.hash_key(words, octets, namespace, start, size)
    other = keyspace.hash_key(words, octets, target, name_at, name_size)
    if h == other and target == namespace and size == name_size:
        return SAME_OBJECT
    set_scalar(words, reply, 0)
    if not is_there(words, octets, namespace, start, size, now):
        return NUMBER
    if is_there(words, octets, target, name_at, name_size, now) and not words[tape + COPY_REPLACE]:
        return NUMBER
    seat = keyspace.locate(words, octets, namespace, start, size, h)
    ref = words[seat] & REF_MASK
    if arena.full(words, dispatch.copied_bytes(keyspace.kind_of(words, ref), words, ref)):
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
    for i in range(keyspace.root_words(kind)):
        words[root + i] = 0
    if not dispatch.copy(kind, words, octets, ref, made):
        return BROKEN
    keyspace.touched(words, octets, other)
    words[reply] = 1
    return NUMBER | CHANGED


@kernel
def hash_of(words, octets, ref):
    """The hash of a record's key."""
    return keyspace.hash_key(
        words, octets, keyspace.namespace_of(words, ref), keyspace.key_at(words, ref), keyspace.key_size(words, ref)
    )


@kernel
def seat_of(words, table, tag, ref):
    """Index in `words` of the slot that holds this ref; it is there."""
    at = tables.seek_in(words, table, tag)
    while words[at] & REF_MASK != ref:
        at += 1
    return at


@kernel
def swap(words, octets, tape, now, reply):
    """SWAPDB: what was in one namespace is in the other. Walks the keys of both."""
    one = words[tape]
    two = words[tape + 1]
    if not -SHORT <= one < SHORT:
        return FIRST_DB
    if not -SHORT <= two < SHORT:
        return SECOND_DB
    if one < 0 or one >= NAMESPACES or two < 0 or two >= NAMESPACES:
        return DB_INDEX
    total = words[KEYS_COUNT + one] + words[KEYS_COUNT + two]
    if one == two or total == 0:
        return DONE
    found = arena.allocate(words, total)
    if found == 0:
        return BROKEN
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
    """FLUSHDB: every key of the session's namespace."""
    namespace = words[tape - 2]
    total = words[KEYS_COUNT + namespace]
    set_scalar(words, reply, total)
    while words[KEYS_COUNT + namespace] > 0:  # what a table moves while it shrinks may be met in the next round
        for shard in range(SHARDS_COUNT):
            place = 0
            seat = 1
            while seat and words[KEYS_COUNT + namespace] > 0:
                place, seat = tables.next_entry(words, SHARDS + shard * TABLE_SIZE, place)
                if seat and keyspace.namespace_of(words, words[seat] & REF_MASK) == namespace:
                    keyspace.remove(words, octets, hash_of(words, octets, words[seat] & REF_MASK), seat, False)
                    place -= 1  # those behind it have moved up
    return DONE | CHANGED if total else DONE
