"""`/pubsub/ws?topics=a.*,b`: messages published from now on to topics that match one of the patterns.
`/pubsub/sse?topics=a.*,b` and `/pubsub/{topic}/sse` are event streams of the same messages.

    server    {"type": "connected", "subscriber_id", "topics", "subscription_count"}
              {"type": "message", "message_id", "topic", "payload": any JSON, "metadata": {} or null, "timestamp": s}
              {"error"}, then the socket closes: a pattern is invalid
    client    {"command": "subscribe" or "unsubscribe", "topics": [...]}, "subscribe" with "retained": true if wanted
              {"command": "publish", "topic", "payload", "metadata", "retain"}

The first two commands are answered by {"type": "subscribed" or "unsubscribed", "topics", "subscription_count"}, the
last one by {"type": "published", ...} if it has "reply": true; an invalid command by {"type": "error", "error"}.
With `&retained=true` the messages that the topics retain come first, with "retained": true. A message whose topic
matches several patterns is sent once. Messages wait in a bounded buffer while the client does
not read; `pubsub.overflow` decides what happens when the buffer is full.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from synap.derive.conversions import to_flag
from synap.engine import retained
from synap.engine.subscribers import Mailbox
from synap.faults import Fault
from synap.io.feeds.endpoints.endpoint import Endpoint, EndpointFactory, Parameters, is_true, unknown_command
from synap.proto.http import Request, Response
from synap.proto.streamable import Envelope

if TYPE_CHECKING:
    from synap.io.server.server import Server

_encode = msgspec.json.encode
POLICY = 1008


class PubSubEndpoint(Endpoint):
    """The messages of topics for one subscriber."""

    box: Mailbox | None = None
    parameter = "topics"
    kept: deque[bytes]
    """Topics whose retained messages are to be sent, before all others."""
    writes = True  # a message may be `publish`, which a pause of writes holds back

    @property
    def topics(self) -> list[str]:
        """The topics and patterns that are subscribed first."""
        return asked(self.parameters, self.parameter)

    def begin(self) -> None:
        self.engine = self.connection.server.engine
        self.pubsub, self.kept = self.engine.pubsub, deque()
        topics = self.topics
        wake = partial(self.connection.protected, self.wake)
        try:
            self._admit("pubsub.subscribe")
            texts = [topic.encode() for topic in topics]
            self.box = box = self._join(texts, wake)
            if is_true(self.parameters, "retained"):
                self.kept.extend(retained.topics(self.engine, texts, self.now))
        except Fault as fault:
            self.connection.fail(fault, _encode({"error": fault.json_text()}), POLICY)
            return
        self.say("connected", subscriber_id=box.name, **{self.parameter: topics}, subscription_count=len(box))
        self.drained()

    def _join(self, topics: list[bytes], wake: Callable[[], None]) -> Mailbox:
        return self.pubsub.join(topics, self.now, wake)

    def wake(self) -> None:
        """Send the messages in the mailbox, or close the socket if the mailbox has overflowed."""
        box = self.box
        if box is None or self.kept:  # `drained` goes on: `wake` may be within a call, whose reply must stay
            return
        if box.over:
            self.connection.close(POLICY, "messages were published faster than they were read")
            return
        if box.lost and not self.connection.full:
            self.say("gap", lost=box.lost)
            box.lost = 0
        while box.waiting and not self.connection.full:
            message = box.take()
            assert message is not None
            self.connection.send_text(message.frame())

    def drained(self) -> None:
        while self.kept and not self.connection.full:
            message = retained.message(self.engine, self.kept.popleft(), self.now)
            if message is not None:
                self.connection.send_text(message.frame())
        self.wake()

    def received(self, text: bytes) -> None:
        frame = self.frame_of(text)
        if self.box is None or frame is None:
            return
        command = frame.get("command")
        try:
            self._carry_out(command, frame)
        except Fault as fault:
            self.say("error", error=fault.json_text())

    def _carry_out(self, command: Any, frame: dict[str, Any]) -> None:
        if command not in ("subscribe", "unsubscribe", "publish"):
            raise unknown_command(command, "subscribe, unsubscribe or publish")
        if command == "publish":
            self._publish(frame)
        else:
            self._change(command == "subscribe", frame.get("topics"), bool(to_flag("retained", frame.get("retained"))))

    def ended(self) -> None:
        box, self.box = self.box, None
        if box is not None:
            self.pubsub.leave(box)
            box.wake = None

    def _change(self, more: bool, topics: Any, with_retained: bool = False) -> None:
        box = self.box
        assert box is not None
        if not isinstance(topics, list) or not topics or not all(isinstance(topic, str) for topic in topics):
            raise Fault("WRONG_FIELD", field=self.parameter, wanted="an array of strings", found="something else")
        self._admit("pubsub.subscribe" if more else "pubsub.unsubscribe")
        texts = [topic.encode("utf-8", "replace") for topic in topics]
        self._alter(box, more, texts)
        kind = "subscribed" if more else "unsubscribed"
        self.say(kind, **{self.parameter: topics}, subscription_count=len(box))
        if more and with_retained:
            self.kept.extend(retained.topics(self.engine, texts, self.now))
            self.drained()

    def _alter(self, box: Mailbox, more: bool, texts: list[bytes]) -> None:
        if more:
            self.pubsub.add(box, texts, self.now)
        else:
            self.pubsub.unsubscribe_all(box, texts)

    def _admit(self, name: str) -> None:
        """Pass the guards of the row `name`, which does for a subscriber's name what this socket does for itself."""
        connection = self.connection
        connection.server.engine.admit_to(name, connection.caller, self.now)

    def _publish(self, frame: dict[str, Any]) -> None:
        fields = {name: frame[name] for name in ("topic", "payload", "metadata", "retain") if name in frame}
        connection = self.connection
        reply = connection.server.web.envelopes.run(connection.caller, Envelope("pubsub.publish", "-", fields))
        if reply.error is not None:
            self.say("error", error=reply.error)
        elif frame.get("reply") is True:
            self.say("published", **reply.payload)


def asked(parameters: Parameters, name: str = "topics") -> list[str]:
    """Return the topics, or keys, in this parameter of the query."""
    return [topic for topic in parameters.get(name, "").split(",") if topic.strip()]


class ChannelEndpoint(PubSubEndpoint):
    """The messages of one topic, or of the topics that match one pattern, which the path names."""

    @property
    def topics(self) -> list[str]:
        return [self.parameters["topic"]]


def pubsub_route(server: "Server", request: Request, parameters: Parameters) -> EndpointFactory | Response:
    """Return the endpoint for topics; refuse a query without topics."""
    is_true(parameters, "retained")
    if not asked(parameters):
        return Response(400, b"Missing 'topics' query parameter\n", b"text/plain; charset=utf-8")
    return PubSubEndpoint


def channel_route(server: "Server", request: Request, parameters: Parameters) -> EndpointFactory | Response:
    """Return the endpoint for the topic or pattern in the path."""
    is_true(parameters, "retained")
    return ChannelEndpoint
