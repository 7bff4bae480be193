"""The change feed when something is wrong: a damaged log, a place that is not there, values that are too large."""

from pathlib import Path
from typing import Any

from tests.server.event_clients import EventClient
from tests.server.test_change_feed import named
from tests.support import Refusal


def test_a_damaged_place_of_the_log_ends_only_readers_who_come_there(serve: Any) -> None:
    node = serve({"persistence.wal.segment_bytes_max": "64kb"}).start()
    with node.resp() as client, node.resp() as other:
        for _ in range(40):
            client.ask("SET", "k", "x" * 5000)
        second = sorted(Path(node.directory).glob("log-*"))[1]
        with second.open("r+b") as file:
            file.seek(9000)
            file.write(b"garbage")
        other.send("CHANGES", "FROM", 41, "WAIT", 0)
        place, reply = 1, client.ask("CHANGES", "FROM", 1)
        while not isinstance(reply, Refusal):
            before, place = place, named(reply)["next"]
            assert place > before
            reply = client.ask("CHANGES", "FROM", place)
        assert place == int(second.stem.split("-")[1], 16) + 1  # the first group of this segment is whole
        assert f"changes from {place} on cannot be read: {second.name}" in str(reply)
        with EventClient(node, f"/changes/sse?from={place}") as stream:
            _, error = stream.events(2)
            assert error.name == "error" and error.json["code"] == 500
        client.ask("SET", "k", "end")
        assert named(other.read())["next"] == 42
        assert named(client.ask("CHANGES", "FROM", place + 1))["next"] == 42


def test_a_wrong_place_makes_and_moves_no_feed(serve: Any) -> None:
    node = serve({}).start()
    with node.resp() as client:
        client.ask_all(*[["SET", "k", i] for i in range(3)])
        client.ask("CHANGES", "FEED", "old", "FROM", 2)
        for name in ("old", "new"):
            assert "there is no change 6 yet" in str(client.ask("CHANGES", "FEED", name, "FROM", 6))
        with EventClient(node, "/changes/sse?feed=new&from=0") as stream:
            assert stream.head() == 400
        assert [named(feed)["next"] for feed in client.ask("CHANGES.FEEDS")] == [2]


def test_values_do_not_make_a_reply_endless(serve: Any) -> None:
    node = serve({}).start()
    with node.resp() as client:
        client.ask("SET", "big", "x" * 40_000)
        client.ask_all(*[["SETRANGE", "big", 0, "y"]] * 300)
        place, count = 1, 0
        while place < 302:
            found = named(client.ask("CHANGES", "FROM", place, "LIMIT", 1000, "VALUES"))
            values = [named(change)["values"] for change in found["changes"]]
            assert 0 < len(values) <= 105 and all(value == [b"y" + b"x" * 39_999] for value in values)
            place, count = found["next"], count + len(values)
        assert count == 301
        client.ask_all(["MULTI"], *[["SETRANGE", "big", 0, "z"]] * 200, ["EXEC"])
        found = named(client.ask("CHANGES", "FROM", 302, "LIMIT", 1, "VALUES"))
        values = [named(change)["values"][0] for change in found["changes"]]
        assert len(values) == 200 and values[0] == b"z" + b"x" * 39_999 and values[-1] is None
