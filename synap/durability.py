"""Durability of writes: how safe a change is when its reply is sent.

    memory   the change has been made
    os       it is in the log, and the log is with the system: a killed process does not lose it
    fsync    the log is on the disk as well: a loss of power does not lose it

A client asks for a level. A reply is sent once that level is reached, or a stronger one: all changes of a turn are
written to the log in one write before any of its replies, so the reply to a call at `memory` has reached `os`.
`default` asks for what `persistence.wal.fsync_mode` promises: `fsync` in mode `always`, else `os`.
"""

from collections.abc import Iterable

from synap.faults import Fault

MEMORY, OS, FSYNC, DEFAULT = "memory", "os", "fsync", "default"
LEVELS = (MEMORY, OS, FSYNC, DEFAULT)
ALWAYS = "always"


def level_of(text: str) -> str:
    """Return the level that a client has named, in any case. Raise Fault if there is none of this name."""
    level = text.lower()
    if level not in LEVELS:
        raise Fault("BAD_DURABILITY", word=text[:40])
    return level


def waits_for_sync(asked: str, fsync_mode: str) -> bool:
    """Return whether replies at this level wait until the log is on the disk."""
    return asked == FSYNC or (asked == DEFAULT and fsync_mode == ALWAYS)


def strongest(levels: Iterable[str], fsync_mode: str) -> str:
    """Return the level of one reply to calls with these levels, `default` if no call has one."""
    asked = set(levels)
    if any(waits_for_sync(level, fsync_mode) for level in asked):
        return FSYNC
    return next((level for level in (OS, MEMORY) if level in asked), DEFAULT)


def reached(asked: str, fsync_mode: str, has_log: bool) -> str:
    """Return the level that a reply at the level `asked` has reached when it is sent."""
    if not has_log:
        return MEMORY
    return FSYNC if waits_for_sync(asked, fsync_mode) else OS


def check_reachable(asked: str, has_log: bool) -> None:
    """Raise Fault if a level needs a log and there is none."""
    if asked in (OS, FSYNC) and not has_log:
        raise Fault("NO_LOG_FOR_DURABILITY", level=asked)
