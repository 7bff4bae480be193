"""Simulated time, chance and concurrency: everything that happens follows from one seed.

    World(seed)             takes the place of the operating system's time and chance (`synap.io.node.clock.use`)
      .at(delay, work)      something outside the node happens in so many ns
      .wait(delay)          whoever runs is held up for so long, and the others go on meanwhile
      .spawn(work)          another thread (or process) of the node: a fiber
      .note(...)            one line of the trace; `trace_hash` is of all lines

Only one thread runs at any moment: a fiber is a thread that runs when it is told to and hands back when it
waits, so syncs overlap each other and the loop, in simulated time and in an order that the seed decides.
Time passes when the loop waits, when somebody waits for the disk, and a little whenever it is asked for.
"""

import hashlib
import heapq
import random
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from tests.simulation.disk import PowerLoss

US, MS, S = 1000, 1_000_000, 1_000_000_000
LINES_KEPT = 4000
LOOK_AGAIN = 10 * US
"""How often a fiber that waits looks again if nothing is in the queue."""


class Fiber:
    """A thread of the node's. It has the baton between `resume` and its next wait."""

    def __init__(self, world: "World", work: Callable[[], None]) -> None:
        self.world = world
        self.over = False
        self.error: BaseException | None = None
        self._work = work
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def resume(self) -> None:
        """Let it run until it waits or ends."""
        if self.over:
            return
        before, self.world.current = self.world.current, self
        self._go.release()
        self._back.acquire()
        self.world.current = before
        if self.over:
            self._thread.join()
            self.world.fibers.remove(self)
            if self.error is not None:
                raise self.error

    def hand_back(self) -> None:
        """Wait until it is resumed."""
        self._back.release()
        self._go.acquire()
        if self.world.dead:
            raise PowerLoss

    def _run(self) -> None:
        self._go.acquire()
        try:
            if not self.world.dead:
                self._work()
        except PowerLoss:
            self.world.dead = True
        except BaseException as error:
            self.error = error
        self.over = True
        self._back.release()


class World:
    """See the file."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.now = self.chance.randrange(1 * S, 10_000 * S)  # monotonic
        self.wall_ahead = 1_700_000_000 * S
        self.wall_stands: int | None = None  # the wall clock stands still and says this
        self.jumped_ahead = 0  # ns that the wall clock has been set forward, in all
        self.dead = False  # the process of this life has ended
        self.current: Fiber | None = None
        self.fibers: list[Fiber] = []
        self.stall = 0  # ns that the process is about to be stopped for
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        self.events = 0
        self._hash = hashlib.blake2b(digest_size=16)
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0

    # What stands in for the system.

    def monotonic_ns(self) -> int:
        """Every look at the clock takes a moment, so that work takes time."""
        self.now += self.chance.randrange(20, 2 * US)
        return self.now

    def time_ns(self) -> int:
        return self.monotonic_ns() + self.wall_ahead if self.wall_stands is None else self.wall_stands

    def sleep(self, seconds: float) -> None:
        self.wait(int(seconds * S))

    def random_bytes(self, size: int) -> bytes:
        return self.chance.randbytes(size)

    def set_wall(self, by: int) -> None:
        """Somebody sets the wall clock."""
        self.note("wall", by)
        self.wall_ahead += by
        self.jumped_ahead += max(by, 0)

    def stop_wall(self) -> None:
        """The wall clock stands still from now on."""
        self.note("wall stands")
        self.wall_stands = self.now + self.wall_ahead

    def start_wall(self) -> None:
        """It goes on: all that it has missed is lost to it."""
        if self.wall_stands is not None:
            self.note("wall goes")
            self.wall_ahead, self.wall_stands = self.wall_stands - self.now, None

    # The trace.

    def note(self, what: str, *about: Any) -> None:
        """One more line, if anybody lives to tell it."""
        if self.dead:
            return
        line = f"{self.now} {what} {' '.join(map(repr, about))}"
        self._hash.update(line.encode())
        self._hash.update(b"\n")
        self.lines.append(line)
        self.events += 1

    @property
    def trace_hash(self) -> str:
        """Of all lines until now."""
        return self._hash.hexdigest()

    # Time.

    def at(self, delay: int, work: Callable[[], None]) -> None:
        """Do this in `delay` ns, if this life lasts so long."""
        if self.dead:
            return
        self._order += 1
        heapq.heappush(self._queue, (self.now + max(delay, 0), self._order, work))

    @property
    def next_due(self) -> int | None:
        """When the next of them is due."""
        return self._queue[0][0] if self._queue else None

    def advance(self, until: int, enough: Callable[[], bool] = lambda: False) -> None:
        """Let everything outside happen until then, or until `enough`. Raises PowerLoss at the end of a life."""
        while self._queue and self._queue[0][0] <= until and not enough():
            due, _, work = heapq.heappop(self._queue)
            self.now = max(self.now, due)
            work()
            if self.dead:
                raise PowerLoss
        if not enough():
            self.now = max(self.now, until)

    def wait(self, delay: int) -> None:
        """Whoever runs goes on in `delay` ns."""
        fiber = self.current
        if fiber is None:
            self.advance(self.now + delay)
        else:
            self.at(delay, fiber.resume)
            fiber.hand_back()

    def spawn(self, work: Callable[[], None]) -> None:
        """Begin a fiber; it runs for the first time in a moment."""
        fiber = Fiber(self, work)
        self.fibers.append(fiber)
        self.at(self.chance.randrange(1 * US, 100 * US), fiber.resume)

    def end_life(self) -> None:
        """The process is gone: nothing that it has begun goes on."""
        self.dead = True
        self._queue.clear()
        for fiber in list(self.fibers):
            fiber.resume()
        assert not self.fibers and self.current is None

    def begin_life(self) -> None:
        """A new process begins."""
        self.dead = False
        self.stall = 0

    def condition(self) -> "Condition":
        """What stands in for a `threading.Condition`."""
        return Condition(self)


class Condition:
    """A reentrant lock with `wait` and `notify_all`, among fibers and the loop's own thread."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._owner: Any = None
        self._depth = 0
        self._notified = 0

    def __enter__(self) -> None:
        me = self._world.current or self._world
        self._until(lambda: self._owner in (None, me))
        self._owner = me
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        if self._world.dead and self._owner is not (self._world.current or self._world):
            return
        self._depth -= 1
        if not self._depth:
            self._owner = None

    def wait(self) -> None:
        """Let go of the lock until somebody notifies."""
        owner, depth, seen = self._owner, self._depth, self._notified
        self._owner, self._depth = None, 0
        self._until(lambda: self._notified != seen and self._owner is None)
        self._owner, self._depth = owner, depth

    def notify_all(self) -> None:
        """Let all that wait go on, one after the other."""
        self._notified += 1

    def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            due = self._world.next_due
            if due is None:  # what the loop's own thread waits for is not in the queue
                assert self._world.current is not None, "whoever waits here waits for ever"
                due = self._world.now + LOOK_AGAIN
            self._world.wait(max(due - self._world.now, 0) + 1)
