"""What WebSockets are for: a Talk for each route, and the table of the routes.

    GET /some/{name}/ws?x=1, upgrade  ->  find  ->  route(server, request, {"name": .., "x": ..})
        -> a Response: the socket is refused with it, before anything is agreed on
        -> a TalkFactory: the socket opens, and  talk = factory(connection, parameters)

A talk is told what comes and says what it has to say through its connection: `send_text` at any time, but while
`full` is true it should wait for `drained`; more than `limits.feed_output_bytes_max` ends the socket. What it
sends leaves with the turn, after what it may speak of is as safe as `fsync_mode` wants it. An exception costs its
socket alone.
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
"""Path with `{names}` -> what decides about a socket there. Every path has the segment `ws`."""
