"""Rows that remove and return the first or the last members: ZPOPMIN, ZPOPMAX, ZMPOP, and those that wait."""

from synap.compiler.jit import kernel
from synap.store.kinds.zsets import members
from synap.store.kinds.zsets.zset_ranges import put_members
from synap.store.memory.kinds import ZSET
from synap.store.memory.layout import (
    CHANGED,
    DONE,
    EMPTY,
    FULL,
    ITEM,
    ITEMS,
    MARK_ARRAY,
    MARK_PAIR,
    MARK_PAIRS,
    NIL,
    NOTHING_READY,
    REPLY_ITEMS_MAX,
    WAIT,
)
from synap.store.memory.refusals import COUNT_BELOW_ONE, OUT_OF_MEMORY, POSITIVE_COUNT, WRONG_TYPE
from synap.store.memory.tapes import add_mark, add_text, first_item, fits, set_scalar, text_at, text_size
from synap.store.records import key_access, keyspace
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import zsets as slots

MIN, MAX = 1, 2  # which end


@kernel
def take(words, octets, h, seat, ref, first, count):
    """Remove members that the reply names, and the key with its last one; return False without memory."""
    root = keyspace.root_of(words, ref)
    left = members.count_of(words, root) - count
    if left and not members.drop_range(words, octets, root, first, count, True):
        return False
    key_access.shrunk(words, octets, h, seat, left)
    return True


@kernel
def pop(words, octets, reply, tape, key, h, seat, ref, end, count, with_key, group, mark):
    """Remove `count` members at one end and reply with them; return DONE, FULL or OUT_OF_MEMORY.

    The reply has the key in slot `key` of the tape if `with_key` says so, and a mark `group` before the members if it
    is not 0; see `put_members` for `mark`.
    """
    root = keyspace.root_of(words, ref)
    items = 4 + 3 * count
    size = text_size(words, tape, key) if with_key else 0
    if items > words[REPLY_ITEMS_MAX]:
        fits(words, items, size + members.bytes_of(words, root))
        return FULL
    first = members.count_of(words, root) - count if end == MAX else 0
    set_scalar(words, reply, 0)
    if with_key and group:
        add_mark(words, reply, MARK_ARRAY, 2)
    if with_key:
        add_text(words, reply, text_at(words, tape, key), size, 0)
    if group:
        add_mark(words, reply, group, count)
    total = put_members(words, octets, reply, root, first, count, end == MAX, 1, mark)
    if not fits(words, items, size + total):
        return FULL
    return DONE if take(words, octets, h, seat, ref, first, count) else OUT_OF_MEMORY


@kernel
def popped(words, octets, tape, now, reply, end):
    """Remove and return the member at one end, or up to a count of them as pairs if there is one."""
    has_count = words[tape + slots.ZSET_POPMIN_HAS_COUNT]
    wanted = words[tape + slots.ZSET_POPMIN_COUNT] if has_count else 1
    if wanted < 0:
        return POSITIVE_COUNT
    key = slots.ZSET_POPMIN_KEY
    h, seat, ref = key_access.open_key(words, octets, tape, key, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref == MISSING or wanted == 0:
        return EMPTY
    count = min(wanted, members.count_of(words, keyspace.root_of(words, ref)))
    group, mark = (MARK_PAIRS, MARK_PAIR) if has_count else (0, 0)
    status = pop(words, octets, reply, tape, key, h, seat, ref, end, count, False, group, mark)
    if status != DONE:
        return status
    return (ITEM if has_count else ITEMS) | CHANGED


@kernel
def pop_min(words, octets, tape, now, reply):
    """Remove and return members with the lowest scores (ZPOPMIN)."""
    return popped(words, octets, tape, now, reply, MIN)


@kernel
def pop_max(words, octets, tape, now, reply):
    """Remove and return members with the highest scores (ZPOPMAX)."""
    return popped(words, octets, tape, now, reply, MAX)


@kernel
def popped_or_wait(words, octets, tape, now, reply, keys, end):
    """Remove the member at one end of the first sorted set; reply with key, member and score, or return WAIT."""
    first = first_item(words, tape, keys) + slots.ZSET_BPOPMIN_KEYS_KEY
    stride = slots.ZSET_BPOPMIN_KEYS_STRIDE
    key, h, seat, ref = key_access.first_of_kind(words, octets, tape, first, stride, words[tape + keys], ZSET, now)
    if ref == MISSING:
        return WAIT | NOTHING_READY
    if ref == OTHER_KIND:
        return WRONG_TYPE
    status = pop(words, octets, reply, tape, key, h, seat, ref, end, 1, True, 0, 0)
    return ITEMS | CHANGED if status == DONE else status


@kernel
def pop_min_wait(words, octets, tape, now, reply):
    """Remove and return the member with the lowest score of the first sorted set, or wait for one (BZPOPMIN)."""
    return popped_or_wait(words, octets, tape, now, reply, slots.ZSET_BPOPMIN_KEYS, MIN)


@kernel
def pop_max_wait(words, octets, tape, now, reply):
    """Remove and return the member with the highest score of the first sorted set, or wait for one (BZPOPMAX)."""
    return popped_or_wait(words, octets, tape, now, reply, slots.ZSET_BPOPMAX_KEYS, MAX)


@kernel
def popped_of_many(words, octets, tape, now, reply, keys, end, has_count, count):
    """Remove up to a count of members at one end of the first sorted set; reply with key and members, or WAIT."""
    wanted = count if has_count else 1
    if wanted < 1:
        return COUNT_BELOW_ONE
    first = first_item(words, tape, keys) + slots.ZSET_MPOP_KEYS_KEY
    stride = slots.ZSET_MPOP_KEYS_STRIDE
    key, h, seat, ref = key_access.first_of_kind(words, octets, tape, first, stride, words[tape + keys], ZSET, now)
    if ref == MISSING:
        return WAIT | NOTHING_READY
    if ref == OTHER_KIND:
        return WRONG_TYPE
    wanted = min(wanted, members.count_of(words, keyspace.root_of(words, ref)))
    status = pop(words, octets, reply, tape, key, h, seat, ref, end, wanted, True, MARK_ARRAY, MARK_ARRAY)
    return ITEM | CHANGED if status == DONE else status


@kernel
def pop_of_many(words, octets, tape, now, reply):
    """Remove and return members of the first sorted set, or reply with NIL (ZMPOP)."""
    status = popped_of_many(
        words, octets, tape, now, reply, slots.ZSET_MPOP_KEYS, words[tape + slots.ZSET_MPOP_END],
        words[tape + slots.ZSET_MPOP_HOW_MANY], words[tape + slots.ZSET_MPOP_COUNT],
    )  # fmt: skip
    return NIL if status == WAIT | NOTHING_READY else status


@kernel
def pop_of_many_wait(words, octets, tape, now, reply):
    """Remove and return members of the first sorted set, or wait for one (BZMPOP)."""
    return popped_of_many(
        words, octets, tape, now, reply, slots.ZSET_BMPOP_KEYS, words[tape + slots.ZSET_BMPOP_END],
        words[tape + slots.ZSET_BMPOP_HOW_MANY], words[tape + slots.ZSET_BMPOP_COUNT],
    )  # fmt: skip
