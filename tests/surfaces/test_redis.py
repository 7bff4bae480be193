"""The rows beside a real Redis (7.0): the same commands are answered with the same bytes.

Both are asked the same words in the same order, right and wrong ones: by hand (`redis_cases.txt`, a block at a time,
each from nothing), drawn by chance, and as bytes that are no array of words. What differs on purpose is in
`DIFFERENCES`. Numbers that count time from now may differ by the time between the two questions.

What Redis says to the cases by hand is recorded in `redis_replies.txt`, line by line: so each row that runs in Python
has a twin that needs no Redis. With a Redis the record is compared with it.

    python -m pytest -m campaign tests/surfaces/test_redis.py        300,000 random commands
    PYTHONPATH=. python tests/surfaces/test_redis.py                 records the replies again
"""

from collections import Counter
from itertools import zip_longest
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from peers import Peer, told
from surfaces import Surfaces

from synap.commands import CATALOGUE
from synap.engine.resp.encoding import split_line
from tests.support import Bench, command, decode

KEYS = [b"a", b"b", b"c", b"n", b"f", b"l", b"s", b""]
VALUES = [b"v", b"", b"10", b"-3", b"1.5", b"3.0e3", b"text of words", b"\x00\xff", b"x" * 1100, b"y" * 70_000]
NUMBERS = [b"0", b"1", b"-1", b"3", b"-4", b"100", b"9223372036854775807", b"-9223372036854775808", b"x", b"", b"1.5",
           b" 1", b"+1", b"01"]  # fmt: skip
REALS = [b"0.5", b"-2.25", b"3", b"1e2", b"x", b"", b" 1", b"0", b"10.25", b"nan", b"inf", b"1.5.2"]
AHEAD = [b"100", b"5000", b"100000000", b"0", b"-1", b"x", b"9223372036854775807", b"-9223372036854775808"]
MOMENTS = [b"4102444800", b"5102444800", b"1", b"0", b"-7", b"x", b"9223372036854775807"]
CONDITIONS = [b"NX", b"xx", b"GT", b"lt", b"what"]
GLOBS = [b"*", b"?", b"[ab]", b"[^a]*", b"none", b"\\a", b""]
SPACES = [b"0", b"1", b"2", b"15", b"16", b"-1", b"x"]
SET_OPTIONS = [[b"NX"], [b"xx"], [b"GET"], [b"KEEPTTL"], [b"what"]]
SCAN_OPTIONS = [[], [b"MATCH", b"[ab]"], [b"COUNT", b"x"], [b"count", b"0"], [b"TYPE", b"list"], [b"type", b"what"]]
COUNTED = ("PTTL", "TTL", "EXPIRETIME", "PEXPIRETIME")
SORTED = ("KEYS", "SMEMBERS")
CASES = (Path(__file__).parent / "redis_cases.txt").read_text().split("\n\n")
REPLIES = Path(__file__).parent / "redis_replies.txt"
DIFFERS = "differs"
"""The record of a reply that differs on purpose, and so may differ from time to time."""
ELSEWHERE = {"QUIT": "ends the connection: see WIRES"}
"""Rows in Python whose scenario is not among the cases, and where it is."""
DIFFERENCES = {
    "who we are": "HELLO ROLE LOLWUT ACL|LIST",
    "our own words": "MEMORY|HELP MEMORY|DOCTOR LATENCY|DOCTOR OBJECT|HELP DEBUG|HELP CONFIG|GET CONFIG|SET "
                     "CLIENT|HELP CONFIG|HELP SLOWLOG|HELP LATENCY|HELP ACL|HELP MODULE|HELP PUBSUB|HELP",
    "numbers of DEBUG must be numbers, and its arity is that of each subcommand": "DEBUG",
    "exact decimals in the range of doubles, where Redis rounds to 64 bits and reads hexadecimal": "INCRBYFLOAT",
    "COMMAND is one row, and tells what the table knows": "COMMAND",
    "from Redis 8": "DELEX",
    "clustering and tracking are still to come": "READONLY READWRITE ASKING CLIENT|TRACKING CLIENT|TRACKINGINFO",
    "EXEC with arguments leaves the transaction open for an EXEC without": "EXEC+",
}
"""Why replies differ, and the commands (with their subcommands; `+`: only with arguments) that do."""
ALIKE_IF_REFUSED = ("HELLO", "ROLE", "LOLWUT", "OBJECT")
NAMES = (
    "SET SET SET GET GET GETEX GETSET GETDEL SETNX SETEX PSETEX INCR INCRBY DECR DECRBY INCRBYFLOAT INCRBYFLOAT APPEND "
    "STRLEN GETRANGE GETRANGE SUBSTR SETRANGE SETRANGE MGET MSET MSETNX DEL UNLINK EXISTS TOUCH TYPE TTL PTTL PERSIST "
    "EXPIRE EXPIRE PEXPIRE EXPIREAT PEXPIREAT EXPIRETIME PEXPIRETIME RENAME RENAMENX COPY COPY MOVE SWAPDB KEYS "
    "SCAN RPUSH SADD SMEMBERS SELECT"
).split()


class Words:
    """Commands drawn by chance; every tenth is spoilt.

    No DBSIZE, which in Redis counts what has expired until somebody meets it; decimals are sums of powers of two.
    """

    def __init__(self, chance: Random) -> None:
        self.chance = chance

    def next(self) -> list[bytes]:
        name = self.chance.choice(NAMES) if self.chance.random() > 0.001 else "FLUSHDB"
        words = [name.encode(), *self.arguments(name)]
        if self.chance.random() < 0.1 and name != "SCAN":  # whose windows and odd cursors lead elsewhere
            at = self.chance.randrange(len(words))
            match self.chance.randrange(3):
                case 0 if at:
                    del words[at]
                case 1:
                    words.append(self.chance.choice(VALUES[:7]))
                case _ if at:
                    words[at] = self.chance.choice(NUMBERS + VALUES[:7])
        return words

    def arguments(self, name: str) -> list[bytes]:
        one, key = self.chance.choice, self.chance.choice(KEYS)
        value = one(VALUES[:8]) if self.chance.random() < 0.95 else one(VALUES)
        several = range(self.chance.randint(1, 4))
        match name:
            case "SET":
                options = [*SET_OPTIONS, [b"EX", one(AHEAD)], [b"px", one(AHEAD)], [b"EXAT", one(MOMENTS)],
                           [b"PXAT", one(MOMENTS)]]  # fmt: skip
                drawn = self.chance.sample(options, self.chance.choice((0, 0, 1, 2, 3)))
                return [key, value, *(word for option in drawn for word in option)]
            case "GETEX":
                ways = ([], [b"PERSIST"], [b"EX", one(AHEAD)], [b"PX", one(AHEAD)], [b"exat", one(MOMENTS)], [b"NX"])
                return [key, *one(ways)]
            case "GETSET" | "SETNX" | "APPEND" | "RPUSH" | "SADD":
                return [one((b"l", key)) if name == "RPUSH" else one((b"s", key)) if name == "SADD" else key, value]
            case "SETEX" | "PSETEX":
                return [key, one(AHEAD), value]
            case "INCRBY" | "DECRBY":
                return [one((b"n", key)), one(NUMBERS)]
            case "INCRBYFLOAT":
                return [one((b"f", key)), one(REALS)]
            case "GETRANGE" | "SUBSTR":
                return [key, one(NUMBERS), one(NUMBERS)]
            case "SETRANGE":
                return [key, one((b"0", b"3", b"100", b"1100", b"-1", b"x", b"9223372036854775807")), value]
            case "MGET" | "DEL" | "UNLINK" | "EXISTS" | "TOUCH":
                return [one(KEYS) for _ in several]
            case "MSET" | "MSETNX":
                return [word for _ in several for word in (one(KEYS), one(VALUES[:8]))]
            case "EXPIRE" | "PEXPIRE":
                return [key, one(AHEAD), *self.chance.choices(CONDITIONS, k=self.chance.choice((0, 0, 1, 2)))]
            case "EXPIREAT" | "PEXPIREAT":
                return [key, one(MOMENTS), *self.chance.choices(CONDITIONS, k=self.chance.choice((0, 0, 1, 2)))]
            case "RENAME" | "RENAMENX":
                return [key, one(KEYS)]
            case "COPY":
                options = ([], [b"REPLACE"], [b"DB", one(SPACES)], [b"replace", b"db", one(SPACES)], [b"what"])
                return [key, one(KEYS), *one(options)]
            case "MOVE":
                return [key, one(SPACES)]
            case "SWAPDB":
                return [one(SPACES), one(SPACES)]
            case "SELECT":
                return [one(SPACES[:4])]
            case "KEYS":
                return [one(GLOBS)]
            case "SCAN":
                return [b"0", b"COUNT", b"1000", *one(SCAN_OPTIONS)]
            case "FLUSHDB":
                return []
        return [key]


def deliberate(words: list[bytes], ours: bytes = b"") -> str:
    """Why the replies to a command may differ, or nothing."""
    name = words[0].upper().decode("latin-1")
    if name in ALIKE_IF_REFUSED and ours[:1] == b"-":
        return ""
    names = {name, "|".join([name, *(word.upper().decode("latin-1") for word in words[1:2])])}
    if len(words) > 1:
        names.add(f"{name}+")
    if words[1:2] and any(word.upper() in (b"IFEQ", b"IFNE") for word in words):
        return "from Redis 8"
    return next((why for why, listed in DIFFERENCES.items() if names & set(listed.split())), "")


def alike(name: str, ours: bytes, theirs: bytes) -> bool:
    """Are they the same, but for order where there is none and for the time between the questions?"""
    if ours == theirs:
        return True
    mine, their = decode(ours)[0], decode(theirs)[0]
    if name in COUNTED and isinstance(mine, int) and isinstance(their, int):
        return mine > 0 and abs(mine - their) <= (1000 if name[0] == "P" else 1)
    if isinstance(mine, list) and isinstance(their, list):
        if name == "SCAN":
            return mine[0] == their[0] and set(mine[1]) == set(their[1])  # Redis may repeat keys while it rehashes
        return name in SORTED and sorted(mine) == sorted(their)
    return False


def compare(redis: Peer, seed: int, count: int) -> None:
    surfaces, draw, seen = Surfaces(), Words(Random(seed)), Counter[str]()
    done: list[list[bytes]] = []
    for words in ([b"SELECT", b"0"], [b"FLUSHALL"], *(draw.next() for _ in range(count))):
        sent = command(*words)
        theirs, ours = redis.ask(sent), told(surfaces, sent)
        done.append(words)
        name = words[0].decode()
        if not alike(name, ours, theirs):
            said = f"{words!r:.300} (number {len(done)}): ours {ours[:200]!r}, Redis {theirs[:200]!r}"
            assert deliberate(words, ours), f"{said}, after {done[-6:-1]!r:.900}"
            seen["differs"] += 1
        seen["refused" if theirs[:1] == b"-" else name] += 1
    assert set(NAMES) <= set(seen) and seen["refused"] > count // 50
    assert seen["differs"] < count // 20


def record(redis: Peer) -> str:
    """What Redis says to each line of the cases, as the text of `redis_replies.txt`."""
    blocks = []
    for block in CASES:
        redis.ask(command("RESET"))
        redis.ask(command("FLUSHALL"))
        said = [(words, redis.ask(command(*words))) for words in map(split_line, block.encode().splitlines())]
        blocks.append([DIFFERS if deliberate(words) else ascii(reply)[2:-1] for words, reply in said])
    return "\n\n".join("\n".join(lines) for lines in blocks) + "\n"


def recorded() -> list[list[bytes]]:
    """The replies of each block of the cases."""
    text = REPLIES.read_text()
    return [[line.encode().decode("unicode_escape").encode("latin-1") for line in block.splitlines()]
            for block in text.split("\n\n")]  # fmt: skip


@pytest.mark.parametrize("at", range(len(CASES)), ids=[f"{i} {block.split()[0]}" for i, block in enumerate(CASES)])
def test_by_hand(store: type[Bench], at: int) -> None:
    surfaces, wrong = Surfaces(), []
    surfaces.resp("CONFIG", "SET", "slowlog-log-slower-than", "-1")  # a busy machine would fill it
    for line, theirs in zip_longest(CASES[at].splitlines(), recorded()[at]):
        words = split_line(line.encode())
        ours = surfaces.resp_bytes(command(*words))
        if theirs != DIFFERS.encode() and not alike(words[0].decode().upper(), ours, theirs):
            wrong.append(f"{line}: ours {ours[:200]!r}, Redis {theirs[:200]!r}")
    assert not wrong, "\n".join(wrong)


def test_the_record_is_what_redis_says(redis: Peer) -> None:
    assert REPLIES.read_text() == record(redis), "run this file, see its docstring"


def test_each_row_in_python_has_a_scenario(redis: Peer) -> None:
    """A row with a handler that Redis has too stands beside Redis in at least one case."""
    lines = [split_line(line.encode()) for block in CASES for line in block.splitlines()]
    said = {b"|".join(words[:size]).upper().decode("latin-1") for words in lines for size in (1, 2)}
    wanted = {row.resp for row in CATALOGUE.rows if row.handler and row.resp}
    known = {word for word in wanted if decode(redis.ask(command("COMMAND", "INFO", word)))[0] != [None]}
    assert len(known) > 80 and known - said == set(ELSEWHERE)


def test_every_difference_is_one(store: type[Bench], redis: Peer) -> None:
    """A reason that excuses nothing any more must go."""
    surfaces, left = Surfaces(), set(DIFFERENCES)
    for block in CASES:
        redis.ask(command("RESET"))
        redis.ask(command("FLUSHALL"))
        surfaces.resp_bytes(command("RESET"))
        surfaces.resp_bytes(command("FLUSHALL"))
        for line in block.splitlines():
            words = split_line(line.encode())
            if redis.ask(command(*words)) != surfaces.resp_bytes(command(*words)):
                left.discard(deliberate(words))
    assert not left


WIRES = [
    b'PING\r\n',
    b'ping\n',
    b"SET k 'a b'\r\nGET k\r\n",
    b'SET k "\\x00\\n"\r\nGET k\r\n',
    b'\r\n\r\nPING\r\n',
    b"GET 'a\r\n",
    b"*1\r\n$4\r\nPING\r\n" * 3,
    b'*0\r\nPING\r\n',
    b'*-1\r\nPING\r\n',
    b'*x\r\n',
    b'*1\r\n:4\r\n',
    b'*1\r\n$x\r\n',
    b'*1\r\n$-1\r\n',
    b'*99999999999\r\n',
    b'*1\r\n$536870913\r\n',
    b'*2\r\n$4\r\nECHO\r\n$2\r\n\xff\x00\r\n',
    b'SET k v extra words\r\nGET none\r\n',
    b'QUIT\r\nPING\r\n',
    b'MULTI\r\nSET k v\r\nQUIT now\r\nEXEC\r\n',
    b'POST / HTTP/1.1\r\n',
    b'HELLO 2 what\r\nHELLO 3 SETNAME\r\nHELLO 4\r\nHELLO x\r\n',
    b'*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n',
    b'*1\r\n$5\r\n\xff\xfe\xfd\r\n\r\n',
    b"A" * 70_000,
]


@pytest.mark.parametrize("data", WIRES, ids=range(len(WIRES)))
def test_bytes_on_the_wire(store: type[Bench], redis: Peer, data: bytes) -> None:
    redis.ask(command("FLUSHALL"))
    assert told(Surfaces(), data) == redis.talk(data)


@pytest.mark.parametrize("seed", range(2))
def test_answers_of_redis(store: type[Bench], redis: Peer, seed: int) -> None:
    compare(redis, seed, 4000)


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(100, 110))
def test_answers_of_redis_for_long(store: type[Bench], redis: Peer, seed: int) -> None:
    compare(redis, seed, 30_000)


if __name__ == "__main__":
    with TemporaryDirectory() as directory:
        peer = Peer(Path(directory))
        REPLIES.write_text(record(peer))
        peer.close()
