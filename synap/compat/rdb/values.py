"""The values of RDB by their types: each kind in each form that Redis has written; streams are in `streams.py`.

Redis' numbers of the types are in `TYPES`; those of values that Synap does not have are in `REFUSED`. All of a value is
checked: a member, field or element that would be there twice is refused, as Redis does.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from synap.compat.rdb import packed, streams
from synap.compat.rdb.errors import EmptyValue, NotSupported
from synap.compat.rdb.reader import Reader

STRING, LIST, SET, HASH, ZSET, HASH_EXPIRING = 0, 1, 2, 4, 5, 24
"""The types that are also written: those whose elements stand one by one."""
FUNCTION = 245  # stands before the text of a library of functions
VERSION_MAX = 12
"""The version of the format of Redis 7.4, whose hashes have fields that expire; Redis 7.2 has 11."""

PLAIN_NODE, PACKED_NODE = 1, 2  # of a list in nodes
NAN, INFINITY, NEGATIVE_INFINITY = 253, 254, 255  # in place of the length of a score in text
DEADLINE_MAX = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Value:
    """A value: the name of its kind, and its elements.

    A string has one element; those of lists and sets are texts, of hashes (field, value, deadline in ms or 0), of
    sorted sets (score, member), of streams the parts that `streams.py` makes. `json` has the places of elements whose
    text, or value, is marked as JSON.
    """

    kind: str
    items: list[Any]
    json: frozenset[int] = frozenset()


def read_value(reader: Reader, type_number: int) -> Value:
    """Return the value of this type at the reader's place, and move on behind it."""
    if type_number in REFUSED:
        raise NotSupported(REFUSED[type_number], reader.at)
    if type_number not in TYPES:
        raise reader.bad(f"the unknown type {type_number}")
    start = reader.at
    kind, read = TYPES[type_number]
    items = read(reader)
    if not items:
        raise EmptyValue(f"a {kind} without elements", start)
    return Value(kind, items)


def _string(reader: Reader) -> list[Any]:
    return [reader.text()]


def _texts(reader: Reader) -> list[Any]:
    return [reader.text() for _ in range(reader.count())]


def _set(reader: Reader) -> list[Any]:
    return _distinct(reader, _texts(reader))


def _hash(reader: Reader) -> list[Any]:
    items = [(reader.text(), reader.text(), 0) for _ in range(reader.count(2))]
    _distinct(reader, [item[0] for item in items])
    return items


def _expiring_hash(reader: Reader) -> list[Any]:
    """Return a hash whose deadlines count from the first of them, and 1 more than that."""
    least, items = reader.signed(8), []
    for _ in range(reader.count(3)):
        left = reader.length()
        deadline = least + left - 1 if left else 0
        items.append((reader.text(), reader.text(), _deadline(reader, deadline)))
    _distinct(reader, [item[0] for item in items])
    return items


def _deadline(reader: Reader, deadline: int) -> int:
    if not 0 <= deadline <= DEADLINE_MAX:
        raise reader.bad(f"the deadline {deadline}")
    return deadline


def _zset(score: Callable[[Reader], float]) -> Callable[[Reader], list[Any]]:
    def read(reader: Reader) -> list[Any]:
        items = []
        for _ in range(reader.count(2)):
            member = reader.text()
            items.append((_number(reader, score(reader)), member))
        _distinct(reader, [item[1] for item in items])
        return items

    return read


def _text_score(reader: Reader) -> float:
    """Return a score as text behind its length, in which three numbers stand for what is no number or infinite."""
    size = reader.byte()
    if size == NAN:
        return math.nan
    if size in (INFINITY, NEGATIVE_INFINITY):
        return math.inf if size == INFINITY else -math.inf
    return _parsed(reader, reader.take(size))


def _parsed(reader: Reader, text: bytes) -> float:
    if b"_" in text or text != text.strip():
        raise reader.bad("a score that is no number")
    try:
        return float(text)
    except ValueError:
        raise reader.bad("a score that is no number") from None


def _number(reader: Reader, score: float) -> float:
    if math.isnan(score):
        raise reader.bad("a score that is no number")
    return score


Elements = Callable[[bytes, int], Iterator[bytes]]


def _elements(reader: Reader, unpack: Elements) -> list[bytes]:
    """Return the elements of the packed structure at the reader's place."""
    at = reader.at
    return reader.counted(unpack(reader.text(), at))


def _packed_list(unpack: Elements) -> Callable[[Reader], list[Any]]:
    return lambda reader: _elements(reader, unpack)


def _packed_set(unpack: Elements) -> Callable[[Reader], list[Any]]:
    return lambda reader: _distinct(reader, _elements(reader, unpack))


def _packed_hash(unpack: Elements) -> Callable[[Reader], list[Any]]:
    def read(reader: Reader) -> list[Any]:
        texts = _groups(reader, _elements(reader, unpack), 2)
        return [(field, value, 0) for field, value in zip(texts[::2], texts[1::2], strict=True)]

    return read


def _packed_expiring_hash(reader: Reader) -> list[Any]:
    """Return a hash as fields, values and deadlines (0: none), behind the first deadline, which tells nothing more."""
    reader.take(8)
    texts = _groups(reader, _elements(reader, packed.listpack), 3)
    items = []
    for field, value, deadline in zip(texts[::3], texts[1::3], texts[2::3], strict=True):
        if not deadline.isdigit() or len(deadline) > len(str(DEADLINE_MAX)):
            raise reader.bad("a deadline that is no number")
        items.append((field, value, _deadline(reader, int(deadline))))
    return items


def _packed_zset(unpack: Elements) -> Callable[[Reader], list[Any]]:
    def read(reader: Reader) -> list[Any]:
        texts = _groups(reader, _elements(reader, unpack), 2)
        return [(_number(reader, _parsed(reader, score)), member)
                for member, score in zip(texts[::2], texts[1::2], strict=True)]  # fmt: skip

    return read


def _groups(reader: Reader, texts: list[bytes], size: int) -> list[bytes]:
    """Return `texts` if they are groups of `size` whose first members differ."""
    if len(texts) % size:
        raise reader.bad(f"{len(texts)} elements, which are no groups of {size}")
    _distinct(reader, texts[::size])
    return texts


def _distinct(reader: Reader, texts: list[bytes]) -> list[bytes]:
    if len(set(texts)) != len(texts):
        raise reader.bad("an element that is there twice")
    return texts


def _nodes(reader: Reader) -> list[Any]:
    """Return a list in nodes, each a ziplist."""
    found: list[bytes] = []
    for _ in range(reader.count()):
        found += _elements(reader, packed.ziplist)
    return found


def _nodes_of_two_forms(reader: Reader) -> list[Any]:
    """Return a list in nodes, each one large element or a listpack."""
    found: list[bytes] = []
    for _ in range(reader.count(2)):
        form = reader.length()
        if form == PLAIN_NODE:
            found.append(reader.text())
        elif form == PACKED_NODE:
            found += _elements(reader, packed.listpack)
        else:
            raise reader.bad(f"a node of the unknown form {form}")
    return found


TYPES: dict[int, tuple[str, Callable[[Reader], list[Any]]]] = {
    STRING: ("string", _string),
    LIST: ("list", _texts),
    10: ("list", _packed_list(packed.ziplist)),
    14: ("list", _nodes),
    18: ("list", _nodes_of_two_forms),
    SET: ("set", _set),
    11: ("set", _packed_set(packed.intset)),
    20: ("set", _packed_set(packed.listpack)),
    HASH: ("hash", _hash),
    13: ("hash", _packed_hash(packed.ziplist)),
    16: ("hash", _packed_hash(packed.listpack)),
    HASH_EXPIRING: ("hash", _expiring_hash),
    25: ("hash", _packed_expiring_hash),
    3: ("zset", _zset(_text_score)),
    ZSET: ("zset", _zset(Reader.double)),
    12: ("zset", _packed_zset(packed.ziplist)),
    17: ("zset", _packed_zset(packed.listpack)),
    **{
        number: ("stream", streams.reader_of(number))
        for number in (streams.LISTPACKS, streams.LISTPACKS_2, streams.LISTPACKS_3)
    },
}

REFUSED = {
    6: "modules", 7: "modules",
    9: "hashes of Redis 2.4 and older",
    22: "hashes of a preview of Redis 7.4", 23: "hashes of a preview of Redis 7.4",
}  # fmt: skip
