"""Rooms: a list of events and the offset of its first."""

from dataclasses import dataclass, field
from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import OK, WAIT, Answer, State

NEVER = 2**63 - 1
LIMIT_MAX = 1 << 50
DEFAULTS = (0, 0, 0)  # a heap that no node has opened knows no settings


@dataclass
class Room:
    """One room; an event is (name, data, time)."""

    events_max: int
    bytes_max: int
    retention_ms: int
    created: int
    first: int = 0
    events: list[tuple[bytes, bytes, int]] = field(default_factory=list)
    timer: int = NEVER  # set by the first event, and set anew when it has run out
    consumed: int = 0
    readers: set[bytes] = field(default_factory=set)

    @property
    def after(self) -> int:
        return self.first + len(self.events)

    @property
    def size(self) -> int:
        return sum(len(name) + len(data) for name, data, _ in self.events)

    @property
    def due(self) -> int:
        if not self.retention_ms or not self.events:
            return NEVER
        return self.events[0][2] + self.retention_ms + max(min(self.retention_ms // 64, 60_000), 20)

    def trim(self) -> None:
        size, drop = self.size, 0
        while len(self.events) - drop > 1 and (
            (self.events_max and len(self.events) - drop > self.events_max)
            or (self.bytes_max and size > self.bytes_max)
        ):
            size -= len(self.events[drop][0]) + len(self.events[drop][1])
            drop += 1
        self.drop(drop)

    def drop(self, count: int) -> None:
        del self.events[:count]
        self.first += count


def room_of(state: State, args: dict[str, Any]) -> Room:
    if args["room"] not in state.rooms:
        raise Refused("ROOM_MISSING")
    return state.rooms[args["room"]]


def make(state: State, args: dict[str, Any], now: int) -> Answer:
    if args["room"] in state.rooms:
        raise Refused("ROOM_EXISTS")
    state.rooms[args["room"]] = Room(args["max_events"], args["max_bytes"], args["retention_ms"], now)
    return OK, True


def create(state: State, args: dict[str, Any], now: int) -> Answer:
    names = ("max_events", "max_bytes", "retention_secs")
    limits = [args.get(name, default) for name, default in zip(names, DEFAULTS, strict=True)]
    if not all(0 <= limit <= LIMIT_MAX for limit in limits):
        raise Refused("BAD_AMOUNT")
    made = {"room": args["room"], "max_events": limits[0], "max_bytes": limits[1], "retention_ms": limits[2] * 1000}
    return make(state, made, now)


def get_or_create(state: State, args: dict[str, Any], now: int) -> Answer:
    if args["room"] in state.rooms:
        return 0, False
    create(state, args, now)
    return 1, True


def publish(state: State, args: dict[str, Any], now: int) -> Answer:
    room = room_of(state, args)
    offset = room.after
    for data in args["items"]:
        room.events.append((args["event"], data, now))
        room.trim()
    if room.timer == NEVER:
        room.timer = room.due
    return offset, True


def consume(state: State, args: dict[str, Any], now: int) -> Answer:
    room = room_of(state, args)
    start, most = args.get("from_offset", room.first), args.get("limit", 100)
    if start < 0 or most < 0:
        raise Refused("POSITIVE_COUNT")
    if start < room.first or (start > room.after and "wait" not in args):
        raise Refused("OFFSET_GONE", room.first, room.after)
    if start >= room.after and "wait" in args:
        return WAIT, False
    found = room.events[start - room.first :][:most]
    room.readers.add(args["subscriber_id"])
    room.consumed += len(found)
    return [[start + i, name, data, time] for i, (name, data, time) in enumerate(found)], False


def stats(state: State, args: dict[str, Any], now: int) -> Answer:
    room = room_of(state, args)
    return [
        args["room"], len(room.events), room.first, max(room.after - 1, 0), len(room.readers), room.after,
        room.consumed, room.size, room.events_max, room.bytes_max, room.retention_ms // 1000, room.created,
    ], False  # fmt: skip


def delete(state: State, args: dict[str, Any], now: int) -> Answer:
    room_of(state, args)
    del state.rooms[args["room"]]
    return OK, True


def list_names(state: State, args: dict[str, Any], now: int) -> Answer:
    return sorted(state.rooms), False


def expire(state: State, args: dict[str, Any], now: int) -> Answer:
    room = room_of(state, args)
    old = 0
    if room.retention_ms:
        while old < min(len(room.events), args["most"]) and room.events[old][2] + room.retention_ms <= now:
            old += 1
    room.drop(old)
    room.timer = room.due
    return old, old > 0


def load_room(state: State, args: dict[str, Any], now: int) -> Answer:
    if args["room"] in state.rooms:
        raise Refused("ROOM_EXISTS")
    events_max, bytes_max, retention, first, _, created, _ = (args[f"word{i}"] for i in range(7))
    state.rooms[args["room"]] = Room(events_max, bytes_max, retention, created, first)
    return OK, True


def load_events(state: State, args: dict[str, Any], now: int) -> Answer:
    room = room_of(state, args)
    room.events += [(each["event"], each["data"], each["time"]) for each in args["events"]]
    room.timer = room.due
    return OK, True
