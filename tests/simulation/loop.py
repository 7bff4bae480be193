"""An event loop and sockets in a simulated world: asyncio's own loop over a selector that lets time pass.

    SimulatedLoop(world)     what the server runs on: its listeners, transports, threads and descriptors
      .connect(port, peer)   a client's end of a new connection

What a client sends comes in pieces of any size after some delay, and waits in the socket until the loop is
told that it is readable; several sockets are told of in an order by chance. What the server writes reaches
the client after some delay, or waits in the transport while the client does not read.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.simulation.disk import PowerLoss
from tests.simulation.world import US, Fiber, World

RECEIVE_BYTES = 256 * 1024
SOCKET_BYTES = 16 * 1024  # the system's buffer: what a client that does not read leaves in the transport is more
LATENCY_NS = (5 * US, 400 * US)


class Listener:
    """What `create_server` answers."""

    def __init__(self, loop: "SimulatedLoop", port: int) -> None:
        self._loop, self._port = loop, port
        self.sockets = [self]

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", self._port

    def close(self) -> None:
        self._loop.listeners.pop(self._port, None)


class Peer:
    """A client's end: `send`, `reset`, and three things that happen to it."""

    def __init__(self, loop: "SimulatedLoop", transport: "SimulatedTransport", name: str) -> None:
        self.name = name
        self.open = True
        self.reading = True
        self.on_data: Callable[[bytes], None] = lambda data: None
        self.on_end: Callable[[], None] = lambda: None
        self._loop, self._world, self._transport = loop, loop.world, transport
        self._sent_until = self._got_until = 0

    def _later(self, until: int, work: Callable[[], None]) -> int:
        """In order behind what is under way; when it will be there."""
        world = self._world
        until = max(until, world.now + world.chance.randrange(*LATENCY_NS))
        world.at(until - world.now, work)
        return until

    def send(self, data: bytes) -> None:
        """Send bytes; they arrive in pieces."""
        chance, at = self._world.chance, 0
        self._world.note("send", self.name, data)
        while at < len(data):
            size = len(data) if chance.random() < 0.7 else chance.randint(1, len(data))
            piece = data[at : at + size]
            self._sent_until = self._later(self._sent_until, partial(self._transport.arrive, piece))
            at += size

    def finish(self) -> None:
        """Say that nothing more comes."""
        self._world.note("finish", self.name)
        self._sent_until = self._later(self._sent_until, self._transport.arrive_end)

    def reset(self) -> None:
        """Be gone without a word."""
        if self.open:
            self._world.note("reset", self.name)
            self.open = False
            self._later(self._sent_until, lambda: self._transport.break_off(ConnectionResetError()))

    def read_on(self) -> None:
        """Read again, after `reading` was switched off."""
        self.reading = True
        self._later(0, self._transport.drain)

    def deliver(self, data: bytes) -> None:
        """The server has written this."""

        def get() -> None:
            if self.open:
                self._world.note("get", self.name, data)
                self.on_data(data)

        self._got_until = self._later(self._got_until, get)

    def deliver_end(self) -> None:
        """The server has hung up."""

        def end() -> None:
            if self.open:
                self._world.note("end", self.name)
                self.open = False
                self.on_end()

        self._got_until = self._later(self._got_until, end)


class SimulatedTransport(asyncio.Transport):
    """The server's end of a connection."""

    def __init__(self, loop: "SimulatedLoop", protocol: Any, name: str, port: int) -> None:
        host, _, number = name.partition(":")
        super().__init__({"peername": (host, int(number)), "sockname": ("127.0.0.1", port)})
        self.peer = Peer(loop, self, name)
        self._loop, self._protocol = loop, protocol
        self._arrived = bytearray()
        self._ended = self._told_end = self._closing = self._lost = self._paused = self._full = False
        self._out = bytearray()
        self._high, self._low = 65536, 16384

    # What the world does to it.

    def arrive(self, data: bytes) -> None:
        self._arrived += data

    def arrive_end(self) -> None:
        self._ended = True

    def break_off(self, error: Exception | None) -> None:
        """The connection is gone."""
        if not self._lost:
            self._lost = self._closing = True
            self._out.clear()
            self._loop.sockets.pop(self, None)
            self._loop.call_soon(self._protocol.connection_lost, error)

    def drain(self) -> None:
        """The client reads again."""
        if self._out and not self._lost:
            self.peer.deliver(bytes(self._out))
            self._out.clear()
        if self._full:
            self._full = False
            self._loop.call_soon(self._resume)
        self._end_if_closing()

    def _resume(self) -> None:
        if not self._lost:
            self._protocol.resume_writing()

    @property
    def readable(self) -> bool:
        """Would the loop be told?"""
        return not (self._paused or self._closing) and (bool(self._arrived) or (self._ended and not self._told_end))

    def read(self) -> None:
        """The loop reads."""
        if not self.readable:
            return
        if not self._arrived:
            self._told_end = True
            if not self._protocol.eof_received():
                self.close()
            return
        if isinstance(self._protocol, asyncio.BufferedProtocol):
            room = self._protocol.get_buffer(-1)
            size = min(len(room), len(self._arrived))
            room[:size] = self._arrived[:size]
            del self._arrived[:size]
            self._protocol.buffer_updated(size)
        else:
            data = bytes(self._arrived[:RECEIVE_BYTES])
            del self._arrived[: len(data)]
            self._protocol.data_received(data)

    # What the server does with it.

    def write(self, data: Any) -> None:
        if self._lost or self._loop.world.dead or not data:
            return
        if self.peer.reading and not self._out:
            self.peer.deliver(bytes(data))
            return
        self._out += data
        if len(self._out) > self._high + SOCKET_BYTES and not self._full:
            self._full = True
            self._protocol.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high, self._low = high or 65536, low or 16384

    def get_write_buffer_size(self) -> int:
        return max(0, len(self._out) - SOCKET_BYTES)

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False

    def is_reading(self) -> bool:
        return not (self._paused or self._closing)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._end_if_closing()

    def _end_if_closing(self) -> None:
        if self._closing and not self._lost and not self._out:
            self.peer.deliver_end()
            self.break_off(None)

    def abort(self) -> None:
        if not self._lost:
            self.peer.deliver_end()
            self.break_off(None)


class SimulatedLoop(asyncio.BaseEventLoop):
    """See the file."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.listeners: dict[int, Callable[[], Any]] = {}
        self.sockets: dict[SimulatedTransport, None] = {}
        self.errors: list[dict[str, Any]] = []
        self._readers: dict[int, asyncio.Handle] = {}
        self._heard: set[int] = set()
        self._selector = self
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self.world.now / 1e9

    def select(self, timeout: float | None) -> list[Callable[[], None]]:
        """Let time pass until something is to be done, and say what."""
        world = self.world
        if world.dead:
            raise PowerLoss
        world.now += world.chance.randrange(1 * US, 20 * US)
        if world.stall:
            stall, world.stall = world.stall, 0
            world.advance(world.now + stall)
        world.advance(world.now)
        if timeout is None or timeout > 0:
            until = world.now + (1 << 62 if timeout is None else int(timeout * 1e9) + 1)
            if timeout is None:
                assert world.next_due is not None, "nothing will ever happen again"
            world.advance(until, self._something)
        found: list[Callable[[], None]] = [one.read for one in self.sockets if one.readable]
        found += [self._readers[number]._run for number in sorted(self._heard) if number in self._readers]
        world.chance.shuffle(found)
        return found

    def _something(self) -> bool:
        return bool(self._ready or self._heard) or any(one.readable for one in self.sockets)

    def _process_events(self, events: list[Callable[[], None]]) -> None:
        for event in events:
            self.call_soon(event)

    def _write_to_self(self) -> None:
        return

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), PowerLoss):
            self.world.dead = True
        if self.world.dead:
            return
        self.errors.append(context)
        super().call_exception_handler(context)

    async def create_server(self, factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:  # type: ignore[override]
        number = port or 50_000 + len(self.listeners)
        self.listeners[number] = factory
        return Listener(self, number)

    def connect(self, port: int, name: str) -> Peer | None:
        """Connect to a listener; nothing if there is none."""
        if port not in self.listeners:
            return None
        protocol = self.listeners[port]()
        transport = SimulatedTransport(self, protocol, name, port)
        self.sockets[transport] = None
        self.world.note("connect", name, port)
        self.call_soon(protocol.connection_made, transport)
        return transport.peer

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        self._readers[fd] = asyncio.Handle(callback, args, self)

    def remove_reader(self, fd: Any) -> bool:
        self._heard.discard(fd)
        return self._readers.pop(fd, None) is not None

    def hear(self, fd: int) -> None:
        """A descriptor has become readable."""
        self._heard.add(fd)

    def run_in_executor(self, executor: Any, work: Any, *args: Any) -> Any:  # type: ignore[override]
        """Run `work` in a fiber."""
        future = self.create_future()

        def tell(result: Any, error: BaseException | None) -> None:
            if not future.done():
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)

        def run() -> None:
            try:
                result, error = work(*args), None
            except Exception as failed:
                result, error = None, failed
            self.call_soon(tell, result, error)

        self.world.spawn(run)
        return future


__all__ = ["Fiber", "Peer", "SimulatedLoop"]
