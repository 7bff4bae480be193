"""The kernel cache on disk: whatever is wrong with it is a miss, told once, and never an exception."""

import logging
import os
import pickle
import pwd
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from synap.compiler.entries import CHECKSUM_BYTES, Entries, chosen_directory

NAME = "digest/function.nbc"
CONTENT = pickle.dumps(list(range(1000)))


class Place:
    """Entries in a directory, and what they have told."""

    def __init__(self, directory: Path | None) -> None:
        self.told: list[tuple[str, str]] = []
        self.entries = Entries(directory, lambda kind, line: self.told.append((kind, line)))

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.told]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "cache" / "deep")


def test_what_is_written_is_read(place: Place) -> None:
    assert place.entries.read(NAME) is None
    for content in (CONTENT, b"", b"other"):
        place.entries.write(NAME, content)
        assert place.entries.read(NAME) == content
    assert place.entries.directory is not None
    assert [path.name for path in (place.entries.directory / "digest").iterdir()] == ["function.nbc"]
    assert place.told == []


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut in the checksum": lambda data: data[:7],
    "cut in the middle": lambda data: data[: len(data) // 2],
    "one byte short": lambda data: data[:-1],
    "one byte more": lambda data: data + b"\0",
    "zeros in the middle": lambda data: data[:500] + bytes(512) + data[1012:],
    "all zeros": lambda data: bytes(len(data)),
    "one bit": lambda data: data[:900] + bytes([data[900] ^ 1]) + data[901:],
    "a bit of the checksum": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "no checksum": lambda data: data[CHECKSUM_BYTES:],
    "another pickle": lambda data: pickle.dumps(42),
    "text": lambda data: b"hello\n",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_not_there(place: Place, damage: Callable[[bytes], bytes]) -> None:
    place.entries.write(NAME, CONTENT)
    assert place.entries.directory is not None
    path = place.entries.directory / NAME
    path.write_bytes(damage(path.read_bytes()))
    for _ in range(2):
        assert place.entries.read(NAME) is None
    assert place.kinds == ["damaged"] and NAME in place.told[0][1]
    place.entries.write(NAME, CONTENT)
    assert place.entries.read(NAME) == CONTENT


def occupied(path: Path) -> Path:
    path.write_text("a file stands where the directory should be")
    return path


def loop(path: Path) -> Path:
    path.symlink_to(path)
    return path


def nowhere(path: Path) -> Path:
    path.symlink_to("/nonexistent/at/all")
    return path


UNUSABLE: dict[str, Callable[[Path], Path | None]] = {
    "no home": lambda path: None,
    "a file": occupied,
    "below a file": lambda path: occupied(path) / "synap",
    "a loop of links": loop,
    "a link to nowhere": nowhere,
    "no file system to write to": lambda path: Path("/proc/synap"),
    "a name that is too long": lambda path: path / ("n" * 300),
    "a name that cannot be": lambda path: path / "a\0b",
}


@pytest.mark.parametrize("make", UNUSABLE.values(), ids=UNUSABLE)
def test_a_directory_that_cannot_be_used(tmp_path: Path, make: Callable[[Path], Path | None]) -> None:
    place = Place(make(tmp_path / "cache"))
    entries = place.entries
    assert entries.read(NAME) is None
    entries.write(NAME, CONTENT)
    entries.write("other/function.nbc", CONTENT)
    assert entries.read(NAME) is None
    assert place.kinds.count("write") == 1 and set(place.kinds) <= {"write", "read"}
    assert entries.open_spare()
    spare = entries.spare
    entries.write(NAME, CONTENT)
    assert entries.read(NAME) == CONTENT and spare is not None and spare.is_dir()
    entries.close_spare()
    assert entries.read(NAME) is None and not spare.exists()


def test_an_entry_that_is_a_directory(place: Place) -> None:
    assert place.entries.directory is not None
    (place.entries.directory / NAME).mkdir(parents=True)
    assert place.entries.read(NAME) is None
    place.entries.write(NAME, CONTENT)
    assert place.kinds == ["read", "write"]
    assert [path.name for path in (place.entries.directory / "digest").iterdir()] == ["function.nbc"]  # nothing beside


def test_no_space_for_a_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    place = Place(tmp_path / "cache")
    assert place.entries.open_spare()  # processes meet in the directory
    assert list((tmp_path / "cache").iterdir()) == []
    place = Place(occupied(tmp_path / "file"))
    assert not place.entries.open_spare() and place.kinds == ["spare", "write"]


def test_two_writers_of_one_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In containers that share the directory every process may be number 1."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    place = Place(tmp_path)
    place.entries.write(NAME, b"")
    half = tmp_path / "digest" / "function.nbc.1-0"
    half.write_bytes(b"the other one is writing")
    place.entries.write(NAME, CONTENT)
    assert place.entries.read(NAME) == CONTENT and half.read_bytes() == b"the other one is writing"


@pytest.mark.parametrize("environment, wanted", [
    ({"SYNAP_CACHE_DIR": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
    ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/synap"),
    ({"SYNAP_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": "/c"}, "/c/.cache/synap"),
    ({"SYNAP_CACHE_DIR": "rel"}, "{here}/rel"),
    ({"XDG_CACHE_HOME": "rel"}, "{here}/rel/synap"),
    ({"HOME": "rel"}, "{here}/rel/.cache/synap"),
    ({"HOME": ""}, "/.cache/synap"),
    ({}, "/users/one/.cache/synap"),
])  # fmt: skip
def test_the_directory_follows_the_environment(
    environment: dict[str, str], wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SYNAP_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    user = pwd.struct_passwd(("one", "x", 1, 1, "", "/users/one", ""))
    monkeypatch.setattr(pwd, "getpwuid", lambda number: user)
    monkeypatch.chdir(tmp_path)
    assert chosen_directory() == Path(wanted.format(here=tmp_path))


def test_a_user_whom_the_system_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("SYNAP_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert chosen_directory() is None


def test_trouble_goes_to_the_log_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    entries = Entries(occupied(tmp_path / "file"))
    with caplog.at_level(logging.WARNING, "synap"):
        entries.write(NAME, CONTENT)
        entries.write(NAME, CONTENT)
    (record,) = caplog.records
    assert "\n" not in record.getMessage() and str(tmp_path / "file") in record.getMessage()
