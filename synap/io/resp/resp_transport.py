"""The asyncio-like transport of a RESP socket, for everything that an epoll round does not do in a kernel.

The rounds report when the socket is readable or writable. The transport then reads and writes, keeps output that the
peer has not taken, and pauses its connection when too much output waits. `settle` decides whether the kernel may
serve the socket's next input.
"""

import asyncio
import errno
import select
import socket
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from synap.io.connections.states import CLOSING, LIFE, LOST, OPEN, LifeEvent

if TYPE_CHECKING:
    from synap.io.resp.epoll_rounds import Rounds
    from synap.io.resp.resp_connection import RespConnection

READABLE, WRITABLE, GONE = select.EPOLLIN, select.EPOLLOUT, select.EPOLLHUP | select.EPOLLERR
PIECES_MAX = 64  # pieces per call of sendmsg
LARGE, SEND_BUFFER_BYTES = 1 << 17, 1 << 20
"""Output of this size widens the send buffer of a socket that does not take it at once, to this size."""


class RespTransport:
    """The transport of one socket of the epoll rounds; `connection` is its protocol, in asyncio's terms."""

    __slots__ = (
        "_high", "_life", "_low", "_mask", "_paused", "_reading", "_rounds", "_size", "_socket", "_waiting",
        "_widened", "connection", "descriptor",
    )  # fmt: skip

    reads_once = True

    def __init__(self, rounds: "Rounds", sock: socket.socket, connection: "RespConnection") -> None:
        self._rounds, self._socket, self.connection = rounds, sock, connection
        self.descriptor = sock.fileno()
        self._waiting: deque[memoryview] = deque()
        self._size = self._mask = 0
        self._high, self._low = 1 << 16, 1 << 14
        self._life = OPEN
        self._reading = True  # does the connection want input?
        self._widened = False  # was the socket's send buffer made larger?
        self._paused = False  # was the connection told that too much output waits?

    def begin(self) -> None:
        """Start the connection and read."""
        self._rounds.join(self)
        self.connection.connection_made(cast(asyncio.BaseTransport, self))  # it has what connections use
        self._listen()
        self.settle()

    # asyncio's interface of a transport.

    def get_extra_info(self, name: str) -> Any:
        """Return `peername`, `sockname` or the `socket` itself; None once the socket is closed."""
        if name == "socket":
            return None if self._life is LOST else self._socket
        try:
            return self._socket.getpeername() if name == "peername" else self._socket.getsockname()
        except OSError:
            return None

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        """Set the bytes of unsent output at which `pause_writing` (`high`) and `resume_writing` (`low`) are called."""
        self._high, self._low = high, low

    def get_write_buffer_size(self) -> int:
        """Return the bytes of output that the peer has not taken."""
        return self._size

    def is_closing(self) -> bool:
        return self._life is CLOSING or self._life is LOST

    def is_reading(self) -> bool:
        return self._reading

    def pause_reading(self) -> None:
        """Stop reading until `resume_reading`."""
        self._reading = False
        self._listen()

    def resume_reading(self) -> None:
        self._reading = True
        self._listen()

    def write(self, data: bytes) -> None:
        """Send now what the system takes, and the rest when the socket is writable."""
        if self._life is CLOSING or self._life is LOST or not data:
            return
        if not self._waiting:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self._lose(error)
                return
            if sent == len(data):
                return
            if len(data) >= LARGE and not self._widened:
                self._widen()
            rest = memoryview(data)[sent:]
        else:
            rest = memoryview(data)
        self._waiting.append(rest)
        self._size += len(rest)
        self._listen()
        if self._size > self._high and not self._paused:
            self._paused = True
            self.connection.pause_writing()

    def _widen(self) -> None:
        """Let the system take more at once: with its small buffer it takes a reply of 1 MiB in 100 pieces."""
        self._widened = True
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def close(self) -> None:
        """Close the socket after the waiting output is sent."""
        if self.is_closing():
            return
        self._life = LIFE.after(self._life, LifeEvent.CLOSE)
        if self._waiting:
            self._listen()
        else:
            self._lose(None)

    def abort(self) -> None:
        """Close the socket at once."""
        self._lose(None)

    # Called by the epoll rounds.

    def settle(self) -> None:
        """Tell the rounds whether the kernel may serve this socket: only if it has no unfinished state."""
        fast_path = self._life is OPEN and self._reading and not self._waiting
        self._rounds.mark(self.descriptor, fast_path and self.connection.kernel_may_serve)

    def happened(self, mask: int, got: int) -> None:
        """Handle the socket's events in `mask`. `got` is a kernel's result of recv (0: the end; negative: an errno)."""
        if mask & WRITABLE:
            self._drain()
        if self._life is LOST:
            return
        if got < 0:
            self._lose(OSError(-got, errno.errorcode.get(-got, "")))
        elif got == 0:
            self._end()
        elif mask & READABLE and self._reading and self._life is OPEN:
            self._read()
        elif mask & GONE:
            self._lose(None)

    @property
    def idle(self) -> bool:
        """True if output would go to the system at once."""
        life = self._life
        return not (self._waiting or life is CLOSING or life is LOST)

    def unsent(self, data: bytes, sent: int) -> None:
        """Handle a kernel's short send: `sent` bytes of `data` were sent, or the send failed with a negative errno."""
        if sent < 0 and -sent not in (errno.EAGAIN, errno.EINTR):
            self._lose(OSError(-sent, errno.errorcode.get(-sent, "")))
        else:
            self.write(data[max(sent, 0) :])

    def _read(self) -> None:
        try:
            count = self._socket.recv_into(self.connection.get_buffer(-1))
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error)
            return
        if count:
            self.connection.buffer_updated(count)
        else:
            self._end()

    def _end(self) -> None:
        self._life = LIFE.after(self._life, LifeEvent.PEER_ENDS)
        self._listen()
        if not self.connection.eof_received():
            self.close()

    def _drain(self) -> None:
        try:
            while self._waiting:
                sent = self._socket.sendmsg([self._waiting[i] for i in range(min(len(self._waiting), PIECES_MAX))])
                self._size -= sent
                while sent:
                    first = self._waiting[0]
                    if sent < len(first):
                        self._waiting[0] = first[sent:]
                        break
                    sent -= len(first)
                    self._waiting.popleft()
        except BlockingIOError:
            pass
        except OSError as error:
            self._lose(error)
            return
        if self._size <= self._low and self._paused:
            self._paused = False
            self.connection.resume_writing()
        if self._life is LOST:
            return
        if self._life is CLOSING and not self._waiting:
            self._lose(None)
        else:
            self._listen()

    def _listen(self) -> None:
        """Register for the events wanted now; kernels serve no socket that waits for other events than reads."""
        if self._life is LOST:
            return
        reads = self._reading and self._life is OPEN
        mask = (READABLE if reads else 0) | (WRITABLE if self._waiting else 0)
        if mask != READABLE:
            self._rounds.mark(self.descriptor, False)
        if mask != self._mask:
            self._mask = mask
            self._rounds.ask(self.descriptor, mask)

    def _lose(self, error: OSError | None) -> None:
        if self._life is LOST:
            return
        self._life = LIFE.after(self._life, LifeEvent.LOSE)
        self._waiting.clear()
        self._size = 0
        self._rounds.leave(self)
        self._socket.close()
        self._rounds.soon(self.connection.connection_lost, error)
