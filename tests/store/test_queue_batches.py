"""Batches of a queue that take less than they are asked for; places for those of them that are delayed again."""

from itertools import pairwise

import pytest

from synap.compiler.jit import load
from synap.store.memory import layout
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


def filled(store: type[Bench], count: int, size: int) -> Bench:
    """A store with a queue in which so many messages are ready."""
    bench = store()
    assert bench.ask(CREATE) == 1
    for first in range(0, count, 100):
        bench.ask(["QUEUE.MPUBLISH", "q", "MESSAGES", *(b"%d " % i + b"x" * size for i in range(first, first + 100))])
    return bench


def test_a_replay_leases_what_the_reply_had_space_for(store: type[Bench]) -> None:
    """The lane's output holds fewer messages than a replay's, so the log has their number."""
    bench = filled(store, 700, 2000)
    taken = len(bench.ask("QUEUE.MCONSUME q c 700"))
    assert 100 < taken < 700
    first = frames_of(bench)
    rest = len(bench.ask("QUEUE.MCONSUME q d 700 WAIT 5"))
    copy = replayed(fresh(store, 7), [first, frames_of(bench)])
    assert digest(copy) == digest(bench)
    assert copy.ask("QUEUE.STATS q")[3] == taken + rest


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
