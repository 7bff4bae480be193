"""Frames: calls as bytes, in one format for the log, snapshots and replicas.

    word 0   size in octets (32 bits) | code (16) | flags (8) | namespace (8)
    word 1   seq
    word 2   now, ms
    word 3   status (16) | tape words (48)
    word 4   scalar of the reply
    then     tape, blob, zeros up to a multiple of 8

The tape is written without the zeros at the end of its fixed slots (a missing slot reads as 0). Its texts are
positions in the blob, so writing a frame takes two copies and no loop over the arguments.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import bare, call_door, move
from synap.ranges import TAPE_WORDS_MAX
from synap.store.memory import arena
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    CODES,
    DECIDED,
    DECIDED_BIT,
    DECIDED_BLOB_SIZE,
    DECIDED_CODE,
    DECIDED_TAPE_SIZE,
    DOORS,
    FLAG_WAS_ITEMS,
    FRAME_LAST,
    GUARD_LOADING,
    IN_GROUP,
    ITEM,
    ITEMS,
    JOURNALED,
    LAST_NOW,
    LOG,
    LOG_BYTES,
    LOG_COUNT,
    LOG_FIRST,
    LOG_TOP,
    NOW,
    REFUSE,
    REPEATED,
    REPLAY_CODE,
    REPLAY_SEQ,
    REPLAY_STATUS,
    REPLY,
    REPLY_BYTES_MAX,
    REPLY_ITEMS,
    REPLY_ITEMS_MAX,
    ROW_FLAGS,
    ROW_SLOTS,
    SEQ,
    STATUS_MASK,
    TAPE,
)

HEAD_WORDS = 5
CODE_SHIFT, FLAGS_SHIFT, NAMESPACE_SHIFT = 32, 48, 56
CONTINUED = 1  # flag: more frames of the same group follow
STATUS_BITS = 16


@kernel
def head(words, target, code, namespace, seq, now, tape_size, blob_size):
    """Write the head of a frame at word `target`; return the octet at which its blob starts.

    `tape_size` is in words, `blob_size` in bytes. The caller writes the tape, before or after.
    """
    size = HEAD_WORDS + tape_size + ((blob_size + 7) >> 3)
    if blob_size & 7:
        words[target + size - 1] = 0
    words[target] = size * 8 | code << CODE_SHIFT | namespace << NAMESPACE_SHIFT
    words[target + 1] = seq
    words[target + 2] = now
    words[target + 3] = tape_size << STATUS_BITS
    words[target + 4] = 0
    return (target + HEAD_WORDS + tape_size) * 8


@kernel
def append(words, octets, target, code, flags, namespace, seq, now, status, scalar, tape, tape_size, blob, blob_size):
    """Write a frame at word `target`; return its size in words."""
    if tape_size <= words[words[CODES + code] + ROW_SLOTS]:
        while tape_size > 0 and words[tape + tape_size - 1] == 0:
            tape_size -= 1
    size = HEAD_WORDS + tape_size + ((blob_size + 7) >> 3)
    if blob_size & 7:
        words[target + size - 1] = 0
    words[target] = (size * 8) | code << CODE_SHIFT | flags << FLAGS_SHIFT | namespace << NAMESPACE_SHIFT
    words[target + 1] = seq
    words[target + 2] = now
    words[target + 3] = status | tape_size << STATUS_BITS
    words[target + 4] = scalar
    at = target + HEAD_WORDS
    for i in range(tape_size):
        words[at + i] = words[tape + i]
    move(octets, (at + tape_size) * 8, blob, blob_size)
    return size


@kernel
def journal(words, octets, code, now, status, scalar, tape, tape_size, blob_size):
    """Give the change just made its seq, and append its frame to LOG if changes are logged."""
    seq = words[SEQ] + 1
    words[SEQ] = seq
    words[LAST_NOW] = now
    if not words[JOURNALED]:
        return
    if status & DECIDED_BIT:
        code = words[DECIDED_CODE]
        tape = DECIDED
        tape_size = words[DECIDED_TAPE_SIZE]
        blob_size = words[DECIDED_BLOB_SIZE]
        status = 0  # the decided row's own status is not known
        scalar = 0
    target = LOG + (words[LOG_TOP] >> 3)
    if words[LOG_COUNT] == 0:
        words[LOG_FIRST] = seq
    size = append(
        words, octets, target, code, 0, words[tape - 2], seq, now, status & 0xFFFF, scalar,
        tape, tape_size, words[tape - 1], blob_size,
    )  # fmt: skip
    if words[IN_GROUP] > 1:
        words[words[FRAME_LAST]] |= CONTINUED << FLAGS_SHIFT
    if words[IN_GROUP]:
        words[IN_GROUP] += 1
    words[FRAME_LAST] = target
    words[LOG_TOP] += size * 8
    words[LOG_COUNT] += 1


@kernel
def log_has_space(words, tape_size, blob_size):
    """Return True if a frame of this size fits into LOG behind the frames that wait there."""
    return words[LOG_TOP] + (HEAD_WORDS + tape_size) * 8 + blob_size + 8 <= LOG_BYTES


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64)")
def replay(words, octets, at, end, step):
    """Carry out the frames from octet `at` to `end`, as `apply` does, with GUARD_LOADING set.

    The guard lets rows accept what they refuse today: an older version may have accepted it and written its frame.
    REPEATED is set, since a call may have waited before it was carried out.
    """
    words = bare(words)
    octets = bare(octets)
    words[REFUSE] |= GUARD_LOADING
    words[REPEATED] = 1
    done = apply(words, octets, at, end, step)
    words[REPEATED] = 0
    words[REFUSE] &= ~GUARD_LOADING
    return done


@kernel
def agrees(words, row, expected, status):
    """Return True if a call had the status of its frame; FLAG_WAS_ITEMS allows ITEMS in a frame of 0.1.0 for ITEM."""
    if expected == status:
        return True
    was_items = words[row + ROW_FLAGS] & FLAG_WAS_ITEMS != 0
    return was_items and expected & STATUS_MASK == ITEMS and expected - ITEMS == status - ITEM


@kernel
def apply(words, octets, at, end, step):
    """Carry out the frames from octet `at` to `end` (multiples of 8); return how many, or -1 if one is wrong.

    `step` is 1 for a log, whose seqs follow each other, and 0 for a snapshot, whose frames all carry its seq. A frame
    is wrong if it is cut, if its seq is not the expected one, if no row has its code, if the call changes nothing,
    or if the call's status differs from the one in the frame. REPLAY_SEQ, REPLAY_CODE and REPLAY_STATUS describe the
    last frame read. A status of 0 in a frame is not compared: the call was decided by another row, or the frame is
    part of a snapshot.
    """
    done = 0
    while at < end:
        head = at >> 3
        size = words[head] & 0xFFFFFFFF
        code = (words[head] >> CODE_SHIFT) & 0xFFFF
        seq = words[head + 1]
        now = words[head + 2]
        words[NOW] = now
        expected = words[head + 3] & 0xFFFF
        tape_size = words[head + 3] >> STATUS_BITS
        words[REPLAY_SEQ] = seq
        words[REPLAY_CODE] = code
        words[REPLAY_STATUS] = -1
        if at + size > end or size & 7 or tape_size < 0 or tape_size > TAPE_WORDS_MAX:
            return -1
        if size < (HEAD_WORDS + tape_size) * 8 or seq != words[SEQ] + step:
            return -1
        row = words[CODES + code]
        if row == 0 or words[DOORS + (code >> 8)] == 0:
            return -1
        tape = TAPE
        for i in range(tape_size):
            words[tape + i] = words[head + HEAD_WORDS + i]
        for i in range(tape_size, words[row + ROW_SLOTS]):
            words[tape + i] = 0
        words[tape - 1] = at + (HEAD_WORDS + tape_size) * 8
        words[tape - 2] = (words[head] >> NAMESPACE_SHIFT) & 0xF
        words[REPLY_ITEMS_MAX] = REPLY_ITEMS
        words[REPLY_BYTES_MAX] = 1 << 62
        status = call_door(words[DOORS + (code >> 8)], words, octets, code, tape, now, seq, REPLY)
        arena.free_deferred(words)
        words[REPLAY_STATUS] = status
        if status & STATUS_MASK == BROKEN or status & CHANGED == 0:
            return -1
        if expected and not agrees(words, row, expected, status & 0xFFFF):
            return -1
        words[SEQ] = seq
        words[LAST_NOW] = now
        at += size
        done += 1
    return done
