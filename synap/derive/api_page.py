"""HTML pages of the server: the front page, and the HTTP API at /docs, without scripts or external resources."""

import base64
import hashlib
import json
from html import escape
from typing import Any
from urllib.parse import quote

from synap.command import Catalogue, Command
from synap.derive import openapi

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 62rem; padding: 1rem; color: #1b1b1b;
  background: #fff; }
nav a { margin-right: 1rem; } h2 { border-bottom: 1px solid #ccc; margin-top: 3rem; }
section { margin: 1.5rem 0 2.5rem; } h3 { font: 600 1rem ui-monospace, monospace; margin: 0; }
h3 b { display: inline-block; min-width: 4.5rem; color: #06598f; }
pre { background: #f3f3f3; padding: .6rem; overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; margin: .5rem 0; } td, th { text-align: left; padding: .1rem 1rem .1rem 0;
  vertical-align: top; } th { font-weight: 600; } code { font-family: ui-monospace, monospace; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #161616; } pre { background: #262626; }
  a, h3 b { color: #6db7ee; } h2 { border-color: #444; } }
"""
ORIGIN = "http://127.0.0.1:15500"


LINKS = {"docs": "/docs", "openapi": "/openapi.json", "health": "/health", "metrics": "/metrics"}
_LINKED = {
    "docs": "the HTTP API for people", "openapi": "the HTTP API for programs", "health": "the health of the server",
    "metrics": "metrics for Prometheus",
}  # fmt: skip


def front_page(version: str) -> tuple[bytes, bytes]:
    """Return (the page at `/` as UTF-8, its Content-Security-Policy)."""
    rows = "".join(f"<tr><td><a href='{path}'>{path}</a><td>{_LINKED[name]}</tr>" for name, path in LINKS.items())
    text = (
        f"{_head(version)}<p>This is a Synap server: key-value store, queues, streams and publish/subscribe.</p>"
        f"<table>{rows}</table>"
    )
    return text.encode(), _policy()


def _head(version: str) -> str:
    name = f"Synap {escape(version)}"
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\n"
        f"<title>{name}</title><style>{STYLE}</style>\n<h1>{name}</h1>"
    )


def _policy() -> bytes:
    """Return the Content-Security-Policy: no resources, no scripts, only this style."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest())
    policy = b"default-src 'none'; style-src 'sha256-%b'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return policy % digest


def page(catalogue: Catalogue, version: str) -> tuple[bytes, bytes]:
    """Return (the page at /docs as UTF-8, its Content-Security-Policy)."""
    document = openapi.document(catalogue, version)
    parts = [
        f"{_head(version)}<p>{escape(document['info']['description'])} For programs: "
        "<a href=/openapi.json>openapi.json</a>.</p><nav>",
        *(f"<a href='#{tag['name']}'>{tag['name']}</a>" for tag in document["tags"]), "</nav>",
    ]  # fmt: skip
    for tag in document["tags"]:
        parts.append(f"<h2 id='{tag['name']}'>{tag['name']}</h2>")
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if tag["name"] in operation["tags"]:
                    parts.append(_operation(catalogue, path, method.upper(), operation))
    return "\n".join(parts).encode(), _policy()


def _operation(catalogue: Catalogue, path: str, method: str, operation: dict[str, Any]) -> str:
    row = catalogue.by_name.get(operation.get("x-synap-command", ""))
    parts = [f"<section><h3><b>{method}</b> {escape(path)}</h3><p>{escape(operation['summary'])}</p>"]
    lines = [
        (parameter["name"], parameter["in"], parameter["required"], parameter["schema"])
        for parameter in operation.get("parameters", ())
    ]
    body = _body(operation)
    required = body.get("required", [])
    lines += [(name, "body", name in required, schema) for name, schema in body.get("properties", {}).items()]
    if lines:
        parts.append("<table><tr><th>field<th>in<th>type<th></tr>")
        parts += [
            f"<tr><td><code>{escape(name)}</code><td>{where}<td>{escape(spelled(schema))}"
            f"<td>{'required' if needed else ''}</tr>"
            for name, where, needed, schema in lines
        ]
        parts.append("</table>")
    parts.append(f"<pre>{escape(curl(path, method, operation))}</pre>")
    if row is not None and row.examples:
        parts.append(f"<p>As <code>{escape(row.resp)}</code> over RESP:</p><pre>{escape(_examples(row))}</pre>")
    told = ", ".join(status for status in operation["responses"])
    parts.append(f"<p>Statuses: {told}.</p></section>")
    return "".join(parts)


def _examples(row: Command) -> str:
    lines = []
    for example in row.examples:
        reply = "..." if example.reply is ... else json.dumps(example.reply, ensure_ascii=False)
        lines.append(f"> {example.words}\n{reply}")
    return "\n".join(lines)


def _body(operation: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema: dict[str, Any] = content.get("schema", {})
    return schema


def spelled(schema: dict[str, Any]) -> str:
    """Return a short text for a schema."""
    if "enum" in schema:
        return " or ".join(schema["enum"][: (len(schema["enum"]) + 1) // 2])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(spelled(form) for form in schema["anyOf"]))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    kind = schema.get("type", "any")
    kinds = kind if isinstance(kind, list) else [kind]
    if kind == "array" and "items" in schema:
        return f"array of {spelled(schema['items'])}"
    return " or ".join(str(kind) for kind in kinds)


def sample(name: str, schema: dict[str, Any]) -> Any:
    """Return a value that fits a schema, for an example."""
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return sample(name, schema["anyOf"][0])
    if "prefixItems" in schema:
        return [sample(name, item) for item in schema["prefixItems"]]
    match schema.get("type", "string"):
        case "integer" | "number":
            return 1
        case "array":
            return [sample(name, schema.get("items", {"type": "integer"}))]
        case "object":
            return {key: sample(key, part) for key, part in schema.get("properties", {}).items()}
        case ["boolean", *_]:
            return True
        case _:
            return "0" if name == "cursor" else "*" if name == "pattern" else name


def example(path: str, method: str, operation: dict[str, Any]) -> tuple[str, Any]:
    """Return (path with query, body or None) of a request with all required fields."""
    query = []
    for parameter in operation.get("parameters", ()):
        name, value = parameter["name"], sample(parameter["name"], parameter["schema"])
        if parameter["in"] == "path":
            path = path.replace("{" + name + "}", quote(str(value), safe=""))
        elif parameter["required"]:
            query.append(f"{name}={quote(str(value))}")
    if operation["operationId"] == "server.command":
        return path, {"command": "kv.get", "request_id": "1", "payload": {"key": "key"}}
    schema = _body(operation)
    needed = dict.fromkeys(schema.get("required", []))
    for form in schema.get("allOf", ()):
        needed |= dict.fromkeys(form["anyOf"][0]["required"])
    body = {name: sample(name, schema["properties"][name]) for name in needed}
    return path + ("?" + "&".join(query) if query else ""), body or None


def curl(path: str, method: str, operation: dict[str, Any]) -> str:
    """Return a curl command line for a request of this operation."""
    path, body = example(path, method, operation)
    words = ["curl", *(["-X", method] if method != "GET" else []), f"'{ORIGIN}{path}'"]
    if body is not None:
        words += ["-d", "'" + json.dumps(body).replace("'", "'\\''") + "'"]
    return " ".join(words)
