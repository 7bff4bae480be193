"""The log fails in the middle of a turn: nobody whose change was not written, or not synced, hears an OK.

A server that is stopped (SIGSTOP) while clients send finds all their commands at once when it goes on, so
they are of one turn, in the order in which they were sent. Writes fail by a limit on the size of files.
"""

import resource
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.server.clients import HOST, Resp, Server, eventually, one_turn
from tests.support import command

pytestmark = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="prlimit is a Linux call")

Serve = Callable[..., Server]
Peer = Callable[[Server], Resp]
MODES = ["always", "periodic", "never"]
NO_SPACE = 512  # bytes; the log, and a snapshot, are longer from the beginning
LARGE = 3 << 20  # three of these are more than the 8 MiB at which frames are written early


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Makes RESP clients that are closed at the end."""
    with ExitStack() as stack:
        yield lambda server: stack.enter_context(server.resp())


def serving(serve: Serve, mode: str, before: str = "") -> Server:
    settings = {"persistence.wal.fsync_mode": mode, "persistence.wal.fsync_interval_ms": 20}
    server = serve(settings, before=before and f"tests.server.faulty:{before}").start()
    with server.resp() as client:
        for i in range(20):
            assert client.ask("SET", f"sure{i}", f"value {i}") == b"OK"
    return server


def refuse_writes(server: Server, capacity: int | None = None) -> None:
    """From now on the log takes `capacity` more bytes; without it nothing is written, a snapshot neither."""
    size = max(path.stat().st_size for path in server.data.glob("log-*.synap"))
    most = NO_SPACE if capacity is None else size + capacity
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def allow_writes(server: Server) -> None:
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def heard(client: Resp) -> list[Any]:
    """Every reply until the server hangs up, or says nothing more for a while."""
    client.socket.settimeout(0.3)
    found = []
    try:
        while True:
            found.append(client.read())
    except (ConnectionError, TimeoutError):
        return found


def unknown(replies: list[Any]) -> bool:
    """Is this what a client hears whose changes are in doubt: one error about that, or nothing?"""
    return len(replies) <= 1 and all("outcome unknown" in str(reply) for reply in replies)


def is_refused(server: Server) -> bool:
    with server.resp() as client:
        return str(client.ask("SET", "probe", "x")).startswith("MISCONF")


def is_writable(server: Server) -> bool:
    with server.resp() as client:
        return bool(client.ask("SET", "again", "x") == b"OK")


def log_failed(server: Server) -> int:
    """What the metrics say: 1 while writes are refused."""
    with urllib.request.urlopen(f"http://{HOST}:{server.http_port}/metrics", timeout=5) as reply:
        (line,) = [line for line in reply.read().decode().splitlines() if line.startswith("synap_log_failed ")]
    return int(float(line.split()[1]))


def check_refused(server: Server) -> None:
    """Reads are answered, writes are refused."""
    with server.resp() as client:
        assert [client.ask("GET", f"sure{i}") for i in (0, 19)] == [b"value 0", b"value 19"]
    eventually(lambda: is_refused(server))
    assert server.http("GET", "/kv/get/sure3")[0] == 200
    assert server.http("POST", "/kv/set", {"key": "x", "value": "y"})[0] == 507
    assert server.http("GET", "/health")[1]["status"] == "degraded"
    assert log_failed(server) == 1


def check_heals(server: Server, switch: Path | None = None) -> None:
    """It takes writes again once the disk does, goes on taking them, and has them after a crash."""
    allow_writes(server)
    if switch is not None:
        switch.unlink()
    with server.resp() as client:  # a snapshot heals it; one that began by itself and cannot succeed comes before ours
        eventually(lambda: client.ask("BGSAVE") == b"Background saving started", 10)
    eventually(lambda: is_writable(server), 30)
    assert server.http("GET", "/health")[1]["status"] == "healthy"
    assert log_failed(server) == 0
    with server.resp() as client:
        digest = client.ask("DEBUG", "DIGEST")
    server.restart()
    with server.resp() as client:
        assert client.ask("DEBUG", "DIGEST") == digest
        assert client.ask("GET", "again") == b"x" and client.ask("GET", "sure19") == b"value 19"
        assert client.ask("SET", "after", "x") == b"OK"


def parked_on(server: Server, client: Resp, key: str) -> None:
    """Let a client wait for a list."""
    before = int(server.info("clients")["blocked_clients"])
    client.send("BLPOP", key, 0)
    eventually(lambda: int(server.info("clients")["blocked_clients"]) > before)


class Web:
    """An HTTP client whose connection stands before it posts."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection((HOST, server.http_port), 5)
        self.socket.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert self.socket.recv(65536).startswith(b"HTTP/1.1 200")

    def post(self, path: bytes, body: bytes) -> None:
        head = b"POST %b HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n" % path
        self.socket.sendall(head + b"content-length: %d\r\n\r\n%b" % (len(body), body))

    def heard(self) -> bytes:
        """All that comes until the server hangs up."""
        try:
            return b"".join(iter(lambda: self.socket.recv(65536), b""))
        except ConnectionError:
            return b""


@pytest.fixture
def web() -> Iterator[Callable[[Server], Web]]:
    """Makes HTTP clients that are closed at the end."""
    with ExitStack() as stack:

        def make(server: Server) -> Web:
            made = Web(server)
            stack.enter_context(made.socket)
            return made

        yield make


def queue_large(client: Resp) -> None:
    """Let EXEC be a small request that makes 9 MiB of frames."""
    assert client.ask("MULTI") == b"OK"
    for i in range(3):
        assert client.ask("SET", f"large{i}", b"x" * LARGE) == b"QUEUED"


@pytest.mark.parametrize("mode", MODES)
def test_early_write(serve: Serve, peer: Peer, web: Any, mode: str) -> None:
    """More than 8 MiB in one turn: the write in its middle fails, and other replies wait for its end."""
    server = serving(serve, mode)
    before, behind, large, by_http = [peer(server) for _ in range(3)], peer(server), peer(server), web(server)
    queue_large(large)
    refuse_writes(server)
    with one_turn(server):
        by_http.post(b"/kv/set", b'{"key":"web","value":"x"}')  # what comes to RESP sockets is served together
        for i, client in enumerate(before):
            client.send("SET", f"small{i}", "x")
        large.send("EXEC")
        behind.send("SET", "behind", "x")
    assert by_http.heard() == b""
    for client in (*before, large):
        assert unknown(replies := heard(client)), replies
    assert str(behind.read()).startswith("MISCONF")
    check_refused(server)
    check_heals(server)


@pytest.mark.parametrize("mode", MODES)
def test_early_write_and_those_who_were_served_before_it(serve: Serve, peer: Peer, web: Any, mode: str) -> None:
    """Replies that are made and not yet handed to the turn: of calls that waited, and behind another reply."""
    server = serving(serve, mode)
    parked, by_http, pusher, large = peer(server), web(server), peer(server), peer(server)
    parked_on(server, parked, "list")
    by_http.post(b"/list/blpop", b'{"keys":["web"],"timeout":30}')
    queue_large(large)
    refuse_writes(server)
    with one_turn(server):
        pushes = command("RPUSH", "list", "a") + command("RPUSH", "web", "b")
        pusher.send_bytes(command("SET", "own", 1) + pushes + command("SET", "own", 2))
        large.send("EXEC")
    assert by_http.heard() == b""
    for client in (parked, pusher, large):
        assert unknown(replies := heard(client)), replies
    check_refused(server)
    check_heals(server)


@pytest.mark.parametrize("mode", MODES)
def test_write_at_the_end_and_those_who_were_served_before_it(serve: Serve, peer: Peer, web: Any, mode: str) -> None:
    """The same when the end of the turn comes before those replies."""
    server = serving(serve, mode)
    parked, by_http, pusher, first = peer(server), web(server), peer(server), peer(server)
    by_http.post(b"/list/blpop", b'{"keys":["web"],"timeout":30}')
    parked_on(server, parked, "list")
    refuse_writes(server)
    with one_turn(server):
        first.send("GET", "sure0")  # its reply asks for the end of the turn
        pusher.send_bytes(command("SET", "own", 1) + command("RPUSH", "list", "a") + command("RPUSH", "web", "b"))
    assert by_http.heard() == b""
    for client in (parked, pusher):
        assert unknown(replies := heard(client)), replies
    check_refused(server)
    check_heals(server)


@pytest.mark.parametrize("mode", MODES)
def test_early_write_of_a_client_that_had_used_up_its_budget(serve: Serve, peer: Peer, mode: str) -> None:
    """It goes on by itself, so no read of its socket is there to take the failure."""
    server = serving(serve, mode)
    large = peer(server)
    queue_large(large)
    refuse_writes(server)
    with one_turn(server):
        large.send_bytes(command("PING") * 4200 + command("EXEC"))
    time.sleep(0.1)
    large.send("SELECT", 0)
    replies = heard(large)
    queued = [reply for reply in replies if reply != b"QUEUED"]
    assert unknown(queued), queued[:3]
    check_refused(server)
    check_heals(server)


def test_early_write_of_upkeep(serve: Serve, peer: Peer) -> None:
    """Keys that expire at once make frames too; nobody has asked for those, so nobody is cut off."""
    server = serving(serve, "never")
    client, idle = peer(server), peer(server)
    assert idle.ask("PING") == b"PONG"
    for i in range(100):
        assert client.ask("SET", b"%d" % i + b"k" * 100_000, "x", "PX", 600) == b"OK"
    refuse_writes(server)
    with one_turn(server):
        time.sleep(0.7)
    eventually(lambda: server.info("persistence")["log_failed"] != "no")
    assert idle.ask("GET", "sure7") == b"value 7"
    check_refused(server)
    check_heals(server)


@pytest.mark.parametrize("first", ["snapshot first", "writes first"])
@pytest.mark.parametrize("fault", ["write", "sync"])
@pytest.mark.parametrize("mode", MODES)
def test_before_a_snapshot(serve: Serve, peer: Peer, mode: str, fault: str, first: str) -> None:
    """BGSAVE flushes and syncs within the turn. A failed sync leaves only `always` without what it promised."""
    server = serving(serve, mode, "failing_sync" if fault == "sync" else "")
    switch = server.data.parent / "sync_fails"
    clients, saver = [peer(server) for _ in range(3)], peer(server)
    switch.touch() if fault == "sync" else refuse_writes(server)
    with one_turn(server):
        if first == "snapshot first":
            saver.send_bytes(command("SET", "own", 1) + command("BGSAVE"))
        for i, client in enumerate(clients):
            client.send("SET", f"small{i}", "x")
        if first == "writes first":
            saver.send_bytes(command("SET", "own", 1) + command("BGSAVE"))
    heard_of = [heard(client) for client in (*clients, saver)]
    if fault == "write" or mode == "always":
        assert all(unknown(replies) for replies in heard_of), heard_of
    check_refused(server)
    check_heals(server, switch if fault == "sync" else None)
    if fault == "sync" and any(b"OK" in replies for replies in heard_of):
        with server.resp() as client:
            assert client.ask("GET", "small0") == b"x"


@pytest.mark.parametrize("fault", ["write", "sync"])
@pytest.mark.parametrize("mode", MODES)
def test_before_a_snapshot_asked_for_by_http(serve: Serve, peer: Peer, web: Any, mode: str, fault: str) -> None:
    """By its path, and as a command of a batch behind a write."""
    server = serving(serve, mode, "failing_sync" if fault == "sync" else "")
    switch = server.data.parent / "sync_fails"
    clients, saver, batch = [peer(server) for _ in range(3)], web(server), web(server)
    switch.touch() if fault == "sync" else refuse_writes(server)
    one = b'{"command":"kv.set","payload":{"key":"a","value":"b"}}'
    with one_turn(server):
        saver.post(b"/snapshot", b"{}")
        batch.post(b"/api/v1/command", b'{"type":"batch","commands":[%b,{"command":"snapshot"}]}' % one)
        for i, client in enumerate(clients):
            client.send("SET", f"small{i}", "x")
    assert not saver.heard().startswith(b"HTTP/1.1 200")
    said = batch.heard()
    if fault == "write" or mode == "always":
        assert said == b""
        for client in clients:
            assert unknown(replies := heard(client)), replies
    check_refused(server)
    check_heals(server, switch if fault == "sync" else None)


def test_no_reply_overtakes_one_that_waits_for_the_disk(serve: Serve, peer: Peer) -> None:
    """While a sync takes its time the write of another client fails: what waits for the sync is in doubt."""
    server = serving(serve, "always", "stuck_sync")
    switch = server.data.parent / "sync_stuck"
    waits, fails = peer(server), peer(server)
    switch.touch()
    waits.send("SET", "waits", "x")
    time.sleep(0.05)
    refuse_writes(server)
    fails.send("SET", "fails", "x")
    time.sleep(0.05)
    waits.send("SELECT", 0)  # its OK would be taken for that of SET
    time.sleep(0.05)
    assert unknown(heard(waits)) and unknown(heard(fails))
    reader = peer(server)
    for i in range(400):  # the news comes a second time with the sync, which has taken long: it cuts nobody off
        if i == 100:
            switch.unlink()
        assert reader.ask("GET", "sure0") == b"value 0"
    check_refused(server)
    check_heals(server)


@pytest.mark.parametrize("mode", ["always", "periodic"])
def test_a_sync_that_hears_late_of_the_failure(serve: Serve, peer: Peer, mode: str) -> None:
    """It ends when a snapshot has made the log whole again: there is no second failure."""
    server = serving(serve, mode, "stuck_sync")
    switch = server.data.parent / "sync_stuck"
    waits, fails = peer(server), peer(server)
    switch.touch()
    waits.send("SET", "waits", "x")
    time.sleep(0.1)
    refuse_writes(server)
    fails.send("SET", "fails", "x")
    assert unknown(heard(fails))
    allow_writes(server)
    eventually(lambda: list(server.data.glob("snapshot-*.synap")), 5)
    time.sleep(0.1)  # the loop waits for that sync to begin the next segment
    switch.unlink()
    eventually(lambda: is_writable(server), 10, 0.05)
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        assert is_writable(server)
        time.sleep(0.05)
    assert "Traceback" not in server.said()
    check_heals(server)


@pytest.mark.parametrize("mode", MODES)
def test_a_slow_reader_keeps_a_reply_that_was_made_before(serve: Serve, peer: Peer, mode: str) -> None:
    server = serving(serve, mode)
    slow, fails = peer(server), peer(server)
    assert fails.ask("SET", "big", b"x" * (24 << 20)) == b"OK"
    slow.send("GET", "big")
    time.sleep(0.3)  # it is stuck: the system's buffers are full
    refuse_writes(server)
    fails.send("SET", "fails", "x")
    assert unknown(heard(fails))
    slow.socket.settimeout(10)
    assert slow.read() == b"x" * (24 << 20) and slow.ask("GET", "sure0") == b"value 0"
    check_heals(server)


def test_a_snapshot_within_a_transaction_begins_after_it(serve: Serve, peer: Peer) -> None:
    """The log never gets the half of a transaction: here the half would be what a crash leaves."""
    server = serving(serve, "never")
    client = peer(server)
    assert client.ask("MULTI") == b"OK"
    for words in (["SET", "a", 1], ["BGSAVE"], ["SET", "b", b"x" * 60_000]):
        assert client.ask(*words) == b"QUEUED"
    refuse_writes(server, 10_000)  # room for the first half alone
    client.send("EXEC")
    assert unknown(heard(client))
    server.kill9()
    server.start()
    with server.resp() as after:
        assert after.ask("GET", "a") is None and after.ask("GET", "b") is None
