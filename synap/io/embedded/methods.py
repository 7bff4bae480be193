"""In-process methods on keys that are written by hand; the others are generated from the rows, see `generated`.

A method is written by hand where it takes what one row does not: seconds with fractions, a list of keys, floats to
add; or where it makes several calls. Its row says so (`Method.by_hand`).
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, Literal, TypeVar, cast, overload

from synap.either import each_of, either
from synap.io.embedded.calls import Key, Value, given
from synap.io.embedded.change_methods import ChangeMethods
from synap.io.embedded.queue_methods import QueueMethods
from synap.io.embedded.script_methods import ScriptMethods
from synap.io.embedded.stream_methods import EntryMethods
from synap.io.embedded.topic_methods import TopicMethods

T = TypeVar("T")


class Methods(QueueMethods, ScriptMethods, EntryMethods, TopicMethods, ChangeMethods):
    """All methods of a database. A subclass has `call` and `_call_waiting`."""

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
        fields = given(nx=nx, xx=xx, keepttl=keepttl, get=get, exat=exat, pxat=pxat, **_seconds(ex, ttl, px))
        found = self.call("kv.set", key=key, value=value, **fields)
        return found if get else found is not None

    def getex(self, key: Key, *, ex: float | None = None, ttl: float | None = None, px: int | None = None,
              exat: int | None = None, pxat: int | None = None, persist: bool = False) -> Any:  # fmt: skip
        """Return the value of `key`, and set its deadline, or remove the deadline with `persist`."""
        return self.call("kv.getex", key=key, **given(exat=exat, pxat=pxat, persist=persist, **_seconds(ex, ttl, px)))

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

    def mget(self, *keys: Key | Sequence[Key]) -> list[Any]:
        """Return the values of many keys, or of one list of keys, None where there is no string.

        From a hundred keys on `get_many` is faster.
        """
        wanted = each_of(keys)
        return cast(list[Any], self.call("kv.mget", keys=wanted)) if wanted else []

    def expire(self, key: Key, seconds: float, *, nx: bool = False, xx: bool = False, gt: bool = False,
               lt: bool = False) -> bool:  # fmt: skip
        """Let `key` expire in `seconds` (fractions too); return whether the deadline was set.

        nx, xx    only if the key has no deadline, has one    gt, lt    only if the new deadline is later, sooner
        """
        if isinstance(seconds, float):
            return self.pexpire(key, round(seconds * 1000), nx=nx, xx=xx, gt=gt, lt=lt)
        return bool(self.call("key.expire_in", key=key, ttl=seconds, **given(nx=nx, xx=xx, gt=gt, lt=lt)))

    def scan(self, cursor: int = 0, match: Key | None = None, count: int | None = None) -> tuple[int, list[bytes]]:
        """Return (next cursor, keys) of one step through all keys; the next cursor is 0 at the end."""
        after, *found = self.call("key.scan", cursor=str(cursor), **given(pattern=match, count=count))
        return int(after), cast(list[bytes], found[0])

    def scan_iter(self, match: Key | None = None, count: int = 100) -> Iterator[bytes]:
        """Yield every key that matches, about `count` per step, so that other calls can run between the steps.

        Keys that are created or removed meanwhile may be left out; all others are yielded.
        """
        yield from chain.from_iterable(_steps(lambda cursor: self.scan(cursor, match, count)))

    def sscan(
        self, key: Key, cursor: int = 0, match: Key | None = None, count: int | None = None
    ) -> tuple[int, list[Any]]:
        """Return (next cursor, members) of one step through the members of a set; the next cursor is 0 at the end."""
        after, *found = self.call("set.scan", key=key, cursor=str(cursor), **given(pattern=match, count=count))
        return int(after), cast(list[Any], found[0])

    def sscan_iter(self, key: Key, match: Key | None = None, count: int = 100) -> Iterator[Any]:
        """Yield every member of a set that matches, about `count` per step, as `scan_iter` does with keys."""
        yield from chain.from_iterable(_steps(lambda cursor: self.sscan(key, cursor, match, count)))

    def hscan(
        self, key: Key, cursor: int = 0, match: Key | None = None, count: int | None = None
    ) -> tuple[int, dict[bytes, Any]]:
        """Return (next cursor, fields with values) of one step through a hash; the next cursor is 0 at the end."""
        after, *found = self.call("hash.scan", key=key, cursor=str(cursor), **given(pattern=match, count=count))
        texts = cast(list[Any], found[0])
        return int(after), dict(zip(texts[::2], texts[1::2], strict=True))

    def hscan_iter(self, key: Key, match: Key | None = None, count: int = 100) -> Iterator[tuple[bytes, Any]]:
        """Yield every field of a hash that matches with its value, about `count` per step, as `scan_iter` does."""
        yield from (pair for fields in _steps(lambda cursor: self.hscan(key, cursor, match, count))
                    for pair in fields.items())  # fmt: skip

    def zscan(
        self, key: Key, cursor: int = 0, match: Key | None = None, count: int | None = None
    ) -> tuple[int, list[tuple[Any, float]]]:
        """Return (next cursor, members with scores) of one step through a sorted set; the next cursor is 0 at the
        end."""
        after, *found = self.call("zset.scan", key=key, cursor=str(cursor), **given(pattern=match, count=count))
        items = cast(list[Any], found[0])
        return int(after), [(member, float(score)) for member, score in zip(items[::2], items[1::2], strict=True)]

    def zscan_iter(self, key: Key, match: Key | None = None, count: int = 100) -> Iterator[tuple[Any, float]]:
        """Yield every member of a sorted set that matches with its score, about `count` per step, as `scan_iter`
        does."""
        yield from chain.from_iterable(_steps(lambda cursor: self.zscan(key, cursor, match, count)))


def _steps(step: Callable[[int], tuple[int, T]]) -> Iterator[T]:
    """Yield what each step of a scan finds; a step takes a cursor and returns the next one, 0 at the end."""
    cursor = 0
    while True:
        cursor, found = step(cursor)
        yield found
        if not cursor:
            return


def _seconds(ex: float | None, ttl: float | None, px: int | None) -> dict[str, int | None]:
    """Return the fields of a time to live: whole seconds as `ttl`, a float or `px` as milliseconds."""
    seconds = either(ex=ex, ttl=ttl)
    if not isinstance(seconds, float):
        return {"ttl": seconds, "px": px}
    return {"px": either(seconds=round(seconds * 1000), px=px)}
