"""Clients of a simulated node: each a script that sends commands, waits for replies, and judges what it can itself.

A script is a generator: it yields a list of commands (sent at once) or a number of ns to wait, and is sent the
replies. When the connection ends the script is thrown away and begun anew with the next one; what was
asked and not answered stays in the histories as unknown.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.linear import UNKNOWN, Op, Txn
from tests.simulation.loop import Peer
from tests.simulation.world import MS, World
from tests.support import Refusal, command

Script = Generator[Any, Any, None]
DRIFT = 20
SLACK_NS = 3 * MS
THINK_NS = (0, 16 * MS)
UNKNOWN_OUTCOME = "ERR outcome unknown"


class Incomplete(Exception):
    """The reply has not arrived as a whole."""


def read_reply(data: bytes, at: int) -> tuple[Any, int]:
    """(the reply at `at`, where the next begins)."""
    end = data.find(b"\r\n", at)
    if end < 0:
        raise Incomplete
    kind, text, at = data[at : at + 1], data[at + 1 : end], end + 2
    if kind == b":":
        return int(text), at
    if kind == b"+":
        return text, at
    if kind == b"-":
        return Refusal(text.decode()), at
    size = int(text)
    if kind == b"$":
        if size < 0:
            return None, at
        if len(data) < at + size + 2:
            raise Incomplete
        return data[at : at + size], at + size + 2
    assert kind == b"*", data[:100]
    if size < 0:
        return None, at
    items = []
    for _ in range(size):
        item, at = read_reply(data, at)
        items.append(item)
    return items, at


@dataclass
class Records:
    """What all clients of a story know together."""

    world: World
    tick: int = 0
    generation: int = 0  # goes up when acknowledged changes may have been lost
    ops: dict[str, list[Op]] = field(default_factory=dict)
    txns: list[Txn] = field(default_factory=list)
    replies: int = 0
    number: int = 0

    def now(self) -> int:
        self.tick += 1
        return self.tick

    def key(self, name: str) -> str:
        """A key of this generation."""
        return f"{name}.{self.generation}"

    def begin(self, client: str, key: str, *words: Any) -> Op:
        """A call has been sent."""
        op = Op(client, words, self.now())
        self.ops.setdefault(key, []).append(op)
        return op

    def end(self, key: str, op: Op, reply: Any) -> None:
        """It was answered."""
        if isinstance(reply, Refusal):
            if not reply.args[0].startswith(UNKNOWN_OUTCOME):
                self.ops[key].remove(op)
            return
        op.end, op.reply = self.now(), reply

    def end_of_life(self) -> None:
        """What was not answered happens now or never."""
        now = self.now()
        for ops in self.ops.values():
            for op in ops:
                if op.reply is UNKNOWN:
                    op.end = min(op.end, now)
        for txn in self.txns:
            if txn.replies is UNKNOWN:
                txn.end = min(txn.end, now)

    def doubt(self, tick: int) -> None:
        """The log had failed by then and was not made whole again: what was read from then on, changes of an
        unknown outcome among it, need not have lasted."""
        for known in (*(op for ops in self.ops.values() for op in ops), *self.txns):
            if tick <= known.end <= self.tick:
                known.end = self.tick
                if isinstance(known, Op):
                    known.reply = UNKNOWN
                else:
                    known.replies = UNKNOWN

    def fresh(self) -> bytes:
        """A text that nothing else is."""
        self.number += 1
        return b"v%d" % self.number


class Actor:
    """One client: `connect` gives it a connection, `on_replies` what came."""

    def __init__(self, name: str, records: Records, connect: Callable[[str], Peer | None]) -> None:
        self.name, self.records, self.world = name, records, records.world
        self.chance = records.world.chance
        self._connect = connect
        self._peer: Peer | None = None
        self._script: Script | None = None
        self._data = b""
        self._wanted = 0
        self._got: list[Any] = []
        self._port = 1000

    def script(self) -> Script:
        """What it does."""
        raise NotImplementedError

    def start(self) -> None:
        """Connect, now or when the server listens."""
        self._port += 1
        peer = self._connect(f"{self.name}:{self._port}")
        if peer is None:
            self.world.at(5 * MS, self.start)
            return
        self._peer, self._data, self._got, self._wanted = peer, b"", [], 0
        peer.on_data, peer.on_end = self._on_data, self._on_end
        self._script = self.script()
        self._go_on(None)

    def end(self) -> None:
        """The process at the other end is no more."""
        self._peer = self._script = None

    def hang_up(self) -> None:
        """Be gone without a word, and come again."""
        if self._peer is not None:
            self._peer.reset()
            self._on_end()

    def stop_reading(self, delay: int) -> None:
        """Take nothing for a while."""
        peer = self._peer
        if peer is not None:
            peer.reading = False
            self.world.at(delay, peer.read_on)

    def _on_end(self) -> None:
        self._peer = self._script = None
        self.world.at(self.chance.randrange(1 * MS, 20 * MS), self.start)

    def _on_data(self, data: bytes) -> None:
        self._data += data
        at = 0
        while True:
            try:
                reply, at = read_reply(self._data, at)
            except Incomplete:
                break
            self.records.replies += 1
            self._got.append(reply)
        self._data = self._data[at:]
        if self._wanted and len(self._got) >= self._wanted:
            got, self._got = self._got[: self._wanted], self._got[self._wanted :]
            self._wanted = 0
            self._go_on(got)

    def _go_on(self, replies: Any) -> None:
        script = self._script
        if script is None:
            return
        try:
            wanted = script.send(replies)
        except StopIteration:
            return
        if isinstance(wanted, int):
            self.world.at(wanted, lambda: self._go_on(None) if script is self._script else None)
            return
        assert self._peer is not None
        self._wanted = len(wanted)
        self._peer.send(b"".join(command(*words) for words in wanted))

    def think(self) -> int:
        """ns until the next thing to do."""
        return self.chance.randrange(*THINK_NS)


class Keys(Actor):
    """Registers, counters, lists and sets that everybody uses, recorded for the checker."""

    def script(self) -> Script:
        while True:
            yield self.think()
            if self.chance.random() < 0.12:
                yield from self._swap()
                continue
            asked = [self._call() for _ in range(self.chance.choice((1, 1, 1, 2, 4)))]
            begun = [self.records.begin(self.name, key, words[0], *words[1:]) for key, words in asked]
            replies = yield [(words[0], key, *words[1:]) for key, words in asked]
            for (key, _), op, reply in zip(asked, begun, replies, strict=True):
                if op.words[0] == "SMEMBERS" and isinstance(reply, list):
                    reply = sorted(reply)
                self.records.end(key, op, reply)

    def _call(self) -> tuple[str, tuple[Any, ...]]:
        """(key, the words around it)."""
        chance, key, fresh = self.chance, self.records.key, self.records.fresh
        what = chance.randrange(8)
        if what < 3:
            return key(f"r{chance.randrange(3)}"), chance.choice((
                ("GET",), ("GET",), ("SET", fresh()), ("SET", fresh()), ("GETSET", fresh()), ("DEL",),
                ("SETNX", fresh()), ("APPEND", fresh()),
            ))  # fmt: skip
        if what < 5:
            return key(f"c{chance.randrange(2)}"), chance.choice((("GET",), ("INCRBY", 1), ("INCRBY", 3)))
        if what < 7:
            return key(f"l{chance.randrange(2)}"), chance.choice((
                ("RPUSH", fresh()), ("LPUSH", fresh()), ("RPUSH", fresh(), fresh()), ("LPOP",), ("RPOP",),
                ("LRANGE", 0, -1),
            ))  # fmt: skip
        member = b"m%d" % chance.randrange(6)
        return key("s0"), chance.choice((("SADD", member), ("SREM", member), ("SMEMBERS",), ("SPOP",)))

    def _swap(self) -> Script:
        """WATCH, GET, MULTI, SET, EXEC: a register that changes only if nobody else has changed it."""
        records = self.records
        key = records.key(f"r{self.chance.randrange(3)}")
        look = records.begin(self.name, key, "GET")
        _, seen = yield [("WATCH", key), ("GET", key)]
        records.end(key, look, seen)
        if isinstance(seen, Refusal):
            yield [("UNWATCH",)]
            return
        if self.chance.random() < 0.5:
            yield self.think()
        value = records.fresh()
        swap = records.begin(self.name, key, "CAS", seen, value)
        *_, done = yield [("MULTI",), ("SET", key, value), ("EXEC",)]
        if done is None or (isinstance(done, list) and isinstance(done[0], Refusal)):
            records.ops[key].remove(swap)
        else:
            records.end(key, swap, done[0] if isinstance(done, list) else done)


class Waiter(Actor):
    """BLPOP of lists that others push to."""

    def script(self) -> Script:
        records = self.records
        while True:
            yield self.think()
            key = records.key(f"l{self.chance.randrange(2)}")
            op = records.begin(self.name, key, "BLPOP")
            (found,) = yield [("BLPOP", key, self.chance.choice((0.005, 0.05, 1)))]
            if found is None:
                records.ops[key].remove(op)
            else:
                records.end(key, op, found[1] if isinstance(found, list) else found)


def as_script(calls: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """The calls as one script, which returns their replies."""
    words, made = [], []
    for name, *rest in calls:
        places = range(len(words) + 1, len(words) + len(rest) + 1)
        words += rest
        made.append(f"redis.pcall('{name}', {', '.join(f'ARGV[{place}]' for place in places)})")
    return "EVAL", f"return {{{', '.join(made)}}}", 0, *words


class Transactions(Actor):
    """EXECs and scripts of RPUSH and LRANGE over three lists."""

    def script(self) -> Script:
        records, chance = self.records, self.chance
        while True:
            yield self.think()
            calls: list[tuple[Any, ...]] = []
            for _ in range(chance.randint(1, 4)):
                key = records.key(f"t{chance.randrange(3)}")
                calls.append(("RPUSH", key, records.fresh()) if chance.random() < 0.6 else ("LRANGE", key))
            txn = Txn(self.name, calls, records.now())
            sent = [(*call, 0, -1) if call[0] == "LRANGE" else call for call in calls]
            scripted = chance.random() < 0.3
            whole = scripted or chance.random() < 0.6
            if not whole:
                yield [("MULTI",)]
                for one in sent:
                    yield [one]
                txn.begin = records.now()
            records.txns.append(txn)
            if scripted:
                *_, replies = yield [as_script(sent)]
            else:
                *_, replies = yield [("MULTI",), *sent, ("EXEC",)] if whole else [("EXEC",)]
            if isinstance(replies, Refusal):
                if not replies.args[0].startswith(UNKNOWN_OUTCOME):
                    records.txns.remove(txn)
                continue
            if replies is not None and any(isinstance(reply, Refusal) for reply in replies):
                txn.replies = None  # refused one by one: the log had failed before
                continue
            txn.end, txn.replies = records.now(), replies


class Timed(Actor):
    """Keys with deadlines, each its own: none may be gone before its time, none be there long after it."""

    def script(self) -> Script:
        world, chance = self.world, self.chance
        while True:
            key = self.records.key(f"{self.name}-{chance.randrange(1 << 30)}")
            ttl = chance.choice((5, 20, 100, 400, 60_000))
            asked = world.now
            (reply,) = yield [("SET", key, "v", "PX", ttl)]
            known = world.now
            if reply != b"OK":
                yield self.think()
                continue
            for _ in range(4):
                yield chance.randrange(ttl * MS // 2) if ttl < 1000 else self.think()
                sent = world.now
                (value,) = yield [("GET", key)]
                passed_most, passed_least = world.now - asked, sent - known
                if value is None:
                    assert passed_most >= ttl * MS * DRIFT // (DRIFT + 1) - SLACK_NS, (
                        f"{key}: gone after at most {passed_most / 1e6} ms of {ttl}"
                    )
                    break
                assert isinstance(value, Refusal) or passed_least <= ttl * MS * DRIFT // (DRIFT - 1) + SLACK_NS, (
                    f"{key}: there after at least {passed_least / 1e6} ms of {ttl}"
                )


class Crowd(Actor):
    """All sorts of things, also wrong ones, on keys of its own: nothing is judged but that it is answered."""

    def script(self) -> Script:
        chance = self.chance
        key = [f"{self.name}-{i}" for i in range(6)]
        while True:
            yield self.think()
            one, other, value = chance.choice(key), chance.choice(key), b"x" * chance.choice((1, 50, 5000))
            yield [chance.choice((
                ("SET", one, value, "PX", chance.randrange(1, 300)), ("SET", one, value), ("APPEND", one, value),
                ("MSET", one, value, other, "y"), ("RENAME", one, other), ("COPY", one, other, "REPLACE"),
                ("DEL", one, other),
                ("RPUSH", one, value, "b"), ("LPOP", one, 2), ("SADD", one, "a", "b", value), ("SPOP", one, 2),
                ("EXPIRE", one, chance.randrange(-1, 3)), ("PEXPIRE", one, chance.randrange(200)), ("PERSIST", one),
                ("SETRANGE", one, 100, "z"), ("INCR", one), ("KEYS", "*"), ("SCAN", 0), ("RANDOMKEY",), ("DBSIZE",),
                ("PING",), ("NONSENSE", one), ("GET",), ("TYPE", one), ("PTTL", one), ("GETEX", one, "PX", 40),
                ("CLIENT", "ID"), ("EXEC",), ("UNLINK", one), ("BGSAVE",), ("LASTSAVE",), ("DEBUG", "DIGEST"),
            ))]  # fmt: skip


__all__ = ["Actor", "Crowd", "Keys", "Records", "Timed", "Transactions", "Waiter", "read_reply"]
