"""Calls of the JSON surfaces: a call is packed, carried out by the engine, and its outcome spelled as JSON."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from synap.call import Value
from synap.derive.replies import Render
from synap.engine.callers import Caller
from synap.engine.outcomes import HANDLED, QUEUED, Outcome
from synap.faults import Fault
from synap.io.http.client_transactions import CLIENT_ID, ClientTransactions
from synap.proto.rest import Target, refused_fault, refused_number, status_fault
from synap.store.memory.layout import (
    CALL_BLOB,
    CALL_BLOB_BYTES,
    CHANGED,
    DONE,
    EMPTY,
    NIL,
    NUMBER,
    REFUSED,
    REPLY,
    SECOND_NUMBER,
    STATUS_MASK,
    WORD,
)
from synap.traits import ONTO_ITSELF

if TYPE_CHECKING:
    from synap.io.server.server import Server

CALL_BLOB_AT = CALL_BLOB * WORD


class JsonCalls:
    """The calls of the JSON surfaces of one server, whose node must be open before the first call."""

    def __init__(self, server: "Server") -> None:
        self.server = server
        self.transactions = ClientTransactions(self)

    def make(
        self, caller: Caller, target: Target, fields: dict[str, Any], now: int,
        deliver: Callable[[Outcome], None] | None = None, counted: bool = True,
    ) -> Outcome:  # fmt: skip
        """Pack the call of a target and carry it out; call `Engine.settle` once the outcome is spelled. Raise Fault.

        See `Engine.execute_packed` for `counted`. A write of a client with an open transaction is queued.
        """
        if CLIENT_ID in fields and (queued := self.transactions.queue(target, fields, now)) is not None:
            return queued
        call = target.pack(fields)
        if len(call) > CALL_BLOB_BYTES:
            raise Fault("QUERY_TOO_LARGE")
        engine = self.server.engine
        engine.bytes[CALL_BLOB_AT : CALL_BLOB_AT + len(call)] = call
        return engine.execute_packed(caller, CALL_BLOB, now, deliver, counted)

    def payload(self, outcome: Outcome, target: Target, fields: dict[str, Any], render: Render) -> Any:
        """Return what a call answers, as JSON. Raise Fault if it was refused, LookupError for "Not found"."""
        status = outcome.status
        if status == HANDLED:
            if isinstance(outcome.value, Fault):
                raise outcome.value
            return handled_value(outcome.value, target)
        if status == QUEUED:
            return {"success": True, "queued": True}
        engine, row = self.server.engine, target.row
        numbers = engine.numbers
        if status & STATUS_MASK >= REFUSED:
            if outcome.refusal != "SAME_OBJECT" or not row.traits & ONTO_ITSELF:
                words = by_own_names(target, fields)
                raise status_fault(status, words, *numbers[REPLY : REPLY + 3 : SECOND_NUMBER])
            if not self.is_there(fields["source"]):
                raise refused_fault("NO_SUCH_KEY", fields, self.is_there)
            status, numbers[REPLY] = NUMBER, 1  # a copy onto itself is a success
        if row.json_faults and (refusal := refused_number(row, status, numbers[REPLY])):
            raise refused_fault(refusal, fields, self.is_there)
        found = render(status, numbers, engine.bytes, REPLY, fields)
        route = target.route
        if route is not None and route.of and nothing(status, numbers) and not self.is_there(fields[route.of]):
            raise LookupError
        return found

    def is_there(self, key: str) -> bool:
        """Return whether `key` exists. Overwrites the reply of the previous call."""
        engine = self.server.engine
        self.make(engine.own, self.server.commands.find("key.exists"), {"key": key}, self.server.clock.now())
        return bool(engine.numbers[REPLY])


def by_own_names(target: Target, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a call, also under the names of the row where the client has used others."""
    others = target.row.also if target.route is None else target.row.also | target.route.renamed
    return fields | {name: fields[other] for other, name in others.items() if other in fields and name not in fields}


def nothing(status: int, numbers: Any) -> bool:
    """Return whether a call has changed nothing and found nothing: its reply is OK, nil, 0 or empty."""
    what = status & STATUS_MASK
    if status & CHANGED:
        return False
    return what in (DONE, EMPTY, NIL) or numbers[REPLY if what == NUMBER else REPLY + 1] == 0


def handled_value(value: Value, target: Target) -> Any:
    """Return a handler's value as JSON, by the row's template."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    template = target.row.json
    if isinstance(template, dict):
        return {name: value if word == "$reply" else word for name, word in template.items()}
    return value
