"""Publish and subscribe: messages to whoever listens at that moment; nothing is kept.

A *listener* is a RESP connection, which gets bytes. A *mailbox* is a subscriber of any other kind, which takes
messages when it can: a bounded buffer and a policy for when it is full. `pattern_trie.py` says what can be subscribed.

    publish       finds the subscriptions that a topic meets, puts (subscription, message) in the turn's outbox,
                  and answers how many there are: work for each subscription, not for each subscriber
    spread        at the end of the turn: each listener gets what is there for it in one piece. Listeners with
                  the same subscriptions share these bytes

What changes who listens (or how: RESP2 or RESP3) spreads first, so a listener never gets what was published before it
asked, nor misses what was before it left. A message is written in each form once, whoever it goes to.

RESP counts a listener once for each of its subscriptions that matches, and sends as many copies; JSON counts
subscribers, and a mailbox gets one. Subscriptions made over HTTP have no reader: they count, and the oldest are
forgotten. Topics that were subscribed by their name are remembered with their counters when nobody listens any more,
up to `topics_max`.
"""

from collections.abc import Callable, Iterable

from synap.engine.pattern_trie import Trie, checked_segments
from synap.engine.subscribers import Dialect, Limits, Listener, Mailbox, Message, Subscriber, Subscription
from synap.faults import Fault

CACHED_TOPICS_MAX = 4096
OUTBOX_BYTES = 1 << 20  # spread before the end of the turn


class PubSub:
    """All subscriptions of an engine."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.new_name: Callable[[], str] = self._count_name
        self.soon: Callable[[], None] = self.spread  # whoever has turns puts in what ends one
        self.exact: dict[bytes, Subscription] = {}
        self.shards: dict[bytes, Subscription] = {}
        self.patterns: dict[tuple[Dialect, bytes], Subscription] = {}
        self._idle: dict[bytes, Subscription] = {}  # of `exact`, those that nobody listens to
        self._trie = Trie()
        self._met: dict[bytes, list[Subscription]] = {}
        self._outbox: list[tuple[Subscription, Message]] = []
        self._outbox_bytes = 0
        self._named = 0
        self.subscribers: dict[str, Mailbox] = {}
        self._unread: dict[str, Mailbox] = {}
        self.listeners = 0
        self.active = 0  # topics of `exact` that somebody listens to
        self.subscriptions = self.wildcards = 0
        self.published = self.delivered = self.dropped = self.slow_dropped = 0

    def _count_name(self) -> str:
        self._named += 1
        return f"{self._named:032x}"

    @property
    def waiting(self) -> bool:
        """Is there something to spread?"""
        return bool(self._outbox)

    # Who listens.

    def check(self, subscriber: Subscriber, dialect: Dialect, texts: list[bytes]) -> None:
        """Would these be too many, or is one too long? Raises Fault."""
        for text in texts:
            self.check_topic(text)
        known = subscriber.of(dialect)
        more = len({text for text in texts if text not in known})
        if len(subscriber) + more > self.limits.subscriptions:
            raise Fault("TOO_MANY_SUBSCRIPTIONS", most=self.limits.subscriptions)

    def check_topic(self, text: bytes) -> None:
        """Is a topic or pattern too long? Raises Fault."""
        if len(text) > self.limits.topic_bytes:
            raise Fault("TOPIC_TOO_LONG", size=len(text), most=self.limits.topic_bytes)

    def subscribe(self, subscriber: Subscriber, dialect: Dialect, text: bytes, now: int) -> None:
        """Let it have what is published there from now on; `check` has found nothing."""
        asked = subscriber.of(dialect)
        if text in asked:
            return
        self.spread()
        asked[text] = one = self._subscription(dialect, text, now)
        if dialect is Dialect.EXACT and not len(one):
            self.active += 1
            self._idle.pop(text, None)
        if isinstance(subscriber, Listener):
            self.listeners += len(subscriber) == 1
            one.links[subscriber] = None
        elif isinstance(subscriber, Mailbox):
            one.boxes[subscriber] = None
        self.subscriptions += 1
        self.wildcards += dialect in (Dialect.SEGMENTS, Dialect.GLOB)

    def _subscription(self, dialect: Dialect, text: bytes, now: int) -> Subscription:
        if dialect is Dialect.EXACT or dialect is Dialect.SHARD:
            known = self.exact if dialect is Dialect.EXACT else self.shards
            one = known.get(text)
            if one is None:
                one = known[text] = Subscription(dialect, text, now)
                self._forget_topics()
            return one
        one = self.patterns.get((dialect, text))
        if one is None:
            one = self.patterns[dialect, text] = Subscription(dialect, text, now)
            self._met.clear()
            if dialect is Dialect.GLOB:
                self._trie.add_glob(text, one)
            else:
                self._trie.add_segments(text, one)
        return one

    def _forget_topics(self) -> None:
        while self._idle and len(self.exact) > self.limits.topics:
            text = next(iter(self._idle))
            del self._idle[text], self.exact[text]

    def unsubscribe(self, subscriber: Subscriber, dialect: Dialect, text: bytes) -> bool:
        """No more of that; False if it had not asked for it."""
        one = subscriber.of(dialect).get(text)
        if one is None:
            return False
        self.spread()
        del subscriber.of(dialect)[text]
        if isinstance(subscriber, Listener):
            self.listeners -= not len(subscriber)
            del one.links[subscriber]
        elif isinstance(subscriber, Mailbox):
            del one.boxes[subscriber]
        self.subscriptions -= 1
        self.wildcards -= dialect in (Dialect.SEGMENTS, Dialect.GLOB)
        if not len(one):
            self._abandoned(one)
        return True

    def _abandoned(self, one: Subscription) -> None:
        dialect, text = one.dialect, one.text
        if dialect is Dialect.EXACT:
            self.active -= 1
            self._idle[text] = one
            self._forget_topics()
        elif dialect is Dialect.SHARD:
            del self.shards[text]
        else:
            del self.patterns[dialect, text]
            self._met.clear()
            if dialect is Dialect.GLOB:
                self._trie.remove_glob(text)
            else:
                self._trie.remove_segments(text)

    def leave(self, subscriber: Subscriber) -> int:
        """It asks for nothing any more; how many subscriptions that were."""
        asked = subscriber.all()
        count = 0
        for dialect, text in asked:
            count += self.unsubscribe(subscriber, dialect, text)
        if self.subscribers.get(subscriber.name) is subscriber:
            del self.subscribers[subscriber.name]
            self._unread.pop(subscriber.name, None)
        if isinstance(subscriber, Mailbox):
            subscriber.clear()
        return count

    def join(self, topics: list[bytes], now: int, wake: Callable[[], None] | None = None, name: str = "") -> Mailbox:
        """A mailbox for these topics and patterns of segments. One that is known by this `name` gets more of them.

        Raises Fault, and then nothing has happened.
        """
        box = self.subscribers.get(name) if name and wake is None else None
        if box is not None:
            self.add(box, topics, now)
            return box
        box = Mailbox(self.new_name() if not name or name in self.subscribers else name, wake)
        self.add(box, topics, now)
        self.subscribers[box.name] = box
        if wake is None:
            self._unread[box.name] = box
            if len(self._unread) > self.limits.unread:
                self.leave(next(iter(self._unread.values())))
        return box

    def add(self, box: Mailbox, topics: list[bytes], now: int) -> None:
        """These topics and patterns as well. Raises Fault, and then nothing has happened."""
        dialects = [_dialect(text) for text in topics]
        for dialect in (Dialect.EXACT, Dialect.SEGMENTS):
            self.check(box, dialect, [text for text, found in zip(topics, dialects, strict=True) if found is dialect])
        for text, dialect in zip(topics, dialects, strict=True):
            self.subscribe(box, dialect, text, now)

    def part(self, box: Mailbox, topics: list[bytes]) -> int:
        """These no more; how many it had. One without any is forgotten."""
        count = sum(self.unsubscribe(box, _dialect(text), text) for text in topics)
        if not len(box) and box.wake is None:
            self.leave(box)
        return count

    # Messages.

    def meets(self, topic: bytes) -> list[Subscription]:
        """The subscriptions that a topic meets: of its name, then patterns."""
        found = self._met.get(topic)
        if found is None:
            found = self._trie.match(topic)
            if len(self._trie):
                if len(self._met) >= CACHED_TOPICS_MAX:
                    self._met.clear()
                self._met[topic] = found
        one = self.exact.get(topic)
        return found if one is None or not len(one) else [one, *found]

    def publish(
        self, topic: bytes, payload: bytes, metadata: bytes, now: int, shard: bool = False
    ) -> tuple[Message, list[Subscription], set[Mailbox]]:
        """Let everybody have it who listens: the message, the subscriptions met, and the mailboxes among them."""
        self.check_topic(topic)
        if shard:
            only = self.shards.get(topic)
            met = [] if only is None else [only]
        else:
            met = self.meets(topic)
            known = self.exact.get(topic)
            if known is not None:
                known.published += 1
        self.published += 1
        message = Message(self.new_name, topic, payload, metadata, now)
        boxes: set[Mailbox] = set()
        for one in met:
            if one.links:
                if not self._outbox:
                    self._outbox.append((one, message))
                    self.soon()
                else:
                    self._outbox.append((one, message))
                self._outbox_bytes += len(payload)
                self.delivered += len(one.links)
            boxes.update(one.boxes)
        for box in boxes:
            self._offer(box, message)
        self.delivered += len(boxes)
        if self._outbox_bytes > OUTBOX_BYTES:
            self.spread()
        return message, met, boxes

    def _offer(self, box: Mailbox, message: Message) -> None:
        if box.wake is None or box.over:
            return
        limits = self.limits
        if len(box.waiting) >= limits.messages or (box.waiting and box.bytes + message.size > limits.bytes):
            self.dropped += 1
            if self.limits.overflow == "drop_newest":
                return
            if self.limits.overflow == "disconnect":
                self.dropped += len(box.waiting)
                self.slow_dropped += 1
                box.clear()
                box.over = True
                box.wake()
                return
            box.take()
            while box.waiting and box.bytes + message.size > limits.bytes:
                box.take()
                self.dropped += 1
        box.put(message)
        if len(box.waiting) == 1:
            box.wake()

    def spread(self) -> None:
        """Hand the listeners what is there for them."""
        outbox, self._outbox, self._outbox_bytes = self._outbox, [], 0
        if not outbox:
            return
        lines: dict[Subscription, list[tuple[int, Message]]] = {}
        for i, (one, message) in enumerate(outbox):
            lines.setdefault(one, []).append((i, message))
        if len(lines) == 1:
            one = outbox[0][0]
            self._hand(one.links, [message.resp(one) for _, message in outbox])
            return
        concerned: dict[Listener, list[Subscription]] = {}
        for one in lines:
            for listener in one.links:
                concerned.setdefault(listener, []).append(one)
        alike: dict[tuple[Subscription, ...], list[Listener]] = {}
        for listener, ones in concerned.items():
            alike.setdefault(tuple(ones), []).append(listener)
        for asked, listeners in alike.items():
            mixed = sorted((i, n) for n, one in enumerate(asked) for i, _ in lines[one])
            self._hand(listeners, [outbox[i][1].resp(asked[n]) for i, n in mixed])

    def _hand(self, listeners: Iterable[Listener], pieces: list[bytes]) -> None:
        joined: dict[int, bytes] = {}
        for listener in list(listeners):
            session = listener.session
            link = session.link
            if link is None:
                continue
            version = session.version
            data = joined.get(version)
            if data is None:
                mark = b">" if version == 3 else b"*"
                data = joined[version] = mark + mark.join(pieces)
            if not link.push(data):
                self.dropped += len(pieces)
                self.slow_dropped += 1

    def forget_outbox(self) -> None:
        """What was published in this turn reaches nobody: the log has failed."""
        self.dropped += sum(len(one.links) for one, _ in self._outbox)
        self._outbox, self._outbox_bytes = [], 0


def _dialect(text: bytes) -> Dialect:
    if not text:
        raise Fault("NO_TOPIC")
    return Dialect.SEGMENTS if checked_segments(text) else Dialect.EXACT
