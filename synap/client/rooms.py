"""Rooms of a client: the calls on a room, and the flow of a reader of events.

A reader requests the events from its offset on, and the server replies at once or as soon as there is an event. The
reader keeps the offset itself and adds one for each event given out, so a broken connection loses nothing: the reader
requests again from that offset. Every reply is compared with the offset requested. Earlier events are dropped, and a
later first event is a gap, reported like a gap that the server reports (OFFSETGONE: events were dropped by the room's
limits before they were read).

A room that was deleted and created again begins at offset 0. A reader that waits there with an old offset would wait
for ever, or miss the events until then. So a reader first requests without waiting, which the server refuses if the
room does not reach the offset (a gap as well), and waits only after a reply without events.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic

from synap.client.calls import D
from synap.client.errors import LocalProtocolError, OffsetGone, Refused
from synap.client.flows import Flow, Item, NoMoreItems, Words, exchanging, log
from synap.client.generated.rooms import RoomMethods
from synap.client.machine import Word
from synap.client.requests import Request, asking, doing, flag, method, nothing, text, whole
from synap.client.words import option
from synap.either import either

GONE = "OFFSETGONE"
EARLIEST = re.compile(r"earliest is (\d+)")
ON_GAP = ("raise", "skip")


@dataclass(frozen=True, slots=True)
class Event(Generic[D]):
    """An event of a room: `event` is its name, `timestamp_ms` its time in ms since 1970."""

    offset: int
    event: str
    data: D
    timestamp_ms: int


class RoomCalls(RoomMethods[D]):
    """The calls on one room."""

    what = "room"

    @method
    def create(
        self, *, max_events: int | None = None, max_bytes: int | None = None, retention_s: int | None = None,
        retention_secs: int | None = None,
    ) -> Request[None]:  # fmt: skip
        """Create a room with limits on its events: their number, bytes and age in seconds (0: no limit).

        An omitted limit is the server's default. Raises Refused if the room exists.
        """
        retention: int | None = either(retention_s=retention_s, retention_secs=retention_secs)
        limits: Words = (*option("MAXEVENTS", max_events), *option("MAXBYTES", max_bytes))
        return doing(nothing, "STREAM.CREATE", self.name, *limits, *option("RETENTION", retention))

    @method
    def publish(self, event: str, *data: Word) -> Request[int]:
        """Append an event for each of `data`; return the offset of the first."""
        if not data:
            raise LocalProtocolError("data: wanted at least one, found none")
        return doing(whole, "STREAM.PUBLISH", self.name, event, *data)

    @method
    def publish_many(self, event: str, data: Sequence[Word]) -> Request[int]:
        """Append many events with the same name in one atomic step; return the offset of the first."""
        if isinstance(data, str | bytes) or not data:
            raise LocalProtocolError(f"data: wanted a list of at least one, found {data!r}")
        return doing(whole, "STREAM.PUBLISH", self.name, event, *data)

    @method
    def read(
        self, from_offset: int | None = None, *, limit: int = 100, subscriber: str = ""
    ) -> Request[list[Event[D]]]:
        """Return the events held now from an offset on, by default from the earliest, at most `limit`."""
        return asking(self._made, *_asking_for(self.name, subscriber, from_offset, limit, 0))

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
    """The position of a reader: the offset of the next event, and the number of events lost to gaps."""

    offset: int | None
    skipped: int = 0


def reading(
    room: RoomCalls[Any], place: Place, subscriber: str, limit: int, wait_s: float, until_idle: bool, on_gap: str
) -> Flow:
    """Yield events for ever, or until none comes for `wait_s` seconds; see the module's docstring."""
    if on_gap not in ON_GAP:
        raise LocalProtocolError(f"on_gap: wanted one of {', '.join(ON_GAP)}, found {on_gap!r}")
    if not wait_s > 0 or limit < 1:
        raise LocalProtocolError(f"wanted wait_s and limit above 0, found {wait_s!r} and {limit!r}")
    tries = 0  # for the first request the option `attempts` holds; later ones may take many more
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
            except NoMoreItems:
                return


def _gap(reply: Any, wanted: int | None) -> OffsetGone | None:
    """Return the gap that a reply reports, None without a gap. Raises other refusals."""
    if isinstance(reply, Refused):
        earliest = EARLIEST.search(reply.text)
        if reply.code != GONE or earliest is None:
            raise reply
        return OffsetGone(reply.code, reply.text, wanted or 0, int(earliest[1]))
    if reply and wanted is not None and int(reply[0][0]) > wanted:
        earliest_here = int(reply[0][0])
        return OffsetGone(GONE, f"the events from {wanted} to {earliest_here - 1} are gone", wanted, earliest_here)
    return None
