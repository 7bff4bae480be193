"""Connections and transactions: rows that the lane or the engine carries out."""

from synap.command import AnyOrder, Choice, Command, Example, Int, Key, Many, OneOf, Optional, Raw, Shape, Text, Token
from synap.routes import Get

_SWITCH = (Choice("switch", ("ON", "OFF")),)
_TYPES = ("normal", "master", "replica", "slave", "pubsub")

ROWS = [
    Command("transaction.multi", 0x1001, "Begin a transaction.", resp="MULTI", session=True, control=True),
    Command(
        "transaction.exec", 0x1002, "Carry out what was queued, as one.", resp="EXEC", session=True, control=True,
        handler="execute", reply=Shape.CUSTOM,
    ),
    Command("transaction.discard", 0x1003, "Forget what was queued.", resp="DISCARD", session=True, control=True,
            handler="discard"),
    Command(
        "transaction.watch", 0x1004, "Let EXEC fail if one of these keys changes.",
        args=(Many("keys", Key("key")),), resp="WATCH", session=True, control=True, handler="watch",
    ),
    Command("transaction.unwatch", 0x1005, "Forget what is watched.", resp="UNWATCH", session=True, handler="unwatch",
            examples=(Example("UNWATCH", "OK"),)),
    Command(
        "connection.ping", 0x1101, "PONG, or the text given.", args=(Optional(Raw("text")),), resp="PING",
        handler="ping", reply=Shape.CUSTOM, http=(Get("/ping"),), rest={"reply": "$reply"},
        command={"reply": "$reply"},
        examples=(Example("PING", "PONG"), Example("PING hello", "hello")),
    ),
    Command(
        "connection.hello", 0x1102, "Greet, and choose the RESP version.",
        args=(
            Optional(
                Int("version", fault="BAD_PROTOCOL"),
                AnyOrder(Token("AUTH", Text("user"), Text("password")), Token("SETNAME", Text("name"))),
            ),
        ),
        resp="HELLO", session=True, handler="hello", reply=Shape.CUSTOM, stray="HELLO_OPTION",
        examples=(Example("HELLO", ...),),
    ),
    Command("connection.select", 0x1104, "Choose the namespace, 0 to 15.", args=(Int("index"),), resp="SELECT",
            session=True, handler="select", examples=(Example("SELECT 3", "OK"),)),
    Command("connection.quit", 0x1105, "Say goodbye.", args=(Many("rest", Raw("word"), least=0),), resp="QUIT",
            session=True, handler="quit", control=True),
    Command(
        "connection.client_setinfo", 0x1108, "A client library tells its name and version.",
        args=(Text("attribute"), Text("value")), resp="CLIENT|SETINFO", session=True, handler="client_setinfo",
        examples=(Example("CLIENT SETINFO LIB-NAME mine", "OK"),),
    ),
    Command(
        "connection.client_setname", 0x1109, "Name this connection.", args=(Text("name"),), resp="CLIENT|SETNAME",
        session=True, handler="client_setname", examples=(Example("CLIENT SETNAME worker", "OK"),),
    ),
    Command("connection.client_id", 0x110A, "The number of this connection.", resp="CLIENT|ID", session=True,
            handler="client_id", reply=Shape.CUSTOM, examples=(Example("CLIENT ID", ...),)),
    Command("connection.echo", 0x110B, "The text given.", args=(Raw("text"),), resp="ECHO", handler="echo",
            reply=Shape.CUSTOM, examples=(Example("ECHO hi", "hi"),)),
    Command("connection.auth", 0x110E, "Accepted for the user default, who has no password.",
            args=(Text("first"), Optional(Text("password"))), resp="AUTH", session=True, control=True, handler="auth",
            stray="SYNTAX"),
    Command("connection.reset", 0x110F, "Be as a new connection.", resp="RESET", session=True, control=True,
            handler="reset"),
    Command("connection.client_help", 0x1110, "The subcommands of CLIENT.", resp="CLIENT|HELP", session=True,
            handler="help_client", reply=Shape.CUSTOM, examples=(Example("CLIENT HELP", ...),)),
    Command(
        "connection.client_kill", 0x1181, "Close connections: one by its address, or all that match.",
        resp="CLIENT|KILL", words=1, session=True, handler="client_kill", reply=Shape.CUSTOM,
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
        "connection.client_list", 0x1182, "The connections, a line for each, also those of HTTP (resp=0).",
        resp="CLIENT|LIST",
        args=(
            OneOf(
                "filter",
                Token("TYPE", Choice("type", _TYPES, fault="CLIENT_TYPE")),
                Token("ID", Many("ids", Int("id", fault="NO_CLIENT_ID"))),
            ),
        ),
        handler="client_list", reply=Shape.CUSTOM, http=(Get("/clients"),), envelope=("client.list",),
        rest="$reply", command="$reply", examples=(Example("CLIENT LIST", ...),),
    ),
    Command(
        "connection.client_pause", 0x1184, "Hold back the commands of all connections, or their writes, for so "
        "many ms.", resp="CLIENT|PAUSE", session=True, handler="client_pause",
        args=(
            Int("timeout", fault="TIMEOUT_NOT_WHOLE"),
            Optional(Choice("mode", ("WRITE", "ALL"), fault="PAUSE_MODE")),
        ),
        stray="BAD_SUBCOMMAND",
        examples=(Example("CLIENT PAUSE 1 WRITE", "OK"),),
    ),
    Command("connection.client_unpause", 0x1185, "End a pause.", resp="CLIENT|UNPAUSE", session=True,
            handler="client_unpause", examples=(Example("CLIENT UNPAUSE", "OK"),)),
    Command("connection.client_reply", 0x1186, "Whether this connection gets replies.", resp="CLIENT|REPLY",
            session=True, handler="client_reply", args=(Choice("mode", ("ON", "OFF", "SKIP")),),
            examples=(Example("CLIENT REPLY ON", "OK"),)),
    Command("connection.client_no_evict", 0x1187, "Keep this connection when memory is short; none is closed for that.",
            resp="CLIENT|NO-EVICT", session=True, handler="client_no_evict", args=_SWITCH,
            examples=(Example("CLIENT NO-EVICT ON", "OK"),)),
    Command("connection.client_no_touch", 0x1188, "Noted, and shown in CLIENT LIST.",
            resp="CLIENT|NO-TOUCH", session=True, handler="client_no_touch", args=_SWITCH,
            examples=(Example("CLIENT NO-TOUCH OFF", "OK"),)),
    Command("connection.client_getname", 0x118A, "The name of this connection.", resp="CLIENT|GETNAME", session=True,
            handler="client_getname", reply=Shape.CUSTOM, examples=(Example("CLIENT GETNAME", None),)),
    Command("connection.client_getredir", 0x118B, "Where this client's news of keys go; -1: nowhere.",
            resp="CLIENT|GETREDIR", session=True, handler="client_getredir", reply=Shape.CUSTOM,
            examples=(Example("CLIENT GETREDIR", -1),)),
    Command("connection.client_info", 0x118C, "The line of CLIENT LIST for this connection.", resp="CLIENT|INFO",
            session=True, handler="client_info", reply=Shape.CUSTOM, examples=(Example("CLIENT INFO", ...),)),
    Command("connection.client_trackinginfo", 0x118D, "How this client tracks keys.", resp="CLIENT|TRACKINGINFO",
            session=True, handler="client_trackinginfo", reply=Shape.CUSTOM,
            examples=(Example("CLIENT TRACKINGINFO", ...),)),
    Command(
        "connection.client_unblock", 0x118E, "End another connection's wait.", resp="CLIENT|UNBLOCK", session=True,
        handler="client_unblock", reply=Shape.CUSTOM,
        args=(Int("id"), Optional(Choice("how", ("TIMEOUT", "ERROR"), fault="BAD_UNBLOCK"))), stray="BAD_SUBCOMMAND",
        examples=(Example("CLIENT UNBLOCK 1000000", 0),),
    ),
]  # fmt: skip
