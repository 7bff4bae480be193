"""Threads of the in-process database: a call that blocks waits in its own thread, a thread syncs the log."""

import threading
from collections.abc import Callable
from typing import Any

from synap.engine.callers import Caller
from synap.engine.outcomes import Outcome
from synap.journal import Log, LogFailed


class Waiter(Caller):
    """The caller of a call that may wait for its keys while other threads make calls.

    Once `done` is set there is a `value` or an `error`. The value may be returned as soon as the log holds every change
    up to `seq`.
    """

    def __init__(self, caller: Caller, read: Callable[[Outcome], Any], seq: Callable[[], int]) -> None:
        """Call for `caller`, with its permissions and its rate. `read` returns the value of an outcome or raises Fault,
        `seq` returns the seq of the last change."""
        super().__init__(caller.surface, caller.user)
        self.refuses, self.rate, self.namespace = caller.refuses, caller.rate, caller.namespace
        self._read, self._seq = read, seq
        self.done = threading.Event()
        self.value: Any = None
        self.error: Exception | None = None
        self.seq = 0

    def seconds(self, now: int) -> float | None:
        """Return how long the parked call may wait from `now` on, None for ever."""
        assert self.parked is not None
        return (self.parked.deadline - now) / 1000 if self.parked.deadline else None

    def deliver(self, outcome: Outcome) -> None:
        """Keep the outcome for the thread that waits, and wake it."""
        try:
            self.value = self._read(outcome)
        except Exception as error:  # raised in the thread that waits
            self.error = error
        self.seq = self._seq()
        self.done.set()


class Syncs:
    """Syncs of the log in mode `periodic`: a write is on the disk at most `interval` seconds after `want`.

    The thread sleeps while nothing is written. It is a daemon; `stop` ends it and waits for a sync under way. If the
    system refuses a thread, `want` syncs in the caller's thread and raises LogFailed when the sync fails.
    """

    def __init__(self, log: Log, interval: float, on_failure: Callable[[LogFailed], None]) -> None:
        """Set up without starting the thread. `on_failure` is called in the thread with the LogFailed of a sync."""
        self._log = log
        self._interval = interval
        self._on_failure = on_failure
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def want(self) -> None:
        """Request a sync within `interval` seconds, because something was written."""
        if self._wanted.is_set():
            return
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="synap-fsync", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system refuses a thread: sync in this one
                self._log.sync()
                return
            self._thread = thread
        self._wanted.set()

    def stop(self) -> None:
        """End the thread, after a sync that is under way; later calls of `want` start no sync."""
        self._stopping.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            if self._stopping.wait(self._interval):
                return
            self._wanted.clear()  # before the sync: a write from here on needs another sync
            try:
                if self._log.failed is None:
                    self._log.sync()
            except LogFailed as failure:
                self._on_failure(failure)
