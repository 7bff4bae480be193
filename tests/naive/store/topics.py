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
LIMITS = {"TIME": ("retention_secs",), "SIZE": ("max_bytes",), "MESSAGES": ("max_messages",), "INFINITE": ()}


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
    def size(self) -> int:
        return len(self.topic) + len(self.event_type) + len(self.key or b"") + len(self.headers) + len(self.data)


@dataclass
class Partition:
    """One partition."""

    first: int = 0
    created: int = 0
    records: list[Record] = field(default_factory=list)

    @property
    def after(self) -> int:
        return self.first + len(self.records)

    @property
    def size(self) -> int:
        return sum(record.size for record in self.records)

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
        partition.records.append(record)
        while self.messages_max and len(partition.records) > self.messages_max:
            partition.drop(1)
        while self.bytes_max and partition.size > self.bytes_max and len(partition.records) > 1:
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
    count = args.get("num_partitions", 3)
    if not 1 <= count <= PARTITIONS_MAX:
        raise Refused("BAD_PARTITIONS")
    given = tuple(name for name in ("retention_secs", "max_bytes", "max_messages") if name in args)
    if args.get("type", "COMBINED") != "COMBINED" and given != LIMITS[args["type"]]:
        raise Refused("BAD_POLICY")
    age = args.get("retention_secs", 0 if given or "type" in args else 3600)
    numbers = [args.get("max_messages", 0), args.get("max_bytes", 0), age]
    others = [args.get("replication_factor", 1), args.get("segment_bytes", 100 << 20)]
    if not all(0 <= number <= LIMIT_MAX for number in numbers + others):
        raise Refused("BAD_AMOUNT")
    state.topics[args["topic"]] = Topic(
        numbers[0], numbers[1], age * 1000, args.get("routing") == "CRC32", now, others[0], others[1], now,
        [Partition(created=now) for _ in range(count)],
    )  # fmt: skip
    return [count, others[0]], True


def grow(state: State, args: dict[str, Any], now: int) -> Answer:
    topic, count = topic_of(state, args), args["num_partitions"]
    more = count - len(topic.partitions)
    if more < 0 or count > PARTITIONS_MAX:
        raise Refused("BAD_PARTITIONS")
    topic.partitions += [Partition(created=now) for _ in range(more)]
    return count, more > 0


def publish(state: State, args: dict[str, Any], now: int) -> Answer:
    topic, key = topic_of(state, args), args.get("key")
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
        [number, args["topic"], len(each.records), each.size, each.first, max(each.after - 1, 0),
         (now - topic.passed) // 1000]
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
        messages, size, age, routing == 2, created, replicas, segment, now, partitions, turn
    )
    return OK, True


def load_records(state: State, args: dict[str, Any], now: int) -> Answer:
    topic = topic_of(state, args)
    topic.partitions[args["partition_id"]].records += [
        Record(each["type"], each.get("key"), each["data"], each.get("headers", b""), each["time"], args["topic"])
        for each in args["records"]
    ]
    topic.set_timer()
    return OK, True
