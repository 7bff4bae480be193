"""Checks of Python values that a program in this process stores: only values that read back equal are accepted.

    str, int, float, bool, None, list, dict     JSON; a tuple is stored as an array and read back as a list
    bytes, bytearray, memoryview, array, ...    their bytes: any object with a buffer, in the order of its items

JSON has no NaN and no infinity, no bytes within arrays and objects, and only texts as names; an encoder would
silently write null, base64 and texts instead. Such values are refused, with their place in the value and their type.
"""

import json
import math
from typing import Any

from synap.faults import Fault


class WrongType(Fault, TypeError):
    """A Fault that is also Python's own exception for a value of the wrong type."""


class WrongValue(Fault, ValueError):
    """A Fault that is also Python's own exception for a wrong value of the right type."""


WANTED = "str, bytes, or what JSON holds"


def octets_of(value: Any) -> bytes | None:
    """Return the bytes of an object with a buffer, or None for any other object and for a numpy scalar."""
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, str) or (hasattr(value, "dtype") and not getattr(value, "shape", ())):
        return None
    try:
        view = memoryview(value)
        return None if "O" in view.format else view.tobytes()  # O: addresses of Python objects
    except (TypeError, ValueError, BufferError, NotImplementedError):
        return None


def native(name: str, value: Any) -> Any:
    """Return `value` in a form that binders accept: str, bytes, or JSON in Python's own types. Raise Fault."""
    if isinstance(value, str):
        return checked_text(name, value)
    octets = octets_of(value)
    if octets is not None:
        return octets
    return _checked(value, name, set())


def json_of(name: str, value: Any) -> str:
    """Return `value` as JSON text. Raise Fault if JSON cannot hold it."""
    return json.dumps(_checked(value, name, set()), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def named(name: str, value: Any) -> str | bytes:
    """Return a key or name as str or bytes. Raise WrongType for any other type."""
    if isinstance(value, str):
        return checked_text(name, value)
    octets = octets_of(value)
    if octets is None:
        raise WrongType("WRONG_FIELD", field=name, wanted="str or bytes", found=described(value))
    return octets


def checked_text(where: str, value: str) -> str:
    """Return `value` if UTF-8 can encode it. Raise WrongValue for half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        found = f"half of a surrogate pair at {error.start}: {value[error.start]!r}"
        raise WrongValue("WRONG_FIELD", field=where, wanted="text", found=found) from None
    return value


def described(value: Any) -> str:
    """Return the type of a value as text, with the value if it is short."""
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    text = repr(value)
    return f"{name} {text}" if len(text) <= 40 and value is not None else name


def _checked(value: Any, where: str, outer: set[int]) -> Any:
    """Return the value if JSON holds it and it reads back equal, with subclasses as their base types. Raise Fault."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return checked_text(where, str(value) if type(value) is str else str.__str__(value))
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise WrongValue("WRONG_FIELD", field=where, wanted="a number that JSON has", found=described(value))
        return float(value)
    if not isinstance(value, list | tuple | dict):
        raise WrongType("WRONG_FIELD", field=where, wanted=WANTED, found=described(value))
    if id(value) in outer:
        raise WrongValue("WRONG_FIELD", field=where, wanted=WANTED, found=f"a {type(value).__name__} within itself")
    if len(outer) > NESTING_LOOKED_AT:
        return value  # the encoder refuses it for its depth
    outer.add(id(value))
    try:
        if isinstance(value, dict):
            return {_name(name, where): _checked(inner, f"{where}[{name!r}]", outer) for name, inner in value.items()}
        return [_checked(inner, f"{where}[{i}]", outer) for i, inner in enumerate(value)]
    finally:
        outer.discard(id(value))


NESTING_LOOKED_AT = 200
"""Levels of nesting that are checked: more than any value may have."""


def _name(name: Any, where: str) -> str:
    if not isinstance(name, str):
        raise WrongType("WRONG_FIELD", field=where, wanted="names that are str", found=described(name))
    return checked_text(where, name)
