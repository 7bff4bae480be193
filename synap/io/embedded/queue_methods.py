"""Methods of the in-process database for queues and rooms; methods.py has those for keys."""

from typing import Any, TypeAlias, TypedDict, cast

import msgspec

from synap.either import either, in_ms

Key: TypeAlias = str | bytes
Value: TypeAlias = str | bytes | int | float | bool | list[Any] | dict[str, Any] | None
"""A value to store. Texts and bytes are returned as bytes, integers counted by `incr` as int, and everything else as
the JSON value that was stored. `get_many` returns the bytes of any value."""


class Message(TypedDict):
    """A leased message, to be acked or nacked before `deadline` (ms since 1970)."""

    message_id: str
    payload: bytes
    priority: int
    retry_count: int
    max_retries: int
    headers: Any  # as published; bytes if they were text that is no JSON
    created_at: int
    deadline: int


class Event(TypedDict):
    """An event of a room; `timestamp` is the time of its publication (ms since 1970)."""

    offset: int
    event: str
    data: Any  # texts and bytes as bytes, other JSON values as published
    timestamp: int


class BacklogMethods:
    """Methods for queues and rooms. A subclass has `call` and `_call_waiting`."""

    def call(self, name: str, /, **fields: Any) -> Any:
        """Make the call of the row `name` and return its reply. Raises Fault if the call is refused."""
        raise NotImplementedError

    def _call_waiting(self, name: str, **fields: Any) -> Any:
        """Make the call as `call` does, and wait in this thread if the row can wait."""
        raise NotImplementedError

    def _given(self, name: str, /, **fields: Any) -> Any:
        """Make the call with the fields that are neither None nor False."""
        return self.call(name, **_told(fields))

    # Queues.

    def queue_create(self, queue: str, *, max_depth: int | None = None, ack_deadline_s: float | None = None,
                     ack_deadline_ms: int | None = None, max_retries: int | None = None, priority: int | None = None,
                     prefetch_limit: int | None = None) -> bool:  # fmt: skip
        """Create a queue; return False if it exists, which keeps its parameters. The settings give the defaults.

        `prefetch_limit` is the number of messages that one consumer may hold; by default there is no limit.
        """
        deadline = either(ack_deadline_s=in_ms(seconds=ack_deadline_s), ack_deadline_ms=ack_deadline_ms)
        return bool(self._given("queue.create", queue=queue, ack_deadline_ms=deadline, max_depth=max_depth,
                                default_max_retries=max_retries, default_priority=priority,
                                prefetch_limit=prefetch_limit))  # fmt: skip

    def queue_publish(self, queue: str, payload: str | bytes, *, priority: int | None = None,
                      max_retries: int | None = None, headers: dict[str, Any] | None = None,
                      delay_s: float | None = None, delay: float | None = None) -> str:  # fmt: skip
        """Add a message and return its id; consumers can lease it after `delay_s` (or `delay`) seconds.

        `headers` may be any JSON object. Raises Fault QUEUE_MISSING or QUEUE_FULL.
        """
        delay = either(delay_s=delay_s, delay=delay)
        found = self._given("queue.publish", queue=queue, payload=payload, priority=priority,
                            max_retries=max_retries, headers=headers, delay=delay)  # fmt: skip
        return cast(bytes, found).decode()

    def queue_consume(
        self, queue: str, consumer: str | None = None, *, wait_s: float | None = None, wait: float | None = None
    ) -> Message | None:
        """Lease the first message of the highest priority; return None if there is none or no such queue.

        With `wait_s` (or `wait`), wait up to that many seconds for a message (0: for ever).
        """
        wait = either(wait_s=wait_s, wait=wait)
        fields = {"queue": queue, "consumer_id": consumer}
        if wait is None:
            found = self._given("queue.consume", **fields)
        else:
            found = self._call_waiting("queue.consume", **_told(fields), wait=wait)
        return None if found is None else _message(found)

    def queue_ack(self, queue: str, message_id: str, *, consumer: str | None = None) -> None:
        """Remove a leased message. Raises Fault MESSAGE_MISSING if it is not leased, or not by `consumer` if given."""
        self._given("queue.ack", queue=queue, message_id=message_id, consumer_id=consumer)

    def queue_nack(self, queue: str, message_id: str, *, requeue: bool | None = None, drop: bool | None = None,
                   consumer: str | None = None) -> None:  # fmt: skip
        """Report a failed delivery: deliver again, or with `requeue=False` (or `drop`) move to the dead letters."""
        dropped = either(requeue=None if requeue is None else not requeue, drop=drop)
        self._given("queue.nack", queue=queue, message_id=message_id, drop=dropped, consumer_id=consumer)

    def queue_stats(self, queue: str) -> dict[str, int]:
        """Return the counters of a queue, by name."""
        return cast(dict[str, int], self.call("queue.stats", queue=queue))

    def queue_purge(self, queue: str, *, dead: bool = False) -> int:
        """Remove the ready and delayed messages, or with `dead` the dead letters; return how many."""
        return cast(int, self._given("queue.purge", queue=queue, dead=dead))

    def queue_delete(self, queue: str) -> bool:
        """Remove a queue with all its messages; return whether it existed."""
        return bool(self.call("queue.delete", queue=queue))

    def queue_list(self) -> list[str]:
        """Return the names of all queues."""
        return [name.decode("utf-8", "replace") for name in self.call("queue.list")]

    def queue_dead(self, queue: str, count: int = 100) -> list[Message]:
        """Return up to `count` dead letters, the first ones, without removing them."""
        return [_message(found) for found in self.call("queue.dead", queue=queue, count=count)]

    def queue_revive(self, queue: str, message_id: str | None = None) -> int:
        """Make one dead letter, or all, ready again as if never delivered; return how many."""
        return cast(int, self._given("queue.revive", queue=queue, message_id=message_id))

    # Rooms.

    def stream_create(self, room: str, *, max_events: int | None = None, max_bytes: int | None = None,
                      retention_s: int | None = None, retention_secs: int | None = None) -> None:  # fmt: skip
        """Create a room with limits on its events: their number, bytes and age (0: no limit, None: as in the settings).

        Raises Fault ROOM_EXISTS.
        """
        self._given("stream.create", room=room, max_events=max_events, max_bytes=max_bytes,
                    retention_secs=either(retention_s=retention_s, retention_secs=retention_secs))  # fmt: skip

    def stream_get_or_create(self, room: str, *, max_events: int | None = None, max_bytes: int | None = None,
                             retention_s: int | None = None) -> bool:  # fmt: skip
        """Create a room as `stream_create` does; an existing room keeps its limits. Return whether it was created."""
        return bool(self._given("stream.get_or_create", room=room, max_events=max_events, max_bytes=max_bytes,
                                retention_secs=retention_s))  # fmt: skip

    def stream_publish(self, room: str, event: str, *data: Value) -> int:
        """Append an event for each of `data`; return the offset of the first. Raises Fault ROOM_MISSING."""
        return cast(int, self.call("stream.publish", room=room, event=event, items=list(data)))

    def stream_consume(self, room: str, subscriber: str = "", *, from_offset: int | None = None,
                       limit: int | None = None, wait_s: float | None = None,
                       wait: float | None = None) -> list[Event]:  # fmt: skip
        """Return up to `limit` events (100 by default) from an offset on, by default from the earliest one held.

        With `wait_s` (or `wait`), wait up to that many seconds for an event (0: for ever). Raises Fault ROOM_MISSING,
        or OFFSET_GONE if the offset is not held, or lies behind the next one and is not waited for. The fault's words
        give the earliest offset held (`number`) and the next one (`second`).
        """
        wait = either(wait_s=wait_s, wait=wait)
        fields = _told({"room": room, "subscriber_id": subscriber, "from_offset": from_offset, "limit": limit})
        if wait is None:
            found = self.call("stream.consume", **fields)
        else:
            found = self._call_waiting("stream.consume", **fields, wait=wait) or []
        return [Event(offset=offset, event=name.decode("utf-8", "replace"), data=data, timestamp=time)
                for offset, name, data, time in found]  # fmt: skip

    def stream_stats(self, room: str) -> dict[str, Any]:
        """Return the counters and limits of a room, by name."""
        found = cast(dict[str, Any], self.call("stream.stats", room=room))
        return found | {"name": found["name"].decode("utf-8", "replace")}

    def stream_delete(self, room: str) -> None:
        """Remove a room with its events. Raises Fault ROOM_MISSING."""
        self.call("stream.delete", room=room)

    def stream_list(self) -> list[str]:
        """Return the names of all rooms."""
        return [name.decode("utf-8", "replace") for name in self.call("stream.list")]


def _told(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value is not False}


def _message(found: dict[str, Any]) -> Message:
    return cast(Message, found | {
        "message_id": found["message_id"].decode(), "headers": _headers(found["headers"])})  # fmt: skip


def _headers(octets: bytes) -> Any:
    try:
        return msgspec.json.decode(octets) if octets else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return octets
