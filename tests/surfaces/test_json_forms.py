"""Forms of calls that only the JSON surfaces have: expiries with tags, arrays as bodies, nested replies, operations."""

from collections.abc import Callable
from typing import Any

import pytest

from synap.compat import sdks
from synap.settings import Settings
from tests.server.clients import Server
from tests.server.test_http_pages import ask
from tests.surfaces.surfaces import Surfaces

FETCH = {"sec_fetch_mode": "cors", "user_agent": "node"}


@pytest.fixture
def surfaces(store: Any) -> Surfaces:
    return Surfaces()


@pytest.mark.parametrize(("expiry", "ms"), [
    ({"seconds": 60}, 60_000), ({"type": "seconds", "value": 60}, 60_000), ({"milliseconds": 90_000}, 90_000),
    ({"type": "milliseconds", "value": "90000"}, 90_000), ({"unix_seconds": 4_102_444_800}, 4_102_444_800_000),
    ({"type": "unix_milliseconds", "value": 4_102_444_800_000}, 4_102_444_800_000), (None, -1),
])  # fmt: skip
def test_an_expiry_with_a_tag(surfaces: Surfaces, expiry: Any, ms: int) -> None:
    for made in (surfaces.rest("POST", "/kv/set", {"key": "k", "value": 1, "expiry": expiry})[1],
                 surfaces.command("kv.set", {"key": "k", "value": 1, "expiry": expiry})["payload"]):  # fmt: skip
        assert made["success"]
        left = surfaces.resp("PEXPIRETIME" if ms > 10**12 else "PTTL", "k")
        assert left == ms or 0 < ms - left < 5_000


@pytest.mark.parametrize("expiry", [
    5, "seconds", [], {}, {"seconds": None}, {"hours": 1}, {"seconds": 1, "milliseconds": 1}, {"seconds": "soon"},
    {"type": "hours", "value": 1}, {"type": ["seconds"], "value": 1}, {"type": "seconds"}, {"seconds": -1},
])  # fmt: skip
def test_an_expiry_that_is_none(surfaces: Surfaces, expiry: Any) -> None:
    status, told, _ = surfaces.rest("POST", "/kv/set", {"key": "k", "value": 1, "expiry": expiry})
    assert status == 422 and told["error"]
    assert surfaces.rest("POST", "/kv/set", {"key": "k", "value": 1, "expiry": {"seconds": 5}, "ttl": 5})[0] == 422
    assert surfaces.resp("EXISTS", "k") == 0


def test_an_expiry_of_no_time_expires_at_once(surfaces: Surfaces) -> None:
    assert surfaces.rest("POST", "/kv/set", {"key": "k", "value": 1, "expiry": {"seconds": 0}})[1]["written"]
    assert surfaces.resp("EXISTS", "k") == 0


def test_a_set_tells_if_it_was_written(surfaces: Surfaces) -> None:
    def put(**more: Any) -> Any:
        return surfaces.rest("POST", "/kv/set", {"key": "k", "value": 1, **more})[1]

    assert put(xx=True) == {"success": False, "key": "k", "written": False}
    assert put(nx=True) == {"success": True, "key": "k", "written": True}
    assert put(get=True) == {"success": True, "key": "k", "written": True, "old_value": 1}
    assert surfaces.command("kv.set", {"key": "k", "value": 2})["payload"] == {"success": True}


@pytest.mark.parametrize("setting", [0, 2000])
def test_pfadd_with_a_deadline(store: Any, setting: int) -> None:
    """Also if the limit of sparse sketches makes the log get the sketch instead of the call."""
    surfaces = Surfaces()
    if setting:
        surfaces.resp("CONFIG", "SET", "hll-sparse-max-bytes", setting)
    add = {"elements": ["a", "b"], "ttl_secs": 50}
    assert surfaces.rest("POST", "/hyperloglog/p/pfadd", {"elements": ["a"]})[1] == {"key": "p", "added": 1}
    assert surfaces.resp("TTL", "p") == -1
    assert surfaces.rest("POST", "/hyperloglog/p/pfadd", add)[1] == {"key": "p", "added": 1}
    assert surfaces.resp("TTL", "p") == 50
    assert surfaces.command("hyperloglog.pfadd", {"key": "p", **add, "ttl_secs": 70})["payload"]["added"] == 0
    assert surfaces.resp("TTL", "p") == 70
    assert surfaces.rest("POST", "/hyperloglog/p/pfadd", {"elements": ["c"]})[1]["added"] == 1
    assert (surfaces.resp("TTL", "p"), surfaces.resp("PFCOUNT", "p")) == (70, 3)
    for wrong in (0, -1, "soon", 10**18):
        assert surfaces.rest("POST", "/hyperloglog/q/pfadd", {"elements": ["c"], "ttl_secs": wrong})[0] == 422
    assert surfaces.resp("EXISTS", "q") == 0


def test_a_deadline_of_a_sketch_survives_a_restart(serve: Callable[..., Server]) -> None:
    server = serve().start()
    for setting in ("3000", "2000"):
        config = {"command": "hyperloglog.pfadd", "payload": {"key": setting, "elements": ["a"], "ttl_secs": 5000}}
        with server.resp() as client:
            client.ask("CONFIG", "SET", "hll-sparse-max-bytes", setting)
        assert ask(server, "POST", "/api/v1/command", config).value["success"]
    server.restart()
    for setting in ("3000", "2000"):
        assert 4900 < ask(server, "GET", f"/key/{setting}/ttl").value["ttl"] <= 5000
        assert ask(server, "GET", f"/hyperloglog/{setting}/pfcount").value["count"] == 1


def test_the_body_of_a_bitfield_may_be_its_operations(surfaces: Surfaces) -> None:
    steps = [{"operation": "SET", "offset": 0, "width": 8, "value": 5}, {"operation": "GET", "offset": 0, "width": 8}]
    for body in (steps, {"operations": steps}):
        surfaces.resp("DEL", "b")
        assert surfaces.rest("POST", "/bitmap/b/bitfield", body)[1] == {"key": "b", "results": [0, 5]}
    assert surfaces.rest("POST", "/bitmap/b/bitfield_ro", steps[1:])[1] == {"key": "b", "results": [5]}
    assert surfaces.rest("POST", "/kv/set", [1])[0] == 422


def test_a_range_of_bits_may_have_no_start(surfaces: Surfaces) -> None:
    surfaces.resp("SETBIT", "b", 12, 1)
    for query, position in (("end=0", None), ("end=1", 12), ("end=12&unit=bit", 12), ("end=11&unit=bit", None)):
        fields = dict(part.split("=") for part in query.split("&"))
        assert surfaces.rest("GET", f"/bitmap/b/bitpos?value=1&{query}")[1]["position"] == position
        assert surfaces.command("bitmap.bitpos", {"key": "b", "value": 1, **fields})["payload"]["position"] == position
        counted = surfaces.rest("GET", f"/bitmap/b/bitcount?{query}")[1]["count"]
        assert counted == (0 if position is None else 1)


def test_what_the_target_of_an_operation_names(surfaces: Surfaces) -> None:
    def operate(operation: str, target: str, /, **data: Any) -> Any:
        return surfaces.rest("POST", "/api/stream", {"operation": operation, "target": target, "data": data})[1]

    assert operate("bitmap.setbit", "b", offset=7, value=1) == {"key": "b", "offset": 7, "old_value": 0}
    made = operate("bitmap.bitop", "c", operation="NOT", source_keys=["b"])
    assert made == {"destination": "c", "length": 1} and surfaces.resp("GETBIT", "c", 7) == 0
    assert operate("list.rpush", "l", values=["a", "b"])["length"] == 2
    assert operate("list.lmpop", "l", where="left") == {"key": "l", "values": ["a"]}
    assert operate("set.add", "s", members=["x"]) == {"added": 1, "key": "s"}
    assert operate("set.interstore", "t", keys=["s"]) == {"cardinality": 1, "count": 1, "destination": "t"}
    assert operate("hyperloglog.pfmerge", "p", sources=["q"]) == {"destination": "p", "count": 0}
    assert operate("key.exists", "s") == {"key": "s", "exists": True, "count": 1}
    assert operate("kv.scan", "s*")["keys"] == ["s"]


def test_a_client_may_spell_its_id_as_javascript_does(surfaces: Surfaces) -> None:
    me = {"clientId": "me"}
    assert surfaces.command("transaction.multi", me)["success"]
    queued = surfaces.command("kv.set", {"key": "k", "value": 1, "client_id": "me"})
    assert queued["payload"] == {"success": True, "queued": True}
    assert surfaces.command("transaction.exec", {"client_id": "other"})["error"]
    assert surfaces.rest("POST", "/transaction/exec", me)[1]["success"] and surfaces.resp("EXISTS", "k") == 1


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("hash.set", {"key": "h", "field": "f", "value": 1}), ("hash.get", {"key": "h", "field": "f"}),
    ("hash.setnx", {"key": "h", "field": "f", "value": 1}), ("hash.getall", {"key": "h"}),
    ("list.rpush", {"key": "l", "values": ["a"]}), ("list.lpop", {"key": "l"}), ("list.stats", {}),
    ("set.add", {"key": "s", "members": ["a"]}), ("set.card", {"key": "s"}),
    ("sortedset.zadd", {"key": "z", "member": "a", "score": 1}), ("sortedset.zpopmin", {"key": "z"}),
    ("sortedset.stats", {}),
]  # fmt: skip
OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("kv.set", {"key": "k", "value": 1}), ("kv.get", {"key": "k"}), ("kv.stats", {}), ("list.lpop", {"key": "none"}),
    ("key.type", {"key": "k"}), ("bitmap.stats", {}), ("hyperloglog.pfcount", {"key": "none"}),
]  # fmt: skip


@pytest.mark.parametrize(("setting", "headers", "single", "batched"), [
    ("auto", {}, False, False), ("auto", FETCH, True, False), ("on", {}, True, True), ("off", FETCH, False, False),
])  # fmt: skip
def test_replies_with_a_copy_of_themselves(
    serve: Callable[..., Server], setting: str, headers: dict[str, str], single: bool, batched: bool
) -> None:
    server = serve({"server.envelope_nested": setting}).start()

    def check(reply: Any, name: str, deep: bool) -> None:
        payload = reply["payload"]
        if deep:
            inner = payload["payload"]
            assert {**inner, "success": inner.get("success", True), "payload": inner} == payload, name
        else:
            assert not isinstance(payload, dict) or "payload" not in payload, name

    for name, fields in CALLS + OTHERS:
        sent = {"command": name, "request_id": "r", "payload": fields}
        check(ask(server, "POST", "/api/v1/command", sent, **headers).value, name, single and (name, fields) in CALLS)
    commands = [{"command": name, "payload": fields} for name, fields in CALLS + OTHERS]
    told = ask(server, "POST", "/api/v1/command", {"type": "batch", "commands": commands}, **headers).value["responses"]
    for reply, call in zip(told, CALLS + OTHERS, strict=True):
        check(reply, call[0], batched and call in CALLS)
    operation = {"operation": "list.rpush", "target": "l", "data": {"values": ["a"]}}
    assert "payload" not in ask(server, "POST", "/api/stream", operation, **headers).value


def test_success_stays_what_the_reply_says() -> None:
    assert sdks.nested({"success": False, "key": "h"})["success"] is False
    assert sdks.nested({"created": False})["success"] is True
    assert Settings().text("server.envelope_nested") == "auto"


def test_infinite_scores(surfaces: Surfaces) -> None:
    surfaces.resp("ZADD", "z", "inf", "up", "-inf", "down", "1.5", "mid")
    members = [{"member": "down", "score": "-inf"}, {"member": "mid", "score": 1.5}, {"member": "up", "score": "inf"}]
    assert surfaces.rest("GET", "/sortedset/z/zrange?start=0&stop=-1")[1]["members"] == members
    assert surfaces.command("sortedset.zrange", {"key": "z", "start": 0, "stop": -1})["payload"]["members"] == members
    assert surfaces.rest("GET", "/sortedset/z/up/zscore")[1]["score"] == "inf"
    assert surfaces.rest("GET", "/sortedset/z/none/zscore")[1]["score"] is None
    told = surfaces.rest("POST", "/sortedset/z/zadd", {"member": "more", "score": "inf"})[0]
    assert told == 200 and surfaces.resp("ZSCORE", "z", "more") == b"inf"


@pytest.mark.parametrize(("path", "body", "missing"), [
    ("/queue/publish", {"message": "x"}, "queue"), ("/queue/publish", {"queue": "q"}, "payload"),
    ("/stream/publish", {"event": "e", "data": 1}, "room"), ("/stream/publish", {"room": "r"}, "event"),
    ("/queue/publish", {"queue": None}, "queue"),
])  # fmt: skip
def test_publish_lacks_a_field(surfaces: Surfaces, path: str, body: Any, missing: str) -> None:
    status, told, _ = surfaces.rest("POST", path, body)
    assert (status, told["error"]) == (422, f"Invalid request: Missing '{missing}' field")
    assert surfaces.resp("QUEUE.LIST") == [] and surfaces.resp("STREAM.LIST") == []


def test_names_that_are_no_text_stay_apart(surfaces: Surfaces) -> None:
    surfaces.resp("HSET", "h", b"\xff\x01", 1, b"\xff\x02", 2, "\\xff\\x01", 3, "a", 4)
    fields = {"<binary data: ff01>": "1", "<binary data: ff02>": "2", "\\xff\\x01": "3", "a": "4"}
    assert surfaces.rest("GET", "/hash/h/getall")[1] == fields
    assert surfaces.command("hash.getall", {"key": "h"})["payload"]["fields"] == fields
