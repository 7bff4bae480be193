"""`/kv/ws?keys=a,user:*`: changes of keys of namespace 0, each with the new value of a string.

    server    {"type": "connected", "subscriber_id", "keys", "subscription_count"}
              {"type": "message", "message_id", "topic": "__watch@0__:a", "payload": {"key": "a", "event": "set",
              "version": 1, "value": "x"}, "metadata": null, "timestamp": s}
              {"type": "gap", "lost": number of messages}: they were made faster than the client read them
              {"error"}, then the socket closes: a name is invalid
    client    {"command": "subscribe" or "unsubscribe", "keys": [...]}

A name with one of `*?[\\` is a glob, as of KEYS. Commands are answered as on `/pubsub/ws`. engine/key_watch.py
describes the payload. Behind a `gap` the client has to read the keys that it needs again.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from synap.engine.key_watch import channel_of
from synap.engine.subscribers import Mailbox
from synap.io.feeds.endpoints.endpoint import EndpointFactory, Parameters, unknown_command
from synap.io.feeds.endpoints.pubsub import PubSubEndpoint, asked
from synap.proto.http import Request, Response
from synap.proto.rest import json_response

if TYPE_CHECKING:
    from synap.io.server.server import Server


class KeyEndpoint(PubSubEndpoint):
    """The changes of keys for one subscriber."""

    parameter = "keys"
    writes = False

    def _join(self, topics: list[bytes], wake: Callable[[], None]) -> Mailbox:
        return self.pubsub.watch([channel_of(0, key) for key in topics], self.now, wake)

    def _carry_out(self, command: Any, frame: dict[str, Any]) -> None:
        if command not in ("subscribe", "unsubscribe"):
            raise unknown_command(command, "subscribe or unsubscribe")
        self._change(command == "subscribe", frame.get("keys"))

    def _alter(self, box: Mailbox, more: bool, texts: list[bytes]) -> None:
        channels = [channel_of(0, key) for key in texts]
        if more:
            self.pubsub.add(box, channels, self.now, globs=True)
        else:
            self.pubsub.unsubscribe_all(box, channels, globs=True)


def key_route(server: "Server", request: Request, parameters: Parameters) -> EndpointFactory | Response:
    """Return the endpoint for keys; refuse a query without keys."""
    if not asked(parameters, "keys"):
        return json_response(400, {"error": "Missing 'keys' query parameter", "code": 400})
    return KeyEndpoint
