"""HTTP connections, WebSockets and event streams in CLIENT LIST and KILL.

These connections have no session in the heap. An HttpClient has what CLIENT LIST shows of a client, as a session does.
"""

from typing import TYPE_CHECKING

from synap.io.connections.connection import place
from synap.io.connections.states import OPEN, PAUSED, WAITING
from synap.io.feeds.feed_connection import FeedConnection
from synap.io.http.http_connection import HttpConnection
from synap.io.resp.resp_connection import RespConnection

if TYPE_CHECKING:
    from synap.io.server.server import Server


class HttpClient:
    """An HTTP connection, WebSocket or event stream with the attributes of a Session, of which some are empty."""

    at = row_at = namespace = version = 0
    name = made_with_version = b""
    made_with = b"http"
    in_multi = watch_broken = no_evict = no_touch = False
    listener = tracking = None
    watched: tuple[int, ...] = ()

    def __init__(self, connection: HttpConnection | FeedConnection, now: int) -> None:
        self.connection, self.link = connection, self
        self.number, self.caller = connection.number, connection.caller
        self.closing, self.parked = connection.life is not OPEN, connection.caller.parked
        wall = connection.server.loop.time()
        self.opened = now - int((wall - connection.opened) * 1000)
        waits = connection.work is WAITING or connection.work is PAUSED
        busy = waits or (isinstance(connection, HttpConnection) and connection.served != connection.seen)
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
        elif isinstance(connection, HttpConnection | FeedConnection):
            output += connection.unsent
            unfinished += connection.bytes_while_waiting
    return output, unfinished


def listed(server: "Server", now: int) -> list[HttpClient]:
    """Return all HTTP connections, WebSockets and event streams, the oldest first, each with a number of its own."""
    found = []
    for connection in server.connections:
        if isinstance(connection, HttpConnection | FeedConnection) and not connection.lost:
            connection.number = connection.number or server.engine.sessions.take_number()
            found.append(HttpClient(connection, now))
    return found
