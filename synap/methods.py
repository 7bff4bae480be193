"""Hints of a row for the Python methods that are generated from it, in-process and of the client.

A row that a RESP client can call and that runs in the store has a method in both interfaces. Its name is the RESP
command in small letters (`LPUSH` is `lpush`, `QUEUE.ACK` is `queue_ack`), its parameters are the arguments of the row,
and its docstring is the row's summary; see `derive/methods.py`. Most rows need no hint.
"""

from dataclasses import dataclass, field
from typing import Any

EMBEDDED, CLIENT = 1, 2
"""The two interfaces, as bits: `synap.open()`, and the client of a server."""


@dataclass(frozen=True)
class Method:
    """The hints of one row.

    name        name of the method, if not the RESP command in small letters
    names       argument of the row -> name of its parameter
    defaults    name of a parameter -> default of the method in-process
    returns     what the reply is, if the row's reply does not say: a word of `derive/methods.RESULTS`
    by_hand     interfaces whose method is written by hand, since it does more than one call of this row
    turned      a mapping in place of pairs names the second of each pair first, as in {member: score}
    note        more of the docstring: what the options mean, what None means
    """

    name: str = ""
    names: dict[str, str] = field(default_factory=dict, hash=False)
    defaults: dict[str, Any] = field(default_factory=dict, hash=False)
    returns: str = ""
    by_hand: int = 0
    turned: bool = False
    note: str = ""


NO_HINTS = Method()
