"""What an operator asks of a running engine: slow calls, delays, refusals, pauses, settings that may change.

One `Operation` belongs to each engine. Nothing here is asked while a call runs; the lane is timed from
outside, a whole read at once, and only a read that took longer than the threshold is looked at again.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from synap.engine.sessions import Session

SLOW_WORDS_MAX, SLOW_BYTES_MAX = 32, 128  # a slow call's words that are kept, and the bytes of each
HISTORY_MAX = 160  # delays kept for each event
ERROR_KINDS_MAX = 128


@dataclass
class Slow:
    """A call that took long: `at` in s, `took` in us."""

    number: int
    at: int
    took: int
    words: list[bytes]
    address: bytes
    name: bytes


@dataclass
class Event:
    """The delays of one kind: (s, ms), the last ones, and the longest."""

    history: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    most: int = 0


class Operation:
    """See the file."""

    def __init__(self) -> None:
        self.ticks: Callable[[], int] = lambda: 0  # ns; whoever owns a clock puts it in
        self.slow_ns = 10_000_000  # a negative one: nothing is slow
        self.slow_most = 128
        self.slow: deque[Slow] = deque()
        self.delay_ms = 0  # the least delay of an event that is noted; 0: none is
        self.events: dict[str, Event] = {}
        self.errors: Counter[str] = Counter()
        self.connections_received = 0
        self.connections_rejected = 0
        self.peak = 0
        self.rate = 0.0
        self.sampled: tuple[int, int] | None = None
        self.keep_alive_s = 300  # silence after which a new connection's other end is asked; 0: never
        self.memory_unlimited = False  # CONFIG SET maxmemory 0 was asked, and is shown
        self.kept: dict[str, str] = {}  # what CONFIG SET said of settings that change nothing here
        self.idle_s = 0  # a client that says nothing for so long is hung up on; 0: none is
        self.active_expire = True
        self.pause_until = 0
        self.pause_all = False
        self.held: list[Callable[[], None]] = []  # who goes on when a pause ends
        self.odd = 0  # not 0 if a machine has to look twice: somebody is muted, or there is a pause
        self._slow_number = 0

    # Slow calls.

    def note_slow(self, words: list[bytes], took_ns: int, now: int, address: bytes, name: bytes) -> None:
        """A call (or all that came in one read) took longer than the threshold."""
        self.event("command", took_ns // 1_000_000, now)
        if self.slow_most <= 0:
            return
        kept = [
            word if len(word) <= SLOW_BYTES_MAX else
            word[:SLOW_BYTES_MAX] + b"... (%d more bytes)" % (len(word) - SLOW_BYTES_MAX)
            for word in words[:SLOW_WORDS_MAX]
        ]  # fmt: skip
        if len(words) > SLOW_WORDS_MAX:
            kept[-1] = b"... (%d more arguments)" % (len(words) - SLOW_WORDS_MAX + 1)
        self.slow.appendleft(Slow(self._slow_number, now // 1000, took_ns // 1000, kept, address, name))
        self._slow_number += 1
        self.trim_slow()

    def trim_slow(self) -> None:
        """Forget the oldest slow calls above the number that is kept."""
        while len(self.slow) > max(self.slow_most, 0):
            self.slow.pop()

    # Delays.

    def event(self, name: str, took_ms: int, now: int) -> None:
        """Something took so long; it is noted if that is above the threshold."""
        if not self.delay_ms or took_ms < self.delay_ms:
            return
        event = self.events.setdefault(name, Event())
        second = now // 1000
        if event.history and event.history[-1][0] == second:
            took_ms = max(took_ms, event.history.pop()[1])
        event.history.append((second, took_ms))
        event.most = max(event.most, took_ms)

    # Refusals that were worded in Python.

    def note_error(self, text: str) -> None:
        """A refusal was sent: count its first word."""
        kind = text.split(" ", 1)[0]
        if kind in self.errors or len(self.errors) < ERROR_KINDS_MAX:
            self.errors[kind] += 1

    # Pauses, and replies that are not sent.

    def mute(self, session: Session, what: int) -> None:
        """Send these of a session's replies no more: a MUTE_* of sessions.py."""
        self.odd += (what != 0) - (session.mute != 0)
        session.mute = what

    def pause(self, until: int, everything: bool) -> None:
        """Hold back writes, or everything, until then; a longer or stricter pause under way goes on."""
        self.pause_all = everything or (self.pause_until != 0 and self.pause_all)
        self.odd += self.pause_until == 0
        self.pause_until = max(self.pause_until, until)

    def unpause(self) -> None:
        """Let everybody go on."""
        if self.pause_until:
            self.pause_until = 0
            self.pause_all = False
            self.odd -= 1
            held, self.held = self.held, []
            for go_on in held:
                go_on()

    def end_pause(self, until: int) -> None:
        """The pause until then is over, unless it was made longer."""
        if self.pause_until <= until:
            self.unpause()

    def upkeep(self, now: int, used: int, calls: Callable[[], int]) -> None:
        """Ten times a second: end a pause, note the peak of memory, measure the rate of calls."""
        if self.pause_until and now >= self.pause_until:
            self.unpause()
        self.peak = max(self.peak, used)
        if self.sampled is None or now - self.sampled[0] >= 500:
            total = calls()
            if self.sampled is not None:
                self.rate = (total - self.sampled[1]) * 1000 / (now - self.sampled[0])
            self.sampled = now, total

    def reset(self) -> None:
        """CONFIG RESETSTAT, for what is counted here."""
        self.errors.clear()
        self.connections_received = self.connections_rejected = 0
        self.peak = 0
        self.sampled, self.rate = None, 0.0
