"""Command rows that take a key's whole value out and in: DUMP and RESTORE."""

from importlib import import_module

from synap.arguments import WRITE, AnyOrder, Flag, Int, Key, OneOf, Raw, Token
from synap.command import DIAGNOSTICS, Command, Example
from synap.reply import TEXT, or_nil
from synap.store.kinds.table import KINDS
from synap.traits import GROWS, WRITES

_FAMILIES = (
    DIAGNOSTICS,
    *dict.fromkeys(row.code >> 8 for kind in KINDS for module in kind.rows for row in import_module(module).ROWS),
)
"""Whose kernels the rows call: a value may be of any kind."""

ROWS = [
    Command(
        "key.dump", 0x0220,
        "Return the value of a key as a payload for RESTORE, in Redis' format, with a checksum.",
        args=(Key("key"),), resp="DUMP", reply=or_nil(TEXT), handler="dump", calls_families=_FAMILIES,
        examples=(Example("DUMP none", None),),
    ),
    Command(
        "key.restore", 0x0221,
        "Store the value of a payload of DUMP under a key, with the milliseconds after which it expires (0: never).",
        args=(
            Key("key", access=WRITE), Raw("ttl"), Raw("payload"),
            AnyOrder(
                Flag("REPLACE"), Flag("ABSTTL"),
                OneOf("use", Token("IDLETIME", Int("idletime")), Token("FREQ", Int("freq"))),
            ),
        ),
        stray="SYNTAX", resp="RESTORE", handler="restore", traits=WRITES | GROWS, calls_families=_FAMILIES,
    ),
]  # fmt: skip
