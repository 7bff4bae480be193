"""The real server and node, with what only the system could give them taken from a simulated world.

    Life(world, disk, settings)   one process: from its start to its end, whatever that is
      .run()                      until it stops, or PowerLoss; then `dead`

Of `Server` only its listeners and its two ways onto threads are replaced, of `Node` only the fork: the child is a fiber
that writes what stood in memory when it was begun. Everything else is the product's.
"""

import asyncio
import gc
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from synap.engine.handlers.table import digest_of
from synap.io.http.http_connection import HttpConnection
from synap.io.node.node import Node
from synap.io.resp.resp_connection import RespConnection
from synap.io.server import server
from synap.io.server.listeners import Listeners
from synap.io.server.server import Server
from synap.journal import LogFailed
from synap.journal.logs import Log
from synap.settings import Settings
from synap.store.memory.layout import LAST_NOW, LOG_COUNT
from tests.server.made_once import COMMANDS_ONCE, REST_ONCE
from tests.simulation.disk import PowerLoss, SimulatedDisk
from tests.simulation.loop import SimulatedLoop
from tests.simulation.world import MS, World

RESP_PORT, HTTP_PORT = 6379, 15500
SPAWN_NS = (1 * MS, 20 * MS)

BASE: dict[str, Any] = {
    "server.port": HTTP_PORT, "resp.port": RESP_PORT, "kv_store.max_memory_mb": 64,
    "persistence.wal.segment_bytes_max": 1 << 16, "slowlog.threshold_us": -1,
    "persistence.snapshot.interval_secs": 2,
}  # fmt: skip


class SimulatedNode(Node):
    """A node that notes what its state was wherever its log or a snapshot may end."""

    life: "Life"

    def _note_state(self) -> None:
        seq = self.engine.seq
        if seq not in self.life.states or self.engine.numbers[LOG_COUNT]:
            state = self.life.states[seq] = tuple(digest_of(self.engine).values())
            self.life.world.note("state", seq, state)

    def _fork(self, seq: int) -> tuple[int, int]:
        """The child sees memory as it is now, and the disk as it will be."""
        self._note_state()
        world, loop = self.life.world, self.life.loop
        rows = [(bytes(payload), count) for payload, count in self.load_rows(seq, self.engine.numbers[LAST_NOW])]
        pipe = 1000 + self.snapshots_done + self.snapshot_failures

        def child() -> None:
            try:
                world.wait(world.chance.randrange(*SPAWN_NS))
                name = self.write_rows(rows, seq)
                with suppress(OSError):
                    self._trim()
                said = f"ok {seq} {name}"
            except Exception as error:
                said = f"failed {error!r}"
            self._said = said.encode()
            world.note("child", said)
            loop.hear(pipe)

        world.spawn(child)
        return pipe, pipe

    def _hear(self) -> bool:
        return bool(self._said)

    def fail(self, failure: LogFailed) -> None:
        if not self.failed:
            self.life.on_fail()
        super().fail(failure)

    def snapshot_here(self) -> str:
        self._note_state()
        return super().snapshot_here()

    def flush(self) -> None:
        waits = bool(self.engine.numbers[LOG_COUNT])
        if waits:
            self._note_state()
        super().flush()
        if waits and self.log is not None:
            self.life.wrote.append((self.life.world.now, self.log.written_seq))


class SimulatedListeners(Listeners):
    """Listeners whose sockets are the simulated loop's, as where there is no epoll."""

    async def open_http(self) -> int:
        await self._simulate(HTTP_PORT, lambda: HttpConnection(self._server))
        return HTTP_PORT

    async def open_resp(self) -> int:
        await self._simulate(RESP_PORT, lambda: RespConnection(self._server))
        return RESP_PORT

    async def _simulate(self, port: int, made: Any) -> None:
        self._open.append(await self._loop.create_server(made, "127.0.0.1", port))


class SimulatedServer(Server):
    """A server whose node is opened in place and whose sockets are simulated."""

    life: "Life"

    async def _prepare(self) -> None:
        await asyncio.sleep(0)

    def _listeners(self) -> Listeners:
        return SimulatedListeners(self)

    async def _open(self) -> Node:
        await asyncio.sleep(0)
        kind = type("NodeOfLife", (SimulatedNode,), {"life": self.life})
        node: Node = kind(self.settings, self.clock, self.life.disk)
        self.life.node = node
        self.life.on_open(node)
        return node


class Life:
    """See the file."""

    slowness = 0
    """ns that a sync may take; 0: as a good disk."""
    on_open: Callable[[Node], None] = staticmethod(lambda node: None)
    on_fail: Callable[[], None] = staticmethod(lambda: None)

    def __init__(
        self, world: World, disk: SimulatedDisk, settings: dict[str, Any], states: dict[int, tuple[int, ...]]
    ) -> None:
        self.world, self.disk = world, disk
        self.loop = SimulatedLoop(world)
        self.states = states
        self.wrote: list[tuple[int, int]] = []  # (when, the seq written by then)
        self.node: Node | None = None
        self.sync_longest = 0
        self.server = SimulatedServer(Settings().replace(BASE | settings))
        self.server.life = self
        self.ended_by: BaseException | None = None

    def run(self) -> None:
        """Live until the end: a stop, a failed start, or the loss of power."""
        world, loop = self.world, self.loop
        world.begin_life()
        self.disk.pause = self._pause
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Log, "condition", staticmethod(world.condition))
                patch.setattr(server, "Rest", REST_ONCE)
                patch.setattr(server, "Commands", COMMANDS_ONCE)
                loop.run_until_complete(self.server.run())
        except (PowerLoss, Exception) as error:
            self.ended_by = error
        finally:
            world.end_life()
            self._bury()

    def _pause(self, kind: str) -> None:
        """The disk takes its time; now and then a lot of it."""
        chance = self.world.chance
        self.world.note("disk", kind)
        if kind == "write":
            if chance.random() < 0.02:
                self.world.wait(chance.randrange(3 * MS))
            return
        begun, slow = self.world.now, self.slowness
        self.world.wait(chance.randrange(50_000, 400_000) if not slow else chance.randrange(slow // 4, slow))
        self.sync_longest = max(self.sync_longest, self.world.now - begun)

    def _bury(self) -> None:
        """Nothing of this process goes on, not even its ends."""
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            with suppress(BaseException), warnings.catch_warnings(action="ignore"):
                task.get_coro().close()  # type: ignore[union-attr]
        self.loop._ready.clear()  # type: ignore[attr-defined]
        self.loop.set_exception_handler(None)  # anyio keeps tasks that never ended, and they keep the loop
        for held in (self.loop.sockets, self.loop.listeners, self.loop._readers):
            held.clear()
        self.loop.close()
        gc.collect()  # mappings of 100 MB are held by what holds itself
