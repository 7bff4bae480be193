"""Flows for asyncio and trio: anyio streams, a pool of connections, and the runner of a flow's effects.

The module makes the same decisions as sync_runner.py, and waits in tasks instead of threads. A cancelled call closes
its connection, because its reply might still arrive.
"""

from collections import deque
from collections.abc import Sequence
from inspect import isawaitable
from typing import Any, assert_never

import anyio
import anyio.lowlevel
from anyio.abc import SocketAttribute, SocketStream

from synap.client.errors import Closed, ConnectionLost, NotConnected, PoolExhausted, Refused, TimedOut
from synap.client.flows import (
    Ask,
    Effect,
    Exchange,
    Flow,
    Hear,
    Item,
    NoMoreItems,
    Open,
    Pause,
    Run,
    Take,
    Tell,
    Words,
)  # fmt: skip
from synap.client.machine import NEED_DATA, ClientMachine, Event, Reply
from synap.client.options import Durability, Options
from synap.client.socket_checks import AT_ONCE_BYTES, RECEIVE_BYTES, greet, is_readable
from synap.client.words import durability_command, silence
from synap.hosts import authority

BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError)


class Connection:
    """A stream and its protocol machine."""

    durability: Durability = "default"  # of the replies

    def __init__(self, options: Options, stream: SocketStream) -> None:
        self.machine = ClientMachine(options.limits)
        self._timeout = options.timeout
        self._stream = stream

    async def close(self) -> None:
        """Close the stream."""
        with anyio.CancelScope(shield=True):
            await anyio.aclose_forcefully(self._stream)

    @property
    def usable(self) -> bool:
        """True if no reply is awaited and nothing has arrived; a connection closed by the server is readable."""
        return self.machine.between and not is_readable(self._stream.extra(SocketAttribute.raw_socket).fileno())

    async def exchange(
        self, commands: Sequence[Words], patience: float, durability: Durability = "default"
    ) -> list[Any]:
        """Send commands and return a reply for each. `patience`: seconds in addition to the timeout.

        `durability`: that of the replies. If the connection has another one, it is changed by a command that goes ahead
        alone: if the server refuses it, that is the reply to each command, and none was sent.
        """
        if durability != self.durability:
            try:
                refused = (await self._exchange([durability_command(durability)], 0.0))[0]
            except ConnectionLost as error:
                raise NotConnected(f"the connection broke before the commands were sent: {error}") from error
            if isinstance(refused, Refused):
                return [refused] * len(commands)
            self.durability = durability
        return await self._exchange(commands, patience)

    async def _exchange(self, commands: Sequence[Words], patience: float) -> list[Any]:
        data = self.machine.call_all(commands)
        timeout = silence(self._timeout, patience)
        if len(data) <= AT_ONCE_BYTES:
            await self._send(data, timeout)
            return await self._replies(len(commands), timeout)
        return await self._write_and_read(data, len(commands), timeout)

    async def _replies(self, count: int, timeout: float | None) -> list[Any]:
        replies: list[Any] = []
        while len(replies) < count:
            event = self.machine.next_event()
            if type(event) is Reply:
                replies.append(event.value)
            elif event is NEED_DATA:
                await self._receive(timeout)
        return replies

    async def tell(self, commands: Sequence[Words]) -> None:
        """Send commands that pushes answer."""
        await self._send(b"".join(self.machine.send(*command) for command in commands), self._timeout)

    async def ask(self, command: Words) -> None:
        """Send a command that a reply answers, without waiting for the reply."""
        await self._send(self.machine.call(*command), self._timeout)

    async def hear(self, seconds: float | None) -> Event:
        """Return the next event, NEED_DATA if none comes for `seconds`."""
        while True:
            event = self.machine.next_event()
            if event is not NEED_DATA:
                return event
            try:
                await self._receive(seconds)
            except TimedOut:
                return NEED_DATA

    async def _send(self, data: bytes, timeout: float | None) -> None:
        try:
            with anyio.fail_after(timeout):
                await self._stream.send(data)
        except TimeoutError:
            raise TimedOut(f"the server has read nothing for {timeout} s") from None
        except BROKEN as error:
            raise ConnectionLost(str(error) or "the connection broke") from error

    async def _receive(self, timeout: float | None) -> None:
        try:
            with anyio.fail_after(timeout):
                data = await self._stream.receive(RECEIVE_BYTES)
        except TimeoutError:
            raise TimedOut(f"the server has sent nothing for {timeout} s") from None
        except anyio.EndOfStream:
            raise ConnectionLost("the server has closed the connection") from None
        except BROKEN as error:
            raise ConnectionLost(str(error) or "the connection broke") from error
        self.machine.receive_data(data)

    async def _write_and_read(self, data: bytes, count: int, timeout: float | None) -> list[Any]:
        """Send much data while reading replies: a server whose replies are not read stops reading."""
        failed: list[ConnectionLost] = []
        replies: list[Any] = []

        async def write() -> None:
            try:
                for at in range(0, len(data), AT_ONCE_BYTES):
                    await self._send(data[at : at + AT_ONCE_BYTES], timeout)
            except ConnectionLost as error:
                failed.append(error)
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(write)
            try:
                replies = await self._replies(count, timeout)
            except ConnectionLost as error:
                failed.append(error)
                group.cancel_scope.cancel()
        if failed:
            raise failed[0]
        return replies


async def connected(options: Options) -> Connection:
    """Return a connection after its handshake. Raises NotConnected or Refused."""
    where = authority(options.host, options.port)
    try:
        with anyio.fail_after(options.connect_timeout):
            stream = await anyio.connect_tcp(options.host, options.port)
    except TimeoutError:
        raise NotConnected(f"cannot connect to {where} within {options.connect_timeout} s") from None
    except OSError as error:
        raise NotConnected(f"cannot connect to {where}: {error.__cause__ or error}") from error
    connection = Connection(options, stream)
    try:
        greet(await connection.exchange(options.handshake(), 0.0), where)
    except ConnectionLost as error:
        await connection.close()
        raise NotConnected(f"{where} accepted the connection and closed it: {error}") from error
    except BaseException:
        await connection.close()
        raise
    return connection


class Pool:
    """A pool of idle connections, with permits for those in use."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.closed = False
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._permits = anyio.Semaphore(options.connections_max)

    async def take(self) -> Connection:
        """Return a usable connection, idle or new. Raises PoolExhausted, NotConnected or Closed."""
        self.check()
        try:
            with anyio.fail_after(self.options.pool_timeout):
                await self._permits.acquire()
        except TimeoutError:
            most = self.options.connections_max
            raise PoolExhausted(
                f"all {most} connections were in use for {self.options.pool_timeout} s (connections_max)"
            ) from None
        try:
            while self._idle:
                connection = self._idle.pop()
                if connection.usable:
                    return connection
                await self.forget(connection)
            return await self.made()
        except BaseException:
            self._permits.release()
            raise

    def check(self) -> None:
        """Raise Closed if the client was closed."""
        if self.closed:
            raise Closed("the client was closed")

    async def made(self) -> Connection:
        """Return a new connection, which the caller ends with `forget`. Raises NotConnected or Closed."""
        connection = await connected(self.options)
        self._all.add(connection)
        if self.closed:  # closed while the connection was made
            await self.forget(connection)
            raise Closed("the client was closed")
        return connection

    async def give(self, connection: Connection) -> None:
        """Take a connection back, and close it if a reply is missing or the client was closed."""
        try:
            if connection.machine.between and not self.closed:
                self._idle.append(connection)
            else:
                await self.forget(connection)
        finally:
            self._permits.release()

    async def break_off(self, connection: Connection) -> None:
        """Close a connection that failed, and release its permit."""
        try:
            await self.forget(connection)
        finally:
            self._permits.release()

    async def forget(self, connection: Connection) -> None:
        """Close a connection."""
        self._all.discard(connection)
        await connection.close()

    async def exchange(self, commands: Sequence[Words], patience: float, durability: Durability) -> list[Any]:
        """Send commands over any connection and return the replies, which have this durability."""
        connection = await self.take()
        try:
            replies = await connection.exchange(commands, patience, durability)
        except BaseException:
            await self.break_off(connection)
            raise
        await self.give(connection)
        return replies

    async def close(self) -> None:
        """Close all connections; calls that wait raise an error."""
        self.closed = True
        self._idle.clear()
        for connection in list(self._all):
            await self.forget(connection)


class TaskBox:
    """A box between the tasks of one event loop."""

    def __init__(self) -> None:
        self._things: deque[Any] = deque()
        self._filled = anyio.Event()

    def put(self, thing: Any) -> None:
        """Add a thing."""
        self._things.append(thing)
        self._filled.set()

    def drain(self, most: int) -> list[Any]:
        """Remove and return the first things, at most so many, without waiting."""
        return [self._things.popleft() for _ in range(min(most, len(self._things)))]

    async def take(self, seconds: float | None) -> Any:
        """Remove and return the first thing; None if there is none for `seconds`."""
        if self._things:
            await anyio.lowlevel.checkpoint()
        with anyio.move_on_after(seconds):
            while not self._things:
                if self._filled.is_set():
                    self._filled = anyio.Event()
                await self._filled.wait()
        return self._things.popleft() if self._things else None


class Runner:
    """Carries out flows. `pinned` is the connection of all exchanges, if given; `own` is the flow's own connection."""

    def __init__(self, pool: Pool, pinned: Connection | None = None, durability: Durability = "default") -> None:
        self._pool = pool
        self._durability: Durability = durability
        self._pinned = pinned
        self._own: Connection | None = None
        self.patience_s = pool.options.connect_timeout

    async def perform(self, effect: Effect) -> Any:
        """Carry out one effect and return its result."""
        match effect:
            case Exchange(commands, patience):
                if self._pinned is not None:
                    return await self._pinned.exchange(commands, patience, self._durability)
                return await self._pool.exchange(commands, patience, self._durability)
            case Pause(seconds):
                await anyio.sleep(seconds)
                self._pool.check()
            case Open():
                await self.close()
                self._pool.check()
                self._own = await self._pool.made()
                if self._durability != self._own.durability:
                    await self._own.exchange((), 0.0, self._durability)
                    if self._durability != self._own.durability:
                        raise ConnectionLost(f"the server has no durability {self._durability!r}")
            case Tell(commands):
                await self.own.tell(commands)
            case Ask(command):
                await self.own.ask(command)
            case Hear(seconds):
                return await self.own.hear(seconds)
            case Take(box, seconds):
                assert isinstance(box, TaskBox), "each kind of runner has its own boxes"
                return await box.take(seconds)
            case Run(function, arguments):
                found = function(*arguments)
                return await found if isawaitable(found) else found
            case Item():
                raise AssertionError("only an iterator gives items")
            case _:
                assert_never(effect)
        return None

    @staticmethod
    def box() -> TaskBox:
        """Return an empty box."""
        return TaskBox()

    @staticmethod
    def clock() -> float:
        """Return the seconds since some moment."""
        return anyio.current_time()

    @property
    def own(self) -> Connection:
        """The flow's own connection."""
        assert self._own is not None, "a flow opens its connection first"
        return self._own

    async def run(self, flow: Flow) -> Any:
        """Carry out all effects of a flow and return its result."""
        given, found = await self._go(flow, None)
        assert not given, f"a flow without a loop gave {found!r}"
        return found

    async def next(self, flow: Flow) -> Any:
        """Carry out effects up to the next item and return the item. Raises StopAsyncIteration after the last."""
        given, found = await self._go(flow, None)
        if not given:
            raise StopAsyncIteration
        return found

    async def _go(self, flow: Flow, error: BaseException | None) -> tuple[bool, Any]:
        """Return (True, the next item), or (False, the flow's result at its end), after throwing `error` if given."""
        try:
            effect = flow.send(None) if error is None else flow.throw(error)
            while type(effect) is not Item:
                try:
                    answer = await self.perform(effect)
                except Exception as failed:
                    effect = flow.throw(failed)
                else:
                    effect = flow.send(answer)
        except StopIteration as end:
            return False, end.value
        return True, effect.value

    async def leave(self, flow: Flow) -> None:
        """End a flow whose caller wants no more items, and close its connection."""
        try:
            await self._go(flow, NoMoreItems())
        except NoMoreItems:
            return
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the flow's own connection."""
        if self._own is not None:
            own, self._own = self._own, None
            await self._pool.forget(own)
