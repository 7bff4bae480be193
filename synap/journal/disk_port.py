"""The disk port: the interface through which the journal reads and writes files.

`synap.io.node.files` implements it with a real directory, the simulator with one that loses power. Names are
plain file names inside the one data directory. Every method may raise `OSError`; the state of the request is
then unknown, and the journal treats it as unknown.
"""

from collections.abc import Sequence
from typing import Protocol

Buffer = bytes | bytearray | memoryview


class Handle(Protocol):
    """A file open for appending. `sync` may be called from another thread while `write` goes on."""

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Append all buffers, in order and completely, or raise."""
        ...

    def begin_sync(self, start: int, size: int) -> None:
        """Hint that these bytes will be synced later and not read soon. Guarantees nothing and never raises."""
        ...

    def sync(self) -> None:
        """Wait until everything written before the call is on the disk (fdatasync)."""
        ...

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes; later writes continue there."""
        ...

    def close(self) -> None:
        """Close the file, without a sync."""
        ...


class Disk(Protocol):
    """A directory. A name that was created, renamed or removed is durable only after `sync_directory`."""

    def names(self) -> list[str]:
        """Return all file names, in any order."""
        ...

    def size(self, name: str) -> int:
        """Return the size of a file in bytes."""
        ...

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` on, or fewer if the file ends before."""
        ...

    def create(self, name: str) -> Handle:
        """Create an empty file; an existing file of that name is emptied."""
        ...

    def open_append(self, name: str) -> Handle:
        """Open an existing file for appending."""
        ...

    def rename(self, name: str, target: str) -> None:
        """Rename a file atomically; an existing file `target` is replaced."""
        ...

    def unlink(self, name: str) -> None:
        """Remove a file."""
        ...

    def sync_directory(self) -> None:
        """Wait until every name created, renamed or removed so far is on the disk."""
        ...
