"""The diagrams of states in docs/architecture.md, drawn from the tables of moves."""

from enum import Enum
from typing import Any

from synap.cli.tree_map import between
from synap.engine.resp.states import RUN, Run
from synap.io.connections.states import LIFE, OUTPUT, WORK, Life, Output, Work
from synap.moves import Moves
from synap.proto import http_phases, websocket

BEGIN, END = "<!-- states -->\n", "<!-- end of states -->\n"

DIAGRAMS: list[tuple[str, type[Enum], Moves[Any, Any], str]] = [
    ("Life of a connection", Life, LIFE, "io/connections/states.py"),
    ("Output of a connection", Output, OUTPUT, "io/connections/states.py"),
    ("Work of a connection", Work, WORK, "io/connections/states.py"),
    ("Next command of a RESP session", Run, RUN, "engine/resp/states.py"),
    ("Request of an HTTP connection", http_phases.Phase, http_phases.PHASES, "proto/http_phases.py"),
    ("Closing handshake of a WebSocket", websocket.Phase, websocket.PHASES, "proto/websocket.py"),
]
"""Title, states, table, and the file that has both, of each diagram."""


def with_diagrams(page: str) -> str:
    """Return the page with the diagrams between its two marks, which must be there."""
    text = ""
    for title, states, table, path in DIAGRAMS:
        text += f"\n**{title}** (`{states.__name__}` in `{path}`). {states.__doc__}\n\n```text\n{drawn(table)}```\n"
    return between(page, BEGIN, END, text + "\n")


def drawn(table: Moves[Any, Any]) -> str:
    """Return a table as text: each state with its meaning, then its events with arrows to the states that follow."""
    width = max(len(event.value) for line in table.lines.values() for event in line)
    text = ""
    for state, line in table.lines.items():
        text += f"{state.name}: {state.value}\n"
        for event, after in line.items():
            text += f"    {event.value} {'-' * (width - len(event.value))}--> {after.name}\n"
    return text
