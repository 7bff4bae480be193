"""The client for threads: `Client`, with its queues, rooms, topics and subscriptions.

    with synap.client.connect("synap://127.0.0.1:6379") as client:
        client.set("greeting", "hello")
        for message in client.queue("jobs").consume("worker-1"):
            work(message.payload)

keys.py, queues.py, rooms.py and topic_calls.py define the methods; flows.py defines the behaviour when a connection
breaks.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal, Self, overload

from synap.client.calls import D
from synap.client.changes import Change, Frames, filters
from synap.client.consumers import Tally, consuming
from synap.client.errors import is_busy
from synap.client.flows import calling, scanning
from synap.client.group_calls import GroupCalls
from synap.client.iterations import ChangeFeed, Events, Iteration, KeyWatch, Subscription  # fmt: skip
from synap.client.key_changes import watched_keys
from synap.client.keys import Keys
from synap.client.machine import Word
from synap.client.members import Listener
from synap.client.options import Durability, Options, from_address
from synap.client.queues import MessageCalls, QueueCalls
from synap.client.requests import Blocking, Request, T
from synap.client.rooms import RoomCalls
from synap.client.scripts import Script
from synap.client.sync_batches import Pipeline, Transaction
from synap.client.sync_runner import Pool, Runner
from synap.client.sync_workers import GroupReader, QueueProducer, TopicProducer, Worker
from synap.client.topic_calls import TopicCalls
from synap.client.topics import wanted_names
from synap.client.words import stepwise
from synap.hosts import authority


class Message(MessageCalls[D], Blocking):
    """A leased message."""

    _queue: "Queue[D]"

    def _carry(self, request: Request[T]) -> T:
        return self._queue._owner._carry(request)


class Consumer(Iteration[Message[D]]):
    """The messages of a queue, each settled when the next is requested; `tally` has the counts."""

    def __init__(
        self, runner: Runner, queue: "Queue[D]", name: str, wait_s: float, until_empty: bool, prefetch: int
    ) -> None:
        self.tally = Tally()
        super().__init__(
            runner, consuming(queue, name, wait_s, until_empty, prefetch, self.tally, runner.clock)
        )


class Queue(QueueCalls[D], Blocking):
    """A queue of the server."""

    _owner: "Client[D]"
    _message = Message

    def _carry(self, request: Request[T]) -> T:
        return self._owner._carry(request)

    def take(self, consumer: str, *, wait_s: float = 0.0) -> Message[D] | None:
        """Lease one message, waiting up to `wait_s` seconds; the caller acks or nacks it."""
        return self._carry(self._taking(consumer, wait_s))

    def dead(self, count: int = 100) -> list[Message[D]]:
        """Return up to `count` dead letters, the first ones, without removing them."""
        return self._carry(self._showing("QUEUE.DEAD", count))

    def peek(self, count: int = 100) -> list[Message[D]]:
        """Return the messages that are ready next, without leasing any."""
        return self._carry(self._showing("QUEUE.PEEK", count))

    def delayed(self, count: int = 100) -> list[Message[D]]:
        """Return the delayed messages that will be ready first, at most 1000; `cancel` removes one by its ID."""
        return self._carry(self._showing("QUEUE.DELAYED", count))

    def take_many(self, consumer: str, count: int, *, wait_s: float = 0.0) -> list[Message[D]]:
        """Lease up to `count` messages, the highest priorities first; wait up to `wait_s` seconds for the first."""
        return self._carry(self._taking_many(consumer, count, wait_s))

    def consume(
        self, consumer: str, *, wait_s: float = 5.0, until_empty: bool = False, prefetch: int = 100
    ) -> Consumer[D]:
        """Return an iterator over messages, for ever or until the queue is empty.

        A message is acked when the body of the loop ends, and given back if the loop is left within the body. The
        server is asked for messages at least every `wait_s` seconds, and for at most `prefetch` at once.
        """
        return Consumer(self._owner._runner_of_its_own(), self, consumer, wait_s, until_empty, prefetch)


    def producer(
        self, *, linger_s: float = 0.005, batch: int = 100, in_flight: int = 1, pending_max: int = 10_000,
        idempotent: bool = True,
    ) -> QueueProducer[D]:  # fmt: skip
        """Return a producer, whose calls of `publish` are sent together: at most `batch` at once, each at the latest
        after `linger_s` seconds; see synap/client/producers.py.

        With several batches `in_flight` they may arrive in another order. At most `pending_max` calls wait for replies.
        A batch is sent again when its connection breaks: with `idempotent`, each message has a key of its own, by
        which the queue knows those that it has already.
        """
        owner = self._owner
        return QueueProducer(
            owner._runner_of_its_own, self, owner.options, owner._repeat, keyed=idempotent, linger_s=linger_s,
            most=batch, in_flight=in_flight, pending_max=pending_max,
        )  # fmt: skip

    def worker(
        self, body: Callable[[Message[D]], object], consumer: str, *, concurrency: int = 1, prefetch: int = 0,
        wait_s: float = 1.0,
    ) -> Worker[D]:  # fmt: skip
        """Return a worker, which calls `body` with each message, `concurrency` at once, and renews the leases
        meanwhile; see `Worker`.

        A message is acked when its body returns, and nacked when it raises an exception. `prefetch` messages are
        leased ahead. The server is asked for messages at least every `wait_s` seconds, and a stop takes as long.
        """
        return Worker(self._owner._runner_of_its_own, self, body, consumer, concurrency, prefetch, wait_s)


class Room(RoomCalls[D], Blocking):
    """A room of the server."""

    _owner: "Client[D]"

    def _carry(self, request: Request[T]) -> T:
        return self._owner._carry(request)

    def events(
        self, from_offset: int | None = None, *, subscriber: str = "", limit: int = 100, wait_s: float = 5.0,
        until_idle: bool = False, on_gap: Literal["raise", "skip"] = "raise",
    ) -> Events[D]:  # fmt: skip
        """Return an iterator over events from an offset on, by default from the earliest held.

        It ends if `until_idle` is set and no event comes for `wait_s` seconds. A gap raises OffsetGone, or is skipped
        and counted.
        """
        return Events(
            self._owner._runner_of_its_own(), self, from_offset, subscriber=subscriber, limit=limit, wait_s=wait_s,
            until_idle=until_idle, on_gap=on_gap,
        )  # fmt: skip


class Topic(TopicCalls[D], Blocking):
    """A topic of the server, with partitions."""

    _owner: "Client[D]"

    def _carry(self, request: Request[T]) -> T:
        return self._owner._carry(request)

    def producer(
        self, *, linger_s: float = 0.005, batch: int = 100, in_flight: int = 1, pending_max: int = 10_000
    ) -> TopicProducer[D]:
        """Return a producer, whose calls of `publish` are sent together: at most `batch` at once, each at the latest
        after `linger_s` seconds; see synap/client/producers.py.

        With several batches `in_flight` they may arrive in another order. At most `pending_max` calls wait for replies.
        On `client.idempotent` a batch is sent again when its connection breaks.
        """
        owner = self._owner
        return TopicProducer(
            owner._runner_of_its_own, self, owner.options, owner._repeat, keyed=False, linger_s=linger_s,
            most=batch, in_flight=in_flight, pending_max=pending_max,
        )  # fmt: skip


class Group(GroupCalls[D], Blocking):
    """A consumer group of the server."""

    _owner: "Client[D]"

    def _carry(self, request: Request[T]) -> T:
        return self._owner._carry(request)

    def consume(
        self, *, member: str | None = None, static: bool = False, start: Literal["earliest", "latest"] = "earliest",
        auto_commit: bool = True, commit_s: float = 1.0, session_ms: int | None = None, limit: int = 100,
        wait_s: float = 1.0, poll_max_s: float = 300.0, until_idle: bool = False, listener: Listener | None = None,
    ) -> GroupReader[D]:  # fmt: skip
        """Join the group, and return an iterator over the records of the partitions that the member gets.

        member       its name; by default a random one
        static       it does not leave at the end: if it comes back within its session, nothing is rebalanced
        start        where a partition without a committed offset is read from
        auto_commit  commit what was processed, with each batch and every `commit_s` seconds; else call `commit`
        session_ms   after so long without a heartbeat the others take over; by default as the group says
        limit        how many records of each partition are read at once, waiting up to `wait_s` for the first
        poll_max_s   a body that takes longer is taken for stuck: the member leaves, until the loop goes on
        until_idle   end when no record comes for `wait_s` seconds
        listener     an object whose methods `revoked` and `assigned` are called with partitions
        """
        return GroupReader(
            self._owner._runner_of_its_own, self, member=member, static=static, start=start, auto_commit=auto_commit,
            commit_s=commit_s, session_ms=session_ms, limit=limit, wait_s=wait_s, poll_max_s=poll_max_s,
            until_idle=until_idle, listener=listener,
        )  # fmt: skip


class Client(Keys[D], Blocking):
    """A client of one server, for any number of threads.

    `client.idempotent` is the same client whose calls are sent again when a connection breaks, for callers whose calls
    may be carried out twice; `client.with_durability("fsync")` is one whose calls wait for the server's disk.
    """

    @overload
    def __init__(
        self: "Client[bytes]", host: str = ..., port: int = ..., *, decode: Literal[False] = ..., **given: Any
    ) -> None: ...
    @overload
    def __init__(
        self: "Client[str]", host: str = ..., port: int = ..., *, decode: Literal[True], **given: Any
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; calls that wait raise an error."""
        self._pool.close()

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

    def _carry(self, request: Request[T]) -> T:
        return self._runner.run(calling(request, self.options, self._repeat))

    def _runner_of_its_own(self) -> Runner:
        return Runner(self._pool, durability=self.options.durability)

    def queue(self, name: str | bytes) -> Queue[D]:
        """Return the queue of this name; nothing is sent."""
        return Queue(self, name)

    def room(self, name: str | bytes) -> Room[D]:
        """Return the room of this name; nothing is sent."""
        return Room(self, name)

    def topic(self, name: str | bytes) -> Topic[D]:
        """Return the topic of this name; nothing is sent."""
        return Topic(self, name)

    def group(self, name: str | bytes) -> Group[D]:
        """Return the consumer group of this name; nothing is sent."""
        return Group(self, name)

    def script(self, text: str | bytes) -> Script:
        """Return a script in Lua that is called with keys and arguments, and sent whole only if the server does not
        know it; nothing is sent yet."""
        return Script(self, text)

    def subscribe(
        self, *names: str | bytes, patterns: Sequence[str | bytes] = (), tell_gaps: bool = False
    ) -> Subscription[D]:
        """Subscribe to topics; a name that contains one of `*?[#` is a pattern, as are all `patterns`."""
        wanted = wanted_names(names, patterns, tell_gaps)
        return Subscription(self._runner_of_its_own(), wanted, self.options, self._data)

    def changes(
        self, from_seq: int | None = None, *, families: Sequence[str] = (), match: str | bytes | None = None,
        values: bool = False, feed: str | None = None, wait_s: float = 5.0, until_idle: bool = False,
    ) -> ChangeFeed[Change]:  # fmt: skip
        """Return an iterator over changes from a seq on, by default over those to come, in the order of the log.

        families  only calls of these families (`kv`, `hash`, `queue`, ...)
        match     only changes whose keys or names match a glob, and those that name none
        values    with the values of their keys at the time of reading
        feed      the name of a feed: without `from_seq` it goes on where it was, and the server keeps its changes

        It ends if `until_idle` is set and no change comes for `wait_s` seconds. Raises ChangesGone. A broken connection
        loses no change; `place.seq` is the seq at which the iterator goes on.
        """
        words = filters(families, match, values, feed)
        return ChangeFeed(self._runner_of_its_own(), self.options, words, from_seq, wait_s, until_idle, False)

    def change_frames(
        self, from_seq: int, *, feed: str | None = None, wait_s: float = 5.0, until_idle: bool = False
    ) -> ChangeFeed[Frames]:
        """Return an iterator over all changes from a seq on as the frames of the log: `synap.Database.apply_frames`
        makes the same changes elsewhere. See `changes`."""
        words = filters((), None, False, feed)
        return ChangeFeed(self._runner_of_its_own(), self.options, words, from_seq, wait_s, until_idle, True)

    def watch_keys(self, *keys: str | bytes) -> KeyWatch:
        """Return an iterator over the changes of keys, with the new values of strings.

        A name with one of `*?[\\` is a glob, as of KEYS.
        A Gap stands between two changes where the connection was lost: read the keys again.
        """
        return KeyWatch(self._runner_of_its_own(), watched_keys(keys, self.options.db), self.options, bytes)

    def scan(self, match: str | bytes | None = None, *, count: int = 100) -> Iteration[D]:
        """Return an iterator over all keys that match, a few hundred per request.

        A key that exists during the whole iteration is returned at least once.
        """
        words = stepwise("SCAN", None, match=match, count=count)
        return Iteration(self._runner, scanning(words, self.options, self._data))

    def sscan(self, key: str | bytes, match: str | bytes | None = None, *, count: int = 100) -> Iteration[D]:
        """Return an iterator over all members of a set that match, a few hundred per request.

        A member that is there during the whole iteration is returned at least once.
        """
        words = stepwise("SSCAN", key, None, match=match, count=count)
        return Iteration(self._runner, scanning(words, self.options, self._data))

    def hscan(
        self, key: str | bytes, match: str | bytes | None = None, *, count: int = 100
    ) -> Iteration[tuple[D, D]]:
        """Return an iterator over all fields of a hash that match, with their values, a few hundred per request.

        A field that is there during the whole iteration is returned at least once.
        """
        words = stepwise("HSCAN", key, None, match=match, count=count)
        return Iteration(self._runner, scanning(words, self.options, self._tuple, pairs=True))

    def zscan(
        self, key: str | bytes, match: str | bytes | None = None, *, count: int = 100
    ) -> Iteration[tuple[D, float]]:
        """Return an iterator over all members of a sorted set that match, with their scores, a few hundred per request.

        A member that is there during the whole iteration is returned at least once.
        """
        words = stepwise("ZSCAN", key, None, match=match, count=count)
        return Iteration(self._runner, scanning(words, self.options, self._scored, pairs=True))

    def pipeline(self) -> Pipeline[D]:
        """Return a pipeline: its calls are sent in one write."""
        return Pipeline(self, self._repeat)

    def transaction(self, *, watch: Sequence[Word] = ()) -> Transaction[D]:
        """Return a transaction: its calls are carried out atomically, or raise Conflict if a watched key changed."""
        return Transaction(self, watch)


@overload
def connect(address: str = ..., *, decode: Literal[True], **given: Any) -> Client[str]: ...
@overload
def connect(address: str = ..., **given: Any) -> Client[bytes]: ...
def connect(address: str = "synap://127.0.0.1:6379", **given: Any) -> Any:
    """Return a client of the server at `synap://[[user]:password@]host[:port][/db][?option=value]`.

    Raises ClientError if the server does not answer.
    """
    client: Client[Any] = Client.__new__(Client)
    client._begin(from_address(address, **given))
    try:
        client.ping()
    except BaseException as error:
        if not is_busy(error):  # such a server is there, and the client may end the script
            client.close()
            raise
    return client
