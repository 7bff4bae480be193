"""The command table: one module of rows for each family of commands."""

from importlib import import_module

from synap.command import Catalogue, Command
from synap.commands import (
    changes,
    client_transactions,
    connection,
    dumps,
    keys,
    pubsub,
    renames,
    scripts,
    server,
    sorting,
    structure_stats,
    words,
)
from synap.derive.doors import family_codes
from synap.store.kinds.table import KINDS, NAMED

KIND_ROWS: list[Command] = [
    row for kind in (*KINDS, *NAMED) for module in kind.rows for row in import_module(module).ROWS
]
"""The rows of the kinds, from the modules that the table of kinds names."""

_OTHERS = (
    keys, renames, sorting, dumps, scripts, connection, client_transactions, server, changes, pubsub,
    words, structure_stats,
)  # fmt: skip

CATALOGUE = Catalogue(KIND_ROWS + [row for module in _OTHERS for row in module.ROWS])
FAMILY_CODES = family_codes(CATALOGUE)
FAMILIES = tuple(FAMILY_CODES.values())
"""Families with a compiled entrance, `synap/store/doors/<family>.py`; the high byte of a code is its family."""
