"""The scripts of one engine: the cache of their texts by SHA1, and what a run of a script needs of Python.

A script is carried out by the call of EVAL at once, in a kernel (store/scripts/scripts.py): nothing else is served
meanwhile. Its calls pass the guards of its caller. Their effects are one group in the log, as those of EXEC, so a
replay runs no Lua.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synap.arguments import Raw
from synap.call import Value
from synap.command import Command
from synap.compat.redis_facts import FACTS
from synap.derive.outcomes import misfit
from synap.derive.replies import items
from synap.engine.callers import Caller
from synap.engine.outcomes import HANDLED, Outcome
from synap.engine.resp.encoding import encode
from synap.engine.scripts.libraries import Libraries
from synap.engine.scripts.state import NotCompiled, State
from synap.faults import BrokenNode, Fault, SynapError
from synap.store.lane import lane
from synap.store.memory import layout
from synap.store.scripts import script_calls
from synap.traits import ADMIN, NOT_IN_SCRIPTS, SESSION

if TYPE_CHECKING:
    from synap.engine.engine import Engine

log = logging.getLogger("synap")
NAME = b"@user_script"
CACHE_MAX = 500
"""Scripts that EVAL leaves in the cache, the last used ones; those of SCRIPT LOAD stay besides."""
KEPT = 0
"""The seat of scripts that stay."""
BITS = {"no-writes": layout.SCRIPT_READS_ONLY, "allow-oom": layout.SCRIPT_ABOVE_MAX}
FLAGS = ("no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys")
LEVELS = (logging.DEBUG, logging.DEBUG, logging.INFO, logging.WARNING)
LONG_EVERY_NS = 5_000_000
"""Time between two calls of `on_long`, in ns."""
FOREVER_NS = 1 << 60
NOT_ALLOWED = b"-ERR This Redis command is not allowed from script\r\n"
CACHE_FULL = "OOM the cached scripts fill scripts.memory_bytes_max"


@dataclass
class Script:
    """A compiled script: its seat in SCRIPT_USES."""

    seat: int


class Scripts:
    """The scripts of an engine. The state of Lua is made by the first one."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._state: State | None = None
        self._cache: dict[str, Script] = {}
        self._seats: list[int] = []  # those that are free
        self.libraries = Libraries(engine, self)
        self.on_long: Callable[[], None] | None = None  # called again and again while a script is long
        self._by: Caller = engine.own  # whose script runs, if not that of a session in the lane
        self._numbers = engine.numbers
        self.memory_max, self.time_ms_max = 64 << 20, 5000

    @property
    def memory_max(self) -> int:
        """The bytes that Lua may have."""
        return int(self._numbers[layout.LUA_MEMORY_MAX])

    @memory_max.setter
    def memory_max(self, size: int) -> None:
        self._numbers[layout.LUA_MEMORY_MAX] = size
        self._numbers[layout.LUA_FULL] = size // 2

    @property
    def time_ms_max(self) -> int:
        """The time that a script may take, in ms."""
        return int(self._numbers[layout.LUA_TIME_MAX])

    @time_ms_max.setter
    def time_ms_max(self, ms: int) -> None:
        self._numbers[layout.LUA_TIME_MAX] = ms

    def switch(self, on: bool) -> None:
        """Allow scripts over JSON the rows that a setting can switch off."""
        self._numbers[layout.LUA_SWITCHED_ON] = on

    @property
    def memory(self) -> int:
        """Return the bytes that Lua has."""
        return self._state.memory if self._state else 0

    def __len__(self) -> int:
        return len(self._cache)

    # The cache.

    def load(self, text: bytes, *, keep: bool) -> str:
        """Compile a script unless it is in the cache; return its SHA1. Raises the Fault of a wrong text."""
        sha = hashlib.sha1(text, usedforsecurity=False).hexdigest()
        known = self._cache.get(sha)
        if known is None:
            self.give_back()
            self._add(sha, text, keep)
            self.give_back()
            if self.memory > self.memory_max * 3 // 4:
                self._remove(sha)
                self.opened().collect()
                raise Fault("SCRIPT_ERROR", text=CACHE_FULL)
        elif keep and known.seat != KEPT:
            self.opened().move(sha, KEPT)
            self._seats.append(known.seat)
            known.seat = KEPT
        return sha

    def exists(self, sha: str) -> bool:
        """Return True if the cache has this script."""
        return sha in self._cache

    def flush(self) -> int:
        """Forget all scripts; return how many there were."""
        every = list(self._cache)
        for sha in every:
            self._remove(sha)
        if self._state is not None:
            self._state.collect()
        return len(every)

    def close(self) -> None:
        """Free the state."""
        if self._state is not None:
            self._state.close()
            self._state = None

    def _add(self, sha: str, text: bytes, keep: bool) -> None:
        body, flags = text, frozenset[str]()
        bits = 0
        if text.startswith(b"#!"):
            head, ended, rest = text.partition(b"\n")
            if not ended:
                raise Fault("SCRIPT_ERROR", text="ERR Invalid script shebang")
            flags = _flags(head.decode("utf-8", "surrogateescape"))
            bits = sum(BITS.get(flag, 0) for flag in flags)
            bits |= 0 if bits & layout.SCRIPT_READS_ONLY else layout.SCRIPT_MAY_WRITE
            body = b"\n" + rest
        state = self.opened()
        if not keep and not self._seats:
            self._evict(1)
        seat = KEPT if keep else self._seats.pop()
        try:
            state.keep(body, NAME, text, sha, bits, seat)
        except NotCompiled as error:
            if seat:
                self._seats.append(seat)
            what = error.args[0].decode("utf-8", "surrogateescape")
            raise Fault("SCRIPT_ERROR", text=f"ERR Error compiling script (new function): {what}") from None
        self._cache[sha] = Script(seat)
        numbers = self._engine.numbers
        numbers[layout.LUA_USES] += 1
        numbers[layout.SCRIPT_USES + seat] = numbers[layout.LUA_USES]

    def _remove(self, sha: str) -> None:
        seat = self._cache.pop(sha).seat
        if seat != KEPT:
            self._seats.append(seat)
        self.opened().drop(sha)

    def _evict(self, count: int) -> int:
        """Forget the `count` scripts of EVAL that were not used for the longest time, but not the last one; return how
        many were forgotten."""
        of_eval = [(sha, script.seat) for sha, script in self._cache.items() if script.seat != KEPT]
        count = min(count, len(of_eval) - 1)
        if count > 0:
            uses = self._engine.words[layout.SCRIPT_USES :][[seat for _, seat in of_eval]]
            for i in np.argsort(uses)[:count]:
                self._remove(of_eval[i][0])
        return max(count, 0)

    def give_back(self) -> None:
        """Free what no script needs, and the oldest half of the scripts of EVAL while they leave too little memory."""
        while self.memory > self.memory_max // 2:
            self.opened().collect()
            of_eval = sum(script.seat != KEPT for script in self._cache.values())
            if self.memory <= self.memory_max // 2 or not self._evict(of_eval - of_eval // 2):
                break
        self._numbers[layout.LUA_FULL] = max(self.memory_max // 2, self.memory + self.memory_max // 8)

    def opened(self) -> State:
        """Return the state of Lua."""
        if self._state is None:
            numbers = self._engine.numbers
            for row_at, row in self._engine.rows.items():
                if not _may_call(row):
                    numbers[row_at + layout.ROW_FLAGS] |= layout.FLAG_NOT_IN_SCRIPTS
            numbers[layout.LUA_REPLY_MAX] = self._engine.reply_bytes_max
            self._seats = list(range(CACHE_MAX, KEPT, -1))
            long = self._while_long if self.on_long is not None else None
            self._state = State(self._engine.heap, self._carry_out, self._serve, long)
            self.libraries.forget()
        return self._state

    # A run.

    def perform(
        self, caller: Caller, refuses: int, row_at: int, tape: int, tape_size: int, blob_size: int, now: int
    ) -> Outcome:
        """Carry out a row that runs a script, for a caller."""
        engine, numbers = self._engine, self._engine.numbers
        row = engine.rows[row_at]
        alone = not numbers[layout.IN_GROUP]
        self._by, numbers[layout.LUA_SESSION] = caller, 0
        if engine.keyspace_events.on and alone:
            engine.keyspace_events.evict(engine.row_at["kv.set"], 0, 0, now, refuses)
        numbers[layout.LUA_NOTED] = bool(caller.noted or engine.monitors.sessions)
        try:
            status = engine.in_kernel(refuses, row_at, tape, tape_size, blob_size, now)
            if status == layout.UNPREPARED:
                with self._kept(tape, tape_size, blob_size):
                    self._prepare(row, tape, now)
                status = engine.in_kernel(refuses, row_at, tape, tape_size, blob_size, now)
            if status == layout.UNPREPARED:
                raise Fault("SCRIPT_ERROR", text=CACHE_FULL)
        except Fault as fault:
            engine.note_called(row, True)
            return Outcome(row, row_at, HANDLED, fault)
        finally:
            self._by, numbers[layout.LUA_NOTED] = engine.own, 0
        if status == layout.UNWRITTEN:
            return self.outcome(row, row_at, alone)
        return Outcome(row, row_at, engine.checked(status, row_at))

    def outcome(self, row: Command, row_at: int, alone: bool = True) -> Outcome:
        """Return the outcome of a run whose status was UNWRITTEN; `alone`: the script was not a call of EXEC."""
        engine, numbers = self._engine, self._engine.numbers
        if numbers[layout.LUA_ENDED] == script_calls.BY_FAILURE:
            return Outcome(row, row_at, HANDLED, self._failure(row, alone))
        count, most = numbers[layout.REPLY + 1], numbers[layout.LUA_ITEMS_MOST]
        if most > count and most > layout.REPLY_ITEMS_LANE:
            first = (layout.REPLY + 2 + 2 * count) * layout.WORD
            engine.heap.forget(first, 2 * (most - count) * layout.WORD, layout.RECEIVE * layout.WORD)
        if count == 1 and isinstance(fault := items(numbers, engine.bytes)[0], Fault):
            self._count_refusal(row)
            return Outcome(row, row_at, HANDLED, fault)
        return Outcome(row, row_at, layout.ITEM)

    def _count_refusal(self, row: Command) -> None:
        counter = layout.COUNTERS + layout.COUNTER_WORDS * row.code
        self._engine.numbers[counter + layout.COUNTER_REFUSALS] += 1

    def _failure(self, row: Command, alone: bool) -> Fault:
        """Return the fault of a script within which Python has failed. Raise what has failed if it is the node."""
        engine, state = self._engine, self._state
        assert state is not None and state.failure is not None, "LUA_ENDED says that Python has failed"
        failure, state.failure = state.failure, None
        if alone and isinstance(failure, BrokenNode):
            engine.frames.drop_group()
        if alone:
            engine.numbers[layout.IN_GROUP] = 0
        if isinstance(failure, SynapError) or not isinstance(failure, Exception):
            raise failure
        log.error("%s failed", row.name, exc_info=failure)
        self._count_refusal(row)
        return Fault("INTERNAL_ERROR", what=f"{type(failure).__name__}: {failure}")

    @contextmanager
    def _kept(self, tape: int, tape_size: int, blob_size: int) -> Iterator[None]:
        """Keep a call whose tape and blob lie where other calls are put meanwhile."""
        words, octets = self._engine.words, self._engine.octets
        blob = int(words[tape - 1])
        kept = words[tape - 2 : tape + tape_size].copy(), octets[blob : blob + blob_size].copy()
        yield
        words[tape - 2 : tape + tape_size], octets[blob : blob + blob_size] = kept

    def _prepare(self, row: Command, tape: int, now: int) -> None:
        """Make the script of the call at word `tape` ready to run. Raises the Fault of a wrong text."""
        numbers, names = self._engine.numbers, row.args[0]
        assert isinstance(names, Raw), "what the first argument names is in its name"
        self.give_back()
        if names.name == "script":
            at, size = numbers[tape - 1] + numbers[tape], numbers[tape + 1] >> layout.MARK_BITS
            self.load(bytes(self._engine.bytes[at : at + size]), keep=False)
        else:
            self.opened()
            if names.name == "function":
                self.libraries.sync(now)

    # While a script runs.

    @property
    def busy_ms(self) -> int:
        """The time in ms after which a script is long."""
        return int(self._numbers[layout.LUA_BUSY_MS])

    @busy_ms.setter
    def busy_ms(self, ms: int) -> None:
        self._numbers[layout.LUA_BUSY_MS] = ms

    def _while_long(self, now: int) -> None:
        """Look after the other clients, at `now` (ns of the monotonic clock)."""
        assert self.on_long is not None, "nobody else is called"
        try:
            self.on_long()
        except Exception:
            log.exception("the clients beside a long script are not answered")
            now += FOREVER_NS
        self._numbers[layout.LUA_BUSY_AT] = now + LONG_EVERY_NS

    @property
    def in_function(self) -> bool:
        """True if what runs is a function of a library."""
        return bool(self._numbers[layout.LUA_TABLE] == layout.LUA_BY_NAME)

    def running(self) -> dict[str, Value]:
        """Return what FUNCTION STATS says of the function that runs."""
        numbers, at = self._numbers, layout.LUA_TITLE * layout.WORD
        name = bytes(self._engine.bytes[at : at + numbers[layout.LUA_TITLE_SIZE]])
        took = (self._engine.diagnostics.ticks() - numbers[layout.LUA_BEGAN]) // 1_000_000
        return {"name": name, "command": [b"FCALL", name], "duration_ms": took}

    @property
    def has_written(self) -> bool:
        """True if the script that runs has changed something."""
        return bool(self._numbers[layout.SEQ] != self._numbers[layout.LUA_SEQ])

    def kill(self) -> None:
        """End the script that runs. Raises Fault UNKILLABLE if it has written."""
        if self.has_written:
            raise Fault("UNKILLABLE")
        self._numbers[layout.LUA_ENDED] = script_calls.BY_HAND

    @property
    def caller(self) -> Caller:
        """Return whose script runs."""
        at = self._engine.numbers[layout.LUA_SESSION]
        return self._engine.sessions.at(at) if at else self._by

    # Calls of a script that need Python.

    def _carry_out(self, count: int) -> bytes | tuple[int, int]:
        """Carry out the call whose words are in WORDS; return its reply as RESP, or (row, status) of a kernel whose
        reply lies in REPLY."""
        engine, numbers = self._engine, self._engine.numbers
        row_at = numbers[layout.LUA_ROW]
        row, caller = engine.rows[row_at], self.caller
        if row.traits & SESSION and not caller.of_resp:
            return NOT_ALLOWED
        version, name = numbers[layout.LUA_VERSION], (row.resp or row.name).lower()
        misspelled = lane.fill_tape(engine.words, engine.octets, row_at, count)
        if misspelled:
            at = layout.WORDS + 2 * min(numbers[layout.CURSOR_TOP], count - 1)
            start, size = numbers[at], numbers[at + 1]
            return encode(misfit(row, misspelled, bytes(engine.bytes[start : start + size])), version, name)
        if engine.monitors.sessions:
            engine.monitors.tell_of_script(row, count, numbers[layout.LUA_NAMESPACE])
        numbers[layout.TAPE - 2] = numbers[layout.LUA_NAMESPACE]
        blob_size = numbers[layout.WORDS + 2 * count] - numbers[layout.TAPE - 1] if count > 1 else 0
        tape_size, now = numbers[layout.CURSOR_TOP], numbers[layout.NOW]
        refuses, namespace = numbers[layout.REFUSE_CALLER], caller.namespace
        caller.namespace = numbers[layout.LUA_NAMESPACE]
        try:
            outcome = engine.carry_out(caller, refuses, row_at, layout.TAPE, tape_size, blob_size, now, None)
        finally:
            numbers[layout.LUA_NAMESPACE], caller.namespace = caller.namespace, namespace
        if outcome.status != HANDLED:
            return row_at, outcome.status
        return b"$-1\r\n" if outcome.value is ... else encode(outcome.value, version, name)

    def _serve(self, name: bytes, given: list[Any]) -> Value:
        """Serve a function of the library `redis`."""
        if name == b"sha1hex":
            return hashlib.sha1(given[0], usedforsecurity=False).hexdigest().encode()
        if name == b"log":
            log.log(LEVELS[int(given[0])], "script: %s", given[1].decode("utf-8", "replace"))
        elif name == b"setresp":
            self._engine.numbers[layout.LUA_VERSION] = int(given[0])
        elif name == b"acl_check_cmd":
            return self._allows(given)
        return None

    def _allows(self, words: list[Any]) -> bool | None:
        """Return whether the caller may call a command, or None if there is none with this name."""
        name = words[0].decode("utf-8", "replace").upper() if isinstance(words[0], bytes) else ""
        inner = f"{name}|{words[1].decode('utf-8', 'replace').upper()}" if len(words) > 1 and (
            isinstance(words[1], bytes)
        ) else ""
        named = self._engine.catalogue.by_resp
        row = named.get(inner) or named.get(name)
        if row is None:
            return None
        engine, refuses = self._engine, self.caller.refuses
        return bool(script_calls.permits(engine.words, engine.octets, engine.row_at[row.name], refuses))


def _may_call(row: Command) -> bool:
    """Return True if scripts may call the row: as Redis says, but calls that wait are allowed and answer at once."""
    if row.resp in FACTS and not row.waits:
        return "noscript" not in FACTS[row.resp][0]
    return not row.control and not row.traits & (NOT_IN_SCRIPTS | ADMIN | SESSION)


def _flags(head: str) -> frozenset[str]:
    """Return the flags in the first line of a script, `#!lua flags=...`. Raises the Fault of a wrong one."""
    engine, *options = head.split()
    if engine != "#!lua":
        raise Fault("SCRIPT_ERROR", text=f"ERR Unexpected engine in script shebang: {engine}")
    found: list[str] = []
    for option in options:
        name, _, value = option.partition("=")
        if name != "flags":
            raise Fault("SCRIPT_ERROR", text=f"ERR Unknown lua shebang option: {option}")
        for flag in value.split(",") if value else ():
            if flag not in FLAGS:
                raise Fault("SCRIPT_ERROR", text=f"ERR Unexpected flag in script shebang: {flag}")
            found.append(flag)
    return frozenset(found)
