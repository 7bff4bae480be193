"""Queues: messages that come back until they are acknowledged."""

from synap.command import (
    AnyOrder,
    Command,
    Example,
    Flag,
    Get,
    Int,
    Optional,
    Post,
    Raw,
    Shape,
    Text,
    Token,
)

_QUEUE = Text("queue")
_PUBLISH = (
    _QUEUE,
    Raw("payload", octets=True),
    AnyOrder(
        Token("PRIORITY", Int("priority")), Token("RETRIES", Int("max_retries")), Token("HEADERS", Raw("headers"))
    ),
)
_STATS = (
    "depth", "pending", "dead", "published", "consumed", "acked", "nacked", "dead_lettered", "consumers",
    "max_depth",
)  # fmt: skip
_MESSAGE = (
    "message_id", "payload", "priority", "retry_count", "max_retries", "headers", "created_at", "deadline",
)  # fmt: skip

_MADE = Example("QUEUE.CREATE q 100 30000 3 5", 1)
_PUBLISHED = Example("QUEUE.PUBLISH q hi PRIORITY 9", "{id}")
_CONSUMED = Example("QUEUE.CONSUME q worker", ...)
_COUNTED = (1, 0, 0, 1, 0, 0, 0, 0, 0, 100)

ROWS = [
    Command(
        "queue.create", 0x0801, "Make a queue; one that is there keeps its settings. The deadline is in ms.",
        args=(
            _QUEUE,
            Int("max_depth", default=100000),
            Int("ack_deadline_ms", default=30000),
            Int("default_max_retries", default=3),
            Int("default_priority", default=5),
        ),
        resp="QUEUE.CREATE", reply=Shape.NUMBER, run="queues.create", writes=True, grows=True, room=200,
        http=(Post("/queue/{queue}"),),
        rest={"success": True, "queue": "$queue"}, command={"success": True},
        examples=(Example("QUEUE.CREATE q 100 30000 3 5", 1),),
    ),
    Command(
        "queue.publish", 0x0802, "Add a message; answers its id.", args=_PUBLISH, resp="QUEUE.PUBLISH",
        reply=Shape.VALUE, run="queues.publish", writes=True, grows=True, room=200, decides="queue.put",
        http=(Post("/queue/{queue}/publish"),),
        rest={"message_id": "$reply"}, command={"message_id": "$reply"},
        examples=(_MADE, _PUBLISHED),
    ),
    Command(
        "queue.put", 0x0803, "Add a message with a given id: what a publish is journaled as.",
        args=(*_PUBLISH, Raw("id")), reply=Shape.VALUE, run="queues.put", writes=True, internal=True,
    ),
    Command(
        "queue.consume", 0x0804, "Lease the first message of the highest priority.",
        args=(_QUEUE, Optional(Text("consumer_id"))), resp="QUEUE.CONSUME", reply=Shape.MESSAGE,
        run="queues.consume", writes=True, http=(Get("/queue/{queue}/consume/{consumer_id}"),), fields=_MESSAGE,
        rest="$message", command={"message": "$message"},
        rest_nil={"message_id": None, "payload": None, "priority": None, "retry_count": None, "headers": None},
        command_nil={"message": None},
        examples=(_MADE, _PUBLISHED, _CONSUMED, Example("QUEUE.CONSUME q worker", None)),
    ),
    Command(
        "queue.ack", 0x0805, "The message is done.", args=(_QUEUE, Text("message_id")), resp="QUEUE.ACK",
        run="queues.ack", writes=True, http=(Post("/queue/{queue}/ack"),),
        rest={"success": True}, command={"success": True},
        examples=(_MADE, _PUBLISHED, _CONSUMED, Example("QUEUE.ACK q {id}", "OK")),
    ),
    Command(
        "queue.nack", 0x0806, "The delivery failed: deliver again, or with DROP put it among the dead letters.",
        args=(_QUEUE, Text("message_id"), AnyOrder(Flag("DROP", "drop"))), resp="QUEUE.NACK", run="queues.nack",
        writes=True, http=(Post("/queue/{queue}/nack"),), rest={"success": True}, command={"success": True},
        examples=(_MADE, _PUBLISHED, _CONSUMED, Example("QUEUE.NACK q {id} DROP", "OK")),
    ),
    Command(
        "queue.stats", 0x0807, "Counters of a queue.", args=(_QUEUE,), resp="QUEUE.STATS", reply=Shape.REPORT,
        run="queues.stats", http=(Get("/queue/{queue}/stats"),), fields=_STATS, rest="$report", command="$report",
        examples=(_MADE, _PUBLISHED, Example("QUEUE.STATS q", dict(zip(_STATS, _COUNTED, strict=True)))),
    ),
    Command(
        "queue.requeue", 0x0808, "Fail the leases whose deadline has come: what upkeep asks for.",
        args=(_QUEUE, Int("most")), reply=Shape.NUMBER, run="queues.requeue", writes=True, internal=True,
    ),
    Command(
        "queue.due", 0x0809, "The next queue with a lease that has run out, or when one will.",
        reply=Shape.VALUE, run="queues.next_due", internal=True,
    ),
    Command(
        "queue.load", 0x08F0, "A queue out of a snapshot.",
        args=(_QUEUE, *(Int(f"word{i}") for i in range(13))), run="queues.load_queue", writes=True, internal=True,
    ),
    Command(
        "queue.load_message", 0x08F1, "A message out of a snapshot.",
        args=(
            _QUEUE, Raw("payload"), Raw("id"), Int("state"), Int("deadline"), Int("created"), Raw("headers"),
        ),
        run="queues.load_message", writes=True, internal=True,
    ),
]  # fmt: skip
