"""What all connections share: output that drains, limits on what is held, and their end.

A peer is *behind* when more than `output_pause_bytes` wait for it. Nothing runs for it then, unless more comes
from it: there are clients that write all of a pipeline before they read, and they must be read on, or both sides
wait for ever. So each arrival is *granted* one run, as long as what waits for all who are behind stays below
`output_total_bytes_max`. A peer that takes nothing for `output_stall_s` is hung up on.
"""

import asyncio
from typing import Any

from synap.faults import Fault
from synap.hosts import authority
from synap.io.node.group_commit import Turn
from synap.journal import LogFailed
from synap.proto.large_reply import Spill
from synap.proto.resp import RECEIVE_SLICE, RespMachine
from synap.proto.values import encode

SPILL_PIECE = 256 * 1024
HELD_WHILE_WAITING = 16 * 1024
"""Input taken from a peer whose call waits: without reading on, nobody would notice that it has gone."""


class Connection:
    """The output side of a connection: `send` in order, pause when the peer does not read."""

    transport: Any = None
    address = ""  # of the peer
    reads_on = True  # may its arrivals be granted a run while it is behind?
    granted = False

    def __init__(self, server: Any) -> None:
        self.server = server
        self.turn: Turn = server.turn
        self.behind_at: float | None = None  # since when the peer is behind, or has last taken something since
        self.queued = 0  # replies that the turn holds
        self.going_on = False
        self.behind_bytes = 0
        self.ended = False  # the peer sends no more, and may still listen
        self.lost = False

    def transmit(self, data: bytes) -> None:
        """Hand bytes to the system (or let them wait there); the turn calls this."""
        self.queued -= 1
        if not self.lost:
            self.transport.write(data)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        limit = self.server.output_pause_bytes
        transport.set_write_buffer_limits(high=limit, low=limit // 2)
        self.server.arrived(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self.server.behind.pop(self, None)
        self.server.left(self)

    @property
    def blocked(self) -> bool:
        """Must nothing run until the peer has taken something, or has sent more?"""
        return self.behind_at is not None and not self.granted

    def pause_writing(self) -> None:
        """The peer takes its output too slowly."""
        self.note_behind()
        if not self.lost:
            self.look_at_reading()

    def note_behind(self) -> None:
        """From now on the peer has to take something of what waits for it now and then."""
        self.behind_at = self.server.loop.time()
        self.behind_bytes = self.transport.get_write_buffer_size()
        self.server.behind[self] = None

    def look_at_reading(self) -> None:
        """Read on from a peer that is behind, if the memory for all of them allows it."""
        if self.transport.is_closing():
            return
        if self.ended or not (self.reads_on and self.server.output_fits()):
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def resume_writing(self) -> None:
        """It has caught up."""
        self.behind_at, self.granted = None, False
        self.server.behind.pop(self, None)
        if not self.lost and not self.ended:
            self.transport.resume_reading()

    def leave(self) -> None:
        """The server stops: hang up."""
        self.transport.close()

    def look_at(self, now: float) -> None:
        """End this connection if its peer lets it wait for too long; a RESP client may stay silent for ever."""

    def stalled(self, now: float, limit_s: float) -> bool:
        """Has the peer taken nothing of what waits for it for so long?"""
        if self.behind_at is None:
            return False
        left = self.transport.get_write_buffer_size()
        if left < self.behind_bytes:  # slow, but it reads: one large reply may take its time
            self.behind_at, self.behind_bytes = now, left
        return now - self.behind_at > limit_s

    def outcome_unknown(self) -> None:
        """A reply to this peer was lost with the log: say so and hang up. What comes after it is dropped."""
        raise NotImplementedError

    def holds_beyond(self, seq: int) -> bool:
        """Is a reply made, but not yet with the turn, that may speak of changes after `seq`?"""
        raise NotImplementedError


class RespConnection(Connection, asyncio.BufferedProtocol):
    """A RESP client."""

    machine: RespMachine
    yielded = False
    spilling = False  # a piece of a spill is with the turn or has left, its last one is not known to have
    reads_once = False  # does its transport read a socket once before it turns to the others?
    peer = local = b""  # the addresses of both ends
    pushed = 0  # bytes of messages since nothing was with the turn or waited for a reply
    made_seq = 0  # the seq when the machine made its last output

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.reads_once = getattr(transport, "reads_once", False)
        session = self.server.engine.sessions.add() if self.server.room_for(self) else None
        if session is None:
            if self.server.engine is not None:
                self.server.engine.operation.connections_rejected += 1
            transport.write(b"-ERR max number of clients reached\r\n")
            transport.close()
            self.lost = True
            return
        self.server.engine.operation.connections_received += 1
        session.begin(self.server.clock.now(), self)
        self.peer = place(transport.get_extra_info("peername"))
        self.local = place(transport.get_extra_info("sockname"))
        self.machine = RespMachine(self.server.engine, session, self._wake, self.server.query_bytes_max)

    # What rows ask of a session's link.

    @property
    def descriptor(self) -> int:
        """The number of its socket."""
        found = self.transport.get_extra_info("socket")
        return -1 if found is None else int(found.fileno())

    @property
    def held_bytes(self) -> int:
        """Bytes of unfinished input."""
        return self.machine.held_bytes

    @property
    def waiting_bytes(self) -> int:
        """Bytes of replies that the peer has not taken."""
        return int(self.transport.get_write_buffer_size())

    @property
    def replies(self) -> int:
        """Replies that are not at the socket yet."""
        return self.queued + len(self.machine.output)

    def push(self, data: bytes) -> bool:
        """Messages to a subscriber, behind the replies that have been made. One that does not take what it has
        asked for is hung up on: False."""
        if self.lost:
            return True
        output, waiting = self.machine.output, self.transport.get_write_buffer_size()
        if not (self.queued or output):
            self.pushed = 0
        elif output or self.turn.waits_for_disk:  # it has not come to the transport
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
        """Somebody wants this connection closed at once."""
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
        if count >= RECEIVE_SLICE and not self.reads_once:  # else up to 32 times before another socket
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

    # What a round of `rounds` asks of it.

    @property
    def plain(self) -> bool:
        """Is nothing about it out of the ordinary, so that a kernel may serve it?"""
        return not (self.lost or self.ended or self.behind_at is not None or self.going_on) and self.machine.plain

    def stopped(self, reason: int, made: bytes, end: int, now: int) -> None:
        """The kernel has come to something that is not for it."""
        try:
            self.machine.stopped(reason, made, end, now)
        except LogFailed:
            self.outcome_unknown()
            return
        self.made_seq = self.server.engine.seq
        self._push()

    def arrived(self, at: int, end: int, now: int) -> None:
        """What lies there in the receive region came for it."""
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
        """The other sockets have had their turn."""
        self.yielded = False
        if not self.lost:
            self._read_or_wait()

    def _read_or_wait(self) -> None:
        """Read on, unless the peer takes no output or has sent enough while a call of its waits."""
        machine = self.machine
        if self.yielded or self.ended or self.lost or machine.closing:
            return
        full = machine.paused and machine.held_bytes > HELD_WHILE_WAITING
        if self.blocked:
            fits = self.server.output_fits()
            if full and fits and machine.output:  # it goes on writing before a large reply has left
                self.granted = True
                self._soon()
            full = full or not fits
        if self.transport.is_reading() == full:
            if full:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def _wake(self) -> None:
        """A wait has ended while somebody else was served: go on in this turn."""
        self.made_seq = self.server.engine.seq
        self._soon()

    def _soon(self) -> None:
        """Go on later in this turn or in the next; once, however often it is asked for."""
        if not self.going_on:
            self.going_on = True
            self.server.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self.going_on = False
        if self.granted and not self.server.output_fits():
            self.granted = False
        if self.lost or self.blocked:  # `resume_writing` comes back here, and so does whatever the peer sends
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
        """Let the machine's output leave; a spill leaves in pieces, as the peer takes them."""
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
            if self.queued:  # not at the socket yet: go on when it is
                self._soon()
                return
            first = output[0]
            if isinstance(first, Spill):
                piece = first.take(SPILL_PIECE)
                if piece:
                    self.spilling = True
                    self.turn.send(self, piece)
                else:
                    self.spilling = False
                    output.pop(0)
                    self._soon()
            else:
                whole = []  # in one write: one a turn, a pipeline would take as many turns as it has replies
                for each in output:
                    if isinstance(each, Spill):
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
        """The peer has said all: answer it, then hang up."""
        if self.lost:
            return False
        self.ended = True
        if not self.machine.closing:
            self._end_when_done()
        return True

    def _end_when_done(self) -> None:
        """Hang up once nothing is left to answer. A call that waits is given up: a peer that went away looks
        the same, and nothing may be taken for it."""
        machine = self.machine
        parked = machine.session.parked
        if parked is not None:
            self.server.engine.interest.unpark(parked)
            machine.session.parked = None
            machine.forget_input()
        if not (machine.output or machine.more or self.going_on):
            self.server.close_after_turn(self)

    def holds_beyond(self, seq: int) -> bool:
        return not self.lost and bool(self.machine.output) and self.made_seq > seq

    def outcome_unknown(self) -> None:
        if self.lost:
            return
        self.lost = True
        if self.spilling:  # the text would be taken for a part of the value
            self.transport.abort()
        else:
            self.transport.write(encode(Fault("UNKNOWN_OUTCOME"), 2))
            self.transport.close()


def place(name: Any) -> bytes:
    """A socket's address as one text."""
    if not isinstance(name, tuple) or len(name) < 2:
        return b""
    return authority(name[0], name[1]).encode()
