"""The client's side of queues, streams and pub/sub: compiled loops, the same ones for every protocol.

A broker answers some 100,000 messages a second on one core; a client in Python that looks at each of them
is then what is measured. So the loops are compiled and call `send`, `recv` and `poll` of the C library;
a protocol is no more than a function that finds the end of what came:

    RESP    a reply is one value, however deep: every `*n` adds n values to be skipped
    NATS    a line, and after `MSG ... size` as many bytes
    AMQP    a frame says its size at its head

`duet` keeps `window` messages of a publisher unconfirmed, while a consumer beside it takes and
acknowledges every one. `pump` keeps `window` requests of one size unanswered on one connection; `page`
and `pour` read what one request brings. All wait in `poll`, so that the client costs the server nothing.
"""

import ctypes
import socket

import numba
import numpy as np

_libc = ctypes.CDLL(None)
_send, _recv, _poll, _clock = _libc.send, _libc.recv, _libc.poll, _libc.clock_gettime
_send.argtypes = _recv.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
_send.restype = _recv.restype = ctypes.c_ssize_t
_poll.argtypes, _poll.restype = [ctypes.c_size_t, ctypes.c_ulong, ctypes.c_int], ctypes.c_int
_clock.argtypes, _clock.restype = [ctypes.c_int, ctypes.c_size_t], ctypes.c_int

DONT_WAIT = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
IN, OUT = 1, 4
STALL_MS = 60_000
"""So long without a byte from either side, and the run has failed."""
BUFFER_BYTES = 1 << 20
RESP, AMQP, NATS = 0, 1, 2
REFUSED, CLOSED, STALLED, STRANGE = -1, -2, -3, -4
WHY = {REFUSED: "the server refused", CLOSED: "the server closed the connection",
       STALLED: f"nothing came for {STALL_MS} ms", STRANGE: "the server answered what was not asked"}
ASTERISK, DOLLAR, MINUS, PERCENT, LINE_FEED, SPACE, NINE, ZERO = b"*$-%\n 90"


@numba.njit(nogil=True)
def now_ns(clock):
    _clock(1, clock.ctypes.data)
    return clock[0] * 1_000_000_000 + clock[1]


@numba.njit(nogil=True)
def wait_for(links, events, asks):
    """Sleep until one of the sockets can be read (or written, where asked); False after a stall."""
    for i in range(len(links)):
        events[2 * i] = links[i]
        events[2 * i + 1] = IN | (OUT if asks[i] else 0)
    return _poll(events.ctypes.data, len(links), STALL_MS) > 0


@numba.njit(nogil=True)
def number_at(buffer, at):
    """The decimal that starts here (with a sign, if any)."""
    sign, value = 1, 0
    if buffer[at] == MINUS:
        sign, at = -1, at + 1
    while ZERO <= buffer[at] <= NINE:
        value = value * 10 + buffer[at] - ZERO
        at += 1
    return sign * value


@numba.njit(nogil=True)
def line_end(buffer, at, stop):
    """Behind the line that starts here; -1 if it has not come whole."""
    while at < stop:
        if buffer[at] == LINE_FEED:
            return at + 1
        at += 1
    return -1


@numba.njit(nogil=True)
def resp_skip(buffer, at, stop, left):
    """Skip `left` values: (behind the last whole piece, values that are still to come)."""
    while left > 0:
        after = line_end(buffer, at, stop)
        if after < 0:
            break
        kind = buffer[at]
        if kind == DOLLAR:
            size = number_at(buffer, at + 1)
            if size >= 0:
                after += size + 2
                if after > stop:
                    break
        elif kind == ASTERISK:
            left += max(0, number_at(buffer, at + 1))
        elif kind == PERCENT:
            left += 2 * number_at(buffer, at + 1)
        at = after
        left -= 1
    return at, left


@numba.njit(nogil=True)
def nats_end(buffer, at, stop):
    """(behind the next line and its payload or -1, where the payload starts, its size or -1 if none)."""
    after = line_end(buffer, at, stop)
    if after < 0:
        return -1, 0, 0
    if buffer[at] != 77 and buffer[at] != 72:  # M(SG), H(MSG)
        return after, 0, -1
    word = after - 2
    while buffer[word - 1] != SPACE:
        word -= 1
    size = number_at(buffer, word)
    return (after + size + 2 if after + size + 2 <= stop else -1), after, size


@numba.njit(nogil=True)
def send_some(link, blob, sent, stop):
    """Send blob[sent:stop] as far as it goes; how far."""
    while sent < stop:
        done = _send(link, blob.ctypes.data + sent, stop - sent, DONT_WAIT)
        if done <= 0:
            break
        sent += done
    return sent


@numba.njit(nogil=True)
def shift(buffer, at, stop):
    """Move what is not read yet to the front; how much that is."""
    for i in range(stop - at):
        buffer[i] = buffer[at + i]
    return stop - at


@numba.njit(nogil=True)
def pump(link, unit, unit_bytes, answers, window, count, kind, clock):
    """Send `count` units, at most `window` of them without their `answers` answers; ns it took, or why not.

    `unit` holds `window` equal units. RESP: an answer is a value; NATS: a message to our inbox.
    """
    buffer = np.empty(BUFFER_BYTES, np.uint8)
    events, links, asks = np.zeros(2, np.int32), np.full(1, link, np.int32), np.zeros(1, np.bool_)
    start = now_ns(clock)
    issued, answered, filled, left, sent, stop = 0, 0, 0, 0, 0, 0
    while answered < count * answers:
        room = min(window - (issued - answered // answers), count - issued)
        if sent == stop and room > 0:
            issued += room
            sent, stop = 0, room * unit_bytes
        sent = send_some(link, unit, sent, stop)
        asks[0] = sent < stop
        if not wait_for(links, events, asks):
            return STALLED
        got = _recv(link, buffer.ctypes.data + filled, BUFFER_BYTES - filled, DONT_WAIT)
        if got == 0:
            return CLOSED
        if got < 0:
            continue
        filled += got
        at = 0
        while True:
            if kind == RESP:
                if at < filled and buffer[at] == MINUS:
                    return REFUSED
                if left == 0:
                    left = 1
                at, left = resp_skip(buffer, at, filled, left)
                if left:
                    break
                answered += 1
            else:
                after, payload, size = nats_end(buffer, at, filled)
                if after < 0:
                    break
                at = after
                if size >= 0:
                    if size < 3 or buffer[payload + 2] == 101:  # {"error": ...
                        return REFUSED
                    answered += 1
        filled = shift(buffer, at, filled)
    return now_ns(clock) - start


@numba.njit(nogil=True)
def page(link, buffer):
    """Read one RESP answer whole into the buffer, which must hold it; its bytes, or why not."""
    events, links, asks = np.zeros(2, np.int32), np.full(1, link, np.int32), np.zeros(1, np.bool_)
    filled, at, left = 0, 0, 1
    while left:
        if filled == len(buffer):
            return STRANGE
        if not wait_for(links, events, asks):
            return STALLED
        got = _recv(link, buffer.ctypes.data + filled, len(buffer) - filled, DONT_WAIT)
        if got == 0:
            return CLOSED
        filled += max(0, got)
        if filled and buffer[0] == MINUS:
            return REFUSED
        at, left = resp_skip(buffer, at, filled, left)
    return filled if at == filled else STRANGE


@numba.njit(nogil=True)
def pour(link, count):
    """Read `count` messages of NATS; that many, or why not. A status (HMSG) is no message."""
    buffer = np.empty(BUFFER_BYTES, np.uint8)
    events, links, asks = np.zeros(2, np.int32), np.full(1, link, np.int32), np.zeros(1, np.bool_)
    filled, done = 0, 0
    while done < count:
        if not wait_for(links, events, asks):
            return STALLED
        got = _recv(link, buffer.ctypes.data + filled, BUFFER_BYTES - filled, DONT_WAIT)
        if got == 0:
            return CLOSED
        filled += max(0, got)
        at = 0
        while True:
            after, _, size = nats_end(buffer, at, filled)
            if after < 0:
                break
            if size >= 0 and buffer[at] == 72:
                return REFUSED
            done += size >= 0
            at = after
        filled = shift(buffer, at, filled)
    return done


def checked(result: int) -> int:
    """What a loop answered, or the reason why it stopped, raised."""
    if result < 0:
        raise RuntimeError(WHY[result])
    return result
