"""One turn of the loop: what it changed is written once, and only then do the replies leave.

Replies wait in one ordered queue of (connection, bytes). At the end of the turn the frames go to the
log in one write; in `always` mode the replies of a group leave when the group is on the disk, those of
the groups before it first.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

from synap.io.node.clock import monotonic
from synap.io.node.node import Node
from synap.journal import LogFailed
from synap.journal.logs import SYNCS_MAX

INLINE_SYNC_S = 0.0005
"""A disk that answers sooner is waited for in the loop: handing over to a thread costs about 0.1 ms."""


SPREAD_MIN = 4
"""So many connections that get the same bytes are sent them by one call."""


class NoRounds:
    """Where no kernel serves sockets, no replies wait outside the turn."""

    def take(self) -> None:
        return

    def deliver(self) -> None:
        return

    def spread(self, connections: list[Any], data: bytes) -> None:
        for connection in connections:
            connection.transmit(data)


class Turn:
    """Group commit for all connections of a server."""

    def __init__(self, node: Node, loop: asyncio.AbstractEventLoop, on_failure: Callable[[str, int], None]) -> None:
        """`on_failure` is told why, and up to which seq everything is as safe as the mode wants it."""
        self._node = node
        self._loop = loop
        self._on_failure = on_failure
        self._interval = node.settings.number("persistence.wal.fsync_interval_ms") / 1000
        self.rounds: Any = NoRounds()
        self._scheduled = False
        self.shared = False  # is there something that goes to many in the same bytes?
        self._ready: list[tuple[Any, bytes]] = []
        self._batches: deque[tuple[int, list[tuple[Any, bytes]]]] = deque()
        self._syncs = 0  # under way on threads
        self._begun, self._asked_seq = 0.0, 0  # when the last of them began, and what it will promise
        self._next_sync: Any = None
        self._sync_at: Any = None
        node.engine.journal_flush = self.flush_early
        self._pubsub = node.engine.pubsub
        self._pubsub.soon = self.schedule
        self.look: Callable[[], None] = lambda: None  # whoever keeps the time wants to know when a turn ends
        self._threads = ThreadPoolExecutor(SYNCS_MAX, "synap-fsync")
        self.sync_seconds = 0.0  # of the last sync

    def send(self, connection: Any, data: bytes) -> None:
        """Let `data` leave to `connection` after everything that it may speak of is safe.

        Also replies that nothing holds up wait for the end of the turn: sent one by one they wake their
        clients one by one, which cost a third of the throughput at depth 16 (measured, GET and SET).
        """
        connection.queued += 1
        self._ready.append((connection, data))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.end)

    def hold(self, connection: Any, data: bytes) -> None:
        """As `send`, for a reply of a round, which ends the turn itself."""
        connection.queued += 1
        self._ready.append((connection, data))

    def flush_early(self) -> None:
        """Write frames in the middle of a turn. If that fails, replies that wait here are not acknowledged
        at its end, where nothing would tell them from reads. Raises LogFailed."""
        try:
            self._node.flush()
        except LogFailed as failure:
            self.failed(failure)
            raise

    def schedule(self) -> None:
        """There are frames or replies: end this turn soon."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.end)

    def end(self) -> None:
        """Write the frames, then let the replies go (or wait for the disk)."""
        self._scheduled = False
        self.look()
        try:
            self._node.flush()
        except LogFailed as failure:
            self.rounds.take()
            self._pubsub.forget_outbox()
            self.failed(failure)
            return
        self._pubsub.spread()
        log, mode = self._node.log, self._node.fsync_mode
        if self._batches and mode != "always":  # it was until now: what waits gets what it was to have
            self.rounds.take()
            self._catch_up()
        # Failed: only reads are left. Behind replies that wait for a sync they hear of it with them.
        if log is None or mode != "always" or (log.failed is not None and not self._batches):
            self._let_go()
            if log is not None and mode == "periodic" and self._sync_at is None and log.synced_seq < log.written_seq:
                self._sync_at = self._loop.call_later(self._interval, self._sync_due)
        elif log.synced_seq >= log.written_seq and not self._batches:
            self._let_go()
        else:
            self.rounds.take()
            ready, self._ready = self._ready, []
            self._batches.append((log.written_seq, ready))
            self._sync()

    def _let_go(self) -> None:
        if not self._ready:
            self.rounds.deliver()
            return
        self.rounds.take()  # behind these, also where a socket takes only a part of them
        ready, self._ready = self._ready, []
        if not self.shared:
            for connection, data in ready:
                connection.transmit(data)
            return
        self.shared = False
        for _, group in groupby(ready, lambda entry: id(entry[1])):
            entries = list(group)
            if len(entries) < SPREAD_MIN:
                for connection, data in entries:
                    connection.transmit(data)
            else:
                self.rounds.spread([connection for connection, _ in entries], entries[0][1])

    def _sync(self) -> None:
        """Bring what is written to the disk: here if it is fast, else on threads.

        On a slow disk several syncs overlap, spread over the time that one takes: a reply then waits for
        little more than one of them, not for the rest of one that began too early and another.
        """
        log = self._node.log
        assert log is not None
        begun = monotonic()  # the loop's own time moves by whole milliseconds
        if self._syncs:
            if self._syncs == SYNCS_MAX or self._asked_seq == log.written_seq:
                return
            pause = self._begun + self.sync_seconds / SYNCS_MAX - begun
            if pause > 0:  # another turn may end sooner and come by here
                if self._next_sync is None:
                    self._next_sync = self._loop.call_later(pause, self._sync_next)
                return
        elif self.sync_seconds < INLINE_SYNC_S:
            self._sync_here(begun)
            return
        self._syncs += 1
        self._begun, self._asked_seq = begun, log.written_seq

        def done(future: Any) -> None:
            self._syncs -= 1
            self.sync_seconds = monotonic() - begun
            self._node.synced_in(self.sync_seconds)
            try:
                self._release(future.result())
            except LogFailed as failure:
                self._sync_failed(failure)
            if self._batches:
                self._sync()

        if not self._sync_aside(done):
            self._syncs -= 1
            self._sync_here(begun)

    def _sync_aside(self, done: Callable[[Any], None]) -> bool:
        """Sync on a thread; False if the system lets us have none."""
        assert self._node.log is not None
        try:
            future = self._loop.run_in_executor(self._threads, self._node.log.sync)
        except RuntimeError:
            return False
        future.add_done_callback(done)
        return True

    def _sync_here(self, begun: float) -> None:
        """Sync in the loop, and let go the replies that wait for it."""
        log = self._node.log
        assert log is not None
        try:
            log.sync()
        except LogFailed as failure:
            self.failed(failure)
            return
        self.sync_seconds = monotonic() - begun
        self._node.synced_in(self.sync_seconds)
        self._release(log.synced_seq)

    def _catch_up(self) -> None:
        """Sync, and let go the replies that wait for it."""
        log = self._node.log
        assert log is not None
        try:
            self._release(log.sync())
        except LogFailed as failure:
            self.failed(failure)

    def _sync_next(self) -> None:
        self._next_sync = None
        if self._batches:
            self._sync()

    def _release(self, seq: int) -> None:
        while self._batches and self._batches[0][0] <= seq:
            for connection, data in self._batches.popleft()[1]:
                connection.transmit(data)

    def _sync_due(self) -> None:
        """`periodic`: the interval is over."""
        self._sync_at = None
        log = self._node.log
        if log is None or log.failed is not None:
            return

        begun = monotonic()

        def done(future: Any) -> None:
            error = future.exception()
            self._node.sync_seconds = monotonic() - begun
            if isinstance(error, LogFailed):
                self._sync_failed(error)

        if not self._sync_aside(done):
            self._sync_here(begun)

    def _sync_failed(self, failure: LogFailed) -> None:
        """A sync of the thread has failed. It may be the last to know: everybody has been told already, or a
        snapshot has made the log whole again. Then nothing that waits now is in doubt."""
        log = self._node.log
        if log is not None and log.failed is not None and not self._node.failed:
            self.failed(failure)

    def failed(self, failure: LogFailed) -> None:
        """The log has failed: whatever was computed until now and has not left has an unknown outcome."""
        log = self._node.log
        assert log is not None
        self._node.fail(failure)
        waiting = [entry for _, batch in self._batches for entry in batch] + self._ready
        self._batches.clear()
        self._ready = []
        for connection in dict.fromkeys(connection for connection, _ in waiting):
            connection.outcome_unknown()
        self._on_failure(str(failure), log.synced_seq if self._node.fsync_mode == "always" else log.written_seq)

    @property
    def waits_for_disk(self) -> bool:
        """Do replies wait for a sync?"""
        return bool(self._batches)

    def close(self) -> None:
        """No more turns."""
        for timer in (self._sync_at, self._next_sync):
            if timer is not None:
                timer.cancel()
        self._threads.shutdown(wait=True)
