"""The base class of the connections on which the server sends messages as they come: WebSockets and event streams.

    HttpConnection  --one request-->  FeedConnection  <->  Endpoint

A feed connection takes over the transport of an HTTP connection. Its *endpoint* decides what is sent and does not know
how messages are framed; the subclass frames them. Output of a peer that does not read is bounded: an endpoint stops
while `full` is true and goes on at `drained`, and with more than `limits.feed_output_bytes_max` of unread output the
connection is dropped.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from synap.engine.callers import Caller
from synap.faults import BrokenNode, Fault
from synap.io.connections.connection import Connection
from synap.io.connections.states import BEHIND, LOST, OPEN, TAKEN
from synap.io.feeds.endpoints import Endpoint, EndpointFactory, Parameters
from synap.journal import LogFailed
from synap.proto.http import Request

if TYPE_CHECKING:
    from synap.io.http.http_connection import HttpConnection

log = logging.getLogger("synap")

INTERNAL = 1011
"""The code with which a WebSocket is closed after an error of the server."""


class FeedConnection(Connection, asyncio.Protocol):
    """A connection with an endpoint: its output, and the calls of the endpoint."""

    transport: asyncio.Transport
    resumes = False  # are the places of messages used?
    bytes_while_waiting = 0  # for CLIENT LIST, as of an HTTP connection
    reads_on = False  # input leads to short replies only; larger output was requested earlier

    def __init__(self, before: "HttpConnection", request: Request) -> None:
        """Take over from `before`, an HTTP connection whose `request` asks for the feed."""
        super().__init__(before.server)
        self.before, self.asked = before, request
        self.transport, self.address = before.transport, before.address
        self.number, self.opened = before.number, before.opened  # for CLIENT LIST, see `http_clients`
        if before.output is not TAKEN:
            self.note_behind()
        self.output_max = self.server.limits.feed_output_bytes_max
        self.caller: Caller = before.caller
        self.endpoint: Endpoint | None = None
        self.alarm: asyncio.TimerHandle | None = None
        self.heard = self.since = self.server.loop.time()  # for CLIENT LIST: idle since then
        self.unsent = 0  # bytes in the turn's queue
        self.was_full = False  # is the endpoint to be told when output fits again?

    # What a subclass says.

    @property
    def sends(self) -> bool:
        """True while messages of the endpoint are sent: not once the connection is closing."""
        raise NotImplementedError

    def framed(self, data: bytes, kind: str, place: str) -> bytes:
        """Return the bytes of one message."""
        raise NotImplementedError

    def fail(self, fault: Fault, data: bytes, code: int) -> None:
        """Tell the peer why the feed ends, and close: `data` is the message that says so, `code` the close code."""
        raise NotImplementedError

    def close(self, code: int, reason: str) -> None:
        """Close behind earlier messages; see `Sender.close`."""
        raise NotImplementedError

    # Called by an endpoint.

    @property
    def full(self) -> bool:
        """True if so much output waits that the endpoint should send nothing until `drained`."""
        waiting = self.unsent + self.transport.get_write_buffer_size()
        if waiting > self.connections.output_pause_bytes or self.output is BEHIND:
            self.was_full = True
            return True
        return False

    def send_text(self, data: bytes, kind: str = "message", place: str = "") -> None:
        """Send a message in UTF-8; once the connection is closing, send nothing.

        A peer with more than `limits.feed_output_bytes_max` of unread output is dropped; one message alone may be
        larger.
        """
        if self.life is LOST or not self.sends:
            return
        if self.unsent + self.transport.get_write_buffer_size() > self.output_max:
            log.info("%s: %s does not read its messages, connection closed", self.feed, self.address)
            self.drop()
            return
        self._send(self.framed(data, kind, place))

    def drop(self) -> None:
        """Close the connection at once."""
        if self.life is not LOST:
            self.lose()
            self.transport.abort()

    def drain_soon(self) -> None:
        """Schedule the endpoint's `drained`."""
        self.server.loop.call_soon(self._drained)

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Call a part of the endpoint after so many seconds; see `Sender.later`."""
        if self.alarm is not None:
            self.alarm.cancel()
        self.alarm = self.server.loop.call_later(seconds, self.guarded, self._alarmed, work)

    def _alarmed(self, work: Callable[[], None]) -> None:
        try:
            self.protected(work)
        except LogFailed:
            pass  # `protected` has closed the connection

    def ping(self) -> None:
        """Ask the peer for a sign of life; not here: a client of an event stream sends none."""

    def protected(self, work: Callable[..., Any], *given: Any) -> Any:
        """Call a part of the endpoint within the call of another client, and return what it returns.

        An exception closes this connection only, unless node or log are broken. Once it is closing, do nothing.
        """
        if self.life is not OPEN or not self.sends:
            return None
        try:
            return work(*given)
        except BrokenNode:
            self.drop()
            raise
        except LogFailed:  # the other call is in doubt, too
            self.outcome_unknown()
            raise
        except Exception:
            self._endpoint_failed()
            return None

    # The endpoint.

    def make_endpoint(self, factory: EndpointFactory, parameters: Parameters) -> bool:
        """Make the endpoint; close and return False if that fails."""
        try:
            self.endpoint = factory(self, parameters)
        except BrokenNode:
            self.drop()
            raise
        except Exception:
            log.exception("%s: no endpoint for %s", self.feed, self.asked.path.decode("latin-1"))
            self.close(INTERNAL, "internal error")
            return False
        return True

    def tell(self, what: str, *given: bytes) -> None:
        """Call the endpoint; an exception closes this connection only, unless the node is broken."""
        try:
            getattr(self.endpoint, what)(*given)
        except BrokenNode:
            self.drop()
            raise
        except LogFailed:
            self.outcome_unknown()
        except Exception:
            self._endpoint_failed()

    def _endpoint_failed(self) -> None:
        log.exception("%s: %s failed", self.feed, type(self.endpoint).__name__)
        self.close(INTERNAL, "internal error")

    def end_endpoint(self) -> None:
        """Let the endpoint release what it holds, once."""
        self.server.engine.diagnostics.forget(self.drain_soon)
        if self.alarm is not None:
            self.alarm.cancel()
        endpoint, self.endpoint = self.endpoint, None
        if endpoint is not None:
            try:
                endpoint.ended()
            except BrokenNode:
                raise
            except LogFailed:
                self.outcome_unknown()
            except Exception:
                log.exception("%s: closing %s failed", self.feed, type(endpoint).__name__)

    # Output.

    def _send(self, data: bytes) -> None:
        self.unsent += len(data)
        self.turn.send(self, data)

    def transmit(self, data: bytes) -> None:
        self.unsent -= len(data)
        super().transmit(data)
        if self.was_full:
            self._perhaps_drained()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.was_full:
            self._perhaps_drained()

    def _perhaps_drained(self) -> None:
        """Schedule the endpoint's `drained`, once, when the output fits again.

        If output above the limit waits in the transport alone, the transport is blocked and calls `resume_writing`
        later; nothing would report that a lower limit of this class is passed.
        """
        waiting = self.unsent + self.transport.get_write_buffer_size()
        if self.output is not BEHIND and waiting <= self.connections.output_pause_bytes:
            self.was_full = False
            self.drain_soon()

    def _drained(self) -> None:
        if self.life is OPEN and self.sends:
            self.tell("drained")

    # The end.

    def connection_lost(self, error: Exception | None) -> None:
        self.before.lose()  # the turn may still hold replies of the HTTP connection
        super().connection_lost(error)
        self.end_endpoint()

    def holds_beyond(self, seq: int) -> bool:
        return False
