"""Keyspace notifications beside a real Redis: the same commands send the same messages in the same order."""

import shlex
import socket
import time
from contextlib import closing

import pytest
from peers import Peer, read
from surfaces import Surfaces

from synap.store.memory import layout
from tests.support import Bench, command, decode

LINES = """
SET a 1|SET a 2|SET a 1 EX 100|SET a 1 NX|SET b 1 NX PX 5000|SET a 3 XX GET|GETSET a 4|GETSET new 1|SETNX a 1
SETNX c 1|SETEX a 100 v|PSETEX d 1000 v|MSET a 1 b 2 e 3|MSETNX a 1 z 2|MSETNX y 1 z 2|APPEND a x|APPEND f x
SETRANGE a 1 y|SETRANGE none 0 ""|INCR n|INCRBY n 2|DECR n|DECRBY n 2|INCRBYFLOAT n 1.5|GETDEL e|GETDEL none|GETEX a
GETEX a EX 100|GETEX a PERSIST|GETEX a EXAT 1|DEL a b none c|DEL c c|UNLINK y y z|SET a 1|EXPIRE a 100|EXPIRE none 1
PEXPIRE a 5000|EXPIREAT a 4102444800|PEXPIREAT a 4102444800000|EXPIRE a 100 NX|PERSIST a|PERSIST a|EXPIRE a -1|SET a 1
RENAME a b|RENAME b b|SET c 1|RENAMENX b c|RENAMENX b d2|RENAME none x|COPY d2 k|COPY d2 k|COPY d2 k REPLACE
COPY d2 k DB 1|MOVE k 2|MOVE none 2|SELECT 1|SET a 1|SELECT 0|FLUSHDB|SWAPDB 0 1|FLUSHALL|RPUSH l a b c|LPUSH l x
LPOP l|RPOP l|LPOP none|LPOP l 0|LPOP l 9|RPUSH m a|BLPOP none m 1|SADD s a b c|SADD s a|SREM s a none|SREM s none
SPOP s|SPOP s 9|SADD s a|SADD t b|SMOVE s t a|SMOVE t t b|SMOVE t s none|SUNIONSTORE u t none|SINTERSTORE u t none
SDIFFSTORE u t u|SUNIONSTORE t t|SDIFFSTORE none2 none|HSET h f 1 g 2|HSET h f 1|HSETNX h f 1|HSETNX h i 1|HMSET h j 1
HINCRBY h n 1|HINCRBYFLOAT h n 1.5|HDEL h none|HDEL h f|HDEL h g i j n|HINCRBY q n 1|DEL l m s t u h|RPUSH l a b c
LPUSHX l z|RPUSHX none z|LSET l 0 q|LINSERT l BEFORE a i|LINSERT l BEFORE none i|LREM l 0 q|LREM l 0 none|LTRIM l 0 1
LTRIM l 5 6|RPUSH l a b c d e|LMOVE l m LEFT RIGHT|LMOVE l l RIGHT LEFT|RPOPLPUSH l m|LMPOP 2 none l LEFT
LMPOP 1 m RIGHT COUNT 9|RPUSH l a b c d|BRPOP none l 1|BLMPOP 1 2 none l LEFT|BLMOVE l m LEFT LEFT 1|BRPOPLPUSH m l 1
RPOPLPUSH none l|ZADD z 1 a 2 b 3 c|ZADD z 1 a|ZADD z XX 5 a|ZADD z INCR 1 a|ZINCRBY z 1 a|ZREM z a none|ZREM z none
ZREMRANGEBYRANK z 0 0|ZREMRANGEBYSCORE z 100 200|ZREMRANGEBYSCORE z 3 3|ZADD z 0 a 0 b 0 c 0 d 0 e
ZREMRANGEBYLEX z [a [b|ZPOPMIN z|ZPOPMAX z|ZPOPMAX z 0|ZMPOP 2 none z MIN|ZADD z 1 a 2 b 3 c|ZMPOP 1 z MAX COUNT 1
BZPOPMIN none z 1|BZPOPMAX z 1|ZADD z 1 a 2 b|BZMPOP 1 1 z MIN|ZUNIONSTORE y 2 z none|ZINTERSTORE y 2 z z
ZINTERSTORE y 2 z none|ZDIFFSTORE y 2 z none|ZRANGESTORE x z 0 -1|ZRANGESTORE x z 5 6|ZRANGE none 0 1|ZSCORE none a
ZCARD none|SETBIT bits 7 1|SETBIT bits 7 1|BITOP NOT to bits|BITOP AND to none none2|BITFIELD bits SET u8 0 5
BITFIELD bits GET u8 0|BITFIELD new SET u8 0 5|GETBIT none 1|BITCOUNT none|MULTI|SET a 1|DEL a|INCR n|EXEC
SET a wrong NX XX|INCR a b|GET none|MGET none a|HGET none f|EXISTS none|STRLEN none|TOUCH none|TTL none|PTTL none
TYPE none|EXPIRETIME none|OBJECT ENCODING none|SRANDMEMBER none|LRANGE none 0 1|SISMEMBER none a|SMEMBERS none
SSCAN none 0|HSCAN none 0|HGETALL none|GETRANGE none 0 1|KEYS none|SCAN 0|PFADD p a|PFADD p a|PFADD p2|PFADD p2
PFMERGE r p none|PFMERGE r p|PFCOUNT r none|DEL l d|RPUSH l 2 1|SORT l|SORT l STORE d|SORT l DESC STORE d|SORT none
SORT l LIMIT 5 1 STORE d|SORT none STORE d|SORT none STORE l|RPUSH l x|SORT l STORE l|SORT l ALPHA STORE l|SORT_RO none
SORT_RO l ALPHA
PFADD p3 a|PFADD p4 b|PFMERGE pm p3 p4 none|PFMERGE pm pm p3|PFCOUNT pm none|SET k3 x|APPEND k3 ''
SET k4 y|RENAME k3 k4|MSET dup 1 dup 2|MSET dup 1 dup 2|MSETNX d3 1 d3 2|COPY none k5|COPY k4 k5|COPY k4 k5 REPLACE
GETEX none EX 5|GETEX k4 EX 100|GETEX k4 PERSIST
GEOADD g 13 38 a|GEOADD g 13 38 a|GEOADD g XX CH 14 38 a|GEOADD g2 XX 1 1 a|GEOPOS none a|GEODIST none a b
GEOHASH none a|GEOSEARCHSTORE d g FROMMEMBER a BYRADIUS 1 km|GEOSEARCHSTORE d g FROMMEMBER a BYRADIUS 1 km
GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 1 km|GEOSEARCHSTORE d none FROMLONLAT 1 1 BYRADIUS 1 km
GEORADIUS g 14 38 1 km|GEORADIUS g 14 38 1 km STORE d|GEORADIUS g 14 38 1 km STORE e STOREDIST d
GEORADIUS g 1 1 1 km STORE d|GEORADIUS none 1 1 1 km STORE d|GEORADIUSBYMEMBER g a 1 km STORE e
GEORADIUSBYMEMBER none a 1 km STORE e|GEORADIUS_RO none 1 1 1 km|GEOSEARCH none FROMLONLAT 1 1 BYRADIUS 1 km
GEORADIUS g 14 38 1 km STOREDIST STORE ASC|GEORADIUS g 14 38 1 km ASC STORE storedist
GEORADIUSBYMEMBER g a 1 km STOREDIST g
XADD x1 1-1 f v|XADD x1 NOMKSTREAM 1-2 f v|XADD none NOMKSTREAM 1-2 f v|XADD x1 MAXLEN 5 1-3 f v
XADD x1 MAXLEN 2 1-4 f v
XADD x1 MAXLEN ~ 1 1-5 f v|XADD x1 MINID 1-4 1-6 f v|XTRIM x1 MAXLEN 9|XTRIM x1 MAXLEN 2|XTRIM x1 MINID ~ 1-2|XLEN x1
XDEL x1 9-9|XDEL x1 1-6|XSETID x1 9-9|XRANGE x1 - +|XRANGE none - +|XLEN none|XREAD STREAMS x1 0|XDEL none 1
XTRIM none MAXLEN 1|XACK none g 1|XGROUP CREATE x1 g 0|XGROUP CREATE x2 g $ MKSTREAM|XGROUP SETID x1 g 0
XGROUP CREATECONSUMER x1 g c|XGROUP CREATECONSUMER x1 g c|XREADGROUP GROUP g c STREAMS x1 >|XADD x1 10-1 f v
XREADGROUP GROUP g d STREAMS x1 >|XREADGROUP GROUP g d STREAMS x1 0|XACK x1 g 1-5|XPENDING x1 g|XINFO STREAM x1
XADD x1 11-1 f v|XADD x2 11-1 f v|XREADGROUP GROUP g e NOACK STREAMS x1 x2 > >|XCLAIM x1 g h 0 10-1
XCLAIM x1 g h 0 10-1 JUSTID|XAUTOCLAIM x1 g i 0 0|XAUTOCLAIM x1 g c 0 0 JUSTID|XGROUP DELCONSUMER x1 g c
XGROUP DELCONSUMER x1 g none|XGROUP DESTROY x1 g|XGROUP DESTROY x1 g|XDEL x1 10-1 11-1|XTRIM x1 MAXLEN 0|COPY x1 x3
RENAME x1 x4|MULTI|XADD x4 20-1 f v|XADD x4 MAXLEN 1 20-2 f v|XDEL x4 20-2|EXEC|DEL x2 x3 x4
"""
REFUSED = ("RENAME none x", "SET a wrong NX XX", "INCR a b", "SORT l STORE l")
ALL = [line for row in LINES.strip().splitlines() for line in row.split("|")]


class Listening:
    """A connection that reads the messages of a Redis."""

    def __init__(self, redis: Peer) -> None:
        self.link = socket.create_connection(("127.0.0.1", redis.port), timeout=10)
        self.stream = self.link.makefile("rwb")
        self.stream.write(command("PSUBSCRIBE", "__key*__:*"))
        self.stream.flush()
        read(self.stream)

    def messages(self) -> list[bytes]:
        """What has come since the last time, each message as one text: a PING ends them."""
        self.stream.write(command("PING"))
        self.stream.flush()
        found = []
        while (value := decode(read(self.stream))[0])[0] != b"pong":
            found.append(b" ".join(value[2:]))
        return found

    def close(self) -> None:
        self.stream.close()
        self.link.close()


def test_classes(store: type[Bench], redis: Peer) -> None:
    surfaces = Surfaces()
    texts = "KEA|K|Kg$|AKE|KElshzxet|g$lshzxetdnKEm|Em|KEn|An|mKA|Kgg|K?|kea|"
    for text in texts.split("|"):
        words = command("CONFIG", "SET", "notify-keyspace-events", text)
        ours, theirs = surfaces.resp_bytes(words), redis.ask(words)
        assert ours[:1] == theirs[:1], (text, ours, theirs)
        asked = command("CONFIG", "GET", "notify-keyspace-events")
        assert surfaces.resp_bytes(asked) == redis.ask(asked), text
    redis.ask(command("CONFIG", "SET", "notify-keyspace-events", ""))


@pytest.mark.parametrize("classes", ["KEA", "KEAnm", "Kg$", "Elsh", "Kx", "Kt"])
def test_events(store: type[Bench], redis: Peer, classes: str) -> None:
    surfaces = Surfaces()
    heard: list[bytes] = []
    engine = surfaces.server.engine
    publish = engine.pubsub.publish

    def noted(channel: bytes, payload: bytes, metadata: bytes, now: int) -> object:
        heard.append(b"%b %b" % (channel, payload))
        return publish(channel, payload, metadata, now)

    engine.pubsub.publish = noted
    for words in (["RESET"], ["FLUSHALL"], ["CONFIG", "SET", "notify-keyspace-events", classes]):
        surfaces.resp(*words)
        redis.ask(command(*words))
    wrong = []
    with closing(Listening(redis)) as theirs:
        for line in ALL:
            words = command(*shlex.split(line))
            refused = redis.ask(words)[:1] == b"-"
            assert refused == (line in REFUSED), line
            surfaces.resp_bytes(words)
            wanted = theirs.messages()
            if heard != wanted:
                wrong.append(f"{line}: ours {heard}, Redis {wanted}")
            heard.clear()
    assert not wrong, "\n".join(wrong)
    redis.ask(command("CONFIG", "SET", "notify-keyspace-events", ""))


def test_keys_that_expire(store: type[Bench]) -> None:
    surfaces = Surfaces()
    engine, heard = surfaces.server.engine, []
    engine.pubsub.publish = lambda channel, payload, metadata, now: heard.append(b"%b %b" % (channel, payload))
    surfaces.resp("SET", "k", "v", "PX", 50)
    surfaces.resp("HSET", "h", "f", "v", "g", "w")
    surfaces.resp("HPEXPIRE", "h", 50, "FIELDS", 1, "f")
    surfaces.resp("CONFIG", "SET", "notify-keyspace-events", "Exgh")
    engine.upkeep.step(surfaces.server.clock.now() + 100)
    assert sorted(heard) == [b"__keyevent@0__:expired k", b"__keyevent@0__:hexpired h"]
    heard.clear()
    surfaces.resp("HPEXPIRE", "h", 50, "FIELDS", 1, "g")
    engine.upkeep.step(surfaces.server.clock.now() + 200)
    assert heard == [b"__keyevent@0__:hexpire h", b"__keyevent@0__:hexpired h", b"__keyevent@0__:del h"]


def test_events_of_the_json_surfaces(store: type[Bench]) -> None:
    surfaces = Surfaces()
    heard: list[bytes] = []
    publish = surfaces.server.engine.pubsub.publish
    surfaces.server.engine.pubsub.publish = lambda *args: (heard.append(args[0] + b" " + args[1]), publish(*args))[1]
    surfaces.resp("CONFIG", "SET", "notify-keyspace-events", "KA")
    surfaces.rest("POST", "/kv/set", {"key": "k", "value": "v", "ttl": 100})
    surfaces.command("hash.set", {"key": "h", "field": "f", "value": 1})
    surfaces.batch(("kv.incr", {"key": "n"}), ("kv.del", {"key": "k"}))
    assert heard == [
        b"__keyspace@0__:k set", b"__keyspace@0__:k expire", b"__keyspace@0__:h hset", b"__keyspace@0__:n incrby",
        b"__keyspace@0__:k del",
    ]  # fmt: skip


def test_calls_that_name_no_key_or_a_long_one(store: type[Bench]) -> None:
    """A queue is no key; a key may be longer than a channel: the change is acknowledged all the same."""
    surfaces = Surfaces()
    surfaces.resp("CONFIG", "SET", "notify-keyspace-events", "KEAnm")
    assert surfaces.resp("QUEUE.CREATE", "q", 10, 30000, 3, 5) == 1
    assert len(surfaces.resp("QUEUE.PUBLISH", "q", "x")) == 36
    assert surfaces.resp("STREAM.CREATE", "r") == b"OK" and surfaces.resp("STREAM.PUBLISH", "r", "e", "x") == 0
    heard: list[bytes] = []
    publish = surfaces.server.engine.pubsub.publish
    surfaces.server.engine.pubsub.publish = lambda *args: (heard.append(args[0] + b" " + args[1]), publish(*args))[1]
    key = "k" * surfaces.server.engine.pubsub.limits.channel_bytes
    assert surfaces.resp("SET", key, "v") == b"OK" and surfaces.resp("GET", key) == b"v"
    assert heard == [b"__keyevent@0__:new " + key.encode(), b"__keyevent@0__:set " + key.encode()]
    heard.clear()
    status, _, _ = surfaces.rest("POST", "/sortedset/z/zadd", {"member": "a", "score": 1})
    assert status == 200 and b"__keyspace@0__:z zadd" in heard


def test_the_lane_stops_only_while_somebody_is_told(store: type[Bench]) -> None:
    """Who is told about changes costs those who change something a call of Python each; nobody else does."""
    surfaces = Surfaces()
    engine = surfaces.server.engine

    def stops() -> tuple[bool, bool, bool]:
        found = (engine.numbers[engine.row_at[name] + layout.ROW_FLAGS] for name in ("kv.set", "kv.get", "key.flush"))
        return tuple(bool(flags & layout.FLAG_HANDLER) for flags in found)

    nobody, everybody, flushes = (False, False, False), (True, False, True), (False, False, True)
    for begin, wanted, end in (
        (("CONFIG", "SET", "notify-keyspace-events", "KA"), everybody, ("CONFIG", "SET", "notify-keyspace-events", "")),
        (("CONFIG", "SET", "notify-keyspace-events", "Ex"), flushes, ("CONFIG", "SET", "notify-keyspace-events", "")),
        (("CONFIG", "SET", "notify-keyspace-events", "Klh"), flushes, ("CONFIG", "SET", "notify-keyspace-events", "")),
        (("CONFIG", "SET", "notify-keyspace-events", "A"), nobody, ("CONFIG", "SET", "notify-keyspace-events", "")),
        (("CLIENT", "TRACKING", "ON"), flushes, ("CLIENT", "TRACKING", "OFF")),
        (("CLIENT", "TRACKING", "ON", "BCAST"), everybody, ("CLIENT", "TRACKING", "OFF")),
        (("CLIENT", "TRACKING", "ON", "BCAST"), everybody, ("RESET",)),
        (("SUBSCRIBE", "__watch@0__:k"), everybody, ("UNSUBSCRIBE",)),
        (("PSUBSCRIBE", "__watch@*"), everybody, ("PUNSUBSCRIBE",)),
        (("SUBSCRIBE", "watch"), nobody, ("UNSUBSCRIBE",)),
    ):
        assert stops() == nobody, begin
        surfaces.resp(*begin)
        assert stops() == wanted, begin
        surfaces.resp(*end)
    assert stops() == nobody


def test_a_key_that_had_expired_is_told_before_what_replaces_it(store: type[Bench]) -> None:
    surfaces = Surfaces()
    engine, heard = surfaces.server.engine, []
    engine.pubsub.publish = lambda channel, payload, metadata, now: heard.append(payload.decode())
    surfaces.resp("CONFIG", "SET", "notify-keyspace-events", "KA")
    for words in (["SET", "k", "w"], ["MSET", "k", "1", "k", "2"], ["RPUSH", "k", "a"]):
        surfaces.resp("SET", "k", "v", "PX", 20)
        time.sleep(0.05)
        heard.clear()
        surfaces.resp(*words)
        assert heard[:2] == ["expired", words[0].lower().removeprefix("m")], words
        surfaces.resp("DEL", "k")
    surfaces.resp("SET", "k", "v")
    heard.clear()
    surfaces.resp("SET", "k", "v", "PXAT", 1)
    assert heard == ["set", "expire", "expired"]
