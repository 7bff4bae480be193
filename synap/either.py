"""Arguments that go by two names, in both Python interfaces: in-process and of the client."""

from collections.abc import Sequence
from typing import Any


def either(**named: Any) -> Any:
    """The value of the one name that is given (is not None), or None. Raises TypeError if several are."""
    given = {name: value for name, value in named.items() if value is not None}
    if len(given) > 1:
        raise TypeError(f"{' and '.join(given)} say the same: wanted one of them, found {len(given)}")
    return next(iter(given.values()), None)


def in_ms(**named: float | None) -> int | None:
    """The same of seconds, as milliseconds."""
    seconds = either(**named)
    return None if seconds is None else round(seconds * 1000)


def each_of(keys: Sequence[Any]) -> list[Any]:
    """Keys that were given one by one, or as one list."""
    if len(keys) == 1 and isinstance(keys[0], list | tuple):
        return list(keys[0])
    return list(keys)
