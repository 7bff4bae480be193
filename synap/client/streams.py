"""Methods of a client on streams that are written by hand: entries become an id and a dictionary, as in redis-py."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from synap.client.calls import Calls, D
from synap.client.errors import LocalProtocolError
from synap.client.machine import Word
from synap.client.requests import Request, asking, doing, method, report, text, whole
from synap.client.words import Words, flat, halves, option, when

Entry: TypeAlias = tuple[str, dict[D, D] | None]
"""The id of an entry and its fields; None if a consumer has it pending and it was deleted meanwhile."""


class EntryCalls(Calls[D]):
    """The methods of streams."""

    @method
    def xadd(
        self, key: Word, fields: Mapping[Word, Word] | Iterable[tuple[Word, Word]], *, id: str = "*",
        maxlen: int | None = None, minid: str | None = None, approximate: bool = False, limit: int | None = None,
        nomkstream: bool = False,
    ) -> Request[str | None]:  # fmt: skip
        """Append an entry to a stream and return its ID; `*` stands for a new one. Then the stream has at most `maxlen`
        entries, or none below `minid`; `approximate`: a few more, which costs less. Return None if the stream is
        missing and `nomkstream` says not to create it."""
        trim = _trim(maxlen, minid, approximate, limit)
        return doing(_id, "XADD", key, *when("NOMKSTREAM", nomkstream), *trim, id, *flat(fields))

    @method
    def xtrim(
        self, key: Word, *, maxlen: int | None = None, minid: str | None = None, approximate: bool = False,
        limit: int | None = None,
    ) -> Request[int]:  # fmt: skip
        """Remove the first entries of a stream until it has at most `maxlen`, or those below `minid`; return how many.
        `approximate`: leave a few more, which costs less."""
        return doing(whole, "XTRIM", key, *_trim(maxlen, minid, approximate, limit))

    @method
    def xrange(
        self, key: Word, start: str = "-", end: str = "+", *, count: int | None = None
    ) -> Request[list[Entry[D]]]:
        """Return the entries of a stream whose IDs are in a range; `(` before an ID leaves it out."""
        return asking(self._entries, "XRANGE", key, start, end, *option("COUNT", count))

    @method
    def xrevrange(
        self, key: Word, end: str = "+", start: str = "-", *, count: int | None = None
    ) -> Request[list[Entry[D]]]:
        """Return the entries of a stream whose IDs are in a range, the last one first."""
        return asking(self._entries, "XREVRANGE", key, end, start, *option("COUNT", count))

    @method
    def xread(
        self, streams: Mapping[Word, str] | Iterable[tuple[Word, str]], *, count: int | None = None,
        block: int | None = None,
    ) -> Request[dict[D, list[Entry[D]]]]:  # fmt: skip
        """Return the entries of streams behind the given IDs, by stream; `$` is the last one. With `block`, wait for
        some, at most so many ms (0: no limit)."""
        words = ("XREAD", *option("COUNT", count), *option("BLOCK", block), "STREAMS", *halves(streams))
        return Request(words, self._by_stream, repeatable=True, patience=_patience(block))

    @method
    def xreadgroup(
        self, group: str, consumer: str, streams: Mapping[Word, str] | Iterable[tuple[Word, str]], *,
        count: int | None = None, block: int | None = None, noack: bool = False,
    ) -> Request[dict[D, list[Entry[D]]]]:  # fmt: skip
        """Deliver entries of streams to a consumer of a group and return them by stream: new ones for the ID `>`, else
        those that it has pending. `noack`: they need no ack; `block` as in `xread`."""
        chosen: Words = (*option("COUNT", count), *option("BLOCK", block), *when("NOACK", noack))
        words = ("XREADGROUP", "GROUP", group, consumer, *chosen, "STREAMS", *halves(streams))
        return Request(words, self._by_stream, patience=_patience(block))

    @method
    def xpending(self, key: Word, group: str) -> Request[dict[str, Any]]:
        """Return how many entries a group has pending (`count`), the `first` and the `last` ID, and how many each of
        the `consumers` has."""
        return asking(_summary, "XPENDING", key, group)

    @method
    def xpending_range(
        self, key: Word, group: str, start: str = "-", end: str = "+", *, count: int = 10, consumer: str | None = None,
        idle: int | None = None,
    ) -> Request[list[dict[str, Any]]]:  # fmt: skip
        """Return pending entries of a group in a range of IDs: `id`, `consumer`, `idle` (ms since the last delivery),
        `deliveries`; with `idle` only those that were not delivered for so many ms."""
        consumers = () if consumer is None else (consumer,)
        return asking(_pending, "XPENDING", key, group, *option("IDLE", idle), start, end, count, *consumers)

    @method
    def xclaim(
        self, key: Word, group: str, consumer: str, min_idle: int, ids: Iterable[str], *, idle: int | None = None,
        time: int | None = None, retrycount: int | None = None, force: bool = False, lastid: str | None = None,
    ) -> Request[list[Entry[D]]]:  # fmt: skip
        """Give pending entries to a consumer that were not delivered for `min_idle` ms, and return them."""
        return doing(
            self._entries, "XCLAIM", key, group, consumer, min_idle, *ids, *option("IDLE", idle), *option("TIME", time),
            *option("RETRYCOUNT", retrycount), *when("FORCE", force), *option("LASTID", lastid),
        )  # fmt: skip

    @method
    def xautoclaim(
        self, key: Word, group: str, consumer: str, min_idle: int, start: str = "0-0", *, count: int | None = None
    ) -> Request[tuple[str, list[Entry[D]], list[str]]]:
        """Give the pending entries from an ID on to a consumer that were not delivered for `min_idle` ms. Return the ID
        to go on from (`0-0` at the end), the entries, and the IDs of those that were deleted."""
        return doing(self._claimed, "XAUTOCLAIM", key, group, consumer, min_idle, start, *option("COUNT", count))

    @method
    def xinfo_stream(self, key: Word) -> Request[dict[str, Any]]:
        """Describe a stream."""
        return asking(self._described, "XINFO", "STREAM", key)

    @method
    def xinfo_groups(self, key: Word) -> Request[list[dict[str, Any]]]:
        """Describe the groups of a stream."""
        return asking(_reports, "XINFO", "GROUPS", key)

    @method
    def xinfo_consumers(self, key: Word, group: str) -> Request[list[dict[str, Any]]]:
        """Describe the consumers of a group."""
        return asking(_reports, "XINFO", "CONSUMERS", key, group)

    def _entry(self, found: list[Any]) -> Entry[D]:
        """Return an entry as its id and its fields."""
        id, fields = found
        if fields is None:
            return text(id), None
        fields = self._data(fields)
        return text(id), dict(zip(fields[::2], fields[1::2], strict=True))

    def _entries(self, found: list[Any] | None) -> list[Entry[D]]:
        return [self._entry(each) for each in found or ()]

    def _by_stream(self, found: dict[bytes, list[Any]] | None) -> dict[D, list[Entry[D]]]:
        return {self._data(stream): self._entries(entries) for stream, entries in (found or {}).items()}

    def _claimed(self, found: list[Any]) -> tuple[str, list[Entry[D]], list[str]]:
        following, entries, deleted = found
        return text(following), self._entries(entries), [text(each) for each in deleted]

    def _described(self, found: dict[bytes, Any]) -> dict[str, Any]:
        facts = report(found)
        for name in ("first-entry", "last-entry"):
            facts[name] = facts[name] and self._entry(facts[name])
        return facts


def _trim(maxlen: int | None, minid: str | None, approximate: bool, limit: int | None) -> Words:
    """Return the words of a trim."""
    how = "~" if approximate else "="
    return (*_limited("MAXLEN", how, maxlen), *_limited("MINID", how, minid), *option("LIMIT", limit))


def _limited(word: str, how: str, limit: Word | None) -> Words:
    return () if limit is None else (word, how, limit)


def _patience(block: int | None) -> float:
    """Return the seconds that a read itself waits. Raises LocalProtocolError if it is no number of ms."""
    if block is None:
        return 0.0
    if isinstance(block, bool) or not isinstance(block, int) or block < 0:
        raise LocalProtocolError(f"block: wanted milliseconds, 0 for no limit, found {block!r}")
    return block / 1000 or float("inf")


def _id(found: bytes | None) -> str | None:
    return None if found is None else text(found)


def _summary(found: list[Any]) -> dict[str, Any]:
    count, first, last, consumers = found
    named = {text(name): int(number) for name, number in consumers or ()}
    return {"count": count, "first": _id(first), "last": _id(last), "consumers": named}


def _pending(found: list[list[Any]]) -> list[dict[str, Any]]:
    return [{"id": text(id), "consumer": text(consumer), "idle": idle, "deliveries": deliveries}
            for id, consumer, idle, deliveries in found]  # fmt: skip


def _reports(found: list[dict[bytes, Any]]) -> list[dict[str, Any]]:
    return [report(each) for each in found]
