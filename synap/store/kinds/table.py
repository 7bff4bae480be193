"""The kinds of structure, a line each. All that depends on a kind is generated from this table.

A kind is a folder beside this file: its records, the functions of its rows, and `life.py`, which answers the questions
of `QUESTIONS` or `NAMED_QUESTIONS`. `synap generate` writes the numbers (`memory/kinds.py`), what the keyspace must
know (`records/kind_facts.py`) and the functions that ask the right folder (`kinds/dispatch.py`), and fails if a
`life.py` lacks an answer. A dispatch ends with an exception for a number that is not in the table.
"""

from dataclasses import dataclass

QUESTIONS = {
    "copied_bytes": ("words", "ref"),
    "copy": ("words", "octets", "source", "target"),
    "digest": ("words", "octets", "ref", "h"),
    "dump": ("words", "octets", "ref", "cursor", "target", "seq", "now"),
    "describe": ("words", "octets", "ref", "samples", "found"),
}
"""What is asked of every kind of key, with the arguments; the docstrings of `life.py` say what each answers."""

NAMED_QUESTIONS = {
    "digest": ("words", "octets", "record"),
    "dump": ("words", "octets", "record", "cursor", "target", "seq", "now"),
}
"""What is asked of every kind of named record."""

FREEING = {
    "reap": ("words", "octets", "ref", "budget"),
    "reaped": ("words", "ref"),
}
"""What is asked of every kind that is freed in steps: of all but strings."""


@dataclass(frozen=True)
class NamedKind:
    """A kind of record that is known by a name of its own, outside the keyspace."""

    name: str
    number: int  # of a record that is dropped, and of its digest
    folder: str  # of its code; also what its digest is called
    due_row: str = ""  # the row that is carried out when a timer of it is due


@dataclass(frozen=True)
class Kind(NamedKind):
    """A kind of key: `name` is what TYPE answers, `number` stands in the head of a record and never changes."""

    root_words: int = 0  # words of a record between its head and its key; 0: the value lies behind the key
    progress: int = -1  # the word of the root in which `reap` keeps how far it has come, 0 when it begins; -1: none


KINDS = (
    Kind("string", 1, "strings"),
    Kind("list", 2, "lists", root_words=4),
    Kind("set", 3, "sets", root_words=8, progress=7),
)
NAMED = (
    NamedKind("queue", 16, "queues", due_row="queue.requeue"),
    NamedKind("room", 17, "rooms", due_row="stream.expire"),
)
