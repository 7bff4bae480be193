"""The base class of all connections, with limits on unsent output.

A peer is *behind* when more than `output_pause_bytes` of output wait for it. Then none of its commands run, unless
more input arrives: some clients write a whole pipeline before they read, and if their input were not read, both sides
would wait for ever. So each arrival is *granted* one run, as long as the output of all peers that are behind stays
below `output_total_bytes_max`. A peer that takes no output for `output_stall_s` is disconnected.
"""

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, cast

from synap.hosts import authority
from synap.io.node.group_commit import GroupCommit

if TYPE_CHECKING:
    from synap.io.server.server import Server

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


def place(name: Any) -> bytes:
    """Return a socket's address as text, empty if it has none."""
    if not isinstance(name, tuple) or len(name) < 2:
        return b""
    return authority(name[0], name[1]).encode()
