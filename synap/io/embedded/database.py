"""The in-process database of `synap.open()`: an engine and its log without a server, one lock around each call."""

import atexit
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeAlias

from synap.derive.binders import Build, binder
from synap.derive.outcomes import numbers_told
from synap.derive.replies import plain
from synap.derive.reply_forms import Form, native_form
from synap.durability import DEFAULT, check_reachable, level_of, reached, waits_for_sync
from synap.engine.callers import Caller, Surface
from synap.engine.change_frames import checked_frames
from synap.engine.handlers.table import digest_of
from synap.engine.outcomes import HANDLED, PARKED, Outcome
from synap.faults import Fault
from synap.io.embedded.array_calls import GroupRow
from synap.io.embedded.array_methods import ArrayMethods
from synap.io.embedded.methods import Methods
from synap.io.embedded.sketch_methods import SketchMethods
from synap.io.node.clock import Clock, monotonic
from synap.io.node.jit_warmup import Progress, prepare, workers_of
from synap.io.node.node import Node, directory_of
from synap.io.node.redis_config import redis_config
from synap.io.node.threads import Syncs, Waiter
from synap.io.process.standard_streams import open_closed
from synap.journal import LogFailed
from synap.observe import counters
from synap.settings import Settings
from synap.store.memory import layout

UPKEEP_S = 0.1
Level: TypeAlias = Literal["memory", "os", "fsync", "default"]
CLOSED = "the database is closed"
_open: "weakref.WeakSet[Database]" = weakref.WeakSet()


class Database(Methods, ArrayMethods, SketchMethods):
    """A database in this process. Safe to use from several threads; close it, or use it as a context manager.

    Values are `str`, `bytes` (or anything with a buffer) or JSON values. Texts and bytes are returned as `bytes`, other
    values as they were stored; a value that would be returned as another one is refused with a TypeError or
    ValueError. Each call is atomic. In mode `periodic` a thread syncs the log, at most the interval after a write; the
    thread starts with the first write. A database on disk is closed at the end of the program if it is still open.
    After a fork the database belongs to the parent process, and calls of the child are refused.
    """

    __slots__ = ("_level",)
    _level: str  # of durability; all other attributes are shared with the databases that `with_durability` returns

    def __init__(self, path: str | Path | None, settings: Settings) -> None:
        """Open the directory `path`, or a database in memory only if `path` is None.

        Raises LockHeld if another process uses the directory, Damage if promised data in the directory is damaged.
        """
        self._level = DEFAULT
        open_closed()  # or this program's own output could end up in the log of the data
        changes: dict[str, Any] = {"persistence.enabled": path is not None}
        if path is not None:
            changes["persistence.directory"] = str(path)
        begun = monotonic()
        self._settings = settings.replace(changes)
        directory = directory_of(self._settings)  # before `prepare`, during which a thread may change directory
        prepare(workers_of(self._settings), _silent)
        self._clock = Clock()
        self._node = Node(self._settings, self._clock, directory=directory)
        self._engine = self._node.engine
        self._lock = threading.Lock()
        self._builds: dict[str, Build] = {}
        self._forms: dict[str, Form] = {}  # of the replies of each row
        self._group_rows: dict[str, GroupRow] = {}
        self._caller = Caller(Surface.PYTHON)
        self._upkeep_at = monotonic()
        self._closed = ""  # the reason why the database cannot be used
        self._waiters: set[Waiter] = set()
        self._syncs: Syncs | None = None
        if self._node.log is not None:
            interval = self._settings.number("persistence.wal.fsync_interval_ms") / 1000
            self._syncs = Syncs(self._node.log, interval, self._sync_failed)
        self._pool: ThreadPoolExecutor | None = None
        self._pool_size = 0
        host = self._engine.host
        host.config = redis_config(self._settings, self._node.directory)
        host.uptime = lambda: int(monotonic() - begun)
        host.durability = _Durability(self._node)
        if self._node.disk is not None:
            host.snapshots = _Snapshots(self._node)
        _open.add(self)
        if self._node.disk is not None:
            atexit.register(self.close)

    def with_durability(self, level: Level) -> "Database":
        """Return the same database, whose calls return once their changes have this durability: `fsync` for the disk,
        `os` for the system, `memory` for nothing, `default` for what `persistence.wal.fsync_mode` says.

        Raises Fault BAD_DURABILITY for other words, NO_LOG_FOR_DURABILITY if there is no log to write to.
        """
        other = Database.__new__(Database)
        other.__dict__ = self.__dict__
        other._level = level_of(level)
        check_reachable(other._level, self._engine.host.durability.has_log)
        return other

    def durability(self) -> dict[str, str]:
        """Return the durability that is `asked` for, and the one that has been `reached` when a call returns."""
        return {"asked": self._level, "reached": self._engine.host.durability.reached(self._level)}

    def call(self, name: str, /, **fields: Any) -> Any:
        """Make the call of the row `name` (`"kv.set"`) with these arguments.

        Returns None, True, an int, bytes, a list or a dict, by the row's reply shape. Raises Fault if the call is
        refused. A call that would wait returns None at once; `blpop` waits.
        """
        return self._carry_out(name, fields, waits=False)

    def _call_waiting(self, name: str, **fields: Any) -> Any:
        return self._carry_out(name, fields, waits=True)

    def _carry_out(self, name: str, fields: dict[str, Any], waits: bool) -> Any:
        engine = self._engine
        row = engine.catalogue.by_name.get(name)
        if row is None or row.internal or row.session:
            raise Fault("UNKNOWN_COMMAND", name=name, args="")
        with self._lock:
            self._check_open()
            build = self._builds.get(name)
            if build is None:
                build = self._builds[name] = binder(row, native=True)
            tape, blob = build(fields)
            if len(blob) > self._settings.number("limits.query_bytes_max") or len(blob) > layout.CALL_BLOB_BYTES:
                raise Fault("QUERY_TOO_LARGE")
            now = self._clock.now()
            if engine.numbers[layout.TIMERS_DUE] <= now:
                self._end_timers(now)
            self._put(tape, blob)
            caller, deliver, waiter = self._caller, None, None
            if waits:
                waiter = Waiter(caller, lambda outcome: self._value(outcome, fields), lambda: engine.seq)
                caller, deliver = waiter, waiter.deliver
            outcome = engine.execute(
                caller, engine.row_at[name], layout.CALL, len(tape), len(blob), now, deliver
            )
            if outcome.status == PARKED:
                assert waiter is not None
                seconds = waiter.seconds(now)
                self._waiters.add(waiter)
                self._finish(now)
            else:
                try:
                    return self._value(outcome, fields)
                finally:
                    self._finish(now)
        return self._await(waiter, seconds)

    def _value(self, outcome: Outcome, fields: dict[str, Any]) -> Any:
        """Return what a call answers, as Python. Raise Fault if it was refused."""
        numbers = self._engine.numbers
        if outcome.status == HANDLED:
            if isinstance(outcome.value, Fault):
                raise outcome.value
            return outcome.value
        if outcome.refusal:
            words = {name: value for name, value in fields.items() if isinstance(value, str)}
            told = numbers_told(numbers[layout.REPLY], numbers[layout.REPLY + layout.SECOND_NUMBER])
            raise Fault(outcome.refusal, **words | told)
        form = self._forms.get(outcome.row.name)
        if form is None:
            form = self._forms[outcome.row.name] = native_form(outcome.row.reply)
        return form(plain(outcome.status, outcome.row, numbers, self._engine.bytes))

    def _await(self, waiter: Waiter, seconds: float | None) -> Any:
        try:
            self._wait(waiter, seconds)
        finally:
            with self._lock:  # the thread that set the answer holds the lock until its change is in the log
                self._waiters.discard(waiter)
                if not self._closed and waiter.parked is not None:
                    answers = waiter.parked.pending is not None  # what there is at the end of the timeout
                    self._engine.stop_waiting(waiter, *((None,) if answers else ()))
                safe = self._makes_safe(waiter.seq)
        if waiter.error is not None:
            raise waiter.error
        if not safe:
            raise Fault("UNKNOWN_OUTCOME")
        return waiter.value

    def _makes_safe(self, seq: int) -> bool:
        """Return whether all changes up to `seq`, which other threads have made, are as safe as calls promise here."""
        log = self._node.log
        if log is not None and self._strict and seq > log.synced_seq and log.failed is None and not self._closed:
            try:
                log.sync()
            except LogFailed as failure:
                self._node.fail(failure)
        return log is None or seq <= (log.synced_seq if self._strict else log.written_seq)

    def _wait(self, waiter: Waiter, seconds: float | None) -> None:
        """Wait for the answer or the timeout; meanwhile run due timers, since no other thread may be there to."""
        end = None if seconds is None else monotonic() + seconds
        while True:
            left = UPKEEP_S if end is None else min(UPKEEP_S, end - monotonic())
            if waiter.done.wait(max(left, 0)) or (end is not None and monotonic() >= end):
                return
            with self._lock:
                now = self._clock.now()
                if not self._closed and self._engine.numbers[layout.TIMERS_DUE] <= now:
                    self._end_timers(now)

    def _end_timers(self, now: int) -> None:
        """Handle leases that have run out, delayed messages that are ready, and events that are too old."""
        self._engine.upkeep.step(now)
        self._finish(now)

    def _finish(self, now: int) -> None:
        """End a call: free blocks, serve waiting calls, write the log, run upkeep at intervals.

        Raises Fault UNKNOWN_OUTCOME if the log fails.
        """
        try:
            self._engine.settle(now)
            self._commit()
            self._run_upkeep(now)
        except LogFailed as failure:
            self._node.fail(failure)
            raise Fault("UNKNOWN_OUTCOME") from failure

    def _write_log(self) -> None:
        """Write the changes of a part of a call to the log. Raises Fault UNKNOWN_OUTCOME if the log fails."""
        try:
            self._engine.free_deferred()
            self._commit()
        except LogFailed as failure:
            self._node.fail(failure)
            raise Fault("UNKNOWN_OUTCOME") from failure

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(self._closed)

    def digest(self) -> dict[str, int]:
        """Return a hash of the logical state of each family."""
        with self._lock:
            self._check_open()
            return digest_of(self._engine)

    def apply_frames(self, frames: bytes) -> int:
        """Make the changes in `frames`, as `change_frames` of another database gives them; return the last seq.

        This database must be in memory only, and have all changes before these and no others: a new one for those from
        seq 1 on. From then on it makes no change of its own: writes are refused (READ_ONLY), and keys are removed when
        the other database has removed them. Frames are trusted, as the files of a directory are. Raises ValueError if
        they do not continue it.
        """
        with self._lock:
            self._check_open()
            engine = self._engine
            if self._node.disk is not None:
                raise ValueError("frames are applied to a database in memory only, this one has a directory")
            first, count = checked_frames(frames)
            if count and first != engine.seq + 1:
                raise ValueError(f"frames: wanted those from seq {engine.seq + 1} on, found {first}")
            if count:
                engine.numbers[layout.REFUSE] |= layout.GUARD_READ_ONLY
                engine.frames.replay(frames, 1)
                self._node.changes.applied(memoryview(frames), first, count)
            return engine.seq

    def counters(self) -> dict[str, int]:
        """Return the store's counters, by name (see docs/operations.md)."""
        with self._lock:
            self._check_open()
            return {row.name: row.read(self._engine.numbers, self._engine.catalogue) for row in counters.TABLE}

    def snapshot(self) -> str:
        """Write a snapshot and return its file name. Raises Fault SWITCHED_OFF if the database is in memory only."""
        with self._lock:
            self._check_open()
            if self._node.disk is None:
                raise Fault("SWITCHED_OFF", name="a snapshot", switch="persistence.enabled")
            return self._node.snapshot_here()

    def close(self) -> None:
        """Sync the log and release the directory. A second call does nothing.

        Calls that wait in other threads raise the ValueError that later calls get.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = CLOSED
            for waiter in self._waiters:
                if waiter.parked is not None and not waiter.parked.over:
                    waiter.error = ValueError(CLOSED)
                    waiter.done.set()
        atexit.unregister(self.close)
        if self._syncs is not None:
            self._syncs.stop()  # without holding the lock: a sync that fails takes the lock
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown()
            self._node.stop()

    def _disable_in_child(self, parent: int) -> None:
        """Disable this database in a forked child: it belongs to the parent, with the work of the parent's threads."""
        if not self._closed:
            self._closed = f"the database belongs to process {parent}, which opened it: open one after the fork"
        self._lock = threading.Lock()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _put(self, tape: list[int], blob: bytes) -> None:
        numbers = self._engine.numbers
        numbers[layout.CALL - 2] = 0
        numbers[layout.CALL - 1] = layout.CALL_BLOB * layout.WORD
        for i, value in enumerate(tape):
            numbers[layout.CALL + i] = value
        start = layout.CALL_BLOB * layout.WORD
        self._engine.bytes[start : start + len(blob)] = blob

    @property
    def _strict(self) -> bool:
        return waits_for_sync(self._level, self._node.fsync_mode)

    def _commit(self) -> None:
        """Write changes to the log before the call returns, and sync it if the call's durability asks for that; else
        request a sync, unless the mode is `never`. Then serve those who wait for changes."""
        if self._engine.numbers[layout.LOG_COUNT]:
            self._node.flush()
        log = self._node.log
        if log is not None and log.synced_seq != log.written_seq and log.failed is None:
            if self._strict:
                log.sync()
            elif self._node.fsync_mode != "never" and self._syncs is not None:
                self._syncs.want()
        if self._engine.changes.waiting_count:
            self._engine.changes.serve()

    def _sync_failed(self, failure: LogFailed) -> None:
        """Refuse writes after a failed sync, unless a snapshot has made the log writable. Called in the sync thread."""
        with self._lock:
            log = self._node.log
            if log is not None and log.failed is not None:
                self._node.fail(failure)

    def _run_upkeep(self, now: int) -> None:
        """Run a step of upkeep at intervals, since there is no event loop to run it."""
        if monotonic() - self._upkeep_at >= UPKEEP_S:
            self._upkeep_at = monotonic()
            self._clock.adjust()
            self._engine.upkeep.step(now)
            self._commit()


class _Snapshots:
    """The snapshots of a database in this process: each is written before the call returns."""

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def save_points(self) -> list[tuple[int, int]]:
        """No pairs: a program takes its snapshots itself."""
        return []

    @save_points.setter
    def save_points(self, points: list[tuple[int, int]]) -> None:
        if points:
            raise ValueError("a database in a program takes no snapshots by itself")

    def write(self) -> None:
        """Write a snapshot. Raises OSError if it cannot be written."""
        try:
            self._node.snapshot_here()
        except LogFailed as failure:
            self._node.fail(failure)
            raise OSError(str(failure)) from None

    begin = again = write


class _Durability:
    """What is safe of a database in this process."""

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def has_log(self) -> bool:
        """True if changes are written to a log."""
        return self._node.log is not None

    def reached(self, asked: str) -> str:
        """Return the level that a call has reached when it returns, if it asks for a level."""
        return reached(asked, self._node.fsync_mode, self.has_log)

    def synced(self, seq: int) -> bool:
        """Return whether all changes up to `seq` are in the log and on the disk."""
        return self._node.log is not None and self._node.log.synced_seq >= seq

    def when_synced(self, seq: int, done: Callable[[], None]) -> None:
        """Do nothing: a call that would wait returns at once."""


def _disable_all() -> None:
    for each in list(_open):
        each._disable_in_child(os.getppid())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_disable_all)


def _silent(progress: Progress) -> None:
    return
