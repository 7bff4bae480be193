"""Handlers of pub/sub, for RESP and for JSON surfaces.

A RESP session gets a *listener* at its first subscription. Confirmations are pushes, one for each channel. A
subscriber over JSON is a *mailbox* with a name.
"""

import json
from collections.abc import Callable
from typing import Any

from synap.call import Pending, Pushes, Value
from synap.derive.reply_forms import as_json
from synap.engine import retained
from synap.engine.callers import Caller
from synap.engine.engine import Engine, Handler
from synap.engine.globs import Glob, elements
from synap.engine.pubsub import PubSub
from synap.engine.sessions import Session
from synap.engine.subscribers import Dialect, Json, Listener, Mailbox, Message, Subscription, as_text
from synap.faults import Fault
from synap.store.memory.layout import FORM_JSON

NAME_BYTES_MAX = 128
POLLED = 100
"""Messages of one poll, unless it says otherwise."""


# RESP.


def _listener(session: Session) -> Listener:
    if session.listener is None:
        session.listener = Listener(session)
    return session.listener


def _told(listener: Listener, dialect: Dialect) -> int:
    return len(listener.of(dialect)) if dialect is Dialect.SHARD else listener.told


def _subscriber(dialect: Dialect) -> Handler:
    word = dialect.value.encode() + b"subscribe"

    def handler(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
        listener, texts = _listener(session), [item["topic"] for item in args["topics"]]
        engine.pubsub.check(listener, dialect, texts)
        said = Pushes()
        for text in texts:
            engine.pubsub.subscribe(listener, dialect, bytes(text), now)
            said.append([word, text, _told(listener, dialect)])
        session.note_subscribed()
        return said

    return handler


def _unsubscriber(dialect: Dialect) -> Handler:
    word = dialect.value.encode() + b"unsubscribe"

    def handler(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
        listener = _listener(session)
        said = Pushes()
        for text in [item["topic"] for item in args["topics"]] or list(listener.of(dialect)):
            engine.pubsub.unsubscribe(listener, dialect, text)
            said.append([word, text, _told(listener, dialect)])
        session.note_subscribed()
        return said or Pushes([[word, None, _told(listener, dialect)]])

    return handler


def _publisher(shard: bool) -> Handler:
    def handler(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
        _, met, boxes = engine.pubsub.publish(args["topic"], args["payload"], b"", now, shard)
        return sum(len(one.links) for one in met) + len(boxes)

    return handler


def _chosen(caller: Caller, texts: list[bytes], args: dict[str, Any]) -> list[Any]:
    if "pattern" in args:
        taken = elements(args["pattern"])
        glob = Glob(taken, taken, None)
        texts = [text for text in texts if (glob.matches(text) if text else not args["pattern"])]
    return [_spelled(caller, text) for text in texts]


def _spelled(caller: Caller, text: bytes) -> Any:
    return text if caller.of_resp else as_text(text)


def pubsub_channels(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the channels with exact subscribers."""
    return _chosen(caller, [text for text, one in engine.pubsub.exact.items() if len(one)], args)


def pubsub_shardchannels(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the shard channels with subscribers."""
    return _chosen(caller, list(engine.pubsub.shards), args)


def pubsub_numpat(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the number of patterns with subscribers."""
    return len(engine.pubsub.patterns)


def pubsub_numsub(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the number of exact subscribers of each of these channels."""
    return _counts(engine.pubsub.exact, caller, args)


def pubsub_shardnumsub(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the number of subscribers of each of these shard channels."""
    return _counts(engine.pubsub.shards, caller, args)


def _counts(known: dict[bytes, Subscription], caller: Caller, args: dict[str, Any]) -> list[Any]:
    found: list[Any] = []
    for item in args["topics"]:
        one = known.get(item["topic"])
        found += [_spelled(caller, item["topic"]), len(one) if one is not None else 0]
    return found


# JSON.


def _joined(pubsub: PubSub, texts: list[bytes], name: str, now: int) -> Mailbox:
    """Return the mailbox with this name, or a new one, subscribed to these topics. Raise Fault without any change."""
    if len(name) > NAME_BYTES_MAX:
        raise Fault("WRONG_FIELD", field="subscriber_id", wanted=f"at most {NAME_BYTES_MAX} bytes", found=len(name))
    return pubsub.join(texts, now, None, name)


def pubsub_subscribe(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Subscribe a mailbox, under the given name or a new one."""
    texts = [bytes(item["topic"]) for item in args.get("topics", ())]
    if not texts and "empty" not in args:
        raise Fault("NO_TOPICS")
    box = _joined(engine.pubsub, texts, as_text(args.get("subscriber_id", b"")), now)
    return {
        "subscriber_id": box.name, "subscription_id": box.name, "topics": [as_text(text) for text in texts],
        "subscription_count": len(box),
    }  # fmt: skip


def pubsub_poll(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value | Pending:
    """Return the messages that wait for a mailbox, or wait for one. A topic is subscribed first."""
    pubsub, name = engine.pubsub, as_text(args.get("subscriber_id", b""))
    known = pubsub.subscribers.get(name) if name else None
    if known is not None and known.wake is not None:
        raise Fault("WRONG_FIELD", field="subscriber_id", wanted="a subscriber that polls", found="a connection")
    if "topic" in args:
        text = bytes(args["topic"])
        new = known is None or not any(text == other for _, other in known.all())
        box = _joined(pubsub, [text], name, now)
        if new and args.get("retained"):
            topics = retained.topics(engine, [text], now)
            for topic in topics[: pubsub.polls.messages_max]:
                message = retained.message(engine, topic, now)
                if message is not None:
                    pubsub.polls.keep(box, message)
            pubsub.polls.leave_out(box, len(topics) - pubsub.polls.messages_max)
    elif known is not None:
        box = known
    else:
        raise Fault("SUBSCRIBER_MISSING")
    after, most = args.get("after"), args.get("limit", POLLED)
    deadline = now + round(1000 * args["wait"]) if args.get("wait") else 0

    def found(now: int) -> dict[str, Any]:
        messages = pubsub.poll(box, after, most, now)
        position = box.first - 1 if after is None else box.first - 1 + len(messages)
        lost, box.lost = box.lost, 0
        return {
            "subscriber_id": box.name, "created": known is None, "lost": lost, "position": position,
            "messages": [_spelled_out(message) for message in messages],
        }  # fmt: skip

    def answer() -> Value:
        if box.ends_poll is None:  # a message has ended the wait, and has set the time
            return found(box.asked)
        box.ends_poll = None
        return found(max(deadline, now))

    def begin(end: Callable[[], None]) -> None:
        box.ends_poll = lambda: None if caller.gone() else end()  # for a client that has gone, nothing is taken away

    pubsub.polls.end_poll(box, now)  # an earlier poll of the same subscriber: its client has gone, or gets nothing
    at_once = found(now)
    if at_once["messages"] or at_once["lost"] or "wait" not in args:
        return at_once
    return Pending(answer, deadline, begin)


def _spelled_out(message: Message) -> Value:
    payload, metadata = message.payload, message.metadata
    return {
        "message_id": message.name, "topic": as_text(message.channel),
        "payload": as_json(payload, FORM_JSON * isinstance(payload, Json)),
        "metadata": as_json(metadata, FORM_JSON) if metadata else None, "timestamp": message.now // 1000,
        "retained": message.retained,
    }  # fmt: skip


def pubsub_unsubscribe(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Remove these subscriptions of a mailbox, or all."""
    pubsub = engine.pubsub
    box = pubsub.subscribers.get(as_text(args["subscriber_id"]))
    if box is None:
        return {"unsubscribed": 0}
    if "topics" not in args:
        return {"unsubscribed": pubsub.leave(box)}
    return {"unsubscribed": pubsub.unsubscribe_all(box, [item["topic"] for item in args["topics"]])}


def _metadata(args: dict[str, Any]) -> bytes:
    """Return the metadata as JSON, empty if there is none. Raise Fault if it is not an object of strings."""
    text = args.get("metadata")
    if text is None or (text == b"null" and isinstance(text, Json)):
        return b""
    found = json.loads(text) if isinstance(text, Json) else None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Fault("WRONG_FIELD", field="metadata", wanted="an object of strings", found="something else")
    return bytes(text)


def pubsub_publish(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Publish a message; return its id and the number of matching subscribers, each counted once."""
    channel = args["topic"]
    if not channel:
        raise Fault("NO_TOPIC")
    engine.pubsub.check_channel(channel)
    message = Message(engine.pubsub.new_name, channel, args["payload"], _metadata(args), now)
    if args.get("retain"):
        retained.keep(engine, caller, message, now)
    _, met, boxes = engine.pubsub.send(message)
    links = len(met[0].links) if len(met) == 1 else len({link for one in met for link in one.links})
    name = _spelled(caller, message.name.encode())
    return {"message_id": name, "topic": _spelled(caller, channel), "subscribers_matched": links + len(boxes)}


def pubsub_stats(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the counters of all pub/sub."""
    pubsub = engine.pubsub
    return {
        "total_topics": len(pubsub.exact),
        "total_subscribers": pubsub.subscriptions,
        "total_wildcard_subscriptions": pubsub.wildcards,
        "messages_published": pubsub.published,
        "messages_delivered": pubsub.delivered,
        "messages_dropped": pubsub.messages_dropped,
        "slow_consumers_dropped": pubsub.slow_dropped,
        "subscribers": pubsub.listeners + len(pubsub.subscribers),
    }


def pubsub_topics(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the channels that were subscribed by name."""
    found = sorted(as_text(text) for text in engine.pubsub.exact)
    return {"topics": found, "count": len(found)}


def pubsub_info(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the counters of one channel. Raise Fault if the channel is unknown."""
    one = engine.pubsub.exact.get(args["topic"])
    if one is None:
        raise Fault("TOPIC_MISSING")
    return {
        "topic": as_text(one.text), "subscriber_count": len(one), "message_count": one.published,
        "created_at": one.created // 1000,
    }  # fmt: skip


HANDLERS: dict[str, Handler] = {
    "subscribe": _subscriber(Dialect.EXACT),
    "psubscribe": _subscriber(Dialect.GLOB),
    "ssubscribe": _subscriber(Dialect.SHARD),
    "unsubscribe": _unsubscriber(Dialect.EXACT),
    "punsubscribe": _unsubscriber(Dialect.GLOB),
    "sunsubscribe": _unsubscriber(Dialect.SHARD),
    "publish": _publisher(False),
    "spublish": _publisher(True),
    "pubsub_channels": pubsub_channels,
    "pubsub_shardchannels": pubsub_shardchannels,
    "pubsub_numpat": pubsub_numpat,
    "pubsub_numsub": pubsub_numsub,
    "pubsub_shardnumsub": pubsub_shardnumsub,
    "pubsub_subscribe": pubsub_subscribe,
    "pubsub_unsubscribe": pubsub_unsubscribe,
    "pubsub_poll": pubsub_poll,
    "pubsub_publish": pubsub_publish,
    "pubsub_stats": pubsub_stats,
    "pubsub_topics": pubsub_topics,
    "pubsub_info": pubsub_info,
}
