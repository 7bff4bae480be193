"""Many keys at once, in this process: get_many, set_many and delete_many beside CPython's dict, and on two threads."""

from typing import Any

import numpy as np

import synap

KEYS = 1_000_000
HOT = 1000


def _texts(form: bytes) -> Any:
    return np.array([form % i for i in range(KEYS)])


def _filled(rng: np.random.Generator) -> tuple[synap.Database, Any, Any]:
    """(a database, its keys, their values)."""
    db = synap.open()
    keys, values = _texts(b"key:%012d")[rng.permutation(KEYS)], _texts(b"val:%012d")
    db.set_many(keys, values)
    return db, keys, values


class GetMany:
    """In-process reads of a million keys beside CPython's dict (P8): random ones, and a thousand hot ones."""

    params = [["random", "hot"]]
    param_names = ["keys"]
    timeout = 120

    def setup(self, which: str) -> None:
        rng = np.random.default_rng(7)
        self.db, keys, values = _filled(rng)
        self.wanted = keys[rng.integers(0, KEYS if which == "random" else HOT, KEYS)]
        self.dict = dict(zip(keys.tolist(), values.tolist(), strict=True))
        self.list = self.wanted.tolist()

    def teardown(self, which: str) -> None:
        self.db.close()

    def time_synap(self, which: str) -> None:
        self.db.get_many(self.wanted, width=16)

    def time_synap_list(self, which: str) -> None:
        self.db.get_many(self.wanted)

    def time_dict(self, which: str) -> None:
        table = self.dict
        for key in self.list:
            table[key]


class SetMany:
    """In-process writes of a million keys beside CPython's dict (P8): fresh ones, random ones there are, hot ones."""

    params = [["fresh", "random", "hot"]]
    param_names = ["keys"]
    timeout = 120
    number, repeat, warmup_time = 1, 5, 0.0

    def setup(self, which: str) -> None:
        rng = np.random.default_rng(7)
        self.db, keys, self.values = _filled(rng)
        self.written = keys[rng.integers(0, KEYS if which == "random" else HOT, KEYS)]
        self.dict = dict(zip(keys.tolist(), self.values.tolist(), strict=True))
        if which == "fresh":
            self.db.flush()
            self.dict.clear()
            self.written = keys
        self.pairs = list(zip(self.written.tolist(), self.values.tolist(), strict=True))

    def teardown(self, which: str) -> None:
        self.db.close()

    def time_synap(self, which: str) -> None:
        self.db.set_many(self.written, self.values)

    def time_dict(self, which: str) -> None:
        table = self.dict
        for key, value in self.pairs:
            table[key] = value


class DeleteMany:
    """A million keys removed in one call."""

    timeout = 120
    number, repeat, warmup_time = 1, 3, 0.0

    def setup(self) -> None:
        self.db, self.keys, _ = _filled(np.random.default_rng(7))

    def teardown(self) -> None:
        self.db.close()

    def time_synap(self) -> None:
        self.db.delete_many(self.keys)


class GetManyThreads:
    """get_many of a million random keys over 64 shards on one thread and on two (P24)."""

    params = [[1, 2]]
    param_names = ["threads"]
    timeout = 120

    def setup(self, threads: int) -> None:
        rng = np.random.default_rng(7)
        self.db, keys, _ = _filled(rng)
        self.wanted = keys[rng.integers(0, KEYS, KEYS)]

    def teardown(self, threads: int) -> None:
        self.db.close()

    def time_width(self, threads: int) -> None:
        self.db.get_many(self.wanted, width=16, threads=threads)

    def time_blob(self, threads: int) -> None:
        self.db.get_blob(self.wanted, threads=threads)
