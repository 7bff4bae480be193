"""Calls that begin to wait: what is done to a call first, and how a handler's call waits and ends.

What is done to a call first, by the word that its row has for it (`Command.parks`):

    newest_ids   `$` becomes the last id that the stream has now: the call waits for entries behind it
    consumer     the consumer of a group is created, as in Redis: others see it while it waits
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from synap.call import Call, Pending
from synap.command import Command
from synap.derive import tape_reader
from synap.derive.packed_calls import call_of
from synap.engine.callers import Caller
from synap.engine.outcomes import HANDLED, PARKED, Outcome
from synap.engine.subscribers import with_form
from synap.engine.waiters import Parked
from synap.faults import Fault
from synap.store.memory import layout

if TYPE_CHECKING:
    from synap.engine.engine import Engine

NEWEST = b"$"


def parked(engine: "Engine", row: Command, call: Call, now: int) -> Call:
    """Return the call with which a call of a row waits."""
    if not row.parks:
        return call
    engine.put(call)
    fields = tape_reader.read(row, engine.numbers, engine.bytes, layout.CALL, with_form)
    return PARKS[row.parks](engine, row, call, fields, now)


def _newest_ids(engine: "Engine", row: Command, call: Call, fields: dict[str, Any], now: int) -> Call:
    if all(stream["id"] != NEWEST for stream in fields["streams"]):
        return call
    last = engine.catalogue.by_name["xstream.last"]
    for stream in fields["streams"]:
        if stream["id"] == NEWEST:
            engine.run(call_of(last, call.namespace, key=stream["key"]), now)
            at, size = engine.numbers[layout.REPLY + 2], engine.numbers[layout.REPLY + 3] >> layout.MARK_BITS
            stream["id"] = bytes(engine.bytes[at : at + size])
    return call_of(row, call.namespace, **fields)


def _consumer(engine: "Engine", row: Command, call: Call, fields: dict[str, Any], now: int) -> Call:
    create = engine.catalogue.by_name["xstream.group_createconsumer"]
    for stream in fields["streams"]:
        names = {"group": fields["group"], "consumer": fields["consumer"]}
        engine.run(call_of(create, call.namespace, key=stream["key"], **names), now)
        engine.free_deferred()
    return call


PARKS: dict[str, Callable[["Engine", Command, Call, dict[str, Any], int], Call]] = {
    "newest_ids": _newest_ids, "consumer": _consumer,
}  # fmt: skip


# Calls of handlers.


def hold(
    engine: "Engine", caller: Caller, row: Command, row_at: int, pending: Pending,
    deliver: Callable[[Outcome], None] | None,
) -> Outcome:  # fmt: skip
    """Let the call of a handler wait for what it has named; without `deliver` it is answered at once."""
    if deliver is None:
        return Outcome(row, row_at, HANDLED, pending.answer())
    waiting = Parked(Call(row.code, 0, (), b""), row_at, (), pending.deadline, caller, deliver, pending=pending)
    engine.hold(waiting)

    def end() -> None:
        if not waiting.over:
            engine.stop_waiting(caller, None)

    pending.begin(end)
    return Outcome(row, row_at, PARKED, waiting)


def end_of(waiting: Parked, fault: Fault | None) -> tuple[int, Any]:
    """Return status and value of a call whose wait ends without a reply of its row: by a Fault or by its timeout."""
    if fault is not None:
        return HANDLED, fault
    return (layout.NIL, None) if waiting.pending is None else (HANDLED, waiting.pending.answer())
