"""What a snapshot loads of a queue, see queues.py."""

from typing import Any
from uuid import UUID

from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, State
from tests.naive.store.queues import COUNTERS, LIMIT_MASK, Message, Queue, queue_of


def load_queue(state: State, args: dict[str, Any], now: int) -> Answer:
    if args["queue"] in state.queues:
        raise Refused("KEY_EXISTS")
    words = [args[f"word{i}"] for i in range(13)]
    later = [args[f"later{i}"] for i in range(6)]
    more = [args[f"more{i}"] for i in range(15)]
    backoff = ("", "FIXED", "LINEAR", "EXPONENTIAL")[later[0]]
    queue = state.queues[args["queue"]] = Queue(
        *words[:4], args["prefetch_limit"], backoff, *later[1:4], bool(later[4]), later[5]
    )
    queue.counters = dict(zip(COUNTERS, words[7:12], strict=True))
    queue.expiries, queue.ttl, queue.expired_dead = more[0], more[1], more[2] == 2
    queue.overflow, queue.ageing = {2: "DROP", 3: "DEAD"}.get(more[3], "REJECT"), more[4]
    queue.dedup_ms, queue.dedup_keys, queue.single = more[5] or 300_000, more[6] or 100_000, bool(more[7])
    queue.expired, queue.dropped, queue.active_until = more[8:11]
    queue.active = args["active"] if queue.active_until else None
    if more[11]:
        queue.redrive = (args["redrive_to"], *more[11:15])
    return OK, True


def load_message(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    name = str(UUID(bytes=args["id"])).encode()
    if name in queue.messages:
        raise Refused("KEY_EXISTS")
    bits = args["state"]
    queue.messages[name] = message = Message(
        args["payload"], bits >> 8 & 0xFF, bits >> 40 & LIMIT_MASK, args["headers"], args["created"],
        bits >> 16 & 0xFFFFFF, args["deadline"], args["consumer_id"], args["deliveries"], args["group"] or None,
        args["expires"],
    )  # fmt: skip
    for each in args["history"]:
        cause = each["cause"].to_bytes(8, "little", signed=True).split(b"\0")[0]
        queue.note(name, each["at"], cause, each["consumer"], each["reason"])
    if message.group is not None and args["turn"]:
        queue.turns[message.group] = name
    if message.expires:
        queue.expiring.append((message.expires, args["expiry_serial"], name))
        queue.expiries = max(queue.expiries, args["expiry_serial"])
    match bits & 0xFF:
        case 0:
            queue.ready[message.priority].append(name)
        case 1:
            queue.leased.append(name)
        case 2:
            queue.dead.append(name)
        case 3:
            queue.delayed.append((args["deadline"], args["serial"], name))
            queue.delays = max(queue.delays, args["serial"])
        case _:
            assert message.group is not None
            queue.blocked.setdefault(message.group, []).append(name)
    return OK, True


def load_key(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    if args["dedup"] in queue.keys:
        raise Refused("KEY_EXISTS")
    queue.keys[args["dedup"]] = str(UUID(bytes=args["id"])).encode(), args["expires"]
    return OK, True
