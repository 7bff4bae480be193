"""Snapshots: frames that build the whole state from nothing, in one file that is complete or absent.

The writer writes under a temporary name. `finish` syncs, reads everything back, renames and syncs the
directory, in this order, so a file with a snapshot's name is complete and was once read without a
fault. Only then may `trim` remove the files that the snapshot replaces.
"""

from collections.abc import Iterator

from synap.journal.disk_port import Buffer, Disk, Handle
from synap.journal.errors import Damage
from synap.journal.formats import (
    CHUNK_BYTES,
    COMPRESSED,
    END,
    HEADER_BYTES,
    SNAPSHOT_MAGIC,
    TEMPORARY,
    deflate,
    log_name,
    name_seqs,
    pack_file_header,
    pack_group,
    snapshot_name,
)
from synap.journal.segments import GroupFile

_PADDING = bytes(8)
SYNC_BYTES = 8 << 20
"""A snapshot is pushed to the disk in pieces of this size: one sync of everything would delay the log's writes."""


class SnapshotFile(GroupFile):
    """A snapshot to read; its header's `seq`, `epoch` and `now` are those of the state in it."""

    def __init__(self, disk: Disk, name: str) -> None:
        """Check the file header. Raise `Damage`."""
        super().__init__(disk, name, SNAPSHOT_MAGIC)

    @property
    def frame_count(self) -> int:
        """The number of frames read so far; after `payloads()` or `verify()`, of all frames."""
        return self.seq - 1

    def payloads(self) -> Iterator[memoryview]:
        """Yield the frames in order, some whole frames at a time. Raise `Damage` at the first fault."""
        for group in self.groups():
            yield group[0]
        if self.fault is not None:
            raise Damage(self.name, self.offset, self.fault)
        if self.ended != END:
            raise Damage(self.name, self.offset, "the snapshot ends before its end marker")

    def verify(self) -> None:
        """Read and decompress the whole snapshot. Raise `Damage`."""
        for _ in self.payloads():
            pass


class SnapshotWriter:
    """A writer of one snapshot: `add` the frames, then `finish` or `abort`.

    In a forked child the writer uses only its own file. The log should be synced up to `seq` before
    `finish`, so that an older snapshot with the log can replace this one.
    """

    def __init__(self, disk: Disk, node_id: bytes, *, epoch: int, seq: int, now: int) -> None:
        self.name = snapshot_name(seq)
        self.bytes_written = HEADER_BYTES
        self.frame_count = 0
        self._synced = 0
        self._disk = disk
        self._epoch = epoch
        self._now = now
        self._prev = 0
        self._gathered = bytearray()
        self._gathered_count = 0
        head, self._mark = pack_file_header(SNAPSHOT_MAGIC, 0, node_id, epoch, seq, now, 0)
        self._handle: Handle | None = disk.create(self.name + TEMPORARY)
        try:
            self._handle.write((head,))
        except OSError:
            self.abort()
            raise

    def add(self, payload: Buffer, count: int) -> None:
        """Add `count` whole frames; the caller may reuse the payload at once. Raise `OSError`."""
        assert count > 0 and len(payload) % 8 == 0
        if len(payload) >= CHUNK_BYTES:
            self._flush()
            self._write(payload, count)
            return
        self._gathered += payload
        self._gathered_count += count
        if len(self._gathered) >= CHUNK_BYTES:
            self._flush()

    def finish(self) -> str:
        """Complete, sync, verify and rename the file; return its name. Raise `OSError` or `Damage`.

        After an exception the snapshot does not count as made. If only the last step failed, the file
        may exist under its name, and is complete.
        """
        handle = self._handle
        assert handle is not None, "the snapshot is already finished"
        temporary = self.name + TEMPORARY
        try:
            self._flush()
            self._write_group(b"", 0, 0, END)
            handle.sync()
            self._handle = None
            handle.close()
            written = SnapshotFile(self._disk, temporary)
            written.verify()
            if written.frame_count != self.frame_count:
                raise Damage(temporary, written.offset, "frames are missing")
            self._disk.rename(temporary, self.name)
        except (OSError, Damage):
            self.abort()
            raise
        self._disk.sync_directory()
        return self.name

    def abort(self) -> None:
        """Abandon the snapshot and remove the temporary file; if the disk refuses, the next start removes it."""
        handle, self._handle = self._handle, None
        try:
            if handle is not None:
                handle.close()
            self._disk.unlink(self.name + TEMPORARY)
        except OSError:
            return  # the next start removes every temporary file

    def _flush(self) -> None:
        """Write the gathered frames."""
        if self._gathered_count:
            self._write(self._gathered, self._gathered_count)
            self._gathered = bytearray()
            self._gathered_count = 0

    def _write(self, payload: Buffer, count: int) -> None:
        """Write one group, compressed if that makes it smaller."""
        packed = deflate(payload)
        if packed is None:
            self._write_group(payload, len(payload), count, 0)
        else:
            self._write_group(packed, len(packed), count, COMPRESSED)
        self.frame_count += count

    def _write_group(self, data: Buffer, size: int, count: int, flags: int) -> None:
        """Write one group and its padding."""
        handle = self._handle
        assert handle is not None, "the snapshot is already finished"
        buffers = (data, _PADDING[: -size % 8])
        first = self.frame_count + 1
        head, crc = pack_group(
            self._mark, self._prev, buffers, size, first, count, flags, self._epoch, 0, self._now
        )
        handle.write((head, *buffers))
        self._prev = crc
        self.bytes_written += HEADER_BYTES + size + -size % 8
        if self.bytes_written - self._synced >= SYNC_BYTES:
            handle.begin_sync(self._synced, self.bytes_written - self._synced)
            self._synced = self.bytes_written


def wipe(disk: Disk) -> None:
    """Remove every file of the journal, so that a replica can start over from its master's snapshot.

    An interrupted removal leaves a directory that is refused, or an older state, but never a mix with
    later files, as long as nothing is written before this returns. Raise `OSError`.
    """
    names = disk.names()
    for name in [log_name(start) for start in reversed(name_seqs(names, "log"))]:
        disk.unlink(name)
    for name in [snapshot_name(seq) for seq in reversed(name_seqs(names, "snapshot"))]:
        disk.unlink(name)
    disk.sync_directory()


def trim(disk: Disk, snapshots_kept: int = 2, held_from: int = 0, held_bytes_max: int = 0) -> list[str]:
    """Remove the files that the newest `snapshots_kept` snapshots replace; return their names.

    Call this only after a new snapshot was finished. A log from seq 1 counts as the snapshot of an
    empty state: while there are too few snapshots, the whole log is kept, so there is always a
    fallback. The segment in use is never removed. Segments with the seq `held_from` (0: none) or later
    ones stay for readers of changes, the newest of them, up to `held_bytes_max` in all. Raise `OSError`; the
    next call removes the remaining files.
    """
    assert snapshots_kept > 0
    names = disk.names()
    obsolete = replaced(names, snapshots_kept)
    snapshots = name_seqs(names, "snapshot")
    # Remove a snapshot before its segments: without them it is of no use.
    removed = [snapshot_name(seq) for seq in snapshots[:-snapshots_kept]]
    for name in removed:
        disk.unlink(name)
    if removed:
        disk.sync_directory()
    obsolete = _without_held(disk, obsolete, held_from, held_bytes_max)
    for name in obsolete:
        disk.unlink(name)
    if obsolete:
        disk.sync_directory()
    return removed + obsolete


def replaced(names: list[str], snapshots_kept: int) -> list[str]:
    """Return the segments among these files that the newest `snapshots_kept` snapshots replace, in ascending order."""
    snapshots = name_seqs(names, "snapshot")
    if len(snapshots) < snapshots_kept:
        return []
    oldest = snapshots[-snapshots_kept]
    starts = name_seqs(names, "log")
    needed = max((start for start in starts if start <= oldest + 1), default=0)
    return [log_name(start) for start in starts if start < needed]


def _without_held(disk: Disk, names: list[str], held_from: int, held_bytes_max: int) -> list[str]:
    """Return the segments, in ascending order, without those that are held for readers."""
    if not held_from:
        return names
    starts = name_seqs(names, "log")
    first_held = max((start for start in starts if start <= held_from), default=held_from)
    left = held_bytes_max
    while starts and starts[-1] >= first_held:
        left -= disk.size(log_name(starts[-1]))
        if left < 0:
            break
        starts.pop()
    return [log_name(start) for start in starts]
