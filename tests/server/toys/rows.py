"""Command rows of toys: numbers that are added, and their sum."""

from synap.arguments import WRITE, Int, Key, Many
from synap.command import Command, Example
from synap.reply import INTEGER
from synap.routes import Get, Post
from synap.traits import GROWS, INTERNAL, WRITES

_TOY = Key("key", "toy")
_CHANGED = Key("key", "toy", WRITE)
_NUMBERS = Many("numbers", Int("number"))

ROWS = [
    Command(
        "toy.add", 0x3001, "Add numbers to a toy, creating the toy if it is missing, and return how many it holds.",
        args=(_CHANGED, _NUMBERS), resp="TOYADD", reply=INTEGER, run="toys.add", traits=WRITES | GROWS, needs_words=64,
        http=(Post("/toy/{key}/add"),), json={"count": "$reply"},
        examples=(Example("TOYADD t 1 2", 2),),
    ),
    Command(
        "toy.sum", 0x3002, "Return the sum of the numbers of a toy.", args=(_TOY,), resp="TOYSUM",
        reply=INTEGER, run="toys.total", http=(Get("/toy/{key}/sum"),),
        json={"sum": "$reply"},
        examples=(Example("TOYADD t 1 2", 2), Example("TOYSUM t", 3)),
    ),
    Command(
        "toy.load", 0x30F0, "Load a piece of a toy from a snapshot.",
        args=(_CHANGED, Int("deadline"), Int("more"), _NUMBERS), reply=INTEGER, run="toys.load",
        traits=WRITES | INTERNAL,
    ),
]  # fmt: skip
