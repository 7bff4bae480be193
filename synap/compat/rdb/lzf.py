"""LZF, the compression of long texts in RDB: expands one block.

A control byte below 32 is followed by that many literal bytes and one. Any other has in its upper three bits the length
of a match (7: one more byte is added), in the rest and the next byte the distance back to its begin.
"""

from synap.compat.rdb.errors import BadData

LITERALS_MAX = 32
LONG_MATCH = 7
EXPANSION_MAX = 132  # three bytes are at most 264 bytes of a match


def expand(block: bytes, size: int, at: int) -> bytes:
    """Return the text of `size` bytes whose block stands at offset `at`. Never holds more than that."""
    if size > EXPANSION_MAX * len(block):
        raise BadData(f"a text of {size} bytes in a block of {len(block)}", at)
    found = bytearray()
    place, end = 0, len(block)
    while place < end:
        control = block[place]
        place += 1
        if control < LITERALS_MAX:
            stop = place + control + 1
            if stop > end or len(found) + control >= size:
                raise BadData("a compressed text that does not fit", at)
            found += block[place:stop]
            place = stop
            continue
        length = control >> 5
        if place + (length == LONG_MATCH) >= end:
            raise BadData("a compressed text that is cut", at)
        if length == LONG_MATCH:
            length += block[place]
            place += 1
        length += 2
        distance = ((control & 31) << 8 | block[place]) + 1
        place += 1
        start = len(found) - distance
        if start < 0 or len(found) + length > size:
            raise BadData("a compressed text that does not fit", at)
        if distance >= length:
            found += found[start : start + length]
        else:
            piece = bytes(found[start:])
            found += (piece * (length // distance + 1))[:length]
    if len(found) != size:
        raise BadData(f"a compressed text of {len(found)} bytes instead of {size}", at)
    return bytes(found)
