"""The base class of all connections, with limits on unsent output.

A peer is *behind* when more than `output_pause_bytes` of output wait for it. Then none of its commands run, unless
more input arrives: some clients write a whole pipeline before they read, and if their input were not read, both sides
would wait for ever. So each arrival is *granted* one run, as long as the output of all peers that are behind stays
below `output_total_bytes_max`. A peer that takes no output for `output_stall_s` is disconnected.
"""

import asyncio
import select
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

from synap.call import Call
from synap.durability import DEFAULT
from synap.engine import give_back
from synap.hosts import authority
from synap.io.connections.states import (
    HALF_CLOSED,
    LIFE,
    LOST,
    OPEN,
    OUTPUT,
    READY,
    TAKEN,
    LifeEvent,
    OutputEvent,
)
from synap.io.node.group_commit import GroupCommit

if TYPE_CHECKING:
    from synap.io.server.server import Server

CLOSE_PAUSE_S = 0.001  # between two looks at whether the last replies are on the disk
ENDS = getattr(select, "POLLRDHUP", 0)  # of Linux; a whole connection that has ended is reported anyway
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
    """A connection's output: `transmit` in order, and what its states say. See states.py."""

    transport: Transport  # from `connection_made` on
    address = ""  # the peer's
    owed: tuple[Call, bytes] | None = None  # what puts back the elements of a reply, and that reply
    feed = ""  # "websocket" or "event_stream", if messages are sent on the connection as they come
    reads_on = True  # is a peer that is behind read from?

    def __init__(self, server: "Server") -> None:
        self.server, self.connections = server, server.connections
        self.turn: GroupCommit = server.turn
        self.life, self.output, self.work = OPEN, TAKEN, READY
        self.behind_at = 0.0  # when the peer fell behind, or last took some output since then
        self.behind_bytes = 0
        self.queued = 0  # replies of this connection in the turn's queue
        self.unsynced = 0  # those of them that wait for a sync, or behind others that do
        self.durability = DEFAULT  # of the replies: set by `choose_durability`
        self.sync_to = 0  # no reply is sent before the changes up to this seq are on the disk

    def choose_durability(self, level: str) -> None:
        """Set the level that replies have reached when they are sent, for the next reply and those after it."""
        self.turn.choose(self, level)

    # Questions about the states.

    @property
    def lost(self) -> bool:
        """True if nothing can be sent any more."""
        return self.life is LOST

    @property
    def may_read(self) -> bool:
        """True if more input is wanted: while both sides are open, and the peer takes its output or the limit for the
        output of all peers that are behind allows more."""
        return self.life is OPEN and (self.output is TAKEN or (self.reads_on and self.connections.output_fits()))

    # What the transport and the turn call.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(Transport, transport)
        limit = self.connections.output_pause_bytes
        self.transport.set_write_buffer_limits(high=limit, low=limit // 2)
        self.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.lose()
        self.connections.remove(self)
        self.turn.forget(self)

    def transmit(self, data: bytes) -> None:
        """Write bytes to the transport, which keeps what the system does not take. The turn calls this.

        A reply with elements that were popped for a peer that has gone is not written: the elements are put back.
        """
        self.queued -= 1
        if self.owed is not None and self.owed[1] is data:
            call, self.owed = self.owed[0], None
            if self.life is LOST or self.gone():
                self.put_back(call)
                return
        if self.life is not LOST:
            self.transport.write(data)

    def pause_writing(self) -> None:
        """Note that the peer is behind; the transport calls this when too much output waits."""
        self.note_behind()
        self.look_at_reading()

    def note_behind(self) -> None:
        """Note that the peer is behind: from now on it must take some output within `output_stall_s`."""
        self.output = OUTPUT.after(self.output, OutputEvent.EXCEED)
        self.behind_at = self.server.loop.time()
        self.behind_bytes = self.transport.get_write_buffer_size()
        self.connections.behind[self] = None

    def resume_writing(self) -> None:
        """Go on after the peer has taken enough output; the transport calls this."""
        self.output = OUTPUT.after(self.output, OutputEvent.TAKE)
        self.connections.behind.pop(self, None)
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self.note_behind()
        self.look_at_reading()

    def look_at_reading(self) -> None:
        """Read from the socket or stop reading, as `may_read` says."""
        transport, wanted = self.transport, self.may_read
        if transport.is_reading() != wanted and not transport.is_closing():
            if wanted:
                transport.resume_reading()
            else:
                transport.pause_reading()

    def put_back(self, call: Call) -> None:
        """Give back what was popped for this connection."""
        give_back.carry_out(self.server.engine, call, self.server.clock.now())
        self.turn.schedule()

    def gone(self) -> bool:
        """Return whether the peer has closed the connection or its sending side, even if the loop does not know yet."""
        if self.life is not OPEN or self.transport.is_closing():
            return True
        found = self.transport.get_extra_info("socket")
        return found is not None and has_hung_up(found.fileno())

    # The end.

    def lose(self) -> None:
        """Send nothing more."""
        self.life = LIFE.after(self.life, LifeEvent.LOSE)

    def close_after_turn(self) -> None:
        """Close the transport once all output of this connection has left the turn, and read no more."""
        if self.life is OPEN or self.life is HALF_CLOSED:
            self.life = LIFE.after(self.life, LifeEvent.CLOSE)
            self.look_at_reading()
            self._close_when_sent()

    def _close_when_sent(self) -> None:
        if self.life is LOST:
            return
        if self.queued and self.turn.waits_for_disk:
            self.server.loop.call_later(CLOSE_PAUSE_S, self._close_when_sent)
        elif self.queued:
            self.server.loop.call_soon(self._close_when_sent)
        else:
            self.close_transport()

    def close_transport(self) -> None:
        """Close the socket once its output is sent. The stall limit ends a connection whose peer never takes it."""
        self.transport.close()
        if self.transport.get_write_buffer_size() and self.output is TAKEN:
            self.note_behind()

    def leave(self) -> None:
        """Close the connection because the server stops."""
        self.transport.close()

    def guarded(self, work: Callable[..., None], *args: Any) -> None:
        """Call `work`; an exception closes this connection only, after it was reported to the loop's handler."""
        try:
            work(*args)
        except Exception as error:
            self.failed(error)

    def failed(self, error: Exception) -> None:
        """Report an exception to the loop's handler, which stops a broken node, and drop the connection."""
        what = f"{type(self).__name__} of {self.address} failed"
        self.server.loop.call_exception_handler({"message": what, "exception": error})
        self.transport.abort()

    def look_at(self, now: float) -> None:
        """Close the connection if the peer is silent for too long. Not here: a RESP client may be silent for ever."""

    def stalled(self, now: float, limit_s: float) -> bool:
        """Return whether the peer has taken no output for more than `limit_s` seconds. `now` is the loop's time."""
        if self.output is TAKEN:
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


def has_hung_up(descriptor: int) -> bool:
    """Return whether the peer of a socket has closed it, or its sending side, be it behind bytes that wait."""
    look = select.poll()
    look.register(descriptor, ENDS)
    return bool(look.poll(0))


def place(name: Any) -> bytes:
    """Return a socket's address as text, empty if it has none."""
    if not isinstance(name, tuple) or len(name) < 2:
        return b""
    return authority(name[0], name[1]).encode()
