"""Event streams of rooms, topics and keys: what they say, how they go on, and how they end."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synap.proto import event_stream
from tests.cases import check_all
from tests.examples.browser import Browser
from tests.server.clients import Server, eventually
from tests.server.event_clients import EventClient, Seen

Serve = Callable[..., Server]


def offsets(events: list[Seen]) -> list[tuple[int, str]]:
    assert {each.name for each in events} == {"message"}
    return [(each.json["offset"], each.last_id) for each in events]


def room(node: Server, count: int, *options: Any) -> None:
    with node.resp() as client:
        client.ask("STREAM.CREATE", "r", *options)
        for i in range(count):
            client.ask("STREAM.PUBLISH", "r", "e", str(i))


def test_the_framing() -> None:
    cases = {
        "plain": (event_stream.event(b"{}"), b"data: {}\n\n"),
        "all fields": (event_stream.event(b"a", "gap", "7"), b"id: 7\nevent: gap\ndata: a\n\n"),
        "lines": (event_stream.event(b"a\nb\r\nc\rd\n"), b"data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
        "other bytes": (event_stream.event("\u2028\x85ä".encode()), "data: \u2028\x85ä\n\n".encode()),
        "retry": (event_stream.retry(5), b"retry: 5\n\n"),
    }

    def check(name: str) -> None:
        found, wanted = cases[name]
        assert found == wanted

    check_all(check, cases)


def test_a_room_goes_on_where_the_client_has_stopped(node: Server) -> None:
    room(node, 4, "MAXEVENTS", 3)
    with node.resp() as client, EventClient(node, "/stream/r/sse", Accept_Encoding="gzip") as first:
        connected, *events = first.events(4)
        assert connected.name == "connected" and connected.json["room"] == "r" and not connected.last_id
        assert first.retry and offsets(events) == [(1, "1"), (2, "2"), (3, "3")]
        client.ask("STREAM.PUBLISH", "r", "said", '{"a": "x\\ny"}')
        found = first.event()
        assert found.json == {"type": "event", "offset": 4, "event": "said", "data": '{"a": "x\\ny"}',
                              "timestamp": found.json["timestamp"]}  # fmt: skip
        assert first.headers["content-type"] == "text/event-stream" and first.headers["cache-control"] == "no-store"
        assert "content-encoding" not in first.headers and first.headers["connection"] == "close"
    cases: dict[str, tuple[str, dict[str, str], list[int], int | None]] = {
        "header": ("", {"Last_Event_ID": "3"}, [4], None),
        "query": ("?last_event_id=2", {}, [3, 4], None),
        "the header is newer than the query": ("?last_event_id=0", {"Last_Event_ID": "3"}, [4], None),
        "it is newer than the first offset": ("?from_offset=2", {"Last_Event_ID": "3"}, [4], None),
        "first offset": ("?from_offset=3", {}, [3, 4], None),
        "empty": ("?last_event_id=", {}, [2, 3, 4], None),
        "gone": ("", {"Last_Event_ID": "0"}, [2, 3, 4], 1),
        "of a room before": ("?last_event_id=70", {}, [2, 3, 4], 71),
    }

    def check(name: str) -> None:
        query, headers, wanted, gap = cases[name]
        with EventClient(node, f"/stream/r/sse{query}", **headers) as stream:
            assert stream.event().name == "connected"
            if gap is not None:
                told = stream.event()
                assert (told.name, told.json) == ("gap", {"type": "gap", "requested": gap, "earliest": 2})
            assert [offset for offset, _ in offsets(stream.events(len(wanted)))] == wanted
            assert stream.silent(0.01)

    check_all(check, cases)


def test_what_is_refused_has_a_status(node: Server) -> None:
    room(node, 0)
    cases: dict[str, tuple[str, str, int, str]] = {
        "no such room": ("GET", "/stream/none/sse", 400, "Room 'none' not found"),
        "no number": ("GET", "/stream/r/sse?last_event_id=x", 400, "'last_event_id': wanted a whole number"),
        "twice": ("GET", "/stream/r/sse?from_offset=1&from_offset=2", 400, "from_offset"),
        "wrong pattern": ("GET", "/pubsub/a.%23.b/sse", 400, "# wildcard"),
        "wrong pattern in a list": ("GET", "/pubsub/sse?topics=b,a.%23.b", 400, "# wildcard"),
        "too long": ("GET", f"/pubsub/{'x' * 5000}/sse", 400, "5000"),
        "no topics": ("GET", "/pubsub/sse", 400, "topics"),
        "no keys": ("GET", "/kv/sse", 400, "keys"),
        "no UTF-8": ("GET", "/pubsub/%ff/sse", 400, "UTF-8"),
        "another method": ("POST", "/stream/r/sse", 405, "Method not allowed"),
        "another host": ("GET", "/stream/r/sse", 403, "this Host"),
    }

    def check(name: str) -> None:
        method, path, status, text = cases[name]
        headers = {"Connection": "close"} | ({"Content_Length": "0"} if method == "POST" else {})
        if name == "another host":
            with node.resp():
                assert node.http("GET", path, headers={"Host": "evil.example"})[0] == status
            return
        with EventClient(node, path, method, **headers) as stream:
            body = stream.body().decode()
            assert stream.status == status and text in body, (stream.status, body)

    check_all(check, cases)
    with EventClient(node, "/stream/none/sse", "HEAD") as stream:
        assert stream.head() == 400 and stream.body() == b""


def test_messages_of_topics_and_patterns(node: Server) -> None:
    with (
        node.resp() as client, EventClient(node, "/pubsub/a.%2a/sse") as pattern,
        EventClient(node, "/pubsub/sse?topics=a.b,c", version="1.0") as both,
    ):  # fmt: skip
        assert pattern.event().json["topics"] == ["a.*"] and both.event().json["topics"] == ["a.b", "c"]
        node.http("POST", "/pubsub/a.b/publish", {"payload": {"n": "1\n2"}, "metadata": {"by": "me"}})
        client.ask("PUBLISH", "c", "line\r\nline")
        client.ask("PUBLISH", "a.x", b"\xff")
        one, binary = pattern.events(2)
        assert one.name == "message" and one.json["payload"] == {"n": "1\n2"} and one.json["metadata"] == {"by": "me"}
        assert binary.json["payload"] == "<binary data: 1 bytes>" and not binary.last_id
        assert [each.json["payload"] for each in both.events(2)] == [{"n": "1\n2"}, "line\r\nline"]
        with EventClient(node, "/metrics", Connection="close") as page:
            metrics = page.body().decode()
        assert 'synap_feeds{kind="event_stream"} 2.0' in metrics and 'synap_feeds{kind="websocket"} 0.0' in metrics
        assert client.ask("CLIENT", "LIST").count(b"lib-name=http") >= 2
    eventually(lambda: node.http("GET", "/pubsub/stats")[1]["subscribers"] == 0)
    with node.resp() as client, EventClient(node, "/kv/sse?keys=k") as keys:
        assert keys.event().json["keys"] == ["k"]
        client.ask("SET", "k", "v")
        assert keys.event().json["payload"] == {"key": "k", "event": "set", "version": 1, "value": "v"}


def test_other_ends(node: Server) -> None:
    """HEAD, a client that closes its sending side, a room that is deleted, a stop of the server."""
    room(node, 2)
    with EventClient(node, "/stream/r/sse", "HEAD") as stream:
        assert stream.head() == 200 and stream.body() == b""
        assert stream.headers["content-type"] == "text/event-stream" and "content-length" not in stream.headers
    with EventClient(node, "/stream/r/sse", "OPTIONS", Connection="close") as stream:
        assert stream.head() == 204 and stream.headers["allow"] == "GET, HEAD, OPTIONS"
    with EventClient(node, "/stream/r/sse") as stream:
        stream.socket.shutdown(1)
        body = stream.body().decode()
        assert re.findall(r"^id: (\d+)", body, re.MULTILINE) in ([], ["0", "1"])
    with EventClient(node, "/stream/r/sse") as stream, node.resp() as client:
        stream.events(3)
        stream.socket.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 100)  # is dropped
        client.ask("STREAM.DELETE", "r")
        told = stream.event()
        assert told.name == "error" and told.json == {"type": "error", "error": "Invalid request: Room 'r' not found"}
        assert stream.body() == b""
    with EventClient(node, "/pubsub/t/sse") as stream:
        stream.event()
        assert node.stop() == 0
        assert stream.body() == b""


def test_pages_of_allowed_origins_and_silence(serve: Serve) -> None:
    server = serve({"server.cors_origins": "http://friend.example", "server.event_stream_ping_s": 1}).start()
    with EventClient(server, "/pubsub/t/sse", Origin="http://friend.example") as stream:
        stream.event()
        assert stream.headers["access-control-allow-origin"] == "http://friend.example"
        assert eventually(lambda: stream.held or not stream.silent(0.2), 5)
        assert stream.socket.recv(100) == b":\n\n"
    with EventClient(
        server, "/pubsub/t/sse", "OPTIONS", Origin="http://friend.example", Access_Control_Request_Method="GET",
    ) as stream:  # fmt: skip
        assert stream.head() == 204 and "last-event-id" in stream.headers["access-control-allow-headers"]
    with EventClient(server, "/pubsub/t/sse", Origin="http://evil.example") as stream:
        assert stream.head() == 200 and "access-control-allow-origin" not in stream.headers


@pytest.mark.parametrize("overflow", ["disconnect", "drop_oldest"])
def test_a_client_that_does_not_read(serve: Serve, overflow: str) -> None:
    settings = {"limits.feed_output_bytes_max": "2mb", "limits.output_pause_bytes": "64kb", "limits.output_stall_s": 1,
                "pubsub.overflow": overflow, "persistence.enabled": "false"}  # fmt: skip
    server = serve(settings).start()
    with EventClient(server, "/pubsub/t/sse", receive_bytes=4096) as stream, server.resp() as client:
        stream.event()
        before = server.rss()
        for _ in range(400):
            client.ask("PUBLISH", "t", b"x" * 65536)
        assert server.rss() - before < 12 << 20
        eventually(lambda: server.http("GET", "/pubsub/stats")[1]["subscribers"] == 0, 10)
        assert int(server.info("memory")["mem_clients_normal"]) < 1 << 20


def test_an_event_source_of_a_browser(serve: Serve, tmp_path: Path) -> None:
    server = serve({"resp.port": -1}).start()
    room(server, 2)
    address = f"http://127.0.0.1:{server.http_port}"
    with Browser(tmp_path) as browser, server.resp() as client:
        page = browser.open(f"{address}/health")
        page.run("""window.seen = []; window.source = new EventSource('/stream/r/sse');
            source.onmessage = event => seen.push([JSON.parse(event.data).offset, event.lastEventId]);
            source.addEventListener('gap', event => seen.push(JSON.parse(event.data)));
            source.onerror = event => window.failed = [event.data, source.readyState]; 1""")
        page.until("seen.length === 2")
        client.ask("STREAM.PUBLISH", "r", "e", "2")
        page.until("seen.length === 3")
        client.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        client.ask("STREAM.PUBLISH", "r", "e", "3")
        page.until("seen.length === 4")  # the browser has connected again, and nothing came twice
        assert page.run("seen") == [[0, "0"], [1, "1"], [2, "2"], [3, "3"]]
        client.ask("STREAM.DELETE", "r")
        page.until("source.readyState === EventSource.CLOSED")  # a refusal, so it tries no more
        page.run("""window.source = new EventSource('/pubsub/t/sse');
            source.onmessage = event => window.got = event.data; 1""")
        page.until("source.readyState === EventSource.OPEN")
        client.ask("PUBLISH", "t", "ä\n\u2028")
        page.until("window.got")
        assert json.loads(page.run("got"))["payload"] == "ä\n\u2028"


def test_durability_is_chosen_and_told(node: Server) -> None:
    with EventClient(node, "/pubsub/t/sse?durability=fsync") as stream, node.resp() as client:
        stream.event()
        assert stream.headers["durability"] == "fsync"
        client.ask("SET", "k", "v")
        client.ask("PUBLISH", "t", "synced")
        assert stream.event().json["payload"] == "synced"
    with EventClient(node, "/pubsub/t/sse", Durability="none", Connection="close") as stream:
        assert stream.head() == 400 or stream.status == 422


def test_curl(node: Server) -> None:
    room(node, 3)
    done = subprocess.run(
        ["curl", "-sN", "--compressed", "--max-time", "0.5", f"http://127.0.0.1:{node.http_port}/stream/r/sse"],
        capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    assert done.returncode == 28  # the time is up: the stream has no end
    assert re.findall(r"^id: (\d+)\ndata: (.*)$", done.stdout, re.MULTILINE)[2][0] == "2"
