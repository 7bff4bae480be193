"""Rows that draw members at random, with equal odds: SPOP and SRANDMEMBER.

The log has SPOP as a removal with the members spelled out, since random draws cannot be repeated.
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.integers import print_integer
from synap.ranges import INT_MIN
from synap.store.kinds.sets import encodings, members, sets
from synap.store.memory import arena, codes, decided
from synap.store.memory.kinds import SET
from synap.store.memory.layout import (
    CHANGED,
    DECIDED_BIT,
    EMPTY,
    FULL,
    ITEM,
    ITEM_MASK,
    ITEM_TEXT,
    ITEMS,
    MARK_BITS,
    NO_ITEM,
)
from synap.store.memory.refusals import BAD_RANDOM_COUNT, OUT_OF_MEMORY, POSITIVE_COUNT, WRONG_TYPE
from synap.store.memory.tapes import fits, set_scalar
from synap.store.records import draws, key_access, keyspace
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import sets as slots


@kernel
def pop(words, octets, tape, now, reply):
    """Remove and return a member drawn with equal odds, or up to a count if there is one (SPOP)."""
    has_count = words[tape + slots.SET_POP_HAS_COUNT]
    wanted = words[tape + slots.SET_POP_COUNT] if has_count else 1
    if wanted < 0:
        return POSITIVE_COUNT
    h, seat, ref = key_access.open_key(words, octets, tape, slots.SET_POP_KEY, SET, now)
    if ref == MISSING:
        return EMPTY if has_count else NO_ITEM
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    count = members.count_of(words, root)
    wanted = min(wanted, count)
    set_scalar(words, reply, 0)
    if wanted == 0:
        return EMPTY
    status = put_different(words, octets, root, wanted, reply)
    if status != ITEMS:
        return status
    if wanted < count and not members.keep_texts(words, octets, root):
        return OUT_OF_MEMORY
    decided.begin(words, codes.SET_REMOVE, words[tape - 2], slots.SET_REMOVE_SLOTS)
    decided.put_argument(words, octets, slots.SET_REMOVE_KEY, tape, slots.SET_POP_KEY)
    decided.put_group(words, slots.SET_REMOVE_MEMBERS)
    for i in range(wanted):
        start, size = item_text(words, octets, reply + 2 + 2 * i)
        item = decided.add_item(words, slots.SET_REMOVE_MEMBERS, slots.SET_REMOVE_MEMBERS_STRIDE)
        decided.put_text(words, octets, item + slots.SET_REMOVE_MEMBERS_MEMBER, start, size, 0)
        if wanted < count:  # else all members go with the key
            members.remove(words, octets, root, members.find(words, octets, root, start, size), True)
    left = members.count_of(words, root) if wanted < count else 0
    if has_count and left:
        encodings.set_was_drawn(words, octets, ref, root, wanted)
    key_access.shrunk(words, octets, h, seat, left)
    return (ITEMS if has_count else ITEM) | CHANGED | DECIDED_BIT


@kernel
def item_text(words, octets, place):
    """Return (octet, size) of the text of an item of the reply; an integer is printed in `members.DIGITS`."""
    size = words[place + 1]
    if size & ITEM_MASK == ITEM_TEXT:
        return words[place], size >> MARK_BITS
    return np.int64(members.DIGITS), print_integer(octets, members.DIGITS, words[place])


@kernel
def pick(words, octets, tape, now, reply):
    """Reply with a member drawn with equal odds; with a count, with that many different members, or, if it is negative,
    with members that are each drawn from all (SRANDMEMBER)."""
    has_count = words[tape + slots.SET_PICK_HAS_COUNT]
    count = words[tape + slots.SET_PICK_COUNT] if has_count else -1
    if count == INT_MIN:
        return BAD_RANDOM_COUNT
    ref = key_access.find(words, octets, tape, slots.SET_PICK_KEY, SET, now)
    if ref == MISSING:
        return EMPTY if has_count else NO_ITEM
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    set_scalar(words, reply, 0)
    if count < 0:
        status = put_repeated(words, octets, root, -count, reply)
        return status if has_count or status == FULL else ITEM
    if count == 0:
        return EMPTY
    return put_different(words, octets, root, min(count, members.count_of(words, root)), reply)


@kernel
def put_different(words, octets, root, count, reply):
    """Reply with `count` different members, 1 to all; return ITEMS, FULL or OUT_OF_MEMORY."""
    if count == 1:
        return put_repeated(words, octets, root, 1, reply)
    if count == members.count_of(words, root):
        return sets.put_all(words, octets, root, reply)
    if not fits(words, count, 0):
        return FULL
    if members.is_table(words, root) and draws.are_few(count, members.count_of(words, root)):
        return put_few(words, octets, root, count, reply)
    return put_part(words, octets, root, count, reply)


@kernel
def put_repeated(words, octets, root, count, reply):
    """Reply with `count` members, each drawn from all; return ITEMS or FULL."""
    if not fits(words, count, 0):
        return FULL
    total = 0
    for _ in range(count):
        member = members.draw(words, octets, root)
        _, mark = members.text_of(words, octets, root, member)
        total += mark >> MARK_BITS
        if not fits(words, count, total):
            return FULL
        members.put(words, octets, root, member, reply)
    return ITEMS


@kernel
def put_part(words, octets, root, count, reply):
    """Reply with `count` members by walking all: each is taken with the odds that those before have left it.

    Return ITEMS or FULL.
    """
    left = members.count_of(words, root)
    place, member = members.following(words, octets, root, 0)
    total = added = 0
    while added < count:
        if draws.is_chosen(words, count - added, left):
            _, mark = members.text_of(words, octets, root, member)
            total += mark >> MARK_BITS
            if not fits(words, count, total):
                return FULL
            members.put(words, octets, root, member, reply)
            added += 1
        left -= 1
        place, member = members.following(words, octets, root, place)
    return ITEMS


@kernel
def put_few(words, octets, root, count, reply):
    """Reply with `count` different members, a small part of those of a table; return ITEMS, FULL or OUT_OF_MEMORY."""
    sieve = draws.new_sieve(words, octets, count)
    if sieve == 0:
        return OUT_OF_MEMORY
    total = added = 0
    enough = True
    while added < count and enough:
        seat = members.draw(words, octets, root)
        if draws.is_new(words, sieve, seat):
            _, mark = members.text_of(words, octets, root, seat)
            total += mark >> MARK_BITS
            enough = fits(words, count, total)
            if enough:
                members.put(words, octets, root, seat, reply)
            added += 1
    arena.release(words, sieve)
    return ITEMS if enough else FULL
