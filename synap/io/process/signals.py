"""What signals do to a server: two end it in order, one is told in the log, and no other ends it by mistake."""

import asyncio
import logging
import signal
from collections.abc import Callable, Iterable

log = logging.getLogger("synap")

ENDING = ("SIGTERM", "SIGINT")
IGNORED = ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPIPE")


def ignore(names: Iterable[str]) -> None:
    """Ignore these signals. Processes started later, as those that compile, ignore them too."""
    for name in names:
        number = getattr(signal, name, None)  # Windows has only some
        if number is not None:
            try:
                signal.signal(number, signal.SIG_IGN)
            except ValueError:  # not the main thread, whose program decides about signals
                return


def end_by(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Call `stop` at each signal that ends a server. A second one changes nothing: the end is under way."""
    for name in ENDING:
        _hear(loop, name, stop)


def tell_hang_ups(loop: asyncio.AbstractEventLoop) -> None:
    """Say in the log that SIGHUP does nothing. Only once nothing compiles: a new process forgets handlers."""
    _hear(loop, "SIGHUP", lambda: log.info("SIGHUP changes nothing: log lines go to standard error, not to a file"))


def _hear(loop: asyncio.AbstractEventLoop, name: str, act: Callable[[], None]) -> None:
    try:
        loop.add_signal_handler(getattr(signal, name), act)
    except (AttributeError, NotImplementedError, RuntimeError):  # Windows, or a loop that is not in the main thread
        return
