"""Flows for threads: sockets, a pool of connections, and the runner of a flow's effects.

A call takes a connection out of the pool, or makes one, and gives it back after its replies are read. Any failure in
between closes the connection, because a reply might still arrive. Before a connection is used again, it is checked: a
server that has closed it meanwhile is noticed, and nothing is sent.
"""

import os
import queue
import selectors
import socket
from collections.abc import Sequence
from threading import Event as Signal
from typing import Any, assert_never

from synap.client.clock import seconds
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


class Connection:
    """A socket and its protocol machine."""

    durability: Durability = "default"  # of the replies

    def __init__(self, options: Options) -> None:
        self.machine = ClientMachine(options.limits)
        self._timeout = options.timeout
        where = authority(options.host, options.port)
        try:
            self.socket = socket.create_connection((options.host, options.port), options.connect_timeout)
        except OSError as error:
            raise NotConnected(f"cannot connect to {where}: {error}") from error
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            replies = self.exchange(options.handshake(), 0.0)
            greet(replies, where)
        except ConnectionLost as error:
            self.close()
            raise NotConnected(f"{where} accepted the connection and closed it: {error}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def interrupt(self) -> None:
        """Shut the socket down, so that a thread that waits on it gets an error."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # the socket is closed already
            return

    @property
    def usable(self) -> bool:
        """True if no reply is awaited and nothing has arrived; a connection closed by the server is readable."""
        return self.machine.between and not is_readable(self.socket.fileno())

    def exchange(
        self, commands: Sequence[Words], patience: float, durability: Durability = "default"
    ) -> list[Any]:
        """Send commands and return a reply for each. `patience`: seconds in addition to the timeout.

        `durability`: that of the replies. If the connection has another one, it is changed by a command that goes ahead
        alone: if the server refuses it, that is the reply to each command, and none was sent.
        """
        if durability != self.durability:
            try:
                refused = self._exchange([durability_command(durability)], 0.0)[0]
            except ConnectionLost as error:
                raise NotConnected(f"the connection broke before the commands were sent: {error}") from error
            if isinstance(refused, Refused):
                return [refused] * len(commands)
            self.durability = durability
        return self._exchange(commands, patience)

    def _exchange(self, commands: Sequence[Words], patience: float) -> list[Any]:
        machine = self.machine
        data = machine.call_all(commands)
        timeout = silence(self._timeout, patience)
        self.socket.settimeout(timeout)
        if len(data) > AT_ONCE_BYTES:
            self._write_and_read(data, timeout)
        else:
            self._send(data)
        replies: list[Any] = []
        while len(replies) < len(commands):
            event = machine.next_event()
            if type(event) is Reply:
                replies.append(event.value)
            elif event is NEED_DATA:
                self._receive()
        return replies

    def tell(self, commands: Sequence[Words]) -> None:
        """Send commands that pushes answer."""
        self.socket.settimeout(self._timeout)
        self._send(b"".join(self.machine.send(*command) for command in commands))

    def ask(self, command: Words) -> None:
        """Send a command that a reply answers, without waiting for the reply."""
        self.socket.settimeout(self._timeout)
        self._send(self.machine.call(*command))

    def hear(self, seconds: float | None) -> Event:
        """Return the next event, NEED_DATA if none comes for `seconds`."""
        self.socket.settimeout(seconds)
        while True:
            event = self.machine.next_event()
            if event is not NEED_DATA:
                return event
            try:
                self._receive()
            except TimedOut:
                return NEED_DATA

    def _send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except TimeoutError:
            raise TimedOut(f"the server has read nothing for {self.socket.gettimeout()} s") from None
        except OSError as error:
            raise ConnectionLost(str(error)) from error

    def _receive(self) -> None:
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except TimeoutError:
            raise TimedOut(f"the server has sent nothing for {self.socket.gettimeout()} s") from None
        except OSError as error:
            raise ConnectionLost(str(error)) from error
        if not data:
            raise ConnectionLost("the server has closed the connection")
        self.machine.receive_data(data)

    def _write_and_read(self, data: bytes, timeout: float | None) -> None:
        """Send much data while reading replies: a server whose replies are not read stops reading."""
        rest = memoryview(data)
        self.socket.setblocking(False)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self.socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
                while rest:
                    ready = selector.select(timeout)
                    if not ready:
                        raise TimedOut(f"the server has read and sent nothing for {timeout} s")
                    if ready[0][1] & selectors.EVENT_READ:
                        self._receive()
                    if ready[0][1] & selectors.EVENT_WRITE:
                        rest = rest[self._send_some(rest) :]
        finally:
            self.socket.settimeout(timeout)

    def _send_some(self, data: memoryview) -> int:
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise ConnectionLost(str(error)) from error


class Pool:
    """A pool of idle connections, with permits for those in use.

    The permits are in a SimpleQueue, which the same thread may enter again: a consumer that is garbage-collected gives
    its message back in the middle of any call.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.closed = Signal()
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._permits: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(self.options.connections_max):
            self._permits.put(None)

    def take(self) -> Connection:
        """Return a usable connection, idle or new. Raises PoolExhausted, NotConnected or Closed."""
        if self._process != os.getpid():  # after a fork the connections belong to the parent
            self._begin()
        if self.closed.is_set():
            raise Closed("the client was closed")
        try:
            self._permits.get(timeout=self.options.pool_timeout)
        except queue.Empty:
            most = self.options.connections_max
            raise PoolExhausted(
                f"all {most} connections were in use for {self.options.pool_timeout} s (connections_max)"
            ) from None
        try:
            while self._idle:
                try:
                    connection = self._idle.pop()
                except IndexError:  # another thread was faster
                    break
                if connection.usable:
                    return connection
                self._drop(connection)
            return self.made()
        except BaseException:
            self._permits.put(None)
            raise

    def made(self) -> Connection:
        """Return a new connection, which the caller ends with `forget`. Raises NotConnected or Closed."""
        connection = Connection(self.options)
        self._all.add(connection)
        if self.closed.is_set():  # closed while the connection was made
            self._drop(connection)
            raise Closed("the client was closed")
        return connection

    def give(self, connection: Connection) -> None:
        """Take a connection back, and close it if a reply is missing or the client was closed."""
        if connection.machine.between and not self.closed.is_set():
            self._idle.append(connection)
        else:
            self._drop(connection)
        self._permits.put(None)

    def break_off(self, connection: Connection) -> None:
        """Close a connection that failed, and release its permit."""
        self._drop(connection)
        self._permits.put(None)

    def _drop(self, connection: Connection) -> None:
        self._all.discard(connection)
        connection.close()

    def forget(self, connection: Connection) -> None:
        """Close a connection."""
        self._drop(connection)

    def exchange(self, commands: Sequence[Words], patience: float, durability: Durability) -> list[Any]:
        """Send commands over any connection and return the replies, which have this durability."""
        connection = self.take()
        try:
            replies = connection.exchange(commands, patience, durability)
        except BaseException:
            self.break_off(connection)
            raise
        self.give(connection)
        return replies

    def close(self) -> None:
        """Close all connections; calls that wait raise an error."""
        self.closed.set()
        while self._idle:
            self._drop(self._idle.pop())
        for connection in list(self._all):
            connection.interrupt()


class ThreadBox:
    """A box between threads. SimpleQueue may be entered again, so a signal handler may `put`."""

    def __init__(self) -> None:
        self._things: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.put = self._things.put

    def drain(self, most: int) -> list[Any]:
        """Remove and return the first things, at most so many, without waiting."""
        found: list[Any] = []
        try:
            while len(found) < most:
                found.append(self._things.get_nowait())
        except queue.Empty:
            pass
        return found

    def take(self, seconds: float | None) -> Any:
        """Remove and return the first thing; None if there is none for `seconds`."""
        try:
            return self._things.get(timeout=seconds)
        except queue.Empty:
            return None


class Runner:
    """Carries out flows. `pinned` is the connection of all exchanges, if given; `own` is the flow's own connection."""

    def __init__(self, pool: Pool, pinned: Connection | None = None, durability: Durability = "default") -> None:
        self._pool = pool
        self._durability: Durability = durability
        self._pinned = pinned
        self._own: Connection | None = None

    def perform(self, effect: Effect) -> Any:
        """Carry out one effect and return its result."""
        match effect:
            case Exchange(commands, patience):
                if self._pinned is not None:
                    return self._pinned.exchange(commands, patience, self._durability)
                return self._pool.exchange(commands, patience, self._durability)
            case Pause(seconds):
                if self._pool.closed.wait(seconds):
                    raise Closed("the client was closed")
            case Open():
                self.close()
                if self._pool.closed.is_set():
                    raise Closed("the client was closed")
                self._own = self._pool.made()
                if self._durability != self._own.durability:
                    self._own.exchange((), 0.0, self._durability)
                    if self._durability != self._own.durability:
                        raise ConnectionLost(f"the server has no durability {self._durability!r}")
            case Tell(commands):
                self.own.tell(commands)
            case Ask(command):
                self.own.ask(command)
            case Hear(seconds):
                return self.own.hear(seconds)
            case Take(box, seconds):
                assert isinstance(box, ThreadBox), "each kind of runner has its own boxes"
                return box.take(seconds)
            case Run(function, arguments):
                return function(*arguments)
            case Item():
                raise AssertionError("only an iterator gives items")
            case _:
                assert_never(effect)
        return None

    @staticmethod
    def box() -> ThreadBox:
        """Return an empty box."""
        return ThreadBox()

    @staticmethod
    def clock() -> float:
        """Return the seconds since some moment."""
        return seconds()

    @property
    def own(self) -> Connection:
        """The flow's own connection."""
        assert self._own is not None, "a flow opens its connection first"
        return self._own

    def run(self, flow: Flow) -> Any:
        """Carry out all effects of a flow and return its result."""
        try:
            found = self.next(flow)
        except StopIteration as end:
            return end.value
        raise AssertionError(f"a flow without a loop gave {found!r}")

    def next(self, flow: Flow, error: BaseException | None = None) -> Any:
        """Carry out effects up to the next item and return the item. Raises StopIteration after the last."""
        effect = flow.send(None) if error is None else flow.throw(error)
        while type(effect) is not Item:
            try:
                answer = self.perform(effect)
            except Exception as failed:
                effect = flow.throw(failed)
            else:
                effect = flow.send(answer)
        return effect.value

    def leave(self, flow: Flow) -> None:
        """End a flow whose caller wants no more items, and close its connection."""
        try:
            self.next(flow, NoMoreItems())
        except (NoMoreItems, StopIteration):
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Close the flow's own connection."""
        if self._own is not None:
            own, self._own = self._own, None
            self._pool.forget(own)
