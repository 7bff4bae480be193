"""What a WebSocket is for: the base of all talks, and the paths that lead to them."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias
from urllib.parse import unquote_to_bytes

import msgspec

from synap.derive.conversions import wrong
from synap.derive.documents import document
from synap.faults import Fault
from synap.proto.http import Request, Response
from synap.proto.rest import Tree, json_response, query_pairs, two_values

_encode = msgspec.json.encode
Parameters: TypeAlias = dict[str, str]


class Speaker(Protocol):
    """What a talk may ask of its connection."""

    server: Any

    @property
    def full(self) -> bool:
        """Does so much output wait that the talk should stop until `drained`?"""

    def send_text(self, data: bytes) -> None:
        """Send one message of UTF-8; nothing once the socket is closing."""

    def close(self, code: int, reason: str) -> None:
        """Send our Close; what was sent before it arrives, what comes after it is not looked at."""


class Talk:
    """One open socket's purpose."""

    def __init__(self, connection: Speaker, parameters: Parameters) -> None:
        self.connection = connection
        self.parameters = parameters

    @property
    def now(self) -> int:
        """Engine time, ms."""
        return int(self.connection.server.clock.now())

    def written(self) -> None:
        """Calls have been made outside of any other: their frames go with this turn."""
        server = self.connection.server
        if server.engine.numbers[server.log_count]:
            server.turn.schedule()

    def begin(self) -> None:
        """The socket is open: send the welcome."""

    def received(self, text: bytes) -> None:
        """One whole text message, UTF-8. What is not understood is answered by `refuse`."""

    def refuse(self, error: str, **more: Any) -> None:
        """Say what is wrong with what came; the socket stays open."""
        self.connection.send_text(_encode({"type": "error", "error": error, **more}))

    def received_binary(self) -> None:
        """One whole binary message, which no talk understands."""
        self.refuse("Invalid request: wanted a text message, found a binary one")

    def frame_of(self, text: bytes) -> dict[str, Any] | None:
        """The object that a message is; None, and a refusal is sent, if it is none."""
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
        """There is room for output again."""

    def ended(self) -> None:
        """The socket is gone, for whatever reason. Called exactly once, also without `begin`'s end."""


TalkFactory: TypeAlias = Callable[[Any, Parameters], Talk]
Route: TypeAlias = Callable[[Any, Request, Parameters], TalkFactory | Response]

DIGITS_MAX = 18
MARK = b"/ws"
"""No path without it is looked up, so that other requests pay a search of a few octets."""


def unknown_command(command: Any, wanted: str) -> Fault:
    """The refusal of a message whose `command` is none of those that are understood."""
    if isinstance(command, str):
        return Fault("WRONG_FIELD", field="command", wanted=wanted, found=repr(command[:40]))
    return wrong("command", wanted, command)


def whole_number(parameters: Parameters, name: str) -> Response | None:
    """The refusal of a parameter that is there and is no number from 0 on."""
    value = parameters.get(name)
    if value is None or (value.isascii() and value.isdigit() and len(value) <= DIGITS_MAX):
        return None
    text = f"Invalid request: '{name}': wanted a whole number from 0 on, found {value[:40]!r}"
    return json_response(400, {"error": text, "code": 400})


class Routes:
    """The table as a tree, made once for each server."""

    def __init__(self, routes: dict[str, Route]) -> None:
        self._tree = Tree()
        for path, route in routes.items():
            assert MARK in path.encode(), path
            self._tree.add(path, "GET", (route, [part[1:-1] for part in path.split("/") if part.startswith("{")]))

    def find(self, request: Request) -> tuple[Route, Parameters] | None:
        """Route and parameters of a path, or nothing. Raises Fault for a parameter that is there twice."""
        if MARK not in request.path:
            return None
        try:
            segments = [unquote_to_bytes(part).decode() for part in request.path[1:].split(b"/")]
        except UnicodeDecodeError:
            return None
        methods, found = self._tree.find(segments, "GET")
        if methods is None:
            return None
        route, names = methods["GET"]
        parameters = dict(query_pairs(request.query))
        for name, value in zip(names, found, strict=True):
            if parameters.setdefault(name, value) != value:
                raise two_values(name, "path")
        return route, parameters
