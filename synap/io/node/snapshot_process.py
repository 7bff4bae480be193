"""The child process that writes a snapshot: a fork of the node's process, which keeps nothing of it but one pipe."""

import os
import signal
import sys

from synap.faults import BrokenNode

PR_SET_PDEATHSIG = 1
SNAPSHOT_NICE = 19


def become_writer(parent: int, pipe: int) -> None:
    """Turn a forked child into a snapshot writer: default signal handlers, only `pipe` open, low priority."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    _end_with_parent(parent)
    limit = os.sysconf("SC_OPEN_MAX")
    os.closerange(3, pipe)
    os.closerange(pipe + 1, limit if 0 < limit < 1 << 20 else 1 << 20)
    # Serving clients comes first. Lowered after the sockets are closed, or a new node finds the port taken.
    os.nice(SNAPSHOT_NICE)
    if hasattr(os, "SCHED_BATCH"):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _end_with_parent(parent: int) -> None:
    """Ask the system to end this process when its parent ends."""
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise BrokenNode("the parent has ended")
