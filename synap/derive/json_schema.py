"""JSON Schemas of a row: its arguments by their kinds, its replies by theirs."""

from typing import Any, assert_never

from synap.arguments import (
    GROUPS,
    TEXTS,
    AnyOrder,
    Argument,
    Choice,
    Flag,
    Group,
    Int,
    Many,
    OneOf,
    Optional,
    Raw,
    Real,
    Simple,
    Timeout,
    Token,
    default_of,
    words_min,
)
from synap.command import Command
from synap.derive.binders import field_names
from synap.derive.replies import BY_FIELDS
from synap.derive.spread import SPREADS
from synap.ranges import TIMEOUT_MAX
from synap.reply import GROUPS as GROUP_TEMPLATES
from synap.reply import (
    Array,
    As,
    ByName,
    Each,
    Either,
    Leaf,
    Map,
    Pairs,
    Pushed,
    Record,
    SetOf,
    Status,
    Template,
    Tuple,
    choices,
    inner,
    parts,
)

Schema = dict[str, Any]

INTEGER_TEXT = r"^(0|-?[1-9][0-9]{0,17})$"
REAL_TEXT = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?$"


def fields(args: tuple[Argument, ...]) -> tuple[dict[str, Schema], list[str]]:
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
            needed = words_min(node) > 0 and default_of(node) is None
            schema = schema_of(node)
            properties[node.name] = schema if needed else or_null(schema)
            if needed:
                required.append(node.name)
    return properties, required


def schema_of(node: Simple | Group) -> Schema:
    """Return the schema of the JSON values of one argument."""
    if isinstance(node, GROUPS):
        return _group(node)
    if isinstance(node, Raw):
        octets = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}}
        return {"anyOf": [octets, {"type": "string"}]} if node.octets else {}
    if isinstance(node, TEXTS):
        return {"type": "string"}
    if isinstance(node, Int):
        limits = {"minimum": node.least, "maximum": node.most}
        found: Schema = {"anyOf": [{"type": "integer", **limits}, {"type": "string", "pattern": INTEGER_TEXT}]}
        return found if node.default is None else found | {"default": node.default}
    if isinstance(node, Timeout):
        limits = {"minimum": 0, "maximum": TIMEOUT_MAX}
        return {"anyOf": [{"type": "number", **limits}, {"type": "string", "pattern": REAL_TEXT}]}
    if isinstance(node, Choice):
        words = [*(word.lower() for word in node.words), *(word.upper() for word in node.words)]
        return {"type": "string", "enum": list(dict.fromkeys(words))}
    assert isinstance(node, Real), f"no such kind of argument: {node!r}"
    return {"anyOf": [{"type": "number"}, {"type": "string", "pattern": REAL_TEXT}]}


def _group(node: Group) -> Schema:
    properties, required = fields(node.inner)
    members = field_names(node.inner)
    least = node.least_given if isinstance(node, Many) else node.least
    if isinstance(node, Many) and node.objects:
        objects = object_of(*fields(SPREADS[node.objects].members))
        return {"type": "array", "items": {"anyOf": [objects, {"type": ["string", "integer"]}]}, "minItems": least}
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
    return any_of(found)


def _spelled(row: Command, template: Any, of: Template | None = None) -> Schema:
    """Return the schema of what a template makes of a reply, or of a member of one with the template `of`."""
    of = reply_of(row) if of is None else of
    if isinstance(template, dict):
        return object_of({name.removesuffix("?"): _spelled(row, part, of) for name, part in template.items()},
                         [name for name in template if not name.endswith("?")])  # fmt: skip
    if isinstance(template, Each):
        (item,) = next(one.items for one in choices(of) if isinstance(one, Array))
        return {"type": "array", "items": _spelled(row, template.template, item)}
    if isinstance(template, As):
        found = reply_schema(template.template)
        return found if template.name in parts(of) else or_null(found)
    if not isinstance(template, str) or "$" not in template:
        return {"const": template}
    word = template[1:]
    if not template.startswith("$") or not word.isidentifier():
        return {"type": "string"}
    if word in parts(of):
        return reply_schema(parts(of)[word])
    if word in _WORDS:
        return _WORDS[word]
    if word == "reply":
        return reply_schema(of)
    if word == BY_FIELDS:
        return {"type": "object", "additionalProperties": _member(of)}
    return {"type": "array", "items": _member(of)} if word == "items" else _named(row, word)


_OCTETS: Schema = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}}
_WORDS: dict[str, Schema] = {
    "flag": {"type": "boolean"},
    "changed": {"type": "boolean"},
    "real": {"type": "number"},
    "count": {"type": "integer"},
    "total": {"type": "integer"},
    "ttl": {"type": ["integer", "null"]},
    "text": {"type": "string"},
    "title": {"type": "string"},
    "octets": _OCTETS,
    "hybrid": {},
}
_LEAVES: dict[Leaf, Schema] = {
    Leaf.DONE: {"const": True}, Leaf.INTEGER: {"type": "integer"},
    Leaf.REAL: {"anyOf": [{"type": "number"}, {"enum": ["inf", "-inf"]}]},
    Leaf.DISTANCE: {"type": "number"}, Leaf.NO_ARRAY: {"type": "null"},
    Leaf.BOOLEAN: {"type": "boolean"}, Leaf.TIME: {"type": "integer"}, Leaf.TEXT: {"type": "string"}, Leaf.VALUE: {},
    Leaf.OCTETS: _OCTETS, Leaf.VALUE_OCTETS: _OCTETS, Leaf.DOCUMENT: {}, Leaf.OBJECT: {}, Leaf.NIL: {"type": "null"},
    Leaf.NONE: {}, Leaf.ANY: {},
}  # fmt: skip


def reply_of(row: Command) -> Template:
    """Return the template of what a row answers to JSON surfaces."""
    return row.reply if row.json_reply is None else row.json_reply


def reply_schema(template: Template) -> Schema:
    """Return the schema of the JSON form of a reply: what `reply_forms.json_form` makes, or a handler returns."""
    match template:
        case Leaf():
            return _LEAVES[template]
        case Status(words):
            return {"type": "string", "enum": list(words)} if words else {"type": "string"}
        case Array():
            return {"type": "array", "items": any_of([reply_schema(item) for item in template.items])}
        case SetOf(item) | Pushed(item):
            return {"type": "array", "items": reply_schema(item)}
        case Tuple(members) | Record(members):
            return object_of({name.removesuffix("?"): reply_schema(member) for name, member in members},
                             [name for name, _ in members if not name.endswith("?")])  # fmt: skip
        case Map(item) | ByName(item):
            return {"type": "object", "additionalProperties": reply_schema(item)}
        case Pairs(first, second):
            pair = {"type": "array", "prefixItems": [reply_schema(first), reply_schema(second)], "minItems": 2,
                    "maxItems": 2}  # fmt: skip
            return {"type": "array", "items": pair}
        case Either():
            return any_of([reply_schema(each) for each in template.choices])
        case _:
            assert_never(template)


def any_of(schemas: list[Schema]) -> Schema:
    """Return the schema of what fits any of these schemas."""
    unique = [schema for i, schema in enumerate(schemas) if schema not in schemas[:i]]
    if {} in unique:
        return {}
    return unique[0] if len(unique) == 1 else {"anyOf": unique}


def _member(of: Template) -> Schema:
    """Return the schema of a member of a reply, or of the reply itself if it is no group."""
    found: list[Template] = []
    for one in choices(of):
        found += inner(one) if isinstance(one, GROUP_TEMPLATES) else [] if one is Leaf.NIL else [one]
    return any_of([reply_schema(each) for each in found])


def _named(row: Command, name: str) -> Schema:
    """Return the schema of an argument that the reply repeats as it was given."""
    properties, required = fields(row.args)
    schema = properties.get(name) or member_of(row, name) or {}
    return schema if name in required or not schema else {}
