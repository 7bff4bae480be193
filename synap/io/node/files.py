"""The disk port on a real directory, and the lock that keeps a second server out of the directory.

`Directory` implements the journal's `Disk`. A write is one `writev` of the caller's buffers, so large payloads of a
group are never joined in memory; after a short count the write goes on where it stopped.

**Fork.** A forked child must not write the log, and must not keep the lock's descriptor longer than needed. So every
handle and lock of this module is closed in the child before any other code runs there. The lock is taken with
`flock`, which belongs to the open file and not to the process: the child's close does not release the lock, the
parent still holds it. (`lockf` belongs to the process; it would be lost as soon as any code in the process opened and
closed LOCK once more.) An explicit unlock ends a `flock` for both processes, therefore only the process that took the
lock unlocks it. When the process dies in any way the system unlocks; the file stays: only the lock on it counts.

**Removed files.** If the LOCK file is removed under a running server, the next server locks a new LOCK file. So
the directory itself is locked too; where the system cannot do that, a missing LOCK file ends the log. The directory
itself can be moved away and replaced by another one. `Directory.check` looks for both before every change of names
and before every sync, so a log never goes on in a directory that is not its own, and promises nothing there.

Where `flock`, `writev`, `fdatasync` or fsync of a directory are missing, the nearest substitute is used.
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
    """Return how many buffers one writev takes; every system must allow 16."""
    try:
        return max(16, os.sysconf("SC_IOV_MAX"))
    except (AttributeError, ValueError, OSError):
        return 16


_BUFFERS_MAX = _buffer_count_max()


def _full_sync(fd: int) -> None:
    """Sync a file with F_FULLFSYNC (macOS), since fsync leaves data in the drive's cache there; else with fsync."""
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
    """Close the child's copies of every file that this module holds open."""
    for file in list(_open_files):
        file.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)


class FileHandle:
    """A file open for appending."""

    def __init__(self, path: str, flags: int, check: Callable[[], None]) -> None:
        """Open the file at `path`. `check` is called before each sync; it raises if the file may not be synced here."""
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
        """Write what follows the first `done` bytes of the buffers."""
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
        """Sync the file: everything written before the call is on the disk at its return. Raises `OSError`."""
        self._check()
        _sync(self._fd)

    def begin_sync(self, start: int, size: int) -> None:
        """Ask the system to write these bytes out and to keep no copy in its cache; this promises nothing."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._fd, start, size, os.POSIX_FADV_DONTNEED)

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes."""
        os.ftruncate(self._fd, size)

    def close(self) -> None:
        """Close the file without a sync; a second call does nothing."""
        fd, self._fd = self._fd, -1
        _open_files.discard(self)
        if fd >= 0:
            os.close(fd)

    def forget(self) -> None:
        """Close this process's copy, in a forked child."""
        self.close()


_writev: Any = getattr(os, "writev", None)


class Directory:
    """A data directory as a `Disk`."""

    def __init__(self, path: str | os.PathLike[str], lock: "Lock | None" = None) -> None:
        """Use the directory at `path`, resolved now and made if it is missing. Raises `OSError`."""
        self.path = os.path.realpath(path)
        Path(self.path).mkdir(parents=True, exist_ok=True)
        self._lock = lock
        self._identity = _identity(os.stat(self.path))

    def check(self) -> None:
        """Raise `OSError` if another directory has taken the place of this one, or the LOCK file was removed."""
        if _identity(os.stat(self.path)) != self._identity:
            raise OSError(errno.ESTALE, "the data directory was replaced by another one", self.path)
        if self._lock is not None:
            self._lock.check()

    def names(self) -> list[str]:
        """Return all names in the directory, sorted."""
        return sorted(os.listdir(self.path))

    def size(self, name: str) -> int:
        """Return the size of a file in bytes."""
        return os.stat(self._at(name)).st_size

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` on; fewer only at the end of the file."""
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
        """Create an empty file, or empty an existing one, and return its handle."""
        self.check()
        return FileHandle(self._at(name), os.O_CREAT | os.O_TRUNC, self.check)

    def open_append(self, name: str) -> Handle:
        """Open an existing file for writing at its end."""
        self.check()
        return FileHandle(self._at(name), 0, self.check)

    def rename(self, name: str, target: str) -> None:
        """Rename a file atomically; an existing `target` is replaced."""
        self.check()
        os.replace(self._at(name), self._at(target))

    def unlink(self, name: str) -> None:
        """Remove a file."""
        self.check()
        os.unlink(self._at(name))

    def sync_directory(self) -> None:
        """Sync the directory's names to the disk; on Windows do nothing, a directory cannot be opened there."""
        if os.name == "nt":
            return
        fd = os.open(self.path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _FLAGS)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _at(self, name: str) -> str:
        """Return the path of a plain name."""
        assert os.sep not in name, name
        return os.path.join(self.path, name)


class LockHeld(Exception):
    """Another process uses the data directory; `pid` is its process id, 0 if that is unknown."""

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
            if not held:  # the LOCK file cannot be opened: no permission
                raise
            raise LockHeld(directory, _holder(directory)) from None
        except OSError:
            self.forget()
            raise
        os.ftruncate(self._fd, 0)
        os.write(self._fd, b"%d\n" % self._pid)
        _open_files.add(self)

    def check(self) -> None:
        """Raise `OSError` if only LOCK was locked and has been removed: another server may have locked a new file."""
        if self._directory >= 0 or self._fd < 0 or self._pid != os.getpid():  # safe, or released, or a forked child
            return
        try:
            there = _identity(os.stat(self._path))
        except FileNotFoundError:
            there = None
        if there != _identity(os.fstat(self._fd)):
            raise OSError(errno.ESTALE, "the LOCK file was removed: another server may use the directory", self._path)

    def release(self) -> None:
        """Release the lock; a second call, or one in a forked child, leaves the lock alone."""
        if self._pid == os.getpid():
            for fd in (self._fd, self._directory):
                if fd >= 0:
                    _unlock(fd)
        self.forget()

    def forget(self) -> None:
        """Close the descriptors without unlocking, as a forked child does with its copies."""
        files, self._fd, self._directory = (self._fd, self._directory), -1, -1
        _open_files.discard(self)
        for fd in files:
            if fd >= 0:
                os.close(fd)


class UnusableDirectory(OSError):
    """The data directory cannot be made, written or read; the text says which and why."""


def claim(path: str | os.PathLike[str]) -> tuple[Directory, Lock]:
    """Make if missing, lock and return the data directory at `path`. Raises UnusableDirectory or LockHeld."""
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
    """Return the id of the process that is written in the LOCK file, 0 if there is none."""
    try:
        with open(os.path.join(directory, LOCK_NAME), "rb") as file:
            text = file.read(20).strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0


def _lock_directory(directory: str) -> int:
    """Lock the directory itself; return the descriptor, -1 if the system cannot lock directories. Raises LockHeld."""
    if fcntl is None or not hasattr(os, "O_DIRECTORY"):
        return -1
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise LockHeld(directory, _holder(directory)) from None
    except OSError:  # the file system locks files only
        os.close(fd)
        return -1
    return fd


if fcntl is not None:

    def _lock(fd: int) -> None:
        """Lock, or raise BlockingIOError if another process holds the lock."""
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(fd: int) -> None:
        """Unlock, for every copy of the descriptor."""
        fcntl.flock(fd, fcntl.LOCK_UN)

else:
    import msvcrt

    _LOCKED_BYTE = 1 << 20
    """Behind the pid: a locked byte cannot be read by others there."""

    def _lock(fd: int) -> None:
        """Lock, or raise PermissionError if another process holds the lock."""
        _locking(fd, "LK_NBLCK")

    def _unlock(fd: int) -> None:
        """Unlock the byte that `_lock` locked."""
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
    """A disk whose syncs take `seconds` longer: imitates slow disks in benchmarks."""

    def __init__(self, disk: Disk, seconds: float) -> None:
        self._disk = disk
        self._seconds = seconds
        self.names = disk.names
        self.size = disk.size
        self.read = disk.read
        self.rename = disk.rename
        self.unlink = disk.unlink

    def create(self, name: str) -> Handle:
        """Create an empty file and return its handle, whose syncs take longer."""
        return _DelayedHandle(self._disk.create(name), self._seconds)

    def open_append(self, name: str) -> Handle:
        """Open an existing file for writing at its end; syncs of the handle take longer."""
        return _DelayedHandle(self._disk.open_append(name), self._seconds)

    def sync_directory(self) -> None:
        """Wait, then sync the directory."""
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
        """Wait, then sync the file."""
        _wait(self._seconds)
        self._handle.sync()


def _wait(seconds: float) -> None:
    """Wait without holding the GIL, as a sync does."""
    threading.Event().wait(seconds)
