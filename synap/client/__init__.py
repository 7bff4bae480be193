"""The Python client: `connect` for threads, `connect_async` for asyncio and trio; see docs/client.md.

The client needs a server and nothing compiled. Importing this package loads neither numba nor numpy, and anyio only
for AsyncClient.

    machine                      RESP3 without sockets: bytes to events
    requests, keys, queues,      the request that each method makes, once for both clients
    rooms, topic_calls, topics,
    group_calls, batches
    flows                        flows: the order of effects, retries and iterators, without waiting
    sync_runner, async_runner    connections, and how flows are carried out
    sync, async_client           the clients, with sync_batches and async_batches
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from synap.client.changes import Change, Frames
from synap.client.errors import (
    ChangesGone,
    ClientError,
    Closed,
    Conflict,
    ConnectionLost,
    LocalProtocolError,
    NotConnected,
    OffsetGone,
    OutcomeUnknown,
    PoolExhausted,
    Refused,
    RemoteProtocolError,
    TimedOut,
)
from synap.client.key_changes import KeyChange
from synap.client.machine import Limits
from synap.client.options import Options
from synap.client.rooms import Event
from synap.client.sync import ChangeFeed, Client, Group, KeyWatch, Message, Queue, Room, Subscription, Topic, connect
from synap.client.topic_calls import Offsets, Record
from synap.client.topics import Gap, TopicMessage

if TYPE_CHECKING:
    from synap.client.async_client import (
        AsyncChangeFeed,
        AsyncClient,
        AsyncGroup,
        AsyncKeyWatch,
        AsyncMessage,
        AsyncQueue,
        AsyncRoom,
        AsyncSubscription,
        AsyncTopic,
        connect_async,
    )

__all__ = [
    "AsyncChangeFeed", "AsyncClient", "AsyncGroup", "AsyncKeyWatch", "AsyncMessage", "AsyncQueue", "AsyncRoom",
    "AsyncSubscription", "AsyncTopic", "Change", "ChangeFeed", "ChangesGone", "Client", "ClientError", "Closed",
    "Conflict", "ConnectionLost", "Event", "Frames", "Gap", "Group", "KeyChange", "KeyWatch", "Limits",
    "LocalProtocolError", "Message", "NotConnected", "OffsetGone", "Offsets", "Options", "OutcomeUnknown",
    "PoolExhausted", "Queue", "Record", "Refused", "RemoteProtocolError", "Room", "Subscription", "TimedOut",
    "Topic", "TopicMessage", "connect", "connect_async",
]  # fmt: skip

_OF_TASKS = (
    "AsyncChangeFeed", "AsyncClient", "AsyncGroup", "AsyncKeyWatch", "AsyncMessage", "AsyncQueue", "AsyncRoom",
    "AsyncSubscription", "AsyncTopic", "connect_async",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _OF_TASKS:
        return getattr(import_module("synap.client.async_client"), name)
    raise AttributeError(f"module 'synap.client' has no attribute {name!r}")
