"""XREADGROUP: new entries for a consumer of a group, and those that it has pending.

A first pass writes the reply and changes nothing, a second one carries out what it tells. A call may name a stream more
than once: then the first pass passes over what its earlier items will have delivered, as if they had.
"""

from synap.compiler.jit import kernel, outlined
from synap.store.kinds.streams import entries, entry_replies, groups, ids, names
from synap.store.kinds.streams.entries import LENGTH
from synap.store.kinds.streams.entry_replies import refusal_of
from synap.store.kinds.streams.groups import (
    ACTIVE,
    CONSUMER_PENDING,
    DELIVERIES,
    GROUP_LAST_MS,
    GROUP_LAST_SEQ,
    PENDING_BYTES,
    TAKEN,
    TIME,
)
from synap.store.kinds.streams.stream_groups import (
    claim_consumer,
    consumer_of,
    group_of,
    no_group,
)
from synap.store.kinds.streams.stream_reads import NEW, NEWEST, after_id, counted, put_head
from synap.store.memory import limits
from synap.store.memory.kinds import STREAM
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    FULL,
    ITEM,
    MARK_ARRAY,
    MARK_BY_NAME,
    NIL,
    REPLY_ITEMS_MAX,
    WAIT,
)
from synap.store.memory.refusals import (
    BAD_ENTRY_ID,
    NEWEST_IN_GROUP,
    NO_GROUP_GIVEN,
    NO_GROUP_IN_READ,
    OUT_OF_MEMORY,
    WRONG_TYPE,
)
from synap.store.memory.tapes import add_mark, add_no_array, first_item, fits, set_scalar, text_size
from synap.store.records import key_access, keyspace, trees
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import streams as slots

STREAMS_TOLD = 60  # of XREADGROUP: for those from this one on, events of created consumers are told for the last one


@kernel
def wanted(words, octets, tape, slot):
    """Return as `after_id` does what an item of XREADGROUP wants: the last id stands for `>`, as in Redis."""
    what, ms, seq = after_id(words, octets, tape, slot + slots.XSTREAM_READGROUP_STREAMS_ID)
    return (NEW if what and ms == ids.LAST and seq == ids.LAST else what), ms, seq


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
        what, _, _ = wanted(words, octets, tape, slot)
        if what == NEWEST:
            return NEWEST_IN_GROUP
        if what == 0:
            return BAD_ENTRY_ID
    return 0


@outlined
def put_history(
    words, octets, reply, root, consumer, ms, seq, most, chunk, at, new, text_at, text_end, total
):
    """Add the pending entries of a consumer (0: none) behind an id; return (their number, then as `put_id` does).

    With them are `new` entries, from the one at a place on, which it is about to get. An entry that was deleted
    meanwhile has nil in the place of its fields.
    """
    count = 0
    leaf = i = 0
    if ms == ids.LAST and seq == ids.LAST:
        return count, text_at, text_end, total
    ms, seq = ids.following(ms, seq)
    if consumer:
        leaf, i = groups.seek(words, octets, consumer + CONSUMER_PENDING, ms, seq)
    new_ms, new_seq, chunk, at, new = next_new(words, octets, root, chunk, at, new, ms, seq)
    while (leaf or new) and (most == 0 or count < most):
        which = 1
        if leaf:
            ms, seq = groups.id_of(words, octets, groups.at_leaf(words, leaf, i))
            which = ids.compare(ms, seq, new_ms, new_seq) if new else -1
        if which > 0:
            ms, seq = new_ms, new_seq
        its_chunk, its_at = entries.find(words, octets, root, ms, seq)
        if its_at:
            text_at, text_end, total = entry_replies.put_entry(
                words, octets, reply, entries.chunk_at(words, root, its_chunk), its_at, text_at, text_end, total
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
        if which <= 0:
            leaf, i = trees.following(words, leaf, i)
        if new and which >= 0:
            chunk, at = entries.following(words, octets, root, chunk, at)
            new_ms, new_seq, chunk, at, new = next_new(words, octets, root, chunk, at, new - 1 if at else 0, 0, 0)
    return count, text_at, text_end, total


@kernel
def next_new(words, octets, root, chunk, at, new, ms, seq):
    """Return (ms, seq; its place: chunk number, octet; how many there are) of the first of `new` entries from a place
    on whose id is at least this one."""
    while new:
        its_ms, its_seq = entries.id_at(words, octets, root, chunk, at)
        if ids.compare(its_ms, its_seq, ms, seq) >= 0:
            return its_ms, its_seq, chunk, at, new
        chunk, at = entries.following(words, octets, root, chunk, at)
        new = new - 1 if at else 0
    return ms, seq, chunk, at, new


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
def forget_taken(words, octets, tape, now, item, streams):
    """Take back what `put_deliveries` has noted in the groups."""
    for i in range(streams):
        _, group = named_by(words, octets, tape, item + i * slots.XSTREAM_READGROUP_STREAMS_STRIDE, now)
        words[group + TAKEN] = 0


@kernel
def new_behind(words, octets, root, group, taken, most):
    """Return (chunk number, octet) of the first entry that is new to a group behind those that `taken` items take."""
    if taken and most == 0:
        return 0, 0
    chunk, at = new_from(words, octets, root, group)
    left = taken * most
    while at and left:
        chunk, at = entries.following(words, octets, root, chunk, at)
        left -= 1
    return chunk, at


@kernel
def put_deliveries(words, octets, tape, now, reply, item, streams, most):
    """Write what a XREADGROUP delivers, and change nothing: return (number of streams, new entries, octet behind the
    last text or what `put_id` returns instead, bytes).

    If it names several streams, TAKEN has to be set back.
    """
    text_at = text_end = total = served = new = 0
    for i in range(streams):
        slot = item + i * slots.XSTREAM_READGROUP_STREAMS_STRIDE
        key = slot + slots.XSTREAM_READGROUP_STREAMS_KEY
        what, ms, seq = wanted(words, octets, tape, slot)
        root, group = named_by(words, octets, tape, slot, now)
        taken = words[group + TAKEN]
        chunk = at = 0
        if what == NEW:
            words[group + TAKEN] += streams > 1
            chunk, at = new_behind(words, octets, root, group, taken, most)
            if at == 0:
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
            gets = 0
            if taken and not words[tape + slots.XSTREAM_READGROUP_NOACK]:
                chunk, at = new_from(words, octets, root, group)
                gets = 0 if at == 0 else taken * most if most else words[root + LENGTH]
            count, text_at, text_end, total = put_history(
                words, octets, reply, root, consumer, ms, seq, most, chunk, at, gets, text_at, text_end, total
            )
        if text_at < 0:
            return served, new, text_at, total
        words[place] = count
        served += 1
    return served, new, text_at, total


@kernel
def carry_out_deliveries(words, octets, tape, now, item, streams, most):
    """Deliver what `put_deliveries` has written; return (how many things changed, -1 without memory; a bit for each
    stream for which the consumer was created)."""
    changes = created = 0
    for i in range(streams):
        slot = item + i * slots.XSTREAM_READGROUP_STREAMS_STRIDE
        what, ms, seq = wanted(words, octets, tape, slot)
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
        else:
            pends = not words[tape + slots.XSTREAM_READGROUP_NOACK]
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
    if streams > 1:
        forget_taken(words, octets, tape, now, item, streams)
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
