"""HyperLogLogs by Redis' rules: sparse registers as a list of runs, dense ones as a dict of those that are not 0.

Strings have Redis' format. Nothing here is shared with the kernels; the rules of joining and splitting runs are those
of Redis' hyperloglog.c, which decide on the bytes of a sketch.
"""

import math
from typing import Any

from synap.ranges import MS_MAX
from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, State
from tests.naive.store.substrings import _put

HEAD, REGISTERS, SPARSE_BYTES_MAX = 16, 16384, 3000
DENSE_BYTES = REGISTERS * 6 // 8
WORD = 1 << 64
Run = tuple[int, int, int]  # rank, registers, bytes


def hash_of(text: bytes) -> int:
    """MurmurHash64A."""
    multiplier = 0xC6A4A7935BD1E995
    h = 0xADC83B19 ^ len(text) * multiplier % WORD
    for at in range(0, len(text) - 7, 8):
        word = int.from_bytes(text[at : at + 8], "little") * multiplier % WORD
        h = (h ^ (word ^ word >> 47) * multiplier % WORD) * multiplier % WORD
    rest = text[len(text) & ~7 :]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * multiplier % WORD
    h = (h ^ h >> 47) * multiplier % WORD
    return h ^ h >> 47


def place_of(text: bytes) -> tuple[int, int]:
    """The register of an element, and its rank."""
    h = hash_of(text)
    rest = h >> 14 | 1 << 50
    return h % REGISTERS, (rest & -rest).bit_length()


def runs_of(octets: bytes) -> list[Run]:
    """The runs of sparse registers."""
    found: list[Run] = []
    at = 0
    while at < len(octets):
        first = octets[at]
        if first & 0x80:
            found.append(((first >> 2 & 31) + 1, (first & 3) + 1, 1))
        elif first & 0x40:
            if at + 1 == len(octets):
                raise Refused("BAD_SKETCH")
            found.append((0, ((first & 63) << 8 | octets[at + 1]) + 1, 2))
        else:
            found.append((0, (first & 63) + 1, 1))
        at += found[-1][2]
    if sum(length for _, length, _ in found) != REGISTERS:
        raise Refused("BAD_SKETCH")
    return found


def spelled(runs: list[Run]) -> bytes:
    parts = []
    for rank, length, size in runs:
        if rank:
            parts.append(bytes([0x80 | rank - 1 << 2 | length - 1]))
        else:
            parts.append((0x4000 | length - 1).to_bytes(2) if size == 2 else bytes([length - 1]))
    return b"".join(parts)


def zeros(length: int) -> list[Run]:
    return [(0, length, 1 if length <= 64 else 2)] if length else []


def same(rank: int, length: int) -> list[Run]:
    return [(rank, length, 1)] if length else []


def raised(runs: list[Run], index: int, rank: int) -> bool | None:
    """Raise a register; was it lower? None: the runs must become dense."""
    if rank > 32:
        return None
    first = at = 0
    while index >= first + runs[at][1]:
        first += runs[at][1]
        at += 1
    old, length, size = runs[at]
    if old >= rank:
        return False
    below, above = index - first, first + length - index - 1
    make = same if old else (lambda _, count: zeros(count))
    new = [*make(old, below), (rank, 1, 1), *make(old, above)]
    more = sum(width for _, _, width in new) - size
    if more > 0 and HEAD + sum(width for _, _, width in runs) + more > SPARSE_BYTES_MAX:
        return None
    runs[at : at + 1] = new
    at, looks = max(at - 1, 0), 5
    while at < len(runs) and looks:
        looks -= 1
        follows = runs[at + 1] if at + 1 < len(runs) else (0, 0, 0)
        if runs[at][0] and runs[at][0] == follows[0] and runs[at][1] + follows[1] <= 4:
            runs[at : at + 2] = [(follows[0], runs[at][1] + follows[1], 1)]
        else:
            at += 1
    return True


class Sketch:
    """A sketch: its head, and `runs` if it is sparse, else `registers`."""

    def __init__(self, text: bytes) -> None:
        if len(text) < HEAD or text[:4] != b"HYLL" or text[4] > 1 or (not text[4] and len(text) != HEAD + DENSE_BYTES):
            raise Refused("NO_SKETCH")
        self.head = bytearray(text[:HEAD])
        self.runs: list[Run] | None = None
        self.registers: dict[int, int] = {}
        if text[4]:
            self.runs = runs_of(text[HEAD:])
        else:
            for at in range(0, DENSE_BYTES, 6):
                eight = int.from_bytes(text[HEAD + at : HEAD + at + 6], "little")
                for i in range(8 if eight else 0):
                    if eight >> 6 * i & 63:
                        self.registers[at // 6 * 8 + i] = eight >> 6 * i & 63

    def all(self) -> dict[int, int]:
        """The registers that are not 0, whatever the form."""
        if self.runs is None:
            return self.registers
        found, first = {}, 0
        for rank, length, _ in self.runs:
            found |= dict.fromkeys(range(first, first + length), rank) if rank else {}
            first += length
        return found

    def make_dense(self) -> None:
        if self.runs is not None:
            self.registers, self.runs, self.head[4] = self.all(), None, 0

    def raise_one(self, index: int, rank: int) -> bool:
        if self.runs is not None:
            told = raised(self.runs, index, rank)
            if told is not None:
                return told
            self.make_dense()
        lower = self.registers.get(index, 0) < rank
        self.registers[index] = max(self.registers.get(index, 0), rank)
        return lower

    def text(self) -> bytes:
        """The string, with its count out of date."""
        self.head[15] |= 0x80
        if self.runs is not None:
            return bytes(self.head) + spelled(self.runs)
        eights = [0] * (REGISTERS // 8)
        for index, rank in self.registers.items():
            eights[index // 8] |= rank << 6 * (index % 8)
        return bytes(self.head) + b"".join(eight.to_bytes(6, "little") for eight in eights)


EMPTY = b"HYLL\1" + bytes(10) + b"\x80" + b"\x7f\xff"


def united(sketches: list[Sketch]) -> dict[int, int]:
    """The greatest of each register."""
    found: dict[int, int] = {}
    for sketch in sketches:
        for index, rank in sketch.all().items():
            found[index] = max(found.get(index, 0), rank)
    return found


def estimate(registers: dict[int, int]) -> int:
    """Ertl's estimate, as Redis computes it."""
    m = float(REGISTERS)
    counts = [0] * 64
    for rank in registers.values():
        counts[rank] += 1
    counts[0] = REGISTERS - sum(counts[1:])  # those that are not given
    z = m * tau((m - counts[51]) / m)
    for rank in range(50, 0, -1):
        z = (z + counts[rank]) * 0.5
    z += m * sigma(counts[0] / m)
    found = 0.721347520444481703680 * m * m / z if z else math.inf
    return 2**63 - 1 if found >= 2.0**63 else math.floor(found) + (found - math.floor(found) >= 0.5)


def tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    y, z, before = 1.0, 1.0 - x, -1.0
    while before != z:
        x, before, y = math.sqrt(x), z, y * 0.5
        z -= (1.0 - x) ** 2 * y
    return z / 3.0


def sigma(x: float) -> float:
    if x == 1.0:
        return math.inf
    y, z, before = 1.0, x, -1.0
    while before != z:
        x, before = x * x, z
        z += x * y
        y += y
    return z


def sketch_of(state: State, key: bytes, now: int) -> Sketch | None:
    record = state.seen(key, now, bytes)
    return Sketch(record.value) if record else None


def add(state: State, args: dict[str, Any], now: int) -> Answer:
    sketch = sketch_of(state, args["key"], now)
    changed = sketch is None
    sketch = sketch or Sketch(EMPTY)
    for element in args["elements"]:
        changed |= sketch.raise_one(*place_of(element))
    if changed:
        _put(state, args["key"], now, sketch.text())
    return int(changed), changed


def add_until(state: State, args: dict[str, Any], now: int) -> Answer:
    deadline = now + 1000 * args["ttl_secs"] if args.get("ttl_secs") else 0
    if deadline > MS_MAX:
        raise Refused("BAD_EXPIRE")
    answer, changed = add(state, args, now)
    if deadline:
        state.records[state.namespace, args["key"]].deadline = deadline
    return answer, changed or bool(deadline)


def count(state: State, args: dict[str, Any], now: int) -> Answer:
    found = [sketch for key in args["keys"] if (sketch := sketch_of(state, key, now))]
    if not found:
        return 0, False
    if len(args["keys"]) == 1 and not found[0].head[15] & 0x80:
        return int.from_bytes(found[0].head[8:], "little"), False
    return estimate(united(found)), False


def merge(state: State, args: dict[str, Any], now: int) -> Answer:
    keys = [args["destination"], *args["sources"]]
    merged(state, keys[0], [sketch_of(state, key, now) for key in keys], now)
    return OK, True


def absorb(state: State, args: dict[str, Any], now: int) -> Answer:
    state.seen(args["key"], now, bytes)
    given = Sketch(args["value"])
    return estimate(merged(state, args["key"], [sketch_of(state, args["key"], now), given], now)), True


def merged(state: State, key: bytes, sketches: list[Sketch | None], now: int) -> dict[int, int]:
    """Merge sketches into the first of them, which the key holds, and return its registers."""
    target = sketches[0] or Sketch(EMPTY)
    there = [sketch for sketch in sketches if sketch]
    if any(sketch.runs is None for sketch in there):
        target.make_dense()
    for index, rank in sorted(united(there).items()):
        target.raise_one(index, rank)
    _put(state, key, now, target.text())
    return target.all()


def make_dense(state: State, args: dict[str, Any], now: int) -> Answer:
    sketch = sketch_of(state, args["key"], now)
    if sketch is None:
        raise Refused("NO_SUCH_KEY")
    if sketch.runs is None:
        return 0, False
    stale = sketch.head[15]
    sketch.make_dense()
    text = bytearray(sketch.text())
    text[15] = stale
    _put(state, args["key"], now, bytes(text))
    return 1, True


def put(state: State, args: dict[str, Any], now: int) -> Answer:
    state.seen(args["key"], now, bytes)
    _put(state, args["key"], now, args["value"])
    return OK, True


def put_until(state: State, args: dict[str, Any], now: int) -> Answer:
    put(state, args, now)
    state.records[state.namespace, args["key"]].deadline = args["deadline"]
    return OK, True
