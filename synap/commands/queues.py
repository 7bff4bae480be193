"""Command rows of queues: messages that are delivered again until they are acknowledged."""

from synap.arguments import AnyOrder, Choice, Flag, Int, Many, OneOf, Optional, Raw, Text, Timeout, Token
from synap.command import Command, Example
from synap.methods import CLIENT, EMBEDDED, Method
from synap.ranges import ACK_DEADLINE_MS_MAX, MESSAGE_RETRIES_MAX, PRIORITY_MAX, REDRIVE_RATE_MAX
from synap.reply import (
    DOCUMENT,
    INTEGER,
    NIL,
    OBJECT,
    OCTETS,
    REAL,
    TEXT,
    TIME,
    Array,
    As,
    Either,
    Record,
    Template,
    or_nil,
)
from synap.routes import Delete, Get, Post
from synap.store.memory.kinds import QUEUE
from synap.traits import EMPTIES, GROWS, INTERNAL, TRUSTED, WAITS, WAS_ITEMS, WRITES

_QUEUE = Text("queue", kind=QUEUE)
_PUBLISH = (
    Token("PRIORITY", Int("priority", least=0, most=PRIORITY_MAX)),
    Token("RETRIES", Int("max_retries", least=0, most=MESSAGE_RETRIES_MAX)), Token("HEADERS", Raw("headers")),
)  # fmt: skip
_BACKOFFS = ("FIXED", "LINEAR", "EXPONENTIAL")
_DELAY = Token("DELAY", Timeout("delay", zero="no delay"))
_TTL, _GROUP = Token("TTL", Timeout("ttl")), Token("GROUP", Text("group"))
_CAPPED = (("priority", PRIORITY_MAX, 255),)
_STATS = Record(dict.fromkeys(
    ("depth", "pending", "dead", "published", "consumed", "acked", "nacked", "dead_lettered", "consumers",
     "max_depth", "delayed", "blocked", "expired", "dropped", "paused", "oldest_age_ms", "redriving"), INTEGER,
) | {
    "active_consumer": or_nil(TEXT), "publish_rate": REAL, "consume_rate": REAL, "ack_rate": REAL,
})  # fmt: skip
_PARTS: dict[str, Template] = {
    "message_id": TEXT, "payload": OCTETS, "priority": INTEGER, "retry_count": INTEGER, "max_retries": INTEGER,
    "headers": OBJECT, "created_at": TIME, "deadline": TIME, "receipt": or_nil(TEXT), "group": or_nil(TEXT),
    "expires_at": or_nil(TIME),
}  # fmt: skip
_MESSAGE = Record(_PARTS)
_FAILURE = Record({"at": TIME, "cause": TEXT, "consumer_id": or_nil(TEXT), "reason": or_nil(TEXT)})
_DEAD = Record(_PARTS | {"history": Array(_FAILURE)})
_WHOLE = {name: f"${name}" for name, _ in _MESSAGE.members}
_NUMBERED = {"id": "$message_id"} | {name: part for name, part in _WHOLE.items() if name != "message_id"}
_DELIVERY = _WHOLE | {"message": As("payload", DOCUMENT)}

_MADE = Example("QUEUE.CREATE q 100 30000 3 5", 1)
_PUBLISHED = Example("QUEUE.PUBLISH q hi PRIORITY 9", "{id}")
_CONSUMED = Example("QUEUE.CONSUME q worker", ...)
_NAMED = {"name": "queue"}
_BY_RECEIPT = {"receipt": "message_id"}
_NOTHING = {"message_id": None, "payload": None, "priority": None, "retry_count": None, "headers": None}

ROWS = [
    Command(
        "queue.create", 0x0801,
        "Create a queue, with times in milliseconds, or leave an existing queue unchanged.",
        args=(
            _QUEUE,
            Int("max_depth", default=100000, least=1),
            Int("ack_deadline_ms", default=30000, least=1, most=ACK_DEADLINE_MS_MAX),
            Int("default_max_retries", default=3, least=0, most=MESSAGE_RETRIES_MAX),
            Int("default_priority", default=5, least=0, most=PRIORITY_MAX),
            AnyOrder(
                Token("PREFETCH", Int("prefetch_limit", least=0)),
                Token("BACKOFF", Choice("backoff", _BACKOFFS, fault="BAD_BACKOFF_KIND"), Int("backoff_ms", least=0)),
                Token("BACKOFFMAX", Int("backoff_max_ms", least=0)), Token("JITTER", Int("jitter", least=0, most=100)),
                Token("TTL", Int("ttl_ms", least=0)), Token("EXPIRED", Choice("expired", ("DROP", "DEAD"))),
                Token("OVERFLOW", Choice("overflow", ("REJECT", "DROP", "DEAD"))),
                Token("AGEING", Int("ageing_ms", least=0)), Token("DEDUPMS", Int("dedup_ms", least=1)),
                Token("DEDUPKEYS", Int("dedup_keys", least=1)), Flag("SINGLE"),
            ),
        ),
        resp="QUEUE.CREATE", reply=INTEGER, run="queues.create", traits=WRITES | GROWS, needs_words=300,
        http=(Post("/queue/{queue}"),),
        links=("queue",), also=_NAMED, units={"ack_deadline_secs": ("ack_deadline_ms", 1000)},
        within="config",
        json={"success": True, "queue": "$queue"}, command={"success": True},
        examples=(Example("QUEUE.CREATE q 100 30000 3 5", 1),),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "queue.publish", 0x0802,
        "Add a message to a queue, at once or after a delay in seconds, and return the message ID.",
        args=(
            _QUEUE, Raw("payload", octets=True),
            AnyOrder(*_PUBLISH, _DELAY, _TTL, _GROUP, Token("DEDUP", Text("dedup"))),
        ),
        resp="QUEUE.PUBLISH", reply=TEXT, run="queues.publish", traits=WRITES | GROWS, needs_words=200,
        http=(
            Post("/queue/{queue}/publish", capped=_CAPPED),
            Post(
                "/queue/publish", alias=True, capped=_CAPPED, before="queue.create",
                needs=(("queue", "queue_name"), ("message", "payload")),
                renamed={"queue_name": "queue", "message": "payload"}, texts=("message",),
                json={"message_id": "$reply", "queue": "$queue"},
            ),
        ), links=("queue",),
        json={"message_id": "$reply"},
        examples=(_MADE, _PUBLISHED),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "queue.put", 0x0803,
        "Add a message with a given ID to a queue; logs of 0.1.0 have this command for each QUEUE.PUBLISH.",
        args=(_QUEUE, Raw("payload", octets=True), AnyOrder(*_PUBLISH), Raw("id"), Int("due")),
        reply=TEXT, run="queues.put", traits=WRITES | INTERNAL | TRUSTED,
    ),
    Command(
        "queue.consume", 0x0804,
        "Lease the first message of the highest priority in a queue; with WAIT, wait until a message is ready.",
        args=(_QUEUE, Optional(Text("consumer_id")), AnyOrder(Token("WAIT", Timeout("wait")))), resp="QUEUE.CONSUME",
        reply=or_nil(_MESSAGE), run="queues.consume", traits=WRITES | WAITS | WAS_ITEMS,
        http=(
            Get("/queue/{queue}/consume/{consumer_id}"),
            Get(
                "/queue/consume/{queue}", alias=True, fixed={"consumer_id": "consumer"}, json=_DELIVERY,
                json_nil=_NOTHING | {"message": None},
            ),
        ), links=("queue",),
        json="$reply", command={"message": _NUMBERED}, json_nil=_NOTHING, command_nil={"message": None},
        examples=(_MADE, _PUBLISHED, _CONSUMED, Example("QUEUE.CONSUME q worker", None)),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "queue.ack", 0x0805,
        "Acknowledge a message, by its ID or the receipt of a delivery, and remove it; CONSUMER says who must hold it.",
        resp="QUEUE.ACK",
        args=(_QUEUE, Text("message_id"), AnyOrder(Token("CONSUMER", Text("consumer_id")))),
        run="queue_leases.ack", traits=WRITES, http=(Post("/queue/{queue}/ack"),), also=_BY_RECEIPT,
        json={"success": True},
        examples=(_MADE, _PUBLISHED, _CONSUMED, Example("QUEUE.ACK q {id}", "OK")),
        python=Method(by_hand=CLIENT, note="A message that is not leased is refused, and so is another `consumer`."),
    ),
    Command(
        "queue.nack", 0x0806,
        "Report a failed delivery: deliver the message again, or with DROP move it to the dead letters.",
        args=(
            _QUEUE, Text("message_id"),
            AnyOrder(
                Flag("DROP", "drop"), Token("CONSUMER", Text("consumer_id")), Token("REASON", Text("reason")),
            ),
        ),
        resp="QUEUE.NACK", run="queue_leases.nack",
        traits=WRITES, http=(Post("/queue/{queue}/nack"),), json={"success": True}, also=_BY_RECEIPT,
        negated={"requeue": "drop"},
        examples=(_MADE, _PUBLISHED, _CONSUMED, Example("QUEUE.NACK q {id} DROP", "OK")),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "queue.stats", 0x0807, "Return the counters of a queue.",
        args=(_QUEUE,), resp="QUEUE.STATS", reply=_STATS, run="queue_admin.stats",
        http=(Get("/queue/{queue}/stats"), Get("/queue/consume/stats", alias=True, fixed={"queue": "consume"})),
        json="$reply",
        examples=(_MADE, _PUBLISHED, Example("QUEUE.STATS q", ...)),
    ),
    Command(
        "queue.requeue", 0x0808,
        "Fail the expired leases of a queue and make its due delayed messages ready, on behalf of upkeep.",
        args=(_QUEUE, Int("most")), reply=INTEGER, run="queue_admin.requeue", traits=WRITES | INTERNAL,
    ),
    Command(
        "queue.due", 0x0809,
        "Return the queue, room or topic whose timer is due, or the time at which the next timer will be due.",
        reply=Either(TEXT, INTEGER), run="queue_admin.next_due", traits=INTERNAL,
    ),
    Command(
        "queue.release", 0x080A,
        "Fail the delivery of a message whose consumer is gone, if the lease ends at `deadline`.",
        args=(_QUEUE, Text("message_id"), Int("deadline")), reply=INTEGER, run="queue_leases.release",
        traits=WRITES | INTERNAL,
    ),
    Command(
        "queue.purge", 0x080B,
        "Remove the messages of a queue that are not leased, or with DEAD the dead letters, and return how many.",
        args=(_QUEUE, AnyOrder(Flag("DEAD"))), resp="QUEUE.PURGE", reply=INTEGER, run="queue_admin.purge",
        traits=WRITES | EMPTIES, http=(Post("/queue/{queue}/purge"),),
        json={"success": True, "purged": "$reply"}, command={"purged": "$reply"},
        examples=(_MADE, _PUBLISHED, Example("QUEUE.PURGE q", 1), Example("QUEUE.PURGE q DEAD", 0)),
    ),
    Command(
        "queue.delete", 0x080C, "Delete a queue with all its messages.", args=(_QUEUE,), resp="QUEUE.DELETE",
        reply=INTEGER, run="queue_admin.delete", traits=WRITES | EMPTIES,
        http=(Delete("/queue/{queue}"),), also=_NAMED,
        json={"success": True, "deleted": "$flag"}, command={"deleted": "$flag"},
        examples=(_MADE, Example("QUEUE.DELETE q", 1), Example("QUEUE.DELETE q", 0)),
        python=Method(note="Return whether it existed."),
    ),
    Command(
        "queue.list", 0x080D, "List the names of all queues.", resp="QUEUE.LIST", reply=Array(TEXT),
        run="queue_admin.list_names", http=(Get("/queue/list"),), json={"queues": "$items"},
        examples=(_MADE, Example("QUEUE.LIST", ["q"])),
        python=Method(returns="titles", by_hand=CLIENT),
    ),
    Command(
        "queue.dead", 0x080E,
        "Return the first `count` dead letters of a queue (default 100) without removing the messages.",
        args=(_QUEUE, Optional(Int("count", least=0))), resp="QUEUE.DEAD", reply=Array(_DEAD),
        run="queue_views.dead", http=(Get("/queue/{queue}/dead"),),
        json={"messages": "$reply"},
        examples=(_MADE, _PUBLISHED, _CONSUMED, Example("QUEUE.NACK q {id} DROP", "OK"), Example("QUEUE.DEAD q", ...)),
        python=Method(by_hand=CLIENT),
    ),
    Command(
        "queue.revive", 0x080F, "Make one dead letter of a queue, or all of them, ready again as if never delivered.",
        args=(_QUEUE, Optional(Text("message_id"))), resp="QUEUE.REVIVE", reply=INTEGER, run="queue_admin.revive",
        traits=WRITES, http=(Post("/queue/{queue}/revive"),),
        json={"success": True, "revived": "$reply"}, command={"revived": "$reply"},
        examples=(
            _MADE, _PUBLISHED, _CONSUMED, Example("QUEUE.NACK q {id} DROP", "OK"), Example("QUEUE.REVIVE q {id}", 1),
            Example("QUEUE.REVIVE q", 0),
        ),
        python=Method(note="Return how many."),
    ),
    Command(
        "queue.renew", 0x0810,
        "Extend a lease to the whole ack deadline from now on, and return its end; CONSUMER names who must hold it.",
        args=(_QUEUE, Text("message_id"), AnyOrder(Token("CONSUMER", Text("consumer_id")))),
        resp="QUEUE.RENEW", reply=TIME, run="queue_leases.renew", traits=WRITES, http=(Post("/queue/{queue}/renew"),),
        also=_BY_RECEIPT, json={"success": True, "deadline": "$reply"},
        examples=(_MADE, _PUBLISHED, _CONSUMED, Example("QUEUE.RENEW q {id}", ...)),
        python=Method(
            by_hand=CLIENT, returns="whole",
            note="The end is in ms since 1970. A message that is not leased is refused, and so is another `consumer`.",
        ),
    ),
    Command(
        "queue.publish_many", 0x0811,
        "Add messages to a queue, as far as it has places, and return an ID for each, or nil for one without a place.",
        args=(
            _QUEUE, AnyOrder(*_PUBLISH, _DELAY, _TTL, _GROUP),
            OneOf(
                "what", Token("MESSAGES", Many("messages", Raw("payload"))),
                Token("KEYED", Many("keyed", Text("dedup"), Raw("payload"))), required=True,
            ),
        ),
        resp="QUEUE.MPUBLISH", reply=Array(or_nil(TEXT)), run="queue_batches.publish", traits=WRITES | GROWS,
        needs_words=200, http=(Post("/queue/{queue}/publish_many"),), json={"message_ids": "$items"},
        examples=(_MADE, Example("QUEUE.MPUBLISH q PRIORITY 9 MESSAGES a b", ...), Example("QUEUE.PURGE q", 2)),
        python=Method("queue_publish_many", by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "queue.put_many", 0x0812,
        "Add messages with given IDs to a queue; the log has this command for each QUEUE.PUBLISH and QUEUE.MPUBLISH.",
        args=(
            _QUEUE, Int("priority"), Int("max_retries"), Raw("headers"), Int("due"), Int("expires"), Raw("group"),
            Many("puts", Raw("id"), Raw("payload"), Raw("dedup")),
        ),
        run="queue_batches.put", traits=WRITES | INTERNAL | TRUSTED,
    ),
    Command(
        "queue.consume_many", 0x0813,
        "Lease up to `count` messages of a queue, the highest priorities first; with WAIT, wait for the first one.",
        args=(
            _QUEUE, Text("consumer_id"), Int("count", fault="COUNT_BELOW_ONE", least=1),
            AnyOrder(Token("WAIT", Timeout("wait"))),
        ),
        resp="QUEUE.MCONSUME", reply=Either(Array(_MESSAGE), NIL), run="queue_batches.consume", traits=WRITES | WAITS,
        http=(Get("/queue/{queue}/consume_many/{consumer_id}"),), json={"messages": "$reply"},
        json_nil={"messages": []},
        examples=(
            _MADE, _PUBLISHED, Example("QUEUE.MCONSUME q worker 10", ...), Example("QUEUE.MCONSUME q worker 10", []),
        ),
        python=Method("queue_consume_many", by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "queue.ack_many", 0x0814,
        "Acknowledge messages by their IDs or receipts; return 1 for each that was leased so, and 0 for the others.",
        args=(_QUEUE, Many("message_ids", Text("message_id"))), resp="QUEUE.MACK", reply=Array(INTEGER),
        run="queue_batches.ack", traits=WRITES, http=(Post("/queue/{queue}/ack_many"),),
        also={"receipts": "message_ids"}, json={"acked": "$items"},
        examples=(_MADE, _PUBLISHED, _CONSUMED, Example("QUEUE.MACK q {id} {id}", [1, 0])),
        python=Method("queue_ack_many", by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "queue.delayed", 0x0815,
        "Return the delayed messages of a queue that will be ready first (default 100, at most 1000).",
        args=(_QUEUE, Optional(Int("count", least=0))), resp="QUEUE.DELAYED", reply=Array(_MESSAGE),
        run="queue_views.delayed", http=(Get("/queue/{queue}/delayed"),), json={"messages": "$reply"},
        examples=(_MADE, Example("QUEUE.PUBLISH q hi DELAY 60", "{id}"), Example("QUEUE.DELAYED q", ...)),
        python=Method(by_hand=CLIENT),
    ),
    Command(
        "queue.peek", 0x0816, "Return the messages of a queue that are ready next (default 100) without leasing any.",
        args=(_QUEUE, Optional(Int("count", least=0))), resp="QUEUE.PEEK", reply=Array(_MESSAGE),
        run="queue_views.peek", http=(Get("/queue/{queue}/peek"),), json={"messages": "$reply"},
        examples=(_MADE, _PUBLISHED, Example("QUEUE.PEEK q", ...)),
        python=Method(by_hand=CLIENT),
    ),
    Command(
        "queue.cancel", 0x0817, "Remove a delayed message of a queue before it is ready.",
        args=(_QUEUE, Text("message_id")), resp="QUEUE.CANCEL", reply=INTEGER, run="queue_admin.cancel", traits=WRITES,
        http=(Post("/queue/{queue}/cancel"),), json={"success": True, "cancelled": "$flag"},
        command={"cancelled": "$flag"},
        examples=(
            _MADE, Example("QUEUE.PUBLISH q hi DELAY 60", "{id}"), Example("QUEUE.CANCEL q {id}", 1),
            Example("QUEUE.CANCEL q {id}", 0),
        ),
        python=Method(note="Return whether it was delayed."),
    ),
    Command(
        "queue.pause", 0x0818, "Stop the deliveries of a queue, or with RESUME let them go on.",
        args=(_QUEUE, AnyOrder(Flag("RESUME"))), resp="QUEUE.PAUSE", reply=INTEGER, run="queue_admin.pause",
        traits=WRITES, http=(Post("/queue/{queue}/pause"),), json={"success": True, "changed": "$flag"},
        command={"changed": "$flag"},
        examples=(
            _MADE, _PUBLISHED, Example("QUEUE.PAUSE q", 1), Example("QUEUE.CONSUME q worker", None),
            Example("QUEUE.PAUSE q RESUME", 1),
        ),
        python=Method(note="Return whether that is a change."),
    ),
    Command(
        "queue.move", 0x0819,
        "Move messages that are ready, by default all of them, to the end of another queue, and return how many.",
        args=(
            _QUEUE, Text("target", kind=QUEUE),
            AnyOrder(OneOf("which", Token("ID", Text("message_id")), Token("COUNT", Int("count", least=0)))),
        ),
        resp="QUEUE.MOVE", reply=INTEGER, run="queue_moves.move", traits=WRITES | GROWS, needs_words=300,
        http=(Post("/queue/{queue}/move"),), json={"success": True, "moved": "$reply"}, command={"moved": "$reply"},
        examples=(
            _MADE, Example("QUEUE.CREATE late 100 30000 3 5", 1), _PUBLISHED, Example("QUEUE.MOVE q late ID {id}", 1),
            Example("QUEUE.MOVE q late", 0),
        ),
        python=Method(note="Return how many."),
    ),
    Command(
        "queue.redrive", 0x081A,
        "Begin to make dead letters ready again, there or in another queue, and return how many; or with STOP end it.",
        args=(
            _QUEUE,
            AnyOrder(
                Token("TO", Text("target", kind=QUEUE)), Token("RATE", Int("rate", least=1, most=REDRIVE_RATE_MAX)),
                Token("COUNT", Int("count", least=0)), Flag("STOP"),
            ),
        ),
        resp="QUEUE.REDRIVE", reply=INTEGER, run="queue_moves.redrive", traits=WRITES | GROWS, needs_words=100,
        http=(Post("/queue/{queue}/redrive"),), json={"success": True, "moving": "$reply"},
        command={"moving": "$reply"},
        examples=(
            _MADE, _PUBLISHED, _CONSUMED, Example("QUEUE.NACK q {id} DROP", "OK"),
            Example("QUEUE.REDRIVE q STOP", 0), Example("QUEUE.REDRIVE q RATE 10", 1),
        ),
        python=Method(note="Return how many."),
    ),
    Command(
        "queue.return", 0x081B,
        "Give leased messages back by their IDs or receipts, without a failure; return 1 for each leased so, else 0.",
        args=(_QUEUE, Many("message_ids", Text("message_id"))), resp="QUEUE.RETURN", reply=Array(INTEGER),
        run="queue_batches.give_back", traits=WRITES, http=(Post("/queue/{queue}/return"),),
        also={"receipts": "message_ids"}, json={"returned": "$items"},
        examples=(_MADE, _PUBLISHED, _CONSUMED, Example("QUEUE.RETURN q {id} {id}", [1, 0])),
        python=Method("queue_return_many", by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "queue.load", 0x08F0, "Load a queue from a snapshot.",
        args=(
            _QUEUE, *(Int(f"word{i}") for i in range(13)), Int("prefetch_limit"),
            *(Int(f"later{i}") for i in range(6)), *(Int(f"more{i}") for i in range(15)), Raw("active"),
            Raw("redrive_to"),
        ),
        run="queue_loads.load_queue", traits=WRITES | INTERNAL | TRUSTED,
    ),
    Command(
        "queue.load_message", 0x08F1, "Load a message of a queue from a snapshot.",
        args=(
            _QUEUE, Raw("payload"), Raw("id"), Int("state"), Int("deadline"), Int("created"), Raw("headers"),
            Text("consumer_id"), Int("serial"), Int("deliveries"), Int("expires"), Int("expiry_serial"), Raw("group"),
            Int("turn"), Many("history", Int("at"), Int("cause"), Raw("consumer"), Raw("reason"), least=0),
        ),
        run="queue_loads.load_message", traits=WRITES | INTERNAL | TRUSTED,
    ),
    Command(
        "queue.load_key", 0x08F2, "Load the key of a publish to a queue from a snapshot.",
        args=(_QUEUE, Raw("dedup"), Raw("id"), Int("expires")),
        run="queue_loads.load_key", traits=WRITES | INTERNAL | TRUSTED,
    ),
]  # fmt: skip
