"""Transactions of clients of the JSON surfaces: queued by `client_id`, carried out as one, aborted by a change."""

import json
from typing import Any

import pytest
from surfaces import Surfaces

from synap.io.http import client_transactions
from synap.store.memory.layout import IN_GROUP
from tests.support import Bench

QUEUED = {"success": True, "queued": True}


def rest(surfaces: Surfaces, path: str, body: Any = None, method: str = "POST") -> tuple[int, Any]:
    status, found, _ = surfaces.rest(method, path, body)
    return status, found


def test_writes_are_queued_and_carried_out_as_one(store: type[Bench]) -> None:
    surfaces = Surfaces()
    me = {"client_id": "me"}
    assert rest(surfaces, "/transaction/multi", me) == (200, {"success": True, "message": "Transaction started"})
    assert rest(surfaces, "/kv/set", {"key": "k", "value": "v", **me}) == (200, QUEUED)
    assert rest(surfaces, "/kv/n/incr?client_id=me", {}) == (200, QUEUED)
    assert surfaces.command("hash.set", {"key": "h", "field": "f", "value": 1, **me})["payload"] == QUEUED
    assert surfaces.command("list.rpop", {"key": "none", **me})["payload"] == QUEUED
    assert surfaces.command("kv.incr", {"key": "h", **me})["payload"] == QUEUED
    assert surfaces.resp("EXISTS", "k", "n", "h") == 0, "nothing has been carried out"
    told = rest(surfaces, "/kv/set", {"key": "other", "value": "v"})[1]
    assert told == {"success": True, "key": "other", "written": True}
    read = rest(surfaces, "/kv/get/k?client_id=me", None, "GET")
    assert read[1] == {"error": "Key not found"}, "reads are not queued"
    status, found = rest(surfaces, "/transaction/exec", me)
    wrong = "Operation against a key holding the wrong kind of value"
    created = {"created": True, "key": "h", "field": "f", "success": True}
    assert status == 200 and found["success"] is True
    assert found["results"] == [
        {"success": True, "key": "k", "written": True}, {"value": 1}, created, {"error": "Not found"}, {"error": wrong},
    ]  # fmt: skip
    assert surfaces.resp("MGET", "k", "n") == [b"v", b"1"]
    assert rest(surfaces, "/transaction/exec", me)[0] == 400
    told = rest(surfaces, "/kv/set", {"key": "k", "value": "w", **me})[1]
    assert told == {"success": True, "key": "k", "written": True}


def test_what_begins_and_ends(store: type[Bench]) -> None:
    surfaces = Surfaces()
    none = {"error": "Invalid request: No transaction in progress", "code": 400}
    for path in ("exec", "discard", "unwatch"):
        assert rest(surfaces, f"/transaction/{path}", {}) == (400, none)
    assert rest(surfaces, "/transaction/multi", {})[0] == 200
    again = {"error": "Invalid request: Transaction already in progress", "code": 400}
    assert rest(surfaces, "/transaction/multi", {}) == (400, again)
    assert rest(surfaces, "/kv/set", {"key": "k", "value": "v", "client_id": "rest_client"})[1] == QUEUED
    ended = {"success": True, "message": "Transaction discarded"}
    assert rest(surfaces, "/transaction/discard", {}) == (200, ended)
    assert surfaces.resp("EXISTS", "k") == 0
    assert rest(surfaces, "/transaction/multi", {})[0] == 200
    assert rest(surfaces, "/transaction/exec", {})[1] == {"success": True, "results": []}


def test_a_changed_key_aborts(store: type[Bench]) -> None:
    surfaces = Surfaces()
    aborted = {"success": False, "aborted": True, "message": "Transaction aborted: watched keys changed"}
    for first in (True, False):
        for change in (["SET", "w", "1"], ["DEL", "w"], ["APPEND", "w", "x"]):
            surfaces.resp("SET", "w", "0")
            paths = ["watch", "multi"] if first else ["multi", "watch"]
            for path in paths:
                assert rest(surfaces, f"/transaction/{path}", {"keys": ["w"], "client_id": "a"})[0] == 200
            assert rest(surfaces, "/kv/set", {"key": "k", "value": "v", "client_id": "a"})[1] == QUEUED
            surfaces.resp(*change)
            assert rest(surfaces, "/transaction/exec", {"client_id": "a"}) == (200, aborted)
    assert surfaces.resp("EXISTS", "k") == 0
    assert rest(surfaces, "/transaction/watch", {"keys": [], "client_id": "a"})[0] in (400, 422)
    rest(surfaces, "/transaction/watch", {"keys": ["w"], "client_id": "a"})
    surfaces.resp("SET", "w", "1")
    assert rest(surfaces, "/transaction/unwatch", {"client_id": "a"})[0] == 200
    rest(surfaces, "/transaction/multi", {"client_id": "a"})
    assert rest(surfaces, "/transaction/exec", {"client_id": "a"})[1]["success"] is True


def test_a_refused_write_aborts(store: type[Bench]) -> None:
    surfaces = Surfaces()
    rest(surfaces, "/transaction/multi", {"client_id": "a"})
    assert rest(surfaces, "/kv/set", {"key": "k", "value": "v", "client_id": "a"})[1] == QUEUED
    assert rest(surfaces, "/kv/set", {"key": "k", "client_id": "a"})[0] == 422
    status, found = rest(surfaces, "/transaction/exec", {"client_id": "a"})
    assert status == 400 and "discarded because of previous errors" in found["error"]
    assert surfaces.resp("EXISTS", "k") == 0


def test_the_envelope_takes_the_request_id_for_the_client(store: type[Bench]) -> None:
    surfaces = Surfaces()

    def ask(command: str, payload: dict[str, Any]) -> Any:
        body = {"command": command, "request_id": "r1", "payload": payload}
        return rest(surfaces, "/api/v1/command", body)[1]

    assert ask("transaction.multi", {})["payload"]["success"] is True
    commands = [{"command": "kv.set", "payload": {"key": f"k{i}", "value": "v", "client_id": "r1"}} for i in range(3)]
    told = rest(surfaces, "/api/v1/command", {"type": "batch", "commands": commands})[1]
    assert [each["payload"] for each in told["responses"]] == [QUEUED] * 3
    assert surfaces.resp("DBSIZE") == 0
    operation = {"operation": "kv.incr", "target": "n", "data": {"client_id": "r1"}}
    assert rest(surfaces, "/api/stream", operation)[1] == QUEUED
    found = ask("transaction.exec", {})["payload"]
    assert len(found["results"]) == 4 and surfaces.resp("DBSIZE") == 4
    json.dumps(found)


def test_limits(store: type[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    surfaces = Surfaces()
    monkeypatch.setattr(client_transactions, "CALLS_MAX", 2)
    monkeypatch.setattr(client_transactions, "CLIENTS_MAX", 2)
    for name in "ab":
        assert rest(surfaces, "/transaction/multi", {"client_id": name})[0] == 200
    assert rest(surfaces, "/transaction/multi", {"client_id": "c"})[0] == 429
    for status in (200, 200, 413):
        assert rest(surfaces, "/kv/set", {"key": "k", "value": "v", "client_id": "a"})[0] == status
    monkeypatch.setattr(client_transactions, "IDLE_MS", -1)
    assert rest(surfaces, "/transaction/multi", {"client_id": "c"})[0] == 200, "the others are idle"
    assert rest(surfaces, "/transaction/exec", {"client_id": "a"})[0] == 400
    assert rest(surfaces, "/kv/set", {"key": "k", "value": "v", "client_id": 7})[0] == 422


def test_a_transaction_is_a_group_in_the_log(store: type[Bench]) -> None:
    surfaces = Surfaces()
    engine = surfaces.server.engine
    rest(surfaces, "/transaction/multi", {"client_id": "a"})
    for i in range(3):
        rest(surfaces, "/kv/set", {"key": f"k{i}", "value": "v", "client_id": "a"})
    seen, run = [], engine.execute_packed
    engine.execute_packed = lambda *args, **more: (seen.append(engine.numbers[IN_GROUP]), run(*args, **more))[1]
    rest(surfaces, "/transaction/exec", {"client_id": "a"})
    assert all(seen[1:]) and len(seen) == 4 and engine.numbers[IN_GROUP] == 0


def test_what_all_clients_queue_is_bounded(store: type[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle transactions give their room to others, and end while others work."""
    surfaces = Surfaces()
    held = surfaces.server.engine.host.transactions
    monkeypatch.setattr(client_transactions, "BYTES_OF_ALL_MAX", 10_000)
    for name in ("a", "b", "c"):
        rest(surfaces, "/transaction/multi", {"client_id": name})
    assert rest(surfaces, "/kv/set", {"key": "k", "value": "x" * 6000, "client_id": "a"}) == (200, QUEUED)
    assert rest(surfaces, "/kv/set", {"key": "k", "value": "x" * 6000, "client_id": "b"})[0] == 507
    assert rest(surfaces, "/transaction/exec", {"client_id": "b"})[0] == 400
    assert rest(surfaces, "/transaction/discard", {"client_id": "a"})[0] == 200
    assert rest(surfaces, "/kv/set", {"key": "k", "value": "x" * 6000, "client_id": "c"}) == (200, QUEUED)
    assert held.queues()
    monkeypatch.setattr(client_transactions, "IDLE_MS", -1)
    assert not held.queues() and not held.clients and held._size == 0


def test_a_published_message_is_part_of_a_transaction(store: type[Bench]) -> None:
    surfaces, me = Surfaces(), {"client_id": "me"}
    rest(surfaces, "/transaction/multi", me)
    assert rest(surfaces, "/pubsub/news/publish", {"payload": "dropped", **me}) == (200, QUEUED)
    rest(surfaces, "/transaction/discard", me)
    rest(surfaces, "/transaction/multi", me)
    assert rest(surfaces, "/pubsub/news/publish", {"payload": "sent", **me}) == (200, QUEUED)
    assert surfaces.command("pubsub.publish", {"topic": "news", "payload": "too", **me})["payload"] == QUEUED
    assert surfaces.server.engine.pubsub.published == 0
    results = rest(surfaces, "/transaction/exec", me)[1]["results"]
    assert [found["subscribers_matched"] for found in results] == [0, 0]
    assert surfaces.server.engine.pubsub.published == 2


def test_a_command_that_is_switched_off_spoils_a_transaction(store: type[Bench]) -> None:
    surfaces, me = Surfaces(flush=False), {"client_id": "me"}
    for spoil in (lambda: rest(surfaces, "/key/flushdb", me), lambda: surfaces.command("kv.flushdb", me)):
        rest(surfaces, "/transaction/multi", me)
        assert "disabled" in json.dumps(spoil())
        assert rest(surfaces, "/kv/set", {"key": "k", "value": "v", **me}) == (200, QUEUED)
        assert rest(surfaces, "/transaction/exec", me)[0] == 400
    assert surfaces.resp("EXISTS", "k") == 0
