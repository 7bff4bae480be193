"""A publisher and a consumer of one queue in one loop, over RESP or AMQP (see `loops.py`).

The publisher has at most `window` messages that the server has not confirmed. The consumer holds at most
`window` messages that it has not settled, and acknowledges each one by itself:

    AMQP   the broker pushes (prefetch = window); every delivery is answered with a `basic.ack`
    RESP   rounds: the acknowledgements of the last round and as many QUEUE.CONSUME as it brought go out in
           one write; twice as many when none came back empty; after a round without any message a single
           QUEUE.CONSUME ... WAIT, where the server knows that word
"""

import socket
import time

import amqp
import numba
import numpy as np
from client import encode
from loops import (
    AMQP,
    BUFFER_BYTES,
    CLOSED,
    DOLLAR,
    DONT_WAIT,
    MINUS,
    REFUSED,
    RESP,
    STALLED,
    STRANGE,
    _recv,
    checked,
    line_end,
    resp_skip,
    send_some,
    shift,
    wait_for,
)

OUT_BYTES = 1 << 17
ASKED, TAKEN, SETTLED, ROUND, BATCH, FOUND = range(6)
"""What a RESP consumer counts: `ASKED` of this `ROUND` are not answered yet, `FOUND` brought a message."""


@numba.njit(nogil=True)
def _amqp_confirmed(buffer, at, stop, done, low):
    """Confirms in a publisher's bytes: (behind them, how many messages they confirm, lowest open tag).

    One may speak for all up to its tag; those of single messages may overtake each other.
    """
    confirmed = 0
    while stop - at >= 7:
        size = buffer[at + 3] << 24 | buffer[at + 4] << 16 | buffer[at + 5] << 8 | buffer[at + 6]
        if stop - at < size + 8:
            break
        if buffer[at] == 1:
            if buffer[at + 8] != 60 or buffer[at + 10] != 80:
                return REFUSED, 0, low
            tag = 0
            for i in range(8):
                tag = tag << 8 | buffer[at + 11 + i]
            for each in range(low if buffer[at + 19] & 1 else tag, tag + 1):
                confirmed += not done[each]
                done[each] = True
            while low < len(done) and done[low]:
                low += 1
        at += size + 8
    return at, confirmed, low


@numba.njit(nogil=True)
def _amqp_delivered(buffer, at, stop, out, written):
    """Messages in a consumer's bytes, each with its `basic.ack` put into `out`."""
    taken = 0
    while stop - at >= 7:
        size = buffer[at + 3] << 24 | buffer[at + 4] << 16 | buffer[at + 5] << 8 | buffer[at + 6]
        if stop - at < size + 8:
            break
        if buffer[at] == 1:
            if buffer[at + 8] != 60 or buffer[at + 10] != 60:
                return REFUSED, 0, written
            tag = at + 12 + buffer[at + 11]  # behind the consumer's name
            for i, each in enumerate((1, 0, 1, 0, 0, 0, 13, 0, 60, 0, 80)):
                out[written + i] = each
            out[written + 11 : written + 19] = buffer[tag : tag + 8]
            out[written + 19], out[written + 20] = 0, 0xCE
            written += 21
        taken += buffer[at] == 3
        at += size + 8
    return at, taken, written


@numba.njit(nogil=True)
def _resp_confirmed(buffer, at, stop):
    """Answers in a publisher's bytes: (behind the last whole one, how many)."""
    confirmed = 0
    while at < stop:
        if buffer[at] == MINUS:
            return REFUSED, 0
        after, left = resp_skip(buffer, at, stop, 1)
        if left:
            break
        at = after
        confirmed += 1
    return at, confirmed


@numba.njit(nogil=True)
def _resp_delivered(buffer, at, stop, out, written, state, acks, ack):
    """Answers in a consumer's bytes: first those of `acks[0]` acknowledgements, then of CONSUME.

    A message is an array that begins `message_id`, id; its id goes behind `ack` as it came.
    """
    while at < stop:
        if buffer[at] == MINUS:
            return REFUSED, written
        after, left = resp_skip(buffer, at, stop, 1)
        if left:
            break
        if acks[0] > 0:
            acks[0] -= 1
            state[SETTLED] += 1
        elif state[ASKED] == 0:
            return STRANGE, written
        else:
            state[ASKED] -= 1
            if after - at > 5:  # neither *-1 nor $-1 nor _
                name = line_end(buffer, at, stop)
                begun, _ = resp_skip(buffer, name, stop, 1)
                ended, _ = resp_skip(buffer, begun, stop, 1)
                if buffer[begun] != DOLLAR:
                    return STRANGE, written
                out[written : written + len(ack)] = ack
                written += len(ack)
                out[written : written + ended - begun] = buffer[begun:ended]
                written += ended - begun
                state[FOUND] += 1
                state[TAKEN] += 1
        at = after
    return at, written


@numba.njit(nogil=True)
def _resp_ask(out, written, state, acks, count, window, ask, ask_wait):
    """The next round, once the last one is answered: its acknowledgements are in `out` already."""
    found = state[FOUND]
    acks[0] += found
    if found == state[ROUND]:
        state[BATCH] = min(window, 2 * state[BATCH])
    elif found:
        state[BATCH] = found
    one = found == 0 and len(ask_wait) > 0 and state[ROUND] > 0
    wanted = min(1 if found == 0 else state[BATCH], count - state[TAKEN])
    words = ask_wait if one else ask
    for _ in range(wanted):
        out[written : written + len(words)] = words
        written += len(words)
    state[ROUND] = state[ASKED] = wanted
    state[FOUND] = 0
    return written


@numba.njit(nogil=True)
def _duet(links, unit, unit_bytes, count, window, kind, ack, ask, ask_wait):
    """Publish, take and settle `count` messages; 0, or why not."""
    heard, brought = np.empty(BUFFER_BYTES, np.uint8), np.empty(BUFFER_BYTES, np.uint8)
    out = np.empty(OUT_BYTES, np.uint8)
    events, writes = np.zeros(4, np.int32), np.zeros(2, np.bool_)
    done, low = np.zeros(count + 1, np.bool_), 1
    done[0] = True
    state, acks = np.zeros(6, np.int64), np.zeros(1, np.int64)
    state[BATCH] = 1
    issued = confirmed = taken = in_heard = in_brought = 0
    unit_at = unit_stop = out_at = send_stop = out_stop = 0
    while True:
        if unit_at == unit_stop and issued < count and issued - confirmed < window:
            room = min(window - (issued - confirmed), count - issued)
            issued += room
            unit_at, unit_stop = 0, room * unit_bytes
        unit_at = send_some(links[0], unit, unit_at, unit_stop)
        if out_at == send_stop:  # all is sent; a round over RESP goes out when the last one is answered
            if kind == AMQP or state[ASKED] + acks[0] == 0:
                out_at, out_stop = 0, shift(out, send_stop, out_stop)
                if kind == RESP:
                    out_stop = _resp_ask(out, out_stop, state, acks, count, window, ask, ask_wait)
                send_stop = out_stop
        out_at = send_some(links[1], out, out_at, send_stop)
        if confirmed == count and taken == count and out_at == out_stop:
            return 0
        writes[0], writes[1] = unit_at < unit_stop, out_at < send_stop
        if not wait_for(links, events, writes):
            return STALLED
        got = _recv(links[0], heard.ctypes.data + in_heard, BUFFER_BYTES - in_heard, DONT_WAIT)
        if got == 0:
            return CLOSED
        if got > 0:
            in_heard += got
            if kind == AMQP:
                at, more, low = _amqp_confirmed(heard, 0, in_heard, done, low)
            else:
                at, more = _resp_confirmed(heard, 0, in_heard)
            if at < 0:
                return at
            confirmed += more
            in_heard = shift(heard, at, in_heard)
        if kind == AMQP and OUT_BYTES - out_stop < 21 * window:
            continue
        got = _recv(links[1], brought.ctypes.data + in_brought, BUFFER_BYTES - in_brought, DONT_WAIT)
        if got == 0:
            return CLOSED
        if got > 0:
            in_brought += got
            if kind == AMQP:
                at, more, out_stop = _amqp_delivered(brought, 0, in_brought, out, out_stop)
                taken += more
            else:
                at, out_stop = _resp_delivered(brought, 0, in_brought, out, out_stop, state, acks, ack)
                taken = state[SETTLED]
            if at < 0:
                return at
            in_brought = shift(brought, at, in_brought)


def words(text: bytes) -> np.ndarray:
    return np.frombuffer(text, np.uint8)


def over_amqp(publisher: amqp.Channel, consumer: amqp.Channel, queue: bytes, body: bytes, count: int,
              window: int) -> float:
    """Seconds until every message is confirmed and settled; the last call proves that the acks arrived."""
    message = amqp.publish(queue, body)
    nothing = words(b"")
    begun = time.perf_counter()
    consumer.consume(queue, window)
    checked(_duet(np.array([publisher.socket.fileno(), consumer.socket.fileno()], np.int32),
                  words(message * window), len(message), count, window, AMQP, nothing, nothing, nothing))
    consumer.call(amqp.QOS, amqp.NO_PREFETCH, amqp.QOS_OK)
    return time.perf_counter() - begun


def over_resp(publisher: socket.socket, consumer: socket.socket, queue: bytes, body: bytes, count: int,
              window: int, *, waits: bool) -> float:
    """The same of Synap, whose every acknowledgement is answered."""
    message = encode(b"QUEUE.PUBLISH", queue, body)
    ask = encode(b"QUEUE.CONSUME", queue, b"c")
    wait = encode(b"QUEUE.CONSUME", queue, b"c", b"WAIT", b"5") if waits else b""
    ack = encode(b"QUEUE.ACK", queue, b"").replace(b"$0\r\n\r\n", b"")
    begun = time.perf_counter()
    checked(_duet(np.array([publisher.fileno(), consumer.fileno()], np.int32), words(message * window),
                  len(message), count, window, RESP, words(ack), words(ask), words(wait)))
    return time.perf_counter() - begun
