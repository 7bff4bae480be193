"""SORT: what the log makes of it elsewhere, memory that does not suffice, and large lists."""

from random import Random

import pytest

from synap.store.memory import layout
from tests.engine.engines import House
from tests.store.copies import fresh, replayed
from tests.store.differential import digest
from tests.support import Bench, Refusal, command, decode

OOM = Refusal("OOM command not allowed when used memory > 'maxmemory'.")


def frames_of(bench: Bench) -> bytes:
    """The log so far."""
    at = layout.LOG * layout.WORD
    return bytes(bench.heap.bytes[at : at + bench[layout.LOG_TOP]])


def calls(chance: Random) -> list[str]:
    """A call that fills or expires something, or stores what it sorts; many elements have the same weight."""
    key = chance.choice(("l", "s", "t", "z"))
    some = [str(chance.randrange(40)) for _ in range(6)]
    match chance.randrange(9):
        case 0:
            return ["RPUSH", "l", *some]
        case 1:
            return ["SADD", chance.choice("st"), *some, *(["a", "b", "01"] if chance.random() < 0.3 else [])]
        case 2:
            return ["ZADD", "z", *(word for each in some for word in (str(int(each) % 5), each))]
        case 3:
            return ["SET", f"w_{some[0]}", str(chance.randrange(4)), *chance.choice(([], ["PX", "70"]))]
        case 4:
            return ["HSET", f"h_{some[0]}", "f", str(chance.randrange(4))]
        case 5:
            return ["HPEXPIRE", f"h_{some[0]}", "90", "FIELDS", "1", "f"]
    words = ["SORT", key, *chance.choice(([], ["BY", "w_*"], ["BY", "h_*->f"], ["BY", "nosort"]))]
    words += chance.choice(([], ["ALPHA"], ["ALPHA"])) + chance.choice(([], ["DESC"]))
    words += chance.choice(([], ["LIMIT", "3", "9"])) + chance.choice(([], ["GET", "#", "GET", "w_*"]))
    return [*words, "STORE", chance.choice(("d1", "d2", "d3"))]


@pytest.mark.parametrize("seed", range(3))
def test_a_replay_finds_the_same_order(store: type[Bench], seed: int) -> None:
    bench, chance = fresh(store, 0), Random(seed)
    stored = 0
    for _ in range(600):
        bench.now += chance.choice((0, 0, 5, 30))
        words = calls(chance)
        told = bench.ask(words)
        assert not isinstance(told, Refusal) or "double" in str(told)
        stored += words[0] == "SORT" and isinstance(told, int) and told > 0
    assert stored > 100
    copy = replayed(fresh(store, 7), [frames_of(bench)])  # its sets lie in another order
    copy.now = bench.now
    for key in ("d1", "d2", "d3"):
        assert copy.ask(["LRANGE", key, "0", "-1"]) == bench.ask(["LRANGE", key, "0", "-1"])


def test_too_little_memory_changes_nothing(store: type[Bench]) -> None:
    bench = store()
    for i in range(40):
        bench.ask(["RPUSH", "l", *(f"{i * 100 + j:0200}" for j in range(100))])
    bench.ask("RPUSH d old")
    bench.ask("SORT d ALPHA")  # the pages for the work are there
    bench.ask("SORT l ALPHA LIMIT 0 1")
    before, used, seq = digest(bench), bench[layout.WORDS_USED], bench[layout.SEQ]
    limit = bench[layout.BYTES_MAX]
    bench[layout.BYTES_MAX] = used * layout.WORD + 300_000
    for words in ("SORT l STORE d", "SORT l ALPHA DESC STORE l", "SORT l BY nosort GET # GET # STORE new"):
        assert bench.ask(words) == OOM
        assert (digest(bench), bench[layout.WORDS_USED], bench[layout.SEQ]) == (before, used, seq)
    assert bench.ask("SORT l LIMIT 10 2 STORE d") == 2
    bench[layout.BYTES_MAX] = limit
    assert bench.ask("SORT l STORE d") == 4000 and bench.ask("LLEN l") == 4000


def test_nothing_is_left_of_the_work(store: type[Bench]) -> None:
    bench = store()
    for each in ("SADD s 3 1 2 10", "RPUSH l b a c", "ZADD z 2 1 1 2", "SET w_1 x", "HSET h_1 f 1"):
        bench.ask(each)
    used = bench[layout.WORDS_USED]
    for each in (
        "SORT s", "SORT s ALPHA", "SORT s BY w_*", "SORT l", "SORT l ALPHA GET w_* GET h_*->f",
        "SORT z BY nosort GET #", "SORT none", "SORT none STORE other", "SORT s LIMIT 9 1",
        "SORT_RO s BY h_*->f GET w_*", "SORT h_1",
    ):  # fmt: skip
        bench.ask(each)
        assert bench[layout.WORDS_USED] == used, each


def test_large_replies(store: type[Bench]) -> None:
    house, chance = House(store, memory_max=1 << 30), Random(1)
    client = house.client()
    count = 150_000
    numbers = chance.sample(range(10**6), count)
    for at in range(0, count, 1000):
        some = numbers[at : at + 1000]
        client.one("RPUSH l " + " ".join(map(str, some)))
        client.one("MSET " + " ".join(f"w_{each} {each % 1000}" for each in some))
    said = decode(client.send(command("SORT", "l")))[0]
    assert said == [b"%d" % each for each in sorted(numbers)]
    said = decode(client.send(command("SORT", "l", "BY", "w_*", "DESC", "GET", "w_*", "GET", "#")))[0]
    order = sorted(numbers, key=lambda each: (each % 1000, b"%d" % each), reverse=True)
    assert said == [text for each in order for text in (b"%d" % (each % 1000), b"%d" % each)]
    assert client.one("SORT l BY w_* GET # STORE d") == count
    assert client.one("LINDEX d 77") == b"%d" % order[-78]
