"""What both kinds of connection have to decide alike: how much to send at once, and whether a line is good."""

import select
from typing import Any

from synap.client.errors import NotConnected, Refused

RECEIVE_BYTES = 64 * 1024
AT_ONCE_BYTES = 32 * 1024  # less fits into the socket's buffers, so writing it cannot block on a server that writes


def greet(replies: list[Any], where: str) -> None:
    """What the server said to the handshake must be no refusal."""
    for reply in replies:
        if isinstance(reply, Refused):
            if reply.code == "LOADING":
                raise NotConnected(f"{where} is not ready: {reply}")
            raise reply


def is_readable(descriptor: int) -> bool:
    """Has something arrived, or the other side hung up? One system call where there is poll: it is asked before every
    call, and an epoll made for the purpose would take five times as long."""
    if descriptor < 0:
        return True
    if hasattr(select, "poll"):
        asked = select.poll()
        asked.register(descriptor, select.POLLIN)
        return bool(asked.poll(0))
    return bool(select.select([descriptor], [], [], 0)[0])
