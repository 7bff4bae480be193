"""Streams of RDB: what is wrong is refused, whatever is read can be used, and what is written is what Redis writes."""

from random import Random

import pytest

from synap.compat.rdb import streams
from synap.compat.rdb.errors import BadData, RdbError, TooLarge
from synap.compat.rdb.payloads import pack, unpack
from synap.compat.rdb.values import Value
from tests.compat.rdb_samples import (
    LAST_ID,
    SAMPLES,
    SHORT_STREAM,
    Text,
    identity,
    length,
    listpack,
    ms,
    payload,
    text,
)
from tests.engine.engines import Client, House
from tests.store.copies import fresh, replayed
from tests.store.differential import digest
from tests.support import Bench, Refusal

ROOM = 1 << 30
ENTRY: tuple[Text, ...] = (2, 0, 0, b"v", 4)
HEAD: tuple[Text, ...] = (1, 0, 1, b"f", 0)
GREATEST = b"\x81" + b"\xff" * 8


def node(*items: Text, begin: bytes = identity(5, 1)) -> bytes:
    return text(begin) + text(listpack(*items))


def ids(*numbers: int) -> bytes:
    return b"".join(map(length, numbers))


def pending(*each: tuple[int, int]) -> bytes:
    return length(len(each)) + b"".join(identity(*one) + ms(1) + b"\1" for one in each)


def consumer(*owned: tuple[int, int], name: bytes = b"c") -> bytes:
    return text(name) + ms(1) + length(len(owned)) + b"".join(identity(*one) for one in owned)


def group(pel: bytes, *consumers: bytes, name: bytes = b"g", read: bytes = b"\0") -> bytes:
    return text(name) + ids(5, 1) + read + pel + length(len(consumers)) + b"".join(consumers)


def whole(
    *nodes: bytes, live: int = 1, last: bytes = ids(9, 9), deleted: bytes = ids(0, 0), added: bytes = b"\7",
    groups: tuple[bytes, ...] = (),
) -> bytes:  # fmt: skip
    """A stream of type 19 with one entry, 5-1, unless told otherwise."""
    nodes = nodes or (node(*HEAD, *ENTRY),)
    counted = length(len(nodes)) + b"".join(nodes)
    return counted + length(live) + last + ids(5, 1) + deleted + added + length(len(groups)) + b"".join(groups)


GOOD: dict[str, bytes] = {
    "deleted entry above one behind it": whole(node(1, 1, 1, b"f", 0, 3, 1, 0, b"v", 4, *ENTRY)),
    "last id below a deleted entry": whole(node(1, 1, 1, b"f", 0, *ENTRY, 3, 1, 0, b"v", 4), last=ids(5, 1)),
    "last id below the greatest one deleted": whole(deleted=ids(9, 10)),
    "one entry": whole(),
    "the last id is the entry's": whole(last=ids(5, 1)),
    "an id below that of its listpack, of the same ms, but for the ms": whole(
        node(*HEAD, 2, 1, -1, b"v", 4)
    ),
    "entries pending that are not there": whole(groups=(group(pending((1, 1), (7, 7)), consumer((7, 7), (1, 1))),)),
    "pending out of order": whole(
        groups=(group(pending((7, 7), (1, 1)), consumer((1, 1)), consumer((7, 7), name=b"")),)
    ),
    "names out of order": whole(
        groups=(group(b"\0", consumer(name=b"z"), consumer(), name=b"z"), group(b"\0", name=b"a"))
    ),
    "numbers as texts of their own length": whole(node(b"1", 0, 1, b"f", 0, *ENTRY)),
    "a listpack without live entries before others": whole(
        node(0, 1, 1, b"f", 0, 3, 0, 0, b"v", 4), node(*HEAD, *ENTRY, begin=identity(6, 0))
    ),
}  # fmt: skip
WRONG: dict[str, bytes] = {
    "length of another number": whole(live=2),
    "length without entries": b"\0" + whole()[1 + len(node(*HEAD, *ENTRY)) :],
    "absurd number of listpacks": GREATEST + whole()[1:],
    "listpack without a head": whole(node(1, 0)),
    "empty listpack": whole(node()),
    "listpack without fields": whole(node(1, 0, 0, 0, 2, 0, 0, 3)),
    "names that go on": whole(node(1, 0, 1, b"f", 1, *ENTRY)),
    "absurd number of names": whole(node(1, 0, LAST_ID >> 1, b"f", 0, *ENTRY)),
    "negative number of names": whole(node(1, 0, -1, b"f", 0, *ENTRY)),
    "live entries of another number": whole(node(2, 0, 1, b"f", 0, *ENTRY)),
    "live entries below zero": whole(node(-1, 2, 1, b"f", 0, *ENTRY), live=0),
    "deleted entries of another number": whole(node(1, 1, 1, b"f", 0, *ENTRY)),
    "a deleted entry as a live one": whole(node(*HEAD, 3, 0, 0, b"v", 4)),
    "a live entry as a deleted one": whole(node(0, 1, 1, b"f", 0, *ENTRY), live=0),
    "entry that is cut": whole(node(*HEAD, *ENTRY[:-1])),
    "entry of another size": whole(node(*HEAD, *ENTRY[:-1], 5)),
    "entry of unknown flags": whole(node(*HEAD, 6, 0, 0, b"v", 4)),
    "entry of negative flags": whole(node(*HEAD, -2, 0, 0, b"v", 4)),
    "entry without fields": whole(node(*HEAD, 0, 0, 0, 0, 4)),
    "entry of absurd fields": whole(node(*HEAD, 0, 0, 0, LAST_ID >> 1, b"f", b"v", 6)),
    "text in place of a number": whole(node(*HEAD, 2, b"x", 0, b"v", 4)),
    "number with a zero before it": whole(node(*HEAD, 2, b"00", 0, b"v", 4)),
    "id before that of its listpack": whole(node(*HEAD, 2, 0, -1, b"v", 4)),
    "id that overflows": whole(node(*HEAD, *ENTRY, begin=identity(LAST_ID, LAST_ID)), node(*HEAD, 2, 1, 0, b"v", 4)),
    "ids that do not rise": whole(node(2, 0, 1, b"f", 0, *ENTRY, *ENTRY), live=2),
    "listpacks that do not rise": whole(node(*HEAD, *ENTRY), node(*HEAD, *ENTRY, begin=identity(4, 1)), live=2),
    "listpack twice": whole(node(*HEAD, *ENTRY), node(*HEAD, *ENTRY), live=2),
    "listpack that begins within another": whole(
        node(2, 0, 1, b"f", 0, *ENTRY, 2, 5, 0, b"v", 4), node(*HEAD, *ENTRY, begin=identity(7, 1)), live=3
    ),
    "id of another size": whole(node(*HEAD, *ENTRY, begin=b"x" * 15)),
    "last id below an entry": whole(last=ids(5, 0)),
    "fewer entries added than there are": whole(added=b"\0"),
    "more entries added than can be": whole(added=GREATEST),
    "group twice": whole(groups=(group(b"\0"), group(b"\0"))),
    "absurd number of groups": whole()[:-1] + GREATEST,
    "fewer than no entries read": whole(groups=(group(b"\0", read=b"\x81" + b"\xff" * 7 + b"\xfe"),)),
    "consumer twice": whole(groups=(group(b"\0", consumer(), consumer()),)),
    "absurd number of consumers": whole(groups=(group(b"\0")[:-1] + GREATEST,)),
    "absurd number pending": whole(groups=(group(GREATEST),)),
    "pending twice": whole(groups=(group(pending((5, 1), (5, 1)), consumer((5, 1))),)),
    "pending for nobody": whole(groups=(group(pending((5, 1)), consumer()),)),
    "pending for a consumer alone": whole(groups=(group(b"\0", consumer((5, 1))),)),
    "pending for a consumer twice": whole(groups=(group(pending((5, 1)), consumer((5, 1), (5, 1))),)),
    "pending for two consumers": whole(
        groups=(group(pending((5, 1)), consumer((5, 1)), consumer((5, 1), name=b"d")),)
    ),
    "absurd number pending for a consumer": whole(groups=(group(b"\0", text(b"c") + ms(1) + GREATEST),)),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong(name: str) -> None:
    with pytest.raises(BadData):
        unpack(payload(19, WRONG[name]), ROOM)


@pytest.mark.parametrize("name", GOOD)
def test_what_is_good(store: type[Bench], name: str) -> None:
    value = unpack(payload(19, GOOD[name]), ROOM)
    assert unpack(pack(value), ROOM) == value
    client = House(store).client()
    assert client.one(["RESTORE", "k", "0", payload(19, GOOD[name])]) == b"OK"
    assert unpack(client.one("DUMP k"), ROOM) == value
    use(client)


def use(client: Client) -> None:
    """Whatever may be done with the stream `k`, whose replies agree with each other, until nothing is left of it."""
    full = client.one("XINFO STREAM k FULL COUNT 0")
    facts = dict(zip(full[::2], full[1::2], strict=True))
    entries = client.one("XRANGE k - +")
    assert entries == facts[b"entries"] == client.one("XREVRANGE k + -")[::-1]
    assert len(entries) == facts[b"length"] == client.one("XLEN k")
    for told in facts[b"groups"]:
        found = dict(zip(told[::2], told[1::2], strict=True))
        name, count = found[b"name"], found[b"pel-count"]
        assert client.one(["XPENDING", "k", name])[0] == count == len(found[b"pending"])
        client.one(["XREADGROUP", "GROUP", name, "new consumer", "COUNT", "2", "STREAMS", "k", ">"])
        client.one(["XREADGROUP", "GROUP", name, "new consumer", "STREAMS", "k", "0"])
        client.one(["XAUTOCLAIM", "k", name, "new consumer", "0", "0"])
        for pair in found[b"pending"][:1]:
            assert client.one(["XACK", "k", name, pair[0]]) in (0, 1)
    client.ask("XADD k * f v", "XINFO GROUPS k")
    for entry in entries[:2]:
        assert client.one(["XDEL", "k", entry[0]]) == 1
    client.ask("XTRIM k MAXLEN 1")
    assert client.one("DEL k") == 1


def one_mistake(whole: bytes, last: int) -> list[bytes]:
    """The bytes of a value with each byte changed in some ways, and cut at each place."""
    found = [whole[:at] for at in range(last)]
    for at in range(last):
        others = {whole[at] ^ 1, whole[at] ^ 0x80, (whole[at] + 1) & 255, (whole[at] - 1) & 255, 0, 0xFF}
        found += [whole[:at] + bytes((new,)) + whole[at + 1 :] for new in others]
    return found


@pytest.mark.parametrize("number", [15, 19, 21])
def test_every_single_mistake_is_refused_or_leaves_a_stream(store: type[Bench], number: int) -> None:
    house = House(store)
    client, outcomes = house.client(), {"stored": 0, "refused": 0}
    body = SHORT_STREAM[1:-10] if number == 19 else short(number)
    for wrong in one_mistake(body, len(body)):
        reply = client.one(["RESTORE", "k", "0", payload(number, wrong, 11), "REPLACE"])
        if reply != b"OK":
            assert reply == Refusal("ERR Bad data format"), reply
            outcomes["refused"] += 1
            continue
        value = unpack(client.one("DUMP k"), ROOM)
        assert value == unpack(pack(value), ROOM)
        use(client)
        outcomes["stored"] += 1
    assert min(outcomes.values()) > 250, outcomes
    house.flush()
    assert digest(replayed(fresh(store, 5), house.frames)) == digest(house.bench)


def short(number: int) -> bytes:
    """A short stream of another type than 19."""
    active = ms(3) if number == 21 else b""
    newer = ids(5, 1, 5, 7) + b"\5" if number == 21 else b""
    read = b"\3" if number == 21 else b""
    nodes = length(2) + node(1, 1, 1, b"f", 0, *ENTRY, 3, 0, 6, b"w", 4) + node(
        1, 0, 2, b"a", b"b", 0, 0, 0, 0, 1, b"c", b"d", 6, begin=identity(6, 0)
    )
    owner = text(b"c") + ms(1) + active + length(1) + identity(5, 1)
    return nodes + ids(2, 7, 0) + newer + length(1) + text(b"g") + ids(5, 1) + read + pending((5, 1)) + b"\1" + owner


def test_many_mistakes(store: type[Bench]) -> None:
    house = House(store)
    client, chance, stored = house.client(), Random(7), 0
    bodies = [(19, SHORT_STREAM[1:-10]), (15, short(15)), (21, short(21))]
    for _ in range(3000):
        number, body = chance.choice(bodies)
        wrong = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            at, size = chance.randrange(len(wrong)), chance.randint(1, 20)
            match chance.randrange(6):
                case 0 | 4 | 5:
                    wrong[at] = chance.choice((0, 1, 2, 3, 4, 5, 16, 127, 128, 129, 255))
                case 1:
                    wrong[at:at] = wrong[at : at + size]
                case 2:
                    del wrong[at : at + size]
                case _:
                    other = chance.randrange(len(wrong))
                    wrong[at : at + size] = wrong[other : other + size]
            wrong = wrong or bytearray(1)
        reply = client.one(["RESTORE", "k", "0", payload(number, bytes(wrong), 11), "REPLACE"])
        assert reply in (b"OK", Refusal("ERR Bad data format")), reply
        if reply == b"OK":
            stored += 1
            use(client)
    assert stored > 20, stored


def test_the_short_stream_is_written_as_redis_has_written_it() -> None:
    """It is too short for Redis' compression, and its consumers were active when they were seen."""
    value = unpack(SHORT_STREAM, ROOM)
    assert pack(value) == SHORT_STREAM
    for part in value.items:
        if part[0] == streams.CHUNK:
            assert len(streams._listpack(part)[0]) == part[5]


def test_when_consumers_were_active_stands_behind_the_value() -> None:
    value = SAMPLES["stream, type 21"][2]
    whole = pack(value)
    at = whole.index(streams.MARK)
    assert whole[0] == streams.LISTPACKS_2 and unpack(whole, ROOM) == value
    seen = [(*part[:2], part[1], *part[3:]) if part[0] == streams.OF_CONSUMER else part for part in value.items]
    assert unpack(payload(whole[0], whole[1:at]), ROOM) == Value("stream", seen)
    for wrong in (whole[1:-11], whole[1:-10] + b"\0", whole[1:at] + streams.MARK):
        with pytest.raises(RdbError):
            unpack(payload(whole[0], wrong), ROOM)


def test_a_stream_takes_no_more_than_its_room() -> None:
    many = [node(3000, 0, 1, b"f", 0, *(item for i in range(3000) for item in (2, i, 0, 7, 4)),
                 begin=identity(i * 5000, 1)) for i in range(4)]  # fmt: skip
    body = length(4) + b"".join(many) + length(12_000) + ids(50_000, 0, 0, 0, 0, 0) + length(12_000) + b"\0"
    assert len(unpack(payload(19, body), 4 << 20).items) == 6
    with pytest.raises(TooLarge):
        unpack(payload(19, body), 1 << 20)
    full = whole(groups=(group(pending(*((i, i) for i in range(20_000))), consumer()),))
    with pytest.raises(TooLarge):
        unpack(payload(19, full), 1 << 20)
