"""The endpoints of WebSockets: an Endpoint for each route, and the table of routes.

    GET /some/{name}/ws?x=1, upgrade  ->  find  ->  route(server, request, {"name": .., "x": ..})
        -> a Response: the Upgrade is refused with this response
        -> an EndpointFactory: the socket opens, and  endpoint = factory(connection, parameters)

The connection calls the endpoint for each message. The endpoint sends with `send_text` at any time, but while `full` is
true the endpoint should wait for `drained`; more than `limits.feed_output_bytes_max` of unread output ends the socket.
Messages leave at the end of the turn, after the changes that they may report are as safe as `fsync_mode` promises. An
exception in an endpoint closes only its own socket.
"""

from synap.io.websocket.endpoints.changes import change_route
from synap.io.websocket.endpoints.endpoint import MARK, Endpoint, EndpointFactory, Parameters, Route, Routes, Sender
from synap.io.websocket.endpoints.keys import key_route
from synap.io.websocket.endpoints.queues import queue_route
from synap.io.websocket.endpoints.rooms import room_route
from synap.io.websocket.endpoints.topics import topic_route

__all__ = ["MARK", "ROUTES", "Endpoint", "EndpointFactory", "Parameters", "Route", "Routes", "Sender"]

ROUTES: dict[str, Route] = {
    "/queue/{name}/ws/{consumer_id}": queue_route,
    "/stream/{room}/ws/{subscriber_id}": room_route,
    "/pubsub/ws": topic_route,
    "/kv/ws": key_route,
    "/changes/ws": change_route,
}
"""Route of each path with `{names}`. Every path has the segment `ws`."""
