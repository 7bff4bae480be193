"""The table of faults, the refusals sent to clients, and the exceptions of the package.

    SynapError
        Fault              a refusal for the caller: a row of the table with its words filled in
        BrokenNode         an internal error: the node stops rather than continue with a wrong state
        LogFailed          the disk refuses (synap/journal/errors.py): outcomes are unknown, writes are refused

Each row has a number for kernels (`synap/store/memory/refusals.py` is generated from it), the text for RESP, and the
HTTP status and text for JSON surfaces. The caller fills in `{name}`; `%` in a RESP text stands for the name of the
command, and `{typed}` for that name as the client has typed it. The text of a kernel's refusal may name `{number}`, the
scalar of its reply, and `{second}`, the word of its reply at `layout.SECOND_NUMBER`; `{real}` and `{second_real}` if
they are the bits of reals. `{first_text}` and `{second_text}` are the first two items of the reply, which are texts.
"""

import re
from dataclasses import dataclass

from synap.ranges import ACK_DEADLINE_MS_MAX, INT_MAX, MESSAGE_RETRIES_MAX, ROOM_LIMIT_MAX, TAPE_WORDS_MAX


@dataclass(frozen=True)
class Row:
    """A refusal: number, name, RESP text, HTTP status, and the JSON text unless it is the RESP text without its code.

    A new row takes the next free number, wherever it stands. Numbers never change (`tests/golden/faults.txt`).
    """

    number: int
    name: str
    resp: str
    http: int
    text: str = ""


LIMITS = (
    f"wanted retries from 0 to {MESSAGE_RETRIES_MAX}, an ack deadline from 1 to {ACK_DEADLINE_MS_MAX} ms, "
    f"a depth from 1, any other limit from 0 to {ROOM_LIMIT_MAX}"
)
TOO_MANY_WORDS = f"too many arguments: the limit is {TAPE_WORDS_MAX}, and a text counts as two"

_GAP = re.compile(r"\{([\w%]+)\}")

TABLE = (
    Row(0, "WRONG_TYPE", "WRONGTYPE Operation against a key holding the wrong kind of value", 409),
    Row(1, "NOT_AN_INTEGER", "ERR value is not an integer or out of range", 400,
        "Invalid value: Value is not a valid integer"),
    Row(2, "INTEGER_OVERFLOW", "ERR increment or decrement would overflow", 400, "Invalid value: Integer overflow"),
    Row(3, "SYNTAX", "ERR syntax error", 400, "Invalid request: syntax error"),
    Row(4, "WRONG_ARITY", "ERR wrong number of arguments for '%' command", 400,
        "Invalid request: wrong number of arguments"),
    Row(5, "BAD_EXPIRE", "ERR invalid expire time in '%' command", 400, "Invalid TTL: invalid expire time"),
    Row(6, "NOT_A_REAL", "ERR value is not a valid float", 400, "Invalid value: Value is not a valid float"),
    Row(7, "BAD_CURSOR", "ERR invalid cursor", 400, "Invalid request: invalid cursor"),
    Row(8, "OUT_OF_RANGE", "ERR index out of range", 400, "Index out of range"),
    Row(9, "NEGATIVE_TIMEOUT", "ERR timeout is negative", 400, "Invalid request: timeout is negative"),
    Row(10, "BAD_TIMEOUT", "ERR timeout is not a float or out of range", 400,
        "Invalid request: timeout is not a float or out of range"),
    Row(11, "QUEUE_MISSING", "ERR no such queue", 404, "Queue not found: {queue}"),
    Row(12, "QUEUE_FULL", "ERR queue is full", 507, "Queue is full: {queue}"),
    Row(13, "MESSAGE_MISSING", "ERR no such message is pending", 404, "Message not found: {message_id}"),
    Row(14, "NESTED_MULTI", "ERR MULTI calls can not be nested", 400,
        "Invalid request: Transaction already in progress"),
    Row(15, "EXEC_WITHOUT_MULTI", "ERR EXEC without MULTI", 400, "Invalid request: No transaction in progress"),
    Row(16, "DISCARD_WITHOUT_MULTI", "ERR DISCARD without MULTI", 400, "Invalid request: No transaction in progress"),
    Row(17, "EXEC_ABORTED", "EXECABORT Transaction discarded because of previous errors.", 400,
        "Invalid request: Transaction discarded because of previous errors"),
    Row(18, "OUT_OF_MEMORY", "OOM command not allowed when used memory > 'maxmemory'.", 507, "Memory limit exceeded"),
    Row(19, "LOADING", "LOADING Synap is loading the dataset in memory", 503, "Loading the dataset"),
    Row(20, "READ_ONLY", "READONLY You can't write against a read only replica.", 403,
        "READONLY You can't write against a read only replica"),
    Row(21, "LOG_FAILED", "MISCONF Writes are refused: the log cannot be written. See the server's log.", 507,
        "IO error: the log cannot be written, writes are refused"),
    Row(22, "REPLY_TOO_LARGE", "ERR the reply would be larger than limits.reply_bytes_max", 400,
        "Invalid request: the reply would be larger than limits.reply_bytes_max"),
    Row(23, "KEY_EXISTS", "BUSYKEY Target key name already exists.", 409, "Key already exists"),
    Row(24, "NOT_IN_MULTI", "ERR Command not allowed inside a transaction", 400,
        "Invalid request: not allowed in a transaction"),
    Row(25, "NO_SUCH_KEY", "ERR no such key", 404, "Key not found: {key}"),
    Row(26, "UNBALANCED", "ERR Unbalanced list of arguments", 400, "Invalid request: unbalanced list of arguments"),
    Row(27, "BAD_COUNT", "ERR numkeys should be greater than 0", 400, "Invalid request: the count must be above 0"),
    Row(28, "TOO_MANY_KEYS", "ERR Number of keys can't be greater than number of args", 400,
        "Invalid request: more keys announced than given"),
    Row(29, "CONFLICT_NX_XX", "ERR XX and NX options at the same time are not compatible", 400,
        "Invalid request: nx and xx exclude each other"),
    Row(30, "BAD_PRIORITY", "ERR priority must be between 0 and 9", 422, "Invalid request: priority must be 0 to 9"),
    Row(31, "POSITIVE_COUNT", "ERR value is out of range, must be positive", 400,
        "Invalid request: the count must not be negative"),
    Row(32, "BAD_CONDITIONS", "ERR NX and XX, GT or LT options at the same time are not compatible", 400,
        "Invalid request: nx excludes xx, gt and lt"),
    Row(33, "BAD_COMPARISONS", "ERR GT and LT options at the same time are not compatible", 400,
        "Invalid request: gt and lt exclude each other"),
    Row(34, "TOO_MANY_WORDS", f"ERR {TOO_MANY_WORDS}", 413, f"Invalid request: {TOO_MANY_WORDS}"),
    Row(35, "DECREMENT_OVERFLOW", "ERR decrement would overflow", 400, "Invalid value: Integer overflow"),
    Row(36, "NOT_FINITE", "ERR increment would produce NaN or Infinity", 400,
        "Invalid value: increment would produce NaN or Infinity"),
    Row(37, "STRING_TOO_LONG", "ERR string exceeds maximum allowed size (proto-max-bulk-len)", 400,
        "Invalid value: string exceeds the maximum allowed size"),
    Row(38, "BAD_OFFSET", "ERR offset is out of range", 400, "Invalid request: offset is out of range"),
    Row(39, "SAME_OBJECT", "ERR source and destination objects are the same", 400,
        "Invalid request: source and destination are the same"),
    Row(40, "DB_INDEX", "ERR DB index is out of range", 400, "Invalid request: DB index is out of range"),
    Row(41, "NO_LFU", "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
        "when switching between policies at runtime LRU and LFU data will take some time to adjust.", 400,
        "Invalid request: no LFU policy is selected, access frequency is not tracked"),
    Row(42, "NO_LRU", "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching "
        "between policies at runtime LRU and LFU data will take some time to adjust.", 400,
        "Invalid request: an LFU policy is selected, idle time is not tracked"),
    Row(43, "DB_NUMBER", "ERR value is out of range, value must between -2147483648 and 2147483647", 400,
        "Invalid request: DB index is out of range"),
    Row(44, "FIRST_DB", "ERR invalid first DB index", 400, "Invalid request: invalid first DB index"),
    Row(45, "SECOND_DB", "ERR invalid second DB index", 400, "Invalid request: invalid second DB index"),
    Row(46, "ROOM_MISSING", "ERR no such room", 400, "Invalid request: Room '{room}' not found"),
    Row(47, "ROOM_EXISTS", "ERR the room already exists", 400, "Invalid request: Room '{room}' already exists"),
    Row(48, "OFFSET_GONE", "OFFSETGONE the offset is not held, the earliest is {number}, the next is {second}", 400,
        "Invalid request: the offset is not held, the earliest is {number}, the next is {second}"),
    Row(49, "BAD_AMOUNT", f"ERR value is out of range, {LIMITS}", 400,
        f"Invalid request: a limit is out of range, {LIMITS}"),
    Row(50, "UNKNOWN_COMMAND", "ERR unknown command '{name}', with args beginning with: {args}", 400,
        "Unknown command: {name}"),
    Row(51, "UNKNOWN_SUBCOMMAND", "ERR unknown subcommand '{name}'. Try {command} HELP.", 400,
        "Unknown command: {name}"),
    Row(52, "MISSING_FIELD", "ERR missing '{field}'", 422, "Invalid request: Missing '{field}' {kind}"),
    Row(53, "WRONG_FIELD", "ERR '{field}': wanted {wanted}, found {found}", 422,
        "Invalid request: '{field}': wanted {wanted}, found {found}"),
    Row(54, "BAD_JSON", "ERR invalid JSON", 400, "Invalid request: the body is not JSON: {detail}"),
    Row(55, "SWITCHED_OFF", "ERR {name} is switched off by {switch}", 400,
        "Invalid request: {name} is disabled. Set '{switch}: true' to allow it"),
    Row(56, "NO_PROTOCOL", "NOPROTO unsupported protocol version", 400),
    Row(57, "NO_PASSWORD_SET", "ERR AUTH <password> called without any password configured for the default user. "
        "Are you sure your configuration is correct?", 400),
    Row(58, "UNKNOWN_OUTCOME", "ERR outcome unknown: the log failed after the command ran, before it was durable", 500,
        "IO error: outcome unknown, the log failed before this was durable"),
    Row(59, "WATCH_IN_MULTI", "ERR WATCH inside MULTI is not allowed", 400,
        "Invalid request: watch inside a transaction is not allowed"),
    Row(60, "DESTINATION_EXISTS", "ERR destination key already exists", 400,
        "Invalid request: Destination key already exists"),
    Row(61, "COPY_EXISTS", "ERR destination key already exists", 400,
        "Invalid request: Destination key already exists and replace=false"),
    Row(62, "QUERY_TOO_LARGE", "ERR the command is larger than limits.query_bytes_max", 413,
        "Invalid request: the command is larger than limits.query_bytes_max"),
    Row(63, "BAD_NAME", "ERR {what} cannot contain spaces, newlines or special characters.", 400),
    Row(64, "NO_ATTRIBUTE", "ERR Unrecognized option '{attribute}'", 400),
    Row(65, "NO_SUCH_CLIENT", "ERR No such client", 404),
    Row(66, "BAD_CLIENT_ID", "ERR client-id should be greater than 0", 400),
    Row(67, "BAD_MAXAGE", "ERR maxage is not an integer or out of range", 400),
    Row(68, "NO_SUCH_USER", "ERR No such user '{user}'", 404),
    Row(69, "WRONG_PASSWORD", "WRONGPASS invalid username-password pair or user is disabled.", 401),
    Row(70, "UNBLOCKED", "UNBLOCKED client unblocked via CLIENT UNBLOCK", 400),
    Row(71, "NO_SUCH_COMMAND", "ERR Invalid command specified", 400),
    Row(72, "BAD_CALL", "ERR Invalid number of arguments specified for command", 400),
    Row(73, "NO_KEYS", "ERR The command has no key arguments", 400),
    Row(74, "NO_SUCH_SETTING", "ERR Unknown option or number of arguments for CONFIG SET - '{name}'", 400),
    Row(75, "SETTING_REFUSED", "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}", 400),
    Row(76, "NO_CONFIG_FILE", "ERR CONFIG REWRITE is not supported: settings come from flags, the environment "
        "and config.yml, and the server never writes them", 400),
    Row(77, "SNAPSHOT_RUNNING", "ERR Background save already in progress", 409),
    Row(78, "SNAPSHOT_FAILED", "ERR the snapshot failed: {reason}", 500),
    Row(79, "NO_SHUTDOWN", "ERR No shutdown in progress.", 400),
    Row(80, "SHUTDOWN_FAILED", "ERR Errors trying to SHUTDOWN. Check logs.", 500),
    Row(81, "NO_REPLICA", "ERR this node cannot become a replica: only REPLICAOF NO ONE is supported", 400),
    Row(82, "NOT_STRINGS", "ERR The specified keys must contain string values", 400),
    Row(83, "LEN_AND_IDX", "ERR If you want both the length and indexes, please just use IDX.", 400),
    Row(84, "LCS_TOO_LARGE", "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len", 400),
    Row(85, "NO_EVENT", "ERR No samples available for event '{event}'", 404),
    Row(86, "NOT_SERVED", "ERR {what} is not served here", 400),
    Row(87, "NO_CATEGORY", "ERR Unknown category '{category}'", 400),
    Row(88, "BAD_SLOWLOG_COUNT", "ERR count should be greater than or equal to -1", 400),
    Row(89, "NO_CLIENT_ID", "ERR Invalid client ID", 400),
    Row(90, "TIMEOUT_NOT_WHOLE", "ERR timeout is not an integer or out of range", 400),
    Row(91, "BAD_UNBLOCK", "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR", 400),
    Row(92, "BAD_OPTION", "ERR Unsupported option {word}", 400),
    Row(93, "HELLO_OPTION", "ERR Syntax error in HELLO option '{word}'", 400),
    Row(94, "CLIENT_TYPE", "ERR Unknown client type '{word}'", 400),
    Row(95, "PAUSE_MODE", "ERR CLIENT PAUSE mode must be WRITE or ALL", 400),
    Row(96, "BAD_SUBCOMMAND", "ERR unknown subcommand or wrong number of arguments for '{given}'. Try {command} HELP.",
        400),
    Row(97, "BAD_PROTOCOL", "ERR Protocol version is not an integer or out of range", 400),
    Row(98, "SUBSCRIBED", "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
        "are allowed in this context", 400),
    # JSON surfaces answer refusals of pub/sub with 200.
    Row(99, "HASH_NOT_LAST", "ERR # wildcard must be at the end of pattern", 200,
        "Invalid value: # wildcard must be at the end of pattern"),
    Row(100, "TWO_HASHES", "ERR Pattern can only contain one # wildcard", 200,
        "Invalid value: Pattern can only contain one # wildcard"),
    Row(101, "NO_TOPIC", "ERR a topic must not be empty", 200, "Invalid request: a topic must not be empty"),
    Row(102, "NO_TOPICS", "ERR no topics are given", 200, "Invalid request: 'topics' must name at least one topic"),
    Row(103, "TOPIC_MISSING", "ERR no such topic", 200, "Topic not found"),
    Row(104, "TOO_MANY_SUBSCRIPTIONS",
        "ERR one subscriber may have at most {most} subscriptions (pubsub.subscriptions_max)", 200,
        "Invalid request: one subscriber may have at most {most} subscriptions (pubsub.subscriptions_max)"),
    Row(105, "TOPIC_TOO_LONG",
        "ERR a topic may have at most {most} bytes (pubsub.topic_bytes_max), this one has {size}", 200,
        "Invalid request: a topic may have at most {most} bytes (pubsub.topic_bytes_max), this one has {size}"),
    Row(106, "INTERNAL_ERROR", "ERR internal error: {what}", 500, "Internal error: {what}"),
    Row(107, "NOT_SIGNED_IN", "NOAUTH Authentication required.", 401, "Authentication required"),
    Row(108, "NO_PERMISSION", "NOPERM this user has no permissions to run the '%' command", 403, "Permission denied"),
    Row(109, "RATE_LIMITED", "ERR too many calls: wait before the next one", 429, "Too many requests"),
    Row(110, "HASH_NOT_AN_INTEGER", "ERR hash value is not an integer", 400,
        "Invalid value: Field value is not a valid integer"),
    Row(111, "HASH_NOT_A_REAL", "ERR hash value is not a float", 400,
        "Invalid value: Field value is not a valid float"),
    Row(112, "NO_FIELDS", "ERR Mandatory argument FIELDS is missing or not at the right position", 400,
        "Invalid request: 'fields' must name at least one field"),
    Row(113, "EXPIRE_BELOW_ZERO", "ERR invalid expire time, must be >= 0", 400,
        "Invalid request: the time must not be negative"),
    Row(114, "BAD_NUMFIELDS", "ERR Parameter `numFields` should be greater than 0", 400,
        "Invalid request: 'fields' must name at least one field"),
    Row(115, "NUMFIELDS_DIFFER", "ERR The `numfields` parameter must match the number of arguments", 400,
        "Invalid request: the number of fields does not match the fields"),
    Row(116, "PAIRS_OUT_OF_RANGE", "ERR value is out of range", 400, "Invalid request: the count is out of range"),
    Row(117, "BAD_RANDOM_COUNT", f"ERR value is out of range, value must between {-INT_MAX} and {INT_MAX}", 400,
        f"Invalid request: the count must be from {-INT_MAX} to {INT_MAX}"),
    Row(118, "INCREMENT_NOT_FINITE", "ERR value is NaN or Infinity", 400,
        "Invalid value: the increment is NaN or Infinity"),
    Row(119, "NEGATIVE_LIMIT", "ERR LIMIT can't be negative", 400, "Invalid request: the limit must not be negative"),
    Row(120, "TRANSACTION_TOO_LARGE", "ERR a transaction may queue at most {most} calls of {bytes} bytes in all", 413,
        "Invalid request: a transaction may queue at most {most} calls of {bytes} bytes in all"),
    Row(121, "TOO_MANY_TRANSACTIONS", "ERR at most {most} clients may have a transaction at a time", 429,
        "Too many requests: at most {most} clients may have a transaction at a time"),
    Row(130, "COUNT_BELOW_ONE", "ERR count should be greater than 0", 400,
        "Invalid request: the count must be above 0"),
    Row(131, "NEGATIVE_COUNT", "ERR COUNT can't be negative", 400, "Invalid request: the count must not be negative"),
    Row(132, "NEGATIVE_MAXLEN", "ERR MAXLEN can't be negative", 400, "Invalid request: maxlen must not be negative"),
    Row(133, "ZERO_RANK", "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use "
        "negative to start from the end of the list", 400, "Invalid request: the rank must not be 0"),
    Row(134, "NOT_SYMMETRIC", f"ERR value is out of range, value must between {-INT_MAX} and {INT_MAX}", 400,
        "Invalid request: value is out of range"),
    Row(135, "NO_PIVOT", "ERR no such pivot", 404, "Not found"),
    Row(140, "BAD_BIT_OFFSET", "ERR bit offset is not an integer or out of range", 400,
        "Invalid value: bit offset is not an integer or out of range"),
    Row(141, "BAD_BIT", "ERR bit is not an integer or out of range", 400,
        "Invalid value: bit is not an integer or out of range"),
    Row(142, "NOT_A_BIT", "ERR The bit argument must be 1 or 0.", 400,
        "Invalid value: The bit argument must be 1 or 0."),
    Row(143, "NOT_OF_ONE_KEY", "ERR BITOP NOT must be called with a single source key.", 400,
        "Invalid request: NOT takes a single source key"),
    Row(144, "BAD_FIELD_TYPE", "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported "
        "but i64 is.", 400, "Invalid value: a field has 1 to 64 bits, an unsigned one at most 63"),
    Row(145, "BAD_OVERFLOW", "ERR Invalid OVERFLOW type specified", 400,
        "Invalid value: Invalid OVERFLOW type specified"),
    Row(146, "ONLY_GET", "ERR BITFIELD_RO only supports the GET subcommand", 400,
        "Invalid request: BITFIELD_RO only supports the GET subcommand"),
    Row(147, "NO_SKETCH", "WRONGTYPE Key is not a valid HyperLogLog string value.", 409),
    Row(148, "BAD_SKETCH", "INVALIDOBJ Corrupted HLL object detected", 409),
    Row(149, "SKETCH_MISSING", "ERR The specified key does not exist", 404),
    Row(150, "BAD_ORDER_OPTIONS", "ERR GT, LT, and/or NX options at the same time are not compatible", 400,
        "Invalid request: gt, lt and nx exclude each other"),
    Row(151, "ONE_INCREMENT", "ERR INCR option supports a single increment-element pair", 400,
        "Invalid request: incr takes a single member"),
    Row(152, "SCORE_NAN", "ERR resulting score is not a number (NaN)", 400,
        "Invalid value: resulting score is not a number (NaN)"),
    Row(153, "BAD_SCORE_RANGE", "ERR min or max is not a float", 400, "Invalid value: min or max is not a float"),
    Row(154, "BAD_TEXT_RANGE", "ERR min or max not valid string range item", 400,
        "Invalid value: min or max not valid string range item"),
    Row(155, "LIMIT_OF_RANKS",
        "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX", 400,
        "Invalid request: limit is only supported with byscore or bylex"),
    Row(156, "SCORES_OF_TEXTS", "ERR syntax error, WITHSCORES not supported in combination with BYLEX", 400,
        "Invalid request: withscores is not supported with bylex"),
    Row(157, "NO_INPUT_KEYS", "ERR at least 1 input key is needed for '%' command", 400,
        "Invalid request: 'keys' must name at least one key"),
    Row(158, "BAD_WEIGHT", "ERR weight value is not a float", 400, "Invalid value: a weight is not a valid float"),
    Row(160, "SKETCH_NOT_SPARSE", "ERR HLL encoding is not sparse", 400),
    Row(161, "BAD_PFDEBUG", "ERR Unknown PFDEBUG subcommand '{name}'", 400),
    Row(162, "BAD_FREQUENCY", "ERR Invalid FREQ value, must be >= 0 and <= 255", 400,
        "Invalid request: the freq must be from 0 to 255"),
    Row(163, "BAD_CHECKSUM", "ERR DUMP payload version or checksum are wrong", 400,
        "Invalid value: the version or the checksum of the payload is wrong"),
    Row(164, "BAD_PAYLOAD", "ERR Bad data format", 400, "Invalid value: the payload holds no value"),
    Row(165, "NOT_RESTORED", "ERR Bad data format: {what} are not supported", 400,
        "Invalid value: {what} are not supported"),
    Row(166, "BAD_TTL", "ERR Invalid TTL value, must be >= 0", 400, "Invalid request: the ttl must not be negative"),
    Row(167, "BAD_IDLETIME", "ERR Invalid IDLETIME value, must be >= 0", 400,
        "Invalid request: the idletime must not be negative"),
    Row(180, "NO_REDIRECT", "ERR The client ID you want redirect to does not exist", 404),
    Row(181, "TWO_REDIRECTS", "ERR A client can only redirect to a single other client", 400),
    Row(182, "PREFIX_WITHOUT_BCAST", "ERR PREFIX option requires BCAST mode to be enabled", 400),
    Row(183, "BCAST_SWITCHED", "ERR You can't switch BCAST mode on/off before disabling tracking for this client, "
        "and then re-enabling it with a different mode.", 400),
    Row(184, "BCAST_AND_OPT", "ERR OPTIN and OPTOUT are not compatible with BCAST", 400),
    Row(185, "OPTIN_AND_OPTOUT", "ERR You can't specify both OPTIN mode and OPTOUT mode", 400),
    Row(186, "OPT_SWITCHED", "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, "
        "and then re-enabling it with a different mode.", 400),
    Row(187, "PREFIX_OVERLAPS", "ERR Prefix '{prefix}' overlaps with an existing prefix '{other}'. "
        "Prefixes for a single client must not overlap.", 400),
    Row(188, "PREFIXES_OVERLAP", "ERR Prefix '{prefix}' overlaps with another provided prefix '{other}'. "
        "Prefixes for a single client must not overlap.", 400),
    Row(189, "CACHING_WITHOUT_TRACKING", "ERR CLIENT CACHING can be called only when the client is in tracking mode "
        "with OPTIN or OPTOUT mode enabled", 400),
    Row(190, "SCORE_NOT_REAL", "ERR One or more scores can't be converted into double", 400,
        "Invalid value: One or more scores can't be converted into double"),
    Row(214, "TOO_MANY_PREFIXES", "ERR too many prefixes, at most {most} for a client", 400),
    Row(191, "CACHING_NO", "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.", 400),
    Row(192, "CACHING_YES", "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.", 400),
    Row(200, "NO_PLACE", "ERR invalid longitude,latitude pair {real},{second_real}", 400,
        "Invalid value: invalid longitude,latitude pair {real},{second_real}"),
    Row(201, "BAD_UNIT", "ERR unsupported unit provided. please use M, KM, FT, MI", 400,
        "Invalid value: unsupported unit, wanted m, km, ft or mi"),
    Row(202, "BAD_RADIUS", "ERR need numeric radius", 400, "Invalid value: the radius is not a number"),
    Row(203, "NEGATIVE_RADIUS", "ERR radius cannot be negative", 400, "Invalid value: the radius must not be negative"),
    Row(204, "BAD_WIDTH", "ERR need numeric width", 400, "Invalid value: the width is not a number"),
    Row(205, "BAD_HEIGHT", "ERR need numeric height", 400, "Invalid value: the height is not a number"),
    Row(206, "NEGATIVE_BOX", "ERR height or width cannot be negative", 400,
        "Invalid value: width and height must not be negative"),
    Row(207, "PLACE_MISSING", "ERR could not decode requested zset member", 404, "Not found"),
    Row(208, "COUNT_NOT_ABOVE_ZERO", "ERR COUNT must be > 0", 400, "Invalid request: the count must be above 0"),
    Row(209, "STORE_WITH_MORE",
        "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options", 400),
    Row(210, "SEARCHSTORE_WITH_MORE",
        "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options", 400),
    Row(211, "ONE_CENTER", "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {typed}", 400,
        "Invalid request: exactly one of from_member and from_lonlat is wanted"),
    Row(212, "ONE_SHAPE", "ERR exactly one of BYRADIUS and BYBOX can be specified for {typed}", 400,
        "Invalid request: exactly one of by_radius and by_box is wanted"),
    Row(213, "ANY_WITHOUT_COUNT", "ERR the ANY argument requires COUNT argument", 400,
        "Invalid request: any requires a count"),
    Row(215, "NEGATIVE_KEYS", "ERR Number of keys can't be negative", 400),
    Row(216, "SCRIPT_ERROR", "{text}", 400, "Invalid request: {text}"),
    Row(217, "NO_SCRIPT", "NOSCRIPT No matching script. Please use EVAL.", 400, "Invalid request: NOSCRIPT {sha1}"),
    Row(218, "NOT_BUSY", "NOTBUSY No scripts in execution right now.", 400, "No script is running"),
    Row(219, "BAD_SCRIPT_FLUSH", "ERR SCRIPT FLUSH only support SYNC|ASYNC option", 400),
    Row(220, "NO_SCRIPT_DEBUG", "ERR SCRIPT DEBUG is not available: scripts are not debugged over a connection", 400),
    Row(221, "SCRIPT_NO_WORDS", "ERR Please specify at least one argument for this redis lib call", 400),
    Row(222, "SCRIPT_NO_TEXT", "ERR Lua redis lib command arguments must be strings or integers", 400),
    Row(223, "SCRIPT_UNKNOWN", "ERR Unknown Redis command called from script", 400),
    Row(224, "SCRIPT_ARITY", "ERR Wrong number of args calling Redis command from script", 400),
    Row(225, "NOT_IN_SCRIPTS", "ERR This Redis command is not allowed from script", 400),
    Row(226, "SCRIPT_READS_ONLY", "ERR Write commands are not allowed from read-only scripts.", 400),
    Row(227, "SCRIPT_TOO_LARGE", "ERR the words of this call are larger than a script may send", 400),
    Row(228, "SCRIPT_TOO_DEEP", "ERR the reply nests more deeply than a script may read", 400),
    Row(229, "SCRIPT_ENDED", "ERR Error running script: it ran for more than {number} ms and was ended", 408,
        "Operation timed out"),
    Row(230, "SCRIPT_ENDED_LATE",
        "ERR Error running script: it ran for more than {number} ms and was ended, what it had written stays", 408,
        "Operation timed out, what the script had written stays"),
    Row(231, "SCRIPT_NO_MEMORY", "ERR Error running script: not enough memory", 400),
    Row(232, "SCRIPT_WRITES", "ERR Can not execute a script with write flag using *_ro command.", 400),
    Row(233, "NO_FUNCTION", "ERR Function not found", 404),
    Row(244, "SCRIPT_KILLED", "ERR Script killed by user with SCRIPT KILL.", 400),
    Row(245, "SCRIPT_NOT_JSON", "ERR the script has returned what JSON does not have", 400,
        "Invalid value: the script has returned a function or a number that JSON does not have"),
    Row(246, "BUSY", "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", 503,
        "A script is running: end it with POST /script/kill, or try again"),
    Row(248, "BUSY_FUNCTION",
        "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.", 503,
        "A function is running: end it with POST /script/kill, or try again"),
    Row(247, "UNKILLABLE",
        "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the "
        "script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.", 409,
        "The script has written already: it cannot be killed"),
    Row(249, "SCRIPT_FULL",
        "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'", 507,
        "Memory limit exceeded: the script does not have the flag allow-oom"),
    Row(234, "NO_LIBRARY", "ERR Library not found", 404),
    Row(235, "LIBRARY_EXISTS", "ERR Library '{library}' already exists", 409),
    Row(236, "FUNCTION_EXISTS", "ERR Function {function} already exists", 409),
    Row(237, "NO_FUNCTIONS", "ERR No functions registered", 400),
    Row(238, "BAD_KEY_COUNT", "ERR Bad number of keys provided", 400),
    Row(239, "UNKNOWN_LOAD_OPTION", "ERR Unknown option given: wanted REPLACE before the text", 400),
    Row(240, "UNKNOWN_LIST_ARGUMENT", "ERR Unknown argument {word}", 400),
    Row(241, "NO_LIBRARY_NAME", "ERR library name argument was not given", 400),
    Row(242, "BAD_FUNCTION_FLUSH", "ERR FUNCTION FLUSH only supports SYNC|ASYNC option", 400),
    Row(243, "BAD_RESTORE_POLICY",
        "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.", 400),
    Row(250, "BAD_ENTRY_ID", "ERR Invalid stream ID specified as stream command argument", 400),
    Row(251, "ENTRY_ID_ZERO", "ERR The ID specified in XADD must be greater than 0-0", 400),
    Row(252, "ENTRY_ID_NOT_ABOVE", "ERR The ID specified in XADD is equal or smaller than the target stream top item",
        400),
    Row(253, "STREAM_EXHAUSTED", "ERR The stream has exhausted the last possible ID, unable to add more items", 400),
    Row(254, "TWO_TRIMS", "ERR syntax error, MAXLEN and MINID options at the same time are not compatible", 400),
    Row(255, "NEGATIVE_MAXLEN_OF_STREAM", "ERR The MAXLEN argument must be >= 0.", 400),
    Row(256, "NEGATIVE_LIMIT", "ERR The LIMIT argument must be >= 0.", 400),
    Row(257, "LIMIT_WITHOUT_TRIM", "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
        400),
    Row(258, "LIMIT_WITHOUT_APPROXIMATION", "ERR syntax error, LIMIT cannot be used without the special ~ option", 400),
    Row(259, "NO_TRIM", "ERR syntax error, XTRIM must be called with a trimming strategy", 400),
    Row(260, "NEGATIVE_ENTRIES_ADDED", "ERR entries_added must be positive", 400),
    Row(261, "SET_ID_BELOW_DELETED",
        "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id", 400),
    Row(262, "SET_ID_BELOW_OWN_DELETED",
        "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id", 400),
    Row(263, "SET_ID_BELOW_LAST", "ERR The ID specified in XSETID is smaller than the target stream top item", 400),
    Row(264, "ENTRIES_ADDED_BELOW_LENGTH",
        "ERR The entries_added specified in XSETID is smaller than the target stream length", 400),
    Row(265, "BAD_INTERVAL_START", "ERR invalid start ID for the interval", 400),
    Row(266, "BAD_INTERVAL_END", "ERR invalid end ID for the interval", 400),
    Row(267, "UNBALANCED_STREAMS", "ERR Unbalanced '%' list of streams: for each stream key an ID or '$' must be "
        "specified.", 400, "Invalid request: as many IDs as streams are wanted"),
    Row(268, "NEW_ID_IN_READ",
        "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.", 400),
    Row(269, "NEWEST_IN_GROUP",
        "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by "
        "specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
        400),
    Row(270, "NO_GROUP_IN_READ",
        "NOGROUP No such key '{first_text}' or consumer group '{second_text}' in XREADGROUP with GROUP option", 400,
        "Invalid request: no such stream or group"),
    Row(271, "NO_GROUP", "NOGROUP No such key '{first_text}' or consumer group '{second_text}'", 400,
        "Invalid request: no such stream or group"),
    Row(272, "NO_GROUP_OF_KEY", "NOGROUP No such consumer group '{first_text}' for key name '{second_text}'", 400,
        "Invalid request: no such group: {group}"),
    Row(273, "GROUP_EXISTS", "BUSYGROUP Consumer Group name already exists", 409, "The group exists already: {group}"),
    Row(274, "GROUP_NEEDS_KEY", "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may "
        "want to use the MKSTREAM option to create an empty stream automatically.", 404, "Stream not found: {key}"),
    Row(275, "BAD_ENTRIES_READ", "ERR value for ENTRIESREAD must be positive or -1", 400),
    Row(276, "BAD_MIN_IDLE_OF_CLAIM", "ERR Invalid min-idle-time argument for XCLAIM", 400),
    Row(277, "BAD_MIN_IDLE_OF_AUTOCLAIM", "ERR Invalid min-idle-time argument for XAUTOCLAIM", 400),
    Row(278, "BAD_IDLE", "ERR Invalid IDLE option argument for XCLAIM", 400),
    Row(279, "BAD_TIME", "ERR Invalid TIME option argument for XCLAIM", 400),
    Row(280, "BAD_RETRY_COUNT", "ERR Invalid RETRYCOUNT option argument for XCLAIM", 400),
    Row(281, "UNKNOWN_CLAIM_OPTION", "ERR Unrecognized XCLAIM option '{word}'", 400),
    Row(282, "NOT_CLAIM_OPTION", "ERR Unrecognized XCLAIM option '{first_text}'", 400,
        "Invalid request: an ID is wanted"),
    Row(283, "NO_GROUP_GIVEN", "ERR Missing GROUP option for XREADGROUP", 400),
    Row(285, "UNBALANCED_GROUP_STREAMS", "ERR Unbalanced '%' list of streams: for each stream key an ID or '>' must be "
        "specified.", 400, "Invalid request: as many IDs as streams are wanted"),
    Row(286, "BLOCK_IN_SCRIPT", "ERR {typed} command is not allowed with BLOCK option from scripts", 400),
    Row(284, "BAD_BLOCK", "ERR timeout is not an integer or out of range", 400,
        "Invalid request: timeout is not an integer or out of range"),
)  # fmt: skip

BY_NUMBER = {row.number: row for row in TABLE}
BY_NAME = {row.name: row for row in TABLE}


class SynapError(Exception):
    """The base class of the exceptions of this package."""


class Fault(SynapError):
    """A refusal for the caller: `row` is the row of the table, `words` fill the gaps of its texts."""

    def __init__(self, name: str, /, **words: object) -> None:
        self.row = BY_NAME[name]
        self.words: dict[str, object] = {"kind": "field"} | words if name == "MISSING_FIELD" else words
        super().__init__(self.json_text())

    def json_text(self) -> str:
        """Return the text for JSON surfaces."""
        text = self.row.text or self.row.resp.split(" ", 1)[1]
        return _fill(text, self.words).encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    def resp_text(self, command: str = "") -> str:
        """Return the text for RESP, without the leading `-`."""
        return _fill(self.row.resp.replace("'%'", "'{%}'"), {**self.words, "%": command})


class BrokenNode(SynapError):
    """An internal error: a kernel failed, or a replay gave another outcome than the log records."""


def _fill(text: str, words: dict[str, object]) -> str:
    """Return a text with its gaps filled; what fills a gap has none itself."""
    return _GAP.sub(lambda gap: str(words.get(gap[1], gap[0])), text)
