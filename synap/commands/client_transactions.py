"""Command rows of transactions on the JSON surfaces, whose clients name themselves with `client_id`."""

from synap.arguments import Key, Many, Optional, Text
from synap.command import DIAGNOSTICS, Command
from synap.reply import ANY, BOOLEAN, TEXT, Array, Either, Record
from synap.routes import Post
from synap.traits import MAY_REPLICATE, NOT_IN_MULTI

_CLIENT = Optional(Text("client_id"))
_ALSO = {"clientId": "client_id"}
_DONE = Record({"success": BOOLEAN, "message": TEXT})
_ENDED = Either(
    Record({"success": BOOLEAN, "results": Array(ANY)}),
    Record({"success": BOOLEAN, "aborted": BOOLEAN, "message": TEXT}),
)  # fmt: skip

ROWS = [
    Command(
        "transaction.begin", 0x1011,
        "Begin a transaction of a client of the JSON surfaces: writes with its `client_id` are queued until it ends.",
        args=(_CLIENT,), also=_ALSO, reply=_DONE, handler="client_begin", traits=NOT_IN_MULTI,
        http=(Post("/transaction/multi"),), envelope=("transaction.multi",), json="$reply",
    ),
    Command(
        "transaction.commit", 0x1012,
        "Execute the writes that a client has queued as one transaction, and return the reply to each.",
        args=(_CLIENT,), also=_ALSO, reply=_ENDED, handler="client_execute", traits=NOT_IN_MULTI | MAY_REPLICATE,
        http=(Post("/transaction/exec"),),
        envelope=("transaction.exec",), json="$reply", calls_families=(DIAGNOSTICS,),
    ),
    Command(
        "transaction.abandon", 0x1013, "End the transaction of a client, and drop what is queued.",
        args=(_CLIENT,), also=_ALSO, reply=_DONE, handler="client_discard", traits=NOT_IN_MULTI,
        http=(Post("/transaction/discard"),), envelope=("transaction.discard",), json="$reply",
    ),
    Command(
        "transaction.guard", 0x1014,
        "Watch keys, before or in a transaction, so that `exec` aborts the transaction if any of the keys has changed.",
        args=(Many("keys", Key("key")), _CLIENT), also=_ALSO, reply=_DONE, handler="client_watch", traits=NOT_IN_MULTI,
        http=(Post("/transaction/watch"),), envelope=("transaction.watch",), json="$reply",
        calls_families=(DIAGNOSTICS,),
    ),
    Command(
        "transaction.unguard", 0x1015, "Stop watching keys.",
        args=(_CLIENT,), also=_ALSO, reply=_DONE, handler="client_unwatch", traits=NOT_IN_MULTI,
        http=(Post("/transaction/unwatch"),), envelope=("transaction.unwatch",), json="$reply",
    ),
]  # fmt: skip
