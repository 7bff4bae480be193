"""The slow path of RESP: one command at a time, for those that the lane hands over.

A command passes the steps of the lane (`lane.parse`, `fill_tape`, then `Engine.execute`, then the reply), so that its
call can wait, its refusal can name a word, and its reply can have any size. EXEC runs here if a call of the transaction
needs Python.
"""

from collections.abc import Callable
from contextlib import closing

from synap.command import Command
from synap.derive.outcomes import misfit
from synap.engine.engine import Engine
from synap.engine.outcomes import PARKED, Outcome
from synap.engine.resp.encoding import UnbalancedQuotes, split_line
from synap.engine.resp.replies import Replies
from synap.engine.sessions import Session
from synap.faults import BrokenNode, Fault
from synap.store.lane import lane, resp, transactions
from synap.store.memory import codes, layout
from synap.store.memory.layout import WORD
from synap.traits import NOT_IN_MULTI, WHILE_SUBSCRIBED

LINE_BYTES_MAX = 64 * layout.KIB
SHOWN_BYTES_MAX = 128
"""Of an unknown command: so many bytes of its name, and of its arguments with their quotes."""
WRONG_WORDS = (b"post", b"host:")  # first words of HTTP: a browser was directed to this port
PROTOCOL_ERRORS = {
    resp.BAD_COUNT_LINE: "invalid multibulk length",
    resp.BAD_SIZE_LINE: "invalid bulk length",
    resp.NOT_A_BULK: "expected '$'",
    resp.TOO_LONG: "too big inline request",
}


class SlowPath:
    """The slow path of one session.

    `run_words` runs the words of an inline command, written as RESP, from one octet to another, and returns the octet
    of the first that did not run. `parked` is called when a call has to wait, and `deliver` gets its outcome later.
    """

    def __init__(
        self, engine: Engine, session: Session, replies: Replies, run_words: Callable[[int, int, int], int],
        parked: Callable[[], None], deliver: Callable[[Outcome], None],
    ) -> None:  # fmt: skip
        self._engine, self._session, self._replies = engine, session, replies
        self._run_words, self._parked, self._deliver = run_words, parked, deliver

    def run(self, at: int, end: int, now: int) -> int:
        """Run the command at octet `at`; return the octet behind it, or `at` if it is incomplete."""
        engine, session = self._engine, self._session
        tracking = session.tracking
        if tracking is None or engine.bytes[at] != resp.STAR:
            return self._run_one(at, end, now)
        row = engine.rows.get(lane.parse(engine.words, engine.octets, at, end))
        after = self._run_one(at, end, now)
        if after != at and tracking is session.tracking:
            engine.tracking.command_over(session, row)
        return after

    def _run_one(self, at: int, end: int, now: int) -> int:
        engine, session, numbers = self._engine, self._session, self._engine.numbers
        if engine.bytes[at] != resp.STAR:
            return self._inline(at, end, now)
        row_at = lane.parse(engine.words, engine.octets, at, end)
        after, count = numbers[layout.LANE_AT], numbers[layout.LANE_CALLS]
        if after <= 0:
            return at if after == resp.INCOMPLETE else self._bad(protocol_fault(engine, at, end), end)
        if count == 0:
            return after
        row = engine.rows.get(row_at)
        if row is None:
            session.count_call(now)
            self._unknown(count)
            return after
        refusal = self._refusal(row, row_at, count)
        if refusal is not None:
            session.count_call(now)
            self._refuse(row, refusal)
            return after
        misspelled = lane.fill_tape(engine.words, engine.octets, row_at, count)
        if misspelled:
            session.count_call(now)
            self._misspelled(row, row_at, misspelled, count)
            return after
        if engine.monitors.sessions:
            engine.monitors.tell(session, row, count)
        tape_size = numbers[layout.CURSOR_TOP]
        numbers[layout.TAPE - 2] = session.namespace
        blob_size = after - 2 - numbers[layout.TAPE - 1] if count > 1 else 0
        try:
            if row.code == codes.TRANSACTION_EXEC:
                session.count_call(now)
                self._execute_transaction(now)
            else:
                outcome = engine.execute(session, row_at, layout.TAPE, tape_size, blob_size, now, self._deliver)
                if outcome.status == PARKED:
                    self._parked()
                else:
                    self._replies.add(outcome)
        except BrokenNode:
            raise
        except Exception:
            engine.settle(now, session)  # the calls that wait for a change of this one are served all the same
            raise
        engine.settle(now, session)
        if session.listener is not None and engine.pubsub.waiting:
            engine.pubsub.deliver()  # a message to the session itself precedes the next reply
        return after

    def finish_exec(self, now: int) -> None:
        """Finish an EXEC that the lane began and whose replies outgrew the out region."""
        numbers, at = self._engine.numbers, self._session.at
        done = numbers[at + layout.SESSION_WATCHED + 1]
        entry = numbers[at + layout.SESSION_WATCHED + 2]
        self._run_queued(entry, numbers[at + layout.SESSION_QUEUED] - done, now)
        self._engine.settle(now, self._session)

    # Commands that are refused before they run.

    def _refusal(self, row: Command, row_at: int, count: int) -> Fault | None:
        """Return the refusal of a command with `count` words by the state of the connection."""
        numbers, session = self._engine.numbers, self._session
        most = numbers[row_at + layout.ROW_WORDS_MAX]
        if count - 1 < numbers[row_at + layout.ROW_WORDS_MIN] or count - 1 > most:
            return Fault("WRONG_ARITY")
        if session.resp2_subscriber and not row.traits & WHILE_SUBSCRIBED:
            return Fault("SUBSCRIBED", name=row.resp.lower())
        if session.in_multi and row.traits & NOT_IN_MULTI:
            return Fault("NOT_IN_MULTI")
        return None

    def _refuse(self, row: Command, fault: Fault) -> None:
        self._session.break_multi()
        self._replies.say(fault, row)

    def _misspelled(self, row: Command, row_at: int, refusal: int, count: int) -> None:
        """Refuse words that do not fit the row's grammar; within MULTI, queue the refusal for EXEC."""
        engine, numbers = self._engine, self._engine.numbers
        at = layout.WORDS + 2 * min(numbers[layout.CURSOR_TOP], count - 1)
        start, size = numbers[at], numbers[at + 1]
        if not self._session.in_multi or row.control:
            second, length = numbers[layout.WORDS + 2], numbers[layout.WORDS + 3]
            typed = bytes(engine.bytes[second : second + length]).decode() if "|" in row.resp else ""
            self._refuse(row, misfit(row, refusal, bytes(engine.bytes[start : start + size]), typed))
            return
        numbers[layout.TAPE - 1] = start
        if transactions.enqueue_call(engine.words, engine.octets, self._session.at, row_at, -refusal, size):
            self._replies.say("QUEUED")
        else:
            self._refuse(row, Fault("OUT_OF_MEMORY"))

    def _unknown(self, count: int) -> None:
        numbers, octets = self._engine.numbers, self._engine.bytes
        words = []
        left = SHOWN_BYTES_MAX
        for i in range(count):
            start, size = numbers[layout.WORDS + 2 * i], numbers[layout.WORDS + 2 * i + 1]
            size = min(size, left if i else SHOWN_BYTES_MAX)
            words.append(bytes(octets[start : start + size]).decode("utf-8", "surrogateescape"))
            left -= size + len("'' ") if i else 0
            if left <= 0:
                break
        self._session.break_multi()
        if words[0].lower().encode("utf-8", "surrogateescape") in WRONG_WORDS:
            self._replies.closing = True
            return
        if words[0].upper() in self._engine.containers:
            if count == 1:
                self._replies.say(Fault("WRONG_ARITY"), Command(words[0].lower(), 0, ""))
            else:
                self._replies.say(Fault("UNKNOWN_SUBCOMMAND", name=words[1], command=words[0].upper()))
            return
        shown = " ".join(f"'{word}'" for word in words[1:])
        self._replies.say(Fault("UNKNOWN_COMMAND", name=words[0], args=shown + " " if shown else ""))

    # Inline commands, and input that is no RESP.

    def _inline(self, at: int, end: int, now: int) -> int:
        """Run an inline command, a line of words; return the octet behind it, or `at` if it is incomplete."""
        octets = self._engine.bytes
        line, whole, _ = bytes(octets[at : min(end, at + LINE_BYTES_MAX)]).partition(b"\n")
        if not whole or b"\0" in line:  # as in Redis, no line end is found behind a zero byte
            if end - at >= LINE_BYTES_MAX:
                return self._bad(PROTOCOL_ERRORS[resp.TOO_LONG], end)
            return at
        after = at + len(line) + 1
        try:
            words = split_line(line.removesuffix(b"\r"))
        except UnbalancedQuotes:
            self._replies.protocol_error("unbalanced quotes in request")
            return end
        if not words:
            return after
        if words[0].lower() in WRONG_WORDS:  # an HTTP request, probably from a browser
            self._replies.closing = True
            return end
        call = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
        start = layout.CALL_BLOB_REST * WORD
        octets[start : start + len(call)] = call
        held = self._run_words(start, start + len(call), now) == start  # by a pause
        return at if held else after

    def _bad(self, error: str, end: int) -> int:
        self._replies.protocol_error(error)
        return end

    # Transactions that the lane cannot carry out alone.

    def _execute_transaction(self, now: int) -> None:
        session, engine, replies = self._session, self._engine, self._replies
        held = engine.transactions
        if not session.in_multi:
            replies.say(Fault("EXEC_WITHOUT_MULTI"))
        elif session.multi_broken:
            held.end(session)
            replies.say(Fault("EXEC_ABORTED"))
        elif not held.watch_holds(session, now):
            held.end(session)
            replies.put(b"_\r\n" if session.version == 3 else b"*-1\r\n")
        else:
            held.unwatch(session)
            count = engine.numbers[session.at + layout.SESSION_QUEUED]
            replies.put(b"*%d\r\n" % count)
            self._run_queued(engine.numbers[session.at + layout.SESSION_QUEUE], count, now)

    def _run_queued(self, entry: int, count: int, now: int) -> None:
        held = self._engine.transactions
        try:
            with self._replies.in_parts(), closing(held.outcomes(self._session, entry, count, now)) as outcomes:
                for outcome in outcomes:
                    self._replies.add(outcome)
        finally:
            held.end(self._session)


def protocol_fault(engine: Engine, at: int, end: int) -> str:
    """Return the error text for bytes at `at` that are no RESP."""
    lane.parse(engine.words, engine.octets, at, end)
    what = engine.numbers[layout.LANE_AT]
    if what == resp.NOT_A_BULK:
        return f"expected '$', got '{_instead(bytes(engine.bytes[at:end]))}'"
    return PROTOCOL_ERRORS.get(what, "invalid request")


def _instead(data: bytes) -> str:
    """Return the first character that stands in the place of a word's `$`."""
    at = data.index(b"\n") + 1
    while data[at : at + 1] == b"$":
        line = data.index(b"\n", at)
        at = line + 1 + int(data[at + 1 : line]) + 2
    return data[at : at + 1].decode("latin-1")
