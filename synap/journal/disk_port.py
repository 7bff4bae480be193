"""The port to the disk: all that the journal may ask of the world.

`synap.io.node.files` answers it with a real directory, the simulator with one that loses power. Names are
plain file names inside the one data directory. Every method may raise `OSError`; what was asked is
then in an unknown state, and the journal treats it so.
"""

from collections.abc import Sequence
from typing import Protocol

Buffer = bytes | bytearray | memoryview


class Handle(Protocol):
    """A file open for appending. `sync` may be called from another thread while `write` goes on."""

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Append all the buffers, in order and whole, or raise."""
        ...

    def begin_sync(self, start: int, size: int) -> None:
        """These bytes will be synced later and are not read soon. A hint: it promises nothing and raises nothing."""
        ...

    def sync(self) -> None:
        """Return when everything written before the call is on the disk (fdatasync)."""
        ...

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes; later writes go on from there."""
        ...

    def close(self) -> None:
        """Let go of the file, without a sync."""
        ...


class Disk(Protocol):
    """A directory. A name made, moved or removed is only lasting after `sync_directory`."""

    def names(self) -> list[str]:
        """All file names, in any order."""
        ...

    def size(self, name: str) -> int:
        """The size of a file in bytes."""
        ...

    def read(self, name: str, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on; fewer only where the file ends."""
        ...

    def create(self, name: str) -> Handle:
        """An empty file of that name; one already there is emptied."""
        ...

    def open_append(self, name: str) -> Handle:
        """A file that exists, written at its end."""
        ...

    def rename(self, name: str, target: str) -> None:
        """Give a file another name, in one step; a file called `target` is replaced."""
        ...

    def unlink(self, name: str) -> None:
        """Remove a file."""
        ...

    def sync_directory(self) -> None:
        """Return when every name made, moved or removed so far is on the disk."""
        ...
