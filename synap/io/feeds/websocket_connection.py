"""WebSocket connections: each takes over an HTTP connection's transport after the Upgrade.

    HttpConnection  --Upgrade-->  open_socket  -->  WebSocketConnection <-> Endpoint
                                      |
                                      `-> a Response: refused, and HTTP goes on

A socket ends in one of three ways. The peer sends a Close frame: it is answered, then the connection is closed. The
server sends a Close frame: the peer has CLOSE_WAIT_S to answer. The peer breaks the protocol: the server's Close frame
gives the reason. In all cases the server ends its side of the stream at once, and reads and drops further input for a
while: a system that closes a socket with unread bytes resets the connection, and the Close frame may be lost.
"""

from typing import TYPE_CHECKING

from synap.faults import Fault
from synap.io.connections.states import (
    BEHIND,
    HALF_CLOSED,
    HELD_BACK,
    LIFE,
    LOST,
    OPEN,
    PAUSED,
    READY,
    WORK,
    LifeEvent,
    WorkEvent,
)
from synap.io.feeds.feed_connection import FeedConnection
from synap.io.http import http_durability
from synap.io.http.http_admission import Refused
from synap.io.node.clock import ticks
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

SLICE_NS = 5_000_000
"""Time for the messages of one socket before other sockets have their turn."""

CLOSE_WAIT_S = 5.0
"""Time for the peer's Close frame, and for the peer to close the connection after both frames."""

PINGS_UNANSWERED_MAX = 3


class WebSocketConnection(FeedConnection):
    """An open WebSocket."""

    feed = "websocket"

    def __init__(self, before: "HttpConnection", request: Request, machine: Machine) -> None:
        """Take over from `before`, an HTTP connection whose `request` is the Upgrade."""
        super().__init__(before, request)
        self.machine = machine
        self.ping_s: int = self.server.settings.number("server.websocket_ping_s")
        self.held: Message | None = None  # the message that a pause holds back
        self.pinged = self.since
        self.unanswered = 0  # pings since the peer sent anything
        self.ends_at = 0.0  # when the socket is dropped at the latest, in the loop's time; 0: it is not closing

    @property
    def sends(self) -> bool:
        return self.machine.open

    def framed(self, data: bytes, kind: str, place: str) -> bytes:
        return self.machine.send_text(data)

    def fail(self, fault: Fault, data: bytes, code: int) -> None:
        self.send_text(data)
        self.close(code, "")

    def ping(self) -> None:
        """Send a ping, unless the peer is behind with its output."""
        if self.life is OPEN and self.machine.open and self.output is not BEHIND:
            self._send(self.machine.ping())

    def close(self, code: int, reason: str) -> None:
        """Send a Close frame; ignore everything afterwards but the peer's Close frame."""
        if self.life is not LOST and self.machine.open:
            self._send(self.machine.close(code, reason))
            self._over()

    # Input.

    @property
    def may_read(self) -> bool:
        """True if more input is wanted: not while messages wait, and not while the peer takes no output."""
        return super().may_read and self.work is READY

    def data_received(self, data: bytes) -> None:
        self.heard = self.server.loop.time()
        self.unanswered = 0
        self.machine.receive_data(data)
        if self.work is READY:
            self._serve()

    def _serve(self) -> None:
        """Handle the frames that have arrived, for at most SLICE_NS and while the peer takes its output."""
        begun = ticks()
        while self.life is not LOST:
            if self.output is BEHIND or ticks() - begun > SLICE_NS:
                self.work = WORK.after(self.work, WorkEvent.HOLD_BACK)
                self.look_at_reading()
                self._soon()
                return
            event, self.held = self.held or self.machine.next_event(), None
            if isinstance(event, Message):
                if self.endpoint is not None and self.server.engine.diagnostics.pauses(self.endpoint.writes):
                    self._hold(event)
                    return
                self.since = self.server.loop.time()  # for CLIENT LIST: the socket is idle since its last message
                if event.text:
                    self.tell("received", event.data)
                else:
                    self.tell("received_binary")
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

    def _hold(self, message: Message) -> None:
        """Keep a message until the pause ends that holds it back, and read no more."""
        self.held = message
        self.work = WORK.after(self.work, WorkEvent.PAUSE)
        self.look_at_reading()
        self.server.engine.diagnostics.on_unpause(self._released)

    def _released(self) -> None:
        self.work = WORK.after(self.work, WorkEvent.RELEASE)
        self.server.loop.call_soon(self.guarded, self._go_on)

    def _soon(self) -> None:
        """Go on after other sockets were served, or after the peer has read: `resume_writing` leads here again."""
        if self.work is HELD_BACK and self.output is not BEHIND:
            self.work = WORK.after(HELD_BACK, WorkEvent.SCHEDULE)
            self.server.loop.call_soon(self.guarded, self._go_on)

    def _go_on(self) -> None:
        if self.life is not OPEN:
            return
        if self.output is BEHIND:
            self.work = WORK.after(self.work, WorkEvent.PUT_OFF)
            return
        self.work = WORK.after(self.work, WorkEvent.GO_ON)
        self._serve()
        self.look_at_reading()

    # Output.

    def transmit(self, data: bytes) -> None:
        super().transmit(data)
        if self.ends_at and not self.queued:
            self._shut()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._soon()

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
        """Handle no more messages; from here on only the end is waited for."""
        if self.ends_at:
            return
        self.ends_at = self.server.loop.time() + CLOSE_WAIT_S
        self.held = None
        self._forget_pause()
        if self.work is PAUSED:
            self._released()  # input that has arrived is searched for the peer's Close frame
        self.server.loop.call_soon(self.end_endpoint)  # later, since a call of the endpoint may be running

    def _forget_pause(self) -> None:
        self.server.engine.diagnostics.forget(self.drain_soon)
        self.server.engine.diagnostics.forget(self._released)

    def _shut(self) -> None:
        """End the server's side of the stream after its Close frame, unless the peer's Close frame is awaited."""
        transport = self.transport
        if self.life is OPEN and not (self.machine.awaits_close or transport.is_closing()):
            if transport.can_write_eof():
                transport.write_eof()

    def look_at(self, now: float) -> None:
        """Ping a silent peer at intervals; drop a connection whose closing takes longer than CLOSE_WAIT_S."""
        if self.life is LOST:
            return
        if self.ends_at:
            if now > self.ends_at:
                self.drop()
            return
        every = self.ping_s
        if not every or self.output is BEHIND or self.work is not READY or now - max(self.pinged, self.heard) < every:
            return  # a peer that does not read is handled by `stalled`
        if self.unanswered == PINGS_UNANSWERED_MAX:
            self._end_silent()
            return
        self.unanswered += 1
        self.pinged = now
        self._send(self.machine.ping())

    def _end_silent(self) -> None:
        self._send(self.machine.close(POLICY, f"{PINGS_UNANSWERED_MAX} pings without an answer"))
        self._over()
        self.close_after_turn()

    def eof_received(self) -> bool:
        """Close after the output is sent: the peer has closed its sending side, so it can answer no Close frame."""
        if self.life is LOST:
            return False
        self.life = LIFE.after(self.life, LifeEvent.PEER_ENDS)
        self._over()
        self.close_after_turn()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self.held = None
        self._forget_pause()
        super().connection_lost(error)

    def leave(self) -> None:
        """Send a Close frame and close, because the server is stopping."""
        if self.life is not LOST:
            self._send_last(self.machine.close(GOING_AWAY, "the server is stopping"))
        super().leave()

    def outcome_unknown(self) -> None:
        if self.life is not LOST:
            self._send_last(self.machine.close(INTERNAL, "outcome unknown: the log cannot be written"))
            self.lose()
            self.close_transport()

    def _send_last(self, frame: bytes) -> None:
        """Send a Close frame past the turn; there is none if the closing handshake has begun, and then the transport
        may take no bytes any more."""
        if frame:
            self.transport.write(frame)


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
        level = http_durability.asked(server, request, parameters.pop("durability", ""))
    except Fault as fault:
        return fault_response(fault)
    if isinstance(factory, Response):
        return factory
    compression = server.settings.switch("server.websocket_compression")
    accepted = accept(request, compression=compression, headers=http_durability.told(server, level))
    if isinstance(accepted, Response):
        return accepted
    machine = Machine(
        message_bytes_max=server.limits.websocket_message_bytes_max,
        fragments_max=server.limits.websocket_fragments_max, deflate=accepted.deflate,
    )  # fmt: skip
    trailing = connection.machine.trailing_data
    socket = WebSocketConnection(connection, request, machine)
    server.connections.replace(connection, socket)
    http_durability.take_over(connection, socket, level)
    connection.transport.set_protocol(socket)
    server.web.metrics.statuses[101] += 1
    socket._send(accepted.reply)
    if not socket.make_endpoint(factory, parameters):
        return None
    if connection.life is HALF_CLOSED:  # the transport reports only once that the peer has closed its sending side
        socket.eof_received()
        return None
    socket.tell("begin")
    if trailing and socket.life is not LOST:
        socket.data_received(trailing)
    return None


def without_upgrade(request: Request) -> Response:
    """Return the refusal of a request without Upgrade to the path of a WebSocket."""
    return refusal(426, "This path is a WebSocket: wanted Upgrade: websocket")
