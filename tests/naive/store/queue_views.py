"""Messages of a queue that are shown where they are, see queues.py."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import Answer, State
from tests.naive.store.queues import Queue, queue_of


def _shown(queue: Queue, names: list[bytes], args: dict[str, Any]) -> Answer:
    if args.get("count", 100) < 0:
        raise Refused("POSITIVE_COUNT")
    return [queue.parts(name) for name in names[: args.get("count", 100)]], False


def dead(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    shown, _ = _shown(queue, queue.dead, args)
    return [[*each, queue.messages[each[0]].history] for each in shown], False


def peek(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    return _shown(queue, list(queue.order(now)), args)


def delayed(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    return _shown(queue, [name for _, _, name in sorted(queue.delayed)][:1000], args)
