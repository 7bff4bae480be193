"""Sessions: one for each RESP connection; the lane reads a few words of each from the heap."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from synap.engine.callers import Caller, PushLink, Surface
from synap.store.memory.layout import (
    IN_MULTI,
    MULTI_BROKEN,
    SESSION_FLAGS,
    SESSION_NAMESPACE,
    SESSION_REFUSE,
    SESSION_RESP,
    SESSION_ROW,
    SESSION_SEEN,
    SESSION_SIZE,
    SESSION_WATCHED,
    SESSIONS,
    SESSIONS_COUNT,
)

if TYPE_CHECKING:
    from synap.engine.subscribers import Listener
    from synap.engine.tracking import Tracking


class Session(Caller):
    """The state of one RESP connection, the caller of its commands.

    `at` is the first word of the session in the heap. `watched` maps the hash of each watched key to
    (namespace, key, 1 if the key was there at WATCH, else 0).
    """

    def __init__(self, at: int, number: int, numbers: memoryview) -> None:
        self.at, self.number, self.numbers = at, number, numbers
        super().__init__(Surface.RESP)
        self.name = self.made_with = self.made_with_version = b""
        self.watched: dict[int, tuple[int, bytes, int]] = {}
        self.watch_broken = False
        self.closing = False
        self.no_evict = self.no_touch = False
        self.mute = 0  # MUTE_*: which replies are not sent
        self.opened = 0  # ms of engine time
        self.listener: Listener | None = None  # None before the first subscription
        self.tracking: Tracking | None = None  # None while CLIENT TRACKING is off
        self.bound: dict[tuple[bytes, bytes], Callable[[], object]] = {}  # members of groups, see bound_members.py
        self._version = 2

    @property
    def caller(self) -> Caller:
        """The session itself, the caller of its commands."""
        return self

    def guard(self, bits: int, on: bool = True) -> None:
        super().guard(bits, on)
        self.numbers[self.at + SESSION_REFUSE] = self.refuses

    @property
    def namespace(self) -> int:
        return int(self.numbers[self.at + SESSION_NAMESPACE])

    @namespace.setter
    def namespace(self, value: int) -> None:
        self.numbers[self.at + SESSION_NAMESPACE] = value

    @property
    def version(self) -> int:
        """The RESP version of replies, 2 or 3."""
        return self._version

    @version.setter
    def version(self, value: int) -> None:
        self._version = value  # kept here too: a message to 100 subscribers reads it 100 times
        self.numbers[self.at + SESSION_RESP] = value

    @property
    def in_multi(self) -> bool:
        return bool(self.numbers[self.at + SESSION_FLAGS] & IN_MULTI)

    @property
    def multi_broken(self) -> bool:
        return bool(self.numbers[self.at + SESSION_FLAGS] & MULTI_BROKEN)

    def begin_multi(self) -> None:
        """Queue the calls from now on."""
        self.numbers[self.at + SESSION_FLAGS] |= IN_MULTI

    def break_multi(self) -> None:
        """Make EXEC fail, after a command was refused instead of queued."""
        if self.in_multi:
            self.numbers[self.at + SESSION_FLAGS] |= MULTI_BROKEN

    @property
    def row_at(self) -> int:
        """The place in the heap of the last row that the session called, or 0."""
        return int(self.numbers[self.at + SESSION_ROW])

    @property
    def seen(self) -> int:
        """The time of the last command (ms of engine time)."""
        return int(self.numbers[self.at + SESSION_SEEN])

    def note_seen(self, now: int) -> None:
        """Note that the client was heard, or answered after a wait, at `now`."""
        self.numbers[self.at + SESSION_SEEN] = now

    def begin(self, now: int, link: PushLink | None = None) -> None:
        """Open the session at `now` for the connection `link`."""
        self.opened, self.link = now, link
        self.note_seen(now)

    def note_subscribed(self) -> None:
        """Set `resp2_subscriber` again, after the subscriptions or the RESP version changed."""
        self.resp2_subscriber = self.listener is not None and len(self.listener) > 0 and self.version == 2

    def note_watched(self) -> None:
        """Write the number of watched keys into the heap, where EXEC in the lane reads it."""
        self.numbers[self.at + SESSION_WATCHED] = len(self.watched)


class Sessions:
    """All open sessions, and the free places for sessions in the heap."""

    def __init__(self, numbers: memoryview) -> None:
        self._numbers = numbers
        self._free: list[int] = []
        self._next = 0
        self._number = 0
        self.open: dict[int, Session] = {}

    def add(self) -> Session | None:
        """Return a new session with RESP2 and namespace 0, or None if there are too many."""
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

    def at(self, place: int) -> Session:
        """Return the open session whose first word in the heap is `place`."""
        return next(each for each in self.open.values() if each.at == place)

    def take_number(self) -> int:
        """Return a client id that was never used before."""
        self._number += 1
        return self._number

    def remove(self, session: Session) -> None:
        """Remove a session, after the engine has released what the session held."""
        if self.open.pop(session.number, None) is not None:
            self._free.append((session.at - SESSIONS) // SESSION_SIZE)
