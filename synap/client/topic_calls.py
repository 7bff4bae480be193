"""Topics of a client: the calls on a topic, whose records lie in partitions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from synap.client.calls import D
from synap.client.errors import LocalProtocolError
from synap.client.generated.topics import TopicMethods
from synap.client.machine import Word
from synap.client.named import Named
from synap.client.requests import Request, asking, doing, flag, headers_of, method, nothing, text, whole
from synap.client.words import Words, option
from synap.derive.natives import json_of


@dataclass(frozen=True, slots=True)
class Record(Generic[D]):
    """A record of a topic: `timestamp_ms` is the time of its publication in ms since 1970."""

    partition: int
    offset: int
    event_type: str
    key: D | None
    data: D
    headers: Any
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Offsets:
    """The offsets of a partition: of the first record of the time asked for, of the earliest one, and the next one."""

    offset: int
    earliest: int
    next: int


class TopicCalls(TopicMethods[D]):
    """The calls on one topic."""

    what = "topic"

    @method
    def create(
        self, *, partitions: int | None = None, routing: str | None = None, policy: str | None = None,
        retention_s: int | None = None, max_bytes: int | None = None, max_messages: int | None = None,
        lag_ms: int | None = None, tombstone_ms: int | None = None,
    ) -> Request[None]:  # fmt: skip
        """Create the topic with 3 partitions, or so many; without a limit, records are retained for an hour.

        `routing` is how a key selects a partition: "murmur2" (the default, as Kafka's clients do) or "crc32". The
        limits hold for each partition, together; the policy "infinite" has none. Raises Refused if the topic exists.

        The policy "compact" keeps the last record of each key: older ones are removed once they are `lag_ms` (a minute
        by default) older than the newest record of their partition, and records without data once they are
        `tombstone_ms` (a day) older.
        """
        limits: Words = (*option("RETENTION", retention_s), *option("MAXBYTES", max_bytes))
        kinds: Words = (*option("ROUTING", routing), *option("POLICY", policy))
        return doing(
            nothing, "TOPIC.CREATE", self.name, *option("PARTITIONS", partitions), *kinds, *limits,
            *option("MAXMESSAGES", max_messages), *option("LAG", lag_ms), *option("TOMBSTONE", tombstone_ms),
        )  # fmt: skip

    @method
    def publish(
        self, event_type: str, data: Word, *, key: str | bytes | None = None, partition: int | None = None,
        headers: dict[str, Any] | None = None,
    ) -> Request[tuple[int, int]]:  # fmt: skip
        """Append a record; return its partition and offset.

        The partition is the one given, or the one that the key selects, or the next in turn.
        """
        head: str | None = None if headers is None else json_of("headers", headers)
        words: Words = (*option("KEY", key), *option("PARTITION", partition), *option("HEADERS", head))
        return doing(_place, "TOPIC.PUBLISH", self.name, event_type, data, *words)

    @method
    def publish_many(
        self, event_type: str, records: Iterable[tuple[str | bytes | None, Word]]
    ) -> Request[list[tuple[int, int]]]:
        """Append records, pairs of key and data, in one change; return partition and offset of each.

        A record whose key is None or empty goes to the next partition in turn.
        """
        words: list[Word] = []
        for key, data in records:
            words += ["" if key is None else key, data]
        if not words:
            raise LocalProtocolError("records: wanted at least one, found none")
        return doing(_places, "TOPIC.MPUBLISH", self.name, event_type, *words)

    @method
    def consume(
        self, partition: int, from_offset: int | None = None, *, limit: int = 100, wait_s: float = 0.0
    ) -> Request[list[Record[D]]]:
        """Return at most `limit` records of a partition from an offset on, by default from the earliest held; wait up
        to `wait_s` seconds for the first. Raises Refused (OFFSETGONE) if the offset is not held."""
        words: Words = (*option("FROM", from_offset), "LIMIT", limit, *_waiting(wait_s))
        return Request(("TOPIC.CONSUME", self.name, partition, *words), self._made, True, wait_s)

    @method
    def read(
        self, offsets: Mapping[int, int] | None = None, *, limit: int = 100, wait_s: float = 0.0
    ) -> Request[list[Record[D]]]:
        """Return at most `limit` records of each partition, from its offset in `offsets` on, partition by partition;
        without `offsets`, of all partitions from the earliest. Wait up to `wait_s` seconds for the first.

        An offset that is no longer held stands for the earliest one.
        """
        words: Words = ("LIMIT", limit, *_waiting(wait_s))
        if offsets is not None:
            if not offsets:
                raise LocalProtocolError("offsets: wanted at least one, found none")
            pairs: Iterable[tuple[int, int]] = offsets.items()
            words += ("OFFSETS", *(word for pair in pairs for word in pair))
        return Request(("TOPIC.READ", self.name, *words), self._made, True, wait_s)

    @method
    def offsets(self, timestamp_ms: int | None = None) -> Request[dict[int, Offsets]]:
        """Return the offsets of each partition; see `Offsets`. Without a time, `offset` is the earliest."""
        return asking(_offsets, "TOPIC.OFFSETS", self.name, *option("TIMESTAMP", timestamp_ms))

    @method
    def delete(self) -> Request[bool]:
        """Remove the topic with its records."""
        return doing(flag, "TOPIC.DELETE", self.name)

    def _made(self, found: Any) -> list[Record[Any]]:
        return records_of(self, found)


def records_of(named: Named[Any], found: Any) -> list[Record[Any]]:
    """Return the records in a reply, in the form of texts that a client returns."""
    return [
        Record(
            whole(partition), whole(offset), text(event_type), named._data(key), named._data(data),
            headers_of(headers), whole(at),
        )
        for partition, offset, event_type, key, data, headers, at, _ in found or []
    ]  # fmt: skip


def _waiting(wait_s: float) -> Words:
    return ("WAIT", wait_s) if wait_s > 0 else ()


def _place(found: Any) -> tuple[int, int]:
    return whole(found[0]), whole(found[1])


def _places(found: Any) -> list[tuple[int, int]]:
    return [_place(each) for each in found]


def _offsets(found: Any) -> dict[int, Offsets]:
    return {whole(partition): Offsets(*map(whole, rest)) for partition, *rest in found}
