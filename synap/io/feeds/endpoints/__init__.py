"""The endpoints of WebSockets and event streams: an Endpoint for each feed, and the tables of routes.

    GET /some/{name}/ws?x=1, upgrade  ->  find  ->  route(server, request, {"name": .., "x": ..})
    GET /some/{name}/sse?x=1              |-> a Response: the request is refused with this response
                                          '-> an EndpointFactory: the WebSocket or the stream opens, and
                                              endpoint = factory(connection, parameters)

An endpoint decides what is sent, the connection how it is framed: one endpoint serves both. On a WebSocket the
connection calls the endpoint for each message. The endpoint sends with `send_text` at any time, but while `full` is
true the endpoint should wait for `drained`; more than `limits.feed_output_bytes_max` of unread output ends the
connection. Messages leave at the end of the turn, after the changes that they may report are as safe as `fsync_mode`
promises. An exception in an endpoint closes only its own connection.

An event stream that can be resumed gives each message a place; the client sends the last one as `last_event_id`.
"""

from synap.io.feeds.endpoints.changes import change_route
from synap.io.feeds.endpoints.endpoint import Endpoint, EndpointFactory, Parameters, Route, Routes, Sender
from synap.io.feeds.endpoints.keys import key_route
from synap.io.feeds.endpoints.members import member_route
from synap.io.feeds.endpoints.pubsub import channel_route, pubsub_route
from synap.io.feeds.endpoints.queues import queue_route
from synap.io.feeds.endpoints.rooms import room_route
from synap.io.feeds.endpoints.topics import topic_route

__all__ = ["ROUTES", "STREAMS", "Endpoint", "EndpointFactory", "Parameters", "Route", "Routes", "Sender"]

ROUTES: dict[str, Route] = {
    "/queue/{name}/ws/{consumer_id}": queue_route,
    "/stream/{room}/ws/{subscriber_id}": room_route,
    "/topics/{topic}/ws": member_route,
    "/pubsub/ws": pubsub_route,
    "/kv/ws": key_route,
    "/changes/ws": change_route,
}
"""Route of each WebSocket, by its path with `{names}`. Every path has the segment `ws`."""

STREAMS: dict[str, Route] = {
    "/stream/{room}/sse": room_route,
    "/topics/{topic}/sse": topic_route,
    "/pubsub/sse": pubsub_route,
    "/pubsub/{topic}/sse": channel_route,
    "/kv/sse": key_route,
    "/changes/sse": change_route,
}
"""Route of each event stream, by its path. Every path has the segment `sse`."""
