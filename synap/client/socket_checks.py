"""Socket rules of both kinds of connection: how much to send at once, and whether a connection is usable."""

import select
from typing import Any

from synap.client.errors import NotConnected, Refused

RECEIVE_BYTES = 64 * 1024
AT_ONCE_BYTES = 32 * 1024  # fits into the socket's buffers, so that writing cannot block on a server that writes


def greet(replies: list[Any], where: str) -> None:
    """Check the replies to the handshake. Raises NotConnected while the server is LOADING, else its Refused."""
    for reply in replies:
        if isinstance(reply, Refused):
            if reply.code == "LOADING":
                raise NotConnected(f"{where} is not ready: {reply}")
            raise reply


def is_readable(descriptor: int) -> bool:
    """Return whether data has arrived or the peer has closed. One system call where the system has `poll`: the check
    precedes every call, and an epoll object made for the purpose would take five times as long."""
    if descriptor < 0:
        return True
    if hasattr(select, "poll"):
        asked = select.poll()
        asked.register(descriptor, select.POLLIN)
        return bool(asked.poll(0))
    return bool(select.select([descriptor], [], [], 0)[0])
