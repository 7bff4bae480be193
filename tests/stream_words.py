"""Random words for the rows of streams: ids, groups and consumers that are there, mostly."""

from collections.abc import Callable
from random import Random
from typing import Any

from synap.arguments import Token
from synap.command import Command
from tests.naive.store import State
from tests.naive.store.streams import HIGHEST, Group, Id, Stream, told

NAMES = [[b"f"], [b"f"], [b"temperature", b"place"], [b"", b"12"]]
GROUPS = [b"g", b"g", b"g2", b"other", b"", b"g\r\n\0x", b"g" * 200]
CONSUMERS = [b"c", b"c", b"c2", b"d", b"", b"c" * 300, b"\xff"]
WRONG_IDS = [b"x", b"", b"-", b"+", b"1-", b"-1", b"1-x", b"0-0", b"(5", b"$", b">", b"*", b"1-1-1", b"9" * 21,
             b"5" + b"0" * 200, b"18446744073709551615-18446744073709551615", b"9223372036854775808-1"]  # fmt: skip
ODD_IDS = [b" +%d-%d", b"00%d-0%d", b"%d-%d\0x"]


class StreamWords:
    """A source of words for a `Strategies`, whose chance, state, time and values it shares."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw
        self._drawn: dict[str, bytes] = {}
        self._row = Command("none.none", 0, "")
        self._by_name: dict[str, Callable[[], bytes]] = {
            "id": self.any_id, "start": self.start, "end": self.end, "minid": self.entry, "last_id": self.pending,
            "max_deleted_id": self.entry, "group": self.group, "consumer": self.consumer, "maxlen": self.length,
            "entries_added": self.length,
        }  # fmt: skip
        self._pools: dict[str, list[bytes]] = {
            "min_idle": [b"0", b"0", b"0", b"0", b"20", b"300", b"-1", b"x"],
            "idle": [b"0", b"1", b"20", b"300", b"100000000", b"-1", b"x"],
            "retry_count": [b"0", b"1", b"7", b"-1", b"x"],
            "entries_read": [b"0", b"1", b"5", b"-1", b"-2", b"x"],
            "block": [b"0", b"1", b"5000", b"0", b"-1", b"1.5", b"x"],
            "limit": [b"0", b"1", b"8", b"9", b"20", b"100000", b"-1"],
            "count": [b"0", b"1", b"2", b"3", b"7", b"40", b"40", b"-1", b"x"],
        }

    @property
    def chance(self) -> Random:
        found: Random = self._draw.chance
        return found

    @property
    def stream(self) -> Stream:
        """The stream of this call, or of one that it may be about, or an empty one."""
        state: State = self._draw.state
        record = state.there(self._drawn.get("key", self.chance.choice((b"x", b"x", b"x2"))))
        return record.value if record and record.kind is Stream else Stream()

    @property
    def its_group(self) -> Group:
        return self.stream.groups.get(self._drawn.get("group", b""), Group((0, 0), None))

    def options(self, row: Command, node: Any, chosen: list[Any]) -> tuple[list[Any], list[Any]]:
        """(Options of a call, those that it needs): GROUP and a way to trim, mostly, and no LIMIT, mostly."""
        words = {getattr(inner, "word", getattr(inner, "name", "")): inner for inner in node.inner}
        needed = [inner for inner in node.inner if getattr(inner, "required", False)]
        if row.name in ("xstream.readgroup", "xstream.trim") and self.chance.random() < 0.98:
            needed += [words["GROUP"]] if "GROUP" in words else [self.chance.choice(words["trim"].inner)]
            chosen = [inner for inner in chosen if inner is not words.get("trim")]
        rare = [inner for inner in chosen if isinstance(inner, Token) and inner.word in ("LIMIT", "LASTID", "BLOCK")]
        if words.get("NOMKSTREAM") in chosen and self.chance.random() < 0.5:
            rare.append(words["NOMKSTREAM"])
        if self.chance.random() < 0.7:
            chosen = [inner for inner in chosen if inner not in rare]
        if "MKSTREAM" in words and self.chance.random() < 0.8:
            needed.append(words["MKSTREAM"])
        return [inner for inner in chosen if inner not in needed], needed

    def fields(self) -> list[bytes]:
        """Names and values; most entries have the names of others."""
        draw = self.chance.random()
        names = self.chance.choice(NAMES)
        if draw < 0.1:
            names = [b"name:%d" % self.chance.randrange(20) for _ in range(self.chance.randrange(1, 30))]
        return [word for name in names for word in (name, self.value())][: -1 if draw > 0.995 else None]

    def value(self) -> bytes:
        draw = self.chance.random()
        if draw < 0.5:
            size = self.chance.choice((1, 7, 8, 12, 13, 16, 24, 32, 63))
            return b"%d" % (self.chance.choice((1, -1)) * self.chance.getrandbits(size))
        found: bytes = self._draw.value([0, 1, 3, 20, 21, 63, 64, 100]) if draw < 0.97 else self._draw.value()
        return found

    def word(self, row: Command, name: str, drawn: dict[str, bytes]) -> bytes | None:
        """A word for an argument, None if it has nothing to do with streams."""
        self._drawn, self._row = drawn, row
        if name in self._pools:
            found = self.chance.choice(self._pools[name])
            return found if found not in (b"x", b"-1") or self.chance.random() < 0.1 else b"1"
        if name == "time":
            return b"%d" % (self._draw.now + self.chance.choice((-1000, -1, 0, 0, 5, -(10**9))))
        return self._by_name[name]() if name in self._by_name else None

    # Ids.

    def spelled(self, ident: Id) -> bytes:
        draw = self.chance.random()
        if draw < 0.02:
            return self.chance.choice(ODD_IDS) % ident
        return b"%d" % ident[0] if draw < 0.06 else told(ident)

    def near(self, ident: Id) -> Id:
        """An id, or one beside it."""
        ms, seq = ident
        beside = ((ms, min(seq + 1, HIGHEST)), (ms, max(seq - 1, 0)), (ms + 1, 0))
        return self.chance.choice((ident, ident, ident, *beside))

    def entry(self) -> bytes:
        """Mostly the id of an entry."""
        draw = self.chance.random()
        stream = self.stream
        ids = [entry.id for node in stream.nodes for entry in node.entries]
        if draw < 0.01:
            return self.chance.choice(WRONG_IDS)
        if ids and draw < 0.75:
            return self.spelled(self.chance.choice(ids))
        return self.spelled(self.near(self.chance.choice([*ids, stream.last, stream.removed])))

    def pending(self) -> bytes:
        """Mostly the id of an entry that is pending, and mostly there."""
        ids = list(self.its_group.pending)
        if self.chance.random() < 0.8:
            ids = [entry.id for entry in self.stream if entry.id in ids] or ids
        return self.spelled(self.chance.choice(ids)) if ids and self.chance.random() < 0.9 else self.entry()

    def added(self) -> bytes:
        """The id of a new entry."""
        draw = self.chance.random()
        ms, seq = self.stream.last
        if draw < 0.5:
            return b"*"
        if draw < 0.65:
            return b"%d-*" % (ms + self.chance.choice((0, 0, 1, 300, -1)) if ms else 5)
        if draw < 0.95:
            after = ((ms, min(seq + 1, HIGHEST)), (ms, min(seq + 200, HIGHEST)), (ms + 1, seq // 2), (ms + 70, 3))
            return self.spelled(self.chance.choice(after))
        return self.entry()

    def any_id(self) -> bytes:
        """An id for what the row does with it."""
        draw = self.chance.random()
        name = self._row.name
        if name == "xstream.add":
            return self.added()
        if name == "xstream.readgroup":
            return b">" if draw < 0.65 else b"0" if draw < 0.8 else self.pending()
        if name == "xstream.setid" and draw < 0.9:
            ms, seq = self.stream.last
            return self.spelled((ms, min(seq + self.chance.choice((0, 0, 1, 3)), HIGHEST)))
        if name in ("xstream.ack", "xstream.claim"):
            return self.pending() if draw < 0.98 else self.chance.choice(WRONG_IDS)
        if name in ("xstream.read", "xstream.group_create", "xstream.group_setid") and draw < 0.5:
            return b"$" if draw < 0.1 else b"0" if draw < 0.45 else b"-"
        return self.entry()

    def start(self) -> bytes:
        draw = self.chance.random()
        if draw < 0.3:
            return b"-"
        return b"(" + self.entry() if draw < 0.5 else self.entry()

    def end(self) -> bytes:
        draw = self.chance.random()
        if draw < 0.4:
            return b"+"
        return b"(" + self.entry() if draw < 0.6 else self.entry()

    # Names and numbers.

    def group(self) -> bytes:
        groups = list(self.stream.groups)
        known = 0.15 if self._row.name == "xstream.group_create" else 0.95
        return self.chance.choice(groups if groups and self.chance.random() < known else GROUPS)

    def consumer(self) -> bytes:
        if self._row.name == "xstream.group_createconsumer":
            return b"%d" % self.chance.randrange(20)
        busy = [held.consumer for held in self.its_group.pending.values()] if self._row.name != "xstream.claim" else []
        consumers = busy if busy and self.chance.random() < 0.5 else list(self.its_group.consumers)
        return self.chance.choice(consumers if consumers and self.chance.random() < 0.6 else CONSUMERS)

    def length(self) -> bytes:
        """About as many entries as the stream has, or as fit into some nodes."""
        size = len(self.stream)
        less = [size - self.chance.randrange(1, 20) for _ in range(6)]
        about = (0, 1, 8, 9, 20, 50, size, *less) if self.chance.random() < 0.95 else (-1,)
        return b"%d" % (self.chance.choice(about) if self.chance.random() < 0.9 else self.stream.added)
