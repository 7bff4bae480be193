"""Pub/sub without sockets: who gets what, in which order and form; limits, overflow, what is forgotten."""

import json
from random import Random
from typing import Any

import pytest

from synap.engine.pubsub import PubSub
from synap.engine.subscribers import Dialect, Json, Limits, Listener, Mailbox
from synap.faults import Fault
from tests.naive.channels import glob_matches, segments_match
from tests.support import decode

CHANNELS = [b"a", b"b", b"a.b", b"a.c", b"b.c.d", b"x"]
EXACT = [b"a", b"a.b", b"x"]
SEGMENTED = [b"a.*", b"#", b"*.c.#", b"*"]
GLOBS = [b"a*", b"?", b"[ab]*", b"*.d"]


class Link:
    """The connection of a session, which keeps what is pushed."""

    def __init__(self) -> None:
        self.data = b""
        self.full = False

    def push(self, data: bytes) -> bool:
        self.data += data
        return not self.full


class Caller:
    """What a listener knows of its session."""

    def __init__(self, version: int = 2) -> None:
        self.version, self.link = version, Link()
        self.listener = Listener(self)

    def read(self) -> list[Any]:
        found, rest = [], self.link.data
        while rest:
            assert rest[:1] == (b">" if self.version == 3 else b"*")
            value, rest = decode(rest)
            found.append(value)
        self.link.data = b""
        return found


def boxed(pubsub: PubSub, *channels: bytes, wakes: list[int] | None = None) -> Mailbox:
    told: list[int] = [] if wakes is None else wakes
    return pubsub.join(list(channels), 0, lambda: told.append(1))


@pytest.mark.parametrize("seed", range(20))
def test_each_gets_what_it_asked_for(seed: int) -> None:
    """Random subscriptions and messages, spread at random moments, against lists kept one by one."""
    chance, pubsub = Random(seed), PubSub()
    pubsub.soon = lambda: None
    callers = [Caller(chance.choice((2, 3))) for _ in range(6)]
    boxes = [pubsub.join([], 0, lambda: None) for _ in range(3)]
    asked: dict[Any, dict[tuple[Dialect, bytes], None]] = {one: {} for one in (*callers, *boxes)}
    wanted: dict[Any, list[Any]] = {one: [] for one in asked}
    for i in range(400):
        who = chance.choice([*callers, *boxes])
        draw = chance.random()
        listener = who.listener if isinstance(who, Caller) else who
        if draw < 0.3:
            patterns = (Dialect.GLOB, GLOBS) if isinstance(who, Caller) else (Dialect.SEGMENTS, SEGMENTED)
            dialect, texts = chance.choice([(Dialect.EXACT, EXACT), patterns])
            text = chance.choice(texts)
            if (dialect, text) in asked[who]:
                assert pubsub.unsubscribe(listener, dialect, text)
                del asked[who][dialect, text]
            else:
                pubsub.subscribe(listener, dialect, text, 0)
                asked[who][dialect, text] = None
        elif draw < 0.35:
            pubsub.deliver()
        else:
            channel, payload = chance.choice(CHANNELS), b"%d" % i
            copies = 0
            for one, found in asked.items():
                met = [
                    (dialect, text) for dialect, text in found
                    if (dialect is Dialect.EXACT and text == channel)
                    or (dialect is Dialect.SEGMENTS and segments_match(text, channel))
                    or (dialect is Dialect.GLOB and glob_matches(text, channel))
                ]  # fmt: skip
                if isinstance(one, Caller):
                    copies += len(met)
                    wanted[one] += sorted([b"message", channel, payload] if dialect is Dialect.EXACT else
                                          [b"pmessage", text, channel, payload] for dialect, text in met)  # fmt: skip
                elif met:
                    copies += 1
                    wanted[one].append(payload)
            _, subscriptions, mailboxes = pubsub.publish(channel, payload, b"", 0)
            assert sum(len(one.links) for one in subscriptions) + len(mailboxes) == copies
    pubsub.deliver()
    for caller in callers:
        found = caller.read()
        order = [int(one[-1]) for one in found]
        assert order == sorted(order) and sorted(found) == sorted(wanted[caller])
    for box in boxes:
        assert [message.payload for message in box.waiting] == wanted[box]
    for one in (*(caller.listener for caller in callers), *boxes):
        pubsub.leave(one)
    assert not pubsub.patterns and not pubsub.subscriptions and not pubsub.wildcards and not pubsub.listeners
    assert not pubsub.active and not pubsub.subscribers and len(pubsub._trie) == 0


def test_a_message_is_made_once_in_each_form() -> None:
    pubsub = PubSub()
    pubsub.soon = lambda: None
    callers = [Caller(version) for version in (2, 2, 3)]
    for caller in callers:
        pubsub.subscribe(caller.listener, Dialect.EXACT, b"a", 0)
    pubsub.publish(b"a", b"x", b"", 0)
    assert not callers[0].link.data, "nothing leaves before the end of the turn"
    pubsub.deliver()
    assert callers[0].link.data is callers[1].link.data or callers[0].link.data == callers[1].link.data
    assert callers[2].read() == callers[1].read() == [[b"message", b"a", b"x"]]


def test_frames_are_json() -> None:
    pubsub = PubSub()
    box = boxed(pubsub, b"a.*", b"a.b")
    pubsub.publish(b"a.b", Json(b'{"n":1}'), b'{"by":"me"}', 5000)
    pubsub.publish(b"a.b", b'say "hi"', b"", 6000)
    pubsub.publish(b"a.b", b"\xff\xfe", b"", 6000)
    frames = [json.loads(box.take().frame()) for _ in range(3)]  # type: ignore[union-attr]
    assert box.take() is None, "one copy, however many subscriptions match"
    assert frames[0]["payload"] == {"n": 1} and frames[0]["metadata"] == {"by": "me"} and frames[0]["timestamp"] == 5
    assert frames[1]["payload"] == 'say "hi"' and frames[1]["metadata"] is None and frames[1]["type"] == "message"
    assert frames[2]["payload"] == "<binary data: 2 bytes>"
    assert len({frame["message_id"] for frame in frames}) == 3


@pytest.mark.parametrize(("policy", "left", "over", "dropped"), [
    ("drop_newest", [b"0", b"1", b"2"], False, 2), ("drop_oldest", [b"2", b"3", b"4"], False, 2),
    ("disconnect", [], True, 4),
])  # fmt: skip
def test_overflow(policy: str, left: list[bytes], over: bool, dropped: int) -> None:
    pubsub = PubSub(Limits(messages=3, overflow=policy))
    wakes: list[int] = []
    box = boxed(pubsub, b"a", wakes=wakes)
    other = boxed(pubsub, b"a")
    for i in range(5):
        pubsub.publish(b"a", b"%d" % i, b"", 0)
        taken = other.take()
        assert taken is not None and taken.payload == b"%d" % i
    assert [message.payload for message in box.waiting] == left and box.over is over
    assert pubsub.dropped == dropped and pubsub.slow_dropped == over and len(wakes) == 1 + over


def test_limits() -> None:
    pubsub = PubSub(Limits(channels=2, subscriptions=3, unread=2, channel_bytes=4))
    one = pubsub.join([b"a", b"b"], 0)
    with pytest.raises(Fault, match="3 subscriptions"):
        pubsub.join([b"c", b"d"], 0, None, one.name)
    assert len(one) == 2
    with pytest.raises(Fault, match="4 bytes"):
        pubsub.join([b"abcde"], 0)
    with pytest.raises(Fault, match="must not be empty"):
        pubsub.join([b""], 0)
    two, three = pubsub.join([b"a"], 0), pubsub.join([b"a"], 0)
    assert list(pubsub.subscribers) == [two.name, three.name], "the oldest is forgotten"
    assert list(pubsub.exact) == [b"a", b"b"]
    pubsub.join([b"c"], 0, None, two.name)
    assert list(pubsub.exact) == [b"a", b"c"], "of the abandoned topics the first"
    assert pubsub.unsubscribe_all(two, [b"a", b"none"]) == 1
    assert pubsub.leave(two) == 1 and two.name not in pubsub.subscribers


def test_a_listener_that_takes_nothing_is_counted() -> None:
    pubsub = PubSub()
    caller = Caller()
    caller.link.full = True
    pubsub.subscribe(caller.listener, Dialect.EXACT, b"a", 0)
    pubsub.publish(b"a", b"x", b"", 0)
    assert pubsub.slow_dropped == 1 and pubsub.dropped == 1
