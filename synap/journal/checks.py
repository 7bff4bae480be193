"""The check of a data directory for `synap check`: reads every file and changes none."""

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
    """The contents of one file, and the fault at which reading ended."""

    name: str
    bytes: int
    first_seq: int = 0
    last_seq: int = 0
    group_count: int = 0
    epoch: int = 0
    clean_stop: bool = False
    fault: str | None = None
    """The reason why reading ended early, with the offset; None if the whole file is valid."""
    left_over: bool = False
    """True for a log segment entirely below the snapshot, not yet removed by `trim`: recovery does not read it."""


@dataclass
class Report:
    """The result for a data directory. A start is refused if `damage` is set, else it cuts `cut_bytes`."""

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
        """True if a start would find all promised data, and every file is valid or has only a torn tail."""
        faults = sum(report.fault is not None and not report.left_over for report in self.files)
        return self.damage is None and faults <= bool(self.cut_bytes)


def check(disk: Disk) -> Report:
    """Read every file of a data directory, then run a recovery without using its result."""
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
    """Read one file to its first fault or its end; a segment ends where its successor continues."""
    report = FileReport(name, disk.size(name))
    try:
        file: GroupFile
        if name.startswith("log-"):
            file = Segment(disk, name, LOG_MAGIC)
            if successor:
                with suppress(Damage):  # reported with the successor
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
