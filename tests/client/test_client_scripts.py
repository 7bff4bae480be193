"""Scripts in the client, and the locks and scripts of redis-py."""

from typing import Any

import pytest
import redis
from kinds import KINDS, got, run

from synap.client import Refused

ADD = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


@pytest.mark.parametrize("kind", KINDS)
def test_scripts(kind: str, node: Any) -> None:
    async def scenario(asked: Any) -> None:
        assert await got(asked.eval(ADD, ["n"], [5])) == 5
        sha = await got(asked.script_load(ADD))
        assert await got(asked.evalsha(sha, ["n"], [2])) == 7
        assert await got(asked.eval("return {1, 'a', {KEYS[1]}}", ["k"])) == [1, b"a", [b"k"]]
        with pytest.raises(Refused, match="user_script:1: boom"):
            await got(asked.eval("error('boom')"))

    run(kind, node.resp_port, scenario)


def test_locks_and_scripts_of_redis_py(node: Any) -> None:
    with redis.Redis(port=node.resp_port) as client:
        lock = client.lock("held", timeout=5)
        assert lock.acquire() and not client.lock("held", timeout=5).acquire(blocking=False)
        assert lock.extend(10) and client.pttl("held") > 9000
        lock.release()
        assert client.exists("held") == 0
        added = client.register_script(ADD)
        client.script_flush()
        assert [added(keys=["n"], args=[2]), added(keys=["n"], args=[3])] == [2, 5]
