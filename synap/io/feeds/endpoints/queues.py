"""`/queue/{name}/ws/{consumer_id}`: messages of a queue, pushed to a consumer until the socket closes.

    server    {"type": "connected", "queue", "consumer_id"}
              {"type": "message", "message_id", "payload": [0 to 255, ...], "priority", "retry_count", ...}
              {"type": "error", "error"}: the client's message is not understood, or is refused
    client    {"command": "ack", "message_id"}     {"command": "nack", "message_id", "requeue": true, "reason"}
              {"command": "renew", "message_id"}; each takes the receipt of a delivery in place of the ID
              with "reply": true each of them is answered by {"type": the command, "message_id", "success"}, and a
              renewal by its "deadline" besides

A command is refused with an error unless this consumer holds the message (see docs/messaging.md).

Messages are pushed as long as the client reads. With `?prefetch=N` the next message is held back while N messages are
not acknowledged. When the socket ends, each message it holds counts as a failed delivery and is available at once.
When the server stops, the leases go on until their deadlines, also after the next start.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from synap.derive.conversions import to_flag, wrong
from synap.derive.packed_calls import call_of
from synap.derive.replies import plain
from synap.derive.reply_forms import json_form
from synap.engine.waiters import Feed
from synap.faults import Fault
from synap.io.feeds.endpoints.endpoint import Endpoint, EndpointFactory, Parameters, unknown_command, whole_number
from synap.proto.http import Request, Response
from synap.proto.rest import status_fault
from synap.store.memory import codes, kinds, layout

if TYPE_CHECKING:
    from synap.io.server.server import Server

_encode = msgspec.json.encode


class QueueEndpoint(Endpoint):
    """The messages of a queue for one consumer."""

    writes = True
    feed: Feed | None = None  # until `begin` attends to the queue

    def begin(self) -> None:
        self.engine = engine = self.connection.server.engine
        self.queue, self.consumer = self.parameters["name"], self.parameters["consumer_id"]
        self.prefetch = int(self.parameters.get("prefetch", "0"))
        self.leases: dict[str, int] = {}  # message id -> deadline of each held message, the first to end first
        self.row = engine.catalogue.by_code[codes.QUEUE_CONSUME]
        self.form = json_form(self.row.reply)
        self.deadline_form = json_form(engine.catalogue.by_code[codes.QUEUE_RENEW].reply)
        self.asking = call_of(self.row, queue=self.queue, consumer_id=self.consumer)
        self.say("connected", queue=self.queue, consumer_id=self.consumer)
        feed = Feed(kinds.QUEUE, self.queue.encode(), partial(self.connection.protected, self.take))
        engine.attend(feed)
        self.feed = feed
        self.drained()

    def drained(self) -> None:
        assert self.feed is not None, "`begin` has failed"
        self.engine.feed(self.feed.hash, self.now)
        self.written()

    def take(self, now: int) -> bool:
        """Lease one message and send it; return False if there is none, or if no more are wanted."""
        if self.over or self.connection.full or self.drain_after_pause(True) or not self._wants_more(now):
            return False
        engine = self.engine
        outcome = engine.call_unasked(self.connection.caller, self.asking, now)
        if outcome.what != layout.ITEM:
            if outcome.failed:
                self.fail(status_fault(outcome.status, {"queue": self.queue}, 0), 1011)
            return False
        found = plain(outcome.status, self.row, engine.numbers, engine.bytes)
        engine.free_deferred()
        message = self.form(found)
        self.leases.pop(message["message_id"], None)  # a message leased again moves to the end of the order
        self.leases[message["message_id"]] = found["deadline"]
        self.connection.send_text(_encode({"type": "message", **message}))
        return True

    def received(self, text: bytes) -> None:
        asked = self.frame_of(text)
        if asked is None:
            return
        command, name = asked.get("command"), asked.get("message_id")
        try:
            if command not in ("ack", "nack", "renew"):
                raise unknown_command(command, "ack, nack or renew")
            if not isinstance(name, str):
                raise wrong("message_id", "a string", name)
            again = asked.get("requeue") is None or to_flag("requeue", asked["requeue"])
            reply = to_flag("reply", asked.get("reply"))
            reason = "" if asked.get("reason") is None else asked["reason"]
            if not isinstance(reason, str):
                raise wrong("reason", "a string", reason)
        except Fault as fault:
            self.refuse(fault.json_text())
            return
        code, more = {
            "ack": (codes.QUEUE_ACK, {}), "nack": (codes.QUEUE_NACK, {"drop": not again, "reason": reason}),
            "renew": (codes.QUEUE_RENEW, {}),
        }[command]  # fmt: skip
        refused, value = self._on_held(code, name, **more)
        answer = {"type": command, "message_id": name, "success": not refused}
        if not refused:
            held = name.partition(":")[0].lower()  # the ID, which is the first part of a receipt
            self.leases.pop(held, None)
            if command == "renew":
                self.leases[held] = value
                answer["deadline"] = self.deadline_form(value)
        if reply:
            self.connection.send_text(_encode(answer))
        elif refused:
            self.refuse(refused, command=command, message_id=name)
        self.drained()

    def ended(self) -> None:
        self.over = True
        if self.feed is None:
            return
        self.engine.interest.leave(self.feed)
        if self.connection.server.phase == "stopping":
            return  # a stop is no failed delivery, and the log may have ended: the leases go on until their deadlines
        for name, deadline in self.leases.items():
            self.run(self.engine.own, codes.QUEUE_RELEASE, queue=self.queue, message_id=name, deadline=deadline)
        self.leases.clear()

    def _on_held(self, code: int, name: str, **more: Any) -> tuple[str, Any]:
        """Make a call on a message that this consumer holds; return why that is refused, or an empty text, and the
        value of the reply."""
        caller, consumer = self.connection.caller, self.consumer
        outcome, found = self.run(caller, code, queue=self.queue, message_id=name, consumer_id=consumer, **more)
        return (found.json_text(), None) if outcome.failed else ("", found)

    def _wants_more(self, now: int) -> bool:
        while self.leases:
            first = next(iter(self.leases))
            if self.leases[first] > now:
                break
            del self.leases[first]  # the lease has ended; a message acknowledged elsewhere is removed here, too
        return not self.prefetch or len(self.leases) < self.prefetch


def queue_route(server: "Server", request: Request, parameters: Parameters) -> EndpointFactory | Response:
    """Return the endpoint for a queue, which may be created later."""
    return whole_number(parameters, "prefetch") or QueueEndpoint
