"""Signals of a server: SIGTERM and SIGINT stop it, SIGHUP is logged, SIGUSR1, SIGUSR2 and SIGPIPE are ignored."""

import asyncio
import logging
import signal
from collections.abc import Callable, Iterable

log = logging.getLogger("synap")

ENDING = ("SIGTERM", "SIGINT")
IGNORED = ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPIPE")


def ignore(names: Iterable[str]) -> None:
    """Ignore these signals, in this process and in processes started later, such as compiling workers."""
    for name in names:
        number = getattr(signal, name, None)  # Windows lacks some of these
        if number is not None:
            try:
                signal.signal(number, signal.SIG_IGN)
            except ValueError:  # not in the main thread: the program around the database decides about signals
                return


def end_by(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Call `stop` at each signal that stops a server; a second signal changes nothing."""
    for name in ENDING:
        _hear(loop, name, stop)


def log_hang_ups(loop: asyncio.AbstractEventLoop) -> None:
    """Log that SIGHUP does nothing. To be called after the compilation: a new process loses signal handlers."""
    _hear(loop, "SIGHUP", lambda: log.info("SIGHUP changes nothing: log lines go to standard error, not to a file"))


def _hear(loop: asyncio.AbstractEventLoop, name: str, act: Callable[[], None]) -> None:
    try:
        loop.add_signal_handler(getattr(signal, name), act)
    except (AttributeError, NotImplementedError, RuntimeError):  # Windows, or a loop that is not in the main thread
        return
