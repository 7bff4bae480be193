"""Workers of a queue: bodies that run at once, leases that are renewed meanwhile, and a stop that loses nothing.

A worker is a few flows that share a `Work` and hand messages on in boxes:

    taking     leases messages while there are places, puts them into `ready`; at a stop it gives back what no body has
    bodies     each takes a message from `ready`, runs the body with it, and puts the outcome into `ended`
    settling   acks and nacks what is in `ended`, in batches, and renews the leases of all other messages

A worker holds at most `concurrency` + `prefetch` messages. A lease is renewed after a third of it, whether its message
is with a body or waits for one, so a body may take as long as it wants. If a renewal comes too late (the client was
cut off for longer than the lease), the message is delivered to another consumer; then the outcome of the body is not
sent, and counted in `late`.

    the body returns                    ack
    the body raises an Exception        nack, with the exception as the reason: the message counts as failed once more
    the body settles the message        nothing

`stop` lets the bodies that run come to their ends, and gives the other messages back, which counts no failure.
"""

from collections.abc import Callable
from typing import Any

from synap.client.consumers import TIME, Tally, acking, lease_s
from synap.client.errors import ClientError, LocalProtocolError, Refused
from synap.client.flows import Box, Breaks, Flow, Run, Take, Words, exchanging, log
from synap.client.queues import LATE, MessageCalls, QueueCalls
from synap.client.words import between

BATCH = 1000  # outcomes that are settled at once
IDLE_S = 0.5  # the longest time between two looks at the leases


class Work:
    """The state that the flows of one worker share."""

    def __init__(
        self, queue: QueueCalls[Any], body: Callable[[Any], Any], consumer: str, concurrency: int, prefetch: int,
        wait_s: float, box: Callable[[], Box], clock: Callable[[], float],
    ) -> None:  # fmt: skip
        between("concurrency", concurrency, 1, 10_000)
        between("prefetch", prefetch, 0, 10_000)
        if not wait_s > 0:
            raise LocalProtocolError(f"wait_s: wanted seconds above 0, found {wait_s!r}")
        self.queue, self.body, self.consumer = queue, body, consumer
        self.concurrency, self.prefetch, self.wait_s = concurrency, prefetch, wait_s
        self.clock = clock
        self.tally = Tally()
        self.stopping = False
        self.error: Exception | None = None
        self.ready, self.ended, self.places = box(), box(), box()
        self.unbegun: list[MessageCalls[Any]] = []  # reached a body after the stop
        self.held: dict[str, float] = {}  # receipts of all messages here, and when each lease began or was renewed
        self.lease_s = 0.0

    def stop(self) -> None:
        """Take no more messages; also from a signal handler."""
        self.stopping = True
        self.places.put(True)

    def flows(self) -> list[Flow]:
        """Return the flows of the worker, each for a thread or task of its own."""
        bodies = [self._guarded(_running(self), self.ended, _BODY_ENDED) for _ in range(self.concurrency)]
        return [self._guarded(_taking(self), self.ended, _TAKER_ENDED), *bodies, self._guarded(_settling(self))]

    def _guarded(self, flow: Flow, box: Box | None = None, mark: Any = None) -> Flow:
        """Carry out a flow; its error stops the worker. In the end put a mark into a box."""
        try:
            yield from flow
        except Exception as error:
            self.error = self.error or error
            self.stop()
        finally:
            if box is not None:
                box.put(mark)


_NO_MORE = object()
_BODY_ENDED, _TAKER_ENDED = object(), object()


def _taking(work: Work) -> Flow:
    queue, most = work.queue, work.concurrency + work.prefetch
    tries = 0  # for the first request the option `attempts` holds; later ones may take many more
    try:
        while not work.stopping:
            free = most - len(work.held)
            if free < 1 + work.prefetch // 4:
                yield Take(work.places, IDLE_S)
                work.places.drain(BATCH)
                continue
            words = queue._taking_many(work.consumer, free, work.wait_s).words
            found, time = yield from exchanging([words, TIME], queue.options, True, work.wait_s, tries)
            tries = 1 + queue.options.reconnects
            if isinstance(found, Refused):
                raise found
            messages = queue._made_all(found)
            now = work.clock()
            if messages:
                work.lease_s = lease_s(messages[0].deadline, time)
            work.held.update((message.receipt, now) for message in messages)
            for message in messages:
                work.ready.put(message)
    finally:
        work.stopping = True
        work.unbegun += work.ready.drain(most)
        for _ in range(work.concurrency):
            work.ready.put(_NO_MORE)


def _running(work: Work) -> Flow:
    while True:
        message = yield Take(work.ready, None)
        if message is _NO_MORE:
            return
        if work.stopping:
            work.unbegun.append(message)
            continue
        error: BaseException | None = None
        try:
            yield Run(work.body, (message,))
        except Exception as raised:
            error = raised
            log.warning("the body of a worker failed with %r", message, exc_info=raised)
        work.ended.put((message, error))
        del error


def _settling(work: Work) -> Flow:
    running, taking = work.concurrency, True
    while running or taking or work.held:
        pause = min(work.lease_s / 6, IDLE_S) if work.held and work.lease_s else IDLE_S
        first = yield Take(work.ended, pause)
        outcomes = [] if first is None else [first, *work.ended.drain(BATCH)]
        running -= sum(each is _BODY_ENDED for each in outcomes)
        taking = taking and not any(each is _TAKER_ENDED for each in outcomes)
        settled = [each for each in outcomes if isinstance(each, tuple)]
        back: list[str] = []
        if not running and not taking:  # nothing else is to be begun or to end
            back = [message.receipt for message in work.unbegun if message.receipt in work.held]
            work.unbegun.clear()
        yield from _settle(work, settled, back)
        if not running and not taking and not settled:
            return


def _settle(work: Work, settled: list[tuple[MessageCalls[Any], Any]], back: list[str]) -> Flow:
    """Send the outcomes, give messages back, and renew the leases that are due."""
    queue, tally, held = work.queue, work.tally, work.held
    open_ones = [(message, error) for message, error in settled if not message.settled and message.receipt in held]
    tally.late += sum(not message.settled and message.receipt not in held for message, _ in settled)
    acks = [message.receipt or "" for message, error in open_ones if error is None]
    nacks = [(message, error) for message, error in open_ones if error is not None]
    for message, _ in settled:
        message.settled = True
        held.pop(message.receipt or "", None)
    for receipt in back:
        held.pop(receipt, None)
    now = work.clock()
    due = [receipt for receipt, since in held.copy().items() if now - since >= work.lease_s / 3]
    commands: list[Words] = [acking(queue, acks)] if acks else []
    commands += [(*message._of_lease("QUEUE.NACK"), "REASON", _reason(error)) for message, error in nacks]
    commands += [("QUEUE.RETURN", queue.name, *back)] if back else []
    commands += [("QUEUE.RENEW", queue.name, receipt) for receipt in due]
    if settled:
        work.places.put(True)
    if not commands:
        return
    breaks = Breaks()
    replies = yield from exchanging(commands, queue.options, True, 0.0, 1 + queue.options.reconnects, breaks)
    answers = iter(replies)
    if acks:
        tally.count_acks(next(answers), len(acks), breaks.repeats > 0)
    for _ in nacks:
        reply = next(answers)
        tally.nacked += not _late(reply)
        tally.late += _late(reply)
    if back and not isinstance(reply := next(answers), Refused):
        tally.given_back += sum(reply)
    for receipt in due:
        if _late(next(answers)):
            held.pop(receipt, None)
        elif receipt in held:
            held[receipt] = now


def _reason(error: BaseException) -> str:
    """Return what the history of a message says of its failure, at most 1024 bytes."""
    return f"{type(error).__name__}: {error}".encode("utf-8", "replace")[:1000].decode("utf-8", "ignore")


def _late(reply: Any) -> bool:
    """Return whether a reply says that a lease has ended. Raises other refusals."""
    if isinstance(reply, Refused) and reply.code != LATE:
        raise reply
    return isinstance(reply, Refused)


def abandoning(work: Work) -> Flow:
    """Settle what a worker holds whose tasks were cancelled: what no body has begun is given back, the rest is nacked.
    If that fails, the leases end by themselves."""
    unbegun = {message.receipt for message in [*work.unbegun, *work.ready.drain(BATCH)] if message is not _NO_MORE}
    queue, begun = work.queue, [receipt for receipt in work.held if receipt not in unbegun]
    commands: list[Words] = [("QUEUE.NACK", queue.name, receipt) for receipt in begun]
    if back := [receipt for receipt in work.held if receipt in unbegun]:
        commands.append(("QUEUE.RETURN", queue.name, *back))
    work.held.clear()
    if not commands:
        return
    try:
        yield from exchanging(commands, queue.options, True)
    except ClientError as error:
        log.warning("%r: messages will be delivered again when their leases end: %s", queue, error)
