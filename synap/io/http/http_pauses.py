"""HTTP requests that CLIENT PAUSE delays."""

from typing import TYPE_CHECKING

from synap.faults import Fault
from synap.proto import streamable
from synap.proto.http import Request

if TYPE_CHECKING:
    from synap.io.server.server import Server


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
