"""Pub/sub by both clients: order, patterns, and what becomes of a subscription when its server is killed."""

import threading
import time
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest

from synap.client import Client, Closed, Gap, LocalProtocolError, NotConnected, Refused, TopicMessage
from tests.client.conftest import Redis, Scripted
from tests.client.kinds import KINDS, client, each, got, run, within
from tests.server.clients import eventually

QUICK: dict[str, Any] = {"backoff": 0.01, "backoff_max": 0.05}


@pytest.fixture(params=["synap", "redis"])
def server(request: pytest.FixtureRequest) -> Any:
    """Either server; it can be killed and started again."""
    return request.getfixturevalue("node" if request.param == "synap" else "redis")


@pytest.mark.parametrize("kind", KINDS)
def test_topics_and_patterns(kind: str, server: Any) -> None:
    async def scenario(asked: Any) -> None:
        async with within(asked.subscribe("a", "n.*", patterns=["[xy]"])) as heard:
            assert [await got(asked.publish(topic, topic + "!")) for topic in ("a", "n.1", "x", "z")] == [1, 1, 1, 0]
            assert [await got(heard.get(5)) for _ in range(3)] == [
                TopicMessage("a", b"a!"), TopicMessage("n.1", b"n.1!", "n.*"), TopicMessage("x", b"x!", "[xy]"),
            ]  # fmt: skip
            assert await got(heard.get(0.02)) is None and await got(heard.get(0)) is None and heard.gaps == 0
            await got(asked.publish("a", b"\xff" * 300_000))
            assert (await got(heard.get(5))).payload == b"\xff" * 300_000
        with pytest.raises(LocalProtocolError, match="at least one"):
            asked.subscribe()

    run(kind, server.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_in_order(kind: str, server: Any) -> None:
    async def scenario(asked: Any) -> None:
        async with within(asked.subscribe("a")) as heard:
            async with within(asked.pipeline()) as batch:
                for i in range(1000):
                    batch.publish("a", i)
            found = []
            async with aclosing(each(heard)) as messages:
                async for message in messages:
                    found.append(message.payload)
                    if len(found) == 1000:
                        break
        assert found == [str(i) for i in range(1000)]

    run(kind, server.resp_port, scenario, decode=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_server_is_a_gap_and_no_end(kind: str, server: Any) -> None:
    async def scenario(asked: Any) -> None:
        async with within(asked.subscribe("a", "b*", tell_gaps=True)) as heard:
            for life in range(3):
                await got(asked.publish("a", life))
                assert (await got(heard.get(5))).payload == str(life).encode()
                server.restart()
                assert await got(heard.get(20)) == Gap(life + 1) and heard.gaps == life + 1
                await got(asked.publish("bc", "again"))
                assert (await got(heard.get(5))).pattern == "b*"

    run(kind, server.resp_port, scenario, **QUICK)


def test_killed_while_messages_stream(server: Any) -> None:
    """What is heard is in order and never doubled, and goes on after the kill; what is missing, a gap has told."""
    with Client("127.0.0.1", server.resp_port, attempts=100, **QUICK) as asked, asked.subscribe("a") as heard:
        found: list[int] = []
        stop = threading.Event()

        def publish() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    asked.publish("a", number)
                except ConnectionError:
                    continue
                except Exception as error:  # of unknown outcome: it is missing, or there
                    assert "PUBLISH was sent" in str(error)

        publisher = threading.Thread(target=publish)
        publisher.start()
        killer = threading.Thread(target=lambda: (eventually(lambda: len(found) > 200), server.restart()))
        killer.start()
        after = 0
        for message in heard:
            assert isinstance(message, TopicMessage)
            found.append(int(message.payload))
            after += heard.gaps
            if after > 200:
                break
        stop.set()
        publisher.join()
        killer.join()
    assert heard.gaps == 1 and all(one < other for one, other in pairwise(found))


def confirmed(words: list[bytes]) -> bytes:
    """What a server answers to SUBSCRIBE."""
    return b"".join(b">3\r\n+%b\r\n$1\r\na\r\n:1\r\n" % words[0].lower() for _ in words[1:])


@pytest.mark.parametrize("kind", KINDS)
def test_a_silent_server_is_asked_and_then_given_up(kind: str, scripted: Scripted) -> None:
    """It answers the first PING, which keeps the line; it does not answer the second, and the next line is good."""
    pings = [0]

    def answers(number: int, words: list[bytes]) -> bytes:
        if words[0] != b"PING":
            return confirmed(words)
        pings[0] += 1
        return b"+PONG\r\n" if pings[0] == 1 else b""

    scripted.answering(answers)

    async def scenario(asked: Any) -> None:
        async with within(asked.subscribe("a", tell_gaps=True)) as heard:
            assert await got(heard.get(5)) == Gap(1)

    run(kind, scripted.port, scenario, ping_every=0.05, timeout=0.1, **QUICK)
    assert [words[0] for words in scripted.heard[:4]] == [b"SUBSCRIBE", b"PING", b"PING", b"SUBSCRIBE"]


@pytest.mark.parametrize("kind", KINDS)
def test_polling_asks_too(kind: str, scripted: Scripted) -> None:
    """Short waits one after the other are a long silence."""
    scripted.answering(lambda number, words: b"" if words[0] == b"PING" else confirmed(words))

    async def scenario(asked: Any) -> None:
        async with within(asked.subscribe("a")) as heard:
            for _ in range(100):
                assert await got(heard.get(0.01)) is None
                if heard.gaps:
                    return
        raise AssertionError("the silence was not noticed")

    run(kind, scripted.port, scenario, ping_every=0.05, timeout=0.1, **QUICK)


@pytest.mark.parametrize("kind", KINDS)
def test_a_subscription_that_is_refused(kind: str, scripted: Scripted) -> None:
    scripted.answering(lambda number, words: b"-NOPERM not you\r\n")

    async def scenario(asked: Any) -> None:
        with pytest.raises(Refused, match="NOPERM"):
            async with within(asked.subscribe("a")):
                pass

    run(kind, scripted.port, scenario)
    assert scripted.connections == 1


@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_back_only_so_often(kind: str, redis: Redis) -> None:
    async def scenario(asked: Any) -> None:
        async with within(asked.subscribe("a")) as heard:
            redis.kill9()
            with pytest.raises(NotConnected):
                await got(heard.get())
        with pytest.raises(NotConnected):
            async with within(asked.subscribe("a")):
                pass

    run(kind, redis.resp_port, scenario, reconnects=3, attempts=2, **QUICK)


def test_closing_ends_a_subscription(redis_port: int) -> None:
    asked = client("sync", redis_port)
    told: list[BaseException] = []

    def listen() -> None:
        try:
            for _ in asked.subscribe("a"):
                pass
        except Closed as error:
            told.append(error)

    thread = threading.Thread(target=listen)
    thread.start()
    eventually(lambda: asked._pool._all)
    time.sleep(0.05)
    asked.close()
    thread.join(5)
    assert len(told) == 1 and not thread.is_alive()


def test_leaving_closes_the_connection(redis_port: int) -> None:
    with client("sync", redis_port) as asked:
        with asked.subscribe("left"):
            assert asked.publish("left", "x") == 1
        eventually(lambda: asked.publish("left", "x") == 0)
        for _ in range(3):
            heard = asked.subscribe("left")
            heard.get(0.01)
            del heard  # so does nobody's holding it
        eventually(lambda: asked.publish("left", "x") == 0)
        assert len(asked._pool._all) == 1
