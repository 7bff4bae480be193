"""Group commit: the changes of one turn of the loop are written to the log once, before the replies are sent.

Replies wait in one ordered queue of (connection, bytes). At the end of a turn its frames go to the log in one write.
In mode `always` the replies of a group are sent when the group is on the disk, after the replies of earlier groups.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import TYPE_CHECKING

from synap.io.node.clock import monotonic
from synap.io.node.node import Node
from synap.journal import LogFailed
from synap.journal.logs import SYNCS_MAX
from synap.store.memory import layout

if TYPE_CHECKING:
    from synap.io.connections.connection import Connection
    from synap.io.resp.epoll_rounds import Rounds

INLINE_SYNC_S = 0.0005
"""Syncs shorter than this are made in the loop: handing one to a thread costs about 0.1 ms."""


SPREAD_MIN = 4
"""From this many connections on, identical bytes are sent to all of them by one kernel call."""


class NoRounds:
    """Takes the place of the epoll rounds where no kernel serves sockets: no reply waits outside the turn."""

    def take(self) -> None:
        return

    def unanswered(self) -> set[int]:
        return set()

    def arrivals(self) -> dict[int, bytes]:
        return {}

    def leave_out(self, descriptor: int, size: int) -> None:
        return

    def deliver(self) -> None:
        return

    def fan_out(self, connections: list["Connection"], data: bytes) -> None:
        for connection in connections:
            connection.transmit(data)


class GroupCommit:
    """Group commit for all connections of a server. A turn is one pass of the event loop."""

    def __init__(self, node: Node, loop: asyncio.AbstractEventLoop, on_failure: Callable[[str, int], None]) -> None:
        """Set up for `node`. `on_failure` is called with the reason why the log failed and the last seq that is as
        safe as `fsync_mode` promises."""
        self._node = node
        self._loop = loop
        self._on_failure = on_failure
        self._interval = node.settings.number("persistence.wal.fsync_interval_ms") / 1000
        self.rounds: Rounds | NoRounds = NoRounds()
        self._scheduled = False
        self.shared = False  # do waiting replies include identical bytes for several connections?
        self._ready: list[tuple[Connection, bytes]] = []
        self._batches: deque[tuple[int, list[tuple[Connection, bytes]]]] = deque()
        self._syncs = 0  # syncs under way on threads
        self._begun, self._asked_seq = 0.0, 0  # of the sync begun last: its start time, the seq that it makes safe
        self._next_sync: asyncio.TimerHandle | None = None
        self._sync_at: asyncio.TimerHandle | None = None
        node.engine.journal_flush = self.flush_early
        self._pubsub, self._tracking = node.engine.pubsub, node.engine.tracking
        self._pubsub.soon = self.schedule
        self.look: Callable[[], None] = lambda: None  # called at the end of each turn; the upkeep timer sets it
        self._threads = ThreadPoolExecutor(SYNCS_MAX, "synap-fsync")
        self.sync_seconds = 0.0  # duration of the last sync

    def send(self, connection: "Connection", data: bytes) -> None:
        """Queue `data` for `connection`; it is sent when every change that it may report is safe.

        Replies that need no sync also wait for the end of the turn: sent one by one they wake their clients one by
        one, which cost a third of the throughput at depth 16 (measured, GET and SET).
        """
        connection.queued += 1
        self._ready.append((connection, data))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.end)

    def hold(self, connection: "Connection", data: bytes) -> None:
        """Queue `data` as `send` does, without scheduling `end`: for replies of an epoll round, which calls `end`."""
        connection.queued += 1
        self._ready.append((connection, data))

    def flush_early(self) -> None:
        """Write frames in the middle of a turn. Raises LogFailed.

        On failure the waiting replies are dropped and their outcomes declared unknown here, because at the end of the
        turn they could not be told from replies to reads.
        """
        try:
            self._node.flush()
        except LogFailed as failure:
            self.failed(failure)
            raise

    def send_early(self) -> None:
        """Send the replies of a turn that has a long script in its middle, if what they report is safe already.

        The frames of the script are a group that is not complete, so they cannot be written; nor those before them.
        """
        numbers, log = self._node.engine.numbers, self._node.log
        of_script = max(numbers[layout.IN_GROUP] - 1, 0)
        if self.shared or numbers[layout.LOG_COUNT] > of_script > 0:
            return
        if not of_script:
            self.flush_early()
        if log is None or self._node.fsync_mode != "always" or (
            log.synced_seq >= log.written_seq and not self._batches
        ):
            self._let_go()

    def schedule(self) -> None:
        """Schedule `end`, because there are frames or replies."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.end)

    def end(self) -> None:
        """End the turn: write its frames, then send its replies, or keep them until the sync."""
        self._scheduled = False
        self.look()
        try:
            self._node.flush()
        except LogFailed as failure:
            self.rounds.take()
            self._pubsub.forget_outbox()
            self.failed(failure)
            self._tracking.deliver()  # whoever keeps values of their own has to read these keys again
            return
        self._pubsub.deliver()
        self._tracking.deliver()
        log, mode = self._node.log, self._node.fsync_mode
        if self._batches and mode != "always":  # the mode has just changed: replies that wait still get their sync
            self.rounds.take()
            self._catch_up()
        # After a failure only replies to reads are left; behind replies that wait for a sync they share the outcome.
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
        self.rounds.take()  # the rounds' replies go behind these, also if a socket takes only a part of them
        ready, self._ready = self._ready, []
        if not self.shared:
            _transmit(ready)
            return
        self.shared = False
        for _, group in groupby(ready, lambda entry: id(entry[1])):
            entries = list(group)
            if len(entries) < SPREAD_MIN:
                _transmit(entries)
            else:
                self.rounds.fan_out([connection for connection, _ in entries], entries[0][1])

    def _sync(self) -> None:
        """Sync what is written: in the loop if syncs are fast, else on a thread.

        On a slow disk several syncs overlap, spread over the duration of one: a reply then waits for little more than
        one sync, not for the rest of an earlier one and a whole further one.
        """
        log = self._node.log
        assert log is not None
        begun = monotonic()  # not loop.time(), which moves by whole milliseconds
        if self._syncs:
            if self._syncs == SYNCS_MAX or self._asked_seq == log.written_seq:
                return
            pause = self._begun + self.sync_seconds / SYNCS_MAX - begun
            if pause > 0:  # the end of another turn may call _sync before the timer
                if self._next_sync is None:
                    self._next_sync = self._loop.call_later(pause, self._sync_next)
                return
        elif self.sync_seconds < INLINE_SYNC_S:
            self._sync_here(begun)
            return
        self._syncs += 1
        self._begun, self._asked_seq = begun, log.written_seq

        def done(future: asyncio.Future[int]) -> None:
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

    def _sync_aside(self, done: Callable[[asyncio.Future[int]], None]) -> bool:
        """Sync on a thread and call `done` with the future; return False if the system refuses a thread."""
        assert self._node.log is not None
        try:
            future = self._loop.run_in_executor(self._threads, self._node.log.sync)
        except RuntimeError:
            return False
        future.add_done_callback(done)
        return True

    def _sync_here(self, begun: float) -> None:
        """Sync in the loop, then send the replies that wait for the sync."""
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
        """Sync in the loop and send the replies that wait, after the mode was changed from `always`."""
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
            _transmit(self._batches.popleft()[1])

    def _sync_due(self) -> None:
        """Sync on a thread, at the end of an interval of mode `periodic`."""
        self._sync_at = None
        log = self._node.log
        if log is None or log.failed is not None:
            return

        begun = monotonic()

        def done(future: asyncio.Future[int]) -> None:
            error = future.exception()
            self._node.sync_seconds = monotonic() - begun
            if isinstance(error, LogFailed):
                self._sync_failed(error)

        if not self._sync_aside(done):
            self._sync_here(begun)

    def _sync_failed(self, failure: LogFailed) -> None:
        """Handle a failed sync of a thread. Do nothing if the failure was handled before, or if a snapshot has made the
        log writable again: then no reply that waits now is in doubt."""
        log = self._node.log
        if log is not None and log.failed is not None and not self._node.failed:
            self.failed(failure)

    def failed(self, failure: LogFailed) -> None:
        """Handle a failed log: every reply computed until now and not yet sent has an unknown outcome."""
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
        """True if replies wait for a sync."""
        return bool(self._batches)

    def close(self) -> None:
        """Cancel the timers and wait for syncs under way; no turn may follow."""
        for timer in (self._sync_at, self._next_sync):
            if timer is not None:
                timer.cancel()
        self._threads.shutdown(wait=True)


def _transmit(replies: Iterable[tuple["Connection", bytes]]) -> None:
    """Hand replies to their connections; an exception of one connection costs the others nothing."""
    for connection, data in replies:
        try:
            connection.transmit(data)
        except Exception as error:
            connection.failed(error)
