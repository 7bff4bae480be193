"""Pub/sub: the flow of a subscription, which is restored after its connection is lost.

A subscription has a connection of its own, on which the server pushes messages. SUBSCRIBE and PSUBSCRIBE are answered
by a push for each name; only then is the subscription known to be active, and the first Item says so (Ready), so that
messages published from then on arrive. After a time without any push, PING checks whether the server is there.

When the connection breaks, all names are subscribed again on a new one. Messages published in between are lost, since
pub/sub stores nothing. The loss is always visible: `gaps` counts it, and with `tell_gaps` a Gap is given out between
the messages.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from synap.client.calls import D
from synap.client.errors import ConnectionLost, LocalProtocolError, NotConnected, Refused, RemoteProtocolError
from synap.client.flows import Ask, Flow, Hear, Item, NoMoreItems, Open, Pause, Tell, Words, log
from synap.client.machine import NEED_DATA, Event, Push
from synap.client.options import Options
from synap.client.requests import text

GLOB = "*?[#"
SHORTEST_S = 0.001  # a timeout of 0 would make the socket non-blocking
CONFIRMS = ("subscribe", "psubscribe")


@dataclass(frozen=True, slots=True)
class TopicMessage(Generic[D]):
    """A published message; `pattern` is the pattern that matched, None if the topic itself is subscribed."""

    topic: str
    payload: D
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A place between two messages where the connection was lost, for the n-th time (`count`)."""

    count: int


class Ready:
    """Item: all subscriptions are confirmed."""


class NoMessage:
    """Item: no message arrived within the time that the caller set."""


@dataclass
class WantedNames:
    """The names of a subscription, and its state."""

    topics: list[str]
    patterns: list[str]
    tell_gaps: bool = False
    gaps: int = 0
    hear_s: float | None = None  # how long the caller waits for the next message, in seconds; None: for ever
    read: Callable[[Any, Any], Any] = field(default=lambda push, data: heard(push, data))  # from a push to a message
    ready: bool = field(default=False)


def wanted_names(names: Sequence[str | bytes], patterns: Sequence[str | bytes], tell_gaps: bool) -> WantedNames:
    """Return the state of a new subscription; names that contain one of `*?[#` are patterns."""
    found = WantedNames([], [], tell_gaps)
    for name in map(text, names):
        (found.patterns if any(sign in name for sign in GLOB) else found.topics).append(name)
    found.patterns += map(text, patterns)
    if not found.topics and not found.patterns:
        raise LocalProtocolError("a subscription must name at least one topic or pattern")
    return found


def subscribing(wanted: WantedNames, options: Options, data: Callable[[Any], D]) -> Flow:
    """Yield messages for ever; first Ready, and after each reconnection a Gap if the caller wants gaps."""
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
        except NoMoreItems:
            return
        except (NotConnected, ConnectionLost) as error:
            failures += 1
            if failures >= (1 + options.reconnects if wanted.ready else options.attempts):
                raise
            log.log(30 if failures == 1 and wanted.ready else 10, "a subscription lost its connection: %s", error)
            yield Pause(options.pause(failures))


def _standing(wanted: WantedNames, options: Options) -> Flow:
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


def _listening(wanted: WantedNames, options: Options, data: Callable[[Any], D]) -> Flow:
    """Yield the pushed messages until the connection breaks."""
    quiet, asked = 0.0, False  # seconds since the last event, and whether a PING awaits its reply
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
                yield Item(NoMessage())
            continue
        quiet, asked = 0.0, False
        if isinstance(event, Push) and (message := wanted.read(event, data)) is not None:
            yield Item(message)
        elif not isinstance(event, Push) and isinstance(event.value, Refused):
            raise event.value


def heard(push: Push, data: Callable[[Any], D]) -> TopicMessage[D] | None:
    """Return the message in a push, None if the push is none."""
    items = push.items
    if push.kind == "message" and len(items) == 2:
        return TopicMessage(text(items[0]), data(items[1]))
    if push.kind == "pmessage" and len(items) == 3:
        return TopicMessage(text(items[1]), data(items[2]), text(items[0]))
    if push.kind in ("message", "pmessage"):
        raise RemoteProtocolError(f"a {push.kind} of {len(items)} items")
    return None
