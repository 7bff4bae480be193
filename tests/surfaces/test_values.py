"""What goes in comes back: the form of a value over every pair of surfaces, odd keys, bytes that are no text."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.surfaces.surfaces import Surfaces

NESTED: Any = "deep"
for _ in range(127):
    NESTED = [NESTED]
VALUES: list[Any] = [
    "hello", "", "5", "1e999", " 5", "\n[]", "null", "true", "tru", '{"a":1}', '"quoted"', '"', "-", "nul", "é🙂\u2028",
    "\x00", '"\\ud800"', "9" * 5000, "[" * 5000, "[" * 5000 + "]" * 5000,
    5, -0.5, 1e300, 2**63, 2**70, True, False, None, [], {}, [1, "a", None, {"b": []}], {"k": "v", "é": 1.5}, NESTED,
]  # fmt: skip


@pytest.fixture
def surfaces(store: Any) -> Surfaces:
    return Surfaces()


def js(text: Any) -> Any:
    """What a client does that tries to read JSON and else keeps the text."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text, parse_int=float)
    except ValueError:
        return text
    except RecursionError:
        return "too deep"


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_a_value(surfaces: Surfaces, value: Any) -> None:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    number = isinstance(value, int | float) and not isinstance(value, bool)

    def same(found: Any) -> bool:
        return type(found) is type(value) and found == value

    assert surfaces.rest("POST", "/kv/set", {"key": "rest", "value": value})[0] == 200
    assert surfaces.command("kv.set", {"key": "command", "value": value})["success"]
    assert surfaces.batch(("kv.set", {"key": "batch", "value": value}))[0]["success"]
    for key in ("rest", "command", "batch"):
        raw = surfaces.resp("GET", key).decode()
        assert raw == text or (number and float(raw) == value)
        status, shown, _ = surfaces.rest("GET", f"/kv/get/{key}")  # D1: text as it is, the rest as JSON text
        assert status == 200 and (shown == raw if isinstance(shown, str) else False)
        for found in (surfaces.command("kv.get", {"key": key}), surfaces.batch(("kv.get", {"key": key}))[0]):
            payload = found["payload"]  # D1: what is no text as itself; what reads as JSON as its JSON text
            assert same(payload) if not isinstance(value, str) else js(payload) == value, payload
            spelled = (value, json.dumps(value), json.dumps(value, ensure_ascii=False))
            assert not isinstance(value, str) or payload in spelled
    surfaces.database.call("kv.set", key="k", value=value)
    native = surfaces.database.call("kv.get", key="k")
    assert native.decode() == value if isinstance(value, str) else same(native)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_in_lists_and_sets(surfaces: Surfaces, value: Any) -> None:
    assert surfaces.rest("POST", "/list/l/rpush", {"values": [value, "end"]})[1] == {"length": 2, "key": "l"}
    one = {"values": [value]} if value is None else {"value": value}  # a null under the member's name is no item
    assert surfaces.command("list.rpush", {"key": "l", **one})["payload"] == {"length": 3, "key": "l"}
    wanted = [value, "end", value]
    for found in (
        surfaces.rest("GET", "/list/l/range")[1], surfaces.command("list.range", {"key": "l"})["payload"],
        surfaces.batch(("list.range", {"key": "l"}))[0]["payload"],
        surfaces.rest("POST", "/list/l/lpop", {"count": 3})[1],
    ):  # fmt: skip
        assert found == {"values": wanted, "key": "l"} and type(found["values"][0]) is type(value)
    assert surfaces.rest("POST", "/set/s/add", {"members": [value, value]})[1]["added"] == 1
    assert surfaces.rest("GET", "/set/s/members")[1]["members"] == [value]
    assert surfaces.rest("POST", "/set/s/ismember", {"member": value})[1]["is_member"] is True
    assert surfaces.command("set.pop", {"key": "s"})["payload"] == {"members": [value], "key": "s"}


KEYS = ["a/b", "/", "%2F", "a b", "+", "é", "🙂", "?", "#", "a?b=c&d", "{}", "{key}", "..", "get", "\x01", "a" * 5000]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: repr(key)[:12])
def test_keys_in_paths(surfaces: Surfaces, key: str) -> None:
    part = quote(key, safe="")
    surfaces.rest("POST", "/kv/set", {"key": key, "value": "v"})
    assert surfaces.rest("GET", f"/kv/get/{part}")[1] == "v"
    assert surfaces.resp("GET", key.encode()) == b"v"
    assert surfaces.rest("DELETE", f"/kv/del/{part}")[1] == {"deleted": True, "key": key}
    assert surfaces.rest("POST", f"/list/{part}/rpush", {"values": [""]})[1] == {"length": 1, "key": key}
    assert surfaces.rest("GET", f"/list/{part}/range?stop=-1&start=0")[1] == {"values": [""], "key": key}
    assert surfaces.command("list.len", {"key": key})["payload"] == {"length": 1, "key": key}


def test_the_empty_key(surfaces: Surfaces) -> None:
    told = surfaces.rest("POST", "/kv/set", {"key": "", "value": ""})[1]
    assert told == {"success": True, "key": "", "written": True}
    assert surfaces.command("kv.get", {"key": ""})["payload"] == ""
    assert surfaces.rest("GET", "/kv/get/")[0] == 404  # a path has no empty segment
    assert surfaces.resp("GET", "") == b""


def test_bytes_that_are_no_text(surfaces: Surfaces) -> None:
    note = "<binary data: 2 bytes>"
    surfaces.resp("SET", b"k", b"\xff\x00")
    surfaces.resp("RPUSH", b"l", b"\xff\x00", b"a")
    surfaces.resp("SET", b"\xfe\xff", b"v")
    assert surfaces.rest("GET", "/kv/get/k")[1] == note
    assert surfaces.command("kv.get", {"key": "k"})["payload"] == note
    assert surfaces.rest("GET", "/list/l/range")[1]["values"] == [note, "a"]
    keys = surfaces.rest("GET", "/key/scan/0?count=100")[1]["keys"]
    assert sorted(keys) == sorted(["k", "l", note])
    assert surfaces.resp("PING", b"\xff\x00") == b"\xff\x00"
    surfaces.database.call("kv.set", key=b"\xff", value=b"\xff\x00")
    assert surfaces.database.call("kv.get", key=b"\xff") == b"\xff\x00"


def test_missing(surfaces: Surfaces) -> None:
    assert surfaces.rest("GET", "/kv/get/none")[:2] == (200, {"error": "Key not found"})  # as the contract has it
    assert surfaces.command("kv.get", {"key": "none"})["payload"] is None
    assert surfaces.database.call("kv.get", key="none") is None
    assert surfaces.rest("DELETE", "/kv/del/none")[:2] == (200, {"deleted": False, "key": "none"})
    assert surfaces.rest("POST", "/list/none/lpop")[:2] == (404, {"error": "Not found", "code": 404})
    assert surfaces.rest("POST", "/set/none/pop")[0] == 404


def test_set_tells_whether_it_did(surfaces: Surfaces) -> None:
    def put(**more: Any) -> Any:
        status, value, _ = surfaces.rest("POST", "/kv/set", {"key": "k", **more})
        assert status == 200 and value.pop("key") == "k" and value.pop("written") is value["success"]
        return value

    assert put(value=1, get=True) == {"success": True}  # there was nothing to get
    assert put(value=2, get=True) == {"success": True, "old_value": 1}
    assert put(value=3, nx=True) == {"success": False}
    assert put(value=3, nx=True, get=True) == {"success": False, "old_value": 2}
    assert put(value=[3], xx=True, nx=False) == {"success": True}
    payload = {"key": "k", "value": 4, "get": True}
    assert surfaces.command("kv.set", payload)["payload"] == {"success": True, "old_value": [3]}
    assert surfaces.batch(("kv.set", payload))[0]["payload"] == {"success": True, "old_value": 4}
    assert surfaces.batch(("kv.set", {"key": "k", "value": 5}))[0]["payload"] == {"success": True}


def test_messages(surfaces: Surfaces) -> None:
    surfaces.rest("POST", "/queue/q", {})
    headers: list[Any] = [None, {"a": 1}, "text", '{"b":2}', 5, [1]]
    for value in headers:
        body = {"payload": [0, 255], "priority": 9} | ({"headers": value} if value is not None else {})
        assert surfaces.rest("POST", "/queue/q/publish", body)[0] == 200
    surfaces.resp("QUEUE.PUBLISH", "q", b"\xff", "HEADERS", b"\xff", "PRIORITY", 9)
    for wanted in ({}, {"a": 1}, "text", {"b": 2}, 5, [1]):
        _, message, _ = surfaces.rest("GET", "/queue/q/consume/w")
        assert message["headers"] == wanted and message["payload"] == [0, 255] and message["priority"] == 9
    last = surfaces.command("queue.consume", {"queue": "q", "consumer_id": "w"})["payload"]["message"]
    assert last["headers"] == "<binary data: 1 bytes>" and last["payload"] == [255]
    assert surfaces.command("queue.consume", {"queue": "q"})["payload"] == {"message": None}
    empty = surfaces.rest("GET", "/queue/q/consume/w")[1]
    assert set(empty.values()) == {None} and "message_id" in empty


def test_counters(surfaces: Surfaces) -> None:
    surfaces.rest("POST", "/kv/set", {"key": "n", "value": 5})
    assert surfaces.rest("POST", "/kv/n/incrby", {"amount": "3"})[1] == {"value": 8}
    assert surfaces.command("kv.get", {"key": "n"})["payload"] == 8
    assert surfaces.rest("POST", "/kv/n/incr")[1] == {"value": 9}
    assert surfaces.command("kv.incr", {"key": "n"})["payload"] == {"value": 10}


def test_scan_goes_on_everywhere(surfaces: Surfaces) -> None:
    for i in range(200):
        surfaces.resp("SET", f"k{i}", i)
        surfaces.database.call("kv.set", key=f"k{i}", value=i)
    asks: list[Any] = [
        lambda cursor: surfaces.rest("GET", f"/key/scan/{cursor}?count=20")[1].values(),
        lambda cursor: surfaces.command("key.scan", {"cursor": cursor, "count": 20})["payload"].values(),
        lambda cursor: surfaces.batch(("key.scan", {"cursor": cursor, "count": 20}))[0]["payload"].values(),
        lambda cursor: [each if isinstance(each, list) else each.decode()
                        for each in surfaces.database.call("key.scan", cursor=cursor, count=20)],
    ]  # fmt: skip
    for ask in asks:
        cursor, found = "0", []
        while True:
            cursor, keys = ask(cursor)
            found += keys
            if cursor == "0":
                break
        assert len(found) == len(set(found)) == 200
