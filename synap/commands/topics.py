"""Command rows of topics: records in partitions, which keep their order and are read from any offset."""

from synap.arguments import AnyOrder, Choice, Int, Many, Raw, Text, Timeout, Token
from synap.command import Command, Example
from synap.methods import CLIENT, EMBEDDED, Method
from synap.ranges import PARTITIONS_MAX, ROOM_LIMIT_MAX
from synap.reply import INTEGER, OBJECT, OCTETS, TEXT, TIME, VALUE_OCTETS, Array, As, Each, Record, Tuple, or_nil
from synap.routes import Delete, Get, Post
from synap.store.memory.kinds import TOPIC
from synap.traits import EMPTIES, GROWS, INTERNAL, TRUSTED, WAITS, WRITES

_TOPIC = Text("topic", kind=TOPIC)
_PARTITION = Int("partition_id", least=0)
_COUNT = Int("num_partitions", least=1, most=PARTITIONS_MAX)
_COUNTED = {"partitions": "num_partitions"}
_READ = (Token("LIMIT", Int("limit", least=0)), Token("WAIT", Timeout("wait")))
_MADE_REPLY = Record({"num_partitions": INTEGER, "replication_factor": INTEGER})
_PLACE = Tuple({"partition_id": INTEGER, "offset": INTEGER})
_RECORD = Tuple({
    "partition_id": INTEGER, "offset": INTEGER, "event_type": TEXT, "key": or_nil(OCTETS), "data": VALUE_OCTETS,
    "headers": OBJECT, "timestamp": TIME, "size_bytes": INTEGER,
})  # fmt: skip
_RECORDS = Each({
    "id": "$topic:$partition_id:$offset", "partition_id": "$partition_id", "offset": "$offset", "topic": "$topic",
    "event_type": "$event_type", "key": "$key", "data": "$data", "timestamp": "$timestamp",
    "size_bytes": "$size_bytes", "metadata": "$headers",
})  # fmt: skip
_PARTITION_STATS = Record({
    "partition_id": INTEGER, "topic": TEXT, "message_count": INTEGER, "total_bytes": INTEGER, "min_offset": INTEGER,
    "max_offset": INTEGER, "last_compaction": INTEGER,
})  # fmt: skip
_STATS = Record({
    "topic": TEXT, "num_partitions": INTEGER, "replication_factor": INTEGER, "max_messages": INTEGER,
    "max_bytes": INTEGER, "retention_secs": INTEGER, "created_at": TIME, "partitions": Array(_PARTITION_STATS),
})  # fmt: skip
_OFFSETS = Tuple(dict.fromkeys(("partition_id", "offset", "earliest_offset", "next_offset"), INTEGER))
_MADE = Example("TOPIC.CREATE t PARTITIONS 3", ...)
_SAID = Example("TOPIC.PUBLISH t posted hello KEY 21", [0, 0])

ROWS = [
    Command(
        "topic.create", 0x1901,
        "Create a topic of some partitions, and set what each partition retains; by default an hour.",
        args=(
            _TOPIC,
            AnyOrder(
                Token("PARTITIONS", _COUNT), Token("ROUTING", Choice("routing", ("MURMUR2", "CRC32"))),
                Token("POLICY", Choice("type", ("TIME", "SIZE", "MESSAGES", "COMBINED", "INFINITE", "COMPACT"))),
                Token("RETENTION", Int("retention_secs", least=0, most=ROOM_LIMIT_MAX)),
                Token("MAXBYTES", Int("max_bytes", least=0, most=ROOM_LIMIT_MAX)),
                Token("MAXMESSAGES", Int("max_messages", least=0, most=ROOM_LIMIT_MAX)),
                Token("REPLICAS", Int("replication_factor", least=0, most=ROOM_LIMIT_MAX)),
                Token("SEGMENTBYTES", Int("segment_bytes", least=0, most=ROOM_LIMIT_MAX)),
                Token("LAG", Int("lag_ms", least=0, most=ROOM_LIMIT_MAX)),
                Token("TOMBSTONE", Int("tombstone_ms", least=0, most=ROOM_LIMIT_MAX)),
            ),
        ),
        resp="TOPIC.CREATE", reply=_MADE_REPLY, run="topics.create", traits=WRITES | GROWS, needs_words=200,
        http=(Post("/topics/{topic}"),), within="retention_policy", also=_COUNTED,
        json={
            "success": True, "topic": "$topic", "num_partitions": "$num_partitions",
            "replication_factor": "$replication_factor",
        },
        examples=(Example("TOPIC.CREATE t PARTITIONS 3 POLICY TIME RETENTION 60", ...),),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "topic.publish", 0x1902,
        "Append a record to a partition: the one that is given, or that the key selects, or the next one in turn.",
        args=(
            _TOPIC, Text("event_type"), Raw("data"),
            AnyOrder(Token("KEY", Raw("key")), Token("PARTITION", _PARTITION), Token("HEADERS", Raw("headers"))),
        ),
        resp="TOPIC.PUBLISH", reply=_PLACE, run="topics.publish", traits=WRITES | GROWS, needs_words=4200,
        http=(Post("/topics/{topic}/publish"),),
        json={"partition_id": "$partition_id", "offset": "$offset", "topic": "$topic"},
        examples=(_MADE, _SAID, Example("TOPIC.PUBLISH t posted again PARTITION 2", [2, 0])),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "topic.publish_many", 0x1903,
        "Append records of one type, each to the partition that its key selects, or in turn if its key is empty.",
        args=(_TOPIC, Text("event_type"), Many("records", Raw("key"), Raw("data"))),
        resp="TOPIC.MPUBLISH", reply=Array(_PLACE), run="topics.publish_many", traits=WRITES | GROWS, needs_words=4200,
        http=(Post("/topics/{topic}/publish_many"),), json={"topic": "$topic", "records": "$reply"},
        examples=(_MADE, Example("TOPIC.MPUBLISH t posted 21 one 21 two", [[0, 0], [0, 1]])),
        python=Method("topic_publish_many", by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "topic.consume", 0x1904,
        "Return records of a partition from an offset on, by default 100 from the earliest; WAIT waits for a record.",
        args=(
            _TOPIC, _PARTITION,
            AnyOrder(Token("FROM", Int("from_offset", least=0)), *_READ),
        ),
        resp="TOPIC.CONSUME", reply=Array(_RECORD), run="topic_reads.consume", traits=WAITS,
        http=(Post("/topics/{topic}/partitions/{partition_id}/consume", capped=(("limit", 1000, 1 << 63),)),),
        json={
            "topic": "$topic", "partition_id": As("partition_id", INTEGER), "events": _RECORDS,
            "next_offset": "$total", "count": "$count",
        },
        json_nil={
            "topic": "$topic", "partition_id": As("partition_id", INTEGER), "events": [],
            "next_offset": As("from_offset", INTEGER), "count": 0,
        },
        examples=(
            _MADE, _SAID, Example("TOPIC.CONSUME t 0 FROM 0 LIMIT 1", ...), Example("TOPIC.CONSUME t 0 FROM 1", []),
        ),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "topic.read", 0x1905,
        "Return records of several partitions, each from its offset on, by default of all from the earliest.",
        args=(
            _TOPIC,
            AnyOrder(*_READ, Token("OFFSETS", Many("offsets", Int("partition_id"), Int("offset")))),
        ),
        resp="TOPIC.READ", reply=Array(_RECORD), run="topic_reads.read", traits=WAITS,
        http=(Post("/topics/{topic}/consume"),),
        json={"topic": "$topic", "events": _RECORDS, "count": "$count"},
        json_nil={"topic": "$topic", "events": [], "count": 0},
        examples=(_MADE, _SAID, Example("TOPIC.READ t LIMIT 10 OFFSETS 0 0 1 0", ...), Example("TOPIC.READ t", ...)),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "topic.offsets", 0x1906,
        "Return for each partition the offset of the first record of a time in ms or later, the earliest and the next.",
        args=(_TOPIC, AnyOrder(Token("TIMESTAMP", Int("timestamp_ms")))),
        resp="TOPIC.OFFSETS", reply=Array(_OFFSETS), run="topic_reads.offsets",
        http=(Get("/topics/{topic}/offsets"),), json={"topic": "$topic", "partitions": "$reply"},
        examples=(_MADE, _SAID, Example("TOPIC.OFFSETS t", [[0, 0, 0, 1], [1, 0, 0, 0], [2, 0, 0, 0]])),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "topic.stats", 0x1907, "Return the settings of a topic, and what each of its partitions holds.",
        args=(_TOPIC,), resp="TOPIC.STATS", reply=_STATS, run="topics.stats", http=(Get("/topics/{topic}/stats"),),
        json="$reply", examples=(_MADE, _SAID, Example("TOPIC.STATS t", ...)),
    ),
    Command(
        "topic.grow", 0x1908, "Add partitions to a topic up to this number; records stay where they are.",
        args=(_TOPIC, _COUNT), resp="TOPIC.GROW", reply=INTEGER, run="topics.grow", traits=WRITES | GROWS,
        needs_words=200, http=(Post("/topics/{topic}/partitions"),), also=_COUNTED,
        json={"success": True, "topic": "$topic", "num_partitions": "$reply"},
        examples=(_MADE, Example("TOPIC.GROW t 5", 5)),
        python=Method(names={"num_partitions": "partitions"}, note="Return the number of partitions."),
    ),
    Command(
        "topic.delete", 0x1909, "Delete a topic with all its records.", args=(_TOPIC,), resp="TOPIC.DELETE",
        run="topics.delete", traits=WRITES | EMPTIES, http=(Delete("/topics/{topic}"),),
        json={"success": True, "deleted": "$topic"}, examples=(_MADE, Example("TOPIC.DELETE t", "OK")),
        python=Method(by_hand=CLIENT),
    ),
    Command(
        "topic.list", 0x190A, "List the names of all topics.", resp="TOPIC.LIST", reply=Array(TEXT),
        run="topics.list_names", http=(Get("/topics"),), json={"topics": "$items", "count": "$count"},
        examples=(_MADE, Example("TOPIC.LIST", ["t"])),
        python=Method(returns="titles", by_hand=CLIENT),
    ),
    Command(
        "topic.expire", 0x190B, "Remove the records of a topic that have grown too old, on behalf of upkeep.",
        args=(_TOPIC, Int("most")), reply=INTEGER, run="topics.expire", traits=WRITES | INTERNAL,
    ),
    Command(
        "topic.load", 0x19F0, "Load a topic from a snapshot.",
        args=(
            _TOPIC, *(Int(f"word{i}") for i in range(9)), Many("partitions", Int("first"), Int("created")),
            Int("lag_ms"), Int("tombstone_ms"),
        ),
        run="topics.load_topic", traits=WRITES | INTERNAL | TRUSTED,
    ),
    Command(
        "topic.load_records", 0x19F1, "Load records of a partition from a snapshot.",
        args=(
            _TOPIC, Int("partition_id"),
            Many("records", Text("type"), Raw("key"), Raw("data"), Raw("headers"), Int("time"), Int("gap")),
        ),
        run="topics.load_records", traits=WRITES | INTERNAL | TRUSTED,
    ),
]  # fmt: skip
