"""CRC-32 (IEEE 802.3, the polynomial of zlib and of ethernet): bytes on disk prove themselves with it.

Slicing by sixteen: the sum of sixteen bytes is the xor of sixteen looked-up words, one table a byte
position, so that the look-ups do not wait for one another as they do byte by byte, and only four of
them wait for the sixteen bytes before. Unsigned indices spare a test for a negative one at each
look-up: 2.1 GB/s by eight with signed ones, 5.4 GB/s so. The tables are 16 KB and are passed in: a
global array would be copied into every compiled caller.
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import load64

_POLYNOMIAL = 0xEDB88320  # the bits of 0x04C11DB7 mirrored: the lowest bit goes over the wire first
_ROWS = 16
_BYTE = np.uint64(255)
_ROW = np.uint64(256)


def crc32_table():
    """The look-up tables: shape (4096,), uint32; 256 words that move a byte's sum past n further zero bytes,
    for n from 0 to 15."""
    row = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        row = np.where(row & 1, row >> 1 ^ _POLYNOMIAL, row >> 1).astype(np.uint32)
    rows = [row]
    for _ in range(_ROWS - 1):
        rows.append(rows[-1] >> 8 ^ row[rows[-1] & 255])
    return np.concatenate(rows).astype(np.uint32)


@kernel
def _sum(table, zeros, word, shift):
    """What the byte of `word` that lies `shift` bits up adds to the sum when `zeros` bytes follow it."""
    return table[np.uint64(zeros) * _ROW + ((word >> np.uint64(shift)) & _BYTE)]


@kernel
def crc32(table, octets, start, size, crc):
    """The CRC-32 of the span, going on from `crc` (0 to begin): an int64 from 0 to 2**32 - 1.

    `table` is `crc32_table()`. Equals `zlib.crc32(span, crc)`.
    """
    rest = np.uint32(crc ^ 0xFFFFFFFF)
    at = start
    end = start + size
    while at + _ROWS <= end:
        low = np.uint64(load64(octets, at)) ^ np.uint64(rest)
        high = np.uint64(load64(octets, at + 8))
        later = _sum(table, 7, high, 0) ^ _sum(table, 6, high, 8) ^ _sum(table, 5, high, 16)
        later ^= _sum(table, 4, high, 24) ^ _sum(table, 3, high, 32) ^ _sum(table, 2, high, 40)
        later ^= _sum(table, 1, high, 48) ^ _sum(table, 0, high, 56)
        later ^= _sum(table, 11, low, 32) ^ _sum(table, 10, low, 40) ^ _sum(table, 9, low, 48)
        later ^= _sum(table, 8, low, 56)
        first = _sum(table, 15, low, 0) ^ _sum(table, 14, low, 8) ^ _sum(table, 13, low, 16)
        rest = later ^ first ^ _sum(table, 12, low, 24)
        at += _ROWS
    while at < end:
        rest = np.uint32(rest >> np.uint32(8)) ^ _sum(table, 0, np.uint64(rest) ^ np.uint64(octets[at]), 0)
        at += 1
    return np.int64(rest) ^ 0xFFFFFFFF
