"""`docs/commands.md`: examples as `redis-cli` shows them."""

from typing import Any

import pytest

from synap.derive.command_pages import shown
from synap.reply import ANY, DONE, INTEGER, TEXT, Array, Either, Status, Template


@pytest.mark.parametrize(("reply", "template", "lines"), [
    ("OK", DONE, ["OK"]),
    ("OK", TEXT, ['"OK"']),
    ("string", Status("none", "string"), ["string"]),
    ("anything", Status(), ["anything"]),
    ("PONG", Either(Status("PONG"), TEXT), ["PONG"]),
    ("hello", Either(Status("PONG"), TEXT), ['"hello"']),
    (["a", 1, "b", 2], Array(TEXT, INTEGER), ['1) "a"', "2) (integer) 1", '3) "b"', "4) (integer) 2"]),
    (["a", ["b"]], Array(Either(Status(), Array(TEXT))), ["1) a", '2) 1) "b"']),
    ({"a": None}, ANY, ['1) "a"', "2) (nil)"]),
])  # fmt: skip
def test_the_lines_of_a_reply(reply: Any, template: Template, lines: list[str]) -> None:
    assert shown(reply, template) == lines
