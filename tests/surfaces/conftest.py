"""The Redis that some tests ask beside us."""

from collections.abc import Iterator

import pytest
from peers import Peer


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    peer = Peer(tmp_path_factory.mktemp("redis"))
    yield peer
    peer.close()
