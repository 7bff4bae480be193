"""Rates of a queue: how many messages a second were published, delivered and acknowledged of late.

Two windows of WINDOW_MS are kept: the present one and the one before, each as the time at which it began and the three
counters then. A rate is what was counted since the earlier one began, divided by that time. The windows are no part of
the logical state: no digest and no snapshot has them.
"""

from synap.compiler.jit import kernel
from synap.store.kinds.queues.queue_layout import PUBLISHED, RATE_BEFORE, RATE_NOW

WINDOW_MS = 10_000
RATED = 3  # counters from PUBLISHED on


@kernel
def roll(words, queue, now):
    """Begin a new window, if the present one is over; before a message is counted."""
    begun = words[queue + RATE_NOW]
    if now - begun < WINDOW_MS and begun:
        return
    if begun == 0 or now - begun >= 2 * WINDOW_MS:  # nothing was counted in the last WINDOW_MS
        words[queue + RATE_BEFORE] = now - WINDOW_MS if begun else now
        for i in range(RATED):
            words[queue + RATE_BEFORE + 1 + i] = words[queue + PUBLISHED + i]
    else:
        for i in range(RATED + 1):
            words[queue + RATE_BEFORE + i] = words[queue + RATE_NOW + i]
    words[queue + RATE_NOW] = now
    for i in range(RATED):
        words[queue + RATE_NOW + 1 + i] = words[queue + PUBLISHED + i]


@kernel
def rate(words, queue, i, now):
    """Return how many messages a second counter PUBLISHED + i has counted of late, as float64."""
    begun = words[queue + RATE_NOW]
    if begun == 0 or now - begun >= 2 * WINDOW_MS:
        return 0.0
    counted = words[queue + PUBLISHED + i] - words[queue + RATE_BEFORE + 1 + i]
    return counted * 1000.0 / max(now - words[queue + RATE_BEFORE], 1000)
