"""Arguments of rows that are still to come, so that the grammar is shown to hold for all of Redis.

No functions are named here. What depends on the value of another argument stays with the function: which kind
of bound ZRANGE is given, whether GT goes with NX, what an id of an event looks like.
"""

from synap.arguments import (
    AnyOrder,
    Choice,
    Clash,
    Flag,
    Int,
    Key,
    OneOf,
    Raw,
    Real,
    Token,
)
from synap.command import Command

_UNIT = Choice("unit", ("m", "km", "ft", "mi"))
_ORDER = OneOf("order", Flag("ASC"), Flag("DESC"), clash=Clash.NONE)

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

ROWS = [*_OTHERS]
