"""Rooms: streams of events, the calls on one, and the plan of a reader.

A reader asks for the events from its offset on, and the server answers at once or as soon as there is one. The offset
is the reader's own and grows by one with each event that was given out, so a broken connection costs nothing: it asks
again from there. Every answer is checked against the offset that was asked for; what begins earlier is dropped, and
what begins later is a gap, told like the one that the server tells (OFFSETGONE: events were dropped by the room's
limits before they were read).

A room that was deleted and made again begins at 0. Who waits there with an old offset would wait for ever, or miss what
comes until then. So a reader first asks without waiting, which the server refuses if the room does not reach to the
offset (a gap as well), and waits only once the answer is that there is nothing yet.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic

from synap.client.errors import LocalProtocolError, OffsetGone, Refused
from synap.client.flows import Item, Left, Plan, Words, exchanging, log
from synap.client.keys import D
from synap.client.machine import Word
from synap.client.named import Named
from synap.client.requests import Request, asking, doing, flag, method, nothing, report, text, whole
from synap.either import either

GONE = "OFFSETGONE"
EARLIEST = re.compile(r"earliest is (\d+)")
ON_GAP = ("raise", "skip")


@dataclass(frozen=True, slots=True)
class Event(Generic[D]):
    """What happened in a room: `event` is its name, `timestamp_ms` since 1970."""

    offset: int
    event: str
    data: D
    timestamp_ms: int


class RoomCalls(Named[D]):
    """One room, by its name."""

    what = "room"

    @method
    def create(
        self, *, max_events: int | None = None, max_bytes: int | None = None, retention_s: int | None = None,
        retention_secs: int | None = None,
    ) -> Request[None]:  # fmt: skip
        """Make the room. It keeps so many events, bytes, and seconds of them (0: no limit); what is left out is the
        server's default. Refused if there is one."""
        words: Words = ("STREAM.CREATE", self.name)
        retention = either(retention_s=retention_s, retention_secs=retention_secs)
        for name, value in (("MAXEVENTS", max_events), ("MAXBYTES", max_bytes), ("RETENTION", retention)):
            if value is not None:
                words += (name, value)
        return doing(nothing, *words)

    @method
    def publish(self, event: str, *data: Word) -> Request[int]:
        """Append an event for each of `data`; the offset of the first."""
        if not data:
            raise LocalProtocolError("data: wanted at least one, found none")
        return doing(whole, "STREAM.PUBLISH", self.name, event, *data)

    @method
    def publish_many(self, event: str, data: Sequence[Word]) -> Request[int]:
        """Append many events of one name in one step; the offset of the first."""
        if isinstance(data, str | bytes) or not data:
            raise LocalProtocolError(f"data: wanted a list of at least one, found {data!r}")
        return doing(whole, "STREAM.PUBLISH", self.name, event, *data)

    @method
    def read(
        self, from_offset: int | None = None, *, limit: int = 100, subscriber: str = ""
    ) -> Request[list[Event[D]]]:
        """Events from an offset on, or from the earliest held: those that are there now."""
        return asking(self._made, *_asking_for(self.name, subscriber, from_offset, limit, 0))

    @method
    def stats(self) -> Request[dict[str, Any]]:
        """Its counters and limits."""
        return asking(report, "STREAM.STATS", self.name)

    @method
    def delete(self) -> Request[bool]:
        """Remove the room with its events."""
        return doing(flag, "STREAM.DELETE", self.name)

    def _made(self, found: Any) -> list[Any]:
        return [Event(whole(offset), text(event), self._data(data), whole(at)) for offset, event, data, at in found]


def _asking_for(room: str, subscriber: str, offset: int | None, limit: int, wait_s: float) -> Words:
    words: Words = ("STREAM.CONSUME", room, subscriber or "client")
    if offset is not None:
        words += ("FROM", offset)
    words += ("LIMIT", limit)
    return (*words, "WAIT", wait_s) if wait_s > 0 else words


@dataclass
class Place:
    """Where a reader is: the offset of the next event it wants, and how many it has missed."""

    offset: int | None
    skipped: int = 0


def reading(
    room: RoomCalls[Any], place: Place, subscriber: str, limit: int, wait_s: float, until_idle: bool, on_gap: str
) -> Plan:
    """Events for ever, or until there is none for so long; see the module."""
    if on_gap not in ON_GAP:
        raise LocalProtocolError(f"on_gap: wanted one of {', '.join(ON_GAP)}, found {on_gap!r}")
    if not wait_s > 0 or limit < 1:
        raise LocalProtocolError(f"wanted wait_s and limit above 0, found {wait_s!r} and {limit!r}")
    tries = 0  # until the first answer a missing server is an error
    while True:
        wanted = place.offset
        gone, reply = None, None
        for patience in (0.0, wait_s):
            words = _asking_for(room.name, subscriber, wanted, limit, patience)
            (reply,) = yield from exchanging([words], room.options, True, patience, tries)
            tries = 1 + room.options.reconnects
            gone = _gap(reply, wanted)
            if gone is not None or reply:
                break
        else:
            if until_idle:
                return
            continue
        if gone is not None:
            if on_gap == "raise":
                raise gone
            place.skipped += max(0, gone.earliest - gone.wanted)
            place.offset = gone.earliest
            log.warning("%r: %s", room, gone)
            continue
        for event in room._made(reply):
            if place.offset is not None and event.offset < place.offset:
                continue
            place.offset = event.offset + 1
            try:
                yield Item(event)
            except Left:
                return


def _gap(reply: Any, wanted: int | None) -> OffsetGone | None:
    """The gap that a reply tells of; other refusals are raised."""
    if isinstance(reply, Refused):
        earliest = EARLIEST.search(reply.text)
        if reply.code != GONE or earliest is None:
            raise reply
        return OffsetGone(reply.code, reply.text, wanted or 0, int(earliest[1]))
    if reply and wanted is not None and int(reply[0][0]) > wanted:
        earliest_here = int(reply[0][0])
        return OffsetGone(GONE, f"the events from {wanted} to {earliest_here - 1} are gone", wanted, earliest_here)
    return None
