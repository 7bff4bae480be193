"""Reads groups of the log while it is written, from any seq on that a segment still holds.

    first()  ->  the first seq from which everything up to the end of the log can be read
    read(seq, last, most)  ->  [(first seq, number of frames, payload), ...]

Reading costs the writer nothing: the reader opens the files by itself, and reads what is mostly still in the system's
cache. It keeps the places where its callers have stopped, so a caller that goes on reads no group again. To find any
other seq it walks over the headers of a segment, at most `WALK_BYTES` in one call.
"""

from bisect import bisect_right
from collections.abc import Callable
from zlib import crc32

from synap.journal.disk_port import Disk
from synap.journal.errors import Damage
from synap.journal.formats import (
    CLEAN_STOP,
    FRESH,
    GROUP,
    HEADER_BYTES,
    LOG_MAGIC,
    FileHeader,
    log_name,
    name_seqs,
    unpack_file_header,
)

READ_BYTES = 1 << 20
WALK_BYTES = 8 << 20
"""The most bytes over which one call walks to find a seq: about 20 ms with small groups."""
MARKS_MAX = 512
"""The most places of a segment that are kept."""
_FAR = 1 << 62

Piece = tuple[int, int, memoryview]
"""(first seq, number of frames, payload) of a group"""


class LogReader:
    """A reader of the log of one data directory, for any number of callers; each gives the seq that it wants."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._starts: list[int] = []
        self._headers: dict[int, FileHeader] = {}
        self._marks: dict[int, list[tuple[int, int]]] = {}  # start of a segment -> (seq, offset), ascending
        self.renew()

    def renew(self) -> None:
        """Look for segments again: some were added, or removed."""
        self._starts = name_seqs(self._disk.names(), "log")
        self._headers = {start: head for start, head in self._headers.items() if start in self._starts}
        self._marks = {start: marks for start, marks in self._marks.items() if start in self._starts}

    def first(self) -> int:
        """Return the first seq from which the log has everything; 0 without a segment.

        A segment that continues no other one, since a log had failed, is such a beginning; so is one behind a segment
        whose header cannot be read.
        """
        return self._newest(lambda header: bool(header.flags & FRESH))

    def begun_before(self, time: int) -> int:
        """Return the start of the newest segment that was begun before a time (ms), else of the oldest one."""
        return self._newest(lambda header: header.now <= time)

    def _newest(self, fits: Callable[[FileHeader], bool]) -> int:
        """Return the start of the newest segment whose header fits, else of the oldest one behind which all headers
        can be read; 0 without a segment."""
        oldest = self._starts[-1] if self._starts else 0
        for start in reversed(self._starts):
            try:
                if fits(self._header(start)):
                    return start
            except (OSError, Damage):
                break
            oldest = start
        return oldest

    def read(self, seq: int, last: int, most: int) -> list[Piece]:
        """Return groups from the one with `seq` on, up to the seq `last`, until they have `most` bytes; an empty list
        if `seq` was not found yet within WALK_BYTES (call again), or if there is nothing up to `last`. Groups before a
        damaged one are returned first.

        Raise FileNotFoundError if the segment was removed, `Damage` if the group with `seq` cannot be read.
        """
        found: list[Piece] = []
        size = 0
        while seq <= last and size < most:
            index = bisect_right(self._starts, seq) - 1
            if index < 0:
                raise FileNotFoundError(log_name(seq))
            end = self._starts[index + 1] if index + 1 < len(self._starts) else last + 1
            try:
                pieces = self._of_segment(self._starts[index], seq, min(last, end - 1), most - size)
            except Damage:
                if found:
                    break
                raise
            if not pieces:
                break
            found += pieces
            size += sum(len(payload) for _, _, payload in pieces)
            seq = pieces[-1][0] + pieces[-1][1]
        return found

    def _header(self, start: int) -> FileHeader:
        """Return the header of a segment. Raise FileNotFoundError or `Damage`."""
        found = self._headers.get(start)
        if found is None:
            name = log_name(start)
            found = unpack_file_header(name, self._disk.read(name, 0, HEADER_BYTES), LOG_MAGIC)
            self._headers[start] = found
        return found

    def _of_segment(self, start: int, wanted: int, last: int, most: int) -> list[Piece]:
        """Return the groups of one segment from the one with the seq `wanted` on."""
        name, mark = log_name(start), self._header(start).mark
        seq, offset = self._mark_before(start, wanted)
        end, walk_end = self._disk.size(name), offset + WALK_BYTES
        found: list[Piece] = []
        size, need = 0, min(most, READ_BYTES) + HEADER_BYTES
        while size < most and seq <= last and offset < (end if found else min(end, walk_end)):
            asked = min(need, end - offset)
            data = memoryview(self._disk.read(name, offset, asked))
            at, need = 0, READ_BYTES
            while len(data) - at >= HEADER_BYTES and size < most and seq <= last:
                lead, crc, _, length, first, count, flags, _, _, _ = GROUP.unpack_from(data, at)
                if lead != mark or first != seq:
                    if found:
                        return found
                    raise Damage(name, offset + at, "a group header is not valid")
                if flags & CLEAN_STOP:
                    return found
                stop = at + HEADER_BYTES + (length + 7 & -8)
                if seq + count > wanted:
                    if stop > len(data):
                        need = max(need, stop - at)
                        break
                    if crc32(data[at + 12 : stop]) != crc:
                        if found:
                            return found
                        raise Damage(name, offset + at, "a group does not match its checksum")
                    if not found:
                        self._keep(start, seq, offset + at)
                    found.append((first, count, data[at + HEADER_BYTES : at + HEADER_BYTES + length]))
                    size += length
                at, seq = stop, seq + count
            offset += at
            if not at and (len(data) < asked or offset + asked == end):
                break  # a group that is cut off, or the file became shorter while it was read
        self._keep(start, seq, offset)
        return found

    def _mark_before(self, start: int, wanted: int) -> tuple[int, int]:
        """Return the known place (seq, offset) in a segment that is the nearest before a seq, or at it."""
        marks = self._marks.get(start, [])
        index = bisect_right(marks, (wanted, _FAR)) - 1
        return marks[index] if index >= 0 else (start, HEADER_BYTES)

    def _keep(self, start: int, seq: int, offset: int) -> None:
        """Keep a place of a segment; with MARKS_MAX places, drop every second one of them first."""
        marks = self._marks.setdefault(start, [])
        index = bisect_right(marks, (seq, _FAR))
        if index and marks[index - 1][0] == seq:
            return
        marks.insert(index, (seq, offset))
        if len(marks) > MARKS_MAX:
            del marks[1::2]
