"""Rows that only the JSON surfaces have: one member at a time, numbers in place of texts, members with scores."""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import real_of
from synap.store.kinds.zsets import members, zsets
from synap.store.kinds.zsets.zset_pops import MAX, MIN, pop
from synap.store.kinds.zsets.zset_ranges import put_members, ranks
from synap.store.kinds.zsets.zsets import ADDED, GT_LT, NX, NX_XX, UPDATED, WITHOUT_MEMORY, XX
from synap.store.memory.kinds import ZSET
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DONE,
    EMPTY,
    FULL,
    ITEM,
    ITEMS,
    MARK_ARRAY,
    NUMBER,
    REPLY_ITEMS_MAX,
)
from synap.store.memory.refusals import BAD_ORDER_OPTIONS, CONFLICT_NX_XX, POSITIVE_COUNT, SCORE_NAN, WRONG_TYPE
from synap.store.memory.tapes import add_mark, add_number, fits, set_scalar, text_at, text_mark, text_size
from synap.store.records import key_access, keyspace
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.records.trees import HIGHEST, LOWEST
from synap.store.slots import zsets as slots


@kernel
def add_one(words, octets, tape, now, reply):
    """Add a member or change its score; reply with how many were added, and with `ch` how many were changed."""
    when = words[tape + slots.ZSET_ZADD_WHEN]
    compare = words[tape + slots.ZSET_ZADD_COMPARE]
    increment = words[tape + slots.ZSET_ZADD_INCR]
    count_changed = words[tape + slots.ZSET_ZADD_CH]
    if when == NX_XX:
        return CONFLICT_NX_XX
    if compare == GT_LT or (when == NX and compare):
        return BAD_ORDER_OPTIONS
    key, member = slots.ZSET_ZADD_KEY, slots.ZSET_ZADD_MEMBER
    score = real_of(words[tape + slots.ZSET_ZADD_SCORE])
    start, size = text_at(words, tape, member), text_size(words, tape, member)
    h, _, ref = key_access.open_key(words, octets, tape, key, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref and increment and zsets.sum_is_nan(words, octets, keyspace.root_of(words, ref), start, size, score):
        return SCORE_NAN
    done = zsets.IGNORED
    if ref or when != XX:
        ref = key_access.claim(words, octets, tape, key, h, ZSET, now)
        if ref == 0:
            return BROKEN
        root = keyspace.root_of(words, ref)
        if not members.expect(words, octets, root, 1, size):
            return BROKEN
        mark = text_mark(words, tape, member)
        done, _ = zsets.put(words, octets, root, start, size, mark, score, when, compare, increment != 0)
    if done == WITHOUT_MEMORY:
        return BROKEN
    set_scalar(words, reply, 0)
    add_number(words, reply, 1 if done == ADDED and not count_changed else 0)
    add_number(words, reply, 1 if count_changed and (done == ADDED or done == UPDATED) else 0)
    if done != ADDED and done != UPDATED:
        return ITEMS
    keyspace.touched(words, octets, h)
    return ITEMS | CHANGED


@kernel
def score_ends(words, tape):
    """Return (lowest, highest score) of the arguments min and max of a row."""
    low = real_of(words[tape + slots.ZSET_ZCOUNT_MIN]) if words[tape + slots.ZSET_ZCOUNT_HAS_MIN] else -np.inf
    high = real_of(words[tape + slots.ZSET_ZCOUNT_MAX]) if words[tape + slots.ZSET_ZCOUNT_HAS_MAX] else np.inf
    return low, high


@kernel
def ranks_of(words, octets, root, low, high):
    """Return (first position, number of members) of a range by score."""
    first = members.rank(words, octets, root, low, 0, LOWEST, 0)
    return first, max(members.rank(words, octets, root, high, 0, HIGHEST, 0) - first, 0)


@kernel
def put_scored(words, octets, reply, root, first, count, backwards):
    """Make `count` members from a position on the reply, each with its score; return the status."""
    if count == 0:
        return EMPTY
    items = 1 + 3 * count
    if items > words[REPLY_ITEMS_MAX]:
        fits(words, items, members.bytes_of(words, root))
        return FULL
    set_scalar(words, reply, count)
    add_mark(words, reply, MARK_ARRAY, count)
    total = put_members(words, octets, reply, root, first, count, backwards, 1, MARK_ARRAY)
    return ITEM if fits(words, items, total) else FULL


@kernel
def spanned(words, octets, tape, now, reply, backwards):
    """Reply with a range by position."""
    ref = key_access.find(words, octets, tape, slots.ZSET_ZRANGE_KEY, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref == MISSING:
        return EMPTY
    root = keyspace.root_of(words, ref)
    have = members.count_of(words, root)
    first, count = ranks(have, words[tape + slots.ZSET_ZRANGE_START], words[tape + slots.ZSET_ZRANGE_STOP])
    if backwards:
        first = have - first - count
    return put_scored(words, octets, reply, root, first, count, backwards)


@kernel
def span(words, octets, tape, now, reply):
    """Reply with a range by position, the lowest score first."""
    return spanned(words, octets, tape, now, reply, False)


@kernel
def span_backwards(words, octets, tape, now, reply):
    """Reply with a range by position, the highest score first."""
    return spanned(words, octets, tape, now, reply, True)


@kernel
def by_score(words, octets, tape, now, reply):
    """Reply with a range by score, both ends included."""
    ref = key_access.find(words, octets, tape, slots.ZSET_ZRANGEBYSCORE_KEY, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref == MISSING:
        return EMPTY
    root = keyspace.root_of(words, ref)
    low, high = score_ends(words, tape)
    first, count = ranks_of(words, octets, root, low, high)
    return put_scored(words, octets, reply, root, first, count, False)


@kernel
def count_by_score(words, octets, tape, now, reply):
    """Reply with the number of members in a range by score, both ends included."""
    ref = key_access.find(words, octets, tape, slots.ZSET_ZCOUNT_KEY, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, 0)
    if ref:
        low, high = score_ends(words, tape)
        words[reply] = ranks_of(words, octets, keyspace.root_of(words, ref), low, high)[1]
    return NUMBER


@kernel
def popped(words, octets, tape, now, reply, end):
    """Remove and return up to a count of members at one end."""
    wanted = words[tape + slots.ZSET_ZPOPMIN_COUNT]
    if wanted < 0:
        return POSITIVE_COUNT
    key = slots.ZSET_ZPOPMIN_KEY
    h, seat, ref = key_access.open_key(words, octets, tape, key, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, 0)
    if ref == MISSING or wanted == 0:
        return EMPTY
    count = min(wanted, members.count_of(words, keyspace.root_of(words, ref)))
    status = pop(words, octets, reply, tape, key, h, seat, ref, end, count, False, MARK_ARRAY, MARK_ARRAY)
    if status != DONE:
        return status
    words[reply] = count
    return ITEM | CHANGED


@kernel
def pop_min(words, octets, tape, now, reply):
    """Remove and return members with the lowest scores."""
    return popped(words, octets, tape, now, reply, MIN)


@kernel
def pop_max(words, octets, tape, now, reply):
    """Remove and return members with the highest scores."""
    return popped(words, octets, tape, now, reply, MAX)


@kernel
def removed(words, octets, reply, h, seat, ref, first, count):
    """Remove members of an open sorted set; reply with how many there were."""
    set_scalar(words, reply, count)
    if count == 0:
        return NUMBER
    root = keyspace.root_of(words, ref)
    left = members.count_of(words, root) - count
    if left and not members.drop_range(words, octets, root, first, count, False):
        return BROKEN
    key_access.shrunk(words, octets, h, seat, left)
    return NUMBER | CHANGED


@kernel
def remove_ranks(words, octets, tape, now, reply):
    """Remove a range by position."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.ZSET_ZREMRANGEBYRANK_KEY, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    first = count = np.int64(0)
    if ref:
        start = words[tape + slots.ZSET_ZREMRANGEBYRANK_START]
        stop = words[tape + slots.ZSET_ZREMRANGEBYRANK_STOP]
        first, count = ranks(members.count_of(words, keyspace.root_of(words, ref)), start, stop)
    return removed(words, octets, reply, h, seat, ref, first, count)


@kernel
def remove_scores(words, octets, tape, now, reply):
    """Remove a range by score, both ends included."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.ZSET_ZREMRANGEBYSCORE_KEY, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    first = count = np.int64(0)
    if ref:
        low, high = score_ends(words, tape)
        first, count = ranks_of(words, octets, keyspace.root_of(words, ref), low, high)
    return removed(words, octets, reply, h, seat, ref, first, count)
