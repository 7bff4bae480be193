"""What a program in this process may store: what comes back as it was, and nothing else.

    str, int, float, bool, None, list, dict     JSON; a tuple is an array, and comes back as a list
    bytes, bytearray, memoryview, array, ...    their bytes: whatever offers a buffer, in the order of its items

JSON has no NaN and no infinity, no bytes within arrays and objects, no names but texts; an encoder would write null,
base64 and texts in their place. All of that is refused with where it is in the value, and what it is.
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
    """The bytes of whatever offers a buffer, or None. A number that numpy has made is no such thing."""
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
    """`value` as the binder takes it: a str, bytes, or JSON of Python's own types."""
    if isinstance(value, str):
        return checked_text(name, value)
    octets = octets_of(value)
    if octets is not None:
        return octets
    return _checked(value, name, set())


def json_of(name: str, value: Any) -> str:
    """The JSON text of a value that JSON holds."""
    return json.dumps(_checked(value, name, set()), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def named(name: str, value: Any) -> str | bytes:
    """A key or a name: a text, or bytes of any kind."""
    if isinstance(value, str):
        return checked_text(name, value)
    octets = octets_of(value)
    if octets is None:
        raise WrongType("WRONG_FIELD", field=name, wanted="str or bytes", found=described(value))
    return octets


def checked_text(where: str, value: str) -> str:
    """A text that UTF-8 has: no half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        found = f"half a character at {error.start}: {value[error.start]!r}"
        raise WrongValue("WRONG_FIELD", field=where, wanted="text", found=found) from None
    return value


def described(value: Any) -> str:
    """The type of a value, and the value if it is short."""
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    text = repr(value)
    return f"{name} {text}" if len(text) <= 40 and value is not None else name


def _checked(value: Any, where: str, outer: set[int]) -> Any:
    """The value, if JSON holds it and it comes back equal; subclasses as what they are subclasses of."""
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
        return value  # refused for its depth by who writes it
    outer.add(id(value))
    try:
        if isinstance(value, dict):
            return {_name(name, where): _checked(inner, f"{where}[{name!r}]", outer) for name, inner in value.items()}
        return [_checked(inner, f"{where}[{i}]", outer) for i, inner in enumerate(value)]
    finally:
        outer.discard(id(value))


NESTING_LOOKED_AT = 200
"""More than any value may have."""


def _name(name: Any, where: str) -> str:
    if not isinstance(name, str):
        raise WrongType("WRONG_FIELD", field=where, wanted="names that are str", found=described(name))
    return checked_text(where, name)
