"""Handlers of the change feed, see `engine/changes.py`."""

from typing import Any

from synap.call import Pending, Value
from synap.engine.callers import Caller, Surface
from synap.engine.change_frames import Asked, glob_of
from synap.engine.change_reading import Reading
from synap.engine.engine import Engine, Handler
from synap.engine.host import ChangeSource
from synap.faults import Fault
from synap.ranges import CHANGES_BYTES_MAX, CHANGES_MAX, FEED_NAME_MAX

LIMIT, FRAMES_BYTES = 100, 1 << 20


def source(engine: Engine) -> ChangeSource:
    """Return the changes of the node. Raise Fault for an engine without a node."""
    if engine.host.changes is None:
        raise Fault("NOT_SERVED", what="CHANGES of an engine without a node")
    return engine.host.changes


def feed_name(octets: bytes) -> str:
    """Return the name of a feed. Raise Fault if it is none."""
    try:
        name = octets.decode()
    except UnicodeDecodeError:
        raise Fault("BAD_FEED_NAME") from None
    if not 0 < len(name) <= FEED_NAME_MAX:
        raise Fault("BAD_FEED_NAME")
    return name


def begin(engine: Engine, args: dict[str, Any]) -> int:
    """Return the seq at which a reader begins: the one given, where its named feed is, or behind the last change."""
    changes = source(engine)
    if "feed" in args:
        return changes.place(feed_name(args["feed"]), args.get("from"))
    return int(args["from"]) if "from" in args else changes.last + 1


def asked_for(engine: Engine, surface: Surface, args: dict[str, Any]) -> Asked:
    """Return what a reader wants. Raise Fault for a family that there is not."""
    families = frozenset(word.decode("utf-8", "replace") for word in args.get("family", b"").split(b",") if word)
    known = {row.family for row in engine.catalogue.rows if row.writes}
    for name in families - known:
        raise Fault("UNKNOWN_FAMILY", name=name)
    pattern = args.get("match", b"")
    return Asked(
        surface, _most(args, "limit", LIMIT, CHANGES_MAX), families, pattern, "values" in args,
        glob=glob_of(pattern) if pattern else None,
    )  # fmt: skip


def _most(args: dict[str, Any], name: str, default: int, most: int) -> int:
    """Return a number that may be left out. Raise Fault above its range."""
    if args.get(name, 1) > most:
        raise Fault("NOT_AN_INTEGER")
    return int(args.get(name, default))


def _wait_ms(args: dict[str, Any]) -> int | None:
    return round(args["wait"] * 1000) if "wait" in args else None


def read(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value | Pending:
    """Return changes from a seq on, or wait for some."""
    asked = asked_for(engine, caller.surface, args)
    return engine.changes.read(caller, Reading(engine, asked, begin(engine, args)), _wait_ms(args), now)


def frames(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value | Pending:
    """Return changes as the frames of the log."""
    size = _most(args, "bytes", FRAMES_BYTES, CHANGES_BYTES_MAX)
    asked = Asked(caller.surface, CHANGES_MAX, raw=True, bytes_max=size)
    return engine.changes.read(caller, Reading(engine, asked, begin(engine, args)), _wait_ms(args), now)


def feeds(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the named feeds."""
    changes = source(engine)
    first, last = changes.first, changes.last
    return [
        {"name": name.encode() if caller.surface is not Surface.JSON else name, "next": place,
         "lag": last + 1 - place, "lost": place < first if not caller.of_resp else int(place < first)}
        for name, place in sorted(changes.feeds.items())
    ]  # fmt: skip


def drop(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Remove a named feed."""
    return int(source(engine).drop(feed_name(args["feed"])))


HANDLERS: dict[str, Handler] = {
    "changes_read": read,
    "changes_frames": frames,
    "changes_feeds": feeds,
    "changes_drop": drop,
}
