"""Power loss: what was promised comes back, and what comes back is a prefix of what was offered."""

import random

import pytest

from synap.journal import check
from tests.journal.nodes import Ledger, Node
from tests.simulation.disk import PowerLoss, SimulatedDisk

MODES = ("always", "periodic", "never")


def lives(seed: int, mode: str) -> list[tuple[object, ...]]:
    """Several lives of one node, each ended by a power loss, a kill or a clean stop; the trace."""
    chance = random.Random(seed)
    ledger = Ledger()
    disk = SimulatedDisk(seed, stop_at=chance.choice((None, chance.randrange(100))))
    trace: list[tuple[object, ...]] = []
    for _ in range(chance.randint(2, 6)):
        later = {"stop_at": chance.choice((None, chance.randrange(12), chance.randrange(100)))}
        try:
            node = Node(disk, ledger, mode=mode)
            for _ in range(chance.randrange(25)):
                node.act(chance)
            if chance.random() < 0.3:
                node.stop()
            elif chance.random() < 0.4:
                ledger.written = node.log.written_seq
                trace += disk.trace
                disk = disk.kill(**later)
                continue
        except PowerLoss:
            pass
        trace += disk.trace
        ledger.written = 0
        disk = disk.crash(**later)
    disk.stop_at = None
    node = Node(disk, ledger, mode=mode)
    node.write(chance)
    node.stop()
    epoch = node.log.epoch
    report = check(disk)
    assert report.ok and report.clean and report.seq == node.seq, report
    again = Node(disk.crash(), ledger, mode=mode)
    assert again.recovery.clean and again.log.epoch == epoch
    return trace


@pytest.mark.parametrize("mode", MODES)
def test_lives(mode: str) -> None:
    for seed in range(400):
        try:
            lives(seed, mode)
        except BaseException as error:
            error.add_note(f"seed {seed}, mode {mode}")
            raise


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", MODES)
def test_lives_campaign(mode: str) -> None:
    for seed in range(1000, 11_000):
        try:
            lives(seed, mode)
        except BaseException as error:
            error.add_note(f"seed {seed}, mode {mode}")
            raise


def test_one_seed_one_story() -> None:
    for seed in range(50):
        assert lives(seed, "periodic") == lives(seed, "periodic")


def script(disk: SimulatedDisk, ledger: Ledger) -> None:
    """A fixed workload: segments, snapshots, trims, a clean stop and a restart."""
    chance = random.Random(7)
    node = Node(disk, ledger, segment=1500)
    for turn in range(30):
        node.write(chance)
        if turn % 3:
            node.sync()
        if turn % 8 == 7:
            node.snapshot()
    node.stop()
    node = Node(disk, ledger, segment=1500)
    for _ in range(5):
        node.write(chance)
        node.sync()
    node.snapshot()
    node.write(chance)


def crash_points(variants: int) -> int:
    whole = SimulatedDisk(0)
    script(whole, Ledger())
    points = 0
    for stop_at in range(whole.operations + 1):
        for variant in range(variants):
            ledger = Ledger()
            disk = SimulatedDisk(variant, stop_at=stop_at)
            try:
                script(disk, ledger)
            except PowerLoss:
                pass
            first = None
            chance = random.Random(stop_at)
            disk = disk.crash(stop_at=variant)
            for round_ in range(20):  # crash during recovery, again and again
                try:
                    node = Node(disk, ledger, segment=1500)
                except PowerLoss:
                    disk = disk.crash(stop_at=(variant + round_) % 9)
                    continue
                assert first is None or node.seq == first
                first = node.seq
                disk = disk.crash(stop_at=(variant + round_) % 9)
            disk.stop_at = None
            node = Node(disk, ledger, segment=1500)
            assert first is None or node.seq == first
            node.write(chance, 3)  # what comes after a crash survives the next
            node.sync()
            assert Node(disk.crash(), ledger).seq == node.seq
            points += 1
    return points


def test_every_crash_point() -> None:
    assert crash_points(2) > 300


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_every_crash_point_campaign() -> None:
    assert crash_points(40) > 5000
