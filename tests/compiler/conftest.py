"""The fork server of the tests of the compiler ends with them."""

from collections.abc import Iterator

import pytest

from tests.compiler.programs import forks


@pytest.fixture(scope="session", autouse=True)
def forks_end() -> Iterator[None]:
    """End the fork server, if a test has started it."""
    yield
    forks.close()
