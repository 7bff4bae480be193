"""Directories that earlier versions wrote open with the same state, from the log, a snapshot, and a new snapshot."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

import synap
from synap.io.node import data_tools
from tests.upgrade.make import FAR_MS

HERE = Path(__file__).parent
DIGESTS = {
    "0.1.0-first": {
        "queues": 13818135808782222404, "strings": 15092592692127733631, "lists": 16356069156337059615,
        "sets": 2889158162196933951, "rooms": 17787738629165804318,
    },
}  # fmt: skip
"""What `make.py` printed when it made the archive of this name. More kinds may come; these change only
when the state of a kind gains a part: the digest of queues has deliveries and all policies."""


def check(db: Any, wanted: dict[str, int]) -> None:
    """The state is the one that was written, by its digests and by what a user sees."""
    found = db.digest()
    assert {name: found[name] for name in wanted} == wanted
    assert all(value == 0 for name, value in found.items() if name not in wanted)
    for mark in ("old", "new"):
        assert db.get(f"{mark}:text") == "grüße".encode() and db.get(f"{mark}:bytes") == bytes(range(256))
        assert db.get(f"{mark}:appended") == b"56" and db.get(f"{mark}:large") == b"x" * 70_000
        assert db.pexpiretime(f"{mark}:expires") == db.pexpiretime(f"{mark}:set") == FAR_MS
        elements = db.lrange(f"{mark}:list", 0, -1)
        assert len(elements) == 301 and elements[7] == b"element 7" and elements[-1] == b"y" * 5_000
        assert db.scard(f"{mark}:integers") == 100 and db.sismember(f"{mark}:set", "member 599")
        stats = db.call("queue.stats", queue=f"{mark}-jobs")
        assert (stats["depth"], stats["pending"]) == (17, 3), stats
        dead = db.call("queue.dead", queue=f"{mark}-failing")
        assert [message["payload"] for message in dead] == [b"bad"]
        events = db.call("stream.consume", room=f"{mark}-news", subscriber_id="me", from_offset=30)
        assert "event 30" in str(events)
    assert db.get("old:number") is None and db.get("new:number") == 42


def test_every_archive_is_known() -> None:
    assert {path.name.removesuffix(".tar.gz") for path in HERE.glob("*.tar.gz")} == set(DIGESTS)


@pytest.mark.parametrize("name", DIGESTS)
def test_an_old_directory_opens(store: Any, tmp_path: Path, name: str) -> None:
    with tarfile.open(HERE / f"{name}.tar.gz") as archive:
        archive.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    with synap.open(tmp_path / "data") as db:
        check(db, DIGESTS[name])
        db.snapshot()
        check(db, DIGESTS[name])
    with synap.open(tmp_path / "data") as db:
        check(db, DIGESTS[name])


@pytest.mark.parametrize("name", DIGESTS)
def test_a_dump_loads_to_the_same_state(store: Any, tmp_path: Path, name: str) -> None:
    with tarfile.open(HERE / f"{name}.tar.gz") as archive:
        archive.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    with synap.open(tmp_path / "data") as db:
        db.rpush("objects", {"value": "a"}, {"json": 1}, {"element": [None]}, b"\xff", "", 5)
        db.sadd("members", {"member": "a"}, b"\x00", "text")
        digest = db.digest()
    lines = list(data_tools.dump(tmp_path / "data"))
    old = [wrapped(json.loads(line)) for line in lines]
    for number, text in enumerate((lines, old)):
        file = tmp_path / f"dump{number}"
        file.write_text("".join(line + "\n" for line in text), encoding="utf-8")
        list(data_tools.load(tmp_path / f"loaded{number}", file))
        with synap.open(tmp_path / f"loaded{number}") as db:
            assert db.digest() == digest


def wrapped(call: dict[str, Any]) -> str:
    """The line as dumps were once written, with each value of a list or set in an object of its own."""
    name, member = {"list.load": ("values", "value"), "set.load": ("members", "member")}.get(call["row"], ("", ""))
    if name:
        call["fields"][name] = [{member: item} for item in call["fields"][name]]
    return json.dumps(call)
