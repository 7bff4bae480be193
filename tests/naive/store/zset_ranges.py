"""Ranges of sorted sets, by looking at every member."""

from typing import Any

from tests.naive.numbers import parse_integer
from tests.naive.parser import Refused
from tests.naive.reals import parse_real
from tests.naive.store import Answer, State
from tests.naive.store.zsets import Scored, ZSet, dropped, held

Entry = tuple[bytes, float]


def _by_score(low: bytes, high: bytes, found: ZSet) -> list[Entry]:
    ends = []
    for text in (low, high):
        beyond = text[:1] == b"("
        rest = text[1:] if beyond else text
        score = parse_real(rest.lstrip()) if rest else 0.0
        if score is None:
            raise Refused("BAD_SCORE_RANGE")
        ends.append((score, beyond))
    (least, above), (most, below) = ends
    return [
        (member, score) for member, score in found.order()
        if (least < score or (least == score and not above)) and (score < most or (score == most and not below))
    ]  # fmt: skip


def _by_text(low: bytes, high: bytes, found: ZSet) -> list[Entry]:
    for text in (low, high):
        if text not in (b"-", b"+") and text[:1] not in (b"(", b"["):
            raise Refused("BAD_TEXT_RANGE")
    entries = found.order()
    if not entries:
        return []
    lowest = entries[0][1]

    def below(text: bytes, equal: bool) -> int:
        """How many come before a text (`equal`: or have it)."""
        if text in (b"-", b"+"):
            return len(entries) if text == b"+" else 0
        place = (lowest, text[1:])
        return sum((score, member) < place or (equal and (score, member) == place) for member, score in entries)

    return entries[below(low, low[:1] == b"(") : below(high, high[:1] == b"[")]


def _by_rank(low: bytes, high: bytes, found: ZSet, backwards: bool = False) -> list[Entry]:
    start, stop = parse_integer(low), parse_integer(high)
    if start is None or stop is None:
        raise Refused("NOT_AN_INTEGER")
    count = len(found)
    start = max(start + count, 0) if start < 0 else start
    stop = stop + count if stop < 0 else stop
    entries = found.order()
    return (entries[::-1] if backwards else entries)[start : max(stop + 1, 0)]


def ranged(state: State, args: dict[str, Any], now: int, by: str, backwards: bool) -> list[Entry]:
    """The entries of a range in the order of the reply."""
    if "count" in args and args["count"] != -1 and by == "rank":
        raise Refused("LIMIT_OF_RANKS")
    if args.get("WITHSCORES") and by == "text":
        raise Refused("SCORES_OF_TEXTS")
    low, high = (args[name] for name in (("start", "stop") if "start" in args else ("min", "max")))
    if by == "rank":
        _by_rank(low, high, ZSet())
        return _by_rank(low, high, held(state, args, now), backwards)
    if backwards and "start" in args:
        low, high = high, low
    cut = _by_score if by == "score" else _by_text
    cut(low, high, ZSet())  # the ends are refused before the key is looked up
    entries = cut(low, high, held(state, args, now))
    if backwards:
        entries.reverse()
    if "count" in args:
        entries = [] if args["offset"] < 0 else entries[args["offset"] :]
        entries = entries if args["count"] < 0 else entries[: args["count"]]
    return entries


def _told(args: dict[str, Any], entries: list[Entry]) -> Answer:
    return (Scored(entries) if args.get("WITHSCORES") else [member for member, _ in entries]), False


def span(state: State, args: dict[str, Any], now: int) -> Answer:
    by = "score" if args.get("BYSCORE") else "text" if args.get("BYLEX") else "rank"
    return _told(args, ranged(state, args, now, by, "REV" in args))


def span_backwards(state: State, args: dict[str, Any], now: int) -> Answer:
    return _told(args, ranged(state, args, now, "rank", True))


def by_score(state: State, args: dict[str, Any], now: int) -> Answer:
    return _told(args, ranged(state, args, now, "score", False))


def by_score_backwards(state: State, args: dict[str, Any], now: int) -> Answer:
    return _told(args, ranged(state, args, now, "score", True))


def by_text(state: State, args: dict[str, Any], now: int) -> Answer:
    return _told(args, ranged(state, args, now, "text", False))


def by_text_backwards(state: State, args: dict[str, Any], now: int) -> Answer:
    return _told(args, ranged(state, args, now, "text", True))


def count_by_score(state: State, args: dict[str, Any], now: int) -> Answer:
    return len(ranged(state, args, now, "score", False)), False


def count_by_text(state: State, args: dict[str, Any], now: int) -> Answer:
    return len(ranged(state, args, now, "text", False)), False


def _removed(state: State, args: dict[str, Any], now: int, by: str) -> Answer:
    entries = ranged(state, args, now, by, False)
    if entries:
        dropped(state, args["key"], held(state, args, now), [member for member, _ in entries])
    return len(entries), bool(entries)


def remove_ranks(state: State, args: dict[str, Any], now: int) -> Answer:
    return _removed(state, args, now, "rank")


def remove_scores(state: State, args: dict[str, Any], now: int) -> Answer:
    return _removed(state, args, now, "score")


def remove_texts(state: State, args: dict[str, Any], now: int) -> Answer:
    return _removed(state, args, now, "text")
