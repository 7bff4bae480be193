"""A disk that refuses: nothing refused is promised, and nothing promised is lost when it is mended."""

import errno
import random

import pytest

from synap.journal import Damage, LogFailed, recover
from tests.journal.nodes import Ledger, Node
from tests.simulation.disk import SimulatedDisk


def life(disk: SimulatedDisk, ledger: Ledger, mode: str) -> int:
    """A fixed workload that mends what fails; how often it had to."""
    chance, mended = random.Random(11), 0
    node: Node | None = None
    for turn in range(22):
        if node is None:
            try:
                node = Node(disk, ledger, mode=mode, segment=1200)
            except OSError:
                disk.fail_from = None
                mended += 1
                node = Node(disk, ledger, mode=mode, segment=1200)
        try:
            node.write(chance, 1)
            if mode == "always" or turn % 4 == 3:
                node.sync()
            if turn % 9 == 8:
                node.snapshot()
            if turn == 15:
                node.stop()
                node = None
        except LogFailed as failure:
            mended += 1
            assert mode != "always" or failure.first_seq > ledger.promised
            if turn == 15 and node is not None and node.log._handle is None:
                node = None
                continue
            assert node is not None
            mend(node, disk)
        except (OSError, Damage):  # the snapshot was refused; the log is as before
            mended += 1
            disk.fail_from = None
    return mended


def mend(node: Node, disk: SimulatedDisk) -> None:
    """Refused as long as the disk is, then writable."""
    for attempt in range(3):
        with pytest.raises(LogFailed):
            node.log.sync()
        if attempt == 1:
            disk.fail_from = None
        try:
            node.mend()
            return
        except (OSError, LogFailed):
            continue
    raise AssertionError("not writable again")


@pytest.mark.parametrize("mode", ["always", "periodic"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("lasting", [False, True])
def test_refused_at_every_operation(mode: str, code: int, lasting: bool) -> None:
    whole = SimulatedDisk(0)
    life(whole, Ledger(), mode)
    seen = set()
    for index in range(whole.operations):
        ledger = Ledger()
        how = {"fail_from": (index, code)} if lasting else {"fail_at": {index: code}}
        disk = SimulatedDisk(index, **how)
        mended = life(disk, ledger, mode)
        assert mended or disk.failures, index
        seen.update(disk.failures[:1])
        for variant in range(3):
            after = disk.kill().crash() if variant else disk.crash()
            twin = Ledger()
            twin.offered, twin.promised = list(ledger.offered), ledger.promised
            Node(after, twin)
            disk = disk.kill()
    assert seen >= {"create", "open", "write", "sync", "rename", "unlink", "sync directory"}


def test_a_failed_sync_is_not_retried() -> None:
    """The next fdatasync would succeed over the loss: nobody may ask it."""
    disk = SimulatedDisk(1)
    node, chance = Node(disk, Ledger()), random.Random(1)
    node.write(chance, 1)
    disk.fail_at = {disk.operations: errno.EIO}
    with pytest.raises(LogFailed) as caught:
        node.sync()
    assert (caught.value.first_seq, caught.value.last_seq) == (1, 1)
    operations = disk.operations
    with pytest.raises(LogFailed):
        node.sync()
    with pytest.raises(LogFailed) as caught:
        node.write(chance, 2)
    assert (caught.value.first_seq, caught.value.last_seq) == (1, 3)
    assert disk.operations == operations
    assert node.log.failed is not None and node.log.synced_seq == 0


def test_a_refused_write_is_cut_off() -> None:
    for seed in range(20):
        disk, chance = SimulatedDisk(seed), random.Random(seed)
        node = Node(disk, Ledger())
        node.write(chance, 1)
        size = len(disk.get(node.log.segment_name))
        disk.fail_at = {disk.operations: errno.ENOSPC}
        with pytest.raises(LogFailed) as caught:
            node.write(chance, 3)
        assert (caught.value.first_seq, caught.value.last_seq) == (1, 4)
        assert len(disk.get(node.log.segment_name)) == size
        found = recover(disk)
        assert sum(group[2] for group in found.groups()) == 1 and found.cut_bytes == 0


def test_a_write_that_cannot_be_cut_off() -> None:
    disk, chance = SimulatedDisk(3), random.Random(3)
    node = Node(disk, Ledger())
    node.write(chance, 1)
    disk.fail_from = (disk.operations, errno.EIO)
    with pytest.raises(LogFailed) as caught:
        node.write(chance, 3)
    cause = node.log.failed
    assert cause is caught.value and "could not be cut back" in cause.__notes__[0]
    disk.fail_from = None
    node.mend()
    node.write(chance, 1)
    node.sync()
    again = Node(disk.crash(), node.ledger)
    assert again.seq == 5 and again.state == node.state


def test_a_stop_that_fails_loses_nothing() -> None:
    """Only the last step may leave the mark behind: all before it is on disk then."""
    disk, chance = SimulatedDisk(5), random.Random(5)
    node = Node(disk, Ledger())
    node.write(chance, 1)
    start = disk.operations
    for index in range(3):  # sync, marker, sync
        twin = Node(SimulatedDisk(5), Ledger())
        own = twin.disk
        assert isinstance(own, SimulatedDisk)
        twin.write(random.Random(5), 1)
        assert own.operations == start
        own.fail_at = {start + index: errno.EIO}
        with pytest.raises(LogFailed):
            twin.stop()
        again = Node(own.kill(), twin.ledger)
        assert again.seq == 1 and again.recovery.clean == (index == 2)
