"""Moves between lists, each a Python list under a key."""

from typing import Any

from tests.naive.store import WAIT, Answer, State


def _move(state: State, args: dict[str, Any], now: int, wherefrom: str, whereto: str) -> Answer:
    source = state.seen(args["source"], now, list)
    if source is None:
        return None, False
    target = state.seen(args["destination"], now, list)
    if target is None:
        target = state.claim(args["destination"], now, list)
    value = source.value.pop(0 if wherefrom == "LEFT" else -1)
    target.value.insert(0 if whereto == "LEFT" else len(target.value), value)
    if not source.value:
        state.drop(args["source"])
    return value, True


def move(state: State, args: dict[str, Any], now: int) -> Answer:
    return _move(state, args, now, args["wherefrom"], args["whereto"])


def rotate(state: State, args: dict[str, Any], now: int) -> Answer:
    return _move(state, args, now, "RIGHT", "LEFT")


def move_wait(state: State, args: dict[str, Any], now: int) -> Answer:
    value, changed = move(state, args, now)
    return (value if changed else WAIT), changed


def rotate_wait(state: State, args: dict[str, Any], now: int) -> Answer:
    value, changed = rotate(state, args, now)
    return (value if changed else WAIT), changed
