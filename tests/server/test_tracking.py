"""CLIENT TRACKING beside a real Redis: several connections each, and every connection reads the same bytes."""

import select
import shlex
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from synap.engine.tracking import PREFIXES_MAX
from synap.engine.waiters import READERS_LOOKED_AT
from synap.store.memory.layout import HITS_MAX
from tests.peers import Redis
from tests.server.clients import Server
from tests.support import command

# Each line: the connection, and what it sends. `@b` stands for the id of the connection `b`. Behind each line every
# connection says what it has received. HELLO differs.
STORIES = {
    "default": """
        a: HELLO 3 | a: CLIENT TRACKING ON | a: GET k | b: SET k 1 | b: SET k 2 | a: MGET k l | b: MSET k 1 l 2 m 3
        a: EXISTS k | a: GET k | b: DEL k | b: DEL k | a: SET k own | a: GET k | a: SET k own2 | a: INCR n | b: INCR n
        a: HGET h f | b: HSET h f v | b: HSET h g v | a: LRANGE x 0 -1 | b: RPUSH x 1 2 | a: LLEN x | b: LPOP x
        a: ZRANGE z 0 -1 | b: ZADD z 1 m | a: SMEMBERS s | b: SADD s 1 | a: STRLEN k | b: APPEND k more
        a: TTL k | b: EXPIRE k 100 | a: TTL k | b: PERSIST k | a: GET k | b: RENAME k k2 | a: GET k2 | b: COPY k2 k3
        a: GET k2 | b: SET k2 x KEEPTTL GET | a: TYPE k2 | b: GETDEL k2 | a: GET y | b: EXPIRE y 5 | b: SET y 1 PX 20
        a: GET big | b: SETRANGE big 5 x | a: CLIENT TRACKINGINFO | a: CLIENT GETREDIR | a: CLIENT TRACKING OFF
        a: GET k3 | b: SET k3 1 | a: CLIENT TRACKINGINFO | a: CLIENT GETREDIR""",
    "transactions": """
        a: HELLO 3 | a: CLIENT TRACKING on | a: MULTI | a: GET k | a: SET k 1 | a: EXEC | b: SET k 2
        a: MULTI | a: GET k | a: GET l | a: EXEC | b: MULTI | b: SET k 1 | b: SET l 1 | b: EXEC | b: SET k 1
        a: GET k | b: MULTI | b: SET k 1 | b: DISCARD | b: SET k 3""",
    "flush": """
        a: HELLO 3 | a: CLIENT TRACKING ON | b: HELLO 3 | b: CLIENT TRACKING ON BCAST | a: GET k | c: FLUSHALL
        a: FLUSHDB | c: SET k 1 | a: GET k | c: FLUSHDB ASYNC | c: SET k 2 | c: SELECT 2 | c: FLUSHDB""",
    "noloop": """
        a: HELLO 3 | a: CLIENT TRACKING ON NOLOOP | a: GET k | a: SET k 1 | b: SET k 2 | a: GET k | b: SET k 3
        b: HELLO 3 | b: CLIENT TRACKING ON BCAST NOLOOP | b: SET k 4 | a: SET k 5 | a: MSET k 1 l 2""",
    "reads and writes of a transaction": """
        a: HELLO 3 | a: CLIENT TRACKING ON NOLOOP | a: GET x | a: MULTI | a: SET x 1 | a: GET x | a: EXEC | b: SET x 9
        a: MULTI | a: GET x | a: SET x 2 | a: EXEC | b: SET x 8 | a: GET x | a: MULTI | a: SET x 1 | a: GET x
        a: SET x 2 | a: GET x | a: GET y | a: EXEC | b: MSET x 1 y 1 | b: MSET x 2 y 2
        b: HELLO 3 | b: CLIENT TRACKING ON | b: GET x | b: MULTI | b: SET x 1 | b: GET x | b: EXEC | a: SET x 3""",
    "opt in": """
        a: HELLO 3 | a: CLIENT TRACKING ON OPTIN | a: GET k | b: SET k 1 | a: CLIENT CACHING YES | a: GET k | a: GET l
        b: MSET k 2 l 2 | a: CLIENT CACHING YES | a: CLIENT TRACKINGINFO | a: CLIENT ID | a: PING | a: GET k
        a: CLIENT CACHING YES | a: NOSUCH command | a: GET k | b: SET k 1 | a: CLIENT CACHING YES | a: GET | a: GET k
        b: SET k 3 | a: CLIENT CACHING YES | a: MULTI | a: GET k | a: GET l | a: EXEC | a: GET m | b: MSET k 1 l 1 m 1
        a: CLIENT CACHING NO | a: CLIENT CACHING MAYBE | a: CLIENT CACHING | a: CLIENT CACHING YES NO""",
    "opt out": """
        a: HELLO 3 | a: CLIENT TRACKING ON OPTOUT | a: GET k | b: SET k 1 | a: CLIENT CACHING NO
        a: CLIENT TRACKINGINFO | a: GET k | a: GET l | b: MSET k 2 l 2 | a: CLIENT CACHING NO | a: MULTI | a: GET k
        a: EXEC | a: GET m
        b: MSET k 1 m 1 | a: CLIENT CACHING YES""",
    "broadcast": """
        a: HELLO 3 | a: CLIENT TRACKING ON BCAST | b: SET k 1 | b: DEL k none | b: MSET k 1 l 2 | b: GET k | b: INCR n
        a: SET own 1 | b: EXPIRE k 100 | b: PERSIST k | b: RENAME k k2 | b: LPUSH x 1 | b: LPOP x | b: SADD s 1 2
        b: SREM s none | b: MULTI | b: SET k 1 | b: SET l 1 | b: SET k 2 | b: EXEC | b: SETNX k 5 | b: COPY k c2
        b: SMOVE s t 1 | b: SUNIONSTORE u s t | b: GETDEL u | b: EXPIRE k -1 | b: SELECT 3 | b: SET k 1
        b: MOVE k 4 | a: CLIENT TRACKING OFF | b: SET k 1""",
    "prefixes": """
        a: HELLO 3 | a: CLIENT TRACKING ON BCAST PREFIX user: PREFIX item: | b: SET user:1 x | b: SET item:1 x
        b: SET other x | b: MSET user:1 1 user:2 2 item:3 3 x 4 | a: CLIENT TRACKING ON BCAST PREFIX more
        b: MSET user:1 1 more 2 | a: CLIENT TRACKINGINFO | a: CLIENT TRACKING ON BCAST PREFIX user:1
        a: CLIENT TRACKING ON BCAST PREFIX q PREFIX qq | a: CLIENT TRACKING ON BCAST PREFIX a PREFIX a
        a: CLIENT TRACKING ON BCAST | b: SET else 1 | a: CLIENT TRACKING ON BCAST
        a: CLIENT TRACKING ON BCAST PREFIX zzz | a: CLIENT TRACKINGINFO""",
    "queued before somebody listens": """
        a: MULTI | a: SET k 1 | a: SET l 1 | b: HELLO 3 | b: CLIENT TRACKING ON BCAST | a: EXEC | a: MULTI | a: SET k 2
        b: CLIENT TRACKING OFF | a: EXEC""",
    "redirect": """
        b: CLIENT ID | b: SUBSCRIBE __redis__:invalidate | a: CLIENT TRACKING ON REDIRECT @b | a: GET k | c: SET k 1
        c: SET k 2 | a: CLIENT GETREDIR | a: CLIENT TRACKINGINFO | c: FLUSHALL | a: GET k | a: SET k 1
        a: CLIENT TRACKING OFF | a: CLIENT TRACKING ON BCAST REDIRECT @b | c: MSET k 1 l 2""",
    "redirect to RESP3": """
        b: HELLO 3 | a: CLIENT TRACKING ON REDIRECT @b | a: GET k | c: SET k 1 | c: FLUSHALL | a: HELLO 3 | c: FLUSHALL
        b: CLIENT TRACKINGINFO | b: GET k | c: SET k 5""",
    "redirect without subscription": """
        a: CLIENT TRACKING ON REDIRECT @b | a: GET k | c: SET k 1 | b: PSUBSCRIBE any | a: GET k | c: SET k 2""",
    "broken redirect": """
        a: HELLO 3 | a: CLIENT TRACKING ON REDIRECT @b | a: GET k | b: QUIT | c: SET k 1 | a: CLIENT TRACKINGINFO
        a: CLIENT GETREDIR | a: GET k | c: SET k 2 | a: CLIENT TRACKING ON | a: CLIENT TRACKINGINFO""",
    "RESP2 without redirect": """
        a: CLIENT TRACKING ON | a: GET k | b: SET k 1 | a: HELLO 3 | a: GET k | b: SET k 2 | a: HELLO 2
        a: CLIENT TRACKINGINFO | a: RESET | a: CLIENT TRACKINGINFO | a: CLIENT GETREDIR""",
    "refusals": """
        a: HELLO 3 | a: CLIENT TRACKING | a: CLIENT TRACKING MAYBE | a: CLIENT TRACKING ON WHAT | a: CLIENT TRACKING ON
        a: CLIENT TRACKING ON BCAST | a: CLIENT TRACKING ON OPTIN OPTOUT | a: CLIENT TRACKING ON PREFIX a
        a: CLIENT TRACKING OFF | a: CLIENT TRACKING ON BCAST OPTIN | a: CLIENT TRACKING ON BCAST OPTOUT
        a: CLIENT TRACKING ON REDIRECT 999999 | a: CLIENT TRACKING ON REDIRECT x | a: CLIENT TRACKING ON REDIRECT
        a: CLIENT TRACKING ON REDIRECT @b REDIRECT @c | a: CLIENT TRACKING OFF PREFIX | a: CLIENT TRACKING OFF NOLOOP
        a: CLIENT TRACKING ON OPTIN | a: CLIENT TRACKING ON OPTOUT | a: CLIENT TRACKING ON | a: CLIENT TRACKINGINFO
        a: CLIENT TRACKING OFF | a: CLIENT TRACKING ON OPTOUT | a: CLIENT TRACKING ON OPTIN | a: CLIENT TRACKING OFF
        a: CLIENT CACHING YES | a: CLIENT CACHING NO | a: CLIENT TRACKING ON | a: CLIENT CACHING YES
        a: CLIENT CACHING NO | a: CLIENT TRACKINGINFO x | a: CLIENT GETREDIR x | a: CLIENT TRACKING OFF WHAT
        a: CLIENT TRACKING on bcast prefix p noloop | a: CLIENT TRACKINGINFO | a: client tracking off""",
    "pipelines": """
        a: HELLO 3 | a: CLIENT TRACKING ON | a: GET k + GET l + SET k 1 + GET k + SET k 2 + GET l | b: SET l 1 + SET k 1
        b: HELLO 3 | b: CLIENT TRACKING ON BCAST | a: SET k 1 + SET l 1 + SET k 2 + GET k | b: SET x 1 + SET x 2 + GET x
        a: GET m + GET m + GET m | b: SET m 1 + SET m 2""",
    "waiting calls": """
        a: HELLO 3 | a: CLIENT TRACKING ON | b: BLPOP x 0 | a: LLEN x | c: RPUSH x 1 | a: LLEN x | c: RPUSH x 1
        a: LLEN x | a: BLPOP x 1 | c: RPUSH x 2""",
}


class Talk:
    """One connection to one of the servers."""

    def __init__(self, port: int) -> None:
        self.link = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.send("CLIENT ID")
        self.number = int(self.line()[1:])

    def send(self, text: str) -> None:
        self.link.sendall(b"".join(command(*shlex.split(each)) for each in text.split(" + ")))

    def line(self) -> bytes:
        found = b""
        while not found.endswith(b"\r\n"):
            found += self.link.recv(1)
        return found

    def close(self) -> None:
        self.link.close()


class Side:
    """The connections `a`, `b` and `c` to one server."""

    def __init__(self, port: int, stack: ExitStack) -> None:
        self.talks = {name: Talk(port) for name in "abc"}
        self.barrier = Talk(port)
        for talk in (*self.talks.values(), self.barrier):
            stack.callback(talk.close)

    def say(self, name: str, text: str) -> dict[str, bytes]:
        """Send a line; return what each connection has received until all is quiet."""
        for other, talk in self.talks.items():
            text = text.replace("@" + other, str(talk.number))
        self.talks[name].send(text)
        found = dict.fromkeys(self.talks, b"")
        for _ in range(2):  # messages leave at the end of the turn in which they are made, so before the second PONG
            self.barrier.send("PING")
            self.barrier.line()
        for each, talk in self.talks.items():
            while talk.link in select.select([talk.link], [], [], 0)[0]:
                piece = talk.link.recv(65_536)
                if not piece:
                    break
                found[each] += piece
        return {each: self._named(data, "CLIENT" in text) for each, data in found.items()}

    def _named(self, data: bytes, has_ids: bool) -> bytes:
        """Write `@b` in place of the ids, which differ."""
        for name, talk in self.talks.items() if has_ids or b"broken" in data else ():
            data = data.replace(b":%d\r\n" % talk.number, b"@%b\r\n" % name.encode())
        return data


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    peer = Redis(tmp_path_factory.mktemp("redis"))
    yield peer
    peer.close()


@pytest.mark.parametrize("story", STORIES, ids=[name.replace(" ", "-") for name in STORIES])
def test_tracking_is_as_in_redis(node: Server, redis: Redis, story: str) -> None:
    redis.ask(command("FLUSHALL"))
    wrong = []
    with ExitStack() as stack:
        ours, theirs = Side(node.resp_port, stack), Side(redis.port, stack)
        for line in (each.strip() for row in STORIES[story].strip().splitlines() for each in row.split(" | ")):
            name, _, text = line.partition(": ")
            found, wanted = ours.say(name, text), theirs.say(name, text)
            wrong += [
                f"{line}: {each} got {found[each]!r}, of Redis {wanted[each]!r}"
                for each in "abc"
                if found[each] != wanted[each] and not text.startswith("HELLO")
            ]
    assert not wrong, "\n".join(wrong)


def test_the_table_of_read_keys_is_bounded(node: Server) -> None:
    with node.resp() as reader, node.resp() as other:
        reader.ask("HELLO", 3)
        reader.ask("CLIENT", "TRACKING", "ON")
        for i in range(20):
            reader.ask("GET", f"k{i}")
        other.ask("CONFIG", "SET", "tracking-table-max-keys", 5)
        told = [reader.read() for _ in range(15)]
        assert told == [[b"invalidate", [f"k{i}".encode()]] for i in range(15)]
        facts = other.ask("INFO", "stats")
        assert b"tracking_total_keys:5\r\ntracking_total_items:5\r\ntracking_total_prefixes:0" in facts
        for turn in range(5):
            reader.send("MGET", *(f"many{turn}:{i}" for i in range(3000)))
            while reader.read() != [None] * 3000:
                continue
        noted = other.ask("INFO", "stats").decode().partition("tracking_total_keys:")[2]
        assert int(noted.split()[0]) <= 3005, "each read forgets as many as it notes"
        assert b"tracking_clients:1" in other.ask("INFO", "clients")
        reader.ask("CLIENT", "TRACKING", "OFF")
        assert b"tracking_total_keys:0" in other.ask("INFO", "stats")


def test_messages_never_stand_within_a_reply(node: Server) -> None:
    """The reply of EXEC is made call by call; what comes up in between goes behind it."""
    with node.resp() as client:
        client.ask("HELLO", 3)
        client.ask("CLIENT", "TRACKING", "ON")
        client.ask("CONFIG", "SET", "tracking-table-max-keys", 1)
        client.ask("GET", "k")
        client.ask("MULTI")
        client.ask("GET", "a")
        client.ask("GET", "b")
        assert client.ask("EXEC") == [None, None]
        assert [client.read(), client.read()] == [[b"invalidate", [b"k"]], [b"invalidate", [b"a"]]]
        client.ask("CLIENT", "TRACKING", "OFF")
        client.ask("SUBSCRIBE", "c")
        client.ask("MULTI")
        for _ in range(3):
            client.ask("PUBLISH", "c", "x" * 600_000)
        client.ask("PING")
        assert client.ask("EXEC") == [1, 1, 1, b"PONG"]
        assert [client.read() for _ in range(3)] == [[b"message", b"c", b"x" * 600_000]] * 3


@pytest.mark.parametrize("state", ["CLIENT TRACKING ON", "SUBSCRIBE c", "MONITOR"])
def test_an_empty_command_is_none(node: Server, state: str) -> None:
    """On connections whose commands take the slow path, too."""
    with node.resp() as client:
        client.ask("HELLO", 3)
        client.ask(*state.split())
        client.send_bytes(b"*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n")
        while client.read() != b"PONG":  # MONITOR shows the PING, too
            continue
        client.send_bytes(b"*1\r\n:4\r\n")
        while not str(told := client.read()).startswith("ERR"):
            continue
        assert str(told) == "ERR Protocol error: expected '$', got ':'"


def test_noloop_is_told_where_it_is_not_known_who_has_changed_a_key(node: Server) -> None:
    """More keys change at once than are listed: all noted keys are forgotten, so their readers have to be told."""
    with node.resp() as client:
        client.ask("HELLO", 3)
        client.ask("CLIENT", "TRACKING", "ON", "NOLOOP")
        names = [f"k{i}" for i in range(HITS_MAX + 1)]
        client.ask("MSET", *(word for name in names for word in (name, "v")))
        client.ask("MGET", "other", *names)
        assert client.ask("DEL", *names) == len(names)
        assert client.read() == [b"invalidate", [b"other"]]


def test_noloop_and_restore(node: Server) -> None:
    with node.resp() as client, node.resp() as other:
        client.ask("HELLO", 3)
        client.ask("CLIENT", "TRACKING", "ON", "BCAST", "NOLOOP")
        client.ask("SET", "k", "v")
        payload = client.ask("DUMP", "k")
        assert other.ask("RESTORE", "theirs", 0, payload) == b"OK"
        assert client.read() == [b"invalidate", [b"theirs"]]
        assert client.ask("RESTORE", "own", 0, payload) == b"OK"
        assert client.ask("PING") == b"PONG"


def test_who_has_gone_is_no_reader_for_ever(node: Server) -> None:
    with node.resp() as first:
        first.ask("CLIENT", "TRACKING", "ON")
        first.ask("GET", "k")
        for _ in range(2 * READERS_LOOKED_AT):
            with node.resp() as reader:
                reader.ask("CLIENT", "TRACKING", "ON")
                reader.ask("GET", "k")
        facts = first.ask("INFO", "stats").decode()
        assert int(facts.partition("tracking_total_items:")[2].split()[0]) <= READERS_LOOKED_AT


def test_many_prefixes(node: Server) -> None:
    with node.resp() as client, node.resp() as other:
        client.ask("HELLO", 3)
        words = [word for i in range(PREFIXES_MAX) for word in ("PREFIX", f"p{i:05}")]
        assert client.ask("CLIENT", "TRACKING", "ON", "BCAST", *words) == b"OK"
        other.ask("MSET", "p00001", 1, "p0", 1, "p09999:x", 1, "p10000", 1)
        assert [client.read(), client.read()] == [[b"invalidate", [b"p00001"]], [b"invalidate", [b"p09999:x"]]]
        refusal = client.ask("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "more")
        assert str(refusal) == f"ERR too many prefixes, at most {PREFIXES_MAX} for a client"


def test_a_key_with_many_readers(node: Server) -> None:
    with ExitStack() as stack:
        readers = [stack.enter_context(node.resp()) for _ in range(20)]
        for reader in readers:
            reader.ask("HELLO", 3)
            reader.ask("CLIENT", "TRACKING", "ON")
            for _ in range(2):
                reader.ask("MGET", "k", "l")
        with node.resp() as other:
            assert b"tracking_total_keys:2\r\ntracking_total_items:40" in other.ask("INFO", "stats")
            other.ask("SET", "k", "v")
            assert [reader.read() for reader in readers] == [[b"invalidate", [b"k"]]] * 20
            assert b"tracking_total_keys:1\r\ntracking_total_items:20" in other.ask("INFO", "stats")


def test_keys_that_are_evicted_for_an_own_call_are_told(serve: Callable[..., Server]) -> None:
    """The evicted key is no change of the session's own. With OPTIN the call that evicts is made in the lane."""
    for options in ([], ["OPTIN"]):
        node = serve({"kv_store.max_memory_mb": 16, "kv_store.eviction_policy": "ttl"}).start()
        with node.resp() as client, node.resp() as other:
            client.ask("HELLO", 3)
            client.ask("CLIENT", "TRACKING", "ON", "NOLOOP", *options)
            client.ask("SET", "first", "v", "EX", 100)
            client.ask("CLIENT", "CACHING", "YES")
            client.ask("GET", "first")
            received = []
            while other.ask("EXISTS", "first"):
                client.send("SET", f"fill{len(received)}", "x" * 100_000, "EX", 10_000)
                received.append(client.read())
            client.send("PING")
            while received[-1] != b"PONG":
                received.append(client.read())
            assert [one for one in received if one not in (b"OK", b"PONG")] == [[b"invalidate", [b"first"]]]


def test_keys_that_expire_or_are_evicted_are_told(serve: Callable[..., Server]) -> None:
    node = serve({"kv_store.max_memory_mb": 16, "kv_store.eviction_policy": "ttl"}).start()
    with node.resp() as reader, node.resp() as other:
        reader.ask("HELLO", 3)
        reader.ask("CLIENT", "TRACKING", "ON")
        other.ask("SET", "short", "v", "PX", 30)
        reader.ask("GET", "short")
        assert reader.read() == [b"invalidate", [b"short"]]
        other.ask("SET", "first", "v", "EX", 100)
        reader.ask("GET", "first")
        count = 0
        while other.ask("EXISTS", "first"):  # the key that expires first is evicted whenever it is drawn
            assert other.ask("SET", f"fill{count}", "x" * 100_000, "EX", 10_000) == b"OK"
            count += 1
        assert reader.read() == [b"invalidate", [b"first"]]
