"""The disk port on a real directory, and the lock that keeps a second server out of it.

`Directory` is what the journal calls a disk. A write goes out as one `writev` of the caller's buffers,
so a group of large payloads is never joined; a short count is carried on where it stopped.

**Fork.** A forked child must write neither the log nor hold the lock's descriptor longer than needed,
so every handle and lock of this module is closed in the child, before anything else of it runs. The
lock is taken with `flock`, which belongs to the open file and not to the process: the child's
close does not release it, the parent still holds it. (`lockf` belongs to the process; it would be lost
as soon as anything in the process opened and closed LOCK once more.) Only an explicit unlock ends a
`flock` for both, therefore only the process that took it unlocks. When the process dies in any way
the system unlocks; the file stays, it is the lock on it that counts.

**What can be removed.** A LOCK file can be removed under a running server, and the next server would lock a new one. So
the directory itself is locked too; where the system cannot do that, a LOCK that has gone ends the log. The directory
can be moved away and another one put in its place. Every change of names and every sync asks for both first
(`Directory.check`), so a log never goes on in a directory that is not its own, and promises nothing there.

Where `flock`, `writev`, `fdatasync` or a directory's fsync do not exist, the nearest thing is used.
"""

import errno
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from synap.journal.disk_port import Buffer, Disk, Handle

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = "LOCK"

_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_MODE = 0o640


def _buffer_count_max() -> int:
    """How many buffers one writev takes; 16 is what every system must allow."""
    try:
        return max(16, os.sysconf("SC_IOV_MAX"))
    except (AttributeError, ValueError, OSError):
        return 16


_BUFFERS_MAX = _buffer_count_max()


def _full_sync(fd: int) -> None:
    """Where fsync leaves data in the drive's cache (macOS), ask for more."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(fd)
        return
    try:
        fcntl.fcntl(fd, full)
    except OSError:
        os.fsync(fd)


_sync: Callable[[int], None] = getattr(os, "fdatasync", _full_sync)

_open_files: "weakref.WeakSet[FileHandle | Lock]" = weakref.WeakSet()


def _close_in_child() -> None:
    """Close the child's copies of everything this module holds open."""
    for file in list(_open_files):
        file.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)


class FileHandle:
    """A file open for appending."""

    def __init__(self, path: str, flags: int, check: Callable[[], None]) -> None:
        """`check` raises if what is written here may be promised no more."""
        self._check = check
        self._fd = os.open(path, flags | os.O_WRONLY | os.O_APPEND | _FLAGS, _MODE)
        _open_files.add(self)

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Append all the buffers, in order and whole, or raise."""
        if len(buffers) <= _BUFFERS_MAX and _writev is not None:
            size = 0
            for buffer in buffers:
                size += len(buffer)
            done = _writev(self._fd, buffers)
            if done == size:
                return
        else:
            done = 0
        self._write_rest(buffers, done)

    def _write_rest(self, buffers: Sequence[Buffer], done: int) -> None:
        """Go on behind the first `done` bytes."""
        rest = []
        for buffer in buffers:
            size = len(buffer)
            if done < size:
                rest.append(memoryview(buffer)[done:])
            done = max(0, done - size)
        at = 0
        while at < len(rest):
            if _writev is not None:
                done = _writev(self._fd, rest[at : at + _BUFFERS_MAX])
            else:
                done = os.write(self._fd, rest[at])
            while at < len(rest) and done >= len(rest[at]):
                done -= len(rest[at])
                at += 1
            if done:
                rest[at] = rest[at][done:]

    def sync(self) -> None:
        """Return when everything written before the call is on the disk."""
        self._check()
        _sync(self._fd)

    def begin_sync(self, start: int, size: int) -> None:
        """Ask the system to write these bytes out and to keep no copy; promises nothing."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._fd, start, size, os.POSIX_FADV_DONTNEED)

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes."""
        os.ftruncate(self._fd, size)

    def close(self) -> None:
        """Let go of the file, without a sync; a second time is no error."""
        fd, self._fd = self._fd, -1
        _open_files.discard(self)
        if fd >= 0:
            os.close(fd)

    def forget(self) -> None:
        """Close the copy of a forked child."""
        self.close()


_writev: Any = getattr(os, "writev", None)


class Directory:
    """A data directory as a `Disk`."""

    def __init__(self, path: str | os.PathLike[str], lock: "Lock | None" = None) -> None:
        """Use the directory at `path`, resolved here and now; it is made if it is missing. Raises `OSError`."""
        self.path = os.path.realpath(path)
        Path(self.path).mkdir(parents=True, exist_ok=True)
        self._lock = lock
        self._identity = _identity(os.stat(self.path))

    def check(self) -> None:
        """Raise `OSError` if another directory has taken the place of this one, or its lock is gone."""
        if _identity(os.stat(self.path)) != self._identity:
            raise OSError(errno.ESTALE, "the data directory was replaced by another one", self.path)
        if self._lock is not None:
            self._lock.check()

    def names(self) -> list[str]:
        """All names in the directory, sorted."""
        return sorted(os.listdir(self.path))

    def size(self, name: str) -> int:
        """The size of a file in bytes."""
        return os.stat(self._at(name)).st_size

    def read(self, name: str, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on; fewer only where the file ends."""
        fd = os.open(self._at(name), os.O_RDONLY | _FLAGS)
        try:
            os.lseek(fd, offset, os.SEEK_SET)
            data = os.read(fd, size)
            while len(data) < size:  # one read gives at most 2 GiB
                more = os.read(fd, size - len(data))
                if not more:
                    break
                data += more
            return data
        finally:
            os.close(fd)

    def create(self, name: str) -> Handle:
        """An empty file of that name."""
        self.check()
        return FileHandle(self._at(name), os.O_CREAT | os.O_TRUNC, self.check)

    def open_append(self, name: str) -> Handle:
        """A file that exists, written at its end."""
        self.check()
        return FileHandle(self._at(name), 0, self.check)

    def rename(self, name: str, target: str) -> None:
        """Give a file another name, in one step."""
        self.check()
        os.replace(self._at(name), self._at(target))

    def unlink(self, name: str) -> None:
        """Remove a file."""
        self.check()
        os.unlink(self._at(name))

    def sync_directory(self) -> None:
        """Put the names on the disk; systems that cannot open a directory do so by themselves."""
        if os.name == "nt":
            return
        fd = os.open(self.path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _FLAGS)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _at(self, name: str) -> str:
        """The path of a plain name."""
        assert os.sep not in name, name
        return os.path.join(self.path, name)


class LockHeld(Exception):
    """Another server uses the data directory; `pid` is its process, 0 if it cannot be told."""

    def __init__(self, path: str, pid: int) -> None:
        super().__init__(f"{path} is in use by process {pid or 'unknown'}")
        self.path = path
        self.pid = pid


class Lock:
    """The lock of a data directory and of its LOCK file, held until `release` or the end of the process."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Take the lock of the directory at `path`; raises `LockHeld` or `OSError`."""
        directory = os.path.realpath(path)
        Path(directory).mkdir(parents=True, exist_ok=True)
        self._pid = os.getpid()
        self._path = os.path.join(directory, LOCK_NAME)
        self._fd, self._directory = -1, _lock_directory(directory)
        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | _FLAGS, _MODE)
            _lock(self._fd)
        except (BlockingIOError, PermissionError):
            held = self._fd >= 0
            self.forget()
            if not held:  # the file may not be opened
                raise
            raise LockHeld(directory, _holder(directory)) from None
        except OSError:
            self.forget()
            raise
        os.ftruncate(self._fd, 0)
        os.write(self._fd, b"%d\n" % self._pid)
        _open_files.add(self)

    def check(self) -> None:
        """Raise `OSError` if only LOCK was locked and has been removed: another server may have locked a new one."""
        if self._directory >= 0 or self._fd < 0 or self._pid != os.getpid():  # safe, or released, or a forked child
            return
        try:
            there = _identity(os.stat(self._path))
        except FileNotFoundError:
            there = None
        if there != _identity(os.fstat(self._fd)):
            raise OSError(errno.ESTALE, "the LOCK file was removed: another server may use the directory", self._path)

    def release(self) -> None:
        """Let the next one in; a second time, or in a forked child, it does nothing to the lock."""
        if self._pid == os.getpid():
            for fd in (self._fd, self._directory):
                if fd >= 0:
                    _unlock(fd)
        self.forget()

    def forget(self) -> None:
        """Close the descriptor without unlocking: what a forked child does with its copy."""
        files, self._fd, self._directory = (self._fd, self._directory), -1, -1
        _open_files.discard(self)
        for fd in files:
            if fd >= 0:
                os.close(fd)


class UnusableDirectory(OSError):
    """The data directory cannot be made, written or read; the text says which, and why."""


def claim(path: str | os.PathLike[str]) -> tuple[Directory, Lock]:
    """The data directory at `path`, made if it is missing, and its lock. Raises UnusableDirectory or LockHeld."""
    directory = os.fspath(path)
    trouble, lock = "cannot be made", None
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
        trouble = "cannot be written"
        lock = Lock(directory)
        trouble = "cannot be read"
        found = Directory(directory, lock)
        found.names()
        return found, lock
    except OSError as error:
        if lock is not None:
            lock.release()
        if os.path.lexists(directory) and not os.path.isdir(directory):
            why = f"is {'a file' if os.path.isfile(directory) else 'something else'}, not a directory"
        else:
            why = f"{trouble}: {error.strerror or error}"
        failure = UnusableDirectory(f"the data directory {directory} (persistence.directory) {why}")
        failure.errno = error.errno
        raise failure from error


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _holder(directory: str) -> int:
    """The process that has written its number into LOCK, 0 if there is none."""
    try:
        with open(os.path.join(directory, LOCK_NAME), "rb") as file:
            text = file.read(20).strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0


def _lock_directory(directory: str) -> int:
    """Lock the directory itself; the descriptor, -1 where a system cannot do that. Raises LockHeld."""
    if fcntl is None or not hasattr(os, "O_DIRECTORY"):
        return -1
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise LockHeld(directory, _holder(directory)) from None
    except OSError:  # a file system that locks files alone
        os.close(fd)
        return -1
    return fd


if fcntl is not None:

    def _lock(fd: int) -> None:
        """Lock or raise BlockingIOError."""
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(fd: int) -> None:
        """Unlock, for every copy of the descriptor."""
        fcntl.flock(fd, fcntl.LOCK_UN)

else:
    import msvcrt

    _LOCKED_BYTE = 1 << 20
    """Behind the pid: a locked byte cannot be read by others there."""

    def _lock(fd: int) -> None:
        """Lock or raise PermissionError."""
        _locking(fd, "LK_NBLCK")

    def _unlock(fd: int) -> None:
        """Unlock."""
        _locking(fd, "LK_UNLCK")

    def _locking(fd: int, mode: str) -> None:
        """Lock or unlock one byte far behind the text."""
        system: Any = msvcrt
        os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
        try:
            system.locking(fd, getattr(system, mode), 1)
        finally:
            os.lseek(fd, 0, os.SEEK_SET)


class DelayedDisk:
    """A disk whose syncs take `seconds` longer: other people's disks, for benchmarks."""

    def __init__(self, disk: Disk, seconds: float) -> None:
        self._disk = disk
        self._seconds = seconds
        self.names = disk.names
        self.size = disk.size
        self.read = disk.read
        self.rename = disk.rename
        self.unlink = disk.unlink

    def create(self, name: str) -> Handle:
        """An empty file of that name."""
        return _DelayedHandle(self._disk.create(name), self._seconds)

    def open_append(self, name: str) -> Handle:
        """A file that exists, written at its end."""
        return _DelayedHandle(self._disk.open_append(name), self._seconds)

    def sync_directory(self) -> None:
        """Sync the directory, later."""
        _wait(self._seconds)
        self._disk.sync_directory()


class _DelayedHandle:
    """A handle of a `DelayedDisk`."""

    def __init__(self, handle: Handle, seconds: float) -> None:
        self._handle = handle
        self._seconds = seconds
        self.write = handle.write
        self.begin_sync = handle.begin_sync
        self.truncate = handle.truncate
        self.close = handle.close

    def sync(self) -> None:
        """Sync the file, later."""
        _wait(self._seconds)
        self._handle.sync()


def _wait(seconds: float) -> None:
    """Let time pass without the GIL, as a disk does."""
    threading.Event().wait(seconds)
