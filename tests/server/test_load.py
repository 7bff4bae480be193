"""Large values, slow readers, busy neighbours: what one client may do to the others, in figures."""

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.server.clients import HOST, Gone, Resp, Server, eventually
from tests.support import command

Serve = Callable[..., Server]
MIB = 1 << 20
PIECE = 64 << 10
ELEMENTS = 1_000_000
MEMORY = {"persistence.enabled": "false"}


@contextmanager
def pings(server: Server, pause: float = 0.0005) -> Iterator[list[float]]:
    """Round trips in seconds of a second client, while the block runs."""
    found: list[float] = []
    over = threading.Event()

    def ping() -> None:
        with server.resp(timeout=60) as client:
            while not over.is_set():
                begun = time.perf_counter()
                client.ask("PING")
                found.append(time.perf_counter() - begun)
                time.sleep(pause)

    thread = threading.Thread(target=ping)
    thread.start()
    eventually(lambda: found)
    found.clear()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def worst(found: list[float], share: float = 0.999) -> float:
    """The time that this share of the round trips stayed below, in ms."""
    return sorted(found)[min(len(found) - 1, int(len(found) * share))] * 1000


def told(**figures: float) -> None:
    """Figures for the report; `pytest -rP` or `-s` shows them."""
    print(" ".join(f"{name}={value:.4g}" for name, value in figures.items()))


def send_value(client: Resp, key: str, size: int) -> float:
    """SET a value of `size` bytes in pieces; seconds."""
    piece = random.Random(size).randbytes(PIECE)
    begun = time.perf_counter()
    client.send_bytes(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n" % (len(key), key.encode(), size))
    for _ in range(size // PIECE):
        client.send_bytes(piece)
    client.send_bytes(b"\r\n")
    assert client.read() == b"OK"
    return time.perf_counter() - begun


def take_value(client: Resp, key: str, size: int) -> float:
    """GET it and compare; seconds of the reading."""
    piece = random.Random(size).randbytes(PIECE)
    client.send("GET", key)
    begun = time.perf_counter()
    assert client._line() == b"$%d" % size
    spent = time.perf_counter() - begun
    for _ in range(size // PIECE):
        begun = time.perf_counter()
        found = client._file.read(PIECE)
        spent += time.perf_counter() - begun
        assert found == piece
    assert client._line() == b""
    return spent


def test_values_up_to_512_mib(serve: Serve) -> None:
    server = serve(MEMORY).start()
    rates_in, rates_out = {}, {}
    with server.resp(timeout=100) as client, pings(server) as found:
        for mib in (64, 128, 256, 512):
            rates_in[mib] = mib / send_value(client, "k", mib * MIB)
            rates_out[mib] = mib / take_value(client, "k", mib * MIB)
    told(**{f"in_{mib}": rate for mib, rate in rates_in.items()}, **{f"out_{mib}": r for mib, r in rates_out.items()},
         ping_p999_ms=worst(found))  # fmt: skip
    assert rates_in[256] > rates_in[64] / 3 and rates_out[256] > rates_out[64] / 3, "the time is not linear"
    with server.resp() as client:
        assert client.ask("DEL", "k") == 1
    eventually(lambda: server.rss() < 900 * MIB, 10, 0.05)


def test_one_value_in_single_bytes(node: Server) -> None:
    size = 128 << 10
    value = random.Random(1).randbytes(size)
    with node.resp() as client:
        data = command("SET", "k", value)
        begun = time.perf_counter()
        for i in range(len(data)):
            client.socket.send(data[i : i + 1])
        assert client.read() == b"OK" and client.ask("GET", "k") == value
        told(us_a_byte=(time.perf_counter() - begun) / size * 1e6)


def test_too_many_words_are_refused_before_anything_is_stored(node: Server) -> None:
    before = node.rss()
    with node.resp() as client:
        try:
            client.send_bytes(b"*1048578\r\n$4\r\nSADD\r\n$1\r\ns\r\n" + b"$1\r\nx\r\n" * 200_000)
        except ConnectionError:
            pass  # it need not read all of that
        try:
            assert "Protocol error" in str(client.read())
            with pytest.raises((Gone, ConnectionError)):
                client.read()
        except ConnectionError:
            pass
    with node.resp() as client:
        assert client.ask("DBSIZE") == 0
    assert node.rss() < before + 20 * MIB


def test_as_many_words_as_there_may_be(node: Server) -> None:
    with node.resp() as client:
        client.send_bytes(b"*1048576\r\n$4\r\nSADD\r\n$1\r\ns\r\n")
        for start in range(0, 1048574, 65536):
            client.send_bytes(b"".join(b"$7\r\n%07d\r\n" % i for i in range(start, min(start + 65536, 1048574))))
        assert client.read() == 1048574
        assert client.ask("SCARD", "s") == 1048574


def fill_list(client: Resp, key: str, count: int) -> None:
    for start in range(0, count, 50_000):
        client.ask("RPUSH", key, *range(start, min(start + 50_000, count)))


def test_a_long_list_for_a_slow_reader(serve: Serve) -> None:
    server = serve(MEMORY).start()
    with server.resp() as client:
        fill_list(client, "l", ELEMENTS)
        with server.resp(receive_bytes=32768) as slow, pings(server) as found:
            begun = time.perf_counter()
            slow.send("LRANGE", "l", 0, -1)
            assert slow._line() == b"*%d" % ELEMENTS
            for i in range(ELEMENTS):
                if i % 20_000 == 0:
                    time.sleep(0.02)
                assert slow._file.readline()[:1] == b"$" and int(slow._file.readline()) == i
            took = time.perf_counter() - begun
    told(lrange_s=took, ping_p50_ms=worst(found, 0.5), ping_p999_ms=worst(found), ping_max_ms=worst(found, 1))
    assert worst(found, 0.99) < 20


def test_clients_that_never_read(serve: Serve) -> None:
    pause = 256 << 10
    server = serve(MEMORY | {"limits.output_pause_bytes": pause, "limits.output_stall_s": 3}).start()
    count = 100
    with server.resp() as client:
        client.ask("SET", "k", b"x" * MIB)
        before = server.rss()
        stalled = [server.resp(receive_bytes=4096) for _ in range(count)]
        for one in stalled:
            one.send_bytes(command("GET", "k") * 20)
        with pings(server) as found:
            time.sleep(1)
            most = 0
            for _ in range(20):
                most = max(most, server.rss())
                time.sleep(0.02)
            assert client.ask("GET", "k") == b"x" * MIB
            assert int(server.info("clients")["connected_clients"]) >= count
            eventually(lambda: int(server.info("clients")["connected_clients"]) < 10, 10, 0.1)
        told(rss_each_mib=(most - before) / count / MIB, ping_p999_ms=worst(found))
        assert most - before < count * (pause + 3 * MIB)
        for one in stalled:
            one.close()
        eventually(lambda: server.rss() < before + 80 * MIB, 5, 0.1)


def test_one_client_in_a_hurry(node: Server) -> None:
    """A million SETs in one pipeline, beside somebody who PINGs."""
    data = b"".join(command("SET", f"key:{i}", f"value:{i}") for i in range(100_000))
    with node.resp(timeout=60) as client, pings(node) as found:
        reader = threading.Thread(target=client.skip, args=(5 * ELEMENTS,))
        begun = time.perf_counter()
        reader.start()
        for _ in range(10):
            client.send_bytes(data)
        reader.join()
        took = time.perf_counter() - begun
    told(sets_a_second=ELEMENTS / took, ping_p50_ms=worst(found, 0.5), ping_p999_ms=worst(found))
    assert worst(found, 0.99) < 50
    with node.resp() as client:
        assert client.ask("DBSIZE") == 100_000


def test_a_long_list_is_deleted_beside_others(serve: Serve) -> None:
    server = serve(MEMORY).start()
    with server.resp(timeout=60) as client:
        fill_list(client, "l", ELEMENTS)
        full = server.rss()
        with pings(server, 0.0001) as found:
            begun = time.perf_counter()
            assert client.ask("DEL", "l") == 1
            took = time.perf_counter() - begun
            time.sleep(0.5)
        eventually(lambda: server.info("memory")["graveyard_structures"] == "0", 10)
        told(del_ms=took * 1000, ping_p999_ms=worst(found), ping_max_ms=worst(found, 1))
        assert took < 0.05 and worst(found, 0.99) < 20
        eventually(lambda: server.rss() < full - 5 * MIB, 5, 0.1)


def test_churn_gives_memory_back(serve: Serve) -> None:
    server = serve(MEMORY).start()
    empty = server.rss()
    count = 50_000
    with server.resp(timeout=60) as client:
        for size in (1000, 100, 1000, 100, 1000, 100):
            for start in range(0, count, 5000):
                value = b"v" * size
                client.ask_all(*(["SET", f"k{i}", value] for i in range(start, start + 5000)))
        live = count * (100 + 16)
        after = eventually(lambda: server.rss() if server.rss() < empty + 6 * live else 0, 10, 0.1)
        assert client.ask("FLUSHALL") == b"OK"
        eventually(lambda: server.rss() < empty * 1.1 + 8 * MIB, 10, 0.1)
        told(empty_mib=empty / MIB, churned_mib=after / MIB, flushed_mib=server.rss() / MIB)


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
        begun = time.perf_counter()
        assert parked[0].read() is None and 0.04 < time.perf_counter() - begun < 0.5
        assert parked[0].read() == b"PONG"
        for one in parked:
            one.close()


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
    eventually(lambda: server.info("clients")["connected_clients"] == "1")


def test_connections_dropped_without_goodbye(node: Server) -> None:
    before = node.rss()
    descriptors = len(os.listdir(f"/proc/{node.pid}/fd"))
    for i in range(3000):
        with socket.socket() as one:
            one.connect((HOST, node.resp_port if i % 2 else node.http_port))
            one.send(b"*2\r\n$3\r\nGET\r\n$1" if i % 2 else b"GET /health HTTP/1.1\r\nHos")
    eventually(lambda: len(os.listdir(f"/proc/{node.pid}/fd")) <= descriptors + 1)
    assert node.info("clients")["connected_clients"] == "1" and node.rss() < before + 30 * MIB
