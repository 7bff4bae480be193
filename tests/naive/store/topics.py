"""Topics: a list of partitions, each a list of records and the offset of its first."""

import zlib
from dataclasses import dataclass, field
from typing import Any

from tests.naive.murmur2 import murmur2
from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, State
from tests.naive.store.rooms import LIMIT_MAX, NEVER

PARTITIONS_MAX = 4096
BATCH_MAX = 10_000
LIMITS = {
    "TIME": ("retention_secs",), "SIZE": ("max_bytes",), "MESSAGES": ("max_messages",), "INFINITE": (), "COMPACT": (),
}  # fmt: skip


@dataclass
class Record:
    """One record; without a key, `key` is None. It counts for the bytes of its topic's name, too."""

    event_type: bytes
    key: bytes | None
    data: bytes
    headers: bytes
    time: int
    topic: bytes

    @property
    def is_tombstone(self) -> bool:
        return not self.data

    @property
    def size(self) -> int:
        return len(self.topic) + len(self.event_type) + len(self.key or b"") + len(self.headers) + len(self.data)


@dataclass
class Partition:
    """One partition."""

    first: int = 0
    created: int = 0
    records: list[Record] = field(default_factory=list)
    gaps: int = 0  # offsets that were removed before a snapshot
    offsets: list[int] = field(default_factory=list)  # of a compacted topic: of each record

    @property
    def after(self) -> int:
        return self.first + len(self.records) + self.gaps

    def last_of_key(self) -> dict[bytes | None, int]:
        """The offset of the last record of each key."""
        return {record.key: offset for record, offset in zip(self.records, self.offsets, strict=True)}

    def live(self, lag: int, tombstone: int) -> list[tuple[int, Record]]:
        """The records of a compacted topic that are not spent, with their offsets."""
        last, found = self.last_of_key(), []
        for offset, record in zip(self.offsets, self.records, strict=True):
            age = self.records[-1].time - record.time
            spent = age >= (max(tombstone, lag) if record.is_tombstone else 1 << 62)
            if last[record.key] != offset:
                spent = age >= lag
            if not spent or offset == self.after - 1:
                found.append((offset, record))
        return found

    def size_of(self, compacted: bool) -> int:
        return sum(record.size for record in self.counted(compacted))

    def counted(self, compacted: bool) -> list[Record]:
        """The records that stats count: of a compacted topic the values of keys."""
        if not compacted:
            return self.records
        last = self.last_of_key()
        return [
            record for record, offset in zip(self.records, self.offsets, strict=True)
            if last[record.key] == offset and not record.is_tombstone
        ]  # fmt: skip

    def drop(self, count: int) -> None:
        del self.records[:count]
        self.first += count


@dataclass
class Topic:
    """One topic; `timer` is set by the first record, and set anew when it has run out."""

    messages_max: int
    bytes_max: int
    retention_ms: int
    by_crc32: bool
    created: int
    replicas: int
    segment: int
    passed: int
    partitions: list[Partition]
    turn: int = 0
    timer: int = NEVER
    lag: int = -1  # of a compacted topic
    tombstone: int = 0

    @property
    def compacted(self) -> bool:
        return self.lag >= 0

    def due(self, partition: Partition) -> int:
        if not self.retention_ms or not partition.records:
            return NEVER
        return partition.records[0].time + self.retention_ms + max(min(self.retention_ms // 64, 60_000), 20)

    def set_timer(self) -> None:
        self.timer = min(map(self.due, self.partitions))

    def routed(self, key: bytes | None) -> int:
        if key is None:
            number = self.turn % len(self.partitions)
            self.turn = number + 1
            return number
        value = zlib.crc32(key) if self.by_crc32 else murmur2(key) & 0x7FFFFFFF
        return value % len(self.partitions)

    def append(self, number: int, record: Record) -> list[int]:
        partition = self.partitions[number]
        place = [number, partition.after]
        partition.offsets.append(partition.after)
        partition.records.append(record)
        while self.messages_max and len(partition.records) > self.messages_max:
            partition.drop(1)
        while self.bytes_max and partition.size_of(False) > self.bytes_max and len(partition.records) > 1:
            partition.drop(1)
        if self.timer == NEVER:
            self.timer = self.due(partition)
        return place


def topic_of(state: State, args: dict[str, Any]) -> Topic:
    if args["topic"] not in state.topics:
        raise Refused("NO_SUCH_TOPIC")
    return state.topics[args["topic"]]


def create(state: State, args: dict[str, Any], now: int) -> Answer:
    if args["topic"] in state.topics:
        raise Refused("TOPIC_EXISTS")
    if "type" not in args and ("lag_ms" in args or "tombstone_ms" in args):
        args = args | {"type": "COMPACT"}
    count = args.get("num_partitions", 3)
    if not 1 <= count <= PARTITIONS_MAX:
        raise Refused("BAD_PARTITIONS")
    given = tuple(name for name in ("retention_secs", "max_bytes", "max_messages") if name in args)
    if args.get("type", "COMBINED") != "COMBINED" and given != LIMITS[args["type"]]:
        raise Refused("BAD_POLICY")
    age = args.get("retention_secs", 0 if given or "type" in args else 3600)
    compacted = args.get("type") == "COMPACT"
    if not compacted and ("lag_ms" in args or "tombstone_ms" in args):
        raise Refused("BAD_POLICY")
    numbers = [args.get("max_messages", 0), args.get("max_bytes", 0), age]
    others = [args.get("replication_factor", 1), args.get("segment_bytes", 100 << 20)]
    if not all(0 <= number <= LIMIT_MAX for number in numbers + others):
        raise Refused("BAD_AMOUNT")
    lag, tombstone = args.get("lag_ms", 60_000), args.get("tombstone_ms", 86_400_000)
    if not all(0 <= each <= LIMIT_MAX for each in (lag, tombstone)):
        raise Refused("BAD_AMOUNT")
    state.topics[args["topic"]] = Topic(
        numbers[0], numbers[1], age * 1000, args.get("routing") == "CRC32", now, others[0], others[1], now,
        [Partition(created=now) for _ in range(count)], lag=lag if compacted else -1,
        tombstone=tombstone if compacted else 0,
    )  # fmt: skip
    return [count, others[0]], True


def grow(state: State, args: dict[str, Any], now: int) -> Answer:
    topic, count = topic_of(state, args), args["num_partitions"]
    more = count - len(topic.partitions)
    if more < 0 or count > PARTITIONS_MAX:
        raise Refused("BAD_PARTITIONS")
    for group in state.groups.values():
        if more and group.topic == args["topic"] and len(group.owners) == len(topic.partitions):
            group.owners += [None] * more
            group.offsets += [None] * more
            group.drop_ended(now)
            group.rebalance(now)
            group.set_timer()
    topic.partitions += [Partition(created=now) for _ in range(more)]
    return count, more > 0


def publish(state: State, args: dict[str, Any], now: int) -> Answer:
    topic, key = topic_of(state, args), args.get("key")
    if topic.compacted and not key:
        raise Refused("KEY_WANTED")
    number = args.get("partition_id")
    if number is None:
        number = topic.routed(key)
    elif not 0 <= number < len(topic.partitions):
        raise Refused("PARTITION_MISSING", number)
    headers = args.get("headers", b"")
    return topic.append(number, Record(args["event_type"], key, args["data"], headers, now, args["topic"])), True


def publish_many(state: State, args: dict[str, Any], now: int) -> Answer:
    topic = topic_of(state, args)
    if len(args["records"]) > BATCH_MAX:
        raise Refused("BATCH_TOO_LARGE")
    if topic.compacted and not all(each["key"] for each in args["records"]):
        raise Refused("KEY_WANTED")
    places = []
    for each in args["records"]:
        key = each["key"] or None
        record = Record(args["event_type"], key, each["data"], b"", now, args["topic"])
        places.append(topic.append(topic.routed(key), record))
    return places, True


def delete(state: State, args: dict[str, Any], now: int) -> Answer:
    topic_of(state, args)
    del state.topics[args["topic"]]
    return OK, True


def list_names(state: State, args: dict[str, Any], now: int) -> Answer:
    return sorted(state.topics), False


def stats(state: State, args: dict[str, Any], now: int) -> Answer:
    topic = topic_of(state, args)
    partitions = [
        [number, args["topic"], len(each.counted(topic.compacted)), each.size_of(topic.compacted), each.first,
         max(each.after - 1, 0), (now - topic.passed) // 1000]
        for number, each in enumerate(topic.partitions)
    ]  # fmt: skip
    return [
        args["topic"], len(partitions), topic.replicas, topic.messages_max, topic.bytes_max,
        topic.retention_ms // 1000, topic.created, partitions,
    ], False  # fmt: skip


def expire(state: State, args: dict[str, Any], now: int) -> Answer:
    topic, count = topic_of(state, args), 0
    for partition in topic.partitions:
        old = 0
        while (
            topic.retention_ms and count + old < args["most"] and old < len(partition.records)
            and partition.records[old].time + topic.retention_ms <= now
        ):  # fmt: skip
            old += 1
        partition.drop(old)
        count += old
    topic.passed = now
    topic.set_timer()
    return count, count > 0


def load_topic(state: State, args: dict[str, Any], now: int) -> Answer:
    if args["topic"] in state.topics:
        raise Refused("TOPIC_EXISTS")
    messages, size, age, _, routing, turn, created, replicas, segment = (args[f"word{i}"] for i in range(9))
    partitions = [Partition(each["first"], each["created"]) for each in args["partitions"]]
    state.topics[args["topic"]] = Topic(
        messages, size, age, routing == 2, created, replicas, segment, now, partitions, turn,
        lag=args["lag_ms"] - 1, tombstone=args["tombstone_ms"],
    )  # fmt: skip
    return OK, True


def load_records(state: State, args: dict[str, Any], now: int) -> Answer:
    topic = topic_of(state, args)
    partition = topic.partitions[args["partition_id"]]
    for each in args["records"]:
        partition.gaps += each["gap"]
        partition.offsets.append(partition.after)
        partition.records.append(
            Record(each["type"], each.get("key"), each["data"], each.get("headers", b""), each["time"], args["topic"])
        )
    topic.set_timer()
    return OK, True
