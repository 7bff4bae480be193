"""Other clients while a script is long: they are told BUSY, and may end it.

The event loop stands still while a script runs. From `scripts.busy_ms` on, the script calls `look` again and again
(`Scripts.on_long`). `look` asks the system which sockets have input, and answers the commands and requests that have
arrived whole: SCRIPT KILL, FUNCTION KILL, FUNCTION STATS, SHUTDOWN NOSAVE, `POST /script/kill`, `GET /health`; any
other with BUSY. HELLO and AUTH, with which clients begin, are carried out. MULTI and EXEC wait, and what stands behind
them.

Input is looked at in the socket (MSG_PEEK) and taken only when it is answered, so all else reaches the connection once
the loop goes on. A connection with unfinished input, with replies that are not sent, or that waits, is left alone: its
replies would not be in order. New connections are accepted here. The kernel's rounds make connections of them at once;
others are handed to their protocols behind the script, and are told BUSY for HELLO.
"""

import logging
import os
import select
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synap.call import Value
from synap.engine.callers import Caller
from synap.engine.handlers.clients import auth, greet
from synap.engine.resp.encoding import UnbalancedQuotes, encode, split_line
from synap.engine.scripts.scripts import Scripts
from synap.faults import Fault
from synap.io.connections.states import OPEN, READY, TAKEN
from synap.io.http.http_connection import HttpConnection
from synap.io.resp.resp_connection import RespConnection
from synap.io.server.listeners import Listening
from synap.proto.http import NEED_DATA, RemoteProtocolError, Request, Response
from synap.proto.http_fast import FastMachine
from synap.proto.rest import fault_response, json_response

if TYPE_CHECKING:
    from synap.io.connections.connection import Connection
    from synap.io.server.server import Server

log = logging.getLogger("synap")
PEEK_BYTES = 64 * 1024
ACCEPTED_MAX = 64  # connections accepted in one look
WAITING = (b"MULTI", b"EXEC", b"DISCARD", b"WATCH", b"UNWATCH", b"RESET", b"QUIT")
"""Commands that are left in the socket: what stands behind them means the state that they make."""
BEGINNINGS = (b"HELLO", b"AUTH")
"""Commands that are carried out, but not in MULTI, where they are left in the socket too."""


@dataclass
class _Client:
    """A socket that is looked at: that of a connection, or a new one of a listener. `last`: no reply follows."""

    sock: socket.socket
    http: bool
    connection: "Connection | None"
    listening: Listening | None
    last: bool = False


class BusyClients:
    """The other clients of a server, while a script is long."""

    def __init__(self, server: "Server", scripts: Scripts) -> None:
        self._server, self._scripts = server, scripts
        self._poll = select.poll()
        self._clients: dict[int, _Client] = {}
        self._listening: dict[int, Listening] = {}
        self._begun = False
        self._scripts.on_long = self.look

    def look(self) -> None:
        """Answer what has arrived; called by a script that is long."""
        if not self._begun:
            self._begun = True
            self._server.loop.call_soon(self._end)
            log.warning("a script runs for more than %d ms: other clients are told BUSY", self._scripts.busy_ms)
            self._begin()
        for descriptor, _ in self._poll.poll(0):
            if descriptor in self._listening:
                self._accept(self._listening[descriptor])
            elif not self._serve(self._clients[descriptor]):
                self._poll.unregister(descriptor)  # what it has sent waits for the loop

    def _begin(self) -> None:
        for listening in self._server.listeners.listening:
            self._listening[listening.sock.fileno()] = listening
            self._poll.register(listening.sock.fileno(), select.POLLIN)
        self._server.turn.send_early()
        rounds, caller = self._server.turn.rounds, self._scripts.caller
        unanswered, arrivals = rounds.unanswered(), rounds.arrivals()
        for connection in self._server.connections:
            sock = connection.transport.get_extra_info("socket")
            if sock is None or sock.fileno() in unanswered or not _is_idle(connection, caller):
                continue
            client = _of_connection(connection, sock.fileno())
            if self._serve_arrived(client, sock.fileno(), arrivals.get(sock.fileno(), b"")):
                self._add(client)
            else:
                client.sock.detach()

    def _serve_arrived(self, client: _Client, descriptor: int, data: bytes) -> bool:
        """Answer what was read from a socket before the script; return False if something is left."""
        while data:
            answered = self._answer_resp(client, data)
            if answered is None or answered[0] == 0:
                return False
            size, reply = answered
            self._server.turn.rounds.leave_out(descriptor, size)
            data = data[size:]
            try:
                client.sock.send(reply)
            except OSError:
                return False
        return True

    def _add(self, client: _Client) -> None:
        client.sock.setblocking(False)
        self._clients[client.sock.fileno()] = client
        self._poll.register(client.sock.fileno(), select.POLLIN)

    def _accept(self, listening: Listening) -> None:
        for _ in range(ACCEPTED_MAX):
            try:
                sock, _address = listening.sock.accept()
            except OSError:
                return  # none, or none that may be: the listener tells of it behind the script
            if not listening.at_once:
                self._add(_Client(sock, listening.http, None, listening))
                continue
            descriptor, connection = sock.fileno(), listening.take_over(sock)
            if isinstance(connection, RespConnection) and connection.life is OPEN:
                self._add(_of_connection(connection, descriptor))

    def _end(self) -> None:
        """Hand the new connections on, now that the loop goes on."""
        clients, self._clients, self._begun = self._clients, {}, False
        self._listening.clear()
        self._poll = select.poll()
        for client in clients.values():
            if client.listening is not None:
                client.listening.take_over(client.sock)
            else:
                client.sock.detach()

    def _serve(self, client: _Client) -> bool:
        """Answer what a socket has; return False if something is left there that nobody is to answer now."""
        while True:
            try:
                data = client.sock.recv(PEEK_BYTES, socket.MSG_PEEK)
            except BlockingIOError:
                return True  # all is answered
            except OSError:
                return False
            answered = (self._answer_http if client.http else self._answer_resp)(client, data) if data else None
            if answered is None:
                return False
            size, reply = answered
            if size == 0:
                return True  # the rest of a command is still to come
            try:
                client.sock.recv(size)
                client.sock.send(reply)
                if client.last:
                    client.sock.shutdown(socket.SHUT_WR)
                    return False
            except OSError:
                return False

    # RESP.

    def _answer_resp(self, client: _Client, data: bytes) -> tuple[int, bytes] | None:
        """Return (bytes of the first command, its reply), (0, b"") if it is not complete, None if it has to wait."""
        found = first_command(data)
        if found is None or not found[0]:
            return found and (0, b"")
        size, words = found
        name = words[0].upper()
        if name in WAITING:
            return None
        if name == b"SHUTDOWN" and words[1:2] and words[1].upper() == b"NOSAVE":
            self._shut_down()
            return size, b""
        connection = client.connection
        if name in BEGINNINGS and isinstance(connection, RespConnection):
            return None if connection.machine.session.in_multi else (size, self._greeted(connection, name, words[1:]))
        version = connection.machine.session.version if isinstance(connection, RespConnection) else 2
        value: Value
        try:
            value = self._carried_out(name, words)
        except Fault as fault:
            if isinstance(connection, RespConnection):
                connection.machine.session.break_multi()
            value = fault
        return size, encode(value, version, name.decode("latin-1").lower())

    def _greeted(self, connection: RespConnection, name: bytes, words: list[bytes]) -> bytes:
        """Carry out HELLO or AUTH; return the reply."""
        session, engine = connection.machine.session, self._server.engine
        value: Value
        try:
            if name == b"AUTH":
                given = dict(zip(("first", "password"), words if len(words) == 2 else words[:1], strict=False))
                value = auth(engine, session, given, 0)
            else:
                value = greet(engine, session, _arguments_of_hello(words))
        except Fault as fault:
            value = fault
        return encode(value, session.version, name.decode().lower())

    def _carried_out(self, name: bytes, words: list[bytes]) -> Value:
        second = words[1].upper() if len(words) > 1 else b""
        of_function = self._scripts.in_function
        if name == (b"FUNCTION" if of_function else b"SCRIPT") and second == b"KILL" and len(words) == 2:
            self._scripts.kill()
            return "OK"
        if of_function and name == b"FUNCTION" and second == b"STATS" and len(words) == 2:
            return {"running_script": self._scripts.running()} | self._scripts.libraries.counts()
        raise self._busy()

    def _shut_down(self) -> None:
        """End the server. If the script has written, end it as a crash would: none of the script's effects may last,
        and what has not been written to the log has not been acknowledged."""
        if self._scripts.has_written:
            log.warning("SHUTDOWN NOSAVE in the middle of a script: the server ends at once, the script leaves nothing")
            logging.shutdown()
            os._exit(0)
        self._scripts.kill()
        self._server.stop()

    def _busy(self) -> Fault:
        return Fault("BUSY_FUNCTION" if self._scripts.in_function else "BUSY")

    # HTTP.

    def _answer_http(self, client: _Client, data: bytes) -> tuple[int, bytes] | None:
        """Return what `_answer_resp` does, for the first request."""
        limits = self._server.limits
        machine = FastMachine(head_bytes_max=limits.http_head_bytes_max, body_bytes_max=limits.http_body_bytes_max)
        machine.receive_data(data)
        try:
            event = machine.next_event()
        except RemoteProtocolError:
            return None
        if event is NEED_DATA:
            return (0, b"") if len(data) < PEEK_BYTES else None
        if not isinstance(event, Request):
            return None
        client.last = not event.keep_alive
        size = len(data) - len(machine.trailing_data)
        return size, machine.send(self._response(event))

    def _response(self, request: Request) -> Response:
        if request.path == b"/health":
            return self._server.web.health(request)
        if request.path == b"/script/kill" and request.method == b"POST":
            try:
                self._scripts.kill()
            except Fault as fault:
                return fault_response(fault)
            return json_response(200, {"terminated": True})
        return fault_response(self._busy())


def _of_connection(connection: "Connection", descriptor: int) -> _Client:
    """Return the client of a connection. Its socket is detached in the end, as the connection closes it."""
    return _Client(socket.socket(fileno=descriptor), isinstance(connection, HttpConnection), connection, None)


def _arguments_of_hello(words: list[bytes]) -> dict[str, Any]:
    """Return the arguments of HELLO by name. Raises Fault.

    The grammar of the row cannot read them: it fills a tape, and the script may be in the middle of using that.
    """
    found: dict[str, Any] = {}
    if words:
        if not words[0].isdigit():
            raise Fault("BAD_PROTOCOL")
        found["version"] = int(words[0][:3])
    left = words[1:]
    while left:
        option = left[0].upper()
        if option == b"AUTH" and len(left) > 2:
            found["user"], left = left[1], left[3:]
        elif option == b"SETNAME" and len(left) > 1:
            found["name"], left = left[1], left[2:]
        else:
            raise Fault("HELLO_OPTION", word=left[0].decode("utf-8", "replace"))
    return found


def _is_idle(connection: "Connection", caller: Caller) -> bool:
    """Return whether all that a connection has received is answered, and all replies are sent; it is not `caller`'s."""
    if connection.life is not OPEN or connection.output is not TAKEN or connection.work is not READY:
        return False
    if connection.queued or connection.transport.get_write_buffer_size():
        return False
    if isinstance(connection, HttpConnection):
        return connection.caller is not caller and not connection.machine.unfinished
    if not isinstance(connection, RespConnection):
        return False
    return connection.machine.session is not caller and connection.machine.kernel_may_serve


def first_command(data: bytes) -> tuple[int, list[bytes]] | None:
    """Return (size, words) of the first command; (0, []) if it is not complete, None if it is none."""
    if not data.startswith(b"*"):
        return _inline(data)
    line, ended, _ = data.partition(b"\r\n")
    if not ended:
        return 0, []
    count, at = _number(line[1:]), len(line) + 2
    if count is None or not 1 <= count <= PEEK_BYTES:
        return None
    words: list[bytes] = []
    for _ in range(count):
        end = data.find(b"\r\n", at)
        if end < 0:
            return (0, []) if len(data) < PEEK_BYTES else None
        size = _number(data[at + 1 : end]) if data[at : at + 1] == b"$" else None
        if size is None or size < 0:
            return None
        at = end + 2 + size + 2
        if at > len(data):
            return (0, []) if at <= PEEK_BYTES else None
        words.append(data[end + 2 : at - 2])
    return at, words


def _inline(data: bytes) -> tuple[int, list[bytes]] | None:
    """Return what `first_command` does, of a command that is a line of words."""
    line, ended, _ = data.partition(b"\n")
    if not ended:
        return (0, []) if len(data) < PEEK_BYTES else None
    try:
        words = split_line(line.removesuffix(b"\r"))
    except UnbalancedQuotes:
        return None
    return (len(line) + 1, words) if words else None


def _number(digits: bytes) -> int | None:
    return int(digits) if digits.isdigit() and len(digits) < 10 else None
