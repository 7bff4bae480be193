"""The operations of `POST /api/stream` that differ from the command of their name.

An operation is a command of the envelope: `target` is its first field, `data` holds the other fields, and the reply is
the command's payload as one flat object. Some SDKs send operations instead of enveloped commands; they take any member
called `error`, even null, for a failure, and some cannot read the body of a status other than 200.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from synap.derive.conversions import to_json
from synap.derive.reply_forms import as_document


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
    "kv.scan": Operation(target="prefix"),
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
