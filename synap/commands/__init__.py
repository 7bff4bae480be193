"""The command table: a module for each family, rows only."""

from synap.command import Catalogue
from synap.commands import connection, keys, lists, planned, queues, sets, strings

CATALOGUE = Catalogue(
    [*strings.ROWS, *keys.ROWS, *lists.ROWS, *sets.ROWS, *queues.ROWS, *connection.ROWS]
)
FAMILIES = ("strings", "keys", "lists", "sets", "queues")
"""Modules of `synap.store` that have a door, by the family in the high byte of their codes."""

PLANNED = planned.ROWS
"""Arguments of rows that are still to come: they show that the grammar holds for all of Redis."""
