"""What moves messages to other queues, see queues.py."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import Answer, State
from tests.naive.store.queues import Queue, queue_of


def _change(source: Queue, target: Queue, name: bytes) -> None:
    """Move a message that is nowhere to the ready ones of another queue, or of its own."""
    message = source.messages[name]
    message.failures, message.deadline = 0, 0
    if source is not target:
        source.expiring = [each for each in source.expiring if each[2] != name]
        source.end_turn(name)
        target.messages[name] = source.messages.pop(name)
        if message.expires:
            target.expire_at(name, message.expires)
    target.make_ready(name)


def _target(state: State, name: bytes) -> Queue:
    if name not in state.queues:
        raise Refused("TARGET_MISSING")
    return state.queues[name]


def move(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    target = _target(state, args["target"])
    if queue is target:
        raise Refused("SAME_OBJECT")
    if args.get("count", 0) < 0:
        raise Refused("POSITIVE_COUNT")
    one = args["message_id"].lower() if "message_id" in args else None
    if one is not None and not any(one in names for names in queue.ready.values()):
        raise Refused("MESSAGE_MISSING")
    wanted = 1 if one is not None else min(args.get("count", queue.depth), queue.depth)
    moved = 0
    while moved < min(wanted, 1 << 60) and target.free > 0:
        name = one if one is not None else queue.first(now)
        if name is None:
            break
        queue.take_out(name)
        _change(queue, target, name)
        moved += 1
    return moved, moved > 0


def redrive(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    left = queue.redrive[1] if queue.redrive else 0
    if "STOP" in args:
        queue.redrive = None
        return left, left > 0
    target = args.get("target", args["queue"])
    _target(state, target)
    count = min(args.get("count", len(queue.dead)), len(queue.dead))
    if count < 0:
        raise Refused("POSITIVE_COUNT")
    if not 1 <= args.get("rate", 1) <= 1_000_000:
        raise Refused("BAD_RATE")
    queue.redrive = (target, count, args.get("rate", 0), now, 0) if count else None
    return count, count > 0 or left > 0


def redrive_due(state: State, queue: Queue, most: int, now: int) -> int:
    """Move dead letters whose time has come; how many, 1 if only what is left has changed."""
    if queue.redrive is None or queue.redrive[3] > now or most <= 0:
        return 0
    to, left, rate, since, done = queue.redrive
    wanted = min(left, most, (now - since) * rate // 1000 + 1 - done if rate else left)
    if wanted <= 0:
        return 0
    target, moved = state.queues.get(to), 0
    while target and moved < wanted and queue.dead and (target is queue or target.free > 0):
        _change(queue, target, queue.dead.pop(0))
        moved += 1
    queue.redrive = to, left - moved, rate, since, done + moved
    if left == moved or not queue.dead or target is None:
        queue.redrive = None
    elif moved < wanted:
        queue.redrive = to, left - moved, rate, now + 1000, 0
    return max(moved, 1)
