"""The sockets and event streams of topics: which records they deliver, from where, and what they tell."""

from typing import Any

from tests.cases import check_all
from tests.server.clients import Server
from tests.server.event_clients import EventClient
from tests.server.socket_clients import heard, opened, silent, told


def places(frames: list[dict[str, Any]]) -> list[tuple[int, int]]:
    assert {frame["type"] for frame in frames} <= {"record"}, frames
    return [(frame["partition_id"], frame["offset"]) for frame in frames]


def fill(client: Any, count: int = 3, partitions: int = 2, *options: Any) -> None:
    """A topic `t` with records d0 to d(count - 1) in each partition."""
    client.ask("TOPIC.CREATE", "t", "PARTITIONS", partitions, *options)
    for partition in range(partitions):
        for i in range(count):
            client.ask("TOPIC.PUBLISH", "t", "e", f"d{i}", "PARTITION", partition)


def test_where_a_reader_begins(node: Server) -> None:
    with node.resp() as client:
        fill(client)
        cases: dict[str, tuple[str, list[tuple[int, int]]]] = {
            "all": ("", [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]),
            "earliest": ("?from=earliest&partitions=1", [(1, 0), (1, 1), (1, 2)]),
            "latest": ("?from=latest", []),
            "places": ("?from=0:2,1:3", [(0, 2)]),
            "a place of one": ("?from=1:1", [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2)]),
            "last seen": ("?from=latest&last_event_id=1:2", [(0, 0), (0, 1), (0, 2), (1, 2)]),
        }

        def check(name: str) -> None:
            query, wanted = cases[name]
            with opened(node, f"/topics/t/ws{query}") as socket:
                welcome = heard(socket)
                assert (welcome["type"], welcome["topic"]) == ("connected", "t")
                assert places([heard(socket) for _ in wanted]) == wanted
                client.ask("TOPIC.PUBLISH", "t", "e", "new", "PARTITION", 1)
                found = heard(socket)
                assert found["partition_id"] == 1 and found["data"] == "new" and silent(socket, 0.01)
                client.ask("TOPIC.DELETE", "t")
                assert heard(socket) == {"type": "error", "error": "Invalid request: Topic 't' not found"}
            fill(client)

        check_all(check, cases)


def test_what_a_record_says(node: Server) -> None:
    with node.resp() as client, opened(node, "/topics/none/ws") as missing:
        assert heard(missing)["error"] == "Invalid request: Topic 'none' not found"
        fill(client, 0)
        with opened(node, "/topics/t/ws") as socket:
            assert heard(socket)["partitions"] == [0, 1]
            body = {"event_type": "e", "key": "k", "data": {"a": [1.50]}, "headers": {"h": 1}, "partition_id": 0}
            node.http("POST", "/topics/t/publish", body)
            found = heard(socket)
            assert found == {"type": "record", "partition_id": 0, "offset": 0, "event_type": "e", "key": "k",
                             "data": {"a": [1.5]}, "metadata": {"h": 1}, "timestamp": found["timestamp"]}  # fmt: skip
            client.ask("TOPIC.PUBLISH", "t", "e", b"\xff", "PARTITION", 1)
            found = heard(socket)
            assert (found["key"], found["data"], found["metadata"]) == (None, [255], {})
            client.ask("TOPIC.GROW", "t", 3)
            client.ask("TOPIC.PUBLISH", "t", "e", "grown", "PARTITION", 2)
            assert heard(socket)["partition_id"] == 2
            told(socket, command="commit")
            assert "accepts no commands" in heard(socket)["error"]


def test_a_gap_is_told(node: Server) -> None:
    with node.resp() as client:
        fill(client, 6, 2, "MAXMESSAGES", 2)
        with opened(node, "/topics/t/ws?from=0:1,1:99") as socket:
            heard(socket)
            frames = [heard(socket) for _ in range(6)]
            gaps = [frame for frame in frames if frame["type"] == "gap"]
            assert gaps == [{"type": "gap", "partition_id": 0, "requested": 1, "earliest": 4},
                            {"type": "gap", "partition_id": 1, "requested": 99, "earliest": 4}]  # fmt: skip
            assert places([frame for frame in frames if frame["type"] == "record"]) == [(0, 4), (0, 5), (1, 4), (1, 5)]
            client.ask("MULTI")
            client.ask("TOPIC.DELETE", "t")
            client.ask("TOPIC.CREATE", "t", "PARTITIONS", 3)
            client.ask("TOPIC.PUBLISH", "t", "e", "anew", "PARTITION", 1)
            client.ask("EXEC")
            frames = [heard(socket) for _ in range(3)]
            assert [(frame["type"], frame["partition_id"]) for frame in frames] == [
                ("gap", 0), ("gap", 1), ("record", 1)
            ]  # fmt: skip


def test_an_event_stream_goes_on_in_each_partition(node: Server) -> None:
    with node.resp() as client:
        fill(client)
        with EventClient(node, "/topics/t/sse?from=0:1,1:2") as stream:
            assert stream.event().json["partitions"] == [0, 1]
            ids = [each.last_id for each in stream.events(3)]
            assert ids == ["0:2,1:2", "0:3,1:2", "0:3,1:3"]
        with EventClient(node, "/topics/t/sse?from=0:1,1:2", Last_Event_ID=ids[0]) as stream:
            stream.event()
            assert places([each.json for each in stream.events(2)]) == [(0, 2), (1, 2)] and stream.silent()
        client.ask("TOPIC.CREATE", "wide", "PARTITIONS", 129)
        refused: dict[str, str] = {
            "/topics/none/sse": "Topic 'none' not found",
            "/topics/wide/sse": "at most 128",
            "/topics/t/sse?partitions=2": "Partition 2 not found",
            "/topics/t/sse?partitions=0,x": "partitions",
            "/topics/t/sse?from=x": "from",
            "/topics/t/sse?from=0:-1": "from",
            "/topics/t/sse?last_event_id=7": "from",
        }

        def check(path: str) -> None:
            with EventClient(node, path, Connection="close") as stream:
                body = stream.body().decode()
                assert 400 <= stream.status < 500 and refused[path] in body, body

        check_all(check, refused)


def test_large_records_reach_a_reader_that_reads(node: Server) -> None:
    """More than the limit on unread output is there at once, and each text takes six bytes for one in JSON."""
    with node.resp() as client:
        client.ask("STREAM.CREATE", "r")
        client.ask("TOPIC.CREATE", "t", "PARTITIONS", 1)
        for _ in range(40):
            client.ask("STREAM.PUBLISH", "r", "e", b"\x01" * 60_000)
            client.ask("TOPIC.PUBLISH", "t", "e", b"\x01" * 60_000)
        client.ask("TOPIC.PUBLISH", "t", "e", b"\x01" * 2_000_000)
    for path in ("/stream/r/ws/s", "/topics/t/ws"):
        with opened(node, path, compression=None, max_size=None) as socket:
            heard(socket)
            assert [heard(socket)["offset"] for _ in range(40)] == list(range(40))
            if path.startswith("/topics"):
                assert len(heard(socket)["data"]) == 2_000_000


def test_no_partition_starves(node: Server) -> None:
    """A reader that is slow gets records of the partitions behind a busy one."""
    with node.resp() as client:
        client.ask("TOPIC.CREATE", "t", "PARTITIONS", 2)
        for _ in range(20):
            client.ask("TOPIC.PUBLISH", "t", "e", b"x" * 300_000, "PARTITION", 0)
        client.ask("TOPIC.PUBLISH", "t", "e", "other", "PARTITION", 1)
        with EventClient(node, "/topics/t/sse", receive_bytes=4096) as stream:
            stream.event()
            found = [each.json["partition_id"] for each in stream.events(12)]
            assert 1 in found




def test_a_compacted_topic_has_no_gaps(node: Server) -> None:
    """The offsets of records that were replaced are passed over without a word."""
    with node.resp() as client:
        client.ask("TOPIC.CREATE", "t", "PARTITIONS", 1, "POLICY", "COMPACT", "LAG", 0)
        client.ask("TOPIC.MPUBLISH", "t", "set", "a", "1", "b", "2", "a", "3")
        for begin in ("", "?from=0:0"):
            with opened(node, f"/topics/t/ws{begin}") as socket:
                heard(socket)
                assert places([heard(socket) for _ in range(2)]) == [(0, 1), (0, 2)] and silent(socket, 0.01)
