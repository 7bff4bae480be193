"""Publish and subscribe: delivers each message to the current subscribers; no message is stored.

A *listener* is a RESP connection and receives bytes. A *mailbox* is any other subscriber and takes messages from a
bounded buffer with an overflow policy. `pattern_trie.py` defines the dialects of subscriptions.

    publish       finds the subscriptions that match a channel, appends (subscription, message) to the outbox of the
                  turn, and returns the subscriptions: work per subscription, not per subscriber
    deliver       runs at the end of the turn and sends each listener its messages in one piece. Listeners with
                  the same subscriptions share these bytes

Every change of the listeners or of their RESP version calls `deliver` first. So a listener never receives a message
published before its subscription, and never misses one published before it unsubscribed. Each message is encoded
once in each form, for all receivers.

RESP counts a listener once for each of its matching subscriptions, and sends as many copies. JSON counts subscribers,
and a mailbox receives one copy. Subscribers over HTTP have no connection: they poll (polling.py), and beyond
`Limits.unread` those that have not polled for longest are removed. Channels that were subscribed by name keep their
counters without subscribers, up to `Limits.channels`.
"""

from collections.abc import Callable, Iterable

from synap.engine.pattern_trie import Trie, checked_segments
from synap.engine.polling import Polls
from synap.engine.subscribers import Dialect, Limits, Listener, Mailbox, Message, Subscriber, Subscription
from synap.faults import Fault

CACHED_CHANNELS_MAX = 4096
OUTBOX_BYTES = 1 << 20  # above this the outbox is spread before the end of the turn


class PubSub:
    """All subscriptions of an engine."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.new_name: Callable[[], str] = self._count_name
        self.soon: Callable[[], None] = self.deliver  # called at a turn's first message; the owner of turns sets it
        self.on_use: Callable[[bytes, bool], None] = lambda text, more: None  # called as `_note_use` says
        self.exact: dict[bytes, Subscription] = {}
        self.shards: dict[bytes, Subscription] = {}
        self.patterns: dict[tuple[Dialect, bytes], Subscription] = {}
        self._idle: dict[bytes, Subscription] = {}  # those of `exact` without subscribers, oldest first
        self._trie: Trie[Subscription] = Trie()
        self._met: dict[bytes, list[Subscription]] = {}
        self._outbox: list[tuple[Subscription, Message]] = []
        self._outbox_bytes = 0
        self._named = 0
        self.subscribers: dict[str, Mailbox] = {}
        self._unread: dict[str, Mailbox] = {}
        self.polls = Polls(lambda: self.limits, lambda: list(self._unread.values()))
        self.listeners = 0
        self.active = 0  # channels of `exact` with subscribers
        self.subscriptions = self.wildcards = 0
        self.published = self.delivered = self.dropped = self.slow_dropped = 0

    def _count_name(self) -> str:
        self._named += 1
        return f"{self._named:032x}"

    @property
    def waiting(self) -> bool:
        """True if the outbox holds messages."""
        return bool(self._outbox)

    # Subscriptions.

    def check(self, subscriber: Subscriber, dialect: Dialect, texts: list[bytes]) -> None:
        """Check a subscriber's new channels or patterns against the limits. Raise Fault for too many or too long."""
        for text in texts:
            self.check_channel(text)
        known = subscriber.of(dialect)
        more = len({text for text in texts if text not in known})
        if len(subscriber) + more > self.limits.subscriptions:
            raise Fault("TOO_MANY_SUBSCRIPTIONS", most=self.limits.subscriptions)

    def check_channel(self, text: bytes) -> None:
        """Raise Fault if a channel or pattern is too long."""
        if len(text) > self.limits.channel_bytes:
            raise Fault("TOPIC_TOO_LONG", size=len(text), most=self.limits.channel_bytes)

    def subscribe(self, subscriber: Subscriber, dialect: Dialect, text: bytes, now: int) -> None:
        """Add a subscription to a channel or pattern. The limits must have been checked with `check`."""
        asked = subscriber.of(dialect)
        if text in asked:
            return
        self.deliver()
        asked[text] = one = self._subscription(dialect, text, now)
        if not len(one):
            self._note_use(one, True)
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
                self._drop_idle_channels()
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

    def _drop_idle_channels(self) -> None:
        while self._idle and len(self.exact) > self.limits.channels:
            text = next(iter(self._idle))
            del self._idle[text], self.exact[text]

    def unsubscribe(self, subscriber: Subscriber, dialect: Dialect, text: bytes) -> bool:
        """Remove a subscription; return False if the subscriber did not have it."""
        one = subscriber.of(dialect).get(text)
        if one is None:
            return False
        self.deliver()
        del subscriber.of(dialect)[text]
        if isinstance(subscriber, Listener):
            self.listeners -= not len(subscriber)
            del one.links[subscriber]
        elif isinstance(subscriber, Mailbox):
            del one.boxes[subscriber]
        self.subscriptions -= 1
        self.wildcards -= dialect in (Dialect.SEGMENTS, Dialect.GLOB)
        if not len(one):
            self._drop_unused(one)
        return True

    def _note_use(self, one: Subscription, more: bool) -> None:
        """Tell `on_use` that a channel or pattern has its first subscriber, or lost its last one."""
        if one.dialect is not Dialect.SHARD:
            self.on_use(one.text, more)

    def _drop_unused(self, one: Subscription) -> None:
        dialect, text = one.dialect, one.text
        self._note_use(one, False)
        if dialect is Dialect.EXACT:
            self.active -= 1
            self._idle[text] = one
            self._drop_idle_channels()
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
        """Remove a subscriber with all its subscriptions; return how many it had."""
        asked = subscriber.all()
        count = 0
        for dialect, text in asked:
            count += self.unsubscribe(subscriber, dialect, text)
        if self.subscribers.get(subscriber.name) is subscriber:
            del self.subscribers[subscriber.name]
            self._unread.pop(subscriber.name, None)
        if isinstance(subscriber, Mailbox):
            if subscriber.wake is None:
                self.polls.forget(subscriber)
            subscriber.clear()
        return count

    def watch(self, channels: list[bytes], now: int, wake: Callable[[], None]) -> Mailbox:
        """Return a mailbox that counts lost messages, subscribed to these channels and globs. Raise Fault without any
        change."""
        box = Mailbox(self.new_name(), wake, counts_lost=True)
        self.add(box, channels, now, globs=True)
        self.subscribers[box.name] = box
        return box

    def join(self, channels: list[bytes], now: int, wake: Callable[[], None] | None = None, name: str = "") -> Mailbox:
        """Return a mailbox subscribed to these channels and patterns of segments.

        Without `wake`, a mailbox that already has this `name` gets the subscriptions. Raise Fault, without any
        change, if a limit is exceeded or a text is wrong.
        """
        box = self.subscribers.get(name) if name and wake is None else None
        if box is not None:
            self.add(box, channels, now)
            return box
        box = Mailbox(self.new_name() if not name or name in self.subscribers else name, wake)
        self.add(box, channels, now)
        self.subscribers[box.name] = box
        if wake is None:
            box.asked = now
            self._unread[box.name] = box
            if len(self._unread) > self.limits.unread:
                self.leave(next(iter(self._unread.values())))
        return box

    def add(self, box: Mailbox, channels: list[bytes], now: int, globs: bool = False) -> None:
        """Subscribe a mailbox to more channels and patterns, of segments or `globs`. Raise Fault without any change."""
        dialects = [_dialect(text, globs) for text in channels]
        for dialect in set(dialects):
            self.check(box, dialect, [text for text, found in zip(channels, dialects, strict=True) if found is dialect])
        for text, dialect in zip(channels, dialects, strict=True):
            self.subscribe(box, dialect, text, now)

    def unsubscribe_all(self, box: Mailbox, channels: list[bytes], globs: bool = False) -> int:
        """Unsubscribe a mailbox from these channels and patterns; return how many of them it had.

        A mailbox without `wake` is removed with its last subscription.
        """
        count = sum(self.unsubscribe(box, _dialect(text, globs), text) for text in channels)
        if not len(box) and box.wake is None:
            self.leave(box)
        return count

    @property
    def messages_dropped(self) -> int:
        """The messages that no subscriber got, since it was slow, or did not poll."""
        return self.dropped + self.polls.dropped

    def poll(self, box: Mailbox, after: int | None, most: int, now: int) -> list[Message]:
        """Return messages of a mailbox that polls; see `Polls.take`."""
        if self._unread.pop(box.name, None) is box:  # else it is being removed, which ends its poll
            self._unread[box.name] = box
        return self.polls.take(box, after, most, now)

    # Messages.

    def matching(self, channel: bytes) -> list[Subscription]:
        """Return the subscriptions that match a channel: the exact one first, then patterns."""
        found = self._met.get(channel)
        if found is None:
            found = self._trie.match(channel)
            if len(self._trie):
                if len(self._met) >= CACHED_CHANNELS_MAX:
                    self._met.clear()
                self._met[channel] = found
        one = self.exact.get(channel)
        return found if one is None or not len(one) else [one, *found]

    def publish(
        self, channel: bytes, payload: bytes, metadata: bytes, now: int, shard: bool = False
    ) -> tuple[Message, list[Subscription], set[Mailbox]]:
        """Publish a message; return the message, the matching subscriptions and the mailboxes that match.

        `shard`: use shard channels only.
        """
        return self.send(Message(self.new_name, channel, payload, metadata, now), shard)

    def send(self, message: Message, shard: bool = False) -> tuple[Message, list[Subscription], set[Mailbox]]:
        """Publish a message that was made before; see `publish`."""
        channel = message.channel
        self.check_channel(channel)
        if shard:
            only = self.shards.get(channel)
            met = [] if only is None else [only]
        else:
            met = self.matching(channel)
            known = self.exact.get(channel)
            if known is not None:
                known.published += 1
        return self._send_to(met, message)

    def publish_to(
        self, met: list[Subscription], channel: bytes, payload: bytes, metadata: bytes, now: int
    ) -> tuple[Message, list[Subscription], set[Mailbox]]:
        """Publish a message to the subscribers of these subscriptions; return what `publish` returns."""
        return self._send_to(met, Message(self.new_name, channel, payload, metadata, now))

    def _send_to(
        self, met: list[Subscription], message: Message
    ) -> tuple[Message, list[Subscription], set[Mailbox]]:  # fmt: skip
        """Publish a message to the subscribers of these subscriptions: listeners receive it at the next `deliver`,
        mailboxes at once."""
        self.published += 1
        boxes: set[Mailbox] = set()
        for one in met:
            if one.links:
                if not self._outbox:
                    self._outbox.append((one, message))
                    self.soon()
                else:
                    self._outbox.append((one, message))
                self._outbox_bytes += len(message.payload)
                self.delivered += len(one.links)
            boxes.update(one.boxes)
        for box in boxes:
            self._offer(box, message)
        self.delivered += len(boxes)
        if self._outbox_bytes > OUTBOX_BYTES:
            self.deliver()
        return message, met, boxes

    def _offer(self, box: Mailbox, message: Message) -> None:
        if box.wake is None:
            self.polls.keep(box, message)
            return
        if box.over:
            return
        limits = self.limits
        if len(box.waiting) >= limits.messages or (box.waiting and box.bytes + message.size > limits.bytes):
            self.dropped += 1
            if box.counts_lost:
                self.dropped += len(box.waiting)
                box.lost += len(box.waiting) + 1
                box.clear()
                return
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

    def deliver(self) -> None:
        """Send the messages of the outbox to the listeners."""
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
        """Drop the messages published in this turn, after the log failed."""
        self.dropped += sum(len(one.links) for one, _ in self._outbox)
        self._outbox, self._outbox_bytes = [], 0


def _dialect(text: bytes, globs: bool) -> Dialect:
    if not text:
        raise Fault("NO_TOPIC")
    if globs:
        return Dialect.GLOB if any(letter in text for letter in b"*?[\\") else Dialect.EXACT
    return Dialect.SEGMENTS if checked_segments(text) else Dialect.EXACT
