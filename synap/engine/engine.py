"""The engine: carries out calls on the heap and serves the callers that wait for a change.

Calls enter by `execute` and its relatives, except those that the lane carries out by itself. Every change goes through
`calls.call`. The engine gets the time with each call. It neither waits nor writes to disk: frames gather in the region
LOG until the owner of the disk takes them."""

import heapq
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from synap.call import Call, Pending, Value
from synap.command import Catalogue, Command
from synap.derive import tape_reader
from synap.derive.heap_image import Image
from synap.derive.json_aliases import Pack
from synap.derive.outcomes import refused
from synap.engine import give_back, one_key, parking
from synap.engine.callers import Caller, Surface
from synap.engine.changes import Changes
from synap.engine.diagnostics import Diagnostics
from synap.engine.host import Host
from synap.engine.keyspace_events import KeyspaceEvents
from synap.engine.log_frames import LogFrames
from synap.engine.memory import Memory
from synap.engine.monitors import Monitors
from synap.engine.outcomes import HANDLED, PARKED, QUEUED, Outcome
from synap.engine.pubsub import PubSub
from synap.engine.scripts.scripts import Scripts
from synap.engine.sessions import Session, Sessions
from synap.engine.subscribers import with_form
from synap.engine.tallies import Tallies
from synap.engine.tracking import ClientTracking
from synap.engine.transactions import Transactions
from synap.engine.upkeep import Upkeep
from synap.engine.waiters import Feed, Interest, Parked
from synap.faults import BrokenNode, Fault, SynapError
from synap.observe import times
from synap.store.calls import calls
from synap.store.keys import key_info
from synap.store.lane import transactions
from synap.store.memory import codes, layout
from synap.store.memory.heap import Heap
from synap.store.memory.layout import BROKEN, FLAG_GROWS, FULL, NIL, REPLY_ITEMS, STATUS_MASK, WAIT, WORD
from synap.store.memory.refusals import OUT_OF_MEMORY, REPLY_TOO_LARGE
from synap.store.records import timers
from synap.traits import RUNS_SCRIPT

Handler = Callable[["Engine", Any, dict[str, Any], int], Value | Pending]
"""A function of a row: from engine, caller (a Session for rows with the trait SESSION), fields and time to a value."""
Deliver = Callable[[Outcome], None]

log = logging.getLogger("synap")

TRANSACTIONS = range(codes.TRANSACTION_MULTI, codes.TRANSACTION_DISCARD + 1)
FEED_ROUNDS = 100  # pieces that each feed may take in one call of `feed`


class Engine:
    """One store with its sessions. `handlers` are the functions of the rows that run in Python, by name."""

    def __init__(
        self, heap: Heap, catalogue: Catalogue, image: Image, handlers: dict[str, Handler], reply_bytes_max: int
    ) -> None:
        self.heap = heap
        self.words, self.octets = heap.words, heap.octets
        self.numbers, self.bytes = heap.numbers, heap.bytes
        self.catalogue = catalogue
        self.row_at = image.row_of
        self.rows = {image.row_of[row.name]: row for row in catalogue.rows}
        self.containers = {row.resp.split("|")[0] for row in catalogue.rows if "|" in row.resp}
        self.handlers = handlers
        self.packers: dict[str, Pack] = {}  # of rows that handlers of other rows call
        self.reply_bytes_max = reply_bytes_max
        self.sessions = Sessions(self.numbers)
        self.memory = Memory(heap)
        self.interest = Interest(self.numbers, self.bytes)
        self.own = Caller(Surface.PYTHON)  # of calls that the engine makes itself
        self.diagnostics = Diagnostics()
        self.pubsub = PubSub()
        self.host = Host()
        self.journal_flush: Callable[[], None] = lambda: None
        self._waiting: list[tuple[int, int, Parked]] = []
        self._waits = 0
        self.transactions = Transactions(self)
        self.upkeep = Upkeep(self)
        self.tallies = Tallies(self)
        self.frames = LogFrames(self)
        self.monitors = Monitors(self)
        self.tracking = ClientTracking(self)
        self.scripts = Scripts(self)
        self.keyspace_events = KeyspaceEvents(self)
        self.changes = Changes(self)
        self.unfinished_feeds: set[int] = set()  # hashes of queues and rooms whose feeds have more to take

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

    def execute(
        self, caller: Caller, row_at: int, tape: int, tape_size: int, blob_size: int, now: int,
        deliver: Deliver | None = None,
    ) -> Outcome:  # fmt: skip
        """Carry out the call at word `tape` for a caller.

        Within MULTI the call is queued, unless its row is a control. Else it passes the guards and runs. A call that
        has to wait is parked, and `deliver` gets its outcome later; without `deliver` it answers as if its timeout had
        ended at once. The outcome may be read until `settle`.
        """
        refuses = caller.refuses
        if caller.rate is not None:
            refuses = caller.count_call(now)
            if self.rows[row_at].code in TRANSACTIONS:  # what was queued can always be carried out or dropped
                refuses = caller.refuses
        if caller.in_multi and not self.rows[row_at].control:
            return self._queue(caller, refuses, row_at, tape, tape_size, blob_size, now)
        return self.carry_out(caller, refuses, row_at, tape, tape_size, blob_size, now, deliver)

    def execute_packed(
        self, caller: Caller, entry: int, now: int, deliver: Deliver | None = None, counted: bool = True
    ) -> Outcome:
        """Carry out a call that is packed at word `entry` as MULTI queues calls; see `execute`.

        A call that is not `counted` has been counted before: it is one of EXEC, or of a handler or a route that makes
        more than one call. It is not queued.
        """
        numbers = self.numbers
        tape = entry + layout.PACKED_HEAD
        row_at, blob_size = numbers[entry + layout.PACKED_ROW], numbers[tape - 1]
        tape_size = numbers[entry + layout.PACKED_TAPE]
        numbers[tape - 2] = caller.namespace  # a SELECT in the transaction may have changed it
        numbers[tape - 1] = (tape + tape_size) * WORD
        if counted and (caller.rate is not None or caller.in_multi):
            return self.execute(caller, row_at, tape, tape_size, blob_size, now, deliver)
        return self.carry_out(caller, caller.refuses, row_at, tape, tape_size, blob_size, now, deliver)

    def call(self, caller: Caller, call: Call, now: int, deliver: Deliver | None = None) -> Outcome:
        """Carry out a call that Python has packed; see `execute`."""
        self.put(call)
        return self.execute(caller, self._row_at(call), layout.CALL, len(call.tape), len(call.blob), now, deliver)

    def call_unasked(self, caller: Caller, call: Call, now: int) -> Outcome:
        """Carry out a call that a caller has asked for before (a feed): it is not counted for the caller's rate."""
        self.put(call)
        place = self._row_at(call), layout.CALL, len(call.tape), len(call.blob)
        return self.carry_out(caller, caller.refuses, *place, now, None)

    def admit_to(self, name: str, caller: Caller, now: int) -> None:
        """Pass the guards of the row `name` with something that is no call of it, as `get_many` is none of `kv.get`.

        It counts for the caller's rate. Raises the Fault by which a call of the row would be refused.
        """
        refuses = caller.refuses if caller.rate is None else caller.count_call(now)
        refusal = self._admit(refuses, self.row_at[name], 0, 0, now)
        if refusal:
            raise Fault(refused(refusal).name)

    def _row_at(self, call: Call) -> int:
        return self.row_at[self.catalogue.by_code[call.code].name]

    def _queue(
        self, caller: Caller, refuses: int, row_at: int, tape: int, tape_size: int, blob_size: int, now: int
    ) -> Outcome:
        """Queue the call in TAPE for EXEC, if the guards admit it."""
        assert tape == layout.TAPE and isinstance(caller, Session), "only RESP sessions queue calls"
        row = self.rows[row_at]
        status = self._admit(refuses, row_at, tape_size, blob_size, now)
        if not status and not transactions.enqueue_call(
            self.words, self.octets, caller.at, row_at, tape_size, blob_size
        ):
            status = OUT_OF_MEMORY
        if not status:
            return Outcome(row, row_at, QUEUED)
        self.numbers[layout.COUNTERS + layout.COUNTER_WORDS * row.code + layout.COUNTER_REFUSALS] += 1
        caller.break_multi()
        return Outcome(row, row_at, status)

    def _admit(self, refuses: int, row_at: int, tape_size: int, blob_size: int, now: int) -> int:
        """Return the refusal of a call by the guards of the node and by `refuses`, or 0."""
        if not (self.numbers[layout.REFUSE] | refuses or self.numbers[row_at + layout.ROW_FLAGS] & FLAG_GROWS):
            return 0
        if self.keyspace_events.on:
            self.keyspace_events.evict(row_at, tape_size, blob_size, now, refuses)
        return int(calls.admit_handler(self.words, self.octets, row_at, tape_size, blob_size, now, refuses))

    def carry_out(
        self, caller: Caller, refuses: int, row_at: int, tape: int, tape_size: int, blob_size: int, now: int,
        deliver: Deliver | None,
    ) -> Outcome:  # fmt: skip
        """Carry out a call past the guards of the node and `refuses`; see `execute`. It is not counted or queued."""
        row = self.rows[row_at]
        if caller.noted:
            assert isinstance(caller, Session)
            self.tracking.note(caller, row, tape)
        if row.traits & RUNS_SCRIPT:
            return self.scripts.perform(caller, refuses, row_at, tape, tape_size, blob_size, now)
        if row.handler:
            refusal = self._admit(refuses, row_at, tape_size, blob_size, now)
            if refusal:
                self.note_called(row, True)
                return Outcome(row, row_at, refusal)
            value = self._handle(row, caller, tape, now)
            if isinstance(value, Pending):
                return parking.hold(self, caller, row, row_at, value, deliver)
            return Outcome(row, row_at, HANDLED, value)
        status = self._perform(caller, refuses, row_at, tape, tape_size, blob_size, now)
        if status & STATUS_MASK != WAIT:
            return Outcome(row, row_at, status)
        if deliver is None:
            self.note_called(row)
            return Outcome(row, row_at, NIL)
        return Outcome(row, row_at, PARKED, self._park(caller, row, row_at, tape, tape_size, blob_size, now, deliver))

    def _perform(
        self, by: Caller, refuses: int, row_at: int, tape: int, tape_size: int, blob_size: int, now: int
    ) -> int:
        """Carry out a call of `by` in a kernel, past the guards of the node and `refuses`; return its status.

        A call whose reply would be above `reply_bytes_max` is refused before any change.
        """
        if self.keyspace_events.on:
            status = self.keyspace_events.perform(by, refuses, row_at, tape, tape_size, blob_size, now)
        else:
            status = self.in_kernel(refuses, row_at, tape, tape_size, blob_size, now)
        what = status & STATUS_MASK
        return self.checked(status, row_at) if what == FULL or what == BROKEN else int(status)

    def in_kernel(self, refuses: int, row_at: int, tape: int, tape_size: int, blob_size: int, now: int) -> int:
        """Carry out a call in a kernel, past the guards; return its status."""
        sizes, limits = (tape, tape_size, blob_size), (REPLY_ITEMS, self.reply_bytes_max)
        return int(calls.perform(self.words, self.octets, row_at, *sizes, now, refuses, *limits))

    def checked(self, status: int, row_at: int) -> int:
        """Return `status`, or REPLY_TOO_LARGE if the reply did not fit. Raise BrokenNode if the kernel failed."""
        what = status & layout.STATUS_MASK
        if what == layout.BROKEN:
            raise BrokenNode(f"{self.rows[row_at].name}: the kernel failed")
        if what == layout.FULL:
            self.note_called(self.rows[row_at], True)
            return REPLY_TOO_LARGE
        return int(status)

    def note_called(self, row: Command, refused: bool = False) -> None:
        """Count a call that no kernel has counted."""
        counter = layout.COUNTERS + layout.COUNTER_WORDS * row.code
        self.numbers[counter] += 1
        self.numbers[counter + layout.COUNTER_REFUSALS] += refused

    def free_deferred(self) -> None:
        """Free the blocks that the reply pointed to, once the reply has been read."""
        if self.numbers[layout.DEFERRED_COUNT]:
            calls.settle(self.words, self.octets)

    def settle(self, now: int, by: Caller | None = None) -> None:
        """Free the blocks of a reply that has been read, and serve the calls that waited for the change of `by`."""
        self.free_deferred()
        if (items := self.numbers[layout.REPLY + 1]) > layout.REPLY_ITEMS_LANE:
            self.heap.forget(layout.REPLY * layout.WORD, 2 * items * layout.WORD, layout.RECEIVE * layout.WORD)
            self.numbers[layout.REPLY + 1] = 0
        if self.numbers[layout.HITS_COUNT]:
            self.serve(now, by)
        if self.tracking.told_later is not None:
            self.tracking.tell_later()
        if self.numbers[layout.LOG_TOP] > layout.LOG_FLUSH_BYTES and not self.numbers[layout.IN_GROUP]:
            self.journal_flush()

    def run(self, call: Call, now: int) -> int:
        """Carry out a call of the engine itself and return its status; call `settle` once the reply has been read."""
        self.put(call)
        sizes = len(call.tape), len(call.blob)
        return self._perform(self.own, self.own.refuses, self._row_at(call), layout.CALL, *sizes, now)

    def _handle(self, row: Command, caller: Caller, tape: int, now: int) -> Value | Pending:
        """Carry out a row that runs in Python and return its value; a Fault, or any failure of the handler, is
        returned as a Fault. Raise SynapError if the node or its log is broken."""
        fields = tape_reader.read(row, self.numbers, self.bytes, tape, with_form)
        counter = layout.COUNTERS + layout.COUNTER_WORDS * row.code
        self.numbers[counter] += 1
        begun = self.diagnostics.ticks()
        try:
            return self.handlers[row.handler](self, caller, fields, now)
        except Fault as fault:
            self.numbers[counter + layout.COUNTER_REFUSALS] += 1
            return fault
        except SynapError:  # the node or its log is broken
            raise
        except Exception as error:
            log.exception("%s failed", row.name)
            self.numbers[counter + layout.COUNTER_REFUSALS] += 1
            return Fault("INTERNAL_ERROR", what=f"{type(error).__name__}: {error}")
        finally:
            times.note(self.numbers, row.code, self.diagnostics.ticks() - begun)

    # Waiting.

    def _park(
        self, caller: Caller, row: Command, row_at: int, tape: int, tape_size: int, blob_size: int, now: int,
        deliver: Deliver,
    ) -> Parked:  # fmt: skip
        """Park the call at word `tape` until one of its keys changes or its timeout ends."""
        numbers = self.numbers
        blob = bytes(self.bytes[numbers[tape - 1] : numbers[tape - 1] + blob_size])
        call = Call(row.code, numbers[tape - 2], tuple(numbers[tape : tape + tape_size].tolist()), blob)
        hashes = [
            key_info.hash_of(self.words, self.octets, space, start, size)
            for space, start, size in tape_reader.awaited(row, numbers, self.bytes, tape)
        ]
        wait = numbers[tape + tape_reader.timeout_slot(row)]
        call = parking.parked(self, row, call, now)
        parked = Parked(call, row_at, tuple(dict.fromkeys(hashes)), now + wait if wait else 0, caller, deliver)
        self.hold(parked)
        return parked

    def hold(self, parked: Parked) -> None:
        """Let a call wait, at most until its deadline."""
        self.interest.park(parked)
        parked.caller.parked = parked
        if parked.deadline:
            self._waits += 1
            heapq.heappush(self._waiting, (parked.deadline, self._waits, parked))

    def stop_waiting(self, caller: Caller, outcome: Any = ...) -> bool:
        """End the wait of the caller's call and answer it with `outcome`: a Fault, or None as after a timeout; by
        default not at all, as nobody takes the answer any more. Return False if no call of the caller waits."""
        parked = caller.parked
        if parked is None or parked.over:
            return False
        caller.parked = None
        self.interest.unpark(parked)
        if outcome is not ...:
            self._end_wait(parked, outcome)
        return True

    def _end_wait(self, parked: Parked, fault: Fault | None) -> None:
        """Deliver the end of a wait without a reply of its row: a Fault, or what there is at the end of the timeout."""
        row = self.rows[parked.row_at]
        if parked.pending is None:
            self.note_called(row, fault is not None)
        self._deliver(parked, Outcome(row, parked.row_at, *parking.end_of(parked, fault)))

    def _deliver(self, parked: Parked, outcome: Outcome) -> None:
        parked.deliver(outcome)
        self.free_deferred()

    def serve(self, now: int, by: Caller | None = None) -> None:
        """Tell those who watch or track the keys that `by` has changed, and carry out the calls parked on these keys,
        oldest first."""
        hits = deque(self.interest.take_hits(by))
        several = len(hits) > 1
        while hits:
            h, by, new = hits.popleft()
            rows_without_items: set[int] = set()  # rows that find nothing more under this hash
            for session in self.interest.watchers.get(h, ()):
                self.transactions.note(session, h, now)
            if new and h in self.interest.tracked:
                self.tracking.changed(h, by)
            for parked in list(self.interest.parked.get(h, ())):
                if parked.over or parked.row_at in rows_without_items or parked.caller.gone():
                    continue  # the connection of a client that has gone ends the wait soon
                status = self._repeat(parked, one_key.call_for(self, parked, h) if several else parked.call, now)
                hits.extend(self.interest.take_hits(parked.caller))
                what = status & layout.STATUS_MASK
                if status & layout.NOTHING_READY:
                    rows_without_items.add(parked.row_at)
                if what == layout.WAIT:
                    continue
                self.interest.unpark(parked)
                row = self.rows[parked.row_at]
                parked.caller.owed = give_back.call_for(self, row, parked.call, status) if row.gives_back else None
                self._deliver(parked, Outcome(row, parked.row_at, status))
            self.feed(h, now)
            hits.extend(self.interest.take_hits(None))

    def _repeat(self, parked: Parked, call: Call, now: int) -> int:
        """Carry out a parked call again, or that of one of its keys; return its status."""
        self.put(call)
        self.numbers[layout.REPEATED] = 1
        try:
            by, sizes = parked.caller, (len(call.tape), len(call.blob))
            return self._perform(by, by.refuses, parked.row_at, layout.CALL, *sizes, now)
        finally:
            self.numbers[layout.REPEATED] = 0

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
        self.unfinished_feeds.add(h)

    def end_waits(self, now: int) -> None:
        """Answer the parked calls whose timeout has ended."""
        while self._waiting and (self._waiting[0][0] <= now or self._waiting[0][2].over):
            parked = heapq.heappop(self._waiting)[2]
            if not parked.over:
                self.interest.unpark(parked)
                self._end_wait(parked, None)

    @property
    def next_wait(self) -> int:
        """The time (ms) of the next timeout of a parked call or timer of a queue or room; 0 if feeds have more now.

        During a pause of writes, and while families are coming, no timer runs.
        """
        if self.unfinished_feeds:
            return 0
        due = timers.NEVER if self.diagnostics.may_hold else int(self.numbers[layout.TIMERS_DUE])
        return min(self._waiting[0][0], due) if self._waiting else due

    def attend(self, feed: Feed) -> None:
        """Register a feed for changes of its queue or room."""
        at = layout.CALL_BLOB * layout.WORD
        self.bytes[at : at + len(feed.name)] = feed.name
        feed.hash = key_info.hash_of(self.words, self.octets, feed.space, at, len(feed.name))
        self.interest.attend(feed)

    def close(self, session: Session) -> None:
        """Release everything that the session holds, and remove the session."""
        self.stop_waiting(session)
        self.transactions.end(session)
        self.monitors.remove(session)
        self.tracking.stop(session)
        self.diagnostics.mute(session, 0)
        if session.listener is not None:
            self.pubsub.leave(session.listener)
        self.sessions.remove(session)
