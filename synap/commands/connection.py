"""Connections, transactions and the server itself: rows that the lane or the engine carries out."""

from synap.command import (
    AnyOrder,
    Command,
    Example,
    Get,
    Int,
    Key,
    Many,
    Optional,
    Raw,
    Shape,
    Text,
    Token,
)

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
                Int("version", fault="NO_PROTOCOL"),
                AnyOrder(Token("AUTH", Text("user"), Text("password")), Token("SETNAME", Text("name"))),
            ),
        ),
        resp="HELLO", session=True, handler="hello", reply=Shape.CUSTOM, control=True,
    ),
    Command(
        "server.info", 0x1103, "What the server is and does, in sections.", args=(Optional(Text("section")),),
        resp="INFO", handler="info", reply=Shape.CUSTOM, http=(Get("/info"),), envelope=("info",),
        rest="$reply", command="$reply", examples=(Example("INFO replication", ...),),
    ),
    Command("connection.select", 0x1104, "Choose the namespace, 0 to 15.", args=(Int("index"),), resp="SELECT",
            session=True, handler="select", control=True),
    Command("connection.quit", 0x1105, "Say goodbye.", resp="QUIT", session=True, handler="quit", control=True),
    Command(
        "server.command", 0x1106, "What rows there are.", args=(Many("rest", Raw("word"), least=0),), resp="COMMAND",
        handler="command", reply=Shape.CUSTOM, examples=(Example("COMMAND COUNT", ...),),
    ),
    Command(
        "server.config_get", 0x1107, "Settings that match a pattern.", args=(Many("patterns", Text("pattern")),),
        resp="CONFIG|GET", handler="config_get", reply=Shape.CUSTOM,
        examples=(Example("CONFIG GET save databases", {"databases": "16", "save": ""}),),
    ),
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
    Command("server.snapshot", 0x110C, "Write a snapshot in the background.", resp="BGSAVE", handler="snapshot",
            reply=Shape.CUSTOM, examples=(Example("BGSAVE", "Background saving started"),)),
    Command("server.digest", 0x110D, "A hash of the logical state of each family, the same on every node that "
            "holds the same.", resp="DEBUG|DIGEST", handler="digest", reply=Shape.CUSTOM,
            examples=(Example("DEBUG DIGEST", ...),)),
]  # fmt: skip
