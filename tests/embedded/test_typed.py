"""What a type checker says of a program that uses the package: nothing, or the mistake that is in it."""

import subprocess
import sys
from pathlib import Path

import synap

PROGRAM = '''
import numpy as np

import synap
from synap.io.embedded.calls import Message


def count(db: synap.Database, key: str) -> int:
    return db.incr(key) + db.incr(key, 2)


def half(db: synap.Database, key: str) -> float:
    return db.incr(key, 0.5)


def main() -> None:
    settings = synap.Settings().replace({"kv_store.max_memory_mb": 64})
    with synap.open("data", settings) as db:
        stored: bool = db.set("k", {"a": [1, None]}, ttl=60, nx=True)
        before = db.set("k", "v", get=True)
        found: tuple[bytes, object] | None = db.blpop("l", timeout=0.5)
        names: list[bytes] = db.keys("k*")
        values = db.get_many(np.array([b"k"]))
        new: int = db.zadd_many("z", np.arange(3), np.array([0.5, 1, 2])) + db.zadd_many("z", ["a", b"b"], [1, 2.5])
        new += db.hset_many("h", np.array([b"a"]), ["x"]) + db.sadd_many("s", (b"ab", np.array([0, 1, 2])))
        members, scores = db.zrange_arrays("z", "(1", 2.5, byscore=True, dtype=int)
        total = float(scores.sum() + db.zscore_many("z", ["a"]).sum()) + len(members) + new
        some: bool = bool(db.smismember_many("s", ["a"]).any()) and len(db.sinter_array("s", "s", dtype=np.int64)) > 0
        texts: list[bytes | None] = db.hmget_blob("h", ["a"]).tolist()
        message: Message | None = db.queue_consume("q")
        if message is not None:
            db.queue_ack("q", message["message_id"])
        try:
            db.incr("text")
        except synap.Fault as fault:
            print(fault.row.name, stored, before, found, names, values, total, some, texts)
    with synap.open() as memory:
        print(count(memory, "n"), half(memory, "f"))
'''


MISTAKEN = PROGRAM + "    count(db, 3)\n    db.set('k', object())\n    db.zadd_many('z', ['a'], ['b'])\n"


def check(path: Path, **programs: str) -> list[str]:
    """What mypy --strict says of all of them, a line each."""
    for name, text in programs.items():
        (path / f"{name}.py").write_text(text)
    (path / "synap").symlink_to(Path(synap.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file=",
         *(f"{name}.py" for name in programs)],
        cwd=path, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_a_program_is_checked_strictly(tmp_path: Path) -> None:
    assert (Path(synap.__file__).parent / "py.typed").is_file()
    said = check(tmp_path, right=PROGRAM, mistaken=MISTAKEN)
    errors = [line for line in said if "error:" in line]
    assert said[-1].startswith("Found 3 errors in 1 file (checked 2 source files)"), said
    assert all(line.startswith("mistaken.py:") for line in errors), said
    assert [line.rpartition("[")[2] for line in errors] == ["arg-type]", "call-overload]", "list-item]"], said
