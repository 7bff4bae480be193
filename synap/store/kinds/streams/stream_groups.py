"""Rows of groups of streams: XGROUP and XACK; XREADGROUP is in `group_reads.py`."""

from synap.compiler.jit import inlined, kernel
from synap.store.kinds.streams import entries, groups, ids, names
from synap.store.kinds.streams.entries import LAST_MS, LAST_SEQ
from synap.store.kinds.streams.groups import (
    GROUP_LAST_MS,
    GROUP_LAST_SEQ,
    READ,
    SEEN,
    UNKNOWN,
)
from synap.store.kinds.streams.stream_reads import DOLLAR
from synap.store.memory.kinds import STREAM
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DONE,
    NUMBER,
)
from synap.store.memory.refusals import (
    BAD_ENTRIES_READ,
    BAD_ENTRY_ID,
    GROUP_EXISTS,
    GROUP_NEEDS_KEY,
    NO_GROUP_OF_KEY,
    WRONG_TYPE,
)
from synap.store.memory.tapes import (
    add_text,
    first_item,
    set_scalar,
    text_at,
    text_size,
)
from synap.store.records import key_access, keyspace
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import streams as slots

LONGEST_NAME = 128  # bytes of a name in a refusal


# Finding a group.


@kernel
def put_name(words, octets, reply, tape, slot):
    """Add a name of a tape to the reply, as a refusal tells it: up to a zero, and cut if it is long."""
    at, size = text_at(words, tape, slot), text_size(words, tape, slot)
    shown = 0
    while shown < min(size, LONGEST_NAME) and octets[at + shown]:
        shown += 1
    add_text(words, reply, at, shown, 0)


@kernel
def no_group(words, octets, reply, tape, first, second, refusal):
    """Return a refusal that tells the names in two slots of a tape."""
    set_scalar(words, reply, 0)
    put_name(words, octets, reply, tape, first)
    put_name(words, octets, reply, tape, second)
    return refusal


@inlined
def group_of(words, octets, tape, ref, slot):
    """Return (place, group) of the group of a stream whose name is in this slot of a tape; the group is 0 without."""
    root = keyspace.root_of(words, ref)
    return groups.find_group(words, octets, root, text_at(words, tape, slot), text_size(words, tape, slot))


@inlined
def consumer_of(words, octets, tape, group, slot):
    """Return (place, consumer) of the consumer of a group whose name is in this slot of a tape; 0 without one."""
    return groups.find_consumer(words, octets, group, text_at(words, tape, slot), text_size(words, tape, slot))


@kernel
def claim_consumer(words, octets, tape, group, slot, now):
    """Return the consumer whose name is in this slot of a tape, created if it is missing; 0 without memory."""
    place, consumer = consumer_of(words, octets, tape, group, slot)
    if consumer == 0:
        start, size = text_at(words, tape, slot), text_size(words, tape, slot)
        consumer = groups.make_consumer(words, octets, group, place, start, size, now)
    else:
        words[consumer + SEEN] = now
    return consumer


# XGROUP. The rows about one group have the same slots for the key and the group.


@kernel
def opened(words, octets, tape, now, reply, must_exist):
    """Return (refusal or 0, hash, record, place, group) of the group that a tape names.

    The key must exist; and so must the group, if `must_exist` says so.
    """
    h, _, ref = key_access.open_key(words, octets, tape, slots.XSTREAM_GROUP_SETID_KEY, STREAM, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE, h, 0, 0, 0
    if ref == MISSING:
        return GROUP_NEEDS_KEY, h, 0, 0, 0
    place, group = group_of(words, octets, tape, ref, slots.XSTREAM_GROUP_SETID_GROUP)
    if group == 0 and must_exist:
        group_slot, key_slot = slots.XSTREAM_GROUP_SETID_GROUP, slots.XSTREAM_GROUP_SETID_KEY
        return no_group(words, octets, reply, tape, group_slot, key_slot, NO_GROUP_OF_KEY), h, 0, 0, 0
    return 0, h, ref, place, group


@kernel
def position_for(words, octets, tape, slot, ref, strictly):
    """Return (is an id, ms, seq) of the id of a group in this slot of a tape; `$` is the last id of the stream."""
    at, size = text_at(words, tape, slot), text_size(words, tape, slot)
    if ids.is_sign(octets, at, size, DOLLAR):
        if ref == MISSING:
            return True, 0, 0
        root = keyspace.root_of(words, ref)
        return True, words[root + LAST_MS], words[root + LAST_SEQ]
    if strictly:
        return ids.strict(words, octets, tape, slot, 0)
    return ids.lenient(octets, at, size, 0)


@kernel
def create(words, octets, tape, now, reply):
    """Create a group that begins behind an id, and with MKSTREAM the stream (XGROUP CREATE)."""
    read = words[tape + slots.XSTREAM_GROUP_CREATE_ENTRIES_READ]
    if not words[tape + slots.XSTREAM_GROUP_CREATE_HAS_ENTRIESREAD]:
        read = UNKNOWN
    if read < UNKNOWN:
        return BAD_ENTRIES_READ
    h, _, ref = key_access.open_key(words, octets, tape, slots.XSTREAM_GROUP_CREATE_KEY, STREAM, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref == MISSING and not words[tape + slots.XSTREAM_GROUP_CREATE_MKSTREAM]:
        return GROUP_NEEDS_KEY
    good, ms, seq = position_for(words, octets, tape, slots.XSTREAM_GROUP_CREATE_ID, ref, True)
    if not good:
        return BAD_ENTRY_ID
    if ref == MISSING:
        ref = key_access.claim(words, octets, tape, slots.XSTREAM_GROUP_CREATE_KEY, h, STREAM, now)
        if ref == MISSING:
            return BROKEN
    place, group = group_of(words, octets, tape, ref, slots.XSTREAM_GROUP_CREATE_GROUP)
    if group:
        return GROUP_EXISTS
    start, size = (
        text_at(words, tape, slots.XSTREAM_GROUP_CREATE_GROUP), text_size(words, tape, slots.XSTREAM_GROUP_CREATE_GROUP)
    )
    if groups.make_group(words, octets, keyspace.root_of(words, ref), place, start, size, ms, seq, read) == 0:
        return BROKEN
    keyspace.touched(words, octets, h)
    return DONE | CHANGED


@kernel
def set_position(words, octets, tape, now, reply):
    """Let a group go on behind another id (XGROUP SETID)."""
    read = words[tape + slots.XSTREAM_GROUP_SETID_ENTRIES_READ]
    if not words[tape + slots.XSTREAM_GROUP_SETID_HAS_ENTRIESREAD]:
        read = UNKNOWN
    if read < UNKNOWN:
        return BAD_ENTRIES_READ
    refusal, h, ref, _, group = opened(words, octets, tape, now, reply, True)
    if refusal:
        return refusal
    good, ms, seq = position_for(words, octets, tape, slots.XSTREAM_GROUP_SETID_ID, ref, False)
    if not good:
        return BAD_ENTRY_ID
    words[group + GROUP_LAST_MS] = ms
    words[group + GROUP_LAST_SEQ] = seq
    words[group + READ] = read
    keyspace.touched(words, octets, h)
    return DONE | CHANGED


@kernel
def destroy(words, octets, tape, now, reply):
    """Remove a group with consumers and pending entries; reply with NUMBER: 1 if it existed (XGROUP DESTROY)."""
    refusal, h, ref, place, group = opened(words, octets, tape, now, reply, False)
    if refusal:
        return refusal
    set_scalar(words, reply, group != 0)
    if group == 0:
        return NUMBER
    groups.free_group_some(words, octets, group, 1 << 60)
    names.remove(words, octets, keyspace.root_of(words, ref) + entries.GROUPS, place)
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def create_consumer(words, octets, tape, now, reply):
    """Create a consumer of a group; reply with NUMBER: 1 if it is new (XGROUP CREATECONSUMER)."""
    refusal, h, _, _, group = opened(words, octets, tape, now, reply, True)
    if refusal:
        return refusal
    slot = slots.XSTREAM_GROUP_CREATECONSUMER_CONSUMER
    place, consumer = consumer_of(words, octets, tape, group, slot)
    set_scalar(words, reply, consumer == 0)
    if consumer:
        return NUMBER
    start, size = text_at(words, tape, slot), text_size(words, tape, slot)
    if groups.make_consumer(words, octets, group, place, start, size, now) == 0:
        return BROKEN
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def delete_consumer(words, octets, tape, now, reply):
    """Remove a consumer; reply with NUMBER of the entries that it had pending (XGROUP DELCONSUMER)."""
    refusal, h, _, _, group = opened(words, octets, tape, now, reply, True)
    if refusal:
        return refusal
    place, consumer = consumer_of(words, octets, tape, group, slots.XSTREAM_GROUP_DELCONSUMER_CONSUMER)
    set_scalar(words, reply, 0)
    if consumer == 0:
        return NUMBER
    words[reply] = words[consumer + groups.CONSUMER_PENDING_COUNT]
    groups.drop_consumer(words, octets, group, place)
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def ack(words, octets, tape, now, reply):
    """Acknowledge entries: they are no longer pending; reply with NUMBER of them (XACK)."""
    _, _, ref = key_access.open_key(words, octets, tape, slots.XSTREAM_ACK_KEY, STREAM, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, 0)
    if ref == MISSING:
        return NUMBER
    _, group = group_of(words, octets, tape, ref, slots.XSTREAM_ACK_GROUP)
    if group == 0:
        return NUMBER
    first, count = first_item(words, tape, slots.XSTREAM_ACK_IDS), words[tape + slots.XSTREAM_ACK_IDS]
    stride = slots.XSTREAM_ACK_IDS_STRIDE
    for slot in range(first, first + count * stride, stride):
        if not ids.strict(words, octets, tape, slot, 0)[0]:
            return BAD_ENTRY_ID
    for slot in range(first, first + count * stride, stride):
        _, ms, seq = ids.strict(words, octets, tape, slot, 0)
        pending = groups.find(words, octets, group, ms, seq)
        if pending:
            groups.drop(words, octets, group, pending)
            words[reply] += 1
    if words[reply] == 0:
        return NUMBER
    return NUMBER | CHANGED
