"""One seed, one story: a server over several lives, its clients, and what befalls them.

    tell(seed)  ->  Told: the trace's hash, what was found; raises AssertionError (a Violation) if it was not right

In each life some clients talk while by chance the wall clock jumps by an hour or stands still, the process is
stopped for seconds, the disk is slow, full or broken, clients vanish or do not read. It ends with a
stop, a kill or a loss of power; the next one recovers what the disk holds. What is checked:

    each start        the state is one that the log had passed through, after a whole group (a prefix);
                      after a kill nothing that was written is missing, in `always` nothing that was
                      acknowledged is, in `periodic` nothing older than the interval and a sync
    all through       no reply is wrong, no callback fails; no deadline and no lease ends early
    at the end        every key's history is linearizable, the EXECs are strictly serialisable, no
                      message is lost, and a clean stop and start changes nothing
"""

import errno
import gc
import logging
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from synap.engine.handlers.table import digest_of
from synap.io.node import clock
from synap.journal import LogFailed
from tests.simulation.actors import Actor, Crowd, Keys, Records, Timed, Transactions, Waiter
from tests.simulation.consumers import Final, Messages, Queues
from tests.simulation.disk import PowerLoss, SimulatedDisk
from tests.simulation.linear import check_key, check_transactions
from tests.simulation.loop import Peer
from tests.simulation.server import RESP_PORT, Life
from tests.simulation.world import MS, S, World

MODES = ("always", "always", "periodic", "never")
INTERVAL_MS = 20
LIFE_NS = (20 * MS, 160 * MS)
HOUR_NS = 3600 * S
ENDINGS = ("kill", "power", "power", "stop", "torn write")


@dataclass
class Told:
    """What came of a story."""

    seed: int
    trace_hash: str = ""
    mode: str = ""
    lives: int = 0
    replies: int = 0
    ops: int = 0
    txns: int = 0
    events: int = 0
    endings: list[str] = field(default_factory=list)
    failed_starts: int = 0
    troubles: int = 0


class Story:
    """The plot of one seed."""

    def __init__(self, seed: int, clients: int = 8) -> None:
        self.world = world = World(seed)
        chance = world.chance
        self.told = Told(seed)
        self.mode = self.told.mode = chance.choice(MODES)
        self.settings = {
            "persistence.wal.fsync_mode": self.mode, "persistence.wal.fsync_interval_ms": INTERVAL_MS,
            "compression.enabled": chance.random() < 0.3, "compression.min_payload_size": 64,
        }  # fmt: skip
        self.slowness = chance.choice((0, 0, 2 * MS, 20 * MS))
        self.disk = SimulatedDisk(chance.getrandbits(32))
        self.states: dict[int, tuple[int, ...]] = {}  # digests by seq
        self.records = Records(world)
        self.life: Life | None = None
        self.ledgers: dict[int, Messages] = {}
        kinds = [Keys, Keys, Keys, Waiter, Transactions, Transactions, Timed, Crowd, Queues, Queues]
        self.actors = [self._actor(kind, i) for i, kind in enumerate(kinds[: max(clients, 1) + 2])]
        self.final: Final | None = None
        self.floor = 0  # the next start must find this seq
        self.durable = 0  # and this, if the power was lost
        self.failed_at = 0  # the tick when the log failed last
        self.answered = 0  # up to here clients have been answered

    def _actor(self, kind: type[Actor], number: int) -> Any:
        actor = kind(f"10.0.0.{number}", self.records, self._connect)
        if isinstance(actor, Queues):
            actor.ledgers = self.ledgers
        return actor

    def _connect(self, name: str) -> Peer | None:
        return self.life.loop.connect(RESP_PORT, name) if self.life is not None else None

    # Lives.

    def run(self) -> Told:
        """Tell it."""
        chance, told = self.world.chance, self.told
        for _ in range(chance.randint(1, 4)):
            self._live(chance.choice(ENDINGS))
        self._live("final")
        self._live("again")
        self._judge()
        told.trace_hash, told.events, told.replies = self.world.trace_hash, self.world.events, self.records.replies
        told.ops = sum(map(len, self.records.ops.values()))
        told.txns = len(self.records.txns)
        return told

    def _live(self, ending: str) -> None:
        """One life, and the disk that it leaves behind."""
        world, chance = self.world, self.world.chance
        while True:
            self.told.lives += 1
            life = self.life = Life(world, self.disk, self.settings, self.states)
            life.slowness, life.on_open, life.on_fail = self.slowness, self._opened, self._log_failed
            world.begin_life()
            world.note("life", ending)
            trouble = self._plan(life, ending)
            life.run()
            self.life = None
            for actor in self.actors:
                actor.end()
            self.records.end_of_life()
            if life.loop.errors:
                first = life.loop.errors[0]
                raise AssertionError(f"a callback failed: {first}") from first.get("exception")
            self._leave(life, ending)
            if isinstance(life.ended_by, OSError | LogFailed) and trouble:
                self.told.failed_starts += 1
                continue
            if life.ended_by is not None and not isinstance(life.ended_by, PowerLoss):
                raise AssertionError(f"the server ended: {life.ended_by!r}") from life.ended_by
            break
        self.told.endings.append(ending)
        if ending in ("kill", "power", "torn write") or chance.random() < 0.5:
            world.now += chance.randrange(10 * S)  # until somebody starts it again

    def _plan(self, life: Life, ending: str) -> bool:
        """Who does what, and what befalls them; True if the disk will fail."""
        world, chance = self.world, self.world.chance
        if ending == "again":
            world.at(50 * MS, life.server.stop)
            return False
        if ending == "final":
            self.final = self._actor(Final, 99)
            for actor in self.actors:
                actor.end()
            world.at(0, self.final.start)
            self._stop_when_final(life, world.now + 20 * S)
            return False
        for actor in self.actors:
            world.at(chance.randrange(5 * MS), actor.start)
        length = chance.randrange(*LIFE_NS)
        trouble = self._befall(life, length)
        if ending == "stop":
            world.at(length, life.server.stop)
        elif ending == "torn write":
            world.at(length, self._tear)
            world.at(length + 50 * MS, self._cut)
        else:
            world.at(length, self._cut)
        return trouble

    def _stop_when_final(self, life: Life, latest: int) -> None:
        assert self.final is not None
        assert self.world.now < latest, "the last client is not done"
        if self.final.finished:
            life.server.stop()
        else:
            self.world.at(20 * MS, lambda: self._stop_when_final(life, latest))

    def _cut(self) -> None:
        self.world.note("the end")
        self.world.dead = True
        self.disk.power_off()

    def _tear(self) -> None:
        self.disk.stop_at = self.disk.operations + self.world.chance.randrange(4)

    def _befall(self, life: Life, length: int) -> bool:
        """Things that go wrong meanwhile."""
        world, chance = self.world, self.world.chance
        trouble = False
        for _ in range(chance.choice((0, 1, 2, 4))):
            at = chance.randrange(length)
            what = chance.choice(("jump", "jump", "freeze wall", "stall", "slow", "trouble", "reset", "deaf", "leap"))
            self.told.troubles += 1
            if what == "jump":
                by = chance.choice((-1, 1)) * chance.choice((HOUR_NS, HOUR_NS, 90 * S))
                world.at(at, partial(world.set_wall, by))
            elif what == "freeze wall":
                world.at(at, world.stop_wall)
                world.at(at + chance.randrange(length), world.start_wall)
            elif what in ("stall", "leap"):
                world.at(at, partial(self._stall, chance.choice((50 * MS, 1 * S, 8 * S))))
            elif what == "slow":
                world.at(at, partial(setattr, life, "slowness", chance.choice((1 * MS, 60 * MS))))
            elif what == "trouble":
                trouble = True
                world.at(at, partial(self._fail, chance.choice((errno.ENOSPC, errno.EIO))))
                world.at(at + chance.randrange(1 * MS, 150 * MS), partial(self._fail, 0))
            else:
                actor = chance.choice(self.actors)
                world.at(at, actor.hang_up if what == "reset" else partial(actor.stop_reading, 40 * MS))
        return trouble

    def _stall(self, by: int) -> None:
        self.world.note("stall", by)
        self.world.stall = by

    def _fail(self, code: int) -> None:
        self.world.note("disk fails" if code else "disk is well", code)
        self.disk.fail_from = (self.disk.operations, code) if code else None

    # What a start finds.

    def _opened(self, node: Any) -> None:
        """A node has recovered: is that a state that was, and is nothing missing that may not be?"""
        seq, state = node.engine.seq, tuple(digest_of(node.engine).values())
        self.world.note("opened", seq, state)
        assert seq >= self.floor, f"recovered to seq {seq}, {self.floor} had been promised"
        if seq:
            assert seq in self.states, f"recovered to seq {seq}, in the middle of a group"
            assert self.states[seq] == state, f"the state at seq {seq} is not what it was"
        if seq < self.answered:
            self.records.generation += 1
        for later in [one for one in self.states if one > seq]:
            del self.states[later]
        self.floor = self.durable = self.answered = seq  # a start puts what it found on the disk
        for ledger in self.ledgers.values():
            ledger.ahead = self.world.jumped_ahead

    def _log_failed(self) -> None:
        self.failed_at = self.records.now()

    def _leave(self, life: Life, ending: str) -> None:
        """The disk as the next life finds it, and what it must find there."""
        lossy = ending in ("power", "torn write") and isinstance(life.ended_by, PowerLoss)
        if life.node is not None and life.node.log is not None:
            if life.node.failed:
                self.records.doubt(self.failed_at)
            log = life.node.log
            self.durable = max(self.durable, log.synced_seq)
            self.floor = max(self.floor, log.written_seq)
            self.answered = max(self.answered, log.synced_seq if self.mode == "always" else log.written_seq)
            if self.mode == "periodic" and not self.told.troubles:
                late = self.world.now - INTERVAL_MS * MS - 2 * life.sync_longest - 5 * MS
                self.durable = max(self.durable, max((seq for at, seq in life.wrote if at <= late), default=0))
        if lossy:
            self.floor = self.durable
        if lossy:
            self.disk = self.disk.crash()
        else:
            self.disk = self.disk.kill()

    def _judge(self) -> None:
        """Are the histories right?"""
        assert self.final is not None
        for key, ops in sorted(self.records.ops.items()):
            if key.endswith(f".{self.records.generation}"):
                check_key(ops)
        txns = [
            txn for txn in self.records.txns if txn.calls[0][1].endswith(f".{self.records.generation}")
        ]
        check_transactions(txns, self.final.lists)


def tell(seed: int, clients: int = 8, kind: type[Story] = Story) -> Told:
    """The story of one seed. Raises AssertionError, with the end of the trace in its notes."""
    gc.freeze()  # the collections of this story look at what is made in it, and at nothing else
    try:
        return _told(kind(seed, clients))
    finally:
        gc.collect()
        gc.unfreeze()


def _told(story: Story) -> Told:
    before = clock.use(story.world)
    logger = logging.getLogger("synap")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        return story.run()
    except BaseException as error:
        error.add_note(f"seed {story.told.seed}, mode {story.mode}, {story.told}")
        error.add_note("\n".join(list(story.world.lines)[-25:]))
        raise
    finally:
        logger.setLevel(level)
        clock.use(before)
