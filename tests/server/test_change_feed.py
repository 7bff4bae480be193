"""The change feed of a server: what readers get over each surface, that it replays to the same data, and that a server
which is killed loses none of it."""

import base64
import json
import threading
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

import synap
from synap.commands import CATALOGUE
from synap.traits import NOT_IN_MULTI, RUNS_SCRIPT
from tests.cases import check_all
from tests.naive.store import State
from tests.server.clients import Resp, Server, eventually
from tests.server.event_clients import EventClient
from tests.server.socket_clients import heard, opened, told
from tests.strategies import Strategies
from tests.support import Refusal

LEFT_OUT = {"CLIENT", "SHUTDOWN", "CONFIG", "FUNCTION|RESTORE"}


def writes() -> list[Any]:
    """The rows that write and that any client may call at once."""
    return [row for row in CATALOGUE.rows if row.writes and row.resp and not row.internal and not row.waits
            and row.resp not in LEFT_OUT and not row.traits & (NOT_IN_MULTI | RUNS_SCRIPT)]  # fmt: skip


def load(client: Resp, chance: Random, count: int) -> None:
    """Make random calls of all families, some of them in transactions and scripts."""
    strategies, rows = Strategies(chance, State(), huge=0), writes()
    for _ in range(count):
        row = chance.choice(rows)
        command = [row.resp.replace("|", " ").split(" "), strategies.words(row)]
        words: list[Any] = [*command[0], *command[1]]
        match chance.randrange(12):
            case 0:
                client.ask_all(["MULTI"], words, ["SET", "t", chance.randrange(9)], ["INCR", "u"], ["EXEC"])
            case 1:
                script = "redis.call('SET', KEYS[1], ARGV[1]) redis.call('SPOP', 's')"
                client.ask("EVAL", script, 1, "e", chance.random())
            case 2:
                client.ask("SET", f"d{chance.randrange(9)}", "x", "PX", 1)
            case _:
                client.ask(*words)
        if chance.random() < 0.01:
            strategies.change_mood()


def named(reply: Any) -> dict[str, Any]:
    """A map over RESP2 as a dictionary."""
    return {name.decode(): value for name, value in zip(reply[::2], reply[1::2], strict=True)}


def follow(client: Resp, mirror: synap.Database, place: int, size: int = 1 << 16) -> int:
    """Apply all changes from a seq on; return the seq to go on at."""
    while True:
        found = named(client.ask("CHANGES.FRAMES", "FROM", place, "BYTES", size))
        if found["next"] == place:
            return place
        mirror.apply_frames(found["frames"])
        place = found["next"]


def same(client: Resp, mirror: synap.Database) -> None:
    """Both have the same data, kind by kind."""
    found = mirror.call("server.digest")
    assert named(client.ask("DEBUG", "DIGEST")) == {kind.decode(): each for kind, each in found.items()}


@pytest.mark.parametrize("seed", [1, 2])
def test_it_replays_to_the_same_data(serve: Any, seed: int) -> None:
    node = serve({"persistence.wal.segment_bytes_max": "200kb"}).start()
    chance = Random(seed)
    with synap.open() as mirror:
        with node.resp() as client:
            load(client, chance, 1500)
            time.sleep(0.12)  # keys expire, which is a change
            place = follow(client, mirror, 1)
            same(client, mirror)
            load(client, chance, 300)
        node.restart()
        with node.resp() as client:
            load(client, chance, 500)
            place = follow(client, mirror, place, 1)
            same(client, mirror)
            client.ask("FLUSHALL")
            load(client, chance, 100)
            node.stop()
        node.start()
        with node.resp() as client:
            client.ask("SET", "last", 1)
            place = follow(client, mirror, place)
            same(client, mirror)
            assert place == named(client.ask("CHANGES"))["next"] and len(list(node.data.glob("log-*"))) > 3


def changes(node: Server, query: str) -> list[Any]:
    status, found = node.http("GET", f"/changes?{query}")
    assert status == 200, found
    return list(found["changes"])


def test_what_a_change_says(node: Server) -> None:
    with node.resp() as client:
        client.ask("SET", "a", "1")
        client.ask("SELECT", 2)
        client.ask_all(["MULTI"], ["MSET", "b", "ä", b"\xff", "x"], ["INCR", "n"], ["GET", "n"], ["EXEC"])
        client.ask("SELECT", 0)
        client.ask("SADD", "s", "only")
        client.ask("SPOP", "s")
        node.http("POST", "/kv/set", {"key": "j", "value": {"x": [1.5]}})
        client.ask("QUEUE.CREATE", "q", "10", "30", "3", "5")
        client.ask("HSET", "h", "f", "v")
        client.ask("ZADD", "z", 2, "m")
        client.ask("FLUSHDB")
    found = changes(node, "from=1&values=true")
    assert [change["seq"] for change in found] == list(range(1, 11))
    assert all(abs(change["time"] / 1000 - time.time()) < 60 for change in found)
    said = [{name: value for name, value in change.items() if name not in ("seq", "time")} for change in found]
    assert said[0] == {
        "database": 0, "call": "kv.set", "keys": ["a"], "name": None, "arguments": {"key": "a", "value": "1"},
        "outcome": "ok", "transaction": None, "values": [None],
    }  # fmt: skip
    pairs = [{"key": "b", "value": "ä"}, {"key": {"base64": "/w=="}, "value": "x"}]
    assert said[1]["arguments"] == {"pairs": pairs} and said[1]["keys"] == ["b", {"base64": "/w=="}]
    assert [(change["database"], change["transaction"]) for change in said] == [
        (0, None), (2, 2), (2, 2), *[(0, None)] * 7,
    ]  # fmt: skip
    assert said[2]["outcome"] == 1 and said[2]["values"] == [1]  # of another database, which FLUSHDB has left
    assert said[4]["call"] == "set.remove" and said[4]["outcome"] == "decided"  # SPOP
    assert said[5]["arguments"]["value"] == {"x": [1.5]}
    assert (said[6]["keys"], said[6]["name"], said[6]["values"]) == ([], "q", [])
    assert (said[9]["call"], said[9]["keys"], said[9]["name"]) == ("key.flush_namespace", [], None)


def test_values_are_those_at_the_time_of_reading(node: Server) -> None:
    with node.resp() as client:
        client.ask("SET", "a", "1")
        client.ask("SET", "a", "2")
        client.ask("RPUSH", "l", "x", "y")
        client.ask("HSET", "h", "f", "v")
        client.ask("ZADD", "z", 1.5, "m")
        client.ask("SADD", "s", 7)
        client.ask("SETRANGE", "large", 70_000, "x")
        client.ask("XADD", "x", "*", "f", "v")
        client.ask("DEL", "l")
    status, found = node.http("GET", "/changes?from=1&values=true")
    assert found["values_at"] == found["last"] == 9
    assert [change["values"][0] for change in found["changes"]] == [
        "2", "2", None, {"f": "v"}, {"m": 1.5}, ["7"], None, None, None,
    ]  # fmt: skip
    assert "values" not in changes(node, "from=1")[0] and status == 200


def test_filters(node: Server) -> None:
    with node.resp() as client:
        for words in (
            ["SET", "user:1", 1], ["HSET", "user:2", "f", "v"], ["SET", "other", 1],
            ["QUEUE.CREATE", "user:q", 10, 30, 3, 5], ["MSET", "x", 1, "user:3", 2], ["FLUSHALL"],
            ["STREAM.CREATE", "r"],
        ):  # fmt: skip
            assert not isinstance(client.ask(*words), Refusal), words

    def check(query: str) -> None:
        assert [change["seq"] for change in changes(node, f"from=1&{query}")] == expected[query]

    expected = {
        "family=kv": [1, 3, 5], "family=kv,hash": [1, 2, 3, 5], "family=stream": [7], "match=user:*": [1, 2, 4, 5, 6],
        "match=user:[12]": [1, 2, 6], "match=user:*&family=queue": [4], "match=none": [6], "limit=2": [1, 2],
        "family=key&match=x": [6],
    }  # fmt: skip
    check_all(check, expected)
    assert node.http("GET", "/changes?from=1&match=none&family=set")[1]["next"] == 8  # behind what was left out


def test_what_is_refused(node: Server) -> None:
    with node.resp() as client:
        client.ask("SET", "a", 1)

        def refused(words: list[Any]) -> None:
            reply = client.ask(*words)
            assert isinstance(reply, Refusal) and expected[tuple(words)] in str(reply), reply

        expected = {
            ("CHANGES", "FROM", 3): "CHANGESAHEAD there is no change 3 yet, the next is 2",
            ("CHANGES", "FROM", 0): "ERR value is not an integer or out of range",
            ("CHANGES", "LIMIT", 0): "ERR value is not an integer or out of range",
            ("CHANGES", "FAMILY", "what"): "there is no family of commands called what",
            ("CHANGES", "FEED", b"\xff"): "the name of a feed", ("CHANGES", "FEED", ""): "the name of a feed",
            ("CHANGES.DROP", "x" * 201): "the name of a feed", ("CHANGES", "WAIT", "-1"): "timeout is negative",
        }  # fmt: skip
        check_all(refused, map(list, expected))
        (found,) = client.ask_all(["MULTI"], ["CHANGES", "WAIT", 9], ["EXEC"])[2]
        assert named(found)["next"] == 2  # a transaction does not wait
        assert "not allowed from script" in str(client.ask("EVAL", "return redis.call('CHANGES')", 0))


def test_a_reader_waits(node: Server) -> None:
    with node.resp() as reader, node.resp() as writer:
        begun = time.monotonic()
        reader.send("CHANGES", "WAIT", 10)
        eventually(lambda: node.info("changes")["changes_readers_waiting"] == "1")
        writer.ask("SET", "a", 1)
        assert named(reader.read())["next"] == 2 and time.monotonic() - begun < 5
        reader.send("CHANGES", "WAIT", 10, "MATCH", "b*")
        eventually(lambda: node.info("changes")["changes_readers_waiting"] == "1")
        for i in range(300):
            writer.ask("SET", f"a{i}", 1)
        writer.ask("SET", "b", 1)
        found = named(reader.read())
        assert len(found["changes"]) == 1 and found["next"] == 303
        found = named(reader.ask("CHANGES", "FROM", 303, "WAIT", 0.05))
        assert found["next"] == 303 and found["changes"] == []
        answered: list[Any] = []
        ask = threading.Thread(target=lambda: answered.append(node.http("GET", "/changes?from=303&wait=10")))
        ask.start()
        eventually(lambda: node.info("changes")["changes_readers_waiting"] == "1")
        writer.ask("SET", "c", 1)
        ask.join()
        assert [change["keys"] for change in answered[0][1]["changes"]] == [["c"]]
        reader.send("CHANGES", "WAIT", 0)
        eventually(lambda: node.info("changes")["changes_readers_waiting"] == "1")
    eventually(lambda: node.info("changes")["changes_readers_waiting"] == "0")


@pytest.mark.parametrize("mode", ["always", "periodic"])
def test_a_change_is_seen_when_it_is_safe(serve: Any, mode: str) -> None:
    """Whoever has seen a change finds it after the server was killed."""
    node = serve({"persistence.wal.fsync_mode": mode}).start()
    seen: list[int] = []
    acked: list[int] = []

    def write() -> None:
        try:
            with node.resp() as client:
                while True:
                    acked.append(client.ask("INCR", "n"))
        except OSError:
            return

    writer = threading.Thread(target=write)
    writer.start()
    place = 1

    def read(client: Resp) -> int:
        found = named(client.ask("CHANGES", "FROM", place, "WAIT", 1, "LIMIT", 50))
        seen.extend(named(change)["outcome"] for change in found["changes"])
        return int(found["next"])

    for _ in range(2):
        with node.resp() as client:
            until = time.monotonic() + 0.3
            while time.monotonic() < until:
                place = read(client)
        node.kill9()
        writer.join()
        node.start()
        with node.resp() as client:
            assert int(client.ask("GET", "n")) >= len(seen)
            writer = threading.Thread(target=write)
            writer.start()
    node.restart()
    writer.join()
    with node.resp() as client:
        while (following := read(client)) != place:
            place = following
        assert seen == list(range(1, int(client.ask("GET", "n")) + 1)) and set(acked) <= set(seen)


def test_old_changes_go_and_feeds_hold_them(serve: Any) -> None:
    settings = {"persistence.wal.segment_bytes_max": "64kb", "persistence.snapshot.max_snapshots": 1,
                "changes.held_bytes_max": "1mb", "changes.feeds_max": 2}  # fmt: skip
    node = serve(settings).start()

    def write(client: Resp, count: int) -> None:
        for _ in range(count // 100):
            client.ask_all(*[["SET", "k", "x" * 1000]] * 100)

    def figures() -> dict[str, int]:
        return {name: int(value) for name, value in node.info("changes").items()}

    with node.resp() as client:
        write(client, 400)
        client.ask("SAVE")
        first = figures()["changes_first_seq"]
        assert first > 300
        gone = f"CHANGESGONE the changes from 1 on are not all there, the first is {first}"
        assert str(client.ask("CHANGES", "FROM", 1)) == gone
        status, body = node.http("GET", "/changes?from=5")
        assert status == 410 and body["first"] == first and body["next"] == 401
        found = named(client.ask("CHANGES", "FROM", 401, "FEED", "mine"))
        assert found["next"] == 401 and named(client.ask("CHANGES.FEEDS")[0]) == {
            "name": b"mine", "next": 401, "lag": 0, "lost": 0,
        }  # fmt: skip
        client.ask("CHANGES", "FEED", "other")
        assert "there are 2 named feeds already" in str(client.ask("CHANGES", "FEED", "third"))
        assert client.ask("CHANGES.DROP", "other") == 1 and client.ask("CHANGES.DROP", "other") == 0
        write(client, 400)
        client.ask("SAVE")
        held = figures()
        assert held["changes_first_seq"] <= 401 and held["changes_held_bytes"] > 300_000 and held["changes_feeds"] == 1
        assert named(named(client.ask("CHANGES", "FEED", "mine"))["changes"][0])["seq"] == 401
    node.restart()
    with node.resp() as client:
        found = named(client.ask("CHANGES", "FEED", "mine", "LIMIT", 1))
        assert found["next"] == 402 and figures()["changes_feeds_lag"] == 400
        assert node.http("GET", "/changes/feeds")[1]["feeds"][0]["lost"] is False
        write(client, 2000)  # more than may be held
        client.ask("SAVE")
        assert figures()["changes_feeds_lost"] == 1 and figures()["changes_held_bytes"] <= 1 << 20
        assert str(client.ask("CHANGES", "FEED", "mine")).startswith("CHANGESGONE")
        client.ask("CHANGES", "FROM", figures()["changes_last_seq"] + 1, "FEED", "mine")
        client.ask("SAVE")
        assert figures()["changes_feeds_lost"] == 0
        assert node.http("DELETE", "/changes/feeds/mine")[1] == {"dropped": 1}


def test_metrics(node: Server) -> None:
    import urllib.request

    with node.resp() as client:
        client.ask("SET", "a", 1)
        client.ask("CHANGES", "FEED", "f", "FROM", 1)
    with urllib.request.urlopen(f"http://127.0.0.1:{node.http_port}/metrics") as reply:
        text = reply.read().decode()
    for line in ("synap_changes_feeds 1.0", "synap_changes_feeds_lag 1.0", "synap_changes_held_bytes 0.0"):
        assert line in text


def test_slow_readers_cost_bounded_memory(serve: Any) -> None:
    node = serve({"changes.memory_bytes_max": "1mb", "persistence.enabled": "false"}).start()
    with node.resp() as slow, node.resp() as client:
        client.ask("CHANGES")
        for _ in range(80):
            client.ask_all(*[["SET", "k", "x" * 1000]] * 100)
        figures = node.info("changes")
        assert int(figures["changes_memory_bytes"]) <= 1 << 20 and int(figures["changes_first_seq"]) > 6000
        place = int(figures["changes_first_seq"])
        assert named(client.ask("CHANGES", "FROM", place, "LIMIT", 10_000))["next"] > place
        for _ in range(50):  # replies that nobody reads
            slow.send("CHANGES.FRAMES", "FROM", place)
        time.sleep(0.2)
        assert client.ask("PING") == b"PONG" and node.rss() < 600 << 20


def test_frames_in_json(node: Server) -> None:
    with node.resp() as client:
        client.ask("SET", "a", 1)
        client.ask("SET", "b", 1)
    _, found = node.http("GET", "/changes/frames?from=1")
    with synap.open() as mirror:
        assert mirror.apply_frames(base64.b64decode(found["frames"])) == found["count"] == 2
        assert mirror.get("b") == b"1"
        with pytest.raises(ValueError, match="wanted those from seq 3 on, found 1"):
            mirror.apply_frames(base64.b64decode(found["frames"]))
        with pytest.raises(ValueError, match="wanted whole frames"):
            mirror.apply_frames(base64.b64decode(found["frames"])[:-8])
    command = {"command": "changes.read", "request_id": "1", "payload": {"from": 2}}
    reply = node.http("POST", "/api/v1/command", command)[1]
    assert reply["payload"]["changes"][0]["keys"] == ["b"], json.dumps(reply)


def test_a_node_without_a_log(serve: Any, tmp_path: Path) -> None:
    node = serve({"persistence.enabled": "false"}).start()
    with node.resp() as client:
        client.ask("SET", "a", 1)
        assert named(client.ask("CHANGES"))["next"] == 2  # from here on changes are kept
        client.ask("SET", "b", 1)
        assert str(client.ask("CHANGES", "FROM", 1)).startswith("CHANGESGONE")
        (change,) = named(client.ask("CHANGES", "FROM", 2))["changes"]
        assert named(change)["keys"] == [b"b"]


def test_a_websocket(node: Server) -> None:
    with node.resp() as client:
        client.ask("SET", "a", 1)
        with opened(node, "/changes/ws?from=1&values=TRUE&feed=f") as one, opened(node, "/changes/ws") as other:
            assert heard(one) == {"type": "connected", "from": 1} and heard(other) == {"type": "connected", "from": 2}
            found = heard(one)
            assert found["type"] == "changes" and found["next"] == 2 and found["changes"][0]["values"] == ["1"]
            client.ask("SET", "b", 2)
            assert heard(one)["changes"][0]["keys"] == heard(other)["changes"][0]["keys"] == ["b"]
            told(one, command="done", seq=3)
            eventually(lambda: named(client.ask("CHANGES.FEEDS")[0])["next"] == 3)
            for wrong in ({"command": "done", "seq": 9}, {"command": "what"}, {"command": "done"}):
                told(one, **wrong)
                assert heard(one)["type"] == "error"
            told(other, command="done", seq=1)
            assert "a feed to move" in heard(other)["error"]
            client.ask_all(*[["SET", f"k{i}", i] for i in range(2000)])
            seen: list[int] = []
            while len(seen) < 2000:
                seen += [change["seq"] for change in heard(other)["changes"]]
            assert seen == list(range(3, 2003))
    refusals = {"from=9999": "there is no change", "values=maybe": "a boolean", "family=x": "no family"}
    for query, reason in refusals.items():
        with opened(node, f"/changes/ws?{query}") as refused:
            messages = [heard(refused)]
            while messages[-1]["type"] != "error":
                messages.append(heard(refused))
            assert reason in messages[-1]["error"]


def test_an_event_stream(node: Server) -> None:
    """It goes on behind the event that the client has seen last."""
    with node.resp() as client:
        client.ask_all(*[["SET", f"k{i}", i] for i in range(3)])
        with EventClient(node, "/changes/sse?from=2") as stream:
            connected, found = stream.events(2)
            assert connected.name == "connected" and connected.json["from"] == 2
            assert [change["seq"] for change in found.json["changes"]] == [2, 3] and found.last_id == "3"
            client.ask("DEL", "k0")
            assert stream.event().json["changes"][0]["keys"] == ["k0"]
        with EventClient(node, "/changes/sse", Last_Event_ID=found.last_id) as stream:
            assert stream.event().name == "connected"
            assert [change["seq"] for change in stream.event().json["changes"]] == [4]
        with EventClient(node, "/changes/sse?family=x") as refused:
            assert refused.head() == 400
