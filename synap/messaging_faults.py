"""Refusals of queues, topics and consumer groups: a part of the table of faults."""

from synap.fault_row import Row
from synap.ranges import (
    ACK_DEADLINE_MS_MAX,
    BATCH_MAX,
    DEDUP_KEYS_MAX,
    PARTITIONS_MAX,
    REASON_MAX,
    REDRIVE_RATE_MAX,
)

MESSAGING = (
    Row(287, "RECEIPT_LATE", "LATE The lease of this receipt has ended", 409),
    Row(288, "BATCH_TOO_LARGE", f"ERR too many messages, the limit is {BATCH_MAX}", 413),
    Row(289, "BAD_BACKOFF", "ERR the back-off must be from 0 to 2^40 ms, the jitter from 0 to 100 percent", 400),
    Row(290, "NO_SUCH_TOPIC", "ERR no such topic", 400, "Invalid request: Topic '{topic}' not found"),
    Row(291, "TOPIC_EXISTS", "ERR the topic already exists", 400, "Invalid request: Topic '{topic}' already exists"),
    Row(292, "PARTITION_MISSING", "ERR no such partition", 400,
        "Invalid request: Partition {number} not found"),
    Row(293, "BAD_PARTITIONS", f"ERR the number of partitions must be from 1 to {PARTITIONS_MAX}, and may only grow",
        400),
    Row(294, "BAD_POLICY", "ERR the retention policy has other limits: TIME has RETENTION, SIZE has MAXBYTES, "
        "MESSAGES has MAXMESSAGES, COMBINED has any of them, INFINITE none, COMPACT has LAG and TOMBSTONE", 400),
    Row(295, "CONSUMER_GROUP_MISSING", "ERR no such consumer group", 400,
        "Invalid request: Consumer group '{group}' not found"),
    Row(296, "CONSUMER_GROUP_EXISTS", "ERR the consumer group already exists", 400,
        "Invalid request: Consumer group '{group}' already exists"),
    Row(297, "MEMBER_MISSING", "NOMEMBER no such member in the group", 400,
        "Invalid request: Member {member_id} not found"),
    Row(298, "MEMBER_NOT_IN_GROUP", "NOMEMBER no such member in the group", 400,
        "Invalid request: Member {member_id} not found in group"),
    Row(299, "STALE_GENERATION", "STALE the group has another generation", 409),
    Row(300, "STALE_MEMBER", "STALE the partition belongs to another member", 409),
    Row(301, "BAD_STRATEGY", "ERR the strategy must be ROUND_ROBIN, RANGE or STICKY", 400,
        "Invalid request: Invalid assignment strategy"),
    Row(302, "BAD_BACKOFF_KIND", "ERR the back-off must be FIXED, LINEAR or EXPONENTIAL", 400),
    Row(303, "BAD_QUEUE_TIMES", f"ERR the times of a queue must be from 0 to {ACK_DEADLINE_MS_MAX} ms, and "
        f"its dedup keys from 1 to {DEDUP_KEYS_MAX}", 400),
    Row(304, "REASON_TOO_LONG", f"ERR the reason is too long, the limit is {REASON_MAX} bytes", 400),
    Row(305, "BAD_RATE", f"ERR the rate must be from 1 to {REDRIVE_RATE_MAX} messages a second", 400),
    Row(312, "TARGET_MISSING", "ERR no such target queue", 404, "Queue not found: {target}"),
    Row(311, "KEY_WANTED", "ERR a record of a compacted topic needs a key", 400),
    Row(330, "MEMBER_REPLACED", "STALE another connection has joined as this member", 409),
    Row(331, "SUBSCRIBER_MISSING", "ERR no such subscriber: poll a topic, which is subscribed then", 404),
)  # fmt: skip
