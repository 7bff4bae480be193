"""Routes: an HTTP request to a row and its fields, and a row's answer to JSON. One tree for all rows."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

from synap.command import Catalogue, Command, Route
from synap.derive.binders import packer
from synap.derive.conversions import wrong
from synap.derive.replies import Render, renderer
from synap.faults import TABLE, Fault
from synap.proto.http import Request, Response
from synap.store.layout import NUMBER, REFUSED, STATUS_MASK

Pack = Callable[[Any], bytes]
_encode = msgspec.json.encode
_decoder = msgspec.json.Decoder()


class Target:
    """A row as one surface reaches it."""

    __slots__ = ("fixed", "pack", "params", "renamed", "render", "row", "row_at")

    def __init__(self, row: Command, row_at: int, render: Render, route: Route | None = None) -> None:
        self.row, self.row_at, self.render = row, row_at, render
        self.pack = packer(row, row_at)
        if row.also:
            self.pack = _under_other_names(row.also, self.pack)
        if row.elapsed:
            self.pack = _over_at_once(row.elapsed, self.pack)
        self.params: tuple[str, ...] = ()
        self.fixed = dict(route.fixed) if route else {}
        self.renamed = dict(route.renamed) if route else {}


def _under_other_names(also: dict[str, str], pack: Pack) -> Pack:
    """The same for fields of which some have other names. Under two of them it must be the same value."""

    def renamed(fields: Any) -> bytes:
        for other, name in also.items():
            value, known = fields.get(other), fields.get(name)
            if value is None:
                continue
            if known is None:
                fields = {**fields, name: value}
            elif type(known) is not type(value) or known != value:
                raise Fault("WRONG_FIELD", field=other, wanted=f"what '{name}' says", found="something else")
        return pack(fields)

    return renamed


FIELDS_FEW = 32
LONG_AGO = 1
"""A moment that has passed, in seconds since 1970."""


def _over_at_once(elapsed: dict[str, str], pack: Pack) -> Pack:
    """The same for durations of which 0 is one that is over: `elapsed` names the moment that stands for each."""

    def moved(fields: Any) -> bytes:
        for name, moment in elapsed.items():
            if fields.get(name) in (0, "0") and fields[name] is not False and fields.get(moment) is None:
                fields = {**fields, name: None, moment: LONG_AGO}
        return pack(fields)

    return moved


class Tree:
    """Paths by segment: a fixed word goes before a parameter."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}

    def add(self, path: str, method: str, target: Any) -> None:
        """Reach `target` under `path`, in which `{name}` stands for any one segment."""
        node = self._root
        for segment in path.strip("/").split("/"):
            node = node.setdefault("{}" if segment.startswith("{") else segment, {})
        methods = node.setdefault("/", {})
        assert method not in methods, f"{method} {path} stands twice"
        methods[method] = target

    def find(self, segments: list[str]) -> tuple[dict[str, Any] | None, list[str]]:
        """The targets by method of a path, and its parameters; None if there is no such path."""
        node: Any = self._root
        params: list[str] = []
        for segment in segments:
            after = node.get(segment) if segment not in ("/", "{}") else None
            if after is None:
                after = node.get("{}")
                if after is None or not segment:
                    return None, params
                params.append(segment)
            node = after
        return node.get("/"), params


def json_response(status: int, value: Any, **more: Any) -> Response:
    """A JSON reply."""
    return Response(status, _encode(value), **more)


def fault_response(fault: Fault) -> Response:
    """The error object, under the fault's status."""
    return json_response(fault.row.http, {"error": fault.json_text(), "code": fault.row.http})


def in_query(fault: Fault, request: Request) -> Response:
    """The refusal of a field where there is no body: what a path or a query says is not understood (400)."""
    text = fault.json_text()
    if "kind" in fault.words and request.method in (b"GET", b"HEAD", b"DELETE"):
        text = f"Invalid request: {fault.words['field']} parameter required"
    return json_response(400, {"error": text, "code": 400})


def status_fault(status: int, fields: dict[str, Any]) -> Fault:
    """The Fault of a refusing status, with the fields that its text may name."""
    return named_fault(TABLE[(status & STATUS_MASK) - REFUSED].name, fields)


def named_fault(name: str, fields: dict[str, Any]) -> Fault:
    """A Fault, with the fields that its text may name; the key that a rename begins with is its source."""
    words = {name: value for name, value in fields.items() if isinstance(value, str)}
    return Fault(name, **({"key": words.get("source", "")} | words))


def refused_number(row: Command, status: int, number: int) -> str:
    """The fault that JSON surfaces make of this number, or nothing."""
    return row.json_faults.get(number, "") if status & STATUS_MASK == NUMBER else ""


def refused_fault(name: str, fields: dict[str, Any], is_there: Callable[[Any], bool]) -> Fault:
    """The Fault of that name; what could not be copied may be missing, which comes first."""
    if name == "COPY_EXISTS" and not is_there(fields["source"]):
        name = "NO_SUCH_KEY"
    return named_fault(name, fields)


class Rest:
    """The REST surface: all routes of the catalogue."""

    def __init__(self, catalogue: Catalogue, row_at: dict[str, int], switches: dict[str, bool]) -> None:
        self.tree = Tree()
        self.switches = switches
        for row in catalogue.rows:
            if not row.http:
                continue
            render = renderer(row, row.rest, row.rest_nil)
            for route in row.http:
                target = Target(row, row_at[row.name], render, route)
                names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
                target.params = tuple(names)
                self.tree.add(route.path, route.method, target)

    def find(self, request: Request) -> tuple[Target, list[str]] | tuple[None, str] | Response:
        """The row that a request asks for and what its path gives, or the reply that says why there is none.

        Without a target it is the method that is wrong, and those that are not come instead.
        """
        path = request.path
        try:
            if b"%" in path:
                segments = [unquote_to_bytes(part).decode() for part in path[1:].split(b"/")]
            else:
                segments = path[1:].decode().split("/")
        except UnicodeDecodeError:
            return json_response(400, {"error": "Invalid request: the path is not UTF-8", "code": 400})
        methods, values = self.tree.find(segments)
        if methods is None:
            return json_response(404, {"error": "Not found", "code": 404})
        method = request.method.decode("ascii", "replace")
        target = methods.get(method)
        if target is None and method == "HEAD":
            target = methods.get("GET")
            if target is not None and target.row.writes:
                target = None
        if target is None:
            return None, allowed(methods)
        return target, values

    def fields(self, request: Request, target: Target, values: list[str]) -> dict[str, Any]:
        """The fields of a call: body, then query, then path; a later one wins. Raises Fault for what is wrong."""
        if target.row.switch and not self.switches.get(target.row.switch):
            raise Fault("SWITCHED_OFF", name=target.row.name, switch=target.row.switch)
        fields: dict[str, Any] = dict(target.fixed)
        if request.body:
            fields.update(body_object(request.body))
        if request.query:
            pairs = parse_qsl(request.query.decode("utf-8", "replace"), keep_blank_values=True)
            _check_once(Counter(name for name, _ in pairs))
            fields.update(pairs)
        fields.update(zip(target.params, values, strict=True))
        for old, new in target.renamed.items():
            if old in fields:
                fields[new] = fields.pop(old)
        return fields


def body_object(body: bytes) -> dict[str, Any]:
    """A JSON object out of a body, whatever its content type says."""
    try:
        value = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Fault("BAD_JSON", detail=str(error)) from None
    except RecursionError:
        raise Fault("BAD_JSON", detail="it is nested too deeply") from None
    if not isinstance(value, dict):
        raise wrong("body", "an object", value)
    # More fields than any row has would be searched for in all of the body, one by one.
    if body.count(b":") == len(value):  # as many members as there are fields: none twice
        return value
    if len(value) > FIELDS_FEW or any(body.count(b'"%b"' % name.encode()) > 1 for name in value):  # or lies within
        _check_once(_top_names(body))
    return value


def _top_names(body: bytes) -> Counter[str]:
    """How often each name stands in the object that `body` is: decoders keep the last without a word."""
    found: list[Counter[str]] = []
    try:
        json.loads(body, parse_int=float, object_pairs_hook=lambda pairs: found.append(Counter(n for n, _ in pairs)))
    except (ValueError, RecursionError) as error:
        raise Fault("BAD_JSON", detail=str(error)) from None
    return found[-1]  # the outermost ends last


def _check_once(names: Counter[str]) -> None:
    for name, count in names.items():
        if count > 1:
            raise Fault("WRONG_FIELD", field=name, wanted="one value", found=str(count))


def allowed(methods: dict[str, Target | None]) -> str:
    """What Allow says of a path: its methods, HEAD where a GET changes nothing, and OPTIONS."""
    getter = methods.get("GET")
    more = ["HEAD"] if "GET" in methods and (getter is None or not getter.row.writes) else []
    return ", ".join(sorted([*methods, *more, "OPTIONS"]))


def not_allowed(method: str, allow: str) -> Response:
    """405, with the methods that are."""
    body = {"error": f"Method not allowed: {method}", "code": 405}
    return json_response(405, body, headers=[(b"allow", allow.encode())])
