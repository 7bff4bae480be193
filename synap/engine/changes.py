"""The change feed: who asks for changes gets them in the order of their seqs, and may wait for those to come.

    CHANGES FROM 7 WAIT 5  ->  Reading  --nothing yet-->  waiting  --look, serve-->  answer
                                  |
                                  '-- groups of frames (host.changes) -> Frames -> one dictionary for each change

Readers cost the writers little: a turn that writes only sees whether somebody waits. All who wait are served together,
at most every 2 ms; while there is much to do every 8 ms, and for a tenth of the time, or a quarter for several readers.
What one of them has had read is given to the others who ask for the same. A reader who asks without waiting is put off
in the same way. Nothing is kept for a reader who does not ask.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from synap.call import Pending, Value
from synap.engine.callers import Caller
from synap.store.memory import layout

if TYPE_CHECKING:
    from synap.engine.change_reading import Found, Reading
    from synap.engine.engine import Engine

REST_NS, BUSY_REST_NS = 2_000_000, 8_000_000
SHARE_ONE, SHARE_ALL = 9, 3
"""How many times as long as serving took the next serving is put off: for one reader, and for several."""
BUSY = 200  # changes since the last time they were served, above which the server has much to do


class Changes:
    """The readers of changes of one engine."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._waiting: list[Reading] = []
        self._due = 0  # ticks before which nobody is served
        self._scheduled = False
        self._served_seq = 0
        self.later: Callable[[float, Callable[[], None]], object] | None = None
        """Calls a function after some seconds; without it, the owner of the engine calls `serve`."""

    @property
    def waiting_count(self) -> int:
        """The number of readers that wait for changes."""
        self._waiting = [reading for reading in self._waiting if not reading.over()]
        return len(self._waiting)

    def read(self, caller: Caller, reading: "Reading", wait_ms: int | None, now: int) -> Value | Pending:
        """Return what a reader gets, or what it waits for if there is nothing yet."""
        engine = self._engine
        changes = engine.host.changes
        assert changes is not None
        changes.follow()
        place = reading.found.next
        rests = self.later is not None and engine.diagnostics.ticks() < self._due and place <= changes.last
        if not rests:
            done = reading.step(now)
            if self.later is None:  # nobody would look again
                while not done and reading.found.next == place <= changes.last:
                    done = reading.step(now)
                done = done or reading.found.next > place
            if done or wait_ms is None:
                return reading.answer()
        rest_ms = (self._due - engine.diagnostics.ticks()) // 1_000_000 + 1
        deadline = now + max(rest_ms, 1) if wait_ms is None else now + wait_ms if wait_ms else 0

        def begin(end: Callable[[], None]) -> None:
            parked = caller.parked
            assert parked is not None
            reading.end, reading.over = end, lambda: parked.over
            self.wait(reading)

        return Pending(reading.answer, deadline, begin)

    def wait(self, reading: "Reading") -> None:
        """Call `end` of a reading once there are changes for it."""
        changes = self._engine.host.changes
        assert changes is not None
        changes.follow()
        self._waiting.append(reading)
        if not self._nothing_for(reading):
            self.look()

    def _nothing_for(self, reading: "Reading") -> bool:
        """Return whether there is nothing to look for: no newer change, and no refusal."""
        changes = self._engine.host.changes
        assert changes is not None
        return changes.last < reading.found.next <= self._engine.seq + 1

    def look(self) -> None:
        """Serve who waits, now or a little later: there are new changes."""
        if not self._waiting or self._scheduled:
            return
        if self.later is None:
            return  # the owner of the engine calls `serve` once what was written may be shown
        self._scheduled = True
        self.later(max(self._due - self._engine.diagnostics.ticks(), 0) / 1e9, self.serve)

    def serve(self) -> None:
        """Answer those who wait and for whom there are changes."""
        engine, waiting = self._engine, self._waiting
        changes, ticks = engine.host.changes, engine.diagnostics.ticks
        assert changes is not None
        self._scheduled = False
        begun, seq = ticks(), engine.seq
        now = engine.numbers[layout.LAST_NOW]
        known: dict[Any, Found] = {}
        self._waiting = []
        served = 0
        for reading in waiting:
            if reading.over():
                continue
            if self._nothing_for(reading) or not reading.step(now, known):
                self._waiting.append(reading)
                continue
            served += 1
            assert reading.end is not None
            reading.end()
        took = ticks() - begun
        busy = seq - self._served_seq > BUSY
        self._served_seq = seq
        rest = max(BUSY_REST_NS, took * (SHARE_ONE if served < 2 else SHARE_ALL)) if busy else REST_NS
        self._due = begun + took + rest
        if self.later is not None and any(reading.found.next <= engine.seq for reading in self._waiting):
            self.look()  # what waits for a sync, or was not found in time
