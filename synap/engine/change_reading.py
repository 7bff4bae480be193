"""One request for changes: it looks for what it was asked for, group by group, until there is something to answer."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from synap.call import Shared, Value
from synap.engine.change_frames import Asked, frames_of, spelled
from synap.engine.engine import Engine
from synap.faults import Fault
from synap.store.memory import layout

READ_BYTES = 256 << 10
LOOK_NS = 4_000_000
"""The longest time for which one reader's changes are looked for before others have their turn."""


@dataclass
class Found:
    """What a reader gets: the changes, or their bytes, and the seq to go on at."""

    next: int
    changes: list[dict[str, Any]]
    frames: list[memoryview]
    count: int = 0
    answer: Shared | None = None  # for all who get this
    message: bytes = b""  # the same as a message of a WebSocket

    def spelled_as(self, spell: Callable[[], bytes]) -> bytes:
        """Return the message for all who get this; the first one spells it."""
        self.message = self.message or spell()
        return self.message


class Reading:
    """One request for changes from the seq `place` on, until it is answered."""

    def __init__(self, engine: Engine, asked: Asked, place: int) -> None:
        self._engine, self.asked = engine, asked
        self.found = Found(place, [], [])
        self.fault: Fault | None = None
        self.looked = False
        self.end: Callable[[], None] | None = None
        self.over: Callable[[], bool] = lambda: False

    def step(self, now: int, known: dict[Any, Found] | None = None) -> bool:
        """Look for changes; return True if there are some, or a refusal. `known` has what others have found."""
        self.looked = True
        asked, begun = self.asked, self.found.next
        if known is not None and (same := known.get((asked, begun))) is not None:
            self.found = same
            return same.count > 0
        try:
            done = self._look(now)
        except Fault as fault:
            self.fault = fault
            return True
        if known is not None and done:
            known[asked, begun] = self.found
        return done

    def _look(self, now: int) -> bool:
        """Read groups until there are enough changes, none is left, or LOOK_NS are over."""
        changes, ticks, found = self._engine.host.changes, self._engine.diagnostics.ticks, self.found
        assert changes is not None
        if found.next > self._engine.seq + 1:
            raise Fault("CHANGES_AHEAD", seq=found.next, next=self._engine.seq + 1)
        until = ticks() + LOOK_NS
        while found.next <= changes.last and ticks() < until and found.count < self.asked.limit:
            pieces = changes.read(found.next, self.asked.bytes_max if self.asked.raw else READ_BYTES)
            if not pieces:
                break
            if self.asked.raw:
                self._take_bytes(pieces)
                break
            for _, _, payload in pieces:
                if not self._take(payload, now):
                    break
        return found.count > 0

    def _take(self, payload: memoryview, now: int) -> bool:
        """Take the changes of a group; return False if there are enough. A transaction is taken whole."""
        found, asked, engine = self.found, self.asked, self._engine
        for frame in frames_of(payload, found.next):
            if found.count >= asked.limit and not frame.inside:
                return False
            row = engine.catalogue.by_code.get(frame.code)
            if row is not None and asked.wants(row, frame):
                found.changes.append(spelled(engine, row, frame, asked, now))
                found.count += 1
            found.next = frame.seq + 1
        return True

    def _take_bytes(self, pieces: Iterable[tuple[int, int, memoryview]]) -> None:
        found = self.found
        for first, count, payload in pieces:
            at = 0
            if first < found.next:
                at = next(frame.at for frame in frames_of(payload, found.next))
            found.frames.append(payload[at:])
            found.count += first + count - found.next
            found.next = first + count

    def answer(self) -> Value:
        """Return what was found until now. A Fault if the changes are gone."""
        engine, asked = self._engine, self.asked
        if not self.looked:
            self.step(engine.numbers[layout.NOW])
        if self.fault is not None:
            return self.fault
        changes, found = engine.host.changes, self.found
        assert changes is not None
        if found.answer is not None:
            return found.answer
        reply: dict[str, Any] = {"first": changes.first, "next": found.next, "last": changes.last}
        if asked.raw:
            reply["count"], reply["frames"] = found.count, asked.as_bytes(b"".join(found.frames))
        else:
            if asked.values:
                reply["values_at"] = engine.seq
            reply["changes"] = found.changes
        found.answer = Shared(reply)
        return found.answer
