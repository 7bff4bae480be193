"""Compacted topics: the three ways agree on random records, memory is given back, and copies go on alike."""

from random import Random

import pytest

from synap.store.kinds.topics import partitions
from synap.store.memory import layout
from synap.store.memory.tables import REF_MASK
from synap.store.records import event_logs as events
from synap.store.upkeep import upkeep
from tests.store import walks
from tests.store.copies import dumped, fresh, loaded, replayed
from tests.store.differential import Differential, digest
from tests.support import Bench, Refusal

CREATE = [b"TOPIC.CREATE", b"t", b"PARTITIONS", b"2", b"POLICY", b"COMPACT", b"LAG", b"500", b"TOMBSTONE", b"3000"]


def record(chance: Random, keys: int) -> list[bytes]:
    data = b"x" * chance.choice((0, 1, 5, 100, 100, 900))
    return [b"TOPIC.PUBLISH", b"t", b"e", data, b"KEY", b"key-%d" % chance.randrange(keys)]


def chunks(bench: Bench) -> list[int]:
    """The number of chunks of each partition of the only topic."""
    (slot,) = walks.table(bench, layout.TOPICS)
    topic = slot & REF_MASK
    logs = [bench[topic + partitions.PARTITIONS] + i * events.LOG_WORDS for i in range(bench[topic + partitions.COUNT])]
    return [bench[log + events.CHUNKS_COUNT] for log in logs]


@pytest.mark.parametrize(("seed", "keys"), [(1, 3), (2, 40), (3, 400)])
def test_the_last_record_of_each_key(store: type[Bench], seed: int, keys: int) -> None:
    """Read from anywhere, by offset and by time, while records are published and chunks are written anew."""
    ways, chance = Differential(store), Random(seed)
    ways.batch([CREATE])
    for _ in range(250):
        ways.now += chance.choice((0, 10, 400))
        ways.batch([record(chance, keys) for _ in range(chance.choice((1, 4, 12)))])
        partition, start = b"%d" % chance.randrange(2), b"%d" % chance.randrange(900)
        ways.batch([
            [b"TOPIC.READ", b"t", b"LIMIT", b"9999"],
            [b"TOPIC.READ", b"t", b"LIMIT", b"3", b"OFFSETS", partition, start, b"0", b"0"],
            [b"TOPIC.CONSUME", b"t", partition, b"LIMIT", b"5"], [b"TOPIC.STATS", b"t"],
            [b"TOPIC.OFFSETS", b"t", b"TIMESTAMP", b"%d" % (ways.now - chance.randrange(20_000))],
        ])  # fmt: skip
    ways.same_state()
    assert max(chunks(ways.lane)) < 12 + keys // 8


def test_memory_follows_the_keys(store: type[Bench]) -> None:
    """A hundred thousand records of a hundred keys take what some hundred records take; a deletion leaves nothing."""
    bench = store()
    before = bench[layout.WORDS_USED]
    bench.ask([*CREATE[:-4], b"LAG", b"0"])
    pairs = [word for i in range(1000) for word in (b"key-%d" % (i % 100), b"x" * 100)]
    for _ in range(100):
        assert len(bench.ask([b"TOPIC.MPUBLISH", b"t", b"e", *pairs])) == 1000
    assert (bench[layout.WORDS_USED] - before) * 8 < 120_000
    assert sum(chunks(bench)) < 12
    found = bench.ask([b"TOPIC.READ", b"t", b"LIMIT", b"9999"])
    assert len({each[3] for each in found}) == len(found) == 100
    ends = {number: after for number, _, _, after in bench.ask([b"TOPIC.OFFSETS", b"t"])}
    assert sum(ends.values()) == 100_000 and all(each[1] >= ends[each[0]] - 100 for each in found)
    bench.ask([b"TOPIC.MPUBLISH", b"t", b"e", *(word for i in range(100) for word in (b"key-%d" % i, b""))])
    stats = bench.ask([b"TOPIC.STATS", b"t"])
    assert [each[5] for each in stats[-1]] == [0, 0], "tombstones are no values"
    bench.ask([b"TOPIC.MPUBLISH", b"t", b"e", *pairs])
    bench.ask([b"TOPIC.DELETE", b"t"])
    while bench[layout.LAZYFREE]:
        upkeep.lazyfree(*bench.both, 7)
    assert bench[layout.WORDS_USED] <= before + 16


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_copies_go_on_alike(store: type[Bench], seed: int) -> None:
    """A snapshot has other chunks and other gaps, and the same records, now and after more of them."""
    ways, chance = Differential(store), Random(seed)
    ways.keep_frames = True
    ways.batch([CREATE])
    for _ in range(60):
        ways.now += chance.choice((0, 10, 400))
        ways.batch([record(chance, 30) for _ in range(9)])
    ways.take_frames(ways.lane, True)
    copy = loaded(fresh(store, 7), dumped(ways.lane), ways.lane[layout.SEQ])
    assert digest(copy) == digest(ways.lane) == digest(replayed(fresh(store, 8), ways.frames))
    ways.frames.clear()
    for _ in range(60):
        ways.now += chance.choice((0, 10, 400))
        ways.batch([record(chance, 30) for _ in range(9)])
    ways.take_frames(ways.lane, True)
    assert digest(replayed(copy, ways.frames)) == digest(ways.lane)


def test_what_is_refused(store: type[Bench]) -> None:
    bench = store()
    bench.ask(CREATE)
    wanted = Refusal("ERR a record of a compacted topic needs a key")
    assert bench.ask([b"TOPIC.PUBLISH", b"t", b"e", b"x"]) == wanted
    assert bench.ask([b"TOPIC.PUBLISH", b"t", b"e", b"x", b"PARTITION", b"0", b"KEY", b""]) == wanted
    assert bench.ask([b"TOPIC.MPUBLISH", b"t", b"e", b"k", b"x", b"", b"y"]) == wanted
    for options in ("POLICY COMPACT RETENTION 60", "LAG 5 MAXBYTES 9", "POLICY INFINITE LAG 1"):
        assert "retention policy" in str(bench.ask([b"TOPIC.CREATE", b"u", *options.encode().split()])), options
