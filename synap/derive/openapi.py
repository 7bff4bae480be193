"""Generates the description of the HTTP API (OpenAPI 3.1) from the command table.

Parameters and bodies follow from the kinds of the arguments, replies from the rows' templates (see `replies`).
The table does not record which refusals a kernel may return. So a route lists every status that its kind of row
can return: 404 if something may be missing, 409 if a key may hold another type, 507 if memory may run out.
"""

import re
from dataclasses import replace
from typing import Any

from synap.arguments import GROUPS, TEXTS, Argument, Many
from synap.command import Catalogue, Command
from synap.derive.binders import field_names
from synap.derive.json_schema import Schema, answer, any_of, fields, member_of, object_of
from synap.durability import LEVELS
from synap.reply import parts
from synap.routes import Route
from synap.traits import REFUSED_WITH_200, RUNS_SCRIPT

STATUSES = {
    400: "The request is invalid, or was refused for the reason in the text",
    403: "The Host or Origin of the request is not accepted",
    404: "Not found",
    408: "The request did not arrive in time",
    409: "The key holds another kind of value",
    413: "The request is too large",
    422: "A field has the wrong type or is out of range",
    426: "The path needs an upgrade to a WebSocket",
    431: "The request line and headers are too large",
    500: "The log failed after the command ran: its outcome is unknown",
    503: "The server is starting",
    507: "The memory is used up, the queue is full, or the log cannot be written",
}
ALWAYS = (400, 403, 408, 413, 422, 431)


def document(catalogue: Catalogue, version: str) -> dict[str, Any]:
    """Return the whole OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    for row in catalogue.rows:
        for route in row.http:
            paths.setdefault(route.path, {})[route.method.lower()] = operation(row, route)
    _add_hidden(catalogue, paths)
    _link(catalogue, paths)
    paths |= _own_pages(catalogue)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Synap",
            "version": version,
            "description": "Key-value store, queues and more over HTTP. Bodies are read as JSON, whatever their "
            "Content-Type; unknown fields are ignored; errors are `{error, code}`.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in sorted({"server"} | {row.family for row in catalogue.rows if row.http})],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": {
            "Error": {
                "type": "object", "required": ["error", "code"],
                "properties": {"error": {"type": "string"}, "code": {"type": "integer"}},
            },
            "Reply": {
                "type": "object", "required": ["success", "request_id", "payload", "error"],
                "properties": {
                    "success": {"type": "boolean"}, "request_id": {"type": "string"}, "payload": {},
                    "error": {"type": ["string", "null"]},
                    "durability": {"type": "string", "enum": list(LEVELS[:3]), "description": "The level reached."},
                },
            },
            "Envelope": {
                "type": "object", "required": ["command"],
                "properties": {
                    "command": {"type": "string"}, "request_id": {"type": "string"}, "payload": {},
                    "durability": {"type": "string", "enum": list(LEVELS)},
                },
            },
        }},
    }  # fmt: skip


def _add_hidden(catalogue: Catalogue, paths: dict[str, dict[str, Any]]) -> None:
    """Add to the path of each alias the methods of the path with a parameter that it hides: `DELETE /queue/publish`."""
    routes = [(row, route) for row in catalogue.rows for route in row.http]
    for alias in {route.path for _, route in routes if route.alias}:
        for row, route in routes:
            found = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/{}]+)", route.path), alias)
            if found and found.groupdict() and route.method.lower() not in paths[alias]:
                fixed = operation(row, replace(route, path=alias, fixed={**route.fixed, **found.groupdict()}))
                fixed["operationId"] += "." + "_".join(found.groupdict().values())
                paths[alias][route.method.lower()] = fixed


def operation(row: Command, route: Route) -> dict[str, Any]:
    """Return the operation object of one route: its parameters, body and responses."""
    path_names = re.findall(r"{(\w+)}", route.path)
    properties, required = fields(row.args)
    properties |= {other: properties[name] for other, name in row.also.items() if name not in required}
    properties |= {other: {"type": ["integer", "null"]} for other in row.units}
    properties |= {other: {"type": ["boolean", "null"]} for other in row.negated}
    properties |= {row.within: {"type": ["object", "null"]}} if row.within else {}
    properties |= {name: _tagged(tags, properties) for name, tags in row.tagged.items()}
    for other, names in row.unpacked.items() if route.method == "POST" else ():
        items = {"prefixItems": [properties[name] for name in names], "minItems": len(names), "maxItems": len(names)}
        properties[other] = {"type": ["array", "null"]} | items
    for new, old in {new: old for old, new in route.renamed.items()}.items():
        if new in properties:
            properties[old] = properties.pop(new)
            required = [old if name == new else name for name in required]
    properties |= {name: _up_to(properties[name], largest) for name, _, largest in route.capped}
    parameters = []
    for name in path_names:
        schema = properties.pop(name, None) or member_of(row, name) or {"type": "string"}
        parameters.append({"name": name, "in": "path", "required": True, "schema": _as_text(schema) | {"minLength": 1}})
    taken = {*path_names, *route.fixed, *_groups_of(row, path_names)}
    properties = {name: schema for name, schema in properties.items() if name not in taken}
    required = [name for name in required if name not in taken]
    found: dict[str, Any] = {
        "operationId": f"{row.name}.{route.method.lower()}{_distinct(row, route)}",
        "tags": [row.family],
        "summary": row.doc,
        "x-synap-command": row.name,
        "x-synap-writes": row.writes or bool(row.traits & RUNS_SCRIPT),
    }
    if route.method in ("GET", "DELETE"):
        for name, schema in properties.items():
            parameters.append({"name": name, "in": "query", "required": name in required, "schema": _as_text(schema)})
        if row.views:
            words = ["string", *row.views]
            parameters.append({
                "name": "type", "in": "query", "required": False,
                "schema": {"type": "string", "examples": words}, "description": f"Form of reply: {', '.join(words)}",
            })  # fmt: skip
    elif route.needs:  # a body without these fields is a call of another route, see `Route.needs`
        found["requestBody"] = {"required": False, "content": {"application/json": {"schema": {"type": "object"}}}}
    elif properties:
        found["requestBody"] = {
            "required": bool(required),
            "content": {"application/json": {"schema": _body(row, route, properties, required, taken)}},
        }
    if parameters:
        found["parameters"] = parameters
    schema = {"type": "object"} if route.needs else answer(row, *_templates(row, route))
    if row.traits & REFUSED_WITH_200:
        schema = any_of([schema, object_of({"error": {"type": "string"}}, ["error"])])
    found["responses"] = _responses(schema, statuses(row))
    return found


def _up_to(schema: Schema, largest: int) -> Schema:
    """Return the schema of an integer with another greatest value."""
    return {"anyOf": [form | {"maximum": largest} if "maximum" in form else form for form in schema["anyOf"]]}


def _tagged(tags: dict[str, str], properties: dict[str, Schema]) -> Schema:
    """Return the schema of an object with one of several tags, in either of its forms, or null."""
    forms: list[Schema] = [{"type": "null"}]
    for tag, name in tags.items():
        value = {"anyOf": [form for form in properties[name]["anyOf"] if form != {"type": "null"}]}
        forms.append(object_of({tag: value}, [tag]) | {"maxProperties": 1})
        forms.append(object_of({"type": {"const": tag}, "value": value}, ["type", "value"]) | {"maxProperties": 2})
    return {"anyOf": forms}


def _body(
    row: Command, route: Route, properties: dict[str, Schema], required: list[str], taken: set[str]
) -> Schema:
    found = object_of(properties, required) | _either(row, taken)
    return any_of([found, properties[route.whole]]) if route.whole else found


def _templates(row: Command, route: Route) -> tuple[Any, Any]:
    return (row.json, row.json_nil) if route.json is None else (route.json, route.json_nil)


def _groups_of(row: Command, names: list[str]) -> list[str]:
    """Return the groups for which the path gives one item under the item's own name."""
    return [node.name for node in row.args if isinstance(node, GROUPS) and set(field_names(node.inner)) & set(names)]


def _either(row: Command, taken: set[str]) -> Schema:
    """Return the schema part that allows one item under its own name instead of a group."""
    single = {
        node.name: field_names(node.inner)[0] for node in row.args
        if isinstance(node, Many) and len(field_names(node.inner)) == 1 and node.least and node.name not in taken
    }  # fmt: skip
    if not single:
        return {}
    properties, required = fields(row.args)
    needed = [name for name in required if name not in taken and name not in single]
    properties = {name: schema for name, schema in properties.items() if name not in taken}
    for group, name in single.items():
        properties[name] = {}  # ignored if the group is given
        properties[group] = {"anyOf": [properties[group], {"type": "null"}]}
    return {
        "properties": properties, "required": needed,
        "allOf": [
            {"anyOf": [
                {"required": [group], "properties": {group: {"type": "array"}}},
                {"required": [name], "properties": {group: {"type": "null"}, name: member_of(row, name) or {}}},
            ]}
            for group, name in single.items()
        ],
    }  # fmt: skip


def _as_text(schema: Schema) -> Schema:
    """Return the schema of a field in a path or query: texts, from which numbers are parsed, and no null."""
    forms = [form for form in schema.get("anyOf", [schema]) if form.get("type") != "null"]
    plain = next((form for form in forms if form.get("type") in ("integer", "number")), forms[0])
    return plain | ({"default": schema["default"]} if "default" in schema else {})


def _distinct(row: Command, route: Route) -> str:
    """Return a suffix that distinguishes routes of a row with the same method."""
    same = [each for each in row.http if each.method == route.method]
    return f".{same.index(route)}" if len(same) > 1 else ""


def _names_something(node: Argument) -> bool:
    """Return True if an argument, or one within it, may name what is missing."""
    return isinstance(node, TEXTS) or isinstance(node, GROUPS) or any(map(_names_something, getattr(node, "inner", ())))


def statuses(row: Command) -> list[int]:
    """Return the statuses besides 200 that the routes of this row may return."""
    found = {*ALWAYS, 503}
    if any(_names_something(node) for node in row.args):
        found |= {404, 409}
    if row.writes:
        found |= {500, 507}
    return sorted(found)


def _responses(schema: Schema, refusals: list[int], content: str = "application/json") -> dict[str, Any]:
    found: dict[str, Any] = {"200": {"description": "The call succeeded", "content": {content: {"schema": schema}}}}
    for status in refusals:
        what = {"$ref": "#/components/schemas/Error"} if status != 503 else {"type": "object"}
        found[str(status)] = {
            "description": STATUSES[status], "content": {"application/json": {"schema": what}},
        }  # fmt: skip
    return found


# Links: from a call that creates or changes something to the calls about it.

NAMES = {"key": "key", "source": "key", "queue": "queue"}  # parameter of the linked path -> field of the maker


def _link(catalogue: Catalogue, paths: dict[str, dict[str, Any]]) -> None:
    targets = [(path, each) for path, methods in paths.items() for each in methods.values()]
    for row in catalogue.rows:
        for route in row.http if row.links else ():
            made = paths[route.path][route.method.lower()]
            links: dict[str, Any] = {}
            for path, each in targets:
                other = catalogue.by_name[each["x-synap-command"]]
                given = {name: _given_at(route, NAMES[name]) for name in re.findall(r"{(\w+)}", path) if name in NAMES}
                given = {name: place for name, place in given.items() if place and made is not each}
                if other.family not in row.links or not given:
                    continue
                link: dict[str, Any] = {"operationId": each["operationId"], "parameters": given}
                properties, _ = fields(other.args)
                if "message_id" in properties:
                    if "message_id" not in parts(row.reply) or row.json != "$reply":
                        continue
                    link["requestBody"] = {"message_id": "$response.body#/message_id"}
                links[each["operationId"]] = link
            made["responses"]["200"]["links"] = links


def _given_at(route: Route, name: str) -> str:
    """Return the OpenAPI expression for the place where a request of this route gives `name`, or an empty text."""
    if "{" + name + "}" in route.path:
        return f"$request.path.{name}"
    return f"$request.body#/{name}" if route.method == "POST" and name == "key" else ""


# Pages of the server.


def _own_pages(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    health = object_of(
        {"status": {"type": "string"}, "service": {"const": "synap"}, "version": {"type": "string"}},
        ["status", "service", "version"],
    )
    replication = object_of({"role": {"type": "string"}, "status": {"type": "string"}}, ["role", "status"])
    snapshot = object_of({"success": {"const": True}, "message": {"type": "string"}}, ["success", "message"])
    always = list(ALWAYS)
    text = {"type": "string"}
    links = object_of({"docs": text, "openapi": text, "health": text, "metrics": text}, ["docs", "health", "metrics"])
    told = object_of({"service": {"const": "synap"}, "version": text, "links": links}, ["service", "version", "links"])
    front = _responses(told, always)
    front["200"]["content"]["text/html"] = {"schema": text}  # for requests that accept it, as browsers' do
    return {
        "/": {"get": _page("front", "Return the name and version of the server, and links to other pages.", front)},
        "/health": {"get": _page("health", "Return the health of the server.", _responses(health, [*always, 503]))},
        "/health/replication": {
            "get": _page("replication", "Return the role of this node.", _responses(replication, [*always, 503]))
        },
        "/metrics": {"get": _page("metrics", "Return metrics for Prometheus.", _responses(text, always, "text/plain"))},
        "/openapi.json": {"get": _page("openapi", "Return this document.", _responses({"type": "object"}, always))},
        "/docs": {"get": _page("docs", "Return this document as an HTML page.", _responses(text, always, "text/html"))},
        "/snapshot": {
            "post": _page("snapshot", "Write a snapshot and wait for it.", _responses(snapshot, [*always, 500, 503]))
        },
        "/api/v1/command": {"post": _command(catalogue)},
        "/api/stream": {"post": _operation()},
    }


def _page(name: str, doc: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"operationId": f"server.{name}", "tags": ["server"], "summary": doc, "responses": responses}


def _operation() -> dict[str, Any]:
    body = object_of({"operation": {"examples": ["kv.set"]}, "target": {"examples": ["user:1"]}, "data": {}}, [])
    return _page(
        "operation", "Run an operation of an SDK; a refusal is a reply with status 200.",
        _responses({"type": "object"}, list(ALWAYS)),
    ) | {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}}


def _command(catalogue: Catalogue) -> dict[str, Any]:
    one = {"$ref": "#/components/schemas/Envelope"}
    batch = object_of({"type": {"examples": ["batch"]}, "commands": {"type": "array", "items": one}}, ["commands"])
    reply = {"$ref": "#/components/schemas/Reply"}
    replies = object_of({"responses": {"type": "array", "items": reply}}, ["responses"])
    known = {
        name: {"payload": object_of(*fields(row.args)), "reply": answer(row, row.spelled.get(name, row.enveloped[0]),
                                                                      row.enveloped[1])}
        for row in catalogue.rows if not row.internal and row.json is not None
        for name in dict.fromkeys((row.name, *row.envelope))
    }  # fmt: skip
    return _page(
        "command", "Run a command by name, or a batch in order; a refusal is a reply with status 200.",
        _responses({"anyOf": [reply, replies]}, list(ALWAYS)),
    ) | {
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"anyOf": [one, batch]}}}},
        "x-synap-commands": known,
    }  # fmt: skip
