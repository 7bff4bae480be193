"""A connection answers the same bytes whatever the pieces are in which its commands arrive.

One client sends a stream at once, its twin the same stream in pieces cut anywhere; also streams that end in
something that is no command, and such as go on behind it.
"""

from random import Random

import pytest

from tests.engine.engines import Client, House
from tests.store.differential import digest
from tests.support import Bench, command

WORDS = [b"k", b"k2", b"l", b"", b"1", b"-5", b"x\r\ny", b"*1\r\n", b"v" * 300, b"w" * 20_000]
CALLS = [
    (b"SET", 2), (b"GET", 1), (b"MGET", 3), (b"APPEND", 2), (b"INCR", 1), (b"RPUSH", 3), (b"LRANGE", 3), (b"DEL", 2),
    (b"SADD", 3), (b"SMEMBERS", 1), (b"PING", 0), (b"ECHO", 1), (b"MULTI", 0), (b"EXEC", 0), (b"NOTHING", 1),
    (b"SET", 1), (b"WATCH", 1), (b"DISCARD", 0), (b"STRLEN", 1),
]  # fmt: skip
JUNK = [
    b"*2\r\n$3\r\nGET\r\n$x\r\n", b"*-\r\n", b"*99999999\r\n", b"*1\r\n$-1\r\n", b"*1\r\n+PING\r\n", b"\x00\xff\r\n",
    b"*1\n", b"*1\r\n$4\r\nPINGPONG\r\n", b"$3\r\nGET\r\n", b"*1\r\n$999999999999\r\n", b'"\r\n', b"*",
]  # fmt: skip
INLINE = [
    b"PING\r\n", b"SET k inline\n", b"GET k\r\n", b"\r\n", b"  \r\n",
    b'ECHO "a b"\r\n', b"ECHO 'it'\r\n", b"*0\r\n", b"*-1\r\n",
]  # fmt: skip


def stream(chance: Random) -> bytes:
    """A handful of commands; some end in junk, with commands behind it."""
    parts = []
    for _ in range(chance.choice((1, 2, 5, 20))):
        if chance.random() < 0.1:
            parts.append(chance.choice(INLINE))
        else:
            name, count = chance.choice(CALLS)
            few = WORDS[:-1] if chance.random() < 0.9 else WORDS
            parts.append(command(name, *(chance.choice(few) for _ in range(count))))
    if chance.random() < 0.3:
        parts.insert(chance.randrange(len(parts) + 1), chance.choice(JUNK))
    data = b"".join(parts)
    if chance.random() < 0.1:
        at = chance.randrange(len(data))
        data = data[:at] + chance.randbytes(1) + data[at + 1 :]
    return data


def pieces(chance: Random, data: bytes) -> list[bytes]:
    """The stream in pieces: all of one byte, few, or cut where lines end."""
    mood = chance.random()
    if mood < 0.1 and len(data) < 2000:
        cuts = list(range(len(data)))
    elif mood < 0.4:
        cuts = sorted({data.find(b"\r", chance.randrange(len(data))) + chance.randrange(3) for _ in range(6)})
    else:
        cuts = sorted({chance.randrange(len(data) + 1) for _ in range(chance.choice((1, 2, 3, 9, 40)))})
    ends = [cut for cut in cuts if 0 < cut < len(data)] + [len(data)]
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def alike(store: type[Bench], seed: int, count: int) -> None:
    """So many streams, each over a connection of its own."""
    chance = Random(seed)
    houses = House(store), House(store)
    for i in range(count):
        data = stream(chance)
        cut = pieces(chance, data)
        whole, pieced = (Client(house) for house in houses)
        try:
            told = whole.send(data)
            answered = b"".join(pieced.send(piece) for piece in cut)
            assert told == answered, (data[:600], [len(piece) for piece in cut])
            assert whole.machine.closing == pieced.machine.closing, data[:600]
        except BaseException as error:
            error.add_note(f"seed {seed}, stream {i}")
            raise
        for house, client in zip(houses, (whole, pieced), strict=True):
            house.engine.sessions.remove(client.session)
            house.flush()
            house.frames.clear()
        if i % 100 == 0:
            assert digest(houses[0].bench) == digest(houses[1].bench)
            for house in houses:
                Client(house).send(command("FLUSHALL"))
                house.upkeep()


@pytest.mark.parametrize("seed", [1, 2])
def test_cut_anywhere(store: type[Bench], seed: int) -> None:
    alike(store, seed, 1000)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10, 20))
def test_cut_anywhere_for_long(store: type[Bench], seed: int) -> None:
    alike(store, seed, 100_000)
