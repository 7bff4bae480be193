"""The command table: a module for each family, rows only."""

from synap.command import Catalogue
from synap.commands import (
    connection,
    keys,
    lists,
    pubsub,
    queues,
    renames,
    rooms,
    server,
    sets,
    strings,
    substrings,
    words,
)  # fmt: skip

CATALOGUE = Catalogue(
    [
        *strings.ROWS, *keys.ROWS, *substrings.ROWS, *lists.ROWS, *sets.ROWS, *renames.ROWS, *queues.ROWS,
        *rooms.ROWS, *connection.ROWS, *server.ROWS, *pubsub.ROWS, *words.ROWS,
    ]
)
FAMILIES = ("strings", "keys", "substrings", "lists", "sets", "renames", "queues", "rooms")
"""Modules of `synap.store` that have a door, by the family in the high byte of their codes."""
