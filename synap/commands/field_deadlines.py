"""Command rows about deadlines of the fields of a hash, after Redis 7.4, and those of Redis 8 that take FIELDS."""

from synap.arguments import WRITE, AnyOrder, Counted, Flag, Int, Key, Many, OneOf, Raw, Text, Token
from synap.command import Command, Example
from synap.events import Event
from synap.methods import Method
from synap.ranges import GIVEN_MS_MAX, GIVEN_SECONDS_MAX
from synap.reply import INTEGER, TEXT, VALUE, Array, or_nil
from synap.routes import Post
from synap.traits import ABOVE_MAX, GROWS, INTERNAL, TRUSTED, WRITES

_HASH = Key("key", "hash")
_CHANGED = Key("key", "hash", WRITE)
_FIELDS = Token("FIELDS", Counted("fields", Text("field"), fault="BAD_NUMFIELDS", fault_more="NUMFIELDS_DIFFER"))
_PAIRS = Token(
    "FIELDS",
    Counted("fields", Text("field"), Raw("value"), fault="BAD_NUMFIELDS", fault_more="NUMFIELDS_DIFFER"),
)
_WHEN = OneOf("when", Flag("NX"), Flag("XX"), Flag("GT"), Flag("LT"))
_EXPIRY = (
    Token("EX", Int("ttl", least=1, most=GIVEN_SECONDS_MAX)), Token("PX", Int("px", least=1, most=GIVEN_MS_MAX)),
    Token("EXAT", Int("exat", least=1, most=GIVEN_SECONDS_MAX)), Token("PXAT", Int("pxat", least=1, most=GIVEN_MS_MAX)),
)  # fmt: skip
_EACH = {"results": "$items", "key": "$key"}
_SET = (
    "Return for each field 1 if its deadline was set, 2 if the deadline has passed, so that the field was removed, 0 "
    "if the condition does not hold, -2 if there is no such field."
)
_NOTE = Method(note=_SET)
_LEFT = "-1 for a field without a deadline, -2 without the field"


def _expire(
    name: str, code: int, resp: str, what: str, amount: Int, run: str, example: int = 1000
) -> Command:
    return Command(
        name, code, f"Set fields of a hash to expire {what}.", args=(_CHANGED, amount, _WHEN, _FIELDS), words=5,
        resp=resp, stray="NUMFIELDS_DIFFER", reply=Array(INTEGER), run=run, traits=WRITES | GROWS, needs_words=1000,
        http=(Post(f"/hash/{{key}}/{name.split('.')[1]}"),), json=_EACH, python=_NOTE, event=Event("hexpire"),
        examples=(Example("HSET h a 1", 1), Example(f"{resp} h {example} FIELDS 2 a b", [1, -2])),
    )  # fmt: skip


def _tell(name: str, code: int, resp: str, what: str, run: str) -> Command:
    return Command(
        name, code, f"Return {what} of each of some fields: {_LEFT}.", args=(_HASH, _FIELDS), words=4, resp=resp,
        stray="NUMFIELDS_DIFFER", reply=Array(INTEGER), run=run, http=(Post(f"/hash/{{key}}/{name.split('.')[1]}"),),
        json=_EACH, examples=(Example("HSET h a 1", 1), Example(f"{resp} h FIELDS 2 a b", [-1, -2])),
    )  # fmt: skip


ROWS = [
    _expire(
        "hash.expire", 0x0620, "HEXPIRE", "after some seconds", Int("ttl", least=0, most=GIVEN_SECONDS_MAX),
        "field_deadlines.expire",
    ),
    _expire(
        "hash.pexpire", 0x0621, "HPEXPIRE", "after some milliseconds", Int("px", least=0, most=GIVEN_MS_MAX),
        "field_deadlines.expire_ms",
    ),
    _expire(
        "hash.expireat", 0x0622, "HEXPIREAT", "at a Unix time in seconds", Int("exat", least=0, most=GIVEN_SECONDS_MAX),
        "field_deadlines.expire_at", 4102444800,
    ),
    _expire(
        "hash.pexpireat", 0x0623, "HPEXPIREAT", "at a Unix time in milliseconds",
        Int("pxat", least=0, most=GIVEN_MS_MAX), "field_deadlines.expire_at_ms", 4102444800000,
    ),
    _tell("hash.ttl", 0x0624, "HTTL", "the seconds that are left, rounded up,", "field_deadlines.remaining_seconds"),
    _tell("hash.pttl", 0x0625, "HPTTL", "the milliseconds that are left", "field_deadlines.remaining"),
    _tell("hash.expiretime", 0x0626, "HEXPIRETIME", "the deadline in Unix seconds", "field_deadlines.deadline_seconds"),
    _tell("hash.pexpiretime", 0x0627, "HPEXPIRETIME", "the deadline in Unix milliseconds", "field_deadlines.deadline"),
    Command(
        "hash.persist", 0x0628,
        "Remove the deadlines of fields of a hash, and return for each 1, or -1 if it had none, -2 without the field.",
        args=(_CHANGED, _FIELDS), words=4, resp="HPERSIST", stray="NUMFIELDS_DIFFER", reply=Array(INTEGER),
        run="field_deadlines.persist", traits=WRITES, http=(Post("/hash/{key}/persist"),), json=_EACH,
        examples=(Example("HSET h a 1", 1), Example("HPERSIST h FIELDS 2 a b", [-1, -2])),
    ),
    Command(
        "hash.getex", 0x0629,
        "Return the values of fields of a hash, and set or remove the deadlines of the fields if an option says so.",
        args=(_CHANGED, OneOf("expiry", *_EXPIRY, Flag("PERSIST")), _FIELDS), words=4, resp="HGETEX",
        stray="NUMFIELDS_DIFFER", reply=Array(or_nil(VALUE)), run="field_deadlines.get_and_expire",
        traits=WRITES | GROWS | ABOVE_MAX, needs_words=1000, http=(Post("/hash/{key}/getex"),),
        json={"values": "$items", "key": "$key"},
        examples=(Example("HSET h a 1", 1), Example("HGETEX h EX 100 FIELDS 2 a b", ["1", None])),
        event=Event("hexpire"),
    ),
    Command(
        "hash.setex", 0x062A,
        "Set fields of a hash, which may expire: always, or if none (FNX) or all (FXX) of them exist; return 1 if set.",
        args=(
            _CHANGED, AnyOrder(OneOf("when", Flag("FNX"), Flag("FXX")), OneOf("expiry", *_EXPIRY, Flag("KEEPTTL"))),
            _PAIRS,
        ),
        words=5, resp="HSETEX", stray="NUMFIELDS_DIFFER", reply=INTEGER, run="field_deadlines.set_and_expire",
        traits=WRITES | GROWS, needs_words=1000, http=(Post("/hash/{key}/setex"),),
        json={"success": "$flag", "key": "$key"},
        examples=(Example("HSETEX h EX 100 FIELDS 1 a 1", 1), Example("HSETEX h FNX FIELDS 1 a 2", 0)),
        event=Event("hset"),
    ),
    Command(
        "hash.getdel", 0x062B, "Remove fields of a hash, and return their values.",
        args=(_CHANGED, _FIELDS), words=4, resp="HGETDEL", stray="NUMFIELDS_DIFFER", reply=Array(or_nil(VALUE)),
        run="hashes.take", traits=WRITES, http=(Post("/hash/{key}/getdel"),),
        json={"values": "$items", "key": "$key"},
        examples=(Example("HSET h a 1", 1), Example("HGETDEL h FIELDS 2 a b", ["1", None])),
        event=Event("hdel"),
    ),
    Command(
        "hash.drop_some", 0x06E0, "Remove some expired fields of a hash, on behalf of upkeep, and return them.",
        args=(_CHANGED,), reply=Array(TEXT), run="field_deadlines.drop_some", traits=WRITES | INTERNAL,
        event=Event("hexpired"),
    ),
    Command(
        "hash.drop", 0x06E1, "Remove fields of a hash if they have expired, as upkeep has decided.",
        args=(_CHANGED, Many("fields", Text("field"))), reply=INTEGER, run="field_deadlines.drop",
        traits=WRITES | INTERNAL | TRUSTED,
    ),
]  # fmt: skip
