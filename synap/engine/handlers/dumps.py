"""Handlers of DUMP and RESTORE, whose payloads are Redis' (`compat/rdb`).

A payload may come from Redis or from here, and go to either. RESTORE refuses in Redis' order: its options, a key that
is there, the TTL, the checksum, the content.
"""

import re
from typing import Any

from synap.call import Value
from synap.compat.rdb import payloads
from synap.compat.rdb.errors import NotSupported, RdbError, TooLarge, WrongChecksum
from synap.compat.rdb.values import Value as Loaded
from synap.engine import transfer
from synap.engine.callers import Caller
from synap.engine.engine import Engine, Handler
from synap.engine.handlers.keys import counts_uses, key_facts, used_facts
from synap.faults import Fault
from synap.ranges import INT_MAX, INT_MIN
from synap.store.memory import layout
from synap.store.records import descriptions, keyspace
from synap.store.records.pieces import PIECE_BYTES

INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")
FREQUENCY_MAX = 255
UNITS_MAX = 0xFFFF  # of the access clock
FRAME_BYTES = 2 * PIECE_BYTES  # what a piece takes besides key and texts, at most: the slots of a stream's take half


def dump(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the value of a key as a payload."""
    found = used_facts(engine, caller, args["key"], now, 1)
    if found is None:
        return None
    if transfer.NAMES[found[descriptions.KIND]] not in payloads.WRITTEN:
        raise Fault("NOT_SERVED", what=f"DUMP of the kind {transfer.NAMES[found[descriptions.KIND]]}")
    size = found[descriptions.SIZE]
    if size > engine.reply_bytes_max or size + len(args["key"]) + FRAME_BYTES > layout.CALL_BLOB_BYTES:
        raise Fault("REPLY_TOO_LARGE")
    value = transfer.value_of(engine, found[descriptions.REF], found[descriptions.KIND], now)
    if value is None:
        return None
    payload = payloads.pack(value)
    if len(payload) > engine.reply_bytes_max:
        raise Fault("REPLY_TOO_LARGE")
    return payload


def restore(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Store the value of a payload under a key."""
    key = args["key"]
    if args.get("idletime", 0) < 0:
        raise Fault("BAD_IDLETIME")
    if not 0 <= args.get("freq", 0) <= FREQUENCY_MAX:
        raise Fault("BAD_FREQUENCY")
    if not args.get("replace") and used_facts(engine, caller, key, now, 1) is not None:
        raise Fault("KEY_EXISTS")
    ttl = _ttl(args["ttl"])
    value = transfer.without_expired(_unpacked(engine, args["payload"]), now)
    deadline = ttl if args.get("absttl") or not ttl else ttl + now
    if value is None or (ttl and not now < deadline <= INT_MAX):  # beyond INT_MAX, Redis' own sum lies in the past
        transfer.remove(engine, caller.namespace, key, now)
        return "OK"
    transfer.admit(engine, key, value, now)
    transfer.store(engine, caller, caller.namespace, key, value, deadline, now)
    _set_use(engine, caller, key, args.get("idletime"), args.get("freq"), now)
    return "OK"


def _ttl(text: bytes) -> int:
    if not INTEGER.fullmatch(text) or not INT_MIN <= int(text) <= INT_MAX:
        raise Fault("NOT_AN_INTEGER")
    if int(text) < 0:
        raise Fault("BAD_TTL")
    return int(text)


def _unpacked(engine: Engine, payload: bytes) -> Loaded:
    try:
        value = payloads.unpack(payload, engine.numbers[layout.BYTES_MAX])
    except WrongChecksum:
        raise Fault("BAD_CHECKSUM") from None
    except TooLarge:
        raise Fault("OUT_OF_MEMORY") from None
    except NotSupported as fault:
        raise Fault("NOT_RESTORED", what=fault.what) from None
    except RdbError:
        raise Fault("BAD_PAYLOAD") from None
    if transfer.LOAD_ROWS.get(value.kind) not in engine.catalogue.by_name:
        raise Fault("NOT_RESTORED", what=f"values of the kind {value.kind}")
    return value


def _set_use(
    engine: Engine, caller: Caller, key: bytes, idle: int | None, frequency: int | None, now: int
) -> None:
    """Note when a key was used last (seconds ago), or how often, whichever the eviction policy counts."""
    if counts_uses(engine):
        note = None if frequency is None else (now // keyspace.MINUTE_MS & 0xFF) << 8 | frequency
    elif idle is None:
        note = None
    else:
        units = min(-(-idle * 1000 >> keyspace.TIME_SHIFT), UNITS_MAX)
        note = (now >> keyspace.TIME_SHIFT) - units & 0xFFFF
    found = None if note is None else key_facts(engine, caller, key, now, 1)
    if found is not None and note is not None:
        ref = found[descriptions.REF]
        engine.numbers[ref] = engine.numbers[ref] & ~keyspace.NOTE_MASK | note << keyspace.CLOCK_SHIFT


HANDLERS: dict[str, Handler] = {"dump": dump, "restore": restore}
