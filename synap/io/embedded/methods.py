"""Methods of the in-process database for keys, one for each row: argument names and types, over `call`.

docs/commands.md describes the commands; the docstrings here give arguments and results. A refusal is a `Fault`,
and `fault.row.name` tells which (`"WRONG_TYPE"`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, cast, overload

from synap.either import each_of, either
from synap.io.embedded.queue_methods import BacklogMethods, Key, Value

_NOTHING: Any = object()


class Methods(BacklogMethods):
    """Methods for keys, lists and sets. A subclass has `call` and `_call_waiting`."""

    # Strings.

    def get(self, key: Key) -> Any:
        """Return the value of `key`, None if it does not exist."""
        return self.call("kv.get", key=key)

    @overload
    def set(self, key: Key, value: Value, *, ex: float | None = ..., ttl: float | None = ..., px: int | None = ...,
            exat: int | None = ..., pxat: int | None = ..., nx: bool = ..., xx: bool = ..., keepttl: bool = ...,
            get: Literal[False] = ...) -> bool: ...  # fmt: skip

    @overload
    def set(self, key: Key, value: Value, *, ex: float | None = ..., ttl: float | None = ..., px: int | None = ...,
            exat: int | None = ..., pxat: int | None = ..., nx: bool = ..., xx: bool = ..., keepttl: bool = ...,
            get: Literal[True]) -> Any: ...  # fmt: skip

    def set(self, key: Key, value: Value, *, ex: float | None = None, ttl: float | None = None,
            px: int | None = None, exat: int | None = None, pxat: int | None = None, nx: bool = False,
            xx: bool = False, keepttl: bool = False, get: bool = False) -> Any:  # fmt: skip
        """Set the value of `key`. Return whether it was set, or with `get` the previous value (None: there was none).

        ex, ttl     expire after seconds (fractions too; two names of one option)    px    after milliseconds
        exat, pxat  expire at that time since 1970, in seconds, in milliseconds
        nx, xx      only if the key is missing, exists                keepttl    leave the deadline as it is
        """
        options = {"nx": nx, "xx": xx, "keepttl": keepttl, "get": get}
        times = {**_seconds(either(ex=ex, ttl=ttl), px), "exat": exat, "pxat": pxat}
        fields: dict[str, Any] = {name: True for name, on in options.items() if on}
        fields |= {name: time for name, time in times.items() if time is not None}
        found = self.call("kv.set", key=key, value=value, **fields)
        return found if get else found is not None

    def setnx(self, key: Key, value: Value) -> bool:
        """Set `key` if it does not exist; return whether it was set."""
        return bool(self.call("kv.setnx", key=key, value=value))

    def getset(self, key: Key, value: Value) -> Any:
        """Set the value of `key`; return the previous value, or None."""
        return self.call("kv.getset", key=key, value=value)

    def getdel(self, key: Key) -> Any:
        """Return the value of `key` and remove the key; None if it does not exist."""
        return self.call("kv.getdel", key=key)

    def getex(self, key: Key, *, ex: float | None = None, ttl: float | None = None, px: int | None = None,
              exat: int | None = None, pxat: int | None = None, persist: bool = False) -> Any:  # fmt: skip
        """Return the value of `key`, and set its deadline, or remove the deadline with `persist`."""
        times = _seconds(either(ex=ex, ttl=ttl), px)
        return self._given("kv.getex", key=key, **times, exat=exat, pxat=pxat, persist=persist)

    def delex(self, key: Key, *, ifeq: Value = _NOTHING, ifne: Value = _NOTHING) -> bool:
        """Remove a string if its value equals `ifeq`, or differs from `ifne`; return whether it was removed."""
        conditions = {"ifeq": ifeq, "ifne": ifne}
        given = {name: value for name, value in conditions.items() if value is not _NOTHING}
        return bool(self.call("kv.delex", key=key, **given))

    def setex(self, key: Key, seconds: int, value: Value) -> None:
        """Set the value of `key` for `seconds`, as `set` does with `ttl`."""
        self.call("kv.setex", key=key, ttl=seconds, value=value)

    def psetex(self, key: Key, ms: int, value: Value) -> None:
        """Set the value of `key` for `ms` milliseconds, as `set` does with `px`."""
        self.call("kv.psetex", key=key, px=ms, value=value)

    @overload
    def incr(self, key: Key, amount: int = ...) -> int: ...

    @overload
    def incr(self, key: Key, amount: float) -> float: ...

    def incr(self, key: Key, amount: float = 1) -> float:
        """Add to the number at `key` (0 if missing) and return the sum. A float is added as `incrbyfloat` does."""
        if isinstance(amount, float):
            return self.incrbyfloat(key, amount)
        return cast(int, self.call("kv.add", key=key, amount=amount))

    @overload
    def decr(self, key: Key, amount: int = ...) -> int: ...

    @overload
    def decr(self, key: Key, amount: float) -> float: ...

    def decr(self, key: Key, amount: float = 1) -> float:
        """Subtract from the number at `key` (0 if missing) and return the difference."""
        if isinstance(amount, float):
            return self.incrbyfloat(key, -amount)
        return cast(int, self.call("kv.subtract", key=key, amount=amount))

    def incrbyfloat(self, key: Key, amount: float | str) -> float:
        """Add a decimal number to the number at `key` and return the sum. A text is added exactly as it is written."""
        return float(self.call("kv.incrbyfloat", key=key, amount=str(amount)))

    def append(self, key: Key, value: str | bytes) -> int:
        """Append to the value of `key`; return the new length in bytes."""
        return cast(int, self.call("kv.append", key=key, value=value))

    def strlen(self, key: Key) -> int:
        """Return the length of the value of `key` in bytes, 0 if it does not exist."""
        return cast(int, self.call("kv.strlen", key=key))

    def getrange(self, key: Key, start: int, end: int) -> bytes:
        """Return the bytes from `start` to `end`, both included; negative positions count from the end."""
        return cast(bytes, self.call("kv.getrange", key=key, start=start, end=end) or b"")

    def substr(self, key: Key, start: int, end: int) -> bytes:
        """Return the bytes from `start` to `end`: the older name of `getrange`."""
        return cast(bytes, self.call("kv.substr", key=key, start=start, end=end) or b"")

    def setrange(self, key: Key, offset: int, value: str | bytes) -> int:
        """Overwrite the value from `offset` on; return its new length in bytes."""
        return cast(int, self.call("kv.setrange", key=key, offset=offset, value=value))

    def mget(self, *keys: Key | Sequence[Key]) -> list[Any]:
        """Return the values of many keys, or of one list of keys, None where there is no string.

        From a hundred keys on `get_many` is faster.
        """
        wanted = each_of(keys)
        return cast(list[Any], self.call("kv.mget", keys=wanted)) if wanted else []

    def mset(self, pairs: Mapping[Key, Value] | Iterable[tuple[Key, Value]]) -> None:
        """Set many keys in one atomic step."""
        if found := _pairs(pairs):
            self.call("kv.mset", pairs=found)

    def msetnx(self, pairs: Mapping[Key, Value] | Iterable[tuple[Key, Value]]) -> bool:
        """Set many keys in one atomic step if none of them exists; return whether they were set."""
        return bool(self.call("kv.msetnx", pairs=_pairs(pairs)))

    # Keys of any kind.

    def delete(self, *keys: Key) -> int:
        """Remove keys; return how many existed."""
        return cast(int, self.call("key.delete", keys=keys)) if keys else 0

    def unlink(self, *keys: Key) -> int:
        """Remove keys; return how many existed. Same as `delete`, which also frees large values in steps."""
        return cast(int, self.call("key.unlink", keys=keys)) if keys else 0

    def exists(self, *keys: Key) -> int:
        """Return how many of the keys exist; a key named twice counts twice."""
        return cast(int, self.call("key.exists", keys=keys)) if keys else 0

    def touch(self, *keys: Key) -> int:
        """Mark keys as used; return how many exist."""
        return cast(int, self.call("key.touch", keys=keys)) if keys else 0

    def type(self, key: Key) -> str:
        """Return the kind of the value of `key`: `"string"`, `"list"`, `"set"`, or `"none"` if it does not exist."""
        return cast(bytes, self.call("key.type", key=key)).decode()

    def expire(self, key: Key, seconds: float, *, nx: bool = False, xx: bool = False, gt: bool = False,
               lt: bool = False) -> bool:  # fmt: skip
        """Let `key` expire in `seconds` (fractions too); return whether the deadline was set.

        nx, xx    only if the key has no deadline, has one    gt, lt    only if the new deadline is later, sooner
        """
        if isinstance(seconds, float):
            return self.pexpire(key, round(seconds * 1000), nx=nx, xx=xx, gt=gt, lt=lt)
        return bool(self._given("key.expire_in", key=key, ttl=seconds, nx=nx, xx=xx, gt=gt, lt=lt))

    def pexpire(self, key: Key, ms: int, *, nx: bool = False, xx: bool = False, gt: bool = False,
                lt: bool = False) -> bool:  # fmt: skip
        """Let `key` expire in `ms` milliseconds; otherwise as `expire`."""
        return bool(self._given("key.expire_in_ms", key=key, px=ms, nx=nx, xx=xx, gt=gt, lt=lt))

    def expireat(self, key: Key, seconds: int, *, nx: bool = False, xx: bool = False, gt: bool = False,
                 lt: bool = False) -> bool:  # fmt: skip
        """Let `key` expire at a time in seconds since 1970; otherwise as `expire`."""
        return bool(self._given("key.expire_at", key=key, exat=seconds, nx=nx, xx=xx, gt=gt, lt=lt))

    def pexpireat(self, key: Key, ms: int, *, nx: bool = False, xx: bool = False, gt: bool = False,
                  lt: bool = False) -> bool:  # fmt: skip
        """Let `key` expire at a time in milliseconds since 1970; otherwise as `expire`."""
        return bool(self._given("key.expire_at_ms", key=key, pxat=ms, nx=nx, xx=xx, gt=gt, lt=lt))

    def ttl(self, key: Key) -> int:
        """Return the seconds until `key` expires; -1 without a deadline, -2 if the key does not exist."""
        return cast(int, self.call("key.ttl", key=key))

    def pttl(self, key: Key) -> int:
        """Return the milliseconds until `key` expires; -1 without a deadline, -2 if the key does not exist."""
        return cast(int, self.call("key.ttl_ms", key=key))

    def expiretime(self, key: Key) -> int:
        """Return when `key` expires, in seconds since 1970; -1 without a deadline, -2 if the key does not exist."""
        return cast(int, self.call("key.expire_time", key=key))

    def pexpiretime(self, key: Key) -> int:
        """Return when `key` expires, in ms since 1970; -1 without a deadline, -2 if the key does not exist."""
        return cast(int, self.call("key.expire_time_ms", key=key))

    def persist(self, key: Key) -> bool:
        """Remove the deadline of `key`; return whether it had one."""
        return bool(self.call("key.persist", key=key))

    def rename(self, source: Key, destination: Key) -> None:
        """Rename a key, replacing `destination` if it exists. Raises Fault NO_SUCH_KEY if `source` does not exist."""
        self.call("key.rename", source=source, destination=destination)

    def renamenx(self, source: Key, destination: Key) -> bool:
        """Rename a key if `destination` does not exist; return whether it was renamed. Raises Fault NO_SUCH_KEY."""
        return bool(self.call("key.renamenx", source=source, destination=destination))

    def copy(self, source: Key, destination: Key, *, replace: bool = False) -> bool:
        """Copy a key with its value; return False if it does not exist, or if `destination` does without `replace`."""
        return bool(self._given("key.copy", source=source, destination=destination, replace=replace))

    def move(self, key: Key, db: int) -> bool:
        """Move a key from namespace 0 to another of the 16; return False if it does not exist, or exists there."""
        return bool(self.call("key.move", source=key, db=db))

    def swapdb(self, one: int, two: int) -> None:
        """Exchange the contents of two namespaces."""
        self.call("key.swap", one=one, two=two)

    def keys(self, pattern: Key = "*") -> list[bytes]:
        """Return every key that matches, in no order. Walks all keys in one call; `scan_iter` walks them in steps."""
        return cast(list[bytes], self.call("key.match", pattern=pattern))

    def scan(self, cursor: int = 0, match: Key | None = None, count: int | None = None) -> tuple[int, list[bytes]]:
        """Return (next cursor, keys) of one step through all keys; the next cursor is 0 at the end."""
        after, *found = self._given("key.scan", cursor=str(cursor), pattern=match, count=count)
        return int(after), cast(list[bytes], found[0])

    def scan_iter(self, match: Key | None = None, count: int = 100) -> Iterator[bytes]:
        """Yield every key that matches, about `count` per step, so that other calls can run between the steps.

        Keys that are created or removed meanwhile may be left out; all others are yielded.
        """
        cursor = 0
        while True:
            cursor, found = self.scan(cursor, match, count)
            yield from found
            if not cursor:
                return

    def randomkey(self) -> bytes | None:
        """Return a random key, None if there is none."""
        return cast("bytes | None", self.call("key.random"))

    def dbsize(self) -> int:
        """Return the number of keys."""
        return cast(int, self.call("key.count"))

    def flushdb(self) -> None:
        """Remove every key of namespace 0, which the methods act on."""
        self.call("key.flush_namespace")

    def flush(self) -> None:
        """Remove every key of every namespace."""
        self.call("key.flush")

    # Lists.

    def rpush(self, key: Key, *values: Value) -> int:
        """Append elements to a list; return its length."""
        return cast(int, self.call("list.rpush", key=key, values=values))

    def lpush(self, key: Key, *values: Value) -> int:
        """Insert elements one after the other at the head of a list; return its length."""
        return cast(int, self.call("list.lpush", key=key, values=values))

    def lpop(self, key: Key, count: int | None = None) -> Any:
        """Remove and return the first element (None without one), or with `count` a list (None without a key)."""
        return self._given("list.lpop", key=key, count=count)

    def rpop(self, key: Key, count: int | None = None) -> Any:
        """Remove and return the last element (None without one), or with `count` a list (None without a key)."""
        return self._given("list.rpop", key=key, count=count)

    def blpop(self, *keys: Key, timeout: float = 0) -> tuple[bytes, Any] | None:
        """Remove the first element of the first list that has one; return (its key, the element).

        Waits until there is one, at most `timeout` seconds (0: for ever), then returns None. Other threads can make
        calls meanwhile; waiting threads are served in the order of their calls.
        """
        found = self._call_waiting("list.blpop", keys=keys, timeout=timeout)
        return None if found is None else (found[0], found[1])

    def lrange(self, key: Key, start: int = 0, stop: int = -1) -> list[Any]:
        """Return the elements from `start` to `stop`, both included; negative positions count from the end."""
        return cast(list[Any], self.call("list.range", key=key, start=start, stop=stop))

    def llen(self, key: Key) -> int:
        """Return the number of elements of a list."""
        return cast(int, self.call("list.len", key=key))

    # Sets.

    def sadd(self, key: Key, *members: Value) -> int:
        """Add members to a set; return how many were new."""
        return cast(int, self.call("set.add", key=key, members=members))

    def srem(self, key: Key, *members: Value) -> int:
        """Remove members of a set; return how many existed."""
        return cast(int, self.call("set.remove", key=key, members=members))

    def spop(self, key: Key, count: int | None = None) -> Any:
        """Remove and return a random member (None without one), or with `count` a list of at most `count`."""
        return self._given("set.pop", key=key, count=count)

    def smembers(self, key: Key) -> list[Any]:
        """Return every member, in no order. The result is a list, because members may be JSON arrays and objects."""
        return cast(list[Any], self.call("set.members", key=key))

    def sismember(self, key: Key, member: Value) -> bool:
        """Return whether `member` is in the set."""
        return bool(self.call("set.ismember", key=key, member=member))

    def scard(self, key: Key) -> int:
        """Return the number of members of a set."""
        return cast(int, self.call("set.card", key=key))


def _seconds(seconds: float | None, px: int | None) -> dict[str, int | None]:
    """Return the fields of a time to live: whole seconds as `ttl`, a float or `px` as milliseconds."""
    if not isinstance(seconds, float):
        return {"ttl": seconds, "px": px}
    return {"px": either(seconds=round(seconds * 1000), px=px)}


def _pairs(pairs: Mapping[Key, Value] | Iterable[tuple[Key, Value]]) -> list[tuple[Key, Value]]:
    return list(pairs.items()) if isinstance(pairs, Mapping) else [(key, value) for key, value in pairs]
