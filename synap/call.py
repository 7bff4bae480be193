"""The waist: a call as every surface hands it on, and what may come back.

A call is a code, a namespace, a tape and a blob (see `synap/store/memory/tapes.py` for the tape). While it
is carried out it lies in the heap; `Call` is its packed copy, for whoever has to keep it: a parked
session, a simulator, a test.

What a handler (a row that runs in Python) answers is a plain value, read by each surface alike:

    None  int  float  bytes (a text)  str (a status such as OK)  list  dict  a Fault  Pushes
"""

from dataclasses import dataclass
from typing import Any

Value = Any


class Pushes(list[list[Any]]):
    """Several replies to one command, each a list: pushes in RESP3, arrays in RESP2."""


@dataclass(frozen=True, slots=True)
class Call:
    """A packed call: its texts are positions in the blob, so it can be copied anywhere."""

    code: int
    namespace: int
    tape: tuple[int, ...]
    blob: bytes
