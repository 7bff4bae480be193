"""Producers: calls that publish, gathered for a moment and sent together.

A producer collects the calls of `publish`, each with options of its own, and sends up to `batch` of them in one write,
at the latest `linger_s` after the first was made. Each call gives a `Later`, whose value or error is set when its reply
has come: one record that is refused does not concern the others. `flush` waits until everything is sent, and raises the
first error.

    flows   `in_flight` of them, each with one write at a time. With one, records arrive in the order of the calls. With
            more, batches overtake each other.

When a connection breaks after a batch was sent, an idempotent producer sends it again: each message has a key, the name
of the producer and a number, by which the queue knows those that it has already (QUEUE.PUBLISH .. DEDUP). Otherwise the
records of this batch have the error OutcomeUnknown, as a single call would have, or are sent again on
`client.idempotent`, and may be there twice.
"""

from collections.abc import Callable
from threading import Lock
from typing import Any

from synap.client.clock import unique_name
from synap.client.errors import ClientError, LocalProtocolError
from synap.client.flows import Box, Flow, Take, batch
from synap.client.options import Options
from synap.client.requests import Later, Request
from synap.client.words import between

_NO_MORE = object()


class Gathering:
    """The state of one producer, which its flows share."""

    def __init__(
        self, options: Options, repeat: bool, keyed: bool, linger_s: float, most: int, in_flight: int, pending_max: int,
        box: Callable[[], Box], clock: Callable[[], float],
    ) -> None:  # fmt: skip
        if not 0 <= linger_s <= 60:
            raise LocalProtocolError(f"linger_s: wanted seconds from 0 to 60, found {linger_s!r}")
        between("batch", most, 1, 10_000)
        between("in_flight", in_flight, 1, 64)
        between("pending_max", pending_max, most, 1 << 30)
        self.options, self.repeat, self.linger_s, self.most = options, repeat or keyed, linger_s, most
        self.name = unique_name() if keyed else ""  # of the keys
        self.in_flight, self.pending_max, self.clock = in_flight, pending_max, clock
        self.calls, self.answered = box(), box()
        self._lock = Lock()  # of the numbers of calls, which several threads count
        self.made = self.done = 0  # calls
        self.error: ClientError | None = None  # the first since the last flush
        self.closed = False

    def add(self, request: Request[Any], keyed: bool) -> Later[Any]:
        """Collect a call; give it a key of its own if it is to be `keyed`. Raises ClientError once the producer is
        closed."""
        if self.closed:
            raise ClientError("the producer is closed")
        later: Later[Any] = Later()
        with self._lock:
            self.made += 1
            number = self.made
        if keyed and self.name:
            request.words += ("DEDUP", f"{self.name}:{number}")
        self.calls.put((request, later))
        return later

    def flows(self) -> list[Flow]:
        """Return the flows of the producer, each for a thread or task of its own."""
        return [_sending(self) for _ in range(self.in_flight)]

    def note(self, count: int) -> None:
        """Note that so many calls have their replies."""
        with self._lock:
            self.done += count
        self.answered.put(True)

    def waiting(self, pending: int) -> Flow:
        """Wait until at most so many calls have no reply yet."""
        self.answered.drain(1 << 30)
        while self.made - self.done > pending:
            yield Take(self.answered, 0.05)

    def flushed(self) -> Flow:
        """Send everything now, and raise the first error since the last flush."""
        for _ in range(self.in_flight):
            self.calls.put(None)  # send at once what has lingered until now
        yield from self.waiting(0)
        error, self.error = self.error, None
        if error is not None:
            raise error

    def close(self) -> None:
        """Let the flows end after what was collected."""
        self.closed = True
        for _ in range(self.in_flight):
            self.calls.put(_NO_MORE)


def _sending(gathering: Gathering) -> Flow:
    ends = False
    while not ends:
        new = [(yield Take(gathering.calls, None))]
        found: list[Any] = []
        told = not isinstance(new[0], tuple)  # to send at once: a flush, the end, or the end of the time
        until = gathering.clock() + gathering.linger_s
        while True:
            found += new
            new = gathering.calls.drain(gathering.most - len(found))
            found += new
            left = until - gathering.clock()
            told = told or not all(isinstance(each, tuple) for each in new)
            if told or len(found) >= gathering.most or left <= 0:
                break
            new = [(yield Take(gathering.calls, left))]
            told = not isinstance(new[0], tuple)
        marks = found.count(_NO_MORE)
        ends = marks > 0
        for _ in range(marks - 1):  # those of other flows
            gathering.calls.put(_NO_MORE)
        calls = [each for each in found if isinstance(each, tuple)]
        if not calls:
            continue
        try:
            results = yield from batch(calls, gathering.options, gathering.repeat)
        except Exception as error:
            failed = error if isinstance(error, ClientError) else ClientError(f"the batch failed: {error!r}")
            results = [failed] * len(calls)
            for _, later in calls:
                later.settle(None, failed)
        errors = [each for each in results if isinstance(each, ClientError)]
        if errors and gathering.error is None:
            gathering.error = errors[0]
        gathering.note(len(calls))
