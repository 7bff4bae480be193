"""Base of the RESP machine: EXEC outside the lane, client pauses, muted replies, the slow log.

`resp.RespMachine` derives from `Aside`. Reads are timed as a whole, from outside the lane. If a read took longer
than slowlog-log-slower-than and held a single command, that command is recorded. If the read held several, the
first is recorded with the number of the others, since the time of each is unknown.
"""

import logging
from collections.abc import Callable
from typing import Any

from synap.call import MUTE_ALL, MUTE_NEXT, MUTE_NONE, MUTE_THIS
from synap.command import Command
from synap.derive.outcomes import refused
from synap.faults import BrokenNode, Fault, SynapError
from synap.proto.large_reply import Spill
from synap.store.lane import lane, resp, transactions
from synap.store.lane.lane import lane as run_lane
from synap.store.memory import codes, layout
from synap.store.memory.layout import LANE_AT, LANE_OUT, STATUS_MASK, WORD

log = logging.getLogger("synap")

OUT_AT = layout.OUT * WORD
PROTOCOL_ERRORS = {
    resp.BAD_COUNT_LINE: "invalid multibulk length",
    resp.BAD_SIZE_LINE: "invalid bulk length",
    resp.NOT_A_BULK: "expected '$'",
    resp.TOO_LONG: "too big inline request",
}


class Aside:
    """The parts of a RESP machine beside its slow path. `held`: a pause holds back the next command."""

    engine: Any
    session: Any
    output: list[bytes | Spill]
    closing: bool
    held = False
    _numbers: Any
    _operation: Any
    _session_at: int
    _wake: Callable[[], None]
    _say: Callable[..., None]
    _refused: Callable[[Command, Fault, int], int]
    _answer: Callable[[int, int], None]

    # Running the lane.

    def _lane(self, at: int, end: int, now: int) -> int:
        """Run the lane from `at`; return the reason why the lane stopped."""
        engine, operation = self.engine, self._operation
        self._numbers[LANE_OUT] = OUT_AT
        if operation.odd:
            return self._lane_twice(at, end, now)
        if self.session.narrow:
            return self._none_alone(at, end)
        begun = operation.ticks()
        reason = int(run_lane(engine.words, engine.octets, self._session_at, at, end, now, lane.BUDGET))
        took = operation.ticks() - begun
        if took >= operation.slow_ns >= 0:
            self.note_slow(at, self._numbers[LANE_AT], took, now)
        return reason

    def _lane_twice(self, at: int, end: int, now: int) -> int:
        """Run the lane from `at` during a pause, or while a session is muted; return why the lane stopped."""
        engine, numbers, session = self.engine, self._numbers, self.session
        if self._operation.pause_until:
            end = self._held_from(at, end)
            if end == at:
                self._hold()
                numbers[LANE_AT] = at
                return lane.CUT
        if session.narrow:
            return self._none_alone(at, end)
        budget = 1 if session.mute == MUTE_THIS else lane.BUDGET
        reason = int(run_lane(engine.words, engine.octets, self._session_at, at, end, now, budget))
        if session.mute:
            numbers[LANE_OUT] = OUT_AT
            if session.mute == MUTE_THIS and numbers[layout.LANE_CALLS] > 0:
                self._operation.mute(session, MUTE_NONE)
                return lane.OUT_FULL if reason == lane.MORE else reason
        if reason == lane.CUT and numbers[LANE_AT] == end:
            return lane.OUT_FULL  # examine held or incomplete commands again
        return reason

    def _none_alone(self, at: int, end: int) -> int:
        """Skip the lane, so that the slow path takes each command; return the reason for the caller."""
        self._numbers[LANE_AT] = at
        return lane.CUT if at == end else lane.HANDLER

    def _held_from(self, at: int, end: int) -> int:
        """Return the octet of the first command that a pause holds back, or `end`."""
        engine, numbers = self.engine, self._numbers
        if self._operation.pause_all:
            return at
        in_multi = self.session.in_multi
        while at < end:
            row_at = lane.parse(engine.words, engine.octets, at, end)
            after = numbers[LANE_AT]
            if after <= 0:
                return at if after == resp.INLINE else end
            row = engine.rows.get(row_at)
            if row is not None:
                if row.code == codes.TRANSACTION_MULTI:
                    in_multi = True
                elif row.code in (codes.TRANSACTION_EXEC, codes.TRANSACTION_DISCARD):
                    if row.code == codes.TRANSACTION_EXEC:
                        return at
                    in_multi = False
                elif row.writes and not in_multi:
                    return at
            at = after
        return end

    def _hold(self) -> None:
        if not self.held:
            self.held = True
            self._operation.held.append(self._released)

    def _released(self) -> None:
        self.held = False
        self._wake()

    @property
    def muted(self) -> bool:
        """True if replies are not sent now. Pushes (confirmations of subscriptions, messages) still are."""
        return self.session.mute in (MUTE_ALL, MUTE_THIS)

    def _protocol_error(self, text: str) -> None:
        """Answer input that is no RESP with an error, and close."""
        if not self.muted:
            self.output.append(b"-ERR Protocol error: %b\r\n" % text.encode())
        self.closing = True

    def _command_over(self) -> None:
        """Advance CLIENT REPLY SKIP after a command of the slow path: SKIP mutes only the next command."""
        session = self.session
        if session.mute == MUTE_NEXT:
            session.mute = MUTE_THIS
        elif session.mute == MUTE_THIS:
            self._operation.mute(session, MUTE_NONE)

    # Slow calls.

    def note_slow(self, at: int, after: int, took: int, now: int) -> None:
        """Record the commands from `at` to `after`, which took `took` ns, in the slow log."""
        engine, numbers = self.engine, self._numbers
        if after <= at or engine.bytes[at] != resp.STAR:
            return
        kept = numbers[LANE_AT], numbers[layout.LANE_CALLS]
        words: list[bytes] = []
        more = 0
        place = at
        while 0 < place < after:
            lane.parse(engine.words, engine.octets, place, after)
            place = numbers[LANE_AT]
            if words:
                more += 1
                continue
            for i in range(numbers[layout.LANE_CALLS] if place > 0 else 0):
                start, size = numbers[layout.WORDS + 2 * i], numbers[layout.WORDS + 2 * i + 1]
                words.append(bytes(engine.bytes[start : start + size]))
        numbers[LANE_AT], numbers[layout.LANE_CALLS] = kept
        if more:
            words = [*words[:8], b"... (with %d more commands in one read)" % more]
        link = self.session.link
        address = link.peer if link is not None else b""
        self._operation.note_slow(words, took, now, address, self.session.name)

    # Transactions that the lane cannot carry out alone.

    def _execute(self, now: int) -> None:
        session, engine = self.session, self.engine
        if not session.in_multi:
            self._say(Fault("EXEC_WITHOUT_MULTI"))
        elif session.multi_broken:
            engine.end_multi(session)
            self._say(Fault("EXEC_ABORTED"))
        elif not engine.watch_holds(session, now):
            engine.end_multi(session)
            if not self.muted:
                self.output.append(b"_\r\n" if session.version == 3 else b"*-1\r\n")
        else:
            engine.unwatch(session)
            count = engine.numbers[session.at + layout.SESSION_QUEUED]
            if not self.muted:
                self.output.append(b"*%d\r\n" % count)
            engine.numbers[layout.IN_GROUP] = 1
            self._queued(engine.numbers[session.at + layout.SESSION_QUEUE], count, now)

    def _fault_at(self, row: Command, refusal: int, at: int, size: int) -> Fault:
        """Return the Fault of a grammar refusal; its text may name the word of `size` bytes at octet `at`."""
        word = bytes(self.engine.bytes[at : at + size]).decode("utf-8", "surrogateescape")
        command, _, given = row.resp.partition("|")
        return Fault(refused(refusal).name, word=word, command=command, given=given)

    def _misspelled(self, row_at: int, refusal: int, count: int, after: int) -> int:
        """Refuse words that do not fit the row's grammar; within MULTI, queue the refusal for EXEC."""
        engine, numbers = self.engine, self._numbers
        row = engine.rows[row_at]
        at = layout.WORDS + 2 * min(numbers[layout.CURSOR_TOP], count - 1)
        start, size = numbers[at], numbers[at + 1]
        if self.session.in_multi and not row.control:
            numbers[layout.TAPE - 1] = start
            if transactions.enqueue_call(engine.words, engine.octets, self.session.at, row_at, -refusal, size):
                self._say("QUEUED")
                return after
            return self._refused(row, Fault("OUT_OF_MEMORY"), after)
        return self._refused(row, self._fault_at(row, refusal, start, size), after)

    def _finish_exec(self, now: int) -> None:
        """Finish an EXEC that the lane began and whose replies outgrew the out region."""
        numbers, at = self.engine.numbers, self.session.at
        done = numbers[at + layout.SESSION_WATCHED + 1]
        entry = numbers[at + layout.SESSION_WATCHED + 2]
        self._queued(entry, numbers[at + layout.SESSION_QUEUED] - done, now)
        self._command_over()

    def _queued(self, entry: int, count: int, now: int) -> None:
        """Carry out `count` queued calls from `entry` on; a call that raises is answered with an error.

        Only SynapError stops early. If the node broke, none of the group's frames are in the log.
        """
        engine, session = self.engine, self.session
        replies: list[bytes | Spill] = []
        held, self.output = self.output, replies
        try:
            for _ in range(count):
                row = engine.rows[engine.numbers[entry]]
                try:
                    self._queued_call(row, entry, now)
                except BrokenNode:
                    engine.drop_group()
                    raise
                except SynapError:  # the log has failed
                    raise
                except Exception as error:
                    log.exception("a call of a transaction failed: %s", row.name)
                    self._say(Fault("INTERNAL_ERROR", what=f"{type(error).__name__}: {error}"), row)
                engine.free_limbo()
                entry += engine.numbers[entry + 1]
        finally:
            engine.numbers[layout.IN_GROUP] = 0
            engine.end_multi(session)
            self.output = held
            self.output.extend(replies)
        self.closing = self.closing or session.closing

    def _queued_call(self, row: Command, entry: int, now: int) -> None:
        engine, numbers = self.engine, self.engine.numbers
        row_at, head = numbers[entry], entry + transactions.QUEUE_HEAD
        numbers[head - 2] = self.session.namespace  # a SELECT in the transaction may have changed it
        if numbers[entry + 2] < 0:
            self._say(self._fault_at(row, -numbers[entry + 2], head * layout.WORD, numbers[entry + 4]), row)
        elif row.handler:
            self._say(engine.handle_packed(row, self.session, head, now), row)
        else:
            status = engine.perform_queued(entry, row_at, now)
            self._answer(row_at, layout.NIL if status & STATUS_MASK == layout.WAIT else status)


def resp_fault(engine: Any, at: int, end: int) -> str:
    """Return the error text for bytes at `at` that are no RESP."""
    lane.parse(engine.words, engine.octets, at, end)
    what = engine.numbers[layout.LANE_AT]
    if what == resp.NOT_A_BULK:
        return f"expected '$', got '{instead(bytes(engine.bytes[at:end]))}'"
    return PROTOCOL_ERRORS.get(what, "invalid request")


def instead(data: bytes) -> str:
    """Return the first character that stands in the place of a word's `$`."""
    at = data.index(b"\n") + 1
    while data[at : at + 1] == b"$":
        line = data.index(b"\n", at)
        at = line + 1 + int(data[at + 1 : line]) + 2
    return data[at : at + 1].decode("latin-1")

