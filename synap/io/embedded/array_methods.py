"""Methods of the in-process database for many elements of one structure, in numpy arrays.

They make ordinary calls of HSET, ZADD, SADD, ... with up to PIECE_ITEMS elements each: guards, statistics, keyspace
notifications, the log and the calls that wait are those of these commands.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from synap.derive.packed_calls import call_of
from synap.engine.outcomes import Outcome
from synap.io.embedded.array_calls import Columns, GroupRow, Items, joined
from synap.io.embedded.arrays import Elements, Found, Reals, Scores, checked_dtype, column, reals
from synap.io.embedded.bulk_methods import BulkMethods
from synap.io.embedded.calls import Key, given
from synap.store.memory import layout

Taken = TypeVar("Taken")


class ArrayMethods(BulkMethods):
    """Methods for many elements of one structure. A subclass has an engine behind a lock.

    Elements (`fields`, `values`, `members`) are an array of dtype `S` or of integers, a pair (blob, offsets) or a
    sequence of str or bytes; see `synap.io.embedded.arrays`. Integers are stored as an int that is given to `sadd`, as
    names of fields as their digits. Before anything is stored, TypeError or ValueError is raised for what is none of
    these, for several dimensions, for NaN among the scores and for arrays of different lengths.

    A call with more than 65,536 elements, or 16 MiB of texts, is carried out in pieces of that size. No other call of
    this program runs in between. Each piece is one change in the log: after a crash, all of it or nothing is there. A
    call that is refused half-way, as memory is exhausted, leaves the pieces before that stored.

    Methods with a `dtype` return an array of dtype `S` as wide as the longest text; `dtype=int` or `dtype=object`
    asks for integers or for bytes (`Found.array` explains which errors this can raise). An element that is neither
    text nor bytes is returned as JSON.
    """

    _group_rows: dict[str, GroupRow]

    def call(self, name: str, /, **fields: Any) -> Any:
        """Make the call of a row: see `Database.call`."""
        raise NotImplementedError

    def _value(self, outcome: Outcome, fields: dict[str, Any]) -> Any:
        """Return what a call answers: see `Database._value`."""
        raise NotImplementedError

    # Hashes.

    def hset_many(self, key: Key, fields: Elements, values: Elements) -> int:
        """Set fields of a hash, as `hset` does; return how many are new. A field named twice has the last value."""
        columns = Columns(fields=column("fields", fields), values=column("values", values))
        return sum(self._store("hash.mset", columns, key=key))

    def hmget_many(self, key: Key, fields: Elements, dtype: DTypeLike | None = None) -> Any:
        """Return the values of fields as a list of bytes (None: missing), or with `dtype` as an array.

        An array of dtype `S` is empty where a field is missing; there is no integer for a missing field.
        """
        wanted = None if dtype is None else checked_dtype(dtype)
        found = self.hmget_blob(key, fields)
        return found.tolist() if wanted is None else found.array(wanted)

    def hmget_blob(self, key: Key, fields: Elements) -> Found:
        """Return the values of fields concatenated, with their offsets, as `get_blob` does with those of keys."""
        return joined(self._look_up("hash.mget", Columns(fields=column("fields", fields)), Items.texts, key=key))

    def hgetall_arrays(
        self, key: Key, dtype: DTypeLike = "S", *, field_dtype: DTypeLike = "S"
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the fields of a hash and their values as two arrays, in no particular order.

        `dtype` is that of the values.
        """
        kinds = checked_dtype(field_dtype), checked_dtype(dtype)
        return self._read(
            "hash.getall", lambda items: (items.array(kinds[0], 0), items.array(kinds[1], 1)), 1, 2, key=key
        )

    # Sorted sets.

    def zadd_many(self, key: Key, members: Elements, scores: Scores, *, nx: bool = False, xx: bool = False,
                  gt: bool = False, lt: bool = False, ch: bool = False) -> int:  # fmt: skip
        """Add members with their scores to a sorted set, with the options of `zadd`; return how many are new.

        `scores` are float64, or numbers that become float64, one for each member.
        """
        columns = Columns(scores=reals("scores", scores), members=column("members", members))
        return sum(self._store("zset.add", columns, key=key, **given(nx=nx, xx=xx, gt=gt, lt=lt, ch=ch)))

    def zscore_many(self, key: Key, members: Elements) -> Reals:
        """Return the scores of members as float64, NaN for each text that is no member."""
        found = self._look_up("zset.scores", Columns(members=column("members", members)), Items.reals, key=key)
        return np.concatenate([np.empty(0), *found])

    def zrange_arrays(self, key: Key, start: float | str | None = None, stop: float | str | None = None, *,
                      byscore: bool = False, rev: bool = False, offset: int | None = None, count: int | None = None,
                      dtype: DTypeLike = "S") -> tuple[NDArray[Any], Reals]:  # fmt: skip
        """Return members of a sorted set and their scores (float64) as two arrays, in the order of `zrange`.

        start, stop      both included: positions, or with `byscore` scores (`"(1.5"`: above 1.5); the higher score is
                         the start if `rev`; None: from the first member, to the last one
        offset, count    only so many of the members between two scores, after `offset` of them
        """
        wanted = checked_dtype(dtype)
        first, last = ("-inf", "+inf") if byscore else ("0", "-1")
        if rev and byscore:
            first, last = last, first
        if count is not None and offset is None:
            offset = 0
        return self._read(
            "zset.range", lambda items: (items.array(wanted, 1), items.reals(2)), 1, 3, key=key,
            start=first if start is None else _bound(start), stop=last if stop is None else _bound(stop),
            withscores=True, **given(byscore=byscore, rev=rev, offset=offset, count=count),
        )  # fmt: skip

    # Sets.

    def sadd_many(self, key: Key, members: Elements) -> int:
        """Add members to a set, as `sadd` does; return how many are new."""
        return sum(self._store("set.add", Columns(members=column("members", members)), key=key))

    def smismember_many(self, key: Key, members: Elements) -> NDArray[np.bool_]:
        """Return for each text if it is a member of a set, as an array of booleans."""
        found = self._look_up("set.has_many", Columns(members=column("members", members)), Items.booleans, key=key)
        return np.concatenate([np.empty(0, np.bool_), *found])

    def smembers_array(self, key: Key, dtype: DTypeLike = "S") -> NDArray[Any]:
        """Return the members of a set as an array, in no particular order."""
        return self._texts("set.members", dtype, key=key)

    def sinter_array(self, *keys: Key, dtype: DTypeLike = "S") -> NDArray[Any]:
        """Return the members that are in all of several sets as an array, in no particular order."""
        return self._texts("set.inter", dtype, keys=keys)

    def sunion_array(self, *keys: Key, dtype: DTypeLike = "S") -> NDArray[Any]:
        """Return the members that are in any of several sets as an array, in no particular order."""
        return self._texts("set.union", dtype, keys=keys)

    def sdiff_array(self, *keys: Key, dtype: DTypeLike = "S") -> NDArray[Any]:
        """Return the members of the first set that are in none of the others as an array, in no particular order."""
        return self._texts("set.diff", dtype, keys=keys)

    # Lists.

    def rpush_many(self, key: Key, values: Elements) -> int:
        """Append elements to a list and return its length."""
        return self._push("list.rpush", key, values)

    def lpush_many(self, key: Key, values: Elements) -> int:
        """Put elements before a list, one by one, so that the last one is the first; return its length."""
        return self._push("list.lpush", key, values)

    def lrange_array(self, key: Key, start: int = 0, stop: int = -1, dtype: DTypeLike = "S") -> NDArray[Any]:
        """Return the elements of a list from `start` to `stop`, both included, as an array."""
        return self._texts("list.range", dtype, key=key, start=start, stop=stop)

    def _push(self, name: str, key: Key, values: Elements) -> int:
        lengths = self._store(name, Columns(values=column("values", values)), key=key)
        return lengths[-1] if lengths else cast(int, self.call("list.len", key=key))

    # Calls.

    def _texts(self, name: str, dtype: DTypeLike, **fields: Any) -> NDArray[Any]:
        wanted = checked_dtype(dtype)
        return self._read(name, lambda items: items.array(wanted), **fields)

    def _read(
        self, name: str, take: Callable[[Items], Taken], first: int = 0, step: int = 1, /, **fields: Any
    ) -> Taken:
        """Make the call of a row and return what `take` makes of its reply; `first` and `step` as of `Items`."""
        engine = self._engine
        call = call_of(engine.catalogue.by_name[name], 0, **fields)
        with self._lock:
            self._check_open()
            now = self._clock.now()
            try:
                return take(self._items(engine.call(self._caller, call, now), fields, first, step))
            finally:
                self._finish(now)

    def _look_up(self, name: str, columns: Columns, take: Callable[[Items], Taken], **fields: Any) -> list[Taken]:
        """Make calls of a row that reads, and return what `take` makes of the reply to each piece."""
        return self._in_pieces(name, columns, lambda outcome: take(self._items(outcome, fields)), fields)

    def _store(self, name: str, columns: Columns, **fields: Any) -> list[int]:
        """Make calls of a row that writes, and return the number that is the reply to each piece."""
        return self._in_pieces(name, columns, lambda outcome: cast(int, self._value(outcome, fields)), fields)

    def _in_pieces(
        self, name: str, columns: Columns, take: Callable[[Outcome], Taken], fields: dict[str, Any]
    ) -> list[Taken]:
        engine = self._engine
        group = self._group_rows.get(name)
        if group is None:
            group = self._group_rows[name] = GroupRow(engine.catalogue.by_name[name])
        head, blob = group.head(fields)
        limits = [self._settings.number(f"limits.{name}_bytes_max") for name in ("bulk", "query")]
        pieces = columns.pieces(len(blob), *limits)
        found: list[Taken] = []
        with self._lock:
            self._check_open()
            if not pieces:
                engine.admit_to(name, self._caller, self._clock.now())

            def make(done: int, now: int) -> int:
                first, last = pieces[len(found)]
                sizes = group.put(engine, head, blob, columns, first, last)
                found.append(take(engine.execute(self._caller, engine.row_at[name], layout.CALL, *sizes, now)))
                return last - first

            self._in_steps(make, len(columns), "LOG_FAILED")
        return found

    def _items(self, outcome: Outcome, fields: dict[str, Any], first: int = 0, step: int = 1) -> Items:
        """Return the items of a reply. Raises Fault if the call was refused."""
        if outcome.failed:
            self._value(outcome, fields)
        return Items(self._engine, outcome, first, step)


def _bound(end: float | str) -> str:
    """Return an end of a range as the row takes it."""
    return str(float(end)) if isinstance(end, float) else str(end)
