"""What the counters say of commands that only kernels see: hits, durations, refusals."""

import re
import urllib.request
from typing import Any

from prometheus_client.parser import text_string_to_metric_families as parsed

from tests.server.clients import HOST, Resp, Server


def info(client: Resp, section: str) -> dict[str, str]:
    lines = client.ask("INFO", section).decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def stats_of(client: Resp, command: str) -> dict[str, float]:
    text = info(client, "commandstats")[f"cmdstat_{command}"]
    return {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", text)}


def test_hits_and_misses(node: Server) -> None:
    """Reads count, each key of them once; writes do not."""
    with node.resp() as client:
        client.ask_all(["SET", "a", 1], ["SET", "b", 2], ["INCR", "a"], ["RPUSH", "l", "x"], ["SETNX", "a", 3],
                       ["DEL", "z"])  # fmt: skip
        before = info(client, "stats")
        assert (before["keyspace_hits"], before["keyspace_misses"]) == ("0", "0")
        client.ask_all(["GET", "a"], ["GET", "nothing"], ["MGET", "a", "b", "c"], ["EXISTS", "a", "a", "d"],
                       ["TTL", "a"], ["LRANGE", "l", 0, -1], ["GET", "l"], ["STRLEN", "e"])  # fmt: skip
        after = info(client, "stats")
        assert (after["keyspace_hits"], after["keyspace_misses"]) == ("8", "4")
        client.ask("MULTI")
        client.ask_all(["GET", "a"], ["GET", "nothing"], ["EXEC"])
        after = info(client, "stats")
        assert (after["keyspace_hits"], after["keyspace_misses"]) == ("9", "5")
        client.ask("CONFIG", "RESETSTAT")
        assert info(client, "stats")["keyspace_hits"] == "0"


def test_hits_survive_no_restart(node: Server) -> None:
    with node.resp() as client:
        client.ask_all(["SET", "a", 1], ["GETDEL", "a"], ["SET", "a", 1], ["GET", "a"])
    node.kill9()
    node.start()
    with node.resp() as client:
        stats = info(client, "stats")
        assert (stats["keyspace_hits"], stats["keyspace_misses"]) == ("0", "0")


def test_durations(node: Server) -> None:
    """One GET in sixteen is timed; what is told of all of them is plausible."""
    with node.resp() as client:
        client.ask("SET", "a", "x" * 100)
        for _ in range(20):
            client.ask_all(*(["GET", "a"] for _ in range(16)))
        gets = stats_of(client, "get")
        assert gets["calls"] == 320 and 0.01 < gets["usec_per_call"] < 1000
        assert abs(gets["usec"] - gets["usec_per_call"] * 320) < 5
        told = info(client, "latencystats")["latency_percentiles_usec_get"]
        low, high, highest = (float(value) for value in re.findall(r"=([\d.]+)", told))
        assert 0 < low <= high <= highest < 10_000
        histogram: Any = client.ask("LATENCY", "HISTOGRAM", "get")
        assert histogram[0] == b"get" and histogram[1][1] == 20 and histogram[1][3][-1] == 20
    with urllib.request.urlopen(f"http://{HOST}:{node.http_port}/metrics", timeout=10) as reply:
        text = reply.read().decode()
    families = {family.name: family for family in parsed(text)}
    rows = {
        (sample.name.removeprefix("synap_command_duration_seconds_"), sample.labels.get("le")): sample.value
        for sample in families["synap_command_duration_seconds"].samples
        if sample.labels["command"] == "kv.get"
    }
    assert rows["count", None] == rows["bucket", "+Inf"] == 20 and 0 < rows["sum", None] < 1
    assert families["synap_keyspace_hits"].samples[0].value == 320


def test_refusals_of_kernels_are_counted(node: Server) -> None:
    with node.resp() as client:
        client.ask_all(["SET", "a", "x"], ["INCR", "a"], ["LPUSH", "a", "y"], ["LPUSH", "a", "y"], ["GET"],
                       ["NOTHING"])  # fmt: skip
        errors = info(client, "errorstats")
        assert errors["errorstat_WRONGTYPE"] == "count=2" and errors["errorstat_ERR"] == "count=3"
        assert info(client, "stats")["total_error_replies"] == "5"
        assert stats_of(client, "lpush")["failed_calls"] == 2
        client.ask("CONFIG", "RESETSTAT")
        assert "errorstat_WRONGTYPE" not in info(client, "errorstats")
