"""What is refused, on every surface: with the status that REST owes, as text in the envelope, as a Fault in-process."""

import json
import re
from typing import Any

import pytest

from synap.command import Command
from synap.commands import CATALOGUE
from synap.engine.handlers.table import digest_of
from synap.faults import Fault
from synap.proto.http import Request, Response
from synap.traits import EMPTIES
from tests.support import Refusal
from tests.surfaces.surfaces import Surfaces
from tests.surfaces.test_ranges import fields_to


@pytest.fixture
def surfaces(store: Any) -> Surfaces:
    return Surfaces()


CASES = [
    ("list.rpush", {"key": "k", "values": ["a"]}, "RPUSH k a", 409, "WRONGTYPE Operation against a key holding"),
    ("kv.add", {"key": "k", "amount": 1}, "INCRBY k 1", 400, "not a"),
    ("queue.stats", {"queue": "none"}, "QUEUE.STATS none", 404, "Queue not found: none"),
    ("queue.ack", {"queue": "none", "message_id": "x"}, "QUEUE.ACK none x", 404, "not found"),
    ("key.scan", {"cursor": "x"}, "SCAN x", 400, "invalid cursor"),
]
PATHS = {
    "list.rpush": ("POST", "/list/k/rpush"), "kv.add": ("POST", "/kv/k/incrby"),
    "queue.stats": ("GET", "/queue/none/stats"), "queue.ack": ("POST", "/queue/none/ack"),
    "key.scan": ("GET", "/key/scan/x"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "fields", "words", "status", "text"), CASES, ids=[case[0] for case in CASES])
def test_kernels_refuse_alike(
    surfaces: Surfaces, name: str, fields: dict[str, Any], words: str, status: int, text: str
) -> None:
    for asked in (surfaces.resp("SET", "k", "no number"), surfaces.database.call("kv.set", key="k", value="no")):
        assert asked in (b"OK", True)
    text = text.removeprefix("WRONGTYPE ")
    method, path = PATHS[name]
    found, body, _ = surfaces.rest(method, path, fields if method == "POST" else None)
    assert found == body["code"] == status and text.lower() in body["error"].lower(), body
    reply = surfaces.command(name, fields)
    assert reply == {"success": False, "request_id": "r-1", "payload": None, "error": body["error"]}
    good = ("kv.set", {"key": "other", "value": 1})
    several = surfaces.batch(good, (name, fields), good)
    assert [each["success"] for each in several] == [True, False, True]
    assert several[1]["error"] == body["error"]
    with pytest.raises(Fault) as fault:
        surfaces.database.call(name, **fields)
    assert fault.value.json_text() == body["error"] and fault.value.row.http == status
    for version in (2, 3):
        refusal = surfaces.resp(*words.split(), version=version)
        word = (CATALOGUE.by_name[name].resp).lower()
        assert refusal == Refusal(fault.value.resp_text(word))


def test_limits_that_are_negative_are_told_as_redis_tells_them(surfaces: Surfaces) -> None:
    for words in (("SINTERCARD", 1, "s"), ("ZINTERCARD", 1, "z")):
        assert surfaces.resp(*words, "LIMIT", -1) == Refusal("ERR LIMIT can't be negative")
    trim = ("XTRIM", "x", "MAXLEN", "~", 5, "LIMIT", -1)
    assert surfaces.resp(*trim) == Refusal("ERR The LIMIT argument must be >= 0.")


@pytest.mark.parametrize(("body", "status", "text"), [
    (b"{", 400, "the body is not JSON"),
    (b"", 400, "Missing 'key' field"),
    (b"\xff", 400, "the body is not JSON"),
    (b'{"key":"\xff","value":1}', 400, "the body is not JSON"),
    (b"[1]", 422, "'body': wanted an object, found an array"),
    (b"null", 422, "'body': wanted an object, found null"),
    (b'"x"', 422, "found a string"),
    (b"{}", 422, "Invalid request: Missing 'key' field"),
    (b'{"key":"k"}', 422, "Invalid request: Missing 'value' field"),
    (b'{"key":5,"value":1}', 422, "'key': wanted a string, found a number"),
    (b'{"key":"k","value":1,"ttl":"x"}', 422, "'ttl': wanted a whole number, found 'x'"),
    (b'{"key":"k","value":1,"ttl":1.5}', 422, "'ttl': wanted a whole number"),
    (b'{"key":"k","value":1,"ttl":123456789012345678901234567890}', 422, "a number of 64 bits"),
    (b'{"key":"k","value":1,"ttl":' + b"9" * 5000 + b"}", 400, "not JSON"),
    (b'{"key":"k","value":"\\ud800"}', 400, "not JSON"),
    (b'{"key":"k","key":"l","value":1}', 422, "'key': wanted one value, found 2"),
    (b'{"key":"k","value":1,"value":"value"}', 422, "'value': wanted one value, found 2"),
    (b'{"key":"k","value":' + b"[" * 129 + b"]" * 129 + b"}", 422, "128 levels of nesting"),
    (b'{"key":"k","value":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "nested too deeply"),
    (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400, "nested too deeply"),
    (b'{"key":"k","value":1,"nx":"true"}', 422, "'nx': wanted a boolean, found a string"),
])  # fmt: skip
def test_bodies(surfaces: Surfaces, body: bytes, status: int, text: str) -> None:
    found, value, _ = surfaces.rest("POST", "/kv/set", body)
    assert found == status == value["code"] and text in value["error"], value
    assert surfaces.resp("DBSIZE") == 0
    enveloped = b'{"command":"kv.set","request_id":"r","payload":' + (body or b"{}") + b"}"
    found, value, _ = surfaces.rest("POST", "/api/v1/command", enveloped)
    if found == 200 and not value["success"]:
        assert value["payload"] is None and value["error"]
    else:  # not JSON at all, or two of one name within
        assert found in (400, 422) and value["error"], value


def test_a_name_that_also_stands_within(surfaces: Surfaces) -> None:
    body = b'{"key":"key","value":{"key":"value","value":["key"]}}'
    assert surfaces.rest("POST", "/kv/set", body)[0] == 200
    assert json.loads(surfaces.resp("GET", "key")) == {"key": "value", "value": ["key"]}
    status, value, _ = surfaces.rest("GET", "/list/l/range?start=0&start=1")
    assert status == 400 and "'start': wanted one value" in value["error"]


@pytest.mark.parametrize(("body", "status"), [
    (b"{", 400), (b"[]", 422), (b"{}", 422), (b'{"command":5}', 422), (b'{"command":""}', 422),
    (b'{"command":"kv.get","request_id":7,"payload":{}}', 422), (b'{"type":"batch","commands":{}}', 422),
    (b'{"type":"batch","commands":[{"request_id":"1"}]}', 422), (b'{"type":"batch","commands":[5]}', 422),
    (b'{"command":"kv.set","payload":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    (json.dumps({"type": "batch", "commands": [{"command": "key.count"}] * 10_001}).encode(), 422),
])  # fmt: skip
def test_envelopes_that_are_none(surfaces: Surfaces, body: bytes, status: int) -> None:
    found, value, _ = surfaces.rest("POST", "/api/v1/command", body)
    assert (found, value["code"]) == (status, status), value


def test_envelopes(surfaces: Surfaces) -> None:
    for payload in ([], "x", 5):
        assert "'payload': wanted an object" in surfaces.command("kv.get", payload)["error"]
    assert "Missing 'key' field" in surfaces.command("kv.get", None)["error"]
    assert surfaces.command("kv.nope", {})["error"] == "Unknown command: kv.nope"
    extra = {"command": "key.count", "type": 7, "version": "1", "timestamp": 0, "client_id": [], "request_id": "é\n"}
    assert surfaces.posted(extra) == {"success": True, "request_id": "é\n", "payload": {"size": 0}, "error": None}
    first, second = (surfaces.posted({"command": "key.count"})["request_id"] for _ in range(2))
    assert first and second and first != second
    assert surfaces.posted({"type": "batch", "commands": []}) == {"responses": []}
    waiting = {"keys": ["none"], "timeout": 0}
    assert surfaces.command("list.blpop", waiting)["payload"] == {"values": None}
    several = surfaces.batch(("list.blpop", waiting), ("connection.ping", {}), ("list.blpop", waiting))
    assert [reply["payload"] for reply in several] == [{"values": None}, {"reply": "PONG"}, {"values": None}]


def test_switch(store: Any) -> None:
    off = Surfaces(flush=False)
    text = "Invalid request: key.flush is disabled. Set 'kv_store.allow_flush_commands: true' to allow it"
    assert off.rest("POST", "/key/flush")[:2] == (400, {"error": text, "code": 400})
    for name in ("key.flush", "kv.flushall"):
        assert off.command(name, {})["error"] == text
        assert [reply["error"] for reply in off.batch((name, {}), (name, {}))] == [text, text]
    assert off.resp("FLUSHALL") == b"OK"
    assert Surfaces(flush=True).rest("POST", "/key/flush")[:2] == (200, {"flushed": 0})


@pytest.mark.parametrize("path", [
    "/kv", "/kv/get", "/kv/get/", "/kv/get/k/", "//kv/get/k", "/kv/get/a/b", "/nothing", "/KV/get/k", "/health/",
    "/queue/q/consume", "/kv/get/%2F/x", "/key", "/list/a/b/c/d",
])  # fmt: skip
def test_unknown_paths(surfaces: Surfaces, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "DELETE", "PUT", "PATCH"):
        status, value, headers = surfaces.rest(method, path)
        assert status in (404, 405) and value["code"] == status
        assert status == 404 or (headers[b"allow"] and path.startswith("/queue/q")), path


@pytest.mark.parametrize("path", ["/kv/get/%FF", "/kv/%C3%28/incr", "/list/%ED%A0%80/len"])
def test_paths_that_are_no_text(surfaces: Surfaces, path: str) -> None:
    assert surfaces.rest("GET", path)[:2] == (400, {"error": "Invalid request: the path is not UTF-8", "code": 400})


def test_methods(surfaces: Surfaces) -> None:
    for row in CATALOGUE.rows:
        for route in row.http:
            path = route.path.replace("{", "").replace("}", "")
            if route.alias:  # what its path means without it: see test_quick_start
                continue
            allowed = {other.method for each in CATALOGUE.rows for other in each.http if alike(other.path, path)}
            getters = [each for each in CATALOGUE.rows for other in each.http
                       if other.method == "GET" and alike(other.path, path)]
            told = allowed | {"OPTIONS"} | ({"HEAD"} if getters and not getters[0].writes else set())
            for method in {"GET", "POST", "DELETE", "PUT", "PATCH", "BREW"} - allowed:
                status, value, headers = surfaces.rest(method, path)
                assert (status, value["code"]) == (405, 405) and method in value["error"], path
                assert set(headers[b"allow"].decode().split(", ")) == told
            if "GET" in allowed:
                getter = getters[0]
                status, _, headers = surfaces.rest("HEAD", path)
                assert (status == 405) is getter.writes, path
                assert not getter.writes or b"allow" in headers
    for path, method in (("/health", "GET"), ("/snapshot", "POST"), ("/api/v1/command", "POST")):
        for wrong in {"GET", "POST", "DELETE", "PUT", "HEAD"} - {method, "HEAD" if method == "GET" else method}:
            status, _, headers = surfaces.rest(wrong, path)
            told = {method, "OPTIONS"} | ({"HEAD"} if method == "GET" else set())
            assert (status, set(headers[b"allow"].decode().split(", "))) == (405, told), (path, wrong)
    assert surfaces.rest("HEAD", "/health")[0] == 200


def alike(pattern: str, path: str) -> bool:
    """Does the path fit the pattern, with fixed words before names?"""
    parts, words = pattern.split("/"), path.split("/")
    return len(parts) == len(words) and all(
        part == word or part == "{" + word + "}" for part, word in zip(parts, words, strict=True)
    )


def test_head_of_a_message_takes_none(surfaces: Surfaces) -> None:
    surfaces.resp("QUEUE.CREATE", "q", 100, 30000, 3, 5)
    surfaces.resp("QUEUE.PUBLISH", "q", "hi")
    assert surfaces.rest("HEAD", "/queue/q/consume/w")[0] == 405
    assert surfaces.rest("GET", "/queue/q/stats")[1]["depth"] == 1


def test_snapshot_without_a_disk(surfaces: Surfaces) -> None:
    surfaces.server.node.disk = None  # type: ignore[union-attr]
    status, value, _ = surfaces.rest("POST", "/snapshot")
    assert status == 400 and "persistence.enabled" in value["error"]


def test_before_it_is_ready(surfaces: Surfaces) -> None:
    surfaces.server.node = surfaces.server.engine = None
    surfaces.server.phase = "compiling"
    for method, path in (("GET", "/health"), ("GET", "/kv/get/k"), ("POST", "/snapshot"), ("GET", "/nothing")):
        status, value, headers = surfaces.rest(method, path)
        assert status == 503 and value["status"] == "starting" and b"retry-after" in headers
    assert surfaces.command("kv.get", {"key": "k"})["error"] == "Loading the dataset"
    assert surfaces.batch(("kv.get", {"key": "k"}))[0]["error"] == "Loading the dataset"
    assert surfaces.rest("GET", "/kv/get/k", host="evil.example")[0] == 403


# Who may come in.

FORGED = [
    "evil.example", "evil.example:80", "EVIL.EXAMPLE", "localhost.evil.example", "127.0.0.1.evil.example",
    "127.0.0.1:80.evil.example", "localhost:80@evil.example", "[::1].evil.example", "[::1]evil.example",
    "[evil.example]",
    "evil%2eexample", "localhost..", ".", "evil.example.",
    "synap.example.evil.org", "xsynap.example", "127.1.evil", ".evil",
    "evil.localhost.example", "1.2.3.4.5", "a,b.c", ":80", "[::1", "evil.example%00localhost", "0x7f.0.0.1.evil",
]  # fmt: skip
OURS = [
    "localhost", "localhost:15500", "LOCALHOST", "localhost.", "LocalHost.:15500", "synap.example.",
    "a.localhost.:1", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:15500", "10.0.0.7:1",
    "synap", "my-node:15500", "a.localhost", "synap.example", "SYNAP.example:15500", "",
]  # fmt: skip
REQUESTS: list[tuple[str, str, Any]] = [
    ("GET", "/health", None), ("GET", "/kv/get/k", None), ("POST", "/kv/set", {"key": "k", "value": 1}),
    ("POST", "/api/v1/command", {"command": "kv.get", "payload": {"key": "k"}}), ("GET", "/nothing", None),
    ("POST", "/kv/set", b"{"), ("GET", "/kv/set", None), ("GET", "/kv/get/%FF", None), ("POST", "/snapshot", None),
]  # fmt: skip


@pytest.mark.parametrize("host", FORGED)
def test_forged_hosts(surfaces: Surfaces, host: str) -> None:
    for method, path, body in REQUESTS:
        status, value, _ = surfaces.rest(method, path, body, host=host)
        assert (status, value["code"]) == (403, 403) and "allowed_hosts" in value["error"], (path, value)
    assert surfaces.resp("DBSIZE") == 0


@pytest.mark.parametrize("host", OURS)
def test_our_hosts(surfaces: Surfaces, host: str) -> None:
    assert surfaces.rest("POST", "/kv/set", {"key": "k", "value": 1}, host=host)[0] == 200
    assert surfaces.rest("GET", "/kv/get/k", host=host)[0] == 200


FOREIGN = [
    {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://localhost:3000"}, {"origin": "http://["},
    {"origin": ""}, {"origin": "http://localhost.evil.example"}, {"origin": "file://"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "Cross-Site"}, {"origin": "http://localhost", "sec-fetch-site": "cross-site"},
    {"origin": "\xff"}, {"origin": "https://user@evil.example"},
]  # fmt: skip


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_other_pages_may_not_write(surfaces: Surfaces, headers: dict[str, str]) -> None:
    surfaces.resp("QUEUE.CREATE", "q", 100, 30000, 3, 5)
    surfaces.resp("QUEUE.PUBLISH", "q", "hi")
    for row in CATALOGUE.rows:
        for route in row.http:
            path = route.path.replace("{queue}", "q").replace("{", "").replace("}", "")
            status, value, _ = surfaces.rest(route.method, path, headers=headers)
            assert (status == 403) is (row.writes or route.method not in ("GET", "HEAD")), (row.name, value)
    for path in ("/api/v1/command", "/snapshot"):
        assert surfaces.rest("POST", path, {"command": "key.count"}, headers=headers)[0] == 403
    assert surfaces.rest("GET", "/health", headers=headers)[0] == 200
    assert surfaces.rest("GET", "/queue/q/stats")[1]["depth"] == 1 and surfaces.resp("DBSIZE") == 0


def test_our_own_pages_may_write(surfaces: Surfaces) -> None:
    body = {"key": "k", "value": 1}
    for headers in ({"origin": "http://localhost"}, {"origin": "http://LOCALHOST"}, {"sec-fetch-site": "same-origin"},
                    {"sec-fetch-site": "none"}):  # fmt: skip
        assert surfaces.rest("POST", "/kv/set", body, headers=headers)[0] == 200
    first = [(b"origin", b"http://localhost:15500"), (b"host", b"localhost:15500")]  # in this order
    request = Request(b"POST", b"/kv/set", b"", first, json.dumps(body).encode(), True, b"1.1")
    response = surfaces.answer(request)
    assert isinstance(response, Response) and response.status == 200


COUNTS = (-(1 << 26), -200_000_000, -(1 << 40) - 77, -(1 << 57), -(1 << 58) - 12345, -(1 << 63) + 1)
DRAWS = (
    ("hash.randfield", "HRANDFIELD", "/hash/h/randfield", "h"), ("set.pick", "SRANDMEMBER", "/set/s/randmember", "s"),
    ("zset.randmember", "ZRANDMEMBER", None, "z"),
)  # fmt: skip


@pytest.mark.parametrize("count", COUNTS)
def test_a_reply_that_is_too_large_touches_nothing(surfaces: Surfaces, count: int) -> None:
    """No count makes a refused call give pages back that are in use, and no other client loses anything."""
    db = surfaces.database
    for words in ("SET k v", "HSET h f v g w", "SADD s a b", "ZADD z 1 a 2 b", "QUEUE.CREATE q", "QUEUE.PUBLISH q x"):
        surfaces.resp(*words.split())
    db.set("k", "v"), db.hset("h", {"f": "v"}), db.sadd("s", ["a"]), db.zadd("z", {"a": 1}), db.queue_create("q")
    engines = surfaces.server.engine, db._engine
    before = [digest_of(engine) for engine in engines]
    text = "the reply would be larger than limits.reply_bytes_max"
    for name, word, path, key in DRAWS:
        fields = {"key": key, "count": count}
        for version in (2, 3):
            assert text in str(surfaces.resp(word, key, str(count), version=version))
            surfaces.resp("MULTI", version=version)
            surfaces.resp(word, key, str(count), version=version)
            assert text in str(surfaces.resp("EXEC", version=version))
        if path:
            status, body, _ = surfaces.rest("GET", f"{path}?count={count}")
            assert status == 400 and text in body["error"]
            assert text in surfaces.command(name, fields)["error"]
            assert [each["success"] for each in surfaces.batch((name, fields), (name, fields))] == [False, False]
        with pytest.raises(Fault, match=text):
            db.call(name, **fields)
    assert [digest_of(engine) for engine in engines] == before
    assert surfaces.resp("GET", "k") == b"v" and db.get("k") == b"v"


def named_anew(row: Command, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields under the other names that they have."""
    others = {name: other for other, name in row.also.items()}
    return {others.get(name, name): value for name, value in fields.items()}


@pytest.mark.parametrize("anew", [False, True], ids=["own names", "other names"])
def test_no_text_has_a_gap(surfaces: Surfaces, anew: bool) -> None:
    """Whatever names a client gives to fields, the text of a refusal is filled."""
    told = 0
    for row in CATALOGUE.rows:
        if row.json is None or row.internal or row.session or row.traits & EMPTIES:
            continue
        fields = fields_to(row.args, None, 0, "none")
        reply = surfaces.command(row.name, named_anew(row, fields) if anew else fields)
        if not reply["success"] and reply["error"]:
            told += 1
            assert not re.search(r"\{\w*\}", reply["error"]), (row.name, reply["error"])
    assert told > 20


def test_what_is_missing_has_the_name_of_a_field(surfaces: Surfaces) -> None:
    surfaces.resp("QUEUE.CREATE", "q", 10, 30000, 3, 5)
    surfaces.resp("GROUP.CREATE", "g", "t", 2)
    for path, body, name in (
        ("/queue/q/publish_many", {"payloads": ["a"]}, "'messages' or 'keyed'"),
        ("/consumer-groups/g/reset", {"to": "latest"}, "'earliest' or 'latest' or 'offset' or 'timestamp_ms'"),
    ):
        status, value, _ = surfaces.rest("POST", path, body)
        assert (status, value["error"]) == (422, f"Invalid request: Missing {name} field")
    for name in ("message_id", "receipt"):
        status, value, _ = surfaces.rest("POST", "/queue/q/ack", {name: "x"})
        assert (status, value["error"]) == (404, "Message not found: x")
