"""The engine in this process: `synap.open()`. One lock around every call, the same log, no server."""

import atexit
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from synap.command import Command
from synap.derive.binders import Build, binder
from synap.derive.replies import as_json, plain
from synap.engine.handlers import digest_of
from synap.faults import TABLE, Fault
from synap.io.arrays import Found, Integers, Octets, Packed, Texts, pack
from synap.io.clock import Clock, monotonic
from synap.io.compile import Progress, prepare, workers_of
from synap.io.facts import redis_config
from synap.io.methods import Methods
from synap.io.node import Node
from synap.io.threads import Syncs, Waiter
from synap.journal import LogFailed
from synap.observe import counters
from synap.settings import Settings
from synap.store import bulk, layout
from synap.store.layout import FORM_JSON, REFUSED, STATUS_MASK

UPKEEP_S = 0.1
CLOSED = "the database is closed"
_open: "weakref.WeakSet[Database]" = weakref.WeakSet()


class Database(Methods):
    """A store in this process. Safe to use from several threads; close it, or use it as a context.

    Values go in as `str`, `bytes` or anything JSON can hold, and come out as `bytes`, or as what they
    were if they were neither `str` nor `bytes`. Each call is one step: others see all of it or nothing.
    In mode `periodic` a thread syncs the log, at most the interval after a write; the thread starts with the first
    write. A database on disk is closed at the end of the program if it is not before. After a fork it belongs to
    the parent: the child is refused.
    """

    def __init__(self, path: str | Path | None, settings: Settings) -> None:
        """Open the directory `path`, or nothing but memory if it is None.

        Raises LockHeld if another process has the directory, Damage if promised data in it is damaged.
        """
        changes: dict[str, Any] = {"persistence.enabled": path is not None}
        if path is not None:
            changes["persistence.directory"] = str(path)
        begun = monotonic()
        self._settings = settings.replace(changes)
        prepare(workers_of(self._settings), _silent)
        self._clock = Clock()
        self._node = Node(self._settings, self._clock)
        self._engine = self._node.engine
        self._lock = threading.Lock()
        self._builds: dict[str, Build] = {}
        self._upkeep_at = monotonic()
        self._closed = ""  # or why it cannot be used
        self._waiters: set[Waiter] = set()
        self._syncs: Syncs | None = None
        if self._node.log is not None:
            interval = self._settings.number("persistence.wal.fsync_interval_ms") / 1000
            self._syncs = Syncs(self._node.log, interval, self._sync_failed)
        self._pool: ThreadPoolExecutor | None = None
        self._pool_size = 0
        self._engine.facts |= {
            "config": redis_config(self._settings),
            "uptime": lambda: int(monotonic() - begun),
            "begin_snapshot": None if self._node.disk is None else self._node.snapshot_here,
        }
        _open.add(self)
        if self._node.disk is not None:
            atexit.register(self.close)

    def call(self, name: str, /, **fields: Any) -> Any:
        """Carry out the row called `name` (`"kv.set"`) with these arguments.

        Answers None, True, an int, bytes, a list or a dict, as the row's reply is. Raises Fault if the row
        refuses. A row that would wait answers None at once; `blpop` waits.
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
                build = self._builds[name] = binder(row)
            tape, blob = build(fields)
            if len(blob) > self._settings.number("limits.query_bytes_max") or len(blob) > layout.CALL_BLOB_BYTES:
                raise Fault("QUERY_TOO_LARGE")
            now = self._clock.now()
            self._put(tape, blob)
            if row.handler:
                value = engine.handle(row, None, layout.CALL, now)
                if isinstance(value, Fault):
                    raise value
                return value
            status = engine.perform(engine.row_at[name], layout.CALL, len(tape), len(blob), now)
            what = status & STATUS_MASK
            if what >= REFUSED:
                self._finish(now)
                words = {name: value for name, value in fields.items() if isinstance(value, str)}
                raise Fault(TABLE[what - REFUSED].name, **words)
            if what != layout.WAIT:
                value = _native(plain(status, row, engine.numbers, engine.bytes))
                self._finish(now)
                return value
            waiter = self._park(row, len(tape), len(blob), now) if waits else None
            self._finish(now)
        return None if waiter is None else self._await(waiter)

    def _park(self, row: Command, tape_size: int, blob_size: int, now: int) -> Waiter:
        """Let the call that lies in CALL wait. Another thread's change makes it again, and leaves its answer."""
        engine, waiter = self._engine, Waiter()

        def deliver(status: int | None) -> None:
            if status is not None:
                what = status & STATUS_MASK
                if what >= REFUSED:
                    waiter.error = Fault(TABLE[what - REFUSED].name)
                else:
                    waiter.value = _native(plain(status, row, engine.numbers, engine.bytes))
                waiter.seq = engine.seq
            waiter.done.set()

        waiter.parked = engine.park(engine.row_at[row.name], layout.CALL, tape_size, blob_size, now, deliver)
        deadline = waiter.parked.deadline
        waiter.seconds = (deadline - now) / 1000 if deadline else None
        self._waiters.add(waiter)
        return waiter

    def _await(self, waiter: Waiter) -> Any:
        try:
            waiter.done.wait(waiter.seconds)
        finally:
            with self._lock:  # whoever left the answer holds it until the log has that change
                self._waiters.discard(waiter)
                if not self._closed and not waiter.parked.over:
                    self._engine.interest.unpark(waiter.parked)
                log = self._node.log
                safe = log is None or waiter.seq <= (log.synced_seq if self._always else log.written_seq)
        if waiter.error is not None:
            raise waiter.error
        if not safe:
            raise Fault("UNKNOWN_OUTCOME")
        return waiter.value

    def get_many(self, keys: Texts, width: int = 0, *, threads: int = 1) -> Any:
        """The values of many keys: a list of bytes (None: missing), or with `width` an array of dtype `S`.

        `keys` is an array of dtype `S` (a key ends at its trailing zero bytes), a pair (blob, offsets) as in
        `synap.io.arrays`, or a sequence of str or bytes. With `width`, values are cut at so many bytes and missing
        ones are empty. `threads` look things up at the same time, which pays from some 10,000 keys on. Raises
        Fault WRONG_TYPE if a key holds something else than a string.
        """
        if not width:
            return self.get_blob(keys, threads=threads).tolist()
        if width < 0:
            raise ValueError(f"width: wanted a number above 0, found {width}")
        packed = pack(keys)
        out = np.empty(len(packed) * width, np.uint8)
        with self._lock:
            self._find(packed, out, width, threads)
            self._engine.free_limbo()
        return out.view(f"S{width}")

    def get_blob(self, keys: Texts, *, threads: int = 1) -> Found:
        """The values of many keys side by side, with their offsets; see `get_many`."""
        packed = pack(keys)
        count = len(packed)
        with self._lock:
            found = self._find(packed, np.empty(0, np.uint8), 0, threads)
            offsets = np.zeros(count + 1, np.int64)
            np.cumsum(np.maximum(found[1::2], 0), out=offsets[1:])
            out = np.empty(int(offsets[-1]), np.uint8)
            engine = self._engine

            def copy(first: int, last: int) -> None:
                piece = out[offsets[first] : offsets[last]]
                bulk.copy_many(engine.words, engine.octets, found[2 * first : 2 * last], last - first, piece)

            self._each(copy, count, threads)
            engine.free_limbo()
        return Found(out, offsets, found[1::2] >= 0)

    def _find(self, packed: Packed, out: Octets, width: int, threads: int) -> Integers:
        """Where the values lie (see `bulk.find_many`); with `width` they are copied to `out`."""
        self._check_open()
        if threads < 1:
            raise ValueError(f"threads: wanted a number above 0, found {threads}")
        engine, count, sizes = self._engine, len(packed), packed.sizes
        at = self._lay(packed.octets)
        now = self._clock.now()
        found = np.empty(2 * count, np.int64)
        if engine.numbers[layout.COMPRESSED_FROM]:  # reading those takes memory, which one thread may do at a time
            threads = 1
        starts = [0] if threads == 1 else np.concatenate(([0], np.cumsum(sizes)))

        def find(first: int, last: int) -> None:
            piece = out[first * width : last * width]
            if width:
                piece.fill(0)
            bulk.find_many(engine.words, engine.octets, at + int(starts[first]), sizes[first:last], last - first,
                           now, found[2 * first : 2 * last], piece, width, 0)  # fmt: skip

        self._each(find, count, threads)
        there = int((found[1::2] >= 0).sum())
        engine.numbers[layout.KEY_HITS] += there
        engine.numbers[layout.KEY_MISSES] += count - there
        worst = int(found[1::2].min(initial=0))
        if worst < bulk.MISSING:
            engine.free_limbo()
            raise Fault("WRONG_TYPE" if (found[1::2] == bulk.OTHER_KIND).any() else "OUT_OF_MEMORY")
        return found

    def _each(self, work: Callable[[int, int], None], count: int, threads: int) -> None:
        """Let `threads` work on a part of `count` things each. The kernels let go of the interpreter's lock."""
        cuts = [count * i // threads for i in range(threads + 1)]
        parts = list(pairwise(cuts))
        if threads == 1 or count < threads:
            work(0, count)
            return
        if self._pool is None or self._pool_size < threads - 1:
            if self._pool is not None:
                self._pool.shutdown()
            self._pool, self._pool_size = ThreadPoolExecutor(threads - 1, "synap-read"), threads - 1
        others = [self._pool.submit(work, *part) for part in parts[1:]]
        try:
            work(*parts[0])
        finally:
            for other in others:
                other.result()

    def set_many(self, keys: Texts, values: Texts) -> None:
        """Store many strings, each as `set` without options; both are what `get_many` takes as keys.

        Raises Fault OUT_OF_MEMORY where memory ends; the pairs before that are stored.
        """
        packed, data = pack(keys), pack(values)
        if len(packed) != len(data):
            raise ValueError(f"{len(packed)} keys but {len(data)} values")
        limit = self._settings.number("limits.bulk_bytes_max")
        if len(data) and max(int(data.sizes.max()), int(packed.sizes.max())) > limit:
            raise Fault("STRING_TOO_LONG")
        with self._lock:
            engine = self._engine
            self._check_writable()
            at = self._lay(packed.octets)
            value_at = self._lay(data.octets, len(packed.octets))
            done = 0
            while done < len(packed):
                now = self._clock.now()
                rest, value_rest = packed.sizes[done:], data.sizes[done:]
                step = bulk.set_many(
                    engine.words, engine.octets, at, rest, value_at, value_rest, len(rest), now, 0
                )
                at += int(rest[:step].sum())
                value_at += int(value_rest[:step].sum())
                done += step
                self._finish(now)
                if not step:
                    raise Fault("OUT_OF_MEMORY")

    def delete_many(self, keys: Texts) -> int:
        """Remove many keys, whatever they hold; how many were there. `keys` is what `get_many` takes."""
        packed = pack(keys)
        removed = np.zeros(1, np.int64)
        with self._lock:
            engine = self._engine
            self._check_writable()
            at = self._lay(packed.octets)
            done = 0
            while done < len(packed):
                now = self._clock.now()
                rest = packed.sizes[done:]
                step = bulk.delete_many(engine.words, engine.octets, at, rest, len(rest), now, 0, removed)
                at += int(rest[:step].sum())
                done += step
                self._finish(now)
                if not step:
                    raise Fault("LOG_FAILED")
        return int(removed[0])

    def _check_writable(self) -> None:
        """Refuse what a single call would be refused for, before anything is changed."""
        self._check_open()
        if self._engine.numbers[layout.REFUSE] & layout.GUARD_BROKEN_LOG:
            raise Fault("LOG_FAILED")

    def _finish(self, now: int) -> None:
        """What follows a call: blocks are freed, waiters served, the log written, upkeep done now and then."""
        try:
            self._engine.settle(now)
            self._commit()
            self._look_after(now)
        except LogFailed as failure:
            self._node.fail(failure)
            raise Fault("UNKNOWN_OUTCOME") from failure

    def _lay(self, data: Octets, behind: int = 0) -> int:
        """Put octets where kernels see them; the octet they start at."""
        at = layout.CALL_BLOB * layout.WORD + behind
        if behind + len(data) > layout.CALL_BLOB_BYTES:
            raise Fault("QUERY_TOO_LARGE")
        self._engine.octets[at : at + len(data)] = data
        return at

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(self._closed)

    def digest(self) -> dict[str, int]:
        """A hash of the logical state of each family."""
        with self._lock:
            self._check_open()
            return digest_of(self._engine)

    def counters(self) -> dict[str, int]:
        """What the store counts, by name (see docs/operations.md)."""
        with self._lock:
            self._check_open()
            return {row.name: row.read(self._engine.numbers, self._engine.catalogue) for row in counters.TABLE}

    def snapshot(self) -> str:
        """Write a snapshot; the name of its file. Raises Fault SWITCHED_OFF if there is only memory."""
        with self._lock:
            self._check_open()
            if self._node.disk is None:
                raise Fault("SWITCHED_OFF", name="a snapshot", switch="persistence.enabled")
            return self._node.snapshot_here()

    def close(self) -> None:
        """Bring everything to the disk and let go of the directory. A second time it does nothing.

        Calls that wait in other threads end with the ValueError that later ones get.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = CLOSED
            for waiter in self._waiters:
                if not waiter.parked.over:
                    waiter.error = ValueError(CLOSED)
                    waiter.done.set()
        atexit.unregister(self.close)
        if self._syncs is not None:
            self._syncs.stop()  # without the lock: a sync that fails takes it
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown()
            self._node.stop()

    def _leave_to(self, parent: int) -> None:
        """In a forked child: all is the parent's, also what its threads were about to do."""
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
    def _always(self) -> bool:
        return self._node.fsync_mode == "always"

    def _commit(self) -> None:
        """What was changed is written before the caller hears of it, and on the disk if it asked for that."""
        if self._engine.numbers[layout.LOG_COUNT]:
            self._node.flush()
        log = self._node.log
        if log is None or log.synced_seq == log.written_seq or log.failed is not None:
            return
        if self._always:
            log.sync()
        elif self._node.fsync_mode == "periodic" and self._syncs is not None:
            self._syncs.want()

    def _sync_failed(self, failure: LogFailed) -> None:
        """In the thread of the syncs: writes are refused from now on, unless a snapshot has mended the log."""
        with self._lock:
            log = self._node.log
            if log is not None and log.failed is not None:
                self._node.fail(failure)

    def _look_after(self, now: int) -> None:
        """A step of upkeep now and then, since there is no loop to do it."""
        if monotonic() - self._upkeep_at >= UPKEEP_S:
            self._upkeep_at = monotonic()
            self._clock.adjust()
            self._engine.upkeep(now)
            self._commit()


def _leave_all() -> None:
    for each in list(_open):
        each._leave_to(os.getppid())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all)


def _silent(progress: Progress) -> None:
    return


def _native(value: Any) -> Any:
    """(bytes, form) pairs as bytes, or as the JSON value that they are."""
    if isinstance(value, tuple):
        return as_json(*value) if value[1] == FORM_JSON else value[0]
    if isinstance(value, list):
        return [_native(item) for item in value]
    return value


