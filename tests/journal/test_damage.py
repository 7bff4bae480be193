"""Damaged files: detected, refused or repaired from the older snapshot; never a silent wrong value."""

import random
from collections.abc import Iterator

import pytest

from synap.journal import Damage, check, recover
from synap.journal.formats import GROUP_MAGIC, HEADER_BYTES, snapshot_name
from tests.journal.nodes import NODE, Ledger, Node, frame
from tests.simulation.disk import SimulatedDisk


def history(disk: SimulatedDisk, *, clean: bool, snapshots: int = 2, segment: int = 2000) -> Ledger:
    """A small directory: `snapshots` snapshots, several segments, all synced but one group."""
    chance, ledger = random.Random(3), Ledger()
    node = Node(disk, ledger, segment=segment)
    for turn in range(9):
        node.write(chance, 1)
        node.sync()
        if turn in (2, 5)[:snapshots]:
            node.snapshot()
    node.write(chance, 2)
    if clean:
        node.stop()
    return ledger


def read(disk: SimulatedDisk) -> tuple[Node, Ledger]:
    """Recover, whatever comes."""
    ledger = Ledger()
    ledger.judge = lambda node: None  # type: ignore[method-assign]
    return Node(disk, ledger), ledger


def flips(every_bit: bool) -> Iterator[tuple[bool, str, int, int]]:
    for clean in (False, True):
        disk = SimulatedDisk()
        history(disk, clean=clean)
        for name, data in sorted(disk.content().items()):
            for offset in range(len(data)):
                bits = range(8) if every_bit else ((offset * 5 + 3) % 8,)
                for bit in bits:
                    yield clean, name, offset, bit


def flip_all(every_bit: bool) -> dict[str, int]:
    whole = {}
    for clean in (False, True):
        disk = SimulatedDisk()
        ledger = history(disk, clean=clean)
        whole[clean] = disk.content(), ledger
    outcomes = dict.fromkeys(("refused", "repaired", "same", "cut"), 0)
    for clean, name, offset, bit in flips(every_bit):
        content, ledger = whole[clean]
        disk = SimulatedDisk()
        for other, data in content.items():
            disk.put(other, data)
        damaged = bytearray(content[name])
        damaged[offset] ^= 1 << bit
        disk.put(name, bytes(damaged))
        before = disk.content()
        try:
            node, _ = read(disk)
        except Damage as damage:
            assert disk.content() == before, "a refusal changes nothing"
            assert damage.name in before and 0 <= damage.offset <= len(before[damage.name])
            outcomes["refused"] += 1
            continue
        recovery = node.recovery
        assert node.state == ledger.state(node.seq), (clean, name, offset, bit)
        if node.seq < len(ledger.offered):
            # Only the last group was promised by nothing.
            assert recovery.cut_bytes and not clean and node.seq == len(ledger.offered) - 2
            outcomes["cut"] += 1
        elif any("snapshot skipped" in note for note in recovery.notes):
            assert name.startswith("snapshot-") and name + ".broken" in disk.names()
            outcomes["repaired"] += 1
        else:  # a file that is not needed, or the mark of the clean stop
            needed = {snapshot_name(recovery.snapshot_seq), *recovery._segments}
            old = name != max(before) and name not in needed
            assert old or recovery.cut_bytes == HEADER_BYTES, (clean, name, offset, bit)
            outcomes["same"] += 1
    return outcomes


def test_a_flip_in_every_byte() -> None:
    outcomes = flip_all(False)
    assert min(outcomes.values()) > 50, outcomes


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_every_flip() -> None:
    outcomes = flip_all(True)
    assert sum(outcomes.values()) > 50_000, outcomes


def test_check_sees_every_flip() -> None:
    whole = {}
    for clean in (False, True):
        disk = SimulatedDisk()
        history(disk, clean=clean)
        whole[clean] = disk.content()
    for clean, name, offset, bit in list(flips(False))[::7]:
        disk = SimulatedDisk()
        for other, data in whole[clean].items():
            disk.put(other, data)
        damaged = bytearray(disk.get(name))
        damaged[offset] ^= 1 << bit
        disk.put(name, bytes(damaged))
        before = disk.content()
        report = check(disk)
        assert report.damage or report.cut_bytes or any(file.fault for file in report.files)
        assert disk.content() == before


def test_torn_at_every_byte() -> None:
    disk = SimulatedDisk()
    ledger = history(disk, clean=False, snapshots=0, segment=1 << 20)
    (name,) = disk.names()
    data = disk.get(name)
    seqs = set()
    for size in range(HEADER_BYTES, len(data)):
        torn = SimulatedDisk()
        torn.put(name, data[:size])
        node, own = read(torn)
        assert node.state == ledger.state(node.seq)
        assert node.recovery.cut_bytes == (size - node.recovery.cut_offset if node.recovery.cut_bytes else 0)
        assert not node.recovery.clean and node.log.epoch == 2
        seqs.add(node.seq)
        own.offered[:] = ledger.offered[: node.seq]
        node.write(random.Random(size))
        node.sync()
        again, _ = read(torn.crash())
        assert again.state == node.state and again.log.epoch == 3
    assert seqs == set(range(10))  # the last group holds two


def test_a_torn_file_header_is_damage() -> None:
    """No file has its name before its header is on disk."""
    for size in range(HEADER_BYTES):
        disk = SimulatedDisk()
        history(disk, clean=False, snapshots=0, segment=1 << 20)
        (name,) = disk.names()
        disk.put(name, disk.get(name)[:size])
        with pytest.raises(Damage):
            read(disk)


def test_a_missing_file_is_damage() -> None:
    whole = SimulatedDisk()
    ledger = history(whole, clean=True)
    names = sorted(whole.names())
    logs = [name for name in names if name.startswith("log-")]
    needed = recover(whole)._segments
    assert len(logs) > len(needed) > 1
    for name in names:
        disk = whole.copy()
        disk.unlink(name)
        if name in needed[:-1]:
            with pytest.raises(Damage):
                read(disk)
            continue
        node, _ = read(disk)
        assert node.state == ledger.state(node.seq)
        if name != needed[-1]:  # the end of the log is known to nobody else
            assert node.seq == len(ledger.offered)
    empty = whole.copy()
    for name in logs:
        empty.unlink(name)
    with pytest.raises(Damage, match="no log"):
        recover(empty)
    alone = recover(empty, log_required=False)
    assert list(alone.groups()) == [] and alone.seq == alone.snapshot_seq > 0


def test_both_snapshots_broken() -> None:
    disk = SimulatedDisk()
    history(disk, clean=True, segment=200)
    for name in disk.names():
        if name.startswith("snapshot-"):
            disk.put(name, disk.get(name)[:-1])
    with pytest.raises(Damage, match="snapshot"):
        read(disk)


def test_one_snapshot_falls_back_on_nothing() -> None:
    disk = SimulatedDisk()
    ledger = history(disk, clean=True, snapshots=1)
    (name,) = (name for name in disk.names() if name.startswith("snapshot-"))
    disk.put(name, b"")
    node, _ = read(disk)
    assert node.recovery.snapshot is None and node.state == ledger.state(len(ledger.offered))


def test_a_broken_snapshot_ahead_of_the_log() -> None:
    """What a finished snapshot held was promised, even if the log never got there."""
    disk, chance = SimulatedDisk(), random.Random(1)
    node = Node(disk, Ledger())
    for _ in range(3):
        node.write(chance, 1)
    size = len(disk.get(node.log.segment_name))
    node.write(chance, 1)
    node.snapshot()
    disk.put(node.log.segment_name, disk.get(node.log.segment_name)[:size])
    behind, _ = read(disk.copy())
    assert behind.seq == 4 and "the snapshot is ahead of the log" in behind.recovery.notes
    name = f"snapshot-{4:016x}.synap"
    disk.put(name, disk.get(name)[:-8])
    with pytest.raises(Damage, match="snapshot"):
        read(disk)


def test_bytes_behind_a_clean_stop_are_damage() -> None:
    for tail in (b"\0", bytes(8), bytes(4096), b"SGRP"):
        disk = SimulatedDisk()
        history(disk, clean=True)
        name = max(name for name in disk.names() if name.startswith("log-"))
        disk.put(name, disk.get(name) + tail)
        with pytest.raises(Damage, match="after the end"):
            read(disk)


def test_a_segment_with_a_successor_is_whole() -> None:
    """Nothing is torn there: it was synced before its successor appeared."""
    disk = SimulatedDisk()
    history(disk, clean=False, snapshots=0, segment=500)
    name = sorted(disk.names())[-2]
    whole = disk.get(name)
    disk.put(name, whole + bytes(8))  # behind the place where its successor goes on: not read
    assert check(disk).ok
    disk.put(name, whole[:-8])
    with pytest.raises(Damage, match="cut off") as caught:
        read(disk)
    assert caught.value.name == name and 0 < caught.value.offset < len(whole) - 8


def test_garbage_behind_a_kill_is_cut() -> None:
    for tail in (b"\0", bytes(8), bytes(70_000), b"SGRP" * 40, GROUP_MAGIC.to_bytes(8, "little") * 50):
        disk = SimulatedDisk()
        ledger = history(disk, clean=False)
        name = max(name for name in disk.names() if name.startswith("log-"))
        size = len(disk.get(name))
        disk.put(name, disk.get(name) + tail)
        node, _ = read(disk)
        assert node.seq == len(ledger.offered) and node.recovery.cut_bytes == len(tail)
        assert len(disk.get(name)) == size


def test_a_log_inside_a_value_promises_nothing() -> None:
    """A user stores this log's own bytes, and the group that holds them is torn."""
    disk, chance = SimulatedDisk(), random.Random(1)
    node = Node(disk, Ledger())
    for _ in range(5):
        node.write(chance, 1)
        node.sync()
    other = SimulatedDisk()
    recovery = recover(other)
    assert list(recovery.groups()) == []
    foreign = recovery.begin_log(bytes(16))
    for seq in range(1, 10):
        foreign.append((frame(seq, 0, 1, b""),), seq, 1, 0)
        foreign.sync()
    for copy in (disk.get(node.log.segment_name), other.get(foreign.segment_name)):
        torn = disk.copy()
        blob = copy if len(copy) % 8 == 0 else copy.ljust(-(-len(copy) // 8) * 8, b"\0")
        torn.put(node.log.segment_name, disk.get(node.log.segment_name) + bytes(64) + blob)
        again, _ = read(torn)
        assert again.seq == 5 and again.recovery.cut_bytes == 64 + len(blob)


def test_a_directory_is_of_one_node() -> None:
    disk, other = SimulatedDisk(), SimulatedDisk()
    history(disk, clean=False, snapshots=0, segment=200)
    assert recover(disk).node_id is None  # no file was opened yet
    recovery = recover(other)
    assert list(recovery.groups()) == []
    log = recovery.begin_log(bytes(16))
    log.append((frame(1, 0, 1, b""),), 1, 1, 0)
    disk.put(log.segment_name, other.get(log.segment_name))
    with pytest.raises(Damage, match=f"belongs to node {NODE.hex()}"):
        list(recover(disk).groups())
