"""Rows that describe streams: XINFO STREAM, XINFO GROUPS and XINFO CONSUMERS."""

from synap.compiler.jit import kernel, outlined
from synap.kernels.spans import leading_zeros
from synap.store.kinds.streams import chunks, entries, entry_replies, groups, ids, names
from synap.store.kinds.streams.entries import (
    ADDED,
    DELETED_MS,
    DELETED_SEQ,
    GROUPS,
    GROUPS_COUNT,
    LAST_MS,
    LAST_SEQ,
    LENGTH,
)
from synap.store.kinds.streams.entry_replies import NO_MEMORY, refusal_of
from synap.store.kinds.streams.groups import (
    ACTIVE,
    CONSUMER,
    CONSUMER_PENDING,
    CONSUMER_PENDING_COUNT,
    CONSUMERS,
    DELIVERIES,
    GROUP_LAST_MS,
    GROUP_LAST_SEQ,
    GROUP_PENDING,
    GROUP_PENDING_COUNT,
    GROUP_WORDS,
    NEVER,
    READ,
    SEEN,
    TIME,
    UNKNOWN,
)
from synap.store.kinds.streams.stream_claims import put_consumer
from synap.store.kinds.streams.stream_groups import group_of, no_group
from synap.store.memory.kinds import STREAM
from synap.store.memory.layout import FULL, ITEM, MARK_ARRAY, MARK_MAP, MARK_NAME, REPLY_ITEMS_MAX
from synap.store.memory.refusals import NO_GROUP_OF_KEY, NO_SUCH_KEY, WRONG_TYPE
from synap.store.memory.tapes import add_field, add_mark, add_nil, add_number, add_text, fits, set_scalar
from synap.store.records import key_access, keyspace, trees
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import streams as slots

FULL_COUNT = 10  # entries, and pending entries of each list, that XINFO STREAM FULL shows by default
STREAM_ITEMS, GROUP_ITEMS, CONSUMER_ITEMS = 21, 13, 9  # the most items of each, without entries, lists and members
FULL_GROUP_ITEMS, FULL_CONSUMER_ITEMS, FULL_PENDING_ITEMS = 17, 11, 5
_BITS, _BYTE_BITS, _ID_BYTES = 64, 3, 16


@kernel
def described(words, octets, tape, slot, now):
    """Return (refusal or 0, record) of the stream whose key is in this slot of a tape."""
    ref = key_access.find(words, octets, tape, slot, STREAM, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE, ref
    return (NO_SUCH_KEY if ref == MISSING else 0), ref


@kernel
def put_named_id(words, octets, reply, name, ms, seq, text_at, text_end, total):
    """Add a name of the row's template and an id; return as `put_id` does."""
    add_mark(words, reply, MARK_NAME, name)
    return entry_replies.put_id(words, octets, reply, ms, seq, text_at, text_end, total)


@kernel
def put_number_or_nil(words, reply, name, value, unknown):
    """Add a name and a number, which may be the one that stands for unknown."""
    add_mark(words, reply, MARK_NAME, name)
    if value == unknown:
        add_nil(words, reply)
    else:
        add_number(words, reply, value)


@kernel
def same_bytes(a_ms, a_seq, b_ms, b_seq):
    """Return how many bytes two ids have in common, from the highest on."""
    if a_ms != b_ms:
        return leading_zeros(a_ms ^ b_ms) >> _BYTE_BITS
    if a_seq != b_seq:
        return (_BITS + leading_zeros(a_seq ^ b_seq)) >> _BYTE_BITS
    return _ID_BYTES


@outlined
def radix_nodes(words, root):
    """Return how many nodes Redis' radix tree has whose keys are the ids at which the chunks begin.

    A leaf for each key, a node for each place where keys part, and one for each run of bytes between two of these.
    With keys in order, the places of a key are those of its neighbours, so a stack of the open ones suffices: it is a
    set of 16 bits, one for each number of common bytes.
    """
    count = entries.count_chunks(words, root)
    if count == 0:
        return 1
    nodes = count
    open_places = 0
    for i in range(count):
        chunk = entries.chunk_at(words, root, i)
        common = -1
        if i + 1 < count:
            after = entries.chunk_at(words, root, i + 1)
            common = same_bytes(
                words[chunk + chunks.MS], words[chunk + chunks.SEQ], words[after + chunks.MS], words[after + chunks.SEQ]
            )
        deepest = top_place(open_places)
        if common > deepest:
            open_places |= 1 << common
            deepest = common
        if deepest < _ID_BYTES - 1:  # the run before the leaf
            nodes += 1
        while top_place(open_places) > common:  # this key is the last below the place
            place = top_place(open_places)
            open_places ^= 1 << place
            outer = top_place(open_places)
            if common > outer:
                open_places |= 1 << common
                outer = common
            nodes += 1
            if place > outer + 1:
                nodes += 1
    return nodes


@kernel
def top_place(places):
    """Return the number of the highest bit of a set, -1 of an empty one."""
    return _BITS - 1 - leading_zeros(places) if places else -1


@kernel
def put_facts(words, octets, reply, root):
    """Add the first seven facts about a stream; return as `put_id` does."""
    add_field(words, reply, 0, words[root + LENGTH])
    add_field(words, reply, 1, entries.count_chunks(words, root))
    add_field(words, reply, 2, radix_nodes(words, root))
    text_at, text_end, total = put_named_id(
        words, octets, reply, 3, words[root + LAST_MS], words[root + LAST_SEQ], 0, 0, 0
    )
    if text_at >= 0:
        text_at, text_end, total = put_named_id(
            words, octets, reply, 4, words[root + DELETED_MS], words[root + DELETED_SEQ], text_at, text_end, total
        )
    add_field(words, reply, 5, words[root + ADDED])
    if text_at >= 0:
        ms, seq = entries.first_id(words, octets, root)
        text_at, text_end, total = put_named_id(words, octets, reply, 6, ms, seq, text_at, text_end, total)
    return text_at, text_end, total


@kernel
def stream(words, octets, tape, now, reply):
    """Describe a stream (XINFO STREAM)."""
    refusal, ref = described(words, octets, tape, slots.XSTREAM_INFO_STREAM_KEY, now)
    if refusal:
        return refusal
    root = keyspace.root_of(words, ref)
    if words[REPLY_ITEMS_MAX] < STREAM_ITEMS:
        return FULL
    set_scalar(words, reply, 0)
    if words[tape + slots.XSTREAM_INFO_STREAM_HAS_FULL]:
        return full_stream(words, octets, tape, now, reply, root)
    add_mark(words, reply, MARK_MAP, 10)
    text_at, text_end, total = put_facts(words, octets, reply, root)
    add_field(words, reply, 7, words[root + GROUPS_COUNT])
    for name in (8, 9):
        if text_at < 0:
            break
        add_mark(words, reply, MARK_NAME, name)
        if words[root + LENGTH] == 0:
            add_nil(words, reply)
            continue
        i, at = 0, 0
        if name == 8:
            i, at = entries.live_from(words, octets, root, 0, 0, 0, 0)
        else:
            i, at = entries.last_at(words, octets, root, ids.LAST, ids.LAST)
        chunk = entries.chunk_at(words, root, i)
        text_at, text_end, total = entry_replies.put_entry(words, octets, reply, chunk, at, text_at, text_end, total)
    if text_at < 0:
        return refusal_of(text_at)
    return ITEM if fits(words, words[reply + 1], total) else FULL


# XINFO STREAM FULL. Names of the template: 10 to 18 of the stream, 19 to 26 of a group, 27 to 31 of a consumer.


@outlined
def full_stream(words, octets, tape, now, reply, root):
    """Describe a stream with its entries, groups, consumers and what is pending."""
    most = FULL_COUNT
    if words[tape + slots.XSTREAM_INFO_STREAM_HAS_COUNT] and words[tape + slots.XSTREAM_INFO_STREAM_COUNT] >= 0:
        most = words[tape + slots.XSTREAM_INFO_STREAM_COUNT]
    add_mark(words, reply, MARK_MAP, 9)
    text_at, text_end, total = put_facts(words, octets, reply, root)
    if text_at >= 0:
        add_mark(words, reply, MARK_NAME, 17)
        place = reply + 2 + 2 * words[reply + 1]
        add_mark(words, reply, MARK_ARRAY, 0)
        i, at = entries.live_from(words, octets, root, 0, 0, 0, 0)
        words[place], text_at, text_end, total = entry_replies.put_from(
            words, octets, reply, root, i, at, ids.LAST, ids.LAST, most, text_at, text_end, total
        )
    if text_at >= 0:
        if words[reply + 1] + 2 > words[REPLY_ITEMS_MAX]:
            return FULL
        add_mark(words, reply, MARK_NAME, 18)
        add_mark(words, reply, MARK_ARRAY, words[root + GROUPS_COUNT])
        for j in range(words[root + GROUPS_COUNT]):
            group = names.record_at(words, root + GROUPS, j)
            text_at, text_end, total = put_full_group(
                words, octets, reply, root, group, most, text_at, text_end, total
            )
            if text_at < 0:
                break
    if text_at < 0:
        return refusal_of(text_at)
    return ITEM if fits(words, words[reply + 1], total) else FULL


@outlined
def put_full_group(words, octets, reply, root, group, most, text_at, text_end, total):
    """Add a group with its consumers and what is pending; return as `put_id` does."""
    if words[reply + 1] + FULL_GROUP_ITEMS > words[REPLY_ITEMS_MAX]:
        return entry_replies.FULL_REPLY, text_end, total
    add_mark(words, reply, MARK_MAP, 7)
    add_mark(words, reply, MARK_NAME, 19)
    size = words[group + names.NAME_SIZE]
    add_text(words, reply, names.name_at(group, GROUP_WORDS), size, 0)
    total += size
    text_at, text_end, total = put_named_id(
        words, octets, reply, 20, words[group + GROUP_LAST_MS], words[group + GROUP_LAST_SEQ], text_at, text_end, total
    )
    if text_at < 0:
        return text_at, text_end, total
    put_number_or_nil(words, reply, 21, words[group + READ], UNKNOWN)
    put_number_or_nil(words, reply, 22, groups.lag_of(words, octets, root, group), groups.UNKNOWN_LAG)
    add_field(words, reply, 23, words[group + GROUP_PENDING_COUNT])
    add_mark(words, reply, MARK_NAME, 24)
    text_at, text_end, total = put_full_pending(
        words, octets, reply, group + GROUP_PENDING, most, True, text_at, text_end, total
    )
    if text_at < 0:
        return text_at, text_end, total
    if words[reply + 1] + 2 > words[REPLY_ITEMS_MAX]:
        return entry_replies.FULL_REPLY, text_end, total
    add_mark(words, reply, MARK_NAME, 25)
    add_mark(words, reply, MARK_ARRAY, words[group + CONSUMERS + names.COUNT])
    for j in range(words[group + CONSUMERS + names.COUNT]):
        if words[reply + 1] + FULL_CONSUMER_ITEMS > words[REPLY_ITEMS_MAX]:
            return entry_replies.FULL_REPLY, text_end, total
        consumer = names.record_at(words, group + CONSUMERS, j)
        add_mark(words, reply, MARK_MAP, 5)
        add_mark(words, reply, MARK_NAME, 26)
        total += put_consumer(words, reply, consumer)
        add_field(words, reply, 27, words[consumer + SEEN])
        add_field(words, reply, 28, words[consumer + ACTIVE])
        add_field(words, reply, 29, words[consumer + CONSUMER_PENDING_COUNT])
        add_mark(words, reply, MARK_NAME, 30)
        text_at, text_end, total = put_full_pending(
            words, octets, reply, consumer + CONSUMER_PENDING, most, False, text_at, text_end, total
        )
        if text_at < 0:
            return text_at, text_end, total
    return text_at, text_end, total


@outlined
def put_full_pending(words, octets, reply, tree, most, with_consumer, text_at, text_end, total):
    """Add the first pending entries of a tree, at most `most` (0: any number); return as `put_id` does."""
    place = reply + 2 + 2 * words[reply + 1]
    add_mark(words, reply, MARK_ARRAY, 0)
    count = 0
    leaf, i = groups.first(words, octets, tree)
    while leaf and (most == 0 or count < most):
        if words[reply + 1] + FULL_PENDING_ITEMS > words[REPLY_ITEMS_MAX]:
            return entry_replies.FULL_REPLY, text_end, total
        found = groups.at_leaf(words, leaf, i)
        ms, seq = groups.id_of(words, octets, found)
        add_mark(words, reply, MARK_ARRAY, 4 if with_consumer else 3)
        text_at, text_end, total = entry_replies.put_id(words, octets, reply, ms, seq, text_at, text_end, total)
        if text_at < 0:
            break
        if with_consumer:
            total += put_consumer(words, reply, words[found + CONSUMER])
        add_number(words, reply, words[found + TIME])
        add_number(words, reply, words[found + DELIVERIES])
        count += 1
        leaf, i = trees.following(words, leaf, i)
    words[place] = count
    return text_at, text_end, total


@kernel
def groups_of(words, octets, tape, now, reply):
    """Describe the groups of a stream (XINFO GROUPS)."""
    refusal, ref = described(words, octets, tape, slots.XSTREAM_INFO_GROUPS_KEY, now)
    if refusal:
        return refusal
    root = keyspace.root_of(words, ref)
    count = words[root + GROUPS_COUNT]
    if not fits(words, 1 + count * GROUP_ITEMS, 0):
        return FULL
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, count)
    text_at = text_end = total = 0
    for j in range(count):
        group = names.record_at(words, root + GROUPS, j)
        add_mark(words, reply, MARK_MAP, 6)
        add_mark(words, reply, MARK_NAME, 0)
        size = words[group + names.NAME_SIZE]
        add_text(words, reply, names.name_at(group, GROUP_WORDS), size, 0)
        total += size
        add_field(words, reply, 1, words[group + CONSUMERS + names.COUNT])
        add_field(words, reply, 2, words[group + GROUP_PENDING_COUNT])
        ms, seq = words[group + GROUP_LAST_MS], words[group + GROUP_LAST_SEQ]
        text_at, text_end, total = put_named_id(words, octets, reply, 3, ms, seq, text_at, text_end, total)
        if text_at == NO_MEMORY:
            return refusal_of(text_at)
        put_number_or_nil(words, reply, 4, words[group + READ], UNKNOWN)
        put_number_or_nil(words, reply, 5, groups.lag_of(words, octets, root, group), groups.UNKNOWN_LAG)
    return ITEM if fits(words, words[reply + 1], total) else FULL


@kernel
def consumers_of(words, octets, tape, now, reply):
    """Describe the consumers of a group (XINFO CONSUMERS)."""
    refusal, ref = described(words, octets, tape, slots.XSTREAM_INFO_CONSUMERS_KEY, now)
    if refusal:
        return refusal
    _, group = group_of(words, octets, tape, ref, slots.XSTREAM_INFO_CONSUMERS_GROUP)
    if group == 0:
        key, name = slots.XSTREAM_INFO_CONSUMERS_KEY, slots.XSTREAM_INFO_CONSUMERS_GROUP
        return no_group(words, octets, reply, tape, name, key, NO_GROUP_OF_KEY)
    count = words[group + CONSUMERS + names.COUNT]
    if not fits(words, 1 + count * CONSUMER_ITEMS, 0):
        return FULL
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, count)
    total = 0
    for j in range(count):
        consumer = names.record_at(words, group + CONSUMERS, j)
        add_mark(words, reply, MARK_MAP, 4)
        add_mark(words, reply, MARK_NAME, 0)
        total += put_consumer(words, reply, consumer)
        add_field(words, reply, 1, words[consumer + CONSUMER_PENDING_COUNT])
        add_field(words, reply, 2, max(now - words[consumer + SEEN], 0))
        active = words[consumer + ACTIVE]
        add_field(words, reply, 3, NEVER if active == NEVER else max(now - active, 0))
    return ITEM if fits(words, words[reply + 1], total) else FULL
