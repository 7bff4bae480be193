"""Notifications to systemd by the protocol of sd_notify(3): datagrams to the socket in NOTIFY_SOCKET.

    READY=1      the listeners are open           STOPPING=1   the stop has begun
    STATUS=...   one line for `systemctl status`   EXTEND_TIMEOUT_USEC=...   more time to start: kernels compile

Without the variable nothing is sent. A socket that cannot be reached does not keep the server from serving.
"""

import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger("synap")

VARIABLE = "NOTIFY_SOCKET"
START_US = 60_000_000
"""Microseconds that each step of a cold start asks for: no single kernel takes as long to compile."""


def notify(*lines: str, environ: Mapping[str, str] | None = None) -> bool:
    """Send `NAME=value` lines in one datagram; return whether they were sent.

    `environ` is by default the process's environment. An address that begins with `@` is an abstract socket. A socket
    that cannot be reached is logged as a warning.
    """
    address = (os.environ if environ is None else environ).get(VARIABLE, "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    text = "\n".join(line.replace("\n", " ") for line in lines)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(text.encode(), address)
    except OSError as error:
        log.warning("%s=%s: %s", VARIABLE, address.replace("\0", "@"), error)
        return False
    return True


def notify_starting(status: str) -> bool:
    """Report the progress of a start and ask for more time."""
    return notify(f"STATUS={status}", f"EXTEND_TIMEOUT_USEC={START_US}")


def notify_ready(status: str) -> bool:
    """Report that the listeners are open."""
    return notify("READY=1", f"STATUS={status}")


def notify_stopping() -> bool:
    """Report that the stop has begun."""
    return notify("STOPPING=1", "STATUS=stopping")
