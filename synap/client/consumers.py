"""Consumers of a queue: the flow behind `queue.consume`, which leases messages ahead and settles them in batches.

    the body came to its end, or `continue`    ack, with the next request to the server
    the body settled the message itself        nothing
    the loop was left: break, return, raise    nack, so that another consumer gets the message at once

`break` counts as not done. An iterator cannot tell `break` from an exception (both simply stop asking), and of the two
mistakes, processing a message twice and losing it, a queue chooses the first. A body that is done before it leaves the
loop calls `message.ack()`. Messages that were leased ahead and not given out are given back, which counts no failure.

How many messages are leased at once follows from the body: as many as it is likely to handle within SPAN_S, at most
`prefetch`. So a slow body leases one at a time and leaves the others to other consumers, and a fast one takes a round
trip for many. An ack waits for the end of its batch, but no longer than ACK_S if the loop goes on.
A body may become slow in the middle of a batch: once a third of the lease has passed, the leases of the messages that
wait here are renewed before the next is given out. Those whose lease has ended are dropped (`lapsed`), since others
have them by now. So no message is given out whose lease has ended.

While a fast body handles the second half of what was leased, the acks so far and a request for more are under way on a
connection of the iterator's own (`leading`), so that neither side waits for the other; together that is never more than
`prefetch` messages.

A missing queue is treated as an empty one: a consumer may wait for its creation.

A connection may break between any two of these steps. A leased message that never arrived here is delivered again
after its ack deadline. An ack without a reply is sent again; if the first ack had arrived, the second finds no lease,
which is expected. The same outcome of a first ack means that the lease had ended before the body was done: another
consumer has the message, or will get it. That is counted in `late`, and the loop goes on.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from synap.client.errors import ClientError, ConnectionLost, LocalProtocolError, NotConnected, Refused, TimedOut
from synap.client.flows import Ask, Breaks, Flow, Hear, Item, NoMoreItems, Open, Words, exchanging, log
from synap.client.machine import NEED_DATA, Reply
from synap.client.queues import LATE, MessageCalls, QueueCalls
from synap.client.words import between

SPAN_S, ACK_S = 0.25, 0.1
LEAD_MIN = 16  # messages leased at once from which on more are asked for while they are handled
TIME: Words = ("TIME",)


@dataclass
class Tally:
    """The counts of a consumer's messages.

    late    the lease had ended before the ack arrived
    unsure  the connection broke after an ack was sent, and the repeated ack found no message
    given_back  leased ahead and not begun when the loop was left
    lapsed  leased ahead, and the lease ended before the message was given out
    """

    acked: int = 0
    nacked: int = 0
    late: int = 0
    unsure: int = 0
    given_back: int = 0
    lapsed: int = 0

    def count_acks(self, reply: Any, count: int, again: bool) -> None:
        """Count the outcome of one QUEUE.ACK or QUEUE.MACK; `again`: it may have been sent twice."""
        if not isinstance(reply, Refused):
            done = sum(reply) if isinstance(reply, list) else 1
        elif reply.code == LATE:
            done = 0
        else:
            raise reply
        self.acked += done
        if again:
            self.unsure += count - done
        else:
            self.late += count - done


def acking(queue: QueueCalls[Any], receipts: Sequence[str]) -> Words:
    """Return the words that acknowledge deliveries."""
    return ("QUEUE.ACK" if len(receipts) == 1 else "QUEUE.MACK", queue.name, *receipts)


def lease_s(deadline: int | None, time: Any) -> float:
    """Return the seconds of a lease that ends at `deadline`, as the server's TIME stood behind it."""
    return max((deadline or 0) / 1000 - int(time[0]) - int(time[1]) / 1e6, 0.0)


class _Ahead:
    """Messages of one consumer: those that wait to be given out, and the receipts of those to be acked."""

    def __init__(self, queue: QueueCalls[Any], consumer: str, wait_s: float, tally: Tally) -> None:
        self.queue, self.consumer, self.wait_s, self.tally = queue, consumer, wait_s, tally
        self.waiting: deque[MessageCalls[Any]] = deque()
        self.done: list[str] = []
        self.tries = 0  # for the first request the option `attempts` holds; later ones may take many more
        self.lease_s = 0.0
        self.again = False  # the acks in `done` may have been sent before
        self.connected = False  # there is a connection of the iterator's own
        self.awaited: list[str] | None = None  # the receipts of the acks under way there, before a request for more

    def exchanging(self, commands: Sequence[Words], patience: float = 0.0) -> Flow:
        """Send the acks and then `commands`; count the acks, and return the replies to the commands."""
        queue, done = self.queue, self.done
        acks = [acking(queue, done)] if done else []
        breaks = Breaks()
        replies = yield from exchanging([*acks, *commands], queue.options, True, patience, self.tries, breaks)
        self.tries = 1 + queue.options.reconnects
        if acks:
            self.done = []
            self.tally.count_acks(replies[0], len(done), self.again or breaks.repeats > 0)
            self.again = False
        return replies[len(acks) :]

    def taking(self, count: int) -> Flow:
        """Lease up to `count` messages."""
        queue = self.queue
        if count == 1:
            (found,) = yield from self.exchanging([queue._taking(self.consumer, self.wait_s).words], self.wait_s)
        else:
            words = queue._taking_many(self.consumer, count, self.wait_s).words
            found, time = yield from self.exchanging([words, TIME], self.wait_s)
        if isinstance(found, Refused):
            raise found
        if count == 1:
            self.waiting.extend([] if found is None else [queue._made(found)])
        else:
            self.waiting.extend(queue._made_all(found))
            self.lease_s = lease_s(self.waiting[0].deadline, time) if self.waiting else 0.0

    def leading(self, count: int) -> Flow:
        """Send the acks and a request for up to `count` messages, without waiting for replies: see `arriving`."""
        queue = self.queue
        try:
            if not self.connected:
                yield Open()
                self.connected = True
            if self.done:
                yield Ask(acking(queue, self.done))
            yield Ask(queue._taking_many(self.consumer, count, 0).words)
        except (NotConnected, ConnectionLost):
            self.connected, self.again = False, bool(self.done)
            return
        self.awaited, self.done = self.done, []

    def arriving(self) -> Flow:
        """Read the replies to what `leading` has sent. If the connection is broken, the acks are to be sent again."""
        acks, self.awaited = self.awaited or [], None
        replies: list[Any] = []
        try:
            while len(replies) < 1 + bool(acks):
                event = yield Hear(self.queue.options.timeout)
                if event is NEED_DATA:
                    raise TimedOut(f"the server has sent nothing for {self.queue.options.timeout} s")
                if isinstance(event, Reply):
                    replies.append(event.value)
        except ConnectionLost:
            self.done, self.connected, self.again = acks + self.done, False, True
            return
        if acks:
            self.tally.count_acks(replies[0], len(acks), False)
        if isinstance(replies[-1], Refused):
            raise replies[-1]
        self.waiting.extend(self.queue._made_all(replies[-1]))

    def renewing(self) -> Flow:
        """Renew the leases of the messages that wait, and drop those whose lease has ended."""
        waiting = list(self.waiting)
        replies = yield from self.exchanging([message._of_lease("QUEUE.RENEW") for message in waiting])
        self.waiting.clear()
        for message, reply in zip(waiting, replies, strict=True):
            if not isinstance(reply, Refused):
                message._renewed(reply)
                self.waiting.append(message)
            elif reply.code == LATE:
                self.tally.lapsed += 1
            else:
                raise reply

    def leaving(self, given: MessageCalls[Any] | None) -> Flow:
        """Settle what is left: acks, a nack of the message that was `given` out, and the others back. If that fails,
        the leases end by themselves."""
        if self.awaited is not None:
            yield from self.arriving()
        name, waiting = self.queue.name, [message.receipt or "" for message in self.waiting]
        commands: list[Words] = [] if given is None else [given._of_lease("QUEUE.NACK")]
        if waiting:
            commands.append(("QUEUE.RETURN", name, *waiting))
        if not commands and not self.done:
            return
        self.tries = 0
        try:
            replies = yield from self.exchanging(commands)
        except ClientError as error:
            log.warning("%d messages of %r could not be settled and will be delivered again when their leases end: %s",
                        len(self.done) + len(commands), self.queue, error)  # fmt: skip
            return
        if given is not None:
            given.settled = True
            self.tally.nacked += not isinstance(replies[0], Refused)
        if waiting and not isinstance(replies[-1], Refused):
            self.tally.given_back += sum(replies[-1])


def consuming(
    queue: QueueCalls[Any], consumer: str, wait_s: float, until_empty: bool, prefetch: int, tally: Tally,
    clock: Callable[[], float],
) -> Flow:  # fmt: skip
    """Yield messages, each settled after its body; see the module's docstring."""
    if not wait_s > 0:
        raise LocalProtocolError(f"wait_s: wanted seconds above 0, found {wait_s!r}")
    between("prefetch", prefetch, 1, 10_000)
    ahead = _Ahead(queue, consumer, 0 if until_empty else wait_s, tally)
    waiting = ahead.waiting
    given: MessageCalls[Any] | None = None
    count = 1
    asked = 0.0
    while True:
        led = ahead.awaited is not None
        if led:
            yield from ahead.arriving()
        if not waiting:
            led = False
            yield from ahead.taking(count)
        taken = len(waiting)
        if not taken:
            if until_empty:
                return
            continue
        began = acked = clock()
        renewed = asked if led else began
        try:
            while waiting:
                given = waiting.popleft()
                yield Item(given)
                if not given.settled:
                    given.settled = True
                    ahead.done.append(given.receipt or "")
                given = None
                if not waiting:
                    break
                now = clock()
                if now - renewed > ahead.lease_s / 3:
                    yield from ahead.renewing()
                    renewed = acked = clock()
                elif now - acked > ACK_S:
                    yield from ahead.exchanging(())
                    acked = clock()
                elif len(waiting) == taken >> 1 and taken >= LEAD_MIN and ahead.awaited is None:
                    asked = now
                    yield from ahead.leading(count - len(waiting))
        except NoMoreItems:
            yield from ahead.leaving(None if given is None or given.settled else given)
            raise
        count = max(1, min(int(taken * SPAN_S / max(clock() - began, 1e-6)), prefetch))
