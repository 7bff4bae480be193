"""Retained messages: what a topic of pub/sub keeps for subscribers to come, see `store/kinds/retained`."""

from typing import TYPE_CHECKING, Any

from synap.derive.packed_calls import call_of
from synap.derive.replies import plain
from synap.engine.callers import Caller
from synap.engine.pattern_trie import Trie, checked_segments
from synap.engine.subscribers import Json, Message, with_form
from synap.faults import Fault
from synap.store.memory.layout import FORM_JSON

if TYPE_CHECKING:
    from synap.engine.engine import Engine


def keep(engine: "Engine", caller: Caller, message: Message, now: int) -> None:
    """Let a topic retain this message; an empty text removes what it retains. Raise Fault if that is refused."""
    topic = bytes(message.channel)
    if not message.payload:
        _ask(engine, caller, "retained.delete", now, topic=topic)
    else:
        _ask(
            engine, caller, "retained.store", now, topic=topic, payload=bytes(message.payload),
            metadata=bytes(message.metadata), message_id=message.name, time=now,
            form=FORM_JSON * isinstance(message.payload, Json),
        )  # fmt: skip


def topics(engine: "Engine", texts: list[bytes], now: int) -> list[bytes]:
    """Return the topics that may retain a message, of these topics and patterns of segments, each once.

    Raise Fault if too many topics retain one to look through their names.
    """
    found = [text for text in texts if not checked_segments(text)]
    patterns = [text for text in texts if checked_segments(text)]
    if patterns:
        trie: Trie[bytes] = Trie()
        for text in patterns:
            trie.add_segments(text, text)
        names = _ask(engine, engine.own, "retained.list", now)
        found += [name for name, _ in names if trie.match(name)]
    return list(dict.fromkeys(found))


def message(engine: "Engine", topic: bytes, now: int) -> Message | None:
    """Return the message that a topic retains, or None."""
    found = _ask(engine, engine.own, "retained.get", now, topic=topic)
    if found is None:
        return None
    name, metadata = found["message_id"][0].decode(), found["metadata"]
    text = b"" if metadata is None else metadata[0]
    return Message(lambda: name, topic, with_form(*found["payload"]), text, found["timestamp"], retained=True)


def _ask(engine: "Engine", caller: Caller, name: str, now: int, **fields: Any) -> Any:
    """Make a call of the row `name`; return the value of its reply. Raise Fault if it is refused."""
    row = engine.catalogue.by_name[name]
    outcome = engine.call_unasked(caller, call_of(row, **fields), now)
    if outcome.failed:
        raise Fault(outcome.refusal)
    found = plain(outcome.status, row, engine.numbers, engine.bytes)
    engine.free_deferred()
    return found
