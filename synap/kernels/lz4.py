"""LZ4 blocks: fast compression of one span into another, in the published block format.

    sequence   token | more literal sizes | literals | offset (2 bytes) | more match sizes
    token      literals (4 bits) | match - 4 (4 bits); 15: bytes are added, 255 each, up to one below 255

The last five bytes are literals and no match begins in the last twelve, as the format requires. For each place, one
candidate for a match is tried, from a table of the latest places by the hash of four bytes.
"""

import numpy as np

from synap.compiler.jit import kernel, outlined
from synap.kernels.spans import load32, load64, move, store64

MATCH_MIN, LAST_LITERALS, MATCH_LIMIT = 4, 5, 12
OFFSET_MAX = 65535
HASH_BITS = 12
SKIP_SHIFT = 6  # the longer there is no match, the longer the steps between the places tried


@kernel
def put_length(octets, out, size):
    """Write the part of a size of 15 or more that does not fit in the token; return the octet behind it."""
    size -= 15
    while size >= 255:
        octets[out] = 255
        out += 1
        size -= 255
    octets[out] = size
    return out + 1


@kernel
def put_literals(octets, out, anchor, size, match):
    """Write a token with its literals; return the octet behind them. `match` is 0 for the last sequence."""
    token = out
    out += 1
    octets[token] = min(size, 15) << 4 | min(max(match - MATCH_MIN, 0), 15)
    if size >= 15:
        out = put_length(octets, out, size)
    move(octets, out, anchor, size)
    return out + size


@outlined(arrays=True)
def compress(octets, target, source, size, most):
    """Compress `size` bytes at `source` to `target`; return the compressed size, or 0 if it would be above `most`.

    Up to `most` + 16 bytes at the target may be written.
    """
    places = np.zeros(1 << HASH_BITS, np.int64)
    end = source + size
    out = target
    anchor = source
    at = source
    while at <= end - MATCH_LIMIT - 1:
        word = load32(octets, at)
        slot = ((word * 2654435761) & 0xFFFFFFFF) >> (32 - HASH_BITS)
        other = places[slot] - 1
        places[slot] = at + 1
        if other < source or at - other > OFFSET_MAX or load32(octets, other) != word:
            at += 1 + ((at - anchor) >> SKIP_SHIFT)
            continue
        match = MATCH_MIN
        while at + match + 8 <= end - LAST_LITERALS and load64(octets, at + match) == load64(octets, other + match):
            match += 8
        while at + match < end - LAST_LITERALS and octets[at + match] == octets[other + match]:
            match += 1
        literals = at - anchor
        if out - target + literals + literals // 255 + match // 255 + 8 > most:
            return np.int64(0)
        out = put_literals(octets, out, anchor, literals, match)
        octets[out] = (at - other) & 255
        octets[out + 1] = (at - other) >> 8
        out += 2
        if match - MATCH_MIN >= 15:
            out = put_length(octets, out, match - MATCH_MIN)
        at += match
        anchor = at
    literals = end - anchor
    if out - target + literals + literals // 255 + 2 > most:
        return np.int64(0)
    return put_literals(octets, out, anchor, literals, 0) - target


@kernel
def length(octets, at, end, size):
    """Read the rest of a size whose four bits in the token are 15; return (size, octet behind it)."""
    while at < end:
        more = np.int64(octets[at])
        at += 1
        size += more
        if more < 255:
            break
    return size, at


@outlined
def expand(octets, target, capacity, source, size):
    """Expand a block of `size` bytes into `capacity` bytes at `target`; return the size, or -1 if the block is invalid.

    No octet outside of the two spans is read or written, whatever the block contains.
    """
    at = source
    end = source + size
    out = target
    last = target + capacity
    while at < end:
        token = np.int64(octets[at])
        at += 1
        literals = token >> 4
        if literals == 15:
            literals, at = length(octets, at, end, literals)
        if at + literals > end or out + literals > last:
            return np.int64(-1)
        move(octets, out, at, literals)
        at += literals
        out += literals
        if at == end:
            return out - target
        if at + 2 > end:
            return np.int64(-1)
        offset = np.int64(octets[at]) | np.int64(octets[at + 1]) << 8
        at += 2
        match = token & 15
        if match == 15:
            match, at = length(octets, at, end, match)
        match += MATCH_MIN
        if offset == 0 or offset > out - target or out + match > last:
            return np.int64(-1)
        if offset >= 8 and out + match + 8 <= last:
            for i in range(0, match, 8):
                store64(octets, out + i, load64(octets, out + i - offset))
        else:
            for i in range(match):
                octets[out + i] = octets[out + i - offset]
        out += match
    return np.int64(-1)
