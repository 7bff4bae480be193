"""One bit of a real directory is wrong, anywhere: what is opened is what was; or it is refused, and stays as it is."""

from pathlib import Path
from random import Random
from typing import Any

import pytest

import synap
from synap.engine.handlers.table import digest_of

SETTINGS = synap.Settings().replace(
    {"persistence.wal.fsync_mode": "never", "persistence.wal.segment_bytes_max": 65536,
     "persistence.snapshot.max_snapshots": 2}
)  # fmt: skip
Digest = dict[str, int]


def act(db: synap.Database, chance: Random) -> None:
    """One random call: strings, deadlines, lists, sets, queues."""
    key, value = f"k{chance.randrange(30)}", chance.randbytes(chance.choice((1, 9, 60, 900, 5000)))
    match chance.randrange(9):
        case 0 | 1:
            db.call("kv.set", key=key, value=value)
        case 2:
            db.call("kv.set", key=key, value=value, ttl=100_000)
        case 3:
            db.call("list.rpush", key="l" + key, values=[value, value[:7]])
        case 4:
            db.call("list.lpop", key="l" + key)
        case 5:
            db.call("set.add", key="s" + key, members=[value[:20], b"%d" % chance.randrange(9)])
        case 6:
            db.call("kv.increment", key="n" + key)
        case 7:
            db.call("key.delete", keys=[key])
        case _:
            db.call("queue.publish", queue="q", payload=value, priority=chance.randrange(10))
            if chance.random() < 0.5:
                db.call("queue.consume", queue="q", consumer="c")


def made(path: Path) -> tuple[dict[int, Digest], dict[bool, dict[str, bytes]]]:
    """(the digest at each seq, the files after a clean stop and, without it, before)."""
    chance, digests = Random(1), {}
    with synap.open(path, SETTINGS) as db:
        db.call("queue.create", queue="q", max_depth=1000)
        for i in range(400):
            act(db, chance)
            digests[db._engine.seq] = digest_of(db._engine)
            if i in (120, 240):
                db._node.snapshot_here()
        killed = files(path)
    return digests, {True: files(path), False: killed}


def files(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir() if file.name.endswith(".synap")}


def flipped(tmp_path: Path, count: int, seed: int) -> dict[str, int]:
    """So many flips, each in a directory of its own; how they ended."""
    digests, whole = made(tmp_path / "whole")
    chance, last = Random(seed), max(digests)
    outcomes = dict.fromkeys(("refused", "repaired", "same", "cut"), 0)
    place = tmp_path / "flipped"
    place.mkdir()
    for _ in range(count):
        clean = chance.random() < 0.5
        content = whole[clean]
        name = chance.choice(sorted(content))
        at, bit = chance.randrange(len(content[name])), chance.randrange(8)
        if chance.random() < 0.3:  # headers are short, and are hit often this way
            at = chance.randrange(min(200, len(content[name])))
        for old in place.iterdir():
            old.unlink()
        for other, data in content.items():
            if other == name:
                data = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            (place / other).write_bytes(data)
        before = files(place)
        told = judged(place, digests)
        if isinstance(told, synap.Damage):
            assert files(place) == before, "a refusal changes nothing"
            assert 0 <= told.offset <= len(before[told.name])
            outcomes["refused"] += 1
        elif told < last:
            assert not clean, f"{name} at {at}, bit {bit}: {told} of {last}"
            outcomes["cut"] += 1
        else:
            repaired = any(file.name.endswith(".broken") for file in place.iterdir())
            outcomes["repaired" if repaired else "same"] += 1
    return outcomes


def judged(place: Path, digests: dict[int, Digest]) -> Any:
    """The damage, or the seq that was found; whatever is there is what was true at that seq."""
    try:
        with synap.open(place, SETTINGS) as db:
            seq = db._engine.seq
            assert digest_of(db._engine) == digests[seq], "a wrong value, and nobody said so"
            return seq
    except synap.Damage as damage:
        return damage


def test_bits_of_a_real_directory(store: Any, tmp_path: Path) -> None:
    outcomes = flipped(tmp_path, 60, 1)
    assert outcomes["refused"] > 5 and outcomes["repaired"] + outcomes["same"] > 5, outcomes


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_bits_of_a_real_directory_for_long(store: Any, tmp_path: Path) -> None:
    outcomes = flipped(tmp_path, 10_000, 2)
    print(outcomes)
    assert min(outcomes.values()) > 20, outcomes
