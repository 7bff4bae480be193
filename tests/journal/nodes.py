"""A node with eight keys and no manners: the smallest thing that can tell whether its journal lied.

Every frame sets one key; `Ledger` stands outside, knows every frame ever offered and what was promised,
and compares.
"""

import random
from collections.abc import Iterable
from struct import Struct

from synap.journal import Log, LogFailed, Recovery, SnapshotWriter, recover, trim
from synap.journal.disk_port import Disk

NODE = bytes(range(16))
HEAD = Struct("<QQQQQ")
State = dict[int, tuple[int, bytes]]


def frame(seq: int, now: int, key: int, blob: bytes) -> bytes:
    """One frame: code 1, no tape, the key as its scalar."""
    size = HEAD.size + len(blob) + -len(blob) % 8
    return HEAD.pack(size | 1 << 32, seq, now, 0, key) + blob.ljust(size - HEAD.size, b"\0")


def frames(payload: bytes | memoryview) -> Iterable[tuple[int, int, int, bytes]]:
    """(seq, now, key, blob with padding) of every frame."""
    at = 0
    while at < len(payload):
        word, seq, now, _, key = HEAD.unpack_from(payload, at)
        size = word & 0xFFFFFFFF
        assert size >= HEAD.size and at + size <= len(payload)
        yield seq, now, key, bytes(payload[at + HEAD.size : at + size])
        at += size


class Ledger:
    """What was offered, frame by frame, and what was promised."""

    def __init__(self) -> None:
        self.offered: list[tuple[int, bytes]] = []
        self.promised = 0
        self.written = 0
        """What must come back although it was not promised: the last process was killed, no more."""
        self.epoch = 0

    def state(self, seq: int) -> State:
        """The state after the first `seq` frames."""
        return {key: (at, blob) for at, (key, blob) in enumerate(self.offered[:seq], 1)}

    def judge(self, node: "Node") -> None:
        """What came back must be a prefix of what was offered, and hold what was promised."""
        floor, self.written = max(self.promised, self.written), 0
        assert floor <= node.seq <= len(self.offered), (floor, node.seq, len(self.offered))
        assert node.state == self.state(node.seq)
        assert node.log.epoch > self.epoch or (node.recovery.clean and node.log.epoch == self.epoch)
        self.epoch = node.log.epoch
        del self.offered[node.seq :]
        self.promised = node.seq  # a start puts what it found on the disk


class Node:
    """State, journal and nothing else."""

    def __init__(self, disk: Disk, ledger: Ledger, *, mode: str = "always", segment: int = 3000) -> None:
        self.disk, self.ledger, self.mode = disk, ledger, mode
        self.state: State = {}
        self.seq = self.now = 0
        self.recovery: Recovery = recover(disk)
        self.load()
        self.log: Log = self.recovery.begin_log(NODE, segment)
        ledger.judge(self)

    def load(self) -> None:
        recovery = self.recovery
        for payload in recovery.snapshot_payloads():
            for seq, now, key, blob in frames(payload):
                self.state[key] = (seq, blob)
                self.seq, self.now = max(self.seq, seq), max(self.now, now)
        self.seq = recovery.snapshot_seq
        for payload, first_seq, count, _epoch, last_now in recovery.groups():
            seen = 0
            for seq, now, key, blob in frames(payload):
                assert seq == self.seq + 1 == first_seq + seen
                assert now >= self.now
                self.seq, self.now, seen = seq, now, seen + 1
                self.state[key] = (seq, blob)
            assert seen == count and now == last_now
        assert self.seq == recovery.seq
        assert self.now <= recovery.now
        self.now = recovery.now

    def write(self, chance: random.Random, count: int | None = None) -> None:
        """Change memory, then write one group; in `always` it is promised when synced."""
        first, buffers = self.seq + 1, []
        for _ in range(count or chance.choice((1, 1, 1, 2, 5))):
            self.seq, self.now = self.seq + 1, self.now + chance.randint(0, 3)
            key = chance.randrange(8)
            size = chance.choice((0, 8, 40, 400, 1600)) + chance.randrange(8)
            buffers.append(frame(self.seq, self.now, key, chance.randbytes(size)))
            (_, _, _, blob), *_ = frames(buffers[-1])
            self.state[key] = (self.seq, blob)
            self.ledger.offered.append((key, blob))
        self.log.append(buffers, first, len(buffers), self.now)

    def sync(self) -> None:
        self.ledger.promised = self.log.sync()

    def snapshot(self, kept: int = 2) -> None:
        writer = SnapshotWriter(self.disk, NODE, epoch=self.log.epoch, seq=self.seq, now=self.now)
        for key, (seq, blob) in sorted(self.state.items()):
            try:
                writer.add(frame(seq, self.now, key, blob), 1)
            except OSError:
                writer.abort()
                raise
        writer.finish()
        self.ledger.promised = self.seq
        trim(self.disk, kept)

    def mend(self) -> None:
        """After a failure: snapshot, then resume."""
        self.snapshot()
        self.log.resume(self.seq)

    def act(self, chance: random.Random) -> None:
        """One turn of a random life."""
        dice = chance.random()
        if dice < 0.8:
            self.write(chance)
            if self.mode == "always" or (self.mode == "periodic" and chance.random() < 0.2):
                self.sync()
        elif dice < 0.9:
            self.snapshot()
        else:
            self.write(chance, 1)
            self.write(chance, 1)

    def stop(self) -> None:
        self.log.stop()
        self.ledger.promised = self.seq


__all__ = ["NODE", "Ledger", "LogFailed", "Node", "frame", "frames"]
