"""What becomes of leases, see queues.py."""

import re
from typing import Any

from tests.naive.numbers import parse_integer
from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, State
from tests.naive.store.queues import Queue, queue_of

UUID_TEXT = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def leased(queue: Queue, args: dict[str, Any]) -> bytes:
    name, _, number = args["message_id"].lower().partition(b":")
    message = queue.messages[name] if name in queue.leased else None
    if message and message.holder != args.get("consumer_id", message.holder):
        message = None
    if number and UUID_TEXT.fullmatch(name) and parse_integer(number) and parse_integer(number) > 0:
        if message is None or message.deliveries != parse_integer(number):
            raise Refused("RECEIPT_LATE")
    elif message is None or name != args["message_id"].lower():
        raise Refused("MESSAGE_MISSING")
    return name


def ack(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    name = leased(queue, args)
    queue.roll(now)
    queue.leased.remove(name)
    queue.forget(name)
    queue.counters["acked"] += 1
    return OK, True


def nack(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    name = leased(queue, args)
    if len(args.get("reason", b"")) > 1024:
        raise Refused("REASON_TOO_LONG")
    queue.fail(name, "DROP" not in args, now, b"nack", args.get("reason", b""))
    return OK, True


def renew(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    name = leased(queue, args)
    queue.leased.remove(name)
    queue.leased.append(name)
    queue.messages[name].deadline = now + queue.ack_deadline_ms
    return queue.messages[name].deadline, True


def release(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = state.queues.get(args["queue"])
    name, _, number = args["message_id"].lower().partition(b":")
    if number and (queue is None or name not in queue.leased or number != b"%d" % queue.messages[name].deliveries):
        return 0, False
    if queue is None or name not in queue.leased or queue.messages[name].deadline != args["deadline"]:
        return 0, False
    queue.fail(name, True, now, b"closed")
    if queue.single and not queue.leased:
        queue.active_until = now
    return 1, True
