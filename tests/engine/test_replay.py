"""Live = replayed from its frames = loaded from its dump, by the digest of everything that is true; and it stays so."""

from random import Random

import pytest

from synap.store.memory import layout
from tests.store.calls import Calls
from tests.store.copies import TAGGED, TAGS, apply, dumped, fresh, hashes, loaded, neighbours, replayed, why
from tests.store.differential import Differential, digest, limit
from tests.store.test_model import history
from tests.support import Bench


def live(store: type[Bench], seed: int, count: int) -> Differential:
    """A random history whose frames were kept."""
    ways = Differential(store)
    ways.keep_frames = True
    history(ways, seed, count)
    return ways


def copies(store: type[Bench], ways: Differential, most: int = 1 << 20) -> list[Bench]:
    """Two copies of the lane's heap, with other secret keys: from all frames, and from a dump."""
    seq = ways.lane[layout.SEQ]
    found = [replayed(fresh(store, 7), ways.frames), loaded(fresh(store, 8), dumped(ways.lane, most), seq)]
    for copy in found:
        assert copy[layout.SEQ] == seq
        assert digest(copy) == digest(ways.lane)
        for register in (*range(layout.KEYS_COUNT, layout.KEYS_COUNT + 16),):
            assert copy[register] == ways.lane[register]
            assert copy[register + 16] == ways.lane[register + 16]
    return found


@pytest.mark.parametrize("seed", [11, 12])
def test_copies_are_equal_and_stay_equal(store: type[Bench], seed: int) -> None:
    ways = live(store, seed, 4000)
    both = copies(store, ways, most=(1 << 20, 5000)[seed % 2])
    for round_seed in (1, 2, 3):
        ways.frames.clear()
        history(ways, 1000 * seed + round_seed, 1500)
        assert ways.frames
        for copy in both:
            replayed(copy, ways.frames)
            assert digest(copy) == digest(ways.lane)


def test_replies_of_a_copy(store: type[Bench]) -> None:
    """A copy with the same secret keys answers what the original answers: leases, counts, deadlines included."""
    ways = live(store, 21, 5000)
    copy = loaded(fresh(store, 0), dumped(ways.lane), ways.lane[layout.SEQ])
    copy[layout.CHANCE] = ways.lane[layout.CHANCE]
    limit(copy)
    ways.steps = copy  # from here on the copy is compared with the lane, frame by frame and reply by reply
    chance = Random(5)
    calls = Calls(chance, ways.state, huge=0)
    # What depends on where members or names lie, or counts since the start, a copy does not share.
    drawn = {b"SPOP", b"SRANDMEMBER", b"SMEMBERS", b"SINTER", b"SUNION", b"SDIFF", b"QUEUE.LIST", b"STREAM.LIST",
             b"QUEUE.STATS", b"STREAM.STATS", b"TOPIC.STATS", b"RANDOMKEY", b"HRANDFIELD"}  # fmt: skip
    while calls.made < 6000:
        ways.now += chance.choice((0, 1, 700))
        calls.now = ways.now
        ways.batch([words for words in (calls.next() for _ in range(9)) if words[0].upper() not in drawn])
        ways.internal(*calls.nameless())
    assert digest(copy) == digest(ways.lane)


def test_every_kind_of_difference_shows(store: type[Bench]) -> None:
    """The digest sees each thing that may be true of a key, a message or a queue."""
    seen = {}
    stories = {
        "nothing": [],
        "a string": [[b"SET", b"k", b"v"]],
        "another value": [[b"SET", b"k", b"w"]],
        "another key": [[b"SET", b"kv", b""]],
        "a deadline": [[b"SET", b"k", b"v", b"PX", b"9"]],
        "a later one": [[b"SET", b"k", b"v", b"PX", b"10"]],
        "a list": [[b"RPUSH", b"k", b"v", b"w"]],
        "another order": [[b"RPUSH", b"k", b"w", b"v"]],
        "another cut": [[b"RPUSH", b"k", b"vw"]],
        "a set": [[b"SADD", b"k", b"v", b"w"]],
        "a smaller one": [[b"SADD", b"k", b"v"]],
        "a queue": [[b"QUEUE.CREATE", b"k", b"9", b"30", b"3", b"5"]],
        "another depth": [[b"QUEUE.CREATE", b"k", b"8", b"30", b"3", b"5"]],
        "another prefetch": [[b"QUEUE.CREATE", b"k", b"9", b"30", b"3", b"5", b"PREFETCH", b"1"]],
        "a paused one": [[b"QUEUE.CREATE", b"k", b"9", b"30", b"3", b"5"], [b"QUEUE.PAUSE", b"k"]],
        "a back-off": [[b"QUEUE.CREATE", b"k", b"9", b"30", b"3", b"5", b"BACKOFF", b"FIXED", b"7"]],
        "another kind of it": [[b"QUEUE.CREATE", b"k", b"9", b"30", b"3", b"5", b"BACKOFF", b"LINEAR", b"7"]],
        "a longer one": [[b"QUEUE.CREATE", b"k", b"9", b"30", b"3", b"5", b"BACKOFF", b"FIXED", b"8"]],
        "a greatest wait": [[b"QUEUE.CREATE", b"k", b"9", b"30", b"3", b"5", b"BACKOFFMAX", b"7"]],
        "a jitter": [[b"QUEUE.CREATE", b"k", b"9", b"30", b"3", b"5", b"JITTER", b"7"]],
        "a room": [[b"STREAM.CREATE", b"k"]],
        "another limit": [[b"STREAM.CREATE", b"k", b"MAXEVENTS", b"1"]],
        "an event": [[b"STREAM.CREATE", b"k"], [b"STREAM.PUBLISH", b"k", b"e", b"v"]],
        "of another name": [[b"STREAM.CREATE", b"k"], [b"STREAM.PUBLISH", b"k", b"f", b"v"]],
        "another order of events": [[b"STREAM.CREATE", b"k"], [b"STREAM.PUBLISH", b"k", b"e", b"v", b"w"]],
        "the other order of events": [[b"STREAM.CREATE", b"k"], [b"STREAM.PUBLISH", b"k", b"e", b"w", b"v"]],
        "a group": [[b"GROUP.CREATE", b"k", b"t", b"2"]],
        "another topic": [[b"GROUP.CREATE", b"k", b"u", b"2"]],
        "another strategy": [[b"GROUP.CREATE", b"k", b"t", b"2", b"STRATEGY", b"STICKY"]],
        "another session": [[b"GROUP.CREATE", b"k", b"t", b"2", b"SESSION", b"9"]],
        "a member": [[b"GROUP.CREATE", b"k", b"t", b"2"], [b"GROUP.JOIN", b"k", b"MEMBER", b"m"]],
        "another member": [[b"GROUP.CREATE", b"k", b"t", b"2"], [b"GROUP.JOIN", b"k", b"MEMBER", b"n"]],
        "an offset": [[b"GROUP.CREATE", b"k", b"t", b"2"], [b"GROUP.COMMIT", b"k", b"0", b"0"]],
        "of the other partition": [[b"GROUP.CREATE", b"k", b"t", b"2"], [b"GROUP.COMMIT", b"k", b"1", b"0"]],
        "a topic": [[b"TOPIC.CREATE", b"k"]],
        "other partitions": [[b"TOPIC.CREATE", b"k", b"PARTITIONS", b"2"]],
        "another routing": [[b"TOPIC.CREATE", b"k", b"ROUTING", b"CRC32"]],
        "a record": [[b"TOPIC.CREATE", b"k"], [b"TOPIC.PUBLISH", b"k", b"e", b"v", b"PARTITION", b"0"]],
        "without a place": [[b"TOPIC.CREATE", b"k"], [b"TOPIC.PUBLISH", b"k", b"e", b"v"]],
        "in another partition": [[b"TOPIC.CREATE", b"k"], [b"TOPIC.PUBLISH", b"k", b"e", b"v", b"PARTITION", b"1"]],
        "an empty key": [
            [b"TOPIC.CREATE", b"k"], [b"TOPIC.PUBLISH", b"k", b"e", b"v", b"PARTITION", b"0", b"KEY", b""],
        ],
        "with a key": [[b"TOPIC.CREATE", b"k"], [b"TOPIC.PUBLISH", b"k", b"", b"v", b"PARTITION", b"0", b"KEY", b"e"]],
        "with headers": [
            [b"TOPIC.CREATE", b"k"], [b"TOPIC.PUBLISH", b"k", b"", b"v", b"PARTITION", b"0", b"HEADERS", b"e"],
        ],
        "one that is no longer held": [
            [b"STREAM.CREATE", b"k", b"MAXEVENTS", b"1"], [b"STREAM.PUBLISH", b"k", b"e", b"w", b"v"],
        ],
    }
    for name, calls in stories.items():
        ways = Differential(store)
        ways.batch(calls)
        seen[name] = tuple(digest(ways.lane))
    ways = Differential(store)
    ways.become(3, 2)
    ways.batch(stories["a string"])
    seen["another namespace"] = tuple(digest(ways.lane))
    ways = Differential(store)
    ways.batch(stories["a queue"])
    for step in ([b"QUEUE.PUBLISH", b"k", b"v"], [b"QUEUE.CONSUME", b"k"], None, [b"QUEUE.CONSUME", b"k"]):
        if step:
            ways.batch([step])
        else:
            ways.now += 30
            assert ways.internal("queue.requeue", [b"k", b"1"]) == 1
        seen[f"{step} at {ways.now}"] = tuple(digest(ways.lane))
    assert len(set(seen.values())) == len(seen)


@pytest.mark.parametrize("kind", ["list", "set"])
def test_structures_in_several_pieces(store: type[Bench], kind: str) -> None:
    ways = Differential(store)
    ways.keep_frames = True
    push = b"RPUSH" if kind == "list" else b"SADD"
    for start in range(0, 40_000, 1000):  # many small members: more than PIECE_ITEMS
        ways.batch([[push, b"many", *(b"%d" % i for i in range(start, start + 1000))]])
    for start in range(0, 60, 20):  # few large ones: more than PIECE_BYTES
        ways.batch([[push, b"large", *(b"%d" % i * 30_000 for i in range(start, start + 20))]])
    ways.batch([[b"EXPIRE", b"many", b"100"], [b"EXPIRE", b"large", b"200"], [b"SET", b"after", b"v"]])
    pieces = dumped(ways.lane)
    code = {"list": 0x04F0, "set": 0x05F0}[kind]
    heads = [int.from_bytes(piece[at : at + 8], "little") for piece in pieces for at in ends(piece)]
    assert sum(head >> 32 & 0xFFFF == code for head in heads) >= 6
    copies(store, ways)
    ways.same_state()


def ends(piece: bytes) -> list[int]:
    """Where the frames of a piece start."""
    found, at = [], 0
    while at < len(piece):
        found.append(at)
        at += int.from_bytes(piece[at : at + 4], "little")
    return found


def test_keys_that_share_a_place(store: type[Bench]) -> None:
    """Two keys with one shard and tag, members with one tag: dumped, scanned, and replayed like any others."""
    ways = Differential(store)
    ways.keep_frames = True
    texts = [b"x%d" % i for i in range(300_000)]
    found = hashes(ways.lane, texts)
    pairs = [group[:2] for group in neighbours(found, texts, TAGGED)[:100]]
    assert pairs, "no two keys share a place: try another form"
    for i, pair in enumerate(pairs):
        ways.batch([[b"SET", pair[0], b"first"], [b"RPUSH" if i % 2 else b"SADD", pair[1], b"a", b"b"]])
    crowd = [group[:20] for group in neighbours(found, texts, TAGS)[:100]]
    members = [member for group in crowd for member in group]
    ways.batch([[b"SADD", b"crowd", *members]])
    ways.scan()
    ways.scan(b"COUNT", b"1")
    for most in (1 << 20, 8):
        pieces = dumped(ways.lane, most)
        same = loaded(fresh(store, 0), pieces, ways.lane[layout.SEQ])
        assert digest(same) == digest(ways.lane)
    copies(store, ways)
    for group in crowd:
        ways.batch([[b"SREM", b"crowd", group[0]], [b"SISMEMBER", b"crowd", group[1]]])
    for pair in pairs:
        ways.batch([[b"DEL", pair[0]], [b"DEL", pair[1]], [b"SET", pair[0], b"again"]])
    ways.same_state()
    copies(store, ways)


def test_namespaces(store: type[Bench]) -> None:
    ways = Differential(store)
    ways.keep_frames = True
    for namespace in range(16):
        ways.become(namespace, 2)
        ways.batch([[b"SET", b"k", b"%d" % namespace], [b"RPUSH", b"l", b"%d" % namespace], [b"DBSIZE"]])
        if namespace % 2:
            ways.batch([[b"EXPIRE", b"k", b"9"]])
    copies(store, ways)
    ways.same_state()
    ways.become(5, 2)
    ways.batch([[b"DEL", b"k"], [b"GET", b"k"]])
    ways.become(6, 2)
    assert ways.batch([[b"GET", b"k"], [b"DBSIZE"]]) == [b"6", 2]


def test_a_wrong_frame_stops_the_replay(store: type[Bench]) -> None:
    """Another seq, another status, an unknown code, a cut frame: -1, and everything before it stands."""
    ways = Differential(store)
    ways.keep_frames = True
    ways.batch([[b"SET", b"a", b"1"], [b"INCR", b"a"], [b"RPUSH", b"l", b"x"], [b"LPOP", b"l"]])
    (log,) = ways.frames
    starts = ends(log)
    assert apply(fresh(store, 3), log, 1) == 4

    def wrong(frame: int, word: int, value: int) -> Bench:
        at = starts[frame] + 8 * word
        bench = fresh(store, 3)
        bad = log[:at] + value.to_bytes(8, "little") + log[at + 8 :]
        assert apply(bench, bad, 1) == -1, why(bench)
        assert bench[layout.SEQ] == frame
        return bench

    def word(frame: int, which: int) -> int:
        return int.from_bytes(log[starts[frame] + 8 * which : starts[frame] + 8 * which + 8], "little")

    wrong(1, 1, 5)
    wrong(2, 3, word(2, 3) ^ 1)
    wrong(3, 3, word(3, 3) + layout.ITEMS - layout.ITEM)
    wrong(3, 0, word(3, 0) | 0xFF << 32)
    wrong(3, 0, word(3, 0) + 8)
    bench = fresh(store, 3)
    assert apply(bench, log[: starts[3]] + log[starts[2] :], 1) == -1
    assert bench.ask("LLEN l") == 1 and bench.ask("GET a") == b"2"


def test_a_frame_of_0_1_0_may_have_the_status_of_a_list(store: type[Bench]) -> None:
    """QUEUE.CONSUME answered ITEMS then, where it answers one map today; no other row may differ from its frame."""
    ways = Differential(store)
    ways.keep_frames = True
    ways.batch([command.split() for command in (b"QUEUE.CREATE q 9 9 1 1", b"QUEUE.PUBLISH q x", b"QUEUE.CONSUME q w")])
    (log,) = ways.frames
    at = ends(log)[2] + 8 * 3
    status = int.from_bytes(log[at : at + 8], "little")
    assert status & 0xFF == layout.ITEM
    old = log[:at] + (status + layout.ITEMS - layout.ITEM).to_bytes(8, "little") + log[at + 8 :]
    bench = fresh(store, 3)
    assert apply(bench, old, 1) == 3, why(bench)
    assert digest(bench) == digest(ways.lane)
