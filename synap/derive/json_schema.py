"""JSON Schemas of a row: its arguments by their kinds, its replies by their templates."""

from typing import Any

from synap.command import (
    GROUPS,
    TEXTS,
    AnyOrder,
    Choice,
    Command,
    Flag,
    Int,
    Many,
    OneOf,
    Optional,
    Raw,
    Real,
    Shape,
    Timeout,
    Token,
    words_min,
)
from synap.derive.binders import field_names

Schema = dict[str, Any]

INT64 = {"minimum": -(1 << 63), "maximum": (1 << 63) - 1}
INTEGER_TEXT = r"^(0|-?[1-9][0-9]{0,17})$"
REAL_TEXT = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?$"


def fields(args: tuple[Any, ...]) -> tuple[dict[str, Schema], list[str]]:
    """Return (schema of each field by name, names of the required fields)."""
    properties: dict[str, Schema] = {}
    required: list[str] = []
    for node in args:
        if isinstance(node, AnyOrder | OneOf | Token | Optional):
            inner, _ = fields(node.inner)
            properties |= {name: or_null(schema) for name, schema in inner.items()}
        elif isinstance(node, Flag):
            properties[node.name or node.word.lower()] = {"type": ["boolean", "null"]}
        else:
            needed = words_min(node) > 0 and getattr(node, "default", None) is None
            schema = schema_of(node)
            properties[node.name] = schema if needed else or_null(schema)
            if needed:
                required.append(node.name)
    return properties, required


def schema_of(node: Any) -> Schema:
    """Return the schema of the JSON values of one argument."""
    if isinstance(node, GROUPS):
        return _group(node)
    if isinstance(node, Raw):
        octets = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}}
        return {"anyOf": [octets, {"type": "string"}]} if node.octets else {}
    if isinstance(node, TEXTS):
        return {"type": "string"}
    if isinstance(node, Int):
        found: Schema = {"anyOf": [{"type": "integer", **INT64}, {"type": "string", "pattern": INTEGER_TEXT}]}
        return found if node.default is None else found | {"default": node.default}
    if isinstance(node, Timeout):
        return {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": REAL_TEXT}]}
    if isinstance(node, Choice):
        words = [*(word.lower() for word in node.words), *(word.upper() for word in node.words)]
        return {"type": "string", "enum": list(dict.fromkeys(words))}
    assert isinstance(node, Real), f"no such kind of argument: {node!r}"
    return {"anyOf": [{"type": "number"}, {"type": "string", "pattern": REAL_TEXT}]}


def _group(node: Any) -> Schema:
    properties, required = fields(node.inner)
    members = field_names(node.inner)
    least = node.least_given if isinstance(node, Many) else getattr(node, "least", 1)
    if len(members) == 1:
        return {"type": "array", "items": properties[members[0]], "minItems": least}
    whole = object_of(properties, required)
    row = [properties[name] for name in members]
    ordered = {"type": "array", "prefixItems": row, "minItems": len(row), "maxItems": len(row)}
    forms: list[Schema] = [{"type": "array", "items": {"anyOf": [whole, ordered]}, "minItems": least}]
    if len(members) == 2:
        forms.append({"type": "object", "additionalProperties": row[1], "minProperties": least})
    return {"anyOf": forms}


def member_of(row: Command, name: str) -> Schema | None:
    """Return the schema of a member of one of the row's groups, or None."""
    for node in row.args:
        if isinstance(node, GROUPS) and name in field_names(node.inner):
            return fields(node.inner)[0][name]
    return None


def object_of(properties: dict[str, Schema], required: list[str]) -> Schema:
    """Return the schema of an object with these properties."""
    found: Schema = {"type": "object", "properties": properties}
    return found | {"required": required} if required else found


def or_null(schema: Schema) -> Schema:
    """Return a schema that also allows null."""
    if not schema:
        return schema
    return {"anyOf": [*schema.get("anyOf", [schema]), {"type": "null"}]} | (
        {"default": schema["default"]} if "default" in schema else {}
    )


def answer(row: Command, template: Any, nil: Any) -> Schema:
    """Return the schema of a successful reply, from the templates of a surface."""
    found = [_spelled(row, template)]
    if nil != "NOT_FOUND" and nil != template:
        found.append(_spelled(row, nil))
    found += [_spelled(row, view) for view in row.views.values()]
    if {} in found:
        return {}
    unique = [schema for i, schema in enumerate(found) if schema not in found[:i]]
    return unique[0] if len(unique) == 1 else {"anyOf": unique}


def _spelled(row: Command, template: Any) -> Schema:
    if isinstance(template, dict):
        return {
            "type": "object",
            "properties": {name.removesuffix("?"): _spelled(row, part) for name, part in template.items()},
            "required": [name for name in template if not name.endswith("?")],
        }
    if isinstance(template, str) and template.startswith("$"):
        word = template[1:]
        if word in _WORDS:
            return _WORDS[word]
        return _reply(row) if word == "reply" else _named(row, word)
    return {"const": template}


_OCTETS: Schema = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}}
_MESSAGE: Schema = {
    "type": "object",
    "properties": {
        "message_id": {"type": "string"}, "payload": _OCTETS, "priority": {"type": "integer"},
        "retry_count": {"type": "integer"}, "max_retries": {"type": "integer"}, "headers": {},
        "created_at": {"type": "integer"}, "deadline": {"type": "integer"},
    },
    "required": ["message_id", "payload", "priority", "retry_count", "headers"],
}  # fmt: skip
_WORDS: dict[str, Schema] = {
    "flag": {"type": "boolean"},
    "changed": {"type": "boolean"},
    "real": {"type": "number"},
    "items": {"type": "array"},
    "count": {"type": "integer"},
    "total": {"type": "integer"},
    "cursor": {"type": "string"},
    "ttl": {"type": ["integer", "null"]},
    "text": {"type": "string"},
    "octets": _OCTETS,
    "hybrid": {},
    "report": {"type": "object"},
    "message": _MESSAGE,
    "delivery": _MESSAGE,
    "numbered": {"type": "object", "required": ["id", "payload", "priority", "retry_count", "headers"]},
    "messages": {"type": "array", "items": _MESSAGE},
    "events": {"type": "array", "items": {
        "type": "object",
        "properties": {
            "id": {"type": "string"}, "offset": {"type": "integer"}, "room": {"type": "string"},
            "event": {"type": "string"}, "data": _OCTETS, "timestamp": {"type": "integer"},
            "metadata": {"type": "object"},
        },
        "required": ["id", "offset", "room", "event", "data", "timestamp", "metadata"],
    }},
    "from": {"type": ["integer", "null"]},
}  # fmt: skip


def _reply(row: Command) -> Schema:
    """Return the schema of a row's plain reply."""
    match row.reply:
        case Shape.NUMBER if not row.handler:
            return {"type": "integer"}
        case Shape.WORD:
            return {"type": "string", "enum": list(row.fields)}
        case Shape.DONE if not row.handler:
            return {"const": True}
        case Shape.VALUES | Shape.MEMBERS if not row.handler:
            return {"type": "array"}
        case _:
            return {}


def _named(row: Command, name: str) -> Schema:
    """Return the schema of an argument that the reply repeats as it was given."""
    properties, required = fields(row.args)
    schema = properties.get(name) or member_of(row, name) or {}
    return schema if name in required or not schema else {}
