"""Iterators of the client for threads over the items of a flow."""

import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from synap.client.calls import D
from synap.client.changes import ChangePlace, reading_changes
from synap.client.flows import Flow, Words
from synap.client.key_changes import KeyChange
from synap.client.options import Options
from synap.client.rooms import Event, Place, reading
from synap.client.sync_runner import Runner
from synap.client.topics import Gap, NoMessage, Ready, TopicMessage, WantedNames, subscribing

if TYPE_CHECKING:
    from synap.client.sync import Room

I_co = TypeVar("I_co", covariant=True)
M_co = TypeVar("M_co", covariant=True)


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


class Events(Iteration[Event[D]]):
    """The events of a room; `place.offset` is the next offset, `place.skipped` counts events lost to gaps."""

    def __init__(self, runner: Runner, room: "Room[D]", from_offset: int | None, **given: Any) -> None:
        self.place = Place(from_offset)
        super().__init__(runner, reading(room, self.place, **given))


class ChangeFeed(Iteration[I_co]):
    """The changes of a server; `place.seq` is the seq at which the iterator goes on."""

    def __init__(
        self, runner: Runner, options: Options, words: Words, from_seq: int | None, wait_s: float, until_idle: bool,
        frames: bool,
    ) -> None:  # fmt: skip
        self.place = ChangePlace(from_seq)
        super().__init__(runner, reading_changes(words, self.place, options, wait_s, until_idle, frames))


class Messages(Iteration[M_co | Gap]):
    """The messages of a subscription. Within a `with` the subscription is active from the first line on.

    `gaps` counts how often its connection was lost since.
    """

    def __init__(self, runner: Runner, wanted: WantedNames, options: Options, data: Callable[[Any], Any]) -> None:
        self._wanted = wanted
        super().__init__(runner, subscribing(wanted, options, data))

    @property
    def gaps(self) -> int:
        """Number of times that messages may have been missed."""
        return self._wanted.gaps

    def __enter__(self) -> Self:
        if not self._wanted.ready:
            self._runner.next(self._flow)
        return self

    def __next__(self) -> M_co | Gap:
        while True:
            found = self._runner.next(self._flow)
            if not isinstance(found, Ready | NoMessage):
                return found

    def get(self, timeout: float | None = None) -> M_co | Gap | None:
        """Return the next message, or None if there is none for `timeout` seconds."""
        self.__enter__()
        self._wanted.hear_s = timeout
        try:
            found = self._runner.next(self._flow)
        finally:
            self._wanted.hear_s = None
        return None if isinstance(found, NoMessage) else found


class Subscription(Messages[TopicMessage[D]]):
    """The messages published to some topics."""


class KeyWatch(Messages[KeyChange]):
    """The changes of some keys."""
