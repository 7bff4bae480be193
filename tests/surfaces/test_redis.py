"""The rows beside a real Redis (7.0): the same commands are answered with the same bytes.

Both are asked the same words in the same order, right and wrong ones: by hand (`cases/*.txt`, a block at a time, each
from nothing), drawn by chance (`draws/*.py`), and as bytes that are no array of words. What differs on purpose is in
`DIFFERENCES`. Numbers that count time from now may differ by the time between the two questions.

What Redis says to the cases by hand is recorded in `cases/*.replies.txt`, line by line: so each row that runs in
Python has a twin that needs no Redis. With a Redis the record is compared with it.

    python -m pytest -m campaign tests/surfaces/test_redis.py        300,000 random commands
    PYTHONPATH=. python tests/surfaces/test_redis.py                 records the replies again
"""

import re
from collections import Counter
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import pytest
from peers import Peer, told
from surfaces import Surfaces

from synap.commands import CATALOGUE
from synap.engine.resp.encoding import split_line
from tests.support import Bench, command, decode
from tests.surfaces.draws import NUMBERS, VALUES

PLACE = Path(__file__).parent
FILES = sorted(path for path in (PLACE / "cases").glob("*.txt") if not path.name.endswith(".replies.txt"))
CASES = {path: path.read_text().removesuffix("\n").split("\n\n") for path in FILES}
DRAWS = [import_module(f"tests.surfaces.draws.{path.stem}") for path in sorted((PLACE / "draws").glob("[a-z]*.py"))]
BASE = import_module("tests.surfaces.draws.strings_keys")
OWNER = {name: draw for draw in DRAWS for name in draw.NAMES}
COUNTED = {name for draw in DRAWS for name in draw.COUNTED}
SORTED = {name for draw in DRAWS for name in draw.SORTED}
DRAWN = {name for draw in DRAWS for name in getattr(draw, "DRAWN", ())}
DIFFERS = "differs"
"""The record of a reply that differs on purpose, and so may differ from time to time."""
ELSEWHERE = {"QUIT": "ends the connection: see WIRES", "MONITOR": "see tests/server/test_monitor.py",
             "CLIENT|CACHING": "see tests/server/test_tracking.py"}  # fmt: skip
"""Rows in Python whose scenario is not among the cases, and where it is."""
DIFFERENCES = {
    "who we are": "HELLO ROLE LOLWUT ACL|LIST",
    "our own words": "MEMORY|HELP MEMORY|DOCTOR LATENCY|DOCTOR OBJECT|HELP DEBUG|HELP CONFIG|GET CONFIG|SET "
                     "CLIENT|HELP CONFIG|HELP SLOWLOG|HELP LATENCY|HELP ACL|HELP MODULE|HELP PUBSUB|HELP "
                     "SCRIPT|HELP FUNCTION|HELP XGROUP|HELP XINFO|HELP",
    "numbers of DEBUG must be numbers, and its arity is that of each subcommand": "DEBUG",
    "exact decimals in the range of doubles, where Redis rounds to 64 bits and reads hexadecimal": "INCRBYFLOAT",
    "COMMAND is one row, and tells what the table knows": "COMMAND",
    "from Redis 8": "DELEX",
    "scripts are not debugged": "SCRIPT|DEBUG",
    "payloads are in the oldest form, which every Redis reads": "DUMP FUNCTION|DUMP",
    "clustering is still to come": "READONLY READWRITE ASKING",
    "EXEC with arguments leaves the transaction open for an EXEC without": "EXEC+",
}
"""Why replies differ, and the commands (with their subcommands; `+`: only with arguments) that do."""
ALIKE_IF_REFUSED = ("HELLO", "ROLE", "LOLWUT", "OBJECT")
TWO_MISTAKES = ("COPY", "LPOS", "SETBIT", "BITPOS", "ZPOPMIN", "ZPOPMAX", "ZUNION", "ZINTER", "ZDIFF", "ZUNIONSTORE",
                "ZINTERSTORE", "ZDIFFSTORE", "ZINTERCARD", "ZMPOP", "BZMPOP", "SWAPDB", "SRANDMEMBER", "HRANDFIELD",
                "SINTERCARD", "XADD", "XRANGE", "XREVRANGE", "XREADGROUP", "XGROUP", "XPENDING", "XCLAIM", "XAUTOCLAIM",
                "XTRIM", "XSETID", "XINFO")  # fmt: skip
"""Commands that name another one of two mistakes: here one in a later word, in Redis a number out of range."""
KEPT = {"SCAN"} | {row.resp for row in CATALOGUE.rows if row.waits}
"""Commands that are not spoilt: windows and odd cursors of SCAN lead elsewhere, and a wrong timeout may be long."""
TIMED = ("SET", "GETEX", "SETEX", "PSETEX", "EXPIRE", "PEXPIRE", "XPENDING", "XCLAIM", "XAUTOCLAIM")
SHORT = {b"1", b"3", b"10", b"100", b"01", b"+1"}
"""Times so short that one of the two servers may be asked before their end and the other one behind it."""
READ_FIRST = ("BITCOUNT", "BITPOS", "SSCAN")
"""Commands that refuse wrong arguments also where the key is missing or of another kind; BIT... as since Redis 7.2."""


class Words:
    """Commands of a family, and half as many of strings and keys, drawn by chance; every tenth is spoilt."""

    def __init__(self, draw: ModuleType, chance: Random) -> None:
        self.chance = chance
        self.draw, self.beside = draw, getattr(draw, "BESIDE", ())
        names = [*draw.NAMES, *self.beside]
        self.names = [*names, *chance.choices(BASE.NAMES, k=len(names) // 2)]

    def next(self) -> list[bytes]:
        name = self.chance.choice(self.names) if self.chance.random() > 0.001 else "FLUSHDB"
        owner = self.draw if name in self.beside else OWNER.get(name)
        words = [name.encode(), *(owner.arguments(self.chance, name) if owner else [])]
        if self.chance.random() < 0.1 and name not in KEPT and name not in self.beside:
            at = self.chance.randrange(len(words))
            wrong = [word for word in NUMBERS + VALUES[:7] if name not in TIMED or word not in SHORT]
            match self.chance.randrange(3):
                case 0 if at:
                    del words[at]
                case 1:
                    words.append(self.chance.choice(wrong))
                case _ if at:
                    words[at] = self.chance.choice(wrong)
        return words


def deliberate(words: list[bytes], ours: bytes = b"") -> str:
    """Why the replies to a command may differ, or nothing."""
    name = words[0].upper().decode("latin-1")
    if name in ALIKE_IF_REFUSED and ours[:1] == b"-":
        return ""
    names = {name, "|".join([name, *(word.upper().decode("latin-1") for word in words[1:2])])}
    if len(words) > 1:
        names.add(f"{name}+")
    if name in READ_FIRST and ours[:1] == b"-":
        return "arguments are read before the key"
    if words[1:2] and any(word.upper() in (b"IFEQ", b"IFNE") for word in words):
        return "from Redis 8"
    if name == "HINCRBYFLOAT" and len(ours) > len("$20\r\n\r\n") + 20:
        return "exact decimals, where Redis rounds to 64 bits"
    if ours.startswith(b"-INVALIDOBJ"):
        return "a sketch is looked at as a whole before any of it is used"
    if "OBJECT|ENCODING" in names and ours == b"$8\r\nlistpack\r\n":
        return "small sets and lists are named as since Redis 7.2"
    if ours.startswith(b"-ERR Unbalanced '"):
        return "worded as since Redis 7.2"
    if name == "XPENDING" and len(words) > 7 and ours == b"-ERR syntax error\r\n":
        return "words behind the last argument are refused"
    if name == "XREAD" and ours == b"-ERR syntax error\r\n" and {word.upper() for word in words} & {b"GROUP", b"NOACK"}:
        return "the options of XREADGROUP are unknown to XREAD"
    if name == "XCLAIM" and len(words) > 5 and ours.startswith(b"-ERR wrong number"):
        return "options without an id are refused"
    if b"current max_deleted_entry_id" in ours:
        return "an id that Redis 7.2 refuses"
    if name == "LPOS" and b"-9223372036854775808" in words:
        return "a rank that Redis 7.2 refuses"
    if name in ("ZRANK", "ZREVRANK") and len(words) > 3:
        return "WITHSCORE is from Redis 7.2"
    return next((why for why, listed in DIFFERENCES.items() if names & set(listed.split())), "")


def spelled(reply: Any) -> Any:
    """A reply with its scores as numbers: Redis 7.0 spells them with 17 digits, 7.2 with as many as they need."""
    if isinstance(reply, list):
        return [spelled(each) for each in reply]
    if isinstance(reply, bytes) and re.fullmatch(rb"-?[0-9.]+(e[+-][0-9]+)?", reply):
        return float(reply)
    return reply


def alike(name: str, ours: bytes, theirs: bytes) -> bool:
    """Are they the same, but for order where there is none and for the time between the questions?"""
    if ours == theirs or (name in TWO_MISTAKES and ours[:1] == theirs[:1] == b"-"):
        return True
    if name in ("XPENDING", "XINFO") and timeless(name, as_in_7_0(ours)) == timeless(name, theirs):
        return True
    mine, their = decode(ours)[0], decode(theirs)[0]
    if name[:1] == "Z" and spelled(mine) == spelled(their):
        return True
    if name in COUNTED and isinstance(mine, int) and isinstance(their, int):
        return mine > 0 and abs(mine - their) <= (1000 if name[0] == "P" else 1)
    if isinstance(mine, list) and isinstance(their, list):
        if name == "HGETALL":
            fields = [sorted(zip(each[::2], each[1::2], strict=True)) for each in (mine, their)]
            return fields[0] == fields[1]
        if name in ("SCAN", "SSCAN"):
            return mine[0] == their[0] and set(mine[1]) == set(their[1])  # Redis may repeat keys while it rehashes
        return (name in SORTED and sorted(mine) == sorted(their)) or (name in DRAWN and len(mine) == len(their))
    return name in DRAWN and isinstance(mine, bytes) and isinstance(their, bytes)


IDLE_MS = 10_000
"""Times up to now are compared in units of this."""
SINCE_7_2 = [
    (re.compile(rb"%b(\r\n\$4\r\nname\r\n(?:(?!%b).)*)%b\r\n:-?\d+\r\n" % (re.escape(had), fact, fact), re.DOTALL), has)
    for fact, pairs in ((rb"\$8\r\ninactive", ((b"*8", b"*6"), (b"%4", b"%3"))),
                        (rb"\$11\r\nactive-time", ((b"*10", b"*8"), (b"%5", b"%4"))))
    for had, has in pairs
]  # fmt: skip
"""The descriptions of a consumer with what only Redis 7.2 tells, and how those without it begin."""


def timeless(name: str, reply: bytes) -> bytes:
    """A reply about pending entries or consumers without the time from a moment of the test to now."""
    if name == "XINFO":
        reply = re.sub(rb":1\d{12}\r\n", b":now\r\n", reply)
        return re.sub(rb"(\$4\r\nidle\r\n:)(\d+)", rounded, reply)
    return re.sub(rb"(:)(\d+)(?=\r\n:)", rounded, reply) if name == "XPENDING" else reply


def rounded(found: re.Match[bytes]) -> bytes:
    """A time up to now as a number of whole units, and one from about 1970 on as that."""
    since = int(found[2]) // IDLE_MS * IDLE_MS
    return found[1] + (b"all" if since > 1 << 40 else b"%d" % since)


def as_in_7_0(reply: bytes) -> bytes:
    """A reply of XINFO without what Redis tells since 7.2."""
    for description, has in SINCE_7_2:
        reply = description.sub(has + rb"\1", reply)
    return reply


def create_consumers(redis: Peer, words: list[bytes]) -> None:
    """Create the consumer of a call, as it does itself since Redis 7.2, also if it gets nothing."""
    if words[0] in (b"XCLAIM", b"XAUTOCLAIM"):
        redis.ask(command("XGROUP", "CREATECONSUMER", *words[1:4]))
    if words[0] == b"XREADGROUP":
        streams = words[[word.upper() for word in words].index(b"STREAMS") + 1 :]
        for key in streams[: len(streams) // 2]:
            redis.ask(command("XGROUP", "CREATECONSUMER", key, *words[2:4]))


def compare(redis: Peer, draw: ModuleType, seed: int, count: int) -> None:
    surfaces, words_of, seen = Surfaces(), Words(draw, Random(seed)), Counter[str]()
    redis.talk(command("PING"))  # accepting it clears errno: Redis' SORT fails while that is ERANGE
    done: list[list[bytes]] = []
    redis.ask(command("CONFIG", "SET", "hz", "500"))  # else Redis may see the end of a timeout 100 ms late
    for words in ([b"SELECT", b"0"], [b"FLUSHALL"], *(words_of.next() for _ in range(count))):
        sent = command(*words)
        theirs, ours = redis.ask(sent), told(surfaces, sent)
        done.append(words)
        name = words[0].decode()
        if ours[:1] != b"-":
            create_consumers(redis, words)
        if not alike(name, ours, theirs):
            said = f"{words!r:.300} (number {len(done)}): ours {ours[:200]!r}, Redis {theirs[:200]!r}"
            assert deliberate(words, ours), f"{said}, after {done[-6:-1]!r:.900}"
            seen["differs"] += 1
            if words[1:]:  # what was stored may differ as well
                told(surfaces, command("DEL", words[1]))
                redis.ask(command("DEL", words[1]))
        seen["refused" if theirs[:1] == b"-" else name] += 1
    redis.ask(command("CONFIG", "SET", "hz", "10"))
    assert set(draw.NAMES) <= set(seen) and seen["refused"] > count // 50
    assert seen["differs"] < count // 20


def replies_of(path: Path) -> Path:
    """The file with what Redis says to the cases of a file."""
    return path.with_suffix(".replies.txt")


def record(redis: Peer, path: Path) -> str:
    """What Redis says to each line of the cases in a file, as the text of its record."""
    blocks = []
    redis.talk(command("PING"))  # as in `compare`
    redis.ask(command("CONFIG", "SET", "slowlog-log-slower-than", "-1"))  # a busy machine would fill it
    for block in CASES[path]:
        redis.ask(command("RESET"))
        redis.ask(command("FLUSHALL"))
        lines = map(split_line, block.encode().splitlines())
        said = [(words, steady(words[0].decode().upper(), redis.ask(command(*words)))) for words in lines]
        blocks.append([DIFFERS if deliberate(words) else ascii(reply)[2:-1] for words, reply in said])
    return "\n\n".join("\n".join(lines) for lines in blocks) + "\n"


def steady(name: str, reply: bytes) -> bytes:
    """A reply without what differs from time to time."""
    return timeless(name, in_order(name, reply))


def in_order(name: str, reply: bytes) -> bytes:
    """A set of texts sorted, as each Redis has another order; any other reply as it is."""
    if name not in ("SMEMBERS", "SINTER", "SUNION", "SDIFF") or reply[:1] not in (b"*", b"~"):
        return reply
    members = sorted(decode(reply)[0])
    return reply[: reply.index(b"\r\n") + 2] + b"".join(b"$%d\r\n%b\r\n" % (len(each), each) for each in members)


def recorded(path: Path) -> list[list[bytes]]:
    """The replies of each block of the cases in a file."""
    text = replies_of(path).read_text().removesuffix("\n")
    return [[line.encode().decode("unicode_escape").encode("latin-1") for line in block.splitlines()]
            for block in text.split("\n\n")]  # fmt: skip


BLOCKS = [(path, at) for path, blocks in CASES.items() for at in range(len(blocks))]


@pytest.mark.parametrize(
    ("path", "at"), BLOCKS, ids=[f"{path.stem} {at} {CASES[path][at].split()[0]}" for path, at in BLOCKS]
)
def test_by_hand(store: type[Bench], path: Path, at: int) -> None:
    surfaces, wrong = Surfaces(), []
    surfaces.resp("CONFIG", "SET", "slowlog-log-slower-than", "-1")  # a busy machine would fill it
    for line, theirs in zip_longest(CASES[path][at].splitlines(), recorded(path)[at]):
        words = split_line(line.encode())
        ours = told(surfaces, command(*words))
        if theirs == DIFFERS.encode() or alike(words[0].decode().upper(), ours, theirs):
            continue
        if not deliberate(words, ours):
            wrong.append(f"{line}: ours {ours[:200]!r}, Redis {theirs[:200]!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_record_is_what_redis_says(redis: Peer, path: Path) -> None:
    assert replies_of(path).read_text() == record(redis, path), "run this file, see its docstring"


def test_each_row_in_python_has_a_scenario(redis: Peer) -> None:
    """A row with a handler that Redis has too stands beside Redis in at least one case."""
    lines = [split_line(line.encode()) for blocks in CASES.values() for block in blocks for line in block.splitlines()]
    said = {b"|".join(words[:size]).upper().decode("latin-1") for words in lines for size in (1, 2)}
    wanted = {row.resp for row in CATALOGUE.rows if row.handler and row.resp}
    known = {word for word in wanted if decode(redis.ask(command("COMMAND", "INFO", word)))[0] != [None]}
    assert len(known) > 80 and known - said == set(ELSEWHERE)


def test_every_difference_is_one(store: type[Bench], redis: Peer) -> None:
    """A reason that excuses nothing any more must go."""
    surfaces, left = Surfaces(), set(DIFFERENCES)
    for block in (block for blocks in CASES.values() for block in blocks):
        redis.ask(command("RESET"))
        redis.ask(command("FLUSHALL"))
        surfaces.resp_bytes(command("RESET"))
        surfaces.resp_bytes(command("FLUSHALL"))
        for line in block.splitlines():
            words = split_line(line.encode())
            ours = told(surfaces, command(*words))
            if redis.ask(command(*words)) != ours:
                left.discard(deliberate(words, ours))
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


@pytest.mark.parametrize("draw", DRAWS)
def test_answers_of_redis(store: type[Bench], redis: Peer, draw: ModuleType) -> None:
    compare(redis, draw, 0, 5000 if draw is BASE else 2000)


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(100, 110))
@pytest.mark.parametrize("draw", DRAWS)
def test_answers_of_redis_for_long(store: type[Bench], redis: Peer, draw: ModuleType, seed: int) -> None:
    compare(redis, draw, seed, 300_000 // len(DRAWS) // 10)


if __name__ == "__main__":
    with TemporaryDirectory() as directory:
        peer = Peer(Path(directory))
        for file in FILES:
            replies_of(file).write_text(record(peer, file))
        peer.close()
