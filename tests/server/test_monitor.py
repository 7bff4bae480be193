"""MONITOR over real connections: the lines of Redis for the commands of others, until RESET."""

import re

from tests.server.clients import Resp, Server

LINE = re.compile(rb"[0-9]+\.[0-9]{6} \[([0-9]+) 127\.0\.0\.1:[0-9]+\] (.*)")


def shown(monitor: Resp) -> tuple[bytes, bytes]:
    """The next line: namespace and words."""
    found = LINE.fullmatch(monitor.read())
    assert found
    return found[1], found[2]


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
