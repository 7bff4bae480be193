"""Renders replies as JSON: reads the reply region of the heap and fills a row's templates.

A row's `rest` and `command` are templates. In a template these words stand for parts of the reply:

    $reply      the plain reply                        $count      the number of items
    $flag       the number as a boolean                $total      the scalar beside the items
    $real       the text as a number                   $cursor     the scalar as text
    $text       the text, also if it is JSON           $ttl        the number, null if negative
    $octets     the bytes of the text as numbers       $changed    true if the call changed anything
    $items      the items as an array                  $report     the named fields
    $hybrid     the text in the form that every client of the command envelope can read
    $message    a message of a queue; $numbered: with its id under `id`; $delivery: with its payload as JSON or text
                too; $messages: several
    $events     the events of a room                   $from       the offset that the call asked for
    $name       the argument `name`, for any other word

A member whose name ends in `?` is left out if the reply has no text for it.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec

from synap.command import Command, Shape
from synap.store.memory import layout
from synap.store.memory.layout import (
    CHANGED,
    DONE,
    EMPTY,
    FORM_JSON,
    FORM_MASK,
    ITEM,
    ITEM_INTEGER,
    ITEM_MASK,
    ITEM_TEXT,
    ITEMS,
    MARK_BITS,
    NIL,
    NO_ITEM,
    NUMBER,
    STATUS_MASK,
)
from synap.traits import EMPTY_IS_NIL

_judge = msgspec.json.Decoder(float_hook=float).decode
EVENT_ITEMS = 4  # offset, name, data, time
Render = Callable[[int, Any, Any, int, dict[str, Any]], Any]
_LIKE_JSON = re.compile(r'[ \t\n\r]*[{\["\-0-9tfn]')


def as_text(octets: bytes) -> str:
    """Return bytes as text, or a note of their number if they are not UTF-8."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return f"<binary data: {len(octets)} bytes>"


def as_json(octets: bytes, form: int) -> Any:
    """Return a stored value by its form: JSON verbatim, so that numbers keep their digits, else text."""
    if form == FORM_JSON:
        return msgspec.Raw(octets)
    return as_text(octets)


def as_hybrid(octets: bytes, form: int) -> Any:
    """Return what `as_json` returns, but a text that parses as JSON as a JSON string of it, so that decoding the
    text gives it back."""
    if form == FORM_JSON:
        return msgspec.Raw(octets)
    text = as_text(octets)
    return msgspec.json.encode(text).decode() if _LIKE_JSON.match(text) and _reads(text) else text


def _reads(text: str) -> bool:
    """Return True if some client's JSON parser may accept this text; lenient: 1e999, half a character."""
    try:
        json.loads(text, parse_int=float)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def items(numbers: Any, octets: Any, reply: int = layout.REPLY) -> list[tuple[Any, int]]:
    """Return (value, form) of every item of the reply; a value is bytes, int or None."""
    found: list[tuple[Any, int]] = []
    at = reply + 2
    for _ in range(numbers[reply + 1]):
        value, size = numbers[at], numbers[at + 1]
        what = size & ITEM_MASK
        if what == ITEM_TEXT:
            found.append((bytes(octets[value : value + (size >> MARK_BITS)]), size & FORM_MASK))
        elif what == ITEM_INTEGER:
            found.append((value, 0))
        else:
            found.append((None, 0))
        at += 2
    return found


def plain(status: int, row: Command, numbers: Any, octets: Any, reply: int = layout.REPLY) -> Any:
    """Return a row's reply as plain Python: int, (bytes, form), list, dict, None or True."""
    what = status & STATUS_MASK
    if what == NUMBER:
        return (row.fields[numbers[reply]].encode(), 0) if row.reply is Shape.WORD else numbers[reply]
    if what == DONE:
        return True
    if what in (NIL, NO_ITEM):
        return None
    if what == EMPTY:
        return []
    values = items(numbers, octets, reply)
    if what == ITEM:
        return values[0]
    assert what == ITEMS, f"{row.name}: no such status {what}"
    if row.reply is Shape.EVENTS:
        events = [values[i : i + EVENT_ITEMS] for i in range(0, len(values), EVENT_ITEMS)]
        return [[offset[0], name[0], data, time[0]] for offset, name, data, time in events]
    if row.reply is Shape.MESSAGES:
        size = len(row.fields)
        groups = [values[i : i + size] for i in range(0, len(values), size)]
        return [{name: value for name, (value, _) in zip(row.fields, group, strict=True)} for group in groups]
    if row.fields:
        return {name: value for name, (value, _) in zip(row.fields, values, strict=True)}
    if row.reply is Shape.PAGE:
        return [(b"%d" % numbers[reply], 0), values]
    return values


def renderer(row: Command, template: Any, nil: Any) -> Render:
    """Return the function that renders the reply of one surface from (status, numbers, octets, reply, fields).

    `nil` is the template of NIL; if it is "NOT_FOUND" the function raises LookupError instead.
    """
    spell = _spell(template, row)
    missing = _spell(nil, row) if nil != "NOT_FOUND" else None
    views = {name: _spell(view, row) for name, view in row.views.items()}

    empty_is_nil = row.traits & EMPTY_IS_NIL

    def render(status: int, numbers: Any, octets: Any, reply: int, fields: dict[str, Any]) -> Any:
        what = status & STATUS_MASK
        if what in (NIL, NO_ITEM) or (empty_is_nil and what == ITEM and not _first(numbers, octets, reply)[0]):
            if missing is None:
                raise LookupError
            return missing(status, numbers, octets, reply, fields)
        if views:
            wanted = fields.get("type")
            view = views.get(wanted) if isinstance(wanted, str) else None
            if view is not None:
                return view(status, numbers, octets, reply, fields)
        return spell(status, numbers, octets, reply, fields)

    return render


def _spell(template: Any, row: Command) -> Render:
    if isinstance(template, dict):
        parts = [(name, _spell(value, row)) for name, value in template.items()]
        if any(name.endswith("?") for name in template):
            return lambda status, numbers, octets, reply, fields: {
                name.removesuffix("?"): part(status, numbers, octets, reply, fields)
                for name, part in parts
                if status & STATUS_MASK == ITEM or not name.endswith("?")
            }
        return lambda status, numbers, octets, reply, fields: {
            name: part(status, numbers, octets, reply, fields) for name, part in parts
        }
    if not isinstance(template, str) or not template.startswith("$"):
        return lambda status, numbers, octets, reply, fields: template
    word = template[1:]
    if word in ("events", "from"):
        given = _events if word == "events" else _from
        return lambda status, numbers, octets, reply, fields: given(numbers, octets, reply, fields)
    known = _WORDS.get(word)
    if known is not None:
        return lambda status, numbers, octets, reply, fields: known(status, row, numbers, octets, reply)
    return lambda status, numbers, octets, reply, fields: _given(word, fields)


def _given(word: str, fields: dict[str, Any]) -> Any:
    """Return an argument as given; also the only one of a group, as `key` of `keys`."""
    value = fields.get(word)
    several = fields.get(word + "s")
    if value is None and isinstance(several, list) and len(several) == 1:
        value = several[0]
    return as_text(value) if isinstance(value, bytes) else value


def _json_item(value: Any, form: int) -> Any:
    return as_json(value, form) if isinstance(value, bytes) else value


def _reply(status: int, row: Command, numbers: Any, octets: Any, reply: int) -> Any:
    value = plain(status, row, numbers, octets, reply)
    if isinstance(value, tuple):
        return as_json(*value)
    if isinstance(value, list):
        return [_json_item(*item) for item in value]
    return value


def _items(status: int, row: Command, numbers: Any, octets: Any, reply: int) -> list[Any]:
    if status & STATUS_MASK in (ITEM, ITEMS):
        return [_json_item(*item) for item in items(numbers, octets, reply)]
    value = _reply(status, row, numbers, octets, reply)
    return value if isinstance(value, list) else [value]


def _first(numbers: Any, octets: Any, reply: int) -> tuple[bytes, int]:
    at = reply + 2
    value, size = numbers[at], numbers[at + 1]
    return bytes(octets[value : value + (size >> MARK_BITS)]), size & FORM_MASK


def _message(status: int, row: Command, numbers: Any, octets: Any, reply: int) -> dict[str, Any]:
    return spelled_message(row.fields, items(numbers, octets, reply))


def _messages(status: int, row: Command, numbers: Any, octets: Any, reply: int) -> list[dict[str, Any]]:
    if status & STATUS_MASK == EMPTY:
        return []
    found, size = items(numbers, octets, reply), len(row.fields)
    return [spelled_message(row.fields, found[i : i + size]) for i in range(0, len(found), size)]


def _numbered(status: int, row: Command, numbers: Any, octets: Any, reply: int) -> dict[str, Any]:
    found = _message(status, row, numbers, octets, reply)
    return {"id": found.pop("message_id"), **found}


def _delivery(status: int, row: Command, numbers: Any, octets: Any, reply: int) -> dict[str, Any]:
    found = _message(status, row, numbers, octets, reply)
    return found | {"message": as_document(bytes(found["payload"]))}


def as_document(octets: bytes) -> Any:
    """Return bytes as JSON verbatim if they are JSON, else as text."""
    try:
        _judge(octets)
        return msgspec.Raw(octets)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return as_text(octets)


def _events(numbers: Any, octets: Any, reply: int, fields: dict[str, Any]) -> list[dict[str, Any]]:
    """Return events in the form of REST: their data as the bytes of its JSON text, as numbers."""
    found = items(numbers, octets, reply)
    room = fields.get("room")
    return [
        {
            "id": f"{room}:{found[i][0]}", "offset": found[i][0], "room": room, "event": as_text(found[i + 1][0]),
            "data": list(json_text(*found[i + 2])), "timestamp": found[i + 3][0] // 1000, "metadata": {},
        }
        for i in range(0, len(found), EVENT_ITEMS)
    ]  # fmt: skip


def json_text(octets: bytes, form: int) -> bytes:
    """Return a stored value as JSON text; bytes that are not UTF-8 unchanged."""
    if form == FORM_JSON:
        return octets
    try:
        return msgspec.json.encode(octets.decode())
    except UnicodeDecodeError:
        return octets


def _from(numbers: Any, octets: Any, reply: int, fields: dict[str, Any]) -> int | None:
    asked = fields.get("from_offset")
    return None if asked is None else int(asked)


def spelled_message(names: tuple[str, ...], parts: list[tuple[Any, int]]) -> dict[str, Any]:
    """Return a queue's message for JSON surfaces: bytes as numbers, times in seconds."""
    values = dict(zip(names, parts, strict=True))
    found = {name: value for name, (value, _) in values.items()}
    return {
        "message_id": found["message_id"].decode(),
        "payload": list(found["payload"]),
        "priority": found["priority"],
        "retry_count": found["retry_count"],
        "max_retries": found["max_retries"],
        "headers": _headers(*values["headers"]),
        "created_at": found["created_at"] // 1000,
        "deadline": found["deadline"] // 1000,
    }


def _report(status: int, row: Command, numbers: Any, octets: Any, reply: int) -> dict[str, Any]:
    found: dict[str, Any] = plain(status, row, numbers, octets, reply)
    return {name: as_text(value) if isinstance(value, bytes) else value for name, value in found.items()}


def _headers(octets: bytes, _: int) -> Any:
    """Return a message's headers as JSON, also if they were given as text over RESP, else as text."""
    return as_document(octets) if octets else {}


_WORDS: dict[str, Callable[[int, Command, Any, Any, int], Any]] = {
    "reply": _reply,
    "items": _items,
    "flag": lambda status, row, numbers, octets, reply: bool(numbers[reply]),
    "cursor": lambda status, row, numbers, octets, reply: str(numbers[reply]),
    "total": lambda status, row, numbers, octets, reply: numbers[reply],
    "count": lambda status, row, numbers, octets, reply: numbers[reply + 1],
    "ttl": lambda status, row, numbers, octets, reply: numbers[reply] if numbers[reply] >= 0 else None,
    "real": lambda status, row, numbers, octets, reply: float(_first(numbers, octets, reply)[0]),
    "text": lambda status, row, numbers, octets, reply: as_text(_first(numbers, octets, reply)[0]),
    "octets": lambda status, row, numbers, octets, reply: list(_first(numbers, octets, reply)[0]),
    "hybrid": lambda status, row, numbers, octets, reply: as_hybrid(*_first(numbers, octets, reply)),
    "changed": lambda status, row, numbers, octets, reply: status & STATUS_MASK == DONE or bool(status & CHANGED),
    "report": _report,
    "message": _message,
    "messages": _messages,
    "numbered": _numbered,
    "delivery": _delivery,
}
