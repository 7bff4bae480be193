"""Iterators of the client for asyncio and trio over the items of a flow."""

from types import TracebackType
from typing import Generic, Self, TypeVar

import anyio

from synap.client.async_runner import Runner
from synap.client.flows import Flow

I_co = TypeVar("I_co", covariant=True)


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
