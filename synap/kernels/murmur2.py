"""MurmurHash2, 32 bits, as Kafka's default partitioner calculates it: with the seed 0x9747b28c.

The method is Austin Appleby's; Kafka's `Utils.murmur2` is the reference for the order of the bytes and the sign.
"""

import numpy as np

from synap.compiler.jit import kernel

_SEED, _FACTOR, _SHIFT, _WORD = 0x9747B28C, 0x5BD1E995, 24, 4


@kernel
def murmur2(octets, start, size):
    """Return the hash of the span, an int64 from 0 to 2**32 - 1."""
    factor = np.uint32(_FACTOR)
    h = np.uint32(_SEED) ^ np.uint32(size)
    at = start
    end = start + (size & ~(_WORD - 1))
    while at < end:
        k = np.uint32(octets[at]) | np.uint32(octets[at + 1]) << np.uint32(8)
        k |= np.uint32(octets[at + 2]) << np.uint32(16) | np.uint32(octets[at + 3]) << np.uint32(24)
        k = np.uint32(k * factor)
        k ^= k >> np.uint32(_SHIFT)
        h = np.uint32(np.uint32(h * factor) ^ np.uint32(k * factor))
        at += _WORD
    rest = size & (_WORD - 1)
    if rest == 3:
        h ^= np.uint32(octets[at + 2]) << np.uint32(16)
    if rest >= 2:
        h ^= np.uint32(octets[at + 1]) << np.uint32(8)
    if rest >= 1:
        h = np.uint32((h ^ np.uint32(octets[at])) * factor)
    h ^= h >> np.uint32(13)
    h = np.uint32(h * factor)
    return np.int64(h ^ (h >> np.uint32(15)))
