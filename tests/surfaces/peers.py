"""A Redis of our own beside us, for the tests in which Redis decides what is right."""

from surfaces import Surfaces

from tests.peers import Redis as Peer
from tests.peers import read

__all__ = ["Peer", "read", "told"]
TIMEOUT_MS_MAX = 100
"""Timeouts in these tests are shorter."""


def told(surfaces: Surfaces, data: bytes) -> bytes:
    """What a connection answers to bytes that come in pieces, until it hangs up; a call that waits does so in vain."""
    found = b""
    for at in range(0, len(data), 16_384):
        if not surfaces.machines[2].closing:
            found += surfaces.resp_bytes(data[at : at + 16_384])
    if surfaces.machines[2].session.parked is not None:
        surfaces.server.engine.end_waits(surfaces.server.clock.now() + TIMEOUT_MS_MAX)
        found += surfaces.resp_bytes(b"")
    return found
