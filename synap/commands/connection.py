"""Command rows of connections and transactions, carried out by the lane or by a handler of the engine."""

from synap.arguments import AnyOrder, Choice, Clash, Flag, Int, Key, Many, OneOf, Optional, Raw, Text, Token
from synap.command import DIAGNOSTICS, Command, Example
from synap.reply import ANY, DONE, INTEGER, NONE, TEXT, Array, Either, Map, Record, SetOf, Status, or_nil
from synap.routes import Get
from synap.traits import ADMIN, CONTROL, NOT_IN_MULTI, SESSION, SIGNED_OUT, WHILE_SUBSCRIBED

_SWITCH = (Choice("switch", ("ON", "OFF")),)
_HELLO = Record({
    "server": TEXT, "version": TEXT, "proto": INTEGER, "id": INTEGER, "mode": TEXT, "role": TEXT, "modules": Array(ANY),
})  # fmt: skip
_CLIENTS = Record({"clients": Array(Map(Either(INTEGER, TEXT))), "count": INTEGER})
_TRACKING = Record({"flags": SetOf(TEXT), "redirect": INTEGER, "prefixes": Array(TEXT)})
_TYPES = ("normal", "master", "replica", "slave", "pubsub")

ROWS = [
    Command("transaction.multi", 0x1001, "Begin a transaction, which queues commands until EXEC.",
            resp="MULTI", traits=SESSION | CONTROL, handler="multi"),
    Command(
        "transaction.exec", 0x1002, "Execute the queued commands as one transaction.",
        resp="EXEC", traits=SESSION | CONTROL, handler="execute", reply=or_nil(Array(ANY)),
    ),
    Command("transaction.discard", 0x1003, "Discard the queued commands and end the transaction.",
            resp="DISCARD", traits=SESSION | CONTROL, handler="discard"),
    Command(
        "transaction.watch", 0x1004, "Watch keys, so that EXEC fails if any of the keys changes.",
        args=(Many("keys", Key("key")),), resp="WATCH", traits=SESSION | CONTROL, handler="watch",
        calls_families=(DIAGNOSTICS,),
    ),
    Command("transaction.unwatch", 0x1005, "Stop watching all watched keys.",
            resp="UNWATCH", traits=SESSION, handler="unwatch",
            examples=(Example("UNWATCH", "OK"),)),
    Command(
        "connection.ping", 0x1101, "Return PONG, or the given text.", args=(Optional(Raw("text")),), resp="PING",
        handler="ping", traits=WHILE_SUBSCRIBED, reply=Either(Status("PONG"), TEXT, Array(TEXT)), json_reply=TEXT,
        http=(Get("/ping"),), json={"reply": "$reply"},
        examples=(Example("PING", "PONG"), Example("PING hello", "hello")),
    ),
    Command(
        "connection.hello", 0x1102,
        "Select the RESP version and return facts about the server; optionally authenticate and set a name.",
        args=(
            Optional(
                Int("version", fault="BAD_PROTOCOL"),
                AnyOrder(Token("AUTH", Text("user"), Text("password")), Token("SETNAME", Text("name"))),
            ),
        ),
        resp="HELLO", traits=SESSION | SIGNED_OUT, handler="hello", reply=_HELLO, stray="HELLO_OPTION",
        examples=(Example("HELLO", ...),),
    ),
    Command("connection.select", 0x1104, "Select the namespace (numbered database), 0 to 15, of this connection.",
            args=(Int("index"),), resp="SELECT",
            traits=SESSION, handler="select", examples=(Example("SELECT 3", "OK"),)),
    Command("connection.quit", 0x1105, "Close this connection.",
            args=(Many("rest", Raw("word"), least=0),), resp="QUIT",
            traits=SESSION | CONTROL | WHILE_SUBSCRIBED | SIGNED_OUT, handler="quit"),
    Command(
        "connection.client_setinfo", 0x1108, "Set the name or version of the client library that uses this connection.",
        args=(Text("attribute"), Text("value")), resp="CLIENT|SETINFO", traits=SESSION, handler="client_setinfo",
        examples=(Example("CLIENT SETINFO LIB-NAME mine", "OK"),),
    ),
    Command(
        "connection.client_setname", 0x1109, "Set the name of this connection.",
        args=(Text("name"),), resp="CLIENT|SETNAME",
        traits=SESSION, handler="client_setname", examples=(Example("CLIENT SETNAME worker", "OK"),),
    ),
    Command("connection.client_id", 0x110A, "Return the ID of this connection.", resp="CLIENT|ID", traits=SESSION,
            handler="client_id", reply=INTEGER, examples=(Example("CLIENT ID", ...),)),
    Command("connection.echo", 0x110B, "Return the given text.", args=(Raw("text"),), resp="ECHO", handler="echo",
            reply=TEXT, examples=(Example("ECHO hi", "hi"),)),
    Command("connection.auth", 0x110E, "Authenticate as the user `default`, for whom any password is accepted.",
            args=(Text("first"), Optional(Text("password"))), resp="AUTH", handler="auth", stray="SYNTAX",
            traits=SESSION | SIGNED_OUT, examples=(Example("AUTH default any", "OK"),)),
    Command("connection.reset", 0x110F, "Reset this connection to the state of a new connection.",
            resp="RESET", traits=SESSION | CONTROL | WHILE_SUBSCRIBED | SIGNED_OUT, handler="reset",
            reply=Status("RESET")),
    Command("connection.client_help", 0x1110, "List the subcommands of CLIENT.", resp="CLIENT|HELP", traits=SESSION,
            handler="help_client", reply=Array(Status()), examples=(Example("CLIENT HELP", ...),)),
    Command(
        "connection.client_kill", 0x1181,
        "Close one connection by its address, or all connections that match the given filters.",
        resp="CLIENT|KILL", words=1, traits=SESSION | ADMIN, handler="client_kill", reply=Either(DONE, INTEGER),
        args=(
            Optional(Text("address"), alone=True),
            AnyOrder(
                Token("ID", Int("id", fault="BAD_CLIENT_ID")),
                Token("TYPE", Choice("type", _TYPES, fault="CLIENT_TYPE")), Token("USER", Text("user")),
                Token("ADDR", Text("addr")), Token("LADDR", Text("laddr")),
                Token("SKIPME", Choice("skipme", ("YES", "NO"))), Token("MAXAGE", Int("maxage", fault="BAD_MAXAGE")),
            ),
        ),
        examples=(Example("CLIENT KILL ID 1000000", 0),),
    ),
    Command(
        "connection.client_list", 0x1182,
        "List connections, one line each, including HTTP connections (shown with resp=0).",
        resp="CLIENT|LIST",
        args=(
            OneOf(
                "filter",
                Token("TYPE", Choice("type", _TYPES, fault="CLIENT_TYPE")),
                Token("ID", Many("ids", Int("id", fault="NO_CLIENT_ID"))),
            ),
        ),
        handler="client_list", reply=TEXT, json_reply=_CLIENTS, http=(Get("/clients"),), envelope=("client.list",),
        json="$reply", examples=(Example("CLIENT LIST", ...),), traits=ADMIN,
    ),
    Command(
        "connection.client_pause", 0x1184,
        "Delay the commands of all connections for some milliseconds, or only those that write or publish.",
        resp="CLIENT|PAUSE", traits=SESSION | ADMIN, handler="client_pause",
        args=(
            Int("timeout", fault="TIMEOUT_NOT_WHOLE"),
            Optional(Choice("mode", ("WRITE", "ALL"), fault="PAUSE_MODE")),
        ),
        stray="BAD_SUBCOMMAND",
        examples=(Example("CLIENT PAUSE 1 WRITE", "OK"),),
    ),
    Command(
        "connection.client_durability", 0x118F,
        "Set the durability that replies to this connection wait for; return the one asked for, and the one reached.",
        resp="CLIENT|DURABILITY", traits=SESSION, handler="client_durability",
        args=(Optional(Choice("level", ("MEMORY", "OS", "FSYNC", "DEFAULT"), fault="BAD_DURABILITY")),),
        reply=Record({"asked": TEXT, "reached": TEXT}),
        examples=(Example("CLIENT DURABILITY MEMORY", ...), Example("CLIENT DURABILITY", ...)),
    ),
    Command("connection.client_unpause", 0x1185, "End the pause that CLIENT PAUSE began.",
            resp="CLIENT|UNPAUSE",
            traits=SESSION | ADMIN, handler="client_unpause", examples=(Example("CLIENT UNPAUSE", "OK"),)),
    Command("connection.client_reply", 0x1186,
            "Turn the replies to this connection on or off, or skip the reply to the next command.",
            resp="CLIENT|REPLY",
            traits=SESSION, handler="client_reply", reply=Either(DONE, NONE),
            args=(Choice("mode", ("ON", "OFF", "SKIP")),),
            examples=(Example("CLIENT REPLY ON", "OK"),)),
    Command("connection.client_no_evict", 0x1187,
            "Turn the no-evict flag of this connection on or off; no connection is ever closed to save memory.",
            resp="CLIENT|NO-EVICT", traits=SESSION | ADMIN, handler="client_no_evict", args=_SWITCH,
            examples=(Example("CLIENT NO-EVICT ON", "OK"),)),
    Command("connection.client_no_touch", 0x1188,
            "Turn the no-touch flag of this connection on or off, which only changes its line in CLIENT LIST.",
            resp="CLIENT|NO-TOUCH", traits=SESSION, handler="client_no_touch", args=_SWITCH,
            examples=(Example("CLIENT NO-TOUCH OFF", "OK"),)),
    Command("connection.client_getname", 0x118A, "Return the name of this connection.",
            resp="CLIENT|GETNAME", traits=SESSION,
            handler="client_getname", reply=or_nil(TEXT), examples=(Example("CLIENT GETNAME", None),)),
    Command(
        "connection.client_tracking", 0x1191,
        "Turn messages about changes of the keys that this connection has read on or off.",
        args=(
            *_SWITCH,
            AnyOrder(
                OneOf("redirected", Token("REDIRECT", Int("redirect")), fault="TWO_REDIRECTS", clash=Clash.ANY),
                Many("prefixes", Token("PREFIX", Text("prefix")), least=0),
                Flag("BCAST"), Flag("OPTIN"), Flag("OPTOUT"), Flag("NOLOOP"),
            ),
        ),
        resp="CLIENT|TRACKING", traits=SESSION, handler="client_tracking", calls_families=(DIAGNOSTICS,),
        examples=(Example("CLIENT TRACKING OFF", "OK"),),
    ),
    Command(
        "connection.client_caching", 0x1192,
        "Select whether the keys of the next command are tracked: YES with OPTIN, NO with OPTOUT.",
        args=(Choice("switch", ("YES", "NO")),), resp="CLIENT|CACHING", traits=SESSION, handler="client_caching",
        examples=(Example("CLIENT TRACKING ON OPTIN", "OK"), Example("CLIENT CACHING YES", "OK")),
    ),
    Command("connection.client_getredir", 0x118B,
            "Return the ID of the connection that is told about changed keys for this one, 0 for itself, or -1.",
            resp="CLIENT|GETREDIR", traits=SESSION, handler="client_getredir", reply=INTEGER,
            examples=(Example("CLIENT GETREDIR", -1),)),
    Command("connection.client_info", 0x118C, "Return the line of CLIENT LIST for this connection.", resp="CLIENT|INFO",
            traits=SESSION, handler="client_info", reply=TEXT, examples=(Example("CLIENT INFO", ...),)),
    Command("connection.client_trackinginfo", 0x118D,
            "Return how this connection tracks keys.",
            resp="CLIENT|TRACKINGINFO",
            traits=SESSION, handler="client_trackinginfo", reply=_TRACKING,
            examples=(Example("CLIENT TRACKINGINFO", ...),)),
    Command(
        "connection.monitor", 0x1190,
        "Send this connection a line about each command that the server carries out, until RESET.",
        resp="MONITOR", traits=SESSION | ADMIN | NOT_IN_MULTI, handler="monitor", examples=(Example("MONITOR", "OK"),),
    ),
    Command(
        "connection.client_unblock", 0x118E,
        "Unblock a connection that waits in a blocking command; return 1, or 0 if the connection does not wait.",
        resp="CLIENT|UNBLOCK", traits=SESSION | ADMIN, handler="client_unblock", reply=INTEGER,
        args=(Int("id"), Optional(Choice("how", ("TIMEOUT", "ERROR"), fault="BAD_UNBLOCK"))), stray="BAD_SUBCOMMAND",
        examples=(Example("CLIENT UNBLOCK 1000000", 0),),
    ),
]  # fmt: skip
