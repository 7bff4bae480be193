"""Libraries: their texts by name."""

from typing import Any

from tests.naive.store import OK, Answer, State


def store(state: State, args: dict[str, Any], now: int) -> Answer:
    state.libraries[args["library"]] = args["code"]
    return OK, True


def remove(state: State, args: dict[str, Any], now: int) -> Answer:
    if state.libraries.pop(args["library"], None) is None:
        return None, False
    return OK, True


def texts(state: State, args: dict[str, Any], now: int) -> Answer:
    return sorted(text for pair in state.libraries.items() for text in pair), False
