"""In-process methods of streams that are written by hand: entries become an id and a dictionary, as in redis-py."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from synap.io.embedded.calls import Calls, Key, Value, given, paired, report, title

Fields: TypeAlias = Mapping[Key, Value] | Iterable[tuple[Key, Value]]
Entry: TypeAlias = tuple[str, dict[bytes, Any] | None]
"""The id of an entry and its fields; None if a consumer has it pending and it was deleted meanwhile."""


class EntryMethods(Calls):
    """Methods of streams. A subclass has `call` and `_call_waiting`."""

    def xadd(
        self, key: Key, fields: Fields, *, id: str = "*", maxlen: int | None = None, minid: str | None = None,
        approximate: bool = False, limit: int | None = None, nomkstream: bool = False,
    ) -> str | None:  # fmt: skip
        """Append an entry to a stream and return its ID; `*` stands for a new one. Then the stream has at most `maxlen`
        entries, or none below `minid`; `approximate`: a few more, which costs less. Return None if the stream is
        missing and `nomkstream` says not to create it."""
        found = self.call("xstream.add", key=key, id=id, fields=paired(fields),
                          **_trim(maxlen, minid, approximate, limit), **given(nomkstream=nomkstream))  # fmt: skip
        return None if found is None else title(found)

    def xtrim(
        self, key: Key, *, maxlen: int | None = None, minid: str | None = None, approximate: bool = False,
        limit: int | None = None,
    ) -> int:  # fmt: skip
        """Remove the first entries of a stream until it has at most `maxlen`, or those below `minid`; return how many.
        `approximate`: leave a few more, which costs less."""
        return int(self.call("xstream.trim", key=key, **_trim(maxlen, minid, approximate, limit)))

    def xrange(self, key: Key, start: str = "-", end: str = "+", *, count: int | None = None) -> list[Entry]:
        """Return the entries of a stream whose IDs are in a range; `(` before an ID leaves it out."""
        return _entries(self.call("xstream.range", key=key, start=start, end=end, **given(count=count)))

    def xrevrange(self, key: Key, end: str = "+", start: str = "-", *, count: int | None = None) -> list[Entry]:
        """Return the entries of a stream whose IDs are in a range, the last one first."""
        return _entries(self.call("xstream.revrange", key=key, end=end, start=start, **given(count=count)))

    def xread(
        self, streams: Mapping[Key, str] | Iterable[tuple[Key, str]], *, count: int | None = None,
        block: int | None = None,
    ) -> dict[bytes, list[Entry]]:  # fmt: skip
        """Return the entries of streams behind the given IDs, by stream; `$` is the last one. With `block`, wait for
        some, at most so many ms (0: no limit)."""
        return _by_stream(self._call_waiting("xstream.read", streams=_halves(streams),
                                             **given(count=count), **_block(block)))  # fmt: skip

    def xreadgroup(
        self, group: str, consumer: str, streams: Mapping[Key, str] | Iterable[tuple[Key, str]], *,
        count: int | None = None, block: int | None = None, noack: bool = False,
    ) -> dict[bytes, list[Entry]]:  # fmt: skip
        """Deliver entries of streams to a consumer of a group and return them by stream: new ones for the ID `>`, else
        those that it has pending. `noack`: they need no ack; `block` as in `xread`."""
        return _by_stream(self._call_waiting(
            "xstream.readgroup", group=group, consumer=consumer, streams=_halves(streams),
            **given(count=count, noack=noack), **_block(block),
        ))  # fmt: skip

    def xpending(self, key: Key, group: str) -> dict[str, Any]:
        """Return how many entries a group has pending (`count`), the `first` and the `last` ID, and how many each of
        the `consumers` has."""
        count, first, last, consumers = self.call("xstream.pending", key=key, group=group)
        return {
            "count": count, "first": first and title(first), "last": last and title(last),
            "consumers": {title(name): int(number) for name, number in consumers or ()},
        }  # fmt: skip

    def xpending_range(
        self, key: Key, group: str, start: str = "-", end: str = "+", *, count: int = 10, consumer: str | None = None,
        idle: int | None = None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Return pending entries of a group in a range of IDs: `id`, `consumer`, `idle` (ms since the last delivery),
        `deliveries`; with `idle` only those that were not delivered for so many ms."""
        found = self.call("xstream.pending", key=key, group=group, start=start, end=end, count=count,
                          **given(consumer=consumer, idle=idle))  # fmt: skip
        names = ("id", "consumer", "idle", "deliveries")
        return [report(dict(zip(names, each, strict=True))) for each in found]

    def xclaim(
        self, key: Key, group: str, consumer: str, min_idle: int, ids: Iterable[str], *, idle: int | None = None,
        time: int | None = None, retrycount: int | None = None, force: bool = False, lastid: str | None = None,
    ) -> list[Entry]:  # fmt: skip
        """Give pending entries to a consumer that were not delivered for `min_idle` ms, and return them."""
        return _entries(self.call(
            "xstream.claim", key=key, group=group, consumer=consumer, min_idle=min_idle, ids=list(ids),
            **given(idle=idle, time=time, retry_count=retrycount, force=force, last_id=lastid),
        ))  # fmt: skip

    def xautoclaim(
        self, key: Key, group: str, consumer: str, min_idle: int, start: str = "0-0", *, count: int | None = None
    ) -> tuple[str, list[Entry], list[str]]:
        """Give the pending entries from an ID on to a consumer that were not delivered for `min_idle` ms. Return the ID
        to go on from (`0-0` at the end), the entries, and the IDs of those that were deleted."""
        following, found, deleted = self.call("xstream.autoclaim", key=key, group=group, consumer=consumer,
                                              min_idle=min_idle, start=start, **given(count=count))  # fmt: skip
        return title(following), _entries(found), [title(each) for each in deleted]

    def xinfo_stream(self, key: Key) -> dict[str, Any]:
        """Describe a stream."""
        found = report(self.call("xstream.info_stream", key=key))
        for name in ("first-entry", "last-entry"):
            found[name] = found[name] and _entry(found[name])
        return found

    def xinfo_groups(self, key: Key) -> list[dict[str, Any]]:
        """Describe the groups of a stream."""
        return [report(each) for each in self.call("xstream.info_groups", key=key)]

    def xinfo_consumers(self, key: Key, group: str) -> list[dict[str, Any]]:
        """Describe the consumers of a group."""
        return [report(each) for each in self.call("xstream.info_consumers", key=key, group=group)]


def _trim(maxlen: int | None, minid: str | None, approximate: bool, limit: int | None) -> dict[str, Any]:
    """Return the fields of a trim."""
    how = "~" if approximate else "="
    fields: dict[str, Any] = {} if maxlen is None else {"maxlen": maxlen, "maxlen_how": how}
    if minid is not None:
        fields |= {"minid": minid, "minid_how": how}
    return fields if limit is None else fields | {"limit": limit}


def _block(block: int | None) -> dict[str, int]:
    return {} if block is None else {"block": block}


def _halves(streams: Mapping[Key, str] | Iterable[tuple[Key, str]]) -> list[dict[str, Any]]:
    return [{"key": key, "id": id} for key, id in paired(streams)]


def _entry(found: list[Any]) -> Entry:
    """Return an entry as its id and its fields."""
    id, fields = found
    return title(id), None if fields is None else dict(zip(fields[::2], fields[1::2], strict=True))


def _entries(found: list[Any] | None) -> list[Entry]:
    return [_entry(each) for each in found or ()]


def _by_stream(found: dict[bytes, list[Any]] | None) -> dict[bytes, list[Entry]]:
    return {stream: _entries(entries) for stream, entries in (found or {}).items()}
