"""Many messages of a queue at once: as many calls of one, but for places and refusals."""

from typing import Any
from uuid import UUID

from tests.naive.parser import Refused
from tests.naive.store import OK, WAIT, Answer, State, queue_leases
from tests.naive.store import queues as single
from tests.naive.store.queues import queue_of


def publish(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    single.check_limits(args)
    wanted = args["keyed"] if "keyed" in args else [{"payload": each} for each in args["messages"]]
    if len(wanted) > 10_000:
        raise Refused("BATCH_TOO_LARGE")
    due = now + args["delay"] if "delay" in args else 0
    names, added = [], False
    for each, name in zip(wanted, state.chosen, strict=True):
        earlier = single.known(queue, each, now)
        if earlier is not None or not single.may_get(queue):
            assert name == earlier
        else:
            assert UUID(name.decode()).version == 4 and name not in queue.messages
            single.make_place(queue, now)
            single.add(queue, args | each, now, name, due, single.expiry(queue, args, now))
            added = True
        names.append(name)
    return names, added


def put(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    names = [str(UUID(bytes=each["id"])).encode() for each in args["puts"]]
    if any(name in queue.messages for name in names):
        raise Refused("KEY_EXISTS")
    for name, each in zip(names, args["puts"], strict=True):
        given = {"priority": args["priority"], "max_retries": args["max_retries"], "payload": each["payload"]}
        given |= {name: args[name] for name in ("headers", "group") if name in args}
        given |= {"dedup": each["dedup"]} if "dedup" in each else {}
        single.make_place(queue, now)
        single.add(queue, given, now, name, args["due"], args["expires"])
    return OK, True


def consume(state: State, args: dict[str, Any], now: int) -> Answer:
    if args["count"] < 1:
        raise Refused("COUNT_BELOW_ONE")
    one = {"queue": args["queue"], "consumer_id": args["consumer_id"]}
    queue, found, total = state.queues.get(args["queue"]), [], 0
    while queue and len(found) < min(args["count"], 10_000):
        name = queue.first(now)
        if name is not None:
            message = queue.messages[name]
            total += len(message.payload) + len(message.headers) + len(message.group or b"") + 36 + 57
        if total > 8 << 20 and found:
            break
        delivery, _ = single.consume(state, one, now)
        if delivery is None:
            break
        found.append(delivery)
    if not found:
        return (WAIT if "wait" in args else []), False
    return found, True


def ack(state: State, args: dict[str, Any], now: int) -> Answer:
    queue_of(state, args)
    done = []
    for name in args["message_ids"]:
        try:
            queue_leases.ack(state, {"queue": args["queue"], "message_id": name}, now)
            done.append(1)
        except Refused:
            done.append(0)
    return done, 1 in done


def give_back(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    done, back = [], []
    for ident in args["message_ids"]:
        try:
            name = queue_leases.leased(queue, {"message_id": ident})
        except Refused:
            done.append(0)
            continue
        done.append(1)
        queue.leased.remove(name)
        queue.messages[name].deadline, queue.messages[name].holder = 0, b""
        if queue.is_expired(name, now):
            queue.expire(name, now)
        else:
            back.append(name)
    for name in reversed(back):
        queue.ready[queue.messages[name].priority].insert(0, name)
    return done, 1 in done
