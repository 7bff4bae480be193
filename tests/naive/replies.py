"""The naive twin of replies: a value spelled by its template, in RESP and in JSON, by plain recursion.

Texts are bytes (or str), records and maps dictionaries, tuples, arrays, sets and pairs lists.
"""

import json
from typing import Any

from synap.reply import Array, ByName, Either, Leaf, Map, Pairs, Record, SetOf, Status, Template, Tuple

LISTS = (Array, SetOf, Tuple, Pairs)


def real(value: float) -> bytes:
    """A double as Redis writes it: whole numbers without a point."""
    return b"%d" % value if abs(value) < 1 << 60 and value == int(value) else repr(value).encode()


def resp(of: Template, value: Any, version: int) -> bytes:
    """The bytes of a reply."""
    third = version == 3
    match of:
        case Leaf.NIL:
            return b"_\r\n" if third else b"$-1\r\n"
        case Leaf.NO_ARRAY:
            return b"_\r\n" if third else b"*-1\r\n"
        case Leaf.INTEGER | Leaf.TIME:
            return b":%d\r\n" % value
        case Leaf.REAL:
            return b",%b\r\n" % real(value) if third else bulk(real(value))
        case Leaf():
            return bulk(value)
        case Status():
            return b"+%b\r\n" % value
        case Array(items):
            members = [resp(items[i % len(items)], each, version) for i, each in enumerate(value)]
            return b"*%d\r\n" % len(members) + b"".join(members)
        case SetOf(item):
            return b"%b%d\r\n" % (b"~" if third else b"*", len(value)) + b"".join(resp(item, e, version) for e in value)
        case Tuple(members):
            return b"*%d\r\n" % len(members) + b"".join(
                resp(member, each, version) for (_, member), each in zip(members, value, strict=True))  # fmt: skip
        case Record(members):
            pairs = [bulk(name) + resp(member, value[name], version) for name, member in members]
            return head(len(pairs), third) + b"".join(pairs)
        case Map(item):
            pairs = [bulk(name) + resp(item, each, version) for name, each in value.items()]
            return head(len(pairs), third) + b"".join(pairs)
        case ByName(item):
            pairs = [bulk(name) + resp(item, each, version) for name, each in value.items()]
            if third:
                return head(len(pairs), third) + b"".join(pairs)
            return b"*%d\r\n" % len(pairs) + b"".join(b"*2\r\n" + pair for pair in pairs)
        case Pairs(first, second):
            pairs = [resp(first, one, version) + resp(second, other, version) for one, other in value]
            if third:
                return b"*%d\r\n" % len(pairs) + b"".join(b"*2\r\n" + pair for pair in pairs)
            return b"*%d\r\n" % (2 * len(pairs)) + b"".join(pairs)
        case Either(choices):
            return resp(chosen(choices, value), value, version)
    raise AssertionError(of)


def head(members: int, third: bool) -> bytes:
    return b"%%%d\r\n" % members if third else b"*%d\r\n" % (2 * members)


def bulk(text: Any) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return b"$%d\r\n%b\r\n" % (len(data), data)


def chosen(choices: tuple[Template, ...], value: Any) -> Template:
    """The alternative that a value is."""
    for one in choices:
        if value is None or value is True or value == "OK":
            fits = one in (Leaf.NIL, Leaf.NO_ARRAY) if value is None else one is Leaf.DONE
        elif isinstance(value, list):
            fits = isinstance(one, LISTS)
        elif isinstance(value, dict):
            fits = isinstance(one, Record | Map | ByName)
        elif isinstance(value, int | float):
            fits = one in (Leaf.INTEGER, Leaf.TIME, Leaf.REAL, Leaf.ANY)
        else:
            fits = isinstance(one, Status | Leaf) and one not in (Leaf.NIL, Leaf.DONE, Leaf.INTEGER)
        if fits:
            return one
    raise AssertionError(f"{value!r} is none of {choices}")


def as_json(of: Template, value: Any) -> Any:
    """What JSON surfaces make of a reply; texts are no stored JSON."""
    data = value.encode() if isinstance(value, str) else value
    match of:
        case Leaf.DONE:
            return True
        case Leaf.TIME:
            return value // 1000
        case Leaf.OCTETS:
            return list(data)
        case Leaf.VALUE_OCTETS:
            return list(json.dumps(data.decode(), ensure_ascii=False).encode())
        case Leaf.OBJECT:
            return json.loads(data or b"{}")
        case Leaf() | Status():
            return value.decode() if isinstance(value, bytes) else value
        case Array(items):
            return [as_json(items[i % len(items)], each) for i, each in enumerate(value)]
        case SetOf(item):
            return [as_json(item, each) for each in value]
        case Tuple(members):
            return {name: as_json(member, each) for (name, member), each in zip(members, value, strict=True)}
        case Record(members):
            return {name: as_json(member, value[name]) for name, member in members}
        case Map(item) | ByName(item):
            return {as_json(Leaf.TEXT, name): as_json(item, each) for name, each in value.items()}
        case Pairs(first, second):
            return [[as_json(first, one), as_json(second, other)] for one, other in value]
        case Either(choices):
            return as_json(chosen(choices, value), value)
    raise AssertionError(of)
