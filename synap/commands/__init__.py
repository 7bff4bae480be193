"""The command table: one module of rows for each family of commands."""

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
"""Families with a compiled entrance, `synap/store/doors/<family>.py`; the high byte of a code is its family."""
