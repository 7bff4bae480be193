"""Consumer groups: digests, snapshots and freeing, as `kinds/table.py` requires.

A snapshot holds a group as a frame for the group itself, one for its members in pieces, and one for its partitions.

    cursor   INSIDE: what follows (the group, members, partitions); ENTRY: the member to continue with
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.memberships.group_members import (
    COUNT,
    GROUP_WORDS,
    MEMBER_NAME_SIZE,
    MEMBER_SESSION_MS,
    MEMBER_WORDS,
    MEMBERS,
    MEMBERS_CAPACITY,
    MEMBERS_COUNT,
    OFFSET,
    OWNER,
    PARTITIONS,
    SAVED,
    SEEN,
    SPARE,
    TOPIC,
    TOPIC_SIZE,
    member_at,
    partition_at,
)
from synap.store.memory import arena, codes, frames
from synap.store.memory.layout import WORD
from synap.store.memory.tapes import set_group, set_text
from synap.store.records.named_records import NAME_SIZE
from synap.store.records.pieces import ENTRY, INSIDE, MORE, PIECE_BYTES, PIECE_ITEMS, words_of
from synap.store.records.state_hash import mix, text
from synap.store.slots import memberships as slots

AT_MEMBERS, AT_PARTITIONS = 1, 2


@kernel
def number_members(words, group):
    """Let the spare word of each member hold its number + 1, in the order of joining."""
    for i in range(words[group + MEMBERS_COUNT]):
        words[member_at(words, group, i) + SPARE] = i + 1


@kernel
def number_of(words, member):
    """Return the number of a member + 1, once all have been numbered; 0 for none."""
    return words[member + SPARE] if member else 0


@kernel
def digest(words, octets, group):
    """Return the hash of name, topic and settings, of the members in their order, and of each partition."""
    h = text(octets, (group + GROUP_WORDS) * WORD, words[group + NAME_SIZE])
    h = mix(h, text(octets, words[group + TOPIC] * WORD, words[group + TOPIC_SIZE]))
    for i in range(SAVED):
        h = mix(h, words[group + COUNT + i])
    for i in range(words[group + MEMBERS_COUNT]):
        member = member_at(words, group, i)
        h = mix(h, text(octets, (member + MEMBER_WORDS) * WORD, words[member + MEMBER_NAME_SIZE]))
        h = mix(mix(h, words[member + SEEN]), words[member + MEMBER_SESSION_MS])
    number_members(words, group)
    for i in range(words[group + COUNT]):
        at = partition_at(words, group, i)
        h = mix(mix(h, number_of(words, words[at + OWNER])), words[at + OFFSET])
    return h


@kernel
def dump_group(words, octets, group, target, seq, now):
    """Write the frame of a group without members and partitions; return its words."""
    name, topic = words[group + NAME_SIZE], words[group + TOPIC_SIZE]
    blob = frames.head(words, target, codes.GROUP_LOAD, 0, seq, now, slots.GROUP_LOAD_SLOTS, name + topic)
    tape = target + frames.HEAD_WORDS
    set_text(words, tape, slots.GROUP_LOAD_GROUP, 0, name, 0)
    set_text(words, tape, slots.GROUP_LOAD_TOPIC, name, topic, 0)
    for i in range(SAVED):
        words[tape + slots.GROUP_LOAD_WORD0 + i] = words[group + COUNT + i]
    move(octets, blob, (group + GROUP_WORDS) * WORD, name)
    move(octets, blob + name, words[group + TOPIC] * WORD, topic)
    return words_of(words, target)


@kernel
def dump_members(words, octets, group, cursor, target, seq, now):
    """Write a frame with members from the one numbered ENTRY on, about a megabyte; return its words."""
    name = words[group + NAME_SIZE]
    tape = target + frames.HEAD_WORDS
    item = slots.GROUP_LOAD_MEMBERS_SLOTS
    first = cursor[ENTRY]
    i = first
    total = name
    while i < words[group + MEMBERS_COUNT] and total < PIECE_BYTES and i - first < PIECE_ITEMS:
        member = member_at(words, group, i)
        set_text(words, tape, item + slots.GROUP_LOAD_MEMBERS_MEMBERS_NAME, total, words[member + MEMBER_NAME_SIZE], 0)
        words[tape + item + slots.GROUP_LOAD_MEMBERS_MEMBERS_SEEN] = words[member + SEEN]
        words[tape + item + slots.GROUP_LOAD_MEMBERS_MEMBERS_SESSION] = words[member + MEMBER_SESSION_MS]
        total += words[member + MEMBER_NAME_SIZE]
        item += slots.GROUP_LOAD_MEMBERS_MEMBERS_STRIDE
        i += 1
    set_text(words, tape, slots.GROUP_LOAD_MEMBERS_GROUP, 0, name, 0)
    set_group(words, tape, slots.GROUP_LOAD_MEMBERS_MEMBERS, i - first, slots.GROUP_LOAD_MEMBERS_SLOTS)
    blob = frames.head(words, target, codes.GROUP_LOAD_MEMBERS, 0, seq, now, item, total)
    move(octets, blob, (group + GROUP_WORDS) * WORD, name)
    blob += name
    for j in range(first, i):
        member = member_at(words, group, j)
        move(octets, blob, (member + MEMBER_WORDS) * WORD, words[member + MEMBER_NAME_SIZE])
        blob += words[member + MEMBER_NAME_SIZE]
    cursor[ENTRY] = i
    return words_of(words, target)


@kernel
def dump_partitions(words, octets, group, target, seq, now):
    """Write the frame of the partitions of a group; return its words."""
    name, count = words[group + NAME_SIZE], words[group + COUNT]
    size = slots.GROUP_LOAD_PARTITIONS_SLOTS + count * slots.GROUP_LOAD_PARTITIONS_PARTITIONS_STRIDE
    blob = frames.head(words, target, codes.GROUP_LOAD_PARTITIONS, 0, seq, now, size, name)
    tape = target + frames.HEAD_WORDS
    set_text(words, tape, slots.GROUP_LOAD_PARTITIONS_GROUP, 0, name, 0)
    set_group(words, tape, slots.GROUP_LOAD_PARTITIONS_PARTITIONS, count, slots.GROUP_LOAD_PARTITIONS_SLOTS)
    item = tape + slots.GROUP_LOAD_PARTITIONS_SLOTS
    number_members(words, group)
    for i in range(count):
        at = partition_at(words, group, i)
        words[item + slots.GROUP_LOAD_PARTITIONS_PARTITIONS_OWNER] = number_of(words, words[at + OWNER])
        words[item + slots.GROUP_LOAD_PARTITIONS_PARTITIONS_OFFSET] = words[at + OFFSET]
        item += slots.GROUP_LOAD_PARTITIONS_PARTITIONS_STRIDE
    move(octets, blob, (group + GROUP_WORDS) * WORD, name)
    return words_of(words, target)


@kernel
def dump(words, octets, group, cursor, target, seq, now):
    """Write the next frame of a group; return its words, 0 if the group was complete. MORE: another frame follows."""
    if cursor[MORE] == 0:
        cursor[MORE] = 1
        cursor[INSIDE] = AT_MEMBERS
        cursor[ENTRY] = 0
        return dump_group(words, octets, group, target, seq, now)
    if cursor[INSIDE] == AT_MEMBERS:
        if cursor[ENTRY] < words[group + MEMBERS_COUNT]:
            return dump_members(words, octets, group, cursor, target, seq, now)
        cursor[INSIDE] = AT_PARTITIONS
        return dump_partitions(words, octets, group, target, seq, now)
    cursor[MORE] = 0
    return 0


@kernel
def free_some(words, octets, group, budget):
    """Free members of a deleted group; return what is left of the budget, more than 0 once only the record is left."""
    while words[group + MEMBERS_COUNT] and budget > 0:
        words[group + MEMBERS_COUNT] -= 1
        arena.release(words, member_at(words, group, words[group + MEMBERS_COUNT]))
        budget -= 1
    if budget > 0 and words[group + PARTITIONS]:
        arena.release(words, words[group + PARTITIONS])
        arena.release(words, words[group + TOPIC])
        if words[group + MEMBERS_CAPACITY]:
            arena.release(words, words[group + MEMBERS])
        words[group + PARTITIONS] = 0
    return budget
