"""Handlers of the RESP commands of the product's SDK (`compat/words.py`): each calls the row it stands for.

The arguments become the fields of that row and are packed as JSON surfaces pack them. Then the call runs like any
other call. So guards, log, waiters and hits see the row: the log holds the code of the row, never that of the SDK's
command. The caller of the handler must call `Engine.settle`, as for every call.
"""

from typing import Any

from synap.call import Value
from synap.compat.words import WORDS, Word
from synap.derive.binders import packer
from synap.derive.json_aliases import Pack, respelled
from synap.derive.replies import plain
from synap.engine.callers import Caller
from synap.engine.engine import Engine, Handler
from synap.engine.outcomes import HANDLED
from synap.faults import Fault
from synap.store.memory import layout


def _packer(engine: Engine, name: str) -> Pack:
    """Return the packer of a row's fields, made once for each engine because defaults come from its settings."""
    pack = engine.packers.get(name)
    if pack is None:
        row = engine.catalogue.by_name[name]
        pack = engine.packers[name] = respelled(row, packer(row, engine.row_at[name]))
    return pack


def perform(engine: Engine, caller: Caller, name: str, fields: dict[str, Any], now: int) -> Any:
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


def _handler(word: Word) -> Handler:
    def run(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
        reply = perform(engine, caller, word.row, word.ask(args), now)
        return reply if isinstance(reply, Fault) else word.answer(reply, args)

    return run


HANDLERS: dict[str, Handler] = {f"compat_{word.word.lower()}": _handler(word) for word in WORDS}
