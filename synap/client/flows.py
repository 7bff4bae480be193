"""Flows: the effects of calls, retries, transactions and iterators as generators, without any waiting or sockets.

A *flow* is a generator. It yields effects and is sent their results; if an effect fails, the error is thrown into the
flow at that place. `sync_runner.py` and `async_runner.py` carry the effects out, each with its own way of waiting, and
make no decisions.

    effect                       result sent back
    Exchange(commands)           the replies, over any connection of the pool
    Pause(seconds)               None, after `seconds`
    Item(value)                  None, when the caller wants the next item; NoMoreItems is thrown if it wants none
    Open()                       None: the flow has a connection of its own, and an earlier one is closed
    Tell(commands)               None: the commands were sent over that connection, pushes will answer them
    Ask(command)                 None: the command was sent, a reply will arrive between the pushes
    Hear(seconds)                the next event of that connection; NEED_DATA if none comes for `seconds`
    Take(box, seconds)           the first thing in a box; None if nothing is put into it for `seconds`
    Run(function, arguments)     what a function of the caller's returns, once awaited if it can be

Flows that run at once, each in a thread or task of its own, share a state and pass things on in *boxes*
(`Runner.box()`). Anybody may `put` things into a box without waiting, and `drain` it.

When a connection breaks, a call is in one of three cases, and only its flow knows which: it was not sent (try
again); it was sent and may be carried out twice (try again); it was sent and may not be (OutcomeUnknown). A server that
is LOADING has carried nothing out, which is the first case.
"""

import logging
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from synap.client.errors import ClientError, Conflict, ConnectionLost, NotConnected, OutcomeUnknown, Refused
from synap.client.machine import Word
from synap.client.options import Options
from synap.client.requests import Later, Request

log = logging.getLogger("synap.client")

UNSENT = ("LOADING",)  # error codes of a server that has not carried out the command
Words: TypeAlias = tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Send commands at once, and read a reply for each."""

    commands: Sequence[Words]
    patience: float = 0.0


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Item:
    """Give `value` to the caller's iteration."""

    value: Any


@dataclass(frozen=True, slots=True)
class Open:
    """Connect for this flow alone."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Send commands that pushes answer."""

    commands: Sequence[Words]


@dataclass(frozen=True, slots=True)
class Ask:
    """Send a command that a reply answers."""

    command: Words


@dataclass(frozen=True, slots=True)
class Hear:
    """Wait for the next event, at most `seconds`."""

    seconds: float | None


class Box(Protocol):
    """Things on their way from one flow to another, in the order in which they were put in."""

    def put(self, thing: Any) -> None:
        """Add a thing; also from a signal handler."""

    def drain(self, most: int) -> list[Any]:
        """Remove and return the first things, at most so many, without waiting."""


@dataclass(frozen=True, slots=True)
class Take:
    """Wait for a thing in a box, at most `seconds`."""

    box: Box
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Run:
    """Call a function of the caller's."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


Effect: TypeAlias = Exchange | Pause | Item | Open | Tell | Ask | Hear | Take | Run
Flow: TypeAlias = Generator[Effect, Any, Any]


class NoMoreItems(BaseException):
    """Thrown into a flow whose caller wants no more items; the flow may still yield effects, but yields no Item."""


def what(commands: Sequence[Words]) -> str:
    """Return commands for an error text: their names, never their arguments."""
    names = [command[0] if isinstance(command[0], str) else repr(command[0]) for command in commands]
    return " ".join(names) if len(names) < 4 else f"{names[0]} and {len(names) - 1} more commands"


@dataclass
class Breaks:
    """The number of times that a connection broke after commands were sent, which were then sent again."""

    repeats: int = 0


def exchanging(
    commands: Sequence[Words], options: Options, repeatable: bool, patience: float = 0.0, attempts: int = 0,
    breaks: Breaks | None = None,
) -> Flow:  # fmt: skip
    """Return the replies to `commands`, with as many attempts as `repeatable` and the options allow.

    `attempts` replaces the option of that name unless it is 0. Raises OutcomeUnknown if commands that may not be
    repeated were sent without reply, else the last error.
    """
    attempts = attempts or options.attempts
    attempt = 0
    while True:
        attempt += 1
        error: ClientError
        try:
            replies = yield Exchange(commands, patience)
            refused = replies[0]
            if not (isinstance(refused, Refused) and refused.code in UNSENT and _all_unsent(replies)):
                return replies
            error = refused
        except NotConnected as failed:
            error = failed
        except ConnectionLost as failed:
            if not repeatable:
                raise OutcomeUnknown(
                    f"{what(commands)} was sent, then the connection broke ({failed}): it may have been carried out"
                ) from failed
            if breaks is not None:
                breaks.repeats += 1
            error = failed
        if attempt >= attempts:
            raise error
        log.debug("%s: attempt %d failed: %s", what(commands), attempt, error)
        del error  # the error references this frame, which would reference the error
        yield Pause(options.pause(attempt))


def _all_unsent(replies: list[Any]) -> bool:
    return all(isinstance(reply, Refused) and reply.code in UNSENT for reply in replies)


def calling(request: Request[Any], options: Options, repeatable: bool, attempts: int = 0) -> Flow:
    """Carry out one request and return its converted reply. Raises Refused."""
    may = repeatable or request.repeatable
    replies = yield from exchanging([request.words], options, may, request.patience, attempts)
    if isinstance(replies[0], Refused):
        raise replies[0]
    return request.convert(replies[0])


def batch(calls: list[tuple[Request[Any], Later[Any]]], options: Options, repeatable: bool) -> Flow:
    """Send many requests in one write; return their results in order, refusals among them."""
    if not calls:
        return []
    may = repeatable or all(request.repeatable for request, _ in calls)
    patience = sum(request.patience for request, _ in calls)
    replies = yield from exchanging([request.words for request, _ in calls], options, may, patience)
    return settle(calls, replies)


def settle(calls: list[tuple[Request[Any], Later[Any]]], replies: list[Any]) -> list[Any]:
    """Set each call's reply; return the results in order, refusals among them."""
    results = []
    for (request, later), reply in zip(calls, replies, strict=True):
        if isinstance(reply, Refused):
            later.settle(None, reply)
            results.append(reply)
        else:
            value = request.convert(reply)
            later.settle(value)
            results.append(value)
    return results


def transacting(calls: list[tuple[Request[Any], Later[Any]]], options: Options, pinned: bool) -> Flow:
    """Carry out `calls` between MULTI and EXEC; return the results in order. Raises Conflict if a watched key changed.

    `pinned`: the flow uses the connection that watches the keys, where nothing can be tried again.
    """
    if not calls:
        return []
    commands: list[Words] = [("MULTI",), *(request.words for request, _ in calls), ("EXEC",)]
    replies = yield from exchanging(commands, options, False, 0.0, 1 if pinned else 0)
    if isinstance(replies[0], Refused):
        raise replies[0]
    outcome = replies[-1]
    if isinstance(outcome, Refused):
        wrong = [reply for reply in replies[1:-1] if isinstance(reply, Refused)]
        raise wrong[0] if wrong else outcome
    if outcome is None:
        raise Conflict("a watched key has changed: no command of the transaction was carried out")
    return settle(calls, outcome)


def scanning(words: tuple[Word | None, ...], options: Options, convert: Any, pairs: bool = False) -> Flow:
    """Yield an Item for each key, member or field that a scan finds; None in `words` is the place of the cursor.

    `pairs`: what is found are pairs, one behind the other.
    """
    cursor: Any = b"0"
    while True:
        command = tuple(cursor if word is None else word for word in words)
        replies = yield from exchanging([command], options, True)
        if isinstance(replies[0], Refused):
            raise replies[0]
        cursor, items = replies[0]
        for item in zip(items[::2], items[1::2], strict=True) if pairs else items:
            try:
                yield Item(convert(item))
            except NoMoreItems:
                return
        if cursor == b"0":
            return
