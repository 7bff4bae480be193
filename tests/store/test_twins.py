"""The naive twins: each row has one, the rows' own examples hold three ways, and so do the rows that only we call."""

from random import Random

import pytest

from synap.commands import CATALOGUE
from synap.store.memory import layout
from synap.traits import RUNS_SCRIPT, TRUSTED
from tests.naive.store.stream_parts import CHUNK, CONSUMER, DELETED, GROUP, LAST, PENDING, packed
from tests.naive.store.streams import Entry, Node
from tests.store.calls import POOL, number
from tests.store.differential import SCANS, Differential, digest, twins
from tests.support import Bench, Refusal

OURS = {row.name for row in CATALOGUE.rows if row.traits & TRUSTED}
BUSY = Refusal("BUSYKEY Target key name already exists.")


def test_each_row_has_a_twin() -> None:
    found = twins(CATALOGUE.rows)
    assert set(found) == {row.name for row in CATALOGUE.rows if row.run and not row.traits & RUNS_SCRIPT}
    assert all(row.internal and row.run for row in CATALOGUE.rows if row.traits & TRUSTED)
    assert all(found[row.name].__name__ == row.run.partition(".")[2] for row in CATALOGUE.rows if row.name in found)


TWINS = twins(CATALOGUE.rows)
SHOWN = [
    row.name for row in CATALOGUE.rows
    if row.name in TWINS and row.resp and row.examples and "PUBSUB.PUBLISH" not in {
        each.words.split()[0] for each in row.examples
    }
]  # fmt: skip
"""The rows whose examples need no handler, and no PUBSUB.PUBLISH, which has one."""


@pytest.mark.parametrize("name", SHOWN)
def test_examples(store: type[Bench], name: str) -> None:
    ways, known = Differential(store), ""
    for example in CATALOGUE.by_name[name].examples:
        words = [word.encode() for word in example.words.replace("{id}", known).split()]
        if words[0] == b"SCAN":
            ways.scan()
            continue
        if words[0] in SCANS.values():
            ways.scan(*words[3:], word=words[0], key=words[1])
            continue
        (reply,) = ways.batch([words])
        told = plain(reply)
        if example.reply == "{id}":
            known = str(told)
        elif isinstance(told, dict):
            assert told == example.reply
        elif isinstance(example.reply, dict):
            assert told == list(example.reply.values())
        elif example.reply is not ...:
            assert told == example.reply, example.words


def plain(reply: object) -> object:
    """A reply as the examples spell it."""
    if isinstance(reply, list):
        return [plain(item) for item in reply]
    if isinstance(reply, dict):
        return {plain(name): plain(item) for name, item in reply.items()}
    return reply.decode() if isinstance(reply, bytes) else reply


def loads(chance: Random) -> tuple[str, list[bytes]]:
    """A row out of a snapshot, now and then one that does not belong there."""
    name = chance.choice(sorted(OURS))
    key = chance.choice((b"a", b"b", b"c", b"d" * 5000, b""))
    texts = [POOL[i : i + chance.choice((0, 3, 900, 1500))] for i in range(chance.choice((1, 2, 30)))]
    deadline = number(chance.choice((0, 0, 1_000_100, 900_000)))
    ident = b"%016d" % chance.randrange(40)
    counts = [number(chance.randrange(9)) for _ in range(13)]
    state = chance.randrange(3) | chance.randrange(10) << 8 | chance.randrange(5) << 16 | chance.randrange(5) << 40
    match name:
        case "string.load":
            return name, [key, texts[0], deadline]
        case "hyperloglog.put":
            return name, [key, texts[0]]
        case "hyperloglog.put_until":
            return name, [key, texts[0], deadline]
        case "list.load" | "set.load":
            return name, [key, deadline, chance.choice((b"0", b"1", b"1")), *texts]
        case "hash.load":
            rest = [word for text in texts for word in (text[:3], text, chance.choice((b"0", b"0", b"1000100")))]
            return name, [key, deadline, chance.choice((b"0", b"1", b"1")), *rest]
        case "hash.drop":
            return name, [key, *(text[:3] for text in texts)]
        case "zset.load":
            pairs = [word for text in texts for word in (number(chance.randrange(9)), text)]
            return name, [key, deadline, chance.choice((b"0", b"1", b"1")), *pairs]
        case "xstream.load":
            more = chance.choice((0, 1, 1))
            return name, [key, deadline, number(more), *stream_parts(chance, [] if more else texts)]
        case "queue.load":
            words = [number(chance.randrange(9)), number(chance.randrange(900)), b"2", b"5", *counts[4:]]
            later = [number(chance.randrange(most)) for most in (4, 900, 900, 101, 2, 50)]
            most = (50, 900, 3, 4, 900, 900, 9, 2, 50, 50, 9_000, 3, 5, 9, 2)
            more = [number(chance.randrange(each)) for each in most]
            return name, [key, *words, b"0", *later, *more, b"worker", chance.choice((b"a", b"b", b"none"))]
        case "queue.put":
            return name, [key, texts[0], b"PRIORITY", b"3", ident, chance.choice((b"0", b"1000500"))]
        case "queue.put_many":
            ids = chance.sample(range(40), len(texts))
            keys = [chance.choice((b"", b"k%d" % chance.randrange(20_000))) for _ in texts]
            puts = [(b"%016d" % each, text, k) for each, text, k in zip(ids, texts, keys, strict=True)]
            times = [chance.choice((b"0", b"1000500")) for _ in "de"]
            group = chance.choice((b"", b"g1", b"g2"))
            return name, [key, b"3", b"2", b"{}", *times, group, *(word for put in puts for word in put)]
        case "queue.load_key":
            return name, [key, b"k%d" % chance.randrange(900), ident, b"1000900"]
        case "retained.store":
            return name, [key, texts[0], b'{"a":1}', b"%d" % chance.randrange(99), chance.choice((b"0", b"1")), b"5000"]
        case "stream.make":
            return name, [key, b"5", b"0", chance.choice((b"0", b"100"))]
        case "stream.load":
            return name, [key, b"0", b"0", b"0", b"7", b"7", b"1000", b"0"]
        case "group.load":
            return name, [key, texts[0], b"3", number(chance.randrange(1, 4)), *counts[:4]]
        case "group.load_members":
            names = [b"%d" % chance.randrange(9999) for _ in texts]
            return name, [key, *(word for each in names for word in (each, b"1000100", number(chance.randrange(9))))]
        case "group.load_partitions":
            return name, [key, *(number(chance.randrange(5)) for _ in range(2 * chance.choice((1, 3, 4))))]
        case "group.enter":
            return name, [key, chance.choice((b"m1", b"m2")), b"100"]
        case "topic.load":
            settings = [b"0", b"0", chance.choice((b"0", b"100")), b"3", chance.choice((b"1", b"2")), b"1", *counts[:3]]
            partitions = [number(chance.randrange(9)) for _ in range(2 * chance.choice((1, 3)))]
            return name, [key, *settings, *partitions, b"0", b"0"]
        case "topic.load_records":
            rest = [word for text in texts for word in (b"e", text[:3], text, text[:9], b"1000000", b"0")]
            return name, [key, b"0", *rest]
        case "function.store":
            return name, [key, texts[0]]
        case "function.remove":
            return name, [key]
        case "function.texts":
            return name, []
        case "stream.load_events":
            return name, [key, *(word for text in texts for word in (b"e", text, b"1000000"))]
        case _:
            leased = number(chance.randrange(1_000_000, 1_000_900)) if state & 3 == 1 else b"0"
            words = [texts[0], ident, number(state), leased, b"999999", texts[-1], b"worker", b"0"]
            words.append(number(chance.randrange(9)))
            group, expires = chance.choice((b"", b"g" + ident)), chance.choice((b"0", b"1000300"))
            turn = b"0" if state & 3 == 2 else b"1"
            failures = [(b"999000", number(int.from_bytes(b"nack", "little")), b"worker", texts[0][:9])]
            history = failures * chance.choice((0, 1, 12))
            times = [expires, number(chance.randrange(1, 90))] if state & 3 != 2 else [b"0", b"0"]
            return name, [key, *words, *times, group, turn, *(word for failure in history for word in failure)]


def stream_parts(chance: Random, texts: list[bytes]) -> list[bytes]:
    """The parts of a stream, as a snapshot has them: nodes, ids, groups with consumers and what is pending. Without
    texts only ids, which may come again."""
    parts: list[tuple[int, int, int, int, int, int, bytes]] = []
    ms = chance.choice((5, 1 << 62))
    for text in texts[:4]:
        ms += chance.randrange(1, 1000)
        node = Node((ms, chance.choice((0, 1 << 62))), [b"f", text[:20]], chance.choice((100, 390)))
        ids = [node.first, (ms, node.first[1] + 300), (ms + 2, 7)]
        ms += 2
        for ident in ids[: chance.randrange(1, 4)]:
            names = chance.choice((node.names, [b"g"]))
            fields = [word for name in names for word in (name, text[: chance.randrange(300)])]
            node.entries.append(Entry(ident, fields, chance.random() < 0.2))
        parts.append((CHUNK, *node.first, len(node.live), len(node.entries), node.size, packed(node)))
    parts += [(LAST, ms + 1, 2, chance.randrange(9, 99), 0, 0, b""), (DELETED, chance.choice((0, 5)), 0, 0, 0, 0, b"")]
    for group in sorted(chance.sample((b"", b"g", b"g2", b"group" * 60), chance.randrange(3) if texts else 0)):
        parts.append((GROUP, ms, chance.randrange(9), chance.choice((-1, 3)), 0, 0, group))
        consumers = sorted(chance.sample((b"", b"c", b"d" * 200, b"\xff"), chance.randrange(4)))
        parts += [(CONSUMER, 1_000_000, chance.choice((-1, 999_000)), 0, 0, 0, consumer) for consumer in consumers]
        for i in range(chance.randrange(20) if consumers else 0):
            parts.append((PENDING, 5 + i, i % 3, 999_000, i, chance.randrange(len(consumers)), b""))
    return [word for part in parts for word in (*map(number, part[:-1]), part[-1])]


@pytest.mark.parametrize("seed", range(4))
def test_rows_that_only_we_call(store: type[Bench], seed: int) -> None:
    ways, chance = Differential(store), Random(seed)
    refused = 0
    for step in range(2500):
        ways.now += chance.choice((0, 0, 3))
        draw = chance.random()
        if draw < 0.75:
            told = ways.internal(*loads(chance))
        elif draw < 0.85:
            told = ways.internal("queue.due", [])
            if isinstance(told, bytes):
                name = chance.choice(("queue.requeue", "stream.expire", "topic.expire", "group.sweep"))
                told = ways.internal(name, [told, number(chance.choice((0, 1, 100)))])
        elif draw < 0.92:
            told = ways.internal("key.expire", [chance.choice((b"a", b"b", b"c"))])
        elif draw < 0.95:
            told = ways.internal("hash.drop_some", [chance.choice((b"a", b"b", b"c"))])
        else:
            queue = ways.state.queues.get(b"a")
            leased = queue.leased[:1] if queue else []
            (told,) = ways.batch([chance.choice((
                [b"DEL", b"a", b"b"], [b"QUEUE.CONSUME", b"a"], [b"QUEUE.STATS", b"a"], [b"DBSIZE"],
                [b"QUEUE.ACK", b"a", *(leased or [b"x"])], [b"PTTL", b"c"], [b"FLUSHALL"], [b"TOPIC.STATS", b"a"],
                [b"TOPIC.READ", b"a"], [b"TOPIC.DELETE", b"a"], [b"GROUP.STATS", b"a"], [b"GROUP.DELETE", b"a"],
                [b"XINFO", b"STREAM", chance.choice((b"a", b"b", b"c")), b"FULL", b"COUNT", b"0"],
            ))])  # fmt: skip
        refused += isinstance(told, Refusal)
        if step % 500 == 0:
            assert digest(ways.lane) == digest(ways.steps)
    assert refused > 100 and OURS | {"queue.due", "hash.drop_some"} <= set(ways.seen)
    assert ways.lane[layout.SEQ] > 500


def test_a_key_that_exists_is_not_loaded_over(store: type[Bench]) -> None:
    ways = Differential(store)
    ways.batch([[b"SET", b"k", b"v", b"PX", b"10"]])
    ways.now += 20  # expired, and still in the way
    assert ways.internal("string.load", [b"k", b"w", b"0"]) == BUSY
    assert ways.internal("xstream.load", [b"k", b"0", b"0", *stream_parts(Random(1), [b"w"])]) == BUSY
    for name in ("list.load", "set.load"):
        assert ways.internal(name, [b"k", b"0", b"0", b"w"]) == BUSY
    assert ways.internal("hash.load", [b"k", b"0", b"0", b"f", b"w", b"0"]) == BUSY
    assert ways.internal("zset.load", [b"k", b"0", b"0", b"1", b"w"]) == BUSY
    assert ways.internal("list.load", [b"new", b"0", b"1", b"w"]) == BUSY, "a later piece without the first"
