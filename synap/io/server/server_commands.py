"""The server's part of commands about the server (SAVE, SHUTDOWN, INFO, CLIENT), and the upkeep of its limits."""

from typing import TYPE_CHECKING

from synap.engine.handlers import clients, info
from synap.io.http import http_clients
from synap.io.node.clock import seed
from synap.io.node.limits import files_max
from synap.io.node.node import Node
from synap.io.process import logging_setup
from synap.io.resp.resp_connection import RespConnection
from synap.settings import FILE

if TYPE_CHECKING:
    from synap.io.server.server import Server

OWN_FILES = 32
"""Descriptors that are kept for the log, snapshots and listeners."""


class ServerConnections:
    """The connections of a server, as the rows of its engine see them."""

    def __init__(self, server: "Server") -> None:
        self._server = server

    @property
    def connections_max(self) -> int:
        """The greatest number of open connections."""
        return self._server.connections.connections_max

    @connections_max.setter
    def connections_max(self, count: int) -> None:
        self._server.connections.connections_max = count

    @property
    def query_bytes_max(self) -> int:
        """The largest command of a RESP connection, in bytes."""
        return self._server.limits.query_bytes_max

    @query_bytes_max.setter
    def query_bytes_max(self, size: int) -> None:
        self._server.limits.query_bytes_max = size
        for connection in self._server.connections:
            if isinstance(connection, RespConnection) and not connection.lost:
                connection.machine.limit_query(size)

    @property
    def output_bytes_max(self) -> int:
        """The unread output for which a connection is closed, in bytes."""
        return self._server.connections.output_bytes_max

    @output_bytes_max.setter
    def output_bytes_max(self, size: int) -> None:
        self._server.connections.output_bytes_max = size

    @property
    def feed_output_bytes_max(self) -> int:
        """The unread messages for which a subscriber is closed, in bytes."""
        return self._server.limits.feed_output_bytes_max

    @feed_output_bytes_max.setter
    def feed_output_bytes_max(self, size: int) -> None:
        self._server.limits.feed_output_bytes_max = size

    @staticmethod
    def possible() -> int:
        """Return how many connections the limit of open files permits, without those the server itself needs."""
        files = files_max()
        return 1_000_000 if files < 0 else max(files - OWN_FILES, 1)

    def count(self) -> int:
        """Return the number of open connections."""
        return len(self._server.connections)

    def memory(self) -> tuple[int, int]:
        """Return bytes of output that clients have not taken, and bytes of unfinished input."""
        return http_clients.memory(self._server)

    def http_clients(self, now: int) -> list[http_clients.HttpClient]:
        """Return the HTTP and WebSocket connections."""
        return http_clients.listed(self._server, now)


def install(server: "Server", node: Node) -> None:
    """Give the engine's rows access to this server. Rows run in the loop, so a shutdown is only scheduled by them."""
    engine, loop, settings = node.engine, server.loop, server.settings
    engine.diagnostics.idle_s = settings.number("limits.timeout")
    engine.diagnostics.keep_alive_s = settings.number("limits.tcp_keepalive")
    host = engine.host
    host.hello_as_redis = settings.text("resp.hello_server") == "redis"
    host.http_port, host.run_id, host.event_loop = server.http_port, seed(20).hex(), type(loop).__module__.split(".")[0]
    host.config_file = FILE if any(FILE in settings.origin(name) for name in settings) else ""
    host.uptime = lambda: int(server.uptime)
    host.set_log_level = logging_setup.set_level
    host.log_lines_dropped = logging_setup.dropped
    host.call_later = engine.changes.later = loop.call_later
    host.stop = lambda: loop.call_soon(server.stop)
    host.connections = ServerConnections(server)
    host.transactions = server.web.calls.transactions
    if node.disk is not None:
        host.snapshots = server.snapshots


def stop_line(server: "Server") -> str:
    """Return the log line at the end of a clean stop: where the data is."""
    node, settings = server.node, server.settings
    where = settings.text("persistence.directory")
    if node is None:
        return "stopped before it was ready"
    if node.disk is None:
        return "stopped, the data was only in memory and is lost (persistence.enabled)"
    if node.failed:
        return f"stopped, {where} has all acknowledged changes; writes were refused at the end: {node.failed}"
    return f"stopped, data is safe in {where}"


def upkeep(server: "Server", now: int) -> None:
    """End pauses, sample statistics, and close RESP connections that have been idle for longer than `limits.timeout`.

    The upkeep timer calls this at each tick, at least ten times a second. `now` is engine time in ms.
    """
    engine = server.engine
    diagnostics = engine.diagnostics
    diagnostics.upkeep(now, info.used_bytes(engine), lambda: info.total_calls(engine))
    if diagnostics.idle_s:
        for connection in server.connections:
            if not isinstance(connection, RespConnection) or connection.lost:
                continue
            session = connection.machine.session
            if clients.subscribed(session):
                continue
            if connection.idle and now - session.seen > diagnostics.idle_s * 1000:
                connection.hang_up()
