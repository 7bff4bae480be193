"""Time and random bytes: the only file that asks the system for either.

Engine time starts as the wall clock's time and goes on with the monotonic clock. If the wall clock later differs,
engine time approaches it by at most DRIFT of the time that passes. Engine time never goes backwards and never below
the time of the last frame in the log, so setting the system's clock makes no lease and no deadline end early.

The simulator replaces the source of time and random bytes for the whole process with `use`.
"""

import ctypes
import os
import time
from typing import Any

DRIFT = 20  # engine time is corrected by at most 1/20 (5 %) of the time that passes
JUMP_MS = 1000  # a larger difference is reported as a jump of the wall clock
NEAR_NS = 1_000_000  # a smaller difference is ignored: engine time counts milliseconds


class System:
    """Time and random bytes from the operating system; a replacement must have these four functions."""

    monotonic_ns = staticmethod(time.monotonic_ns)
    time_ns = staticmethod(time.time_ns)
    sleep = staticmethod(time.sleep)
    random_bytes = staticmethod(os.urandom)


_world: Any = System()


def use(world: Any) -> Any:
    """Take time and random bytes from `world` from now on, in the whole process; return the previous source."""
    global _world
    before, _world = _world, world
    return before


class Clock:
    """Engine time in ms. `jumps` counts how often the wall clock's difference changed by more than JUMP_MS."""

    def __init__(self) -> None:
        self._last_ns = _world.monotonic_ns()  # monotonic time of the last `adjust`
        self._offset_ns = _world.time_ns() - self._last_ns  # engine time minus monotonic time at the last `adjust`
        self._apart_ns = 0  # wall clock minus engine time at the last `adjust`
        self._now = 0
        self.jumps = 0
        self.apart_ms = 0

    def now(self) -> int:
        """Return engine time in ms, never less than an earlier result."""
        monotonic = _world.monotonic_ns()
        now = monotonic + self._offset_ns
        if self._apart_ns:
            now += self._step(monotonic)
        now //= 1_000_000
        if now > self._now:
            self._now = now
        return self._now

    def _step(self, monotonic: int) -> int:
        """Return by how many ns engine time has approached the wall clock since `adjust`. The correction is gradual:
        at one stroke, a deadline that is a moment away would pass at once."""
        apart = self._apart_ns
        most = (monotonic - self._last_ns) // DRIFT
        return min(most, apart) if apart > 0 else max(-most, apart)

    def start_from(self, now: int) -> None:
        """Continue from `now`, the time in ms of the last recovered frame, also if the wall clock is behind it."""
        behind = now * 1_000_000 - (_world.monotonic_ns() + self._offset_ns)
        self._offset_ns += max(0, behind)  # else engine time would stand still until the wall clock reaches `now`
        self._now = max(self._now, now)

    def adjust(self) -> bool:
        """Measure the wall clock's difference, for `now` to correct gradually; return True if the wall clock jumped.

        The server's upkeep calls this at intervals.
        """
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
    """Return monotonic time in seconds, for measuring durations."""
    return _world.monotonic_ns() / 1e9


def cpu_seconds() -> float:
    """Return the CPU time that this process has used, in seconds."""
    return time.process_time()


def ticks() -> int:
    """Return monotonic time in nanoseconds, for measuring durations."""
    return _world.monotonic_ns()


def clock_address() -> int:
    """Return the address of `clock_gettime` for kernels; 0 if there is none, or if the simulator sets the time."""
    if not isinstance(_world, System):
        return 0
    try:
        found = ctypes.cast(ctypes.CDLL(None).clock_gettime, ctypes.c_void_p).value
    except (AttributeError, OSError, TypeError):
        return 0
    return found or 0


def sleep(seconds: float) -> None:
    """Block this thread for `seconds`."""
    _world.sleep(seconds)


def wall_us() -> int:
    """Return the wall clock in us since 1970: for commands that report the time, never for decisions."""
    return _world.time_ns() // 1000


def seed(size: int) -> bytes:
    """Return `size` random bytes, for secrets and generated ids."""
    return _world.random_bytes(size)


def unique_text() -> str:
    """Return a random id in the form of a UUID, for requests that came without an id."""
    text = _world.random_bytes(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
