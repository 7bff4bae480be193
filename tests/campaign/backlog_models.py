"""What a room and a topic must answer, kept by hand: exact, so that every reply can be judged. For queues: queue_model.

    model.call(chance)   words of one command that makes sense now
    model.expect(words)  what it answers, or a function that judges it; the model goes on as if it was carried out
    model.stats()        what the server must say of the whole, found by `model.asked` and picked out by `model.told`

A model is copied before commands whose fate is open: of a pipeline that a crash cut, some first part was carried out,
and the copy that has gone on just as far is the one that the server agrees with.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.naive.murmur2 import murmur2
from tests.support import Refusal

CONSUMERS = [b"w%d" % i for i in range(6)]
Judge = Callable[[Any], bool]


def picked(reply: list[Any], names: Iterable[bytes]) -> dict[bytes, Any]:
    """These names with their values, from names and values in turn."""
    pairs = dict(zip(reply[::2], reply[1::2], strict=True))
    return {name: pairs[name] for name in names}


@dataclass
class RoomModel:
    """One room: its events, and the offset of the first."""

    name: bytes
    events_max: int
    bytes_max: int
    first: int = 0
    events: list[tuple[bytes, bytes]] = field(default_factory=list)
    made: int = 0
    size: int = 0

    def copy(self) -> "RoomModel":
        """One that goes on by itself."""
        limits = self.events_max, self.bytes_max
        return RoomModel(self.name, *limits, self.first, list(self.events), self.made, self.size)

    @property
    def after(self) -> int:
        return self.first + len(self.events)

    def asked(self) -> list[Any]:
        return ["STREAM.STATS", self.name]

    def told(self, reply: list[Any]) -> dict[bytes, Any]:
        return picked(reply, self.stats())

    def stats(self) -> dict[bytes, int]:
        """STREAM.STATS, but for what counts readers."""
        return {
            b"message_count": len(self.events), b"min_offset": self.first, b"max_offset": max(self.after - 1, 0),
            b"total_published": self.after, b"bytes": self.size,
        }  # fmt: skip

    def prepare(self) -> list[Any]:
        return ["STREAM.CREATE", self.name, "MAXEVENTS", self.events_max, "MAXBYTES", self.bytes_max, "RETENTION", 0]

    def call(self, chance: Random) -> list[Any]:
        if chance.random() < 0.5:
            items = []
            for _ in range(chance.choice((1, 1, 1, 5, 20))):
                self.made += 1
                items.append(b"%d:" % self.made + b"x" * chance.choice((0, 10, 100, 1000)))
            return ["STREAM.PUBLISH", self.name, chance.choice((b"said", b"left")), *items]
        words = ["STREAM.CONSUME", self.name, chance.choice(CONSUMERS)]
        offsets = (self.first, self.first - 1, self.after, self.after + 5, chance.randint(0, self.after))
        if chance.random() < 0.9:
            words += ["FROM", max(chance.choice(offsets), 0)]
        return words + (["LIMIT", chance.choice((1, 7, 1000))] if chance.random() < 0.7 else [])

    def expect(self, words: list[Any]) -> Judge:
        if words[0] == "STREAM.PUBLISH":
            offset = self.after
            for data in words[3:]:
                self._append(words[2], data)
            return lambda reply: reply == offset
        options = dict(zip(words[3::2], words[4::2], strict=True))
        start, most = options.get("FROM", self.first), options.get("LIMIT", 100)
        if start < self.first or start > self.after:
            text = f"OFFSETGONE the offset is not held, the earliest is {self.first}, the next is {self.after}"
            return lambda reply: reply == Refusal(text)
        told = [[start + i, *event] for i, event in enumerate(self.events[start - self.first :][:most])]
        return lambda reply: [each[:3] for each in reply] == told

    def _append(self, event: bytes, data: bytes) -> None:
        self.events.append((event, data))
        self.size += len(event) + len(data)
        drop = 0
        while len(self.events) - drop > 1 and (
            (self.events_max and len(self.events) - drop > self.events_max)
            or (self.bytes_max and self.size > self.bytes_max)
        ):
            self.size -= sum(map(len, self.events[drop]))
            drop += 1
        del self.events[:drop]
        self.first += drop


Written = tuple[bytes, bytes | None, bytes]  # type, key and data of a record


@dataclass
class TopicModel:
    """One topic: of each partition the offset of the first record, and the records."""

    name: bytes
    count: int
    records_max: int
    bytes_max: int
    compacted: bool = False  # without a lag: a record is spent as soon as another of its key follows
    turn: int = 0
    made: int = 0
    first: list[int] = field(default_factory=list)
    records: list[list[Written]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.first = self.first or [0] * self.count
        self.records = self.records or [[] for _ in range(self.count)]

    def copy(self) -> "TopicModel":
        """One that goes on by itself."""
        settings = self.records_max, self.bytes_max, self.compacted
        records = [list(each) for each in self.records]
        return TopicModel(self.name, self.count, *settings, self.turn, self.made, list(self.first), records)

    def _after(self, partition: int) -> int:
        return self.first[partition] + len(self.records[partition])

    def _size(self, record: Written) -> int:
        return len(self.name) + len(record[0]) + len(record[1] or b"") + len(record[2])

    def asked(self) -> list[Any]:
        return ["TOPIC.STATS", self.name]

    def told(self, reply: list[Any]) -> dict[bytes, Any]:
        partitions = picked(reply, [b"partitions"])[b"partitions"]
        return {b"partitions": [list(picked(each, self._NAMES).values()) for each in partitions]}

    _NAMES = (b"message_count", b"total_bytes", b"min_offset", b"max_offset")

    def stats(self) -> dict[bytes, Any]:
        """TOPIC.STATS, but for the limits and times."""
        return {b"partitions": [
            [len(records), sum(map(self._size, records)), self.first[i], max(self._after(i) - 1, 0)]
            for i, records in enumerate(map(self._counted, self.records))
        ]}  # fmt: skip

    def _counted(self, records: list[Written]) -> list[Written]:
        """Those that are counted: of a compacted topic the last ones of keys, without tombstones."""
        return [record for record in self._last(records).values() if record[2]] if self.compacted else records

    @staticmethod
    def _last(records: list[Written]) -> dict[bytes | None, Written]:
        return {record[1]: record for record in records}

    def prepare(self) -> list[Any]:
        words = ["TOPIC.CREATE", self.name, "PARTITIONS", self.count, "POLICY"]
        if self.compacted:
            return [*words, "COMPACT", "LAG", 0]
        words += ["COMBINED"]
        return [*words, "MAXMESSAGES", self.records_max, "MAXBYTES", self.bytes_max]

    def _data(self, chance: Random) -> bytes:
        self.made += 1
        if self.compacted and chance.random() < 0.1:
            return b""
        return b"%d:" % self.made + b"x" * chance.choice((0, 10, 100, 1000))

    def call(self, chance: Random) -> list[Any]:
        draw, key = chance.random(), b"k%d" % chance.randrange(20)
        if draw < 0.35:
            words = ["TOPIC.PUBLISH", self.name, chance.choice((b"said", b"left")), self._data(chance)]
            words += ["KEY", key] if self.compacted or chance.random() < 0.5 else []
            return words + (["PARTITION", chance.randrange(self.count)] if chance.random() < 0.3 else [])
        if draw < 0.5:
            words = ["TOPIC.MPUBLISH", self.name, b"many"]
            for _ in range(chance.choice((1, 5, 20))):
                words += [chance.choice((b"common" if self.compacted else b"", key, b"common")), self._data(chance)]
            return words
        if draw < 0.6:
            offsets = [word for i in range(self.count) for word in (i, chance.randint(0, self._after(i) + 2))]
            return ["TOPIC.READ", self.name, "LIMIT", chance.choice((1, 5, 100)), "OFFSETS", *offsets]
        if draw < 0.65 and self.count < 9:
            return ["TOPIC.GROW", self.name, self.count + (chance.random() < 0.1)]
        at = chance.randrange(self.count)
        first, after = self.first[at], self._after(at)
        words = ["TOPIC.CONSUME", self.name, at]
        if chance.random() < 0.9:
            words += ["FROM", max(chance.choice((first, first - 1, after, after + 5, chance.randint(0, after))), 0)]
        return words + (["LIMIT", chance.choice((1, 7, 1000))] if chance.random() < 0.7 else [])

    def expect(self, words: list[Any]) -> Judge:
        found: Judge = getattr(self, "_" + words[0].partition(".")[2].lower())(*words[2:])
        return found

    def _publish(self, event_type: bytes, data: bytes, *options: Any) -> Judge:
        given = dict(zip(options[::2], options[1::2], strict=True))
        place = self._append(given.get("PARTITION"), (event_type, given.get("KEY"), data))
        return lambda reply: reply == place

    def _mpublish(self, event_type: bytes, *items: bytes) -> Judge:
        places = [
            self._append(None, (event_type, key or None, data))
            for key, data in zip(items[::2], items[1::2], strict=True)
        ]
        return lambda reply: reply == places

    def _append(self, partition: int | None, record: Written) -> list[int]:
        if partition is None and record[1] is not None:
            partition = (murmur2(record[1]) & 0x7FFFFFFF) % self.count
        if partition is None:
            partition = self.turn % self.count
            self.turn = partition + 1
        place = [partition, self._after(partition)]
        held = self.records[partition]
        held.append(record)
        while len(held) > 1 and (
            (self.records_max and len(held) > self.records_max)
            or (self.bytes_max and sum(map(self._size, held)) > self.bytes_max)
        ):
            del held[0]
            self.first[partition] += 1
        return place

    def _grow(self, count: int) -> Judge:
        self.first += [0] * (count - self.count)
        self.records += [[] for _ in range(count - self.count)]
        self.count = count
        return lambda reply: reply == count

    def _from(self, partition: int, start: int, most: int) -> list[list[Any]]:
        start = max(start, self.first[partition])
        found = list(enumerate(self.records[partition], self.first[partition]))[start - self.first[partition] :]
        if self.compacted:
            last = self._last(self.records[partition])
            found = [(offset, record) for offset, record in found if last[record[1]] is record]
        return [[partition, offset, *record] for offset, record in found[:most]]

    def _read(self, _: str, most: int, __: str, *offsets: int) -> Judge:
        pairs = zip(offsets[::2], offsets[1::2], strict=True)
        told = [each for partition, start in pairs for each in self._from(partition, start, most)]
        return lambda reply: [each[:5] for each in reply] == told

    def _consume(self, partition: int, *options: Any) -> Judge:
        given = dict(zip(options[::2], options[1::2], strict=True))
        first, after = self.first[partition], self._after(partition)
        start = given.get("FROM", first)
        if start < first or start > after:
            text = f"OFFSETGONE the offset is not held, the earliest is {first}, the next is {after}"
            return lambda reply: reply == Refusal(text)
        told = self._from(partition, start, given.get("LIMIT", 100))
        return lambda reply: [each[:5] for each in reply] == told
