"""The base of the client's methods: the options of the client, and the form in which it returns texts."""

import builtins
from typing import Any, Generic, TypeVar

from synap.client.options import Options

D = TypeVar("D", bytes, str)
"""The form of texts: bytes, or str with the option `decode`."""


class Calls(Generic[D]):
    """What a client has that the methods need. A subclass carries the requests out."""

    options: Options

    def _data(self, value: Any) -> Any:
        """Return texts in the client's form (bytes or str), also inside of lists and maps."""
        if not self.options.decode:
            return value
        if isinstance(value, bytes):
            return value.decode()
        if isinstance(value, list | tuple):
            return [self._data(item) for item in value]
        if isinstance(value, dict):
            return {self._data(key): self._data(item) for key, item in value.items()}
        return value

    def _places(self, value: Any) -> Any:
        """Return found members, each distance as a float: RESP sends it as a text. How many were stored stays."""
        if not isinstance(value, list):
            return value
        return [self._place(found) if isinstance(found, list) else self._data(found) for found in value]

    def _place(self, found: list[Any]) -> list[Any]:
        member, *facts = found
        return [self._data(member), *(float(fact) if isinstance(fact, bytes) else fact for fact in facts)]

    def _members(self, value: Any) -> Any:
        return builtins.set(self._data(value))

    def _scored(self, pair: Any) -> Any:
        return self._data(pair[0]), float(pair[1])

    def _tuple(self, value: Any) -> Any:
        return None if value is None else tuple(self._data(value))
