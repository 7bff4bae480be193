"""What is done to a queue as a whole, see queues.py."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import Answer, State
from tests.naive.store.queue_moves import redrive_due
from tests.naive.store.queues import NEVER, queue_of


def requeue(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    count = 0
    while queue.leased and queue.messages[queue.leased[0]].deadline <= now and count < args["most"]:
        queue.fail(queue.leased[0], True, now, b"deadline")
        count += 1
    count += queue.end_delays(now, max(args["most"] - count, 0))
    count += queue.end_lives(now, args["most"] - count)
    count += redrive_due(state, queue, args["most"] - count, now)
    if queue.active is not None and not queue.leased and queue.active_until <= now:
        queue.active, queue.active_until = None, 0
        count += 1
    return count, count > 0


def stats(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    heads = [now - queue.messages[names[0]].created for names in queue.ready.values() if names]
    return [
        queue.depth, len(queue.leased), len(queue.dead), *queue.counters.values(), len(set(queue.holders)),
        queue.depth_max, len(queue.delayed), queue.held_back, queue.expired, queue.dropped, int(queue.paused),
        max([0, *heads]), queue.redrive[1] if queue.redrive else 0, queue.active, *queue.rates(now),
    ], False  # fmt: skip


def list_names(state: State, args: dict[str, Any], now: int) -> Answer:
    return sorted(state.queues), False


def purge(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    gone = [name for name in queue.messages if (name in queue.dead) == ("DEAD" in args) and name not in queue.leased]
    for name in gone:
        queue.take_out(name)
    for name in gone:
        queue.expiring = [each for each in queue.expiring if each[2] != name]
        message = queue.messages.pop(name)
        if message.group is not None and queue.turns.get(message.group) == name:
            del queue.turns[message.group]
    return len(gone), bool(gone)


def delete(state: State, args: dict[str, Any], now: int) -> Answer:
    found = state.queues.pop(args["queue"], None)
    return int(found is not None), found is not None


def cancel(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    name = args["message_id"].lower()
    found = [each for each in queue.delayed if each[2] == name]
    for each in found:
        queue.delayed.remove(each)
        queue.forget(name)
    return len(found), bool(found)


def pause(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    paused = "RESUME" not in args
    changed, queue.paused = queue.paused is not paused, paused
    return int(changed), changed


def revive(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    names = list(queue.dead)
    if "message_id" in args:
        names = [args["message_id"].lower()]
        if names[0] not in queue.dead:
            raise Refused("MESSAGE_MISSING")
    for name in names:
        queue.dead.remove(name)
        queue.messages[name].failures = 0
        queue.make_ready(name)
    return len(names), bool(names)


def next_due(state: State, args: dict[str, Any], now: int) -> Answer:
    times = [(queue.due, name) for name, queue in state.queues.items()]
    times += [(room.timer, name) for name, room in state.rooms.items()]
    times += [(topic.timer, name) for name, topic in state.topics.items()]
    times += [(group.timer, name) for name, group in state.groups.items()]
    first = min((due for due, _ in times), default=NEVER)
    if first <= now:
        assert (first, state.chosen) in times
        return state.chosen, False
    return (state.chosen if first == NEVER and state.chosen >= 1 << 62 else first), False  # before the first timer
