"""What the client for asyncio and trio does in the background: the tasks of workers, group readers and producers."""

from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias

import anyio
from anyio.abc import TaskGroup

from synap.client.async_iterations import AsyncIteration
from synap.client.async_runner import Runner
from synap.client.calls import D
from synap.client.consumers import Tally
from synap.client.errors import ClientError, LocalProtocolError
from synap.client.flows import Flow
from synap.client.machine import Word
from synap.client.members import Seat, beating, committing, parting, sharing
from synap.client.options import Options
from synap.client.producers import Gathering
from synap.client.requests import Later, Request, T
from synap.client.topic_calls import Record
from synap.client.workers import Work, abandoning

if TYPE_CHECKING:
    from synap.client.async_client import AsyncGroup, AsyncMessage, AsyncQueue, AsyncTopic


Runners: TypeAlias = Callable[[], Runner]
"""Makes a runner for each flow, as the client wants its calls to be carried out."""


class Crew:
    """Tasks that each carry out a flow, from the beginning of an `async with` to its end."""

    def __init__(self, runners: Runners, flows: Iterable[Flow]) -> None:
        self._runners, self._flows = runners, list(flows)
        self._tasks: TaskGroup

    async def __aenter__(self) -> Self:
        self._tasks = await anyio.create_task_group().__aenter__()
        for flow in self._flows:
            self._tasks.start_soon(self._runners().run, flow)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> bool | None:
        return await self._tasks.__aexit__(kind, error, at)


class AsyncGroupReader(AsyncIteration[Record[D]]):
    """The records of a member's partitions, within an `async with`; see synap/client/members.py.

    A record counts as processed when the next is requested. With `auto_commit` its offset is committed then, with the
    next batch or after `commit_s` seconds; without, `commit` does it.
    """

    def __init__(self, runners: Runners, group: "AsyncGroup[D]", **given: Any) -> None:
        self._seat = Seat(group, box=Runner.box, clock=Runner.clock, **given)
        self._crew = Crew(runners, [beating(self._seat)])
        self._entered = False
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

    async def commit(self, record: Record[D] | None = None) -> None:
        """Commit the offset behind a record, or behind all records whose bodies have ended.

        Raises Fenced if the partition is not this member's any more.
        """
        await self._runner.run(committing(self._seat, record))

    async def __aenter__(self) -> Self:
        await self._crew.__aenter__()
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        try:
            await self.close()
        finally:  # the heartbeats have ended by now: an error of the body leaves as it is, and not in a group
            await self._crew.__aexit__(None, None, None)

    async def __anext__(self) -> Record[D]:
        if not self._entered:
            raise LocalProtocolError("a reader of a group sends heartbeats meanwhile: use `async with group.consume()`")
        record: Any = await super().__anext__()
        return record

    async def close(self) -> None:
        """Commit what was processed (with `auto_commit`), and leave the group unless the member is static."""
        await super().close()
        with anyio.move_on_after(self._runner.patience_s, shield=True):
            await self._runner.run(parting(self._seat))


class _AsyncProducer:
    """What producers of queues and topics share; see synap/client/producers.py."""

    def __init__(self, runners: Runners, options: Options, repeat: bool, **given: Any) -> None:
        self._gathering = Gathering(options, repeat, box=Runner.box, clock=Runner.clock, **given)
        self._runner = runners()
        self._crew = Crew(runners, self._gathering.flows())

    async def _later(self, keyed: bool, request: Request[T]) -> Later[T]:
        gathering = self._gathering
        if gathering.made - gathering.done >= gathering.pending_max:
            await self._runner.run(gathering.waiting(gathering.pending_max // 2))
        return gathering.add(request, keyed)

    async def flush(self) -> None:
        """Wait until everything is sent, and raise the first error since the last flush."""
        await self._runner.run(self._gathering.flushed())

    async def __aenter__(self) -> Self:
        await self._crew.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        failed: ClientError | None = None
        if error is None or isinstance(error, Exception):  # and not cancelled
            try:
                await self.flush()
            except ClientError as first:
                failed = first
        self._gathering.close()
        await self._crew.__aexit__(None, None, None)
        if failed is not None and error is None:
            raise failed


class AsyncQueueProducer(_AsyncProducer, Generic[D]):
    """Publishes to a queue in batches, within an `async with`."""

    def __init__(self, runners: Runners, queue: "AsyncQueue[D]", options: Options, repeat: bool, **given: Any) -> None:
        super().__init__(runners, options, repeat, **given)
        self._queue: AsyncQueue[D] = queue

    async def publish(
        self, payload: Word, *, priority: int | None = None, max_retries: int | None = None,
        headers: dict[str, Any] | None = None, delay_s: float | None = None, ttl_s: float | None = None,
        group: str | None = None, dedup: str | None = None,
    ) -> Later[str]:  # fmt: skip
        """Add a message soon; the value will be its id. Waits while `pending_max` messages have no reply."""
        return await self._later(dedup is None, type(self._queue).publish.build(
            self._queue, payload, priority=priority, max_retries=max_retries, headers=headers, delay_s=delay_s,
            ttl_s=ttl_s, group=group, dedup=dedup,
        ))  # fmt: skip


class AsyncTopicProducer(_AsyncProducer, Generic[D]):
    """Publishes to a topic in batches, within an `async with`."""

    def __init__(self, runners: Runners, topic: "AsyncTopic[D]", options: Options, repeat: bool, **given: Any) -> None:
        super().__init__(runners, options, repeat, **given)
        self._topic: AsyncTopic[D] = topic

    async def publish(
        self, event_type: str, data: Word, *, key: str | bytes | None = None, partition: int | None = None,
        headers: dict[str, Any] | None = None,
    ) -> Later[tuple[int, int]]:  # fmt: skip
        """Append a record soon; the value will be its partition and offset. Waits while `pending_max` records have no
        reply."""
        return await self._later(False, type(self._topic).publish.build(
            self._topic, event_type, data, key=key, partition=partition, headers=headers,
        ))  # fmt: skip


class AsyncWorker(Generic[D]):
    """A worker of a queue, with `concurrency` tasks for bodies; see synap/client/workers.py.

        async with queue.worker(resize, "worker-1", concurrency=4):
            ...                           bodies run meanwhile
        await queue.worker(...).run()     until `stop` is called

    If it is cancelled, the bodies that run are cancelled and their messages nacked. `tally` has the counts of its
    messages.
    """

    def __init__(
        self, runners: Runners, queue: "AsyncQueue[D]", body: "Callable[[AsyncMessage[D]], Awaitable[object]]",
        consumer: str, concurrency: int, prefetch: int, wait_s: float,
    ) -> None:  # fmt: skip
        self._runners = runners
        self._work = Work(queue, body, consumer, concurrency, prefetch, wait_s, Runner.box, Runner.clock)
        self._crew = Crew(runners, self._work.flows())

    @property
    def tally(self) -> Tally:
        """The counts of the messages."""
        return self._work.tally

    def stop(self) -> None:
        """Take no more messages, and let the bodies that run come to their ends."""
        self._work.stop()

    async def run(self) -> None:
        """Work until `stop` is called or an error stops the worker, which is raised."""
        await self.__aenter__()
        await self._ending(None)

    async def __aenter__(self) -> Self:
        await self._crew.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()
        await self._ending(error)

    async def _ending(self, error: BaseException | None) -> None:
        """Wait for the tasks, and settle what they hold if they were cancelled."""
        try:
            cancelled = error if error is not None and not isinstance(error, Exception) else None
            await self._crew.__aexit__(type(cancelled) if cancelled else None, cancelled, None)
        finally:
            runner = self._runners()
            with anyio.move_on_after(runner.patience_s, shield=True):
                await runner.run(abandoning(self._work))
        if error is None and self._work.error is not None:
            raise self._work.error
