"""The server's part of commands about the server (SAVE, SHUTDOWN, INFO, CLIENT), and the upkeep of its limits."""

import asyncio
from typing import Any

from synap.engine.handlers import clients, info
from synap.io.http import http_clients
from synap.io.node.clock import seed
from synap.io.node.connections import RespConnection
from synap.io.process import logging_setup
from synap.journal import LogFailed
from synap.settings import FILE


def wire(server: Any, node: Any) -> None:
    """Give the engine's rows access to this server. Rows run in the loop, so a shutdown is only scheduled by them."""
    engine, loop = node.engine, server.loop
    settings = server.settings
    engine.operation.idle_s = settings.number("limits.timeout")
    engine.operation.keep_alive_s = settings.number("limits.tcp_keepalive")
    origins = [settings.origin(name) for name in settings if FILE in settings.origin(name)]

    def save_now() -> None:
        try:
            node.snapshot_here()
        except LogFailed as failure:
            server.turn.failed(failure)
            raise OSError(str(failure)) from None

    engine.facts |= {
        "call_later": loop.call_later,
        "visitors": lambda now: http_clients.listed(server, now),
        "log_lines_dropped": logging_setup.dropped,
        "clients": lambda: len(server.connections),
        "clients_memory": lambda: http_clients.memory(server),
        "shutdown": lambda: loop.call_soon(server.stop),
        "run_id": seed(20).hex(),
        "config_file": FILE if origins else "",
        "loop": type(loop).__module__.split(".")[0],
        "output_most": lambda: server.output_bytes_max,
        "set_output_most": lambda size: setattr(server, "output_bytes_max", size),
    }
    if node.disk is not None:
        engine.facts |= {
            "save_now": save_now,
            "snapshot_again": lambda: asyncio.ensure_future(server.snapshot_reply(), loop=loop),
            "get_save": lambda: node.save_points,
            "set_save": lambda points: setattr(node, "save_points", points),
        }


def farewell(server: Any) -> str:
    """Return the log line at the end of a clean stop: where the data is."""
    node, settings = server.node, server.settings
    where = settings.text("persistence.directory")
    if node is None:
        return "stopped before it was ready"
    if node.disk is None:
        return "stopped, the data was in memory alone and is gone (persistence.enabled)"
    if node.failed:
        return f"stopped, {where} has all that was acknowledged; writes were refused at the end: {node.failed}"
    return f"stopped, data is safe in {where}"


def upkeep(server: Any, now: int) -> None:
    """End pauses, sample statistics, and close RESP connections idle for longer than `limits.timeout`.

    The upkeep timer calls this at each tick, at least ten times a second. `now` is engine time in ms.
    """
    engine = server.engine
    operation = engine.operation
    operation.upkeep(now, info.used_bytes(engine), lambda: info.total_calls(engine))
    if operation.idle_s:
        for connection in list(server.connections):
            if not isinstance(connection, RespConnection) or connection.lost:
                continue
            session = connection.machine.session
            if clients.subscribed(session):
                continue
            if session.parked is None and now - session.seen > operation.idle_s * 1000:
                connection.hang_up()
