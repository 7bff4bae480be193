"""Members of a consumer group: the flows of a reader that shares the partitions of a topic with other members.

    sharing    joins, reads the partitions of the member from their committed offsets on, and yields records
    beating    sends heartbeats in the background, so that a long body does not end the session

`sharing` sends one write for each batch: the commits of what was processed, a read of all its partitions, and a
heartbeat. The heartbeat comes last, so a rebalance that happened while the read waited is known before its records are
given out.

A rebalance is one step on the server. The member learns of it by another generation, which each heartbeat returns: with
each batch, every `commit_s` seconds while the loop goes on, and in the background. Then it asks for its assignment and

1. drops the records that it has read ahead of partitions that it has lost, and calls `listener.revoked` with these;
2. takes up each new partition at its committed offset, and calls `listener.assigned` with these;
3. goes on with the others where it was, unless another member has committed something meanwhile.

So at `revoked` the partitions belong to others already: a commit for them is refused (Fenced), and what was processed
since the last commit is processed again by others. At the end (`close`), `revoked` is called before the member leaves,
so commits are still accepted.

A member whose session has ended (it was cut off, or stopped for longer) joins again, and counts as having lost all
partitions. It never commits over the offsets of the members that took over: every commit names member and generation.

A body that takes longer than `poll_max_s` ends the heartbeats, and the member leaves: it may be stuck, and others
should have its partitions.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from synap.client.clock import unique_name
from synap.client.errors import ClientError, Fenced, LocalProtocolError, Refused
from synap.client.flows import Box, Flow, Item, Pause, Run, Take, Words, exchanging, log
from synap.client.group_calls import GroupCalls
from synap.client.requests import report
from synap.client.topic_calls import Record, records_of
from synap.client.words import between, option

STARTS = ("earliest", "latest")
BEAT_S = 3.0  # the longest time between two heartbeats
FENCING = ("STALE", "NOMEMBER")
GONE = "NOMEMBER"


class Listener(Protocol):
    """Is told which partitions a member has lost and got; an AsyncClient awaits what the methods return."""

    def revoked(self, partitions: list[int]) -> Any:
        """Partitions were lost: what is kept for them is of no use any more."""

    def assigned(self, partitions: list[int]) -> Any:
        """Partitions were given to this member, which reads them from now on."""


class Seat:
    """The state of one member, which its flows share."""

    def __init__(
        self, group: GroupCalls[Any], member: str | None, static: bool, start: str, auto_commit: bool, commit_s: float,
        session_ms: int | None, limit: int, wait_s: float, poll_max_s: float, until_idle: bool,
        listener: Listener | None, box: Callable[[], Box], clock: Callable[[], float],
    ) -> None:  # fmt: skip
        if start not in STARTS:
            raise LocalProtocolError(f"start: wanted one of {', '.join(STARTS)}, found {start!r}")
        if static and member is None:
            raise LocalProtocolError("static: wanted the name of the member, found none")
        between("limit", limit, 1, 10_000)
        for name, value in (("wait_s", wait_s), ("commit_s", commit_s), ("poll_max_s", poll_max_s)):
            if not value > 0:
                raise LocalProtocolError(f"{name}: wanted seconds above 0, found {value!r}")
        self.group, self.static, self.start = group, static, start
        self.member = unique_name() if member is None else member  # joining again after a lost reply is no other member
        self.auto_commit, self.commit_s, self.session_ms = auto_commit, commit_s, session_ms
        self.limit, self.wait_s, self.poll_max_s, self.until_idle = limit, wait_s, poll_max_s, until_idle
        self.listener, self.clock = listener, clock
        self.topic = ""
        self.generation = 0
        self.session_s = 30.0
        self.positions: dict[int, int] = {}  # by partition: the offset of the next record to be given out
        self.processed: dict[int, int] = {}  # the offset behind the last record whose body has ended, if not committed
        self.committed: dict[int, int | None] = {}
        self.ahead: deque[Record[Any]] = deque()
        self.stale = False  # the group has another generation, or the session has ended
        self.asked = clock()  # when the loop asked for a record
        self.joined = self.ended = False
        self.news = box()  # for `beating`: the member has joined, or the end has come
        self.skipped = 0  # records that the topic no longer held

    def heard(self, reply: Any) -> None:
        """Note the generation in the reply to a heartbeat."""
        if isinstance(reply, Refused):
            if reply.code not in FENCING:
                raise reply
            self.stale = True
        elif int(reply) != self.generation:
            self.stale = True

    def heartbeat(self) -> Words:
        """Return the words of a heartbeat."""
        return "GROUP.HEARTBEAT", self.group.name, self.member

    def commit(self, partition: int, offset: int) -> Words:
        """Return the words of a commit that counts only while the partition is this member's."""
        generation = option("GENERATION", self.generation)
        return "GROUP.COMMIT", self.group.name, partition, offset, "MEMBER", self.member, *generation

    def exchanging(self, commands: list[Words], patience: float = 0.0) -> Flow:
        """Return the replies to commands that may be repeated; once the member has joined, reconnect for long."""
        options = self.group.options
        tries = 1 + options.reconnects if self.joined and not self.ended else 0
        return exchanging(commands, options, True, patience, tries)


def sharing(seat: Seat) -> Flow:
    """Yield the records of a member's partitions; see the module's docstring."""
    yield from _join(seat)
    committed_at = seat.clock()
    try:
        while True:
            if seat.stale:
                yield from _rebalanced(seat)
            while seat.ahead and not seat.stale:
                record = seat.ahead.popleft()
                seat.positions[record.partition] = record.offset + 1
                seat.asked = seat.clock()
                yield Item(record)
                seat.processed[record.partition] = record.offset + 1
                seat.asked = now = seat.clock()
                if now - committed_at > seat.commit_s and not seat.stale:
                    yield from _commit(seat)
                    committed_at = now
            if seat.stale:
                continue
            seat.asked = seat.clock()
            found = yield from _read(seat)
            committed_at = seat.clock()
            if not found and not seat.stale and seat.until_idle:
                return
    finally:
        seat.ended = True
        seat.news.put(True)


def _refused(replies: Iterable[Any]) -> None:
    for reply in replies:
        if isinstance(reply, Refused):
            raise reply


def _join(seat: Seat) -> Flow:
    """Join the group, and take up the first assignment."""
    stats, joined = yield from seat.exchanging([
        ("GROUP.STATS", seat.group.name),
        ("GROUP.JOIN", seat.group.name, "MEMBER", seat.member, *option("SESSION", seat.session_ms)),
    ])  # fmt: skip
    _refused((stats, joined))
    facts = report(stats)
    seat.topic = facts["topic"]
    seat.session_s = (facts["session_ms"] if seat.session_ms is None else seat.session_ms) / 1000
    seat.joined = True
    seat.news.put(True)
    yield from _rebalanced(seat)


def _rebalanced(seat: Seat) -> Flow:
    """Ask for the assignment, tell the listener what was lost and got, and find where new partitions are read."""
    name, member = seat.group.name, seat.member
    lost_all = False
    while True:
        seat.stale = False
        assignment, offsets, ends = yield from seat.exchanging([
            ("GROUP.ASSIGNMENT", name, member), ("GROUP.OFFSETS", name), ("TOPIC.OFFSETS", seat.topic),
        ])  # fmt: skip
        if not (isinstance(assignment, Refused) and assignment.code == GONE):
            break
        lost_all = True
        words: Words = ("GROUP.JOIN", name, "MEMBER", member, *option("SESSION", seat.session_ms))
        _refused((yield from seat.exchanging([words])))
    _refused((assignment, offsets, ends))
    facts = report(assignment)
    mine = [int(partition) for partition in facts["partitions"]]
    before = list(seat.positions)
    kept = set() if lost_all else set(before) & set(mine)
    committed = {int(each[0]): None if each[1] is None else int(each[1]) for each in offsets}
    moved = {partition for partition in kept if committed[partition] != seat.committed.get(partition)}
    kept -= moved  # another member had it meanwhile, or somebody has set its offset
    lost = [partition for partition in before if partition not in kept]
    gained = [partition for partition in mine if partition not in kept]
    seat.ahead = deque(record for record in seat.ahead if record.partition in kept)
    for partition in lost:
        del seat.positions[partition]
        seat.processed.pop(partition, None)
    seat.generation = int(facts["generation"])
    if lost and seat.listener is not None:
        yield Run(seat.listener.revoked, (lost,))
    bounds = {int(partition): (int(earliest), int(behind)) for partition, _, earliest, behind in ends}
    for partition in gained:
        seat.committed[partition] = committed[partition]
        seat.positions[partition] = _first(seat, committed[partition], *bounds.get(partition, (0, 0)))
    if gained and seat.listener is not None:
        yield Run(seat.listener.assigned, (gained,))


def _first(seat: Seat, committed: int | None, earliest: int, behind: int) -> int:
    """Return where a partition is read from, which holds the offsets from `earliest` to before `behind`.

    Offsets that the topic does not have, because it was deleted and created again, are none.
    """
    if committed is None or committed > behind:
        return earliest if seat.start == "earliest" else behind
    return committed


def _commits(seat: Seat) -> list[tuple[int, int]]:
    return list(seat.processed.items()) if seat.auto_commit else []


def _note(seat: Seat, commits: list[tuple[int, int]], replies: list[Any]) -> None:
    """Note which commits were stored; another generation is looked at before the next record."""
    for (partition, offset), reply in zip(commits, replies, strict=True):
        if not isinstance(reply, Refused):
            seat.committed[partition] = offset
            if seat.processed.get(partition) == offset:
                del seat.processed[partition]
        elif reply.code in FENCING:
            seat.stale = True
        else:
            raise reply


def _commit(seat: Seat) -> Flow:
    """Commit, and send a heartbeat."""
    commits = _commits(seat)
    replies = yield from seat.exchanging([*(seat.commit(*each) for each in commits), seat.heartbeat()])
    _note(seat, commits, replies[:-1])
    seat.heard(replies[-1])


def _read(seat: Seat) -> Flow:
    """Commit, read the next records, and send a heartbeat; return whether there are records."""
    commits = _commits(seat)
    wait_s = min(seat.wait_s, seat.session_s / 3)
    commands = [seat.commit(*each) for each in commits]
    if seat.positions:
        places = [word for place in seat.positions.items() for word in place]
        commands.append(("TOPIC.READ", seat.topic, "LIMIT", seat.limit, "WAIT", wait_s, "OFFSETS", *places))
    commands.append(seat.heartbeat())
    replies = yield from seat.exchanging(commands, wait_s if seat.positions else 0.0)
    _note(seat, commits, replies[: len(commits)])
    seat.heard(replies[-1])
    if not seat.positions:  # more members than partitions
        yield Pause(wait_s)
        return False
    found = replies[len(commits)]
    if isinstance(found, Refused):
        raise found
    records: list[Record[Any]] = records_of(seat.group, found)
    for record in records:
        wanted = seat.positions[record.partition]
        if record.offset > wanted:  # the topic no longer holds what is between
            seat.skipped += record.offset - wanted
            seat.positions[record.partition] = record.offset + 1
    seat.ahead.extend(records)
    return bool(records)


def beating(seat: Seat) -> Flow:
    """Send heartbeats until the end; see the module's docstring."""
    while not seat.ended:
        heard = yield Take(seat.news, min(seat.session_s / 3, BEAT_S))
        if heard is not None or not seat.joined:
            continue
        if seat.clock() - seat.asked > seat.poll_max_s:
            log.warning("%r: the body has not ended for %s s, the member leaves", seat.group, seat.poll_max_s)
            seat.stale = True
            yield from _sent_aside(seat, ("GROUP.LEAVE", seat.group.name, seat.member))
            while not seat.ended and seat.clock() - seat.asked > seat.poll_max_s:
                yield Take(seat.news, BEAT_S)
            continue
        reply = yield from _sent_aside(seat, seat.heartbeat())
        if reply is not None and (isinstance(reply, Refused) or int(reply) != seat.generation):
            seat.stale = True


def _sent_aside(seat: Seat, command: Words) -> Flow:
    """Return the reply to a command of the background, None if the connection is broken: the reader learns of that."""
    try:
        (reply,) = yield from exchanging([command], seat.group.options, True)
    except ClientError as error:
        log.debug("%r: %s could not be sent: %s", seat.group, command[0], error)
        return None
    return reply


def parting(seat: Seat) -> Flow:
    """Commit what was processed, tell the listener, and leave the group, unless the member is static."""
    seat.ended = True
    seat.news.put(True)
    if not seat.joined:
        return
    try:
        yield from _commit(seat)
        if seat.positions and seat.listener is not None:
            yield Run(seat.listener.revoked, (list(seat.positions),))
        if not seat.static:
            yield from seat.exchanging([("GROUP.LEAVE", seat.group.name, seat.member)])
    except ClientError as error:
        log.warning("%r: %s could not leave, its session ends by itself: %s", seat.group, seat.member, error)
    seat.joined = False
    seat.positions.clear()


def committing(seat: Seat, record: Record[Any] | None) -> Flow:
    """Commit the offset behind a record, or behind all records whose bodies have ended. Raises Fenced."""
    if record is not None:
        commits = [(record.partition, record.offset + 1)]
    else:
        commits = list(seat.processed.items())
    if not commits:
        return
    replies = yield from exchanging([seat.commit(*each) for each in commits], seat.group.options, True)
    _note(seat, commits, replies)
    for reply in replies:
        if isinstance(reply, Refused):
            raise Fenced(reply.code, reply.text)
