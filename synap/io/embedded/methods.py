"""One method for each row that a program may call in-process, over `call`: names and types, no logic of the store.

What a method is for stands in its row (docs/commands.md); here is what it takes and gives. A refusal is a
`Fault`, and `fault.row.name` says which (`"WRONG_TYPE"`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, cast, overload

from synap.either import each_of, either
from synap.io.embedded.queue_methods import BacklogMethods, Key, Value

_NOTHING: Any = object()


class Methods(BacklogMethods):
    """The methods; whoever inherits has `call` and `_call_waiting`."""

    # Strings.

    def get(self, key: Key) -> Any:
        """The value of `key`, None if there is none."""
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
        """Set the value of `key`; whether it was set, or with `get` the value before (None: there was none).

        ex, ttl expire in so many seconds (fractions too; two names of one thing)    px    in milliseconds
        exat, pxat  at that time since 1970, in seconds, in milliseconds
        nx, xx  only if the key is missing, is there                  keepttl       leave the deadline as it is
        """
        options = {"nx": nx, "xx": xx, "keepttl": keepttl, "get": get}
        times = {**_seconds(either(ex=ex, ttl=ttl), px), "exat": exat, "pxat": pxat}
        fields: dict[str, Any] = {name: True for name, on in options.items() if on}
        fields |= {name: time for name, time in times.items() if time is not None}
        found = self.call("kv.set", key=key, value=value, **fields)
        return found if get else found is not None

    def setnx(self, key: Key, value: Value) -> bool:
        """Set a key that is missing; whether it was."""
        return bool(self.call("kv.setnx", key=key, value=value))

    def getset(self, key: Key, value: Value) -> Any:
        """Set the value of `key`; the one before, or None."""
        return self.call("kv.getset", key=key, value=value)

    def getdel(self, key: Key) -> Any:
        """The value of `key`, which is removed; None if there is none."""
        return self.call("kv.getdel", key=key)

    def getex(self, key: Key, *, ex: float | None = None, ttl: float | None = None, px: int | None = None,
              exat: int | None = None, pxat: int | None = None, persist: bool = False) -> Any:  # fmt: skip
        """The value of `key`, and another deadline for it, or none with `persist`."""
        times = _seconds(either(ex=ex, ttl=ttl), px)
        return self._given("kv.getex", key=key, **times, exat=exat, pxat=pxat, persist=persist)

    def delex(self, key: Key, *, ifeq: Value = _NOTHING, ifne: Value = _NOTHING) -> bool:
        """Remove a string if its value is `ifeq`, or is not `ifne`; whether it was removed."""
        conditions = {"ifeq": ifeq, "ifne": ifne}
        given = {name: value for name, value in conditions.items() if value is not _NOTHING}
        return bool(self.call("kv.delex", key=key, **given))

    def setex(self, key: Key, seconds: int, value: Value) -> None:
        """Set the value of `key` for some seconds; as `set` with `ttl`, which reads better."""
        self.call("kv.setex", key=key, ttl=seconds, value=value)

    def psetex(self, key: Key, ms: int, value: Value) -> None:
        """The same in milliseconds."""
        self.call("kv.psetex", key=key, px=ms, value=value)

    @overload
    def incr(self, key: Key, amount: int = ...) -> int: ...

    @overload
    def incr(self, key: Key, amount: float) -> float: ...

    def incr(self, key: Key, amount: float = 1) -> float:
        """Add to the number at `key` (0 if missing); the sum. A float is added as `incrbyfloat` does."""
        if isinstance(amount, float):
            return self.incrbyfloat(key, amount)
        return cast(int, self.call("kv.add", key=key, amount=amount))

    @overload
    def decr(self, key: Key, amount: int = ...) -> int: ...

    @overload
    def decr(self, key: Key, amount: float) -> float: ...

    def decr(self, key: Key, amount: float = 1) -> float:
        """Take away from the number at `key` (0 if missing); what is left."""
        if isinstance(amount, float):
            return self.incrbyfloat(key, -amount)
        return cast(int, self.call("kv.subtract", key=key, amount=amount))

    def incrbyfloat(self, key: Key, amount: float | str) -> float:
        """Add a decimal number to the one at `key`; the sum. A text is added exactly as it stands."""
        return float(self.call("kv.incrbyfloat", key=key, amount=str(amount)))

    def append(self, key: Key, value: str | bytes) -> int:
        """Append to the value of `key`; its length in bytes."""
        return cast(int, self.call("kv.append", key=key, value=value))

    def strlen(self, key: Key) -> int:
        """Bytes of the value of `key`, 0 if there is none."""
        return cast(int, self.call("kv.strlen", key=key))

    def getrange(self, key: Key, start: int, end: int) -> bytes:
        """The bytes from `start` to `end`, both included; negative ones count from the end."""
        return cast(bytes, self.call("kv.getrange", key=key, start=start, end=end) or b"")

    def substr(self, key: Key, start: int, end: int) -> bytes:
        """The older name of `getrange`."""
        return cast(bytes, self.call("kv.substr", key=key, start=start, end=end) or b"")

    def setrange(self, key: Key, offset: int, value: str | bytes) -> int:
        """Overwrite the value from `offset` on; its length in bytes."""
        return cast(int, self.call("kv.setrange", key=key, offset=offset, value=value))

    def mget(self, *keys: Key | Sequence[Key]) -> list[Any]:
        """The values of many keys, or of one list of them, None where there is no string. `get_many` is faster from a
        hundred on."""
        wanted = each_of(keys)
        return cast(list[Any], self.call("kv.mget", keys=wanted)) if wanted else []

    def mset(self, pairs: Mapping[Key, Value] | Iterable[tuple[Key, Value]]) -> None:
        """Set many keys in one step."""
        if found := _pairs(pairs):
            self.call("kv.mset", pairs=found)

    def msetnx(self, pairs: Mapping[Key, Value] | Iterable[tuple[Key, Value]]) -> bool:
        """Set many keys in one step if none of them is there; whether they were set."""
        return bool(self.call("kv.msetnx", pairs=_pairs(pairs)))

    # Keys of any kind.

    def delete(self, *keys: Key) -> int:
        """Remove keys; how many were there."""
        return cast(int, self.call("key.delete", keys=keys)) if keys else 0

    def unlink(self, *keys: Key) -> int:
        """The same: what large ones held is freed in steps either way."""
        return cast(int, self.call("key.unlink", keys=keys)) if keys else 0

    def exists(self, *keys: Key) -> int:
        """How many of the keys there are; one that is named twice counts twice."""
        return cast(int, self.call("key.exists", keys=keys)) if keys else 0

    def touch(self, *keys: Key) -> int:
        """The same, and they count as used."""
        return cast(int, self.call("key.touch", keys=keys)) if keys else 0

    def type(self, key: Key) -> str:
        """What the key holds: `"string"`, `"list"`, `"set"`, or `"none"`."""
        return cast(bytes, self.call("key.type", key=key)).decode()

    def expire(self, key: Key, seconds: float, *, nx: bool = False, xx: bool = False, gt: bool = False,
               lt: bool = False) -> bool:  # fmt: skip
        """Let `key` expire in so many seconds (fractions too); whether the deadline was set.

        nx, xx    only if it has no deadline, has one        gt, lt    only if the new one is later, sooner
        """
        if isinstance(seconds, float):
            return self.pexpire(key, round(seconds * 1000), nx=nx, xx=xx, gt=gt, lt=lt)
        return bool(self._given("key.expire_in", key=key, ttl=seconds, nx=nx, xx=xx, gt=gt, lt=lt))

    def pexpire(self, key: Key, ms: int, *, nx: bool = False, xx: bool = False, gt: bool = False,
                lt: bool = False) -> bool:  # fmt: skip
        """`expire` in milliseconds."""
        return bool(self._given("key.expire_in_ms", key=key, px=ms, nx=nx, xx=xx, gt=gt, lt=lt))

    def expireat(self, key: Key, seconds: int, *, nx: bool = False, xx: bool = False, gt: bool = False,
                 lt: bool = False) -> bool:  # fmt: skip
        """`expire` at a moment, in seconds since 1970."""
        return bool(self._given("key.expire_at", key=key, exat=seconds, nx=nx, xx=xx, gt=gt, lt=lt))

    def pexpireat(self, key: Key, ms: int, *, nx: bool = False, xx: bool = False, gt: bool = False,
                  lt: bool = False) -> bool:  # fmt: skip
        """`expire` at a moment, in milliseconds since 1970."""
        return bool(self._given("key.expire_at_ms", key=key, pxat=ms, nx=nx, xx=xx, gt=gt, lt=lt))

    def ttl(self, key: Key) -> int:
        """Seconds until `key` expires; -1 without a deadline, -2 without a key."""
        return cast(int, self.call("key.ttl", key=key))

    def pttl(self, key: Key) -> int:
        """The same in milliseconds."""
        return cast(int, self.call("key.ttl_ms", key=key))

    def expiretime(self, key: Key) -> int:
        """When `key` expires, in seconds since 1970; -1 without a deadline, -2 without a key."""
        return cast(int, self.call("key.expire_time", key=key))

    def pexpiretime(self, key: Key) -> int:
        """The same in milliseconds."""
        return cast(int, self.call("key.expire_time_ms", key=key))

    def persist(self, key: Key) -> bool:
        """Take the deadline from `key`; whether it had one."""
        return bool(self.call("key.persist", key=key))

    def rename(self, source: Key, destination: Key) -> None:
        """Give a key another name, over what stands there. Raises Fault NO_SUCH_KEY if it is missing."""
        self.call("key.rename", source=source, destination=destination)

    def renamenx(self, source: Key, destination: Key) -> bool:
        """The same if `destination` is free; whether it was. Raises Fault NO_SUCH_KEY."""
        return bool(self.call("key.renamenx", source=source, destination=destination))

    def copy(self, source: Key, destination: Key, *, replace: bool = False) -> bool:
        """Copy a key and what it holds; False if it is missing, or `destination` is there and `replace` is not."""
        return bool(self._given("key.copy", source=source, destination=destination, replace=replace))

    def move(self, key: Key, db: int) -> bool:
        """Move a key to another of the 16 namespaces (methods act on 0); False if it is missing, or is there."""
        return bool(self.call("key.move", source=key, db=db))

    def swapdb(self, one: int, two: int) -> None:
        """Exchange what two namespaces hold."""
        self.call("key.swap", one=one, two=two)

    def keys(self, pattern: Key = "*") -> list[bytes]:
        """Every key that matches, in no order. Walks all keys: `scan_iter` does it in steps."""
        return cast(list[bytes], self.call("key.match", pattern=pattern))

    def scan(self, cursor: int = 0, match: Key | None = None, count: int | None = None) -> tuple[int, list[bytes]]:
        """One window of keys: (the cursor to go on with, 0 at the end; the keys)."""
        after, *found = self._given("key.scan", cursor=str(cursor), pattern=match, count=count)
        return int(after), cast(list[bytes], found[0])

    def scan_iter(self, match: Key | None = None, count: int = 100) -> Iterator[bytes]:
        """Every key that matches, `count` or so in a step, so other calls may come between.

        Keys that come or go meanwhile may be left out; those that stay are not.
        """
        cursor = 0
        while True:
            cursor, found = self.scan(cursor, match, count)
            yield from found
            if not cursor:
                return

    def randomkey(self) -> bytes | None:
        """A key drawn at random, None if there is none."""
        return cast("bytes | None", self.call("key.random"))

    def dbsize(self) -> int:
        """How many keys there are."""
        return cast(int, self.call("key.count"))

    def flushdb(self) -> None:
        """Remove every key of namespace 0, which is what the methods see."""
        self.call("key.flush_namespace")

    def flush(self) -> None:
        """Remove every key of every namespace."""
        self.call("key.flush")

    # Lists.

    def rpush(self, key: Key, *values: Value) -> int:
        """Append elements; the length of the list."""
        return cast(int, self.call("list.rpush", key=key, values=values))

    def lpush(self, key: Key, *values: Value) -> int:
        """Put elements in front, one after the other; the length of the list."""
        return cast(int, self.call("list.lpush", key=key, values=values))

    def lpop(self, key: Key, count: int | None = None) -> Any:
        """Take the first element (None without one), or with `count` a list of up to so many (None without a key)."""
        return self._given("list.lpop", key=key, count=count)

    def rpop(self, key: Key, count: int | None = None) -> Any:
        """The same from the right."""
        return self._given("list.rpop", key=key, count=count)

    def blpop(self, *keys: Key, timeout: float = 0) -> tuple[bytes, Any] | None:
        """Take the first element of the first list that has one: (its key, the element).

        Waits until one has, at most `timeout` seconds (0: for ever), then None. Other threads go on meanwhile, and
        those that wait are served in turn.
        """
        found = self._call_waiting("list.blpop", keys=keys, timeout=timeout)
        return None if found is None else (found[0], found[1])

    def lrange(self, key: Key, start: int = 0, stop: int = -1) -> list[Any]:
        """The elements from `start` to `stop`, both included, negative from the end."""
        return cast(list[Any], self.call("list.range", key=key, start=start, stop=stop))

    def llen(self, key: Key) -> int:
        """How many elements the list has."""
        return cast(int, self.call("list.len", key=key))

    # Sets.

    def sadd(self, key: Key, *members: Value) -> int:
        """Add members; how many were new."""
        return cast(int, self.call("set.add", key=key, members=members))

    def srem(self, key: Key, *members: Value) -> int:
        """Remove members; how many were there."""
        return cast(int, self.call("set.remove", key=key, members=members))

    def spop(self, key: Key, count: int | None = None) -> Any:
        """Take a member drawn at random (None without one), or with `count` a list of up to so many."""
        return self._given("set.pop", key=key, count=count)

    def smembers(self, key: Key) -> list[Any]:
        """Every member, in no order. A list, as members may be JSON arrays and objects."""
        return cast(list[Any], self.call("set.members", key=key))

    def sismember(self, key: Key, member: Value) -> bool:
        """Is this a member?"""
        return bool(self.call("set.ismember", key=key, member=member))

    def scard(self, key: Key) -> int:
        """How many members the set has."""
        return cast(int, self.call("set.card", key=key))


def _seconds(seconds: float | None, px: int | None) -> dict[str, int | None]:
    """The fields of a time to live: whole seconds, or milliseconds."""
    if not isinstance(seconds, float):
        return {"ttl": seconds, "px": px}
    return {"px": either(seconds=round(seconds * 1000), px=px)}


def _pairs(pairs: Mapping[Key, Value] | Iterable[tuple[Key, Value]]) -> list[tuple[Key, Value]]:
    return list(pairs.items()) if isinstance(pairs, Mapping) else [(key, value) for key, value in pairs]
