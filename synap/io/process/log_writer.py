"""The thread that writes log lines, so that nobody else waits for whoever reads them.

    handler = Lines(descriptor)       a handler of the standard library
      .dropped                        lines that found no room
      .close_within(seconds)          write what waits, for so long at most

A pipe that nobody reads, a terminal that is stopped, and a disk that hangs take no lines. They wait, up to a number and
a size; further lines are dropped and counted, and the log tells how many once lines are taken again.
"""

import errno
import logging
import os
import select
import threading
from collections import deque

from synap.io.node.clock import monotonic

LINES_MAX = 10_000
BYTES_MAX = 4 << 20
RETRY_MS = 100


class Lines(logging.Handler):
    """Writes records to a descriptor, on a thread of its own."""

    def __init__(self, descriptor: int, lines_max: int = LINES_MAX, bytes_max: int = BYTES_MAX) -> None:
        super().__init__()
        self.dropped = 0
        self._told = 0  # of those dropped
        self._descriptor = descriptor
        self._lines_max, self._bytes_max = lines_max, bytes_max
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._writing = False
        self._changed = threading.Condition(threading.Lock())
        self._thread = threading.Thread(target=self._write_all, name="synap-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Let a record wait for its turn, or drop it. Never waits for the reader."""
        try:
            self._put(self.format(record))
        except Exception:  # as every handler of the standard library: a line that cannot be made is told of
            self.handleError(record)

    def _put(self, text: str) -> None:
        line = (text + "\n").encode("utf-8", "backslashreplace")
        with self._changed:
            fits = len(self._waiting) < self._lines_max and self._bytes + len(line) <= self._bytes_max
            if not fits and self._waiting:
                self.dropped += 1
                return
            self._waiting.append(line)
            self._bytes += len(line)
            self._changed.notify_all()

    def close_within(self, seconds: float) -> None:
        """Wait until every line is written, or for so long; the lines that are left are lost."""
        until = monotonic() + seconds
        with self._changed:
            while (self._waiting or self._writing) and (left := until - monotonic()) > 0:
                self._changed.wait(left)

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                while not self._waiting:
                    self._changed.wait()
                line = self._waiting.popleft()
                self._bytes -= len(line)
                self._writing = True
            self._write(line)
            self._tell_dropped()

    def _write(self, line: bytes) -> None:
        """Write one line, however long that takes; where nobody can read it, it counts as dropped."""
        rest = memoryview(line)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # who shares the descriptor has made it so: it still takes no lines
                _wait_for_room(self._descriptor)
            except OSError as error:
                if error.errno != errno.EINTR:  # a closed pipe, a terminal that is gone, a full disk
                    with self._changed:
                        self.dropped += 1
                    return

    def _tell_dropped(self) -> None:
        """Say how many lines are missing, behind those that waited."""
        with self._changed:
            missing = self.dropped - self._told
            if not missing or self._waiting:
                return
            self._told = self.dropped
        before = self.dropped
        text = f"{missing} log lines were dropped: standard error did not take them"
        record = logging.LogRecord("synap", logging.WARNING, __file__, 0, text, (), None)
        self._write((self.format(record) + "\n").encode("utf-8", "backslashreplace"))
        if self.dropped != before:  # it was not taken either: that is no line that a reader misses
            with self._changed:
                self.dropped -= 1
                self._told = self.dropped - missing


def _wait_for_room(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll(RETRY_MS)
