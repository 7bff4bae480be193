"""WebSocket connections: each takes over an HTTP connection's transport after the Upgrade.

    HttpConnection  --Upgrade-->  open_socket  -->  WebSocketConnection <-> Endpoint
                                      |
                                      `-> a Response: refused, and HTTP goes on

A socket ends in one of three ways. The peer sends a Close frame: it is answered, then the connection is closed. The
server sends a Close frame: the peer has CLOSE_WAIT_S to answer. The peer breaks the protocol: the server's Close frame
gives the reason. In all cases the server ends its side of the stream at once, and reads and drops further input for a
while: a system that closes a socket with unread bytes resets the connection, and the Close frame may be lost.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from synap.engine.callers import Caller
from synap.faults import BrokenNode, Fault
from synap.io.connections.connection import Connection
from synap.io.http.http_admission import Refused
from synap.io.node.clock import ticks
from synap.io.websocket.endpoints import Endpoint
from synap.journal import LogFailed
from synap.proto.http import Request, Response, Upgrade
from synap.proto.rest import fault_response, in_query, json_response
from synap.proto.websocket import (
    GOING_AWAY,
    INTERNAL,
    POLICY,
    Failed,
    Machine,
    Message,
    PeerClosed,
    Ping,
    Pong,
    accept,
    refusal,
)

if TYPE_CHECKING:
    from synap.io.http.http_connection import HttpConnection

log = logging.getLogger("synap")

SLICE_NS = 5_000_000
"""Time for the messages of one socket before other sockets have their turn."""

CLOSE_WAIT_S = 5.0
"""Time for the peer's Close frame, and for the peer to close the connection after both frames."""

PINGS_UNANSWERED_MAX = 3


class WebSocketConnection(Connection, asyncio.Protocol):
    """An open WebSocket."""

    transport: asyncio.Transport
    bytes_while_waiting = 0
    busy = idle = False
    reads_on = False  # input leads to short replies only; larger output was requested earlier

    def __init__(self, before: "HttpConnection", request: Request, machine: Machine) -> None:
        """Take over from `before`, an HTTP connection whose `request` is the Upgrade."""
        super().__init__(before.server)
        self.before, self.asked, self.machine = before, request, machine
        self.transport, self.address = before.transport, before.address
        self.number, self.opened = before.number, before.opened  # for CLIENT LIST, see `http_clients`
        self.behind_at, self.behind_bytes = before.behind_at, before.behind_bytes
        if self.server.behind.pop(before, self) is None:
            self.server.behind[self] = None
        self.output_max: int = self.server.limits.feed_output_bytes_max
        self.ping_s: int = self.server.settings.number("server.websocket_ping_s")
        self.caller: Caller = before.caller
        self.endpoint: Endpoint | None = None
        self.message: Message | None = None  # held back by a pause
        self.since = self.heard = self.pinged = self.server.loop.time()
        self.unanswered = 0  # pings since the peer sent anything
        self.unsent = 0  # bytes in the turn's queue
        self.was_full = False
        self.more = False  # received messages wait until other sockets have had their turn
        self.closed_at: float | None = None  # when a Close frame was sent or received, in the loop's time
        self.shut = False

    # Called by an endpoint.

    @property
    def full(self) -> bool:
        """True if so much output waits that the endpoint should send nothing until `drained`."""
        waiting = self.unsent + self.transport.get_write_buffer_size()
        if waiting > self.server.output_pause_bytes or self.blocked:
            self.was_full = True
            return True
        return False

    def send_text(self, data: bytes) -> None:
        """Send a text message in UTF-8; once the socket is closing, send nothing.

        A peer with more than `limits.feed_output_bytes_max` of unread output is dropped.
        """
        if self.lost or not self.machine.open:
            return
        self._send(self.machine.send_text(data))
        if self.unsent + self.transport.get_write_buffer_size() > self.output_max:
            log.info("websocket: %s does not read its messages, connection closed", self.address)
            self.drop()

    def close(self, code: int, reason: str) -> None:
        """Send a Close frame; ignore everything afterwards but the peer's Close frame."""
        if not self.lost and self.machine.open:
            self._send(self.machine.close(code, reason))
            self._over()

    def drop(self) -> None:
        """Close the connection at once, without a Close frame."""
        if not self.lost:
            self.lost = True
            self.transport.abort()

    # Input.

    def data_received(self, data: bytes) -> None:
        self.heard = self.server.loop.time()
        self.unanswered = 0
        if self.shut:
            return
        self.machine.receive_data(data)
        if not self.more:
            self._serve()

    def _serve(self) -> None:
        """Handle the frames that have arrived, for at most SLICE_NS and while the peer takes its output."""
        begun = ticks()
        while not self.lost:
            if self.blocked or ticks() - begun > SLICE_NS:
                self._later()
                return
            event, self.message = self.message or self.machine.next_event(), None
            if isinstance(event, Message):
                if self.endpoint is not None and self.server.engine.diagnostics.holds(self.endpoint.writes):
                    self._wait_for_pause(event)
                    return
                self.since = self.server.loop.time()  # for CLIENT LIST: the socket is idle since its last message
                if event.text:
                    self._tell("received", event.data)
                else:
                    self._tell("received_binary")
            elif isinstance(event, Ping):
                self._send(self.machine.pong(event.payload))
            elif isinstance(event, PeerClosed):
                self._end(event.code, "")
                return
            elif isinstance(event, Failed):
                self._end(event.code, event.reason)
                return
            elif not isinstance(event, Pong):
                return

    def _wait_for_pause(self, message: Message) -> None:
        """Keep a message until the pause ends that holds it back, and read no more."""
        self.message, self.more = message, True
        self.transport.pause_reading()
        self.server.engine.diagnostics.on_unpause.append(lambda: self.server.loop.call_soon(self._go_on))

    def _later(self) -> None:
        """Go on after other sockets were served, or after the peer has read (`resume_writing` leads here again)."""
        self.more = True
        self.transport.pause_reading()
        if not self.blocked:
            self.server.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self.more and not self.lost and not self.blocked:
            self.more = False
            self._serve()
            if not (self.more or self.lost or self.ended):
                self.transport.resume_reading()

    def _tell(self, what: str, *given: bytes) -> None:
        """Call the endpoint; an exception closes this socket only, unless the node is broken."""
        try:
            getattr(self.endpoint, what)(*given)
        except BrokenNode:
            self.drop()
            raise
        except LogFailed:
            self.outcome_unknown()
        except Exception:
            log.exception("websocket: %s failed", type(self.endpoint).__name__)
            self.close(INTERNAL, "internal error")

    # Output.

    def _send(self, data: bytes) -> None:
        self.unsent += len(data)
        self.turn.send(self, data)

    def transmit(self, data: bytes) -> None:
        self.unsent -= len(data)
        super().transmit(data)
        if self.was_full:
            self._perhaps_drained()
        if self.closed_at is not None and not self.queued:
            self._shut()

    def resume_writing(self) -> None:
        self.behind_at = None
        self.server.behind.pop(self, None)
        if self.more:
            self.server.loop.call_soon(self._go_on)
        elif not (self.lost or self.ended):
            self.transport.resume_reading()
        if self.was_full:
            self._perhaps_drained()

    def _perhaps_drained(self) -> None:
        """Schedule the endpoint's `drained`, once, when the output fits again.

        If output above the limit waits in the transport alone, the transport is blocked and calls `resume_writing`
        later; nothing would report that a lower limit of this class is passed.
        """
        waiting = self.unsent + self.transport.get_write_buffer_size()
        if not self.blocked and waiting <= self.server.output_pause_bytes and not self.lost:
            self.was_full = False
            self.server.loop.call_soon(self._drained)

    def _drained(self) -> None:
        if not self.lost and self.machine.open:
            self._tell("drained")

    # Closing.

    def _end(self, code: int, reason: str) -> None:
        """Answer a peer that has closed or broken the protocol with a Close frame, unless one was sent before."""
        data = self.machine.close(code, reason)
        if data:
            self._send(data)
        self._over()
        if not self.queued:
            self._shut()

    def _over(self) -> None:
        """Stop serving messages and note the time; from here on only the end is waited for."""
        self.message = None  # a message held back by a pause is not handled any more
        if self.closed_at is None:
            self.closed_at = self.server.loop.time()
            self.server.loop.call_soon(self._end_endpoint)  # later, since a call of the endpoint may be running

    def _end_endpoint(self) -> None:
        endpoint, self.endpoint = self.endpoint, None
        if endpoint is not None:
            try:
                endpoint.ended()
            except BrokenNode:
                raise
            except LogFailed:
                self.outcome_unknown()
            except Exception:
                log.exception("websocket: closing %s failed", type(endpoint).__name__)

    def _shut(self) -> None:
        """End the server's side of the stream after its Close frame, unless the peer's Close frame is awaited."""
        if not (self.lost or self.shut or self.machine.closing):
            self.shut = True
            if self.ended:
                self.transport.close()
            elif self.transport.can_write_eof():
                self.transport.write_eof()

    def look_at(self, now: float) -> None:
        """Ping a silent peer at intervals; drop a connection whose closing takes longer than CLOSE_WAIT_S."""
        if self.lost:
            return
        if self.closed_at is not None:
            if now - self.closed_at > CLOSE_WAIT_S:
                self.drop()
            return
        every = self.ping_s
        if not every or self.blocked or self.more or now - max(self.pinged, self.heard) < every:
            return  # a peer that does not read is handled by `stalled`
        if self.unanswered == PINGS_UNANSWERED_MAX:
            self._end_silent()
            return
        self.unanswered += 1
        self.pinged = now
        self._send(self.machine.ping())

    def _end_silent(self) -> None:
        self._send(self.machine.close(POLICY, f"{PINGS_UNANSWERED_MAX} pings without an answer"))
        self.server.close_after_turn(self)
        self._over()

    def eof_received(self) -> bool:
        """Close after the output is sent: the peer has closed its sending side, so it can answer no Close frame."""
        self.ended = True
        self._over()
        self.server.close_after_turn(self)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self.before.lost = True  # the turn may still hold replies of the HTTP connection
        super().connection_lost(error)
        self._end_endpoint()

    def leave(self) -> None:
        """Send a Close frame and close, because the server is stopping."""
        if not self.lost:
            self.transport.write(self.machine.close(GOING_AWAY, "the server is stopping"))
        super().leave()

    def outcome_unknown(self) -> None:
        if not self.lost:
            self.transport.write(self.machine.close(INTERNAL, "outcome unknown: the log cannot be written"))
            self.lost = True
            self.transport.close()

    def holds_beyond(self, seq: int) -> bool:
        return False


def open_socket(connection: "HttpConnection", upgrade: Upgrade) -> Response | None:
    """Open a WebSocket on an HTTP connection's transport and return None, or return the refusal."""
    server, request = connection.server, upgrade.request
    try:
        server.web.admission.admit(request)
        found = server.web.sockets.find(request)
        if found is None:
            return json_response(426, {"error": "This path is not a WebSocket", "code": 426})
        server.web.admission.admit_write(request)  # a socket can write, and browsers send no preflight for it
    except Refused as refused:
        return refused.response
    except Fault as fault:
        return in_query(fault, request)
    if server.node is None:
        response: Response = server.web.health(request)
        return response
    route, parameters = found
    try:
        factory = route(server, request, parameters)
    except Fault as fault:
        return fault_response(fault)
    if isinstance(factory, Response):
        return factory
    accepted = accept(request, compression=server.settings.switch("server.websocket_compression"))
    if isinstance(accepted, Response):
        return accepted
    machine = Machine(
        message_bytes_max=server.limits.websocket_message_bytes_max,
        fragments_max=server.limits.websocket_fragments_max, deflate=accepted.deflate,
    )  # fmt: skip
    trailing = connection.machine.trailing_data
    socket = WebSocketConnection(connection, request, machine)
    del server.connections[connection]
    server.connections[socket] = None  # the address is already counted
    connection.transport.set_protocol(socket)
    server.web.metrics.statuses[101] += 1
    socket._send(accepted.reply)
    try:
        socket.endpoint = factory(socket, parameters)
    except BrokenNode:
        socket.drop()
        raise
    except Exception:
        log.exception("websocket: no endpoint for %s", request.path.decode("latin-1"))
        socket.close(INTERNAL, "internal error")
        return None
    socket._tell("begin")
    if trailing and not socket.lost:
        socket.data_received(trailing)
    return None


def without_upgrade(request: Request) -> Response:
    """Return the refusal of a request without Upgrade to the path of a WebSocket."""
    return refusal(426, "This path is a WebSocket: wanted Upgrade: websocket")
