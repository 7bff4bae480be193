"""The store without sockets: what one command, one key and one frame cost.

Each class is a question. `setup` compiles (or loads) the kernels, so no timing holds the compiler.
"""

import numpy as np

import synap
from synap.io.node.clock import Clock
from synap.io.node.jit_warmup import prepare
from synap.io.node.node import Node
from synap.settings import Settings
from synap.store.lane import lane
from synap.store.memory import layout

KEYS = 1_000_000
RECEIVE = layout.RECEIVE * layout.WORD
DEPTHS = [1, 16, 128]


def _node() -> Node:
    prepare(2, lambda progress: None)
    return Node(Settings().replace({"persistence.enabled": False}), Clock())


def _words(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class _Pipelined:
    """Commands with random keys out of a million, `depth` of them in each buffer."""

    params = [DEPTHS]
    param_names = ["depth"]
    timeout = 120

    def words(self, key: int) -> bytes:
        raise NotImplementedError  # each question says which command

    def setup(self, depth: int) -> None:
        self.node = _node()
        self.session = self.node.engine.sessions.add()
        rng = np.random.default_rng(7)
        keys = rng.integers(0, KEYS, 4096)
        self.buffers = [b"".join(self.words(int(k)) for k in keys[i : i + depth]) for i in range(0, 4096, depth)]
        for key in range(0, KEYS, 512):
            self._feed(b"".join(_words(b"SET", b"key:%012d" % k, b"value:%012d" % k) for k in range(key, key + 512)))

    def _feed(self, data: bytes) -> None:
        engine = self.node.engine
        engine.bytes[RECEIVE : RECEIVE + len(data)] = data
        engine.numbers[layout.LANE_OUT] = layout.OUT * layout.WORD
        lane.lane(engine.words, engine.octets, self.session.at, RECEIVE, RECEIVE + len(data), 1, 1 << 40)

    def time_4096_commands(self, depth: int) -> None:
        for buffer in self.buffers:
            self._feed(buffer)


class GetHit(_Pipelined):
    """A GET of a key that is there."""

    def words(self, key: int) -> bytes:
        return _words(b"GET", b"key:%012d" % key)


class PipelinedSet(_Pipelined):
    """A SET of a key that is there, in its own size."""

    def words(self, key: int) -> bytes:
        return _words(b"SET", b"key:%012d" % key, b"value:%012d" % key)


class PipelinedIncr(_Pipelined):
    """An INCR."""

    def words(self, key: int) -> bytes:
        return _words(b"INCR", b"counter:%012d" % key)


class ReplayMillion:
    """A million SET frames applied from a log."""

    timeout = 300

    def setup(self) -> None:
        self.source = _node()
        self.source.engine.numbers[layout.JOURNALED] = 1
        session = self.source.engine.sessions.add()
        self.payloads: list[bytes] = []
        engine = self.source.engine
        for first in range(0, KEYS, 1000):
            data = b"".join(_words(b"SET", b"key:%012d" % k, b"value:%012d" % k) for k in range(first, first + 1000))
            engine.bytes[RECEIVE : RECEIVE + len(data)] = data
            engine.numbers[layout.LANE_OUT] = layout.OUT * layout.WORD
            lane.lane(engine.words, engine.octets, session.at, RECEIVE, RECEIVE + len(data), 1, 1 << 40)
            taken = engine.frames.take()
            assert taken is not None
            self.payloads.append(bytes(taken[0]))
            engine.frames.written()
        self.node = _node()

    def time_replay(self) -> None:
        for payload in self.payloads:
            self.node.engine.frames.replay(payload, 1)

    time_replay.number = 1  # type: ignore[attr-defined]
    time_replay.repeat = 1  # type: ignore[attr-defined]


class BytesPerKey:
    """Heap bytes for each of a million keys of 16 B with a value of 16 B, the same with a TTL, and for each member
    of 16 B of one set (P9)."""

    params = [["strings", "strings with ttl", "set members"]]
    param_names = ["what"]
    timeout = 120

    def track_bytes(self, what: str) -> float:
        with synap.open() as db:
            before = db.counters()["memory_used_bytes"]
            keys = [b"key:%012d" % i for i in range(KEYS)]
            if what == "strings":
                db.set_many(keys, keys)
            elif what == "set members":
                for i in range(0, KEYS, 10_000):
                    db.sadd("set", *keys[i : i + 10_000])
            else:
                for key in keys:
                    db.set(key, key, ttl=100_000)
            return (db.counters()["memory_used_bytes"] - before) / KEYS

    track_bytes.unit = "bytes"  # type: ignore[attr-defined]
