"""What the libraries of scripts call back: operations on 32 bits, the bytes of numbers, and calls of Lua functions as C
functions."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from synap.compiler.jit import c_function, kernel, outlined
from synap.kernels.spans import bits_of, real_of, view
from synap.store.memory.layout import LUA_BASE, LUA_LIBRARY_CALL, LUA_OCTETS, LUA_SIZE
from synap.store.scripts import lua

CALL_FUNCTION = types.int32(types.int64)
BARE, WRONG_ARGUMENT = 0, 1
"""First bytes of the text of an error that `call_own_value` takes."""
_I64 = ir.IntType(64)


@intrinsic
def single_of(context, value):
    """Return the bits of a number as float32."""

    def build(ctx, builder, sig, args):
        return builder.zext(builder.bitcast(builder.fptrunc(args[0], ir.FloatType()), ir.IntType(32)), _I64)

    return types.int64(types.float64), build


@intrinsic
def real_of_single(context, bits):
    """Return the number whose bits as float32 are the low 32 of an int64."""

    def build(ctx, builder, sig, args):
        single = builder.bitcast(builder.trunc(args[0], ir.IntType(32)), ir.FloatType())
        return builder.fpext(single, ir.DoubleType())

    return types.float64(types.int64), build


@outlined
def call_own_value(state):
    """Call the function that is the first own value of the C function that runs, with its arguments; return the number
    of results.

    The text of an error begins with the place of the call. But a text that begins with BARE stays as it is behind that
    byte, and one that begins with WRONG_ARGUMENT and two bytes for a number is the reason why this argument is wrong.
    """
    count = lua.top(state)
    lua.push_copy(state, lua.OWN_VALUE)
    lua.insert(state, 1)
    if lua.try_call(state, count, lua.EVERY, 0):
        if lua.kind(state, -1) == lua.STRING:
            at = lua.heap_of(state)
            words = view(at, 1 << 58)
            heap = view(lua.octets_at(at), 1 << 58)
            start = lua.text(state, -1, words[LUA_BASE] + LUA_SIZE * 8)
            size = words[LUA_SIZE]
            lua.copy_in(heap, LUA_OCTETS * 8, start, min(size, 3))
            if size >= 3 and heap[LUA_OCTETS * 8] == WRONG_ARGUMENT:
                number = int(heap[LUA_OCTETS * 8 + 1]) * 256 + int(heap[LUA_OCTETS * 8 + 2])
                lua.raise_argument(state, number, start + 3)
            elif size and heap[LUA_OCTETS * 8] == BARE:
                lua.push_text(state, start + 1, size - 1)
            else:
                lua.push_place(state, 1)
                lua.insert(state, -2)
                lua.concat(state, 2)
        lua.raise_error(state)
    return lua.top(state)


@c_function(CALL_FUNCTION)
def library_call(state):
    """Call a function of a library that is written in Lua.

    To the script it is a C function, as in Redis: `return f()` is a call like any other.
    """
    return call_own_value(state)


@c_function(CALL_FUNCTION)
def library_function(state):
    """Return to Lua the C function that calls the Lua function on the stack as `library_call` does."""
    words = view(lua.heap_of(state), 1 << 58)
    lua.push_function(state, words[LUA_LIBRARY_CALL], 1)
    return 1


TO_BITS = 6755399441055744.0  # 1.5 * 2**52: its sum with a number has the number's low 32 bits as its own
TOBIT, BNOT, BSWAP, BAND, BOR, BXOR, LSHIFT, RSHIFT, ARSHIFT, ROL, ROR = range(11)
"""Operations on 32 bits, in the order of engine/scripts/lua/bit.lua."""
LOW_32 = (1 << 32) - 1


@kernel
def signed_32(value):
    """Return the low 32 bits as a number with a sign."""
    value &= LOW_32
    return value - (1 << 32) if value >> 31 else value


@kernel
def on_bits(operation, a, b):
    """Return the result of one operation on 32 bits, as a number with a sign."""
    n = b & 31
    if operation == BNOT:
        return signed_32(~a)
    if operation == BSWAP:
        return signed_32((a & 0xFF) << 24 | (a & 0xFF00) << 8 | (a >> 8) & 0xFF00 | (a >> 24) & 0xFF)
    if operation == BAND:
        return signed_32(a & b)
    if operation == BOR:
        return signed_32(a | b)
    if operation == BXOR:
        return signed_32(a ^ b)
    if operation == LSHIFT:
        return signed_32(a << n)
    if operation == RSHIFT:
        return signed_32((a & LOW_32) >> n)
    if operation == ARSHIFT:
        return signed_32(signed_32(a) >> n)
    if operation == ROL:
        return signed_32(a << n | (a & LOW_32) >> (32 - n))
    if operation == ROR:
        return signed_32((a & LOW_32) >> n | a << (32 - n))
    return signed_32(a) if operation == TOBIT else 0


@c_function(CALL_FUNCTION)
def bits(state):
    """Do one operation on 32 bits for the library `bit`: its number and two numbers are on the stack."""
    a = bits_of(lua.number(state, 2) + TO_BITS)
    b = bits_of(lua.number(state, 3) + TO_BITS)
    lua.push_number(state, float(on_bits(int(lua.number(state, 1)), a, b)))
    return 1


@c_function(CALL_FUNCTION)
def octets(state):
    """Turn a number into the bytes of a float32 (form 0) or float64 (1), lowest first, or such bytes into a number."""
    at = lua.heap_of(state)
    words = view(at, 1 << 58)
    heap = view(lua.octets_at(at), 1 << 58)
    double = lua.number(state, 1) != 0
    size_at = words[LUA_BASE] + LUA_SIZE * 8
    if lua.kind(state, 2) == lua.STRING:
        words[LUA_OCTETS] = 0
        source = lua.text(state, 2, size_at)
        lua.copy_in(heap, LUA_OCTETS * 8, source, min(words[LUA_SIZE], 8 if double else 4))
        bits = words[LUA_OCTETS]
        lua.push_number(state, real_of(bits) if double else real_of_single(bits))
    else:
        value = lua.number(state, 2)
        words[LUA_OCTETS] = bits_of(value) if double else single_of(value)
        lua.push_text(state, words[LUA_BASE] + LUA_OCTETS * 8, 8 if double else 4)
    return 1
