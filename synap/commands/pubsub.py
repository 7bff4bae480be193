"""Command rows of pub/sub: those of Redis for connections, and those of JSON for subscribers with a name."""

from synap.arguments import AnyOrder, Argument, Flag, Int, Many, Optional, Raw, Text, Timeout, Token
from synap.command import Command, Example
from synap.reply import ANY, BOOLEAN, INTEGER, TEXT, Array, Pushed, Record, Status, Template, Tuple, or_nil
from synap.routes import Get, Post
from synap.traits import BY_SHARD_CHANNEL, MAY_REPLICATE, REFUSED_WITH_200, SESSION, WAITS, WHILE_SUBSCRIBED

RETAINED = 0x1E
"""The family whose kernels store retained messages."""
_TOPIC = Text("topic")
_SOME = (Many("topics", _TOPIC),)
_ANY = (Many("topics", _TOPIC, least=0),)
_PATTERN = (Optional(Text("pattern")),)


_SUBSCRIBED = Record(
    {"subscriber_id": TEXT, "subscription_id": TEXT, "topics": Array(TEXT), "subscription_count": INTEGER}
)
_PUBLISHED = Record({"message_id": TEXT, "topic": TEXT, "subscribers_matched": INTEGER})
_POLLED = Record({
    "subscriber_id": TEXT, "created": BOOLEAN, "lost": INTEGER, "position": INTEGER,
    "messages": Array(Record(
        {"message_id": TEXT, "topic": TEXT, "payload": ANY, "metadata": or_nil(ANY), "timestamp": INTEGER,
         "retained": BOOLEAN}
    )),
})  # fmt: skip
_STATS = Record(dict.fromkeys(
    ("total_topics", "total_subscribers", "total_wildcard_subscriptions", "messages_published", "messages_delivered",
     "messages_dropped", "slow_consumers_dropped", "subscribers"), INTEGER,
))  # fmt: skip
_INFO = Record({"topic": TEXT, "subscriber_count": INTEGER, "message_count": INTEGER, "created_at": INTEGER})
_CONFIRMED = Pushed(Tuple({"kind": TEXT, "channel": or_nil(TEXT), "count": INTEGER}))


def _heard(
    name: str, code: int, doc: str, resp: str, args: tuple[Many, ...], *examples: Example, more: int = 0
) -> Command:
    """Return a row that changes the subscriptions of a connection; its handler is named as its RESP word."""
    return Command(
        f"pubsub.{name}", code, doc, args=args, resp=resp, handler=resp.lower(),
        traits=SESSION | WHILE_SUBSCRIBED | more, reply=_CONFIRMED,
        examples=examples,
    )  # fmt: skip


def _asked(
    name: str, code: int, doc: str, resp: str, reply: Template, *examples: Example, args: tuple[Argument, ...] = (),
    stray: str = "",
) -> Command:
    """Return a row for the subcommand `resp` of PUBSUB."""
    return Command(
        f"pubsub.{name}", code, doc, args=args, resp=f"PUBSUB|{resp}", handler=f"pubsub_{resp.lower()}",
        reply=reply, examples=examples, json={"reply": "$reply"}, stray=stray,
    )  # fmt: skip


ROWS = [
    Command(
        "pubsub.subscribe", 0x1301,
        "Subscribe a new or a named subscriber to topics and patterns of segments; poll for the messages.",
        args=(AnyOrder(Flag("EMPTY", "empty"), Token("NAME", Text("subscriber_id"))), Many("topics", _TOPIC, least=0)),
        handler="pubsub_subscribe", reply=_SUBSCRIBED,
        http=(Post("/pubsub/subscribe", fixed={"empty": True}),), json="$reply", traits=REFUSED_WITH_200,
    ),
    Command(
        "pubsub.unsubscribe", 0x1302, "Remove the given subscriptions of a subscriber, or all of them.",
        args=(Text("subscriber_id"), Optional(Many("topics", _TOPIC, least=0))), handler="pubsub_unsubscribe",
        reply=Record({"unsubscribed": INTEGER}), also={"subscription_id": "subscriber_id"},
        http=(Post("/pubsub/unsubscribe"),), json="$reply", traits=REFUSED_WITH_200,
    ),
    Command(
        "pubsub.publish", 0x1303,
        "Publish a message to a topic, with metadata (an object of strings) if wanted; RETAIN keeps it for later.",
        args=(_TOPIC, Raw("payload"), AnyOrder(Token("METADATA", Raw("metadata")), Flag("RETAIN"))),
        resp="PUBSUB.PUBLISH", handler="pubsub_publish", traits=REFUSED_WITH_200 | MAY_REPLICATE,
        calls_families=(RETAINED,), examples=(Example("PUBSUB.PUBLISH news hello", ...),),
        reply=_PUBLISHED, also={"message": "payload", "data": "payload"},
        http=(Post("/pubsub/{topic}/publish"), Post("/pubsub/publish")), json="$reply",
    ),
    Command("pubsub.stats", 0x1304, "Return the counters of pub/sub, added up over all topics.",
            handler="pubsub_stats", reply=_STATS, http=(Get("/pubsub/stats"),), json="$reply"),
    Command("pubsub.topics", 0x1305, "List the topics that have been subscribed to by name.", handler="pubsub_topics",
            reply=Record({"topics": Array(TEXT), "count": INTEGER}), http=(Get("/pubsub/topics"),),
            envelope=("pubsub.list", "pubsub.list_topics"),
            json="$reply"),
    Command(
        "pubsub.poll", 0x1307,
        "Return the messages that have come for a subscriber since its last poll, or wait for one; subscribe to TOPIC.",
        args=(
            AnyOrder(
                Token("NAME", Text("subscriber_id")), Token("TOPIC", _TOPIC), Token("AFTER", Int("after", least=0)),
                Token("LIMIT", Int("limit", least=1)), Token("WAIT", Timeout("wait")), Flag("RETAINED"),
            ),
        ),
        handler="pubsub_poll", reply=_POLLED, http=(Get("/pubsub/{topic}/poll"), Get("/pubsub/poll")), json="$reply",
        traits=WAITS, calls_families=(RETAINED,),
    ),
    Command("pubsub.info", 0x1306, "Return the subscriber count, the message count and the creation time of a topic.",
            args=(_TOPIC,), handler="pubsub_info",
            reply=_INFO, http=(Get("/pubsub/{topic}/info"),), json="$reply", traits=REFUSED_WITH_200),
    _heard("listen", 0x1311, "Subscribe this connection to channels.",
           "SUBSCRIBE", _SOME, Example("SUBSCRIBE news", ...)),
    _heard("listen_pattern", 0x1312, "Subscribe this connection to all channels that match patterns.",
           "PSUBSCRIBE", _SOME, Example("PSUBSCRIBE news.*", ...)),
    _heard("listen_shard", 0x1313,
           "Subscribe this connection to shard channels, which are separate from other channels.",
           "SSUBSCRIBE", _SOME, Example("SSUBSCRIBE news", ...), more=BY_SHARD_CHANNEL),
    _heard("unlisten", 0x1314, "Unsubscribe this connection from the given channels, or from all channels.",
           "UNSUBSCRIBE", _ANY, Example("UNSUBSCRIBE", ["unsubscribe", None, 0])),
    _heard("unlisten_pattern", 0x1315, "Unsubscribe this connection from the given patterns, or from all patterns.",
           "PUNSUBSCRIBE", _ANY, Example("PUNSUBSCRIBE", ["punsubscribe", None, 0])),
    _heard("unlisten_shard", 0x1316,
           "Unsubscribe this connection from the given shard channels, or from all shard channels.",
           "SUNSUBSCRIBE", _ANY, Example("SUNSUBSCRIBE", ["sunsubscribe", None, 0]), more=BY_SHARD_CHANNEL),
    Command("pubsub.send", 0x1317, "Publish a message to a channel and return the number of copies sent.",
            args=(_TOPIC, Raw("payload")),
            resp="PUBLISH", handler="publish", traits=MAY_REPLICATE, reply=INTEGER, json={"receivers": "$reply"},
            examples=(Example("PUBLISH news hello", 0),)),
    Command("pubsub.send_shard", 0x1318, "Publish a message to a shard channel and return the number of subscribers.",
            args=(_TOPIC, Raw("payload")), resp="SPUBLISH", handler="spublish", reply=INTEGER,
            traits=BY_SHARD_CHANNEL | MAY_REPLICATE, json={"receivers": "$reply"},
            examples=(Example("SPUBLISH news hello", 0),)),
    _asked("channels", 0x1319, "List the channels that have subscribers by name, or those that match a pattern.",
           "CHANNELS", Array(TEXT), Example("PUBSUB CHANNELS", []), args=_PATTERN, stray="BAD_SUBCOMMAND"),
    _asked("numsub", 0x131A, "Return the number of subscribers by name for each given channel.",
           "NUMSUB", Array(TEXT, INTEGER),
           Example("PUBSUB NUMSUB news", ["news", 0]), args=_ANY),
    _asked("numpat", 0x131B, "Return the number of patterns that have subscribers.",
           "NUMPAT", INTEGER, Example("PUBSUB NUMPAT", 0)),
    _asked("shardchannels", 0x131C,
           "List the shard channels that have subscribers, or those of them that match a pattern.",
           "SHARDCHANNELS", Array(TEXT), Example("PUBSUB SHARDCHANNELS", []), args=_PATTERN, stray="BAD_SUBCOMMAND"),
    _asked("shardnumsub", 0x131D, "Return the number of subscribers for each given shard channel.",
           "SHARDNUMSUB", Array(TEXT, INTEGER),
           Example("PUBSUB SHARDNUMSUB news", ["news", 0]), args=_ANY),
    Command("pubsub.help", 0x131E, "List the subcommands of PUBSUB.", resp="PUBSUB|HELP", handler="help_pubsub",
            reply=Array(Status()), json={"reply": "$reply"},
            examples=(Example("PUBSUB HELP", ...),)),
]  # fmt: skip
