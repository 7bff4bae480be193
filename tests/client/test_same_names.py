"""Both Python interfaces, in-process and of the client, take the same names for the same arguments."""

import inspect
from typing import Any

import pytest

import synap
from synap.client.group_calls import GroupCalls
from synap.client.keys import Keys
from synap.client.queues import MessageCalls, QueueCalls
from synap.client.requests import Method
from synap.client.rooms import RoomCalls
from synap.client.topic_calls import TopicCalls
from tests.cases import check_all

HELD = {"queue_": ("queue",), "stream_": ("room",), "topic_": ("topic",), "group_": ("group",)}
"""What begins the name of a method in-process -> the argument that the client's object knows."""
ALONE = {
    "execute", "ping", "info", "get_json", "set_json", "publish", "queues", "rooms", "topics", "groups",
    "stream_publish_many", "stream_read",
}  # fmt: skip
"""Methods of the client that have no one of the same name in-process."""


def methods() -> dict[str, Any]:
    """The client's methods by the names that they have in-process."""
    found = {}
    for prefix, owner in (("", Keys), ("queue_", QueueCalls), ("stream_", RoomCalls), ("queue_", MessageCalls),
                          ("topic_", TopicCalls), ("group_", GroupCalls)):
        every = {name: getattr(owner, name) for name in dir(owner)}
        found |= {prefix + name: each.build for name, each in every.items() if isinstance(each, Method)}
    return found


def names(function: Any, *without: str) -> dict[str, Any]:
    """The arguments of a method and how each may be given."""
    return {name: each.kind for name, each in inspect.signature(function).parameters.items() if name not in without}


def test_arguments() -> None:
    def check(name: str) -> None:
        held = HELD.get(name[: name.find("_") + 1], ())
        if name in ("queue_ack", "queue_nack", "queue_renew"):
            held = ("queue", "message_id", "consumer")  # a message knows them
        assert names(methods()[name], "self") == names(getattr(synap.Database, name), "self", *held)

    check_all(check, sorted(set(methods()) - ALONE))


def test_the_others_are_alone() -> None:
    assert {name for name in methods() if not hasattr(synap.Database, name)} == ALONE


def test_two_names_of_one_thing(store: Any) -> None:
    with synap.open() as db:
        assert db.set("k", "v", ex=60) and db.ttl("k") == 60
        assert db.set("k", "v", ttl=50) and db.ttl("k") == 50
        assert db.set("k", "v", ex=1.5) and 1000 < db.pttl("k") <= 1500
        assert db.getex("k", ex=70) == b"v" and db.ttl("k") == 70
        assert db.expire("k", 2.5) and 2000 < db.pttl("k") <= 2500
        with pytest.raises(TypeError, match="ex and ttl are alternatives"):
            db.set("k", "v", ex=1, ttl=1)
        assert db.queue_create("q", ack_deadline_s=0.5)
        db.queue_publish("q", "x", delay_s=0.0)
        message = db.queue_consume("q", "me", wait_s=1)
        assert message is not None
        with pytest.raises(synap.Fault, match="not found"):
            db.queue_ack("q", message["message_id"], consumer="another")
        db.queue_nack("q", message["message_id"], requeue=False, consumer="me")
        assert len(db.queue_dead("q")) == 1 and db.mget("k", "none") == db.mget(["k", "none"]) == [b"v", None]
