"""In-process methods on queues and rooms that are written by hand; methods.py has those on keys.

They take some arguments under two names or in two units, and make messages and events of what a call returns.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from synap.either import either, in_ms
from synap.io.embedded.calls import Event, Message, given, message, messages, title
from synap.io.embedded.generated import RowMethods


class QueueMethods(RowMethods):
    """The generated methods, and those on queues and rooms that are written by hand."""

    # Queues.

    def queue_create(self, queue: str, *, max_depth: int | None = None, ack_deadline_s: float | None = None,
                     ack_deadline_ms: int | None = None, max_retries: int | None = None, priority: int | None = None,
                     prefetch_limit: int | None = None, backoff: str | None = None, backoff_ms: int | None = None,
                     backoff_max_ms: int | None = None, jitter: int | None = None, ttl_ms: int | None = None,
                     expired: str | None = None, overflow: str | None = None, ageing_ms: int | None = None,
                     dedup_ms: int | None = None, dedup_keys: int | None = None,
                     single: bool | None = None) -> bool:  # fmt: skip
        """Create a queue; return False if it exists, which keeps its parameters. The settings give the defaults.

        `prefetch_limit` is the number of messages that one consumer may hold; by default there is no limit. With a
        `backoff` ("FIXED", "LINEAR" or "EXPONENTIAL") a failed message waits `backoff_ms`, so many times as long as it
        has failed, or twice as long after each failure; at most `backoff_max_ms`, less up to `jitter` percent.

        `ttl_ms` is how long a message lives that gives no `ttl_s`; an expired one is removed, or with `expired="DEAD"`
        a dead letter. A full queue refuses messages, or with `overflow="DROP"` drops the oldest ready one, which with
        "DEAD" becomes a dead letter. With `ageing_ms` a ready message rises by one priority each time these ms have
        passed. The last `dedup_keys` dedup keys are known for `dedup_ms`. With `single` one consumer at a time gets
        messages.
        """
        deadline = either(ack_deadline_s=in_ms(seconds=ack_deadline_s), ack_deadline_ms=ack_deadline_ms)
        fields = given(ack_deadline_ms=deadline, max_depth=max_depth, default_max_retries=max_retries,
                       default_priority=priority, prefetch_limit=prefetch_limit, backoff=backoff,
                       backoff_ms=backoff_ms, backoff_max_ms=backoff_max_ms, jitter=jitter, ttl_ms=ttl_ms,
                       expired=expired, overflow=overflow, ageing_ms=ageing_ms, dedup_ms=dedup_ms,
                       dedup_keys=dedup_keys, SINGLE=single)  # fmt: skip
        return bool(self.call("queue.create", queue=queue, **fields))

    def queue_publish(self, queue: str, payload: str | bytes, *, priority: int | None = None,
                      max_retries: int | None = None, headers: dict[str, Any] | None = None,
                      delay_s: float | None = None, delay: float | None = None, ttl_s: float | None = None,
                      group: str | None = None, dedup: str | None = None) -> str:  # fmt: skip
        """Add a message and return its id; consumers can lease it after `delay_s` (or `delay`) seconds.

        `headers` may be any JSON object. The message expires `ttl_s` seconds from now (0: never). Messages of one
        `group` are delivered one at a time, in order. If the queue knows the key `dedup`, nothing is added, and the id
        is that of the earlier message. Raises Fault QUEUE_MISSING or QUEUE_FULL.
        """
        delay = either(delay_s=delay_s, delay=delay)
        fields = given(priority=priority, max_retries=max_retries, headers=headers, delay=delay, ttl=ttl_s,
                       group=group, dedup=dedup)  # fmt: skip
        return cast(bytes, self.call("queue.publish", queue=queue, payload=payload, **fields)).decode()

    def queue_consume(
        self, queue: str, consumer: str | None = None, *, wait_s: float | None = None, wait: float | None = None
    ) -> Message | None:
        """Lease the first message of the highest priority; return None if there is none or no such queue.

        With `wait_s` (or `wait`), wait up to that many seconds for a message (0: for ever).
        """
        wait = either(wait_s=wait_s, wait=wait)
        call = self.call if wait is None else self._call_waiting
        found = call("queue.consume", queue=queue, **given(consumer_id=consumer, wait=wait))
        return None if found is None else message(found)

    def queue_publish_many(
        self, queue: str, payloads: Iterable[str | bytes] | Mapping[str, str | bytes], *, priority: int | None = None,
        max_retries: int | None = None, headers: dict[str, Any] | None = None, delay_s: float | None = None,
        ttl_s: float | None = None, group: str | None = None,
    ) -> list[str | None]:  # fmt: skip
        """Add messages and return an id for each, or None for one for which the queue has no place. A mapping has their
        dedup keys. The options are those of all messages. Raises Fault QUEUE_MISSING."""
        fields = given(priority=priority, max_retries=max_retries, headers=headers, delay=delay_s, ttl=ttl_s,
                       group=group)  # fmt: skip
        if isinstance(payloads, Mapping):
            fields["keyed"] = [{"dedup": key, "payload": payload} for key, payload in payloads.items()]
        else:
            fields["messages"] = list(payloads)
        found = self.call("queue.publish_many", queue=queue, **fields)
        return [None if each is None else each.decode() for each in found]

    def queue_consume_many(
        self, queue: str, consumer: str, count: int, *, wait_s: float | None = None
    ) -> list[Message]:
        """Lease up to `count` messages, the highest priorities first. With `wait_s`, wait up to that many seconds for
        the first one (0: for ever)."""
        call = self.call if wait_s is None else self._call_waiting
        wait = {} if wait_s is None else {"wait": wait_s}
        return messages(call("queue.consume_many", queue=queue, consumer_id=consumer, count=count, **wait) or [])

    def queue_ack_many(self, queue: str, receipts: Iterable[str]) -> list[bool]:
        """Acknowledge messages by their receipts or ids; return for each whether it was leased so."""
        return [done == 1 for done in self.call("queue.ack_many", queue=queue, message_ids=list(receipts))]

    def queue_return_many(self, queue: str, receipts: Iterable[str]) -> list[bool]:
        """Give leased messages back by their receipts or ids, without counting a failure: they are ready again, before
        the others of their priority. Return for each whether it was leased so."""
        return [done == 1 for done in self.call("queue.return", queue=queue, message_ids=list(receipts))]

    def queue_nack(self, queue: str, message_id: str, *, requeue: bool | None = None, drop: bool | None = None,
                   consumer: str | None = None, reason: str | None = None) -> None:  # fmt: skip
        """Report a failed delivery: deliver again, or with `requeue=False` (or `drop`) move to the dead letters. The
        `reason`, up to 1024 bytes, stands in the history of the message."""
        dropped = either(requeue=None if requeue is None else not requeue, drop=drop)
        fields = given(drop=dropped, consumer_id=consumer, reason=reason)
        self.call("queue.nack", queue=queue, message_id=message_id, **fields)

    # Rooms.

    def stream_create(self, room: str, *, max_events: int | None = None, max_bytes: int | None = None,
                      retention_s: int | None = None, retention_secs: int | None = None) -> None:  # fmt: skip
        """Create a room with limits on its events: their number, bytes and age (0: no limit, None: as in the settings).

        Raises Fault ROOM_EXISTS.
        """
        retention = either(retention_s=retention_s, retention_secs=retention_secs)
        fields = given(max_events=max_events, max_bytes=max_bytes, retention_secs=retention)
        self.call("stream.create", room=room, **fields)

    def stream_consume(self, room: str, subscriber: str = "", *, from_offset: int | None = None,
                       limit: int | None = None, wait_s: float | None = None,
                       wait: float | None = None) -> list[Event]:  # fmt: skip
        """Return up to `limit` events (100 by default) from an offset on, by default from the earliest one held.

        With `wait_s` (or `wait`), wait up to that many seconds for an event (0: for ever). Raises Fault ROOM_MISSING,
        or OFFSET_GONE if the offset is not held, or lies behind the next one and is not waited for. The fault's words
        give the earliest offset held (`number`) and the next one (`second`).
        """
        wait = either(wait_s=wait_s, wait=wait)
        call = self.call if wait is None else self._call_waiting
        fields = given(from_offset=from_offset, limit=limit, wait=wait)
        found = call("stream.consume", room=room, subscriber_id=subscriber, **fields) or []
        return [Event(offset=offset, event=title(name), data=data, timestamp=time)
                for offset, name, data, time in found]  # fmt: skip
