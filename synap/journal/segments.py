"""Reads and checks a file of groups: a log segment or a snapshot.

A file is read in chunks of `READ_BYTES`; a group that crosses the end of a chunk is read again as the
start of the next, so payloads are views of the chunk and no bytes are joined. A size is compared with
the file's size before it is used, so a damaged header cannot demand more memory than the file has.

The cost is per group: one unpack, five comparisons, one checksum, one yield.
"""

from collections.abc import Iterator
from zlib import crc32

from synap.journal.disk_port import Disk
from synap.journal.errors import Damage
from synap.journal.formats import (
    CLEAN_STOP,
    COMPRESSED,
    FRAME_HEAD,
    FRESH,
    GROUP,
    HEADER_BYTES,
    FileHeader,
    flags_hold,
    inflate,
    unpack_file_header,
)

READ_BYTES = 4 << 20
"""Size of one read: large enough to make the cost of the call negligible, small enough for the cache."""

Group = tuple[memoryview, int, int, int, int]
"""(payload, first seq, number of frames, epoch, engine ms of the last frame)"""

Place = tuple[int, int, int, int, int]
"""A boundary between groups: (next seq, offset in bytes, checksum of the group before, epoch, engine ms)"""


class GroupFile:
    """A reader of one file of groups.

    Once `groups()` has ended, `offset` is where the next group would start, `seq` the first seq
    not read, `prev` the checksum of the last group, `epoch` and `now` are those of that group.
    `ended` is CLEAN_STOP or END if that was read last, `fault` the reason if reading ended early.
    Everything before the place `safe` is known to be on the disk, because a later group records it;
    `safe` lies at most two syncs before the last group known to be on the disk.
    """

    def __init__(self, disk: Disk, name: str, magic: bytes) -> None:
        """Check the file header. Raise `Damage`."""
        self.disk = disk
        self.name = name
        self.size = disk.size(name)
        self.header: FileHeader = unpack_file_header(name, disk.read(name, 0, HEADER_BYTES), magic)
        self.offset = HEADER_BYTES
        self.prev = self.header.before
        self.seq = 1
        self.epoch = self.header.epoch
        self.now = self.header.now
        self.group_count = 0
        self.ended = 0
        self.fault: str | None = None
        self.safe = self.place
        self.frames_prev = self.prev
        """The checksum of the last group with frames: `prev`, unless a CLEAN_STOP follows that group."""
        self.next_seq = self.next_prev = 0  # reading ends at the place where the successor continues

    @property
    def place(self) -> Place:
        """The place up to which the file was read."""
        return self.seq, self.offset, self.prev, self.epoch, self.now

    def go_to(self, place: Place, end: int) -> None:
        """Make `groups()` read from a place on, up to the byte `end`."""
        self.seq, self.offset, self.prev, self.epoch, self.now = place
        self.size = end

    def groups(self) -> Iterator[Group]:
        """Yield every valid group in order, up to the first invalid one; never raise `Damage`.

        At the end the attributes are set as the class describes.
        """
        read, name, size, mark = self.disk.read, self.name, self.size, self.header.mark
        unpack, checksum = GROUP.unpack_from, crc32
        prev, seq, epoch, now, offset = self.prev, self.seq, self.epoch, self.now, self.offset
        fault: str | None = None
        group_count = 0
        wanted = HEADER_BYTES
        next_seq, next_prev = self.next_seq, self.next_prev
        ahead = self.place  # becomes `safe` when a group records that everything before is on the disk
        ahead_seq = seq - 1
        try:
            while offset < size and fault is None:
                if size - offset < HEADER_BYTES:
                    fault = "a group header is cut off"
                    break
                view = memoryview(read(name, offset, min(max(READ_BYTES, wanted), size - offset)))
                end = len(view)
                if end < min(wanted, size - offset):
                    fault = "the file became shorter while it was read"
                    break
                wanted = HEADER_BYTES
                at = 0
                while end - at >= HEADER_BYTES:
                    found, crc, before, length, first, count, flags, term, durable, then = unpack(view, at)
                    stop = at + HEADER_BYTES + (length + 7 & -8)
                    if found != mark or first != seq or before != prev or term < epoch:
                        fault = "a group header is not valid"
                        break
                    if stop > end:
                        wanted = stop - at
                        if offset + wanted > size:
                            fault = "a group is cut off"
                        break
                    if checksum(view[at + 12 : stop]) != crc:
                        fault = "a group does not match its checksum"
                        break
                    payload = view[at + HEADER_BYTES : at + HEADER_BYTES + length]
                    if flags:
                        if not flags_hold(flags, length, count):
                            fault = "a group has unknown flags"
                            break
                        if flags & COMPRESSED:
                            unpacked = inflate(payload)
                            if unpacked is None:
                                fault = "a compressed chunk cannot be decompressed"
                                break
                            payload = unpacked
                    if durable >= ahead_seq:
                        self.safe, ahead, ahead_seq = ahead, (seq, offset, prev, epoch, now), seq - 1
                    offset += stop - at
                    at = stop
                    seq = first + count
                    before, prev, epoch, now = prev, crc, term, then
                    group_count += 1
                    if flags and not flags & COMPRESSED:
                        self.ended, self.frames_prev = flags, before
                        if offset < size:
                            fault = "there are bytes after the end"
                        return
                    yield payload, first, count, epoch, now
                    if seq == next_seq and prev == next_prev:
                        return
        finally:
            if not self.ended:
                self.frames_prev = prev
            self.prev, self.seq, self.epoch, self.now, self.offset = prev, seq, epoch, now, offset
            self.group_count, self.fault = group_count, fault

    def find_promise(self, missing_seq: int) -> int | None:
        """Return the offset of a valid group behind the fault that promises `missing_seq`, or None.

        A group promises that seq if the seq was known to be on disk when the group was written, or if the group
        is a CLEAN_STOP. The search goes in 8-byte steps up to the end of the file.
        """
        pattern = self.header.mark.to_bytes(8, "little")
        start = self.offset
        while start < self.size:
            data = self.disk.read(self.name, start, min(READ_BYTES, self.size - start))
            at = data.find(pattern)
            while at >= 0:
                if at % 8 == 0 and self._promises(start + at, missing_seq):
                    return start + at
                at = data.find(pattern, at + 1)
            if not data:
                break
            start += len(data)
        return None

    def _promises(self, offset: int, missing_seq: int) -> bool:
        """Return True if a valid group starts at `offset` and promises `missing_seq`."""
        head = self.disk.read(self.name, offset, HEADER_BYTES)
        if len(head) < HEADER_BYTES:
            return False
        _, crc, _, length, first, count, flags, _, durable, _ = GROUP.unpack(head)
        size = HEADER_BYTES + (length + 7 & -8)
        if size > self.size - offset or not flags_hold(flags, length, count):
            return False
        if first < self.seq or (durable < missing_seq and not flags & CLEAN_STOP):
            return False
        found, at = crc32(head[12:]), offset + HEADER_BYTES
        while at < offset + size:
            piece = self.disk.read(self.name, at, min(READ_BYTES, offset + size - at))
            if not piece:
                return False
            found, at = crc32(piece, found), at + len(piece)
        return bool(found == crc)


class Segment(GroupFile):
    """A log segment to read; its header's seq is that of its first frame."""

    def __init__(self, disk: Disk, name: str, magic: bytes) -> None:
        super().__init__(disk, name, magic)
        self.seq = self.header.seq
        self.safe = self.place

    def end_before(self, successor: "Segment") -> None:
        """Stop reading where a successor continues: groups behind that place were rewritten into the successor."""
        if not successor.header.flags & FRESH:
            self.next_seq, self.next_prev = successor.header.seq, successor.header.before

    def follow(self, before: "Segment") -> None:
        """Check that this segment continues the segment `before`. Raise `Damage` if not."""
        header = self.header
        chained = header.before == before.prev and not header.flags & FRESH
        if header.seq != before.seq or not chained or header.epoch < before.epoch:
            reason = f"does not continue {before.name}, which ends before seq {before.seq}: a segment is missing"
            raise Damage(self.name, 0, reason)


def frames_after(group: Group, seq: int) -> Group:
    """Return the part of a group after `seq`, found by stepping over frames by the size in their first word."""
    payload, first, count, epoch, now = group
    at = 0
    while count and first <= seq:
        at += (FRAME_HEAD.unpack_from(payload, at)[0] & 0xFFFFFFFF) + 7 & -8
        first, count = first + 1, count - 1
    return payload[at:], first, count, epoch, now
