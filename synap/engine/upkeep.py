"""Background work of an engine: timeouts, deleted structures, expired keys, due timers, free pages."""

from typing import TYPE_CHECKING

import numpy as np

from synap.derive.methods import holder
from synap.derive.packed_calls import call_of
from synap.derive.replies import items
from synap.store.kinds.table import NAMED
from synap.store.memory import arena, codes, layout
from synap.store.upkeep import upkeep

if TYPE_CHECKING:
    from synap.engine.engine import Engine

DROPS_MOST, DROPPED_MOST = 10, 100  # calls of a step for a hash with many expired fields, and fields of each call
EXPIRE_LOOKS, EXPIRE_MOST, LAZYFREE_BUDGET, CLEAN_RUNS, DUE_MOST = 400, 100, 4000, 256, 1000
CLEAN_PAGES = 512  # return pages to the system once this many free ones may be committed


class Upkeep:
    """The background work of one engine."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        rows = {kind.number: engine.catalogue.by_name[kind.due_row] for kind in NAMED if kind.due_row}
        self._due_rows = {number: (row, holder(row)) for number, row in rows.items()}
        self._expire_cursor = 0
        self._unswept: dict[tuple[int, bytes], None] = {}  # namespace and key of hashes with many expired fields
        self._found = np.zeros(2 * CLEAN_RUNS, np.int64)

    def step(self, now: int) -> bool:
        """Do one step of background work, bounded in time; return True if work is left."""
        engine, numbers = self._engine, self._engine.numbers
        engine.end_waits(now)
        more = engine.tracking.limit()
        engine.interest.note_evicted()
        if engine.diagnostics.coming:
            return False  # the kernels of upkeep are not ready
        if numbers[layout.LAZYFREE]:
            upkeep.lazyfree(engine.words, engine.octets, LAZYFREE_BUDGET)
            more = more or bool(numbers[layout.LAZYFREE])
        paused = engine.diagnostics.pauses(True)  # nothing expires and no timer runs, as in Redis
        more = (engine.diagnostics.active_expire and not paused and self._expire_some(now)) or more
        if numbers[layout.TIMERS_DUE] <= now and not paused:
            more = self._end_timer(now) or more
        if engine.unfinished_feeds:
            unfinished_feeds, engine.unfinished_feeds = engine.unfinished_feeds, set()
            for h in unfinished_feeds:
                engine.feed(h, now)
            more = more or bool(engine.unfinished_feeds)
        if numbers[layout.PAGES_DIRTY] > CLEAN_PAGES and not more:
            self.clean()
        return more

    def clean(self) -> None:
        """Return free pages to the operating system."""
        engine = self._engine
        while count := arena.clean(engine.words, CLEAN_RUNS, self._found):
            for page, length in self._found[: 2 * count].reshape(-1, 2).tolist():
                engine.heap.forget(page * layout.PAGE_BYTES, length * layout.PAGE_BYTES, len(engine.bytes))

    def _expire_some(self, now: int) -> bool:
        """Remove some expired keys, and fields of hashes; return True if a quarter of the keys or fields looked at had
        expired."""
        engine = self._engine
        unswept, self._unswept = self._unswept, {}
        for namespace, key in unswept:
            self._drop_fields(namespace, key, now)
        cursor = upkeep.find_expired(
            engine.words, engine.octets, self._expire_cursor, EXPIRE_LOOKS, EXPIRE_MOST, now
        )
        self._expire_cursor = max(cursor, 0)
        found = items(engine.numbers, engine.bytes)
        for (key, _), number in zip(found[::2], found[1::2], strict=True):
            if number & upkeep.INNER:
                if (number & ~upkeep.INNER, key) not in unswept:
                    self._drop_fields(number & ~upkeep.INNER, key, now)
                continue
            engine.run(call_of(engine.catalogue.by_code[codes.KEY_EXPIRE], number, key=key), now)
            engine.settle(now)
        return bool(self._unswept) or len(found) // 2 * 4 >= EXPIRE_LOOKS

    def _drop_fields(self, namespace: int, key: bytes, now: int) -> None:
        """Remove expired fields of a hash, as long as a quarter of the fields looked at have expired."""
        engine = self._engine
        call = call_of(engine.catalogue.by_code[codes.HASH_DROP_SOME], namespace, key=key)
        for _ in range(DROPS_MOST):
            status = engine.run(call, now)
            dropped = engine.numbers[layout.REPLY + 1] if status & layout.CHANGED else 0
            engine.settle(now)
            if dropped < DROPPED_MOST:
                return
        self._unswept[namespace, key] = None

    def _end_timer(self, now: int) -> bool:
        """Run the timer that is due in one queue or room: ended leases, delayed messages, old events."""
        engine = self._engine
        status = engine.run(call_of(engine.catalogue.by_code[codes.QUEUE_DUE]), now)
        if status & layout.STATUS_MASK != layout.ITEM:
            return False
        name = items(engine.numbers, engine.bytes)[0][0]
        row, named = self._due_rows[engine.numbers[layout.REPLY]]
        status = engine.run(call_of(row, **{named: name, "most": DUE_MOST}), now)
        engine.settle(now)
        return bool(status & layout.CHANGED)  # a refused call (broken log) is not repeated at once
