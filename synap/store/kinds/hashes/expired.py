"""Fields that have expired and are not removed yet: found for upkeep, and counted."""

import numpy as np

from synap.compiler.jit import kernel
from synap.store.kinds.hashes import fields
from synap.store.kinds.hashes.fields import COUNTED_AT, COUNTED_UNTIL, EXPIRED, NEXT_SOONEST, SWEPT
from synap.store.memory import tables
from synap.store.memory.tables import REF_MASK, TAG_MASK
from synap.store.records.inner_deadlines import SOONEST

NEVER = (1 << 63) - 1


@kernel
def next_expired(words, octets, root, looks, now):
    """Return (seat of an expired field, or 0; looks that are left), having looked at no more than `looks` fields.

    SWEPT is the tag to continue from. After a walk through the whole table its soonest deadline is known again.
    """
    table = fields.table_of(words, root)
    while looks > 0:
        tag = words[table + SWEPT]
        seat = tables.window(words, table, tag, TAG_MASK) if tag <= TAG_MASK else 0
        if seat == 0:
            words[table + SOONEST] = words[table + NEXT_SOONEST]
            words[table + NEXT_SOONEST] = 0
            words[table + SWEPT] = 0
            return 0, 0
        tag = tables.tag_of(words[seat])
        words[table + SWEPT] = tag
        while words[seat] and tables.tag_of(words[seat]) == tag:
            deadline = fields.block_deadline(words, words[seat] & REF_MASK)
            looks -= 1
            if deadline and deadline <= now:
                return seat, looks
            if deadline and (words[table + NEXT_SOONEST] == 0 or deadline < words[table + NEXT_SOONEST]):
                words[table + NEXT_SOONEST] = deadline
            seat += 1
        words[table + SWEPT] = tag + 1
    return 0, 0


@kernel
def live_count(words, octets, root, now):
    """Return the number of fields that have not expired. They are counted at most once after each deadline."""
    found = fields.count(words, root)
    if not fields.may_expire(words, root, now):
        return found
    table = fields.table_of(words, root)
    if now < words[table + COUNTED_AT] or now >= words[table + COUNTED_UNTIL]:
        gone = 0
        until = np.int64(NEVER)
        place, seat = tables.next_entry(words, table, 0)
        while seat:
            deadline = fields.block_deadline(words, words[seat] & REF_MASK)
            if deadline > now:
                until = min(until, deadline)
            elif deadline:
                gone += 1
            place, seat = tables.next_entry(words, table, place)
        words[table + EXPIRED] = gone
        words[table + COUNTED_AT] = now
        words[table + COUNTED_UNTIL] = until
    return found - words[table + EXPIRED]
