"""RESP words that the product's Python SDK sends (PyPI `synap-sdk` 1.4.0), each mapped to a row of the table.

The arguments of a word have the names that the JSON surfaces give to the fields of the row, so the units and opposites
of the row apply (`ack_deadline_secs`, `requeue`). `Word.ask` translates arguments that the SDK spells differently,
`Word.answer` a reply that the SDK's parser expects in another shape. The table holds no word of Redis: where the SDK
and Redis use the same word (SPUBLISH), the meaning of Redis applies.

The SDK reads these replies in RESP3: an id or a list of names as they are, null for no message, a message as the array
`[id, payload, priority, retry_count]`, counters as a map, events as a list of maps with their time in seconds, and
`CREATED` for a room that was created. In all other replies the SDK only distinguishes an error from a success.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from synap.arguments import Choice, Int, Optional, Raw, Text
from synap.command import Example
from synap.reply import INTEGER, TEXT, VALUE, Array, Record, Status, Template, Tuple, or_nil

Fields = dict[str, Any]


def _as_given(fields: Fields) -> Fields:
    """Return the fields unchanged."""
    return fields


def _as_answered(reply: Any, fields: Fields) -> Any:
    """Return the reply unchanged."""
    return reply


@dataclass(frozen=True)
class Word:
    """A RESP word: `ask` maps its arguments to the fields of the row, `answer` the reply of the row to its own."""

    word: str
    code: int
    row: str
    doc: str
    args: tuple[Any, ...] = ()
    examples: tuple[Example, ...] = ()
    reply: Template | None = None  # that of the row, unless `answer` changes it
    ask: Callable[[Fields], Fields] = _as_given
    answer: Callable[[Any, Fields], Any] = _as_answered


def _unless_zero(name: str) -> Callable[[Fields], Fields]:
    """Return an `ask` that drops the field `name` if it is 0, which the SDK sends for a limit that was not given."""
    return lambda fields: {field: value for field, value in fields.items() if field != name or value}


def _requeued(fields: Fields) -> Fields:
    """Return the fields with `requeue` as a boolean, which the SDK spells `True` or `False`."""
    return {**fields, "requeue": fields["requeue"] == "True"} if "requeue" in fields else fields


def _message(reply: Any, fields: Fields) -> Any:
    """Return a message as the array that the SDK reads, or None for no message."""
    names = ("message_id", "payload", "priority", "retry_count")
    return None if reply is None else [reply[name] for name in names]


def _events(reply: Any, fields: Fields) -> Any:
    """Return events as a list of maps, with the name of the room and the time in seconds."""
    return [
        {"offset": offset, "room": fields["room"], "event": event, "data": data, "timestamp": time // 1000}
        for offset, event, data, time in reply
    ]


def _created(reply: Any, fields: Fields) -> Any:
    """Return CREATED if the room was created, else EXISTS."""
    return "CREATED" if reply else "EXISTS"


_LEASED = Tuple({"message_id": TEXT, "payload": TEXT, "priority": INTEGER, "retry_count": INTEGER})
_READ = Record({"offset": INTEGER, "room": TEXT, "event": TEXT, "data": VALUE, "timestamp": INTEGER})
_QUEUE, _ROOM, _ID = Text("queue"), Text("room"), Text("message_id")
_QUEUE_MADE = Example("QCREATE q 0 30", 1)
_PUBLISHED = Example("QPUBLISH q hi 9 3", "{id}")
_CONSUMED = Example("QCONSUME q worker", ...)
_ROOM_MADE = Example("SCREATE r 0", "OK")
_SAID = Example("STREAM.PUBLISH r said hello", 0)

WORDS = (
    Word(
        "QCREATE", 0x1601, "queue.create",
        "Create a queue as QUEUE.CREATE does, with the deadline in seconds; a depth of 0 counts as not given.",
        args=(_QUEUE, Optional(Int("max_depth")), Optional(Int("ack_deadline_secs"))), ask=_unless_zero("max_depth"),
        examples=(_QUEUE_MADE, Example("QCREATE q 0 30", 0)),
    ),
    Word(
        "QPUBLISH", 0x1602, "queue.publish",
        "Add a message to a queue as QUEUE.PUBLISH does, with priority and retries given by position.",
        args=(_QUEUE, Raw("payload"), Optional(Int("priority")), Optional(Int("max_retries"))),
        examples=(_QUEUE_MADE, _PUBLISHED),
    ),
    Word(
        "QCONSUME", 0x1603, "queue.consume",
        "Lease a message as QUEUE.CONSUME does, and return its ID, payload, priority and number of retries, or nil.",
        args=(_QUEUE, Optional(Text("consumer_id"))), answer=_message, reply=or_nil(_LEASED),
        examples=(_QUEUE_MADE, _PUBLISHED, _CONSUMED, Example("QCONSUME q worker", None)),
    ),
    Word(
        "QACK", 0x1604, "queue.ack", "Acknowledge a message as QUEUE.ACK does.", args=(_QUEUE, _ID),
        examples=(_QUEUE_MADE, _PUBLISHED, _CONSUMED, Example("QACK q {id}", "OK")),
    ),
    Word(
        "QNACK", 0x1605, "queue.nack", "Report a failed delivery as QUEUE.NACK does; False means DROP.",
        args=(_QUEUE, _ID, Optional(Choice("requeue", ("True", "False")))), ask=_requeued,
        examples=(_QUEUE_MADE, _PUBLISHED, _CONSUMED, Example("QNACK q {id} False", "OK")),
    ),
    Word("QSTATS", 0x1606, "queue.stats", "Return the counters of a queue as QUEUE.STATS does.", args=(_QUEUE,),
         examples=(_QUEUE_MADE, Example("QSTATS q", ...))),
    Word("QLIST", 0x1607, "queue.list", "List the names of all queues as QUEUE.LIST does.",
         examples=(_QUEUE_MADE, Example("QLIST", ["q"]))),
    Word("QPURGE", 0x1608, "queue.purge", "Remove the ready and delayed messages of a queue as QUEUE.PURGE does.",
         args=(_QUEUE,), examples=(_QUEUE_MADE, _PUBLISHED, Example("QPURGE q", 1))),
    Word("QDELETE", 0x1609, "queue.delete", "Delete a queue with all its messages as QUEUE.DELETE does.",
         args=(_QUEUE,), examples=(_QUEUE_MADE, Example("QDELETE q", 1), Example("QDELETE q", 0))),
    Word(
        "SCREATE", 0x160A, "stream.create",
        "Create a room as STREAM.CREATE does; a limit of 0 events counts as not given.",
        args=(_ROOM, Optional(Int("max_events"))), ask=_unless_zero("max_events"), examples=(_ROOM_MADE,),
    ),
    Word(
        "SGETORCREATE", 0x160B, "stream.get_or_create",
        "Create a room as STREAM.GETORCREATE does, and return CREATED or EXISTS.",
        args=(_ROOM,), answer=_created, reply=Status("CREATED", "EXISTS"),
        examples=(Example("SGETORCREATE r", "CREATED"), Example("SGETORCREATE r", "EXISTS")),
    ),
    Word(
        "SREAD", 0x160C, "stream.consume",
        "Return events of a room as STREAM.CONSUME does: a map for each event, with the time in seconds.",
        args=(_ROOM, Text("subscriber_id"), Optional(Int("from_offset"))), answer=_events,
        reply=Array(_READ),
        examples=(_ROOM_MADE, _SAID, Example("SREAD r me 0", ...), Example("SREAD r me 1", [])),
    ),
    Word("SSTATS", 0x160D, "stream.stats", "Return the counters and limits of a room as STREAM.STATS does.",
         args=(_ROOM,), examples=(_ROOM_MADE, Example("SSTATS r", ...))),
    Word("SLIST", 0x160E, "stream.list", "List the names of all rooms as STREAM.LIST does.",
         examples=(_ROOM_MADE, Example("SLIST", ["r"]))),
    Word("SDELETE", 0x160F, "stream.delete", "Delete a room with all its events as STREAM.DELETE does.", args=(_ROOM,),
         examples=(_ROOM_MADE, Example("SDELETE r", "OK"))),
    Word("KVSTATS", 0x1610, "kv.stats", "Return the statistics of `/kv/stats` as maps.",
         examples=(Example("KVSTATS", ...),)),
)  # fmt: skip
