"""JSON as it came, on every surface: a name that stands twice is refused, a number keeps its digits."""

import json
from typing import Any

import pytest

from synap.proto.http import Request
from tests.surfaces.surfaces import Surfaces


@pytest.fixture
def surfaces(store: Any) -> Surfaces:
    return Surfaces()


TWICE = [
    b'{"key":"a","key":"b","value":1}', b'{"key":"a","\\u006bey":"b","value":1}',
    b'{"\\u006bey":"a","k\\u0065y":"b","value":1}',
    b'{"key":"a","key":"a","value":1}', b'{"key":"a:b","value":{"x":1,"x":2}}',
    b'{"key":"k","value":[{"x":1},{"y":1,"\\u0079":2}]}',
    b'{"key":"k","value":"a:b","value":"c"}', b'{"key":"k","value":1,"extra":{"a":1,"a":1}}',
    b'{"key":"k","value":1,"":1,"":2}',
]  # fmt: skip


@pytest.mark.parametrize("body", TWICE)
def test_a_name_that_stands_twice(surfaces: Surfaces, body: bytes) -> None:
    plain = b'{"command":"kv.set","request_id":"1","payload":{"key":"before","value":1}}'
    enveloped = b'{"command":"kv.set","request_id":"r","payload":' + body + b"}"
    for path, posted in (
        ("/kv/set", body), ("/api/v1/command", enveloped),
        ("/api/v1/command", b'{"type":"batch","commands":[' + plain + b"," + enveloped + b"]}"),
        ("/api/v1/command", b'{"commands":[' + enveloped + b'],"type":"batch"}'),
        ("/api/stream", b'{"operation":"kv.set","target":"k","data":' + body + b"}"),
    ):  # fmt: skip
        status, value, _ = surfaces.rest("POST", path, posted)
        assert status == value["code"] == 422 and "wanted one value, found 2" in value["error"], (path, value)
    assert surfaces.resp("DBSIZE") == 0


@pytest.mark.parametrize("body", [
    b'{"command":"kv.get","command":"kv.del","payload":{"key":"k"}}',
    b'{"type":"batch","commands":[{"command":"key.count","request_id":"1","request_id":"2","payload":{}}]}',
    b'{"type":"batch","commands":[{"command":"kv.get","payload":{"key":"k"},"pa\\u0079load":{"key":"l"}}]}',
    b'{"command":"kv.mset","payload":{"pairs":[{"key":"a","value":1,"value":2}]}}',
    b'{"command":"kv.mset","payload":{"pairs":{"a":1,"a":2}}}',
])  # fmt: skip
def test_an_envelope_with_a_name_twice(surfaces: Surfaces, body: bytes) -> None:
    assert surfaces.rest("POST", "/api/v1/command", body)[0] == 422
    assert surfaces.resp("DBSIZE") == 0


def test_a_field_that_path_query_and_body_say(surfaces: Surfaces) -> None:
    assert surfaces.rest("POST", "/kv/a/append", {"key": "b", "value": "x"})[0] == 422
    assert surfaces.rest("POST", "/kv/a/append?key=b", {"value": "x"})[0] == 422
    assert surfaces.rest("POST", "/kv/a/append?value=y", {"value": "x"})[0] == 422
    assert surfaces.resp("DBSIZE") == 0
    assert surfaces.rest("POST", "/kv/a/append?key=a", {"key": "a", "value": "x"})[0] == 200
    assert surfaces.rest("POST", "/kv/n/incrby?amount=2", {"amount": 2})[:2] == (200, {"value": 2})
    assert surfaces.rest("GET", "/kv/get/a?type=bytes&t%79pe=string")[0] == 400
    assert surfaces.rest("GET", "/kv/get/a?x=%ff")[0] == 400


NUMBERS = [
    "0.1000000000000000055511151231257827", "1e400", "-1e400", "1E5", "1.0", "-0", "-0.0", "0.10", "1e-400", "1.5e+3",
    "123456789012345678901234567890", "9007199254740993", "3.141592653589793238462643383279", "1e999999999",
]  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_keeps_its_digits(surfaces: Surfaces, number: str) -> None:
    for text in (number, f"[{number}]", f'{{"a":{{"b":[1,{number},"x"]}}}}'):
        posted = f'{{"key":"k","value": {text} }}'.encode()
        for path, body in (
            ("/kv/set", posted),
            ("/api/v1/command", b'{"command":"kv.set","request_id":"r","payload":' + posted + b"}"),
            ("/api/v1/command", b'{"commands":[{"command":"kv.set","payload":' + posted + b"}]}"),
            ("/api/stream", f'{{"operation":"kv.set","target":"k","data":{{"value":{text}}}}}'.encode()),
        ):  # fmt: skip
            surfaces.resp("DEL", "k")
            assert surfaces.rest("POST", path, body)[0] == 200
            assert surfaces.resp("GET", "k").decode() == text, path
        asked: Any = {"command": "kv.get", "request_id": "r", "payload": {"key": "k"}}
        told = raw(surfaces, "POST", "/api/v1/command", asked)
        assert told == f'{{"success":true,"request_id":"r","payload":{text},"error":null}}'
        told = raw(surfaces, "POST", "/api/stream", {"operation": "kv.get", "target": "k"})
        assert told == f'{{"value":{text}}}'
        assert surfaces.rest("GET", "/kv/get/k")[1] == text
        pushed = f'{{"values":[{text}]}}'.encode()
        assert surfaces.rest("POST", "/list/l/rpush", pushed)[0] == 200
        assert text in raw(surfaces, "GET", "/list/l/range", None)
        assert surfaces.resp("RPOP", "l").decode() == text
        assert surfaces.rest("POST", "/queue/q", {})[0] == 200
        queued = f'{{"operation":"queue.publish","target":"q","data":{{"message":{text}}}}}'.encode()
        assert surfaces.rest("POST", "/api/stream", queued)[0] == 200
        asked = {"operation": "queue.consume", "target": "q"}
        assert f'"payload":{text},' in raw(surfaces, "POST", "/api/stream", asked)


def raw(surfaces: Surfaces, method: str, path: str, body: Any) -> str:
    """The body of a reply as text."""
    target, _, query = path.partition("?")
    data = b"" if body is None else json.dumps(body).encode()
    asked = Request(method.encode(), target.encode(), query.encode(), [(b"host", b"localhost")], data, True, b"1.1")
    return surfaces.answer(asked).body.decode()


@pytest.mark.parametrize(("text", "status"), [
    ("2.0", 200), ("2", 200), ("-0", 200), ("20e-1", 200), ("2.00000000000000000000000001", 422), ("1e400", 422),
    ("9223372036854775807.0", 200), ("9223372036854775808.0", 422), ("1e-999999999999999999999", 422), ("1e19", 422),
])  # fmt: skip
def test_a_whole_number_is_whole_in_all_its_digits(surfaces: Surfaces, text: str, status: int) -> None:
    found, value, _ = surfaces.rest("POST", "/kv/n/incrby", f'{{"amount":{text}}}'.encode())
    assert found == status, value
    if status == 200 and text.startswith("922"):
        assert value == {"value": 2**63 - 1}


def test_an_empty_name(surfaces: Surfaces) -> None:
    assert surfaces.rest("POST", "/kv/set", {"key": "", "value": "empty"})[0] == 200
    for path in ("/kv/get/?key=", "/kv/get?key=", "/kv/get/?key=&type=string"):
        assert surfaces.rest("GET", path)[:2] == (200, "empty"), path
    for path in ("/kv/get/", "/kv/get", "/kv//strlen", "/kv/get/?type=string", "/kv/get//", "/hash//x"):
        assert surfaces.rest("GET", path)[0] == 404, path
    assert surfaces.rest("POST", "/kv//append", {"key": "", "value": "!"})[:2] == (200, {"length": 6})
    assert surfaces.rest("GET", "/kv//strlen?key=")[:2] == (200, {"length": 6})
    assert surfaces.rest("DELETE", "/kv/del/?key=")[:2] == (200, {"deleted": True, "key": ""})
    assert surfaces.rest("POST", "/queue/?queue=", {})[0] == 200
    assert surfaces.rest("POST", "/queue//publish", {"queue": "", "payload": [1]})[0] == 200
    assert surfaces.rest("GET", "/queue//consume/?queue=&consumer_id=")[1]["payload"] == [1]
