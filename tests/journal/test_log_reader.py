"""The reader of the log: any seq from any place, while the log is written, over segments that come and go."""

import random

import pytest

from synap.journal import Damage, LogFailed, LogReader, log_reader, trim
from tests.cases import check_all
from tests.journal.nodes import Ledger, Node, frames
from tests.simulation.disk import SimulatedDisk

FAR = 1 << 40


def written(disk: SimulatedDisk, turns: int = 300, segment: int = 3000) -> Node:
    """A node that has written so many groups."""
    node = Node(disk, Ledger(), mode="never", segment=segment)
    chance = random.Random(1)
    for _ in range(turns):
        node.write(chance)
    return node


def seqs(pieces: list[log_reader.Piece]) -> list[int]:
    """The seqs of all frames, which must be those that the groups say."""
    found = []
    for first, count, payload in pieces:
        here = [seq for seq, _, _, _ in frames(payload)]
        assert here == list(range(first, first + count))
        found += here
    return found


def test_from_every_seq() -> None:
    disk = SimulatedDisk(1)
    node = written(disk)
    reader = LogReader(disk)
    assert reader.first() == 1 and len([name for name in disk.names() if name.startswith("log")]) > 10

    def check(seq: int) -> None:
        found = seqs(reader.read(seq, node.seq, 5000))
        assert seq in found and found[0] <= seq and found == list(range(found[0], found[-1] + 1))

    order = list(range(1, node.seq + 1))
    check_all(check, order)
    random.Random(2).shuffle(order)
    check_all(check, order)
    assert seqs(reader.read(1, node.seq, FAR)) == sorted(order)
    assert reader.read(node.seq + 1, node.seq, FAR) == []
    assert seqs(reader.read(1, 50, FAR))[-1] in range(50, 56)  # groups are whole


def test_beside_the_writer() -> None:
    """What is appended is found, also in a segment that the reader has to look for."""
    disk = SimulatedDisk(1)
    node, chance, place = written(disk, 1), random.Random(3), 1
    reader = LogReader(disk)
    for _ in range(200):
        node.write(chance)
        reader.renew()
        found = seqs(reader.read(place, node.seq, FAR))
        assert found == list(range(place, node.seq + 1))
        place = node.seq + 1


@pytest.mark.parametrize("clean", [True, False])
def test_over_starts(clean: bool) -> None:
    """A clean stop ends a segment with a mark; after another end, the successor begins within the one before it."""
    disk = SimulatedDisk(1)
    node = written(disk, 100)
    ledger = node.ledger
    for _ in range(4):
        if clean:
            node.stop()
        else:
            ledger.written = node.seq
        node = Node(disk, ledger, mode="never", segment=3000)
        for _ in range(20):
            node.write(random.Random(4))
        assert seqs(LogReader(disk).read(1, node.seq, FAR)) == list(range(1, node.seq + 1))


def refuse(*_: object) -> None:
    raise OSError("no room")


def test_a_log_that_failed_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SimulatedDisk(1)
    node = written(disk, 20)
    before = node.seq
    with monkeypatch.context() as patch:
        patch.setattr(node.log, "_write", refuse)
        with pytest.raises(LogFailed):
            node.write(random.Random(5))
    node.mend()
    node.write(random.Random(6))
    reader = LogReader(disk)
    assert reader.first() > before + 1 and seqs(reader.read(reader.first(), node.seq, FAR))[-1] == node.seq


def test_what_was_removed_or_damaged_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SimulatedDisk(1)
    node = written(disk)
    reader = LogReader(disk)
    seqs(reader.read(1, 5, FAR))
    node.snapshot(1)
    with pytest.raises(FileNotFoundError):
        reader.read(1, node.seq, FAR)
    reader.renew()
    assert reader.first() > 1
    with pytest.raises(FileNotFoundError):
        reader.read(1, node.seq, FAR)
    true = disk.read
    monkeypatch.setattr(disk, "read", lambda *place: true(*place)[:-1] + b"\x55")
    with pytest.raises(Damage):
        LogReader(disk).read(node.seq, node.seq, FAR)


def test_it_walks_a_little_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reader, "WALK_BYTES", 4000)
    monkeypatch.setattr(log_reader, "READ_BYTES", 1000)
    disk = SimulatedDisk(1)
    node = written(disk, 300, 1 << 30)
    reader = LogReader(disk)
    calls = 0
    while not (found := reader.read(node.seq, node.seq, FAR)):
        calls += 1
        assert calls < 200
    assert calls > 10 and seqs(found)[-1] == node.seq


def test_segments_that_are_held() -> None:
    """Segments from a seq on stay, up to so many bytes; without readers they go."""
    def check(case: tuple[int, int]) -> None:
        held_from, most = case
        disk = SimulatedDisk(1)
        node = written(disk)
        node.snapshot(9)  # it trims nothing
        trim(disk, 1, held_from, most)
        first = LogReader(disk).first()
        if not held_from or most < 3000:
            assert first > node.seq - 30
        elif most == FAR:
            assert first <= held_from < first + 40
        else:
            kept = sum(disk.size(name) for name in disk.names() if name.startswith("log"))
            assert held_from < first < node.seq - 30 and kept < most + 8000
        assert Node(disk, node.ledger).seq == node.seq

    check_all(check, [(0, FAR), (100, FAR), (1, FAR), (1, 20_000), (100, 10)])
