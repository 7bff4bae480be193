"""What the client for threads does in the background: the threads of workers, of group readers and of producers."""

import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self

from synap.client.calls import D
from synap.client.consumers import Tally
from synap.client.flows import Flow
from synap.client.sync_runner import Pool, Runner
from synap.client.workers import Work

if TYPE_CHECKING:
    from synap.client.sync import Message, Queue


class Crew:
    """Threads that each carry out a flow."""

    def __init__(self, pool: Pool, name: str, flows: Iterable[Flow]) -> None:
        self._threads = [
            threading.Thread(target=Runner(pool).run, args=(flow,), name=f"{name} {i}", daemon=True)
            for i, flow in enumerate(flows)
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until all flows have ended."""
        for thread in self._threads:
            thread.join()


class Worker(Generic[D]):
    """A worker of a queue, with `concurrency` threads for bodies; see synap/client/workers.py.

        with queue.worker(resize, "worker-1", concurrency=4):
            ...                     bodies run meanwhile
        queue.worker(...).run()     until `stop` is called, or Ctrl-C

    `tally` has the counts of its messages.
    """

    def __init__(
        self, pool: Pool, queue: "Queue[D]", body: "Callable[[Message[D]], object]", consumer: str, concurrency: int,
        prefetch: int, wait_s: float,
    ) -> None:  # fmt: skip
        self._pool = pool
        self._work = Work(queue, body, consumer, concurrency, prefetch, wait_s, Runner.box, Runner.clock)
        self._crew: Crew | None = None

    @property
    def tally(self) -> Tally:
        """The counts of the messages."""
        return self._work.tally

    def start(self) -> None:
        """Begin in the background."""
        assert self._crew is None, "a worker starts once"
        self._crew = Crew(self._pool, f"worker {self._work.consumer}", self._work.flows())

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


