"""Snapshots: complete or not there, whatever their chunks look like; and what trimming leaves."""

import random
from struct import pack

import lz4.block
import pytest

from synap.journal import Damage, SnapshotFile, SnapshotWriter, check, recover, trim, wipe
from synap.journal.formats import CHUNK_BYTES, CHUNK_BYTES_MAX, COMPRESSED, inflate, name_seqs
from synap.journal.segments import GroupFile
from tests.journal.nodes import NODE, Ledger, Node, frame, frames
from tests.simulation.disk import SimulatedDisk


def write(disk: SimulatedDisk, blobs: list[bytes]) -> SnapshotFile:
    writer = SnapshotWriter(disk, NODE, epoch=3, seq=77, now=88)
    for index, blob in enumerate(blobs):
        writer.add(memoryview(bytearray(frame(index, 1, 0, blob))), 1)
    return SnapshotFile(disk, writer.finish())


@pytest.mark.parametrize("seed", range(12))
def test_roundtrip(seed: int) -> None:
    chance = random.Random(seed)
    sizes = [chance.choice((0, 100, 5000, CHUNK_BYTES // 2, CHUNK_BYTES, 3 * CHUNK_BYTES)) for _ in range(12)]
    blobs = [chance.randbytes(size) if size % 3 else bytes(size) for size in sizes[: seed + 1]]
    disk = SimulatedDisk()
    file = write(disk, blobs)
    header = file.header
    assert (header.epoch, header.seq, header.now, header.node_id) == (3, 77, 88, NODE)
    found = [blob for payload in file.payloads() for *_, blob in frames(payload)]
    assert [blob[: len(want)] for blob, want in zip(found, blobs, strict=True)] == blobs
    assert file.frame_count == len(blobs) and disk.names() == [file.name]


def test_an_empty_snapshot_is_a_snapshot() -> None:
    disk = SimulatedDisk()
    assert list(write(disk, []).payloads()) == []


def test_cut_anywhere_it_is_broken() -> None:
    disk = SimulatedDisk()
    file = write(disk, [b"abc", random.Random(1).randbytes(200)])
    data = disk.get(file.name)
    for size in range(len(data)):
        disk.put(file.name, data[:size])
        with pytest.raises(Damage):
            SnapshotFile(disk, file.name).verify()
    for tail in (b"\0", data[64:]):
        disk.put(file.name, data + tail)
        with pytest.raises(Damage, match="after the end"):
            SnapshotFile(disk, file.name).verify()


def test_a_hostile_size_is_not_believed() -> None:
    packed = lz4.block.compress(bytes(100_000), store_size=True)
    assert bytes(inflate(memoryview(packed)) or b"") == bytes(100_000)
    for size in (0, 1, 99_999, 100_001, 1 << 20, CHUNK_BYTES_MAX, CHUNK_BYTES_MAX + 1, 2**32 - 1):
        assert inflate(memoryview(pack("<I", size) + packed[4:])) is None, size
    for data in (b"", b"\1", b"\1\0\0\0", b"\5\0\0\0\xff\xff"):
        assert inflate(memoryview(data)) is None


def test_random_bytes_for_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even with a valid checksum, a chunk that does not unpack is a fault and no more."""
    chance = random.Random(5)
    from synap.journal import snapshots

    for _ in range(200):
        junk = pack("<I", chance.randrange(300)) + chance.randbytes(chance.randrange(40))
        monkeypatch.setattr(snapshots, "deflate", lambda payload, junk=junk: junk)
        disk = SimulatedDisk()
        writer = SnapshotWriter(disk, NODE, epoch=1, seq=1, now=1)
        writer.add(frame(1, 1, 1, bytes(200)), 1)
        with pytest.raises(Damage, match="cannot be decompressed"):
            writer.finish()
        assert disk.names() == []


def test_abort_leaves_nothing() -> None:
    disk = SimulatedDisk()
    writer = SnapshotWriter(disk, NODE, epoch=1, seq=1, now=1)
    writer.add(frame(1, 1, 1, b""), 1)
    writer.abort()
    assert disk.names() == []


def test_a_temporary_file_is_removed_at_the_next_start() -> None:
    disk, ledger = SimulatedDisk(), Ledger()
    node = Node(disk, ledger)
    SnapshotWriter(disk, NODE, epoch=1, seq=1, now=1)
    node.stop()
    assert len(disk.names()) == 2
    Node(disk, ledger)
    assert [name for name in disk.names() if name.endswith(".tmp")] == []


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_trim(kept: int) -> None:
    disk, ledger, chance = SimulatedDisk(), Ledger(), random.Random(kept)
    node = Node(disk, ledger, segment=500)
    for turn in range(60):
        node.write(chance)
        if turn % 10 == 9:
            node.snapshot(kept)
            snapshots, starts = name_seqs(disk.names(), "snapshot"), name_seqs(disk.names(), "log")
            assert len(snapshots) == min(kept, turn // 10 + 1)
            if len(snapshots) < kept:
                assert starts[0] == 1
            else:
                assert starts[0] <= snapshots[0] + 1 and (len(starts) == 1 or starts[1] > snapshots[0] + 1)
            report = check(disk)
            assert report.ok and report.seq == node.seq
            for seq in snapshots[1:]:  # every kept snapshot can stand in
                older = disk.copy()
                for broken in [at for at in snapshots if at >= seq]:
                    older.put(f"snapshot-{broken:016x}.synap", b"")
                again = Node(older, Ledger.__new__(_Silent))
                assert again.state == node.state and again.recovery.snapshot_seq < seq
    assert trim(disk, kept) == []


class _Silent(Ledger):
    def judge(self, node: Node) -> None:
        pass


def test_a_replica_starts_over() -> None:
    """Wiped, then a snapshot from elsewhere; its epoch is its master's, also after a kill."""
    disk, chance = SimulatedDisk(), random.Random(1)
    node = Node(disk, Ledger(), segment=500)
    for _ in range(20):
        node.write(chance)
    node.snapshot()
    wipe(disk)
    assert disk.crash().names() == []
    disk = SimulatedDisk()
    write(disk, [b"abc"])
    for _ in range(2):
        recovery = recover(disk, log_required=False)
        assert recovery.snapshot_seq == 77 and list(recovery.groups()) == []
        log = recovery.begin_log(bytes(16), keep_epoch=True)
        assert log.epoch == 3 and log.written_seq == 77 and log.node_id == NODE
        disk = disk.kill()


def test_compression_is_used_and_optional() -> None:
    disk = SimulatedDisk()
    small = write(disk, [bytes(100_000)])
    assert small.size < 2000
    large = write(disk, [random.Random(1).randbytes(100_000)])
    assert 100_000 < large.size < 100_400
    assert COMPRESSED == 2 and isinstance(large, GroupFile)


def test_check_reports_every_file() -> None:
    disk, chance = SimulatedDisk(), random.Random(1)
    node = Node(disk, Ledger(), segment=800)
    for _ in range(10):
        node.write(chance)
    node.snapshot()
    node.write(chance)
    node.stop()
    report = check(disk)
    assert report.ok and report.clean and report.seq == node.seq and report.epoch == 1
    assert {file.name for file in report.files} == set(disk.names())
    assert report.files[-1].clean_stop and report.files[-1].last_seq == node.seq
    assert sum(file.bytes for file in report.files) == sum(map(len, disk.content().values()))
    disk.put("notes.txt", b"not ours")
    assert check(disk).ok
    empty = check(SimulatedDisk())
    assert empty.ok and empty.seq == 0 and not empty.files
    assert list(recover(SimulatedDisk()).snapshot_payloads()) == []
