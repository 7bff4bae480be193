"""`/topics/{topic}/ws` and `/topics/{topic}/sse`: the records of a topic's partitions, then new ones.

    ?partitions=0,2               these partitions; by default all, also those that are added later
    ?from=earliest                from the earliest record on (the default); `latest`: new ones only; `0:17,2:5`: from
                                  offset 17 of partition 0 and 5 of partition 2 on, and the earliest of others
    ?group=g&member=m             (WebSocket) the connection is a member of a consumer group: see members.py

    server    {"type": "connected", "topic", "partitions": [..]}
              {"type": "record", "partition_id", "offset", "event_type", "key": text or null, "data": any JSON,
               "metadata", "timestamp": s}
              {"type": "gap", "partition_id", "requested", "earliest"}: the offset requested is no longer held, or lies
              behind the partition's next offset; sending goes on from the earliest record
              {"type": "error", "error"}, then the connection closes: there is no such topic (any more)

The place of a record on an event stream says how far each partition has been read: `0:18,2:5` are the offsets to read
next. With `last_event_id` sending goes on there. So that places stay short, an event stream has at most
PARTITIONS_MAX partitions.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from synap.derive.reply_forms import as_text, json_form
from synap.engine.waiters import Feed
from synap.faults import Fault
from synap.io.feeds.endpoints.endpoint import (
    DIGITS_MAX,
    Endpoint,
    EndpointFactory,
    Parameters,
    document_of,
    number_of,
)
from synap.io.feeds.endpoints.topic_ends import Ends
from synap.proto.http import Request, Response
from synap.reply import OBJECT
from synap.store.memory import codes, kinds, layout

if TYPE_CHECKING:
    from synap.io.server.server import Server

_encode = msgspec.json.encode
_headers = json_form(OBJECT)

PARTITIONS_MAX = 128
"""Partitions of one event stream."""
GONE, FAILED = 1000, 1011  # close codes
AT_ONCE = 100  # records read at once, of all partitions together, before other connections have their turn


class TopicEndpoint(Endpoint):
    """The records of a topic for one reader. `positions`: the next offset to send, by partition."""

    feed: Feed | None = None  # until `begin` attends to the topic

    def begin(self) -> None:
        self.engine = self.connection.server.engine
        self.topic = self.parameters["topic"]
        self.reading = self.engine.catalogue.by_code[codes.TOPIC_READ]
        self.given = numbers_of(self.parameters.get("partitions", ""))
        self.starts = places_of(self.parameters.get("from", ""))
        self.count = 0  # partitions of the topic when it was last looked at
        self.positions: dict[int, int] = {}
        self.at_once = AT_ONCE
        self.turn = 0  # number of the partition that is read first
        try:
            self._take_up()
        except Fault as fault:
            self.fail(fault, GONE)
            return
        feed = Feed(kinds.TOPIC, self.topic.encode(), partial(self.connection.protected, self.take))
        self.engine.attend(feed)
        self.feed = feed
        self.drained()

    def _take_up(self) -> None:
        """Find the partitions and where they begin, and send the welcome. Raise Fault."""
        ends = self.ends()
        self.count = len(ends)
        wanted = self.given or range(self.count)
        if self.connection.resumes and len(wanted) > PARTITIONS_MAX:
            most = f"at most {PARTITIONS_MAX} of the {len(wanted)} partitions"
            raise Fault("WRONG_FIELD", field="partitions", wanted=most, found="more")
        seen = self.parameters.get("last_event_id")
        if seen:
            self.starts = places_of(seen)
        self._check_given(ends)
        self.positions = {partition: self.start(partition, ends) for partition in wanted}
        self.say("connected", topic=self.topic, partitions=list(wanted))

    def start(self, partition: int, ends: Ends) -> int:
        """Return the offset at which the request lets a partition begin."""
        if self.starts is None:
            return ends.behind[partition]
        return self.starts.get(partition, ends.earliest[partition])

    def ends(self) -> Ends:
        """Return the earliest and the next offset of each partition. Raise Fault."""
        return self.connection.server.web.topic_ends.of(self.engine, self.topic, self.now)

    def _check_given(self, ends: Ends) -> None:
        """Raise Fault if a partition that the request names is not there."""
        for partition in self.given:
            if partition >= len(ends):
                raise Fault("PARTITION_MISSING", number=partition)

    def drained(self) -> None:
        if self.feed is not None:
            if self.take(self.now):
                self.connection.drain_soon()
            self.written()

    def received(self, text: bytes) -> None:
        if self.frame_of(text) is not None:
            self.refuse("Invalid request: this socket delivers records and accepts no commands")

    def ended(self) -> None:
        self.over = True
        if self.feed is not None:
            self.engine.interest.leave(self.feed)

    # Records.

    def take(self, now: int) -> bool:
        """Send the next records; return False if there are none or the output is full."""
        if self.over or self.connection.full or self.drain_after_pause(False):
            return False
        try:
            ends = self.ends()
            self._check_given(ends)
        except Fault as fault:
            self.fail(fault, GONE)
            return False
        if len(ends) != self.count:
            self._resized(ends)
        self._tell_gaps(ends)
        positions = self.positions
        order = list(positions)
        order = [each for each in order[self.turn :] + order[: self.turn] if positions[each] < ends.behind[each]]
        if not order:
            return False
        limit = max(self.at_once // len(order), 1)
        pairs = [(partition, positions[partition]) for partition in order]
        outcome, found = self.ask(self.reading, topic=self.topic, limit=limit, offsets=pairs)
        if outcome.failed:
            self.fail(found, FAILED)
            return False
        return outcome.what == layout.ITEM and self._send(found)

    def _send(self, records: list[Any]) -> bool:
        """Send records until the output is full; return False if it is."""
        last = -1  # the partition of the last record sent
        for number, offset, kind, key, data, headers, time, _ in records:
            if self.connection.full:
                if last >= 0:  # the others are next
                    self.turn = list(self.positions).index(last) + 1
                self.at_once = max(self.at_once // 2, 1)  # what was not sent is read again
                return False
            self.positions[number], last = offset + 1, number
            self.connection.send_text(_encode({
                "type": "record", "partition_id": number, "offset": offset, "event_type": as_text(kind[0]),
                "key": None if key is None else as_text(key[0]), "data": document_of(*data),
                "metadata": _headers(headers), "timestamp": time // 1000,
            }), place=self.place() if self.connection.resumes else "")  # fmt: skip
        self.at_once = min(2 * self.at_once, AT_ONCE)
        return True

    def place(self) -> str:
        """Return the offsets to read next."""
        return ",".join(f"{partition}:{offset}" for partition, offset in self.positions.items())

    def _tell_gaps(self, ends: Ends) -> None:
        """Tell which positions are not held, and go on from the earliest records there."""
        for number, position in self.positions.items():
            if not ends.earliest[number] <= position <= ends.behind[number]:
                self.say("gap", partition_id=number, requested=position, earliest=ends.earliest[number])
                self.positions[number] = ends.earliest[number]

    def _resized(self, ends: Ends) -> None:
        """Note that the topic has more partitions, or was made anew with fewer."""
        self.count = len(ends)
        self.positions = {number: position for number, position in self.positions.items() if number < self.count}
        self.turn = 0
        self.follow_new(ends)

    def follow_new(self, ends: Ends) -> None:
        """Follow the partitions that were added, from their first record on."""
        if not self.given:
            new = [number for number in range(self.count) if number not in self.positions]
            self.positions.update({number: ends.earliest[number] for number in new})


def numbers_of(text: str) -> list[int]:
    """Return the numbers of partitions in a parameter. Raise Fault for anything else."""
    return list(dict.fromkeys(number_of("partitions", each) for each in text.split(",") if text))


def places_of(text: str) -> dict[int, int] | None:
    """Return offsets by partition: none for `earliest`; None for `latest`. Raise Fault for anything else."""
    if text == "latest":
        return None
    if text in ("", "earliest"):
        return {}
    places: dict[int, int] = {}
    for each in text.split(","):
        partition, colon, offset = each.partition(":")
        if not colon or max(len(partition), len(offset)) > DIGITS_MAX or not (partition + offset).isdecimal():
            wanted = "earliest, latest or partition:offset, ..."
            raise Fault("WRONG_FIELD", field="from", wanted=wanted, found=repr(each[:40]))
        places[number_of("from", partition)] = number_of("from", offset)
    return places


def check(parameters: Parameters) -> None:
    """Raise Fault for a wrong parameter."""
    numbers_of(parameters.get("partitions", ""))
    for name in ("from", "last_event_id"):
        places_of(parameters.get(name, ""))


def topic_route(server: "Server", request: Request, parameters: Parameters) -> EndpointFactory | Response:
    """Return the endpoint for an event stream. Raise Fault for a wrong parameter."""
    if "group" in parameters:
        raise Fault("WRONG_FIELD", field="group", wanted="a WebSocket, where a member commits", found="an event stream")
    check(parameters)
    return TopicEndpoint
