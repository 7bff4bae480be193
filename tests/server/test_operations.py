"""`POST /api/stream`: what SDKs of other languages send, and the flat replies that they can read."""

from typing import Any

import pytest

from tests.server.clients import Server


def ask(server: Server, operation: Any, target: Any = None, data: Any = None, **more: Any) -> Any:
    status, found = server.http("POST", "/api/stream", {"operation": operation, "target": target, "data": data, **more})
    assert status == 200
    return found


@pytest.mark.parametrize("value", ["text", "7", '"quoted"', "null", "", 7, 1.5, None, True, {"a": [1]}, [1, "x"]])
def test_values_come_back_as_they_were(node: Server, value: Any) -> None:
    assert ask(node, "kv.set", "op:k", {"value": value}) == {"success": True}
    assert ask(node, "kv.get", "op:k") == ({} if value is None else {"value": value})  # null is as if missing


def test_keys(node: Server) -> None:
    ask(node, "kv.delete", "op:n")
    assert ask(node, "kv.get", "op:n") == {} and ask(node, "kv.exists", "op:n", [])["exists"] is False
    assert ask(node, "kv.incr", "op:n", {"delta": 5}) == {"value": 5} and ask(node, "kv.incr", "op:n") == {"value": 6}
    assert ask(node, "kv.decr", "op:n", {"delta": 2}) == {"value": 4}
    assert ask(node, "kv.scan", "op:n*", {"limit": 10})["keys"] == ["op:n"]
    assert "total_keys" in ask(node, "kv.stats", "*")
    assert ask(node, "kv.delete", "op:n") == {"deleted": True}
    ask(node, "kv.set", "op:t", {"value": "x"})
    assert "not a valid integer" in ask(node, "kv.incr", "op:t")["error"]
    assert ask(node, "set.add", "op:s", {"members": ["a", "b"]})["added"] == 2
    assert ask(node, "list.rpush", "op:l", {"values": ["a"]})["length"] >= 1


def test_queues(node: Server) -> None:
    ask(node, "queue.delete", "op-q")
    assert "error" not in ask(node, "queue.create", "op-q", {"max_size": 10, "message_ttl": 60})
    for message in ("text", "7", {"a": [1]}, 7, None):
        name = ask(node, "queue.publish", "op-q", {"message": message, "priority": 9, "max_retries": 1})["message_id"]
        found = ask(node, "queue.consume", "op-q", {"consumer_id": "w"})["message"]
        assert isinstance(found.pop("timestamp"), int)
        assert found == {"id": name, "payload": message, "priority": 9, "retries": 0, "max_retries": 1}
        assert "error" not in ask(node, "queue.ack", "op-q", {"message_id": name})
    assert ask(node, "queue.consume", "op-q", {}) == {}
    assert ask(node, "queue.stats", "op-q")["acked"] == 5 and "op-q" in ask(node, "queue.list")["queues"]
    assert ask(node, "queue.nack", "op-q", {"message_id": "x"}) == {"error": "Message not found: x"}


def test_rooms(node: Server) -> None:
    ask(node, "stream.delete_room", "op-r")
    assert "error" not in ask(node, "stream.create_room", "op-r")
    assert "already exists" in ask(node, "stream.create", "op-r", {"max_events": 5})["error"]
    for i, data in enumerate(("text", {"a": 1}, None)):
        assert ask(node, "stream.publish", "op-r", {"event": "e", "data": data})["offset"] == i
    events = ask(node, "stream.read", "op-r", {"offset": 1, "limit": 10})["events"]
    assert [(event["offset"], event["data"], event["room"]) for event in events] == [
        (1, {"a": 1}, "op-r"), (2, None, "op-r"),
    ]  # fmt: skip
    assert len(ask(node, "stream.consume", "op-r")["events"]) == 3
    assert ask(node, "stream.stats", "op-r")["message_count"] == 3 and "op-r" in ask(node, "stream.list_rooms")["rooms"]


def test_topics(node: Server) -> None:
    found = ask(node, "pubsub.subscribe", "op-me", {"topics": ["op.a"]})
    assert found["subscription_id"] == "op-me"
    sent = ask(node, "pubsub.publish", "op.a", {"topic": "op.a", "payload": {"x": 1}, "priority": 5, "headers": {}})
    assert sent["subscribers_matched"] == 1
    assert "op.a" in ask(node, "pubsub.list_topics")["topics"] and "total_topics" in ask(node, "pubsub.stats")
    assert ask(node, "pubsub.unsubscribe", "op-me", {"topics": ["op.a"]})["unsubscribed"] == 1


def test_what_is_wrong_is_said(node: Server) -> None:
    for operation, target, data in (
        (None, None, None), (7, None, None), ("", "", {}), ("no.such", "x", {}), ("kv.get", 7, {}), ("kv.get", "k", 7),
        ("kv.set", "k", {}), ("queue.publish", "none", {"message": 1}), ("kv.get", None, None),
    ):  # fmt: skip
        found = ask(node, operation, target, data)
        assert list(found) == ["error"] and found["error"], (operation, target, data)
    assert node.http("POST", "/api/stream", b"{")[0] == 400 and node.http("GET", "/api/stream")[0] == 405
    assert node.http("POST", "/api/stream", {}, {"Origin": "http://evil.example"})[0] == 403
