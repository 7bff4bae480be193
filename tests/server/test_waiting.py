"""Calls that wait, transactions that watch, connections that come and go: over sockets, as a client sees them."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.server.clients import HOST, Server, eventually
from tests.support import command

Serve = Callable[..., Server]


def test_push_and_pop_in_one_buffer_serve_the_parked_one_first(node: Server) -> None:
    with node.resp() as parked, node.resp() as client:
        parked.send("BLPOP", "k", 0)
        eventually(lambda: node.info("clients")["blocked_clients"] == "1")
        assert client.ask_all(["RPUSH", "k", "a"], ["LPOP", "k"]) == [1, None]
        assert parked.read() == [b"k", b"a"]
        parked.send("BLPOP", "k", 0)
        eventually(lambda: node.info("clients")["blocked_clients"] == "1")
        assert client.ask_all(["MULTI"], ["RPUSH", "k", "b"], ["LPOP", "k"], ["EXEC"])[-1] == [1, b"b"]
        assert client.ask_all(["RPUSH", "k", "c", "d"], ["LPOP", "k"]) == [2, b"d"]
        assert parked.read() == [b"k", b"c"]


def test_parked_clients_are_served_in_order_and_time_out(node: Server) -> None:
    with node.resp() as client:
        parked = [node.resp() for _ in range(20)]
        for i, one in enumerate(parked):
            one.send("BLPOP", "first", "second", 0)
            eventually(lambda: node.info("clients")["blocked_clients"] == str(i + 1))  # noqa: B023
        parked[3].close()
        eventually(lambda: node.info("clients")["blocked_clients"] == "19")
        client.ask("RPUSH", "second", *range(19))
        assert [one.read()[1] for i, one in enumerate(parked) if i != 3] == [b"%d" % i for i in range(19)]
        parked[0].send_bytes(command("BLPOP", "first", "0.05") + command("PING"))
        begun, free = time.perf_counter(), node.clock()
        assert parked[0].read() is None and 0.04 < time.perf_counter() - begun and node.clock() - free < 0.5
        assert parked[0].read() == b"PONG"
        for one in parked:
            one.close()


def test_readers_of_a_stream_are_served_and_time_out(node: Server) -> None:
    with node.resp() as client, node.resp() as reader, node.resp() as one, node.resp() as other:
        client.ask("XGROUP", "CREATE", "x", "g", "$", "MKSTREAM")
        reader.send("XREAD", "BLOCK", 0, "STREAMS", "x", "y", "$", "$")
        eventually(lambda: node.info("clients")["blocked_clients"] == "1")
        for i, member in enumerate((one, other), 2):
            member.send("XREADGROUP", "GROUP", "g", f"c{i}", "BLOCK", 0, "STREAMS", "x", ">")
            eventually(lambda: node.info("clients")["blocked_clients"] == str(i))  # noqa: B023
        first, second = ([[b"x", [[id, [b"f", b"v"]]]]] for id in (b"1-1", b"1-2"))
        assert client.ask_all(["MULTI"], ["XADD", "x", "1-1", "f", "v"], ["EXEC"])[-1] == [b"1-1"]
        assert reader.read() == one.read() == first
        client.ask("XADD", "x", "1-2", "f", "v")
        assert other.read() == second
        assert client.ask("XPENDING", "x", "g")[3] == [[b"c2", b"1"], [b"c3", b"1"]]
        one.send("XREADGROUP", "GROUP", "g", "c2", "BLOCK", 0, "STREAMS", "x", ">")
        eventually(lambda: node.info("clients")["blocked_clients"] == "1")
        client.ask("XGROUP", "DESTROY", "x", "g")
        assert str(one.read()).startswith("NOGROUP")
        assert reader.ask("XREAD", "BLOCK", 20, "STREAMS", "x", "$") is None


def test_watch(node: Server) -> None:
    with node.resp() as one, node.resp() as other:
        def attempt(change: list[Any] | None, *keys: str) -> Any:
            one.ask("WATCH", *keys)
            if change:
                other.ask(*change)
            return one.ask_all(["MULTI"], ["INCR", "n"], ["EXEC"])[-1]

        assert attempt(None, "missing") == [1]
        assert attempt(["SET", "missing", "x"], "missing") is None
        assert attempt(["DEL", "missing"], "missing") is None
        assert attempt(["DEL", "missing"], "missing") == [2]  # it was not there, and is not
        assert attempt(["SET", "apart", "x"], "missing", "another") == [3]
        assert attempt(["FLUSHALL"], "apart") is None
        other.ask("SET", "n", 1)
        other.ask("SET", "mortal", "x", "PX", 60)
        one.ask("WATCH", "mortal")
        time.sleep(0.1)
        assert one.ask_all(["MULTI"], ["INCR", "n"], ["EXEC"])[-1] is None
        assert attempt(["EXPIRE", "n", 100], "n") is None
        one.ask("WATCH", "n")
        other.ask("INCR", "n")
        one.ask("UNWATCH")
        assert isinstance(one.ask_all(["MULTI"], ["INCR", "n"], ["EXEC"])[-1], list)


def test_too_many_connections(serve: Serve) -> None:
    server = serve({"server.connections_max": 20}).start()
    clients = [server.resp() for _ in range(20)]
    assert [client.ask("PING") for client in clients] == [b"PONG"] * 20
    with server.resp() as late:
        try:
            assert "max number of clients" in str(late.ask("PING"))
        except ConnectionError:
            pass  # the refusal was overtaken by the hang-up
    for client in clients:
        client.close()
    eventually(lambda: server.info("clients").get("connected_clients") == "1")


def test_connections_dropped_without_goodbye(node: Server) -> None:
    before = node.rss()
    descriptors = len(os.listdir(f"/proc/{node.pid}/fd"))
    for i in range(3000):
        with socket.socket() as one:
            one.connect((HOST, node.resp_port if i % 2 else node.http_port))
            one.send(b"*2\r\n$3\r\nGET\r\n$1" if i % 2 else b"GET /health HTTP/1.1\r\nHos")
    eventually(lambda: len(os.listdir(f"/proc/{node.pid}/fd")) <= descriptors + 1)
    eventually(lambda: node.info("clients")["connected_clients"] == "1")
    assert node.rss() < before + (30 << 20)


def test_a_parked_client_that_has_gone_takes_nothing(node: Server) -> None:
    for _ in range(3):
        gone = node.resp()
        gone.send("BLPOP", "k", 0)
        eventually(lambda: node.info("clients")["blocked_clients"] == "1")
        gone.close()
        eventually(lambda: node.info("clients")["blocked_clients"] == "0")
    with socket.socket() as web:
        web.connect((HOST, node.http_port))
        body = b'{"keys":["k"],"timeout":30}'
        web.send(b"POST /list/blpop HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        time.sleep(0.2)
    time.sleep(0.1)
    with node.resp() as client:
        assert client.ask("RPUSH", "k", "a") == 1
        assert client.ask("LRANGE", "k", 0, -1) == [b"a"]


GIVEN_UP = r"""
import socket, sys, time
link = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
link.sendall(sys.argv[2].encode().replace(b" ", b"\r\n"))
time.sleep(60)
"""


@pytest.mark.parametrize("call", ["BLPOP k 0", "BRPOP k 0", "BLMPOP 0 1 k LEFT COUNT 9", "BLMOVE k other LEFT LEFT 0"])
def test_no_element_is_lost_to_a_client_that_is_killed(node: Server, call: str) -> None:
    """The push arrives before the end of the connection that waits, so the server learns of that end too late."""
    words = call.split()
    sent = " ".join([f"*{len(words)}", *(f"${len(word)} {word}" for word in words)]) + " "
    with node.resp() as giver, node.resp() as last:
        gone = subprocess.Popen([sys.executable, "-c", GIVEN_UP, str(node.resp_port), sent])
        eventually(lambda: node.info("clients")["blocked_clients"] == "1")
        web = socket.create_connection((HOST, node.http_port))
        body = b'{"keys":["k"],"timeout":30}'
        web.sendall(b"POST /list/brpop HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        time.sleep(0.2)
        os.kill(node.pid, signal.SIGSTOP)
        try:
            giver.send("RPUSH", "k", "a", "b")
            gone.kill()
            gone.wait()
            web.close()
        finally:
            os.kill(node.pid, signal.SIGCONT)
        assert giver.read() == 2
        eventually(lambda: node.info("clients")["blocked_clients"] == "0")
        assert last.ask("LRANGE", "k", 0, -1) == [b"a", b"b"] and last.ask("EXISTS", "other") == 0


def test_calls_behind_one_that_waits_are_kept_and_run_after_it(node: Server) -> None:
    value = b"v" * 100_000
    with node.resp() as parked, node.resp() as client:
        parked.send_bytes(command("BLPOP", "k", 0) + b"".join(command("SET", f"k{i}", value) for i in range(5)))
        for i in range(5, 20):
            parked.send("SET", f"k{i}", value)
            time.sleep(0.005)
        assert client.ask("DBSIZE") == 0
        client.ask("RPUSH", "k", "a")
        assert parked.read() == [b"k", b"a"] and [parked.read() for _ in range(20)] == [b"OK"] * 20
        assert client.ask("GET", "k19") == value


def test_http_waits_and_is_answered(node: Server) -> None:
    found: list[Any] = []
    body = {"keys": ["k"], "timeout": 5}
    waiting = threading.Thread(target=lambda: found.append(node.http("POST", "/list/blpop", body)))
    waiting.start()
    time.sleep(0.2)
    with node.resp() as client:
        client.ask("RPUSH", "k", "a")
        waiting.join()
        assert found == [(200, {"values": ["k", "a"]})]
        assert client.ask("DBSIZE") == 0
    assert node.http("POST", "/list/blpop", {"keys": ["k"], "timeout": 0.05}) == (200, {"values": None})


def test_a_slow_reader_that_makes_progress_is_not_dropped(serve: Serve) -> None:
    server = serve({"limits.output_stall_s": 1}).start()
    size = 16 << 20
    with server.resp() as client:
        client.ask("SET", "k", b"x" * size)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.settimeout(10)
        slow.connect((HOST, server.http_port))
        slow.send(b"GET /kv/get/k HTTP/1.1\r\nhost: localhost\r\n\r\n")
        got = 0
        while got < size:
            piece = slow.recv(65536)
            assert piece, f"dropped after {got} bytes"
            got += len(piece)
            time.sleep(0.01)
