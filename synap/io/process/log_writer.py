"""A logging handler that writes lines on its own thread, so that no logging call waits for the reader.

    handler = Lines(descriptor)       a handler of the standard library
      .dropped                        number of lines that were dropped
      .close_within(seconds)          write the lines that wait, for at most `seconds`

A pipe without a reader, a stopped terminal and a disk that hangs take no lines. Lines then wait, up to LINES_MAX and
BYTES_MAX; further lines are dropped and counted, and the log tells the count once lines are taken again.
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
    """A handler that writes records to a descriptor on its own thread."""

    def __init__(self, descriptor: int, lines_max: int = LINES_MAX, bytes_max: int = BYTES_MAX) -> None:
        super().__init__()
        self.dropped = 0
        self._told = 0  # dropped lines that the log has reported
        self._descriptor = descriptor
        self._lines_max, self._bytes_max = lines_max, bytes_max
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._writing = False
        self._changed = threading.Condition(threading.Lock())
        self._thread = threading.Thread(target=self._write_all, name="synap-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record, or drop it if the queue is full. Never waits for the reader."""
        try:
            self._put(self.format(record))
        except Exception:  # like every handler of the standard library: report a record that cannot be formatted
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
        """Wait until every line is written, at most `seconds`; lines left then are lost."""
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
        """Write one line, however long that takes; count the line as dropped if the descriptor is unusable."""
        rest = memoryview(line)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # another process made the shared descriptor non-blocking: it still takes no lines
                _wait_until_writable(self._descriptor)
            except OSError as error:
                if error.errno != errno.EINTR:  # a closed pipe, a terminal that is gone, a full disk
                    with self._changed:
                        self.dropped += 1
                    return

    def _tell_dropped(self) -> None:
        """Log how many lines were dropped, once the queue is empty."""
        with self._changed:
            missing = self.dropped - self._told
            if not missing or self._waiting:
                return
            self._told = self.dropped
        before = self.dropped
        text = f"{missing} log lines were dropped: standard error did not take them"
        record = logging.LogRecord("synap", logging.WARNING, __file__, 0, text, (), None)
        self._write((self.format(record) + "\n").encode("utf-8", "backslashreplace"))
        if self.dropped != before:  # this report was dropped itself, and does not count as a dropped line
            with self._changed:
                self.dropped -= 1
                self._told = self.dropped - missing


def _wait_until_writable(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll(RETRY_MS)
