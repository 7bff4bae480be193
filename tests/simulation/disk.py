"""A disk that can lose power: it keeps what was synced, and of the rest whatever chance decides.

    file        durable bytes + changes since the last sync, in order
    directory   durable names + changes since the last sync, in order

`crash` gives the disk as it is found afterwards. Each dirty 512-byte sector of a file shows
the state after some number of the changes to it, chosen for each sector alone, so later writes can be
there while earlier ones are not; the size is that after some number of changes. Of the changes of
names any subset has happened. A failed sync keeps some of the dirty sectors and takes the others for
clean: the next sync succeeds without them, though reading still shows them. (So do Linux filesystems.)

Every operation that changes something is numbered and traced. `stop_at` cuts the power before that
operation (of a write, part may have happened), `fail_at` makes operations raise. One seed, one story.
"""

import errno
import os
import random
from collections.abc import Callable, Sequence
from typing import Any

from synap.journal.disk_port import Buffer

SECTOR_BYTES = 512


class PowerLoss(BaseException):
    """The power went off; nothing may catch this but the test."""


class File:
    """The bytes of one file: as read now, as on the disk, and what lies between."""

    def __init__(self, durable: bytes = b"") -> None:
        self.visible = bytearray(durable)
        self.durable = bytearray(durable)
        self.changes: list[tuple[int, bytes | None]] = []
        """(offset, data) for a write, (size, None) for a truncation."""
        self.synced = 0  # changes that are no longer in the list

    @property
    def made(self) -> int:
        """How many changes there have been."""
        return self.synced + len(self.changes)

    def write(self, data: bytes) -> None:
        self.changes.append((len(self.visible), data))
        self.visible += data

    def truncate(self, size: int) -> None:
        self.changes.append((size, None))
        _apply(self.visible, size, None)

    def sync(self, made: int) -> None:
        """The first `made` changes are durable."""
        count = max(0, made - self.synced)
        for offset, data in self.changes[:count]:
            _apply(self.durable, offset, data)
        del self.changes[:count]
        self.synced += count

    def fail_sync(self, chance: random.Random) -> None:
        """Some changes are, and the others never will be."""
        self.durable = bytearray(self.survive(chance))
        self.synced += len(self.changes)
        self.changes.clear()

    def survive(self, chance: random.Random) -> bytes:
        """What is found after the power comes back."""
        changes = self.changes
        if not changes:
            return bytes(self.durable)
        count = len(changes)
        mood = chance.random()
        if mood < 0.1:
            return bytes(self.durable)
        if mood < 0.2:
            return bytes(self.visible)
        seen: dict[int, int] = {}
        content = bytearray(self.durable)
        sizes = [len(content)]
        for index, (offset, data) in enumerate(changes):
            size = offset if data is None else max(sizes[-1], offset + len(data))
            stop = max(sizes[-1], size) if data is None else offset + len(data)
            if len(content) < stop:
                content += bytes(stop - len(content))
            for sector in range(offset // SECTOR_BYTES, -(-stop // SECTOR_BYTES)):
                if sector not in seen:
                    seen[sector] = chance.randint(0, count) if mood < 0.7 else chance.choice((0, count))
                if index >= seen[sector]:
                    continue
                start = max(offset, sector * SECTOR_BYTES)
                end = min(stop, (sector + 1) * SECTOR_BYTES)
                if start < end:
                    content[start:end] = (
                        bytes(end - start) if data is None else data[start - offset : end - offset]
                    )
            sizes.append(size)
        size = chance.choice(sizes) if mood < 0.6 else sizes[-1]
        return bytes(content[:size].ljust(size, b"\0"))


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    """Do one change."""
    if data is None:
        del content[offset:]
        content += bytes(offset - len(content))
    else:
        content += bytes(max(0, offset - len(content)))
        content[offset : offset + len(data)] = data


class SimulatedDisk:
    """A `synap.journal.Disk` in memory."""

    def __init__(
        self,
        seed: int = 0,
        *,
        stop_at: int | None = None,
        fail_at: dict[int, int] | None = None,
        fail_from: tuple[int, int] | None = None,
    ) -> None:
        """`fail_at` maps operations to errnos; `fail_from` (operation, errno) fails all from there on."""
        self.chance = random.Random(seed)
        self.stop_at = stop_at
        self.fail_at = fail_at or {}
        self.fail_from = fail_from
        self.operations = 0
        self.trace: list[tuple[Any, ...]] = []
        self.failures: list[str] = []
        self.largest_read = 0
        self._files: dict[str, File] = {}
        self._durable: dict[str, File] = {}
        self._changes: list[dict[str, File | None]] = []
        self._dead = False
        self.pause: Callable[[str], None] = lambda kind: None  # lets simulated time pass

    # What the journal uses.

    def names(self) -> list[str]:
        self._alive()
        return list(self._files)

    def size(self, name: str) -> int:
        return len(self._file(name).visible)

    def read(self, name: str, offset: int, size: int) -> bytes:
        file = self._file(name)
        assert size <= max(64, len(file.visible)), "more was asked for than the file holds"
        self.largest_read = max(self.largest_read, size)
        return bytes(file.visible[offset : offset + size])

    def create(self, name: str) -> "SimulatedHandle":
        self._step("create", name)
        file = File()
        self._rename({name: file})
        return SimulatedHandle(self, name, file)

    def open_append(self, name: str) -> "SimulatedHandle":
        self._step("open", name)
        return SimulatedHandle(self, name, self._file(name))

    def rename(self, name: str, target: str) -> None:
        file = self._file(name)
        self._step("rename", name, target)
        self._rename({name: None, target: file})

    def unlink(self, name: str) -> None:
        self._file(name)
        self._step("unlink", name)
        self._rename({name: None})

    def sync_directory(self) -> None:
        self.pause("sync directory")
        self._step("sync directory", "")
        for change in self._changes:
            _apply_names(self._durable, change)
        self._changes.clear()

    # What tests use.

    def crash(self, **later: Any) -> "SimulatedDisk":
        """The disk after a power loss; this one is dead. `later` goes to the new one."""
        after = SimulatedDisk(self.chance.getrandbits(32), **later)
        names = dict(self._durable)
        mood = self.chance.random()
        for change in self._changes:
            if mood < 0.25 or (mood < 0.75 and self.chance.random() < 0.5):
                _apply_names(names, change)
        for name in sorted(names):
            after.put(name, names[name].survive(self.chance))
        self._dead = True
        return after

    def kill(self, **later: Any) -> "SimulatedDisk":
        """The disk after the process was killed: the system still has every byte."""
        after = SimulatedDisk(self.chance.getrandbits(32), **later)
        for name, file in self._files.items():
            copy = File(bytes(file.durable))
            copy.visible, copy.changes = bytearray(file.visible), list(file.changes)
            after._files[name] = copy
        matches = {file: after._files[name] for name, file in self._files.items()}
        for name, file in self._durable.items():
            after._durable[name] = matches.setdefault(file, file)
        after._changes = [
            {name: file and matches.setdefault(file, file) for name, file in change.items()}
            for change in self._changes
        ]
        self._dead = True
        return after

    def power_off(self) -> None:
        """From now on nothing can be done with it; `crash` or `kill` gives what comes after."""
        self._dead = True

    def put(self, name: str, data: bytes) -> None:
        """Have a file there, durable, without counting it as an operation."""
        self._files[name] = self._durable[name] = File(data)

    def get(self, name: str) -> bytes:
        """A file's bytes."""
        return bytes(self._files[name].visible)

    def content(self) -> dict[str, bytes]:
        """All files, as read."""
        return {name: bytes(file.visible) for name, file in self._files.items()}

    def copy(self, **later: Any) -> "SimulatedDisk":
        """A disk with the same files, all durable."""
        twin = SimulatedDisk(0, **later)
        for name, data in self.content().items():
            twin.put(name, data)
        return twin

    def _alive(self) -> None:
        if self._dead:
            raise PowerLoss

    def _file(self, name: str) -> File:
        self._alive()
        if name not in self._files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return self._files[name]

    def _rename(self, change: dict[str, File | None]) -> None:
        self._changes.append(change)
        _apply_names(self._files, change)

    def _step(self, kind: str, *about: Any) -> None:
        """Count and trace an operation; stop or fail if this is the one."""
        self._alive()
        index, self.operations = self.operations, self.operations + 1
        self.trace.append((kind, *about))
        if index == self.stop_at:
            self.power_off()
            raise PowerLoss
        code = self.fail_at.get(index)
        if self.fail_from is not None and index >= self.fail_from[0]:
            code = self.fail_from[1]
        if code is not None:
            self.failures.append(kind)
            raise OSError(code, os.strerror(code))


def _apply_names(names: dict[str, File], change: dict[str, File | None]) -> None:
    """Do one change of names, all of it."""
    for name, file in change.items():
        if file is None:
            names.pop(name, None)
        else:
            names[name] = file


class SimulatedHandle:
    """A file of a `SimulatedDisk`, open for appending."""

    def __init__(self, disk: SimulatedDisk, name: str, file: File) -> None:
        self._disk = disk
        self._name = name
        self._file = file
        self._closed = False

    def write(self, buffers: Sequence[Buffer]) -> None:
        self._open()
        data = b"".join(buffers)
        self._disk.pause("write")
        try:
            self._disk._step("write", self._name, len(data))
        except (PowerLoss, OSError):
            part = data[: self._disk.chance.randint(0, len(data))]
            if part:
                self._file.write(part)
            raise
        self._file.write(data)

    def begin_sync(self, start: int, size: int) -> None:
        self._open()

    def sync(self) -> None:
        self._open()
        made = self._file.made
        self._disk.pause("sync")
        try:
            self._disk._step("sync", self._name)
        except OSError:
            self._file.fail_sync(self._disk.chance)
            raise
        self._file.sync(made)

    def truncate(self, size: int) -> None:
        self._open()
        self._disk._step("truncate", self._name, size)
        self._file.truncate(size)

    def close(self) -> None:
        self._closed = True

    def _open(self) -> None:
        self._disk._alive()
        assert not self._closed, self._name
