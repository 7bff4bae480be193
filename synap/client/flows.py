"""What to do and in which order, without doing any of it: retries, transactions and iterators as plans.

A *plan* is a generator. It yields steps and is sent what came of them; if a step fails, the error is thrown into it at
that place. `sync.py` and `async_client.py` carry steps out, each with its own way of waiting, and hold no decisions.

    step                         what is sent back
    Exchange(commands)           their replies, over any connection of the pool
    Pause(seconds)               nothing, after so long
    Item(value)                  nothing, when the caller wants the next; Left is thrown if it wants none
    Open()                       nothing: there is a connection of the plan's own, a former one is closed
    Tell(commands)               nothing: they were sent over that connection, pushes will answer
    Ask(command)                 nothing: it was sent, a reply will come between the pushes
    Hear(seconds)                the next event from there; None if there is none for so long

When a connection breaks, three things can be true of a call, and only a plan knows which: it was not sent (try
again); it was sent and may be carried out twice (try again); it was sent and may not (OutcomeUnknown). A server that
is LOADING has carried nothing out, so that is the first case.
"""

import logging
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from synap.client.errors import ClientError, Conflict, ConnectionLost, NotConnected, OutcomeUnknown, Refused
from synap.client.machine import Word
from synap.client.options import Options
from synap.client.requests import Later, Request

log = logging.getLogger("synap.client")

UNSENT = ("LOADING",)  # codes with which a server says that it has not begun
Words: TypeAlias = tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Send commands at once, and read a reply for each."""

    commands: Sequence[Words]
    patience: float = 0.0


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Item:
    """Give this to whoever iterates."""

    value: Any


@dataclass(frozen=True, slots=True)
class Open:
    """Connect for this plan alone."""


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
    """Wait for the next event."""

    seconds: float | None


Step: TypeAlias = Exchange | Pause | Item | Open | Tell | Ask | Hear
Plan: TypeAlias = Generator[Step, Any, Any]


class Left(BaseException):
    """Thrown into a plan that nobody wants anything more of; it may still take steps, but gives no items."""


def what(commands: Sequence[Words]) -> str:
    """Commands for an error text: their names, never their arguments."""
    names = [command[0] if isinstance(command[0], str) else repr(command[0]) for command in commands]
    return " ".join(names) if len(names) < 4 else f"{names[0]} and {len(names) - 1} more commands"


@dataclass
class Trouble:
    """How often a connection broke after commands had been sent over it, that then were sent again."""

    repeats: int = 0


def exchanging(
    commands: Sequence[Words], options: Options, repeatable: bool, patience: float = 0.0, attempts: int = 0,
    trouble: Trouble | None = None,
) -> Plan:  # fmt: skip
    """Their replies, tried as often as that may be and is worth it."""
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
            if trouble is not None:
                trouble.repeats += 1
            error = failed
        if attempt >= attempts:
            raise error
        log.debug("%s: attempt %d failed: %s", what(commands), attempt, error)
        del error  # it holds this frame, which would hold it
        yield Pause(options.pause(attempt))


def _all_unsent(replies: list[Any]) -> bool:
    return all(isinstance(reply, Refused) and reply.code in UNSENT for reply in replies)


def calling(request: Request[Any], options: Options, repeatable: bool, attempts: int = 0) -> Plan:
    """One request: what it gives."""
    may = repeatable or request.repeatable
    replies = yield from exchanging([request.words], options, may, request.patience, attempts)
    if isinstance(replies[0], Refused):
        raise replies[0]
    return request.convert(replies[0])


def batch(calls: list[tuple[Request[Any], Later[Any]]], options: Options, repeatable: bool) -> Plan:
    """Many requests in one write: the results in order, refusals among them."""
    if not calls:
        return []
    may = repeatable or all(request.repeatable for request, _ in calls)
    patience = sum(request.patience for request, _ in calls)
    replies = yield from exchanging([request.words for request, _ in calls], options, may, patience)
    return settle(calls, replies)


def settle(calls: list[tuple[Request[Any], Later[Any]]], replies: list[Any]) -> list[Any]:
    """Give each call its reply; the results in order, refusals among them."""
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


def transacting(calls: list[tuple[Request[Any], Later[Any]]], options: Options, pinned: bool) -> Plan:
    """The same between MULTI and EXEC; Conflict if a watched key changed. `pinned`: over the connection that watches,
    where nothing can be tried again."""
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
        raise Conflict("a watched key was changed by somebody else: nothing of the transaction happened")
    return settle(calls, outcome)


def scanning(words: tuple[Word | None, ...], options: Options, convert: Any) -> Plan:
    """What SCAN finds, cursor by cursor; `words` with None where the cursor stands."""
    cursor: Any = b"0"
    while True:
        command = tuple(cursor if word is None else word for word in words)
        replies = yield from exchanging([command], options, True)
        if isinstance(replies[0], Refused):
            raise replies[0]
        cursor, items = replies[0]
        for item in items:
            try:
                yield Item(convert(item))
            except Left:
                return
        if cursor == b"0":
            return
