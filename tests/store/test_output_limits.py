"""Replies with texts of any length: where the output has no space for one, the lane stops before the call."""

from typing import Any

import pytest

from synap.store.lane import lane
from synap.store.memory import layout
from tests.store.differential import digest
from tests.support import REASONS, Bench, command, decode

LONG = b"x" * 100_000
BUILD: list[list[Any]] = [
    [b"STREAM.CREATE", LONG], [b"TOPIC.CREATE", LONG], [b"TOPIC.PUBLISH", LONG, b"said", b"x", b"PARTITION", b"0"],
    [b"TOPIC.PUBLISH", LONG, LONG, b"x", b"PARTITION", b"1"], [b"GROUP.CREATE", b"g", LONG, b"3"],
    [b"GROUP.CREATE", LONG, b"t", b"3"],
]  # fmt: skip
CALLS: list[list[Any]] = [
    [b"STREAM.STATS", LONG], [b"STREAM.LIST"], [b"TOPIC.LIST"], [b"TOPIC.STATS", LONG], [b"TOPIC.READ", LONG],
    [b"TOPIC.CONSUME", LONG, b"1"], [b"GROUP.LIST"], [b"GROUP.STATS", b"g"], [b"GROUP.STATS", LONG],
    [b"GROUP.JOIN", b"g", b"MEMBER", LONG],
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS, ids=lambda call: " ".join(word[:9].decode() for word in call))
def test_a_reply_that_does_not_fit_is_not_written(store: type[Bench], call: list[Any]) -> None:
    bench = store()
    for each in BUILD:
        bench.ask(each)
    state, data = digest(bench), command(*call)
    for space in (50_000, layout.OUT_BYTES):
        at, end = bench.receive(data)
        start = bench[layout.LANE_OUT] = layout.OUT_END - space
        reason = REASONS[lane.lane(*bench.both, bench.session, at, end, bench.now, 1 << 30)]
        if space < len(LONG):
            assert (reason, bench[layout.LANE_AT], bench[layout.LANE_OUT]) == ("OUT_FULL", at, start)
            assert digest(bench) == state
    assert (reason, bench[layout.LANE_AT]) == ("CUT", end) and bench[layout.LANE_OUT] < layout.OUT_END
    reply, rest = decode(bytes(bench.heap.bytes[start : bench[layout.LANE_OUT]]))
    assert len(repr(reply)) > len(LONG) and not rest
