"""Relative paths are resolved once, when a directory is opened: the program may go elsewhere, or a link may turn."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import synap
from synap.io.node import data_tools
from tests.server.processes import Process

SMALL = synap.Settings().replace({"persistence.wal.segment_bytes_max": 1 << 16})
VALUE = b"x" * 10_000
COUNT = 30  # several segments


def use(db: synap.Database, start: int) -> None:
    """Write until the log has gone on in new files, and take a snapshot."""
    for i in range(start, start + COUNT):
        db.set(f"k{i}", VALUE)
    db.snapshot()


def go_away(place: Path) -> None:
    os.chdir("/")


def lose(place: Path) -> None:
    """Be in a directory that is not there any more."""
    gone = place / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()


def find_another(place: Path) -> None:
    """Be where the same relative path is another store."""
    (place / "other" / "inner").mkdir(parents=True)
    with synap.open(place / "other" / "inner" / "rel") as db:
        db.set("other", 1)
    os.chdir(place / "other" / "inner")


def turn_link(place: Path) -> None:
    """Let the link that leads to the directory lead to another one."""
    (place / "home").unlink()
    (place / "second").mkdir()
    (place / "home").symlink_to(place / "second")


@pytest.mark.parametrize("path", ["rel", "./rel", "../home/rel", Path("deep/er/rel"), "link/../rel"])
@pytest.mark.parametrize("move", [go_away, lose, find_another, turn_link])
def test_the_program_goes_elsewhere(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str | Path, move: Callable[[Path], None]
) -> None:
    (tmp_path / "first" / "sub").mkdir(parents=True)
    (tmp_path / "home").symlink_to(tmp_path / "first")
    (tmp_path / "first" / "link").symlink_to(tmp_path / "first" / "sub")
    monkeypatch.chdir(tmp_path / "home")
    real = Path(path).resolve()
    with synap.open(path, SMALL) as db:
        use(db, 0)
        move(tmp_path)
        use(db, COUNT)
        with pytest.raises(synap.LockHeld):
            synap.open(real)
    os.chdir("/")
    assert real.is_relative_to(tmp_path / "first")
    with synap.open(real) as db:
        assert db.dbsize() == 2 * COUNT and db.get("k0") == db.get(f"k{2 * COUNT - 1}") == VALUE


def test_memory_alone_needs_no_working_directory(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lose(tmp_path)
    with synap.open() as db:
        db.set("k", 1)
        assert db.get("k") == 1


def test_the_tools_go_on_where_they_began(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with synap.open("rel") as db:
        db.set("a", "b")
        db.set("c", "d")
    lines = data_tools.dump(Path("rel"))
    first = next(lines)
    os.chdir("/")
    text = "".join(f"{line}\n" for line in [first, *lines])
    assert text.count("\n") == 2
    os.chdir(tmp_path)
    Path("lines").write_text(text)
    assert list(data_tools.load(Path("new"), Path("lines"))) == ["2 calls loaded"]
    assert any("ok" in line for line in data_tools.check(Path("new")))


def test_a_server_with_a_relative_directory(tmp_path: Path) -> None:
    """It says where its data are, and they are found by the absolute path."""
    server = Process(tmp_path, {"persistence.wal.segment_bytes_max": 1 << 16})
    server.directory = Path("rel")
    try:
        server.start()
        with server.resp() as client:
            assert client.ask("CONFIG", "GET", "dir") == [b"dir", os.fsencode(tmp_path / "rel")]
            for i in range(COUNT):
                client.ask("SET", f"k{i}", VALUE)
            assert client.ask("SAVE") == b"OK"
        assert server.stop() == 0
        server.directory = tmp_path / "rel"
        server.start()
        with server.resp() as client:
            assert client.ask("DBSIZE") == COUNT
        assert server.stop() == 0
    finally:
        server.end()
