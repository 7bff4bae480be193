"""In-process methods on topics that are written by hand."""

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from synap.io.embedded.calls import Calls, Key, Value, given, headers_of, title


class TopicRecord(TypedDict):
    """A record of a topic; `timestamp` is the time of its publication (ms since 1970)."""

    partition: int
    offset: int
    event_type: str
    key: bytes | None
    data: Any  # texts and bytes as bytes, other JSON values as published
    headers: Any  # as published; {} without any
    timestamp: int
    size_bytes: int


class TopicMethods(Calls):
    """The methods on topics that do more than one call of their row."""

    def topic_create(self, topic: str, *, partitions: int | None = None, routing: str | None = None,
                     policy: str | None = None, retention_s: int | None = None, max_bytes: int | None = None,
                     max_messages: int | None = None, lag_ms: int | None = None,
                     tombstone_ms: int | None = None) -> None:  # fmt: skip
        """Create a topic of 3 partitions, or so many; without a limit, records are retained for an hour.

        `routing` is how a key selects a partition: "murmur2" (the default, as Kafka's clients do) or "crc32". The
        limits hold for each partition, together; the policy "infinite" has none. Raises Fault TOPIC_EXISTS.

        The policy "compact" keeps the last record of each key: older ones are removed once they are `lag_ms` (a minute
        by default) older than the newest record of their partition, and records without data once they are
        `tombstone_ms` (a day) older.
        """
        fields = given(num_partitions=partitions, routing=routing, type=policy, retention_secs=retention_s,
                       max_bytes=max_bytes, max_messages=max_messages, lag_ms=lag_ms,
                       tombstone_ms=tombstone_ms)  # fmt: skip
        self.call("topic.create", topic=topic, **fields)

    def topic_publish(
        self, topic: str, event_type: str, data: Value, *, key: Key | None = None, partition: int | None = None,
        headers: dict[str, Any] | None = None,
    ) -> tuple[int, int]:  # fmt: skip
        """Append a record; return its partition and offset.

        The partition is the one given, or the one that the key selects, or the next in turn. Raises Fault
        NO_SUCH_TOPIC or PARTITION_MISSING.
        """
        fields = given(key=key, partition_id=partition, headers=headers)
        place = self.call("topic.publish", topic=topic, event_type=event_type, data=data, **fields)
        return place[0], place[1]

    def topic_publish_many(
        self, topic: str, event_type: str, records: Iterable[tuple[Key | None, Value]]
    ) -> list[tuple[int, int]]:
        """Append records, pairs of key and data, in one change; return partition and offset of each. A record whose
        key is None or empty goes to the next partition in turn."""
        items = [{"key": b"" if key is None else key, "data": data} for key, data in records]
        found = self.call("topic.publish_many", topic=topic, event_type=event_type, records=items)
        return [(partition, offset) for partition, offset in found]

    def topic_consume(self, topic: str, partition: int, from_offset: int | None = None, *, limit: int | None = None,
                      wait_s: float | None = None) -> list[TopicRecord]:  # fmt: skip
        """Return up to `limit` records (100 by default) of a partition from an offset on, by default the earliest.

        With `wait_s`, wait up to that many seconds for a record (0: for ever). Raises Fault NO_SUCH_TOPIC,
        PARTITION_MISSING, or OFFSET_GONE as `stream_consume` does.
        """
        call = self.call if wait_s is None else self._call_waiting
        fields = given(from_offset=from_offset, limit=limit, wait=wait_s)
        return _records(call("topic.consume", topic=topic, partition_id=partition, **fields))

    def topic_read(self, topic: str, offsets: Mapping[int, int] | None = None, *, limit: int | None = None,
                   wait_s: float | None = None) -> list[TopicRecord]:  # fmt: skip
        """Return up to `limit` records (100 by default) of each partition, from its offset in `offsets` on, partition
        by partition; without `offsets`, of all partitions from the earliest.

        An offset that is no longer held stands for the earliest one. With `wait_s`, wait up to that many seconds for
        a record (0: for ever).
        """
        call = self.call if wait_s is None else self._call_waiting
        fields = given(limit=limit, wait=wait_s)
        if offsets is not None:
            fields["offsets"] = [{"partition_id": each, "offset": offset} for each, offset in offsets.items()]
        return _records(call("topic.read", topic=topic, **fields))

    def topic_offsets(self, topic: str, timestamp_ms: int | None = None) -> dict[int, tuple[int, int, int]]:
        """Return for each partition: the offset of the first record of this time or later (without a time, the
        earliest), the earliest offset, and the next one."""
        found = self.call("topic.offsets", topic=topic, **given(timestamp_ms=timestamp_ms))
        return {partition: (offset, earliest, after) for partition, offset, earliest, after in found}


def _records(found: list[Any] | None) -> list[TopicRecord]:
    return [
        TopicRecord(partition=partition, offset=offset, event_type=title(event_type), key=key, data=data,
                    headers=headers_of(headers) or {}, timestamp=time, size_bytes=size)
        for partition, offset, event_type, key, data, headers, time, size in found or []
    ]  # fmt: skip
