"""Requests: each client method is described once and carried out in three ways.

A *request* is data: the words of a command and a converter for its reply. A method is written once, as a function that
returns its request. `method` turns the function into a descriptor, and the object it is called on carries the
request out:

    on a Blocking object     client.get("a")         the value
    on an Awaiting object    await client.get("a")   the value
    on a Batched object      pipeline.get("a")       a Later, whose value is set when the batch has been sent

`__get__` is overloaded by the kind of the object, so type checkers see three signatures.
"""

import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial, update_wrapper
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload

from synap.client.errors import ClientError
from synap.client.machine import Word

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Request(Generic[T]):
    """One command. `repeatable`: carrying it out twice has the effect of once, so it may be sent again after its
    connection broke. `patience`: additional seconds to wait for the reply, because the command itself waits."""

    words: tuple[Word, ...]
    convert: Callable[[Any], T]
    repeatable: bool = False
    patience: float = 0.0


def asking(convert: Callable[[Any], T], *words: Word) -> Request[T]:
    """Return the request of a command that changes nothing."""
    return Request(words, convert, True)


def doing(convert: Callable[[Any], T], *words: Word) -> Request[T]:
    """Return the request of a command that changes something."""
    return Request(words, convert)


class Later(Generic[T]):
    """The result of a call in a batch, available once the batch has been sent."""

    __slots__ = ("_error", "_value", "done")

    def __init__(self) -> None:
        self.done = False
        self._value: Any = None
        self._error: ClientError | None = None

    def settle(self, value: T | None, error: ClientError | None = None) -> None:
        """Set the result, or the error, of the call."""
        self._value, self._error, self.done = value, error, True

    @property
    def value(self) -> T:
        """The result of the call. Raises the call's error, or ClientError if the batch has not been sent."""
        if not self.done:
            raise ClientError("the batch has not been carried out yet: its values are available after its block")
        if self._error is not None:
            raise self._error
        return self._value

    def __repr__(self) -> str:
        return f"Later({self._error or self._value!r})" if self.done else "Later(not carried out yet)"


class Blocking:
    """An object that carries out a request before its method returns."""

    def _carry(self, request: Request[T]) -> T:
        raise NotImplementedError


class Awaiting:
    """An object that carries out a request when its method is awaited."""

    async def _carry(self, request: Request[T]) -> T:
        raise NotImplementedError


class Batched:
    """An object that collects requests to send them together."""

    def _carry(self, request: Request[T]) -> Later[T]:
        raise NotImplementedError


class Method(Generic[P, T]):
    """The descriptor of a method that builds a request; see the module's docstring."""

    def __init__(self, build: Callable[Concatenate[Any, P], Request[T]]) -> None:
        self.build = build
        update_wrapper(cast(Any, self), build)

    @overload
    def __get__(self, owner: None, kind: type[Any]) -> Self: ...
    @overload
    def __get__(self, owner: Blocking, kind: type[Any]) -> Callable[P, T]: ...
    @overload
    def __get__(self, owner: Awaiting, kind: type[Any]) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, owner: Batched, kind: type[Any]) -> Callable[P, Later[T]]: ...
    def __get__(self, owner: Any, kind: type[Any]) -> Any:
        return self if owner is None else partial(self._call, owner)

    def _call(self, owner: Any, /, *args: P.args, **given: P.kwargs) -> Any:
        return owner._carry(self.build(owner, *args, **given))


def method(build: Callable[Concatenate[Any, P], Request[T]]) -> Method[P, T]:
    """Turn a function that builds a request into a method."""
    return Method(build)


def whole(value: Any) -> int:
    """Return a reply as an integer."""
    return int(value)


def distance(value: Any) -> float | None:
    """Return a reply that is the text of a distance, or null, as a float or None."""
    return None if value is None else float(value)


def flag(value: Any) -> bool:
    """Return a reply as a bool: `OK` and 1 are True; 0 and null are False."""
    return value not in (0, None, False)


def headers_of(value: Any) -> Any:
    """Return headers as published; bytes if they are no JSON."""
    if not value:
        return {}
    try:
        return json.loads(value)
    except ValueError:
        return value


def nothing(value: Any) -> None:
    """Return None for a reply that only confirms the command."""


def text(value: Any) -> str:
    """Return the server's name for something, as str."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def texts(value: Any) -> list[str]:
    """Return names as str."""
    return [text(name) for name in value]


def report(value: Any) -> dict[str, Any]:
    """Return counters by name, from a map or from a list of names and values. Maps in a list are reports as well."""
    if isinstance(value, list):
        value = dict(zip(value[::2], value[1::2], strict=True))
    return {text(key): _reported(item) for key, item in value.items()}


def reports(value: Any) -> list[dict[str, Any]]:
    """Return maps, or lists of names and values, as `report` does each."""
    return [report(each) for each in value]


def _reported(item: Any) -> Any:
    if isinstance(item, list) and all(isinstance(each, dict) for each in item):
        return [report(each) for each in item]
    return text(item) if isinstance(item, bytes) else item
