"""Rows that read members in no order: ZRANDMEMBER and ZSCAN."""

from synap.compiler.jit import kernel
from synap.kernels.reals import REAL_SIZE_MAX, print_real
from synap.store.kinds.zsets import members
from synap.store.kinds.zsets.zset_ranges import put_members
from synap.store.memory import arena, tables
from synap.store.memory.kinds import ZSET
from synap.store.memory.layout import (
    EMPTY,
    FULL,
    ITEM,
    MARK_ARRAY,
    MARK_PAIR,
    MARK_PAIRS,
    NO_ITEM,
    REPLY_ITEMS_MAX,
)
from synap.store.memory.refusals import (
    BAD_CURSOR,
    BAD_RANDOM_COUNT,
    OUT_OF_MEMORY,
    PAIRS_OUT_OF_RANGE,
    SYNTAX,
    WRONG_TYPE,
)
from synap.store.memory.reply_sizes import bytes_in
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import add_mark, add_text, fits, set_scalar
from synap.store.records import draws, key_access, keyspace, scans
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import zsets as slots

LEAST = -(1 << 63)
PAIRS_MAX = (1 << 62) - 1  # Redis refuses counts of pairs whose double would overflow
TOTAL_MAX = 1 << 27  # more than any reply holds, so that products do not overflow
SCORE_WORDS = (REAL_SIZE_MAX + 7) >> 3


@kernel
def draw(words, octets, tape, now, reply):
    """Reply with a random member, or with up to `count` (ZRANDMEMBER): different ones, with a negative count any."""
    ref = key_access.find(words, octets, tape, slots.ZSET_RANDMEMBER_KEY, ZSET, now)
    many = words[tape + slots.ZSET_RANDMEMBER_HAS_COUNT]
    wanted = words[tape + slots.ZSET_RANDMEMBER_COUNT] if many else 1
    with_scores = words[tape + slots.ZSET_RANDMEMBER_WITHSCORES]
    if wanted == LEAST:
        return BAD_RANDOM_COUNT
    if with_scores and (wanted < -PAIRS_MAX or wanted > PAIRS_MAX):
        return PAIRS_OUT_OF_RANGE
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref == MISSING or wanted == 0:
        return EMPTY if many else NO_ITEM
    root = keyspace.root_of(words, ref)
    found = members.count_of(words, root)
    total = min(-wanted, TOTAL_MAX) if wanted < 0 else min(wanted, found)
    if not fits(words, 1 + total * (3 if with_scores else 1), 0):
        return FULL
    set_scalar(words, reply, 0)
    if many:
        add_mark(words, reply, MARK_PAIRS if with_scores else MARK_ARRAY, total)
    if wanted > 1 and not draws.are_few(total, found):
        choose(words, octets, root, reply, total, found, with_scores)
    elif not draw_some(words, octets, root, reply, total, found, wanted > 1, with_scores):
        return OUT_OF_MEMORY
    return ITEM if fits(words, words[reply + 1], bytes_in(words, reply)) else FULL


@kernel
def choose(words, octets, root, reply, wanted, found, with_scores):
    """Add `wanted` of the `found` members, each set of them with equal odds, in one walk."""
    for place in range(found):
        if draws.is_chosen(words, wanted, found - place):
            put_members(words, octets, reply, root, place, 1, False, with_scores, MARK_PAIR if with_scores else 0)
            wanted -= 1
            if wanted == 0:
                break


@kernel
def draw_some(words, octets, root, reply, wanted, found, different, with_scores):
    """Add `wanted` members that are drawn one by one; `different`: none twice. Return False without memory."""
    sieve = draws.new_sieve(words, octets, wanted) if different else 0
    if different and sieve == 0:
        return False
    while wanted:
        place = draws.below(words, found)
        if sieve == 0 or draws.is_new(words, sieve, place):
            put_members(words, octets, reply, root, place, 1, False, with_scores, MARK_PAIR if with_scores else 0)
            wanted -= 1
    if sieve:
        arena.release(words, sieve)
    return True


@kernel
def add_scored(words, octets, reply, start, size, form, score):
    """Add a member and its score as a text, whose block is freed after the reply; return False without memory."""
    block = arena.allocate(words, SCORE_WORDS)
    if block == 0:
        return False
    add_text(words, reply, start, size, form)
    add_text(words, reply, block * 8, print_real(octets, block * 8, score), 0)
    arena.release_later(words, block)
    return True


@kernel
def scan(words, octets, tape, now, reply):
    """Reply with one step of a scan: the cursor to continue from, 0 when done, members and scores (ZSCAN).

    A packed sorted set is returned as a whole.
    """
    cursor, valid = scans.cursor_of(words, octets, tape)
    if not valid:
        return BAD_CURSOR
    ref = key_access.find(words, octets, tape, slots.ZSET_SCAN_KEY, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    scans.begin_page(words, reply)
    if ref == MISSING:
        return scans.end_page(words, octets, reply, 0)
    left = scans.count_of(words, tape)
    if left < 1:
        return SYNTAX
    root = keyspace.root_of(words, ref)
    if not members.is_packed(words, root):
        return scan_table(words, octets, tape, reply, members.block_of(words, root), cursor, left)
    count = members.count_of(words, root)
    if not fits(words, scans.PAGE_ITEMS + 2 * count, members.bytes_of(words, root)):
        return FULL
    scans.begin_page(words, reply)
    leaf, i = members.seek(words, octets, root, 0)
    for _ in range(count):
        start, size, form, score = members.read(words, octets, leaf, i)
        if scans.is_asked_for(words, octets, tape, start, size):
            if not add_scored(words, octets, reply, start, size, form, score):
                return OUT_OF_MEMORY
        leaf, i = members.following(words, octets, leaf, i)
    return scans.end_page(words, octets, reply, 0)


@kernel
def scan_table(words, octets, tape, reply, table, cursor, left):
    """Carry out a step of ZSCAN in a table; `left` members are looked at."""
    left = min(left, words[REPLY_ITEMS_MAX] >> 2)
    tag = scans.first_tag(cursor)
    total = 0
    while True:
        seat, tag = scans.walk(words, table, tag)
        if seat == 0 or left <= 0:
            return scans.end_page(words, octets, reply, scans.cursor_at(tag))
        before = words[reply + 1]
        while words[seat] and tables.tag_of(words[seat]) == tag:  # members of one tag share a cursor
            left -= 1
            start, size, form, score = members.of_block(words, words[seat] & REF_MASK)
            if scans.is_asked_for(words, octets, tape, start, size):
                total += size
                if not scans.page_takes(words, reply, 2, total):
                    return scans.cut_page(words, octets, reply, before, tag)
                if not add_scored(words, octets, reply, start, size, form, score):
                    return OUT_OF_MEMORY
            seat += 1
        tag += 1
