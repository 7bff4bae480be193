"""The few commands of the crash histories as plain Python: what the server should answer and hold.

A key is seen as (value, whether it has a deadline); a missing one as (None, False). Strings are bytes, and so are
HyperLogLogs; lists are lists, sets are sorted lists. A hash is a sorted list of (field, value, whether the field has a
deadline); a sorted set, also one of places, is a list of (member, score) in its order. The second part of a key's name
is the letter of its kind.
"""

from typing import Any

from synap.compat.rdb.payloads import unpack
from tests.naive.geohash import encode
from tests.naive.store.hyperloglog import EMPTY, Sketch, place_of
from tests.server.clients import Resp
from tests.support import Refusal

READERS = {
    b"s": (b"GET",), b"c": (b"GET",), b"b": (b"GET",), b"l": (b"LRANGE", b"0", b"-1"), b"t": (b"SMEMBERS",),
    b"h": (b"HGETALL",), b"z": (b"ZRANGE", b"0", b"-1", b"WITHSCORES"), b"g": (b"ZRANGE", b"0", b"-1", b"WITHSCORES"),
    b"p": (b"GET",),
}  # fmt: skip
KINDS = "".join(letter.decode() for letter in READERS)
ORDERED = (b"z", b"g")
"""Kinds whose values are members with scores."""
GONE = (None, False)
SAME = Refusal("ERR source and destination objects are the same")
NO_KEY = Refusal("ERR no such key")


class State:
    """All keys of one client."""

    def __init__(self) -> None:
        self.keys: dict[bytes, Any] = {}
        self.mortal: set[bytes] = set()

    def run(self, words: list[bytes]) -> Any:
        """Carry out one command; its reply."""
        name, key, rest = words[0], words[1], words[2:]
        return getattr(self, name.decode().lower())(key, rest)

    def _drop(self, key: bytes) -> int:
        self.mortal.discard(key)
        return int(self.keys.pop(key, None) is not None)

    def set(self, key: bytes, rest: list[bytes]) -> Any:
        self.mortal.discard(key)
        self.keys[key] = rest[0]
        return b"OK"

    def delete(self, key: bytes, rest: list[bytes]) -> Any:
        return self._drop(key)

    def incr(self, key: bytes, rest: list[bytes]) -> Any:
        self.keys[key] = b"%d" % (int(self.keys.get(key, 0)) + 1)
        return int(self.keys[key])

    def decrby(self, key: bytes, rest: list[bytes]) -> Any:
        self.keys[key] = b"%d" % (int(self.keys.get(key, 0)) - int(rest[0]))
        return int(self.keys[key])

    def append(self, key: bytes, rest: list[bytes]) -> Any:
        self.keys[key] = self.keys.get(key, b"") + rest[0]
        return len(self.keys[key])

    def setrange(self, key: bytes, rest: list[bytes]) -> Any:
        at, text = int(rest[0]), rest[1]
        before = self.keys.get(key, b"").ljust(at, b"\0")
        self.keys[key] = before[:at] + text + before[at + len(text) :]
        return len(self.keys[key])

    def getset(self, key: bytes, rest: list[bytes]) -> Any:
        before = self.keys.get(key)
        self.set(key, rest)
        return before

    def setnx(self, key: bytes, rest: list[bytes]) -> Any:
        if key in self.keys:
            return 0
        self.set(key, rest)
        return 1

    def getdel(self, key: bytes, rest: list[bytes]) -> Any:
        before = self.keys.get(key)
        self._drop(key)
        return before

    def persist(self, key: bytes, rest: list[bytes]) -> Any:
        found = key in self.mortal
        self.mortal.discard(key)
        return int(found)

    def mset(self, key: bytes, rest: list[bytes]) -> Any:
        words = [key, *rest]
        for name, value in zip(words[::2], words[1::2], strict=True):
            self.set(name, [value])
        return b"OK"

    def copy(self, key: bytes, rest: list[bytes]) -> Any:
        other = rest[0]
        if key == other:
            return SAME
        if key not in self.keys:
            return 0
        self.set(other, [self.keys[key]])
        if key in self.mortal:
            self.mortal.add(other)
        return 1

    def rename(self, key: bytes, rest: list[bytes]) -> Any:
        if key not in self.keys:
            return NO_KEY
        if key != rest[0]:
            self.copy(key, rest)
            self._drop(key)
        return b"OK"

    def renamenx(self, key: bytes, rest: list[bytes]) -> Any:
        if key not in self.keys:
            return NO_KEY
        if rest[0] in self.keys:
            return 0
        self.rename(key, rest)
        return 1

    def rpush(self, key: bytes, rest: list[bytes]) -> Any:
        self.keys[key] = [*self.keys.get(key, ()), *rest]
        return len(self.keys[key])

    def lpush(self, key: bytes, rest: list[bytes]) -> Any:
        self.keys[key] = [*rest[::-1], *self.keys.get(key, ())]
        return len(self.keys[key])

    def _pop(self, key: bytes, at: int) -> Any:
        if key not in self.keys:
            return None
        self.keys[key] = list(self.keys[key])
        value = self.keys[key].pop(at)
        if not self.keys[key]:
            self._drop(key)
        return value

    def lpop(self, key: bytes, rest: list[bytes]) -> Any:
        return self._pop(key, 0)

    def rpop(self, key: bytes, rest: list[bytes]) -> Any:
        return self._pop(key, -1)

    def sadd(self, key: bytes, rest: list[bytes]) -> Any:
        before = self.keys.get(key, [])
        self.keys[key] = sorted({*before, *rest})
        return len(self.keys[key]) - len(before)

    def srem(self, key: bytes, rest: list[bytes]) -> Any:
        before = self.keys.get(key, [])
        left = [member for member in before if member not in rest]
        if left:
            self.keys[key] = left
        else:
            self._drop(key)
        return len(before) - len(left)

    # Hashes: field -> (value, whether it has a deadline). Sorted sets: member -> score.

    def _keep(self, key: bytes, value: dict[bytes, Any]) -> None:
        if value:
            self.keys[key] = value
        else:
            self._drop(key)

    def hset(self, key: bytes, rest: list[bytes]) -> Any:
        before = self.keys.get(key, {})
        self.keys[key] = before | {field: (value, False) for field, value in zip(rest[::2], rest[1::2], strict=True)}
        return len(self.keys[key]) - len(before)

    def hdel(self, key: bytes, rest: list[bytes]) -> Any:
        before = self.keys.get(key, {})
        left = {field: value for field, value in before.items() if field not in rest}
        self._keep(key, left)
        return len(before) - len(left)

    def hincrby(self, key: bytes, rest: list[bytes]) -> Any:
        before = self.keys.get(key, {})
        value, mortal = before.get(rest[0], (b"0", False))
        number = int(value) + int(rest[1])
        self.keys[key] = before | {rest[0]: (b"%d" % number, mortal)}
        return number

    def hexpire(self, key: bytes, rest: list[bytes]) -> Any:
        fields, before = rest[3:], self.keys.get(key)
        if before is None:
            return [-2] * len(fields)
        self.keys[key] = before | {field: (before[field][0], True) for field in fields if field in before}
        return [1 if field in before else -2 for field in fields]

    def hpersist(self, key: bytes, rest: list[bytes]) -> Any:
        fields, before = rest[2:], self.keys.get(key)
        if before is None:
            return [-2] * len(fields)
        self.keys[key] = before | {field: (before[field][0], False) for field in fields if field in before}
        return [(1 if before[field][1] else -1) if field in before else -2 for field in fields]

    def hgetdel(self, key: bytes, rest: list[bytes]) -> Any:
        fields, before = rest[2:], self.keys.get(key, {})
        self.hdel(key, fields)
        return [before[field][0] if field in before else None for field in fields]

    def zadd(self, key: bytes, rest: list[bytes]) -> Any:
        before = self.keys.get(key, {})
        self.keys[key] = before | {member: int(score) for score, member in zip(rest[::2], rest[1::2], strict=True)}
        return len(self.keys[key]) - len(before)

    def zincrby(self, key: bytes, rest: list[bytes]) -> Any:
        before = self.keys.get(key, {})
        score = before.get(rest[1], 0) + int(rest[0])
        self.keys[key] = before | {rest[1]: score}
        return b"%d" % score

    def zrem(self, key: bytes, rest: list[bytes]) -> Any:
        return self.hdel(key, rest)

    def _order(self, key: bytes) -> list[tuple[bytes, int]]:
        return sorted(self.keys.get(key, {}).items(), key=lambda each: (each[1], each[0]))

    def zpopmin(self, key: bytes, rest: list[bytes]) -> Any:
        taken = self._order(key)[: int(rest[0])]
        self.hdel(key, [member for member, _ in taken])
        return [part for member, score in taken for part in (member, b"%d" % score)]

    def zremrangebyrank(self, key: bytes, rest: list[bytes]) -> Any:
        return self.hdel(key, [member for member, _ in self._order(key)[int(rest[0]) : int(rest[1]) + 1]])

    def zunionstore(self, key: bytes, rest: list[bytes]) -> Any:
        found: dict[bytes, int] = {}
        for source in rest[1:3]:  # AGGREGATE MAX
            for member, score in self.keys.get(source, {}).items():
                found[member] = max(found.get(member, score), score)
        self._drop(key)
        self._keep(key, found)
        return len(found)

    def geoadd(self, key: bytes, rest: list[bytes]) -> Any:
        before = self.keys.get(key, {})
        places = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
        self.keys[key] = before | {member: encode((float(x), float(y))) for x, y, member in places}
        return len(self.keys[key]) - len(before)

    def geosearchstore(self, key: bytes, rest: list[bytes]) -> Any:
        found = dict(self.keys.get(rest[0], {}))  # the box is the whole world
        self._drop(key)
        self._keep(key, found)
        return len(found)

    def sort(self, key: bytes, rest: list[bytes]) -> Any:
        taken = sorted(self.keys.get(key, ()))  # ALPHA STORE key
        self._drop(rest[2])
        if taken:
            self.keys[rest[2]] = taken
        return len(taken)

    def pfadd(self, key: bytes, rest: list[bytes]) -> Any:
        sketch = Sketch(self.keys.get(key, EMPTY))
        raised = [sketch.raise_one(*place_of(element)) for element in rest]
        if not any(raised) and key in self.keys:
            return 0
        self.keys[key] = sketch.text()
        return 1

    def sdiffstore(self, key: bytes, rest: list[bytes]) -> Any:
        taken = set(self.keys.get(rest[0], ())) - {each for other in rest[1:] for each in self.keys.get(other, ())}
        self._drop(key)
        if taken:
            self.keys[key] = sorted(taken)
        return len(taken)

    def lrem(self, key: bytes, rest: list[bytes]) -> Any:
        before = self.keys.get(key, [])
        left = [each for each in before if each != rest[1]]
        if before:
            self.keys[key] = left
        if before and not left:
            self._drop(key)
        return len(before) - len(left)

    def ltrim(self, key: bytes, rest: list[bytes]) -> Any:
        left = self.keys.get(key, [])[int(rest[0]) : int(rest[1]) + 1]
        if key in self.keys:
            self.keys[key] = left
        if not left:
            self._drop(key)
        return b"OK"

    def setbit(self, key: bytes, rest: list[bytes]) -> Any:
        at, bit = int(rest[0]), int(rest[1])
        found = bytearray(self.keys.get(key, b"").ljust(at // 8 + 1, b"\0"))
        mask = 128 >> at % 8
        before = found[at // 8] & mask
        found[at // 8] = found[at // 8] & ~mask | mask * bit
        self.keys[key] = bytes(found)
        return int(before > 0)

    def restore(self, key: bytes, rest: list[bytes]) -> Any:
        value = unpack(rest[1], 1 << 30)
        self._drop(key)
        if value.kind == "hash":
            self.keys[key] = {field: (text, deadline > 0) for field, text, deadline in value.items}
        elif value.kind == "zset":
            self.keys[key] = {member: int(score) for score, member in value.items}
        else:
            items = list(value.items)
            self.keys[key] = sorted(items) if value.kind == "set" else items if value.kind == "list" else items[0]
        return b"OK"

    def expire(self, key: bytes, rest: list[bytes]) -> Any:
        if key not in self.keys:
            return 0
        self.mortal.add(key)
        return 1

    def seen(self, names: list[bytes]) -> dict[bytes, Any]:
        """What these keys hold."""
        return {name: (self._shown(name), name in self.mortal) if name in self.keys else GONE for name in names}

    def _shown(self, name: bytes) -> Any:
        value = self.keys[name]
        if not isinstance(value, dict):
            return value
        if _letter(name) in ORDERED:
            return self._order(name)
        return sorted((field, text, mortal) for field, (text, mortal) in value.items())

    def become(self, seen: dict[bytes, Any]) -> None:
        """Take over what was found."""
        for name, (value, mortal) in seen.items():
            self._drop(name)
            if value is not None and _letter(name) in ORDERED:
                self.keys[name] = dict(value)
            elif value is not None and _letter(name) == b"h":
                self.keys[name] = {field: (text, mortal_field) for field, text, mortal_field in value}
            elif value is not None:
                self.keys[name] = value
            if value is not None:
                if mortal:
                    self.mortal.add(name)


setattr(State, "del", State.delete)


def _letter(name: bytes) -> bytes:
    return name.split(b":")[1]


def read(client: Resp, names: list[bytes]) -> dict[bytes, Any]:
    """What the server holds under these keys."""
    calls: list[list[Any]] = []
    for name in names:
        reader = READERS[_letter(name)]
        calls += [[reader[0], name, *reader[1:]], [b"PTTL", name]]
    replies = client.ask_all(*calls)
    found = {}
    for i, name in enumerate(names):
        value, left = replies[2 * i], replies[2 * i + 1]
        if isinstance(value, list):
            value = _as_seen(client, name, value) or None
        assert value is None or left == -1 or 0 < left <= 1_000_000, (name, left)
        found[name] = GONE if value is None else (value, left != -1)
    return found


def _as_seen(client: Resp, name: bytes, items: list[bytes]) -> list[Any]:
    match _letter(name):
        case b"t":
            return sorted(items)
        case b"z" | b"g":
            return [(member, int(score)) for member, score in zip(items[::2], items[1::2], strict=True)]
        case b"h" if items:
            fields = items[::2]
            lefts = client.ask(b"HPTTL", name, b"FIELDS", b"%d" % len(fields), *fields)
            assert all(left == -1 or 0 < left <= 1_000_000 for left in lefts), (name, lefts)
            return sorted(zip(fields, items[1::2], (left != -1 for left in lefts), strict=True))
        case _:
            return items
