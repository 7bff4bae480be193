"""Callers: who makes a call. A RESP session is one (sessions.py); HTTP connections, programs and the engine are others.

What a caller may do is a set of guards, the GUARD_* bits of store/memory/layout.py. Together with the guards of the
node they decide in `calls.admit` whether a call runs.
"""

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from synap.durability import DEFAULT
from synap.store.memory.layout import GUARD_RATE

if TYPE_CHECKING:
    from synap.call import Call
    from synap.engine.waiters import Parked


class Surface(Enum):
    """The protocol in which a caller reads replies."""

    RESP = 1
    JSON = 2
    PYTHON = 3  # this process: the in-process database, tools, and the engine itself


class Rate:
    """A limit on calls: `per_s` of them a second, and up to `burst` at once (a token bucket)."""

    def __init__(self, per_s: float, burst: int, now: int) -> None:
        self.per_s, self.burst = per_s, burst
        self._left = float(burst)
        self._at = now

    def allows(self, now: int) -> bool:
        """Return True if a call may be made at `now` (ms of engine time)."""
        self._left = min(self.burst, self._left + (now - self._at) * self.per_s / 1000)
        self._at = now
        return self._left >= 1

    def spend(self) -> None:
        """Count a call that `allows` has allowed; one that is refused for the rate costs nothing."""
        if self._left >= 1:
            self._left -= 1


class Link(Protocol):
    """The connection of a caller, for rows: what CLIENT LIST shows of it, and how CLIENT KILL closes it."""

    @property
    def peer(self) -> bytes:
        """The address of the client."""

    @property
    def local(self) -> bytes:
        """The address of the server to which the client is connected."""

    @property
    def descriptor(self) -> int:
        """The socket's file descriptor, -1 without a socket."""

    @property
    def held_bytes(self) -> int:
        """Bytes of unfinished input."""

    @property
    def waiting_bytes(self) -> int:
        """Bytes of output that the client has not taken."""

    @property
    def replies(self) -> int:
        """Number of replies that are not at the socket yet."""

    @property
    def asks(self) -> str:
        """What the client requested last, for a connection whose requests are not RESP commands; else `NULL`."""

    def hang_up(self) -> None:
        """Close the connection at once."""


class PushLink(Link, Protocol):
    """A connection that takes messages between replies, and whose replies may wait for the disk."""

    def choose_durability(self, level: str) -> None:
        """Set the level that replies have reached when they are sent, for the next reply and those after it."""

    def push(self, data: bytes) -> bool:
        """Queue messages behind the replies computed so far; return False if too much output waits for the client."""


def _never() -> bool:
    return False


class Caller:
    """Who makes a call.

    surface    the protocol of the replies
    user       name of the user, whose permissions are in `refuses`
    namespace  the numbered database of the keys
    refuses    GUARD_* bits: calls that are refused for this caller
    rate       limit on the calls that the caller makes, or None. Each counts once, when it arrives: not again when EXEC
               runs it or a wait ends. Misspelled and unknown commands count; deliveries of feeds do not
    parked     the call that waits, or None; its `over` is True once the wait has ended
    link       the connection of a RESP session, else None
    owed       the call that gives back what the call that has waited has popped, for a reply that is never sent
    gone       returns whether the client is known to have gone, so that nothing may be removed for it
    durability the level of durability that was asked for (synap/durability.py): by a RESP session for all its calls, by
               the clients of other surfaces for each request
    in_multi   True between MULTI and EXEC: calls are queued
    noted      True for a session whose reads are noted (CLIENT TRACKING): its commands take the slow path
    resp2_subscriber   True for a RESP2 session with subscriptions: other commands are refused
    """

    if TYPE_CHECKING:

        @property
        def in_multi(self) -> bool: ...

    else:
        in_multi = False  # a property in Session; not here, as each call of a program in this process reads it
    resp2_subscriber = False
    noted = False
    durability = DEFAULT

    def __init__(self, surface: Surface, user: bytes = b"default") -> None:
        self.surface = surface
        self.user = user
        self.namespace = 0
        self.refuses = 0
        self.rate: Rate | None = None
        self.parked: Parked | None = None
        self.link: PushLink | None = None
        self.gone: Callable[[], bool] = _never
        self.owed: Call | None = None

    def guard(self, bits: int, on: bool = True) -> None:
        """Set or clear guards of this caller."""
        self.refuses = self.refuses | bits if on else self.refuses & ~bits

    def refuses_at(self, now: int) -> int:
        """Return the guards of a call that the caller makes at `now`: `refuses`, and GUARD_RATE above the rate."""
        return self.refuses if self.rate is None or self.rate.allows(now) else self.refuses | GUARD_RATE

    def count_call(self, now: int) -> int:
        """Count a call for the rate of the caller; return the guards that the call has to pass."""
        refuses = self.refuses_at(now)
        if self.rate is not None:
            self.rate.spend()
        return refuses

    @property
    def of_resp(self) -> bool:
        """True if replies are written as RESP."""
        return self.surface is Surface.RESP
