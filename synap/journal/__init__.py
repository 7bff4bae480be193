"""The journal: log, snapshots and recovery of one data directory, over an abstract disk.

    recovery = recover(disk)                      reads; raises Damage, changes no file
    for payload in recovery.snapshot_payloads():  load frames
    for payload, first_seq, count, epoch, now in recovery.groups():   apply frames
    log = recovery.begin_log(node_id)             cuts a torn tail, opens a new segment

    log.append(buffers, first_seq, count, now)    writes one group in one write
    log.sync()                                    any thread; returns the promised seq
    log.stop()

    writer = SnapshotWriter(disk, node_id, epoch=..., seq=..., now=...)
    writer.add(payload, count); writer.finish(); trim(disk)

The interface of the disk is `disk_port`, the file formats are in `formats`, the rules in `logs` and
`recovery`. No code here reads a clock, opens a file or interprets frames.
"""

from synap.journal.checks import FileReport, Report, check
from synap.journal.disk_port import Buffer, Disk, Handle
from synap.journal.errors import Damage, LogFailed
from synap.journal.log_reader import LogReader, Piece
from synap.journal.logs import SEGMENT_BYTES_MAX, Log
from synap.journal.recovery import NO_LOG, Recovery, recover
from synap.journal.segments import Group
from synap.journal.snapshots import SnapshotFile, SnapshotWriter, replaced, trim, wipe

__all__ = [
    "NO_LOG",
    "SEGMENT_BYTES_MAX",
    "Buffer",
    "Damage",
    "Disk",
    "FileReport",
    "Group",
    "Handle",
    "Log",
    "LogFailed",
    "LogReader",
    "Piece",
    "Recovery",
    "Report",
    "SnapshotFile",
    "SnapshotWriter",
    "check",
    "recover",
    "replaced",
    "trim",
    "wipe",
]
