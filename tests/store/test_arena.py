"""Memory after random histories: every page in one place, nothing lost; and the tables that live in it."""

from collections import Counter
from random import Random

import numpy as np
import pytest

from synap.ranges import TAPE_WORDS_MAX
from synap.store.kinds.memberships import group_members
from synap.store.kinds.queues import queue_layout as q
from synap.store.kinds.retained import retained
from synap.store.kinds.rooms import rooms
from synap.store.kinds.table import NAMED
from synap.store.kinds.topics import partitions
from synap.store.memory import arena, kinds, layout, tables
from synap.store.memory.tables import REF_MASK
from synap.store.records import event_logs as events
from synap.store.records import packed, rings
from tests.store import walks
from tests.store.calls import Calls
from tests.store.differential import Differential
from tests.support import Bench, command

BUDGET = 1 << 40


def every_table(bench: Bench) -> list[int]:
    """Walk every table there is; the blocks of their slots."""
    roots = [layout.SHARDS + i * layout.TABLE_SIZE for i in range(layout.SHARDS_COUNT)]
    for root in list(roots):
        for slot in walks.table(bench, root):
            ref = slot & REF_MASK
            head = bench[ref]
            if head & 15 == kinds.SET:
                root = bench[ref + 1 + (head >> 9 & 1) + (head >> 10 & 1)]
                if packed.shape_of.py_func(root) == packed.TABLE:
                    roots.append(packed.block_of.py_func(root))
                    walks.table(bench, roots[-1])
    for slot in walks.table(bench, layout.QUEUES):
        for root in tables_of_queue(bench, slot & REF_MASK):
            roots.append(root)
            walks.table(bench, roots[-1])
    for slot in walks.table(bench, layout.TOPICS):
        logs, count = (bench[(slot & REF_MASK) + word] for word in (partitions.PARTITIONS, partitions.COUNT))
        keys = [bench[logs + i * events.LOG_WORDS + partitions.KEYS] for i in range(count)]
        roots += filter(None, keys)
    roots += [(slot & REF_MASK) + rooms.SUBSCRIBERS for slot in walks.table(bench, layout.ROOMS)]
    named = [layout.NAMED_TABLES + (kind.number - layout.NAMED_FIRST) * layout.TABLE_SIZE for kind in NAMED]
    return [bench[root + word] for root in (*roots, *named) for word in (tables.SLOTS, tables.OLD)]


def tables_of_queue(bench: Bench, queue: int) -> list[int]:
    """The tables of a queue that are open."""
    every = [queue + root for root in (q.MESSAGES, q.HOLDERS, q.GROUPS, q.DEDUP)]
    return [root for root in every if bench[root + tables.SLOTS]]


def chained(bench: Bench, block: int) -> list[int]:
    """The entries of a history."""
    found = []
    while block:
        found.append(block)
        block = bench[block + q.FAILURE_NEXT]
    return found


def every_block(bench: Bench) -> list[int]:
    """The blocks of queues, rooms, topics and groups, and of what is in them, without slots of tables."""
    found = [bench[layout.TIMERS]]
    for slot in walks.table(bench, layout.QUEUES):
        queue = slot & REF_MASK
        found += [queue, *(bench[queue + word] for word in (q.DELAYED, q.EXPIRING, q.ACTIVE, q.REDRIVE_TO))]
        for root in tables_of_queue(bench, queue):
            found += [each & REF_MASK for each in walks.table(bench, root)]
        for each in walks.table(bench, queue + q.MESSAGES):
            if extras := bench[(each & REF_MASK) + q.EXTRAS]:
                found += [extras, *chained(bench, bench[extras + q.FAILURE_FIRST])]
    for slot in walks.table(bench, layout.ROOMS):
        found += [slot & REF_MASK, *blocks_of_log(bench, slot & REF_MASK)]
    for slot in walks.table(bench, layout.TOPICS):
        topic = slot & REF_MASK
        logs = bench[topic + partitions.PARTITIONS]
        found += [topic, logs]
        for i in range(bench[topic + partitions.COUNT]):
            found += blocks_of_log(bench, logs + i * events.LOG_WORDS)
            if keys := bench[logs + i * events.LOG_WORDS + partitions.KEYS]:
                found += [keys, *(each & REF_MASK for each in walks.table(bench, keys))]
    for slot in walks.table(bench, layout.RETAINED):
        found += [slot & REF_MASK, bench[(slot & REF_MASK) + retained.TEXTS]]
    for slot in walks.table(bench, layout.GROUPS):
        group = slot & REF_MASK
        array, count = bench[group + group_members.MEMBERS], bench[group + group_members.MEMBERS_COUNT]
        found += [group, array, bench[group + group_members.PARTITIONS], bench[group + group_members.TOPIC]]
        found += [bench[array + i] for i in range(count)]
    return found


def blocks_of_log(bench: Bench, log: int) -> list[int]:
    """The blocks of an event log: of its ring, and its chunks."""
    ring, size, head, count = (bench[log + events.CHUNKS + word] for word in range(rings.RING_WORDS))
    return [ring, *(bench[ring + (head + i) % size] for i in range(count))]


def blocks(bench: Bench, refs: list[int]) -> Counter[int]:
    """How many blocks of each class these are."""
    counts: Counter[int] = Counter()
    for ref in filter(None, refs):
        word = bench[layout.PAGE_TABLE + 2 * (ref // layout.PAGE_WORDS)]
        page = word >> arena.LENGTH
        counts[bench[layout.PAGE_TABLE + 2 * page + 1] & 0xFF if word & 7 == arena.SLAB else -1] += 1
    return counts


def empty(ways: Differential) -> None:
    """Remove all keys, one queue, room, topic and group, and what upkeep still had to take apart."""
    deleted = [[b"QUEUE.DELETE", b"q"], [b"STREAM.DELETE", b"r"], [b"TOPIC.DELETE", b"q"], [b"GROUP.DELETE", b"q"]]
    ways.batch([[b"FLUSHALL"], *deleted])
    ways.lazyfree(BUDGET)
    assert ways.lane[layout.LAZYFREE] == ways.lane[layout.LAZYFREE_COUNT] == 0


@pytest.mark.parametrize("seed", [31, 32, 33])
def test_every_page_is_in_one_place(store: type[Bench], seed: int) -> None:
    ways, chance = Differential(store), Random(seed)
    calls = Calls(chance, ways.state, huge=0.002)
    for step in range(60):
        ways.now += 400
        calls.now = ways.now
        for _ in range(8):
            ways.batch([calls.next() for _ in range(12)])
        ways.lazyfree(chance.choice((1, 50, BUDGET)))
        if step % 6 == 0:
            walks.pages(ways.lane)
            every_table(ways.lane)
    empty(ways)
    wanted = blocks(ways.lane, [*every_table(ways.lane), *every_block(ways.lane)])
    in_use = Counter(walks.pages(ways.lane))
    assert +in_use == +wanted, "something leaks"
    assert len(every_block(ways.lane)) > 10 and ways.state.queues and ways.state.rooms and ways.state.topics
    for name in list(ways.state.queues):
        ways.batch([[b"QUEUE.DELETE", name]])
    for name in list(ways.state.rooms):
        ways.batch([[b"STREAM.DELETE", name]])
    for name in list(ways.state.topics):
        ways.batch([[b"TOPIC.DELETE", name]])
    for name in list(ways.state.groups):
        ways.batch([[b"GROUP.DELETE", name]])
    for name in list(ways.state.retained):
        ways.batch([[b"RETAINED.DELETE", name]])
    ways.lazyfree(BUDGET)
    left = Counter(walks.pages(ways.lane)).total()
    assert left == blocks(ways.lane, every_table(ways.lane)).total() + 1  # the heap of timers


def test_the_walk_notices(store: type[Bench]) -> None:
    """Planted: a block nobody took, a page counted twice, a slot out of order, a wrong count."""
    bench = store()
    for i in range(300):
        bench.ask(["SET", f"key:{i}", "v" * (i * 7)])
    walks.pages(bench)
    shard = next(s for s in range(layout.SHARDS, layout.SHARDS + 512, 8) if len(walks.table(bench, s)) > 3)
    slots = [bench[shard + tables.SLOTS] + i for i in range(bench[shard + tables.SIZE])]
    taken = [at for at in slots if bench[at]]
    bench[taken[0]], bench[taken[-1]] = bench[taken[-1]], bench[taken[0]]
    with pytest.raises(AssertionError):
        walks.table(bench, shard)
    bench[taken[0]], bench[taken[-1]] = bench[taken[-1]], bench[taken[0]]
    for at in (shard + tables.COUNT, layout.PAGES_USED, layout.PAGES_DIRTY):
        bench[at] += 1
        with pytest.raises(AssertionError):
            walks.table(bench, shard)
            walks.pages(bench)
        bench[at] -= 1
    index = next(i for i in range(64) if bench[layout.CLASSES + i])
    for word in (1, 3, 9):
        at = layout.PAGE_TABLE + 2 * bench[layout.CLASSES + index] + word
        bench[at] += 256 if word == 1 else 1
        with pytest.raises(AssertionError):
            walks.pages(bench)
        bench[at] -= 256 if word == 1 else 1
    walks.pages(bench)


def test_random_blocks_do_not_overlap(store: type[Bench]) -> None:
    """Each block is filled with its own word, and still holds it when it is given back."""
    bench, chance = store(), Random(41)
    held: dict[int, int] = {}
    words = bench.heap.words
    for i in range(12_000):
        if held and chance.random() < (0.45 if i < 8000 else 0.7):
            ref = chance.choice(list(held)[:50])
            size = held.pop(ref)
            assert (words[ref : ref + size] == ref).all(), "somebody wrote into a block that is not his"
            arena.release_block(*bench.both, ref)
        else:
            often = chance.choice((24, 100, 1000))  # so that slabs of these become full
            size = chance.choice((often, often, often, chance.randint(1, 40), chance.randint(1, 30_000)))
            ref = int(arena.allocate_block(*bench.both, size))
            assert ref and ref not in held
            words[ref : ref + size] = ref
            held[ref] = size
        if i % 2000 == 0:
            walks.pages(bench)
    for ref in held:
        arena.release_block(*bench.both, ref)
    in_use = walks.pages(bench)
    assert sum(in_use.values()) == layout.SHARDS_COUNT + len(NAMED), "only the empty tables are left"
    runs = walks.listed_runs(words)
    found = np.zeros(1000, np.int64)
    assert arena.clean(words, 500, found) > 0 and bench[layout.PAGES_DIRTY] == 0
    assert {int(page) for page in found[: 2 * len(runs) : 2] if page} <= runs
    walks.pages(bench)


def test_churn_of_sizes_stays_bounded(store: type[Bench]) -> None:
    """Ten rounds of 1 KiB values to 100 B values and back: old slabs are given back and used again."""
    bench = store()
    count, most = 3000, 0
    for round_number in range(10):
        for size in (1024, 100):
            for start in range(0, count, 100):
                data = b"".join(command("SET", f"key:{i}", b"x" * size) for i in range(start, start + 100))
                assert bench.feed(data) == b"+OK\r\n" * 100
            bench[layout.LOG_TOP] = bench[layout.LOG_COUNT] = 0
            used = bench[layout.PAGES_USED]
            if round_number == 0:
                most = max(most, used)
            assert used <= most * 1.02 + 8, f"round {round_number}: {used} pages, {most} at first"
    assert used * layout.PAGE_BYTES < 3 * count * 140
    walks.pages(bench)


def test_pops_are_fair(store: type[Bench]) -> None:
    """SPOP of one of 40 members, 8000 times, also while the table moves: chi-square below its 0.9999 quantile."""
    for grown in (40, 27):  # 27 members more before: then the table has old slots while it shrinks and grows
        bench, counts = store(), Counter[bytes]()
        members = [b"m%d" % i for i in range(40)]
        bench.ask(["SADD", "s", *(b"extra%d" % i for i in range(grown * 9))])
        bench.ask(["SADD", "s", *members])
        bench.ask(["SREM", "s", *(b"extra%d" % i for i in range(grown * 9))])
        for _ in range(8000):
            drawn = bench.ask("SPOP s")
            counts[drawn] += 1
            bench.ask(["SADD", "s", drawn])
        assert set(counts) == set(members)
        assert sum((count - 200) ** 2 / 200 for count in counts.values()) < 83.0
        bench[layout.LOG_TOP] = bench[layout.LOG_COUNT] = 0


def test_pops_of_many_are_fair(store: type[Bench]) -> None:
    bench, counts = store(), Counter[bytes]()
    bench.ask(["SADD", "s", *(b"m%d" % i for i in range(50))])
    for _ in range(2000):
        drawn = bench.ask("SPOP s 5")
        assert len(set(drawn)) == 5
        counts.update(drawn)
        bench.ask(["SADD", "s", *drawn])
    assert sum((count - 200) ** 2 / 200 for count in counts.values()) < 97.0 and len(counts) == 50


@pytest.mark.parametrize("seed", [51, 52, 53])
def test_a_scan_finds_what_was_there_all_the_time(store: type[Bench], seed: int) -> None:
    """While others come and go by thousands between two windows, so that the tables grow and shrink."""
    bench, chance = store(), Random(seed)
    stay = {b"stay:%d" % i for i in range(400)}
    for key in stay:
        bench.ask(["SET", key, "v"])
    others: list[bytes] = []
    for _ in range(4):
        cursor, found, windows = b"0", Counter[bytes](), 0
        grow = chance.random() < 0.5
        while True:
            cursor, keys = bench.ask(["SCAN", cursor, "COUNT", chance.choice((b"1", b"10", b"60"))])
            found.update(keys)
            windows += 1
            if cursor == b"0":
                break
            if chance.random() < 0.1:
                grow = not grow
            if grow:
                fresh_keys = [b"other:%d" % chance.randrange(10**9) for _ in range(60)]
                others += fresh_keys
                bench.feed(b"".join(command("SET", key, "v") for key in fresh_keys))
            elif others:
                bench.ask(["DEL", *others[-80:]])
                del others[-80:]
            bench[layout.LOG_TOP] = bench[layout.LOG_COUNT] = 0
        assert stay <= set(found) and windows > 5
    every_table(bench)


def test_tables_grow_and_shrink_in_steps(store: type[Bench]) -> None:
    """A set of 20,000 members: each table it passes through is in order, and no insert moves much at once."""
    bench = store()
    bench[layout.SET_ENTRIES_MAX] = bench[layout.SET_INTEGERS_MAX] = 0
    root, seen_moving, sizes = 0, 0, set()
    for i in range(20_000):
        bench.ask(["SADD", "s", b"%d" % i])
        if i == 0:
            root = next(
                packed.block_of.py_func(bench[(slot & REF_MASK) + 1])
                for s in range(layout.SHARDS_COUNT)
                for slot in walks.table(bench, layout.SHARDS + s * layout.TABLE_SIZE)
            )
        sizes.add(bench[root + tables.SIZE])
        seen_moving += bench[root + tables.OLD] != 0
        if i % 1500 == 0 or 98 < i < 130:
            walks.table(bench, root)
        bench[layout.LOG_TOP] = bench[layout.LOG_COUNT] = 0
    assert seen_moving > 1500 and len(sizes) > 15
    assert 0.45 < 20_000 / bench[root + tables.SIZE] < 0.76
    for i in range(19_950):
        bench.ask(["SREM", "s", b"%d" % i])
        if i % 1500 == 0 or i > 19_930:
            walks.table(bench, root)
        bench[layout.LOG_TOP] = bench[layout.LOG_COUNT] = 0
    assert bench[root + tables.SIZE] < 1000
    assert sorted(bench.ask("SMEMBERS s")) == sorted(b"%d" % i for i in range(19_950, 20_000))


def test_every_block_of_a_call_can_be_deferred() -> None:
    """A call defers at most a block for each item of its reply, and for each key that it names, and a few."""
    assert layout.DEFERRED_MAX > layout.REPLY_ITEMS + TAPE_WORDS_MAX
    assert layout.DEFERRED + layout.DEFERRED_MAX <= layout.SESSIONS
