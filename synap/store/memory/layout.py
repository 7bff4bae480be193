"""Layout of the heap: the fixed regions and the registers, as constants.

All state lies in one anonymous mapping, seen as `words` (int64) and `octets` (uint8). A *ref* is the index of a word;
0 refers to nothing. The regions come first, in this order, and the pages of the arena fill the rest:

    registers | doors | shards | kinds | counters | rows | names | schema | texts | envelopes | interest | hits
    | deferred | sessions | parse words | tape | decided | reply | receive | call | out | log | page table | pages

The whole address space is reserved and not committed: a page takes memory once it is touched. Limits on address
space count all of it (`spaces.py`), so no region is larger than the limits of calls and replies require.
"""

from synap.ranges import TAPE_WORDS_MAX

WORD = 8
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

# Registers: single words at the start of the heap.
SEQ = 1  # the seq of the last change
KEY_A, KEY_B = 2, 3  # the secret key of all hashes that stay in this process
CHANCE = 4  # state of the generator of SPOP and message ids; the log has its outcomes, not the state
REFUSE = 5  # GUARD_* bits: which calls this node refuses at present
INTEREST_ANY = 6  # not 0 if any key is waited for, watched or tracked
HITS_COUNT = 7  # changed keys with an interest, listed in HITS; above HITS_MAX: all keys
DEFERRED_COUNT = 8  # blocks to free after the reply is written, listed in DEFERRED
LAZYFREE = 9  # first deleted structure that upkeep has still to free
LAZYFREE_COUNT = 10
LOG_TOP = 11  # byte offset in LOG of the next frame
LOG_FIRST = 12  # seq of the first frame in LOG
LOG_COUNT = 13  # frames in LOG
JOURNALED = 14  # 1 if frames of changes are written to LOG
REPLY_ITEMS_MAX = 15  # the items and bytes that the caller of a row can take
REPLY_BYTES_MAX = 16
DECIDED_CODE, DECIDED_TAPE_SIZE, DECIDED_BLOB_SIZE = 17, 18, 19  # the call to log instead, see DECIDED
REFUSE_CALLER = 20  # GUARD_* bits: which calls of the present caller are refused besides
CURSOR_TOP = 22  # size of the tape that was filled last
BYTES_MAX = 23  # max_memory
PAGES_TOP, PAGES_END, PAGES_USED = 24, 25, 26
PAGES_DIRTY = 27  # free pages that may still be committed
NAMESPACES = 16
KEYS_COUNT = 32  # NAMESPACES words: visible or expired keys in each namespace
KEYS_EXPIRING = 48  # NAMESPACES words: keys with a deadline
BINS = 64  # 40 words: first free run of 2**n pages and more
CLASSES = 128  # 64 words: first slab of each class that has free blocks
TIMERS_DUE = 200  # the time of the earliest timer of a queue or room
LAST_NOW = 201
LANE_AT, LANE_OUT, LANE_CALLS = 203, 204, 205  # where the lane stopped, the end of its replies, a count
FRAME_LAST = 206  # word of the last frame written, to mark it as continued
IN_GROUP = 207  # in an EXEC or a script: 1 + its frames so far; else 0
REPLAY_SEQ, REPLAY_CODE, REPLAY_STATUS = 209, 210, 211  # the frame at which a replay stopped, and the status it got
BATCH_AT, BATCH_INDEX, BATCH_STATUS = 214, 215, 216  # where a batch of envelopes stopped
LIMIT_WORD, LIMIT_WORDS = 212, 213  # limits: bytes of a RESP word, words of a RESP command
EVICTION = 217  # the policy: EVICT_* below
EVICTION_SAMPLES = 218  # keys sampled for each one removed
USE_FACTOR, USE_DECAY = 237, 238  # how slowly use counters grow, and the minutes after which they shrink by one
EVICTED = 219  # keys removed by eviction
TRACKING = 220  # what is noted when a key is used: nothing (0), NOTE_TIME or NOTE_USE
NOW = 222  # engine time of the call under way, ms
WORDS_USED = 221  # words in blocks that are in use
COMPRESS_MIN = 223  # values of this many bytes and more are compressed; 0: none
HOT_MAX, HOT_BYTES, HOT_HAND = 224, 225, 226  # the cache of decompressed values: limit, bytes, next seat to clear
HOT_HITS, HOT_MISSES = 227, 228
COMPRESSED_FROM, COMPRESSED_TO = 229, 230  # bytes of values before and after compression
TIMERS, TIMERS_COUNT, TIMERS_CAPACITY = 231, 232, 233  # the heap of timers: its ref, entries, capacity in entries
ZSTD_PACK, ZSTD_OPEN = 240, 241  # addresses of Zstandard, see store/records/zstd.py; 0: LZ4 is used
KEY_HITS, KEY_MISSES = 242, 243  # reads that found their key, and that did not
ROOM_LIMITS = 234  # limits of rooms that are created without any: events, bytes, seconds
# How large a structure may be before it leaves its small form: nine of Redis' settings (handlers/redis_settings.py).
HASH_ENTRIES_MAX, HASH_VALUE_MAX, LIST_SIZE_MAX = 245, 246, 247
SET_ENTRIES_MAX, SET_VALUE_MAX, SET_INTEGERS_MAX = 248, 249, 250
ZSET_ENTRIES_MAX, ZSET_VALUE_MAX, HLL_SPARSE_MAX = 251, 252, 253
STREAM_BYTES_MAX, STREAM_ENTRIES_MAX = 260, 261  # of a full chunk of a stream, as a node of Redis has them
INNER_DEADLINES = 254  # 1 once an element of a structure, as the field of a hash, has got a deadline
LACKED = 258  # bytes in use that would have to be left for what the call under way has asked for in vain, else 0
EVICTS_SELF = 259  # 1 while a caller evicts by itself what a call lacks, one key at a time (engine/keyspace_events.py)
PAGES_ASIDE = 257  # pages of blocks in transit (`arena.allocate_block`)
PAGES_WANTED = 256  # pages of the slots for which a table that has to grow found no memory, else 0
REPEATED = 255  # 1 while a call that has waited, or one of the log, is carried out again
CLOCK = 244  # address of `clock_gettime`; 0: no call is timed
# Scripts (store/scripts/): the state of Lua that runs one, and what the script may do.
LUA_BASE = 272  # address of the heap
LUA_CALLS = 273  # address of the C function that carries out a call in Python
LUA_MEMORY, LUA_MEMORY_MAX = 274, 275  # bytes that Lua has, and may have
LUA_REALLOC, LUA_FREE = 276, 277  # addresses of the functions of the C library
LUA_NAMESPACE, LUA_VERSION, LUA_FLAGS = 278, 279, 280  # namespace and RESP version of its calls; SCRIPT_* bits
LUA_REPLY_MAX = 281  # bytes of a reply to one of its calls
LUA_DEADLINE, LUA_SEQ = 282, 283  # when the hook ends it (ns of the monotonic clock; 0: never); the seq at its start
LUA_ENDED = 284  # why the hook has ended it
LUA_SIZE, LUA_OCTETS = 285, 286  # the size of a string that Lua tells; bytes of a number
SCRIPT_RUNS, SCRIPT_READS_ONLY, SCRIPT_IN_CALL, SCRIPT_IN_PYTHON = 1, 2, 4, 8  # the last: each call needs Python
SCRIPT_MAY_WRITE = 16  # of an entry: its text has a line of flags, which do not say that it only reads
SCRIPT_ABOVE_MAX = 32  # it has the flag allow-oom
LUA_LIBRARY_CALL = 287  # address of the C function that calls a function of a library
LUA_ROW, LUA_ITEMS_MOST = 270, 271  # the row of the call under way; items of the largest reply to a call
LUA_NAMES = 288  # 12 names of 32 octets, see scripts/replies.py
LUA_STATE = 336  # address of the state, 0 before the first script
LUA_RUN, LUA_BY_TEXT, LUA_BY_SHA, LUA_BY_NAME = 337, 338, 339, 340  # references to what `sandbox.lua` returns
LUA_SESSION, LUA_NOTED = 341, 342  # the session whose script the lane runs, else 0; 1 if each call needs Python
LUA_TIME_MAX = 343  # ms that a script may take
LUA_FULL = 344  # bytes of Lua above which Python has to free some before the next script
LUA_TEXT_AT = 345  # octet behind the texts of the reply of a script
LUA_USES = 346  # scripts that have run
LUA_JSON = 349  # 1 if its reply is for JSON, which has more types than RESP
LUA_BEGAN, LUA_BUSY_MS, LUA_BUSY_AT = 350, 351, 352  # when it began (ns), the ms after which it is long, and then (ns)
LUA_BUSY = 353  # address of the C function to call while it is long; 0: none
LUA_COST_MAX = 356  # log2 of the steps that a pattern may take in Lua's own matcher
LUA_GUARDS = 360  # addresses of five C functions that guard those of `string` and `coroutine`
LUA_SWITCHED_ON = 365  # 1 if scripts over JSON may call rows that a setting can switch off
LUA_WORK = 359  # what C functions of Lua have done since the last look at the clock, in steps or bytes
LUA_TABLE, LUA_TITLE_SIZE = 354, 355  # which of the tables it was found in; bytes of its title
LUA_TITLE = 888  # 64 words: its SHA1, or the name of the function
LIBRARIES_CHANGES, LUA_LIBRARIES = 347, 348  # how often libraries were stored or removed; the same when Lua read them
SCRIPT_USES = 384  # 501 words, for each seat of the cache of scripts: LUA_USES at its last use
SCRATCH = 960  # 64 words for texts that a call writes: digits, ids; the registers end behind them

DOORS = 1024  # 256 words: address of each family's door, by the high byte of a code
SHARDS, SHARDS_COUNT, TABLE_SIZE = 1280, 64, 8
KINDS_COUNT = 32
KIND_DOORS = 1792  # address of each kind's door, by the number of the kind
ROOT_WORDS = KIND_DOORS + KINDS_COUNT  # of each kind: words between head and key, or before the name (kinds/table.py)
TYPE_NAMES = ROOT_WORDS + KINDS_COUNT  # octet and size of the text that TYPE answers for each kind; KINDS_COUNT pairs
NAMED_FIRST = 16  # the first number of a kind of named records
NAMED_TABLES = TYPE_NAMES + 2 * KINDS_COUNT  # the table of each kind of named records, from NAMED_FIRST on
QUEUES, ROOMS = NAMED_TABLES, NAMED_TABLES + TABLE_SIZE
LIBRARIES, TOPICS = NAMED_TABLES + 3 * TABLE_SIZE, NAMED_TABLES + 4 * TABLE_SIZE
GROUPS, RETAINED = NAMED_TABLES + 5 * TABLE_SIZE, NAMED_TABLES + 6 * TABLE_SIZE
KIND_SORTS = NAMED_TABLES + (KINDS_COUNT - NAMED_FIRST) * TABLE_SIZE  # for each kind, one of:
NOT_SORTED, IN_NO_ORDER, IN_ORDER = range(3)  # SORT refuses it, or its elements have no order, or one of their own
CODES, CODES_SIZE = 4096, 65536  # the row of each code
COUNTERS, COUNTER_WORDS = CODES + CODES_SIZE, 4  # of each code: calls, refusals, one that is not used, changes
COUNTER_REFUSALS, COUNTER_CHANGES = 1, 3
COUNTERS_SIZE = 65536 * COUNTER_WORDS
ROWS = COUNTERS + COUNTERS_SIZE  # 16 words for each row
ROWS_COUNT_MAX, ROW_SIZE = 2048, 16
NAMES = ROWS + ROWS_COUNT_MAX * ROW_SIZE  # 4 words for each slot: hash, row + 1, text at, text size
NAMES_COUNT = 8192
SCHEMA = NAMES + NAMES_COUNT * 4
SCHEMA_SIZE = 1 << 17
CHOICES, CHOICES_SIZE = SCHEMA + SCHEMA_SIZE, 1 << 14  # (octet, size) of the texts of choices and fields
TEXTS = CHOICES + CHOICES_SIZE  # constant texts: tokens, names, refusals
TEXTS_SIZE = 1 << 15
FAULTS = TEXTS + TEXTS_SIZE  # 2 words for each refusal: text at, text size
FAULTS_COUNT = 1024
FAULT_FILLED = 1 << 32  # in the size of a text that Python has to fill
ENVELOPES = FAULTS + FAULTS_COUNT * 2  # 4 words for each slot: target, hash, name at, name size
ENVELOPES_COUNT = 4096
TARGETS = ENVELOPES + ENVELOPES_COUNT * 4  # the rows as the command envelope reads them
TARGETS_SIZE = 1 << 16
TARGET_TEXTS = TARGETS + TARGETS_SIZE
TARGET_TEXTS_SIZE = 1 << 14
HOT = TARGET_TEXTS + TARGET_TEXTS_SIZE  # 4 words for each seat of the cache of decompressed values
HOT_SEATS = 1024
TIMES = HOT + 4 * HOT_SEATS  # for each row: calls that were timed, ns of all of them, calls by log2(ns)
TIMES_SIZE = 32
REFUSALS = TIMES + ROWS_COUNT_MAX * TIMES_SIZE  # how often each refusal was sent over RESP
INTEREST = REFUSALS + FAULTS_COUNT  # 65536 octets, by the low bits of a key's hash
INTEREST_SIZE = 65536 // WORD
HITS, HITS_MAX = INTEREST + INTEREST_SIZE, 1024
REPLY_ITEMS, REPLY_ITEMS_LANE = 1 << 26, 1 << 17  # capacity in items; the most that the lane uses
DEFERRED_MAX = REPLY_ITEMS + TAPE_WORDS_MAX + 64  # a call defers a block for an item of its reply or a key, and a few
DEFERRED = HITS + HITS_MAX + 8
SESSIONS, SESSION_SIZE, SESSIONS_COUNT = DEFERRED + DEFERRED_MAX + 8, 16, 1 << 16
WORDS = SESSIONS + SESSION_SIZE * SESSIONS_COUNT  # (start, size) of each RESP word of a command
TAPE_MARGIN = 64  # words before a tape for its two head words, and behind it for fixed slots
TAPE = WORDS + 2 * TAPE_WORDS_MAX + TAPE_MARGIN
DECIDED = TAPE + 4 * TAPE_WORDS_MAX + TAPE_MARGIN  # tape of a decided call: the outcome of a row, as another row
DECIDED_BLOB = DECIDED + 2 * REPLY_ITEMS + TAPE_MARGIN  # the tape has two words for each item of the reply
REPLY = DECIDED_BLOB + (1 << 28)
SECOND_NUMBER = 2  # word of the reply to a refused call: the second number in the refusal's text
RECEIVE = REPLY + 8 + 2 * REPLY_ITEMS
RECEIVE_BYTES = 256 * KIB
CALL = RECEIVE + RECEIVE_BYTES // WORD + 64  # a call built in Python: tape, then blob
CALL_TAPE_SIZE = 1 << 21
PACKED_ROW, PACKED_WORDS, PACKED_TAPE, PACKED_NAMESPACE, PACKED_BLOB, PACKED_HEAD = range(6)
"""Words of a packed call before its tape: row, words in all, words of the tape, namespace, bytes of the blob. The last
two belong to the tape; the blob is behind it."""
CALL_BLOB = CALL + CALL_TAPE_SIZE
CALL_BLOB_BYTES = 1 * GIB
CALL_BLOB_REST = CALL_BLOB + CALL_BLOB_BYTES // WORD // 2  # for input during whose calls others are made
OUT = CALL_BLOB + CALL_BLOB_BYTES // WORD
OUT_BYTES = 1 * MIB
OUT_AT, OUT_END = OUT * WORD, OUT * WORD + OUT_BYTES  # octets
OUT_SLACK = 4096  # beyond OUT_BYTES: short replies are written without checking the limit
LOG = OUT + (OUT_BYTES + OUT_SLACK) // WORD
LOG_BYTES = 3 * GIB  # fits one frame of the largest call
LOG_FLUSH_BYTES = 8 * MIB  # the lane stops before more than this waits to be written
PAGE_TABLE = (LOG + LOG_BYTES // WORD + 1023) & ~1023

# Pages.
PAGE_WORDS = 1024
PAGE_BYTES = PAGE_WORDS * WORD
SLAB_PAGES = 8
BLOCK_WORDS_MAX = 4096  # larger blocks are extents

# A row in ROWS.
ROW_CODE, ROW_FLAGS, ROW_SCHEMA, ROW_SCHEMA_END, ROW_SLOTS, ROW_WORDS_MIN, ROW_WORDS_MAX = range(7)
ROW_NEEDS_WORDS, ROW_REPLY, ROW_NAME, ROW_NAME_SIZE, ROW_NAMES = 7, 8, 9, 10, 11

# Bits of ROW_REPLY: what the reply's template says that the reply itself does not.
REPLY_WORD, REPLY_SET, REPLY_GROUP = 1, 2, 4  # a number selects a name; ITEMS are a set; NIL is a missing group

# Flags of a row.
FLAG_WRITE = 1  # may change the state
FLAG_GROWS = 2  # may need memory: refused above max_memory
FLAG_ABOVE_MAX = 4096  # may need a little memory, also above max_memory
FLAG_HANDLER = 4  # runs in Python: the lane stops before it
UNREADABLE = 1 << 8  # in the slot of a OneOf: a number that belongs to it is not an integer
FLAG_CONTROL = 8  # not queued in MULTI: MULTI, EXEC and similar
FLAG_CONTAINER = 16  # the second RESP word belongs to the name
FLAG_WAITS = 32  # may park: wait for a key, a queue or a room
FLAG_READ = 64  # needs the permission to read
FLAG_ADMIN = 128  # needs the permission to administrate
FLAG_SIGNED_OUT = 512  # allowed to callers who have not signed in
FLAG_LOADING = 1024  # allowed while the data is loaded
FLAG_NOT_IN_SCRIPTS = 8192  # no script may call it
FLAG_SCRIPT = 16384  # runs a script
FLAG_REPLICATES = 32768  # no script that only reads may call it, though it does not write
FLAG_SWITCHED = 65536  # a setting can switch it off for HTTP
FLAG_WAS_ITEMS = 2048  # returns ITEM where 0.1.0 returned ITEMS

# A session in SESSIONS.
SESSION_FLAGS, SESSION_NAMESPACE, SESSION_RESP, SESSION_QUEUED, SESSION_QUEUE, SESSION_QUEUE_USED = range(6)
SESSION_QUEUE_CAPACITY, SESSION_WATCHED = 6, 7  # two words more behind SESSION_WATCHED belong to EXEC
SESSION_ROW, SESSION_SEEN = 10, 11  # the row called last, and when (ms of engine time)
SESSION_REFUSE = 12  # GUARD_* bits of the caller
IN_MULTI, MULTI_BROKEN, MULTI_NEEDS_PYTHON = 1, 2, 4

# Guards: bits of REFUSE and REFUSE_CALLER, see `calls.admit`.
GUARD_LOADING, GUARD_READ_ONLY, GUARD_BROKEN_LOG = 1, 2, 4
GUARD_SIGNED_OUT, GUARD_NO_READS, GUARD_NO_WRITES, GUARD_NO_ADMIN, GUARD_RATE = 8, 16, 32, 64, 128

# The mark of a text: the low byte of the word that holds its size, in tape, reply, record and member.
FORM_JSON, FORM_MASK = 1, 3  # 0: plain text
PRESENT = 0x20
MARK_BITS = 8
ITEM_TEXT, ITEM_INTEGER, ITEM_REAL, ITEM_NIL, ITEM_MASK = 0x00, 0x40, 0x80, 0xC0, 0xC0
# An ITEM_NIL with a size is a mark in a nested reply; its size says which, and its value is a count or a number.
MARK_ARRAY, MARK_SET, MARK_MAP, MARK_PAIRS, MARK_PAIR, MARK_NAME = 1, 2, 3, 4, 5, 6
MARK_DIGITS = 7  # and the three above it: the text of an integer, in the form of this number - MARK_DIGITS
MARK_DISTANCE, MARK_DEGREES, MARK_NO_ARRAY = 11, 12, 13
MARK_TRUTH = 14
MARK_BY_NAME, MARK_NAMED = 15, 16
# How a text of a reply is spelled, in its mark: as a text, a status, an error, a big number, or with a format.
AS_STATUS, AS_ERROR, AS_BIG_NUMBER, AS_VERBATIM, STYLE_MASK = 0x04, 0x08, 0x0C, 0x10, 0x1C
VERBATIM_HEAD = 4  # bytes before a text with a format: `txt:`
NAME_BYTES_MAX = 24  # of a name that MARK_NAME stands for, so that `tapes.fits` counts it as any other item

# Statuses. The low byte says how to read the reply region, the bits above say what happened.
BROKEN, DONE, NIL, ITEM, ITEMS, NUMBER, EMPTY, NO_ITEM = 0, 1, 2, 3, 4, 5, 6, 7
FULL, WAIT, UNPREPARED, UNWRITTEN = 16, 17, 18, 19
# With FULL, WAIT and UNPREPARED nothing has changed, and the call is made again. UNPREPARED: Python prepares it first,
# as it compiles a script. UNWRITTEN: the call is done, and Python has to write its reply, an ITEM.
CHANGED, DECIDED_BIT = 0x100, 0x200
REFUSED_SHIFT = 16  # a refusal is its number + 1, above the 16 bits of a status that frames of the log hold
REFUSED = 1 << REFUSED_SHIFT
STATUS_MASK = ~0x700
NOTHING_READY = 0x400  # with WAIT: every call of this row would wait now, for the same key or name

# Eviction policies.
(
    EVICT_NOBODY, EVICT_LRU, EVICT_LFU, EVICT_RANDOM, EVICT_VOLATILE_LRU, EVICT_VOLATILE_LFU, EVICT_VOLATILE_RANDOM,
    EVICT_VOLATILE_TTL,
) = range(8)  # fmt: skip
NOTE_TIME, NOTE_USE = 1, 2

# Names of consumers are hashed as keys of a namespace with this number, which is no number of a kind.
HOLDER = 18
# Kinds of interest in a key.
WATCHED, AWAITED, ANNOUNCED, TRACKED = 1, 2, 4, 8
