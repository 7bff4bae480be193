"""Watched keys in the client: changes with values, in order, and a Gap where the connection was lost."""

from typing import Any

import pytest
from kinds import KINDS, got, run, within

from synap.client import Gap, KeyChange, LocalProtocolError

QUICK: dict[str, Any] = {"backoff": 0.01, "backoff_max": 0.05}


@pytest.mark.parametrize("kind", KINDS)
def test_changes_arrive_with_their_values(kind: str, node: Any) -> None:
    async def scenario(asked: Any) -> None:
        async with within(asked.watch_keys("a", "user:*")) as watch:
            await got(asked.set("a", "gr\u00fc\u00df"))
            await got(asked.set("b", "unseen"))
            await got(asked.incr("user:1"))
            await got(asked.hset("user:h", {"f": "v"}))
            await got(asked.delete("a"))
            assert [await got(watch.get(5)) for _ in range(4)] == [
                KeyChange("a", "set", 1, "gr\u00fc\u00df"), KeyChange("user:1", "incrby", 1, "1"),
                KeyChange("user:h", "hset", 1), KeyChange("a", "del", 2),
            ]  # fmt: skip
            assert await got(watch.get(0.02)) is None and watch.gaps == 0
            await got(asked.set("a", b"\xff"))
            assert await got(watch.get(5)) == KeyChange("a", "set", 1, None, True)
        with pytest.raises(LocalProtocolError, match="at least one"):
            asked.watch_keys()

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_has_its_own_keys(kind: str, node: Any) -> None:
    async def scenario(asked: Any) -> None:
        async with within(asked.watch_keys("a")) as watch:
            with node.resp() as other:
                other.ask("SET", "a", "in 0")
                other.ask("SELECT", 3)
                other.ask("SET", "a", "in 3")
            assert await got(watch.get(5)) == KeyChange("a", "set", 1, "in 3")

    run(kind, node.resp_port, scenario, db=3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_connection_is_a_gap(kind: str, node: Any) -> None:
    async def scenario(asked: Any) -> None:
        async with within(asked.watch_keys("a")) as watch:
            await got(asked.set("a", 1))
            assert (await got(watch.get(5))).value == "1"
            with node.resp() as other:
                other.ask("CLIENT", "KILL", "TYPE", "pubsub")
            assert await got(watch.get(5)) == Gap(1)
            await got(asked.set("a", 2))
            assert (await got(watch.get(5))).value == "2"

    run(kind, node.resp_port, scenario, **QUICK)
