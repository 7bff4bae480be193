"""The base class of all connections, with limits on unsent output, and RESP connections.

A peer is *behind* when more than `output_pause_bytes` of output wait for it. Then none of its commands run, unless
more input arrives: some clients write a whole pipeline before they read, and if their input were not read, both sides
would wait for ever. So each arrival is *granted* one run, as long as the output of all peers that are behind stays
below `output_total_bytes_max`. A peer that takes no output for `output_stall_s` is disconnected.
"""

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, cast

from synap.engine.resp.encoding import encode
from synap.engine.resp.large_reply import LargeReply
from synap.engine.resp.machine import RECEIVE_SLICE, RespMachine
from synap.faults import Fault
from synap.hosts import authority
from synap.io.node.group_commit import GroupCommit
from synap.journal import LogFailed

if TYPE_CHECKING:
    from synap.io.server.server import Server

LARGE_REPLY_PIECE = 256 * 1024
HELD_WHILE_WAITING = 16 * 1024
"""Bytes of input taken from a peer whose call waits: without reading, its disconnection would not be noticed."""


class Transport(Protocol):
    """The part of asyncio's transports that connections use; RespTransport has it too."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...

    def is_closing(self) -> bool: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def is_reading(self) -> bool: ...

    def set_write_buffer_limits(self, high: int, low: int) -> None: ...

    def get_write_buffer_size(self) -> int: ...

    def get_extra_info(self, name: str) -> Any: ...


class Connection:
    """A connection's output: `transmit` in order, and the state of a peer that does not read."""

    transport: Transport  # from `connection_made` on
    address = ""  # the peer's
    reads_on = True  # may an arrival be granted a run while the peer is behind?
    granted = False

    def __init__(self, server: "Server") -> None:
        self.server = server
        self.turn: GroupCommit = server.turn
        self.behind_at: float | None = None  # when the peer fell behind, or last took some output since then
        self.queued = 0  # replies of this connection in the turn's queue
        self.going_on = False
        self.behind_bytes = 0
        self.ended = False  # the peer has closed its sending side, and may still read
        self.lost = False

    def transmit(self, data: bytes) -> None:
        """Write bytes to the transport, which keeps what the system does not take. The turn calls this."""
        self.queued -= 1
        if not self.lost:
            self.transport.write(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(Transport, transport)
        limit = self.server.output_pause_bytes
        self.transport.set_write_buffer_limits(high=limit, low=limit // 2)
        self.server.arrived(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self.server.behind.pop(self, None)
        self.server.left(self)

    @property
    def blocked(self) -> bool:
        """True if nothing may run until the peer has taken some output or sent more input."""
        return self.behind_at is not None and not self.granted

    def pause_writing(self) -> None:
        """Note that the peer is behind; the transport calls this when too much output waits."""
        self.note_behind()
        if not self.lost:
            self.look_at_reading()

    def note_behind(self) -> None:
        """Note that the peer is behind: from now on it must take some output within `output_stall_s`."""
        self.behind_at = self.server.loop.time()
        self.behind_bytes = self.transport.get_write_buffer_size()
        self.server.behind[self] = None

    def look_at_reading(self) -> None:
        """Read from a peer that is behind if the output limit for all such peers allows it, else pause reading."""
        if self.transport.is_closing():
            return
        if self.ended or not (self.reads_on and self.server.output_fits()):
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def resume_writing(self) -> None:
        """Go on after the peer has taken enough output; the transport calls this."""
        self.behind_at, self.granted = None, False
        self.server.behind.pop(self, None)
        if not self.lost and not self.ended:
            self.transport.resume_reading()

    def leave(self) -> None:
        """Close the connection because the server stops."""
        self.transport.close()

    def look_at(self, now: float) -> None:
        """Close the connection if the peer is silent for too long. Not here: a RESP client may be silent for ever."""

    def stalled(self, now: float, limit_s: float) -> bool:
        """Return whether the peer has taken no output for more than `limit_s` seconds. `now` is the loop's time."""
        if self.behind_at is None:
            return False
        left = self.transport.get_write_buffer_size()
        if left < self.behind_bytes:  # slow, but reading: a large reply may take as long as it needs
            self.behind_at, self.behind_bytes = now, left
        return now - self.behind_at > limit_s

    def outcome_unknown(self) -> None:
        """Tell the peer that the log failed under its reply, and close. Output that follows is dropped."""
        raise NotImplementedError

    def holds_beyond(self, seq: int) -> bool:
        """Return whether a reply is computed, but not yet queued, that may report changes after `seq`."""
        raise NotImplementedError


class RespConnection(Connection, asyncio.BufferedProtocol):
    """The connection of a RESP client."""

    machine: RespMachine
    yielded = False
    spilling = False  # a part of a large reply is queued or sent, and its last part may still be missing
    reads_once = False  # does the transport read each socket once before it turns to the next?
    peer = local = b""  # the addresses of both ends
    pushed = 0  # bytes of messages since turn and machine last held no output of this connection
    made_seq = 0  # the seq when the machine made its last output

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.reads_once = getattr(transport, "reads_once", False)
        session = self.server.engine.sessions.add() if self.server.may_stay(self) else None
        if session is None:
            if self.server.node is not None:
                self.server.engine.diagnostics.connections_rejected += 1
            self.transport.write(b"-ERR max number of clients reached\r\n")
            self.transport.close()
            self.lost = True
            return
        self.server.engine.diagnostics.connections_received += 1
        session.begin(self.server.clock.now(), self)
        self.peer = place(transport.get_extra_info("peername"))
        self.local = place(transport.get_extra_info("sockname"))
        self.machine = RespMachine(self.server.engine, session, self._wake, self.server.query_bytes_max)

    # Called by rows through the session.

    @property
    def descriptor(self) -> int:
        """The socket's file descriptor, -1 without a socket."""
        found = self.transport.get_extra_info("socket")
        return -1 if found is None else int(found.fileno())

    @property
    def held_bytes(self) -> int:
        """Bytes of unfinished input."""
        return self.machine.held_bytes

    @property
    def waiting_bytes(self) -> int:
        """Bytes of output that the peer has not taken."""
        return int(self.transport.get_write_buffer_size())

    @property
    def replies(self) -> int:
        """Number of replies that are not at the socket yet."""
        return self.queued + len(self.machine.output)

    def push(self, data: bytes) -> bool:
        """Queue messages to a subscriber, behind the replies computed so far.

        Return False after closing a connection whose waiting output would exceed `limits.feed_output_bytes_max`.
        """
        if self.lost:
            return True
        output, waiting = self.machine.output, self.transport.get_write_buffer_size()
        if not (self.queued or output):
            self.pushed = 0
        elif output or self.turn.waits_for_disk:  # the messages have not reached the transport
            waiting += self.pushed
        if waiting and waiting + len(data) > self.server.feed_output_bytes_max:
            self.hang_up()
            return False
        self.pushed += len(data)
        if output:
            output.append(data)
            self._soon()
        else:
            self.turn.shared = True
            self.turn.send(self, data)
        return True

    def hang_up(self) -> None:
        """Close the connection at once, on behalf of another client or of a limit."""
        self.machine.forget_input()
        self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        had_machine = not self.lost or hasattr(self, "machine")
        super().connection_lost(error)
        if had_machine and hasattr(self, "machine"):
            self.machine.close()

    def get_buffer(self, hint: int) -> memoryview:
        return self.machine.buffer()

    def buffer_updated(self, count: int) -> None:
        if count >= RECEIVE_SLICE and not self.reads_once:  # uvloop reads a socket up to 32 times in a row
            self.transport.pause_reading()
            self.yielded = True
            self.server.loop.call_soon(self._read_on)
        self.granted = self.behind_at is not None
        try:
            data = self.machine.received(count, self.server.clock.now())
        except LogFailed:
            self.outcome_unknown()
            return
        self._made(data)

    # Called by the epoll rounds.

    @property
    def kernel_may_serve(self) -> bool:
        """True if the connection has no unfinished state, so that a kernel may serve it."""
        normal = not (self.lost or self.ended or self.behind_at is not None or self.going_on)
        return normal and self.machine.kernel_may_serve

    def stopped(self, reason: int, made: bytes, end: int, now: int) -> None:
        """Go on in Python where the kernel stopped for `reason`, after the replies `made`."""
        try:
            self.machine.stopped(reason, made, end, now)
        except LogFailed:
            self.outcome_unknown()
            return
        self.made_seq = self.server.engine.seq
        self._push()

    def arrived(self, at: int, end: int, now: int) -> None:
        """Process input for this connection, which lies from `at` to `end` in the receive region."""
        try:
            data = self.machine.arrived(at, end, now)
        except LogFailed:
            self.outcome_unknown()
            return
        self._made(data)

    def _made(self, data: bytes | None) -> None:
        if data is None:
            self.made_seq = self.server.engine.seq
            self._push()
        elif data:
            self.turn.send(self, data)
            self.granted = False

    def _read_on(self) -> None:
        """Read again, after other sockets had their turn."""
        self.yielded = False
        if not self.lost:
            self._read_or_wait()

    def _read_or_wait(self) -> None:
        """Read, unless the peer takes no output or has sent enough input while one of its calls waits."""
        machine = self.machine
        if self.yielded or self.ended or self.lost or machine.closing:
            return
        full = machine.paused and machine.held_bytes > HELD_WHILE_WAITING
        if self.blocked:
            fits = self.server.output_fits()
            if full and fits and machine.output:  # the peer goes on writing before it reads a large reply
                self.granted = True
                self._soon()
            full = full or not fits
        if self.transport.is_reading() == full:
            if full:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def _wake(self) -> None:
        """Go on in this turn, because a call of this connection stopped waiting while another one was served."""
        self.made_seq = self.server.engine.seq
        self._soon()

    def _soon(self) -> None:
        """Schedule `_go_on` once, for later in this turn or for the next one."""
        if not self.going_on:
            self.going_on = True
            self.server.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self.going_on = False
        if self.granted and not self.server.output_fits():
            self.granted = False
        if self.lost or self.blocked:  # `resume_writing` or the peer's next input leads here again
            return
        self._push()
        if not self.blocked and not self.machine.paused:
            try:
                self.machine.resume(self.server.clock.now())
            except LogFailed:
                self.outcome_unknown()
                return
            self.made_seq = self.server.engine.seq
            self._push()

    def _push(self) -> None:
        """Queue the machine's output; a large reply is queued in pieces, as the peer takes them."""
        machine = self.machine
        output = machine.output
        if output:
            if len(output) == 1 and type(output[0]) is bytes:
                self.turn.send(self, output[0])
                output.clear()
            else:
                self._push_mixed()
        elif self.server.engine.numbers[self.server.log_count]:
            self.turn.schedule()
        if not output:
            self.granted = False
        if machine.more and not machine.closing and not self.blocked:
            self._soon()
        self._read_or_wait()
        if machine.closing and not output:
            self.turn.send(self, b"")
            self.server.loop.call_soon(self.server.close_after_turn, self)
        elif self.ended:
            self._end_when_done()

    def _push_mixed(self) -> None:
        output = self.machine.output
        while output and not self.blocked:
            if self.queued:  # earlier output is not at the socket yet: go on when it is
                self._soon()
                return
            first = output[0]
            if isinstance(first, LargeReply):
                piece = first.take(LARGE_REPLY_PIECE)
                if piece:
                    self.spilling = True
                    self.turn.send(self, piece)
                else:
                    self.spilling = False
                    output.pop(0)
                    self._soon()
            else:
                whole = []  # joined for one write: with one reply per turn, a pipeline would take a turn per reply
                for each in output:
                    if isinstance(each, LargeReply):
                        break
                    whole.append(each)
                self.turn.send(self, b"".join(whole))
                del output[: len(whole)]

    def look_at_reading(self) -> None:
        self._read_or_wait()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.lost:
            self._go_on()

    def eof_received(self) -> bool:
        """Answer what the peer has sent, then close, since the peer has closed its sending side."""
        if self.lost:
            return False
        self.ended = True
        if not self.machine.closing:
            self._end_when_done()
        return True

    def _end_when_done(self) -> None:
        """Close once no reply is left to send. Cancel a call that waits: a peer that is gone cannot be told from one
        that only stopped sending, and no element may be removed for a peer that is gone."""
        machine = self.machine
        parked = machine.session.parked
        if parked is not None:
            self.server.engine.stop_waiting(machine.session)
            machine.forget_input()
        if not (machine.output or machine.more or self.going_on):
            self.server.close_after_turn(self)

    def holds_beyond(self, seq: int) -> bool:
        return not self.lost and bool(self.machine.output) and self.made_seq > seq

    def outcome_unknown(self) -> None:
        if self.lost:
            return
        self.lost = True
        if self.spilling:  # the client would take the error text for a part of the value
            self.transport.abort()
        else:
            self.transport.write(encode(Fault("UNKNOWN_OUTCOME"), 2))
            self.transport.close()


def place(name: Any) -> bytes:
    """Return a socket's address as text, empty if it has none."""
    if not isinstance(name, tuple) or len(name) < 2:
        return b""
    return authority(name[0], name[1]).encode()
