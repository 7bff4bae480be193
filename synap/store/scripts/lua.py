"""The C functions of Lua 5.1, for kernels and for Python.

The library is the one within the package `lupa`, which has all of Lua's C interface; nothing else of that package is
used. Kernels call its functions by name. A state (`lua_State *`) is an int64. Places on its stack are as in Lua: 1 is
the lowest, -1 the highest. The heap of a state is the `ud` of its allocator, so what Lua calls back finds it in any
state. Source: Lua 5.1 Reference Manual, section 3.
"""

import ctypes
import glob
import importlib.util
from pathlib import Path
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

NIL, TRUTH, POINTER, NUMBER, STRING, TABLE, FUNCTION, _, THREAD = range(9)
"""Types of values, as `kind` returns them."""
REGISTRY, GLOBALS = -10000, -10002
OWN_VALUE = GLOBALS - 1
"""The place of the first value of the C function that runs."""
EVERY = -1
"""As many results as there are."""

_I32, _I64, _F64, _VOID = ir.IntType(32), ir.IntType(64), ir.DoubleType(), ir.VoidType()
_PREFIX = "synap_"


def library_path() -> str:
    """Return the file of the library. Raises ImportError if `lupa` has none for this Python."""
    spec = importlib.util.find_spec("lupa")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(glob.glob(str(Path(glob.escape(folder)) / "lua51*"))):
            return path
    raise ImportError("wanted the library of Lua 5.1 in the package lupa, found none")


LIBRARY = ctypes.CDLL(library_path())


def _function(name: str, result: Any, *kinds: Any) -> tuple[Any, Any]:
    """Return (signature, builder) of a call of a C function with arguments and a result of these LLVM types."""
    given = [types.float64 if kind is _F64 else types.int64 for kind in kinds]
    returned = types.float64 if result is _F64 else types.int64

    def build(ctx: Any, builder: Any, sig: Any, args: Any) -> Any:
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, kinds), _PREFIX + name)
        passed = [builder.trunc(each, _I32) if kind is _I32 else each for each, kind in zip(args, kinds, strict=True)]
        made = builder.call(function, passed)
        if result is _I32:
            return builder.sext(made, _I64)
        return _I64(0) if result is _VOID else made

    binding.add_symbol(_PREFIX + name, ctypes.cast(getattr(LIBRARY, name), ctypes.c_void_p).value)
    return returned(*given), build


def _of_state(name: str, result: Any) -> Any:
    found = _function(name, result, _I64)
    return intrinsic(lambda context, state: found)


def _with_one(name: str, result: Any, kind: Any) -> Any:
    found = _function(name, result, _I64, kind)
    return intrinsic(lambda context, state, first: found)


def _with_two(name: str, result: Any, first_kind: Any, second_kind: Any) -> Any:
    found = _function(name, result, _I64, first_kind, second_kind)
    return intrinsic(lambda context, state, first, second: found)


def _with_three(name: str, result: Any, *kinds: Any) -> Any:
    found = _function(name, result, _I64, *kinds)
    return intrinsic(lambda context, state, first, second, third: found)


top = _of_state("lua_gettop", _I32)
"""top(state): the number of values on the stack."""
set_top = _with_one("lua_settop", _VOID, _I32)
"""set_top(state, place): drop the values above a place; -1 - n drops n values."""
kind = _with_one("lua_type", _I32, _I32)
"""kind(state, place): the type of a value, NIL to THREAD or another number."""
text = _with_two("lua_tolstring", _I64, _I32, _I64)
"""text(state, place, size_at): the address of a string's bytes; its size is written to the address `size_at`."""
number = _with_one("lua_tonumber", _F64, _I32)
"""number(state, place): a number as float64."""
thread = _with_one("lua_tothread", _I64, _I32)
"""thread(state, place): the state of a coroutine."""
push_nil = _of_state("lua_pushnil", _VOID)
push_number = _with_one("lua_pushnumber", _VOID, _F64)
push_truth = _with_one("lua_pushboolean", _VOID, _I32)
push_text = _with_two("lua_pushlstring", _VOID, _I64, _I64)
"""push_text(state, address, size): push a copy of these bytes."""
push_table = _with_two("lua_createtable", _VOID, _I32, _I32)
"""push_table(state, members, fields): push an empty table with space for so many."""
set_index = _with_two("lua_rawseti", _VOID, _I32, _I32)
"""set_index(state, place, index): pop a value into the table at `place`, under an integer."""
set_pair = _with_one("lua_rawset", _VOID, _I32)
"""set_pair(state, place): pop a value and the key below it into the table at `place`."""
set_field = _with_two("lua_setfield", _VOID, _I32, _I64)
"""set_field(state, place, name): pop a value into the table at `place`, under the C string at address `name`."""
push_index = _with_two("lua_rawgeti", _VOID, _I32, _I32)
"""push_index(state, place, index): push what the table at `place` has under an integer."""
replace_key = _with_one("lua_rawget", _VOID, _I32)
"""replace_key(state, place): replace the key on top by what the table at `place` has under it."""
next_pair = _with_one("lua_next", _I32, _I32)
"""next_pair(state, place): replace the key on top by the next key and its value; 0 and no more key at the end."""
pointer = _with_one("lua_touserdata", _I64, _I32)
"""pointer(state, place): the address that `push_pointer` has pushed."""
push_pointer = _with_one("lua_pushlightuserdata", _VOID, _I64)
function_address = _with_one("lua_tocfunction", _I64, _I32)
"""function_address(state, place): the address of a C function."""
truth = _with_one("lua_toboolean", _I32, _I32)
"""truth(state, place): 0 for nil and false, else 1."""
has_stack = _with_one("lua_checkstack", _I32, _I32)
"""has_stack(state, more): 1 if the stack has or gets space for so many more values."""
push_copy = _with_one("lua_pushvalue", _VOID, _I32)
"""push_copy(state, place): push the value at a place once more."""
insert = _with_one("lua_insert", _VOID, _I32)
"""insert(state, place): move the value on top to a place, above which the others move up."""
concat = _with_one("lua_concat", _VOID, _I32)
"""concat(state, count): replace so many strings on top by one."""
push_place = _with_one("luaL_where", _VOID, _I32)
"""push_place(state, level): push the text `name:line: ` of the function at this level of calls, or an empty one."""
push_function = _with_two("lua_pushcclosure", _VOID, _I64, _I32)
"""push_function(state, address, count): push a C function with so many values, which are popped, as its own."""
try_call = _with_three("lua_pcall", _I32, _I32, _I32, _I32)
"""try_call(state, given, wanted, handler): call a function below its arguments; 0, or an error is on top."""
raise_error = _of_state("lua_error", _I32)
"""raise_error(state): raise the value on top as an error. It does not return: what called Lua goes on."""
raise_argument = _with_two("luaL_argerror", _I32, _I32, _I64)
"""raise_argument(state, number, text): raise the error of a wrong argument of the C function that runs; the reason is
the C string at address `text`. It does not return either."""
control_garbage = _with_two("lua_gc", _I32, _I32, _I32)
"""control_garbage(state, what, data): COLLECT frees what nothing refers to."""
COLLECT = 2
_ask_heap = _function("lua_getallocf", _I64, _I64, _I64)[1]


@intrinsic
def heap_of(context, state):
    """Return the address of the first word of a state's heap, as a pointer."""
    signature = types.CPointer(types.int64)(types.int64)

    def built(ctx, builder, sig, args):
        place = cgutils.alloca_once(builder, _I64)
        _ask_heap(ctx, builder, sig, [args[0], builder.ptrtoint(place, _I64)])
        return builder.inttoptr(builder.load(place), _I64.as_pointer())

    return signature, built


@intrinsic
def octets_at(context, words):
    """Return the pointer to words as a pointer to bytes."""
    byte = ir.IntType(8).as_pointer()
    signature = types.CPointer(types.uint8)(words)
    return signature, lambda ctx, builder, sig, args: builder.bitcast(args[0], byte)


@intrinsic
def copy_in(context, octets, target, source, size):
    """Copy `size` bytes from the address `source` into the array, from `target` on."""
    signature = types.void(octets, types.int64, types.int64, types.int64)

    def build(ctx, builder, sig, args):
        data = ctx.make_array(sig.args[0])(ctx, builder, args[0]).data
        cgutils.raw_memcpy(builder, builder.gep(data, [args[1]]), builder.inttoptr(args[2], data.type), args[3], 1)
        return ctx.get_dummy_value()

    return signature, build


@intrinsic
def as_words(context, address):
    """Return an address as a pointer to words."""
    signature = types.CPointer(types.int64)(types.int64)
    return signature, lambda ctx, builder, sig, args: builder.inttoptr(args[0], _I64.as_pointer())
