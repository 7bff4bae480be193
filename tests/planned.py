"""Arguments of rows that are still to come, so that the grammar is shown to hold for all of Redis.

No functions are named here. What depends on the value of another argument stays with the function: which kind
of bound ZRANGE is given, whether GT goes with NX, what an id of an event looks like.
"""

from synap.arguments import (
    WRITE,
    AnyOrder,
    Choice,
    Clash,
    Flag,
    Halves,
    Int,
    Key,
    Many,
    OneOf,
    Optional,
    Raw,
    Real,
    Text,
    Token,
)
from synap.command import Command

_UNIT = Choice("unit", ("m", "km", "ft", "mi"))
_ORDER = OneOf("order", Flag("ASC"), Flag("DESC"), clash=Clash.NONE)
_TRIM_HOW = Optional(Choice("how", ("=", "~")))
_READ_OPTIONS = (Token("COUNT", Int("count")), Token("BLOCK", Int("block", fault="BAD_TIMEOUT")))
_STREAMS = OneOf(
    "source", Token("STREAMS", Halves("streams", Key("key", "xstream"), Text("id"))), required=True
)  # fmt: skip

_STREAM = [
    Command(
        "xstream.add", 0x7701, "Append an event.", resp="XADD",
        args=(
            Key("key", "xstream", WRITE),
            AnyOrder(
                Flag("NOMKSTREAM"),
                OneOf(
                    "trim",
                    Token("MAXLEN", _TRIM_HOW, Int("maxlen")), Token("MINID", _TRIM_HOW, Text("minid")),
                    clash=Clash.ANY,
                ),
                Token("LIMIT", Int("limit")),
            ),
            Text("id"),
            Many("fields", Raw("field"), Raw("value"), fault="WRONG_ARITY"),
        ),
    ),
    Command(
        "xstream.read_group", 0x7702, "Return events for a member of a group.", resp="XREADGROUP",
        args=(
            AnyOrder(
                OneOf("group", Token("GROUP", Text("group"), Text("consumer")), required=True),
                *_READ_OPTIONS,
                Flag("NOACK"),
            ),
            _STREAMS,
        ),
    ),
    Command(
        "xstream.read", 0x7703, "Return the events after the given IDs.", resp="XREAD",
        args=(AnyOrder(*_READ_OPTIONS), _STREAMS),
    ),
    Command(
        "xstream.claim", 0x7704, "Transfer pending events of a group to another member.", resp="XCLAIM",
        args=(
            Key("key", "xstream", WRITE), Text("group"), Text("consumer"), Int("idle_min"),
            Many("ids", Text("id")),
            AnyOrder(
                Token("IDLE", Int("idle")), Token("TIME", Int("time")), Token("RETRYCOUNT", Int("retries")),
                Flag("FORCE"), Flag("JUSTID"), Token("LASTID", Text("lastid")),
            ),
        ),
    ),
    Command(
        "xstream.pending", 0x7705, "Return the pending events of a group.", resp="XPENDING",
        args=(
            Key("key", "xstream"), Text("group"),
            Optional(
                Optional(Token("IDLE", Int("idle"))), Text("start"), Text("end"), Int("count"),
                Optional(Text("consumer")),
            ),
        ),
    ),
]  # fmt: skip

_OTHERS = [
    Command(
        "geo.find", 0x7B01, "Return the members in a circle or a box.", resp="GEOFIND",
        args=(
            Key("key", "geo"),
            AnyOrder(
                OneOf(
                    "from",
                    Token("FROMMEMBER", Raw("member")), Token("FROMLONLAT", Real("longitude"), Real("latitude")),
                    required=True,
                ),
                OneOf(
                    "by",
                    Token("BYRADIUS", Real("radius"), _UNIT), Token("BYBOX", Real("width"), Real("height"), _UNIT),
                    required=True,
                ),
                _ORDER,
                Token("COUNT", Int("count")),
                Flag("ANY"),
                Flag("WITHCOORD"), Flag("WITHDIST"), Flag("WITHHASH"),
            ),
        ),
    ),
]  # fmt: skip

ROWS = [*_STREAM, *_OTHERS]
