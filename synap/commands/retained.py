"""Command rows of retained messages: the last message of a topic of pub/sub that was published with `retain`."""

from synap.arguments import Int, Raw, Text
from synap.command import Command, Example
from synap.methods import Method
from synap.reply import DOCUMENT, INTEGER, TEXT, TIME, VALUE, Array, Record, or_nil
from synap.routes import Delete, Get
from synap.traits import EMPTIES, GROWS, INTERNAL, TRUSTED, WRITES

_TOPIC = Text("topic")
_MESSAGE = Record({"message_id": TEXT, "payload": VALUE, "metadata": or_nil(DOCUMENT), "timestamp": TIME})
_PARTS = {name: f"${name}" for name in ("message_id", "payload", "metadata", "timestamp")}
_SAID = Example("PUBSUB.PUBLISH news hello RETAIN", ...)

ROWS = [
    Command(
        "retained.store", 0x1E01, "Store the message that a topic retains; the log has this for each such publish.",
        args=(_TOPIC, Raw("payload"), Raw("metadata"), Text("message_id"), Int("form"), Int("time")),
        run="retained.store", traits=WRITES | GROWS | INTERNAL | TRUSTED, needs_words=64,
    ),
    Command(
        "retained.get", 0x1E02, "Return the message that a topic retains, or nil.", args=(_TOPIC,),
        resp="RETAINED.GET", reply=or_nil(_MESSAGE), run="retained.get", http=(Get("/pubsub/{topic}/retained"),),
        json={"topic": "$topic", **_PARTS}, json_nil={"topic": "$topic", **dict.fromkeys(_PARTS)},
        examples=(Example("RETAINED.GET news", None), _SAID, Example("RETAINED.GET news", ...)),
        python=Method(returns="some"),
    ),
    Command(
        "retained.delete", 0x1E03, "Remove the message that a topic retains; return 1, or 0 if there is none.",
        args=(_TOPIC,), resp="RETAINED.DELETE", reply=INTEGER, run="retained.delete", traits=WRITES | EMPTIES,
        http=(Delete("/pubsub/{topic}/retained"),), json={"topic": "$topic", "removed": "$reply"},
        examples=(_SAID, Example("RETAINED.DELETE news", 1), Example("RETAINED.DELETE news", 0)),
    ),
    Command(
        "retained.list", 0x1E04, "List the topics that retain a message.", resp="RETAINED.LIST", reply=Array(TEXT),
        run="retained.list_names", http=(Get("/pubsub/retained"),), json={"topics": "$items", "count": "$count"},
        examples=(_SAID, Example("RETAINED.LIST", ["news"])), python=Method(returns="titles"),
    ),
]  # fmt: skip
