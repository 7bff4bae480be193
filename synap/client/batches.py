"""Pipelines and transactions: calls that are collected and then sent together.

A pipeline is one write, and its replies come in order; other clients' calls may run between its calls. A transaction
is sent between MULTI and EXEC, so no other call runs in between, and nothing of the transaction is carried out if a
watched key was changed before. Both are written here once, without the waiting: `sync_batches.py` and
`async_batches.py` add how a block is entered and left.
"""

from typing import Any

from synap.client.calls import D
from synap.client.flows import Flow, batch, transacting
from synap.client.group_calls import GroupCalls
from synap.client.keys import Keys
from synap.client.options import Options
from synap.client.queues import QueueCalls
from synap.client.requests import Batched, Later, Request, T
from synap.client.rooms import RoomCalls
from synap.client.topic_calls import TopicCalls

__all__ = ["Batch", "BatchGroup", "BatchQueue", "BatchRoom", "BatchTopic"]


class BatchQueue(QueueCalls[D], Batched):
    """A queue whose calls are collected in a batch."""

    _owner: "Batch[D]"

    def _carry(self, request: Request[T]) -> Later[T]:
        return self._owner._carry(request)


class BatchRoom(RoomCalls[D], Batched):
    """A room whose calls are collected in a batch."""

    _owner: "Batch[D]"

    def _carry(self, request: Request[T]) -> Later[T]:
        return self._owner._carry(request)


class BatchTopic(TopicCalls[D], Batched):
    """A topic whose calls are collected in a batch."""

    _owner: "Batch[D]"

    def _carry(self, request: Request[T]) -> Later[T]:
        return self._owner._carry(request)


class BatchGroup(GroupCalls[D], Batched):
    """A consumer group whose calls are collected in a batch."""

    _owner: "Batch[D]"

    def _carry(self, request: Request[T]) -> Later[T]:
        return self._owner._carry(request)


class Batch(Keys[D], Batched):
    """Calls that are sent together. `results` has their results in order; a refusal is a `Refused` in this list."""

    def __init__(self, options: Options, repeat: bool, whole: bool) -> None:
        self.options = options
        self.results: list[Any] = []
        self._repeat = repeat
        self._whole = whole
        self._calls: list[tuple[Request[Any], Later[Any]]] = []

    def __len__(self) -> int:
        return len(self._calls)

    def queue(self, name: str | bytes) -> BatchQueue[D]:
        """Return the queue `name`, whose calls join this batch."""
        return BatchQueue(self, name)

    def room(self, name: str | bytes) -> BatchRoom[D]:
        """Return the room `name`, whose calls join this batch."""
        return BatchRoom(self, name)

    def topic(self, name: str | bytes) -> BatchTopic[D]:
        """Return the topic `name`, whose calls join this batch."""
        return BatchTopic(self, name)

    def group(self, name: str | bytes) -> BatchGroup[D]:
        """Return the consumer group `name`, whose calls join this batch."""
        return BatchGroup(self, name)

    def _carry(self, request: Request[T]) -> Later[T]:
        later: Later[T] = Later()
        self._calls.append((request, later))
        return later

    def _flow(self, pinned: bool) -> Flow:
        """Return the flow that sends the calls collected so far, and start a new collection."""
        calls, self._calls = self._calls, []
        if self._whole:
            return transacting(calls, self.options, pinned)
        return batch(calls, self.options, self._repeat)
