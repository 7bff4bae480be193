"""HTTP around the rows: methods, encodings, other origins, the server's own pages, and the description of it all."""

import gzip
import http.client
import json
import random
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families

from synap.commands import CATALOGUE
from synap.derive import api_page, openapi
from synap.io.http.gzip_replies import gzipped
from synap.proto.http import Request, Response
from tests.cases import check_all
from tests.server.clients import HOST, Server
from tests.server.zygote import Zygote
from tests.surfaces.surfaces import Surfaces

APP = "https://app.example"
DOCUMENT = json.loads(json.dumps(openapi.document(CATALOGUE, "0")))
OPERATIONS = [(path, method.upper(), each) for path, methods in DOCUMENT["paths"].items()
              for method, each in methods.items()]  # fmt: skip


Validator = jsonschema.Draft202012Validator
"""Does not check a schema each time: `test_every_schema_is_one` does so once."""


class Answer:
    """One reply: status, headers with small names, body."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def value(self) -> Any:
        return json.loads(self.body)


def ask(server: Server, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """The reply to one request on a connection of its own."""
    connection = http.client.HTTPConnection(HOST, server.http_port, timeout=20)
    try:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, path, data, {name.replace("_", "-"): value for name, value in headers.items()})
        return Answer(connection.getresponse())
    finally:
        connection.close()


@pytest.fixture
def app(serve: Callable[..., Server]) -> Iterator[Server]:
    """A server that pages of one other origin may use."""
    yield serve({"server.cors_origins": APP}).start()


def test_values_as_octets_and_counts(node: Server) -> None:
    told = ask(node, "POST", "/kv/set", {"key": "k", "value": "h\u00fc"}).value
    assert told == {"success": True, "key": "k", "written": True}
    assert ask(node, "GET", "/kv/get/k?type=bytes").value == list("h\u00fc".encode())
    assert ask(node, "GET", "/kv/get/k?type=string").value == ask(node, "GET", "/kv/get/k?type=x").value == "h\u00fc"
    assert ask(node, "GET", "/kv/get/none?type=bytes").value == {"error": "Key not found"}
    one = {"command": "kv.get", "request_id": "abc", "payload": {"key": "k", "type": "bytes"}}
    missing = {"command": "kv.get", "request_id": "abc", "payload": {"key": "none", "type": "bytes"}}
    alone = ask(node, "POST", "/api/v1/command", one).value
    batch = ask(node, "POST", "/api/v1/command", {"type": "batch", "commands": [one, missing]}).value["responses"]
    assert [alone["payload"], batch[0]["payload"], batch[1]["payload"]] == [list("h\u00fc".encode())] * 2 + [None]
    stats = ask(node, "GET", "/kv/stats").value
    assert stats["operations"] == {"gets": 7, "sets": 1, "dels": 0, "hits": 5, "misses": 2}
    assert stats["total_keys"] == 1 and stats["total_memory_bytes"] > 0 and stats["hit_rate"] == 5 / 7
    enveloped = ask(node, "POST", "/api/v1/command", {"command": "kv.stats", "payload": {}}).value
    assert enveloped["payload"] == stats


def test_keys_by_prefix(node: Server) -> None:
    names = {f"user:{i}" for i in range(150)}
    commands = [{"command": "kv.set", "payload": {"key": name, "value": 1}} for name in (*names, "other", "user")]
    ask(node, "POST", "/api/v1/command", {"type": "batch", "commands": commands})

    def found(command: str, **payload: Any) -> Any:
        reply = ask(node, "POST", "/api/v1/command", {"command": command, "payload": payload}).value
        return reply["payload"] if reply["success"] else reply["error"]

    for payload, wanted, count in (
        ({"prefix": "user:"}, names, 100), ({"prefix": "user:", "limit": 7}, names, 7),
        ({"prefix": "user:", "limit": 1000}, names, 150), ({"prefix": "oth"}, {"other"}, 1),
        ({"prefix": "user:*"}, names, 100), ({}, {*names, "other", "user"}, 100), ({"limit": 0}, set(), 0),
    ):  # fmt: skip
        reply = found("kv.scan", **payload)
        assert reply["count"] == len(reply["keys"]) == len(set(reply["keys"])) == count, payload
        assert set(reply["keys"]) <= wanted, payload
    everything = {*names, "other", "user"}
    for payload, wanted in (
        ({}, everything), ({"pattern": "x"}, set()), ({"pattern": "*er"}, {"other", "user"}), ({"pattern": ""}, set()),
        ({"prefix": "user:"}, names), ({"prefix": ""}, everything), ({"prefix": None, "pattern": None}, everything),
        ({"prefix": "user:1", "pattern": "*[39]9"}, {"user:139"}),
    ):  # fmt: skip
        reply = found("kv.keys", **payload)
        assert set(reply["keys"]) == wanted and reply["count"] == len(wanted) == len(reply["keys"]), payload
    assert ask(node, "GET", "/kv/keys?prefix=us&pattern=????").value == {"keys": ["user"], "count": 1}
    assert "'limit': wanted a whole number of at least 0, found -1" in found("kv.scan", limit=-1)
    assert ask(node, "GET", "/kv/scan?prefix=oth").value == {"keys": ["other"], "count": 1}
    assert ask(node, "GET", "/kv/scan?limit=-1").status == 400


def test_head_answers_as_get_without_a_body(node: Server) -> None:
    ask(node, "POST", "/kv/set", {"key": "k", "value": "x" * 5000})
    for path in ("/kv/get/k", "/kv/get/none", "/health", "/docs", "/openapi.json", "/nothing", "/key/k/type"):
        for coding in ("identity", "gzip"):
            get, head = (ask(node, method, path, accept_encoding=coding) for method in ("GET", "HEAD"))
            assert head.body == b"" and head.status == get.status, path
            first, second = ({**reply.headers, "date": ""} for reply in (head, get))  # a second may have passed
            assert first == second and int(head.headers["content-length"]) == len(get.body), path
    assert ask(node, "HEAD", "/queue/q/consume/w").status == 405


def test_options_tells_the_methods(node: Server) -> None:
    for path, allow in (
        ("/kv/get/k", "GET, HEAD, OPTIONS"), ("/kv/set", "OPTIONS, POST"), ("/health", "GET, HEAD, OPTIONS"),
        ("/queue/q/consume/w", "GET, OPTIONS"), ("/api/v1/command", "OPTIONS, POST"),
    ):  # fmt: skip
        reply = ask(node, "OPTIONS", path, origin=APP, access_control_request_method="POST")
        assert (reply.status, reply.headers["allow"], reply.body) == (204, allow, b"")
        assert not [name for name in reply.headers if name.startswith("access-control")]
        assert ask(node, "PATCH", path).headers["allow"] == allow
    assert ask(node, "OPTIONS", "*").status == 204
    assert ask(node, "OPTIONS", "/nothing").status == 404


@pytest.mark.parametrize("offered, coded", [
    ("gzip", True), ("deflate, gzip;q=0.5", True), ("*", True), ("x-gzip", True), ("GZIP", True), ("gzip;q=0", False),
    ("identity", False), ("br, zstd", False), ("*;q=0", False), ("gzip;q=0, *", False), ("", False), ("gzip2", False),
])  # fmt: skip
def test_gzip_where_it_is_offered(node: Server, offered: str, coded: bool) -> None:
    ask(node, "POST", "/kv/set", {"key": "k", "value": "word " * 80})
    reply = ask(node, "GET", "/kv/get/k", accept_encoding=offered)
    assert (reply.headers.get("content-encoding") == "gzip") is coded
    body = gzip.decompress(reply.body) if coded else reply.body
    assert json.loads(body) == "word " * 80 and int(reply.headers["content-length"]) == len(reply.body)
    assert reply.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("size", [0, 100, 253, 254, 255, 30_000, 40_000, 1_000_000, 1_100_000])
def test_gzip_by_size(node: Server, size: int) -> None:
    ask(node, "POST", "/kv/set", {"key": "k", "value": "x" * size})
    reply = ask(node, "GET", "/kv/get/k", accept_encoding="gzip")
    coded = "content-encoding" in reply.headers
    assert coded is (256 <= size + 2 <= 1 << 20), size  # two quotes
    assert json.loads(gzip.decompress(reply.body) if coded else reply.body) == "x" * size


def test_what_gzip_would_make_longer_stays() -> None:
    noise = random.Random(5).randbytes(1000)
    request = Request(b"GET", b"/", b"", [(b"accept-encoding", b"gzip")], b"", True, b"1.1")
    squeezed = gzipped(Response(200, noise), request)
    assert squeezed.body == noise and squeezed.headers == [(b"vary", b"Accept-Encoding")]


def test_an_allowed_origin_may_write_and_read(app: Server) -> None:
    body = {"key": "k", "value": 1}
    reply = ask(app, "POST", "/kv/set", body, origin=APP, sec_fetch_site="cross-site")
    assert reply.status == 200 and reply.headers["access-control-allow-origin"] == APP
    assert reply.headers["vary"] == "Origin" and "access-control-allow-credentials" not in reply.headers
    before = ask(app, "OPTIONS", "/kv/set", origin=APP, access_control_request_method="POST")
    assert before.status == 204 and before.headers["access-control-allow-origin"] == APP
    assert before.headers["access-control-allow-methods"] == "OPTIONS, POST"
    assert "content-type" in before.headers["access-control-allow-headers"]
    missing = ask(app, "GET", "/nothing", origin=APP)
    assert missing.status == 404 and missing.headers["access-control-allow-origin"] == APP
    assert ask(app, "GET", "/health").headers["vary"] == "Origin"


FORGED = [
    {"origin": "https://evil.example"}, {"origin": "http://app.example"}, {"origin": APP + ":8443"},
    {"origin": APP + ".evil.example"}, {"origin": "https://app.example.evil"}, {"origin": "https://sub.app.example"},
    {"origin": "null"}, {"origin": ""}, {"origin": "file://"}, {"origin": "https://user@app.example"},
    {"origin": APP + "/"}, {"origin": "https://app.example evil"}, {"origin": "*"},
    {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "CROSS-SITE", "content-type": "text/plain"},
    {"sec-fetch-site": "same-site"},
    {"origin": "https://evil.example", "host": "app.example"}, {"host": "evil.example"},
    {"host": "127.0.0.1.evil.example"}, {"host": "app.example", "origin": APP}, {"host": "localhost.evil.example:80"},
    {"host": "evil.example", "origin": "http://evil.example"}, {"host": "[::1].evil.example"},
    {"origin": "http://localhost:1", "sec-fetch-site": "same-site"}, {"origin": "http://[::1"},
]  # fmt: skip


def test_a_page_of_another_origin_sends_nothing_but_get(node: Server) -> None:
    """Whatever the row: a script, a function, a kill, or one that only reads."""

    def check(place: tuple[str, str]) -> None:
        path, method = place
        for name in re.findall(r"{(\w+)}", path):
            path = path.replace("{" + name + "}", "x")
        assert ask(node, method.upper(), path, {}, origin="http://evil.example").status == 403

    described = json.loads(ask(node, "GET", "/openapi.json").body)["paths"]
    places = [(path, method) for path, row in described.items() for method in row if method not in ("get", "head")]
    assert ("/script/eval", "post") in places and len(places) > 140
    check_all(check, places, str)


@pytest.mark.parametrize("headers", FORGED, ids=str)
def test_forged_requests_change_nothing(app: Server, headers: dict[str, str]) -> None:
    for path, body in (
        ("/kv/set", {"key": "k", "value": 1}), ("/snapshot", None),
        ("/api/v1/command", {"command": "kv.set", "payload": {"key": "k", "value": 1}}),
    ):  # fmt: skip
        reply = ask(app, "POST", path, body, **headers)
        assert reply.status in (400, 403) and "error" in reply.value, path
        assert "access-control-allow-origin" not in reply.headers or headers.get("origin") == APP
    asked = ask(app, "OPTIONS", "/kv/set", access_control_request_method="POST", **headers)
    assert "access-control-allow-methods" not in asked.headers
    assert ask(app, "GET", "/key/count").value == {"size": 0}


def test_a_star_is_every_origin(serve: Callable[..., Server]) -> None:
    server = serve({"server.cors_origins": "*"}).start()
    reply = ask(server, "POST", "/kv/set", {"key": "k", "value": 1}, origin="https://any.example")
    assert reply.status == 200 and reply.headers["access-control-allow-origin"] == "https://any.example"


def test_pipelined_requests_are_answered_in_order(node: Server) -> None:
    count = 200
    with socket.create_connection((HOST, node.http_port), timeout=20) as client:
        sent = b""
        for i in range(count):
            body = b'{"key":"k%d","value":%d}' % (i, i)
            chunked = b"".join(b"1\r\n%c\r\n" % octet for octet in body) + b"0\r\n\r\n"
            sent += b"POST /kv/set HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked
            sent += b"GET /kv/get/k%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % i
        client.sendall(sent + b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        client.settimeout(20)
        got = b"".join(iter(lambda: client.recv(1 << 16), b""))
    bodies = re.findall(rb"\r\n\r\n(.*?)(?=HTTP/1\.1|\Z)", got, re.DOTALL)
    assert len(bodies) == 2 * count + 1
    assert [json.loads(body) for body in bodies[1:-1:2]] == [str(i) for i in range(count)]


# What the server says of itself.


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize("accept, html", [
    (BROWSER, True), ("text/html", True), ("TEXT/HTML;q=0.5", True), ("text/html;level=1, */*;q=0.1", True),
    ("application/xhtml+xml", True), ("text/html, application/json", True), (None, False), ("", False), ("*/*", False),
    ("application/json", False), ("application/json, text/html;q=0.9", False), ("text/html;q=0", False),
    ("text/html;q=0.000, */*", False), ("text/plain", False), ("text/*", False), ("text/htmlx", False), (",;/", False),
])  # fmt: skip
def test_the_front_page(node: Server, accept: str | None, html: bool) -> None:
    given = {} if accept is None else {"accept": accept}
    get, head = (ask(node, method, "/", **given) for method in ("GET", "HEAD"))
    same = {name: value for name, value in get.headers.items() if name != "date"}
    assert (get.status, head.status, head.body) == (200, 200, b"") and same.items() <= head.headers.items()
    assert get.headers["vary"].split(", ")[0] == "Accept"
    version = ask(node, "GET", "/health").value["version"]
    if html:
        text = get.body.decode()
        assert get.headers["content-type"] == "text/html; charset=utf-8"
        assert get.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
        links = re.findall(r"href='([^']+)'", text)
        assert f"<h1>Synap {version}</h1>" in text and "<script" not in text
    else:
        assert get.headers["content-type"] == "application/json"
        value = get.value
        described = DOCUMENT["paths"]["/"]["get"]["responses"]["200"]["content"]
        Validator(described["application/json"]["schema"]).validate(value)
        assert (value["service"], value["version"]) == ("synap", version)
        links = list(value["links"].values())
    assert links == ["/docs", "/openapi.json", "/health", "/metrics"]
    assert all(ask(node, "GET", link).status == 200 for link in links)


def test_the_front_page_is_behind_the_door(app: Server) -> None:
    assert ask(app, "GET", "/", host="evil.example").status == 403
    assert ask(app, "GET", "/", accept=BROWSER, host="evil.example").status == 403
    reply = ask(app, "GET", "/", accept=BROWSER, origin=APP)
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, APP)
    assert "access-control-allow-origin" not in ask(app, "GET", "/", origin="https://evil.example").headers
    refused = ask(app, "POST", "/", {})
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert ask(app, "OPTIONS", "/").headers["allow"] == "GET, HEAD, OPTIONS"


def test_replication_of_a_node_that_stands_alone(node: Server) -> None:
    ask(node, "POST", "/kv/set", {"key": "k", "value": 1})
    found = ask(node, "GET", "/health/replication").value
    assert (found["role"], found["status"], found["current_offset"], found["replicas"]) == (
        "standalone", "healthy", 1, [])  # fmt: skip


def test_metrics(node: Server) -> None:
    for i in range(5):
        ask(node, "POST", "/kv/set", {"key": f"k{i}", "value": "x"})
    ask(node, "POST", "/kv/k1/incr")
    ask(node, "GET", "/nothing")
    reply = ask(node, "GET", "/metrics")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = {(sample.name, *sorted(sample.labels.items())): sample.value
               for family in text_string_to_metric_families(reply.body.decode()) for sample in family.samples}

    def value(name: str, **labels: str) -> float:
        return samples[(name, *sorted(labels.items()))]

    assert value("synap_commands_total", command="kv.set", status="success") == 5
    assert value("synap_commands_total", command="kv.increment", status="error") == 1
    assert value("synap_kv_operations_total", operation="kv.set", status="success") == 5
    assert value("synap_commands_changed_total", command="kv.set") == 5
    assert value("synap_http_requests_total", status="200") == 5
    assert value("synap_http_requests_total", status="400") == value("synap_http_requests_total", status="404") == 1
    assert value("synap_http_request_duration_seconds_count") == 7
    assert value("synap_http_request_duration_seconds_bucket", le="+Inf") == 7
    assert 0 < value("synap_http_request_duration_seconds_sum") < 7
    assert value("synap_keys") == value("synap_namespace_keys", namespace="0") == 5
    assert value("synap_up") == value("synap_connections") == 1 and value("synap_uptime_seconds") > 0
    assert value("synap_kv_memory_bytes", type="total") == 4096 << 20
    assert value("synap_log_written_seq") == 5 and value("synap_log_failed") == 0
    assert value("process_resident_memory_bytes") > 1 << 20
    lines = [line for line in reply.body.decode().splitlines() if not line.startswith("#")]
    names = [line.rsplit(" ", 1)[0] for line in lines]
    assert len(names) == len(set(names)), "a sample stands twice"


def test_the_page_for_people_is_whole_and_loads_nothing(node: Server) -> None:
    reply = ask(node, "GET", "/docs")
    text = reply.body.decode()
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert not re.search(r"<script|<img|<link|@import|url\(|\bon\w+=|style=", text)
    for path, method, _ in OPERATIONS:
        assert f"<b>{method}</b> {path}</h3>" in text
        assert text.count("<section>") == len(OPERATIONS)


def test_the_document_is_served_and_names_every_route(node: Server) -> None:
    found = ask(node, "GET", "/openapi.json").value
    assert found["openapi"].startswith("3.1") and found["paths"] == DOCUMENT["paths"]
    told = {(path, method) for path, method, _ in OPERATIONS}
    routes = {(route.path, route.method) for row in CATALOGUE.rows for route in row.http}
    web = Surfaces().web
    own = {(path.decode(), method) for path, (method, _) in web.fixed.items()}
    own |= {(path.decode(), "POST") for path in web.posted}
    hidden = {("/queue/publish", "DELETE"), ("/stream/publish", "DELETE"), ("/stream/publish", "PUT")}
    assert told == routes | own | hidden
    assert {name for row in CATALOGUE.rows if row.http and not row.internal for name in row.envelope} <= set(
        found["paths"]["/api/v1/command"]["post"]["x-synap-commands"]
    )
    assert len({each["operationId"] for _, _, each in OPERATIONS}) == len(OPERATIONS)


def test_every_schema_is_one() -> None:
    contents = [reply["content"] for _, _, each in OPERATIONS for reply in each["responses"].values()]
    schemas = [content["application/json"]["schema"] for content in contents if "application/json" in content]
    assert len(schemas) > 200
    Validator.check_schema({"anyOf": schemas, "components": DOCUMENT["components"]})
    for schema in DOCUMENT["components"]["schemas"].values():
        Validator.check_schema(schema)


@pytest.fixture(scope="module")
def shared(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all routes."""
    server = Server(zygote, tmp_path_factory.mktemp("shared") / "data", {})
    yield server.start()
    server.end()


@pytest.mark.parametrize("path, method, operation", OPERATIONS, ids=lambda given: given if type(given) is str else "")
def test_a_route_answers_as_described(shared: Server, path: str, method: str, operation: dict[str, Any]) -> None:
    """The example of the page is asked for, without data and with it: status and body are in the document."""
    node = shared
    filled, body = api_page.example(path, method, operation)
    if body and "timeout" in body:
        body["timeout"] = 0.05
    asked = [ask(node, method, filled, body)]
    for made in ("/kv/set", "/kv/set"):
        ask(node, "POST", made, {"key": "key", "value": "1"})
    ask(node, "POST", "/queue/queue", {})
    ask(node, "POST", "/queue/queue/publish", {"payload": [1, 2]})
    ask(node, "POST", "/kv/set", {"key": "source", "value": "1"})
    asked.append(ask(node, method, filled, body))
    for reply in asked:
        described = operation["responses"][str(reply.status)]["content"]
        content = reply.headers["content-type"].partition(";")[0]
        assert content in described and (len(described) == 1 or path == "/"), reply.body
        if content == "application/json":
            schema = {**described[content]["schema"], "components": DOCUMENT["components"]}
            Validator(schema).validate(reply.value)
    assert asked[1].status in (200, 400, 404, 409), asked[1].body
    required = operation.get("requestBody", {}).get("required")
    if required:
        empty = ask(node, method, filled, None)
        assert empty.status in (400, 422) and empty.value["code"] == empty.status
    wrong = ask(node, method, filled, b"[]" if method == "POST" else None)
    assert str(wrong.status) in operation["responses"], wrong.body
