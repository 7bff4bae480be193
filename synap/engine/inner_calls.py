"""Calls that handlers make of other rows.

The fields are packed as JSON surfaces pack them. Then the call runs like any other call, so guards, log, waiters and
hits see its row. The caller of the handler must call `Engine.settle`, as for every call.
"""

from typing import TYPE_CHECKING, Any

from synap.derive.binders import packer
from synap.derive.json_aliases import Pack, respelled
from synap.derive.replies import plain
from synap.engine.callers import Caller
from synap.engine.outcomes import HANDLED
from synap.faults import Fault
from synap.store.memory import layout

if TYPE_CHECKING:
    from synap.engine.engine import Engine


def _packer(engine: "Engine", name: str) -> Pack:
    """Return the packer of a row's fields, made once for each engine because defaults come from its settings."""
    pack = engine.packers.get(name)
    if pack is None:
        row = engine.catalogue.by_name[name]
        pack = engine.packers[name] = respelled(row, packer(row, engine.row_at[name]))
    return pack


def perform(engine: "Engine", caller: Caller, name: str, fields: dict[str, Any], now: int) -> Any:
    """Carry out the row `name` with these fields and return its RESP value. Raise Fault if the row refuses."""
    row = engine.catalogue.by_name[name]
    call = _packer(engine, name)(fields)
    if len(call) > layout.CALL_BLOB_BYTES:
        raise Fault("QUERY_TOO_LARGE")
    start = layout.CALL_BLOB * layout.WORD
    engine.bytes[start : start + len(call)] = call
    outcome = engine.execute_packed(caller, layout.CALL_BLOB, now, counted=False)
    if outcome.refusal:
        raise Fault(outcome.refusal, number=str(engine.numbers[layout.REPLY]))
    if outcome.status == HANDLED:
        return outcome.value
    return _bare(plain(outcome.status, row, engine.numbers, engine.bytes))


def _bare(value: Any) -> Any:
    """Return a plain reply without the forms of its texts, and "OK" for DONE."""
    if value is True:
        return "OK"
    if isinstance(value, tuple):
        return value[0]
    if isinstance(value, dict):
        return {name: _bare(item) for name, item in value.items()}
    return [_bare(item) for item in value] if isinstance(value, list) else value
