"""Talking to a machine in memory, and requests whose meaning is known."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from synap.proto import http
from synap.proto.http import CLOSED, NEED_DATA, RemoteProtocolError, Request, Response
from synap.proto.http_fast import FastMachine
from tests.proto.corpus import FIRST

MACHINES = [http.Machine, FastMachine]
BODY_MAX = 1_048_576
OK = Response(200, b"{}")


def drive(machine: http.Machine, pieces: Iterable[bytes], eof: bool = False) -> list[Any]:
    """What comes out of the pieces: requests (all answered 200), upgrades (refused), faults, CLOSED."""
    seen: list[Any] = []

    def pump() -> None:
        while True:
            try:
                event = machine.next_event()
            except RemoteProtocolError as fault:
                seen.append(fault.status)
                assert b"connection: close\r\n" in machine.send(Response(fault.status, fault.text.encode()))
                continue
            if event is NEED_DATA:
                return
            if event is CLOSED:
                if not seen or seen[-1] is not CLOSED:
                    seen.append(CLOSED)
                return
            seen.append(event)
            machine.send(OK)

    for piece in pieces:
        machine.receive_data(piece)
        pump()
    if eof:
        machine.receive_eof()
        pump()
    return seen


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[one:two] for one, two in pairwise(edges) if one < two]


HOST = [(b"host", b"h")]

SERVED = {
    "get": (
        b"GET /kv/get/k HTTP/1.1\r\nHost: h\r\n\r\n",
        Request(b"GET", b"/kv/get/k", b"", HOST, b"", True, b"1.1"),
    ),
    "query": (
        b"DELETE /a%2Fb?c=d&e HTTP/1.1\r\nHost: h\r\nX-Y: Z z\r\n\r\n",
        Request(b"DELETE", b"/a%2Fb", b"c=d&e", [*HOST, (b"x-y", b"Z z")], b"", True, b"1.1"),
    ),
    "post": (
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
        Request(b"POST", b"/", b"", [*HOST, (b"content-length", b"5")], b"hello", True, b"1.1"),
    ),
    "chunked": (
        FIRST["chunked"],
        Request(b"POST", b"/one", b"", [*HOST, (b"transfer-encoding", b"chunked")], b"hello", True, b"1.1"),
    ),
    "expect": (
        b"PUT /x HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\nab",
        Request(
            b"PUT", b"/x", b"", [*HOST, (b"expect", b"100-Continue"), (b"content-length", b"2")],
            b"ab", True, b"1.1",
        ),
    ),
    "absolute": (
        b"GET http://h/a?b HTTP/1.1\r\nHost: h\r\n\r\n",
        Request(b"GET", b"/a", b"b", HOST, b"", True, b"1.1"),
    ),
    "head": (b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", Request(b"HEAD", b"/", b"", HOST, b"", True, b"1.1")),
}

LAST = {
    "close": (
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        Request(b"GET", b"/", b"", [*HOST, (b"connection", b"close")], b"", False, b"1.1"),
    ),
    "close among words": (
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: te, CLOSE\r\n\r\n",
        Request(b"GET", b"/", b"", [*HOST, (b"connection", b"te, CLOSE")], b"", False, b"1.1"),
    ),
    "1.0": (b"GET /old HTTP/1.0\r\n\r\n", Request(b"GET", b"/old", b"", [], b"", False, b"1.0")),
}

WEBSOCKET = b"GET /ws?a HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
