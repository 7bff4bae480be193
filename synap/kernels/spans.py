"""Spans of bytes in one flat array: copy, compare, load and prefetch by LLVM intrinsics.

numba cannot vectorise a loop whose source and target may be the same array, and has no unaligned load. Measured on
spans inside one array: byte loop 1.0 GB/s, slice assignment 2.4 GB/s, `llvm.memmove` above 40 GB/s. So spans are
copied, compared, loaded and prefetched through the intrinsics of this file. Except for the system calls in
`store/lane/syscalls.py`, no other file of the package builds LLVM instructions.

Offsets are in bytes from the start of a `uint8` array, sizes in bytes. Nothing is checked, except in code compiled with
bounds checks (`jit.CHECKED`), where a span that leaves its array raises an IndexError.
"""

import time
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj

from synap.compiler.digests import CHECKED
from synap.compiler.jit import DOOR, KIND_DOOR, kernel

_MONOTONIC = getattr(time, "CLOCK_MONOTONIC", 0)
_I8, _I32, _I64, _I128 = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.IntType(128)
_NO = ir.Constant(ir.IntType(1), 0)


def address_of(context: Any, builder: Any, signature: Any, args: Any, array: int, offset: int, size: Any = None) -> Any:
    """Return the address of `args[array][args[offset]]`, where `size` bytes (an IR value) will be read or written."""
    given = context.make_array(signature.args[array])(context, builder, args[array])
    if CHECKED and size is not None:
        start, none = args[offset], _I64(0)
        outside = builder.icmp_signed(">", start, builder.sub(given.nitems, size))
        for value in (start, size):
            outside = builder.or_(outside, builder.icmp_signed("<", value, none))
        with cgutils.if_unlikely(builder, builder.and_(outside, builder.icmp_signed("!=", size, none))):
            context.call_conv.return_user_exc(builder, IndexError, ("a span that is not within its array",))
    return builder.gep(given.data, [args[offset]])


@intrinsic
def move(context, octets, target, source, size):
    """Copy `size` bytes inside one array; the spans may overlap."""
    signature = types.void(octets, types.int64, types.int64, types.int64)

    def build(ctx, builder, sig, args):
        cgutils.raw_memmove(
            builder, address_of(ctx, builder, sig, args, 0, 1, args[3]),
            address_of(ctx, builder, sig, args, 0, 2, args[3]), args[3], 1,
        )
        return ctx.get_dummy_value()

    return signature, build


@intrinsic
def copy_out(context, octets, source, other, target, size):
    """Copy `size` bytes that begin at `source` into another array, from `target` on."""
    signature = types.void(octets, types.int64, other, types.int64, types.int64)

    def build(ctx, builder, sig, args):
        cgutils.raw_memcpy(
            builder, address_of(ctx, builder, sig, args, 2, 3, args[4]),
            address_of(ctx, builder, sig, args, 0, 1, args[4]), args[4], 1,
        )
        return ctx.get_dummy_value()

    return signature, build


@intrinsic
def fill(context, octets, target, value, size):
    """Set `size` bytes from `target` on to `value`."""
    signature = types.void(octets, types.int64, types.int64, types.int64)

    def build(ctx, builder, sig, args):
        byte = builder.trunc(args[2], _I8)
        cgutils.memset(builder, address_of(ctx, builder, sig, args, 0, 1, args[3]), args[3], byte)
        return ctx.get_dummy_value()

    return signature, build


@intrinsic
def load64(context, octets, offset):
    """Return the eight bytes at any offset as an int64, lowest byte first."""
    signature = types.int64(octets, types.int64)

    def build(ctx, builder, sig, args):
        value = builder.load(builder.bitcast(address_of(ctx, builder, sig, args, 0, 1, _I64(8)), _I64.as_pointer()))
        value.align = 1
        return value

    return signature, build


@intrinsic
def store64(context, octets, offset, value):
    """Write an int64 at any offset, lowest byte first."""
    signature = types.void(octets, types.int64, types.int64)

    def build(ctx, builder, sig, args):
        place = builder.bitcast(address_of(ctx, builder, sig, args, 0, 1, _I64(8)), _I64.as_pointer())
        builder.store(args[2], place).align = 1
        return ctx.get_dummy_value()

    return signature, build


@intrinsic
def load32(context, octets, offset):
    """Return the four bytes at any offset, lowest byte first, as an int64 from 0 to 2**32 - 1."""
    signature = types.int64(octets, types.int64)

    def build(ctx, builder, sig, args):
        value = builder.load(builder.bitcast(address_of(ctx, builder, sig, args, 0, 1, _I64(4)), _I32.as_pointer()))
        value.align = 1
        return builder.zext(value, _I64)

    return signature, build


@intrinsic
def store32(context, octets, offset, value):
    """Write the low 32 bits of `value` at any offset, lowest byte first."""
    signature = types.void(octets, types.int64, types.int64)

    def build(ctx, builder, sig, args):
        place = builder.bitcast(address_of(ctx, builder, sig, args, 0, 1, _I64(4)), _I32.as_pointer())
        builder.store(builder.trunc(args[2], _I32), place).align = 1
        return ctx.get_dummy_value()

    return signature, build


@intrinsic
def fold(context, a, b):
    """Return the xor of the two halves of the 128-bit product of two int64, taken as unsigned."""
    signature = types.int64(types.int64, types.int64)

    def build(ctx, builder, sig, args):
        product = builder.mul(builder.zext(args[0], _I128), builder.zext(args[1], _I128))
        high = builder.trunc(builder.lshr(product, ir.Constant(_I128, 64)), _I64)
        return builder.xor(builder.trunc(product, _I64), high)

    return signature, build


@intrinsic
def bits_of(context, real):
    """Return the 64 bits of a float64 as an int64."""
    return types.int64(types.float64), lambda ctx, builder, sig, args: builder.bitcast(args[0], _I64)


@intrinsic
def real_of(context, bits):
    """Return the float64 that has the 64 bits of an int64."""
    return types.float64(types.int64), lambda ctx, builder, sig, args: builder.bitcast(args[0], ir.DoubleType())


@intrinsic
def bare(context, array):
    """Return the array without its owner, so that passing it on counts no references.

    An array that comes from Python carries a counter that numba raises and lowers, atomically, around calls that it
    does not inline: a fifth of the lane's time, measured. Every border function begins with `bare`; its caller keeps
    the array alive.
    """

    def build(ctx, builder, sig, args):
        given = ctx.make_array(sig.args[0])(ctx, builder, args[0])
        given.meminfo = ir.Constant(given.meminfo.type, None)
        given.parent = ir.Constant(given.parent.type, None)
        return given._getvalue()

    return array(array), build


@intrinsic
def view(context, at, size):
    """Return the array of `size` items at the address `at`, which somebody else keeps alive."""
    signature = types.Array(at.dtype, 1, "C")(at, types.int64)

    def build(ctx, builder, sig, args):
        made = ctx.make_array(sig.return_type)(ctx, builder)
        item = ctx.get_constant(types.intp, ctx.get_abi_sizeof(ctx.get_data_type(at.dtype)))
        arrayobj.populate_array(made, args[0], [args[1]], [item], item, None)
        return made._getvalue()

    return signature, build


@intrinsic
def prefetch(context, words, index):
    """Prefetch the cache line of `words[index]`; never faults, and returns without waiting."""
    signature = types.void(words, types.int64)

    def build(ctx, builder, sig, args):
        place = builder.bitcast(address_of(ctx, builder, sig, args, 0, 1), _I8.as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [_I8.as_pointer(), _I32, _I32, _I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [place, _I32(0), _I32(3), _I32(1)])
        return ctx.get_dummy_value()

    return signature, build


@intrinsic
def call_door(context, address, words, octets, code, tape, now, seq, reply):
    """Call the door at `address` (see `jit.DOOR`) with the two views of the heap, and return its status."""
    signature = types.int64(
        types.int64, words, octets, types.int64, types.int64, types.int64, types.int64, types.int64
    )

    def build(ctx, builder, sig, args):
        w = ctx.make_array(sig.args[1])(ctx, builder, args[1])
        o = ctx.make_array(sig.args[2])(ctx, builder, args[2])
        kind = ir.FunctionType(_I64, [w.data.type, o.data.type] + [_I64] * (len(DOOR.args) - 2))
        function = builder.inttoptr(args[0], kind.as_pointer())
        return builder.call(function, [w.data, o.data, w.nitems, *args[3:]])

    return signature, build


@intrinsic
def call_kind(context, address, words, octets, notes, question, ref, a, b, c):
    """Call the door of a kind at `address` (see `jit.KIND_DOOR`) with the caller's array `notes`; return the answer."""
    signature = types.int64(types.int64, words, octets, notes, *[types.int64] * 5)

    def build(ctx, builder, sig, args):
        w, o, n = (ctx.make_array(sig.args[i])(ctx, builder, args[i]) for i in (1, 2, 3))
        given = [w.data, o.data, w.nitems, n.data, *args[4:]]
        kind = ir.FunctionType(_I64, [each.type for each in given])
        assert len(given) == len(KIND_DOOR.args)
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), given)

    return signature, build


@intrinsic
def call_codec(context, address, octets, source, size, target, capacity):
    """Call the C function int64 (source*, size, target*, capacity) at `address`; both spans lie in `octets`."""
    signature = types.int64(types.int64, octets, types.int64, types.int64, types.int64, types.int64)

    def build(ctx, builder, sig, args):
        source = address_of(ctx, builder, sig, args, 1, 2, args[3])
        target = address_of(ctx, builder, sig, args, 1, 4, args[5])
        kind = ir.FunctionType(_I64, [source.type, _I64, target.type, _I64])
        function = builder.inttoptr(args[0], kind.as_pointer())
        return builder.call(function, [source, args[3], target, args[5]])

    return signature, build


@intrinsic
def call_clock(context, address):
    """Return the monotonic clock in ns (int64), read by the C function `clock_gettime` at `address`."""

    def build(ctx, builder, sig, args):
        pair = ir.ArrayType(_I64, 2)
        place = cgutils.alloca_once(builder, pair)
        kind = ir.FunctionType(_I32, [_I32, pair.as_pointer()])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [_I32(_MONOTONIC), place])
        seconds = builder.load(builder.gep(place, [_I32(0), _I32(0)]))
        rest = builder.load(builder.gep(place, [_I32(0), _I32(1)]))
        return builder.add(builder.mul(seconds, _I64(1_000_000_000)), rest)

    return types.int64(types.int64), build


@kernel
def same(octets, a, b, size):
    """Return True if the `size` bytes at `a` and at `b` are equal."""
    end = a + size
    while a + 8 <= end:
        if load64(octets, a) != load64(octets, b):
            return False
        a += 8
        b += 8
    while a < end:
        if octets[a] != octets[b]:
            return False
        a += 1
        b += 1
    return True


@kernel
def order(octets, a, a_size, b, b_size):
    """Compare two spans in the order of bytes, a prefix first (`memcmp`, then the sizes); return -1, 0 or 1."""
    size = min(a_size, b_size)
    i = 0
    while i + 8 <= size and load64(octets, a + i) == load64(octets, b + i):
        i += 8
    while i < size:
        if octets[a + i] != octets[b + i]:
            return -1 if octets[a + i] < octets[b + i] else 1
        i += 1
    if a_size == b_size:
        return 0
    return -1 if a_size < b_size else 1


@intrinsic
def multiply_high(context, a, b):
    """Return the high 64 bits of the 128-bit product of two int64, taken as unsigned."""
    signature = types.int64(types.int64, types.int64)

    def build(ctx, builder, sig, args):
        product = builder.mul(builder.zext(args[0], _I128), builder.zext(args[1], _I128))
        return builder.trunc(builder.lshr(product, ir.Constant(_I128, 64)), _I64)

    return signature, build


@intrinsic
def ones(context, word):
    """Return how many of the 64 bits of an int64 are set."""
    return types.int64(types.int64), lambda ctx, builder, sig, args: builder.ctpop(args[0])


@intrinsic
def leading_zeros(context, word):
    """Return how many bits above the highest set bit of an int64 are clear; 64 for 0."""
    return types.int64(types.int64), lambda ctx, builder, sig, args: builder.ctlz(args[0], _NO)


@intrinsic
def trailing_zeros(context, word):
    """Return how many bits below the lowest set bit of an int64 are clear; 64 for 0."""
    return types.int64(types.int64), lambda ctx, builder, sig, args: builder.cttz(args[0], _NO)


@intrinsic
def mirrored(context, word):
    """Return the eight bytes of an int64 in the opposite order."""
    return types.int64(types.int64), lambda ctx, builder, sig, args: builder.bswap(args[0])
