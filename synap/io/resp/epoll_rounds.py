"""RESP sockets on Linux: an epoll set that the loop watches, and one kernel call for all sockets that are ready.

`store/lane/epoll_batch` describes a round. This module has the epoll set, the board that kernel and Python share, and
the listeners. On other systems RESP connections use asyncio's own transports.
"""

import asyncio
import errno
import logging
import select
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from synap.faults import BrokenNode
from synap.io.connections.states import LOST
from synap.io.node.group_commit import GroupCommit
from synap.io.resp.resp_transport import RespTransport
from synap.store.lane import epoll_batch, syscalls
from synap.store.lane.epoll_batch import (
    ALL,
    ANSWERS,
    ARRIVALS,
    BEFORE,
    COUNT,
    EVENT,
    FOR_PYTHON,
    FOUND,
    NEXT,
    NO_OUT_SPACE,
    PYTHON_COUNT,
    REPLIES,
    SENT,
    TOOK,
)
from synap.store.memory import layout

if TYPE_CHECKING:
    from synap.io.connections.connection import Connection
    from synap.io.resp.resp_connection import RespConnection
    from synap.io.server.server import Server

log = logging.getLogger("synap")

NEVER_NS = 1 << 62
ACCEPTED_MAX = 64  # connections accepted per event of a listening socket
FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
FULL_PAUSE_S = 1.0


class Rounds:
    """The epoll rounds for all RESP sockets of a server."""

    def __init__(self, server: "Server") -> None:
        self._loop: asyncio.AbstractEventLoop = server.loop
        self._clock, self._engine = server.clock, server.engine
        self._turn: GroupCommit = server.turn
        self._epoll = select.epoll()
        self._board = np.zeros(epoll_batch.BOARD_SIZE, np.int64)
        self._view = self._board.data
        self._table = np.zeros(2 * 1024, np.int64)
        self._events = np.zeros(epoll_batch.ROUND * syscalls.EVENT_BYTES, np.uint8)
        self._sockets_of = np.zeros(128, np.int64)
        self._transports: dict[int, RespTransport] = {}
        self.diagnostics = self._engine.diagnostics
        self.soon = self._loop.call_soon
        self._turn.rounds = self
        self._loop.add_reader(self._epoll.fileno(), self._ready)

    # Sockets.

    def join(self, transport: RespTransport) -> None:
        """Add a socket, without events yet."""
        place = 2 * transport.descriptor
        while place >= len(self._table):
            self._table = np.concatenate((self._table, np.zeros_like(self._table)))
        self._transports[transport.descriptor] = transport
        self._table[place : place + 2] = 0
        self._epoll.register(transport.descriptor, 0)

    def leave(self, transport: RespTransport) -> None:
        """Remove a socket that is about to be closed."""
        del self._transports[transport.descriptor]
        self._table[2 * transport.descriptor : 2 * transport.descriptor + 2] = 0
        self._epoll.unregister(transport.descriptor)

    def ask(self, descriptor: int, mask: int) -> None:
        """Set the events that the epoll set reports for a socket."""
        self._epoll.modify(descriptor, mask)

    def mark(self, descriptor: int, plain: bool) -> None:
        """Set whether the kernel may serve this socket."""
        place = 2 * descriptor
        if plain:
            self._table[place] = self._transports[descriptor].connection.machine.session.at
        self._table[place + 1] = plain

    # A round.

    def _ready(self) -> None:
        engine, view, diagnostics = self._engine, self._view, self._engine.diagnostics
        now = self._clock.now()
        slow_ns = diagnostics.slow_ns if diagnostics.slow_ns >= 0 else NEVER_NS
        engine.numbers[layout.LANE_OUT] = layout.OUT_AT
        epoll = self._epoll.fileno()
        while True:
            reason = epoll_batch.serve(engine.words, engine.octets, self._board, self._table, self._events, epoll,
                                  not diagnostics.slow_path_needed, now, slow_ns)  # fmt: skip
            if reason != ALL:
                self._stopped(reason, now, slow_ns)
                if not diagnostics.slow_path_needed:
                    epoll = epoll_batch.REST
                    continue
                self._rest_by_hand(now)  # a command has paused the other clients, or turned its replies off
            if view[PYTHON_COUNT]:
                self.take()
                self._serve_in_python()
            if view[EVENT] >= view[FOUND]:
                break
            epoll = epoll_batch.NEXT_RUN
        self._turn.end()

    def _stopped(self, reason: int, now: int, slow_ns: int) -> None:
        """Handle the reason for which the kernel stopped, at the arrival served last."""
        view, numbers = self._view, self._engine.numbers
        if reason == NO_OUT_SPACE:
            self.take()
            return
        place = ARRIVALS + 3 * (view[NEXT] - 1)
        transport = self._transports[view[place]]
        connection = transport.connection
        if view[TOOK] >= slow_ns:
            connection.machine.note_slow(view[place + 1], numbers[layout.LANE_AT], view[TOOK], now)
        if reason == epoll_batch.SLOW:
            return
        made = bytes(self._engine.bytes[view[BEFORE] : numbers[layout.LANE_OUT]])
        self.take()
        self._guarded(transport, connection.stopped, reason, made, view[place + 2], now)

    def _rest_by_hand(self, now: int) -> None:
        """Serve the arrivals that are left in Python, one connection at a time."""
        self.take()
        view = self._view
        for i in range(view[NEXT], view[COUNT]):
            place = ARRIVALS + 3 * i
            transport = self._transports.get(view[place])
            if transport is not None:
                self._guarded(transport, transport.connection.arrived, view[place + 1], view[place + 2], now)
        view[NEXT] = view[COUNT]

    def _serve_in_python(self) -> None:
        view = self._view
        for place in range(FOR_PYTHON, FOR_PYTHON + 3 * view[PYTHON_COUNT], 3):
            transport = self._transports.get(view[place])
            if transport is not None:
                self._guarded(transport, transport.happened, view[place + 1], view[place + 2])
        view[PYTHON_COUNT] = 0

    def _guarded(self, transport: RespTransport, work: Callable[..., None], *args: Any) -> None:
        """Call `work`; an exception closes this connection only, after it was reported to the loop's handler."""
        try:
            work(*args)
        except Exception as error:
            self._loop.call_exception_handler({"message": "a RESP connection failed", "exception": error})
            transport.abort()
            if isinstance(error, BrokenNode):
                return
        if transport.descriptor in self._transports:
            transport.settle()

    def unanswered(self) -> set[int]:
        """Return the sockets of this round with replies that are not sent."""
        return {self._view[place] for place in range(ANSWERS, ANSWERS + 3 * self._view[REPLIES], 3)}

    def arrivals(self) -> dict[int, bytes]:
        """Return what was read from the sockets of this round that are still to be served."""
        view, data = self._view, self._engine.bytes
        places = range(ARRIVALS + 3 * view[NEXT], ARRIVALS + 3 * view[COUNT], 3)
        return {view[place]: bytes(data[view[place + 1] : view[place + 2]]) for place in places}

    def leave_out(self, descriptor: int, size: int) -> None:
        """Do not serve the first bytes that have arrived from a socket in this round: somebody has answered them."""
        view = self._view
        for place in range(ARRIVALS + 3 * view[NEXT], ARRIVALS + 3 * view[COUNT], 3):
            if view[place] == descriptor:
                view[place + 1] += size

    # Replies.

    def take(self) -> None:
        """Hand the replies of this round to the turn as bytes, because they must wait or the out region is needed."""
        view, data = self._view, self._engine.bytes
        for place in range(ANSWERS, ANSWERS + 3 * view[REPLIES], 3):
            transport = self._transports.get(view[place])
            if transport is not None:
                self._turn.hold(transport.connection, bytes(data[view[place + 1] : view[place + 2]]))
        view[REPLIES] = 0
        self._engine.numbers[layout.LANE_OUT] = layout.OUT_AT

    def take_some(self, waits: "Callable[[Connection], bool]") -> None:
        """Hand those replies of this round to the turn as bytes whose connection `waits`; the others stay."""
        view, data = self._view, self._engine.bytes
        kept = ANSWERS
        for place in range(ANSWERS, ANSWERS + 3 * view[REPLIES], 3):
            transport = self._transports.get(view[place])
            if transport is None:
                continue
            if waits(transport.connection):
                self._turn.hold(transport.connection, bytes(data[view[place + 1] : view[place + 2]]))
            else:
                view[kept : kept + 3] = view[place : place + 3]
                kept += 3
        view[REPLIES] = (kept - ANSWERS) // 3

    def deliver(self) -> None:
        """Send the replies of this round by one kernel call; the transport keeps what a socket does not take."""
        view, engine = self._view, self._engine
        count = view[REPLIES]
        if not count:
            return
        first = epoll_batch.deliver(engine.octets, self._board, 0)
        while first < count:
            place = ANSWERS + 3 * first
            transport = self._transports[view[place]]
            transport.unsent(bytes(engine.bytes[view[place + 1] : view[place + 2]]), view[SENT])
            first = epoll_batch.deliver(engine.octets, self._board, first + 1)
        view[REPLIES] = 0

    def fan_out(self, connections: "list[Connection]", data: bytes) -> None:
        """Send the same bytes to many connections. The out region must be free: its replies taken or sent."""
        size, engine = len(data), self._engine
        if size > layout.OUT_BYTES:
            for connection in connections:
                connection.transmit(data)
            return
        if len(connections) > len(self._sockets_of):
            self._sockets_of = np.zeros(2 * len(connections), np.int64)
        told = self._sockets_of.data
        idle: list[tuple[Connection, RespTransport]] = []
        for connection in connections:
            transport = connection.transport
            if isinstance(transport, RespTransport) and transport.idle and connection.life is not LOST:
                told[len(idle)] = transport.descriptor
                idle.append((connection, transport))
            else:
                connection.transmit(data)
        engine.bytes[layout.OUT_AT : layout.OUT_AT + size] = data
        epoll_batch.fan_out(engine.octets, layout.OUT_AT, size, self._sockets_of, len(idle))
        for i, (connection, transport) in enumerate(idle):
            connection.queued -= 1
            if told[i] != size:
                transport.unsent(data, told[i])

    # Listeners.

    def listen(self, sockets: Iterable[socket.socket], made: Callable[[], "RespConnection"]) -> "Listener":
        """Accept connections at these listening sockets; `made` returns the protocol of each."""
        return Listener(self, self._loop, sockets, made)


class Listener:
    """Listening sockets; an accepted connection gets a transport and a protocol."""

    def __init__(
        self, owner: Rounds, loop: asyncio.AbstractEventLoop, opened: Iterable[socket.socket],
        made: Callable[[], "RespConnection"],
    ) -> None:  # fmt: skip
        self.sockets = list(opened)
        self._owner, self._loop, self._made = owner, loop, made
        self._diagnostics = owner.diagnostics
        self._closed = False
        for one in self.sockets:
            self._listen(one)

    def close(self) -> None:
        """Close the listening sockets."""
        self._closed = True
        for one in self.sockets:
            self._loop.remove_reader(one.fileno())
            one.close()

    def _listen(self, one: socket.socket) -> None:
        if not self._closed:
            self._loop.add_reader(one.fileno(), self._accept, one)

    def _accept(self, one: socket.socket) -> None:
        for _ in range(ACCEPTED_MAX):
            try:
                sock, _address = one.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                if error.errno not in FULL:
                    raise
                log.error("RESP: cannot accept connections, trying again in a second: %s", error)
                self._loop.remove_reader(one.fileno())
                self._loop.call_later(FULL_PAUSE_S, self._listen, one)
                return
            self.take_over(sock)

    def take_over(self, sock: socket.socket) -> "RespConnection":
        """Serve a connection that has been accepted; return it."""
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if keep_alive_s := self._diagnostics.keep_alive_s:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, keep_alive_s)
        connection = self._made()
        RespTransport(self._owner, sock, connection).begin()
        return connection
