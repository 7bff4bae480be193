"""A line, and what the grammar says: `ok` or the refusal. What Redis says too, if it knows the command."""

_TEXT = """
    MONITOR -> ok
    MONITOR x -> WRONG_ARITY
    RESTORE k 0 payload -> ok
    RESTORE k 0 payload REPLACE IDLETIME 5 -> ok
    RESTORE k 0 payload what -> SYNTAX
    SET k v -> ok
    set k v nx ex 10 get -> ok
    SET k v NX NX -> ok
    SET k v EX 5 EX 6 -> ok
    SET k v KEEPTTL KEEPTTL -> ok
    SET k v IFEQ old -> ok
    SET k -> WRONG_ARITY
    SET -> WRONG_ARITY
    SET k v NX XX -> SYNTAX
    SET k v EX 5 PX 6 -> SYNTAX
    SET k v EX 5 KEEPTTL -> SYNTAX
    SET k v EX -> SYNTAX
    SET k v EX x -> ok
    SET k v EX 1.5 -> ok
    SET k v EX 05 -> ok
    SET k v EX 9223372036854775808 -> ok
    SET k v FOO -> SYNTAX
    GET k -> ok
    GET -> WRONG_ARITY
    GET k k -> WRONG_ARITY
    INCRBY k -9223372036854775808 -> ok
    INCRBY k x -> NOT_AN_INTEGER
    INCRBY k -> WRONG_ARITY
    INCR k -> ok
    INCR k 1 -> WRONG_ARITY
    DEL a b c -> ok
    DEL -> WRONG_ARITY
    EXPIRE k 10 -> ok
    EXPIRE k 10 gt -> ok
    EXPIRE k x -> ok
    EXPIRE k 10 FOO -> BAD_OPTION
    EXPIRE k x NX XX GT LT -> ok
    EXPIRE k x NX what -> BAD_OPTION
    SCAN x COUNT x -> BAD_CURSOR
    SCAN +0 COUNT x -> NOT_AN_INTEGER
    SCAN 18446744073709551615 TYPE hash -> ok
    SCAN 18446744073709551616 -> BAD_CURSOR
    SET k v EX x what -> SYNTAX
    SET k v EX x PX 1 -> SYNTAX
    SET k v EX x EX 1 -> ok
    DECR k -> ok
    DECR k 1 -> WRONG_ARITY
    DECRBY k 5 -> ok
    DECRBY k x -> NOT_AN_INTEGER
    GETSET k v -> ok
    GETSET k -> WRONG_ARITY
    GETDEL k -> ok
    GETDEL -> WRONG_ARITY
    GETEX k -> ok
    GETEX k ex 10 -> ok
    GETEX k PERSIST -> ok
    GETEX k EX 10 PERSIST -> SYNTAX
    GETEX k EX -> SYNTAX
    SETNX k v -> ok
    SETNX k -> WRONG_ARITY
    SETEX k 10 v -> ok
    SETEX k x v -> NOT_AN_INTEGER
    PSETEX k 10 v -> ok
    PSETEX k 10 -> WRONG_ARITY
    DELEX k -> ok
    DELEX k IFEQ v -> ok
    DELEX k ifne v -> ok
    APPEND k v -> ok
    APPEND k -> WRONG_ARITY
    STRLEN k -> ok
    STRLEN -> WRONG_ARITY
    GETRANGE k 0 -1 -> ok
    GETRANGE k a -1 -> NOT_AN_INTEGER
    SUBSTR k 0 -1 -> ok
    SUBSTR k 0 -> WRONG_ARITY
    SETRANGE k 5 v -> ok
    SETRANGE k x v -> NOT_AN_INTEGER
    INCRBYFLOAT k 1.5 -> ok
    INCRBYFLOAT k -> WRONG_ARITY
    MGET a b -> ok
    MGET -> WRONG_ARITY
    MSET a 1 b 2 -> ok
    MSET a 1 b -> WRONG_ARITY
    MSETNX a 1 -> ok
    MSETNX a -> WRONG_ARITY
    EXISTS a b -> ok
    EXISTS -> WRONG_ARITY
    TOUCH a -> ok
    TOUCH -> WRONG_ARITY
    TYPE k -> ok
    TYPE -> WRONG_ARITY
    TTL k -> ok
    TTL k k -> WRONG_ARITY
    EXPIRETIME k -> ok
    EXPIRETIME -> WRONG_ARITY
    PEXPIRETIME k -> ok
    PEXPIRETIME -> WRONG_ARITY
    PERSIST k -> ok
    PERSIST -> WRONG_ARITY
    PEXPIRE k 10 NX -> ok
    PEXPIRE k x -> ok
    EXPIREAT k 10 gt -> ok
    EXPIREAT k -> WRONG_ARITY
    PEXPIREAT k 10 LT -> ok
    PEXPIREAT k 10 LX -> BAD_OPTION
    UNLINK a b -> ok
    UNLINK -> WRONG_ARITY
    RENAME a b -> ok
    RENAME a -> WRONG_ARITY
    RENAMENX a b -> ok
    RENAMENX a b c -> WRONG_ARITY
    COPY a b -> ok
    COPY a b DB 1 REPLACE -> ok
    COPY a b FOO -> SYNTAX
    COPY a b DB x -> NOT_AN_INTEGER
    DUMP a -> ok
    RESTORE a 0 p -> ok
    RESTORE a x p ABSTTL REPLACE FREQ 5 -> ok
    RESTORE a 0 p IDLETIME 5 FREQ 5 -> SYNTAX
    RESTORE a 0 p IDLETIME x -> NOT_AN_INTEGER
    RESTORE a 0 p FOO -> SYNTAX
    RESTORE a 0 -> WRONG_ARITY
    MOVE k 1 -> ok
    MOVE k x -> NOT_AN_INTEGER
    FLUSHDB -> ok
    FLUSHDB async -> ok
    FLUSHDB now -> SYNTAX
    FLUSHDB async x -> SYNTAX
    RANDOMKEY -> ok
    RANDOMKEY x -> WRONG_ARITY
    KEYS a* -> ok
    KEYS -> WRONG_ARITY
    SWAPDB 0 1 -> ok
    SWAPDB 0 -> WRONG_ARITY
    PTTL k -> ok
    PTTL -> WRONG_ARITY
    SCAN 0 MATCH a* COUNT 10 -> ok
    SCAN 0 COUNT 10 match a* COUNT 11 -> ok
    SCAN 0 COUNT x -> NOT_AN_INTEGER
    SCAN 0 MATCH -> SYNTAX
    SCAN 0 a* -> SYNTAX
    SCAN -> WRONG_ARITY
    FLUSHALL -> ok
    FLUSHALL async -> ok
    FLUSHALL now -> SYNTAX
    DBSIZE -> ok
    DBSIZE x -> WRONG_ARITY
    RPUSH l a b -> ok
    RPUSH l -> WRONG_ARITY
    LPUSH l a -> ok
    LPUSH l -> WRONG_ARITY
    LPOP l -> ok
    LPOP l 5 -> ok
    LPOP l x -> POSITIVE_COUNT
    LPOP l 1 2 -> WRONG_ARITY
    RPOP l 1 -> ok
    RPOP l x -> POSITIVE_COUNT
    LRANGE l 0 -1 -> ok
    LRANGE l a -1 -> NOT_AN_INTEGER
    LRANGE l 0 -> WRONG_ARITY
    LLEN l -> ok
    LLEN -> WRONG_ARITY
    BLPOP a b 0.5 -> ok
    BLPOP a 0 -> ok
    BLPOP a -1 -> NEGATIVE_TIMEOUT
    BLPOP a x -> BAD_TIMEOUT
    BLPOP a inf -> BAD_TIMEOUT
    BLPOP a -> WRONG_ARITY
    SADD s a b -> ok
    SADD s -> WRONG_ARITY
    SPOP s -> ok
    SPOP s x -> POSITIVE_COUNT
    SREM s a -> ok
    SREM s -> WRONG_ARITY
    SMEMBERS s -> ok
    SMEMBERS -> WRONG_ARITY
    SISMEMBER s a -> ok
    SISMEMBER s -> WRONG_ARITY
    SCARD s -> ok
    SCARD -> WRONG_ARITY
    QUEUE.CREATE q 10 30000 3 5 -> ok
    QUEUE.CREATE q 10 30000 3 x -> NOT_AN_INTEGER
    QUEUE.CREATE q -> WRONG_ARITY
    QUEUE.PUBLISH q m PRIORITY 7 retries 2 HEADERS {} -> ok
    QUEUE.PUBLISH q m PRIORITY high -> NOT_AN_INTEGER
    QUEUE.PUBLISH q -> WRONG_ARITY
    QUEUE.CONSUME q w -> ok
    QUEUE.CONSUME q -> ok
    QUEUE.CONSUME -> WRONG_ARITY
    QUEUE.ACK q id -> ok
    QUEUE.ACK q -> WRONG_ARITY
    QUEUE.NACK q id drop -> ok
    QUEUE.NACK q id later -> SYNTAX
    QUEUE.STATS q -> ok
    QUEUE.STATS -> WRONG_ARITY
    QUEUE.CREATE q 10 30000 3 5 PREFETCH 4 -> ok
    QUEUE.PUBLISH q m DELAY 0.5 PRIORITY 3 -> ok
    QUEUE.PUBLISH q m DELAY -1 -> NEGATIVE_TIMEOUT
    QUEUE.CONSUME q w WAIT 1.5 -> ok
    QUEUE.CONSUME q w WAIT soon -> BAD_TIMEOUT
    QUEUE.CONSUME q w NOW -> SYNTAX
    QUEUE.PURGE q -> ok
    QUEUE.PURGE q dead -> ok
    QUEUE.PURGE q alive -> SYNTAX
    QUEUE.DELETE q -> ok
    QUEUE.DELETE -> WRONG_ARITY
    QUEUE.LIST -> ok
    QUEUE.LIST x -> WRONG_ARITY
    QUEUE.DEAD q -> ok
    QUEUE.DEAD q 7 -> ok
    QUEUE.DEAD q x -> NOT_AN_INTEGER
    QUEUE.REVIVE q -> ok
    QUEUE.REVIVE q id -> ok
    QUEUE.REVIVE -> WRONG_ARITY
    STREAM.CREATE r -> ok
    STREAM.CREATE r RETENTION 60 maxevents 5 MAXBYTES 7 -> ok
    STREAM.CREATE r MAXEVENTS -> SYNTAX
    STREAM.CREATE r MAXEVENTS x -> NOT_AN_INTEGER
    STREAM.GETORCREATE r -> ok
    STREAM.GETORCREATE r MAXEVENTS 5 -> ok
    STREAM.GETORCREATE -> WRONG_ARITY
    STREAM.PUBLISH r e d -> ok
    STREAM.PUBLISH r e d d d -> ok
    STREAM.PUBLISH r e -> WRONG_ARITY
    STREAM.CONSUME r me -> ok
    STREAM.CONSUME r me LIMIT 5 FROM 3 WAIT 0 -> ok
    STREAM.CONSUME r me FROM x -> NOT_AN_INTEGER
    STREAM.CONSUME r -> WRONG_ARITY
    STREAM.STATS r -> ok
    STREAM.DELETE r -> ok
    STREAM.LIST -> ok
    STREAM.LIST x -> WRONG_ARITY
    SUBSCRIBE a b -> ok
    SUBSCRIBE -> WRONG_ARITY
    PSUBSCRIBE a.* -> ok
    PSUBSCRIBE -> WRONG_ARITY
    SSUBSCRIBE a -> ok
    SSUBSCRIBE -> WRONG_ARITY
    UNSUBSCRIBE -> ok
    UNSUBSCRIBE a b -> ok
    PUNSUBSCRIBE -> ok
    SUNSUBSCRIBE -> ok
    PUBLISH a m -> ok
    PUBLISH a -> WRONG_ARITY
    PUBLISH a m x -> WRONG_ARITY
    SPUBLISH a m -> ok
    SPUBLISH a -> WRONG_ARITY
    PUBSUB CHANNELS -> ok
    PUBSUB CHANNELS a* -> ok
    PUBSUB NUMSUB -> ok
    PUBSUB NUMSUB a b -> ok
    PUBSUB NUMPAT -> ok
    PUBSUB NUMPAT x -> WRONG_ARITY
    PUBSUB SHARDCHANNELS -> ok
    PUBSUB SHARDNUMSUB a -> ok
    PUBSUB HELP -> ok
    MULTI -> ok
    MULTI x -> WRONG_ARITY
    EXEC -> ok
    DISCARD -> ok
    WATCH a b -> ok
    WATCH -> WRONG_ARITY
    UNWATCH -> ok
    PING -> ok
    PING hello -> ok
    PING a b -> WRONG_ARITY
    HELLO -> ok
    HELLO 3 -> ok
    HELLO 3 AUTH u p SETNAME me -> ok
    HELLO x -> BAD_PROTOCOL
    HELLO 3 AUTH u -> HELLO_OPTION
    HELLO 3 NAME me -> HELLO_OPTION
    INFO -> ok
    INFO server -> ok
    SELECT 1 -> ok
    SELECT x -> NOT_AN_INTEGER
    QUIT -> ok
    COMMAND -> ok
    COMMAND DOCS get -> ok
    COMMAND COUNT -> ok
    COMMAND COUNT x -> WRONG_ARITY
    COMMAND INFO get set -> ok
    COMMAND LIST FILTERBY PATTERN x -> ok
    COMMAND GETKEYS get k -> ok
    COMMAND GETKEYS -> WRONG_ARITY
    COMMAND GETKEYSANDFLAGS get k -> ok
    COMMAND HELP -> ok
    CONFIG GET a* b* -> ok
    CONFIG GET -> WRONG_ARITY
    CLIENT SETINFO LIB-NAME x -> ok
    CLIENT SETINFO LIB-NAME -> WRONG_ARITY
    CLIENT SETNAME me -> ok
    CLIENT SETNAME -> WRONG_ARITY
    CLIENT ID -> ok
    CLIENT ID x -> WRONG_ARITY
    AUTH a -> ok
    AUTH a b -> ok
    AUTH a b c -> SYNTAX
    RESET -> ok
    RESET x -> WRONG_ARITY
    CLIENT HELP -> ok
    CONFIG SET a b c d -> ok
    CONFIG SET a b c -> SYNTAX
    CONFIG RESETSTAT -> ok
    CONFIG REWRITE -> ok
    CONFIG HELP -> ok
    SLOWLOG GET -> ok
    SLOWLOG GET x -> BAD_SLOWLOG_COUNT
    SLOWLOG LEN -> ok
    SLOWLOG RESET -> ok
    SLOWLOG HELP -> ok
    LATENCY LATEST -> ok
    LATENCY HISTORY fork -> ok
    LATENCY HISTORY -> WRONG_ARITY
    LATENCY RESET -> ok
    LATENCY RESET fork command -> ok
    LATENCY DOCTOR -> ok
    LATENCY GRAPH fork -> ok
    LATENCY HISTOGRAM get set -> ok
    LATENCY HELP -> ok
    TIME -> ok
    LASTSAVE -> ok
    SAVE -> ok
    BGSAVE SCHEDULE -> ok
    BGSAVE now -> SYNTAX
    BGREWRITEAOF -> ok
    SHUTDOWN -> ok
    SHUTDOWN NOSAVE NOW FORCE -> ok
    SHUTDOWN SAVE NOSAVE -> SYNTAX
    SHUTDOWN x -> SYNTAX
    DEBUG SLEEP 0.5 -> ok
    DEBUG SLEEP x -> NOT_A_REAL
    DEBUG OBJECT k -> ok
    DEBUG SET-ACTIVE-EXPIRE 1 -> ok
    DEBUG SET-ACTIVE-EXPIRE x -> NOT_AN_INTEGER
    DEBUG HELP -> ok
    ROLE -> ok
    REPLICAOF NO ONE -> ok
    REPLICAOF NO -> WRONG_ARITY
    SLAVEOF NO ONE -> ok
    WAIT 0 100 -> ok
    WAIT x 100 -> NOT_AN_INTEGER
    WAIT 0 x -> TIMEOUT_NOT_WHOLE
    LOLWUT VERSION 5 -> ok
    ACL WHOAMI -> ok
    ACL LIST -> ok
    ACL CAT read -> ok
    ACL CAT a b -> BAD_SUBCOMMAND
    ACL HELP -> ok
    MODULE LIST -> ok
    MODULE HELP -> ok
    OBJECT ENCODING k -> ok
    OBJECT REFCOUNT k -> ok
    OBJECT IDLETIME k -> ok
    OBJECT FREQ k -> ok
    OBJECT FREQ -> WRONG_ARITY
    OBJECT HELP -> ok
    MEMORY USAGE k SAMPLES 5 -> ok
    MEMORY USAGE k SAMPLES x -> NOT_AN_INTEGER
    MEMORY USAGE k SAMPLES -> SYNTAX
    MEMORY DOCTOR -> ok
    MEMORY STATS -> ok
    MEMORY PURGE -> ok
    MEMORY MALLOC-STATS -> ok
    MEMORY HELP -> ok
    INFO server memory -> ok
    ECHO x -> ok
    ECHO -> WRONG_ARITY
    BGSAVE -> ok
    DEBUG DIGEST -> ok

    ZADD z 1 a -> ok
    ZADD z NX GT CH INCR 1 a -> ok
    ZADD z xx lt lt 1 a 2 b -> ok
    ZADD z inf a -inf b -> ok
    ZADD z 1 -> WRONG_ARITY
    ZADD z 1 a 2 -> SYNTAX
    ZADD z a b c -> SYNTAX
    ZADD z NX CH -> SYNTAX
    ZADD z NX XX 1 a -> ok
    ZADD z GT LT 1 a -> ok
    ZADD z one a -> ok
    ZADD z nan a -> ok
    ZADD z 1 a NX b -> ok
    ZRANGE z 0 -1 -> ok
    ZRANGE z (1 +inf BYSCORE REV LIMIT 0 10 WITHSCORES -> ok
    ZRANGE z 0 -1 WITHSCORES withscores -> ok
    ZRANGE z 0 -1 REV REV -> SYNTAX
    ZRANGE z [a [b BYLEX BYLEX -> SYNTAX
    ZRANGE z [a [b BYLEX BYSCORE -> SYNTAX
    ZRANGE z 0 1 BYSCORE LIMIT 1 -> SYNTAX
    ZRANGE z 0 1 BYSCORE LIMIT a b -> NOT_AN_INTEGER
    ZRANGE z 0 -> WRONG_ARITY
    ZUNIONSTORE d 1 a -> ok
    ZUNIONSTORE d 2 a b WEIGHTS 1 2.5 AGGREGATE max -> ok
    ZUNIONSTORE d 2 a b AGGREGATE MIN WEIGHTS 1 inf -> ok
    ZUNIONSTORE d 2 a b WEIGHTS 1 2 WEIGHTS 3 4 -> ok
    ZUNIONSTORE d 2 a b WEIGHTS 1 -> SYNTAX
    ZUNIONSTORE d 2 a b WEIGHTS 1 2 3 -> SYNTAX
    ZUNIONSTORE d 2 a b WEIGHTS 1 x -> BAD_WEIGHT
    ZUNIONSTORE d 2 a b AGGREGATE AVG -> SYNTAX
    ZUNIONSTORE d 0 a -> NO_INPUT_KEYS
    ZUNIONSTORE d x a -> NOT_AN_INTEGER
    ZUNIONSTORE d 3 a b -> SYNTAX
    ZUNIONSTORE d 1 -> WRONG_ARITY
    ZUNION 1 a WITHSCORES WEIGHTS 2 -> ok
    ZUNION 2 a -> SYNTAX
    ZRANDMEMBER z -> ok
    ZRANDMEMBER z 5 -> ok
    ZRANDMEMBER z 5 WITHSCORES -> ok
    ZRANDMEMBER z WITHSCORES -> NOT_AN_INTEGER
    ZRANDMEMBER z 5 SCORES -> SYNTAX
    BZMPOP 0 2 a b MIN COUNT 3 -> ok
    BZMPOP 0 2 a b LOW -> SYNTAX
    BZMPOP -1 1 a MIN -> NEGATIVE_TIMEOUT
    XADD x * f v -> ok
    XADD x NOMKSTREAM MAXLEN ~ 100 LIMIT 10 1-1 f v g w -> ok
    XADD x MAXLEN 100 * f v -> ok
    XADD x maxlen = 100 * f v -> ok
    XADD x MINID ~ 1-1 * f v -> ok
    XADD x MAXLEN ~ * f v -> NOT_AN_INTEGER
    XADD x MAXLEN x * f v -> NOT_AN_INTEGER
    XADD x MAXLEN 5 MINID 1 * f v -> TWO_TRIMS
    XADD x MAXLEN 5 MAXLEN 6 * f v -> TWO_TRIMS
    XADD x * f v g -> WRONG_ARITY
    XADD x NOMKSTREAM * f -> WRONG_ARITY
    XADD x MAXLEN ~ 5 * -> WRONG_ARITY
    XADD x * f -> WRONG_ARITY
    XREADGROUP GROUP g c STREAMS a > -> ok
    XREADGROUP COUNT 2 GROUP g c NOACK BLOCK 0 STREAMS a b > 0 -> ok
    XREADGROUP GROUP g c COUNT x STREAMS a > -> NOT_AN_INTEGER
    XREADGROUP GROUP g c BLOCK x STREAMS a > -> BAD_BLOCK
    XREADGROUP GROUP g c STREAMS a b > -> UNBALANCED_GROUP_STREAMS
    XREADGROUP GROUP g c NOACK COUNT 1 -> SYNTAX
    XREADGROUP COUNT 1 NOACK STREAMS a > -> ok
    XREADGROUP GROUP g c STREAMS a -> WRONG_ARITY
    XREAD COUNT 5 STREAMS a 0 -> ok
    XREAD BLOCK 5 STREAMS a -> UNBALANCED_STREAMS
    XREAD COUNT 5 KEYS a 0 -> SYNTAX
    XCLAIM x g c 0 1-1 2-2 -> ok
    XCLAIM x g c 0 1-1 2-2 IDLE 5 JUSTID force -> ok
    XCLAIM x g c 0 1-1 IDLE x -> BAD_IDLE
    XCLAIM x g c 0 1-1 FORCE 2-2 -> UNKNOWN_CLAIM_OPTION
    XCLAIM x g c zero 1-1 -> BAD_MIN_IDLE_OF_CLAIM
    XCLAIM x g c 0 -> WRONG_ARITY
    XPENDING x g -> ok
    XPENDING x g - + 10 -> ok
    XPENDING x g IDLE 5 - + 10 me -> ok
    XPENDING x g - + ten -> NOT_AN_INTEGER
    XPENDING x g IDLE -> SYNTAX
    SORT l -> ok
    SORT l BY w* LIMIT 0 5 GET # GET o* DESC ALPHA STORE d -> ok
    SORT l ASC DESC -> ok
    SORT l BY a BY b -> ok
    SORT l LIMIT 0 -> SYNTAX
    SORT l LIMIT a 5 -> NOT_AN_INTEGER
    SORT l LIMIT a -> SYNTAX
    SORT l GET -> SYNTAX
    SORT l FAST -> SYNTAX
    SORT -> WRONG_ARITY
    BITFIELD b -> ok
    BITFIELD b GET u8 0 OVERFLOW sat INCRBY i5 #3 4 SET u2 1 1 -> ok
    BITFIELD -> WRONG_ARITY
    BITCOUNT b 1 -> SYNTAX
    BITCOUNT b 1 2 bit -> ok
    BITCOUNT b 1 2 bits -> SYNTAX
    BITCOUNT b 1 2 BIT 3 -> SYNTAX
    BITPOS b 1 0 BIT -> NOT_AN_INTEGER
    BITPOS b 1 0 -1 BYTE -> ok
    BITOP NAND d a -> SYNTAX
    BITOP NOT d -> WRONG_ARITY
    SETBIT b x 1 -> BAD_BIT_OFFSET
    SETBIT b 1 x -> BAD_BIT
    GEOFIND g FROMMEMBER m BYRADIUS 10 km ASC COUNT 3 ANY WITHCOORD WITHDIST WITHHASH -> ok
    GEOFIND g BYBOX 1 2 M FROMLONLAT 13.4 52.5 DESC ASC -> ok
    GEOFIND g FROMMEMBER m FROMMEMBER n BYRADIUS 10 km -> ok
    GEOFIND g FROMMEMBER m FROMLONLAT 1 2 BYRADIUS 10 km -> SYNTAX
    GEOFIND g FROMMEMBER m WITHDIST ASC ANY WITHCOORD -> SYNTAX
    GEOFIND g FROMMEMBER m BYRADIUS 10 miles -> SYNTAX
    GEOFIND g FROMMEMBER m BYRADIUS ten km -> NOT_A_REAL
    GEOFIND g FROMMEMBER m BYRADIUS 10 km COUNT x -> NOT_AN_INTEGER
    GEOFIND g FROMMEMBER m BYRADIUS 10 -> WRONG_ARITY
    LCS a b -> ok
    LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN -> ok
    LCS a b MINMATCHLEN x -> NOT_AN_INTEGER
    LCS a b MINMATCHLEN -> SYNTAX
    LCS a -> WRONG_ARITY
    FCALL f 0 -> ok
    FCALL f 1 k a -> ok
    FCALL f x -> BAD_KEY_COUNT
    FCALL f -1 -> NEGATIVE_KEYS
    FCALL f 3 a -> TOO_MANY_KEYS
    FCALL_RO f 0 -> ok
    FUNCTION LOAD code -> ok
    FUNCTION LOAD REPLACE code -> ok
    FUNCTION LOAD -> WRONG_ARITY
    FUNCTION LIST LIBRARYNAME l* WITHCODE -> ok
    FUNCTION LIST what -> UNKNOWN_LIST_ARGUMENT
    FUNCTION DELETE l -> ok
    FUNCTION DELETE -> WRONG_ARITY
    FUNCTION RESTORE payload -> ok
    FUNCTION RESTORE payload FLUSH -> ok
    FUNCTION RESTORE payload what -> BAD_RESTORE_POLICY
    FUNCTION FLUSH what -> BAD_FUNCTION_FLUSH
    EVAL s 0 -> ok
    EVAL s 2 a b c d -> ok
    EVAL s 3 a b -> TOO_MANY_KEYS
    EVAL s -1 -> NEGATIVE_KEYS
    EVAL s x -> NOT_AN_INTEGER
    EVAL s -> WRONG_ARITY
    EVALSHA h 1 a -> ok
    CLIENT KILL 127.0.0.1:5000 -> ok
    CLIENT KILL ID 5 -> ok
    CLIENT KILL ADDR a:1 TYPE normal SKIPME no -> ok
    CLIENT KILL ID -> ok
    CLIENT KILL ID x -> BAD_CLIENT_ID
    CLIENT KILL TYPE odd -> CLIENT_TYPE
    CLIENT KILL ID 5 SKIPME -> SYNTAX
    CLIENT KILL a:1 b:2 -> SYNTAX
    CLIENT KILL -> WRONG_ARITY
    CLIENT LIST -> ok
    CLIENT LIST TYPE replica -> ok
    CLIENT LIST ID 1 2 3 -> ok
    CLIENT LIST ID -> SYNTAX
    CLIENT LIST ID 1 x -> NO_CLIENT_ID
    CLIENT LIST TYPE normal ID 1 -> SYNTAX
    CLIENT TRACKING ON REDIRECT 5 PREFIX a BCAST PREFIX b NOLOOP -> ok
    CLIENT TRACKING ON OPTIN -> ok
    CLIENT TRACKING MAYBE -> SYNTAX
    CLIENT TRACKING ON REDIRECT 5 REDIRECT 6 -> TWO_REDIRECTS
    CLIENT TRACKING ON PREFIX -> SYNTAX
    CLIENT TRACKING -> WRONG_ARITY
    CLIENT PAUSE 100 -> ok
    CLIENT PAUSE 100 write -> ok
    CLIENT PAUSE x -> TIMEOUT_NOT_WHOLE
    CLIENT PAUSE 100 READ -> PAUSE_MODE
    CLIENT UNPAUSE -> ok
    CLIENT REPLY SKIP -> ok
    CLIENT REPLY MAYBE -> SYNTAX
    CLIENT NO-EVICT on -> ok
    CLIENT NO-EVICT maybe -> SYNTAX
    CLIENT NO-TOUCH off -> ok
    CLIENT CACHING yes -> ok
    CLIENT CACHING ON -> SYNTAX
    CLIENT GETNAME -> ok
    CLIENT GETREDIR -> ok
    CLIENT INFO -> ok
    CLIENT TRACKINGINFO -> ok
    CLIENT UNBLOCK 5 -> ok
    CLIENT UNBLOCK 5 ERROR -> ok
    CLIENT UNBLOCK x -> NOT_AN_INTEGER
    CLIENT UNBLOCK 5 NOW -> BAD_UNBLOCK

    QCREATE q -> ok
    QCREATE q 10 30 -> ok
    QCREATE q ten -> NOT_AN_INTEGER
    QCREATE q 10 30 5 -> WRONG_ARITY
    QPUBLISH q payload -> ok
    QPUBLISH q payload 9 3 -> ok
    QPUBLISH q payload high -> NOT_AN_INTEGER
    QPUBLISH q -> WRONG_ARITY
    QCONSUME q -> ok
    QCONSUME q worker -> ok
    QACK q id -> ok
    QACK q -> WRONG_ARITY
    QNACK q id -> ok
    QNACK q id True -> ok
    QNACK q id maybe -> SYNTAX
    QSTATS q -> ok
    QLIST -> ok
    QLIST q -> WRONG_ARITY
    QPURGE q -> ok
    QDELETE q -> ok
    SCREATE r 100 -> ok
    SCREATE r many -> NOT_AN_INTEGER
    SGETORCREATE r -> ok
    SREAD r reader -> ok
    SREAD r reader 7 -> ok
    SREAD r reader first -> NOT_AN_INTEGER
    SREAD r -> WRONG_ARITY
    SSTATS r -> ok
    SLIST -> ok
    SDELETE r -> ok
    KVSTATS -> ok
"""

CASES = [tuple(line.strip().split(" -> ")) for line in _TEXT.splitlines() if line.strip()]
