"""Many RESP sockets at once: more than one round takes, replies of all sizes, and what one does to another.

A server that is stopped while clients send finds all of them ready in one round when it goes on.
"""

import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from synap.store.lane.epoll_batch import ROUND
from tests.server.clients import HOST, Gone, Resp, Server, eventually, one_turn
from tests.support import command

Peers = Callable[[Server, int], list[Resp]]


@pytest.fixture
def peers() -> Iterator[Peers]:
    """Makes so many RESP clients, each of which has been served once; they are closed at the end."""
    with ExitStack() as stack:

        def make(server: Server, count: int) -> list[Resp]:
            made = [stack.enter_context(server.resp()) for _ in range(count)]
            for client in made:
                assert client.ask("EXISTS", "nothing") == 0
            return made

        yield make


def test_more_sockets_than_one_round_takes(node: Server, peers: Peers) -> None:
    clients = peers(node, 3 * ROUND + 5)
    for i in range(20):
        with one_turn(node) if i == 0 else ExitStack():
            for number, client in enumerate(clients):
                client.send_bytes(command("SET", f"k{number}", f"{i}-{number}") + command("GET", f"k{number}"))
        for number, client in enumerate(clients):
            assert client.read() == b"OK" and client.read() == f"{i}-{number}".encode()


def test_descriptors_beyond_the_first_table(node: Server, peers: Peers) -> None:
    """The table of descriptors begins with 1,024 and grows; those of the first hundreds go on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.fail(f"wanted a limit of 4,096 open files or more, found {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    clients = peers(node, 1300)
    for number, client in enumerate(clients):
        client.send("SET", f"k{number}", number)
    assert all(client.read() == b"OK" for client in clients)
    for number, client in enumerate(clients):
        assert client.ask("GET", f"k{number}") == str(number).encode()


def test_replies_of_one_round_that_outgrow_the_out_region(node: Server, peers: Peers) -> None:
    """Forty replies of up to 900 KiB, of sockets that take them slowly."""
    clients = peers(node, 40)
    values = {number: bytes([65 + number % 26]) * (number * 23_000) for number in range(40)}
    for number, value in values.items():
        assert clients[0].ask("SET", f"k{number}", value) == b"OK"
    with one_turn(node):
        for number, client in enumerate(clients):
            client.send_bytes(command("GET", f"k{number}") + command("STRLEN", f"k{number}"))
    for number, client in reversed(list(enumerate(clients))):
        assert client.read() == values[number]
        assert client.read() == len(values[number])


def test_one_kills_another_of_the_same_round(node: Server, peers: Peers) -> None:
    """What the killed ones sent before the kill is carried out or not; nobody else notices."""
    clients = peers(node, 12)
    numbers = [client.ask("CLIENT", "ID") for client in clients]
    with one_turn(node):
        clients[0].send("SET", "a", 0)
        clients[1].send_bytes(command("CLIENT", "KILL", "ID", numbers[0]) + command("CLIENT", "KILL", "ID", numbers[5]))
        for i, client in enumerate(clients[2:], 2):
            client.send("SET", f"k{i}", i)
    assert clients[1].read() == 1 and clients[1].read() == 1
    for i, client in enumerate(clients):
        if i in (0, 5):
            with pytest.raises((Gone, ConnectionError)):
                while True:
                    client.read()
        elif i > 1:
            assert client.read() == b"OK" and client.ask("GET", f"k{i}") == str(i).encode()
    fresh = peers(node, 3)  # they get the descriptors of those who have gone
    assert [client.ask("GET", "k2") for client in fresh] == [b"2"] * 3


def test_one_pauses_the_rest_of_its_round(node: Server, peers: Peers) -> None:
    clients = peers(node, 8)
    with one_turn(node):
        clients[0].send("CLIENT", "PAUSE", 1000, "WRITE")
        for i, client in enumerate(clients[1:]):
            client.send_bytes(command("EXISTS", "k") + command("SET", f"k{i}", i))
    assert clients[0].read() == b"OK"
    for client in clients[1:]:
        assert client.read() == 0
        client.socket.settimeout(0.01)
        with pytest.raises(TimeoutError):
            client.socket.recv(1, socket.MSG_PEEK)
        client.socket.settimeout(10)
    for client in clients[1:]:
        assert client.socket.recv(16) == b"+OK\r\n"


def test_errors_and_halves_beside_plain_ones(node: Server, peers: Peers) -> None:
    """Half commands, refusals, waits, inline commands, rubbish and transactions in one round."""
    plain, half, wrong, waiting, inline, rubbish, multi = clients = peers(node, 7)
    whole = command("SET", "half", "y" * 100)
    with one_turn(node):
        plain.send("SET", "plain", 1)
        half.send_bytes(whole[:50])
        wrong.send_bytes(command("INCR", "plain", "x") + command("LPUSH", "plain", "x"))
        waiting.send("BLPOP", "list", 5)
        inline.send_bytes(b"SET inline 1\r\nGET inline\r\n")
        rubbish.send_bytes(b"*1\r\n!\r\n")
        multi.send_bytes(command("MULTI") + command("RPUSH", "list", "a") + command("EXEC"))
    assert plain.read() == b"OK"
    assert str(wrong.read()).startswith("ERR wrong number") and str(wrong.read()).startswith("WRONGTYPE")
    assert inline.read() == b"OK" and inline.read() == b"1"
    assert "Protocol error" in str(rubbish.read())
    assert multi.read() == b"OK" and multi.read() == b"QUEUED" and multi.read() == [1]
    assert waiting.read() == [b"list", b"a"]
    half.send_bytes(whole[50:])
    assert half.read() == b"OK"
    for client in clients:
        if client is not rubbish:
            assert client.ask("GET", "half") == b"y" * 100
            assert client.ask("GET", "half") == b"y" * 100


def test_a_peer_that_resets_its_connection_costs_nobody(node: Server, peers: Peers) -> None:
    clients = peers(node, 10)
    with one_turn(node):
        for i, client in enumerate(clients):
            client.send("SET", f"k{i}", "v" * 1000)
            if i % 2:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                client.close()
    for client in clients[::2]:
        assert client.read() == b"OK"
    eventually(lambda: len(clients[0].ask("CLIENT", "LIST").splitlines()) == 5)


def test_no_descriptors_left(serve: Callable[..., Server]) -> None:
    """A server at its limit of open files goes on with whom it has, and takes more when some have gone."""
    server = serve().start()
    with ExitStack() as stack:
        first = stack.enter_context(server.resp())
        assert first.ask("SET", "a", 1) == b"OK"
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (60, 4096))
        more = []
        for _ in range(80):
            more.append(socket.create_connection((HOST, server.resp_port), timeout=5))
            stack.callback(more[-1].close)
        assert first.ask("GET", "a") == b"1"
        for one in more:
            one.close()
        last = stack.enter_context(server.resp())
        assert last.ask("GET", "a") == b"1"


@pytest.mark.parametrize("between", [0, 3, ROUND + 6])
@pytest.mark.parametrize("first", ["odd", "plain"])
def test_sockets_are_served_in_the_order_in_which_they_became_ready(
    node: Server, peers: Peers, first: str, between: int
) -> None:
    """Whether a kernel serves a socket or Python does: one with half a command, one that has subscribed."""
    half, subscriber, reader, publisher, *others = peers(node, 4 + between)
    for i in range(5):
        setting = command("SET", "k", i)
        half.send_bytes(setting[:9])
        assert subscriber.ask("SUBSCRIBE", "c") == [b"subscribe", b"c", 1]
        assert publisher.ask("PUBLISH", "c", "m") == 1 and subscriber.read() == [b"message", b"c", b"m"]
        with one_turn(node):
            if first == "odd":
                half.send_bytes(setting[9:])
                subscriber.send("UNSUBSCRIBE", "c")
            for other in others:
                other.send("EXISTS", "nothing")
            reader.send("GET", "k")
            publisher.send("PUBLISH", "c", "n")
            if first == "plain":
                for other in others:
                    other.send("EXISTS", "nothing")
                half.send_bytes(setting[9:])
                subscriber.send("UNSUBSCRIBE", "c")
        before = None if i == 0 else str(i - 1).encode()
        assert reader.read() == (str(i).encode() if first == "odd" else before)
        assert publisher.read() == (0 if first == "odd" else 1)
        if first == "plain":
            assert subscriber.read() == [b"message", b"c", b"n"]
        assert half.read() == b"OK" and subscriber.read() == [b"unsubscribe", b"c", 0]
        for other in others * (2 if first == "plain" else 1):
            assert other.read() == 0
