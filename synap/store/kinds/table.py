"""The table of kinds of structure, from which all code that depends on a kind is generated.

A kind is a folder beside this file: its records, the functions of its rows, and `life.py`, which answers the questions
of `QUESTIONS` or `NAMED_QUESTIONS`. `synap generate` writes the numbers (`memory/kinds.py`), the facts for the
keyspace (`records/kind_facts.py`) and the functions that call the right folder (`kinds/dispatch.py`), and fails if a
`life.py` lacks an answer. A dispatch function ends with an exception for a number that is not in the table.
"""

from dataclasses import dataclass

QUESTIONS = {
    "copied_bytes": ("words", "ref"),
    "copy": ("words", "octets", "source", "target"),
    "digest": ("words", "octets", "ref", "h"),
    "dump": ("words", "octets", "ref", "cursor", "target", "seq", "now"),
    "describe": ("words", "octets", "ref", "samples", "found"),
}
"""The questions to every kind of key, with their arguments; the docstrings of `life.py` say what each returns."""

NAMED_QUESTIONS = {
    "digest": ("words", "octets", "record"),
    "dump": ("words", "octets", "record", "cursor", "target", "seq", "now"),
}
"""The questions to every kind of named record."""

FREEING = {
    "reap": ("words", "octets", "ref", "budget"),
    "reaped": ("words", "ref"),
}
"""The questions to every kind that is freed in steps: all but strings."""


@dataclass(frozen=True)
class NamedKind:
    """A kind of record with a name of its own, outside the keyspace."""

    name: str
    number: int  # of a deleted record in the graveyard, and in digests
    folder: str  # the folder of its code, and the name of its digest
    due_row: str = ""  # the row to carry out when a timer of this kind is due


@dataclass(frozen=True)
class Kind(NamedKind):
    """A kind of key: `name` is the reply of TYPE, `number` stands in the head of a record and never changes."""

    root_words: int = 0  # words of a record between its head and its key; 0: the value lies behind the key
    progress: int = -1  # the word of the root in which `reap` keeps its progress, 0 at first; -1: none


KINDS = (
    Kind("string", 1, "strings"),
    Kind("list", 2, "lists", root_words=4),
    Kind("set", 3, "sets", root_words=8, progress=7),
)
NAMED = (
    NamedKind("queue", 16, "queues", due_row="queue.requeue"),
    NamedKind("room", 17, "rooms", due_row="stream.expire"),
)
