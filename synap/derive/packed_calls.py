"""Calls made in Python: a packed call of a row from named arguments, whose slots are those of the row.

For code that makes a call of its own and answers no client: upkeep, feeds of WebSockets, tests. The arguments have the
names and types that a program in this process gives (see `binders.py`).
"""

from typing import Any

from synap.call import Call
from synap.command import Command
from synap.derive.binders import Build, binder

_builds: dict[int, tuple[Command, Build]] = {}  # by code: making a binder takes longer than a thousand calls


def call_of(row: Command, namespace: int = 0, /, **arguments: Any) -> Call:
    """Return a call of a row. Raise Fault for an argument that is missing, or of the wrong type."""
    known = _builds.get(row.code)
    if known is None or known[0] is not row:
        known = _builds[row.code] = row, binder(row, native=True)
    tape, blob = known[1](arguments)
    return Call(row.code, namespace, tuple(tape), blob)
