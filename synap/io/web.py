"""HTTP connections: requests to rows, in order, each answered once.

What a request may not do is decided before it is looked up: a Host that is not ours (DNS rebinding),
an Origin that is not ours or a cross-site fetch (a page in a browser that posts to localhost).
"""

import asyncio
import ipaddress
import re
from collections.abc import Awaitable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from synap.faults import Fault
from synap.io.clock import unique_text
from synap.io.link import HELD_WHILE_WAITING, Connection
from synap.journal import LogFailed
from synap.proto import streamable
from synap.proto.http import CLOSED, NEED_DATA, RemoteProtocolError, Request, Response, Upgrade
from synap.proto.http_fast import FastMachine
from synap.proto.rest import Target, fault_response, json_response, not_allowed, status_fault
from synap.store import envelopes, layout, transactions
from synap.store.layout import REFUSED, STATUS_MASK, WORD

CALL_BLOB_AT = layout.CALL_BLOB * WORD
OUT_AT = layout.OUT * WORD
BATCH_MAX = 10_000
BATCH_BODY = layout.CALL_BLOB + layout.CALL_BLOB_BYTES // WORD // 2  # a batch lies behind the calls made meanwhile
BATCH_BYTES_MAX = 16 * layout.MIB  # a larger one is read by Python
HOST = re.compile(r"(?:(?P<name>[a-z0-9_.-]+)|\[(?P<six>[0-9a-f:.]+)\])(?::[0-9]*)?")
_encode = msgspec.json.encode


class Refused(Exception):
    """A request that may not be served: status and text."""

    def __init__(self, status: int, text: str) -> None:
        self.response = json_response(status, {"error": text, "code": status})


class Door:
    """Who may come in through HTTP: by Host, Origin and Sec-Fetch-Site."""

    def __init__(self, allowed_hosts: tuple[str, ...]) -> None:
        self._allowed = {host.lower() for host in allowed_hosts}
        self._known: set[bytes] = set()

    def admit(self, request: Request) -> None:
        """Raise Refused if this request is not for us."""
        host = _host(request)
        if host not in self._known:
            if not self.is_ours(host):
                raise Refused(403, "Forbidden: this Host is not served, see server.allowed_hosts")
            if len(self._known) < 1000:
                self._known.add(host)

    def admit_write(self, request: Request) -> None:
        """Raise Refused if this request, which would write, is not from a page of ours."""
        for name, value in request.headers:
            if name == b"origin":
                host = _host(request)
                if not host or _authority(value) != host.lower():
                    raise Refused(403, "Forbidden: requests of another origin may not write")
            elif name == b"sec-fetch-site" and value.lower() == b"cross-site":
                raise Refused(403, "Forbidden: requests of another site may not write")

    def is_ours(self, host: bytes) -> bool:
        """A loopback name, an address, a name without dots, or one that the settings allow."""
        if not host:  # HTTP/1.0
            return True
        match = HOST.fullmatch(host.decode("latin-1").lower())
        if match is None:
            return False
        name = match["name"]
        if name is not None and ("." not in name or name.endswith(".localhost") or name in self._allowed):
            return True
        try:
            ipaddress.ip_address(name or match["six"])
        except ValueError:
            return False
        return True


def _host(request: Request) -> bytes:
    return next((value for name, value in request.headers if name == b"host"), b"")


def _authority(origin: bytes) -> bytes:
    """Host and port of an Origin; empty for `null` and for what is no URL."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return b""


class HttpConnection(Connection, asyncio.Protocol):
    """An HTTP client."""

    machine: FastMachine
    busy = False
    held = 0  # bytes that came while a call waits
    task: Any = None
    parked: Any = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        server = self.server
        self.machine = FastMachine(head_bytes_max=server.head_bytes_max, body_bytes_max=server.body_bytes_max)
        if not server.room_for_one():
            transport.close()

    def data_received(self, data: bytes) -> None:
        self.machine.receive_data(data)
        if not self.busy:
            self._serve()
            return
        self.held += len(data)
        if self.held > HELD_WHILE_WAITING:
            self.transport.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if self.parked is not None and not self.parked.over:  # nobody is left to answer: change nothing for it
            self.server.engine.interest.unpark(self.parked)
        if self.busy and self.task is not None:
            self.task.cancel()

    def _serve(self) -> None:
        """Answer what has arrived, one request after the other."""
        while not self.lost:
            try:
                event = self.machine.next_event()
            except RemoteProtocolError as error:
                body = {"error": f"Invalid request: {error.text}", "code": error.status}
                self._answer(json_response(error.status, body))
                self.server.close_after_turn(self)
                return
            if event is NEED_DATA:
                interim = self.machine.take_interim()
                if interim:
                    self.turn.send(self, interim)
                return
            if event is CLOSED:
                self.server.close_after_turn(self)
                return
            if isinstance(event, Upgrade):
                self._answer(json_response(426, {"error": "This path is not a WebSocket", "code": 426}))
                continue
            assert isinstance(event, Request)
            try:
                response = self.server.answer(self, event)
            except Fault as fault:
                response = fault_response(fault)
            except Refused as refused:
                response = refused.response
            except LogFailed:
                self.outcome_unknown()
                return
            if isinstance(response, Response):
                self._answer(response)
            else:
                self.busy = True
                self.server.wait_for(self, response)
                if self.ended:
                    self._give_up_waiting()
                return

    def _answer(self, response: Response) -> None:
        if not self.lost:
            self.turn.send(self, self.machine.send(response))

    def answer_later(self, response: Response) -> None:
        """The reply to a request that had to wait."""
        self.busy = False
        self.held = 0
        self.task = self.parked = None
        self._answer(response)
        if not self.lost:
            if self.blocked_at is None and not self.ended:
                self.transport.resume_reading()
            self._serve()

    def eof_received(self) -> bool:
        """The peer has said all: answer it, then hang up."""
        if self.lost:
            return False
        self.ended = True
        self.machine.receive_eof()
        if self.busy:
            self._give_up_waiting()
        else:
            self._serve()
        return True

    def _give_up_waiting(self) -> None:
        """A call that waits for its keys takes nothing for a peer that may have gone; other waits end soon."""
        if self.parked is not None and not self.parked.over:
            self.server.engine.interest.unpark(self.parked)
            self.server.close_after_turn(self)

    def holds_beyond(self, seq: int) -> bool:
        return self.parked is not None and self.parked.over

    def outcome_unknown(self) -> None:
        if not self.lost:
            self.lost = True
            self.transport.abort()


class Web:
    """What HTTP serves: rows, the command envelope, health, snapshots."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.door = Door(server.settings.names("server.allowed_hosts"))
        self.fixed: dict[bytes, tuple[bytes, Any]] = {
            b"/health": (b"GET", self.health),
            b"/snapshot": (b"POST", self.snapshot),
            b"/api/v1/command": (b"POST", self.command),
        }

    def answer(self, connection: HttpConnection, request: Request) -> Response | Awaitable[Response]:
        """The reply to a request, or one to be waited for. Raises Fault and Refused."""
        self.door.admit(request)
        special = self.fixed.get(request.path)
        if special is not None:
            method, answer = special
            if request.method != method and (request.method, method) != (b"HEAD", b"GET"):
                return not_allowed(request.method.decode("ascii", "replace"), [method.decode()])
            if method != b"GET":
                self.door.admit_write(request)
            return answer(request)
        if self.server.node is None:
            return self.health(request)
        rest = self.server.rest
        found = rest.find(request)
        if isinstance(found, Response):
            return found
        target, values = found
        if target.row.writes:
            self.door.admit_write(request)
        return self.call(connection, target, rest.fields(request, target, values))

    def call(
        self, connection: HttpConnection, target: Target, fields: dict[str, Any]
    ) -> Response | Awaitable[Response]:
        """Carry out a row for REST."""
        engine = self.server.engine
        now = self.server.clock.now()
        tape = self.lay(target.pack(fields))
        if target.row.handler:
            value = engine.handle_packed(target.row, None, tape, now)
            if isinstance(value, Fault):
                raise value
            engine.settle(now)
            return json_response(200, self.plain_value(value, target))
        status = engine.perform_queued(layout.CALL_BLOB, target.row_at, now)
        if status & STATUS_MASK == layout.WAIT:
            return self.server.park(connection, target, tape, now, fields)
        try:
            return self.render(target, status, fields)
        finally:
            engine.settle(now)

    def render(self, target: Target, status: int, fields: dict[str, Any]) -> Response:
        """The reply in REPLY as an HTTP response; the caller settles, also if it is a Fault that is raised."""
        engine = self.server.engine
        if status & STATUS_MASK >= REFUSED:
            raise status_fault(status, fields)
        try:
            body = _encode(target.render(status, engine.numbers, engine.bytes, layout.REPLY, fields))
        except LookupError:
            return json_response(404, {"error": "Not found", "code": 404})
        return Response(200, body)

    def lay(self, call: bytes) -> int:
        """Lay a packed call into the heap; the word where its tape starts."""
        if len(call) > layout.CALL_BLOB_BYTES:
            raise Fault("QUERY_TOO_LARGE")
        self.server.engine.bytes[CALL_BLOB_AT : CALL_BLOB_AT + len(call)] = call
        return layout.CALL_BLOB + transactions.QUEUE_HEAD

    @staticmethod
    def plain_value(value: Any, target: Target) -> Any:
        """A handler's value as JSON."""
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        rest = target.row.rest
        if isinstance(rest, dict):
            return {name: value if word == "$reply" else word for name, word in rest.items()}
        return value

    # The command envelope.

    def command(self, request: Request) -> Response:
        """One command, or a batch of them in order."""
        head = streamable.batch_head(request.body) if self.server.engine is not None else None
        if head is not None:
            response = self.batch(request.body, head.end())
            if response is not None:
                return response
        posted = streamable.read(request.body)
        if posted.commands is None and posted.type != "batch":
            if not posted.command:
                raise Fault("WRONG_FIELD", field="command", wanted="a string", found="nothing")
            one = streamable.Envelope(posted.command, posted.request_id, posted.payload)
            return Response(200, _encode(self.run(one)))
        commands = posted.commands or []
        if len(commands) > BATCH_MAX:
            raise Fault("WRONG_FIELD", field="commands", wanted=f"at most {BATCH_MAX}", found=str(len(commands)))
        return Response(200, b'{"responses":[%b]}' % b",".join(_encode(self.run(one)) for one in commands))

    def batch(self, body: bytes, start: int) -> Response | None:
        """The reply to a batch whose first element begins at `start`, or None if its JSON is unusual.

        Kernels carry out what is plain (see `store/envelopes.py`); each odd one is made here, in its turn.
        """
        engine = self.server.engine
        at, size = BATCH_BODY * WORD, len(body)
        if size > BATCH_BYTES_MAX:
            return None
        engine.bytes[at : at + size] = body
        numbers, words, octets = engine.numbers, engine.words, engine.octets
        entry = BATCH_BODY + (size + 7 >> 3) + 1
        count = envelopes.plan(words, octets, at + start, at + size, entry, BATCH_MAX)
        if count < 0 or not streamable.batch_tail(body, numbers[layout.LANE_AT] - at):
            return None
        posted = streamable.read(body).commands if numbers[layout.LANE_CALLS] else None  # is all of it JSON?
        pieces = [b'{"responses":[']
        index = 0
        while index < count:
            now = self.server.clock.now()
            reason = envelopes.answer(words, octets, index, entry, count, now, engine.reply_bytes_max)
            pieces.append(bytes(engine.bytes[OUT_AT : numbers[layout.LANE_OUT]]))
            index, entry = numbers[layout.BATCH_INDEX], numbers[layout.BATCH_AT]
            if reason >= envelopes.ALONE:
                if posted is None:
                    posted = streamable.read(body).commands
                assert posted is not None
                reply = self.rendered(posted[index]) if reason == envelopes.RENDER else self.run(posted[index])
                pieces.append(b"," + _encode(reply) if index else _encode(reply))
                index += 1
                entry += numbers[entry + 1]
            engine.settle(now)
        pieces.append(b"]}")
        if size > layout.MIB:
            engine.heap.forget(at, (numbers[layout.BATCH_AT] - BATCH_BODY) * WORD)
        return Response(200, b"".join(pieces))

    def rendered(self, one: streamable.Envelope) -> streamable.Reply:
        """The reply to a command of a batch that has just been carried out."""
        engine = self.server.engine
        target = self.server.commands.find(one.command)
        status = engine.checked(engine.numbers[layout.BATCH_STATUS], target.row_at)
        return self.reply(one, target, status, streamable.fields_of(one.payload))

    def reply(
        self, one: streamable.Envelope, target: Target, status: int, fields: dict[str, Any]
    ) -> streamable.Reply:
        """The reply in REPLY as the envelope spells it."""
        engine = self.server.engine
        name = one.request_id or unique_text()
        what = status & STATUS_MASK
        if what >= REFUSED:
            return streamable.Reply(False, name, None, status_fault(status, fields).json_text())
        if what == layout.WAIT:
            status = layout.NIL
        try:
            payload = target.render(status, engine.numbers, engine.bytes, layout.REPLY, fields)
        except LookupError:
            return streamable.Reply(False, name, None, "Not found")
        return streamable.Reply(True, name, payload, None)

    def run(self, one: streamable.Envelope) -> streamable.Reply:
        """Carry out one enveloped command; a refusal is a reply."""
        engine = self.server.engine
        name = one.request_id or unique_text()
        try:
            if engine is None:
                raise Fault("LOADING")
            target = self.server.commands.find(one.command)
            fields = streamable.fields_of(one.payload)
            tape = self.lay(target.pack(fields))
            now = self.server.clock.now()
            if target.row.handler:
                value = engine.handle_packed(target.row, None, tape, now)
                if isinstance(value, Fault):
                    raise value
                return streamable.Reply(True, name, self.plain_value(value, target), None)
            status = engine.perform_queued(layout.CALL_BLOB, target.row_at, now)
            reply = self.reply(one, target, status, fields)
            engine.settle(now)
            return reply
        except Fault as fault:
            return streamable.Reply(False, name, None, fault.json_text())

    # The server itself.

    def health(self, request: Request) -> Response:
        """200 when ready; until then 503 with how far the start has come."""
        server = self.server
        if server.phase == "ready":
            status = "degraded" if server.node.failed else "healthy"
            return json_response(200, {"status": status, "service": "synap", "version": server.version})
        progress = server.progress
        body = {
            "status": "starting",
            "service": "synap",
            "version": server.version,
            "phase": server.phase,
            "kernels": {"done": progress.done, "total": progress.total, "current": progress.name},
        }
        return json_response(503, body, headers=[(b"retry-after", b"1")])

    def snapshot(self, request: Request) -> Response | Awaitable[Response]:
        """Write a snapshot and answer when it stands."""
        server = self.server
        if server.node is None:
            return self.health(request)
        if server.node.disk is None:
            raise Fault("SWITCHED_OFF", name="a snapshot", switch="persistence.enabled")
        return server.snapshot_reply()
