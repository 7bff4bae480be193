"""Reading sorted sets in no order."""

from typing import Any

from tests.naive.globs import matches
from tests.naive.parser import Refused
from tests.naive.reals import print_real
from tests.naive.store import Answer, State
from tests.naive.store.zsets import held

PAIRS_MAX = (1 << 62) - 1


def draw(state: State, args: dict[str, Any], now: int) -> Answer:
    wanted = args.get("count", 1)
    if wanted == -(1 << 63):
        raise Refused("BAD_RANDOM_COUNT")
    if args.get("WITHSCORES") and not -PAIRS_MAX <= wanted <= PAIRS_MAX:
        raise Refused("PAIRS_OUT_OF_RANGE")
    found = held(state, args, now)
    drawn = state.chosen
    if "count" not in args:
        assert drawn is None if not found else drawn in found
        return drawn, False
    names = drawn
    if args.get("WITHSCORES"):
        pairs = drawn if drawn and isinstance(drawn[0], list) else list(zip(drawn[::2], drawn[1::2], strict=True))
        assert all(found[name] == float(score) for name, score in pairs)
        names = [name for name, _ in pairs]
    assert set(names) <= set(found)
    if wanted >= 0:
        assert len(names) == len(set(names)) == min(wanted, len(found))
    else:
        assert len(names) == (-wanted if found else 0)
    return drawn, False


def scan(state: State, args: dict[str, Any], now: int) -> Answer:
    """The texts that a whole iteration must have found, sorted."""
    found = held(state, args, now).items()
    pairs = [pair for pair in found if "pattern" not in args or matches(args["pattern"], pair[0])]
    return sorted(text for member, score in pairs for text in (member, print_real(score + 0.0))), False
