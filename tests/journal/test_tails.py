"""The end of an unclean log is written again: what the system still shows may not be on the disk."""

import errno
import random

import pytest

from synap.journal import Damage, LogFailed, check, recover
from tests.journal.nodes import NODE, Ledger, Node
from tests.simulation.disk import PowerLoss, SimulatedDisk


def dropped(seed: int, synced: int = 3, unsynced: int = 8, segment: int = 100_000) -> tuple[SimulatedDisk, Ledger]:
    """The disk after a failed sync, a kill: all can be read, some of it is not on the disk and clean."""
    disk, ledger, chance = SimulatedDisk(seed), Ledger(), random.Random(seed)
    node = Node(disk, ledger, segment=segment)
    for _ in range(synced):
        node.write(chance)
        node.sync()
    for _ in range(unsynced):
        node.write(chance)
    disk.fail_at = {disk.operations: errno.EIO}
    with pytest.raises(LogFailed):
        node.sync()
    ledger.written = node.log.written_seq
    return disk.kill(), ledger


@pytest.mark.parametrize("synced", [0, 1, 5])
def test_what_a_failed_sync_dropped(synced: int) -> None:
    """The next life finds it, builds on it, and loses power: nothing acknowledged is gone, and it starts."""
    for seed in range(60):
        disk, ledger = dropped(seed, synced)
        node, chance = Node(disk, ledger), random.Random(seed)
        for _ in range(3):
            node.write(chance)
            node.sync()
        again = Node(disk.crash(), ledger)  # judged by the ledger
        assert again.seq == node.seq and again.state == node.state


@pytest.mark.parametrize("synced", [0, 4])
def test_every_crash_point_while_writing_again(synced: int) -> None:
    """A power loss may take what no sync promised, never more; a kill takes nothing."""
    disk, ledger = dropped(9, synced)
    Node(disk, ledger)
    seq, operations = len(ledger.offered), disk.operations
    assert operations > 10
    for stop_at in range(operations):
        for seed in range(12):
            disk, ledger = dropped(9, synced)
            promised = ledger.promised
            disk.chance.seed(seed)
            disk.stop_at = stop_at
            with pytest.raises(PowerLoss):
                Node(disk, ledger)
            assert Node(disk.kill(), ledger).seq == seq
            lost = Ledger()
            lost.offered, lost.promised = list(ledger.offered), promised
            try:
                node = Node(disk.crash(), lost)
            except Damage:
                pytest.fail(f"refused after operation {stop_at}, seed {seed}")
            node.write(random.Random(1), 2)
            node.sync()
            assert Node(node.disk.crash(), lost).seq == node.seq  # type: ignore[attr-defined]


@pytest.mark.parametrize("synced", [0, 4])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("lasting", [False, True])
def test_refused_while_writing_again(synced: int, code: int, lasting: bool) -> None:
    """The start fails with the system's own error, loses nothing, and leaves no half copy to fill the disk."""
    disk, ledger = dropped(9, synced)
    Node(disk, ledger)
    seq, operations = len(ledger.offered), disk.operations
    for index in range(operations):
        disk, ledger = dropped(9, synced)
        if lasting:
            disk.fail_from = (index, code)
        else:
            disk.fail_at = {index: code}
        try:
            Node(disk, ledger)
        except OSError as error:
            assert error.errno == code
            if disk.failures == ["write"]:
                assert not [name for name in disk.names() if name.endswith(".tmp") and disk.size(name) > 64]
        else:
            assert not disk.failures
        after = disk.kill()
        node = Node(after, ledger)
        assert node.seq == seq
        node.write(random.Random(1), 2)
        node.sync()
        assert Node(after.crash(), ledger).seq == node.seq


def test_a_stop_whose_last_sync_failed() -> None:
    """The mark of the clean end can be read and is not on the disk: nothing may hang on it."""
    for seed in range(40):
        disk, ledger, chance = SimulatedDisk(seed), Ledger(), random.Random(seed)
        node = Node(disk, ledger)
        node.write(chance)
        node.sync()
        disk.fail_at = {disk.operations + 2: errno.EIO}
        with pytest.raises(LogFailed):
            node.stop()
        node = Node(disk.kill(), ledger)
        node.write(chance)
        node.sync()
        assert Node(node.disk.crash(), ledger).seq == node.seq  # type: ignore[attr-defined]


def test_only_what_is_not_promised_is_written_again() -> None:
    """A node that syncs each group copies its last few, however long the segment is; a clean stop copies none."""
    disk, ledger, chance = SimulatedDisk(1), Ledger(), random.Random(1)
    node = Node(disk, ledger, segment=1 << 20)
    for _ in range(100):
        node.write(chance)
        node.sync()
    written = len(disk.get(node.log.segment_name))
    disk = disk.kill()
    node = Node(disk, ledger)
    copied = sum(entry[2] for entry in disk.trace if entry[0] == "write")
    assert 128 < copied < written // 10, (copied, written)
    assert check(disk).ok
    node.write(chance)
    node.stop()
    disk = disk.kill()
    Node(disk, ledger)
    assert [entry[2] for entry in disk.trace if entry[0] == "write"] == [64]


def test_what_cannot_be_read_twice_is_not_copied() -> None:
    """The system gave the pages away between the two readings: the start is refused, and the log is as before."""
    disk, _ = dropped(2, synced=2)
    found = recover(disk)
    for _ in found.groups():
        pass
    name = sorted(disk.names())[-1]
    data = bytearray(disk.get(name))
    data[-20] ^= 1
    disk.put(name, bytes(data))
    with pytest.raises(Damage, match="cannot be read again"):
        found.begin_log(NODE)
    assert disk.names() == [name]
    assert disk.get(name) == bytes(data)
