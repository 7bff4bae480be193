"""The scripts of one engine: the cache of their texts by SHA1, and one run of a script as one group of the log.

A script is carried out by the call of EVAL at once: nothing else is served meanwhile. Its calls pass the guards of its
caller. Their effects are one group in the log, as those of EXEC, so a replay runs no Lua.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from synap.call import Value
from synap.command import Command
from synap.compat.redis_facts import FACTS
from synap.derive.outcomes import misfit
from synap.engine.callers import Caller
from synap.engine.outcomes import HANDLED
from synap.engine.resp.encoding import encode
from synap.engine.scripts.state import NotCompiled, State
from synap.faults import BrokenNode, Fault
from synap.store.lane import lane
from synap.store.memory import layout
from synap.store.memory.layout import GUARD_RATE
from synap.store.scripts import script_calls
from synap.traits import ADMIN, NOT_IN_SCRIPTS, SESSION

if TYPE_CHECKING:
    from synap.engine.engine import Engine

log = logging.getLogger("synap")
NAME = b"@user_script"
CACHE_MAX = 500
"""Scripts that EVAL leaves in the cache, the last used ones; those of SCRIPT LOAD stay besides."""
FLAGS = ("no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys")
LEVELS = (logging.DEBUG, logging.DEBUG, logging.INFO, logging.WARNING)
NOT_ALLOWED = b"-ERR This Redis command is not allowed from script\r\n"


class Script(NamedTuple):
    """A compiled script: the number by which the state knows it, its flags, whether SCRIPT LOAD has asked for it."""

    number: int
    flags: frozenset[str]
    loaded: bool


class Scripts:
    """The scripts of an engine. The state of Lua is made by the first one."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._state: State | None = None
        self._cache: OrderedDict[str, Script] = OrderedDict()
        self._caller: Caller = engine.own
        self.memory_max, self.time_ms_max = 64 << 20, 5000

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
            self._give_back()
            self._cache[sha] = self._compile(text, keep)
            self._evict(CACHE_MAX)
            self._give_back()
            if self.memory > self.memory_max * 3 // 4:
                self._opened().forget(self._cache.pop(sha).number)
                self._opened().collect()
                raise Fault("SCRIPT_ERROR", text="OOM the cached scripts fill scripts.memory_bytes_max")
        else:
            self._cache.move_to_end(sha)
            if keep and not known.loaded:
                self._cache[sha] = known._replace(loaded=True)
        return sha

    def exists(self, sha: str) -> bool:
        """Return True if the cache has this script."""
        return sha in self._cache

    def flush(self) -> int:
        """Forget all scripts and the state; return how many scripts there were."""
        count = len(self._cache)
        self._cache.clear()
        self.close()
        return count

    def close(self) -> None:
        """Free the state."""
        if self._state is not None:
            self._state.close()
            self._state = None

    def _compile(self, text: bytes, keep: bool) -> Script:
        body, flags = text, frozenset[str]()
        if text.startswith(b"#!"):
            head, ended, rest = text.partition(b"\n")
            if not ended:
                raise Fault("SCRIPT_ERROR", text="ERR Invalid script shebang")
            flags = _flags(head.decode("utf-8", "surrogateescape"))
            body = b"\n" + rest
        try:
            number = self._opened().compile(body, NAME)
        except NotCompiled as error:
            what = error.args[0].decode("utf-8", "surrogateescape")
            raise Fault("SCRIPT_ERROR", text=f"ERR Error compiling script (new function): {what}") from None
        return Script(number, flags, keep)

    def _evict(self, most: int) -> int:
        """Forget scripts of EVAL, the least recently used first, so that `most` stay, and in any case the last one;
        return how many were forgotten."""
        of_eval = [sha for sha, script in self._cache.items() if not script.loaded]
        gone = of_eval[: max(len(of_eval) - max(most, 1), 0)]
        for sha in gone:
            self._opened().forget(self._cache.pop(sha).number)
        return len(gone)

    def _give_back(self) -> None:
        """Free what no script needs, and the oldest half of the scripts of EVAL while they leave too little memory."""
        while self.memory > self.memory_max // 2:
            self._opened().collect()
            of_eval = sum(not script.loaded for script in self._cache.values())
            if self.memory <= self.memory_max // 2 or not self._evict(of_eval // 2):
                return

    def _opened(self) -> State:
        if self._state is None:
            numbers = self._engine.numbers
            for row_at, row in self._engine.rows.items():
                if not _may_call(row):
                    numbers[row_at + layout.ROW_FLAGS] |= layout.FLAG_NOT_IN_SCRIPTS
            self._state = State(self._engine.heap, self.memory_max, self._carry_out, self._serve)
        return self._state

    # A run.

    def run(
        self, caller: Caller, sha: str, keys: Sequence[bytes], arguments: Sequence[bytes], now: int, *, reads_only: bool
    ) -> Value:  # fmt: skip
        """Run a script of the cache for a caller; return its reply. Raises the Fault of an error."""
        engine, numbers, state = self._engine, self._engine.numbers, self._opened()
        script = self._cache[sha]
        self._cache.move_to_end(sha)
        if numbers[layout.LUA_FLAGS] & layout.SCRIPT_RUNS:
            raise Fault("SCRIPT_ERROR", text="ERR a script cannot run another")
        self._caller, namespace = caller, caller.namespace
        alone = not numbers[layout.IN_GROUP]  # else the script is a call of EXEC, whose group goes on behind it
        self._begin(caller, script, reads_only, alone, now)
        try:
            ok, told = state.run(script.number, keys, arguments)
        except BrokenNode:
            if alone:
                engine.frames.drop_group()
            raise
        finally:
            caller.namespace = namespace
            if alone:
                numbers[layout.IN_GROUP] = 0
            numbers[layout.LUA_FLAGS] = 0
            engine.free_deferred()
            numbers[layout.REPLY + 1] = numbers[layout.LUA_ITEMS_MOST]  # so that `settle` gives all pages back
            self._give_back()
        if ok:
            return told
        raise Fault("SCRIPT_ERROR", text=self._explained(sha, *told))

    def _begin(self, caller: Caller, script: Script, reads_only: bool, alone: bool, now: int) -> None:
        engine, numbers = self._engine, self._engine.numbers
        refuses = caller.refuses & ~GUARD_RATE
        reads_only = reads_only or "no-writes" in script.flags
        if alone and not reads_only:
            engine.transactions.make_room(engine.row_at["kv.set"], refuses, now)
        numbers[layout.REFUSE_CALLER] = refuses
        numbers[layout.NOW] = now
        numbers[layout.IN_GROUP] = numbers[layout.IN_GROUP] or 1
        numbers[layout.LUA_NAMESPACE], numbers[layout.LUA_VERSION] = caller.namespace, 2
        numbers[layout.LUA_REPLY_MAX], numbers[layout.LUA_SEQ] = engine.reply_bytes_max, numbers[layout.SEQ]
        numbers[layout.LUA_DEADLINE] = engine.diagnostics.ticks() + self.time_ms_max * 1_000_000
        numbers[layout.LUA_ENDED] = numbers[layout.LUA_ITEMS_MOST] = 0
        numbers[layout.LUA_FLAGS] = (
            layout.SCRIPT_RUNS
            | layout.SCRIPT_READS_ONLY * reads_only
            | layout.SCRIPT_IN_PYTHON * bool(caller.noted)
        )

    def _explained(self, sha: str, text: bytes | None, source: bytes | None, line: int | None) -> str:
        numbers = self._engine.numbers
        if numbers[layout.LUA_ENDED] and text is None:
            wrote = numbers[layout.SEQ] != numbers[layout.LUA_SEQ]
            return (
                f"ERR Error running script: it ran for more than {self.time_ms_max} ms and was ended"
                + (", what it had written stays" if wrote else "")
            )
        told = (text or b"ERR Error running script: not enough memory").decode("utf-8", "surrogateescape")
        told = told.replace("\r", " ").replace("\n", " ")
        if source is None or line is None:
            return f"{told} script: {sha}"
        return f"{told} script: {sha}, on {source.decode('utf-8', 'surrogateescape')}:{line}."

    # Calls of a script that need Python.

    def _carry_out(self, count: int) -> bytes | tuple[int, int]:
        """Carry out the call whose words are in WORDS; return its reply as RESP, or (row, status) of a kernel whose
        reply lies in REPLY."""
        engine, numbers = self._engine, self._engine.numbers
        row_at = numbers[layout.LUA_ROW]
        row = engine.rows[row_at]
        if row.traits & SESSION and not self._caller.of_resp:
            return NOT_ALLOWED
        version, name = numbers[layout.LUA_VERSION], (row.resp or row.name).lower()
        misspelled = lane.fill_tape(engine.words, engine.octets, row_at, count)
        if misspelled:
            at = layout.WORDS + 2 * min(numbers[layout.CURSOR_TOP], count - 1)
            start, size = numbers[at], numbers[at + 1]
            return encode(misfit(row, misspelled, bytes(engine.bytes[start : start + size])), version, name)
        numbers[layout.TAPE - 2] = self._caller.namespace = numbers[layout.LUA_NAMESPACE]
        blob_size = numbers[layout.WORDS + 2 * count] - numbers[layout.TAPE - 1] if count > 1 else 0
        tape_size, now = numbers[layout.CURSOR_TOP], numbers[layout.NOW]
        refuses = numbers[layout.REFUSE_CALLER]
        outcome = engine.carry_out(self._caller, refuses, row_at, layout.TAPE, tape_size, blob_size, now, None)
        numbers[layout.LUA_NAMESPACE] = self._caller.namespace
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
        engine, refuses = self._engine, self._caller.refuses
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
        for flag in filter(None, value.split(",")):
            if flag not in FLAGS:
                raise Fault("SCRIPT_ERROR", text=f"ERR Unexpected flag in script shebang: {flag}")
            found.append(flag)
    return frozenset(found)
