"""The REST surface: finds a request's row in a tree of routes, collects its fields, builds JSON responses."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

from synap.arguments import Flag, layout
from synap.command import Catalogue, Command
from synap.derive.binders import packer
from synap.derive.conversions import to_integer, to_json, wrong
from synap.derive.documents import check_once, document
from synap.derive.json_aliases import respelled
from synap.derive.outcomes import numbers_told, refused
from synap.derive.replies import Render, renderer
from synap.faults import Fault
from synap.proto.http import Request, Response
from synap.routes import Route
from synap.store.memory.layout import NIL, NUMBER, STATUS_MASK

_encode = msgspec.json.encode


GONE = 410
BOOLEANS = {"true": True, "false": False}
"""How a query spells a boolean, in any case."""


class Target:
    """A row as called over REST or the envelope: its packer, renderer and route."""

    __slots__ = ("before", "fixed", "flags", "pack", "params", "renamed", "render", "route", "row", "row_at")

    def __init__(
        self, row: Command, row_at: int, render: Render, switches: dict[str, bool], route: Route | None = None
    ) -> None:
        self.row, self.row_at, self.render = row, row_at, render
        self.pack = respelled(row, packer(row, row_at))
        if row.switch and not switches.get(row.switch):
            self.pack = self._refuse
        self.params: tuple[str, ...] = ()
        flags = [place.node for place in layout(row.args) if isinstance(place.node, Flag)]
        named = {flag.name or flag.word.lower() for flag in flags}
        self.flags = named | {other for other, name in row.also.items() if name in named}
        self.route = route
        self.fixed = dict(route.fixed) if route else {}
        self.renamed = dict(route.renamed) if route else {}
        self.before: Target | None = None  # another row to carry out first

    def _refuse(self, fields: dict[str, Any]) -> bytes:
        raise Fault("SWITCHED_OFF", name=self.row.name, switch=self.row.switch)


Found: TypeAlias = tuple[dict[str, Any] | None, list[str]]


class Tree:
    """The routes as a tree of path segments; a fixed segment has precedence over a parameter."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}

    def add(self, path: str, method: str, target: Any) -> None:
        """Add a route to `target`; `{name}` in `path` matches any one segment."""
        node = self._root
        for segment in path.strip("/").split("/"):
            node = node.setdefault("{}" if segment.startswith("{") else segment, {})
        methods = node.setdefault("/", {})
        assert method not in methods, f"{method} {path} is defined twice"
        methods[method] = target

    def find(self, segments: list[str], method: str) -> Found:
        """Return the targets of a path by method, or None if there is no such path, and the path's parameters.

        If a fixed segment leads only to aliases, none with this method, the segment is tried as a parameter. Nearly
        all paths are found without this, in one walk.
        """
        node: Any = self._root
        params: list[str] = []
        for segment in segments:
            after = node.get(segment) if segment not in ("/", "{}") else None
            if after is None:
                after = node.get("{}")
                if after is None or not segment:
                    return self._below(self._root, segments, 0, method)
                params.append(segment)
            node = after
        methods = node.get("/")
        if methods is not None and method in methods:
            return methods, params
        return self._below(self._root, segments, 0, method)

    def find_open(self, segments: list[str], method: str) -> tuple[dict[str, Any], list[str | None]] | None:
        """Find a path whose parameters may be empty, or the last one absent; such parameters are returned as None."""
        return self._open(self._root, segments, 0, method) or self._open(self._root, [*segments, ""], 0, method)

    def _open(
        self, node: Any, segments: list[str], at: int, method: str
    ) -> tuple[dict[str, Any], list[str | None]] | None:
        if at == len(segments):
            methods = node.get("/")
            return None if methods is None or method not in methods else (methods, [])
        segment = segments[at]
        if segment and segment not in ("/", "{}") and segment in node:
            found = self._open(node[segment], segments, at + 1, method)
            if found is not None:
                return found
        if "{}" not in node:
            return None
        found = self._open(node["{}"], segments, at + 1, method)
        return None if found is None else (found[0], [segment or None, *found[1]])

    def _below(self, node: Any, segments: list[str], at: int, method: str) -> Found:
        if at == len(segments):
            return node.get("/"), []
        segment = segments[at]
        after = node.get(segment) if segment not in ("/", "{}") else None
        fixed: Found = (None, []) if after is None else self._below(after, segments, at + 1, method)
        methods = fixed[0]
        if methods is not None and (method in methods or not all(_is_alias(each) for each in methods.values())):
            return fixed
        after = node.get("{}") if segment else None
        if after is None:
            return fixed
        found, params = self._below(after, segments, at + 1, method)
        return (found, [segment, *params]) if found is not None else fixed


def _is_alias(target: Any) -> bool:
    return isinstance(target, Target) and target.route is not None and target.route.alias


def json_response(status: int, value: Any, **more: Any) -> Response:
    """Return a response with `value` as JSON."""
    return Response(status, _encode(value), **more)


def fault_response(fault: Fault) -> Response:
    """Return a response with the fault's status and its error object."""
    if fault.row.http == 200:  # pub/sub, whose clients read the body
        return json_response(200, {"error": fault.json_text()})
    return json_response(fault.row.http, fault_body(fault))


def fault_body(fault: Fault) -> dict[str, Any]:
    """Return the members of an error; of changes that are gone, also where a reader can begin."""
    body: dict[str, Any] = {"error": fault.json_text(), "code": fault.row.http}
    if fault.row.http == GONE:
        body |= {"first": fault.words["first"], "next": fault.words["next"]}
    return body


def two_values(name: str, place: str) -> Fault:
    """Return the Fault for a field whose value in `place` (path or query) differs from the one found before."""
    wanted = f"what the {place} says"
    return Fault("WRONG_FIELD", field=name, wanted=wanted, found="something else beside it")


def in_query(fault: Fault, request: Request) -> Response:
    """Return the 400 response for a wrong field of a path or query."""
    text = fault.json_text()
    if "kind" in fault.words and request.method in (b"GET", b"HEAD", b"DELETE"):
        text = f"Invalid request: {fault.words['field']} parameter required"
    return json_response(400, {"error": text, "code": 400})


def status_fault(status: int, fields: dict[str, Any], number: int, second: int = 0) -> Fault:
    """Return the Fault of a refusing status; its text may name the fields and the two numbers of the reply."""
    return named_fault(refused(status & STATUS_MASK).name, fields | numbers_told(number, second))


def named_fault(name: str, fields: dict[str, Any]) -> Fault:
    """Return a Fault whose text may name the fields; `{key}` is also filled from `source`, the key of a rename."""
    words = {name: value for name, value in fields.items() if isinstance(value, str)}
    return Fault(name, **({"key": words.get("source", "")} | words))


def refused_number(row: Command, status: int, number: int) -> str:
    """Return the name of the fault that JSON surfaces make of this reply, or an empty text."""
    return row.json_faults.get(number, "") if status & STATUS_MASK in (NUMBER, NIL) else ""


def refused_fault(name: str, fields: dict[str, Any], is_there: Callable[[Any], bool]) -> Fault:
    """Return the Fault `name`; a COPY whose source is missing gets NO_SUCH_KEY instead of COPY_EXISTS."""
    if name == "COPY_EXISTS" and not is_there(fields["source"]):
        name = "NO_SUCH_KEY"
    return named_fault(name, fields)


class Rest:
    """The REST surface: the routes of all rows."""

    def __init__(self, catalogue: Catalogue, row_at: dict[str, int], switches: dict[str, bool]) -> None:
        self.tree = Tree()
        for row in catalogue.rows:
            if not row.http:
                continue
            render = renderer(row, row.json, row.json_nil)
            for route in row.http:
                spelled = render if route.json is None else renderer(row, route.json, route.json_nil)
                target = Target(row, row_at[row.name], spelled, switches, route)
                names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
                target.params = tuple(names)
                if route.before:
                    first = catalogue.by_name[route.before]
                    made = renderer(first, first.json, first.json_nil)
                    target.before = Target(first, row_at[first.name], made, switches)
                self.tree.add(route.path, route.method, target)

    def _named_elsewhere(
        self, request: Request, segments: list[str], method: str
    ) -> tuple[Target, list[str | None]] | None:
        """Find a path with an empty or absent name that the query or body gives: a key may be the empty text."""
        found = self.tree.find_open(segments, "GET" if method == "HEAD" else method)
        if found is None:
            return None
        target = found[0]["GET" if method == "HEAD" else method]
        if method == "HEAD" and target.row.writes:
            return None
        try:
            given = dict(query_pairs(request.query))
            if request.body:
                given = body_object(request.body) | given
        except Fault:
            return None
        missing = [name for name, value in zip(target.params, found[1], strict=True) if value is None]
        return (target, found[1]) if all(isinstance(given.get(name), str) for name in missing) else None

    def find(self, request: Request) -> tuple[Target, Sequence[str | None]] | tuple[None, str] | Response:
        """Return the target of a request and its path parameters, or the response that refuses the request.

        For a wrong method return None and the value of the header Allow.
        """
        path = request.path
        try:
            if b"%" in path:
                segments = [unquote_to_bytes(part).decode() for part in path[1:].split(b"/")]
            else:
                segments = path[1:].decode().split("/")
        except UnicodeDecodeError:
            return json_response(400, {"error": "Invalid request: the path is not UTF-8", "code": 400})
        method = request.method.decode("ascii", "replace")
        methods, values = self.tree.find(segments, "GET" if method == "HEAD" else method)
        if methods is None:
            return self._named_elsewhere(request, segments, method) or json_response(
                404, {"error": "Not found", "code": 404}
            )
        target = methods.get(method)
        if target is not None and target.route.needs and not _has_any(request.body, target.route.needs):
            found, values = self.tree.find(segments, "")
            methods = found or {}
            target = methods.get(method)
        if target is None and method == "HEAD":
            target = methods.get("GET")
            if target is not None and target.row.writes:
                target = None
        if target is None:
            return None, allowed(methods)
        return target, values

    def fields(self, request: Request, target: Target, values: Sequence[str | None]) -> dict[str, Any]:
        """Return the fields of a call from body, query and path. Raise Fault for a wrong field, and for a field with
        different values in two of these places."""
        fields: dict[str, Any] = dict(target.fixed)
        if request.body:
            fields.update(body_object(request.body, target.route.whole if target.route else ""))
        if request.query:
            for name, value in query_pairs(request.query):
                _put(fields, target, name, value, "query")
                if name in target.flags and value.lower() in BOOLEANS:
                    fields[name] = BOOLEANS[value.lower()]
        for name, named in zip(target.params, values, strict=True):
            if named is not None:
                _put(fields, target, name, named, "path")
        route = target.route
        if route is None:
            return fields
        for name, most, largest in route.capped:
            if fields.get(name) is not None and most < to_integer(name, fields[name]) <= largest:
                fields[name] = most
        for name in route.texts:
            if not isinstance(fields.get(name), str | None):
                fields[name] = to_json(name, fields[name])
        for old, new in target.renamed.items():
            if old in fields:
                value = fields.pop(old)
                if value is not None:
                    fields[new] = value
        return fields


def _put(fields: dict[str, Any], target: Target, name: str, value: str, place: str) -> None:
    """Add a field of a path or query, as text. Raise Fault if the field already has another value."""
    known = fields.get(name)
    if known is not None and known != value and target.fixed.get(name) is not known:
        text = known if isinstance(known, str) else to_json(name, known).decode()
        if text != value:
            raise two_values(name, place)
    fields[name] = value


def _has_any(body: bytes, needs: tuple[tuple[str, ...], ...]) -> bool:
    """Return True if the body is an object with a member of any of these groups."""
    try:
        found = body_object(body)
    except Fault:
        return False
    return any(name in found for group in needs for name in group)


def query_pairs(query: bytes) -> list[tuple[str, str]]:
    """Parse a query into names and values. Raise Fault if it is not UTF-8 or repeats a name."""
    try:
        pairs = parse_qsl(query.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise Fault("WRONG_FIELD", field="query", wanted="UTF-8", found="other bytes") from None
    except ValueError as error:
        raise Fault("WRONG_FIELD", field="query", wanted="names and values", found=str(error)) from None
    check_once([name for name, _ in pairs])
    return pairs


def body_object(body: bytes, whole: str = "") -> dict[str, Any]:
    """Parse a body as a JSON object, whatever its content type; an array is the field `whole`. Raise Fault if it is
    none."""
    value = document(body)
    if whole and isinstance(value, list):
        return {whole: value}
    if not isinstance(value, dict):
        raise wrong("body", "an object", value)
    return value


def allowed(methods: dict[str, Target | None]) -> str:
    """Return the value of Allow for a path: its methods, HEAD if a GET changes nothing, and OPTIONS."""
    getter = methods.get("GET")
    more = ["HEAD"] if "GET" in methods and (getter is None or not getter.row.writes) else []
    return ", ".join(sorted([*methods, *more, "OPTIONS"]))


def not_allowed(method: str, allow: str) -> Response:
    """Return the response 405 with the header Allow."""
    body = {"error": f"Method not allowed: {method}", "code": 405}
    return json_response(405, body, headers=[(b"allow", allow.encode())])
