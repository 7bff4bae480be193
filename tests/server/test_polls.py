"""Long polls of pub/sub: nothing is lost between two polls, and what is lost is told."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from synap.engine.pubsub import PubSub
from synap.engine.subscribers import Limits
from tests.cases import check_all
from tests.server.clients import Server, eventually
from tests.server.event_clients import EventClient

Serve = Callable[..., Server]


def poll(server: Server, path: str) -> Any:
    status, found = server.http("GET", path)
    assert status == 200, found
    return found


def payloads(found: Any) -> list[Any]:
    return [each["payload"] for each in found["messages"]]


def test_polls_one_after_the_other(node: Server) -> None:
    with node.resp() as client:
        first = poll(node, "/pubsub/news.%2A/poll?subscriber_id=me")
        assert first == {"subscriber_id": "me", "created": True, "lost": 0, "position": 0, "messages": []}
        node.http("POST", "/pubsub/news.a/publish", {"payload": {"n": [1]}, "metadata": {"by": "x"}})
        client.ask("PUBLISH", "news.b", "two")
        client.ask("PUBLISH", "other", "not for me")
        found = poll(node, "/pubsub/news.%2A/poll?subscriber_id=me&wait=9")
        assert payloads(found) == [{"n": [1]}, "two"] and (found["created"], found["position"]) == (False, 2)
        assert found["messages"][0]["topic"] == "news.a" and found["messages"][0]["metadata"] == {"by": "x"}
        assert poll(node, "/pubsub/poll?subscriber_id=me")["messages"] == []
        for i in range(5):
            client.ask("PUBLISH", "news.c", i)
        assert payloads(poll(node, "/pubsub/poll?subscriber_id=me&limit=2")) == ["0", "1"]
        again = [poll(node, "/pubsub/poll?subscriber_id=me&after=5&limit=2") for _ in range(2)]
        assert [payloads(each) for each in again] == [["3", "4"]] * 2  # until they are named as received
        assert [each["position"] for each in again] == [7, 7]
        found = poll(node, "/pubsub/poll?subscriber_id=me&after=7")
        assert (payloads(found), found["position"]) == ([], 7)
        client.ask("PUBLISH", "news.c", "new")
        assert payloads(poll(node, "/pubsub/poll?subscriber_id=me&after=99")) == ["new"]  # of a server before
        node.http("POST", "/pubsub/subscribe", {"topics": ["a", "b"], "subscriber_id": "both"})
        client.ask("PUBLISH", "b", "between")
        assert payloads(poll(node, "/pubsub/poll?subscriber_id=both")) == ["between"]


def test_a_poll_waits(node: Server) -> None:
    with node.resp() as client:
        asked = "GET", "/pubsub/t/poll?subscriber_id=me&wait="
        found: list[Any] = []

        def wait(seconds: str) -> threading.Thread:
            thread = threading.Thread(target=lambda: found.append(poll(node, asked[1] + seconds)))
            thread.start()
            return thread

        begun = time.monotonic()
        wait("0.4").join(10)
        took = time.monotonic() - begun
        assert 0.3 < took < 9 and payloads(found[-1]) == [], took
        one = wait("30")
        eventually(lambda: client.ask("PUBSUB", "NUMSUB", "t")[1] == 1)
        one.join(0.3)
        assert one.is_alive()  # 30 are seconds
        client.ask("PUBLISH", "t", "now")
        one.join(10)
        assert payloads(found[-1]) == ["now"]
        one = wait("30")
        time.sleep(0.05)
        two = wait("30")  # the same subscriber again: the first poll ends
        one.join(10)
        assert payloads(found[-1]) == []
        client.ask("MULTI")
        client.ask("PUBLISH", "t", "a")
        client.ask("PUBLISH", "t", "b")
        client.ask("EXEC")
        two.join(10)
        got = payloads(found[-1]) + payloads(poll(node, "/pubsub/poll?subscriber_id=me"))
        assert got == ["a", "b"]
        with EventClient(node, asked[1] + "30"):
            time.sleep(0.05)
        time.sleep(0.05)
        client.ask("PUBLISH", "t", "kept")  # the client that waited has gone
        assert payloads(poll(node, "/pubsub/poll?subscriber_id=me")) == ["kept"]
        one = wait("30")
        time.sleep(0.05)
        node.http("POST", "/pubsub/unsubscribe", {"subscriber_id": "me"})
        one.join(10)
        assert payloads(found[-1]) == []
        envelope = {"command": "pubsub.poll", "payload": {"topic": "t", "wait": 30}}
        said = node.http("POST", "/api/v1/command", envelope)[1]["payload"]
        assert said["messages"] == [] and said["created"]  # the envelope never waits


def test_what_is_refused(node: Server) -> None:
    cases = {
        "/pubsub/poll": (404, "no such subscriber"),
        "/pubsub/poll?subscriber_id=none": (404, "no such subscriber"),
        f"/pubsub/t/poll?subscriber_id={'x' * 200}": (400, "at most 128"),
        "/pubsub/a.%23.b/poll": (200, "# wildcard"),
        "/pubsub/t/poll?limit=0": (400, "limit"),
        "/pubsub/t/poll?wait=x": (400, "wait"),
        "/pubsub/t/poll?after=-1": (400, "after"),
    }

    def check(path: str) -> None:
        status, found = node.http("GET", path)
        assert status in (cases[path][0], 422) and cases[path][1] in found["error"], (status, found)

    check_all(check, cases)
    with EventClient(node, "/pubsub/t/sse") as stream:
        name = stream.event().json["subscriber_id"]
        status, found = node.http("GET", f"/pubsub/poll?subscriber_id={name}")
        assert status in (400, 422) and "a connection" in found["error"]


def test_what_is_lost_is_counted() -> None:
    limits = Limits(messages=3, bytes=100, poll_idle_ms=1000, poll_bytes=150, unread=3)
    pubsub = PubSub(limits)

    def publish(now: int, *texts: bytes, channel: bytes = b"t") -> None:
        for text in texts:
            pubsub.publish(channel, text, b"", now)

    def take(box: Any, now: int, after: int | None = None) -> tuple[list[bytes], int]:
        found, lost, box.lost = [each.payload for each in pubsub.poll(box, after, 100, now)], box.lost, 0
        return found, lost

    box = pubsub.join([b"t"], 0, None, "a")
    publish(0, b"1", b"2", b"3", b"4")
    assert take(box, 0) == ([b"2", b"3", b"4"], 1)
    publish(0, b"x" * 60, b"y" * 60)
    assert take(box, 0) == ([b"y" * 60], 1)
    publish(0, b"z" * 500)  # one message may be larger than the limit on one buffer, but not than that on all
    assert take(box, 0) == ([], 1)
    publish(1000, b"in time")
    publish(1001, b"late")
    assert take(box, 1001) == ([], 2) and take(box, 1001) == ([], 0)
    publish(2000, b"kept again")
    assert take(box, 2000, 0) == ([b"kept again"], 0) and box.first == 10
    other = pubsub.join([b"u"], 2000, None, "b")
    publish(2000, b"u" * 90, channel=b"u")
    publish(2000, b"t" * 80)  # both together are too much: the one that has polled longest ago loses
    assert take(other, 2000) == ([b"u" * 90], 0) and take(box, 2000) == ([], 2)
    assert pubsub.polls.bytes == 0 and pubsub.messages_dropped == 7  # all that was told as lost
    publish(2000, b"v" * 90, channel=b"u")
    for name in ("c", "d"):
        pubsub.join([b"t"], 2000, None, name)
    assert "a" in pubsub.subscribers and "b" not in pubsub.subscribers and pubsub.polls.bytes == 0


@pytest.mark.parametrize("count", [200])
def test_memory_of_many_that_never_come_back(serve: Serve, count: int) -> None:
    server = serve({"persistence.enabled": "false", "pubsub.poll_bytes_max": "8mb"}).start()
    with server.resp() as client:
        for _ in range(count):
            server.http("GET", "/pubsub/t/poll")
        before = server.rss()
        for _ in range(300):
            client.ask("PUBLISH", "t", b"x" * 100_000)
        assert server.rss() - before < 32 << 20
