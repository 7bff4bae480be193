"""Interest in keys, queues and rooms: parked calls, watching sessions (WATCH), feeds and tracked keys, by key hash.

The heap holds one octet for each of 65,536 hash values, with a bit for each kind of interest. Every write reads
this octet (`keyspace.touched`), and a hit ends the lane. This file matches the hit with parked calls, watchers,
feeds and tracked keys by the whole hash. A write to a key that only shares the octet of another one ends the lane as
well: with n keys of interest in all, this happens to a share of 1 - (1 - 1/65,536)^n of the other writes (n = 1,000:
1.5 %; 100,000: 78 %).
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from synap.call import Call, Pending
from synap.engine.callers import Caller
from synap.engine.outcomes import Outcome
from synap.store.memory.layout import (
    ANNOUNCED,
    AWAITED,
    EVICTED,
    HITS,
    HITS_COUNT,
    HITS_MAX,
    INTEREST,
    INTEREST_ANY,
    TRACKED,
    WATCHED,
    WORD,
)

INTEREST_OCTETS = 1 << 16
READERS_LOOKED_AT = 64
"""From this many readers of a key on, those that have gone are dropped whenever the number has doubled."""


@dataclass(eq=False)
class Parked:
    """A parked call: carried out again whenever one of its keys changes, until it answers or its timeout ends.

    `deliver` is called with the outcome, whose reply lies in REPLY; when the timeout has ended, its status is NIL.
    `pending` is what the handler of a call has returned that waits for no key: the outcome has the value it answers.
    """

    call: Call
    row_at: int
    hashes: tuple[int, ...]
    deadline: int
    caller: Caller
    deliver: Callable[[Outcome], None]
    over: bool = field(default=False)
    pending: Pending | None = None


@dataclass(eq=False)
class Feed:
    """A continuous reader of the queue or room `name` (`space`: kinds.QUEUE or kinds.ROOM).

    `take(now)` takes one piece of messages or events and returns True if there was one. The engine calls `take`
    until it returns False.
    """

    space: int
    name: bytes
    take: Callable[[int], bool]
    hash: int = 0


class Watcher(Protocol):
    """Who watches keys for a transaction: a RESP session, or a client of the JSON surfaces.

    `watched` maps the hash of each watched key to (namespace, key, 1 if the key was there at WATCH, else 0).
    """

    watched: dict[int, tuple[int, bytes, int]]
    watch_broken: bool

    @property
    def namespace(self) -> int:
        """The namespace of the keys."""

    def note_watched(self) -> None:
        """Note that `watched` has changed."""


class Interest:
    """The table of interests: octets in the heap for kernels, dictionaries by hash for Python."""

    def __init__(self, numbers: memoryview, octets: memoryview) -> None:
        self._numbers = numbers
        self._octets = octets
        self._counts: dict[tuple[int, int], int] = {}
        self.parked: dict[int, deque[Parked]] = {}
        self.watchers: dict[int, list[Watcher]] = {}
        self.feeds: dict[int, deque[Feed]] = {}
        # By hash: a key and the session that has read it, or several of them. In the order of the first reads: a plain
        # dict would pass all removed entries whenever its first one is asked for.
        self.tracked: OrderedDict[int, tuple[bytes, int] | dict[bytes, set[int]]] = OrderedDict()
        self.told = 0  # hits in HITS whose readers have been told within a transaction
        self._evicted = 0  # keys that had been evicted when hits were taken last
        self.tracked_items = 0  # pairs of a key and a session that has read it

    def _add(self, h: int, bit: int) -> None:
        at = h % INTEREST_OCTETS
        self._counts[at, bit] = self._counts.get((at, bit), 0) + 1
        self._octets[INTEREST * WORD + at] |= bit
        self._numbers[INTEREST_ANY] += 1

    def _drop(self, h: int, bit: int) -> None:
        at = h % INTEREST_OCTETS
        left = self._counts[at, bit] - 1
        self._numbers[INTEREST_ANY] -= 1
        if left:
            self._counts[at, bit] = left
        else:
            del self._counts[at, bit]
            self._octets[INTEREST * WORD + at] &= 0xFF ^ bit

    def park(self, parked: Parked) -> None:
        """Add a parked call to each of its keys, behind the calls parked there already."""
        for h in parked.hashes:
            self.parked.setdefault(h, deque()).append(parked)
            self._add(h, AWAITED)

    def unpark(self, parked: Parked) -> None:
        """Remove a parked call and mark it as over."""
        parked.over = True
        for h in parked.hashes:
            line = self.parked[h]
            line.remove(parked)
            if not line:
                del self.parked[h]
            self._drop(h, AWAITED)

    def attend(self, feed: Feed) -> None:
        """Register a feed for changes of its queue or room."""
        self.feeds.setdefault(feed.hash, deque()).append(feed)
        self._add(feed.hash, ANNOUNCED)

    def leave(self, feed: Feed) -> None:
        """Remove a feed."""
        line = self.feeds[feed.hash]
        line.remove(feed)
        if not line:
            del self.feeds[feed.hash]
        self._drop(feed.hash, ANNOUNCED)

    def watch(self, h: int, watcher: Watcher) -> None:
        """Register a watcher of the key with the hash `h`."""
        self.watchers.setdefault(h, []).append(watcher)
        self._add(h, WATCHED)

    def unwatch(self, h: int, watcher: Watcher) -> None:
        """Remove a watcher of a key."""
        line = self.watchers[h]
        line.remove(watcher)
        if not line:
            del self.watchers[h]
        self._drop(h, WATCHED)

    def track(self, h: int, key: bytes, number: int, open_sessions: Container[int]) -> bool:
        """Note that session `number` has read the key with the hash `h`; return True if no session had before.

        A key with one reader takes 250 bytes; with a dictionary and a set it would be 650.
        """
        found = self.tracked.get(h)
        if found is None:
            self.tracked[h] = key, number
            self.tracked_items += 1
            self._add(h, TRACKED)
            return True
        if isinstance(found, tuple):
            if found == (key, number):
                return False
            found = self.tracked[h] = {found[0]: {found[1]}}
        readers = found.get(key)
        if readers is None:
            found[key] = {number}
            self.tracked_items += 1
            return True
        if number not in readers:
            readers.add(number)
            self.tracked_items += 1
            count = len(readers)
            if count >= READERS_LOOKED_AT and count & (count - 1) == 0:
                readers.intersection_update([one for one in readers if one in open_sessions])
                self.tracked_items -= count - len(readers)
        return False

    def untrack(self, h: int) -> dict[bytes, set[int]]:
        """Forget who has read the keys with the hash `h`, and return it: sessions by key."""
        found = self.tracked.pop(h, None)
        if found is None:
            return {}
        self._drop(h, TRACKED)
        if isinstance(found, tuple):
            self.tracked_items -= 1
            return {found[0]: {found[1]}}
        self.tracked_items -= sum(map(len, found.values()))
        return found

    def untrack_all(self) -> None:
        """Forget who has read which key."""
        self._numbers[INTEREST_ANY] -= len(self.tracked)
        self.tracked.clear()
        self.tracked_items = 0
        self._counts = {each: count for each, count in self._counts.items() if each[1] != TRACKED}
        octets = np.frombuffer(self._octets, np.uint8, INTEREST_OCTETS, INTEREST * WORD)
        octets &= 0xFF ^ TRACKED

    def note_evicted(self) -> None:
        """Note that what has been evicted until now is no part of a call to come."""
        self._evicted = self._numbers[EVICTED]

    def take_hits(self, by: Caller | None) -> list[tuple[int, Caller | None, bool]]:
        """Return the hashes of written keys that met an octet with an interest, each once, and clear them.

        Each hash comes with who has changed the key: `by`; or None if keys were evicted, too, which are not its own
        changes. The third member is False if the readers of the key have been told (`new_hits`). After a flush, or more
        than HITS_MAX hits, all hashes with any interest are returned, with None.
        """
        numbers = self._numbers
        count, evicted, told = numbers[HITS_COUNT], numbers[EVICTED], self.told
        numbers[HITS_COUNT] = self.told = 0
        if count > HITS_MAX or evicted != self._evicted:
            by, self._evicted = None, evicted
        if count > HITS_MAX:
            return [(h, by, True) for h in dict.fromkeys([*self.watchers, *self.parked, *self.feeds, *self.tracked])]
        new = {numbers[HITS + i] for i in range(told, count)}
        return [(h, by, h in new) for h in dict.fromkeys(numbers[HITS + i] for i in range(count))]

    def new_hits(self) -> list[int]:
        """Return the hashes of keys that were written since the last time, and leave them where they are."""
        count, told = min(self._numbers[HITS_COUNT], HITS_MAX), self.told
        self.told = count
        return [self._numbers[HITS + i] for i in range(told, count)]
