"""`/stream/{room}/ws/{subscriber_id}?from_offset=N`, `/stream/{room}/sse`: a room's events from an offset on, then new
ones.

    server    {"type": "connected", "room", "subscriber_id", "from_offset"}
              {"type": "event", "offset", "event", "data": any JSON, "timestamp": s}
              {"type": "gap", "requested", "earliest"}: the offset requested is no longer held, or lies behind the
              room's next offset (the room was made anew); sending goes on from the earliest event
              {"type": "error", "error"}, then the socket closes: there is no such room (any more)

Without an offset, sending begins with the earliest event. A client has no commands: every message from a client is
answered by {"type": "error", "error"}, and the events go on. On an event stream the place of an event is its offset:
with `last_event_id` the events behind this offset are sent, whatever `from_offset` says.
"""

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from synap.derive.reply_forms import as_text
from synap.engine.waiters import Feed
from synap.io.feeds.endpoints.endpoint import Endpoint, EndpointFactory, Parameters, document_of, whole_number
from synap.proto.http import Request, Response
from synap.store.memory import codes, kinds, layout
from synap.store.memory.refusals import OFFSET_GONE, ROOM_MISSING

if TYPE_CHECKING:
    from synap.io.server.server import Server

_encode = msgspec.json.encode
AT_ONCE = 100  # events sent before other sockets have their turn


class RoomEndpoint(Endpoint):
    """The events of a room for one subscriber."""

    feed: Feed | None = None  # until `begin` attends to the room

    def begin(self) -> None:
        self.engine = engine = self.connection.server.engine
        self.room = self.parameters["room"]
        self.consume = engine.catalogue.by_code[codes.STREAM_CONSUME]
        asked, seen = self.parameters.get("from_offset"), self.parameters.get("last_event_id")
        self.offset = int(asked) if asked is not None else -1  # the next event to send; -1: the earliest
        if seen:
            self.offset = int(seen) + 1
        self.at_once = AT_ONCE
        self.reader = self.parameters.get("subscriber_id", "sse")
        self.say("connected", room=self.room, subscriber_id=self.reader, from_offset=max(self.offset, 0))
        feed = Feed(kinds.ROOM, self.room.encode(), partial(self.connection.protected, self.take))
        engine.attend(feed)
        self.feed = feed
        self.drained()

    def drained(self) -> None:
        assert self.feed is not None, "`begin` has failed"
        if self.take(self.now):
            self.connection.drain_soon()
        self.written()

    def received(self, text: bytes) -> None:
        if self.frame_of(text) is not None:
            self.refuse("Invalid request: this socket delivers events and accepts no commands")

    def ended(self) -> None:
        self.over = True
        if self.feed is None:
            return
        self.engine.interest.leave(self.feed)

    def take(self, now: int) -> bool:
        """Send the next events; return False if there are none or the output is full."""
        if self.over or self.connection.full or self.drain_after_pause(False):
            return False
        outcome, events = self.ask(
            self.consume, room=self.room, subscriber_id=self.reader,
            from_offset=self.offset if self.offset >= 0 else None, limit=self.at_once,
        )  # fmt: skip
        number = int(self.engine.numbers[layout.REPLY])
        if outcome.what == OFFSET_GONE:
            self.say("gap", requested=self.offset, earliest=number)
            self.offset = number
            return True
        if outcome.failed:
            self.fail(events, 1000 if outcome.what == ROOM_MISSING else 1011)
            return False
        if outcome.what != layout.ITEM:
            return False
        for offset, event, data, time in events:
            if self.connection.full:
                self.at_once = max(self.at_once // 2, 1)  # what was not sent is read again
                return False
            self.offset = offset + 1
            self.connection.send_text(_encode({
                "type": "event", "offset": offset, "event": as_text(event[0]), "data": document_of(*data),
                "timestamp": time // 1000,
            }), place=str(offset))  # fmt: skip
        self.at_once = min(2 * self.at_once, AT_ONCE)
        return True


def room_route(server: "Server", request: Request, parameters: Parameters) -> EndpointFactory | Response:
    """Return the endpoint for a room. A missing room is reported on the socket, not by a refused Upgrade."""
    seen = bool(parameters.get("last_event_id")) and whole_number(parameters, "last_event_id")
    return whole_number(parameters, "from_offset") or seen or RoomEndpoint
