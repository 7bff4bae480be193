"""Sorted sets over REST and the command envelope: the replies that clients of the product expect."""

from typing import Any

import pytest

from synap.commands import CATALOGUE
from synap.derive.reply_forms import native_form
from tests.surfaces.surfaces import Surfaces

PAIRS = [{"member": "b", "score": 1.0}, {"member": "a", "score": 2.5}]


@pytest.fixture
def surfaces(store: Any) -> Surfaces:
    surfaces = Surfaces()
    for pair in PAIRS:
        assert ask(surfaces, "POST", "z/zadd", pair) == {"added": 1, "key": "z"}
    return surfaces


def ask(surfaces: Surfaces, method: str, path: str, body: Any = None) -> Any:
    """The reply of a route, which must be 200."""
    status, found, _ = surfaces.rest(method, f"/sortedset/{path}", body)
    assert status == 200, found
    return found


def told(surfaces: Surfaces, name: str, payload: dict[str, Any]) -> Any:
    """The payload of the reply to an enveloped command."""
    found = surfaces.command(f"sortedset.{name}", payload)
    assert found["success"], found
    return found["payload"]


def test_adding(surfaces: Surfaces) -> None:
    assert ask(surfaces, "POST", "z/zadd", {"member": "a", "score": 9, "nx": True}) == {"added": 0, "key": "z"}
    assert ask(surfaces, "POST", "z/zadd", {"member": "c", "score": 9, "xx": True}) == {"added": 0, "key": "z"}
    assert ask(surfaces, "POST", "z/zincrby", {"member": "a", "score": 1}) == {"score": 3.5, "key": "z"}
    assert told(surfaces, "zincrby", {"key": "z", "member": "a", "increment": -1})["score"] == 2.5
    added = told(surfaces, "zadd", {"key": "z", "member": "c", "score": 7})
    assert added == {"added": 1, "changed": 0, "key": "z"}
    changed = told(surfaces, "zadd", {"key": "z", "member": "c", "score": 1, "incr": True, "ch": True})
    assert changed == {"added": 0, "changed": 1, "key": "z"}
    assert ask(surfaces, "GET", "z/c/zscore") == {"score": 8.0, "key": "z", "member": "c"}
    assert surfaces.rest("POST", "/sortedset/z/zadd", {"member": "a", "score": 1, "nx": True, "xx": True})[0] == 400


def test_reading(surfaces: Surfaces) -> None:
    assert ask(surfaces, "GET", "z/zrange") == {"members": PAIRS, "key": "z"}
    assert ask(surfaces, "GET", "z/zrevrange?stop=0&withscores=true")["members"] == PAIRS[1:]
    assert ask(surfaces, "GET", "z/zrange?stop=-100")["members"] == []
    assert ask(surfaces, "GET", "z/zrangebyscore?min=2")["members"] == PAIRS[1:]
    assert ask(surfaces, "GET", "z/zrangebyscore?min=5&max=1")["members"] == []
    assert ask(surfaces, "GET", "z/zcount?max=inf") == {"count": 2, "key": "z"}
    assert ask(surfaces, "GET", "z/zcard") == {"count": 2, "key": "z"}
    assert ask(surfaces, "GET", "z/a/zrank") == {"rank": 1, "key": "z", "member": "a"}
    assert ask(surfaces, "GET", "z/none/zrevrank") == {"rank": None, "key": "z", "member": "none"}
    assert ask(surfaces, "GET", "none/a/zscore") == {"score": None, "key": "none", "member": "a"}
    scores = ask(surfaces, "POST", "z/zmscore", {"members": ["a", "none"]})
    assert scores == {"scores": [2.5, None], "key": "z"}
    assert told(surfaces, "zrange", {"key": "z", "start": 1}) == {"members": PAIRS[1:], "key": "z"}
    assert told(surfaces, "zcount", {"key": "z", "min": 2, "max": 3})["count"] == 1


def test_removing(surfaces: Surfaces) -> None:
    assert ask(surfaces, "POST", "z/zpopmax?count=5")["members"] == PAIRS[::-1]
    assert ask(surfaces, "POST", "z/zpopmin") == {"members": [], "count": 0, "key": "z"}
    for score in range(5):
        ask(surfaces, "POST", "z/zadd", {"member": f"m{score}", "score": score})
    assert told(surfaces, "zpopmin", {"key": "z"}) == {
        "members": [{"member": "m0", "score": 0.0}], "count": 1, "key": "z",
    }  # fmt: skip
    assert ask(surfaces, "POST", "z/zrem", {"members": ["m1", "none"]}) == {"removed": 1, "key": "z"}
    assert ask(surfaces, "POST", "z/zremrangebyscore?min=4") == {"removed": 1, "key": "z"}
    assert told(surfaces, "zremrangebyrank", {"key": "z"})["removed"] == 2
    assert surfaces.resp("EXISTS", "z") == 0


def test_several(surfaces: Surfaces) -> None:
    asked = {"destination": "y", "keys": ["z", "z"], "weights": [1, 2]}
    assert ask(surfaces, "POST", "zunionstore", asked) == {"count": 2, "destination": "y"}
    assert ask(surfaces, "GET", "y/a/zscore")["score"] == 7.5
    largest = told(surfaces, "zinterstore", {"destination": "y", "keys": ["z", "y"], "aggregate": "max"})
    assert largest == {"count": 2, "destination": "y"}
    assert told(surfaces, "zdiffstore", {"destination": "y", "keys": ["z", "y"]})["count"] == 0


@pytest.mark.parametrize("row", ["zset.range", "zset.popmin", "zset.randmember"])
def test_programs_get_members_with_scores_as_pairs(row: str) -> None:
    form = native_form(CATALOGUE.by_name[row].reply)
    assert form([[(b"a", 0), 1.0], [(b"b", 0), 2.0]]) == [[b"a", 1.0], [b"b", 2.0]]
    assert form([(b"a", 0)]) == [b"a"] and form([]) == []
