"""The command table: a module for each family, rows only."""

from synap.command import Catalogue
from synap.commands import (
    connection,
    keys,
    lists,
    moves,
    planned,
    pubsub,
    queues,
    rooms,
    server,
    sets,
    strings,
    substrings,
    words,
)  # fmt: skip

CATALOGUE = Catalogue(
    [
        *strings.ROWS, *keys.ROWS, *substrings.ROWS, *lists.ROWS, *sets.ROWS, *moves.ROWS, *queues.ROWS,
        *rooms.ROWS, *connection.ROWS, *server.ROWS, *pubsub.ROWS, *words.ROWS,
    ]
)
FAMILIES = ("strings", "keys", "substrings", "lists", "sets", "moves", "queues", "rooms")
"""Modules of `synap.store` that have a door, by the family in the high byte of their codes."""

PLANNED = planned.ROWS
"""Arguments of rows that are still to come: they show that the grammar holds for all of Redis."""
