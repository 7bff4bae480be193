"""Random calls on few keys: whatever the slice's rows take, with values of many sizes and moods that grow and shrink.

    calls = Calls(Random(1), state)      `state` is the naive one: it knows values, members and ids worth naming
    calls.next()                         the words of one call; its first word is a RESP word
    calls.internal()                     (row name, words) of a row that only upkeep asks for
"""

from random import Random
from typing import Any

from tests.naive.store import State

POOL = Random(4).randbytes(3 << 20)
SIZES = [0, 1, 3, 8, 15, 16, 17, 31, 64, 100, 127, 128, 200, 500, 900, 1019, 1023, 1024, 1025, 1040, 2000]
LARGE = [4000, 4096, 5 << 10, 20_000, 70 << 10]
HUGE = (12 << 20) // 10
OFTEN = [b"a", b"b", b"l", b"l2", b"s", b"s2", b"", b"n", b"k" * 300, b"k" * 4095, b"k" * 5000]
QUEUES = [b"q", b"jobs", b"", b"q" * 70]
ROOMS = [b"r", b"q", b"chat", b"r" * 90]
READERS = [b"me", b"you", b"", b"reader" * 20]
NUMBERS = [b"0", b"1", b"-1", b"7", b"9223372036854775807", b"-9223372036854775808", b"x", b"01", b""]
GLOBS = [b"*", b"k*", b"?", b"key:1*", b"[a-l]*", b"nothing"]
STRINGS = {"SET": 22, "GET": 8, "INCR": 4, "INCRBY": 4, "DEL": 5, "EXPIRE": 6, "PTTL": 3, "DBSIZE": 2}
MORE_STRINGS = {
    "DECR": 1, "DECRBY": 2, "GETSET": 2, "GETDEL": 2, "GETEX": 4, "SETNX": 2, "SETEX": 2, "PSETEX": 2, "DELEX": 2,
    "APPEND": 6, "STRLEN": 2, "GETRANGE": 4, "SUBSTR": 1, "SETRANGE": 5, "INCRBYFLOAT": 4, "MGET": 3, "MSET": 3,
    "MSETNX": 1,
}  # fmt: skip
KEYS = {
    "EXISTS": 2, "TOUCH": 1, "TYPE": 2, "TTL": 2, "EXPIRETIME": 1, "PEXPIRETIME": 1, "PERSIST": 2, "PEXPIRE": 3,
    "EXPIREAT": 2, "PEXPIREAT": 2, "UNLINK": 2, "RENAME": 5, "RENAMENX": 3, "COPY": 5, "MOVE": 3, "SWAPDB": 0.2,
    "FLUSHDB": 0.1, "RANDOMKEY": 2, "KEYS": 0.2,
}  # fmt: skip
LISTS = {"RPUSH": 8, "LPUSH": 6, "LPOP": 5, "RPOP": 4, "LRANGE": 5, "LLEN": 2, "BLPOP": 2}
SETS = {"SADD": 9, "SREM": 6, "SPOP": 3, "SMEMBERS": 1, "SISMEMBER": 4, "SCARD": 2}
MESSAGES = {
    "QUEUE.CREATE": 1, "QUEUE.PUBLISH": 7, "QUEUE.CONSUME": 6, "QUEUE.ACK": 4, "QUEUE.NACK": 4, "QUEUE.STATS": 2,
    "QUEUE.PURGE": 0.2, "QUEUE.DELETE": 0.1, "QUEUE.LIST": 0.5, "QUEUE.DEAD": 0.5, "QUEUE.REVIVE": 0.5,
}  # fmt: skip
EVENTS = {
    "STREAM.CREATE": 1, "STREAM.PUBLISH": 6, "STREAM.CONSUME": 5, "STREAM.STATS": 2, "STREAM.DELETE": 0.1,
    "STREAM.LIST": 0.5, "STREAM.GETORCREATE": 0.5,
}  # fmt: skip
WEIGHTS = {**STRINGS, **MORE_STRINGS, **KEYS, **LISTS, **SETS, **MESSAGES, **EVENTS, "FLUSHALL": 0.1}
MOOD_CALLS = 700


def number(value: int) -> bytes:
    return b"%d" % value


class Calls:
    """A source of calls. `huge` is how often a value is above 1 MiB."""

    def __init__(self, chance: Random, state: State, *, huge: float = 0.0003) -> None:
        self.chance, self.state, self.huge = chance, state, huge
        self.made = 0
        self.weights: dict[str, float] = dict(WEIGHTS)
        self.mood = 1.0
        self.broad = 50

    def next(self) -> list[bytes]:
        """The words of one call."""
        if self.made % MOOD_CALLS == 0:
            self.mood = self.chance.choice((0.2, 1.0, 1.0, 3.0))
            self.broad = self.chance.choice((5, 50, 3000))
        self.made += 1
        name = self.chance.choices(list(self.weights), list(self.weights.values()))[0]
        maker = getattr(self, "_" + name.lower().replace("queue.", "").replace(".", "_"))
        word = name if self.chance.random() < 0.9 else name.lower()
        return [word.encode(), *maker()]

    def internal(self) -> tuple[str, list[bytes]]:
        """A row without a RESP word."""
        match self.chance.randrange(5):
            case 0:
                return "queue.requeue", [self.queue(), number(self.chance.choice((0, 1, 2, 100)))]
            case 1:
                return "queue.due", []
            case 2:
                return "stream.expire", [self.room(), number(self.chance.choice((0, 1, 2, 100)))]
            case 3:
                name = self.queue()
                queue = self.state.queues.get(name)
                told = self.chance.choice(queue.leased) if queue and queue.leased else b"no id"
                ends = queue.messages[told].deadline if queue and queue.leased else 7
                return "queue.release", [name, told, number(ends + self.chance.choice((0, 0, 0, 1)))]
        return "key.expire", [self.key()]

    # Parts of calls.

    def some(self, most: int) -> range:
        """A handful, sometimes as many as `most`; more while the mood is to grow."""
        limit = most if self.chance.random() < 0.1 * self.mood else 4
        return range(self.chance.randint(1, limit))

    def key(self, often: tuple[bytes, ...] = ()) -> bytes:
        draw = self.chance.random()
        if often and draw < 0.8:
            return self.chance.choice(often)
        if draw < 0.9:
            return b"key:%d" % self.chance.randrange(self.broad)
        return self.chance.choice(OFTEN)

    def value(self, sizes: list[int] = SIZES) -> bytes:
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
        """One of 3000 members, their sizes all different."""
        i = self.chance.randrange(int(3000 * self.mood / 3))
        return b"%d:" % i + POOL[i : i + (i * i) % (1100 if i % 10 == 0 else 40)]

    def queue(self) -> bytes:
        return self.chance.choice(QUEUES) if self.chance.random() < 0.97 else b"none"

    def room(self) -> bytes:
        return self.chance.choice(ROOMS) if self.chance.random() < 0.97 else b"none"

    def own(self, key: bytes) -> Any:
        record = self.state.there(key)
        return record.value if record else None

    def offset(self) -> bytes:
        return number(self.chance.choice((-1, 0, 1, 5, 100, 1000, 1024, 4000, self.chance.randrange(3000))))

    def time(self, unit: int, base: int) -> bytes:
        """A number for an EXPIRE or its like; now and then one that is refused, or has passed."""
        draw = self.chance.random()
        if draw < 0.05:
            return self.chance.choice(NUMBERS)
        return number((base + self.chance.choice((-5000, 0, 1000, 20_000, 10**7))) // unit)

    def conditions(self) -> list[bytes]:
        draw = self.chance.random()
        return [self.chance.choice((b"NX", b"xx", b"GT", b"lt"))] if draw < 0.3 else []

    def any_key(self) -> bytes:
        return self.key((b"a", b"b", b"l", b"l2", b"s", b"s2", b"n"))

    def keys(self) -> list[bytes]:
        return [self.any_key() for _ in self.some(30)]

    def pairs(self) -> list[bytes]:
        return [each for _ in self.some(10) for each in (self.key((b"a", b"b")), self.value())]

    # One method for each row.

    def _decr(self) -> list[bytes]:
        return [self.key((b"n",))]

    def _decrby(self) -> list[bytes]:
        return [self.key((b"n",)), self.chance.choice(NUMBERS)]

    def _getset(self) -> list[bytes]:
        return [self.any_key(), self.value()]

    _setnx = _append = _getset

    def _getdel(self) -> list[bytes]:
        return [self.any_key()]

    _strlen = _type = _ttl = _expiretime = _pexpiretime = _persist = _getdel

    def _getex(self) -> list[bytes]:
        way = self.chance.choice(
            ([], [b"PERSIST"], [b"EX", self.time(1000, 0)], [b"px", self.time(1, 0)],
             [b"EXAT", self.time(1000, self.now)], [b"PXAT", self.time(1, self.now)])
        )  # fmt: skip
        return [self.any_key(), *way]

    def _setex(self) -> list[bytes]:
        return [self.any_key(), self.time(1000, 0), self.value()]

    def _psetex(self) -> list[bytes]:
        return [self.any_key(), self.time(1, 0), self.value()]

    def _delex(self) -> list[bytes]:
        key = self.any_key()
        own = self.own(key)
        told = own if isinstance(own, bytes) and self.chance.random() < 0.6 else self.value()
        return [key, *self.chance.choice(([], [b"IFEQ", told], [b"ifne", told]))]

    def _getrange(self) -> list[bytes]:
        return [self.any_key(), *(number(self.chance.choice((-2000, -5, -1, 0, 3, 700, 10**6))) for _ in range(2))]

    _substr = _getrange

    def _setrange(self) -> list[bytes]:
        return [self.any_key(), self.offset(), self.small() if self.chance.random() < 0.9 else b""]

    def _incrbyfloat(self) -> list[bytes]:
        amount = self.chance.choice((b"0.1", b"-2.5", b"3", b"1e3", b"x", b"", b"1e400", b"10.25"))
        return [self.key((b"n",)), amount]

    def _mget(self) -> list[bytes]:
        return self.keys()

    _exists = _touch = _unlink = _mget

    def _mset(self) -> list[bytes]:
        return self.pairs()

    _msetnx = _mset

    def _pexpire(self) -> list[bytes]:
        return [self.any_key(), self.time(1, 0), *self.conditions()]

    def _expireat(self) -> list[bytes]:
        return [self.any_key(), self.time(1000, self.now), *self.conditions()]

    def _pexpireat(self) -> list[bytes]:
        return [self.any_key(), self.time(1, self.now), *self.conditions()]

    def _rename(self) -> list[bytes]:
        return [self.any_key(), self.any_key()]

    _renamenx = _rename

    def _copy(self) -> list[bytes]:
        words = [self.any_key(), self.any_key()]
        if self.chance.random() < 0.3:
            words += [b"DB", number(self.chance.choice((0, 1, 15, 16, -1)))]
        return words + ([b"REPLACE"] if self.chance.random() < 0.5 else [])

    def _move(self) -> list[bytes]:
        return [self.any_key(), number(self.chance.choice((0, 1, 15, 16)))]

    def _swapdb(self) -> list[bytes]:
        return [number(self.chance.choice((0, 1, 15))), number(self.chance.choice((0, 1, 15, 16)))]

    def _flushdb(self) -> list[bytes]:
        return []

    _randomkey = _flushdb

    def _keys(self) -> list[bytes]:
        return [self.chance.choice(GLOBS)]

    def _set(self) -> list[bytes]:
        key, chance = self.key((b"a", b"b", b"n")), self.chance
        words = [key, chance.choice(NUMBERS) if key == b"n" else self.value()]
        draw = chance.random()
        if draw < 0.5:
            return words
        options: list[list[bytes]] = []
        if chance.random() < 0.4:
            options.append([chance.choice((b"NX", b"xx"))])
        elif chance.random() < 0.3:
            now = self.own(key)
            told = now if isinstance(now, bytes) and chance.random() < 0.6 else self.value()
            options.append([chance.choice((b"IFEQ", b"IFNE")), told])
        if chance.random() < 0.4:
            options.append([b"GET"])
        if chance.random() < 0.6:
            options.append(self.expiry())
        if draw > 0.97:
            options.append([chance.choice((b"NX", b"GET", b"EX", b"PX", b"what"))])
        chance.shuffle(options)
        return words + [word for option in options for word in option]

    def expiry(self) -> list[bytes]:
        name = self.chance.choice((b"EX", b"px", b"EXAT", b"PXAT", b"KEEPTTL"))
        amounts = {b"EX": (1, 2, 60), b"px": (1, 700, 5000), b"EXAT": (1, 1030, 2000), b"PXAT": (5, 1_020_000)}
        if name == b"KEEPTTL":
            return [name]
        if self.chance.random() < 0.05:
            return [name, self.chance.choice((b"0", b"-1", b"x", b"9223372036854775807"))]
        amount = self.chance.choice(amounts[name])
        if name in (b"EXAT", b"PXAT"):
            amount += self.now // (1000 if name == b"EXAT" else 1) - (1000 if name == b"EXAT" else 1_000_000)
        return [name, number(max(amount, 1))]

    now = 1_000_000

    def _get(self) -> list[bytes]:
        return [self.key((b"a", b"b", b"n"))]

    def _incr(self) -> list[bytes]:
        return [self.key((b"n",))]

    def _incrby(self) -> list[bytes]:
        return [self.key((b"n",)), self.chance.choice(NUMBERS)]

    def _del(self) -> list[bytes]:
        return [self.key() for _ in self.some(int(120 / self.mood))]

    def _expire(self) -> list[bytes]:
        words = [self.key(), self.chance.choice((b"1", b"3", b"60", b"0", b"-5", b"x", b"9223372036854775807"))]
        if self.chance.random() < 0.5:
            conditions = (b"NX", b"xx", b"GT", b"LT", b"gt", b"LT", b"what")
            words += self.chance.choices(conditions, k=self.chance.choice((1, 1, 2)))
        return words

    def _pttl(self) -> list[bytes]:
        return [self.key()]

    def _dbsize(self) -> list[bytes]:
        return []

    def _flushall(self) -> list[bytes]:
        return self.chance.choice(([], [b"ASYNC"], [b"sync"]))

    def _rpush(self) -> list[bytes]:
        return [self.key((b"l", b"l2")), *(self.small() for _ in self.some(60))]

    _lpush = _rpush

    def _lpop(self) -> list[bytes]:
        words = [self.key((b"l", b"l2"))]
        if self.chance.random() < 0.4:
            words.append(self.chance.choice((b"0", b"1", b"3", b"40", b"5000", b"-1", b"x")))
        return words

    _rpop = _lpop

    def _lrange(self) -> list[bytes]:
        size = len(self.own(b"l") or b"") + 3
        ends = [number(self.chance.randint(-size, size)) for _ in range(2)]
        return [self.key((b"l", b"l2")), *ends] if self.chance.random() < 0.95 else [self.key((b"l",)), b"0", b"-1"]

    def _llen(self) -> list[bytes]:
        return [self.key((b"l", b"l2"))]

    def _blpop(self) -> list[bytes]:
        return [*(self.key((b"l", b"l2")) for _ in self.some(3)), self.chance.choice((b"0", b"1.5", b"-1", b"x"))]

    def _sadd(self) -> list[bytes]:
        return [self.key((b"s", b"s2")), *(self.member() for _ in self.some(150))]

    def _srem(self) -> list[bytes]:
        return [self.key((b"s", b"s2")), *(self.member() for _ in self.some(int(300 / self.mood)))]

    def _spop(self) -> list[bytes]:
        words = [self.key((b"s", b"s2"))]
        if self.chance.random() < 0.5:
            words.append(self.chance.choice((b"0", b"1", b"2", b"30", b"9000", b"-1")))
        return words

    def _smembers(self) -> list[bytes]:
        return [self.key((b"s", b"s2"))]

    _scard = _smembers

    def _sismember(self) -> list[bytes]:
        return [self.key((b"s", b"s2")), self.member()]

    def _create(self) -> list[bytes]:
        deadline, priority = self.chance.choice((b"0", b"500", b"4000")), self.chance.choice((b"5", b"0", b"9", b"11"))
        words = [self.queue(), self.chance.choice((b"30", b"30", b"0")), deadline, b"2", priority]
        return words + ([b"prefetch", self.chance.choice((b"1", b"3", b"-1"))] if self.chance.random() < 0.3 else [])

    def _publish(self) -> list[bytes]:
        words = [self.queue(), self.value()]
        if self.chance.random() < 0.3:
            words += [b"PRIORITY", self.chance.choice((b"0", b"3", b"9", b"12", b"-1"))]
        if self.chance.random() < 0.3:
            words += [b"RETRIES", self.chance.choice((b"0", b"1", b"99999999"))]
        if self.chance.random() < 0.3:
            words += [b"headers", self.small()]
        if self.chance.random() < 0.2:
            words += [b"DELAY", self.chance.choice((b"0", b"0.3", b"2", b"100", b"-1", b"x"))]
        return words

    def _consume(self) -> list[bytes]:
        words = [self.queue(), self.chance.choice((b"worker", b"other", b""))][: self.chance.randint(1, 2)]
        return [*words, b"WAIT", b"1"] if len(words) == 2 and self.chance.random() < 0.1 else words

    def _purge(self) -> list[bytes]:
        return [self.queue(), *([b"DEAD"] if self.chance.random() < 0.5 else [])]

    def _delete(self) -> list[bytes]:
        return [self.queue()]

    def _list(self) -> list[bytes]:
        return []

    def _dead(self) -> list[bytes]:
        return [self.queue(), *self.chance.choice(([], [b"1"], [b"0"], [b"-1"], [b"500"]))]

    def _revive(self) -> list[bytes]:
        name = self.queue()
        queue = self.state.queues.get(name)
        if self.chance.random() < 0.3:
            return [name]
        return [name, self.chance.choice(queue.dead) if queue and queue.dead else b"no id"]

    # Rooms.

    def _stream_create(self) -> list[bytes]:
        words = [self.room()]
        for name, values in ((b"MAXEVENTS", (b"0", b"1", b"50")), (b"maxbytes", (b"0", b"3000", b"-1")),
                             (b"RETENTION", (b"0", b"1", b"60", b"2000000000000000"))):  # fmt: skip
            if self.chance.random() < 0.5:
                words += [name, self.chance.choice(values)]
        return words

    _stream_getorcreate = _stream_create

    def _stream_publish(self) -> list[bytes]:
        return [self.room(), self.chance.choice((b"e", b"", b"event" * 30)), *(self.small() for _ in self.some(60))]

    def _stream_consume(self) -> list[bytes]:
        words = [self.room(), self.chance.choice(READERS)]
        room = self.state.rooms.get(words[0])
        if room and self.chance.random() < 0.7:
            offsets = (room.first, room.first - 1, room.after, room.after + 3, self.chance.randint(0, room.after))
            words += [b"FROM", number(self.chance.choice(offsets))]
        if self.chance.random() < 0.4:
            words += [b"limit", self.chance.choice((b"0", b"1", b"7", b"100000", b"-1"))]
        return words + ([b"WAIT", b"1.5"] if self.chance.random() < 0.1 else [])

    def _stream_stats(self) -> list[bytes]:
        return [self.room()]

    _stream_delete = _stream_stats

    def _stream_list(self) -> list[bytes]:
        return []

    def _ack(self) -> list[bytes]:
        name = self.queue()
        queue = self.state.queues.get(name)
        draw = self.chance.random()
        if queue and queue.leased and draw < 0.8:
            told = self.chance.choice(queue.leased)
            return [name, told.upper() if draw < 0.1 else told]
        if queue and queue.messages and draw < 0.9:
            return [name, self.chance.choice(list(queue.messages))]
        return [name, b"00000000-0000-4000-8000-000000000000" if draw < 0.95 else b"no id"]

    def _nack(self) -> list[bytes]:
        return [*self._ack(), *([b"DROP"] if self.chance.random() < 0.2 else [])]

    def _stats(self) -> list[bytes]:
        return [self.queue()]
