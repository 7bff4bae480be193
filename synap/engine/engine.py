"""The engine: carries out calls on the heap, serves the sessions that wait for a change, runs upkeep.

Every change goes through `calls.call` in the heap; this file is the Python around that kernel. The engine
receives the time with each call and keeps time monotonic. The engine neither waits nor writes to disk: frames
gather in the region LOG until the owner of the disk takes them (`take_frames`).
"""

import heapq
import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from synap.call import Call, Value
from synap.command import Catalogue, Command
from synap.derive import tape_reader
from synap.derive.heap_image import Image
from synap.derive.json_aliases import Pack
from synap.derive.replies import items
from synap.engine.diagnostics import Operation
from synap.engine.pubsub import PubSub
from synap.engine.sessions import Session, Sessions
from synap.engine.subscribers import with_form
from synap.engine.waiters import Feed, Interest, Parked
from synap.faults import BrokenNode, Fault, SynapError
from synap.observe import times
from synap.store.calls import calls
from synap.store.keys import key_info
from synap.store.kinds.table import NAMED
from synap.store.lane import transactions
from synap.store.memory import arena, codes, frames, layout
from synap.store.memory.heap import Heap
from synap.store.memory.refusals import REPLY_TOO_LARGE, WRONG_TYPE
from synap.store.upkeep import upkeep

Handler = Callable[["Engine", Session | None, dict[str, Any], int], Value]

log = logging.getLogger("synap")

EVICTION_POLICIES = (
    "noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random",
    "volatile-ttl",
)  # fmt: skip
"""Redis' names of the eviction policies, in the order of the numbers layout.EVICT_*."""
EXPIRE_LOOKS, EXPIRE_MOST, REAP_BUDGET, CLEAN_RUNS, DUE_MOST = 400, 100, 4000, 256, 1000
FEED_ROUNDS = 100  # pieces that each feed may take in one call of `feed`
CLEAN_PAGES = 512  # return pages to the system once this many free ones may be committed


class Engine:
    """One store with its sessions. `handlers` are the functions of the rows that run in Python, by name."""

    def __init__(
        self, heap: Heap, catalogue: Catalogue, image: Image, handlers: dict[str, Handler], reply_bytes_max: int
    ) -> None:
        self.heap = heap
        self.words, self.octets = heap.words, heap.octets
        self.numbers, self.bytes = heap.numbers, heap.bytes
        self.catalogue = catalogue
        self._due_codes = {kind.number: catalogue.by_name[kind.due_row].code for kind in NAMED}
        self.row_at = image.row_of
        self.rows = {image.row_of[row.name]: row for row in catalogue.rows}
        self.containers = {row.resp.split("|")[0] for row in catalogue.rows if "|" in row.resp}
        self.handlers = handlers
        self.packers: dict[str, Pack] = {}  # of rows that handlers of other rows call
        self.reply_bytes_max = reply_bytes_max
        self.sessions = Sessions(self.numbers)
        self.interest = Interest(self.numbers, self.bytes)
        self.operation = Operation()
        self.pubsub = PubSub()
        self.facts: dict[str, Any] = {}
        self.journal_flush: Callable[[], None] = lambda: None
        self._waiting: list[tuple[int, int, Parked]] = []
        self._waits = 0
        self._expire_cursor = 0
        self.hungry: set[int] = set()  # hashes of queues and rooms whose feeds have more to take
        self._found = np.zeros(2 * CLEAN_RUNS, np.int64)

    # Calls.

    @property
    def seq(self) -> int:
        """Return the seq of the last change."""
        return int(self.numbers[layout.SEQ])

    def put(self, call: Call) -> None:
        """Copy a packed call into the region CALL."""
        numbers = self.numbers
        for i, value in enumerate(call.tape):
            numbers[layout.CALL + i] = value
        at = layout.CALL_BLOB * layout.WORD
        self.bytes[at : at + len(call.blob)] = call.blob
        numbers[layout.CALL - 1] = at
        numbers[layout.CALL - 2] = call.namespace

    def perform(self, row_at: int, tape: int, tape_size: int, blob_size: int, now: int) -> int:
        """Carry out the call at word `tape` and return its status. The reply lies in REPLY until `settle`.

        A call whose reply would be above `reply_bytes_max` is refused before any change.
        """
        status = calls.perform(
            self.words, self.octets, row_at, tape, tape_size, blob_size, now, layout.REPLY_ITEMS, self.reply_bytes_max
        )
        return self.checked(status, row_at)

    def checked(self, status: int, row_at: int) -> int:
        """Return `status`, or REPLY_TOO_LARGE if the reply did not fit. Raise BrokenNode if the kernel failed."""
        what = status & layout.STATUS_MASK
        if what == layout.BROKEN:
            raise BrokenNode(f"{self.rows[row_at].name}: the kernel failed")
        if what == layout.FULL:
            return REPLY_TOO_LARGE
        return int(status)

    def perform_queued(self, entry: int, row_at: int, now: int) -> int:
        """Carry out one call that a session queued in MULTI and return its status."""
        status = transactions.perform_queued(
            self.words, self.octets, entry, now, layout.REPLY_ITEMS, self.reply_bytes_max
        )
        return self.checked(status, row_at)

    def set_eviction(self, policy: str, samples: int) -> None:
        """Set the eviction policy, a name of EVICTION_POLICIES, and the number of keys sampled for each eviction."""
        number = EVICTION_POLICIES.index(policy)
        self.numbers[layout.EVICTION] = number
        self.numbers[layout.EVICTION_SAMPLES] = samples
        self.note_uses(True)

    def note_uses(self, on: bool) -> None:
        """Switch the tracking of key use (time or count) on or off; off while a snapshot's child shares pages."""
        frequency = self.numbers[layout.EVICTION] in (layout.EVICT_LFU, layout.EVICT_VOLATILE_LFU)
        note = layout.NOTE_USE if frequency else layout.NOTE_TIME
        self.numbers[layout.TRACKING] = note if on else 0

    def free_limbo(self) -> None:
        """Free the blocks that the reply pointed to, once the reply has been read."""
        if self.numbers[layout.LIMBO_COUNT]:
            calls.settle(self.words, self.octets)

    def settle(self, now: int) -> None:
        """Free the blocks of a reply that has been read, and serve the calls that waited for the change."""
        self.free_limbo()
        if self.numbers[layout.REPLY + 1] > layout.REPLY_ITEMS_LANE:
            self.heap.forget(layout.REPLY * layout.WORD, self.numbers[layout.REPLY + 1] * 16)
            self.numbers[layout.REPLY + 1] = 0
        if self.numbers[layout.HITS_COUNT]:
            self.serve(now)
        if self.numbers[layout.LOG_TOP] > layout.LOG_FLUSH_BYTES and not self.numbers[layout.IN_GROUP]:
            self.journal_flush()

    def run(self, call: Call, now: int) -> int:
        """Carry out a packed call and return its status; call `settle` once the reply has been read."""
        self.put(call)
        row_at = self.row_at[self.catalogue.by_code[call.code].name]
        return self.perform(row_at, layout.CALL, len(call.tape), len(call.blob), now)

    def park_packed(
        self, row_at: int, tape: int, now: int, deliver: Callable[[int | None], None]
    ) -> Parked:
        """Park a call that is packed as MULTI queues it, with its tape at word `tape`."""
        tape_size, blob_size = self.numbers[tape - 3], self.numbers[tape - 1]
        self.numbers[tape - 1] = (tape + tape_size) * layout.WORD
        return self.park(row_at, tape, tape_size, blob_size, now, deliver)

    def handle_packed(self, row: Command, session: Session | None, tape: int, now: int) -> Value:
        """Carry out, as `handle` does, a call that is packed as MULTI queues it."""
        blob_size = self.numbers[tape - 1]
        self.numbers[tape - 1] = (tape + self.numbers[tape - 3]) * layout.WORD
        value = self.handle(row, session, tape, now)
        self.numbers[tape - 1] = blob_size
        return value

    def handle(self, row: Command, session: Session | None, tape: int, now: int) -> Value:
        """Carry out a row that runs in Python and return its value; a Fault, or any failure of the handler, is
        returned as a Fault. Raise SynapError if the node or its log is broken."""
        fields = tape_reader.read(row, self.numbers, self.bytes, tape, with_form)
        counter = layout.COUNTERS + 4 * row.code
        self.numbers[counter] += 1
        begun = self.operation.ticks()
        try:
            return self.handlers[row.handler](self, session, fields, now)
        except Fault as fault:
            self.numbers[counter + 1] += 1
            return fault
        except SynapError:  # the node or its log is broken
            raise
        except Exception as error:
            log.exception("%s failed", row.name)
            self.numbers[counter + 1] += 1
            return Fault("INTERNAL_ERROR", what=f"{type(error).__name__}: {error}")
        finally:
            times.note(self.numbers, row.code, self.operation.ticks() - begun)

    # Waiting.

    def park(
        self, row_at: int, tape: int, tape_size: int, blob_size: int, now: int, deliver: Callable[[int | None], None]
    ) -> Parked:
        """Park the call at word `tape`, which answered WAIT, until one of its keys changes or its timeout ends."""
        row = self.rows[row_at]
        numbers = self.numbers
        blob = bytes(self.bytes[numbers[tape - 1] : numbers[tape - 1] + blob_size])
        call = Call(row.code, numbers[tape - 2], tuple(numbers[tape : tape + tape_size].tolist()), blob)
        hashes = [
            key_info.hash_of(self.words, self.octets, space, start, size)
            for space, start, size in tape_reader.awaited(row, numbers, tape)
        ]
        wait = numbers[tape + tape_reader.timeout_slot(row)]
        parked = Parked(call, row_at, tuple(dict.fromkeys(hashes)), now + wait if wait else 0, deliver)
        self.interest.park(parked)
        if parked.deadline:
            self._waits += 1
            heapq.heappush(self._waiting, (parked.deadline, self._waits, parked))
        return parked

    def serve(self, now: int) -> None:
        """Mark the watchers of the keys that changed, and carry out the calls parked on these keys, oldest first."""
        while self.numbers[layout.HITS_COUNT]:
            for h in self.interest.take_hits():
                barren: set[int] = set()  # rows that find nothing more under this hash
                for session in self.interest.watchers.get(h, ()):
                    session.watch_broken = session.watch_broken or self._changed(session, h, now)
                for parked in list(self.interest.parked.get(h, ())):
                    if parked.over or parked.row_at in barren:
                        continue
                    status = self.run(parked.call, now)
                    what = status & layout.STATUS_MASK
                    if status & layout.BARREN:
                        barren.add(parked.row_at)
                    if what == layout.WAIT or (what == WRONG_TYPE and len(parked.hashes) == 1):
                        continue  # no value of the kind that the row reads is there yet
                    self.interest.unpark(parked)
                    parked.deliver(status)
                    self.free_limbo()
                self.feed(h, now)

    def feed(self, h: int, now: int) -> None:
        """Let the feeds of the queue or room with the hash `h` take messages or events, one piece each in turn.

        The feed that was first this time is last the next time. After FEED_ROUNDS rounds upkeep takes over.
        """
        line = self.interest.feeds.get(h)
        if not line:
            return
        for _ in range(FEED_ROUNDS):
            took = False
            for each in list(line):
                took = each.take(now) or took
            if not took:
                line.rotate(-1)
                return
        self.hungry.add(h)

    def end_waits(self, now: int) -> None:
        """Answer the parked calls whose timeout has ended."""
        while self._waiting and (self._waiting[0][0] <= now or self._waiting[0][2].over):
            parked = heapq.heappop(self._waiting)[2]
            if not parked.over:
                self.interest.unpark(parked)
                parked.deliver(None)

    @property
    def next_wait(self) -> int:
        """The time (ms) of the next timeout of a parked call or timer of a queue or room; 0 if feeds have more now."""
        if self.hungry:
            return 0
        due = int(self.numbers[layout.TIMERS_DUE])
        return min(self._waiting[0][0], due) if self._waiting else due

    def attend(self, feed: Feed) -> None:
        """Register a feed for changes of its queue or room."""
        at = layout.CALL_BLOB * layout.WORD
        self.bytes[at : at + len(feed.name)] = feed.name
        feed.hash = key_info.hash_of(self.words, self.octets, feed.space, at, len(feed.name))
        self.interest.attend(feed)

    # Transactions.

    def watch(self, session: Session, key: bytes, now: int) -> None:
        """Make EXEC fail if `key` changes, expires or appears before it."""
        at = layout.CALL_BLOB * layout.WORD
        self.bytes[at : at + len(key)] = key
        namespace = session.namespace
        h = key_info.hash_of(self.words, self.octets, namespace, at, len(key))
        if h not in session.watched:
            seen = key_info.visible(self.words, self.octets, namespace, at, len(key), now)
            session.watched[h] = (namespace, key, seen)
            session.note_watched()
            self.interest.watch(h, session)

    def unwatch(self, session: Session) -> None:
        """Stop watching all keys of the session."""
        for h in session.watched:
            self.interest.unwatch(h, session)
        session.watched.clear()
        session.watch_broken = False
        session.note_watched()

    def watch_holds(self, session: Session, now: int) -> bool:
        """Return True if no watched key has changed."""
        if session.watch_broken:
            return False
        return all(self._visible(namespace, key, now) == seen for namespace, key, seen in session.watched.values())

    def _changed(self, session: Session, h: int, now: int) -> bool:
        """Return True if a watched key that was just touched counts as changed; missing before and after does not."""
        namespace, key, seen = session.watched[h]
        return bool(seen) or bool(self._visible(namespace, key, now))

    def _visible(self, namespace: int, key: bytes, now: int) -> int:
        at = layout.CALL_BLOB * layout.WORD
        self.bytes[at : at + len(key)] = key
        return int(key_info.visible(self.words, self.octets, namespace, at, len(key), now))

    def end_multi(self, session: Session) -> None:
        """Leave MULTI, drop the queued calls and stop watching keys."""
        transactions.leave_multi(self.words, self.octets, session.at)
        self.unwatch(session)

    def close(self, session: Session) -> None:
        """Release everything that the session holds, and remove the session."""
        if session.parked is not None and not session.parked.over:
            self.interest.unpark(session.parked)
        self.end_multi(session)
        self.operation.mute(session, 0)
        if session.listener is not None:
            self.pubsub.leave(session.listener)
        self.sessions.remove(session)

    # The log.

    def take_frames(self) -> tuple[memoryview, int, int] | None:
        """Return (bytes, first seq, count) of the frames in LOG, or None; once written, call `frames_written`."""
        count = self.numbers[layout.LOG_COUNT]
        if not count:
            return None
        start = layout.LOG * layout.WORD
        return self.bytes[start : start + self.numbers[layout.LOG_TOP]], self.numbers[layout.LOG_FIRST], count

    def drop_group(self) -> None:
        """Remove from LOG the frames of a transaction in the middle of which the node broke."""
        numbers = self.numbers
        keep = max(numbers[layout.LOG_COUNT] - (numbers[layout.IN_GROUP] - 1), 0)
        top = 0
        for _ in range(keep):
            top += numbers[layout.LOG + top // layout.WORD] & 0xFFFFFFFF
        numbers[layout.LOG_TOP], numbers[layout.LOG_COUNT] = top, keep

    def frames_written(self) -> None:
        """Empty LOG, once the frames of `take_frames` are written."""
        top = self.numbers[layout.LOG_TOP]
        self.numbers[layout.LOG_TOP] = 0
        self.numbers[layout.LOG_COUNT] = 0
        if top > 4 * layout.LOG_FLUSH_BYTES:
            self.heap.forget(layout.LOG * layout.WORD, top)

    def replay(self, payload: memoryview | bytes, step: int) -> int:
        """Apply frames (`step` 1: a log, 0: a snapshot) and return their count. Raise BrokenNode at a wrong frame."""
        at = layout.CALL_BLOB * layout.WORD
        size = len(payload)
        if size > layout.CALL_BLOB_BYTES:
            at = self.take(size)
        self.bytes[at : at + size] = payload
        done = frames.replay(self.words, self.octets, at, at + size, step)
        if at != layout.CALL_BLOB * layout.WORD:
            arena.give_block(self.words, self.octets, at // layout.WORD)
        if done < 0:
            numbers = self.numbers
            row = self.catalogue.by_code.get(numbers[layout.REPLAY_CODE])
            raise BrokenNode(
                f"replay stopped at seq {numbers[layout.REPLAY_SEQ]}, code {numbers[layout.REPLAY_CODE]:#06x}"
                f" ({row.name if row else 'unknown'}): got status {numbers[layout.REPLAY_STATUS]},"
                f" expected seq {self.seq + step}"
            )
        return int(done)

    def take(self, size: int) -> int:
        """Allocate a block of `size` bytes and return its first octet. Raise MemoryError above max_memory."""
        most = self.numbers[layout.BYTES_MAX] * 3 // 2 + arena.PAGES_SPARE
        if self.numbers[layout.PAGES_USED] * layout.PAGE_BYTES + size > most:
            raise MemoryError
        return self.take_anyway(size)

    def take_anyway(self, size: int) -> int:
        """Allocate a block of `size` bytes, also above max_memory, for work that must not fail any more."""
        ref = arena.take_block(self.words, self.octets, (size + 7) // 8)
        if not ref:
            raise MemoryError
        return int(ref) * layout.WORD

    def give(self, at: int) -> None:
        """Free a block of `take` or `take_anyway`."""
        arena.give_block(self.words, self.octets, at // layout.WORD)

    # Upkeep.

    def upkeep(self, now: int) -> bool:
        """Do one step of background work: timeouts, graves, expiry, timers, feeds. Return True if work is left."""
        self.end_waits(now)
        more = False
        numbers = self.numbers
        if numbers[layout.GRAVES]:
            upkeep.reap(self.words, self.octets, REAP_BUDGET)
            more = bool(numbers[layout.GRAVES])
        more = (self.operation.active_expire and self._expire_some(now)) or more
        if numbers[layout.TIMERS_DUE] <= now:
            more = self._end_timer(now) or more
        if self.hungry:
            hungry, self.hungry = self.hungry, set()
            for h in hungry:
                self.feed(h, now)
            more = more or bool(self.hungry)
        if numbers[layout.PAGES_DIRTY] > CLEAN_PAGES and not more:
            self.clean()
        return more

    def clean(self) -> None:
        """Return free pages to the operating system."""
        while count := arena.clean(self.words, CLEAN_RUNS, self._found):
            for page, length in self._found[: 2 * count].reshape(-1, 2).tolist():
                self.heap.forget(page * layout.PAGE_BYTES, length * layout.PAGE_BYTES)

    def _expire_some(self, now: int) -> bool:
        """Remove some expired keys; return True if at least a quarter of the keys looked at had expired."""
        cursor = upkeep.find_expired(
            self.words, self.octets, self._expire_cursor, EXPIRE_LOOKS, EXPIRE_MOST, now
        )
        self._expire_cursor = max(cursor, 0)
        found = items(self.numbers, self.bytes)
        for (key, _), (namespace, _) in zip(found[::2], found[1::2], strict=True):
            self.run(Call(codes.KEY_EXPIRE, namespace, (0, len(key) << layout.MARK_BITS | layout.PRESENT), key), now)
            self.settle(now)
        return len(found) // 2 * 4 >= EXPIRE_LOOKS

    def _end_timer(self, now: int) -> bool:
        """Run the timer that is due in one queue or room: ended leases, delayed messages, old events."""
        status = self.run(Call(codes.QUEUE_DUE, 0, (), b""), now)
        if status & layout.STATUS_MASK != layout.ITEM:
            return False
        name = items(self.numbers, self.bytes)[0][0]
        code = self._due_codes[self.numbers[layout.REPLY]]
        tape = (0, len(name) << layout.MARK_BITS | layout.PRESENT, DUE_MOST)
        status = self.run(Call(code, 0, tape, name), now)
        self.settle(now)
        return bool(status & layout.CHANGED)  # a refused call (broken log) is not repeated at once
