"""The snapshots of a server: written by a child process beside its work, or by the process itself while all wait."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from synap.faults import SynapError
from synap.io.node.clock import monotonic
from synap.io.node.node import Node
from synap.journal import LogFailed
from synap.proto.http import Response
from synap.proto.rest import json_response

if TYPE_CHECKING:
    from synap.io.server.server import Server

log = logging.getLogger("synap")


class ServerSnapshots:
    """The snapshots of a server's node, as rows (SAVE, BGSAVE, CONFIG), the upkeep timer and `POST /snapshot` ask."""

    def __init__(self, server: "Server", node: Node) -> None:
        self._server, self._node, self._loop = server, node, server.loop
        self._waits: list[asyncio.Future[str]] = []  # each gets the snapshot's name, or its error behind a "!"
        self._later: asyncio.Future[Any] | None = None

    @property
    def save_points(self) -> list[tuple[int, int]]:
        """The pairs of (seconds, changes) of which any makes a snapshot due."""
        return self._node.save_points

    @save_points.setter
    def save_points(self, points: list[tuple[int, int]]) -> None:
        self._node.save_points = points

    def begin_if_due(self) -> None:
        """Begin a snapshot if a save point is reached."""
        if self._node.snapshot_due():
            self._begin()

    def begin(self) -> None:
        """Begin a snapshot in the background, after the command that asks for one has ended.

        The command may be inside a transaction, whose frames the log must get at once, and replies that are not with
        the group commit yet could not be recalled.
        """
        self._loop.call_soon(self._begin)

    def again(self) -> None:
        """Begin another snapshot once the one under way is finished."""
        self._later = asyncio.ensure_future(self.reply(), loop=self._loop)

    def write(self) -> None:
        """Write a snapshot before returning. Raises OSError if it cannot be written."""
        try:
            self._node.snapshot_here()
        except LogFailed as failure:
            self._server.turn.failed(failure)
            raise OSError(str(failure)) from None

    async def reply(self) -> Response:
        """Write a snapshot, wait for its end and return the response with path, offset and duration."""
        begun = monotonic()
        while self._node.snapshot_running:  # its state may be older than this request: wait, then write another one
            await self._wait()
        future = self._wait()
        self._begin()
        name = await future
        if name.startswith("!"):
            return json_response(500, {"error": f"Internal error: {name[1:]}", "code": 500})
        return json_response(200, {
            "success": True, "message": "Snapshot triggered successfully", "path": name,
            "offset": self._node.snapshot_seq, "duration_ms": int((monotonic() - begun) * 1000),
        })  # fmt: skip

    def _wait(self) -> asyncio.Future[str]:
        """Return a future of the end of the snapshot that runs or is about to begin."""
        future: asyncio.Future[str] = self._loop.create_future()
        self._waits.append(future)
        return future

    def _begin(self) -> None:
        """Begin a snapshot unless one is being written."""
        if self._node.snapshot_running:
            return
        try:
            reader = self._node.begin_snapshot()
        except LogFailed as failure:
            self._server.turn.failed(failure)
            self._over(None, failure)
            return
        except (OSError, SynapError) as error:
            self._over(None, OSError(str(error)))
            return
        self._loop.add_reader(reader, self._child_wrote, reader)

    def _child_wrote(self, reader: int) -> None:
        """Read what the child process has reported; at its end, end the snapshot."""
        try:
            name = self._node.end_snapshot()
        except (OSError, SynapError) as error:  # reported to the requests that wait, and in the log
            self._loop.remove_reader(reader)
            self._over(None, error)
            return
        if name is not None:
            self._loop.remove_reader(reader)
            self._over(name, None)

    def _over(self, name: str | None, error: Exception | None) -> None:
        self._server.turn.schedule()  # a snapshot may have made safe what calls wait for
        waits, self._waits = self._waits, []
        if error is not None:
            log.error("%s", error)
        for future in waits:
            if not future.done():
                future.set_result(name or f"!{error}")
