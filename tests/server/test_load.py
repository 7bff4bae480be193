"""Large values, slow readers, busy neighbours: what one client may do to the others, in figures."""

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.server.clients import Gone, Resp, Server, eventually
from tests.server.zygote import ROOT
from tests.support import Refusal, command

Serve = Callable[..., Server]
MIB = 1 << 20
PIECE = 64 << 10
ELEMENTS = 1_000_000
COUNTS = [ELEMENTS, pytest.param(10 * ELEMENTS, marks=pytest.mark.campaign)]
MEMORY = {"persistence.enabled": "false"}


@contextmanager
def pings(server: Server, pause: float = 0.0005) -> Iterator[list[float]]:
    """Round trips in seconds of a second client (a process of its own), while the block runs; filled at its end. The
    time that a busy machine takes from either is not in them."""
    found: list[float] = []
    with subprocess.Popen(
        [sys.executable, "-m", "tests.server.pinger", str(server.resp_port), str(pause), str(server.pid)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as pinger:  # fmt: skip
        assert pinger.stdin is not None and pinger.stdout is not None
        try:
            assert pinger.stdout.readline() == b"ready\n"
            yield found
        finally:
            pinger.stdin.close()
            found += [microseconds / 1e6 for microseconds in json.loads(pinger.stdout.read() or b"[]")]


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


@pytest.mark.parametrize("sizes", [(32, 64, 128), pytest.param((64, 256, 512), marks=pytest.mark.campaign)])
def test_large_values(serve: Serve, sizes: tuple[int, ...]) -> None:
    server = serve(MEMORY).start()
    rates_in, rates_out = {}, {}
    with server.resp(timeout=100) as client, pings(server) as found:
        for mib in sizes:
            rates_in[mib] = mib / send_value(client, "k", mib * MIB)
            rates_out[mib] = mib / take_value(client, "k", mib * MIB)
    told(**{f"in_{mib}": rate for mib, rate in rates_in.items()}, **{f"out_{mib}": r for mib, r in rates_out.items()},
         ping_p999_ms=worst(found))  # fmt: skip
    for rates in (rates_in, rates_out):
        assert rates[sizes[-1]] > rates[sizes[0]] / 4, "the time is not linear"
    with server.resp() as client:
        assert client.ask("DEL", "k") == 1
    eventually(lambda: server.rss() < min(900, 7 * sizes[-1] // 2) * MIB, 10, 0.05)


@pytest.mark.parametrize("size", [128 << 10, pytest.param(1 << 20, marks=pytest.mark.campaign)])
def test_one_value_in_single_bytes(node: Server, size: int) -> None:
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


def test_as_many_members_as_a_tape_holds(node: Server) -> None:
    """A member takes two words of the tape, which holds 2 ** 20."""

    def add(client: Resp, count: int) -> Any:
        client.send_bytes(b"*%d\r\n$4\r\nSADD\r\n$1\r\ns\r\n" % (count + 2))
        for start in range(0, count, 65536):
            client.send_bytes(b"".join(b"$7\r\n%07d\r\n" % i for i in range(start, min(start + 65536, count))))
        return client.read()

    with node.resp() as client:
        assert isinstance(add(client, 600_000), Refusal) and client.ask("DBSIZE") == 0
        assert add(client, 520_000) == 520_000 and client.ask("SCARD", "s") == 520_000


def fill_list(client: Resp, key: str, count: int) -> None:
    for start in range(0, count, 50_000):
        client.ask("RPUSH", key, *range(start, min(start + 50_000, count)))


@pytest.mark.parametrize("count", COUNTS)
def test_a_long_list_for_a_slow_reader(serve: Serve, count: int) -> None:
    server = serve(MEMORY).start()
    with server.resp() as client:
        fill_list(client, "l", count)
        with server.resp(receive_bytes=32768) as slow, pings(server) as found:
            begun = time.perf_counter()
            slow.send("LRANGE", "l", 0, -1)
            assert slow._line() == b"*%d" % count
            for i in range(count):
                if i % 20_000 == 0:
                    time.sleep(0.02)
                assert slow._file.readline()[:1] == b"$" and int(slow._file.readline()) == i
            took = time.perf_counter() - begun
    told(lrange_s=took, ping_p50_ms=worst(found, 0.5), ping_p999_ms=worst(found), ping_max_ms=worst(found, 1))
    assert worst(found, 0.99) < 20


def test_clients_that_never_read(serve: Serve) -> None:
    pause = 256 << 10
    server = serve(MEMORY | {"limits.output_pause_bytes": pause, "limits.output_stall_s": 5}).start()
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


@pytest.mark.parametrize("count", COUNTS)
def test_a_long_list_is_deleted_beside_others(serve: Serve, count: int) -> None:
    server = serve(MEMORY).start()
    with server.resp(timeout=60) as client:
        fill_list(client, "l", count)
        full = server.rss()
        with pings(server, 0.0001) as found:
            begun = server.clock()
            assert client.ask("DEL", "l") == 1
            took = server.clock() - begun
            time.sleep(0.5)
        eventually(lambda: server.info("memory")["lazyfree_structures"] == "0", 10)
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
