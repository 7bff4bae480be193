"""Clients that other people wrote, unmodified: redis-py, redis-cli, redis-benchmark, curl."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import redis
import redis.asyncio

from tests.server.clients import HOST, Server


def tool(name: str, *arguments: str, given: str = "") -> str:
    """What a program prints; it must be installed and must succeed."""
    path = shutil.which(name)
    assert path, f"{name} is missing: install redis-tools and curl, this is not to be skipped"
    done = subprocess.run([path, *arguments], input=given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{name} {arguments}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("decode", [False, True])
def test_redis_py(node: Server, protocol: int, decode: bool) -> None:
    def text(value: str) -> Any:
        return value if decode else value.encode()

    with redis.Redis(HOST, node.resp_port, protocol=protocol, decode_responses=decode) as client:
        assert client.ping() is True
        assert client.set("k", "v") is True and client.get("k") == text("v")
        assert client.set("k", "w", nx=True) is None
        assert client.set("k", "w", xx=True, get=True) == text("v")
        assert client.incr("n") == 1 and client.incrby("n", 41) == 42
        assert client.rpush("l", "a", "b", "c") == 3 and client.lrange("l", 0, -1) == [text(c) for c in "abc"]
        assert client.lpop("l") == text("a") and client.rpop("l", 2) == [text("c"), text("b")]
        assert client.blpop(["l"], timeout=0.05) is None
        assert client.sadd("s", "a", "b") == 2 and client.smembers("s") == {text("a"), text("b")}
        assert client.sismember("s", "a") and client.srem("s", "a") == 1 and client.spop("s") == text("b")
        assert client.expire("k", 100) and 0 < client.pttl("k") <= 100_000
        assert sorted(client.scan_iter(match="[kn]")) == [text("k"), text("n")]
        assert client.dbsize() == 2 and client.delete("k", "n", "none") == 2
        assert client.echo("hi") == text("hi")
        with pytest.raises(redis.ResponseError, match="unknown command"):
            client.execute_command("NONESUCH")
        client.set("text", "x")
        with pytest.raises(redis.ResponseError, match="not an integer"):
            client.incr("text")
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            client.lpop("text")


def test_redis_py_pipelines_and_transactions(node: Server) -> None:
    with redis.Redis(HOST, node.resp_port) as client:
        plain = client.pipeline(transaction=False)
        for i in range(2000):
            plain.set(f"k{i}", i).get(f"k{i}")
        assert plain.execute()[1::2] == [b"%d" % i for i in range(2000)]
        group = client.pipeline()
        for _ in range(500):
            group.incr("n")
        assert group.execute() == list(range(1, 501))
        with client.pipeline() as watched:
            watched.watch("n")
            client.set("n", 7)
            watched.multi()
            watched.incr("n")
            with pytest.raises(redis.WatchError):
                watched.execute()
        assert client.transaction(lambda pipe: pipe.multi() or pipe.incr("n"), "n") == [8]
        with client.lock("lock", timeout=5, blocking_timeout=1, thread_local=False) as lock:
            assert client.get("lock") == lock.local.token
            lock.release = lambda: client.delete("lock")  # its release is a script, which is still to come


def test_redis_py_asyncio(node: Server) -> None:
    async def run() -> None:
        client = redis.asyncio.Redis(host=HOST, port=node.resp_port, decode_responses=True, protocol=3)
        try:
            parked = asyncio.create_task(client.blpop(["jobs"], timeout=5))
            await asyncio.sleep(0.05)
            assert await client.rpush("jobs", "one") == 1
            assert await parked == ["jobs", "one"]
            await asyncio.gather(*(client.incr("n") for _ in range(80)))
            assert await client.get("n") == "80"
            async with client.pipeline(transaction=True) as group:
                assert await group.set("a", "1").incr("a").get("a").execute() == [True, 2, "2"]
        finally:
            await client.aclose()

    asyncio.run(run())


def test_redis_cli(node: Server) -> None:
    def ask(*words: str, given: str = "") -> str:
        return tool("redis-cli", "-h", HOST, "-p", str(node.resp_port), *words, given=given).strip()

    assert ask("PING") == "PONG"
    assert ask("SET", "k", "v") == "OK" and ask("GET", "k") == "v" and ask("-3", "GET", "none") == ""
    assert ask("RPUSH", "l", "a", "b") == "2" and ask("LRANGE", "l", "0", "-1") == "a\nb"
    assert "unknown command" in ask("NONESUCH", "a")
    assert sorted(ask("--scan").split()) == ["k", "l"]
    assert ask(given="MULTI\nINCR n\nINCR n\nEXEC\n").split() == ["OK", "QUEUED", "QUEUED", "1", "2"]
    assert "redis_version" in ask("INFO", "server")
    calls = "".join(f"SET p{i} {i}\r\n" for i in range(5000))
    assert "errors: 0, replies: 5000" in ask("--pipe", given=calls)
    assert ask("GET", "p4999") == "4999"


def test_redis_benchmark(node: Server) -> None:
    tests = "ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,spop,lrange_100"
    said = tool(
        "redis-benchmark", "-h", HOST, "-p", str(node.resp_port), "-t", tests, "-q", "-n", "20000", "-P", "16",
        "-r", "1000", "--csv",
    )  # fmt: skip
    rates = {name.strip('"'): float(rate.strip('"')) for name, rate, *_ in (
        line.split(",") for line in said.splitlines() if line[:5] != '"test' and "," in line
    )}  # fmt: skip
    assert len(rates) >= 11, said
    assert min(rates.values()) > 1000, said
    with node.resp() as client:
        assert int(client.ask("INFO", "stats").split(b"total_commands_processed:")[1].split()[0]) > 200_000


@pytest.fixture
def curl(serve: Callable[..., Server]) -> Callable[..., Any]:
    """(status, JSON) of a request made by curl."""
    server = serve({"kv_store.allow_flush_commands": "true"}).start()

    def ask(method: str, path: str, body: Any = None, *more: str) -> tuple[int, Any]:
        arguments = ["-s", "-X", method, "-w", "\n%{http_code}", f"http://{HOST}:{server.http_port}{path}", *more]
        if body is not None:
            arguments += ["-H", "content-type: application/json", "-d", json.dumps(body)]
        text, _, status = tool("curl", *arguments).rpartition("\n")
        return int(status), json.loads(text) if text else None

    return ask


def test_curl_values(curl: Callable[..., Any]) -> None:
    assert curl("GET", "/health")[1]["status"] == "healthy"
    told = curl("POST", "/kv/set", {"key": "a", "value": "b c"})
    assert told == (200, {"success": True, "key": "a", "written": True})
    status, found = curl("GET", "/kv/get/a")
    assert status == 200 and "b c" in json.dumps(found)
    assert curl("POST", "/kv/n/incr", {})[1] == {"value": 1}
    assert curl("POST", "/kv/n/incrby", {"amount": 41})[1] == {"value": 42}
    assert curl("DELETE", "/kv/del/a") == (200, {"deleted": True, "key": "a"})
    assert curl("GET", "/kv/get/a")[1] == {"error": "Key not found"}
    assert curl("GET", "/key/count")[1] == {"size": 1}
    assert curl("GET", "/none/such")[0] == 404
    assert curl("PUT", "/kv/set", {"key": "a", "value": "b"})[0] == 405
    assert curl("POST", "/kv/set", {"key": "a"})[0] in (400, 422)
    assert curl("POST", "/key/flush", {})[0] == 200 and curl("GET", "/key/count")[1] == {"size": 0}


def test_curl_lists_and_sets(curl: Callable[..., Any]) -> None:
    assert curl("POST", "/list/l/rpush", {"values": ["a", "b", "c"]})[1] == {"length": 3, "key": "l"}
    assert curl("GET", "/list/l/range?start=1&stop=-1")[1]["values"] == ["b", "c"]
    assert curl("POST", "/list/l/lpop", {"count": 2})[1]["values"] == ["a", "b"]
    assert curl("POST", "/set/s/add", {"members": ["x", "y"]})[1] == {"added": 2, "key": "s"}
    assert sorted(curl("GET", "/set/s/members")[1]["members"]) == ["x", "y"]
    assert curl("POST", "/set/s/ismember", {"member": "x"})[1]["is_member"] is True


def test_curl_queues(curl: Callable[..., Any]) -> None:
    assert curl("POST", "/queue/jobs", {})[0] == 200
    status, published = curl("POST", "/queue/jobs/publish", {"payload": list(b"hello"), "priority": 7})
    assert status == 200
    message = curl("GET", "/queue/jobs/consume/worker")[1]
    assert message["message_id"] == published["message_id"] and message["priority"] == 7
    assert curl("POST", "/queue/jobs/ack", {"message_id": message["message_id"]}) == (200, {"success": True})
    assert curl("POST", "/queue/jobs/ack", {"message_id": message["message_id"]})[0] == 404
    assert curl("GET", "/queue/jobs/stats")[1]["acked"] == 1


def test_curl_commands_in_an_envelope(curl: Callable[..., Any]) -> None:
    one = {"command": "kv.set", "request_id": "r1", "payload": {"key": "k", "value": {"deep": [1, None]}}}
    status, reply = curl("POST", "/api/v1/command", one)
    assert status == 200 and reply["success"] is True and reply["request_id"] == "r1"
    batch = {"type": "batch", "commands": [
        {"command": "kv.get", "request_id": "r2", "payload": {"key": "k"}},
        {"command": "none", "request_id": "r3", "payload": {}},
    ]}  # fmt: skip
    first, second = curl("POST", "/api/v1/command", batch)[1]["responses"]
    assert first["success"] and "deep" in json.dumps(first["payload"]) and second["success"] is False


def test_curl_is_not_a_page_of_somebody_else(curl: Callable[..., Any]) -> None:
    forged = ("-H", "Origin: http://elsewhere.example")
    assert curl("POST", "/kv/set", {"key": "a", "value": "b"}, *forged)[0] == 403
    assert curl("GET", "/health", None, "-H", "Host: elsewhere.example")[0] == 403
