"""`synap check`, `dump` and `load` on directories of every kind: what they say, and what they leave behind."""

import json
from pathlib import Path

import pytest

import synap
from synap.io.node import data_tools
from synap.io.node.files import Lock, LockHeld
from synap.journal.formats import snapshot_name
from tests.support import Bench


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture
def data(store: type[Bench], tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    with synap.open(directory) as db:
        db.set("greeting", "hello")
        db.set("other", {"a": 1})
    return directory


@pytest.mark.parametrize("inside, found", [
    ([], "nothing"), (["LOCK"], "LOCK"), (["a.md", "b.md", "c.md", "d.md"], "a.md, b.md, c.md and 1 more"),
])  # fmt: skip
def test_no_data(store: type[Bench], tmp_path: Path, inside: list[str], found: str) -> None:
    for name in inside:
        (tmp_path / name).write_text("text\n")
    for tool in (data_tools.check, data_tools.dump):
        wanted = f"wanted a data directory, found no log and no snapshot but {found}"
        with pytest.raises(data_tools.Unusable, match=wanted):
            list(tool(tmp_path))
    assert names(tmp_path) == sorted(inside)


def test_a_table_and_an_object(data: Path) -> None:
    head, line, said = data_tools.check(data)
    assert head.split() == ["file", "bytes", "first", "seq", "last", "seq", "state"]
    assert line.split()[0].startswith("log-") and line.endswith("ok")
    assert said == "ok: the server would start at seq 2"
    (text,) = data_tools.check(data, as_json=True)
    told = json.loads(text)
    assert told["ok"] and told["starts"] and told["damage"] is None and told["seq"] == 2 and told["clean"]
    assert set(told["files"][0]) == {
        "name", "bytes", "first_seq", "last_seq", "group_count", "epoch", "clean_stop", "fault", "left_over",
    }  # fmt: skip


def test_damage_names_file_and_byte(data: Path) -> None:
    log = next(data.glob("log-*"))
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 0xFF
    log.write_bytes(content)
    before = names(data)
    for tool in (data_tools.check, data_tools.dump):
        with pytest.raises(data_tools.Unusable, match=rf"damaged.*{log.name} at byte \d+: "):
            list(tool(data))
    with pytest.raises(Exception, match=rf"{log.name} at byte \d+: "):
        synap.open(data)
    assert set(names(data)) <= {*before, "LOCK"}


def test_a_snapshot_that_the_log_makes_up_for(data: Path) -> None:
    """The log reaches back to the beginning, so a start does without a snapshot that is broken."""
    snapshot = snapshot_name(1)
    (data / snapshot).write_bytes(b"no snapshot")
    lines = []
    told = f"the server would start without the damaged files, at seq 2: {snapshot} at byte"
    with pytest.raises(data_tools.Unusable, match=told):
        lines += list(data_tools.check(data))
    assert {json.loads(line)["fields"]["key"] for line in data_tools.dump(data)} == {"greeting", "other"}
    with synap.open(data) as db:
        assert db.get("greeting") == b"hello"


def test_dump_changes_nothing_and_load_takes_it(data: Path, tmp_path: Path) -> None:
    (data / "LOCK").unlink(missing_ok=True)
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    file = tmp_path / "dump"
    file.write_text("".join(line + "\n" for line in data_tools.dump(data)))
    assert {path.name: path.read_bytes() for path in data.iterdir()} == before
    assert list(data_tools.load(tmp_path / "fresh", file)) == ["2 calls loaded"]
    with synap.open(tmp_path / "fresh") as db:
        assert db.get("greeting") == b"hello"


@pytest.mark.parametrize("text, said", [
    ("# A title\n", "line 1: wanted a line of a dump, found # A title"),
    ("", "wanted a whole dump, found an empty file"),
    ('{"row": "string.load", "names', "line 1: wanted a line of a dump"),
    ("[]\n", "line 1: wanted a line of a dump"),
    ('{"row": "none", "fields": {}}\n', "line 1: wanted a line of a dump"),
    ('{"row":"string.load","namespace":0,"fields":{"key":"a","value":"1","deadline":0}}', "ends within line 1"),
    ('{"row":"string.load","namespace":0,"fields":{"key":"a","value":"1","deadline":0}}\n' * 2,
     "line 2: string.load was"),
])  # fmt: skip
def test_load_leaves_nothing_behind(store: type[Bench], tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "README.md"
    file.write_text(text)
    (tmp_path / "empty").mkdir()
    for name in ("missing", "empty"):
        with pytest.raises(data_tools.Unusable, match=said):
            list(data_tools.load(tmp_path / name, file))
    assert names(tmp_path) == ["README.md", "empty"] and names(tmp_path / "empty") == []


def test_load_wants_an_empty_directory(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "dump"
    file.write_text("".join(line + "\n" for line in data_tools.dump(data)))
    before = names(data)
    with pytest.raises(data_tools.Unusable, match="wanted an empty directory, found LOCK, log-"):
        list(data_tools.load(data, file))
    assert names(data) == before


def test_a_directory_in_use_names_the_process(data: Path) -> None:
    lock = Lock(data)
    try:
        with pytest.raises(LockHeld, match=r"is in use by process \d+"):
            list(data_tools.dump(data))
    finally:
        lock.release()
