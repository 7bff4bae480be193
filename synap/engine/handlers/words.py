"""Handlers of the RESP commands of the product's SDK (`compat/words.py`): each calls the row it stands for.

The arguments become the fields of that row and are packed as JSON surfaces pack them. Then the call runs like any
other call. So guards, log, waiters and hits see the row: the log holds the code of the row, never that of the SDK's
command. The caller of the handler must call `Engine.settle`, as for every call.
"""

from typing import Any

from synap.call import Value
from synap.compat.words import WORDS, Word
from synap.engine.callers import Caller
from synap.engine.engine import Engine, Handler
from synap.engine.inner_calls import perform
from synap.faults import Fault


def _handler(word: Word) -> Handler:
    def run(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
        reply = perform(engine, caller, word.row, word.ask(args), now)
        return reply if isinstance(reply, Fault) else word.answer(reply, args)

    return run


HANDLERS: dict[str, Handler] = {f"compat_{word.word.lower()}": _handler(word) for word in WORDS}
