"""What is pending in groups of streams, and who claims it; see stream_groups.py."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import Answer, State
from tests.naive.store.stream_groups import ask
from tests.naive.store.streams import FIRST, Entry, Group, Id, Pending, Stream, end_id, start_id, strict_id, told

LOOKS = 10


def _group_of(state: State, args: dict[str, Any], now: int) -> tuple[Stream, Group]:
    record = state.seen(args["key"], now, Stream)
    if record is None or args["group"] not in record.value.groups:
        raise Refused("NO_GROUP", args["key"], args["group"])
    return record.value, record.value.groups[args["group"]]


def pending(state: State, args: dict[str, Any], now: int) -> Answer:
    if "start" in args:
        first, last = start_id(args["start"]), end_id(args["end"])
    _, group = _group_of(state, args, now)
    if "start" not in args:
        if not group.pending:
            return [0, None, None, None], False
        holders = [held.consumer for held in group.pending.values()]
        counts = [[name, b"%d" % holders.count(name)] for name in sorted(set(holders))]
        return [len(holders), told(min(group.pending)), told(max(group.pending)), counts], False
    found = []
    for ident, held in sorted(group.pending.items()):
        fits = held.consumer == args.get("consumer", held.consumer) and now - held.time >= args.get("idle", 0)
        if first <= ident <= last and fits:
            found.append([told(ident), held.consumer, now - held.time, held.deliveries])
    return found[: max(args["count"], 0)], False


def _claim(group: Group, entry: Entry, args: dict[str, Any], time: int, now: int) -> Any:
    """Give a pending entry to the consumer that claims it; what the reply has of it."""
    held = group.pending[entry.id]
    held.consumer, held.time = args["consumer"], time
    if args.get("retry_count", -1) >= 0:
        held.deliveries = args["retry_count"]
    elif "JUSTID" not in args:
        held.deliveries += 1
    group.consumers[args["consumer"]].active = now
    return told(entry.id) if "JUSTID" in args else entry.reply


def _claim_id(text: bytes) -> Id:
    try:
        return strict_id(text)
    except Refused:
        raise Refused("NOT_CLAIM_OPTION", text) from None


def claim(state: State, args: dict[str, Any], now: int) -> Answer:
    stream, group = _group_of(state, args, now)
    wanted = [_claim_id(text) for text in args["ids"]]
    last = strict_id(args["last_id"]) if "last_id" in args else FIRST
    changed = last > group.last
    group.last = max(last, group.last)
    time = args.get("time", now - args.get("idle", 0))
    time = time if 0 <= time <= now else now
    changed = ask(group, args["consumer"], now) or changed
    found = []
    for ident in wanted:
        entry, held = stream.get(ident), group.pending.get(ident)
        if entry is None:
            changed = group.pending.pop(ident, None) is not None or changed
        elif held is None and "FORCE" in args:
            group.pending[ident] = Pending(args["consumer"], now)
            found.append(_claim(group, entry, args, time, now))
        elif held is not None and now - held.time >= args["min_idle"]:
            found.append(_claim(group, entry, args, time, now))
    return found, changed or bool(found)


def auto_claim(state: State, args: dict[str, Any], now: int) -> Answer:
    first = start_id(args["start"])
    count = args.get("count", 100)
    if not 1 <= count < 2**59:
        raise Refused("COUNT_NOT_ABOVE_ZERO")
    stream, group = _group_of(state, args, now)
    changed = ask(group, args["consumer"], now)
    found: list[Any] = []
    gone: list[Id] = []
    waiting = sorted(ident for ident in group.pending if ident >= first)
    looks = 0
    while waiting and looks < LOOKS * count and len(found) + len(gone) < count:
        ident = waiting.pop(0)
        looks += 1
        entry = stream.get(ident)
        if entry is None:
            del group.pending[ident]
            gone.append(ident)
        elif now - group.pending[ident].time >= args["min_idle"]:
            found.append(_claim(group, entry, args, now, now))
    reply = [told(waiting[0] if waiting else FIRST), found, [told(ident) for ident in gone]]
    return reply, changed or bool(found or gone)
