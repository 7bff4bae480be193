"""Conversions of JSON fields to arguments, with the refusals of wrong types.

Numbers may be given as text, only in the spellings that RESP accepts: `7`, not `+7`, `007` or `7_0`.
"""

import math
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from synap.derive.documents import Exact
from synap.faults import Fault
from synap.ranges import INT_MAX, INT_MIN


def _verbatim(value: Any) -> msgspec.Raw:
    """Encode an Exact by its text. Raise TypeError for any other type unknown to the encoder."""
    if isinstance(value, Exact):
        return msgspec.Raw(value.text.encode())
    raise TypeError


_json = msgspec.json.Encoder(enc_hook=_verbatim).encode
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(inf|infinity)", re.ASCII | re.IGNORECASE)
NESTING_MAX = 128
"""Levels of arrays and objects in one value. Every surface must be able to return the value, and each reads and
writes JSON by recursion."""


class Null:
    """Stands for a JSON null that is an element of an array, as opposed to a missing value."""


def wrong(name: str, wanted: str, value: Any) -> Fault:
    """Return the Fault for a field of another type than wanted."""
    kind = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array", dict: "an object"}
    found = "null" if value is None or value is Null else kind.get(type(value), type(value).__name__)
    return Fault("WRONG_FIELD", field=name, wanted=wanted, found=found)


def not_one_of(name: str, words: Iterable[str], value: Any) -> Fault:
    """Return the Fault for a field that is none of these words; it tells the beginning of another word."""
    wanted = "one of " + ", ".join(words)
    if isinstance(value, str):
        return Fault("WRONG_FIELD", field=name, wanted=wanted, found=repr(value[:40]))
    return wrong(name, wanted, value)


def to_text(name: str, value: Any) -> bytes:
    """Convert a name or key, a string or bytes. Raise Fault."""
    if isinstance(value, str):
        try:
            return value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise Fault("WRONG_FIELD", field=name, wanted="text", found="half a character") from None
    if isinstance(value, bytes):
        return value
    raise wrong(name, "a string", value)


def to_octets(name: str, value: Any) -> bytes:
    """Convert an array of the numbers 0 to 255, or a string, to bytes. Raise Fault."""
    if isinstance(value, list):
        try:
            octets = bytes(value)
        except (ValueError, TypeError):
            octets = b""
        if len(octets) < len(value) or bool in set(map(type, value)):
            raise wrong(name, "an array of numbers from 0 to 255", value)
        return octets
    return to_text(name, value)


def outside(name: str, what: str, least: int, most: int, found: float) -> Fault:
    """Return the Fault for a number that is not between `least` and `most`."""
    shown = f"{found:.15g}" if isinstance(found, float) else str(found)
    return Fault("WRONG_FIELD", field=name, wanted=f"{what} {in_words(least, most)}", found=shown)


def in_words(least: int, most: int) -> str:
    """Return a range of integers in words; empty if it is the range of 64 bits."""
    if most < INT_MAX:
        return f"from {least} to {most}"
    return f"of at least {least}" if least > INT_MIN else ""


def to_integer(name: str, value: Any, least: int = INT_MIN, most: int = INT_MAX) -> int:
    """Convert a number or text to a 64-bit integer from `least` to `most`. Raise Fault."""
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
    if not INT_MIN <= value <= INT_MAX:
        raise Fault("WRONG_FIELD", field=name, wanted="a number of 64 bits", found="a larger one")
    if not least <= value <= most:
        raise outside(name, "a whole number", least, most, value)
    return value


def _whole(name: str, value: Exact) -> int:
    """Convert an Exact by its text: `2.00` is whole, `2.00000000000000000001` is not, though its double is."""
    if not abs(value) < 1 << 64:
        return int(math.copysign(1 << 64, value))  # too large, whatever its digits
    try:
        number = Decimal(value.text)
        whole = number == number.to_integral_value()
    except InvalidOperation:  # an exponent beyond the range of Decimal
        whole = False
    if not whole:
        raise Fault("WRONG_FIELD", field=name, wanted="a whole number", found=value.text[:40])
    return int(number)


def to_real(name: str, value: Any) -> float:
    """Convert a number or text to a float. Raise Fault."""
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
    """Encode a value as JSON text that can be read back. Raise Fault."""
    try:
        text = _json(value)
    except (TypeError, ValueError, OverflowError):  # in-process: no JSON type, a lone surrogate, infinity
        raise wrong(name, "a JSON value", value) from None
    except RecursionError:
        raise _nested(name) from None
    if text.count(b"[") + text.count(b"{") > NESTING_MAX and _depth(value) > NESTING_MAX:
        raise _nested(name)
    return text


def _nested(name: str) -> Fault:
    return Fault("WRONG_FIELD", field=name, wanted=f"at most {NESTING_MAX} levels of nesting", found="more")


def _depth(value: Any) -> int:
    """Return the levels of arrays and objects in a value, at most NESTING_MAX + 1."""
    level, depth = [value], 0
    while depth <= NESTING_MAX:
        level = [each for each in level if isinstance(each, dict | list | tuple)]
        if not level:
            break
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
        depth += 1
    return depth


def to_flag(name: str, value: Any) -> bool:
    """Convert a boolean; None is False. Raise Fault."""
    if value is None or isinstance(value, bool):
        return value is True
    raise wrong(name, "a boolean", value)
