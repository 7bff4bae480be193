"""Queues of a client: the calls on a queue, and messages. consumers.py and workers.py have the flows on them."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Generic

from synap.client.calls import D
from synap.client.errors import LocalProtocolError
from synap.client.flows import Words
from synap.client.generated.queues import QueueMethods
from synap.client.machine import Word
from synap.client.requests import Request, asking, doing, flag, headers_of, method, text
from synap.client.words import option
from synap.derive.natives import json_of
from synap.either import either, in_ms

LATE = "LATE"
FIELDS = (
    b"message_id", b"payload", b"priority", b"retry_count", b"max_retries", b"headers", b"created_at", b"deadline",
    b"receipt", b"group", b"expires_at",
)  # fmt: skip
FIELDS_OF = itemgetter(*FIELDS)


@dataclass(frozen=True)
class Failure:
    """A failure of a message: when (ms since 1970), the cause ("nack", "deadline", "closed", "expired", "overflow"),
    the consumer that had the message, and the reason that it gave."""

    at: int
    cause: str
    consumer: str | None
    reason: str | None

    @classmethod
    def of(cls, found: Any) -> "Failure":
        """Return the failure in an entry of a dead letter's history."""
        at, cause, *texts = found.values() if isinstance(found, dict) else found
        consumer, reason = (None if each is None else text(each) for each in texts)
        return cls(int(at), text(cause), consumer, reason)


class MessageCalls(Generic[D]):
    """A leased message, to be acked or nacked before `deadline` (ms since 1970).

    `retry_count` deliveries of it have failed; above `max_retries` it becomes a dead letter.

    A message that `peek`, `delayed` or `dead` shows is not leased: it has no receipt and cannot be settled. Its
    `deadline` is 0, or the time at which it is ready if it is delayed.
    """

    priority: int
    retry_count: int
    max_retries: int
    created_at: int
    deadline: int | None
    expires_at: int | None

    def __init__(self, queue: "QueueCalls[D]", found: Any) -> None:
        fields: Any = FIELDS_OF(found) if type(found) is dict else found
        ident: Any
        (
            ident, payload, self.priority, self.retry_count, self.max_retries, headers, self.created_at, self.deadline,
            receipt, group, self.expires_at, *history,
        ) = fields  # fmt: skip
        self._queue: QueueCalls[D] = queue
        self.id: str = text(ident)
        self.payload: D = queue._data(payload)
        self.headers: Any = headers_of(headers)
        self.receipt: str | None = None if receipt is None else text(receipt)
        self.group: str | None = None if group is None else text(group)
        told = history[0] if history else found.get(b"history") if fields is not found else None  # of dead letters
        self.history = [Failure.of(each) for each in told or ()]
        self.settled = False

    def json(self) -> Any:
        """Return the payload parsed as JSON."""
        return json.loads(self.payload)

    def __repr__(self) -> str:
        return f"<message {self.id} of {self._queue.name}>"

    def _settle(self, value: Any) -> None:
        self.settled = True

    def _of_lease(self, command: str) -> Words:
        """Return the words of a command about this delivery of the message, and no later one.

        A message that was only shown has no delivery; its id would settle the lease of whoever has it by now.
        """
        if self.receipt is None:
            raise LocalProtocolError(f"{self!r} is not leased: it was only shown")
        return command, self._queue.name, self.receipt

    @method
    def ack(self) -> Request[None]:
        """Remove the message as processed. Raises Refused if the lease has ended."""
        return doing(self._settle, *self._of_lease("QUEUE.ACK"))

    def _renewed(self, value: Any) -> int:
        self.deadline = end = int(value)
        return end

    @method
    def renew(self) -> Request[int]:
        """Let the lease last for the whole ack deadline from now on; return when it ends, which is `deadline` then.

        Raises Refused if the lease has ended.
        """
        return Request(self._of_lease("QUEUE.RENEW"), self._renewed)

    @method
    def nack(
        self, *, requeue: bool | None = None, drop: bool | None = None, reason: str | None = None
    ) -> Request[None]:
        """Report a failed delivery: deliver again while retries are left, or with `requeue=False` (or `drop`) make the
        message a dead letter now. The `reason`, up to 1024 bytes, stands in the history of the message."""
        words: Words = (*self._of_lease("QUEUE.NACK"), *option("REASON", reason))
        dropped = either(requeue=None if requeue is None else not requeue, drop=drop)
        return Request((*words, "DROP") if dropped else words, self._settle)


class QueueCalls(QueueMethods[D]):
    """The calls on one queue."""

    _message: Callable[..., Any]

    what = "queue"

    @method
    def create(
        self, *, max_depth: int = 100_000, ack_deadline_s: float | None = None, ack_deadline_ms: int | None = None,
        max_retries: int = 3, priority: int = 5, prefetch_limit: int | None = None, backoff: str | None = None,
        backoff_ms: int | None = None, backoff_max_ms: int | None = None, jitter: int | None = None,
        ttl_ms: int | None = None, expired: str | None = None, overflow: str | None = None,
        ageing_ms: int | None = None, dedup_ms: int | None = None, dedup_keys: int | None = None, single: bool = False,
    ) -> Request[bool]:  # fmt: skip
        """Create the queue; return False if it exists, which keeps its parameters. The ack deadline is 30 s by default.

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
        limits: Words = (max_depth, 30_000 if deadline is None else deadline, max_retries, priority)
        waits: Words = (
            *option("BACKOFF", backoff, backoff_ms), *option("BACKOFFMAX", backoff_max_ms), *option("JITTER", jitter),
            *option("TTL", ttl_ms), *option("EXPIRED", expired), *option("OVERFLOW", overflow),
            *option("AGEING", ageing_ms), *option("DEDUPMS", dedup_ms), *option("DEDUPKEYS", dedup_keys),
            *(("SINGLE",) if single else ()),
        )  # fmt: skip
        return Request(("QUEUE.CREATE", self.name, *limits, *option("PREFETCH", prefetch_limit), *waits), flag)

    @method
    def publish(
        self, payload: Word, *, priority: int | None = None, max_retries: int | None = None,
        headers: dict[str, Any] | None = None, delay_s: float | None = None, delay: float | None = None,
        ttl_s: float | None = None, group: str | None = None, dedup: str | None = None,
    ) -> Request[str]:  # fmt: skip
        """Add a message and return its id. Higher priorities (0 to 9) come first; `delay_s` makes it ready later.

        The message expires `ttl_s` seconds from now (0: never). Messages of one `group` are delivered one at a time, in
        order. If the queue knows the key `dedup`, nothing is added, and the id is that of the earlier message.
        """
        delay = either(delay_s=delay_s, delay=delay)
        options = _options(priority, max_retries, headers, delay, ttl_s, group)
        return doing(text, "QUEUE.PUBLISH", self.name, payload, *options, *option("DEDUP", dedup))

    @method
    def publish_many(
        self, payloads: Iterable[Word] | Mapping[str, Word], *, priority: int | None = None,
        max_retries: int | None = None, headers: dict[str, Any] | None = None, delay_s: float | None = None,
        ttl_s: float | None = None, group: str | None = None,
    ) -> Request[list[str | None]]:  # fmt: skip
        """Add messages and return an id for each, or None for one for which the queue has no place. A mapping has their
        dedup keys. The options are those of all messages."""
        options = _options(priority, max_retries, headers, delay_s, ttl_s, group)
        if isinstance(payloads, Mapping):
            pairs = [word for pair in payloads.items() for word in pair]
            return doing(_ids, "QUEUE.MPUBLISH", self.name, *options, "KEYED", *pairs)
        return doing(_ids, "QUEUE.MPUBLISH", self.name, *options, "MESSAGES", *payloads)

    @method
    def ack_many(self, receipts: Iterable[str]) -> Request[list[bool]]:
        """Acknowledge messages by their receipts or ids; return for each whether it was leased so."""
        return doing(_flags, "QUEUE.MACK", self.name, *receipts)

    @method
    def return_many(self, receipts: Iterable[str]) -> Request[list[bool]]:
        """Give leased messages back by their receipts or ids, without counting a failure: they are ready again, before
        the others of their priority. Return for each whether it was leased so."""
        return doing(_flags, "QUEUE.RETURN", self.name, *receipts)

    def _made(self, fields: Any) -> Any:
        return None if fields is None else self._message(self, fields)

    def _made_all(self, found: Any) -> list[Any]:
        return [self._message(self, fields) for fields in found or ()]

    def _taking_many(self, consumer: str, count: int, wait_s: float) -> Request[list[Any]]:
        words: Words = ("QUEUE.MCONSUME", self.name, consumer, count)
        return Request((*words, "WAIT", wait_s) if wait_s > 0 else words, self._made_all, patience=wait_s)

    def _taking(self, consumer: str, wait_s: float) -> Request[Any]:
        words: Words = ("QUEUE.CONSUME", self.name, consumer)
        return Request((*words, "WAIT", wait_s) if wait_s > 0 else words, self._made, patience=wait_s)

    def _showing(self, command: str, count: int) -> Request[list[Any]]:
        return asking(self._made_all, command, self.name, count)


def _options(
    priority: int | None, retries: int | None, headers: dict[str, Any] | None, delay: float | None, ttl: float | None,
    group: str | None,
) -> Words:  # fmt: skip
    head: str | None = None if headers is None else json_of("headers", headers)
    return (
        *option("PRIORITY", priority), *option("RETRIES", retries), *option("HEADERS", head), *option("DELAY", delay),
        *option("TTL", ttl), *option("GROUP", group),
    )  # fmt: skip


def _ids(found: list[bytes | None]) -> list[str | None]:
    return [None if each is None else text(each) for each in found]


def _flags(found: list[int]) -> list[bool]:
    return [each == 1 for each in found]
