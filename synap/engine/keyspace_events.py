"""Events of keys: what a call has done to the keys that it names. Three kinds of messages are made of them.

Keyspace notifications, after the setting `notify-keyspace-events` of Redis:

    __keyspace@<db>__:<key>      message: the event       (class K)
    __keyevent@<db>__:<event>    message: the key         (class E)

The other classes say which events are sent: g (keys of any kind), $ l s h z (the kinds), x expired, e evicted, n new
keys, m misses of reads, t streams, d modules; A is all of them but n and m. Then the messages of watched keys
(key_watch.py), and the broadcasts of CLIENT TRACKING (tracking.py), for which every event of a key is a change of it.

While there is somebody to tell, the lane stops before each write that may have an event which is sent (and with m
before each read), as it does before rows that run in Python. The engine then looks at the keys that the call names
before and after it: a key that was there and is no more has the event `del`, whatever the call was. If a call needs the
memory of other keys, these are evicted before it, one by one, so that their names are known. Without anybody to tell,
nothing of this costs anything.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synap.arguments import OneOf, Token
from synap.arguments import layout as layout_of
from synap.command import DIAGNOSTICS, Command
from synap.derive import tape_reader
from synap.engine.callers import Caller
from synap.engine.key_watch import KeyWatch
from synap.engine.subscribers import with_form
from synap.events import How
from synap.store.keys import key_info
from synap.store.memory import codes, layout
from synap.store.memory.layout import CHANGED, ITEM_MASK, MARK_BITS, NAMESPACES, REFUSED, STATUS_MASK, WORD
from synap.store.memory.refusals import OUT_OF_MEMORY
from synap.store.upkeep import victims
from synap.traits import RUNS_SCRIPT

if TYPE_CHECKING:
    from synap.engine.engine import Engine

LETTERS = "g$lshzxetdnKEm"
ALL = frozenset("g$lshzxetd")
CLASSES = {"kv": "$", "list": "l", "set": "s", "hash": "h", "zset": "z", "key": "g", "bitmap": "$", "hyperloglog": "$",
           "geospatial": "z", "xstream": "t"}  # fmt: skip
"""The class of the events of a family's rows."""
CHANGELESS = frozenset("nm")
"""Classes of events that are no change of their own."""
ENDS = {"LEFT": "lpop", "RIGHT": "rpop", "MIN": "zpopmin", "MAX": "zpopmax"}
"""The event of a row that takes elements from an end which the call names."""


BEFORE_ALL = 0
"""A time at which no key has expired."""


class BadClasses(ValueError):
    """A text has letters that are no classes of events."""


def classes_of(text: str) -> frozenset[str]:
    """Return the classes that a text of letters names. Raise BadClasses for another letter."""
    if any(letter not in LETTERS + "A" for letter in text):
        raise BadClasses("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
    return frozenset(text.replace("A", "".join(sorted(ALL))))


@dataclass
class Seen:
    """A key that a call names: where its name lies, and whether it was there before and after the call."""

    namespace: int
    at: int
    size: int
    before: bool
    after: bool = False
    name: bytes = b""
    expired: bool = False  # before the call, it was there and had expired


Event = tuple[str, str, Seen]
"""Class, event, key."""


class KeyspaceEvents:
    """The keyspace notifications of one engine."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self.classes: frozenset[str] = frozenset()
        self.watch = KeyWatch(engine)
        self.on = False  # somebody is told about changes, at least about those of whole namespaces
        self._by: Caller | None = None  # who makes the call
        self._victim = np.zeros(4, np.int64)
        self._looked: tuple[object, ...] = ()  # what `look` has found last
        self._expiries: dict[str, tuple[int, frozenset[int]]] = {}  # what `_expiry_of` returns, by row
        engine.pubsub.on_use = self.watch.subscribed

    def shown(self) -> str:
        """Return the classes as Redis shows them: with A it does not show n."""
        kinds = "A" if self.classes >= ALL else "".join(letter for letter in LETTERS[:11] if letter in self.classes)
        return kinds + "".join(letter for letter in "KEm" if letter in self.classes)

    def choose(self, text: str) -> None:
        """Send the events of these classes. Raise BadClasses for another letter."""
        self.classes = classes_of(text)
        self.look()

    def look(self) -> None:
        """Look anew who is told about changes: a setting, a subscription or the tracking of a session has changed.

        Before the kernels of facts about keys are ready, nobody is told.
        """
        tracking, ready = self._engine.tracking, DIAGNOSTICS not in self._engine.diagnostics.coming
        looked = self.classes, self.watch.on, tracking.broadcasts, bool(tracking.sessions), ready
        if looked == self._looked:
            return
        self._looked = looked
        self.on = ready and (self.sends or bool(tracking.sessions))
        self._choose_stops()

    def _choose_stops(self) -> None:
        """Let the lane stop before the rows that run in Python, and before those whose calls have to be seen there."""
        numbers = self._engine.numbers
        for row_at, row in self._engine.rows.items():
            stops = row.handler or self.needs(row)
            flags = numbers[row_at + layout.ROW_FLAGS] & ~layout.FLAG_HANDLER
            numbers[row_at + layout.ROW_FLAGS] = flags | layout.FLAG_HANDLER * bool(stops)

    def needs(self, row: Command) -> bool:
        """Return True if a call of this row may have events, so that the lane has to stop before it."""
        if not self.on:
            return False
        if row.event.how is How.NONE or row.traits & RUNS_SCRIPT:
            return row.writes or bool(row.traits & RUNS_SCRIPT)
        if self.watch.on or self._engine.tracking.broadcasts:
            return row.writes
        return self._notifies and bool(_classes_of(row) & self.classes)

    @property
    def sends(self) -> bool:
        """True if anybody is told about changes of single keys."""
        return self._notifies or self.watch.on or self._engine.tracking.broadcasts

    @property
    def _notifies(self) -> bool:
        return bool(self.classes & {"K", "E"})

    @property
    def _misses(self) -> bool:
        return "m" in self.classes and self._notifies

    @contextmanager
    def held(self) -> Iterator[None]:
        """Send no events of the calls that are made meanwhile: they are parts of one, which sends its own."""
        on, self.on = self.on, False
        try:
            yield
        finally:
            self.on = on

    def restored(self, by: Caller, namespace: int, key: bytes, now: int) -> None:
        """Send the events of a key that `by` has stored by RESTORE. One that was there before is new
        as well, as in Redis."""
        self._by = by
        at = layout.CALL_BLOB * WORD
        self._engine.bytes[at : at + len(key)] = key
        seen = Seen(namespace, at, len(key), False, True, key)
        self._send("n", "new", seen, now)
        self._send("g", "restore", seen, now)

    # Around a call.

    def perform(
        self, by: Caller, refuses: int, row_at: int, tape: int, tape_size: int, blob_size: int, now: int
    ) -> int:
        """Carry out a call of `by` in a kernel, evict the keys whose memory it needs, and send the events of all."""
        engine, numbers, row = self._engine, self._engine.numbers, self._engine.rows[row_at]
        call = refuses, row_at, tape, tape_size, blob_size, now
        self.evict(row_at, tape_size, blob_size, now, refuses)
        found = self.before(row, tape, now, by)
        numbers[layout.EVICTS_SELF] = 1
        try:
            status = engine.in_kernel(*call)
        finally:
            numbers[layout.EVICTS_SELF] = 0
        if status & STATUS_MASK == OUT_OF_MEMORY and numbers[layout.LACKED] and not numbers[layout.IN_GROUP]:
            engine.free_deferred()
            lacked = numbers[layout.LACKED] - numbers[layout.WORDS_USED] * WORD
            self.evict(row_at, tape_size, lacked, now, refuses)
            counter = layout.COUNTERS + layout.COUNTER_WORDS * row.code
            numbers[counter] -= 1
            numbers[counter + layout.COUNTER_REFUSALS] -= 1
            found = self.before(row, tape, now, by)
            status = engine.in_kernel(*call)
        if found is not None:
            self.after(row, tape, found, status, now)
        return status

    def evict(self, row_at: int, tape_size: int, blob_size: int, now: int, refuses: int) -> None:
        """Evict the keys whose memory a call of this row needs, and send their events."""
        engine, found = self._engine, self._victim
        while victims.next_victim(engine.words, engine.octets, row_at, tape_size, blob_size, now, refuses, found):
            namespace, at, size, seat = (int(number) for number in found)
            seen = Seen(namespace, 0, 0, True, False, bytes(engine.bytes[at : at + size]))
            victims.evict(engine.words, engine.octets, seat, now)
            self._by = None
            self._send("e", "evicted", seen, now)

    def before(self, row: Command, tape: int, now: int, by: Caller | None) -> list[Seen] | None:
        """Return the keys of a call at word `tape` as they are before `by` makes it; None if the call has no events."""
        self._by = by
        if row.event.how is How.NONE and row.writes:
            return []
        if not self.sends or not (row.writes or (self._misses and row.reads)) or (row.internal and not row.event.name):
            return None  # an internal row without an event is a part of another call
        engine = self._engine
        namespace = engine.numbers[tape - 2]
        spans = tape_reader.keys(row, engine.numbers, engine.bytes, tape)
        found = [Seen(namespace, at, size, False) for at, size in spans]
        for seen in found:
            seen.name = bytes(engine.bytes[seen.at : seen.at + seen.size])
            seen.before = self._is_there(seen, now)
            seen.expired = not seen.before and self._is_there(seen, BEFORE_ALL)
        return found or None  # a call may name no key: one about a queue or a room

    def after(self, row: Command, tape: int, found: list[Seen], status: int, now: int) -> None:
        """Send the events of a call that has been carried out with this status."""
        if not found:
            if status & STATUS_MASK < REFUSED:
                one = row.code == codes.KEY_FLUSH_NAMESPACE
                self._engine.tracking.flushed(self._by)
                self.watch.flushed(self._engine.numbers[tape - 2] if one else None, now)
            return
        if self._misses and (row.reads or row.event.misses):
            for seen in _read(row, found):
                if not seen.before:
                    self._send("m", "keymiss", seen, now)
        if not status & CHANGED:
            return
        for seen in found:
            seen.after = self._is_there(seen, now)
        if row.event.how is not How.EXPIRED:
            self._tell_replaced(found, now)
        for kind, event, seen in list(self._events(row, tape, found, now)):
            self._send(kind, event, seen, now)

    def _tell_replaced(self, found: list[Seen], now: int) -> None:
        """Send `expired` for the keys that had expired, and that the call has replaced or removed."""
        for seen in {(seen.namespace, seen.name): seen for seen in found}.values():
            if seen.expired and (seen.after or not self._is_there(seen, BEFORE_ALL)):
                self._send("x", "expired", seen, now)

    def _is_there(self, seen: Seen, now: int) -> bool:
        engine = self._engine
        return bool(key_info.visible(engine.words, engine.octets, seen.namespace, seen.at, seen.size, now))

    def _send(self, kind: str, event: str, seen: Seen, now: int) -> None:
        if kind not in CHANGELESS:
            self._engine.tracking.announced(seen.name, self._by)
            if self.watch.on:
                self.watch.tell(event, seen.namespace, seen.name, seen.at, now)
        if kind not in self.classes:
            return
        pubsub, db = self._engine.pubsub, seen.namespace
        channel = b"__keyspace@%d__:%b" % (db, seen.name)
        if "K" in self.classes and len(channel) <= pubsub.limits.channel_bytes:  # nobody can subscribe to a longer one
            pubsub.publish(channel, event.encode(), b"", now)
        if "E" in self.classes:
            pubsub.publish(b"__keyevent@%d__:%b" % (db, event.encode()), seen.name, b"", now)

    # The events of a call.

    def _events(self, row: Command, tape: int, found: list[Seen], now: int) -> Iterator[Event]:
        kind = CLASSES.get(row.event.of or row.family, "")
        event = row.event.name or row.resp.lower() or row.name.partition(".")[2]
        unique = list({(seen.namespace, seen.name): seen for seen in found}.values())
        source, target = found[0], found[-1]
        match row.event.how:
            case How.EXPIRED:
                yield from (("x", event, seen) for seen in unique if not seen.after)
            case How.GONE:
                yield from (each for seen in unique for each in _gone(seen))
            case How.DEADLINE:
                yield from self._deadline(row, tape, event, unique)
            case How.MOVED:
                yield "s", "srem", source
                yield from _gone(source)
                yield from _put("s", "sadd", target)
            case How.STORED | How.MERGED:
                yield from _stored(kind, event, source)
            case How.STORED_LAST:
                yield from _stored(kind, event, target)
            case How.FIRST:
                named = self._first_text()
                event = ENDS[self._fields(row, tape)[row.event.end]] if row.event.end else event
                yield from (each for seen in unique if seen.name == named for each in _put(kind, event, seen))
            case How.PUSHED:
                fields = self._fields(row, tape)
                yield from _new(target)
                yield kind, "rpush" if fields.get("whereto") == "RIGHT" else "lpush", target
                yield kind, "lpop" if fields.get("wherefrom") == "LEFT" else "rpop", source
                yield from _gone(source)
            case How.TRIMS:
                yield from _put(kind, event, target)
                if self._engine.numbers[layout.REPLY]:
                    yield kind, "xtrim", target
            case How.CREATES:
                created = self._engine.numbers[layout.REPLY]
                yield from ((kind, event, seen) for i, seen in enumerate(found) if created >> i & 1)
            case How.UNTOLD:
                pass
            case How.RENAMED:
                yield "n", "new", target  # the key that was there is deleted first
                yield "g", "rename_from", source
                yield "g", "rename_to", target
            case How.COPIED | How.TAKEN_ALONG:
                yield from self._elsewhere(row, tape, event, source, target)
            case _:
                if row.event.when[0] and self._fields(row, tape).get(row.event.when[0]):
                    event = row.event.when[1]
                expires = row.event.expires and self._expires(row, tape)
                told = set()
                for seen in found if event == "set" else unique:
                    if seen.name not in told:
                        yield from _new(seen)
                    told.add(seen.name)
                    yield kind, event, seen
                    if expires:
                        yield "g", "expire", seen
                    if expires and not seen.after:  # the time has passed
                        yield "x", "expired", seen
                    else:
                        yield from _gone(seen)

    def _expires(self, row: Command, tape: int) -> bool:
        """Return True if a call gives a time to live; SETEX always does."""
        known = self._expiries.get(row.name)
        if known is None:
            known = self._expiries[row.name] = _expiry_of(row)
        slot, times = known
        return slot < 0 or self._engine.numbers[tape + slot] in times

    def _elsewhere(self, row: Command, tape: int, event: str, source: Seen, target: Seen) -> Iterator[Event]:
        namespace = int(self._fields(row, tape).get("db", source.namespace)) % NAMESPACES
        other = Seen(namespace, target.at, target.size, False, True, target.name)
        yield from _new(other)
        if row.event.how is How.TAKEN_ALONG:
            yield "g", "move_from", source
            event = "move_to"
        yield "g", event, other

    def _deadline(self, row: Command, tape: int, event: str, found: list[Seen]) -> Iterator[Event]:
        persists = self._fields(row, tape).get("persist")
        for seen in found:
            yield "g", "del" if not seen.after else "persist" if persists else event, seen

    def _fields(self, row: Command, tape: int) -> dict[str, Any]:
        return tape_reader.read(row, self._engine.numbers, self._engine.bytes, tape, with_form)

    def _first_text(self) -> bytes:
        """Return the first text of the reply."""
        engine, at = self._engine, layout.REPLY + 2
        for item in range(at, at + 2 * engine.numbers[layout.REPLY + 1], 2):
            start, size = engine.numbers[item], engine.numbers[item + 1]
            if not size & ITEM_MASK:
                return bytes(engine.bytes[start : start + (size >> MARK_BITS)])
        return b""


def _classes_of(row: Command) -> set[str]:
    """Return the classes of the events that a call of a row may have."""
    found = {"m"} if row.reads or row.event.misses else set()
    if row.event.how is How.EXPIRED:
        return found | {"x"}
    if row.writes:
        found |= {"g", "n", CLASSES.get(row.event.of or row.family, "g")} | ({"e"} if row.grows else set())
    return found


def _expiry_of(row: Command) -> tuple[int, frozenset[int]]:
    """Return the slot of the alternatives of an expiry, -1 without one, and the numbers of those that are times."""
    for place in layout_of(row.args):
        if isinstance(place.node, OneOf) and place.node.name == "expiry":
            return place.slot, frozenset(i for i, each in enumerate(place.node.inner, 1) if isinstance(each, Token))
    return -1, frozenset()


def _read(row: Command, found: list[Seen]) -> list[Seen]:
    """Return those of a call's keys that it reads."""
    match row.event.how:
        case How.STORED:
            return found[1:]
        case How.STORED_LAST | How.COPIED:
            return found[:1]
    return found


def _new(seen: Seen) -> Iterator[Event]:
    if not seen.before and seen.after:
        yield "n", "new", seen


def _gone(seen: Seen) -> Iterator[Event]:
    if seen.before and not seen.after:
        yield "g", "del", seen


def _put(kind: str, event: str, seen: Seen) -> Iterator[Event]:
    yield from _new(seen)
    yield kind, event, seen
    yield from _gone(seen)


def _stored(kind: str, event: str, seen: Seen) -> Iterator[Event]:
    if not seen.after:
        yield from _gone(seen)
        return
    yield from _new(seen)
    yield kind, event, seen
