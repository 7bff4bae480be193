"""Calls and handler values: the types through which every surface uses the engine.

A call is a code, a namespace, a tape and a blob (see `synap/store/memory/tapes.py` for the tape). A call that is
being carried out lies in the heap; `Call` is a packed copy, for code that keeps a call: a caller that waits, a
simulator, a test.

The handler of a row that runs in Python returns a plain value (`Value`), which every surface reads in the same way:

    None  bool  int  float  bytes (a text)  str (a status such as OK)  list  tuple  dict  a Fault  Pushes
    ...   no reply at all

A handler whose call has to wait returns `Pending`; no surface sees it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, TypeAlias

from synap.faults import Fault

MUTE_NONE, MUTE_ALL, MUTE_NEXT, MUTE_THIS = range(4)
"""The replies that are not sent to a session: none, all, the reply to the next call, the reply to the current call."""


class Pushes(list["list[Value]"]):
    """Several replies to one command, each a list: pushes in RESP3, arrays in RESP2."""


class Members(list["Value"]):
    """The members of a set, which RESP3 tells from an array."""


class Shared(dict[str, "Value"]):
    """A map that several callers get at the same time: RESP spells it once for each version of the protocol."""

    def __init__(self, members: Mapping[str, "Value"]) -> None:
        super().__init__(members)
        self.spelled: dict[int, bytes] = {}


Value: TypeAlias = (
    bool | int | float | bytes | str | Fault | Pushes | EllipsisType | Sequence["Value"] | Mapping[Any, "Value"] | None
)
"""What a handler may return."""


@dataclass(frozen=True, slots=True)
class Call:
    """A packed call: its texts are positions in the blob, so it can be copied anywhere."""

    code: int
    namespace: int
    tape: tuple[int, ...]
    blob: bytes


@dataclass(frozen=True, slots=True)
class Pending:
    """What a handler returns for a call that waits for something other than a key.

    answer     returns the value with which the call ends, whenever it ends
    deadline   when it ends at the latest (ms of engine time), 0 for never
    begin      gets a function that ends the wait, and is called once the call waits
    """

    answer: Callable[[], Value]
    deadline: int
    begin: Callable[[Callable[[], None]], None]
