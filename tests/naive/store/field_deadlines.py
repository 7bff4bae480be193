"""Deadlines of the fields of hashes."""

from typing import Any

from synap.ranges import MS_MAX
from tests.naive.parser import Refused
from tests.naive.store import Answer, State
from tests.naive.store.hashes import end, visible

NO_FIELD, NO_DEADLINE, REFUSED, SET, REMOVED = -2, -1, 0, 1, 2


def _need(args: dict[str, Any]) -> None:
    if not args.get("fields"):
        raise Refused("NO_FIELDS")


def _expire(state: State, args: dict[str, Any], now: int, amount: int, unit: int, start: int) -> Answer:
    _need(args)
    if amount < 0:
        raise Refused("EXPIRE_BELOW_ZERO")
    if amount * unit > MS_MAX - start:
        raise Refused("BAD_EXPIRE")
    deadline = start + amount * unit
    record, told = state.seen(args["key"], now, dict), []
    for name in args["fields"]:
        value, old = visible(record, now).get(name, (None, 0))
        if value is None:
            told.append(NO_FIELD)
        elif (
            ("NX" in args and old) or ("XX" in args and not old) or ("GT" in args and not 0 < old < deadline)
            or ("LT" in args and 0 < old <= deadline)
        ):  # fmt: skip
            told.append(REFUSED)
        elif deadline <= now:
            del record.value[name]
            told.append(REMOVED)
        else:
            record.value[name] = (value, deadline)
            told.append(SET)
    if changed := any(each > 0 for each in told):
        end(state, args["key"])
    return told, changed


def expire(state: State, args: dict[str, Any], now: int) -> Answer:
    return _expire(state, args, now, args["ttl"], 1000, now)


def expire_ms(state: State, args: dict[str, Any], now: int) -> Answer:
    return _expire(state, args, now, args["px"], 1, now)


def expire_at(state: State, args: dict[str, Any], now: int) -> Answer:
    return _expire(state, args, now, args["exat"], 1000, 0)


def expire_at_ms(state: State, args: dict[str, Any], now: int) -> Answer:
    return _expire(state, args, now, args["pxat"], 1, 0)


def _tell(state: State, args: dict[str, Any], now: int, start: int, unit: int) -> Answer:
    _need(args)
    found = visible(state.seen(args["key"], now, dict), now)
    told = []
    for name in args["fields"]:
        deadline = found[name][1] if name in found else 0
        told.append(NO_FIELD if name not in found else -(-(deadline - start) // unit) if deadline else NO_DEADLINE)
    return told, False


def remaining_seconds(state: State, args: dict[str, Any], now: int) -> Answer:
    return _tell(state, args, now, now, 1000)


def remaining(state: State, args: dict[str, Any], now: int) -> Answer:
    return _tell(state, args, now, now, 1)


def deadline_seconds(state: State, args: dict[str, Any], now: int) -> Answer:
    return _tell(state, args, now, 0, 1000)


def deadline(state: State, args: dict[str, Any], now: int) -> Answer:
    return _tell(state, args, now, 0, 1)


def persist(state: State, args: dict[str, Any], now: int) -> Answer:
    _need(args)
    record, told = state.seen(args["key"], now, dict), []
    for name in args["fields"]:
        value, old = visible(record, now).get(name, (None, 0))
        told.append(NO_FIELD if value is None else SET if old else NO_DEADLINE)
        if told[-1] == SET:
            record.value[name] = (value, 0)
    return told, SET in told


def _moment(args: dict[str, Any], now: int) -> int:
    """The deadline that the options give, 0 without one."""
    for word, name, unit, start in (("EX", "ttl", 1000, now), ("PX", "px", 1, now), ("EXAT", "exat", 1000, 0),
                                    ("PXAT", "pxat", 1, 0)):  # fmt: skip
        if word in args:
            if args[name] <= 0 or args[name] * unit > MS_MAX - start:
                raise Refused("BAD_EXPIRE")
            return args[name] * unit + start
    return 0


def get_and_expire(state: State, args: dict[str, Any], now: int) -> Answer:
    _need(args)
    moment = _moment(args, now)
    record, told, changed = state.seen(args["key"], now, dict), [], False
    for name in args["fields"]:
        value, old = visible(record, now).get(name, (None, 0))
        told.append(value)
        if value is None:
            continue
        if moment and moment <= now:
            del record.value[name]
            changed = True
        elif old != moment and (moment or "PERSIST" in args):
            record.value[name] = (value, moment)
            changed = True
    if changed:
        end(state, args["key"])
    return told, changed


def set_and_expire(state: State, args: dict[str, Any], now: int) -> Answer:
    _need(args)
    moment = _moment(args, now)
    there = visible(state.seen(args["key"], now, dict), now)
    names = [item["field"] for item in args["fields"]]
    if ("FNX" in args and any(name in there for name in names)) or (
        "FXX" in args and not all(name in there for name in names)
    ):
        return 0, False
    if moment and moment <= now:
        record = state.seen(args["key"], now, dict)
        if record is None:
            return 1, False
        for name in names:
            record.value.pop(name, None)
        end(state, args["key"])
        return 1, True
    record = state.claim(args["key"], now, dict)
    for item in args["fields"]:
        old = there.get(item["field"], (b"", 0))[1] if "KEEPTTL" in args else 0
        record.value[item["field"]] = (item["value"], moment or old)
    return 1, True


def drop_some(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.there(args["key"])
    drawn = state.chosen
    for name in drawn:
        assert 0 < record.value.pop(name)[1] <= now
    if drawn:
        end(state, args["key"])
    return drawn, bool(drawn)


def drop(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now)
    if record is None or record.kind is not dict:
        return 0, False
    gone = [name for name in dict.fromkeys(args["fields"]) if 0 < record.value.get(name, (b"", 0))[1] <= now]
    for name in gone:
        del record.value[name]
    if gone:
        end(state, args["key"])
    return len(gone), bool(gone)
