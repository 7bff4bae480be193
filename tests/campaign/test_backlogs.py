"""Queues, rooms and topics against models, briefly; long: `python -m tests.campaign.backlogs --steps 1000000`."""

from pathlib import Path

import pytest

from tests.campaign import backlogs
from tests.server.clients import Server
from tests.server.zygote import Zygote

LATE_ON_A_BUSY_MACHINE_MS = 1000


@pytest.mark.parametrize("kind", backlogs.EVERY)
def test_every_reply_is_right_and_crashes_change_nothing(zygote: Zygote, tmp_path: Path, kind: str) -> None:
    found = backlogs.run(zygote, tmp_path / kind, kind, steps=8000, seed=7)
    assert not found.wrong, found.wrong[:3]
    assert found.steps >= 8000 and found.crashes


def test_delays_and_leases_are_never_early(node: Server) -> None:
    early, late = backlogs.timing(node, 60, seed=1)
    assert early >= 0 and late < LATE_ON_A_BUSY_MACHINE_MS


def test_fifty_consumers_get_each_message_once(node: Server) -> None:
    twice, missing, _ = backlogs.crowd(node, 50, 5000)
    assert (twice, missing) == (0, 0)


def test_a_wrong_model_is_noticed(zygote: Zygote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a room that would keep one event more than it does."""
    monkeypatch.setattr(backlogs, "models", lambda kind: [backlogs.RoomModel(b"r", 50, 0)])
    prepare = backlogs.RoomModel.prepare
    monkeypatch.setattr(backlogs.RoomModel, "prepare", lambda model: [*prepare(model)[:3], 49, *prepare(model)[4:]])
    assert backlogs.run(zygote, tmp_path / "planted", "rooms", steps=2000, seed=7).wrong


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", backlogs.EVERY)
def test_a_million_steps(zygote: Zygote, tmp_path: Path, kind: str) -> None:
    found = backlogs.run(zygote, tmp_path / kind, kind, steps=1_000_000, seed=1)
    assert not found.wrong, found.wrong[:3]


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_a_million_messages_of_fifty_consumers(node: Server) -> None:
    assert backlogs.crowd(node, 50, 1_000_000)[:2] == (0, 0)
    early, late = backlogs.timing(node, 2000, seed=2)
    assert early >= 0 and late <= backlogs.LATE_MS_MAX
