"""A call that waits for several keys, for one of them alone.

If a transaction fills several of the keys for which a client waits, the client is served from the one that was written
first, as in Redis; the call as a whole would take an element of the first key in its own order.
"""

from typing import TYPE_CHECKING

from synap.arguments import Key
from synap.arguments import layout as layout_of
from synap.call import Call
from synap.derive import tape_reader
from synap.derive.packed_calls import call_of
from synap.engine.subscribers import with_form
from synap.store.keys import key_info
from synap.store.memory import layout

if TYPE_CHECKING:
    from synap.engine.engine import Engine
    from synap.engine.waiters import Parked


def call_for(engine: "Engine", parked: "Parked", h: int) -> Call:
    """Return the call of `parked` with those of its keys whose hash is `h`."""
    if len(parked.hashes) == 1:
        return parked.call
    row, call = engine.rows[parked.row_at], parked.call
    engine.put(call)
    fields = tape_reader.read(row, engine.numbers, engine.bytes, layout.CALL, with_form)
    group, key = next(
        (place.group, place.node)
        for place in layout_of(row.args)
        if place.group is not None and isinstance(place.node, Key)
    )
    kept, at = [], layout.CALL_BLOB * layout.WORD
    for item in fields[group.name]:
        name = item[key.name]
        engine.bytes[at : at + len(name)] = name
        if key_info.hash_of(engine.words, engine.octets, call.namespace, at, len(name)) == h:
            kept.append(item if len(group.inner) > 1 else name)
    return call_of(row, call.namespace, **fields | {group.name: kept})
