"""The kernel cache on disk: place, reading and writing of its entries, where every failure counts as a miss.

    DIRECTORY / digest of the sources / function.types.nbc      checksum (16 bytes), then a pickle
    DIRECTORY / sources / digest of a text.json                 checksum, then facts about a source file, see `sources`

The checksum is verified before anything is unpickled: an entry that a loss of power, a full disk or another program has
damaged counts as missing. An entry that cannot be read counts as missing too, and one that cannot be written goes to
the *spare*, a temporary directory that a process shares with its compile workers and then removes. So a directory that
is read-only and filled is still used. A directory that cannot be made, written or read costs time and one line in the
log, but never prevents a start.
"""

import atexit
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

CHECKSUM_BYTES = 16
NO_HOME = "there is no home directory, and SYNAP_CACHE_DIR is not set"

log = logging.getLogger("synap")


def chosen_directory() -> Path | None:
    """Return `SYNAP_CACHE_DIR`, else `synap` in the user's cache directory; None for a user without a home."""
    named = os.environ.get("SYNAP_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        if named:
            return Path(named).absolute()
        if base:
            return (Path(base) / "synap").absolute()
        return (Path.home() / ".cache" / "synap").absolute()
    except (RuntimeError, OSError):  # no such user in the password file, or the working directory was removed
        return None


class Entries:
    """The entries in `directory`, and in the spare if there is one.

    `tell` is called with (kind of trouble, line), once for each kind in the life of this object.
    """

    def __init__(self, directory: Path | None, tell: Callable[[str, str], None] | None = None) -> None:
        self.directory = directory
        self.spare: Path | None = None
        self._tell = tell or (lambda kind, line: log.warning("%s", line))
        self._told: set[str] = set()

    def tell_to(self, tell: Callable[[str, str], None]) -> None:
        """Report trouble to `tell` from now on."""
        self._tell = tell
        self._told.clear()

    def warn(self, kind: str, line: str) -> None:
        """Report trouble, unless this kind of trouble has been reported before."""
        if kind not in self._told:
            self._told.add(kind)
            self._tell(kind, line)

    def read(self, name: str) -> bytes | None:
        """Return the content written as `name` (`digest/file`); None if the entry is missing or damaged."""
        for base in (self.directory, self.spare):
            if base is None:
                continue
            try:
                data = (base / name).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, ValueError) as error:
                self.warn("read", f"kernel cache: an entry cannot be read and is compiled again: {error}")
                continue
            content = data[CHECKSUM_BYTES:]
            if _checksum(content) == data[:CHECKSUM_BYTES]:
                return content
            self.damaged(name, f"the checksum is not that of its {len(content)} bytes")
        return None

    def files(self, folder: str) -> list[str]:
        """Return the names of the files in a folder of the directory; none if it cannot be read."""
        try:
            return os.listdir(self.directory / folder) if self.directory is not None else []
        except (OSError, ValueError):
            return []

    def damaged(self, name: str, what: str) -> None:
        """Report an entry whose content is not what was written."""
        self.warn("damaged", f"kernel cache: {self.directory}: {name} is damaged and compiled again: {what}")

    def write(self, name: str, content: bytes) -> None:
        """Store `content` as `name` in the directory, else in the spare, else nowhere. Failures are reported, not
        raised."""
        data = _checksum(content) + content
        try:
            if self.directory is None:
                raise FileNotFoundError(NO_HOME)
            (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
            _replace(self.directory / name, data)
            return
        except (OSError, ValueError) as error:
            self._cannot_write(error)
        if self.spare is not None:
            try:
                (self.spare / name).parent.mkdir(exist_ok=True)  # no parents: its owner may have removed the spare
                _replace(self.spare / name, data)
            except OSError as error:
                self.warn("spare", f"kernel cache: cannot write to {self.spare}: {error}")

    def keep(self, name: str, content: bytes) -> None:
        """Store `content` as `name` in the directory, to save time only: failures are not reported."""
        if self.directory is not None:
            with suppress(OSError, ValueError):
                (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
                _replace(self.directory / name, _checksum(content) + content)

    def _cannot_write(self, error: Exception) -> None:
        where = self.directory or "a directory"
        self.warn("write", f"kernel cache: cannot write to {where}, so every start compiles (SYNAP_CACHE_DIR): {error}")

    def open_spare(self) -> bool:
        """Make the spare; return True if processes can share entries, through the spare or the directory."""
        if self.spare is None:
            try:
                self.spare = Path(tempfile.mkdtemp(prefix="synap-kernels-"))
                atexit.register(self._drop, self.spare, os.getpid())
            except OSError as error:
                self.warn("spare", f"kernel cache: there is no temporary directory: {error}")
        if self.spare is not None:
            return True
        try:
            if self.directory is None:
                raise FileNotFoundError(NO_HOME)
            probe = self.directory / f"probe-{os.getpid()}"
            self.directory.mkdir(parents=True, exist_ok=True)
            _replace(probe, b"")
            probe.unlink(missing_ok=True)
            return True
        except (OSError, ValueError) as error:
            self._cannot_write(error)
            return False

    def close_spare(self) -> None:
        """Remove the spare, after its content has been loaded."""
        if self.spare is not None:
            path, self.spare = self.spare, None
            self._drop(path, os.getpid())

    def _drop(self, path: Path, owner: int) -> None:
        if os.getpid() == owner:  # a forked child leaves the spare to the process that made it
            shutil.rmtree(path, ignore_errors=True)


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=CHECKSUM_BYTES).digest()


def _replace(path: Path, data: bytes) -> None:
    """Write a file beside `path`, then rename it to `path`: a reader finds the old content or the new one, complete."""
    number = 0
    while True:
        beside = path.with_name(f"{path.name}.{os.getpid()}-{number}")
        try:
            file = beside.open("xb")  # fails if it exists: in containers several processes may have PID 1
            break
        except FileExistsError:
            number += 1
    try:
        with file:
            file.write(data)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
