"""The writer of the write-ahead log: appends groups, syncs them, rotates segments.

    append --> written_seq      the bytes are with the system; a killed process loses nothing
    sync   --> synced_seq       the bytes are on the disk; a power cut loses nothing

One thread appends. `sync` may run in others, and records the seq to promise *before* it calls the disk.
Up to SYNCS_MAX syncs run at the same time, so that on a slow disk no caller waits for two of them. Each sync
has an open file of its own, opened with the segment: the system reports a lost write once to each open file,
so of two syncs that share one file, the second would promise lost data. Further syncs wait, and mostly
find their work done.

A segment is full at `segment_bytes_max`. It is synced before its successor appears, and the successor
appears under its name with its header already on disk (written under a temporary name, synced, renamed,
directory synced). So every segment but the last is complete, and no file ever has half a header.

    writing --write or sync refused--> failed --resume(snapshot seq)--> writing
       `--stop--> stopped

After a refused write or sync the file is cut back to its last whole group, never written again, and no
further seq of it is promised: after a failed fdatasync the system may have dropped the pages, and the
next fdatasync would succeed in spite of the loss. Only a verified snapshot of memory makes the log
writable again, in a new segment that starts behind the snapshot.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from synap.journal.disk_port import Buffer, Disk, Handle
from synap.journal.errors import LogFailed
from synap.journal.formats import (
    CLEAN_STOP,
    FRESH,
    HEADER_BYTES,
    LOG_MAGIC,
    TEMPORARY,
    log_name,
    pack_file_header,
    pack_group,
)

SEGMENT_BYTES_MAX = 256 << 20
SYNCS_MAX = 4


class Log:
    """The open log of one data directory; made by `Recovery.begin_log`.

    `written_seq`, `synced_seq`, `epoch`, `failed`, `bytes_written`, `groups_written`, `syncs_done` and
    `segment_name` are for reading. `failed` is None or the `LogFailed` that stopped the log.
    """

    condition: Callable[[], Any] = threading.Condition  # synchronises threads; the simulator replaces it

    def __init__(
        self,
        disk: Disk,
        node_id: bytes,
        *,
        epoch: int,
        written_seq: int,
        now: int,
        before: int,
        fresh: bool,
        segment_bytes_max: int = SEGMENT_BYTES_MAX,
    ) -> None:
        """Open a new segment behind `written_seq`; everything up to that seq is on disk already."""
        self.node_id = node_id
        self.epoch = epoch
        self.written_seq = written_seq
        self.synced_seq = written_seq
        self.failed: LogFailed | None = None
        self.bytes_written = 0
        self.groups_written = 0
        self.syncs_done = 0
        self.segment_name = ""
        self._disk = disk
        self._segment_bytes_max = segment_bytes_max
        self._offered_seq = written_seq
        self._now = now
        self._prev = before
        self._mark = 0
        self._size = 0
        self._handle: Handle | None = None
        self._handles: list[Handle] = []  # the first is the appending thread's
        self._idle: list[Handle] = []  # handles that no sync uses; the last is used next
        self._asked_seq = written_seq  # the seq that the latest sync will promise
        self._change = type(self).condition()
        self._open_segment(FRESH if fresh else 0)

    @property
    def segment_bytes(self) -> int:
        """The bytes in the current segment."""
        return self._size

    def append(self, buffers: Sequence[Buffer], first_seq: int, count: int, now: int) -> None:
        """Write one group: `count` frames from `first_seq` on, the last of engine time `now`.

        The buffers are written without being joined; their total size must be a multiple of 8. When this
        returns, a killed process does not lose the group. Raise `LogFailed`.
        """
        assert count > 0 and first_seq == self._offered_seq + 1, (count, first_seq, self._offered_seq)
        self._offered_seq = first_seq + count - 1
        if self.failed is not None:
            raise self._failure(self.failed.reason)
        self._now = now
        try:
            if self._size >= self._segment_bytes_max:
                self._rotate()
            self._write(buffers, first_seq, count, 0)
        except OSError as error:
            raise self._fail(error) from error
        self.written_seq = self._offered_seq

    def sync(self) -> int:
        """Put everything written before this call on the disk; return the promised seq. Any thread may call this.

        If a running sync covers these writes, wait for that sync. Raise `LogFailed`, also in every call that
        waited for a failed sync.
        """
        with self._change:
            wanted = self.written_seq
            while True:
                if self.failed is not None:
                    raise self._failure(self.failed.reason)
                if self.synced_seq >= wanted:
                    return self.synced_seq
                self._live_handle()
                running = len(self._idle) < len(self._handles)
                if self._idle and not (running and self._asked_seq >= wanted):
                    break
                self._change.wait()
            self._asked_seq = promise = self.written_seq
            handle = self._idle.pop()
        refused: OSError | None = None
        try:
            handle.sync()
        except OSError as error:
            refused = error
        with self._change:
            self._idle.append(handle)
            self._change.notify_all()
            if refused is not None:
                raise self._fail(refused) from refused
            if self.failed is not None:  # a write or another sync was refused meanwhile
                raise self._failure(self.failed.reason)
            self.syncs_done += 1
            self.synced_seq = max(self.synced_seq, promise)
            return self.synced_seq

    def begin_epoch(self, epoch: int) -> None:
        """Set a newer epoch for the next groups: this node, or the master it follows, was promoted."""
        assert epoch > self.epoch, (epoch, self.epoch)
        self.epoch = epoch

    def stop(self) -> None:
        """Sync, write CLEAN_STOP, sync and close. Raise `LogFailed`; the log is closed in any case."""
        with self._change:
            handle = self._live_handle()
            self._await_syncs()
            try:
                if self.failed is not None:
                    raise self._failure(self.failed.reason)
                # CLEAN_STOP promises everything before it, so it must not reach the disk first.
                self._sync()
                self._write((), self.written_seq + 1, 0, CLEAN_STOP)
                handle.sync()
            except OSError as error:
                raise self._fail(error) from error
            finally:
                self._close_segment()

    def resume(self, snapshot_seq: int) -> None:
        """Make the failed log writable again, after a verified snapshot at `snapshot_seq` of all appended changes.

        The new segment starts behind the snapshot. Raise `LogFailed` if the disk still refuses.
        """
        assert self.failed is not None and snapshot_seq >= self._offered_seq
        with self._change:
            self._await_syncs()
            self._close_segment()
            saved = self.written_seq, self.synced_seq
            self.written_seq = self.synced_seq = self._offered_seq = self._asked_seq = snapshot_seq
            self._prev = 0
            try:
                self._open_segment(FRESH)
            except OSError as error:
                self.written_seq, self.synced_seq = saved
                raise self._fail(error) from error
            self.failed = None

    def _write(self, buffers: Sequence[Buffer], first_seq: int, count: int, flags: int) -> None:
        """Write one group at the end of the segment."""
        size = 0
        for buffer in buffers:
            size += len(buffer)
        assert size % 8 == 0, size
        head, crc = pack_group(
            self._mark,
            self._prev,
            buffers,
            size,
            first_seq,
            count,
            flags,
            self.epoch,
            self.synced_seq,
            self._now,
        )
        self._live_handle().write((head, *buffers))
        self._prev = crc
        self._size += HEADER_BYTES + size
        self.bytes_written += HEADER_BYTES + size
        self.groups_written += 1

    def _sync(self) -> None:
        """Sync the segment; no other thread may be syncing."""
        self._live_handle().sync()
        self.syncs_done += 1
        self.synced_seq = self.written_seq

    def _await_syncs(self) -> None:
        """Wait until no sync runs; new syncs wait for the lock, which the caller holds."""
        while len(self._idle) < len(self._handles):
            self._change.wait()

    def _rotate(self) -> None:
        """Finish a full segment and open the next."""
        with self._change:
            self._await_syncs()
            if self.failed is not None:  # by a sync that ended here: lost data must not get a successor
                raise self._failure(self.failed.reason)
            self._sync()
            self._close_segment()
            self._open_segment(0)

    def _close_segment(self) -> None:
        """Close the handles of the segment; no sync may be running."""
        for handle in self._handles:
            handle.close()
        self._handle = None
        self._handles, self._idle = [], []
        with self._change:
            self._change.notify_all()

    def _open_segment(self, flags: int) -> None:
        """Create the segment behind `written_seq`; the file gets its name when its header is on disk."""
        first_seq = self.written_seq + 1
        name = log_name(first_seq)
        head, mark = pack_file_header(
            LOG_MAGIC, flags, self.node_id, self.epoch, first_seq, self._now, self._prev
        )
        handle = self._disk.create(name + TEMPORARY)
        try:
            handle.write((head,))
            handle.sync()
        finally:
            handle.close()
        self._disk.rename(name + TEMPORARY, name)
        self._disk.sync_directory()
        try:
            for _ in range(SYNCS_MAX):
                self._handles.append(self._disk.open_append(name))
        except OSError:
            self._close_segment()
            raise
        self._handle = self._handles[0]
        self._idle = self._handles[::-1]
        self._mark, self._size, self.segment_name = mark, HEADER_BYTES, name

    def _live_handle(self) -> Handle:
        """Return the segment's handle for writing; a stopped log has none."""
        assert self._handle is not None, "the log is stopped"
        return self._handle

    def _failure(self, reason: str) -> LogFailed:
        """Return the LogFailed to raise; its range is every appended seq that is not known to be on disk."""
        return LogFailed(self.synced_seq + 1, self._offered_seq, reason)

    def _fail(self, error: OSError) -> LogFailed:
        """Mark the log as failed, and cut the segment back to its last whole group if the disk allows it."""
        self.failed = failure = self._failure(error.strerror or str(error))
        if self._handle is not None and self._size:
            try:
                self._handle.truncate(self._size)
            except OSError as second:
                failure.add_note(f"the segment could not be cut back: {second}")  # recovery will cut it
        return failure
