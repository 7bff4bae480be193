"""Rows of groups of streams: XGROUP, XREADGROUP and XACK."""

from synap.compiler.jit import inlined, kernel, outlined
from synap.kernels.spans import same
from synap.store.kinds.streams import entries, entry_replies, groups, ids, names
from synap.store.kinds.streams.entries import LAST_MS, LAST_SEQ, LENGTH
from synap.store.kinds.streams.entry_replies import refusal_of
from synap.store.kinds.streams.groups import (
    ACTIVE,
    CONSUMER_PENDING,
    DELIVERIES,
    GROUP_LAST_MS,
    GROUP_LAST_SEQ,
    PENDING_WORDS,
    READ,
    SEEN,
    TIME,
    UNKNOWN,
)
from synap.store.kinds.streams.stream_reads import DOLLAR, NEW, NEWEST, after_id, counted, put_head
from synap.store.memory import limits
from synap.store.memory.kinds import STREAM
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DONE,
    FULL,
    ITEM,
    MARK_ARRAY,
    MARK_BY_NAME,
    NIL,
    NUMBER,
    REPLY_ITEMS_MAX,
    WAIT,
    WORD,
)
from synap.store.memory.refusals import (
    BAD_ENTRIES_READ,
    BAD_ENTRY_ID,
    GROUP_EXISTS,
    GROUP_NEEDS_KEY,
    NEWEST_IN_GROUP,
    NO_GROUP_GIVEN,
    NO_GROUP_IN_READ,
    NO_GROUP_OF_KEY,
    OUT_OF_MEMORY,
    WRONG_TYPE,
)
from synap.store.memory.tapes import (
    add_mark,
    add_no_array,
    add_text,
    first_item,
    fits,
    set_scalar,
    text_at,
    text_size,
)
from synap.store.records import key_access, keyspace, trees
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import streams as slots

PENDING_BYTES = (PENDING_WORDS + 4 * trees.OF_LEAF) * WORD
"""Of one pending entry: its block and its places in two trees whose leaves are half full."""
MOVED_BYTES = 2 * trees.OF_LEAF * WORD  # of one that a consumer gets from another one: its place in a tree
LONGEST_NAME = 128  # bytes of a name in a refusal
STREAMS_TOLD = 60  # of XREADGROUP: for those from this one on, events of created consumers are told for the last one


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


# XREADGROUP.


@kernel
def named_by(words, octets, tape, slot, now):
    """Return (root of the stream, group) of an item of XREADGROUP; both exist."""
    key = slot + slots.XSTREAM_READGROUP_STREAMS_KEY
    h = keyspace.hash_text(words, octets, tape, key)
    ref = key_access.record_at(words, keyspace.locate_quietly(words, octets, tape, key, h), STREAM, now)
    return keyspace.root_of(words, ref), group_of(words, octets, tape, ref, slots.XSTREAM_READGROUP_GROUP)[1]


@kernel
def refused_read(words, octets, tape, now, reply, item, streams):
    """Return the refusal of a XREADGROUP, or 0."""
    for i in range(streams):
        slot = item + i * slots.XSTREAM_READGROUP_STREAMS_STRIDE
        key = slot + slots.XSTREAM_READGROUP_STREAMS_KEY
        _, _, ref = key_access.open_key(words, octets, tape, key, STREAM, now)
        if ref == OTHER_KIND:
            return WRONG_TYPE
        group = 0
        if ref != MISSING:
            _, group = group_of(words, octets, tape, ref, slots.XSTREAM_READGROUP_GROUP)
        if group == 0:
            return no_group(words, octets, reply, tape, key, slots.XSTREAM_READGROUP_GROUP, NO_GROUP_IN_READ)
        what, _, _ = after_id(words, octets, tape, slot + slots.XSTREAM_READGROUP_STREAMS_ID)
        if what == NEWEST:
            return NEWEST_IN_GROUP
        if what == 0:
            return BAD_ENTRY_ID
    return 0


@outlined
def put_history(words, octets, reply, root, consumer, ms, seq, most, text_at, text_end, total):
    """Add the pending entries of a consumer (0: none) behind an id; return (their number, then as `put_id` does).

    An entry that was deleted meanwhile has nil in the place of its fields.
    """
    count = 0
    leaf = i = 0
    if consumer and not (ms == ids.LAST and seq == ids.LAST):
        ms, seq = ids.following(ms, seq)
        leaf, i = groups.seek(words, octets, consumer + CONSUMER_PENDING, ms, seq)
    while leaf and (most == 0 or count < most):
        ms, seq = groups.id_of(words, octets, groups.at_leaf(words, leaf, i))
        chunk, at = entries.find(words, octets, root, ms, seq)
        if at:
            text_at, text_end, total = entry_replies.put_entry(
                words, octets, reply, entries.chunk_at(words, root, chunk), at, text_at, text_end, total
            )
        elif words[reply + 1] + entry_replies.ENTRY_ITEMS > words[REPLY_ITEMS_MAX]:
            text_at = entry_replies.FULL_REPLY
        else:
            add_mark(words, reply, MARK_ARRAY, 2)
            text_at, text_end, total = entry_replies.put_id(words, octets, reply, ms, seq, text_at, text_end, total)
            add_no_array(words, reply)
        if text_at < 0:
            break
        count += 1
        leaf, i = trees.following(words, leaf, i)
    return count, text_at, text_end, total


@kernel
def deliver_again(words, octets, root, consumer, ms, seq, most, now):
    """Note that the pending entries of a consumer behind an id, at most `most` (0: any number), are delivered again;
    return how many of them exist."""
    noted = count = 0
    if ms == ids.LAST and seq == ids.LAST:
        return noted
    ms, seq = ids.following(ms, seq)
    leaf, i = groups.seek(words, octets, consumer + CONSUMER_PENDING, ms, seq)
    while leaf and (most == 0 or count < most):
        pending = groups.at_leaf(words, leaf, i)
        ms, seq = groups.id_of(words, octets, pending)
        if entries.find(words, octets, root, ms, seq)[1]:
            words[pending + TIME] = now
            words[pending + DELIVERIES] += 1
            noted += 1
        count += 1
        leaf, i = trees.following(words, leaf, i)
    return noted


@kernel
def new_from(words, octets, root, group):
    """Return (chunk number, octet) of the first entry that is new to a group."""
    ms, seq = words[group + GROUP_LAST_MS], words[group + GROUP_LAST_SEQ]
    if words[root + LENGTH] == 0 or (ms == ids.LAST and seq == ids.LAST):
        return 0, 0
    ms, seq = ids.following(ms, seq)
    return entries.seek(words, octets, root, ms, seq)


@outlined
def deliver(words, octets, root, group, consumer, most, pends, now):
    """Deliver the new entries of a stream, at most `most` (0: any number), to a consumer; unless it `pends` they need
    no ack. Return how many, or -1 without memory."""
    count = 0
    i, at = new_from(words, octets, root, group)
    while at and (most == 0 or count < most):
        ms, seq = entries.id_at(words, octets, root, i, at)
        groups.delivered(words, octets, root, group, ms, seq)
        if pends:
            pending = groups.find(words, octets, group, ms, seq)
            if pending == 0:
                if groups.add(words, octets, group, consumer, ms, seq, now, 1) == 0:
                    return -1
            else:  # the group was set back behind it
                if not groups.move(words, octets, pending, consumer):
                    return -1
                words[pending + TIME] = now
                words[pending + DELIVERIES] = 1
            words[consumer + ACTIVE] = now
        count += 1
        i, at = entries.following(words, octets, root, i, at)
    return count


@kernel
def repeats(words, octets, tape, item, i):
    """Return True if the key of item i of a XREADGROUP is that of an earlier one: then it gets nothing new."""
    slot = item + i * slots.XSTREAM_READGROUP_STREAMS_STRIDE + slots.XSTREAM_READGROUP_STREAMS_KEY
    start, size = text_at(words, tape, slot), text_size(words, tape, slot)
    for j in range(i):
        other = item + j * slots.XSTREAM_READGROUP_STREAMS_STRIDE + slots.XSTREAM_READGROUP_STREAMS_KEY
        if text_size(words, tape, other) == size and same(octets, text_at(words, tape, other), start, size):
            return True
    return False


@kernel
def put_deliveries(words, octets, tape, now, reply, item, streams, most):
    """Write what a XREADGROUP delivers, and change nothing: return (number of streams, new entries, octet behind the
    last text or what `put_id` returns instead, bytes)."""
    text_at = text_end = total = served = new = 0
    for i in range(streams):
        slot = item + i * slots.XSTREAM_READGROUP_STREAMS_STRIDE
        key = slot + slots.XSTREAM_READGROUP_STREAMS_KEY
        what, ms, seq = after_id(words, octets, tape, slot + slots.XSTREAM_READGROUP_STREAMS_ID)
        root, group = named_by(words, octets, tape, slot, now)
        chunk = at = 0
        if what == NEW:
            chunk, at = new_from(words, octets, root, group)
            if at == 0 or repeats(words, octets, tape, item, i):
                continue
        place = put_head(words, reply, tape, key)
        if place == 0:
            return served, new, entry_replies.FULL_REPLY, total
        total += text_size(words, tape, key)
        if what == NEW:
            count, text_at, text_end, total = entry_replies.put_from(
                words, octets, reply, root, chunk, at, ids.LAST, ids.LAST, most, text_at, text_end, total
            )
            new += count
        else:
            _, consumer = consumer_of(words, octets, tape, group, slots.XSTREAM_READGROUP_CONSUMER)
            count, text_at, text_end, total = put_history(
                words, octets, reply, root, consumer, ms, seq, most, text_at, text_end, total
            )
        if text_at < 0:
            return served, new, text_at, total
        words[place] = count
        served += 1
    return served, new, text_at, total


@kernel
def carry_out_deliveries(words, octets, tape, now, item, streams, most):
    """Deliver what `put_deliveries` has written; return (how many things changed, -1 without memory; a bit for each
    stream for which the consumer was created).

    What is pending is delivered again before anything new is, since the reply has what was pending before.
    """
    changes = created = 0
    for i in range(streams):
        slot = item + i * slots.XSTREAM_READGROUP_STREAMS_STRIDE
        what, ms, seq = after_id(words, octets, tape, slot + slots.XSTREAM_READGROUP_STREAMS_ID)
        root, group = named_by(words, octets, tape, slot, now)
        had = words[group + groups.CONSUMERS + names.COUNT]
        consumer = claim_consumer(words, octets, tape, group, slots.XSTREAM_READGROUP_CONSUMER, now)
        if consumer == 0:
            return -1, created
        if words[group + groups.CONSUMERS + names.COUNT] > had:
            changes += 1
            created |= 1 << min(i, STREAMS_TOLD - 1)
        if what != NEW:
            changes += deliver_again(words, octets, root, consumer, ms, seq, most, now)
    pends = not words[tape + slots.XSTREAM_READGROUP_NOACK]
    for i in range(streams):
        slot = item + i * slots.XSTREAM_READGROUP_STREAMS_STRIDE
        what, _, _ = after_id(words, octets, tape, slot + slots.XSTREAM_READGROUP_STREAMS_ID)
        if what != NEW or repeats(words, octets, tape, item, i):
            continue
        root, group = named_by(words, octets, tape, slot, now)
        _, consumer = consumer_of(words, octets, tape, group, slots.XSTREAM_READGROUP_CONSUMER)
        count = deliver(words, octets, root, group, consumer, most, pends, now)
        if count < 0:
            return -1, created
        changes += count
    return changes, created


@kernel
def read_group(words, octets, tape, now, reply):
    """Deliver entries of streams to a consumer of a group, new ones or those it has pending; reply with them by key as
    ITEM, without any with NIL, or WAIT (XREADGROUP)."""
    if not words[tape + slots.XSTREAM_READGROUP_HAS_GROUP]:
        return NO_GROUP_GIVEN
    item = first_item(words, tape, slots.XSTREAM_READGROUP_STREAMS)
    streams = words[tape + slots.XSTREAM_READGROUP_STREAMS]
    most = max(counted(words, tape, slots.XSTREAM_READGROUP_HAS_COUNT, slots.XSTREAM_READGROUP_COUNT), 0)
    refusal = refused_read(words, octets, tape, now, reply, item, streams)
    if refusal:
        return refusal
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_BY_NAME, 0)
    served, new, text_at, total = put_deliveries(words, octets, tape, now, reply, item, streams, most)
    if text_at < 0:
        return refusal_of(text_at)
    if served == 0 and words[tape + slots.XSTREAM_READGROUP_HAS_BLOCK]:
        return WAIT
    if not fits(words, words[reply + 1], total):
        return FULL
    if not words[tape + slots.XSTREAM_READGROUP_NOACK] and limits.lacks(words, new * PENDING_BYTES):
        return OUT_OF_MEMORY
    changes, words[reply] = carry_out_deliveries(words, octets, tape, now, item, streams, most)
    if changes < 0:
        return BROKEN
    words[reply + 2] = served
    return (ITEM if served else NIL) | (CHANGED if changes else 0)


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
