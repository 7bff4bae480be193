"""Giving back what a call that has waited has popped, when its client has gone before the reply was sent."""

import logging
from typing import TYPE_CHECKING

from synap.call import Call
from synap.command import Command
from synap.derive import tape_reader
from synap.derive.replies import items
from synap.store.memory import layout
from synap.store.memory.layout import CHANGED, MARK_BITS, PRESENT, REFUSED, STATUS_MASK
from synap.store.slots import lists as slots

if TYPE_CHECKING:
    from synap.engine.engine import Engine

log = logging.getLogger("synap")


def call_for(engine: "Engine", row: Command, call: Call, status: int) -> Call | None:
    """Return the call that puts back the elements in the reply of `call`, which lies in the heap as its reply does."""
    if not status & CHANGED:
        return None
    found = items(engine.numbers, engine.bytes)
    (key, _), popped = found[0] if len(found) == 1 else found
    elements = popped if isinstance(popped, list) else [popped]
    fields = tape_reader.read(row, engine.numbers, engine.bytes, layout.CALL)
    name = row.gives_back[-1 if fields.get("where") == "RIGHT" else 0]
    tape = [0, len(key) << MARK_BITS | PRESENT, len(elements), slots.LIST_LPUSH_SLOTS]
    parts, size = [key], len(key)
    for text, form in reversed(elements):
        tape += [size, len(text) << MARK_BITS | PRESENT | form]
        parts.append(text)
        size += len(text)
    if len(tape) > layout.CALL_TAPE_SIZE // 2 or size > layout.CALL_BLOB_BYTES // 2:
        return None  # more than a call holds
    return Call(engine.catalogue.by_name[name].code, call.namespace, tuple(tape), b"".join(parts))


def carry_out(engine: "Engine", call: Call, now: int) -> None:
    """Put elements back, and serve the calls that wait for them."""
    status = engine.run(call, now)
    if status & STATUS_MASK >= REFUSED:
        log.error("the elements that a lost client has popped could not be put back")
    engine.settle(now)
