"""What the client for threads does in the background: the threads of workers, of group readers and of producers."""

import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias

from synap.client.calls import D
from synap.client.consumers import Tally
from synap.client.flows import Flow
from synap.client.iterations import Iteration
from synap.client.machine import Word
from synap.client.members import Seat, beating, committing, parting, sharing
from synap.client.options import Options
from synap.client.producers import Gathering
from synap.client.requests import Later, Request, T
from synap.client.sync_runner import Runner
from synap.client.topic_calls import Record
from synap.client.workers import Work

if TYPE_CHECKING:
    from synap.client.sync import Group, Message, Queue, Topic


Runners: TypeAlias = Callable[[], Runner]
"""Makes a runner for each flow, as the client wants its calls to be carried out."""


class Crew:
    """Threads that each carry out a flow."""

    def __init__(self, runners: Runners, name: str, flows: Iterable[Flow]) -> None:
        self._threads = [
            threading.Thread(target=runners().run, args=(flow,), name=f"{name} {i}", daemon=True)
            for i, flow in enumerate(flows)
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until all flows have ended."""
        for thread in self._threads:
            thread.join()


class GroupReader(Iteration[Record[D]]):
    """The records of a member's partitions; see synap/client/members.py.

    A record counts as processed when the next is requested. With `auto_commit` its offset is committed then, with the
    next batch or after `commit_s` seconds; without, `commit` does it.
    """

    def __init__(self, runners: Runners, group: "Group[D]", **given: Any) -> None:
        self._seat = Seat(group, box=Runner.box, clock=Runner.clock, **given)
        self._runners = runners
        self._crew: Crew | None = None
        super().__init__(runners(), sharing(self._seat))

    @property
    def member(self) -> str:
        """The name of the member."""
        return self._seat.member

    @property
    def generation(self) -> int:
        """The generation of the group for which the assignment holds."""
        return self._seat.generation

    @property
    def partitions(self) -> list[int]:
        """The partitions of the member."""
        return sorted(self._seat.positions)

    @property
    def skipped(self) -> int:
        """How many records the topic no longer held when they were to be read."""
        return self._seat.skipped

    def commit(self, record: Record[D] | None = None) -> None:
        """Commit the offset behind a record, or behind all records whose bodies have ended.

        Raises Fenced if the partition is not this member's any more.
        """
        self._runner.run(committing(self._seat, record))

    def __next__(self) -> Record[D]:
        if self._crew is None:
            self._crew = Crew(self._runners, f"heartbeats of {self._seat.group.name}", [beating(self._seat)])
        record: Any = super().__next__()
        return record

    def close(self) -> None:
        """Commit what was processed (with `auto_commit`), and leave the group unless the member is static."""
        super().close()
        self._runner.run(parting(self._seat))
        if self._crew is not None:
            self._crew.join()


class _Producer:
    """What producers of queues and topics share; see synap/client/producers.py."""

    def __init__(self, runners: Runners, options: Options, repeat: bool, **given: Any) -> None:
        self._gathering = Gathering(options, repeat, box=Runner.box, clock=Runner.clock, **given)
        self._runner = runners()
        self._crew = Crew(runners, "producer", self._gathering.flows())

    def _later(self, keyed: bool, request: Request[T]) -> Later[T]:
        gathering = self._gathering
        if gathering.made - gathering.done >= gathering.pending_max:
            self._runner.run(gathering.waiting(gathering.pending_max // 2))
        return gathering.add(request, keyed)

    def flush(self) -> None:
        """Wait until everything is sent, and raise the first error since the last flush."""
        self._runner.run(self._gathering.flushed())

    def close(self) -> None:
        """Send everything and end. Raises the first error."""
        try:
            self.flush()
        finally:
            self._gathering.close()
            self._crew.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class QueueProducer(_Producer, Generic[D]):
    """Publishes to a queue in batches."""

    def __init__(self, runners: Runners, queue: "Queue[D]", options: Options, repeat: bool, **given: Any) -> None:
        super().__init__(runners, options, repeat, **given)
        self._queue: Queue[D] = queue

    def publish(
        self, payload: Word, *, priority: int | None = None, max_retries: int | None = None,
        headers: dict[str, Any] | None = None, delay_s: float | None = None, ttl_s: float | None = None,
        group: str | None = None, dedup: str | None = None,
    ) -> Later[str]:  # fmt: skip
        """Add a message soon; the value will be its id. Waits while `pending_max` messages have no reply."""
        return self._later(dedup is None, type(self._queue).publish.build(
            self._queue, payload, priority=priority, max_retries=max_retries, headers=headers, delay_s=delay_s,
            ttl_s=ttl_s, group=group, dedup=dedup,
        ))  # fmt: skip


class TopicProducer(_Producer, Generic[D]):
    """Publishes to a topic in batches."""

    def __init__(self, runners: Runners, topic: "Topic[D]", options: Options, repeat: bool, **given: Any) -> None:
        super().__init__(runners, options, repeat, **given)
        self._topic: Topic[D] = topic

    def publish(
        self, event_type: str, data: Word, *, key: str | bytes | None = None, partition: int | None = None,
        headers: dict[str, Any] | None = None,
    ) -> Later[tuple[int, int]]:  # fmt: skip
        """Append a record soon; the value will be its partition and offset. Waits while `pending_max` records have no
        reply."""
        return self._later(False, type(self._topic).publish.build(
            self._topic, event_type, data, key=key, partition=partition, headers=headers,
        ))  # fmt: skip


class Worker(Generic[D]):
    """A worker of a queue, with `concurrency` threads for bodies; see synap/client/workers.py.

        with queue.worker(resize, "worker-1", concurrency=4):
            ...                     bodies run meanwhile
        queue.worker(...).run()     until `stop` is called, or Ctrl-C

    `tally` has the counts of its messages.
    """

    def __init__(
        self, runners: Runners, queue: "Queue[D]", body: "Callable[[Message[D]], object]", consumer: str,
        concurrency: int, prefetch: int, wait_s: float,
    ) -> None:  # fmt: skip
        self._runners = runners
        self._work = Work(queue, body, consumer, concurrency, prefetch, wait_s, Runner.box, Runner.clock)
        self._crew: Crew | None = None

    @property
    def tally(self) -> Tally:
        """The counts of the messages."""
        return self._work.tally

    def start(self) -> None:
        """Begin in the background."""
        assert self._crew is None, "a worker starts once"
        self._crew = Crew(self._runners, f"worker {self._work.consumer}", self._work.flows())

    def stop(self) -> None:
        """Take no more messages; `join` waits for the bodies that run. A signal handler may call it."""
        self._work.stop()

    def join(self) -> None:
        """Wait until the worker has stopped and all is settled. Raises the error that has stopped it, if one did."""
        if self._crew is not None:
            self._crew.join()
        if self._work.error is not None:
            raise self._work.error

    def run(self) -> None:
        """Work until `stop` is called or an error stops the worker, which is raised; Ctrl-C stops it as well."""
        self.start()
        try:
            self.join()
        except KeyboardInterrupt:
            self.stop()
            self.join()
            raise

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self.join()


