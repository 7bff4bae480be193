"""`docs/commands.md`: examples as `redis-cli` shows them, and the Python methods that it names."""

from typing import Any

import pytest

from synap import Database
from synap.client import Client
from synap.client.sync import Group, Queue, Room, Topic
from synap.command import Command
from synap.commands import CATALOGUE
from synap.derive.command_pages import shown
from synap.derive.methods import has_method, holder, method_name
from synap.reply import ANY, DONE, INTEGER, TEXT, Array, Either, Status, Template
from tests.cases import check_all


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


CLIENT_NAMES = {
    "queue.list": "queues", "stream.list": "rooms", "topic.list": "topics", "group.list": "groups",  # of the client
    "queue.consume_many": "take_many",
    "queue.ack": "", "queue.nack": "", "queue.renew": "",  # of a message: see docs/client.md
    "stream.consume": "",  # of an iterator
}  # fmt: skip


def test_both_interfaces_have_the_methods() -> None:
    def check(row: Command) -> None:
        name, held = method_name(row), holder(row)
        assert hasattr(Database, name)
        owner = {"queue": Queue, "room": Room, "topic": Topic, "group": Group}.get(held, Client)
        short = CLIENT_NAMES.get(row.name, name.partition("_")[2] if held else name)
        assert not short or hasattr(owner, short)

    check_all(check, [row for row in CATALOGUE.rows if has_method(row)], lambda row: row.name)
