"""Time and chance: the only file that asks the system for either.

Engine time is the wall clock at start, carried on by the monotonic clock. If the wall clock then says
something else it is followed by at most DRIFT of the time that passes, never backwards, and never
below the last frame's time: no lease and no deadline comes early because somebody set a clock.
"""

import os
import time

DRIFT = 20  # one part in so many: 5 %
JUMP_MS = 1000  # a difference above this is reported


class Clock:
    """Engine time in ms. `jumps` counts how often the wall clock was found more than a second away."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()
        self._last_ns = time.monotonic_ns()
        self._now = 0
        self.jumps = 0
        self.apart_ms = 0

    def now(self) -> int:
        """Engine time, never less than what it was."""
        now = (time.monotonic_ns() + self._offset_ns) // 1_000_000
        if now > self._now:
            self._now = now
        return self._now

    def start_from(self, now: int) -> None:
        """Recovered frames are from this time: go on from there, also if the wall clock is behind it."""
        behind = now * 1_000_000 - (time.monotonic_ns() + self._offset_ns)
        self._offset_ns += max(0, behind)  # else time would stand still until the wall clock has caught up
        self._now = max(self._now, now)

    def adjust(self) -> bool:
        """Draw engine time towards the wall clock; True if that has jumped. To be called now and then."""
        monotonic = time.monotonic_ns()
        apart = time.time_ns() - (monotonic + self._offset_ns)
        step = (monotonic - self._last_ns) // DRIFT
        self._last_ns = monotonic
        self._offset_ns += max(-step, min(step, apart))
        jumped = abs(apart // 1_000_000 - self.apart_ms) > JUMP_MS
        self.apart_ms = apart // 1_000_000
        self.jumps += jumped
        return jumped


def monotonic() -> float:
    """Seconds for measuring durations."""
    return time.monotonic()


def ticks() -> int:
    """Nanoseconds for measuring durations."""
    return time.monotonic_ns()


def sleep(seconds: float) -> None:
    """Let this thread do nothing for so long."""
    time.sleep(seconds)


def wall_us() -> int:
    """The wall clock, us since 1970: for whoever asks for the time, never for deciding anything."""
    return time.time_ns() // 1000


def seed(size: int) -> bytes:
    """Random bytes for secrets and generated ids."""
    return os.urandom(size)


def unique_text() -> str:
    """A random id, for requests that came without one."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
