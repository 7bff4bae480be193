"""The Python client: `connect` for threads, `connect_async` for asyncio and trio; see docs/client.md.

The client needs a server and nothing compiled. Importing this package loads neither numba nor numpy, and anyio only
for AsyncClient.

    machine                      RESP3 without sockets: bytes to events
    requests, keys, queues,      the request that each method makes, once for both clients
    rooms, topic_calls, topics,
    group_calls, batches
    flows                        flows: the order of effects, retries and iterators, without waiting
    consumers, workers,          flows over queues and topics: iterators, workers, members of consumer groups and
    members, producers           producers
    sync_runner, async_runner    connections, and how flows are carried out
    sync, async_client           the clients, with sync_batches and async_batches, iterations and async_iterations, and
                                 sync_workers and async_workers for what goes on in the background
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from synap.client.changes import Change, Frames
from synap.client.consumers import Tally
from synap.client.errors import (
    ChangesGone,
    ClientError,
    Closed,
    Conflict,
    ConnectionLost,
    Fenced,
    LocalProtocolError,
    NotConnected,
    OffsetGone,
    OutcomeUnknown,
    PoolExhausted,
    Refused,
    RemoteProtocolError,
    TimedOut,
)
from synap.client.iterations import ChangeFeed, KeyWatch, Subscription
from synap.client.key_changes import KeyChange
from synap.client.machine import Limits
from synap.client.members import Listener
from synap.client.options import Options
from synap.client.queues import Failure
from synap.client.requests import Later
from synap.client.rooms import Event
from synap.client.sync import Client, Group, Message, Queue, Room, Topic, connect
from synap.client.sync_workers import GroupReader, QueueProducer, TopicProducer, Worker
from synap.client.topic_calls import Offsets, Record
from synap.client.topics import Gap, TopicMessage

if TYPE_CHECKING:
    from synap.client.async_client import (
        AsyncClient,
        AsyncGroup,
        AsyncMessage,
        AsyncQueue,
        AsyncRoom,
        AsyncTopic,
        connect_async,
    )
    from synap.client.async_iterations import AsyncChangeFeed, AsyncKeyWatch, AsyncSubscription
    from synap.client.async_workers import AsyncGroupReader, AsyncQueueProducer, AsyncTopicProducer, AsyncWorker

__all__ = [
    "AsyncChangeFeed", "AsyncClient", "AsyncGroup", "AsyncGroupReader", "AsyncKeyWatch", "AsyncMessage",
    "AsyncQueue", "AsyncQueueProducer", "AsyncRoom", "AsyncSubscription", "AsyncTopic", "AsyncTopicProducer",
    "AsyncWorker", "Change", "ChangeFeed", "ChangesGone", "Client", "ClientError", "Closed", "Conflict",
    "ConnectionLost", "Event", "Failure", "Fenced", "Frames", "Gap", "Group", "GroupReader", "KeyChange",
    "KeyWatch", "Later", "Limits", "Listener", "LocalProtocolError", "Message", "NotConnected", "OffsetGone",
    "Offsets", "Options", "OutcomeUnknown", "PoolExhausted", "Queue", "QueueProducer", "Record", "Refused",
    "RemoteProtocolError", "Room", "Subscription", "Tally", "TimedOut", "Topic", "TopicMessage", "TopicProducer",
    "Worker", "connect", "connect_async",
]  # fmt: skip

_OF_TASKS = {
    "async_client": (
        "AsyncClient", "AsyncGroup", "AsyncMessage", "AsyncQueue", "AsyncRoom", "AsyncTopic", "connect_async",
    ),
    "async_iterations": ("AsyncChangeFeed", "AsyncKeyWatch", "AsyncSubscription"),
    "async_workers": ("AsyncGroupReader", "AsyncQueueProducer", "AsyncTopicProducer", "AsyncWorker"),
}  # fmt: skip
"""What is imported at its first use, by the module that has it."""


def __getattr__(name: str) -> Any:
    for module, names in _OF_TASKS.items():
        if name in names:
            return getattr(import_module(f"synap.client.{module}"), name)
    raise AttributeError(f"module 'synap.client' has no attribute {name!r}")
