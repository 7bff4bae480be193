"""The long runs as tests: `pytest -m campaign tests/campaign -s`."""

from pathlib import Path

import pytest

from tests.campaign import crashes
from tests.server.zygote import Zygote


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", crashes.MODES)
def test_a_thousand_crashes(zygote: Zygote, tmp_path: Path, mode: str) -> None:
    found = crashes.run(zygote, tmp_path, mode, count=1000, seed=1)
    print(mode, found)
    assert not found.bad and found.crashes == 1000, found.texts
