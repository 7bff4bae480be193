"""Three ways to carry out the same calls, which must agree: the lane, the steps of the slow path, the naive twin.

The lane and the steps have a heap of their own with the same secret keys, so that their replies and frames are
equal to the byte, whatever chance decides. The twin goes on with what they drew.
"""

import importlib
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from synap.command import Command
from synap.faults import Fault
from synap.reply import Map
from synap.store.calls import calls
from synap.store.lane import lane
from synap.store.memory import arena, layout
from synap.store.snapshot import digests
from synap.store.upkeep import upkeep
from synap.traits import RUNS_SCRIPT
from tests import wire
from tests.naive.parser import Refused
from tests.naive.store import WAIT, State, arguments
from tests.naive.store.streams import NODE_BYTES, NODE_ENTRIES, Stream
from tests.naive.store.zsets import ZSet
from tests.support import REASONS, Bench, Refusal, command

BLOB = layout.CALL_BLOB * layout.WORD
OUT = layout.OUT * layout.WORD
SMALL_LIMITS = (layout.HASH_ENTRIES_MAX, layout.SET_ENTRIES_MAX, layout.SET_INTEGERS_MAX, layout.ZSET_ENTRIES_MAX)
UNORDERED = {
    "function.texts", "set.members", "set.inter", "set.union", "set.diff", "hash.keys", "hash.vals", "key.match",
    "key.list", "queue.list", "stream.list", "topic.list", "group.list",
}  # fmt: skip


TOLD_MAX = 128
"""The most bytes of a name in a refusal."""
REALS = {"real": "number", "second_real": "second"}
"""Words of a refusal's text that are its numbers, if these are reals."""
SCANS = {set: b"SSCAN", dict: b"HSCAN", ZSet: b"ZSCAN"}
"""The kinds with a scan of their own."""


def read(row: Command, reply: bytes, version: int, at: int = 0) -> tuple[Any, int]:
    """(the reply of a row that starts at `at` as Python, a record without names; where the next one starts)."""
    waits = b"+%b\r\n" % WAIT.encode()
    if reply.startswith(waits, at):
        return WAIT.encode(), at + len(waits)
    value, after = wire.read(row.reply, reply, version, at)
    return value if isinstance(row.reply, Map) else wire.values(value), after


def twins(rows: list[Command]) -> dict[str, Callable[..., Any]]:
    """The twin of each row that names a store function. A script has Lua for one, beside a real Redis."""
    found = {}
    for row in rows:
        if row.run and not row.traits & RUNS_SCRIPT:
            module, _, function = row.run.partition(".")
            found[row.name] = getattr(importlib.import_module(f"tests.naive.store.{module}"), function)
    return found


def shown(text: bytes) -> str:
    """A text as a refusal tells it: up to a zero, cut if it is long, in one line."""
    text = text.partition(b"\0")[0][:TOLD_MAX].replace(b"\r", b" ").replace(b"\n", b" ")
    return text.decode("utf-8", "surrogateescape")


def limit(bench: Bench) -> None:
    """Set small limits, so that random calls meet both forms of a structure, and streams have several nodes."""
    for register in SMALL_LIMITS:
        bench[register] = 16
    bench[layout.STREAM_ENTRIES_MAX], bench[layout.STREAM_BYTES_MAX] = NODE_ENTRIES, NODE_BYTES


class Differential:
    """The three ways side by side."""

    def __init__(self, bench: type[Bench], *, now: int = 1_000_000) -> None:
        self.lane, self.steps = bench(), bench()
        for each in (self.lane, self.steps):
            limit(each)
        self.state = State()
        self.now = now
        self.rows = {row.resp: row for row in self.lane.catalogue.rows if row.resp}
        self.twins = twins(self.lane.catalogue.rows)
        self.version = 2
        self.seen: dict[str, int] = {}
        self.frames: list[bytes] = []  # of the lane, as they would be logged
        self.keep_frames = False

    def become(self, namespace: int, version: int) -> None:
        """Ask from another namespace, in another version of RESP."""
        for bench in (self.lane, self.steps):
            bench[bench.session + layout.SESSION_NAMESPACE] = namespace
            bench[bench.session + layout.SESSION_RESP] = version
        self.state.namespace = namespace
        self.version = version

    # The lane.

    def run_lane(self, pieces: list[bytes], chances: list[int] | None = None) -> bytes:
        """Everything in one buffer through the lane; the replies.

        `chances`: the state of the generator before each piece. The lane draws, finds the reply too large and leaves
        the call to the slow path, which draws again: here from the same state, so that the heaps go on alike.
        """
        bench = self.lane
        ends = [0]
        for piece in pieces:
            ends.append(ends[-1] + len(piece))
        bench.heap.bytes[BLOB : BLOB + ends[-1]] = b"".join(pieces)
        at, end = BLOB, BLOB + ends[-1]
        replies = []
        while at < end:
            bench[layout.LANE_OUT] = OUT
            reason = REASONS[lane.lane(*bench.both, bench.session, at, end, self.now, 1 << 30)]
            replies.append(bytes(bench.heap.bytes[OUT : bench[layout.LANE_OUT]]))
            at = bench[layout.LANE_AT]
            if reason == "FLUSH":
                self.take_frames(bench, self.keep_frames)
            elif reason in ("WAITING", "LARGE", "HANDLER"):
                i = ends.index(at - BLOB)
                if chances is not None:
                    bench[layout.CHANCE] = chances[i]
                replies.append(self.step(bench, pieces[i], reason == "WAITING"))
                bench.heap.bytes[BLOB : BLOB + ends[-1]] = b"".join(pieces)
                at = BLOB + ends[i + 1]
            else:
                assert reason in ("CUT", "OUT_FULL"), f"{reason} at {pieces[ends.index(at - BLOB)][:200]!r}"
        return b"".join(replies)

    # The steps.

    def step(self, bench: Bench, piece: bytes, must_wait: bool = False, name: str = "") -> bytes:
        """One command by the steps that the slow path takes; `name` is for rows without a RESP word."""
        bench.heap.bytes[BLOB : BLOB + len(piece)] = piece
        row = lane.parse(*bench.both, BLOB, BLOB + len(piece))
        count = bench[layout.LANE_CALLS]
        if name:
            row = bench.image.row_of[name]
        assert row > 0, piece[:100]
        refused = lane.fill_tape(*bench.both, row, count)
        if refused:
            return self.encode(bench, row, refused)
        bench[layout.TAPE - 2] = self.state.namespace
        blob_size = BLOB + len(piece) - 2 - bench[layout.TAPE - 1] if count > 1 else 0
        status = calls.perform(
            *bench.both, row, layout.TAPE, bench[layout.CURSOR_TOP], blob_size, self.now, 0, layout.REPLY_ITEMS, 1 << 40
        )
        what = status & layout.STATUS_MASK
        assert what not in (layout.BROKEN, layout.FULL), f"status {status} of {piece[:100]!r}"
        assert not must_wait or what == layout.WAIT
        reply = b"+%b\r\n" % WAIT.encode() if what == layout.WAIT else self.encode(bench, row, status)
        calls.settle(*bench.both)
        if bench[layout.LOG_TOP] > layout.LOG_FLUSH_BYTES:
            self.take_frames(bench, self.keep_frames and bench is self.lane)
        return reply

    def encode(self, bench: Bench, row: int, status: int) -> bytes:
        """The reply in REPLY as bytes, by way of a block of its own."""
        items, block = [], 0
        if status & layout.STATUS_MASK in (layout.ITEM, layout.ITEMS):
            items = bench.heap.words[layout.REPLY + 3 : layout.REPLY + 3 + 2 * bench[layout.REPLY + 1] : 2]
            texts = items[items & layout.ITEM_MASK == layout.ITEM_TEXT]
            size = 4096 + int((texts >> layout.MARK_BITS).sum()) + 64 * len(items)
            block = arena.allocate_block(*bench.both, size // 8 + 1) if size > layout.OUT_BYTES else 0
        at = block * layout.WORD or OUT
        end = lane.encode(*bench.both, at, row, status, self.version)
        reply = bytes(bench.heap.bytes[at:end])
        if block:
            arena.release_block(*bench.both, block)
        return reply

    # All of them.

    def row_of(self, words: list[bytes]) -> tuple[Command, list[bytes]]:
        """(The row that a call names with its first word, or its first two, the words behind)."""
        word = words[0].decode().upper()
        if word in self.rows:
            return self.rows[word], words[1:]
        return self.rows[f"{word}|{words[1].decode().upper()}"], words[2:]

    def batch(self, calls: list[list[bytes]]) -> list[Any]:
        """The same calls three ways, in one buffer for the lane; the replies as Python."""
        pieces = [command(*words) for words in calls]
        before = self.lane[layout.SEQ]
        chances, replies = [], []
        for piece in pieces:
            chances.append(self.steps[layout.CHANCE])
            replies.append(self.step(self.steps, piece))
        told, stepped = self.run_lane(pieces, chances), b"".join(replies)
        if told != stepped:
            self._tell(calls, replies, told)
        at, values, changes = 0, [], 0
        for words in calls:
            row, rest = self.row_of(words)
            value, at = read(row, told, self.version, at)
            values.append(value)
            changes += self.twin(row, rest, value)
        assert at == len(told)
        assert self.lane[layout.SEQ] - before == changes, f"{changes} changes wanted of {calls!r:.500}"
        self.same_frames()
        return values

    @staticmethod
    def _tell(calls: list[list[bytes]], stepped: list[bytes], told: bytes) -> None:
        """Raise an AssertionError that names the first call to which the lane has replied otherwise."""
        at = 0
        for words, reply in zip(calls, stepped, strict=True):
            other = told[at : at + len(reply)]
            assert other == reply, f"lane {other[:300]!r}, steps {reply[:300]!r} for {words!r:.500}, in {calls!r:.1000}"
            at += len(reply)
        raise AssertionError(f"the lane has replied more: {told[at : at + 300]!r}")

    def internal(self, name: str, words: list[bytes]) -> Any:
        """A row without a RESP word: by the steps on both heaps, and by the twin."""
        piece = command(b"?", *words)
        before = self.lane[layout.SEQ]
        told, stepped = (self.step(bench, piece, name=name) for bench in (self.lane, self.steps))
        assert told == stepped
        row = self.lane.catalogue.by_name[name]
        value, _ = read(row, told, self.version)
        changed = self.twin(row, words, value)
        assert self.lane[layout.SEQ] - before == changed
        self.same_frames()
        return value

    def twin(self, row: Command, words: list[bytes], value: Any) -> bool:
        """Ask the twin, compare, and answer whether something changed."""
        self.seen[row.name] = self.seen.get(row.name, 0) + 1
        self.state.chosen = value
        try:
            wanted, changed = self.twins[row.name](self.state, arguments(row, words), self.now)
        except Refused as refused:
            name = (row.resp or row.name).lower()
            gaps = dict(zip(("number", "second"), refused.args[1:], strict=False))
            texts = [shown(text) for text in refused.args[1:] if isinstance(text, bytes)]
            gaps |= dict(zip(("first_text", "second_text"), texts, strict=False))
            gaps |= {real: f"{gaps[told]:f}" for real, told in REALS.items() if isinstance(gaps.get(told), float)}
            text = Fault(refused.args[0], typed=name.upper(), **gaps).resp_text(name)
            if text.endswith(name.upper()) and isinstance(value, Refusal):  # the name stands there as it was typed
                text = text.removesuffix(name.upper()) + str(value)[-len(name) :]
            wanted, changed = Refusal(text), False
        if row.name in UNORDERED and isinstance(value, list):
            value = sorted(value)
        if wanted == WAIT:
            wanted = WAIT.encode()
        assert value == wanted, f"{row.name} {words!r:.500}: got {value!r:.500}, twin {wanted!r:.500}"
        return changed

    def scan(self, *options: bytes, word: bytes = b"SCAN", key: bytes | None = None) -> None:
        """A whole iteration, over the keys or over what a key holds: everything that is there, and nothing else."""
        row, begin = self.rows[word.decode()], [] if key is None else [key]
        cursor, found = b"0", []
        while True:
            piece = command(word, *begin, cursor, *options)
            told = self.run_lane([piece])
            assert told == self.step(self.steps, piece)
            (cursor, page), _ = read(row, told, self.version)
            found += page
            if cursor == b"0":
                break
        wanted, _ = self.twins[row.name](self.state, arguments(row, [*begin, b"0", *options]), self.now)
        assert sorted(found) == wanted
        self.seen[row.name] = self.seen.get(row.name, 0) + 1

    def scan_elements(self, chance: Random) -> None:
        """A whole iteration over what a random key holds: first a kind that has one is drawn, then a key of it."""
        space = self.state.namespace
        held = {key: record for (other, key), record in self.state.records.items() if other == space}
        seen = {key: record.kind for key, record in held.items() if self.state.seen(key, self.now)}
        kinds = [kind for kind in SCANS if kind in seen.values()]
        if kinds:
            chosen = chance.choice(kinds)
            keys = sorted(key for key, kind in seen.items() if kind is chosen)
            key = chance.choice(keys)
            options = chance.choice(([], [b"COUNT", b"3"], [b"COUNT", b"100", b"MATCH", b"*1*"]))
            self.scan(*options, word=SCANS[held[key].kind], key=key)

    # Between calls.

    def take_frames(self, bench: Bench, keep: bool) -> bytes:
        """Empty LOG."""
        start = layout.LOG * layout.WORD
        taken = bytes(bench.heap.bytes[start : start + bench[layout.LOG_TOP]])
        bench[layout.LOG_TOP] = bench[layout.LOG_COUNT] = 0
        if keep and taken:
            self.frames.append(taken)
        return taken

    def same_frames(self) -> None:
        """What the lane has journaled is what the steps have journaled."""
        if self.lane[layout.LOG_TOP] == self.steps[layout.LOG_TOP]:
            told = self.take_frames(self.lane, self.keep_frames)
            assert told == self.take_frames(self.steps, False)

    def lazyfree(self, budget: int) -> None:
        """Let upkeep take dropped structures apart."""
        for bench in (self.lane, self.steps):
            upkeep.lazyfree(*bench.both, budget)

    def same_state(self) -> None:
        """The digests agree, and every key holds what the twin says."""
        assert digest(self.lane) == digest(self.steps)
        namespace = self.state.namespace
        for (space, key), record in sorted(self.state.records.items()):
            self.become(space, self.version)
            reading = {
                bytes: [b"GET", key], list: [b"LRANGE", key, b"0", b"-1"], set: [b"SMEMBERS", key],
                dict: [b"HGETALL", key], ZSet: [b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"],
                Stream: [b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"],
            }  # fmt: skip
            self.batch([reading[record.kind], [b"PTTL", key]])
        self.become(namespace, self.version)
        for name in sorted(self.state.queues):
            self.batch([[b"QUEUE.STATS", name], [b"QUEUE.DEAD", name, b"1000000"]])
        for name in sorted(self.state.rooms):
            self.batch([[b"STREAM.STATS", name], [b"STREAM.CONSUME", name, b"all", b"LIMIT", b"1000000"]])
        for name in sorted(self.state.topics):
            self.batch([[b"TOPIC.STATS", name], [b"TOPIC.READ", name, b"LIMIT", b"1000000"]])
        for name in sorted(self.state.groups):
            members = [[b"GROUP.ASSIGNMENT", name, member] for member in self.state.groups[name].members]
            self.batch([[b"GROUP.STATS", name], [b"GROUP.OFFSETS", name], *members])


def digest(bench: Bench) -> list[int]:
    """The digest of each family."""
    found = np.zeros(layout.KINDS_COUNT, np.int64)
    digests.digest(*bench.both, found)
    return found.tolist()


