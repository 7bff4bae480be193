"""The sockets of queues and rooms, with the `websockets` library as client: what they say, and what they leave."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from tests.server.clients import Server, eventually
from tests.server.socket_clients import heard, opened, silent, told

Serve = Callable[..., Server]


def publish(server: Server, queue: str, text: str, **more: Any) -> str:
    status, found = server.http("POST", f"/queue/{queue}/publish", {"payload": list(text.encode()), **more})
    assert status == 200, found
    return str(found["message_id"])


def made(server: Server, queue: str, **options: Any) -> str:
    server.http("DELETE", f"/queue/{queue}")
    assert server.http("POST", f"/queue/{queue}", options) == (200, {"success": True, "queue": queue})
    return queue


def stats(server: Server, queue: str) -> dict[str, Any]:
    return dict(server.http("GET", f"/queue/{queue}/stats")[1])


# Queues.


def test_a_message_arrives_and_is_acknowledged(node: Server) -> None:
    queue = made(node, "ws-one")
    with opened(node, f"/queue/{queue}/ws/w1") as socket:
        assert heard(socket) == {"type": "connected", "queue": queue, "consumer_id": "w1"}
        begun = node.clock()
        name = publish(node, queue, "Hello", priority=7, headers={"trace": "x"})
        message = heard(socket)
        assert node.clock() - begun < 0.1
        assert {field: message[field] for field in ("type", "message_id", "priority", "retry_count", "headers")} == {
            "type": "message", "message_id": name, "priority": 7, "retry_count": 0, "headers": {"trace": "x"}
        }  # fmt: skip
        assert bytes(message["payload"]) == b"Hello" and abs(message["created_at"] - time.time()) < 5
        assert stats(node, queue)["pending"] == 1 and stats(node, queue)["consumers"] == 1
        told(socket, command="ack", message_id=name)
        eventually(lambda: stats(node, queue)["acked"] == 1)
    assert stats(node, queue)["pending"] == 0


def test_a_nack_brings_it_again_or_not(node: Server) -> None:
    queue = made(node, "ws-nack", default_max_retries=5)
    name = publish(node, queue, "again")
    with opened(node, f"/queue/{queue}/ws/w1") as socket:
        heard(socket)
        for retries in range(3):
            message = heard(socket)
            assert (message["message_id"], message["retry_count"]) == (name, retries)
            told(socket, command="nack", message_id=name, requeue=True)
        assert heard(socket)["retry_count"] == 3
        told(socket, command="nack", message_id=name, requeue=False, reply=True)
        assert heard(socket) == {"type": "nack", "message_id": name, "success": True}
        told(socket, command="ack", message_id=name, reply=True)
        assert heard(socket) == {"type": "ack", "message_id": name, "success": False}
        assert silent(socket)
    assert node.http("GET", f"/queue/{queue}/dead")[1]["messages"][0]["message_id"] == name


NOISE = [
    ("{", "not JSON"), ("", "not JSON"), ("\x00", "not JSON"), ("[" * 10_000, "nested too deeply"),
    ("9" * 5000, "not JSON"), ("[]", "wanted an object, found an array"), ("7", "an object, found a number"),
    ("null", "an object, found null"), ('{"command": "a", "c\\u006fmmand": "b"}', "wanted one value, found 2"),
    (b"\x00\xff", "a text message, found a binary one"), (b"", "a text message, found a binary one"),
]  # fmt: skip


def test_a_pause_and_waits_of_retries(node: Server) -> None:
    """A socket gets nothing from a paused queue; one that hangs up lets its message wait."""
    queue = made(node, "ws-pause", backoff="fixed", backoff_ms=1000)

    def pause(**options: bool) -> Any:
        return node.http("POST", f"/queue/{queue}/pause", options)[1]

    with opened(node, f"/queue/{queue}/ws/w1") as socket:
        heard(socket)
        assert pause() == {"success": True, "changed": True} and pause()["changed"] is False
        name = publish(node, queue, "first")
        later = publish(node, queue, "urgent", priority=9)
        assert silent(socket)
        peeked = node.http("GET", f"/queue/{queue}/peek?count=1")[1]["messages"]
        assert [each["message_id"] for each in peeked] == [later] and peeked[0]["receipt"] is None
        assert pause(resume=True)["changed"] is True
        assert [heard(socket)["message_id"] for _ in range(2)] == [later, name]
        told(socket, command="ack", message_id=later)
        eventually(lambda: stats(node, queue)["acked"] == 1)
    delayed = eventually(lambda: node.http("GET", f"/queue/{queue}/delayed")[1]["messages"])
    assert [(each["message_id"], each["retry_count"]) for each in delayed] == [(name, 1)]
    with opened(node, f"/queue/{queue}/ws/w2") as socket:
        heard(socket)
        assert heard(socket)["retry_count"] == 1
        told(socket, command="nack", message_id=name)
        eventually(lambda: stats(node, queue)["delayed"] == 1)
        cancelled = [node.http("POST", f"/queue/{queue}/cancel", {"message_id": name})[1] for _ in range(2)]
        assert cancelled == [{"success": True, "cancelled": True}, {"success": True, "cancelled": False}]
        assert silent(socket, 1.2)


@pytest.mark.parametrize("path", ["/queue/{}/ws/w1", "/stream/{}/ws/s1", "/pubsub/ws?topics={}"])
def test_what_is_no_command_is_told_so(node: Server, path: str) -> None:
    """Every message that is not understood has its answer, and the socket goes on."""
    name = made(node, "ws-noise")
    room_of(node, name)
    with opened(node, path.format(name)) as socket:
        assert heard(socket)["type"] == "connected"
        for noise, why in NOISE:
            socket.send(noise)
            answer = heard(socket)
            assert answer["type"] == "error" and why in answer["error"], noise
        for noise in ('{"command": "drop"}', "{}", '{"command": 7}', '{"command": 1e400}', '{"type": "ping"}'):
            socket.send(noise)
            assert heard(socket)["type"] == "error", noise


@pytest.mark.parametrize(("frame", "why"), [
    ({"command": "ack"}, "'message_id': wanted a string, found null"),
    ({"command": "ack", "message_id": 7}, "'message_id': wanted a string, found a number"),
    ({"command": "nack", "message_id": "x", "requeue": "no"}, "'requeue': wanted a boolean, found a string"),
    ({"command": "ack", "message_id": "x", "reply": 1}, "'reply': wanted a boolean, found a number"),
    ({"command": "nack", "message_id": "x", "reason": 0}, "'reason': wanted a string, found a number"),
    ({"command": "ack", "message_id": "no such"}, "Message not found: no such"),
    ({"command": "nack", "message_id": "no such"}, "Message not found: no such"),
])  # fmt: skip
def test_what_a_queue_refuses_is_told(node: Server, frame: dict[str, Any], why: str) -> None:
    queue = made(node, "ws-refused")
    with opened(node, f"/queue/{queue}/ws/w1") as socket:
        heard(socket)
        told(socket, **frame)
        answer = heard(socket)
        assert answer["type"] == "error" and why in answer["error"], answer
        publish(node, queue, "still here")
        assert bytes(heard(socket)["payload"]) == b"still here"


def test_a_late_ack_settles_no_lease_of_another(node: Server) -> None:
    queue = made(node, "ws-late", ack_deadline_ms=1000)
    with opened(node, f"/queue/{queue}/ws/slow") as slow:
        heard(slow)
        publish(node, queue, "job")
        name = heard(slow)["message_id"]
        again = heard(slow)  # its own lease has run out: the message comes again
        assert again["message_id"] == name and again["retry_count"] == 1
        told(slow, command="nack", message_id=name)
        assert heard(slow)["retry_count"] == 2  # at once: the lease in force is its own again
    with node.resp() as client:
        taken = client.ask("QUEUE.CONSUME", queue, "other", "WAIT", 5)
        assert taken[1].decode() == name
        for words in (["CONSUMER", "slow"], ["CONSUMER", ""], ["CONSUMER", "others"]):
            for command in ("QUEUE.ACK", "QUEUE.NACK"):
                assert b"no such message is pending" in str(client.ask(command, queue, name, *words)).encode(), words
        assert node.http("POST", f"/queue/{queue}/ack", {"message_id": name, "consumer_id": "slow"})[0] == 404
        assert client.ask("QUEUE.ACK", queue, name, "CONSUMER", "other") == b"OK"
        assert "pending" in str(client.ask("QUEUE.ACK", queue, name))


def test_backlog_in_order_and_priorities(node: Server) -> None:
    queue = made(node, "ws-order")
    for i in range(300):
        publish(node, queue, str(i), priority=i % 10)
    wanted = sorted(range(300), key=lambda i: (-(i % 10), i))
    with opened(node, f"/queue/{queue}/ws/w1") as socket:
        heard(socket)
        assert [int(bytes(heard(socket)["payload"])) for _ in range(300)] == wanted


def test_two_consumers_share_and_nothing_comes_twice(node: Server) -> None:
    queue = made(node, "ws-share")
    more = {"max_queue": None}  # who closes last gets what the other held: unread, it would hold up the close for 10 s
    with (
        opened(node, f"/queue/{queue}/ws/a", **more) as one,
        opened(node, f"/queue/{queue}/ws/b", **more) as other,
    ):
        heard(one), heard(other)
        names = {publish(node, queue, str(i)) for i in range(100)}
        found: dict[str, list[str]] = {"a": [], "b": []}

        def read(socket: ClientConnection, mine: list[str]) -> None:
            while True:
                try:
                    mine.append(heard(socket, 1)["message_id"])
                except TimeoutError:
                    return

        threads = [threading.Thread(target=read, args=(s, found[n])) for s, n in ((one, "a"), (other, "b"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found["a"] + found["b"]) == sorted(names)
    assert len(found["a"]) == len(found["b"]) == 50  # they take turns


@pytest.mark.parametrize("how", ["closed", "gone"])
def test_what_it_held_goes_to_others_at_once(node: Server, how: str) -> None:
    queue = made(node, f"ws-{how}", ack_deadline_secs=3600)
    names = [publish(node, queue, str(i)) for i in range(3)]
    with opened(node, f"/queue/{queue}/ws/other") as other:
        heard(other)
        with opened(node, f"/queue/{queue}/ws/w1?prefetch=1") as first:
            heard(first)
            held = [heard(other)["message_id"] for _ in range(3)]
            assert held == names
            told(other, command="nack", message_id=names[0])
            mine = heard(first)["message_id"] if silent(other) else ""
            assert mine in ("", names[0])
            if how == "gone":
                first.socket.close()
        if mine:
            again = heard(other)
            assert (again["message_id"], again["retry_count"]) == (names[0], 2)
    eventually(lambda: stats(node, queue)["depth"] == 3)
    assert stats(node, queue)["pending"] == 0 == stats(node, queue)["consumers"]


def test_prefetch_holds_the_next_ones_back(node: Server) -> None:
    queue = made(node, "ws-prefetch")
    for i in range(5):
        publish(node, queue, str(i))
    with opened(node, f"/queue/{queue}/ws/w1?prefetch=2") as socket:
        heard(socket)
        first, second = heard(socket), heard(socket)
        assert silent(socket)
        told(socket, command="ack", message_id=second["message_id"])
        assert bytes(heard(socket)["payload"]) == b"2" and silent(socket)
        assert node.http("POST", f"/queue/{queue}/ack", {"message_id": first["message_id"]})[0] == 200


def test_a_receipt_names_the_message(node: Server) -> None:
    """In acks, nacks and renewals, which free a place among the prefetched, or keep it."""
    queue = made(node, "ws-receipts")
    for payload in "abc":
        publish(node, queue, payload)
    with opened(node, f"/queue/{queue}/ws/w1?prefetch=1") as socket:
        heard(socket)
        told(socket, command="ack", message_id=heard(socket)["receipt"])
        receipt = heard(socket)["receipt"]
        told(socket, command="renew", message_id=receipt, reply=True)
        assert heard(socket)["success"] and silent(socket)
        told(socket, command="nack", message_id=receipt, requeue=False, reason="no such address")
        assert bytes(heard(socket)["payload"]) == b"c"
    (dead,) = node.http("GET", f"/queue/{queue}/dead")[1]["messages"]
    (failure,) = dead["history"]
    assert (failure["cause"], failure["consumer_id"], failure["reason"]) == ("nack", "w1", "no such address")


def test_a_queues_own_prefetch_limit(node: Server) -> None:
    queue = made(node, "ws-limit", prefetch_limit=1)
    for i in range(3):
        publish(node, queue, str(i))
    with opened(node, f"/queue/{queue}/ws/w1") as socket:
        heard(socket)
        for i in range(3):
            message = heard(socket)
            assert bytes(message["payload"]) == str(i).encode() and silent(socket, 0.05)
            told(socket, command="ack", message_id=message["message_id"])


def test_a_lease_that_runs_out_comes_again(node: Server) -> None:
    queue = made(node, "ws-deadline", ack_deadline_ms=200)
    name = publish(node, queue, "slow")
    with opened(node, f"/queue/{queue}/ws/w1") as socket:
        heard(socket)
        first = heard(socket)
        begun = time.perf_counter()
        again = heard(socket)
        assert 0.1 < time.perf_counter() - begun < 2
        assert first["message_id"] == again["message_id"] == name and again["retry_count"] == 1


def test_a_lease_is_renewed(node: Server) -> None:
    queue = made(node, "ws-renew", ack_deadline_ms=1500)
    first, second = publish(node, queue, "renewed"), publish(node, queue, "left")
    with opened(node, f"/queue/{queue}/ws/w1?prefetch=2") as socket:
        heard(socket)
        before = [heard(socket) for _ in range(2)]
        assert [each["message_id"] for each in before] == [first, second]
        for _ in range(4):
            time.sleep(0.4)
            told(socket, command="renew", message_id=first, reply=True)
            while (answer := heard(socket))["type"] == "message":
                assert answer["message_id"] == second and answer["retry_count"] == 1, "nobody has renewed it"
            assert answer.pop("deadline") >= before[0]["deadline"]
            assert answer == {"type": "renew", "message_id": first, "success": True}
        told(socket, command="ack", message_id=first, reply=True)
        while (answer := heard(socket))["type"] == "message":
            assert answer["message_id"] == second
        assert answer == {"type": "ack", "message_id": first, "success": True}
        told(socket, command="renew", message_id=first)
        while (answer := heard(socket))["type"] == "message":
            assert answer["message_id"] == second
        assert (answer["type"], answer["command"], answer["message_id"]) == ("error", "renew", first)


def test_a_queue_that_is_made_later_and_delayed_messages(node: Server) -> None:
    node.http("DELETE", "/queue/ws-later")
    with opened(node, "/queue/ws-later/ws/w1") as socket:
        heard(socket)
        assert silent(socket, 0.05)
        made(node, "ws-later")
        begun = time.perf_counter()
        publish(node, "ws-later", "x", delay=0.3)
        heard(socket)
        assert 0.29 < time.perf_counter() - begun < 1


def test_a_slow_consumer_costs_no_memory(node: Server) -> None:
    queue, count = made(node, "ws-slow", max_depth=100_000), 4_000  # 145 MB of JSON
    with node.resp() as client:
        client.ask_all(*(["QUEUE.PUBLISH", queue, "x" * 10_000] for _ in range(count)))
    with opened(node, f"/queue/{queue}/ws/w1", max_size=None, max_queue=1) as socket:
        before = node.rss()
        time.sleep(0.5)
        assert node.rss() - before < 40 << 20
        assert stats(node, queue)["depth"] > 1000  # it is not given what it does not read
        heard(socket)
        for _ in range(count):
            heard(socket)


def test_wrong_parameters(node: Server) -> None:
    for path in ("/queue/q/ws/w?prefetch=x", "/queue/q/ws/w?prefetch=-1", "/stream/r/ws/s?from_offset=1e3"):
        with pytest.raises(InvalidStatus) as refused, opened(node, path):
            pass
        assert refused.value.response.status_code == 400
        assert b"wanted a whole number" in (refused.value.response.body or b"")


# Rooms.


def room_of(server: Server, room: str, **options: Any) -> str:
    server.http("DELETE", f"/stream/{room}")
    assert server.http("POST", f"/stream/{room}", options) == (200, {"success": True, "room": room})
    return room


def say(server: Server, room: str, *data: Any) -> None:
    for each in data:
        assert server.http("POST", f"/stream/{room}/publish", {"event": "said", "data": each})[0] == 200


def test_events_live_and_from_an_offset(node: Server) -> None:
    room = room_of(node, "ws-room")
    say(node, room, "one", {"two": [2]}, 3, None)
    with opened(node, f"/stream/{room}/ws/s1?from_offset=1") as socket:
        assert heard(socket) == {"type": "connected", "room": room, "subscriber_id": "s1", "from_offset": 1}
        first = heard(socket)
        assert abs(first.pop("timestamp") - time.time()) < 5
        assert first == {"type": "event", "offset": 1, "event": "said", "data": {"two": [2]}}
        assert [heard(socket)["data"] for _ in range(2)] == [3, None]
        begun = node.clock()
        say(node, room, "live")
        assert heard(socket)["data"] == "live" and node.clock() - begun < 0.1
        told(socket, anything="is refused")
        assert heard(socket)["type"] == "error"
        say(node, room, "still")
        assert heard(socket)["offset"] == 5


def test_bytes_that_are_no_text(node: Server) -> None:
    room = room_of(node, "ws-bytes")
    with node.resp() as client, opened(node, f"/stream/{room}/ws/s1") as socket:
        heard(socket)
        client.ask("STREAM.PUBLISH", room, "e", b"\xff\x00", b'{"a": 1}')
        assert [heard(socket)["data"] for _ in range(2)] == [[255, 0], '{"a": 1}']


def test_many_subscribers_and_a_backlog(node: Server) -> None:
    room = room_of(node, "ws-many")
    with node.resp() as client:
        client.ask("STREAM.PUBLISH", room, "e", *range(2_500))
        with opened(node, f"/stream/{room}/ws/a") as one, opened(node, f"/stream/{room}/ws/b?from_offset=2400") as two:
            heard(one), heard(two)
            client.ask("STREAM.PUBLISH", room, "e", "last")
            assert [heard(one)["offset"] for _ in range(2_501)] == list(range(2_501))
            assert [heard(two)["offset"] for _ in range(101)] == list(range(2_400, 2_501))
    assert node.http("GET", f"/stream/{room}/stats")[1]["subscriber_count"] == 2


def test_a_gap_is_told(node: Server) -> None:
    room = room_of(node, "ws-gap", max_events=10)
    say(node, room, *range(30))
    with opened(node, f"/stream/{room}/ws/s1?from_offset=5") as socket:
        heard(socket)
        assert heard(socket) == {"type": "gap", "requested": 5, "earliest": 20}
        assert [heard(socket)["offset"] for _ in range(10)] == list(range(20, 30))
    with opened(node, f"/stream/{room}/ws/s2") as socket:
        heard(socket)
        assert heard(socket)["offset"] == 20


@pytest.mark.parametrize("ahead", [2, 5, 1 << 40])
def test_an_offset_behind_the_end_is_a_gap(node: Server, ahead: int) -> None:
    """A room was made anew, and its reader goes on where it was: nothing of the new one is passed over in silence."""
    room = room_of(node, f"ws-anew-{ahead}")
    say(node, room, "first")
    with opened(node, f"/stream/{room}/ws/s1?from_offset={1 + ahead}") as socket:
        heard(socket)
        assert heard(socket) == {"type": "gap", "requested": 1 + ahead, "earliest": 0}
        assert heard(socket)["data"] == "first"
        say(node, room, *range(7))
        assert [heard(socket)["data"] for _ in range(7)] == list(range(7))
    with opened(node, f"/stream/{room}/ws/s2?from_offset=8") as socket:  # the end itself is no gap
        heard(socket)
        say(node, room, "next")
        assert heard(socket)["offset"] == 8
    refused = {"error": "Invalid request: the offset is not held, the earliest is 0, the next is 9", "code": 400}
    assert node.http("GET", f"/stream/{room}/consume/s3?from_offset=10") == (400, refused)
    assert node.http("GET", f"/stream/{room}/consume/s3?from_offset=9")[0] == 200
    with node.resp() as client:
        told = client.ask("STREAM.CONSUME", room, "s4", "FROM", 10)
        assert str(told) == "OFFSETGONE the offset is not held, the earliest is 0, the next is 9"


def test_a_room_that_is_missing_or_goes(node: Server) -> None:
    node.http("DELETE", "/stream/ws-none")
    with opened(node, "/stream/ws-none/ws/s1") as socket:
        heard(socket)
        assert heard(socket) == {"type": "error", "error": "Invalid request: Room 'ws-none' not found"}
        with pytest.raises(ConnectionClosed):
            heard(socket)
    room = room_of(node, "ws-goes")
    with opened(node, f"/stream/{room}/ws/s1") as socket:
        heard(socket)
        node.http("DELETE", f"/stream/{room}")
        assert heard(socket)["type"] == "error"
        with pytest.raises(ConnectionClosed):
            heard(socket)


def test_a_slow_subscriber_is_fed_as_it_reads(node: Server) -> None:
    room = room_of(node, "ws-slow-room", max_events=0)
    with node.resp() as client, opened(node, f"/stream/{room}/ws/s1", max_queue=1) as socket:
        heard(socket)
        for _ in range(50):
            client.ask("STREAM.PUBLISH", room, "e", *["x" * 10_000] * 100)
        before = node.rss()
        client.ask("PING")
        assert [heard(socket)["offset"] for _ in range(5_000)] == list(range(5_000))
        assert node.rss() - before < 40 << 20


# Topics.


def cast(server: Server, topic: str, payload: Any, **more: Any) -> dict[str, Any]:
    status, found = server.http("POST", f"/pubsub/{topic}/publish", {"payload": payload, **more})
    assert status == 200, found
    return dict(found)


def test_a_topic_reaches_its_socket(node: Server) -> None:
    with opened(node, "/pubsub/ws?topics=ws.one,,ws.*.live") as socket:
        welcome = heard(socket)
        assert welcome["type"] == "connected" and welcome["topics"] == ["ws.one", "ws.*.live"]
        assert welcome["subscription_count"] == 2 and len(welcome["subscriber_id"]) == 36
        begun = node.clock()
        sent = cast(node, "ws.one", {"n": [1, None]}, metadata={"by": "test"})
        found = heard(socket)
        assert node.clock() - begun < 0.1 and sent["subscribers_matched"] == 1
        assert abs(found.pop("timestamp") - time.time()) < 5
        assert found == {
            "type": "message", "message_id": sent["message_id"], "topic": "ws.one", "payload": {"n": [1, None]},
            "metadata": {"by": "test"},
        }  # fmt: skip
        assert cast(node, "ws.a.b.live", 1)["subscribers_matched"] == 0
        cast(node, "ws.a.live", "text")
        assert heard(socket)["payload"] == "text" and silent(socket, 0.05)


def test_one_copy_however_many_patterns(node: Server) -> None:
    with opened(node, "/pubsub/ws?topics=wx.%23,wx.a,wx.*") as one, opened(node, "/pubsub/ws?topics=wx.a") as other:
        heard(one), heard(other)
        assert cast(node, "wx.a", 1)["subscribers_matched"] == 2
        assert heard(one)["payload"] == heard(other)["payload"] == 1 and silent(one, 0.05)
        assert cast(node, "wx", 2)["subscribers_matched"] == 1 and heard(one)["topic"] == "wx"


def test_the_topics_of_an_open_socket_change(node: Server) -> None:
    with opened(node, "/pubsub/ws?topics=wc.a") as socket:
        heard(socket)
        told(socket, command="subscribe", topics=["wc.b", "wc.c.*"])
        assert heard(socket) == {"type": "subscribed", "topics": ["wc.b", "wc.c.*"], "subscription_count": 3}
        told(socket, command="unsubscribe", topics=["wc.a"])
        assert heard(socket)["subscription_count"] == 2
        told(socket, command="publish", topic="wc.a", payload=1)
        told(socket, command="publish", topic="wc.b", payload={"x": 1}, metadata={"a": "b"}, reply=True)
        frames = sorted([heard(socket), heard(socket)], key=lambda frame: str(frame["type"]))
        assert [frame["type"] for frame in frames] == ["message", "published"]
        assert frames[0]["payload"] == {"x": 1} and frames[0]["metadata"] == {"a": "b"}
        assert frames[1]["subscribers_matched"] == 1
        for wrong in ({"topics": []}, {"topics": ["a.#.b"]}, {"topics": "a"}, {}):
            told(socket, command="subscribe", **wrong)
            assert heard(socket)["type"] == "error"
        told(socket, command="publish", topic="wc.b")
        assert heard(socket)["type"] == "error"


def test_a_bad_pattern_and_no_topics(node: Server) -> None:
    with opened(node, "/pubsub/ws?topics=a.%23.b") as socket:
        assert "# wildcard must be at the end" in heard(socket)["error"]
        with pytest.raises(ConnectionClosed):
            heard(socket)
    for path, status in (("/pubsub/ws", 400), ("/pubsub/ws?topics=,", 400), ("/kv/ws", 400), ("/kv/ws?keys=,", 400)):
        with pytest.raises(InvalidStatus) as refused, opened(node, path):
            pass
        assert refused.value.response.status_code == status


def test_subscriptions_end_with_their_socket(node: Server) -> None:
    def count() -> int:
        return int(node.http("GET", "/pubsub/we.one/info")[1].get("subscriber_count", 0))

    with opened(node, "/pubsub/ws?topics=we.one") as one, opened(node, "/pubsub/ws?topics=we.one,we.%23") as other:
        heard(one), heard(other)
        assert count() == 2
    eventually(lambda: count() == 0)
    assert cast(node, "we.one", 1)["subscribers_matched"] == 0


def test_redis_clients_and_sockets_hear_each_other(node: Server) -> None:
    with node.resp() as client, opened(node, "/pubsub/ws?topics=wr.*") as socket:
        heard(socket)
        client.ask("SUBSCRIBE", "wr.x")
        assert cast(node, "wr.x", "hi")["subscribers_matched"] == 2
        assert client.read() == [b"message", b"wr.x", b"hi"] and heard(socket)["payload"] == "hi"
        with node.resp() as other:
            assert other.ask("PUBLISH", "wr.x", b"\xff\x00") == 2
        assert heard(socket)["payload"] == "<binary data: 2 bytes>"


def test_a_reader_that_stops_is_dropped_alone(node: Server) -> None:
    before = node.http("GET", "/pubsub/stats")[1]["slow_consumers_dropped"]
    plain = {"max_size": None, "compression": None}
    with opened(node, "/pubsub/ws?topics=wd.%23", max_queue=1, **plain) as slow:
        with opened(node, "/pubsub/ws?topics=wd.%23", **plain) as quick:
            heard(slow), heard(quick)
            memory = node.rss()
            with node.resp() as client:
                for _ in range(4_000):
                    client.ask("PUBLISH", "wd.a", "x" * 10_000)
                    heard(quick)
            assert node.rss() - memory < 60 << 20
            eventually(lambda: node.http("GET", "/pubsub/stats")[1]["slow_consumers_dropped"] == before + 1)
            with pytest.raises(ConnectionClosed):
                for _ in range(4_000):
                    heard(slow)


# Pauses.


def test_a_pause_holds_deliveries_and_acknowledgements(node: Server) -> None:
    queue = made(node, "ws-paused")
    with opened(node, f"/queue/{queue}/ws/w1") as socket, node.resp() as admin:
        heard(socket)
        first = publish(node, queue, "first")
        assert heard(socket)["message_id"] == first
        assert admin.ask("CLIENT", "PAUSE", 60_000, "WRITE") == b"OK"
        told(socket, command="ack", message_id=first, reply=True)
        assert silent(socket) and stats(node, queue)["acked"] == 0
        assert admin.ask("CLIENT", "UNPAUSE") == b"OK"
        assert heard(socket) == {"type": "ack", "message_id": first, "success": True}
    with opened(node, f"/queue/{queue}/ws/w1") as socket, node.resp() as admin, node.resp() as other:
        heard(socket)
        publish(node, queue, "second", delay=0.15)
        assert admin.ask("CLIENT", "PAUSE", 60_000, "WRITE") == b"OK"
        assert silent(socket, 0.4)  # the delay ends during the pause
        assert other.ask("PING") == b"PONG" and admin.ask("CLIENT", "UNPAUSE") == b"OK"
        assert bytes(heard(socket)["payload"]) == b"second"


def test_a_pause_of_writes_leaves_rooms_and_topics(node: Server) -> None:
    room = room_of(node, "ws-paused-room")
    say(node, room, "one")
    with node.resp() as admin:
        assert admin.ask("CLIENT", "PAUSE", 60_000, "WRITE") == b"OK"
        with opened(node, f"/stream/{room}/ws/s1") as socket, opened(node, "/pubsub/ws?topics=paused.*") as topic:
            assert [heard(socket)["type"] for _ in range(2)] == ["connected", "event"]
            assert heard(topic)["type"] == "connected"
            told(topic, command="publish", topic="paused.x", payload=1, reply=True)
            assert silent(topic), "as in Redis, PUBLISH waits"
            assert admin.ask("CLIENT", "UNPAUSE") == b"OK"
            assert {heard(topic)["type"], heard(topic)["type"]} == {"message", "published"}
            assert admin.ask("CLIENT", "PAUSE", 800) == b"OK"
            told(topic, command="subscribe", topics=["more"])
            assert silent(topic) and heard(topic)["type"] == "subscribed"


def test_a_stop_leaves_what_a_consumer_holds(serve: Serve) -> None:
    """A stop is no failed delivery: the lease goes on, and nothing is written behind the end of the log."""
    server = serve({"persistence.enabled": "true"}).start()
    queue = made(server, "ws-stopped", ack_deadline_secs=2)
    with opened(server, f"/queue/{queue}/ws/w1") as socket:
        heard(socket)
        publish(server, queue, "held")
        assert heard(socket)["type"] == "message"
        assert server.stop() == 0
    assert "Traceback" not in server.said() and "Exception" not in server.said()
    server.start()
    with server.resp() as client:
        assert b"held" in client.ask("QUEUE.CONSUME", queue, "w2", "WAIT", 20)
    assert stats(server, queue)["consumed"] == 2 and stats(server, queue)["nacked"] == 1


def test_a_pause_of_writes_ends_no_lease(node: Server) -> None:
    """Nothing changes during a pause of writes: a call that waits for a message gets it when the pause is over."""
    queue = made(node, "paused-lease")
    publish(node, queue, "one", delay=0.3)
    with node.resp() as admin, node.resp() as waiting:
        waiting.send("QUEUE.CONSUME", queue, "w1", "WAIT", 20_000)
        eventually(lambda: b"flags=b" in admin.ask("CLIENT", "LIST"))
        assert admin.ask("CLIENT", "PAUSE", 60_000, "WRITE") == b"OK"
        time.sleep(0.6)
        assert stats(node, queue)["consumed"] == 0
        assert admin.ask("CLIENT", "UNPAUSE") == b"OK"
        assert b"one" in waiting.read()
