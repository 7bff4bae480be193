"""The endpoints of WebSockets: a Talk for each route, and the table of routes.

    GET /some/{name}/ws?x=1, upgrade  ->  find  ->  route(server, request, {"name": .., "x": ..})
        -> a Response: the Upgrade is refused with this response
        -> a TalkFactory: the socket opens, and  talk = factory(connection, parameters)

The connection calls the talk for each message. The talk sends with `send_text` at any time, but while `full` is true
the talk should wait for `drained`; more than `limits.feed_output_bytes_max` of unread output ends the socket. Messages
leave at the end of the turn, after the changes that they may report are as safe as `fsync_mode` promises. An
exception in a talk closes only its own socket.
"""

from synap.io.websocket.endpoints.queues import queue_route
from synap.io.websocket.endpoints.rooms import room_route
from synap.io.websocket.endpoints.talk import MARK, Parameters, Route, Routes, Speaker, Talk, TalkFactory
from synap.io.websocket.endpoints.topics import key_route, topic_route

__all__ = ["MARK", "ROUTES", "Parameters", "Route", "Routes", "Speaker", "Talk", "TalkFactory"]

ROUTES: dict[str, Route] = {
    "/queue/{name}/ws/{consumer_id}": queue_route,
    "/stream/{room}/ws/{subscriber_id}": room_route,
    "/pubsub/ws": topic_route,
    "/kv/ws": key_route,
}
"""Route of each path with `{names}`. Every path has the segment `ws`."""
