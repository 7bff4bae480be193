"""`/topics/{topic}/ws?group=g&member=m`: a WebSocket that is a member of a consumer group.

    server    {"type": "connected", "topic", "group", "member"}
              {"type": "assigned", "generation", "partitions": [..]}: at first, and after each rebalance. From here on
              only records of these partitions come, each partition from the committed offset on, or as `from` says if
              none is committed; a partition that the member had before goes on where it was
              {"type": "record", ..}, {"type": "gap", ..}, {"type": "error", ..} as in topics.py
    client    {"command": "commit", "partition_id", "offset": of the record to read next, "generation": if wanted}
              with "reply": true it is answered by {"type": "commit", "partition_id", "offset", "success": true}; a
              refused one by {"type": "error", "error", "command", "partition_id", "offset"}

The member joins when the socket opens, and leaves the group when it closes. Without `member` it gets a random name.
While the peer answers pings its session goes on; a peer that is silent for `session_ms` (by default that of the group)
is removed as any member is, and its socket is closed. When the server stops or dies no member leaves: their sessions go
on, so one that comes back under its name in time keeps its partitions. A second connection under the same name takes
the place of the first, which is closed.
"""

from functools import partial
from typing import TYPE_CHECKING

from synap.derive.conversions import to_flag
from synap.derive.reply_forms import as_text, json_form
from synap.engine.waiters import Feed
from synap.faults import Fault
from synap.io.feeds.endpoints.endpoint import EndpointFactory, Parameters, number_of, unknown_command
from synap.io.feeds.endpoints.topic_ends import Ends
from synap.io.feeds.endpoints.topics import FAILED, GONE, TopicEndpoint, check
from synap.proto.http import Request, Response
from synap.store.memory import codes, kinds
from synap.store.memory.refusals import CONSUMER_GROUP_MISSING, MEMBER_NOT_IN_GROUP

if TYPE_CHECKING:
    from synap.io.server.server import Server

POLICY = 1008
BEATS = 3  # heartbeats in one session
BEAT_S_MIN = 0.02


class MemberEndpoint(TopicEndpoint):
    """The records of a topic for one member of a consumer group."""

    writes = True
    member = ""  # until it has joined
    group_feed: Feed | None = None

    def _take_up(self) -> None:
        """Check that the topic and the group are there. Raise Fault."""
        by_code = self.engine.catalogue.by_code
        self.group = self.parameters["group"]
        self.count = len(self.ends())
        self.generation = 0
        self.assigned: list[int] = []
        outcome, found = self.ask(by_code[codes.GROUP_STATS], group=self.group)
        if outcome.failed:
            raise found
        stats = json_form(outcome.row.reply)(found)
        if stats["topic"] != self.topic:
            wanted, other = f"a group of the topic {self.topic!r}", f"one of the topic {stats['topic']!r}"
            raise Fault("WRONG_FIELD", field="group", wanted=wanted, found=other)
        given = self.parameters.get("session_ms")
        self.session_ms = int(stats["session_ms"]) if given is None else number_of("session_ms", given)
        self.asking_share, self.beating = by_code[codes.GROUP_ASSIGNMENT], by_code[codes.GROUP_HEARTBEAT]
        self.asking_offset = by_code[codes.GROUP_OFFSET]
        self.share_form = json_form(self.asking_share.reply)

    def drained(self) -> None:
        if self.feed is None or self.over:
            return
        if not self.member:
            if self.drain_after_pause(True):  # joining is a write
                return
            self._join()
        super().drained()

    def _join(self) -> None:
        name, caller = self.parameters.get("member"), self.connection.caller
        try:
            outcome, found = self.run(
                caller, codes.GROUP_JOIN, group=self.group, instance=name, session_ms=self.session_ms
            )  # fmt: skip
            if outcome.failed:
                raise found
        except Fault as fault:
            self.fail(fault, FAILED)
            return
        self.member = name or as_text(found[0] if isinstance(found, tuple) else found)
        members = self.engine.host.members
        key = self.group.encode(), self.member.encode()
        before, members[key] = members.get(key), self.replaced
        if before is not None:
            before()
        feed = Feed(kinds.GROUP, self.group.encode(), partial(self.connection.protected, self.rebalanced))
        self.engine.attend(feed)
        self.group_feed = feed
        self.say("connected", topic=self.topic, group=self.group, member=self.member)
        self.rebalanced(self.now)
        self.beaten = self.connection.server.loop.time()
        self._beat_later()

    def replaced(self) -> None:
        """Close, because another connection has joined as this member."""
        self.connection.protected(self.fail, Fault("MEMBER_REPLACED"), POLICY)

    def ended(self) -> None:
        super().ended()
        if self.group_feed is None:
            return
        self.engine.interest.leave(self.group_feed)
        members, key = self.engine.host.members, (self.group.encode(), self.member.encode())
        if members.get(key) != self.replaced:
            return
        del members[key]
        stopping = self.connection.server.phase == "stopping"  # a member may come back when the server does
        if not stopping and not self.engine.diagnostics.pauses(True):
            self.run(self.engine.own, codes.GROUP_LEAVE, group=self.group, member_id=self.member)

    # The session.

    def _beat_later(self) -> None:
        self.connection.later(max(self.session_ms / 1000 / BEATS, BEAT_S_MIN), self._beat)

    def _beat(self) -> None:
        """Extend the session if the peer was heard since the last time, and ask it to answer before the next time."""
        self._beat_later()
        if self.drain_after_pause(True):
            return
        if self.connection.heard >= self.beaten:
            self.beaten = self.connection.server.loop.time()
            outcome, found = self.ask(self.beating, group=self.group, member_id=self.member)
            self.written()
            if outcome.what in (MEMBER_NOT_IN_GROUP, CONSUMER_GROUP_MISSING):
                self.fail(found, POLICY)
                return
        self.connection.ping()

    # The share of the partitions.

    def rebalanced(self, now: int) -> bool:
        """Take up the partitions that are this member's now; return False, as all of it is done at once."""
        if self.over:
            return False
        outcome, found = self.ask(self.asking_share, group=self.group, member_id=self.member)
        if outcome.failed:
            self.fail(found, GONE if outcome.what == CONSUMER_GROUP_MISSING else POLICY)
            return False
        share = self.share_form(found)
        if share["generation"] == self.generation:
            return False
        self.generation, self.assigned = share["generation"], list(share["partitions"])
        self.positions = {each: self.positions[each] for each in self.assigned if each in self.positions}
        self.turn = 0
        self.say("assigned", generation=self.generation, partitions=self.assigned)
        try:
            self.follow_new(self.ends())
        except Fault as fault:
            self.fail(fault, GONE)
            return False
        self.connection.drain_soon()
        return False

    def follow_new(self, ends: Ends) -> None:
        """Begin with the partitions of this member that are not read yet."""
        for partition in self.assigned:
            if partition < len(ends) and partition not in self.positions:
                _, committed = self.ask(self.asking_offset, group=self.group, partition_id=partition)
                self.positions[partition] = self.start(partition, ends) if committed is None else committed

    # Commits.

    def received(self, text: bytes) -> None:
        frame = self.frame_of(text)
        if frame is None:
            return
        told = {name: frame[name] for name in ("partition_id", "offset") if name in frame}
        try:
            if frame.get("command") != "commit":
                raise unknown_command(frame.get("command"), "commit")
            reply = to_flag("reply", frame.get("reply"))
            more = {"generation": frame["generation"]} if frame.get("generation") is not None else {}
            caller, member = self.connection.caller, self.member
            outcome, found = self.run(
                caller, codes.GROUP_COMMIT, group=self.group, member_id=member, **told, **more
            )  # fmt: skip
            if outcome.failed:
                raise found
        except Fault as fault:
            self.refuse(fault.json_text(), command=frame.get("command"), **told)
            return
        if reply:
            self.say("commit", **told, success=True)


def member_route(server: "Server", request: Request, parameters: Parameters) -> EndpointFactory | Response:
    """Return the endpoint for a WebSocket, that of a member if the query names a group. Raise Fault for a wrong
    parameter; a missing topic or group is reported on the socket."""
    check(parameters)
    if "group" not in parameters:
        return TopicEndpoint
    if "session_ms" in parameters:
        number_of("session_ms", parameters["session_ms"])
    return MemberEndpoint
