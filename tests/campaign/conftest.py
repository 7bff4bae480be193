"""The long runs fork their servers as the tests of the server do."""

from tests.server.conftest import node, serve, zygote

__all__ = ["node", "serve", "zygote"]
