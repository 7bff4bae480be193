"""Keys, pipelines and transactions, by both clients, against a server of ours and a redis-server."""

import threading
from contextlib import aclosing
from typing import Any

import pytest

from synap.client import Conflict, LocalProtocolError, Refused, connect
from tests.client.kinds import KINDS, each, got, run, within
from tests.server.clients import Server


@pytest.fixture(params=["synap", "redis"])
def port(request: pytest.FixtureRequest) -> int:
    """The port of either server, which is empty."""
    if request.param == "redis":
        found = int(request.getfixturevalue("redis_port"))
    else:
        server: Server = request.getfixturevalue("node")
        found = server.resp_port
    with connect(f"synap://127.0.0.1:{found}") as asked:
        asked.flushdb()
    return found


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], Any]] = [
    ("ping", (), {}, True),
    ("set", ("a", "b"), {}, True), ("get", ("a",), {}, b"b"), ("get", ("nobody",), {}, None),
    ("set", ("a", "c"), {"nx": True}, False), ("set", ("a", b"\xff\r\n"), {"xx": True}, True),
    ("get", ("a",), {}, b"\xff\r\n"), ("set", ("n", 5), {}, True), ("incr", ("n",), {}, 6), ("incr", ("n", 4), {}, 10),
    ("decr", ("n", 3), {}, 7), ("incrbyfloat", ("f", 1.5), {}, 1.5), ("strlen", ("a",), {}, 3),
    ("append", ("a", "xy"), {}, 5), ("getset", ("a", "z"), {}, b"\xff\r\nxy"), ("getset", ("new", "z"), {}, None),
    ("getdel", ("new",), {}, b"z"), ("mset", ({"m1": "1", b"m2": 2},), {}, None),
    ("mget", ("m1", "m2", "m3"), {}, [b"1", b"2", None]), ("exists", ("m1", "m2", "m3"), {}, 2),
    ("set", ("t", "v"), {"ex": 100}, True), ("ttl", ("t",), {}, 100), ("persist", ("t",), {}, True),
    ("persist", ("t",), {}, False), ("ttl", ("t",), {}, -1), ("ttl", ("nobody",), {}, -2),
    ("set", ("t", "v"), {"px": 90_000}, True), ("set", ("t", "w"), {"keepttl": True}, True), ("ttl", ("t",), {}, 90),
    ("set", ("t", "v"), {"ex": 99.9}, True), ("ttl", ("t",), {}, 100), ("expire", ("t", 50), {}, True),
    ("ttl", ("t",), {}, 50), ("expire", ("nobody", 50), {}, False), ("rename", ("t", "u"), {}, None),
    ("type", ("u",), {}, "string"), ("type", ("t",), {}, "none"), ("delete", ("u", "t"), {}, 1),
    ("set_json", ("j", {"a": [1, "\u00e4", None]}), {}, True), ("get_json", ("j",), {}, {"a": [1, "\u00e4", None]}),
    ("get_json", ("nobody",), {}, None),
    ("rpush", ("l", "b", "c"), {}, 2), ("lpush", ("l", "a"), {}, 3), ("lrange", ("l",), {}, [b"a", b"b", b"c"]),
    ("lrange", ("l", 1, 1), {}, [b"b"]), ("llen", ("l",), {}, 3), ("lpop", ("l",), {}, b"a"),
    ("rpop", ("l",), {}, b"c"),
    ("blpop", ("x", "l"), {"timeout": 1}, (b"l", b"b")), ("blpop", ("l",), {"timeout": 0.02}, None),
    ("lpop", ("l",), {}, None),
    ("sadd", ("s", "a", "b", "a"), {}, 2), ("smembers", ("s",), {}, {b"a", b"b"}), ("sismember", ("s", "a"), {}, True),
    ("sismember", ("s", "c"), {}, False), ("scard", ("s",), {}, 2), ("srem", ("s", "a"), {}, 1),
    ("execute", ("ECHO", "hi"), {}, b"hi"), ("execute", ("SETRANGE", "r", 2, "x"), {"idempotent": True}, 3),
    ("dbsize", (), {}, 8), ("flushdb", (), {}, None), ("dbsize", (), {}, 0),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_call(kind: str, port: int) -> None:
    async def scenario(asked: Any) -> None:
        for name, words, given, wanted in CALLS:
            found = await got(getattr(asked, name)(*words, **given))
            assert found == wanted and type(found) is type(wanted), (name, words, given)
        assert "used_memory" in await got(asked.info("memory"))

    run(kind, port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_decoded(kind: str, port: int) -> None:
    async def scenario(asked: Any) -> None:
        await got(asked.set("a", "\u00e4"))
        await got(asked.rpush("l", "x"))
        await got(asked.sadd("s", "y"))
        assert await got(asked.get("a")) == "\u00e4"
        assert await got(asked.mget("a", "b")) == ["\u00e4", None]
        assert await got(asked.blpop("l", timeout=1)) == ("l", "x")
        assert await got(asked.smembers("s")) == {"y"}
        assert await got(asked.execute("ECHO", "z")) == "z"
        assert [key async for key in each(asked.scan("a*"))] == ["a"]
        await got(asked.set("raw", b"\xff"))
        with pytest.raises(UnicodeDecodeError):
            await got(asked.get("raw"))
        assert await got(asked.get("a")) == "\u00e4"

    run(kind, port, scenario, decode=True)


@pytest.mark.parametrize("kind", KINDS)
def test_refusals(kind: str, port: int) -> None:
    async def scenario(asked: Any) -> None:
        await got(asked.set("a", "b"))
        with pytest.raises(Refused, match="not an integer") as told:
            await got(asked.incr("a"))
        assert told.value.code == "ERR" and told.value.text.startswith("value is not")
        with pytest.raises(Refused) as told:
            await got(asked.lpush("a", "b"))
        assert told.value.code == "WRONGTYPE"
        for words in (["SELECT", 1], ["multi"], [b"Subscribe", "a"], ["WATCH", "a"], ["client", b"reply", "off"], []):
            with pytest.raises(LocalProtocolError):
                await got(asked.execute(*words))
        with pytest.raises(LocalProtocolError, match="NoneType"):
            await got(asked.set("a", None))
        with pytest.raises(LocalProtocolError, match="exclude"):
            await got(asked.set("a", "b", ex=1, px=1))
        with pytest.raises(LocalProtocolError, match="no limit"):
            await got(asked.blpop("a", timeout=-1))
        assert await got(asked.get("a")) == b"b"

    run(kind, port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_scanning(kind: str, port: int) -> None:
    async def scenario(asked: Any) -> None:
        async with within(asked.pipeline()) as batch:
            for i in range(1000):
                batch.set(f"key:{i}", i)
            batch.set("other", "x")
        assert len({key async for key in each(asked.scan("key:*"))}) == 1000
        assert {key async for key in each(asked.scan("key:99?"))} == {b"key:99%d" % i for i in range(10)}
        assert len({key async for key in each(asked.scan())}) == 1001
        async with within(asked.scan(count=10)) as keys, aclosing(each(keys)) as found:
            async for _ in found:
                break
        assert [key async for key in each(keys)] == []
        with pytest.raises(Refused):
            _ = [key async for key in each(asked.scan(count=-1))]

    run(kind, port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_pipelines(kind: str, port: int) -> None:
    async def scenario(asked: Any) -> None:
        async with within(asked.pipeline()) as batch:
            stored = batch.set("a", 1)
            counted = batch.incr("a", 4)
            assert len(batch) == 2 and not counted.done
            with pytest.raises(Exception, match="not been carried out"):
                _ = counted.value
        assert (stored.value, counted.value, batch.results) == (True, 5, [True, 5])

        batch = asked.pipeline()
        batch.lpush("a", "x")
        last = batch.get("a")
        with pytest.raises(Refused, match="WRONGTYPE"):
            await got(batch.send())
        assert last.value == b"5"  # all were carried out
        refused = batch.lpush("a", "x")
        assert [type(result) for result in await got(batch.send(raise_refused=False))] == [Refused]
        with pytest.raises(Refused):
            _ = refused.value
        assert await got(batch.send()) == []

        with pytest.raises(ZeroDivisionError):
            async with within(asked.pipeline()) as batch:
                batch.set("a", "never")
                _ = 1 // 0
        assert await got(asked.get("a")) == b"5"

        large = b"x" * 300_000  # both ways, far more than sockets hold
        async with within(asked.pipeline()) as batch:
            for i in range(40):
                batch.set(f"large{i}", large)
                batch.get(f"large{i}")
        assert batch.results == [True, large] * 40

    run(kind, port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_transactions(kind: str, port: int) -> None:
    async def scenario(asked: Any) -> None:
        async with within(asked.transaction()) as batch:
            batch.set("a", 1)
            counted = batch.incr("a")
        assert counted.value == 2 and batch.results == [True, 2]

        async with within(asked.transaction(watch=["a"])) as batch:
            seen = int(await got(batch.now.get("a")))
            batch.set("a", seen * 10)
        assert await got(asked.get("a")) == b"20"

        with pytest.raises(Conflict):
            async with within(asked.transaction(watch=["a"])) as batch:
                await got(asked.incr("a"))  # somebody else, over another connection
                batch.set("a", "never")
        assert await got(asked.get("a")) == b"21"

        with pytest.raises(ZeroDivisionError):
            async with within(asked.transaction(watch=["a"])) as batch:
                batch.set("a", "never")
                _ = 1 // 0
        async with within(asked.transaction(watch=["a"])):
            pass
        async with within(asked.transaction()) as batch:  # over a connection that no longer watches
            batch.incr("a")
        assert await got(asked.get("a")) == b"22"

        with pytest.raises(Refused, match="wrong number"):
            async with within(asked.transaction(watch=["a"])) as batch:
                batch.set("a", "never")
                batch.execute("GET")
        with pytest.raises(Refused, match="not an integer"):
            async with within(asked.transaction()) as batch:
                batch.set("b", "x")
                batch.incr("b")
        assert await got(asked.mget("a", "b")) == [b"22", b"x"]

    run(kind, port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_watch_ends_with_its_block(kind: str, port: int) -> None:
    """With one connection for all: nothing of a transaction that was left is felt by the next."""

    async def scenario(asked: Any) -> None:
        with pytest.raises(ZeroDivisionError):
            async with within(asked.transaction(watch=["a"])):
                _ = 1 // 0
        for calls in (0, 1):
            await got(asked.incr("a"))
            async with within(asked.transaction()) as batch:
                batch.get("b")
            async with within(asked.transaction(watch=["a"])) as batch:
                _ = [batch.get("a") for _ in range(calls)]
        await got(asked.incr("a"))
        async with within(asked.transaction()) as batch:
            assert (later := batch.get("a")) is not None
        assert later.value == b"3"

    run(kind, port, scenario, connections_max=1, pool_timeout=1)


def test_many_threads_share_one_client(node: Server) -> None:
    with connect(f"synap://127.0.0.1:{node.resp_port}?connections_max=5") as asked:
        wrong: list[Any] = []

        def work(number: int) -> None:
            try:
                for i in range(100):
                    assert asked.set(f"{number}:{i}", f"{number}-{i}")
                    assert asked.get(f"{number}:{i}") == f"{number}-{i}".encode()
                    assert asked.incr("count") > 0
                    with asked.pipeline() as batch:
                        mine = [batch.get(f"{number}:{j}") for j in range(i)]
                    assert [later.value for later in mine] == [f"{number}-{j}".encode() for j in range(i)]
            except BaseException as error:
                wrong.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        assert asked.get("count") == str(12 * 100).encode()
        assert 1 < len(asked._pool._all) <= 5
