"""Chains of messages: ready ones by priority, leased ones, dead letters, and those blocked behind their group."""

import numpy as np

from synap.compiler.jit import kernel
from synap.store.kinds.queues.queue_layout import (
    BLOCKED,
    BLOCKED_COUNT,
    DEAD,
    EXTRAS,
    GROUP,
    IS_BLOCKED,
    IS_DEAD,
    IS_LEASED,
    LEASED,
    NEXT,
    PREV,
    PRIORITY_SHIFT,
    READY,
    READY_COUNT,
    STATE,
)


@kernel
def state_of(words, message):
    """Return the state of a message: IS_READY, IS_LEASED, ..."""
    return words[message + STATE] & 0xFF


@kernel
def chain_of(words, queue, message):
    """Return the chain for a message in its state."""
    state = state_of(words, message)
    if state == IS_LEASED:
        return queue + LEASED
    if state == IS_DEAD:
        return queue + DEAD
    if state == IS_BLOCKED:
        return words[words[message + EXTRAS] + GROUP] + BLOCKED
    return queue + READY + 2 * ((words[message + STATE] >> PRIORITY_SHIFT) & 0xFF)


@kernel
def count_of(words, queue, message):
    """Return the word that counts the messages in the state of this one."""
    state = state_of(words, message)
    return queue + (BLOCKED_COUNT if state == IS_BLOCKED else READY_COUNT + state)


@kernel
def append(words, queue, message, state):
    """Add a message that is in no chain to the end of the chain for a state."""
    words[message + STATE] = (words[message + STATE] & ~np.int64(0xFF)) | state
    chain = chain_of(words, queue, message)
    last = words[chain + 1]
    words[message + NEXT] = 0
    words[message + PREV] = last
    if last:
        words[last + NEXT] = message
    else:
        words[chain] = message
    words[chain + 1] = message
    words[count_of(words, queue, message)] += 1


@kernel
def append_first(words, queue, message, state):
    """Add a message that is in no chain to the beginning of the chain for a state."""
    words[message + STATE] = (words[message + STATE] & ~np.int64(0xFF)) | state
    chain = chain_of(words, queue, message)
    first = words[chain]
    words[message + NEXT] = first
    words[message + PREV] = 0
    if first:
        words[first + PREV] = message
    else:
        words[chain + 1] = message
    words[chain] = message
    words[count_of(words, queue, message)] += 1


@kernel
def detach(words, queue, message):
    """Remove a message from the chain of its state."""
    chain = chain_of(words, queue, message)
    before = words[message + PREV]
    after = words[message + NEXT]
    if before:
        words[before + NEXT] = after
    else:
        words[chain] = after
    if after:
        words[after + PREV] = before
    else:
        words[chain + 1] = before
    words[count_of(words, queue, message)] -= 1
