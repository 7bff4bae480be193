"""Event streams: replies to GET that are server-sent events and end with their connection.

    HttpConnection  --GET /../sse-->  open_stream  -->  EventStream <-> Endpoint
                                          |
                                          `-> a Response: refused, and HTTP goes on

The endpoints are those of WebSockets. What an endpoint sends while it begins is held until it has begun, so a feed
that cannot begin (there is no such room) is answered by a status, as any request. What the client sends afterwards is
dropped. A stream ends when the client closes its connection, or its sending side, as a call that waits does.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from synap.faults import Fault
from synap.io.connections.states import BEHIND, HALF_CLOSED, LIFE, LOST, OPEN, LifeEvent
from synap.io.feeds.endpoints import EndpointFactory, Parameters
from synap.io.feeds.feed_connection import FeedConnection
from synap.io.http import http_durability
from synap.proto import event_stream
from synap.proto.http import Request, encode
from synap.proto.rest import fault_response

if TYPE_CHECKING:
    from synap.io.http.http_connection import HttpConnection

RETRY_MS = 1000
"""How long a client waits before it connects again, unless it decides otherwise."""


class Opening:
    """A request that is answered by an event stream: its endpoint is made by `factory(connection, parameters)`."""

    def __init__(self, request: Request, factory: EndpointFactory, parameters: Parameters, level: str = "") -> None:
        """`level`: the durability of the events that the request asks for, if any."""
        self.request, self.factory, self.parameters, self.level = request, factory, parameters, level


class EventStream(FeedConnection):
    """An open event stream."""

    feed = "event_stream"
    resumes = True

    def __init__(self, before: "HttpConnection", request: Request, level: str) -> None:
        super().__init__(before, request)
        self.level = level
        self.ping_s: int = self.server.settings.number("server.event_stream_ping_s")
        self.held: list[bytes] | None = []  # output of an endpoint that begins
        self.spoke = self.since
        self.closing = False

    @property
    def sends(self) -> bool:
        return not self.closing

    def framed(self, data: bytes, kind: str, place: str) -> bytes:
        return event_stream.event(data, "" if kind == "message" else kind, place)

    def fail(self, fault: Fault, data: bytes, code: int) -> None:
        if self.held is None:
            self.send_text(data, "error")
            self.close(code, "")
        else:
            self._refuse(fault)

    def close(self, code: int, reason: str) -> None:
        """Close behind earlier events; a reason is told by an event `error`."""
        if self.life is LOST or self.closing:
            return
        if self.held is not None:
            self._refuse(Fault("INTERNAL_ERROR", what=reason))
            return
        if reason:
            self.send_text(msgspec.json.encode({"type": "error", "error": reason}), "error")
        self._over()

    # Output.

    def begin(self) -> None:
        """Let the endpoint begin, then send the head of the reply and what the endpoint has sent."""
        self.tell("begin")
        if self.held is None or self.life is LOST:
            return
        web = self.server.web
        headers = web.admission.cors(self.asked) if web.admission.origins else []
        headers += http_durability.told(self.server, self.level)
        web.metrics.statuses[200] += 1
        held, self.held = self.held, None
        head = event_stream.opening(headers)
        if self.asked.method == b"HEAD":
            held = []
        else:
            head += event_stream.retry(RETRY_MS)
        self.unsent = 0
        self._send(head + b"".join(held))
        if self.asked.method == b"HEAD" or self.before.life is HALF_CLOSED:
            self._over()

    def _send(self, data: bytes) -> None:
        if self.held is None:
            self.spoke = self.server.loop.time()
            super()._send(data)
        else:
            self.unsent += len(data)
            self.held.append(data)

    def _refuse(self, fault: Fault) -> None:
        """Answer with the status of a fault instead of a stream, and close."""
        self.held = None
        web = self.server.web
        response = fault_response(fault)
        response = web.with_headers(replace(response, status=max(response.status, 400)), self.asked)
        web.metrics.statuses[response.status] += 1
        self.unsent = 0
        self._send(encode(response, closing=True, headless=self.asked.method == b"HEAD"))
        self._over()

    def look_at(self, now: float) -> None:
        """Send a comment if nothing was sent for a while: a peer that has gone is found by it, and proxies stay."""
        if self.life is OPEN and self.sends and self.output is not BEHIND and self.ping_s:
            if now - self.spoke >= self.ping_s:
                self._send(event_stream.COMMENT)

    # The end.

    def _over(self) -> None:
        """Send nothing more, and close once the output is sent."""
        if not self.closing:
            self.closing = True
            self.server.loop.call_soon(self.end_endpoint)  # later, since a call of the endpoint may be running
            self.close_after_turn()

    def data_received(self, data: bytes) -> None:
        """Drop input: nothing may follow the request."""

    def eof_received(self) -> bool:
        """Close after the output is sent, since the peer may have gone."""
        if self.life is LOST:
            return False
        self.life = LIFE.after(self.life, LifeEvent.PEER_ENDS)
        self._over()
        return True

    def outcome_unknown(self) -> None:
        if self.life is not LOST:
            self.lose()
            self.close_transport()


def open_stream(connection: "HttpConnection", asked: Opening) -> None:
    """Answer a request by an event stream on the transport of its connection, which it takes over."""
    stream = EventStream(connection, asked.request, asked.level)
    connection.server.connections.replace(connection, stream)
    http_durability.take_over(connection, stream, asked.level)
    connection.transport.set_protocol(stream)
    if stream.make_endpoint(asked.factory, asked.parameters):
        stream.begin()
        stream.look_at_reading()

