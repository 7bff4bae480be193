"""Retained messages of pub/sub: who gets them, how they are removed, and that they outlive a crash."""

import json
from collections.abc import Callable
from typing import Any

from tests.server.clients import Resp, Server
from tests.server.event_clients import EventClient
from tests.server.socket_clients import heard, opened, silent, told
from tests.support import Refusal

Serve = Callable[..., Server]


def publish(node: Server, topic: str, payload: Any, **more: Any) -> None:
    status, found = node.http("POST", f"/pubsub/{topic}/publish", {"payload": payload, "retain": True, **more})
    assert status == 200 and "error" not in found, found


def kept(client: Resp) -> list[Any]:
    return sorted(client.ask("RETAINED.LIST"))


def shown(messages: list[Any]) -> list[tuple[Any, Any]]:
    """Payload and whether it was retained."""
    return [(each["payload"], each.get("retained", False)) for each in messages]


def test_new_subscribers_get_what_is_retained(node: Server) -> None:
    with node.resp() as client:
        publish(node, "home.hall", {"t": 20}, metadata={"by": "x"})
        publish(node, "home.hall", {"t": 21.50}, metadata={"by": "y"})
        client.ask("PUBSUB.PUBLISH", "home.loft", "warm", "RETAIN")
        client.ask("PUBSUB.PUBLISH", "home.loft", "live only")
        publish(node, "else", "where")
        with opened(node, "/pubsub/ws?topics=home.*,home.hall&retained=true") as socket:
            heard(socket)
            found = sorted((heard(socket) for _ in range(2)), key=lambda each: str(each["topic"]))
            assert shown(found) == [({"t": 21.5}, True), ("warm", True)] and found[0]["metadata"] == {"by": "y"}
            publish(node, "home.hall", "new")
            assert shown([heard(socket)]) == [("new", False)]
            told(socket, command="subscribe", topics=["else"], retained=True)
            assert heard(socket)["type"] == "subscribed" and shown([heard(socket)]) == [("where", True)]
            told(socket, command="publish", topic="told", payload="by the socket", retain=True)
            told(socket, command="subscribe", topics=["home.*"])
            assert heard(socket)["type"] == "subscribed" and silent(socket, 0.02)
        with EventClient(node, "/pubsub/home.hall/sse?retained=true") as stream:
            stream.event()
            found = stream.event().json
            assert shown([found]) == [("new", True)] and stream.silent(0.02)
        with EventClient(node, "/pubsub/home.hall/sse") as stream:
            stream.event()
            assert stream.silent(0.02)
        path = "/pubsub/home.%2A/poll?subscriber_id=me&retained=true"
        first = node.http("GET", path)[1]["messages"]
        assert sorted(shown(first), key=str) == [("new", True), ("warm", True)]
        assert node.http("GET", path)[1]["messages"] == []  # only to one that subscribes
        assert node.http("GET", "/pubsub/home.hall/retained")[1]["message_id"] == found["message_id"]
        assert kept(client) == [b"else", b"home.hall", b"home.loft", b"told"]


def test_removal_and_refusals(node: Server) -> None:
    with node.resp() as client:
        for topic in "abc":
            publish(node, topic, topic)
        publish(node, "a", "")
        client.ask("PUBSUB.PUBLISH", "b", "", "RETAIN")
        assert node.http("DELETE", "/pubsub/c/retained")[1] == {"topic": "c", "removed": 1}
        assert node.http("DELETE", "/pubsub/c/retained")[1] == {"topic": "c", "removed": 0}
        assert node.http("GET", "/pubsub/c/retained")[1]["payload"] is None and kept(client) == []
        assert node.http("GET", "/pubsub/retained")[1] == {"topics": [], "count": 0}
        publish(node, "null", None)
        assert node.http("GET", "/pubsub/null/retained")[1]["message_id"]
        assert isinstance(client.ask("PUBSUB.PUBLISH", "x" * 5000, "m", "RETAIN"), Refusal)
        found = client.ask("PUBSUB.PUBLISH", "a", b"\xff", "METADATA", '{"k": 1}', "RETAIN")
        assert isinstance(found, Refusal) and kept(client) == [b"null"]  # metadata is an object of strings
        client.ask("PUBSUB.PUBLISH", "a", b"\xff", "RETAIN")
        assert client.ask("RETAINED.GET", "a")[3] == b"\xff"
        client.ask("MULTI")
        client.ask("PUBSUB.PUBLISH", "in", "a transaction", "RETAIN")
        client.ask("SET", "k", "v")
        client.ask("EXEC")
        client.ask("CONFIG", "SET", "maxmemory", "1")
        assert b"OOM" in client.ask("PUBSUB.PUBLISH", "more", "x" * 1000, "RETAIN").args[0].encode()
        client.ask("CONFIG", "SET", "maxmemory", "0")
        client.ask("FLUSHALL")
        assert kept(client) == [b"a", b"in", b"null"]  # they are no keys


def test_they_outlive_kill_and_snapshot(serve: Serve) -> None:
    server = serve().start()
    with server.resp() as client:
        publish(server, "a", {"n": 1}, metadata={"by": "x"})
        publish(server, "b", "old")
        publish(server, "b", "new")
        publish(server, "gone", "x")
        client.ask("RETAINED.DELETE", "gone")
        before = [client.ask("RETAINED.GET", topic) for topic in "ab"]
        digest = client.ask("DEBUG", "DIGEST")
    server.restart()
    for way in ("log", "snapshot"):
        with server.resp() as client:
            assert [client.ask("RETAINED.GET", topic) for topic in "ab"] == before, way
            assert kept(client) == [b"a", b"b"] and client.ask("DEBUG", "DIGEST") == digest
            assert server.http("POST", "/snapshot")[0] == 200
            with EventClient(server, "/pubsub/a/sse?retained=true") as stream:
                stream.event()
                found = json.loads(stream.event().data)
                assert (found["payload"], found["metadata"], found["retained"]) == ({"n": 1}, {"by": "x"}, True)
        server.restart()


def test_many_reach_a_slow_reader_in_pieces(serve: Serve) -> None:
    """More than the unread output that closes a connection, and more than the buffer of a subscriber."""
    server = serve({"pubsub.buffer_messages_max": 10, "limits.feed_output_bytes_max": "2mb"}).start()
    with server.resp() as client:
        for i in range(60):
            client.ask("PUBSUB.PUBLISH", f"many.{i}", str(i) * 100_000, "RETAIN")
        with EventClient(server, "/pubsub/many.%2A/sse?retained=true", receive_bytes=4096) as stream:
            stream.event()
            client.ask("PUBLISH", "many.1", "live")
            found = [stream.event().json for _ in range(61)]
            assert {each["topic"] for each in found[:60]} == {f"many.{i}" for i in range(60)}
            assert shown(found[60:]) == [("live", False)]


def test_a_poll_reads_no_more_retained_messages_than_fit(serve: Any) -> None:
    node = serve({"pubsub.buffer_messages_max": 3}).start()
    with node.resp() as client:
        client.ask_all(*[["PUBSUB.PUBLISH", f"t.{i}", i, "RETAIN"] for i in range(10)])
        found = node.http("GET", "/pubsub/t.%2A/poll?subscriber_id=me&retained=true")[1]
        assert (len(found["messages"]), found["lost"], found["position"]) == (3, 7, 3)
        client.ask("PUBLISH", "t.x", "new")
        found = node.http("GET", "/pubsub/poll?subscriber_id=me&after=3")[1]
        assert [each["payload"] for each in found["messages"]] == ["new"] and found["lost"] == 0
