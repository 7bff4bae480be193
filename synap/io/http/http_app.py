"""The HTTP application: REST routes of the rows, the command envelope, and the server's own pages."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from synap.command import Catalogue
from synap.commands import CATALOGUE
from synap.derive import openapi
from synap.derive.api_page import LINKS, front_page
from synap.derive.api_page import page as page_of
from synap.engine.callers import Caller
from synap.engine.outcomes import PARKED, Outcome
from synap.faults import Fault
from synap.io.feeds.endpoints import ROUTES, STREAMS, Routes
from synap.io.feeds.endpoints.topic_ends import TopicEnds
from synap.io.feeds.event_stream import Opening
from synap.io.feeds.websocket_connection import without_upgrade
from synap.io.http import http_durability
from synap.io.http.gzip_replies import gzipped, prefers_html
from synap.io.http.http_admission import HttpAdmission, header
from synap.io.http.json_calls import JsonCalls
from synap.io.http.json_envelopes import Envelopes
from synap.io.http.key_walks import KeyWalks
from synap.io.http.operations import Operations
from synap.observe.metrics import Metrics
from synap.proto.event_stream import last_event_id
from synap.proto.http import Request, Response
from synap.proto.rest import Target, allowed, in_query, json_response, not_allowed, status_fault
from synap.traits import WALKS

if TYPE_CHECKING:
    from synap.io.server.server import Server

_encode = msgspec.json.encode


_VARIES = [(b"vary", b"Accept")]


def _guarded(policy: bytes) -> list[tuple[bytes, bytes]]:
    """Return the headers of a page that may load and run nothing but what `policy` allows."""
    return [(b"content-security-policy", policy), (b"x-content-type-options", b"nosniff")]


def packed_body(coding: bytes) -> Response:
    """Return the refusal of a compressed body: a few bytes may decompress to more than the limit on bodies."""
    named = coding.decode("latin-1")[:40]
    text = f"Invalid request: Content-Encoding: wanted identity, a body as it is, found {named}"
    return json_response(415, {"error": text, "code": 415}, headers=[(b"accept-encoding", b"identity")])


class Later:
    """The response of a REST call that waits."""

    def __init__(self, web: "HttpApp", target: Target, fields: dict[str, Any]) -> None:
        self._web, self._target, self._fields = web, target, fields
        self.future: asyncio.Future[Response] | None = None

    def deliver(self, outcome: Outcome) -> None:
        """Set the response, unless the client is gone."""
        assert self.future is not None
        if self.future.done():
            return
        try:
            self.future.set_result(self._web.response(outcome, self._target, self._fields))
        except Exception as error:  # of this request, not of the one whose change ended the wait
            self.future.set_exception(error)
READING = (b"GET", b"HEAD")
"""Methods of requests that a page of any origin may send, unless the row writes; a page cannot read the replies."""


class HttpApp:
    """The HTTP application of one server."""

    def __init__(self, server: "Server") -> None:
        self.server = server
        settings = server.settings
        self.calls = JsonCalls(server)
        self.walks = KeyWalks(server)
        self.envelopes = Envelopes(self.calls, self.walks)
        self.operations = Operations(self.envelopes, self.walks)
        self.admission = HttpAdmission(settings.names("server.allowed_hosts"), settings.names("server.cors_origins"))
        self.metrics = Metrics(CATALOGUE)
        self.fixed: dict[bytes, tuple[str, Callable[[Request], Response | Awaitable[Response]]]] = {
            b"/": ("GET", self.front),
            b"/health": ("GET", self.health),
            b"/health/replication": ("GET", self.replication),
            b"/metrics": ("GET", self.exposition),
            b"/openapi.json": ("GET", self.described),
            b"/docs": ("GET", self.documented),
        }
        self.posted: dict[bytes, Callable[[Request, Caller], Response | Awaitable[Response]]] = {
            b"/api/v1/command": self.envelopes.answer,
            b"/api/stream": self.operations.answer,
            b"/snapshot": self.snapshot,
        }
        self.topic_ends = TopicEnds()
        self.sockets, self.streams = Routes(b"/ws", ROUTES), Routes(b"/sse", STREAMS)
        self._pages: dict[str, Response] = {}

    def answer(self, caller: Caller, request: Request) -> Response | Awaitable[Response] | Opening:
        """Return the reply to a request, an awaitable of the reply, or the opening of an event stream that is the
        reply. Raises Fault and Refused."""
        self.admission.admit(request)
        if request.coding and request.body:
            return packed_body(request.coding)
        special = self.fixed.get(request.path)
        if special is not None:
            method, answer = special
            asked = request.method.decode("ascii", "replace")
            if asked != method and (asked, method) != ("HEAD", "GET"):
                return self.other_method(request, allowed({method: None}))
            return answer(request)
        posted = self.posted.get(request.path)
        if posted is not None:
            if request.method != b"POST":
                return self.other_method(request, allowed({"POST": None}))
            self.admission.admit_write(request)
            return posted(request, caller)
        if request.path == b"*":
            return self.other_method(request, "DELETE, GET, HEAD, OPTIONS, POST, PUT")
        if self.server.node is None:
            return self.health(request)
        if self.sockets.mark in request.path and self.sockets.find(request) is not None:
            return without_upgrade(request) if request.method == b"GET" else self.other_method(request, "GET, OPTIONS")
        if self.streams.mark in request.path and (stream := self._stream(request)) is not None:
            return stream
        rest = self.server.rest
        found = rest.find(request)
        if isinstance(found, Response):
            return found
        if found[0] is None:
            return self.other_method(request, found[1])
        target, values = found
        if target.row.writes or request.method not in READING:
            self.admission.admit_write(request)
        try:
            fields = rest.fields(request, target, values)
            if target.row.traits & WALKS:
                return self.walks.before(target.row, caller, lambda: self.call_at_once(caller, target, fields))
            return self.call(caller, target, fields)
        except Fault as fault:
            if request.body or fault.row.http != 422:
                raise
            return in_query(fault, request)

    def _stream(self, request: Request) -> Response | Opening | None:
        """Return the opening of an event stream, or why it is refused; None if the path is none of a stream."""
        try:
            found = self.streams.find(request)
            if found is None:
                return None
            if request.method not in READING:
                return self.other_method(request, "GET, HEAD, OPTIONS")
            route, parameters = found
            place = last_event_id(request)
            if place:  # what a client has seen last: in the query it says that of an earlier stream
                parameters["last_event_id"] = place
            level = http_durability.asked(self.server, request, parameters.pop("durability", ""))
            factory = route(self.server, request, parameters)
        except Fault as fault:
            return in_query(fault, request)
        return factory if isinstance(factory, Response) else Opening(request, factory, parameters, level)

    def other_method(self, request: Request, methods: str) -> Response:
        """Answer OPTIONS with the `methods` of a path, and with CORS headers to a browser; refuse any other method."""
        if request.method != b"OPTIONS":
            return not_allowed(request.method.decode("ascii", "replace"), methods)
        told = methods.encode()
        return Response(204, b"", b"", [(b"allow", told), *self.admission.preflight(request, told)])

    def with_headers(self, response: Response, request: Request) -> Response:
        """Return the reply with CORS headers if origins are allowed, gzipped if the client accepts that."""
        if self.admission.origins:
            headers = [*response.headers, *self.admission.cors(request)]
            response = Response(response.status, response.body, response.content_type, headers, response.close)
        return gzipped(response, request)

    def call_at_once(self, caller: Caller, target: Target, fields: dict[str, Any]) -> Response:
        """Make the call of a REST request whose row does not wait. Raises Fault."""
        response = self.call(caller, target, fields)
        assert isinstance(response, Response), "a row with the trait WALKS does not wait"
        return response

    def call(self, caller: Caller, target: Target, fields: dict[str, Any]) -> Response | Awaitable[Response]:
        """Make the call of a REST request; return the response, or an awaitable if the call waits. Raises Fault."""
        engine, calls = self.server.engine, self.calls
        now = self.server.clock.now()
        if target.before is not None:
            self._make_before(caller, target, fields, now)
        later = Later(self, target, fields) if target.row.waits else None
        deliver = None if later is None else later.deliver
        outcome = calls.make(caller, target, fields, now, deliver, target.before is None)
        if outcome.status == PARKED:
            assert later is not None
            later.future = self.server.loop.create_future()
            return later.future
        try:
            return self.response(outcome, target, fields)
        finally:
            engine.settle(now)

    def _make_before(self, caller: Caller, target: Target, fields: dict[str, Any], now: int) -> None:
        """Make the call that precedes the call of a route; both count once for the caller's rate. Raises Fault if the
        request ends here."""
        assert target.before is not None and target.route is not None, "only a route has another row to carry out first"
        engine = self.server.engine
        target.pack(fields)  # a call with wrong fields makes nothing
        engine.admit_to(target.row.name, caller, now)
        outcome = self.calls.make(caller, target.before, fields, now, counted=False)
        engine.settle(now)
        if outcome.failed and outcome.refusal != target.route.tolerates:
            raise status_fault(outcome.status, fields, 0)

    def response(self, outcome: Outcome, target: Target, fields: dict[str, Any]) -> Response:
        """Return an outcome as a response. Raises Fault; the caller calls `settle` also then."""
        try:
            return Response(200, _encode(self.calls.payload(outcome, target, fields, target.render)))
        except LookupError:
            return json_response(404, {"error": "Not found", "code": 404})

    # Pages of the server.

    def health(self, request: Request) -> Response:
        """Answer 200 when ready; until then 503 with the progress of the start."""
        server = self.server
        if server.phase == "ready" and server.node is not None:
            status = "degraded" if server.node.failed else "healthy"
            body: dict[str, Any] = {"status": status, "service": "synap", "version": server.version}
            if server.coming:
                body["preparing"] = server.coming
            return json_response(200, body)
        progress = server.progress
        body = {
            "status": "starting",
            "service": "synap",
            "version": server.version,
            "phase": server.phase,
            "kernels": {"done": progress.done, "total": progress.total, "current": progress.name},
        }
        return json_response(503, body, headers=[(b"retry-after", b"1")])

    def snapshot(self, request: Request, caller: Caller) -> Response | Awaitable[Response]:
        """Write a snapshot and answer when it is complete. Raises Fault as BGSAVE does, and without persistence."""
        server = self.server
        if server.node is None:
            return self.health(request)
        server.engine.admit_to("server.snapshot", caller, server.clock.now())
        if server.node.disk is None:
            raise Fault("SWITCHED_OFF", name="a snapshot", switch="persistence.enabled")
        return server.snapshots.reply()

    def replication(self, request: Request) -> Response:
        """Answer with the replication role of this node, which is always standalone."""
        server = self.server
        if server.node is None:
            return self.health(request)
        return json_response(200, {
            "role": "standalone", "status": "degraded" if server.node.failed else "healthy",
            "current_offset": server.engine.seq, "replicas": [], "replicas_connected": 0,
            "lag_operations": 0, "lag_ms": 0, "total_replicated": 0, "total_bytes": 0,
        })  # fmt: skip

    def exposition(self, request: Request) -> Response:
        """Return the metrics for Prometheus; those of the process are there before the node is."""
        text, content_type = self.metrics.exposition(self.server)
        return Response(200, text, content_type)

    def described(self, request: Request) -> Response:
        """Return the OpenAPI document, built from the command table once."""
        if "openapi" not in self._pages:
            self._pages["openapi"] = Response(200, _encode(openapi.document(self._catalogue, self.server.version)))
        return self._pages["openapi"]

    @property
    def _catalogue(self) -> Catalogue:
        return CATALOGUE if self.server.node is None else self.server.engine.catalogue

    def front(self, request: Request) -> Response:
        """Return the front page with links: HTML for browsers, JSON for programs."""
        version = self.server.version
        if prefers_html(header(request, b"accept")):
            page, policy = front_page(version)
            return Response(200, page, b"text/html; charset=utf-8", [*_VARIES, *_guarded(policy)])
        return json_response(200, {"service": "synap", "version": version, "links": LINKS}, headers=_VARIES)

    def documented(self, request: Request) -> Response:
        """Return the HTML page of the API's documentation, built once."""
        if "docs" not in self._pages:
            page, policy = page_of(self._catalogue, self.server.version)
            self._pages["docs"] = Response(200, page, b"text/html; charset=utf-8", _guarded(policy))
        return self._pages["docs"]
