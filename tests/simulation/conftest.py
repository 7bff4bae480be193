"""What stories leave behind in the process that tells them."""

from collections.abc import Iterator

import pytest

from tests.conftest import set_aside


@pytest.fixture(scope="module", autouse=True)
def garbage_is_looked_for_as_before() -> Iterator[None]:
    """A story ends with all objects of the process in the eyes of the collector again: set them aside once more."""
    yield
    set_aside()
