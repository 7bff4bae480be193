"""Random calls: the lane, the slow path's steps and the naive twins agree on every reply, frame and state."""

from random import Random

import pytest

from synap.store.memory import layout
from tests.store.calls import GLOBS, ROWS, Calls
from tests.store.differential import Differential
from tests.support import Bench


def to_a_timer(ways: Differential, chance: Random) -> None:
    """Go to when a queue, room, topic or group has something to do, or to 1 ms before, and do it."""
    ends = [(due, "queue.requeue", name) for name, queue in ways.state.queues.items() for due in queue.times]
    ends += [(room.events[0][2] + room.retention_ms, "stream.expire", name)
             for name, room in ways.state.rooms.items() if room.retention_ms and room.events]  # fmt: skip
    ends += [(topic.timer, "topic.expire", name) for name, topic in ways.state.topics.items()]
    ends += [(group.timer, "group.sweep", name) for name, group in ways.state.groups.items()]
    if ends := [end for end in ends if ways.now < end[0] < ways.now + 4000]:
        due, row, name = chance.choice(ends)
        ways.now = due - chance.choice((0, 1))
        ways.internal(row, [name, b"100"])
        ways.internal("queue.due", [])


def history(ways: Differential, seed: int, count: int) -> None:
    """Some random calls, in buffers of a few each, with time and upkeep between them."""
    chance = Random(seed)
    calls = Calls(chance, ways.state)
    while calls.made < count:
        ways.now += chance.choice((0, 0, 1, 20, 300, 2500))
        calls.now = ways.now
        if chance.random() < 0.05:
            ways.become(chance.choice((0, 0, 0, 0, 1, 15)), chance.choice((2, 3)))
        ways.batch([calls.next() for _ in range(chance.choice((1, 3, 10, 30)))])
        if chance.random() < 0.3:
            ways.internal(*calls.nameless())
        if chance.random() < 0.1:
            to_a_timer(ways, chance)
        if chance.random() < 0.2:
            ways.lazyfree(chance.choice((1, 30, 4000)))
        if chance.random() < 0.005:
            ways.scan(*chance.choice(([], [b"COUNT", b"100"], [b"MATCH", chance.choice(GLOBS)])))
        if chance.random() < 0.01:
            ways.scan_elements(chance)
        if chance.random() < 0.002:
            ways.same_state()
    ways.same_state()


@pytest.mark.parametrize("seed", range(3))
def test_three_ways_agree(store: type[Bench], seed: int) -> None:
    ways = Differential(store)
    history(ways, seed, 20_000)
    assert not {row.name for row in ROWS} - set(ways.seen), "a row was never called"


@pytest.mark.parametrize("hot_max", [0, 20_000])
def test_one_way_compresses_and_nobody_can_tell(store: type[Bench], hot_max: int) -> None:
    ways = Differential(store)
    ways.lane[layout.COMPRESS_MIN], ways.lane[layout.HOT_MAX] = 24, hot_max
    history(ways, 7 + hot_max, 12_000)
    assert ways.lane[layout.HOT_BYTES] <= hot_max


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(100, 120))
def test_three_ways_agree_for_long(store: type[Bench], seed: int) -> None:
    ways = Differential(store)
    history(ways, seed, 50_000)
