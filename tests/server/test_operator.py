"""What an operator does with unmodified tools: settings, slow calls, delays, snapshots, the end of a server."""

import json
import select
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.server.clients import HOST, Gone, Resp, Server, command
from tests.server.test_real_clients import tool
from tests.support import Refusal


@pytest.fixture(params=[2, 3])
def client(node: Server, request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    with redis.Redis(HOST, node.resp_port, protocol=request.param, decode_responses=True) as client:
        yield client


def asked(node: Server, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """(status, JSON) of a request."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{HOST}:{node.http_port}{path}", data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_settings_change_together_or_not_at_all(client: redis.Redis) -> None:
    assert client.config_set("slowlog-max-len", 7) is True
    assert client.config_get("slowlog-max-len", "timeout") == {"slowlog-max-len": "7", "timeout": "0"}
    with pytest.raises(redis.ResponseError, match="related to argument 'timeout'"):
        client.config_set("slowlog-max-len", 9, "timeout", "soon")
    assert client.config_get("slowlog-max-l?n") == {"slowlog-max-len": "7"}
    for name, value, said in [
        ("nonesuch", "1", "Unknown option"), ("port", "1", "set at the start"),
        ("maxmemory-policy", "best", "must be one of"),
        ("maxmemory", "900gb", "fixed"), ("save", "1", "Invalid save"),
    ]:  # fmt: skip
        with pytest.raises(redis.ResponseError, match=said):
            client.config_set(name, value)
    client.config_set("maxmemory-policy", "allkeys-lfu", "maxmemory", "64mb", "save", "60 5")
    assert client.info("memory")["maxmemory_policy"] == "allkeys-lfu"
    assert client.config_get("maxmemory", "save") == {"maxmemory": str(64 << 20), "save": "60 5"}
    client.set("k", "v")
    assert client.object("freq", "k") >= 5
    with pytest.raises(redis.ResponseError, match="LFU maxmemory policy is selected"):
        client.object("idletime", "k")
    with pytest.raises(redis.ResponseError, match="never writes them"):
        client.config_rewrite()


def test_memory_that_is_used_up_is_said(client: redis.Redis) -> None:
    client.config_set("maxmemory", "1kb")
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        for i in range(100):
            client.set(f"k{i}", "x" * 100_000)
    client.config_set("maxmemory", "64mb")
    assert client.set("k", "v")


def test_slow_calls(node: Server, client: redis.Redis) -> None:
    client.client_setname("worker")
    client.config_set("slowlog-log-slower-than", 10_000)
    assert client.slowlog_reset()
    client.execute_command("DEBUG", "SLEEP", "0.02")
    (found,) = client.slowlog_get()
    text = found["command"]
    assert (text if isinstance(text, str) else text.decode()) == "DEBUG SLEEP 0.02"
    assert 20_000 <= found["duration"] < 5_000_000 and abs(found["start_time"] - time.time()) < 10
    raw = node.resp()
    (entry,) = raw.ask("SLOWLOG", "GET")
    assert entry[5] == b"worker" and entry[4].startswith(b"127.0.0.1:")
    status, value = asked(node, "GET", "/slowlog?count=5")
    assert status == 200 and value["total"] == 1
    assert value["entries"][0]["command"] == "DEBUG" and value["entries"][0]["args"] == ["SLEEP", "0.02"]
    client.config_set("slowlog-log-slower-than", 0)
    raw.ask("SET", "k" * 200, *["EX", "10"])
    words = raw.ask("SLOWLOG", "GET", "1")[0][3]
    assert words[1] == b"k" * 128 + b"... (72 more bytes)"
    raw.ask("DEL", *[f"k{i}" for i in range(40)])
    words = raw.ask("SLOWLOG", "GET", "1")[0][3]
    assert len(words) == 32 and words[-1] == b"... (10 more arguments)"
    raw.ask_all(["SET", "a", "1"], ["GET", "a"], ["GET", "b"])
    words = raw.ask("SLOWLOG", "GET", "1")[0][3]
    assert words[:3] == [b"SET", b"a", b"1"] and words[-1] == b"... (with 2 more commands in one read)"
    client.config_set("slowlog-log-slower-than", -1)
    client.slowlog_reset()
    raw.ask("SET", "a", "1")
    assert client.slowlog_len() == 0
    assert asked(node, "POST", "/slowlog/reset", {}) == (200, {"success": True, "cleared": 0})
    assert isinstance(raw.ask("SLOWLOG", "GET", "-2"), Refusal)
    raw.close()


def test_delays(client: redis.Redis) -> None:
    client.config_set("latency-monitor-threshold", 10, "slowlog-log-slower-than", 1000)
    client.execute_command("DEBUG", "SLEEP", "0.03")
    ((name, when, last, most),) = client.latency_latest()
    assert name == "command" and 30 <= last == most and abs(when - time.time()) < 10
    assert client.latency_history("command") == [[when, last]]
    assert "command" in client.execute_command("LATENCY", "DOCTOR")
    assert "#" in client.execute_command("LATENCY", "GRAPH", "command")
    assert client.latency_reset("command") == 1 and client.latency_latest() == []
    with pytest.raises(redis.ResponseError, match="No samples"):
        client.execute_command("LATENCY", "GRAPH", "fork")
    client.ping()
    found = client.execute_command("LATENCY", "HISTOGRAM", "ping")
    assert "ping" in (found if isinstance(found, dict) else found[:1])


def test_info(node: Server, client: redis.Redis) -> None:
    client.set("k", "v", ex=100)
    found = client.info("everything")
    for name in (
        "redis_version", "run_id", "connected_clients", "used_memory_peak_human", "maxmemory", "aof_enabled",
        "rdb_last_save_time", "instantaneous_ops_per_sec", "total_connections_received", "role", "used_cpu_user",
        "cluster_enabled", "cmdstat_set", "latency_percentiles_usec_client|setinfo", "db0",
    ):  # fmt: skip
        assert name in found, name
    assert found["db0"]["keys"] == 1 and found["db0"]["expires"] == 1 and found["cmdstat_set"]["calls"] == 1
    with pytest.raises(redis.ResponseError):
        client.execute_command("NONESUCH")
    before = client.info("errorstats")["errorstat_ERR"]["count"]
    with pytest.raises(redis.ResponseError):
        client.execute_command("NONESUCH")
    assert client.info("errorstats")["errorstat_ERR"] == {"count": before + 1}
    assert set(client.info("server", "cpu")) >= {"redis_version", "used_cpu_sys"}
    assert "redis_version" not in client.info("cpu", "keyspace")
    assert client.config_resetstat() and "cmdstat_set" not in client.info("commandstats")
    status, value = asked(node, "GET", "/info?section=memory")
    assert status == 200 and set(value) == {"memory"} and value["memory"]["used_memory"] > 0
    assert set(asked(node, "GET", "/info")[1]) >= {"server", "memory", "stats", "replication", "keyspace"}


def test_keys_looked_at(node: Server, client: redis.Redis) -> None:
    client.set("int", "12")
    client.set("text", "a b")
    client.set("long", "x" * 1000)
    client.rpush("list", "a")
    client.rpush("longlist", *["x" * 500] * 100)
    client.sadd("ints", 1, 2)
    client.sadd("words", "a")
    client.sadd("many", *range(1000))
    found = {key: client.object("encoding", key) for key in client.keys()}
    assert found == {
        "int": "int", "text": "embstr", "long": "raw", "list": "listpack", "longlist": "quicklist", "ints": "intset",
        "words": "listpack", "many": "hashtable",
    }  # fmt: skip
    assert client.object("refcount", "int") == 1 and client.object("idletime", "int") <= 2
    assert client.object("encoding", "none") is None and client.memory_usage("none") is None
    sizes = {key: client.memory_usage(key, samples=0) for key in found}
    assert sizes["long"] >= 1000 and sizes["longlist"] >= 50_000 and sizes["many"] > sizes["ints"] > 0
    assert "encoding:int" in str(client.execute_command("DEBUG", "OBJECT", "int"))
    with pytest.raises(redis.ResponseError, match="no such key"):
        client.execute_command("DEBUG", "OBJECT", "none")
    status, value = asked(node, "GET", "/memory/int/usage")
    assert status == 200 and value == {"key": "int", "bytes": sizes["int"], "human": f"{sizes['int']}B"}
    assert asked(node, "GET", "/memory/none/usage") == (404, {"error": "Key not found: none", "code": 404})
    envelope = {"command": "memory.usage", "request_id": "1", "payload": {"key": "int"}}
    assert asked(node, "POST", "/api/v1/command", envelope)[1]["payload"]["bytes"] == sizes["int"]
    assert client.execute_command("MEMORY", "DOCTOR") and client.memory_stats()["keys.count"] == 8
    assert client.memory_purge() and client.memory_malloc_stats()


def test_snapshots_by_hand(serve: Callable[..., Server]) -> None:
    server = serve().start()
    with redis.Redis(HOST, server.resp_port) as client:
        client.set("k", "v")
        before = client.lastsave()
        assert client.save() is True and client.lastsave() >= before
        assert client.bgsave() is True
        until = time.monotonic() + 20
        while client.info("persistence")["rdb_bgsave_in_progress"] and time.monotonic() < until:
            time.sleep(0.02)
        assert client.info("persistence")["snapshots_done"] == 2
        assert client.bgrewriteaof() is True
        assert abs(client.time()[0] - time.time()) < 10
        assert client.role()[0] == b"master" and client.wait(0, 10) == 0
        with pytest.raises(redis.ResponseError, match="only REPLICAOF NO ONE"):
            client.slaveof("other", 1)


def test_shutdown(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve().start()
    with redis.Redis(HOST, server.resp_port, retry=Retry(NoBackoff(), 0)) as client:
        client.set("k", "v")
        with pytest.raises(redis.ResponseError, match="No shutdown in progress"):
            client.execute_command("SHUTDOWN", "ABORT")
        client.shutdown(save=True)
    assert server.reap() == 0
    server.start()
    with server.resp() as raw:
        assert raw.ask("GET", "k") == b"v"
        raw.send("SHUTDOWN", "NOSAVE")
        with pytest.raises(Gone):
            raw.read()
    assert server.reap() == 0


def test_redis_cli_asks_for_help(node: Server) -> None:
    def ask(*words: str) -> str:
        return tool("redis-cli", "-h", HOST, "-p", str(node.resp_port), *words)

    for name in ("CLIENT", "CONFIG", "SLOWLOG", "LATENCY", "OBJECT", "MEMORY", "COMMAND", "ACL", "MODULE"):
        assert "HELP" in ask(name, "HELP"), name
    assert "Synap" in ask("LOLWUT") and ask("ACL", "WHOAMI").strip() == "default"
    assert ask("ACL", "CAT", "string").split() and ask("MODULE", "LIST").strip() == ""
    assert "unknown subcommand 'NONE'. Try CONFIG HELP." in ask("CONFIG", "NONE")
    assert "wrong number of arguments for 'config' command" in ask("CONFIG")
    assert "# Keyspace" in ask("INFO")


def test_redis_benchmark_as_it_comes(node: Server) -> None:
    tests = "ping_inline,ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,sadd,spop,lrange_100,lrange_300,mset"
    said = tool("redis-benchmark", "-h", HOST, "-p", str(node.resp_port), "-q", "-n", "1000", "-t", tests)
    done = [line for line in said.replace("\r", "\n").splitlines() if "requests per second" in line]
    assert len(done) >= 14 and "rror" not in said, said


@pytest.fixture
def peer() -> Iterator[Callable[[Server], Resp]]:
    """Makes clients that are closed in the end."""
    with ExitStack() as stack:
        yield lambda server: stack.enter_context(server.resp())


def test_appendfsync_changes_what_a_reply_promises(serve: Callable[..., Server], peer: Any) -> None:
    """A sync that does not end holds up replies in mode always, and in no other."""
    settings = {"persistence.wal.fsync_mode": "periodic", "persistence.wal.fsync_interval_ms": 60_000}
    server = serve(settings, before="tests.server.faulty:stuck_sync").start()
    switch = server.data.parent / "sync_stuck"
    writer, reader = peer(server), peer(server)

    def mode() -> str:
        return server.info("persistence")["log_fsync_mode"]

    switch.touch()
    assert writer.ask("SET", "a", "1") == b"OK" and mode() == "periodic"
    assert writer.ask("CONFIG", "SET", "appendfsync", "ALWAYS") == b"OK"  # with a sync in the loop, as the first is
    assert writer.ask("CONFIG", "GET", "appendfsync") == [b"appendfsync", b"always"] and mode() == "always"
    writer.send("SET", "b", "2")
    assert not select.select([writer.socket], [], [], 0.3)[0], "the reply did not wait for the disk"
    reader.send("CONFIG", "SET", "appendfsync", "no")  # waits too: what was to be on the disk before its reply will be
    assert not select.select([writer.socket, reader.socket], [], [], 0.3)[0]
    switch.unlink()
    assert writer.read() == b"OK" and reader.read() == b"OK" and mode() == "never"
    info = server.info("persistence")
    assert info["log_synced_seq"] == info["log_written_seq"] == "2"
    switch.touch()
    assert writer.ask("SET", "c", "3") == b"OK"
    assert server.info("persistence")["log_synced_seq"] == "2"
    switch.unlink()
    assert b"must be one of" in writer.ask("CONFIG", "SET", "appendfsync", "sometimes").args[0].encode()


def test_replies_keep_their_order_while_appendfsync_changes(serve: Callable[..., Server], peer: Any) -> None:
    server = serve(before="tests.server.faulty:slow_sync").start()
    clients = [peer(server) for _ in range(4)]
    for step in range(12):
        mode = ("always", "everysec", "no")[step % 3]
        for i, client in enumerate(clients):
            client.send_bytes(command("INCR", f"n{i}") * 5 + command("CONFIG", "SET", "appendfsync", mode)
                              + command("INCR", f"n{i}"))  # fmt: skip
        for client in clients:
            heard = [client.read() for _ in range(7)]
            assert heard == [6 * step + n for n in range(1, 6)] + [b"OK", 6 * step + 6]


def test_what_redis_tools_read_and_set(client: redis.Redis, node: Server) -> None:
    found = client.config_get("*")
    wanted = {
        "save", "appendonly", "appendfsync", "maxmemory", "maxmemory-policy", "maxmemory-samples", "timeout",
        "databases", "slowlog-log-slower-than", "slowlog-max-len", "latency-monitor-threshold",
        "client-output-buffer-limit", "dir", "tcp-keepalive", "tcp-backlog", "maxclients", "port", "bind",
        "proto-max-bulk-len", "notify-keyspace-events",
    }  # fmt: skip
    assert wanted <= set(found) and found["tcp-keepalive"] == "300" and found["appendonly"] == "yes"
    assert found["client-output-buffer-limit"] == f"normal {1536 << 20} 0 0 slave 0 0 0 pubsub {8 << 20} 0 0"
    for name in ("appendonly", "notify-keyspace-events", "client-output-buffer-limit"):
        assert client.config_set(name, found[name]) is True, name
    client.config_set("tcp-keepalive", 60, "client-output-buffer-limit", "normal 2mb 0 0")
    now = client.config_get("tcp-keepalive", "client-output-buffer-limit")
    assert now["tcp-keepalive"] == "60" and now["client-output-buffer-limit"].startswith("normal 2097152 0 0 ")
    for name, value, said in [
        ("appendonly", "no", "set at the start"), ("notify-keyspace-events", "K?", "Invalid event class"),
        ("tcp-keepalive", "-1", "between 0"), ("client-output-buffer-limit", "normal 1", "Wrong number"),
        ("client-output-buffer-limit", "odd 0 0 0", "Invalid client class"),
        ("client-output-buffer-limit", "normal 2mb 1mb 60", "hard limit"), ("dir", "/", "protected config"),
    ]:  # fmt: skip
        with pytest.raises(redis.ResponseError, match=said):
            client.config_set(name, value)
    client.config_set("client-output-buffer-limit", "normal 0 0 0")
    assert client.config_get("client-output-buffer-limit")["client-output-buffer-limit"].startswith("normal 0 0 0 ")
    client.set("k", "x" * 1_000_000)
    assert len(client.mget(["k"] * 8)) == 8


def test_limits_that_redis_has_too(serve: Callable[..., Server]) -> None:
    settings = {"limits.timeout": 1, "limits.tcp_keepalive": 0, "limits.tcp_backlog": 16}
    server = serve(settings).start()
    with server.resp() as silent, server.resp() as speaks:
        names = ("timeout", "tcp-keepalive", "tcp-backlog")
        assert [speaks.ask("CONFIG", "GET", name)[1] for name in names] == [b"1", b"0", b"16"]
        end = time.monotonic() + 10
        with pytest.raises(Gone):
            while time.monotonic() < end:
                assert speaks.ask("PING") == b"PONG"
                if select.select([silent.socket], [], [], 0.2)[0]:
                    silent.read()


def test_without_a_log_a_clean_end_keeps_everything(serve: Callable[..., Server], peer: Any) -> None:
    server = serve({"persistence.wal.enabled": "false"}).start()
    for i in range(3):
        client = peer(server)
        assert client.ask("DBSIZE") == i and client.ask("SET", f"k{i}", "v") == b"OK"
        client.close()
        server.stop()
        server.start()
    assert peer(server).ask("DBSIZE") == 3


def test_where_log_and_snapshots_stand(serve: Callable[..., Server]) -> None:
    server = serve({"persistence.wal.fsync_mode": "always"}).start()

    def metrics() -> dict[str, float]:
        with urllib.request.urlopen(f"http://{HOST}:{server.http_port}/metrics", timeout=10) as reply:
            families = text_string_to_metric_families(reply.read().decode())
            return {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}

    with redis.Redis(HOST, server.resp_port, decode_responses=True) as client:
        before = metrics()
        client.set("k", "x" * 1000)
        after = metrics()
        assert after["synap_log_segment_bytes"] >= before["synap_log_segment_bytes"] + 1000
        assert after["synap_log_unsynced_changes"] == 0 < after["synap_log_last_sync_seconds"] < 60
        assert before["synap_snapshot_last_time"] == 0
        client.save()
        after = metrics()
        assert abs(after["synap_snapshot_last_time"] - time.time()) < 60 and after["synap_snapshot_last_ok"] == 1
        assert client.info("persistence")["rdb_last_bgsave_status"] == "ok"


def test_every_metric_says_what_it_is(node: Server, client: redis.Redis) -> None:
    client.set("k", "v")
    with urllib.request.urlopen(f"http://{HOST}:{node.http_port}/metrics", timeout=10) as reply:
        text = reply.read().decode()
    names = set()
    for family in text_string_to_metric_families(text):
        assert family.type in ("counter", "gauge", "histogram") and family.documentation, family.name
        assert family.name.startswith(("synap_", "process_")) and family.name not in names, family.name
        names.add(family.name)
        labels = {label for one in family.samples for label in one.labels}
        assert labels <= {"command", "operation", "status", "namespace", "type", "kind", "le"}, family.name
        assert len(family.samples) < 1000, family.name
    assert {"synap_commands", "synap_evicted_keys", "synap_memory_used_bytes", "synap_log_failed"} <= names


def test_memory_held_is_that_of_now(node: Server, client: redis.Redis) -> None:
    before = client.info("memory")["used_memory_rss"]
    for i in range(64):
        client.set(f"k{i}", b"x" * (1 << 20))
    most = client.info("memory")["used_memory_rss"]
    client.flushall()
    client.memory_purge()
    assert most > before + (50 << 20)
    deadline = time.monotonic() + 20
    while client.info("memory")["used_memory_rss"] > most - (30 << 20):
        client.memory_purge()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_delays_of_the_disk_and_of_the_fork(serve: Callable[..., Server]) -> None:
    server = serve({"persistence.wal.fsync_mode": "always"}, before="tests.server.faulty:slow_disk").start()
    with redis.Redis(HOST, server.resp_port, decode_responses=True) as client:
        client.config_set("latency-monitor-threshold", 10)
        client.set("k", "v")
        client.bgsave()
        wanted = {"aof-fsync-always", "aof-write", "fork"}
        deadline = time.monotonic() + 20
        while not wanted <= (found := {one[0] for one in client.latency_latest()}):
            assert time.monotonic() < deadline, found
            time.sleep(0.02)
        for name in wanted:
            assert client.latency_history(name)[0][1] >= 20
            assert name in client.execute_command("LATENCY", "GRAPH", name)
            assert name in client.execute_command("LATENCY", "DOCTOR")
        assert client.latency_reset("fork") == 1 and client.latency_history("fork") == []
        assert any("HISTOGRAM" in str(line) for line in client.execute_command("LATENCY", "HELP"))


def test_expired_keys_are_counted(client: redis.Redis) -> None:
    for i in range(10):
        client.set(f"k{i}", "v", px=1)
    client.set("stays", "v", ex=100)
    deadline = time.monotonic() + 20
    while client.info("stats")["expired_keys"] < 10:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert client.info("stats")["expired_keys"] == 10 and client.dbsize() == 1
    client.config_resetstat()
    assert client.info("stats")["expired_keys"] == 0
