"""What a client says and does when a connection breaks: before a call was sent, after it, and in between calls."""

import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from synap.client import (
    AsyncClient,
    Client,
    ClientError,
    Closed,
    ConnectionLost,
    LocalProtocolError,
    NotConnected,
    Options,
    OutcomeUnknown,
    PoolExhausted,
    Refused,
    RemoteProtocolError,
    TimedOut,
    connect,
)
from synap.client.options import from_address
from tests.client.conftest import Scripted
from tests.client.kinds import KINDS, client, got, run, within
from tests.server.clients import Server, eventually

OK = b"+OK\r\n"
FAST = {"backoff": 0.001}


def first_breaks(number: int, words: list[bytes]) -> bytes | None:
    """Hang up on the first connection, answer on the others."""
    return None if number == 1 else OK


@pytest.mark.parametrize("kind", KINDS)
def test_a_write_that_was_sent_is_not_repeated(kind: str, scripted: Scripted) -> None:
    scripted.answering(first_breaks)

    async def scenario(asked: Any) -> None:
        with pytest.raises(OutcomeUnknown, match="SET was sent") as told:
            await got(asked.set("secret-key", "secret-value"))
        assert isinstance(told.value.__cause__, ConnectionLost) and "secret" not in str(told.value)
        assert await got(asked.set("b", "c")) is True

    run(kind, scripted.port, scenario, **FAST)
    assert scripted.heard == [[b"SET", b"secret-key", b"secret-value"], [b"SET", b"b", b"c"]]


@pytest.mark.parametrize("kind", KINDS)
def test_neither_are_pipelines_and_transactions(kind: str, scripted: Scripted) -> None:
    scripted.answering(lambda number, words: None if words[0] in (b"SET", b"EXEC") else OK)

    async def scenario(asked: Any) -> None:
        with pytest.raises(OutcomeUnknown, match="GET SET"):
            async with within(asked.pipeline()) as batch:
                batch.get("a")
                batch.set("a", "b")
        with pytest.raises(OutcomeUnknown, match="MULTI and 3 more"):
            async with within(asked.transaction()) as batch:
                batch.get("a")
                batch.get("b")

    run(kind, scripted.port, scenario, **FAST)
    assert [words[0] for words in scripted.heard] == [b"GET", b"SET", b"MULTI", b"GET", b"GET", b"EXEC"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_changes_nothing_is_asked_again(kind: str, scripted: Scripted) -> None:
    scripted.answering(lambda number, words: None if number < 3 else b"$1\r\nb\r\n")

    async def scenario(asked: Any) -> None:
        assert await got(asked.get("a")) == b"b"

    run(kind, scripted.port, scenario, **FAST)
    assert scripted.heard == [[b"GET", b"a"]] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_and_what_the_caller_calls_idempotent(kind: str, scripted: Scripted) -> None:
    scripted.answering(lambda number, words: OK if len(scripted.heard) == 2 else None)

    async def scenario(asked: Any) -> None:
        assert await got(asked.idempotent.set("a", "b")) is True
        with pytest.raises(OutcomeUnknown):  # the client itself has not changed
            await got(asked.set("a", "c"))

    run(kind, scripted.port, scenario, **FAST)
    assert scripted.heard == [[b"SET", b"a", b"b"]] * 2 + [[b"SET", b"a", b"c"]]


@pytest.mark.parametrize("kind", KINDS)
def test_after_so_many_attempts_it_gives_up(kind: str, scripted: Scripted) -> None:
    scripted.answering(lambda number, words: None)

    async def scenario(asked: Any) -> None:
        with pytest.raises(ConnectionLost):
            await got(asked.get("a"))

    run(kind, scripted.port, scenario, attempts=3, **FAST)
    assert scripted.heard == [[b"GET", b"a"]] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_loads_is_asked_again_whatever_it_is(kind: str, scripted: Scripted) -> None:
    scripted.answering(lambda number, words: OK if len(scripted.heard) > 2 else b"-LOADING not yet\r\n")

    async def scenario(asked: Any) -> None:
        assert await got(asked.set("a", "b")) is True

    run(kind, scripted.port, scenario, **FAST)
    assert len(scripted.heard) == 3 and scripted.connections == 1


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_there(kind: str) -> None:
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))

        async def scenario(asked: Any) -> None:
            with pytest.raises(NotConnected, match=r"cannot connect to 127\.0\.0\.1"):
                await got(asked.set("a", "b"))

        run(kind, taken.getsockname()[1], scenario, attempts=2, **FAST)


@pytest.mark.parametrize("kind", KINDS)
def test_a_silent_server(kind: str, scripted: Scripted) -> None:
    scripted.answering(lambda number, words: b"")

    async def scenario(asked: Any) -> None:
        with pytest.raises(TimedOut, match=r"sent nothing for 0\.1 s"):
            await got(asked.get("a"))
        with pytest.raises(OutcomeUnknown) as told:
            await got(asked.set("a", "b"))
        assert isinstance(told.value.__cause__, TimedOut)

    run(kind, scripted.port, scenario, timeout=0.1, attempts=2, **FAST)
    assert scripted.connections == 3  # none is used again


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_talks_nonsense(kind: str, scripted: Scripted) -> None:
    scripted.answering(lambda number, words: b"HTTP/1.1 400 Bad Request\r\n" if number == 1 else OK)

    async def scenario(asked: Any) -> None:
        with pytest.raises(RemoteProtocolError, match="HTTP"):
            await got(asked.get("a"))
        assert await got(asked.set("a", "b")) is True

    run(kind, scripted.port, scenario)
    assert scripted.connections == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_reply_too_many_ends_its_connection(kind: str, scripted: Scripted) -> None:
    scripted.answering(lambda number, words: OK + OK if number == 1 else b"+fine\r\n")

    async def scenario(asked: Any) -> None:
        assert await got(asked.execute("PING")) == b"OK"
        time.sleep(0.05)
        assert await got(asked.execute("PING")) == b"fine"

    run(kind, scripted.port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_was_started_again_between_calls_costs_nothing(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        for wanted in range(1, 4):
            assert await got(asked.incr("a")) == wanted
            node.restart()

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_killed_while_writers_write(kind: str, node: Server) -> None:
    """Whatever was answered is there, and whatever was OutcomeUnknown is there once or not at all."""
    known, unknown = [0], [0]

    async def write(asked: Any) -> None:
        for _ in range(1500):
            try:
                await got(asked.incr("a"))
                known[0] += 1
            except OutcomeUnknown:
                unknown[0] += 1

    killer = threading.Thread(target=lambda: (eventually(lambda: known[0] > 100), node.restart()))
    killer.start()
    run(kind, node.resp_port, write, attempts=50)
    killer.join()
    with connect(f"synap://127.0.0.1:{node.resp_port}") as asked:
        count = int(asked.get("a") or 0)
    assert known[0] <= count <= known[0] + unknown[0] and unknown[0] <= 1 and known[0] >= 1499


def test_the_pool_is_bounded(node: Server) -> None:
    with Client("127.0.0.1", node.resp_port, connections_max=1, pool_timeout=0.1) as asked:
        waiting = threading.Thread(target=asked.blpop, args=("nothing",), kwargs={"timeout": 0.5})
        waiting.start()
        eventually(lambda: asked._pool._permits.empty())
        with pytest.raises(PoolExhausted, match="connections_max"):
            asked.get("a")
        waiting.join()
        assert asked.get("a") is None


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_pool_of_tasks_is_bounded(node: Server, backend: str) -> None:
    async def scenario() -> None:
        async with AsyncClient("127.0.0.1", node.resp_port, connections_max=3) as asked:
            async with anyio.create_task_group() as group:
                for i in range(50):
                    group.start_soon(asked.set, f"k{i}", i)
            assert await asked.dbsize() == 50 and len(asked._pool._all) <= 3
        async with AsyncClient("127.0.0.1", node.resp_port, connections_max=1, pool_timeout=0.1) as asked:
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: asked.blpop("nothing", timeout=0.5))
                await anyio.sleep(0.1)
                with pytest.raises(PoolExhausted):
                    await asked.get("a")

    anyio.run(scenario, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_call_leaves_no_reply_behind(node: Server, backend: str) -> None:
    async def scenario() -> None:
        async with AsyncClient("127.0.0.1", node.resp_port) as asked:
            for _ in range(5):
                with anyio.move_on_after(0.02):
                    await asked.blpop("nothing", timeout=5)
                await asked.set("a", "b")
                assert await asked.get("a") == b"b"
            assert len(asked._pool._all) == 1

    anyio.run(scenario, backend=backend)


def test_closing_ends_whoever_waits(node: Server) -> None:
    asked = Client("127.0.0.1", node.resp_port)
    told: list[BaseException] = []

    def wait(call: Callable[[], Any]) -> None:
        try:
            call()
        except ClientError as error:
            told.append(error)

    calls = [lambda: asked.blpop("nothing", timeout=20), lambda: asked.execute("BLPOP", "n", 20, patience=20)]
    threads = [threading.Thread(target=wait, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    eventually(lambda: len(asked._pool._all) == 2)
    time.sleep(0.05)
    asked.close()
    for thread in threads:
        thread.join(5)
    assert [type(error) for error in told] == [OutcomeUnknown, OutcomeUnknown]
    with pytest.raises(Closed):
        asked.get("a")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_connections_of_its_own(node: Server) -> None:
    with Client("127.0.0.1", node.resp_port) as asked:
        asked.set("a", "parent")
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(0 if asked.get("a") == b"parent" and asked.set("a", "child") else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert asked.get("a") == b"child"


def test_addresses() -> None:
    found = from_address("synap://me:p%40ss@example.org:7000/3?timeout=1.5&decode=true&client_name=x", attempts=9)
    assert found == Options(
        host="example.org", port=7000, db=3, username="me", password="p@ss", timeout=1.5, decode=True,
        client_name="x", attempts=9,
    )  # fmt: skip
    assert "p@ss" not in repr(found)
    assert found.handshake() == [("HELLO", 3, "AUTH", "me", "p@ss", "SETNAME", "x"), ("SELECT", 3)]
    assert from_address("redis://[::1]").host == "::1" and from_address("synap://h?timeout=none").timeout is None
    for wrong, what in [
        ("http://h", "synap://host"), ("synap://", "synap://host"), ("h:1", "synap://host"),
        ("synap://h/x", "invalid literal"), ("synap://h?a=1", "no option 'a'"), ("synap://h?timeout=x", "a number"),
        ("synap://h?decode=maybe", "true or false"), ("synap://h:99999", "range"), ("synap://h?timeout=0", "above 0"),
        ("synap://h?attempts=0", "at least 1"), ("synap://:secret@", "synap://host"),
    ]:  # fmt: skip
        with pytest.raises(LocalProtocolError, match=what) as told:
            from_address(wrong)
        assert "secret" not in str(told.value)


def test_options_reach_the_server(node: Server, redis_port: int) -> None:
    address = f"synap://127.0.0.1:{node.resp_port}"
    with connect(f"{address}/2?client_name=me") as asked, connect(address) as other:
        asked.set("a", "b")
        assert other.get("a") is None
        assert "name=me" in asked.execute("CLIENT", "LIST").decode()
    with pytest.raises(Refused, match="DB index"):
        connect(f"{address}/99")
    with pytest.raises(Refused, match="WRONGPASS"):
        connect(f"redis://nobody:wrong@127.0.0.1:{redis_port}")


def test_pauses_grow_and_differ() -> None:
    options = Options(backoff=0.1, backoff_max=1.0)
    pauses = [[options.pause(attempt) for attempt in range(1, 40)] for _ in range(20)]
    for attempt, found in enumerate(zip(*pauses, strict=True), 1):
        whole = min(1.0, 0.1 * 2 ** (attempt - 1))
        assert all(whole / 2 <= pause <= whole for pause in found) and len(set(found)) > 5


def test_importing_is_light() -> None:
    import subprocess
    import sys

    code = "import sys, synap.client; print([n for n in ('numpy', 'numba', 'anyio', 'msgspec') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
    assert client("sync", 1).options.port == 1
