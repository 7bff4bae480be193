"""The few commands of the crash histories as plain Python: what the server should answer and hold.

A key is seen as (value, whether it has a deadline); a missing one as (None, False). Strings are bytes,
lists are lists, sets are sorted lists.
"""

from typing import Any

from tests.server.clients import Resp
from tests.support import Refusal

READERS = {b"s": (b"GET",), b"c": (b"GET",), b"l": (b"LRANGE", b"0", b"-1"), b"t": (b"SMEMBERS",)}
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

    def expire(self, key: bytes, rest: list[bytes]) -> Any:
        if key not in self.keys:
            return 0
        self.mortal.add(key)
        return 1

    def seen(self, names: list[bytes]) -> dict[bytes, Any]:
        """What these keys hold."""
        return {name: (self.keys[name], name in self.mortal) if name in self.keys else GONE for name in names}

    def become(self, seen: dict[bytes, Any]) -> None:
        """Take over what was found."""
        for name, (value, mortal) in seen.items():
            self._drop(name)
            if value is not None:
                self.keys[name] = value
                if mortal:
                    self.mortal.add(name)


setattr(State, "del", State.delete)


def read(client: Resp, names: list[bytes]) -> dict[bytes, Any]:
    """What the server holds under these keys."""
    calls: list[list[Any]] = []
    for name in names:
        reader = READERS[name.split(b":")[1]]
        calls += [[reader[0], name, *reader[1:]], [b"PTTL", name]]
    replies = client.ask_all(*calls)
    found = {}
    for i, name in enumerate(names):
        value, left = replies[2 * i], replies[2 * i + 1]
        if isinstance(value, list):
            value = (sorted(value) if name.split(b":")[1] == b"t" else value) or None
        assert value is None or left == -1 or 0 < left <= 1_000_000, (name, left)
        found[name] = GONE if value is None else (value, left != -1)
    return found
