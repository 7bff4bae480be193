"""The writer: groups, promises, segments, and syncs beside it."""

import random
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from synap.journal import Log, LogFailed, recover
from synap.journal.disk_port import Buffer, Handle
from synap.journal.logs import SYNCS_MAX
from synap.journal.segments import READ_BYTES
from tests.journal.nodes import NODE, Ledger, Node, frame, frames
from tests.simulation.disk import SimulatedDisk


def begin(disk: Any, segment: int = 1 << 20) -> Log:
    recovery = recover(disk)
    for _ in recovery.groups():
        pass
    return recovery.begin_log(NODE, segment)


def test_roundtrip() -> None:
    disk = SimulatedDisk()
    node, chance = Node(disk, Ledger(), segment=5000), random.Random(1)
    for _ in range(100):
        node.write(chance)
    node.stop()
    again = Node(disk, node.ledger)
    assert again.state == node.state and again.recovery.group_count == 100 + 1
    assert again.recovery.clean and again.recovery.epoch == 1 and again.recovery.notes == []
    assert len([name for name in disk.names() if name.startswith("log-")]) > 10


def test_buffers_of_every_kind_are_one_group() -> None:
    disk = SimulatedDisk()
    log = begin(disk)
    big = frame(2, 5, 1, bytes(range(256)) * 64)
    log.append([frame(1, 5, 0, b""), memoryview(big)[:64], bytearray(big[64:])], 1, 2, 5)
    recovery = recover(disk)
    ((payload, first, count, epoch, now),) = recovery.groups()
    assert bytes(payload) == frame(1, 5, 0, b"") + big and (first, count, epoch, now) == (1, 2, 1, 5)
    assert [seq for seq, *_ in frames(payload)] == [1, 2]


def test_groups_larger_than_a_read() -> None:
    disk = SimulatedDisk()
    log = begin(disk, 1 << 30)
    sizes = [READ_BYTES + 8, 8, READ_BYTES - 64 - 80, 16, 3 * READ_BYTES, 24, READ_BYTES // 2] * 2
    for seq, size in enumerate(sizes, 1):
        log.append((frame(seq, seq, 0, bytes([seq]) * size),), seq, 1, seq)
    log.stop()
    seen = 0
    for payload, first, *_ in recover(disk).groups():
        assert bytes(payload) == frame(first, first, 0, bytes([first]) * sizes[first - 1])
        seen += 1
    assert seen == len(sizes) and disk.largest_read <= 3 * READ_BYTES + 4096


def test_a_snapshot_inside_a_group() -> None:
    """The snapshot may stand between two frames of one group; only what is behind it is given."""
    disk, chance = SimulatedDisk(), random.Random(1)
    node = Node(disk, Ledger())
    node.write(chance, 3)
    node.snapshot()
    node.seq = 3
    node.write(chance, 5)
    whole = dict(node.state)
    node.state, node.seq = node.ledger.state(5), 5
    node.snapshot()
    again = Node(disk, node.ledger)
    assert again.recovery.snapshot_seq == 5 and again.seq == 8 and again.state == whole


def test_epochs() -> None:
    disk = SimulatedDisk()
    log = begin(disk)
    assert log.epoch == 1
    log.append((frame(1, 1, 0, b""),), 1, 1, 1)
    log.stop()
    log = begin(disk)
    assert log.epoch == 1  # after a clean stop: the same
    log.begin_epoch(7)  # promoted
    log.append((frame(2, 2, 0, b""),), 2, 1, 2)
    log = begin(disk.kill())
    assert log.epoch == 8  # after a kill: a new one, though nothing was cut
    disk = disk.kill()


def test_now_is_kept() -> None:
    disk = SimulatedDisk()
    log = begin(disk)
    log.append((frame(1, 1234, 0, b""),), 1, 1, 1234)
    log.stop()
    for _ in range(3):  # also through segments that hold no frame
        recovery = recover(disk)
        list(recovery.groups())
        assert recovery.now == 1234 and recovery.seq == 1
        recovery.begin_log(NODE).stop()
    assert len(disk.names()) == 2


class Gate:
    """A disk whose syncs of segments wait to be let through."""

    def __init__(self, disk: SimulatedDisk) -> None:
        self.disk = disk
        self.entered, self.leave = threading.Semaphore(0), threading.Semaphore(0)
        self.running = self.running_max = 0
        self.error: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.disk, name)

    def open_append(self, name: str) -> Handle:
        return GatedHandle(self, self.disk.open_append(name))


class GatedHandle:
    def __init__(self, gate: Gate, handle: Handle) -> None:
        self.gate, self.handle = gate, handle
        self.truncate, self.close = handle.truncate, handle.close

    def write(self, buffers: Sequence[Buffer]) -> None:
        self.handle.write(buffers)

    def sync(self) -> None:
        gate = self.gate
        gate.running += 1
        gate.running_max = max(gate.running_max, gate.running)
        gate.entered.release()
        assert gate.leave.acquire(timeout=10)
        gate.running -= 1
        if gate.error is not None:
            raise gate.error
        self.handle.sync()


def in_thread(log: Log, results: list[object]) -> threading.Thread:
    def run() -> None:
        try:
            results.append(log.sync())
        except LogFailed as failure:
            results.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_sync_promises_what_was_written_before_it() -> None:
    gate = Gate(SimulatedDisk())
    log = begin(gate)
    log.append((frame(1, 0, 0, b""),), 1, 1, 0)
    results: list[object] = []
    first = in_thread(log, results)
    assert gate.entered.acquire(timeout=10)
    log.append((frame(2, 0, 0, b""),), 2, 1, 0)
    second = in_thread(log, results)
    assert gate.entered.acquire(timeout=10)  # it covers more than the first, and does not wait for it
    third = in_thread(log, results)
    assert log.written_seq == 2 and log.synced_seq == 0
    assert not gate.entered.acquire(timeout=0.05)  # what it wants is under way
    gate.leave.release()
    gate.leave.release()
    for thread in (first, second, third):
        thread.join()
    assert results.count(2) >= 2 and gate.running_max == 2 and log.syncs_done == 2


def test_a_later_sync_may_end_first() -> None:
    """Each answers for its own file; what the later one promises holds, and the earlier one takes nothing back."""
    gate = Gate(SimulatedDisk())
    log = begin(gate)
    results: list[object] = []
    threads = []
    for seq in range(1, SYNCS_MAX + 1):
        log.append((frame(seq, 0, 0, b""),), seq, 1, 0)
        threads.append(in_thread(log, results))
        assert gate.entered.acquire(timeout=10)
    log.append((frame(SYNCS_MAX + 1, 0, 0, b""),), SYNCS_MAX + 1, 1, 0)
    threads.append(in_thread(log, results))
    assert not gate.entered.acquire(timeout=0.05)  # as many as there are files for
    for _ in range(SYNCS_MAX + 1):
        gate.leave.release()
    for thread in threads:
        thread.join()
    assert log.synced_seq == SYNCS_MAX + 1 and gate.running_max == SYNCS_MAX
    assert all(isinstance(result, int) for result in results)


def test_a_full_segment_waits_for_its_syncs() -> None:
    """Its successor appears when all of it is on the disk; a sync that runs keeps its file until then."""
    gate = Gate(SimulatedDisk())
    log = begin(gate, 100)
    log.append((frame(1, 0, 0, bytes(200)),), 1, 1, 0)
    results: list[object] = []
    thread = in_thread(log, results)
    assert gate.entered.acquire(timeout=10)
    appender = threading.Thread(target=lambda: log.append((frame(2, 0, 0, b""),), 2, 1, 0))
    appender.start()
    assert not gate.entered.acquire(timeout=0.05)
    gate.leave.release()
    thread.join()
    assert results == [1]
    assert gate.entered.acquire(timeout=10)  # the segment's last sync
    gate.leave.release()
    appender.join(timeout=10)
    assert log.synced_seq == 1 and log.written_seq == 2


def test_a_failed_sync_fails_those_who_wait() -> None:
    """The system reports a lost write once: the second must not be told that all is well."""
    gate = Gate(SimulatedDisk())
    log = begin(gate)
    log.append((frame(1, 0, 0, b""),), 1, 1, 0)
    results: list[object] = []
    threads = [in_thread(log, results), in_thread(log, results)]
    assert gate.entered.acquire(timeout=10)
    gate.error = OSError(5, "refused")
    gate.leave.release()
    for thread in threads:
        thread.join()
    assert [type(result) for result in results] == [LogFailed, LogFailed] and log.synced_seq == 0


def test_a_write_refused_during_a_sync() -> None:
    disk = SimulatedDisk()
    gate = Gate(disk)
    log = begin(gate)
    log.append((frame(1, 0, 0, b""),), 1, 1, 0)
    results: list[object] = []
    thread = in_thread(log, results)
    assert gate.entered.acquire(timeout=10)
    disk.fail_at = {disk.operations: 28}
    with pytest.raises(LogFailed):
        log.append((frame(2, 0, 0, b""),), 2, 1, 0)
    gate.leave.release()
    thread.join()
    assert isinstance(results[0], LogFailed)


def test_many_threads_sync_while_one_appends() -> None:
    disk = SimulatedDisk()
    log = begin(disk, 4000)
    stop, errors = threading.Event(), []

    def syncer() -> None:
        try:
            while not stop.is_set():
                written = log.written_seq
                assert log.sync() >= written
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=syncer) for _ in range(3)]
    for thread in threads:
        thread.start()
    for seq in range(1, 3001):
        log.append((frame(seq, seq, 0, b"x" * (seq % 50)),), seq, 1, seq)
    stop.set()
    for thread in threads:
        thread.join()
    log.stop()
    assert not errors
    recovery = recover(disk.crash())
    assert sum(group[2] for group in recovery.groups()) == 3000 and recovery.clean


def test_our_mistakes_are_asserted() -> None:
    disk = SimulatedDisk()
    log = begin(disk)
    with pytest.raises(AssertionError):
        log.append((bytes(48),), 2, 1, 0)
    with pytest.raises(AssertionError):
        log.append((bytes(48),), 1, 0, 0)
    with pytest.raises(AssertionError):
        log.append((bytes(47),), 1, 1, 0)
    with pytest.raises(AssertionError):
        recover(disk).begin_log(NODE)
    log.stop()
    with pytest.raises(AssertionError):
        log.stop()
