"""Batches of a queue that take less than they are asked for; places for those of them that are delayed again."""

from itertools import pairwise

import pytest

from synap.compiler.jit import load
from synap.store.memory import layout
from tests.engine.engines import House
from tests.store.copies import dumped, fresh, loaded, replayed
from tests.store.differential import digest
from tests.store.test_little_memory import fill_gaps
from tests.support import Bench

CREATE = ["QUEUE.CREATE", "q", 100000, 30000, 3, 5]


def frames_of(bench: Bench) -> bytes:
    """The frames that wait, which are then gone."""
    start = layout.LOG * layout.WORD
    frames = bytes(bench.heap.bytes[start : start + bench[layout.LOG_TOP]])
    bench[layout.LOG_TOP] = 0
    return frames


def test_the_space_of_a_lane_is_no_limit(store: type[Bench]) -> None:
    """As many messages as are asked for come in one reply, up to 8 MiB, whatever stands before it in a pipeline."""
    house = House(store)
    client = house.client()
    client.ask("QUEUE.CREATE q 10000 30000 3 5", *[["QUEUE.PUBLISH", "q", b"x" * 2000]] * 7000)
    replies = client.ask(*["QUEUE.MCONSUME q c 500"] * 4, "QUEUE.MCONSUME q c 5000 WAIT 5")
    assert [len(reply) for reply in replies] == [500, 500, 500, 500, (8 << 20) // (2000 + 36 + 57)]
    house.flush()
    assert digest(replayed(fresh(store, 7), house.frames)) == digest(house.bench)


@pytest.mark.parametrize("kept", ["lived", "loaded"])
def test_leased_messages_have_a_place_among_the_delayed(store: type[Bench], kept: str) -> None:
    """Whatever has been delayed since the lease: a rejected message needs no memory to wait."""
    load()
    bench = store()
    bench.ask([*CREATE, "BACKOFF", "FIXED", 1000])
    bench.ask("QUEUE.MPUBLISH q MESSAGES a b c")
    taken = bench.ask("QUEUE.MCONSUME q c 3")
    for _ in range(16):
        bench.ask("QUEUE.PUBLISH q later DELAY 60")
    if kept == "loaded":
        frames_of(bench)
        bench = loaded(fresh(store, 7), dumped(bench), bench[layout.SEQ])
    fill_gaps(*bench.both, 0)
    bench[layout.PAGES_END] = bench[layout.PAGES_TOP]
    for each in taken:
        assert bench.ask(["QUEUE.NACK", "q", dict(pairwise(each))[b"receipt"]]) == b"OK"
    assert dict(pairwise(bench.ask("QUEUE.STATS q")))[b"delayed"] == 19
