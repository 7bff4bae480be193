"""Durability of HTTP requests, WebSockets and event streams: the header that asks for a level, and tells which one is
reached.

The level of a request holds for its reply. That of a WebSocket or an event stream holds for all its messages; as a page
in a browser can send no header with it, the query of its address may have a field of this name.
"""

from typing import TYPE_CHECKING

from synap.durability import DEFAULT, check_reachable, level_of
from synap.faults import Fault
from synap.io.http.http_admission import header
from synap.proto.http import Headers, Request

if TYPE_CHECKING:
    from synap.io.connections.connection import Connection
    from synap.io.server.server import Server

DURABILITY = b"durability"


def asked(server: "Server", request: Request, in_query: str = "") -> str:
    """Return the level that a request, or its query, asks for; an empty text if it asks for none.

    Raises Fault for several headers, for an unknown level, and for one that needs a log if there is none.
    """
    text = in_query or header(request, DURABILITY).decode("latin-1")
    if text and (count := sum(name == DURABILITY for name, _ in request.headers)) > 1:
        raise Fault("WRONG_FIELD", field="durability", wanted="one header", found=str(count))
    if not text:
        return ""
    level = level_of(text)
    if server.node is not None:
        check_reachable(level, server.turn.has_log)
    return level


def told(server: "Server", level: str) -> Headers:
    """Return the headers that tell which level is reached by what asks for `level`; none if it asks for none."""
    return [(DURABILITY, server.turn.reached(level).encode())] if level else []


def take_over(before: "Connection", after: "Connection", level: str) -> None:
    """Give a WebSocket or an event stream its level; it takes over from an HTTP connection, whose replies may still
    wait for a sync."""
    before.choose_durability(DEFAULT)
    after.sync_to = before.sync_to
    after.choose_durability(level or DEFAULT)
