"""Who asks: one session for each connection, a few words of it in the heap where the lane reads them."""

from dataclasses import dataclass, field
from typing import Any

from synap.store.memory.layout import (
    IN_MULTI,
    MULTI_BROKEN,
    SESSION_FLAGS,
    SESSION_NAMESPACE,
    SESSION_RESP,
    SESSION_ROW,
    SESSION_SEEN,
    SESSION_SIZE,
    SESSION_WATCHED,
    SESSIONS,
    SESSIONS_COUNT,
)

MUTE_NONE, MUTE_ALL, MUTE_NEXT, MUTE_THIS = range(4)


@dataclass(eq=False)
class Session:
    """A session: `at` is where its words lie, `watched` maps the hashes of watched keys to how they were."""

    at: int
    number: int
    numbers: Any
    name: bytes = b""
    watched: dict[int, tuple[int, bytes, int]] = field(default_factory=dict)
    watch_broken: bool = False
    parked: Any = None
    closing: bool = False
    made_with: bytes = b""
    made_with_version: bytes = b""
    no_evict: bool = False
    no_touch: bool = False
    mute: int = 0  # MUTE_*: which of its replies are not sent
    opened: int = 0  # ms of engine time
    listener: Any = None  # what it has subscribed, see engine/subscribers; None before the first time
    narrow: bool = False  # it has subscriptions and speaks RESP2: other commands are refused
    _version: int = 2
    link: Any = None  # its connection: peer, local, descriptor, close(), ..., see io/node/connections.py

    @property
    def namespace(self) -> int:
        return int(self.numbers[self.at + SESSION_NAMESPACE])

    @namespace.setter
    def namespace(self, value: int) -> None:
        self.numbers[self.at + SESSION_NAMESPACE] = value

    @property
    def version(self) -> int:
        """2 or 3: how its replies are written."""
        return self._version

    @version.setter
    def version(self, value: int) -> None:
        self._version = value  # here as well: a message to a hundred subscribers asks a hundred times
        self.numbers[self.at + SESSION_RESP] = value

    @property
    def in_multi(self) -> bool:
        return bool(self.numbers[self.at + SESSION_FLAGS] & IN_MULTI)

    @property
    def multi_broken(self) -> bool:
        return bool(self.numbers[self.at + SESSION_FLAGS] & MULTI_BROKEN)

    def break_multi(self) -> None:
        """A command was refused while it should have been queued: EXEC will be refused."""
        if self.in_multi:
            self.numbers[self.at + SESSION_FLAGS] |= MULTI_BROKEN

    @property
    def row_at(self) -> int:
        """The row it asked for last, or 0."""
        return int(self.numbers[self.at + SESSION_ROW])

    @property
    def seen(self) -> int:
        """When it asked last (ms of engine time)."""
        return int(self.numbers[self.at + SESSION_SEEN])

    def begin(self, now: int, link: Any = None) -> None:
        """It is open from `now` on, behind this connection."""
        self.opened, self.link = now, link
        self.numbers[self.at + SESSION_SEEN] = now

    def note_subscribed(self) -> None:
        """Its subscriptions or its version have changed."""
        self.narrow = self.listener is not None and len(self.listener) > 0 and self.version == 2

    def note_watched(self) -> None:
        """Tell the lane whether EXEC has to look at watched keys."""
        self.numbers[self.at + SESSION_WATCHED] = len(self.watched)


class Sessions:
    """All sessions, and the places in the heap that are free for more."""

    def __init__(self, numbers: Any) -> None:
        self._numbers = numbers
        self._free: list[int] = []
        self._next = 0
        self._number = 0
        self.open: dict[int, Session] = {}

    def add(self) -> Session | None:
        """A new session with RESP2 and namespace 0; None if there are too many."""
        if self._free:
            place = self._free.pop()
        elif self._next < SESSIONS_COUNT:
            place = self._next
            self._next += 1
        else:
            return None
        number = self.take_number()
        at = SESSIONS + place * SESSION_SIZE
        for i in range(SESSION_SIZE):
            self._numbers[at + i] = 0
        session = Session(at, number, self._numbers)
        session.version = 2
        self.open[number] = session
        return session

    def take_number(self) -> int:
        """A number that no client has had."""
        self._number += 1
        return self._number

    def remove(self, session: Session) -> None:
        """The session is over; the engine has freed what it held."""
        if self.open.pop(session.number, None) is not None:
            self._free.append((session.at - SESSIONS) // SESSION_SIZE)
