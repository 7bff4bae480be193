"""The server: start, connections and stop of one process with a node and its listeners."""

import asyncio
import logging
import sys
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

from synap import __version__
from synap.durability import MEMORY
from synap.engine.engine import Engine
from synap.faults import BrokenNode
from synap.io.connections.connection import Connection
from synap.io.connections.open_connections import OpenConnections
from synap.io.connections.peer_limits import peer_limits
from synap.io.http.http_app import HttpApp
from synap.io.node.clock import Clock, monotonic
from synap.io.node.files import UnusableDirectory
from synap.io.node.group_commit import GroupCommit
from synap.io.node.jit_warmup import (
    PREPARING,
    Abandoned,
    PreparationAside,
    Progress,
    ProgressBar,
    unload_compiler,
    workers_of,
)
from synap.io.node.node import Node
from synap.io.node.redis_config import redis_config
from synap.io.process import logging_setup, signals, systemd
from synap.io.server import server_commands
from synap.io.server.busy_clients import BusyClients
from synap.io.server.listeners import Listeners
from synap.io.server.snapshots import ServerSnapshots
from synap.io.server.upkeep_timer import UpkeepTimer
from synap.proto.rest import Rest
from synap.proto.streamable import Commands
from synap.settings import Settings
from synap.store.memory import layout

log = logging.getLogger("synap")

SWEEP_S = 0.5


class Server:
    """The server of one process: a node and its listeners. The annotated attributes exist once `node` does."""

    engine: Engine
    rest: Rest
    commands: Commands
    snapshots: ServerSnapshots

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.version = __version__
        self.clock = Clock()
        self.node: Node | None = None
        self.kernels: PreparationAside | None = None
        self._unloaded = False
        self.progress = Progress()
        self.phase = "compiling"
        self.started = monotonic()
        self.ready = asyncio.Event()
        self.http_port = self.resp_port = 0
        self.log_count = layout.LOG_COUNT
        self.limits = peer_limits(settings)
        self.broken: BaseException | None = None
        self._stopping = asyncio.Event()
        self.upkeep_timer: UpkeepTimer | None = None

    # Start and stop.

    async def run(self) -> None:
        """Serve until a signal or `stop`. Raises the error that keeps the node from starting."""
        self.loop = asyncio.get_running_loop()
        self.connections = OpenConnections(self.settings, self.loop)
        self.turn: GroupCommit = _NoGroupCommit()
        self.web = HttpApp(self)
        signals.end_by(self.loop, self._stopping.set)
        self.loop.set_exception_handler(self._unhandled)
        self.listeners = self._listeners()
        try:
            self.http_port = await self.listeners.open_http()
            async with anyio.create_task_group() as group:
                group.start_soon(self._stop_when_asked, group.cancel_scope)
                group.start_soon(self._sweep)
                await self._start()
                self.resp_port = await self.listeners.open_resp()
                self.engine.host.resp_port = self.resp_port
                self._tell_ready()
                self.upkeep_timer = UpkeepTimer(self)
                self.upkeep_timer.begin()
        except BaseExceptionGroup as failed:  # a single error is raised as itself, to be reported in one line
            if len(failed.exceptions) == 1:
                raise failed.exceptions[0] from failed.exceptions[0].__cause__
            raise
        finally:
            self.listeners.close()
            self._close()
        if self.broken is not None:
            raise self.broken

    def stop(self) -> None:
        """Stop the server cleanly."""
        self._stopping.set()

    def _listeners(self) -> Listeners:
        return Listeners(self)

    async def _stop_when_asked(self, scope: anyio.CancelScope) -> None:
        await self._stopping.wait()
        systemd.notify_stopping()
        if self.kernels is not None:
            self.kernels.abandon()  # the recovery may wait for them, on a thread that has to end first
        scope.cancel()

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log an exception of a callback; a BrokenNode stops the server, others affect only their connection."""
        error = context.get("exception")
        log.error("%s", context.get("message"), exc_info=error)
        if isinstance(error, BrokenNode):
            self.broken = error
            self._stopping.set()

    async def _start(self) -> None:
        await self._prepare()
        self.phase = "recovering"
        systemd.notify_starting("recovering")
        node = await self._open()
        engine = node.engine
        engine.host.config = redis_config(self.settings, node.directory)
        self.snapshots = ServerSnapshots(self, node)
        server_commands.install(self, node)
        for note in node.recovered.notes:
            log.warning(note)
        self.busy_clients = BusyClients(self, engine.scripts)
        engine.scripts.switch(all(self._switches().values()))
        self.rest = Rest(engine.catalogue, engine.row_at, self._switches())
        self.commands = Commands(engine.catalogue, engine.row_at, self._switches())
        self.commands.image().place(engine.words, engine.octets)
        self.turn = GroupCommit(node, self.loop, self._log_failed)
        for connection in self.connections:
            connection.turn = self.turn
        self.engine, self.node = engine, node
        node.place_doors(list(self.kernels.ready) if self.kernels is not None else None)

    async def _prepare(self) -> None:
        """Begin to compile and load the kernels; return when those of the first stage are loaded."""
        shown = ProgressBar(log.info)

        def tell(progress: Progress) -> None:
            self.progress = progress
            shown(progress)
            if self.phase != "ready":
                systemd.notify_starting(f"{PREPARING}: {100 * progress.done // max(progress.total, 1)} %")

        self.kernels = kernels = PreparationAside(workers_of(self.settings), tell, self._kernels_changed)
        kernels.begin()
        try:
            await kernels.first
        finally:
            shown.only_lines()  # the log has the terminal now

    def _kernels_changed(self) -> None:
        """Let the calls go on whose kernels are ready now; the failure of a compilation stops the server."""
        assert self.kernels is not None
        if self._stopping.is_set():
            return
        if self.kernels.failure is not None:
            self.broken = self.kernels.failure
            self._stopping.set()
            return
        if self.node is not None:
            self.node.place_doors(list(self.kernels.ready))
        if self.kernels.over and not self._unloaded:
            self._unloaded = True
            unload_compiler()
            if self.phase == "ready":
                log.info("all kernels are ready (%.1f s)", self.uptime)

    async def _open(self) -> Node:
        """Open the data directory and recover, on a thread, so that the health endpoint answers meanwhile.

        Raises UnusableDirectory, with the flag that sets the directory.
        """
        try:
            wait = self.kernels.wait if self.kernels is not None else None
            opened = partial(Node, self.settings, self.clock, wait_for_kernels=wait)
            return await anyio.to_thread.run_sync(opened)
        except Abandoned:
            await anyio.sleep_forever()  # until the stop that ended the wait cancels this task
            raise
        except UnusableDirectory as failure:
            raise UnusableDirectory(f"{failure}; --data-dir DIRECTORY") from failure

    def _switches(self) -> dict[str, bool]:
        return {"kv_store.allow_flush_commands": self.settings.switch("kv_store.allow_flush_commands")}

    def _tell_ready(self) -> None:
        assert self.node is not None
        found = self.node.recovered
        where = self.listeners.urls
        resp = f", RESP on port {self.resp_port}" if self.resp_port else ""
        took = monotonic() - self.started
        log.info("ready: %s%s (%.2f s, %d frames recovered)", where, resp, took,
                 found.snapshot_frames + found.log_frames)  # fmt: skip
        self.phase = "ready"
        if self.coming:
            log.info("calls for %s wait until their kernels are compiled", ", ".join(self.coming))
        signals.log_hang_ups(self.loop)
        systemd.notify_ready(f"ready: {where}{resp}")
        self.ready.set()

    def _close(self) -> None:
        self.phase = "stopping"
        if self.upkeep_timer is not None:
            self.upkeep_timer.end()
        for connection in self.connections:
            connection.guarded(connection.leave)
        if self.node is not None:
            self.turn.end()
            self.turn.close()
            self.node.stop()
        if self._stopping.is_set() and self.broken is None:
            log.info("%s", server_commands.stop_line(self))

    @property
    def coming(self) -> list[str]:
        """What people call the commands whose kernels are not ready yet: their calls wait."""
        return self.kernels.coming if self.kernels is not None else []

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return monotonic() - self.started

    async def _sweep(self) -> None:
        while True:
            await anyio.sleep(SWEEP_S)
            self.connections.look_at_all()

    def _log_failed(self, reason: str) -> None:
        log.error("writes are refused: %s", reason)
        self.connections.end_beyond(self.turn.safe_seq)


class _NoGroupCommit(GroupCommit):
    """Takes the turn's place before the node is ready: replies leave at once."""

    def __init__(self) -> None:
        """Set nothing up: without a node there is no log to wait for."""
        self._choosers = set()

    def reached(self, asked: str) -> str:
        return MEMORY

    def choose(self, connection: Connection, level: str) -> None:
        return

    def send(self, connection: Connection, data: bytes) -> None:
        connection.queued += 1
        connection.transmit(data)

    def end(self) -> None:
        return

    def close(self) -> None:
        return


def serve(settings: Settings) -> None:
    """Run a server until a signal stops it. Raises the error that keeps the server from starting."""
    signals.ignore(signals.IGNORED)
    lines = logging_setup.begin(settings)
    _raise_file_limit()

    async def main() -> None:
        await Server(settings).run()

    options = {"use_uvloop": True} if sys.platform != "win32" else {}
    try:
        anyio.run(main, backend="asyncio", backend_options=options)
    finally:
        signals.ignore(signals.ENDING)  # all is written: another signal must not turn this end into a failure
        logging_setup.end(lines)


def _raise_file_limit() -> None:
    """Raise the limit of open files to the hard limit, at most 2**20: each connection takes a descriptor."""
    try:
        import resource
    except ImportError:  # Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1 << 20), hard))
