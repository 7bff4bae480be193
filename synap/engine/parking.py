"""What is done to a call that begins to wait, by the word that its row has for it (`Command.parks`).

    newest_ids   `$` becomes the last id that the stream has now: the call waits for entries behind it
    consumer     the consumer of a group is created, as in Redis: others see it while it waits
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from synap.call import Call
from synap.command import Command
from synap.derive import tape_reader
from synap.derive.packed_calls import call_of
from synap.engine.subscribers import with_form
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
