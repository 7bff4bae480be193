"""Every crash point of one workload, with every order in which the disk may have done what was not yet synced.

    prefix    the power goes before the operation with this number; a write may have begun
    window    of the changes that wait for a sync, in the order they were made: all before the window are on the
              disk, none behind it, and of the up to three within it any subset; the last write also in part

So each state that a disk may leave which lets a change pass at most two others is tried, one after the other,
not drawn. After each the node starts, holds what was promised and a prefix of what was offered, and goes on.
"""

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest

from synap.journal import Damage
from tests.journal.nodes import Ledger, Node
from tests.simulation.disk import SECTOR_BYTES, File, PowerLoss, SimulatedDisk, SimulatedHandle

WINDOW = 3
Change = tuple[int, File | None, int]
"""(number of the operation, the file or None for names, which of the changes that wait there)."""


class OrderedDisk(SimulatedDisk):
    """A disk that knows in which order the changes were made that wait for a sync."""

    def __init__(self, seed: int = 0, **given: Any) -> None:
        super().__init__(seed, **given)
        self._known: dict[int, tuple[File, list[int]]] = {}  # by id: when each change was made, from the first on
        self._named: list[int] = []

    def _step(self, kind: str, *about: Any) -> None:
        self._look()
        super()._step(kind, *about)

    def _look(self) -> None:
        for file in self._files.values():
            _, when = self._known.setdefault(id(file), (file, []))
            when.extend([self.operations] * (file.made - len(when)))

    def _rename(self, change: dict[str, File | None]) -> None:
        super()._rename(change)
        self._named.append(self.operations)

    def sync_directory(self) -> None:
        super().sync_directory()
        self._named.clear()

    def waiting(self) -> list[Change]:
        """The changes that no sync has covered, the oldest first."""
        self._look()
        found: list[Change] = [(when, None, i) for i, when in enumerate(self._named)]
        for file, when in self._known.values():
            found += [(when[file.synced + i], file, i) for i in range(len(file.changes))]
        return sorted(found, key=lambda change: change[0])

    def left(self, done: list[Change], torn: bool) -> SimulatedDisk:
        """The disk on which only these changes have happened; the last write only up to a sector's end."""
        contents = {id(file): bytearray(file.durable) for file, _ in self._known.values()}
        names = dict(self._durable)
        for number, (_, file, which) in enumerate(done):
            if file is None:
                for name, target in self._changes[which].items():
                    if target is None:
                        names.pop(name, None)
                    else:
                        names[name] = target
                continue
            offset, data = file.changes[which]
            content = contents[id(file)]
            if data is None:
                del content[offset:]
                continue
            if torn and number == len(done) - 1:
                data = data[: max(0, (offset + len(data) // 2) // SECTOR_BYTES * SECTOR_BYTES - offset)]
            content += bytes(max(0, offset - len(content)))
            content[offset : offset + len(data)] = data
        after = SimulatedDisk(0)
        for name, file in names.items():
            after.put(name, bytes(contents.get(id(file), file.durable)))
        return after

    def states(self) -> Iterator[SimulatedDisk]:
        """Every disk that may be found, each once."""
        waiting, seen = self.waiting(), set()
        for start in range(max(1, len(waiting) - WINDOW + 1)):
            window = waiting[start : start + WINDOW]
            for chosen in itertools.product((False, True), repeat=len(window)):
                done = waiting[:start] + [each for each, there in zip(window, chosen, strict=True) if there]
                for torn in (False, True):
                    disk = self.left(done, torn)
                    key = tuple(sorted(disk.content().items()))
                    if key not in seen:
                        seen.add(key)
                        yield disk


def workload(disk: SimulatedDisk, ledger: Ledger, each: int, turns: int) -> None:
    """Writes with a sync every `each` turns, new segments, snapshots with trims, a clean stop and a restart."""
    chance = random.Random(each)
    mode = "always" if each == 1 else "periodic"
    node = Node(disk, ledger, mode=mode, segment=1500)
    for turn in range(turns):
        node.write(chance)
        if turn % each == each - 1:
            node.sync()
        if turn % 9 == 8:
            node.snapshot()
    node.stop()
    node = Node(disk, ledger, mode=mode, segment=1500)
    for turn in range(turns // 4):
        node.write(chance)
        if turn % each == each - 1:
            node.sync()
    node.snapshot()
    node.write(chance)


def check(disk: SimulatedDisk, ledger: Ledger) -> None:
    """It starts; what it writes then survives another loss of power; the second start finds what the first had."""
    twin = Ledger()
    twin.offered, twin.promised, twin.epoch = list(ledger.offered), ledger.promised, ledger.epoch
    node = Node(disk, twin, segment=1500)  # judged by the ledger
    again = Node(disk.crash(), twin, segment=1500)
    assert (again.seq, again.state) == (node.seq, node.state)
    again.write(random.Random(1), 2)
    again.sync()
    assert Node(again.disk.crash(), twin).seq == again.seq  # type: ignore[attr-defined]


def every_order(each: int, turns: int) -> tuple[int, int]:
    """(crash points, states tried)."""
    whole = OrderedDisk(0)
    workload(whole, Ledger(), each, turns)
    states = 0
    for stop_at in range(whole.operations + 1):
        ledger, disk = Ledger(), OrderedDisk(0, stop_at=stop_at)
        try:
            workload(disk, ledger, each, turns)
        except PowerLoss:
            pass
        for state in disk.states():
            try:
                check(state, ledger)
            except BaseException as error:
                error.add_note(f"sync every {each} turns, power lost at operation {stop_at}, state {states}")
                raise
            states += 1
    return whole.operations + 1, states


@pytest.mark.parametrize("each", [1, 3])
def test_every_order(each: int) -> None:
    points, states = every_order(each, 18)
    assert points > 60 and states > 2 * points, (points, states)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("each", [1, 2, 3, 5, 8, 13])
def test_every_order_campaign(each: int) -> None:
    points, states = every_order(each, 200)
    print(f"sync every {each} turns: {points} crash points, {states} states")
    assert points > 400 and states > 3000, (points, states)


def test_a_log_that_syncs_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a sync that reports success and does nothing loses what was promised in one of the orders."""
    monkeypatch.setattr(SimulatedHandle, "sync", lambda self: self._disk._step("sync", self._name))
    with pytest.raises((AssertionError, Damage)) as caught:
        every_order(1, 18)
    assert "power lost at operation" in caught.value.__notes__[0]
