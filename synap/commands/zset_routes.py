"""Command rows of sorted sets that only the JSON surfaces have, with numbers where RESP has texts."""

from synap.arguments import WRITE, AnyOrder, Clash, Flag, Int, Key, OneOf, Raw, Real, Token
from synap.command import Command
from synap.reply import INTEGER, REAL, TEXT, Array, Tuple
from synap.routes import Get, Post
from synap.traits import GROWS, WRITES

_ZSET = Key("key", "zset")
_CHANGED = Key("key", "zset", WRITE)
_SCORED = Array(Tuple({"member": TEXT, "score": REAL}))
_RANKS = (Int("start", default=0), Int("stop", default=-1))
_SCORES = AnyOrder(Token("MIN", Real("min")), Token("MAX", Real("max")))
_MEMBERS = {"members": "$reply", "key": "$key"}
_POPPED = {"members": "$reply", "count": "$total", "key": "$key"}
_REMOVED = {"removed": "$reply", "key": "$key"}
_COUNT = Int("count", default=1, least=0)

ROWS = [
    Command(
        "zset.zadd", 0x0730,
        "Add one member with its score to a sorted set, or change its score; with `incr`, add to its score.",
        args=(
            _CHANGED, Real("score"), Raw("member"),
            AnyOrder(
                OneOf("when", Flag("NX"), Flag("XX"), clash=Clash.BOTH, fault="CONFLICT_NX_XX"),
                OneOf("compare", Flag("GT"), Flag("LT"), clash=Clash.BOTH, fault="BAD_ORDER_OPTIONS"),
                Flag("CH"),
                Flag("INCR"),
            ),
        ),
        reply=Tuple({"added": INTEGER, "changed": INTEGER}), run="zset_routes.add_one", traits=WRITES | GROWS,
        needs_words=3000, http=(Post("/sortedset/{key}/zadd"),), links=("zset", "key"), envelope=("sortedset.zadd",),
        json={"added": "$added", "key": "$key"}, command={"added": "$added", "changed": "$changed", "key": "$key"},
    ),
    Command(
        "zset.zrange", 0x0731, "Return members with their scores by position, the lowest score first.",
        args=(_ZSET, *_RANKS, Flag("WITHSCORES")), reply=_SCORED, run="zset_routes.span",
        http=(Get("/sortedset/{key}/zrange"),), envelope=("sortedset.zrange",), json=_MEMBERS,
    ),
    Command(
        "zset.zrevrange", 0x0732, "Return members with their scores by position, the highest score first.",
        args=(_ZSET, *_RANKS, Flag("WITHSCORES")), reply=_SCORED, run="zset_routes.span_backwards",
        http=(Get("/sortedset/{key}/zrevrange"),), envelope=("sortedset.zrevrange",), json=_MEMBERS,
    ),
    Command(
        "zset.zrangebyscore", 0x0733, "Return members with their scores, from one score to another, both included.",
        args=(_ZSET, _SCORES, Flag("WITHSCORES")), reply=_SCORED, run="zset_routes.by_score",
        http=(Get("/sortedset/{key}/zrangebyscore"),), envelope=("sortedset.zrangebyscore",), json=_MEMBERS,
    ),
    Command(
        "zset.zcount", 0x0734, "Return how many members have a score from one number to another, both included.",
        args=(_ZSET, _SCORES), reply=INTEGER, run="zset_routes.count_by_score",
        http=(Get("/sortedset/{key}/zcount"),), envelope=("sortedset.zcount",),
        json={"count": "$reply", "key": "$key"},
    ),
    Command(
        "zset.zpopmin", 0x0735, "Remove and return members with the lowest scores.", args=(_CHANGED, _COUNT),
        reply=_SCORED, run="zset_routes.pop_min", traits=WRITES, http=(Post("/sortedset/{key}/zpopmin"),),
        envelope=("sortedset.zpopmin",), json=_POPPED,
    ),
    Command(
        "zset.zpopmax", 0x0736, "Remove and return members with the highest scores.", args=(_CHANGED, _COUNT),
        reply=_SCORED, run="zset_routes.pop_max", traits=WRITES, http=(Post("/sortedset/{key}/zpopmax"),),
        envelope=("sortedset.zpopmax",), json=_POPPED,
    ),
    Command(
        "zset.zremrangebyrank", 0x0737, "Remove members by position and return how many there were.",
        args=(_CHANGED, *_RANKS), reply=INTEGER, run="zset_routes.remove_ranks", traits=WRITES,
        http=(Post("/sortedset/{key}/zremrangebyrank"),), envelope=("sortedset.zremrangebyrank",), json=_REMOVED,
    ),
    Command(
        "zset.zremrangebyscore", 0x0738,
        "Remove members from one score to another, both included, and return how many there were.",
        args=(_CHANGED, _SCORES), reply=INTEGER, run="zset_routes.remove_scores", traits=WRITES,
        http=(Post("/sortedset/{key}/zremrangebyscore"),), envelope=("sortedset.zremrangebyscore",), json=_REMOVED,
    ),
]  # fmt: skip
