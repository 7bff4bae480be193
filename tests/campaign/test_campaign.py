"""The long runs as tests: `pytest -m campaign tests/campaign -s`."""

from pathlib import Path
from typing import Any

import pytest

from tests.campaign import concurrent, crashes
from tests.server.zygote import Zygote
from tests.simulation.story import tell


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", crashes.MODES)
def test_a_thousand_crashes(zygote: Zygote, tmp_path: Path, mode: str) -> None:
    found = crashes.run(zygote, tmp_path, mode, count=1000, seed=1)
    print(mode, found)
    assert not found.bad and found.crashes == 1000, found.texts


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_a_thousand_stories(store: Any) -> None:
    told = [tell(seed) for seed in range(1000)]
    assert [tell(seed) for seed in range(1000)] == told
    assert len({one.trace_hash for one in told}) == 1000


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", crashes.MODES)
def test_concurrent_histories_are_linearizable(zygote: Zygote, tmp_path: Path, mode: str) -> None:
    found, kills = concurrent.run(zygote, tmp_path, mode, calls=100_000, seed=1)
    assert found.calls >= 100_000 and kills > 50
