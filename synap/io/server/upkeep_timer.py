"""The timer of the server's upkeep: a tick ten times a second, and sooner when a deadline falls due."""

import asyncio
import logging
from typing import TYPE_CHECKING

from synap.io.node.clock import monotonic
from synap.io.server import server_commands
from synap.journal import LogFailed
from synap.store.memory import layout

if TYPE_CHECKING:
    from synap.io.server.server import Server

log = logging.getLogger("synap")

TICK_MS = 100
SOONEST_MS = 1


class UpkeepTimer:
    """The ticks of upkeep: expired keys, deferred freeing, waits that end, leases, delayed messages, snapshots due."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        assert server.node is not None, "upkeep begins once the node is open"
        self._node, self._engine = server.node, server.engine
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0  # time of the next tick, in engine time
        self._more = False

    def begin(self) -> None:
        """Start ticking, once the server is ready."""
        self._server.turn.look = self.look
        self._later()

    def end(self) -> None:
        """Stop ticking."""
        if self._timer is not None:
            self._timer.cancel()

    def look(self) -> None:
        """Move the next tick forward if a deadline was set in this turn that falls due before it."""
        wanted = self._engine.next_wait
        if self._timer is None or wanted >= self._due:
            return
        if max(wanted, self._server.clock.now() + SOONEST_MS) < self._due:
            self._timer.cancel()
            self._later()

    def _later(self) -> None:
        server = self._server
        now = server.clock.now()
        self._due = max(now + SOONEST_MS, min(now + TICK_MS, self._engine.next_wait))
        self._timer = server.loop.call_later(0 if self._more else (self._due - now) / 1000, self._tick)

    def _tick(self) -> None:
        server, engine = self._server, self._engine
        try:
            now = server.clock.now()
            if server.clock.adjust():
                log.warning("the wall clock jumped by %d ms; engine time follows slowly", server.clock.apart_ms)
            try:
                begun = monotonic()
                self._more = engine.upkeep.step(now)
                self._node.delayed("expire-cycle", monotonic() - begun)
            except LogFailed:  # the turn has already told the connections
                self._more = False
            if engine.numbers[layout.LOG_COUNT]:
                server.turn.schedule()
            server.connections.drop_stalled()
            server_commands.upkeep(server, now)
            server.snapshots.begin_if_due()
        finally:
            self._later()
