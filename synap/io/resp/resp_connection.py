"""RESP connections: commands in, replies out in order, large replies in pieces."""

import asyncio

from synap.engine import bound_members
from synap.engine.resp.encoding import encode
from synap.engine.resp.large_reply import LargeReply
from synap.engine.resp.machine import RECEIVE_SLICE, RespMachine
from synap.engine.resp.states import ENDED as RUN_ENDED
from synap.engine.resp.states import HELD as RUN_HELD
from synap.engine.resp.states import READY as RUN_READY
from synap.engine.resp.states import WAITING as RUN_WAITING
from synap.faults import Fault
from synap.io.connections.connection import HELD_WHILE_WAITING, Connection, place
from synap.io.connections.states import (
    BEHIND,
    CLOSING,
    GRANTED,
    HALF_CLOSED,
    LIFE,
    LOST,
    OPEN,
    OUTPUT,
    READY,
    SCHEDULED,
    TAKEN,
    WORK,
    LifeEvent,
    OutputEvent,
    WorkEvent,
)
from synap.journal import LogFailed

LARGE_REPLY_PIECE = 256 * 1024
GIVEN_UP = (RUN_HELD, RUN_WAITING, RUN_ENDED)
"""States whose commands do not run for a peer that has closed its sending side."""


class RespConnection(Connection, asyncio.BufferedProtocol):
    """The connection of a RESP client."""

    machine: RespMachine
    reads_once = False  # does the transport read each socket once before it turns to the next?
    peer = local = b""  # the addresses of both ends
    asks = "NULL"  # CLIENT LIST shows the row of the session
    pushed = 0  # bytes of messages since turn and machine last held no output of this connection
    made_seq = 0  # the seq when the machine made its last output

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.reads_once = getattr(transport, "reads_once", False)
        session = self.server.engine.sessions.add() if self.connections.may_stay(self) else None
        if session is None:
            if self.server.node is not None:
                self.server.engine.diagnostics.connections_rejected += 1
            self.transport.write(b"-ERR max number of clients reached\r\n")
            self.close_transport()
            self.lose()
            return
        self.server.engine.diagnostics.connections_received += 1
        session.begin(self.server.clock.now(), self)
        session.gone = self.gone
        self.peer = place(transport.get_extra_info("peername"))
        self.local = place(transport.get_extra_info("sockname"))
        self.machine = RespMachine(self.server.engine, session, self._wake, self.server.limits.query_bytes_max)

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
        if self.life is LOST or self.life is CLOSING:
            return True
        output, waiting = self.machine.output, self.transport.get_write_buffer_size()
        if not (self.queued or output):
            self.pushed = 0
        elif output or self.turn.waits_for_disk:  # the messages have not reached the transport
            waiting += self.pushed
        if waiting and waiting + len(data) > self.server.limits.feed_output_bytes_max:
            self.hang_up()
            return False
        self.pushed += len(data)
        if output:
            self.machine.replies.push(data)
            self._soon()
        else:
            self.turn.shared = True
            self.turn.send(self, data)
        return True

    def hang_up(self) -> None:
        """Close the connection at once, on behalf of another client or of a limit."""
        self.machine.give_up()
        self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if hasattr(self, "machine"):  # not if the connection was refused
            if self.owed is not None and any(piece is self.owed[1] for piece in self.machine.output):
                self.put_back(self.owed[0])  # else the turn has the reply
            if self.machine.session.bound and self.server.phase != "stopping":  # then the members may come back
                bound_members.leave(self.server.engine, self.machine.session, self.server.clock.now())
                self.turn.schedule()
            self.machine.close()

    def get_buffer(self, hint: int) -> memoryview:
        return self.machine.buffer()

    def buffer_updated(self, count: int) -> None:
        if count >= RECEIVE_SLICE and not self.reads_once:  # uvloop reads a socket up to 32 times in a row
            self._soon()
            self.look_at_reading()
        if self.output is not TAKEN:
            self.output = OUTPUT.after(self.output, OutputEvent.ARRIVE)
        try:
            data = self.machine.received(count, self.server.clock.now())
        except LogFailed:
            self.outcome_unknown()
            return
        self._made(data)

    @property
    def idle(self) -> bool:
        """True if no command runs or waits and all output is taken."""
        return self.work is READY and self.output is TAKEN and self.machine.state is RUN_READY

    # Called by the epoll rounds.

    @property
    def kernel_may_serve(self) -> bool:
        """True if the connection has no unfinished state, so that a kernel may serve it."""
        normal = self.life is OPEN and self.output is TAKEN and self.work is READY
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
            if self.output is GRANTED:
                self.output = OUTPUT.after(GRANTED, OutputEvent.RUN)

    @property
    def may_read(self) -> bool:
        """True if more input is wanted: not before a scheduled turn, unless each socket is read once in turn, and not
        if the peer has sent enough while one of its calls waits."""
        machine = self.machine
        if self.life is not OPEN or machine.closing or (self.work is SCHEDULED and not self.reads_once):
            return False
        return not self._full and (self.output is not BEHIND or self.connections.output_fits())

    @property
    def _full(self) -> bool:
        """True if the peer has sent enough while no command may run."""
        return self.machine.paused and self.machine.held_bytes > HELD_WHILE_WAITING

    def look_at_reading(self) -> None:
        if self.output is BEHIND and self.life is OPEN and self.machine.output and self._full:
            if self.connections.output_fits():  # the peer goes on writing before it reads a large reply
                self.output = OUTPUT.after(BEHIND, OutputEvent.ARRIVE)
                self._soon()
        super().look_at_reading()

    def _wake(self) -> None:
        """Go on in this turn, because a call of this connection stopped waiting while another one was served."""
        self.made_seq = self.server.engine.seq
        call, self.machine.session.owed = self.machine.session.owed, None
        output = self.machine.output
        if call is not None and output and isinstance(output[-1], bytes):
            self.owed = call, output[-1]
        self._soon()

    def _soon(self) -> None:
        """Schedule `_go_on` once, for later in this turn or for the next one."""
        if self.work is READY:
            self.work = WORK.after(READY, WorkEvent.SCHEDULE)
            self.server.loop.call_soon(self.guarded, self._at_its_turn)

    def _at_its_turn(self) -> None:
        self.work = WORK.after(self.work, WorkEvent.GO_ON)
        self._go_on()

    def _go_on(self) -> None:
        if self.output is GRANTED and not self.connections.output_fits():
            self.output = OUTPUT.after(GRANTED, OutputEvent.RUN)
        if self.life is LOST or self.life is CLOSING:
            return
        if self.output is BEHIND:  # `resume_writing` or the peer's next input leads here again
            self.look_at_reading()
            return
        machine = self.machine
        self._push()
        if self.output is not BEHIND and not machine.paused:
            try:
                machine.resume(self.server.clock.now())
            except LogFailed:
                self.outcome_unknown()
                return
            self.made_seq = self.server.engine.seq
            self._push()
            if self.life is HALF_CLOSED:
                self._end_when_done()
        elif self.life is HALF_CLOSED and machine.state in GIVEN_UP:
            self._end_when_done()

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
        if not output and self.output is GRANTED:
            self.output = OUTPUT.after(GRANTED, OutputEvent.RUN)
        if machine.more and not machine.closing and self.output is not BEHIND:
            self._soon()
        self.look_at_reading()
        if machine.closing and not output and self.life is not CLOSING:
            self.turn.send(self, b"")
            self.close_after_turn()

    def _push_mixed(self) -> None:
        output = self.machine.output
        while output and self.output is not BEHIND:
            if self.queued:  # earlier output is not at the socket yet: go on when it is
                self._soon()
                return
            first = output[0]
            if isinstance(first, LargeReply):
                piece = first.take(LARGE_REPLY_PIECE)
                if piece:
                    self.turn.send(self, piece)
                else:
                    output.pop(0)
                    self._soon()
            else:
                whole = []  # joined for one write: with one reply per turn, a pipeline would take a turn per reply
                for each in output:
                    if isinstance(each, LargeReply):
                        break
                    whole.append(each)
                data = b"".join(whole)
                if self.owed is not None and any(each is self.owed[1] for each in whole):
                    self.owed = self.owed[0], data
                self.turn.send(self, data)
                del output[: len(whole)]

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.life is not LOST:
            self._go_on()

    def eof_received(self) -> bool:
        """Answer what the peer has sent, then close, since the peer has closed its sending side."""
        if self.life is LOST:
            return False
        self.life = LIFE.after(self.life, LifeEvent.PEER_ENDS)
        if self.machine.state in GIVEN_UP:
            self.machine.give_up()
        self._soon()
        return True

    def _end_when_done(self) -> None:
        """Close, after all commands that can run have run, once no reply is left to send.

        A call that waits or is held by a pause is given up: a peer that is gone cannot be told from one that only
        stopped sending, and no element may be removed for a peer that is gone.
        """
        machine = self.machine
        if machine.state in GIVEN_UP:
            machine.give_up()
        if not (machine.output or machine.more or self.work is SCHEDULED):
            self.close_after_turn()

    def holds_beyond(self, seq: int) -> bool:
        return self.life is not LOST and bool(self.machine.output) and self.made_seq > seq

    def outcome_unknown(self) -> None:
        self.owed = None
        if self.life is LOST:
            return
        self.lose()
        output = self.machine.output
        if output and isinstance(output[0], LargeReply) and output[0].begun:
            self.transport.abort()  # the client would take the error text for a part of the value
        else:
            self.transport.write(encode(Fault("UNKNOWN_OUTCOME"), 2))
            self.close_transport()
