"""Pipelines and transactions: calls that are gathered, and what they are carried out on.

A pipeline is one write and the replies in order; between its calls others may come. A transaction is the same between
MULTI and EXEC, so nobody comes between, and nothing of it happens if a watched key was changed before. Both are
written once here but for the waiting: `sync.py` and `async_client.py` add how a block is entered and left.
"""

from typing import Any

from synap.client.flows import Plan, batch, transacting
from synap.client.keys import D, Keys
from synap.client.options import Options
from synap.client.queues import QueueCalls
from synap.client.requests import Batched, Later, Request, T
from synap.client.rooms import RoomCalls

__all__ = ["Batch", "BatchQueue", "BatchRoom"]


class BatchQueue(QueueCalls[D], Batched):
    """A queue whose calls are gathered."""

    def _carry(self, request: Request[T]) -> Later[T]:
        return self._owner._carry(request)


class BatchRoom(RoomCalls[D], Batched):
    """A room whose calls are gathered."""

    def _carry(self, request: Request[T]) -> Later[T]:
        return self._owner._carry(request)


class Batch(Keys[D], Batched):
    """Calls that are sent together. `results` has what they gave, in order, refusals as `Refused` among it."""

    def __init__(self, options: Options, repeat: bool, whole: bool) -> None:
        self.options = options
        self.results: list[Any] = []
        self._repeat = repeat
        self._whole = whole
        self._calls: list[tuple[Request[Any], Later[Any]]] = []

    def __len__(self) -> int:
        return len(self._calls)

    def queue(self, name: str | bytes) -> BatchQueue[D]:
        """A queue, for calls in this batch."""
        return BatchQueue(self, name)

    def room(self, name: str | bytes) -> BatchRoom[D]:
        """A room, for calls in this batch."""
        return BatchRoom(self, name)

    def _carry(self, request: Request[T]) -> Later[T]:
        later: Later[T] = Later()
        self._calls.append((request, later))
        return later

    def _plan(self, pinned: bool) -> Plan:
        """Carry out what was gathered; nothing is gathered then."""
        calls, self._calls = self._calls, []
        if self._whole:
            return transacting(calls, self.options, pinned)
        return batch(calls, self.options, self._repeat)
