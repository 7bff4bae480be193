"""Keys of a client: methods for strings, counters, expiry, lists and sets, described once for every client.

Names are those of Redis in lower case. Keys, values and elements are str, bytes or numbers; texts are returned as
bytes, or as str by a client with `decode=True`. Times to live are in seconds, with `px` and `_ms` in milliseconds.
"""

import builtins
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from synap.client.errors import LocalProtocolError
from synap.client.machine import Word, encode
from synap.client.options import Options
from synap.client.requests import (
    Request,
    asking,
    doing,
    flag,
    method,
    nothing,
    text,
    whole,
)
from synap.derive.natives import json_of
from synap.either import each_of, either

D = TypeVar("D", bytes, str)

ELSEWHERE = {
    "SUBSCRIBE": "subscribe()", "PSUBSCRIBE": "subscribe()", "SSUBSCRIBE": "subscribe()",
    "UNSUBSCRIBE": "subscribe()", "PUNSUBSCRIBE": "subscribe()", "SUNSUBSCRIBE": "subscribe()",
    "MULTI": "transaction()", "EXEC": "transaction()", "DISCARD": "transaction()", "WATCH": "transaction(watch=...)",
    "UNWATCH": "transaction(watch=...)", "SELECT": "the option db", "HELLO": "the options", "AUTH": "the options",
    "RESET": "a client of its own", "QUIT": "close()", "MONITOR": "a connection of its own",
    "SYNC": "a connection of its own", "PSYNC": "a connection of its own",
    "CLIENT REPLY": "a connection of its own", "CLIENT TRACKING": "a connection of its own",
    "CLIENT SETNAME": "the option client_name",
}  # fmt: skip
"""Commands that change the state of a connection, which the next user of a pooled connection would meet."""


class Keys(Generic[D]):
    """Methods for keys. A subclass carries the requests out."""

    options: Options

    def _data(self, value: Any) -> Any:
        """Return texts in the client's form (bytes or str), also inside of lists and maps."""
        if not self.options.decode:
            return value
        if isinstance(value, bytes):
            return value.decode()
        if isinstance(value, list):
            return [self._data(item) for item in value]
        if isinstance(value, dict):
            return {self._data(key): self._data(item) for key, item in value.items()}
        return value

    def _members(self, value: Any) -> Any:
        return set(self._data(value))

    # Any command.

    @method
    def execute(self, *words: Word, idempotent: bool = False, patience: float = 0.0) -> Request[Any]:
        """Carry out any command by its words and return the reply. `idempotent`: the command may be sent again if the
        connection breaks. `patience`: seconds that the command itself waits on the server."""
        if not words:
            raise LocalProtocolError("a command must have at least one word")
        first = _upper(words[0])
        for name in (first, f"{first} {_upper(words[1])}" if len(words) > 1 else first):
            if name in ELSEWHERE:
                raise LocalProtocolError(
                    f"{name} changes a connection that other calls share: use {ELSEWHERE[name]}"
                )
        return Request(words, self._data, idempotent, patience)

    @method
    def ping(self) -> Request[bool]:
        """Return whether the server answers."""
        return asking(flag, "PING")

    @method
    def info(self, *sections: str) -> Request[dict[str, str]]:
        """Return the fields of INFO by name."""
        return asking(_info, "INFO", *sections)

    @method
    def dbsize(self) -> Request[int]:
        """Return the number of keys."""
        return asking(whole, "DBSIZE")

    @method
    def flushdb(self) -> Request[None]:
        """Remove every key of this database."""
        return doing(nothing, "FLUSHDB")

    # Strings.

    @method
    def get(self, key: Word) -> Request[D | None]:
        """Return the value of `key`, None if it does not exist."""
        return asking(self._data, "GET", key)

    @method
    def set(
        self, key: Word, value: Word, *, ex: float | None = None, ttl: float | None = None, px: int | None = None,
        exat: int | None = None, pxat: int | None = None, nx: bool = False, xx: bool = False, keepttl: bool = False,
        get: bool = False,
    ) -> Request[Any]:  # fmt: skip
        """Set the value of `key`. Return whether it was set, or with `get` the previous value.

        `nx` sets only if the key does not exist, `xx` only if it does. `ex` (or `ttl`) is the time to live in seconds
        (fractions too), `px` in milliseconds; `exat` and `pxat` are the time of expiry since 1970. `keepttl` keeps the
        deadline.
        """
        ex = either(ex=ex, ttl=ttl)
        times = {"EX": ex, "PX": px, "EXAT": exat, "PXAT": pxat}
        named = [name.lower() for name, time in times.items() if time is not None]
        if len(named) > 1:
            raise LocalProtocolError(f"{' and '.join(named)} exclude each other")
        if ex is not None and not isinstance(ex, int):
            times = {"PX": round(ex * 1000)}
        words: tuple[Word, ...] = ("SET", key, value)
        for name, time in times.items():
            words += () if time is None else (name, time)
        options = (("NX", nx), ("XX", xx), ("KEEPTTL", keepttl), ("GET", get))
        words += tuple(word for word, given in options if given)
        return Request(words, self._data if get else flag)

    @method
    def getset(self, key: Word, value: Word) -> Request[D | None]:
        """Set the value of `key`; return the previous value, or None."""
        return doing(self._data, "SET", key, value, "GET")

    @method
    def getdel(self, key: Word) -> Request[D | None]:
        """Remove a key; return the value it had, or None."""
        return doing(self._data, "GETDEL", key)

    @method
    def append(self, key: Word, value: Word) -> Request[int]:
        """Append to a string; return its new length in bytes."""
        return doing(whole, "APPEND", key, value)

    @method
    def strlen(self, key: Word) -> Request[int]:
        """Return the length of a string in bytes."""
        return asking(whole, "STRLEN", key)

    @method
    def incr(self, key: Word, amount: float = 1) -> Request[Any]:
        """Add to the number at `key` (0 if missing) and return the sum. A float is added as `incrbyfloat` does."""
        if isinstance(amount, float):
            return doing(float, "INCRBYFLOAT", key, amount)
        return doing(whole, "INCRBY", key, amount)

    @method
    def decr(self, key: Word, amount: float = 1) -> Request[Any]:
        """Subtract from the number at `key` (0 if missing) and return the difference."""
        if isinstance(amount, float):
            return doing(float, "INCRBYFLOAT", key, -amount)
        return doing(whole, "DECRBY", key, amount)

    @method
    def incrbyfloat(self, key: Word, amount: float | str) -> Request[float]:
        """Add a decimal number to the number at `key` and return the sum."""
        return doing(float, "INCRBYFLOAT", key, amount)

    @method
    def mget(self, *keys: Word | Sequence[Word]) -> Request[list[D | None]]:
        """Return the values of many keys, or of one list of keys, None where there is no string."""
        return asking(self._data, "MGET", *each_of(keys))

    @method
    def mset(self, pairs: Mapping[Any, Word] | Iterable[tuple[Word, Word]]) -> Request[None]:
        """Set many keys in one atomic step."""
        taken = pairs.items() if isinstance(pairs, Mapping) else pairs
        return doing(nothing, "MSET", *(word for key, value in taken for word in (key, value)))

    @method
    def get_json(self, key: Word) -> Request[Any]:
        """Return the value that `set_json` stored, None if the key does not exist."""
        return asking(_from_json, "GET", key)

    @method
    def set_json(self, key: Word, value: Any, *, ex: float | None = None, ttl: float | None = None) -> Request[bool]:
        """Set a JSON value, stored as its text. Raises TypeError or ValueError if JSON cannot represent `value`."""
        words: tuple[Word, ...] = ("SET", key, json_of("value", value))
        ex = either(ex=ex, ttl=ttl)
        if ex is not None:
            words += ("EX", ex) if isinstance(ex, int) else ("PX", round(ex * 1000))
        return Request(words, flag)

    # Keys.

    @method
    def delete(self, *keys: Word) -> Request[int]:
        """Remove keys; return how many existed."""
        return doing(whole, "DEL", *keys)

    @method
    def exists(self, *keys: Word) -> Request[int]:
        """Return how many of the keys exist."""
        return asking(whole, "EXISTS", *keys)

    @method
    def expire(
        self, key: Word, seconds: float, *, nx: bool = False, xx: bool = False, gt: bool = False, lt: bool = False
    ) -> Request[bool]:
        """Let a key expire in `seconds` (fractions too); return whether the deadline was set.

        `nx` sets it only without a deadline, `xx` only with one, `gt` and `lt` only if the new one is later, sooner.
        """
        options = (("NX", nx), ("XX", xx), ("GT", gt), ("LT", lt))
        words = tuple(word for word, given in options if given)
        return doing(flag, "PEXPIRE", key, round(seconds * 1000), *words)

    @method
    def persist(self, key: Word) -> Request[bool]:
        """Remove the deadline of `key`; return whether it had one."""
        return doing(flag, "PERSIST", key)

    @method
    def ttl(self, key: Word) -> Request[int]:
        """Return the seconds until `key` expires; -1 without a deadline, -2 if the key does not exist."""
        return asking(whole, "TTL", key)

    @method
    def pttl(self, key: Word) -> Request[int]:
        """Return the milliseconds until `key` expires; -1 without a deadline, -2 if the key does not exist."""
        return asking(whole, "PTTL", key)

    @method
    def type(self, key: Word) -> Request[str]:
        """Return the kind of the value of `key`: `string`, `list`, `set`, or `none` if it does not exist."""
        return asking(text, "TYPE", key)

    @method
    def rename(self, source: Word, destination: Word) -> Request[None]:
        """Rename a key, replacing `destination` if it exists. Raises Refused if `source` does not exist."""
        return doing(nothing, "RENAME", source, destination)

    # Lists.

    @method
    def lpush(self, key: Word, *values: Word) -> Request[int]:
        """Insert elements one after the other at the head of a list; return its length."""
        return doing(whole, "LPUSH", key, *values)

    @method
    def rpush(self, key: Word, *values: Word) -> Request[int]:
        """Append elements to a list; return its length."""
        return doing(whole, "RPUSH", key, *values)

    @method
    def lpop(self, key: Word, count: int | None = None) -> Request[Any]:
        """Remove and return the first element, or with `count` a list of at most `count` elements."""
        return doing(self._data, "LPOP", key, *(() if count is None else (count,)))

    @method
    def rpop(self, key: Word, count: int | None = None) -> Request[Any]:
        """Remove and return the last element, or with `count` a list of at most `count` elements."""
        return doing(self._data, "RPOP", key, *(() if count is None else (count,)))

    @method
    def blpop(self, *keys: Word, timeout: float) -> Request[tuple[D, D] | None]:
        """Remove the first element of the first list that has one; return (key, element), or None after `timeout`."""
        if not timeout > 0:
            raise LocalProtocolError(f"timeout: wanted seconds above 0, found {timeout!r}")
        return Request(("BLPOP", *keys, timeout), self._pair, patience=timeout)

    def _pair(self, value: Any) -> Any:
        return None if value is None else tuple(self._data(value))

    @method
    def lrange(self, key: Word, start: int = 0, stop: int = -1) -> Request[list[D]]:
        """Return the elements from `start` to `stop`, both included; negative positions count from the end."""
        return asking(self._data, "LRANGE", key, start, stop)

    @method
    def llen(self, key: Word) -> Request[int]:
        """Return the number of elements of a list."""
        return asking(whole, "LLEN", key)

    # Sets.

    @method
    def sadd(self, key: Word, *members: Word) -> Request[int]:
        """Add members to a set; return how many were new."""
        return doing(whole, "SADD", key, *members)

    @method
    def srem(self, key: Word, *members: Word) -> Request[int]:
        """Remove members of a set; return how many existed."""
        return doing(whole, "SREM", key, *members)

    @method
    def smembers(self, key: Word) -> Request[builtins.set[D]]:
        """Return all members as a set."""
        return asking(self._members, "SMEMBERS", key)

    @method
    def sismember(self, key: Word, member: Word) -> Request[bool]:
        """Return whether `member` is in the set."""
        return asking(flag, "SISMEMBER", key, member)

    @method
    def scard(self, key: Word) -> Request[int]:
        """Return the number of members of a set."""
        return asking(whole, "SCARD", key)

    # Pub/sub, and the names of queues and rooms.

    @method
    def publish(self, topic: str | bytes, payload: Word) -> Request[int]:
        """Publish a message to the subscribers of `topic`; return how many received it."""
        return doing(whole, "PUBLISH", topic, payload)

    @method
    def queues(self) -> Request[list[str]]:
        """Return the names of all queues."""
        return asking(_names, "QUEUE.LIST")

    @method
    def rooms(self) -> Request[list[str]]:
        """Return the names of all rooms."""
        return asking(_names, "STREAM.LIST")


def _upper(word: Word) -> str:
    """Return a word of a command as upper-case text."""
    return (word if isinstance(word, str) else encode([word]).decode("latin-1").split("\r\n")[2]).upper()


def _names(value: Iterable[bytes]) -> list[str]:
    return [text(name) for name in value]


def _from_json(value: Any) -> Any:
    return None if value is None else json.loads(value)


def _info(value: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in text(value).split("\r\n") if ":" in line)
    return {name: found for name, _, found in lines}


