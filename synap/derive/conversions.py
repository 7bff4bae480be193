"""What a field of a JSON object must be to become an argument, and the refusals that say so.

Numbers may come as text, in the spellings that RESP takes and no other: `7`, not `+7`, `007` or `7_0`.
"""

import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from synap.derive.documents import Exact
from synap.faults import Fault


def _verbatim(value: Any) -> msgspec.Raw:
    """A number as it came; what else the encoder does not know is no JSON."""
    if isinstance(value, Exact):
        return msgspec.Raw(value.text.encode())
    raise TypeError


_json = msgspec.json.Encoder(enc_hook=_verbatim).encode
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(inf|infinity)", re.ASCII | re.IGNORECASE)
NESTING_MAX = 128
"""Arrays and objects within each other in one value. It must come back through every surface, and each of
them reads and writes JSON by recursion."""


class Null:
    """A JSON null that is an element: not the same as missing."""


def wrong(name: str, wanted: str, value: Any) -> Fault:
    """The Fault for a field of another type than wanted."""
    kind = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array", dict: "an object"}
    found = "null" if value is None or value is Null else kind.get(type(value), type(value).__name__)
    return Fault("WRONG_FIELD", field=name, wanted=wanted, found=found)


def to_text(name: str, value: Any) -> bytes:
    """A name or key: a string, or bytes."""
    if isinstance(value, str):
        try:
            return value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise Fault("WRONG_FIELD", field=name, wanted="text", found="half a character") from None
    if isinstance(value, bytes):
        return value
    raise wrong(name, "a string", value)


def to_octets(name: str, value: Any) -> bytes:
    """An array of the numbers 0 to 255, or a string."""
    if isinstance(value, list):
        try:
            octets = bytes(value)
        except (ValueError, TypeError):
            octets = b""
        if len(octets) < len(value) or bool in set(map(type, value)):
            raise wrong(name, "an array of numbers from 0 to 255", value)
        return octets
    return to_text(name, value)


def to_integer(name: str, value: Any) -> int:
    """A 64-bit integer, maybe spelled as text."""
    if isinstance(value, str | bytes):
        text = value if isinstance(value, str) else value.decode("latin-1")
        if not _INTEGER.fullmatch(text):
            raise Fault("WRONG_FIELD", field=name, wanted="a whole number", found=repr(text[:40]))
        value = int(text)
    if isinstance(value, Exact):
        value = _whole(name, value)
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong(name, "a whole number", value)
    if not -(1 << 63) <= value < 1 << 63:
        raise Fault("WRONG_FIELD", field=name, wanted="a number of 64 bits", found="a larger one")
    return value


def _whole(name: str, value: Exact) -> int:
    """`2.00` is a whole number, `2.00000000000000000001` is none, though its nearest double is."""
    if not abs(value) < 1 << 64:
        return int(math.copysign(1 << 64, value))  # too large, whatever it is exactly
    try:
        number = Decimal(value.text)
        whole = number == number.to_integral_value()
    except InvalidOperation:  # more zeros behind the point than Decimal counts
        whole = False
    if not whole:
        raise Fault("WRONG_FIELD", field=name, wanted="a whole number", found=value.text[:40])
    return int(number)


def to_real(name: str, value: Any) -> float:
    """A number, maybe spelled as text."""
    if isinstance(value, str | bytes):
        text = value if isinstance(value, str) else value.decode("latin-1")
        if not _REAL.fullmatch(text) or (math.isinf(float(text)) and "n" not in text.lower()):
            raise Fault("WRONG_FIELD", field=name, wanted="a number", found=repr(text[:40]))
        value = float(text)
    if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
        raise wrong(name, "a number", value)
    if isinstance(value, Exact) and math.isinf(value):
        raise Fault("WRONG_FIELD", field=name, wanted="a double", found="a larger number")
    try:
        return float(value)
    except OverflowError:
        raise Fault("WRONG_FIELD", field=name, wanted="a double", found="a larger number") from None


def to_json(name: str, value: Any) -> bytes:
    """A value as JSON text that can be read back."""
    try:
        text = _json(value)
    except (TypeError, ValueError, OverflowError):  # in-process: not JSON, a lone surrogate, a number without end
        raise wrong(name, "a JSON value", value) from None
    except RecursionError:
        raise _nested(name) from None
    if text.count(b"[") + text.count(b"{") > NESTING_MAX and _depth(value) > NESTING_MAX:
        raise _nested(name)
    return text


def _nested(name: str) -> Fault:
    return Fault("WRONG_FIELD", field=name, wanted=f"at most {NESTING_MAX} levels of nesting", found="more")


def _depth(value: Any) -> int:
    """How many arrays and objects lie within each other, counted up to one too many."""
    level, depth = [value], 0
    while depth <= NESTING_MAX:
        level = [each for each in level if isinstance(each, dict | list | tuple)]
        if not level:
            break
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
        depth += 1
    return depth


def to_flag(name: str, value: Any) -> bool:
    """A boolean; what is missing is False."""
    if value is None or isinstance(value, bool):
        return value is True
    raise wrong(name, "a boolean", value)
