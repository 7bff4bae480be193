"""Rows about ranges of a sorted set: by position, by score, by text.

A range by score or text is a range of positions: those of its two ends are counted by two searches in the tree. So
every row here ends with a walk over `count` members from a position on, or needs none.
"""

import numpy as np

from synap.compiler.jit import kernel, outlined
from synap.kernels.integers import parse_integer
from synap.kernels.reals import parse_real
from synap.store.kinds.zsets import members
from synap.store.memory.kinds import ZSET
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    EMPTY,
    FULL,
    ITEM,
    ITEMS,
    KEY_HITS,
    KEY_MISSES,
    MARK_PAIR,
    MARK_PAIRS,
    NUMBER,
    REPLY_ITEMS_MAX,
)
from synap.store.memory.refusals import (
    BAD_SCORE_RANGE,
    BAD_TEXT_RANGE,
    LIMIT_OF_RANKS,
    NOT_AN_INTEGER,
    SCORES_OF_TEXTS,
    WRONG_TYPE,
)
from synap.store.memory.tapes import add_mark, add_real, add_text, fits, set_scalar, text_at, text_size
from synap.store.records import key_access, keyspace
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.records.trees import HIGHEST, LOWEST
from synap.store.slots import zsets as slots

BY_RANK, BY_SCORE, BY_TEXT = range(3)
_MINUS, _PLUS, _ROUND, _SQUARE, _SPACE = 45, 43, 40, 91, 32


@kernel
def score_bound(words, octets, tape, slot, upper):
    """Read an end of a range by score, `5` or `(5`; return (score, LOWEST or HIGHEST, ok).

    The members before that score, with a text before or behind all others in place of a member, lie below the end.
    """
    at, size = text_at(words, tape, slot), text_size(words, tape, slot)
    beyond = size > 0 and octets[at] == _ROUND
    if beyond:
        at += 1
        size -= 1
    side = LOWEST if beyond == upper else HIGHEST
    if size == 0:
        return 0.0, side, True
    while size > 1 and (octets[at] == _SPACE or 9 <= octets[at] <= 13):  # as `strtod` does
        at += 1
        size -= 1
    score, ok = parse_real(octets, at, size)
    return score, side, ok


@kernel
def text_bound(words, octets, tape, slot, upper):
    """Read an end of a range by text, `[a`, `(a`, `-` or `+`; return (octet, size, equal, ok).

    The members before that text (`equal`: or with it) lie below the end.
    """
    at, size = text_at(words, tape, slot), text_size(words, tape, slot)
    if size == 1 and octets[at] == _MINUS:
        return at, LOWEST, 0, True
    if size == 1 and octets[at] == _PLUS:
        return at, HIGHEST, 0, True
    beyond = size > 0 and octets[at] == _ROUND
    ok = beyond or (size > 0 and octets[at] == _SQUARE)
    return at + 1, size - 1, 0 if beyond == upper else 1, ok


@kernel
def ranks(count, start, stop):
    """Return (first position, number of members) of a range by position; negative ones count from the end."""
    if start < 0:
        start = max(start + count, 0)
    if stop < 0:
        stop += count
    stop = min(stop, count - 1)
    return start, stop - start + 1 if start <= stop else 0  # the difference of any two integers may not fit


@outlined
def opened(words, octets, tape, key, low, high, by, now, reading):
    """Read the ends of a range, in slots `low` and `high`, and open its sorted set.

    Return (refusal, hash, seat, record, first position, number of members). As in Redis the ends are refused before the
    key is looked up. Without a record there are no members. `reading`: count a keyspace hit or miss.
    """
    low_score = high_score = 0.0
    low_at = high_at = low_size = high_size = low_equal = high_equal = start = stop = np.int64(0)
    if by == BY_SCORE:
        low_score, low_size, one = score_bound(words, octets, tape, low, False)
        high_score, high_size, other = score_bound(words, octets, tape, high, True)
        refusal = BAD_SCORE_RANGE
    elif by == BY_TEXT:
        low_at, low_size, low_equal, one = text_bound(words, octets, tape, low, False)
        high_at, high_size, high_equal, other = text_bound(words, octets, tape, high, True)
        refusal = BAD_TEXT_RANGE
    else:
        start, one = parse_integer(octets, text_at(words, tape, low), text_size(words, tape, low))
        stop, other = parse_integer(octets, text_at(words, tape, high), text_size(words, tape, high))
        refusal = NOT_AN_INTEGER
    if not one or not other:
        return refusal, 0, 0, 0, 0, 0
    h, seat, ref = key_access.open_key(words, octets, tape, key, ZSET, now)
    if reading:
        words[KEY_MISSES if ref == MISSING else KEY_HITS] += 1
    if ref == OTHER_KIND:
        return WRONG_TYPE, 0, 0, 0, 0, 0
    if ref == MISSING:
        return 0, h, seat, 0, 0, 0
    root = keyspace.root_of(words, ref)
    if by == BY_SCORE:
        first = members.rank(words, octets, root, low_score, 0, low_size, 0)
        count = members.rank(words, octets, root, high_score, 0, high_size, 0) - first
    elif by == BY_TEXT:
        first = members.rank_of_text(words, octets, root, low_at, low_size, low_equal)
        count = members.rank_of_text(words, octets, root, high_at, high_size, high_equal) - first
    else:
        first, count = ranks(members.count_of(words, root), start, stop)
    return 0, h, seat, ref, first, max(count, 0)


@kernel
def limited(first, count, backwards, offset, limit):
    """Return (first position, number) of the members that LIMIT leaves of a range; a negative limit leaves all."""
    if offset < 0:
        return first, 0
    offset = min(offset, count)
    left = count - offset
    if limit >= 0:
        left = min(left, limit)
    return first + (count - offset - left if backwards else offset), left


@outlined
def put_members(words, octets, reply, root, first, count, backwards, with_scores, mark):
    """Add `count` members from a position on to the reply, also from the last to the first.

    `with_scores`: each with its score; `mark`: the mark before both, or 0. Return the bytes of the members.
    """
    leaf, i = members.seek(words, octets, root, first)
    stride = 1 + with_scores + (1 if mark else 0)
    begin = words[reply + 1]
    total = 0
    for number in range(count):
        start, size, form, score = members.read(words, octets, leaf, i)
        words[reply + 1] = begin + stride * (count - 1 - number if backwards else number)
        if mark:
            add_mark(words, reply, mark, 2)
        add_text(words, reply, start, size, form)
        if with_scores:
            add_real(words, reply, score)
        total += size
        leaf, i = members.following(words, octets, leaf, i)
    words[reply + 1] = begin + stride * count
    return total


@kernel
def put_range(words, octets, reply, root, first, count, backwards, with_scores):
    """Make `count` members from a position on the reply; return the status."""
    if count == 0:
        return EMPTY
    items = 1 + 3 * count if with_scores else count
    if items > words[REPLY_ITEMS_MAX]:
        fits(words, items, members.bytes_of(words, root))
        return FULL
    set_scalar(words, reply, 0)
    if with_scores:
        add_mark(words, reply, MARK_PAIRS, count)
    mark = MARK_PAIR if with_scores else 0
    total = put_members(words, octets, reply, root, first, count, backwards, with_scores, mark)
    if not fits(words, items, total):
        return FULL
    return ITEM if with_scores else ITEMS


@kernel
def ranged(words, octets, tape, now, reply, by, backwards, with_scores, has_limit, offset, limit):
    """Reply with the members of a range (ZRANGE and its older forms, whose tapes are alike)."""
    if has_limit and limit != -1 and by == BY_RANK:
        return LIMIT_OF_RANKS
    if with_scores and by == BY_TEXT:
        return SCORES_OF_TEXTS
    low, high = slots.ZSET_RANGE_START, slots.ZSET_RANGE_STOP
    if backwards and by != BY_RANK:
        low, high = high, low
    refusal, _, _, ref, first, count = opened(words, octets, tape, slots.ZSET_RANGE_KEY, low, high, by, now, True)
    if refusal:
        return refusal
    if ref == MISSING:
        return EMPTY
    root = keyspace.root_of(words, ref)
    if backwards and by == BY_RANK:
        first = members.count_of(words, root) - first - count
    if has_limit and by != BY_RANK:
        first, count = limited(first, count, backwards, offset, limit)
    return put_range(words, octets, reply, root, first, count, backwards, with_scores)


@kernel
def span(words, octets, tape, now, reply):
    """Reply with the members of a range by position, score or text, in either direction (ZRANGE)."""
    return ranged(
        words, octets, tape, now, reply, words[tape + slots.ZSET_RANGE_BY], words[tape + slots.ZSET_RANGE_DIRECTION],
        words[tape + slots.ZSET_RANGE_WITHSCORES], words[tape + slots.ZSET_RANGE_HAS_LIMIT],
        words[tape + slots.ZSET_RANGE_OFFSET], words[tape + slots.ZSET_RANGE_COUNT],
    )  # fmt: skip


@kernel
def older(words, octets, tape, now, reply, by, backwards):
    """Reply with the members of a range whose row says of which kind it is, and in which direction."""
    return ranged(
        words, octets, tape, now, reply, by, backwards, words[tape + slots.ZSET_REVRANGE_WITHSCORES],
        words[tape + slots.ZSET_REVRANGE_HAS_LIMIT], words[tape + slots.ZSET_REVRANGE_OFFSET],
        words[tape + slots.ZSET_REVRANGE_COUNT],
    )  # fmt: skip


@kernel
def span_backwards(words, octets, tape, now, reply):
    """Reply with a range by position, the highest score first (ZREVRANGE)."""
    return older(words, octets, tape, now, reply, BY_RANK, True)


@kernel
def by_score(words, octets, tape, now, reply):
    """Reply with a range by score (ZRANGEBYSCORE)."""
    return older(words, octets, tape, now, reply, BY_SCORE, False)


@kernel
def by_score_backwards(words, octets, tape, now, reply):
    """Reply with a range by score, the highest first (ZREVRANGEBYSCORE)."""
    return older(words, octets, tape, now, reply, BY_SCORE, True)


@kernel
def by_text(words, octets, tape, now, reply):
    """Reply with a range by text, for members of the same score (ZRANGEBYLEX)."""
    return older(words, octets, tape, now, reply, BY_TEXT, False)


@kernel
def by_text_backwards(words, octets, tape, now, reply):
    """Reply with a range by text, the last first (ZREVRANGEBYLEX)."""
    return older(words, octets, tape, now, reply, BY_TEXT, True)


@kernel
def counted(words, octets, tape, now, reply, by):
    """Reply with the number of members in a range."""
    refusal, _, _, _, _, count = opened(
        words, octets, tape, slots.ZSET_COUNT_KEY, slots.ZSET_COUNT_MIN, slots.ZSET_COUNT_MAX, by, now, True
    )  # fmt: skip
    set_scalar(words, reply, count)
    return refusal if refusal else NUMBER


@kernel
def count_by_score(words, octets, tape, now, reply):
    """Reply with the number of members in a range by score (ZCOUNT)."""
    return counted(words, octets, tape, now, reply, BY_SCORE)


@kernel
def count_by_text(words, octets, tape, now, reply):
    """Reply with the number of members in a range by text (ZLEXCOUNT)."""
    return counted(words, octets, tape, now, reply, BY_TEXT)


@kernel
def removed(words, octets, tape, now, reply, by):
    """Remove the members of a range; reply with how many there were."""
    refusal, h, seat, ref, first, count = opened(
        words, octets, tape, slots.ZSET_REMOVE_RANKS_KEY, slots.ZSET_REMOVE_RANKS_START,
        slots.ZSET_REMOVE_RANKS_STOP, by, now, False,
    )  # fmt: skip
    if refusal:
        return refusal
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
    """Remove a range by position (ZREMRANGEBYRANK)."""
    return removed(words, octets, tape, now, reply, BY_RANK)


@kernel
def remove_scores(words, octets, tape, now, reply):
    """Remove a range by score (ZREMRANGEBYSCORE)."""
    return removed(words, octets, tape, now, reply, BY_SCORE)


@kernel
def remove_texts(words, octets, tape, now, reply):
    """Remove a range by text (ZREMRANGEBYLEX)."""
    return removed(words, octets, tape, now, reply, BY_TEXT)
