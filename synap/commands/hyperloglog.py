"""Command rows of HyperLogLog: strings that estimate how many different elements were added to them."""

from synap.arguments import WRITE, Int, Key, Many, OneOf, Raw, Text, Token
from synap.command import BATCHES, Command, Example
from synap.events import Event, How
from synap.ranges import GIVEN_SECONDS_MAX
from synap.reply import DONE, INTEGER, TEXT, Array, Either, Status
from synap.routes import Get, Post
from synap.traits import ADMIN, GROWS, INTERNAL, TRUSTED, WRITES

_KEY = Key("key", "hyperloglog")
_CHANGED = Key("key", "hyperloglog", WRITE)
_ELEMENTS = Many("elements", Raw("element"), least=0)
_DENSE_WORDS = 3600  # of a sketch that becomes dense, with the space that growing values get, and of its former block

ROWS = [
    Command(
        "hyperloglog.pfadd", 0x0B01,
        "Add elements to a HyperLogLog, which is created if it is missing; return 1 if its estimate may have changed.",
        args=(_CHANGED, _ELEMENTS), resp="PFADD", reply=INTEGER,
        run="hyperloglog.add", traits=WRITES | GROWS, needs_words=_DENSE_WORDS,
        examples=(Example("PFADD h a b c", 1), Example("PFADD h a", 0), Example("PFCOUNT h", 3)),
    ),
    Command(
        "hyperloglog.pfcount", 0x0B02,
        "Return the estimated number of different elements of a HyperLogLog, or of the union of several.",
        args=(Many("keys", _KEY, fault="WRONG_ARITY"),), resp="PFCOUNT", reply=INTEGER, run="hyperloglog.count",
        http=(Get("/hyperloglog/{key}/pfcount"),), json={"key": "$key", "count": "$reply"},
        examples=(Example("PFADD a x y", 1), Example("PFADD b y z", 1), Example("PFCOUNT a b none", 3),
                  Example("PFCOUNT a", 2)),
    ),
    Command(
        "hyperloglog.pfmerge", 0x0B03,
        "Merge HyperLogLogs into one, which is created if it is missing and else takes part itself.",
        args=(
            Key("destination", "hyperloglog", WRITE),
            Many("sources", Key("source", "hyperloglog"), least=0, least_given=1),
        ),
        resp="PFMERGE", reply=DONE, run="hyperloglog.merge", traits=WRITES | GROWS, needs_words=_DENSE_WORDS,
        http=(Post("/hyperloglog/{destination}/pfmerge"),), json={"destination": "$destination", "count": "$total"},
        examples=(Example("PFADD a x", 1), Example("PFMERGE c a", "OK"), Example("PFCOUNT c", 1)),
        event=Event("pfadd", how=How.MERGED, misses=True),
    ),
    Command(
        "hyperloglog.pfdebug", 0x0B04,
        "Return the registers (GETREG), encoding (ENCODING) or opcodes (DECODE) of a HyperLogLog, or make it TODENSE.",
        args=(Text("subcommand"), _CHANGED), resp="PFDEBUG",
        reply=Either(Array(INTEGER), INTEGER, TEXT, Status()), handler="pfdebug", traits=ADMIN,
        calls_families=(0x0B,),
        examples=(Example("PFADD h a", 1), Example("PFDEBUG DECODE h", ...), Example("PFDEBUG TODENSE h", 1)),
    ),
    Command(
        "hyperloglog.pfselftest", 0x0B05, "Test the registers and the estimate of HyperLogLogs.",
        resp="PFSELFTEST", handler="pfselftest", traits=ADMIN, calls_families=(BATCHES,),
        examples=(Example("PFSELFTEST", "OK"),),
    ),
    Command(
        "hyperloglog.add", 0x0B06,
        "Add elements to a HyperLogLog as PFADD does and, with `ttl_secs`, set the key to expire after some seconds.",
        args=(_CHANGED, _ELEMENTS, OneOf("expiry", Token("EX", Int("ttl_secs", least=1, most=GIVEN_SECONDS_MAX)))),
        reply=INTEGER, run="hyperloglog.add_until", traits=WRITES | GROWS, needs_words=_DENSE_WORDS + 80,
        http=(Post("/hyperloglog/{key}/pfadd"),), links=("hyperloglog", "key"), envelope=("hyperloglog.pfadd",),
        json={"key": "$key", "added": "$reply"}, event=Event("pfadd", expires=True),
    ),
    Command(
        "hyperloglog.todense", 0x0BF0, "Make a HyperLogLog dense and return 1, or 0 if it is.", args=(_CHANGED,),
        reply=INTEGER, run="hyperloglog.make_dense", traits=WRITES | GROWS | INTERNAL, needs_words=_DENSE_WORDS,
    ),
    Command(
        "hyperloglog.absorb", 0x0BF2, "Merge a sketch in Redis' format into a HyperLogLog and return the new estimate.",
        args=(_CHANGED, Raw("value")), reply=INTEGER, run="hyperloglog.absorb", traits=WRITES | GROWS | INTERNAL,
        needs_words=_DENSE_WORDS,
    ),
    Command(
        "hyperloglog.put", 0x0BF1, "Store a HyperLogLog whose form depended on a setting, keeping its deadline.",
        args=(_CHANGED, Raw("value")), run="hyperloglog.put", traits=WRITES | GROWS | INTERNAL | TRUSTED,
        needs_words=_DENSE_WORDS,
    ),
    Command(
        "hyperloglog.put_until", 0x0BF3, "Store a HyperLogLog whose form depended on a setting, and set its deadline.",
        args=(_CHANGED, Raw("value"), Int("deadline")), run="hyperloglog.put_until",
        traits=WRITES | GROWS | INTERNAL | TRUSTED, needs_words=_DENSE_WORDS + 80,
    ),
]  # fmt: skip
