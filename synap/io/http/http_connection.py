"""HTTP connections: requests answered in order, with time limits on idle and slow clients."""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING

from synap.durability import DEFAULT
from synap.engine.callers import Caller, Surface
from synap.faults import BrokenNode, Fault
from synap.io.connections.connection import HELD_WHILE_WAITING, Connection
from synap.io.connections.states import (
    BEHIND,
    GRANTED,
    HALF_CLOSED,
    HELD_BACK,
    LIFE,
    LOST,
    OPEN,
    OUTPUT,
    PAUSED,
    READY,
    SCHEDULED,
    TAKEN,
    WAITING,
    WORK,
    LifeEvent,
    OutputEvent,
    WorkEvent,
)
from synap.io.feeds.event_stream import Opening, open_stream
from synap.io.feeds.websocket_connection import open_socket
from synap.io.http import http_durability
from synap.io.http.gzip_replies import GZIP_BYTES_MIN
from synap.io.http.held_requests import holds
from synap.io.http.http_admission import Refused
from synap.io.node.clock import ticks, wall_us
from synap.journal import LogFailed
from synap.proto.http import (
    CLOSED,
    NEED_DATA,
    Event,
    Machine,
    RemoteProtocolError,
    Request,
    Response,
    Upgrade,
    encode,
)
from synap.proto.http_fast import FastMachine
from synap.proto.rest import fault_response, json_response

if TYPE_CHECKING:
    pass

log = logging.getLogger("synap")

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
    held: Request | Upgrade | None = None  # the request that is held back
    bytes_while_waiting = 0  # bytes received while earlier requests wait
    unsent = 0  # a reply is written at once: what waits is in the transport
    task: asyncio.Task[None] | None = None
    asked: Request | None = None  # the request being answered
    durability_asked = ""  # the level in the header of the request that is being answered
    number = 0  # client number, given when clients are first listed
    opened = 0.0  # time of its creation, in seconds of the loop's time
    served = 0  # number of requests received
    seen = 0  # `served` at the last `look_at`
    since = 0.0  # when the present wait was first seen by `look_at`, in seconds
    idle = False  # whether that wait is between requests

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        server, limits = self.server, self.server.limits
        self.machine = FastMachine(
            head_bytes_max=limits.http_head_bytes_max, body_bytes_max=limits.http_body_bytes_max
        )  # fmt: skip
        self.caller = Caller(Surface.JSON)
        self.caller.gone = self.gone
        self.since = self.opened = server.loop.time()
        if not self.connections.may_stay(self):
            self.close_after_turn()

    def data_received(self, data: bytes) -> None:
        self.machine.receive_data(data)
        if self.work is READY and self.output is TAKEN:
            self._serve()
        elif self._grants:
            self._serve_granted()
        else:
            self.bytes_while_waiting += len(data)
            if self.bytes_while_waiting > HELD_WHILE_WAITING:
                self.look_at_reading()

    @property
    def may_read(self) -> bool:
        """True if more input is wanted: not if the peer has sent enough while its earlier requests wait."""
        full = self.work is not READY and self.bytes_while_waiting > HELD_WHILE_WAITING
        return super().may_read and (not full or self._grants)

    @property
    def _grants(self) -> bool:
        """True if an arrival is granted a run: the peer is behind, and no request waits for anything else."""
        return self.output is not TAKEN and self.work is not WAITING and self.work is not PAUSED

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if self.caller.parked is not None:  # the client is gone: the call must change nothing for it
            self.server.engine.stop_waiting(self.caller)
        if self.work is WAITING and self.task is not None:
            self.task.cancel()
        if self.caller.owed is not None:  # it was served, and will not be answered
            self.put_back(self.caller.owed)
            self.caller.owed = None
        self._forget_pause()

    def _serve_granted(self) -> None:
        """Answer the requests that have arrived, once, although the peer is behind."""
        self.output = OUTPUT.after(self.output, OutputEvent.ARRIVE)
        if self.work is not READY:
            self.work = WORK.after(self.work, WorkEvent.GO_ON)
            self.bytes_while_waiting = 0
        self._serve_rest()
        if self.output is GRANTED:
            self.output = OUTPUT.after(GRANTED, OutputEvent.RUN)

    def _serve_rest(self) -> None:
        """Answer the request that was held back, then those behind it."""
        held, self.held = self.held, None
        self._serve(held)

    def _serve(self, held: Request | Upgrade | None = None) -> None:
        """Answer the requests that have arrived, in order, up to SLICE_NS or `output_pause_bytes` of replies; first
        the request that was held back.

        A few bytes may request a megabyte: without a bound on the output, one read could fill all memory.
        """
        started = now = ticks()
        if now > Dates.until:
            Dates.renew(now)
        made = 0
        machine, pause = self.machine, self.connections.output_pause_bytes
        while self.life is not LOST:
            if self.output is BEHIND or made > pause or now - started > SLICE_NS:
                self.work = WORK.after(self.work, WorkEvent.HOLD_BACK)
                self._soon()
                return
            try:
                event = machine.next_event() if held is None else held
            except RemoteProtocolError as error:
                self._refuse(error)
                return
            held = None
            if type(event) is not Request:
                if self._over(event):
                    return
                continue
            self.asked = event
            self.served += 1
            try:
                response = self._reply_to(event)
            except (Fault, Refused) as refusal:
                response = response_of(refusal)
            except LogFailed:
                self.outcome_unknown()
                return
            if isinstance(response, Response):
                made += len(response.body)
                self._answer(response)
                begun, now = now, ticks()
                self.server.web.metrics.http.note(now - begun)
                continue
            if response is None:
                self._hold(event)
            elif isinstance(response, Opening):
                open_stream(self, response)
                return
            else:
                self._wait_for(response)
            if self.life is HALF_CLOSED:
                self._give_up_waiting()
            return

    def _reply_to(self, request: Request) -> Response | Awaitable[Response] | Opening | None:
        """Return the reply to a request, an awaitable if the reply needs waiting, the opening of an event stream, or
        None if the request is held back. Raises Fault, Refused and LogFailed."""
        server = self.server
        self.caller.durability = DEFAULT
        self.durability_asked = ""
        self.durability_asked = http_durability.asked(server, request)
        if self.durability_asked:
            self.caller.durability = self.durability_asked
        if server.node is not None and server.engine.diagnostics.may_hold and holds(server, request):
            server.web.admission.admit(request)
            return None
        return server.web.answer(self.caller, request)

    def _refuse(self, error: RemoteProtocolError) -> None:
        """Answer input that is no HTTP, and close."""
        self.asked = None
        body = {"error": f"Invalid request: {error.text}", "code": error.status}
        self._answer(json_response(error.status, body))
        self.close_after_turn()

    def _over(self, event: Event) -> bool:
        """Handle an event that is no request; return whether serving must stop."""
        if event is NEED_DATA:
            interim = self.machine.take_interim()
            if interim:
                self.turn.send(self, interim)
            return True
        if event is CLOSED:
            self.close_after_turn()
            return True
        assert isinstance(event, Upgrade)
        if self.server.node is not None and self.server.engine.diagnostics.coming:  # any row may be asked for there
            self._hold(event)
            if self.life is HALF_CLOSED:
                self._give_up_waiting()
            return True
        refused = open_socket(self, event)
        if refused is None:
            return True
        self.asked = event.request
        self._answer(refused)
        return False

    # Requests that cannot be answered yet.

    def _soon(self) -> None:
        """Schedule the rest of the pipeline once the replies have left; called again when output drains."""
        if self.work is HELD_BACK and not (self.queued or self.life is LOST or self.output is BEHIND):
            self.work = WORK.after(HELD_BACK, WorkEvent.SCHEDULE)
            self.server.loop.call_soon(self.guarded, self._go_on)

    def _go_on(self) -> None:
        if self.work is not SCHEDULED or self.life is LOST or self.transport.is_closing():
            return
        if self.queued or self.output is BEHIND:
            self.work = WORK.after(SCHEDULED, WorkEvent.PUT_OFF)  # `transmit` and `resume_writing` schedule it again
            return
        self.work = WORK.after(SCHEDULED, WorkEvent.GO_ON)
        self.bytes_while_waiting = 0
        self.look_at_reading()
        self._serve_rest()

    def transmit(self, data: bytes) -> None:
        super().transmit(data)
        if self.work is HELD_BACK:
            self._soon()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._soon()

    def _hold(self, request: Request | Upgrade) -> None:
        """Keep a request until the pause ends that holds it back, or its kernels are ready."""
        self.held = request
        self.work = WORK.after(self.work, WorkEvent.PAUSE)
        self.server.engine.diagnostics.on_unpause(self._released)

    def _released(self) -> None:
        self.work = WORK.after(self.work, WorkEvent.RELEASE)
        self.server.loop.call_soon(self.guarded, self._go_on)

    def _forget_pause(self) -> None:
        if self.work is PAUSED:
            self.server.engine.diagnostics.forget(self._released)
            self.held = None

    def _wait_for(self, reply: Awaitable[Response]) -> None:
        """Answer the present request once its reply is there, and the requests behind it then."""
        self.work = WORK.after(self.work, WorkEvent.WAIT)
        self.task = self.server.loop.create_task(self._answer_when_there(reply))

    async def _answer_when_there(self, reply: Awaitable[Response]) -> None:
        try:
            response = await reply
        except LogFailed:
            self.outcome_unknown()
        except BrokenNode as error:
            self.failed(error)
        except Exception as error:
            self.guarded(self._answer_later, response_of(error))
        else:
            self.guarded(self._answer_later, response)

    def _answer_later(self, response: Response) -> None:
        """Answer the request that had to wait, then go on with the pipeline."""
        self.work = WORK.after(self.work, WorkEvent.ANSWER)
        self.bytes_while_waiting = 0
        self.task = self.caller.parked = None
        self._answer(response)
        if self.life is OPEN or self.life is HALF_CLOSED:
            self.look_at_reading()
            self._serve()

    def _give_up_waiting(self) -> None:
        """Close without an answer if the request waits for its keys or for the end of a pause, so that no element is
        removed for a peer that may be gone. Other waits end soon by themselves."""
        if self.work is PAUSED or (self.caller.parked is not None and self.server.engine.stop_waiting(self.caller)):
            self._forget_pause()
            self.close_after_turn()

    def _answer(self, response: Response) -> None:
        if self.life is not LOST:
            web = self.server.web
            web.metrics.statuses[response.status] += 1
            if self.asked is not None and (len(response.body) >= GZIP_BYTES_MIN or web.admission.origins):
                response = web.with_headers(response, self.asked)
            if self.durability_asked and self.asked is not None:
                told = http_durability.told(self.server, self.caller.durability)
                response = replace(response, headers=[*response.headers, *told])
            data = self.machine.send(response)
            if self.caller.durability != self.durability:
                self.choose_durability(self.caller.durability)
            if self.caller.owed is not None:
                self.owed, self.caller.owed = (self.caller.owed, data), None
            self.turn.send(self, data)

    def look_at(self, now: float) -> None:
        """Close a connection that has been idle, or has sent an incomplete request, for too long.

        The server calls this at intervals for all connections, so that requests set no timers.
        """
        if self.life is not OPEN or self.work is not READY or self.output is BEHIND:
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
                self.close_after_turn()
        elif waited > (limits.http_request_s if self.machine.arriving else limits.http_head_s):
            body = {"error": "Request timeout: the request did not arrive in time", "code": 408}
            self.turn.send(self, encode(json_response(408, body), closing=True, headless=False))
            self.server.web.metrics.statuses[408] += 1
            self.close_after_turn()

    def eof_received(self) -> bool:
        """Answer what the peer has sent, then close, since the peer has closed its sending side."""
        if self.life is LOST:
            return False
        self.life = LIFE.after(self.life, LifeEvent.PEER_ENDS)
        self.machine.receive_eof()
        if self.work is WAITING or self.work is PAUSED:
            self._give_up_waiting()
        elif self.work is READY and self.life is HALF_CLOSED:
            self._serve()
        return True

    def holds_beyond(self, seq: int) -> bool:
        return self.caller.parked is not None and self.caller.parked.over

    def outcome_unknown(self) -> None:
        self.owed = self.caller.owed = None
        if self.life is not LOST:
            self.lose()
            self.transport.abort()


def response_of(error: Exception) -> Response:
    """Return the response to a request for which `error` was raised; log an error that is no refusal."""
    if isinstance(error, Refused):
        return error.response
    if not isinstance(error, Fault):
        log.error("an HTTP request failed", exc_info=error)
        error = Fault("INTERNAL_ERROR", what=f"{type(error).__name__}: {error}")
    return fault_response(error)
