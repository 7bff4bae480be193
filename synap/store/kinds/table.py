"""The table of kinds of structure, from which all code that depends on a kind is generated.

A kind is a folder beside this file: its records, the functions of its rows, and `life.py`, which answers the questions
of `QUESTIONS` or `NAMED_QUESTIONS`. `synap generate` writes the numbers (`memory/kinds.py`), a door for each kind
(`doors/life_of_*.py`) and the functions that ask the door of a record's kind (`kinds/dispatch.py`), and fails if a
`life.py` lacks an answer. Doors are called by their addresses, so an edit in one kind does not recompile the callers.
A dispatch function ends with an exception for a number that is not in the table.
"""

from dataclasses import dataclass

from synap.store.memory.layout import IN_NO_ORDER, IN_ORDER, NOT_SORTED

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

FREEING = {"free_some": ("words", "octets", "ref", "budget")}
"""The question to every kind that is freed in steps: all but strings. More than 0 is left of the budget at the end."""

LISTING = {"elements": ("words", "octets", "ref", "first", "most", "target")}
"""The question to every kind whose elements SORT puts in order (`Kind.sorts`).

The answer writes up to `most` elements, from the one numbered `first` on, as the items of a reply (memory/tapes.py) to
word `target` and behind it, and returns the number of all elements.
"""


@dataclass(frozen=True)
class NamedKind:
    """A kind of record with a name of its own, outside the keyspace."""

    name: str
    number: int  # of a deleted record in the lazy-free list, and in digests
    folder: str  # the folder of its code, and the name of its digest
    rows: tuple[str, ...]  # the modules with its command rows; their functions lie in its folder
    head_words: int = 0  # of a named record: words before its name
    due_row: str = ""  # the row to carry out when a timer of this kind is due, if its records have timers

    @property
    def door(self) -> str:
        """The module of the kind's door, in `synap.store.doors`."""
        return f"life_of_{self.folder}"


@dataclass(frozen=True)
class Kind(NamedKind):
    """A kind of key: `name` is the reply of TYPE, `number` stands in the head of a record and never changes."""

    root_words: int = 0  # words of a record between its head and its key; 0: the value lies behind the key
    encodings: tuple[str, ...] = ()  # what OBJECT ENCODING answers, by the number that `describe` writes
    family: str = ""  # what the names of its rows begin with, if other than its name
    category: str = ""  # its ACL category in Redis, if other than its name
    sorts: int = NOT_SORTED  # whether SORT takes it, and whether its elements have an order (layout.py)


KINDS = (
    Kind(
        "string", 1, "strings", family="kv",
        rows=("synap.commands.strings", "synap.commands.substrings", "synap.commands.bitmaps",
              "synap.commands.hyperloglog"),
        encodings=("int", "embstr", "raw"),
    ),
    Kind(
        "list", 2, "lists", rows=("synap.commands.lists",), root_words=3, encodings=("listpack", "quicklist"),
        sorts=IN_ORDER,
    ),
    Kind(
        "set", 3, "sets", rows=("synap.commands.sets",), root_words=1,
        encodings=("listpack", "intset", "hashtable"), sorts=IN_NO_ORDER,
    ),
    Kind(
        "hash", 4, "hashes", rows=("synap.commands.hashes", "synap.commands.field_deadlines"), root_words=1,
        encodings=("listpack", "hashtable"),
    ),
    Kind(
        "zset", 5, "zsets", rows=("synap.commands.zsets", "synap.commands.zset_routes", "synap.commands.geo"),
        root_words=1,
        encodings=("listpack", "skiplist"),
        category="sortedset", sorts=IN_ORDER,
    ),
    Kind(
        "stream", 6, "streams", family="xstream", rows=("synap.commands.streams",), root_words=14,
        encodings=("stream",),
    ),
)
NAMED = (
    NamedKind("queue", 16, "queues", rows=("synap.commands.queues",), head_words=115, due_row="queue.requeue"),
    NamedKind("room", 17, "rooms", rows=("synap.commands.rooms",), head_words=32, due_row="stream.expire"),
    NamedKind("library", 19, "libraries", rows=("synap.commands.libraries",), head_words=16),
    NamedKind("topic", 20, "topics", rows=("synap.commands.topics",), head_words=16, due_row="topic.expire"),
    NamedKind("group", 21, "memberships", rows=("synap.commands.groups",), head_words=16, due_row="group.sweep"),
    NamedKind("retained", 22, "retained", rows=("synap.commands.retained",), head_words=16),
)
