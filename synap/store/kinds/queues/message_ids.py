"""Ids of messages, which are UUIDs, and receipts of their deliveries: an id, a colon, the number of the delivery."""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.integers import INTEGER_SIZE_MAX, parse_integer, print_integer

ID_BYTES, ID_TEXT_BYTES = 16, 36
COLON = 58
RECEIPT_MAX = ID_TEXT_BYTES + 1 + INTEGER_SIZE_MAX


@kernel
def print_id(octets, target, id_a, id_b):
    """Write an id as the 36 characters of a UUID."""
    for i in range(ID_BYTES):
        value = id_a if i < 8 else id_b
        byte = (value >> (8 * (i & 7))) & 0xFF
        if i == 4 or i == 6 or i == 8 or i == 10:
            octets[target] = 45
            target += 1
        for digit in (byte >> 4, byte & 15):
            octets[target] = digit + (48 if digit < 10 else 87)
            target += 1


@kernel
def parse_id(octets, start, size):
    """Return (id_a, id_b, ok) of the 36 characters of a UUID."""
    id_a = np.int64(0)
    id_b = np.int64(0)
    if size != ID_TEXT_BYTES:
        return id_a, id_b, False
    digits = 0
    for i in range(ID_TEXT_BYTES):
        c = np.int64(octets[start + i])
        if i == 8 or i == 13 or i == 18 or i == 23:
            if c != 45:
                return id_a, id_b, False
            continue
        if 48 <= c <= 57:
            c -= 48
        elif 97 <= c <= 102:
            c -= 87
        elif 65 <= c <= 70:
            c -= 55
        else:
            return id_a, id_b, False
        shift = 8 * ((digits >> 1) & 7) + (0 if digits & 1 else 4)
        if digits < 16:
            id_a |= c << shift
        else:
            id_b |= c << shift
        digits += 1
    return id_a, id_b, True


@kernel
def print_receipt(octets, target, id_a, id_b, delivery):
    """Write the receipt of a delivery as text; return its size. The id stands in the first ID_TEXT_BYTES."""
    print_id(octets, target, id_a, id_b)
    octets[target + ID_TEXT_BYTES] = COLON
    return ID_TEXT_BYTES + 1 + print_integer(octets, target + ID_TEXT_BYTES + 1, delivery)


@kernel
def parse_receipt(octets, start, size):
    """Return (id_a, id_b, number of the delivery, ok) of a receipt, or of an id alone: then the number is 0."""
    delivery = np.int64(0)
    good = True
    if size > ID_TEXT_BYTES and octets[start + ID_TEXT_BYTES] == COLON:
        delivery, good = parse_integer(octets, start + ID_TEXT_BYTES + 1, size - ID_TEXT_BYTES - 1)
        good = good and delivery > 0
        size = ID_TEXT_BYTES
    id_a, id_b, valid = parse_id(octets, start, size)
    return id_a, id_b, delivery, valid and good
