"""Epoll batch: reads, carries out and answers what many RESP sockets have sent, in one kernel call.

With a kernel call and a send for each socket, at depth 1 (one command for each socket at a time) most of the time went
to Python and the event loop around a command that takes the lane a quarter of a microsecond. Here `serve` asks epoll
which sockets are ready, reads them all into the receive region, prefetches the first key of each, and runs the lane for
one after the other. The replies are collected in the out region until the end of the turn, when `deliver` sends them.

Only *plain* connections are served here: none of their input is incomplete, nothing is held back, no reply is unsent.
All else is left to Python: `serve` stops with a reason of the lane, or lists the socket as *for Python*.

Sockets are served in the order in which they became ready. So the events of a round are taken in runs: plain sockets up
to the first one for Python, then those up to the first plain one, and so on. Mostly there is one run.

    board   COUNT NEXT    number of arrivals, and the first that has not been served
            REPLIES       number of replies
            PYTHON_COUNT  number of sockets for Python
            BEFORE TOOK   of the last arrival served: where its replies begin in the out region; its time in ns
            FOUND EVENT   number of events of this round, and the first that no run has taken
            SENT          of the reply at which `deliver` stopped: bytes sent, or a negative errno
            arrivals      (descriptor, octet, octet behind it) x ROUND
            replies       (descriptor, octet, octet behind it) x ROUND
            odds          (descriptor, mask, result of recv or NOT_READ) x ROUND
    table   for each descriptor: its session, and whether it is plain
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import bare
from synap.store.calls.calls import ticks
from synap.store.lane import lane, prefetch, syscalls
from synap.store.memory.layout import (
    KEYS_COUNT,
    KIB,
    LANE_AT,
    LANE_OUT,
    OUT_BYTES,
    RECEIVE,
    RECEIVE_BYTES,
    SESSION_NAMESPACE,
    WORD,
)

ROUND = 64  # sockets
COUNT, NEXT, REPLIES, PYTHON_COUNT, BEFORE, TOOK, SENT, FOUND, EVENT = range(9)
ARRIVALS = 10
ANSWERS = ARRIVALS + 3 * ROUND
FOR_PYTHON = ANSWERS + 3 * ROUND
BOARD_SIZE = FOR_PYTHON + 3 * ROUND
NOT_READ = 1

READABLE = 1  # EPOLLIN
ALL, SLOW, NO_OUT_SPACE = -1, 100, 101  # beside the reasons of the lane: a slow arrival, and no space for more replies
REST, NEXT_RUN = -1, -2  # instead of an epoll descriptor: go on with this run, or take the next one
RECEIVE_AT = RECEIVE * WORD
RECEIVE_END = RECEIVE_AT + RECEIVE_BYTES
SLICE = 64 * KIB  # most bytes read from one socket at once
SLICE_MIN = 16 * KIB  # with less space left in the receive region the run ends
GAP = 64  # bytes between the data of two sockets


@kernel
def _gather(words, octets, board, table, events, fast_path):
    """Take the next events of one sort: sockets that a kernel may read, or sockets that Python must serve.

    The first event decides which. Sockets of the first sort are read into the receive region, until it is full, and
    listed in ARRIVALS; those of the second sort are listed in FOR_PYTHON. The order of the events is kept, so an event
    of the other sort ends the list.
    """
    count = for_python = 0
    at = RECEIVE_AT
    i = board[EVENT]
    while i < board[FOUND]:
        mask, descriptor = syscalls.event(events, i)
        got = NOT_READ
        if fast_path and mask == READABLE and table[2 * descriptor + 1]:
            if for_python:
                break
            capacity = min(SLICE, RECEIVE_END - GAP - at)
            if capacity < SLICE_MIN:
                break
            got = syscalls.receive(octets, at, descriptor, capacity)
            i += 1
            if got == syscalls.AGAIN:
                continue
            if got > 0:
                place = ARRIVALS + 3 * count
                board[place] = descriptor
                board[place + 1] = at
                board[place + 2] = at + got
                at += got + GAP
                count += 1
                continue
        elif count:
            break
        else:
            i += 1
        place = FOR_PYTHON + 3 * for_python
        board[place] = descriptor
        board[place + 1] = mask
        board[place + 2] = got
        for_python += 1
    board[EVENT] = i
    board[COUNT] = count
    board[NEXT] = 0
    board[PYTHON_COUNT] = for_python


@kernel
def _prefetch(words, octets, board, table):
    """Prefetch the first key of each arrival: at depth 1 the lane itself cannot look far enough ahead."""
    for step in range(2):
        for i in range(board[COUNT]):
            place = ARRIVALS + 3 * i
            session = table[2 * board[place]]
            if words[KEYS_COUNT + words[session + SESSION_NAMESPACE]] > prefetch.LOOK_KEYS_MIN:
                _, h = prefetch.hash_next_key(words, octets, session, board[place + 1], board[place + 2])
                if step == 1:
                    prefetch.prefetch_record(words, h)


@kernel("int64(int64[::1], uint8[::1], int64[::1], int64[::1], uint8[::1], int64, int64, int64, int64)")
def serve(words, octets, board, table, events, epoll, fast_path, now, slow_ns):
    """Serve the next run of sockets; return ALL, or the reason to stop behind arrival NEXT - 1.

    The reason is one of the lane, SLOW (the last arrival took `slow_ns` or longer) or NO_OUT_SPACE (the out region has
    no space for more replies, so the caller sends them and calls again with REST). With an epoll descriptor as `epoll`
    a new round begins; NEXT_RUN takes the next run of this round, REST goes on with the run at hand. Without
    `fast_path` all sockets are for Python.
    """
    words = bare(words)
    octets = bare(octets)
    board = bare(board)
    table = bare(table)
    events = bare(events)
    if epoll >= 0:
        board[FOUND] = max(syscalls.poll(epoll, events, ROUND), 0)
        board[EVENT] = 0
    if epoll != REST:
        _gather(words, octets, board, table, events, fast_path)
        if board[COUNT] > 1:
            _prefetch(words, octets, board, table)
    i = board[NEXT]
    begun = ticks(words)
    while i < board[COUNT]:
        before = words[LANE_OUT]
        if before > lane.OUT_AT + OUT_BYTES // 2:
            return NO_OUT_SPACE
        place = ARRIVALS + 3 * i
        descriptor = board[place]
        end = board[place + 2]
        session = table[2 * descriptor]
        i += 1
        board[NEXT] = i
        if session == 0:  # the connection has been closed in the meantime
            continue
        reason = lane.run(words, octets, session, board[place + 1], end, now, lane.BUDGET)
        ended = ticks(words)
        board[BEFORE] = before
        board[TOOK] = ended - begun
        begun = ended
        if reason != lane.CUT or words[LANE_AT] != end:
            return reason
        if words[LANE_OUT] > before:
            place = ANSWERS + 3 * board[REPLIES]
            board[place] = descriptor
            board[place + 1] = before
            board[place + 2] = words[LANE_OUT]
            board[REPLIES] += 1
        if board[TOOK] >= slow_ns:
            return SLOW
    return ALL


@kernel("int64(uint8[::1], int64[::1], int64)")
def deliver(octets, board, first):
    """Send the replies from number `first` on; return the number of the first that was not sent completely (see SENT).

    The result is REPLIES if all were sent.
    """
    octets = bare(octets)
    board = bare(board)
    for i in range(first, board[REPLIES]):
        place = ANSWERS + 3 * i
        size = board[place + 2] - board[place + 1]
        sent = syscalls.send(octets, board[place + 1], board[place], size)
        if sent != size:
            board[SENT] = sent
            return i
    return board[REPLIES]


@kernel("void(uint8[::1], int64, int64, int64[::1], int64)")
def fan_out(octets, at, size, sockets_of, count):
    """Send the same bytes to `count` sockets; each result of `send` replaces the descriptor in `sockets_of`."""
    octets = bare(octets)
    sockets_of = bare(sockets_of)
    for i in range(count):
        sockets_of[i] = syscalls.send(octets, at, sockets_of[i], size)
