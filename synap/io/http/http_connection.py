"""HTTP connections: requests answered in order, with time limits on idle and slow clients."""

import asyncio
from email.utils import formatdate
from typing import Any

from synap.engine.callers import Caller, Surface
from synap.faults import Fault
from synap.io.connections.connection import HELD_WHILE_WAITING, Connection
from synap.io.http.gzip_replies import GZIP_BYTES_MIN
from synap.io.http.http_admission import Refused
from synap.io.node.clock import ticks, wall_us
from synap.io.websocket.websocket_connection import open_socket
from synap.journal import LogFailed
from synap.proto.http import (
    CLOSED,
    NEED_DATA,
    Machine,
    RemoteProtocolError,
    Request,
    Response,
    Upgrade,
    encode,
)
from synap.proto.http_fast import FastMachine
from synap.proto.rest import fault_response, json_response

SLICE_NS = 5_000_000
"""Time for the requests of one client before other clients have their turn."""


class Dates:
    """The Date header of replies, renewed once a second."""

    until = 0
    """When the date must be renewed, in ticks (ns)."""

    @classmethod
    def renew(cls, now: int) -> None:
        """Renew the Date header; `now` is the current time in ticks."""
        us = wall_us()
        Machine.date_line = b"date: %b\r\n" % formatdate(us // 1_000_000, usegmt=True).encode()
        cls.until = now + (1_000_000 - us % 1_000_000) * 1000


class HttpConnection(Connection, asyncio.Protocol):
    """An HTTP client's connection."""

    transport: asyncio.Transport
    machine: FastMachine
    caller: Caller
    busy = False
    held_back = False  # its time slice is over: the rest of its pipeline waits until the replies have left
    bytes_while_waiting = 0  # bytes received while a call waits
    unsent = 0  # a reply is written at once: what waits is in the transport
    task: asyncio.Task[None] | None = None
    asked: Request | None = None  # the request being answered
    number = 0  # client number, given when clients are first listed
    opened = 0.0  # time of its creation, in seconds of the loop's time
    served = 0  # number of requests received
    seen = 0  # `served` at the last `look_at`
    since = 0.0  # when the present wait was first seen by `look_at`, in seconds
    idle = False  # whether that wait is between requests

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        server = self.server
        self.machine = FastMachine(head_bytes_max=server.head_bytes_max, body_bytes_max=server.body_bytes_max)
        self.caller = Caller(Surface.JSON)
        self.since = self.opened = server.loop.time()
        if not server.may_stay(self):
            transport.close()

    def data_received(self, data: bytes) -> None:
        self.machine.receive_data(data)
        if self.behind_at is not None and not self.busy:
            self.granted, self.held_back = True, False
            self._serve()
            self.granted = False
            return
        if not (self.busy or self.held_back):
            self._serve()
            return
        self.bytes_while_waiting += len(data)
        if self.bytes_while_waiting > HELD_WHILE_WAITING:
            self.transport.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if self.caller.parked is not None:  # the client is gone: the call must change nothing for it
            self.server.engine.stop_waiting(self.caller)
        if self.busy and self.task is not None:
            self.task.cancel()

    def _serve(self) -> None:
        """Answer the requests that have arrived, in order, up to SLICE_NS or `output_pause_bytes` of replies.

        A few bytes may request a megabyte: without a bound on the output, one read could fill all memory.
        """
        started = now = ticks()
        if now > Dates.until:
            Dates.renew(now)
        made = 0
        machine, pause = self.machine, self.server.output_pause_bytes
        while not self.lost:
            if (self.behind_at is not None and not self.granted) or made > pause or now - started > SLICE_NS:
                self.held_back = True
                self._soon()
                return
            try:
                event = machine.next_event()
            except RemoteProtocolError as error:
                self.asked = None
                body = {"error": f"Invalid request: {error.text}", "code": error.status}
                self._answer(json_response(error.status, body))
                self.server.close_after_turn(self)
                return
            if type(event) is not Request:
                if self._over(event):
                    return
                continue
            self.asked = event
            self.served += 1
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
                made += len(response.body)
                self._answer(response)
                begun, now = now, ticks()
                self.server.web.metrics.http.note(now - begun)
            else:
                self.busy = True
                self.server.wait_for(self, response)
                if self.ended:
                    self._give_up_waiting()
                return

    def _over(self, event: Any) -> bool:
        """Handle an event that is no request; return whether serving must stop."""
        if event is NEED_DATA:
            interim = self.machine.take_interim()
            if interim:
                self.turn.send(self, interim)
            return True
        if event is CLOSED:
            self.server.close_after_turn(self)
            return True
        assert isinstance(event, Upgrade)
        refused = open_socket(self, event)
        if refused is None:
            return True
        self.asked = event.request
        self._answer(refused)
        return False

    def _soon(self) -> None:
        """Schedule the rest of the pipeline once the replies have left; called again when output drains."""
        if self.held_back and not (self.queued or self.going_on or self.lost or self.blocked):
            self.going_on = True
            self.server.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self.going_on = False
        if self.lost or self.queued or self.blocked or self.transport.is_closing():
            return
        self.held_back = False
        self.bytes_while_waiting = 0
        if not self.ended:
            self.transport.resume_reading()
        self._serve()

    def transmit(self, data: bytes) -> None:
        super().transmit(data)
        if self.held_back:
            self._soon()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._soon()

    def _answer(self, response: Response) -> None:
        if not self.lost:
            web = self.server.web
            web.metrics.statuses[response.status] += 1
            if self.asked is not None and (len(response.body) >= GZIP_BYTES_MIN or web.admission.origins):
                response = web.with_headers(response, self.asked)
            self.turn.send(self, self.machine.send(response))

    def look_at(self, now: float) -> None:
        """Close a connection that has been idle, or has sent an incomplete request, for too long.

        The server calls this at intervals for all connections, so that requests set no timers.
        """
        if self.lost or self.ended or self.busy or self.held_back or self.blocked:
            self.since = now
            return
        idle = not self.machine.unfinished
        if self.served != self.seen or (idle is not self.idle and self.served):
            self.seen, self.idle, self.since = self.served, idle, now
            return
        limits = self.server.limits
        waited = now - self.since
        if idle and self.served:
            if waited > limits.http_idle_s:
                self.server.close_after_turn(self)
        elif waited > (limits.http_request_s if self.machine.arriving else limits.http_head_s):
            self.transport.pause_reading()
            body = {"error": "Request timeout: the request did not arrive in time", "code": 408}
            self.turn.send(self, encode(json_response(408, body), closing=True, headless=False))
            self.server.web.metrics.statuses[408] += 1
            self.server.close_after_turn(self)
            self.ended = True

    def answer_later(self, response: Response) -> None:
        """Answer the request that had to wait, then go on with the pipeline."""
        self.busy = False
        self.bytes_while_waiting = 0
        self.task = self.caller.parked = None
        self._answer(response)
        if not self.lost:
            if not self.blocked and not self.ended:
                self.transport.resume_reading()
            self._serve()

    def eof_received(self) -> bool:
        """Answer what the peer has sent, then close, since the peer has closed its sending side."""
        if self.lost:
            return False
        self.ended = True
        self.machine.receive_eof()
        if self.busy:
            self._give_up_waiting()
        elif not self.held_back:
            self._serve()
        return True

    def _give_up_waiting(self) -> None:
        """Cancel a call that waits for its keys, so that no element is removed for a peer that may be gone.

        Other waits end soon by themselves.
        """
        if self.caller.parked is not None and self.server.engine.stop_waiting(self.caller):
            self.server.close_after_turn(self)

    def holds_beyond(self, seq: int) -> bool:
        return self.caller.parked is not None and self.caller.parked.over

    def outcome_unknown(self) -> None:
        if not self.lost:
            self.lost = True
            self.transport.abort()
