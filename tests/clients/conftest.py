"""The fixtures of servers for tests."""

from tests.server.conftest import node, serve, zygote

__all__ = ["node", "serve", "zygote"]
