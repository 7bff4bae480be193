"""Finding keys by walking them all."""

from typing import Any

from tests.naive.globs import matches
from tests.naive.parser import Refused
from tests.naive.store import Answer, State


def draw(state: State, args: dict[str, Any], now: int) -> Answer:
    names = match_all(state, {"pattern": b"*"}, now)[0]
    if not names:
        return None, False
    assert state.chosen in names, f"{state.chosen!r} is not there"
    return state.chosen, False


def match_all(state: State, args: dict[str, Any], now: int) -> Answer:
    names = [key for namespace, key in state.records if namespace == state.namespace and state.seen(key, now)]
    return sorted(key for key in names if matches(args["pattern"], key)), False


def match_prefix(state: State, args: dict[str, Any], now: int) -> Answer:
    """As many of these as `limit` says; which ones is not told, so the twin goes on with those that were chosen."""
    limit = args.get("limit", 100)
    if limit < 0:
        raise Refused("POSITIVE_COUNT")
    prefix = args.get("prefix", b"").removesuffix(b"*")
    names = [key for key in match_all(state, {"pattern": b"*"}, now)[0] if key.startswith(prefix)]
    chosen = state.chosen
    assert set(chosen) <= set(names) and len(set(chosen)) == len(chosen) == min(limit, len(names))
    return chosen, False


def list_all(state: State, args: dict[str, Any], now: int) -> Answer:
    names = match_all(state, {"pattern": args.get("pattern", b"*")}, now)[0]
    return [key for key in names if key.startswith(args.get("prefix", b""))], False
