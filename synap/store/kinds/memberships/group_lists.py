"""The row that lists the members of a consumer group."""

from synap.compiler.jit import kernel
from synap.store.kinds.memberships.group_members import (
    COUNT,
    MEMBER_NAME_SIZE,
    MEMBER_SESSION_MS,
    MEMBER_WORDS,
    MEMBERS_COUNT,
    OWNED,
    OWNER,
    SEEN,
    member_at,
    open_group,
    partition_at,
)
from synap.store.memory.layout import EMPTY, FULL, ITEM, MARK_ARRAY, MARK_MAP, MARK_NAME, WORD
from synap.store.memory.refusals import CONSUMER_GROUP_MISSING
from synap.store.memory.tapes import add_field, add_mark, add_number, add_text, fits, set_scalar
from synap.store.slots import memberships as slots

MEMBER_ITEMS = 10  # of a member in the reply, without its partitions


@kernel
def members(words, octets, tape, now, reply):
    """Reply with ITEM: an array of maps: name, partitions, last heartbeat (ms), session (ms)."""
    _, group = open_group(words, octets, tape, slots.GROUP_MEMBERS_GROUP)
    if group == 0:
        return CONSUMER_GROUP_MISSING
    count = words[group + MEMBERS_COUNT]
    items, size = 1, 0
    for i in range(count):
        items += MEMBER_ITEMS + words[member_at(words, group, i) + OWNED]
        size += words[member_at(words, group, i) + MEMBER_NAME_SIZE]
    if not fits(words, items, size):
        return FULL
    set_scalar(words, reply, count)
    if count == 0:
        return EMPTY
    add_mark(words, reply, MARK_ARRAY, count)
    for i in range(count):
        member = member_at(words, group, i)
        add_mark(words, reply, MARK_MAP, 4)
        add_mark(words, reply, MARK_NAME, 0)
        add_text(words, reply, (member + MEMBER_WORDS) * WORD, words[member + MEMBER_NAME_SIZE], 0)
        add_mark(words, reply, MARK_NAME, 1)
        add_mark(words, reply, MARK_ARRAY, words[member + OWNED])
        for partition in range(words[group + COUNT]):
            if words[partition_at(words, group, partition) + OWNER] == member:
                add_number(words, reply, partition)
        add_field(words, reply, 2, words[member + SEEN])
        add_field(words, reply, 3, words[member + MEMBER_SESSION_MS])
    return ITEM
