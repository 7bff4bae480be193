"""What every server derives from its catalogue as it starts, 60 ms of work, made once for all servers of a process."""

from collections.abc import Callable
from functools import cache
from typing import Any

from synap.io.server import server


def made_once(kind: Callable[..., Any]) -> Callable[..., Any]:
    """Return what makes `kind` of a catalogue, its places and the switches: the same object for the same three."""
    made: dict[tuple[int, int, tuple[tuple[str, bool], ...]], tuple[Any, Any, Any]] = {}

    def make(rows: Any, places: Any, switches: dict[str, bool]) -> Any:
        named = id(rows), id(places), tuple(sorted(switches.items()))
        if named not in made:
            one = kind(rows, places, switches)
            if kind is COMMANDS:
                one.image = cache(one.image)
            made[named] = one, rows, places  # kept, so that no other object gets the id of these
        return made[named][0]

    return make


COMMANDS = server.Commands
REST_ONCE, COMMANDS_ONCE = made_once(server.Rest), made_once(server.Commands)
