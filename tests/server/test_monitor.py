"""MONITOR over real connections: the lines of Redis for the commands of others, until RESET."""

import re
from pathlib import Path

from tests.peers import Redis
from tests.server.clients import Resp, Server

LINE = re.compile(rb"[0-9]+\.[0-9]{6} \[([0-9]+) 127\.0\.0\.1:[0-9]+\] (.*)")


LIBRARY = "#!lua name=l\nredis.register_function('get', function(keys) return redis.call('GET', keys[1]) end)"


def shown(monitor: Resp) -> tuple[bytes, bytes]:
    """The next line: namespace and words."""
    found = LINE.fullmatch(monitor.read())
    assert found
    return found[1], found[2]


def test_calls_of_scripts(node: Server, tmp_path: Path) -> None:
    """As Redis shows them, each before it is carried out."""
    told, peer = [], Redis(tmp_path)
    for port in (node.resp_port, peer.port):
        with Resp(port) as monitor, Resp(port) as client:
            client.ask("SCRIPT", "FLUSH")
            monitor.ask("MONITOR")
            script = "redis.pcall('incrby', KEYS[1], ARGV[1]) return redis.call('GET', 'a\\n')"
            client.ask("EVAL", script, "1", "n", "5")
            client.ask("EVAL", "redis.pcall('nosuch') redis.pcall('get') redis.pcall('subscribe', 'x')", "0")
            client.ask("FUNCTION", "LOAD", "REPLACE", LIBRARY)
            client.ask("FCALL", "get", "1", "k")
            client.ask("ECHO", "last")
            lines = []
            while not lines or b"last" not in lines[-1]:
                lines.append(re.sub(rb"[0-9.]+ \[([0-9]+) ([0-9.:]+|lua)\] ", rb"\1 \2 ", monitor.read()))
            told.append([re.sub(rb"127[0-9.:]+", b"client", line) for line in lines])
    peer.close()
    assert told[0] == told[1] and sum(b" lua " in line for line in told[0]) == 3


def test_a_monitor_sees_the_commands_of_others(node: Server) -> None:
    with node.resp() as monitor, node.resp() as client:
        assert monitor.ask("MONITOR") == b"OK"
        client.send("SET", "k", 'a "b"\r\n\x00\\\xff')
        client.send("SELECT", 3)
        client.send("AUTH", "secret")
        client.send("CONFIG", "GET", "maxmemory")
        client.send_bytes(b"GET k\r\n")
        client.send("MULTI")
        client.send("INCR", "n")
        client.send("EXEC")
        client.send("NOSUCH", "x")
        client.send("BLPOP", "none", "0.01")
        assert [client.read() for _ in range(2)] == [b"OK", b"OK"]
        assert shown(monitor) == (b"0", b'"SET" "k" "a \\"b\\"\\r\\n\\x00\\\\\\xc3\\xbf"')
        words = [b'"SELECT" "3"', b'"GET" "k"', b'"MULTI"', b'"INCR" "n"', b'"EXEC"']
        assert [shown(monitor)[1] for _ in words] == words
        assert shown(monitor) == (b"3", b'"BLPOP" "none" "0.01"')
        assert monitor.ask("RESET") == b"RESET"
        client.ask("PING")
        assert monitor.ask("ECHO", "quiet") == b"quiet"
    with node.resp() as monitor, node.resp() as client:
        monitor.ask("MONITOR")
        monitor.close()
        for i in range(1000):
            client.send("SET", f"k{i}", i)
        assert client.ask("GET", "k999") is not None, "a monitor that is gone holds nobody up"
