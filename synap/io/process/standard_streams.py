"""Open those of descriptors 0 to 2 that are closed, to the null device.

A process may be started without them (`synap serve 2>&-`). The system then gives their numbers to the next files and
sockets, and a library's output to standard error would end up in the data's log or in a client's connection.
"""

import os
import sys

_NAMES = ("stdin", "stdout", "stderr")


def open_closed() -> None:
    """Open closed descriptors from 0 to 2. To be called before any other file is opened."""
    for number, name in enumerate(_NAMES):
        try:
            os.fstat(number)
        except OSError:
            _open_null(number)
            if getattr(sys, name) is None:  # Python sets None for a descriptor that is closed at its start
                setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))


def _open_null(number: int) -> None:
    found = os.open(os.devnull, os.O_RDWR)
    if found != number:  # another thread may have closed a lower descriptor
        os.dup2(found, number)
        os.close(found)
    os.set_inheritable(number, True)
