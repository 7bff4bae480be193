"""Tables of moves: the states of a machine, and the state that follows each event.

A table drives its machine: `state = TABLE.after(state, event)` is the only way to a new state. An event for which a
state has no line is a mistake in the program, and is raised as one. The diagrams in the documentation are drawn from
the tables (cli/diagrams.py).
"""

from enum import Enum
from typing import Generic, TypeVar

State = TypeVar("State", bound=Enum)
Event = TypeVar("Event", bound=Enum)


class Moves(Generic[State, Event]):
    """For each state, what follows each event. The value of a state or event is its meaning in words."""

    def __init__(self, lines: dict[State, dict[Event, State]]) -> None:
        self.lines = lines

    def after(self, state: State, event: Event) -> State:
        """Return the state that follows `event` in `state`. Raise AssertionError if there is no such line."""
        try:
            return self.lines[state][event]
        except KeyError:
            raise AssertionError(f"no move from {state} at {event}") from None
