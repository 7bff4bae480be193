"""A node: an engine and the data directory behind it. Used by the server, the in-process database and the tools."""

import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from synap import __version__
from synap.commands import FAMILY_CODES
from synap.commands.defaults import catalogue_for
from synap.derive.heap_image import image_of
from synap.engine.engine import Engine
from synap.engine.handlers.table import HANDLERS
from synap.io.node import limits
from synap.io.node.change_log import ChangeLog
from synap.io.node.clock import Clock, monotonic, seed, wall_us
from synap.io.node.files import Lock, claim
from synap.io.node.redis_config import place_clocks, save_points
from synap.io.node.snapshot_process import become_writer
from synap.journal import NO_LOG, Buffer, Disk, Log, LogFailed, SnapshotWriter, recover, trim
from synap.settings import Settings
from synap.store import entry_points
from synap.store.memory import layout
from synap.store.memory.heap import Heap
from synap.store.memory.spaces import NoAddressSpace
from synap.store.records import pieces, zstd
from synap.store.snapshot import dumps

CHUNK_BYTES = 1 << 20


@dataclass
class Recovered:
    """Counts, notes and duration of a recovery at start."""

    snapshot: str = ""
    snapshot_frames: int = 0
    log_frames: int = 0
    cut_bytes: int = 0
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Node:
    """An engine with its journal. The kernels of the first stage must be loaded (`entry_points.stages`)."""

    def __init__(
        self, settings: Settings, clock: Clock, disk: Disk | None = None, lock: Lock | None = None, directory: str = "",
        wait_for_kernels: Callable[[], None] | None = None,
    ) -> None:
        """Open the data directory of `settings` (or `directory`, or `disk`) and recover its contents.

        `wait_for_kernels` is called if there is something to recover, and returns when all kernels are ready.

        Raises Damage if promised data is damaged, LockHeld if another process uses the directory, UnusableDirectory
        if the directory cannot be made, written or read, NoAddressSpace if the system refuses the address space for
        `kv_store.max_memory_mb`.
        """
        self.settings = settings
        self.clock = clock
        self.directory = directory or directory_of(settings)
        catalogue = catalogue_for(settings)
        self.image = image_of(catalogue)
        self.heap = _reserve(settings)
        self.heap.open(seed(24), self.image, entry_points.registers(FAMILY_CODES))
        self.engine = Engine(self.heap, catalogue, self.image, HANDLERS, settings.number("limits.reply_bytes_max"))
        self.engine.numbers[layout.LIMIT_WORD] = settings.number("limits.bulk_bytes_max")
        self.engine.memory.set_eviction(
            settings.text("kv_store.eviction_policy"), settings.number("kv_store.eviction_sample_size")
        )
        if settings.switch("compression.enabled"):
            self.engine.numbers[layout.COMPRESS_MIN] = settings.number("compression.min_payload_size")
            if settings.text("compression.default_algorithm") == "zstd":
                zstd.place(self.engine.numbers, settings.number("compression.zstd.level"))
        self.engine.numbers[layout.HOT_MAX] = settings.number("compression.hot_cache_bytes")
        for i, name in enumerate(("stream.max_events", "stream.max_bytes", "stream.retention_secs")):
            self.engine.numbers[layout.ROOM_LIMITS + i] = settings.number(name)
        self.engine.scripts.memory_max = settings.number("scripts.memory_bytes_max")
        self.engine.scripts.time_ms_max = settings.number("scripts.time_ms_max")
        self.engine.scripts.busy_ms = settings.number("scripts.busy_ms")
        self.engine.journal_flush = self.flush
        self._wait_for_kernels = wait_for_kernels
        self.lock = lock
        self.disk = disk
        self.log: Log | None = None
        self.fsync_mode = settings.text("persistence.wal.fsync_mode")  # CONFIG SET may change this attribute
        self.recovered = Recovered()
        self.failed = ""
        self.snapshot_seq = 0
        self.snapshot_at = monotonic()
        self.snapshots_done = 0
        self.last_save = 0  # time of the last snapshot, s since 1970; 0 before the first one
        self.last_save_ok = True
        self.sync_seconds = 0.0  # duration of the log's last sync
        self.save_points = save_points(settings)
        self.snapshot_failures = 0
        self._child = 0
        self._pipe = -1
        self._said = b""
        self.started = wall_us() // 1_000_000
        self.changes = ChangeLog(self)
        host = self.engine.host
        host.version, host.system, host.pid, host.log = __version__, sys.platform, os.getpid(), self
        host.changes = self.changes
        place_clocks(self)
        if disk is None and settings.persistence.enabled:
            self.disk, self.lock = claim(self.directory)
        if self.disk is not None:
            try:
                self._recover(self.disk)
            except BaseException:
                if self.lock is not None:
                    self.lock.release()
                raise

    def saved_at(self) -> int:
        """Return when the last snapshot was finished, or else when the node was started, in s since 1970."""
        return self.last_save or self.started

    # Starting.

    def place_doors(self, ready: Iterable[entry_points.Stage] | None = None) -> None:
        """Enter the doors that are loaded into the heap, and hold back the calls of all stages but the `ready` ones.

        Without `ready` all stages are.
        """
        coming = frozenset() if ready is None else entry_points.coming(FAMILY_CODES, ready)
        for word, value in entry_points.registers(FAMILY_CODES):  # behind `coming`: a thread may be loading more
            self.engine.numbers[word] = value
        self.engine.diagnostics.expect(coming)
        self.engine.keyspace_events.look()

    def _recover(self, disk: Disk) -> None:
        begun = monotonic()
        numbers = self.engine.numbers
        recovery = recover(disk)
        found = self.recovered
        if recovery.snapshot is not None:
            numbers[layout.SEQ] = recovery.snapshot_seq
            for payload in recovery.snapshot_payloads():
                found.snapshot_frames += self._replay(payload, 0)
            found.snapshot = recovery.snapshot.name
        pieces: list[memoryview | bytes] = []
        size = 0
        for payload, *_ in recovery.groups():
            if size + len(payload) > CHUNK_BYTES and pieces:
                found.log_frames += self._replay(b"".join(pieces), 1)
                pieces, size = [], 0
            pieces.append(bytes(payload))
            size += len(payload)
        if pieces:
            found.log_frames += self._replay(b"".join(pieces), 1)
        numbers[layout.KEY_HITS] = numbers[layout.KEY_MISSES] = 0  # the replay's reads are no client's reads
        found.cut_bytes = recovery.cut_bytes
        found.notes = [str(note) for note in recovery.notes]
        if recovery.cut_bytes:
            found.notes.append(
                f"{recovery.cut_name}: {recovery.cut_bytes} bytes cut at offset {recovery.cut_offset}"
                " (an incomplete group; none of its changes was acknowledged)"
            )
        self.clock.start_from(max(recovery.now, numbers[layout.LAST_NOW]))
        self.snapshot_seq = recovery.snapshot_seq
        if self.settings.persistence.wal.enabled:
            limit = self.settings.number("persistence.wal.segment_bytes_max")
            self.log = recovery.begin_log(seed(16), limit)
            numbers[layout.JOURNALED] = 1
        self.changes.open()
        found.seconds = monotonic() - begun

    def _replay(self, payload: bytes | memoryview, seq_step: int) -> int:
        """Carry out recorded frames and return their number; before the first frames, wait for all kernels."""
        if self._wait_for_kernels is not None:
            self._wait_for_kernels()
            self._wait_for_kernels = None
            self.place_doors()
        return self.engine.frames.replay(payload, seq_step)

    # The log.

    def flush(self) -> None:
        """Write the frames that wait to the log, if there is one, and show them to who reads changes. On failure
        refuse writes from now on and raise LogFailed."""
        taken = self.engine.frames.take()
        if taken is None:
            return
        payload, first_seq, count = taken
        begun = monotonic()
        try:
            if self.log is not None:
                self.log.append([payload], first_seq, count, self.engine.numbers[layout.LAST_NOW])
            self.changes.written(payload, first_seq, count)
        except LogFailed as failure:
            self.fail(failure)
            raise
        finally:
            self.engine.frames.written()
            self.delayed("aof-write", monotonic() - begun)

    def delayed(self, event: str, seconds: float) -> None:
        """Report to latency monitoring that `event` blocked the loop for `seconds`."""
        if self.engine.diagnostics.delay_ms:
            self.engine.diagnostics.event(event, int(seconds * 1000), self.clock.now())

    def synced_in(self, seconds: float) -> None:
        """Note the duration of a sync that replies waited for."""
        self.sync_seconds = seconds
        self.delayed("aof-fsync-always", seconds)

    def fail(self, failure: LogFailed) -> None:
        """Refuse writes, because the log cannot be written, until a new snapshot is complete."""
        self.failed = str(failure)
        self.changes.forget()
        self.engine.numbers[layout.REFUSE] |= layout.GUARD_BROKEN_LOG

    def stop(self) -> None:
        """End cleanly: sync the log and mark its end, or write a snapshot if there is no log; release the lock."""
        self.changes.save()
        try:
            if self.log is not None and self.log.failed is None:
                self.flush()
                self.log.stop()
            elif self.log is None and self.disk is not None:
                self._leave_snapshot()
        finally:
            self.engine.scripts.close()
            if self.lock is not None:
                self.lock.release()

    def _leave_snapshot(self) -> None:
        """Write a snapshot of changes that no snapshot holds, so that a clean end without a log loses nothing."""
        if self._child:
            os.set_blocking(self._pipe, True)
            with suppress(OSError):  # if that snapshot failed, the next one reports the reason
                self.end_snapshot()
        if self.engine.seq > self.snapshot_seq:
            self.snapshot_here()

    # Snapshots.

    def snapshot_due(self) -> bool:
        """Return whether a snapshot is due: by the save points, or, after a failure of the log, once a second."""
        if self.disk is None or self.snapshot_running:
            return False
        if self.failed:
            return monotonic() - self.snapshot_at > 1.0
        changes = self.engine.seq - self.snapshot_seq
        waited = monotonic() - self.snapshot_at
        return changes > 0 and any(changes >= least and waited >= seconds for seconds, least in self.save_points)

    @property
    def snapshot_running(self) -> bool:
        return self._child != 0

    def begin_snapshot(self) -> int:
        """Fork a child that writes the current state; return the descriptor that turns readable when the child ends.

        Raises OSError if the system refuses the fork.
        """
        assert self.disk is not None and not self._child
        if self.log is None or self.log.failed is None:
            self.engine.journal_flush()
        if self.log is not None and self.log.failed is None:
            self.log.sync()
        self.snapshot_at = monotonic()
        self.engine.memory.note_uses(False)  # noting a read's use of a key would copy a page shared with the child
        try:
            self._child, self._pipe = self._fork(self.engine.seq)
        except OSError as error:
            self.engine.memory.note_uses(True)
            self._snapshot_failed()
            raise OSError(f"snapshot: cannot fork: {error}") from error
        return self._pipe

    def _snapshot_failed(self) -> None:
        self.snapshot_failures += 1
        self.last_save_ok = False

    def _fork(self, seq: int) -> tuple[int, int]:
        """Start the process that writes the state at `seq`; return (its id, the pipe on which it reports)."""
        reader, writer = os.pipe()
        gc.freeze()  # a collection in the child would write to the page of every object, and so copy the pages
        parent = os.getpid()
        begun = monotonic()
        try:
            child = os.fork()
        except OSError:
            gc.unfreeze()
            os.close(reader)
            os.close(writer)
            raise
        if child == 0:
            code = 1
            try:
                become_writer(parent, writer)
                name = self.write_snapshot(seq)
                with suppress(OSError):  # the next snapshot removes what is left
                    self._trim()  # not in the parent: freeing the blocks of a segment takes 0.1 s
                os.write(writer, f"ok {seq} {name}".encode())
                code = 0
            except BaseException as error:
                os.write(writer, f"failed {error!r}"[:4000].encode())
            finally:
                os._exit(code)
        gc.unfreeze()
        self.delayed("fork", monotonic() - begun)
        os.close(writer)
        os.set_blocking(reader, False)
        return child, reader

    def end_snapshot(self) -> str | None:
        """Return the name of the snapshot's file, None while the child works. Raises OSError if the snapshot failed."""
        if not self._hear():
            return None
        self._child, self._pipe = 0, -1
        self.engine.memory.note_uses(True)
        said, self._said = self._said, b""
        words = said.decode("utf-8", "replace").split(" ", 2)
        if words[0] != "ok":
            self._snapshot_failed()
            raise OSError(f"the snapshot failed: {said.decode('utf-8', 'replace') or 'its process was killed'}")
        self._stands(int(words[1]))
        return words[2]

    def _hear(self) -> bool:
        """Read what the child reports; return True if the child has ended."""
        try:
            while piece := os.read(self._pipe, 65536):
                self._said += piece
        except BlockingIOError:
            return False
        os.close(self._pipe)
        os.waitpid(self._child, 0)
        return True

    def snapshot_here(self) -> str:
        """Write a snapshot in this process, without a fork, while nothing else runs; return the file's name."""
        if self.log is None or self.log.failed is None:
            self.flush()
        if self.log is not None and self.log.failed is None:
            self.log.sync()
        seq = self.engine.seq
        try:
            name = self.write_snapshot(seq)
        except OSError:
            self._snapshot_failed()
            raise
        self._stands(seq)
        self._trim()
        self.changes.renew()
        return name

    def _stands(self, seq: int) -> None:
        self.snapshot_seq = seq
        self.snapshots_done += 1
        self.last_save = wall_us() // 1_000_000
        self.last_save_ok = True
        self.changes.renew()
        if self.failed and self.log is not None and seq == self.engine.seq:
            self.log.resume(seq)
            self.failed = ""
            self.engine.numbers[layout.REFUSE] &= ~layout.GUARD_BROKEN_LOG

    def _trim(self) -> None:
        """Remove the files that newer snapshots replace."""
        assert self.disk is not None
        held = self.changes
        trim(
            self.disk, self.settings.number("persistence.snapshot.max_snapshots"), held.held_from(), held.held_bytes_max
        )

    def write_snapshot(self, seq: int) -> str:
        """Write every structure as load rows, the state at `seq`; return the name of the verified file."""
        return self.write_rows(self.load_rows(seq, self.engine.numbers[layout.LAST_NOW]), seq)

    def write_rows(self, rows: Iterable[tuple[Buffer, int]], seq: int) -> str:
        """Write `rows` of (frames, count) as the state at `seq`; return the name of the verified file."""
        assert self.disk is not None
        node_id = self.log.node_id if self.log is not None else NO_LOG
        epoch = self.log.epoch if self.log is not None else 0
        now = self.engine.numbers[layout.LAST_NOW]
        writer = SnapshotWriter(self.disk, node_id, epoch=epoch, seq=seq, now=now)
        try:
            for payload, count in rows:
                writer.add(payload, count)
            return writer.finish()
        except BaseException:
            writer.abort()
            raise

    def load_rows(self, seq: int, now: int) -> Iterator[tuple[memoryview, int]]:
        """Yield (frames, count) that restore the state, piece by piece. The heap's LOG region must be empty."""
        cursor = np.zeros(pieces.CURSOR_WORDS, np.int64)
        start = layout.LOG * layout.WORD
        engine = self.engine
        while count := dumps.dump(engine.words, engine.octets, cursor, seq, now, CHUNK_BYTES):
            if count == pieces.UNREADABLE:
                raise OSError("a compressed value cannot be read (is memory short?): no snapshot was written")
            yield engine.bytes[start : start + int(cursor[pieces.CURSOR_SIZE])], int(count)

    def persistence(self) -> dict[str, Any]:
        """Return the Persistence section of INFO."""
        log = self.log
        return {
            "persistence_enabled": int(self.disk is not None),
            "log_enabled": int(log is not None),
            "log_fsync_mode": self.fsync_mode,
            "log_written_seq": log.written_seq if log else 0,
            "log_synced_seq": log.synced_seq if log else 0,
            "log_bytes_written": log.bytes_written if log else 0,
            "log_groups_written": log.groups_written if log else 0,
            "log_syncs_done": log.syncs_done if log else 0,
            "log_unsynced_changes": log.written_seq - log.synced_seq if log else 0,
            "log_segment_bytes": log.segment_bytes if log else 0,
            "log_last_sync_seconds": round(self.sync_seconds, 6),
            "log_failed": self.failed or "no",
            "snapshot_seq": self.snapshot_seq,
            "snapshot_in_progress": int(self.snapshot_running),
            "snapshots_done": self.snapshots_done,
            "snapshot_failures": self.snapshot_failures,
            "snapshot_last_ok": int(self.last_save_ok),
            "snapshot_last_time": self.last_save,
            "recovered_snapshot_frames": self.recovered.snapshot_frames,
            "recovered_log_frames": self.recovered.log_frames,
            "recovered_cut_bytes": self.recovered.cut_bytes,
            "recovered_seconds": round(self.recovered.seconds, 3),
        }


def directory_of(settings: Settings) -> str:
    """Return the data directory as an absolute path, since a program may change its working directory.

    Without persistence return the setting unchanged: the working directory may not exist any more.
    """
    named = settings.text("persistence.directory")
    return os.path.realpath(named) if settings.switch("persistence.enabled") else named


def _reserve(settings: Settings) -> Heap:
    """Reserve the heap that the settings ask for. Raises NoAddressSpace, which says what is needed and available."""
    most = settings.memory_bytes_max
    memory_max = most if settings.number("kv_store.max_memory_mb") else limits.fitting(most)
    try:
        return Heap(memory_max, limits.address_space_left())
    except NoAddressSpace:
        raise limits.refusal(memory_max) from None
