"""Watched keys: the changes of keys as a subscription gets them, with the new values of strings.

The server publishes the changes of each key on a channel of its own, and does so only for keys that somebody watches.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from synap.client.errors import LocalProtocolError, RemoteProtocolError
from synap.client.machine import Push
from synap.client.requests import text
from synap.client.topics import WantedNames, heard

GLOB = "*?[\\"


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A change of a key.

    event      what happened: `set`, `del`, `expired`, `evicted`, `expire`, `persist`, `append`, `incrby`, `hset`, ...;
               `flush`: all keys of the database were removed, and `key` is the name that was watched
    version    counts the changes of the key, from 1 after each removal
    value      of a string, after the change; None for other kinds, and if the event leaves no value or changes none
    truncated  True: the value is too long to be sent, or is no UTF-8; read the key
    """

    key: str
    event: str
    version: int
    value: str | None = None
    truncated: bool = False


def watched_keys(keys: Sequence[str | bytes], db: int) -> WantedNames:
    """Return the state of a new subscription to keys of a database; a name with one of `*?[\\` is a glob."""
    if not keys:
        raise LocalProtocolError("at least one key or glob must be named")
    found = WantedNames([], [], tell_gaps=True, read=changed)
    for key in map(text, keys):
        (found.patterns if any(sign in key for sign in GLOB) else found.topics).append(f"__watch@{db}__:{key}")
    return found


def changed(push: Push, data: Any) -> KeyChange | None:
    """Return the change in a push, None if the push is no message."""
    message = heard(push, bytes)
    if message is None:
        return None
    try:
        told = json.loads(message.payload)
        return KeyChange(
            told["key"], told["event"], told["version"], told.get("value"), bool(told.get("truncated")),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise RemoteProtocolError(f"the change of a key cannot be read: {message.payload[:80]!r}") from error
