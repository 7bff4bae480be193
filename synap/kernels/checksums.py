"""CRC-32 (IEEE 802.3, the polynomial of zlib and of ethernet): bytes on disk prove themselves with it.

Slicing by eight: the sum of eight bytes is the xor of eight looked-up words, one table a byte
position, so that the look-ups do not wait for one another as they do byte by byte. The tables are
8 KB and are passed in: a global array would be copied into every compiled caller.
"""

import numpy as np

from synap.kernels.jit import kernel
from synap.kernels.spans import load64

_POLYNOMIAL = 0xEDB88320  # the bits of 0x04C11DB7 mirrored: the lowest bit goes over the wire first


def crc32_table():
    """The look-up tables: shape (8, 256), uint32; row n moves a byte's sum past n further zero bytes."""
    row = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        row = np.where(row & 1, row >> 1 ^ _POLYNOMIAL, row >> 1).astype(np.uint32)
    rows = [row]
    for _ in range(7):
        rows.append(rows[-1] >> 8 ^ row[rows[-1] & 255])
    return np.array(rows, dtype=np.uint32)


@kernel
def crc32(table, octets, start, size, crc):
    """The CRC-32 of the span, going on from `crc` (0 to begin): an int64 from 0 to 2**32 - 1.

    `table` is `crc32_table()` of any integer type. Equals `zlib.crc32(span, crc)`.
    """
    rest = crc ^ 0xFFFFFFFF
    at = start
    end = start + size
    while at + 8 <= end:
        word = load64(octets, at) ^ rest
        rest = np.int64(table[7, word & 255]) ^ np.int64(table[6, (word >> 8) & 255])
        rest ^= np.int64(table[5, (word >> 16) & 255]) ^ np.int64(table[4, (word >> 24) & 255])
        rest ^= np.int64(table[3, (word >> 32) & 255]) ^ np.int64(table[2, (word >> 40) & 255])
        rest ^= np.int64(table[1, (word >> 48) & 255]) ^ np.int64(table[0, (word >> 56) & 255])
        at += 8
    while at < end:
        rest = rest >> 8 ^ np.int64(table[0, (rest ^ octets[at]) & 255])
        at += 1
    return rest ^ 0xFFFFFFFF
