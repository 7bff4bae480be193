"""Time and chance: the only file that asks the system for either.

Engine time is the wall clock at start, carried on by the monotonic clock. If the wall clock then says
something else it is followed by at most DRIFT of the time that passes, never backwards, and never
below the last frame's time: no lease and no deadline comes early because somebody set a clock.

Whoever wants the whole node to live in another time (the simulator) puts it in place with `use`.
"""

import ctypes
import os
import time
from typing import Any

DRIFT = 20  # one part in so many: 5 %
JUMP_MS = 1000  # a difference above this is reported
NEAR_NS = 1_000_000  # a smaller one is none: engine time counts milliseconds


class System:
    """Time and chance as the operating system has them; whoever stands in for it has these four."""

    monotonic_ns = staticmethod(time.monotonic_ns)
    time_ns = staticmethod(time.time_ns)
    sleep = staticmethod(time.sleep)
    random_bytes = staticmethod(os.urandom)


_world: Any = System()


def use(world: Any) -> Any:
    """Take time and chance from `world` from now on, in the whole process; answers what was used before."""
    global _world
    before, _world = _world, world
    return before


class Clock:
    """Engine time in ms. `jumps` counts how often the wall clock was found more than a second away."""

    def __init__(self) -> None:
        self._last_ns = _world.monotonic_ns()  # when `adjust` was called last
        self._offset_ns = _world.time_ns() - self._last_ns  # engine time less monotonic time, then
        self._apart_ns = 0  # and what the wall clock was ahead of engine time
        self._now = 0
        self.jumps = 0
        self.apart_ms = 0

    def now(self) -> int:
        """Engine time, never less than what it was."""
        monotonic = _world.monotonic_ns()
        now = monotonic + self._offset_ns
        if self._apart_ns:
            now += self._step(monotonic)
        now //= 1_000_000
        if now > self._now:
            self._now = now
        return self._now

    def _step(self, monotonic: int) -> int:
        """ns by which engine time has followed since `adjust`: little by little, or what is set to end in a moment
        would end at once."""
        apart = self._apart_ns
        most = (monotonic - self._last_ns) // DRIFT
        return min(most, apart) if apart > 0 else max(-most, apart)

    def start_from(self, now: int) -> None:
        """Recovered frames are from this time: go on from there, also if the wall clock is behind it."""
        behind = now * 1_000_000 - (_world.monotonic_ns() + self._offset_ns)
        self._offset_ns += max(0, behind)  # else time would stand still until the wall clock has caught up
        self._now = max(self._now, now)

    def adjust(self) -> bool:
        """Draw engine time towards the wall clock; True if that has jumped. To be called now and then."""
        monotonic = _world.monotonic_ns()
        self._offset_ns += self._step(monotonic)
        self._last_ns = monotonic
        apart_ns = _world.time_ns() - (monotonic + self._offset_ns)
        self._apart_ns = apart_ns if abs(apart_ns) >= NEAR_NS else 0
        apart_ms = apart_ns // 1_000_000
        jumped = abs(apart_ms - self.apart_ms) > JUMP_MS
        self.apart_ms = apart_ms
        self.jumps += jumped
        return jumped


def monotonic() -> float:
    """Seconds for measuring durations."""
    return _world.monotonic_ns() / 1e9


def ticks() -> int:
    """Nanoseconds for measuring durations."""
    return _world.monotonic_ns()


def clock_address() -> int:
    """Where kernels find `clock_gettime`; 0 where there is none, or where time is not the system's."""
    if not isinstance(_world, System):
        return 0
    try:
        found = ctypes.cast(ctypes.CDLL(None).clock_gettime, ctypes.c_void_p).value
    except (AttributeError, OSError, TypeError):
        return 0
    return found or 0


def sleep(seconds: float) -> None:
    """Let this thread do nothing for so long."""
    _world.sleep(seconds)


def wall_us() -> int:
    """The wall clock, us since 1970: for whoever asks for the time, never for deciding anything."""
    return _world.time_ns() // 1000


def seed(size: int) -> bytes:
    """Random bytes for secrets and generated ids."""
    return _world.random_bytes(size)


def unique_text() -> str:
    """A random id, for requests that came without one."""
    text = _world.random_bytes(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
