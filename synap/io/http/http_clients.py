"""HTTP and WebSocket connections in CLIENT LIST, KILL and PAUSE.

These connections have no session in the heap. An HttpClient has the attributes of a session that CLIENT LIST reads.
"""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from synap.faults import Fault
from synap.io.connections.connection import place
from synap.io.http.http_admission import Refused
from synap.io.http.http_connection import HttpConnection
from synap.io.resp.resp_connection import RespConnection
from synap.io.websocket.websocket_connection import WebSocketConnection
from synap.journal import LogFailed
from synap.proto import streamable
from synap.proto.http import Request, Response
from synap.proto.rest import json_response

if TYPE_CHECKING:
    from synap.io.server.server import Server


class HttpClient:
    """An HTTP or WebSocket connection with the attributes of a Session; MULTI, names and namespaces are empty."""

    at = row_at = namespace = version = 0
    name = made_with_version = b""
    made_with = b"http"
    in_multi = watch_broken = no_evict = no_touch = False
    listener = None
    watched: tuple[int, ...] = ()

    def __init__(self, connection: HttpConnection | WebSocketConnection, now: int) -> None:
        self.connection, self.link = connection, self
        self.number = connection.number
        self.closing, self.parked = connection.ended, connection.caller.parked
        wall = connection.server.loop.time()
        self.opened = now - int((wall - connection.opened) * 1000)
        busy = connection.busy or (isinstance(connection, HttpConnection) and connection.served != connection.seen)
        self.seen = now if busy else now - int((wall - connection.since) * 1000)
        self.peer = place(connection.transport.get_extra_info("peername"))
        self.local = place(connection.transport.get_extra_info("sockname"))
        self.held_bytes = connection.bytes_while_waiting
        self.replies = connection.queued
        self.waiting_bytes = int(connection.transport.get_write_buffer_size())

    @property
    def descriptor(self) -> int:
        """The socket's file descriptor, -1 without a socket."""
        found = self.connection.transport.get_extra_info("socket")
        return -1 if found is None else int(found.fileno())

    @property
    def asks(self) -> str:
        """The row or page that the client requested last, `NULL` if there is none."""
        connection = self.connection
        if connection.asked is None:
            return "NULL"
        found = connection.server.rest.find(connection.asked)
        if isinstance(found, tuple) and found[0] is not None:
            return str(found[0].row.name)
        page = connection.asked.path.decode("ascii", "replace")
        web = connection.server.web
        return page if page.encode() in web.fixed or page.encode() in web.posted else "NULL"

    def hang_up(self) -> None:
        """Close the connection at once."""
        self.connection.transport.abort()


def memory(server: "Server") -> tuple[int, int]:
    """Return bytes of output that clients have not taken, and bytes of unfinished input."""
    output = unfinished = 0
    for connection in server.connections:
        if connection.lost:
            continue
        output += connection.transport.get_write_buffer_size()
        if isinstance(connection, RespConnection):
            unfinished += connection.held_bytes
        elif isinstance(connection, HttpConnection | WebSocketConnection):
            output += connection.unsent
            unfinished += connection.bytes_while_waiting
    return output, unfinished


def listed(server: "Server", now: int) -> list[HttpClient]:
    """Return all HTTP and WebSocket connections, the oldest first; each gets a number that is never used again."""
    found = []
    for connection in server.connections:
        if isinstance(connection, HttpConnection | WebSocketConnection) and not connection.lost:
            connection.number = connection.number or server.engine.sessions.take_number()
            found.append(HttpClient(connection, now))
    return found


# Pauses.


def holds(server: "Server", request: Request) -> bool:
    """Return whether CLIENT PAUSE delays this request; never the server's own pages, such as health and metrics."""
    diagnostics = server.engine.diagnostics
    web = server.web
    if not diagnostics.pause_until or request.method == b"OPTIONS":
        return False
    if request.path == b"/api/v1/command":
        return bool(diagnostics.holds(_writes(server.commands, request.body)))
    if request.path == b"/api/stream":
        return bool(diagnostics.holds(web.operations.writes(request.body)))
    if request.path in web.fixed:
        return False
    found = server.rest.find(request)
    if not isinstance(found, tuple) or found[0] is None:
        return False
    return bool(diagnostics.holds(found[0].row.waits_for_writes))


def _writes(commands: streamable.Commands, body: bytes) -> bool:
    """Return whether a pause of writes holds one of the posted commands back; never an unreadable body."""
    try:
        posted = streamable.read(body)
    except Fault:
        return False
    names = [posted.command] if posted.commands is None else [one.command for one in posted.commands]
    targets = [commands.targets.get(name) for name in names]
    return any(target is not None and target.row.waits_for_writes for target in targets)


async def after_pause(server: "Server", connection: HttpConnection, request: Request) -> Response:
    """Return the reply to a request, after every pause that delays it."""
    diagnostics = server.engine.diagnostics
    while holds(server, request):
        released = asyncio.Event()
        diagnostics.on_unpause.append(released.set)
        await released.wait()
    try:
        response: Response | Awaitable[Response] = server.web.answer(connection.caller, request)
    except Refused as refused:
        return refused.response
    except LogFailed:
        connection.outcome_unknown()
        return json_response(500, {"error": "outcome unknown", "code": 500})  # the connection is closed already
    return response if isinstance(response, Response) else await response
