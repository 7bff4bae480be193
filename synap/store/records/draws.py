"""Random draws of elements, for SRANDMEMBER, SPOP, HRANDFIELD and ZRANDMEMBER.

Different elements that are a small part of a structure (`are_few`) are drawn one by one, and a *sieve* tells which have
been drawn before: it takes memory for them, and not for all elements. Of a larger part, all elements are walked.

    sieve   mask of the slots | slots: the drawn number + 1, or 0; linear probing, at most half full
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import fill
from synap.store.memory import arena, tables
from synap.store.memory.layout import CHANCE

FEW = 3  # of a larger part than 1 / FEW, all elements are walked


@kernel
def next_chance(words):
    """Return the next 64 random bits."""
    words[CHANCE] = tables.next_chance(words[CHANCE])
    return words[CHANCE]


@kernel
def below(words, limit):
    """Return a random number from 0 to `limit` - 1."""
    return np.int64((np.uint64(next_chance(words)) >> np.uint64(1)) % np.uint64(limit))


@kernel
def slot(words, table):
    """Return the index in `words` of a slot of a table, drawn with equal odds; the table is not empty."""
    at, words[CHANCE] = tables.any_slot(words, table, next_chance(words))
    return at


@kernel
def is_chosen(words, wanted, left):
    """Return True for the next element of a walk with the odds that are due if `wanted` of `left` are to be chosen."""
    return below(words, left) < wanted


@kernel
def are_few(wanted, found):
    """Return True if `wanted` different ones of `found` elements are best drawn one by one."""
    return wanted * FEW <= found


@kernel
def new_sieve(words, octets, count):
    """Return a sieve for up to `count` numbers, which the caller frees, or 0 without memory."""
    size = 4 << arena.log2(max(count, 1))
    sieve = arena.allocate(words, 1 + size)
    if sieve:
        words[sieve] = size - 1
        fill(octets, (sieve + 1) * 8, 0, size * 8)
    return sieve


@kernel
def is_new(words, sieve, number):
    """Return True if a number, 0 or above, is not in a sieve yet; put it there."""
    mask = words[sieve]
    at = tables.next_chance(number) & mask
    while words[sieve + 1 + at]:
        if words[sieve + 1 + at] == number + 1:
            return False
        at = (at + 1) & mask
    words[sieve + 1 + at] = number + 1
    return True
