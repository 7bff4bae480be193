"""The changes of a node for those who read them: from memory while they keep up, from the log's segments otherwise.

    Node.flush  --payload-->  ChangeLog.written  -->  engine.changes.look: serves who waits
                                   |
                                   v
                the newest groups as bytes, while somebody reads them  |  the segments of the log

A change is visible once a reply may report it: when it is written, and in mode `always` when it is on the disk. A node
without a log begins to keep changes in memory when they are first asked for, and has those that fit.

A *named feed* is a place in the changes that the node remembers, with the segments of the log behind it. The places
are in a file beside the log. It is written when a feed is made or removed, and at most every SAVED_S seconds when
places move: after a crash a feed may hold back more than it needs, never less.
"""

import json
from collections import deque
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from synap.faults import Fault
from synap.io.node.clock import monotonic
from synap.journal import Damage, LogReader, Piece, replaced
from synap.journal.formats import TEMPORARY
from synap.ranges import FEED_NAME_MAX
from synap.store.memory import layout

if TYPE_CHECKING:
    from synap.io.node.node import Node

FEEDS_FILE = "feeds.json"
KEPT_S = 10.0
"""How long changes are kept in memory after somebody has asked for any; the log has them all the same."""
SAVED_S = 5.0
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=FEED_NAME_MAX)]
_Place = Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]


def _feeds_in(text: bytes) -> dict[str, int]:
    """Return the places of named feeds by their names, as FEEDS_FILE has them. Raise ValueError if they are none."""
    try:
        return msgspec.json.decode(text, type=dict[_Name, _Place])
    except RecursionError as error:
        raise ValueError(str(error)) from None


class ChangeLog:
    """The changes of one node, and its named feeds. `Engine.host.changes`, see `engine/host.py`."""

    def __init__(self, node: "Node") -> None:
        """Set up; `open` is called once the node has recovered."""
        settings = node.settings
        self._node = node
        self._kept_bytes_max = settings.number("changes.memory_bytes_max")
        self.feeds_max = settings.number("changes.feeds_max")
        self.held_bytes_max = settings.number("changes.held_bytes_max")
        self._held_secs = settings.number("changes.held_secs")
        self._reader: LogReader | None = None
        self._segment = ""
        self._kept: deque[tuple[int, int, bytes]] = deque()
        self._kept_bytes = 0
        self._keeps = False
        self._asked_at = 0.0
        self._begun = 0  # without a log: the first seq that was kept
        self.feeds: dict[str, int] = {}  # name -> the next seq that the feed wants
        self._saved_at = 0.0
        self._unsaved = False

    def open(self) -> None:
        """Read the places of named feeds, and look for segments."""
        disk = self._node.disk
        if disk is None or self._node.log is None:
            return
        self._reader = LogReader(disk)
        if FEEDS_FILE in disk.names():
            try:
                self.feeds = _feeds_in(disk.read(FEEDS_FILE, 0, disk.size(FEEDS_FILE)))
            except (ValueError, OSError):
                self._node.recovered.notes.append(f"{FEEDS_FILE} cannot be read: no named feed holds the log back")

    # What there is.

    @property
    def last(self) -> int:
        """The seq of the last visible change."""
        log = self._node.log
        if log is None:
            return self._node.engine.seq - self._node.engine.numbers[layout.LOG_COUNT]
        return log.synced_seq if self._node.fsync_mode == "always" else log.written_seq

    @property
    def first(self) -> int:
        """The first seq that can be read; `last` + 1 if there is none."""
        if self._reader is not None:
            self._look_for_segments()
            return self._reader.first()
        if self._kept:
            return self._kept[0][0]
        return self._begun or self.last + 1

    def follow(self) -> None:
        """Keep the newest changes in memory from now on, for a while: somebody reads them."""
        self._asked_at = monotonic()
        if not self._keeps:
            self._keeps = True
            if self._node.log is None:
                self._node.engine.numbers[layout.JOURNALED] = 1
                self._begun = self._node.engine.seq + 1

    def written(self, payload: memoryview, first: int, count: int) -> None:
        """Note a group that has just been written, and let those be served who wait for changes."""
        if self._keeps:
            if self._node.log is not None and monotonic() - self._asked_at > KEPT_S:
                self._keeps = False
                self.forget()
            else:
                self._kept.append((first, count, bytes(payload)))
                self._kept_bytes += len(payload)
                while self._kept_bytes > self._kept_bytes_max and len(self._kept) > 1:
                    self._kept_bytes -= len(self._kept.popleft()[2])
        self._node.engine.changes.look()

    def applied(self, frames: memoryview, first: int, count: int) -> None:
        """Note changes that were made from the frames of another node; this one has no log."""
        self.written(frames, first, count)

    def read(self, seq: int, most: int) -> list[Piece]:
        """Return groups from the one with `seq` on, until they have `most` bytes; see `LogReader.read`.

        Raise Fault CHANGES_GONE, or CHANGES_UNREADABLE if the log is damaged there, or the disk refuses.
        """
        last = self.last
        kept = self._kept
        if kept and seq >= kept[0][0]:
            return self._of_memory(seq, last, most)
        reader = self._reader
        if reader is None:
            if seq <= last:
                raise self._gone(seq)
            return []
        self._look_for_segments()
        if seq < reader.first():
            raise self._gone(seq)
        try:
            return reader.read(seq, last, most)
        except FileNotFoundError:
            reader.renew()
            raise self._gone(seq) from None
        except (OSError, Damage) as error:
            raise Fault("CHANGES_UNREADABLE", seq=seq, reason=str(error)) from error

    def _of_memory(self, seq: int, last: int, most: int) -> list[Piece]:
        kept = self._kept
        at = len(kept) - 1
        while at >= 0 and kept[at][0] > seq:
            at -= 1
        found: list[Piece] = []
        size = 0
        while at < len(kept) and size < most:
            first, count, payload = kept[at]
            if first + count - 1 > last:
                break
            if first + count > seq:
                found.append((first, count, memoryview(payload)))
                size += len(payload)
            at += 1
        return found

    def _gone(self, seq: int) -> Fault:
        return Fault("CHANGES_GONE", seq=seq, first=self.first, next=self.last + 1)

    def _look_for_segments(self) -> None:
        log = self._node.log
        if self._reader is not None and log is not None and log.segment_name != self._segment:
            self._reader.renew()
            self._segment = log.segment_name

    def renew(self) -> None:
        """Look for segments again: a snapshot has replaced some."""
        if self._reader is not None:
            self._reader.renew()

    def forget(self) -> None:
        """Drop what is kept in memory: the log has refused a group, so what follows does not continue it."""
        self._kept.clear()
        self._kept_bytes = 0

    # Named feeds.

    def place(self, name: str, seq: int | None) -> int:
        """Move a named feed to `seq`, or return where it is; a new feed begins there, or behind the last change.

        Raise Fault CHANGES_AHEAD, CHANGES_GONE or TOO_MANY_FEEDS, without any change.
        """
        known = self.feeds.get(name)
        if seq is not None:
            if seq > self._node.engine.seq + 1:
                raise Fault("CHANGES_AHEAD", seq=seq, next=self._node.engine.seq + 1)
            if (known is None or seq < known) and seq < self.first:
                raise self._gone(seq)
        if known is None:
            if len(self.feeds) >= self.feeds_max:
                raise Fault("TOO_MANY_FEEDS", limit=self.feeds_max)
            self.feeds[name] = self.last + 1 if seq is None else seq
            self._save()
        elif seq is not None and seq != known:
            self.feeds[name] = seq
            self._unsaved = True
            if monotonic() - self._saved_at > SAVED_S:
                self._save()
        return self.feeds[name]

    def drop(self, name: str) -> bool:
        """Remove a named feed; return False if there is none."""
        if self.feeds.pop(name, None) is None:
            return False
        self._save()
        return True

    def held_from(self) -> int:
        """Return the seq from which segments of the log are to be kept for readers, 0 for none."""
        wanted = list(self.feeds.values())
        if self._held_secs and self._reader is not None:
            since = self._node.engine.numbers[layout.LAST_NOW] - 1000 * self._held_secs
            wanted.append(self._reader.begun_before(since))
        return max(min(wanted), 1) if wanted else 0

    def held_bytes(self) -> int:
        """Return the bytes of the log's segments before the oldest one that recovery needs."""
        disk = self._node.disk
        if disk is None or self._node.log is None:
            return 0
        kept = self._node.settings.number("persistence.snapshot.max_snapshots")
        return sum(disk.size(name) for name in replaced(disk.names(), kept))

    def save(self) -> None:
        """Write the places of named feeds, if they have moved."""
        if self._unsaved:
            self._save()

    def _save(self) -> None:
        """Write the places of named feeds. Without a log, or if the disk refuses, they stay in memory."""
        disk = self._node.disk
        self._saved_at, self._unsaved = monotonic(), False
        if disk is None or self._reader is None:
            return
        try:
            handle = disk.create(FEEDS_FILE + TEMPORARY)
            try:
                handle.write((json.dumps(self.feeds).encode(),))
                handle.sync()
            finally:
                handle.close()
            disk.rename(FEEDS_FILE + TEMPORARY, FEEDS_FILE)
            disk.sync_directory()  # else a new feed could be gone after a loss of power, and with it its segments
        except OSError:
            self._unsaved = True

    def report(self) -> dict[str, Any]:
        """Return the section Changes of INFO."""
        first, last = self.first, self.last
        return {
            "changes_first_seq": first,
            "changes_last_seq": last,
            "changes_memory_bytes": self._kept_bytes,
            "changes_readers_waiting": self._node.engine.changes.waiting_count,
            "changes_feeds": len(self.feeds),
            "changes_feeds_lost": sum(place < first for place in self.feeds.values()),
            "changes_feeds_lag": max((last + 1 - place for place in self.feeds.values()), default=0),
            "changes_held_bytes": self.held_bytes(),
        }
