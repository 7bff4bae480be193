"""RESP connections: commands in, replies out in order, large replies in pieces."""

import asyncio

from synap.engine.resp.encoding import encode
from synap.engine.resp.large_reply import LargeReply
from synap.engine.resp.machine import RECEIVE_SLICE, RespMachine
from synap.faults import Fault
from synap.io.connections.connection import HELD_WHILE_WAITING, Connection, place
from synap.journal import LogFailed

LARGE_REPLY_PIECE = 256 * 1024


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
