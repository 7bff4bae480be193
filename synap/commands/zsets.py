"""Command rows of sorted sets: distinct members with scores, in the order of the scores."""

from synap.arguments import (
    WRITE,
    AnyOrder,
    Bound,
    Choice,
    Clash,
    Counted,
    Flag,
    Glob,
    Int,
    Key,
    Many,
    OneOf,
    Optional,
    Raw,
    Real,
    Text,
    Timeout,
    Token,
)
from synap.command import Command, Example
from synap.events import Event, How
from synap.methods import CLIENT, EMBEDDED, Method
from synap.reply import INTEGER, NIL, REAL, TEXT, VALUE, Array, Either, Pairs, Tuple, or_nil
from synap.routes import Get, Post
from synap.traits import GROWS, INTERNAL, TRUSTED, WAITS, WRITES

_ZSET = Key("key", "zset")
_CHANGED = Key("key", "zset", WRITE)
_LIMIT = Token("LIMIT", Int("offset"), Int("count"))
_KIND_OF_RANGE = (
    OneOf("by", Flag("BYSCORE"), Flag("BYLEX"), clash=Clash.ANY), OneOf("direction", Flag("REV"), clash=Clash.ANY),
)  # fmt: skip
_OLDER = AnyOrder(_LIMIT, Flag("WITHSCORES"))
_SPAN = Either(Array(VALUE), Pairs(VALUE, REAL))
_RANKED = Either(INTEGER, Tuple({"rank": INTEGER, "score": REAL}), NIL)
_POPPED = Either(Array(VALUE, REAL), Pairs(VALUE, REAL))
_COUNT = Optional(Int("count", fault="POSITIVE_COUNT", least=0))
_POPPED_OF = or_nil(Tuple({"key": TEXT, "members": Array(Tuple({"member": VALUE, "score": REAL}))}))
_WAITED = or_nil(Tuple({"key": TEXT, "member": VALUE, "score": REAL}))
_NOTE = "Return key, member and score, or None after `timeout` seconds. Waiting calls are served in their order."
_SEVERAL = (
    Counted("keys", Key("key", "zset", WRITE)), Choice("end", ("MIN", "MAX")),
    AnyOrder(OneOf("how_many", Token("COUNT", Int("count", fault="COUNT_BELOW_ONE", least=1)), clash=Clash.ANY)),
)  # fmt: skip
_SOURCES = Counted("keys", Key("key", "zset"), fault="NO_INPUT_KEYS", fault_form="NOT_AN_INTEGER")
_WEIGHTED = (
    Token("WEIGHTS", Many("weights", Real("weight", fault="BAD_WEIGHT"), like="keys")),
    Token("AGGREGATE", Choice("aggregate", ("SUM", "MIN", "MAX"))),
)
_DESTINATION = Key("destination", "zset", WRITE)
_STORE_WORDS = 3000
_STORED = {"count": "$reply", "destination": "$destination"}
_RANK = {"rank": "$reply", "key": "$key", "member": "$member"}
_NO_RANK = _RANK | {"rank": None}

ROWS = [
    Command(
        "zset.add", 0x0701, "Add members with their scores to a sorted set, creating it if it is missing, and return "
        "how many were new.",
        args=(
            _CHANGED,
            AnyOrder(
                OneOf("when", Flag("NX"), Flag("XX"), clash=Clash.BOTH),
                OneOf("compare", Flag("GT"), Flag("LT"), clash=Clash.BOTH),
                Flag("CH"),
                Flag("INCR"),
            ),
            Many("pairs", Real("score", judge="when"), Raw("member")),
        ),
        resp="ZADD", reply=Either(INTEGER, REAL, NIL), run="zsets.add", traits=WRITES | GROWS, needs_words=3000,
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZADD z XX CH 3 a 4 none", 1), Example("ZADD z INCR 1 a", 4.0)),
        event=Event(when=("incr", "zincr")),
        python=Method(turned=True, note="`pairs` are (score, member), or a mapping from members to scores."),
    ),
    Command(
        "zset.increment", 0x0702, "Add a number to the score of a member, which is 0 if it is missing, and return the "
        "new score.",
        args=(_CHANGED, Real("increment"), Raw("member")), resp="ZINCRBY", reply=REAL, run="zsets.increment",
        traits=WRITES | GROWS, needs_words=3000,
        http=(Post("/sortedset/{key}/zincrby"),), envelope=("sortedset.zincrby",), also={"score": "increment"},
        json={"score": "$reply", "key": "$key"},
        examples=(Example("ZINCRBY z 1.5 a", 1.5), Example("ZINCRBY z -2 a", -0.5)),
        event=Event("zincr"),
    ),
    Command(
        "zset.remove", 0x0703, "Remove members from a sorted set and return how many were present.",
        args=(_CHANGED, Many("members", Raw("member"))), resp="ZREM", reply=INTEGER, run="zsets.remove",
        traits=WRITES,
        http=(Post("/sortedset/{key}/zrem"),), envelope=("sortedset.zrem",), json={"removed": "$reply", "key": "$key"},
        examples=(Example("ZADD z 1 a", 1), Example("ZREM z a none", 1)),
    ),
    Command(
        "zset.score", 0x0704, "Return the score of a member.", args=(_ZSET, Raw("member")), resp="ZSCORE",
        reply=or_nil(REAL), run="zsets.score_of",
        http=(Get("/sortedset/{key}/{member}/zscore"),), envelope=("sortedset.zscore",),
        json={"score": "$reply", "key": "$key", "member": "$member"},
        json_nil={"score": None, "key": "$key", "member": "$member"},
        examples=(Example("ZADD z 1 a", 1), Example("ZSCORE z a", 1.0), Example("ZSCORE z none", None)),
    ),
    Command(
        "zset.scores", 0x0705, "Return the score of each of several members.",
        args=(_ZSET, Many("members", Raw("member"))), resp="ZMSCORE", reply=Array(or_nil(REAL)),
        run="zsets.scores_of",
        http=(Post("/sortedset/{key}/zmscore"),), envelope=("sortedset.zmscore",),
        json={"scores": "$items", "key": "$key"},
        examples=(Example("ZADD z 1 a", 1), Example("ZMSCORE z a none", [1.0, None])),
    ),
    Command(
        "zset.card", 0x0706, "Return the number of members in a sorted set.", args=(_ZSET,), resp="ZCARD",
        reply=INTEGER, run="zsets.size_of", http=(Get("/sortedset/{key}/zcard"),), envelope=("sortedset.zcard",),
        json={"count": "$reply", "key": "$key"}, examples=(Example("ZCARD none", 0),),
    ),
    Command(
        "zset.rank", 0x0707, "Return the position of a member, from 0, the lowest score first.",
        args=(_ZSET, Raw("member"), Flag("WITHSCORE")), resp="ZRANK", reply=_RANKED, run="zsets.rank",
        http=(Get("/sortedset/{key}/{member}/zrank"),), envelope=("sortedset.zrank",), json=_RANK, json_nil=_NO_RANK,
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZRANK z b", 1), Example("ZRANK z b WITHSCORE", [1, 2.0])),
    ),
    Command(
        "zset.revrank", 0x0708, "Return the position of a member, from 0, the highest score first.",
        args=(_ZSET, Raw("member"), Flag("WITHSCORE")), resp="ZREVRANK", reply=_RANKED, run="zsets.rank_backwards",
        http=(Get("/sortedset/{key}/{member}/zrevrank"),), envelope=("sortedset.zrevrank",), json=_RANK,
        json_nil=_NO_RANK,
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZREVRANK z b", 0)),
    ),
    Command(
        "zset.range", 0x0709, "Return members of a sorted set by position, by score or by text.",
        args=(
            _ZSET, Bound("start"), Bound("stop"),
            AnyOrder(*_KIND_OF_RANGE, _LIMIT, Flag("WITHSCORES")),
        ),
        resp="ZRANGE", reply=_SPAN, run="zset_ranges.span",
        examples=(
            Example("ZADD z 1 a 2 b", 2), Example("ZRANGE z 0 -1", ["a", "b"]),
            Example("ZRANGE z (2 1 BYSCORE REV", ["a"]),
        ),
    ),
    Command(
        "zset.revrange", 0x070A, "Return members of a sorted set by position, the highest score first.",
        args=(_ZSET, Bound("start"), Bound("stop"), _OLDER), resp="ZREVRANGE", reply=_SPAN,
        run="zset_ranges.span_backwards",
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZREVRANGE z 0 -1", ["b", "a"])),
    ),
    Command(
        "zset.range_by_score", 0x070B, "Return members of a sorted set whose score lies between two numbers.",
        args=(_ZSET, Bound("min"), Bound("max"), _OLDER), resp="ZRANGEBYSCORE", reply=_SPAN,
        run="zset_ranges.by_score",
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZRANGEBYSCORE z (1 +inf", ["b"])),
    ),
    Command(
        "zset.revrange_by_score", 0x070C, "Return members whose score lies between two numbers, the highest first.",
        args=(_ZSET, Bound("max"), Bound("min"), _OLDER), resp="ZREVRANGEBYSCORE", reply=_SPAN,
        run="zset_ranges.by_score_backwards",
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZREVRANGEBYSCORE z +inf (1", ["b"])),
    ),
    Command(
        "zset.range_by_lex", 0x070D, "Return members between two texts, for sorted sets whose members have one score.",
        args=(_ZSET, Text("min"), Text("max"), _OLDER), resp="ZRANGEBYLEX", reply=_SPAN, run="zset_ranges.by_text",
        examples=(Example("ZADD z 0 a 0 b 0 c", 3), Example("ZRANGEBYLEX z [a (c", ["a", "b"])),
    ),
    Command(
        "zset.revrange_by_lex", 0x070E, "Return members between two texts, the last first.",
        args=(_ZSET, Text("max"), Text("min"), _OLDER), resp="ZREVRANGEBYLEX", reply=_SPAN,
        run="zset_ranges.by_text_backwards",
        examples=(Example("ZADD z 0 a 0 b 0 c", 3), Example("ZREVRANGEBYLEX z + (a LIMIT 0 1", ["c"])),
    ),
    Command(
        "zset.count", 0x070F, "Return how many members have a score between two numbers.",
        args=(_ZSET, Bound("min"), Bound("max")), resp="ZCOUNT", reply=INTEGER, run="zset_ranges.count_by_score",
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZCOUNT z -inf (2", 1)),
    ),
    Command(
        "zset.lexcount", 0x0710, "Return how many members lie between two texts.",
        args=(_ZSET, Text("min"), Text("max")), resp="ZLEXCOUNT", reply=INTEGER, run="zset_ranges.count_by_text",
        examples=(Example("ZADD z 0 a 0 b", 2), Example("ZLEXCOUNT z - [a", 1)),
    ),
    Command(
        "zset.remove_ranks", 0x0711, "Remove members by position and return how many there were.",
        args=(_CHANGED, Bound("start"), Bound("stop")), resp="ZREMRANGEBYRANK", reply=INTEGER,
        run="zset_ranges.remove_ranks", traits=WRITES,
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZREMRANGEBYRANK z 0 0", 1)),
    ),
    Command(
        "zset.remove_scores", 0x0712, "Remove members whose score lies between two numbers and return how many there "
        "were.",
        args=(_CHANGED, Bound("min"), Bound("max")), resp="ZREMRANGEBYSCORE", reply=INTEGER,
        run="zset_ranges.remove_scores", traits=WRITES,
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZREMRANGEBYSCORE z -inf (2", 1)),
    ),
    Command(
        "zset.remove_lex", 0x0713, "Remove members that lie between two texts and return how many there were.",
        args=(_CHANGED, Text("min"), Text("max")), resp="ZREMRANGEBYLEX", reply=INTEGER,
        run="zset_ranges.remove_texts", traits=WRITES,
        examples=(Example("ZADD z 0 a 0 b", 2), Example("ZREMRANGEBYLEX z (a +", 1)),
    ),
    Command(
        "zset.popmin", 0x0714, "Remove and return members with the lowest scores.",
        args=(_CHANGED, _COUNT), stray="SYNTAX", resp="ZPOPMIN", reply=_POPPED, run="zset_pops.pop_min", traits=WRITES,
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZPOPMIN z", ["a", 1.0])),
    ),
    Command(
        "zset.popmax", 0x0715, "Remove and return members with the highest scores.",
        args=(_CHANGED, _COUNT), stray="SYNTAX", resp="ZPOPMAX", reply=_POPPED, run="zset_pops.pop_max", traits=WRITES,
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZPOPMAX z", ["b", 2.0])),
    ),
    Command(
        "zset.mpop", 0x0716, "Remove and return members from one end of the first sorted set that has some.",
        args=_SEVERAL, resp="ZMPOP", reply=_POPPED_OF, run="zset_pops.pop_of_many", traits=WRITES,
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZMPOP 2 none z MIN COUNT 2", ["z", [["a", 1.0], ["b", 2.0]]])),
        event=Event(how=How.FIRST, end="end"),
    ),
    Command(
        "zset.bpopmin", 0x0717,
        "Remove and return the member with the lowest score of the first sorted set that has one; wait if all are "
        "empty.",
        args=(Many("keys", Key("key", "zset", WRITE)), Timeout("timeout")), resp="BZPOPMIN", reply=_WAITED,
        run="zset_pops.pop_min_wait", traits=WRITES | WAITS,
        examples=(Example("ZADD z 1 a", 1), Example("BZPOPMIN none z 1", ["z", "a", 1.0])),
        python=Method(defaults={"timeout": 0}, note=_NOTE),
        event=Event("zpopmin", How.FIRST),
    ),
    Command(
        "zset.bpopmax", 0x0718,
        "Remove and return the member with the highest score of the first sorted set that has one; wait if all are "
        "empty.",
        args=(Many("keys", Key("key", "zset", WRITE)), Timeout("timeout")), resp="BZPOPMAX", reply=_WAITED,
        run="zset_pops.pop_max_wait", traits=WRITES | WAITS,
        examples=(Example("ZADD z 1 a", 1), Example("BZPOPMAX none z 1", ["z", "a", 1.0])),
        python=Method(defaults={"timeout": 0}, note=_NOTE),
        event=Event("zpopmax", How.FIRST),
    ),
    Command(
        "zset.bmpop", 0x0719,
        "Remove and return members from one end of the first sorted set that has some; wait if all are empty.",
        args=(Timeout("timeout"), *_SEVERAL), resp="BZMPOP", reply=_POPPED_OF, run="zset_pops.pop_of_many_wait",
        traits=WRITES | WAITS,
        examples=(Example("ZADD z 1 a", 1), Example("BZMPOP 1 1 z MAX", ["z", [["a", 1.0]]])),
        event=Event(how=How.FIRST, end="end"),
    ),
    Command(
        "zset.randmember", 0x071A,
        "Return random members: `count` different ones or, if `count` is negative, -`count` that may repeat.",
        args=(_ZSET, Optional(Int("count"), Flag("WITHSCORES"))), resp="ZRANDMEMBER",
        reply=Either(VALUE, Array(VALUE), Pairs(VALUE, REAL), NIL), run="zset_reads.draw", stray="SYNTAX",
        examples=(Example("ZADD z 1 a", 1), Example("ZRANDMEMBER z", "a"), Example("ZRANDMEMBER z -2", ["a", "a"])),
        python=Method(note="Without `count`, return one member or None; with `count`, return a list."),
    ),
    Command(
        "zset.union", 0x071B, "Return the members of several sorted sets or sets, with their scores added.",
        args=(_SOURCES, AnyOrder(*_WEIGHTED, Flag("WITHSCORES"))), resp="ZUNION", reply=_SPAN, run="zset_algebra.union",
        examples=(Example("ZADD z 1 a", 1), Example("ZADD y 5 b", 1), Example("ZUNION 2 z y", ["a", "b"])),
    ),
    Command(
        "zset.inter", 0x071C, "Return the members that are in all of several sorted sets or sets.",
        args=(_SOURCES, AnyOrder(*_WEIGHTED, Flag("WITHSCORES"))), resp="ZINTER", reply=_SPAN,
        run="zset_algebra.intersect",
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZADD y 5 b", 1), Example("ZINTER 2 z y", ["b"])),
    ),
    Command(
        "zset.diff", 0x071D, "Return the members of the first sorted set or set that are in none of the others.",
        args=(_SOURCES, Flag("WITHSCORES")), resp="ZDIFF", reply=_SPAN, run="zset_algebra.subtract",
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZADD y 5 b", 1), Example("ZDIFF 2 z y", ["a"])),
    ),
    Command(
        "zset.unionstore", 0x071E,
        "Store the members of several sorted sets or sets under a key, and return how many there are.",
        args=(_DESTINATION, _SOURCES, AnyOrder(*_WEIGHTED)), resp="ZUNIONSTORE", reply=INTEGER,
        run="zset_algebra.store_union", traits=WRITES | GROWS, needs_words=_STORE_WORDS,
        http=(Post("/sortedset/zunionstore"),), envelope=("sortedset.zunionstore",), json=_STORED,
        examples=(
            Example("ZADD z 1 a", 1), Example("ZUNIONSTORE y 2 z z WEIGHTS 2 3", 1), Example("ZSCORE y a", 5.0),
        ),
        event=Event(how=How.STORED, misses=True),
    ),
    Command(
        "zset.interstore", 0x071F,
        "Store the members that are in all of several sorted sets or sets under a key, and return how many there are.",
        args=(_DESTINATION, _SOURCES, AnyOrder(*_WEIGHTED)), resp="ZINTERSTORE", reply=INTEGER,
        run="zset_algebra.store_intersection", traits=WRITES | GROWS, needs_words=_STORE_WORDS,
        http=(Post("/sortedset/zinterstore"),), envelope=("sortedset.zinterstore",), json=_STORED,
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZINTERSTORE y 2 z none", 0)),
        event=Event(how=How.STORED, misses=True),
    ),
    Command(
        "zset.diffstore", 0x0720,
        "Store the members of the first sorted set or set that are in none of the others under a key, and return how "
        "many there are.",
        args=(_DESTINATION, _SOURCES), resp="ZDIFFSTORE", reply=INTEGER, run="zset_algebra.store_difference",
        traits=WRITES | GROWS, needs_words=_STORE_WORDS,
        http=(Post("/sortedset/zdiffstore"),), envelope=("sortedset.zdiffstore",), json=_STORED,
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZDIFFSTORE y 2 z none", 2)),
        event=Event(how=How.STORED, misses=True),
    ),
    Command(
        "zset.intercard", 0x0721,
        "Return how many members are in all of several sorted sets or sets; with a `limit` above 0, count no further "
        "than that.",
        args=(_SOURCES, AnyOrder(Token("LIMIT", Int("limit", fault="NEGATIVE_LIMIT", least=0)))), resp="ZINTERCARD",
        reply=INTEGER, run="zset_algebra.count_common",
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZINTERCARD 2 z z LIMIT 1", 1)),
    ),
    Command(
        "zset.rangestore", 0x0722,
        "Store members of a sorted set, by position, by score or by text, under another key, and return how many there "
        "are.",
        args=(_DESTINATION, Key("source", "zset"), Bound("start"), Bound("stop"), AnyOrder(*_KIND_OF_RANGE, _LIMIT)),
        resp="ZRANGESTORE", reply=INTEGER, run="zset_algebra.store_range", traits=WRITES | GROWS,
        needs_words=_STORE_WORDS,
        examples=(Example("ZADD z 1 a 2 b", 2), Example("ZRANGESTORE y z 0 0", 1)),
        event=Event(how=How.STORED, misses=True),
    ),
    Command(
        "zset.scan", 0x0723,
        "Return one step of a scan over a sorted set: the cursor of the next step (0 at the end), members and scores.",
        args=(
            _ZSET, Text("cursor", cursor=True),
            AnyOrder(Token("MATCH", Glob("pattern")), Token("COUNT", Int("count", least=1))),
        ),
        resp="ZSCAN", reply=Tuple({"cursor": TEXT, "members": Array(VALUE, TEXT)}), run="zset_reads.scan",
        examples=(Example("ZADD z 1 a", 1), Example("ZSCAN z 0", ["0", ["a", "1"]])),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "zset.load", 0x07F0, "Load a piece of a sorted set from a snapshot.",
        args=(_CHANGED, Int("deadline"), Int("more"), Many("pairs", Real("score"), Raw("member"))),
        reply=INTEGER, run="zsets.load", traits=WRITES | INTERNAL | TRUSTED,
    ),
]  # fmt: skip
