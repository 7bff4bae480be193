"""Diagnostics of a running engine: slow log, latency events, error counts, pauses, settings that may change.

One `Diagnostics` belongs to each engine. No code here runs during a call. The lane is timed from outside, one whole
read at a time, and only a read that took longer than the threshold is examined.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from synap.command import Command
from synap.engine.sessions import Session

log = logging.getLogger("synap")

SLOW_WORDS_MAX, SLOW_BYTES_MAX = 32, 128  # words kept of a slow call, and bytes kept of each word
HISTORY_MAX = 160  # delays kept for each event
ERROR_KINDS_MAX = 128


@dataclass
class Slow:
    """An entry of the slow log: `at` in s, `took` in us."""

    number: int
    at: int
    took: int
    words: list[bytes]
    address: bytes
    name: bytes


@dataclass
class Event:
    """The latency samples of one event: the last (time in s, duration in ms), and the longest duration."""

    history: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    most: int = 0


class Diagnostics:
    """The diagnostic state of one engine."""

    def __init__(self) -> None:
        self.ticks: Callable[[], int] = lambda: 0  # ns; the owner of a clock replaces it
        self.slow_ns = 10_000_000  # negative: no call counts as slow
        self.slow_most = 128
        self.slow: deque[Slow] = deque()
        self.delay_ms = 0  # the least delay that is recorded; 0: none is recorded
        self.events: dict[str, Event] = {}
        self.errors: Counter[str] = Counter()
        self.connections_received = 0
        self.connections_rejected = 0
        self.peak = 0
        self.rate = 0.0
        self.sampled: tuple[int, int] | None = None
        self.keep_alive_s = 300  # idle time before TCP keepalive probes, for new connections; 0: off
        self.memory_unlimited = False  # CONFIG SET maxmemory 0 was called: show 0
        self.kept: dict[str, str] = {}  # values that CONFIG SET gave to settings without effect here
        self.shows_durations = True  # in INFO and LATENCY HISTOGRAM
        self.percentiles = "50 99 99.9"  # that INFO shows of them
        self.idle_s = 0  # idle time after which a client is disconnected; 0: never
        self.active_expire = True
        self.pause_until = 0
        self.pause_all = False
        self._on_unpause: dict[Callable[[], None], None] = {}  # in the order of `on_unpause`
        self.coming: frozenset[int] = frozenset()  # families (high bytes of codes) whose kernels are not ready yet
        # Muted sessions, plus 1 in a pause, plus 1 while families are coming, plus 1 with monitors; not 0:
        # `RespMachine` runs the lane with limits.
        self.slow_path_needed = 0
        self._slow_number = 0

    # Slow calls.

    def note_slow(self, words: list[bytes], took_ns: int, now: int, address: bytes, name: bytes) -> None:
        """Record a call (or all calls of one read) that took longer than the threshold."""
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
        """Remove the oldest slow calls beyond `slow_most`."""
        while len(self.slow) > max(self.slow_most, 0):
            self.slow.pop()

    # Delays.

    def event(self, name: str, took_ms: int, now: int) -> None:
        """Record a latency sample of the event `name` if `took_ms` reaches the threshold."""
        if not self.delay_ms or took_ms < self.delay_ms:
            return
        event = self.events.setdefault(name, Event())
        second = now // 1000
        if event.history and event.history[-1][0] == second:
            took_ms = max(took_ms, event.history.pop()[1])
        event.history.append((second, took_ms))
        event.most = max(event.most, took_ms)

    # Refusals whose text was written in Python.

    def note_error(self, text: str) -> None:
        """Count a refusal that was sent, by the first word of `text`."""
        kind = text.split(" ", 1)[0]
        if kind in self.errors or len(self.errors) < ERROR_KINDS_MAX:
            self.errors[kind] += 1

    # Pauses, and replies that are not sent.

    def mute(self, session: Session, what: int) -> None:
        """Set which replies of a session are not sent: a MUTE_* of call.py."""
        self.slow_path_needed += (what != 0) - (session.mute != 0)
        session.mute = what

    @property
    def may_hold(self) -> bool:
        """True if some calls are held back now: in a pause, or while families are coming."""
        return self.pause_until != 0 or bool(self.coming)

    def pauses(self, writes: bool) -> bool:
        """Return True if a pause holds back calls now: all of them, or those that write."""
        return self.pause_until != 0 and (self.pause_all or writes)

    def holds(self, row: Command) -> bool:
        """Return True if a call of this row is held back now, by a pause or because its kernels are not ready.

        Connections ask before they execute a call, and keep the input.
        """
        if self.pauses(row.waits_for_writes):
            return True
        return bool(self.coming) and (row.code >> 8 in self.coming or not self.coming.isdisjoint(row.calls_families))

    def expect(self, families: frozenset[int]) -> None:
        """Hold back the calls of these families, and no longer those of families that were expected before."""
        self.slow_path_needed += bool(families) - bool(self.coming)
        fewer = families != self.coming
        self.coming = families
        if fewer:
            self._go_on()

    def pause(self, until: int, everything: bool) -> None:
        """Hold back writes, or all commands, until the time `until`; a longer or stricter pause stays in force."""
        self.pause_all = everything or (self.pause_until != 0 and self.pause_all)
        self.slow_path_needed += self.pause_until == 0
        self.pause_until = max(self.pause_until, until)

    def unpause(self) -> None:
        """End the pause and let the held connections continue."""
        if self.pause_until:
            self.pause_until = 0
            self.pause_all = False
            self.slow_path_needed -= 1
            self._go_on()

    def _go_on(self) -> None:
        """Let the held connections look again at what they hold."""
        on_unpause, self._on_unpause = self._on_unpause, {}
        for go_on in on_unpause:
            try:
                go_on()
            except Exception:  # of one connection: the others go on
                log.exception("going on after a pause failed")

    def on_unpause(self, go_on: Callable[[], None]) -> None:
        """Call `go_on`, a bound method, once when the pause ends or a family is ready. It may only schedule work: the
        end of a pause is part of another client's call."""
        self._on_unpause[go_on] = None

    def forget(self, go_on: Callable[[], None]) -> None:
        """Do not call `go_on`, if it is to be called: its connection is gone."""
        self._on_unpause.pop(go_on, None)

    def end_pause(self, until: int) -> None:
        """End the pause that was made until `until`, unless the pause was extended."""
        if self.pause_until <= until:
            self.unpause()

    def upkeep(self, now: int, used: int, calls: Callable[[], int]) -> None:
        """End a pause that is over, record peak memory, measure calls per second; runs ten times a second."""
        if self.pause_until and now >= self.pause_until:
            self.unpause()
        self.peak = max(self.peak, used)
        if self.sampled is None or now - self.sampled[0] >= 500:
            total = calls()
            if self.sampled is not None:
                self.rate = (total - self.sampled[1]) * 1000 / (now - self.sampled[0])
            self.sampled = now, total

    def reset(self) -> None:
        """Reset these counters, for CONFIG RESETSTAT."""
        self.errors.clear()
        self.connections_received = self.connections_rejected = 0
        self.peak = 0
        self.sampled, self.rate = None, 0.0
