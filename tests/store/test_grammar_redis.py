"""The grammar beside a real Redis: the same words are accepted, the same refused, and mostly for the same reason.

`pytest -m campaign` with `redis-server` (7.0) on the path. What Redis refuses for reasons that need the data or
several arguments at once is left to the rows' functions: DEFERRED.
"""

import shutil
import socket
import subprocess
import time
from collections import Counter
from random import Random

import pytest

from synap.commands import CATALOGUE
from tests.planned import ROWS as PLANNED
from tests.ports import free_port
from tests.store.grammar_cases import CASES
from tests.support import Refusal, command, decode
from tests.words import Words

ROWS = {row.resp: row for row in [*CATALOGUE.rows, *PLANNED] if row.resp}
WORDS = ("ZADD", "ZRANGE", "ZUNIONSTORE", "XADD", "SORT", "LCS", "SET")
CLASSES = {  # how Redis words a refusal, and ours
    "wrong number of arguments": "WRONG_ARITY",
    "XX and NX options": "DEFERRED",
    "MAXLEN and MINID options": "SYNTAX",
    "weight value is not a float": "BAD_WEIGHT",
    "not a valid float": "NOT_A_REAL",
    "at least 1 input key": "NO_INPUT_KEYS",
    "LIMIT is only supported": "DEFERRED",
    "LIMIT cannot be used": "DEFERRED",
    "WITHSCORES not supported": "DEFERRED",
    "GT, LT, and/or NX": "DEFERRED",
    "ERR syntax error": "SYNTAX",
    "not an integer": "NOT_AN_INTEGER",
}
LATER = {"ZRANGE": ("NOT_AN_INTEGER", "NOT_A_REAL"), "ZADD": ("NOT_A_REAL",)}
"""Refusals that come behind others: the bounds of ZRANGE depend on BYSCORE, the scores of ZADD follow its options."""
EXPIRIES = {b"EX", b"PX", b"EXAT", b"PXAT"}


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    program = shutil.which("redis-server")
    if not program:
        pytest.fail("redis-server is not installed (Debian: redis-server)")
    port = free_port()
    directory = str(tmp_path_factory.mktemp("redis"))
    server = subprocess.Popen(
        [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", directory],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    for _ in range(100):
        try:
            link = socket.create_connection(("127.0.0.1", port))
            break
        except OSError:
            time.sleep(0.05)
    link.settimeout(10)
    yield link
    link.close()
    server.terminate()
    server.wait()


def replies(link, lines):
    """What Redis answers to each line; everything is forgotten behind each."""
    link.sendall(b"".join(command(*line) + command("FLUSHALL") for line in lines))
    data, found = b"", []
    while len(found) < 2 * len(lines):
        data += link.recv(1 << 20)
        while data:
            try:
                value, rest = decode(data)
            except (ValueError, AssertionError):
                break
            if not whole(data, rest):
                break
            found.append(value)
            data = rest
    return found[::2]


def whole(data, rest):
    """Did `decode` see a whole reply? It takes what is missing for empty."""
    return data[: len(data) - len(rest)].endswith(b"\r\n") and len(rest) < len(data)


def verdict(reply):
    """The class of a reply: ok, a refusal's name, or DEFERRED."""
    if not isinstance(reply, Refusal):
        return "ok"
    return next((name for text, name in CLASSES.items() if text in str(reply)), "DEFERRED")


def disagreement(name, ours, theirs):
    """`` if they agree, `order` if both refuse for another reason, else what is wrong."""
    if ours == theirs or (ours == "ok" and theirs in ("DEFERRED", *LATER.get(name, ()))):
        return ""
    if ours != "ok" and theirs != "ok":
        return "order"
    return f"{name}: ours {ours}, theirs {theirs}"


def ours_of(bench, line):
    found = bench.fill(line)
    return found if isinstance(found, str) else "ok"


@pytest.mark.campaign
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", WORDS)
def test_random_words(store, redis, name):
    bench = store([*CATALOGUE.rows, *PLANNED])
    row = ROWS[name]
    draw = Words(Random(name), [b"a", b"b", b"c", b"1-1", b"5-0", b"*", b"0", b"u8", b"i5", b"(1"])
    ordered = Counter()
    verdicts = Counter()
    for _ in range(100):
        lines = []
        while len(lines) < 200:
            words = draw.sample(row.args)
            if not any(word.upper() in (b"IFEQ", b"IFNE") for word in words):  # not in Redis 7
                lines.append([name.encode(), *words])
        for line, reply in zip(lines, replies(redis, lines), strict=True):
            ours, theirs = ours_of(bench, line), verdict(reply)
            said = disagreement(name, ours, theirs)
            if name == "SET" and ours == "NOT_AN_INTEGER" and len(EXPIRIES & {word.upper() for word in line}) < sum(
                word.upper() in EXPIRIES for word in line
            ):  # Redis reads only the last of two numbers
                said = "order"
            verdicts["accepted" if ours == "ok" else "refused"] += 1
            if said == "order":
                ordered[ours, theirs if theirs != "DEFERRED" else str(reply)] += 1
            else:
                assert not said, f"{said}: {line} {reply}"
    print(name, dict(verdicts), "other reason:", ordered.most_common(12))


@pytest.mark.campaign
def test_cases_by_hand(store, redis):
    bench = store([*CATALOGUE.rows, *PLANNED])
    for line, _ in CASES:
        words = line.encode().split()
        if words[0] not in [name.encode() for name in WORDS] or b"IFEQ" in words:
            continue
        theirs = verdict(replies(redis, [words])[0])
        said = disagreement(words[0].decode(), ours_of(bench, words), theirs)
        assert said in ("", "order"), f"{said}: {line}"
