"""Words of queues and of messages, and what stands in them.

    queue      settings, counters, chains, tables of messages, holders, FIFO groups and dedup keys, heaps, name
    message    chain links, id (16 octets), state, deadline, created, payload, size of the headers with the number of
               deliveries above it, holder, extras; then the bytes of payload and headers
    holder     a consumer that holds messages: their number, its name
    extras     what few messages have: when it expires, its FIFO group, the history of its failures
    group      a FIFO group: the message whose turn it is, the chain of those that wait for it, its name
    failure    one entry of a history
    dedup key  a key of a publish, with the id of the message that it published

A message is in one chain: *ready* (one chain for each priority), *leased* (in order of deadline: a queue has one ack
deadline and engine time does not go back, so new leases belong at the end), *dead*, or *blocked* (behind the message of
its group whose turn it is); or it is *delayed*, in a heap by the time at which it will be ready. Messages that expire
are in a second heap, by that time; one whose time comes while it is leased leaves the heap, and its EXPIRY_SERIAL is 0.
The timer of a queue is due when the first of all these falls due.
"""

# Words of a queue; NAME_SIZE, TIMER and KIND (14, 15) as in named_records.py.
NAME_SIZE, DEPTH_MAX, ACK_DEADLINE_MS, RETRIES_MAX, PRIORITY = range(5)
READY_COUNT, LEASED_COUNT, DEAD_COUNT = 5, 6, 7
PUBLISHED, CONSUMED, ACKED, NACKED, DEAD_LETTERED, CONSUMERS = range(8, 14)
READY, LEASED, DEAD = 16, 36, 38  # chains: (first, last) each; READY is ten of them
MESSAGES, HOLDERS = 40, 48  # tables
DELAYED, DELAYED_COUNT, DELAYED_CAPACITY = 56, 57, 58  # a heap of messages by DEADLINE, then SERIAL
PREFETCH_MAX = 59  # messages that one consumer may hold; 0: no limit
BACKOFF, BACKOFF_MS, BACKOFF_MAX_MS, JITTER = 60, 61, 62, 63  # how long a failed message waits; see `backoff_of`
PAUSED = 64  # 1: nothing is delivered
DELAYS = 65  # the greatest number of a delayed message
EXPIRING, EXPIRING_COUNT, EXPIRING_CAPACITY = 66, 67, 68  # a heap of extras by EXPIRES, then EXPIRY_SERIAL
EXPIRIES = 69  # the greatest number of a message that expires
TTL_MS = 70  # how long a message lives that says nothing else; 0: for ever
EXPIRED_TO, OVERFLOW = 71, 72  # what becomes of an expired message, and of a publish to a full queue
AGEING_MS = 73  # a ready message rises by one priority in this time; 0: never
DEDUP_MS, DEDUP_MAX = 74, 75  # how long dedup keys are known, and how many; 0: the defaults
SINGLE = 76  # 1: only one consumer at a time gets messages
EXPIRED, DROPPED = 77, 78  # counters: messages that expired, messages dropped for newer ones
ACTIVE_UNTIL = 79  # until when (ms) the active consumer is alone, even if it holds nothing; 0: there is none
REDRIVE_LEFT, REDRIVE_RATE, REDRIVE_FROM, REDRIVE_DONE = 80, 81, 82, 83  # dead letters to move, a second, since (ms)
ACTIVE, REDRIVE_TO = 84, 85  # blocks: the active consumer, and the queue to which dead letters move; size and name
GROUPS, DEDUP = 86, 94  # tables, opened with their first entry
DEDUP_FIRST, DEDUP_LAST, DEDUP_COUNT = 102, 103, 104  # dedup keys, oldest first
BLOCKED_COUNT = 105
RATE_NOW, RATE_BEFORE = 106, 110  # when a window of rates began (ms), PUBLISHED, CONSUMED and ACKED then; see rates.py
GROUPS_FREED = 114  # of a deleted queue: the place in GROUPS up to which upkeep has freed them
QUEUE_WORDS = 115
STATS = 14  # words up to CONSUMERS; a snapshot holds those behind NAME_SIZE
LATER_SAVED = 6  # words from BACKOFF on that a snapshot holds, besides PREFETCH_MAX and STATS
MORE_SAVED = 15  # and words from EXPIRIES on

# Words of a message.
NEXT, PREV, ID_A, ID_B, STATE, DEADLINE, CREATED, PAYLOAD, HEADERS, HELD_BY, EXTRAS, MESSAGE_WORDS = range(12)
PLACE, SERIAL = NEXT, PREV  # of a delayed message: its entry in the heap + 1, its number among the published
IS_READY, IS_LEASED, IS_DEAD, IS_DELAYED, IS_BLOCKED = range(5)
PRIORITY_SHIFT, FAILURES_SHIFT, LIMIT_SHIFT = 8, 16, 40  # in STATE; the failures have 24 bits, the limit 20
FAILURES_MASK = (1 << 24) - 1
DELIVERIES_SHIFT, HEADERS_MASK = 32, (1 << 32) - 1  # in the word HEADERS

HOLDING, HOLDER_NAME_SIZE, HOLDER_WORDS = range(3)
EXPIRES, EXPIRY_PLACE, EXPIRY_SERIAL, OWNER, GROUP, FAILURE_FIRST, FAILURE_LAST, FAILURE_COUNT, EXTRAS_WORDS = range(9)
TURN, BLOCKED, BLOCKED_LAST, MEMBERS, GROUP_NAME_SIZE, GROUP_WORDS = range(6)
FAILURE_NEXT, FAILED_AT, CAUSE, FAILURE_SIZES, FAILURE_WORDS = range(5)  # SIZES: of the consumer << 32 | of the reason
DEDUP_NEXT, DEDUP_EXPIRES, DEDUP_ID_A, DEDUP_ID_B, DEDUP_SIZE, DEDUP_WORDS = range(6)
BLOCK_NAME = 1  # of ACTIVE and REDRIVE_TO: word 0 is the size of the name

LINEAR, EXPONENTIAL = 2, 3  # in BACKOFF; 1: always the same, 0: no back-off
TO_DEAD = 2  # in EXPIRED_TO; 1, 0: removed
DROPS, DROPS_TO_DEAD = 2, 3  # in OVERFLOW; 1, 0: the publish is refused
LINEAR_MAX, DOUBLED_MAX, BACKOFF_LONGEST_MS = 1 << 20, 40, 1 << 40
DEDUP_MS_DEFAULT, DEDUP_MAX_DEFAULT = 300_000, 100_000
FAILURES_KEPT = 10  # entries of a history
MESSAGE_ITEMS = 23  # items of the reply for one message: the mark of a map, eleven names and values
FAILURE_ITEMS = 9  # of one entry of a history: the mark of a map, four names and values
