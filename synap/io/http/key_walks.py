"""Walks over all keys for HTTP requests, such as `/hash/stats`: in steps, between which other requests are served.

A store that one step suffices for is counted at once. For a larger one a task makes the walk. Only one walk is under
way at a time: requests that come meanwhile share the next one, since they may be about changes that this one has
passed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from synap.command import Command
from synap.engine.callers import Caller
from synap.engine.tallies import Tally
from synap.proto.http import Response
from synap.store.calls import calls
from synap.traits import ESTIMATES

if TYPE_CHECKING:
    from synap.io.server.server import Server


class KeyWalks:
    """The walks of one server, whose node must be open before the first one."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._running: asyncio.Task[Tally] | None = None
        self._next: asyncio.Task[Tally] | None = None
        self._with_estimates = False  # of the next walk

    def before(self, row: Command, caller: Caller, make: Callable[[], Response]) -> Response | Awaitable[Response]:
        """Walk over all keys, then make a call of this row, which has the trait WALKS; a refused call walks nowhere."""
        engine, now = self._server.engine, self._server.clock.now()
        row_at = engine.row_at[row.name]
        if calls.admit_handler(engine.words, engine.octets, row_at, 0, 0, now, caller.refuses):
            return make()
        tally = engine.tallies.begin(bool(row.traits & ESTIMATES))
        return self._make(tally, make) if tally.step(now) else self._later(row, make)

    def _make(self, tally: Tally, make: Callable[[], Response]) -> Response:
        tallies = self._server.engine.tallies
        tallies.hand_over(tally)
        try:
            return make()
        finally:
            tallies.hand_over(None)

    async def _later(self, row: Command, make: Callable[[], Response]) -> Response:
        self._with_estimates |= bool(row.traits & ESTIMATES)
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._walk(self._running))
        return self._make(await asyncio.shield(self._next), make)

    async def _walk(self, last: "asyncio.Task[Tally] | None") -> Tally:
        if last is not None:
            await asyncio.wait([last])
        self._running, self._next = self._next, None
        tally = self._server.engine.tallies.begin(self._with_estimates)
        self._with_estimates = False
        try:
            while not tally.step(self._server.clock.now()):
                await asyncio.sleep(0)
        finally:
            self._running = None
        return tally
