"""Key watch: messages about changes of keys that carry the new value, on the channel `__watch@<db>__:<key>`.

    {"key": "k", "event": "set", "version": 3, "value": "v"}

Whoever subscribes to such a channel, or to a pattern that begins with `__watch@`, watches: over RESP, or by the
WebSocket `/kv/ws`. While nobody does, none of this costs anything.

    version     counts the changes of a key from 1. A gap tells of a lost message; a smaller number, that the key was
                removed in between, or that more than KEYS_MAX keys are watched
    value       of a string in UTF-8 of at most `value_bytes_max` bytes, after the change; `"truncated": true` stands in
                place of another one. The other kinds, and events that change no value, have none
    flush       the event of each watched key and pattern, named as it was subscribed, when a namespace is emptied
"""

import json
from typing import TYPE_CHECKING

import numpy as np

from synap.engine.subscribers import Json, Subscription, as_text
from synap.store.keys import key_info

if TYPE_CHECKING:
    from synap.engine.engine import Engine

CHANNELS = b"__watch@"
KEYS_MAX = 100_000
GONE = frozenset(("del", "expired", "evicted", "rename_from", "move_from", "flush"))
WITHOUT_VALUE = GONE | {"expire", "persist"}


def channel_of(namespace: int, key: bytes) -> bytes:
    """Return the channel of a key."""
    return b"%b%d__:%b" % (CHANNELS, namespace, key)


class KeyWatch:
    """The messages about watched keys of one engine."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._found = np.zeros(2, np.int64)
        self._versions: dict[bytes, int] = {}  # by channel
        self.value_bytes_max = 65_536
        self.channels = 0  # subscriptions of channels that watch

    @property
    def on(self) -> bool:
        """True if somebody watches a key."""
        return self.channels > 0

    def subscribed(self, text: bytes, more: bool) -> None:
        """Note that a channel or pattern has its first subscriber, or lost its last one."""
        if text.startswith(CHANNELS):
            self.channels += 1 if more else -1
            if not self.channels:
                self._versions.clear()
            self._engine.keyspace_events.look()

    def tell(self, event: str, namespace: int, key: bytes, at: int, now: int) -> None:
        """Send those who watch a key an event. The name of the key also lies at octet `at`."""
        pubsub, channel = self._engine.pubsub, channel_of(namespace, key)
        if len(channel) > pubsub.limits.channel_bytes or not pubsub.matching(channel):
            return
        version = self._versions.pop(channel, 0) + 1
        if event not in GONE:
            self._versions[channel] = version
            if len(self._versions) > KEYS_MAX:
                del self._versions[next(iter(self._versions))]
        told: dict[str, object] = {"key": as_text(key), "event": event, "version": version}
        if event not in WITHOUT_VALUE:
            told.update(self._value(namespace, at, len(key), now))
        pubsub.publish(channel, Json(json.dumps(told).encode()), b"", now)

    def _value(self, namespace: int, at: int, size: int, now: int) -> dict[str, object]:
        engine, found = self._engine, self._found
        if not key_info.text_of(engine.words, engine.octets, namespace, at, size, now, found):
            return {}
        start, size = int(found[0]), int(found[1])
        if size <= self.value_bytes_max:
            try:
                return {"value": bytes(engine.bytes[start : start + size]).decode()}
            except UnicodeDecodeError:
                pass
        return {"truncated": True}

    def flushed(self, namespace: int | None, now: int) -> None:
        """Tell all who watch keys of a namespace (None: of any) that it was emptied, or has other keys now."""
        pubsub = self._engine.pubsub
        begin = CHANNELS if namespace is None else channel_of(namespace, b"")
        self._versions = {channel: n for channel, n in self._versions.items() if not channel.startswith(begin)}
        watched: list[Subscription] = [one for one in pubsub.exact.values() if len(one)]
        watched += pubsub.patterns.values()
        for one in watched:
            database, _, key = one.text.removeprefix(CHANNELS).partition(b"__:")
            if one.text.startswith(CHANNELS) and not (database.isdigit() and not one.text.startswith(begin)):
                told = {"key": as_text(key), "event": "flush", "version": 1}
                pubsub.publish_to([one], one.text, Json(json.dumps(told).encode()), b"", now)
