"""The journal: log, snapshots and recovery of one data directory, without touching the world.

    recovery = recover(disk)                      reads; raises Damage, changes nothing
    for payload in recovery.snapshot_payloads():  load frames
    for payload, first_seq, count, epoch, now in recovery.groups():   apply frames
    log = recovery.begin_log(node_id)             cuts a torn tail, opens a new segment

    log.append(buffers, first_seq, count, now)    one group, one write
    log.sync()                                    any thread; returns the seq promised
    log.stop()

    writer = SnapshotWriter(disk, node_id, epoch=..., seq=..., now=...)
    writer.add(payload, count); writer.finish(); trim(disk)

The disk is a port (`disks`), the bytes are drawn in `formats`, the rules are told in `logs` and
`recovery`. Nothing here reads a clock, opens a file or knows what a frame means.
"""

from synap.journal.checks import FileReport, Report, check
from synap.journal.disk_port import Buffer, Disk, Handle
from synap.journal.errors import Damage, LogFailed
from synap.journal.logs import SEGMENT_BYTES_MAX, Log
from synap.journal.recovery import NO_LOG, Recovery, recover
from synap.journal.segments import Group
from synap.journal.snapshots import SnapshotFile, SnapshotWriter, trim, wipe

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
    "Recovery",
    "Report",
    "SnapshotFile",
    "SnapshotWriter",
    "check",
    "recover",
    "trim",
    "wipe",
]
