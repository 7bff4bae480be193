"""A RESP connection without the socket: received bytes go into the heap, replies come out.

    buffer()            where to read the next bytes to (the shared receive region, or an extent)
    received(n, now)    n bytes were read: run the complete commands
    resume(now)         continue after a wait, a drained output, or MORE
    output              replies in order: bytes, or a LargeReply that is sent in pieces

The lane runs most commands. This file calls the lane, hands the other commands to the slow path (slow_path.py), and
keeps the order: while a call waits, a pause holds the client, or the output has not drained, no further command runs.
Input is *gathered* in an extent (extent.py) once an incomplete command holds more than GATHER_FROM bytes.

Reads are timed as a whole, from outside the lane. If a read took longer than slowlog-log-slower-than and held a single
command, that command is recorded. If the read held several, the first is recorded with the number of the others, since
the time of each is unknown.
"""

from collections.abc import Callable

from synap.call import MUTE_NEXT, MUTE_NONE, MUTE_THIS
from synap.command import Command
from synap.engine.engine import Engine
from synap.engine.outcomes import Outcome
from synap.engine.resp.extent import Extent
from synap.engine.resp.large_reply import LargeReply
from synap.engine.resp.replies import Replies
from synap.engine.resp.slow_path import SlowPath, protocol_fault
from synap.engine.resp.states import ENDED, MORE, READY, RUN, RunEvent
from synap.engine.sessions import Session
from synap.faults import BrokenNode, Fault
from synap.store.lane import lane, resp
from synap.store.lane.lane import CUT
from synap.store.lane.lane import lane as run_lane
from synap.store.memory import codes, layout
from synap.store.memory.layout import LANE_AT, LANE_OUT, OUT_AT, WORD

RECEIVE_AT = layout.RECEIVE * WORD
RECEIVE_SLICE = 64 * layout.KIB  # bytes per read: with many clients a turn stays short
GATHER_FROM = 16 * layout.KIB
HELD_LOOKS = 16  # commands that are looked at before they run, while some may be held back
OUTPUT_PAUSE = 1 * layout.MIB  # bytes of replies made in one run; the rest waits until these are sent


class RespMachine:
    """The protocol state of one connection. `wake` is called when a wait has ended: call `resume` then.

    `state` says whether the next command may run, see states.py.
    """

    def __init__(self, engine: Engine, session: Session, wake: Callable[[], None], query_bytes_max: int) -> None:
        self.engine = engine
        self.session = session
        self.replies = Replies(engine, session)
        self.state = READY
        self._wake = wake
        self._numbers = engine.numbers
        self._diagnostics = engine.diagnostics
        self._session_at = session.at
        self._tail = b""
        self._extent = Extent(engine, query_bytes_max)
        self._slow_path = SlowPath(engine, session, self.replies, self._run, self._parked, self._delivered)

    def limit_query(self, size: int) -> None:
        """Refuse larger commands than this from now on, in bytes."""
        self._extent.bytes_max = size

    # The state that the transport reads.

    @property
    def output(self) -> list[bytes | LargeReply]:
        """The replies that are not sent yet; the transport takes them out."""
        return self.replies.pieces

    @property
    def closing(self) -> bool:
        """True if the connection ends behind the output."""
        return self.replies.closing

    @property
    def paused(self) -> bool:
        """True if no command may run: by the state, or because a LargeReply is not sent yet."""
        output = self.replies.pieces
        unsent = bool(output and isinstance(output[-1], LargeReply))
        return unsent or (self.state is not READY and self.state is not MORE)

    @property
    def more(self) -> bool:
        """True if input is left to run: call `resume` once the other sockets had their turn."""
        return self.state is MORE

    @property
    def kernel_may_serve(self) -> bool:
        """True if nothing is unfinished or held back, so a round may run the next commands."""
        session = self.session
        return self.state is READY and not (
            self._tail or self._extent.at or self.replies.pieces or self.replies.closing or session.mute
            or session.closing or session.resp2_subscriber or session.rate or session.noted
        )  # fmt: skip

    @property
    def held_bytes(self) -> int:
        """The bytes of unfinished input."""
        return self._extent.used if self._extent.at else len(self._tail)

    # Public methods for receiving data.

    def buffer(self) -> memoryview:
        """Return the memory for the next read."""
        if self._extent.at:
            return self._extent.buffer()
        octets = self.engine.bytes
        start = RECEIVE_AT + len(self._tail)
        if self._tail:
            octets[RECEIVE_AT:start] = self._tail
        return octets[start : start + RECEIVE_SLICE]

    def received(self, count: int, now: int) -> bytes | None:
        """Run the commands in the `count` bytes read into `buffer`. Return the replies if the lane ran everything
        and no bytes are left over, else None: see `output`, `more` and `closing`."""
        if self._extent.at:
            self._extent.used += count
            self._gathered(now)
            return None
        return self.arrived(RECEIVE_AT, RECEIVE_AT + len(self._tail) + count, now)

    def arrived(self, at: int, end: int, now: int) -> bytes | None:
        """Run the commands from `at` to `end` in the receive region; return what `received` returns."""
        if self.replies.pieces or (self.state is not READY and self.state is not MORE):
            self._keep(at, end)
            return None
        if self.state is MORE:
            self._move(RunEvent.GO_ON)
        engine, numbers = self.engine, self._numbers
        reason = self._lane(at, end, now)
        if reason == CUT and numbers[LANE_AT] == end:
            self._tail = b""
            return bytes(engine.bytes[OUT_AT : numbers[LANE_OUT]])
        self._keep(self._go_on(reason, end, now), end)
        return None

    def stopped(self, reason: int, made: bytes, end: int, now: int) -> None:
        """Continue from LANE_AT, where a round stopped the lane for `reason` after the replies `made`."""
        if made:
            self.replies.pieces.append(made)
        self._numbers[LANE_OUT] = OUT_AT
        self._keep(self._go_on(reason, end, now), end)

    def resume(self, now: int) -> None:
        """Run the input that was left when the machine paused. The client has not been idle while it had to wait."""
        if self.paused or self.closing:
            return
        self.session.note_seen(now)
        if self.state is MORE:
            self._move(RunEvent.GO_ON)
        if self._extent.at:
            self._gathered(now)
        elif self._tail:
            end = RECEIVE_AT + len(self._tail)
            self.engine.bytes[RECEIVE_AT:end] = self._tail
            self._keep(self._run(RECEIVE_AT, end, now), end)

    def give_up(self) -> None:
        """Drop the input that has not run, and end the wait of a call without an answer: nothing runs any more."""
        self._move(RunEvent.END)
        self.engine.stop_waiting(self.session)
        self._diagnostics.forget(self._released)
        self._extent.free()
        self._tail = b""

    def close(self) -> None:
        """Release everything of a closed connection."""
        self.give_up()
        self.replies.close()
        self.engine.close(self.session)

    # Input that has not run.

    def _keep(self, at: int, end: int) -> None:
        """Keep the bytes from `at` to `end`, an incomplete command or commands that may not run yet."""
        self._tail = b""
        if self.closing or self.state is ENDED:
            return
        if end - at <= GATHER_FROM:
            self._tail = bytes(self.engine.bytes[at:end])
            return
        try:
            self._extent.begin(at, end)
        except Fault as fault:
            self._refuse_input(fault)

    def _gathered(self, now: int) -> None:
        """Run the extent if it holds a complete command; enlarge the extent if it is full."""
        if self.state is MORE:
            self._move(RunEvent.GO_ON)
        extent = self._extent
        if extent.whole() and not self.paused:
            used = extent.used
            start = extent.lend()
            try:
                at = self._run(start, start + used, now)
            except BaseException:
                self.engine.memory.release(start)
                raise
            if not self.closing and at == start:  # nothing ran: a call waits, or the out region was full
                extent.take_back(start)
            else:
                self._keep(at, start + used)
                self.engine.memory.release(start)
        try:
            extent.grow()
        except Fault as fault:
            self._refuse_input(fault)

    def _refuse_input(self, fault: Fault) -> None:
        """Refuse a command too large to receive, and close: its rest cannot be told from a new command."""
        self._extent.free()
        self.replies.say(fault)
        self.replies.closing = True

    # Running.

    def _run(self, at: int, end: int, now: int) -> int:
        """Run commands from `at`; return the octet of the first that did not run."""
        if at == end:
            return at
        return self._go_on(self._lane(at, end, now), end, now)

    def _go_on(self, reason: int, end: int, now: int) -> int:
        """Handle the reason why the lane stopped, and run the lane again until no input is left."""
        engine, numbers = self.engine, self._numbers
        produced = 0
        while True:
            at = numbers[LANE_AT]
            out = numbers[LANE_OUT]
            if out > OUT_AT:
                self.replies.pieces.append(bytes(engine.bytes[OUT_AT:out]))
                produced += out - OUT_AT
            if reason == CUT:
                return at
            if reason == lane.HITS:
                engine.serve(now, self.session)
            elif reason == lane.FLUSH:
                engine.journal_flush()
            elif reason == lane.MORE:
                self._move(RunEvent.USE_UP)
                return at
            elif reason == lane.BAD:
                if numbers[layout.LANE_CALLS] < 0:
                    raise BrokenNode(f"code {-numbers[layout.LANE_CALLS]:#06x}: the kernel failed")
                self.replies.protocol_error(protocol_fault(engine, at, end))
                return end
            elif reason == lane.LARGE and numbers[layout.IN_GROUP]:
                self.session.count_call(now)
                self._slow_path.finish_exec(now)
                self._command_over()
            elif reason == lane.UNSPELLED:
                row_at = self.session.row_at
                self.replies.add(engine.scripts.outcome(engine.rows[row_at], row_at))
                engine.settle(now, self.session)
            elif reason != lane.OUT_FULL:
                before, at = at, self._run_slowly(at, end, now)
                if at == before and reason == lane.HANDLER:  # an incomplete line
                    return at
            if at == end or self.paused or self.closing:
                return at
            if produced > OUTPUT_PAUSE:  # send these replies before making more
                self._move(RunEvent.USE_UP)
                return at
            reason = self._lane(at, end, now)

    def _run_slowly(self, at: int, end: int, now: int) -> int:
        """Run one command in the slow path, timed; return the octet behind it, or `at` if it cannot run yet."""
        whole = self.engine.bytes[at] == resp.STAR  # an inline command calls `_run`, which does these steps
        begun = self._diagnostics.ticks()
        after = self._slow_path.run(at, end, now)
        took = self._diagnostics.ticks() - begun
        if whole and took >= self._diagnostics.slow_ns >= 0:
            self.note_slow(at, after, took, now)
        if whole and after != at and self.session.parked is None:
            self._command_over()
        return after

    def _parked(self) -> None:
        """Let the commands behind a call that waits wait, too."""
        self._move(RunEvent.PARK)

    def _delivered(self, outcome: Outcome) -> None:
        """Answer a call that waited."""
        self._move(RunEvent.ANSWER)
        self.session.parked = None
        self.replies.add(outcome)
        self._command_over()
        self._wake()

    def _command_over(self) -> None:
        """Advance CLIENT REPLY SKIP after a command of the slow path: SKIP mutes only the next command."""
        session = self.session
        if session.mute == MUTE_NEXT:
            session.mute = MUTE_THIS
        elif session.mute == MUTE_THIS:
            self._diagnostics.mute(session, MUTE_NONE)

    # Running the lane.

    def _lane(self, at: int, end: int, now: int) -> int:
        """Run the lane from `at`; return the reason why the lane stopped."""
        engine, diagnostics = self.engine, self._diagnostics
        self._numbers[LANE_OUT] = OUT_AT
        if diagnostics.slow_path_needed or self.session.rate is not None:
            return self._lane_with_limits(at, end, now)
        if self.session.resp2_subscriber or self.session.noted:
            return self._without_lane(at, end)
        begun = diagnostics.ticks()
        reason = int(run_lane(engine.words, engine.octets, self._session_at, at, end, now, lane.BUDGET))
        took = diagnostics.ticks() - begun
        if took >= diagnostics.slow_ns >= 0:
            self.note_slow(at, self._numbers[LANE_AT], took, now)
        return reason

    def _lane_with_limits(self, at: int, end: int, now: int) -> int:
        """Run the lane from `at` while calls may be held back, while a session is muted, or for a caller whose calls
        are limited; return why the lane stopped."""
        engine, numbers, session = self.engine, self._numbers, self.session
        if self._diagnostics.may_hold:
            end = self._held_from(at, end)
            if end == at:
                self._hold()
                numbers[LANE_AT] = at
                return lane.CUT
        if session.resp2_subscriber or session.noted or engine.monitors.sessions:
            return self._without_lane(at, end)
        one = session.mute == MUTE_THIS or session.rate is not None
        budget = 1 if one else lane.BUDGET
        numbers[self._session_at + layout.SESSION_REFUSE] = session.refuses_at(now)
        reason = int(run_lane(engine.words, engine.octets, self._session_at, at, end, now, budget))
        numbers[self._session_at + layout.SESSION_REFUSE] = session.refuses
        done = numbers[layout.LANE_CALLS] > 0
        if session.rate is not None and done:
            session.rate.spend()
        if session.mute:
            numbers[LANE_OUT] = OUT_AT
            if session.mute == MUTE_THIS and done:
                self._diagnostics.mute(session, MUTE_NONE)
        if reason == lane.MORE and one:
            return lane.OUT_FULL  # run the next command
        if reason == lane.CUT and numbers[LANE_AT] == end:
            return lane.OUT_FULL  # examine held or incomplete commands again
        return reason

    def _without_lane(self, at: int, end: int) -> int:
        """Skip the lane, so that the slow path takes each command; return the reason for the caller."""
        self._numbers[LANE_AT] = at
        return lane.CUT if at == end else lane.HANDLER

    def _held_from(self, at: int, end: int) -> int:
        """Return the octet of the first command that is held back, or `end`, or where HELD_LOOKS commands end."""
        engine, numbers = self.engine, self._numbers
        if self._diagnostics.pauses(False):
            return at
        for _ in range(HELD_LOOKS):  # the lane may stop at each command, and then this is asked again
            if at >= end:
                return end
            row_at = lane.parse(engine.words, engine.octets, at, end)
            after = numbers[LANE_AT]
            if after <= 0:  # the lane stops here, too; an inline command comes here again as RESP
                return end
            row = engine.rows.get(row_at)
            if row is not None and self._holds(row):
                return at
            at = after
        return at

    def _holds(self, row: Command) -> bool:
        """Return whether a command is held back; EXEC if one of the queued calls would be held back.

        A call of MULTI is held back before it is queued, so those queued before the pause are all that count.
        """
        if row.code == codes.TRANSACTION_EXEC:
            return any(self._diagnostics.holds(each) for each in self.engine.transactions.queued(self.session))
        return self._diagnostics.holds(row)

    def _hold(self) -> None:
        self._move(RunEvent.HOLD)
        self._diagnostics.on_unpause(self._released)

    def _released(self) -> None:
        self._move(RunEvent.RELEASE)
        self._wake()

    def _move(self, event: RunEvent) -> None:
        self.state = RUN.after(self.state, event)

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
        self._diagnostics.note_slow(words, took, now, address, self.session.name)
