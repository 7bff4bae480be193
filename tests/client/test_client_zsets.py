"""Replies of several members in the client: ranks with scores, pops from several keys, and scans."""

from collections.abc import Callable
from threading import Timer
from typing import Any

import pytest
from kinds import KINDS, got, run, run_all

from synap.client import LocalProtocolError, connect
from tests.server.clients import Server


@pytest.mark.parametrize("kind", KINDS)
def test_sorted_sets(kind: str, node: Any) -> None:
    async def scenario(asked: Any) -> None:
        assert await got(asked.zadd("z", {"a": 1.5, "b": 2, "c": 3})) == 3
        assert await got(asked.zrank("z", "b")) == 1 and await got(asked.zrank("z", "none")) is None
        assert await got(asked.zrevrank("z", "a", withscore=True)) == [2, 1.5]
        assert await got(asked.bzpopmin("none", "z", timeout=1)) == (b"z", b"a", 1.5)
        assert await got(asked.zmpop(["none", "z"], "MAX")) == (b"z", [[b"c", 3.0]])
        assert await got(asked.bzpopmax("z", timeout=1)) == (b"z", b"b", 2.0)
        assert await got(asked.bzpopmax("z", timeout=0.01)) is None
        assert await got(asked.rpush("l", "x")) == 1
        assert await got(asked.blpop("l", timeout=1)) == (b"l", b"x")

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_places(kind: str, node: Any) -> None:
    async def scenario(asked: Any) -> None:
        assert await got(asked.geoadd("g", [(13.361389, 38.115556, "Palermo")])) == 1
        around = ("g", 13, 38, 100, "km")
        where = [13.361389338970184, 38.1155563954963]
        found = [[b"Palermo", 34.1601, 3479099956230698, where]]
        asked_for = ("WITHDIST", "WITHCOORD", "WITHHASH")
        assert await got(asked.georadius(*around, *asked_for)) == found
        assert await got(asked.georadius_ro(*around, *asked_for)) == found
        assert await got(asked.geosearch("g", "FROMLONLAT", 13, 38, "BYBOX", 100, 100, "km", *asked_for)) == found
        assert await got(asked.georadius_ro(*around)) == [b"Palermo"]
        assert await got(asked.georadius_ro(*around, "WITHCOORD")) == [[b"Palermo", where]]
        assert await got(asked.georadius(*around, "STORE", "near")) == 1
        assert await got(asked.georadiusbymember("g", "Palermo", 1, "m", "WITHDIST")) == [[b"Palermo", 0.0]]
        assert await got(asked.georadiusbymember_ro("none", "Palermo", 1, "m")) == []

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_hashes(kind: str, node: Any) -> None:
    async def scenario(asked: Any) -> None:
        assert await got(asked.hset("h", {"a": "1", "b": "2"})) == 2
        assert await got(asked.hgetall("h")) == {b"a": b"1", b"b": b"2"}
        assert await got(asked.hgetall("none")) == {}

    run(kind, node.resp_port, scenario)


def test_texts_are_decoded_wherever_they_stand(node: Any) -> None:
    with connect(f"synap://127.0.0.1:{node.resp_port}", decode=True) as asked:
        asked.hset("h", {"a": "1"})
        assert asked.hgetall("h") == {"a": "1"} and list(asked.hscan("h")) == [("a", "1")]
        assert list(asked.sscan("none")) == [] and list(asked.scan()) == ["h"]
        asked.zadd("z", {"m": 1.5, "n": float("inf")})
        assert list(asked.zscan("z", count=1)) == [("m", 1.5), ("n", float("inf"))]


def test_a_wait_without_limit(serve: Callable[..., Server]) -> None:
    """It lasts longer than the silence after which the client takes a connection for broken."""

    async def scenario(asked: Any, server: Server) -> None:
        for wrong in (-1, None, float("nan"), float("inf")):
            with pytest.raises(LocalProtocolError, match="0 for no limit"):
                await got(asked.blpop("l", timeout=wrong))
        with connect(f"synap://127.0.0.1:{server.resp_port}") as other:
            Timer(1.5, other.rpush, ("l", "x")).start()
            assert await got(asked.blpop("l", timeout=0)) == (b"l", b"x")

    run_all(serve, scenario, timeout=0.7)
