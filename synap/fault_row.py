"""One row of the table of faults."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A refusal: number, name, RESP text, HTTP status, and the JSON text unless it is the RESP text without its code.

    A new row takes the next free number, wherever it stands. Numbers never change (`tests/golden/faults.txt`).
    """

    number: int
    name: str
    resp: str
    http: int
    text: str = ""
