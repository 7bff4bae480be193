"""WebSockets that are members of a consumer group: they join, share partitions, commit, and leave when they close."""

import time
from collections.abc import Callable
from typing import Any

from tests.cases import check_all
from tests.server.clients import Resp, Server, eventually
from tests.server.event_clients import EventClient
from tests.server.socket_clients import heard, opened, silent, told
from tests.server.sockets import RawSocket
from tests.support import Refusal

Serve = Callable[..., Server]
GROUP = "/topics/t/ws?group=g"


def prepare(client: Resp, partitions: int = 2, session_ms: int = 30_000) -> None:
    client.ask("TOPIC.CREATE", "t", "PARTITIONS", partitions)
    client.ask("GROUP.CREATE", "g", "t", partitions, "STRATEGY", "STICKY", "SESSION", session_ms)


def publish(client: Resp, partition: int, *data: str) -> None:
    for each in data:
        client.ask("TOPIC.PUBLISH", "t", "e", each, "PARTITION", partition)


def said(socket: Any, *names: str) -> Any:
    """The next message, as a tuple of its type and these of its members."""
    frame = heard(socket)
    assert frame["type"] != "error" or "error" in names, frame
    return (frame["type"], *(frame[name] for name in names))


def test_members_share_and_hand_over(node: Server) -> None:
    with node.resp() as client:
        prepare(client)
        publish(client, 0, "a", "b")
        publish(client, 1, "x")
        with opened(node, f"{GROUP}&member=one") as one:
            assert heard(one) == {"type": "connected", "topic": "t", "group": "g", "member": "one"}
            assert heard(one) == {"type": "assigned", "generation": 1, "partitions": [0, 1]}
            assert [said(one, "data") for _ in range(3)] == [("record", "a"), ("record", "b"), ("record", "x")]
            told(one, command="commit", partition_id=1, offset=0, reply=True)
            assert heard(one) == {"type": "commit", "partition_id": 1, "offset": 0, "success": True}
            told(one, command="commit", partition_id=0, offset=2)
            with opened(node, GROUP) as two:
                name = heard(two)["member"]
                assert len(name) == 36
                kept, given = (heard(socket)["partitions"] for socket in (one, two))
                assert kept == [0] and given == [1]
                assert said(two, "partition_id", "data") == ("record", 1, "x")  # from the committed offset on
                told(one, command="commit", partition_id=1, offset=1)
                assert said(one, "error", "partition_id") == ("error", "the partition belongs to another member", 1)
                publish(client, 0, "c")
                assert said(one, "offset", "data") == ("record", 2, "c") and silent(two, 0.02)  # it goes on
                told(two, command="commit", partition_id=1, offset=1, generation=2)
                told(two, command="commit", partition_id=1, offset=7, generation=1, reply=True)
                assert said(two, "error") == ("error", "the group has another generation")
            assert said(one, "generation", "partitions") == ("assigned", 3, [0, 1])
            publish(client, 1, "y")
            assert said(one, "partition_id", "data") == ("record", 1, "y")
        eventually(lambda: client.ask("GROUP.STATS", "g")[5] == 0)


def test_what_is_refused(node: Server) -> None:
    with node.resp() as client:
        prepare(client)
        client.ask("GROUP.CREATE", "other", "u", 2)
        cases: dict[str, str] = {
            "/topics/t/ws?group=none": "Consumer group 'none' not found",
            "/topics/none/ws?group=g": "Topic 'none' not found",
            "/topics/t/ws?group=other": "a group of the topic 't'",
            f"{GROUP}&session_ms=0": "session_ms",
        }

        def check(path: str) -> None:
            with opened(node, path) as socket:
                assert cases[path] in heard(socket)["error"]

        check_all(check, cases)
        with EventClient(node, "/topics/t/sse?group=g", Connection="close") as stream:
            assert stream.head() == 400 and b"a WebSocket" in stream.body()
        with opened(node, GROUP) as socket:
            assert [heard(socket)["type"] for _ in range(2)] == ["connected", "assigned"]
            for frame, text in (
                ({"command": "commit", "partition_id": 9, "offset": 1}, "Partition 9 not found"),
                ({"command": "commit", "partition_id": 0, "offset": -1}, "offset"),
                ({"command": "commit", "partition_id": 0}, "offset"),
                ({"command": "commit", "partition_id": "x", "offset": 1}, "partition_id"),
                ({"command": "ack"}, "commit"),
            ):
                told(socket, **frame)
                assert text in said(socket, "error")[1], frame
            client.ask("GROUP.DELETE", "g")
            assert "not found" in said(socket, "error")[1]


def test_a_second_connection_takes_the_place(node: Server) -> None:
    with node.resp() as client:
        prepare(client)
        with opened(node, f"{GROUP}&member=one") as old:
            assert [heard(old)["type"] for _ in range(2)] == ["connected", "assigned"]
            with opened(node, f"{GROUP}&member=one") as new:
                assert said(old, "error") == ("error", "another connection has joined as this member")
                assert [heard(new)["type"] for _ in range(2)] == ["connected", "assigned"]
                publish(client, 0, "a")
                assert said(new, "data") == ("record", "a")
                assert client.ask("GROUP.STATS", "g")[5:8:2] == [1, 1]  # one member, and nothing was rebalanced
                client.ask("GROUP.LEAVE", "g", "one")
                assert said(new, "error")[1].startswith("Invalid request: Member one not found")
        assert client.ask("GROUP.STATS", "g")[5] == 0


def test_a_session_goes_on_while_the_peer_answers(node: Server) -> None:
    with node.resp() as client:
        prepare(client, session_ms=300)
        with opened(node, GROUP) as socket, RawSocket(node.http_port, f"{GROUP}&member=silent"):
            heard(socket), heard(socket)
            members = {client.ask("GROUP.STATS", "g")[5]}
            begun = time.monotonic()
            while time.monotonic() - begun < 0.8:
                members.add(client.ask("GROUP.STATS", "g")[5])
                time.sleep(0.02)
            # The `websockets` client answers pings by itself; the raw one never does, so its session ends.
            assert members == {2, 1} and client.ask("GROUP.STATS", "g")[5] == 1
            assert said(socket, "generation", "partitions")[2] == [0]
            assert said(socket, "generation", "partitions")[2] == [0, 1]


def test_a_member_outlives_the_server(serve: Serve) -> None:
    """Killed or stopped: the session goes on, and the member that is back in time keeps its partitions."""
    server = serve().start()
    with server.resp() as client:
        prepare(client, session_ms=60_000)
        publish(client, 0, "a")
    for end in (server.kill9, server.stop):
        with opened(server, f"{GROUP}&member=one") as socket:
            assert heard(socket)["type"] == "connected" and said(socket, "generation", "partitions") == (
                "assigned", 1, [0, 1])  # fmt: skip
            assert said(socket, "data") == ("record", "a")
            end()
        server.start()
    with server.resp() as client:
        assert client.ask("GROUP.STATS", "g")[5:8:2] == [1, 1]


def test_gaps_growth_and_latest(node: Server) -> None:
    with node.resp() as client:
        client.ask("TOPIC.CREATE", "t", "PARTITIONS", 1, "MAXMESSAGES", 2)
        client.ask("GROUP.CREATE", "g", "t", 2)
        publish(client, 0, *"abcd")
        client.ask("GROUP.COMMIT", "g", 0, 1)
        with opened(node, GROUP) as socket:
            heard(socket)
            assert said(socket, "partitions") == ("assigned", [0, 1])
            assert said(socket, "requested", "earliest") == ("gap", 1, 2)
            assert [said(socket, "offset")[1] for _ in range(2)] == [2, 3]
            client.ask("TOPIC.GROW", "t", 2)
            publish(client, 1, "grown")
            assert said(socket, "partition_id", "data") == ("record", 1, "grown")
        with opened(node, f"{GROUP}&from=latest") as socket:
            assert [heard(socket)["type"] for _ in range(3)] == ["connected", "assigned", "gap"]
            assert [said(socket, "partition_id")[1] for _ in range(2)] == [0, 0]
            publish(client, 1, "new")
            assert said(socket, "partition_id", "data") == ("record", 1, "new")  # none committed: from the latest on


def test_members_bound_to_connections_of_redis_clients(serve: Serve) -> None:
    server = serve().start()
    with server.resp() as client:
        prepare(client, session_ms=60_000)
        with server.resp() as one, server.resp() as two, opened(server, f"{GROUP}&member=s") as socket:
            heard(socket), heard(socket)
            for member in ("m", "n"):
                one.ask("GROUP.JOIN", "g", "MEMBER", member)
                assert one.ask("GROUP.BIND", "g", member) == b"OK"
            assert one.ask("GROUP.BIND", "g", "none") == Refusal("NOMEMBER no such member in the group")
            assert one.ask("GROUP.BIND", "none", "m") == Refusal("ERR no such consumer group")
            assert two.ask("GROUP.BIND", "g", "n") == b"OK"  # the last connection counts
            one.close()
            eventually(lambda: client.ask("GROUP.STATS", "g")[5] == 2)
            assert client.ask("GROUP.ASSIGNMENT", "g", "n")[3] and isinstance(
                client.ask("GROUP.ASSIGNMENT", "g", "m"), Refusal)  # fmt: skip
            assert two.ask("GROUP.BIND", "g", "s") == b"OK"
            while heard(socket)["type"] != "error":
                pass
        eventually(lambda: client.ask("GROUP.STATS", "g")[5] == 0)
        assert client.ask("GROUP.JOIN", "g", "MEMBER", "stays") == b"stays"
        assert client.ask("GROUP.BIND", "g", "stays") == b"OK"
        server.kill9()
    with server.start().resp() as client:  # nothing is bound any more, and the session goes on
        assert client.ask("GROUP.STATS", "g")[5] == 1
