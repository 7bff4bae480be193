"""A directory without a log (`persistence.wal.enabled: false`), and a log that comes and goes."""

from pathlib import Path
from typing import Any

import pytest

import synap


def opened(path: Path, logged: bool) -> synap.Database:
    return synap.open(path, synap.Settings().replace({"persistence.wal.enabled": logged}))


@pytest.mark.parametrize("modes", ["---", "-+-", "+-+", "--++--", "+--+", "+++---+"])
def test_a_clean_end_keeps_everything(store: Any, tmp_path: Path, modes: str) -> None:
    for i, mode in enumerate(modes * 2):
        with opened(tmp_path, mode == "+") as db:
            assert db.dbsize() == i and all(db.get(f"k{j}") == j for j in range(i))
            db.set(f"k{i}", i)
            if i % 3 == 1:
                db.snapshot()
    with opened(tmp_path, True) as db:
        assert db.dbsize() == 2 * len(modes)


def test_a_log_that_is_lost_is_damage_all_the_same(store: Any, tmp_path: Path) -> None:
    with opened(tmp_path, True) as db:
        db.set("k", "v")
        db.snapshot()
        db.set("l", "w")
    for path in tmp_path.glob("log-*.synap"):
        path.unlink()
    for logged in (True, False):
        with pytest.raises(synap.Damage, match="no log after it"):
            opened(tmp_path, logged)
