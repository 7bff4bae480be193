"""Consumers of a queue: how many messages each holds, and the one that is active in a queue for a single consumer."""

from synap.compiler.jit import kernel
from synap.kernels.spans import move, same
from synap.store.kinds.queues.queue_layout import (
    ACK_DEADLINE_MS,
    ACTIVE,
    ACTIVE_UNTIL,
    BLOCK_NAME,
    CONSUMERS,
    HELD_BY,
    HOLDER_NAME_SIZE,
    HOLDER_WORDS,
    HOLDERS,
    HOLDING,
    LEASED_COUNT,
    NAME_SIZE,
    QUEUE_WORDS,
    SINGLE,
)
from synap.store.memory import arena, tables
from synap.store.memory.kinds import QUEUE
from synap.store.memory.layout import HOLDER, WORD
from synap.store.memory.tables import REF_MASK
from synap.store.records import keyspace, named_records


@kernel
def seek_holder(words, octets, queue, start, size):
    """Return (tag, index in `words` of the slot of the holder with this name, or 0)."""
    h = keyspace.hash_key(words, octets, HOLDER, start, size)
    at = named_records.seek_text(words, octets, queue + HOLDERS, h, start, size, HOLDER_NAME_SIZE, HOLDER_WORDS)
    return tables.tag_of_hash(h), at


@kernel
def hold(words, octets, queue, message, start, size):
    """Record the consumer to which a message is leased; return False without memory."""
    tag, at = seek_holder(words, octets, queue, start, size)
    holder = words[at] & REF_MASK if at else 0
    if holder == 0:
        holder = arena.allocate(words, HOLDER_WORDS + ((size + 7) >> 3))
        if holder == 0:
            return False
        words[holder + HOLDING] = 0
        words[holder + HOLDER_NAME_SIZE] = size
        move(octets, (holder + HOLDER_WORDS) * 8, start, size)
        if not tables.insert(words, octets, queue + HOLDERS, tag, holder, 0):
            arena.release(words, holder)
            return False
        words[queue + CONSUMERS] += 1
    words[holder + HOLDING] += 1
    words[message + HELD_BY] = holder
    return True


@kernel
def held_by(words, octets, queue, start, size):
    """Return how many messages the consumer with this name holds."""
    _, at = seek_holder(words, octets, queue, start, size)
    return words[(words[at] & REF_MASK) + HOLDING] if at else 0


@kernel
def end_hold(words, octets, queue, message):
    """End the hold of a consumer on a message; remove the holder when it holds no other."""
    holder = words[message + HELD_BY]
    words[message + HELD_BY] = 0
    words[holder + HOLDING] -= 1
    if words[holder + HOLDING]:
        return
    _, at = seek_holder(words, octets, queue, (holder + HOLDER_WORDS) * 8, words[holder + HOLDER_NAME_SIZE])
    tables.remove(words, octets, queue + HOLDERS, at)
    arena.release(words, holder)
    words[queue + CONSUMERS] -= 1


@kernel
def set_name(words, octets, queue, place, start, size):
    """Put a block with this name into word `place` of a queue, in place of the one before; return False without memory.

    A size below 0 leaves none.
    """
    old = words[queue + place]
    if size >= 0 and old and words[old] == size and same(octets, (old + BLOCK_NAME) * WORD, start, size):
        return True
    block = 0
    if size >= 0:
        block = arena.allocate(words, BLOCK_NAME + ((size + 7) >> 3))
        if block == 0:
            return False
        words[block] = size
        move(octets, (block + BLOCK_NAME) * WORD, start, size)
    if old:
        arena.release(words, old)
    words[queue + place] = block
    return True


@kernel
def is_free_for(words, octets, queue, start, size, now):
    """Return True if the consumer with this name may get messages: in a queue for a single consumer only the active one
    may, until it holds nothing and ACTIVE_UNTIL has passed."""
    active = words[queue + ACTIVE]
    if words[queue + SINGLE] == 0 or active == 0:
        return True
    if words[active] == size and same(octets, (active + BLOCK_NAME) * WORD, start, size):
        return True
    return words[queue + LEASED_COUNT] == 0 and now >= words[queue + ACTIVE_UNTIL]


@kernel
def make_active(words, octets, queue, start, size, now):
    """Let the consumer with this name be the active one, for an ack deadline more; return False without memory."""
    if words[queue + SINGLE] == 0:
        return True
    words[queue + ACTIVE_UNTIL] = now + words[queue + ACK_DEADLINE_MS]
    before = words[queue + ACTIVE]
    if not set_name(words, octets, queue, ACTIVE, start, size):
        return False
    if words[queue + ACTIVE] != before:  # the same consumer may wait on another connection
        name, name_size = (queue + QUEUE_WORDS) * WORD, words[queue + NAME_SIZE]
        keyspace.touched(words, octets, keyspace.hash_key(words, octets, QUEUE, name, name_size))
    return True
