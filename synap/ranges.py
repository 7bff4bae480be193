"""The ranges of numbers in calls: rows declare them, functions of rows refuse by them, and refusals name them."""

INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1
MS_MAX, SECONDS_MAX = INT_MAX, INT_MAX // 1000
"""The latest time at which a key expires, after 1970."""
GIVEN_SECONDS_MAX = 9_000_000_000_000_000
GIVEN_MS_MAX = GIVEN_SECONDS_MAX * 1000
"""The longest duration and the latest time in a field: a duration added to the time of today still is in range."""
TIMEOUT_MS_MAX = 1 << 62
TIMEOUT_MAX = TIMEOUT_MS_MAX // 1000
"""The longest wait, in seconds."""
PRIORITY_MAX = 9
"""The highest priority of a message."""
MESSAGE_RETRIES_MAX = (1 << 20) - 1
ACK_DEADLINE_MS_MAX = 1 << 40
DEDUP_KEYS_MAX = 10_000_000
"""The most keys of publishes that a queue can be told to remember."""
REASON_MAX = 1024
"""The most bytes of the reason of a nack."""
REDRIVE_RATE_MAX = 1_000_000
"""The most dead letters that are moved in a second, if a rate is given."""
BATCH_MAX = 10_000
"""Messages of one publish or consume of many."""
ROOM_LIMIT_MAX = 1 << 50
"""The highest limit of a room: events, bytes, seconds."""
SESSION_MS_MAX = 1 << 40
"""The longest session of a member of a consumer group."""
PARTITIONS_MAX = 4096
"""The most partitions of a topic."""
CHANGES_MAX, CHANGES_BYTES_MAX = 10_000, 64 << 20
"""Changes, or bytes of their frames, in one reply of the change feed."""
FEED_NAME_MAX = 200
"""Characters of the name of a named feed."""
TAPE_WORDS_MAX = 1 << 20
"""Words of one call's tape: a number takes one, a text two."""
