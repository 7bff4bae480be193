"""FIFO groups of a queue: the messages of a group are delivered one at a time, in the order of their publishing.

One message of a group has its turn: it is ready, leased or delayed. The others are blocked, in the chain of the group,
until it is acknowledged, removed or a dead letter. A group lasts as long as the queue has a message of it, also a dead
letter.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.queues.chains import append, detach
from synap.store.kinds.queues.extras import extras_of
from synap.store.kinds.queues.queue_layout import (
    BLOCKED,
    BLOCKED_LAST,
    EXTRAS,
    GROUP,
    GROUP_NAME_SIZE,
    GROUP_WORDS,
    GROUPS,
    IS_BLOCKED,
    IS_READY,
    MEMBERS,
    TURN,
)
from synap.store.memory import arena, tables
from synap.store.memory.layout import HOLDER, WORD
from synap.store.memory.tables import REF_MASK
from synap.store.records import keyspace, named_records


@kernel
def group_of(words, message):
    """Return the group of a message, or 0."""
    extras = words[message + EXTRAS]
    return words[extras + GROUP] if extras else 0


@kernel
def name_at(group):
    """Return the octet of a group's name."""
    return (group + GROUP_WORDS) * WORD


@kernel
def seek_group(words, octets, queue, start, size):
    """Return (tag, index in `words` of the slot of the group with this name, or 0)."""
    h = keyspace.hash_key(words, octets, HOLDER, start, size)
    at = named_records.seek_text(words, octets, queue + GROUPS, h, start, size, GROUP_NAME_SIZE, GROUP_WORDS)
    return tables.tag_of_hash(h), at


@kernel
def join(words, octets, queue, message, start, size):
    """Make a message one of the group with this name; return False without memory."""
    extras = extras_of(words, message)
    if extras == 0:
        return False
    if words[queue + GROUPS + tables.SLOTS] == 0:
        tables.open_table(words, octets, queue + GROUPS, tables.SIZE_MIN)
    tag, at = seek_group(words, octets, queue, start, size)
    group = words[at] & REF_MASK if at else 0
    if group == 0:
        group = arena.allocate(words, GROUP_WORDS + ((size + 7) >> 3))
        if group == 0:
            return False
        for word in (TURN, BLOCKED, BLOCKED_LAST, MEMBERS):
            words[group + word] = 0
        words[group + GROUP_NAME_SIZE] = size
        move(octets, name_at(group), start, size)
        if not tables.insert(words, octets, queue + GROUPS, tag, group, 0):
            return False
    words[extras + GROUP] = group
    words[group + MEMBERS] += 1
    return True


@kernel
def make_ready(words, queue, message):
    """Make a message that is in no chain ready, at the end of its priority; or blocked, if another of its group has its
    turn."""
    group = group_of(words, message)
    if group:
        if words[group + TURN] and words[group + TURN] != message:
            append(words, queue, message, IS_BLOCKED)
            return
        words[group + TURN] = message
    append(words, queue, message, IS_READY)


@kernel
def end_turn(words, queue, message):
    """End the turn of a message in its group, if it has it: the next message of the group becomes ready."""
    group = group_of(words, message)
    if group == 0 or words[group + TURN] != message:
        return
    following = words[group + BLOCKED]
    words[group + TURN] = following
    if following:
        detach(words, queue, following)
        append(words, queue, following, IS_READY)


@kernel
def leave(words, octets, queue, message):
    """Take a message out of its group, if it has one, and free the group with its last message."""
    group = group_of(words, message)
    if group:
        end_turn(words, queue, message)
        words[words[message + EXTRAS] + GROUP] = 0
        drop_member(words, octets, queue, group)


@kernel
def drop_member(words, octets, queue, group):
    """Count one message less in a group, and free the group with its last message."""
    words[group + MEMBERS] -= 1
    if words[group + MEMBERS] == 0:
        _, at = seek_group(words, octets, queue, name_at(group), words[group + GROUP_NAME_SIZE])
        tables.remove(words, octets, queue + GROUPS, at)
        arena.release(words, group)


@kernel
def change_queue(words, octets, source, target, message):
    """Take a message out of its group in one queue, and into the group of the same name in another; return False
    without memory."""
    group = group_of(words, message)
    if group == 0:
        return True
    end_turn(words, source, message)
    words[words[message + EXTRAS] + GROUP] = 0
    joined = join(words, octets, target, message, name_at(group), words[group + GROUP_NAME_SIZE])
    drop_member(words, octets, source, group)
    return joined
