"""Fixtures for everything that needs the compiled store."""

import pytest

from synap.commands import FAMILIES
from synap.compiler import jit
from synap.store import entry_points
from tests.support import Bench


def prepare() -> None:
    """Compile what the cache does not hold (a minute from nothing), load the rest."""
    everything = jit.missing
    with pytest.MonkeyPatch.context() as patch:  # the workers do not know the border functions of test modules
        patch.setattr(jit, "missing", lambda: [name for name in everything() if name.startswith("synap.")])
        entry_points.prepare(FAMILIES, 2, lambda done, total, name: print(f"compiled {done}/{total} {name}"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compile before the first test that needs it, since that test's timeout is not meant for it."""
    wanted = any("store" in getattr(item, "fixturenames", ()) for item in session.items)
    if wanted and not session.config.option.collectonly:
        prepare()


@pytest.fixture(scope="session")
def store() -> type[Bench]:
    """The kernels are ready: call it for a store of your own."""
    prepare()
    return Bench


@pytest.fixture
def bench(store: type[Bench]) -> Bench:
    """An empty store."""
    return store()
