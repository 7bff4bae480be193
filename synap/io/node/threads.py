"""What a database in this process leaves to threads: a call that waits in its own, and syncs of the log aside."""

import threading
from collections.abc import Callable
from typing import Any

from synap.journal import Log, LogFailed


class Waiter:
    """A call that waits for its keys while others make theirs. `parked` is what the engine knows of it.

    `seconds` is how long it may wait (None: for ever). When `done` is set there is a `value` or an `error`, and
    the value may be answered if the log holds everything up to `seq`.
    """

    def __init__(self) -> None:
        self.done = threading.Event()
        self.seconds: float | None = None
        self.value: Any = None
        self.error: Exception | None = None
        self.seq = 0
        self.parked: Any = None


class Syncs:
    """Mode `periodic`: whatever `want` was called for is on the disk `interval` seconds later.

    The thread sleeps while nothing is written. It is a daemon; `stop` ends it and waits for a sync under way. Where the
    system lets us have no thread, `want` syncs itself, and raises LogFailed.
    """

    def __init__(self, log: Log, interval: float, on_failure: Callable[[LogFailed], None]) -> None:
        """`on_failure` hears in the thread why a sync failed."""
        self._log = log
        self._interval = interval
        self._on_failure = on_failure
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def want(self) -> None:
        """Something was written."""
        if self._wanted.is_set():
            return
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="synap-fsync", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system lets us have no thread: sync in this one
                self._log.sync()
                return
            self._thread = thread
        self._wanted.set()

    def stop(self) -> None:
        """No more syncs."""
        self._stopping.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            if self._stopping.wait(self._interval):
                return
            self._wanted.clear()  # before the sync: what is written from now on wants another
            try:
                if self._log.failed is None:
                    self._log.sync()
            except LogFailed as failure:
                self._on_failure(failure)
