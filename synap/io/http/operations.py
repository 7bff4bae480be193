"""`POST /api/stream`: operations, which some SDKs send instead of enveloped commands.

    {"operation": "kv.set", "target": "user:1", "data": {"value": 7}}   ->   {"success": true}

An operation is a command of the envelope, with the differences that `compat/operations.py` lists. A missing value is
left out of the reply, and a refusal is `{"error": text}` with status 200, as the SDKs that send operations expect it.
Values are returned as the JSON that was stored.
"""

from collections.abc import Awaitable
from typing import Any

import msgspec

from synap.arguments import Key, layout
from synap.command import Command
from synap.compat.operations import OPERATIONS, PLAIN
from synap.compat.sdks import NATIVE
from synap.derive.conversions import wrong
from synap.engine.callers import Caller
from synap.faults import Fault
from synap.io.http.json_envelopes import Envelopes
from synap.io.http.key_walks import KeyWalks
from synap.proto.http import Request, Response
from synap.proto.rest import body_object
from synap.proto.streamable import Envelope
from synap.traits import WALKS

_encode = msgspec.json.encode
MISSING = ("Not found", "Key not found")
NO_TARGET = ("", "*")


class Operations:
    """The operations of `POST /api/stream`, which are carried out as enveloped commands."""

    def __init__(self, envelopes: Envelopes, walks: KeyWalks) -> None:
        self._envelopes, self._walks = envelopes, walks
        self._server = envelopes.server

    def answer(self, request: Request, caller: Caller) -> Response | Awaitable[Response]:
        """Answer one operation; a refusal is a reply with `error`."""
        posted = body_object(request.body)
        row = self._row_named(posted.get("operation"))
        if row is not None and row.traits & WALKS:
            return self._walks.before(row, caller, lambda: self._answered(posted, caller))
        return self._answered(posted, caller)

    def row_of(self, body: bytes) -> Command | None:
        """Return the row of the posted operation; None for an unreadable body or an unknown operation."""
        try:
            return self._row_named(body_object(body).get("operation"))
        except Fault:
            return None

    def _row_named(self, name: Any) -> Command | None:
        """Return the row of an operation; None if there is no such operation, or the server is starting."""
        if not isinstance(name, str) or self._server.node is None:
            return None
        target = self._server.commands.targets.get(OPERATIONS.get(name, PLAIN).command or name)
        return None if target is None else target.row

    def _answered(self, posted: dict[str, Any], caller: Caller) -> Response:
        try:
            payload = self._operate(posted, caller)
        except Fault as fault:
            payload = {"error": fault.json_text()}
        return Response(200, _encode(payload))

    def _operate(self, posted: dict[str, Any], caller: Caller) -> dict[str, Any]:
        name, target, data = posted.get("operation"), posted.get("target"), posted.get("data")
        if not isinstance(name, str) or not name:
            raise wrong("operation", "a string", name)
        if target is not None and not isinstance(target, str):
            raise wrong("target", "a string", target)
        if data is not None and data != [] and not isinstance(data, dict):
            raise wrong("data", "an object", data)
        how = OPERATIONS.get(name, PLAIN)
        fields = how.given | {how.also.get(field, field): value for field, value in (data or {}).items()}
        if target not in (None, *NO_TARGET):
            fields |= {how.target or self._first_field(how.command or name): target}
        found = self._envelopes.run(caller, Envelope(how.command or name, "-", how.ask(fields)), NATIVE)
        if found.error is not None:
            return {} if found.error.startswith(MISSING) else {"error": found.error}
        payload = how.answer(found.payload)
        if not isinstance(payload, dict):
            return {} if payload is None else {"value": payload}
        return {name: value for name, value in payload.items() if name != "error" and value is not None}

    def _first_field(self, command: str) -> str:
        """Return the field of a command that the operation's target fills: its first key, else its first argument."""
        if self._server.node is None:
            raise Fault("LOADING")
        args = self._server.commands.find(command).row.args
        keys = (place.node for place in layout(args) if isinstance(place.node, Key))
        first = next(keys, args[0] if args else None)
        return getattr(first, "name", "") or "target"
