"""CLIENT TRACKING: clients that keep values of their own are told which keys have changed since they read them.

In the default mode the engine notes which session has read which key (`Interest.tracked`, by the hash of the key). A
change of the key is a hit of the interest table; all who have read it are told, and forgotten. Other clients stay in
the lane, but for the writes that are such hits, or share the octet of one (waiters.py says how many those are).
Commands of a session whose reads are noted take the slow path.

With BCAST nothing is noted: a session is told about each changed key that begins with one of its prefixes. The names
come from the events of keys (keyspace_events.py), and are sent at the end of the turn, each key once.

NOLOOP leaves out what a session changes itself. Where it is not known who has changed a key, the session is told.

    RESP3       >2 invalidate [key, ...]                              nil in place of the keys: all keys have changed
    REDIRECT    the same to another session; if that one uses RESP2, as a message of the channel __redis__:invalidate
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from synap.command import Command
from synap.derive import tape_reader
from synap.engine.callers import Caller
from synap.engine.sessions import Session
from synap.engine.subscribers import bulk
from synap.store.keys import key_info
from synap.store.memory import layout

if TYPE_CHECKING:
    from synap.engine.engine import Engine

CHANNEL = b"__redis__:invalidate"
PREFIXES_MAX = 10_000
"""Prefixes of one session."""
FORGOTTEN_MOST = 1000
"""Noted keys above `keys_max` that are forgotten at once, besides as many as a read has noted; the others go with the
next reads, and in upkeep."""


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
        self._sizes: Counter[int] = Counter()  # how many of `prefixes` have each size
        self.keys = 0  # keys that are noted
        self.keys_max = 1_000_000
        self.told_later: Session | None = None  # told behind the reply to its own call, which has changed every key
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
                if prefix not in self.prefixes:
                    self.prefixes[prefix] = {}
                    self._sizes[len(prefix)] += 1
                self.prefixes[prefix][session] = None
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
                self._sizes[len(prefix)] -= 1
        self._sizes += Counter()  # drops the sizes that no prefix has any more
        session.tracking = None
        session.noted = False
        del self.sessions[session]
        if self.keys and all(one.tracking is None or one.tracking.broadcast for one in self.sessions):
            self._forget_all()
        self._engine.keyspace_events.look()

    def _forget_all(self) -> None:
        self._engine.interest.untrack_all()
        self.keys = 0

    def choose_caching(self, session: Session) -> None:
        """Note the keys of the next command (OPTIN), or do not (OPTOUT)."""
        assert session.tracking is not None
        session.tracking.caching = True
        self._look(session)

    def command_over(self, session: Session, row: Command | None) -> None:
        """End CLIENT CACHING behind the command that it was for, or behind the transaction. An unknown command has no
        row."""
        tracking = session.tracking
        if tracking is None or not tracking.caching or session.in_multi:
            return
        if row is None or not row.resp.startswith("CLIENT|"):
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
        if engine.numbers[layout.IN_GROUP]:  # the writes before this read are served behind the transaction only
            for h in engine.interest.new_hits():
                self.changed(h, session)
        numbers, namespace, before = engine.numbers, session.namespace, self.keys
        for at, size in tape_reader.keys(row, numbers, engine.bytes, tape):
            h = key_info.hash_of(engine.words, engine.octets, namespace, at, size)
            name = bytes(engine.bytes[at : at + size])
            self.keys += engine.interest.track(h, name, session.number, engine.sessions.open)
        self.limit(FORGOTTEN_MOST + self.keys - before)

    def choose_most(self, keys_max: int) -> None:
        """Note at most `keys_max` keys, 0 for any number."""
        self.keys_max = keys_max
        self.limit()

    def limit(self, most: int = FORGOTTEN_MOST) -> bool:
        """Forget up to `most` of the keys noted first, and tell who has read them, if there are too many; return True
        if there still are."""
        tracked = self._engine.interest.tracked
        for _ in range(most):
            if not self.keys > self.keys_max > 0:
                return False
            self.changed(next(iter(tracked)), None)
        return self.keys > self.keys_max

    def changed(self, h: int, by: Caller | None) -> None:
        """Tell all sessions that have read the keys with the hash `h` that `by`, None if unknown, has changed them."""
        for key, numbers in self._engine.interest.untrack(h).items():
            self.keys -= 1
            for number in numbers:
                session = self._engine.sessions.open.get(number)
                tracking = session.tracking if session is not None else None
                if session is not None and tracking is not None and not tracking.broadcast:
                    if session is not by or not tracking.no_loop:
                        self._tell(session, [key])

    def announced(self, key: bytes, by: Caller | None) -> None:
        """Broadcast at the end of the turn, if anybody asks for it, that `by`, None if unknown, has changed a key."""
        if self.prefixes:
            if not self._changed:
                self._engine.pubsub.soon()
            self._changed[key] = by

    def flushed(self, by: Caller | None) -> None:
        """Tell all sessions that track keys that every key has changed; `by` itself behind the reply to its call."""
        self._changed.clear()
        self._forget_all()
        for session in list(self.sessions):
            if session is by:
                self.told_later = session
            else:
                self._tell(session, None)

    def tell_later(self) -> None:
        """Tell the session `told_later`, now that its call is answered."""
        session, self.told_later = self.told_later, None
        if session is not None and session.tracking is not None:
            self._tell(session, None)

    def deliver(self) -> None:
        """Broadcast the changed keys that have not been told yet: to each session one message for each of its prefixes.

        This happens at the end of a turn, and before the prefixes of a session go.
        """
        changed, self._changed = self._changed, {}
        met: dict[bytes, list[bytes]] = {}
        for key in sorted(changed):  # in the order of Redis
            for size in self._sizes:
                if size <= len(key) and key[:size] in self.prefixes:
                    met.setdefault(key[:size], []).append(key)
        for prefix, keys in sorted(met.items()):
            for session in list(self.prefixes[prefix]):
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
