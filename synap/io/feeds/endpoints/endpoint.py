"""The base class of all endpoints of WebSockets and event streams, and the table of paths that lead to them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from urllib.parse import unquote_to_bytes

import msgspec

from synap.command import Command
from synap.derive.conversions import wrong
from synap.derive.documents import document
from synap.derive.packed_calls import call_of
from synap.derive.replies import plain
from synap.engine.callers import Caller
from synap.engine.outcomes import Outcome
from synap.faults import Fault
from synap.proto.http import Request, Response
from synap.proto.rest import BOOLEANS, Found, Tree, json_response, query_pairs, status_fault, two_values
from synap.store.memory.layout import FORM_JSON, REPLY, SECOND_NUMBER

if TYPE_CHECKING:
    from synap.io.server.server import Server

_encode = msgspec.json.encode
Parameters: TypeAlias = dict[str, str]


class Sender(Protocol):
    """The part of a WebSocket or event stream that an endpoint may use."""

    server: "Server"
    caller: Caller
    heard: float  # when the peer sent anything last, in the loop's time

    @property
    def resumes(self) -> bool:
        """True if the connection uses the places of messages: an event stream does."""

    @property
    def full(self) -> bool:
        """True if so much output waits that the endpoint should send nothing until `drained`."""

    def send_text(self, data: bytes, kind: str = "message", place: str = "") -> None:
        """Send a message in UTF-8; once the connection is closing, send nothing.

        Event streams name an event by its `kind`, unless it is an ordinary message, and give it the id `place`: a
        stream that is opened later with this `last_event_id` goes on behind the message.
        """

    def fail(self, fault: Fault, data: bytes, code: int) -> None:
        """Send the message `data`, which says why the feed ends, and close with this code. An event stream whose
        endpoint begins is refused with the status of the fault instead."""

    def drain_soon(self) -> None:
        """Schedule the endpoint's `drained`."""

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Call `work` after so many seconds, unless the feed ends before, or another call of `later` follows."""

    def ping(self) -> None:
        """Ask the peer for a sign of life, which `heard` notes."""

    def protected(self, work: Callable[..., Any], *given: Any) -> Any:
        """Call a part of the endpoint within the call of another client, so that an exception closes this socket
        only; return what it returns."""

    def close(self, code: int, reason: str) -> None:
        """Close behind earlier messages, with a Close frame or an event `error` if there is a reason; messages
        received later are ignored."""


class Endpoint:
    """The application side of one open WebSocket or event stream.

    `writes`: messages of the client may lead to writes. Over an event stream a client sends none.
    """

    writes = False

    def __init__(self, connection: Sender, parameters: Parameters) -> None:
        self.connection = connection
        self.parameters = parameters
        self.over = False

    @property
    def now(self) -> int:
        """Engine time in ms."""
        return int(self.connection.server.clock.now())

    def drain_after_pause(self, writes: bool) -> bool:
        """Return True if a pause holds back calls now; `drained` is called when the pause ends."""
        diagnostics = self.connection.server.engine.diagnostics
        if not diagnostics.pauses(writes):
            return False
        diagnostics.on_unpause(self.connection.drain_soon)
        return True

    def written(self) -> None:
        """Schedule the end of the turn if calls made outside of another call have left frames for the log."""
        server = self.connection.server
        if server.engine.numbers[server.log_count]:
            server.turn.schedule()

    def ask(self, row: Command, **fields: Any) -> tuple[Outcome, Any]:
        """Make a call that the client has asked for when it opened the feed.

        Return the outcome, and the value of the reply or the Fault by which the call was refused.
        """
        engine = self.connection.server.engine
        outcome = engine.call_unasked(self.connection.caller, call_of(row, **fields), self.now)
        found = self._found(outcome, fields)
        engine.free_deferred()
        return outcome, found

    def run(self, caller: Caller, code: int, **fields: Any) -> tuple[Outcome, Any]:
        """Make a call outside of another client's call, and serve those who wait for its change; return what `ask`
        returns."""
        now, engine = self.now, self.connection.server.engine
        outcome: Outcome = engine.call(caller, call_of(engine.catalogue.by_code[code], **fields), now)
        found = self._found(outcome, fields)
        engine.settle(now)
        self.written()
        return outcome, found

    def _found(self, outcome: Outcome, fields: dict[str, Any]) -> Any:
        engine = self.connection.server.engine
        if outcome.failed:
            return status_fault(outcome.status, fields, *engine.numbers[REPLY : REPLY + 3 : SECOND_NUMBER])
        return plain(outcome.status, outcome.row, engine.numbers, engine.bytes)

    def begin(self) -> None:
        """Send the welcome; called when the socket is open."""

    def received(self, text: bytes) -> None:
        """Handle one whole text message in UTF-8; `refuse` answers what is not understood."""

    def say(self, kind: str, **more: Any) -> None:
        """Send a message of this type with these members."""
        self.connection.send_text(_encode({"type": kind, **more}), kind)

    def fail(self, fault: Fault, code: int) -> None:
        """Send an error message and close with this code: nothing more can be sent."""
        self.over = True
        self.connection.fail(fault, _encode({"type": "error", "error": fault.json_text()}), code)

    def refuse(self, error: str, **more: Any) -> None:
        """Send an error message; the socket stays open."""
        self.say("error", error=error, **more)

    def received_binary(self) -> None:
        """Refuse a binary message: no endpoint accepts one."""
        self.refuse("Invalid request: wanted a text message, found a binary one")

    def frame_of(self, text: bytes) -> dict[str, Any] | None:
        """Return the JSON object in a message. If there is none, send a refusal and return None."""
        try:
            frame = document(text)
            if not isinstance(frame, dict):
                raise wrong("message", "an object", frame)
        except Fault as fault:
            detail = fault.words.get("detail")
            self.refuse(f"Invalid request: the message is not JSON: {detail}" if detail else fault.json_text())
            return None
        return frame

    def drained(self) -> None:
        """Go on sending; called when output fits again after `full`."""

    def ended(self) -> None:
        """Release what the endpoint holds; called once, when the socket is gone, even if `begin` did not finish."""


EndpointFactory: TypeAlias = Callable[[Sender, Parameters], Endpoint]
Route: TypeAlias = "Callable[[Server, Request, Parameters], EndpointFactory | Response]"

DIGITS_MAX = 18


def unknown_command(command: Any, wanted: str) -> Fault:
    """Return the refusal of a message whose `command` is unknown; `wanted` lists the known ones."""
    if isinstance(command, str):
        return Fault("WRONG_FIELD", field="command", wanted=wanted, found=repr(command[:40]))
    return wrong("command", wanted, command)


def document_of(octets: bytes, form: int) -> Any:
    """Return stored data as JSON: stored JSON unchanged, text as a string, other bytes as an array of numbers."""
    if form == FORM_JSON:
        return msgspec.Raw(octets)
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return list(octets)


def number_of(name: str, text: str) -> int:
    """Return the whole number that the parameter `name` has. Raise Fault for anything else."""
    if text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX:
        return int(text)
    raise Fault("WRONG_FIELD", field=name, wanted="a whole number of at least 0", found=repr(text[:40]))


def is_true(parameters: Parameters, name: str) -> bool:
    """Return whether the parameter `name` is true; it is false if it is missing. Raise Fault for another word."""
    value = BOOLEANS.get(parameters.get(name, "false").lower())
    if value is None:
        raise Fault("WRONG_FIELD", field=name, wanted="true or false", found=repr(parameters[name][:40]))
    return value


def whole_number(parameters: Parameters, name: str, least: int = 0) -> Response | None:
    """Return the refusal of a parameter that is no whole number from `least` on; None if it is one or missing."""
    value = parameters.get(name)
    if value is None or (value.isascii() and value.isdigit() and len(value) <= DIGITS_MAX and int(value) >= least):
        return None
    text = f"Invalid request: '{name}': wanted a whole number of at least {least}, found {value[:40]!r}"
    return json_response(400, {"error": text, "code": 400})


class Routes:
    """A table of paths as a tree, built once for each server.

    `mark` is part of each of these paths: one without it is not looked up, so other requests cost one short search.
    """

    def __init__(self, mark: bytes, routes: dict[str, Route]) -> None:
        self.mark = mark
        self._tree = Tree()
        for path, route in routes.items():
            assert mark in path.encode(), path
            self._tree.add(path, "GET", (route, [part[1:-1] for part in path.split("/") if part.startswith("{")]))

    def find(self, request: Request) -> tuple[Route, Parameters] | None:
        """Return route and parameters of a path, or None. Raises Fault for a parameter with two values."""
        methods, found = self._lookup(request)
        if methods is None:
            return None
        route, names = methods["GET"]
        parameters = dict(query_pairs(request.query))
        for name, value in zip(names, found, strict=True):
            if parameters.setdefault(name, value) != value:
                raise two_values(name, "path")
        return route, parameters

    def leads(self, request: Request) -> bool:
        """Return whether the path of a request is one of the table."""
        return self._lookup(request)[0] is not None

    def _lookup(self, request: Request) -> Found:
        if self.mark not in request.path:
            return None, []
        try:
            segments = [unquote_to_bytes(part).decode() for part in request.path[1:].split(b"/")]
        except UnicodeDecodeError:
            return None, []
        return self._tree.find(segments, "GET")
