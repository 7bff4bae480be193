"""Rows about what is pending in a group: XPENDING, XCLAIM and XAUTOCLAIM."""

from synap.compiler.jit import kernel, outlined
from synap.store.kinds.streams import entries, entry_replies, groups, id_sets, ids, names
from synap.store.kinds.streams.entry_replies import refusal_of
from synap.store.kinds.streams.groups import (
    ACTIVE,
    CONSUMER,
    CONSUMER_PENDING,
    CONSUMER_PENDING_COUNT,
    CONSUMER_WORDS,
    CONSUMERS,
    DELIVERIES,
    GROUP_LAST_MS,
    GROUP_LAST_SEQ,
    GROUP_PENDING,
    GROUP_PENDING_COUNT,
    MOVED_BYTES,
    PENDING_BYTES,
    TIME,
)
from synap.store.kinds.streams.stream_groups import (
    claim_consumer,
    consumer_of,
    group_of,
    no_group,
    put_name,
)
from synap.store.kinds.streams.stream_reads import interval
from synap.store.memory import limits
from synap.store.memory.kinds import STREAM
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    EMPTY,
    FULL,
    ITEM,
    MARK_ARRAY,
    MARK_DIGITS,
    REPLY_ITEMS_MAX,
)
from synap.store.memory.refusals import (
    BAD_ENTRY_ID,
    BAD_INTERVAL_START,
    COUNT_NOT_ABOVE_ZERO,
    NO_GROUP,
    NOT_CLAIM_OPTION,
    OUT_OF_MEMORY,
    WRONG_TYPE,
)
from synap.store.memory.tapes import (
    add_mark,
    add_nil,
    add_no_array,
    add_number,
    add_text,
    first_item,
    fits,
    set_scalar,
)
from synap.store.records import key_access, keyspace, trees
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import streams as slots

PENDING_ITEMS = 5  # of a pending entry in a reply: an array, the id, consumer, time, deliveries
CLAIMED = 6  # word of the reply of XAUTOCLAIM: the number of entries
AUTO_COUNT, AUTO_LOOKS = 100, 10  # entries that XAUTOCLAIM claims by default; it looks at so many times as many


@kernel
def group_for(words, octets, tape, now, reply, key, group):
    """Return (refusal or 0, record, group) of the group that two slots of a tape name."""
    _, _, ref = key_access.open_key(words, octets, tape, key, STREAM, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE, 0, 0
    found = 0
    if ref != MISSING:
        _, found = group_of(words, octets, tape, ref, group)
    if found == 0:
        return no_group(words, octets, reply, tape, key, group, NO_GROUP), 0, 0
    return 0, ref, found


@kernel
def put_consumer(words, reply, consumer):
    """Add the name of a consumer to the reply; return its bytes."""
    size = words[consumer + names.NAME_SIZE]
    add_text(words, reply, names.name_at(consumer, CONSUMER_WORDS), size, 0)
    return size


@kernel
def summary(words, octets, reply, group):
    """Reply with how many entries a group has pending, the first and the last id, and the consumers that have some."""
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, 4)
    add_number(words, reply, words[group + GROUP_PENDING_COUNT])
    if words[group + GROUP_PENDING_COUNT] == 0:
        add_nil(words, reply)
        add_nil(words, reply)
        add_no_array(words, reply)
        return ITEM
    leaf, i = groups.first(words, octets, group + GROUP_PENDING)
    ms, seq = groups.id_of(words, octets, groups.at_leaf(words, leaf, i))
    text_at, text_end, total = entry_replies.put_id(words, octets, reply, ms, seq, 0, 0, 0)
    if text_at >= 0:
        ms, seq = groups.last_id(words, octets, group + GROUP_PENDING)
        text_at, text_end, total = entry_replies.put_id(words, octets, reply, ms, seq, text_at, text_end, total)
    if text_at < 0:
        return refusal_of(text_at)
    place = reply + 2 + 2 * words[reply + 1]
    add_mark(words, reply, MARK_ARRAY, 0)
    for j in range(words[group + CONSUMERS + names.COUNT]):
        consumer = names.record_at(words, group + CONSUMERS, j)
        if words[consumer + CONSUMER_PENDING_COUNT] == 0:
            continue
        if words[reply + 1] + 3 > words[REPLY_ITEMS_MAX]:
            return FULL
        add_mark(words, reply, MARK_ARRAY, 2)
        total += put_consumer(words, reply, consumer)
        add_mark(words, reply, MARK_DIGITS, words[consumer + CONSUMER_PENDING_COUNT])
        words[place] += 1
    return ITEM if fits(words, words[reply + 1], total) else FULL


@kernel
def pending(words, octets, tape, now, reply):
    """Reply with a summary of what is pending in a group, or with the pending entries in a range (XPENDING)."""
    ranges = words[tape + slots.XSTREAM_PENDING_HAS_START]
    refusal, first_ms, first_seq, last_ms, last_seq = 0, 0, 0, 0, 0
    if ranges:
        refusal, first_ms, first_seq, last_ms, last_seq = interval(
            words, octets, tape, slots.XSTREAM_PENDING_START, slots.XSTREAM_PENDING_END
        )
    if refusal:
        return refusal
    refusal, _, group = group_for(
        words, octets, tape, now, reply, slots.XSTREAM_PENDING_KEY, slots.XSTREAM_PENDING_GROUP
    )
    if refusal:
        return refusal
    if not ranges:
        return summary(words, octets, reply, group)
    tree = group + GROUP_PENDING
    if words[tape + slots.XSTREAM_PENDING_HAS_CONSUMER]:
        _, consumer = consumer_of(words, octets, tape, group, slots.XSTREAM_PENDING_CONSUMER)
        if consumer == 0:
            return EMPTY
        tree = consumer + CONSUMER_PENDING
    idle = words[tape + slots.XSTREAM_PENDING_IDLE] if words[tape + slots.XSTREAM_PENDING_HAS_IDLE] else 0
    most = words[tape + slots.XSTREAM_PENDING_COUNT]
    return put_pending(words, octets, reply, tree, first_ms, first_seq, last_ms, last_seq, most, idle, now)


@outlined
def put_pending(words, octets, reply, tree, first_ms, first_seq, last_ms, last_seq, most, idle, now):
    """Reply with the pending entries of a tree in a range of ids, not delivered for `idle` ms and more."""
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, 0)
    text_at = text_end = total = count = 0
    leaf, i = groups.seek(words, octets, tree, first_ms, first_seq)
    while leaf and count < most:
        found = groups.at_leaf(words, leaf, i)
        ms, seq = groups.id_of(words, octets, found)
        if ids.compare(ms, seq, last_ms, last_seq) > 0:
            break
        leaf, i = trees.following(words, leaf, i)
        if idle > 0 and now - words[found + TIME] < idle:
            continue
        if words[reply + 1] + PENDING_ITEMS > words[REPLY_ITEMS_MAX]:
            return FULL
        add_mark(words, reply, MARK_ARRAY, 4)
        text_at, text_end, total = entry_replies.put_id(words, octets, reply, ms, seq, text_at, text_end, total)
        if text_at < 0:
            return refusal_of(text_at)
        total += put_consumer(words, reply, words[found + CONSUMER])
        add_number(words, reply, max(now - words[found + TIME], 0))
        add_number(words, reply, words[found + DELIVERIES])
        count += 1
    words[reply + 2] = count
    return ITEM if fits(words, words[reply + 1], total) else FULL


# Claims. A first pass writes the reply, a second one carries out what it tells.


@kernel
def put_claimed(words, octets, reply, root, ms, seq, at_chunk, at, just_id, text_at, text_end, total):
    """Add a claimed entry, or `just_id` its id, to the reply; return as `put_id` does."""
    if just_id:
        if words[reply + 1] + 1 > words[REPLY_ITEMS_MAX]:
            return entry_replies.FULL_REPLY, text_end, total
        return entry_replies.put_id(words, octets, reply, ms, seq, text_at, text_end, total)
    chunk = entries.chunk_at(words, root, at_chunk)
    return entry_replies.put_entry(words, octets, reply, chunk, at, text_at, text_end, total)


@kernel
def hand_over(words, octets, found, consumer, time, deliveries, counts, now):
    """Give a pending entry to a consumer that claims it; return False without memory.

    `deliveries` replaces their number, unless it is below 0; then `counts` says whether this one counts.
    """
    if not groups.move(words, octets, found, consumer):
        return False
    words[found + TIME] = time
    if deliveries >= 0:
        words[found + DELIVERIES] = deliveries
    elif counts:
        words[found + DELIVERIES] += 1
    words[consumer + ACTIVE] = now
    return True


@kernel
def may_claim(words, found, idle, now):
    """Return True if a pending entry was not delivered for `idle` ms and more."""
    return idle <= 0 or now - words[found + TIME] >= idle


@kernel
def claim_time(words, tape, now):
    """Return the time of delivery that XCLAIM sets: the one given, if it is not below 0 or to come."""
    time = now
    if words[tape + slots.XSTREAM_CLAIM_HAS_IDLE]:
        time = now - words[tape + slots.XSTREAM_CLAIM_IDLE]
    if words[tape + slots.XSTREAM_CLAIM_HAS_TIME]:
        time = words[tape + slots.XSTREAM_CLAIM_TIME]
    return now if time < 0 or time > now else time


@kernel
def claim(words, octets, tape, now, reply):
    """Give pending entries to a consumer; reply with them, or with their ids (XCLAIM)."""
    refusal, ref, group = group_for(
        words, octets, tape, now, reply, slots.XSTREAM_CLAIM_KEY, slots.XSTREAM_CLAIM_GROUP
    )
    if refusal:
        return refusal
    root = keyspace.root_of(words, ref)
    first, count = first_item(words, tape, slots.XSTREAM_CLAIM_IDS), words[tape + slots.XSTREAM_CLAIM_IDS]
    stride = slots.XSTREAM_CLAIM_IDS_STRIDE
    for slot in range(first, first + count * stride, stride):
        if not ids.strict(words, octets, tape, slot, 0)[0]:
            set_scalar(words, reply, 0)
            put_name(words, octets, reply, tape, slot)
            return NOT_CLAIM_OPTION
    last_ms = last_seq = 0
    if words[tape + slots.XSTREAM_CLAIM_HAS_LASTID]:
        good, last_ms, last_seq = ids.strict(words, octets, tape, slots.XSTREAM_CLAIM_LAST_ID, 0)
        if not good:
            return BAD_ENTRY_ID
    idle = words[tape + slots.XSTREAM_CLAIM_MIN_IDLE]
    forced, just_id = words[tape + slots.XSTREAM_CLAIM_FORCE], words[tape + slots.XSTREAM_CLAIM_JUSTID]
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, 0)
    text_at = text_end = total = claimed = needed = 0
    once = 0 < idle > now - claim_time(words, tape, now)  # what is claimed is not idle enough to be claimed again
    top_ms = top_seq = named = 0
    for i in range(count):
        _, ms, seq = ids.strict(words, octets, tape, first + i * stride, 0)
        chunk, at = entries.find(words, octets, root, ms, seq)
        found = groups.find(words, octets, group, ms, seq)
        if at == 0 or (found == 0 and not forced) or (found and not may_claim(words, found, idle, now)):
            continue
        rises = ids.compare(ms, seq, top_ms, top_seq) > 0
        if once and (named or not rises):
            new, named = id_sets.is_new(words, octets, tape, first, stride, i, count, named, ms, seq)
            if named == 0:
                return OUT_OF_MEMORY
            if not new:
                continue
        if rises:
            top_ms, top_seq = ms, seq
        text_at, text_end, total = put_claimed(
            words, octets, reply, root, ms, seq, chunk, at, just_id, text_at, text_end, total
        )
        if text_at < 0:
            return refusal_of(text_at)
        claimed += 1
        needed += MOVED_BYTES if found else PENDING_BYTES
    words[reply + 2] = claimed
    if not fits(words, words[reply + 1], total):
        return FULL
    if limits.lacks(words, needed):
        return OUT_OF_MEMORY
    return carry_out_claim(words, octets, tape, now, reply, root, group, last_ms, last_seq)


@outlined
def carry_out_claim(words, octets, tape, now, reply, root, group, last_ms, last_seq):
    """Carry out a XCLAIM whose reply is written; return its status."""
    changes = 0
    if ids.compare(last_ms, last_seq, words[group + GROUP_LAST_MS], words[group + GROUP_LAST_SEQ]) > 0:
        words[group + GROUP_LAST_MS] = last_ms
        words[group + GROUP_LAST_SEQ] = last_seq
        changes += 1
    had = words[group + CONSUMERS + names.COUNT]
    consumer = claim_consumer(words, octets, tape, group, slots.XSTREAM_CLAIM_CONSUMER, now)
    if consumer == 0:
        return BROKEN
    words[reply] = words[group + CONSUMERS + names.COUNT] - had
    changes += words[reply]
    time = claim_time(words, tape, now)
    deliveries = -1
    if words[tape + slots.XSTREAM_CLAIM_HAS_RETRYCOUNT]:
        deliveries = words[tape + slots.XSTREAM_CLAIM_RETRY_COUNT]
    idle = words[tape + slots.XSTREAM_CLAIM_MIN_IDLE]
    first, count = first_item(words, tape, slots.XSTREAM_CLAIM_IDS), words[tape + slots.XSTREAM_CLAIM_IDS]
    for i in range(count):
        _, ms, seq = ids.strict(words, octets, tape, first + i * slots.XSTREAM_CLAIM_IDS_STRIDE, 0)
        exists = entries.find(words, octets, root, ms, seq)[1] != 0
        found = groups.find(words, octets, group, ms, seq)
        if not exists:
            if found:
                groups.drop(words, octets, group, found)
                changes += 1
            continue
        if found == 0:
            if not words[tape + slots.XSTREAM_CLAIM_FORCE]:
                continue
            found = groups.add(words, octets, group, consumer, ms, seq, now, 1)
            if found == 0:
                return BROKEN
        elif not may_claim(words, found, idle, now):
            continue
        counts = not words[tape + slots.XSTREAM_CLAIM_JUSTID]
        if not hand_over(words, octets, found, consumer, time, deliveries, counts, now):
            return BROKEN
        changes += 1
    return ITEM | (CHANGED if changes else 0)


@kernel
def auto_claim(words, octets, tape, now, reply):
    """Give pending entries that were not delivered for a time to a consumer; reply with the id to go on from, the
    entries or their ids, and the ids of those that do not exist any more (XAUTOCLAIM)."""
    good, from_ms, from_seq = ids.bound(words, octets, tape, slots.XSTREAM_AUTOCLAIM_START, 0, 1)
    if good <= 0:
        return BAD_INTERVAL_START if good else BAD_ENTRY_ID
    most = AUTO_COUNT
    if words[tape + slots.XSTREAM_AUTOCLAIM_HAS_COUNT]:
        most = words[tape + slots.XSTREAM_AUTOCLAIM_COUNT]
        if most < 1 or most > 1 << 59:
            return COUNT_NOT_ABOVE_ZERO
    refusal, ref, group = group_for(
        words, octets, tape, now, reply, slots.XSTREAM_AUTOCLAIM_KEY, slots.XSTREAM_AUTOCLAIM_GROUP
    )
    if refusal:
        return refusal
    root = keyspace.root_of(words, ref)
    idle, just_id = words[tape + slots.XSTREAM_AUTOCLAIM_MIN_IDLE], words[tape + slots.XSTREAM_AUTOCLAIM_JUSTID]
    text_at, total = put_auto_claimed(
        words, octets, reply, root, group, from_ms, from_seq, most, idle, just_id, now
    )
    if text_at < 0:
        return refusal_of(text_at)
    if not fits(words, words[reply + 1], total):
        return FULL
    if limits.lacks(words, words[reply + CLAIMED] * MOVED_BYTES):
        return OUT_OF_MEMORY
    had = words[group + CONSUMERS + names.COUNT]
    consumer = claim_consumer(words, octets, tape, group, slots.XSTREAM_AUTOCLAIM_CONSUMER, now)
    if consumer == 0:
        return BROKEN
    words[reply] = words[group + CONSUMERS + names.COUNT] - had
    changes = carry_out_auto_claim(words, octets, root, group, consumer, from_ms, from_seq, most, idle, just_id, now)
    return BROKEN if changes < 0 else ITEM | (CHANGED if changes + words[reply] else 0)


@outlined
def put_auto_claimed(words, octets, reply, root, group, from_ms, from_seq, most, idle, just_id, now):
    """Write the reply of XAUTOCLAIM, and change nothing; return (as `put_id` does: octet, bytes)."""
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, 3)
    id_place = reply + 2 + 2 * words[reply + 1]
    add_nil(words, reply)
    add_mark(words, reply, MARK_ARRAY, 0)
    text_at = text_end = total = gone = 0
    looks, left = most * AUTO_LOOKS, most
    leaf, i = groups.seek(words, octets, group + GROUP_PENDING, from_ms, from_seq)
    first_leaf, first_i = leaf, i
    while leaf and looks and left:
        looks -= 1
        found = groups.at_leaf(words, leaf, i)
        ms, seq = groups.id_of(words, octets, found)
        leaf, i = trees.following(words, leaf, i)
        chunk, at = entries.find(words, octets, root, ms, seq)
        if at == 0:
            gone += 1
            left -= 1
            continue
        if not may_claim(words, found, idle, now):
            continue
        text_at, text_end, total = put_claimed(
            words, octets, reply, root, ms, seq, chunk, at, just_id, text_at, text_end, total
        )
        if text_at < 0:
            return text_at, total
        words[reply + CLAIMED] += 1
        left -= 1
    ms = seq = 0
    if leaf:
        ms, seq = groups.id_of(words, octets, groups.at_leaf(words, leaf, i))
    if words[reply + 1] + 2 + gone > words[REPLY_ITEMS_MAX]:
        return entry_replies.FULL_REPLY, total
    text_at, text_end, total = entry_replies.put_id(words, octets, reply, ms, seq, text_at, text_end, total)
    if text_at < 0:
        return text_at, total
    words[reply + 1] -= 1  # the id belongs to the front
    words[id_place] = words[reply + 2 + 2 * words[reply + 1]]
    words[id_place + 1] = words[reply + 3 + 2 * words[reply + 1]]
    add_mark(words, reply, MARK_ARRAY, gone)
    at_leaf, at_i = first_leaf, first_i
    while gone:
        ms, seq = groups.id_of(words, octets, groups.at_leaf(words, at_leaf, at_i))
        at_leaf, at_i = trees.following(words, at_leaf, at_i)
        if entries.find(words, octets, root, ms, seq)[1] == 0:
            text_at, text_end, total = entry_replies.put_id(words, octets, reply, ms, seq, text_at, text_end, total)
            if text_at < 0:
                break
            gone -= 1
    return text_at, total


@outlined
def carry_out_auto_claim(words, octets, root, group, consumer, from_ms, from_seq, most, idle, just_id, now):
    """Carry out a XAUTOCLAIM whose reply is written; return how many entries changed, or -1 without memory."""
    changes = 0
    looks, left = most * AUTO_LOOKS, most
    leaf, i = groups.seek(words, octets, group + GROUP_PENDING, from_ms, from_seq)
    while leaf and looks and left:
        looks -= 1
        found = groups.at_leaf(words, leaf, i)
        ms, seq = groups.id_of(words, octets, found)
        if entries.find(words, octets, root, ms, seq)[1] == 0:
            groups.drop(words, octets, group, found)  # which may move the others
            leaf, i = groups.seek(words, octets, group + GROUP_PENDING, ms, seq)
            left -= 1
            changes += 1
            continue
        leaf, i = trees.following(words, leaf, i)
        if not may_claim(words, found, idle, now):
            continue
        if not hand_over(words, octets, found, consumer, now, -1, not just_id, now):
            return -1
        left -= 1
        changes += 1
    return changes
