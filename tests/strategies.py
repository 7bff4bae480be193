"""Random words for the arguments of any row: a draw for each kind of argument, and for names that all rows share.

    draw = Strategies(Random(1), state)      `state` is the naive one: it knows values, members and ids worth naming
    draw.words(row)                          the words behind the command's name, now and then wrong ones

A new row needs nothing here: its Keys come from the pool of their family, its Texts that name a queue or room from
theirs, its other arguments from the pool of their name (`ttl`, `count`, `member`, ...) or else of their kind. Pools
hold few names, so that calls meet, and values of many sizes. Moods grow and shrink what is stored. (`tests/words.py`
draws words for the grammar alone, which nobody carries out.)
"""

from collections.abc import Callable
from random import Random
from typing import Any

from synap.arguments import (
    AnyOrder,
    Choice,
    Counted,
    Flag,
    Glob,
    Halves,
    Int,
    Key,
    Many,
    OneOf,
    Optional,
    Raw,
    Real,
    Text,
    Timeout,
    Token,
)
from synap.command import Command
from synap.store.memory import kinds
from tests.naive.store import State
from tests.stream_words import StreamWords

POOL = Random(4).randbytes(3 << 20)
SIZES = [0, 1, 3, 8, 15, 16, 17, 31, 64, 100, 127, 128, 200, 500, 900, 1019, 1023, 1024, 1025, 1040, 2000]
LARGE = [4000, 4096, 5 << 10, 20_000, 70 << 10]
HUGE = (12 << 20) // 10
OFTEN = [b"a", b"b", b"l", b"l2", b"s", b"s2", b"h", b"h2", b"z", b"z2", b"", b"n", b"k" * 300, b"k" * 4095,
         b"k" * 5000]  # fmt: skip
FAMILY_KEYS = {"kv": (b"a", b"b", b"n"), "list": (b"l", b"l2"), "set": (b"s", b"s2"), "hash": (b"h", b"h2"),
               "zset": (b"z", b"z2"), "bitmap": (b"a", b"b", b"n", b"m"),
               "hyperloglog": (b"p", b"p2"), "geospatial": (b"g", b"g2", b"g"),
               "xstream": (b"x", b"x2", b"x")}  # fmt: skip
"""The keys that most calls of a family name. `n` mostly holds a number. A family that is missing here uses its name."""
SPACES = {kinds.QUEUE: (b"q", b"jobs", b"", b"q" * 70), kinds.ROOM: (b"r", b"q", b"chat", b"r" * 90),
          kinds.TOPIC: (b"t", b"q", b"", b"t" * 50), kinds.GROUP: (b"cg", b"q", b"", b"cg" * 40)}  # fmt: skip
NUMBERS = [b"0", b"1", b"-1", b"7", b"9223372036854775807", b"-9223372036854775808", b"x", b"01", b""]
REALS = [b"0.1", b"-2.5", b"3", b"1e3", b"x", b"", b"1e400", b"10.25"]
GLOBS = [b"*", b"k*", b"?", b"key:1*", b"[a-l]*", b"nothing"]
PATTERNS = [b"#", b"nosort", b"*", b"key:*", b"key:*", b"h*->n", b"h*->f1", b"key:*->n", b"z*", b"", b"#\0", b"a\0*"]
WAITS = [b"0", b"1.5", b"-1", b"x"]
TEXTS = [b"a", b"", b"get", b"SET", b"server", b"maxmemory", b"0", b"command", b"x" * 90, b"\xff\x00"]
_LONGITUDES = [b"13.361389", b"15.087269", b"13.5", b"14", b"14.25", b"-179.9", b"180", b"0", b"13", b"12.75"]
_LATITUDES = [b"38.115556", b"37.502669", b"38", b"37.5", b"-81", b"85.05112878", b"0", b"37", b"38.5", b"37.25"]
_LONGITUDES, _LATITUDES = [*3 * _LONGITUDES, b"x"], [*3 * _LATITUDES, b"-86"]
_SIZES_OF_SHAPES = [b"0", b"1", b"10.5", b"100", b"300", b"2500", b"20000", b"60", b"150", b"-1", b"x"]
POOLS: dict[str, list[bytes]] = {
    "count": [b"0", b"1", b"2", b"3", b"40", b"5000", b"-1", b"x"],
    "limit": [b"0", b"1", b"7", b"100000", b"-1"],
    "most": [b"0", b"1", b"2", b"100"],
    "db": [b"0", b"1", b"15", b"16", b"-1"],
    "one": [b"0", b"1", b"15"], "two": [b"0", b"1", b"15", b"16"],
    "max_depth": [b"30", b"30", b"0"], "ack_deadline_ms": [b"0", b"500", b"4000"],
    "default_max_retries": [b"2", b"2", b"0"], "default_priority": [b"5", b"0", b"9", b"11"],
    "backoff_ms": [b"0", b"300", b"1000", b"-1"], "backoff_max_ms": [b"0", b"2000"], "jitter": [b"0", b"50", b"101"],
    "lag_ms": [b"0", b"500", b"60000"], "tombstone_ms": [b"0", b"700", b"60000"],
    "ttl_ms": [b"0", b"700", b"5000", b"-1"], "ageing_ms": [b"0", b"100", b"1000", b"-1"],
    "dedup_ms": [b"1", b"400", b"60000", b"0"], "dedup_keys": [b"1", b"3", b"100", b"0"],
    "dedup": [b"", *(b"key%d" % i for i in range(9))], "rate": [b"1", b"7", b"1000000", b"0", b"2000000"],
    "reason": [b"", b"broken", b"long" * 256, b"long" * 257], "group": [b"", b"g", b"h", b"h", b"group" * 30],
    "prefetch_limit": [b"1", b"3", b"-1"], "priority": [b"0", b"3", b"9", b"12", b"-1"],
    "max_retries": [b"0", b"1", b"99999999"], "delay": [b"0", b"0.3", b"2", b"100", b"-1", b"x"],
    "max_events": [b"0", b"1", b"50"], "max_bytes": [b"0", b"3000", b"-1"],
    "retention_secs": [b"0", b"1", b"60", b"2000000000000000"],
    "consumer_id": [b"worker", b"other", b""], "subscriber_id": [b"me", b"you", b"", b"reader" * 20],
    "partition_count": [b"3", b"5", b"0", b"5000"], "session_ms": [b"500", b"4000", b"60000", b"0"],
    "instance": [b"m1", b"m2", b"m3", b"", b"m" * 60],
    "num_partitions": [b"1", b"3", b"4", b"0", b"5000"], "partition_id": [b"0", b"0", b"1", b"2", b"3", b"-1"],
    "max_messages": [b"0", b"1", b"20"], "timestamp_ms": [b"0", b"1001000", b"1010000", b"-1"],
    "replication_factor": [b"1", b"-1"], "segment_bytes": [b"0", b"100000"], "event_type": [b"e", b"", b"type" * 30],
    "event": [b"e", b"", b"event" * 30], "prefix": [b"", b"k", b"key:1", b"none"],
    "rank": [b"1", b"-1", b"2", b"-3", b"0", b"x"], "maxlen": [b"0", b"1", b"50", b"-1"],
    "word": [b"GET", b"SET", b"MSET", b"a", b"b"], "host": [b"NO", b"h"], "port": [b"ONE", b"1"],
    "attribute": [b"lib-name", b"x"], "topic": [b"news", b"news.a", b"\xff"], "topics": [b"news"],
    "score": [b"0", b"0", b"-0", b"1", b"2", b"2.5", b"-3", b"1e3", b"inf", b"-inf", b"1e-7", b"7e22", b"x", b"1e400"],
    "seconds": [b"0", b"0.001", b"x", b"-1"], "timeout": [b"0", b"1", b"1.5", b"-1", b"x"],
    "increment": [*NUMBERS, *REALS],
    **dict.fromkeys(("longitude", "lon"), _LONGITUDES), **dict.fromkeys(("latitude", "lat"), _LATITUDES),
    **dict.fromkeys(("radius", "width", "height"), _SIZES_OF_SHAPES),
    "unit": [b"m", b"km", b"km", b"KM", b"mi", b"ft", b"x"],
}  # fmt: skip
"""Name of an argument -> its words, in any row."""


def number(value: int) -> bytes:
    return b"%d" % value


class Strategies:
    """A source of words. `huge` is how often a value is above 1 MiB."""

    now = 1_000_000

    def __init__(self, chance: Random, state: State, *, huge: float = 0.0003) -> None:
        self.chance, self.state, self.huge = chance, state, huge
        self.mood = 1.0
        self.broad = 50
        self._row = Command("none.none", 0, "")
        self._drawn: dict[str, bytes] = {}  # the words of this call so far, by argument
        self._by_name: dict[str, Callable[[], bytes]] = {
            "member": self.member, "field": self.field, "ifeq": self.own, "ifne": self.own, "message_id": self.message,
            "ttl": lambda: self.time(1000, 0), "px": lambda: self.time(1, 0), "deadline": self.lease_end,
            "exat": lambda: self.time(1000, self.now), "pxat": lambda: self.time(1, self.now),
            "member_id": self.group_member, "generation": self.generation,
            "from_offset": self.event_offset, "offset": self.offset, "start": self.position, "stop": self.position,
            "end": self.position, "index": self.position, "pivot": self.element, "min": self.bound, "max": self.bound,
            "score": self.score,
        }  # fmt: skip
        self.streams = StreamWords(self)
        self._groups: dict[str, Callable[[], list[bytes]]] = {
            "operations": self.field_operations, "options": self.geo_options,
        }  # fmt: skip

    def change_mood(self) -> None:
        """Grow or shrink, and on few keys or many."""
        self.mood = self.chance.choice((0.2, 1.0, 1.0, 3.0))
        self.broad = self.chance.choice((5, 50, 3000))

    def words(self, row: Command) -> list[bytes]:
        """Words for the row's arguments: of these as many as the row takes, but not always such as it takes."""
        self._row, self._drawn = row, {}
        found = self._all(row.args)
        if row.words_max is None and self.chance.random() < 0.02:
            found.append(self.chance.choice((b"NX", b"GET", b"what", b"0")))
        return found

    # Arguments.

    def _all(self, nodes: tuple[Any, ...]) -> list[bytes]:
        return [word for node in nodes for word in self._argument(node)]

    def _argument(self, node: Any) -> list[bytes]:
        chance = self.chance
        match node:
            case Flag():
                return [self.cased(node.word)]
            case Token():
                return [self.cased(node.word), *self._all(node.inner)]
            case Optional():
                return self._all(node.inner) if chance.random() < 0.4 else []
            case OneOf():
                draw = chance.random()
                times = 0 if not node.inner else 2 if draw < 0.03 else 1 if draw < 0.55 or node.required else 0
                return [word for _ in range(times) for word in self._argument(chance.choice(node.inner))]
            case AnyOrder():
                chosen = [inner for inner in node.inner if chance.random() < 0.35] if chance.random() < 0.6 else []
                required = [inner for inner in node.inner if getattr(inner, "required", False)]
                if self._row.family == "xstream":
                    chosen, required = self.streams.options(self._row, node, chosen)
                chosen = [*required, *(inner for inner in chosen if inner not in required)]
                chance.shuffle(chosen)
                return [word for inner in chosen for word in self._argument(inner)]
            case Many() if node.name in self._groups:
                return self._groups[node.name]()
            case Many() if self._row.name == "xstream.add":
                return self.streams.fields()
            case Many():
                like = [None] * int(self._drawn.get(node.like, b"1")) if node.like else self.some()
                self._drawn[node.name] = number(len(like))
                return [word for _ in like for word in self._all(node.inner)]
            case Counted():
                groups = self.some(10)
                self._drawn[node.name] = number(len(groups))
                told = number(len(groups) + chance.choice((0, 0, 0, 0, 0, 1, -1)))
                return [told, *(word for _ in groups for word in self._all(node.inner))]
            case Halves():
                groups = range(chance.choice((1, 1, 1, 1, 1, 2, 2, 3)))
                return [word for inner in node.inner for _ in groups for word in self._argument(inner)]
        word = self._simple(node)
        self._drawn[node.name] = word
        return [word]

    def _simple(self, node: Any) -> bytes:
        if isinstance(node, Key):
            return self.key(node.family)
        if isinstance(node, Text) and node.kind:
            return self.chance.choice(SPACES[node.kind]) if self.chance.random() < 0.97 else b"none"
        if self._row.family == "xstream" and (word := self.streams.word(self._row, node.name, self._drawn)):
            return word
        if isinstance(node, Choice):
            return self.cased(self.chance.choice(node.words)) if self.chance.random() < 0.97 else b"what"
        if isinstance(node, Raw) and b"n" in (self._drawn.get("key"), self._drawn.get("field")):
            return self.chance.choice(NUMBERS) if node.name == "value" else self.chance.choice(REALS)
        if isinstance(node, Raw) and self._row.family == "list" and not self._row.grows:  # LREM, LPOS
            return self.element()
        if isinstance(node, Text) and node.name in ("by", "pattern"):
            return self.chance.choice(PATTERNS)
        if isinstance(node, Text) and node.name in ("start", "stop"):
            return self.bound()
        if self._row.family == "queue" and node.name == "ttl":
            return self.chance.choice((b"0", b"0.4", b"1.5", b"30", b"-1", b"x"))
        if node.name in self._by_name:
            return self._by_name[node.name]()
        if node.name in POOLS:
            return self.chance.choice(POOLS[node.name])
        if isinstance(node, Int) and node.most == 1:
            return self.chance.choice((b"0", b"1", b"1", b"0", b"2", b"-1"))
        match node:
            case Raw():
                return self.value() if len(self._row.args) < 3 and self.chance.random() < 0.5 else self.small()
            case Glob():
                return self.chance.choice(GLOBS)
            case Int():
                return self.chance.choice(NUMBERS)
            case Real():
                return self.chance.choice(REALS)
            case Timeout():
                return self.chance.choice(WAITS)
        return self.chance.choice(TEXTS)

    # Words of a kind.

    def cased(self, word: str) -> bytes:
        return (word if self.chance.random() < 0.7 else word.lower()).encode()

    def some(self, most: int = 0) -> range:
        """A handful, sometimes as many as `most`: more while the mood is to grow, and fewer of what removes."""
        row, mood = self._row, self.mood
        most = most or (60 if row.grows else int(100 / mood) if row.writes else 30)
        limit = most if self.chance.random() < 0.1 * mood else 4
        return range(self.chance.randint(1, limit))

    def key(self, family: str = "kv") -> bytes:
        """Mostly a key of the family; rows for keys of any kind name those of all families."""
        draw = self.chance.random()
        if draw < (0.96 if self._row.family == "xstream" else 0.75):
            families = [family]
            if self._row.family == "key":
                families = list(FAMILY_KEYS) if family == "kv" else ["list", "set", "zset"]
            return self.chance.choice(FAMILY_KEYS.get(self.chance.choice(families), (family.encode(),)))
        if draw < 0.9:
            return b"key:%d" % self.chance.randrange(self.broad)
        return self.chance.choice(OFTEN)

    def value(self, sizes: list[int] = SIZES) -> bytes:
        """A value of one of these sizes, or of a large one."""
        draw = self.chance.random()
        if draw < self.huge:
            size = HUGE + self.chance.randrange(9)
        elif draw < 0.01:
            size = self.chance.choice(LARGE)
        else:
            size = self.chance.choice(sizes)
        at = self.chance.randrange(len(POOL) - size)
        if size > 60 and self.chance.random() < 0.5:  # a text that repeats itself
            return (POOL[at : at + 20] * (size // 20 + 1))[:size]
        return POOL[at : at + size]

    def small(self) -> bytes:
        return self.value(SIZES[:10]) if self.chance.random() < 0.9 else self.value()

    def member(self) -> bytes:
        """One of 3000 members, their sizes all different; every other time one of 30, so that calls meet. Under some
        keys it is an integer, small or large."""
        key = self._drawn.get("key") or self._drawn.get("source") or b""
        if key.endswith((b"2", b"4", b"8")) and self.chance.random() < 0.97:
            return number(self.chance.randint(-12, 12) * self.chance.choice((1, 1, 1, 5000, 10**6, 7 * 10**17)))
        i = self.chance.randrange(int(3000 * self.mood / 3) if self.chance.random() < 0.5 else 30)
        return b"%d:" % i + POOL[i : i + (i * i) % (1100 if i % 10 == 0 else 40)]

    def field(self) -> bytes:
        """A field of a hash: `n`, which mostly holds a number, one of 30, or one of many."""
        draw = self.chance.random()
        return b"n" if draw < 0.15 else b"f%d" % self.chance.randrange(30 if draw < 0.6 else self.broad)

    def own(self) -> bytes:
        """What the key of this call holds, mostly."""
        record = self.state.there(self._drawn.get("key", b""))
        held = record.value if record else None
        return held if isinstance(held, bytes) and self.chance.random() < 0.6 else self.small()

    def element(self) -> bytes:
        """An element of the list of this call, mostly."""
        record = self.state.there(self._drawn.get("key", b""))
        held = record.value if record else None
        return self.chance.choice(held) if isinstance(held, list) and self.chance.random() < 0.9 else self.small()

    def offset(self) -> bytes:
        return number(self.chance.choice((-1, 0, 1, 5, 100, 1000, 1024, 4000, self.chance.randrange(3000))))

    def field_operations(self) -> list[bytes]:
        """Words of BITFIELD; now and then one is wrong."""
        words: list[bytes] = []
        for _ in range(self.chance.choice((0, 1, 1, 2, 5))):
            kind = self.chance.choice((b"u1", b"u8", b"i8", b"i16", b"u63", b"i64", b"i1", b"i5", b"u12"))
            at = self.chance.choice((b"#", b"")) + number(self.chance.choice((0, 1, 3, 7, 9, 100, 8000)))
            amount = number(self.chance.choice((0, 1, -1, 127, -200, 2**62, 2**63 - 1, -(2**63))))
            operation = [self.cased(self.chance.choice(("GET", "SET", "INCRBY"))), kind, at, amount]
            if self.chance.random() < 0.4:
                words += [self.cased("OVERFLOW"), self.cased(self.chance.choice(("WRAP", "SAT", "FAIL")))]
            words += operation[:3] if operation[0].upper() == b"GET" else operation
        if words and self.chance.random() < 0.08:
            wrong = self.chance.choice((b"x", b"u64", b"i65", b"u0", b"-1", b"", b"#"))
            words[self.chance.randrange(len(words))] = wrong
        return words

    def geo_options(self) -> list[bytes]:
        """Words of a search for places; now and then one is wrong."""
        pool = {name: self.chance.choice(POOLS[name]) for name in ("longitude", "latitude", "radius", "width", "unit")}
        parts: list[list[bytes]] = []
        if "search" in self._row.name:
            member, place = [b"FROMMEMBER", self.member()], [b"FROMLONLAT", pool["longitude"], pool["latitude"]]
            circle, box = [b"BYRADIUS", pool["radius"]], [b"bybox", pool["width"], pool["radius"]]
            parts = [self.chance.choice((member, place, place)), [*self.chance.choice((circle, box)), pool["unit"]]]
        known = [[b"ASC"], [b"desc"], [b"COUNT", b"3"], [b"COUNT", b"20", b"ANY"], [b"count", b"40"]]
        if "store" in self._row.name:
            known.append([b"STOREDIST"])
        elif not self._row.writes or self.chance.random() < 0.5:
            known += [[b"WITHDIST"], [b"withcoord"], [b"WITHHASH"]]
        else:
            known += 2 * [[self.chance.choice((b"STORE", b"storedist")), self.key("geospatial")]]
        parts += self.chance.sample(known, self.chance.choice((0, 1, 1, 2, 3)))
        self.chance.shuffle(parts)
        words = [word for part in parts for word in part]
        if words and self.chance.random() < 0.08:
            words[self.chance.randrange(len(words))] = self.chance.choice((b"what", b"-1", b"ANY", b"x", b"m"))
        return words

    def position(self) -> bytes:
        """A position in a value or list, from either end."""
        record = self.state.there(self._drawn.get("key", b""))
        size = len(record.value) + 3 if record else 3
        return number(self.chance.choice((0, -1, 10**6, -2000, *(self.chance.randint(-size, size) for _ in range(4)))))

    def score(self) -> bytes:
        """A score: one of 60 that meet, or of the pool."""
        return number(self.chance.randrange(60)) if self.chance.random() < 0.7 else self.chance.choice(POOLS["score"])

    def bound(self) -> bytes:
        """An end of a range by position, score or text."""
        draw = self.chance.random()
        if draw < 0.5:
            return self.chance.choice((b"", b"", b"(")) + self.score()
        if draw < 0.7:
            return self.position()
        if draw < 0.95:
            return self.chance.choice((b"-", b"+", b"[" + self.member(), b"(" + self.member()))
        return self.chance.choice((b"x", b"", b"(", b"-inf", b"+inf"))

    def time(self, unit: int, base: int) -> bytes:
        """A time or duration; now and then one that is refused, or has passed."""
        if self.chance.random() < 0.05:
            return self.chance.choice(NUMBERS)
        return number((base + self.chance.choice((-5000, 0, 700, 1000, 2000, 20_000, 60_000, 10**7))) // unit)

    def message(self) -> bytes:
        """An id of the queue of this call: mostly of a leased message or a dead letter."""
        queue = self.state.queues.get(self._drawn.get("queue", b""))
        draw = self.chance.random()
        if queue and (queue.leased or queue.dead) and draw < 0.8:
            told = self.chance.choice([*queue.leased, *queue.dead])
            if draw < 0.3:  # a receipt, mostly the right one
                return b"%b:%d" % (told, queue.messages[told].deliveries + self.chance.choice((0, 0, 0, -1, 1)))
            return bytes(told.upper() if draw < 0.4 else told)
        if queue and queue.messages and draw < 0.9:
            return bytes(self.chance.choice(list(queue.messages)))
        unknown = b"00000000-0000-4000-8000-000000000000"
        return self.chance.choice((unknown, unknown + b":1", unknown + b":x", b"no id", b"no id:1"))

    def lease_end(self) -> bytes:
        """The deadline of the message of this call, or one that is close."""
        queue = self.state.queues.get(self._drawn.get("queue", b""))
        told = self._drawn.get("message_id", b"")
        ends = queue.messages[told].deadline if queue and told in queue.messages else 7
        return number(ends + self.chance.choice((0, 0, 0, 1)))

    def group_member(self) -> bytes:
        """A member of the consumer group of this call, or another name."""
        group = self.state.groups.get(self._drawn.get("group", b""))
        if group and group.members and self.chance.random() < 0.9:
            return bytes(self.chance.choice(list(group.members)))
        return self.chance.choice((b"m1", b"m2", b"none", b""))

    def generation(self) -> bytes:
        """The generation of the consumer group of this call, or one that is close."""
        group = self.state.groups.get(self._drawn.get("group", b""))
        return number((group.generation if group else 0) + self.chance.choice((0, 0, 0, 1, -1)))

    def record_offset(self) -> bytes:
        """An offset in or near the partition of this call."""
        topic = self.state.topics.get(self._drawn.get("topic", b""))
        number_of = int(self._drawn.get("partition_id", b"-1"))
        if topic is None or not 0 <= number_of < len(topic.partitions):
            return self.chance.choice(NUMBERS)
        first, after = topic.partitions[number_of].first, topic.partitions[number_of].after
        return number(self.chance.choice((first, first - 1, after, after + 3, self.chance.randint(0, after))))

    def event_offset(self) -> bytes:
        """An offset in or near the room of this call."""
        room = self.state.rooms.get(self._drawn.get("room", b""))
        if room is None:
            return self.record_offset()
        return number(self.chance.choice(
            (room.first, room.first - 1, room.after, room.after + 3, self.chance.randint(0, room.after))
        ))  # fmt: skip
