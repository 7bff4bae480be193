"""What a type checker says of a program that uses the package: nothing, or the mistake that is in it."""

import subprocess
import sys
from pathlib import Path

import synap

PROGRAM = '''
import numpy as np

import synap
from synap.io.embedded.queue_methods import Message


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
        message: Message | None = db.queue_consume("q")
        if message is not None:
            db.queue_ack("q", message["message_id"])
        try:
            db.incr("text")
        except synap.Fault as fault:
            print(fault.row.name, stored, before, found, names, values)
    with synap.open() as memory:
        print(count(memory, "n"), half(memory, "f"))
'''


def check(path: Path, text: str) -> list[str]:
    """What mypy --strict says of it, a line each."""
    (path / "program.py").write_text(text)
    if not (path / "synap").exists():
        (path / "synap").symlink_to(Path(synap.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file=", "program.py"],
        cwd=path, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_a_program_is_checked_strictly(tmp_path: Path) -> None:
    assert (Path(synap.__file__).parent / "py.typed").is_file()
    assert check(tmp_path, PROGRAM)[-1].startswith("Success")
    said = check(tmp_path, PROGRAM + "    count(db, 3)\n    db.set('k', object())\n")
    assert [line.rpartition("[")[2] for line in said if "error:" in line] == ["arg-type]", "call-overload]"], said
