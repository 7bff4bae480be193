"""Which commands count as a use of a key, beside a real Redis: OBJECT IDLETIME and OBJECT FREQ afterwards say so.

Each line runs against keys that nobody has used for a while: of Redis by RESTORE .. IDLETIME or FREQ, of ours by their
clock set back.
"""

import shlex

import numpy as np
import pytest
from peers import Peer
from surfaces import Surfaces

from synap.commands import CATALOGUE
from synap.store.keys import key_info
from synap.store.memory import layout
from synap.store.records import descriptions, keyspace
from tests.support import Bench, command, decode

KEYS = {"s": "SET s abc", "n": "SET n 5", "l": "RPUSH l a b c", "m": "SADD m 1 2 3", "t": "SET t abc EX 1000",
        "h": "HSET h f 1 g 2", "z": "ZADD z 1 a 2 b 3 c", "g": "GEOADD g 13 38 a 15 37 b",
        "x": "XGROUP CREATE x g 0 MKSTREAM"}  # fmt: skip
LINES = """
GET s|GET l|GETEX s|GETEX s EX 100|GETEX t PERSIST|GETEX s EX x|GETSET s x|GETSET l x|STRLEN s|STRLEN l|GETRANGE s 0 1
SUBSTR s 0 1|MGET s l m|LCS s n|LCS s n LEN|SET s x|SET s x NX|SET l x NX|SET none x NX|SET s x XX|SET s x GET
SET l x GET|SET s x KEEPTTL|SET s x EX x|SETNX s x|SETNX l x|SETEX s 100 x|PSETEX s 100000 x|MSET s x n 1
MSETNX s x n 1|MSETNX none x s 1|APPEND s x|APPEND l x|SETRANGE s 0 x|SETRANGE s 0 ""|SETRANGE l 0 x|SETRANGE s -1 x
INCR n|INCR s|INCR l|INCRBY n 2|INCRBY n x|DECR n|DECRBY n 2|INCRBYFLOAT n 1.5|INCRBYFLOAT s 1|TTL s|TTL t|PTTL t
EXPIRETIME t|PEXPIRETIME t|TYPE s|TYPE l|EXISTS s l|TOUCH s l|TOUCH m m|OBJECT ENCODING s|OBJECT ENCODING m
OBJECT REFCOUNT s|OBJECT IDLETIME s|OBJECT FREQ s|MEMORY USAGE s|MEMORY USAGE l|DEBUG OBJECT s|KEYS *|SCAN 0
SCAN 0 MATCH *|SCAN 0 TYPE list|DBSIZE|WATCH s l|COPY s new|COPY l new|COPY s n|COPY s n REPLACE|COPY l s REPLACE
RENAME s new|RENAMENX s n|RENAMENX s new|RENAME l s|RENAME s s|MOVE s 1|MOVE s 0|DUMP s|DUMP l|DUMP none|RESTORE s 0 x
RESTORE s 0 x REPLACE|RESTORE none 0 x|EXPIRE s 100|EXPIRE t 100 NX|EXPIRE t 100 GT|EXPIRE s x|EXPIRE s 100 XX
PEXPIRE s 100000|EXPIREAT s 4102444800|PEXPIREAT s 4102444800000|PERSIST t|PERSIST s|RPUSH l d|LPUSH l d|RPUSH s d
LRANGE l 0 -1|LRANGE s 0 -1|LLEN l|LPOP l|RPOP l|LPOP s|BLPOP l 1|SADD m 4|SADD m 1|SADD s 1|SMEMBERS m|SISMEMBER m 1
SCARD m|SREM m 1|SREM m 9|SPOP m|SMISMEMBER m 1 9|SMOVE m n 1|SMOVE m o 9|SRANDMEMBER m|SRANDMEMBER m 2|SINTER m s
SINTER m m|SUNION m none|SDIFF m none|SINTERSTORE new m m|SUNIONSTORE new m|SDIFFSTORE new m none|SINTERCARD 1 m
SSCAN m 0|HSET h f 2|HSET s f 2|HMSET h i 3|HSETNX h f 1|HSETNX h i 1|HGET h f|HGET h none|HGET s f|HMGET h f i
HGETALL h|HKEYS h|HVALS h|HLEN h|HEXISTS h f|HSTRLEN h f|HDEL h f|HDEL h none|HINCRBY h f 2|HINCRBYFLOAT h f 1.5
HRANDFIELD h|HRANDFIELD h 2|HSCAN h 0|LPUSHX l d|RPUSHX none d|RPUSHX l d|LINDEX l 0|LINDEX l 9|LSET l 0 x|LSET l 9 x
LINSERT l BEFORE a x|LINSERT l AFTER q x|LREM l 0 a|LREM l 0 q|LTRIM l 0 1|LPOS l b|LMOVE l new LEFT LEFT
LMOVE l l LEFT RIGHT|RPOPLPUSH l new|LMPOP 2 none l LEFT|BRPOP l 1|BLMOVE l new LEFT LEFT 1|BRPOPLPUSH l new 1
BLMPOP 1 1 l LEFT|ZADD z 1 a|ZADD z 5 a 4 d|ZADD z INCR 1 a|ZADD s 1 a|ZINCRBY z 1 a|ZCARD z|ZSCORE z a|ZMSCORE z a q
ZRANK z a|ZREVRANK z a|ZCOUNT z 0 5|ZLEXCOUNT z - +|ZRANGE z 0 -1|ZREVRANGE z 0 -1|ZRANGEBYSCORE z 0 9
ZREVRANGEBYSCORE z 9 0|ZRANGEBYLEX z - +|ZREVRANGEBYLEX z + -|ZRANGESTORE new z 0 1|ZREM z a|ZREM z q
ZREMRANGEBYRANK z 0 0|ZREMRANGEBYSCORE z 1 1|ZREMRANGEBYLEX z [a [a|ZPOPMIN z|ZPOPMAX z|ZMPOP 1 z MIN|BZPOPMIN z 1
BZPOPMAX z 1|BZMPOP 1 1 z MIN|ZRANDMEMBER z|ZRANDMEMBER z 2|ZUNION 1 z|ZINTER 1 z|ZDIFF 1 z|ZUNIONSTORE new 1 z
ZINTERSTORE new 1 z|ZDIFFSTORE new 1 z|ZINTERCARD 1 z|ZSCAN z 0|SETBIT s 1 1|SETBIT l 1 1|GETBIT s 1|BITCOUNT s
BITPOS s 1|BITOP NOT new s|BITFIELD s GET u8 0|BITFIELD s SET u8 0 5|BITFIELD_RO s GET u8 0|PFADD new a|PFADD s a
PFCOUNT s|PFMERGE new none|PFDEBUG ENCODING s|SORT m|SORT l|SORT l ALPHA|SORT m BY nosort|SORT z ALPHA STORE new
SORT m STORE new|SORT s|SORT none STORE s|SORT_RO m|SORT_RO h|GEOADD g 14 38 c|GEOADD g XX 14 38 c|GEOADD s 1 1 a
GEOPOS g a|GEODIST g a b|GEOHASH g a|GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km|GEORADIUS g 15 37 200 km
GEOSEARCHSTORE new g FROMMEMBER a BYBOX 400 400 km|GEORADIUS g 15 37 200 km STORE new|GEORADIUS_RO g 15 37 1 km
GEORADIUSBYMEMBER g a 200 km|GEORADIUSBYMEMBER_RO g a 1 km|GEORADIUSBYMEMBER g a 200 km STORE new|GEOPOS s a
XADD x 9-1 f v|XADD s * f v|XADD x NOMKSTREAM MAXLEN 1 * f v|XLEN x|XLEN s|XRANGE x - +|XREVRANGE x + -|XDEL x 1-1
XTRIM x MAXLEN 1|XTRIM s MAXLEN 1|XSETID x 9-1|XREAD STREAMS x 0|XREAD STREAMS x $|XREAD STREAMS x s 0 0
XREADGROUP GROUP g c STREAMS x >|XREADGROUP GROUP g c STREAMS x 0|XACK x g 1-1|XACK s g 1-1|XPENDING x g
XPENDING x g - + 9|XCLAIM x g c 0 1-1|XAUTOCLAIM x g c 0 0|XGROUP CREATE x other 0|XGROUP SETID x g 0
XGROUP CREATECONSUMER x g d|XGROUP DELCONSUMER x g c|XGROUP DESTROY x g|XINFO STREAM x|XINFO STREAM x FULL
XINFO GROUPS x|XINFO CONSUMERS x g|XINFO STREAM s
"""
ALL = [line for row in LINES.strip().splitlines() for line in row.split("|")]
LOOKED_UP_TWICE = {
    "SET s x GET": "s", "GETSET s x": "s", "BZPOPMIN z 1": "z", "BZPOPMAX z 1": "z", "BZMPOP 1 1 z MIN": "z",
    "BLMOVE l new LEFT LEFT 1": "l", "BRPOPLPUSH l new 1": "l",
    "XREAD STREAMS x 0": "x", "XREAD STREAMS x $": "x", "XREADGROUP GROUP g c STREAMS x >": "x",
    "XREADGROUP GROUP g c STREAMS x 0": "x",
}  # fmt: skip
"""Redis looks this key up to see it and again to change it, and counts both."""
AGE = 100


def aged(surfaces: Surfaces, redis: Peer, key: str, by_use: bool) -> None:
    """Make a key look unused in both."""
    engine = surfaces.server.engine
    words = [key.encode(), b"0", decode(redis.ask(command("DUMP", key)))[0], b"REPLACE"]
    if key == "t":
        words[1] = b"1000000"
    words += (b"FREQ", b"0") if by_use else (b"IDLETIME", b"%d" % AGE)
    assert redis.ask(command("RESTORE", *words)) == b"+OK\r\n"
    engine.bytes[layout.CALL_BLOB * 8] = ord(key)
    found = np.zeros(descriptions.DESCRIPTION_WORDS, np.int64)
    now = surfaces.server.clock.now()
    assert key_info.describe(engine.words, engine.octets, 0, layout.CALL_BLOB * 8, 1, now, 0, found)
    ref = int(found[descriptions.REF])
    units = ((now // keyspace.MINUTE_MS) & 0xFF) << 8 if by_use else ((now >> keyspace.TIME_SHIFT) - AGE) & 0xFFFF
    engine.numbers[ref] = (engine.numbers[ref] & ~(0xFFFF << keyspace.CLOCK_SHIFT)) | units << keyspace.CLOCK_SHIFT


def used(reply: object, by_use: bool) -> str:
    """Return how a key was used, by what OBJECT IDLETIME or FREQ says: the first uses of a key count one each."""
    if not isinstance(reply, int):
        return "gone"
    if by_use:
        return f"{reply} uses"
    return "used" if reply < AGE // 2 else "not used"


@pytest.fixture(scope="module")
def surfaces(store: type[Bench]) -> Surfaces:
    return Surfaces()


@pytest.mark.parametrize("by_use", [False, True], ids=["time", "number"])
@pytest.mark.parametrize("line", ALL)
def test_uses_of_keys(surfaces: Surfaces, redis: Peer, line: str, by_use: bool) -> None:
    policy = "allkeys-lfu" if by_use else "noeviction"
    for words in (["RESET"], ["FLUSHALL"], ["CONFIG", "SET", "maxmemory-policy", policy]):
        surfaces.resp(*words)
        redis.ask(command(*words))
    for made in KEYS.values():
        surfaces.resp(*made.split())
        redis.ask(command(*made.split()))
    for key in KEYS:
        aged(surfaces, redis, key, by_use)
    words = shlex.split(line)
    ours, theirs = decode(surfaces.resp_bytes(command(*words)))[0], decode(redis.ask(command(*words)))[0]
    assert isinstance(ours, Exception) == isinstance(theirs, Exception), (ours, theirs)
    asked = "FREQ" if by_use else "IDLETIME"
    found = {}
    for key in (*KEYS, "new"):
        question = command("OBJECT", asked, key)
        found[key] = [used(decode(peer)[0], by_use) for peer in (surfaces.resp_bytes(question), redis.ask(question))]
    if by_use and line in LOOKED_UP_TWICE:
        assert found.pop(LOOKED_UP_TWICE[line]) == ["1 uses", "2 uses"]
    assert {key: pair[0] for key, pair in found.items()} == {key: pair[1] for key, pair in found.items()}


def test_every_row_with_a_key_is_asked(redis: Peer) -> None:
    """But for those that Redis does not have, and those that remove what they name."""
    asked = {line.split()[0] for line in ALL} | {"|".join(line.split()[:2]) for line in ALL}
    with_keys = {row.resp for row in CATALOGUE.rows if row.resp and "Key(" in repr(row.args)}
    known = {word for word in with_keys if decode(redis.ask(command("COMMAND", "INFO", word)))[0] != [None]}
    assert known - asked == {"DEL", "UNLINK", "GETDEL", "EVAL", "EVAL_RO", "EVALSHA", "EVALSHA_RO",
                             "FCALL", "FCALL_RO"}
