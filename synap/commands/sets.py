"""Command rows of sets: distinct members without order."""

from synap.arguments import WRITE, Int, Key, Many, Optional, Raw
from synap.command import Command, Example
from synap.methods import Method
from synap.reply import INTEGER, NIL, VALUE, Either, SetOf
from synap.routes import Get, Post
from synap.traits import GROWS, INTERNAL, TRUSTED, WRITES

_SET = Key("key", "set")
_CHANGED = Key("key", "set", WRITE)
_MEMBERS = {"members": "$items", "key": "$key"}

ROWS = [
    Command(
        "set.add", 0x0501, "Add members to a set, creating the set if it is missing, and return how many were new.",
        args=(_CHANGED, Many("members", Raw("member"))), resp="SADD", reply=INTEGER, run="sets.add",
        traits=WRITES | GROWS, needs_words=200, http=(Post("/set/{key}/add"),), links=("set", "key"),
        json={"added": "$reply", "key": "$key"},
        examples=(Example("SADD s a b a", 2), Example("SADD s a", 0)),
    ),
    Command(
        "set.pop", 0x0502, "Remove and return random members of a set.",
        args=(_CHANGED, Optional(Int("count", fault="POSITIVE_COUNT", least=0))), resp="SPOP",
        reply=Either(VALUE, SetOf(VALUE), NIL), run="sets.pop", traits=WRITES, http=(Post("/set/{key}/pop"),),
        json=_MEMBERS, json_nil="NOT_FOUND",
        examples=(Example("SADD s a", 1), Example("SPOP s", "a"), Example("SPOP s", None)),
        python=Method(note="Without `count`, return one member or None; with `count`, return a list."),
    ),
    Command(
        "set.remove", 0x0503, "Remove members from a set and return how many were present.",
        args=(_CHANGED, Many("members", Raw("member"))), resp="SREM", reply=INTEGER, run="sets.remove",
        traits=WRITES, http=(Post("/set/{key}/rem"),), envelope=("set.rem",),
        json={"removed": "$reply", "key": "$key"},
        examples=(Example("SADD s a b", 2), Example("SREM s a none", 1)),
    ),
    Command(
        "set.members", 0x0504, "Return all members of a set, in no particular order.",
        args=(_SET,), resp="SMEMBERS", reply=SetOf(VALUE),
        run="sets.members", http=(Get("/set/{key}/members"),), json=_MEMBERS,
        examples=(Example("SADD s a", 1), Example("SMEMBERS s", ["a"])),
    ),
    Command(
        "set.ismember", 0x0505, "Test if a value is a member of a set.", args=(_SET, Raw("member")), resp="SISMEMBER",
        reply=INTEGER, run="sets.has", http=(Post("/set/{key}/ismember"),),
        json={"is_member": "$flag", "key": "$key"},
        examples=(Example("SADD s a", 1), Example("SISMEMBER s a", 1), Example("SISMEMBER s b", 0)),
    ),
    Command(
        "set.card", 0x0506, "Return the number of members in a set.", args=(_SET,), resp="SCARD", reply=INTEGER,
        run="sets.size_of", http=(Get("/set/{key}/card"),),
        json={"count": "$reply", "key": "$key"},
        command={"cardinality": "$reply", "count": "$reply", "key": "$key"},
        examples=(Example("SCARD none", 0),),
    ),
    Command(
        "set.load", 0x05F0, "Load a piece of a set from a snapshot.",
        args=(_CHANGED, Int("deadline"), Int("more"), Many("members", Raw("member"))),
        reply=INTEGER, run="sets.load", traits=WRITES | INTERNAL | TRUSTED,
    ),
]  # fmt: skip
