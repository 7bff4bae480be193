"""MULTI, WATCH and EXEC, as far as the lane does not carry them out in the heap."""

import logging
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from synap.command import Command
from synap.derive.outcomes import misfit
from synap.engine.callers import Caller
from synap.engine.outcomes import HANDLED, Outcome
from synap.engine.sessions import Session
from synap.engine.waiters import Watcher
from synap.faults import BrokenNode, Fault, SynapError
from synap.store.calls import calls
from synap.store.keys import key_info
from synap.store.lane import transactions
from synap.store.memory import layout

if TYPE_CHECKING:
    from synap.engine.engine import Engine

log = logging.getLogger("synap")


class Transactions:
    """The transactions of an engine, and the keys that they watch."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def watch(self, watcher: Watcher, key: bytes, now: int) -> None:
        """Make EXEC fail if `key` changes, expires or appears before it."""
        engine = self._engine
        at = layout.CALL_BLOB * layout.WORD
        engine.bytes[at : at + len(key)] = key
        namespace = watcher.namespace
        h = key_info.hash_of(engine.words, engine.octets, namespace, at, len(key))
        if h not in watcher.watched:
            seen = key_info.visible(engine.words, engine.octets, namespace, at, len(key), now)
            watcher.watched[h] = (namespace, key, seen)
            watcher.note_watched()
            engine.interest.watch(h, watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Stop watching all keys of the watcher."""
        for h in watcher.watched:
            self._engine.interest.unwatch(h, watcher)
        watcher.watched.clear()
        watcher.watch_broken = False
        watcher.note_watched()

    def watch_holds(self, watcher: Watcher, now: int) -> bool:
        """Return True if no watched key has changed."""
        if watcher.watch_broken:
            return False
        return all(self._visible(namespace, key, now) == seen for namespace, key, seen in watcher.watched.values())

    def note(self, watcher: Watcher, h: int, now: int) -> None:
        """Note that a watched key was touched. A key that is missing before and after has not changed."""
        namespace, key, seen = watcher.watched[h]
        watcher.watch_broken = watcher.watch_broken or bool(seen) or bool(self._visible(namespace, key, now))

    def _visible(self, namespace: int, key: bytes, now: int) -> int:
        engine = self._engine
        at = layout.CALL_BLOB * layout.WORD
        engine.bytes[at : at + len(key)] = key
        return int(key_info.visible(engine.words, engine.octets, namespace, at, len(key), now))

    def end(self, session: Session) -> None:
        """Leave MULTI, drop the queued calls and stop watching keys."""
        transactions.leave_multi(self._engine.words, self._engine.octets, session.at)
        self.unwatch(session)

    def queued(self, session: Session) -> Iterator[Command]:
        """Return the rows of the calls that the session has queued."""
        numbers = self._engine.numbers
        entry = numbers[session.at + layout.SESSION_QUEUE]
        for _ in range(numbers[session.at + layout.SESSION_QUEUED]):
            yield self._engine.rows[numbers[entry + layout.PACKED_ROW]]
            entry += numbers[entry + layout.PACKED_WORDS]

    def make_room(self, row_at: int, refuses: int, now: int) -> None:
        """Evict keys if memory is full, as a call of the row at `row_at` would: between the calls of a group none is
        evicted."""
        engine = self._engine
        if engine.keyspace_events.on:
            engine.keyspace_events.evict(row_at, 0, 0, now, refuses)
        calls.admit_handler(engine.words, engine.octets, row_at, 0, 0, now, refuses)

    def _make_room_for(self, caller: Caller, entry: int, count: int, now: int) -> None:
        """Make room if a queued call grows."""
        numbers = self._engine.numbers
        for _ in range(count):
            row_at = numbers[entry + layout.PACKED_ROW]
            grows = layout.FLAG_GROWS | layout.FLAG_ABOVE_MAX
            if numbers[row_at + layout.ROW_FLAGS] & grows == layout.FLAG_GROWS:
                self.make_room(row_at, caller.refuses, now)
                return
            entry += numbers[entry + layout.PACKED_WORDS]

    def outcomes(self, caller: Caller, entry: int, count: int, now: int) -> Generator[Outcome, None, None]:
        """Carry out `count` calls, packed from word `entry` on, as one group; yield each outcome, to be read at once.

        A call that raises yields a Fault, and so does one whose words did not fit its grammar. Only SynapError stops
        early. If the node broke, none of the group's frames are in the log.
        """
        engine, numbers = self._engine, self._engine.numbers
        self._make_room_for(caller, entry, count, now)
        numbers[layout.IN_GROUP] = numbers[layout.IN_GROUP] or 1
        try:
            for _ in range(count):
                row_at = numbers[entry + layout.PACKED_ROW]
                row = engine.rows[row_at]
                try:
                    if numbers[entry + layout.PACKED_TAPE] < 0:
                        at, size = (entry + layout.PACKED_HEAD) * layout.WORD, numbers[entry + layout.PACKED_BLOB]
                        word = bytes(engine.bytes[at : at + size])
                        fault = misfit(row, -numbers[entry + layout.PACKED_TAPE], word)
                        outcome = Outcome(row, row_at, HANDLED, fault)
                    else:
                        outcome = engine.execute_packed(caller, entry, now, counted=False)
                except BrokenNode:
                    engine.frames.drop_group()
                    raise
                except SynapError:  # the log has failed
                    raise
                except Exception as error:
                    log.exception("a call of a transaction failed: %s", row.name)
                    fault = Fault("INTERNAL_ERROR", what=f"{type(error).__name__}: {error}")
                    outcome = Outcome(row, row_at, HANDLED, fault)
                yield outcome
                engine.free_deferred()
                entry += numbers[entry + layout.PACKED_WORDS]
        finally:
            numbers[layout.IN_GROUP] = 0
