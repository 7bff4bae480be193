"""Lines of words instead of arrays, beside a real Redis: the same bytes are answered with the same bytes."""

from random import Random

import pytest
from peers import Peer, told
from surfaces import Surfaces

from synap.engine.resp.encoding import UnbalancedQuotes, split_line
from tests.support import Bench, command

SPLIT = {
    b'ECHO he"l lo"': [b"ECHO", b"hel lo"],
    b'SET k"1 v"': [b"SET", b"k1 v"],
    b"SET k'1 v'": [b"SET", b"k1 v"],
    b'ECHO a"b': None,
    b"ECHO a'b": None,
    b'ECHO "a"b': None,
    b'ECHO "a""b"': None,
    b"ECHO 'a'\"b\"": None,
    b'ECHO a"b"\'c\'': None,
    b'ECHO ""': [b"ECHO", b""],
    b"ECHO ''": [b"ECHO", b""],
    b'ECHO a""': [b"ECHO", b"a"],
    b'"ECHO"\t"a b"': [b"ECHO", b"a b"],
    b'E"CH"\'O\' x': None,
    b'E"CHO" x': [b"ECHO", b"x"],
    rb'ECHO "\x41\x4g\xfF\n\r\t\b\a\q\"\\"': [b"ECHO", b'Ax4g\xff\n\r\t\b\aq"\\'],
    rb'ECHO "\x 1"': [b"ECHO", b"x 1"],
    rb'ECHO "\x4"': [b"ECHO", b"x4"],
    rb"ECHO 'it\'s \n \\ '": [b"ECHO", rb"it's \n \\ "],
    rb"ECHO '\\'": None,
    rb"ECHO 'a\'": None,
    rb'ECHO "a\"': None,
    rb"ECHO a\"b": None,
    rb"ECHO \x41": [b"ECHO", rb"\x41"],
    b"ECHO a\x0bb": [b"ECHO", b"a\x0bb"],
    b"ECHO \x0bb\x0c": [b"ECHO", b"b\x0c"],
    b'ECHO "a"\x0c"b"': [b"ECHO", b"a", b"b"],
    b"ECHO a\rb": [b"ECHO", b"a", b"b"],
    b" \t ": [],
    b"": [],
    b"ECHO \xa0\x85": [b"ECHO", b"\xa0\x85"],
}
"""Lines and their words, or nothing where the quotes do not balance."""


def split(line: bytes) -> list[bytes] | None:
    try:
        return split_line(line)
    except UnbalancedQuotes:
        return None


@pytest.mark.parametrize("line", SPLIT)
def test_words_of_a_line(store: type[Bench], redis: Peer, line: bytes) -> None:
    assert split(line) == SPLIT[line]
    data = line + b"\r\nPING\r\n"
    redis.ask(command("FLUSHALL"))
    assert told(Surfaces(), data) == redis.talk(data)


LINES = {
    "several words": b'SET k"1 v" w\r\nGET "k1 v"\r\nGET "k1\\x20v"\nDEL \'k1 v\'\r\n',
    "a word is missing": b'SET k"1 v"\r\n',
    "quotes end the connection": b'PING\r\nECHO a"b\r\nPING\r\n',
    "quotes do not span lines": b'ECHO "a\r\nb"\r\nPING\r\n',
    "two carriage returns": b"ECHO a\r\r\nPING\r\n",
    "a zero byte hides the end of its line": b"PING\r\nECHO a\0b\r\nPING\r\n",
    "a zero byte between quotes": b'ECHO "a\0b"\r\nPING\r\n',
    "a zero byte later in the input": b"PING\r\nPING\r\n\0\r\n",
    "long": b"ECHO " + b"x" * 60_000 + b"\r\nPING\r\n",
    "long and quoted": b'ECHO a"' + b"x y" * 20_000 + b'"\r\nPING\r\n',
    "many words": b"EXISTS" + b" k" * 30_000 + b"\r\nPING\r\n",
    "without an end": b"PING",
    "in a transaction": b'MULTI\r\nSET k "a b"\r\nECHO "a"b\r\nEXEC\r\n',
    "between arrays": b'*1\r\n$4\r\nPING\r\nECHO a" b"\r\n*1\r\n$4\r\nPING\r\n',
}


@pytest.mark.parametrize("data", LINES.values(), ids=LINES)
def test_lines_on_the_wire(store: type[Bench], redis: Peer, data: bytes) -> None:
    redis.ask(command("FLUSHALL"))
    assert told(Surfaces(), data) == redis.talk(data)


@pytest.mark.parametrize("data", [b"ECHO " + b"x" * 70_000 + b"\r\n", b"ECHO \0\r\n" + b"x" * 70_000])
def test_a_line_without_an_end(store: type[Bench], data: bytes) -> None:
    """Redis says the same, and resets the connection before a client can read it."""
    assert told(Surfaces(), data) == b"-ERR Protocol error: too big inline request\r\n"


@pytest.mark.parametrize("seed", range(2))
def test_random_lines(store: type[Bench], redis: Peer, seed: int) -> None:
    """Every line ends with a word that says so, since a reply alone does not tell what the words were."""
    chance, surfaces, whole = Random(seed), Surfaces(), 0
    pieces = [b'"', b"'", b"\\", b" ", b"\t", b"\x0b", b"\x0c", b"\r", b"a", b"b", b"x", b"41", b"n", b"\xff", b"  "]
    for _ in range(1500):
        line = b"MGET " + b"".join(chance.choices(pieces, k=chance.randrange(1, 12)))
        words = split(line)
        whole += words is not None
        keys = [] if words is None else words[1:]
        data = b"".join(command("SET", key, b"%d" % i) for i, key in enumerate(keys)) + line + b"\r\nPING\r\n"
        surfaces.machines[2].replies.closing = False
        redis.ask(command("FLUSHALL"))
        surfaces.resp(["FLUSHALL"])
        ours, theirs = told(surfaces, data), redis.talk(data)
        assert ours == theirs, line
    assert 300 < whole < 1200
