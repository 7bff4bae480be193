"""Iterators of the client for threads over the items of a flow."""

import sys
from types import TracebackType
from typing import Generic, Self, TypeVar

from synap.client.flows import Flow
from synap.client.sync_runner import Runner

I_co = TypeVar("I_co", covariant=True)


class Iteration(Generic[I_co]):
    """An iterator over the items of a flow.

    Leave it with `close()` or at the end of a `with`; an iterator whose loop was left is also closed when it is
    garbage-collected.
    """

    def __init__(self, runner: Runner, flow: Flow) -> None:
        self._runner = runner
        self._flow = flow

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> I_co:
        return self._runner.next(self._flow)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop iterating and release the flow's connection."""
        self._runner.leave(self._flow)

    def __del__(self) -> None:
        if not sys.is_finalizing() and hasattr(self, "_flow") and not getattr(self._flow, "gi_running", False):
            self.close()
