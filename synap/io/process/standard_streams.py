"""Descriptors 0 to 2: what is closed of them is opened to the null device.

A process may be started without them (`synap serve 2>&-`). The system then gives their numbers to the next files and
sockets, and what a library writes to standard error would end up in the log of the data, or in a client's connection.
"""

import os
import sys

_NAMES = ("stdin", "stdout", "stderr")


def open_closed() -> None:
    """Open what is closed of descriptors 0 to 2. To be called before anything else is opened."""
    for number, name in enumerate(_NAMES):
        try:
            os.fstat(number)
        except OSError:
            _open_null(number)
            if getattr(sys, name) is None:  # so does Python where it finds a descriptor closed
                setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))


def _open_null(number: int) -> None:
    found = os.open(os.devnull, os.O_RDWR)
    if found != number:  # another thread may have closed a lower one
        os.dup2(found, number)
        os.close(found)
    os.set_inheritable(number, True)
