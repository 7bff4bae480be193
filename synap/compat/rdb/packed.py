"""Redis' packed structures, each in one text: ziplists, listpacks and sets of integers.

Each function yields the elements as texts, one by one, so that a reader can stop when they are too many. All of the
block is checked on the way: its length, each length inside, the way back from each element, the number of elements.

Of the three, only listpacks are also written: those of streams have no older form.
"""

import re
from collections.abc import Iterable, Iterator

from synap.compat.rdb.errors import BadData

END = 0xFF
UNKNOWN_COUNT = 0xFFFF
LISTPACK_HEAD, ZIPLIST_HEAD, INTSET_HEAD = 6, 10, 8
LONG_PREVIOUS = 254  # in a ziplist: the size of the element before stands in four more bytes
ZIPLIST_INTEGERS = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}
LISTPACK_INTEGERS = {0xF1: 2, 0xF2: 3, 0xF3: 4, 0xF4: 8}
INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")
"""What a listpack holds as an integer, if 64 bits suffice."""


def intset(block: bytes, at: int) -> Iterator[bytes]:
    """Yield the members of a set of integers, which stand in order."""
    size, width, count = len(block), _number(block, 0, 4), _number(block, 4, 4)
    if size < INTSET_HEAD or width not in (2, 4, 8) or INTSET_HEAD + width * count != size:
        raise BadData("a set of integers of the wrong size", at)
    before = -1 << 64
    for place in range(INTSET_HEAD, size, width):
        number = _integer(block, place, width)
        if number <= before:
            raise BadData("a set of integers out of order", at)
        yield b"%d" % number
        before = number


def listpack(block: bytes, at: int) -> Iterator[bytes]:
    """Yield the elements of a listpack."""
    last = len(block) - 1
    if last < LISTPACK_HEAD or _number(block, 0, 4) != len(block) or block[last] != END:
        raise BadData("a listpack of the wrong size", at)
    place, found, count = LISTPACK_HEAD, 0, _number(block, 4, 2)
    while place < last:
        text, width = _listpack_element(block, place, at)
        back = _BACKS[width] if width < len(_BACKS) else _back(width)
        behind = place + width + len(back)
        if behind > last or block[place + width : behind] != back:
            raise BadData("a listpack with a wrong length inside", at)
        yield text
        place = behind
        found += 1
    if count not in (found, UNKNOWN_COUNT):
        raise BadData(f"a listpack of {found} elements instead of {count}", at)


def _listpack_element(block: bytes, place: int, at: int) -> tuple[bytes, int]:
    """Return the text and the width of the element at `place`, which may end behind the block."""
    first = block[place]
    if first < 0x80:
        return b"%d" % first, 1
    if first < 0xC0:
        width = 1 + (first & 0x3F)
        return block[place + 1 : place + width], width
    if first < 0xE0:
        number = (first & 0x1F) << 8 | block[place + 1]
        return b"%d" % (number - 0x2000 if number >= 0x1000 else number), 2
    if first < 0xF0:
        width = 2 + ((first & 0x0F) << 8 | block[place + 1])
        return block[place + 2 : place + width], width
    if first == 0xF0:
        width = 5 + _number(block, place + 1, 4)
        return block[place + 5 : place + width], width
    if first in LISTPACK_INTEGERS:
        size = LISTPACK_INTEGERS[first]
        return b"%d" % _integer(block, place + 1, size), 1 + size
    raise BadData(f"a listpack with the unknown element {first:#04x}", at)


def _back(width: int) -> bytes:
    """Return what stands behind an element: its width, to be read backwards."""
    if width < 128:
        return bytes((width,))
    size = 2 if width < 16383 else 3 if width < 2097151 else 4 if width < 268435455 else 5
    rest = (width >> 7 * i & 127 | 128 for i in range(size - 2, -1, -1))
    return bytes((width >> 7 * (size - 1), *rest))


_BACKS = [_back(width) for width in range(1 << 10)]


def pack_listpack(elements: Iterable[bytes]) -> bytes:
    """Return the listpack of elements that `element` has made."""
    parts = list(elements)
    body = b"".join(parts)
    size, count = LISTPACK_HEAD + len(body) + 1, min(len(parts), UNKNOWN_COUNT)
    return b"".join((size.to_bytes(4, "little"), count.to_bytes(2, "little"), body, bytes((END,))))


def element(text: bytes) -> bytes:
    """Return a text as an element of a listpack: as an integer if it is one, as Redis does."""
    if INTEGER.fullmatch(text) and -1 << 63 <= int(text) < 1 << 63:
        return integer_element(int(text))
    size = len(text)
    if size < 64:
        body = bytes((0x80 | size,)) + text
    elif size < 4096:
        body = (0xE000 | size).to_bytes(2, "big") + text
    else:
        body = b"\xf0" + size.to_bytes(4, "little") + text
    return body + _back(len(body))


def integer_element(number: int) -> bytes:
    """Return an integer of 64 bits as an element of a listpack, in its shortest form."""
    if 0 <= number < 0x80:
        return bytes((number, 1))
    if -0x1000 <= number < 0x1000:
        return (0xC000 | number & 0x1FFF).to_bytes(2, "big") + b"\x02"
    form, size = next(
        (form, size) for form, size in LISTPACK_INTEGERS.items() if -1 << 8 * size - 1 <= number < 1 << 8 * size - 1
    )
    return bytes((form,)) + number.to_bytes(size, "little", signed=True) + bytes((1 + size,))


def ziplist(block: bytes, at: int) -> Iterator[bytes]:
    """Yield the elements of a ziplist."""
    last = len(block) - 1
    if last < ZIPLIST_HEAD or _number(block, 0, 4) != len(block) or block[last] != END:
        raise BadData("a ziplist of the wrong size", at)
    place, before, tail, found, count = ZIPLIST_HEAD, 0, ZIPLIST_HEAD, 0, _number(block, 8, 2)
    while place < last:
        start = place
        if block[place] < LONG_PREVIOUS:
            previous, place = block[place], place + 1
        else:
            previous, place = _number(block, place + 1, 4), place + 5
        if previous != before or block[start] == END or place >= last:
            raise BadData("a ziplist with a wrong length inside", at)
        text, width = _ziplist_element(block, place, at)
        place += width
        if place > last:
            raise BadData("a ziplist with a wrong length inside", at)
        yield text
        tail, before = start, place - start
        found += 1
    if _number(block, 4, 4) != tail or (count != found and (count != UNKNOWN_COUNT or found < count)):
        raise BadData(f"a ziplist of {found} elements instead of {count}, or whose last one is elsewhere", at)


def _ziplist_element(block: bytes, place: int, at: int) -> tuple[bytes, int]:
    """Return the text and the width of what stands at `place`, behind the size of the element before."""
    first = block[place]
    if first < 0x40:
        width = 1 + first
        return block[place + 1 : place + width], width
    if first < 0x80:
        width = 2 + ((first & 0x3F) << 8 | block[place + 1])
        return block[place + 2 : place + width], width
    if first < 0xC0:
        width = 5 + int.from_bytes(block[place + 1 : place + 5], "big")
        return block[place + 5 : place + width], width
    if first in ZIPLIST_INTEGERS:
        size = ZIPLIST_INTEGERS[first]
        return b"%d" % _integer(block, place + 1, size), 1 + size
    if 0xF1 <= first <= 0xFD:
        return b"%d" % (first - 0xF1), 1
    raise BadData(f"a ziplist with the unknown element {first:#04x}", at)


def _number(block: bytes, place: int, size: int) -> int:
    return int.from_bytes(block[place : place + size], "little")


def _integer(block: bytes, place: int, size: int) -> int:
    return int.from_bytes(block[place : place + size], "little", signed=True)
