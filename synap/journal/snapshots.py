"""Snapshots: a log that starts from nothing, in one file that is either complete or not there.

The writer works on a temporary name. `finish` syncs, reads everything back, renames and syncs the
directory, in this order, so a file with a snapshot's name is complete and was once read without a
fault. Only then may `trim` remove what it replaces.
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
"""On its way to the disk piece by piece: one sync of everything would hold up the log's writes meanwhile."""


class SnapshotFile(GroupFile):
    """A snapshot to read; its header's `seq`, `epoch` and `now` are where it stands."""

    def __init__(self, disk: Disk, name: str) -> None:
        """Check the file header; raises `Damage`."""
        super().__init__(disk, name, SNAPSHOT_MAGIC)

    @property
    def frame_count(self) -> int:
        """How many frames were read so far; after `payloads()` or `verify()`, how many there are."""
        return self.seq - 1

    def payloads(self) -> Iterator[memoryview]:
        """The frames in order, whole frames at a time; raises `Damage` at the first fault."""
        for group in self.groups():
            yield group[0]
        if self.fault is not None:
            raise Damage(self.name, self.offset, self.fault)
        if self.ended != END:
            raise Damage(self.name, self.offset, "the snapshot ends before its end marker")

    def verify(self) -> None:
        """Read and unpack all of it; raises `Damage`."""
        for _ in self.payloads():
            pass


class SnapshotWriter:
    """Writes one snapshot: `add` the frames, then `finish`, or `abort`.

    In a forked child it touches nothing but its own file. The log should be synced up to `seq` before
    `finish`, so that an older snapshot can stand in for this one.
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
        """Add `count` whole frames; the payload may be used again at once. Raises `OSError`."""
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
        """Complete, sync, verify and publish the file; its name. Raises `OSError` or `Damage`.

        Whatever is raised, the snapshot does not count as made. If only the last step failed it may
        be there nevertheless; it is whole then.
        """
        handle = self._handle
        assert handle is not None, "the snapshot is finished"
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
        """Give up; the temporary file is removed if the disk allows it, else at the next start."""
        handle, self._handle = self._handle, None
        try:
            if handle is not None:
                handle.close()
            self._disk.unlink(self.name + TEMPORARY)
        except OSError:
            return  # the next start removes every temporary file

    def _flush(self) -> None:
        """Write what was gathered."""
        if self._gathered_count:
            self._write(self._gathered, self._gathered_count)
            self._gathered = bytearray()
            self._gathered_count = 0

    def _write(self, payload: Buffer, count: int) -> None:
        """Write one group, compressed if that gains something."""
        packed = deflate(payload)
        if packed is None:
            self._write_group(payload, len(payload), count, 0)
        else:
            self._write_group(packed, len(packed), count, COMPRESSED)
        self.frame_count += count

    def _write_group(self, data: Buffer, size: int, count: int, flags: int) -> None:
        """Write one group and its padding."""
        handle = self._handle
        assert handle is not None, "the snapshot is finished"
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
    """Remove every file of the journal: a replica starts over from its master's snapshot.

    Half of it done leaves a directory that is refused, or older than it was, but never mixed with
    what comes next, as long as nothing is written before this returns. Raises `OSError`.
    """
    names = disk.names()
    for name in [log_name(start) for start in reversed(name_seqs(names, "log"))]:
        disk.unlink(name)
    for name in [snapshot_name(seq) for seq in reversed(name_seqs(names, "snapshot"))]:
        disk.unlink(name)
    disk.sync_directory()


def trim(disk: Disk, snapshots_kept: int = 2) -> list[str]:
    """Remove what the newest `snapshots_kept` snapshots replace; the names removed.

    To be called after a new snapshot has been finished, never before. A log from seq 1 counts as the
    snapshot of nothing: as long as there are too few snapshots, all of it is kept, so there
    is always something to fall back on. The segment in use is never removed. Raises `OSError`;
    then some files are left for the next time.
    """
    assert snapshots_kept > 0
    names = disk.names()
    snapshots = name_seqs(names, "snapshot")
    if len(snapshots) < snapshots_kept:
        return []
    oldest = snapshots[-snapshots_kept]
    starts = name_seqs(names, "log")
    needed = max((start for start in starts if start <= oldest + 1), default=0)
    # A snapshot goes before its segments: without them it could only be in the way.
    removed = [snapshot_name(seq) for seq in snapshots if seq < oldest]
    for name in removed:
        disk.unlink(name)
    if removed:
        disk.sync_directory()
    obsolete = [log_name(start) for start in starts if start < needed]
    for name in obsolete:
        disk.unlink(name)
    if obsolete:
        disk.sync_directory()
    return removed + obsolete
