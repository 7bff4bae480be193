"""Rewrites the unsynced tail of the log into a new segment, after an unclean stop.

The groups come from `Segment.groups()`, so each is checked while it is copied: data that the system lost since the
first reading is detected, not copied. Adjacent groups of one epoch become one group, up to `PIECE_BYTES`; at most
that size and one group are in memory at a time.
"""

from contextlib import suppress

from synap.journal.disk_port import Buffer, Disk, Handle
from synap.journal.errors import Damage
from synap.journal.formats import FRESH, LOG_MAGIC, TEMPORARY, log_name, pack_file_header, pack_group
from synap.journal.segments import Segment

PIECE_BYTES = 1 << 20
"""Groups are gathered to this size before they are written."""


def write_again(disk: Disk, last: Segment) -> int:
    """Copy the groups of `last` from its `safe` place on into a new segment; return the checksum of the last group.

    `last` was read to its end and has frames. When this returns, the new segment is on the disk under its
    name. Raise `OSError`, or `Damage` if a group cannot be read a second time; then the log is as before.
    """
    seq, _, prev, epoch, now = last.safe
    whole = seq == last.header.seq  # the new segment replaces the old one
    flags = last.header.flags & FRESH if whole else 0
    head, mark = pack_file_header(LOG_MAGIC, flags, last.header.node_id, epoch, seq, now, prev)
    name = log_name(seq)
    handle = disk.create(name + TEMPORARY)
    try:
        try:
            handle.write((head,))
            prev = _copy(disk, last, handle, mark)
            handle.sync()
        finally:
            handle.close()
    except (OSError, Damage):
        with suppress(OSError):  # frees space on a full disk; else the next start removes it
            disk.unlink(name + TEMPORARY)
        raise
    disk.rename(name + TEMPORARY, name)
    disk.sync_directory()
    return prev


def _copy(disk: Disk, last: Segment, handle: Handle, mark: int) -> int:
    """Write the groups behind the `safe` place as large groups; return the checksum of the last."""
    first_seq, _, prev, epoch, now = last.safe
    durable = first_seq - 1
    again = Segment(disk, last.name, LOG_MAGIC)
    again.go_to(last.safe, last.offset)
    gathered: list[Buffer] = []
    size = frame_count = 0

    def put() -> None:
        nonlocal prev, first_seq, gathered, size, frame_count
        data = b"".join(gathered)
        head, prev = pack_group(mark, prev, [data], size, first_seq, frame_count, 0, epoch, durable, now)
        handle.write((head, data))
        first_seq += frame_count
        gathered, size, frame_count = [], 0, 0

    for payload, _, count, term, then in again.groups():
        if gathered and (term != epoch or size >= PIECE_BYTES):
            put()
        gathered.append(payload)
        size, frame_count, epoch, now = size + len(payload), frame_count + count, term, then
    if again.fault is not None or again.offset != last.offset or again.prev != last.prev:
        raise Damage(last.name, again.offset, "the tail of the log cannot be read again")
    put()
    return prev
