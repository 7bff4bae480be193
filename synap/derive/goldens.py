"""Golden files of the log format: the meaning of every code and the layout of its tape, which never change.

Logs and replicas identify a call by its code and read its tape by slot. So two files under `tests/golden` record
both. These files only grow, and `grown` refuses any other change:

    opcodes    `0101 kv.set`                              a code and its row
    tapes      `0101 key:key value:raw get:flag ...`      its slots from the first on; a text takes two

A tape may get more slots at its end, and a choice more words at its end: a shorter tape of an older
version keeps its meaning. `many`, `counted` and `halves` show the slots of one item in brackets. Items lie
side by side, so another slot in an item would move all the others, and is refused.
"""

from collections.abc import Iterator

from synap.arguments import GROUPS, AnyOrder, Argument, Choice, Flag, OneOf, Optional, Text, Token, arguments_behind
from synap.command import Catalogue
from synap.fault_table import TABLE
from synap.faults import SynapError

OPCODES_HEAD = "# Grown by `synap generate` from the command table: code and name. A line never changes and never goes."
TAPES_HEAD = "# Grown by `synap generate` from the command table: code and slots. A line may only get more at its end."
FAULTS_HEAD = "# Grown by `synap generate` from `faults.py`: number and name. A line never changes and never goes."


class PromiseBroken(SynapError):
    """Raised if the table changes the meaning of a recorded code."""


def opcodes(catalogue: Catalogue) -> list[str]:
    """Return a line `code name` for every row, in the order of the codes."""
    return [f"{row.code:04x} {row.name}" for row in catalogue.rows]


def faults() -> list[str]:
    """Return `number name` of every fault, by number."""
    return [f"{row.number:04d} {row.name}" for row in sorted(TABLE, key=lambda row: row.number)]


def tapes(catalogue: Catalogue) -> list[str]:
    """Return a line `code slot slot ...` for every row, in the order of the codes."""
    return [" ".join([f"{row.code:04x}", *tape(row.args)]) for row in catalogue.rows]


def tape(args: tuple[Argument, ...]) -> list[str]:
    """Return `name:kind` of every argument with slots of its own, in the order of the slots."""
    return [entry for node in args for entry in _entries(node)]


def _entries(node: Argument) -> Iterator[str]:
    """Yield `name:kind` for the slots of one argument, in the order of `synap.arguments.layout`."""
    kind = "text" if isinstance(node, Text) else type(node).__name__.lower()
    if isinstance(node, AnyOrder):
        yield from tape(node.inner)
    elif isinstance(node, GROUPS):
        yield f"{node.name}:{kind}({','.join(tape(node.inner))})"
    elif isinstance(node, OneOf):
        yield f"{node.name}:{kind}({','.join(inner.word for inner in node.inner)})"
        for inner in node.inner:
            yield from tape(arguments_behind(inner))
    elif isinstance(node, Token):
        yield f"{node.word}:{kind}"
        yield from tape(node.inner)
    elif isinstance(node, Optional):
        yield f"?:{kind}"
        yield from tape(node.inner)
    elif isinstance(node, Flag):
        yield f"{node.name or node.word.lower()}:{kind}"
    elif isinstance(node, Choice):
        yield f"{node.name}:{kind}({','.join(word.replace(' ', '_') for word in node.words)})"
    else:
        yield f"{node.name}:{kind}"


def keeps(old: str, new: str) -> bool:
    """Return True if the line `new` is `old`, or `old` with more at its end."""
    before, after = old.split(" "), new.split(" ")
    return len(after) >= len(before) and all(map(_keeps_entry, before, after))


def _keeps_entry(old: str, new: str) -> bool:
    if old == new:
        return True
    head, _, words = old.partition("(")
    if head.rpartition(":")[2] not in ("choice", "oneof"):
        return False
    known = words.removesuffix(")").split(",")
    return new.startswith(head + "(") and new[len(head) + 1 : -1].split(",")[: len(known)] == known


def grown(old: str, head: str, lines: list[str], *, longer: bool) -> str:
    """Return the golden file `old` with the additions of the table, under its first line `head`.

    `longer`: a line may get more at its end. Raise PromiseBroken, which names every line that no longer holds.
    """
    now = {line.partition(" ")[0]: line for line in lines}
    broken = []
    for line in old.splitlines():
        code = line.partition(" ")[0]
        if line.startswith("#") or not line:
            continue
        found = now.get(code, "no row")
        if not (keeps(line, found) if longer else line == found):
            broken.append(f"promised: {line}, found: {found}")
    if broken:
        raise PromiseBroken("; ".join(broken))
    return "\n".join([head, *lines]) + "\n"
