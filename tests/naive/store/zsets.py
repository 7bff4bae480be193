"""Sorted sets: a Python dictionary of scores under a key."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import Answer, State


class ZSet(dict[bytes, float]):
    """The scores of members."""

    def order(self) -> list[tuple[bytes, float]]:
        """Members with their scores, in order."""
        return sorted(self.items(), key=lambda pair: (pair[1], pair[0]))


class Scored(list[Any]):
    """Members with their scores; equal to a reply with them, flat or nested, with scores as texts or numbers."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, list):
            return False
        flat = [each for pair in other for each in (pair if isinstance(pair, list) else [pair])]
        return flat[::2] == [member for member, _ in self] and [*map(float, flat[1::2])] == [score for _, score in self]

    __hash__ = None  # type: ignore[assignment]


def _put(found: ZSet, member: bytes, score: float, args: dict[str, Any], increment: bool) -> tuple[str, float]:
    if member not in found:
        if args.get("XX"):
            return "ignored", score
        found[member] = score
        return "added", score
    if args.get("NX"):
        return "ignored", score
    old = found[member]
    if increment:
        score += old
        if score != score:
            raise Refused("SCORE_NAN")
    if (args.get("GT") and score <= old) or (args.get("LT") and score >= old):
        return "ignored", score
    if score == old:
        return "same", old
    found[member] = score
    return "updated", score


def add(state: State, args: dict[str, Any], now: int) -> Answer:
    if args.get("NX") and args.get("XX"):
        raise Refused("CONFLICT_NX_XX")
    if sum(bool(args.get(word)) for word in ("NX", "GT", "LT")) > 1:
        raise Refused("BAD_ORDER_OPTIONS")
    if args.get("INCR") and len(args["pairs"]) > 1:
        raise Refused("ONE_INCREMENT")
    if args.get("unreadable"):
        raise Refused("NOT_A_REAL")
    record = state.seen(args["key"], now, ZSet)
    if record is None and args.get("XX"):
        return (None if args.get("INCR") else 0), False
    found = state.claim(args["key"], now, ZSet).value
    if args.get("INCR"):
        (pair,) = args["pairs"]
        done, score = _put(found, pair["member"], pair["score"], args, True)
        return (None if done == "ignored" else score), done in ("added", "updated")
    told = [_put(found, pair["member"], pair["score"], args, False)[0] for pair in args["pairs"]]
    added, updated = told.count("added"), told.count("updated")
    return added + (updated if args.get("CH") else 0), added + updated > 0


def increment(state: State, args: dict[str, Any], now: int) -> Answer:
    found = state.claim(args["key"], now, ZSet).value
    done, score = _put(found, args["member"], args["increment"], {}, True)
    return score, done != "same"


def load(state: State, args: dict[str, Any], now: int) -> Answer:
    if (state.there(args["key"]) is not None) != bool(args["more"]):
        raise Refused("KEY_EXISTS")
    answer = add(state, args | {"CH": True}, -1)
    if not args["more"]:
        state.there(args["key"]).deadline = args["deadline"]
    return answer


def dropped(state: State, key: bytes, found: ZSet, members: list[bytes]) -> None:
    """Remove members, and the key with the last one."""
    for member in members:
        del found[member]
    if not found:
        state.drop(key)


def remove(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, ZSet)
    if record is None:
        return 0, False
    there = [member for member in dict.fromkeys(args["members"]) if member in record.value]
    dropped(state, args["key"], record.value, there)
    return len(there), bool(there)


def held(state: State, args: dict[str, Any], now: int) -> ZSet:
    """The sorted set under the key of a call, empty if there is none."""
    record = state.seen(args["key"], now, ZSet)
    return ZSet() if record is None else record.value


def score_of(state: State, args: dict[str, Any], now: int) -> Answer:
    return held(state, args, now).get(args["member"]), False


def scores_of(state: State, args: dict[str, Any], now: int) -> Answer:
    found = held(state, args, now)
    return [found.get(member) for member in args["members"]], False


def size_of(state: State, args: dict[str, Any], now: int) -> Answer:
    return len(held(state, args, now)), False


def rank(state: State, args: dict[str, Any], now: int, *, backwards: bool = False) -> Answer:
    found = held(state, args, now)
    if args["member"] not in found:
        return None, False
    order = [member for member, _ in found.order()]
    place = (order[::-1] if backwards else order).index(args["member"])
    return ([place, found[args["member"]]] if args.get("WITHSCORE") else place), False


def rank_backwards(state: State, args: dict[str, Any], now: int) -> Answer:
    return rank(state, args, now, backwards=True)
