"""Faults that are put into a forked server before it runs: see `before` in zygote.py.

What a fault does is told by files in the server's working directory, so a test can switch it while it runs.
"""

import errno
import os
import threading
import time
from collections.abc import Callable
from typing import Any


def failing_sync() -> None:
    """Every sync fails with EIO while there is a file `sync_fails`."""
    from synap.io.node import files

    sync = files._sync

    def fail(fd: int) -> None:
        if os.path.exists("sync_fails"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(fd)

    files._sync = fail


def slow_sync() -> None:
    """Every sync takes 20 ms, so that it is done by the thread."""
    from synap.io.node import files

    sync = files._sync

    def slow(fd: int) -> None:
        time.sleep(0.02)
        sync(fd)

    files._sync = slow


def failing_slow_sync() -> None:
    """Both."""
    slow_sync()
    failing_sync()


def stuck_sync() -> None:
    """Every sync takes 2 ms; those of the thread do not end while there is a file `sync_stuck`."""
    from synap.io.node import files

    sync = files._sync

    def stuck(fd: int) -> None:
        time.sleep(0.002)
        while threading.current_thread() is not threading.main_thread() and os.path.exists("sync_stuck"):
            time.sleep(0.002)
        sync(fd)

    files._sync = stuck


def skewed_wall() -> None:
    """The wall clock is off by the milliseconds that stand in a file `wall`."""
    from synap.io.node import clock

    class Skewed(clock.System):
        @staticmethod
        def time_ns() -> int:  # type: ignore[override]
            try:
                with open("wall") as file:
                    return time.time_ns() + int(file.read() or 0) * 1_000_000
            except FileNotFoundError:
                return time.time_ns()

    clock.use(Skewed())


def early_replies() -> None:
    """A planted bug: replies leave before the frames are written. The ledgers have to notice it."""
    from synap.io.node.group_commit import GroupCommit

    end = GroupCommit.end

    def early(self: Any) -> None:
        self._let_go()
        self._loop.call_later(0.05, end, self)

    GroupCommit.end = early  # type: ignore[method-assign]


def slow_disk() -> None:
    """Every write, every sync and every fork takes 20 ms more."""
    from synap.io.node import files

    def late(work: Callable[..., Any]) -> Callable[..., Any]:
        def slow(*given: Any) -> Any:
            time.sleep(0.02)
            return work(*given)

        return slow

    files._writev, files._sync = late(files._writev), late(files._sync)
    os.fork = late(os.fork)
