"""What a queue is made with where the caller says nothing: the settings, on every surface."""

from collections.abc import Callable

import pytest

import synap
from synap.commands.defaults import FROM_SETTINGS
from synap.settings import Settings
from tests.server.clients import Server


def test_settings_are_the_defaults(serve: Callable[..., Server]) -> None:
    server = serve({"queue.max_depth": 2, "queue.ack_deadline_secs": 7, "queue.default_max_retries": 0,
                    "queue.default_priority": 8}).start()  # fmt: skip
    assert server.http("POST", "/queue/a", {})[0] == 200
    body = {"command": "queue.create", "payload": {"queue": "b", "max_depth": 3}}
    assert server.http("POST", "/api/v1/command", body)[1]["success"]
    with server.resp() as client:
        for queue, depth in (("a", 2), ("b", 3)):
            stats = client.ask("QUEUE.STATS", queue)
            told = dict(zip(stats[::2], stats[1::2], strict=True))
            assert told[b"max_depth"] == depth
            client.ask("QUEUE.PUBLISH", queue, "x")
            message = client.ask("QUEUE.CONSUME", queue, "c")
            told = dict(zip(message[::2], message[1::2], strict=True))
            assert (told[b"priority"], told[b"max_retries"]) == (8, 0)
            assert told[b"deadline"] - told[b"created_at"] >= 7000 - 50
    described = server.http("GET", "/openapi.json")[1]
    assert '"default": 7000' in str(described).replace("'", '"')


def test_in_process() -> None:
    with synap.open(settings=Settings().replace({"queue.max_depth": 1})) as db:
        db.queue_create("q")
        db.queue_publish("q", "a")
        with pytest.raises(synap.Fault):
            db.queue_publish("q", "b")


def test_every_default_has_its_setting() -> None:
    for wanted in FROM_SETTINGS.values():
        assert all(setting in Settings() for setting, _ in wanted.values())
