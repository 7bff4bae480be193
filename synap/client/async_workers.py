"""What the client for asyncio and trio does in the background: the tasks of workers, group readers and producers."""

from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self

import anyio
from anyio.abc import TaskGroup

from synap.client.async_runner import Pool, Runner
from synap.client.calls import D
from synap.client.consumers import Tally
from synap.client.flows import Flow
from synap.client.workers import Work, abandoning

if TYPE_CHECKING:
    from synap.client.async_client import AsyncMessage, AsyncQueue


class Crew:
    """Tasks that each carry out a flow, from the beginning of an `async with` to its end."""

    def __init__(self, pool: Pool, flows: Iterable[Flow]) -> None:
        self._pool, self._flows = pool, list(flows)
        self._tasks: TaskGroup

    async def __aenter__(self) -> Self:
        self._tasks = await anyio.create_task_group().__aenter__()
        for flow in self._flows:
            self._tasks.start_soon(Runner(self._pool).run, flow)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> bool | None:
        return await self._tasks.__aexit__(kind, error, at)


class AsyncWorker(Generic[D]):
    """A worker of a queue, with `concurrency` tasks for bodies; see synap/client/workers.py.

        async with queue.worker(resize, "worker-1", concurrency=4):
            ...                           bodies run meanwhile
        await queue.worker(...).run()     until `stop` is called

    If it is cancelled, the bodies that run are cancelled and their messages nacked. `tally` has the counts of its
    messages.
    """

    def __init__(
        self, pool: Pool, queue: "AsyncQueue[D]", body: "Callable[[AsyncMessage[D]], Awaitable[object]]",
        consumer: str, concurrency: int, prefetch: int, wait_s: float,
    ) -> None:  # fmt: skip
        self._pool = pool
        self._work = Work(queue, body, consumer, concurrency, prefetch, wait_s, Runner.box, Runner.clock)
        self._crew = Crew(pool, self._work.flows())

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
            runner = Runner(self._pool)
            with anyio.move_on_after(runner.patience_s, shield=True):
                await runner.run(abandoning(self._work))
        if error is None and self._work.error is not None:
            raise self._work.error
