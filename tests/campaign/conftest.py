"""The long runs fork their servers as the tests of the server do."""

from tests.server.conftest import zygote

__all__ = ["zygote"]
