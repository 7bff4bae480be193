"""The state of Lua of one engine: its world, and the scripts that it has compiled, which kernels run.

Lua runs in C and reaches nothing of Python. What it calls back is compiled (`store/scripts/script_calls.py`); only a
call that needs Python comes back here, by the C function `_in_python`, which never raises into Lua: a failure is kept
and ends the script, whose row is then BROKEN.

Outside of `lua_pcall` a Lua error would end the process. So Python calls only functions that raise none but for lack of
memory, and sets SCRIPT_IN_CALL meanwhile: then the allocator does not report a lack.
"""

import ctypes
import pkgutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from synap.call import Value
from synap.compiler import jit
from synap.faults import BrokenNode
from synap.store import entry_points
from synap.store.memory import layout
from synap.store.scripts import coroutine_calls, library_calls, lua, pattern_calls, replies, script_calls

LIBRARIES = ("cjson", "cmsgpack", "struct", "bit")
GUARDS = (
    pattern_calls.repeated, pattern_calls.guarded, pattern_calls.guarded_each, coroutine_calls.resumed,
    coroutine_calls.wrapped,
)  # fmt: skip
"""The C functions at LUA_GUARDS, in the order in which `sandbox.lua` numbers them."""
PINNED = (b"error in error handling", b"C stack overflow", b"cannot resume non-suspended coroutine")
"""Texts that Lua makes of errors where it cannot report a lack of memory: once made, they need none."""
HOOK_EVERY = 1000
"""Instructions of Lua between two looks at the clock: some 5 us."""
MASK_COUNT = 8
MULTIPLE = -1
STOP, RESTART, COLLECT = 0, 1, 2
COST_MAX = 24
"""The cost of a pattern that Lua's own matcher may take (store/scripts/pattern_calls.py): 50 ms or less."""
LIBRARY_NAME = b"@user_function"
"""What errors call the text of a library."""
REDIS_VERSION = b"7.2.0", 0x00070200

_STATE, _INT, _SIZE = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
_CALLED = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)
_BRIDGE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


def _declared(name: str, result: Any, *kinds: Any) -> Any:
    function = getattr(lua.LIBRARY, name)
    function.restype, function.argtypes = result, kinds
    return function


_new = _declared("lua_newstate", _STATE, ctypes.c_void_p, ctypes.c_void_p)
_close = _declared("lua_close", None, _STATE)
_load = _declared("luaL_loadbuffer", _INT, _STATE, ctypes.c_char_p, _SIZE, ctypes.c_char_p)
_pcall = _declared("lua_pcall", _INT, _STATE, _INT, _INT, _INT)
_settop = _declared("lua_settop", None, _STATE, _INT)
_gettop = _declared("lua_gettop", _INT, _STATE)
_type = _declared("lua_type", _INT, _STATE, _INT)
_tolstring = _declared("lua_tolstring", ctypes.c_void_p, _STATE, _INT, ctypes.POINTER(_SIZE))
_tonumber = _declared("lua_tonumber", ctypes.c_double, _STATE, _INT)
_toboolean = _declared("lua_toboolean", _INT, _STATE, _INT)
_pushlstring = _declared("lua_pushlstring", None, _STATE, ctypes.c_char_p, _SIZE)
_pushnumber = _declared("lua_pushnumber", None, _STATE, ctypes.c_double)
_pushboolean = _declared("lua_pushboolean", None, _STATE, _INT)
_pushnil = _declared("lua_pushnil", None, _STATE)
_pushpointer = _declared("lua_pushlightuserdata", None, _STATE, ctypes.c_void_p)
_pushfunction = _declared("lua_pushcclosure", None, _STATE, ctypes.c_void_p, _INT)
_createtable = _declared("lua_createtable", None, _STATE, _INT, _INT)
_rawseti = _declared("lua_rawseti", None, _STATE, _INT, _INT)
_rawgeti = _declared("lua_rawgeti", None, _STATE, _INT, _INT)
_replace = _declared("lua_replace", None, _STATE, _INT)
_ref = _declared("luaL_ref", _INT, _STATE, _INT)
_sethook = _declared("lua_sethook", _INT, _STATE, ctypes.c_void_p, _INT, _INT)
_gc = _declared("lua_gc", _INT, _STATE, _INT, _INT)


class NotCompiled(Exception):
    """The text of a script is not Lua; the argument is Lua's own error text."""


class State:
    """A state of Lua whose allocator, hook and calls belong to the heap `heap`.

    `carry_out(count)` carries out a call in Python, whose words are in WORDS; it returns the reply as RESP, or (row,
    status) of a kernel. `serve(name, arguments)` does what else the library `redis` needs. `while_long(now)` is called
    again and again while a script is long.
    """

    lua: Any = None

    def __init__(
        self, heap: Any, carry_out: Callable[[int], bytes | tuple[int, int]],
        serve: Callable[[bytes, list[Any]], Value], while_long: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        self._numbers, self._bytes = heap.numbers, heap.bytes
        self._words, self._octets = heap.words, heap.octets
        self._carry_out, self._serve, self._while_long = carry_out, serve, while_long
        self.failure: BaseException | None = None
        jit.load(jit.registered_in(entry_points.full(entry_points.CALLED_BACK)))
        self._functions = _CALLED(self._in_python), _BRIDGE(self._bridge), _CALLED(self._long)
        numbers = self._numbers
        numbers[layout.LUA_BASE] = self._words.ctypes.data
        numbers[layout.LUA_LIBRARY_CALL] = library_calls.library_call.address
        for i, guard in enumerate(GUARDS):
            numbers[layout.LUA_GUARDS + i] = guard.address
        numbers[layout.LUA_CALLS] = ctypes.cast(self._functions[0], ctypes.c_void_p).value
        long = ctypes.cast(self._functions[2], ctypes.c_void_p).value if while_long is not None else 0
        numbers[layout.LUA_BUSY] = long
        process = ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)
        for register, name in ((layout.LUA_REALLOC, "realloc"), (layout.LUA_FREE, "free")):
            numbers[register] = ctypes.cast(getattr(process, name), ctypes.c_void_p).value
        numbers[layout.LUA_MEMORY], numbers[layout.LUA_COST_MAX] = 0, COST_MAX
        for i, name in enumerate(replies.NAMES):
            at = layout.LUA_NAMES * layout.WORD + replies.NAME_BYTES * i
            self._bytes[at : at + len(name) + 1] = name.encode() + b"\0"
        self.lua = _new(script_calls.allocator.address, numbers[layout.LUA_BASE])
        if not self.lua:
            raise MemoryError("no memory for the state of Lua")
        with self._never_failing():
            self._open()

    def close(self) -> None:
        """Free the state."""
        if self.lua:
            self._numbers[layout.LUA_STATE] = 0
            _close(self.lua)
            self.lua = None

    def __del__(self) -> None:
        """Free the state of an engine that nobody has closed."""
        self.close()

    def _open(self) -> None:
        """Build the world of the scripts, and make it the table of globals."""
        state = self.lua
        for name in ("base", "table", "string", "math", "os", "debug"):
            _pushfunction(state, ctypes.cast(getattr(lua.LIBRARY, f"luaopen_{name}"), ctypes.c_void_p), 0)
            _pushlstring(state, name.encode() if name != "base" else b"", len(name) if name != "base" else 0)
            self._call(1, 0)
        self._chunk("sandbox")
        for function in (script_calls.call_of_script, script_calls.pcall_of_script):
            _pushfunction(state, function.address, 0)
        _pushfunction(state, ctypes.cast(self._functions[1], ctypes.c_void_p), 0)
        libraries = (
            library_calls.library_function, script_calls.has_ended, library_calls.bits, library_calls.octets,
            pattern_calls.search, pattern_calls.guard, pattern_calls.charge,
        )  # fmt: skip
        for function in libraries:
            _pushfunction(state, function.address, 0)
        _pushpointer(state, None)
        self._libraries()
        _createtable(state, 2, 0)
        _pushlstring(state, REDIS_VERSION[0], len(REDIS_VERSION[0]))
        _rawseti(state, -2, 1)
        _pushnumber(state, REDIS_VERSION[1])
        _rawseti(state, -2, 2)
        self._call(13, 11)
        numbers = self._numbers
        for register in (layout.LUA_BY_NAME, layout.LUA_BY_SHA, layout.LUA_BY_TEXT):
            numbers[register] = _ref(state, lua.REGISTRY)
        self._remove_library, self._add_library, self._load_library = (_ref(state, lua.REGISTRY) for _ in range(3))
        self._move, self._drop, self._keep = (_ref(state, lua.REGISTRY) for _ in range(3))
        numbers[layout.LUA_RUN] = _ref(state, lua.REGISTRY)
        for text in PINNED:
            _pushlstring(state, text, len(text))
            _ref(state, lua.REGISTRY)
        _replace(state, lua.GLOBALS)
        numbers[layout.LUA_STATE] = state
        _sethook(state, script_calls.hook.address, MASK_COUNT, HOOK_EVERY)

    def _libraries(self) -> None:
        """Push the function that builds the libraries."""
        careful = f"(function(...)\n{_source('patterns')}\nend)(tools)"
        text = f"local tools = ...\nlocal made = {{}}\ntools.guard_strings({careful})\n"
        for name in LIBRARIES:
            text += f"made.{name} = (function(...)\n{_source(name)}\nend)(tools)\n"
        self._load_text(f"{text}return made".encode(), b"@synap")

    def _chunk(self, name: str) -> None:
        self._load_text(_source(name).encode(), b"@synap")

    def _load_text(self, text: bytes, name: bytes) -> None:
        if _load(self.lua, text, len(text), name):
            raise NotCompiled(self._pop_text())

    def _call(self, given: int, wanted: int) -> None:
        if _pcall(self.lua, given, wanted, 0):
            raise NotCompiled(self._pop_text())

    def _pop_text(self) -> bytes:
        text = self._text(-1)
        _settop(self.lua, -2)
        return text

    def _text(self, place: int, state: Any = None) -> bytes:
        size = _SIZE()
        at = _tolstring(state or self.lua, place, ctypes.byref(size))
        return ctypes.string_at(at, size.value) if at else b""

    # Scripts.

    @contextmanager
    def _never_failing(self) -> Iterator[None]:
        """Let the allocator exceed its limit meanwhile: an error outside of `lua_pcall` would end the process."""
        flags = self._numbers[layout.LUA_FLAGS]
        self._numbers[layout.LUA_FLAGS] = flags | layout.SCRIPT_IN_CALL
        try:
            yield
        finally:
            self._numbers[layout.LUA_FLAGS] = flags

    def keep(self, body: bytes, name: bytes, text: bytes, sha: str, bits: int, seat: int) -> None:
        """Compile the Lua in `body` as the script that EVAL knows by `text` and EVALSHA by `sha`. Raises NotCompiled.

        `name` is what errors call it; `bits` are SCRIPT_*, and `seat` is its place in SCRIPT_USES.
        """
        with self._never_failing():
            _rawgeti(self.lua, lua.REGISTRY, self._keep)
        try:
            self._compile(body, name)
        except NotCompiled:
            _settop(self.lua, 0)
            raise
        with self._never_failing():
            for each in (text, sha.encode()):
                _pushlstring(self.lua, each, len(each))
            _pushnumber(self.lua, bits)
            _pushnumber(self.lua, seat)
            self._call(5, 0)

    def _compile(self, body: bytes, name: bytes) -> None:
        """Push the function of a text of Lua."""
        if body[:1] == b"\x1b":
            raise NotCompiled(b"%b: attempt to load bytecode" % name.lstrip(b"@"))
        _gc(self.lua, STOP, 0)  # the parser does not protect all that it makes
        failed = _load(self.lua, body, len(body), name)
        _gc(self.lua, RESTART, 0)
        if failed:
            with self._never_failing():
                raise NotCompiled(self._pop_text())

    def drop(self, sha: str) -> None:
        """Forget a script; `collect` gives its memory back."""
        self._about(self._drop, sha)

    def move(self, sha: str, seat: int) -> None:
        """Give a script another seat."""
        with self._never_failing():
            _rawgeti(self.lua, lua.REGISTRY, self._move)
            _pushlstring(self.lua, sha.encode(), len(sha))
            _pushnumber(self.lua, seat)
            self._call(2, 0)

    # Libraries.

    def load_library(self, body: bytes, ends: int) -> list[tuple[bytes, bytes | None, bytes]] | bytes | None:
        """Run the text of a library until `ends` (ns of the monotonic clock) at most.

        Return (name, description, flags in one text) of each function that it registers, to be added by `add_library`;
        or the text of the error, None if time or memory has ended it. Raises NotCompiled.
        """
        state, numbers = self.lua, self._numbers
        with self._never_failing():
            _rawgeti(state, lua.REGISTRY, self._load_library)
        try:
            self._compile(body, LIBRARY_NAME)
            numbers[layout.LUA_ENDED], numbers[layout.LUA_DEADLINE] = 0, ends
            numbers[layout.LUA_FLAGS] = layout.SCRIPT_RUNS
            numbers[layout.LUA_BUSY_AT] = numbers[layout.LUA_WORK] = 0
            failed = _pcall(state, 1, MULTIPLE, 0)
            numbers[layout.LUA_FLAGS] = layout.SCRIPT_IN_CALL
            if self.failure is not None:
                failure, self.failure = self.failure, None
                raise failure
            if failed or not _toboolean(state, 1):
                return None if failed or _type(state, 2) != lua.STRING else self._text(2)
            return [self._told(3 * i) for i in range(int(_tonumber(state, 3)))]
        finally:
            numbers[layout.LUA_FLAGS] = 0
            _settop(state, 0)

    def _told(self, first: int) -> tuple[bytes, bytes | None, bytes]:
        """Return what the table on the stack tells of a function in three places."""
        found: list[bytes | None] = []
        for i in range(first + 1, first + 4):
            _rawgeti(self.lua, 2, i)
            found.append(self._text(-1) if _type(self.lua, -1) == lua.STRING else None)
            _settop(self.lua, 3)
        return found[0] or b"", found[1], found[2] or b""

    def add_library(self, name: str) -> None:
        """Make the functions of the library that was loaded last callable, in place of others of its name."""
        self._about(self._add_library, name)

    def remove_library(self, name: str) -> None:
        """Forget the functions of a library."""
        self._about(self._remove_library, name)

    def _about(self, function: int, name: str) -> None:
        """Call one of the functions of `sandbox.lua` with a name."""
        with self._never_failing():
            _rawgeti(self.lua, lua.REGISTRY, function)
            _pushlstring(self.lua, name.encode(), len(name.encode()))
            self._call(1, 0)

    def collect(self) -> None:
        """Free what nothing refers to."""
        with self._never_failing():
            _gc(self.lua, COLLECT, 0)

    @property
    def memory(self) -> int:
        """Return the bytes that the state has."""
        return int(self._numbers[layout.LUA_MEMORY])

    # What Lua calls back.

    def _in_python(self, state: int, count: int) -> int:
        """Carry out the call under way, of `count` words; push its reply and return what it is."""
        try:
            if count < 0:
                raise BrokenNode(f"the kernel of code {-count:#06x} failed in a call of a script")
            reply = self._carry_out(count)
            if isinstance(reply, bytes):
                at = layout.CALL_BLOB * layout.WORD
                self._bytes[at : at + len(reply)] = reply
                return int(script_calls.push_resp(self._words, self._octets, state, at))
            return int(script_calls.push_outcome(self._words, self._octets, state, *reply))
        except BaseException as error:
            self._fail(error)
            _pushnil(state)
            return 0

    def _long(self, state: int, now: int) -> int:
        """Let the engine look after the other clients while a script is long."""
        try:
            assert self._while_long is not None, "its address is not known else"
            self._while_long(now)
        except BaseException as error:
            self._fail(error)
        return 0

    def _fail(self, error: BaseException) -> None:
        """Keep a failure, and end the script."""
        self.failure = self.failure or error
        self._numbers[layout.LUA_ENDED] = script_calls.BY_FAILURE

    def _bridge(self, state: int) -> int:
        """Serve a function of the library `redis`: its name and arguments are on the stack; push what it returns."""
        with self._never_failing():
            self._push(state, self._served(state))
        return 1

    def _served(self, state: int) -> Value:
        try:
            name, *given = [
                _tonumber(state, i) if _type(state, i) == lua.NUMBER and i > 1 else self._text(i, state)
                for i in range(1, _gettop(state) + 1)
            ]
            return self._serve(name, given)
        except BaseException as error:
            self._fail(error)
            return None

    @staticmethod
    def _push(state: int, value: Value) -> None:
        if value is None:
            _pushnil(state)
        elif isinstance(value, bool):
            _pushboolean(state, value)
        else:
            assert isinstance(value, bytes)
            _pushlstring(state, value, len(value))


def _source(name: str) -> str:
    data = pkgutil.get_data(__package__ or "", f"lua/{name}.lua")
    assert data is not None, f"the package lacks {name}.lua"
    return data.decode()
