"""Retained messages: what each topic retains."""

from typing import Any

from tests.naive.store import OK, Answer, State


def store(state: State, args: dict[str, Any], now: int) -> Answer:
    state.retained[args["topic"]] = args
    return OK, True


def get(state: State, args: dict[str, Any], now: int) -> Answer:
    found = state.retained.get(args["topic"])
    if found is None:
        return None, False
    return {"message_id": found["message_id"], "payload": found["payload"], "metadata": found["metadata"] or None,
            "timestamp": found["time"]}, False  # fmt: skip


def delete(state: State, args: dict[str, Any], now: int) -> Answer:
    gone = state.retained.pop(args["topic"], None) is not None
    return int(gone), gone


def list_names(state: State, args: dict[str, Any], now: int) -> Answer:
    return sorted(state.retained), False
