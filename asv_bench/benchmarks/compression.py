"""Strings kept compressed: what they shrink to, what it costs to store and to read them, cached and not."""

import json
import random

import synap
from synap.settings import Settings
from synap.store.memory import layout
from synap.store.records import zstd

COUNT = 2000


def documents(size: int) -> list[bytes]:
    """JSON documents of about `size` bytes with names, numbers and free text."""
    chance = random.Random(size)
    words = "account amount created currency customer delivery email invoice item note order price status".split()
    found = []
    for i in range(COUNT):
        rows: list[dict[str, object]] = []
        while len(json.dumps(rows)) < size:
            rows.append({
                "id": chance.randrange(10**9), "status": chance.choice(["open", "paid", "sent"]),
                "note": " ".join(chance.choices(words, k=8)), "price": round(chance.random() * 1000, 2),
            })  # fmt: skip
        found.append(json.dumps(rows)[:size].encode())
        if size > 8192 and i >= 100:
            found = (found * (COUNT // len(found) + 1))[:COUNT]
            break
    return found


class Compression:
    """`off`, or by an algorithm with a cache that holds a tenth of the values in full."""

    params = [["off", "lz4", "zstd"], [1024, 65536]]
    param_names = ["compression", "bytes"]
    timeout = 180

    def setup(self, which: str, size: int) -> None:
        self.db = synap.open()
        self.numbers = self.db._engine.numbers
        if which != "off":
            self.numbers[layout.COMPRESS_MIN] = Settings().number("compression.min_payload_size")
        if which == "zstd":
            zstd.place(self.numbers, Settings().number("compression.zstd.level"))
        self.numbers[layout.HOT_MAX] = COUNT * size // 10
        self.keys = [f"key:{i}".encode() for i in range(COUNT)]
        self.values = documents(size)
        self.db.set_many(self.keys, self.values)
        self.hot = self.keys[:16] * (COUNT // 16)
        self.spread = random.Random(1).sample(self.keys, COUNT)

    def time_store(self, which: str, size: int) -> None:
        self.db.set_many(self.keys, self.values)

    def time_read_hot(self, which: str, size: int) -> None:
        self.db.get_many(self.hot)

    def time_read_spread(self, which: str, size: int) -> None:
        self.db.get_many(self.spread)

    def track_bytes_of_one_value(self, which: str, size: int) -> float:
        return float(self.numbers[layout.WORDS_USED]) * layout.WORD / COUNT

    def track_hit_rate_of_skewed_reads(self, which: str, size: int) -> float:
        """Reads of a Zipf-like kind: how many are answered by the cache."""
        chance = random.Random(2)
        before = self.numbers[layout.HOT_HITS], self.numbers[layout.HOT_MISSES]
        self.db.get_many([self.keys[min(int(chance.paretovariate(0.6)) - 1, COUNT - 1)] for _ in range(20_000)])
        hits, misses = self.numbers[layout.HOT_HITS] - before[0], self.numbers[layout.HOT_MISSES] - before[1]
        return hits / (hits + misses) if hits + misses else 1.0
