"""One suite for both HTTP machines: events, limits, replies."""

import random
from collections.abc import Callable

import h11
import pytest

from synap.proto import http
from synap.proto.http import CLOSED, NEED_DATA, LocalProtocolError, Request, Response, Upgrade
from synap.proto.http_fast import FastMachine
from tests.proto.corpus import CHUNKS, FIRST, GARBAGE, SECOND
from tests.proto.talk import BODY_MAX, HOST, LAST, MACHINES, OK, SERVED, WEBSOCKET, bytewise, cut, drive


@pytest.fixture(params=MACHINES, ids=["h11", "fast"])
def make(request: pytest.FixtureRequest) -> Callable[..., http.Machine]:
    def made(**limits: int) -> http.Machine:
        return request.param(**{"body_bytes_max": BODY_MAX, **limits})

    return made


# Each case four ways: whole, one byte at a time, with a second request, with garbage


@pytest.mark.parametrize("name", SERVED)
def test_served(make, name):
    data, wanted = SERVED[name]
    second = Request(b"GET", b"/smuggled", b"", HOST, b"", True, b"1.1")
    assert drive(make(), [data]) == [wanted]
    assert drive(make(), bytewise(data)) == [wanted]
    assert drive(make(), [data + SECOND]) == [wanted, second]
    assert drive(make(), bytewise(data + SECOND + data)) == [wanted, second, wanted]
    for garbage in GARBAGE:
        assert drive(make(), [data + garbage + SECOND]) == [wanted, 400, CLOSED]
        assert drive(make(), bytewise(data + garbage + SECOND)) == [wanted, 400, CLOSED]


@pytest.mark.parametrize("name", LAST)
def test_last_request_of_a_connection(make, name):
    data, wanted = LAST[name]
    for tail in (b"", SECOND, b"garbage"):
        assert drive(make(), [data + tail]) == [wanted, CLOSED]
        assert drive(make(), bytewise(data + tail)) == [wanted, CLOSED]


@pytest.mark.parametrize("name", SERVED)
def test_eof_at_every_byte(make, name):
    data, wanted = SERVED[name]
    assert drive(make(), [], eof=True) == [CLOSED]
    assert drive(make(), [data], eof=True) == [wanted, CLOSED]
    for size in range(1, len(data)):
        assert drive(make(), [data[:size]], eof=True) == [400, CLOSED]


def test_types_are_bytes(make):
    for data, _ in SERVED.values():
        for pieces in ([data], bytewise(data), [memoryview(data)]):
            (event,) = drive(make(), pieces)
            fields = [event.method, event.path, event.query, event.body, event.version]
            assert {type(part) for part in [*fields, *sum(event.headers, ())]} == {bytes}


def test_headers_are_not_shared_between_requests(make):
    machine = make()
    for _ in range(2):
        (event,) = drive(machine, [SERVED["get"][0]])
        assert event.headers == HOST
        event.headers.append((b"x", b"y"))


def test_a_reused_read_buffer_is_not_kept(make):
    for data, wanted in SERVED.values():
        region, machine, seen = bytearray(len(data)), make(), []
        for at in range(len(data)):
            region[0] = data[at]
            seen += drive(machine, [memoryview(region)[:1]])
            region[0] = 0
        assert seen == [wanted]


# Limits


def test_head_bytes_max(make):
    head = b"GET / HTTP/1.1\r\nHost: h\r\nX: %b\r\n\r\n"
    fits = head % (b"a" * (200 - len(head) + 2))
    assert len(fits) == 200
    for pieces in (lambda data: [data], bytewise):
        assert drive(make(head_bytes_max=200), pieces(fits))[0].path == b"/"
        assert drive(make(head_bytes_max=199), pieces(fits)) == [431, CLOSED]
        assert drive(make(head_bytes_max=199), pieces(b"a" * 300)) == [431, CLOSED]


def test_headers_max(make):
    head = b"GET / HTTP/1.1\r\nHost: h\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(9)) + b"\r\n"
    for pieces in ([head], bytewise(head)):
        assert len(drive(make(headers_max=10), pieces)[0].headers) == 10
        assert drive(make(headers_max=9), pieces) == [431, CLOSED]


def test_body_bytes_max(make):
    chunked = FIRST["chunked"]
    for data in (FIRST["post"], chunked):
        for pieces in ([data], bytewise(data)):
            assert drive(make(body_bytes_max=5), pieces)[0].body == b"hello"
            assert drive(make(body_bytes_max=4), pieces) == [413, CLOSED]
    many = chunked[: -len(CHUNKS)] + b"1\r\na\r\n" * 6 + CHUNKS
    assert drive(make(body_bytes_max=10), [many]) == [413, CLOSED]


def test_trailer_limits(make):
    data = FIRST["chunked"][:-2] + b"".join(b"X: %d\r\n" % n for n in range(5)) + b"\r\n"
    assert drive(make(headers_max=5), [data])[0].body == b"hello"
    assert drive(make(headers_max=4), [data]) == [431, CLOSED]
    long = FIRST["chunked"][:-2] + b"X: %b\r\n" % (b"a" * 100) + b"\r\n"
    assert drive(make(head_bytes_max=100), [long]) == [431, CLOSED]


def test_limits_may_change_between_requests(make):
    machine = make()
    data = FIRST["post"]
    assert drive(machine, [data])[0].body == b"hello"
    machine.body_bytes_max = 4
    assert drive(machine, [data]) == [413, CLOSED]


def test_an_announced_length_allocates_nothing(make):
    machine = make(body_bytes_max=10**12)
    head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999999\r\n\r\n"
    assert drive(machine, [head]) == []
    machine.receive_data(b"x" * 1000)
    assert machine.next_event() is NEED_DATA
    assert machine._body.getbuffer().nbytes < 4096


@pytest.mark.parametrize("size", [0, 1, 4095, 300_000])
def test_large_bodies(make, size):
    body = random.Random(size).randbytes(size)
    head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in cut(body, range(0, size, 9973)))
    chunked = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    for data in (head + body, chunked):
        for pieces in ([data], cut(data, range(0, len(data), 1460)), cut(data, [3])):
            assert [event.body for event in drive(make(), pieces)] == [body]


# Expect, early refusal, upgrade, order


def test_continue_is_offered_once_and_only_if_needed(make):
    head, body = SERVED["expect"][0][:-2], b"ab"
    machine = make()
    machine.receive_data(head)
    assert machine.next_event() is NEED_DATA and machine.take_interim() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert machine.next_event() is NEED_DATA and machine.take_interim() == b""
    machine.receive_data(body)
    assert machine.next_event().body == b"ab"
    machine = make()
    machine.receive_data(head + b"a")
    assert machine.next_event() is NEED_DATA and machine.take_interim() == b""
    old = b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    machine = make()
    machine.receive_data(old)
    assert machine.next_event() is NEED_DATA and machine.take_interim() == b""


def test_a_body_may_be_refused_before_it_came(make):
    for head in (SERVED["post"][0][:-3], FIRST["chunked"][:-9], SERVED["expect"][0][:-2]):
        machine = make()
        machine.receive_data(head)
        assert machine.arriving is None
        assert machine.next_event() is NEED_DATA
        assert machine.arriving.headers[0] == (b"host", b"h")
        assert b"connection: close" in machine.send(Response(401, b"{}"))
        assert machine.next_event() is CLOSED and machine.arriving is None
        machine.receive_data(b"more" + SECOND)
        assert machine.next_event() is CLOSED and machine.trailing_data == b""


def test_upgrade(make):
    machine = make()
    machine.receive_data(WEBSOCKET + b"\x81\x05")
    event = machine.next_event()
    assert isinstance(event, Upgrade) and event.protocol == b"websocket" and event.request.path == b"/ws"
    machine.receive_data(b"hello")
    assert machine.next_event() is NEED_DATA
    assert machine.trailing_data == b"\x81\x05hello"


def test_upgrade_refused(make):
    machine = make()
    first, second = drive(machine, [WEBSOCKET + SECOND])
    assert isinstance(first, Upgrade) and second.path == b"/smuggled"


BODY = b"\r\nContent-Length: 1\r\n\r\nx"


@pytest.mark.parametrize("change", [(b"GET", b"POST"), (b"/1.1", b"/1.0"), (b"\r\n\r\n", BODY)])
def test_no_upgrade(make, change):
    (event, *_) = drive(make(), [WEBSOCKET.replace(*change)])
    assert isinstance(event, Request)


def test_one_request_at_a_time(make):
    machine = make()
    machine.receive_data(b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % n for n in range(3)))
    machine.receive_eof()
    for n in range(3):
        assert machine.next_event().path == b"/%d" % n
        assert machine.next_event() is NEED_DATA
        machine.send(OK)
    assert machine.next_event() is CLOSED


def test_known_blocks_are_bounded():
    machine = FastMachine()
    for n in range(100):
        head = b"GET / HTTP/1.1\r\nHost: h\r\nX: %b\r\n\r\n" % (b"a" * (n * 20))
        assert len(drive(machine, [head])) == 1
        assert len(machine._known) <= 4 and all(len(block) <= 512 for block in machine._known)


# Replies


def after(make: Callable[..., http.Machine], data: bytes) -> http.Machine:
    machine = make()
    machine.receive_data(data)
    assert machine.next_event() is not NEED_DATA
    return machine


def read_back(reply: bytes, method: str = "GET") -> tuple[int, dict[bytes, bytes], bytes]:
    """The reply as a client parses it; nothing may be left over."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
    client.send(h11.EndOfMessage())
    client.receive_data(reply)
    head, body = client.next_event(), b""
    while isinstance(event := client.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage) and client.trailing_data == (b"", False)
    return head.status_code, dict(head.headers), body


@pytest.mark.parametrize("status", [200, 400, 404, 405, 413, 431, 500, 501, 503, 505, 507])
def test_replies(make, status):
    got = read_back(after(make, SERVED["get"][0]).send(Response(status, b'{"a":1}')))
    assert got == (status, {b"content-type": b"application/json", b"content-length": b"7"}, b'{"a":1}')


def test_reply_forms(make):
    get, head = SERVED["get"][0], SERVED["head"][0]
    _, headers, body = read_back(after(make, head).send(Response(200, b"12345")), "HEAD")
    assert (headers[b"content-length"], body) == (b"5", b"")
    _, headers, body = read_back(after(make, get).send(Response(204)))
    assert b"content-length" not in headers and body == b""
    extra = Response(405, b"", b"", headers=[(b"allow", b"GET"), (b"x-y", b"")])
    _, headers, body = read_back(after(make, get).send(extra))
    assert headers == {b"allow": b"GET", b"x-y": b"", b"content-length": b"0"} and body == b""
    _, headers, _ = read_back(after(make, get).send(Response(200, b"x", b"text/plain; version=0.0.4")))
    assert headers[b"content-type"] == b"text/plain; version=0.0.4"
    _, headers, _ = read_back(after(make, LAST["1.0"][0]).send(OK))
    assert headers[b"connection"] == b"close"
    machine = after(make, get)
    _, headers, _ = read_back(machine.send(Response(200, b"x", close=True)))
    assert headers[b"connection"] == b"close" and machine.next_event() is CLOSED


@pytest.mark.parametrize(
    "response",
    [
        Response(101), Response(199), Response(999),
        Response(200, headers=[(b"x", b"a\r\nb: c")]), Response(200, headers=[(b"x\n", b"a")]),
        Response(200, content_type=b"a\nb"), Response(200, headers=[(b"", b"a")]),
    ],
)  # fmt: skip
def test_replies_we_must_not_send(make, response):
    with pytest.raises(LocalProtocolError):
        after(make, SERVED["get"][0]).send(response)


def test_reply_nobody_waits_for(make):
    machine = make()
    with pytest.raises(LocalProtocolError):
        machine.send(OK)
    machine.receive_data(SERVED["get"][0] * 2)
    machine.next_event()
    machine.send(OK)
    with pytest.raises(LocalProtocolError):
        machine.send(OK)
    machine.receive_eof()
    assert isinstance(machine.next_event(), Request)
