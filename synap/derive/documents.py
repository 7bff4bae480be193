"""Strict JSON decoding: refuses duplicate names, and keeps all digits of every number.

    {"key": "a", "\\u006bey": "b"}      refused: the name 'key' occurs twice, in two spellings
    0.10000000000000000555, 1e400, -0   an `Exact`: a float that keeps its text, and the text is stored

Usual decoders silently keep the last of two members with one name, and the nearest double of a number. Names are
compared one by one only if the colons do not add up, so a small object of plain texts costs a few searches.
"""

import json
import re
from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec

from synap.faults import Fault

FIELDS_FEW = 32
"""Above this, `_plain` does not search the body for each name: no row has so many fields."""
_MINUS_ZERO = re.compile(rb"[:,\[ \t\n\r]-0(?![0-9.eE])")


class Exact(float):
    """A number whose text differs from the shortest spelling of its double."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> "Exact":
        made = super().__new__(cls, text)
        made.text = text
        return made


def number_of(text: str) -> float:
    """Return a float, or an Exact if the float would be written in another way."""
    value = float(text)
    return value if repr(value) == text else Exact(text)


def _integer_of(text: str) -> float:
    return Exact(text) if text == "-0" else int(text)


_decode = msgspec.json.Decoder(float_hook=number_of).decode


def document(body: bytes) -> Any:
    """Decode JSON text. Raise Fault: BAD_JSON (400), or WRONG_FIELD (422) for a duplicate name in an object."""
    try:
        value = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Fault("BAD_JSON", detail=str(error)) from None
    except RecursionError:
        raise Fault("BAD_JSON", detail="it is nested too deeply") from None
    colons = body.count(b":")
    if colons and not (type(value) is dict and (colons == len(value) or _plain(body, value))):
        if colons != _members(value):
            _refuse_duplicates(body)
    if b"-0" in body and _MINUS_ZERO.search(b" " + body):
        return json.loads(body, parse_int=_integer_of, parse_float=number_of)
    return value


def _plain(body: bytes, value: dict[str, Any]) -> bool:
    """Return True for a small object without inner objects and arrays, each of whose names occurs once in `body`."""
    if b"\\" in body or len(value) > FIELDS_FEW:
        return False
    return all(
        type(inner) is not dict and type(inner) is not list and body.count(b'"%b"' % name.encode()) == 1
        for name, inner in value.items()
    )


def _members(value: Any) -> int:
    """Return the number of members of all objects in a value."""
    count, left = 0, [value]
    while left:
        one = left.pop()
        if type(one) is dict:
            count += len(one)
            left += one.values()
        elif type(one) is list and not {dict, list}.isdisjoint(map(type, one)):
            left += one
    return count


def _refuse_duplicates(body: bytes) -> None:
    try:
        json.loads(body, parse_int=float, object_pairs_hook=_check_once)
    except RecursionError:
        raise Fault("BAD_JSON", detail="it is nested too deeply") from None


def _check_once(pairs: list[tuple[str, Any]]) -> None:
    check_once([name for name, _ in pairs])


def check_once(names: list[str]) -> None:
    """Raise Fault if a name occurs twice."""
    if len(set(names)) != len(names):
        name, count = Counter(names).most_common(1)[0]
        raise Fault("WRONG_FIELD", field=name, wanted="one value", found=str(count))


def read_native(octets: bytes) -> Any:
    """Decode a stored JSON value into Python's types; a number too large for a float becomes a Decimal."""
    try:
        return msgspec.json.decode(octets)
    except msgspec.ValidationError:
        return json.loads(octets, parse_float=_double_or_decimal)


def _double_or_decimal(text: str) -> float | Decimal:
    value = float(text)
    return Decimal(text) if value in (float("inf"), float("-inf")) else value
