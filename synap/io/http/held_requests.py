"""HTTP requests that are held back: by CLIENT PAUSE, or because their kernels are not ready yet."""

from typing import TYPE_CHECKING

from synap.command import BATCHES
from synap.engine.diagnostics import Diagnostics
from synap.faults import Fault
from synap.proto import streamable
from synap.proto.http import Request

if TYPE_CHECKING:
    from synap.io.server.server import Server


def holds(server: "Server", request: Request) -> bool:
    """Return whether this request is held back; never the server's own pages, such as health and metrics."""
    diagnostics = server.engine.diagnostics
    web = server.web
    if request.method == b"OPTIONS":
        return False
    if request.path == b"/api/v1/command":
        return _holds_commands(diagnostics, server.commands, request.body)
    if request.path == b"/api/stream":
        row = web.operations.row_of(request.body)
        return row is not None and diagnostics.holds(row)
    if request.path in web.fixed:
        return False
    if web.streams.mark in request.path and web.streams.leads(request):
        return bool(diagnostics.coming)  # any row may be asked for there
    found = server.rest.find(request)
    if not isinstance(found, tuple) or found[0] is None:
        return False
    return bool(diagnostics.holds(found[0].row))


def _holds_commands(diagnostics: Diagnostics, commands: streamable.Commands, body: bytes) -> bool:
    """Return whether one of the posted commands is held back; never an unreadable body, unless it begins as a batch."""
    if BATCHES in diagnostics.coming and streamable.batch_head(body) is not None:
        return True
    try:
        posted = streamable.read(body)
    except Fault:
        return False
    names = [posted.command] if posted.commands is None else [one.command for one in posted.commands]
    if posted.commands is not None and BATCHES in diagnostics.coming:
        return True
    targets = [commands.targets.get(name) for name in names]
    return any(target is not None and diagnostics.holds(target.row) for target in targets)
