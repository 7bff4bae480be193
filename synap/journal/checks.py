"""What `synap check` tells about a data directory, without changing it."""

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import zip_longest

from synap.journal.disk_port import Disk
from synap.journal.errors import Damage
from synap.journal.formats import LOG_MAGIC, log_name, name_seqs, snapshot_name
from synap.journal.recovery import recover
from synap.journal.segments import GroupFile, Segment
from synap.journal.snapshots import SnapshotFile


@dataclass
class FileReport:
    """One file: what it holds, and why it does not hold more."""

    name: str
    bytes: int
    first_seq: int = 0
    last_seq: int = 0
    group_count: int = 0
    epoch: int = 0
    clean_stop: bool = False
    fault: str | None = None
    """Why reading ended early, with the offset; None if the whole file holds."""
    left_over: bool = False
    """A log segment wholly below the snapshot, which a trim has not come to: nobody reads it."""


@dataclass
class Report:
    """A data directory. A start would be refused if `damage` is set, and cut `cut_bytes` otherwise."""

    files: list[FileReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    damage: str | None = None
    seq: int = 0
    epoch: int = 0
    now: int = 0
    clean: bool = False
    cut_bytes: int = 0

    @property
    def ok(self) -> bool:
        """Whether a start would find everything promised, and every file holds or has a mere torn tail."""
        faults = sum(report.fault is not None and not report.left_over for report in self.files)
        return self.damage is None and faults <= bool(self.cut_bytes)


def check(disk: Disk) -> Report:
    """Read every file of a data directory, then recover from it without keeping anything."""
    report = Report()
    names = disk.names()
    for seq in name_seqs(names, "snapshot"):
        report.files.append(_check_file(disk, snapshot_name(seq)))
    starts = name_seqs(names, "log")
    for seq, after in zip_longest(starts, starts[1:]):
        report.files.append(_check_file(disk, log_name(seq), log_name(after) if after else ""))
    segments = report.files[-len(starts) :] if starts else []
    try:
        recovery = recover(disk)
        for _ in recovery.groups():
            pass
    except Damage as damage:
        report.damage = str(damage)
        return report
    report.notes = recovery.notes
    report.seq, report.epoch, report.now = recovery.seq, recovery.epoch, recovery.now
    report.clean, report.cut_bytes = recovery.clean, recovery.cut_bytes
    for segment, after in zip(segments, starts[1:], strict=False):
        segment.left_over = after <= recovery.snapshot_seq + 1
    return report


def _check_file(disk: Disk, name: str, successor: str = "") -> FileReport:
    """Read one file to its first fault, or its end; a segment ends where its successor goes on."""
    report = FileReport(name, disk.size(name))
    try:
        file: GroupFile
        if name.startswith("log-"):
            file = Segment(disk, name, LOG_MAGIC)
            if successor:
                with suppress(Damage):  # it is reported with the successor
                    file.end_before(Segment(disk, successor, LOG_MAGIC))
            for _ in file.groups():
                pass
            report.first_seq, report.last_seq = file.header.seq, file.seq - 1
            report.clean_stop = bool(file.ended)
        else:
            file = SnapshotFile(disk, name)
            report.first_seq = report.last_seq = file.header.seq
            file.verify()
    except Damage as damage:
        report.fault = str(damage)
        return report
    report.group_count, report.epoch = file.group_count, file.epoch
    if file.fault is not None:
        report.fault = str(Damage(name, file.offset, file.fault))
    return report
