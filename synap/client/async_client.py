"""The client for asyncio and trio: `AsyncClient`, the counterpart of `sync.Client`.

    async with await synap.client.connect_async("synap://127.0.0.1:6379") as client:
        await client.set("greeting", "hello")
        async with client.queue("jobs").consume("worker-1") as messages:
            async for message in messages:
                await work(message.payload)

A loop over messages or a subscription belongs into an `async with`: Python tells a synchronous iterator that its loop
was left, but an asynchronous iterator cannot await anything then. Without it, a leased message is delivered again
only when its lease ends.
"""

import copy
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from inspect import GEN_SUSPENDED, getgeneratorstate
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar, overload

import anyio

from synap.client.async_batches import AsyncPipeline, AsyncTransaction
from synap.client.async_runner import Pool, Runner
from synap.client.calls import D
from synap.client.changes import Change, ChangePlace, Frames, filters, reading_changes
from synap.client.errors import is_busy
from synap.client.flows import Flow, Words, calling, scanning
from synap.client.group_calls import GroupCalls
from synap.client.key_changes import KeyChange, watched_keys
from synap.client.keys import Keys
from synap.client.machine import Word
from synap.client.options import Durability, Options, from_address
from synap.client.queues import MessageCalls, QueueCalls, Tally, consuming
from synap.client.requests import Awaiting, Request, T
from synap.client.rooms import Event, Place, RoomCalls, reading
from synap.client.scripts import AsyncScript
from synap.client.topic_calls import TopicCalls
from synap.client.topics import Gap, NoMessage, Ready, TopicMessage, WantedNames, subscribing, wanted_names
from synap.client.words import stepwise
from synap.hosts import authority

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


class AsyncMessage(MessageCalls[D], Awaiting):
    """A leased message."""

    _queue: "AsyncQueue[D]"

    async def _carry(self, request: Request[T]) -> T:
        return await self._queue._owner._carry(request)


class AsyncConsumer(AsyncIteration[AsyncMessage[D]]):
    """The messages of a queue, each settled when the next is requested; `tally` has the counts."""

    def __init__(self, runner: Runner, queue: "AsyncQueue[D]", name: str, wait_s: float, until_empty: bool) -> None:
        self.tally = Tally()
        super().__init__(runner, consuming(queue, name, wait_s, until_empty, self.tally))

    def __del__(self) -> None:
        flow = getattr(self, "_flow", None)
        if flow is not None and getgeneratorstate(flow) == GEN_SUSPENDED and not sys.is_finalizing():
            warnings.warn(
                "a consumer was dropped and not closed: use `async with queue.consume(...)`", ResourceWarning, 2,
            )  # fmt: skip


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


class AsyncQueue(QueueCalls[D], Awaiting):
    """A queue of the server."""

    _owner: "AsyncClient[D]"
    _message = AsyncMessage

    async def _carry(self, request: Request[T]) -> T:
        return await self._owner._carry(request)

    async def take(self, consumer: str, *, wait_s: float = 0.0) -> AsyncMessage[D] | None:
        """Lease one message, waiting up to `wait_s` seconds; the caller acks or nacks it."""
        return await self._carry(self._taking(consumer, wait_s))

    async def dead(self, count: int = 100) -> list[AsyncMessage[D]]:
        """Return up to `count` dead letters, the first ones, without removing them."""
        return await self._carry(self._showing("QUEUE.DEAD", count))

    async def peek(self, count: int = 100) -> list[AsyncMessage[D]]:
        """Return the messages that are ready next, without leasing any."""
        return await self._carry(self._showing("QUEUE.PEEK", count))

    async def delayed(self, count: int = 100) -> list[AsyncMessage[D]]:
        """Return the delayed messages that will be ready first, at most 1000; `cancel` removes one by its ID."""
        return await self._carry(self._showing("QUEUE.DELAYED", count))

    async def take_many(self, consumer: str, count: int, *, wait_s: float = 0.0) -> list[AsyncMessage[D]]:
        """Lease up to `count` messages, the highest priorities first; wait up to `wait_s` seconds for the first."""
        return await self._carry(self._taking_many(consumer, count, wait_s))

    def consume(self, consumer: str, *, wait_s: float = 5.0, until_empty: bool = False) -> AsyncConsumer[D]:
        """Return an iterator over messages, for ever or until the queue is empty.

        A message is acked when the body of the loop ends, and given back if the `async with` is left within the body.
        The server is asked for messages at least every `wait_s` seconds.
        """
        return AsyncConsumer(self._owner._runner_of_its_own(), self, consumer, wait_s, until_empty)


class AsyncRoom(RoomCalls[D], Awaiting):
    """A room of the server."""

    _owner: "AsyncClient[D]"

    async def _carry(self, request: Request[T]) -> T:
        return await self._owner._carry(request)

    def events(
        self, from_offset: int | None = None, *, subscriber: str = "", limit: int = 100, wait_s: float = 5.0,
        until_idle: bool = False, on_gap: Literal["raise", "skip"] = "raise",
    ) -> AsyncEvents[D]:  # fmt: skip
        """Return an iterator over events from an offset on, by default from the earliest held.

        It ends if `until_idle` is set and no event comes for `wait_s` seconds. A gap raises OffsetGone, or is skipped
        and counted.
        """
        return AsyncEvents(
            self._owner._runner_of_its_own(), self, from_offset, subscriber=subscriber, limit=limit, wait_s=wait_s,
            until_idle=until_idle, on_gap=on_gap,
        )  # fmt: skip


class AsyncTopic(TopicCalls[D], Awaiting):
    """A topic of the server, with partitions."""

    _owner: "AsyncClient[D]"

    async def _carry(self, request: Request[T]) -> T:
        return await self._owner._carry(request)


class AsyncGroup(GroupCalls[D], Awaiting):
    """A consumer group of the server."""

    _owner: "AsyncClient[D]"

    async def _carry(self, request: Request[T]) -> T:
        return await self._owner._carry(request)


class AsyncClient(Keys[D], Awaiting):
    """A client of one server, for any number of tasks of one event loop.

    `client.idempotent` is the same client whose calls are sent again when a connection breaks, for callers whose calls
    may be carried out twice; `client.with_durability("fsync")` is one whose calls wait for the server's disk.
    """

    @overload
    def __init__(
        self: "AsyncClient[bytes]", host: str = ..., port: int = ..., *, decode: Literal[False] = ..., **given: Any
    ) -> None: ...
    @overload
    def __init__(
        self: "AsyncClient[str]", host: str = ..., port: int = ..., *, decode: Literal[True], **given: Any
    ) -> None: ...
    def __init__(self, host: str = "127.0.0.1", port: int = 6379, *, decode: bool = False, **given: Any) -> None:
        self._begin(Options(host=host, port=port, decode=decode, **given))

    def _begin(self, options: Options) -> None:
        self.options = options
        self._pool = Pool(options)
        self._runner = self._runner_of_its_own()
        self._repeat = False

    def __repr__(self) -> str:
        return f"<client of {authority(self.options.host, self.options.port)}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; calls that wait raise an error."""
        await self._pool.close()

    @property
    def idempotent(self) -> Self:
        """The same client, whose calls are sent again after their connection broke."""
        other = copy.copy(self)
        other._repeat = True
        return other

    def with_durability(self, level: Durability) -> Self:
        """Return the same client, whose calls are answered once their changes have this durability: `fsync` for the
        server's disk, `os` for its system, `memory` for nothing, `default` for what the server's settings say.

        A server that cannot reach it refuses the calls and carries none out. Raises LocalProtocolError for other words.
        """
        other = copy.copy(self)
        other.options = replace(self.options, durability=level)
        other._runner = other._runner_of_its_own()
        return other

    async def _carry(self, request: Request[T]) -> T:
        return await self._runner.run(calling(request, self.options, self._repeat))

    def _runner_of_its_own(self) -> Runner:
        return Runner(self._pool, durability=self.options.durability)

    def queue(self, name: str | bytes) -> AsyncQueue[D]:
        """Return the queue of this name; nothing is sent."""
        return AsyncQueue(self, name)

    def room(self, name: str | bytes) -> AsyncRoom[D]:
        """Return the room of this name; nothing is sent."""
        return AsyncRoom(self, name)

    def topic(self, name: str | bytes) -> AsyncTopic[D]:
        """Return the topic of this name; nothing is sent."""
        return AsyncTopic(self, name)

    def group(self, name: str | bytes) -> AsyncGroup[D]:
        """Return the consumer group of this name; nothing is sent."""
        return AsyncGroup(self, name)

    def script(self, text: str | bytes) -> AsyncScript:
        """Return a script in Lua that is called with keys and arguments, and sent whole only if the server does not
        know it; nothing is sent yet."""
        return AsyncScript(self, text)

    def subscribe(
        self, *names: str | bytes, patterns: Sequence[str | bytes] = (), tell_gaps: bool = False
    ) -> AsyncSubscription[D]:
        """Subscribe to topics; a name that contains one of `*?[#` is a pattern, as are all `patterns`."""
        wanted = wanted_names(names, patterns, tell_gaps)
        return AsyncSubscription(self._runner_of_its_own(), wanted, self.options, self._data)

    def changes(
        self, from_seq: int | None = None, *, families: Sequence[str] = (), match: str | bytes | None = None,
        values: bool = False, feed: str | None = None, wait_s: float = 5.0, until_idle: bool = False,
    ) -> AsyncChangeFeed[Change]:  # fmt: skip
        """Return an iterator over changes from a seq on, by default over those to come, in the order of the log.

        families  only calls of these families (`kv`, `hash`, `queue`, ...)
        match     only changes whose keys or names match a glob, and those that name none
        values    with the values of their keys at the time of reading
        feed      the name of a feed: without `from_seq` it goes on where it was, and the server keeps its changes

        It ends if `until_idle` is set and no change comes for `wait_s` seconds. Raises ChangesGone. A broken connection
        loses no change; `place.seq` is the seq at which the iterator goes on.
        """
        words = filters(families, match, values, feed)
        return AsyncChangeFeed(self._runner_of_its_own(), self.options, words, from_seq, wait_s, until_idle, False)

    def change_frames(
        self, from_seq: int, *, feed: str | None = None, wait_s: float = 5.0, until_idle: bool = False
    ) -> AsyncChangeFeed[Frames]:
        """Return an iterator over all changes from a seq on as the frames of the log: `synap.Database.apply_frames`
        makes the same changes elsewhere. See `changes`."""
        words = filters((), None, False, feed)
        return AsyncChangeFeed(self._runner_of_its_own(), self.options, words, from_seq, wait_s, until_idle, True)

    def watch_keys(self, *keys: str | bytes) -> AsyncKeyWatch:
        """Return an iterator over the changes of keys, with the new values of strings.

        A name with one of `*?[\\` is a glob, as of KEYS.
        A Gap stands between two changes where the connection was lost: read the keys again.
        """
        return AsyncKeyWatch(self._runner_of_its_own(), watched_keys(keys, self.options.db), self.options, bytes)

    def scan(self, match: str | bytes | None = None, *, count: int = 100) -> AsyncIteration[D]:
        """Return an iterator over all keys that match, a few hundred per request.

        A key that exists during the whole iteration is returned at least once.
        """
        words = stepwise("SCAN", None, match=match, count=count)
        return AsyncIteration(self._runner, scanning(words, self.options, self._data))

    def sscan(self, key: str | bytes, match: str | bytes | None = None, *, count: int = 100) -> AsyncIteration[D]:
        """Return an iterator over all members of a set that match, a few hundred per request.

        A member that is there during the whole iteration is returned at least once.
        """
        words = stepwise("SSCAN", key, None, match=match, count=count)
        return AsyncIteration(self._runner, scanning(words, self.options, self._data))

    def hscan(
        self, key: str | bytes, match: str | bytes | None = None, *, count: int = 100
    ) -> AsyncIteration[tuple[D, D]]:
        """Return an iterator over all fields of a hash that match, with their values, a few hundred per request.

        A field that is there during the whole iteration is returned at least once.
        """
        words = stepwise("HSCAN", key, None, match=match, count=count)
        return AsyncIteration(self._runner, scanning(words, self.options, self._tuple, pairs=True))

    def zscan(
        self, key: str | bytes, match: str | bytes | None = None, *, count: int = 100
    ) -> AsyncIteration[tuple[D, float]]:
        """Return an iterator over all members of a sorted set that match, with their scores, a few hundred per request.

        A member that is there during the whole iteration is returned at least once.
        """
        words = stepwise("ZSCAN", key, None, match=match, count=count)
        return AsyncIteration(self._runner, scanning(words, self.options, self._scored, pairs=True))

    def pipeline(self) -> AsyncPipeline[D]:
        """Return a pipeline: its calls are sent in one write."""
        return AsyncPipeline(self, self._repeat)

    def transaction(self, *, watch: Sequence[Word] = ()) -> AsyncTransaction[D]:
        """Return a transaction: its calls are carried out atomically, or raise Conflict if a watched key changed."""
        return AsyncTransaction(self, watch)


@overload
async def connect_async(address: str = ..., *, decode: Literal[True], **given: Any) -> AsyncClient[str]: ...
@overload
async def connect_async(address: str = ..., **given: Any) -> AsyncClient[bytes]: ...
async def connect_async(address: str = "synap://127.0.0.1:6379", **given: Any) -> Any:
    """Return a client of the server at `synap://[[user]:password@]host[:port][/db][?option=value]`.

    Raises ClientError if the server does not answer.
    """
    client: AsyncClient[Any] = AsyncClient.__new__(AsyncClient)
    client._begin(from_address(address, **given))
    try:
        await client.ping()
    except BaseException as error:
        if not is_busy(error):  # such a server is there, and the client may end the script
            await client.close()
            raise
    return client
