"""Reading hashes. What has no order is sorted."""

from typing import Any

from tests.naive.globs import matches
from tests.naive.parser import Refused
from tests.naive.store import Answer, State
from tests.naive.store.hashes import visible

PAIRS_MAX = (1 << 62) - 1


def _fields(state: State, args: dict[str, Any], now: int) -> dict[bytes, bytes]:
    return {name: value for name, (value, _) in visible(state.seen(args["key"], now, dict), now).items()}


def get(state: State, args: dict[str, Any], now: int) -> Answer:
    return _fields(state, args, now).get(args["field"]), False


def has(state: State, args: dict[str, Any], now: int) -> Answer:
    return int(args["field"] in _fields(state, args, now)), False


def length_of(state: State, args: dict[str, Any], now: int) -> Answer:
    return len(_fields(state, args, now).get(args["field"], b"")), False


def get_many(state: State, args: dict[str, Any], now: int) -> Answer:
    found = _fields(state, args, now)
    return [found.get(name) for name in args["fields"]], False


def count(state: State, args: dict[str, Any], now: int) -> Answer:
    return len(_fields(state, args, now)), False


def get_all(state: State, args: dict[str, Any], now: int) -> Answer:
    return _fields(state, args, now), False


def names(state: State, args: dict[str, Any], now: int) -> Answer:
    return sorted(_fields(state, args, now)), False


def values(state: State, args: dict[str, Any], now: int) -> Answer:
    return sorted(_fields(state, args, now).values()), False


def scan(state: State, args: dict[str, Any], now: int) -> Answer:
    """The texts that a whole iteration must have found, sorted."""
    found = _fields(state, args, now).items()
    pairs = [pair for pair in found if "pattern" not in args or matches(args["pattern"], pair[0])]
    return sorted(text for pair in pairs for text in pair[: 1 if "NOVALUES" in args else 2]), False


def draw(state: State, args: dict[str, Any], now: int) -> Answer:
    wanted = args.get("count", 1)
    if wanted == -(1 << 63):
        raise Refused("BAD_RANDOM_COUNT")
    if args.get("WITHVALUES") and not -PAIRS_MAX <= wanted <= PAIRS_MAX:
        raise Refused("PAIRS_OUT_OF_RANGE")
    found = _fields(state, args, now)
    drawn = state.chosen
    if "count" not in args:
        assert drawn is None if not found else drawn in found
        return drawn, False
    if args.get("WITHVALUES"):
        pairs = drawn if drawn and isinstance(drawn[0], list) else list(zip(drawn[::2], drawn[1::2], strict=True))
        assert all(found[name] == value for name, value in pairs)
        names = [name for name, _ in pairs]
    else:
        names = drawn
    assert set(names) <= set(found)
    if wanted >= 0:
        assert len(names) == len(set(names)) == min(wanted, len(found))
    else:
        assert len(names) == (-wanted if found else 0)
    return drawn, False
