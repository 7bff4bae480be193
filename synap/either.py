"""Arguments with several names or forms, for both Python interfaces: the in-process one and the client."""

from collections.abc import Sequence
from typing import Any


def either(**named: Any) -> Any:
    """Return the value of the one name that is given (is not None), or None. Raise TypeError if several are."""
    given = {name: value for name, value in named.items() if value is not None}
    if len(given) > 1:
        raise TypeError(f"{' and '.join(given)} are alternatives: wanted one of them, found {len(given)}")
    return next(iter(given.values()), None)


def in_ms(**named: float | None) -> int | None:
    """Return the one given number of seconds as milliseconds, or None. Raise TypeError if several are given."""
    seconds = either(**named)
    return None if seconds is None else round(seconds * 1000)


def each_of(keys: Sequence[Any]) -> list[Any]:
    """Return a list of keys that were given one by one, or as one list or tuple."""
    if len(keys) == 1 and isinstance(keys[0], list | tuple):
        return list(keys[0])
    return list(keys)
