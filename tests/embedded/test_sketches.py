"""HyperLogLogs in numpy arrays: the same elements as `pfadd` takes, registers out and in, what is refused, recovery."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import synap
from synap.store.memory import layout
from tests.naive.store import hyperloglog as naive


def elements(count: int, dtype: Any = np.uint64) -> Any:
    return np.random.default_rng(count).integers(0, 1 << 62, count).astype(dtype)


@pytest.mark.parametrize("count", [0, 1, 256, 257, 50_000])
def test_as_pfadd(store: Any, count: int) -> None:
    given = elements(count)
    with synap.open() as db:
        estimate = db.pfadd_many("a", given)
        db.pfadd("b", *(each.tobytes() for each in given))
        assert estimate == db.pfcount("a") == db.pfcount("b") == db.pfcount("a", "b")
        assert (db.pf_registers("a") == db.pf_registers("b")).all()
        assert abs(estimate - count) <= 0.03 * count
        if count <= 256:
            assert db.get("a") == db.get("b"), "a small one stays sparse"


def test_forms_of_elements(store: Any) -> None:
    given = elements(3000)
    with synap.open() as db:
        wanted = db.pfadd_many("a", given)
        assert db.pfadd_many("b", given.astype(np.int64)) == wanted
        assert db.pfadd_many("c", given.reshape(30, 100)[:, ::-1]) == wanted
        assert db.pfadd_many("d", given[:1500]) < db.pfadd_many("d", given[1500:]) == wanted
        assert len({db.get(key) for key in "abcd"}) == 1
        few = np.array([0, 1, 200], np.uint8)
        assert db.pfadd_many("e", few) == db.pfadd_many("f", few.astype(np.uint64)) and db.get("e") == db.get("f")
        low = -np.arange(1, 1500, dtype=np.int16)
        assert db.pfadd_many("g", low) == db.pfadd_many("h", low.astype(np.int64)) and db.get("g") == db.get("h")
        for wrong in (given.astype(np.float64), given > 5, [1, 2], b"12345678"):
            with pytest.raises(TypeError, match="an array of integers"):
                db.pfadd_many("a", wrong)  # type: ignore[arg-type]
        db.rpush("l", "x")
        db.set("s", "text")
        for count in (3, 3000):
            for key, name in (("l", "WRONG_TYPE"), ("s", "NO_SKETCH")):
                with pytest.raises(synap.Fault) as caught:
                    db.pfadd_many(key, given[:count])
                assert caught.value.row.name == name


def test_registers(store: Any) -> None:
    with synap.open() as db:
        assert not db.pf_registers("none").any()
        db.pfadd_many("a", elements(9000))
        registers = db.pf_registers("a")
        assert registers.shape == (16384,) and registers.dtype == np.uint8
        wanted = naive.Sketch(db.get("a")).all()
        assert registers.tolist() == [wanted.get(i, 0) for i in range(16384)]
        db.pf_set_registers("b", registers)
        assert db.get("b") == db.get("a")
        for wrong in (registers[:-1], registers.astype(np.int64), registers + np.uint8(60)):
            with pytest.raises(ValueError, match="none above 51"):
                db.pf_set_registers("b", wrong)
        for value, name in (("text", "NO_SKETCH"), ([1, 2], "NO_SKETCH"), (b"HYLL\1" + bytes(12), "BAD_SKETCH")):
            db.set("s", value)
            with pytest.raises(synap.Fault) as caught:
                db.pf_registers("s")
            assert caught.value.row.name == name


@pytest.mark.parametrize("most", ["3000", "20"])
def test_a_replay_makes_the_same_strings(store: Any, tmp_path: Path, most: str) -> None:
    """Also where a limit of its own decided on their form."""
    with synap.open(tmp_path) as db:
        db._engine.numbers[layout.HLL_SPARSE_MAX] = int(most)
        db.pfadd("a", *"abcdefgh")
        db.pfadd("b", "x")
        db.call("hyperloglog.pfmerge", destination="b", sources=["a"])
        db.pfadd_many("c", elements(5000))
        kept, digest = [db.get(key) for key in "abc"], db.digest()
        assert (len(kept[0]) == 12304) == (len(kept[1]) == 12304) == (most == "20")
    with synap.open(tmp_path) as db:
        assert [db.get(key) for key in "abc"] == kept and db.digest() == digest
        db.snapshot()
    with synap.open(tmp_path) as db:
        assert [db.get(key) for key in "abc"] == kept and db.digest() == digest
