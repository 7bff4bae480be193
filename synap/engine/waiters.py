"""Who cares about a key, a queue or a room: calls that wait for it, sessions that watch it, feeds that attend to it.

The heap holds one octet for each of 65,536 hash values, with a bit for each kind of interest; every
write looks there (`keyspace.touched`), and a hit ends the lane. Here the hit is matched with who is
behind it, by the whole hash. Two keys that share an octet cost a look and nothing else.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from synap.call import Call
from synap.store.memory.layout import (
    ANNOUNCED,
    AWAITED,
    HITS,
    HITS_COUNT,
    HITS_MAX,
    INTEREST,
    INTEREST_ANY,
    WATCHED,
    WORD,
)


@dataclass(eq=False)
class Parked:
    """A call that waits: it is made again when a key of it changes, until it answers or its time is up.

    `deliver` is called with the status while the reply lies in REPLY, or with None when time is up.
    """

    call: Call
    row_at: int
    hashes: tuple[int, ...]
    deadline: int
    deliver: Callable[[int | None], None]
    over: bool = field(default=False)


@dataclass(eq=False)
class Feed:
    """Replies that keep coming: whoever attends to a queue or room, by its `name` (`space`: kinds.QUEUE or ROOM).

    `take(now)` takes one piece of what is there and answers whether it did; it is called again until it did not.
    """

    space: int
    name: bytes
    take: Callable[[int], bool]
    hash: int = 0


class Interest:
    """The table of interests, on both sides of the border."""

    def __init__(self, numbers: Any, octets: Any) -> None:
        self._numbers = numbers
        self._octets = octets
        self._counts: dict[tuple[int, int], int] = {}
        self.parked: dict[int, deque[Parked]] = {}
        self.watchers: dict[int, list[Any]] = {}
        self.feeds: dict[int, deque[Feed]] = {}

    def _add(self, h: int, bit: int) -> None:
        at = h & 0xFFFF
        self._counts[at, bit] = self._counts.get((at, bit), 0) + 1
        self._octets[INTEREST * WORD + at] |= bit
        self._numbers[INTEREST_ANY] += 1

    def _drop(self, h: int, bit: int) -> None:
        at = h & 0xFFFF
        left = self._counts[at, bit] - 1
        self._numbers[INTEREST_ANY] -= 1
        if left:
            self._counts[at, bit] = left
        else:
            del self._counts[at, bit]
            self._octets[INTEREST * WORD + at] &= 0xFF ^ bit

    def park(self, parked: Parked) -> None:
        """Let a call wait for its keys, behind those that wait already."""
        for h in parked.hashes:
            self.parked.setdefault(h, deque()).append(parked)
            self._add(h, AWAITED)

    def unpark(self, parked: Parked) -> None:
        """The call waits no longer."""
        parked.over = True
        for h in parked.hashes:
            line = self.parked[h]
            line.remove(parked)
            if not line:
                del self.parked[h]
            self._drop(h, AWAITED)

    def attend(self, feed: Feed) -> None:
        """A feed wants to know of changes of its queue or room."""
        self.feeds.setdefault(feed.hash, deque()).append(feed)
        self._add(feed.hash, ANNOUNCED)

    def leave(self, feed: Feed) -> None:
        """It does not any more."""
        line = self.feeds[feed.hash]
        line.remove(feed)
        if not line:
            del self.feeds[feed.hash]
        self._drop(feed.hash, ANNOUNCED)

    def watch(self, h: int, session: Any) -> None:
        """A session wants to know of changes of a key."""
        self.watchers.setdefault(h, []).append(session)
        self._add(h, WATCHED)

    def unwatch(self, h: int, session: Any) -> None:
        """It does not any more."""
        line = self.watchers[h]
        line.remove(session)
        if not line:
            del self.watchers[h]
        self._drop(h, WATCHED)

    def take_hits(self) -> Iterator[int]:
        """The hashes of written keys that met an interest, each once; all that is known after a flush."""
        count = self._numbers[HITS_COUNT]
        self._numbers[HITS_COUNT] = 0
        if count > HITS_MAX:
            return iter(dict.fromkeys([*self.watchers, *self.parked, *self.feeds]))
        return iter(dict.fromkeys(self._numbers[HITS + i] for i in range(count)))
