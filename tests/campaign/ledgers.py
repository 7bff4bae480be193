"""What clients were told, kept outside the server: the truth that a restart is compared with.

A `Ledger` is one connection under load, or several that share keys. `work` runs until the connection dies;
`check` compares with the server after its restart. Whatever was acknowledged has to be there, whatever was
in flight may be, as a prefix of what was sent and each command (or EXEC) whole.
"""

import random
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from synap.compat.rdb.payloads import pack
from synap.compat.rdb.values import Value
from tests.campaign import histories
from tests.server.clients import Resp
from tests.support import command


@dataclass
class Found:
    """What all the checks have found."""

    crashes: int = 0
    restarts_killed: int = 0
    snapshots_killed: int = 0
    acked: int = 0
    in_flight: int = 0
    lost: int = 0
    resurrected: int = 0
    torn: int = 0
    wrong_replies: int = 0
    texts: list[str] = field(default_factory=list)

    def say(self, what: str, text: str) -> None:
        setattr(self, what, getattr(self, what) + 1)
        if len(self.texts) < 20:
            self.texts.append(f"{what}: {text[:600]}")

    @property
    def bad(self) -> int:
        return self.lost + self.resurrected + self.torn + self.wrong_replies


class Ledger:
    """Threads of load, each with one connection."""

    threads = 1

    def __init__(self, name: str, found: Found, seed: int) -> None:
        self.name = name
        self.found = found
        self.chance = random.Random(f"{name} {seed}")
        self.acked = 0
        self.lock = threading.Lock()

    def prepare(self, client: Resp) -> None:
        """Before the first load."""

    def load(self, port: int, number: int) -> None:
        """Run until the server is gone."""
        try:
            with Resp(port) as client:
                self.work(client, number)
        except OSError:
            return

    def work(self, client: Resp, number: int) -> None:
        raise NotImplementedError

    def check(self, client: Resp) -> None:
        raise NotImplementedError

    def end(self, client: Resp) -> None:
        """After the last crash."""


class History(Ledger):
    """Keys of its own, any commands, pipelined: after a crash the state is that after some prefix."""

    KEYS = 12

    def __init__(self, name: str, found: Found, seed: int) -> None:
        super().__init__(name, found, seed)
        self.state = histories.State()
        self.sent: deque[list[list[bytes]]] = deque()

    def _key(self, kind: str) -> bytes:
        return f"{self.name}:{kind}:{self.chance.randrange(self.KEYS)}".encode()

    def _value(self) -> bytes:
        size = self.chance.choice((8, 8, 30, 30, 300, 3000, 3000, 40_000))
        stamp = b"%016x" % self.chance.getrandbits(64)
        return (stamp * (size // 16 + 1))[:size]

    def _one(self) -> list[bytes]:
        chance = self.chance
        if chance.random() < 0.5:
            return self._structure()
        match chance.randrange(24):
            case 0 | 1 | 2:
                return [b"SET", self._key("s"), self._value()]
            case 3:
                return [b"DEL", self._key(chance.choice(histories.KINDS))]
            case 4 | 5:
                return [b"INCR", self._key("c")]
            case 6 | 7:
                values = [self._value() for _ in range(chance.randrange(1, 4))]
                return [chance.choice((b"RPUSH", b"LPUSH")), self._key("l"), *values]
            case 8 | 9:
                return [chance.choice((b"LPOP", b"RPOP")), self._key("l")]
            case 10 | 11:
                members = [b"%d" % chance.randrange(40) for _ in range(chance.randrange(1, 5))]
                return [b"SADD", self._key("t"), *members]
            case 12:
                return [b"SREM", self._key("t"), *(b"%d" % chance.randrange(40) for _ in range(6))]
            case 13:
                return [b"EXPIRE", self._key(chance.choice(histories.KINDS)), b"1000"]
            case 14:
                return [b"APPEND", self._key("s"), self._value()[:3000]]
            case 15:
                return [b"SETRANGE", self._key("s"), b"%d" % chance.randrange(5000), self._value()[:300]]
            case 16:
                return [chance.choice((b"GETSET", b"SETNX")), self._key("s"), self._value()]
            case 17:
                return [chance.choice((b"GETDEL", b"PERSIST")), self._key("s")]
            case 18:
                return [b"MSET", *(each for _ in range(3) for each in (self._key("s"), self._value()))]
            case 19:
                return [b"DECRBY", self._key("c"), b"%d" % chance.randrange(1000)]
            case 20 | 21:
                kind = chance.choice(histories.KINDS)
                return [b"COPY", self._key(kind), self._key(kind), b"REPLACE"]
            case _:
                kind = chance.choice(histories.KINDS)
                return [chance.choice((b"RENAME", b"RENAMENX")), self._key(kind), self._key(kind)]

    def _structure(self) -> list[bytes]:
        """A command on a hash, a sorted set, a bitmap, or on several keys of a kind; RESTORE of any kind."""
        chance = self.chance
        fields = [b"f%d" % chance.randrange(200) for _ in range(chance.randrange(1, 6))]
        match chance.randrange(25):
            case 0 | 1 | 2:
                return [b"HSET", self._key("h"), *(each for f in fields for each in (f, self._value()[:300]))]
            case 3:
                return [b"HDEL", self._key("h"), *dict.fromkeys(fields)]
            case 4:
                return [b"HINCRBY", self._key("h"), b"number", b"%d" % chance.randrange(-99, 99)]
            case 5:
                fields = list(dict.fromkeys(fields))
                return [b"HEXPIRE", self._key("h"), b"1000", b"FIELDS", b"%d" % len(fields), *fields]
            case 6:
                fields = list(dict.fromkeys(fields))
                name = chance.choice((b"HPERSIST", b"HGETDEL"))
                return [name, self._key("h"), b"FIELDS", b"%d" % len(fields), *fields]
            case 7 | 8 | 9:
                scores = [b"%d" % chance.randrange(-50, 50) for _ in fields]
                pairs = dict(zip(fields, scores, strict=True))
                return [b"ZADD", self._key("z"), *(each for f, score in pairs.items() for each in (score, f))]
            case 10:
                return [b"ZINCRBY", self._key("z"), b"%d" % chance.randrange(-9, 9), fields[0]]
            case 11:
                return [b"ZREM", self._key("z"), *dict.fromkeys(fields)]
            case 12:
                return [b"ZPOPMIN", self._key("z"), b"%d" % chance.randrange(1, 4)]
            case 13:
                return [b"ZREMRANGEBYRANK", self._key("z"), b"%d" % chance.randrange(9), b"%d" % chance.randrange(9)]
            case 14:
                sources = [self._key("z"), self._key("z")]  # with sums, scores would grow until doubles are not exact
                return [b"ZUNIONSTORE", self._key("z"), b"2", *sources, b"AGGREGATE", b"MAX"]
            case 15:
                return [b"SDIFFSTORE", self._key("t"), self._key("t"), self._key("t")]
            case 16:
                return [b"SETBIT", self._key("b"), b"%d" % chance.randrange(3000), b"%d" % chance.randrange(2)]
            case 17:
                return [b"LTRIM", self._key("l"), b"%d" % chance.randrange(3), b"%d" % chance.randrange(3, 30)]
            case 18:
                return [b"LREM", self._key("l"), b"0", self._value()]
            case 19 | 20:
                places = [(b"%d.5" % chance.randrange(-179, 179), b"%d.25" % chance.randrange(-84, 84)) for _ in fields]
                return [b"GEOADD", self._key("g"), *(
                    each for (x, y), member in dict(zip(places, fields, strict=True)).items() for each in (x, y, member)
                )]  # fmt: skip
            case 21:
                world = [b"FROMLONLAT", b"0", b"0", b"BYRADIUS", b"21000", b"km"]
                return [b"GEOSEARCHSTORE", self._key("g"), self._key("g"), *world]
            case 22:
                return [b"SORT", self._key(chance.choice("lt")), b"ALPHA", b"STORE", self._key("l")]
            case 23:
                return [b"PFADD", self._key("p"), *(b"%d" % chance.randrange(5000) for _ in range(10))]
            case _:
                return self._restore()

    def _restore(self) -> list[bytes]:
        chance = self.chance
        texts = [b"f%d" % i for i in range(chance.choice((1, 5, 40)))]
        kind, letter, items = chance.choice([
            ("string", "s", [self._value()]), ("list", "l", texts), ("set", "t", texts),
            ("hash", "h", [(text, text, 0) for text in texts]), ("zset", "z", [(1.0, text) for text in texts]),
        ])  # fmt: skip
        return [b"RESTORE", self._key(letter), b"0", pack(Value(kind, list(items))), b"REPLACE"]

    def work(self, client: Resp, number: int) -> None:
        while True:
            chance = self.chance
            calls = []
            for _ in range(chance.choice((1, 1, 2, 8, 30))):
                count = chance.choice((1, 1, 1, 2, 5))
                calls.append([self._one() for _ in range(count)])
            data = b"".join(self._bytes(call) for call in calls)
            self.sent.extend(calls)
            client.send_bytes(data)
            for call in calls:
                self._take(client, call)

    @staticmethod
    def _bytes(call: list[list[bytes]]) -> bytes:
        data = b"".join(command(*words) for words in call)
        return data if len(call) == 1 else command("MULTI") + data + command("EXEC")

    def _take(self, client: Resp, call: list[list[bytes]]) -> None:
        """Read the reply to the oldest call, carry it out here, compare."""
        if len(call) == 1:
            reply = [client.read()]
        else:
            for _ in range(len(call) + 1):
                client.read()
            reply = client.read()
        self.sent.popleft()
        self.acked += len(call)
        expected = [self.state.run(words) for words in call]
        if reply != expected:
            self.found.say("wrong_replies", f"{self.name} {call!r}: {reply!r}, not {expected!r}")

    def check(self, client: Resp) -> None:
        names = [f"{self.name}:{kind}:{i}".encode() for kind in histories.KINDS for i in range(self.KEYS)]
        now = histories.read(client, names)
        self.found.in_flight += sum(len(call) for call in self.sent)
        acked = self.state.seen(names)
        while self.state.seen(names) != now and self.sent:
            for words in self.sent.popleft():
                self.state.run(words)
        if self.state.seen(names) != now:
            self._tell(acked, now)
            self.state.become(now)
        self.sent.clear()

    def _tell(self, acked: dict[bytes, Any], now: dict[bytes, Any]) -> None:
        for key, value in acked.items():
            if now[key] != value and now[key] != self.state.seen([key])[key]:
                what = "lost" if now[key][0] is None else "resurrected" if value[0] is None else "torn"
                wanted = self.state.seen([key])[key]
                self.found.say(what, f"{key!r}: {_differences(value, now[key])}, after the last call sent "
                                     f"{_differences(wanted, now[key])}; {value!r} became {now[key]!r}")  # fmt: skip


def _differences(wanted: Any, found: Any) -> str:
    """What one of two values seen has and the other one has not."""
    if not (isinstance(wanted[0], list) and isinstance(found[0], list)):
        return "another value"
    fewer = [each for each in wanted[0] if each not in found[0]]
    more = [each for each in found[0] if each not in wanted[0]]
    return f"missing {fewer[:9]!r:.200}, new {more[:9]!r:.200}"


class Counter(Ledger):
    """One counter for all: its value is the number of acknowledged increments, and a few in flight."""

    threads = 2

    def __init__(self, name: str, found: Found, seed: int) -> None:
        super().__init__(name, found, seed)
        self.base = self.done = self.sent = self.largest = 0

    def work(self, client: Resp, number: int) -> None:
        data = command("INCR", self.name)
        while True:
            count = (1, 7, 40)[number % 3]
            with self.lock:
                self.sent += count
            client.send_bytes(data * count)
            for _ in range(count):
                value = client.read()
                with self.lock:
                    self.done += 1
                    self.acked += 1
                    self.largest = max(self.largest, value)

    def check(self, client: Resp) -> None:
        value = int(client.ask("GET", self.name) or 0)
        self.found.in_flight += self.sent - self.done
        if value < self.base + self.done or value < self.largest:
            self.found.say("lost", f"counter {value}, acknowledged {self.base} + {self.done}, told {self.largest}")
        if value > self.base + self.sent:
            self.found.say("resurrected", f"counter {value}, sent {self.base} + {self.sent}")
        self.base, self.done, self.sent = value, 0, 0


class Deadlines(Ledger):
    """Values with short deadlines: there before, gone after, never back."""

    KEYS = 50

    def __init__(self, name: str, found: Found, seed: int) -> None:
        super().__init__(name, found, seed)
        self.known: dict[bytes, tuple[bytes, float, float]] = {}
        self.doubt: tuple[bytes, bytes] | None = None

    def work(self, client: Resp, number: int) -> None:
        while True:
            key = f"{self.name}:{self.chance.randrange(self.KEYS)}".encode()
            value = b"%x" % self.chance.getrandbits(64)
            span = self.chance.choice((30, 200, 2000))
            self.doubt = (key, value)
            begun = time.monotonic()
            client.ask("SET", key, value, "PX", span)
            self.known[key] = value, begun + span / 1000, time.monotonic() + span / 1000
            self.doubt = None
            self.acked += 1

    def check(self, client: Resp) -> None:
        doubt = self.doubt
        self.doubt = None
        for key, (value, earliest, latest) in list(self.known.items()):
            before = time.monotonic()
            found = client.ask("GET", key)
            after = time.monotonic()
            if doubt is not None and key == doubt[0]:
                if found is not None and found not in (value, doubt[1]):
                    self.found.say("torn", f"{key!r}: {found!r}")
                del self.known[key]
            elif found is None and after < earliest - 0.05:
                self.found.say("lost", f"{key!r} had {earliest - after:.3f} s to live")
            elif found is not None and before > latest + 0.05:
                self.found.say("resurrected", f"{key!r} is alive {before - latest:.3f} s after its deadline")
            elif found is not None and found != value:
                self.found.say("torn", f"{key!r}: {found!r}, not {value!r}")

    def end(self, client: Resp) -> None:
        for i in range(self.KEYS):  # else they would expire between two looks at the state
            client.ask("DEL", f"{self.name}:{i}")


class Pool(Ledger):
    """SADD and SPOP: each member comes out once."""

    threads = 2

    def __init__(self, name: str, found: Found, seed: int) -> None:
        super().__init__(name, found, seed)
        self.added: set[bytes] = set()
        self.doubt: set[bytes] = set()
        self.popped: set[bytes] = set()
        self.pops = 0
        self.next = 0

    def work(self, client: Resp, number: int) -> None:
        while True:
            with self.lock:
                members = [b"m%d" % (self.next + i) for i in range(3)]
                self.next += 3
                self.doubt.update(members)
            client.ask("SADD", self.name, *members)
            with self.lock:
                self.doubt.difference_update(members)
                self.added.update(members)
                self.acked += 1
            for _ in range(3):
                with self.lock:
                    self.pops += 1
                member = client.ask("SPOP", self.name)
                with self.lock:
                    self.pops -= 1
                    self.acked += 1
                    if member in self.popped:
                        self.found.say("resurrected", f"{member!r} came out twice")
                    self.popped.add(member) if member else None

    def check(self, client: Resp) -> None:
        members = set(client.ask("SMEMBERS", self.name))
        if back := members & self.popped:
            self.found.say("resurrected", f"popped and there again: {sorted(back)[:5]}")
        if strange := members - self.added - self.doubt:
            self.found.say("torn", f"never added: {sorted(strange)[:5]}")
        missing = self.added - members - self.popped
        if len(missing) > self.pops:
            self.found.say("lost", f"{len(missing)} members, {self.pops} pops were in flight: {sorted(missing)[:5]}")
        self.found.in_flight += self.pops
        self.popped |= missing | (self.doubt - members)
        self.added |= members
        self.doubt.clear()
        self.pops = 0


class HandOver(Ledger):
    """RPUSH to clients parked in BLPOP: each element is handed to one of them."""

    threads = 3

    def __init__(self, name: str, found: Found, seed: int) -> None:
        super().__init__(name, found, seed)
        self.pushed: set[bytes] = set()
        self.doubt: set[bytes] = set()
        self.popped: set[bytes] = set()
        self.next = 0

    def work(self, client: Resp, number: int) -> None:
        while True:
            if number:
                _, element = client.ask("BLPOP", self.name, 0)
                with self.lock:
                    self.acked += 1
                    if element in self.popped:
                        self.found.say("resurrected", f"{element!r} was handed out twice")
                    self.popped.add(element)
                continue
            elements = [b"%d" % (self.next + i) for i in range(2)]
            self.next += 2
            self.doubt.update(elements)
            client.ask("RPUSH", self.name, *elements)
            with self.lock:
                self.pushed.update(elements)
                self.doubt.difference_update(elements)
                self.acked += 1

    def check(self, client: Resp) -> None:
        there = client.ask("LRANGE", self.name, 0, -1)
        left = set(there)
        if len(left) != len(there) or left & self.popped:
            self.found.say("resurrected", f"{len(there)} elements, {sorted(left & self.popped)[:5]} had been popped")
        if there != sorted(there, key=int):
            self.found.say("torn", "the elements are out of order")
        missing = self.pushed - left - self.popped
        if len(missing) > self.threads - 1:
            self.found.say("lost", f"{len(missing)} elements: {sorted(missing)[:5]}")
        self.found.in_flight += len(missing)
        self.popped |= missing | (self.doubt - left)
        self.pushed |= left
        self.doubt.clear()


STEP = """
local n = redis.call('INCR', KEYS[1])
for i = 2, 7 do redis.call('SET', KEYS[i], n) end
redis.call('HSET', KEYS[8], 'n', n, 'pad', ARGV[1])
redis.call('ZADD', KEYS[9], n, 'n')
redis.call('RPUSH', KEYS[10], n)
redis.call('LTRIM', KEYS[10], -5, -1)
for i = 1, tonumber(ARGV[2]) do redis.call('INCR', KEYS[11]) end
redis.call('SET', KEYS[11], n)
if n % 7 == 0 then error('late') end
return n
"""
"""Everything holds the same number behind a script, also behind one that ends with an error."""


class Scripted(Ledger):
    """Scripts and functions that write to eleven keys of five kinds: all of it is there, or nothing."""

    threads = 2

    def __init__(self, name: str, found: Found, seed: int) -> None:
        super().__init__(name, found, seed)
        self.least = [0, 0]
        self.sent = [0, 0]
        self.library = "#!lua name=steps\nredis.register_function('step', function(KEYS, ARGV)" + STEP + "end)"

    def prepare(self, client: Resp) -> None:
        client.ask("FUNCTION", "LOAD", self.library)

    def _keys(self, number: int) -> list[str]:
        return [f"{self.name}:{number}:{i}" for i in range(11)]

    def work(self, client: Resp, number: int) -> None:
        keys = self._keys(number)
        while True:
            how = ("EVAL", STEP) if number or self.chance.random() < 0.5 else ("FCALL", "step")
            count = self.chance.choice((1, 1, 5))
            self.sent[number] += count
            for _ in range(count):
                pad, more = "x" * self.chance.choice((1, 100, 5000)), self.chance.choice((0, 50))
                client.send(*how, len(keys), *keys, pad, more)
            for _ in range(count):
                client.read()
                with self.lock:
                    self.acked += 1
                    self.least[number] += 1

    def check(self, client: Resp) -> None:
        for number in range(self.threads):
            keys = self._keys(number)
            told = [client.ask("GET", key) for key in (*keys[:7], keys[10])]
            told += [client.ask("HGET", keys[7], "n"), client.ask("ZSCORE", keys[8], "n")]
            told += client.ask("LRANGE", keys[9], -1, -1) or [None]
            if len(set(told)) > 1:
                self.found.say("torn", f"{self.name} {number}: {told}")
            reached = int(told[0] or 0)
            if reached < self.least[number]:
                self.found.say("lost", f"{self.name} {number}: {reached} instead of {self.least[number]}")
            if reached > self.sent[number]:
                self.found.say("resurrected", f"{self.name} {number}: {reached} of {self.sent[number]}")
            self.found.in_flight += reached - self.least[number]
            self.least[number] = self.sent[number] = reached
        if str(client.ask("FCALL", "step", 0)) == "ERR Function not found":  # with keys it would write
            self.found.say("lost", "the library is gone")
