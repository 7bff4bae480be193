"""Pipelines and transactions of the client for threads."""

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from synap.client.batches import Batch
from synap.client.calls import D
from synap.client.errors import Conflict, Refused
from synap.client.flows import Exchange, calling
from synap.client.keys import Keys
from synap.client.machine import Word
from synap.client.options import Options
from synap.client.requests import Blocking, Request, T
from synap.client.sync_runner import Connection, Runner

if TYPE_CHECKING:
    from synap.client.sync import Client


class Pipeline(Batch[D]):
    """Calls sent together when the block is left, or by `send()`."""

    def __init__(self, client: "Client[D]", repeat: bool) -> None:
        super().__init__(client.options, repeat, whole=False)
        self._runner = client._runner

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.send()

    def send(self, *, raise_refused: bool = True) -> list[Any]:
        """Send the calls collected so far and return the results in order.

        All calls are carried out. Then the first refusal is raised, unless `raise_refused` is False.
        """
        self.results = self._runner.run(self._flow(False))
        for result in self.results:
            if raise_refused and isinstance(result, Refused):
                raise result
        return self.results


class Pinned(Keys[D], Blocking):
    """Calls made at once, over the connection that watches the keys."""

    def __init__(self, options: Options, runner: Runner) -> None:
        self.options = options
        self._runner = runner

    def _carry(self, request: Request[T]) -> T:
        return self._runner.run(calling(request, self.options, False, 1))


class Transaction(Batch[D]):
    """Calls carried out atomically when the block is left; `now` makes calls at once, to read the watched keys."""

    def __init__(self, client: "Client[D]", watch: Sequence[Word]) -> None:
        super().__init__(client.options, False, whole=True)
        self._pool = client._pool
        self._runner = client._runner
        self._watch = tuple(watch)
        self._connection: Connection | None = None

    @property
    def now(self) -> Pinned[D]:
        """The client's calls, made at once and outside of the transaction."""
        return Pinned(self.options, self._runner)

    def __enter__(self) -> Self:
        if self._watch:
            self._connection = self._pool.take()
            self._runner = Runner(self._pool, self._connection, self.options.durability)
            try:
                self._pinned(("WATCH", *self._watch))
            except BaseException:
                self._end(broken=True)
                raise
        return self

    def _pinned(self, command: tuple[Word, ...]) -> None:
        reply = self._runner.perform(Exchange([command]))[0]
        if isinstance(reply, Refused):
            raise reply

    def _end(self, broken: bool) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            (self._pool.break_off if broken else self._pool.give)(connection)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pinned, done = self._connection is not None, False
        try:
            if kind is None and len(self):
                self.results = self._runner.run(self._flow(pinned))
                done = True
        except Conflict:
            done = True
            raise
        finally:  # EXEC has ended the watch in these two cases; otherwise the watch ends with its connection
            self._end(broken=not done)
        for result in self.results if kind is None else ():
            if isinstance(result, Refused):
                raise result
