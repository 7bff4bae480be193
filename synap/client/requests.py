"""What a method asks for, described once and carried out in three ways.

A *request* is data: the words of a command, and how to read its reply. Nothing in it waits, so a method is written
once, as the function that builds its request, and `method` makes of it a descriptor which asks the object that it is
called on to carry the request out:

    on a Blocking object     client.get("a")         the value
    on an Awaiting object    await client.get("a")   the value
    on a Batched object      pipeline.get("a")       a Later, whose value is there when the batch has been sent

The types follow: `__get__` is overloaded by the kind of the object, so a checker sees three signatures.
"""

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
    """One command. `repeatable`: carrying it out twice does what once does, so it may be sent again when the
    connection broke. `patience`: seconds that the server may take longer, because it was asked to wait."""

    words: tuple[Word, ...]
    convert: Callable[[Any], T]
    repeatable: bool = False
    patience: float = 0.0


def asking(convert: Callable[[Any], T], *words: Word) -> Request[T]:
    """A command that changes nothing."""
    return Request(words, convert, True)


def doing(convert: Callable[[Any], T], *words: Word) -> Request[T]:
    """A command that changes something."""
    return Request(words, convert)


class Later(Generic[T]):
    """The result of a call in a batch, once the batch has been sent."""

    __slots__ = ("_error", "_value", "done")

    def __init__(self) -> None:
        self.done = False
        self._value: Any = None
        self._error: ClientError | None = None

    def settle(self, value: T | None, error: ClientError | None = None) -> None:
        """It is known now."""
        self._value, self._error, self.done = value, error, True

    @property
    def value(self) -> T:
        """What the call gave; raises what it raised."""
        if not self.done:
            raise ClientError("the batch has not been carried out yet: its values are there when its block is left")
        if self._error is not None:
            raise self._error
        return self._value

    def __repr__(self) -> str:
        return f"Later({self._error or self._value!r})" if self.done else "Later(not carried out yet)"


class Blocking:
    """Carries out requests before it returns."""

    def _carry(self, request: Request[T]) -> T:
        raise NotImplementedError


class Awaiting:
    """Carries out requests when awaited."""

    async def _carry(self, request: Request[T]) -> T:
        raise NotImplementedError


class Batched:
    """Gathers requests, to send them together."""

    def _carry(self, request: Request[T]) -> Later[T]:
        raise NotImplementedError


class Method(Generic[P, T]):
    """A method that builds a request; see the module."""

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
    """Make a method of a function that builds a request."""
    return Method(build)


def whole(value: Any) -> int:
    """A number."""
    return int(value)


def flag(value: Any) -> bool:
    """Was it done, is it so? `OK` and 1 are yes; 0 and nothing are no."""
    return value not in (0, None, False)


def nothing(value: Any) -> None:
    """A reply that says no more than that it was done."""


def text(value: Any) -> str:
    """A name of the server's own."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def report(value: Any) -> dict[str, Any]:
    """Counters by their names; from a list of pairs, too."""
    if isinstance(value, list):
        value = dict(zip(value[::2], value[1::2], strict=True))
    return {text(key): text(item) if isinstance(item, bytes) else item for key, item in value.items()}
