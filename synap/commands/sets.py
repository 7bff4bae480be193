"""Command rows of sets: distinct members without order."""

from synap.arguments import WRITE, AnyOrder, Counted, Glob, Int, Key, Many, Optional, Raw, Text, Token
from synap.command import Command, Example
from synap.events import Event, How
from synap.methods import CLIENT, EMBEDDED, Method
from synap.ranges import INT_MAX
from synap.reply import INTEGER, NIL, TEXT, VALUE, Array, Either, SetOf, Tuple
from synap.routes import Get, Post
from synap.traits import ABOVE_MAX, GROWS, INTERNAL, TRUSTED, WRITES

_SET = Key("key", "set")
_CHANGED = Key("key", "set", WRITE)
_DESTINATION = Key("destination", "set", WRITE)
_KEYS = Many("keys", Key("key", "set"))
_SOME_KEYS = Many("keys", Key("key", "set"), least_given=0)
_MEMBERS = {"members": "$items", "key": "$key"}
_FOUND = {"members": "$items"}
_STORED = {"cardinality": "$reply", "count": "$reply", "destination": "$destination"}
_STORE_WORDS = 200
_ADD_WORDS = 3400  # a set of 512 integers that becomes a table

ROWS = [
    Command(
        "set.add", 0x0501, "Add members to a set, creating the set if it is missing, and return how many were new.",
        args=(_CHANGED, Many("members", Raw("member"))), resp="SADD", reply=INTEGER, run="sets.add",
        traits=WRITES | GROWS, needs_words=_ADD_WORDS, http=(Post("/set/{key}/add"),), links=("set", "key"),
        json={"added": "$reply", "key": "$key"},
        examples=(Example("SADD s a b a", 2), Example("SADD s a", 0)),
    ),
    Command(
        "set.pop", 0x0502, "Remove and return random members of a set.",
        args=(_CHANGED, Optional(Int("count", fault="POSITIVE_COUNT", least=0))), resp="SPOP",
        reply=Either(VALUE, SetOf(VALUE), NIL), run="random_members.pop", stray="SYNTAX", traits=WRITES,
        http=(Post("/set/{key}/pop"),),
        json=_MEMBERS, json_nil="NOT_FOUND",
        examples=(Example("SADD s a", 1), Example("SPOP s", "a"), Example("SPOP s", None)),
        python=Method(note="Without `count`, return one member or None; with `count`, return a list."),
    ),
    Command(
        "set.remove", 0x0503, "Remove members from a set and return how many were present.",
        args=(_CHANGED, Many("members", Raw("member"))), resp="SREM", reply=INTEGER, run="sets.remove",
        traits=WRITES, http=(Post("/set/{key}/rem", of="key"),), envelope=("set.rem",),
        json={"removed": "$reply", "key": "$key"},
        examples=(Example("SADD s a b", 2), Example("SREM s a none", 1)),
    ),
    Command(
        "set.members", 0x0504, "Return all members of a set, in no particular order.",
        args=(_SET,), resp="SMEMBERS", reply=SetOf(VALUE),
        run="sets.list_members", http=(Get("/set/{key}/members", of="key"),), json=_MEMBERS,
        examples=(Example("SADD s a", 1), Example("SMEMBERS s", ["a"])),
    ),
    Command(
        "set.ismember", 0x0505, "Test if a value is a member of a set.", args=(_SET, Raw("member")), resp="SISMEMBER",
        reply=INTEGER, run="sets.has", http=(Post("/set/{key}/ismember", of="key"),),
        json={"is_member": "$flag", "key": "$key"},
        examples=(Example("SADD s a", 1), Example("SISMEMBER s a", 1), Example("SISMEMBER s b", 0)),
    ),
    Command(
        "set.card", 0x0506, "Return the number of members in a set.", args=(_SET,), resp="SCARD", reply=INTEGER,
        run="sets.size_of", http=(Get("/set/{key}/card", of="key"),), envelope=("set.size",),
        json={"count": "$reply", "key": "$key"},
        command={"cardinality": "$reply", "count": "$reply", "size": "$reply", "key": "$key"},
        examples=(Example("SCARD none", 0),),
    ),
    Command(
        "set.has_many", 0x0507, "Test for each of several values if it is a member of a set.",
        args=(_SET, Many("members", Raw("member"))), resp="SMISMEMBER", reply=Array(INTEGER), run="sets.has_many",
        http=(Post("/set/{key}/mismember"),), envelope=("set.mismember",),
        json={"is_member": "$items", "key": "$key"},
        examples=(Example("SADD s a", 1), Example("SMISMEMBER s a b", [1, 0])),
        python=Method(note="Return 1 or 0 for each."),
    ),
    Command(
        "set.move", 0x0508, "Move a member from one set to another, and return 1 if it was a member of the first.",
        args=(Key("source", "set", WRITE), _DESTINATION, Raw("member")), resp="SMOVE", reply=INTEGER, run="sets.move",
        traits=WRITES | GROWS | ABOVE_MAX, needs_words=_ADD_WORDS,
        http=(Post("/set/{source}/move/{destination}", of="source"),),
        json={"moved": "$flag", "source": "$source", "destination": "$destination"},
        examples=(Example("SADD s a", 1), Example("SMOVE s t a", 1), Example("SMOVE s t a", 0)),
        event=Event(how=How.MOVED),
    ),
    Command(
        "set.pick", 0x0509,
        "Return random members of a set: `count` different ones or, if `count` is negative, -`count` that may repeat.",
        args=(_SET, Optional(Int("count", least=-INT_MAX))), stray="SYNTAX", resp="SRANDMEMBER",
        reply=Either(VALUE, Array(VALUE), NIL), run="random_members.pick",
        http=(Get("/set/{key}/randmember"),), envelope=("set.randmember",), json=_MEMBERS, json_nil="NOT_FOUND",
        examples=(Example("SADD s a", 1), Example("SRANDMEMBER s", "a"), Example("SRANDMEMBER s -2", ["a", "a"])),
        python=Method(note="Without `count`, return one member or None; with `count`, return a list."),
    ),
    Command(
        "set.inter", 0x050A, "Return the members that are in all of several sets.", args=(_SOME_KEYS,), resp="SINTER",
        reply=SetOf(VALUE), run="set_algebra.intersect", http=(Post("/set/inter"),), json=_FOUND,
        examples=(Example("SADD s a b", 2), Example("SADD t b c", 2), Example("SINTER s t", ["b"])),
    ),
    Command(
        "set.union", 0x050B, "Return the members that are in any of several sets.", args=(_SOME_KEYS,), resp="SUNION",
        reply=SetOf(VALUE), run="set_algebra.union", http=(Post("/set/union"),), json=_FOUND,
        examples=(Example("SADD s a", 1), Example("SUNION s none", ["a"])),
    ),
    Command(
        "set.diff", 0x050C, "Return the members of the first set that are in none of the others.", args=(_SOME_KEYS,),
        resp="SDIFF", reply=SetOf(VALUE), run="set_algebra.subtract", http=(Post("/set/diff"),), json=_FOUND,
        examples=(Example("SADD s a b", 2), Example("SADD t b c", 2), Example("SDIFF s t", ["a"])),
    ),
    Command(
        "set.interstore", 0x050D,
        "Store the members that are in all of several sets under a key, and return how many there are.",
        args=(_DESTINATION, _KEYS), resp="SINTERSTORE", reply=INTEGER, run="set_algebra.store_intersection",
        traits=WRITES | GROWS, needs_words=_STORE_WORDS, http=(Post("/set/interstore"),), json=_STORED,
        examples=(Example("SADD s a b", 2), Example("SINTERSTORE t s s", 2), Example("SINTERSTORE t s none", 0)),
        event=Event(how=How.STORED, misses=True),
    ),
    Command(
        "set.unionstore", 0x050E,
        "Store the members that are in any of several sets under a key, and return how many there are.",
        args=(_DESTINATION, _KEYS), resp="SUNIONSTORE", reply=INTEGER, run="set_algebra.store_union",
        traits=WRITES | GROWS, needs_words=_STORE_WORDS, http=(Post("/set/unionstore"),), json=_STORED,
        examples=(Example("SADD s a b", 2), Example("SADD t b c", 2), Example("SUNIONSTORE u s t", 3)),
        event=Event(how=How.STORED, misses=True),
    ),
    Command(
        "set.diffstore", 0x050F,
        "Store the members of the first set that are in none of the others under a key, and return how many there are.",
        args=(_DESTINATION, _KEYS), resp="SDIFFSTORE", reply=INTEGER, run="set_algebra.store_difference",
        traits=WRITES | GROWS, needs_words=_STORE_WORDS, http=(Post("/set/diffstore"),), json=_STORED,
        examples=(Example("SADD s a b", 2), Example("SADD t b c", 2), Example("SDIFFSTORE u s t", 1)),
        event=Event(how=How.STORED, misses=True),
    ),
    Command(
        "set.intercard", 0x0510,
        "Return how many members are in all of several sets; with a `limit` above 0, count no further than that.",
        args=(
            Counted("keys", Key("key", "set"), fault_more="TOO_MANY_KEYS"),
            AnyOrder(Token("LIMIT", Int("limit", fault="NEGATIVE_LIMIT", least=0))),
        ),
        resp="SINTERCARD", reply=INTEGER, run="set_algebra.count_common", http=(Post("/set/intercard"),),
        json={"cardinality": "$reply", "count": "$reply"},
        examples=(Example("SADD s a b c", 3), Example("SINTERCARD 2 s s", 3), Example("SINTERCARD 1 s LIMIT 2", 2)),
    ),
    Command(
        "set.scan", 0x0511,
        "Return one step of a scan over a set: the cursor of the next step (0 at the end) and the members found.",
        args=(
            _SET, Text("cursor", cursor=True),
            AnyOrder(Token("MATCH", Glob("pattern")), Token("COUNT", Int("count", least=1))),
        ),
        resp="SSCAN", reply=Tuple({"cursor": TEXT, "members": Array(VALUE)}), run="sets.scan",
        http=(Get("/set/{key}/scan/{cursor}"),), json="$reply",
        examples=(Example("SADD s a", 1), Example("SSCAN s 0", ["0", ["a"]])),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "set.load", 0x05F0, "Load a piece of a set from a snapshot.",
        args=(_CHANGED, Int("deadline"), Int("more"), Many("members", Raw("member"))),
        reply=INTEGER, run="sets.load", traits=WRITES | INTERNAL | TRUSTED,
    ),
]  # fmt: skip
