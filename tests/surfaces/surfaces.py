"""Every way to ask, over one node in this process: RESP2, RESP3, REST, the command envelope, `synap.open()`.

    surfaces = Surfaces(switches=...)      a node of its own behind RESP and HTTP, and a database beside it
    surfaces.resp(words)                   the reply as Python, by a RespMachine (`version` 2 or 3)
    surfaces.rest("POST", "/kv/set", {})   (status, JSON, headers)
    surfaces.command("kv.set", {})         the envelope's reply; `batch` for several
    surfaces.database.call(...)            in-process
    fields_of(row, bench, words)           what the words mean as JSON fields
"""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from synap.arguments import GROUPS, Real, layout
from synap.command import Command
from synap.commands import CATALOGUE
from synap.derive import tape_reader
from synap.derive.binders import field_names
from synap.derive.json_batch_image import TargetImage
from synap.engine.callers import Caller, Surface
from synap.engine.resp.machine import RespMachine
from synap.faults import Fault
from synap.io.embedded.database import Database
from synap.io.http.http_admission import Refused
from synap.io.http.http_app import HttpApp
from synap.io.node.clock import Clock
from synap.io.node.node import Node
from synap.proto.http import Request, Response
from synap.proto.rest import Rest, fault_response
from synap.proto.streamable import Commands
from synap.reply import Pushed
from synap.routes import Route
from synap.settings import Settings
from synap.store.memory import layout as heap
from tests.naive.resp import scan
from tests.support import Bench, command, decode
from tests.wire import read

FLUSH = "kv_store.allow_flush_commands"
MEMORY = Settings().replace({"persistence.enabled": False, "server.allowed_hosts": ["synap.example"]})


_made: dict[bool, tuple[Rest, Commands, TargetImage]] = {}


def _targets(engine: Any, flush: bool) -> tuple[Rest, Commands, TargetImage]:
    """The routes, the commands by name, and their image, which are the same for every node."""
    if flush not in _made:
        switches = {FLUSH: flush}
        commands = Commands(CATALOGUE, engine.row_at, switches)
        _made[flush] = Rest(CATALOGUE, engine.row_at, switches), commands, commands.image()
    return _made[flush]


class NoSnapshots:
    """Snapshots that are never written."""

    def __init__(self) -> None:
        self.save_points: list[tuple[int, int]] = []

    def write(self) -> None:
        """Write nothing."""

    begin = again = write


class NoConnections:
    """The connections of a server that has none: there are only their limits."""

    def __init__(self, settings: Settings) -> None:
        self.connections_max = settings.number("server.connections_max")
        self.query_bytes_max = settings.number("limits.query_bytes_max")
        self.output_bytes_max = settings.number("limits.output_bytes_max")
        self.feed_output_bytes_max = settings.number("limits.feed_output_bytes_max")

    @staticmethod
    def possible() -> int:
        """No more than a process may have files on most systems."""
        return 100_000

    @staticmethod
    def count() -> int:
        return 0

    @staticmethod
    def memory() -> tuple[int, int]:
        return 0, 0

    @staticmethod
    def http_clients(now: int) -> list[Any]:
        return []


class Server:
    """What `HttpApp` asks of a server, without one."""

    def __init__(self, settings: Settings, flush: bool, plain_batches: bool = True) -> None:
        self.settings, self.version = settings, "0"
        self.clock = Clock()
        self.node: Node | None = Node(settings, self.clock)
        self.engine: Any = self.node.engine
        host = self.engine.host
        host.config, host.snapshots = {"databases": 16, "save": "", "port": 1}, NoSnapshots()
        host.connections, host.set_log_level = NoConnections(settings), lambda level: True
        self.rest, self.commands, image = _targets(self.engine, flush)
        if plain_batches:
            image.place(self.engine.words, self.engine.octets)
        self.log_count = heap.LOG_COUNT
        self.phase, self.progress = "ready", type("Progress", (), {"done": 0, "total": 0, "name": ""})
        self.loop = self
        self.coming: list[str] = []

    @staticmethod
    def create_future() -> Response:
        """A REST call waits: nobody will answer it here."""
        return Response(202)


class Surfaces:
    """One node behind all its surfaces, and a database in this process."""

    def __init__(self, *, flush: bool = True, plain_batches: bool = True, **settings: Any) -> None:
        """A node with `settings`, whose names have `__` for a dot, besides those of MEMORY."""
        changed = MEMORY.replace({name.replace("__", "."): value for name, value in settings.items()})
        self.server = Server(changed, flush, plain_batches)
        self.web = HttpApp(self.server)
        self.server.engine.host.transactions = self.web.calls.transactions
        self.caller = Caller(Surface.JSON)
        self.database = Database(None, MEMORY)
        self.machines = {version: self.connect(version) for version in (2, 3)}

    def connect(self, version: int) -> RespMachine:
        """A RESP connection."""
        session = self.server.engine.sessions.add()
        session.version = version
        return RespMachine(self.server.engine, session, lambda: None, 1 << 30)

    def resp(self, *words: Any, version: int = 2) -> Any:
        """The reply to one command."""
        value, rest = decode(self.resp_bytes(command(*words), version))
        assert not rest
        return value

    def resp_bytes(self, data: bytes, version: int = 2) -> bytes:
        """What a connection answers to these bytes."""
        machine = self.machines[version]
        machine.buffer()[: len(data)] = data
        reply = machine.received(len(data), self.server.clock.now())
        if reply is None:
            reply = b"".join(piece if isinstance(piece, bytes) else piece.take(1 << 30) for piece in machine.output)
            machine.output.clear()
        self.check(data, reply, machine.session)
        return reply

    @staticmethod
    def check(data: bytes, reply: bytes, session: Any) -> None:
        """The reply to a single command fits the template of its row."""
        after, words = scan(data, 1 << 30, 1 << 20) if data else (0, [])
        row = CATALOGUE.by_resp.get("|".join(word.decode("latin-1") for word in words[:2]).upper()) if words else None
        row = row or (CATALOGUE.by_resp.get(words[0].decode("latin-1").upper()) if words else None)
        if row is None or after != len(data) or not reply:
            return
        if session.listener is not None and not isinstance(row.reply, Pushed):
            return  # messages may precede the reply
        _, end = read(row.reply, reply, session.version, queued=session.in_multi)
        assert end == len(reply), f"{words!r:.200}: {reply[:200]!r} is more than one reply"

    def answer(self, request: Request) -> Response:
        """What HTTP answers; faults as `HttpConnection` answers them."""
        try:
            response = self.web.answer(self.caller, request)
            if isinstance(response, Coroutine):
                response = asyncio.run(response)
        except Fault as fault:
            response = fault_response(fault)
        except Refused as refused:
            response = refused.response
        assert isinstance(response, Response)
        return response

    def rest(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, host: str = "localhost"
    ) -> tuple[int, Any, dict[bytes, bytes]]:
        """(status, JSON, headers) of a request; a body that is bytes is sent as it is."""
        target, _, query = path.partition("?")
        sent = [(b"host", host.encode("latin-1"))] if host else []
        sent += [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        response = self.answer(Request(method.encode(), target.encode(), query.encode(), sent, data, True, b"1.1"))
        return response.status, json.loads(response.body), dict(response.headers)

    def posted(self, body: Any) -> Any:
        """The reply to a POST to the command envelope, which must be 200."""
        status, value, _ = self.rest("POST", "/api/v1/command", body)
        assert status == 200, value
        return value

    def command(self, name: str, payload: Any) -> Any:
        """The reply to one enveloped command."""
        found = self.posted({"command": name, "request_id": "r-1", "payload": payload})
        assert list(found) == ["success", "request_id", "payload", "error"] and found["request_id"] == "r-1"
        return found

    def batch(self, *commands: tuple[str, Any]) -> list[Any]:
        """The replies to a batch."""
        made = [{"command": name, "request_id": str(i), "payload": payload}
                for i, (name, payload) in enumerate(commands)]
        found = self.posted({"type": "batch", "commands": made})["responses"]
        assert [reply["request_id"] for reply in found] == [str(i) for i in range(len(commands))]
        return list(found)


def row_of(words: list[str]) -> Command:
    """The row that these words name."""
    both = "|".join(words[:2]).upper()
    return CATALOGUE.by_resp.get(both) or CATALOGUE.by_resp[words[0].upper()]


def as_text(octets: bytes, form: int) -> str:
    return octets.decode("utf-8", "surrogateescape")


def fields_of(row: Command, bench: Bench, words: list[bytes], spell: Callable[[bytes, int], Any] = as_text) -> Any:
    """The JSON fields that a row's words (with its name) stand for, or the name of the refusal."""
    slots = bench.fill(words, row.name)
    if isinstance(slots, str):
        return slots
    return spelled(row.args, tape_reader.read(row, bench.heap.numbers, bench.heap.bytes, heap.TAPE, spell))


def spelled(args: tuple[Any, ...], fields: dict[str, Any]) -> dict[str, Any]:
    """Named arguments as JSON has them: groups of one member as plain values, octets as numbers."""
    found = dict(fields)
    for place in layout(args):
        node = place.node
        if place.group is not None or getattr(node, "name", "") not in found:
            continue
        value = found[node.name]
        if isinstance(node, GROUPS):
            members = field_names(node.inner)
            items = [spelled(node.inner, item) for item in value]
            found[node.name] = [item[members[0]] for item in items] if len(members) == 1 else items
        elif getattr(node, "octets", False):
            found[node.name] = list(value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape"))
        elif isinstance(node, Real) and abs(value) == float("inf"):
            found[node.name] = str(value)  # JSON has no such number
    return found


def request_of(row: Command, route: Route, fields: dict[str, Any]) -> tuple[str, str, Any]:
    """Method, path and body of a call; what the path names is taken out of the fields, from a group the first."""
    left = dict(fields)
    parts = []
    groups = {
        field_names(place.node.inner)[0]: place.node.name
        for place in layout(row.args) if isinstance(place.node, GROUPS)
    }  # fmt: skip
    for part in route.path.split("/"):
        if part.startswith("{"):
            name = part[1:-1]
            value = left.pop(name) if name in left else left[groups[name]][0]
            part = quote(str(value), safe="")
            if name in groups and len(left.get(groups[name], ())) == 1:
                del left[groups[name]]
        parts.append(part)
    path = "/".join(parts)
    if route.method == "GET":
        texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in left.items()}
        query = "&".join(f"{quote(name)}={quote(text)}" for name, text in texts.items())
        return route.method, path + ("?" + query if query else ""), None
    return route.method, path, left or None
