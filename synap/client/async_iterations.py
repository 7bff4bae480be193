"""Iterators of the client for asyncio and trio over the items of a flow."""

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import anyio

from synap.client.async_runner import Runner
from synap.client.calls import D
from synap.client.changes import ChangePlace, reading_changes
from synap.client.flows import Flow, Words
from synap.client.key_changes import KeyChange
from synap.client.options import Options
from synap.client.rooms import Event, Place, reading
from synap.client.topics import Gap, NoMessage, Ready, TopicMessage, WantedNames, subscribing

if TYPE_CHECKING:
    from synap.client.async_client import AsyncRoom

I_co = TypeVar("I_co", covariant=True)
M_co = TypeVar("M_co", covariant=True)


class AsyncIteration(Generic[I_co]):
    """An asynchronous iterator over the items of a flow. Leave it at the end of an `async with`, or with `close()`."""

    def __init__(self, runner: Runner, flow: Flow) -> None:
        self._runner = runner
        self._flow = flow

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> I_co:
        return await self._runner.next(self._flow)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop iterating and release the flow's connection.

        Commands that remain to be sent are sent even after the task was cancelled, for at most `connect_timeout`.
        """
        with anyio.move_on_after(self._runner.patience_s, shield=True):
            await self._runner.leave(self._flow)


class AsyncEvents(AsyncIteration[Event[D]]):
    """The events of a room; `place.offset` is the next offset, `place.skipped` counts events lost to gaps."""

    def __init__(self, runner: Runner, room: "AsyncRoom[D]", from_offset: int | None, **given: Any) -> None:
        self.place = Place(from_offset)
        super().__init__(runner, reading(room, self.place, **given))


class AsyncChangeFeed(AsyncIteration[I_co]):
    """The changes of a server; `place.seq` is the seq at which the iterator goes on."""

    def __init__(
        self, runner: Runner, options: Options, words: Words, from_seq: int | None, wait_s: float, until_idle: bool,
        frames: bool,
    ) -> None:  # fmt: skip
        self.place = ChangePlace(from_seq)
        super().__init__(runner, reading_changes(words, self.place, options, wait_s, until_idle, frames))


class AsyncMessages(AsyncIteration[M_co | Gap]):
    """The messages of a subscription. Within an `async with` the subscription is active from the first line on.

    `gaps` counts how often its connection was lost since.
    """

    def __init__(self, runner: Runner, wanted: WantedNames, options: Options, data: Callable[[Any], Any]) -> None:
        self._wanted = wanted
        super().__init__(runner, subscribing(wanted, options, data))

    @property
    def gaps(self) -> int:
        """Number of times that messages may have been missed."""
        return self._wanted.gaps

    async def __aenter__(self) -> Self:
        if not self._wanted.ready:
            await self._runner.next(self._flow)
        return self

    async def __anext__(self) -> M_co | Gap:
        while True:
            found = await self._runner.next(self._flow)
            if not isinstance(found, Ready | NoMessage):
                return found

    async def get(self, timeout: float | None = None) -> M_co | Gap | None:
        """Return the next message, or None if there is none for `timeout` seconds."""
        await self.__aenter__()
        self._wanted.hear_s = timeout
        try:
            found = await self._runner.next(self._flow)
        finally:
            self._wanted.hear_s = None
        return None if isinstance(found, NoMessage) else found


class AsyncSubscription(AsyncMessages[TopicMessage[D]]):
    """The messages published to some topics."""


class AsyncKeyWatch(AsyncMessages[KeyChange]):
    """The changes of some keys."""
