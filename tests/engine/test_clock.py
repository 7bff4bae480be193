"""Engine time while somebody sets the wall clock: it never goes back, never jumps, and follows slowly."""

from collections.abc import Callable, Iterator
from random import Random

import pytest

from synap.io.node import clock

HOUR_NS = 3600 * 10**9


class World(clock.System):
    """Time that passes when the test says so, and a wall clock that is off by as much as it says."""

    def __init__(self) -> None:
        self.passed, self.skew = 5 * HOUR_NS, 0

    def monotonic_ns(self) -> int:  # type: ignore[override]
        return self.passed

    def time_ns(self) -> int:  # type: ignore[override]
        return 1_700_000_000 * 10**9 + self.passed + self.skew


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    before = clock.use(made)
    yield made
    clock.use(before)


def jump(world: World, chance: Random) -> None:
    world.skew = chance.choice((HOUR_NS, -HOUR_NS, 0))


def leap(world: World, chance: Random) -> None:
    world.skew += chance.choice((10**9, -(10**9)))


def freeze(world: World, chance: Random) -> None:
    """The wall clock stands still while time goes on."""
    step = chance.randrange(10**9)
    world.passed += step
    world.skew -= step


def noise(world: World, chance: Random) -> None:
    world.skew = chance.randrange(-5 * 10**6, 5 * 10**6)


STORIES: list[Callable[[World, Random], None]] = [jump, leap, freeze, noise]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
@pytest.mark.parametrize("seed", range(5))
def test_nothing_comes_early(world: World, story: Callable[[World, Random], None], seed: int) -> None:
    """Whatever the wall clock does: over any span engine time passes between 19 and 21 for 20 of the monotonic one."""
    chance, told = Random(seed), clock.Clock()
    seen = [(world.passed, told.now())]
    for _ in range(2000):
        if chance.random() < 0.1:
            story(world, chance)
        world.passed += chance.choice((0, 1000, 10**6, 100 * 10**6, 3 * 10**9))
        if chance.random() < 0.5:
            told.adjust()
        seen.append((world.passed, told.now()))
    for start in range(0, len(seen) - 1, 7):
        for end in range(start + 1, min(start + 200, len(seen)), 13):
            passed = (seen[end][0] - seen[start][0]) / 1e6
            counted = seen[end][1] - seen[start][1]
            assert passed * (1 - 1 / clock.DRIFT) - 2 <= counted <= passed * (1 + 1 / clock.DRIFT) + 2, (start, end)


def test_it_gets_there(world: World) -> None:
    """An hour is caught up within twenty hours, and the jump is told once."""
    told = clock.Clock()
    world.skew = HOUR_NS
    jumps = []
    for _ in range(21 * 3600):
        world.passed += 10**9
        jumps.append(told.adjust())
    assert jumps[0] and sum(jumps) == told.jumps == 1
    assert abs(told.now() - world.time_ns() // 10**6) <= 1


def test_a_start_behind_its_own_frames(world: World) -> None:
    """The log is from an hour ahead of the wall clock: time goes on from there and does not stand still."""
    told = clock.Clock()
    ahead = told.now() + HOUR_NS // 10**6
    told.start_from(ahead)
    assert told.now() == ahead
    world.passed += 10**9
    assert told.now() == ahead + 1000
    behind = clock.Clock()
    before = behind.now()
    behind.start_from(before - 5000)
    assert behind.now() == before
