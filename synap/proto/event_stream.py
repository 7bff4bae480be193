"""The framing of server-sent events (the format `text/event-stream` of HTML), without sockets or clocks.

    id: 17                the place from which a later stream goes on: the client sends it back as Last-Event-ID
    event: gap            the name of the event, none for an ordinary message
    data: {"type":"gap"}  each line of the data; the lines are joined by a line feed again
                          an empty line ends the event
"""

import re
from typing import Final

from synap.proto.http import Headers, Machine, Request

CONTENT_TYPE: Final = b"text/event-stream"
COMMENT: Final = b":\n\n"
"""An event without anything, which clients skip: it shows that the connection lives."""

_LINE_END = re.compile(rb"\r\n|\r|\n")


def event(data: bytes, name: str = "", place: str = "") -> bytes:
    """Return one event. `data` is UTF-8 with any line ends; `name` and `place` have neither line ends nor NUL."""
    head = (f"id: {place}\n" if place else "") + (f"event: {name}\n" if name else "")
    if b"\n" in data or b"\r" in data:
        data = b"\ndata: ".join(_LINE_END.split(data))
    return b"%bdata: %b\n\n" % (head.encode(), data)


def retry(ms: int) -> bytes:
    """Return the field that says how long a client waits before it connects again."""
    return b"retry: %d\n\n" % ms


def opening(headers: Headers) -> bytes:
    """Return the head of a reply that is a stream of events: its end is that of the connection."""
    lines = [
        (b"content-type", CONTENT_TYPE), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"),
        (b"connection", b"close"), *headers,
    ]  # fmt: skip
    return b"HTTP/1.1 200 OK\r\n%b%b\r\n" % (b"".join(b"%b: %b\r\n" % line for line in lines), Machine.date_line)


def last_event_id(request: Request) -> str:
    """Return the header Last-Event-ID of a request, an empty text without it."""
    for name, value in request.headers:
        if name == b"last-event-id":
            return value.decode("utf-8", "replace")
    return ""
