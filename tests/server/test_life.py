"""How servers start, end, refuse to start, and what they say then."""

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synap.io.node.files import Directory
from synap.journal import recover
from tests.ports import free_port
from tests.server.clients import HOST, Gone, Server, alive, children_of, eventually
from tests.server.zygote import ROOT
from tests.support import Refusal

Serve = Callable[..., Server]


def segments(server: Server) -> list[Path]:
    return sorted(server.data.glob("log-*.synap"))


def fill(server: Server, count: int = 200) -> None:
    with server.resp() as client:
        for i in range(count):
            assert client.ask("SET", f"key{i}", f"value {i} needle{i}.") == b"OK"


def flip(server: Server, text: bytes) -> str:
    """Flip a bit of the log where `text` stands; the file's name."""
    for path in segments(server):
        data = bytearray(path.read_bytes())
        at = data.find(text)
        if at >= 0:
            data[at] ^= 1
            path.write_bytes(data)
            return path.name
    raise AssertionError("the text is in no segment")


def test_zygote_has_no_threads(zygote: Any) -> None:
    assert zygote.threads == 1


@pytest.mark.parametrize("mode", ["always", "periodic", "never"])
def test_sigterm_ends_cleanly(serve: Serve, mode: str) -> None:
    server = serve({"persistence.wal.fsync_mode": mode}).start()
    fill(server)
    with server.resp() as idle, server.resp() as parked:
        idle.ask("PING")
        parked.send("BLPOP", "none", 0)
        assert server.stop() == 0
        with pytest.raises(Gone):
            parked.read()
    found = recover(Directory(server.data))
    for _ in found.groups():
        continue
    assert found.clean and found.seq == 200
    server.output.unlink()
    server.start()
    assert "cut" not in server.said()
    with server.resp() as client:
        assert client.ask("GET", "key199") == b"value 199 needle199."
    assert server.info("persistence")["recovered_cut_bytes"] == "0"


def test_a_second_server_is_refused(serve: Serve) -> None:
    first = serve().start()
    second = serve(directory="data0")
    second.output = first.output.with_name("second.output")
    code, said = second.refused()
    assert code == 1 and f"in use by process {first.pid}" in said and "Traceback" not in said
    with first.resp() as client:
        assert client.ask("PING") == b"PONG"


def test_resp_port_taken(serve: Serve) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = serve({"resp.port": port}).refused()
        told = f"RESP cannot listen on {HOST}:{port} (resp.port): in use; --resp-port N, or 0 for none\n"
        assert code == 1 and said.endswith(told) and "Traceback" not in said


def test_default_resp_port_taken_and_not_asked_for(serve: Serve) -> None:
    with socket.socket() as taken:
        try:
            taken.bind((HOST, 6379))
            taken.listen()
        except OSError:
            pass  # somebody has it already: just as good
        server = serve()
        words = server.arguments()
        at = words.index(f"resp.port={server.resp_port}")
        del words[at - 1 : at + 1]
        server.arguments = lambda: words  # type: ignore[method-assign]
        server.start()
        assert server.resp_port == 0 and "port 6379 is in use" in server.said()
        assert server.http("GET", "/ping")[0] == 200


def test_a_port_that_is_freed_in_a_moment(serve: Serve) -> None:
    """A process that was killed may leave a child that still holds its port."""
    server = serve()
    with socket.create_server((HOST, server.http_port)), socket.create_server((HOST, server.resp_port)):
        server.begin()
        time.sleep(0.25)
    server.wait_ready()
    assert server.http("GET", "/ping")[0] == 200


def test_http_port_taken(serve: Serve) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = serve({"server.port": port}).refused()
        told = f"HTTP cannot listen on {HOST}:{port} (server.port): in use; --port N, or 0 for any free port\n"
        assert code == 1 and said.endswith(told) and "Traceback" not in said


def test_hole_in_the_unsynced_tail_is_cut_and_told(serve: Serve) -> None:
    server = serve({"persistence.wal.fsync_mode": "never"}).start()
    fill(server)
    server.kill9()
    name = flip(server, b"needle100.")
    server.start()
    said = server.said()
    assert name in said and "cut" in said
    with server.resp() as client:
        assert client.ask("GET", "key99") == b"value 99 needle99." and client.ask("GET", "key100") is None
        assert client.ask("DBSIZE") == 100
        client.ask("SET", "after", "x")
    assert int(server.info("persistence")["recovered_cut_bytes"]) > 0
    server.output.unlink()
    server.restart()
    assert "cut" not in server.said()
    with server.resp() as client:
        assert client.ask("GET", "after") == b"x" and client.ask("DBSIZE") == 101


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_flipped_bit_in_what_was_promised_is_refused(serve: Serve, how: str) -> None:
    server = serve({"persistence.wal.fsync_mode": "always" if how == "kill" else "never"}).start()
    fill(server)
    server.kill9() if how == "kill" else server.stop()
    whole = segments(server)[0].read_bytes()
    name = flip(server, b"needle100.")
    before = {path.name: path.read_bytes() for path in server.data.iterdir() if path.name != "LOCK"}
    code, said = server.refused()
    assert code == 1 and name in said and "Traceback" not in said
    offset = whole.find(b"needle100.")
    told = [int(word.strip(":;,.()")) for word in said.split() if word.strip(":;,.()").isdigit()]
    assert any(offset - 400 < number <= offset for number in told), said
    assert before == {path.name: path.read_bytes() for path in server.data.iterdir() if path.name != "LOCK"}
    segments(server)[0].write_bytes(whole)
    server.start()
    with server.resp() as client:
        assert client.ask("DBSIZE") == 200


def write_until_refused(server: Server) -> tuple[int, Any]:
    """(acknowledged SETs, what came instead of the next OK)."""
    with server.resp() as client:
        for i in range(5000):
            try:
                reply = client.ask("SET", f"full{i}", f"{i} " * 500)
            except ConnectionError as error:
                return i, error
            if reply != b"OK":
                return i, reply
    raise AssertionError("nothing was refused")


def refused_writes(server: Server) -> bool:
    with server.resp() as client:
        reply = client.ask("SET", "probe", "x")
    return isinstance(reply, Refusal) and str(reply).startswith("MISCONF")


def writable(server: Server) -> bool:
    with server.resp() as client:
        return bool(client.ask("SET", "again", "x") == b"OK")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="the limit of a running process is a Linux call")
@pytest.mark.parametrize("mode", ["always", "periodic", "never"])
def test_disk_full(serve: Serve, mode: str) -> None:
    server = serve({"persistence.wal.fsync_mode": mode}).start()
    fill(server)
    size = segments(server)[-1].stat().st_size
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size + 50_001, resource.RLIM_INFINITY))
    acked, last = write_until_refused(server)
    assert acked > 5 and "outcome unknown" in str(last)
    assert refused_writes(server)
    assert server.http("GET", "/health")[1]["status"] == "degraded"
    assert server.http("POST", "/kv/set", {"key": "x", "value": "y"})[0] == 507
    assert server.info("persistence")["log_failed"] != "no"
    with server.resp() as client:
        assert client.ask("GET", "key7") == b"value 7 needle7."
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    eventually(lambda: writable(server), 10, 0.1)
    assert server.http("GET", "/health")[1]["status"] == "healthy"
    server.restart()
    with server.resp() as client:
        assert client.ask("GET", "again") == b"x"
        for i in range(acked):
            assert client.ask("GET", f"full{i}") == (f"{i} " * 500).encode()


@pytest.mark.parametrize("before", ["failing_sync", "failing_slow_sync"])
@pytest.mark.parametrize("mode", ["always", "periodic"])
def test_failing_fsync(serve: Serve, mode: str, before: str) -> None:
    settings = {"persistence.wal.fsync_mode": mode, "persistence.wal.fsync_interval_ms": 10}
    server = serve(settings, before=f"tests.server.faulty:{before}").start()
    fill(server, 20)
    switch = server.data.parent / "sync_fails"
    switch.touch()
    if mode == "always":
        with server.resp() as client, server.resp() as reader:
            client.send("SET", "doubt", "x")
            reply = b""
            try:
                reply = client.read()
            except Gone:
                pass
            assert reply != b"OK"
            assert reader.ask("GET", "key1") == b"value 1 needle1."
    else:
        with server.resp() as client:
            reply = client.ask("SET", "doubt", "x")
            # A sync of earlier writes may fail at any time, also between the command and the write of its frame.
            assert reply == b"OK" or "outcome unknown" in str(reply)
    eventually(lambda: refused_writes(server))
    assert server.http("GET", "/health")[1]["status"] == "degraded"
    eventually(lambda: int(server.info("persistence")["snapshot_failures"]) > 0, 10, 0.1)
    assert refused_writes(server)  # a snapshot that could not be synced changes nothing
    switch.unlink()
    eventually(lambda: writable(server), 10, 0.1)
    server.restart()
    with server.resp() as client:
        assert client.ask("GET", "again") == b"x" and client.ask("GET", "key19") == b"value 19 needle19."
        assert client.ask("GET", "doubt") == b"x" or reply != b"OK"


def test_slow_fsync_keeps_the_order_and_loses_nothing(serve: Serve) -> None:
    server = serve({"persistence.wal.fsync_mode": "always"}, before="tests.server.faulty:slow_sync").start()
    with server.resp() as one, server.resp() as other:
        one.send_bytes(b"".join(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n" for _ in range(100)))
        begun = time.monotonic()
        assert [one.read() for _ in range(100)] == list(range(1, 101))
        one.send("SET", "k", "new")
        time.sleep(0.002)
        assert other.ask("GET", "k") == b"new" and time.monotonic() - begun > 0.02  # waits for what it has seen
        server.restart()
    with server.resp() as client:
        assert client.ask("GET", "k") == b"new" and client.ask("GET", "n") == b"100"


def test_wall_clock_jumps(serve: Serve) -> None:
    server = serve(before="tests.server.faulty:skewed_wall").start()
    wall = server.data.parent / "wall"
    with server.resp() as client:
        client.ask("SET", "k", "v", "PX", 60_000)
        client.ask("QUEUE.CREATE", "q", 10, 60_000, 3, 5)
        client.ask("QUEUE.PUBLISH", "q", "m")
        message = client.ask("QUEUE.CONSUME", "q", "w")
        for skew in (3_600_000, -3_600_000, 0):
            wall.write_text(str(skew))
            time.sleep(0.4)
            assert 58_000 < client.ask("PTTL", "k") <= 60_000
            assert client.ask("QUEUE.CONSUME", "q", "other") is None
            client.ask("SET", "short", "v", "PX", 100)
            eventually(lambda: client.ask("GET", "short") is None, 1)
            begun = time.monotonic()
            assert client.ask("BLPOP", "none", 0.1) is None and 0.09 < time.monotonic() - begun < 1
    assert "wall clock jumped" in server.said()
    wall.write_text("-3600000")
    server.restart()  # an hour behind its own frames: time goes on from the last frame
    with server.resp() as client:
        assert 50_000 < client.ask("PTTL", "k") <= 60_000
        assert client.ask("QUEUE.CONSUME", "q", "other") is None
        assert client.ask("QUEUE.ACK", "q", message[1]) == b"OK"
        client.ask("SET", "short", "v", "PX", 100)
        eventually(lambda: client.ask("GET", "short") is None, 1)
        assert client.ask("BLPOP", "none", 0.1) is None


def test_health_tells_how_far_a_cold_start_has_come(tmp_path: Path) -> None:
    """A real process with an empty cache; it is ended before it is ready, since compiling takes many seconds."""
    environment = dict(os.environ, SYNAP_CACHE_DIR=str(tmp_path / "cache"), PYTHONPATH=str(ROOT))
    port = free_port()
    command = [sys.executable, "-m", "synap.cli", "serve", "--port", str(port), "--set", "resp.port=-1"]
    server = Server.__new__(Server)
    server.http_port = port
    with subprocess.Popen([*command, "--data-dir", "data"], cwd=tmp_path, env=environment,
                          stderr=subprocess.DEVNULL) as process:  # fmt: skip
        try:
            status, body = eventually(lambda: _health(server), 20, 0.05)
            assert status == 503 and body["status"] == "starting" and body["phase"] == "compiling"
            body = eventually(lambda: _progress(server), 20, 0.05)
            assert body["kernels"]["total"] > 10 and body["kernels"]["done"] < body["kernels"]["total"]
            assert server.http("GET", "/kv/get/k")[0] == 503
            compiling = eventually(lambda: children_of(process.pid), 20, 0.05)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    eventually(lambda: not any(alive(pid) for pid in compiling), 20)


def _health(server: Server) -> Any:
    try:
        return server.http("GET", "/health")
    except ConnectionError:
        return None


def _progress(server: Server) -> Any:
    body = server.http("GET", "/health")[1]
    return body if body["kernels"]["total"] else None


def test_kill_in_the_middle_of_a_snapshot(serve: Serve) -> None:
    server = serve().start()
    with server.resp() as client:
        for start in range(0, 100_000, 2000):
            client.ask_all(*(["SET", f"key{i}", f"value {i}" * 8] for i in range(start, start + 2000)))
        digest = client.ask("DEBUG", "DIGEST")
        for wait in (0.0, 0.003, 0.05):
            with server.resp() as other:
                other.ask("BGSAVE")
            children = server.children()
            time.sleep(wait)
            server.restart()
            eventually(lambda: not any(alive(child) for child in children), 2)  # noqa: B023
            with server.resp() as again:
                assert again.ask("DEBUG", "DIGEST") == digest
    status, body = server.http("POST", "/snapshot", {})
    assert status == 200 and body["offset"] == 100_000
    assert not [path for path in server.data.iterdir() if "tmp" in path.name.lower()]
