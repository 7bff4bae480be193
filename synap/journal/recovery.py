"""Recovery: what a data directory holds, and whether that is all it promised.

    newest snapshot that verifies (or nothing)  ->  segments in order, each chained to the one before

Reading changes nothing. `begin_log` does, once all was read: it cuts the tail, removes temporary files,
sets broken snapshots aside, writes the end of an unclean log again and opens a new segment. Each step
leaves a directory that recovers to the same state, so a crash in between costs nothing but the next
start's time.

**What was read is not what is on the disk.** A failed sync may drop what was written, and the system then takes
it for clean: it can be read until the power goes, and no later sync writes it. A process that
starts after such a one was killed cannot tell. So without a CLEAN_STOP it syncs nothing that it found: the groups
that no later group promises, mostly those of the last syncs, are read again, checked again and written to a new segment
(aside, synced, renamed, directory synced), and the log goes on behind that one. It starts where the promised
ones end, in the middle of the old segment, of which nothing is read from there on: a segment ends where its
successor goes on by seq and checksum. Without any promise it takes the old one's place and name. A CLEAN_STOP
promises all before it, but not itself: the successor goes on from the group before it.

**The hole rule.** A bad group in the last segment is a torn tail if nothing behind it says otherwise:
then all from there on is cut, whole groups too, since no seq may come without the one before it. But if
a whole group behind it was written when the missing seq was known to be on disk, or a CLEAN_STOP
stands there, promised data is damaged. So is any bad group in a segment that has a successor, a
segment that is missing, and a broken snapshot that the log does not reach. Damage is raised as
`Damage` with file and offset, never repaired by starting with less.

**Epochs.** A start that cut a tail begins a new epoch: a replica may have seen what was cut. Groups
can also be lost exactly at a boundary, which no file shows, so every start but one after a
CLEAN_STOP counts as such.
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
"""In the place of the node's id in a snapshot: there was no log then, so there need be none behind it."""


class Recovery:
    """One reading of a data directory; made by `recover`.

    Known at once: `snapshot`, `snapshot_seq` (0 without one), `node_id` (None in an empty directory)
    and `notes`. After `groups()` has ended: `seq`, `epoch` and `now` to go on from, `epoch_read`, the
    last one found, `clean`, and `cut_bytes`, the size of the torn tail at `cut_offset` of `cut_name`.
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
        """The snapshot's frames, whole frames at a time; nothing without a snapshot."""
        if self.snapshot is not None:
            yield from SnapshotFile(self._disk, self.snapshot.name).payloads()

    def groups(self) -> Iterator[Group]:
        """The log behind the snapshot, group by group; raises `Damage`. Can be run once."""
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
        """Cut the torn tail, tidy up, write the end of an unclean log again and open a new segment.

        `groups()` must have ended. `node_id` is used in a directory that has none yet. `keep_epoch` is for a
        replica: its epochs are its master's, and it begins none of its own. Raises `OSError`, or `Damage` if
        the end of the log cannot be read a second time; nothing that was there is lost then; start over.
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
        elif last.header.seq == last.seq:  # without a frame: the new segment takes its place and name
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
        """Take the newest snapshot that verifies, and note those that do not."""
        for seq in reversed(seqs):
            name = snapshot_name(seq)
            try:
                snapshot = SnapshotFile(self._disk, name)
                if snapshot.header.seq != seq:
                    raise Damage(name, 40, f"stands at seq {snapshot.header.seq}, not where its name says")
                snapshot.verify()
            except Damage as damage:
                self._broken.append(damage)
                self._broken_seq = max(self._broken_seq, seq)
                self.notes.append(f"snapshot passed over: {damage}")
                continue
            if snapshot.header.node_id != NO_LOG:
                self._admit(name, snapshot.header.node_id)
            self.snapshot, self.snapshot_seq = snapshot, seq
            return

    def _choose_segments(self, starts: list[int], log_required: bool) -> list[str]:
        """The segments to read: from the last that starts at or before the snapshot's next seq."""
        wanted = self.snapshot_seq + 1
        if not starts:
            if self._broken:
                raise self._broken[0]
            if self.snapshot is not None and log_required and self.snapshot.header.node_id != NO_LOG:
                raise Damage(log_name(wanted), 0, "there is a snapshot, but no log behind it")
            return []
        if starts[0] > wanted:
            reason = f"seqs {wanted} to {starts[0] - 1} are missing before it"
            raise self._broken[0] if self._broken else Damage(log_name(starts[0]), 0, reason)
        first = max(start for start in starts if start <= wanted)
        return [log_name(start) for start in starts if start >= first]

    def _open_segment(self, name: str) -> Segment:
        """A segment whose header holds; raises `Damage`."""
        segment = Segment(self._disk, name, LOG_MAGIC)
        if log_name(segment.header.seq) != name:
            raise Damage(name, 40, f"starts at seq {segment.header.seq}, not where its name says")
        self._admit(name, segment.header.node_id)
        return segment

    def _admit(self, name: str, node_id: bytes) -> None:
        """All files of a directory are of one node, but for snapshots of times when it kept no log."""
        if self.node_id is None:
            self.node_id = node_id
        if node_id != self.node_id:
            raise Damage(name, 16, f"belongs to node {node_id.hex()}, not {self.node_id.hex()}")

    def _judge(self, segment: Segment, newest: bool) -> None:
        """Tell a torn tail from damage, where reading a segment ended early."""
        if segment.fault is None:
            return
        if not newest or segment.ended:
            raise Damage(segment.name, segment.offset, segment.fault)
        promise = segment.find_promise(max(segment.seq, self.snapshot_seq + 1))
        if promise is not None:
            reason = f"{segment.fault}, though what stood here was on disk when byte {promise} was written"
            raise Damage(segment.name, segment.offset, reason)
        self.cut_name, self.cut_offset = segment.name, segment.offset
        self.cut_bytes = segment.size - segment.offset
        self.notes.append(
            f"torn tail: {self.cut_bytes} bytes cut at byte {self.cut_offset} of {self.cut_name} "
            f"({segment.fault})"
        )

    def _conclude(self, last: Segment | None) -> None:
        """Where to go on from."""
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
    """Read a data directory: choose a snapshot and find the log behind it; raises `Damage`.

    Load `snapshot_payloads()`, apply `groups()` to its end, then `begin_log`. With `log_required`
    False a snapshot without any log is accepted: one that was brought from elsewhere.
    """
    return Recovery(disk, log_required)
