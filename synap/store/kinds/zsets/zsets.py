"""Rows of sorted sets that name members: ZADD, ZINCRBY, ZREM, ZSCORE, ZMSCORE, ZCARD, ZRANK, ZREVRANK.

Members are equal if their bytes are equal, whatever their form. Scores are float64 and never NaN.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import real_of
from synap.store.kinds.zsets import members
from synap.store.memory.kinds import ZSET
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    FULL,
    ITEM,
    ITEMS,
    NIL,
    NO_ITEM,
    NUMBER,
    UNREADABLE,
)
from synap.store.memory.refusals import (
    BAD_ORDER_OPTIONS,
    CONFLICT_NX_XX,
    KEY_EXISTS,
    NOT_A_REAL,
    ONE_INCREMENT,
    SCORE_NAN,
    WRONG_TYPE,
)
from synap.store.memory.tapes import (
    add_nil,
    add_number,
    add_real,
    first_item,
    fits,
    set_scalar,
    text_at,
    text_mark,
    text_size,
)
from synap.store.records import key_access, keyspace, pieces
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import zsets as slots

NX, XX, NX_XX = slots.ZSET_ADD_WHEN_IS_NX, slots.ZSET_ADD_WHEN_IS_XX, slots.ZSET_ADD_WHEN_IS_BOTH
GT, LT, GT_LT = slots.ZSET_ADD_COMPARE_IS_GT, slots.ZSET_ADD_COMPARE_IS_LT, slots.ZSET_ADD_COMPARE_IS_BOTH
IGNORED, SAME, UPDATED, ADDED, WITHOUT_MEMORY = range(5)


@kernel
def put(words, octets, root, start, size, mark, score, when, compare, increment):
    """Add a member or change its score, as the options of ZADD say; return (what happened, the score now).

    The sum of an increment must not be NaN.
    """
    spot = members.locate(words, octets, root, start, size)
    if spot == 0:
        if when == XX:
            return IGNORED, score
        done = members.add(words, octets, root, start, size, mark, score)
        return ADDED if done else WITHOUT_MEMORY, score
    if when == NX:
        return IGNORED, score
    old = members.score_at(words, octets, root, spot)
    if increment:
        score += old
    if (compare == GT and score <= old) or (compare == LT and score >= old):
        return IGNORED, score
    if score == old:
        return SAME, old
    done = members.rescore(words, octets, root, spot, start, size, score)
    return UPDATED if done else WITHOUT_MEMORY, score


@kernel
def sum_is_nan(words, octets, root, start, size, amount):
    """Return True if a member has an infinite score to which an infinite amount of the other sign is to be added."""
    spot = members.locate(words, octets, root, start, size)
    if spot == 0:
        return False
    total = members.score_at(words, octets, root, spot) + amount
    return total != total


@kernel
def increase(words, octets, tape, now, reply, key, member, amount, when, compare):
    """Add an amount to the score of one member; reply with the score, or NIL if the options forbid it."""
    h, _, ref = key_access.open_key(words, octets, tape, key, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    start, size = text_at(words, tape, member), text_size(words, tape, member)
    if ref and sum_is_nan(words, octets, keyspace.root_of(words, ref), start, size, amount):
        return SCORE_NAN
    if ref == MISSING:
        if when == XX:
            return NIL
        ref = key_access.claim(words, octets, tape, key, h, ZSET, now)
        if ref == 0:
            return BROKEN
    root = keyspace.root_of(words, ref)
    if not members.expect(words, octets, root, 1, size):
        return BROKEN
    done, score = put(
        words, octets, root, start, size, text_mark(words, tape, member), amount, when, compare, True
    )  # fmt: skip
    if done == WITHOUT_MEMORY:
        return BROKEN
    if done == IGNORED:
        return NIL
    set_scalar(words, reply, 0)
    add_real(words, reply, score)
    if done == SAME:
        return ITEM
    keyspace.touched(words, octets, h)
    return ITEM | CHANGED


@kernel
def put_many(words, octets, tape, now, reply, pairs, when, compare, count_changed):
    """Put the members of the group in slot `pairs` into a sorted set; reply with how many were new (or changed)."""
    h = keyspace.hash_text(words, octets, tape, slots.ZSET_ADD_KEY)
    if when == XX:
        _, _, ref = key_access.open_key(words, octets, tape, slots.ZSET_ADD_KEY, ZSET, now)
        if ref == MISSING:
            set_scalar(words, reply, 0)
            return NUMBER
    else:
        ref = key_access.claim(words, octets, tape, slots.ZSET_ADD_KEY, h, ZSET, now)
        if ref == MISSING:
            return BROKEN
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    count = words[tape + pairs]
    pair = first_item(words, tape, pairs)
    if not members.expect(words, octets, root, count, text_size(words, tape, pair + slots.ZSET_ADD_PAIRS_MEMBER)):
        return BROKEN
    added = updated = 0
    for _ in range(count):
        member = pair + slots.ZSET_ADD_PAIRS_MEMBER
        done, _ = put(
            words, octets, root, text_at(words, tape, member), text_size(words, tape, member),
            text_mark(words, tape, member), real_of(words[tape + pair + slots.ZSET_ADD_PAIRS_SCORE]), when, compare,
            False,
        )  # fmt: skip
        if done == WITHOUT_MEMORY:
            return BROKEN
        added += done == ADDED
        updated += done == UPDATED
        pair += slots.ZSET_ADD_PAIRS_STRIDE
    set_scalar(words, reply, added + updated if count_changed else added)
    if added + updated == 0:
        return NUMBER
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def add(words, octets, tape, now, reply):
    """Add members with their scores, or change the scores of members (ZADD)."""
    when = words[tape + slots.ZSET_ADD_WHEN]
    compare = words[tape + slots.ZSET_ADD_COMPARE]
    increment = words[tape + slots.ZSET_ADD_INCR]
    if when & NX_XX == NX_XX:
        return CONFLICT_NX_XX
    if compare == GT_LT or (when & NX and compare):
        return BAD_ORDER_OPTIONS
    if increment and words[tape + slots.ZSET_ADD_PAIRS] > 1:
        return ONE_INCREMENT
    if when & UNREADABLE:
        return NOT_A_REAL
    if increment:
        pair = first_item(words, tape, slots.ZSET_ADD_PAIRS)
        amount = real_of(words[tape + pair + slots.ZSET_ADD_PAIRS_SCORE])
        return increase(
            words, octets, tape, now, reply, slots.ZSET_ADD_KEY, pair + slots.ZSET_ADD_PAIRS_MEMBER, amount, when,
            compare,
        )  # fmt: skip
    return put_many(
        words, octets, tape, now, reply, slots.ZSET_ADD_PAIRS, when, compare, words[tape + slots.ZSET_ADD_CH]
    )


@kernel
def increment(words, octets, tape, now, reply):
    """Add an amount to the score of a member; reply with the new score (ZINCRBY)."""
    amount = real_of(words[tape + slots.ZSET_INCREMENT_INCREMENT])
    return increase(
        words, octets, tape, now, reply, slots.ZSET_INCREMENT_KEY, slots.ZSET_INCREMENT_MEMBER, amount, 0, 0
    )


@kernel
def load(words, octets, tape, now, reply):
    """Load a piece of a sorted set from a snapshot: key, deadline, more (0: the first piece), scores and members."""
    if not pieces.follows(words, octets, tape):
        return KEY_EXISTS
    status = put_many(words, octets, tape, -1, reply, slots.ZSET_LOAD_PAIRS, 0, 0, True)
    return pieces.loaded(words, octets, tape, status)


@kernel
def remove(words, octets, tape, now, reply):
    """Remove members; reply with how many were there (ZREM). The key is removed with its last member."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.ZSET_REMOVE_KEY, ZSET, now)
    set_scalar(words, reply, 0)
    if ref == MISSING:
        return NUMBER
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    member = first_item(words, tape, slots.ZSET_REMOVE_MEMBERS) + slots.ZSET_REMOVE_MEMBERS_MEMBER
    removed = 0
    for _ in range(words[tape + slots.ZSET_REMOVE_MEMBERS]):
        spot = members.locate(words, octets, root, text_at(words, tape, member), text_size(words, tape, member))
        if spot:
            members.drop(words, octets, root, spot, False)
            removed += 1
        member += slots.ZSET_REMOVE_MEMBERS_STRIDE
    if removed == 0:
        return NUMBER
    words[reply] = removed
    key_access.shrunk(words, octets, h, seat, members.count_of(words, root))
    return NUMBER | CHANGED


@kernel
def score_of(words, octets, tape, now, reply):
    """Reply with the score of a member, or NIL (ZSCORE)."""
    ref = key_access.find(words, octets, tape, slots.ZSET_SCORE_KEY, ZSET, now)
    if ref == MISSING:
        return NIL
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    member = slots.ZSET_SCORE_MEMBER
    spot = members.locate(words, octets, root, text_at(words, tape, member), text_size(words, tape, member))
    if spot == 0:
        return NIL
    set_scalar(words, reply, 0)
    add_real(words, reply, members.score_at(words, octets, root, spot))
    return ITEM


@kernel
def scores_of(words, octets, tape, now, reply):
    """Reply with the score of each member, or a null where there is none (ZMSCORE)."""
    ref = key_access.find(words, octets, tape, slots.ZSET_SCORES_KEY, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    count = words[tape + slots.ZSET_SCORES_MEMBERS]
    if not fits(words, count, 0):
        return FULL
    set_scalar(words, reply, 0)
    member = first_item(words, tape, slots.ZSET_SCORES_MEMBERS) + slots.ZSET_SCORES_MEMBERS_MEMBER
    for _ in range(count):
        spot = 0
        if ref:
            root = keyspace.root_of(words, ref)
            spot = members.locate(words, octets, root, text_at(words, tape, member), text_size(words, tape, member))
        if spot:
            add_real(words, reply, members.score_at(words, octets, root, spot))
        else:
            add_nil(words, reply)
        member += slots.ZSET_SCORES_MEMBERS_STRIDE
    return ITEMS


@kernel
def size_of(words, octets, tape, now, reply):
    """Reply with the number of members (ZCARD)."""
    ref = key_access.find(words, octets, tape, slots.ZSET_CARD_KEY, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, members.count_of(words, keyspace.root_of(words, ref)) if ref else 0)
    return NUMBER


@kernel
def ranked(words, octets, tape, now, reply, backwards):
    """Reply with the position of a member, from 0, or with position and score, or with nil."""
    ref = key_access.find(words, octets, tape, slots.ZSET_RANK_KEY, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    with_score = words[tape + slots.ZSET_RANK_WITHSCORE]
    spot = 0
    if ref:
        root = keyspace.root_of(words, ref)
        start, size = text_at(words, tape, slots.ZSET_RANK_MEMBER), text_size(words, tape, slots.ZSET_RANK_MEMBER)
        spot = members.locate(words, octets, root, start, size)
    if spot == 0:
        return NIL if with_score else NO_ITEM
    score = members.score_at(words, octets, root, spot)
    place = members.rank(words, octets, root, score, start, size, 0)
    if backwards:
        place = members.count_of(words, root) - 1 - place
    set_scalar(words, reply, place)
    if not with_score:
        return NUMBER
    set_scalar(words, reply, 0)
    add_number(words, reply, place)
    add_real(words, reply, score)
    return ITEMS


@kernel
def rank(words, octets, tape, now, reply):
    """Reply with the position of a member, the lowest score first (ZRANK)."""
    return ranked(words, octets, tape, now, reply, False)


@kernel
def rank_backwards(words, octets, tape, now, reply):
    """Reply with the position of a member, the highest score first (ZREVRANK)."""
    return ranked(words, octets, tape, now, reply, True)
