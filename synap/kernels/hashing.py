"""Keyed hashing of bytes for hash tables in memory.

The method is the folded multiply of wyhash and of ahash: each 16 bytes are two words, xored with two secret words and
multiplied to 128 bits, of which the halves are combined. A client that does not know the 128-bit key cannot choose keys
that share one slot. The hashes differ between nodes and never leave the process: a hash that is part of a reply has a
fixed, published function of its own.
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import fold, load32, load64

_SPREAD = 0x2D358DCCAA6C78A5  # odd, balanced bits: keeps an all-zero word from cancelling the key
_MULTIPLIER = 0x4B33A62ED433D4A3  # of the last fold: a constant, so that no key can weaken it


@kernel
def keyed_hash(octets, start, size, key_a, key_b):
    """Return a 64-bit hash (as int64) of `size` bytes at `start` under the key (`key_a`, `key_b`)."""
    h = key_a ^ _SPREAD
    if size > 16:
        at = start
        last = start + size - 16
        while at < last:
            h = fold(load64(octets, at) ^ key_b, load64(octets, at + 8) ^ h)
            at += 16
        a = load64(octets, last)
        b = load64(octets, last + 8)
    elif size >= 8:
        a = load64(octets, start)
        b = load64(octets, start + size - 8)
    elif size >= 4:
        a = load32(octets, start)
        b = load32(octets, start + size - 4)
    elif size > 0:
        a = np.int64(octets[start]) << 16 | np.int64(octets[start + (size >> 1)]) << 8
        a |= np.int64(octets[start + size - 1])
        b = np.int64(0)
    else:
        a = np.int64(0)
        b = np.int64(0)
    h = fold(a ^ key_b, b ^ h)
    return fold(h ^ size ^ key_a, _MULTIPLIER)
