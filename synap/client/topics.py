"""Pub/sub: the plan of a subscription, which comes back after its connection was lost.

A subscription has a connection of its own, on which the server pushes. It is made by SUBSCRIBE and PSUBSCRIBE, which
are answered by a push for each name; only then is it known to stand, and the first Item says so (Ready), so that what
is published from then on arrives. When nothing was heard for a while, PING asks whether anybody is there.

When the connection breaks, all names are subscribed again on a new one. What was published in between is lost: pub/sub
keeps nothing. This is never silent: `gaps` counts, and with `tell_gaps` a Gap stands between the messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from synap.client.errors import ConnectionLost, LocalProtocolError, NotConnected, Refused, RemoteProtocolError
from synap.client.flows import Ask, Hear, Item, Left, Open, Pause, Plan, Tell, Words, log
from synap.client.keys import D
from synap.client.machine import NEED_DATA, Event, Push
from synap.client.options import Options
from synap.client.requests import text

GLOB = "*?[#"
SHORTEST_S = 0.001  # no time at all would be another way of reading
CONFIRMS = ("subscribe", "psubscribe")


@dataclass(frozen=True, slots=True)
class TopicMessage(Generic[D]):
    """What was published; `pattern` is the one that matched, None if the topic itself is subscribed."""

    topic: str
    payload: D
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Between the messages before and after this one the connection was lost for the n-th time (`count`)."""

    count: int


class Ready:
    """The subscriptions stand."""


class Silence:
    """Nothing came for as long as was asked."""


@dataclass
class Wishes:
    """What a subscription is for, and what has become of it."""

    topics: list[str]
    patterns: list[str]
    tell_gaps: bool = False
    gaps: int = 0
    hear_s: float | None = None  # how long the caller wants to wait for the next message; None: for ever
    ready: bool = field(default=False)


def wishes(names: Sequence[str | bytes], patterns: Sequence[str | bytes], tell_gaps: bool) -> Wishes:
    """Names with one of `*?[#` in them are patterns."""
    found = Wishes([], [], tell_gaps)
    for name in map(text, names):
        (found.patterns if any(sign in name for sign in GLOB) else found.topics).append(name)
    found.patterns += map(text, patterns)
    if not found.topics and not found.patterns:
        raise LocalProtocolError("a subscription names at least one topic or pattern")
    return found


def subscribing(wanted: Wishes, options: Options, data: Any) -> Plan:
    """Messages for ever; Ready first, and again with each connection that comes after the first."""
    failures = 0
    while True:
        try:
            yield Open()
            yield from _standing(wanted, options)
            failures = 0
            if wanted.ready:
                wanted.gaps += 1
                if wanted.tell_gaps:
                    yield Item(Gap(wanted.gaps))
            else:
                wanted.ready = True
                yield Item(Ready())
            yield from _listening(wanted, options, data)
        except Left:
            return
        except (NotConnected, ConnectionLost) as error:
            failures += 1
            if failures >= (1 + options.reconnects if wanted.ready else options.attempts):
                raise
            log.log(30 if failures == 1 and wanted.ready else 10, "a subscription lost its connection: %s", error)
            yield Pause(options.pause(failures))


def _standing(wanted: Wishes, options: Options) -> Plan:
    """Subscribe, and wait until every name is confirmed."""
    commands: list[Words] = []
    if wanted.topics:
        commands.append(("SUBSCRIBE", *wanted.topics))
    if wanted.patterns:
        commands.append(("PSUBSCRIBE", *wanted.patterns))
    yield Tell(commands)
    missing = len(wanted.topics) + len(wanted.patterns)
    while missing:
        event = yield Hear(options.timeout)
        if event is NEED_DATA:
            raise ConnectionLost(f"{missing} subscriptions were not confirmed within {options.timeout} s")
        if isinstance(event, Push):
            missing -= event.kind in CONFIRMS
        elif isinstance(event.value, Refused):
            raise event.value


def _listening(wanted: Wishes, options: Options, data: Any) -> Plan:
    """Give out what is pushed, until the connection breaks."""
    quiet, asked = 0.0, False  # seconds without a sound, and whether a PING is under way
    patience = options.timeout or options.ping_every
    while True:
        seconds = max(options.ping_every + asked * patience - quiet, SHORTEST_S)
        own = wanted.hear_s is not None and wanted.hear_s < seconds
        if own and wanted.hear_s is not None:
            seconds = max(wanted.hear_s, SHORTEST_S)
        event: Event = yield Hear(seconds)
        if event is NEED_DATA:
            quiet += seconds
            if not own and asked:
                raise ConnectionLost(f"the server has not answered a PING within {patience} s")
            if not own:
                yield Ask(("PING",))
                asked = True
            else:
                yield Item(Silence())
            continue
        quiet, asked = 0.0, False
        if isinstance(event, Push) and (message := heard(event, data)) is not None:
            yield Item(message)
        elif not isinstance(event, Push) and isinstance(event.value, Refused):
            raise event.value


def heard(push: Push, data: Any) -> TopicMessage[Any] | None:
    """The message of a push, None for one that is none."""
    items = push.items
    if push.kind == "message" and len(items) == 2:
        return TopicMessage(text(items[0]), data(items[1]))
    if push.kind == "pmessage" and len(items) == 3:
        return TopicMessage(text(items[1]), data(items[2]), text(items[0]))
    if push.kind in ("message", "pmessage"):
        raise RemoteProtocolError(f"a {push.kind} of {len(items)} items")
    return None
