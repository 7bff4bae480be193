"""CLIENT TRACKING: clients that keep values of their own are told which keys have changed since they read them.

In the default mode the engine notes which session has read which key (`Interest.tracked`, by the hash of the key). A
change of the key is a hit of the interest table; all who have read it are told, and forgotten. So other clients stay in
the lane, unless they change such a key. Commands of a session whose reads are noted take the slow path.

With BCAST nothing is noted: a session is told about each changed key that begins with one of its prefixes. The names
come from the events of keys (keyspace_events.py), and are sent at the end of the turn, each key once.

    RESP3       >2 invalidate [key, ...]                              nil in place of the keys: all keys have changed
    REDIRECT    the same to another session; if that one uses RESP2, as a message of the channel __redis__:invalidate
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from synap.command import Command
from synap.derive import tape_reader
from synap.engine.callers import Caller
from synap.engine.sessions import Session
from synap.engine.subscribers import bulk
from synap.store.keys import key_info

if TYPE_CHECKING:
    from synap.engine.engine import Engine

CHANNEL = b"__redis__:invalidate"


@dataclass(eq=False)
class Tracking:
    """How a session tracks keys.

    redirect    number of the session that is told in its place, or 0
    prefixes    with `broadcast`: what the names of the keys begin with
    caching     CLIENT CACHING was sent for the next command, or for the transaction that it begins
    broken      the session that was to be told has gone
    """

    redirect: int = 0
    broadcast: bool = False
    opt_in: bool = False
    opt_out: bool = False
    no_loop: bool = False
    prefixes: list[bytes] = field(default_factory=list)
    caching: bool = False
    broken: bool = False

    @property
    def notes(self) -> bool:
        """True if the keys that the next command reads are noted."""
        if self.broadcast or (self.opt_in and not self.caching):
            return False
        return not (self.opt_out and self.caching)


class ClientTracking:
    """The sessions of an engine that track keys."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self.sessions: dict[Session, None] = {}
        self.prefixes: dict[bytes, dict[Session, None]] = {}
        self.keys = 0  # keys that are noted
        self.keys_max = 1_000_000
        self.told_later: Session | None = None  # has just changed every key, and is not answered yet
        self._changed: dict[bytes, Caller | None] = {}  # keys to broadcast -> who has changed them last

    @property
    def broadcasts(self) -> bool:
        """True if a session is told about keys that it has not read."""
        return bool(self.prefixes)

    def start(self, session: Session, tracking: Tracking) -> None:
        """Let a session track keys, in another way than before. Prefixes are added to those that it has."""
        before, prefixes = session.tracking, tracking.prefixes
        tracking.prefixes = [] if before is None else before.prefixes
        if tracking.broadcast:
            for prefix in prefixes or [b""]:
                self.prefixes.setdefault(prefix, {})[session] = None
            tracking.prefixes = sorted({*tracking.prefixes, *(prefixes or [b""])})
        self.sessions[session] = None
        session.tracking = tracking
        self._look(session)
        self._engine.keyspace_events.look()

    def stop(self, session: Session) -> None:
        """End the tracking of a session."""
        if session.tracking is None:
            return
        self.deliver()
        for prefix in session.tracking.prefixes:
            found = self.prefixes[prefix]
            del found[session]
            if not found:
                del self.prefixes[prefix]
        session.tracking = None
        session.noted = False
        del self.sessions[session]
        if all(one.tracking is None or one.tracking.broadcast for one in self.sessions):
            for h in list(self._engine.interest.tracked):
                self._engine.interest.untrack(h)
            self.keys = 0
        self._engine.keyspace_events.look()

    def choose_caching(self, session: Session) -> None:
        """Note the keys of the next command (OPTIN), or do not (OPTOUT)."""
        assert session.tracking is not None
        session.tracking.caching = True
        self._look(session)

    def command_over(self, session: Session, row: Command) -> None:
        """End CLIENT CACHING behind the command that it was for, or behind the transaction."""
        tracking = session.tracking
        if tracking is not None and tracking.caching and not session.in_multi and not row.resp.startswith("CLIENT|"):
            tracking.caching = False
            self._look(session)

    def _look(self, session: Session) -> None:
        tracking = session.tracking
        session.noted = tracking is not None and not tracking.broadcast and (tracking.caching or not tracking.opt_in)

    # Keys that are read, and keys that change.

    def note(self, session: Session, row: Command, tape: int) -> None:
        """Note the keys that a call at word `tape` reads."""
        tracking = session.tracking
        if tracking is None or not tracking.notes or not row.reads or row.writes:
            return
        engine = self._engine
        numbers, namespace = engine.numbers, session.namespace
        for at, size in tape_reader.keys(row, numbers, engine.bytes, tape):
            h = key_info.hash_of(engine.words, engine.octets, namespace, at, size)
            self.keys += engine.interest.track(h, bytes(engine.bytes[at : at + size]), session.number)
        self.limit()

    def choose_most(self, keys_max: int) -> None:
        """Note at most `keys_max` keys, 0 for any number."""
        self.keys_max = keys_max
        self.limit()

    def limit(self) -> None:
        """Forget the keys noted first, and tell who has read them, as long as there are too many."""
        tracked = self._engine.interest.tracked
        while self.keys > self.keys_max > 0:
            self.changed(next(iter(tracked)), None)

    def changed(self, h: int, by: Caller | None) -> None:
        """Tell all sessions that have read the keys with the hash `h` that `by` has changed them."""
        for key, numbers in self._engine.interest.untrack(h).items():
            self.keys -= 1
            for number in numbers:
                session = self._engine.sessions.open.get(number)
                tracking = session.tracking if session is not None else None
                if session is not None and tracking is not None and not tracking.broadcast:
                    if session is not by or not tracking.no_loop:
                        self._tell(session, [key])

    def announced(self, key: bytes, by: Caller | None) -> None:
        """Broadcast at the end of the turn that `by` has changed a key."""
        if self.prefixes:
            if not self._changed:
                self._engine.pubsub.soon()
            self._changed[key] = by

    def flushed(self, by: Caller | None) -> None:
        """Tell all sessions that track keys that every key has changed; `by` itself behind the reply to its call."""
        self._changed.clear()
        for h in list(self._engine.interest.tracked):
            self._engine.interest.untrack(h)
        self.keys = 0
        for session in list(self.sessions):
            if session is by:
                self.told_later = session
            else:
                self._tell(session, None)

    def tell_later(self) -> None:
        """Tell the session that has changed every key, now that its call is answered."""
        session, self.told_later = self.told_later, None
        if session is not None and session.tracking is not None:
            self._tell(session, None)

    def deliver(self) -> None:
        """Broadcast the keys that have changed in this turn: to each session one message for each of its prefixes."""
        changed, self._changed = self._changed, {}
        if not changed:
            return
        names = sorted(changed)  # as in Redis
        for prefix, sessions in sorted(self.prefixes.items()):
            keys = [key for key in names if key.startswith(prefix)]
            for session in list(sessions):
                tracking = session.tracking
                told = keys
                if tracking is not None and tracking.no_loop:
                    told = [key for key in keys if changed[key] is not session]
                if told:
                    self._tell(session, told)

    def _tell(self, session: Session, keys: list[bytes] | None) -> None:
        """Send a session, or the one that is told in its place, the keys that have changed; None: all keys."""
        tracking, receiver = session.tracking, session
        assert tracking is not None
        if tracking.redirect:
            found = self._engine.sessions.open.get(tracking.redirect)
            if found is None:
                tracking.broken = True
                if session.version == 3 and session.link is not None:
                    session.link.push(b">2\r\n" + bulk(b"tracking-redir-broken") + b":%d\r\n" % tracking.redirect)
                return
            receiver = found
        if keys is None:
            told = b"_\r\n" if session.version == 3 else b"$-1\r\n"
        else:
            told = b"*%d\r\n" % len(keys) + b"".join(map(bulk, keys))
        if receiver.version == 3:
            data = b">2\r\n" + bulk(b"invalidate") + told
        elif tracking.redirect and receiver.listener is not None and len(receiver.listener):
            data = b"*3\r\n" + bulk(b"message") + bulk(CHANNEL) + told
        else:
            return
        if receiver.link is not None:
            receiver.link.push(data)
