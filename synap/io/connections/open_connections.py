"""The open connections of a server: how many there may be, and how much output may wait for peers that take none."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from synap.io.connections.connection import Connection

if TYPE_CHECKING:
    from synap.settings import Settings


class OpenConnections:
    """The open connections of one server, in the order of their arrival.

    behind          connections whose peers take their output too slowly
    made, refused   connections accepted, and those that were closed because there were too many
    connections_max, output_*   settings of the same names; output is that which waits for one peer, in bytes
    """

    def __init__(self, settings: "Settings", loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._open: dict[Connection, None] = {}
        self._from: Counter[str] = Counter()
        self.behind: dict[Connection, None] = {}
        self.made = self.refused = 0
        self.connections_max = settings.number("server.connections_max")
        self._address_max = settings.number("server.connections_per_address_max")
        self.output_pause_bytes = settings.number("limits.output_pause_bytes")
        self.output_bytes_max = settings.number("limits.output_bytes_max")
        self._output_total_bytes = settings.number("limits.output_total_bytes_max")
        self._output_stall_s = settings.number("limits.output_stall_s")
        self._fits, self._fits_at = True, -1.0

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._open))

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> None:
        """Register a connection; whether it may stay is decided by `may_stay`."""
        peer = connection.transport.get_extra_info("peername")
        connection.address = address = peer[0] if peer else ""
        self._open[connection] = None
        self._from[address] += 1
        self.made += 1

    def replace(self, before: Connection, after: Connection) -> None:
        """Register the connection that has taken over the transport of another one; it counts as the same."""
        self.behind.pop(before, None)
        del self._open[before]
        self._open[after] = None

    def remove(self, connection: Connection) -> None:
        """Unregister a connection."""
        self.behind.pop(connection, None)
        if connection in self._open:
            del self._open[connection]
            self._from[connection.address] -= 1
            if not self._from[connection.address]:
                del self._from[connection.address]

    def may_stay(self, connection: Connection) -> bool:
        """Return whether this connection may stay, by the limits on all connections and on those of one address."""
        if len(self._open) <= self.connections_max and self._from[connection.address] <= self._address_max:
            return True
        self.refused += 1
        return False

    def feeds(self) -> Counter[str]:
        """Return the number of open WebSockets and event streams, by `Connection.feed`."""
        return Counter(connection.feed for connection in self._open if connection.feed)

    def look_at_all(self) -> None:
        """Check every connection for timeouts; requests set no timers of their own."""
        now = self._loop.time()
        for connection in self:
            connection.look_at(now)

    def drop_stalled(self) -> None:
        """Abort connections that take no output for `output_stall_s` or exceed `output_bytes_max`; else read on."""
        now = self._loop.time()
        for connection in list(self.behind):
            held = connection.transport.get_write_buffer_size()
            if held > self.output_bytes_max or connection.stalled(now, self._output_stall_s):
                connection.transport.abort()
            elif not connection.lost:
                connection.look_at_reading()

    def output_fits(self) -> bool:
        """Return whether peers that are behind may get more replies: their output is below `output_total_bytes_max`.

        The sum is computed once per ms or once per turn.
        """
        now = self._loop.time()
        if now != self._fits_at:
            held = sum(connection.transport.get_write_buffer_size() for connection in self.behind)
            self._fits, self._fits_at = held < self._output_total_bytes, now
        return self._fits

    def end_beyond(self, safe_seq: Callable[[Connection], int]) -> None:
        """End the connections that hold replies which may report more than what is safe: the log has failed there.

        `safe_seq` returns the last seq that is as safe as the replies of a connection promise.
        """
        for connection in self:
            if connection.holds_beyond(safe_seq(connection)):
                connection.outcome_unknown()
