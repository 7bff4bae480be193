"""Recovery: reads the newest valid snapshot and the log behind it, and checks that no promised data is missing.

    newest snapshot that verifies (or nothing)  ->  segments in order, each chained to the one before

A seq is *promised* once it is known to be on the disk. Reading changes no file. `begin_log`, called after
everything was read, does: it cuts the tail, removes temporary files, renames broken snapshots, rewrites the end of
an unclean log and opens a new segment. Each step leaves a directory that recovers to the same state, so a crash in
between costs only the time of the next start.

**Bytes that can be read may not be on the disk.** A failed sync may drop written pages, which the system then
considers clean: they can be read until the power goes, and no later sync writes them. A process that starts after
such a process was killed cannot detect this. So without a CLEAN_STOP recovery does not sync the files it finds. The
groups that no later group promises, mostly those of the last syncs, are read again, checked again and written to a
new segment (under a temporary name, synced, renamed, directory synced), and the log continues behind that segment.
The new segment starts where the promised groups end, in the middle of the old segment, which is not read beyond that
place: a segment ends where its successor continues by seq and checksum. If no group is promised, the new segment
takes the place and name of the old one. A CLEAN_STOP promises everything before it, but not itself: the successor
continues from the group before it.

**The hole rule.** An invalid group in the last segment is a torn tail unless something behind it proves otherwise.
A torn tail is cut from there on, valid groups included, since no seq may exist without the one before it. But if
a valid group behind it was written when the missing seq was known to be on disk, or a CLEAN_STOP follows, promised
data is damaged. Also damaged is a log with an invalid group in a segment that has a successor, with a missing
segment, or with a broken snapshot whose seq the log does not reach. Damage is raised as `Damage` with file and
offset, and never repaired by starting with less data.

**Epochs.** A start that cut a tail begins a new epoch: a replica may have seen the data that was cut. Groups
can also be lost exactly at a boundary, which no file shows, so every start begins a new epoch except one after
a CLEAN_STOP.
"""

from collections.abc import Iterator

from synap.journal.disk_port import Disk
from synap.journal.errors import Damage
from synap.journal.formats import BROKEN, FRESH, LOG_MAGIC, TEMPORARY, log_name, name_seqs, snapshot_name
from synap.journal.logs import SEGMENT_BYTES_MAX, Log
from synap.journal.segments import Group, Segment, frames_after
from synap.journal.snapshots import SnapshotFile
from synap.journal.tail_rewrite import write_again

NO_LOG = bytes(16)
"""The node id in a snapshot of a node without a log: no log need exist behind the snapshot."""


class Recovery:
    """The result of reading a data directory; made by `recover`.

    Set at once: `snapshot`, `snapshot_seq` (0 without a snapshot), `node_id` (None in an empty directory)
    and `notes`. Set when `groups()` has ended: `seq`, `epoch` and `now` to continue from, `epoch_read`, the
    last epoch found, `clean`, and `cut_bytes`, the size of the torn tail at `cut_offset` of `cut_name`.
    """

    def __init__(self, disk: Disk, log_required: bool) -> None:
        self.snapshot: SnapshotFile | None = None
        self.snapshot_seq = 0
        self.node_id: bytes | None = None
        self.notes: list[str] = []
        self.seq = self.epoch = self.epoch_read = self.now = 0
        self.clean = False
        self.cut_bytes = self.cut_offset = 0
        self.cut_name = ""
        self.group_count = 0
        self._disk = disk
        self._broken: list[Damage] = []
        self._broken_seq = 0
        self._last: Segment | None = None
        self._finished = False
        names = disk.names()
        self._temporary = [name for name in names if name.endswith(TEMPORARY)]
        self._choose_snapshot(name_seqs(names, "snapshot"))
        self._segments = self._choose_segments(name_seqs(names, "log"), log_required)

    def snapshot_payloads(self) -> Iterator[memoryview]:
        """Yield the snapshot's frames, some whole frames at a time; none without a snapshot."""
        if self.snapshot is not None:
            yield from SnapshotFile(self._disk, self.snapshot.name).payloads()

    def groups(self) -> Iterator[Group]:
        """Yield the groups of the log behind the snapshot. Raise `Damage`. Can be iterated once."""
        last: Segment | None = None
        successor: Segment | None = None
        for index, name in enumerate(self._segments):
            segment = successor or self._open_segment(name)
            if index + 1 < len(self._segments):
                successor = self._open_segment(self._segments[index + 1])
                segment.end_before(successor)
            if last is not None:
                segment.follow(last)
            groups = segment.groups()
            for group in groups:
                if group[1] + group[2] - 1 > self.snapshot_seq:
                    yield frames_after(group, self.snapshot_seq)
                    break
            yield from groups
            self._judge(segment, index == len(self._segments) - 1)
            self.group_count += segment.group_count
            last = segment
        self._conclude(last)

    def begin_log(
        self, node_id: bytes, segment_bytes_max: int = SEGMENT_BYTES_MAX, *, keep_epoch: bool = False
    ) -> Log:
        """Cut the torn tail, tidy up, rewrite the end of an unclean log and return the log with a new segment.

        `groups()` must have ended. `node_id` is used in a directory without one. `keep_epoch` is for a
        replica, which uses its master's epochs and begins none. Raise `OSError`, or `Damage` if the end of
        the log cannot be read a second time; no data is lost then, and the recovery can be started again.
        """
        assert self._finished, "the log was not read to its end"
        last, disk = self._last, self._disk
        for name in self._temporary:
            disk.unlink(name)
        for damage in self._broken:
            disk.rename(damage.name, damage.name + BROKEN)
        if last is not None and self.cut_bytes:
            handle = disk.open_append(last.name)
            try:
                handle.truncate(self.cut_offset)
                handle.sync()
            finally:
                handle.close()
        if last is None or last.seq <= self.seq:  # the snapshot is ahead of the log
            before, fresh = 0, True
        elif last.header.seq == last.seq:  # no frames: the new segment takes its place and name
            before, fresh = last.header.before, bool(last.header.flags & FRESH)
        elif last.ended:
            before, fresh = last.frames_prev, False
        else:
            before, fresh = write_again(disk, last), False
        return Log(
            disk,
            self.node_id or node_id,
            epoch=self.epoch_read if keep_epoch else self.epoch,
            written_seq=self.seq,
            now=self.now,
            before=before,
            fresh=fresh,
            segment_bytes_max=segment_bytes_max,
        )

    def _choose_snapshot(self, seqs: list[int]) -> None:
        """Choose the newest snapshot that verifies, and note the broken ones."""
        for seq in reversed(seqs):
            name = snapshot_name(seq)
            try:
                snapshot = SnapshotFile(self._disk, name)
                if snapshot.header.seq != seq:
                    raise Damage(name, 40, f"has seq {snapshot.header.seq}, which is not the seq in its name")
                snapshot.verify()
            except Damage as damage:
                self._broken.append(damage)
                self._broken_seq = max(self._broken_seq, seq)
                self.notes.append(f"snapshot skipped: {damage}")
                continue
            if snapshot.header.node_id != NO_LOG:
                self._admit(name, snapshot.header.node_id)
            self.snapshot, self.snapshot_seq = snapshot, seq
            return

    def _choose_segments(self, starts: list[int], log_required: bool) -> list[str]:
        """Return the segments to read: from the last that starts at or before the snapshot's next seq."""
        wanted = self.snapshot_seq + 1
        if not starts:
            if self._broken:
                raise self._broken[0]
            if self.snapshot is not None and log_required and self.snapshot.header.node_id != NO_LOG:
                raise Damage(log_name(wanted), 0, "there is a snapshot, but no log after it")
            return []
        if starts[0] > wanted:
            reason = f"seqs {wanted} to {starts[0] - 1} are missing before it"
            raise self._broken[0] if self._broken else Damage(log_name(starts[0]), 0, reason)
        first = max(start for start in starts if start <= wanted)
        return [log_name(start) for start in starts if start >= first]

    def _open_segment(self, name: str) -> Segment:
        """Open a segment and check its header. Raise `Damage`."""
        segment = Segment(self._disk, name, LOG_MAGIC)
        if log_name(segment.header.seq) != name:
            raise Damage(name, 40, f"starts at seq {segment.header.seq}, which is not the seq in its name")
        self._admit(name, segment.header.node_id)
        return segment

    def _admit(self, name: str, node_id: bytes) -> None:
        """Raise `Damage` if a file belongs to another node than the files before. Snapshots with NO_LOG are exempt."""
        if self.node_id is None:
            self.node_id = node_id
        if node_id != self.node_id:
            raise Damage(name, 16, f"belongs to node {node_id.hex()}, not {self.node_id.hex()}")

    def _judge(self, segment: Segment, newest: bool) -> None:
        """Decide if a fault in a segment is a torn tail, or damage. Raise `Damage`."""
        if segment.fault is None:
            return
        if not newest or segment.ended:
            raise Damage(segment.name, segment.offset, segment.fault)
        promise = segment.find_promise(max(segment.seq, self.snapshot_seq + 1))
        if promise is not None:
            reason = f"{segment.fault}, although these bytes were synced before byte {promise} was written"
            raise Damage(segment.name, segment.offset, reason)
        self.cut_name, self.cut_offset = segment.name, segment.offset
        self.cut_bytes = segment.size - segment.offset
        self.notes.append(
            f"torn tail: {self.cut_bytes} bytes cut at byte {self.cut_offset} of {self.cut_name} "
            f"({segment.fault})"
        )

    def _conclude(self, last: Segment | None) -> None:
        """Set `seq`, `epoch`, `now` and `clean`, from which the log continues. Raise `Damage`."""
        self._last = last
        if self.snapshot is not None:
            header = self.snapshot.header
            self.seq, self.epoch, self.now = header.seq, header.epoch, header.now
        if last is not None:
            self.seq = max(self.seq, last.seq - 1)
            self.epoch = max(self.epoch, last.epoch)
            self.now = max(self.now, last.now)
        if self.seq < self._broken_seq:
            raise self._broken[0]
        behind = last is not None and last.seq <= self.seq
        if behind:
            self.notes.append("the snapshot is ahead of the log")
        self.clean = last is not None and bool(last.ended) and not behind
        self.epoch_read = self.epoch
        if not self.clean:
            self.epoch += 1
        self._finished = True


def recover(disk: Disk, *, log_required: bool = True) -> Recovery:
    """Read a data directory: choose a snapshot and find the log behind it. Raise `Damage`.

    The caller loads `snapshot_payloads()`, applies all `groups()`, then calls `begin_log`. With `log_required`
    False a snapshot without any log is accepted, such as one copied from another node.
    """
    return Recovery(disk, log_required)
