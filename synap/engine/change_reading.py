"""One request for changes: it looks for what it was asked for, group by group, until there is something to answer."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from synap.call import Shared, Value
from synap.engine.change_frames import Asked, Values, frames_of, spelled
from synap.engine.engine import Engine
from synap.faults import Fault, SynapError
from synap.store.memory import layout

READ_BYTES = 256 << 10
LOOK_NS = 4_000_000
"""The longest time for which one reader's changes are looked for before others have their turn."""
LOOKED_MIN = 16
"""So many changes are looked at in any time."""
VALUES_BYTES_MAX = 4 << 20
"""With this much of values a reply is long enough; in a transaction that goes on, further values are nil."""
log = logging.getLogger("synap")


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
        except SynapError:  # the node or its log is broken
            raise
        except Exception as error:  # of this reader: the others are served
            log.exception("changes from %d on cannot be told", begun)
            self.fault = Fault("INTERNAL_ERROR", what=f"{type(error).__name__}: {error}")
            return True
        if known is not None and done:
            known[asked, begun] = self.found
        return done

    def _look(self, now: int) -> bool:
        """Read groups until there are enough changes, none is left, or LOOK_NS are over."""
        changes, ticks, found, asked = self._engine.host.changes, self._engine.diagnostics.ticks, self.found, self.asked
        assert changes is not None
        if found.next > self._engine.seq + 1:
            raise Fault("CHANGES_AHEAD", seq=found.next, next=self._engine.seq + 1)
        until, begun, values = ticks() + LOOK_NS, found.next, Values(self._engine, asked, now, VALUES_BYTES_MAX)

        def enough() -> bool:
            """Return whether the reply is to end before the next change."""
            if found.count >= asked.limit or values.bytes >= VALUES_BYTES_MAX:
                return True
            return found.next - begun >= LOOKED_MIN and ticks() >= until

        while found.next <= changes.last and not enough():
            try:
                pieces = changes.read(found.next, asked.bytes_max if asked.raw else READ_BYTES)
            except Fault:
                if found.count:
                    break  # the next request is told
                raise
            if not pieces:
                break
            if asked.raw:
                self._take_bytes(pieces)
                break
            for _, _, payload in pieces:
                if not self._take(payload, enough, values):
                    break
        return found.count > 0

    def _take(self, payload: memoryview, enough: Callable[[], bool], values: Values) -> bool:
        """Take the changes of a group; return False if there are enough. A transaction is taken whole."""
        found, asked, engine = self.found, self.asked, self._engine
        for frame in frames_of(payload, found.next):
            if not frame.inside and enough():
                return False
            row = engine.catalogue.by_code.get(frame.code)
            if row is not None and asked.wants(row, frame):
                found.changes.append(spelled(row, frame, asked, values))
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
