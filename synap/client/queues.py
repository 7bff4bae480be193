"""Queues: the calls on one, its messages, and the plan of a consumer.

A consumer leases a message, gives it to the loop, and settles it when the loop comes back:

    the body came to its end, or `continue`    ack, in one write with the request for the next message
    the body settled the message itself        nothing
    the loop was left: break, return, raise    nack, so that somebody else gets the message at once

`break` counts as not done. A loop cannot tell a `break` from an exception (both simply stop asking), and of the two
mistakes, to do a thing twice and to lose it, a queue makes the first. Whoever is done and leaves says `message.ack()`.

A queue that does not exist is like an empty one: a consumer may wait for it to be made.

A connection may break between any two of these. A message that was leased and never arrived here comes back when its
ack deadline ends. An ack that was sent and not answered is sent again; if the first had arrived, the second is refused
(`no such message is pending`), which is then no news. The same refusal for a first ack means that the lease had run out
before the body was done: somebody else has the message, or will; it is counted in `late` and the loop goes on.
"""

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic

from synap.client.errors import ClientError, LocalProtocolError, Refused
from synap.client.flows import Item, Left, Plan, Trouble, Words, exchanging, log
from synap.client.keys import D
from synap.client.machine import Word
from synap.client.named import Named
from synap.client.requests import Request, asking, doing, flag, method, report, text, whole
from synap.derive.natives import json_of
from synap.either import either, in_ms

MISSING = "no such message"
FIELDS = (
    b"message_id", b"payload", b"priority", b"retry_count", b"max_retries", b"headers", b"created_at", b"deadline",
)  # fmt: skip


class MessageCalls(Generic[D]):
    """A message that was leased: ack it, or nack it, before `deadline` (ms since 1970)."""

    def __init__(self, queue: "QueueCalls[D]", found: Any) -> None:
        fields: list[Any] = [found.get(name) for name in FIELDS] if isinstance(found, dict) else found
        self._queue: QueueCalls[D] = queue
        self.id = text(fields[0])
        self.payload: D = queue._data(fields[1])
        self.priority = int(fields[2])
        self.retry_count = int(fields[3])
        self.max_retries = int(fields[4])
        self.headers: Any = _headers(fields[5])
        self.created_at = int(fields[6])
        self.deadline = None if fields[7] is None else int(fields[7])
        self.settled = False
        self.consumer: str | None = None  # who has leased it, where that is known

    def json(self) -> Any:
        """The payload as JSON."""
        return json.loads(self.payload)

    def __repr__(self) -> str:
        return f"<message {self.id} of {self._queue.name}>"

    def _settle(self, value: Any) -> None:
        self.settled = True

    def _settling(self, command: str) -> Words:
        """The words that settle this lease, of the consumer that took it, and no later one."""
        words: Words = (command, self._queue.name, self.id)
        return words if self.consumer is None else (*words, "CONSUMER", self.consumer)

    @method
    def ack(self) -> Request[None]:
        """It is done. Refused if the lease has run out."""
        return doing(self._settle, *self._settling("QUEUE.ACK"))

    @method
    def nack(self, *, requeue: bool | None = None, drop: bool | None = None) -> Request[None]:
        """It failed: deliver it again, as long as it has retries left, or with `requeue=False` (or `drop`) make it a
        dead letter now."""
        words: Words = self._settling("QUEUE.NACK")
        dropped = either(requeue=None if requeue is None else not requeue, drop=drop)
        return Request((*words, "DROP") if dropped else words, self._settle)


def _headers(value: Any) -> Any:
    """Headers as they were published; bytes if that was no JSON."""
    if not value:
        return {}
    try:
        return json.loads(value)
    except ValueError:
        return value


class QueueCalls(Named[D]):
    """One queue, by its name."""

    _message: Callable[..., Any]

    what = "queue"

    @method
    def create(
        self, *, max_depth: int = 100_000, ack_deadline_s: float | None = None, ack_deadline_ms: int | None = None,
        max_retries: int = 3, priority: int = 5, prefetch_limit: int | None = None,
    ) -> Request[bool]:  # fmt: skip
        """Make the queue; False if there is one, which keeps its settings. The ack deadline is 30 s unless given;
        `prefetch_limit` is how many messages one consumer may hold, without it any number."""
        deadline = either(ack_deadline_s=in_ms(seconds=ack_deadline_s), ack_deadline_ms=ack_deadline_ms)
        words: Words = ("QUEUE.CREATE", self.name, max_depth, 30_000 if deadline is None else deadline, max_retries)
        words = (*words, priority)
        return Request(words if prefetch_limit is None else (*words, "PREFETCH", prefetch_limit), flag)

    @method
    def publish(
        self, payload: Word, *, priority: int | None = None, max_retries: int | None = None,
        headers: dict[str, Any] | None = None, delay_s: float | None = None, delay: float | None = None,
    ) -> Request[str]:  # fmt: skip
        """Add a message; its id. Higher priorities (0 to 9) come first; with `delay_s` it is ready later."""
        words: Words = ("QUEUE.PUBLISH", self.name, payload)
        if priority is not None:
            words += ("PRIORITY", priority)
        if max_retries is not None:
            words += ("RETRIES", max_retries)
        if headers is not None:
            words += ("HEADERS", json_of("headers", headers))
        delay_s = either(delay_s=delay_s, delay=delay)
        if delay_s is not None:
            words += ("DELAY", delay_s)
        return doing(text, *words)

    @method
    def stats(self) -> Request[dict[str, Any]]:
        """Its counters."""
        return asking(report, "QUEUE.STATS", self.name)

    @method
    def purge(self, *, dead: bool = False) -> Request[int]:
        """Forget the messages that wait, or the dead letters; how many there were."""
        return doing(whole, "QUEUE.PURGE", self.name, *(("DEAD",) if dead else ()))

    @method
    def delete(self) -> Request[bool]:
        """Remove the queue with all its messages; False if there is none."""
        return doing(flag, "QUEUE.DELETE", self.name)

    @method
    def revive(self, message_id: str | None = None) -> Request[int]:
        """Make one dead letter, or all, ready again; how many."""
        words: Words = ("QUEUE.REVIVE", self.name)
        return doing(whole, *words, *(() if message_id is None else (message_id,)))

    def _made(self, fields: Any, consumer: str | None = None) -> Any:
        if fields is None:
            return None
        message = self._message(self, fields)
        message.consumer = consumer
        return message

    def _made_all(self, found: Any) -> list[Any]:
        return [self._message(self, fields) for fields in found]

    def _taking(self, consumer: str, wait_s: float) -> Request[Any]:
        words: Words = ("QUEUE.CONSUME", self.name, consumer)
        made = partial(self._made, consumer=consumer)
        return Request((*words, "WAIT", wait_s) if wait_s > 0 else words, made, patience=wait_s)

    def _reading_dead(self, count: int) -> Request[list[Any]]:
        return asking(self._made_all, "QUEUE.DEAD", self.name, count)


@dataclass
class Tally:
    """What a consumer has done so far. `late`: the lease had ended before the ack came. `unsure`: an ack was sent, its
    connection broke, and sent again it found nothing to ack."""

    acked: int = 0
    nacked: int = 0
    late: int = 0
    unsure: int = 0


def consuming(queue: QueueCalls[Any], consumer: str, wait_s: float, until_empty: bool, tally: Tally) -> Plan:
    """Messages, each settled before the next is given; see the module."""
    if not wait_s > 0:
        raise LocalProtocolError(f"wait_s: wanted seconds above 0, found {wait_s!r}")
    take: Words = queue._taking(consumer, 0 if until_empty else wait_s).words
    acks: list[Words] = []
    tries = 0  # until the first answer a missing server is an error
    while True:
        trouble = Trouble()
        replies = yield from exchanging(
            [*acks, take], queue.options, True, 0 if until_empty else wait_s, tries, trouble
        )
        tries = 1 + queue.options.reconnects
        if acks:
            _acked(replies[0], tally, trouble.repeats > 0)
            acks = []
        if isinstance(replies[-1], Refused):
            raise replies[-1]
        message = queue._made(replies[-1], consumer)
        if message is None:
            if until_empty:
                return
            continue
        if (yield from _handled(message, queue, tally)):
            acks = [message._settling("QUEUE.ACK")]


def _handled(message: Any, queue: QueueCalls[Any], tally: Tally) -> Generator[Any, Any, bool]:
    """Give a message out; True if it is to be acked."""
    try:
        yield Item(message)
    except Left:
        if not message.settled:
            yield from _giving_back(message, queue, tally)
        raise
    if message.settled:
        return False
    message.settled = True
    return True


def _giving_back(message: Any, queue: QueueCalls[Any], tally: Tally) -> Plan:
    """Nack what nobody wants to finish; if that fails its lease ends by itself."""
    try:
        replies = yield from exchanging([message._settling("QUEUE.NACK")], queue.options, False)
    except ClientError as error:
        log.warning("%r was not given back, it comes again when its lease ends: %s", message, error)
        return
    message.settled = True
    tally.nacked += not isinstance(replies[0], Refused)


def _acked(reply: Any, tally: Tally, again: bool) -> None:
    """Count what came of an ack that was perhaps sent again."""
    if not isinstance(reply, Refused):
        tally.acked += 1
    elif reply.text.startswith(MISSING) and again:
        tally.unsure += 1
    elif reply.text.startswith(MISSING):
        tally.late += 1
    else:
        raise reply
