"""Streams alone: random calls of their rows, the lane, the steps and the twin side by side; then copies of it all."""

from collections import Counter
from random import Random
from time import perf_counter

import pytest

from synap.command import Command
from synap.commands import CATALOGUE
from synap.store.memory import layout
from tests.store.calls import WEIGHTS, Calls
from tests.store.copies import dumped, loaded, replayed
from tests.store.differential import Differential, digest
from tests.support import Bench, Refusal, command

ROWS = [row for row in CATALOGUE.rows if row.family == "xstream" and row.run and row.resp]
EMPTY = ([], None, 0, b"wait")
FIRST = [[b"00007", [[b"1-1", [b"f", b"v"]]]]]


def did_something(row: Command, reply: object) -> bool:
    """Whether a call was carried out, and had something to do."""
    if row.name == "xstream.autoclaim" and isinstance(reply, list) and reply[1:] == [[], []]:
        return False
    return not isinstance(reply, Refusal) and reply not in EMPTY


@pytest.mark.parametrize("seed", range(3))
def test_three_ways_agree(store: type[Bench], seed: int) -> None:
    ways, chance = Differential(store), Random(seed)
    ways.keep_frames = True
    calls = Calls(chance, ways.state, huge=0)
    calls.weights = {row.resp: WEIGHTS[row.resp] for row in ROWS}
    calls.weights |= {"XADD": 30, "XREADGROUP": 12, "XGROUP|DESTROY": 0.5, "XGROUP|DELCONSUMER": 1}
    calls.weights |= {"DEL": 0.1, "COPY": 1, "RENAME": 0.5, "TYPE": 0.5}
    made, done = Counter[str](), Counter[str]()
    while calls.made < 8000:
        ways.now += chance.choice((0, 0, 1, 20, 300))
        calls.now = ways.now
        if chance.random() < 0.02:
            ways.become(0, chance.choice((2, 3)))
        words = [calls.next() for _ in range(chance.choice((1, 3, 10)))]
        for each, reply in zip(words, ways.batch(words), strict=True):
            row, _ = ways.row_of(each)
            made[row.name] += 1
            done[row.name] += did_something(row, reply)
        if chance.random() < 0.05:
            ways.same_state()
    ways.take_frames(ways.lane, True)
    for other in (replayed(store(), ways.frames), loaded(store(), dumped(ways.lane, 3000), ways.lane[layout.SEQ])):
        assert digest(other) == digest(ways.lane)
    shares = {row.name: done[row.name] / made[row.name] for row in ROWS}
    assert min(shares.values()) > 0.12, sorted((share, name) for name, share in shares.items())


def test_claims_in_any_order_are_made_once_each(store: type[Bench]) -> None:
    """A call may name an entry again, and its ids need not rise. Comparing each with all before it took 10 s here."""
    bench, count = store(), 20_000
    for first in range(1, count + 1, 100):
        bench.feed(b"".join(command("XADD", "x", f"{i}-1", "f", "v") for i in range(first, first + 100)))
    bench.ask("XGROUP CREATE x g 0")
    while bench.ask("XREADGROUP GROUP g a COUNT 500 STREAMS x >"):
        pass
    bench.now += 10
    ids = [b"%d-1" % i for i in range(1, count + 1)]
    named = [*ids[:50], *ids[::-1], *ids[40:90], b"0-0", b"0-0", b"%d-1" % (count + 1)]
    begun = perf_counter()
    assert bench.ask(["XCLAIM", "x", "g", "b", "10", *named, "JUSTID"]) == [*ids[:50], *ids[:49:-1]]
    assert perf_counter() - begun < 2
    assert bench.ask("XPENDING x g")[3] == [[b"b", b"20000"]]
    again = bench.ask(["XCLAIM", "x", "g", "c", "0", *ids[7:3:-1], *ids[:6], "JUSTID"])
    assert again == [*ids[7:3:-1], *ids[:6]], "without an idle time what was claimed can be claimed again"


def test_a_read_of_many_streams_looks_at_each_once(store: type[Bench]) -> None:
    """Looking through those before it for the same one took half a second here."""
    bench, count = store(), 14_000
    names = [b"%05d" % i for i in range(count)]
    for first in range(0, count, 100):
        some = names[first : first + 100]
        bench.feed(b"".join(command("XGROUP", "CREATE", name, "g", "0", "MKSTREAM") for name in some))
    bench.ask("XADD 00007 1-1 f v")
    bench.ask("XADD 00007 2-1 f v")
    read = ["XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS"]
    begun = perf_counter()
    assert bench.ask(["XREAD", "COUNT", 1, "STREAMS", *names, *[b"0"] * count]) == FIRST
    middle = perf_counter()
    assert bench.ask([*read, *names, *[b">"] * count]) == FIRST
    assert perf_counter() - middle < 0.05 + 6 * (middle - begun)
    assert bench.ask([*read, *names[7:9], *names[7:9], *[b">"] * 4]) == [[b"00007", [[b"2-1", [b"f", b"v"]]]]]
    assert bench.ask([*read, "00007", "nowhere", ">", ">"]).args[0].startswith("NOGROUP")
    bench.ask("XADD 00007 3-1 f v")
    assert bench.ask([*read, "00007", ">"]) == [[b"00007", [[b"3-1", [b"f", b"v"]]]]]


def test_a_deleted_entry_may_be_above_those_behind_it(store: type[Bench]) -> None:
    """XSETID sets the last id back to the last live entry: walks pass over the deleted one."""
    bench = store()
    for line in ("XADD x 1-0 f v", "XADD x 2-0 f v", "XADD x 3-0 f v", "XDEL x 3-0", "XSETID x 5-0 MAXDELETEDID 1-0",
                 "XSETID x 2-5", "XADD x 2-6 f v"):  # fmt: skip
        bench.ask(line)
    assert [each[0] for each in bench.ask("XREVRANGE x 2-6 -")] == [b"2-6", b"2-0", b"1-0"]
    assert [each[0] for each in bench.ask("XREVRANGE x 2-9 2-1")] == [b"2-6"] == [bench.ask("XRANGE x 2-1 3")[0][0]]
    assert bench.ask("XINFO STREAM x")[-1][0] == b"2-6"
