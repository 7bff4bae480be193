"""The state of Lua of one engine: its world, the functions that it has compiled, and one run of a script.

Lua runs in C and reaches nothing of Python. What it calls back is compiled (`store/scripts/script_calls.py`); only a
call that needs Python comes back here, by the C function `_in_python`, which never raises into Lua: a failure is kept,
and `run` raises it when the script has ended.

Outside of `lua_pcall` a Lua error would end the process. So Python calls only functions that raise none but for lack of
memory, and sets SCRIPT_IN_CALL meanwhile: then the allocator does not report a lack.
"""

import ctypes
import math
import pkgutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from synap.call import Members, Value
from synap.compiler import jit
from synap.faults import BrokenNode, Fault
from synap.store.memory import layout
from synap.store.scripts import library_calls, lua, replies, script_calls

LIBRARIES = ("cjson", "cmsgpack", "struct", "bit")
HOOK_EVERY = 10_000
"""Instructions of Lua between two looks at the clock: some 50 us."""
MASK_COUNT = 8
MULTIPLE = -1
STOP, RESTART, COLLECT = 0, 1, 2
DEPTH_MAX = 64
"""Levels of tables in a reply."""
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
_rawget = _declared("lua_rawget", None, _STATE, _INT)
_replace = _declared("lua_replace", None, _STATE, _INT)
_ref = _declared("luaL_ref", _INT, _STATE, _INT)
_unref = _declared("luaL_unref", None, _STATE, _INT, _INT)
_checkstack = _declared("lua_checkstack", _INT, _STATE, _INT)
_sethook = _declared("lua_sethook", _INT, _STATE, ctypes.c_void_p, _INT, _INT)
_next = _declared("lua_next", _INT, _STATE, _INT)
_gc = _declared("lua_gc", _INT, _STATE, _INT, _INT)


class NotCompiled(Exception):
    """The text of a script is not Lua; the argument is Lua's own error text."""


class State:
    """A state of Lua whose allocator, hook and calls belong to the heap `heap`.

    `carry_out(count)` carries out a call in Python, whose words are in WORDS; it returns the reply as RESP, or (row,
    status) of a kernel. `serve(name, arguments)` does what else the library `redis` needs.
    """

    def __init__(
        self, heap: Any, memory_max: int, carry_out: Callable[[int], bytes | tuple[int, int]],
        serve: Callable[[bytes, list[Any]], Value],
    ) -> None:  # fmt: skip
        self._numbers, self._bytes = heap.numbers, heap.bytes
        self._words, self._octets = heap.words, heap.octets
        self._carry_out, self._serve = carry_out, serve
        self.failure: BaseException | None = None
        jit.load(jit.registered_in([script_calls.__name__, library_calls.__name__]))
        self._functions = _CALLED(self._in_python), _BRIDGE(self._bridge)
        numbers = self._numbers
        numbers[layout.LUA_BASE] = self._words.ctypes.data
        numbers[layout.LUA_LIBRARY_CALL] = library_calls.library_call.address
        numbers[layout.LUA_CALLS] = ctypes.cast(self._functions[0], ctypes.c_void_p).value
        process = ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)
        for register, name in ((layout.LUA_REALLOC, "realloc"), (layout.LUA_FREE, "free")):
            numbers[register] = ctypes.cast(getattr(process, name), ctypes.c_void_p).value
        numbers[layout.LUA_MEMORY], numbers[layout.LUA_MEMORY_MAX] = 0, memory_max
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
            _close(self.lua)
            self.lua = None

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
        libraries = library_calls.library_function, script_calls.has_ended, library_calls.bits, library_calls.octets
        for function in libraries:
            _pushfunction(state, function.address, 0)
        _pushpointer(state, None)
        self._libraries()
        _createtable(state, 2, 0)
        _pushlstring(state, REDIS_VERSION[0], len(REDIS_VERSION[0]))
        _rawseti(state, -2, 1)
        _pushnumber(state, REDIS_VERSION[1])
        _rawseti(state, -2, 2)
        self._call(10, 2)
        self._run = _ref(state, lua.REGISTRY)
        _replace(state, lua.GLOBALS)
        _sethook(state, script_calls.hook.address, MASK_COUNT, HOOK_EVERY)

    def _libraries(self) -> None:
        """Push the function that builds the libraries."""
        text = "local tools = ...\nlocal made = {}\n"
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

    def compile(self, text: bytes, name: bytes) -> int:
        """Compile a script; return the number by which `run` knows it. Raises NotCompiled."""
        if text[:1] == b"\x1b":
            raise NotCompiled(b"%b: attempt to load bytecode" % name.lstrip(b"@"))
        _gc(self.lua, STOP, 0)  # the parser does not protect all that it makes
        failed = _load(self.lua, text, len(text), name)
        _gc(self.lua, RESTART, 0)
        with self._never_failing():
            if failed:
                raise NotCompiled(self._pop_text())
            return int(_ref(self.lua, lua.REGISTRY))

    def forget(self, script: int) -> None:
        """Free a compiled script; `collect` gives its memory back."""
        with self._never_failing():
            _unref(self.lua, lua.REGISTRY, script)

    def collect(self) -> None:
        """Free what nothing refers to."""
        with self._never_failing():
            _gc(self.lua, COLLECT, 0)

    def run(self, script: int, keys: Sequence[bytes], arguments: Sequence[bytes]) -> tuple[bool, Any]:
        """Run a script; return (True, its reply) or (False, (error text or None, source, line))."""
        state = self.lua
        top = _gettop(state)
        self.failure = None
        with self._never_failing():
            self._push_call(script, keys, arguments)
        failed = _pcall(state, 3, MULTIPLE, 0)
        with self._never_failing():
            try:
                if self.failure is not None:
                    raise self.failure
                return self._result(failed, top)
            finally:
                _settop(state, top)

    def _push_call(self, script: int, keys: Sequence[bytes], arguments: Sequence[bytes]) -> None:
        """Push the function that runs a script, the script, and its keys and arguments."""
        state = self.lua
        _rawgeti(state, lua.REGISTRY, self._run)
        _rawgeti(state, lua.REGISTRY, script)
        for texts in (keys, arguments):
            _createtable(state, len(texts), 0)
            for i, text in enumerate(texts, 1):
                _pushlstring(state, text, len(text))
                _rawseti(state, -2, i)

    def _result(self, failed: int, top: int) -> tuple[bool, Any]:
        """Return what `run` returns, from what lies above `top`."""
        state = self.lua
        if failed:  # there was no memory even to explain the error
            return False, (self._text(-1) or None, None, None)
        if _toboolean(state, top + 1):
            return True, self._value(top + 2, 0) if _gettop(state) > top + 1 else None
        told = self._text(top + 2) if _type(state, top + 2) == lua.STRING else None
        source = self._text(top + 3) if _type(state, top + 3) == lua.STRING else None
        line = int(_tonumber(state, top + 4)) if _type(state, top + 4) == lua.NUMBER else None
        return False, (told, source, line)

    @property
    def memory(self) -> int:
        """Return the bytes that the state has."""
        return int(self._numbers[layout.LUA_MEMORY])

    # Values.

    def _value(self, place: int, depth: int, state: Any = None) -> Value:
        """Return the value at a place as the reply that Redis makes of it."""
        state = state or self.lua
        kind = _type(state, place)
        if kind == lua.STRING:
            return self._text(place, state)
        if kind == lua.NUMBER:
            return truncated(_tonumber(state, place))
        if kind == lua.TRUTH:
            true = bool(_toboolean(state, place))
            if self._numbers[layout.LUA_VERSION] == 3:
                return true
            return 1 if true else None
        if kind != lua.TABLE:
            return None
        if depth > DEPTH_MAX or not _checkstack(state, 8):
            return Fault("SCRIPT_ERROR", text="ERR reached lua stack limit")
        return self._table(place, depth, state)

    def _field(self, place: int, name: bytes, state: Any) -> int:
        """Push a field of the table at a place, not asking its metatable; return its type."""
        _pushlstring(state, name, len(name))
        _rawget(state, place)
        return int(_type(state, -1))

    def _table(self, place: int, depth: int, state: Any) -> Value:
        top = _gettop(state)
        try:
            if self._field(place, b"err", state) == lua.STRING:
                return Fault("SCRIPT_ERROR", text=_shown(self._text(-1, state)))
            if self._field(place, b"ok", state) == lua.STRING:
                return _shown(self._text(-1, state))
            if self._field(place, b"double", state) == lua.NUMBER:
                return float(_tonumber(state, -1))
            if self._field(place, b"map", state) == lua.TABLE:
                return dict(self._pairs(_gettop(state), depth, state))
            if self._field(place, b"set", state) == lua.TABLE:
                return Members(key for key, _ in self._pairs(_gettop(state), depth, state))
            if self._field(place, b"big_number", state) == lua.STRING:
                return self._text(-1, state)
            if self._field(place, b"verbatim_string", state) == lua.TABLE:
                inner = _gettop(state)
                if self._field(inner, b"format", state) == lua.STRING and (
                    self._field(inner, b"string", state) == lua.STRING
                ):
                    return self._text(-1, state)
            found: list[Value] = []
            while True:
                _settop(state, top)
                _rawgeti(state, place, len(found) + 1)
                if _type(state, -1) == lua.NIL:
                    return found
                found.append(self._value(_gettop(state), depth + 1, state))
        finally:
            _settop(state, top)

    def _pairs(self, place: int, depth: int, state: Any) -> Any:
        """Yield the keys and values of the table at a place."""
        _pushnil(state)
        while _next(state, place):
            top = _gettop(state)
            yield _hashable(self._value(top - 1, depth + 1, state)), self._value(top, depth + 1, state)
            _settop(state, top - 1)

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
            self.failure = self.failure or error
            self._numbers[layout.LUA_ENDED] = 1
            _pushnil(state)
            return 0

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
            self.failure = self.failure or error
            self._numbers[layout.LUA_ENDED] = 1
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


def truncated(number: float) -> int:
    """Return the integer of 64 bits that C makes of a double."""
    if math.isnan(number) or not -(2.0**63) <= number < 2.0**63:
        return -(1 << 63)
    return int(number)


def _shown(text: bytes) -> str:
    """Return the text of a status or an error, in one line."""
    return text.replace(b"\r", b" ").replace(b"\n", b" ").decode("utf-8", "surrogateescape")


def _hashable(key: Value) -> Any:
    """Return a key that a dict takes: lists and maps as tuples."""
    if isinstance(key, dict):
        key = [part for pair in key.items() for part in pair]
    return tuple(_hashable(part) for part in key) if isinstance(key, list | tuple) else key


def _source(name: str) -> str:
    data = pkgutil.get_data(__package__ or "", f"lua/{name}.lua")
    assert data is not None, f"the package lacks {name}.lua"
    return data.decode()
