"""Group commit: the changes of one turn of the loop are written to the log once, before the replies are sent.

Replies wait in one ordered queue of (connection, bytes). At the end of a turn its frames go to the log in one write.
In mode `always` the replies of a group are sent when the group is on the disk, after the replies of earlier groups.

A connection may ask for another durability than the mode promises (synap/durability.py), for all of its replies or for
some. The connections that do are *choosers*. While there are any, the replies of a turn are parted: those that need no
sync are sent, and those that do form a group, which shares its sync with all that wait. Each connection gets its
replies in order: one that needs no sync goes behind those of its connection that still wait.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import TYPE_CHECKING

from synap import durability
from synap.durability import ALWAYS, DEFAULT
from synap.io.node.clock import monotonic
from synap.io.node.node import Node
from synap.journal import Log, LogFailed
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

    def take_some(self, waits: Callable[["Connection"], bool]) -> None:
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

    def __init__(self, node: Node, loop: asyncio.AbstractEventLoop, on_failure: Callable[[str], None]) -> None:
        """Set up for `node`. `on_failure` is called with the reason why the log failed."""
        self._node = node
        self._loop = loop
        self._on_failure = on_failure
        self._interval = node.settings.number("persistence.wal.fsync_interval_ms") / 1000
        self.rounds: Rounds | NoRounds = NoRounds()
        self._scheduled = False
        self.shared = False  # do waiting replies include identical bytes for several connections?
        self._ready: list[tuple[Connection, bytes]] = []
        self._batches: deque[tuple[int, list[tuple[Connection, bytes]]]] = deque()
        self._choosers: set[Connection] = set()
        self._mode = node.fsync_mode  # at the end of the last turn
        self._awaited: list[tuple[int, Callable[[], None]]] = []  # calls that wait for a sync: seq, what ends the wait
        self._others = False  # did the last turn send replies that needed no sync, beside some that do?
        self._syncs = 0  # syncs under way on threads
        self._begun, self._asked_seq = 0.0, 0  # of the sync begun last: its start time, the seq that it makes safe
        self._next_sync: asyncio.TimerHandle | None = None
        self._sync_at: asyncio.TimerHandle | None = None
        node.engine.journal_flush = self.flush_early
        node.engine.host.durability = self
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

    # Durability.

    @property
    def has_log(self) -> bool:
        """True if changes are written to a log."""
        return self._node.log is not None

    def reached(self, asked: str) -> str:
        """Return the level that replies have reached when they are sent, if they ask for a level."""
        return durability.reached(asked, self._node.fsync_mode, self.has_log)

    def strongest(self, *levels: str) -> str:
        """Return the level of one reply to calls with these levels."""
        return durability.strongest(levels, self._node.fsync_mode)

    def choose(self, connection: "Connection", level: str) -> None:
        """Set the durability of a connection's replies from now on, and of those in this turn if it is raised; what
        replies before it report gets the sync that it needed."""
        if level == connection.durability:
            return
        if durability.waits_for_sync(connection.durability, self._node.fsync_mode):
            connection.sync_to = self._node.engine.seq
        connection.durability = level
        self._choosers.add(connection)

    def forget(self, connection: "Connection") -> None:
        """Forget the durability of a connection that is closed."""
        self._choosers.discard(connection)

    def synced(self, seq: int) -> bool:
        """Return whether all changes up to `seq` are in the log and on the disk."""
        log = self._node.log
        return log is not None and log.synced_seq >= seq

    def when_synced(self, seq: int, done: Callable[[], None]) -> None:
        """Sync the log at the end of this turn, and call `done` once all changes up to `seq` are on the disk."""
        self._awaited.append((seq, done))
        self.schedule()

    def safe_seq(self, connection: "Connection") -> int:
        """Return the last seq that is as safe as the replies of a connection promise."""
        log = self._node.log
        assert log is not None
        strict = durability.waits_for_sync(connection.durability, self._node.fsync_mode)
        return log.synced_seq if strict or connection.sync_to > log.synced_seq else log.written_seq

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
        if log is None:
            self._let_go()
        else:
            self._send_safe(log, ALWAYS in (self._node.fsync_mode, self._mode))

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
        always = ALWAYS in (mode, self._mode)  # the replies of a turn in which the mode changes were made for both
        self._mode = mode
        # After a failure only replies to reads are left; behind replies that wait for a sync they share the outcome.
        if log is None or (log.failed is not None and not self._batches):
            self._let_go()
            return
        if not self._send_safe(log, always):
            self.rounds.take()
            self._keep(log.written_seq, self._ready)
            self._ready, self._others = [], False
        if self._awaited:
            self._end_awaited()
        if self._batches or self._awaited:
            self._sync()
        soon = mode == "periodic" or (always and self._choosers)  # some may have asked for less than `always`
        if soon and self._sync_at is None and log.synced_seq < log.written_seq:
            self._sync_at = self._loop.call_later(self._interval, self._sync_due)

    def _send_safe(self, log: Log, always: bool) -> bool:
        """Send the replies that are safe enough, and keep those of choosers that are not; `always`: the mode asks for
        a sync. Return False, and do nothing, if all replies have to wait."""
        unsynced = log.synced_seq < log.written_seq
        if self._choosers or (self._batches and not always):
            self._part(log, always, unsynced, log.synced_seq)
        elif always and (unsynced or self._batches):
            return False
        else:
            self._let_go()
        return True

    def _part(self, log: Log, always: bool, unsynced: bool, synced_seq: int) -> None:
        """Send the replies that need no sync, and keep the others."""
        batches = self._batches
        levels = (durability.FSYNC, DEFAULT) if always else (durability.FSYNC,)

        def needs_sync(connection: "Connection") -> bool:
            return (unsynced and connection.durability in levels) or connection.sync_to > synced_seq

        if self._ready:
            self.rounds.take()
        else:
            self.rounds.take_some(lambda connection: connection.unsynced > 0 or needs_sync(connection))
        free: list[tuple[Connection, bytes]] = []
        waiting: list[tuple[Connection, bytes]] = []
        for entry in self._ready:
            connection = entry[0]
            if needs_sync(connection):
                waiting.append(entry)
            elif connection.unsynced:
                connection.unsynced += 1
                batches[-1][1].append(entry)
            else:
                free.append(entry)
        if waiting:
            self._keep(log.written_seq, waiting)
        self._ready, self._others = free, bool(free) or bool(self.rounds.unanswered())
        self._let_go()
        self._choosers = {
            one for one in self._choosers if one.durability != DEFAULT or one.unsynced or one.sync_to > synced_seq
        }

    def _keep(self, seq: int, replies: list[tuple["Connection", bytes]]) -> None:
        """Keep replies until the log is on the disk up to `seq`."""
        for connection, _ in replies:
            connection.unsynced += 1
        self._batches.append((seq, replies))

    def _end_awaited(self) -> None:
        """End the calls that have waited for a sync that is made now."""
        awaited, self._awaited = self._awaited, []
        for seq, done in awaited:
            if self.synced(seq):
                done()
            else:
                self._awaited.append((seq, done))

    def _let_go(self) -> None:
        if not self._ready:
            self.rounds.deliver()
            return
        if not self.shared:
            connections = {connection for connection, _ in self._ready}
            self.rounds.take_some(connections.__contains__)  # theirs go behind, also if a socket takes only a part
            ready, self._ready = self._ready, []
            _transmit(ready)
            self.rounds.deliver()
            return
        self.rounds.take()
        ready, self._ready = self._ready, []
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
        elif self.sync_seconds < INLINE_SYNC_S and not self._others:
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
            self._sync_rest()

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

    def _sync_next(self) -> None:
        self._next_sync = None
        self._sync_rest()

    def _sync_rest(self) -> None:
        log = self._node.log
        if (self._batches or self._awaited) and log is not None and log.failed is None:
            self._sync()

    def _release(self, seq: int) -> None:
        while self._batches and self._batches[0][0] <= seq:
            replies = self._batches.popleft()[1]
            for connection, _ in replies:
                connection.unsynced -= 1
            _transmit(replies)
        if self._awaited:
            self._end_awaited()

    def _sync_due(self) -> None:
        """Sync on a thread, at the end of the interval of mode `periodic`."""
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
        self._on_failure(str(failure))

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
