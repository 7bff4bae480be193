"""What the newest SDKs send, octet for octet, and what they make of the answer."""

import json
from typing import Any

import pytest
from peers import Peer

from synap.compat.words import WORDS
from synap.proto.http import Request
from tests import support
from tests.surfaces.surfaces import Surfaces

NAME = "0c5ddab5-6f3e-4c3f-9d53-0a7d0a6b3f5e"
PYTHON = [
    (b"host", b"127.0.0.1:15500"), (b"accept-encoding", b"gzip, deflate"), (b"connection", b"keep-alive"),
    (b"user-agent", b"python-httpx/0.28.1"), (b"accept", b"application/json"), (b"content-type", b"application/json"),
]  # fmt: skip
TYPESCRIPT = [
    (b"host", b"127.0.0.1:15500"), (b"connection", b"keep-alive"), (b"content-type", b"application/json"),
    (b"accept", b"application/json"), (b"accept-encoding", b"gzip"), (b"accept-language", b"*"),
    (b"sec-fetch-mode", b"cors"), (b"user-agent", b"node"),
]  # fmt: skip
VALUES: list[Any] = [
    42, -1, 0, 1.5, True, False, [], {}, [1, "x", None], {"a": 1}, {"n": {"k": "v: w"}}, "hello", "", "é🙂", "tru",
    2**60, None,
]  # fmt: skip


@pytest.fixture
def surfaces(store: Any) -> Surfaces:
    return Surfaces()


def ask(surfaces: Surfaces, headers: list[tuple[bytes, bytes]], command: str, payload: Any) -> Any:
    """The payload of a reply."""
    posted = {"command": command, "request_id": NAME, "payload": payload}
    body = json.dumps(posted, separators=(",", ":"), ensure_ascii=False)
    response = surfaces.answer(Request(b"POST", b"/api/v1/command", b"", headers, body.encode(), True, b"1.1"))
    found = json.loads(response.body)
    assert response.status == 200 and found["success"] and found["request_id"] == NAME, found
    return found["payload"]


def loads(raw: Any) -> Any:
    """As both SDKs read what is answered: a text is tried as JSON, and else is what it is."""
    if not isinstance(raw, str):
        return raw
    try:
        return json.loads(raw)
    except ValueError:
        return raw


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_the_python_sdk(surfaces: Surfaces, value: Any) -> None:
    """It encodes what is no str, and takes a dict in the answer for an object around the value."""
    sent = value if isinstance(value, str) else json.dumps(value)
    ask(surfaces, PYTHON, "kv.set", {"key": "k", "value": sent})
    for command in ("kv.get", "kv.getset", "kv.getdel"):
        payload = {"key": "k", "value": "x"} if command == "kv.getset" else {"key": "k"}
        found = ask(surfaces, PYTHON, command, payload)
        assert not isinstance(found, dict)
        read = loads(found)
        assert read == value and type(read) is type(value), found
        ask(surfaces, PYTHON, "kv.set", {"key": "k", "value": sent})
    ask(surfaces, TYPESCRIPT, "kv.set", {"key": "other", "value": value})
    assert loads(ask(surfaces, PYTHON, "kv.get", {"key": "other"})) == value
    assert ask(surfaces, PYTHON, "kv.get", {"key": "none"}) is None


@pytest.mark.parametrize("value", [*VALUES, "42", "null", '{"a":1}', '"quoted"', "1e5"], ids=repr)
def test_the_typescript_sdk(surfaces: Surfaces, value: Any) -> None:
    """It sends values as they are, and every text comes back as one, also if it reads as JSON."""
    ask(surfaces, TYPESCRIPT, "kv.set", {"key": "k", "value": value})
    read = loads(ask(surfaces, TYPESCRIPT, "kv.get", {"key": "k"}))
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(("headers", "form"), [
    ([], "exact"), (PYTHON, "raw"), (TYPESCRIPT, "exact"), ([(b"user-agent", b"python-httpx/0.28.1")], "exact"),
    ([(b"user-agent", b"python-httpx/0.28.1"), (b"accept", b"*/*")], "exact"),
])  # fmt: skip
def test_who_gets_which_form(surfaces: Surfaces, headers: list[tuple[bytes, bytes]], form: str) -> None:
    surfaces.resp("SET", "k", "42")
    assert ask(surfaces, headers, "kv.get", {"key": "k"}) == ("42" if form == "raw" else '"42"')
    batch = {"type": "batch", "commands": [{"command": "kv.get", "request_id": "1", "payload": {"key": "k"}}]}
    asked = Request(b"POST", b"/api/v1/command", b"", headers, json.dumps(batch).encode(), True, b"1.1")
    assert json.loads(surfaces.answer(asked).body)["responses"][0]["payload"] == ("42" if form == "raw" else '"42"')


def test_a_room_is_made_once_however_it_is_asked_for(surfaces: Surfaces) -> None:
    """What the newest SDKs call `stream.get_or_create`: no refusal of a room that is there, and it stays as it is."""
    asked = ask(surfaces, PYTHON, "stream.get_or_create", {"room": "a", "max_events": 5})
    assert asked == {"success": True, "room": "a", "created": True}
    assert not ask(surfaces, TYPESCRIPT, "stream.get_or_create_room", {"room": "a", "max_events": 7})["created"]
    for created in (True, False):
        status, told, _ = surfaces.rest("PUT", "/stream/b", {"max_events": 6})
        assert (status, told) == (200, {"success": True, "room": "b", "created": created})
        sent = {"operation": "stream.get_or_create", "target": "c", "data": {"max_events": 7}}
        told = surfaces.rest("POST", "/api/stream", sent)[1]
        assert told == {"success": True, "room": "c", "created": created}
        assert surfaces.resp("SGETORCREATE", "d") == (b"CREATED" if created else b"EXISTS")
    limits = [surfaces.rest("GET", f"/stream/{room}/stats")[1]["max_events"] for room in "abcd"]
    assert limits == [5, 6, 7, surfaces.server.settings.number("stream.max_events")]
    assert surfaces.rest("PUT", "/stream/e", {"max_events": -1})[0] == 422
    assert surfaces.rest("PUT", "/stream/e", headers={"Origin": "http://evil.example"})[0] == 403
    assert surfaces.rest("GET", "/stream/list")[1]["count"] == 4


@pytest.mark.parametrize("word", [word.word for word in WORDS])
def test_no_word_of_redis_means_something_else(redis: Peer, word: str) -> None:
    assert redis.ask(support.command("COMMAND", "INFO", word)) in (b"*1\r\n$-1\r\n", b"*1\r\n*-1\r\n")
