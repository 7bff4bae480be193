"""A RESP connection without the socket: received bytes go into the heap, replies come out.

    buffer()            where to read the next bytes to (the shared receive region, or an extent)
    received(n, now)    n bytes were read: run the complete commands
    resume(now)         continue after a wait, a drained output, or MORE
    output              replies in order: bytes, or a Spill that is sent in pieces

The lane runs most commands; this file is the *slow path* around it. The slow path runs the commands that
the lane hands over, in the same steps (`lane.parse`, `fill_tape`, `perform`, `encode`), gathers input
too large for the shared region into an extent, and keeps the order: while a call waits, or the output
has not drained, the connection runs no further command.

Input is *gathered* once an incomplete command holds more than GATHER_FROM bytes: the extent doubles as
bytes arrive, and `resp.skim` only steps over complete words, so a command costs the same however the
reads cut it.
"""

from collections.abc import Callable
from typing import Any

from synap.call import Pushes
from synap.command import Command
from synap.faults import BrokenNode, Fault
from synap.proto.aside import OUT_AT, PROTOCOL_ERRORS, Aside, resp_fault
from synap.proto.large_reply import Spill, reply_bytes
from synap.proto.values import Quotes, encode, split_line
from synap.store.lane import lane, resp, transactions
from synap.store.lane.lane import CUT
from synap.store.memory import codes, layout
from synap.store.memory.layout import LANE_AT, LANE_OUT, STATUS_MASK, WORD
from synap.traits import NOT_IN_MULTI, WHILE_SUBSCRIBED

RECEIVE_AT = layout.RECEIVE * WORD
RECEIVE_SLICE = 64 * layout.KIB  # bytes per read: with many clients a turn stays short
GATHER_FROM = 16 * layout.KIB
GATHER_FIRST = 128 * layout.KIB
LINE_BYTES_MAX = 64 * layout.KIB
SPILL_SLACK = 4096
OUTPUT_PAUSE = 1 * layout.MIB  # bytes of replies made in one run; the rest waits until these are sent
WRONG_WORDS = (b"post", b"host:")  # first words of HTTP: a browser was directed to this port


class RespMachine(Aside):
    """The protocol state of one connection. `wake` is called when a wait has ended: call `resume` then."""

    def __init__(self, engine: Any, session: Any, wake: Callable[[], None], query_bytes_max: int) -> None:
        self.engine = engine
        self.session = session
        self.output: list[bytes | Spill] = []
        self.closing = False
        self.more = False
        self._wake = wake
        self._numbers = engine.numbers
        self._operation = engine.operation
        self._session_at = session.at
        self._query_bytes_max = query_bytes_max
        self._tail = b""
        self._gather = 0  # first octet of the extent, 0 without an extent
        self._room = self._used = self._skimmed = 0
        self._left = resp.UNCOUNTED

    # Public methods for receiving data.

    def buffer(self) -> memoryview:
        """Return the memory for the next read."""
        octets = self.engine.bytes
        if self._gather:
            return octets[self._gather + self._used : self._gather + self._room]
        start = RECEIVE_AT + len(self._tail)
        if self._tail:
            octets[RECEIVE_AT:start] = self._tail
        return octets[start : start + RECEIVE_SLICE]

    def received(self, count: int, now: int) -> bytes | None:
        """Run the commands in the `count` bytes read into `buffer`. Return the replies if the lane ran everything
        and no bytes are left over, else None: see `output`, `more` and `closing`."""
        if self._gather:
            self._used += count
            self._gathered(now)
            return None
        return self.arrived(RECEIVE_AT, RECEIVE_AT + len(self._tail) + count, now)

    def arrived(self, at: int, end: int, now: int) -> bytes | None:
        """Run the commands from `at` to `end` in the receive region; return what `received` returns."""
        if self.output or self.session.parked is not None:
            self._keep(at, end)
            return None
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
            self.output.append(made)
        self._numbers[LANE_OUT] = OUT_AT
        self._keep(self._go_on(reason, end, now), end)

    def resume(self, now: int) -> None:
        """Run the input that was left when the machine paused."""
        if self.paused or self.closing:
            return
        self.more = False
        if self._gather:
            self._gathered(now)
        elif self._tail:
            end = RECEIVE_AT + len(self._tail)
            self.engine.bytes[RECEIVE_AT:end] = self._tail
            self._keep(self._run(RECEIVE_AT, end, now), end)

    @property
    def paused(self) -> bool:
        """True if no command may run: a call waits, a pause holds the client, or a Spill is not sent yet."""
        return self.held or self.session.parked is not None or bool(self.output and isinstance(self.output[-1], Spill))

    @property
    def plain(self) -> bool:
        """True if nothing is unfinished or held back, so a round may run the next commands."""
        session = self.session
        return not (
            self._tail or self._gather or self.output or self.more or self.closing or self.held
            or session.parked is not None or session.mute or session.closing or session.narrow
        )  # fmt: skip

    @property
    def held_bytes(self) -> int:
        """The bytes of unfinished input."""
        return self._used if self._gather else len(self._tail)

    def forget_input(self) -> None:
        """Drop the input that has not run."""
        self._free_gather()
        self._tail = b""
        self.more = False

    def close(self) -> None:
        """Release everything of a closed connection."""
        self._free_gather()
        for piece in self.output:
            if isinstance(piece, Spill):
                piece.close()
        self.output.clear()
        self.engine.close(self.session)

    # Gathering.

    def _keep(self, at: int, end: int) -> None:
        """Keep the bytes from `at` to `end`, an incomplete command or commands that may not run yet."""
        if self.closing:
            self._tail = b""
        elif end - at > GATHER_FROM:
            self._begin_gather(at, end)
        else:
            self._tail = bytes(self.engine.bytes[at:end])

    def _begin_gather(self, at: int, end: int) -> None:
        size = end - at
        self._tail = b""
        room = max(GATHER_FIRST, 2 * size)
        try:
            target = self.engine.take(room)
        except MemoryError:
            self._refuse_input("OUT_OF_MEMORY")
            return
        self.engine.bytes[target : target + size] = self.engine.bytes[at:end]
        self._gather, self._room, self._used = target, room, size
        self._skimmed, self._left = target, resp.UNCOUNTED
        self._skim()

    def _skim(self) -> bool:
        """Step over complete words; return True if a command is complete or malformed."""
        if self.engine.bytes[self._gather] != resp.STAR:
            return True
        end = self._gather + self._used
        found = resp.skim(self.engine.words, self.engine.octets, self._skimmed, self._left, end)
        if found < 0:
            return True
        self._left, self._skimmed = found >> 40, found & ((1 << 40) - 1)
        return self._left == 0

    def _gathered(self, now: int) -> None:
        """Run the extent if it holds a complete command; enlarge the extent if it is full."""
        if self._skim() and not self.paused:
            start, end = self._gather, self._gather + self._used
            room = self._room
            self._gather = 0
            try:
                at = self._run(start, end, now)
            except BaseException:
                self.engine.give(start)
                raise
            if self.closing:
                self.engine.give(start)
            elif at == start:  # nothing ran: a call waits, or the out region was full
                self._gather, self._room, self._used = start, room, end - start
                self._skimmed, self._left = start, resp.UNCOUNTED
            else:
                self._keep(at, end)
                self.engine.give(start)
        if self._gather and self._used == self._room:
            self._grow()

    def _grow(self) -> None:
        if self._used >= self._query_bytes_max:
            self._refuse_input("QUERY_TOO_LARGE")
            return
        room = min(self._room * 2, self._query_bytes_max + GATHER_FIRST)
        try:
            target = self.engine.take(room)
        except MemoryError:
            self._refuse_input("OUT_OF_MEMORY")
            return
        octets = self.engine.bytes
        octets[target : target + self._used] = octets[self._gather : self._gather + self._used]
        self.engine.give(self._gather)
        self._skimmed += target - self._gather
        self._gather, self._room = target, room

    def _free_gather(self) -> None:
        if self._gather:
            self.engine.give(self._gather)
            self._gather = 0

    def _refuse_input(self, name: str) -> None:
        """Refuse a command too large to receive, and close: its rest cannot be told from a new command."""
        self._free_gather()
        self._say(Fault(name))
        self.closing = True

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
                self.output.append(bytes(engine.bytes[OUT_AT:out]))
                produced += out - OUT_AT
            if reason == CUT:
                return at
            if reason == lane.HITS:
                engine.serve(now)
            elif reason == lane.FLUSH:
                engine.journal_flush()
            elif reason == lane.MORE:
                self.more = True
                return at
            elif reason == lane.BAD:
                if numbers[layout.LANE_CALLS] < 0:
                    raise BrokenNode(f"code {-numbers[layout.LANE_CALLS]:#06x}: the kernel failed")
                self._protocol_error(resp_fault(engine, at, end))
                return end
            elif reason != lane.OUT_FULL:
                before = at
                whole = engine.bytes[at] == resp.STAR  # an inline command calls `_run`, which does these steps
                begun = self._operation.ticks()
                at = self._slow(reason, at, end, now)
                took = self._operation.ticks() - begun
                if whole and took >= self._operation.slow_ns >= 0:
                    self.note_slow(before, at, took, now)
                if whole and at != before and self.session.parked is None:
                    self._command_over()
                if at == before and reason == lane.HANDLER:  # an incomplete line
                    return at
            if at == end or self.paused or self.closing:
                return at
            if produced > OUTPUT_PAUSE:  # send these replies before making more
                self.more = True
                return at
            reason = self._lane(at, end, now)

    def _slow(self, reason: int, at: int, end: int, now: int) -> int:
        """Run one command that the lane handed over; return the octet behind it, or `at` if it cannot run yet."""
        engine = self.engine
        if reason == lane.LARGE and engine.numbers[layout.IN_GROUP]:
            self._finish_exec(now)
            engine.settle(now)
            return at
        if engine.bytes[at] != resp.STAR:
            return self._inline(at, end, now)
        row_at = lane.parse(engine.words, engine.octets, at, end)
        after, count = engine.numbers[layout.LANE_AT], engine.numbers[layout.LANE_CALLS]
        if after <= 0:
            return at if after == resp.INCOMPLETE else self._bad(after, end)
        row = engine.rows.get(row_at)
        if row is None:
            self._unknown(count)
            return after
        most = engine.numbers[row_at + layout.ROW_WORDS_MAX]
        if count - 1 < engine.numbers[row_at + layout.ROW_WORDS_MIN] or count - 1 > most:
            return self._refused(row, Fault("WRONG_ARITY"), after)
        if self.session.narrow and not row.traits & WHILE_SUBSCRIBED:
            return self._refused(row, Fault("SUBSCRIBED", name=row.resp.lower()), after)
        if self.session.in_multi and row.traits & NOT_IN_MULTI:
            return self._refused(row, Fault("NOT_IN_MULTI"), after)
        refusal = lane.fill_tape(engine.words, engine.octets, row_at, count)
        numbers = engine.numbers
        if refusal:
            return self._misspelled(row_at, refusal, count, after)
        tape_size = numbers[layout.CURSOR_TOP]
        numbers[layout.TAPE - 2] = self.session.namespace
        blob_size = after - 2 - numbers[layout.TAPE - 1] if count > 1 else 0
        if self.session.in_multi and not row.control:
            if transactions.enqueue_call(engine.words, engine.octets, self.session.at, row_at, tape_size, blob_size):
                self._say("QUEUED")
            else:
                return self._refused(row, Fault("OUT_OF_MEMORY"), after)
        else:
            self._carry_out(row, row_at, tape_size, blob_size, now)
        engine.settle(now)
        if self.session.listener is not None and engine.pubsub.waiting:
            engine.pubsub.spread()  # a message to the session itself precedes the next reply
        return after

    def _carry_out(self, row: Command, row_at: int, tape_size: int, blob_size: int, now: int) -> None:
        """Carry out the call in TAPE. If it raises, the calls that wait for its changes are served all the same."""
        engine = self.engine
        try:
            if row.code == codes.TRANSACTION_EXEC:
                self._execute(now)
            elif row.handler:
                self._say(engine.handle(row, self.session, layout.TAPE, now), row)
                self.closing = self.closing or self.session.closing
            else:
                self._perform(row_at, layout.TAPE, tape_size, blob_size, now)
        except BrokenNode:
            raise
        except Exception:
            engine.settle(now)
            raise

    def _perform(self, row_at: int, tape: int, tape_size: int, blob_size: int, now: int) -> None:
        """Carry out a call whose reply may have any size, and park it if it must wait."""
        engine = self.engine
        status = engine.perform(row_at, tape, tape_size, blob_size, now)
        if status & STATUS_MASK == layout.WAIT:
            self.session.parked = engine.park(row_at, tape, tape_size, blob_size, now, self._delivered)
            return
        self._answer(row_at, status)

    def _delivered(self, status: int | Fault | None) -> None:
        """Answer a call that waited, from REPLY; `status` is None after a timeout, a Fault if the wait was ended."""
        parked, self.session.parked = self.session.parked, None
        if isinstance(status, Fault):
            self._say(status)
        else:
            self._answer(parked.row_at, layout.NIL if status is None else status)
        self._command_over()
        self._wake()

    def _answer(self, row_at: int, status: int) -> None:
        """Encode the reply in REPLY and append it to `output`, as bytes or a Spill."""
        if self.muted:
            return
        engine = self.engine
        bound = SPILL_SLACK
        if status & STATUS_MASK in (layout.ITEM, layout.ITEMS):
            bound += reply_bytes(engine)
        if bound <= layout.OUT_BYTES:
            end = lane.encode(engine.words, engine.octets, OUT_AT, row_at, status, self.session.version)
            self.output.append(bytes(engine.bytes[OUT_AT:end]))
            return
        try:
            at = engine.take(bound)
        except MemoryError:  # the call has run, so its reply goes out even above the limit of memory
            at = engine.take_anyway(bound)
        end = lane.encode(engine.words, engine.octets, at, row_at, status, self.session.version)
        self.output.append(Spill(engine, at, end - at))

    def _say(self, value: Any, row: Command | None = None) -> None:
        if value is ...:  # a row without a reply
            return
        name = (row.resp or row.name).lower() if row else ""
        if isinstance(value, Fault):
            self._operation.note_error(value.resp_text(name))
        if not self.muted or isinstance(value, Pushes):
            self.output.append(encode(value, self.session.version, name))

    def _refused(self, row: Command, fault: Fault, after: int) -> int:
        self.session.break_multi()
        self._say(fault, row)
        return after

    def _unknown(self, count: int) -> None:
        numbers, octets = self.engine.numbers, self.engine.bytes
        words = []
        for i in range(min(count, 21)):
            start, size = numbers[layout.WORDS + 2 * i], numbers[layout.WORDS + 2 * i + 1]
            words.append(bytes(octets[start : start + min(size, 128)]).decode("utf-8", "surrogateescape"))
        self.session.break_multi()
        if words[0].lower().encode("utf-8", "surrogateescape") in WRONG_WORDS:
            self.closing = True
            return
        if words[0].upper() in self.engine.containers:
            if count == 1:
                self._say(Fault("WRONG_ARITY"), Command(words[0].lower(), 0, ""))
            else:
                self._say(Fault("UNKNOWN_SUBCOMMAND", name=words[1], command=words[0].upper()))
            return
        shown = " ".join(f"'{word}'" for word in words[1:])
        self._say(Fault("UNKNOWN_COMMAND", name=words[0], args=shown + " " if shown else ""))

    def _inline(self, at: int, end: int, now: int) -> int:
        """Run an inline command, a line of words; return the octet behind it, or `at` if it is incomplete."""
        octets = self.engine.bytes
        line, whole, _ = bytes(octets[at : min(end, at + LINE_BYTES_MAX)]).partition(b"\n")
        if not whole or b"\0" in line:  # as in Redis, no line end is found behind a zero byte
            if end - at >= LINE_BYTES_MAX:
                return self._bad(resp.TOO_LONG, end)
            return at
        after = at + len(line) + 1
        try:
            words = split_line(line.removesuffix(b"\r"))
        except Quotes:
            self._protocol_error("unbalanced quotes in request")
            return end
        if not words:
            return after
        if words[0].lower() in WRONG_WORDS:  # an HTTP request, probably from a browser
            self.closing = True
            return end
        call = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
        start = layout.CALL_BLOB * WORD
        octets[start : start + len(call)] = call
        self._run(start, start + len(call), now)
        return after

    def _bad(self, what: int, end: int) -> int:
        self._protocol_error(PROTOCOL_ERRORS.get(what, "invalid request"))
        return end
