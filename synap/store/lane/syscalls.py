"""System calls on sockets for kernels (recv, send, epoll_wait), made without going back to Python.

The functions are those of the C library (Linux), found by name in the process when the code is loaded. None of them
blocks. Offsets are in bytes from the start of a `uint8` array, and are checked where those of `spans` are. A failure is
returned as the negative of its `errno`.
"""

import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from synap.compiler.jit import kernel
from synap.kernels.spans import address_of, load32

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_WAIT_FREE = 0x40  # MSG_DONTWAIT
_NO_SIGNAL = 0x4000  # MSG_NOSIGNAL: a closed peer gives an error, and no SIGPIPE that ends the process

EVENT_BYTES = 12 if platform.machine() in ("x86_64", "AMD64") else 16
"""Size of an epoll event, which is packed on x86."""
DATA_AT = EVENT_BYTES - 8
"""Offset in an event of the number (here the descriptor) that its socket was registered with."""

AGAIN = -11  # EAGAIN: at the moment there is nothing to read, or no space to write


def _or_errno(builder: Any, answer: Any) -> Any:
    """Return `answer` (int64), or the negative errno if it is negative."""
    place = cgutils.alloca_once_value(builder, answer)
    with builder.if_then(builder.icmp_signed("<", answer, _I64(0)), likely=False):
        kind = ir.FunctionType(_I32.as_pointer(), [])
        errno = cgutils.get_or_insert_function(builder.module, kind, "__errno_location")
        builder.store(builder.neg(builder.sext(builder.load(builder.call(errno, [])), _I64)), place)
    return builder.load(place)


def _transfer(name: str, flags: int) -> Any:
    """Return recv or send as an intrinsic: (octets, offset, descriptor, size) -> bytes moved, or a negative errno."""

    def typed(context, octets, offset, descriptor, size):
        signature = types.int64(octets, types.int64, types.int64, types.int64)

        def build(ctx: Any, builder: Any, sig: Any, args: Any) -> Any:
            kind = ir.FunctionType(_I64, [_I32, _I8.as_pointer(), _I64, _I32])
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            place = address_of(ctx, builder, sig, args, 0, 1, args[3])
            descriptor = builder.trunc(args[2], _I32)
            return _or_errno(builder, builder.call(function, [descriptor, place, args[3], _I32(flags)]))

        return signature, build

    return intrinsic(typed)


receive = _transfer("recv", _WAIT_FREE)
"""receive(octets, offset, descriptor, size): the number of bytes read, 0 at the end, or a negative errno."""
send = _transfer("send", _WAIT_FREE | _NO_SIGNAL)
"""send(octets, offset, descriptor, size): the number of bytes sent, or a negative errno."""


@intrinsic
def poll(context, epoll, events, most):
    """Write up to `most` ready events into `events`, EVENT_BYTES each; return their number, or a negative errno."""
    signature = types.int64(types.int64, events, types.int64)

    def build(ctx, builder, sig, args):
        kind = ir.FunctionType(_I32, [_I32, _I8.as_pointer(), _I32, _I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "epoll_wait")
        data = ctx.make_array(sig.args[1])(ctx, builder, args[1]).data
        most = builder.trunc(args[2], _I32)
        found = builder.call(function, [builder.trunc(args[0], _I32), data, most, _I32(0)])
        return _or_errno(builder, builder.sext(found, _I64))

    return signature, build


@kernel
def event(events, index):
    """Return (mask, descriptor) of an event that `poll` has found."""
    at = index * EVENT_BYTES
    return load32(events, at), load32(events, at + DATA_AT)
