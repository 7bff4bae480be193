"""Unsigned integers of 64 bits in as few bytes as they need: seven bits a byte, the lowest first (LEB128).

All bytes of a number but the last have their highest bit set. A number stands in an int64, by its bits.
"""

import numpy as np

from synap.compiler.jit import kernel

VARINT_MAX = 10
"""Bytes of the longest number."""

_MORE = 0x80
_SEVEN = 0x7F
_REST = (1 << 57) - 1  # the bits that are left after seven have gone


@kernel
def varint_size(value):
    """Return the bytes that a number takes."""
    size = 1
    value = (value >> 7) & _REST
    while value:
        value >>= 7
        size += 1
    return size


@kernel
def put_varint(octets, at, value):
    """Write a number at octet `at`; return the octet behind it."""
    rest = (value >> 7) & _REST
    while rest:
        octets[at] = (value & _SEVEN) | _MORE
        at += 1
        value = rest
        rest >>= 7
    octets[at] = value & _SEVEN
    return at + 1


@kernel
def get_varint(octets, at):
    """Return (number, octet behind it) of the number at octet `at`."""
    byte = np.int64(octets[at])
    at += 1
    value = byte & _SEVEN
    shift = 7
    while byte & _MORE:
        byte = np.int64(octets[at])
        at += 1
        value |= (byte & _SEVEN) << shift
        shift += 7
    return value, at
