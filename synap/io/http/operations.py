"""`POST /api/stream`: operations, which some SDKs send instead of enveloped commands.

    {"operation": "kv.set", "target": "user:1", "data": {"value": 7}}   ->   {"success": true}

An operation is a command of the envelope: `target` is its first field, `data` holds the other fields, and the reply is
the command's payload as one flat object. These SDKs take any member called `error`, even null, for a failure, and some
cannot read the body of a status other than 200. So a missing value is left out, and a refusal is
`{"error": text}` with status 200. Values are returned as the JSON that was stored.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from synap.compat.sdks import NATIVE
from synap.derive.conversions import to_json, wrong
from synap.derive.replies import as_document
from synap.faults import Fault
from synap.io.http.json_envelopes import Envelopes
from synap.proto.http import Request, Response
from synap.proto.rest import body_object
from synap.proto.streamable import Envelope

_encode = msgspec.json.encode
MISSING = ("Not found", "Key not found")


def _same(payload: Any) -> Any:
    return payload


def _value(payload: Any) -> Any:
    """Return a value's reply; a null is answered like a missing key, because the SDKs cannot tell them apart."""
    missing = payload is None or (isinstance(payload, msgspec.Raw) and bytes(payload) == b"null")
    return {} if missing else {"value": payload}


def _message(payload: Any) -> Any:
    message = payload["message"]
    if message is None:
        return {}
    return {"message": {
        "id": message["id"], "payload": as_document(bytes(message["payload"])), "priority": message["priority"],
        "retries": message["retry_count"], "max_retries": message["max_retries"], "timestamp": message["created_at"],
    }}  # fmt: skip


def _events(payload: Any) -> Any:
    events = [event | {"data": as_document(bytes(event["data"]))} for event in payload["events"]]
    return {"events": events, "next_offset": payload["next_offset"]}


def _published(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a publish with `message`, any JSON, as `payload`, so that consumers get the same JSON."""
    if "message" not in fields:
        return fields
    rest = {name: value for name, value in fields.items() if name != "message"}
    return rest | {"payload": to_json("message", fields["message"])}


def _scanned(fields: dict[str, Any]) -> dict[str, Any]:
    prefix = fields.get("prefix")
    return fields | {"prefix": prefix.removesuffix("*")} if isinstance(prefix, str) else fields


@dataclass(frozen=True)
class Operation:
    """The differences of an operation from the command of its name. `target` is the field that the target fills."""

    command: str = ""
    target: str = ""
    also: dict[str, str] = field(default_factory=dict, hash=False)  # field of the operation -> field of the command
    given: dict[str, Any] = field(default_factory=dict, hash=False)  # defaults of fields that may be left out
    ask: Callable[[dict[str, Any]], dict[str, Any]] = _same
    answer: Callable[[Any], Any] = _same


OPERATIONS = {
    "kv.get": Operation(answer=_value),
    "kv.incr": Operation(also={"delta": "amount"}),
    "kv.decr": Operation(also={"delta": "amount"}),
    "kv.delete": Operation(target="key"),
    "kv.exists": Operation(target="key"),
    "kv.scan": Operation(target="prefix", ask=_scanned),
    "queue.create": Operation(also={"max_size": "max_depth"}),
    "queue.publish": Operation(ask=_published),
    "queue.consume": Operation(given={"consumer_id": "consumer"}, answer=_message),
    "stream.read": Operation("stream.consume", also={"offset": "from_offset"}, given={"subscriber_id": "reader"},
                             answer=_events),
    "stream.consume": Operation(also={"offset": "from_offset"}, given={"subscriber_id": "reader"}, answer=_events),
    "stream.create_room": Operation("stream.create"),
    "stream.delete_room": Operation("stream.delete"),
    "stream.list_rooms": Operation("stream.list"),
    "pubsub.subscribe": Operation(target="subscriber_id"),
}  # fmt: skip
PLAIN = Operation()
NO_TARGET = ("", "*")


class Operations(Envelopes):
    """The operations of `POST /api/stream`."""

    def operation(self, request: Request) -> Response:
        """Answer one operation; a refusal is a reply with `error`."""
        posted = body_object(request.body)
        try:
            payload = self._operate(posted)
        except Fault as fault:
            payload = {"error": fault.json_text()}
        return Response(200, _encode(payload))

    def operation_writes(self, body: bytes) -> bool:
        """Return whether the posted operation writes; an unreadable body will be refused and writes nothing."""
        try:
            name = body_object(body).get("operation")
            how = OPERATIONS.get(name, PLAIN) if isinstance(name, str) else PLAIN
            return bool(self.server.commands.find(how.command or name).row.writes)
        except Fault:
            return False

    def _operate(self, posted: dict[str, Any]) -> dict[str, Any]:
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
        found = self.run(Envelope(how.command or name, "-", how.ask(fields)), NATIVE)
        if found.error is not None:
            return {} if found.error.startswith(MISSING) else {"error": found.error}
        payload = how.answer(found.payload)
        if not isinstance(payload, dict):
            return {} if payload is None else {"value": payload}
        return {name: value for name, value in payload.items() if name != "error" and value is not None}

    def _first_field(self, command: str) -> str:
        """Return the field of a command that the operation's target fills."""
        if self.server.engine is None:
            raise Fault("LOADING")
        args = self.server.commands.find(command).row.args
        found: str = getattr(args[0], "name", "") if args else ""
        return {"keys": "key"}.get(found, found) or "target"
