"""The real directory, its lock, and what a forked child has of them."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from synap.io.node import files
from synap.io.node.files import DelayedDisk, Directory, Lock, LockHeld
from synap.journal import check
from tests.journal.nodes import Ledger, Node

TAKE = (
    "import sys; from synap.io.node.files import *\n"
    "try: lock = Lock(sys.argv[1])\n"
    "except LockHeld as held: print(held.pid); sys.exit(3)\n"
    "print('held', flush=True); sys.stdin.read()"
)
forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")


def test_a_node_on_a_real_disk(tmp_path: Path) -> None:
    disk, ledger, chance = Directory(tmp_path / "data"), Ledger(), random.Random(1)
    for _life in range(4):
        node = Node(disk, ledger, segment=20_000)
        for _ in range(40):
            node.act(chance)
        if _life % 2:
            node.stop()
        else:
            ledger.written = node.log.written_seq
    assert check(disk).ok and Node(disk, ledger).seq == node.seq


def test_many_buffers_and_short_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Directory(tmp_path)
    buffers = [bytes([index % 256]) * (index % 7) for index in range(5000)]
    whole = b"".join(buffers)
    chance = random.Random(1)
    real = os.writev

    def short(fd: int, pieces: list[bytes]) -> int:
        assert len(pieces) <= 1024
        data = b"".join(pieces)
        return real(fd, [data[: chance.randint(1, max(1, len(data) // 2))]])

    for name, call in (("whole", real), ("short", short), ("none", None)):
        monkeypatch.setattr(files, "_writev", call)
        handle = disk.create(name)
        for part in (buffers, buffers[:3], [], [b""], [memoryview(whole)]):
            handle.write(part)
        handle.sync()
        handle.close()
        handle.close()
        assert disk.read(name, 0, 1 << 20) == whole + b"".join(buffers[:3]) + whole
        assert disk.size(name) == 2 * len(whole) + 3


def test_names_and_tails(tmp_path: Path) -> None:
    disk = Directory(tmp_path)
    handle = disk.create("a")
    handle.write([b"0123456789"])
    handle.truncate(4)
    handle.write([b"xy"])
    handle.close()
    disk.rename("a", "b")
    disk.sync_directory()
    again = disk.open_append("b")
    again.write([b"z"])
    again.close()
    assert disk.names() == ["b"] and disk.read("b", 2, 100) == b"23xyz" and disk.read("b", 50, 5) == b""
    disk.unlink("b")
    for call in (lambda: disk.open_append("b"), lambda: disk.size("b"), lambda: disk.read("b", 0, 1)):
        with pytest.raises(FileNotFoundError):
            call()
    with pytest.raises(AssertionError):
        disk.size("../b")


def test_the_second_is_refused_by_pid(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    with pytest.raises(LockHeld) as caught:
        Lock(tmp_path)
    assert caught.value.pid == os.getpid() and str(os.getpid()) in str(caught.value)
    done = subprocess.run([sys.executable, "-c", TAKE, tmp_path], capture_output=True, input=b"", check=False)
    assert done.returncode == 3 and int(done.stdout) == os.getpid()
    lock.release()
    lock.release()
    Lock(tmp_path).release()


def test_a_lock_file_that_was_removed_lets_nobody_in(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    handle = Directory(tmp_path, lock).create("log")
    (tmp_path / "LOCK").unlink()
    done = subprocess.run([sys.executable, "-c", TAKE, tmp_path], capture_output=True, input=b"", check=False)
    assert done.returncode == 3 and sorted(os.listdir(tmp_path)) == ["log"]
    handle.write([b"whole"])
    handle.sync()
    handle.close()
    lock.release()
    Lock(tmp_path).release()


def test_without_a_lock_of_the_directory_the_first_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that locks files alone: the second comes in, so the first may promise nothing more."""
    monkeypatch.setattr(files, "_lock_directory", lambda directory: -1)
    lock = Lock(tmp_path)
    disk = Directory(tmp_path, lock)
    handle = disk.create("log")
    handle.write([b"whole"])
    handle.sync()
    (tmp_path / "LOCK").unlink()
    second = Lock(tmp_path)
    refused = [handle.sync, lambda: disk.create("next"), lambda: disk.open_append("log"), lambda: disk.unlink("log"),
               lambda: disk.rename("log", "other")]  # fmt: skip
    for one in refused:
        with pytest.raises(OSError, match="LOCK file was removed"):
            one()
    handle.close()
    lock.release()
    second.release()
    assert sorted(os.listdir(tmp_path)) == ["LOCK", "log"]


def test_another_directory_in_its_place_is_not_written_to(tmp_path: Path) -> None:
    data = tmp_path / "data"
    lock = Lock(data)
    disk = Directory(data, lock)
    handle = disk.create("log")
    data.rename(tmp_path / "moved")
    for make in (lambda: None, data.mkdir):  # nothing there, another one there
        make()
        for one in (handle.sync, lambda: disk.create("next"), lambda: disk.unlink("log")):
            with pytest.raises(OSError, match=r"No such file|replaced by another"):
                one()
    Lock(data).release()
    assert os.listdir(data) == ["LOCK"]
    handle.close()
    lock.release()


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TAKE, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(LockHeld) as caught:
            Lock(tmp_path)
        assert caught.value.pid == holder.pid
        holder.kill()
    Lock(tmp_path).release()


@forking
def test_a_child_cannot_let_go_of_the_lock(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    handle = Directory(tmp_path).create("log")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            lock.release()
            handle.write([b"child"])
        except OSError:
            code = 7  # its copy of the handle is closed
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    with pytest.raises(LockHeld):
        Lock(tmp_path)
    handle.write([b"parent"])
    handle.close()
    assert (tmp_path / "log").read_bytes() == b"parent"
    lock.release()


@forking
def test_a_child_that_lives_on_does_not_keep_the_lock(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    os.close(read)
    lock.release()
    Lock(tmp_path).release()
    os.close(write)
    os.waitpid(child, 0)


def test_a_delayed_disk_is_late_and_right(tmp_path: Path) -> None:
    disk, ledger, chance = DelayedDisk(Directory(tmp_path), 0.01), Ledger(), random.Random(1)
    node = Node(disk, ledger)
    start = time.perf_counter()
    for _ in range(5):
        node.write(chance)
        node.sync()
    assert time.perf_counter() - start >= 0.05
    node.stop()
    assert Node(disk, ledger).state == node.state
